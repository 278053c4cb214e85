"""A page at two final dates proves itself: a digest over the answer behind it, in its address.

The digest covers the address and the answer: figures, ids and pseudonyms. No masked name, no name
of an organisation and no place in the log is in it, so that neither a later event nor an erasure
changes it. Behind it stand four characters for each part of the answer, which name the part that
differs; they prove nothing by themselves.
"""

from __future__ import annotations

import hashlib
from base64 import b32encode
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, Final, NamedTuple
from urllib.parse import parse_qsl, urlencode, urlsplit

import msgspec
from fastapi import Query

from application.fields import NUMBER
from application.transparency_log.merkle import HASHES
from application.transparency_log.nodes import Checkpoint, TreeNodes
from domain.roles import Reach
from interface.console.dates import exactly
from interface.http.service import Service
from projections.columns import BORROWER_NAME
from projections.facts.reading import Table, View

if TYPE_CHECKING:
    from interface.console.frame import Visit

_PROVES: Final = 52
"""Characters of a SHA-256 in base32, which a person copies from paper without mistaking a case."""
_NAMES: Final = 4
_DIGEST: Final = r"^[a-z2-7]{52}\.[a-z2-7]{0,800}$"
_CHECKPOINT: Final = r"^[0-9]{1,18}\.[a-z2-7]{52}$"
OF_PAPER: Final = ("digest", "checkpoint", "by")
"""Parameters that a paper's address carries besides the page's own."""
_OF_PERSONS: Final = frozenset({BORROWER_NAME.key})
"""Columns of masked names: an erasure takes them away."""
_OWN_ROWS: Final = (Reach.LENT, Reach.RESIDENT, Reach.GUARANTEED)


class Paper(NamedTuple):
    """What a printed page says of itself; all None where nothing is to be checked.

    `checkpoint`: size and root of the tree when it was printed; `by`: the organisation whose rows
    it shows, where these are not all rows.
    """

    digest: str | None = None
    checkpoint: str | None = None
    by: str | None = None


def paper_of(
    digest: Annotated[str | None, Query(pattern=_DIGEST)] = None,
    checkpoint: Annotated[str | None, Query(pattern=_CHECKPOINT)] = None,
    by: Annotated[str | None, Query(pattern=NUMBER)] = None,
) -> Paper:
    return Paper(digest, checkpoint, by)


class Answer(NamedTuple):
    """What a page rests on.

    `parts`: by a key that stays, what the page shows of it, as JSON can say it; `known_at`: the
    instant whose knowledge it is, which is final; `titles`: by key, what a reader calls the part.
    """

    parts: Mapping[str, Any]
    known_at: datetime
    titles: Mapping[str, str]


def answer_of(
    view: View, table: Table, keys: Sequence[str], titles: Sequence[str], **also: Any
) -> Answer:
    """The answer that lines of a table are: these of its columns, each with its title.

    `also`: what is said of all lines beside them.
    """
    places = {column.key: place for place, column in enumerate(table.columns)}
    shown = [key for key in keys if key not in _OF_PERSONS]
    return Answer(
        {key: [row[places[key]] for row in table.rows] for key in shown} | also,
        view.known_at,
        dict(zip(keys, titles, strict=True)),
    )


class Pin(NamedTuple):
    """A page's proof of itself.

    `address`: opens the same page and checks it; `equal`: whether the digest that was given is the
    page's own (None: none was given); `differs`: titles of the parts that differ, as far as the
    digest names them; `in_log`: whether the log goes on from the checkpoint that was given.
    """

    address: str
    digest: str
    checkpoint: str | None
    equal: bool | None = None
    differs: Sequence[str] = ()
    in_log: bool | None = None


def digest_of(path: str, query: Mapping[str, str], parts: Mapping[str, Any]) -> str:
    """The digest of a page, and the marks of its parts in their order."""
    whole = {"page": path, "query": dict(query), "parts": dict(parts)}
    marks = "".join(_hash([key, value])[:_NAMES] for key, value in parts.items())
    return f"{_hash(whole)}.{marks}"


def same_page(given: str, own: str) -> bool:
    """Whether two digests are of the same answer."""
    return given[:_PROVES] == own[:_PROVES]


def differing(given: str, own: str, answer: Answer) -> list[str]:
    """Titles of the parts that differ; none where the digests have not the same parts."""
    theirs, ours = given[_PROVES + 1 :], own[_PROVES + 1 :]
    if len(theirs) != len(ours):
        return []
    return [
        answer.titles.get(key, key)
        for number, key in enumerate(answer.parts)
        if theirs[number * _NAMES :][:_NAMES] != ours[number * _NAMES :][:_NAMES]
    ]


def checkpoint_said(size: int, root: bytes) -> str:
    """A checkpoint as an address says it."""
    return f"{size}.{_text(root)}"


def stands_in_log(service: Service, checkpoint: str) -> bool:
    """Whether the tree has this root at this size: `size.root`, as an address says it."""
    size, _, root = checkpoint.partition(".")
    origin = service.deployment.origin
    with service.facts.connection() as connection:
        nodes = TreeNodes(connection, origin, HASHES[origin.rpartition("/")[2]])
        try:
            return _text(nodes.root(int(size))) == root
        except LookupError:
            return False


def _hash(value: Any) -> str:
    return _text(hashlib.sha256(msgspec.json.encode(value, order="deterministic")).digest())


def _text(data: bytes) -> str:
    return b32encode(data).decode().rstrip("=").lower()


def pin(found: Visit, answer: Answer, newest: Checkpoint | None) -> Pin | None:
    """The proof of the page that a visit shows; None for a digest of what is not final yet.

    `newest`: the newest checkpoint, which a paper then names.
    """
    pinned = found.address(as_of=found.as_of, known_at=exactly(answer.known_at))
    parts = urlsplit(pinned)
    digest = digest_of(parts.path, dict(parse_qsl(parts.query)), answer.parts)
    given = found.paper
    if given.digest is not None and answer.known_at != found.known_at:
        return None
    checkpoint = newest and checkpoint_said(newest.head.size, newest.head.root)
    own_rows = found.author.role.reach in _OWN_ROWS
    proof = Paper(digest, checkpoint, found.author.organisation if own_rows else None)
    said = urlencode({name: value for name, value in proof._asdict().items() if value})
    return Pin(
        address=f"{pinned}&{said}",
        digest=digest,
        checkpoint=checkpoint,
        equal=None if given.digest is None else same_page(given.digest, digest),
        differs=() if given.digest is None else differing(given.digest, digest, answer),
        in_log=None if given.checkpoint is None else stands_in_log(found.service, given.checkpoint),
    )

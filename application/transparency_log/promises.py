"""The promise of inclusion (入账承诺): what whoever tells the ledger something can hold against it.

Given with the answer, before any checkpoint covers the events: as the signed timestamp of
certificate transparency. Format: docs/tamper-evidence.md §7.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from application.transparency_log import merkle
from application.transparency_log.log_range import Authenticate
from application.transparency_log.merkle import HASHES
from application.transparency_log.rows import AUTHENTICATED, MAC, Connection, rows_between
from application.transparency_log.signer import Signer

FORMAT: Final = "mingzhang-promise/1"
WITHIN: Final = timedelta(hours=24)
"""The longest until a signed checkpoint covers the events; in practice it is a second."""
_MOST_SHOWN: Final = 16
"""Events whose content stands in the promise itself."""
_WITHOUT_LEAVES: Final = 2_000
"""Characters: more than a promise has beside its leaves and the words before them."""
_MOST_IN_RANGE: Final = 10_000
"""Events under one promise, about: their rows are in memory while it is made."""


class Promises:
    """Promises of one log, under its own key."""

    def __init__(self, signer: Signer, origin: str, authenticate: Authenticate) -> None:
        self._authenticate = authenticate
        self._signer = signer
        self._origin = origin
        self._hash = HASHES[origin.rpartition("/")[2]]

    def of_rows(
        self,
        position: int,
        recorded_at: datetime,
        rows: Sequence[bytes],
        longest: int | None = None,
    ) -> str:
        """The promise of the events whose stored rows begin at `position`, as a signed note.

        It shows no events where they would make it longer than `longest` characters.
        """
        leaves = [self._hash.leaf(row) for row in rows]
        root = merkle.range_root(self._hash, leaves)
        shown = [_text(self._hash.prefix + row) for row in rows if len(rows) <= _MOST_SHOWN]
        if longest is not None and sum(map(len, shown)) > longest - _WITHOUT_LEAVES:
            shown = []
        lines = [
            f"index {position - 1}",
            f"count {len(rows)}",
            f"recorded {_instant(recorded_at)}",
            f"until {_instant(recorded_at + WITHIN)}",
            f"hash {_text(root)}",
            *(f"leaf {leaf}" for leaf in shown),
        ]
        return self._signer.attest(FORMAT, self._origin, lines)

    def of_stored(
        self,
        connection: Connection,
        position: int,
        count: int,
        recorded_at: datetime,
        longest: int | None = None,
    ) -> str | None:
        """The same of events as they are stored; None where one is not the service's own any more.

        What was altered meanwhile is never promised.
        """
        rows = list(rows_between(connection, position - 1, position + count - 1))
        own = all(self._authenticate(row[AUTHENTICATED]) == row[MAC] for row in rows)
        if not own or len(rows) != count:
            return None
        return self.of_rows(position, recorded_at, rows, longest)


def ranges_of(spans: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int, int]]:
    """(first, count, first of the last span) of the ranges that spans (first, count) make up.

    Spans that follow one another make one range, of at most `_MOST_IN_RANGE` positions and one
    span more.
    """
    begun: tuple[int, int, int] | None = None
    for first, count in sorted(span for span in spans if all(span)):
        if begun and begun[0] + begun[1] == first and begun[1] < _MOST_IN_RANGE:
            begun = begun[0], begun[1] + count, first
            continue
        if begun:
            yield begun
        begun = first, count, first
    if begun:
        yield begun


def _instant(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%fZ}"


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()

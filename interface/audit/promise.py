"""核对入账承诺 A promise of inclusion, by itself and against what the log shows later.

Belongs beside verify.py, which calls it; docs/tamper-evidence.md, section 7:
  verify.py promise PROMISE --policy P                              is it signed, and what it says
  verify.py promise PROMISE --policy P --receipt R…                 it is kept, or broken
  verify.py promise PROMISE --policy P --checkpoint LATER           broken, if its time has run out
"""

import argparse
import io
import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any

if __package__:
    from interface.audit import verify
else:
    import verify  # type: ignore[import-not-found, no-redef]

FORM = (
    r"mingzhang-promise/1 (\S+) index (\d+) count (\d+) recorded (\S+) until (\S+) hash (\S+)"
    r"((?: leaf \S+)*)"
)


class Promise:
    """What the log has signed. `first`, `last`: positions. `shown`: leaf data, if it shows any."""

    def __init__(self, data: bytes, policy: verify.Policy) -> None:
        lines, _ = verify.signed_lines(data, policy, 1)
        said = re.fullmatch(FORM, " ".join(lines))
        if said is None:
            raise verify.Wrong("不是承诺 not a promise")
        self.origin, index, count, self.recorded, self.until, root, shown = said.groups()
        self.first = verify.number_of(index) + 1
        self.last = self.first + verify.number_of(count) - 1
        self.hash_byte, self.h = verify.HASHES[self.origin.rpartition("/")[2]]
        self.root = verify.bytes_of(root)
        self.shown = [verify.bytes_of(leaf) for leaf in shown.split(" leaf ")[1:]]
        verify.must(self.first <= self.last, "没有事件 of no event")
        verify.must(not self.shown or self.is_of(self.shown), "承诺不符 it shows other events")

    def is_of(self, leaves: Sequence[bytes]) -> bool:
        """Whether these leaf data, in order, are what was promised."""
        rows = [row_in(leaf) for leaf in leaves]
        right = all(leaf == b"\1" + self.hash_byte + row.raw
                    for leaf, row in zip(leaves, rows, strict=True))  # fmt: skip
        places = [row.position for row in rows] == [*range(self.first, self.last + 1)]
        return right and places and root_over(self.h, leaves) == self.root

    def __str__(self) -> str:
        return f"承诺 promise: 位置 {self.first}–{self.last}, {self.recorded}, 至 {self.until}"


def check(given: argparse.Namespace, policy: verify.Policy) -> str:
    """The verdict, in a few lines. Raises Wrong, "违约 BROKEN" where the log broke it."""
    promise = Promise(given.file.read_bytes(), policy)
    kept, sizes = dict[int, bytes](), list[verify.Checkpoint]()
    for path in given.receipt:
        leaf, note = verify.receipt_of(path.read_bytes(), policy)
        kept[row_in(leaf).position] = leaf
        sizes.append(note)
    if given.checkpoint:
        sizes.append(verify.open_checkpoint(given.checkpoint.read_bytes(), policy))
    for note in sizes:
        verify.must(note.origin == promise.origin, f"不是同一日志 not one log: {note.origin}")
    return verdict(promise, kept, sizes)


def verdict(promise: Promise, kept: dict[int, bytes], notes: Sequence[verify.Checkpoint]) -> str:
    """`kept`: leaf data that stand in the log, by position; `notes`: its later checkpoints."""
    wanted = range(promise.first, promise.last + 1)
    there = {place: kept[place] for place in wanted if place in kept}
    for place, leaf in there.items():
        if promise.shown and leaf != promise.shown[place - promise.first]:
            raise verify.Wrong(f"违约 BROKEN: 位置 position {place} 为别的事件 is another event")
    if len(there) == len(wanted):
        other = "违约 BROKEN: 其处为别的事件 other events stand there: "
        verify.must(promise.is_of([*there.values()]), f"{other}{promise}")
        return f"已守约 kept: {promise}"
    due = datetime.fromisoformat(promise.until).timestamp()
    for note in notes:
        late = note.size < promise.last and note.seen > due
        less = f"违约 BROKEN: 逾期后日志仍只有 {note.size} 条 events only, after its time: "
        verify.must(not late, f"{less}{promise}")
    if any(note.size >= promise.last for note in notes):
        raise verify.Wrong(
            f"须有其全部回执 it is due: give the receipts of all its events: {promise}"
        )
    open_ = "尚未到期，或无见证时间 not due yet, or no witness tells the time: " if notes else ""
    return "\n".join([f"签名有效 signed; {open_}{promise}", *map(told, promise.shown)])


def told(leaf: bytes) -> str:
    row = row_in(leaf)
    return f"{row.recorded_at} {row.organisation} {row.ref} {row.topic}: {row.state.decode()}"


def row_in(leaf: bytes) -> Any:
    return verify.row_of(io.BytesIO(leaf[2:]).read)


def root_over(h: Any, leaves: Sequence[bytes]) -> Any:
    """The root over leaf data (RFC 9162, 2.1.1)."""
    if len(leaves) == 1:
        return h(b"\0" + leaves[0])
    half = 1 << (len(leaves) - 1).bit_length() - 1
    return h(b"\1" + root_over(h, leaves[:half]) + root_over(h, leaves[half:]))

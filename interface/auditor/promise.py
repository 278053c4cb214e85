"""核对入账承诺 Promises of inclusion, by themselves and against what the log shows later.

Belongs beside verify.py, which calls it; docs/tamper-evidence.md, section 7. PROMISE: a promise, or
an answer or a result file (JSON, NDJSON, CSV, XLSX) with all its promises. RECEIPT: a receipt, or
the NDJSON of many.
  verify.py promise PROMISE --policy P                              is it signed, and what it says
  verify.py promise PROMISE --policy P --receipt R…                 it is kept, or broken
  verify.py promise PROMISE --policy P --checkpoint LATER           broken, if its time has run out
  verify.py log EXPORT --policy P --checkpoint C --promise PROMISE… the same, against the whole log
"""

import argparse
import io
import json
import re
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from time import time
from typing import Any

if __package__:
    from interface.auditor import verify
else:
    import verify  # type: ignore[import-not-found, no-redef]

FORM = (
    r"mingzhang-promise/1 (\S+) index (\d+) count (\d+) recorded (\S+) until (\S+) hash (\S+)"
    r"((?: leaf \S+)*)"
)
NOTE = re.compile("mingzhang-promise/1\n(?:[^\n]+\n)+\n(?:— [^\n]+\n)+".encode())


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
        self.due = datetime.fromisoformat(self.until).timestamp()
        verify.must(self.first <= self.last, "没有事件 of no event")
        verify.must(not self.shown or self._shows_its_own(), "承诺不符 it shows other events")

    @property
    def positions(self) -> range:
        return range(self.first, self.last + 1)

    def _shows_its_own(self) -> bool:
        rows = [row_in(leaf) for leaf in self.shown]
        right = all(leaf == b"\1" + self.hash_byte + row.raw
                    for leaf, row in zip(self.shown, rows, strict=True))  # fmt: skip
        places = [row.position for row in rows] == [*self.positions]
        return right and places and self.is_of([self.h(b"\0" + leaf) for leaf in self.shown])

    def is_of(self, hashes: Sequence[bytes]) -> bool:
        """Whether the leaves that have these hashes, in order, are what was promised."""
        return bool(root_over(self.h, hashes) == self.root)

    def __str__(self) -> str:
        return f"承诺 promise: 位置 {self.first}–{self.last}, {self.recorded}, 至 {self.until}"


def check(given: argparse.Namespace, policy: verify.Policy) -> str:
    """The verdicts, in a few lines. Raises Wrong, "违约 BROKEN" where the log broke one."""
    promises = promises_in(given.file, policy)
    kept, notes = dict[int, bytes](), list[verify.Checkpoint]()
    for text in (text for path in given.receipt for text in receipts_in(path)):
        leaf, note = verify.receipt_of(text, policy)
        kept[row_in(leaf).position] = note.h(b"\0" + leaf)
        notes.append(note)
    if given.checkpoint:
        notes.append(verify.open_checkpoint(given.checkpoint.read_bytes(), policy))
    return verdicts(promises, kept, notes)


def check_log(given: argparse.Namespace, policy: verify.Policy, note: verify.Checkpoint) -> str:
    """The same against an exported log, which has the root of the checkpoint `note`."""
    promises = [one for path in given.promise for one in promises_in(path, policy)]
    wanted = {place for one in promises for place in one.positions if place <= note.size}
    start = b"\0\1" + note.hash_byte
    rows = verify.rows_of(given.file)
    kept = {row.position: note.h(start + row.raw) for row in rows if row.position in wanted}
    return verdicts(promises, kept, [note])


def verdicts(
    promises: Sequence[Promise], kept: dict[int, bytes], notes: Sequence[verify.Checkpoint]
) -> str:
    """Of each promise. Raises Wrong, naming all that are not kept."""
    said, wrong = list[str](), list[str]()
    for one in promises:
        for note in notes:
            verify.must(note.origin == one.origin, f"不是同一日志 not one log: {note.origin}")
        try:
            said.append(verdict(one, kept, notes))
        except verify.Wrong as error:
            wrong.append(str(error))
    verify.must(not wrong, "; ".join(wrong))
    return "\n".join(said)


def verdict(promise: Promise, kept: dict[int, bytes], notes: Sequence[verify.Checkpoint]) -> str:
    """`kept`: hashes of leaves that stand in the log, by position; `notes`: its later checkpoints.

    A checkpoint tells the time if a witness signed it; else the clock of this machine does, which
    proves nothing to anybody else.
    """
    there = {place: kept[place] for place in promise.positions if place in kept}
    for place, found in there.items():
        if promise.shown and found != promise.h(b"\0" + promise.shown[place - promise.first]):
            raise verify.Wrong(f"违约 BROKEN: 位置 position {place} 为别的事件 is another event")
    if len(there) == len(promise.positions):
        other = "违约 BROKEN: 其处为别的事件 other events stand there: "
        verify.must(promise.is_of([*there.values()]), f"{other}{promise}")
        return f"已守约 kept: {promise}"
    if any(note.size >= promise.last for note in notes):
        raise verify.Wrong(
            f"须有其全部回执 it is due: give the receipts of all its events: {promise}"
        )
    if notes:
        size = max(note.size for note in notes)
        less = f"逾期后日志仍只有 {size} 条 events only, after its time: {promise}"
        verify.must(not any(note.seen > promise.due for note in notes), f"违约 BROKEN: {less}")
        seen = any(note.seen for note in notes)
        old = "依本机时间 by this clock; 请取新检查点 take a newer checkpoint"
        verify.must(seen or time() <= promise.due, f"未守约 NOT KEPT: {less}; {old}")
    open_ = "尚未到期 not due yet: " if notes else ""
    return "\n".join([f"签名有效 signed; {open_}{promise}", *map(told, promise.shown)])


# ---- files -----------------------------------------------------------------------------------


def promises_in(path: Path, policy: verify.Policy) -> list[Promise]:
    """The promise in a file, or those of an answer. Raises Wrong when there is none."""
    data = path.read_bytes()
    if data.startswith(b"mingzhang-promise/1\n"):
        return [Promise(data, policy)]
    if data.startswith(b"PK"):
        data = cells_of(data)
    found = NOTE.findall(data.replace(rb"\u2014", "—".encode()).replace(rb"\n", b"\n"))
    verify.must(found, f"其中没有承诺 there is no promise in it: {path.name}")
    return [Promise(note, policy) for note in dict.fromkeys(found)]


def cells_of(book: bytes) -> bytes:
    """All that a book of sheets (XLSX) holds, as XML: nothing in a promise needs an escape."""
    try:
        with zipfile.ZipFile(io.BytesIO(book)) as parts:
            return b"\n".join(map(parts.read, parts.namelist()))
    except (zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise verify.Wrong(f"读不出 not a readable book: {error!r}") from error


def receipts_in(path: Path) -> Iterator[bytes]:
    """The receipt in a file, or those of an answer with a line of JSON each."""
    data = path.read_bytes()
    if not data.startswith(b"{"):
        yield data
        return
    for line in data.splitlines():
        yield json.loads(line)["receipt"].encode()


def told(leaf: bytes) -> str:
    row = row_in(leaf)
    return f"{row.recorded_at} {row.organisation} {row.ref} {row.topic}: {row.state.decode()}"


def row_in(leaf: bytes) -> Any:
    return verify.row_of(io.BytesIO(leaf[2:]).read)


def root_over(h: Any, hashes: Sequence[bytes]) -> Any:
    """The root over leaves that have these hashes (RFC 9162, 2.1.1)."""
    if len(hashes) == 1:
        return hashes[0]
    half = 1 << (len(hashes) - 1).bit_length() - 1
    return h(b"\1" + root_over(h, hashes[:half]) + root_over(h, hashes[half:]))

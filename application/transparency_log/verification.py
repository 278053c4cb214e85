"""Checking the live log against itself, its tree, its checkpoints and those kept elsewhere.

Everything is computed again from the stored rows. What is wrong is named by position; nothing
stops at the first fault.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from typing import NamedTuple, TypeVar

from application.event_store.clock import TOLERANCE
from application.event_store.guards import missing_guards
from application.transparency_log import merkle
from application.transparency_log.log_range import (
    Authenticate,
    LogRange,
    gap_in_versions,
    read_range,
)
from application.transparency_log.merkle import HASHES, SIZE, TreeHash
from application.transparency_log.nodes import STEP, TILE, Connection, TreeNodes
from application.transparency_log.notes import Head, NoteMalformed, VerifierKey, parse_checkpoint
from application.transparency_log.parallel_reading import ReadSource, read_ranges, source_of
from application.transparency_log.proofs import READING

_MOST_NAMED = 1_000
_FAR = 1_000_000
"""Positions: a row farther behind the others than this is a stray, not a gap to be counted."""

T = TypeVar("T")


class Fault(NamedTuple):
    """Something that is not as it was written. `position`: 0 when it is not about one event."""

    position: int
    zh: str
    en: str

    def __str__(self) -> str:
        where = f"第 {self.position} 条 / event {self.position}: " if self.position else ""
        return f"{where}{self.zh} / {self.en}"


class Verified(NamedTuple):
    """How much was checked, and what was found."""

    events: int
    sealed: int
    checkpoints: int
    anchors: int
    faults: list[Fault]

    @property
    def coverage_bp(self) -> int:
        """The share of the events that were checked against a checkpoint, in basis points."""
        return self.sealed * 10_000 // self.events if self.events else 10_000


Told = Callable[[int, int], None]
"""Hears (events checked, events in all)."""


class Verification:
    """One check of the whole log, in one snapshot of the database."""

    def __init__(
        self,
        connection: Connection,
        origin: str,
        log_key: VerifierKey,
        authenticate: Authenticate,
        *,
        signed_last: Head | None = None,
        anchors: Sequence[str] = (),
        dsn: str | None = None,
    ) -> None:
        """`dsn`: where the connection leads; a second process then reads its share as a reader."""
        self._connection = connection
        self._dsn = dsn
        self._hash = HASHES[origin.rpartition("/")[2]]
        self._nodes = TreeNodes(connection, origin, self._hash)
        self._origin = origin
        self._log_key = log_key
        self._authenticate = authenticate
        self._signed_last = signed_last
        self._anchors = anchors
        self._faults: list[Fault] = []

    def run(self, told: Told = lambda *_: None) -> Verified:
        """Check everything; `told` hears of the progress."""
        with self._connection.transaction():
            self._connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            return self._run(told)

    def _run(self, told: Told) -> Verified:
        guards = self._attempt("防护 guards", lambda: missing_guards(self._connection), list[str]())
        self._faults += [Fault(0, guard, "guard") for guard in guards]
        checkpoints = self._attempt("检查点 checkpoints", self._checkpoints, list[Head]())
        sealed = max((head.size for head in checkpoints), default=0)
        kept = max(self._attempt("树 tree", self._nodes.size, 0), 0)
        anchored = list(self._anchored())
        tree = _Growing(self._hash)
        wanted = {head.size for head in checkpoints} | {head.size for head, _ in anchored}
        roots = {0: self._hash.digest(b"")}
        events = self._attempt("位置 positions", self._last, 0)
        source = self._source(kept)  # a snapshot is given away outside of every part
        self._attempt(
            "事件 events",
            lambda: self._events(events, kept, source, tree, wanted, roots, told),
            None,
        )
        self._attempt("时刻 instants", self._compare_clock, None)
        self._compare_heads(checkpoints, anchored, roots, events)
        self._attempt("树节点 nodes", lambda: self._compare_nodes(tree, kept, sealed), None)
        return Verified(events, min(sealed, events), len(checkpoints), len(self._anchors),
                        sorted(set(self._faults))[:_MOST_NAMED])  # fmt: skip

    def _attempt(self, what: str, examine: Callable[[], T], otherwise: T) -> T:
        """One part of the check; what goes wrong in it is a fault, and the next part goes on."""
        try:
            with self._connection.transaction():
                return examine()
        except Exception as error:  # noqa: BLE001 - whatever was done to the database is a finding
            said = (str(error).strip().splitlines() or [""])[0]
            self._fault(
                0, f"{what}：未能查完：{type(error).__name__} {said}", "not checked through"
            )
            return otherwise

    def _last(self) -> int:
        """How far the log goes. A row far beyond all others is a fault, not the end of the log."""
        row = self._connection.execute("SELECT count(*) FROM ledger.event").fetchone()
        most = (row[0] if row else 0) + _FAR
        strays = self._connection.execute(
            "SELECT position FROM ledger.event WHERE position < 1 OR position > %s"
            " ORDER BY position LIMIT %s",
            (most, _MOST_NAMED),
        )
        for (position,) in strays:
            self._fault(
                position, f"位置 {position} 不在日志内", "its position is outside of the log"
            )
        nowhere = self._connection.execute(
            "SELECT count(*) FROM ledger.event WHERE position IS NULL"
        ).fetchone()
        if nowhere and nowhere[0]:
            self._fault(0, f"{nowhere[0]} 条没有位置", f"{nowhere[0]} events have no position")
        found = self._connection.execute(
            "SELECT max(position) FROM ledger.event WHERE position BETWEEN 1 AND %s", (most,)
        ).fetchone()
        return (found and found[0]) or 0

    def _compare_clock(self) -> None:
        """No event may be recorded in what is still the future for the database."""
        ahead = self._connection.execute(
            "SELECT min(position) FROM ledger.event"
            " WHERE recorded_at > clock_timestamp() + make_interval(secs => %s)"
            " AND (SELECT recorded_at FROM ledger.event ORDER BY position DESC LIMIT 1)"
            " > clock_timestamp()",
            (TOLERANCE.total_seconds(),),
        ).fetchone()
        if ahead and ahead[0]:
            self._fault(ahead[0], "得知时刻在将来", "it was recorded in the future")

    def _events(
        self,
        last: int,
        kept: int,
        source: ReadSource | None,
        tree: _Growing,
        wanted: set[int],
        roots: dict[int, bytes],
        told: Told,
    ) -> None:
        """Every row: where it stands, that the service wrote it, that the tree holds it."""
        order = _Order(self._fault)

        def read(begin: int, end: int) -> LogRange:
            return read_range(self._connection, self._nodes, self._authenticate, begin, end, kept)

        with closing(read_ranges(source, 0, last, read)) as all_of_them:
            for log_range in all_of_them:
                for fault in log_range.faults:
                    self._fault(*fault)
                order.go_on(log_range)
                tree.add(log_range, wanted, roots)
                told(log_range.until, last)

    def _source(self, kept: int) -> ReadSource | None:
        """Where a second process reads what this one reads: in the same snapshot."""
        if self._dsn is None:
            return None
        row = self._connection.execute("SELECT pg_export_snapshot()").fetchone()
        return source_of(
            self._dsn, READING, self._origin, self._authenticate,
            snapshot=row and row[0], kept=kept,
        )  # fmt: skip

    def _compare_nodes(self, tree: _Growing, kept: int, sealed: int) -> None:
        if kept < sealed:
            self._fault(kept + 1, "树叶缺失", "leaves are missing")
        elif kept > sealed:
            self._fault(sealed + 1, "树叶没有检查点", "leaves without a checkpoint")
        for level, hashes in tree.kept.items():
            count = kept >> level
            for first in range(0, min(count, len(hashes) // SIZE), TILE):
                wanted = min(TILE, count - first, len(hashes) // SIZE - first)
                try:
                    same = (
                        self._nodes.range(level, first, wanted)
                        == hashes[first * SIZE : (first + wanted) * SIZE]
                    )
                except LookupError:
                    same = False
                if not same:
                    self._fault((first << level) + 1, f"第 {level} 层树节点不符",
                                f"nodes of level {level} do not fit")  # fmt: skip
        rows = self._connection.execute(
            "SELECT DISTINCT level FROM ledger.tree_node WHERE origin = %s", (self._origin,)
        )
        for (level,) in rows:
            if level % STEP or kept >> level == 0:
                self._fault(0, f"多出第 {level} 层树节点", f"nodes of a level {level}")

    def _checkpoints(self) -> list[Head]:
        """The heads that are kept, each signed by the log; a fault for any other row."""
        rows = self._connection.execute(
            "SELECT size, note FROM ledger.checkpoint WHERE origin = %s ORDER BY size, signed_at",
            (self._origin,),
        )
        heads = []
        for size, note in rows:
            try:
                head, lines = parse_checkpoint(note or "")
            except (NoteMalformed, ValueError):
                self._fault(size or 0, "检查点损坏", "a checkpoint is malformed")
                continue
            if head.size != size or head.origin != self._origin:
                self._fault(size, "检查点与其行不符", "a checkpoint is not what its row says")
            elif not any(self._log_key.signed(head, line) for line in lines):
                by = ", ".join(f"{line.name} {line.key_id.hex()}" for line in lines)
                self._fault(
                    size,
                    f"检查点签名无效：由 {by} 签署，不是 {self._log_key.text()}",
                    "a checkpoint is not signed by the log's key",
                )
            else:
                heads.append(head)
        return heads

    def _anchored(self) -> Iterable[tuple[Head, str]]:
        """Heads that were kept outside: by witnesses, and by the signer himself."""
        for number, note in enumerate(self._anchors, 1):
            try:
                head, lines = parse_checkpoint(note)
            except (NoteMalformed, ValueError):
                self._fault(0, f"第 {number} 个外存检查点损坏", f"anchor {number} is malformed")
                continue
            if head.origin == self._origin and any(self._log_key.signed(head, x) for x in lines):
                yield head, "外存检查点 / a checkpoint kept elsewhere"
            else:
                self._fault(head.size, "外存检查点不是本日志签署", "an anchor not of this log")
        if self._signed_last is not None:
            yield self._signed_last, "签名器最后签署 / what the signer signed last"

    def _compare_heads(
        self,
        checkpoints: list[Head],
        anchored: list[tuple[Head, str]],
        roots: dict[int, bytes],
        events: int,
    ) -> None:
        for head in checkpoints:
            if head.size > events:
                self._fault(events + 1, f"缺失：检查点有 {head.size} 条",
                            f"missing: a checkpoint counts {head.size}")  # fmt: skip
            elif roots.get(head.size) != head.root:
                self._fault(
                    0,
                    f"前 {head.size} 条与检查点的根不符",
                    f"the first {head.size} do not give the root of their checkpoint",
                )
        known = set(checkpoints)
        for head, whose in anchored:
            if head.size > events:
                self._fault(events + 1, f"缺失：{whose}：{head.size}", "missing")
            elif roots.get(head.size) != head.root:
                self._fault(0, f"前 {head.size} 条与外存的根不符：{whose}",
                            f"the first {head.size} are not what was seen elsewhere")  # fmt: skip
            elif head not in known:
                self._fault(
                    0, f"{head.size} 处的检查点被删", f"no checkpoint at {head.size} any more"
                )

    def _fault(self, position: int, zh: str, en: str) -> None:
        self._faults.append(Fault(position, zh, en))


class _Order:
    """The order of the log from range to range."""

    def __init__(self, fault: Callable[[int, str, str], None]) -> None:
        self._recorded_at = -(1 << 62)
        self._versions: dict[bytes, int] = {}
        self._fault = fault

    def go_on(self, log_range: LogRange) -> None:
        """Take the next one: time goes on, and each aggregate where it stopped."""
        if log_range.told:
            if log_range.told[0] < self._recorded_at:
                self._fault(log_range.after + 1, "得知时间倒退", "recorded_at goes back")
            self._recorded_at = log_range.told[1]
        versions = self._versions
        for aggregate, (first, position, last) in log_range.versions.items():
            if first != versions.get(aggregate, 0) + 1:
                self._fault(*gap_in_versions(position, aggregate))
            versions[aggregate] = last


class _Growing:
    """A tree computed from ranges as they come: the kept levels, and roots at wanted sizes."""

    def __init__(self, tree_hash: TreeHash) -> None:
        self._hash = tree_hash
        self._last = LogRange(0)
        self.kept: dict[int, bytearray] = {}

    def add(self, log_range: LogRange, wanted: set[int], roots: dict[int, bytes]) -> None:
        self._last = log_range
        level, hashes = STEP, log_range.above
        while hashes:
            kept = self.kept.setdefault(level, bytearray())
            before = len(kept) // SIZE // TILE * TILE
            kept += hashes
            after = len(kept) // SIZE // TILE * TILE
            hashes = self._hash.above(bytes(kept[before * SIZE : after * SIZE]), STEP)
            level += STEP
        for size in wanted:
            if log_range.after < size <= log_range.until:
                roots[size] = merkle.root(self._hash, size, self._node)

    def _node(self, level: int, index: int) -> bytes:
        up = level % STEP
        base, first, count = level - up, index << up, 1 << up
        hashes = self.kept[base] if base else self._last.leaves
        first -= 0 if base else self._last.after
        return self._hash.above(bytes(hashes[first * SIZE : (first + count) * SIZE]), up)

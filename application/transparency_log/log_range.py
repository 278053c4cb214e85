"""A range of the log, read from the stored rows: its leaves, and whatever is wrong with it."""

from __future__ import annotations

import struct
from collections.abc import Callable
from struct import Struct
from uuid import UUID

import msgspec

from application.transparency_log.merkle import SIZE
from application.transparency_log.nodes import STEP, TILE, Connection, TreeNodes
from application.transparency_log.rows import AUTHENTICATED, MAC, POSITION, columns_of, rows_between
from domain.catalogue import EVENTS

_HEAD = slice(2, 58)
_ORDER = Struct("!4xq4xq4x16s4xq")
"""Position, recorded_at, aggregate and version, as they stand in a row's head."""
_WIDTHS = struct.pack("!iiii", 8, 8, 16, 8)
_LONG_AGO = -(1 << 63)

_TOPIC, _STATE, _COLUMNS = 4, 9, 11

Authenticate = Callable[[bytes], bytes]
"""The service's own seal over the first ten columns of a row."""


class LogRange(msgspec.Struct):
    """What stands at the positions (after, until]. A missing row's leaf is all zeros."""

    after: int
    leaves: bytes = b""
    above: bytes = b""
    """The first kept level of nodes over them, where it begins with a tile and as far as tiles are
    full."""
    faults: list[tuple[int, str, str]] = []
    """(position, what in Chinese, what in English), the first one first."""
    told: list[int] = []
    """When the ledger learnt of the first event, and of the last, as stored."""
    versions: dict[bytes, tuple[int, int, int]] = {}
    """By aggregate: its first version here, where that stands, its last version here."""

    @property
    def until(self) -> int:
        return self.after + len(self.leaves) // SIZE


def read_range(
    connection: Connection,
    nodes: TreeNodes,
    authenticate: Authenticate,
    after: int,
    until: int,
    kept: int | None = None,
) -> LogRange:
    """The rows at (after, until], each one's own seal checked; the log goes as far as `until`.

    With `kept`, their order is checked too, and their leaves compared with the first `kept` of the
    tree.
    """
    log_range = LogRange(after)
    leaves: list[bytes] = []
    heads: list[bytes] = []
    position, leaf, faults = after, nodes.hash.leaf_maker(), log_range.faults
    for row in rows_between(connection, after, until):
        position += 1
        found = int.from_bytes(row[POSITION], "big")
        if found != position:
            if found < position:
                faults.append((found, "同一位置有两条", "two events at one position"))
                position -= 1
                continue
            faults.append(_missing(position, found - position))
            leaves += [bytes(SIZE)] * (found - position)
            position = found
        if authenticate(row[AUTHENTICATED]) != row[MAC]:
            faults.append((position, *_diagnosed(row)))
        leaves.append(leaf(row))
        if kept is not None:
            if row[2:6] + row[14:18] + row[26:30] + row[46:50] == _WIDTHS:
                heads.append(row[_HEAD])
            else:
                faults.append((position, "列缺失或长度不对", "a column is missing or too long"))
    if position < until:
        faults.append(_missing(position + 1, until - position))
        leaves += [bytes(SIZE)] * (until - position)
    log_range.leaves = b"".join(leaves)
    if after % TILE == 0:
        whole = len(leaves) // TILE * TILE * SIZE
        log_range.above = nodes.hash.above(log_range.leaves[:whole], STEP)
    if kept is not None:
        _take_order(log_range, heads)
        _compare(log_range, nodes, min(until, kept))
    return log_range


def _diagnosed(row: bytes) -> tuple[str, str]:
    """What is wrong with a row that bears no seal of the service, as far as it shows by itself."""
    zh, en = "不是本服务写入的，或被改动", "not what the service wrote"
    columns = columns_of(row)
    if None in columns or len(columns) != _COLUMNS:
        return f"{zh}：有空列", f"{en}: a column is NULL"
    topic, state = columns[_TOPIC] or b"", columns[_STATE] or b""
    try:
        msgspec.json.decode(state.decode())
    except UnicodeDecodeError:
        return f"{zh}：内容不是 UTF-8", f"{en}: its content is not UTF-8"
    except msgspec.DecodeError:
        return f"{zh}：内容不是 JSON", f"{en}: its content is not JSON"
    kind = EVENTS.get(topic.decode("utf-8", "replace"))
    if kind is None:
        return f"{zh}：没有这种事件", f"{en}: there is no such kind of event"
    try:
        msgspec.json.decode(state, type=kind)
    except msgspec.DecodeError:
        return f"{zh}：内容不合其类型", f"{en}: its content is not of its kind"
    return zh, en


def _missing(position: int, count: int) -> tuple[int, str, str]:
    return position, f"缺失 {count} 条", f"{count} missing"


def _take_order(log_range: LogRange, heads: list[bytes]) -> None:
    """Time never goes back, versions are gapless: within the range, and what its ends are."""
    told, versions, faults = _LONG_AGO, log_range.versions, log_range.faults
    for position, recorded_at, aggregate, version in _ORDER.iter_unpack(b"".join(heads)):
        if recorded_at < told:
            faults.append((position, "得知时间倒退", "recorded_at goes back"))
        told = recorded_at
        before = versions.get(aggregate)
        if before is None:
            versions[aggregate] = version, position, version
            continue
        if version != before[2] + 1:
            faults.append(gap_in_versions(position, aggregate))
        versions[aggregate] = *before[:2], version
    if heads:
        log_range.told = [_ORDER.unpack(heads[0])[1], told]


def gap_in_versions(position: int, aggregate: bytes) -> tuple[int, str, str]:
    return (
        position,
        f"聚合 {UUID(bytes=aggregate)} 的版本不连续",
        "the versions of its aggregate are not gapless",
    )


def _compare(log_range: LogRange, nodes: TreeNodes, end: int) -> None:
    """Its leaves with those kept, up to the position `end`."""
    after, leaves = log_range.after, log_range.leaves
    if end <= after or nodes.several(0, after, end - after) == leaves[: (end - after) * SIZE]:
        return
    for first in range(after, end, TILE):
        count = min(TILE, end - first)
        try:
            hashes = nodes.range(0, first, count)
        except LookupError:
            log_range.faults.append((first + 1, "树叶不在", "its leaf is not kept"))
            continue
        for at in range(count):
            begin = (first - after + at) * SIZE
            if hashes[at * SIZE : (at + 1) * SIZE] != leaves[begin : begin + SIZE]:
                log_range.faults.append(
                    (first + at + 1, "与封存的树叶不符", "not what its leaf sealed")
                )

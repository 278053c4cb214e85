"""The rows of the log in the binary form of PostgreSQL's COPY: what is stored, sealed and hashed.

Each value stands behind its length, so two different rows never give the same bytes.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar
from uuid import UUID

import msgspec
from eventsourcing.persistence import StoredEvent
from psycopg.adapt import Dumper
from psycopg.pq import Format

EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
COPY_HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)
COPY_TRAILER = struct.pack("!h", -1)
_COLUMNS = 11

pack_stamp = struct.Struct("!iqiq").pack
_pack_version = struct.Struct("!i16siqi").pack
_pack_part = struct.Struct("!ihi").pack
_pack_length = struct.Struct("!i").pack
pack_array = struct.Struct("!iiiii").pack
COLUMN_COUNT = struct.pack("!h", _COLUMNS)
MAC_LENGTH = struct.pack("!i", 32)


class Report(msgspec.Struct, frozen=True):
    """Who reports the events of one command, under which reference, and its keyed fingerprint."""

    organisation: str
    ref: str
    fingerprint: bytes


def row_tail(
    originator_id: UUID,
    version: int,
    topic: str,
    organisation: bytes,
    ref: bytes,
    part: int,
    told: bytes,
    state: bytes,
) -> bytes:
    """All columns that do not depend on the place in the log, in COPY's binary form.

    Each value stands behind its length, so two different rows never give the same bytes.
    """
    name = topic.encode()
    return b"".join(
        (
            _pack_version(16, originator_id.bytes, 8, version, len(name)),
            name,
            _pack_length(len(organisation)),
            organisation,
            _pack_length(len(ref)),
            ref,
            _pack_part(2, part, len(told)),
            told,
            _pack_length(len(state)),
            state,
        )
    )


def rows_of(stored_events: Sequence[StoredEvent], report: Report) -> list[bytes]:
    """The rows of one command's events, but for their place in the log: `row_tail`."""
    organisation, ref = report.organisation.encode(), report.ref.encode()
    return [
        row_tail(
            stored.originator_id,  # type: ignore[arg-type]  # text nowhere here
            stored.originator_version,
            stored.topic,
            organisation,
            ref,
            part,
            report.fingerprint,
            stored.state,
        )
        for part, stored in enumerate(stored_events)
    ]


def whole_row(
    position: int, recorded_at: datetime, tail: bytes, authenticate: Callable[[bytes], bytes]
) -> bytes:
    """A row as COPY's binary form has it: what its leaf in the tree is made of."""
    body = pack_stamp(8, position, 8, microseconds(recorded_at)) + tail
    return COLUMN_COUNT + body + MAC_LENGTH + authenticate(body)


class _RawArray(bytes):
    """A PostgreSQL array in its binary form, made of values that stand behind their lengths."""

    element_oid: ClassVar[int]


class _UuidArray(_RawArray):
    element_oid = 2950


class _BigintArray(_RawArray):
    element_oid = 20


class _SmallintArray(_RawArray):
    element_oid = 21


class _TextArray(_RawArray):
    element_oid = 25


class _ByteaArray(_RawArray):
    element_oid = 17


_ARRAY_OIDS: dict[type[_RawArray], int] = {
    _UuidArray: 2951,
    _BigintArray: 1016,
    _SmallintArray: 1005,
    _TextArray: 1009,
    _ByteaArray: 1001,
}
COLUMN_ARRAYS: tuple[type[_RawArray], ...] = (
    _UuidArray, _BigintArray, _TextArray, _TextArray, _TextArray, _SmallintArray, _ByteaArray,
    _ByteaArray, _ByteaArray,
)  # fmt: skip


def _dumper_of(oid_of_array: int) -> type[Dumper]:
    class RawArrayDumper(Dumper):
        format = Format.BINARY
        oid = oid_of_array

        def dump(self, obj: Any) -> bytes:
            return bytes(obj)

    return RawArrayDumper


ARRAY_DUMPERS = {kind: _dumper_of(oid) for kind, oid in _ARRAY_OIDS.items()}


def columns_of(tail: bytes) -> list[bytes]:
    """The columns of a row's tail, each still behind its length."""
    columns, at = [], 0
    while at < len(tail):
        end = at + 4 + int.from_bytes(tail[at : at + 4], "big")
        columns.append(tail[at:end])
        at = end
    return columns


def microseconds(instant: datetime) -> int:
    """Whole microseconds since 2000-01-01 UTC: PostgreSQL's own count."""
    return (instant - EPOCH) // MICROSECOND

"""Real-format material for the tests of proofs: rows, an export, notes, receipts, a bundle.

Written from docs/tamper-evidence.md and RFC 9162 by the definitions, recursively and slowly, and
sharing nothing with the code under test: neither the service's nor the verifier's.
"""

from __future__ import annotations

import base64
import hashlib
import json
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property, lru_cache
from typing import Any
from uuid import UUID, uuid5

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

Hash = Callable[[bytes], bytes]
SPACE = UUID("6d696e67-7a68-616e-672e-746573742e2e")
EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
START = datetime(2026, 1, 1, tzinfo=UTC)


def sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def sm3(data: bytes) -> bytes:
    digest = hashes.Hash(hashes.SM3())
    digest.update(data)
    return digest.finalize()


HASHES: dict[str, tuple[int, Hash]] = {"sha-256": (1, sha256), "sm3": (2, sm3)}


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


# ---- RFC 9162, section 2.1, word for word -----------------------------------------------------


def split(n: int) -> int:
    """The largest power of two smaller than n."""
    k = 1
    while 2 * k < n:
        k *= 2
    return k


def tree_hash(h: Hash, leaves: Sequence[bytes]) -> bytes:
    """MTH(D[n]), section 2.1.1."""
    if not leaves:
        return h(b"")
    if len(leaves) == 1:
        return h(b"\x00" + leaves[0])
    k = split(len(leaves))
    return h(b"\x01" + tree_hash(h, leaves[:k]) + tree_hash(h, leaves[k:]))


def inclusion_path(h: Hash, m: int, leaves: Sequence[bytes]) -> list[bytes]:
    """PATH(m, D[n]), section 2.1.3.1."""
    if len(leaves) == 1:
        return []
    k = split(len(leaves))
    if m < k:
        return [*inclusion_path(h, m, leaves[:k]), tree_hash(h, leaves[k:])]
    return [*inclusion_path(h, m - k, leaves[k:]), tree_hash(h, leaves[:k])]


def consistency_path(h: Hash, m: int, leaves: Sequence[bytes]) -> list[bytes]:
    """PROOF(m, D[n]), section 2.1.4.1; nothing to prove for the empty tree and the same one."""
    return subproof(h, m, leaves, complete=True) if 0 < m < len(leaves) else []


def subproof(h: Hash, m: int, leaves: Sequence[bytes], *, complete: bool) -> list[bytes]:
    n = len(leaves)
    if m == n:
        return [] if complete else [tree_hash(h, leaves)]
    k = split(n)
    if m <= k:
        return [*subproof(h, m, leaves[:k], complete=complete), tree_hash(h, leaves[k:])]
    return [*subproof(h, m - k, leaves[k:], complete=False), tree_hash(h, leaves[:k])]


# ---- keys and notes ----- ---------------------------------------------------------------------


@dataclass(frozen=True)
class Key:
    """An Ed25519 key of a log (kind 1) or of a witness (kind 4), always the same for a name."""

    name: str
    kind: int = 1

    @cached_property
    def private(self) -> Ed25519PrivateKey:
        return Ed25519PrivateKey.from_private_bytes(sha256(f"{self.kind} {self.name}".encode()))

    @property
    def public(self) -> bytes:
        return bytes([self.kind]) + self.private.public_key().public_bytes_raw()

    @property
    def id(self) -> bytes:
        return sha256(self.name.encode() + b"\n" + self.public)[:4]

    @property
    def vkey(self) -> str:
        return f"{self.name}+{self.id.hex()}+{b64(self.public)}"

    def line(self, text: str, seconds: int = 1_767_225_600) -> str:
        """The signature line under a note's text."""
        if self.kind == 1:
            signed = self.private.sign(text.encode())
        else:
            message = f"cosignature/v1\ntime {seconds}\n{text}".encode()
            signed = struct.pack("!Q", seconds) + self.private.sign(message)
        return f"— {self.name} {b64(self.id + signed)}\n"


NRCB = Key("nrcb.example/witness", 4)
FINANCE = Key("finance.example/witness", 4)
AUDIT = Key("audit.example/witness", 4)
WITNESSES = (NRCB, FINANCE, AUDIT)


def policy(log: Key, witnesses: Sequence[Key] = WITNESSES, quorum: str = "all") -> bytes:
    """A policy that knows the log and these witnesses; quorum: `all`, `any`, `2` or `none`."""
    lines = [f"log {log.vkey}"]
    lines += [f"witness w{n} {key.vkey}" for n, key in enumerate(witnesses)]
    if witnesses and quorum != "none":
        names = " ".join(f"w{n}" for n in range(len(witnesses)))
        lines += [f"group everybody {quorum} {names}", "quorum everybody"]
    else:
        lines.append("quorum none")
    return ("\n".join(lines) + "\n").encode()


# ---- rows --------------- ---------------------------------------------------------------------


@dataclass(frozen=True)
class Event:
    """One row of the log, before it has its place."""

    aggregate: UUID
    topic: str
    organisation: str
    ref: str
    state: dict[str, Any]
    part: int = 0


def row_bytes(position: int, recorded_at: datetime, version: int, event: Event) -> bytes:
    """A row as PostgreSQL's binary COPY writes it."""
    state = json.dumps(event.state, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    columns = [
        struct.pack("!q", position),
        struct.pack("!q", (recorded_at - EPOCH) // timedelta(microseconds=1)),
        event.aggregate.bytes,
        struct.pack("!q", version),
        event.topic.encode(),
        event.organisation.encode(),
        event.ref.encode(),
        struct.pack("!h", event.part),
        sha256(event.ref.encode())[:16],
        state.encode(),
        sha256(b"mac" + struct.pack("!q", position)),
    ]
    return struct.pack("!h", 11) + b"".join(struct.pack("!i", len(c)) + c for c in columns)


def rows_of(events: Sequence[Event], start: datetime = START) -> list[bytes]:
    """The rows of these events, told one a second."""
    versions: dict[UUID, int] = {}
    rows = []
    for position, event in enumerate(events, 1):
        versions[event.aggregate] = versions.get(event.aggregate, 0) + 1
        told_at = start + timedelta(seconds=position)
        rows.append(row_bytes(position, told_at, versions[event.aggregate], event))
    return rows


def export_of(rows: Sequence[bytes]) -> bytes:
    """The file of `COPY (SELECT … ORDER BY position) TO … (FORMAT binary)`."""
    return b"PGCOPY\n\xff\r\n\0" + bytes(8) + b"".join(rows) + b"\xff\xff"


DAY_COUNT = "[[ruling]]\nfrom = 2014-12-01\nknown_from = 2014-12-01\nvalue = 360\n"
RULE = 'id = "RF02"\n'
HOUSEHOLD, LOAN = uuid5(SPACE, "household"), uuid5(SPACE, "loan")
_BY = {"person": "wang", "role": "bank"}
CALCULATION = {
    "amount_fen": 46_639,
    "day_count": 360,
    "first": "2023-03-21",
    "known_on": "2026-01-01",
    "loan_id": "NRCB/L1",
    "reasons": [],
    "rulings": {"day_count@2014-12-01/2014-12-01": 360, "lpr_one_year@2023-02-20/2023-02-20": 365},
    "segments": [
        {
            "contract_rate_bp": 365,
            "credit_cap_fen": 5_000_000,
            "days": 92,
            "first": "2023-03-21",
            "owed_fen": 5_000_000,
            "principal_fen": 5_000_000,
            "quote_on": "2023-02-20",
            "rate_bp": 365,
            "rate_cap_bp": 365,
            "share_bp": 10_000,
            "until": "2023-06-21",
        }
    ],
    "until": "2023-06-21",
}
"""The calculation of docs/worked-examples: 5 000 000 fen through 92 days at 3.65 %."""


def county(events: int) -> list[Event]:
    """A household, its loan, a subsidy paid for it at position 3, then reminders."""
    registered = Event(
        HOUSEHOLD, "household.registered.v1", "BUREAU", "HH-1",
        {"effective_on": "2020-01-01", "person": "li", "role": "bureau", "household_no": "H1",
         "township": "T01", "village": "青石村", "category": "out_of_poverty",
         "members": [{"head": True, "person": "person-1", "relation": "户主"}],
         "told_on": "2020-01-02",
         "rulings": [{"rule": "other", "value": 1}, {"rule": "day_count", "value": 365}]},
    )  # fmt: skip
    disbursed = Event(
        LOAN, "loan.disbursed.v1", "NRCB", "LN-1",
        {**_BY, "effective_on": "2023-03-10", "bank": "NRCB", "loan_no": "L1", "contract_no": "C1",
         "contract_on": "2023-03-10", "household_id": str(HOUSEHOLD), "household_no": "H1",
         "borrower": "person-1", "borrower_age_years": 40, "principal_fen": 5_000_000,
         "credited_fen": 5_000_000, "annual_rate_bp": 365, "due_on": "2024-03-10",
         "purpose": "养牛", "payee": "account-1", "document": "借据影像"},
    )  # fmt: skip
    paid = Event(
        LOAN, "loan.subsidy-paid.v1", "FINANCE", "PAY-1",
        {"effective_on": "2023-06-25", "person": "zhao", "role": "finance", "payment_no": "PAY-1",
         "period": "2023Q2", "first": "2023-03-21", "until": "2023-06-21", "amount_fen": 46_639,
         "due_fen": 46_639, "paid_before_fen": 0, "payee": "account-1", "voucher": "V-1",
         "calculation": CALCULATION, "grounds": {"household_category": "out_of_poverty"}},
    )  # fmt: skip
    reminded = [
        Event(LOAN, "loan.reminded.v1", "NRCB", f"RM-{n}",
              {**_BY, "effective_on": "2024-01-05", "kind": "first", "channel": "phone"})
        for n in range(max(events - 3, 0))
    ]  # fmt: skip
    return [registered, disbursed, paid, *reminded][:events]


# ---- a log, its notes, receipts and bundles ---------------------------------------------------


@dataclass
class Log:
    """A log that proves itself: rows, and everything that can be said about them."""

    rows: list[bytes]
    hash_name: str = "sha-256"
    name: str = "mingzhang.test/ledger"
    _leaves: list[bytes] = field(init=False, default_factory=list)

    def __post_init__(self) -> None:
        number, self.h = HASHES[self.hash_name]
        self.key = Key(f"{self.name}/{self.hash_name}")
        self._leaves = [bytes([1, number]) + row for row in self.rows]

    def leaf(self, position: int) -> bytes:
        return self._leaves[position - 1]

    def text(self, size: int | None = None, root: bytes | None = None) -> str:
        """The text of the checkpoint at a size, before anybody signs it."""
        n = len(self.rows) if size is None else size
        root = tree_hash(self.h, self._leaves[:n]) if root is None else root
        return f"{self.key.name}\n{n}\n{b64(root)}\n"

    def checkpoint(self, size: int | None = None, witnesses: Sequence[Key] = WITNESSES) -> bytes:
        text = self.text(size)
        lines = "".join(key.line(text) for key in (self.key, *witnesses))
        return f"{text}\n{lines}".encode()

    def receipt(
        self, position: int, size: int | None = None, witnesses: Sequence[Key] = WITNESSES
    ) -> bytes:
        n = len(self.rows) if size is None else size
        path = inclusion_path(self.h, position - 1, self._leaves[:n])
        head = ["c2sp.org/tlog-proof@v1", f"extra {b64(self.leaf(position))}"]
        head += [f"index {position - 1}", *map(b64, path)]
        return ("\n".join(head) + "\n\n").encode() + self.checkpoint(n, witnesses)

    def update(self, old: int, size: int | None = None) -> bytes:
        """What a witness who cosigned `old` is asked to cosign."""
        n = len(self.rows) if size is None else size
        path = consistency_path(self.h, old, self._leaves[:n])
        head = [f"old {old}", *map(b64, path)]
        return ("\n".join(head) + "\n\n").encode() + self.checkpoint(n, ())

    def signed(self, bundle: dict[str, Any]) -> dict[str, Any]:
        """The bundle under this log's signature over all of it, whatever it says."""
        bare = {name: value for name, value in bundle.items() if name != "signature"}
        text = json.dumps(bare, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
        digest = b64(self.h(text.encode("utf-8", "surrogatepass")))
        body = f"{bundle['format']}\n{self.key.name}\n{digest}\n"
        return bare | {"signature": f"{body}\n{self.key.line(body)}"}

    def bundle(
        self,
        trace: dict[str, Any],
        payment_no: str,
        positions: Sequence[int],
        size: int | None = None,
        witnesses: Sequence[Key] = WITNESSES,
    ) -> dict[str, Any]:
        n = len(self.rows) if size is None else size
        events = [
            {
                "leaf": b64(self.leaf(position)),
                "proof": [*map(b64, inclusion_path(self.h, position - 1, self._leaves[:n]))],
            }
            for position in positions
        ]
        content = {
            "format": "mingzhang-evidence/2",
            "payment_no": payment_no,
            "as_of": None,
            "known_at": None,
            "trace": trace,
            "events": events,
            "checkpoint": self.checkpoint(n, witnesses).decode(),
            "rules": [{"name": "day_count.toml", "text": DAY_COUNT}],
        }
        return self.signed(content)


def shown(events: Sequence[Event], position: int) -> dict[str, Any]:
    """An event as the trace shows it."""
    event = events[position - 1]
    version = sum(e.aggregate == event.aggregate for e in events[:position])
    told_at = START + timedelta(seconds=position)
    outside = {"effective_on", "role", "person", "document", "remark", "sealed", "calculation",
               "grounds"}  # fmt: skip
    return {
        "event_id": f"{event.aggregate}.{version}",
        "position": position,
        "event": event.topic,
        "event_zh": "…",
        "effective_on": event.state["effective_on"],
        "recorded_at": told_at.isoformat().replace("+00:00", "Z"),
        "told_by": {
            "organisation": event.organisation,
            "role": event.state["role"],
            "person": event.state["person"],
        },
        "ref": event.ref,
        "ground": {"document": event.state.get("document"), "note": event.state.get("remark")},
        "corrected_by": None,
        "content": {name: v for name, v in event.state.items() if name not in outside},
    }


def county_bundle(log: Log, events: Sequence[Event]) -> dict[str, Any]:
    """The evidence bundle about the payment of `county`."""
    bare = {name: value for name, value in CALCULATION.items() if name != "rulings"}
    rulings: Any = CALCULATION["rulings"]
    trace = {
        "payment": shown(events, 3),
        "ground": {"document": None, "voucher": "V-1", "batch": None},
        "calculation": bare,
        "rules_in_force": [{"version": v, "value_then": x} for v, x in rulings.items()],
        "loan_events": [shown(events, 2)],
        "household_events": [shown(events, 1)],
        "told_after_the_payment": [shown(events, 4)],
        "recovered_fen": 0,
    }
    return log.bundle(trace, "PAY-1", [1, 2, 3, 4])


def finding_bundle(log: Log, events: Sequence[Event]) -> dict[str, Any]:
    """The evidence bundle about a finding that rests on the loan and its payment."""
    payment = log.bundle({}, "PAY-1", [1, 2, 3])
    finding = {
        "rule": "RF02",
        "rule_version": sha256(RULE.encode()).hex()[:12],
        "subject": "NRCB/L1",
        "amount_fen": 46_639,
        "known_from": "2026-01-01T00:00:03Z",
        "rulings": [ruling_cited()],
        "rests_on": [],
        "positions": [2, 3],
        "context": [1],
        "shown": [shown(events, 2), shown(events, 3)],
    }
    rules = [*payment["rules"], {"name": "rf02.toml", "text": RULE}]
    rest = ("format", "checkpoint", "events")
    plain = {"finding": finding, "rules": rules} | {name: payment[name] for name in rest}
    return log.signed(plain)


def ruling_recorded(position: int = 1) -> dict[str, Any]:
    """The day count as the event at position 1 says it."""
    return {"name": "day_count", "effective_from": "2020-01-01", "known_from": "2020-01-02",
            "value": 365, "position": position}  # fmt: skip


def ruling_cited(value: int = 360) -> dict[str, Any]:
    """The day count as a finding cites it, from the packaged table of `DAY_COUNT`."""
    return {"name": "day_count", "effective_from": "2014-12-01", "known_from": "2014-12-01",
            "value": value, "position": None}  # fmt: skip


@lru_cache
def county_log(size: int, hash_name: str = "sha-256") -> Log:
    return Log(rows_of(county(size)), hash_name)

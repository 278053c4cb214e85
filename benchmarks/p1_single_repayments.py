"""P1: single repayments over HTTP, each answer durable, beside a route that only validates."""

from __future__ import annotations

import json

from application.access import issue_key
from benchmarks.ground import PAYER, Ground, Result, at_least, log, median, plain_loans
from benchmarks.http import Load, service

LOANS = 500
TARGET = 0.4
BODY = json.dumps({
    "ref": "%REF%", "effective_on": "2023-08-01", "principal_fen": 1, "interest_fen": 100,
    "penalty_fen": 0, "payer": PAYER,
}, ensure_ascii=False)  # fmt: skip


def run(ground: Ground) -> list[Result]:
    rounds, seconds = (15, 2.0) if ground.full else (9, 0.6)
    database = ground.new_database()
    loans = plain_loans(database, LOANS)
    key = issue_key(database.dsn, "NRCB", "bench")
    head = f"Host: localhost\r\nAuthorization: Bearer {key}\r\n"
    results = []
    with (
        service(ground, database) as port,
        Load() as load,
    ):
        for clients in (8, 64):
            common = {
                "port": port, "method": "POST", "head": head, "body": BODY, "status": 201,
                "clients": clients,
            }  # fmt: skip
            ours, limit = [], []
            for number in range(-1, rounds):
                a = load.round(
                    **common, paths=[f"/v1/loans/{no}/repayments" for no in loans],
                    ref=f"R{clients}-{number}", seconds=seconds if number >= 0 else 0.7,
                )  # fmt: skip
                b = load.round(
                    **common, paths=[f"/bench/loans/{no}/repayments" for no in loans],
                    ref=f"V{clients}-{number}", seconds=seconds if number >= 0 else 0.7,
                )  # fmt: skip
                if number >= 0:  # the first round only warms up
                    ours.append(a)
                    limit.append(b)
                    log(f"P1 {clients} clients: {_rate(a):.0f}/s, limit {_rate(b):.0f}/s")
            our_rate = median([_rate(a) for a in ours])
            limit_rate = median([_rate(b) for b in limit])
            p50, p99 = (median([a[p] for a in ours]) * 1000 for p in ("p50", "p99"))
            results.append(at_least(
                TARGET,
                id="P1", what=f"single repayments over HTTP, {clients} clients, each durable",
                ours=f"{our_rate:,.0f}/s (p50 {p50:.1f} ms, p99 {p99:.1f} ms)",
                limit=f"{limit_rate:,.0f}/s: same server, the body only validated",
                ratio=round(our_rate / limit_rate, 3),
                detail={"ours": ours, "limit": limit},
            ))  # fmt: skip
    ground.drop(database)
    return results


def _rate(answer: dict) -> float:
    return answer["count"] / answer["seconds"]

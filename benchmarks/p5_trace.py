"""P5: the trace of one payment over HTTP, beside an empty endpoint of the same server."""

from __future__ import annotations

import psycopg

from application.access import issue_key
from benchmarks.demo import demo_county
from benchmarks.ground import Ground, Result, at_most, log, median
from benchmarks.http import Load, service

TARGET = 5


def run(ground: Ground) -> list[Result]:
    database = demo_county(ground)
    with psycopg.connect(database.dsn) as connection:
        row = connection.execute("SELECT max(position) FROM ledger.event").fetchone()
        payments = [
            r[0]
            for r in connection.execute(
                "SELECT ref FROM ledger.event WHERE topic = 'loan.subsidy-paid.v1'"
                " ORDER BY md5(ref) LIMIT 500"
            )
        ]
    key = issue_key(database.dsn, "AUDIT", "bench")
    head = f"Host: localhost\r\nAuthorization: Bearer {key}\r\n"
    ours, limit = [], []
    with service(ground, database, projecting=False) as port, Load() as load:
        common = {"port": port, "method": "GET", "head": head, "status": 200, "clients": 1,
                  "ref": "", "seconds": 1.0}  # fmt: skip
        for number in range(-1, 9):
            a = load.round(**common, paths=[f"/v1/subsidy-payments/{p}/trace" for p in payments])
            b = load.round(**common, paths=["/bench/empty"])
            if number >= 0:
                ours.append(a)
                limit.append(b)
                log(f"P5: p99 {a['p99'] * 1000:.2f} ms, empty {b['p99'] * 1000:.2f} ms")
    ground.drop(database)
    results = []
    for part in ("p50", "p99"):
        mine, theirs = (median([r[part] for r in rs]) * 1000 for rs in (ours, limit))
        results.append(at_most(
            TARGET, id="P5", what=f"trace of a payment over HTTP, {part}, {row[0]:,} events",
            ours=f"{mine:.2f} ms", limit=f"{theirs:.2f} ms: an empty endpoint",
            ratio=round(mine / theirs, 2),
        ))  # fmt: skip
    return results

"""P8I: from an event that completes a red flag to the stored finding; what watching costs appends."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from threading import Event, Thread
from time import perf_counter, sleep
from typing import Any

import httpx2
import psycopg

from application.access import issue_key
from benchmarks.demo import demo_county
from benchmarks.ground import PAYER, Database, Ground, Result, at_least, at_most, log, median
from benchmarks.http import Load, service
from benchmarks.p1_single_repayments import BODY
from projections.facts.statements import schema_of

OF_A_RUN, OF_UNWATCHED = 2.0, 0.9
RULE = "RF11"
FILE_ROWS = 20_000
TITLES = "流水号,借据号,还款日期,本金(元),利息(元),罚息(元),付款账号,付款户名\n"


class County:
    """The demo county behind a service, as a bank and an auditor reach it."""

    def __init__(self, database: Database, port: int) -> None:
        self.keys = {code: issue_key(database.dsn, code, "bench") for code in ("NRCB", "AUDIT")}
        self._client = httpx2.Client(base_url=f"http://127.0.0.1:{port}", timeout=120)
        with psycopg.connect(database.dsn) as connection:
            row = connection.execute("SELECT number FROM projection.generation WHERE live")
            schema = schema_of(row.fetchone()[0])
            self.loans = [r[0] for r in connection.execute(
                f"SELECT loan_no FROM {schema}.loan l WHERE bank = 'NRCB' AND NOT EXISTS"
                f" (SELECT FROM {schema}.settlement s WHERE s.loan_id = l.loan_id)"
                " ORDER BY effective_on DESC LIMIT 2000"
            )]  # fmt: skip
            self.household = connection.execute(
                f"SELECT household_no FROM {schema}.household ORDER BY household_no LIMIT 1"
            ).fetchone()[0]

    def query(self, path: str, **query: Any) -> Any:
        headers = {"Authorization": f"Bearer {self.keys['AUDIT']}"}
        answer = self._client.get(path, params=query, headers=headers)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def submit(self, path: str, body: Any = None, **more: Any) -> Any:
        headers = {"Authorization": f"Bearer {self.keys['NRCB']}"}
        answer = self._client.post(path, json=body, headers=headers, **more)
        assert answer.status_code in (200, 201), answer.text
        return answer

    def caught_up(self) -> None:
        """Until every red flag is checked through the end of the log."""
        while True:
            health = self._client.get("/healthz").json()
            if health["red_flags"]["position"] == health["log_position"]:
                return
            sleep(0.1)

    def delay(self, name: str) -> float:
        """Seconds from the answer to a repayment that completes a round trip to the finding."""
        since = datetime.now(UTC).isoformat()
        lent_on, back_on = days_ago(4), days_ago(2)
        self.submit("/v1/loans", {
            "ref": f"LN-{name}", "effective_on": lent_on, "loan_no": name, "contract_no": name,
            "contract_on": lent_on, "household_no": self.household,
            "borrower_id_no": "11010519491231002X", "principal_fen": 1_000_000,
            "credited_fen": 1_000_000, "annual_rate_bp": 310, "due_on": "2099-12-31",
            "purpose": "养牛", "payee": PAYER,
        })  # fmt: skip
        self.submit(f"/v1/loans/{name}/repayments", {
            "ref": f"RP-{name}", "effective_on": back_on, "principal_fen": 1_000_000,
            "interest_fen": 0, "penalty_fen": 0, "payer": PAYER,
        })  # fmt: skip
        begun = perf_counter()
        while True:
            found = self.query("/v1/red-flags/changes", rule=RULE, since=since)["lines"]
            if any(line["subject"] == f"NRCB/{name}" for line in found):
                return perf_counter() - begun
            sleep(0.02)


def days_ago(days: int) -> str:
    """Told in time: what is told years late is a red flag of its own."""
    return (datetime.now(UTC) - timedelta(days=days)).date().isoformat()


def run(ground: Ground) -> list[Result]:
    rounds = 11 if ground.full else 5
    database = demo_county(ground)
    unwatched = ground.new_database(keys=database.keys, schema=False)
    ground.drop(unwatched)
    with psycopg.connect(ground.dsn, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {unwatched.name} TEMPLATE {database.name}".encode())
    with service(ground, database) as port:
        county = County(database, port)
        county.caught_up()
        whole = median([_seconds(lambda: county.query("/v1/red-flags")) for _ in range(3)])
        quiet = [county.delay(f"Q{n}") for n in range(rounds)]
        log(f"P8I quiet: {quiet}")
        with sending_files(county):
            busy = [county.delay(f"B{n}") for n in range(rounds)]
        log(f"P8I beside files: {busy}")
        county.caught_up()
        with service(ground, unwatched, watching=False) as other, Load() as load:
            watched, alone = beside(county, load, port, other, unwatched, 5)
    ground.drop(unwatched)
    ground.drop(database)
    said = "one run of all red flags, asked for over HTTP"
    return [
        at_most(
            OF_A_RUN, id="P8I", what=f"incremental: from 201 to the finding stored, {when}",
            ours=f"{median(delays):.2f} s (longest of {len(delays)}: {max(delays):.2f} s)",
            limit=f"{whole:.2f} s: {said}", ratio=round(median(delays) / whole, 2),
            detail={"delays": delays},
        )
        for when, delays in (("nothing else told", quiet), ("beside a bank's files", busy))
    ] + [
        at_least(
            OF_UNWATCHED, id="P8I", what="single repayments, 8 clients, while red flags are watched",
            ours=f"{median(watched):,.0f}/s", limit=f"{median(alone):,.0f}/s: nobody watching",
            ratio=round(median(watched) / median(alone), 3),
        )
    ]  # fmt: skip


@contextmanager
def sending_files(county: County) -> Iterator[None]:
    """One repayment file of a bank after the other, all the while."""
    stopping = Event()

    def send() -> None:
        number = 0
        while not stopping.is_set():
            number += 1
            rows = "".join(
                f"F{number}-{row},{county.loans[row % len(county.loans)]},{days_ago(1)},0.00,0.01,0.00,"
                f"{PAYER['account']},{PAYER['name']}\n"
                for row in range(FILE_ROWS)
            )
            file = {"file": ("told.csv", (TITLES + rows).encode())}
            county.submit("/v1/files", data={"kind": "repayment"}, files=file)

    sender = Thread(target=send)
    sender.start()
    try:
        sleep(1)
        yield
    finally:
        stopping.set()
        sender.join()


def beside(
    county: County, load: Load, port: int, other: int, unwatched: Database, rounds: int
) -> tuple[list[float], list[float]]:
    """Repayments a second, in turn with a service that watches and with one that does not."""
    keys = {port: county.keys["NRCB"], other: issue_key(unwatched.dsn, "NRCB", "bench")}
    rates: dict[int, list[float]] = {port: [], other: []}
    paths = [f"/v1/loans/{no}/repayments" for no in county.loans]
    body = json.dumps(json.loads(BODY) | {"effective_on": days_ago(1), "principal_fen": 0})
    for number in range(-1, rounds):
        for at, key in keys.items():
            head = f"Host: localhost\r\nAuthorization: Bearer {key}\r\n"
            answer = load.round(
                port=at, method="POST", head=head, body=body, status=201, clients=8, paths=paths,
                ref=f"W{at}-{number}", seconds=2.0,
            )  # fmt: skip
            if number >= 0:
                rates[at].append(answer["count"] / answer["seconds"])
            county.caught_up()
        log(f"P8I watched, unwatched: {[r[-1:] for r in rates.values()]}")
    return rates[port], rates[other]


def _seconds(work: Any) -> float:
    begun = perf_counter()
    work()
    return perf_counter() - begun

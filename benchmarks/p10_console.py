"""P10: pages of the console beside the JSON routes of the same queries, and beside an empty one."""

from __future__ import annotations

import gzip
import http.client
import re
from typing import Any, Final
from urllib.parse import urlencode

import psycopg
import pyotp

from application import people
from application.access import issue_key
from benchmarks.demo import demo_county
from benchmarks.ground import Database, Ground, Result, at_most, log, median
from benchmarks.http import Load, service

PAGE_TO_ROUTE: Final = 1.25
TRACE_TO_EMPTY: Final = 3
LEDGER_TO_TRACE: Final = 5
RECORD_TO_TRACE: Final = 3
FIRST_VISIT_BYTES: Final = 100_000
LATER_BYTES: Final = 20_000
ROUNDS: Final = 5
_PASSWORD: Final = "a long enough password"
_PAYMENTS: Final = (
    "SELECT ref FROM ledger.event WHERE topic = 'loan.subsidy-paid.v1' ORDER BY md5(ref) LIMIT 200"
)


def run(ground: Ground) -> list[Result]:
    database = demo_county(ground)
    with psycopg.connect(database.dsn) as connection:
        payments = [row[0] for row in connection.execute(_PAYMENTS.encode())]
    key = issue_key(database.dsn, "AUDIT", "bench")
    with service(ground, database, projecting=False) as port, Load() as load:
        cookie = _signed_in(database, port)
        asked = _asked(payments)
        heads = {
            "page": f"Host: localhost\r\nCookie: {cookie}\r\n",
            "route": f"Host: localhost\r\nAuthorization: Bearer {key}\r\n",
        }
        found = _measured(load, port, heads, asked)
        sizes = _sizes(port, cookie, asked)
    ground.drop(database)
    return [*_ratios(found), *_weights(sizes)]


def _asked(payments: list[str]) -> dict[str, tuple[list[str], list[str]]]:
    """By name: addresses of pages, and those of the routes of the same queries."""
    as_of = "as_of=2023-12-31"
    return {
        "trace": (
            [f"/subsidy-payments/{no}" for no in payments],
            [f"/v1/subsidy-payments/{no}/trace" for no in payments],
        ),
        "loan ledger": (
            [f"/ledgers/loans?{as_of}"],
            [f"/v1/ledgers/loans?{as_of}&limit=50"],
        ),
        "subsidy ledger": (
            [f"/ledgers/subsidies?{as_of}"],
            [f"/v1/ledgers/subsidies?{as_of}&limit=50"],
        ),
        "empty": (["/bench/empty"], ["/bench/empty"]),
    }


def _measured(
    load: Load, port: int, heads: dict[str, str], asked: dict[str, tuple[list[str], list[str]]]
) -> dict[tuple[str, str], float]:
    """Median milliseconds of each, rounds interleaved, the first round for nothing."""
    times: dict[tuple[str, str], list[float]] = {}
    for number in range(-1, ROUNDS):
        for name, addresses in asked.items():
            for kind, paths in zip(("page", "route"), addresses, strict=True):
                answer = load.round(
                    port=port, method="GET", head=heads[kind], status=200, clients=1, ref="",
                    seconds=1.0, paths=paths,
                )  # fmt: skip
                if number >= 0:
                    times.setdefault((name, kind), []).append(answer["p50"] * 1000)
    found = {key: median(values) for key, values in times.items()}
    log("P10:", {" ".join(key): round(value, 2) for key, value in found.items()})
    return found


def _ratios(found: dict[tuple[str, str], float]) -> list[Result]:
    def beside(
        most: float, what: str, mine: tuple[str, str], peer: tuple[str, str], said: str
    ) -> Result:
        return at_most(
            most, id="P10", what=what, ours=f"{found[mine]:.2f} ms",
            limit=f"{found[peer]:.2f} ms: {said}", ratio=round(found[mine] / found[peer], 2),
        )  # fmt: skip

    pages = [name for name, kind in found if kind == "page" and name != "empty"]
    return [
        *(
            beside(PAGE_TO_ROUTE, f"page of the {name}, p50", (name, "page"), (name, "route"),
                   "its JSON route")
            for name in pages
        ),
        beside(TRACE_TO_EMPTY, "page of a trace, p50", ("trace", "page"), ("empty", "route"),
               "an empty endpoint"),
        beside(LEDGER_TO_TRACE, "50 lines of the loan ledger, route, p50",
               ("loan ledger", "route"), ("trace", "route"), "the trace of a payment"),
    ]  # fmt: skip


def _signed_in(database: Database, port: int) -> str:
    """The cookie of a person who signed in."""
    secret = people.enrol(database.dsn, database.keys, "AUDIT", "bench", "bench", _PASSWORD)
    status, headers, page = _request(port, "GET", "/sign-in", {})
    fields = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', page.decode()))
    fields |= {
        "organisation": "AUDIT",
        "person": "bench",
        "password": _PASSWORD,
        "code": pyotp.TOTP(secret).now(),
    }
    cookies = [value.split(";")[0] for name, value in headers if name.lower() == "set-cookie"]
    status, headers, page = _request(
        port, "POST", "/sign-in",
        {"Origin": "http://localhost", "Cookie": "; ".join(cookies),
         "Content-Type": "application/x-www-form-urlencoded"},
        urlencode(fields),
    )  # fmt: skip
    assert status == 303, page.decode()
    return next(value.split(";")[0] for name, value in headers if name.lower() == "set-cookie")


def _request(
    port: int, method: str, path: str, headers: dict[str, str], body: str | None = None
) -> tuple[int, list[tuple[str, str]], bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request(method, path, body, {"Host": "localhost", **headers})
    answer = connection.getresponse()
    found = answer.status, answer.getheaders(), answer.read()
    connection.close()
    return found


def _sizes(port: int, cookie: str, asked: Any) -> dict[str, tuple[int, int]]:
    """Bytes of a first visit with all that the page loads, and of the page alone, gzipped."""
    sizes = {}
    for name, (pages, _) in asked.items():
        if name == "empty":
            continue
        _, _, page = _request(port, "GET", pages[0], {"Cookie": cookie})
        beside = set(re.findall(r'(?:href|src)="(/static/[^"]+)"', page.decode()))
        loaded = sum(len(_request(port, "GET", each, {})[2]) for each in beside)
        sizes[name] = len(page) + loaded, len(gzip.compress(page))
    return sizes


def _weights(sizes: dict[str, tuple[int, int]]) -> list[Result]:
    return [
        at_most(
            1, id="P10", what=f"{what}, {name}", ours=f"{found:,} bytes",
            limit=f"{most:,} bytes", ratio=round(found / most, 2),
        )
        for name, both in sizes.items()
        for what, found, most in (
            ("first visit, all that is loaded", both[0], FIRST_VISIT_BYTES),
            ("a later page, gzipped", both[1], LATER_BYTES),
        )
    ]  # fmt: skip

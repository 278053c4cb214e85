"""P4: the ledgers of the whole county at random dates, beside one plain sum over the postings,
and beside hledger and Ledger on the same postings where they are installed."""

from __future__ import annotations

import random
import shutil
import subprocess
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from time import perf_counter

from benchmarks.demo import demo_county
from benchmarks.ground import Ground, Result, at_least, at_most, log, median
from domain.calendar import quarter
from projections.columns import keys
from projections.facts.reading import Facts, View
from projections.loan_ledger import loan_ledger
from projections.loan_ledger.columns import COLUMNS
from projections.settlement import settlement
from projections.subsidy_ledger import subsidy_ledger

TARGET = 5
SETTLEMENT = 20
"""Of both ledgers: our own bound, the plan of measurements sets none."""
PAGE_LINES, PAGE_SHARE = 200, 0.3
"""A page of the loan ledger, and what share of the whole ledger it may cost: our own bound."""
PEERS = {"hledger": 50, "ledger": 10}
"""Plain-text accounting tools, and how many times as fast we want to be."""
SUM = (
    "SELECT sum(amount_fen) FROM facts.posting"
    " WHERE effective_on <= %(as_of)s AND recorded_at <= %(known_at)s"
)
AMOUNTS = """
SELECT count(*), sum(outstanding_fen), sum(subsidy_fen) FROM (
  SELECT loan_id, sum(amount_fen) FILTER (WHERE account = 'principal') AS outstanding_fen,
         sum(amount_fen) FILTER (WHERE account = 'subsidy') AS subsidy_fen
    FROM facts.posting
   WHERE effective_on <= %(as_of)s AND recorded_at <= %(known_at)s GROUP BY loan_id) line
"""
POSTINGS = """
SELECT effective_on, account, counter_account, loan_id::text, amount_fen FROM facts.posting
 WHERE recorded_at <= %(known_at)s ORDER BY effective_on, position
"""


def write_journal(view: View, file: Path) -> int:
    """What is known of the postings, as a journal of one account a loan; returns how many."""
    rows = view.query(POSTINGS).rows
    with file.open("w") as journal:
        for day, account, counter_account, loan, fen in rows:
            journal.write(f"{day} *\n  {account}:{loan}  {fen}\n  {counter_account}\n\n")
    return len(rows)


def balances_by(tool: str, journal: Path, as_of: date) -> tuple[float, int]:
    """How long a tool takes for every loan's balances, and the principal owed that it finds."""
    words = [tool, "--file", str(journal), "balance", "--flat", "--end", f"{as_of + timedelta(1)}"]
    began = perf_counter()
    answer = subprocess.run(
        [*words, "principal", "subsidy"], check=True, capture_output=True, text=True
    ).stdout
    took = perf_counter() - began
    lines = [line.split() for line in answer.splitlines()]
    owed = [cells[0] for cells in lines if cells[-1].startswith("principal:")]
    return took, sum(map(int, owed))


def peers(view: View, folder: Path) -> list[Result]:
    """Every loan's balance at one pair of dates, asked of the tools on PATH and of us."""
    journal = folder / "postings.journal"
    postings = write_journal(view, journal)
    ours: list[float] = []
    owed = 0
    for _ in range(5):
        began = perf_counter()
        owed = view.query(AMOUNTS).rows[0][1]
        ours.append(perf_counter() - began)
    found = []
    for tool, wanted in PEERS.items():
        if shutil.which(tool) is None:
            continue
        took, theirs = balances_by(tool, journal, view.as_of)
        assert theirs == owed, f"{tool} finds {theirs} fen owed, we {owed}"
        found.append(
            at_least(
                wanted, id="P4", what=f"every loan's balance and subsidy, {postings:,} postings",
                ours=f"{median(ours) * 1000:.1f} ms",
                limit=f"{took:.2f} s: {tool} on the same postings", ratio=round(took / median(ours)),
            )
        )  # fmt: skip
    journal.unlink()
    return found


def settled(view: View) -> tuple[float, float, int]:
    """How long the settlement run takes, how long both ledgers take, and the loan-quarters."""
    began = perf_counter()
    loan_ledger(view)
    subsidy_ledger(view)
    ledgers = perf_counter()
    found = settlement(view, quarter(2024, 3))
    return perf_counter() - ledgers, ledgers - began, len(found)


def paged(view: View) -> tuple[float, float, int]:
    """How long a page of the loan ledger takes, how long the whole, and the lines of the whole."""
    began = perf_counter()
    lines = loan_ledger(view).rows
    whole = perf_counter()
    middle = dict(zip(keys(COLUMNS), lines[len(lines) // 2], strict=True))
    at = middle["bank"], middle["loan_no"]
    asked = perf_counter()
    loan_ledger(view, after=at, most=PAGE_LINES + 1)
    return perf_counter() - asked, whole - began, len(lines)


def run(ground: Ground) -> list[Result]:
    database = demo_county(ground)
    facts = Facts(database.dsn, most=1)
    rng = random.Random(4)
    ratios: dict[str, list[float]] = {"amounts": [], "ledgers": []}
    took: dict[str, list[float]] = {"sum": [], "amounts": [], "ledgers": []}
    for _ in range(25 if ground.full else 15):
        as_of = date(2022, 1, 1) + timedelta(days=rng.randrange(1_000))
        known_at = datetime(as_of.year, as_of.month, as_of.day, tzinfo=UTC)
        with facts.at(as_of, known_at + timedelta(days=rng.randrange(90))) as view:
            view.query(SUM)
            began = perf_counter()
            view.query(SUM)
            summed = perf_counter()
            view.query(AMOUNTS)
            amounts = perf_counter()
            loan_ledger(view)
            subsidy_ledger(view)
            ledgers = perf_counter()
        took["sum"].append(summed - began)
        took["amounts"].append(amounts - summed)
        took["ledgers"].append(ledgers - amounts)
        for name in ratios:
            ratios[name].append(took[name][-1] / took["sum"][-1])
    with facts.at(date(2024, 9, 30)) as view:
        beside = peers(view, ground.folder)
        runs = [settled(view) for _ in range(3)]
        pages = [paged(view) for _ in range(9)]
    facts.close()
    ground.drop(database)
    log(f"P4: {ratios}")
    absent = [tool for tool in PEERS if shutil.which(tool) is None]
    milliseconds = {name: median(values) * 1000 for name, values in took.items()}
    limit = f"{milliseconds['sum']:.1f} ms: one plain sum over the postings"
    return [
        at_most(
            TARGET, id="P4", what="every loan's balance and subsidy at random dates",
            ours=f"{milliseconds['amounts']:.1f} ms", limit=limit,
            ratio=round(median(ratios["amounts"]), 2),
            notes=f"not present, so not measured: {', '.join(absent)}." if absent else "",
        ),
        at_most(
            TARGET, id="P4", what="both full ledgers, every line and column delivered to Python",
            ours=f"{milliseconds['ledgers']:.1f} ms", limit=limit,
            ratio=round(median(ratios["ledgers"]), 1),
            notes="24 and 18 columns a line, each name, day and status joined in and turned into"
            " Python objects: the sum touches one number a row and delivers one.",
        ),
        at_most(
            PAGE_SHARE, id="P4", what=f"a page of {PAGE_LINES} lines of the loan ledger",
            ours=f"{median([page[0] for page in pages]) * 1000:.1f} ms",
            limit=f"{median([page[1] for page in pages]) * 1000:.1f} ms: the whole ledger,"
            f" {pages[0][2]:,} lines",
            ratio=round(median([page[0] / page[1] for page in pages]), 2),
            notes="The page sums the postings of its own loans.",
        ),
        *beside,
        at_most(
            SETTLEMENT, id="P4", what=f"settlement run, both roads, {runs[0][2]:,} loan-quarters",
            ours=f"{median([run[0] for run in runs]):.2f} s",
            limit=f"{median([run[1] for run in runs]):.2f} s: both full ledgers",
            ratio=round(median([run[0] / run[1] for run in runs]), 1),
            notes="Every quarter since 2021 is worked out again, by Python and by SQL.",
        ),
    ]  # fmt: skip

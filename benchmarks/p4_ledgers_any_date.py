"""P4: the ledgers of the whole county at random dates, beside one plain sum over the postings."""

from __future__ import annotations

import random
from datetime import UTC, date, datetime, timedelta
from time import perf_counter

from benchmarks.demo import demo_county
from benchmarks.ground import Ground, Result, at_most, log, median
from projections.facts.reading import Facts
from projections.loan_ledger import loan_ledger
from projections.subsidy_ledger import subsidy_ledger

TARGET = 5
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


def run(ground: Ground) -> list[Result]:
    database = demo_county(ground)
    facts = Facts(database.dsn, most=1)
    dice = random.Random(4)
    ratios: dict[str, list[float]] = {"amounts": [], "ledgers": []}
    took: dict[str, list[float]] = {"sum": [], "amounts": [], "ledgers": []}
    for _ in range(25 if ground.full else 15):
        as_of = date(2022, 1, 1) + timedelta(days=dice.randrange(1_000))
        known_at = datetime(as_of.year, as_of.month, as_of.day, tzinfo=UTC)
        with facts.at(as_of, known_at + timedelta(days=dice.randrange(90))) as view:
            view.ask(SUM)
            began = perf_counter()
            view.ask(SUM)
            summed = perf_counter()
            view.ask(AMOUNTS)
            amounts = perf_counter()
            loan_ledger(view)
            subsidy_ledger(view)
            ledgers = perf_counter()
        took["sum"].append(summed - began)
        took["amounts"].append(amounts - summed)
        took["ledgers"].append(ledgers - amounts)
        for name in ratios:
            ratios[name].append(took[name][-1] / took["sum"][-1])
    facts.close()
    ground.drop(database)
    log(f"P4: {ratios}")
    milliseconds = {name: median(values) * 1000 for name, values in took.items()}
    limit = f"{milliseconds['sum']:.1f} ms: one plain sum over the postings"
    return [
        at_most(
            TARGET, id="P4", what="every loan's balance and subsidy at random dates",
            ours=f"{milliseconds['amounts']:.1f} ms", limit=limit,
            ratio=round(median(ratios["amounts"]), 2),
        ),
        at_most(
            TARGET, id="P4", what="both full ledgers, every line and column delivered to Python",
            ours=f"{milliseconds['ledgers']:.1f} ms", limit=limit,
            ratio=round(median(ratios["ledgers"]), 1),
            notes="24 and 18 columns a line, each name, day and status joined in and turned into"
            " Python objects: the sum touches one number a row and delivers one.",
        ),
    ]  # fmt: skip

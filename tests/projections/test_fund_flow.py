"""The graph of the money: every kind of edge sums to its ledger at any two dates; rings end."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from support import controls as c
from support.county import conversation, drawn, told
from support.everything import submit_everything

from application.ledger import Submission
from interface.simulation.demo import county, load
from projections.facts.reading import Facts, View
from projections.fund_flow import (
    EDGE_KINDS,
    NODE_KINDS,
    OWN_ACCOUNT,
    Wanted,
    around,
    edges,
    whole,
)
from projections.fund_flow.misuse import misuse
from projections.funds import fund_ledger
from projections.links import risk_fund
from projections.loan_ledger import loan_ledger
from projections.subsidy_ledger import subsidy_ledger

OTHER = {"name": "李四", "id_no": "440524188001010014", "relation": "户主", "head": True}


@pytest.fixture(scope="module")
def facts(shared_database: Any) -> Iterator[Facts]:
    """The demo county at a fiftieth of its size."""
    made = county(seed=3, factor=0.02)
    load(shared_database.owner_dsn, shared_database.dsn, shared_database.keys, made)
    with drawn(shared_database) as facts:
        yield facts


@pytest.fixture
def everything(database: Any) -> Iterator[Facts]:
    """Every kind of event, and corrections of some."""
    with conversation(database) as ledger:
        submit_everything(ledger, copies=3)
    with drawn(database) as facts:
        yield facts


def sums(view: View) -> Counter[str]:
    found: Counter[str] = Counter()
    for edge in whole(view).edges:
        found[edge.kind] += edge.amount_fen
    return found


def ledgers(view: View) -> dict[str, int]:
    """What each kind of edge should sum to, from ledgers that know nothing of the graph."""
    loans = list(loan_ledger(view).dicts())
    subsidies = list(subsidy_ledger(view).dicts())
    funds = list(fund_ledger(view).dicts())
    risk = next(risk_fund(view).dicts())
    total = lambda rows, *names: sum(row[name] for row in rows for name in names)  # noqa: E731
    other = {
        name: view.query(
            f"SELECT coalesce(sum({column}), 0)::bigint FROM facts.{table}"
            f" WHERE effective_on <= %(as_of)s AND recorded_at <= %(known_at)s AND {only}"
        ).rows[0][0]
        for name, column, table, only in (
            ("transfer", "amount_fen", "transfer", "true"),
            ("dividend", "amount_fen", "benefit_paid", "kind = 'dividend'"),
            ("supplement", "amount_fen", "benefit_paid", "kind = 'supplement'"),
            ("outflow", "sign * amount_fen", "outflow", "true"),
            ("credited", "sign * credited_fen", "loan", "true"),
            ("spent", "amount_fen", "fund", "account = 'paid'"),
            ("unreserved", "amount_fen", "fund", "account = 'paid' AND counter_account = 'free'"),
            ("unspent", "amount_fen", "fund", "counter_account = 'paid'"),
            ("released", "amount_fen", "fund", "counter_account = 'reserved' AND account = 'free'"),
        )
    }
    credited_fen, unreserved_fen = other.pop("credited"), other.pop("unreserved")
    return {
        **other,
        "lent": credited_fen,
        "withheld": total(loans, "principal_fen") - credited_fen,
        "repaid": total(loans, "repaid_fen", "interest_fen", "penalty_fen"),
        "subsidy": total(subsidies, "paid_fen"),
        "recovered": total(subsidies, "recovered_fen"),
        "returned": total(subsidies, "returned_fen"),
        "allocated": total(funds, "allocated_fen"),
        "reserved": total(funds, "reserved_fen")
        + other["spent"]
        - unreserved_fen
        + other["released"],
        "paid_in": risk["paid_in_fen"],
        "compensated": risk["compensated_fen"],
        "compensation_recovered": risk["recovered_fen"],
    }


def assert_the_law(facts: Facts, as_of: date, known_at: datetime | None) -> None:
    with facts.at(as_of, known_at) as view:
        found, wanted = sums(view), ledgers(view)
    found.pop(OWN_ACCOUNT, 0)
    assert {kind: found[kind] for kind in wanted} == wanted
    assert found.keys() <= wanted.keys()


def instants(facts: Facts) -> list[datetime]:
    with facts.at(date(2030, 1, 1)) as view:
        rows = view.query("SELECT recorded_at FROM ledger.event ORDER BY position").rows
    return [moment for (moment,) in rows]


@pytest.mark.parametrize("seed", range(12))
def test_the_edges_of_each_kind_sum_to_their_ledger_at_any_two_dates(
    facts: Facts, seed: int
) -> None:
    rng = random.Random(seed)
    as_of = date(2021, 1, 1) + timedelta(days=rng.randint(0, 5 * 365))
    assert_the_law(facts, as_of, rng.choice(instants(facts)))


def test_the_law_holds_for_every_kind_of_money_after_each_event(everything: Facts) -> None:
    """Corrections among them."""
    for number, known_at in enumerate(instants(everything)):
        assert_the_law(everything, date(2021 + number % 10, 7, 1), known_at)
    assert_the_law(everything, date(2030, 1, 1), None)


def test_every_kind_of_edge_and_node_occurs(everything: Facts) -> None:
    with everything.at(date(2030, 1, 1)) as view:
        found = whole(view).edges
    kinds = EDGE_KINDS.keys() - {"supplement", "withheld"}
    assert {edge.kind for edge in found} == kinds
    assert {end for edge in found for end in (edge.source, edge.target)} == NODE_KINDS.keys()


def test_a_households_own_account_passes_on_all_that_it_takes_in(facts: Facts) -> None:
    with facts.at(date(2024, 12, 31)) as view:
        lines = list(edges(view, Wanted()).dicts())
    through: Counter[str] = Counter()
    owned = {x[end] for x in lines if x["kind"] == OWN_ACCOUNT for end in ("from", "to")}
    for line in lines:
        through[line["to"]] += line["amount_fen"]
        through[line["from"]] -= line["amount_fen"]
    accounts = {node for node in owned if node.startswith("account:")}
    assert len(accounts) > 100
    assert {node: through[node] for node in accounts if through[node]} == {}


def test_planted_pools_are_found_whole(facts: Facts) -> None:
    """What reached a firm is the loans' money, whichever method, and no more than was lent."""
    with facts.at(date(2024, 12, 31)) as view:
        found = misuse(view)
        pooled = view.query(
            "SELECT sum(amount_fen)::bigint FROM facts.standing_outflow(%(as_of)s, %(known_at)s)"
            " WHERE kind IN ('firm', 'platform', 'bank', 'village')"
        ).rows[0][0]
    accounts, loans = list(found.accounts.dicts()), list(found.loans.dicts())
    assert sum(line["arrived_fen"] for line in accounts) == pooled > 0
    for line in accounts:
        assert line["min_fen"] <= line["max_fen"] <= line["arrived_fen"]
    for line in loans:
        reached = [line["fifo_fen"], line["lifo_fen"], line["pro_rata_fen"]]
        assert max(reached) <= line["received_fen"]
        if not line["diverted_fen"]:
            assert (line["min_fen"], line["max_fen"]) == (min(reached), max(reached))
    for method in ("fifo_fen", "lifo_fen", "pro_rata_fen"):
        assert sum(x[method] for x in loans) <= sum(x[method] for x in accounts)


def test_what_reached_a_firm_from_two_loans_is_a_range(database: Any) -> None:
    """50 000 lent in March and 50 000 in May; 30 000 go to a firm in June: of the older loan, of
    the newer one, or 15 000 of each. In July 80 000 follow, 70 000 of which are there."""
    with conversation(database) as ledger:
        later = {"effective_on": "2023-05-10", "contract_on": "2023-05-10"}
        told(
            ledger,
            (c.household(), c.BUREAU),
            (c.loan(), c.BANK),
            (c.loan(ref="LN-2", loan_no="L2", contract_no="C2", **later), c.BANK),
            (c.outflow(effective_on="2023-06-01", amount_fen=3_000_000), c.BANK),
            (c.outflow(ref="OF-2", effective_on="2023-07-01", amount_fen=8_000_000), c.BANK),
        )
    with drawn(database) as facts:
        with facts.at(date(2023, 6, 30)) as view:
            june = [row[4:10] for row in misuse(view).loans.rows]
        with facts.at(date(2023, 7, 31)) as view:
            july = [row[4:10] for row in misuse(view).loans.rows]
            [firm] = misuse(view).accounts.dicts()
    assert june == [
        (5_000_000, 0, 3_000_000, 3_000_000, 0, 1_500_000),
        (5_000_000, 0, 3_000_000, 0, 3_000_000, 1_500_000),
    ]
    assert july == [(5_000_000,) * 6] * 2
    assert (firm["arrived_fen"], firm["min_fen"], firm["max_fen"]) == (
        11_000_000,
        10_000_000,
        10_000_000,
    )


def test_an_account_once_told_as_a_firms_is_one_whatever_else_it_is_called(database: Any) -> None:
    """A loan paid straight to it, an outflow to it as a merchant's; one's own account is none."""
    firm = {"account": "6222000000009999", "name": "某公司"}
    with conversation(database) as ledger:
        told(
            ledger,
            (c.household(), c.BUREAU),
            (c.household(ref="HH-2", household_no="H2", members=[OTHER]), c.BUREAU),
            (c.loan(), c.BANK),
            (c.loan(ref="LN-2", loan_no="L2", contract_no="C2", household_no="H2",
                    borrower_id_no=OTHER["id_no"], payee=firm), c.BANK),
        )  # fmt: skip
        with drawn(database) as facts, facts.at(date(2024, 1, 1)) as view:
            assert misuse(view).loans.rows == [], "nobody called it a firm's yet"
        told(
            ledger,
            (c.outflow(), c.BANK),
            (c.outflow(ref="OF-2", amount_fen=500_000, to={**firm, "kind": "merchant"}), c.BANK),
            (c.outflow(ref="OF-3", amount_fen=7, to={**c.PAYER, "kind": "bank"}), c.BANK),
        )
    with drawn(database) as facts, facts.at(date(2024, 1, 1)) as view:
        found = misuse(view)
    assert [(x["loan_no"], x["min_fen"]) for x in found.loans.dicts()] == [
        ("L1", 3_500_000),
        ("L2", 5_000_000),
    ]
    [account] = found.accounts.dicts()
    assert (account["households"], account["arrived_fen"]) == (2, 8_500_000)


def _flow(ref: str, source: int | None, target: int, fen: int, on: str) -> Submission:
    """From one of many accounts to another; None: from the borrower's own."""
    account = lambda n: {"account": f"6333{n:012}", "name": "某"}  # noqa: E731
    return Submission(
        c.outflow(
            ref=ref,
            effective_on=on,
            amount_fen=fen,
            to={**account(target), "kind": "firm" if target == 3 else "unknown"},
            payer=None if source is None else account(source),
        ),
        c.BANK,
    )


@pytest.mark.parametrize("size", [2, 5])
def test_a_ring_of_accounts_ends(database: Any, size: int) -> None:
    """The money goes three times round; it is counted where it first reached the firm."""
    with conversation(database) as ledger:
        told(ledger, (c.household(), c.BUREAU), (c.loan(), c.BANK))
        ring = [*range(4 - size, 4)]
        steps = [(None, ring[0])] + [*zip(ring, ring[1:] + ring[:1], strict=True)] * 3
        flows = [_flow(f"F{n}", *step, 1_000_000, "2023-03-12") for n, step in enumerate(steps)]
        ledger.submit_all(flows)
    with drawn(database) as facts, facts.at(date(2024, 1, 1)) as view:
        graph, found = around(view, "household:H1", 6), misuse(view)
    turned = [edge for edge in graph.edges if edge.source.startswith("account:") and
              edge.kind == "outflow"]  # fmt: skip
    assert len(turned) == size
    assert {edge.amount_fen for edge in turned} == {3_000_000}
    [loan] = found.loans.dicts()
    assert loan["min_fen"] == loan["max_fen"] == 1_000_000
    [firm] = found.accounts.dicts()
    assert firm["arrived_fen"] == firm["min_fen"] == 3_000_000


def test_a_graph_of_ten_thousand_edges_answers(database: Any) -> None:
    with conversation(database) as ledger:
        told(ledger, (c.household(), c.BUREAU), (c.loan(), c.BANK))
        flows = [_flow("F", None, 0, 5_000_000, "2023-03-12")]
        flows += [_flow(f"F{n}", n // 10, n, 1 + n, "2023-03-13") for n in range(1, 10_001)]
        for first in range(0, len(flows), 2_000):
            ledger.submit_all(flows[first : first + 2_000])
    with drawn(database) as facts, facts.at(date(2024, 1, 1)) as view:
        graph, page = around(view, "household:H1", 6), edges(view, Wanted(kind="outflow"), most=10)
        found = misuse(view)
    assert len(graph.edges) == 10_003
    assert sum(edge.amount_fen for edge in graph.edges) > 5_000_000
    assert len(page.rows) == 10
    assert found.accounts.rows

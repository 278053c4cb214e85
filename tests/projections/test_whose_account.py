"""Whose money moves: an account is its household's, several households', or nobody's."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any, NamedTuple

import pytest
from support import controls as c
from support.county import conversation, drawn, told
from support.everything import everything, programme_and_money

from application.commands.batch import CorrectResult
from application.personal_data.encryption import Vault
from projections.entities import appearances, entities
from projections.facts.reading import Facts
from projections.fund_flow import Movement, movements, of_loan
from projections.fund_flow.misuse import misuse
from projections.fund_flow.unlinked import counts

ID_NOS = ("11010519491231002X", "440524188001010014", "411381198001011018", "411381198201012015")
PAYEES = {"L1": 1, "L2": 2, "L3": 2, "L4": 4, "L5": 1}
HOMES = {"L1": 1, "L2": 2, "L3": 3, "L4": 4, "L5": 1}


class Told(NamedTuple):
    facts: Facts
    names: dict[str, int]

    def moved(self, kind: str) -> list[tuple[str, int | None, str, int]]:
        """(from, through account, to, fen), accounts by their number."""
        with self.facts.at(date(2024, 1, 1)) as view:
            found = movements(view, kind=kind)
        return [(self.node(m.source), self.through(m), self.node(m.target), m.amount_fen)
                for m in found]  # fmt: skip

    def through(self, m: Movement) -> int | None:
        return None if m.via is None else self.names[m.via.partition(":")[2]]

    def node(self, id: str) -> str:
        kind, _, name = id.partition(":")
        return f"A{self.names[name]}" if kind == "account" else name


def account(n: int) -> dict[str, str]:
    return {"account": f"6222{n:012}", "name": "某"}


@pytest.fixture(scope="module")
def county(shared_database: Any) -> Iterator[Told]:
    """Households H1 to H4; H2 and H3 share account 2, H1 has two loans on account 1."""
    with conversation(shared_database) as ledger:
        for n, id_no in enumerate(ID_NOS, start=1):
            head = {"name": "某", "id_no": id_no, "relation": "户主", "head": True}
            home = c.household(ref=f"HH-{n}", household_no=f"H{n}", members=[head])
            told(ledger, (home, c.BUREAU))
        for no, payee in PAYEES.items():
            home = HOMES[no]
            whose = {"household_no": f"H{home}", "borrower_id_no": ID_NOS[home - 1]}
            loan = c.loan(ref=f"LN-{no}", loan_no=no, contract_no=no, payee=account(payee), **whose)
            told(ledger, (loan, c.BANK))
        for fen, (loan_no, source, target) in enumerate(
            [("L1", None, 4), ("L1", None, 2), ("L3", None, 2), ("L1", 4, 9), ("L1", 9, 8)], 1
        ):
            to = {**account(target), "kind": "household"}
            payer = None if source is None else account(source)
            flow = c.outflow(ref=f"OF-{fen}", loan_no=loan_no, amount_fen=fen, to=to, payer=payer)
            told(ledger, (flow, c.BANK))
        for fen, (loan_no, payer) in enumerate(
            [("L1", 1), ("L1", 4), ("L1", 2), ("L2", 2), ("L4", 7), ("L5", 5)], 1
        ):
            paid = c.repay(ref=f"RP-{fen}", loan_no=loan_no, principal_fen=fen, interest_fen=0,
                           payer=account(payer))  # fmt: skip
            told(ledger, (paid, c.BANK))
        subsidy = c.pay(loan_no="L1", payee=account(5), amount_fen=100)
        told(ledger, (subsidy, c.FINANCE))
        told(ledger, (c.check(loan_no="L4", finding="diverted"), c.TOWNSHIP))
    vault = Vault(shared_database.keys)
    names = {vault.pseudonym("account", account(n)["account"]): n for n in range(10)}
    with drawn(shared_database) as facts:
        yield Told(facts, names)


def test_an_outflow_ends_with_the_household_whose_account_it_is(county: Told) -> None:
    assert county.moved("outflow") == [
        ("H1", 4, "H4", 1),
        ("H1", None, "A2", 2),  # of two households: nobody's, but for their own loans
        ("H3", 2, "H3", 3),
        ("H4", None, "A9", 4),
        ("A9", None, "A8", 5),
    ]


def test_a_repayment_comes_from_the_household_whose_account_it_is(county: Told) -> None:
    assert county.moved("repaid") == [
        ("H1", 1, "NRCB", 1),
        ("H4", 4, "NRCB", 2),
        ("A2", None, "NRCB", 3),
        ("H2", 2, "NRCB", 4),
        ("A7", None, "NRCB", 5),
        ("A5", None, "NRCB", 6),
    ]


def test_a_loans_graph_shows_no_other_loan_of_its_borrower(county: Told) -> None:
    with county.facts.at(date(2024, 1, 1)) as view:
        found = of_loan(view, "NRCB", "L1", 6).edges
    lent = {(county.node(e.source), county.node(e.target)): e.amount_fen
            for e in found if e.kind == "lent"}  # fmt: skip
    assert lent["NRCB", "A1"] == 5_000_000, "L1 and not L5"


def test_a_payer_is_known_by_the_subsidy_and_a_payee_by_the_repayment(county: Told) -> None:
    """As are receivers of a loan's money; of H4's payer nothing else is known."""
    with county.facts.at(date(2024, 1, 1)) as view:
        found = {line["category"]: line["payments"] for line in counts(view).dicts()}
    assert found["repayment_payer_unknown"] == 1
    assert found["subsidy_payee_unknown"] == 0


def test_what_was_diverted_is_what_was_owed_on_the_day_of_the_check(county: Told) -> None:
    with county.facts.at(date(2024, 1, 1)) as view:
        found = [
            (x["loan_no"], x["diverted_fen"], x["min_fen"]) for x in misuse(view).loans.dicts()
        ]
    assert found == [("L4", 5_000_000, 5_000_000)], "5 fen came back later"


def test_every_role_of_an_account_counts_what_it_took_and_gave(county: Told) -> None:
    codes = {number: code for code, number in county.names.items()}
    with county.facts.at(date(2024, 1, 1)) as view:
        lines = {line["pseudonym"]: line for line in entities(view, "account").dicts()}
        seen = list(appearances(view, codes[5]).dicts())
    four, five = lines[codes[4]], lines[codes[5]]
    assert four["roles"] == ["payee", "payer", "receiver"]
    assert (four["in_fen"], four["out_fen"]) == (5_000_001, 6)
    assert (five["roles"], five["in_fen"]) == (["payer", "subsidy_payee"], seen[-1]["in_fen"])
    assert (four["households"], four["loans"]) == (2, 2)


def test_a_subsidy_paid_to_the_bank_never_reaches_the_household(database: Any) -> None:
    """Nor does its recovery come from there."""
    to_bank = [{"rule": "payment_mode", "words": ["bank"]}]
    with conversation(database) as ledger:
        told(ledger, (c.ruling(ref="RL-9", effective_on="2023-01-01", rulings=to_bank), c.CENTRE))
        kept = [each for each in programme_and_money() if not isinstance(each[0], CorrectResult)]
        told(ledger, *everything(), *kept)  # the payment does not come back by itself
        back = c.recover(ref="REC-9", payment_no="PC-1-1", amount_fen=40, effective_on="2024-02-01")
        told(ledger, (back, c.FINANCE))
    with drawn(database) as facts, facts.at(date(2024, 3, 1)) as view:
        moved = [m for kind in ("subsidy", "recovered") for m in movements(view, kind=kind)]
    assert [
        (m.source, m.via, m.target, m.amount_fen) for m in moved if m.amount_fen in (100, 40)
    ] == [
        ("batch:PC-1", None, "bank:NRCB", 100),
        ("bank:NRCB", None, "treasury", 40),
    ]

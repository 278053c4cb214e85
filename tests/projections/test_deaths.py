"""Who of those that left has died: the code says it; without one, the words of the reason."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any

import pytest
from support import controls as c
from support.county import conversation, drawn
from support.red_flags import subjects

from application.ledger import Ledger
from projections.red_flags import rule

DIED = [
    ("死亡", "户主", None),
    ("因病死亡", "户主", None),
    ("病故", "户主", None),
    ("2023年1月因病去世", "户主", None),
    ("已故", "户主", None),
    ("身 故", "户主", None),
    ("亡故", "户主", None),
    ("交通事故身亡", "户主", None),
    ("误食毒物死亡", "户主", None),
    ("非正常死亡", "户主", None),
    ("因公死亡", "户主", None),
    ("宣告死亡", "户主", None),
    ("户主死亡", "户主", None),
    ("父亲去世", "父亲", None),
    ("Died of illness", "户主", None),
    ("DECEASED", "户主", None),
    ("passed away", "户主", None),
    ("死亡", "户主", "other"),
    ("注销", "户主", "died"),
    ("父亲去世后迁出", "户主", "died"),
]
LIVES = [
    ("父亲去世后迁出", "户主", None),
    ("母亲病故，随迁", "户主", None),
    ("丈夫死亡后改嫁", "配偶", None),
    ("户主死亡，变更户主", "配偶", None),
    ("父亲去世", "户主", None),
    ("误报死亡，更正", "户主", None),
    ("未死亡", "户主", None),
    ("studied abroad", "户主", None),
    ("moved after the death of a friend", "户主", None),
    ("father died", "户主", None),
    ("婚嫁迁出", "户主", None),
    ("外迁", "户主", None),
    ("死亡", "户主", "registered_wrongly"),
    ("因病去世", "户主", "moved"),
]


@pytest.fixture
def ledger(database: Any) -> Iterator[Ledger]:
    with conversation(database) as told:
        yield told


def leave(ledger: Ledger, n: int, reason: str, relation: str, code: str | None) -> str:
    """A member leaves, and borrows nine days later; returns the loan's name."""
    who = {"name": "某", "id_no": c.id_no(n), "relation": relation, "head": relation == "户主"}
    head = who | {"id_no": c.id_no(n + 100), "relation": "户主", "head": True}
    people = [who] if who["head"] else [who, head]
    home = c.household(ref=f"HH-{n}", household_no=f"H{n}", members=people)
    ledger.submit(home, c.BUREAU)
    left = [{"id_no": c.id_no(n), "reason": reason} | ({"code": code} if code else {})]
    joins = []
    if "变更户主" in reason:
        joins.append(who | {"relation": "户主", "head": True})
        left.append({"id_no": head["id_no"], "reason": "死亡"})
    told = c.members(
        ref=f"MB-{n}", household_no=f"H{n}", added=joins, left=left, effective_on="2023-03-01"
    )
    ledger.submit(told, c.BUREAU)
    loan = c.loan(ref=f"LN-{n}", loan_no=f"L{n}", contract_no=f"L{n}", household_no=f"H{n}",
                  borrower_id_no=c.id_no(n))  # fmt: skip
    ledger.submit(loan, c.BANK)
    return f"NRCB/L{n}"


def test_a_borrower_has_died_when_the_code_or_the_words_say_so(
    database: Any, ledger: Ledger
) -> None:
    named = {leave(ledger, n, *each): each for n, each in enumerate([*DIED, *LIVES], 1)}
    with drawn(database) as facts:
        found = subjects(facts, rule("RF22"), date(2024, 1, 1))
    assert [each for loan, each in named.items() if loan in found] == DIED


def test_a_leaver_without_a_code_is_stored_as_before(ledger: Ledger) -> None:
    leave(ledger, 1, "死亡", "户主", None)
    leave(ledger, 2, "死亡", "户主", "died")
    states = ledger.log.connection.execute(
        "SELECT convert_from(state, 'UTF8')::json -> 'left' -> 0 FROM ledger.event"
        " WHERE topic = 'household.members-changed.v1' ORDER BY position"
    ).fetchall()
    assert [sorted(state) for (state,) in states] == [
        ["person", "reason"],
        ["code", "person", "reason"],
    ]

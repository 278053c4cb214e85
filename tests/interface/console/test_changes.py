"""The page of what changed in what is known: the difference, its causes, who reported them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from support import controls as c
from support.browser import Browser, figures, lend_and_pay
from support.service import Callers, service

from interface.console.changes import signed
from interface.console.drawing.bars import WIDTH, bars
from projections.changes import AMOUNTS, Change
from projections.changes.by_cause import by_cause

DAY = {"as_of": "2023-12-31"}


@pytest.fixture(scope="module")
def callers(shared_database: Any) -> Iterator[Callers]:
    """A loan, a payment; then, long after it, a repayment of 2023 is reported, and one reversed."""
    with service(shared_database) as callers:
        lend_and_pay(callers)
        callers.between = datetime.now(UTC).isoformat().replace("+00:00", "Z")
        late = c.body(c.repay(ref="LATE", effective_on="2023-08-01"), "loan_no") | {"ref": "LATE"}
        answer = callers.NRCB.post("/loans/L1/repayments", late)
        assert answer.status_code == 201, answer.text
        callers.AUDIT.get("/ledgers/loans", position=answer.json()["position"])
        yield callers


def test_the_difference_is_the_routes_and_each_line_has_its_cause(
    callers: Callers, browsers: dict[str, Browser]
) -> None:
    told = callers.AUDIT.get("/changes", known_from=callers.between, **DAY).json()
    assert told["explained"] and told["difference"]["outstanding_fen"] < 0
    page = browsers["AUDIT"].awaited("/changes", known_from=callers.between, **DAY).text
    assert figures(page)[:4] == list(told["difference"].values())
    assert "差额全部说明" in page and '<span class="tag wrong">' not in page
    assert '<span class="tag late"><i></i>晚报</span>' in page
    lines = browsers["AUDIT"].awaited("/changes.json", known_from=callers.between, **DAY).json()
    [principal] = [line for line in lines["lines"] if line["amount_of"] == "principal"]
    assert principal["cause"] == "late" and principal["organisation"] == "NRCB"
    assert principal["amount_fen"] == told["difference"]["outstanding_fen"]
    assert principal["after_fen"] - principal["before_fen"] == principal["difference_fen"]
    assert f"/events/{principal['position']}" in page


def test_nothing_changed_is_said(callers: Callers, browsers: dict[str, Browser]) -> None:
    page = browsers["AUDIT"].awaited(
        "/changes", known_from=callers.between, ledger="subsidies", **DAY
    )
    assert "的台账没有变" in page.text
    assert figures(page.text)[0] == 0


def test_the_first_instant_becomes_exact(browsers: dict[str, Browser]) -> None:
    get = browsers["AUDIT"].get
    answer = get("/changes", **DAY)
    assert answer.status_code == 303
    assert "known_from=2023-12-31T15%3A59%3A59.999999Z" in answer.headers["location"]
    answer = get("/changes", known_from="2024-02-05", **DAY)
    assert "known_from=2024-02-05T15" in answer.headers["location"]
    for query, named in (({"known_from": "soon"}, "soon"), ({"known_to": "x"}, "known_to")):
        answer = get("/changes", **query)
        assert answer.status_code == 400 and named in answer.text


def test_each_role_sees_its_own_changes(callers: Callers, browsers: dict[str, Browser]) -> None:
    for code, browser in browsers.items():
        query = {"known_from": callers.between, **DAY}
        status = getattr(callers, code).get("/changes", **query).status_code
        answer = browser.awaited("/changes", **query)
        assert answer.status_code == status, code
        if status == 200:
            seen = getattr(callers, code).get("/changes", **query).json()["changes"]
            assert (">L1<" in answer.text) == bool(seen), code


class _View:
    """A view whose book is not asked: nothing has a cause."""


def test_what_no_event_accounts_for_stands_as_unexplained() -> None:
    change = Change(
        {"bank": "B", "loan_no": "L"},
        {"outstanding_fen": 500},
        {"outstanding_fen": 200},
        dict.fromkeys(AMOUNTS["loans"], 0) | {"outstanding_fen": -300},
        [],
        False,
    )
    for explained, cause in ((False, "unexplained"), (True, "hidden")):
        whole = [change._replace(explained=explained)]
        [line] = by_cause(_View(), "loans", whole, whole).dicts()  # type: ignore[arg-type]
        assert (line["cause"], line["amount_fen"]) == (cause, -300)
        assert (line["before_fen"], line["after_fen"]) == (500, 200)


def test_bars_have_one_measure_and_say_the_sign() -> None:
    assert signed(-100) == "\u22121.00" and signed(100) == "+1.00" and signed(0) == "0.00"
    left, right = bars([-100, 300])
    assert (left.x, left.width, left.zero) == (0, WIDTH // 4, WIDTH // 4)
    assert (right.x, right.width) == (WIDTH // 4, WIDTH * 3 // 4)
    assert [bar.width for bar in bars([-1, -100_000])] == [1, WIDTH]
    assert [bar.width for bar in bars([0, 0])] == [0, 0]

"""The register of account numbers: each one is unified once."""

from __future__ import annotations

from support import controls
from support.in_memory import given, recorded, refused

from domain.account_register import MOST_IN_AN_EVENT, AccountRegister, NothingToUnify


def same(count: int) -> list[dict[str, str]]:
    return [{"written": f"account-{n:024}", "normal": f"account-{n:023}x"} for n in range(count)]


def test_what_is_unified_already_is_not_recorded_again() -> None:
    ledger = given(controls.unification(accounts=same(1)))

    again = controls.unification(ref="GY-2", accounts=same(1))
    assert isinstance(refused(ledger, again), NothingToUnify)
    [event] = recorded(ledger, controls.unification(ref="GY-3", accounts=same(2)))

    assert isinstance(event, AccountRegister.Unified)
    assert [account.written for account in event.accounts] == [same(2)[1]["written"]]


def test_many_accounts_are_several_events() -> None:
    ledger = given()
    events = recorded(ledger, controls.unification(accounts=same(MOST_IN_AN_EVENT + 1)))

    assert [len(event.accounts) for event in ledger.all_of(AccountRegister.Unified)] == [
        MOST_IN_AN_EVENT, 1,
    ]  # fmt: skip
    assert len(events) == 2

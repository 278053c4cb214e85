"""One account is one account, however banks wrote it and whenever it was stored."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import ValidationError
from support import controls as c
from support.county import conversation

from application.account_unification import unify_accounts
from application.ledger import Ledger
from application.personal_data.encryption import Keys, Vault
from domain.household import Household
from domain.kernel import Author
from domain.numbers import normal_number
from projections.facts.draw import Projector
from projections.facts.reading import Facts

WRITTEN = ["622848-0402-1234-5678", "6228 4804 0212 345678", "622848040212345678"]
NUMBER = "622848040212345678"
ADMIN = Author("admin", "ADMIN", "accounts")


@given(st.text(alphabet="0123456789abcXYZ", min_size=4, max_size=30), st.randoms())
@example("6228480402", None)
def test_blanks_hyphens_and_letter_case_make_no_other_number(number: str, rng: Any) -> None:
    written = "".join(
        letter + (rng.choice(["", " ", "-", "\u3000", "—"]) if rng else "") for letter in number
    )
    vault = Vault(Keys.generate())

    assert normal_number(written) == number.upper()
    for kind in ("account", "person"):
        assert vault.pseudonym(kind, written.lower()) == vault.pseudonym(kind, number)


def test_full_width_digits_are_the_digits() -> None:
    assert normal_number("６２２８ 4804－0212３４５６７８") == NUMBER


@pytest.mark.parametrize(
    "written", ["11010519491231002x", "110105 19491231 002X", "110105-19491231-002X"]
)
def test_an_identity_number_is_one_number_however_it_is_written(written: str) -> None:
    told = c.household(
        members=[{"name": "张三", "id_no": written, "relation": "户主", "head": True}]
    )
    assert told.members[0].id_no == "11010519491231002X"


@pytest.mark.parametrize(
    "refused", ["622", "62 2", "----", "6228*0212", "6" * 41, "６２２８０４０２"]
)
def test_what_is_no_account_number_is_refused(refused: str) -> None:
    with pytest.raises(ValidationError):
        c.outflow(to={"account": refused, "name": "某合作社", "kind": "firm"})


def outflows(ledger: Ledger) -> None:
    """Three loans' money to one account that is written in three ways."""
    ledger.submit(c.household(), c.BUREAU)
    for number, written in enumerate(WRITTEN):
        ledger.submit(c.loan(ref=f"LN-{number}", loan_no=f"L{number}"), c.BANK)
        to = {"account": written, "name": "某合作社", "kind": "firm"}
        ledger.submit(c.outflow(ref=f"OF-{number}", loan_no=f"L{number}", to=to), c.BANK)


def receivers(facts: Facts, known_at: datetime | None = None) -> set[str]:
    with facts.at(date(2024, 1, 1), known_at) as view:
        return {
            row[0]
            for row in view.query(
                "SELECT to_account FROM facts.standing_outflow(%(as_of)s, %(known_at)s)"
            ).rows
        }


def test_three_ways_of_writing_an_account_are_one_account_and_what_was_written_is_kept(
    database: Any,
) -> None:
    with conversation(database) as ledger:
        outflows(ledger)
        [name] = {ledger.pseudonym("account", written) for written in WRITTEN}
        kept = ledger.log.connection.execute(
            "SELECT originator_id, originator_version, topic, convert_from(state, 'UTF8')::jsonb"
            " FROM ledger.event WHERE topic = 'loan.outflow-observed.v1' ORDER BY position"
        ).fetchall()
        home = Household.id_for("H1")
        told = [
            ledger.vault.unseal(home, tuple(event), state["sealed"])["to_account"]
            for *event, state in kept
        ]
    projector, facts = Projector(database.dsn), Facts(database.dsn, most=1)
    projector.catch_up()
    assert receivers(facts) == {name}
    assert told == WRITTEN
    projector.close()
    facts.close()


def test_accounts_stored_as_they_were_written_become_one_from_the_day_it_is_recorded(
    database: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as before, conversation(database) as ledger:
        before.setattr(Vault, "pseudonym", Vault.pseudonym_as_written)
        outflows(ledger)
    with conversation(database) as ledger:
        recorded = unify_accounts(ledger, ADMIN)
        assert recorded is not None
        assert unify_accounts(ledger, ADMIN) is None, "it is recorded once"
        number = ledger.vault.pseudonym("account", NUMBER)
        as_written = {ledger.vault.pseudonym_as_written("account", w) for w in WRITTEN}

    projector, facts = Projector(database.dsn), Facts(database.dsn, most=1)
    projector.catch_up()
    assert receivers(facts) == {number}
    earlier = recorded.recorded_at - timedelta(microseconds=1)
    assert receivers(facts, earlier) == as_written, "as it was known"
    projector.rebuild()
    assert receivers(facts) == {number}
    projector.close()
    facts.close()

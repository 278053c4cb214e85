"""Erasure: a household's key is destroyed once and for ever; amounts and late facts go on."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from typing import Any

import psycopg
import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from support import controls
from support.controls import (
    BANK,
    BUREAU,
    FINANCE,
    ID_NO,
    OTHER_BANK,
    TOWNSHIP,
)
from support.county import conversation, drawn, refusal, told

from application.event_store.mapper import decode
from application.ledger import Ledger, Recorded, Submission
from application.personal_data.encryption import Keys, Vault
from application.personal_data.key_rotation import rotate_wrapping
from application.refusals import NotPermitted, ReferenceReused
from domain.household import (
    Household,
    HouseholdErased,
    HouseholdHasOpenLoans,
    HouseholdUnknown,
)
from domain.kernel import NotCorrectable, Refused
from domain.loan import Loan
from interface.http.masked_names import laid_open, masked_names, people_of
from projections.facts.draw import Projector, digests
from projections.facts.reading import COUNTY
from projections.history import history, trace
from projections.loan_ledger import loan_ledger

H1 = Household.id_for("H1")
REPAID = controls.repay(principal_fen=5_000_000)


@pytest.fixture
def ledger(database: Any) -> Iterator[Ledger]:
    """A household that borrowed once and paid it all back."""
    with conversation(database) as ledger:
        told(
            ledger,
            (controls.household(), BUREAU),
            (controls.loan(), BANK),
            (controls.pay(), FINANCE),
            (REPAID, BANK),
        )
        yield ledger


def asked(place: Any, question: str, *values: object) -> Any:
    with psycopg.connect(place.owner_dsn, autocommit=True) as connection:
        return connection.execute(question.encode(), values).fetchall()


def keys_of(place: Any) -> set[Any]:
    return {row[0] for row in asked(place, "SELECT household_id FROM ledger.household_key")}


def last_state(place: Any) -> bytes:
    [(state,)] = asked(place, "SELECT state FROM ledger.event ORDER BY position DESC LIMIT 1")
    return bytes(state)


# ---- the decision ---------------------------------------------------------------------


def test_an_erasure_is_an_event_and_the_key_goes_with_it(ledger: Ledger, database: Any) -> None:
    assert keys_of(database) == {H1}

    [erased] = told(ledger, (controls.erasure(), BUREAU))

    [(topic, state)] = asked(
        database,
        "SELECT topic, convert_from(state, 'UTF8') FROM ledger.event WHERE position = %s",
        erased.position,
    )
    assert topic == "household.erased.v1"
    assert "本人申请2025-3" in state
    assert keys_of(database) == set()
    assert not ledger.vault.has_key(H1)


def test_an_erasure_told_twice_is_recorded_once_and_under_another_reference_refused(
    ledger: Ledger,
) -> None:
    first, second = told(ledger, (controls.erasure(), BUREAU), (controls.erasure(), BUREAU))

    refused = refusal(ledger, controls.erasure(ref="ER-2"), BUREAU)
    other = refusal(ledger, controls.erasure(reason="另有原因"), BUREAU)

    assert (first.again, second.again) == (False, True)
    assert first.position == second.position
    assert isinstance(refused, HouseholdErased)
    assert str(refused.details["erased_on"]) == "2025-03-01"
    assert isinstance(other, ReferenceReused)


def test_a_household_that_still_owes_is_not_erased_and_the_loans_and_the_rule_are_named(
    ledger: Ledger, database: Any
) -> None:
    told(ledger, (controls.loan(ref="LN-2", loan_no="L2"), OTHER_BANK))

    refused = refusal(ledger, controls.erasure(), BUREAU)

    assert isinstance(refused, HouseholdHasOpenLoans)
    assert refused.details["loans"] == ["PSBC/L2"]
    assert "PSBC/L2" in refused.zh and "会计档案管理办法" in refused.zh
    assert "PSBC/L2" in refused.en and "Accounting Archives" in refused.en
    assert keys_of(database) == {H1}


def test_a_loan_that_was_only_renewed_is_still_owed(ledger: Ledger) -> None:
    told(
        ledger,
        (controls.loan(ref="LN-2", loan_no="L2"), BANK),
        (controls.loan(ref="LN-3", loan_no="L3", renews_loan_no="L2"), BANK),
        (controls.repay(ref="RP-3", loan_no="L3", principal_fen=5_000_000), BANK),
    )

    refused = refusal(ledger, controls.erasure(), BUREAU)
    assert refused.details["loans"] == ["NRCB/L2"]

    told(
        ledger,
        (controls.repay(ref="RP-2", loan_no="L2", principal_fen=5_000_000), BANK),
        (controls.erasure(), BUREAU),
    )


def test_a_loan_that_was_corrected_away_stands_in_nobodys_way(ledger: Ledger) -> None:
    [wrong] = told(ledger, (controls.loan(ref="LN-2", loan_no="L2"), BANK))
    assert isinstance(refusal(ledger, controls.erasure(), BUREAU), HouseholdHasOpenLoans)

    told(ledger, (controls.correct(wrong.event_ids[0]), BANK), (controls.erasure(), BUREAU))


def test_a_correction_that_reopens_a_loan_stands_in_the_way(ledger: Ledger) -> None:
    [last] = [e for e in ledger.log.events_of([Loan.id_for("NRCB", "L1")]) if "repaid" in e[2]]

    told(ledger, (controls.correct(f"{Loan.id_for('NRCB', 'L1')}.{last[1]}"), BANK))

    assert isinstance(refusal(ledger, controls.erasure(), BUREAU), HouseholdHasOpenLoans)


def test_only_the_bureau_erases_and_only_who_is_known(ledger: Ledger, database: Any) -> None:
    for by in (BANK, TOWNSHIP, FINANCE, controls.AUDITOR, controls.CENTRE, controls.ADMIN):
        assert isinstance(refusal(ledger, controls.erasure(), by), NotPermitted)
    unknown = refusal(ledger, controls.erasure(household_no="H9"), BUREAU)
    assert isinstance(unknown, HouseholdUnknown)
    assert keys_of(database) == {H1}


def test_a_household_known_to_a_bank_alone_can_be_erased(ledger: Ledger, database: Any) -> None:
    told(
        ledger,
        (controls.loan(ref="LN-2", loan_no="L2", household_no="NOBODY"), BANK),
        (controls.repay(ref="RP-2", loan_no="L2", principal_fen=5_000_000), BANK),
        (controls.erasure(household_no="NOBODY"), BUREAU),
    )
    assert keys_of(database) == {H1}
    refused = refusal(ledger, controls.household(ref="HH-2", household_no="NOBODY"), BUREAU)
    assert isinstance(refused, HouseholdErased)


def test_an_erasure_cannot_be_corrected(ledger: Ledger) -> None:
    [erased] = told(ledger, (controls.erasure(), BUREAU))

    assert isinstance(
        refusal(ledger, controls.correct(erased.event_ids[0]), BUREAU), NotCorrectable
    )


# ---- what comes afterwards ------------------------------------------------------------


def test_nobody_joins_and_nothing_new_is_lent_to_a_household_that_was_erased(
    ledger: Ledger, database: Any
) -> None:
    told(ledger, (controls.erasure(), BUREAU))
    before = ledger.log.last_position()

    for command, by in (
        (controls.members(), BUREAU),
        (controls.household(ref="HH-2"), BUREAU),
        (controls.loan(ref="LN-2", loan_no="L2"), BANK),
        (controls.loan(ref="LN-3", loan_no="L3", renews_loan_no="L1"), BANK),
        (controls.look(), BUREAU),
    ):
        assert isinstance(refusal(ledger, command, by), HouseholdErased), command
    assert ledger.log.last_position() == before
    assert keys_of(database) == set()


def test_late_facts_of_an_old_loan_are_recorded_without_their_personal_values(
    ledger: Ledger, database: Any
) -> None:
    [repaid] = [e for e in ledger.log.events_of([Loan.id_for("NRCB", "L1")]) if "repaid" in e[2]]
    told(ledger, (controls.erasure(), BUREAU))

    for command, by in (
        (controls.repay(ref="RP-9", principal_fen=0, interest_fen=99), BANK),
        (controls.outflow(), BANK),
        (
            controls.correct(
                f"{Loan.id_for('NRCB', 'L1')}.{repaid[1]}",
                replacement=controls.body(controls.repay(principal_fen=4_000_000)),
            ),
            BANK,
        ),
        (controls.repay(ref="RP-10", principal_fen=1_000_000), BANK),
    ):
        told(ledger, (command, by))
        state = last_state(database)
        assert b"sealed" not in state, command
        assert b"personal" not in state
        for value in (ID_NO, "张三", controls.PAYER["account"], "6222000000009999"):
            assert value.encode() not in state
    payer = ledger.pseudonym("account", controls.PAYER["account"])
    [(found,)] = asked(
        database,
        "SELECT convert_from(state, 'UTF8')::jsonb ->> 'payer' FROM ledger.event"
        " WHERE ref = 'RP-9' AND part = 0",
    )
    assert found == payer, "the pseudonym stays"
    assert ledger.loan("NRCB", "L1").outstanding_fen == 0
    assert keys_of(database) == set()


def test_a_late_correction_of_a_disbursement_and_of_a_registration_is_recorded(
    ledger: Ledger, database: Any
) -> None:
    loan = Loan.id_for("NRCB", "L1")
    told(ledger, (controls.erasure(), BUREAU))

    told(
        ledger,
        (
            controls.correct(
                f"{loan}.1", replacement=controls.body(controls.loan(annual_rate_bp=300))
            ),
            BANK,
        ),
        (
            controls.correct(
                f"{H1}.1", replacement=controls.body(controls.household(village="白石村"))
            ),
            BUREAU,
        ),
    )

    assert ledger.loan("NRCB", "L1").annual_rate_bp == 300
    assert ledger.household("H1").village == "白石村"
    assert ledger.household("H1").erased
    rows = asked(database, "SELECT state FROM ledger.event WHERE ref = 'FIX-1'")
    assert rows
    assert not any(b"sealed" in bytes(state) for (state,) in rows)
    assert keys_of(database) == set()


def test_statements_behind_an_erasure_in_one_batch_seal_nothing(
    ledger: Ledger, database: Any
) -> None:
    erased, repaid, members = ledger.submit_all(
        [
            Submission(controls.erasure(), BUREAU),
            Submission(controls.repay(ref="RP-9", principal_fen=0), BANK),
            Submission(controls.members(), BUREAU),
        ]
    )

    assert isinstance(erased, Recorded) and isinstance(repaid, Recorded)
    assert isinstance(members, HouseholdErased)
    assert b"sealed" not in last_state(database)
    assert keys_of(database) == set()


def test_an_erasure_that_its_batch_undoes_destroys_nothing(ledger: Ledger, database: Any) -> None:
    wrong = Submission(controls.repay(ref="X", principal_fen=1), BANK)

    outcomes = ledger.submit_all([Submission(controls.erasure(), BUREAU), wrong], atomic=True)
    assert isinstance(outcomes[1], Refused)
    ledger.submit_all([Submission(controls.erasure(), BUREAU)], dry=True)

    assert keys_of(database) == {H1}
    assert not ledger.household("H1").erased
    told(ledger, (controls.repay(ref="RP-9", principal_fen=0), BANK))
    assert b"sealed" in last_state(database)


# ---- at once --------------------------------------------------------------------------


def test_of_fifty_erasures_at_once_one_is_recorded(ledger: Ledger, database: Any) -> None:
    barrier = Barrier(10)

    def erase(number: int) -> list[Any]:
        with conversation(database) as mine:
            barrier.wait()
            submissions = [
                Submission(controls.erasure(ref=f"ER-{number}-{part}"), BUREAU) for part in range(5)
            ]
            return mine.submit_all(submissions)

    with ThreadPoolExecutor(10) as threads:
        outcomes = [outcome for part in threads.map(erase, range(10)) for outcome in part]

    assert sum(isinstance(outcome, Recorded) for outcome in outcomes) == 1
    assert sum(isinstance(outcome, HouseholdErased) for outcome in outcomes) == 49
    [(erasures,)] = asked(
        database, "SELECT count(*) FROM ledger.event WHERE topic = 'household.erased.v1'"
    )
    assert erasures == 1


def test_of_fifty_times_one_erasure_at_once_all_get_one_answer(
    ledger: Ledger, database: Any
) -> None:
    barrier = Barrier(10)

    def erase(_: int) -> list[Any]:
        with conversation(database) as mine:
            barrier.wait()
            return mine.submit_all([Submission(controls.erasure(), BUREAU)] * 5)

    with ThreadPoolExecutor(10) as threads:
        outcomes = [outcome for part in threads.map(erase, range(10)) for outcome in part]

    assert all(isinstance(outcome, Recorded) for outcome in outcomes)
    assert len({outcome.position for outcome in outcomes}) == 1
    assert [outcome.again for outcome in outcomes].count(False) == 1


@pytest.mark.parametrize("against", ["loan", "correction", "repayment"])
def test_an_erasure_and_another_statement_at_once_stand_in_exactly_one_order(
    database: Any, against: str
) -> None:
    homes = [f"R{number}" for number in range(12)]
    repaid: dict[str, str] = {}
    with conversation(database) as ledger:
        for home in homes:
            told(
                ledger,
                (controls.household(ref=home, household_no=home), BUREAU),
                (controls.loan(ref=f"L{home}", loan_no=home, household_no=home), BANK),
            )
            repayment = controls.repay(ref=f"P{home}", loan_no=home, principal_fen=5_000_000)
            repaid[home] = told(ledger, (repayment, BANK))[0].event_ids[0]
    with conversation(database) as one, conversation(database) as two:
        barrier = Barrier(2)

        def submit(who: Ledger, submission: Submission) -> Any:
            who.household(submission.command.household_no if who is one else "x")
            barrier.wait()
            return who.submit_all([submission])[0]

        for home in homes:
            other = {
                "loan": controls.loan(ref=f"N{home}", loan_no=f"N{home}", household_no=home),
                "correction": controls.correct(repaid[home], ref=f"C{home}"),
                "repayment": controls.repay(ref=f"Q{home}", loan_no=home, principal_fen=0),
            }[against]
            erasure = controls.erasure(ref=f"E{home}", household_no=home)
            with ThreadPoolExecutor(2) as threads:
                first = threads.submit(submit, one, Submission(erasure, BUREAU))
                second = threads.submit(submit, two, Submission(other, BANK))
                erased, told_too = first.result(), second.result()
            gone = Household.id_for(home) not in keys_of(database)
            [(sealed,)] = asked(
                database,
                "SELECT bool_or(position_of > 0) FROM (SELECT position('sealed' IN"
                " convert_from(state, 'UTF8')) AS position_of FROM ledger.event"
                " WHERE ref = %s AND part = 0) x",
                other.ref,
            )
            assert isinstance(erased, Recorded) == gone
            if against == "loan":
                assert isinstance(erased, Recorded) != isinstance(told_too, Recorded)
                kinds = (HouseholdErased, HouseholdHasOpenLoans)
                assert {type(erased), type(told_too)} & set(kinds)
                continue
            assert isinstance(told_too, Recorded), told_too
            if against == "correction":  # it reopens the loan: told first, it forbids the erasure
                before = not isinstance(erased, Recorded)
                assert before or told_too.position > erased.position
            else:
                assert isinstance(erased, Recorded)
                assert sealed == (told_too.position < erased.position)


# ---- readers --------------------------------------------------------------------------


def test_every_reader_shows_the_pseudonym_of_who_was_erased(ledger: Ledger, database: Any) -> None:
    person = ledger.pseudonym("person", ID_NO)
    with drawn(database) as facts, facts.connection() as connection:
        assert masked_names(connection, ledger.vault, [H1]) == {person: "张*"}
        assert laid_open(connection, ledger.vault, "H1")["members"][0]["id_no"] == ID_NO

    told(ledger, (controls.erasure(), BUREAU))

    with drawn(database) as facts, facts.connection() as connection:
        assert people_of(connection, ledger.vault, [H1]) == {}
        nothing = laid_open(connection, ledger.vault, "H1")
        assert nothing == {"members": [], "loan_events": []}
        traced = trace(connection, "PAY-1")
        assert traced is not None and traced.wrapped_key is None
        assert traced.plain(traced.payment.recorded_at.date())["recovered_fen"] == 0
        events = history(connection, [H1, Loan.id_for("NRCB", "L1")])
        assert person in str([event.plain() for event in events])
        with facts.at(traced.payment.recorded_at.date()) as view:
            [line] = loan_ledger(view, scope=COUNTY).dicts()
    assert line["borrower"] == person


def test_another_conversations_key_is_not_used_after_the_erasure(
    ledger: Ledger, database: Any
) -> None:
    """The other one has unlocked the household already and has not read the log since."""
    with conversation(database) as other:
        told(other, (controls.repay(ref="RP-8", principal_fen=0), BANK))
        assert other.vault.has_key(H1)
        stale = _Shelf(ledger.log.wrapped_keys([H1]))

        told(ledger, (controls.erasure(), BUREAU))

        assert not other.vault.has_key(H1), "every vault of the process has forgotten it"
        other.vault.unlock(stale, {H1})
        assert other.vault.has_key(H1), "fetched just before it was destroyed"
        told(other, (controls.repay(ref="RP-9", principal_fen=0), BANK))
        assert b"sealed" not in last_state(database)


class _Shelf:
    def __init__(self, keys: dict[Any, bytes]) -> None:
        self._keys = keys

    def wrapped_keys(self, households: list[Any]) -> dict[Any, bytes]:
        return self._keys


def test_neither_event_moves_money_nor_disturbs_a_rebuild_and_a_look_is_a_fact(
    ledger: Ledger, database: Any
) -> None:
    projector = Projector(database.dsn)
    projector.catch_up()
    row = projector.connection.execute("SELECT number FROM projection.generation").fetchone()
    assert row is not None
    before = digests(projector.connection, row[0])

    told(ledger, (controls.look(), BUREAU), (controls.erasure(), BUREAU))
    projector.catch_up()
    after = digests(projector.connection, row[0])
    again = digests(projector.connection, projector.rebuild())
    projector.close()

    assert after == again
    assert {table for table in after if after[table] != before[table]} == {"look"}


# ---- attacks on the key table ---------------------------------------------------------


@pytest.mark.parametrize("mode", ["origin", "replica"])
@pytest.mark.parametrize(
    "order",
    [
        "UPDATE ledger.household_key SET wrapped = 'x'",
        "UPDATE ledger.household_key SET household_id = gen_random_uuid()",
        "TRUNCATE ledger.household_key",
        "DELETE FROM ledger.household_key",
        "UPDATE ledger.wrapping SET wrapping_id = '12345678'",
        "DELETE FROM ledger.wrapping",
        "TRUNCATE ledger.wrapping",
    ],
)
def test_even_the_owner_changes_and_deletes_no_key(
    ledger: Ledger, database: Any, order: str, mode: str
) -> None:
    with psycopg.connect(database.owner_dsn, autocommit=True) as owner:
        owner.execute(f"SET session_replication_role = {mode}".encode())
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            owner.execute(order.encode())
    assert keys_of(database) == {H1}


def test_a_writer_deletes_no_key_without_an_erasure_whatever_he_puts_beside_it(
    ledger: Ledger, database: Any
) -> None:
    connection = ledger.log.connection
    with pytest.raises(psycopg.errors.InsufficientPrivilege, match="no event says"):
        connection.execute("DELETE FROM ledger.household_key")
    with pytest.raises(psycopg.errors.UniqueViolation):
        connection.execute(
            "INSERT INTO ledger.household_key VALUES (%s, %s)", (H1, bytes(range(68)))
        )
    for order in (
        "UPDATE ledger.household_key SET wrapped = 'x'",
        "TRUNCATE ledger.household_key",
        "INSERT INTO ledger.wrapping VALUES (9, '12345678')",
        "ALTER TABLE ledger.household_key DISABLE TRIGGER ALL",
        "DROP TRIGGER guarded ON ledger.household_key",
    ):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute(order.encode())
    assert keys_of(database) == {H1}


@pytest.mark.parametrize("role", ["mingzhang_writer", "none"])
def test_an_erased_household_gets_no_key_again(ledger: Ledger, database: Any, role: str) -> None:
    [(kept,)] = asked(database, "SELECT wrapped FROM ledger.household_key")
    told(ledger, (controls.erasure(), BUREAU))

    with psycopg.connect(database.owner_dsn, autocommit=True) as connection:
        connection.execute(f"SET ROLE {role}".encode())
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="erased"):
            connection.execute("INSERT INTO ledger.household_key VALUES (%s, %s)", (H1, kept))
    assert keys_of(database) == set()


def test_a_key_wrapped_before_keys_said_their_secret_still_opens(
    database: Any, tmp_path: Path
) -> None:
    """Rows of the first schema are 60 bytes: nonce and sealed key, bound to the household."""
    key, nonce = AESGCM.generate_key(256), b"n" * 12
    old = nonce + AESGCM(database.keys.wrapping).encrypt(nonce, key, H1.bytes)
    with psycopg.connect(database.owner_dsn, autocommit=True) as connection:
        connection.execute("INSERT INTO ledger.household_key VALUES (%s, %s)", (H1, old))
    with conversation(database) as ledger:
        told(ledger, (controls.household(), BUREAU))
        [(_, version, topic, state)] = ledger.log.events_of([H1])
    path = tmp_path / "keys.json"
    database.keys.save(path)

    assert rotate_wrapping(database.owner_dsn, path) == (1, 0)

    vault = Vault(Keys.load(path))
    rows = asked(database, "SELECT household_id, wrapped FROM ledger.household_key")
    vault.unlock(_Shelf({row[0]: bytes(row[1]) for row in rows}), {H1})
    sealed = decode(topic, state).sealed
    assert sealed is not None
    values = vault.unseal(H1, (H1, version, topic), sealed)
    assert values is not None and values["members"][0]["id_no"] == ID_NO

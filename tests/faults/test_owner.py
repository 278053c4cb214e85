"""The owner's hand on what protects and shows the log: keys, facts, the way in; and the service.

The definitions he may change are in tests/application/test_guards.py, each with what is named.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path
from threading import Event, Thread
from typing import Any

import psycopg
import pytest
from support import controls as c
from support.chance import wait_until
from support.county import conversation, drawn
from support.service import Callers, service
from typer.testing import CliRunner

from application.event_store.event_log import utc_now
from application.event_store.guards import NONE_LIVE, SchemaState
from application.personal_data.encryption import Keys, Wrapper
from application.personal_data.household_keys import wrong_keys
from application.personal_data.key_rotation import begin, rewrap, rotate_wrapping
from application.refusals import SchemaAltered
from domain.household import Household
from interface.cli.app import app
from interface.workers import projector, schema_watch
from projections.facts.comparison import wrong_facts
from projections.facts.draw import Projector
from projections.facts.reading import Facts

H1, H2, H3 = (Household.id_for(f"H{n}") for n in (1, 2, 3))
SWALLOW = (
    "CREATE FUNCTION public.swallow() RETURNS trigger LANGUAGE plpgsql AS"
    " 'BEGIN RETURN NULL; END'; CREATE TRIGGER swallow BEFORE INSERT ON {table}"
    " FOR EACH ROW EXECUTE FUNCTION public.swallow()"
)
APPEND_NOTHING = (
    "CREATE OR REPLACE FUNCTION ledger.append(expected bigint, learnt timestamptz, ids uuid[],"
    " versions bigint[], topics text[], organisations text[], refs text[], parts smallint[],"
    " tolds bytea[], states bytea[], macs bytea[]) RETURNS boolean LANGUAGE sql AS 'SELECT true'"
)
LOST_AT_COMMIT = (
    "CREATE FUNCTION public.lose() RETURNS trigger LANGUAGE plpgsql AS"
    " 'BEGIN DELETE FROM ledger.event WHERE position = NEW.position; RETURN NULL; END';"
    "ALTER TABLE ledger.event DISABLE TRIGGER append_only;"
    "CREATE CONSTRAINT TRIGGER lose AFTER INSERT ON ledger.event DEFERRABLE INITIALLY DEFERRED"
    " FOR EACH ROW EXECUTE FUNCTION public.lose();"
    "ALTER FUNCTION public.lose() SECURITY DEFINER"
)


def ordered(dsn: str, *orders: str) -> None:
    with psycopg.connect(dsn, autocommit=True) as owner:
        for order in orders:
            owner.execute(order.encode())


# ---- what is acknowledged was read back ------------------------------------------------


def short(ledger: Any) -> Any:
    return ledger.submit(c.repay(), c.BANK)


def long(ledger: Any) -> Any:
    return ledger.submit(c.household(ref="HH-9", household_no="H9"), c.BUREAU)


@pytest.mark.parametrize(
    ("hand", "told"),
    [
        (APPEND_NOTHING, short),
        (SWALLOW.format(table="ledger.event"), short),
        (SWALLOW.format(table="ledger.event"), long),
        (LOST_AT_COMMIT, short),
        (LOST_AT_COMMIT, long),
        (SWALLOW.format(table="ledger.household_key"), long),
        ("CREATE RULE nothing AS ON DELETE TO ledger.household_key DO INSTEAD NOTHING",
         lambda ledger: ledger.submit(c.erasure(household_no="H2"), c.BUREAU)),
    ],
)  # fmt: skip
def test_what_cannot_be_read_back_is_not_acknowledged(database: Any, hand: str, told: Any) -> None:
    with conversation(database) as ledger:
        ledger.submit(c.household(), c.BUREAU)
        ledger.submit(c.household(ref="HH-2", household_no="H2"), c.BUREAU)
        ledger.submit(c.loan(), c.BANK)
        ordered(database.owner_dsn, hand)
        with pytest.raises(SchemaAltered):
            told(ledger)
        with pytest.raises(SchemaAltered):
            told(ledger)


@pytest.fixture
def callers(database: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callers]:
    monkeypatch.setattr(schema_watch, "PAUSE_SECONDS", 0.1)
    monkeypatch.setattr(schema_watch, "PAUSE_WHILE_ALTERED_SECONDS", 0.1)
    with service(database) as callers:
        yield callers


def health(callers: Callers) -> Any:
    return callers.client.get("/healthz").json()


def test_the_running_service_stops_acknowledging_says_so_and_goes_on_when_it_is_restored(
    database: Any, callers: Callers
) -> None:
    household = c.body(c.household()) | {"ref": "HH-1"}
    assert callers.BUREAU.post("/households", household).status_code == 201
    assert health(callers)["altered"] == []

    ordered(database.owner_dsn, SWALLOW.format(table="ledger.event"))
    wait_until(lambda: health(callers)["status"] == "schema_altered", "it is seen")
    assert any("ledger.event.swallow" in sentence for sentence in health(callers)["altered"])
    loan = c.body(c.loan()) | {"ref": "LN-1"}
    refused = callers.NRCB.post("/loans", loan)
    assert (refused.status_code, refused.json()["code"]) == (503, "schema_altered")
    again = callers.BUREAU.post("/households", household)
    assert again.status_code == 503, "what was told before is not acknowledged either"
    assert "mingzhang_schema_altered 1.0" in callers.client.get("/metrics").text

    ordered(database.owner_dsn, "DROP TRIGGER swallow ON ledger.event")
    wait_until(lambda: health(callers)["status"] == "ok", "it is restored")
    assert callers.NRCB.post("/loans", loan).status_code == 201


def test_an_append_that_stores_nothing_is_refused_before_anybody_compares(
    database: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    with service(database) as callers:
        household = c.body(c.household()) | {"ref": "HH-1"}
        assert callers.BUREAU.post("/households", household).status_code == 201
        assert callers.NRCB.post("/loans", c.body(c.loan()) | {"ref": "LN-1"}).status_code == 201
        wait_until(lambda: health(callers)["status"] == "ok", "the first comparison")
        ordered(database.owner_dsn, APPEND_NOTHING)
        paid = c.body(c.repay()) | {"ref": "RP-1"}
        del paid["loan_no"]
        refused = callers.NRCB.post("/loans/L1/repayments", paid)
        assert (refused.status_code, refused.json()["code"]) == (503, "schema_altered")
        wait_until(lambda: any("ledger.append" in s for s in health(callers)["altered"]), "named")


# ---- start and verify ------------------------------------------------------------------


def run(place: Any, folder: Path, monkeypatch: pytest.MonkeyPatch, *words: str) -> Any:
    if not (folder / "keys.json").exists():
        place.keys.save(folder / "keys.json")
    for name, value in {"DSN": place.dsn, "DATA": str(folder), "PORT": "0"}.items():
        monkeypatch.setenv(f"MINGZHANG_{name}", value)
    monkeypatch.setenv("COLUMNS", "400")
    return CliRunner().invoke(app, list(words))


def test_verify_names_it_and_the_service_does_not_start(
    database: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with conversation(database) as ledger:
        ledger.submit(c.household(), c.BUREAU)
    assert run(database, tmp_path, monkeypatch, "log", "seal").exit_code == 0
    clean = run(database, tmp_path, monkeypatch, "verify")
    assert clean.exit_code == 0, clean.output

    ordered(
        database.owner_dsn,
        APPEND_NOTHING,
        "ALTER TABLE ledger.household_key DISABLE TRIGGER guarded",
        "DELETE FROM ledger.household_key",
        "ALTER TABLE ledger.household_key ENABLE ALWAYS TRIGGER guarded",
    )
    verified = run(database, tmp_path, monkeypatch, "verify")
    assert verified.exit_code == 1
    assert "ledger.append" in verified.output
    assert "H1: 密钥缺失" in verified.output
    started = run(database, tmp_path, monkeypatch, "serve")
    assert started.exit_code == 2
    assert "ledger.append" in started.output
    assert "Traceback" not in started.output
    told = run(database, tmp_path, monkeypatch, "import", str(tmp_path / "x.ndjson"), "--as", "A:b")
    assert told.exit_code == 2


def test_facts_of_an_older_version_are_drawn_anew_at_the_start(
    database: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with conversation(database) as ledger:
        ledger.submit(c.household(), c.BUREAU)
    with drawn(database):
        pass
    number = live(database)
    ordered(
        database.owner_dsn,
        f"DROP TABLE facts_{number}.risk CASCADE",
        f"COMMENT ON SCHEMA facts_{number} IS 'an older one'",
    )
    served = False

    def serve(*_: Any, **__: Any) -> None:
        nonlocal served
        served = True

    monkeypatch.setattr("uvicorn.run", serve)
    started = run(database, tmp_path, monkeypatch, "serve")
    assert started.exit_code == 0, started.output
    assert served
    assert live(database) > number
    assert wrong_facts(database.dsn) == []


# ---- facts -----------------------------------------------------------------------------


def live(place: Any) -> int:
    with psycopg.connect(place.dsn) as connection:
        row = connection.execute("SELECT number FROM projection.generation WHERE live").fetchone()
        assert row is not None
        return int(row[0])


@pytest.fixture(scope="module")
def county(shared_database: Any) -> Any:
    with conversation(shared_database) as ledger:
        for n in (1, 2, 3):
            own = {"household_no": f"H{n}"}
            ledger.submit(c.household(ref=f"HH-{n}", **own), c.BUREAU)
            ledger.submit(
                c.loan(ref=f"LN-{n}", loan_no=f"L{n}", contract_no=f"C{n}", **own), c.BANK
            )
        ledger.submit(c.repay(loan_no="L3"), c.BANK)
    return shared_database


@pytest.mark.parametrize(
    ("hand", "named"),
    [
        ("INSERT INTO {facts}.posting SELECT of_position + 1000, position + 1000, recorded_at,"
         " effective_on, sign, loan_id, account, counter_account, amount_fen FROM {facts}.posting"
         " LIMIT 1", "posting"),
        ("INSERT INTO {facts}.posting SELECT * FROM {facts}.posting LIMIT 1", "posting"),
        ("DELETE FROM {facts}.loan WHERE loan_no = 'L2'", "事实 loan 缺失"),
        ("ALTER TABLE {facts}.loan ENABLE ROW LEVEL SECURITY", "事实 loan 缺失"),
        ("ALTER TABLE {facts}.loan ENABLE ROW LEVEL SECURITY; CREATE POLICY part ON {facts}.loan"
         " USING (loan_no <> 'L2')", "事实 loan 缺失"),
        ("ALTER TABLE {facts}.loan RENAME TO hidden; CREATE VIEW {facts}.loan AS SELECT * FROM"
         " {facts}.hidden WHERE loan_no <> 'L2'; GRANT SELECT ON {facts}.loan TO mingzhang_reader;"
         " GRANT INSERT ON {facts}.loan TO mingzhang_projector", "事实 loan 缺失"),
        ("ALTER TABLE {facts}.loan ADD COLUMN more text", "cannot be compared"),
        ("REVOKE SELECT ON {facts}.loan FROM mingzhang_reader", "cannot be compared"),
        ("UPDATE projection.generation SET position = 3 WHERE live", "set back"),
        ("UPDATE projection.generation SET position = position + 9 WHERE live", "of a log of"),
        ("UPDATE projection.generation SET recorded_at = now() WHERE live", "instant"),
        ("UPDATE projection.generation SET live = false", "no generation of them is live"),
    ],
)  # fmt: skip
def test_facts_that_a_reader_is_shown_and_the_log_does_not_say_are_named(
    county: Any, hand: str, named: str
) -> None:
    with drawn(county):
        pass
    assert wrong_facts(county.dsn) == []
    ordered(county.owner_dsn, hand.replace("{facts}", f"facts_{live(county)}"))
    found = wrong_facts(county.dsn)
    redrawing = Projector(county.dsn)
    redrawing.rebuild()
    redrawing.close()
    assert any(named in str(fact) for fact in found), found
    assert wrong_facts(county.dsn) == []


def test_facts_that_were_shown_and_are_gone_altogether_are_named(database: Any) -> None:
    with conversation(database) as ledger:
        ledger.submit(c.household(), c.BUREAU)
    assert wrong_facts(database.dsn) == [], "nothing was drawn yet, and nobody was shown any"
    with drawn(database):
        pass
    reader = Facts(database.dsn, clock=utc_now)
    with reader.at(date(2023, 1, 1)):
        pass
    reader.close()
    number = live(database)
    ordered(
        database.owner_dsn,
        f"DROP SCHEMA facts_{number} CASCADE",
        "DELETE FROM projection.generation",
    )
    assert any("no generation of them is live" in str(fact) for fact in wrong_facts(database.dsn))


def test_the_worker_reports_that_its_facts_were_taken_out_of_use_and_draws_them_anew(
    database: Any,
) -> None:
    with conversation(database) as ledger:
        ledger.submit(c.household(), c.BUREAU)
    reported: list[str] = []
    state, stopping = SchemaState(), Event()
    words = (database.dsn, stopping, utc_now, lambda s: (reported.append(s), state.report(s)))
    worker = Thread(target=projector.project, args=words)
    worker.start()
    try:
        wait_until(lambda: len(generations(database)) == 1, "the facts are drawn")
        first = generations(database)
        with conversation(database) as ledger:
            ledger.submit(c.loan(), c.BANK)
        wait_until(lambda: drawn_to(database) > 1, "the worker goes on with them")
        ordered(database.owner_dsn, "UPDATE projection.generation SET live = false")
        wait_until(lambda: bool(reported), "it is reported")
        wait_until(lambda: generations(database) not in ([], first), "they are drawn anew")
    finally:
        stopping.set()
        worker.join()
    assert reported == [NONE_LIVE]
    with pytest.raises(SchemaAltered):
        state.assure_unaltered()
    assert wrong_facts(database.dsn) == []


def generations(place: Any) -> list[Any]:
    with psycopg.connect(place.dsn) as connection:
        rows = connection.execute("SELECT number FROM projection.generation WHERE live")
        return [row[0] for row in rows]


def drawn_to(place: Any) -> int:
    with psycopg.connect(place.dsn) as connection:
        row = connection.execute("SELECT position FROM projection.generation WHERE live").fetchone()
        return row[0] if row else 0


def test_a_projector_draws_nothing_into_an_altered_schema(
    database: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with conversation(database) as ledger:
        ledger.submit(c.household(), c.BUREAU)
    with drawn(database):
        pass
    number = live(database)
    with conversation(database) as ledger:
        ledger.submit(c.loan(), c.BANK)
    ordered(database.owner_dsn, SWALLOW.format(table=f"facts_{number}.loan"))
    monkeypatch.setattr(projector, "project", lambda *_: pytest.fail("it began to draw"))
    refused = run(database, tmp_path, monkeypatch, "project")
    assert refused.exit_code == 2
    assert "facts.loan.swallow" in refused.output, refused.output
    assert "Traceback" not in refused.output
    with psycopg.connect(database.dsn) as connection:
        rows = connection.execute("SELECT number, position FROM projection.generation").fetchall()
    assert rows == [(number, 1)], "nothing was drawn"


# ---- household keys --------------------------------------------------------------------

SWAP = (
    "CREATE TEMP TABLE swapped ON COMMIT DROP AS SELECT * FROM ledger.household_key;"
    "DELETE FROM ledger.household_key;"
    "INSERT INTO ledger.household_key SELECT CASE household_id WHEN '{H1}' THEN '{H2}'::uuid"
    " WHEN '{H2}' THEN '{H1}' ELSE household_id END, wrapped FROM swapped"
)
CHANGE = (
    "UPDATE ledger.household_key SET wrapped = set_byte(wrapped, 40, get_byte(wrapped, 40) # 1)"
    " WHERE household_id = '{H1}'"
)


@pytest.mark.parametrize(
    ("hand", "named"),
    [
        (SWAP, {"户 H1: 密钥打不开", "户 H2: 密钥打不开"}),
        (CHANGE, {"户 H1: 密钥打不开"}),
        ("DELETE FROM ledger.household_key WHERE household_id = '{H2}'", {"户 H2: 密钥缺失"}),
        ("INSERT INTO ledger.household_key (household_id, wrapped) SELECT household_id,"
         " 'another!'::bytea || substring(wrapped FROM 9) FROM ledger.household_key"
         " WHERE household_id = '{H3}'", {"户 H3: 有 2 个密钥"}),
        ("INSERT INTO ledger.household_key (household_id, wrapped) SELECT"
         " '00000000-0000-0000-0000-000000000001', wrapped FROM ledger.household_key LIMIT 1",
         {"户 00000000-0000-0000-0000-000000000001: 密钥打不开"}),
        ("INSERT INTO ledger.wrapping (number, wrapping_id) VALUES (1, 'eightbyt')",
         {"包裹密钥更换记录有 1 条，与密钥文件不符", "最后的包裹密钥不在密钥文件中"}),
        ("INSERT INTO ledger.wrapping (number, wrapping_id) VALUES (7, 'eightbyt')",
         {"包裹密钥更换记录有缺", "包裹密钥更换记录有 1 条，与密钥文件不符",
          "最后的包裹密钥不在密钥文件中"}),
    ],
)  # fmt: skip
def test_a_household_without_its_one_key_is_named(county: Any, hand: str, named: set[str]) -> None:
    hand = hand.replace("{H1}", str(H1)).replace("{H2}", str(H2)).replace("{H3}", str(H3))
    with psycopg.connect(county.owner_dsn) as owner:
        assert wrong_keys(owner, lambda: county.keys) == []
        owner.execute("ALTER TABLE ledger.household_key DISABLE TRIGGER USER")
        owner.execute(hand.encode())
        found = wrong_keys(owner, lambda: county.keys)
        owner.rollback()
    assert {sentence.partition(" / ")[0] for sentence in found} == named


def test_an_erased_household_has_no_key_and_a_rotation_is_no_fault(
    database: Any, tmp_path: Path
) -> None:
    file = tmp_path / "keys.json"
    database.keys.save(file)

    def faults() -> list[str]:
        with psycopg.connect(database.owner_dsn, autocommit=True) as owner:
            return wrong_keys(owner, lambda: Keys.load(file))

    with conversation(database) as ledger:
        ledger.submit(c.household(), c.BUREAU)
        ledger.submit(c.household(ref="HH-2", household_no="H2"), c.BUREAU)
        ledger.submit(c.erasure(household_no="H2"), c.BUREAU)
    assert faults() == []
    rotate_wrapping(database.owner_dsn, file)
    assert faults() == []
    rewrap(database.owner_dsn, begin(file))  # interrupted: both secrets are in the file
    assert faults() == []
    rotate_wrapping(database.owner_dsn, file)
    assert faults() == []
    assert Keys.load(file).wrapping_number == 2

    kept = Wrapper(Keys.load(file)).wrap(H2, bytes(32))
    with psycopg.connect(database.owner_dsn, autocommit=True) as owner:
        owner.execute("ALTER TABLE ledger.household_key DISABLE TRIGGER guarded")
        owner.execute(
            "INSERT INTO ledger.household_key (household_id, wrapped) VALUES (%s, %s)", (H2, kept)
        )
        owner.execute("ALTER TABLE ledger.wrapping DISABLE TRIGGER append_only")
        owner.execute("DELETE FROM ledger.wrapping WHERE number = 2")
    [first, second, third] = faults()
    assert first.startswith("户 H2: 已抹除而密钥仍在") or str(H2) in first
    assert second.startswith("包裹密钥更换记录有 1 条")
    assert third.startswith("最后的包裹密钥不在")

"""The console: who gets in, what each role sees, and that its figures are the JSON routes'."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import psycopg
import pyotp
import pytest
from support import controls as c
from support.browser import (
    PASSWORD,
    Browser,
    figures,
    lend_and_pay,
    signed_in,
    without_script,
)
from support.county import ORGANISATIONS
from support.service import Callers, service

from application import people
from application.people import NotAdmitted, People, TooManyAttempts
from domain.roles import Role
from interface.console.dates import read_day, read_instant
from interface.console.menu import MENU
from interface.console.words import LANGUAGES, catalogue
from interface.http.permissions import QUERIES
from projections.red_flags.watching import Watcher

PAGES = (
    "/overview", "/ledgers/loans", "/ledgers/subsidies", "/search", "/subsidy-payments/PAY-1",
    "/ledgers/loans.json", "/ledgers/subsidies.csv",
)  # fmt: skip
NAME = "<script>alert(1)</script>"


@pytest.fixture(scope="module")
def callers(shared_database: Any) -> Iterator[Callers]:
    with service(shared_database) as callers:
        for caller, path, body in (
            (callers.BUREAU, "/households", c.body(c.household()) | {"ref": "HH-1"}),
            (callers.NRCB, "/loans", c.body(c.loan(purpose=NAME)) | {"ref": "LN-1"}),
            (callers.NRCB, "/loans/L1/repayments", c.body(c.repay(), "loan_no") | {"ref": "RP-1"}),
        ):
            assert caller.post(path, body).status_code == 201
        pay = c.pay(period="2023Q3", amount_fen=36_297, effective_on="2023-09-25")
        answer = callers.FINANCE.post(
            "/loans/L1/subsidy-payments", c.body(pay, "loan_no") | {"ref": "PAY-1"}
        )
        assert answer.status_code == 201, answer.text
        callers.AUDIT.get("/ledgers/loans", position=answer.json()["position"])
        yield callers


@pytest.fixture(scope="module")
def secrets(callers: Callers, shared_database: Any) -> dict[str, str]:
    """The secret of the one-time codes of a person of each organisation."""
    return {
        o.code: people.enrol(
            shared_database.owner_dsn, shared_database.keys, o.code, o.code.lower(), NAME, PASSWORD
        )
        for o in ORGANISATIONS
    }


@pytest.fixture(scope="module")
def browsers(callers: Callers, secrets: dict[str, str]) -> dict[str, Browser]:
    """A signed-in browser of each organisation."""
    found = {}
    for code, secret in secrets.items():
        found[code] = Browser(callers)
        answer = found[code].sign_in(code, pyotp.TOTP(secret).now())
        assert answer.status_code == 303, answer.text
    return found


# ---- signing in -------------------------------------------------------------------------


def test_a_stranger_is_sent_to_sign_in_and_comes_back_to_his_page(callers: Callers) -> None:
    stranger = Browser(callers)
    for path in PAGES:
        answer = stranger.get(path)
        assert answer.status_code == 303
        assert answer.headers["location"].startswith("/sign-in?next=%2F")


def test_the_cookie_is_for_this_host_alone_and_no_script_reads_it(
    callers: Callers, browsers: dict[str, Browser]
) -> None:
    answer = browsers["PSBC"].get("/overview")
    assert answer.status_code == 200
    policy = answer.headers["content-security-policy"]
    for word in (
        "default-src 'none'",
        "style-src 'self'",
        "script-src 'self'",
        "form-action 'self'",
    ):
        assert word in policy
    assert "unsafe" not in policy
    assert not re.search(r"<script|<style|style=|\son\w+=", without_script(answer.text))


@pytest.fixture
def person(callers: Callers, shared_database: Any, request: Any) -> tuple[str, str]:
    """A person of his own for one test, and the secret of his codes."""
    name = f"p-{abs(hash(request.node.name))}"
    args = (shared_database.owner_dsn, shared_database.keys, "NRCB", name, "李某", PASSWORD)
    return name, people.enrol(*args)


def send(browser: Browser, person: str, code: str, password: str = PASSWORD, **more: Any) -> Any:
    fields = {"organisation": "NRCB", "person": person, "password": password, "code": code}
    return browser.post("/sign-in", **fields, **more)


def test_a_code_is_accepted_once(callers: Callers, person: tuple[str, str]) -> None:
    name, secret = person
    code = pyotp.TOTP(secret).now()
    answer = send(Browser(callers), name, code)
    assert answer.status_code == 303
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith("__Host-mz=")
    for word in ("HttpOnly", "SameSite=strict", "Secure", "Path=/"):
        assert word in cookie
    assert send(Browser(callers), name, code).status_code == 403


def test_ten_wrong_passwords_make_the_right_one_wait(
    callers: Callers, person: tuple[str, str]
) -> None:
    name, secret = person
    answers = [
        send(Browser(callers), name, "000000", "wrong password").status_code for _ in "x" * 10
    ]
    assert answers == [403] * 5 + [429] * 5
    answer = send(Browser(callers), name, pyotp.TOTP(secret).now())
    assert answer.status_code == 429
    assert int(answer.headers["retry-after"]) > 0


def test_a_form_of_another_site_is_refused(callers: Callers, person: tuple[str, str]) -> None:
    name, secret = person
    code = pyotp.TOTP(secret).now()
    for origin in (None, "https://evil.test", "null"):
        assert send(Browser(callers), name, code, origin=origin).status_code == 403


def test_no_password_travels_over_plain_http(callers: Callers, person: tuple[str, str]) -> None:
    name, secret = person
    plain = Browser(callers, host="http://console.test")
    assert "https" in plain.get("/sign-in").text
    assert 'type="password"' not in plain.get("/sign-in").text
    code = pyotp.TOTP(secret).now()
    assert send(plain, name, code, origin="http://console.test").status_code == 403


def test_a_stolen_cookie_opens_nothing_and_ends_the_session(
    callers: Callers, person: tuple[str, str]
) -> None:
    name, secret = person
    own = Browser(callers)
    send(own, name, pyotp.TOTP(secret).now())
    assert own.get("/overview").status_code == 200
    for thief in (Browser(callers, agent="b"), Browser(callers, host="https://other.test")):
        thief.client.cookies.set("__Host-mz", own.client.cookies["__Host-mz"])
        assert thief.get("/overview").status_code == 303
    assert own.get("/overview").status_code == 303


def test_a_session_that_another_window_ended_is_over(
    callers: Callers, person: tuple[str, str], shared_database: Any
) -> None:
    name, secret = person
    own = Browser(callers)
    send(own, name, pyotp.TOTP(secret).now())
    assert own.post("/sessions").status_code == 403
    assert own.send("/sessions", "/sessions").status_code == 303
    assert own.get("/overview").status_code == 303
    people.enrol(shared_database.owner_dsn, shared_database.keys, "NRCB", name, "李某", PASSWORD)


def test_a_disabled_person_is_out_at_once(
    callers: Callers, person: tuple[str, str], shared_database: Any
) -> None:
    name, secret = person
    own = Browser(callers)
    send(own, name, pyotp.TOTP(secret).now())
    assert people.disable(shared_database.owner_dsn, "NRCB", name) == 1
    assert own.get("/overview").status_code == 303
    later = pyotp.TOTP(secret).at(datetime.now(UTC) + timedelta(seconds=30))
    assert send(Browser(callers), name, later).status_code == 403


def test_a_session_ends_when_it_is_idle_and_at_the_latest_after_ten_hours(
    callers: Callers, person: tuple[str, str], shared_database: Any
) -> None:
    name, secret = person
    now = datetime.now(UTC)
    found = People(shared_database.dsn, shared_database.keys, lambda: now)
    found.open()
    try:
        with pytest.raises(NotAdmitted):
            found.sign_in("NRCB", name, PASSWORD, "12345x", "1", b"b")
        token = found.sign_in("NRCB", name, PASSWORD, pyotp.TOTP(secret).at(now), "1", b"b")
        for _ in range(19):
            now += timedelta(minutes=29)
            assert found.session(token, b"b")
        now += timedelta(minutes=29) * 2
        assert found.session(token, b"b") is None
        now += timedelta(hours=12)
        token = found.sign_in("NRCB", name, PASSWORD, pyotp.TOTP(secret).at(now), "1", b"b")
        now += timedelta(minutes=31)
        assert found.session(token, b"b") is None
        for _ in range(5):
            with pytest.raises(NotAdmitted):
                found.sign_in("NRCB", "nobody", PASSWORD, "000000", "2", b"b")
        with pytest.raises(TooManyAttempts):
            found.sign_in("NRCB", "nobody", PASSWORD, "000000", "2", b"b")
        now += timedelta(minutes=15)
        with pytest.raises(NotAdmitted):
            found.sign_in("NRCB", "nobody", PASSWORD, "000000", "2", b"b")
    finally:
        found.close()


def test_a_session_whose_days_lie_in_the_future_is_over(
    callers: Callers, person: tuple[str, str], shared_database: Any
) -> None:
    name, secret = person
    own = Browser(callers)
    for column in ("seen_at", "begun_at"):
        step = datetime.now(UTC) + timedelta(seconds=30 * (column == "begun_at"))
        assert send(own, name, pyotp.TOTP(secret).at(step)).status_code == 303
        assert own.get("/overview").status_code == 200
        with psycopg.connect(shared_database.owner_dsn) as owner:
            owner.execute(
                f"UPDATE console.session SET {column} = now() + interval '10 years'"
                " WHERE person = %s AND ended_at IS NULL".encode(),
                (name,),
            )
        assert own.get("/overview").status_code == 303, column


def test_a_session_that_the_owner_of_the_database_writes_opens_nothing(
    callers: Callers, person: tuple[str, str], secrets: dict[str, str], shared_database: Any
) -> None:
    assert "AUDIT" in secrets, "there is an auditor whose session it could become"
    name, secret = person
    own = Browser(callers)
    assert send(own, name, pyotp.TOTP(secret).now()).status_code == 303
    forger, forged = Browser(callers), "forged"
    with psycopg.connect(shared_database.owner_dsn) as owner:
        owner.execute(
            "INSERT INTO console.session SELECT %s, organisation, person, browser_hash, begun_at,"
            " seen_at FROM console.session WHERE person = %s AND ended_at IS NULL",
            (hashlib.sha256(forged.encode()).digest(), name),
        )
    forger.client.cookies.set("__Host-mz", forged)
    assert forger.get("/overview").status_code == 303
    assert own.get("/overview").status_code == 200
    with psycopg.connect(shared_database.owner_dsn) as owner:
        owner.execute(
            "UPDATE console.session SET organisation = 'AUDIT', person = 'audit'"
            " WHERE person = %s AND ended_at IS NULL",
            (name,),
        )
    assert own.get("/overview").status_code == 303


def test_the_secret_of_anothers_codes_admits_nobody(
    callers: Callers, person: tuple[str, str], shared_database: Any
) -> None:
    """Who owns the database knows a secret of his own, and writes it into another's row."""
    name, _ = person
    own = people.enrol(
        shared_database.owner_dsn, shared_database.keys, "NRCB", "own", "王某", PASSWORD
    )
    with psycopg.connect(shared_database.owner_dsn) as owner:
        owner.execute(
            "UPDATE console.person SET (password, code_secret) = (SELECT password, code_secret"
            " FROM console.person WHERE person = 'own') WHERE person = %s",
            (name,),
        )
    answer = send(Browser(callers), name, pyotp.TOTP(own).now())
    assert answer.status_code == 403
    assert "set-cookie" not in answer.headers


def test_a_password_costs_64_mebibytes(password_hasher: Any) -> None:
    assert password_hasher.hash(PASSWORD).startswith("$argon2id$v=19$m=65536,t=3,p=4$")


def test_a_person_needs_an_organisation_and_a_long_password(shared_database: Any) -> None:
    owner, keys = shared_database.owner_dsn, shared_database.keys
    with pytest.raises(people.PersonUnknown):
        people.enrol(owner, keys, "NOBODY", "x", "x", PASSWORD)
    with pytest.raises(people.PasswordTooShort):
        people.enrol(owner, keys, "NRCB", "x", "x", "short")


def test_a_cookie_opens_no_json_route(callers: Callers, browsers: dict[str, Browser]) -> None:
    assert browsers["AUDIT"].get("/v1/ledgers/loans").status_code == 401


def test_nobody_signs_in_with_one_click_where_the_data_are_real(callers: Callers) -> None:
    stranger = Browser(callers)
    assert "示范" not in stranger.get("/sign-in").text
    answer = stranger.post("/sign-in", organisation="AUDIT", person="audit", demo="1")
    assert answer.status_code == 403


def test_after_signing_in_nobody_is_sent_to_another_site(
    callers: Callers, person: tuple[str, str]
) -> None:
    name, secret = person
    answer = send(Browser(callers), name, pyotp.TOTP(secret).now(), next="//evil.test/x")
    assert answer.headers["location"] == "/"


# ---- rights -----------------------------------------------------------------------------


@pytest.mark.parametrize("path", PAGES)
def test_each_role_sees_of_a_page_what_it_sees_of_its_route(
    callers: Callers, browsers: dict[str, Browser], path: str
) -> None:
    routes = {
        "/overview": "/ledgers/loans",
        "/search": "/subsidy-payments/PAY-1/trace",
        "/subsidy-payments/PAY-1": "/subsidy-payments/PAY-1/trace",
    }
    route = routes.get(path, path.partition(".")[0])
    for organisation in ORGANISATIONS:
        code = organisation.code
        status = getattr(callers, code).get(route).status_code
        own_page = path in ("/overview", "/search")  # each finds its own there, or nothing
        wanted = 200 if own_page and organisation.role != Role.ADMIN else status
        assert browsers[code].get(path).status_code == wanted, code


def test_a_page_shows_the_rows_of_its_reader_alone(browsers: dict[str, Browser]) -> None:
    seen = {
        code: ">L1<" in browser.get("/ledgers/loans").text for code, browser in browsers.items()
    }
    assert seen["NRCB"] and seen["T01"] and seen["AUDIT"]
    assert not (seen["PSBC"] or seen["T02"] or seen["DB"])


def test_the_menu_is_the_permission_table(callers: Callers, browsers: dict[str, Browser]) -> None:
    pages = {route.path for route in callers.client.app.router.routes}  # type: ignore[attr-defined]
    for organisation in ORGANISATIONS:
        role = Role(organisation.role)
        text = browsers[organisation.code].get("/sessions").text
        for word, items in MENU.items():
            open_ones = [
                each.address
                for each in items
                if each.address in pages
                and (each.query is None or QUERIES[each.query].get(role, "-") != "-")
            ]
            link = f">{catalogue('zh')[f'menu.{word}']}</a>"
            assert (link in text) == bool(open_ones), (organisation.code, word)
            if open_ones:
                assert f'href="{open_ones[0]}"' in text
            if len(open_ones) > 1:
                within = browsers[organisation.code].get(open_ones[0])
                if within.status_code == 303:  # the address gets its bounds
                    within = browsers[organisation.code].get(within.headers["location"])
                assert all(f'<a href="{address}"' in within.text for address in open_ones)


# ---- the same truth ---------------------------------------------------------------------


def test_the_figures_of_a_ledger_are_those_of_its_route(
    callers: Callers, browsers: dict[str, Browser]
) -> None:
    for ledger in ("loans", "subsidies"):
        [line] = callers.AUDIT.get(f"/ledgers/{ledger}").json()["lines"]
        told = {key: value for key, value in line.items() if key.endswith("_fen")}
        answer = browsers["AUDIT"].get(f"/ledgers/{ledger}", cols=",".join(told))
        assert figures(answer.text)[: len(told)] == list(told.values())
        [same] = (
            browsers["AUDIT"].get(f"/ledgers/{ledger}.json", cols=",".join(told)).json()["lines"]
        )
        assert same == told


def test_the_figures_of_a_payment_are_those_of_its_trace(
    callers: Callers, browsers: dict[str, Browser]
) -> None:
    trace = callers.AUDIT.get("/subsidy-payments/PAY-1/trace").json()
    found = figures(browsers["AUDIT"].get("/subsidy-payments/PAY-1").text)
    assert found[0] == trace["payment"]["content"]["amount_fen"] == 36_297
    assert found[1] == trace["calculation"]["amount_fen"]
    for segment in trace["calculation"]["segments"]:
        assert segment["principal_fen"] in found


def test_the_figures_of_the_overview_are_those_of_the_townships_report(
    callers: Callers, browsers: dict[str, Browser]
) -> None:
    told = callers.AUDIT.get("/reports/townships", as_of="2023-12-31").json()["lines"][-1]
    found = figures(browsers["AUDIT"].get("/overview", as_of="2023-12-31").text)
    assert found[:3] == [told[key] for key in ("outstanding_fen", "new_fen", "overdue_fen")]
    assert found[0] == 3_000_000


def test_the_overview_says_what_the_red_flags_found_though_no_event_was_recorded_since(
    database: Any,
) -> None:
    with service(database, watching=False) as callers:
        lend_and_pay(callers)
        browser = signed_in(callers, database)["AUDIT"]
        told = catalogue("zh")["overview.flag_not_checked"]
        assert told in browser.get("/overview").text
        watcher = Watcher(database.dsn, lambda: datetime.now(UTC))
        while watcher.step():
            pass
        watcher.close()
        assert told not in browser.get("/overview").text


def test_a_file_has_the_columns_of_the_page_in_their_order(browsers: dict[str, Browser]) -> None:
    answer = browsers["AUDIT"].get("/ledgers/loans.csv", cols="loan_no,outstanding_fen")
    assert answer.status_code == 200
    head = answer.content.decode("utf-8-sig").splitlines()[0]
    assert head.index("loan_no") < head.index("outstanding_")
    assert "purpose" not in head


def test_what_is_at_both_dates_is_seen_and_no_more(browsers: dict[str, Browser]) -> None:
    before = browsers["AUDIT"].get("/subsidy-payments/PAY-1", known_at="2020-01-01T00:00:00Z")
    assert before.status_code == 404
    empty = browsers["AUDIT"].get("/ledgers/loans", as_of="2020-01-01")
    assert "截至 2020-01-01" in empty.text
    assert "没有筛选任何条件" in empty.text
    assert "看最新的日子" in empty.text


# ---- addresses and bad input ------------------------------------------------------------


def test_an_unknown_parameter_is_named(browsers: dict[str, Browser]) -> None:
    for path in ("/overview", "/ledgers/loans", "/subsidy-payments/PAY-1", "/search"):
        answer = browsers["AUDIT"].get(path, asof="2023-12-31")
        assert answer.status_code == 400
        assert answer.headers["content-type"].startswith("text/html")
        assert "asof" in answer.text


@pytest.mark.parametrize(
    ("query", "address"),
    [
        ({"as_of": "2023Q4"}, "as_of=2023-12-20"),
        ({"as_of": "2023-02"}, "as_of=2023-02-28"),
        ({"as_of": "2023年1月5日"}, "as_of=2023-01-05"),
        ({"as_of": "今日", "bank": "NRCB"}, "bank=NRCB"),
        ({"known_at": "2024-02-05 18:00"}, "known_at=2024-02-05T10%3A00%3A00Z"),
        ({"known_at": "今日", "bank": "NRCB"}, "bank=NRCB"),
        ({"township": "", "bank": "NRCB"}, "bank=NRCB"),
    ],
)
def test_one_state_has_one_address(
    browsers: dict[str, Browser], query: dict[str, str], address: str
) -> None:
    answer = browsers["AUDIT"].get("/ledgers/loans", **query)
    assert answer.status_code == 303
    assert answer.headers["location"] == f"/ledgers/loans?{address}"
    assert browsers["AUDIT"].get(answer.headers["location"]).status_code == 200


@pytest.mark.parametrize(
    ("query", "status", "named"),
    [
        ({"as_of": "2023-02-30"}, 400, "2023-02-30"),
        ({"as_of": "<b>"}, 400, "&lt;b&gt;"),
        ({"known_at": "yesterday"}, 400, "yesterday"),
        ({"cols": "loan_no,nothing"}, 400, "nothing"),
        ({"bank": "NOWHERE"}, 422, "NOWHERE"),
        ({"cursor": "x"}, 422, "cursor_malformed"),
        ({"cursor": "WyIxIl0"}, 422, "cursor_malformed"),
        ({"as_of": "9999-12-31"}, 400, "9999-12-31"),
    ],
)
def test_what_cannot_be_shown_is_said_on_a_page(
    browsers: dict[str, Browser], query: dict[str, str], status: int, named: str
) -> None:
    answer = browsers["AUDIT"].get("/ledgers/loans", **query)
    assert answer.status_code == status, answer.text
    assert named in answer.text
    assert "<b>" not in answer.text


def test_a_foreign_payment_is_as_one_that_does_not_exist(browsers: dict[str, Browser]) -> None:
    foreign = browsers["PSBC"].get("/subsidy-payments/PAY-1")
    unknown = browsers["PSBC"].get("/subsidy-payments/PAY-2")
    assert foreign.status_code == unknown.status_code == 404
    assert foreign.text.replace("PAY-1", "") == unknown.text.replace("PAY-2", "")


def test_what_somebody_wrote_never_becomes_markup(browsers: dict[str, Browser]) -> None:
    for path in PAGES[:5]:
        for language in LANGUAGES:
            text = browsers["NRCB"].get(path, lang=language).text
            assert "<script" not in without_script(text)
    assert "&lt;script&gt;" in browsers["NRCB"].get("/ledgers/loans").text


def test_a_number_opens_its_page(browsers: dict[str, Browser]) -> None:
    for asked, address in (
        ("PAY-1", "/subsidy-payments/PAY-1"),
        ("L1", "/loans/NRCB/L1"),
        ("H1", "/households/H1"),
    ):
        answer = browsers["AUDIT"].get("/search", q=asked)
        assert (answer.status_code, answer.headers.get("location")) == (303, address)
    assert "没有找到" in browsers["PSBC"].get("/search", q="PAY-1").text


def test_the_style_sheet_is_kept_and_small(callers: Callers, browsers: dict[str, Browser]) -> None:
    page = browsers["AUDIT"].get("/overview").text
    [address] = re.findall(r'href="(/static/[^"]+\.css)"', page)
    sheet = Browser(callers).get(address)
    assert sheet.headers["content-type"].startswith("text/css")
    assert "immutable" in sheet.headers["cache-control"]
    assert len(sheet.content) + len(page) < 100_000


def test_dates_are_read_as_people_write_them() -> None:
    today = date(2024, 2, 5)
    for text in ("2023-12-31", "20231231", "2023/12/31", "2023年12月31日", "2023-12"):
        assert read_day(text, today) == date(2023, 12, 31), text
    for text in ("", "12-31", "2023-13", "2023Q5", "1989-12-31", "2035-01-01", "明日"):
        assert read_day(text, today) is None, text
    now = datetime(2024, 2, 5, tzinfo=UTC)
    assert read_instant("2024-02-05", now) == datetime(2024, 2, 5, 15, 59, 59, 999_999, UTC)
    for text in ("2024-02-05 24:00", "0001-01-01T00:00:00+14:00", "x"):
        assert read_instant(text, now) is None, text


# ---- an empty county, and a demo --------------------------------------------------------


def test_an_empty_demo_county_speaks_and_offers_its_persons(database: Any) -> None:
    with service(database, demo=True) as callers:
        people.enrol_for_demo(database.owner_dsn, [("AUDIT", "audit-demo", "张某")])
        browser = Browser(callers)
        form = browser.get("/sign-in").text
        assert "示范数据" in form and "张某" in form
        answer = browser.post("/sign-in", organisation="AUDIT", person="audit-demo", demo="1")
        assert answer.status_code == 303
        callers.AUDIT.get("/ledgers/loans")
        for path, said in (
            ("/overview", "还没有贷款"),
            ("/ledgers/loans", "日志里还没有事件"),
            ("/ledgers/subsidies", "日志里还没有事件"),
        ):
            page = browser.awaited(path)
            assert page.status_code == 200, page.text
            assert said in page.text
            assert "示范数据" in page.text
        wrong = browser.sign_in("AUDIT", "000000")
        assert wrong.status_code == 403

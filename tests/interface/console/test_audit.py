"""The auditor's desk: who may what, jobs from beginning to end, a paper checked, help."""

from __future__ import annotations

import html
import re
import zipfile
from datetime import UTC, datetime
from io import BytesIO
from time import sleep
from typing import Any
from urllib.parse import unquote

import psycopg
import pytest
from support.browser import HOST, Browser, signed_in
from support.chance import wait_until
from support.county import ORGANISATIONS
from support.refusals import refusals
from support.service import Callers, service

from application.event_store.migrations import PINNED
from application.jobs import OPTIONS, JobRuns, Jobs
from application.transparency_log.witnessing import Signed
from domain.calendar import civil_day
from domain.kernel import Author
from domain.roles import Role
from interface.console import help_pages
from interface.console.words import LANGUAGES, Words, catalogue
from interface.html import environment
from projections.loan_ledger.columns import COLUMNS as LOANS

AUDITOR = Author(Role.AUDITOR, "AUDIT", "audit")
FILES = ("log.bin", "facts.zip", "policy.txt", "checkpoint.txt", "verify.zip")


def text_of(answer: Any) -> str:
    main = answer.text.partition("<main")[2]
    return html.unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", main)))


def begin(browser: Browser, **fields: str) -> str:
    answer = browser.send("/audit", "/audit/jobs", **fields)
    assert answer.status_code == 303, answer.text
    return str(answer.headers["location"])


def ended(browser: Browser, address: str) -> Any:
    """The job's page, when the job has ended."""
    answer = browser.awaited(address)
    assert answer.status_code == 200, answer.text
    return answer


def sealed(browser: Browser) -> None:
    wait_until(lambda: "全部已封存" in browser.get("/audit").text, "all is sealed")


# ---- rights -----------------------------------------------------------------------------


def test_each_role_sees_its_part_of_the_desk(browsers: dict[str, Browser]) -> None:
    for organisation in ORGANISATIONS:
        code, role = organisation.code, Role(organisation.role)
        answer = browsers[code].get("/audit")
        assert answer.status_code == 200, code
        assert ('action="/audit/jobs"' in answer.text) == (role is Role.AUDITOR), code
        assert ("log.bin" in answer.text) == (role is Role.AUDITOR), code
        county = role in (Role.AUDITOR, Role.CENTRE, Role.BUREAU, Role.FINANCE)
        assert ("任务" in answer.text.partition("<main")[2]) == county, code


def test_what_is_the_auditors_is_refused_to_others(browsers: dict[str, Browser]) -> None:
    for code, browser in browsers.items():
        wanted = 200 if code == "AUDIT" else 403
        for name in FILES:
            assert browser.get(f"/audit/{name}").status_code == wanted, (code, name)
        looks = 200 if code in ("AUDIT", "BUREAU") else 403
        assert browser.get("/audit/personal").status_code == looks, code
    token = re.findall(r'action="/sign-out"><input[^>]*value="(\w+)"',
                       browsers["NRCB"].get("/audit").text)[0]  # fmt: skip
    assert browsers["NRCB"].post("/audit/jobs", token=token, kind="verify").status_code == 403


def test_a_form_of_another_session_or_page_begins_nothing(browsers: dict[str, Browser]) -> None:
    page = browsers["AUDIT"].get("/audit").text
    [own] = set(re.findall(r'action="/audit/jobs".*?name="token" value="(\w+)"', page))
    other = re.findall(r'action="/sign-out"><input[^>]*value="(\w+)"', page)[0]
    for token in ("", other, own[:-1] + ("0" if own[-1] != "0" else "1")):
        answer = browsers["AUDIT"].post("/audit/jobs", token=token, kind="verify")
        assert answer.status_code == 403
    assert browsers["AUDIT"].post("/audit/jobs", None, token=own, kind="verify").status_code == 403
    assert browsers["AUDIT"].post(
        "/audit/jobs", "https://evil.test", token=own, kind="verify"
    ).status_code == 403  # fmt: skip
    assert "还没有做过任务" in text_of(browsers["AUDIT"].get("/audit"))


# ---- jobs -------------------------------------------------------------------------------


def test_the_log_is_verified_and_the_facts_are_compared(
    callers: Callers, browsers: dict[str, Browser]
) -> None:
    sealed(browsers["AUDIT"])
    verified = text_of(ended(browsers["AUDIT"], begin(browsers["AUDIT"], kind="verify")))
    last = callers.AUDIT.get("/log").json()["position"]
    assert f"查过事件 {last} 条，其中已封存 {last} 条" in verified
    assert "事件 #" not in verified
    compared = text_of(ended(browsers["AUDIT"], begin(browsers["AUDIT"], kind="facts")))
    assert "完全一致" in compared
    seen = text_of(browsers["CENTRE"].get("/audit"))
    assert "重画事实并比较" in seen  # others read what was found


def test_a_ledger_is_rebuilt_and_compared(callers: Callers, browsers: dict[str, Browser]) -> None:
    fields = {"kind": "rebuild", "ledger": "loans", "as_of": "2023-12-31"}
    address = begin(browsers["AUDIT"], **fields, vs_known_at="2020-01-01")
    answer = ended(browsers["AUDIT"], address)
    [line] = callers.AUDIT.get("/ledgers/loans", as_of="2023-12-31").json()["lines"]
    figures = [int(fen) for fen in re.findall(r'data-fen="(-?\d+)"', answer.text)]
    sums = [line[column.key] for column in LOANS if column.kind == "fen"]
    assert set(sums) <= set(figures)
    assert "1 行不同" in text_of(answer)
    digest = re.findall(r"\b[0-9a-f]{64}\b", answer.text)
    again = ended(browsers["AUDIT"], begin(browsers["AUDIT"], **fields))
    assert re.findall(r"\b[0-9a-f]{64}\b", again.text) == digest


@pytest.mark.parametrize(
    "fields",
    [
        {"kind": "x"},
        {"kind": "rebuild", "ledger": "loans", "as_of": "2023-02-30"},
        {"kind": "rebuild", "ledger": "x", "as_of": "2023-02-01"},
        {"kind": "rebuild", "ledger": "loans", "as_of": "2023-02-01", "known_at": "soon"},
    ],
)
def test_a_job_that_cannot_be_is_refused(
    browsers: dict[str, Browser], fields: dict[str, str]
) -> None:
    assert browsers["AUDIT"].send("/audit", "/audit/jobs", **fields).status_code == 400
    assert browsers["AUDIT"].get("/audit/jobs/999").status_code == 404


def test_one_job_at_a_time_and_one_whose_service_ended_says_so(
    callers: Callers, browsers: dict[str, Browser], shared_database: Any
) -> None:
    clock = callers.client.app.state.service.clock
    page = browsers["AUDIT"].get("/audit").text
    token = re.findall(r'action="/audit/jobs".*?name="token" value="(\w+)"', page)[0]
    with psycopg.connect(shared_database.dsn, options=OPTIONS, autocommit=True) as held:
        number = Jobs(held, clock).begin("verify", {}, AUDITOR)
        running = browsers["AUDIT"].get(f"/audit/jobs/{number}")
        assert running.headers["refresh"] == "2"
        assert "进行中" in text_of(running)
        assert "开始" not in text_of(browsers["AUDIT"].get("/audit"))
        second = browsers["AUDIT"].post("/audit/jobs", HOST, token=token, kind="verify")
        assert second.status_code == 409
        with (
            psycopg.connect(shared_database.dsn, options=OPTIONS, autocommit=True) as other,
            pytest.raises(JobRuns),
        ):
            Jobs(other, clock).begin("verify", {}, AUDITOR)
        stop = f"/audit/jobs/{number}/stop"
        assert browsers["AUDIT"].send(f"/audit/jobs/{number}", stop).status_code == 303
        assert _row(shared_database, "stop_asked", number) is True
    after = browsers["AUDIT"].get(f"/audit/jobs/{number}")  # its service's connection is gone
    assert "随服务结束" in text_of(after)
    assert "refresh" not in after.headers


def test_a_job_that_is_asked_to_stop_stops(callers: Callers, shared_database: Any) -> None:
    worker = callers.client.app.state.service.jobs
    before = worker._rebuilt

    def slow(asked: Any, told: Any) -> dict[str, Any]:
        while True:  # until it is stopped
            told(1, 2)
            sleep(0.02)

    worker._rebuilt = slow
    try:
        number = worker.begin("rebuild", {"ledger": "loans", "as_of": "2023-12-31",
                                          "known_at": "2024-01-01T00:00:00Z"}, AUDITOR)  # fmt: skip
        with worker.jobs() as jobs:
            jobs.ask_to_stop(number)
        wait_until(lambda: _row(shared_database, "state", number) != "running", "the job ends")
        assert _row(shared_database, "state", number) == "stopped"
    finally:
        worker._rebuilt = before


def _row(database: Any, column: str, number: int) -> Any:
    with psycopg.connect(database.owner_dsn, options=PINNED) as connection:
        query = f"SELECT {column} FROM console.job WHERE number = {number}".encode()
        row = connection.execute(query).fetchone()
    assert row is not None
    return row[0]


# ---- a paper, downloads, lists ----------------------------------------------------------


def test_a_paper_is_checked_by_its_address_or_by_its_checkpoint(
    browsers: dict[str, Browser],
) -> None:
    browser = browsers["AUDIT"]
    sealed(browser)
    printed = re.search(r'/qr\.svg\?of=([^"]+)"', browser.get("/ledgers/loans").text)
    assert printed is not None
    address = unquote(html.unescape(printed[1]))
    answer = browser.get("/audit/paper", of=f"https://anywhere.test{address}\n")
    assert answer.status_code == 303
    assert answer.headers["location"].startswith("/ledgers/loans?")
    assert "相符" in browser.get(answer.headers["location"]).text
    digest = re.findall("digest=([^&.]+)", address)[0]
    bare = re.sub(r"&(digest|checkpoint)=[^&]+", "", address)
    typed = browser.get("/audit/paper", of=bare, mark=digest)
    assert "相符" in browser.get(typed.headers["location"]).text
    for wrong in (bare, "https://[", "x"):
        assert browser.get("/audit/paper", of=wrong).status_code == 400, wrong
    note = browser.get("/audit/checkpoint.txt").text
    size, root = note.split("\n")[1:3]
    for said in (note, f"{size} {root}", f"{size},{root}"):
        assert "仍在日志里" in browser.get("/audit/paper", note=said).text
    other = ("A" if root[0] != "A" else "B") + root[1:]
    assert "不在日志里" in browser.get("/audit/paper", note=f"{size} {other}").text
    assert "不在日志里" in browser.get("/audit/paper", note=f"99999 {root}").text
    assert browser.get("/audit/paper", note="nothing").status_code == 400


def test_what_is_taken_away_is_whole(callers: Callers, browsers: dict[str, Browser]) -> None:
    taken = {name: browsers["AUDIT"].get(f"/audit/{name}").content for name in FILES}
    assert taken["log.bin"].startswith(b"PGCOPY")
    assert taken["checkpoint.txt"].decode() == callers.AUDIT.get("/log/checkpoint").text
    assert taken["policy.txt"].decode() == callers.AUDIT.get("/log/witness").text
    assert "loan.ndjson" in zipfile.ZipFile(BytesIO(taken["facts.zip"])).namelist()
    assert "verify.py" in zipfile.ZipFile(BytesIO(taken["verify.zip"])).namelist()
    assert browsers["AUDIT"].get("/audit/other.bin").status_code == 404


def test_checkpoints_and_unknown_parameters(browsers: dict[str, Browser]) -> None:
    sealed(browsers["AUDIT"])
    answer = browsers["NRCB"].get("/audit/checkpoints")
    assert answer.status_code == 200
    assert re.findall(r"[0-9a-f]{16}…", answer.text)
    assert "还没有检查点" in browsers["NRCB"].get("/audit/checkpoints", below="1").text
    for path in ("/audit", "/audit/checkpoints", "/audit/personal", "/audit/paper", "/help"):
        assert browsers["AUDIT"].get(path, asof="2023-12-31").status_code == 400, path


def test_a_checkpoint_of_the_list_leads_to_its_whole_root_and_note(
    callers: Callers, browsers: dict[str, Browser]
) -> None:
    browser = browsers["NRCB"]
    sealed(browsers["AUDIT"])
    rows = re.findall(
        r'<a href="(/audit/checkpoints/[0-9]+)" title="([0-9a-f]{64})">',
        browser.get("/audit/checkpoints").text,
    )
    assert rows
    address, root = rows[0]
    shown = text_of(browser.get(address))
    assert root in shown.replace(" ", "")
    assert callers.AUDIT.get("/log/checkpoint").text.splitlines()[0] in shown
    assert browser.get("/audit/checkpoints/999999").status_code == 404


def test_each_checkpoint_says_of_each_witness_whether_it_cosigned() -> None:
    def row(size: int, cosigned: list[bool]) -> Signed:
        return Signed(size, datetime(2024, 1, 1, tzinfo=UTC), "ab" * 32, cosigned)

    shown = environment.get_template("console/checkpoint_table.html").render(
        w=Words("zh"),
        parts=environment.get_template("console/parts.html").module,
        checkpoints=[row(9, [False]), row(5, [True]), row(3, [False])],
        witness_names=["纪委"],
        witness_sizes=[5],
        checkpoint_address=lambda size: f"/audit/checkpoints/{size}",
        in_china=str,
    )
    assert re.findall(r'class="tag (\w+)"><i></i>([^<]+)', shown) == [
        ("pending", "待签"),
        ("done", "已签"),
        ("none", "未签"),
    ]


def test_looks_and_erasures_are_listed_with_their_reasons(
    callers: Callers, browsers: dict[str, Browser]
) -> None:
    before = text_of(browsers["AUDIT"].get("/audit/personal"))
    assert "没有人看过明文" in before
    assert "没有销毁过" in before
    today = str(civil_day(callers.client.app.state.service.clock()))
    reason = "<script>核对"
    look = {"ref": "LK-1", "effective_on": today, "reason": reason}
    answer = callers.BUREAU.post("/households/H1/looks", look)
    assert answer.status_code in (200, 201), answer.text
    page = browsers["AUDIT"].get("/audit/personal")
    assert reason in text_of(page)
    assert reason not in page.text


# ---- help -------------------------------------------------------------------------------


def test_every_word_and_every_refusal_has_its_help(browsers: dict[str, Browser]) -> None:
    assert len(help_pages.terms()) > 300
    slugs = {term.slug for term in help_pages.terms()}
    assert all(re.fullmatch(r"[a-z0-9-]{1,100}", slug) for slug in slugs)
    word = browsers["ADMIN"].get("/help/household")
    assert word.status_code == 200
    assert "由乡村振兴局登记" in word.text
    assert browsers["NRCB"].get("/help/no-such-word").status_code == 404
    assert {each.code for each in help_pages.refusals()} == {kind.CODE for kind in refusals()}
    text = browsers["NRCB"].get("/help/refusals").text
    for kind in refusals():
        assert f'id="{kind.CODE}"' in text


def test_a_word_is_explained_in_the_readers_language(browsers: dict[str, Browser]) -> None:
    browser = browsers["T01"]
    page = browser.get("/help", lang="zh").text
    assert "由财政承担的一部分贷款利息" in page
    assert "interest of a loan that the treasury bears" not in page
    assert "The programme" not in page
    assert "由财政承担的一部分贷款利息" in browser.get("/help/interest-subsidy", lang="zh").text
    english = browser.get("/help/interest-subsidy", lang="en").text
    assert "interest of a loan that the treasury bears" in english
    browser.get("/help", lang="zh")


def test_every_desk_has_a_guide_in_both_languages(browsers: dict[str, Browser]) -> None:
    for language in LANGUAGES:
        said = catalogue(language)
        for desk in help_pages.DESKS:
            assert f"help.{desk}_1_q" in said, desk
            page = browsers["T01"].get(f"/help/desk-{desk}", lang=language)
            assert page.status_code == 200
            assert said[f"help.{desk}_1_q"] in html.unescape(page.text)
    assert browsers["T01"].get("/help/desk-mayor").status_code == 404
    assert browsers["T01"].get("/help/keys").status_code == 200
    found = browsers["T01"].get("/help", q="贷款市场报价", lang="zh")
    assert "LPR" in found.text
    assert "没有“zzz”" in browsers["T01"].get("/help", q="zzz", lang="zh").text


def test_a_county_without_events_speaks(database: Any) -> None:
    with service(database) as callers:
        browser = signed_in(callers, database)["AUDIT"]
        callers.AUDIT.get("/ledgers/loans")
        assert "还没有检查点" in browser.get("/audit").text
        assert browser.get("/audit/checkpoints").status_code == 200
        assert browser.get("/audit/log.bin").status_code == 200
        assert browser.get("/audit/personal").status_code == 200

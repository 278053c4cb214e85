"""The trace of a payment: then and now, the fen, the days, the proof; and its papers."""

from __future__ import annotations

import base64
import gzip
import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from support import controls as c
from support.browser import Browser, figures, lend_and_pay, signed_in
from support.service import Callers, service

from application.transparency_log.merkle import HASHES, inclusion_steps
from application.transparency_log.notes import parse_checkpoint
from domain.catalogue import EVENTS
from interface.console.drawing.two_dates import MOST, Dated, two_dates
from interface.console.silences import silences
from interface.console.timeline import fields_of
from interface.console.words import LANGUAGES, Words, catalogue

PAGE = "/subsidy-payments/PAY-1"
RESTS = ("", "/slip", "/evidence", "/proof.json")


def tags(text: str) -> list[str]:
    """The states that a page tells, in order."""
    return re.findall(r'<span class="tag \w+"><i></i>([^<]+)</span>', text)


def test_its_figures_are_those_of_its_trace_and_of_the_explanation(
    callers: Callers, browsers: dict[str, Browser]
) -> None:
    trace = callers.AUDIT.get("/subsidy-payments/PAY-1/trace").json()
    explained = callers.AUDIT.get("/loans/L1/subsidies/2023Q3").json()
    text = browsers["AUDIT"].get(PAGE).text
    then, now = text.split('<section class="two">')[1].split("</section>")[0].split("</div>\n<div>")
    paid = trace["payment"]["content"]["amount_fen"]
    assert figures(then) == [trace["calculation"]["amount_fen"], paid]
    assert figures(now) == [explained["due_fen"], explained["payments"][0]["paid_fen"]]
    assert tags(then + now) == ["相符", "相符"]
    second = explained["calculations"]["sql"]["due_fen"]
    assert f"得到同样的 {second // 100}.{second % 100:02d} 元" in text
    assert "此后没有新的事实改变它" in text


def test_each_line_of_its_timeline_leads_to_its_event(
    callers: Callers, browsers: dict[str, Browser]
) -> None:
    trace = callers.AUDIT.get("/subsidy-payments/PAY-1/trace").json()
    text = browsers["AUDIT"].get(PAGE).text
    shown = [*trace["loan_events"], *trace["household_events"], trace["payment"]]
    for event in shown:
        position = event["position"]
        assert f'<a href="/events/{position}">#{position}</a>' in text, event["event"]
    for name in re.findall(r'href="#([\w-]+)"', text):
        assert f'id="{name}"' in text, name


@pytest.mark.parametrize("rest", RESTS)
def test_what_is_not_ones_own_is_as_what_does_not_exist(
    browsers: dict[str, Browser], rest: str
) -> None:
    assert browsers["NRCB"].get(PAGE + rest).status_code == 200
    foreign = browsers["PSBC"].get(PAGE + rest)
    unknown = browsers["PSBC"].get("/subsidy-payments/PAY-2" + rest)
    assert foreign.status_code == unknown.status_code == 404
    assert foreign.text.replace("PAY-1", "") == unknown.text.replace("PAY-2", "")
    assert browsers["AUDIT"].get(PAGE + rest, asof="2023-12-31").status_code == 400
    assert browsers["ADMIN"].get(PAGE + rest).status_code == 403


@pytest.fixture
def story(database: Any) -> Iterator[tuple[Callers, Browser]]:
    """A county of its own, in which what happened becomes known later."""
    with service(database) as callers:
        lend_and_pay(callers)
        yield callers, signed_in(callers, database)["AUDIT"]


def test_what_is_known_later_changes_what_is_due_and_not_what_was(
    story: tuple[Callers, Browser],
) -> None:
    callers, browser = story
    before = datetime.now(UTC).isoformat().replace("+00:00", "Z")
    late = c.body(c.repay(effective_on="2023-08-20", principal_fen=1_000_000), "loan_no")
    repaid = callers.NRCB.post("/loans/L1/repayments", late | {"ref": "RP-2"})
    assert repaid.status_code == 201, repaid.text
    due = explained(callers, repaid)["due_fen"]
    over = 36_297 - due
    assert 0 < due < 36_297
    text = browser.get(PAGE).text
    assert figures(text)[2:5] == [36_297, due, 36_297]
    assert tags(text)[:3] == ["相符", f"多拨 {yuan(over)}", f"未追回 {yuan(over)}"]
    assert "拨付之后" in text and "得知，晚" in text
    assert f"得到同样的 {yuan(due)} 元" in text

    back = c.body(c.recover(amount_fen=over), "loan_no")
    recovered = callers.FINANCE.post("/loans/L1/subsidy-recoveries", back | {"ref": "REC-1"})
    assert recovered.status_code == 201, recovered.text
    explained(callers, recovered)
    assert tags(browser.get(PAGE).text)[:3] == ["相符", f"多拨 {yuan(over)}", "已全部追回"]
    assert tags(browser.get(PAGE, known_at=before).text)[:2] == ["相符", "相符"]

    [event_id] = repaid.json()["event_ids"]
    fix = {"ref": "FIX-1", "effective_on": "2023-10-01", "reason": "录入错误"}
    taken = callers.NRCB.post(f"/events/{event_id}/corrections", fix)
    assert taken.status_code == 201, taken.text
    assert explained(callers, taken)["due_fen"] == 36_297
    text = browser.get(PAGE).text
    assert f"多追回 {yuan(over)}" in tags(text)
    position = repaid.json()["position"]
    [line] = re.findall(rf'<li id="e{position}" class="[^"]*reversed">.*?</li>', text, re.DOTALL)
    assert f'<a href="/events/{taken.json()["event_ids"][0]}">' in line


def explained(callers: Callers, answer: Any) -> dict[str, Any]:
    """The explanation, once it holds what was just recorded."""
    position = answer.json()["position"]
    found = callers.AUDIT.get("/loans/L1/subsidies/2023Q3", position=position)
    assert found.status_code == 200, found.text
    content: dict[str, Any] = found.json()
    return content


def yuan(fen: int) -> str:
    return f"{fen // 100}.{fen % 100:02d}"


def test_a_check_that_was_due_and_not_made_is_a_line(browsers: dict[str, Browser]) -> None:
    text = browsers["AUDIT"].get(PAGE).text
    assert re.search(r"2023-03-1\d 至 \d{4}-\d\d-\d\d 没有检查记录（应有 \d+ 次）", text)


def test_silences_in_a_row_are_one_line_with_their_count() -> None:
    def duty(day: str, state: str) -> dict[str, Any]:
        return {
            "duty": "usage_check",
            "due_on": date.fromisoformat(day),
            "state": state,
            "searched_from_on": date.fromisoformat(day) - timedelta(days=90),
            "searched_until_on": date.fromisoformat(day),
        }

    days = [("2023-03-31", "not_done"), ("2023-06-29", "not_done"), ("2023-09-27", "done"),
            ("2023-12-26", "not_done"), ("2024-03-25", "pending")]  # fmt: skip
    said = [line.said[0].text for line in silences(Words("zh"), [duty(*each) for each in days])]
    assert said == [
        "2022-12-31 至 2023-06-29 没有检查记录（应有 2 次）",
        "2023-09-27 至 2023-12-26 没有检查记录（应有 1 次）",
    ]


# ---- the proof --------------------------------------------------------------------------


def test_a_browser_gets_what_leads_to_the_signed_root(browsers: dict[str, Browser]) -> None:
    proof = browsers["NRCB"].get(f"{PAGE}/proof.json").json()
    head, _ = parse_checkpoint(proof["checkpoint"])
    made = HASHES[proof["hash"]]
    leaf = made.digest(b"\0" + base64.b64decode(proof["leaf"]))
    path = [bytes.fromhex(node) for node in proof["path"]]
    steps = inclusion_steps(made, proof["index"], proof["size"], leaf, path)
    assert (steps[-1].node if steps else leaf).hex() == proof["root"] == head.root.hex()


def test_without_a_script_the_server_verifies_and_says_so(browsers: dict[str, Browser]) -> None:
    browsers["AUDIT"].get(f"{PAGE}/proof.json")  # sealed by then
    page = browsers["AUDIT"].get(PAGE, proof="server")
    assert "服务器核验通过" in page.text and "verify.py bundle" in page.text
    assert browsers["AUDIT"].get(PAGE, proof="other").status_code == 400
    plain = browsers["AUDIT"].get(PAGE).text
    assert "服务器核验通过" not in plain
    assert f'data-proof="{PAGE}/proof.json"' in plain


def test_the_evidence_is_the_file_of_the_route(
    callers: Callers, browsers: dict[str, Browser]
) -> None:
    own = browsers["AUDIT"].get(f"{PAGE}/evidence", as_of="2023-12-31").json()
    same = callers.AUDIT.get(f"{PAGE}/evidence", as_of="2023-12-31").json()
    assert own["trace"] == same["trace"]


# ---- the chart, and the words -----------------------------------------------------------


def test_one_point_is_no_chart_and_many_are_thinned() -> None:
    day = date(2023, 3, 10)
    assert two_dates([Dated(day, day)] * 3, day) is None
    days = [day + timedelta(days=n) for n in range(2 * MOST)]
    drawn = two_dates(
        [Dated(d, d, "later" if n % 100 == 7 else "") for n, d in enumerate(days)], day
    )
    assert drawn is not None
    assert len(drawn.points) <= MOST
    assert len(drawn.points) + drawn.left_out == 2 * MOST
    assert sum(point.mark == "later" for point in drawn.points) == 4
    for point in drawn.points:
        assert point.y == point.diagonal
        assert drawn.left <= point.x <= drawn.right and drawn.top <= point.y <= drawn.bottom


def test_what_is_reported_late_stands_above_the_diagonal() -> None:
    drawn = two_dates(
        [Dated(date(2023, 5, 16), date(2023, 7, 10), "later"), Dated(*[date(2023, 6, 30)] * 2)],
        date(2023, 6, 30),
    )
    assert drawn is not None
    late = drawn.points[0]
    assert late.y < drawn.paid < late.diagonal


def test_a_sentence_of_the_timeline_names_fields_of_its_event() -> None:
    for language in LANGUAGES:
        for key, sentence in catalogue(language).items():
            if not key.startswith("timeline."):
                continue
            event = EVENTS[f"{key.removeprefix('timeline.')}.v1"]
            assert fields_of(sentence) <= set(event.__struct_fields__), key
            assert "[[" not in sentence and sentence.count("[") == sentence.count("]"), key


# ---- paper, style, script ---------------------------------------------------------------


def test_a_slip_is_a_page_like_the_others_and_a_file_by_its_route(
    callers: Callers, browsers: dict[str, Browser]
) -> None:
    file = callers.AUDIT.get(f"{PAGE}/slip", accept="text/html").text
    assert "<style>" in file and "贴息计算书" in file
    page = browsers["AUDIT"].get(f"{PAGE}/slip", lang="zh")
    assert "<style" not in page.text
    rows = [re.findall(r"<tr>.*?</tr>", text, re.DOTALL) for text in (file, page.text)]
    assert len(rows[0]) == len(rows[1]) > 10
    assert "362.97" in page.text
    english = browsers["AUDIT"].get(f"{PAGE}/slip", lang="en").text
    assert "Subsidy slip" in english and "依据" not in english
    browsers["AUDIT"].get(PAGE, lang="zh")


def test_a_checkpoint_is_a_page(callers: Callers, browsers: dict[str, Browser]) -> None:
    callers.AUDIT.get("/log/checkpoint", position=1)
    page = browsers["ADMIN"].get("/log/checkpoint/page")
    assert page.status_code == 200
    assert "<style" not in page.text and "<svg" in page.text


def test_the_one_script_is_small_and_kept_and_every_page_says_so(
    browsers: dict[str, Browser],
) -> None:
    browser = browsers["AUDIT"]
    for path in (PAGE, f"{PAGE}/slip", "/overview"):
        page = browser.get(path)
        [script] = re.findall(r"<script[^>]*>", page.text)
        assert "</script>" in page.text.split(script)[1][:10]
        policy = page.headers["content-security-policy"]
        assert "script-src 'self'" in policy and "unsafe" not in policy
    [address] = re.findall(r'src="([^"]+)"', script)
    answer = browser.get(address)
    assert answer.headers["content-type"].startswith("text/javascript")
    assert "immutable" in answer.headers["cache-control"]
    assert len(gzip.compress(answer.content)) < 8_000
    assert "://" not in re.sub(r"//.*", "", answer.text)
    assert browser.get("/favicon.ico").status_code == 200


def test_what_stands_on_the_page_is_less_than_20_kilobytes(browsers: dict[str, Browser]) -> None:
    assert len(gzip.compress(browsers["AUDIT"].get(PAGE).content)) < 20_000

"""An address without a page: a person reads a page with a way on, a program its JSON."""

from __future__ import annotations

import pytest
from support.browser import Browser
from support.service import Callers

READS_PAGES = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
READS_JSON = {"Accept": "application/json"}


@pytest.mark.parametrize(
    ("language", "sentence", "way"),
    [
        ("zh", "没有这一页。", "回到首页"),
        ("en", "There is no such page.", "Back to the first page"),
    ],
)
def test_an_address_without_a_page_answers_in_the_readers_language_with_a_way_back(
    browsers: dict[str, Browser], language: str, sentence: str, way: str
) -> None:
    answer = browsers["NRCB"].client.get(f"/no/such/page?lang={language}", headers=READS_PAGES)
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert sentence in answer.text
    assert f'<a href="/">{way}</a>' in answer.text


def test_a_stranger_at_an_address_without_a_page_is_led_to_signing_in(callers: Callers) -> None:
    answer = Browser(callers).client.get("/no/such/page?lang=zh", headers=READS_PAGES)
    assert answer.status_code == 404
    assert "去登录" in answer.text


def test_a_wrong_method_answers_with_a_page_that_says_so(browsers: dict[str, Browser]) -> None:
    client = browsers["NRCB"].client
    for answer in (
        client.get("/sign-out?lang=zh", headers=READS_PAGES),
        client.post("/overview?lang=zh", headers=READS_PAGES),
    ):
        assert answer.status_code == 405
        assert answer.headers["allow"]
        assert "这个地址不能这样打开" in answer.text
        assert "回到首页" in answer.text


@pytest.mark.parametrize("path", ["/no/such/page", "/v1/no/such/route"])
def test_a_program_reads_json(browsers: dict[str, Browser], path: str) -> None:
    answer = browsers["NRCB"].client.get(path, headers=READS_JSON)
    assert answer.status_code == 404
    assert answer.json()["code"] == "not_found"


@pytest.mark.parametrize("path", ["/v1/no/such/route", "/v1/loans/L1/repayments"])
def test_v1_answers_json_to_a_browser_too(browsers: dict[str, Browser], path: str) -> None:
    answer = browsers["NRCB"].client.get(path, headers=READS_PAGES)
    assert answer.headers["content-type"] == "application/problem+json"

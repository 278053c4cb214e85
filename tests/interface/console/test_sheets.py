"""A batch's notice and a household's slip as pages: what the routes print, within the frame."""

from __future__ import annotations

import re
from typing import Any

from support.batches import callers, noticed, proposed
from support.browser import Browser, signed_in, without_script
from support.service import Callers

__all__ = ["callers"]  # a fixture
NOTICE, SLIP = "/batches/PC-1/notice", "/batches/PC-1/slip"


def rows(text: str) -> list[str]:
    """The rows of all tables but those of the rulings, whose amounts a page writes with commas."""
    return [row for row in re.findall(r"<tr>.*?</tr>", text, re.DOTALL) if "@" not in row]


def test_what_a_batch_prints_is_a_page_for_whom_it_concerns(
    callers: Callers, database: Any
) -> None:
    proposed(callers)
    noticed(callers)
    position = callers.client.get("/healthz").json()["log_position"]
    browsers = signed_in(callers, database)
    for path, query in ((NOTICE, {}), (SLIP, {"household_no": "H1"})):
        callers.AUDIT.get("/batches", position=position)
        printed = callers.AUDIT.get(path, accept="text/html", **query).text
        page = browsers["AUDIT"].get(path, **query)
        assert page.status_code == 200, page.text
        assert rows(page.text) == rows(printed) != []
        assert "<style" in printed and "<style" not in page.text
        assert "公示迟报" in page.text
        english = browsers["AUDIT"].get(path, lang="en", **query).text
        assert "Notices reported late" in english and "公示迟报" not in english
        browsers["AUDIT"].get(path, lang="zh", **query)
        assert browsers["AUDIT"].get(path, asof="2025-01-01", **query).status_code == 400
        assert browsers["ADMIN"].get(path, **query).status_code == 403
    own = browsers["T01"].get(NOTICE).text
    assert len(rows(own)) == 2 and "village" not in own
    foreign(browsers["T02"], {"household_no": "H1"})


def foreign(browser: Browser, query: dict[str, str]) -> None:
    """A household of another township is as one that does not exist."""
    theirs, none = browser.get(SLIP, **query), browser.get(SLIP, household_no="H9")
    assert theirs.status_code == none.status_code == 404
    assert "<script" not in without_script(theirs.text)
    assert theirs.text.replace("H1", "") == none.text.replace("H9", "")

"""HTML comes from templates: all compile, all escape, and a name that is not given is an error."""

from datetime import date
from pathlib import Path
from typing import Any

import pytest
from jinja2 import UndefinedError

from interface.console.words import Words
from interface.documents import notice_page
from interface.html import ROOMS, compile_templates, environment, render

INTERFACE = Path(environment.get_template("documents/paper.html").filename or "").parents[2]
LINE = {
    "line": 1, "borrower_name": "张*", "purpose": "<b>养牛</b> & '猪'", "principal_fen": 5_000_000,
    "disbursed_on": date(2025, 1, 10), "due_on": date(2026, 1, 10), "annual_rate_bp": 310,
}  # fmt: skip


def _notice(**other: Any) -> dict[str, Any]:
    return {
        "w": Words("zh"),
        "batch_no": "PC",
        "period": "2025Q1",
        "where": "",
        "lines": [],
        "late": [],
    } | other


def test_every_template_compiles_and_stands_in_a_known_room() -> None:
    found = {
        room.parent.name: {file.relative_to(room) for file in room.rglob("*") if file.is_file()}
        for room in INTERFACE.rglob("templates")
    }
    told = {f"{room}/{file.as_posix()}" for room, files in found.items() for file in files}
    assert told == set(compile_templates())
    assert found.keys() == set(ROOMS)


def test_what_somebody_wrote_is_shown_and_never_becomes_markup() -> None:
    batch = {"batch_no": "<script>", "period": "2025Q1"}
    page = notice_page.page(batch, [LINE], 'T01" x="', None, [])
    assert "<script>" not in page
    assert "<b>" not in page
    assert "&lt;b&gt;养牛&lt;/b&gt; &amp; &#39;猪&#39;" in page
    assert "T01&#34; x=&#34;" in page


def test_a_name_that_a_template_does_not_get_is_an_error() -> None:
    assert "共 0 笔" in render("documents/notice.html", **_notice())
    lacking = _notice()
    del lacking["period"]
    with pytest.raises(UndefinedError, match="period"):
        render("documents/notice.html", **lacking)
    with pytest.raises(UndefinedError, match="purpose"):
        render("documents/notice.html", **_notice(lines=[{"line": 1, "borrower_name": "张*"}]))

"""Batches to read: how far each has come, its steps and its lines."""

from __future__ import annotations

import re
from typing import Any

from support.batches import callers as callers  # noqa: PLC0414 - the fixture
from support.batches import noticed, paid_in_full, proposed, submit
from support.browser import figures, signed_in
from support.service import Callers


def drawn(callers: Callers) -> None:
    position = callers.client.get("/healthz").json()["log_position"]
    assert callers.AUDIT.get("/batches", position=position).status_code == 200


def test_a_batch_is_read_step_by_step(callers: Callers, database: Any) -> None:
    paid_in_full(callers)
    proposed(callers, "PC-2", period="2025Q2", effective_on="2025-07-01")
    drawn(callers)
    browsers = signed_in(callers, database)
    told = callers.AUDIT.get("/batches/PC-1").json()
    page = browsers["AUDIT"].get("/batches/PC-1").text
    assert figures(page)[0] == told["batch"]["amount_fen"]
    assert page.count('<li class="done">') == 6
    for step in told["steps"]:
        assert f"/events/{step['position']}" in page
    assert "known_from=" in page
    lines = callers.AUDIT.get("/batches/PC-1/lines").json()["lines"]
    shown = browsers["AUDIT"].get("/batches/PC-1/lines").text
    for line in lines:
        assert f">{line['loan_no']}</a>" in shown
    assert "张*" in shown and "张三" not in shown
    early = browsers["AUDIT"].get("/batches/PC-2").text
    assert early.count('<li class="done">') == 1 and 'aria-current="step"' in early
    listed = browsers["AUDIT"].get("/batches").text
    assert "PC-1" in listed and "PC-2" in listed
    paid = told["batch"]["paid_fen"]
    assert re.search(rf'href="/batches/PC-1/lines\?state=paid"><data[^>]*data-fen="{paid}"', listed)
    assert re.search(r'/lines\?state=paid"><data class="n" value="\d+" data-fen', page)
    proposal = f'<a href="/events/{told["batch"]["position"]}">提出</a>'
    assert proposal in page and page.count(">centre-1<") > 0
    for code, seen in (("T01", True), ("NRCB", True), ("DB", False)):
        answer = browsers[code].get("/batches/PC-1/lines")
        assert answer.status_code == (200 if seen else 403), code
    own = browsers["T01"].get("/batches/PC-1/lines").text
    assert ">L1</a>" in own and ">L2</a>" not in own
    assert browsers["AUDIT"].get("/batches/PC-9").status_code == 404


def test_an_objection_and_a_return_are_shown(callers: Callers, database: Any) -> None:
    proposed(callers)
    noticed(callers)
    objection = {"line": 1, "ref": "YY-1", "reason": "<i>不符</i>"}
    submit(callers.T01, "/batches/PC-1/objections", effective_on="2025-04-25", **objection)
    drawn(callers)
    browsers = signed_in(callers, database)
    page = browsers["AUDIT"].get("/batches/PC-1").text
    assert "未处理" in page
    assert re.search(r'<a href="/events/\d+">YY-1</a>', page)
    assert "/batches/PC-1#objections" in browsers["AUDIT"].get("/batches").text
    assert "&lt;i&gt;不符" in page and "<i>不符" not in page
    assert "tag late" in page  # the notices were reported after they began

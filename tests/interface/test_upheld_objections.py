"""What was upheld against a line lasts: the next batch does not list it again without a word."""

from __future__ import annotations

from typing import Any

from support.batches import DUE_FEN, PHOTO, batch, callers, noticed, paid_in_full, proposed, submit
from support.service import Callers

__all__ = ["callers"]
Q2_FEN = 39_611


def position_of(callers: Callers) -> int:
    return int(callers.client.get("/healthz").json()["log_position"])


def upheld(callers: Callers, batch_no: str = "PC-1", line: int = 2, **found: Any) -> Any:
    """An objection to a line, upheld by the centre."""
    objection = {"ref": f"YY-{batch_no}", "line": line, "reason": "该户未实际用款"}
    submit(callers.T02, f"/batches/{batch_no}/objections", **objection)
    answer = {"objection_no": f"YY-{batch_no}", "upheld": True, "reason": "核查属实", **found}
    return submit(callers.CENTRE, f"/batches/{batch_no}/resolutions", **answer)


def lines_of(callers: Callers, batch_no: str) -> list[dict[str, Any]]:
    position = position_of(callers)
    found = callers.CENTRE.get(f"/batches/{batch_no}/lines", position=position).json()["lines"]
    return [line for line in found if line["loan_no"] == "L2"]


def settled(callers: Callers, period: str = "2025Q1", **asked: Any) -> list[dict[str, Any]]:
    asked = {"period": period, "bank": "PSBC", "position": position_of(callers), **asked}
    answer = callers.CENTRE.get("/settlement", **asked)
    assert answer.status_code == 200, answer.text
    return list(answer.json()["lines"])


def test_a_line_whose_objection_was_upheld_comes_back_with_the_word_why(callers: Callers) -> None:
    proposed(callers)
    noticed(callers)
    upheld(callers)
    proposed(callers, "PC-2")
    [line] = lines_of(callers, "PC-2")
    assert line["amount_fen"] == DUE_FEN
    assert line["note"] == "异议 YY-PC-1（批次 PC-1 第 2 行）成立：核查属实"
    page = callers.T02.get("/batches/PC-2/slip", household_no="H2").text
    assert "异议 YY-PC-1" in page


def test_a_batch_returned_after_an_objection_comes_back_with_the_word_why(callers: Callers) -> None:
    proposed(callers)
    noticed(callers)
    objection = {"ref": "YY-1", "reason": "名单未经村民评议"}
    submit(callers.T02, "/batches/PC-1/objections", **objection)
    answered = {"ref": "YY-2", "line": 2, "reason": "该户未实际用款"}
    submit(callers.T02, "/batches/PC-1/objections", **answered)
    answer = {"objection_no": "YY-2", "upheld": False, "reason": "查无此事"}
    submit(callers.CENTRE, "/batches/PC-1/resolutions", **answer)
    assert [line["note"] for line in settled(callers)] == [None], "not returned yet"
    back = {"effective_on": "2025-05-01", "reason": "异议属实，重新评议"}
    submit(callers.CENTRE, "/batches/PC-1/return", **back)
    note = "异议 YY-1（批次 PC-1 整批）：名单未经村民评议；批次退回：异议属实，重新评议"
    assert [line["note"] for line in settled(callers)] == [note]
    assert [line["note"] for line in settled(callers, as_of="2025-04-30")] == [None]
    proposed(callers, "PC-2", effective_on="2025-05-02")
    [line] = lines_of(callers, "PC-2")
    assert (line["amount_fen"], line["note"]) == (DUE_FEN, note)


def test_an_objection_to_a_line_that_was_open_when_its_batch_was_returned_is_not_forgotten(
    callers: Callers,
) -> None:
    proposed(callers)
    noticed(callers)
    objection = {"ref": "YY-1", "line": 2, "reason": "该户未实际用款"}
    submit(callers.T02, "/batches/PC-1/objections", **objection)
    submit(callers.CENTRE, "/batches/PC-1/return", effective_on="2025-05-01", reason="材料不全")
    proposed(callers, "PC-2", effective_on="2025-05-02")
    position = position_of(callers)
    lines = callers.CENTRE.get("/batches/PC-2/lines", position=position).json()["lines"]
    assert [line["note"] for line in lines] == [
        None,
        "异议 YY-1（批次 PC-1 第 2 行）：该户未实际用款；批次退回：材料不全",
    ]


def test_a_loan_that_was_found_not_eligible_is_listed_no_more_until_that_is_lifted(
    callers: Callers,
) -> None:
    proposed(callers)
    noticed(callers)
    drawn = {"period": "2025Q1", "position": position_of(callers)}
    before = callers.CENTRE.get("/settlement", **drawn).json()["known_through"]
    upheld(callers, finding="not_eligible")
    refusal = submit(callers.CENTRE, "/batches", 409, batch_no="PC-2", period="2025Q1")
    assert refusal["code"] == "nothing_to_pay"
    [line] = settled(callers)
    assert (line["due_fen"], line["limit_fen"], line["left_fen"]) == (DUE_FEN, 0, 0)
    assert line["state"] == "limited"
    assert "YY-PC-1" in line["note"]
    assert [each["left_fen"] for each in settled(callers, known_at=before)] == [0], "held"
    late = {"effective_on": "2025-07-01", "period": "2025Q2"}
    proposed(callers, "PC-2", **late)
    assert lines_of(callers, "PC-2") == [], "no quarter of a loan that was never eligible"

    lifting = {"objection_no": "YY-PC-1", "reason": "复核后符合条件", "effective_on": "2025-07-02"}
    path = "/batches/PC-1/liftings"
    assert submit(callers.BUREAU, path, 409, **lifting)["code"] == "ground_missing"
    lifting["ground"] = {"document": "复核意见2025-1"}
    assert submit(callers.CENTRE, path, 409, **lifting)["code"] == "same_person"
    submit(callers.FINANCE, path, 403, **lifting)
    unknown = {**lifting, "objection_no": "YY-9"}
    assert submit(callers.BUREAU, path, 409, **unknown)["code"] == "limit_unknown"
    submit(callers.BUREAU, path, **lifting)
    assert submit(callers.BUREAU, path, 409, **lifting)["code"] == "limit_unknown"
    proposed(callers, "PC-3", **{**late, "effective_on": "2025-07-02"})
    q1, q2 = lines_of(callers, "PC-3")
    assert (q1["amount_fen"], q2["amount_fen"]) == (DUE_FEN, Q2_FEN)
    assert "限定已解除：复核后符合条件" in q1["note"]
    assert settled(callers, as_of="2025-07-01")[0]["state"] == "limited"


def test_a_diversion_stops_the_later_quarters_and_an_amount_its_own_alone(callers: Callers) -> None:
    proposed(callers)
    noticed(callers)
    upheld(callers, finding="diverted", amount_fen=10_000)
    q1, q2 = settled(callers, "2025Q2")
    assert [(each["limit_fen"], each["left_fen"]) for each in (q1, q2)] == [
        (10_000, 10_000),
        (0, 0),
    ]
    proposed(callers, "PC-2")
    [line] = lines_of(callers, "PC-2")
    assert (line["due_fen"], line["amount_fen"]) == (DUE_FEN, 10_000)
    assert "挪用 diverted" in line["note"]


def test_an_amount_that_was_upheld_is_what_the_next_batch_lists(callers: Callers) -> None:
    proposed(callers)
    noticed(callers)
    submit(callers.T02, "/batches/PC-1/objections", ref="YY-1", line=2, reason="金额算多了")
    answer = {"objection_no": "YY-1", "upheld": True, "reason": "核查属实"}
    for wrong in (
        {"finding": "amount"},
        {"finding": "not_eligible", "amount_fen": 1},
        {"amount_fen": 1},
        {"finding": "other", "upheld": False},
    ):
        refusal = submit(callers.CENTRE, "/batches/PC-1/resolutions", 409, **{**answer, **wrong})
        assert refusal["code"] == "finding_malformed"
    right = {"finding": "amount", "amount_fen": DUE_FEN - 1}
    submit(callers.CENTRE, "/batches/PC-1/resolutions", **answer, **right)
    proposed(callers, "PC-2", effective_on="2025-07-01", period="2025Q2")
    q1, q2 = lines_of(callers, "PC-2")
    assert (q1["due_fen"], q1["amount_fen"], q2["amount_fen"]) == (DUE_FEN, DUE_FEN - 1, Q2_FEN)
    assert "金额不符 amount" in q1["note"]
    assert q2["note"] is None


def test_what_was_paid_to_a_loan_found_not_eligible_is_asked_back_and_flagged(
    callers: Callers,
) -> None:
    paid_in_full(callers)
    late = {"effective_on": "2025-07-01"}
    proposed(callers, "PC-2", period="2025Q2", **late)
    submit(callers.BUREAU, "/batches/PC-2/verification", **late)
    objection = {"ref": "YY-2", "line": 2, "reason": "放款日不属脱贫户", **late}
    submit(callers.T02, "/batches/PC-2/objections", **objection)
    answer = {"objection_no": "YY-2", "upheld": True, "reason": "核查属实", **late}
    submit(callers.CENTRE, "/batches/PC-2/resolutions", finding="not_eligible", **answer)
    q1, q2 = settled(callers, "2025Q2")
    assert (q1["state"], q1["left_fen"], q2["state"]) == ("to_recover", -DUE_FEN, "limited")
    found = callers.AUDIT.get("/red-flags", rule="RF01", position=position_of(callers)).json()
    [rule] = found["rules"]
    assert rule["status"] == "found", rule
    assert [(f["subject"], f["amount_fen"]) for f in rule["findings"]] == [
        ("PSBC/L2 2025Q1", DUE_FEN)
    ]
    assert position_of(callers) in rule["findings"][0]["positions"]
    missed = callers.AUDIT.get("/red-flags", rule="RF27").json()["rules"][0]
    assert "PSBC/L2 2025Q2" not in [f["subject"] for f in missed["findings"]]


def test_a_line_of_another_batch_that_a_limit_catches_is_held_when_it_is_ordered(
    callers: Callers,
) -> None:
    proposed(callers)
    noticed(callers)
    proposed(callers, "PC-2", effective_on="2025-07-01", period="2025Q2")
    [line] = lines_of(callers, "PC-2")
    assert line["period"] == "2025Q2"
    upheld(callers, finding="not_eligible")
    window = {"effective_on": "2025-07-01", "until_on": "2025-07-10", "ground": PHOTO}
    submit(callers.BUREAU, "/batches/PC-2/verification", effective_on="2025-07-01")
    for township in (callers.T01, callers.T02):
        for level in ("village", "township"):
            submit(township, "/batches/PC-2/notices", level=level, place="公示栏", **window)
    submit(callers.CENTRE, "/batches/PC-2/notices", level="county", place="网站", **window)
    submit(callers.FINANCE, "/batches/PC-2/approval", effective_on="2025-07-11")
    told = {"effective_on": "2025-07-12", "bank": "PSBC"}
    submit(callers.FINANCE2, "/batches/PC-2/orders", **told)
    assert batch(callers, "PC-2")["held_fen"] == Q2_FEN


def test_an_objection_dismissed_leaves_nothing(callers: Callers) -> None:
    proposed(callers)
    noticed(callers)
    submit(callers.T02, "/batches/PC-1/objections", ref="YY-1", line=2, reason="该户未实际用款")
    answer = {"objection_no": "YY-1", "upheld": False, "reason": "核查不属实"}
    submit(callers.CENTRE, "/batches/PC-1/resolutions", **answer)
    [line] = settled(callers)
    assert (line["limit_fen"], line["note"], line["state"]) == (None, None, "reserved")
    lifting = {"objection_no": "YY-1", "reason": "复核意见", "ground": {"document": "D"}}
    refusal = submit(callers.BUREAU, "/batches/PC-1/liftings", 409, **lifting)
    assert refusal["code"] == "limit_unknown"

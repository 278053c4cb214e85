"""A case over HTTP: three loans pooled in one firm, from the finding to the money back."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from typing import Any

import pytest
from support import controls as c
from support.service import Caller, Callers, service

from application.access import issue_keys

_refs = count(1)
FIRM = {"account": "6222000000009999", "name": "某合作社", "kind": "firm"}
SHOP = {"account": "6222000000008888", "name": "某农资店", "kind": "merchant"}
ID_NOS = ("411381198001011018", "411381198001011026", "411381198001011034")
PAID_FEN = 46_639
DAY = "2024-05-06"


def submit(caller: Caller, path: str, status: int = 201, **body: Any) -> Any:
    """The answer to one statement; fails when it is another than `status`."""
    told = {"ref": f"R{next(_refs)}", "effective_on": DAY, **body}
    answer = caller.post(path, told)
    assert answer.status_code == status, answer.text
    return answer.json()


@pytest.fixture
def callers(database: Any) -> Iterator[Callers]:
    """H1, H2, H3 lend their names to a firm; all of them buy at one honest shop."""
    with service(database) as callers:
        people = ("he", "cai", "yu")
        keys = issue_keys(database.owner_dsn, [("AUDIT", person) for person in people])
        callers.keys |= zip(map(str.upper, people), keys, strict=True)
        for n, id_no in enumerate(ID_NOS, 1):
            member = {"name": f"张{n}", "id_no": id_no, "relation": "户主", "head": True}
            account = {"account": f"622200000000000{n}", "name": f"张{n}"}
            home = {"household_no": f"H{n}", "members": [member]}
            lent = {"loan_no": f"L{n}", "household_no": f"H{n}", "borrower_id_no": id_no}
            submit(callers.BUREAU, "/households", **c.body(c.household(**home)))
            submit(callers.NRCB, "/loans", **c.body(c.loan(**lent, payee=account)))
            submit(
                callers.NRCB,
                f"/loans/L{n}/outflows",
                effective_on="2023-03-20",
                to=FIRM,
                amount_fen=4_500_000,
            )
            submit(
                callers.NRCB,
                f"/loans/L{n}/outflows",
                effective_on="2023-03-21",
                to=SHOP,
                amount_fen=500_000,
            )
        paid = c.body(c.pay(), "loan_no")
        submit(callers.FINANCE, "/loans/L1/subsidy-payments", **paid | {"ref": "PAY-1"})
        yield callers


def log_position(callers: Callers) -> int:
    position: int = callers.client.get("/healthz").json()["log_position"]
    return position


def schemes(callers: Callers, **query: Any) -> list[dict[str, Any]]:
    answer = callers.AUDIT.get("/red-flags/schemes", position=log_position(callers), **query)
    assert answer.status_code == 200, answer.text
    assert answer.json()["not_checked"] == []
    lines: list[dict[str, Any]] = answer.json()["lines"]
    return lines


def pooled(callers: Callers) -> dict[str, str]:
    [scheme] = [scheme for scheme in schemes(callers) if "RF08" in scheme["rules"]]
    [finding] = [found for found in scheme["findings"] if found["rule"] == "RF08"]
    return {"rule": "RF08", "subject": finding["subject"]}


def opened(callers: Callers, case_no: str = "XS-1", **other: Any) -> Any:
    body = {"case_no": case_no, "title": "三户贷款归集一户企业", "findings": [pooled(callers)]}
    return submit(callers.HE, "/cases", **body | other)


def case(callers: Callers, case_no: str = "XS-1", **query: Any) -> dict[str, Any]:
    answer = callers.AUDIT.get(f"/cases/{case_no}", position=log_position(callers), **query)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def stage(callers: Callers, **query: Any) -> str:
    name: str = case(callers, **query)["case"]["stage"]
    return name


def test_a_case_from_the_finding_to_the_money_that_came_back(callers: Callers) -> None:
    opened(callers)
    submit(callers.HE, "/cases/XS-1/assignment", investigator="cai")
    submit(
        callers.CAI,
        "/cases/XS-1/explanation-requests",
        ref="YQ-1",
        organisation="NRCB",
        what="三笔贷款为何流入同一企业账户",
        until_on="2024-05-20",
    )
    answer = {"request_no": "YQ-1", "explanation": "借款人自行转账，我行未核实用途"}
    submit(callers.NRCB, "/cases/XS-1/explanations", effective_on="2024-05-10", **answer)
    later = {"effective_on": "2024-05-21"}
    submit(callers.CAI, "/cases/XS-1/notes", words="走访三户，均称贷款由合作社使用", **later)
    submit(callers.CAI, "/cases/XS-1/proposal", upheld=True, reason="资金归集属实", **later)
    upheld = {"reason": "户贷企用属实，追回贴息", "amount_fen": PAID_FEN}
    submit(callers.HE, "/cases/XS-1/upholding", **later, **upheld)
    back = submit(
        callers.FINANCE,
        "/loans/L1/subsidy-recoveries",
        effective_on="2024-06-01",
        payment_no="PAY-1",
        amount_fen=PAID_FEN,
        reason="户贷企用",
        voucher="V-9",
    )
    on = {"effective_on": "2024-06-02"}
    submit(callers.CAI, "/cases/XS-1/recoveries", event_id=back["event_ids"][0], **on)
    put_right = {"what": "三户停止贴息", "ground": {"document": "整改通知〔2024〕7号"}}
    submit(callers.CAI, "/cases/XS-1/rectifications", **put_right, **on)
    submit(callers.HE, "/cases/XS-1/closing", reason="已追回并整改", **on)

    found = case(callers)
    line = found["case"]
    assert (line["stage"], line["outcome"]) == ("closed", "upheld")
    assert (line["supervisor"], line["investigator"]) == ("he", "cai")
    assert (line["loans"], line["households"]) == (3, 3)
    assert (line["upheld_fen"], line["recovered_fen"]) == (PAID_FEN, PAID_FEN)
    assert (line["asked"], line["explained"]) == (1, 1)
    assert (line["opened_on"], line["closed_on"], line["waited_days"]) == (DAY, "2024-06-02", 27)
    assert [step["event_zh"] for step in found["steps"]] == [
        "线索立案", "线索交办", "要求说明", "说明", "核查记录", "处理建议", "线索属实",
        "追回入案", "整改", "线索办结",
    ]  # fmt: skip
    assert {step["told_by"]["person"] for step in found["steps"]} == {"he", "cai", "nrcb-1"}
    [recovery] = found["recoveries"]
    subsidies = callers.AUDIT.get("/ledgers/subsidies", loan_no="L1").json()["lines"]
    assert recovery["payment_no"] == "PAY-1"
    assert line["recovered_fen"] == sum(
        each["recovered_fen"] for each in subsidies if each["payment_no"] == "PAY-1"
    )


def assigned(callers: Callers, case_no: str = "XS-1") -> None:
    submit(callers.HE, f"/cases/{case_no}/assignment", investigator="cai")


def decided(callers: Callers, **other: Any) -> None:
    """Opened, assigned, proposed and upheld, nobody asked."""
    opened(callers)
    assigned(callers)
    submit(callers.CAI, "/cases/XS-1/proposal", upheld=True, reason="资金归集属实", **other)
    submit(callers.HE, "/cases/XS-1/upholding", reason="户贷企用属实", amount_fen=PAID_FEN, **other)


def asked(callers: Callers, organisation: str = "NRCB", **other: Any) -> str:
    body = {"organisation": organisation, "what": "资金为何归集", "until_on": "2024-05-20"}
    ref = f"YQ-{next(_refs)}"
    submit(callers.CAI, "/cases/XS-1/explanation-requests", **body | {"ref": ref} | other)
    return ref


def another_scheme(callers: Callers) -> None:
    """Loan P1 of another bank and another household, diverted."""
    member = {"name": "周七", "id_no": c.OTHER_ID_NO, "relation": "户主", "head": True}
    account = {"account": "6222000000000007", "name": "周七"}
    lent = {"loan_no": "P1", "household_no": "H7", "borrower_id_no": c.OTHER_ID_NO}
    home = {"household_no": "H7", "members": [member]}
    submit(callers.BUREAU, "/households", **c.body(c.household(**home)))
    submit(callers.PSBC, "/loans", **c.body(c.loan(**lent, payee=account)))
    diverted(callers, "P1", bank="PSBC")


def diverted(callers: Callers, loan_no: str, **other: Any) -> None:
    check = c.body(c.check(finding="diverted", effective_on="2023-06-01"), "loan_no")
    submit(callers.T01, f"/loans/{loan_no}/usage-checks", **check | other)


# ---- what belongs together ------------------------------------------------------------


def test_what_three_loans_and_one_firm_have_to_do_with_each_other_is_one_scheme(
    callers: Callers,
) -> None:
    diverted(callers, "L2")
    diverted(callers, "L3")

    [scheme] = [each for each in schemes(callers) if "RF08" in each["rules"]]
    found_by_checks = [found for found in scheme["findings"] if found["rule"] == "RF14"]

    assert [found["subject"] for found in found_by_checks] == ["NRCB/L2", "NRCB/L3"]
    assert scheme["households"] == ["H1", "H2", "H3"]
    assert scheme["loans"] == ["NRCB/L1", "NRCB/L2", "NRCB/L3"]
    assert scheme["accounts"] == [pooled(callers)["subject"]]
    assert scheme["amount_fen"] == 3 * 4_500_000, "RF14's two loans are in it already"
    assert scheme["known_from"] == min(found["known_from"] for found in scheme["findings"])
    assert scheme["scheme"] == min(f"{f['rule']} {f['subject']}" for f in scheme["findings"])
    assert scheme == schemes(callers, rule="RF08")[0]


def test_a_shop_where_everybody_buys_connects_nobody(callers: Callers) -> None:
    for n, id_no in enumerate((c.ID_NO, c.OTHER_ID_NO), 7):
        member = {"name": "周七", "id_no": id_no, "relation": "户主", "head": True}
        own = {"account": f"622200000000000{n}", "name": "周七"}
        submit(callers.BUREAU, "/households", **c.body(c.household(household_no=f"H{n}",
             category="none", members=[member])))  # fmt: skip
        submit(callers.PSBC, "/loans", **c.body(c.loan(loan_no=f"P{n}", household_no=f"H{n}",
             borrower_id_no=id_no, payee=own)))  # fmt: skip
        submit(callers.PSBC, f"/loans/P{n}/outflows", to=SHOP, amount_fen=5_000_000,
             effective_on="2023-03-11")  # fmt: skip

    apart = [scheme["loans"] for scheme in schemes(callers) if "RF05" in scheme["rules"]]

    assert apart == [["PSBC/P7"], ["PSBC/P8"]]


def test_the_schemes_leave_in_pages_and_as_a_file(callers: Callers) -> None:
    another_scheme(callers)
    every = schemes(callers)
    first = callers.AUDIT.get("/red-flags/schemes", limit=1).json()
    paged, cursor = first["lines"], first["next"]
    while cursor:
        page = callers.AUDIT.get("/red-flags/schemes", limit=1, cursor=cursor).json()
        paged, cursor = paged + page["lines"], page["next"]
    file = callers.AUDIT.get("/red-flags/schemes", accept="text/csv")
    rows = list(csv.reader(io.StringIO(file.content.decode("utf-8-sig"))))

    assert len(every) > 1
    assert paged == every
    assert [row[0] for row in rows[1:]] == [scheme["scheme"] for scheme in every]
    assert callers.NRCB.get("/red-flags/schemes").status_code == 403


# ---- opening --------------------------------------------------------------------------


def test_a_case_takes_the_whole_scheme_and_says_how_it_was_seen(callers: Callers) -> None:
    diverted(callers, "L2")
    opened(callers, findings=[{"rule": "RF14", "subject": "NRCB/L2"}])

    found = case(callers)
    flags = callers.AUDIT.get("/red-flags", rule="RF08").json()["rules"][0]
    [pool] = [each for each in found["findings"] if each["rule"] == "RF08"]

    assert {each["rule"] for each in found["findings"]} >= {"RF08", "RF14"}
    assert pool["rule_version"] == flags["rule_version"]
    assert pool["subject"] == flags["findings"][0]["subject"]
    [event] = found["steps"]
    [seen] = [each for each in event["content"]["findings"] if each["rule"] == "RF08"]
    assert seen["positions"] == sorted(flags["findings"][0]["positions"])
    assert [loan["loan_no"] for loan in found["loans"]] == ["L1", "L2", "L3"]
    assert found["case"]["amount_fen"] == 3 * 4_500_000
    [scheme] = schemes(callers, rule="RF08")
    assert (scheme["cases"], scheme["new_findings"]) == (["XS-1"], 0)


def test_nobody_opens_a_case_on_what_the_service_does_not_find(callers: Callers) -> None:
    body = {"case_no": "XS-1", "title": "捏造"}
    named = {**body, "findings": [{"rule": "RF08", "subject": "account-of-my-enemy"}]}
    before = {**body, "findings": [pooled(callers)], "as_of": "2023-03-15"}
    forged = {**body, "found": {"findings": [], "loans": []}}

    assert submit(callers.HE, "/cases", 409, **named)["code"] == "finding_unknown"
    assert submit(callers.HE, "/cases", 409, **before)["code"] == "finding_unknown"
    assert submit(callers.HE, "/cases", 409, **body)["code"] == "nothing_to_join"
    assert submit(callers.HE, "/cases", 422, **forged)["errors"][0]["pointer"] == "/found"
    line = {"type": "case", "ref": "X", "effective_on": DAY, **forged}
    submitted = callers.HE.send("/submissions", json=line)
    assert submitted.json()["code"] == "unknown_type"
    assert submit(callers.NRCB, "/cases", 403, **named)["code"] == "not_permitted"
    far = {**named, "known_at": "0001-01-01T00:00:00+14:00"}
    assert submit(callers.HE, "/cases", 422, **far)["errors"][0]["code"] == "out_of_reach"
    ahead = {**named, "as_of": "2999-01-01"}
    assert submit(callers.HE, "/cases", 409, **ahead)["code"] == "dated_in_future"
    later = {**named, "findings": [pooled(callers)], "as_of": "2024-05-07"}
    refusal = submit(callers.HE, "/cases", 409, **later)
    assert (refusal["code"], refusal["details"]["last_on"]) == ("step_before", "2024-05-07")
    submit(callers.HE, "/cases", **{**later, "as_of": DAY})


def test_the_same_statement_again_changes_nothing_even_when_its_finding_is_gone(
    callers: Callers,
) -> None:
    body = {"ref": "LA-1", "case_no": "XS-1", "title": "归集", "findings": [pooled(callers)]}
    first = submit(callers.HE, "/cases", **body)
    history = callers.AUDIT.get("/loans/L1/history").json()["events"]
    out = next(e["event_id"] for e in history if e["event"] == "loan.outflow-observed.v1")
    submit(callers.NRCB, f"/events/{out}/corrections", reason="录入错误")

    assert schemes(callers, rule="RF08") == []
    assert submit(callers.HE, "/cases", 200, **body) == {**first, "again": True}
    other = {**body, "title": "另一件"}
    assert submit(callers.HE, "/cases", 409, **other)["code"] == "reference_reused"


def test_of_two_who_open_a_case_on_one_finding_at_once_one_is_told_of_the_other(
    callers: Callers,
) -> None:
    body = {"title": "归集", "effective_on": DAY, "findings": [pooled(callers)]}

    def open_one(who: str, n: int) -> Any:
        told = {**body, "ref": f"{who}-{n}", "case_no": f"{who}-{n}"}
        return getattr(callers, who).post("/cases", told)

    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(open_one, ["HE", "YU"] * 4, range(8)))

    won = [answer for answer in answers if answer.status_code == 201]
    lost = [answer.json() for answer in answers if answer.status_code != 201]
    assert len(won) == 1
    [line] = callers.AUDIT.get("/cases", position=log_position(callers)).json()["lines"]
    assert {refusal["code"] for refusal in lost} == {"finding_in_case"}
    assert {refusal["details"]["case_no"] for refusal in lost} == {line["case_no"]}


def test_a_new_finding_of_a_scheme_joins_the_case_that_the_scheme_has(callers: Callers) -> None:
    opened(callers)
    nothing = {"effective_on": DAY}
    assert submit(callers.YU, "/cases/XS-1/findings", 409, **nothing)["code"] == "nothing_to_join"
    diverted(callers, "L2")
    second = {"case_no": "XS-2", "title": "挪用",
              "findings": [{"rule": "RF14", "subject": "NRCB/L2"}]}  # fmt: skip

    refusal = submit(callers.HE, "/cases", 409, **second)
    submit(callers.YU, "/cases/XS-1/findings")

    assert (refusal["code"], refusal["details"]["case_no"]) == ("finding_in_case", "XS-1")
    assert "RF14" in case(callers)["case"]["rules"].split()
    assert {each["new_findings"] for each in schemes(callers, rule="RF14")} == {0}
    assert callers.AUDIT.get("/cases/XS-2").status_code == 404


def test_an_objection_to_a_batch_may_open_a_case(callers: Callers) -> None:
    told = {"ref": "RL", "ground": {"document": "邓财预〔2023〕1号"}, "effective_on": "2023-01-01"}
    submit(callers.FINANCE, "/programme/rulings", **told,
         rulings=[{"rule": "budget_fen", "value": 10**9}])  # fmt: skip
    submit(callers.CENTRE, "/batches", batch_no="PC-1", period="2023Q4", effective_on="2024-01-02")
    submit(callers.BUREAU, "/batches/PC-1/verification", effective_on="2024-01-03")
    submit(callers.T01, "/batches/PC-1/objections", ref="YY-1", line=1, reason="该户未实际用款",
         effective_on="2024-01-04")  # fmt: skip
    objections = [{"batch_no": "PC-1", "objection_no": "YY-1"}]
    unknown = [{"batch_no": "PC-1", "objection_no": "YY-2"}]

    refusal = submit(callers.HE, "/cases", 409, case_no="X", title="异议", objections=unknown)
    opened(callers, findings=[], objections=objections)

    assert refusal["code"] == "finding_unknown"
    found = case(callers)
    rules = found["case"]["rules"].split()
    assert "objection" in rules
    assert "RF08" in rules, "the line's loan is one of the pooled ones: the same scheme"
    [line] = callers.AUDIT.get("/cases", rule="objection").json()["lines"]
    assert line["case_no"] == "XS-1"


# ---- who does what --------------------------------------------------------------------


def test_nobody_is_supervisor_and_investigator_of_one_case(callers: Callers) -> None:
    opened(callers)
    own = submit(callers.HE, "/cases/XS-1/assignment", 409, investigator="he")
    assigned(callers)
    upward = submit(callers.CAI, "/cases/XS-1/assignment", 409, investigator="yu")
    submit(callers.YU, "/cases/XS-1/assignment", investigator="bao")
    back = submit(callers.YU, "/cases/XS-1/assignment", 409, investigator="he")

    assert [r["code"] for r in (own, upward, back)] == ["both_roles"] * 3
    line = case(callers)["case"]
    assert (line["supervisor"], line["investigator"]) == ("yu", "bao")


def test_each_step_is_its_own_persons_and_comes_in_its_turn(callers: Callers) -> None:
    opened(callers)
    early = submit(callers.HE, "/cases/XS-1/proposal", 403, upheld=True, reason="资金归集属实")
    assigned(callers)
    reason = {"reason": "资金归集属实"}
    for caller, path, status, code, body in (
        (callers.HE, "notes", 403, "not_investigator", {"words": "已走访三户"}),
        (callers.HE, "proposal", 403, "not_investigator", {"upheld": True, **reason}),
        (callers.CAI, "upholding", 403, "not_supervisor", {"amount_fen": 1, **reason}),
        (callers.YU, "dismissal", 403, "not_supervisor", reason),
        (callers.HE, "dismissal", 409, "wrong_case_stage", reason),
        (callers.HE, "closing", 409, "wrong_case_stage", reason),
        (callers.HE, "reopening", 409, "wrong_case_stage", reason),
        (callers.CAI, "rectifications", 409, "wrong_case_stage",
         {"what": "停止贴息", "ground": {"document": "D"}}),
        (callers.CAI, "notes", 409, "step_before",
         {"words": "已走访三户", "effective_on": "2024-05-05"}),
        (callers.CAI, "rectifications", 422, "malformed", {"what": "停止贴息"}),
        (callers.CAI, "explanation-requests", 409, "organisation_unknown",
         {"organisation": "NOBODY", "what": "资金为何归集", "until_on": "2024-05-20"}),
        (callers.CAI, "explanation-requests", 409, "answer_day_past",
         {"organisation": "NRCB", "what": "资金为何归集", "until_on": "2024-05-05"}),
    ):  # fmt: skip
        assert submit(caller, f"/cases/XS-1/{path}", status, **body)["code"] == code, path

    assert early["code"] == "not_investigator"
    assert submit(callers.HE, "/cases/XS-9/closing", 404, **reason)["code"] == "case_unknown"


def test_a_decision_waits_for_the_explanations_asked_for_or_for_their_day(
    callers: Callers,
) -> None:
    opened(callers)
    assigned(callers)
    request = asked(callers)
    submit(callers.CAI, "/cases/XS-1/proposal", upheld=False, reason="系正常经营")
    dismissal = {"reason": "系正常经营"}

    on_the_last_day = submit(callers.HE, "/cases/XS-1/dismissal", 409, effective_on="2024-05-20",
                           **dismissal)  # fmt: skip
    submit(callers.HE, "/cases/XS-1/dismissal", effective_on="2024-05-21", **dismissal)
    late = {"request_no": request, "explanation": "迟到的说明"}
    submit(callers.NRCB, "/cases/XS-1/explanations", effective_on="2024-05-22", **late)
    again = submit(callers.NRCB, "/cases/XS-1/explanations", 409, effective_on="2024-05-22", **late)

    assert on_the_last_day["code"] == "explanation_missing"
    assert request in on_the_last_day["title_zh"]
    assert again["code"] == "request_unknown"
    line = case(callers)["case"]
    assert (line["stage"], line["outcome"], line["upheld_fen"]) == ("dismissed", "dismissed", None)


def test_what_comes_after_a_proposal_asks_for_another(callers: Callers) -> None:
    opened(callers)
    assigned(callers)
    told = {"upheld": True, "reason": "资金归集属实"}
    submit(callers.CAI, "/cases/XS-1/proposal", **told)
    assert stage(callers) == "proposed"
    request = asked(callers)
    assert stage(callers) == "assigned"
    submit(callers.NRCB, "/cases/XS-1/explanations", request_no=request, explanation="自行转账")
    uphold = {"reason": "资金归集属实", "amount_fen": 1}
    refusal = submit(callers.HE, "/cases/XS-1/upholding", 409, **uphold)
    assert refusal["code"] == "wrong_case_stage"
    submit(callers.CAI, "/cases/XS-1/proposal", **told)
    submit(callers.HE, "/cases/XS-1/upholding", **uphold)
    close = {"reason": "已追回并整改"}
    assert submit(callers.HE, "/cases/XS-1/closing", 409, **close)["code"] == "not_rectified"
    submit(callers.HE, "/cases/XS-1/reopening", reason="发现新情况")
    line = case(callers)["case"]
    assert (line["stage"], line["outcome"], line["upheld_fen"]) == ("assigned", None, None)


def test_who_was_asked_sees_what_he_was_asked_and_nobody_else_sees_a_case(
    callers: Callers,
) -> None:
    opened(callers)
    assigned(callers)
    submit(callers.CAI, "/cases/XS-1/notes", words="仅供内部：怀疑信贷员")
    request = asked(callers)
    asked(callers, "T01")
    told = {"request_no": request, "explanation": "自行转账"}

    event_id = case(callers)["steps"][1]["event_id"]

    for caller in (callers.PSBC, callers.CENTRE, callers.BUREAU, callers.FINANCE, callers.DB):
        there, nowhere = (caller.get(f"/cases/{no}") for no in ("XS-1", "XS-7"))
        assert (there.status_code, there.text) == (404, nowhere.text.replace("XS-7", "XS-1"))
        spoken, void = (
            submit(caller, f"/cases/{no}/explanations", 404, ref="X", **told)
            for no in ("XS-1", "XS-7")
        )
        assert str(spoken) == str(void).replace("XS-7", "XS-1")
        assert caller.get("/cases").json()["lines"] == []
    for caller in (callers.PSBC, callers.CENTRE, callers.BUREAU, callers.FINANCE):
        assert caller.get(f"/log/receipts/{event_id}").status_code == 404
        assert event_id not in caller.get("/log/receipts", limit=1000).text
    assert callers.AUDIT.get(f"/log/receipts/{event_id}").status_code == 200
    assert event_id in callers.AUDIT.get("/log/receipts", limit=1000).text
    [scheme] = callers.CENTRE.get("/red-flags/schemes", rule="RF08").json()["lines"]
    assert not {"cases", "new_findings"} & scheme.keys()
    for path in ("/cases", "/cases/XS-1"):
        assert callers.ADMIN.get(path).status_code == 403
    others = submit(callers.T01, "/cases/XS-1/explanations", 409, **told)
    submit(callers.NRCB, "/cases/XS-1/explanations", **told)

    assert others["code"] == "request_unknown", "another's request is none of his"
    mine = callers.NRCB.get("/cases/XS-1", position=log_position(callers))
    assert [line["request_no"] for line in mine.json()["requests"]] == [request]
    assert [step["event_zh"] for step in mine.json()["steps"]] == ["要求说明", "说明"]
    assert "怀疑" not in mine.text
    assert "T01" not in mine.text
    [line] = callers.NRCB.get("/cases").json()["lines"]
    assert (line["asked_on"], line["until_on"], line["explained_on"]) == (DAY, "2024-05-20", DAY)
    everything = callers.AUDIT.get("/cases/XS-1").text
    assert not [name for name in ("张1", "张三", *ID_NOS, FIRM["account"]) if name in everything]


# ---- money that came back -------------------------------------------------------------


def test_a_recovery_is_counted_once_and_only_of_a_loan_of_the_case(callers: Callers) -> None:
    another_scheme(callers)
    decided(callers)
    mine = [{"rule": "RF14", "subject": "PSBC/P1"}]
    submit(callers.YU, "/cases", case_no="XS-2", title="挪用", findings=mine)
    submit(callers.YU, "/cases/XS-2/assignment", investigator="bao")
    back = c.body(c.repay(effective_on="2024-05-06", penalty_fen=7), "loan_no")
    own = submit(callers.NRCB, "/loans/L2/repayments", **back)["event_ids"][0]
    other = submit(callers.PSBC, "/loans/P1/repayments", **back)["event_ids"][0]
    lent = callers.AUDIT.get("/loans/L1/history").json()["events"][0]["event_id"]
    register = callers.AUDIT.get("/households/H1/history").json()["events"][0]["event_id"]

    submit(callers.CAI, "/cases/XS-1/recoveries", event_id=own)
    for event_id, code in (
        (own, "recovery_in_case"),
        (other, "recovery_elsewhere"),
        (lent, "recovery_elsewhere"),
        (register, "recovery_elsewhere"),
    ):
        refusal = submit(callers.CAI, "/cases/XS-1/recoveries", 409, event_id=event_id)
        assert refusal["code"] == code
    assert case(callers)["case"]["recovered_fen"] == 2_000_000, "the principal of it"

    submit(callers.NRCB, f"/events/{own}/corrections", reason="录入错误")
    found = case(callers)
    assert (found["case"]["recovered_fen"], found["recoveries"][0]["standing"]) == (0, False)
    undone = submit(callers.NRCB, "/loans/L2/repayments", **back | {"ref": "RP-X"})["event_ids"][0]
    submit(callers.NRCB, f"/events/{undone}/corrections", reason="录入错误")
    refusal = submit(callers.CAI, "/cases/XS-1/recoveries", 409, event_id=undone)
    assert refusal["code"] == "recovery_elsewhere"


def test_what_the_cases_say_came_back_is_what_the_subsidy_ledger_says(callers: Callers) -> None:
    paid = c.body(c.pay(), "loan_no")
    for n in (2, 3):
        submit(callers.FINANCE, f"/loans/L{n}/subsidy-payments", **paid | {"ref": f"PAY-{n}"})
    decided(callers, effective_on="2024-05-07")
    for n, fen in ((1, PAID_FEN), (2, 20_000), (2, 999)):
        told = {"payment_no": f"PAY-{n}", "amount_fen": fen, "reason": "户贷企用", "voucher": "V"}
        back = submit(callers.FINANCE, f"/loans/L{n}/subsidy-recoveries", **told)
        submit(callers.CAI, "/cases/XS-1/recoveries", effective_on="2024-05-07",
             event_id=back["event_ids"][0])  # fmt: skip

    found = case(callers)
    named = {recovery["payment_no"] for recovery in found["recoveries"]}
    ledger = callers.AUDIT.get("/ledgers/subsidies").json()["lines"]
    assert named == {"PAY-1", "PAY-2"}
    assert found["case"]["recovered_fen"] == sum(
        line["recovered_fen"] for line in ledger if line["payment_no"] in named
    )
    assert found["case"]["recovered_fen"] == sum(r["amount_fen"] for r in found["recoveries"])
    assert found["case"]["recovered_fen"] == PAID_FEN + 20_999


# ---- at any two dates -----------------------------------------------------------------


def test_a_case_can_be_read_as_it_was_on_a_day_and_as_it_was_known(callers: Callers) -> None:
    opened(callers)
    before = case(callers)["known_at"]
    submit(callers.HE, "/cases/XS-1/assignment", investigator="cai", effective_on="2024-05-08")
    told = {"upheld": True, "reason": "资金归集属实", "effective_on": "2024-06-01"}
    submit(callers.CAI, "/cases/XS-1/proposal", **told)

    assert callers.AUDIT.get("/cases/XS-1", as_of="2024-05-05").status_code == 404
    assert stage(callers, as_of="2024-05-07") == "opened"
    assert stage(callers, as_of="2024-05-31") == "assigned"
    assert stage(callers, as_of="2024-06-01") == "proposed"
    assert stage(callers, known_at=before) == "opened"
    waited = case(callers, as_of="2024-05-31")["case"]["waited_days"]
    assert waited == 25
    assert len(case(callers, as_of="2024-05-31")["steps"]) == 2


def test_the_cases_leave_by_stage_rule_bank_and_township_and_as_files(callers: Callers) -> None:
    opened(callers)
    position = log_position(callers)
    for query, lines in (
        ({}, 1),
        ({"stage": "opened"}, 1),
        ({"stage": "closed"}, 0),
        ({"rule": "RF08"}, 1),
        ({"rule": "RF11"}, 0),
        ({"bank": "NRCB"}, 1),
        ({"bank": "PSBC"}, 0),
        ({"township": "T01"}, 1),
        ({"township": "T02"}, 0),
    ):
        found = callers.AUDIT.get("/cases", position=position, **query).json()["lines"]
        assert len(found) == lines, query
    assert callers.AUDIT.get("/cases", stage="lost").status_code == 422
    file = callers.AUDIT.get("/cases", accept="text/csv")
    titles, values = csv.reader(io.StringIO(file.content.decode("utf-8-sig")))
    row = dict(zip(titles, values, strict=True))
    assert row["线索编号 case_no"] == "XS-1"
    assert row["金额(元) amount_yuan"] == "135000.00"


def test_two_cases_that_a_new_finding_ties_together_stay_two_and_are_both_named(
    callers: Callers,
) -> None:
    another_scheme(callers)
    opened(callers)
    mine = [{"rule": "RF14", "subject": "PSBC/P1"}]
    submit(callers.HE, "/cases", case_no="XS-2", title="挪用", findings=mine)
    account = {"account": "6222000000000007", "name": "周七", "kind": "household"}
    submit(callers.NRCB, "/loans/L1/outflows", effective_on="2023-03-22", to=account, amount_fen=1)
    late = {"account": "6222000000000007", "name": "周七"}
    lent = {"loan_no": "L9", "household_no": "H1", "borrower_id_no": ID_NOS[0]}
    submit(callers.NRCB, "/loans", **c.body(c.loan(**lent, payee=late, ground={"document": "D"})))

    [scheme] = schemes(callers, rule="RF09")
    assert scheme["cases"] == ["XS-1", "XS-2"]
    assert scheme["new_findings"] > 0
    taken = submit(callers.HE, "/cases/XS-1/findings", 409, findings=mine)
    submit(callers.HE, "/cases/XS-1/findings")

    assert (taken["code"], taken["details"]["case_no"]) == ("finding_in_case", "XS-2")
    assert "RF09" in case(callers)["case"]["rules"].split()
    assert "RF09" not in case(callers, "XS-2")["case"]["rules"].split()
    assert [each["new_findings"] for each in schemes(callers, rule="RF09")] == [0]

"""A log in which every kind of event stands, and every table of the facts has rows."""

from __future__ import annotations

from support import controls as c

from application.command import Command
from application.commands.batch import (
    ApproveBatch,
    CorrectResult,
    LiftLimit,
    OrderPayment,
    PostNotice,
    RaiseObjection,
    ResolveObjection,
    ReturnBatch,
    TellResult,
    VerifyBatch,
)
from application.ledger import Ledger, Recorded
from domain.batch import Run
from domain.kernel import Author
from domain.publication import Edition

OTHER_ID_NO = "440524188001010014"


def everything(copies: int = 1) -> list[tuple[Command, Author]]:
    """Commands that bring about all events but corrections; each copy about a household more."""
    told: list[tuple[Command, Author]] = []
    for n in range(1, copies + 1):
        own = {"household_no": f"H{n}"}
        loan = {"loan_no": f"L{n}"}
        told += [
            (c.household(ref=f"HH-{n}", **own), c.BUREAU),
            (c.demand(ref=f"DM-{n}", **own), c.TOWNSHIP),
            (c.credit(ref=f"CR-{n}", **own), c.BANK),
            (
                c.credit(
                    ref=f"CX-{n}",
                    decision="refused",
                    amount_fen=None,
                    reason="已有贷款",
                    told_on="2023-03-02",
                    **own,
                ),
                c.OTHER_BANK,
            ),
            (c.loan(ref=f"LN-{n}", contract_no=f"C{n}", **own, **loan), c.BANK),
            (c.outflow(ref=f"OF-{n}", **loan), c.BANK),
            (c.outflow(ref=f"OG-{n}", payer=c.PAYER, **loan), c.BANK),
            (c.check(ref=f"UC-{n}", **loan), c.TOWNSHIP),
            (c.pay(ref=f"PAY-{n}", **loan), c.FINANCE),
            (c.status(ref=f"ST-{n}", effective_on="2023-06-30", **own), c.BUREAU),
            (c.members(ref=f"MB-{n}", **own), c.BUREAU),
            (c.repay(ref=f"RP-{n}", **loan), c.BANK),
            (c.recover(ref=f"REC-{n}", payment_no=f"PAY-{n}", **loan), c.FINANCE),
            (c.remind(ref=f"RM-{n}", **loan), c.BANK),
            (c.extend(ref=f"EX-{n}", **loan), c.BANK),
            (c.plan(ref=f"PL-{n}", **loan), c.TOWNSHIP),
            (
                c.loan(
                    ref=f"LR-{n}",
                    effective_on="2024-06-01",
                    contract_on="2024-06-01",
                    due_on="2025-06-01",
                    loan_no=f"R{n}",
                    contract_no=f"CR{n}",
                    renews_loan_no=f"L{n}",
                    **own,
                ),
                c.BANK,
            ),
            (
                c.repay(ref=f"RS-{n}", effective_on="2024-06-01", principal_fen=3_000_000, **loan),
                c.BANK,
            ),
            (c.report(ref=f"BR-{n}", period=f"{2022 - n // 12}-{n % 12 + 1:02}"), c.BANK),
        ]
    return told


def programme_and_money() -> list[tuple[Command, Author]]:
    """What brings about every event of the programme, the fund and a batch, but corrections."""
    lines = (
        c.batch_line(1, 100),
        c.batch_line(2, 200),
        c.batch_line(3, 10**9),
        c.batch_line(4, 400),
        c.batch_line(5, 500, kind="recovery"),
    )
    posted = {"until_on": "2024-01-20", "place": "公示栏", "ground": {"document": "公示照片"}}
    objection = {"reason": "该户未实际用款", "line": 4}
    answer = {"objection_no": "YY-1", "upheld": True, "reason": "核查属实"}
    found = {"finding": "amount", "amount_fen": 300}
    lifting = {"objection_no": "YY-1", "reason": "复核后金额无误"}
    return [
        (c.ruling(), c.CENTRE),
        (c.programme_plan(), c.CENTRE),
        (c.programme_plan(ref="PN-2", effective_on="2024-06-01", until_on="2024-12-31"), c.CENTRE),
        (c.ruling(ref="RL-2", rulings=[{"rule": "subsidy_share", "value": 10_000}]), c.CENTRE),
        (c.rating(), c.BANK),
        (c.guarantee(), c.GUARANTOR),
        (c.risk(), c.TOWNSHIP),
        (c.risk_note(), c.CENTRE),
        (c.risk_fund_payment(), c.FINANCE),
        (c.agreement(), c.TOWNSHIP),
        (c.benefit_payment(), c.TOWNSHIP),
        (c.allocate(amount_fen=10**9 + 10**6), c.FINANCE),
        (c.transfer(), c.FINANCE),
        (c.transfer(ref="BF-2", payer="贴息专户", payee="NRCB"), c.FINANCE),
        (
            c.batch_of(Run(lines, 1, 0), ref="PC-0", batch_no="PC-0", estimate=True, bank="NRCB"),
            c.CENTRE,
        ),
        (c.batch_of(Run(lines, 1, 0)), c.CENTRE),
        (c.step(VerifyBatch, "HS-1"), c.BUREAU),
        (c.step(PostNotice, "GS-1", level="village", **posted), c.TOWNSHIP),
        (c.step(PostNotice, "GS-2", level="township", **posted), c.TOWNSHIP),
        (c.step(PostNotice, "GS-3", level="county", **posted), c.CENTRE),
        (c.step(RaiseObjection, "YY-1", **objection), c.TOWNSHIP),
        (c.step(ResolveObjection, "CL-1", **answer, **found), c.CENTRE),
        (c.step(ApproveBatch, "PZ-1", "2024-01-21"), c.SECOND_FINANCE),
        (c.step(OrderPayment, "ZL-1", "2024-01-22", bank="NRCB"), c.THIRD_FINANCE),
        (
            c.step(
                TellResult,
                "HP-1",
                "2024-01-23",
                results=[
                    {"line": 1, "paid": True, "voucher": "N-1"},
                    {"line": 2, "paid": False, "reason": "账户已销户"},
                ],
            ),
            c.BANK,
        ),
        (
            c.step(
                CorrectResult,
                "GZ-1",
                "2024-01-24",
                ground={"document": "回盘更正函2024-1"},
                corrections=[
                    {"line": 1, "paid": False, "reason": "账户已销户"},
                    {"line": 2, "paid": True, "voucher": "N-2", "reason": "系统超时，实际已付"},
                ],
            ),
            c.BANK,
        ),
        (
            c.step(
                LiftLimit, "JC-1", "2024-01-25", ground={"document": "复核意见2024-1"}, **lifting
            ),
            c.BUREAU,
        ),
        (c.publication(Edition("表,头\r\n", 0, "2024-01-09T00:00:00Z", 1, "00")), c.CENTRE),
        (
            c.batch_of(Run(lines[:1], 1, 1), ref="PC-2", batch_no="PC-2", township="T01"),
            c.CENTRE,
        ),
        (c.step(ReturnBatch, "TH-1", reason="附件不全").model_copy(update={"batch_no": "PC-2"}),
         c.BUREAU),
        (
            c.loan(ref="LO-1", loan_no="OD1", contract_no="CO1", effective_on="2022-01-10",
                   contract_on="2022-01-10", due_on="2022-07-10"),
            c.OTHER_BANK,
        ),
        (c.compensation(loan_no="OD1", bank="PSBC"), c.FINANCE),
        (c.compensation_recovery(loan_no="OD1", bank="PSBC"), c.FINANCE),
    ]  # fmt: skip


def a_case(recovery: str) -> list[tuple[Command, Author]]:
    """What brings about every event of a case, in which a recovery of loan L1 is counted."""
    return [
        (c.case_of(c.found_of("L1")), c.AUDITOR),
        (c.joining(c.found_of("R1", rule="RF14", subject="NRCB/R1")), c.AUDITOR),
        (c.assignment(), c.AUDITOR),
        (c.explanation_request(), c.INVESTIGATOR),
        (c.explanation(), c.BANK),
        (c.case_note(), c.INVESTIGATOR),
        (c.proposal(upheld=False), c.INVESTIGATOR),
        (c.dismissal(), c.AUDITOR),
        (c.reopening(), c.AUDITOR),
        (c.proposal(ref="JY-2"), c.INVESTIGATOR),
        (c.upholding(), c.AUDITOR),
        (c.case_recovery(recovery), c.INVESTIGATOR),
        (c.rectification(), c.INVESTIGATOR),
        (c.closing(), c.AUDITOR),
    ]


def submit_everything(ledger: Ledger, copies: int = 1) -> list[Recorded]:
    """Tell it, and correct one event of each kind of aggregate."""
    submissions = [*everything(copies), *programme_and_money()]
    recorded = [ledger.submit(command, by) for command, by in submissions]
    by_ref = dict(zip((command.ref for command, _ in submissions), recorded, strict=True))
    told_back = by_ref["REC-1"].event_ids[0]
    recorded += [ledger.submit(command, by) for command, by in a_case(told_back)]
    look = c.look(ref="LK-0", effective_on=ledger.today())
    recorded.append(ledger.submit(look, c.AUDITOR))
    recorded.append(ledger.submit(c.unification(), c.ADMIN))
    for ref, by in (
        ("RP-1", c.BANK),
        ("ST-1", c.BUREAU),
        ("BR-1", c.BANK),
        ("RL-2", c.CENTRE),
        ("BF-2", c.FINANCE),
    ):
        event_id = by_ref[ref].event_ids[0]
        recorded.append(ledger.submit(c.correct(event_id, ref=f"FIX-{ref}"), by))
    return recorded

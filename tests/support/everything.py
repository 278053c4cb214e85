"""A log in which every kind of event stands, and every table of the facts has rows."""

from __future__ import annotations

from support import controls as c

from application.commands import Command
from application.ledger import Ledger, Recorded
from domain.kernel import Author

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


def tell_everything(ledger: Ledger, copies: int = 1) -> list[Recorded]:
    """Tell it, and correct one repayment, one status and one report."""
    recorded = [ledger.tell(command, by) for command, by in everything(copies)]
    by_ref = dict(zip((command.ref for command, _ in everything(copies)), recorded, strict=True))
    for ref, by in (("RP-1", c.BANK), ("ST-1", c.BUREAU), ("BR-1", c.BANK)):
        event_id = by_ref[ref].event_ids[0]
        recorded.append(ledger.tell(c.correct(event_id, ref=f"FIX-{ref}"), by))
    return recorded

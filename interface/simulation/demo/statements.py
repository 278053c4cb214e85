"""What the county's organisations say, in the words of the contract: one function a statement."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from application.command import Command
from application.commands.bank_report import ReportScale
from application.commands.household import (
    ChangeMembers,
    ChangeStatus,
    DecideCredit,
    LeavingMember,
    NewMember,
    RateCredit,
    RecommendDemand,
    RegisterHousehold,
)
from application.commands.loan import (
    AgreeRepaymentPlan,
    CheckUsage,
    DisburseLoan,
    ExtendLoan,
    GuaranteeLoan,
    ObserveOutflow,
    OutflowAccount,
    RemindBorrower,
    RepayLoan,
)
from application.fields import Account, Ground
from application.ledger import Submission
from domain.household import Category
from domain.kernel import Author
from domain.loan import Channel, Finding, PayeeKind, ReminderKind
from domain.roles import Role
from interface.simulation.demo.people import BANKS, TOWNSHIPS, Person
from interface.simulation.demo.plans import HouseholdPlan, LoanPlan
from interface.simulation.demo.random_source import day

BUREAU: Final = Author(Role.BUREAU, "BUREAU", "bureau-01")
FINANCE: Final = Author(Role.FINANCE, "FINANCE", "fin-01")
GUARANTOR: Final = Author(Role.GUARANTOR, "GUAR", "guar-01")
_CLERKS: Final = {
    code: tuple(Author(Role.BANK, code, f"{code.lower()}-{n:02d}") for n in range(1, 7))
    for _, code, _ in BANKS
}
_CADRES: Final = {
    code: tuple(Author(Role.TOWNSHIP, code, f"{code.lower()}-{n:02d}") for n in range(1, 5))
    for code, _ in TOWNSHIPS
}


class Correction(NamedTuple):
    """A correction whose event is still named by the reference under which it was told."""

    of: str
    by: Author
    ref: str
    on: int
    reason: str
    replacement: dict[str, Any] | None


def clerk(loan: LoanPlan) -> Author:
    return _CLERKS[loan.bank][loan.household.place % 6]


def cadre(household: HouseholdPlan) -> Author:
    return _CADRES[household.township][household.place % 4]


# ---- households -----------------------------------------------------------------------


def registration(household: HouseholdPlan) -> Submission:
    return Submission(
        RegisterHousehold(
            ref=f"DJ-{household.no}",
            effective_on=day(household.registered),
            household_no=household.no,
            township_code=household.township,
            village=household.village,
            category=household.category,
            members=[_member(p, head=place == 0) for place, p in enumerate(household.people)],
        ),
        BUREAU,
    )


def status_change(household: HouseholdPlan, on: int, category: Category, reason: str) -> Submission:
    return Submission(
        ChangeStatus(
            ref=f"ZT-{household.no}",
            effective_on=day(on),
            household_no=household.no,
            category=category,
            reason=reason,
        ),
        BUREAU,
    )


def member_change(
    household: HouseholdPlan,
    on: int,
    added: list[Person],
    left: list[tuple[Person, str]],
    head: bool,
) -> Submission:
    return Submission(
        ChangeMembers(
            ref=f"CY-{household.no}",
            effective_on=day(on),
            household_no=household.no,
            added=[_member(person, head=head) for person in added],
            left=[LeavingMember(id_no=person.id_no, reason=reason) for person, reason in left],
        ),
        BUREAU,
    )


def demand(household: HouseholdPlan, ref: str, on: int, fen: int, purpose: str) -> Submission:
    return Submission(
        RecommendDemand(
            ref=f"XQ-{ref}",
            effective_on=day(on),
            household_no=household.no,
            amount_fen=fen,
            purpose=purpose,
        ),
        cadre(household),
    )


def credit(household: HouseholdPlan, bank: str, ref: str, on: int, fen: int, purpose: str,
           refused: str | None) -> Submission:  # fmt: skip
    return Submission(
        DecideCredit(
            ref=f"SX-{ref}",
            effective_on=day(on),
            household_no=household.no,
            amount_fen=fen,
            purpose=purpose,
            decision="refused" if refused else "granted",
            reason=refused,
            told_on=day(on) if refused else None,
        ),
        _CLERKS[bank][household.place % 6],
    )


# ---- loans ------------------------------------------------------------------------------


def loan_ref(loan: LoanPlan) -> str:
    return f"FK-{loan.no}"


def loan_body(loan: LoanPlan) -> dict[str, Any]:
    """The body of the disbursement as it truly was."""
    body: dict[str, Any] = {
        "effective_on": day(loan.disbursed),
        "loan_no": loan.no,
        "contract_no": f"HT-{loan.no}",
        "contract_on": day(loan.contract),
        "household_no": loan.household.no,
        "borrower_id_no": loan.household.borrower.id_no,
        "principal_fen": loan.principal_fen,
        "credited_fen": loan.credited_fen,
        "annual_rate_bp": loan.rate_bp,
        "due_on": day(loan.due),
        "purpose": loan.purpose,
        "payee": {"account": loan.payee_account, "name": loan.payee_name},
    }
    if loan.renews:
        body["renews_loan_no"] = loan.renews.no
    return body


def disbursement(loan: LoanPlan, mistake: dict[str, Any]) -> Submission:
    return Submission(
        DisburseLoan(ref=loan_ref(loan), **{**loan_body(loan), **mistake}), clerk(loan)
    )


def repayment_ref(loan: LoanPlan, count: int) -> str:
    return f"HK-{loan.no}-{count:02d}"


def repayment_body(loan: LoanPlan, on: int, fen: tuple[int, int, int]) -> dict[str, Any]:
    return {
        "effective_on": day(on),
        "principal_fen": fen[0],
        "interest_fen": fen[1],
        "penalty_fen": fen[2],
        "payer": {"account": payer_account(loan), "name": loan.household.borrower.name},
    }


def payer_account(loan: LoanPlan) -> str:
    return loan.orders.payer_account or loan.household.account(loan.bank)


def repayment(loan: LoanPlan, count: int, on: int, fen: tuple[int, int, int],
              document: str | None) -> Submission:  # fmt: skip
    return Submission(
        RepayLoan(
            ref=repayment_ref(loan, count),
            effective_on=day(on),
            loan_no=loan.no,
            principal_fen=fen[0],
            interest_fen=fen[1],
            penalty_fen=fen[2],
            payer=Account(account=payer_account(loan), name=loan.household.borrower.name),
            ground=Ground(document=document) if document else None,
        ),
        clerk(loan),
    )


def outflow(loan: LoanPlan, count: int, on: int, fen: int, to: tuple[str, str, PayeeKind]
            ) -> Submission:  # fmt: skip
    account, name, kind = to
    return Submission(
        ObserveOutflow(
            ref=f"LX-{loan.no}-{count}",
            effective_on=day(on),
            loan_no=loan.no,
            amount_fen=fen,
            to=OutflowAccount(account=account, name=name, kind=kind),
        ),
        clerk(loan),
    )


def extension(loan: LoanPlan, agreed: int) -> Submission:
    return Submission(
        ExtendLoan(
            ref=f"ZQ-{loan.no}",
            effective_on=day(agreed),
            loan_no=loan.no,
            agreed_on=day(agreed),
            new_due_on=day(loan.extended_due),
        ),
        clerk(loan),
    )


def reminder(loan: LoanPlan, kind: ReminderKind, channel: Channel, on: int) -> Submission:
    evidence = f"回执 {loan.no}" if channel == "written" else None
    return Submission(
        RemindBorrower(
            ref=f"TX-{kind}-{loan.no}",
            effective_on=day(on),
            loan_no=loan.no,
            kind=kind,
            channel=channel,
            evidence=evidence,
        ),
        clerk(loan),
    )


_USES: Final = {
    "as_agreed": "{}，与借款用途一致",
    "diverted": "款项用于{}，与借款用途不符",
    "not_found": "未见{}项目，借款人外出",
}


def usage_check(loan: LoanPlan, count: int, on: int, finding: Finding, use: str) -> Submission:
    by = cadre(loan.household)
    return Submission(
        CheckUsage(
            ref=f"DC-{loan.no}-{count:02d}",
            effective_on=day(on),
            loan_no=loan.no,
            bank=loan.bank,
            finding=finding,
            actual_use=_USES[finding].format(use),
            borrower_met=finding != "not_found",
            with_bank=(loan.household.place + count) % 3 > 0,
            inspector=f"{by.organisation} 驻村干部 {loan.household.place % 9 + 1}",
        ),
        by,
    )


def repayment_plan(loan: LoanPlan, on: int, left_fen: int) -> Submission:
    half_fen = left_fen // 2
    instalments = [(on + 45, half_fen), (on + 100, left_fen - half_fen)]
    return Submission(
        AgreeRepaymentPlan.model_validate(
            {
                "ref": f"JH-{loan.no}",
                "effective_on": day(on),
                "loan_no": loan.no,
                "bank": loan.bank,
                "instalments": [
                    {"due_on": day(due), "amount_fen": fen} for due, fen in instalments if fen
                ],
            }
        ),
        cadre(loan.household),
    )


def guarantee(loan: LoanPlan, on: int) -> Submission:
    return Submission(
        GuaranteeLoan(
            ref=f"DB-{loan.no}",
            effective_on=day(on),
            loan_no=loan.no,
            bank=loan.bank,
            amount_fen=loan.principal_fen,
            fee_fen=0,
        ),
        GUARANTOR,
    )


_GRADES: Final = ((850, "AAA"), (760, "AA"), (650, "A"), (0, "B"))


def rating(loan: LoanPlan, on: int, score: int) -> Submission:
    """What the bank thinks of the household before it lends."""
    grade = next(grade for least, grade in _GRADES if score >= least)
    command: Command = RateCredit(
        ref=f"PJ-{loan.no}",
        effective_on=day(on),
        household_no=loan.household.no,
        grade=grade,
        score=score,
    )
    return Submission(command, clerk(loan))


def scale_report(bank: str, period: str, on: int, loans: int, households: int, balance_fen: int,
                 disbursed_fen: int) -> Submission:  # fmt: skip
    command: Command = ReportScale(
        ref=f"BB-{bank}-{period}",
        effective_on=day(on),
        period=period,
        loans=loans,
        households=households,
        balance_fen=balance_fen,
        disbursed_fen=disbursed_fen,
    )
    return Submission(command, _CLERKS[bank][0])


def _member(person: Person, *, head: bool) -> NewMember:
    return NewMember(name=person.name, id_no=person.id_no, relation=person.relation, head=head)

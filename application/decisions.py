"""How each command is carried out: find the aggregates, let them decide, record.

Who may tell what stands in each decision's first line. A bank names loans by its own numbers,
so it cannot reach another bank's; a township reaches the loans of its own households only.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any
from uuid import UUID

from pydantic import ValidationError

from application.commands import (
    AgreeRepaymentPlan,
    ChangeMembers,
    ChangeStatus,
    CheckUsage,
    Command,
    CorrectEvent,
    DecideCredit,
    DisburseLoan,
    EraseHousehold,
    ExtendLoan,
    LookAtHousehold,
    MemberBody,
    ObserveOutflow,
    PaySubsidy,
    RecommendDemand,
    RecoverSubsidy,
    RegisterHousehold,
    RemindBorrower,
    RepayLoan,
    ReportScale,
    RulingItem,
    SetRulings,
    TellPlan,
)
from application.ledger import RULES, Ledger, Looks, carries_out
from application.refusals import (
    DatedInFuture,
    EventUnknown,
    LoanAmbiguous,
    LookNotToday,
    ReplacementElsewhere,
    ReplacementMalformed,
    TooManyLooks,
)
from domain.bank_report import BankReport
from domain.calendar import Period, named_quarter
from domain.catalogue import EVENTS, kind_of
from domain.fund import Fund
from domain.household import Household, HouseholdUnknown, Left, Member
from domain.identity_number import birth_day
from domain.kernel import AnyEvent, Author, NotCorrectable, Note
from domain.loan import Instalment, Loan, LoanUnknown, PaidByBatchOnly
from domain.policy import Value
from domain.programme import Programme, RuleMalformed
from domain.steps import assure_follows
from domain.subsidy import REASONS, Calculation, calculate, eligible

MOST_LOOKS = 30
LOOKS_COUNTED_FOR = timedelta(minutes=1)


def _own_loan(command: Any, by: Author) -> Looks:
    return ((Loan.id_for(by.organisation, command.loan_no), Loan),)


def _named_loan(command: Any, by: Author) -> Looks:
    return ((Loan.id_for(command.bank, command.loan_no), Loan),) if command.bank else ()


def _loan_and_household(command: Any, by: Author) -> Looks:
    return (
        (Loan.id_for(by.organisation, command.loan_no), Loan),
        (Household.id_for(command.household_no), Household),
    )


def _its_household(command: Any, by: Author) -> Looks:
    return ((Household.id_for(command.household_no), Household),)


def _its_report(command: Any, by: Author) -> Looks:
    return ((BankReport.id_for(by.organisation, command.period), BankReport),)


def _the_programme(command: Any, by: Author) -> Looks:
    return ((Programme.the_id(), Programme),)


def _nothing_yet(command: Any, by: Author) -> Looks:
    return ()


# ---- households -----------------------------------------------------------------------


@carries_out(RegisterHousehold, "bureau", looks_at=_its_household)
def register_household(
    ledger: Ledger, command: RegisterHousehold, note: Note, replaces: int | None = None
) -> None:
    members, people = _members(ledger, command.members)
    ledger.household(command.household_no).register(
        note,
        household_no=command.household_no,
        township=command.township_code,
        village=command.village,
        category=command.category,
        members=members,
        personal={"members": people},
        replaces=replaces,
    )


@carries_out(ChangeStatus, "bureau", looks_at=_its_household)
def change_status(
    ledger: Ledger, command: ChangeStatus, note: Note, replaces: int | None = None
) -> None:
    ledger.household(command.household_no).change_status(
        note, category=command.category, reason=command.reason, replaces=replaces
    )


@carries_out(ChangeMembers, "bureau", looks_at=_its_household)
def change_members(
    ledger: Ledger, command: ChangeMembers, note: Note, replaces: int | None = None
) -> None:
    added, people = _members(ledger, command.added)
    left = tuple(
        Left(ledger.pseudonym("person", leaver.id_no), leaver.reason, leaver.code)
        for leaver in command.left
    )
    ledger.household(command.household_no).change_members(
        note, added=added, left=left, personal={"members": people}, replaces=replaces
    )


@carries_out(RecommendDemand, "township", looks_at=_its_household)
def recommend_demand(
    ledger: Ledger, command: RecommendDemand, note: Note, replaces: int | None = None
) -> None:
    household = ledger.household(command.household_no)
    if household.township != note.by.organisation:
        raise HouseholdUnknown(household_no=command.household_no)
    household.recommend_demand(
        note, amount_fen=command.amount_fen, purpose=command.purpose, replaces=replaces
    )


@carries_out(DecideCredit, "bank", looks_at=_its_household)
def decide_credit(
    ledger: Ledger, command: DecideCredit, note: Note, replaces: int | None = None
) -> None:
    today = ledger.today()
    if command.told_on is not None and command.told_on > today:
        raise DatedInFuture("told_on", effective_on=command.told_on, today=today)
    ledger.household(command.household_no).decide_credit(
        note,
        bank=note.by.organisation,
        granted=command.decision == "granted",
        amount_fen=command.amount_fen,
        purpose=command.purpose,
        reason=command.reason,
        told_on=command.told_on,
        replaces=replaces,
    )


@carries_out(EraseHousehold, "bureau", looks_at=_its_household)
def erase_household(ledger: Ledger, command: EraseHousehold, note: Note) -> None:
    """Give a household's personal data up, when nothing is owed on any loan it has."""
    household = ledger.household(command.household_no)
    loans = [ledger.aggregate(Loan, id) for id in sorted(set(household.borrowed.values()))]
    owed = [f"{loan.bank}/{loan.loan_no}" for loan in loans if loan.outstanding_fen > 0]
    household.erase(note, open_loans=sorted(owed), reason=command.reason)


@carries_out(
    LookAtHousehold,
    "bureau",
    "centre",
    "finance",
    "auditor",
    "township",
    "bank",
    looks_at=_its_household,
)
def look_at_household(ledger: Ledger, command: LookAtHousehold, note: Note) -> None:
    """Record a look at personal data, before anything is shown."""
    today = ledger.today()
    if command.effective_on != today:
        raise LookNotToday(effective_on=command.effective_on, today=today)
    if ledger.looks_within(LOOKS_COUNTED_FOR, note.by) >= MOST_LOOKS:
        raise TooManyLooks(most=MOST_LOOKS)
    household = ledger.household(command.household_no)
    loans = [ledger.aggregate(Loan, id) for id in household.loans_of(note.by.organisation)]
    borrowers = [(loan.borrower, loan.disbursed_on) for loan in loans if loan.exists]
    household.look_at(note, reason=command.reason, borrowers=borrowers)


# ---- loans, told by the bank ----------------------------------------------------------


@carries_out(DisburseLoan, "bank", looks_at=_loan_and_household)
def disburse_loan(
    ledger: Ledger, command: DisburseLoan, note: Note, replaces: int | None = None
) -> None:
    bank = note.by.organisation
    loan = ledger.loan(bank, command.loan_no)
    household = ledger.household(command.household_no)
    renewed = None
    if command.renews_loan_no is not None and command.renews_loan_no != command.loan_no:
        renewed = ledger.loan(bank, command.renews_loan_no)
        if not renewed.exists:
            raise LoanUnknown("renews_loan_no", loan_no=command.renews_loan_no)
    loan.disburse(
        note,
        bank=bank,
        loan_no=command.loan_no,
        contract_no=command.contract_no,
        contract_on=command.contract_on,
        household_id=household.id,
        household_no=command.household_no,
        borrower=ledger.pseudonym("person", command.borrower_id_no),
        borrower_age_years=_age_years(command.borrower_id_no, command.effective_on),
        principal_fen=command.principal_fen,
        credited_fen=command.credited_fen,
        annual_rate_bp=command.annual_rate_bp,
        due_on=command.due_on,
        purpose=command.purpose,
        payee=ledger.pseudonym("account", command.payee.account),
        renews_loan_no=command.renews_loan_no,
        personal={
            "borrower_id_no": command.borrower_id_no,
            "payee_account": command.payee.account,
            "payee_name": command.payee.name,
        },
        replaces=replaces,
    )
    household.borrow(
        note,
        loan_id=loan.id,
        bank=bank,
        loan_no=command.loan_no,
        principal_fen=command.principal_fen,
    )
    if renewed is not None:
        renewed.renew(note, by_loan_no=command.loan_no)


@carries_out(RepayLoan, "bank", looks_at=_own_loan)
def repay_loan(ledger: Ledger, command: RepayLoan, note: Note, replaces: int | None = None) -> None:
    payer = command.payer
    ledger.loan(note.by.organisation, command.loan_no).repay(
        note,
        principal_fen=command.principal_fen,
        interest_fen=command.interest_fen,
        penalty_fen=command.penalty_fen,
        payer=ledger.pseudonym("account", payer.account),
        personal={"payer_account": payer.account, "payer_name": payer.name},
        replaces=replaces,
    )


@carries_out(ObserveOutflow, "bank", looks_at=_own_loan)
def observe_outflow(
    ledger: Ledger, command: ObserveOutflow, note: Note, replaces: int | None = None
) -> None:
    to, payer = command.to, command.payer
    personal = {"to_account": to.account, "to_name": to.name}
    if payer is not None:
        personal |= {"payer_account": payer.account, "payer_name": payer.name}
    ledger.loan(note.by.organisation, command.loan_no).observe_outflow(
        note,
        amount_fen=command.amount_fen,
        to=ledger.pseudonym("account", to.account),
        kind=to.kind,
        payer=None if payer is None else ledger.pseudonym("account", payer.account),
        personal=personal,
        replaces=replaces,
    )


@carries_out(ExtendLoan, "bank", looks_at=_own_loan)
def extend_loan(
    ledger: Ledger, command: ExtendLoan, note: Note, replaces: int | None = None
) -> None:
    ledger.loan(note.by.organisation, command.loan_no).extend(
        note, agreed_on=command.agreed_on, new_due_on=command.new_due_on, replaces=replaces
    )


@carries_out(RemindBorrower, "bank", looks_at=_own_loan)
def remind_borrower(
    ledger: Ledger, command: RemindBorrower, note: Note, replaces: int | None = None
) -> None:
    ledger.loan(note.by.organisation, command.loan_no).remind(
        note,
        kind=command.kind,
        channel=command.channel,
        evidence=command.evidence,
        replaces=replaces,
    )


@carries_out(ReportScale, "bank", looks_at=_its_report)
def report_scale(
    ledger: Ledger, command: ReportScale, note: Note, replaces: int | None = None
) -> None:
    bank = note.by.organisation
    ledger.bank_report(bank, command.period).report_scale(
        note,
        bank=bank,
        period=command.period,
        loans=command.loans,
        households=command.households,
        balance_fen=command.balance_fen,
        disbursed_fen=command.disbursed_fen,
        replaces=replaces,
    )


# ---- loans, told by the township ------------------------------------------------------


@carries_out(CheckUsage, "township", looks_at=_named_loan)
def check_usage(
    ledger: Ledger, command: CheckUsage, note: Note, replaces: int | None = None
) -> None:
    _township_loan(ledger, command.bank, command.loan_no, note).check_usage(
        note,
        finding=command.finding,
        actual_use=command.actual_use,
        borrower_met=command.borrower_met,
        with_bank=command.with_bank,
        inspector=command.inspector,
        began_on=command.began_on,
        replaces=replaces,
    )


@carries_out(AgreeRepaymentPlan, "township", looks_at=_named_loan)
def agree_repayment_plan(
    ledger: Ledger, command: AgreeRepaymentPlan, note: Note, replaces: int | None = None
) -> None:
    _township_loan(ledger, command.bank, command.loan_no, note).agree_repayment_plan(
        note,
        instalments=tuple(Instalment(i.due_on, i.amount_fen) for i in command.instalments),
        replaces=replaces,
    )


# ---- subsidies, decided by us ---------------------------------------------------------


@carries_out(PaySubsidy, "finance", looks_at=_named_loan)
def pay_subsidy(ledger: Ledger, command: PaySubsidy, note: Note) -> None:
    """Pay what the arithmetic allows on what is known now, and store why (domain.md §5)."""
    loan = county_loan(ledger, command.bank, command.loan_no)
    period = named_quarter(command.period, ledger.book)
    if ledger.book.ruling("payments_by_batch", period.last, ledger.today()).number:
        raise PaidByBatchOnly(period=command.period)
    calculation, grounds = subsidy_due(ledger, loan, period)
    loan.pay_subsidy(
        note,
        payment_no=command.ref,
        period=command.period,
        first=period.first,
        until=period.until,
        amount_fen=command.amount_fen,
        due_fen=calculation.amount_fen,
        payee=ledger.pseudonym("account", command.payee.account),
        voucher=command.voucher,
        calculation=calculation.to_slip(),
        grounds=grounds,
        why="；".join(REASONS[reason] for reason in calculation.reasons) or "—",
        personal={"payee_account": command.payee.account, "payee_name": command.payee.name},
    )


def subsidy_due(ledger: Ledger, loan: Loan, period: Period) -> tuple[Calculation, dict[str, Any]]:
    """What the loan is due for `period` on all that is known now, and what that rests on.

    Raises NoRuling, naming the loan; another loan of the household that cannot be judged stops
    nothing. The household's other loans are not named: the lending bank reads this event, leaf and
    all. As the log stood at `seen_position`, they are those that the calculation used.
    """
    assert loan.household_id is not None
    household = ledger.aggregate(Household, loan.household_id)
    known_on = ledger.today()
    book = ledger.book
    siblings = [ledger.aggregate(Loan, id) for id in sorted(set(household.borrowed.values()))]
    terms = {
        sibling.id: sibling.terms(
            eligible=eligible(
                household.category_on(sibling.disbursed_on), sibling.disbursed_on, known_on, book
            )
        )
        for sibling in siblings
        if sibling.exists
    }
    grounds = {
        "loan_version": loan.version,
        "household_version": household.version,
        "household_category": household.category_on(loan.disbursed_on),
        "seen_position": ledger.seen_position,
    }
    calculation = calculate(
        terms[loan.id], list(terms.values()), period, known_on=known_on, book=book
    )
    judged = book.ruling("eligible_categories", loan.disbursed_on, known_on)
    quarter_rulings = [
        book.ruling(name, date(period.last.year, 12, 31))
        for name in ("settlement_months", "settlement_day")
    ]
    rulings = (*calculation.rulings, judged, *quarter_rulings)
    return calculation._replace(rulings=rulings), grounds


@carries_out(RecoverSubsidy, "finance", looks_at=_named_loan)
def recover_subsidy(ledger: Ledger, command: RecoverSubsidy, note: Note) -> None:
    county_loan(ledger, command.bank, command.loan_no).recover_subsidy(
        note,
        payment_no=command.payment_no,
        amount_fen=command.amount_fen,
        reason=command.reason,
        voucher=command.voucher,
    )


# ---- the programme --------------------------------------------------------------------


@carries_out(SetRulings, "centre", "finance", looks_at=_the_programme)
def set_rulings(
    ledger: Ledger, command: SetRulings, note: Note, replaces: int | None = None
) -> None:
    ledger.programme().rule(
        note, rulings=_values(command.rulings), told_on=ledger.today(), replaces=replaces
    )


@carries_out(TellPlan, "centre", "finance", looks_at=_the_programme)
def tell_plan(ledger: Ledger, command: TellPlan, note: Note, replaces: int | None = None) -> None:
    ledger.programme().plan(
        note,
        plan_no=command.plan_no,
        title=command.title,
        until_on=command.until_on,
        rulings=_values(command.rulings),
        told_on=ledger.today(),
        replaces=replaces,
    )


def _values(rulings: list[RulingItem]) -> list[tuple[str, Value]]:
    """Raises RuleMalformed for an item with more than one value, or none."""
    values: list[tuple[str, Value]] = []
    for place, item in enumerate(rulings):
        told: list[Value] = [] if item.value is None else [item.value]
        told += [tuple(some) for some in (item.numbers, item.words) if some is not None]
        if len(told) != 1:
            wanted = "value、numbers、words 三选一 one of the three"
            raise RuleMalformed(f"rulings/{place}", rule=item.rule, value="", wanted=wanted)
        values.append((item.rule, told[0]))
    return values


# ---- corrections ----------------------------------------------------------------------

_Correctable = Household | Loan | BankReport | Programme | Fund
_KINDS: dict[str, type[_Correctable]] = {
    kind.KIND: kind for kind in (Household, Loan, BankReport, Programme, Fund)
}
REPLACED_BY: dict[str, tuple[type[Command], Any]] = {
    Household.Registered.TOPIC: (RegisterHousehold, register_household),
    Household.StatusChanged.TOPIC: (ChangeStatus, change_status),
    Household.MembersChanged.TOPIC: (ChangeMembers, change_members),
    Household.DemandRecommended.TOPIC: (RecommendDemand, recommend_demand),
    Household.CreditGranted.TOPIC: (DecideCredit, decide_credit),
    Household.CreditRefused.TOPIC: (DecideCredit, decide_credit),
    Loan.Disbursed.TOPIC: (DisburseLoan, disburse_loan),
    Loan.Repaid.TOPIC: (RepayLoan, repay_loan),
    Loan.OutflowObserved.TOPIC: (ObserveOutflow, observe_outflow),
    Loan.Extended.TOPIC: (ExtendLoan, extend_loan),
    Loan.Reminded.TOPIC: (RemindBorrower, remind_borrower),
    Loan.UsageChecked.TOPIC: (CheckUsage, check_usage),
    Loan.RepaymentPlanAgreed.TOPIC: (AgreeRepaymentPlan, agree_repayment_plan),
    BankReport.ScaleReported.TOPIC: (ReportScale, report_scale),
    Programme.Ruled.TOPIC: (SetRulings, set_rulings),
    Programme.PlanAdopted.TOPIC: (TellPlan, tell_plan),
    Programme.PlanAdjusted.TOPIC: (TellPlan, tell_plan),
}


@carries_out(
    CorrectEvent,
    "bank",
    "township",
    "bureau",
    "centre",
    "finance",
    "guarantor",
    looks_at=_nothing_yet,
)
def correct_event(ledger: Ledger, command: CorrectEvent, note: Note) -> None:
    """Take an event back, for the organisation that told it, and tell it anew if asked to.

    Not before the day that the event concerns; but a ruling may be taken back before it rules.
    """
    id, version, event = event_named(ledger, command.event_id, told_by=note.by.organisation)
    topic = event.TOPIC
    if topic not in REPLACED_BY or not EVENTS[topic].CORRECTABLE:
        raise NotCorrectable
    if not REPLACED_BY[topic][0].MAY_LIE_AHEAD:
        assure_follows(note.effective_on, "what is reversed", event.effective_on)
    kind: type[_Correctable] = _KINDS[kind_of(topic)]
    aggregate = ledger.aggregate(kind, id)
    lowest_fen = aggregate.free.lowest().fen if isinstance(aggregate, Fund) else 0

    if isinstance(aggregate, Loan) and command.replacement is None:
        aggregate.correct_without_replacement(
            note, version=version, topic=topic, reason=command.reason
        )
    else:
        aggregate.correct(note, version=version, topic=topic, reason=command.reason)
    if isinstance(event, Loan.Disbursed):
        _unlink(ledger, id, event, note, command.reason)
    if command.replacement is not None:
        body_type, tell_anew = REPLACED_BY[topic]
        replacement = _replacement(command, body_type, aggregate)
        today = ledger.today()
        if replacement.effective_on > today and not replacement.MAY_LIE_AHEAD:
            raise DatedInFuture(
                "replacement/effective_on", effective_on=replacement.effective_on, today=today
            )
        anew = Note(
            by=note.by,
            effective_on=replacement.effective_on,
            document=note.document,
            remark=note.remark,
        )
        tell_anew(ledger, replacement, anew, replaces=version)
    if isinstance(aggregate, Fund):
        aggregate.assure_enough(lowest_fen)


def _unlink(ledger: Ledger, id: UUID, disbursed: Loan.Disbursed, note: Note, reason: str) -> None:
    household = ledger.aggregate(Household, disbursed.household_id)
    household.no_longer_borrows(note, loan_id=id, reason=reason)
    if disbursed.renews_loan_no is not None:
        ledger.loan(disbursed.bank, disbursed.renews_loan_no).no_longer_renewed(
            note, by_loan_no=disbursed.loan_no, reason=reason
        )


def _replacement(
    command: CorrectEvent, body_type: type[Command], aggregate: _Correctable
) -> Command:
    """The replacement as a command of its own: same aggregate, the correction's reference."""
    named: dict[str, Any] = {"ref": command.ref}
    fields = body_type.model_fields
    if isinstance(aggregate, Loan):
        named["loan_no"] = aggregate.loan_no
        if "bank" in fields:
            named["bank"] = aggregate.bank
    elif isinstance(aggregate, Household):
        named["household_no"] = aggregate.household_no
    elif isinstance(aggregate, BankReport):
        named["period"] = aggregate.period
    elif isinstance(aggregate, Fund):
        named["year"] = aggregate.year
    told = command.replacement or {}
    for name, expected in named.items():
        if told.get(name, expected) != expected:
            raise ReplacementElsewhere(f"replacement/{name}", name=name, expected=expected)
    try:
        standing = frozenset(map(str, named.values()))
        return body_type.model_validate({**told, **named}, context=standing)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = "/".join(str(part) for part in first["loc"])
        raise ReplacementMalformed(
            f"replacement/{place}", problem=f"{place}: {first['msg']}"
        ) from error


# ---- what several decisions need ------------------------------------------------------


def event_named(
    ledger: Ledger, event_id: str, told_by: str | None = None
) -> tuple[UUID, int, AnyEvent]:
    """The aggregate, version and event of an event id. Raises EventUnknown.

    `told_by`: the only organisation whose events there are.
    """
    id_text, _, version_text = event_id.partition(".")
    version = int(version_text)
    try:
        id = UUID(id_text)
    except ValueError:
        raise EventUnknown(event_id=event_id) from None
    organisation, event = ledger.told_event(id, version) or (None, None)
    if event is None or told_by not in (None, organisation):
        raise EventUnknown(event_id=event_id)
    return id, version, event


def _township_loan(ledger: Ledger, bank: str | None, loan_no: str, note: Note) -> Loan:
    """A loan of one of the township's own households, among which alone the number is looked for.

    Raises LoanUnknown, LoanAmbiguous.
    """
    own = [
        loan
        for loan in ledger.loans_called(bank, loan_no)
        if loan.household_id is not None
        and ledger.aggregate(Household, loan.household_id).township == note.by.organisation
    ]
    if not own:
        raise LoanUnknown(loan_no=loan_no)
    if len(own) > 1:
        raise LoanAmbiguous(banks=[loan.bank for loan in own])
    return own[0]


def county_loan(ledger: Ledger, bank: str | None, loan_no: str) -> Loan:
    loan = ledger.loan_of(bank, loan_no)
    if loan is None:
        raise LoanUnknown(loan_no=loan_no)
    return loan


def _members(
    ledger: Ledger, told: list[MemberBody]
) -> tuple[tuple[Member, ...], list[dict[str, str]]]:
    """Members as the log shows them, and apart from that the people they are."""
    members = tuple(
        Member(
            person=ledger.pseudonym("person", member.id_no),
            relation=member.relation,
            head=member.head,
        )
        for member in told
    )
    people = [
        {"person": m.person, "name": t.name, "id_no": t.id_no}
        for m, t in zip(members, told, strict=True)
    ]
    return members, people


def _age_years(id_no: str, day: date) -> int:
    born = birth_day(id_no)
    return day.year - born.year - ((day.month, day.day) < (born.month, born.day))


assert RULES.keys() >= {command for command, _ in REPLACED_BY.values()}

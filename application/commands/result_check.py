"""A bank's answer is about the order that it answers: every value that comes back is compared."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Final, NamedTuple, NoReturn
from uuid import UUID

from pydantic import StringConstraints

from application.event_store.mapper import decode
from application.fields import NO_CONTROL_CHARACTERS, Fen, Model
from application.ledger import Ledger
from application.personal_data.encryption import masked_name, masked_number
from application.refusals import ResultDiffers
from domain.batch import Batch, Line
from domain.loan import Loan
from domain.money import yuan

TITLES: Final = {
    "loan_no": "借据号",
    "household_no": "户编号",
    "period": "结息期",
    "payee_name": "收款户名",
    "payee_account": "收款账号",
    "amount_fen": "金额",
}
_PLAIN: Final = ("loan_no", "household_no", "period", "amount_fen")

Returned = Annotated[
    str,
    StringConstraints(
        strict=True, strip_whitespace=True, max_length=128, pattern=NO_CONTROL_CHARACTERS
    ),
]
"""A value of the payment order as it came back; empty where the order itself is."""


class OrderedValues(Model):
    """What the payment order says of a line; each value given must equal the order's."""

    loan_no: Returned | None = None
    household_no: Returned | None = None
    period: Returned | None = None
    payee_name: Returned | None = None
    payee_account: Returned | None = None
    amount_fen: Fen | None = None


class Payee(NamedTuple):
    """To whom an order pays a line. `account` is a pseudonym in the mode `household`.

    The values are None when the household's personal data were erased.
    """

    account: str
    number: str | None
    name: str | None


def assure_as_ordered(
    ledger: Ledger, batch: Batch, told: Sequence[tuple[str, OrderedValues, Line]]
) -> dict[int, str]:
    """Compare each answer with the order's line; the payee of each line, by its number.

    `told`: the place of an answer in the command, the answer, its line. An account that the loan
    was disbursed to when the order went out counts although the disbursement was corrected since.
    Raises ResultDiffers for the first value that is not the order's.
    """
    for place, answer, line in told:
        for name in _PLAIN:
            _compare(place, line, name, getattr(line, name), getattr(answer, name))
    if all(a.payee_account is None and a.payee_name is None for _, a, _ in told):
        return {line.line: _present_payee(ledger, batch, line) for _, _, line in told}
    payees = _payees(ledger, batch, [line for _, _, line in told])
    return {
        line.line: _payee(ledger, batch, place, answer, line, payees[line.loan_id])
        for place, answer, line in told
    }


def _present_payee(ledger: Ledger, batch: Batch, line: Line) -> str:
    return line.bank if batch.mode == "bank" else ledger.aggregate(Loan, line.loan_id).payee


def _compare(
    place: str, line: Line, name: str, expected: str | int, found: str | int | None
) -> None:
    if found is not None and found != expected:
        _differs(place, line, name, expected, found)


def _differs(place: str, line: Line, name: str, expected: str | int, found: str | int) -> NoReturn:
    raise ResultDiffers(
        f"{place}/{name}",
        line=line.line,
        column=name,
        title=TITLES[name],
        expected=_shown(name, expected),
        found=_shown(name, found),
    )


def _payee(
    ledger: Ledger,
    batch: Batch,
    place: str,
    answer: OrderedValues,
    line: Line,
    payees: Sequence[Payee],
) -> str:
    """The payee that an answer names, else the present one. Raises ResultDiffers."""
    account, name = answer.payee_account, answer.payee_name
    named = list(payees)
    if account is not None:
        code = account
        if account and batch.mode == "household":
            code = ledger.pseudonym("account", account)
        named = [p for p in payees if _is_payee(ledger, p, account, code)]
        if not named:
            _differs(place, line, "payee_account", payees[-1].number or "", account)
    if name is not None and not any(p.name is None or p.name == name for p in named):
        _differs(place, line, "payee_name", named[-1].name or "", name)
    return named[-1].account


def _is_payee(ledger: Ledger, payee: Payee, account: str, code: str) -> bool:
    """Whether an account is the payee's: one number is one number however it was written once."""
    if payee.number is None and not account:
        return True
    return code == payee.account or bool(
        payee.number and code == ledger.pseudonym("account", payee.number)
    )


def _shown(name: str, value: str | int) -> str:
    if isinstance(value, int):
        return yuan(value)
    if not value:
        return "（空 empty）"
    if name == "payee_account":
        return masked_number(value)
    return masked_name(value) if name == "payee_name" else value


def _payees(ledger: Ledger, batch: Batch, lines: Sequence[Line]) -> dict[UUID, list[Payee]]:
    """By loan: to whom its lines are paid, the present payee last."""
    if batch.mode == "bank":
        return {line.loan_id: [Payee(line.bank, line.bank, line.bank)] for line in lines}
    loans = list(dict.fromkeys(line.loan_id for line in lines))
    told = [
        (loans[place], version, decode(topic, state))
        for place, version, topic, state in ledger.log.events_of(loans)
        if topic == Loan.Disbursed.TOPIC
    ]
    disbursed = [(id, version, e) for id, version, e in told if isinstance(e, Loan.Disbursed)]
    ledger.vault.unlock(ledger.log, {event.household_id for _, _, event in disbursed})
    found: dict[UUID, list[Payee]] = {id: [] for id in loans}
    for id, version, event in disbursed:
        values = event.sealed and ledger.vault.unseal(
            event.household_id, (id, version, event.TOPIC), event.sealed
        )
        number, name = (values["payee_account"], values["payee_name"]) if values else (None, None)
        found[id].append(Payee(event.payee, number, name))
    return found

"""Every event there is, by the name under which it is stored. Names are permanent."""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules

import domain
from domain.account_register import AccountRegister
from domain.bank_report import BankReport
from domain.batch import Batch, BatchRegister
from domain.benefit import Agreement
from domain.case import Case
from domain.case_register import CaseRegister
from domain.fund import Fund
from domain.household import Household
from domain.kernel import TOPICS, Aggregate, AnyEvent
from domain.loan import Loan
from domain.programme import Programme
from domain.publication import Publication
from domain.risk import RiskReport
from domain.risk_fund import RiskFund

AGGREGATES: tuple[type[Aggregate], ...] = (
    Household, Loan, BankReport, Programme, Batch, BatchRegister, Fund, Publication, RiskReport,
    RiskFund, Agreement, Case, CaseRegister, AccountRegister,
)  # fmt: skip

for _module in iter_modules(domain.__path__, "domain."):
    import_module(_module.name)  # its events register when they are defined

EVENTS: dict[str, type[AnyEvent]] = TOPICS


def kind_of(topic: str) -> str:
    """The aggregate that a topic belongs to: `loan.repaid.v1` happened to a `loan`."""
    return topic.partition(".")[0]

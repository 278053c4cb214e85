"""A benefit agreement (利益联结): an enterprise owes households dividends or income supplements."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import ClassVar, Literal
from uuid import UUID

import msgspec

from domain.kernel import Aggregate, CommandContext, Event, Refused, identity, recorded_fields
from domain.steps import assure_follows

BenefitKind = Literal["dividend", "supplement"]


class AgreementUnknown(Refused):
    CODE, FIELD = "agreement_unknown", "agreement_no"
    ZH, EN = "没有这份协议：{agreement_no}", "no such agreement: {agreement_no}"


class AgreementNumberTaken(Refused):
    CODE, FIELD = "agreement_number_taken", "agreement_no"
    ZH, EN = "协议号 {agreement_no} 已使用", "the agreement number {agreement_no} is taken"


class NotOfAgreement(Refused):
    CODE, FIELD = "not_of_agreement", "household_no"
    ZH = "户 {household_no} 不在协议 {agreement_no} 内"
    EN = "the household {household_no} is not of the agreement {agreement_no}"


class BenefitDue(msgspec.Struct, frozen=True):
    """One instalment for one household."""

    household_no: str
    due_on: date
    kind: BenefitKind
    due_fen: int


class Agreement(Aggregate):
    """One agreement between an enterprise and households of one township."""

    KIND: ClassVar[str] = "benefit"

    def __init__(self, id: UUID) -> None:
        super().__init__(id)
        self.township = ""
        self.signed_on = date.min
        self.households: set[str] = set()

    @staticmethod
    def id_for(agreement_no: str) -> UUID:
        return identity("benefit", agreement_no)

    class Signed(Event["Agreement"], frozen=True, kw_only=True, omit_defaults=True):
        """Enterprise and households agreed on what is paid to whom, and when."""

        TOPIC, ZH = "benefit.signed.v1", "利益联结协议"
        CORRECTABLE = False
        agreement_no: str
        enterprise: str
        township: str
        instalments: tuple[BenefitDue, ...]

        def apply(self, agreement: Agreement) -> None:
            agreement.township = self.township
            agreement.signed_on = self.effective_on
            agreement.households = {each.household_no for each in self.instalments}

    class Paid(Event["Agreement"], frozen=True, kw_only=True, omit_defaults=True):
        """A household received a dividend or an income supplement."""

        TOPIC, ZH = "benefit.paid.v1", "分红或增收款"
        CORRECTABLE = False
        agreement_no: str
        household_no: str
        kind: BenefitKind
        amount_fen: int
        voucher: str

    def sign(
        self,
        context: CommandContext,
        *,
        agreement_no: str,
        enterprise: str,
        township: str,
        instalments: Sequence[BenefitDue],
    ) -> None:
        """Record an agreement. Raises AgreementNumberTaken."""
        if self.households:
            raise AgreementNumberTaken(agreement_no=agreement_no)
        self.record(
            Agreement.Signed(
                **recorded_fields(context),
                agreement_no=agreement_no,
                enterprise=enterprise,
                township=township,
                instalments=tuple(instalments),
            )
        )

    def pay(
        self,
        context: CommandContext,
        *,
        agreement_no: str,
        household_no: str,
        kind: BenefitKind,
        amount_fen: int,
        voucher: str,
    ) -> None:
        """Record what a household received.

        Raises AgreementUnknown, NotOfAgreement, StepBefore.
        """
        if not self.households or self.township != context.by.organisation:
            raise AgreementUnknown(agreement_no=agreement_no)
        if household_no not in self.households:
            raise NotOfAgreement(household_no=household_no, agreement_no=agreement_no)
        assure_follows(context.effective_on, "the agreement", self.signed_on)
        self.record(
            Agreement.Paid(
                **recorded_fields(context),
                agreement_no=agreement_no,
                household_no=household_no,
                kind=kind,
                amount_fen=amount_fen,
                voucher=voucher,
            )
        )

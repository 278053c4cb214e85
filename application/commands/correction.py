"""The command that corrects an event (冲正): it is reversed, and replaced if asked to."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from pydantic import AfterValidator, ValidationError

from application.command import REPLACED_BY, Command, Correctable, Reads
from application.fields import EventId, Text, plain_json
from application.ledger import Ledger
from application.refusals import (
    DatedInFuture,
    EventUnknown,
    ReplacementElsewhere,
    ReplacementMalformed,
)
from domain.bank_report import BankReport
from domain.catalogue import EVENTS, kind_of
from domain.fund import Fund
from domain.household import Household
from domain.kernel import AnyEvent, Author, CommandContext, NotCorrectable
from domain.loan import Loan
from domain.programme import Programme
from domain.roles import Role
from domain.steps import assure_follows

_Correctable = Household | Loan | BankReport | Programme | Fund
_KINDS: dict[str, type[_Correctable]] = {
    kind.KIND: kind for kind in (Household, Loan, BankReport, Programme, Fund)
}


class CorrectEvent(Command):
    """`replacement` is a body as it was first submitted, or nothing: then the event falls away."""

    TYPE, SUMMARY = "correction", "冲正 correct an event"
    ROLES = (Role.BANK, Role.TOWNSHIP, Role.BUREAU, Role.CENTRE, Role.FINANCE, Role.GUARANTOR)
    PATH = "/events/{event_id}/corrections"

    event_id: EventId
    reason: Text
    replacement: Annotated[dict[str, Any], AfterValidator(plain_json)] | None = None

    def reads(self, by: Author) -> Reads:
        return ()

    def handle(self, ledger: Ledger, context: CommandContext) -> None:
        """Reverse an event, for the organisation that recorded it, and replace it if asked to.

        Not before the day that the event concerns; but a ruling may be reversed before it rules.
        """
        id, version, event = event_named(
            ledger, self.event_id, recorded_fields=context.by.organisation
        )
        topic = event.TOPIC
        if topic not in REPLACED_BY or not EVENTS[topic].CORRECTABLE:
            raise NotCorrectable
        if not REPLACED_BY[topic].MAY_LIE_AHEAD:
            assure_follows(context.effective_on, "what is reversed", event.effective_on)
        kind: type[_Correctable] = _KINDS[kind_of(topic)]
        aggregate = ledger.aggregate(kind, id)
        lowest_fen = aggregate.free.lowest().fen if isinstance(aggregate, Fund) else 0

        if isinstance(aggregate, Loan) and self.replacement is None:
            aggregate.correct_without_replacement(
                context, version=version, topic=topic, reason=self.reason
            )
        else:
            aggregate.correct(context, version=version, topic=topic, reason=self.reason)
        if isinstance(event, Loan.Disbursed):
            _unlink(ledger, id, event, context, self.reason)
        if self.replacement is not None:
            self._replace(ledger, context, REPLACED_BY[topic], aggregate, version)
        if isinstance(aggregate, Fund):
            aggregate.assure_enough(lowest_fen)

    def _replace(
        self,
        ledger: Ledger,
        context: CommandContext,
        kind: type[Correctable],
        aggregate: _Correctable,
        version: int,
    ) -> None:
        replacement = self._replacement(kind, aggregate)
        today = ledger.today()
        if replacement.effective_on > today and not replacement.MAY_LIE_AHEAD:
            raise DatedInFuture(
                "replacement/effective_on", effective_on=replacement.effective_on, today=today
            )
        anew = CommandContext(
            by=context.by,
            effective_on=replacement.effective_on,
            document=context.document,
            remark=context.remark,
        )
        replacement.handle(ledger, anew, replaces=version)

    def _replacement(self, kind: type[Correctable], aggregate: _Correctable) -> Correctable:
        """The replacement as a command: same aggregate, the correction's reference."""
        named: dict[str, Any] = {"ref": self.ref, **_named(kind, aggregate)}
        given = self.replacement or {}
        for name, expected in named.items():
            if given.get(name, expected) != expected:
                raise ReplacementElsewhere(f"replacement/{name}", name=name, expected=expected)
        try:
            standing = frozenset(map(str, named.values()))
            return kind.model_validate({**given, **named}, context=standing)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            place = "/".join(str(part) for part in first["loc"])
            raise ReplacementMalformed(
                f"replacement/{place}", problem=f"{place}: {first['msg']}"
            ) from error


def _named(kind: type[Correctable], aggregate: _Correctable) -> dict[str, Any]:
    """What names the aggregate in a command of this kind."""
    if isinstance(aggregate, Loan):
        by_bank = {"bank": aggregate.bank} if "bank" in kind.model_fields else {}
        return {"loan_no": aggregate.loan_no, **by_bank}
    if isinstance(aggregate, Household):
        return {"household_no": aggregate.household_no}
    if isinstance(aggregate, BankReport):
        return {"period": aggregate.period}
    return {"year": aggregate.year} if isinstance(aggregate, Fund) else {}


def _unlink(
    ledger: Ledger, id: UUID, disbursed: Loan.Disbursed, context: CommandContext, reason: str
) -> None:
    household = ledger.aggregate(Household, disbursed.household_id)
    household.no_longer_borrows(context, loan_id=id, reason=reason)
    if disbursed.renews_loan_no is not None:
        ledger.loan(disbursed.bank, disbursed.renews_loan_no).no_longer_renewed(
            context, by_loan_no=disbursed.loan_no, reason=reason
        )


def event_named(
    ledger: Ledger, event_id: str, recorded_fields: str | None = None
) -> tuple[UUID, int, AnyEvent]:
    """The aggregate, version and event of an event id. Raises EventUnknown.

    `recorded_fields`: the only organisation whose events there are.
    """
    id_text, _, version_text = event_id.partition(".")
    version = int(version_text)
    try:
        id = UUID(id_text)
    except ValueError:
        raise EventUnknown(event_id=event_id) from None
    organisation, event = ledger.told_event(id, version) or (None, None)
    if event is None or recorded_fields not in (None, organisation):
        raise EventUnknown(event_id=event_id)
    return id, version, event

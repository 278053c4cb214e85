"""Which finding and which recovery is in which case: each in one, whoever comes first."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar
from uuid import UUID

from domain.case import Finding
from domain.kernel import Aggregate, CommandContext, Event, Refused, identity, recorded_fields


class NothingToJoin(Refused):
    CODE, FIELD = "nothing_to_join", "findings"
    ZH, EN = "没有可并入的新疑点", "there is no finding that is not in the case already"


class FindingUnknown(Refused):
    CODE, FIELD = "finding_unknown", "findings"
    ZH = "在所问的两个日期没有这些疑点：{missing}"
    EN = "no such findings at these two dates: {missing}"


class FindingInCase(Refused):
    CODE, FIELD = "finding_in_case", "findings"
    ZH, EN = "疑点 {finding} 已在线索 {case_no} 中", "{finding} is in the case {case_no}"


class RecoveryInCase(Refused):
    CODE, FIELD = "recovery_in_case", "event_id"
    ZH, EN = "该笔追回已记入线索 {case_no}", "this recovery is counted in the case {case_no}"


class RecoveryElsewhere(Refused):
    CODE, FIELD = "recovery_elsewhere", "event_id"
    ZH = "该事件不是本线索所涉贷款上有效的追回、追偿或还款"
    EN = "this event is no standing recovery or repayment of a loan of the case"


class CaseRegister(Aggregate):
    """The one register: two who open a case on one finding at once both look here."""

    KIND: ClassVar[str] = "case-register"

    def __init__(self, id: UUID) -> None:
        super().__init__(id)
        self.findings: dict[str, str] = {}
        self.recoveries: dict[str, str] = {}

    @staticmethod
    def the_id() -> UUID:
        return identity("case-register")

    class Entered(Event["CaseRegister"], frozen=True, kw_only=True, omit_defaults=True):
        """Findings, or a recovery, belong to a case from now on."""

        TOPIC, ZH = "case-register.entered.v1", "线索登记"
        CORRECTABLE = False
        case_no: str
        findings: tuple[str, ...] = ()
        recovery: str | None = None

        def apply(self, register: CaseRegister) -> None:
            register.findings.update((name, self.case_no) for name in self.findings)
            if self.recovery is not None:
                register.recoveries[self.recovery] = self.case_no

    def assure_free(self, names: Iterable[str], case_no: str = "") -> None:
        """Raises FindingInCase for the first that is in a case other than `case_no`."""
        for name in names:
            if self.findings.get(name, case_no) != case_no:
                raise FindingInCase(finding=name, case_no=self.findings[name])

    def free(self, findings: Iterable[Finding]) -> tuple[Finding, ...]:
        """Those that are in no case yet."""
        return tuple(found for found in findings if found.name not in self.findings)

    def enter(self, context: CommandContext, *, case_no: str, findings: Iterable[Finding]) -> None:
        """Enter findings that are free. Raises FindingInCase, NothingToJoin."""
        names = tuple(found.name for found in findings)
        if not names:
            raise NothingToJoin
        self.assure_free(names)
        self.record(
            CaseRegister.Entered(**recorded_fields(context), case_no=case_no, findings=names)
        )

    def enter_recovery(self, context: CommandContext, *, case_no: str, recovery: str) -> None:
        """Enter a recovery. Raises RecoveryInCase."""
        if recovery in self.recoveries:
            raise RecoveryInCase(case_no=self.recoveries[recovery])
        self.record(
            CaseRegister.Entered(**recorded_fields(context), case_no=case_no, recovery=recovery)
        )

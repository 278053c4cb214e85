"""Refusals that concern the conversation with the ledger rather than one noun of the programme."""

from __future__ import annotations

from domain.kernel import Refused


class NotPermitted(Refused):
    CODE, FIELD = "not_permitted", ""
    ZH = "角色 {role} 无权报送 {command}"
    EN = "the role {role} may not submit a {command}"


class ReferenceReused(Refused):
    CODE, FIELD = "reference_reused", "ref"
    ZH = "编号 {ref} 已用于内容不同的报送（日志位置 {position}），不得重用"
    EN = "{ref} was used before for something else (at log position {position})"


class DatedInFuture(Refused):
    CODE, FIELD = "dated_in_future", "effective_on"
    ZH, EN = "日期 {effective_on} 晚于今日 {today}", "{effective_on} is after today, {today}"


class LookNotToday(Refused):
    CODE, FIELD = "look_not_today", "effective_on"
    ZH = "查看只能发生在今日 {today}，不能写作 {effective_on}"
    EN = "a look happens today, {today}, not on {effective_on}"


class TooManyLooks(Refused):
    CODE, FIELD = "too_many_looks", ""
    ZH = "一分钟内查看个人信息不得超过 {most} 次"
    EN = "at most {most} looks at personal data a minute"


class LoanAmbiguous(Refused):
    CODE, FIELD = "loan_ambiguous", "bank"
    ZH = "多家银行有同号借据：{banks}，请注明 bank"
    EN = "several banks have a loan of this number: {banks}; name the bank"


class EventUnknown(Refused):
    CODE, FIELD = "event_unknown", "event_id"
    ZH, EN = "没有这个事件：{event_id}", "no such event: {event_id}"


class LeafWithheld(Refused):
    CODE = "leaf_withheld"
    ZH = "事件 {event_id} 原样载有他人贷款的编号：证据包只给县级部门和审计，溯源与计算书照常可查"
    EN = (
        "event {event_id} as it is stored names loans that are not yours: its evidence is for the"
        " county's offices and auditors, the trace and the slip are open"
    )


class ReplacementMalformed(Refused):
    CODE, FIELD = "replacement_malformed", "replacement"
    ZH = "更正内容不合格式：{problem}"
    EN = "the replacement is not a valid body: {problem}"


class ReplacementElsewhere(Refused):
    CODE, FIELD = "replacement_elsewhere", "replacement"
    ZH = "更正内容须属于同一对象：{name} 应为 {expected}"
    EN = "a replacement stays with its aggregate: {name} must be {expected}"


class ResultTwice(Refused):
    CODE, FIELD = "result_twice", "results"
    ZH, EN = "第 {line} 行的结果出现两次", "line {line} has two results"


class ResultIncomplete(Refused):
    CODE, FIELD = "result_incomplete", "results"
    ZH = "第 {line} 行缺 {missing}：已付须有流水号，未付须有原因"
    EN = "line {line} lacks its {missing}: the bank's number when paid, the reason when not"


class ResultDiffers(Refused):
    """`field` names the value; accounts and names are masked."""

    CODE, FIELD = "result_differs", "results"
    ZH = "第 {line} 行的{title}与拨付指令不符：应为 {expected}，回盘为 {found}"
    EN = "line {line}: {column} is not as ordered: {expected} expected, {found} found"


class LedgerBusy(Refused):
    CODE, FIELD = "ledger_busy", ""
    ZH = "台账繁忙，请以同一编号重报"
    EN = "the ledger is busy: send it again under the same reference"


class ClockJumped(Refused):
    """Dated by such a clock, every later event would stand in that future too."""

    CODE, FIELD = "clock_jumped", ""
    ZH = (
        "服务时钟 {clock} 超前（依数据库时钟与本进程计时，至多 {latest}）：未记录任何内容；"
        "请校正时钟，确认无误后重启服务，再以同一编号重报"
    )
    EN = (
        "the clock says {clock}, ahead of the database's clock and of what was counted here"
        " ({latest} at most): nothing is recorded. Set it right; when it is right, start the"
        " service again; then send it again under the same reference"
    )


class SchemaAltered(Refused):
    CODE, FIELD = "schema_altered", ""
    ZH = "数据库结构或写入被改动（{count} 处，见 /healthz），暂停受理；恢复后请以同一编号重报"
    EN = (
        "the database was altered ({count} findings, see /healthz): nothing is acknowledged;"
        " submit again under the same reference once it is restored"
    )


class CursorMalformed(Refused):
    CODE, FIELD = "cursor_malformed", "cursor"
    ZH, EN = "翻页标记无效", "this is no cursor that we gave"


class ParameterUnknown(Refused):
    """A query parameter that the route does not have; `nearest`: the known name like it."""

    CODE = "unknown_parameter"

    @property
    def zh(self) -> str:
        nearest = self.details["nearest"]
        hint = f"是否指 {nearest}？" if nearest else "此接口不带查询参数"
        return f"没有查询参数 {self.details['parameter']}，{hint}"

    @property
    def en(self) -> str:
        nearest = self.details["nearest"]
        hint = f"is {nearest} meant?" if nearest else "there are none here"
        return f"no such query parameter: {self.details['parameter']}; {hint}"


class ParameterRepeated(Refused):
    CODE = "repeated_parameter"
    ZH, EN = "查询参数 {parameter} 重复", "the query parameter {parameter} is given twice"


class FilterUnknown(Refused):
    """A filter for a bank or township that does not exist: nothing can match it."""

    CODE = "unknown_filter"
    ZH, EN = "没有这个{what_zh}：{value}", "there is no such {parameter}: {value}"


class OrganisationUnknown(Refused):
    CODE, FIELD = "organisation_unknown", ""
    ZH, EN = (
        "没有登记的机构：{organisation}（{role}）",
        "no such organisation: {organisation} ({role})",
    )


class BatchRefused(Refused):
    CODE, FIELD = "batch_refused", ""
    ZH = "整批退回：另有 {refused} 行不合格"
    EN = "the whole batch is refused: {refused} other lines are at fault"


class NotSealedYet(Refused):
    CODE, FIELD = "not_sealed_yet", ""
    ZH = "第 {position} 条事件尚未封存，请稍后再取"
    EN = "event {position} is not sealed yet: ask again later"


class BeyondLog(Refused):
    CODE, FIELD = "beyond_log", "position"
    ZH = "日志只到第 {last} 条，没有第 {position} 条"
    EN = "the log ends at position {last}: there is no {position}"


class CosignatureRefused(Refused):
    CODE, FIELD = "cosignature_refused", ""
    ZH, EN = "共签不受理：{problem}", "this cosignature is not taken: {problem}"

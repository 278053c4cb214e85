"""What a column of an answer is called and holds: key, titles, kind and unit, declared once.

A question declares its columns beside its query, in `projections/<query_text>/columns.py`, in the
order in which the query gives them. Columns that several questions share are declared here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

Kind = Literal["text", "identifier", "fen", "bp", "date", "instant", "integer"]
Unit = Literal[
    "none", "fen", "bp", "day", "UTC", "position", "number", "year", "days", "milliseconds",
    "points", "households", "loans", "banks", "payments", "events", "duties", "checks", "answers",
    "reports", "lines", "findings", "requests", "objections", "rows", "movements", "notices",
]  # fmt: skip


Shape = Literal["one", "flag", "several", "mapping", "number"]


@dataclass(frozen=True, slots=True)
class Column:
    """One column: the key that the contract uses, its titles, its kind of value, and the unit.

    `shape`: one value; true or false (是 and 否 in a file); a list (side by side in a file); names
    with values; or a whole number whose unit another column names.

    JSON gives an amount in fen and a rate in basis points; a file gives both with two decimals, an
    amount in yuan and a rate in percent, and says so in the Chinese title.
    """

    key: str
    title_zh: str
    title_en: str
    kind: Kind
    unit: Unit
    shape: Shape = "one"


Columns = tuple[Column, ...]


def keys(columns: Columns) -> tuple[str, ...]:
    return tuple(column.key for column in columns)


def text(key: str, zh: str, en: str) -> Column:
    """Text, or a code."""
    return Column(key, zh, en, "text", "none")


def flag(key: str, zh: str, en: str) -> Column:
    return Column(key, zh, en, "text", "none", "flag")


def several(key: str, zh: str, en: str) -> Column:
    return Column(key, zh, en, "text", "none", "several")


def number(key: str, zh: str, en: str) -> Column:
    return Column(key, zh, en, "text", "none", "number")


def mapping(key: str, zh: str, en: str) -> Column:
    return Column(key, zh, en, "text", "none", "mapping")


def identifier(key: str, zh: str, en: str) -> Column:
    """A number or code that names something: no program may round it or drop its zeros."""
    return Column(key, zh, en, "identifier", "none")


def fen(key: str, zh: str, en: str) -> Column:
    return Column(key, zh, en, "fen", "fen")


def bp(key: str, zh: str, en: str) -> Column:
    return Column(key, zh, en, "bp", "bp")


def day(key: str, zh: str, en: str) -> Column:
    """A civil day in China."""
    return Column(key, zh, en, "date", "day")


def instant(key: str, zh: str, en: str) -> Column:
    return Column(key, zh, en, "instant", "UTC")


def count(key: str, zh: str, en: str, unit: Unit) -> Column:
    """A whole number of `unit`."""
    return Column(key, zh, en, "integer", unit)


# ---- whose ----------------------------------------------------------------------------

TOWNSHIP: Final = identifier("township", "乡镇", "township")
VILLAGE: Final = text("village", "村", "village")
HOUSEHOLD_NO: Final = identifier("household_no", "户编号", "household number")
CATEGORY: Final = text("category", "户类别", "household category")
BANK: Final = identifier("bank", "银行", "bank")
LOAN_NO: Final = identifier("loan_no", "借据号", "loan note number")
LOAN_ID: Final = identifier("loan_id", "贷款标识", "loan's own id")
BORROWER: Final = identifier("borrower", "借款人代码", "borrower's pseudonym")
BORROWER_NAME: Final = text("borrower_name", "借款人", "borrower's name, masked")
PSEUDONYM: Final = text("pseudonym", "代码", "pseudonym")
ENTERPRISE: Final = text("enterprise", "企业", "enterprise")
AGREEMENT_NO: Final = identifier("agreement_no", "协议号", "agreement number")

# ---- loans and money ------------------------------------------------------------------

PURPOSE: Final = text("purpose", "用途", "purpose")
PRINCIPAL: Final = fen("principal_fen", "贷款金额(元)", "principal")
ANNUAL_RATE: Final = bp("annual_rate_bp", "年利率(%)", "annual rate")
DISBURSED_ON: Final = day("disbursed_on", "放款日", "disbursed on")
DUE_ON: Final = day("due_on", "到期日", "due on")
OUTSTANDING: Final = fen("outstanding_fen", "余额(元)", "outstanding principal")
INTEREST: Final = fen("interest_fen", "已还利息(元)", "interest repaid")
PENALTY: Final = fen("penalty_fen", "罚息(元)", "penalty repaid")
SUBSIDY: Final = fen("subsidy_fen", "累计贴息(元)", "subsidy so far")
DIVERTED_ON: Final = day("diverted_on", "发现挪用日", "found diverted on")
AMOUNT: Final = fen("amount_fen", "金额(元)", "amount")
PERIOD: Final = text("period", "结息期", "settlement quarter")
DUE: Final = fen("due_fen", "应贴(元)", "subsidy due")
PAID: Final = fen("paid_fen", "已拨付(元)", "paid")
RECOVERED: Final = fen("recovered_fen", "已追回(元)", "recovered")
RETURNED: Final = fen("returned_fen", "退票(元)", "returned unspent")
RESERVED: Final = fen("reserved_fen", "已预留(元)", "reserved")
NET: Final = fen("net_fen", "净贴息(元)", "subsidy net of what came back")
OVERDUE_FEN: Final = fen("overdue_fen", "逾期余额(元)", "overdue principal")
OVERDUE_RATE: Final = bp("overdue_rate_bp", "逾期率(%)", "overdue share of the outstanding")
PAYMENT_NO: Final = identifier("payment_no", "拨付编号", "subsidy payment number")
VOUCHER: Final = text("voucher", "凭证号", "voucher")
BATCH_NO: Final = identifier("batch_no", "批次号", "batch number")
LINE: Final = count("line", "行号", "line of the batch", "number")
NOTE: Final = text("note", "备注", "note")
MIN: Final = fen("min_fen", "至少(元)", "least over the methods")
MAX: Final = fen("max_fen", "至多(元)", "most over the methods")
YEAR: Final = count("year", "年度", "budget year", "year")
LOANS: Final = count("loans", "笔数", "loans", "loans")
HOUSEHOLDS: Final = count("households", "户数", "households", "households")

# ---- events ---------------------------------------------------------------------------

POSITION: Final = count("position", "日志位置", "position in the log", "position")
SEEN_POSITION: Final = count(
    "seen_position", "计算所见位置", "position that the calculation saw", "position"
)
EVENT_ID: Final = identifier("event_id", "事件编号", "event id")
EVENT: Final = text("event", "事件代码", "event code")
EFFECTIVE_ON: Final = day("effective_on", "发生日", "effective on")
RECORDED_AT: Final = instant("recorded_at", "得知时间", "recorded at")
KNOWN_AT: Final = instant("known_at", "认知时点", "known at")
AS_OF: Final = day("as_of", "截至日", "as of")
ORGANISATION: Final = text("organisation", "报送机构", "reporting organisation")
PERSON: Final = text("person", "经办人", "person in charge")
ROLE: Final = text("role", "角色", "role")
REASON: Final = text("reason", "事由", "reason")
REF: Final = identifier("ref", "流水号", "reference")
DOCUMENT: Final = text("document", "凭证", "document")
KIND: Final = text("kind", "类别", "kind")
STATE: Final = text("state", "状态", "state")
STAGE: Final = text("stage", "阶段", "stage")
FIRST_ON: Final = day("first_on", "首日", "first day")
LAST_ON: Final = day("last_on", "末日", "last day")
UNTIL_ON: Final = day("until_on", "答复期限", "answer due on")
WAITED_DAYS: Final = count("waited_days", "等待(天)", "days waited", "days")

# ---- red flags and cases --------------------------------------------------------------

RULE: Final = text("rule", "规则", "red-flag rule")
RULE_VERSION: Final = text("rule_version", "规则版本", "version of the rule")
RULES: Final = text("rules", "政策摘要", "rules")
SUBJECT: Final = text("subject", "对象", "subject")
KNOWN_FROM: Final = instant("known_from", "最早可知", "could be known from")
POSITIONS: Final = several("positions", "证明事件", "positions of the proving events")
CONTEXT: Final = several("context", "相关事件", "positions of related events")
FINDINGS: Final = count("findings", "疑点数", "findings", "findings")
CASE_NO: Final = identifier("case_no", "线索编号", "case number")

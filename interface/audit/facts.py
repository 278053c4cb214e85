"""账实核对：由导出的日志自行推出各事实表，与所给的表逐行比对。

The facts of the exported log, drawn by the auditor's own code and compared, row for row, with the
tables as the service gives them. For `verify.py log --facts`, beside which it must stand.
"""

import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

if __package__:
    from interface.audit import verify
else:
    import verify  # type: ignore[import-not-found, no-redef]

COMMON = "of_position position recorded_at effective_on sign"
TABLES = {
    "household": "household_id household_no township village head",
    "status": "household_id category reason",
    "member": "household_id person joined relation head reason",
    "demand": "household_id township amount_fen purpose",
    "credit": "household_id bank granted amount_fen purpose reason told_on",
    "loan": "loan_id bank loan_no contract_no contract_on household_id household_no borrower"
    " borrower_age_years principal_fen credited_fen annual_rate_bp due_on purpose payee"
    " renews_loan_no",
    "posting": "loan_id account counter_account amount_fen",
    "extension": "loan_id agreed_on new_due_on",
    "renewal": "loan_id by_loan_no",
    "settlement": "loan_id",
    "outflow": "loan_id amount_fen to_account kind from_account",
    "repayment": "loan_id payer principal_fen interest_fen penalty_fen",
    "reminder": "loan_id kind channel evidence",
    "usage_check": "loan_id finding actual_use borrower_met with_bank inspector",
    "repayment_plan": "loan_id due_on amount_fen",
    "subsidy": "loan_id payment_no recovery_no period paid_fen recovered_fen due_fen voucher"
    " batch_no payee",
    "subsidised": "loan_id payment_no period first until principal_fen rate_bp share_bp",
    "ruling": "number rule value document told_on plan_no",
    "scale_report": "bank period loans households balance_fen disbursed_fen",
    "batch": "batch_id batch_no estimate period year mode bank township seen_position line_count"
    " amount_fen recovery_fen",
    "batch_line": "batch_id line loan_id bank loan_no household_no township village period kind"
    " due_fen paid_before_fen amount_fen",
    "batch_step": "batch_id step person level township place until_on bank objection_no line upheld"
    " reason amount_fen",
    "batch_line_step": "batch_id line step reason",
    "fund": "year account counter_account amount_fen batch_no voucher",
    "transfer": "year payer payee amount_fen purpose voucher",
    "publication": "publication_no report report_as_of known_at seen_position rules row_count"
    " sha256",
    "rating": "household_id rater grade score",
    "guarantee": "loan_id guarantor amount_fen fee_fen",
    "compensation": "loan_id loss_fen share_bp amount_fen voucher",
    "risk": "risk_id risk_no organisation person household_no bank loan_no reason",
    "risk_note": "risk_id organisation person measure",
    "risk_fund": "account counter_account amount_fen bank loan_no voucher",
    "benefit_due": "benefit_id agreement_no enterprise township household_no due_on kind due_fen",
    "benefit_paid": "benefit_id agreement_no household_no kind amount_fen voucher",
    "case_file": "case_id case_no title office",
    "case_finding": "case_id rule rule_version subject amount_fen as_of known_at seen_position"
    " known_from",
    "case_loan": "case_id loan_id bank loan_no household_no township",
    "case_step": "case_id step organisation person investigator request_no asked until_on upheld"
    " amount_fen",
    "case_recovery": "case_id recovery recovered_by loan_id payment_no amount_fen",
}
# What each event adds: TABLE, or TABLE/LIST for a row an item of that list. A column is the
# event's member of that name; `=value`, `=@other member`, `=+fen` or `=-fen` (times the row's
# sign) where it is not. What an event does not say is NULL.
BENEFIT = "benefit_due/instalments agreement_no=@agreement_no"
CASE_STEP = "case_step organisation=@organisation"
AT_STAKE = f"{CASE_STEP} amount_fen=@at_stake_fen"
FOUND = ["case_finding/findings", "case_loan/loans"]
RULING = "ruling/rulings number=@number document=@document told_on=@told_on"
DRAWN = {
    "household.registered.v1": ["household head=@head_of", "status", "member/members joined=t"],
    "household.status-changed.v1": ["status"],
    "household.members-changed.v1": ["member/added joined=t", "member/left joined=f"],
    "household.demand-recommended.v1": ["demand township=@organisation"],
    "household.credit-granted.v1": ["credit granted=t"],
    "household.credit-refused.v1": ["credit granted=f"],
    "household.borrowed.v1": [],
    "household.corrected.v1": [],
    "household.erased.v1": [],
    "household.looked-at.v1": [],
    "loan.disbursed.v1": [
        "loan",
        "posting account=principal counter_account=bank amount_fen=+principal_fen",
    ],
    "loan.repaid.v1": [
        "posting account=principal counter_account=borrower amount_fen=-principal_fen",
        "posting account=interest counter_account=borrower amount_fen=+interest_fen",
        "posting account=penalty counter_account=borrower amount_fen=+penalty_fen",
        "repayment",
    ],
    "loan.settled.v1": ["settlement"],
    "loan.renewed.v1": ["renewal"],
    "loan.outflow-observed.v1": ["outflow to_account=@to from_account=@payer"],
    "loan.extended.v1": ["extension"],
    "loan.reminded.v1": ["reminder"],
    "loan.usage-checked.v1": ["usage_check"],
    "loan.repayment-plan-agreed.v1": ["repayment_plan/instalments"],
    "loan.subsidy-paid.v1": [
        "subsidy paid_fen=+amount_fen recovered_fen=0",
        "posting account=subsidy counter_account=treasury amount_fen=+amount_fen",
        "subsidised/calculation.segments payment_no=@payment_no period=@period",
    ],
    "loan.subsidy-recovered.v1": [
        "subsidy recovery_no=@ref paid_fen=0 recovered_fen=+amount_fen",
        "posting account=subsidy counter_account=treasury amount_fen=-amount_fen",
    ],
    "loan.corrected.v1": [],
    "bank-report.scale-reported.v1": ["scale_report"],
    "bank-report.corrected.v1": [],
    "programme.plan-adopted.v1": [f"{RULING} plan_no=@plan_no"],
    "programme.plan-adjusted.v1": [f"{RULING} plan_no=@plan_no"],
    "programme.ruled.v1": [RULING],
    "programme.corrected.v1": [],
    "batch.estimated.v1": ["batch estimate=t"],
    "batch.proposed.v1": ["batch estimate=f"],
    "batch.listed.v1": ["batch_line/lines"],
    "batch.verified.v1": ["batch_step step=verified"],
    "batch.notice-posted.v1": ["batch_step step=noticed"],
    "batch.objection-raised.v1": ["batch_step step=objected"],
    "batch.objection-resolved.v1": ["batch_step step=resolved"],
    "batch.approved.v1": ["batch_step step=approved"],
    "batch.returned.v1": ["batch_step step=returned"],
    "batch.ordered.v1": [
        "batch_step step=ordered",
        "batch_line_step/lines step=ordered",
        "batch_line_step/held step=held",
    ],
    "batch.result-told.v1": [
        "batch_step step=result amount_fen=@paid_fen",
        "batch_line_step/paid step=paid",
        "batch_line_step/failed step=failed",
    ],
    "batch-register.entered.v1": [],
    "fund.allocated.v1": ["fund account=free counter_account=treasury amount_fen=+amount_fen"],
    "fund.transferred.v1": ["transfer amount_fen=+amount_fen"],
    "fund.reserved.v1": ["fund account=reserved counter_account=free amount_fen=+amount_fen"],
    "fund.released.v1": ["fund account=free counter_account=reserved amount_fen=+amount_fen"],
    "fund.spent.v1": ["fund account=paid counter_account=reserved amount_fen=+amount_fen"],
    "fund.corrected.v1": [],
    "publication.published.v1": ["publication report_as_of=@as_of"],
    "household.credit-rated.v1": ["rating"],
    "loan.guaranteed.v1": ["guarantee"],
    "loan.compensated.v1": ["compensation loss_fen=+loss_fen amount_fen=+amount_fen"],
    "loan.compensation-recovered.v1": ["compensation loss_fen=0 amount_fen=-amount_fen"],
    "risk.reported.v1": ["risk organisation=@organisation"],
    "risk.noted.v1": ["risk_note organisation=@organisation"],
    "risk-fund.paid-in.v1": ["risk_fund account=fund counter_account=payer amount_fen=+amount_fen"],
    "risk-fund.compensated.v1": [
        "risk_fund account=compensated counter_account=fund amount_fen=+amount_fen"
    ],
    "risk-fund.recovered.v1": [
        "risk_fund account=fund counter_account=recovered amount_fen=+amount_fen"
    ],
    "benefit.signed.v1": [
        f"{BENEFIT} enterprise=@enterprise township=@township",
    ],
    "benefit.paid.v1": ["benefit_paid amount_fen=+amount_fen"],
    "case.opened.v1": ["case_file", *FOUND, f"{AT_STAKE} step=opened"],
    "case.joined.v1": [*FOUND, f"{AT_STAKE} step=joined"],
    "case.assigned.v1": [f"{CASE_STEP} step=assigned"],
    "case.explanation-asked.v1": [f"{CASE_STEP} step=asked"],
    "case.explanation-given.v1": [f"{CASE_STEP} step=explained"],
    "case.noted.v1": [f"{CASE_STEP} step=noted"],
    "case.proposed.v1": [f"{CASE_STEP} step=proposed"],
    "case.upheld.v1": [f"{CASE_STEP} step=upheld"],
    "case.dismissed.v1": [f"{CASE_STEP} step=dismissed"],
    "case.rectified.v1": [f"{CASE_STEP} step=rectified"],
    "case.closed.v1": [f"{CASE_STEP} step=closed"],
    "case.reopened.v1": [f"{CASE_STEP} step=reopened"],
    "case.recovery-linked.v1": ["case_recovery", f"{CASE_STEP} step=recovered"],
    "case-register.entered.v1": [],
}
INSTANT = r"[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9:]{8}(\.[0-9]{1,6})?[+-][0-9:]{2,5}"
Fact = tuple[int, str, int, datetime, str]
"""of_position, table, position, recorded_at, and the other cells as COPY writes them."""


def facts_of(row: verify.Row, by: verify.Row, columns: dict[str, list[str]]) -> Iterator[Fact]:
    """What the event in `row` says; or what `by`, its correction, takes back."""
    state, kind = json.loads(row.state), row.topic.partition(".")[0]
    sign = 1 if by is row else -1
    heads = [member["person"] for member in state.get("members", []) if member.get("head")]
    other = {"ref": row.ref, "organisation": row.organisation, "head_of": "".join(heads)}
    verify.must(row.topic in DRAWN, f"位置 position {row.position}: {row.topic}?")
    for drawn in DRAWN[row.topic]:
        table, *changes = drawn.split()
        table, _, each = table.partition("/")
        for item in listed(state, each) if each else [state]:
            said = item if isinstance(item, dict) else {"line": item}
            fact = {"head": False, **said, "effective_on": state["effective_on"], "sign": sign}
            fact[f"{kind}_id"] = UUID(bytes=row.aggregate)
            for change in changes:
                column, _, source = change.partition("=")
                fact[column] = taken(source, state | other, sign)
            if row.topic == "loan.repaid.v1" and fact.get("amount_fen") == 0:
                continue
            rest = ",".join(cell(fact.get(column)) for column in columns[table])
            yield row.position, table, by.position, by.recorded_at, rest


def listed(state: dict[str, Any], path: str) -> list[Any]:
    *inside, name = path.split(".")
    for member in inside:
        state = state[member]
    items: list[Any] = state.get(name, [])
    return items


def taken(source: str, state: dict[str, Any], sign: int) -> Any:
    match source[0]:
        case "@":
            return state.get(source[1:])
        case "+":
            return sign * state[source[1:]]
        case "-":
            return -sign * state[source[1:]]
    return source


def cell(value: Any) -> str:
    """A value as COPY writes it to CSV: NULL is nothing, the empty text is quoted."""
    text = "" if value is None else "ft"[value] if isinstance(value, bool) else str(value)
    if isinstance(value, list):
        text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    quoted = value == "" or re.search('[",\r\n]', text)
    return '"' + text.replace('"', '""') + '"' if quoted else text


def facts_in(path: Path, columns: dict[str, list[str]]) -> Iterator[Fact]:
    """The rows of one table's CSV; its columns, but for the first three, go to `columns`."""
    lines = re.findall('(?:[^"\n]|"[^"]*")*+\n', text := path.read_bytes().decode())
    header = "".join(lines[:1]).rstrip().split(",")
    verify.must("".join(lines) == text, f"{path.name}: CSV 残缺 not whole")
    known = f"{COMMON} {TABLES.get(path.stem)}".split()
    verify.must(sorted(header) == sorted(known), f"{path.name}: 列不对 wrong columns: {header}")
    verify.must(header[:3] == known[:3], f"{path.name}: 列序不对 wrong order: {header}")
    columns[path.stem] = header[3:]
    for line in lines[1:]:
        of_position, position, recorded_at, rest = line[:-1].split(",", 3)
        proper = re.fullmatch(INSTANT, recorded_at)
        verify.must(proper, f"{path.name}: 不是时刻 not an instant: {recorded_at}")
        instant = datetime.fromisoformat(recorded_at)
        places = verify.number_of(of_position), verify.number_of(position)
        yield places[0], path.stem, places[1], instant, rest


def check_facts(export: Path, folder: Path) -> str:
    """Each facts table is, row for row, what the events say."""
    columns: dict[str, list[str]] = {}
    left: Counter[Fact] = Counter()  # how often each row is missing; below zero: too often there
    corrections: defaultdict[tuple[bytes, int], list[verify.Row]] = defaultdict(list)
    unknown = {path.stem for path in folder.glob("*.csv")} - {*TABLES}
    verify.must(not unknown, f"没有这些事实表 no such facts tables: {sorted(unknown)}")
    for table in TABLES:
        path = folder / f"{table}.csv"
        verify.must(path.is_file(), f"缺事实表 no facts table {table}")
        left.subtract(facts_in(path, columns))
    rows = -left.total()
    for row in verify.rows_of(export):
        if row.topic.endswith(".corrected.v1"):
            corrections[row.aggregate, json.loads(row.state)["corrects"]].append(row)
    for row in verify.rows_of(export):
        for by in [row, *corrections.get((row.aggregate, row.version), [])]:
            left.update(facts_of(row, by, columns))
    for (of_position, table, _, _, rest), count in sorted(i for i in left.items() if i[1])[:1]:
        what = "缺 missing" if count > 0 else "事件未述 not what the events say"
        raise verify.Wrong(f"事实表 facts table {table}, of_position {of_position}: {what}: {rest}")
    return f"事实 facts: {rows} of {rows}, 表 tables: {len(columns)}"

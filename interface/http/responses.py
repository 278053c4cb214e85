"""How tables leave: JSON with a head, or CSV and XLSX in yuan, by what the reader accepts."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import msgspec
from fastapi import Request, Response
from starlette.background import BackgroundTask
from starlette.exceptions import HTTPException
from starlette.responses import FileResponse

from domain.duties import STATES
from interface.spreadsheet import Column, write_csv, write_xlsx
from projections.facts.reading import Table, View

Form = Literal["json", "csv", "xlsx"]
_XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"

ZH = {
    "township": "乡镇",
    "village": "村",
    "household_no": "户编号",
    "category": "户类别",
    "head": "户主",
    "borrower_name": "借款人",
    "bank": "银行",
    "loan_no": "借据号",
    "contract_no": "合同号",
    "purpose": "用途",
    "principal_fen": "贷款金额(元)",
    "annual_rate_bp": "年利率(%)",
    "disbursed_on": "放款日",
    "due_on": "到期日",
    "repaid_fen": "已还本金(元)",
    "outstanding_fen": "余额(元)",
    "interest_fen": "已还利息(元)",
    "penalty_fen": "罚息(元)",
    "subsidy_fen": "累计贴息(元)",
    "settled_on": "结清日",
    "overdue": "逾期",
    "checks": "检查次数",
    "last_check_on": "最近检查日",
    "diverted_on": "发现挪用日",
    "borrower": "借款人代码",
    "period": "结息期",
    "due_fen": "应贴(元)",
    "paid_fen": "已拨付(元)",
    "recovered_fen": "已追回(元)",
    "returned_fen": "退票(元)",
    "overdrawn_fen": "超支(元)",
    "net_fen": "净贴息(元)",
    "paid_on": "拨付日",
    "voucher": "凭证号",
    "payment_no": "拨付编号",
    "position": "日志位置",
    "recorded_at": "得知时间",
    "effective_on": "发生日",
    "event": "事件代码",
    "event_zh": "事件",
    "organisation": "报送机构",
    "role": "角色",
    "person": "经办人",
    "reason": "事由",
    "ref": "流水号",
    "document": "凭证",
    "corrected_by": "冲正事件",
    "content": "内容",
    "event_id": "事件编号",
    "cause": "原因事件",
    "amount_of": "款项",
    "amount_fen": "金额(元)",
    "stock_households": "存量户数",
    "stock_loans": "存量笔数",
    "new_households": "本年新增户数",
    "new_loans": "本年新增笔数",
    "new_fen": "本年新增(元)",
    "target_share_bp": "占目标(%)",
    "overdue_households": "逾期户数",
    "overdue_loans": "逾期笔数",
    "overdue_fen": "逾期余额(元)",
    "overdue_rate_bp": "逾期率(%)",
    "reminders_done": "按时提醒",
    "reminders_late": "迟提醒",
    "reminders_not_done": "未提醒",
    "reminders_in_time_bp": "按时提醒率(%)",
    "answers": "授信答复",
    "answers_not_told": "拒贷未告知",
    "answer_days": "答复用时合计(天)",
    "told": "报送笔数",
    "told_late": "迟报笔数",
    "taken_back": "冲正笔数",
    "batch_no": "批次号",
    "line": "行号",
    "kind": "类别",
    "paid_before_fen": "此前已拨(元)",
    "reserved_fen": "已预留(元)",
    "limit_fen": "限定(元)",
    "note": "备注",
    "left_fen": "差额(元)",
    "result": "结果",
    "payee_name": "收款户名",
    "payee_account": "收款账号",
    "item": "项目代码",
    "item_zh": "项目",
    "loans": "笔数",
    "households": "户数",
    "sum_fen": "金额(元)",
    "indicator": "指标代码",
    "indicator_zh": "指标",
    "unit": "单位",
    "value": "实际",
    "target": "目标",
    "basis": "口径",
    "publication_no": "公布编号",
    "report": "报表",
    "report_as_of": "截至日",
    "known_at": "认知时点",
    "rules": "政策摘要",
    "row_count": "行数",
    "sha256": "摘要",
    "rater": "评级机构",
    "grade": "等级",
    "score": "评分",
    "rated_on": "评级日",
    "age_days": "距今(天)",
    "risk_no": "风险编号",
    "reported_on": "上报日",
    "noted_by": "接收机构",
    "noted_person": "接收人",
    "noted_on": "接收日",
    "waited_days": "等待(天)",
    "measure": "处置",
    "guarantor": "担保公司",
    "fee_fen": "担保费(元)",
    "guaranteed_on": "担保日",
    "paid_in_fen": "注入(元)",
    "compensated_fen": "代偿(元)",
    "balance_fen": "余额(元)",
    "ratio_bp": "放大倍数(%)",
    "agreement_no": "协议号",
    "enterprise": "企业",
    "short_fen": "欠付(元)",
    "next_due_on": "下期应付日",
    "scale_reports": "规模报表",
    "scale_reports_differing": "与账本不符",
    "rule": "规则",
    "title_zh": "疑点",
    "severity": "严重程度",
    "subject": "对象",
    "known_from": "最早可知",
    "positions": "证明事件",
    "case_no": "线索编号",
    "title": "标题",
    "outcome": "认定",
    "office": "办理机构",
    "supervisor": "主管",
    "investigator": "核查人",
    "findings": "疑点数",
    "asked": "要求说明",
    "explained": "已说明",
    "upheld_fen": "认定(元)",
    "opened_on": "立案日",
    "decided_on": "认定日",
    "rectified_on": "整改日",
    "closed_on": "办结日",
    "request_no": "说明要求编号",
    "asked_on": "要求日",
    "until_on": "答复期限",
    "explained_on": "说明日",
    "scheme": "套路",
    "named_findings": "疑点",
    "household_nos": "户编号",
    "loan_nos": "借据",
    "accounts": "关联账户",
    "cases": "线索",
    "new_findings": "未立案疑点",
    "context": "相关事件",
    "rule_version": "规则版本",
    "rulings": "所依政策取值",
    "run": "检查编号",
    "status": "结果",
    "error": "出错原因",
    "appeared": "新出现",
    "changed": "有变动",
    "gone": "已消失",
    "asked_at": "检查时间",
    "took_ms": "用时(毫秒)",
    "change": "变动编号",
    "nth": "同对象序号",
    "year": "年度",
    "lines_moved": "变动行数",
    "replayed_fen": "回放应贴(元)",
    "difference_fen": "变动(元)",
    "mode": "拨付方式",
    "stage": "阶段",
    "proposed_on": "提出日",
    "verified_on": "核实日",
    "noticed_until_on": "公示至",
    "approved_on": "批准日",
    "returned_on": "退回日",
    "objections_open": "未处理异议",
    "late_notices": "迟报公示",
    "lines": "行数",
    "recovery_fen": "应追回(元)",
    "withdrawn_fen": "撤下(元)",
    "held_fen": "暂缓(元)",
    "ordered_fen": "已下指令(元)",
    "failed_fen": "拨付失败(元)",
    "seen_position": "计算所见位置",
    "budget_fen": "预算(元)",
    "allocated_fen": "已下达(元)",
    "free_fen": "可用(元)",
    "used_bp": "已用(%)",
    "warning_bp": "预警(%)",
    "of_position": "所述位置",
    "account": "科目",
    "counter_account": "对方科目",
    "duty": "职责代码",
    "duty_zh": "职责",
    "responsible": "责任方",
    "opened_by": "起因位置",
    "state": "状态",
    "done_on": "完成日",
    "searched_from_on": "查找起",
    "searched_until_on": "查找止",
    "remark": "说明",
    "from": "自",
    "to": "至",
    "movements": "笔数",
    "first_on": "首日",
    "last_on": "末日",
    "edge_no": "边号",
    "receiver": "收款人类别",
    "money": "资金",
    "received_fen": "收到(元)",
    "min_fen": "至少(元)",
    "max_fen": "至多(元)",
    "fifo_fen": "先进先出(元)",
    "lifo_fen": "后进先出(元)",
    "pro_rata_fen": "按比例(元)",
    "diverted_fen": "发现时余额(元)",
    "pseudonym": "代码",
    "receivers": "收款人类别",
    "arrived_fen": "流入(元)",
    "category_zh": "类别",
    "payments": "笔数",
    "payee": "收款方",
    "observed_fen": "已知去向(元)",
    "share_bp": "已知比例(%)",
    "roles": "身份",
    "banks": "银行数",
    "events": "事件数",
    "in_fen": "流入(元)",
    "out_fen": "流出(元)",
    "pending": "未到期",
    "done": "按时完成",
    "late": "逾期完成",
    "not_done": "未完成",
    "not_applicable": "不适用",
}
"""The titles of the ledgers' columns."""

_COUNTS = (
    "checks", "position", "opened_by", *STATES, "reminders_done", "reminders_late",
    "reminders_not_done", "answers", "answers_not_told", "answer_days", "told", "told_late",
    "taken_back", "line", "lines", "year", "objections_open", "seen_position", "of_position",
    "lines_moved", "loans", "households", "row_count", "age_days", "run", "findings",
    "new_findings", "appeared", "changed", "gone", "took_ms", "change", "nth", "asked",
    "explained", "waited_days", "score", "movements", "edge_no", "payments", "banks", "events",
    "scale_reports", "scale_reports_differing",
)  # fmt: skip


def form_of(request: Request) -> Form:
    """What the reader accepts; JSON when he does not say. Raises HTTPException 406."""
    accepted = request.headers.get("accept", "*/*")
    if "json" in accepted or "*/*" in accepted:
        return "json"
    if "csv" in accepted:
        return "csv"
    if "spreadsheet" in accepted or "xlsx" in accepted:
        return "xlsx"
    raise HTTPException(406)


def head_of(view: View) -> dict[str, Any]:
    """Which ledger this is: its two dates, and how far into the log it saw."""
    return {
        "as_of": view.as_of,
        "known_at": view.known_at,
        "position": view.position,
        "known_through": view.known_through,
        "sealed": view.sealed,
    }


def headers_of(view: View) -> dict[str, str]:
    return {
        "X-As-Of": view.as_of.isoformat(),
        "X-Known-At": instant(view.known_at),
        "X-Position": str(view.position),
        "X-Sealed": str(view.sealed),
    }


def instant(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def json_answer(
    content: Any, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    return Response(
        msgspec.json.encode(content),
        status,
        media_type="application/json",
        headers={"Cache-Control": "no-store", **(headers or {})},
    )


def table_file(table: Table, form: Form, name: str, headers: Mapping[str, str]) -> Response:
    """A whole ledger as a file: yuan with two decimals, titles in Chinese and by key."""
    columns, rows = table_columns(table), table_rows(table)
    folder = tempfile.mkdtemp(prefix="mz-answer-")
    path = Path(folder) / f"{name}.{form}"
    (write_csv if form == "csv" else write_xlsx)(path, columns, rows)
    return FileResponse(
        path,
        media_type="text/csv; charset=utf-8" if form == "csv" else _XLSX,
        filename=path.name,
        headers={"Cache-Control": "no-store", **headers},
        background=BackgroundTask(_remove, path),
    )


def table_columns(table: Table) -> list[Column]:
    """The columns of a ledger as a file has them."""
    return [_column(key) for key in table.columns if key != "loan_id"]


def table_rows(table: Table) -> Iterator[tuple[Any, ...]]:
    columns = table_columns(table)
    plan = [(table.columns.index(column.key), column.kind) for column in columns]
    return (tuple(_cell(row[place], kind) for place, kind in plan) for row in table.rows)


def _remove(path: Path) -> None:
    path.unlink(missing_ok=True)
    path.parent.rmdir()


def _column(key: str) -> Column:
    kind: Any = "text"
    if key.endswith("_fen"):
        kind = "fen"
    elif key.endswith("_bp"):
        kind = "bp"
    elif key.endswith("_on"):
        kind = "date"
    elif key.endswith("_at") or key == "known_from":
        kind = "instant"
    elif key.endswith("_no") or key in ("bank", "township", "borrower", "ref", "event_id"):
        kind = "identifier"
    elif key.endswith(("_households", "_loans")) or key in _COUNTS:
        kind = "integer"
    return Column(key, ZH.get(key, key), key, kind)


def _cell(value: Any, kind: str) -> Any:
    if kind == "text" and isinstance(value, bool):
        return "是" if value else "否"
    if isinstance(value, list):
        return " ".join(map(str, value))
    return value

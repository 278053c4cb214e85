"""贴息计算书 on paper: one payment, every figure that it takes to work it out by hand."""

from __future__ import annotations

from datetime import date, timedelta
from html import escape
from typing import Any

from domain.money import in_capitals, yuan
from domain.subsidy import REASONS
from interface.documents.notice_page import STYLE, late_paragraph

_HEAD = """<!doctype html>
<html lang="zh-CN"><head><meta charset="utf-8"><title>贴息计算书 {title}</title>
{style}</head><body>
<h1>贴息计算书</h1>
"""
_SEGMENTS = """<div class="wide"><table>
<thead><tr><th>起</th><th>止（含）</th><th>天数</th><th>贴息本金（元）</th><th>合同利率</th><th>上限</th>
<th>上限取值日</th><th>适用利率</th><th>贴息比例</th><th>积数（元·天）</th></tr></thead>
<tbody>
{segments}
</tbody></table></div>
<p>应贴 = Σ（积数 × 适用利率 × 贴息比例）÷ {day_count} = {sum} 元，四舍五入到分一次：
<strong>{due} 元</strong>。{reasons}</p>
"""
_RULES = """<table>
<thead><tr><th>依据</th><th>取值</th><th>来源</th></tr></thead>
<tbody>
{rules}
</tbody></table>
"""
_PAGE = """<table class="head">
<tr><th>拨付编号</th><td>{payment_no}</td><th>结息期</th><td>{period}（{first} 至 {last}）</td></tr>
<tr><th>户编号</th><td>{household_no}</td><th>借据</th><td>{loan_id}</td></tr>
<tr><th>户类别（放款日）</th><td>{category}</td><th>凭证号</th><td>{voucher}</td></tr>
<tr><th>拨付日</th><td>{paid_on}</td><th>收款</th><td>{paid_to}</td></tr>
</table>
{late}{explained}<p>本期此前已拨 {paid_before} 元；本次拨付 <strong>{amount} 元</strong>，\
大写：<strong>人民币{capitals}</strong>。此后追回 {recovered} 元{returned}。</p>
{rules}<p>计算所用知识截至 {known_on}；事件 {event_id}，日志位置 {position}。</p>
</body></html>
"""
_PLACES = 6
_CATEGORIES: dict[str | None, str] = {
    "out_of_poverty": "脱贫户",
    "monitored_unstable": "脱贫不稳定户",
    "monitored_marginal": "边缘易致贫户",
    "monitored_hardship": "突发严重困难户",
    "none": "不享受",
}
"""The categories in the words of docs/glossary.md."""
_WORDS = _CATEGORIES | {"lpr_cap": "合同利率与 LPR 孰低", "flat": "合同利率与固定利率孰低"}
"""Codes that a ruling on a slip may hold."""
_RULINGS = {
    "credit_cap_fen": ("每户贴息本金上限", "元"),
    "day_count": ("计息年天数", "天"),
    "eligible_categories": ("享受贴息的户类别", ""),
    "flat_rate_bp": ("固定利率", "%"),
    "longest_term_months": ("最长期限", "个月"),
    "lpr_five_year": ("五年期以上 LPR", "%"),
    "lpr_one_year": ("一年期 LPR", "%"),
    "one_year_term_months": ("适用一年期 LPR 的最长期限", "个月"),
    "rate_basis": ("贴息利率", ""),
    "settlement_day": ("结息日", "日"),
    "settlement_months": ("结息月", " 月"),
    "subsidy_share": ("贴息比例", "%"),
}
"""What a slip calls a ruling, and its unit: fen as 元, basis points as %."""


def page(trace: dict[str, Any]) -> str:
    """The slip of one payment as a printable page. `trace`: what the trace of it shows."""
    payment, calculation = trace["payment"], trace["calculation"]
    back = trace.get("returned_fen", 0)
    paid, home = payment["content"], trace["household_on_disbursement_day"]
    texts = {
        "payment_no": paid["payment_no"],
        "period": paid["period"],
        "first": paid["first"],
        "last": _day_before(paid["until"]),
        "household_no": home["household_no"],
        "loan_id": calculation["loan_id"],
        "category": _CATEGORIES.get(home["category_when_paid"], "—"),
        "voucher": paid["voucher"],
        "paid_on": payment["effective_on"],
        "paid_to": " ".join(trace.get("paid_to", {}).values()) or "—",
        "paid_before": yuan(paid["paid_before_fen"]),
        "amount": yuan(paid["amount_fen"]),
        "capitals": in_capitals(paid["amount_fen"]),
        "recovered": yuan(trace["recovered_fen"]),
        "returned": f"，退票 {yuan(back)} 元：该笔未到账" if back else "",
        "known_on": calculation["known_on"],
        "event_id": payment["event_id"],
        "position": payment["position"],
    }
    return _head(paid["payment_no"]) + _PAGE.format(
        **_escaped(texts),
        late=late_paragraph(trace["late_notices"]),
        explained=_explained(calculation),
        rules=_RULES.format(rules="\n".join(map(_rule, trace["rules_in_force"]))),
    )


_HOME = """<table class="head">
<tr><th>批次</th><td>{batch_no}</td><th>结息期</th><td>{period}</td></tr>
<tr><th>户编号</th><td>{household_no}</td><th>户主</th><td>{head}</td></tr>
</table>
"""
_LINE = """<h2>第 {line} 行：{what} {period}（{first} 至 {last}），借据 {loan_id}</h2>
{explained}<p>放款日户类别 {category}。此前已拨或已预留 {paid_before} 元；{what}
<strong>{amount} 元</strong>。{note}</p>
"""
_WHAT = {"subsidy": "本次贴息", "top_up": "本次补贴", "recovery": "应追回"}


def household_page(
    batch: dict[str, Any],
    household_no: str,
    head: str | None,
    lines: list[dict[str, Any]],
    sources: dict[str, str],
    late: list[dict[str, Any]],
) -> str:
    """All that a batch lists for one household, each line with its whole calculation.

    `lines`: as the batch stores them; `sources`: by a ruling's version, who says so; `late`: the
    notices that were reported after they began.
    """
    pays = [line for line in lines if line["kind"] != "recovery"]
    total = sum(line["amount_fen"] for line in pays)
    back = sum(line["amount_fen"] for line in lines) - total
    cited: dict[str, Any] = {}
    for line in lines:
        cited |= line["calculation"]["rulings"]
    rules = [
        {"version": version, "value_then": value, "source": sources.get(version, "—")}
        for version, value in sorted(cited.items())
    ]
    home = {
        "batch_no": batch["batch_no"],
        "period": batch["period"],
        "household_no": household_no,
        "head": head or "—",
    }
    return (
        _head(f"{batch['batch_no']} {household_no}")
        + _HOME.format(**_escaped(home))
        + late_paragraph(late)
        + "".join(map(_listed, lines))
        + f"<p>本户本批合计 <strong>{yuan(total)} 元</strong>，大写："
        f"<strong>人民币{in_capitals(total)}</strong>；应追回 {yuan(back)} 元，不相抵。</p>\n"
        + _RULES.format(rules="\n".join(map(_rule, rules)))
        + "</body></html>\n"
    )


def _listed(line: dict[str, Any]) -> str:
    texts = {
        "line": line["line"],
        "what": _WHAT[line["kind"]],
        "period": line["period"],
        "first": line["first"],
        "last": _day_before(line["until"]),
        "loan_id": f"{line['bank']}/{line['loan_no']}",
        "category": _CATEGORIES.get(line.get("category"), "—"),
        "paid_before": yuan(line["paid_before_fen"]),
        "amount": yuan(line["amount_fen"]),
        "note": line.get("note") or "",
    }
    return _LINE.format(**_escaped(texts), explained=_explained(line["calculation"]))


def _head(title: str) -> str:
    return _HEAD.format(title=escape(title), style=STYLE)


def _escaped(texts: dict[str, Any]) -> dict[str, str]:
    return {name: escape(str(text)) for name, text in texts.items()}


def _explained(calculation: dict[str, Any]) -> str:
    """The segments of a calculation, and the sum that they give."""
    unit = calculation["day_count"] * 10_000 * 10_000
    earned = sum(
        s["principal_fen"] * s["days"] * s["rate_bp"] * s["share_bp"]
        for s in calculation["segments"]
    )
    reasons = "；".join(REASONS[reason] for reason in calculation["reasons"])
    texts = {
        "day_count": calculation["day_count"],
        "sum": _exactly(earned, unit * 100),
        "due": yuan(calculation["amount_fen"]),
        "reasons": f"未贴部分：{reasons}。" if reasons else "",
    }
    rows = "\n".join(map(_segment, calculation["segments"]))
    return _SEGMENTS.format(**_escaped(texts), segments=rows)


def _segment(segment: dict[str, Any]) -> str:
    cells = (
        segment["first"],
        _day_before(segment["until"]),
        segment["days"],
        yuan(segment["principal_fen"]),
        _percent(segment["contract_rate_bp"]),
        _percent(segment["rate_cap_bp"]),
        segment["quote_on"],
        _percent(segment["rate_bp"]),
        _percent(segment["share_bp"]),
        yuan(segment["principal_fen"] * segment["days"]),
    )
    return "<tr>" + "".join(f'<td class="n">{escape(str(cell))}</td>' for cell in cells) + "</tr>"


def _rule(rule: dict[str, Any]) -> str:
    """A ruling in words and units, its version in small."""
    named, unit = _RULINGS.get(rule["version"].partition("@")[0], ("", ""))
    shown = _shown(rule["value_then"], unit)
    cells = (shown, rule["source"])
    name = f"{escape(named)}<br>" if named else ""
    first = f"<td>{name}<small>{escape(rule['version'])}</small></td>"
    return f"<tr>{first}" + "".join(f"<td>{escape(str(cell))}</td>" for cell in cells) + "</tr>"


def _shown(value: Any, unit: str) -> str:
    if isinstance(value, list):
        return "、".join(_WORDS.get(each, str(each)) for each in value) + unit
    if unit == "元":
        return f"{yuan(value)} 元"
    return _percent(value) if unit == "%" else f"{value} {unit}".strip()


def _percent(bp: int) -> str:
    return f"{yuan(bp)}%"


def _day_before(day: str) -> date:
    return date.fromisoformat(day) - timedelta(days=1)


def _exactly(numerator: int, denominator: int) -> str:
    """A fraction of yuan cut after six places, with … when there are more."""
    whole, rest = divmod(numerator * 10**_PLACES, denominator)
    text = f"{whole // 10**_PLACES}.{whole % 10**_PLACES:0{_PLACES}d}"
    return f"{text}…" if rest else text

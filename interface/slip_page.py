"""贴息计算书 on paper: one payment, every figure that it takes to work it out by hand."""

from __future__ import annotations

from datetime import date, timedelta
from html import escape
from typing import Any

from domain.money import in_capitals, yuan
from domain.subsidy import REASONS

_PAGE = """<!doctype html>
<html lang="zh-CN"><head><meta charset="utf-8"><title>贴息计算书 {payment_no}</title>
<style>
@page {{ size: A4; margin: 18mm }}
body {{ font-family: "Noto Serif CJK SC", "SimSun", serif; max-width: 174mm; margin: auto }}
h1 {{ text-align: center }} table {{ border-collapse: collapse; width: 100%; margin: 1em 0 }}
th, td {{ border: 1px solid #444; padding: .25em .4em; font-size: 90% }}
td.n {{ text-align: right; font-variant-numeric: tabular-nums }}
</style></head><body>
<h1>贴息计算书</h1>
<table>
<tr><th>拨付编号</th><td>{payment_no}</td><th>结息期</th><td>{period}（{first} 至 {last}）</td></tr>
<tr><th>户编号</th><td>{household_no}</td><th>借据</th><td>{loan_id}</td></tr>
<tr><th>户类别（放款日）</th><td>{category}</td><th>凭证号</th><td>{voucher}</td></tr>
<tr><th>拨付日</th><td>{paid_on}</td><th>收款</th><td>{paid_to}</td></tr>
</table>
<table>
<tr><th>起</th><th>止（含）</th><th>天数</th><th>贴息本金（元）</th><th>合同利率</th><th>上限</th>
<th>报价日</th><th>适用利率</th><th>贴息比例</th><th>积数（元·天）</th></tr>
{segments}
</table>
<p>应贴 = Σ（积数 × 适用利率 × 贴息比例）÷ {day_count} = {sum} 元，四舍五入到分一次：
<strong>{due} 元</strong>。{reasons}</p>
<p>本期此前已拨 {paid_before} 元；本次拨付 <strong>{amount} 元</strong>，
大写：<strong>人民币{capitals}</strong>。此后追回 {recovered} 元。</p>
<table>
<tr><th>依据</th><th>取值</th><th>来源</th></tr>
{rules}
</table>
<p>计算所用知识截至 {known_on}；事件 {event_id}，日志位置 {position}。</p>
</body></html>
"""
_PLACES = 6


def page(trace: dict[str, Any]) -> str:
    """The slip of one payment as a printable page. `trace`: what the trace of it shows."""
    payment, calculation = trace["payment"], trace["calculation"]
    paid, home = payment["content"], trace["household_on_disbursement_day"]
    unit = calculation["day_count"] * 10_000 * 10_000
    earned = sum(
        s["principal_fen"] * s["days"] * s["rate_bp"] * s["share_bp"]
        for s in calculation["segments"]
    )
    reasons = "；".join(REASONS[reason] for reason in calculation["reasons"])
    texts = {
        "payment_no": paid["payment_no"],
        "period": paid["period"],
        "first": paid["first"],
        "last": _day_before(paid["until"]),
        "household_no": home["household_no"],
        "loan_id": calculation["loan_id"],
        "category": home["category_when_paid"] or "—",
        "voucher": paid["voucher"],
        "paid_on": payment["effective_on"],
        "paid_to": " ".join(trace.get("paid_to", {}).values()) or "—",
        "day_count": calculation["day_count"],
        "sum": _exactly(earned, unit * 100),
        "due": yuan(calculation["amount_fen"]),
        "reasons": f"未贴部分：{reasons}。" if reasons else "",
        "paid_before": yuan(paid["paid_before_fen"]),
        "amount": yuan(paid["amount_fen"]),
        "capitals": in_capitals(paid["amount_fen"]),
        "recovered": yuan(trace["recovered_fen"]),
        "known_on": calculation["known_on"],
        "event_id": payment["event_id"],
        "position": payment["position"],
    }
    return _PAGE.format(
        **{name: escape(str(text)) for name, text in texts.items()},
        segments="\n".join(map(_segment, calculation["segments"])),
        rules="\n".join(map(_rule, trace["rules_in_force"])),
    )


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
    cells = (rule["version"], rule["value_then"], rule["source"])
    return "<tr>" + "".join(f"<td>{escape(str(cell))}</td>" for cell in cells) + "</tr>"


def _percent(bp: int) -> str:
    return f"{yuan(bp)}%"


def _day_before(day: str) -> date:
    return date.fromisoformat(day) - timedelta(days=1)


def _exactly(numerator: int, denominator: int) -> str:
    """A fraction of yuan cut after six places, with … when there are more."""
    whole, rest = divmod(numerator * 10**_PLACES, denominator)
    text = f"{whole // 10**_PLACES}.{whole % 10**_PLACES:0{_PLACES}d}"
    return f"{text}…" if rest else text

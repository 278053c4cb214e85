"""公示 on paper: a batch's notice, with masked names and nothing that the rule does not ask for."""

from __future__ import annotations

from html import escape
from typing import Any

from domain.calendar import term_months
from domain.money import yuan

_PAGE = """<!doctype html>
<html lang="zh-CN"><head><meta charset="utf-8"><title>贴息公示 {batch_no}</title>
<style>
@page {{ size: A4; margin: 18mm }}
body {{ font-family: "Noto Serif CJK SC", "SimSun", serif; max-width: 174mm; margin: auto }}
h1 {{ text-align: center }} table {{ border-collapse: collapse; width: 100%; margin: 1em 0 }}
th, td {{ border: 1px solid #444; padding: .25em .4em; font-size: 90% }}
td.n {{ text-align: right; font-variant-numeric: tabular-nums }}
</style></head><body>
<h1>小额信贷贴息公示</h1>
<p>批次 {batch_no}，结息期 {period}。{where}共 {count} 笔。
公示期间如有异议，请向乡镇（街区）或金融扶贫服务中心提出。</p>
{late}<table>
<tr><th>序号</th><th>借款人</th><th>用途</th><th>贷款金额（元）</th><th>期限（月）</th>
<th>年利率</th></tr>
{rows}
</table>
</body></html>
"""


_LEVELS = {"village": "村级", "township": "乡镇级", "county": "县级"}


def late_paragraph(late: list[dict[str, Any]]) -> str:
    """What every page of a batch says of notices reported after they began; empty: of none."""
    if not late:
        return ""
    told = "；".join(
        f"{_LEVELS[each['level']]}{each['township'] or ''}公示 {each['posted_on']} 至"
        f" {each['until_on']}，{each['recorded_on']} 报送，依据《{each['document']}》"
        for each in late
    )
    return f'<p class="late"><strong>公示迟报：</strong>{escape(told)}。</p>\n'


def page(
    batch: dict[str, Any],
    lines: list[dict[str, Any]],
    township: str | None,
    village: str | None,
    late: list[dict[str, Any]],
) -> str:
    """The notice of a batch, or of its lines in one township or village, to be printed."""
    where = " ".join(filter(None, (township, village)))
    return _PAGE.format(
        batch_no=escape(batch["batch_no"]),
        period=escape(batch["period"]),
        where=f"{escape(where)}，" if where else "",
        count=len(lines),
        late=late_paragraph(late),
        rows="\n".join(map(_row, lines)),
    )


def _row(line: dict[str, Any]) -> str:
    months = term_months(line["disbursed_on"], line["due_on"])
    cells = (
        line["line"],
        line["borrower_name"] or "—",
        line["purpose"],
        yuan(line["principal_fen"]),
        months,
        f"{yuan(line['annual_rate_bp'])}%",
    )
    kinds = ("n", "t", "t", "n", "n", "n")
    tds = [
        f'<td class="{kind}">{escape(str(cell))}</td>'
        for kind, cell in zip(kinds, cells, strict=True)
    ]
    return "<tr>" + "".join(tds) + "</tr>"

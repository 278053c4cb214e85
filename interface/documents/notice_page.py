"""公示 on paper: a batch's notice, with masked names and nothing that the rule does not ask for."""

from __future__ import annotations

from html import escape
from typing import Any

from domain.calendar import term_months
from domain.money import yuan

STYLE = """<meta name="viewport" content="width=device-width, initial-scale=1">
<style>
@page { size: A4; margin: 18mm }
body { font-family: "Noto Serif CJK SC", "SimSun", serif; max-width: 173mm; margin: auto }
h1 { text-align: center } table { border-collapse: collapse; width: 100%; margin: 1em 0 }
th, td { border: 1px solid #444; padding: .25em .4em; font-size: 90%; overflow-wrap: anywhere }
td.n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap }
tr { break-inside: avoid }
h2 { font-size: 110%; break-after: avoid } small { color: #555 }
.day { white-space: nowrap }
.late { border-left: 3px solid #8a5a00; padding-left: .6em }
.wide { overflow-x: auto } .wide table { margin: .2em 0 }
.wide th, .wide td { padding: .2em .3em; font-size: 75% }
@media screen { body { padding: 0 .8em 2em } }
@media screen and (max-width: 34em) {
  .head tr { display: grid; grid-template-columns: 6.5em 1fr }
}
</style>"""

_PAGE = """<!doctype html>
<html lang="zh-CN"><head><meta charset="utf-8"><title>贴息公示 {batch_no}</title>
{style}</head><body>
<h1>小额信贷贴息公示</h1>
<p>批次 {batch_no}，结息期 {period}。{where}共 {count} 笔。\
公示期间如有异议，请向乡镇（街区）或金融扶贫服务中心提出。</p>
{late}<table>
<thead><tr><th>序号</th><th>借款人</th><th>用途</th><th>贷款金额（元）</th><th>期限（月）</th>
<th>年利率</th></tr></thead>
<tbody>
{rows}
</tbody></table>
</body></html>
"""


_DAYS = ("posted_on", "until_on", "recorded_on")
_LEVELS = {"village": "村级", "township": "乡镇级", "county": "县级"}


def late_paragraph(late: list[dict[str, Any]]) -> str:
    """What every page of a batch says of notices reported after they began; empty: of none.

    Notices of the same days, reported on one day on one document, are named in one clause.
    """
    if not late:
        return ""
    alike: dict[tuple[str, str, str, str], list[dict[str, Any]]] = {}
    for each in late:
        posted_on, until_on, recorded_on = map(str, map(each.get, _DAYS))
        alike.setdefault((posted_on, until_on, recorded_on, each["document"]), []).append(each)
    told = "；".join(_reported_late(*key, notices) for key, notices in alike.items())
    return f'<p class="late"><strong>公示迟报：</strong>{told}。</p>\n'


def _reported_late(
    posted_on: str, until_on: str, recorded_on: str, document: str, notices: list[dict[str, Any]]
) -> str:
    levels: dict[str, list[str]] = {}
    for each in notices:
        levels.setdefault(each["township"] or "", []).append(_LEVELS[each["level"]])
    whose: dict[str, list[str]] = {}
    for township, of_it in levels.items():
        whose.setdefault("、".join(dict.fromkeys(of_it)), []).append(township)
    names = "，".join(
        f"{' '.join(filter(None, townships))} {level}".strip() for level, townships in whose.items()
    )
    posted, until, recorded = map(day_cell, (posted_on, until_on, recorded_on))
    return f"{escape(names)}公示，{posted} 至 {until}，{recorded} 报送，依据《{escape(document)}》"


def day_cell(day: str) -> str:
    """A day that is not broken at its hyphens."""
    return f'<span class="day">{escape(day)}</span>'


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
        style=STYLE,
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

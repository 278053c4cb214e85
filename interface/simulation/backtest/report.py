"""The back-test written down: one table of all rules, what they missed and fell for, the curves."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import date
from typing import Any, Final, NamedTuple

from interface.simulation.backtest.curves import Curve
from interface.simulation.backtest.scoring import Score

NOT_TO_PLANT: Final = (
    (
        "RF01–RF04: 多付不能直接种下 an overpayment cannot be told: paying more than is due is refused"
        " (`subsidy_exceeds_due`). It comes about when facts are told after the payment."
    ),
    (
        "RF04: 一笔贷款同一结息期付两次 the same loan and quarter paid twice is refused likewise; what is"
        " planted is an older loan of another bank, told late, that pushes a paid one over the cap."
    ),
    (
        "RF10: 他人代报的放款 a disbursement told by anyone but the bank is refused (`not_permitted`);"
        " what is planted is a loan that its bank leaves out of its monthly report."
    ),
    "RF17: 超额度批准 a batch beyond what was allocated is refused (`fund_exhausted`).",
    "RF21: 校验位错误的身份证号 an identity number with a wrong check digit is refused.",
    "RF23: 篡改入账时刻 nobody can tell `recorded_at`: a forged day shows as a late report.",
)
"""What the ledger refuses, so that no county can contain it."""


class Sum(NamedTuple):
    """A rule's scores over several counties."""

    id: str
    version: str
    title_zh: str
    title_en: str
    severity: str
    wanted: int
    found: int
    findings: int
    true: int
    milliseconds: int
    missed: Counter[str]
    false: Counter[str]
    errors: tuple[str, ...]


def summed(of_seeds: list[list[Score]]) -> list[Sum]:
    """Rule by rule, all counties together."""
    return [_sum(scores) for scores in zip(*of_seeds, strict=True)]


def _sum(scores: tuple[Score, ...]) -> Sum:
    rule = scores[0].rule
    missed: Counter[str] = Counter()
    false: Counter[str] = Counter()
    for score in scores:
        missed.update(score.missed_by_kind())
        false.update(score.false_by_kind())
    return Sum(
        rule.id,
        rule.version,
        rule.title_zh,
        rule.title_en,
        rule.severity,
        sum(score.wanted for score in scores),
        sum(score.found for score in scores),
        sum(score.findings for score in scores),
        sum(score.true for score in scores),
        sum(score.milliseconds for score in scores),
        missed,
        false,
        tuple(score.error for score in scores if score.error),
    )


def as_data(
    sums: list[Sum],
    curves: Iterable[Curve],
    *,
    measured_on: date,
    seeds: list[int],
    factor: str,
    loans: int,
    events: int,
) -> dict[str, Any]:
    """The same figures as `projections.red_flags.measured` reads them; counts, no shares."""
    of_rule: dict[str, list[dict[str, Any]]] = {each.id: [] for each in sums}
    for curve in curves:
        of_rule[curve.rule].append(
            {
                "table": curve.table,
                "unit": curve.unit,
                "today": curve.today,
                "points": [point._asdict() for point in curve.points],
            }
        )
    return {
        "measured_on": measured_on.isoformat(),
        "seeds": seeds,
        "factor": factor,
        "loans": loans,
        "events": events,
        "rules": {
            each.id: {
                "rule_version": each.version,
                "wanted": each.wanted,
                "found": each.found,
                "findings": each.findings,
                "true": each.true,
                "missed": dict(sorted(each.missed.items())),
                "false": dict(sorted(each.false.items())),
                "curves": of_rule[each.id],
            }
            for each in sums
        },
    }


def page(
    sums: list[Sum], curves: Iterable[Curve], *, seeds: list[int], factor: str, size: str
) -> str:
    """The whole page, in Markdown."""
    seeds_said = ", ".join(map(str, seeds))
    return "\n".join(
        [
            *_head(seeds_said, factor, size),
            *_table(sums),
            "",
            *_details(sums),
            "",
            "## 种不下的 What cannot be planted",
            "",
            *(f"- {each}" for each in NOT_TO_PLANT),
            "",
            *_pictures(curves),
        ]
    )


def _head(seeds: str, factor: str, size: str) -> Iterator[str]:
    yield "# 疑点规则回测 How the red flags fare in counties whose truth is known"
    yield ""
    yield "Written by `python3 run.py backtest`; not by hand."
    yield ""
    yield f"Seeds {seeds}, factor {factor}: {size}. All of it was told through the ledger's ordinary"
    yield "door to a real PostgreSQL, the facts were drawn by the projector, and every rule was asked as"
    yield "of the last day. The simulator (`interface/simulation/backtest`) knows which cases are fraud and which people are honest."
    yield ""
    yield "- **种 planted**: cases that the rule should find. A kind that ends in `_sly` keeps just"
    yield "  outside of today's thresholds on purpose: missing it is the price of the threshold."
    yield "- **真 true**: findings that show a planted case, or one that came about by chance or as"
    yield "  another scheme's trace and is just as real. The others are **误报 false alarms**."
    yield "  What came about by chance (a check that is late, a rate over the quote) is true by the programme's"
    yield "  own words, so such rules are right there by definition; planted and honest people test the others."
    yield "- **核查 checks**: findings that a supervisor looks into for each true one."
    yield "- **毫秒 ms**: the rule's question in all counties together, on the machine that wrote this."
    yield ""
    yield "Honest is what breaks no rule of the programme, or breaks it only in form: a father and his"
    yield "married son, two registered households, using one card, both met at every check, are honest"
    yield "here, so RF09 pays for them with a false alarm each."
    yield ""


def _table(sums: list[Sum]) -> Iterator[str]:
    yield "| 规则 rule | 疑点 | red flag | 种 planted | 查出 found | 查全率 recall | 疑点数 findings | 真 true | 查准率 precision | 核查 checks | 毫秒/条 ms a finding |"
    yield "| --- | --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |"
    for each in sums:
        cells = (
            each.id, each.title_zh, each.title_en, each.wanted, each.found,
            share(each.found, each.wanted), each.findings, each.true,
            share(each.true, each.findings), _ratio(each.findings, each.true),
            _ratio(each.milliseconds, each.findings),
        )  # fmt: skip
        yield "| " + " | ".join(map(str, cells)) + " |"


def _details(sums: list[Sum]) -> Iterator[str]:
    yield "## 漏报与误报 Missed, and flagged without cause"
    yield ""
    for each in sums:
        for said, counted in (("漏 missed", each.missed), ("误报 false alarm", each.false)):
            for kind, count in sorted(counted.items()):
                yield f"- {each.id} {said}: `{kind}` × {count}"
        for error in each.errors:
            yield f"- {each.id} 出错 error: {error}"


def _pictures(curves: Iterable[Curve]) -> Iterator[str]:
    yield "## 阈值曲线 Curves over the thresholds"
    yield ""
    yield "Each threshold is varied by itself: the rules are asked again of the same facts, as if such a"
    yield "ruling had been told. The counties stay the same, and so does what counts as true."
    yield ""
    for curve in curves:
        alt = f"{curve.rule} {curve.table}"
        yield f"![{alt}](backtest/{curve.name}.svg)"


def share(part: int, whole: int) -> str:
    """A share in per cent, rounded down to a tenth; a dash for none of nothing."""
    if not whole:
        return "–"
    tenths = part * 1000 // whole
    return f"{tenths // 10}.{tenths % 10} %"


def _ratio(part: int, whole: int) -> str:
    if not whole:
        return "–"
    tenths = (part * 100 // whole + 5) // 10
    return f"{tenths // 10}.{tenths % 10}"

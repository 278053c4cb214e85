"""公示 on paper: a batch's notice, with masked names and nothing that the rule does not ask for."""

from __future__ import annotations

from typing import Any

from domain.calendar import term_months
from interface.console.words import Words
from interface.documents.paper import CHINESE, printed


def page(
    batch: dict[str, Any],
    lines: list[dict[str, Any]],
    township: str | None,
    village: str | None,
    late: list[dict[str, Any]],
) -> str:
    """The notice of a batch, or of its lines in one township (its name) or village, for print."""
    return printed("documents/notice.html", values(batch, lines, township, village, late))


def values(
    batch: dict[str, Any],
    lines: list[dict[str, Any]],
    township: str | None,
    village: str | None,
    late: list[dict[str, Any]],
    words: Words = CHINESE,
) -> dict[str, Any]:
    """What the notice says."""
    return {
        "title": words("paper.notice_of_batch", no=batch["batch_no"]),
        "batch_no": batch["batch_no"],
        "period": batch["period"],
        "where": " ".join(filter(None, (township, village))),
        "lines": [
            line | {"months": term_months(line["disbursed_on"], line["due_on"])} for line in lines
        ],
        "late": late_clauses(late, words),
    }


def late_clauses(late: list[dict[str, Any]], words: Words = CHINESE) -> list[dict[str, str]]:
    """What every page of a batch says of the notices that were reported after they began.

    Notices of the same days, reported on one day by one document, are one clause.
    """
    alike: dict[tuple[str, str, str, str], list[dict[str, Any]]] = {}
    for each in late:
        days = str(each["posted_on"]), str(each["until_on"]), str(each["recorded_on"])
        alike.setdefault((*days, each["document"]), []).append(each)
    return [
        {
            "names": _names(notices, words),
            "posted_on": posted_on,
            "until_on": until_on,
            "recorded_on": recorded_on,
            "document": document,
        }
        for (posted_on, until_on, recorded_on, document), notices in alike.items()
    ]


def _names(notices: list[dict[str, Any]], words: Words) -> str:
    """The townships and levels of some notices; townships with the same levels stand together."""
    levels: dict[str, list[str]] = {}
    for each in notices:
        levels.setdefault(each["township"] or "", []).append(words(f"paper.level_{each['level']}"))
    townships: dict[str, list[str]] = {}
    for township, posted in levels.items():
        townships.setdefault("、".join(dict.fromkeys(posted)), []).append(township)
    return "，".join(
        f"{' '.join(filter(None, names))} {level}".strip() for level, names in townships.items()
    )

"""贴息计算书 on paper: one payment, every figure that it takes to work it out by hand."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import date, timedelta
from typing import Any

from domain.household import CATEGORIES_ZH
from domain.money import in_capitals
from interface.console.words import Words
from interface.documents.notice_page import late_clauses
from interface.documents.paper import CHINESE, printed
from interface.documents.rulings import rules_in_words

_PLACES = 6
InWords = Callable[[Iterable[tuple[str, Any, str]]], list[dict[str, str]]]
"""Rulings (version, value, source) as a table shows them: name, version, value, source."""


def page(trace: dict[str, Any]) -> str:
    """The slip of one payment as a printable page. `trace`: what the trace of it shows."""
    return printed("documents/payment_slip.html", values(trace))


def values(
    trace: dict[str, Any], words: Words = CHINESE, in_words: InWords = rules_in_words
) -> dict[str, Any]:
    """What the slip of one payment says."""
    payment, calculation = trace["payment"], trace["calculation"]
    paid, household = payment["content"], trace["household_on_disbursement_day"]
    rules = trace["rules_in_force"]
    return {
        "title": words("paper.slip_of", no=paid["payment_no"]),
        "paid": paid,
        "last": _day_before(paid["until"]),
        "household_no": household["household_no"],
        "loan_id": calculation["loan_id"],
        "category": _category(words, household["category_when_paid"]),
        "paid_on": payment["effective_on"],
        "paid_to": " ".join(trace.get("paid_to", {}).values()),
        "late": late_clauses(trace["late_notices"], words),
        "calculation": _explained(calculation, words),
        "capitals": in_capitals(paid["amount_fen"]),
        "recovered_fen": trace["recovered_fen"],
        "returned_fen": trace.get("returned_fen", 0),
        "rules": in_words((rule["version"], rule["value_then"], rule["source"]) for rule in rules),
        "known_on": calculation["known_on"],
        "event_id": payment["event_id"],
        "position": payment["position"],
    }


def household_page(
    batch: dict[str, Any],
    household_no: str,
    head: str | None,
    lines: list[dict[str, Any]],
    sources: dict[str, str],
    late: list[dict[str, Any]],
) -> str:
    """All that a batch lists for one household as a printable page; see `household_values`."""
    said = household_values(batch, household_no, head, lines, sources, late)
    return printed("documents/household_slip.html", said)


def household_values(
    batch: dict[str, Any],
    household_no: str,
    head: str | None,
    lines: list[dict[str, Any]],
    sources: dict[str, str],
    late: list[dict[str, Any]],
    words: Words = CHINESE,
    in_words: InWords = rules_in_words,
) -> dict[str, Any]:
    """All that a batch lists for one household, each line with its whole calculation.

    `lines`: as the batch stores them; `sources`: by a ruling's version, who says so; `late`: the
    notices that were reported after they began.
    """
    total_fen = sum(line["amount_fen"] for line in lines if line["kind"] != "recovery")
    cited: dict[str, Any] = {}
    for line in lines:
        cited |= line["calculation"]["rulings"]
    return {
        "title": words("paper.household_slip_of", batch=batch["batch_no"], household=household_no),
        "batch_no": batch["batch_no"],
        "period": batch["period"],
        "household_no": household_no,
        "head": head,
        "late": late_clauses(late, words),
        "lines": [_listed(line, words) for line in lines],
        "total_fen": total_fen,
        "capitals": in_capitals(total_fen),
        "recover_fen": sum(line["amount_fen"] for line in lines) - total_fen,
        "rules": in_words(
            (version, value, sources.get(version, "—")) for version, value in sorted(cited.items())
        ),
    }


def _listed(line: dict[str, Any], words: Words) -> dict[str, Any]:
    """A line of a batch, with what its section of the page says in words."""
    return line | {
        "what": words(f"paper.kind_{line['kind']}"),
        "last": _day_before(line["until"]),
        "loan_id": f"{line['bank']}/{line['loan_no']}",
        "category": _category(words, line.get("category")),
        "note": line.get("note") or "",
        "calculation": _explained(line["calculation"], words),
    }


def _category(words: Words, code: str | None) -> str:
    if words.language == "zh":
        return CATEGORIES_ZH.get(code or "", "—")
    return (code or "—").replace("_", " ")


def _explained(calculation: dict[str, Any], words: Words) -> dict[str, Any]:
    """A calculation with the sum that its segments give, in yuan, not rounded."""
    segments = calculation["segments"]
    unit = calculation["day_count"] * 10_000 * 10_000
    earned = sum(s["principal_fen"] * s["days"] * s["rate_bp"] * s["share_bp"] for s in segments)
    return {
        "segments": [s | {"last": _day_before(s["until"])} for s in segments],
        "day_count": calculation["day_count"],
        "sum": _exactly(earned, unit * 100),
        "amount_fen": calculation["amount_fen"],
        "reasons": [words(f"paper.reason_{reason}") for reason in calculation["reasons"]],
    }


def _day_before(day: str) -> date:
    return date.fromisoformat(day) - timedelta(days=1)


def _exactly(numerator: int, denominator: int) -> str:
    """A fraction of yuan cut after six places, with … when there are more."""
    whole, rest = divmod(numerator * 10**_PLACES, denominator)
    text = f"{whole // 10**_PLACES}.{whole % 10**_PLACES:0{_PLACES}d}"
    return f"{text}…" if rest else text

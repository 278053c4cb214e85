"""Published reports (已公布报表): what went out, when, and the edition before."""

from __future__ import annotations

from collections.abc import Iterable

from projections.facts.reading import Table, View, query_text
from projections.publications.columns import PUBLICATIONS


def publications(view: View, reports: Iterable[str] | None = None) -> Table:
    """One line an edition, in the order of the log; `reports`: only these, None: all."""
    return view.table(
        PUBLICATIONS,
        query_text(__name__, "query.sql"),
        reports=None if reports is None else list(reports),
    )


def edition_before(view: View, report: str, publication_no: str) -> str | None:
    """The number of the edition of a report that went out before this one."""
    found = view.query(query_text(__name__, "before.sql"), report=report, no=publication_no).rows
    return found[0][0] if found else None

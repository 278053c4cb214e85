"""Reports that the centre published, with the bytes they had on their day."""

from __future__ import annotations

from datetime import date
from functools import partial
from typing import Final

from application.commands.publication import PublishReport, Report
from interface.documents.publication import edition
from interface.simulation.demo.recent_years.desk import CENTRE, Desk

_PUBLISHED: Final[tuple[tuple[date, Report, date], ...]] = (
    (date(2025, 7, 8), "funds", date(2025, 6, 30)),
    (date(2026, 1, 12), "townships", date(2025, 12, 31)),
    (date(2026, 1, 14), "funds", date(2025, 12, 31)),
    (date(2026, 7, 9), "indicators", date(2026, 6, 30)),
    (date(2026, 11, 10), "townships", date(2026, 10, 31)),
)


class Reports:
    """The service centre's publications."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        for on, report, as_of in _PUBLISHED:
            desk.on(on, partial(self._publish, report, as_of))

    def _publish(self, report: Report, as_of: date) -> None:
        with self.desk.view(as_of) as view:
            made = edition(view, report)
        number = f"GB-{as_of:%Y%m}-{report}"
        told = PublishReport(
            ref=number, effective_on=self.desk.today, publication_no=number, report=report,
            as_of=as_of,
        )  # fmt: skip
        self.desk.submit(told.of(made), CENTRE)

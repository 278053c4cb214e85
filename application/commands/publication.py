"""The command that publishes a report (报表公布)."""

from __future__ import annotations

from typing import Literal

from application.command import Command, Reads
from application.fields import Day, Instant, NewNumber
from application.ledger import Ledger
from application.refusals import DatedInFuture, NotPermitted
from domain.kernel import Author, CommandContext
from domain.publication import Edition, Publication
from domain.roles import Role

Report = Literal["townships", "indicators", "banks", "annual", "funds"]


class PublishReport(Command):
    """The service makes its bytes, which are stored with it.

    `as_of`, `known_at`: of which day it is, and on what knowledge. The same `ref` again answers as
    the first time.
    """

    TYPE, SUMMARY = "publication", "报表公布 publish a report of two dates"
    ROLES, PATH = (Role.CENTRE,), "/publications"
    NEEDS_ANSWER = True  # application.workflows.publish_report makes the edition first

    publication_no: NewNumber
    report: Report
    as_of: Day
    known_at: Instant | None = None
    _edition: Edition | None = None

    def of(self, edition: Edition) -> PublishReport:
        """This publication, with the bytes that it publishes; no part of its content."""
        whole = self.model_copy()
        whole._edition = edition
        return whole

    def reads(self, by: Author) -> Reads:
        return ((Publication.id_for(self.publication_no), Publication),)

    def handle(self, ledger: Ledger, context: CommandContext) -> None:
        if self._edition is None:
            raise NotPermitted(role=context.by.role, command=self.TYPE)
        if self.as_of > ledger.today():
            raise DatedInFuture("as_of", effective_on=self.as_of, today=ledger.today())
        id = Publication.id_for(self.publication_no)
        ledger.aggregate(Publication, id).publish(
            context,
            publication_no=self.publication_no,
            report=self.report,
            as_of=self.as_of,
            edition=self._edition,
        )

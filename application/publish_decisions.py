"""How a report is published (see `application.decisions`)."""

from __future__ import annotations

from typing import Any

from application.commands import PublishReport
from application.ledger import Ledger, Looks, carries_out
from application.refusals import DatedInFuture, NotPermitted
from domain.kernel import Author, Note
from domain.publication import Edition, Publication

_ROLE = "centre"


def may_publish(by: Author) -> bool:
    return by.role == _ROLE


def _its_publication(command: Any, by: Author) -> Looks:
    return ((Publication.id_for(command.publication_no), Publication),)


@carries_out(PublishReport, _ROLE, looks_at=_its_publication)
def publish_report(ledger: Ledger, command: PublishReport, note: Note) -> None:
    edition = command.edition
    if not isinstance(edition, Edition):  # only the service makes one
        raise NotPermitted(role=note.by.role, command=command.TYPE)
    if command.as_of > ledger.today():
        raise DatedInFuture("as_of", effective_on=command.as_of, today=ledger.today())
    id = Publication.id_for(command.publication_no)
    ledger.aggregate(Publication, id).publish(
        note,
        publication_no=command.publication_no,
        report=command.report,
        as_of=command.as_of,
        edition=edition,
    )

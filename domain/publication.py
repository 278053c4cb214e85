"""A published report (已公布报表): its bytes as they were, its two dates and its rules."""

from __future__ import annotations

import hashlib
from datetime import date
from typing import ClassVar, NamedTuple
from uuid import UUID

from domain.kernel import Aggregate, CommandContext, Event, Refused, identity, recorded_fields
from domain.steps import assure_follows


class PublicationUnknown(Refused):
    CODE, FIELD = "publication_unknown", "publication_no"
    ZH, EN = "没有这份已公布报表：{publication_no}", "no report was published as {publication_no}"


class PublicationNumberTaken(Refused):
    CODE, FIELD = "publication_number_taken", "publication_no"
    ZH, EN = "编号 {publication_no} 已公布", "{publication_no} was published before"


class Edition(NamedTuple):
    """What a report said, and what it rested on."""

    content: str
    rows: int
    known_at: str
    position: int
    rules: str


class Publication(Aggregate):
    """One report, published once."""

    KIND: ClassVar[str] = "publication"

    def __init__(self, id: UUID) -> None:
        super().__init__(id)
        self.published = False

    @staticmethod
    def id_for(publication_no: str) -> UUID:
        return identity("publication", publication_no)

    class Published(Event["Publication"], frozen=True, kw_only=True, omit_defaults=True):
        """A report went out. `content` is the file, byte for byte; it is never made again."""

        TOPIC, ZH = "publication.published.v1", "报表公布"
        CORRECTABLE = False
        publication_no: str
        report: str
        as_of: date
        known_at: str
        seen_position: int
        rules: str
        row_count: int
        sha256: str
        content: str

        def apply(self, publication: Publication) -> None:
            publication.published = True

    def publish(
        self,
        context: CommandContext,
        *,
        publication_no: str,
        report: str,
        as_of: date,
        edition: Edition,
    ) -> None:
        """Record what goes out. Raises PublicationNumberTaken, StepBefore."""
        if self.published:
            raise PublicationNumberTaken(publication_no=publication_no)
        assure_follows(context.effective_on, "the day that is reported on", as_of)
        self.record(
            Publication.Published(
                **recorded_fields(context),
                publication_no=publication_no,
                report=report,
                as_of=as_of,
                known_at=edition.known_at,
                seen_position=edition.position,
                rules=edition.rules,
                row_count=edition.rows,
                sha256=hashlib.sha256(edition.content.encode()).hexdigest(),
                content=edition.content,
            )
        )

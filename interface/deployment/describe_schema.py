"""Writes schema.json: what the migrations and the projector make of an empty database.

`python -m interface.deployment.describe_schema`, after each migration or change of the facts.
"""

from __future__ import annotations

import json
import tempfile
from importlib import resources
from pathlib import Path

from application.event_store.event_log import EventLog
from application.event_store.guards import Description, describe
from application.event_store.migrations import migrate
from interface.deployment.embedded_db import EmbeddedPostgres
from projections.facts.draw import Projector

_FILE = "schema.json"


def schema_made(dsn: str) -> Description:
    """The description of a database that nobody touched yet, migrated and drawn here."""
    migrate(dsn)
    projector = Projector(dsn)
    live = projector.rebuild()
    projector.close()
    log = EventLog(dsn, role="mingzhang_reader")
    try:
        found = describe(log.connection, live)
    finally:
        log.close()
    return {key: value for key, value in found.items() if not key.startswith("migration ")}


def text_of(description: Description) -> str:
    """As it stands in the file: an object a line, in order."""
    return json.dumps(description, ensure_ascii=False, indent=0, sort_keys=True) + "\n"


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="mz-") as folder:
        postgres = EmbeddedPostgres(Path(folder) / "pg")
        try:
            text = text_of(schema_made(postgres.start()))
        finally:
            postgres.stop()
    place = resources.files("application.event_store").joinpath(_FILE)
    Path(str(place)).write_text(text, "utf-8")


if __name__ == "__main__":
    main()

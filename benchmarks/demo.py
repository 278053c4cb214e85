"""The demo county in a database of its own: what P3, P4 and P5 measure on."""

from __future__ import annotations

from benchmarks.ground import Database, Ground, log
from interface.simulation.demo import county, load
from projections.facts.draw import Projector


def demo_county(ground: Ground, *, drawn: bool = True) -> Database:
    """The whole county (a fifth of it unless --full), told and, if wanted, drawn."""
    database = ground.new_database()
    loaded = load(database.dsn, database.dsn, database.keys, county(1, 1.0 if ground.full else 0.2))
    log(f"demo county: {loaded.events} events")
    if drawn:
        projector = Projector(database.dsn)
        projector.rebuild()
        projector.close()
    ground.settle()
    return database

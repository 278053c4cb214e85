"""The demo county in a deployment: loaded once and whole, with persons, keys and witnesses."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final

from application import access, people
from application.event_store.event_log import utc_now
from application.event_store.log_queries import organisation_codes
from application.event_store.migrations import migrate
from application.ledger import Ledger
from application.transparency_log.proofs import adding, admit_witness, reading
from interface.auditor.witness import Witness, new_key
from interface.deployment import Deployment
from interface.deployment.embedded_db import recreate
from interface.deployment.settings import Settings
from interface.simulation.demo import county, load
from interface.simulation.demo.people import GUARANTORS, organisations
from interface.simulation.demo.recent_years import RecentYears, last_day_before, load_recent_years
from projections.facts.draw import Projector
from projections.facts.reading import Facts

Heard = Callable[[str, int, int], None]
PARTS: Final = (("history", 66), ("facts", 6), ("recent", 22), ("seal", 6))
"""The parts of loading, and their share of its time in percent."""
WITNESSES: Final = (("FINANCE", "finance.demo.mingzhang"), ("NRCB", "nrcb.demo.mingzhang"))
_NAMES: Final = "陈李张王赵刘周吴孙马朱胡郭何高林罗郑梁谢宋唐许韩冯邓曹彭曾肖田董袁潘于蒋蔡余杜"
_SECOND: Final = (
    ("CENTRE", "沈某"), ("BUREAU", "姚某"), ("FINANCE", "蔡某"), ("AUDIT", "卢某"),
)  # fmt: skip
"""Where one person may not take two steps, there are two."""


class HalfLoaded(Exception):
    """A county that was not loaded to its end stands in a database that is not ours to empty."""

    def __init__(self) -> None:
        super().__init__(
            "示范县上次没有载完；请换一个空的数据库 / the demo county was not loaded to its end:"
            " give it an empty database"
        )


def is_loaded(deployment: Deployment) -> bool:
    """Whether the ledger holds something, and not a demo county that was stopped half way.

    Half a county is thrown away, so that loading begins cleanly. Raises HalfLoaded where the
    database is not the embedded one.
    """
    ledger = Ledger(deployment.dsn, deployment.keys)
    empty = ledger.log.last_position() == 0
    ledger.close()
    if empty or not _marker(deployment.settings).exists():
        return not empty
    if deployment.settings.dsn is not None:
        raise HalfLoaded
    recreate(deployment.owner_dsn)
    migrate(deployment.owner_dsn)
    return False


def complete(deployment: Deployment) -> None:
    """Persons, keys and witnesses of a demo county that was loaded before; of another nobody."""
    if not _key_file(deployment.settings).exists():
        return
    enrol_persons(deployment)
    if not all(_has_cosigned(deployment, organisation) for organisation, _ in WITNESSES):
        seal_and_cosign(deployment, lambda *_: None)


def load_demo(deployment: Deployment, size: float, heard: Heard) -> None:
    """The county, its facts, its persons and keys; sealed, and cosigned by two witnesses.

    `size`: which part of it, 1 for all. `heard` is given a part of PARTS, how far it is and how
    far it goes; what it raises ends the loading. Until all events are there a file in the data
    folder says that they are not.
    """
    marker = _marker(deployment.settings)
    marker.touch()
    made = county(factor=size)
    load(deployment.owner_dsn, deployment.dsn, deployment.keys, made, partial(heard, "history"))
    projector = Projector(deployment.dsn)
    projector.rebuild(partial(heard, "facts"))
    projector.close()
    recent = RecentYears(made, last_day_before(utc_now()))
    load_recent_years(
        deployment.owner_dsn, deployment.dsn, deployment.keys, recent, partial(heard, "recent")
    )
    enrol_persons(deployment)
    marker.unlink()
    seal_and_cosign(deployment, partial(heard, "seal"))


def enrol_persons(deployment: Deployment) -> None:
    """A person and a key for each organisation, two where two are needed."""
    _enrol_people(deployment)
    key_file = _key_file(deployment.settings)
    if key_file.exists():
        return
    with Facts(deployment.dsn, most=1).connection() as connection:
        codes = organisation_codes(connection)
    owner = deployment.owner_dsn
    keys = {code: access.issue_key(owner, code, f"{code.lower()}-demo") for code in codes}
    for office, _ in _SECOND:
        keys[f"{office}-2"] = access.issue_key(owner, office, f"{office.lower()}-demo-2")
    key_file.touch(mode=0o600)
    key_file.write_text(json.dumps(keys, indent=1, ensure_ascii=False), "utf-8")


def _enrol_people(deployment: Deployment) -> None:
    everyone = (*organisations(), *GUARANTORS)
    access.enrol(deployment.owner_dsn, list(GUARANTORS))
    found = [
        (each.code, f"{each.code.lower()}-demo", f"{name}某")
        for each, name in zip(everyone, _NAMES, strict=False)
    ]
    second = [(office, f"{office.lower()}-demo-2", name) for office, name in _SECOND]
    people.enrol_for_demo(deployment.owner_dsn, [*found, *second])


def seal_and_cosign(deployment: Deployment, heard: Callable[[int, int], None]) -> None:
    """Seal all that is recorded, and have both witnesses cosign it; again changes nothing."""
    sequencer = deployment.sequencer()
    try:
        sequencer.catch_up(lambda _: heard(1, 3))
    finally:
        sequencer.close()
    heard(2, 3)
    for organisation, name in WITNESSES:
        _cosign(deployment, organisation, name)
    heard(3, 3)


def _cosign(deployment: Deployment, organisation: str, name: str) -> None:
    """The witness program's own work, with a key of its own in the data folder."""
    folder = _witness_folder(deployment, organisation)
    witness = Witness(folder) if (folder / "key").exists() else new_key(name, folder)
    admit_witness(deployment.owner_dsn, organisation, witness.vkey)
    log = deployment.signer().key(deployment.origin).text()
    with reading(deployment.dsn, deployment.origin) as proofs:
        newest = proofs.newest()
        last, _ = witness.remembered(log)
        if newest is None or (last is not None and last.size == newest.head.size):
            return
        update = proofs.update(last.size if last else 0)
    line = witness.cosign(update.encode(), log)
    note = update.partition("\n\n")[2]
    with adding(deployment.dsn, deployment.origin) as proofs:
        proofs.keep_cosignatures(f"{note}{line}")


def _has_cosigned(deployment: Deployment, organisation: str) -> bool:
    return any(_witness_folder(deployment, organisation).glob("*.checkpoint"))


def _witness_folder(deployment: Deployment, organisation: str) -> Path:
    return deployment.settings.data / "demo-witnesses" / organisation


def _marker(settings: Settings) -> Path:
    return settings.data / "demo-loading"


def _key_file(settings: Settings) -> Path:
    return settings.data / "demo-keys.json"

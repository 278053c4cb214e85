"""An event is stored under a name that every process of the service knows, or not at all."""

from __future__ import annotations

import subprocess
import sys
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from support.controls import BANK, loan
from support.county import conversation

from application.commands.loan import DisburseLoan
from application.event_store.mapper import encode
from application.ledger import Ledger
from domain.catalogue import EVENTS
from domain.kernel import Event, TopicTaken, TopicUnknown
from domain.loan import Loan

NEW_MODULE = """
from domain.kernel import Event

class Forgiven(Event, frozen=True, kw_only=True, omit_defaults=True):
    TOPIC, ZH = "loan.forgiven.v1", "免除"
"""


def defined(topic: str, module: str, name: str = "Forgiven") -> type[Event]:
    """A class of events as a module would define it."""
    body: dict[str, Any] = {
        "TOPIC": topic, "ZH": "免除", "__module__": module, "__qualname__": f"Loan.{name}",
    }  # fmt: skip
    made: type[Event] = type(Event)(name, (Event,), body, frozen=True, kw_only=True)
    return made


def test_an_event_of_a_new_module_of_the_domain_is_known_without_being_listed(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "domain"
    folder.mkdir()
    (folder / "forgiveness.py").write_text(NEW_MODULE, "utf-8")
    program = (
        f"import domain; domain.__path__.append({str(folder)!r});"
        " from application.event_store.mapper import decode;"
        ' state = b\'{"effective_on":"2024-01-01","person":"li","role":"bank"}\';'
        " print(type(decode('loan.forgiven.v1', state)).__module__)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False,
        cwd=Path(__file__).parents[2],
    )  # fmt: skip
    assert done.stdout == "domain.forgiveness\n", done.stderr


def test_two_classes_of_the_domain_cannot_have_one_topic() -> None:
    with pytest.raises(TopicTaken):
        defined(Loan.Repaid.TOPIC, "domain.loan")
    assert EVENTS[Loan.Repaid.TOPIC] is Loan.Repaid


@pytest.mark.parametrize("topic", ["loan.forgiven.v1", Loan.Repaid.TOPIC])
def test_an_event_that_the_domain_does_not_know_is_not_stored(
    database: Any, monkeypatch: pytest.MonkeyPatch, topic: str
) -> None:
    stranger = defined(topic, "elsewhere")
    event = stranger(effective_on=date(2024, 1, 1), role="bank", person="li")
    with pytest.raises(TopicUnknown):
        encode(event)

    def disburse(_: DisburseLoan, ledger: Ledger, *__: Any) -> None:
        ledger.aggregate(Loan, Loan.id_for("NRCB", "L1")).record(event)

    monkeypatch.setattr(DisburseLoan, "handle", disburse)
    with conversation(database) as ledger:
        with pytest.raises(TopicUnknown):
            ledger.submit(loan(), BANK)
        assert ledger.log.last_position() == 0

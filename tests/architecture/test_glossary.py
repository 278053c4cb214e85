"""The glossary names what the program has, all of it, and nothing that it has not."""

import re
from collections import Counter
from pathlib import Path
from typing import get_args

from support.refusals import refusals

from domain.catalogue import EVENTS
from domain.household import Category, Leaving
from domain.loan import Channel, Finding, PayeeKind, ReminderKind
from domain.subsidy import REASONS
from domain.subsidy_explanation import ReasonCode
from projections.facts.declaration import ADDITIONS
from projections.facts.statements import tables

ROOT = Path(__file__).parents[2]
HEADING = ["中文", "English", "in code", "is", "is not"]


def sections() -> dict[str, list[list[str]]]:
    """The rows of the glossary's tables, by the English word of the heading above them."""
    found: dict[str, list[list[str]]] = {}
    rows: list[list[str]] = []
    for line in (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8").splitlines():
        if line.startswith("## "):
            rows = found[line.removeprefix("## ").rpartition(" ")[0]] = []
        elif line.startswith("|") and not line.startswith("| ---"):
            cells = [cell.strip() for cell in line.strip("|").split("|")]
            if cells != HEADING:
                rows.append(cells)
    return found


def in_code(cells: list[str]) -> list[str]:
    """What a row's third cell names; the last is a topic, a code, a table or an account."""
    return re.findall(r"`([^`]+)`", cells[2])


def names(section: str) -> list[str]:
    return [in_code(cells)[-1] for cells in sections()[section]]


def refusal_codes() -> list[str]:
    return [kind.__dict__["CODE"] for kind in refusals()]


def accounts() -> set[str]:
    """The accounts and counter-accounts of the postings."""
    return {
        str(addition.constants[column])
        for additions in ADDITIONS.values()
        for addition in additions
        if addition.table == "posting"
        for column in ("account", "counter_account")
    }


def test_every_row_of_the_glossary_has_all_its_cells() -> None:
    rows = [cells for section in sections().values() for cells in section]
    assert rows
    assert [cells for cells in rows if len(cells) != len(HEADING) or not all(cells[:4])] == []


def test_no_word_of_the_programme_is_explained_twice() -> None:
    words = Counter(cells[0] for s in ("The programme", "The ledger") for cells in sections()[s])
    assert [word for word, times in words.items() if times > 1] == []


def test_every_event_stands_in_the_glossary_under_its_topic_and_its_chinese_word() -> None:
    told = {(in_code(cells)[-1], cells[0]) for cells in sections()["Events"]}
    assert {(topic, event.ZH) for topic, event in EVENTS.items()} - told == set()


def test_every_event_stands_in_the_glossary_under_the_name_it_has_in_code() -> None:
    told = {tuple(in_code(cells)) for cells in sections()["Events"]}
    assert {(event.__qualname__, topic) for topic, event in EVENTS.items()} == told


def test_the_glossary_names_no_event_that_does_not_exist() -> None:
    assert sorted(names("Events")) == sorted(EVENTS)


def test_every_refusal_stands_in_the_glossary_under_its_code() -> None:
    assert set(refusal_codes()) - set(names("Refusals")) == set()


def test_the_glossary_names_no_refusal_that_does_not_exist() -> None:
    assert set(names("Refusals")) - set(refusal_codes()) == set()


def test_no_two_refusals_share_a_code() -> None:
    assert [code for code, times in Counter(refusal_codes()).items() if times > 1] == []


def test_the_codes_a_statement_may_carry_are_those_of_the_glossary() -> None:
    kinds = (Category, Finding, PayeeKind, ReminderKind, Channel)
    codes = {code for kind in kinds for code in get_args(kind)} | REASONS.keys()
    codes |= {reason.value for reason in ReasonCode}
    assert set(names("Codes")) == codes


def test_the_reasons_of_leaving_are_those_of_the_glossary() -> None:
    assert names("Leaving") == list(get_args(Leaving))


def test_a_reason_reads_in_the_glossary_as_it_does_on_a_slip() -> None:
    """`overdue` apart, which is also a kind of reminder."""
    told = {name: cells[0] for cells in sections()["Codes"] for name in in_code(cells)}
    assert {zh for code, zh in REASONS.items() if told[code] != zh} == {REASONS["overdue"]}


def test_the_tables_and_accounts_of_the_facts_are_those_of_the_glossary() -> None:
    assert accounts() >= {"principal", "subsidy"}
    assert set(names("Facts")) == set(tables()) | accounts()


def test_each_word_of_the_programme_and_the_ledger_is_explained_in_chinese() -> None:
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in (ROOT / "docs" / "glossary.zh.md").read_text("utf-8").splitlines()
        if line.startswith("|") and not line.startswith(("| ---", "| 中文"))
    ]
    words = [cells[0] for s in ("The programme", "The ledger") for cells in sections()[s]]
    assert [cells[0] for cells in rows] == words
    assert [cells for cells in rows if len(cells) != 3 or not all(cells)] == []

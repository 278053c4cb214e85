"""Long blocks of a page: each is kept by its place, awaited, or failed by itself."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event
from types import SimpleNamespace
from typing import Any

import pytest

from interface.http import kept_answers
from interface.http.kept_answers import KeptAnswers


class Facts:
    """Facts that stand at a position, and count how often they are asked."""

    def __init__(self) -> None:
        self.position, self.asked = 1, 0

    @contextmanager
    def at(self) -> Iterator[Any]:
        yield SimpleNamespace(place=("facts", self.position), position=self.position)

    def question(self, view: Any) -> int:
        self.asked += 1
        return int(view.position) * 10


@pytest.fixture
def kept() -> Iterator[KeptAnswers]:
    made = KeptAnswers()
    yield made
    made.stop()


def test_an_answer_of_the_same_place_is_asked_for_once(kept: KeptAnswers) -> None:
    facts = Facts()
    for _ in range(3):
        block = kept.blocks(facts.at, "all", {"stock": facts.question})["stock"]
        assert (block.value, block.behind, block.failed) == (10, 0, False)
    assert facts.asked == 1


def test_whose_rows_an_answer_holds_is_part_of_its_key(kept: KeptAnswers) -> None:
    facts = Facts()
    for key in ("bank A", "bank B"):
        kept.blocks(facts.at, key, {"stock": facts.question})
    assert facts.asked == 2


def test_the_last_answer_is_shown_with_how_far_it_is_behind_until_the_next_is_there(
    kept: KeptAnswers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept_answers, "_PATIENCE_SECONDS", 0.01)
    facts, go_on = Facts(), Event()

    def slow(view: Any) -> int:
        assert go_on.wait(30)
        return facts.question(view)

    assert kept.blocks(facts.at, "all", {"stock": slow})["stock"].is_awaited
    go_on.set()
    monkeypatch.setattr(kept_answers, "_PATIENCE_SECONDS", 30)
    assert kept.blocks(facts.at, "all", {"stock": slow})["stock"].value == 10
    go_on.clear()
    facts.position = 4
    monkeypatch.setattr(kept_answers, "_PATIENCE_SECONDS", 0.01)
    block = kept.blocks(facts.at, "all", {"stock": slow})["stock"]
    assert (block.value, block.position, block.behind) == (10, 1, 3)
    go_on.set()
    monkeypatch.setattr(kept_answers, "_PATIENCE_SECONDS", 30)
    assert kept.blocks(facts.at, "all", {"stock": slow})["stock"].value == 40


def test_a_block_that_fails_leaves_the_others_and_is_tried_again(
    kept: KeptAnswers, monkeypatch: pytest.MonkeyPatch
) -> None:
    facts, broken = Facts(), [True]

    def fails(view: Any) -> int:
        if broken:
            raise ValueError
        return facts.question(view)

    blocks = kept.blocks(facts.at, "all", {"stock": facts.question, "flags": fails})
    assert blocks["stock"].value == 10
    assert blocks["flags"].failed and not blocks["flags"].is_awaited
    broken.clear()
    assert kept.blocks(facts.at, "all", {"flags": fails})["flags"].failed
    monkeypatch.setattr(kept_answers, "_AGAIN_SECONDS", -1)
    assert kept.blocks(facts.at, "all", {"flags": fails})["flags"].value == 10


def test_an_answer_that_says_nothing_is_an_answer(kept: KeptAnswers) -> None:
    block = kept.blocks(Facts().at, "all", {"funds": lambda view: None})["funds"]
    assert (block.value, block.is_awaited, block.failed) == (None, False, False)

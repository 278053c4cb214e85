"""The group commit: commands that wait at the same time are stored in one transaction.

One thread holds one conversation with the log. Whoever waits longest is served first; what
comes in while a group is being stored makes up the next group.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from queue import SimpleQueue
from threading import Thread

from application.command import Command
from application.ledger import Ledger, Outcome, Recorded, Submission
from domain.kernel import Author, Refused

_MOST_IN_GROUP = 500
_QUIET_TURNS = 4
"""Measured: fewer split the groups of few clients, more make nobody faster."""

_Waiting = tuple[Submission, "asyncio.Future[Outcome]"]


class GroupWriter:
    """Hands groups of commands from the event loop to the writing thread, and answers back.

    One group is being stored at a time. The next one leaves as soon as it is back and some turns
    of the loop have passed in which nobody joined: whoever is being read just now still gets in.
    """

    def __init__(self, ledger: Callable[[], Ledger]) -> None:
        self._make_ledger = ledger
        self._groups: SimpleQueue[list[_Waiting] | None] = SimpleQueue()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = Thread(target=self._run, name="group-writer", daemon=True)
        self._joining: list[_Waiting] = []
        self._gathering = False
        self._storing = False

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._thread.start()

    def stop(self) -> None:
        """Store what is waiting, then end."""
        self._groups.put(None)
        self._thread.join(timeout=60)

    async def submit(self, submission: Submission) -> Recorded:
        """Wait until the command is stored, durably. Raises Refused."""
        assert self._loop is not None
        answer: asyncio.Future[Outcome] = self._loop.create_future()
        self._joining.append((submission, answer))
        if not self._gathering and not self._storing:
            self._gathering = True
            self._loop.call_soon(self._gather, 0, 0)
        outcome = await answer
        if isinstance(outcome, Refused):
            raise outcome
        return outcome

    def _gather(self, before: int, quiet_turns: int) -> None:
        """Wait some more turns of the loop while others join, then let the group go."""
        assert self._loop is not None
        joined = len(self._joining)
        quiet_turns = quiet_turns + 1 if joined == before else 0
        if quiet_turns < _QUIET_TURNS and joined < _MOST_IN_GROUP:
            self._loop.call_soon(self._gather, joined, quiet_turns)
            return
        group, self._joining = self._joining[:_MOST_IN_GROUP], self._joining[_MOST_IN_GROUP:]
        self._gathering, self._storing = False, True
        self._groups.put(group)

    def _run(self) -> None:
        ledger = self._make_ledger()
        while (group := self._groups.get()) is not None:
            self._serve(ledger, group)
        ledger.close()

    def _serve(self, ledger: Ledger, group: list[_Waiting]) -> None:
        assert self._loop is not None
        try:
            answers = _answers(ledger, [submission for submission, _ in group])
        except Exception:  # noqa: BLE001 - one command's fault is not the others': each is tried by itself
            answers = []
            for submission, _ in group:
                try:
                    answers += _answers(ledger, [submission])
                except Exception as error:  # noqa: BLE001 - handed to its caller
                    answers.append(error)
        futures = [future for _, future in group]
        self._loop.call_soon_threadsafe(self._hand_over, futures, answers)

    def _hand_over(
        self, futures: list[asyncio.Future[Outcome]], answers: list[Outcome | Exception]
    ) -> None:
        assert self._loop is not None
        for future, answer in zip(futures, answers, strict=True):
            if future.done():  # the caller has gone; the log remembers the reference
                continue
            if isinstance(answer, Exception) and not isinstance(answer, Refused):
                future.set_exception(answer)
            else:
                future.set_result(answer)
        self._storing = False
        if self._joining and not self._gathering:
            self._gathering = True
            self._loop.call_soon(self._gather, 0, 0)


def submit_alone(ledger: Ledger, command: Command, by: Author) -> Recorded:
    """Submit one command in a conversation of its own; answered as in a group. Raises Refused."""
    outcome = with_event_ids(ledger, ledger.submit(command, by))
    assert isinstance(outcome, Recorded)
    return outcome


def _answers(ledger: Ledger, submissions: list[Submission]) -> list[Outcome | Exception]:
    return [with_event_ids(ledger, outcome) for outcome in ledger.submit_all(submissions)]


def with_event_ids(ledger: Ledger, outcome: Outcome) -> Outcome:
    """The outcome; one of a command told before with what its first answer had."""
    [outcome] = ledger.receipts.with_events([outcome])
    if isinstance(outcome, Recorded) and outcome.promise is None:
        promise = ledger.receipts.promise_of(
            outcome.position, len(outcome.events), outcome.recorded_at
        )
        outcome = outcome._replace(promise=promise)
    return outcome

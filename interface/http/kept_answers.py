"""Answers that take long are kept: a page shows the last one and is worked out again meanwhile.

What was answered at a place of the facts is final, so an answer of the same place is current. An
answer of an earlier place is shown with that place; none yet: the page says that it is being worked
out, and loads itself again.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import AbstractContextManager
from functools import partial
from threading import Lock
from time import monotonic
from typing import Any, Final, NamedTuple

import structlog
from cachetools import LRUCache

from projections.facts.reading import View

_PATIENCE_SECONDS: Final = 0.3
_AGAIN_SECONDS: Final = 10
_MOST: Final = 500
_AT_ONCE: Final = 2

Question = Callable[[View], Any]


class Block(NamedTuple):
    """A part of a page, as it was worked out at a position of the log.

    `behind`: how many events were recorded since; `is_awaited`: there is no answer yet.
    """

    value: Any = None
    position: int = 0
    behind: int = 0
    failed: bool = False
    is_awaited: bool = False


class _Kept(NamedTuple):
    place: Hashable
    block: Block
    at: float


class KeptAnswers:
    """The last answer of each block, for any thread; few threads ask what is missing."""

    def __init__(self) -> None:
        self._kept: LRUCache[Hashable, _Kept] = LRUCache(_MOST)
        self._running: dict[Hashable, Future[None]] = {}
        self._lock = Lock()
        self._threads = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="kept")

    def stop(self) -> None:
        self._threads.shutdown(cancel_futures=True)

    def blocks(
        self,
        open_view: Callable[[], AbstractContextManager[View]],
        key: Hashable,
        asked: Mapping[str, Question],
    ) -> dict[str, Block]:
        """The answer of each question by name; `key`: what decides it besides the facts.

        That is whose rows it may hold, and both dates. Waits a little for what is not kept, then
        gives what there is. Raises NotDrawnYet.
        """
        with open_view() as view:
            place, position = view.place, view.position
        keys = {name: (name, key) for name in asked}

        def work(name: str) -> None:
            with open_view() as view:
                self._work(keys[name], asked[name], view)

        running = [self._start(keys[name], place, partial(work, name)) for name in asked]
        wait([each for each in running if each], _PATIENCE_SECONDS)
        return {name: self._block(key, place, position) for name, key in keys.items()}

    def _start(
        self, key: Hashable, place: Hashable, work: Callable[[], None]
    ) -> Future[None] | None:
        """The work on what is not kept for this place; None where it is."""
        with self._lock:
            kept = self._kept.get(key)
            if kept and kept.place == place and not self._may_be_tried_again(kept):
                return None
            if key not in self._running:
                self._running[key] = self._threads.submit(self._ended, key, work)
            return self._running[key]

    @staticmethod
    def _may_be_tried_again(kept: _Kept) -> bool:
        return kept.block.failed and monotonic() - kept.at > _AGAIN_SECONDS

    def _ended(self, key: Hashable, work: Callable[[], None]) -> None:
        try:
            work()
        finally:
            with self._lock:
                del self._running[key]

    def _work(self, key: Hashable, question: Question, view: View) -> None:
        try:
            block = Block(question(view), view.position)
        except Exception as error:  # noqa: BLE001 - logged, said on the page, and tried again
            structlog.get_logger("console").warning("block.failed", error=type(error).__name__)
            block = Block(position=view.position, failed=True)
        with self._lock:
            self._kept[key] = _Kept(view.place, block, monotonic())

    def _block(self, key: Hashable, place: Hashable, position: int) -> Block:
        with self._lock:
            kept = self._kept.get(key)
        if kept is None:
            return Block(is_awaited=True)
        behind = 0 if kept.place == place else max(position - kept.block.position, 0)
        return kept.block._replace(behind=behind)

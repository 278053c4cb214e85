"""Answers that were given before: an answer at two dates is final, so it may be given again."""

from __future__ import annotations

from collections.abc import Hashable
from threading import Lock
from typing import Any

from cachetools import LRUCache


class Memory:
    """Keeps answers by key, the most recently used ones, for any thread.

    `most`: how much all that is kept may weigh; an answer that weighs more is not kept.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._kept: LRUCache[Hashable, tuple[Any, int]] = LRUCache(most, lambda kept: kept[1])
        self._lock = Lock()

    def recall(self, key: Hashable) -> Any:
        """The answer kept under the key; None when there is none, or none any more."""
        with self._lock:
            kept = self._kept.get(key)
            return None if kept is None else kept[0]

    def keep(self, key: Hashable, answer: Any, weight: int) -> None:
        with self._lock:
            if weight <= self._most and key not in self._kept:
                self._kept[key] = answer, weight

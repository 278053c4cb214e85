"""What was answered before: an answer at two dates is final, so it may be given again as it was."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from threading import Lock
from typing import Any


class Memory:
    """Keeps answers by the place they were given for, the latest used longest, for any thread.

    `most`: how much all that is kept may weigh; what weighs more by itself is not kept.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._weight = 0
        self._kept: OrderedDict[Hashable, tuple[Any, int]] = OrderedDict()
        self._door = Lock()

    def recall(self, place: Hashable) -> Any:
        """The answer given there; None when there is none, or none any more."""
        with self._door:
            if place not in self._kept:
                return None
            self._kept.move_to_end(place)
            return self._kept[place][0]

    def keep(self, place: Hashable, answer: Any, weight: int) -> None:
        with self._door:
            if weight > self._most or place in self._kept:
                return
            self._kept[place] = answer, weight
            self._weight += weight
            while self._weight > self._most:
                self._weight -= self._kept.popitem(last=False)[1][1]

"""A second process that reads ranges of the log: what an event costs is Python's own work.

Worth its start only where many events are to be read at once. It only reads; what it is to do, and
the key for it, reach it through a pipe. It ends with the process that started it, and when it was
idle for a minute; whatever goes wrong with it, the first process does the work alone.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections import deque
from collections.abc import Callable, Generator
from concurrent.futures import Future, ProcessPoolExecutor
from threading import Lock, Thread, Timer
from typing import Any

import msgspec
import psycopg

from application.personal_data.encryption import Mac
from application.transparency_log.log_range import LogRange, read_range
from application.transparency_log.merkle import HASHES
from application.transparency_log.nodes import Connection, TreeNodes

RANGE_EVENTS = 1 << 12
"""Events that are read at a time; a multiple of a tile."""
WORTH = 1 << 13
"""From how many events on a second process reads its share."""
_ASKED_AHEAD = 2
_KEPT_READY = 64
_IDLE_SECONDS = 60.0


class ReadSource(msgspec.Struct, frozen=True):
    """Where to read, what for and with which key; `kept`: leaves to compare with, in a tree."""

    dsn: str
    options: str
    origin: str
    key: bytes
    snapshot: str | None = None
    kept: int = 0


def source_of(
    dsn: str, options: str, origin: str, authenticate: Callable[[bytes], bytes], **more: Any
) -> ReadSource | None:
    """None where the service's seal is not one that can be told to another process."""
    if not isinstance(authenticate, Mac):
        return None
    return ReadSource(dsn, options, origin, authenticate.key, **more)


def read_ranges(
    source: ReadSource | None, after: int, until: int, alone: Callable[[int, int], LogRange]
) -> Generator[LogRange, None, None]:
    """The ranges of (after, until], in order, read by two processes where it is worth it."""
    ends = range(after - after % RANGE_EVENTS + RANGE_EVENTS, until + RANGE_EVENTS, RANGE_EVENTS)
    bounds = [(max(after, end - RANGE_EVENTS), min(end, until)) for end in ends if after < until]
    if source is None or until - after < WORTH or not _IN_USE.acquire(blocking=False):
        for begin, end in bounds:
            yield alone(begin, end)
        return
    try:
        yield from _shared(source, deque(bounds), alone)
    finally:
        _end_when_idle()
        _IN_USE.release()


def _shared(
    source: ReadSource, waiting: deque[tuple[int, int]], alone: Callable[[int, int], LogRange]
) -> Generator[LogRange, None, None]:
    order, ready = deque(waiting), dict[tuple[int, int], LogRange]()
    second = _Second(source)
    try:
        while order:
            full = len(ready) >= _KEPT_READY
            second.submit(waiting)
            ready |= second.results(wait=full or not waiting)
            waiting.extendleft(second.given_back())
            if waiting and (not full or second.lost):
                bound = waiting.popleft()
                ready[bound] = alone(*bound)
            while order and order[0] in ready:
                yield ready.pop(order.popleft())
    finally:
        second.rest()


class _Second:
    """The second process, as the first one sees it during one reading."""

    def __init__(self, source: ReadSource) -> None:
        self._place = source
        self._asked: deque[tuple[tuple[int, int], Future[LogRange]]] = deque()
        self.lost = False

    def submit(self, waiting: deque[tuple[int, int]]) -> None:
        """Hand over the next ranges, a few ahead."""
        while waiting and len(self._asked) < _ASKED_AHEAD and not self.lost:
            try:
                self._asked.append((waiting[0], _submit(_read, self._place, *waiting[0])))
                waiting.popleft()
            except Exception:  # noqa: BLE001 - whatever it is, the first process works alone
                self._lose()

    def results(self, *, wait: bool) -> dict[tuple[int, int], LogRange]:
        """What was read by now, by range; with `wait`, all that was handed over."""
        found = dict[tuple[int, int], LogRange]()
        while self._asked and not self.lost and (wait or self._asked[0][1].done()):
            try:
                found[self._asked[0][0]] = _result(self._asked[0][1])
                self._asked.popleft()
            except Exception:  # noqa: BLE001 - as above
                self._lose()
        return found

    def given_back(self) -> list[tuple[int, int]]:
        """The ranges that a lost process did not read, the last one first."""
        if not self.lost:
            return []
        ranges = [bound for bound, _ in reversed(self._asked)]
        self._asked.clear()
        return ranges

    def rest(self) -> None:
        """Let it close its connection; what was handed over and not begun is not read."""
        if self.lost:
            return
        for _, future in self._asked:
            future.cancel()
        try:
            _submit(_close)
        except Exception:  # noqa: BLE001 - as above
            self._lose()

    def _lose(self) -> None:
        self.lost = True
        end()


_IN_USE = Lock()
_pool: ProcessPoolExecutor | None = None
_timer: Timer | None = None


def _submit(work: Callable[..., Any], *values: Any) -> Future[Any]:
    """Hand work to the one process of the program; it is kept for the next time."""
    global _pool  # noqa: PLW0603
    if _pool is None:
        spawn = multiprocessing.get_context("spawn")
        _pool = ProcessPoolExecutor(1, mp_context=spawn, initializer=_begin)
    return _pool.submit(work, *values)


def _result(future: Future[LogRange]) -> LogRange:
    return future.result()


def end() -> None:
    """End the process, when it has done what it is at."""
    global _pool  # noqa: PLW0603
    if _pool is not None:
        _pool.shutdown(wait=False, cancel_futures=True)
        _pool = None


def _end_when_idle() -> None:
    global _timer  # noqa: PLW0603
    if _timer is not None:
        _timer.cancel()
    _timer = Timer(_IDLE_SECONDS, _end_idle)
    _timer.daemon = True
    _timer.start()


def _end_idle() -> None:
    if _IN_USE.acquire(blocking=False):
        try:
            end()
        finally:
            _IN_USE.release()


# ---- in the second process ----------------------------------------------------------------


_reading: tuple[ReadSource, Connection] | None = None


def _begin() -> None:
    """Leave Ctrl-C to the first process, and end when it is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    Thread(target=_end_with_the_first, daemon=True).start()


def _end_with_the_first() -> None:
    first = multiprocessing.parent_process()
    assert first is not None
    first.join()
    os._exit(0)


def _read(source: ReadSource, after: int, until: int) -> LogRange:
    global _reading  # noqa: PLW0603 - one connection, kept through one reading
    if _reading is None or _reading[0] != source:
        _close()
        _reading = source, _opened(source)
    connection = _reading[1]
    nodes = TreeNodes(connection, source.origin, HASHES[source.origin.rpartition("/")[2]])
    return read_range(connection, nodes, Mac(source.key), after, until, source.kept)


def _close() -> None:
    global _reading  # noqa: PLW0603
    if _reading is not None:
        _reading[1].close()
        _reading = None


def _opened(source: ReadSource) -> Connection:
    connection = psycopg.connect(source.dsn, options=source.options, autocommit=True)
    if source.snapshot is not None:
        connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        connection.execute(f"SET TRANSACTION SNAPSHOT '{source.snapshot}'".encode())
    return connection

"""A second process that reads stretches of the log: what an event costs is Python's own work.

Worth its start only where much is to be read at once. It only reads; what it is to do, and the key
for it, come over its standard input. It ends with the process that started it, or when nothing was
asked for a minute; whatever goes wrong with it, the first process does the work alone.
"""

from __future__ import annotations

import atexit
import os
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Generator
from contextlib import suppress
from select import select
from threading import Lock
from typing import Any

import msgspec
import psycopg

from application.personal_data.encryption import Mac
from application.transparency_log.log_range import Stretch, read_stretch
from application.transparency_log.merkle import HASHES
from application.transparency_log.nodes import Connection, TreeNodes

STRETCH = 1 << 12
"""Events that are read at a time; a multiple of a tile."""
WORTH = 1 << 13
"""From how many events on a second process is asked."""
_ASKED_AHEAD = 2
_KEPT_READY = 64
_IDLE_SECONDS = 60.0


class Place(msgspec.Struct, frozen=True):
    """Where to read, what for and with which key; `kept`: leaves to compare with, in a tree."""

    dsn: str
    options: str
    origin: str
    key: bytes
    snapshot: str | None = None
    kept: int = 0


class Ask(msgspec.Struct, frozen=True):
    """One stretch of a place; None: no more for now."""

    place: Place
    after: int
    until: int


def place_of(
    dsn: str, options: str, origin: str, authenticate: Callable[[bytes], bytes], **more: Any
) -> Place | None:
    """None where the service's seal is not one that can be told to another process."""
    if not isinstance(authenticate, Mac):
        return None
    return Place(dsn, options, origin, authenticate.key, **more)


def stretches(
    place: Place | None, after: int, until: int, alone: Callable[[int, int], Stretch]
) -> Generator[Stretch, None, None]:
    """The stretches of (after, until], in order, read by two processes where it is worth it."""
    ends = range(after - after % STRETCH + STRETCH, until + STRETCH, STRETCH)
    bounds = [(max(after, end - STRETCH), min(end, until)) for end in ends if after < until]
    if place is None or until - after < WORTH or not _DOOR.acquire(blocking=False):
        for begin, end in bounds:
            yield alone(begin, end)
        return
    try:
        yield from _shared(place, deque(bounds), alone)
    finally:
        _DOOR.release()


def _shared(
    place: Place, waiting: deque[tuple[int, int]], alone: Callable[[int, int], Stretch]
) -> Generator[Stretch, None, None]:
    order, ready = deque(waiting), dict[tuple[int, int], Stretch]()
    asked: deque[tuple[int, int]] = deque()
    second: _Second | None = None
    try:
        second = _second()
        while order:
            full = len(ready) >= _KEPT_READY
            try:
                while second is not None and waiting and len(asked) < _ASKED_AHEAD:
                    asked.append(waiting.popleft())
                    second.ask(Ask(place, *asked[-1]))
                while (
                    second is not None and asked and (full or not waiting or second.has_answered())
                ):
                    ready[asked[0]] = second.answer()
                    asked.popleft()
            except (OSError, EOFError, msgspec.MsgspecError):
                second = None
                _lost()
                waiting.extendleft(reversed(asked))
                asked.clear()
            if waiting and (not full or second is None):
                bound = waiting.popleft()
                ready[bound] = alone(*bound)
            while order and order[0] in ready:
                yield ready.pop(order.popleft())
    finally:
        if second is not None:
            try:
                for _ in asked:
                    second.answer()
                second.ask(None)
            except (OSError, EOFError, msgspec.MsgspecError):
                _lost()


_DOOR = Lock()
_running: _Second | None = None


def _second() -> _Second:
    global _running  # noqa: PLW0603 - one for the whole program, and kept for the next time
    if _running is None or not _running.lives():
        _running = _Second()
    return _running


@atexit.register
def _lost() -> None:
    global _running  # noqa: PLW0603
    if _running is not None:
        _running.end()
        _running = None


class _Second:
    """The process, as the first one sees it."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", __spec__.name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,
            start_new_session=True,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._in = self._process.stdin.fileno()
        self._out = self._process.stdout.fileno()

    def lives(self) -> bool:
        return self._process.poll() is None

    def ask(self, ask: Ask | None) -> None:
        _send(self._in, msgspec.msgpack.encode(ask))

    def has_answered(self) -> bool:
        return bool(select([self._out], [], [], 0)[0])

    def answer(self) -> Stretch:
        """Waits. Raises EOFError when it is gone."""
        return msgspec.msgpack.decode(_received(self._out), type=Stretch)

    def end(self) -> None:
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()


def _send(pipe: int, message: bytes) -> None:
    data = memoryview(len(message).to_bytes(4, "big") + message)
    while data:
        data = data[os.write(pipe, data) :]


def _received(pipe: int) -> bytes:
    return _exactly(pipe, int.from_bytes(_exactly(pipe, 4), "big"))


def _exactly(pipe: int, size: int) -> bytes:
    parts = []
    while size:
        part = os.read(pipe, size)
        if not part:
            raise EOFError
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


# ---- in the second process ----------------------------------------------------------------


class _Reader:
    """What the process reads with; one place at a time."""

    def __init__(self) -> None:
        self._place: Place | None = None
        self._connection: Connection | None = None

    def read(self, ask: Ask) -> Stretch:
        if self._connection is None or ask.place != self._place:
            self.rest()
            self._connection = _opened(ask.place)
            self._place = ask.place
        place, tree_hash = ask.place, HASHES[ask.place.origin.rpartition("/")[2]]
        nodes = TreeNodes(self._connection, place.origin, tree_hash)
        return read_stretch(
            self._connection, nodes, Mac(place.key), ask.after, ask.until, place.kept
        )

    def rest(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _opened(place: Place) -> Connection:
    connection = psycopg.connect(place.dsn, options=place.options, autocommit=True)
    if place.snapshot is not None:
        connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        connection.execute(f"SET TRANSACTION SNAPSHOT '{place.snapshot}'".encode())
    return connection


def _work() -> None:
    reader, asks = _Reader(), msgspec.msgpack.Decoder(Ask | None)
    while select([0], [], [], _IDLE_SECONDS)[0]:
        ask = asks.decode(_received(0))
        if ask is None:
            reader.rest()
        else:
            _send(1, msgspec.msgpack.encode(reader.read(ask)))


if __name__ == "__main__":
    with suppress(EOFError, BrokenPipeError):
        _work()

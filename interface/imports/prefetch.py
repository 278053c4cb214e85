"""Reading ahead: the next items are made in a thread while the present ones are worked on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from queue import Empty, Full, Queue
from threading import Event, Thread
from typing import TypeVar

T = TypeVar("T")

_LOOK_AROUND_SECONDS = 0.2


def read_ahead(items: Iterable[T], most: int = 2) -> Iterator[T]:
    """The same items in the same order, up to `most` of them made ahead.

    What making them raises is raised here; a consumer who goes away ends the thread.
    """
    queue: Queue[tuple[list[T], BaseException | None]] = Queue(most)
    abandoned = Event()

    def make() -> None:
        trouble: BaseException | None = None
        try:
            for item in items:
                if not _put(queue, ([item], None), abandoned):
                    return
        except BaseException as error:  # noqa: BLE001 - raised where the items are used
            trouble = error
        _put(queue, ([], trouble), abandoned)

    maker = Thread(target=make, name="read-ahead", daemon=True)
    maker.start()
    try:
        while True:
            made, trouble = queue.get()
            if trouble is not None:
                raise trouble
            if not made:
                return
            yield made[0]
    finally:
        abandoned.set()
        try:
            while True:
                queue.get_nowait()
        except Empty:
            maker.join()


def _put(
    queue: Queue[tuple[list[T], BaseException | None]],
    entry: tuple[list[T], BaseException | None],
    abandoned: Event,
) -> bool:
    while not abandoned.is_set():
        try:
            queue.put(entry, timeout=_LOOK_AROUND_SECONDS)
        except Full:
            continue
        return True
    return False

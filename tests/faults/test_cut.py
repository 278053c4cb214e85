"""The connection between ledger and PostgreSQL cut at random bytes: whole or absent, never part."""

from __future__ import annotations

import random
import select
import socket
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from threading import Event, Thread
from typing import NamedTuple

import pytest
from faults import support
from faults.support import Place
from psycopg.conninfo import conninfo_to_dict
from support.chance import SEED

from application import ledger as ledger_module
from application.ledger import ConnectionTroubled, Ledger, Recorded, Submission

BATCH = 50
CUTS = 100
FIRST_CUT = 6
"""The batch that is cut first; those before it show how long one is."""
UP, DOWN = 0, 1
SOCKET = ".s.PGSQL.5432"


class Proxy:
    """A socket like the server's own; lets so many bytes through in a direction, then cuts."""

    def __init__(self, dsn: str, folder: Path) -> None:
        self._real = f"{conninfo_to_dict(dsn)['host']}/{SOCKET}"
        self._stopping = Event()
        self._door = socket.socket(socket.AF_UNIX)
        self._door.bind(str(folder / SOCKET))
        self._door.listen(16)
        self._left: list[int | None] = [None, None]
        self.passed = [0, 0]
        self.cuts = 0
        self.closed_to_all = False
        self._thread = Thread(target=self._serve, name="proxy")
        self._thread.start()

    def cut_after(self, count: int, direction: int) -> None:
        self._left = [None, None]
        self._left[direction] = count

    def let_all_through(self) -> None:
        self._left, self.closed_to_all = [None, None], False

    def stop(self) -> None:
        self._stopping.set()
        self._thread.join()
        self._door.close()

    def _serve(self) -> None:
        pairs: dict[socket.socket, tuple[socket.socket, int]] = {}
        while not self._stopping.is_set():
            ready, _, _ = select.select([self._door, *pairs], [], [], 0.05)
            for end in ready:
                if end is self._door:
                    client, _ = self._door.accept()
                    server = socket.socket(socket.AF_UNIX)
                    server.connect(self._real)
                    pairs[client], pairs[server] = (server, UP), (client, DOWN)
                    if self.closed_to_all:
                        self._close(pairs, client)
                elif end in pairs and not self._forward(end, *pairs[end]):
                    self._close(pairs, end)
        for end in list(pairs):
            end.close()

    def _forward(self, source: socket.socket, target: socket.socket, direction: int) -> bool:
        """Whether the connection lives on."""
        try:
            block = source.recv(65536)
            left = self._left[direction]
            cut = left is not None and len(block) >= left
            target.sendall(block[:left] if cut else block)
        except OSError:
            return False
        self.passed[direction] += len(block)
        if left is not None:
            self._left[direction] = None if cut else left - len(block)
        self.cuts += cut
        return bool(block) and not cut

    @staticmethod
    def _close(pairs: dict[socket.socket, tuple[socket.socket, int]], end: socket.socket) -> None:
        if end in pairs:
            other = pairs.pop(end)[0]
            del pairs[other]
            other.close()
            end.close()


class Scene(NamedTuple):
    database: Place
    proxy: Proxy
    ledger: Ledger
    loan_no: str


@pytest.fixture
def scene(server: str, database: Place, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scene]:
    """Every batch goes the long way in, with COPY: its length on the line is always the same."""
    monkeypatch.setattr(ledger_module, "_FEW", 0)
    if not conninfo_to_dict(server)["host"].startswith("/"):
        pytest.skip("the proxy speaks Unix sockets: leave MINGZHANG_TEST_DSN unset")
    support.lend(database, support.bank(), ["L"])
    with tempfile.TemporaryDirectory(prefix="mz-cut-") as name:
        proxy = Proxy(server, Path(name))
        ledger = Ledger(support.in_database(database.dsn, host=name), database.keys)
        yield Scene(database, proxy, ledger, "L")
        ledger.close()
        proxy.stop()


def batch(number: int) -> list[Submission]:
    return [
        Submission(support.repayment(number * 1_000 + place, "L", ref=f"B{number}-{place}"),
                support.bank())
        for place in range(1, BATCH + 1)
    ]  # fmt: skip


def stored(scene: Scene) -> Counter[str]:
    """How many rows each batch has in the log."""
    rows = support.asked(
        scene.database.dsn,
        "SELECT split_part(ref, '-', 1), count(*) FROM ledger.event WHERE ref LIKE 'B%' GROUP BY 1",
    )
    return Counter(dict(rows))


def armed(scene: Scene, number: int, rng: random.Random, size: list[int]) -> str:
    """Choose where to cut this batch: anywhere, and each second time near the last answer."""
    direction = rng.choice([UP, DOWN]) if number % 2 else DOWN
    first = 1 if number % 2 else max(1, size[DOWN] - 60)
    place = rng.randint(first, size[direction])
    scene.proxy.cut_after(place, direction)
    return f"seed {SEED}, batch {number} cut after byte {place} {('up', 'down')[direction]}"


def usual_size(scene: Scene) -> list[int]:
    """How many bytes a batch is at least, each way; now and then a batch says more."""
    sizes = []
    for number in range(1, FIRST_CUT):
        before = list(scene.proxy.passed)
        scene.ledger.submit_all(batch(number), atomic=True)
        sizes.append([now - then for now, then in zip(scene.proxy.passed, before, strict=True)])
    return [min(each) for each in zip(*sizes, strict=True)]


def test_a_batch_cut_at_a_random_byte_is_told_again_and_stands_once_and_whole(
    scene: Scene,
) -> None:
    rng = random.Random(SEED)
    size = usual_size(scene)
    unknown_commits = 0
    for number in range(FIRST_CUT, FIRST_CUT + CUTS):
        place = armed(scene, number, rng, size)
        outcomes = scene.ledger.submit_all(batch(number), atomic=True)
        assert all(isinstance(outcome, Recorded) for outcome in outcomes), (place, outcomes[:2])
        positions = [outcome.position for outcome in outcomes if isinstance(outcome, Recorded)]
        assert positions == list(range(positions[0], positions[0] + BATCH)), place
        again = {outcome.again for outcome in outcomes if isinstance(outcome, Recorded)}
        assert len(again) == 1, f"part of the batch had been stored: {place}"
        unknown_commits += again == {True}
    assert stored(scene) == {f"B{number}": BATCH for number in range(1, FIRST_CUT + CUTS)}, SEED
    assert scene.proxy.cuts > CUTS / 2, f"the harness hardly cut: {scene.proxy.cuts}, seed {SEED}"
    assert unknown_commits > 0, f"no commit was left unknown, seed {SEED}"


def test_a_batch_whose_line_stays_dead_is_whole_or_absent_and_a_later_retry_completes_it(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledger_module, "_PATIENCE_SECONDS", 0)
    rng = random.Random(SEED)
    size = usual_size(scene)
    came_back = Counter[int]()
    for number in range(FIRST_CUT, FIRST_CUT + CUTS // 2):
        place = armed(scene, number, rng, size)
        scene.proxy.closed_to_all = True
        with suppress(*ConnectionTroubled):
            scene.ledger.submit_all(batch(number), atomic=True)
        found = stored(scene)[f"B{number}"]
        assert found in (0, BATCH), f"{found} of {BATCH} rows: {place}"
        came_back[found] += 1
        scene.proxy.let_all_through()
        outcomes = scene.ledger.submit_all(batch(number), atomic=True)
        assert all(isinstance(outcome, Recorded) for outcome in outcomes), (place, outcomes[:2])
        assert stored(scene)[f"B{number}"] == BATCH, place
    assert came_back[0] and came_back[BATCH], f"both ends were wanted: {came_back}, seed {SEED}"


def test_the_same_look_catches_a_batch_stored_row_by_row(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The negative control: without one transaction a cut leaves a part."""
    monkeypatch.setattr(ledger_module, "_PATIENCE_SECONDS", 0)
    single, *others = batch(3)
    scene.ledger.submit_all(batch(1)[:1])
    before = scene.proxy.passed[UP]
    scene.ledger.submit_all([single])
    scene.proxy.cut_after((scene.proxy.passed[UP] - before) * BATCH // 2, UP)
    scene.proxy.closed_to_all = True
    with suppress(*ConnectionTroubled):
        for submission in others:
            scene.ledger.submit_all([submission])
    assert 0 < stored(scene)["B3"] < BATCH, "the harness is blind to a part of a batch"

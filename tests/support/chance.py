"""The seed of all that tests leave to chance: the same in every run, or MINGZHANG_TEST_SEED.

An assertion holds for every seed and on a machine of any speed. What has to happen before it can be
checked (a kill that meets work, a cut that meets bytes) is waited for, not hoped for.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable

SEED = int(os.environ.get("MINGZHANG_TEST_SEED", "230310"))
PATIENCE_SECONDS = 300.0
"""After which a test gives up what never comes. No promise: those in seconds are in benchmarks/."""


def wait_until(holds: Callable[[], object], what: str) -> None:
    """Return as soon as `holds()` is true. Raises AssertionError when it never comes true."""
    until = time.monotonic() + PATIENCE_SECONDS
    while not holds():
        assert time.monotonic() < until, f"this never came true: {what} (seed {SEED})"
        time.sleep(0.02)


def fastest_seconds(action: Callable[[], object], times: int = 3) -> float:
    """The shortest of some runs: what the action costs, without what else the machine did."""
    took = []
    for _ in range(times):
        began = time.perf_counter()
        action()
        took.append(time.perf_counter() - began)
    return min(took)

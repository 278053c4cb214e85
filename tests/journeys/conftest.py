"""The console in a real Chromium, over a small demo county; without a browser all this is left out.

`.ci/run` installs the browser and a font, and makes their absence an error (MINGZHANG_BROWSER).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import create_database, drop_database
from support.chromium import CHROMIUM, Site, demo_persons
from support.server import serving

from interface.cli.demo_county import load_demo
from interface.deployment import Deployment
from interface.deployment.settings import Settings

FACTOR = 0.02


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    """Nothing here can run without a browser; what is left out is said at the end of the run."""
    if CHROMIUM is None and os.environ.get("MINGZHANG_BROWSER") == "required":
        raise pytest.UsageError("no Chromium: the journeys of tests/journeys cannot be made")
    return True if CHROMIUM is None and collection_path.suffix == ".py" else None


@pytest.fixture(scope="module")
def site(server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A running service with the console, over a fiftieth of the demo county.

    A module's own: while a browser is open, its library runs an event loop in this thread.
    """
    from playwright.sync_api import sync_playwright

    database = create_database(server)
    folder = tmp_path_factory.mktemp("console")
    settings = Settings(data=folder)
    deployment = Deployment(database.dsn, database.owner_dsn, database.keys, settings)
    load_demo(deployment, FACTOR, lambda *_: None)
    with serving(database, folder, demo=True) as port, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield Site(f"http://127.0.0.1:{port}", browser, demo_persons())
        browser.close()
    drop_database(server, database)

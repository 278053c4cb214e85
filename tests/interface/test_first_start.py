"""The first start: pages say how far it is, a county is whole or not there, witnesses cosign."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from threading import Event
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import httpx2
import psycopg
import pytest
from conftest import Database
from fastapi import FastAPI
from starlette.routing import Match
from support.chance import PATIENCE_SECONDS, wait_until

from application.transparency_log.proofs import reading
from interface.cli.demo_county import WITNESSES, HalfLoaded, complete, is_loaded, load_demo
from interface.cli.service_commands import THINGS_TO_TRY
from interface.console.app import router
from interface.deployment import Deployment
from interface.deployment.settings import Settings
from interface.http.waiting import Part, Preparation, Stopped, Waiting

SIZE = 0.005
MOST_LOOKS = int(PATIENCE_SECONDS / 0.01)


class Prepared(NamedTuple):
    """A front whose preparation waits to be let go on."""

    waiting: Waiting
    preparation: Preparation
    go_on: Event
    half_way: Event


def front(*, fails: bool = False) -> Prepared:
    app, go_on, half_way = FastAPI(), Event(), Event()
    preparation = Preparation((Part("history", 60), Part("facts", 40)))

    @app.get("/")
    async def first_page() -> str:
        return "the application"

    def prepare() -> None:
        preparation.heard("history", 1, 2)
        half_way.set()
        while not go_on.wait(0.01):
            preparation.heard("history", 1, 2)
        if fails:
            raise RuntimeError("the demo is wrong")

    return Prepared(Waiting(app, preparation, prepare), preparation, go_on, half_way)


@asynccontextmanager
async def alive(prepared: Prepared) -> AsyncIterator[None]:
    """The front between its start-up and its end, as a server would have it; half way at first.

    Its preparation is let go on at the end, whatever went wrong: nobody waits for it for ever.
    """
    heard: asyncio.Queue[Any] = asyncio.Queue()
    said: asyncio.Queue[Any] = asyncio.Queue()
    heard.put_nowait({"type": "lifespan.startup"})
    task = asyncio.create_task(prepared.waiting({"type": "lifespan"}, heard.get, said.put))
    try:
        assert (await said.get())["type"] == "lifespan.startup.complete"
        assert await asyncio.to_thread(prepared.half_way.wait, PATIENCE_SECONDS)
        yield
        heard.put_nowait({"type": "lifespan.shutdown"})
        await asyncio.wait_for(task, PATIENCE_SECONDS)
    finally:
        prepared.go_on.set()


def client_of(waiting: Waiting) -> httpx2.AsyncClient:
    transport = httpx2.ASGITransport(app=waiting)
    return httpx2.AsyncClient(transport=transport, base_url="http://127.0.0.1")


def test_pages_say_how_far_it_is_and_then_the_application_answers() -> None:
    async def walk() -> None:
        prepared = front()
        async with alive(prepared), client_of(prepared.waiting) as client:
            page = await client.get("/overview?as_of=2023-12-31")
            assert page.status_code == 503
            assert page.headers["refresh"] == page.headers["retry-after"] == "2"
            assert "default-src 'none'" in page.headers["content-security-policy"]
            assert "30 %" in page.text
            assert "示范县正在载入" in page.text
            english = await client.get("/?lang=en")
            assert "The demo county is being loaded" in english.text
            route = await client.get("/v1/banks")
            assert (route.status_code, route.json()["code"]) == (503, "county_loading")
            assert route.headers["retry-after"] == "5"
            assert route.json()["details"] == {"part": "history", "percent": 30}
            assert (await client.post("/sign-in")).json()["code"] == "county_loading"
            assert (await client.get("/healthz")).status_code == 503
            beside = re.findall(r'(?:href|src)="(/static/[^"]+)"', page.text)
            assert len(beside) >= 2, "the sheet and the script"
            assert {(await client.get(each)).status_code for each in beside} == {200}
            prepared.go_on.set()
            for _ in range(MOST_LOOKS):
                answer = await client.get("/")
                if answer.status_code == 200:
                    break
                await asyncio.sleep(0.01)
            assert answer.json() == "the application"

    asyncio.run(walk())


def test_a_process_that_ends_does_not_wait_for_the_preparation() -> None:
    async def walk() -> None:
        prepared = front()
        async with alive(prepared):
            pass
        assert prepared.waiting.failure is None

    asyncio.run(walk())


def test_what_goes_wrong_with_the_preparation_ends_the_process(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ended: list[int] = []
    monkeypatch.setattr("interface.http.waiting.signal.raise_signal", ended.append)

    async def walk() -> None:
        prepared = front(fails=True)
        async with alive(prepared):
            prepared.go_on.set()
            await asyncio.to_thread(wait_until, lambda: prepared.waiting.failure, "it failed")
        assert str(prepared.waiting.failure) == "the demo is wrong"

    asyncio.run(walk())
    assert len(ended) == 1


def deployment_of(database: Database, folder: Path, dsn: str | None = None) -> Deployment:
    settings = Settings(data=folder, dsn=dsn)
    database.keys.save(settings.key_file)
    return Deployment(database.dsn, database.owner_dsn, database.keys, settings)


def events(database: Database) -> int:
    with psycopg.connect(database.owner_dsn) as connection:
        row = connection.execute("SELECT count(*) FROM ledger.event").fetchone()
    return int(row[0]) if row else 0


def test_a_county_is_whole_or_loaded_anew(database: Database, tmp_path: Path) -> None:
    deployment = deployment_of(database, tmp_path)
    assert not is_loaded(deployment)

    def stop_half_way(part: str, done: int, of: int) -> None:
        if part == "history" and done * 2 > of:
            raise Stopped

    with pytest.raises(Stopped):
        load_demo(deployment, SIZE, stop_half_way)
    assert events(database) > 100
    elsewhere = deployment._replace(settings=Settings(data=tmp_path, dsn=database.dsn))
    with pytest.raises(HalfLoaded):
        is_loaded(elsewhere)
    assert events(database) > 100, "a database that is not ours to empty is left alone"

    assert not is_loaded(deployment)
    assert events(database) == 0
    parts: dict[str, tuple[int, int]] = {}
    load_demo(deployment, SIZE, lambda part, done, of: parts.update({part: (done, of)}))
    assert {part: done == of for part, (done, of) in parts.items()} == dict.fromkeys(
        ("history", "facts", "recent", "seal"), True
    )
    assert is_loaded(deployment)
    _assure_cosigned(deployment, events(database))
    whole = events(database)
    complete(deployment)
    assert events(database) == whole


def _assure_cosigned(deployment: Deployment, size: int) -> None:
    """Both witnesses cosigned the newest checkpoint, over every event."""
    with reading(deployment.dsn, deployment.origin) as proofs:
        checkpoint = proofs.checkpoint(covering=size)
        witnesses = proofs.witnesses()
    assert checkpoint.head.size == size
    assert [(each.organisation, each.size) for each in witnesses] == [
        (organisation, size) for organisation, _ in sorted(WITNESSES)
    ]


def test_what_the_start_names_to_try_are_pages() -> None:
    said = THINGS_TO_TRY.format(base="http://127.0.0.1:8000", keys="var/demo-keys.json")
    addresses = [word for word in said.split() if word.startswith("http://")]
    assert len(addresses) == 3
    for address in addresses:
        scope = {"type": "http", "method": "GET", "path": urlsplit(address).path}
        assert any(each.matches(scope)[0] is Match.FULL for each in router.routes), address

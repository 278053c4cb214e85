"""The service under test, as its callers see it."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from starlette.testclient import TestClient
from support.county import ORGANISATIONS

from application.access import enrol, issue_keys
from interface.deployment import Deployment
from interface.deployment.settings import Settings
from interface.http.app import create_app


class Caller:
    """One organisation's client."""

    def __init__(self, client: TestClient, key: str) -> None:
        self._client = client
        self._headers = {"Authorization": f"Bearer {key}"}

    def post(self, path: str, body: Any = None, **more: Any) -> Any:
        return self._client.post(f"/v1{path}", json=body, headers=self._headers, **more)

    def send(self, path: str, **more: Any) -> Any:
        headers = {**self._headers, **more.pop("headers", {})}
        return self._client.post(f"/v1{path}", headers=headers, **more)

    def get(self, path: str, *, accept: str = "application/json", **query: Any) -> Any:
        headers = {**self._headers, "Accept": accept}
        return self._client.get(f"/v1{path}", headers=headers, params=query)


class Callers:
    """A caller for each organisation, by its code."""

    def __init__(self, client: TestClient, keys: dict[str, str]) -> None:
        self.client = client
        self.keys = keys

    def __getattr__(self, organisation: str) -> Caller:
        return Caller(self.client, self.keys[organisation])


@contextmanager
def service(database: Any, **more: Any) -> Iterator[Callers]:
    """The whole service over a database, drawing its facts itself."""
    enrol(database.owner_dsn, ORGANISATIONS)
    people = {o.code: (o.code, f"{o.code.lower()}-1") for o in ORGANISATIONS}
    people["FINANCE2"] = ("FINANCE", "finance-2")
    people["QIN"] = ("FINANCE", "centre-1")  # the same person in another office
    keys = dict(zip(people, issue_keys(database.owner_dsn, list(people.values())), strict=True))
    with tempfile.TemporaryDirectory(prefix="mz-") as folder:
        settings = Settings(data=Path(folder))
        deployment = Deployment(database.dsn, database.owner_dsn, database.keys, settings)
        with TestClient(create_app(deployment, **more), raise_server_exceptions=False) as client:
            yield Callers(client, keys)

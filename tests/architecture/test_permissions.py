"""One table says who may do what; routes and docs/api.md have what it says."""

from __future__ import annotations

from pathlib import Path

from fastapi.routing import APIRoute
from support.in_memory import KEYS

from application.command import COMMANDS, Command, Correctable
from domain.roles import Role
from interface.deployment import Deployment
from interface.deployment.settings import Settings
from interface.http.app import create_app
from interface.http.permissions import QUERIES, documented, route_of
from interface.http.routes.commands import body_of

API = Path(__file__).parents[2] / "docs" / "api.md"


def routes(method: str) -> dict[str, APIRoute]:
    """The routes of the contract, by path."""
    app = create_app(Deployment("", "", KEYS, Settings()))
    found = [route for route in app.routes if isinstance(route, APIRoute)]
    return {r.path.removeprefix("/v1"): r for r in found if method in r.methods and "/v1" in r.path}


def test_every_query_route_has_a_row_and_every_row_a_route() -> None:
    assert routes("GET").keys() == QUERIES.keys()


def test_every_command_is_on_its_route_and_that_route_is_for_its_roles() -> None:
    posts = routes("POST")
    for command in COMMANDS.values():
        if command.PATH is not None:
            assert posts[route_of(command)].endpoint.command is command  # type: ignore[attr-defined]


def test_the_body_of_a_route_has_every_field_but_those_that_the_path_gives() -> None:
    for command in COMMANDS.values():
        named = command.path_fields()
        assert len(named) <= 1
        assert body_of(command).model_fields.keys() | set(named) == command.model_fields.keys()


def test_every_command_says_who_may_submit_it_and_how_it_is_handled() -> None:
    for command in COMMANDS.values():
        assert command.ROLES and set(command.ROLES) <= set(Role), command
        for part in ("reads", "handle"):
            unsaid = getattr(Command, part), getattr(Correctable, part)
            assert getattr(command, part) not in unsaid, command


def test_docs_api_says_who_may_do_what_as_the_tables_do() -> None:
    text = API.read_text("utf-8")
    assert documented(text) == text, "python -m interface.http.permissions docs/api.md"

"""The OpenAPI document says what the service does: read by a generated client, and by schemathesis.

Both see the document and the port alone. They are imported where they are used: it takes seconds.
"""

from __future__ import annotations

import ast
import importlib
import sys
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import httpx2
import pytest
from hypothesis import Phase, given, settings
from hypothesis.errors import Unsatisfiable
from support import controls as c
from support.chance import wait_until
from support.contract import fault_of, responses_of
from support.county import conversation
from support.everything import submit_everything
from support.refusals import refusals
from support.server import serving

import interface.spreadsheet
from application.access import issue_keys
from application.command import COMMANDS
from interface.http.app import create_app
from interface.spreadsheet.refusals import UNREADABLE

FITTING, FAULTY = 2, 1
"""How many requests an operation is sent by each reader: as the document allows, and not so."""
METHODS = ("get", "post")
_AS_BYTES = ("application/x-ndjson", "text/plain")
"""What the generator knows no body of."""


@pytest.fixture(scope="module")
def contract() -> dict[str, Any]:
    app = create_app(None)  # type: ignore[arg-type]
    document: dict[str, Any] = app.openapi()
    return document


def operations(contract: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in contract["paths"].items():
        for method, operation in methods.items():
            yield method, path, operation


# ---- the document ---------------------------------------------------------------------


def test_every_operation_says_its_name_its_key_and_how_it_answers(contract: Any) -> None:
    names = [operation["operationId"] for *_, operation in operations(contract)]
    assert len(names) == len(set(names)) > 110
    for method, path, operation in operations(contract):
        where = f"{method} {path}"
        assert method in METHODS, where
        assert operation["operationId"].isidentifier(), where
        assert operation["operationId"].isascii(), where
        assert all(tag.isascii() and tag.isidentifier() for tag in operation["tags"]), where
        assert "\u4e00" <= operation["summary"][0] <= "\u9fff", where
        assert operation.get("security") == (
            [{"bearer_key": []}] if path.startswith("/v1/") else None
        ), where
        for parameter in operation.get("parameters", ()):
            said = parameter.get("description", "")
            assert any("\u4e00" <= sign <= "\u9fff" for sign in said), (where, parameter["name"])


def test_every_success_has_a_schema_and_an_example_and_every_error_its_codes(
    contract: Any,
) -> None:
    for method, path, operation in operations(contract):
        responses = responses_of(contract, method, path)
        success = [responses[status] for status in responses if status.startswith("2")]
        assert success, path
        for response in success:
            assert any("example" in media for media in response["content"].values()), path
            for media in response["content"].values():
                assert media["schema"], path
        if "requestBody" in operation:
            [media] = operation["requestBody"]["content"].values()
            assert "example" in media, path
        for status in responses:
            if status >= "400":
                assert responses[status]["content"]["application/problem+json"]["examples"], path
        if "201" in responses and not path.endswith("/witness"):
            assert {"200", "409"} <= responses.keys(), path


def test_every_example_of_a_body_is_one_that_its_command_takes(contract: Any) -> None:
    taken = 0
    for *_, operation in operations(contract):
        media = operation.get("requestBody", {}).get("content", {}).get("application/json")
        command = COMMANDS.get(operation["operationId"].removeprefix("record_").replace("_", "-"))
        if media and command:
            named = {name: "L1" for name in command.model_fields if name.endswith("_no")}
            named |= {"event_id": media["example"].get("event_id", EVENT_ID)}
            known = {name: value for name, value in named.items() if name in command.model_fields}
            command.model_validate({**known, **media["example"]})
            taken += 1
    assert taken > 40


EVENT_ID = "0f1e2d3c-0000-5000-8000-000000000001.1"


def test_every_code_of_the_program_stands_in_the_document(contract: Any) -> None:
    told = {
        code
        for response in contract["components"]["responses"].values()
        for code in response["content"]["application/problem+json"]["examples"]
    }
    assert {kind.CODE for kind in refusals()} <= told
    assert set(UNREADABLE) <= told


def test_every_code_that_a_file_is_refused_with_is_known() -> None:
    folder = Path(interface.spreadsheet.__file__).parent
    raised = {
        node.args[0].value
        for path in [*folder.glob("*.py"), *(folder.parent / "imports").glob("*.py")]
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "UnreadableFile"
        if node.args and isinstance(node.args[0], ast.Constant)
    }
    assert raised <= set(UNREADABLE)
    assert len(raised) > 15


# ---- a county behind a port -----------------------------------------------------------


class Served(NamedTuple):
    url: str
    keys: dict[str, str]

    def headers(self, organisation: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.keys[organisation]}"}


@pytest.fixture(scope="module")
def served(shared_database: Any) -> Iterator[Served]:
    with conversation(shared_database) as ledger:
        submit_everything(ledger)
        position = ledger.log.last_position()
    names = ("NRCB", "AUDIT")
    people = [(name, f"{name.lower()}-1") for name in names]
    keys = dict(zip(names, issue_keys(shared_database.owner_dsn, people), strict=True))
    with (
        tempfile.TemporaryDirectory(prefix="mz-") as folder,
        serving(shared_database, Path(folder)) as port,
    ):
        found = Served(f"http://127.0.0.1:{port}", keys)
        log = f"{found.url}/v1/log"

        def is_ready() -> bool:
            sealed = httpx2.get(log, headers=found.headers("AUDIT"), timeout=60).json()["sealed"]
            return bool(sealed >= position)

        wait_until(is_ready, "the log is sealed")
        yield found


# ---- a generated client ---------------------------------------------------------------


class Generated(NamedTuple):
    """Modules of the client that a generator makes of the document."""

    package: str

    def module(self, name: str) -> Any:
        return importlib.import_module(f"{self.package}.{name}")


@pytest.fixture(scope="module")
def generated(served: Served) -> Iterator[Generated]:
    from openapi_python_client import Config, MetaType, generate
    from openapi_python_client.config import ConfigFile

    document = httpx2.get(f"{served.url}/v1/openapi.json", timeout=60)
    with tempfile.TemporaryDirectory(prefix="mz-") as folder:
        path = Path(folder) / "openapi.json"
        path.write_bytes(document.content)
        given = ConfigFile(
            content_type_overrides=dict.fromkeys(_AS_BYTES, "application/octet-stream"),
            post_hooks=[],
        )
        config = Config.from_sources(
            given, MetaType.NONE, path, "utf-8", True, Path(folder) / "generated_client"
        )
        errors = generate(config=config)
        assert not list(errors), [error.detail for error in errors]
        sys.path.insert(0, folder)
        yield Generated("generated_client")
        sys.path.remove(folder)


def test_a_generated_client_writes_repeats_conflicts_and_reads(
    served: Served, generated: Generated
) -> None:
    client = generated.module("client").AuthenticatedClient
    with (
        client(base_url=served.url, token=served.keys["NRCB"]) as bank,
        client(base_url=served.url, token=served.keys["AUDIT"]) as auditor,
    ):
        converse(generated, bank, auditor)


def converse(generated: Generated, bank: Any, auditor: Any) -> None:
    record = generated.module("api.writes.record_outflow")
    body_type = generated.module("models.observe_outflow").ObserveOutflow
    body = body_type.from_dict(c.body(c.outflow(ref="OF-GEN"), "loan_no") | {"ref": "OF-GEN"})

    first = record.sync_detailed("L1", client=bank, body=body)
    again = record.sync_detailed("L1", client=bank, body=body)
    body.amount_fen += 1
    conflict = record.sync_detailed("L1", client=bank, body=body)
    foreign = record.sync_detailed("L1", client=auditor, body=body)
    assert [first.status_code, again.status_code] == [201, 200]
    assert (first.parsed.again, again.parsed.again) == (False, True)
    assert first.parsed.event_ids == again.parsed.event_ids
    assert (conflict.status_code, conflict.parsed.code) == (409, "reference_reused")
    assert (foreign.status_code, foreign.parsed.code) == (403, "not_permitted")

    position = first.parsed.position
    page = generated.module("api.reads.loans").sync(client=auditor, limit=1, position=position)
    assert len(page.lines) == 1
    assert page.position >= position
    rest = generated.module("api.reads.loans").sync(client=auditor, cursor=page.next_)
    one = generated.module("api.reads.loan").sync("L1", client=auditor)
    assert len(rest.lines) > 1
    assert one.loan.loan_no == "L1"
    assert isinstance(one.loan.principal_fen, int)
    assert one.loan.overdue in (True, False)
    events = generated.module("api.reads.loan_history").sync("L1", client=auditor).events
    assert first.parsed.event_ids[0] in {event.event_id for event in events}


def test_the_modules_of_a_generated_client_have_plain_names(generated: Generated) -> None:
    folder = Path(generated.module("api").__file__).parent
    names = [path.relative_to(folder).as_posix() for path in folder.rglob("*.py")]
    assert len(names) > 110
    assert all(name.isascii() for name in names)


# ---- whatever the document allows -----------------------------------------------------


class Answer:
    """An answer as schemathesis keeps it, with each header once."""

    def __init__(self, kept: Any) -> None:
        self.status_code, self.text, self.json = kept.status_code, kept.text, kept.json
        self.headers = {name.lower(): values[0] for name, values in kept.headers.items()}


@pytest.mark.filterwarnings("ignore:Do not use the `random` module inside strategies")
def test_whatever_is_sent_by_the_document_is_answered_by_it(served: Served) -> None:
    """Each operation as a bank and as an auditor: no 5xx, no answer that is told of nowhere.

    The server beside it draws random numbers, which the warning takes for the strategies' own.
    """
    from requests import Session
    from schemathesis import GenerationMode, SerializationContext, serializer
    from schemathesis.openapi import from_dict

    @serializer("application/x-ndjson")
    def lines(context: SerializationContext, value: Any) -> bytes:
        return str(value).encode()

    contract = httpx2.get(f"{served.url}/v1/openapi.json", timeout=60).json()
    schema = from_dict(contract)
    session = Session()
    faults: list[str] = []
    sent: dict[str, int] = {}

    def send(case: Any) -> None:
        for organisation in ("NRCB", "AUDIT"):
            headers = served.headers(organisation)
            answer = case.call(base_url=served.url, session=session, headers=headers)
            path, method = case.operation.path, case.operation.method
            name = f"{method} {path}"
            sent[name] = sent.get(name, 0) + 1
            if answer.status_code >= 500:
                faults.append(f"{method} {path}: {answer.text}")
            fault = fault_of(contract, method, path, Answer(answer))
            if fault is not None:
                faults.append(fault)

    for result in schema.get_all_operations():
        operation = result.ok()
        for mode, examples in (
            (GenerationMode.POSITIVE, FITTING),
            (GenerationMode.NEGATIVE, FAULTY),
        ):
            strategy = operation.as_strategy(generation_mode=mode)
            limits = settings(max_examples=examples, database=None, phases=[Phase.generate])
            with suppress(Unsatisfiable):  # nothing can be wrong where nothing is taken
                limits(given(strategy)(send))()
    session.close()
    assert sorted(set(faults)) == []
    assert len(sent) == sum(1 for _ in operations(contract))

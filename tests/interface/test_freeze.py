"""Nobody freezes the service: the worst megabyte of every kind, heads without end, slow callers.

A real server on a real database. How long its event loop stands still is compared with an ordinary
body of the same size in the same run.
"""

from __future__ import annotations

import asyncio
import json
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import httpx2
import pytest
from faults import support
from faults.support import ID_NO, Place
from support.server import Ticker, serving
from typer.testing import CliRunner

from interface.cli.app import app
from interface.http import limits, server
from interface.http.strict_json import Unacceptable, read

MB = 1 << 20
TOLD = {"ref": "r", "effective_on": "2023-05-01"}
NDJSON, JSON = "application/x-ndjson", "application/json"
TRIES = 5


class Api(NamedTuple):
    """A running service, its loop's ticker, and everybody's key."""

    port: int
    client: httpx2.Client
    ticker: Ticker
    keys: dict[str, str]
    place: Place

    def send(self, who: str, path: str, content: bytes, kind: str = JSON, **more: str) -> Any:
        headers = {"Authorization": f"Bearer {self.keys[who]}", "Content-Type": kind, **more}
        return self.client.post(path, content=content, headers=headers)

    def submit(self, who: str, path: str, body: Any) -> Any:
        return self.send(who, path, json.dumps(body).encode())

    def get(self, who: str, path: str, **headers: str) -> Any:
        key = {"Authorization": f"Bearer {self.keys[who]}"} if who else {}
        return self.client.get(path, headers={**key, **headers})

    def raw(self, *parts: bytes, timeout: float = 30) -> tuple[int, bytes]:
        """Status and body of what comes back for these bytes; the rest of them may not get in."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=timeout) as connection:
            for part in parts:
                connection.sendall(part)
            return answer_on(connection)


def answer_on(connection: socket.socket) -> tuple[int, bytes]:
    """Read a whole answer: a reset before its end is a fault."""
    answer = b""
    while b"\r\n\r\n" not in answer:
        block = connection.recv(65536)
        assert block, "closed without an answer"
        answer += block
    head, _, body = answer.partition(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
    while len(body) < length:
        body += connection.recv(65536)
    return int(answer.split(b" ", 2)[1]), body


@pytest.fixture(scope="module")
def api(shared_database: Place, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    place = shared_database
    keys = support.open_accounts(place.owner_dsn, "NRCB", "PSBC", townships=("T01",))
    ticker = Ticker()
    with (
        serving(place, tmp_path_factory.mktemp("data"), ticker) as port,
        httpx2.Client(base_url=f"http://127.0.0.1:{port}", timeout=60, verify=False) as client,
    ):
        api = Api(port, client, ticker, keys, place)
        first = api.submit("NRCB", "/v1/loans", loan("P-1")).json()["position"]
        for path in (f"/v1/ledgers/loans?position={first}", f"/v1/log/checkpoint?position={first}"):
            while api.get("AUDIT", path).status_code == 503:
                pass
        yield api


# ---- the worst megabyte ---------------------------------------------------------------


def names(most: int) -> bytes:
    """An object with as many names as fit into `most` bytes, the last one doubled."""
    count = most // 13 - 2
    inner = ",".join(f'"n{i:07}":1' for i in range(count))
    return f'{{{inner},"n{count - 1:07}":1}}'.encode()


def results(item: str) -> bytes:
    told = json.dumps(TOLD)[:-1]
    return f'{told}, "results": [{",".join([item] * ((MB - 200) // (len(item) + 1)))}]}}'.encode()


def replaced(value: str) -> bytes:
    return f'{json.dumps(TOLD)[:-1]}, "reason": "错报", "replacement": {{"x": {value}}}}}'.encode()


NOWHERE = "/v1/events/00000000-0000-5000-8000-000000000000.1/corrections"
BODIES: dict[str, tuple[str, str, Callable[[], bytes]]] = {
    "doubled name": ("NRCB", "/v1/loans", lambda: names(MB - 100)),
    "unknown names": ("NRCB", "/v1/loans", lambda: names(MB - 100).rpartition(b",")[0] + b"}"),
    "doubled name of a megabyte": (
        "NRCB", "/v1/loans",
        lambda: b'{"%s":1,"%s":1}' % ((b"\\ud800" * 87_000,) * 2),
    ),
    "empty results": ("NRCB", "/v1/batches/B/results", lambda: results("{}")),
    "results of unknown names": (
        "NRCB", "/v1/batches/B/results", lambda: results('{"a":1,"b":1,"c":1,"d":1,"e":1}')),
    "numbers for results": ("NRCB", "/v1/batches/B/results", lambda: results("1")),
    "lists in lists": ("NRCB", NOWHERE, lambda: replaced("[" * 500_000 + "]" * 500_000)),
    "many lists": ("NRCB", NOWHERE, lambda: replaced("[" + "[]," * 349_000 + "[]]")),
    "one number": ("NRCB", NOWHERE, lambda: replaced("1" * (MB - 300))),
    "one fraction": ("NRCB", NOWHERE, lambda: replaced("0." + "1" * (MB - 300))),
    "large numbers": ("NRCB", NOWHERE, lambda: replaced("[" + f"{'9' * 4300}," * 240 + "1]")),
    "escapes": ("NRCB", NOWHERE, lambda: replaced('"' + "\\u00e9" * 174_000 + '"')),
    "half characters": ("NRCB", NOWHERE, lambda: replaced('"' + "\\ud800" * 174_000 + '"')),
    "households": (
        "T01", "/v1/benefits",
        lambda: b'{"households":[%s1]}' % (b'"",' * 340_000)),
    "wrong role": ("T01", "/v1/loans", lambda: names(MB - 100)),
    "one line": ("NRCB", "/v1/submissions", lambda: names(MB - 100)),
    "lines of nothing": ("NRCB", "/v1/submissions", lambda: b"{}\n" * 50_000),
    "empty lines": ("NRCB", "/v1/submissions", lambda: b"\n" * (MB - 1)),
    "a witness's lines": (
        "NRCB", "/v1/log/witness",
        lambda: b"o\n1\n%s\n\n" % (b"A" * 43 + b"=") + "\u2014 w AAAAAAAA\n".encode() * 3_000),
}  # fmt: skip


def watched(api: Api, ask: Callable[[], Any]) -> tuple[Any, float]:
    """The answer, and how long the loop stood still at most meanwhile."""
    api.ticker.start()
    answer = ask()
    return answer, api.ticker.longest()


def unfrozen(api: Api, ordinary: float, ask: Callable[[], Any]) -> Any:
    """The answer, once it came without a freeze.

    What freezes the loop does so each time; a busy machine holds it up now and then.
    """
    stood = []
    for _ in range(TRIES):
        answer, seconds = watched(api, ask)
        stood.append(seconds)
        if seconds < 10 * ordinary + Ticker.STEP_SECONDS:
            return answer
    raise AssertionError(f"the loop stood still each time: {stood}; ordinary {ordinary}")


@pytest.fixture(scope="module")
def ordinary(api: Api) -> float:
    """How long a megabyte of an ordinary bank's result makes the loop stand still."""
    item = '{"line":1,"paid":true,"voucher":"20230401-1"}'
    body, stood = results(item), []
    for _ in range(TRIES):
        answer, seconds = watched(api, lambda: api.send("NRCB", "/v1/batches/B/results", body))
        assert answer.status_code in (404, 409), answer.text
        stood.append(seconds)
    return sorted(stood)[TRIES // 2]


@pytest.mark.parametrize("kind", BODIES)
def test_no_body_makes_others_wait_longer_than_an_ordinary_one_of_its_size(
    api: Api, ordinary: float, kind: str
) -> None:
    who, path, made = BODIES[kind]
    content = made()
    assert len(content) <= MB

    answer = unfrozen(api, ordinary, lambda: api.send(who, path, content))

    assert answer.status_code in (200, 400, 403, 404, 413, 422), answer.text[:300]
    if path != "/v1/submissions":
        assert len(answer.content) < 50_000


def part(name: str, more: str = "") -> bytes:
    return f'--cut\r\nContent-Disposition: form-data; name="{name}"{more}\r\n\r\n1\r\n'.encode()


FORMS = {
    "parts": part("x") * (MB // 60),
    "files": part("file", '; filename="a"') * (MB // 80),
    "a part's head": part("x" * (MB - 200)),
    "heads of a part": b"--cut\r\n" + b"A: b\r\n" * (MB // 6 - 100) + b"\r\n1\r\n",
    "no boundary": b"\r\n--cu" * (MB // 6),
    "boundary's beginnings": b"\r\n-" * (MB // 3),
}


@pytest.mark.parametrize("kind", FORMS)
def test_no_form_makes_others_wait_longer(api: Api, ordinary: float, kind: str) -> None:
    multipart = "multipart/form-data; boundary=cut"
    content = FORMS[kind] + b"--cut--\r\n"
    answer = unfrozen(api, ordinary, lambda: api.send("NRCB", "/v1/files", content, multipart))
    assert answer.status_code in (400, 422), answer.text[:300]


@pytest.mark.parametrize(
    "content", [b"a&" * MB * 4, b"a=" + b"%41" * MB * 4], ids=["fields", "escapes"]
)
def test_a_form_in_the_way_of_queries_makes_nobody_wait(
    api: Api, ordinary: float, content: bytes
) -> None:
    kind = "application/x-www-form-urlencoded"
    answer = unfrozen(api, ordinary, lambda: api.send("NRCB", "/v1/files", content, kind))
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        ("/v1/ledgers/loans?" + "a&" * 15_000, {}),
        ("/v1/ledgers/loans?as_of=" + "9" * 30_000, {}),
        ("/v1/ledgers/loans?cursor=" + "W" * 30_000, {}),
        ("/v1/ledgers/loans?position=" + "9" * 30_000, {}),
        ("/v1/loans/" + "%C3%A9" * 5_000, {}),
        ("/v1/loans/L1", {"Accept": "a/b;q=0.1," * 3_000}),
        ("/v1/loans/L1", {"Cookie": "a=b;" * 7_000}),
        ("/v1/loans/L1", {"Authorization": "Bearer" + " " * 30_000 + "x"}),
        ("/v1/loans/L1", {f"X-{i}": "" for i in range(3_000)}),
    ],
)
def test_no_head_makes_others_wait_longer(
    api: Api, ordinary: float, path: str, headers: dict[str, str]
) -> None:
    answer = unfrozen(api, ordinary, lambda: api.get("AUDIT", path, **headers))
    assert answer.status_code in (200, 401, 404, 406, 422), answer.text[:200]


def test_the_time_to_find_a_doubled_name_grows_no_faster_than_the_text() -> None:
    def seconds(text: bytes) -> float:
        began = time.thread_time()
        with pytest.raises(Unacceptable):
            read(text)
        return time.thread_time() - began

    small = min(seconds(names(MB // 16)) for _ in range(3))
    assert min(seconds(names(MB)) for _ in range(3)) < 16 * 8 * small


def test_of_many_faults_a_hundred_are_named_and_the_rest_counted(api: Api) -> None:
    households = [""] * 300
    body = {**TOLD, "agreement_no": "LJ", "enterprise": "某公司", "households": households}
    said = api.submit("T01", "/v1/benefits", {**body, "instalments": []}).json()
    assert len(said["errors"]) == 101
    assert said["errors"][-1]["code"] == "more_faults"
    assert "201" in said["errors"][-1]["zh"]


def test_a_role_that_may_not_send_it_is_refused_whatever_the_body_is(api: Api) -> None:
    answer = api.send("T01", "/v1/loans", b"{" * 1_000)
    assert (answer.status_code, answer.json()["code"]) == (403, "not_permitted")


# ---- lines ----------------------------------------------------------------------------


def test_a_line_of_more_than_a_megabyte_is_refused_by_its_number_and_nothing_is_recorded(
    api: Api,
) -> None:
    before = api.client.get("/healthz").json()["log_position"]
    good = json.dumps({"type": "loan", **loan()}).encode() + b"\n"
    long = json.dumps({"type": "loan", "purpose": "x" * MB}).encode()
    for content in (good + long + b"\n", good + long, long * 3):
        answer = api.send("NRCB", "/v1/submissions", content, NDJSON)
        said = answer.json()
        assert (answer.status_code, said["code"]) == (413, "line_too_long")
        assert said["details"] == {
            "line": 2 if content.startswith(good) else 1,
            "most_bytes": MB,
        }
    assert api.client.get("/healthz").json()["log_position"] == before


def test_a_line_of_a_megabyte_is_read(api: Api) -> None:
    line = b'{"x":"' + b"x" * (MB - 8) + b'"}'
    assert len(line) == MB
    answer = api.send("NRCB", "/v1/submissions", line + b"\n" + line, NDJSON)
    assert [json.loads(each)["code"] for each in answer.text.splitlines()] == ["unknown_type"] * 2


def test_too_many_lines_all_at_once_are_refused_in_words(api: Api) -> None:
    answer = api.send("NRCB", "/v1/submissions?atomic=true", b"1\n" * 100_001, NDJSON)
    assert (answer.status_code, answer.json()["code"]) == (422, "too_many_lines")


def loan(no: str = "A-1", **other: Any) -> dict[str, Any]:
    return {
        "ref": f"loan-{no}", "effective_on": "2023-03-10", "loan_no": no, "contract_no": "C-1",
        "contract_on": "2023-03-10", "household_no": "H1", "borrower_id_no": ID_NO,
        "principal_fen": 5_000_000, "credited_fen": 5_000_000, "annual_rate_bp": 365,
        "due_on": "2024-03-10", "purpose": "养牛",
        "payee": {"account": "62220001", "name": "张三"}, **other,
    }  # fmt: skip


# ---- heads, bodies, time --------------------------------------------------------------

GET = b"GET /healthz HTTP/1.1\r\nHost: x\r\n"


@pytest.mark.parametrize(
    "parts",
    [
        (GET + b"X: ", *[b"x" * MB] * 20),
        (b"GET /healthz?", *[b"x" * MB] * 20),
        (GET, *[b"X: y\r\n" * 20_000] * 20),
        (b"\r\n" * MB,),
        (b"POST /v1/loans HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX: ",
         *[b"x" * MB] * 8),
    ],
    ids=["one header", "a query", "headers", "blank lines", "trailers"],
)  # fmt: skip
def test_a_head_without_end_is_cut_off_with_an_answer(api: Api, parts: tuple[bytes, ...]) -> None:
    with socket.create_connection(("127.0.0.1", api.port), timeout=30) as connection:
        try:
            for each in parts:
                connection.sendall(each)
        except ConnectionError:
            pass  # it may be cut off by then; the answer came before
        status, body = answer_on(connection)
    assert status in (401, 431), body
    if status == 431:
        assert json.loads(body)["code"] == "headers_too_large"


def test_a_head_of_more_than_64_kb_is_refused_and_of_less_is_not(api: Api) -> None:
    for size, status in ((60_000, 200), (70_000, 431)):
        assert api.raw(GET + b"X: " + b"x" * size + b"\r\n\r\n")[0] == status


def test_a_head_that_does_not_come_to_its_end_is_cut_off(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "_HEAD_SECONDS", 0.2)
    assert api.raw(GET)[0] == 408
    with socket.create_connection(("127.0.0.1", api.port), timeout=30) as silent:
        assert silent.recv(1) == b""
    with socket.create_connection(("127.0.0.1", api.port), timeout=30) as dripping:
        dripping.sendall(GET + b"\r\n")
        assert answer_on(dripping)[0] == 200
        dripping.sendall(b"\r\n")  # no request, and no silence either
        assert dripping.recv(4096)[:12] in (b"", b"HTTP/1.1 408")


def post(api: Api, *lines: str, who: str = "NRCB", path: str = "/v1/loans") -> bytes:
    head = [f"POST {path} HTTP/1.1", "Host: x", "Content-Type: application/json"]
    if who:
        head.append(f"Authorization: Bearer {api.keys[who]}")
    return "\r\n".join([*head, *lines, "", ""]).encode()


def test_a_body_that_does_not_come_is_not_waited_for_long(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "_QUIET_SECONDS", 0.2)
    status, body = api.raw(post(api, "Content-Length: 100"), b"{")
    assert (status, json.loads(body)["code"]) == (408, "too_slow")


@pytest.mark.parametrize("path", ["/v1/loans", "/v1/log/witness", "/v1/files"])
def test_a_body_beyond_the_limit_gets_its_413_though_it_is_sent_to_its_end(
    api: Api, path: str
) -> None:
    size = (257 if path == "/v1/files" else 8) * MB
    said = post(api, f"Content-Length: {size}", path=path)
    status, body = api.raw(said, *[b" " * MB] * (size // MB))
    assert (status, json.loads(body)["code"]) == (413, "too_large")


def test_a_chunked_body_beyond_the_limit_gets_its_413_though_it_is_sent_to_its_end(
    api: Api,
) -> None:
    chunk = b"100000\r\n" + b" " * MB + b"\r\n"
    said = post(api, "Transfer-Encoding: chunked")
    status, body = api.raw(said, *[chunk] * 16, b"0\r\n\r\n")
    assert (status, json.loads(body)["code"]) == (413, "too_large")


def test_a_strangers_body_gets_its_401_though_it_is_sent_to_its_end(api: Api) -> None:
    status, _ = api.raw(post(api, f"Content-Length: {8 * MB}", who=""), *[b" " * MB] * 8)
    assert status == 401


def test_a_request_that_is_none_gets_a_problem(api: Api) -> None:
    status, body = api.raw(b"\x16\x03\x01\x02\x00nonsense\r\n\r\n")
    assert (status, json.loads(body)["code"]) == (400, "bad_request")


# ---- what answers say about themselves ------------------------------------------------


def assure_headers(answer: Any) -> None:
    headers = answer.headers
    kept = "/static-offline-docs/" in str(answer.url) and answer.status_code == 200
    assert headers["cache-control"] == ("public, max-age=86400" if kept else "no-store"), answer.url
    assert headers["x-content-type-options"] == "nosniff", answer.url
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy, answer.url
    assert "frame-ancestors 'none'" in policy
    assert "script-src" not in policy or str(answer.url).endswith(("/docs", "-redirect"))


def routes(api: Api) -> Iterator[tuple[str, str]]:
    for path, methods in api.get("", "/v1/openapi.json").json()["paths"].items():
        for method in methods:
            yield method.upper(), path


@pytest.mark.parametrize("accept", ["application/json", "text/csv", "application/xlsx"])
def test_every_answer_says_not_to_keep_guess_or_frame_it(api: Api, accept: str) -> None:
    for method, path in routes(api):
        named = path.replace("{no}", "L1").replace("{event_id}", "x").replace("{", "").replace(
            "}", "")  # fmt: skip
        query = "?period=2023Q2&known_from=2020-01-01T00:00:00Z&household_no=H1&tool=hledger"
        headers = {"Authorization": f"Bearer {api.keys['AUDIT']}", "Accept": accept}
        assure_headers(api.client.request(method, named + query, headers=headers))
    for path in ("/docs", "/docs/oauth2-redirect", "/static-offline-docs/swagger-ui.css",
                 "/static-offline-docs/x", "/v1/openapi.json", "/healthz", "/metrics", "/nowhere",
                 "/v1/log/checkpoint", "/v1/log/checkpoint/page", "/v1/log/receipts",
                 "/v1/log/witness"):  # fmt: skip
        assure_headers(api.get("AUDIT", path))
    assure_headers(api.get("", "/v1/ledgers/loans"))
    assure_headers(api.client.request("PUT", "/v1/loans", headers={"Authorization": "Bearer x"}))
    assure_headers(api.send("NRCB", "/v1/submissions", b"{}\n", NDJSON))
    assure_headers(api.send("NRCB", "/v1/loans", b" " * (MB + 1)))


# ---- ids that are none ----------------------------------------------------------------

IDS = (
    "%00", "a%00b", "%ED%A0%80", "%F0%9F%98%80", "%E2%80%8B", "%E3%80%80", "%0A", "%20%20", "-1",
    "0", "99999999999999999999", "x" * 5_000, "%D9%A1", "%EF%BC%91", "1.5", "NaN", "..%2F..",
    "------------------------------------.1", "00000000-0000-5000-8000-00000000000.1",
    "00000000-0000-5000-8000-000000000000.0", "00000000-0000-5000-8000-000000000000.999999999",
    "00000000-0000-5000-8000-000000000000.9999999999999", "%FF%FE", "%25", "{no}", "a'b\"c;--",
)  # fmt: skip


def test_a_malformed_id_is_never_a_fault_of_the_service_whoever_asks(api: Api) -> None:
    asked = 0
    for method, path in routes(api):
        if "{" not in path:
            continue
        for at, id in enumerate(IDS):
            who = ("AUDIT", "NRCB", "T01", "FINANCE", "CENTRE")[at % 5]
            way = "/".join(id if step.startswith("{") else step for step in path.split("/"))
            key = {"Authorization": f"Bearer {api.keys[who]}"}
            body = TOLD if method == "POST" else None
            query = ("", "?position=9223372036854775808")[asked % 2]
            answer = api.client.request(method, way + query, headers=key, json=body)
            assert answer.status_code in (200, 403, 404, 405, 422), (
                method, way[:90], who, answer.status_code, answer.text[:300])  # fmt: skip
            asked += 1
    assert asked > 500


def test_a_malformed_id_in_a_query_is_never_a_fault_of_the_service(api: Api) -> None:
    """Every parameter of every route gets a share of them, and every parameter's name gets all."""
    spec = api.get("", "/v1/openapi.json").json()["paths"]
    given: dict[str, set[str]] = {}
    for path, methods in spec.items():
        for parameter in methods.get("get", {}).get("parameters", ()):
            if parameter["in"] != "query":
                continue
            seen = given.setdefault(parameter["name"], set())
            for id in sorted(set(IDS) - seen)[:6] or sorted(IDS)[:2]:
                seen.add(id)
                way = path.replace("{no}", "L1").replace("{event_id}", "x")
                answer = api.get("AUDIT", f"{way}?{parameter['name']}={id}")
                assert answer.status_code < 500, (way, parameter["name"], id[:40], answer.text)
    assert set().union(*given.values()) == set(IDS)


@pytest.mark.parametrize(
    "path",
    ["/v1/log/proofs/inclusion?position=999999&size=1",
     "/v1/log/proofs/inclusion?position=1&size=999999",
     "/v1/log/proofs/consistency?old=0&size=999999",
     "/v1/ledgers/loans?position=999999", "/v1/log/checkpoint?position=999999",
     "/v1/log/checkpoint?old=999999"],
)  # fmt: skip
def test_a_proof_beyond_the_log_is_refused_at_once(api: Api, path: str) -> None:
    answer = api.get("AUDIT", path)
    assert answer.status_code == 422, answer.text
    contradicts_itself = path.endswith("&size=1")
    assert answer.json()["code"] == ("malformed" if contradicts_itself else "beyond_log")
    assert "retry-after" not in answer.headers


# ---- no room --------------------------------------------------------------------------


@pytest.mark.parametrize("state", ["53100", "53200", "53300", "25006", "57P03"])
def test_a_database_without_room_or_readable_only_is_503_and_not_500(api: Api, state: str) -> None:
    support.done(
        api.place.owner_dsn,
        "CREATE FUNCTION public.no_room() RETURNS trigger LANGUAGE plpgsql AS"
        f" $$ BEGIN RAISE EXCEPTION 'could not extend file' USING ERRCODE = '{state}'; END $$",
        "CREATE TRIGGER no_room BEFORE INSERT ON ledger.event"
        " FOR EACH STATEMENT EXECUTE FUNCTION public.no_room()",
        "ALTER TABLE ledger.event ENABLE ALWAYS TRIGGER no_room",
    )
    try:
        answer = api.submit("NRCB", "/v1/loans", loan(f"full-{state}"))
        lines = api.send("NRCB", "/v1/submissions", json.dumps(
            {"type": "loan", **loan(f"full-{state}")}).encode(), NDJSON)  # fmt: skip
    finally:
        support.done(
            api.place.owner_dsn,
            "DROP TRIGGER no_room ON ledger.event",
            "DROP FUNCTION public.no_room()",
        )
    for said in (answer, lines):
        assert said.status_code == 503, said.text
        assert said.json()["code"] == ("no_room" if state == "53100" else "unavailable")
        assert "retry-after" in said.headers
    assert api.submit("NRCB", "/v1/loans", loan(f"full-{state}")).status_code == 201


def test_a_full_disk_under_uploads_is_503_and_not_500(
    api: Api, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Files of any size but none are too large for this process: as on a full disk."""
    import resource

    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    usual = resource.getrlimit(resource.RLIMIT_FSIZE)
    import signal

    ignoring = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, usual[1]))
    try:
        answer = api.send("NRCB", "/v1/submissions", b'{"x":1}\n' * 10_000, NDJSON)
        form = part("file", '; filename="a"').replace(b"1\r\n", b"a" * 2 * MB + b"\r\n")
        upload = api.send(
            "NRCB", "/v1/files", form + part("kind") + b"--cut--\r\n",
            "multipart/form-data; boundary=cut",
        )  # fmt: skip
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, usual)
        signal.signal(signal.SIGXFSZ, ignoring)
    for said in (answer, upload):
        assert (said.status_code, said.json()["code"]) == (503, "no_room")


def test_the_loop_was_watched(api: Api) -> None:
    api.ticker.start()
    asyncio.run(asyncio.sleep(10 * Ticker.STEP_SECONDS))
    assert 0 < api.ticker.longest() < 60


# ---- recorded, and yet it looks wrong --------------------------------------------------


def test_what_is_recorded_and_looks_wrong_is_said_in_the_first_answer(api: Api) -> None:
    moved = {
        "effective_on": "2023-05-01", "year": 2023, "payer": "国库", "payee": "专户",
        "amount_fen": 1, "purpose": "贴息", "voucher": "PZ-1",
    }  # fmt: skip
    first = api.submit("FINANCE", "/v1/funds/transfers", {**moved, "ref": "ZZ-1"})
    second = api.submit("FINANCE", "/v1/funds/transfers", {**moved, "ref": "ZZ-2"})
    assert (first.status_code, second.status_code) == (201, 201)
    assert "warnings" not in first.json()
    [warned] = second.json()["warnings"]
    assert (warned["code"], warned["field"]) == ("voucher_used", "voucher")
    assert "PZ-1" in warned["zh"]
    line = json.dumps({**moved, "type": "fund-transfer", "ref": "ZZ-3"}).encode()
    answer = json.loads(api.send("FINANCE", "/v1/submissions", line, NDJSON).text)
    assert answer["warnings"] == [warned]


def test_the_extension_of_a_settled_loan_is_recorded_with_a_warning(api: Api) -> None:
    assert api.submit("NRCB", "/v1/loans", loan("X-1")).status_code == 201
    payer = {"account": "62220001", "name": "张三"}
    paid = {"principal_fen": 5_000_000, "interest_fen": 0, "penalty_fen": 0, "payer": payer}
    said = api.submit("NRCB", "/v1/loans/X-1/repayments", {**TOLD, "ref": "H-1", **paid})
    assert said.status_code == 201
    longer = {"agreed_on": "2023-06-01", "new_due_on": "2024-09-10", "ref": "ZQ-1"}
    said = api.submit("NRCB", "/v1/loans/X-1/extensions", {**longer, "effective_on": "2023-06-01"})
    assert said.status_code == 201
    assert [each["code"] for each in said.json()["warnings"]] == ["loan_settled"]


def test_an_export_of_an_unknown_ending_is_refused_and_writes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "loans.docx"
    said = CliRunner().invoke(app, ["export", str(path)])
    assert said.exit_code == 2
    assert not path.exists()

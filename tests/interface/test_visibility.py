"""Nobody reads what is not his: every read route as every role, beside domain.md §1, cell by cell.

The oracle is written here from domain.md §1 and from this county's own story; it asks nothing of
domain/visibility.py. A topic or a route that it does not know fails.
"""

from __future__ import annotations

import base64
import csv
import io
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple
from uuid import UUID

import psycopg
import pytest
from python_calamine import CalamineWorkbook
from support import controls as c
from support.columns import declared
from support.contract import fault_of
from support.county import conversation
from support.everything import submit_everything
from support.service import Callers, service

from application.access import Organisation, enrol, issue_key
from application.commands import subsidy
from application.commands.batch import PostNotice, RaiseObjection, ResolveObjection, VerifyBatch
from application.commands.subsidy import subsidy_due
from application.ledger import Ledger
from domain.batch import Batch, Run
from domain.case import Case
from domain.catalogue import EVENTS
from domain.household import Household
from domain.kernel import Author
from domain.loan import Loan
from domain.publication import Edition
from domain.roles import Role
from domain.visibility import READERS
from interface.exports.file_head import CODE_NAMES
from interface.exports.table_files import file_columns
from interface.http.permissions import QUERIES
from projections.columns import BORROWER_NAME

FEWEST_CELLS: Final = 140_000
COUNTY: Final = ("CENTRE", "BUREAU", "FINANCE", "AUDIT")
OTHER_GUARANTOR = Author("guarantor", "DB2", "ding")
ID_NO_3 = "411381198001011018"
SLIP = {"day_count": 360, "segments": [], "rulings": {}, "reasons": [], "amount_fen": 0}

# ---- the county's story ---------------------------------------------------------------

TOWNSHIPS = {"H1": "T01", "H2": "T02", "H3": "T02", "H4": "T02", "H5": "T01"}
LOANS = {
    "L1": ("NRCB", "H1"), "R1": ("NRCB", "H1"), "OD1": ("PSBC", "H1"), "P2": ("PSBC", "H2"),
    "N3": ("NRCB", "H3"), "N4": ("NRCB", "H4"),
}  # fmt: skip
LENDS_TO_MEMBERS = {"NRCB": {"H1"}, "PSBC": {"H1", "H2"}}
"""N3's borrower is no member of H3; N4 was reversed; H2 was refused credit and rated by NRCB."""
GUARANTEED = {"DB": {"L1"}, "DB2": {"P2"}}
"""DB guaranteed R1 as well, and reversed that."""
LINES = {
    "PC-0": {"NRCB": {1, 2, 3, 4, 5}, "T01": {1, 2, 3, 4, 5}},
    "PC-1": {"NRCB": {1, 2, 3, 4, 5}, "T01": {1, 2, 3, 4, 5}},
    "PC-2": {"NRCB": {1}, "T01": {1}},
    "PC-3": {"NRCB": {1}, "T01": {1}, "PSBC": {2}, "T02": {2}},
}


def _tell_the_rest(ledger: Ledger) -> None:
    """Another township, its households, a second bank's loan, a second guarantee company."""
    li = {"name": "李四", "id_no": c.OTHER_ID_NO, "relation": "户主", "head": True}
    wu = {"name": "吴五", "id_no": ID_NO_3, "relation": "户主", "head": True}
    bank2 = {"bank": "PSBC", "loan_no": "P2"}
    refused = {"decision": "refused", "amount_fen": None, "reason": "不合", "told_on": "2023-03-02"}
    ledger.submit(c.benefit_payment(ref="FH-9"), c.TOWNSHIP)
    for n, people in ((2, [li]), (3, [wu]), (4, [wu])):
        told = {"household_no": f"H{n}", "township_code": "T02", "village": "柳河村"}
        ledger.submit(c.household(ref=f"HH-{n}", members=people, **told), c.BUREAU)
    ledger.submit(c.household(ref="HH-5", household_no="H5"), c.BUREAU)
    ledger.submit(c.erasure(household_no="H5", effective_on="2024-06-01"), c.BUREAU)
    second: list[Any] = [
        (c.demand(ref="DM-2", household_no="H2"), c.OTHER_TOWNSHIP),
        (c.credit(ref="CG-2", household_no="H2"), c.OTHER_BANK),
        (c.credit(ref="CX-N2", household_no="H2", **refused), c.BANK),
        (c.rating(ref="PJ-N2", household_no="H2"), c.BANK),
        (c.rating(ref="PJ-2", household_no="H2"), c.OTHER_BANK),
        (c.rating(ref="PJ-1P"), c.OTHER_BANK),
        (_loan("P2", "H2", c.OTHER_ID_NO), c.OTHER_BANK),
        (c.check(ref="UC-P2", **bank2), c.OTHER_TOWNSHIP),
        (c.pay(ref="PAY-P2", **bank2), c.FINANCE),
        (c.guarantee(ref="DB2-1", **bank2), OTHER_GUARANTOR),
        (c.risk(ref="FX-2", risk_no="FX-2", household_no="H2", **bank2), c.OTHER_BANK),
        (_loan("N3", "H3", c.ID_NO, 1), c.BANK),
        (c.agreement(ref="LJ-2", agreement_no="LJ-2", households=["H2"]), c.OTHER_TOWNSHIP),
        (
            c.publication(
                Edition("表\r\n", 0, "2024-01-09T00:00:00Z", 1, "00"),
                ref="GB-2", publication_no="ZJ-1", report="funds",
            ),
            c.CENTRE,
        ),
    ]  # fmt: skip
    for command, by in second:
        ledger.submit(command, by)
    for command, by in (
        (_loan("N4", "H4", ID_NO_3, 1), c.BANK),
        (c.guarantee(ref="DB-R1", loan_no="R1", effective_on="2024-06-02"), c.GUARANTOR),
    ):
        told = ledger.submit(command, by)
        if by is c.BANK:
            ledger.submit(c.look(ref="LK-4", household_no="H4"), by)
        day = "2024-06-03"
        ledger.submit(c.correct(told.event_ids[0], ref=f"FIX-{command.ref}", effective_on=day), by)
    also = {"bank": "PSBC", "loan_no": "OD1", "period": "2022Q1", "amount_fen": 1}
    ledger.submit(c.pay(ref="PAY-OD", **also), c.FINANCE)  # NRCB lent to the household as well
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(subsidy, "subsidy_due", _due_as_once)
        ledger.submit(c.pay(ref="PAY-OLD", voucher="V-O", **also | {"amount_fen": 2}), c.FINANCE)
    ledger.submit(c.look(), c.BANK)
    ledger.submit(c.look(), c.AUDITOR)
    ledger.submit(c.look(), c.TOWNSHIP)
    _tell_a_batch_of_two_banks(ledger)


def _due_as_once(ledger: Ledger, loan: Loan, period: Any) -> Any:
    """What a payment rests on as it was stored before: with the household's loans at all banks."""
    calculation, grounds = subsidy_due(ledger, loan, period)
    all_of_them = {
        str(Loan.id_for(bank, no)): 1 for no, (bank, home) in LOANS.items() if home == "H1"
    }
    return calculation, grounds | {"household_loans": all_of_them}


def _loan(no: str, household: str, borrower: str, fen: int = 5_000_000) -> Any:
    told = {"ref": f"LN-{no}", "loan_no": no, "contract_no": f"C{no}", "household_no": household}
    return c.loan(borrower_id_no=borrower, principal_fen=fen, credited_fen=fen, **told)


def _tell_a_batch_of_two_banks(ledger: Ledger) -> None:
    other = {
        "loan_id": Loan.id_for("PSBC", "P2"), "bank": "PSBC", "loan_no": "P2",
        "household_no": "H2", "township": "T02", "village": "柳河村",
    }  # fmt: skip
    lines = (
        c.batch_line(1, 300, calculation=SLIP),
        c.batch_line(2, 300, calculation=SLIP, **other),
    )
    named = {"batch_no": "PC-3"}
    objection = {"reason": "该户已外迁", "line": 2}
    posted = {"until_on": "2024-02-20", "place": "公示栏", "level": "village"}
    for command, by in (
        (c.batch_of(Run(lines, 1, 2), ref="PC-3", effective_on="2024-02-01", **named), c.CENTRE),
        (c.step(VerifyBatch, "HS-3", "2024-02-02"), c.BUREAU),
        (c.step(PostNotice, "GS-3T", "2024-02-03", **posted), c.OTHER_TOWNSHIP),
        (c.step(RaiseObjection, "YY-3", "2024-02-04", **objection), c.OTHER_TOWNSHIP),
        (c.step(RaiseObjection, "YY-4", "2024-02-04", reason="全批材料不齐"), c.FINANCE),
        (
            c.step(ResolveObjection, "CL-3", "2024-02-05", objection_no="YY-3", upheld=False,
                   reason="经查不属实"),
            c.CENTRE,
        ),
    ):  # fmt: skip
        ledger.submit(command.model_copy(update=named), by)


# ---- the oracle: domain.md §1 ---------------------------------------------------------

OF_THE_REGISTER = {"registered", "status-changed", "members-changed", "erased"}
OF_THE_WHOLE_BATCH = {"estimated", "proposed", "verified", "notice-posted", "approved", "returned"}
KINDS = {
    "household", "loan", "bank-report", "programme", "batch", "batch-register", "fund",
    "publication", "risk", "risk-fund", "benefit", "case", "case-register", "account-register",
}  # fmt: skip


class Event(NamedTuple):
    """One event of the log, as it is stored."""

    position: int
    id: str
    originator: UUID
    topic: str
    organisation: str
    content: dict[str, Any]

    @property
    def kind(self) -> str:
        return self.topic.split(".")[0]

    @property
    def what(self) -> str:
        return self.topic.split(".")[1]


class Reader(NamedTuple):
    code: str
    role: str


OWN_ACTS = {
    "NRCB": {"H2"}, "DB": {"H1"}, "PSBC": {"H1", "H2"},
    "T01": {"H1", "H5"}, "T02": {"H2", "H3", "H4"},
}  # fmt: skip
"""Households of which it recorded something itself, or that are its own."""
LOAN_OF = {Loan.id_for(bank, no): no for no, (bank, _) in LOANS.items()}
HOUSEHOLD_OF = {Household.id_for(no): no for no in TOWNSHIPS}
BATCH_OF = {Batch.id_for(no): no for no in LINES}


def reads_loan(reader: Reader, no: str) -> bool:
    bank, household = LOANS[no]
    if reader.role == "bank":
        return bank == reader.code
    if reader.role == "township":
        return TOWNSHIPS[household] == reader.code
    return no in GUARANTEED.get(reader.code, ())


def foreign_aggregates(reader: Reader) -> set[UUID]:
    """Loans, and households with which the reader has nothing to do: not even their ids are its.

    An id is a hash of bank and number, or of a household's number: who guesses finds both.
    """
    if reader.role == "admin":
        return {*LOAN_OF, *HOUSEHOLD_OF}
    if reader.code in COUNTY:
        return set()
    mine = {"R1"} if reader.code == "DB" else set()  # it guaranteed R1, and took that back
    loans = {id for id, no in LOAN_OF.items() if not reads_loan(reader, no) and no not in mine}
    known = {LOANS[no][1] for no in LOANS if reads_loan(reader, no)} | OWN_ACTS.get(
        reader.code, set()
    )
    return loans | {id for id, no in HOUSEHOLD_OF.items() if no not in known}


def reads(reader: Reader, event: Event) -> bool:
    """Whether domain.md §1 lets a reader see an event."""
    assert event.kind in KINDS, event.topic
    if reader.role in ("admin", "auditor"):
        return reader.role == "auditor"
    if event.organisation == reader.code or event.content.get("asked") == reader.code:
        return True
    if event.kind in ("case", "case-register") or event.what == "looked-at":
        return (event.what, reader.role) == ("looked-at", "bureau")
    return reader.code in COUNTY or event.kind == "programme" or reads_elsewhere(reader, event)


def reads_elsewhere(reader: Reader, event: Event) -> bool:
    """What an organisation below the county may see of what others recorded."""
    told, bank = event.content, reader.role == "bank"
    match event.kind:
        case "loan":
            return reads_loan(reader, LOAN_OF[event.originator])
        case "household":
            return reads_of_household(reader, event)
        case "batch":
            return reader.role != "guarantor" and reads_of_batch(reader, event)
        case "risk":  # FX-1 is of L1, FX-2 of P2
            return reads_loan(reader, {"FX-1": "L1", "FX-2": "P2"}[told["risk_no"]])
    ours = event.kind == "risk-fund" and bank and told.get("bank") == reader.code
    published = event.kind == "publication" and told["report"] in ("townships", "annual")
    return ours or (published and reader.role != "guarantor")


def reads_of_household(reader: Reader, event: Event) -> bool:
    number = HOUSEHOLD_OF[event.originator]
    if reader.role == "township":
        return TOWNSHIPS[number] == reader.code
    if number not in LENDS_TO_MEMBERS.get(reader.code, ()):
        return False
    corrects = event.content.get("corrects_topic", event.topic)
    return corrects.split(".")[1] in OF_THE_REGISTER


def reads_of_batch(reader: Reader, event: Event) -> bool:
    lines = LINES[BATCH_OF[event.originator]].get(reader.code, set())
    if event.what == "notice-posted" and reader.role == "township":
        return bool(lines) and not event.content.get("township")  # its own: see `reads`
    if event.what in OF_THE_WHOLE_BATCH:
        return bool(lines)
    if event.what.startswith("objection"):
        return bool(lines) and event.content.get("line") in {None, *lines}
    told_by_or_to_it = event.what in ("ordered", "result-told", "result-corrected")
    return told_by_or_to_it and event.content["bank"] == reader.code


# ---- the routes -----------------------------------------------------------------------

OFFICES = frozenset({"centre", "bureau", "finance", "auditor"})
LOCAL = OFFICES | {"bank", "township"}
OF_LOANS = LOCAL | {"guarantor"}
WATCHERS = frozenset({"bureau", "auditor"})
EVERYBODY = OF_LOANS | {"admin"}
ANY: Final = ({},)


class Route(NamedTuple):
    """Who may ask a route at all, and with what; {braces} are filled from the county."""

    roles: frozenset[str]
    queries: tuple[Mapping[str, Any], ...] = ANY
    file: bool = True
    """Whether it leaves as CSV and XLSX too."""


ROUTES = {
    "/ledgers/loans": Route(OF_LOANS),
    "/ledgers/subsidies": Route(OF_LOANS),
    "/changes": Route(
        OF_LOANS,
        tuple({"known_from": "2020-01-01T00:00:00Z", "ledger": x} for x in ("loans", "subsidies")),
    ),
    "/loans/{loan}": Route(OF_LOANS, file=False),
    "/loans/{loan}/history": Route(OF_LOANS),
    "/loans/{loan}/subsidies/2023Q2": Route(OF_LOANS, file=False),
    "/households/{household}": Route(LOCAL, file=False),
    "/households/{household}/history": Route(LOCAL),
    "/households/{household}/looks": Route(WATCHERS),
    "/events/{event}": Route(OF_LOANS, file=False),
    "/search": Route(
        OF_LOANS,
        tuple(
            {"q": q}
            for q in (
                "L1",
                "P2",
                "H1",
                "H2",
                "PAY-1",
                "PAY-P2",
                "PC-3",
                "XS-1",
                "ZJ-1",
                "YB-2023-12",
                "#3",
                "V-1",
            )
        ),
        file=False,
    ),
    "/subsidy-payments/{payment}/trace": Route(OF_LOANS, file=False),
    "/subsidy-payments/{slip}/slip": Route(OF_LOANS, file=False),
    "/subsidy-payments/{payment}/evidence": Route(OF_LOANS, file=False),
    "/duties": Route(OF_LOANS),
    "/duties/summary": Route(OF_LOANS),
    "/duties/calendar.ics": Route(OF_LOANS, file=False),
    "/indicators": Route(OFFICES, file=False),
    "/settlement": Route(LOCAL, ({"period": "2023Q2"},)),
    "/red-flags": Route(OFFICES),
    "/red-flags/schemes": Route(OFFICES),
    "/red-flags/runs": Route(OFFICES),
    "/red-flags/changes": Route(OFFICES),
    "/red-flags/inbox": Route(OFFICES),
    "/red-flags/backtest": Route(OFFICES, file=False),
    "/red-flags/RF28/evidence": Route(WATCHERS, ({"subject": "NRCB/wang H4"},), file=False),
    "/cases": Route(OF_LOANS),
    "/cases/XS-1": Route(frozenset({"bank", "auditor"}), file=False),
    "/fund-flow": Route(OFFICES, ({}, {"household_no": "H1", "hops": 3})),
    "/fund-flow/edges": Route(OFFICES),
    "/fund-flow/paths": Route(OFFICES, ({"from": "bank:NRCB", "to": "household:H1"},)),
    "/fund-flow/misuse": Route(OFFICES),
    "/fund-flow/unlinked": Route(OFFICES, ({}, {"category": "loan_flow_unobserved"})),
    "/entities": Route(OFFICES),
    "/entities/{pseudonym}": Route(OFFICES),
    "/ratings": Route(LOCAL),
    "/risks": Route(OF_LOANS),
    "/guarantees": Route(OFFICES | {"bank", "guarantor"}),
    "/ledgers/risk-fund": Route(OFFICES),
    "/ledgers/transfers": Route(OFFICES),
    "/benefits": Route(OFFICES | {"township"}),
    "/benefits/instalments": Route(OFFICES | {"township"}),
    "/reports/annual": Route(LOCAL),
    "/reports/banks": Route(OFFICES | {"bank"}),
    "/reports/townships": Route(LOCAL),
    "/reports/plan-check": Route(LOCAL, file=False),
    "/publications": Route(LOCAL),
    "/publications/YB-2023-12": Route(LOCAL, file=False),
    "/publications/ZJ-1": Route(OFFICES, file=False),
    "/publications/YB-2023-12/check": Route(OFFICES, file=False),
    "/programme/rulings": Route(LOCAL, file=False),
    "/programme/replay": Route(OFFICES, ({"period": "2023Q2"},)),
    "/batches": Route(LOCAL),
    "/batches/{batch}": Route(LOCAL, file=False),
    "/batches/{batch}/lines": Route(LOCAL),
    "/batches/PC-3/slip": Route(
        LOCAL, ({"household_no": "H1"}, {"household_no": "H2"}), file=False
    ),
    "/batches/{batch}/notice": Route(LOCAL),
    "/batches/{batch}/payment-order": Route(OFFICES | {"bank"}),
    "/ledgers/funds": Route(OFFICES),
    "/ledgers/journal": Route(OFFICES),
    "/log": Route(EVERYBODY, file=False),
    "/log/checkpoint": Route(EVERYBODY, file=False),
    "/log/checkpoint/page": Route(EVERYBODY, file=False),
    "/log/proofs/inclusion": Route(EVERYBODY, ({"position": 1, "size": 2},), file=False),
    "/log/proofs/consistency": Route(EVERYBODY, ({"old": 1, "size": 2},), file=False),
    "/log/receipts/{event}": Route(OF_LOANS, file=False),
    "/log/receipts": Route(OF_LOANS, ({"limit": 1000},), file=False),
    "/log/witness": Route(EVERYBODY, file=False),
}
NAMED = {
    "{loan}": sorted(LOANS),
    "{household}": sorted(TOWNSHIPS),
    "{batch}": sorted(LINES),
    "{payment}": ["PAY-1", "PAY-P2", "PAY-OD", "PC-1-1"],
    "{slip}": ["PAY-1", "PAY-P2"],
}
IN_THE_CONTRACT = {
    "loan": "no", "household": "no", "payment": "no", "slip": "no", "batch": "no",
    "event": "event_id",
}  # fmt: skip
ANOTHER_NAME = {"XS-1", "PC-3", "YB-2023-12", "ZJ-1"}


def in_the_contract(path: str) -> str:
    """A route's path as the OpenAPI document has it."""
    for ours, theirs in IN_THE_CONTRACT.items():
        path = path.replace(f"{{{ours}}}", f"{{{theirs}}}")
    parts = ["{no}" if part in ANOTHER_NAME else part for part in path.split("/")]
    path = "/v1" + "/".join(parts).replace("/RF28/", "/{rule}/")
    return path.replace("/subsidies/2023Q2", "/subsidies/{period}")


# ---- what an answer mentions ----------------------------------------------------------

EVENT_ID = re.compile(r"\b[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}\.[0-9]+\b")
AGGREGATE = re.compile(r"\b[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}\b")
LEAF = re.compile(r'"leaf":"([^"]+)"|^extra (\S+)$|\\nextra (.+?)\\n', re.MULTILINE)
OTHERS = {
    "NRCB": ("PSBC", "DB2", "P2", "OD1"), "PSBC": ("NRCB", "L1", "R1", "N3", "N4"),
    "T01": ("T02", "H2", "H3", "H4", "P2"), "T02": ("T01", "H1", "H5", "L1", "R1", "OD1"),
    "DB": ("DB2", "PSBC", "P2", "H2", "OD1"), "DB2": ("NRCB", "H1", "L1", "R1", "OD1"),
}  # fmt: skip
"""Names that must not stand in any answer to them: of banks, loans, households, townships."""
_NAMES = "|".join(sorted({name for names in OTHERS.values() for name in names}))
SOMEBODY = re.compile(rf"(?<![0-9A-Za-z])(?:{_NAMES})(?![0-9A-Za-z])")


ENCODED = re.compile(r"[0-9A-Za-z+/=_-]{24,}")
"""Signatures, hashes, ids: any two letters may stand in them."""
_POSITION = slice(8, 16)
"""Where a leaf says at which position its event stands (docs/tamper-evidence.md)."""


class Mentions(NamedTuple):
    events: frozenset[str]
    positions: frozenset[int]
    names: frozenset[str]
    aggregates: frozenset[UUID]


def mentioned(answer: Any) -> Mentions:
    """Event ids and names in an answer; and the positions of the leaves that it proves."""
    text = text_of(answer)
    leaves = [base64.b64decode(next(filter(None, m))) for m in LEAF.findall(text)]
    told = [leaf[leaf.find(b"{") : leaf.rfind(b"}")].decode("utf-8", "ignore") for leaf in leaves]
    words = ENCODED.sub(" ", " ".join([text, *told]))
    return Mentions(
        frozenset(EVENT_ID.findall(text)),
        frozenset(int.from_bytes(leaf[_POSITION]) for leaf in leaves),
        frozenset(SOMEBODY.findall(words)),
        frozenset(UUID(id) for id in AGGREGATE.findall(" ".join([text, *told]))),
    )


def text_of(answer: Any) -> str:
    if answer.content[:2] == b"PK":
        sheet = CalamineWorkbook.from_filelike(io.BytesIO(answer.content)).get_sheet_by_index(0)
        return "\n".join(str(cell) for row in sheet.to_python() for cell in row)
    text = str(answer.content.decode("utf-8-sig"))
    if text.startswith('{"format":"mingzhang-evidence/'):
        bundle = json.loads(text)
        bundle.pop("rules")
        return json.dumps(bundle, ensure_ascii=False, separators=(",", ":"))
    return text


# ---- the county and its readers -------------------------------------------------------


class County(NamedTuple):
    callers: Callers
    events: list[Event]
    readers: list[Reader]
    pseudonyms: list[str]


@pytest.fixture(scope="module")
def county(shared_database: Any) -> Iterator[County]:
    owner = shared_database.owner_dsn
    with conversation(shared_database) as ledger:
        enrol(owner, [Organisation("DB2", "guarantor", "第二担保公司")])
        submit_everything(ledger)
        _tell_the_rest(ledger)
    with psycopg.connect(owner) as connection:
        rows = connection.execute(
            "SELECT position, originator_id || '.' || originator_version, originator_id, topic,"
            " organisation, convert_from(state, 'UTF8')::json FROM ledger.event ORDER BY position"
        ).fetchall()
        roles = dict(connection.execute("SELECT code, role FROM ledger.organisation").fetchall())
    events = [Event(*row) for row in rows]
    with service(shared_database) as callers:
        callers.keys["DB2"] = issue_key(owner, "DB2", "db2-1")
        last = events[-1].position
        assert callers.AUDIT.get("/ledgers/loans", position=last).status_code == 200
        assert callers.AUDIT.get("/log/checkpoint", position=last).status_code == 200
        listed = callers.AUDIT.get("/entities").json()["lines"]
        readers = [Reader(code, roles[code]) for code in roles if code in callers.keys]
        yield County(callers, events, readers, [line["pseudonym"] for line in listed][:2])


def test_the_county_has_every_topic_and_every_role(county: County) -> None:
    assert {event.topic for event in county.events} == EVENTS.keys()
    assert {reader.role for reader in county.readers} == {*Role}


def test_the_table_knows_every_topic_and_no_other() -> None:
    assert READERS.keys() == EVENTS.keys()


def test_the_table_of_queries_lets_each_role_ask_what_is_its_own_and_no_other() -> None:
    """A case and a rule are shown to fewer than may ask: what is not theirs is not found (404)."""
    for role in Role:
        asked = {query for query, words in QUERIES.items() if words.get(role, "-") != "-"}
        allowed = {in_the_contract(path) for path, route in ROUTES.items() if role in route.roles}
        if role in OF_LOANS:
            allowed.add(in_the_contract("/cases/XS-1"))
        if role in OFFICES:
            allowed.add(in_the_contract("/red-flags/RF28/evidence"))
        assert {f"/v1{query}" for query in asked} == allowed, role


def test_the_walk_knows_every_read_route(county: County) -> None:
    contract = county.callers.client.get("/v1/openapi.json").json()["paths"]
    gets = {path for path, methods in contract.items() if "get" in methods} - {"/healthz"}
    assert gets == {in_the_contract(path) for path in ROUTES}, "who may read a new route?"


def every_request(county: County) -> Iterator[tuple[str, Route, str, Mapping[str, Any]]]:
    """Each route with each thing that it can be asked about."""
    some = {event.topic: event.id for event in county.events if event.position % 5 == 0}
    named = NAMED | {"{event}": list(some.values()), "{pseudonym}": county.pseudonyms}
    for path, route in ROUTES.items():
        places = [place for place in named if place in path]
        for name in named[places[0]] if places else [""]:
            concrete = path.replace(places[0], name) if places else path
            for query in route.queries:
                yield path, route, concrete, query


def test_every_answer_is_as_the_contract_says(county: County) -> None:
    contract = county.callers.client.get("/v1/openapi.json").json()
    answered, faults = set(), set()
    for path, _, concrete, query in every_request(county):
        for reader in ("AUDIT", "NRCB", "T01"):
            answer = getattr(county.callers, reader).get(concrete, **query)
            faults.add(fault_of(contract, "get", in_the_contract(path), answer))
            if answer.status_code == 200:
                answered.add(path)
    assert faults == {None}
    assert answered == ROUTES.keys()


FORMS = ("/notice", "-order")
"""Files that are posted, or filled in and sent back: they say nothing of themselves."""


def test_every_table_has_declared_columns_in_json_and_in_a_file(county: County) -> None:
    columns = {column for table in declared().values() for column in table} | {BORROWER_NAME}
    known = {column.key for column in columns}
    titles = {each.heading for each in file_columns((*columns, *CODE_NAMES.values()))}
    headed = 0
    for path, route, concrete, query in every_request(county):
        if not route.file:
            continue
        answer = county.callers.AUDIT.get(concrete, accept="text/csv", **query)
        assert answer.status_code in (200, 404), f"{concrete}: {answer.text}"
        if answer.status_code == 200:
            described = "-known-" in answer.headers["content-disposition"]
            assert described == (not path.endswith(FORMS)), concrete
            heading = next(csv.reader(io.StringIO(answer.content.decode("utf-8-sig"))))
            assert set(heading) <= titles, f"{concrete}: {set(heading) - titles}"
            headed += 1
        if path == "/ledgers/journal":  # a file alone
            continue
        content = county.callers.AUDIT.get(concrete, **query).json()
        if isinstance(content, dict):
            shown = {name for line in content.get("lines", ()) for name in line}
            assert shown <= known, f"{concrete}: {shown - known}"
    assert headed > 40


def test_every_reader_is_shown_what_is_his_and_nothing_else(
    county: County, record_property: Any
) -> None:
    cells = 0
    wrong: list[str] = []
    by_id = {event.id: event for event in county.events}
    by_position = {event.position: event for event in county.events}
    for reader in county.readers:
        own = {event.id: reads(reader, event) for event in by_id.values()}
        hidden, foreign = OTHERS.get(reader.code, ()), foreign_aggregates(reader)
        for path, route, concrete, query in every_request(county):
            forms = ["application/json"] + ["text/csv"] * (
                route.file and path == concrete and route.roles != OFFICES
            )
            for form in forms:
                caller = getattr(county.callers, reader.code)
                answer = caller.get(concrete, accept=form, **query)
                what = f"{reader.code} {concrete} {dict(query)} {form}"
                if reader.role not in route.roles:
                    if answer.status_code not in (403, 404):
                        wrong.append(f"{what}: {answer.status_code}, not for this role")
                    continue
                if answer.status_code not in (200, 404):
                    wrong.append(f"{what}: {answer.status_code} {answer.text[:200]}")
                    continue
                cells += len(county.events) + len(hidden) + len(foreign)
                if answer.status_code == 404:
                    continue
                found = mentioned(answer)
                shown = found.events & by_id.keys()
                shown |= {by_position[place].id for place in found.positions}
                wrong += [f"{what}: shows {by_id[id].topic} {id}" for id in shown if not own[id]]
                wrong += [f"{what}: names {name}" for name in found.names & {*hidden}]
                wrong += [f"{what}: has the id {id}" for id in found.aggregates & foreign]
    record_property("cells", cells)
    print(f"{cells} cells")
    assert not wrong, "\n".join(wrong)
    assert cells > FEWEST_CELLS


def _ids(answer: Any) -> set[str]:
    return {*EVENT_ID.findall(text_of(answer))} if answer.status_code == 200 else set()


def test_nothing_is_missing_of_what_a_reader_may_see(county: County) -> None:
    """A history, a receipt, a trace: exactly the events of domain.md §1."""
    cells = 0
    wrong: list[str] = []
    one_of_each = {event.topic: event for event in county.events}
    for reader in county.readers:
        caller = getattr(county.callers, reader.code)
        own = {event.id for event in county.events if reads(reader, event)}
        for kind, places in (("loan", LOAN_OF), ("household", HOUSEHOLD_OF)):
            if reader.role == "admin" or (kind, reader.role) == ("household", "guarantor"):
                continue
            for id, number in places.items():
                there = {event.id for event in county.events if event.originator == id}
                named = (
                    {"bank": LOANS[number][0]} if kind == "loan" and reader.role != "bank" else {}
                )
                shown = _ids(caller.get(f"/{kind}s/{number}/history", **named))
                shown = {id for id in shown if id in there}
                cells += len(there)
                wrong += [f"{reader.code} {number} {id}" for id in shown ^ (there & own)]
        for event in one_of_each.values():
            answer = caller.get(f"/log/receipts/{event.id}")
            cells += 1
            local = reader.code not in COUNTY
            his = event.organisation == reader.code if local else event.id in own
            if (answer.status_code == 200) != (his and reader.role != "admin"):
                wrong.append(f"{reader.code} receipt {event.topic} {answer.status_code}")
    listed = _ids(county.callers.AUDIT.get("/log/receipts", limit=1000))
    assert listed >= {event.id for event in county.events}, "the auditor reads everything"
    print(f"{cells} cells")
    assert not wrong, "\n".join(wrong)


def test_a_bank_sees_no_other_bank_in_a_trace_and_an_office_sees_all(county: County) -> None:
    """The household's loan, refusal and rating at PSBC are none of NRCB's business."""
    traced = county.callers.NRCB.get("/subsidy-payments/PAY-1/trace").json()
    whole = county.callers.FINANCE.get("/subsidy-payments/PAY-1/trace").json()
    guaranteed = county.callers.DB.get("/subsidy-payments/PAY-1/trace").json()

    def topics(trace: Any) -> set[str]:
        return {event["event"] for event in trace["household_events"]}

    assert {"household.registered.v1", "household.status-changed.v1"} <= topics(traced)
    assert not {"household.credit-refused.v1", "household.demand-recommended.v1"} & topics(traced)
    assert {"household.credit-refused.v1", "household.borrowed.v1"} <= topics(whole)
    assert topics(guaranteed) == set()
    assert traced["calculation"] == whole["calculation"] == guaranteed["calculation"]
    assert [event["event"] for event in traced["loan_events"]] == [
        event["event"] for event in whole["loan_events"]
    ]


def test_a_payment_stored_with_other_banks_loans_is_shown_without_them_and_its_leaf_to_nobody_below(
    county: County,
) -> None:
    for code in ("PSBC", "T01", "FINANCE", "AUDIT"):
        caller = getattr(county.callers, code)
        assert caller.get("/subsidy-payments/PAY-OLD/trace").status_code == 200
        answer = caller.get("/subsidy-payments/PAY-OLD/evidence")
        refused = (answer.status_code, answer.json().get("code")) == (403, "leaf_withheld")
        assert refused == (code == "PSBC"), answer.text[:200]
    traced = text_of(county.callers.PSBC.get("/subsidy-payments/PAY-OLD/trace"))
    shown = {UUID(id) for id in AGGREGATE.findall(traced)}
    assert not shown & foreign_aggregates(Reader("PSBC", "bank"))


def test_a_bank_sees_what_fills_the_cap_and_not_whose_loan_it_is(county: County) -> None:
    """OD1 of PSBC was lent to the household before L1 of NRCB, and is still owed."""
    path = "/loans/L1/subsidies/2023Q2"
    seen = {
        code: getattr(county.callers, code).get(path, as_of="2023-12-31").json()
        for code in ("NRCB", "T01", "AUDIT", "DB")
    }
    filled = {
        code: [
            (loan["bank_class"], loan["loan_no"], loan["takes_fen"])
            for reason in answer["reasons"]
            for loan in reason["loans"]
        ]
        for code, answer in seen.items()
    }
    named, nameless = [("other_bank", "OD1", 5_000_000)], [("other_bank", None, 5_000_000)]
    assert filled == {"NRCB": nameless, "T01": named, "AUDIT": named, "DB": nameless}
    assert county.callers.PSBC.get(path).status_code == 404
    assert county.callers.PSBC.get(path, bank="NRCB").status_code == 403
    assert county.callers.DB.get(path).json()["batch_lines"] == []


def test_what_is_not_yours_looks_like_what_does_not_exist(county: County) -> None:
    for code, path, nothing in (
        ("NRCB", "/loans/P2", "/loans/P9"),
        ("NRCB", "/loans/P2/subsidies/2023Q2", "/loans/P9/subsidies/2023Q2"),
        ("NRCB", "/households/H3", "/households/H9"),
        ("NRCB", "/households/H4", "/households/H9"),
        ("DB", "/loans/R1", "/loans/R9"),
        ("DB", "/loans/P2/history", "/loans/P9/history"),
        ("DB", "/subsidy-payments/PAY-P2/trace", "/subsidy-payments/PAY-9/trace"),
        ("NRCB", "/subsidy-payments/PAY-P2/evidence", "/subsidy-payments/PAY-9/evidence"),
        ("T01", "/households/H2/history", "/households/H9/history"),
    ):
        caller = getattr(county.callers, code)
        foreign, missing = caller.get(path), caller.get(nothing)
        last, other = path.split("/")[2], nothing.split("/")[2]
        assert foreign.status_code == missing.status_code == 404, (code, path)
        assert foreign.text.replace(last, other) == missing.text


def test_a_refusal_or_a_rating_opens_nothing_but_itself(county: County) -> None:
    seen = county.callers.NRCB.get("/households/H2/history").json()["events"]
    assert {event["ref"] for event in seen} == {"CX-N2", "PJ-N2"}
    assert county.callers.NRCB.get("/households/H2").status_code == 404
    told = c.body(c.look(household_no="H2"), "household_no") | {"ref": "LK-H2"}
    assert county.callers.NRCB.post("/households/H2/looks", told).status_code == 404


def test_a_loan_to_somebody_who_is_no_member_and_a_reversed_one_open_no_household(
    county: County,
) -> None:
    for number in ("H3", "H4"):
        told = c.body(c.look(household_no=number), "household_no") | {"ref": f"LK-{number}"}
        assert county.callers.NRCB.post(f"/households/{number}/looks", told).status_code == 404
        assert county.callers.NRCB.get(f"/households/{number}").status_code == 404
    assert county.callers.NRCB.get("/loans/N3").status_code == 200


def test_a_look_before_the_loan_was_reversed_is_a_finding_for_those_who_watch_over_looks(
    county: County,
) -> None:
    found = county.callers.AUDIT.get("/red-flags", rule="RF28").json()["rules"][0]
    assert [each["subject"] for each in found["findings"]] == ["NRCB/wang H4"]
    assert county.callers.CENTRE.get("/red-flags", rule="RF28").status_code == 404
    assert "RF28" not in county.callers.FINANCE.get("/red-flags/schemes").text


def test_a_guarantor_reads_the_loans_that_it_guarantees(county: County) -> None:
    for code, number in (("DB", "L1"), ("DB2", "P2")):
        caller = getattr(county.callers, code)
        ledger = caller.get("/ledgers/loans").json()["lines"]
        assert [line["loan_no"] for line in ledger] == [number]
        paid = caller.get("/ledgers/subsidies").json()["lines"]
        assert {line["loan_no"] for line in paid} == {number}
        duties = caller.get("/duties", as_of="2024-01-01").json()["lines"]
        assert duties and {line["loan_no"] for line in duties} == {number}
        as_csv = caller.get("/ledgers/loans", accept="text/csv").content.decode("utf-8-sig")
        assert len(list(csv.reader(io.StringIO(as_csv)))) == 2
    before = county.callers.DB.get("/ledgers/loans", as_of="2023-03-09").json()["lines"]
    assert before == [], "the guarantee was not given yet"


def test_a_case_is_for_the_auditor_and_the_organisation_asked(county: County) -> None:
    steps = county.callers.NRCB.get("/cases/XS-1").json()["steps"]
    assert {step["event"] for step in steps} == {
        "case.explanation-asked.v1", "case.explanation-given.v1",
    }  # fmt: skip
    assert county.callers.PSBC.get("/cases/XS-1").status_code == 404
    whole = county.callers.AUDIT.get("/cases/XS-1").json()["steps"]
    assert len(whole) == sum(event.originator == Case.id_for("XS-1") for event in county.events)

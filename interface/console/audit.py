"""The auditor's desk (审计台): log, jobs, checkpoints, witnesses, downloads, a paper's check."""

from __future__ import annotations

import re
from base64 import b64decode
from datetime import datetime
from typing import Annotated, Any, Final
from urllib.parse import parse_qsl, urlsplit

import msgspec
from fastapi import APIRouter, Depends, Path, Query, Request, Response
from starlette.concurrency import run_in_threadpool

from application.jobs import Job, JobRuns
from application.transparency_log.notes import NoteMalformed, parse_checkpoint
from application.transparency_log.proofs import Proofs, Witness
from application.transparency_log.witnessing import checkpoints, last_seen
from domain.roles import Role
from interface.console import audit_files
from interface.console.dates import exactly, in_china, read_day, read_instant
from interface.console.forms import signed_form
from interface.console.frame import (
    Elsewhere,
    Visit,
    Wrong,
    address_of,
    assure_allowed,
    page,
    visit,
)
from interface.console.page_route import PageRoute, elsewhere
from interface.console.pinned import checkpoint_said, stands_in_log
from interface.http.service import Service, service_of
from interface.workers.job_worker import LEDGERS, Rebuild
from projections.columns import Columns
from projections.history import personal_events
from projections.loan_ledger.columns import COLUMNS as LOANS
from projections.subsidy_ledger.columns import COLUMNS as SUBSIDIES

router = APIRouter(route_class=PageRoute, include_in_schema=False)
Visiting = Annotated[Visit, Depends(visit)]
Number = Annotated[int, Path(ge=0, lt=1 << 62)]
Below = Annotated[int | None, Query(ge=1, lt=1 << 62)]
_ON_DESK: Final = 10
_ON_PAGE: Final = 50
_LEDGERS: Final[dict[str, Columns]] = {"loans": LOANS, "subsidies": SUBSIDIES}
_ROOT_BYTES: Final = 32
_ADDRESS: Final = re.compile(r"\s+")


def may_examine(found: Visit) -> bool:
    """Who may start jobs and take the whole log: the supervision."""
    return found.author.role is Role.AUDITOR


def assure_examines(found: Visit) -> None:
    """Raises Wrong 403."""
    if not may_examine(found):
        raise Wrong(403, "error.role", role=found.words(f"role.{found.author.role}"))


# ---- the desk ---------------------------------------------------------------------------


@router.get("/audit")
async def desk(found: Visiting) -> Response:
    assure_allowed(found, "/log")

    def asked() -> dict[str, Any]:
        reads_jobs = found.allowed("/red-flags")
        with found.service.facts.connection() as connection:
            said = _tree(found.service, Proofs(connection, found.service.deployment.origin))
        jobs: list[Job] = []
        if reads_jobs:
            with found.service.jobs.jobs() as entered:
                jobs = entered.newest(_ON_DESK)
        return said | {"jobs": jobs, "reads_jobs": reads_jobs}

    said = await run_in_threadpool(asked)
    names = await names_of(found)
    made = await page(
        found,
        "audit.html",
        **said,
        witness_names=_called(names, [each["witness"] for each in said["witnesses"]]),
        witness_sizes=[each["witness"].size for each in said["witnesses"]],
        may_examine=may_examine(found),
        may_read_looks=found.allowed("/households/{no}/looks"),
        in_china=in_china,
        names=names,
        trouble=found.service.sealing_trouble,
        altered=found.service.schema_altered,
        job_address=lambda job: found.to("audit", "jobs", job.number),
        today=found.as_of,
        paper_address=found.address("/audit/paper"),
        checkpoints_address=found.address("/audit/checkpoints"),
        checkpoint_address=lambda size: found.to("audit", "checkpoints", size),
        checkpoint_page=found.address("/log/checkpoint/page"),
        personal_address=found.address("/audit/personal"),
    )
    return _waiting(made, said["jobs"])


def _tree(service: Service, proofs: Proofs) -> dict[str, Any]:
    witnesses, newest = proofs.witnesses(), proofs.newest()
    origin = service.deployment.origin
    size = newest.head.size if newest else 0
    return {
        "newest": newest,
        "witnesses": [
            {"witness": witness, "seen": seen, "lag": max(0, size - witness.size)}
            for witness, seen in zip(
                witnesses, last_seen(proofs.connection, origin, witnesses), strict=True
            )
        ],
        "checkpoints": checkpoints(proofs.connection, origin, witnesses, None, _ON_DESK),
    }


def _called(names: dict[str, str], witnesses: list[Witness]) -> list[str]:
    return [names.get(each.organisation, each.organisation) for each in witnesses]


async def names_of(found: Visit) -> dict[str, str]:
    return {o.code: o.name for o in await run_in_threadpool(found.service.people.organisations)}


def _waiting(made: Response, jobs: list[Job]) -> Response:
    """The page is asked for again while a job runs: no script is needed."""
    if any(job.state == "running" for job in jobs):
        made.headers["Refresh"] = "2"
    return made


@router.get("/audit/checkpoints")
async def checkpoint_list(found: Visiting, below: Below = None) -> Response:
    assure_allowed(found, "/log/checkpoint")

    def asked() -> dict[str, Any]:
        origin = found.service.deployment.origin
        with found.service.facts.connection() as connection:
            witnesses = Proofs(connection, origin).witnesses()
            rows = checkpoints(connection, origin, witnesses, below, _ON_PAGE + 1)
        return {"witnesses": witnesses, "rows": rows}

    said = await run_in_threadpool(asked)
    shown, more = said["rows"][:_ON_PAGE], len(said["rows"]) > _ON_PAGE
    return await page(
        found,
        "checkpoints.html",
        checkpoints=shown,
        witness_names=_called(await names_of(found), said["witnesses"]),
        witness_sizes=[each.size for each in said["witnesses"]],
        checkpoint_address=lambda size: found.to("audit", "checkpoints", size),
        next=found.address(below=shown[-1].size) if more else None,
        first=found.address(below=None) if below else None,
        desk=found.address("/audit"),
        in_china=in_china,
    )


@router.get("/audit/personal")
async def personal(found: Visiting, before: Below = None) -> Response:
    """Looks at and erasures of personal data, each with its reason."""
    assure_allowed(found, "/households/{no}/looks")

    def asked() -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        with found.service.facts.connection() as connection:
            erased = personal_events(connection, "erased", None, _ON_PAGE, found.known_at)
            looks = personal_events(connection, "looked-at", before, _ON_PAGE + 1, found.known_at)
            return erased, looks

    erased, looks = await run_in_threadpool(asked)
    more = len(looks) > _ON_PAGE
    return await page(
        found,
        "personal.html",
        desk=found.address("/audit"),
        erased=erased,
        looks=looks[:_ON_PAGE],
        next=found.address(before=looks[_ON_PAGE - 1]["position"]) if more else None,
        first=found.address(before=None) if before else None,
        event_address=lambda position: found.to("events", position),
        home_address=lambda no: found.to("households", no),
        in_china=in_china,
        names=await names_of(found),
    )


# ---- jobs -------------------------------------------------------------------------------


@router.post("/audit/jobs")
async def begin_job(request: Request) -> Response:
    """Begin a job; while another runs, its page says so. Raises Wrong 400, 403."""
    session, fields = await signed_form(request)
    service, whose = service_of(request), session.whose
    if whose.role is not Role.AUDITOR:
        raise Wrong(403, "error.status_403")
    kind = fields.get("kind", "")
    asked = _rebuild_asked(service, fields) if kind == "rebuild" else {}
    if kind not in ("rebuild", "verify", "facts"):
        raise Wrong(400, "error.status_400")
    try:
        number = await run_in_threadpool(service.jobs.begin, kind, asked, whose.author)
    except JobRuns:
        raise Wrong(409, "error.job_runs") from None
    return elsewhere(f"/audit/jobs/{number}")


def _rebuild_asked(service: Service, fields: dict[str, str]) -> dict[str, Any]:
    """What a form asks to be rebuilt, as JSON. Raises Wrong 400."""
    now = service.clock()
    day = read_day(fields.get("as_of", ""), now.date())
    if day is None:
        raise Wrong(400, "error.day", field="as_of", value=fields.get("as_of", ""))
    instants: dict[str, datetime | None] = {}
    for name in ("known_at", "vs_known_at"):
        said = fields.get(name, "").strip()
        instants[name] = read_instant(said, now) if said else None
        if said and instants[name] is None:
            raise Wrong(400, "error.instant", field=name, value=said)
    ledger = next((each for each in LEDGERS if each == fields.get("ledger")), None)
    if ledger is None:
        raise Wrong(400, "error.status_400")
    known_at = min(instants["known_at"] or now, service.facts.recorded_through())
    return dict(msgspec.to_builtins(Rebuild(ledger, day, known_at, instants["vs_known_at"])))


async def _job(found: Visit, number: int) -> Job:
    """Raises Wrong 404."""

    def asked() -> Job | None:
        with found.service.jobs.jobs() as jobs:
            return jobs.job(number)

    job = await run_in_threadpool(asked)
    if job is None:
        raise Wrong(404, "error.status_404")
    return job


@router.get("/audit/jobs/{number}")
async def job_page(found: Visiting, number: Number) -> Response:
    assure_allowed(found, "/red-flags")
    job = await _job(found, number)
    made = await page(
        found,
        "job.html",
        job=job,
        names=await names_of(found),
        in_china=in_china,
        may_examine=may_examine(found),
        result=_result(found, job),
        desk=found.address("/audit"),
        event_address=lambda position: found.to("events", position),
        instant=datetime.fromisoformat,
    )
    return _waiting(made, [job])


def _result(found: Visit, job: Job) -> dict[str, Any]:
    """What a rebuilt ledger is called, its sums with titles, and where to see it."""
    if job.kind != "rebuild":
        return {}
    asked, ledger = job.asked, job.asked["ledger"]
    known_at = datetime.fromisoformat(asked["known_at"])
    path, dates = f"/ledgers/{ledger}", {"as_of": asked["as_of"], "known_at": exactly(known_at)}
    titles = {column.key: column for column in _LEDGERS[ledger]}
    zh = found.words.language == "zh"
    named = {key: column.title_zh if zh else column.title_en for key, column in titles.items()}
    said = {"known": in_china(known_at), "titles": named, "ledger_address": address_of(path, dates)}
    if asked.get("vs_known_at"):
        other = datetime.fromisoformat(asked["vs_known_at"])
        first, last = sorted((known_at, other))
        said["other"] = in_china(other)
        said["changes_address"] = address_of(
            "/changes",
            {"as_of": asked["as_of"], "known_from": exactly(first), "known_to": exactly(last),
             "ledger": ledger},
        )  # fmt: skip
    return said


@router.post("/audit/jobs/{number}/stop")
async def stop_job(request: Request, number: Number) -> Response:
    session, _ = await signed_form(request)
    if session.whose.role is not Role.AUDITOR:
        raise Wrong(403, "error.status_403")

    def ask() -> None:
        with service_of(request).jobs.jobs() as jobs:
            jobs.ask_to_stop(number)

    await run_in_threadpool(ask)
    return elsewhere(f"/audit/jobs/{number}")


# ---- a paper ----------------------------------------------------------------------------


@router.get("/audit/paper")
async def paper_check(
    found: Visiting,
    of: Annotated[str | None, Query(max_length=4000)] = None,
    mark: Annotated[str | None, Query(max_length=1200)] = None,
    note: Annotated[str | None, Query(max_length=4000)] = None,
) -> Response:
    """Check a paper: its address opens the page, which says equal or what differs.

    `of`: the address; `mark`: the digest, where the address has none; `note`: a checkpoint, as
    size and root or as a whole note.
    """
    assure_allowed(found, "/log/checkpoint")
    if of is not None:
        raise Elsewhere(_paper_address(of, mark))
    checked = None
    if note is not None:
        said = _checkpoint_of(note)
        if said is None:
            raise Wrong(400, "error.not_a_checkpoint")
        right = await run_in_threadpool(stands_in_log, found.service, said)
        checked = {"size": said.partition(".")[0], "right": right}
    return await page(
        found, "paper_check.html", checked=checked, note=note or "", desk=found.address("/audit")
    )


def _paper_address(of: str, mark: str | None) -> str:
    """The page that an address on paper names, on this host, with its digest. Raises Wrong 400."""
    try:
        parts = urlsplit(_ADDRESS.sub("", of))
    except ValueError:
        raise Wrong(400, "error.not_a_paper") from None
    query = dict(parse_qsl(parts.query))
    if mark is not None:
        query["digest"] = _ADDRESS.sub("", mark).lower()
        if "." not in query["digest"]:
            query["digest"] += "."
    if not parts.path.startswith("/") or parts.path.startswith("//") or "digest" not in query:
        raise Wrong(400, "error.not_a_paper")
    return address_of(parts.path, query)


def _checkpoint_of(text: str) -> str | None:
    """Size and root, as an address says them; None for what is no checkpoint."""
    text = text.replace("\r\n", "\n")
    try:
        head = parse_checkpoint(text if text.endswith("\n") else text + "\n")[0]
        return checkpoint_said(head.size, head.root)
    except (NoteMalformed, ValueError):
        pass
    words = re.split(r"[\s.,，]+", text.strip(), maxsplit=1)
    if len(words) != 2 or not words[0].isdigit() or len(words[0]) > 18:
        return None
    size, root = int(words[0]), re.sub(r"\s", "", words[1])
    if re.fullmatch(r"[0-9a-fA-F]{64}", root):
        return checkpoint_said(size, bytes.fromhex(root))
    if re.fullmatch(r"[a-zA-Z2-7]{52}", root):
        return f"{size}.{root.lower()}"
    try:
        data = b64decode(root, validate=True)
    except ValueError:
        return None
    return checkpoint_said(size, data) if len(data) == _ROOT_BYTES else None


# ---- downloads --------------------------------------------------------------------------


@router.get("/audit/{name}")
async def download(
    found: Visiting, name: Annotated[str, Path(pattern=r"^[a-z]+\.(bin|zip|txt)$")]
) -> Response:
    """The whole log, the facts, the trust policy, the verifier."""
    assure_examines(found)
    make = audit_files.FILES.get(name)
    if make is None:
        raise Wrong(404, "error.status_404")
    return await run_in_threadpool(make, found.service)

"""Help (帮助): the glossary as pages, refusals with what to do, a guide for each desk, the keys."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Annotated, Final, NamedTuple

from fastapi import APIRouter, Depends, Query, Response
from fastapi import Path as InPath

import application.commands  # noqa: F401 - defines every refusal
from application.command import COMMANDS
from domain.kernel import Refused
from domain.roles import Role
from interface.console.frame import Visit, Wrong, page, visit
from interface.console.page_route import PageRoute
from interface.console.words import Words
from interface.http.errors import status_of

router = APIRouter(route_class=PageRoute, include_in_schema=False)
Visiting = Annotated[Visit, Depends(visit)]
_DOCS: Final = Path(__file__).parents[2] / "docs"
_GLOSSARY: Final = _DOCS / "glossary.md"
_IN_CHINESE: Final = _DOCS / "glossary.zh.md"
_ROW: Final = re.compile(r"^\|(.+)\|$")
DESKS: Final = tuple(str(role) for role in Role)
_STEPS: Final = 12
_CELLS: Final = 5
_HEADS: Final = ("中文", "---")
_EXPLAINED: Final = ("The programme", "The ledger")
"""The sections whose words docs/glossary.zh.md explains."""


class Term(NamedTuple):
    """A word of the glossary, as docs/glossary.md has it."""

    zh: str
    en: str
    code: str
    is_: str
    is_not: str
    section: str
    is_zh: str = ""
    is_not_zh: str = ""
    """What it is in Chinese; empty where docs/glossary.zh.md has no such word."""

    @property
    def slug(self) -> str:
        """What an address calls it."""
        return re.sub(r"[^a-z0-9]+", "-", self.en.lower()).strip("-")


class Refusal(NamedTuple):
    """A refusal: its permanent code, what it says, and what to do, as a key of the words."""

    code: str
    status: int
    zh: str
    en: str
    field: str
    todo: str


@cache
def terms() -> tuple[Term, ...]:
    """Every word of the glossary in its order; none where the page was not delivered."""
    if not _GLOSSARY.exists():
        return ()
    found, section = [], ""
    for line in _GLOSSARY.read_text("utf-8").splitlines():
        if line.startswith("## "):
            section = line[3:]
        row = _ROW.match(line)
        cells = [cell.strip() for cell in row[1].split("|")] if row else []
        if len(cells) == _CELLS and cells[0] not in _HEADS:
            explained = section.startswith(_EXPLAINED)
            is_zh, is_not_zh = _in_chinese().get(cells[0], ("", "")) if explained else ("", "")
            found.append(Term._make((*cells, section, is_zh, is_not_zh)))
    return tuple(found)


@cache
def _in_chinese() -> dict[str, tuple[str, str]]:
    """By word: what it is and what it is not, as docs/glossary.zh.md has it."""
    lines = _IN_CHINESE.read_text("utf-8").splitlines() if _IN_CHINESE.exists() else []
    rows = [row[1].split("|") for line in lines if (row := _ROW.match(line))]
    cells = [[cell.strip() for cell in row] for row in rows]
    return {word: (is_, is_not) for word, is_, is_not in cells if word not in _HEADS}


def section_name(words: Words, section: str) -> str:
    """The heading `The programme 项目` in the reader's language."""
    english, _, chinese = section.rpartition(" ")
    return chinese if words.language == "zh" else english


@cache
def refusals() -> tuple[Refusal, ...]:
    """Every refusal of the program by its code."""
    found: dict[str, Refusal] = {}
    for kind in _below(Refused):
        code = getattr(kind, "CODE", "")
        if code and kind.__module__.startswith(("domain.", "application.")):
            status, field = status_of(kind), getattr(kind, "FIELD", "")
            found[code] = Refusal(code, status, kind.ZH, kind.EN, field, _todo(code, status, field))
    return tuple(found[code] for code in sorted(found))


def _below(kind: type[Refused]) -> list[type[Refused]]:
    return [each for sub in kind.__subclasses__() for each in (sub, *_below(sub))]


def _todo(code: str, status: int, field: str) -> str:
    if code == "reference_reused":
        return "help.todo_reference"
    if code.endswith("_unknown") or status == 404:
        return "help.todo_unknown"
    by_status = {403: "help.todo_403", 429: "help.todo_wait", 503: "help.todo_wait"}
    return by_status.get(status) or ("help.todo_field" if field else "help.todo_record")


@router.get("/help")
async def help_page(
    found: Visiting,
    q: Annotated[str | None, Query(max_length=64)] = None,
    section: Annotated[int, Query(ge=1, le=20)] = 1,
) -> Response:
    """The words of a section, or those that are looked for, and the ways to the guides."""
    wanted, names = (q or "").strip().lower(), list(dict.fromkeys(t.section for t in terms()))
    shown: dict[str, list[Term]] = {}
    for term in terms():
        here = names[section - 1 : section] == [term.section]
        if wanted in f"{term.zh}\0{term.en}\0{term.code}".lower() if wanted else here:
            shown.setdefault(term.section, []).append(term)
    return await page(
        found,
        "help.html",
        asked=q or "",
        sections={section_name(found.words, name): shown[name] for name in shown},
        every_section=[
            (
                section_name(found.words, name),
                found.address("/help", section=number if number > 1 else None),
                name in shown,
            )
            for number, name in enumerate(names, 1)
        ],
        desks=[(desk, found.address(f"/help/desk-{desk}")) for desk in DESKS],
        own=f"desk-{found.author.role}",
        word=lambda term: found.to("help", term.slug),
        refusals_address=found.address("/help/refusals"),
        keys_address=found.address("/help/keys"),
    )


@router.get("/help/{word}")
async def word_page(
    found: Visiting, word: Annotated[str, InPath(pattern=r"^[a-z0-9-]{1,100}$")]
) -> Response:
    """A word, a desk's guide, the refusals, or the keys. Raises Wrong 404."""
    home = found.address("/help")
    if word == "refusals":
        return await page(found, "help_refusals.html", refusals=refusals(), home=home)
    if word == "keys":
        return await page(found, "help_keys.html", home=home)
    desk = word.removeprefix("desk-")
    if desk != word:
        if desk not in DESKS:
            raise Wrong(404, "error.status_404")
        steps, acts = guide(found.words, desk), acts_of(found.words, Role(desk))
        return await page(found, "help_desk.html", desk=desk, steps=steps, acts=acts, home=home)
    same = [term for term in terms() if term.slug == word]
    if not same:
        raise Wrong(404, "error.status_404")
    return await page(
        found,
        "help_word.html",
        terms=same,
        home=home,
        section=section_name(found.words, same[0].section),
    )


def guide(words: Words, desk: str) -> list[tuple[str, str]]:
    """The questions of a desk with their answers, in order."""
    keys = [f"help.{desk}_{number}" for number in range(1, _STEPS)]
    return [(words(f"{key}_q"), words(f"{key}_a")) for key in keys if words.has(f"{key}_q")]


def acts_of(words: Words, role: Role) -> list[str]:
    """What a role may submit, by name."""
    said = [each.SUMMARY for each in COMMANDS.values() if role in each.ROLES and each.PATH]
    part = 0 if words.language == "zh" else 2
    return sorted({summary.partition(" ")[part] for summary in said})

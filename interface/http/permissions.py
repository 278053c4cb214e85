"""Who may do what: role × command from the commands, role × query × scope from the table here.

The guard of every query route is `scope_of`. This module writes both tables into the text that
names them: `python -m interface.http.permissions docs/api.md`.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Final

from starlette.exceptions import HTTPException

import application.commands  # noqa: F401 - defines every command
from application.command import COMMANDS, Command
from domain.kernel import Author
from domain.roles import BUSINESS, Reach, Role, by_role
from projections.facts.reading import COUNTY, Scope

# Source: domain.md §1. A word says which rows of an answer the role sees:
#   -          none: 403
#   own        of the loans that a bank lent or a company guarantees, of a township's households
#   concerned  of risks that it reported or that concern it
#   asked      of what the supervision asked it
#   all        every row
_TABLE: Final = """
query                          lent      resident  guaranteed county bureau auditor nothing
/ledgers/loans                 own       own       own        all    all    all     -
/ledgers/subsidies             own       own       own        all    all    all     -
/ledgers/risk-fund             -         -         -          all    all    all     -
/ledgers/funds                 -         -         -          all    all    all     -
/ledgers/journal               -         -         -          all    all    all     -
/changes                       own       own       own        all    all    all     -
/loans/{no}                    own       own       own        all    all    all     -
/loans/{no}/history            own       own       own        all    all    all     -
/loans/{no}/subsidies/{period} own       own       own        all    all    all     -
/households/{no}               own       own       -          all    all    all     -
/households/{no}/history       own       own       -          all    all    all     -
/households/{no}/looks         -         -         -          -      all    all     -
/events/{event_id}             own       own       own        all    all    all     -
/search                        own       own       own        all    all    all     -
/subsidy-payments/{no}/trace   own       own       own        all    all    all     -
/subsidy-payments/{no}/slip    own       own       own        all    all    all     -
/subsidy-payments/{no}/evidence own      own       own        all    all    all     -
/duties                        own       own       own        all    all    all     -
/duties/summary                own       own       own        all    all    all     -
/duties/calendar.ics           own       own       own        all    all    all     -
/settlement                    own       own       -          all    all    all     -
/batches                       own       own       -          all    all    all     -
/batches/{no}                  own       own       -          all    all    all     -
/batches/{no}/lines            own       own       -          all    all    all     -
/batches/{no}/slip             own       own       -          all    all    all     -
/batches/{no}/notice           own       own       -          all    all    all     -
/batches/{no}/payment-order    own       -         -          all    all    all     -
/ratings                       own       own       -          all    all    all     -
/risks                         concerned concerned concerned  all    all    all     -
/guarantees                    own       -         own        all    all    all     -
/benefits                      -         own       -          all    all    all     -
/indicators                    -         -         -          all    all    all     -
/reports/townships             own       own       -          all    all    all     -
/reports/banks                 own       -         -          all    all    all     -
/reports/annual                own       own       -          all    all    all     -
/reports/plan-check            all       all       -          all    all    all     -
/publications                  own       own       -          all    all    all     -
/publications/{no}             own       own       -          all    all    all     -
/publications/{no}/check       -         -         -          all    all    all     -
/programme/rulings             all       all       -          all    all    all     -
/programme/replay              -         -         -          all    all    all     -
/red-flags                     -         -         -          all    all    all     -
/red-flags/schemes             -         -         -          all    all    all     -
/red-flags/runs                -         -         -          all    all    all     -
/red-flags/changes             -         -         -          all    all    all     -
/red-flags/inbox               -         -         -          all    all    all     -
/red-flags/backtest            -         -         -          all    all    all     -
/red-flags/{rule}/evidence     -         -         -          all    all    all     -
/cases                         asked     asked     asked      asked  asked  all     -
/cases/{no}                    asked     asked     asked      asked  asked  all     -
/fund-flow                     -         -         -          all    all    all     -
/fund-flow/edges               -         -         -          all    all    all     -
/fund-flow/misuse              -         -         -          all    all    all     -
/fund-flow/unlinked            -         -         -          all    all    all     -
/entities                      -         -         -          all    all    all     -
/entities/{pseudonym}          -         -         -          all    all    all     -
/log                           all       all       all        all    all    all     all
/log/checkpoint                all       all       all        all    all    all     all
/log/checkpoint/page           all       all       all        all    all    all     all
/log/proofs/inclusion          all       all       all        all    all    all     all
/log/proofs/consistency        all       all       all        all    all    all     all
/log/receipts                  own       own       own        all    all    all     -
/log/receipts/{event_id}       own       own       own        all    all    all     -
/log/witness                   all       all       all        all    all    all     all
"""

QUERIES: Final = by_role(_TABLE)
"""By query and role: the word of the table."""


def scope_of(author: Author, query: str) -> Scope:
    """Whose rows of a query a reader may see. Raises HTTPException 403.

    `all` is the county; every other word leaves the reader its own.
    """
    word = QUERIES[query].get(author.role, "-")
    if word == "-":
        raise HTTPException(403)
    return COUNTY if word == "all" else _own(author)


def _own(author: Author) -> Scope:
    own = {
        Reach.LENT: Scope(bank=author.organisation),
        Reach.RESIDENT: Scope(township=author.organisation),
        Reach.GUARANTEED: Scope(guarantor=author.organisation),
    }
    return own.get(author.role.reach, COUNTY)


# ---- as documentation -----------------------------------------------------------------

_QUERIES_IN_TEXT = re.compile(r"(?<=<!-- queries -->\n).*?(?=<!-- end of queries -->)", re.DOTALL)


def route_of(command: type[Command]) -> str:
    """The path of a command's route, which calls what names the aggregate `no`."""
    return re.sub(r"\{\w+\}", "{no}", command.PATH or "")


def who_submits(command: type[Command]) -> str:
    """The roles of a command, in words."""
    if set(command.ROLES) == set(BUSINESS):
        return "all but admin"
    return ", ".join(role for role in Role if role in command.ROLES)


def queries_table() -> str:
    """Role × query × scope, in Markdown."""
    rows = [
        f"| `{query}` | {' | '.join('' if word == '-' else word for word in words.values())} |"
        for query, words in QUERIES.items()
    ]
    return "\n".join([f"| GET | {' | '.join(Role)} |", f"|{' --- |' * (len(Role) + 1)}", *rows, ""])


def documented(text: str) -> str:
    """The text of docs/api.md, who may do what as it is here; a new command has a row at the end.

    What the body holds is written by hand; of a new command its fields stand there.
    """
    for command in COMMANDS.values():
        path, who = re.escape(route_of(command)), who_submits(command)
        row = rf"^(\| `{path}` [^|]*\|)[^|]*(?=\| (?:`{command.TYPE}` )?\|)"
        text, found = re.subn(row, rf"\g<1> {who} ", text, flags=re.MULTILINE)
        if not found and command.PATH is not None:
            *_, last = re.finditer(r"^\|(?:[^|\n]*\|){3}[^|\n]*`\{.*\|\n", text, re.MULTILINE)
            text = text[: last.end()] + _row(command) + text[last.end() :]
    return _QUERIES_IN_TEXT.sub(queries_table(), text)


def _row(command: type[Command]) -> str:
    named = {*Command.model_fields, *command.path_fields()}
    body = ", ".join(f"`{name}`" for name in command.model_fields if name not in named)
    what, who = command.SUMMARY.split()[0], who_submits(command)
    kind = "" if command.NEEDS_ANSWER else f"`{command.TYPE}` "
    return f"| `{route_of(command)}` {what} | {who} | {kind}| {body} |\n"


if __name__ == "__main__":
    _path = Path(sys.argv[1])
    _path.write_text(documented(_path.read_text("utf-8")), "utf-8")

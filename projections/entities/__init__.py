"""One person, one account (人、账户归并): the same pseudonym across households and banks.

A pseudonym is equal for equal numbers, whoever told them; so it joins what each bank knows apart.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

from projections.entities.columns import APPEARANCES, ENTITIES
from projections.facts.reading import Table, View, query_text
from projections.fund_flow import loans_at

EntityKind = Literal["account", "person"]


def entities(
    view: View,
    kind: EntityKind,
    *,
    shared: bool = False,
    role: str | None = None,
    after: str | None = None,
    most: int | None = None,
) -> Table:
    """One line an entity: roles, households, banks, loans, days, money.

    `shared`: only those of more than one household; `role`: only those that appear as this.
    """
    asked = _text("list.sql")
    wanted = {"kind": kind, "shared": shared, "role": role, "after": after, "most": most}
    return view.table(ENTITIES, asked, loans=None, **wanted)


def appearances(view: View, pseudonym: str) -> Table:
    """Every event in which an account or a person appears, and as what."""
    if pseudonym.startswith("account-"):
        loans = loans_at(view, [pseudonym])
    else:
        asked = "SELECT DISTINCT loan_id FROM facts.loan WHERE borrower = %(pseudonym)s"
        loans = [row[0] for row in view.query(asked, pseudonym=pseudonym).rows]
    return view.table(APPEARANCES, _text("single.sql"), pseudonym=pseudonym, loans=loans)


class Tie(NamedTuple):
    """A loan that joins a borrower, a household and the account that it was paid to."""

    bank: str
    loan_no: str
    household_no: str
    borrower: str
    account: str


def ties(view: View, pseudonym: str) -> list[Tie]:
    """The loans of a person, or those paid to an account."""
    found = view.query(
        "SELECT bank, loan_no, household_no, borrower, payee"
        " FROM facts.standing_loan(%(as_of)s, %(known_at)s)"
        " WHERE borrower = %(pseudonym)s OR payee = %(pseudonym)s ORDER BY of_position",
        pseudonym=pseudonym,
    )
    return [Tie(*row) for row in found.rows]


def _text(name: str) -> str:
    return "\n".join(query_text(__name__, part) for part in ("appearances.sql", name))

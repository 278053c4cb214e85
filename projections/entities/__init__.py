"""One person, one account (人、账户归并): the same pseudonym across households and banks.

A pseudonym is equal for equal numbers, whoever told them; so it joins what each bank knows apart.
"""

from __future__ import annotations

from typing import Literal

from projections.entities.columns import APPEARANCES, ENTITIES
from projections.facts.reading import Table, View, query_text

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
    return view.table(ENTITIES, asked, kind=kind, shared=shared, role=role, after=after, most=most)


def appearances(view: View, pseudonym: str) -> Table:
    """Every event in which an account or a person appears, and as what."""
    return view.table(APPEARANCES, _text("single.sql"), pseudonym=pseudonym)


def _text(name: str) -> str:
    return "\n".join(query_text(__name__, part) for part in ("appearances.sql", name))

"""One person, one account (人、账户归并): the same pseudonym across households and banks.

A pseudonym is equal for equal numbers, whoever told them; so it joins what each bank knows apart.
"""

from __future__ import annotations

from typing import Any, Literal

from projections.facts.reading import Table, View, question

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
    return _ask(view, "list.sql", kind=kind, shared=shared, role=role, after=after, most=most)


def appearances(view: View, pseudonym: str) -> Table:
    """Every event in which an account or a person appears, and as what."""
    return _ask(view, "single.sql", pseudonym=pseudonym)


def _ask(view: View, name: str, **parameters: Any) -> Table:
    text = "\n".join(question(__name__, part) for part in ("appearances.sql", name))
    return view.ask(text, **parameters)

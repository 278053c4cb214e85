"""Which banks and townships (银行、乡镇) there are: enrolled, or named by what is recorded."""

from __future__ import annotations

from projections.facts.reading import View, query_text


def is_known(view: View, role: str, code: str) -> bool:
    """Whether a loan or a household can be the bank's or the township's of this code."""
    return bool(view.query(query_text(__name__, "query.sql"), role=role, code=code).rows[0][0])


def names_of(view: View) -> dict[str, str]:
    """What organisations are called, by code."""
    return dict(view.query(query_text(__name__, "names.sql")).rows)

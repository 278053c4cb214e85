"""A role reads by its reach; a table may give one role a column of its own."""

from __future__ import annotations

import pytest

from domain.kernel import Author
from domain.roles import BUSINESS, SUPERVISED, Reach, Role, by_role

TABLE = """
query   lent resident county bureau
/loans  own  own      all    -
"""


def test_a_role_has_the_column_of_its_name_else_that_of_its_reach_else_none() -> None:
    words = by_role(TABLE)["/loans"]
    assert words[Role.BANK] == words[Role.TOWNSHIP] == "own"
    assert words[Role.CENTRE] == words[Role.FINANCE] == words[Role.AUDITOR] == "all"
    assert words[Role.BUREAU] == "-"
    assert not {Role.GUARANTOR, Role.ADMIN} & words.keys()


@pytest.mark.parametrize("table", [TABLE.replace("lent", "bonk"), TABLE.replace("all    -", "all")])
def test_a_table_with_an_unknown_column_or_a_short_row_is_an_error(table: str) -> None:
    with pytest.raises(ValueError, match=r"no role|shorter|longer"):
        by_role(table)


def test_who_runs_the_machine_has_no_business_and_the_supervision_explains_nothing() -> None:
    assert {*Role} - {*BUSINESS} == {Role.ADMIN}
    assert {*BUSINESS} - {*SUPERVISED} == {Role.AUDITOR}
    assert [role for role in Role if role.reach is Reach.NOTHING] == [Role.ADMIN]


def test_nobody_acts_in_a_role_that_the_programme_does_not_have() -> None:
    assert Author("bank", "NRCB", "wang").role is Role.BANK  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="bonk"):
        Author("bonk", "NRCB", "wang")  # type: ignore[arg-type]

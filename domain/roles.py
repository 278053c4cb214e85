"""The roles (角色) in which organisations act, and how far each one reads.

A new office is one line here. What a role may submit stands with each command (`ROLES`); what it
may read follows from its reach: `domain.visibility` for events, `interface.http.permissions` for
queries, which may give a role a column of its own.
"""

from __future__ import annotations

from enum import Enum, StrEnum


class Reach(Enum):
    """Whose loans and households an organisation reads."""

    LENT = "lent"
    """Of the loans that it lent."""
    RESIDENT = "resident"
    """Of the households that live in it, and of their loans."""
    GUARANTEED = "guaranteed"
    """Of the loans that it guarantees."""
    COUNTY = "county"
    """Of the whole county."""
    NOTHING = "nothing"
    """No business at all: it runs the machine."""


class Role(StrEnum):
    """A role as the log and the contract write it, its Chinese name, and its reach."""

    zh: str
    reach: Reach

    def __new__(cls, value: str, zh: str = "", reach: Reach = Reach.NOTHING) -> Role:
        role = str.__new__(cls, value)
        role._value_, role.zh, role.reach = value, zh, reach
        return role

    BANK = "bank", "银行", Reach.LENT
    TOWNSHIP = "township", "乡镇", Reach.RESIDENT
    GUARANTOR = "guarantor", "担保公司", Reach.GUARANTEED
    CENTRE = "centre", "金融扶贫服务中心", Reach.COUNTY
    BUREAU = "bureau", "乡村振兴局", Reach.COUNTY
    FINANCE = "finance", "财政局", Reach.COUNTY
    AUDITOR = "auditor", "审计局", Reach.COUNTY
    ADMIN = "admin", "系统管理员", Reach.NOTHING


BUSINESS = tuple(role for role in Role if role.reach is not Reach.NOTHING)
"""Every role that takes part in the programme."""
SUPERVISION = Role.AUDITOR
"""The office that opens cases and sees every one of them."""
SUPERVISED = tuple(role for role in BUSINESS if role is not SUPERVISION)
"""Whom the supervision may ask to explain."""


def by_role(table: str) -> dict[str, dict[Role, str]]:
    """A table in plain text as words by the name of its row and by role.

    A role has the column of its name, else that of its reach. Raises ValueError for a column that
    is neither, and for a row that is too short or too long.
    """
    [_, *columns], *rows = (line.split() for line in table.strip().splitlines())
    unknown = set(columns) - {*Role} - {reach.value for reach in Reach}
    if unknown:
        raise ValueError(f"no role and no reach: {unknown}")
    column = {role: role if role in columns else role.reach.value for role in Role}
    found: dict[str, dict[Role, str]] = {}
    for name, *words in rows:
        told = dict(zip(columns, words, strict=True))
        found[name] = {role: told[column[role]] for role in Role if column[role] in told}
    return found

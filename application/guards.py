"""What keeps the tables append-only inside the database, and whether all of it still stands.

The owner can take a guard away, but not without this showing it; what he did meanwhile is for
the tree to show.
"""

from __future__ import annotations

from typing import Any

import psycopg

APPEND_ONLY = ("event", "tree_node", "checkpoint", "witness", "cosignature", "wrapping")
"""Tables to which rows are only ever added."""

_REFUSE_CHANGE = "7bc5ab54f459eaf031caf80af10e8cfd20bdcebde94b1d49dc3445f646a354f5"
_GUARD_KEY = "b867d39e4111b324ff6c3edacdc4139632dcf6d9146258bb45ae09cd0e9ac68d"
"""SHA-256 of the texts of ledger.refuse_change() and ledger.guard_key()."""
_ROW, _BEFORE, _INSERT, _DELETE, _UPDATE, _TRUNCATE = 1, 2, 4, 8, 16, 32
"""The bits of pg_trigger.tgtype."""
_GUARDS = {
    table: {"append_only": (_BEFORE | _DELETE | _UPDATE | _TRUNCATE, _REFUSE_CHANGE)}
    for table in APPEND_ONLY
} | {
    "household_key": {
        "never_changed": (_BEFORE | _UPDATE | _TRUNCATE, _REFUSE_CHANGE),
        "guarded": (_ROW | _INSERT | _DELETE, _GUARD_KEY),
    }
}
_RIGHTS_GIVEN = {
    ("event", "mingzhang_writer", "INSERT"),
    ("tree_node", "mingzhang_sealer", "INSERT"),
    ("checkpoint", "mingzhang_sealer", "INSERT"),
    ("cosignature", "mingzhang_sealer", "INSERT"),
    ("household_key", "mingzhang_writer", "INSERT"),
    ("household_key", "mingzhang_writer", "DELETE"),
}
"""All rights but SELECT that anybody but the owner has."""

_TRIGGERS = """
SELECT c.relname, t.tgname, t.tgenabled::text, t.tgtype,
       encode(sha256(convert_to(p.prosrc, 'UTF8')), 'hex')
  FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_proc p ON p.oid = t.tgfoid
 WHERE c.relnamespace = 'ledger'::regnamespace AND NOT t.tgisinternal
"""
_RIGHTS = """
SELECT c.relname, coalesce(r.rolname, 'PUBLIC'), a.privilege_type
  FROM pg_class c, aclexplode(c.relacl) a LEFT JOIN pg_roles r ON r.oid = a.grantee
 WHERE c.relnamespace = 'ledger'::regnamespace AND c.relkind = 'r' AND a.grantee <> c.relowner
"""
_SHAPES = """
SELECT c.relname, c.relkind::text, c.relrowsecurity, c.relhasrules, c.relpersistence::text
  FROM pg_class c WHERE c.relnamespace = 'ledger'::regnamespace
"""


def missing_guards(connection: psycopg.Connection[tuple[Any, ...]]) -> list[str]:
    """What should protect the log and does not, each in a sentence; empty when all stands."""
    found: list[str] = []
    triggers: dict[str, dict[str, tuple[Any, ...]]] = {}
    for table, name, *trigger in connection.execute(_TRIGGERS):
        triggers.setdefault(table, {})[name] = tuple(trigger)
    shapes = {row[0]: row[1:] for row in connection.execute(_SHAPES)}
    for table, wanted in _GUARDS.items():
        if shapes.get(table) != ("r", False, False, "p"):
            found.append(f"ledger.{table}: 表的形式被改 / its form was changed")
        there = triggers.get(table, {})
        for name, (kind, body) in wanted.items():
            if name not in there:
                found.append(f"ledger.{table}: 触发器 {name} 不在 / is gone")
            elif there[name] != ("A", kind, body):
                found.append(f"ledger.{table}: 触发器 {name} 被停用或改动 / is disabled or changed")
        found += [
            f"ledger.{table}: 多出触发器 / a trigger of somebody's: {name}"
            for name in sorted(there.keys() - wanted.keys())
        ]
    found += [
        f"ledger.{table}: {role} 有权 / may {right}"
        for table, role, right in connection.execute(_RIGHTS)
        if table in _GUARDS and right != "SELECT" and (table, role, right) not in _RIGHTS_GIVEN
    ]
    return found

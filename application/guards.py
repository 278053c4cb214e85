"""What keeps the tables append-only inside the database, and whether all of it still stands.

The owner can take a guard away, but not without this showing it; what he did meanwhile is for
the tree to show.
"""

from __future__ import annotations

from typing import Any

import psycopg

APPEND_ONLY = ("event", "tree_node", "checkpoint", "witness", "cosignature")
_REFUSING_BODY = "7bc5ab54f459eaf031caf80af10e8cfd20bdcebde94b1d49dc3445f646a354f5"
"""SHA-256 of the text of ledger.refuse_change()."""
_BEFORE_EVERY_CHANGE = 2 | 8 | 16 | 32
"""pg_trigger.tgtype: before; delete, update, truncate; once a statement."""
_INSERTING = {
    "event": {"mingzhang_writer"},
    "tree_node": {"mingzhang_sealer"},
    "checkpoint": {"mingzhang_sealer"},
    "witness": set[str](),
    "cosignature": {"mingzhang_sealer"},
}
_CHANGING = {"UPDATE", "DELETE", "TRUNCATE", "TRIGGER"}

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
    triggers: dict[str, list[tuple[Any, ...]]] = {}
    for table, *trigger in connection.execute(_TRIGGERS):
        triggers.setdefault(table, []).append(tuple(trigger))
    rights: dict[str, set[tuple[str, str]]] = {}
    for table, role, right in connection.execute(_RIGHTS):
        rights.setdefault(table, set()).add((role, right))
    shapes = {row[0]: row[1:] for row in connection.execute(_SHAPES)}
    for table in APPEND_ONLY:
        if shapes.get(table) != ("r", False, False, "p"):
            found.append(f"ledger.{table}: 表的形式被改 / its form was changed")
        found += [f"ledger.{table}: {fault}" for fault in _trigger_faults(triggers.get(table, []))]
        for role, right in sorted(rights.get(table, ())):
            if right in _CHANGING or (right == "INSERT" and role not in _INSERTING[table]):
                found.append(f"ledger.{table}: {role} 有权 / may {right}")
    return found


def _trigger_faults(triggers: list[tuple[Any, ...]]) -> list[str]:
    faults = []
    if not any(trigger[0] == "append_only" for trigger in triggers):
        faults.append("只增触发器不在 / the append-only trigger is gone")
    for name, enabled, kind, body in triggers:
        if name != "append_only":
            faults.append(f"多出触发器 / a trigger of somebody's: {name}")
        elif enabled != "A":
            faults.append("只增触发器被停用 / the append-only trigger is disabled")
        elif kind != _BEFORE_EVERY_CHANGE or body != _REFUSING_BODY:
            faults.append("只增触发器被改 / the append-only trigger was changed")
    return faults

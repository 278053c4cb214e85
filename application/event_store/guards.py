"""What the service relies on inside the database, compared with what the migrations make.

The owner of the database can change every definition in it, but not without this showing it: the
description to compare with (`schema.json`) stands beside the code, outside the database. What the
owner did to the rows meanwhile is for the tree to show.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from importlib import resources
from typing import Any

import psycopg

from application.event_store.clock import TOLERANCE
from application.event_store.migrations import SERVICE_ROLES, migrations
from application.refusals import SchemaAltered

Connection = psycopg.Connection[tuple[Any, ...]]
Description = dict[str, str]
"""Every object by its kind and name (`trigger ledger.event.append_only`), and its definition."""

APPEND_ONLY = ("event", "tree_node", "checkpoint", "witness", "cosignature", "wrapping")
"""Tables to which rows are only ever added."""

FACTS = "facts"
"""What the description calls the live generation of the facts, whatever its number."""
ANOTHER_VERSION = "facts: 由另一版本生成，请 rebuild / drawn by another version: run rebuild"
NONE_LIVE = "facts: 没有在用的一代 / no generation of them is live"
REBUILDING = 7291005
"""The advisory lock that rebuilds of the facts share: until they end, none need be live."""
_FACTS_SCHEMA = f"schema {FACTS}"
_OF_FACTS = re.compile(rf"^[a-z ]+ {FACTS}(\.|$)")
_SCHEMAS = ["ledger", "projection", "console"]
_ATTEMPTS = 5
_OWN_SETTINGS = {
    "fsync": "on",
    "full_page_writes": "on",
    "session_replication_role": "origin",
    "zero_damaged_pages": "off",
}
"""Settings of the running server without which stored rows or guards are not what they seem."""
_HARMLESS_SETTING = re.compile(
    r"(auto_explain|auto_|autovacuum|effective_|idle_|jit|log_|maintenance_|max_parallel_|tcp_)\w*"
    r"|work_mem|temp_buffers|hash_mem_multiplier|random_page_cost|seq_page_cost|lock_timeout"
    r"|statement_timeout|application_name|client_min_messages|lc_messages|TimeZone"
)
"""Settings of a database or role that change how fast something is, or what is logged."""
_KINDS = {
    "schema": "模式",
    "table": "表",
    "column": "列",
    "constraint": "约束",
    "index": "索引",
    "trigger": "触发器",
    "rule": "规则",
    "policy": "行级策略",
    "function": "函数",
    "object": "对象",
    "default rights": "默认权限",
    "event trigger": "事件触发器",
    "setting": "设置",
    "role": "角色",
    "login": "登录",
    "database": "数据库权限",
    "cast": "类型转换",
    "shadow": "遮蔽系统对象者",
    "generation": "事实代次",
    "migration": "迁移",
}


class SchemaState:
    """What was found altered in the database; while anything is, nothing is acknowledged.

    One to a process, shared by its threads; `on_report` hears that somebody else found something.
    """

    def __init__(self, on_report: Callable[[], object] = lambda: None) -> None:
        self.altered: list[str] = []
        self._on_report = on_report

    def assure_unaltered(self) -> None:
        """Raises SchemaAltered."""
        if self.altered:
            raise SchemaAltered(count=len(self.altered))

    def report(self, sentence: str) -> None:
        """Take in what was found elsewhere than by comparison: until the next one, it stands."""
        self.altered = [*self.altered, sentence]
        self._on_report()


_ROLES = ", ".join(f"'{role}'" for role in SERVICE_ROLES)
_OWNER = "(SELECT nspowner FROM pg_namespace WHERE nspname = 'ledger')"


def _role(oid: str) -> str:
    """A role by its name; the owner of the ledger as `owner`, whatever his name."""
    return (
        f"CASE WHEN {oid} = 0 THEN 'PUBLIC' ELSE (SELECT CASE WHEN rolname IN ({_ROLES})"
        f" THEN rolname WHEN oid = {_OWNER} THEN 'owner' ELSE quote_ident(rolname) END"
        f" FROM pg_roles WHERE oid = {oid}) END"
    )


def _rights(acl: str, owner: str) -> str:
    """Who but its owner may do what with an object; `*`: and may pass it on."""
    return (
        f"coalesce((SELECT string_agg({_role('grantee')} || ':' || privilege_type ||"
        " CASE WHEN is_grantable THEN '*' ELSE '' END, ' '"
        f' ORDER BY {_role("grantee")} COLLATE "C", privilege_type)'
        f" FROM aclexplode({acl}) WHERE grantee <> {owner}), '')"
    )


_RELATION = (
    "(SELECT c.*, n.nspname || '.' || c.relname AS name FROM pg_class c"
    " JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = ANY (%(schemas)s)"
    " OR n.nspname = 'public' AND c.relname LIKE 'mingzhang\\_migration%%') c"
)
_OF_EXTENSION = (
    "EXISTS (SELECT FROM pg_depend WHERE deptype = 'e'"
    " AND classid = '{catalogue}'::regclass AND objid = {oid})"
)
_OURS = 16384  # the first oid that initdb does not give

_QUESTIONS = {
    "schema": f"""
SELECT nspname, {_role("nspowner")} || ' | '
       || {_rights("coalesce(nspacl, acldefault('n', nspowner))", "nspowner")}
       || coalesce(' | ' || obj_description(oid, 'pg_namespace'), '')
  FROM pg_namespace WHERE nspname = ANY (%(schemas)s)""",
    "table": f"""
SELECT c.name, concat_ws(' ', c.relkind, c.relpersistence, {_role("c.relowner")},
       (SELECT amname FROM pg_am WHERE oid = c.relam),
       CASE WHEN c.relrowsecurity THEN 'row security' END,
       CASE WHEN c.relforcerowsecurity THEN 'forced' END,
       CASE WHEN c.relispartition THEN 'partition' END,
       (SELECT string_agg('parent ' || inhparent::regclass, ' ') FROM pg_inherits
         WHERE inhrelid = c.oid),
       (SELECT string_agg('child ' || inhrelid::regclass, ' ') FROM pg_inherits
         WHERE inhparent = c.oid),
       (SELECT concat_ws(',', seqtypid::regtype, seqstart, seqincrement, seqmin, seqmax, seqcycle)
          FROM pg_sequence WHERE seqrelid = c.oid),
       '|', {
        _rights(
            '''coalesce(c.relacl, acldefault((CASE c.relkind WHEN 'S' THEN 's'
       ELSE 'r' END)::"char", c.relowner))''',
            "c.relowner",
        )
    })
  FROM {_RELATION} WHERE c.relkind NOT IN ('i', 'I')""",
    "column": f"""
SELECT c.name || '.' || a.attname, concat_ws(' ',
       row_number() OVER (PARTITION BY c.oid ORDER BY a.attnum),
       format_type(a.atttypid, a.atttypmod), a.attstorage,
       (SELECT 'COLLATE ' || collname FROM pg_collation WHERE oid = a.attcollation
           AND a.attcollation <> t.typcollation),
       CASE WHEN a.attnotnull THEN 'NOT NULL' END,
       nullif('identity ' || a.attidentity::text, 'identity '),
       nullif('generated ' || a.attgenerated::text, 'generated '),
       pg_get_expr(d.adbin, d.adrelid), '|', {_rights("a.attacl", "c.relowner")})
  FROM {_RELATION} JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0
  JOIN pg_type t ON t.oid = a.atttypid
  LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
 WHERE NOT a.attisdropped AND c.relkind NOT IN ('i', 'I', 'S')""",
    "constraint": f"""
SELECT c.name || '.' || o.conname, pg_get_constraintdef(o.oid)
       || CASE WHEN o.convalidated THEN '' ELSE ' not validated' END
  FROM {_RELATION} JOIN pg_constraint o ON o.conrelid = c.oid
 WHERE o.contype <> 'n' OR NOT o.convalidated""",
    "index": f"""
SELECT c.name || '.' || x.relname, pg_get_indexdef(i.indexrelid) || '  ' || concat_ws(' ',
       CASE WHEN i.indisprimary THEN 'primary' END,
       CASE WHEN i.indisvalid THEN 'valid' END, CASE WHEN i.indisready THEN 'ready' END,
       CASE WHEN i.indislive THEN 'live' END, CASE WHEN i.indimmediate THEN 'immediate' END)
  FROM {_RELATION} JOIN pg_index i ON i.indrelid = c.oid JOIN pg_class x ON x.oid = i.indexrelid""",
    "trigger": f"""
SELECT c.name || '.' || CASE WHEN t.tgisinternal
         THEN p.proname || coalesce(' ' || nullif(t.tgconstrrelid, 0)::regclass, '')
         ELSE t.tgname END,
       string_agg(t.tgenabled::text || CASE WHEN t.tgisinternal THEN ''
         ELSE ' ' || pg_get_triggerdef(t.oid) || ' '
         || encode(sha256(convert_to(p.prosrc, 'UTF8')), 'hex') END, ' ')
  FROM {_RELATION} JOIN pg_trigger t ON t.tgrelid = c.oid JOIN pg_proc p ON p.oid = t.tgfoid
 GROUP BY 1""",
    "rule": f"""
SELECT c.name || '.' || r.rulename, r.ev_enabled::text || ' ' || pg_get_ruledef(r.oid)
  FROM {_RELATION} JOIN pg_rewrite r ON r.ev_class = c.oid""",
    "policy": f"""
SELECT c.name || '.' || p.polname, concat_ws(' ', p.polcmd, pg_get_expr(p.polqual, p.polrelid),
       pg_get_expr(p.polwithcheck, p.polrelid))
  FROM {_RELATION} JOIN pg_policy p ON p.polrelid = c.oid""",
    "function": f"""
SELECT p.oid::regprocedure::text, concat_ws(' | ', {_role("p.proowner")},
       {_rights("coalesce(p.proacl, acldefault('f', p.proowner))", "p.proowner")},
       CASE WHEN p.prokind IN ('f', 'p') THEN pg_get_functiondef(p.oid) END)
  FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
 WHERE n.nspname = ANY (%(schemas)s)""",
    "object": """
SELECT i.type || ' ' || i.identity, ''
  FROM pg_depend d CROSS JOIN pg_identify_object(d.classid, d.objid, d.objsubid) i
 WHERE d.refclassid = 'pg_namespace'::regclass
   AND d.refobjid IN (SELECT oid FROM pg_namespace WHERE nspname = ANY (%(schemas)s))
   AND d.classid NOT IN ('pg_class'::regclass, 'pg_proc'::regclass, 'pg_statistic_ext'::regclass,
                         'pg_default_acl'::regclass)
   AND NOT EXISTS (SELECT FROM pg_type t WHERE d.classid = 'pg_type'::regclass AND t.oid = d.objid
                    AND (t.typrelid <> 0 OR t.typelem <> 0 AND t.typcategory = 'A'))""",
    "default rights": f"""
SELECT {_role("defaclrole")} || coalesce(' ' || nspname, '') || ' ' || defaclobjtype::text,
       {_rights("defaclacl", "0::oid")}
  FROM pg_default_acl LEFT JOIN pg_namespace n ON n.oid = defaclnamespace
 WHERE defaclrole = {_OWNER} OR nspname = ANY (%(schemas)s)
    OR defaclrole IN (SELECT oid FROM pg_roles WHERE rolname IN ({_ROLES}))""",
    "event trigger": f"""
SELECT evtname, evtevent FROM pg_event_trigger e
 WHERE evtenabled <> 'D'
   AND NOT {_OF_EXTENSION.format(catalogue="pg_event_trigger", oid="e.oid")}""",
    "role": f"""
SELECT rolname, concat_ws(' ', CASE WHEN rolsuper THEN 'superuser' END,
       CASE WHEN rolcreaterole THEN 'createrole' END, CASE WHEN rolcreatedb THEN 'createdb' END,
       CASE WHEN rolcanlogin THEN 'login' END, CASE WHEN rolreplication THEN 'replication' END,
       CASE WHEN rolbypassrls THEN 'bypassrls' END,
       (SELECT string_agg('member of ' || {_role("roleid")}, ' ') FROM pg_auth_members
         WHERE member = r.oid))
  FROM pg_roles r WHERE rolname IN ({_ROLES})""",
    "database": f"""
SELECT {_role("grantee")}, string_agg(privilege_type, ' ' ORDER BY privilege_type)
  FROM pg_database, aclexplode(datacl)
 WHERE datname = current_database()
   AND grantee IN (SELECT oid FROM pg_roles WHERE rolname IN ({_ROLES}))
 GROUP BY grantee""",
    "cast": f"""
SELECT format('(%%s AS %%s)', castsource::regtype, casttarget::regtype), ''
  FROM pg_cast c WHERE c.oid >= {_OURS}
   AND NOT {_OF_EXTENSION.format(catalogue="pg_cast", oid="c.oid")}""",
}

_MEMBERS = f"""
WITH RECURSIVE member (oid) AS (
  SELECT oid FROM pg_roles WHERE rolname IN ({_ROLES})
  UNION SELECT m.member FROM pg_auth_members m JOIN member ON member.oid = m.roleid)
SELECT oid FROM member
"""
_SETTINGS = f"""
SELECT CASE WHEN s.setdatabase = 0 THEN '' ELSE 'database ' END
       || CASE WHEN s.setrole = 0 THEN '' ELSE {_role("s.setrole")} || ' ' END, c
  FROM pg_db_role_setting s CROSS JOIN unnest(s.setconfig) c
 WHERE s.setdatabase IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))
   AND (s.setrole IN (0, {_OWNER}) OR s.setrole IN ({_MEMBERS}))
"""
# A login of the service that is more than a member of its roles: a guard holds it no longer.
_LOGINS = f"""
WITH RECURSIVE belongs (member, roleid) AS (
  SELECT member, roleid FROM pg_auth_members
  UNION SELECT b.member, m.roleid FROM belongs b JOIN pg_auth_members m ON m.member = b.roleid)
SELECT r.rolname, concat_ws(' ', CASE WHEN r.rolsuper THEN 'superuser' END,
       CASE WHEN r.rolbypassrls THEN 'bypassrls' END,
       (SELECT string_agg('member of ' || {_role("g.oid")}, ' ' ORDER BY g.rolname)
          FROM belongs b JOIN pg_roles g ON g.oid = b.roleid
         WHERE b.member = r.oid AND (g.oid = {_OWNER} OR g.rolsuper
            OR g.rolname IN ('pg_write_all_data', 'pg_write_server_files',
                             'pg_execute_server_program'))))
  FROM pg_roles r WHERE r.oid IN ({_MEMBERS}) AND r.rolname NOT IN ({_ROLES})
   AND r.oid <> {_OWNER}
"""
# What answers to a system object's name: in its own schema, or in one that is searched too.
_SHADOWS = f"""
WITH searched AS (
  SELECT oid, nspname FROM pg_namespace
   WHERE nspname IN ('public', 'pg_catalog') OR nspname IN ({_ROLES})
      OR nspname IN (SELECT rolname FROM pg_roles WHERE oid IN ({_MEMBERS}) OR oid = {_OWNER})),
own AS (
  SELECT 'pg_proc'::regclass AS catalogue, oid, pronamespace AS schema, proname AS name FROM pg_proc
  UNION ALL SELECT 'pg_class'::regclass, oid, relnamespace, relname FROM pg_class
   WHERE relkind NOT IN ('i', 'I', 't')
  UNION ALL SELECT 'pg_type'::regclass, oid, typnamespace, typname FROM pg_type
   WHERE typrelid = 0 AND typcategory <> 'A'
  UNION ALL SELECT 'pg_operator'::regclass, oid, oprnamespace, oprname FROM pg_operator)
SELECT pg_describe_object(o.catalogue, o.oid, 0)
  FROM own o JOIN searched s ON s.oid = o.schema
 WHERE o.oid >= {_OURS}
   AND (s.nspname = 'pg_catalog'
        OR EXISTS (SELECT FROM own i WHERE i.catalogue = o.catalogue AND i.name = o.name
                    AND i.schema = 'pg_catalog'::regnamespace))
   AND NOT EXISTS (SELECT FROM pg_depend WHERE deptype = 'e' AND classid = o.catalogue
                    AND objid = o.oid)
"""
_LIVE = "SELECT number FROM projection.generation WHERE live"
# One statement sees both as they were at one instant, also while a generation comes or goes.
_HOMELESS = """
SELECT coalesce(n.nspname, 'facts_' || g.number), n.oid IS NULL
  FROM projection.generation g
  FULL JOIN (SELECT oid, nspname FROM pg_namespace WHERE nspname ~ '^facts_[0-9]+$') n
    ON n.nspname = 'facts_' || g.number
 WHERE n.oid IS NULL OR g.number IS NULL
"""
# Comparisons alone: an instant without end is none that could be read.
_MARKS = """
SELECT (SELECT count(*) FROM projection.generation), count(g.number),
       EXISTS (SELECT FROM pg_locks l JOIN pg_database d ON d.oid = l.database
                WHERE d.datname = current_database() AND l.locktype = 'advisory' AND l.objid = %s)
  FROM projection.generation g WHERE g.live
"""
_WATERMARK = """
SELECT w.position > coalesce(e.last, 0) OR w.position < 0,
       w.through > clock_timestamp() + make_interval(secs => %s),
       coalesce((SELECT n.recorded_at <= w.through FROM ledger.event n
                  WHERE n.position > w.position ORDER BY n.position LIMIT 1), false)
  FROM ledger.watermark w, (SELECT max(position) AS last FROM ledger.event) e
"""
_TWIN = re.compile(r"_cc(new|old)\d*$")
_INDEX_NAME = re.compile(r"INDEX \S+ ON")


def missing_guards(connection: Connection) -> list[str]:
    """What in the database is not as the migrations and the projector make it, each in a sentence.

    Empty when all stands. Takes no lock that outlasts it, and changes nothing.
    """
    with connection.transaction(force_rollback=True):
        connection.execute(
            "SELECT pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true),"
            " pg_catalog.set_config('TimeZone', 'UTC', true)"
        )
        try:
            with connection.transaction():
                return _compared(connection)
        except psycopg.DatabaseError as error:
            if isinstance(error, psycopg.OperationalError):
                raise
            return [f"库结构无法读取 / the schema cannot be read: {error}".strip()]


def _compared(connection: Connection) -> list[str]:
    live = _held_generation(connection)
    wanted = expected() if live is not None else _without_facts(expected())
    found = describe(connection, live)
    said = _server_settings(connection) + _wrong_marks(connection)
    version = found.get(_FACTS_SCHEMA, "").rpartition(" | ")[2]
    if live is not None and not wanted[_FACTS_SCHEMA].endswith(f" | {version}"):
        said.append(ANOTHER_VERSION)
        wanted, found = _without_facts(wanted), _without_facts(found)
    return sorted(_differences(wanted, found)) + said


def _without_facts(description: Mapping[str, str]) -> Description:
    return {key: value for key, value in description.items() if not _OF_FACTS.search(key)}


def describe(connection: Connection, live: int | None) -> Description:
    """All that the service relies on, and what must not be there, as it is defined now.

    `live`: the generation of the facts that is read; None while there is none.
    """
    schemas = [*_SCHEMAS, *([f"{FACTS}_{live}"] if live is not None else [])]
    own = re.compile(rf"\b{FACTS}_{live}\b")
    described: Description = {}
    for kind, question in _QUESTIONS.items():
        for name, definition in connection.execute(question.encode(), {"schemas": schemas}):
            named, defined = (own.sub(FACTS, text or "") for text in (name, definition))
            if kind == "index" and named.startswith(f"{FACTS}."):  # numbered as they are made
                defined = _INDEX_NAME.sub("INDEX ON", defined)
                named = f"{named.rpartition('.')[0]} {defined.partition(' USING ')[2]}"
            described[f"{kind} {named}"] = defined
    described |= _settings(connection) | _strangers(connection) | _migrated(connection)
    return {key: value for key, value in described.items() if not _being_reindexed(key, described)}


def _settings(connection: Connection) -> Description:
    found = {}
    for whose, setting in connection.execute(_SETTINGS.encode()):
        name, _, value = setting.partition("=")
        if not _HARMLESS_SETTING.fullmatch(name):
            found[f"setting {whose}{name}"] = value
    return found


def _strangers(connection: Connection) -> Description:
    """Logins that may more than they need, objects in a system object's place, lost generations."""
    logins = {f"login {name}": more for name, more in connection.execute(_LOGINS.encode()) if more}
    shadows = {f"shadow {name}": "" for (name,) in connection.execute(_SHADOWS.encode())}
    return logins | shadows | _lost_generations(connection)


def _lost_generations(connection: Connection) -> Description:
    try:
        with connection.transaction():
            rows = connection.execute(_HOMELESS).fetchall()
    except psycopg.ProgrammingError:
        return {}  # why it cannot be read is named by what became of its table
    return {
        f"generation {name}": "没有模式 / no schema" if missing else "没有登记 / not registered"
        for name, missing in rows
    }


def _migrated(connection: Connection) -> Description:
    try:
        with connection.transaction():
            rows = connection.execute(
                "SELECT name, checksum FROM public.mingzhang_migration"
            ).fetchall()
    except psycopg.ProgrammingError:
        return {}  # why it cannot be read is named by what became of its table
    return {f"migration {name}": checksum for name, checksum in rows}


def _being_reindexed(key: str, described: Mapping[str, str]) -> bool:
    """Whether this is the second half of an index while REINDEX CONCURRENTLY is at work."""
    kind, _, name = key.partition(" ")
    if kind != "index" or not _TWIN.search(name):
        return False
    twin = described.get(f"index {_TWIN.sub('', name)}", "")
    columns = twin.partition(" USING ")[2].partition("  ")[0]
    return bool(twin) and described[key].partition(" USING ")[2].partition("  ")[0] == columns


def _held_generation(connection: Connection) -> int | None:
    """The live generation, held so that nobody drops it meanwhile; None when there is none."""
    live: int | None = None
    for _ in range(_ATTEMPTS):
        try:
            with connection.transaction():
                row = connection.execute(_LIVE).fetchone()
                live = row[0] if row else None
                connection.execute(f"SELECT FROM {FACTS}_{live}.loan LIMIT 0".encode())
            break
        except psycopg.ProgrammingError:
            continue  # it went in this very moment; or it is not as it should be, and is named
    return live


def _server_settings(connection: Connection) -> list[str]:
    rows = connection.execute(
        "SELECT name, current_setting(name) FROM unnest(%s::text[]) AS name", (list(_OWN_SETTINGS),)
    ).fetchall()
    return [
        f"{name} = {found}; 必须为 / must be {_OWN_SETTINGS[name]}"
        for name, found in rows
        if found != _OWN_SETTINGS[name]
    ]


def _wrong_marks(connection: Connection) -> list[str]:
    """Whether one generation of the facts is live, and whether the watermark can be true.

    Before the first drawing there is no generation at all.
    """
    try:
        with connection.transaction():
            row = connection.execute(_MARKS, (REBUILDING,)).fetchone()
            marks = connection.execute(_WATERMARK, (TOLERANCE.total_seconds(),)).fetchall()
    except psycopg.ProgrammingError:
        return []  # why they cannot be read is named by what became of their tables
    known, live, rebuilding = row or (0, 0, False)
    said = [NONE_LIVE] if known and not live and not rebuilding else []
    if live > 1:
        said.append(f"facts: {live} 代同时在用 / {live} generations of them are live")
    if len(marks) != 1:
        return [*said, f"ledger.watermark: 有 {len(marks)} 行 / it has {len(marks)} rows, not one"]
    faults = (
        ("所记位置不在日志内", "its position is outside of the log"),
        ("所记时刻在将来", "its instant is in the future"),
        ("其后的事件在所记时刻之前得知", "an event behind it was recorded before its instant"),
    )
    return said + [
        f"ledger.watermark: {zh} / {en}"
        for wrong, (zh, en) in zip(marks[0], faults, strict=True)
        if wrong
    ]


def _differences(wanted: Mapping[str, str], found: Mapping[str, str]) -> Iterator[str]:
    for key in wanted.keys() | found.keys():
        kind = next(kind for kind in _KINDS if key.startswith(f"{kind} "))
        name = key.removeprefix(f"{kind} ")
        what = f"{name}: {_KINDS[kind]}"
        if key not in found:
            if kind == "migration":
                yield f"{what}未应用，请先 migrate / {kind} is not applied: run migrate first"
            elif kind != "database":  # pg_dump leaves it out; without it the projector says so
                yield f"{what}不在 / {kind} is gone"
        elif key not in wanted:
            yield f"{what}多出 / {kind} of somebody's: {found[key]}".removesuffix(": ")
        elif found[key] != wanted[key]:
            yield f"{what}被改动 / {kind} was changed"


@cache
def expected() -> Description:
    """The description of what the migrations and the projector make."""
    text = resources.files(__package__).joinpath("schema.json").read_text("utf-8")
    described: Description = json.loads(text)
    checksums = {
        f"migration {name}": hashlib.sha256(sql.encode()).hexdigest() for name, sql in migrations()
    }
    return described | checksums

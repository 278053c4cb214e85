# fmt: off
"""核对事实表 The facts tables of the service against the exported log, as facts.toml declares.
Belongs beside verify.py, which calls it: verify.py log EXPORT --checkpoint NOTE --facts FOLDER."""
import json
import tomllib
from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack
from functools import reduce
from pathlib import Path
from typing import Any
from uuid import UUID

if __package__:
    from interface.auditor.verify import Row, must, rows_of
else:
    from verify import Row, must, rows_of  # type: ignore[import-not-found, no-redef]

FACTS_TOML = Path(__file__).with_name("facts.toml")  # as an auditor keeps it
if not FACTS_TOML.exists():  # in the repository
    FACTS_TOML = Path(__file__).parent / "../../projections/facts/facts.toml"
line_of = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode

def facts_of(row: Row, by: Row, known: Any) -> Iterator[tuple[str, str]]:
    """(table, line) of all that the event in `row` says; or `by`, its correction, takes back."""
    state, sign = json.loads(row.state), 1 if by is row else -1
    heads = [member["person"] for member in state.get("members", []) if member.get("head")]
    event = state | {"ref": row.ref, "organisation": row.organisation, "head_of": "".join(heads)}
    recorded_at = f"{by.recorded_at:%Y-%m-%dT%H:%M:%S.%f}".rstrip("0").rstrip(".") + "+00:00"
    first = {"of_position": row.position, "position": by.position, "recorded_at": recorded_at,
             "effective_on": state["effective_on"], "sign": sign}  # what all tables begin with
    own = {f"{row.topic.partition('.')[0]}_id": str(UUID(bytes=row.aggregate))}
    for rule in known["events"][row.topic]:
        items = reduce(dict.get, rule["each"].split("."), state) if "each" in rule else [state]
        for item in items or []:
            members = {rule["item"]: item} if "item" in rule else item
            fact = members | own | rule.get("is", {})
            fact |= {column: event.get(name) for column, name in rule.get("of", {}).items()}
            fact |= {column: sign * event[name] for column, name in rule.get("plus", {}).items()}
            fact |= {column: -sign * event[name] for column, name in rule.get("minus", {}).items()}
            fact |= {column: line_of(item[name]) for column, name in rule.get("text", {}).items()}
            if fact.get(rule.get("unless_zero")) != 0:
                columns = known["tables"][rule["table"]]
                yield rule["table"], line_of(first | {c: fact.get(c) for c in columns}) + "\n"
def check_facts(export: Path, folder: Path) -> str:
    """The facts tables have the lines that by facts.toml the events say, in order, and no other."""
    known = tomllib.loads(FACTS_TOML.read_text("utf-8"))
    amiss = sorted({path.stem for path in folder.glob("*.ndjson")} ^ {*known["tables"]})
    must(not amiss, f"事实表缺失或不明 facts tables missing or unknown: {amiss}")
    corrections, count = defaultdict[tuple[bytes, int], list[Row]](list), 0
    for row in rows_of(export):
        if row.topic.endswith(".corrected.v1"):
            corrections[row.aggregate, json.loads(row.state)["corrects"]].append(row)
    with ExitStack() as files:
        lines = {table: files.enter_context(path.open(encoding="utf-8", newline="\n"))
                 for table in known["tables"] for path in [folder / f"{table}.ndjson"]}
        for row in rows_of(export):
            told = [row, *corrections.get((row.aggregate, row.version), [])]
            for table, line in sorted(fact for by in told for fact in facts_of(row, by, known)):
                given, count = lines[table].readline(), count + 1
                must(given == line, f"{table} of_position {row.position}: {given}, 应为 not {line}")
        for table, file in lines.items():
            must(not (more := file.readline()), f"{table}: 多余 one too many: {more}")
    return f"事实 facts: {count} of {count}, 表 tables: {len(lines)}"

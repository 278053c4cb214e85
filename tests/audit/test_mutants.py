"""Every small fault put into the verifier, or into the witness's proofs, is noticed.

One node of the syntax tree is changed at a time: comparisons turned, constants moved by one, `not`
dropped, conditions negated, `and` for `or`, a statement or a raise removed, the two children of a
node hash exchanged. A mutant that the checks below still call right is a hole in them, or means the
same; those stand in `EQUIVALENT`, with the reason.
"""

from __future__ import annotations

import ast
import contextlib
import copy
import dataclasses
import io
import json
import pickle
import signal
import sys
import tempfile
import time
import types
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from audit import facts_cases
from audit.support import (
    NRCB,
    WITNESSES,
    Key,
    Log,
    b64,
    consistency_path,
    county,
    county_bundle,
    county_log,
    export_of,
    finding_bundle,
    inclusion_path,
    policy,
    rows_of,
    sha256,
    tree_hash,
)  # fmt: skip
from audit.test_notes import (
    BAD_POLICIES,
    GOOD_POLICIES,
    bad_findings,
    bad_receipts,
    bad_texts,
    good_claims,
    signed,
)
from audit.test_promise import promised

from interface.auditor import facts, verify, witness

MUTATED = {
    verify: ["must", "root_of", "text_of", "number_of", "bytes_of", "policy_of", "signed_lines",
             "open_checkpoint", "row_of", "rows_of", "proven", "receipt_of",
             "check_receipt", "check_bundle", "borne_out",
             "check_log", "check", "answer", "main"],
    facts: ["facts_of", "check_facts"],
    witness: ["check_consistency", "roots_of", "update_of"],
}  # fmt: skip

TURNED = {
    ast.Eq: ast.NotEq, ast.NotEq: ast.Eq, ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE,
    ast.GtE: ast.Gt, ast.In: ast.NotIn, ast.NotIn: ast.In,
}  # fmt: skip
PATIENCE = 4  # times what the verifier itself needs for all cases, in processor time
_GROUP = "policy_of: must({*said[1:]} >= {*members}, f'没有此名称 no such name: {line}') → must("
EQUIVALENT = {
    "borne_out: must(since == last or (since > last and midnight), "
    "f'不是得知时刻 not known from {since}') → must(since == last or (since >= last and midnight), "
    "f'不是得知时刻 not known from {since}')": "equal is right before it comes to that",
    _GROUP + "{*said[1:]} > {*members}, f'没有此名称 no such name: {line}')": (
        "the keys of the members are among what was said, so it is always more"
    ),
    _GROUP + "{*said[2:]} >= {*members}, f'没有此名称 no such name: {line}')": (
        "what is said first is a key or the quorum, never a name"
    ),
    "row_of: if parts[0] == b'\\xff\\xff': → if parts[-1] == b'\\xff\\xff':": (
        "there is one part only"
    ),
    "check_bundle: must(shown['event_id'] in events, "
    "f\"未证明 not proven: {shown['event_id']}\") → pass": "not found then: refused as malformed",
    "check_consistency: verify.must(old.size <= new.size, "
    "f'由 {old.size} 退到 {new.size} rolled back') → pass": (
        "no proof leads from a larger tree to a smaller one: refused as malformed"
    ),
    "roots_of: verify.must(path, '证明过短 the proof is too short') → pass": (
        "there is no last hash then: refused as malformed"
    ),
}


def changes(node: ast.AST) -> Iterator[Callable[[Any], None]]:  # noqa: C901, PLR0912
    """The ways to spoil one node, each a function of that node's copy."""
    match node:
        case ast.Compare():
            for n, op in enumerate(node.ops):
                if type(op) in TURNED:
                    yield lambda c, n=n, op=op: c.ops.__setitem__(n, TURNED[type(op)]())
        case ast.BoolOp():
            other = ast.Or if isinstance(node.op, ast.And) else ast.And
            yield lambda c: setattr(c, "op", other())
        case ast.Constant(value=int()) if not isinstance(node.value, bool):
            for step in (1, -1):
                yield lambda c, step=step: setattr(c, "value", c.value + step)
        case ast.Constant(value=bytes()) if node.value:
            yield lambda c: setattr(c, "value", bytes([c.value[0] ^ 1]) + c.value[1:])
        case ast.If() | ast.While() | ast.IfExp():
            yield lambda c: setattr(c, "test", ast.UnaryOp(ast.Not(), c.test))
        case ast.BinOp(op=ast.Add(), left=ast.BinOp(op=ast.Add(), left=ast.Constant())):
            yield exchange
    for name, value in ast.iter_fields(node):
        if isinstance(value, ast.UnaryOp) and isinstance(value.op, ast.Not):
            yield lambda c, name=name: setattr(c, name, getattr(c, name).operand)
        if name in ("body", "orelse") and isinstance(value, list):
            for n, statement in enumerate(value):
                said = isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
                if isinstance(statement, ast.Expr | ast.Raise | ast.AugAssign) and not said:
                    yield lambda c, name=name, n=n: getattr(c, name).__setitem__(n, ast.Pass())


def exchange(node: ast.BinOp) -> None:
    """H(1, left, right) becomes H(1, right, left)."""
    assert isinstance(node.left, ast.BinOp)
    node.left.right, node.right = node.right, node.left.right


def words(node: ast.AST) -> set[int]:
    """Nodes that only make messages, or stand in annotations: not what decides."""
    skipped: set[int] = set()
    for inner in ast.walk(node):
        parts: list[ast.AST | None] = []
        match inner:
            case ast.Call(func=ast.Name(id="must") | ast.Attribute(attr="must"), args=[_, message]):
                parts = [message]
            case ast.Raise():
                parts = [inner.exc]
            case ast.FunctionDef():
                parts = [inner.args, inner.returns]
            case ast.AnnAssign():
                parts = [inner.annotation]
        for part in parts:
            skipped |= {id(n) for n in ast.walk(part)} if part else set()
    return skipped


def mutants(module: Any, names: list[str]) -> Iterator[tuple[str, ast.Module]]:
    """(function: the changed line, the function with that change, as a module)."""
    tree = ast.parse(Path(module.__file__).read_text("utf-8"))
    for function in tree.body:
        if not isinstance(function, ast.FunctionDef) or function.name not in names:
            continue
        skipped = words(function)
        nodes = list(ast.walk(function))
        pickled, lines = pickle.dumps(function), ast.unparse(function).split("\n")
        for n, node in enumerate(nodes):
            if id(node) in skipped:
                continue
            for change in changes(node):
                other = pickle.loads(pickled)
                change(list(ast.walk(other))[n])
                ast.fix_missing_locations(other)
                yield f"{function.name}: {differing(lines, other)}", ast.Module([other], [])


def differing(lines: list[str], other: ast.AST) -> str:
    changed = zip(lines, ast.unparse(other).split("\n"), strict=False)
    return next((f"{x.strip()} → {y.strip()}" for x, y in changed if x != y), "")


@cache
def compiled(module: Any) -> types.CodeType:
    return compile(Path(module.__file__).read_text("utf-8"), module.__file__, "exec")


def run(tree: ast.Module, module: Any) -> Any:
    """The module once more, with the functions of the tree in the place of its own."""
    mutant = types.ModuleType(module.__name__)
    mutant.__dict__.update(__package__="interface.auditor", __file__=module.__file__)
    exec(compiled(module), mutant.__dict__)
    exec(compile(tree, module.__file__, "exec"), mutant.__dict__)
    return mutant


# ---- what every version of the verifier must get right ----------------------------------------

MANY = 9
LEAVES = [b"leaf %d" % n for n in range(MANY)]
ROOTS = [tree_hash(sha256, LEAVES[:n]) for n in range(MANY + 1)]
INCLUSION = [
    (n, size, inclusion_path(sha256, n, LEAVES[:size]))
    for size in range(1, MANY + 1)
    for n in range(size)
]
CONSISTENCY = [
    (old, size, consistency_path(sha256, old, LEAVES[:size]))
    for size in range(1, MANY + 1)
    for old in range(size + 1)
]


CANONICAL: Any = {"ensure_ascii": False, "sort_keys": True, "separators": (",", ":")}
Case = tuple[Callable[[Any, Any], object], bool]


def tree_cases() -> Iterator[Case]:
    """Every proof of the small trees, and each with one thing wrong."""

    def reaches(n: int, size: int, path: list[bytes], root: bytes) -> Callable[..., object]:
        def ask(v: Any, _: Any) -> None:
            v.must(v.root_of(sha256, n, size, LEAVES[n], path) == root, "root")

        return ask

    def follows(
        old: int, a: bytes, size: int, b: bytes, path: list[bytes], origin: str = "x"
    ) -> Callable[..., object]:
        def ask(v: Any, w: Any) -> None:
            one = v.Checkpoint("x", old, a, b"", sha256, [])
            w.check_consistency(one, v.Checkpoint(origin, size, b, b"", sha256, []), path)

        return ask

    for n, size, path in INCLUSION:
        yield reaches(n, size, path, ROOTS[size]), True
        for wrong in (path[:-1], [*path, ROOTS[1]], [ROOTS[1], *path], path[::-1], path[1:]):
            yield reaches(n, size, wrong, ROOTS[size]), wrong == path
        yield reaches(n, size, path, ROOTS[size - 1]), False
        yield reaches(n, 4 * size, path, ROOTS[size]), False
    beyond = sha256(b"\1" + ROOTS[2] + sha256(b"\0" + LEAVES[0]))
    yield reaches(0, 1, [ROOTS[2]], beyond), False
    yield follows(2, ROOTS[2], 1, ROOTS[2], []), False
    yield follows(3, ROOTS[3], 3, ROOTS[3], [], "y"), False
    for old, size, path in CONSISTENCY:
        a, b = ROOTS[old], ROOTS[size]
        yield follows(old, a, size, b, path), True
        for wrong in (path[:-1], [*path, ROOTS[1]], [ROOTS[1], *path], path[::-1], path[1:]):
            yield follows(old, a, size, b, wrong), wrong == path
        yield follows(old, a, size, sha256(b), path), old == 0
        yield follows(old, sha256(a), size, b, path), old == 0
        yield follows(size, b, old, a, path), old == size


def note_cases() -> Iterator[Case]:  # noqa: C901, PLR0912, PLR0915
    """Receipts, checkpoints, policies and updates, right and wrong."""
    log, other = county_log(11), county_log(5, "sm3")
    trust, loose = policy(log.key), policy(log.key, quorum="none")

    def receipt(data: bytes, lines: bytes = trust, position: int = 0) -> Callable[..., object]:
        def ask(v: Any, _: Any) -> None:
            said = v.check_receipt(data, v.policy_of(lines)).split("\n")
            if position:
                event = county(position)[-1]
                state = json.dumps(event.state, **CANONICAL)
                when = f"2026-01-01 00:00:{position:02}+00:00"
                assert said[0].endswith(f"position {position}")
                assert said[1] == f"{when} {event.organisation} {event.ref} {event.topic}: {state}"

        return ask

    def note(
        data: bytes, lines: bytes, by: int | None = None, *, quorum: bool = True
    ) -> Callable[..., object]:
        def ask(v: Any, _: Any) -> None:
            found = v.open_checkpoint(data, v.policy_of(lines), quorum=quorum)
            assert by is None or found.witnesses == [f"w{n}" for n in range(by)]
            assert by is None or bool(found.seen) == bool(by)
            assert found[:2] == (data.split(b"\n")[0].decode(), int(data.split(b"\n")[1]))

        return ask

    def trusted(lines: bytes) -> Callable[..., object]:
        return lambda v, _: v.policy_of(lines)

    for position, size in ((1, 1), (3, 11), (11, 11), (8, 9), (9, 9)):
        yield receipt(log.receipt(position, size), position=position), True
    yield receipt(other.receipt(2), policy(other.key), 2), True
    for data in bad_receipts(log):
        yield receipt(data), False
    right = log.receipt(3)
    for wrong in (
        right[:-1], right + b"\n", right.replace(b"\n\n", b"\n", 1), right.replace(b"v1", b"v2", 1),
        right.replace("—".encode(), b"-", 1), right.replace("—".encode(), "–".encode(), 1),
        right.replace(b"extra ", b"extra  ", 1), right.replace(b"index ", b"Index ", 1),
    ):  # fmt: skip
        yield receipt(wrong), False
    for leaf in bad_leaves(log):
        liar = Log(log.rows)
        liar._leaves[1] = leaf
        yield receipt(liar.receipt(2)), False
    for row, fits in rows_with_lengths(log):
        odd = Log([row])
        yield receipt(odd.receipt(1), policy(odd.key)), fits
    for text in bad_texts(log):
        yield note(signed(log, text), loose), False
    yield note(signed(log, f"{log.key.name}\n0\n{b64(log.h(b''))}\n"), loose), True
    for quorum, needed in (("none", 0), ("any", 1), ("2", 2), ("all", 3)):
        for n in range(4):
            data = log.checkpoint(witnesses=WITNESSES[:n])
            yield note(data, policy(log.key, quorum=quorum), n), n >= needed
    yield note(log.checkpoint(witnesses=()), trust, quorum=False), True
    late = f"{log.text()}\n{log.key.line(log.text())}{NRCB.line(log.text(), 1 << 60)}"
    yield note(late.encode(), policy(log.key, quorum="any"), 1), True
    yield lambda v, _: v.must(v.row_of(BytesIO(b"\xff\xff").read) is None, "the end"), True
    for position, size in ((5, 1), (0, 1), (12, 11)):
        row = log.rows[4][:6] + position.to_bytes(8, "big") + log.rows[4][14:]
        odd = Log([*log.rows[: size - 1], row])
        data = odd.receipt(size).replace(b"index %d" % (size - 1), b"index %d" % (position - 1))
        yield receipt(data, policy(odd.key)), False
    yield note(log.checkpoint(witnesses=(NRCB, NRCB)), policy(log.key, quorum="2")), False
    text, stranger = log.text(), Key("somebody.example/witness", 4)
    elsewhere = Key("other.test/ledger/sha-256")
    both = policy(log.key, ()).replace(b"quorum", f"log {elsewhere.vkey}\nquorum".encode())
    mine, theirs = log.key.line(text), elsewhere.line(text)
    yield note(f"{text}\n{theirs}".encode(), both), False
    yield note(f"{text}\n{theirs}{mine}".encode(), both), True
    yield note(f"{text}\n{mine}{stranger.line(text)}".encode(), loose), True
    yield note(f"{text}\n{NRCB.line(text)}".encode(), loose), False
    yield note(f"{text}\n{mine}{NRCB.line(text + ' ')}".encode(), loose), False
    yield note(f"{text}\n{log.key.line(text + ' ')}".encode(), loose), False
    for line in ("— x", "— x AAAA", "— x AAAAAA==", "—  AAAAAAA=", "- x AAAAAAA=", "— x AAAAAAB=",
                 "— x\u3000y AAAAAAA=", "— x AAAAAAA= y", ""):  # fmt: skip
        yield note(f"{text}\n{mine}{line}\n".encode(), loose), False
    yield note(f"{text}\n{mine}— x AAAAAAA=\n".encode(), loose), True
    for lines, good in [(GOOD_POLICIES, True), (BAD_POLICIES, False)]:
        for each in lines:
            yield trusted(f"{each}\n".encode()), good
    for lines in (trust[:-1], trust + b"\x1f\n", trust + b"\xff\n", b""):
        yield trusted(lines), False
    for path in (0, 63, 64):
        yield lambda _, w, n=path: w.update_of(updates(n)), path < 64
    for head in (b"old 03", b"old", b"new 3", b"3", b"old 3\nAAA"):
        yield lambda _, w, head=head: w.update_of(head + b"\n\n" + log.checkpoint()), False


def updates(hashes: int) -> bytes:
    return b"old 3\n" + hashes * b"AAAA\n" + b"\nnote\n"


def bad_leaves(log: Log) -> Iterator[bytes]:
    """Leaf data that its log put into the tree at position 2, and that is no row of position 2."""
    row = log.rows[1]
    for start in (b"\1\2", b"\2\1", b"\0\1", b"", b"\1"):
        yield start + row
    for body in (
        row[:-1], row + b"\0", b"\xff\xff", b"", b"\0\x0a" + row[2:], b"\0\x0c" + row[2:], row[:70],
        row[:58] + b"\xff" * 4 + row[62:], row[:13] + b"\3" + row[14:], row[:13] + b"\0" + row[14:],
        row[:13] + b"\x0c" + row[14:], row[:6] + b"\xff" * 8 + row[14:], log.rows[2],
        row.replace(b"NRCB", b"NR\xff\xff", 1),
    ):  # fmt: skip
        yield b"\1\1" + body


def rows_with_lengths(log: Log) -> Iterator[tuple[bytes, bool]]:
    """Rows whose fixed columns are said to have another length, each byte of each length."""
    row = log.rows[0]
    yield row, True
    lengths, at = [], 2
    for _ in range(11):
        lengths.append(at)
        at += 4 + int.from_bytes(row[at : at + 4], "big")
    for place in lengths:
        for byte in range(4):
            other = bytearray(row)
            other[place + byte] ^= 1
            yield bytes(other), False
    for count in (b"\0\x0a", b"\1\x0b"):
        yield count + row[2:], False


def bundle_cases() -> Iterator[Case]:
    """Evidence bundles about a payment and about a finding."""
    log, events = county_log(11), county(11)
    trust = policy(log.key)

    def bundle(
        value: Any, says: str = "", lines: bytes = trust, by: Log = log
    ) -> Callable[..., object]:
        def ask(v: Any, _: Any) -> None:
            said = v.check_bundle(json.dumps(by.signed(value)).encode(), v.policy_of(lines))
            assert says in said

        return ask

    paid, found = county_bundle(log, events), finding_bundle(log, events)
    yield bundle(paid, "4 of 4, 46639 分"), True
    yield bundle(found, "3 of 3, 发现 a finding, 依据 resting on [2, 3]"), True
    for right in good_claims(found):
        yield bundle(right), True
    for wrong in bad_findings(found):
        yield bundle(wrong), False
    for missing in range(4):
        wrong = copy.deepcopy(paid)
        del wrong["events"][missing]
        yield bundle(wrong), False
    for change in ({"format": "x"}, {"payment_no": "PAY-2"}):
        yield bundle(paid | change), False
    for whole in (paid, found):
        unsigned = json.dumps(whole | {"rules": [*whole["rules"], {}]}).encode()
        yield lambda v, _, data=unsigned: v.check_bundle(data, v.policy_of(trust)), False
        other = json.dumps(whole | {"signature": log.checkpoint().decode()}).encode()
        yield lambda v, _, data=other: v.check_bundle(data, v.policy_of(trust)), False
    for name in ("ref", "position", "told_by", "ground"):
        wrong = copy.deepcopy(paid)
        wrong["trace"]["household_events"][0][name] = {}
        yield bundle(wrong), False
    wrong = copy.deepcopy(paid)
    wrong["trace"]["calculation"]["amount_fen"] = 1
    yield bundle(wrong), False
    wrong = copy.deepcopy(paid)
    wrong["trace"]["calculation"]["known_on"] = "2026-01-02"
    yield bundle(wrong), False
    twice = json.dumps(paid).replace('"ref": "PAY-1"', '"ref": "PAY-9", "ref": "PAY-1"', 1)
    yield lambda v, _: v.check_bundle(twice.encode(), v.policy_of(trust)), False
    for principal, rate, fen, right in (
        (1, 1, 0, True), (180 * 10**4, 1, 1, True), (180 * 10**4 - 1, 1, 0, True),
        (180 * 10**4, 1, 0, False), (180 * 10**4 - 1, 1, 1, False), (360 * 10**4, 3, 3, True),
        (540 * 10**4, 1, 2, True), (360 * 10**4, 10**9, 10**9, True),
    ):  # fmt: skip
        state = copy.deepcopy(events[2].state)
        part = state["calculation"]["segments"][0]
        part |= {"principal_fen": principal, "days": 1, "rate_bp": rate, "share_bp": 10_000}
        state["calculation"]["amount_fen"] = fen
        told = [*events[:2], dataclasses.replace(events[2], state=state), *events[3:]]
        value = county_bundle(small := Log(rows_of(told)), told)
        value["trace"]["calculation"] = state["calculation"]
        yield bundle(value, lines=policy(small.key), by=small), right


def log_cases(folder: Path) -> Iterator[Case]:  # noqa: PLR0915
    """A whole log with its checkpoints, and its facts, as the program is called."""
    log = Log(facts_cases.ROWS)
    count = len(log.rows)
    (folder / "policy").write_bytes(policy(log.key, quorum="2"))
    facts = facts_cases.write(folder / "facts")

    def file(name: str, data: bytes) -> str:
        (folder / name).write_bytes(data)
        return str(folder / name)

    def asked(code: int, *words: str, says: str = "") -> Callable[..., object]:
        def ask(v: Any, _: Any) -> None:
            out = Out()
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(io.StringIO()):
                try:
                    found = v.main([*words, "--policy", str(folder / "policy")])
                except SystemExit as stopped:
                    found = stopped.code
            said = out.getvalue()
            assert (found, "OK" in said) == (code, code == 0), said
            assert says in said and said.count("\n") == (1 if code == 1 else said.count("\n"))

        return ask

    good, note = file("log", export_of(log.rows)), file("note", log.checkpoint())
    olds = [file(f"old-{n}", log.checkpoint(n, ())) for n in range(count + 1)]
    whole = ["log", good, "--checkpoint", note]
    yield asked(0, *whole, says=f"log: {count} of {count}"), True
    yield asked(0, *whole, "--earlier", *olds, "--facts", str(facts), says="23 of 23"), True
    yield asked(0, *whole, "--earlier", olds[3], "--earlier", olds[2], says=": 2\n"), True
    yield asked(0, *whole[:3], file("early", log.checkpoint(6)), says=f"6 of {count}"), True
    yield asked(0, "checkpoint", note, says=f" {count}, "), True
    yield asked(0, "receipt", file("receipt", log.receipt(3)), says="\n2026-01-01"), True
    yield asked(1, "receipt", note, says="WRONG"), True
    yield asked(1, "bundle", note, says="WRONG"), True
    yield asked(1, "checkpoint", file("bare", log.checkpoint(witnesses=WITNESSES[:1]))), True
    yield asked(1, *whole[:3], file("none", log.checkpoint(witnesses=()))), True
    yield asked(2, "log", good), True
    yield asked(2, "receipt", note, "--checkpoint", note), True
    yield asked(2, "checkpoint", str(folder / "gone")), True
    yield asked(2), True
    yield asked(2, "bless", note), True
    yield asked(2, *whole, "--facts", str(facts), "--earlier"), True
    kept = file("promise", promised(log, 2, 3, shown=True))
    yield asked(0, *whole, "--promise", kept, says="守约 kept"), True
    yield asked(2, "checkpoint", note, "--promise", kept), True
    fork = Log([*log.rows[:3], *rows_of(county(9))[3:]])
    for size in (4, 9):
        other = file(f"fork-{size}", fork.checkpoint(size, ()))
        told = f"1–{size} "
        yield asked(1, *whole, "--earlier", other, says=told), True
        more = [olds[2], other]
        yield asked(1, *whole, "--earlier", *more, says=f"3–{size} "), True
    for n, (rows, says) in enumerate(bad_logs(log)):
        bad = Log(rows)
        words = [
            file(f"bad-{n}", export_of(rows)),
            "--checkpoint",
            file(f"b-{n}", bad.checkpoint()),
        ]
        yield asked(1, "log", *words, says=says), True
    together = bytearray(log.rows[3])
    together[18:26] = log.rows[2][18:26]  # told in one transaction with the one before
    fine = Log([*log.rows[:3], bytes(together), *log.rows[4:]])
    words = [file("fine", export_of(fine.rows)), "--checkpoint", file("f", fine.checkpoint())]
    yield asked(0, "log", *words), True
    yield asked(1, "log", file("empty", export_of([])), *whole[2:], says="ends at 0,"), True
    short = file("short", export_of(log.rows[:-1]))
    yield asked(1, "log", short, "--checkpoint", note, says=f"ends at {count - 1}"), True
    yield asked(1, "log", file("head", b"x" + export_of(log.rows)[1:]), *whole[2:]), True
    yield asked(1, *whole, "--facts", str(folder), says="facts tables missing"), True
    for table, lines in facts_cases.LINES.items():
        for n in range(len(lines)):
            spoiled = facts_cases.write(folder / f"{table}-{n}", without=(table, n))
            yield asked(1, *whole, "--facts", str(spoiled), says=table), True
        path = facts_cases.write(folder / f"{table}-more") / f"{table}.ndjson"
        path.write_bytes(path.read_bytes() + path.read_bytes().splitlines(keepends=True)[-1])
        yield asked(1, *whole, "--facts", str(path.parent), says=table), True
    (facts_cases.write(folder / "bonus") / "bonus.ndjson").touch()
    yield asked(1, *whole, "--facts", str(folder / "bonus"), says="bonus"), True


def bad_logs(log: Log) -> Iterator[tuple[list[bytes], str]]:
    """Logs out of order, and what is said of them."""
    for place, step in ((6, 1), (6, -1), (50, 1), (18, -1)):
        row = bytearray(log.rows[3])
        number = int.from_bytes(row[place : place + 8], "big") + step * (
            10**9 if place == 18 else 1
        )
        row[place : place + 8] = number.to_bytes(8, "big")
        yield [*log.rows[:3], bytes(row), *log.rows[4:]], "position 4"
    yield log.rows[1:], "position 1"
    gone = bytearray(log.rows[0])
    gone[50:58] = (2).to_bytes(8, "big")
    yield [bytes(gone), *log.rows[1:]], "version 2"


class Out(io.StringIO):
    encoding = "utf-8"


FOLDER = tempfile.TemporaryDirectory()
OF_LOGS: list[Case] = list(log_cases(Path(FOLDER.name)))
OTHERS: list[Case] = [*bundle_cases(), *tree_cases(), *note_cases()]
UNCHANGED = ast.Module([], [])


def cases_by_function() -> dict[tuple[str, str], list[Case]]:
    """By file and name of each function: the cases that call it, which alone can notice a mutant.

    Those that call the fewest functions come first: they notice it soonest.
    """
    calls: Counter[tuple[str, str]] = Counter()

    def see(frame: types.FrameType, event: str, _: object) -> None:
        if event == "call":
            calls[frame.f_code.co_filename, frame.f_code.co_name] += 1

    counted = []
    for case in OTHERS + OF_LOGS:
        calls.clear()
        sys.setprofile(see)
        with contextlib.suppress(verify.Wrong, *verify.MALFORMED):
            case[0](verify, witness)
        sys.setprofile(None)
        counted.append((calls.total(), frozenset(calls), case))
    found: dict[tuple[str, str], list[Case]] = defaultdict(list)
    for _, functions, case in sorted(counted, key=lambda each: each[0]):
        for function in functions:
            found[function].append(case)
    return found


def differs(verifier: Any, witnessing: Any, cases: list[Case]) -> bool:
    """Whether some case comes out otherwise than it must, refusals in a known way only.

    A case that tells is asked first of the next one: neighbouring mutants fail alike.
    """
    refusals = (verifier.Wrong, *verifier.MALFORMED)
    for at, (ask, right) in enumerate(cases):
        told = True
        try:
            ask(verifier, witnessing)
            told = not right
        except refusals:
            told = right
        finally:
            if told:
                cases.insert(0, cases.pop(at))
        if told:
            return True
    return False


def noticed(cases: list[Case], tree: ast.Module, module: Any, patience_seconds: float) -> bool:
    """Whether a mutant is told from the verifier; one that hangs or breaks down is."""

    def hangs(*_: object) -> None:
        raise TimeoutError

    signal.signal(signal.SIGVTALRM, hangs)
    signal.setitimer(signal.ITIMER_VIRTUAL, patience_seconds)
    try:
        mutant = run(tree, module)
        if module is facts:
            with pytest.MonkeyPatch.context() as patch:
                patch.setitem(sys.modules, facts.__name__, mutant)
                return differs(verify, witness, cases)
        if module is verify:
            watching = run(UNCHANGED, witness)
            watching.verify = mutant
            return differs(mutant, watching, cases)
        return differs(verify, mutant, cases)
    except Exception:
        return True
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)


def test_the_verifier_itself_gets_every_case_right() -> None:
    assert not differs(verify, witness, OTHERS + OF_LOGS)


def test_every_mutant_of_the_verifier_is_noticed() -> None:
    all_of_them = [
        (what, tree, module)
        for module, names in MUTATED.items()
        for what, tree in mutants(module, names)
    ]  # fmt: skip

    began = time.process_time()
    assert not differs(verify, witness, OTHERS + OF_LOGS)
    patience_seconds = PATIENCE * (time.process_time() - began)
    cases = cases_by_function()
    survivors = [
        what
        for what, tree, module in all_of_them
        if not noticed(
            cases[module.__file__, what.partition(":")[0]], tree, module, patience_seconds
        )
    ]

    assert len(all_of_them) > 400
    assert sorted(set(survivors) - set(EQUIVALENT)) == []
    assert sorted(set(EQUIVALENT) - set(survivors)) == []

"""审计核验程序：不依赖账本系统，独立核验收据、证据包、检查点和整个日志。

The auditor's verifier: receipts, evidence bundles, checkpoints and the whole log, by its own code.
Formats: docs/tamper-evidence.md. Needs Python 3.11 and `cryptography` (`log --facts`: facts.py).
Exit code 0: all that was checked is right; 1: something is wrong, in one line; 2: wrong use.
"""

# What is to be read in full is kept short: one empty line between functions.
# fmt: off
import argparse
import base64
import hashlib
import io
import json
import re
import struct
import sys
from collections import defaultdict, namedtuple
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial, reduce
from importlib import import_module
from pathlib import Path
from typing import Any
from uuid import UUID

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

Checkpoint = namedtuple("Checkpoint", "origin size root hash_byte h witnesses")
Policy = namedtuple("Policy", "keys groups quorum")
Row = namedtuple("Row", "position recorded_at aggregate version topic organisation ref state raw")
plain = partial(json.dumps, sort_keys=True)
MALFORMED = (ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RuntimeError)

class Wrong(Exception):
    """What is wrong, and where, in both languages: the one answer to everything that fails."""

def must(right: object, wrong: str) -> None:
    if not right:
        raise Wrong(wrong)

def sm3(data: bytes) -> bytes:
    digest = hashes.Hash(hashes.SM3())
    digest.update(data)
    return digest.finalize()

HASHES: Any = {"sha-256": (b"\1", lambda b: hashlib.sha256(b).digest()), "sm3": (b"\2", sm3)}

def climb(h: Any, index: int, last: int, path: Sequence[bytes], old: bytes) -> tuple[bytes, bytes]:
    """The loop of RFC 9162, 2.1.3.2 and 2.1.4.2: the root up to `index`, and that of the whole."""
    new = old
    for sibling in path:
        must(last > 0, "证明过长 the proof is too long")
        if index & 1 or index == last:
            old, new = h(b"\1" + sibling + old), h(b"\1" + sibling + new)
            while index and not index & 1:
                index, last = index >> 1, last >> 1
        else:
            new = h(b"\1" + new + sibling)
        index, last = index >> 1, last >> 1
    must(last == 0, "证明过短 the proof is too short")
    return old, new

def text_of(data: bytes) -> str:
    text = data.decode()
    must(re.fullmatch("([^\0-\x1f]*\n)+", text), "不是规范的文本 not plain, finished lines")
    return text

def number_of(text: str) -> int:
    must(re.fullmatch("0|[1-9][0-9]{0,18}", text), f"不是整数 not a whole number: {text[:40]}")
    return int(text)

def bytes_of(text: str) -> bytes:
    data = base64.b64decode(text, validate=True)
    must(base64.b64encode(data).decode() == text, f"base64 不规范 not canonical: {text[:80]}")
    return data

def key_of(vkey: str, kind: bytes) -> tuple[tuple[str, bytes], bytes]:
    """((name, key id), public key) of NAME+KEYID+KEY."""
    name, key_id, key = vkey.split("+", 2)
    data = bytes_of(key)
    expected = hashlib.sha256(name.encode() + b"\n" + data).digest()[:4]
    sound = data[:1] == kind and len(data) == 33 and key_id == expected.hex()
    must(sound and name.split() == [name], f"公钥不对 bad key: {vkey}")
    return (name, expected), data[1:]

def policy_of(data: bytes) -> Policy:
    """C2SP tlog-policy. `keys`: by name and key id, the witness's name ("" for a log) and key."""
    keys: dict[tuple[str, bytes], tuple[str, bytes]] = {}
    groups: dict[str, tuple[int, list[str]]] = {}
    quorum, seen = "", set[object]({"none"})
    for line in text_of(data.replace(b"\t", b" ")).split("\n"):
        once: list[object] = []  # what this line says and no other line may say
        match [word for word in line.split(" ") if word]:
            case ["log", vkey]:
                key_id, key = key_of(vkey, b"\1")
                keys[key_id], once = ("", key), [key_id, ("log", key)]
            case ["witness", name, vkey]:
                key_id, key = key_of(vkey, b"\4")
                keys[key_id], once = (name, key), [key_id, ("witness", key), name]
            case ["group", name, least, *members]:
                k = number_of({"any": "1", "all": str(len(members))}.get(least, least))
                must(0 < k <= len(members), f"门槛不对 wrong threshold: {line}")
                must(seen - {"none"} >= {*members}, f"没有此名称 no such name: {line}")
                groups[name], once = (k, members), [name, *(("member", m) for m in members)]
            case ["quorum", name]:
                must(name in seen, f"没有此名称 no such name: {line}")
                quorum, once = name, [("quorum",)]
            case [word, *_]:
                must(word[0] == "#", f"看不懂 not understood: {line}")
        must(len({*once} - seen) == len(once), f"重复 said twice: {line}")
        seen |= {*once}
    must(quorum, "信任策略缺 quorum the policy has no quorum")
    return Policy(keys, groups, quorum)

def open_checkpoint(note: bytes, policy: Policy, *, quorum: bool = True) -> Checkpoint:
    """The checkpoint in a signed note that the policy accepts, or would but for its `quorum`."""
    body, _, signatures = text_of(note).rpartition("\n\n")
    origin, size, root = body.split("\n")
    hash_byte, h = HASHES[origin.rpartition("/")[2]]
    found = Checkpoint(origin, number_of(size), bytes_of(root), hash_byte, h, witnesses := [])
    sound = len(found.root) == 32 and (found.size or found.root == h(b""))
    must(sound, f"根不对 not a root of {size}: {root}")
    met = set[str]()
    for line in signatures[:-1].split("\n"):
        dash, name, signature = line.split(" ")
        signed, message = bytes_of(signature), f"{body}\n"
        must(dash == "—" and name.split() == [name] and signed[4:], f"不是签名 not one: {line}")
        witness, key = policy.keys.get((name, signed[:4]), ("", None))
        if witness:
            message = f"cosignature/v1\ntime {int.from_bytes(signed[4:12], 'big')}\n{message}"
        if key:
            try:
                public_key = Ed25519PublicKey.from_public_bytes(key)
                public_key.verify(signed[12 if witness else 4 :], message.encode())
            except InvalidSignature as error:
                raise Wrong(f"签名不对 wrong signature: {name}") from error
            met |= {witness} if witness or name == origin else set()
    must("" in met, f"没有日志的签名 not signed by its log: {origin}")
    witnesses += sorted(met - {""})
    for name, (k, members) in policy.groups.items():
        met |= {name} if len(met & {*members}) >= k else set()
    must(not quorum or policy.quorum in met | {"none"}, f"见证不足 no quorum, only {witnesses}")
    return found

def row_of(read: Callable[[int], bytes]) -> Any:
    """The next Row in COPY's binary form; None at the end mark."""
    parts, length = [read(62)], 62
    if parts[0] == b"\xff\xff":
        return None
    for more in (4, 4, 30, 36):  # behind topic, organisation, ref, state: what goes on to the next
        size = int.from_bytes(parts[-1][-4:], "big")
        must(size <= 1 << 26, "列为 NULL 或过长 a column is NULL or too long")
        parts.append(read(size + more))
        length += size + more
    head, topic, organisation, ref, state = parts
    must(len(raw := b"".join(parts)) == length, "行残缺 the row is cut off")
    columns, a, position, b, us, c, aggregate, d, version = struct.unpack("!hiqiqi16siq", head[:58])
    lengths = columns, a, b, c, d, *struct.unpack("!ixxi", ref[-30:-20]), state[-36:-32]
    must(lengths == (11, 8, 8, 16, 8, 2, 16, b"\0\0\0 "), "列的长度不对 columns of wrong lengths")
    texts = topic[:-4].decode(), organisation[:-4].decode(), ref[:-30].decode()
    recorded_at = datetime(2000, 1, 1, tzinfo=UTC) + timedelta(microseconds=us)
    return Row(position, recorded_at, aggregate, version, *texts, state[:-36], raw)

def rows_of(export: Path) -> Iterator[Row]:
    """All rows: positions dense, versions gapless within an aggregate, time never going back."""
    versions, position, now = defaultdict[bytes, int](int), 1, datetime.min.replace(tzinfo=UTC)
    with export.open("rb") as file:
        must(file.read(19) == b"PGCOPY\n\xff\r\n\0" + bytes(8), "不是导出文件 not an export")
        try:
            while row := row_of(file.read):
                versions[row.aggregate] += 1
                must(row.position == position, f"这里却是 found {row.position}")
                must(row.version == versions[row.aggregate], f"版本不连续 version {row.version}")
                must(row.recorded_at >= now, "得知时刻倒退 recorded_at goes back")
                now, position = row.recorded_at, position + 1
                yield row
        except (Wrong, *MALFORMED) as error:
            raise Wrong(f"位置 position {position}: {error}") from error

def proven(leaf: bytes, path: list[str], note: Checkpoint) -> Row:
    """The row in this leaf data, if it stands at its place in the checkpoint's tree."""
    row: Row = row_of(io.BytesIO(leaf[2:]).read)
    must(leaf == b"\1" + note.hash_byte + row.raw, "叶数据不对 wrong leaf data")
    must(0 < row.position <= note.size, f"位置 {row.position} 不在树内 is not in the tree")
    siblings = [bytes_of(sibling) for sibling in path]
    _, root = climb(note.h, row.position - 1, note.size - 1, siblings, note.h(b"\0" + leaf))
    must(root == note.root, f"位置 position {row.position}: 证明不符 the proof is wrong")
    return row

def check_receipt(data: bytes, policy: Policy) -> str:
    head, _, note = text_of(data).partition("\n\n")
    title, extra, index, *path = head.split("\n")
    row = proven(bytes_of(extra[6:]), path, checkpoint := open_checkpoint(note.encode(), policy))
    right = "c2sp.org/tlog-proof@v1", f"extra {extra[6:]}", f"index {row.position - 1}"
    must((title, extra, index) == right, "收据开头不对 the head of the receipt is wrong")
    said = f"{row.recorded_at} {row.organisation} {row.ref} {row.topic}: {row.state.decode()}"
    return f"事件 events: 1 of 1, 位置 position {row.position}\n{said}\n{about(checkpoint)}"

def check_bundle(data: bytes, policy: Policy) -> str:
    objects = list[dict[str, Any]]()
    def keep(members: list[tuple[str, Any]]) -> dict[str, Any]:
        objects.append(dict(members))
        must(len(objects[-1]) == len(members), "JSON 成员重复 a member of an object twice")
        return objects[-1]
    bundle = json.loads(data, object_pairs_hook=keep)
    must(bundle["format"] == "mingzhang-evidence/1", "不是证据包 not an evidence bundle")
    note, trace = open_checkpoint(bundle["checkpoint"].encode(), policy), bundle["trace"]
    events: dict[str, tuple[Row, dict[str, Any]]] = {}
    for event in bundle["events"]:
        row = proven(bytes_of(event["leaf"]), event["proof"], note)
        events[f"{UUID(bytes=row.aggregate)}.{row.version}"] = row, json.loads(row.state)
    for value in (value for value in objects if "event_id" in value):
        must(value["event_id"] in events, f"未证明的事件 not proven: {value['event_id']}")
        row, state = events[value["event_id"]]
        teller = {name: state[name] for name in ("role", "person")}
        said = {"event": row.topic, "position": row.position, "ref": row.ref,
                "recorded_at": row.recorded_at.isoformat().replace("+00:00", "Z"),
                "told_by": teller | {"organisation": row.organisation},
                "ground": {"document": state.get("document"), "note": state.get("remark")},
                "effective_on": state["effective_on"],
                "content": {name: state[name] for name in value["content"]}}
        same = plain(said) == plain({name: value[name] for name in said})
        must(same, f"位置 position {row.position}: 溯源不符 the trace says something else")
    paid = events[trace["payment"]["event_id"]][1]
    rulings = {rule["version"]: rule["value_then"] for rule in trace["rules_in_force"]}
    slip = trace["calculation"] | {"rulings": rulings}
    must(paid["payment_no"] == bundle["payment_no"], "不是这笔贴息 it is another payment")
    must(plain(slip) == plain(paid["calculation"]), "计算书不符 not the event's calculation")
    parts = slip["segments"]
    earned = sum(p["principal_fen"] * p["days"] * p["rate_bp"] * p["share_bp"] for p in parts)
    fen = (earned + 180 * 10**8) // (360 * 10**8)  # halves up, once
    must(fen == slip["amount_fen"], f"计算应得 {fen} 分 is due, it says {slip['amount_fen']}")
    return f"事件 events: {len(events)} of {len(events)}, {fen} 分 fen\n{about(note)}"

def check_log(export: Path, note: Checkpoint, earlier: list[Checkpoint]) -> str:
    """The tree over all rows has the roots of all the checkpoints."""
    wanted = sorted((n for n in [*earlier, note] if n.size), key=lambda n: n.size)
    edge, good, count = list[bytes](), 0, 0  # edge: the roots of the whole subtrees, largest first
    for row in rows_of(export):
        count = size = row.position
        node = note.h(b"\0\1" + note.hash_byte + row.raw)
        while not size & 1:
            node, size = note.h(b"\1" + edge.pop() + node), size >> 1
        edge.append(node)
        while wanted and wanted[0].size == count:
            root = reduce(lambda right, left: note.h(b"\1" + left + right), reversed(edge))
            must(root == wanted.pop(0).root, f"位置 positions {good + 1}–{count} 已被改动 altered")
            good = count
    must(not wanted, f"导出只到 the export ends at {count}, 检查点 checkpoint: {wanted[:1]}")
    return f"日志 log: {note.size} of {count}, 先前检查点 earlier checkpoints: {len(earlier)}"

def about(note: Checkpoint) -> str:
    return f"检查点 checkpoint: {note.origin} {note.size}, 见证 witnesses: {note.witnesses}"

def check(given: argparse.Namespace) -> str:
    policy = policy_of(given.policy.read_bytes())
    if work := {"receipt": check_receipt, "bundle": check_bundle}.get(given.what):
        return work(given.file.read_bytes(), policy)
    note = open_checkpoint((given.checkpoint or given.file).read_bytes(), policy)
    if given.what == "checkpoint":
        return about(note)
    earlier = [open_checkpoint(p.read_bytes(), policy, quorum=False) for p in given.earlier]
    said = check_log(given.file, note, earlier)
    if given.facts:
        beside = f"{__package__}." if __package__ else ""
        sys.modules.setdefault(f"{beside}verify", sys.modules[__name__])
        said += "\n" + import_module(f"{beside}facts").check_facts(given.file, given.facts)
    return f"{said}\n{about(note)}"

def answer(parser: argparse.ArgumentParser, work: Callable[[], str]) -> int:
    try:
        code, said = 0, work()
    except Wrong as wrong:
        code, said = 1, f"错误 WRONG: {wrong}"
    except MALFORMED as error:
        code, said = 1, f"错误 WRONG: 格式不对 malformed: {error!r}"
    except (OSError, ImportError) as error:
        parser.error(str(error))
    said = "".join(c if c.isprintable() or c in "\n"[code:] else "?" for c in said)
    sys.stdout.write(said.encode(sys.stdout.encoding, "replace").decode(sys.stdout.encoding) + "\n")
    return code

def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="核验 verify; docs/tamper-evidence.md")
    parser.add_argument("what", choices=["receipt", "bundle", "log", "checkpoint"])
    parser.add_argument("file", type=Path)
    for option in ("--policy", "--checkpoint", "--facts"):
        parser.add_argument(option, type=Path, required=option == "--policy")
    parser.add_argument("--earlier", type=Path, nargs="+", action="extend", default=[])
    given = parser.parse_args(arguments)
    if (given.what == "log") != bool(given.checkpoint):
        parser.error("log EXPORT --checkpoint FILE")
    return answer(parser, lambda: f"通过 OK\n{check(given)}")

if __name__ == "__main__":
    sys.exit(main())

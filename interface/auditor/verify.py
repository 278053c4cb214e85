# fmt: off
"""审计核验程序 The verifier: receipts, promises, evidence bundles, checkpoints, the log, its facts.
Formats: docs/tamper-evidence.md. Needs Python 3.11, `cryptography`, beside it promise.py, facts.py
Exit code 0: all that was checked is right; 1: something is wrong, in one line; 2: wrong use."""
import argparse
import base64
import hashlib
import io
import json
import re
import struct
import sys
import tomllib
from collections import Counter, defaultdict, namedtuple
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import reduce
from importlib import import_module
from pathlib import Path
from typing import Any
from uuid import UUID

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

Checkpoint = namedtuple("Checkpoint", "origin size root hash_byte h witnesses seen", defaults=(0,))
Policy = namedtuple("Policy", "keys groups quorum")
Row = namedtuple("Row", "position recorded_at aggregate version topic organisation ref state raw")
HASHES: Any = {"sha-256": (b"\1", lambda data: hashlib.sha256(data).digest()),
               "sm3": (b"\2", lambda data: hashlib.new("sm3", data).digest())}
MALFORMED = (ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RuntimeError)
plain = json.JSONEncoder(sort_keys=True).encode
canonical = json.JSONEncoder(ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode

class Wrong(ValueError):  # what is wrong, and where, in both languages
    __repr__ = ValueError.__str__
def must(right: object, wrong: str) -> None:
    if not right:
        raise Wrong(wrong)
def root_of(h: Any, index: int, size: int, leaf: bytes, path: Sequence[bytes]) -> Any:
    """The root to which the inclusion proof of this leaf data leads (RFC 9162, 2.1.3.1)."""
    must(bool(path) == (size > 1), "证明长度不对 the proof is too long or too short")
    if size == 1:
        return h(b"\0" + leaf)
    half = 1 << (size - 1).bit_length() - 1  # the largest power of two below the size
    if index < half:
        return h(b"\1" + root_of(h, index, half, leaf, path[:-1]) + path[-1])
    return h(b"\1" + path[-1] + root_of(h, index - half, size - half, leaf, path[:-1]))
def text_of(data: bytes) -> str:
    must(re.fullmatch("([^\0-\x1f]*\n)+", text := data.decode()), "不是规范文本 not plain lines")
    return text
def number_of(text: str) -> int:
    must(re.fullmatch("0|[1-9][0-9]{0,18}", text), f"不是整数 not a whole number: {text[:40]}")
    return int(text)
def bytes_of(text: str) -> bytes:
    data = base64.b64decode(text, validate=True)
    must(base64.b64encode(data).decode() == text, f"base64 不规范 not canonical: {text[:80]}")
    return data

def policy_of(data: bytes) -> Policy:
    """C2SP tlog-policy. `keys`: by name and key id, the witness's name ("" for a log) and key."""
    keys, groups, quorum = dict[Any, Any](), dict[str, Any](), ""
    said: list[object] = ["none"]  # what must not be said again
    for line in text_of(data.replace(b"\t", b" ")).split("\n"):
        match [word for word in line.split(" ") if word]:
            case ["log" | "witness" as kind, *witness, vkey] if len(witness) == (kind == "witness"):
                name, key_id, text = vkey.split("+", 2)
                key = bytes_of(text)
                expected = hashlib.sha256(name.encode() + b"\n" + key).digest()[:4]
                sound = key_id == expected.hex() and len(key) == 33 and name.split() == [name]
                must(sound and key[0] == (4 if witness else 1), f"公钥不对 bad key: {vkey}")
                keys[name, expected] = "".join(witness), key[1:]
                said += [(name, expected), key, *witness]
            case ["group", name, least, *members]:
                k = number_of({"any": "1", "all": str(len(members))}.get(least, least))
                must(0 < k <= len(members), f"门槛不对 wrong threshold: {line}")
                must({*said[1:]} >= {*members}, f"没有此名称 no such name: {line}")
                groups[name] = k, members
                said += [name, *(("member", member) for member in members)]
            case ["quorum", quorum]:
                must(quorum in said, f"没有此名称 no such name: {line}")
                said += [("quorum",)]
            case [word, *_]:
                must(word[0] == "#", f"看不懂 not understood: {line}")
    must(len({*said}) == len(said), f"重复 said twice: {Counter(said).most_common(1)}")
    must(quorum, "信任策略缺 quorum the policy has no quorum")
    return Policy(keys, groups, quorum)
def signed_lines(note: bytes, policy: Policy, place: int) -> tuple[list[str], dict[str, int]]:
    """A note's lines, and whose signatures it has: "" for the log that line `place` names, and by
    each witness's name the second at which he signed."""
    body, _, signatures = text_of(note).rpartition("\n\n")
    origin, met = (lines := body.split("\n"))[place], dict[str, int]()
    for line in signatures[:-1].split("\n"):
        dash, name, signature = line.split(" ")
        signed = bytes_of(signature)
        must(dash == "—" and name.split() == [name] and signed[4:], f"不是签名 not one: {line}")
        witness, key = policy.keys.get((name, signed[:4]), ("", None))
        seconds = int.from_bytes(signed[4:12], "big") if witness else 0
        seen = f"cosignature/v1\ntime {seconds}\n" if witness else ""
        if key:
            signer, own = Ed25519PublicKey.from_public_bytes(key), signed[12 if witness else 4 :]
            try:
                signer.verify(own, f"{seen}{body}\n".encode())
            except InvalidSignature as error:
                raise Wrong(f"签名不对 wrong signature: {name}") from error
            met |= {witness: seconds} if witness or name == origin else {}
    must("" in met, f"没有日志的签名 not signed by its log: {origin}")
    return lines, met
def open_checkpoint(note: bytes, policy: Policy, *, quorum: bool = True) -> Checkpoint:
    """The checkpoint in a signed note that the policy accepts, or would but for its `quorum`."""
    (origin, size, root), signed = signed_lines(note, policy, 0)
    hash_byte, h = HASHES[origin.rpartition("/")[2]]
    witnesses, met = sorted({*signed} - {""}), {*signed}
    found = Checkpoint(origin, number_of(size), bytes_of(root), hash_byte, h, witnesses,
                       max(signed.values()))
    must(len(found.root) == 32 and (found.size or found.root == h(b"")), f"根不对 no root: {root}")
    for name, (k, members) in policy.groups.items():
        met |= {name} if len(met & {*members}) >= k else set()
    must(not quorum or policy.quorum in met | {"none"}, f"见证不足 no quorum, only {witnesses}")
    return found

def row_of(read: Callable[[int], bytes]) -> Any:
    """The next Row in COPY's binary form; None at the end mark."""
    parts = [read(62)]
    if parts[0] == b"\xff\xff":
        return None
    for more in (4, 4, 30, 36):  # behind topic, organisation, ref, state: what goes on to the next
        size = int.from_bytes(parts[-1][-4:], "big")
        parts.append(read(size + more))
        must(len(parts[-1]) == size + more, "行残缺 the row is cut off, or a column is NULL")
    head, topic, organisation, ref, state = parts
    columns, a, position, b, us, c, aggregate, d, version = struct.unpack("!hiqiqi16siq", head[:58])
    lengths = columns, a, b, c, d, *struct.unpack("!ixxi", ref[-30:-20]), state[-36:-32]
    must(lengths == (11, 8, 8, 16, 8, 2, 16, b"\0\0\0 "), "列的长度不对 columns of wrong lengths")
    texts = topic[:-4].decode(), organisation[:-4].decode(), ref[:-30].decode()
    recorded_at = datetime(2000, 1, 1, tzinfo=UTC) + timedelta(microseconds=us)
    return Row(position, recorded_at, aggregate, version, *texts, state[:-36], b"".join(parts))
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
        except MALFORMED as error:
            raise Wrong(f"位置 position {position}: {error!r}") from error
def proven(leaf: bytes, path: list[str], note: Checkpoint) -> Row:
    """The row in this leaf data, if it stands at its place in the checkpoint's tree."""
    row: Row = row_of(io.BytesIO(leaf[2:]).read)
    must(leaf == b"\1" + note.hash_byte + row.raw, "叶数据不对 wrong leaf data")
    must(0 < row.position <= note.size, f"位置 {row.position} 不在树内 is not in the tree")
    root = root_of(note.h, row.position - 1, note.size, leaf, [*map(bytes_of, path)])
    must(root == note.root, f"位置 position {row.position}: 证明不符 the proof is wrong")
    return row
def about(note: Checkpoint) -> str:
    return f"检查点 checkpoint: {note.origin} {note.size}, 见证 witnesses: {note.witnesses}"

def receipt_of(data: bytes, policy: Policy) -> tuple[bytes, Checkpoint]:
    """The leaf data that a receipt proves, and the checkpoint that it is proven to."""
    head, _, note = text_of(data).partition("\n\n")
    title, extra, index, *path = head.split("\n")
    row = proven(bytes_of(extra[6:]), path, checkpoint := open_checkpoint(note.encode(), policy))
    right = "c2sp.org/tlog-proof@v1", f"extra {extra[6:]}", f"index {row.position - 1}"
    must((title, extra, index) == right, "收据开头不对 the head of the receipt is wrong")
    return bytes_of(extra[6:]), checkpoint
def check_receipt(data: bytes, policy: Policy) -> str:
    leaf, checkpoint = receipt_of(data, policy)
    row = row_of(io.BytesIO(leaf[2:]).read)
    said = f"{row.recorded_at} {row.organisation} {row.ref} {row.topic}: {row.state.decode()}"
    return f"事件 events: 1 of 1, 位置 position {row.position}\n{said}\n{about(checkpoint)}"
def check_bundle(data: bytes, policy: Policy) -> str:
    """All that is shown of an event (an object with `event_id`) is in it, and it is proven."""
    objects = list[dict[str, Any]]()
    def keep(members: list[tuple[str, Any]]) -> dict[str, Any]:
        objects.append(dict(members))
        must(len(objects[-1]) == len(members), "JSON 成员重复 a member of an object twice")
        return objects[-1]
    bundle = json.loads(data, object_pairs_hook=keep)
    must(bundle["format"] == "mingzhang-evidence/2", "不是证据包 not an evidence bundle of today")
    note = open_checkpoint(bundle["checkpoint"].encode(), policy)
    signed, _ = signed_lines(bundle.pop("signature").encode(), policy, 1)
    digest = base64.b64encode(note.h(canonical(bundle).encode())).decode()
    must(signed == [bundle["format"], note.origin, digest], "证据包被改动 the bundle was altered")
    rows = [proven(bytes_of(event["leaf"]), event["proof"], note) for event in bundle["events"]]
    events = {f"{UUID(bytes=row.aggregate)}.{row.version}": row for row in rows}
    for shown in (value for value in objects if "event_id" in value):
        must(shown["event_id"] in events, f"未证明 not proven: {shown['event_id']}")
        state = json.loads((row := events[shown["event_id"]]).state)
        teller = {name: state[name] for name in ("role", "person")}
        said = {"event": row.topic, "position": row.position, "ref": row.ref,
                "recorded_at": row.recorded_at.isoformat().replace("+00:00", "Z"),
                "told_by": teller | {"organisation": row.organisation},
                "ground": {"document": state.get("document"), "note": state.get("remark")},
                "effective_on": state["effective_on"],
                "content": {name: state[name] for name in shown["content"]}}
        same = plain(said) == plain({name: shown[name] for name in said})
        must(same, f"位置 position {row.position}: 所示与事件不符 it says something else")
    return f"事件 events: {len(rows)} of {len(rows)}, {borne_out(bundle, events)}\n{about(note)}"
def borne_out(bundle: dict[str, Any], events: dict[str, Row]) -> str:
    """A finding rests on proven events or cited rulings, and its dates and rule are theirs; or a
    payment's calculation is its event's, and right."""
    if finding := bundle.get("finding"):
        known = {row.position: row.recorded_at for row in events.values()}
        for place in (grounds := finding["positions"]) + finding["context"]:
            must(type(place) is int and place in known, f"位置 position {place}: 未证明 not proven")
        texts = {rule["name"]: rule["text"] for rule in bundle["rules"]}
        for ruling in finding["rulings"] + (rulings := finding["rests_on"]):
            if (place := ruling["position"]) is None:
                said = [(rule["from"].isoformat(), rule["known_from"].isoformat(), rule["value"])
                        for rule in tomllib.loads(texts[f"{ruling['name']}.toml"])["ruling"]]
            else:
                [told] = [json.loads(row.state) for row in events.values() if row.position == place]
                said = [(told["effective_on"], told["told_on"], rule["value"])
                        for rule in told["rulings"] if rule["rule"] == ruling["name"]]
            cited = ruling["effective_from"], ruling["known_from"], ruling["value"]
            must(cited in said, f"政策不符 no such ruling: {ruling['name']} {cited}")
        must(grounds or rulings, "没有依据 it rests on no event and no ruling")
        text = texts[f"{finding['rule'].lower()}.toml"].encode()
        version = hashlib.sha256(text).hexdigest()[:12]
        must(version == finding["rule_version"], f"规则不符 the rule's text is {version}")
        since = datetime.fromisoformat(finding["known_from"])
        last = max([known[place] for place in grounds], default=datetime.min.replace(tzinfo=UTC))
        midnight = since.timestamp() % 86_400 == 57_600  # in Shanghai: when a day came
        must(since == last or (since > last and midnight), f"不是得知时刻 not known from {since}")
        return f"发现 a finding, 依据 resting on {grounds or [rule['name'] for rule in rulings]}"
    paid = json.loads(events[(trace := bundle["trace"])["payment"]["event_id"]].state)
    must(paid["payment_no"] == bundle["payment_no"], "不是这笔贴息 it is another payment")
    rulings = {rule["version"]: rule["value_then"] for rule in trace["rules_in_force"]}
    slip = trace["calculation"] | {"rulings": rulings}
    must(plain(slip) == plain(paid["calculation"]), "计算书不符 not the event's calculation")
    parts = slip["segments"]
    earned = sum(p["principal_fen"] * p["days"] * p["rate_bp"] * p["share_bp"] for p in parts)
    fen = (earned + 180 * 10**8) // (360 * 10**8)  # halves up, once
    must(fen == slip["amount_fen"], f"计算应得 {fen} 分 is due, it says {slip['amount_fen']}")
    return f"{fen} 分 fen"

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
def near(name: str) -> Any:
    """A file that belongs beside this one: promise.py, or facts.py with its facts.toml."""
    return import_module(f"{__package__}.{name}" if __package__ else name)
def check(given: argparse.Namespace) -> str:
    policy = policy_of(given.policy.read_bytes())
    if given.what == "promise":
        return str(near("promise").check(given, policy))
    if work := {"receipt": check_receipt, "bundle": check_bundle}.get(given.what):
        return work(given.file.read_bytes(), policy)
    note = open_checkpoint((given.checkpoint or given.file).read_bytes(), policy)
    said = about(note)
    if given.checkpoint:
        earlier = [open_checkpoint(p.read_bytes(), policy, quorum=False) for p in given.earlier]
        said = f"{check_log(given.file, note, earlier)}\n{said}"
    if given.promise:
        said = f"{near('promise').check_log(given, policy, note)}\n{said}"
    return f"{near('facts').check_facts(given.file, given.facts)}\n{said}" if given.facts else said
def answer(parser: argparse.ArgumentParser, work: Callable[[], str]) -> int:
    try:
        code, said = 0, work()
    except MALFORMED as error:
        code, said = 1, f"错误 WRONG: {error!r}"
    except OSError as error:
        parser.error(str(error))
    said = "".join(c if c.isprintable() or c in "\n"[code:] else "?" for c in said)
    sys.stdout.write(said.encode(sys.stdout.encoding, "replace").decode(sys.stdout.encoding) + "\n")
    return code
def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="核验 verify; docs/tamper-evidence.md")
    parser.add_argument("what", choices=["receipt", "promise", "bundle", "log", "checkpoint"])
    parser.add_argument("file", type=Path)
    for option in ("--policy", "--checkpoint", "--facts"):
        parser.add_argument(option, type=Path, required=option == "--policy")
    for option in ("--earlier", "--receipt", "--promise"):
        parser.add_argument(option, type=Path, nargs="+", action="extend", default=[])
    log = (given := parser.parse_args(arguments)).what == "log"
    if (given.what != "promise" and log != bool(given.checkpoint)) or (given.promise and not log):
        parser.error("log EXPORT --checkpoint FILE")
    return answer(parser, lambda: f"通过 OK\n{check(given)}")
if __name__ == "__main__":
    sys.exit(main())

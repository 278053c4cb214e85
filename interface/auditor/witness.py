"""见证程序：银行、财政局、审计局各自记住日志的样子，只为没有改过往事的日志副署。

The witness: remembers the last checkpoint it saw of a log and cosigns only what continues it
(C2SP tlog-witness by files; docs/tamper-evidence.md, section 4). Belongs beside verify.py.
Exit code 0: done; 1: refused, in one line, and nothing given out; 2: wrong use.
"""

import argparse
import base64
import hashlib
import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

if __package__:
    from interface.auditor import verify
else:
    import verify  # type: ignore[import-not-found, no-redef]

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

LOG, WITNESS = b"\1", b"\4"


def check_consistency(
    old: verify.Checkpoint, new: verify.Checkpoint, path: Sequence[bytes]
) -> None:
    """RFC 9162, 2.1.4: the old checkpoint's tree is the beginning of the new one's."""
    verify.must(old.origin == new.origin, f"不是同一日志 not one log: {old.origin}, {new.origin}")
    verify.must(old.size <= new.size, f"由 {old.size} 退到 {new.size} rolled back")
    if old.size in (0, new.size):
        verify.must(not path, "多余的证明 a proof where none is needed")
        same = old.size < new.size or old.root == new.root
        verify.must(same, f"{new.size} 有两个根：分叉 a fork: two roots of one size")
        return
    roots = roots_of(new.h, old.size, new.size, path, old.root)
    verify.must(
        roots == (old.root, new.root),
        f"{new.size} 不是 {old.size} 的延续：分叉 a fork, or no proof",
    )


def roots_of(
    h: Any, old: int, new: int, path: Sequence[bytes], known: bytes | None
) -> tuple[bytes, bytes]:
    """The roots of the first `old` and of all `new` leaves (RFC 9162, 2.1.4.1, SUBPROOF).

    `known`: the root of the first `old` leaves, as long as they are the beginning of the tree.
    """
    if old == new and known is not None:
        verify.must(not path, "证明过长 the proof is too long")
        return known, known
    verify.must(path, "证明过短 the proof is too short")
    *inner, last = path
    if old == new:
        verify.must(not inner, "证明过长 the proof is too long")
        return last, last
    half = 1 << (new - 1).bit_length() - 1
    if old <= half:
        before, after = roots_of(h, old, half, inner, known)
        return before, h(b"\1" + after + last)
    before, after = roots_of(h, old - half, new - half, inner, None)
    return h(b"\1" + last + before), h(b"\1" + last + after)


def update_of(data: bytes) -> tuple[int, list[bytes], bytes]:
    """(old size, proof, checkpoint note) of an update as the log writes it."""
    head, _, note = verify.text_of(data).partition("\n\n")
    old, *path = head.split("\n")
    verify.must(old.startswith("old ") and len(path) <= 63, "不是更新文件 not an update")
    return verify.number_of(old[4:]), [verify.bytes_of(line) for line in path], note.encode()


class Witness:
    """A key, and the last checkpoint cosigned of each log, in a folder of the witness's own."""

    def __init__(self, state: Path) -> None:
        self.state = state
        word, self.name, key = (state / "key").read_text("utf-8").split()
        verify.must(word == "mingzhang-witness-key", f"不是见证密钥 not a key: {state / 'key'}")
        self.key = Ed25519PrivateKey.from_private_bytes(verify.bytes_of(key))
        public = WITNESS + self.key.public_key().public_bytes_raw()
        self.key_id = hashlib.sha256(self.name.encode() + b"\n" + public).digest()[:4]
        self.vkey = f"{self.name}+{self.key_id.hex()}+{base64.b64encode(public).decode()}"

    def policy(self, log: str, *, cosigned: bool) -> verify.Policy:
        """Who must have signed: the log, and for what this witness remembers, itself."""
        lines = f"log {log}\n" + (f"witness me {self.vkey}\nquorum me\n" if cosigned else "")
        return verify.policy_of((lines if cosigned else f"{lines}quorum none\n").encode())

    def remembered(self, log: str) -> tuple[verify.Checkpoint | None, bytes]:
        """The last checkpoint of a log that it cosigned, and the note; None before the first."""
        path = self._path(log)
        if not path.exists():
            return None, b""
        note = path.read_bytes()
        return verify.open_checkpoint(note, self.policy(log, cosigned=True)), note

    def cosign(self, update: bytes, log: str) -> str:
        """The cosignature line for the checkpoint of an update, once it is on disk.

        Refuses what the log did not sign, an old size that is not the one remembered, and
        whatever does not continue the checkpoint remembered.
        """
        old_size, path, note = update_of(update)
        new = verify.open_checkpoint(note, self.policy(log, cosigned=False))
        with locked(self.state / "lock"):
            last, _ = self.remembered(log)
            held = last.size if last else 0
            verify.must(old_size == held, f"所记为 {held} size held is {held}, not {old_size}")
            check_consistency(last or new._replace(size=0, root=new.h(b"")), new, path)
            line = self._cosignature(note)
            text, _, signatures = note.rpartition(b"\n\n")
            logs = [
                s for s in signatures.split(b"\n") if s.split(b" ")[1:2] == [new.origin.encode()]
            ]
            lasting(self._path(log), b"\n".join([text, b"", *logs, line.encode()]))
        return line

    def compare(self, other: bytes, log: str, proof: bytes | None) -> str:
        """Whether another's checkpoint and the one remembered can be of one log."""
        policy = self.policy(log, cosigned=False)
        theirs = verify.open_checkpoint(other, policy)
        last, note = self.remembered(log)
        if last is None:
            raise verify.Wrong("尚未副署过 nothing was cosigned yet, there is nothing to compare")
        if (theirs.size, theirs.root) == (last.size, last.root):
            return f"一致 the same: {last.size}"
        if theirs.size == last.size:
            saved = self._keep_evidence(note, other)
            raise verify.Wrong(f"日志对不同的人给出不同的账 the log shows two faces: {saved}")
        old, new = sorted((theirs, last), key=lambda c: c.size)
        wanted = f"{old.size} → {new.size}"
        verify.must(proof or old.size == 0, f"需要一致性证明 a proof is needed: {wanted}")
        size, path, third = update_of(proof) if proof else (0, [], b"")
        if proof:
            told = verify.open_checkpoint(third, policy)
            fits = (size, told.size, told.root) == (old.size, new.size, new.root)
            verify.must(fits, f"证明不是所需的 the proof is not that of {wanted}")
        check_consistency(old, new, path)
        return f"一致 consistent: {wanted}"

    def _path(self, log: str) -> Path:
        return self.state / f"{quote(log.partition('+')[0], safe='')}.checkpoint"

    def _cosignature(self, note: bytes) -> str:
        seconds = int(time.time())
        message = b"cosignature/v1\ntime %d\n%s\n" % (seconds, note.rpartition(b"\n\n")[0])
        signed = self.key_id + seconds.to_bytes(8, "big") + self.key.sign(message)
        return f"— {self.name} {base64.b64encode(signed).decode()}\n"

    def _keep_evidence(self, mine: bytes, theirs: bytes) -> Path:
        """Both notes, each signed by the log: together they prove that it lied to somebody."""
        folder = self.state / f"two-faces-{hashlib.sha256(mine + theirs).hexdigest()[:16]}"
        folder.mkdir(exist_ok=True)
        lasting(folder / "mine.checkpoint", mine)
        lasting(folder / "theirs.checkpoint", theirs)
        return folder


def new_key(name: str, state: Path) -> Witness:
    """A new key, readable by its owner alone; one that exists is never written over."""
    verify.must(name.split() == [name] and "+" not in name, f"名称不对 not a name: {name}")
    state.mkdir(mode=0o700, parents=True, exist_ok=True)
    key = base64.b64encode(Ed25519PrivateKey.generate().private_bytes_raw()).decode()
    with locked(state / "lock"):
        verify.must(not (state / "key").exists(), f"已有密钥 there is a key already: {state}")
        lasting(state / "key", f"mingzhang-witness-key {name} {key}\n".encode())
    return Witness(state)


def lasting(path: Path, data: bytes) -> None:
    """Written whole, on disk, before anybody hears of it; readable by its owner alone."""
    beside = path.with_name(path.name + ".new")
    beside.unlink(missing_ok=True)
    handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)
    if sys.platform != "win32":  # there the rename itself is on disk
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """One process at a time: to look up the size held and to write the next is one act."""
    with path.open("ab") as file:
        if sys.platform == "win32":
            msvcrt.locking(file.fileno(), msvcrt.LK_LOCK, 1)
        else:
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def act(given: argparse.Namespace) -> str:
    if given.what == "new-key":
        return new_key(given.name, given.state).vkey
    witness = Witness(given.state)
    if given.what == "show":
        notes = [path.read_text("utf-8") for path in sorted(given.state.glob("*.checkpoint"))]
        return "\n".join([witness.vkey, *notes])
    if given.what == "compare":
        proof = given.proof.read_bytes() if given.proof else None
        return witness.compare(given.other.read_bytes(), given.log, proof)
    line = witness.cosign(given.update.read_bytes(), given.log)
    if given.out:
        lasting(given.out, line.encode())
    return line.rstrip("\n")


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="见证 witness; docs/tamper-evidence.md")
    acts = parser.add_subparsers(dest="what", required=True)
    new, show, cosign, compare = map(acts.add_parser, ("new-key", "show", "cosign", "compare"))
    new.add_argument("name")
    cosign.add_argument("update", type=Path)
    compare.add_argument("other", type=Path)
    for each in (new, show, cosign, compare):
        each.add_argument("--state", type=Path, required=True)
    for each in (cosign, compare):
        each.add_argument("--log", required=True, help="NAME+KEYID+KEY")
    cosign.add_argument("--out", type=Path)
    compare.add_argument("--proof", type=Path, help="old SIZE, proof and the larger checkpoint")
    given = parser.parse_args(arguments)
    return verify.answer(parser, lambda: act(given))


if __name__ == "__main__":
    sys.exit(main())

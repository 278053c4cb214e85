"""Who signs checkpoints. A port: a key file here, a signing device or server elsewhere.

A signer never signs two truths: it remembers the last head that it signed, on disk before it
gives the signature out, and refuses whatever does not extend that one.
"""

from __future__ import annotations

import base64
import fcntl
import hmac
import json
import os
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from application.transparency_log.merkle import HASHES, ProofWrong, TreeHash, assure_consistent
from application.transparency_log.notes import (
    SIGNED,
    Head,
    Line,
    NoteMalformed,
    VerifierKey,
    parse_checkpoint,
)

_KINDS = ("mingzhang-evidence/", "mingzhang-promise/")


class SigningRefused(Exception):
    """The head does not extend the one that was signed last: the log was altered or set back."""


class SigningKeyOther(Exception):
    """The signing key is a valid one, but not the one that this log was signed with before."""

    def __init__(self, origin: str, own: str, pinned: str) -> None:
        super().__init__(
            f"签名密钥不是本日志 {origin} 一直使用的那一把 / this is not the key of the log:"
            f" 现有 it is {own}, 应为 not {pinned}; 换密钥须换 MINGZHANG_LOG_NAME"
            f" / a new key goes with a new MINGZHANG_LOG_NAME"
        )


class SigningKeyMissing(Exception):
    """The log was sealed before, but its signing key is not here."""


class Signer(Protocol):
    """Signs heads of growing trees."""

    def key(self, origin: str) -> VerifierKey: ...

    def last(self, origin: str) -> Head | None:
        """The head of `origin` that was signed last."""

    def sign(self, head: Head, tree_hash: TreeHash, proof: Sequence[bytes]) -> str:
        """The checkpoint as a signed note.

        `proof`: the consistency of `head` with the last one signed. Raises SigningRefused.
        """

    def attest(self, kind: str, origin: str, lines: Sequence[str]) -> str:
        """A signed note of another kind than a checkpoint: its kind, the origin, more lines."""


class FileSigner:
    """A secret in a file, an Ed25519 key for each origin from it, and what they signed last."""

    def __init__(self, path: Path) -> None:
        self._memory = path.with_suffix(".last")
        self._pins = path.with_suffix(".pinned")
        self._seed = _seed(path)
        self._keys: dict[str, tuple[Ed25519PrivateKey, VerifierKey]] = {}

    @staticmethod
    def create(path: Path) -> FileSigner:
        """The signer of this file, with a new key if there is none yet."""
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            seed = base64.b64encode(secrets.token_bytes(32)).decode()
            _write(path, json.dumps({"ed25519": seed}))
        return FileSigner(path)

    def key(self, origin: str) -> VerifierKey:
        return VerifierKey(origin, SIGNED, self._private(origin).public_key().public_bytes_raw())

    def last(self, origin: str) -> Head | None:
        """Raises SigningRefused when what was remembered cannot be read."""
        note = self._remembered().get(origin)
        return None if note is None else _opened(note)[0]

    def assure_pinned(self, origin: str, notes: Sequence[str] = ()) -> None:
        """The key of `origin` must be the one that is pinned, and that signed before.

        `notes`: checkpoints that the log keeps. Raises SigningKeyOther, SigningRefused.
        """
        own = self.key(origin)
        pinned = self._read(self._pins).get(origin, own.text())
        if pinned != own.text():
            raise SigningKeyOther(origin, own.text(), pinned)
        remembered = self._remembered().get(origin)
        for note in [*notes, *([] if remembered is None else [remembered])]:
            head, lines = _opened(note)
            if not any(own.signed(head, line) for line in lines):
                by = ", ".join(f"{line.name}+{line.key_id.hex()}" for line in lines)
                raise SigningKeyOther(origin, own.text(), by)

    def pinned(self, origin: str) -> VerifierKey:
        """The key that is pinned for `origin`; the present one where none is yet."""
        text = self._read(self._pins).get(origin)
        return self.key(origin) if text is None else VerifierKey.parse(text)

    def sign(self, head: Head, tree_hash: TreeHash, proof: Sequence[bytes]) -> str:
        with self._locked():
            try:
                self.assure_pinned(head.origin)
            except SigningKeyOther as other:
                raise SigningRefused(str(other)) from other
            remembered = self._remembered()
            if head.origin in remembered:
                last, _ = _opened(remembered[head.origin])
                try:
                    assure_consistent(tree_hash, last[1:], head[1:], proof)
                except ProofWrong as error:
                    raise SigningRefused(f"{head.origin}: {error}") from error
            text = head.text()
            signature = self.key(head.origin).line(self._private(head.origin).sign(text.encode()))
            note = f"{text}\n{signature}"
            pins = self._read(self._pins)
            if head.origin not in pins:
                pins[head.origin] = self.key(head.origin).text()
                _write(self._pins, json.dumps(pins, indent=1))
            _write(self._memory, json.dumps({**remembered, head.origin: note}, indent=1))
            return note

    def attest(self, kind: str, origin: str, lines: Sequence[str]) -> str:
        if not kind.startswith(_KINDS):  # a checkpoint begins with its origin: never one of these
            raise ValueError(kind)
        text = "".join(f"{line}\n" for line in (kind, origin, *lines))
        if origin not in self._keys:
            self._keys[origin] = self._private(origin), self.key(origin)
        private, key = self._keys[origin]
        return f"{text}\n{key.line(private.sign(text.encode()))}"

    def _private(self, origin: str) -> Ed25519PrivateKey:
        """A key for each origin: one public key never stands for two logs."""
        return Ed25519PrivateKey.from_private_bytes(
            hmac.digest(self._seed, origin.encode(), "sha256")
        )

    def _remembered(self) -> dict[str, str]:
        return self._read(self._memory)

    @staticmethod
    def _read(path: Path) -> dict[str, str]:
        try:
            kept = json.loads(path.read_text("utf-8"))
        except FileNotFoundError:
            return {}
        except ValueError as error:
            raise SigningRefused(f"签名器的记忆损坏 / not readable any more: {path}") from error
        if not isinstance(kept, dict) or not all(isinstance(x, str) for x in kept.values()):
            raise SigningRefused(f"签名器的记忆损坏 / not readable any more: {path}")
        return kept

    @contextmanager
    def _locked(self) -> Iterator[None]:
        descriptor = os.open(self._memory.with_suffix(".lock"), os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)


def _opened(note: str) -> tuple[Head, list[Line]]:
    try:
        return parse_checkpoint(note)
    except (NoteMalformed, ValueError) as error:
        raise SigningRefused(f"检查点损坏 / a checkpoint is malformed: {note[:80]!r}") from error


def origin_of(log_name: str, hash_name: str) -> str:
    """The origin of a log's tree. Raises KeyError for an unknown hash."""
    return f"{log_name}/{HASHES[hash_name].name}"


def _seed(path: Path) -> bytes:
    try:
        seed = base64.b64decode(json.loads(path.read_text("utf-8"))["ed25519"], validate=True)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SigningKeyMissing(f"签名密钥不可用 / signing key not usable: {path}") from error
    if len(seed) != 32:
        raise SigningKeyMissing(f"签名密钥长度不对 / signing key has a wrong length: {path}")
    return seed


def _write(path: Path, text: str) -> None:
    """Replace a file as a whole, on the disk when this returns; readable by its owner alone."""
    fresh = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)

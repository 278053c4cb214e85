"""Keys, pseudonyms and sealed personal data.

The log holds keyed pseudonyms in the clear and personal values only as ciphertext under a key
per household; without the keys that stand outside the database neither can be undone or forged.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import secrets
from binascii import b2a_base64
from collections import OrderedDict
from pathlib import Path
from typing import Any, Protocol
from uuid import UUID

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_KEY_NAMES = ("wrapping", "pseudonym", "content", "authenticity")
_CACHED_KEYS = 50_000
_NONCES_AT_ONCE = 256
_INNER = bytes(byte ^ 0x36 for byte in range(256))
_OUTER = bytes(byte ^ 0x5C for byte in range(256))
_encode = msgspec.json.Encoder(order="sorted").encode


class KeysMissing(Exception):
    """The key file is absent or incomplete: without it nothing personal can be read."""


class KeyShelf(Protocol):
    """Where wrapped household keys are kept."""

    def wrapped_keys(self, households: list[UUID]) -> dict[UUID, bytes]: ...


class Keys(msgspec.Struct, frozen=True):
    """The four secrets of a deployment, each 32 bytes; kept outside the database."""

    wrapping: bytes
    pseudonym: bytes
    content: bytes
    authenticity: bytes

    @classmethod
    def generate(cls) -> Keys:
        return cls(*(secrets.token_bytes(32) for _ in _KEY_NAMES))

    @classmethod
    def load(cls, path: Path) -> Keys:
        """Read the key file. Raises KeysMissing."""
        try:
            stored = json.loads(path.read_text("utf-8"))
            keys = [base64.b64decode(stored[name], validate=True) for name in _KEY_NAMES]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise KeysMissing(f"密钥文件不可用 / key file not usable: {path}") from error
        if any(len(key) != 32 for key in keys):
            raise KeysMissing(f"密钥长度不是 32 字节 / keys are not 32 bytes long: {path}")
        return cls(*keys)

    def save(self, path: Path) -> None:
        """Write the key file, readable by its owner alone; an existing one is never replaced."""
        content = {name: base64.b64encode(getattr(self, name)).decode() for name in _KEY_NAMES}
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(content, file, indent=1)
            file.flush()
            os.fsync(file.fileno())


class Mac:
    """HMAC-SHA256 under one key, prepared once: equal to `hmac.digest`, in half the time."""

    def __init__(self, key: bytes) -> None:
        block = key.ljust(64, b"\0")
        self._inner = hashlib.sha256(block.translate(_INNER))
        self._outer = hashlib.sha256(block.translate(_OUTER))

    def __call__(self, message: bytes) -> bytes:
        inner, outer = self._inner.copy(), self._outer.copy()
        inner.update(message)
        outer.update(inner.digest())
        return outer.digest()


class Vault:
    """Turns personal values into pseudonyms and ciphertext, and back for those who may look."""

    def __init__(self, keys: Keys) -> None:
        self._pseudonym = Mac(keys.pseudonym)
        self._fingerprint = Mac(keys.content)
        self.authenticate = Mac(keys.authenticity)
        """The service's own seal over a stored event: 32 bytes."""
        self._wrapping = AESGCM(keys.wrapping)
        self._ciphers: OrderedDict[int, AESGCM] = OrderedDict()  # a UUID is hashed in Python
        self._nonces: list[bytes] = []
        self._pseudonyms: dict[tuple[str, str], str] = {}

    def pseudonym(self, kind: str, value: str) -> str:
        """A name for `value` that is equal for equal values and says nothing without the key."""
        name = self._pseudonyms.get((kind, value))
        if name is None:
            if len(self._pseudonyms) >= _CACHED_KEYS:
                self._pseudonyms.clear()
            text = f"{kind}\x1f{value}".encode()
            name = f"{kind}-{self._pseudonym(text).hex()[:24]}"
            self._pseudonyms[kind, value] = name
        return name

    def fingerprint(self, content: bytes) -> bytes:
        """A keyed fingerprint of a command's content: 16 bytes."""
        return self._fingerprint(content)[:16]

    def new_household_key(self, household: UUID) -> bytes:
        """Make a key for `household`; returns it wrapped, ready to be kept."""
        key = AESGCM.generate_key(256)
        nonce = os.urandom(12)
        self._remember(household, AESGCM(key))
        return nonce + self._wrapping.encrypt(nonce, key, household.bytes)

    def forget(self, household: UUID) -> None:
        """Drop the key from memory: it was not kept after all, or was destroyed."""
        self._ciphers.pop(household.int, None)

    def has_key(self, household: UUID) -> bool:
        return household.int in self._ciphers

    def missing_keys(self, households: set[UUID]) -> list[UUID]:
        return [household for household in households if household.int not in self._ciphers]

    def unlock(self, shelf: KeyShelf, households: set[UUID]) -> set[UUID]:
        """Unwrap the keys of `households`; returns those that have none."""
        wanted = self.missing_keys(households)
        if not wanted:
            return set()
        wrapped = shelf.wrapped_keys(wanted)
        for household, box in wrapped.items():
            key = self._wrapping.decrypt(box[:12], box[12:], household.bytes)
            self._remember(household, AESGCM(key))
        return set(wanted) - wrapped.keys()

    def seal(self, household: UUID, event: tuple[UUID, int, str], values: dict[str, Any]) -> str:
        """Encrypt `values` for one event: text that no other event can pass off as its own."""
        nonce = self._nonce()
        box = self._ciphers[household.int].encrypt(nonce, _encode(values), _bound_to(event))
        return b2a_base64(nonce + box, newline=False).decode()

    def unseal(
        self, household: UUID, event: tuple[UUID, int, str], sealed: str
    ) -> dict[str, Any] | None:
        """Decrypt; None when the household's key is gone or the text belongs elsewhere."""
        cipher = self._ciphers.get(household.int)
        if cipher is None:
            return None
        box = base64.b64decode(sealed)
        try:
            values: dict[str, Any] = msgspec.json.decode(
                cipher.decrypt(box[:12], box[12:], _bound_to(event))
            )
        except InvalidTag:
            return None
        return values

    def _nonce(self) -> bytes:
        """Twelve random bytes, of which many are fetched at once."""
        if not self._nonces:
            block = os.urandom(12 * _NONCES_AT_ONCE)
            self._nonces = [block[at : at + 12] for at in range(0, len(block), 12)]
        return self._nonces.pop()

    def _remember(self, household: UUID, cipher: AESGCM) -> None:
        if len(self._ciphers) >= _CACHED_KEYS:
            self._ciphers.popitem(last=False)
        self._ciphers[household.int] = cipher


def _bound_to(event: tuple[UUID, int, str]) -> bytes:
    originator_id, version, topic = event
    return originator_id.bytes + version.to_bytes(8, "big") + topic.encode()


def masked_name(name: str) -> str:
    """张三丰 -> 张**"""
    return name[:1] + "*" * (len(name) - 1) if len(name) > 1 else "*"


def masked_number(number: str) -> str:
    """The last four characters, behind a fixed number of stars."""
    return "****" + number[-4:] if len(number) > 4 else "****"

"""Keys, pseudonyms and sealed personal data.

The log holds keyed pseudonyms in the clear and personal values only as ciphertext under a key
per household; without the keys that stand outside the database neither can be undone or forged.
A household's key lies in the database, wrapped under a secret that does not.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import secrets
from binascii import b2a_base64
from collections import OrderedDict
from collections.abc import Collection, Mapping
from pathlib import Path
from threading import Lock
from typing import Any, Protocol
from uuid import UUID
from weakref import WeakSet

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from msgspec.structs import replace

from domain.kernel import AnyEnvelope, AnyEvent
from domain.numbers import normal_number

_KEY_NAMES = ("wrapping", "pseudonym", "content", "authenticity")
_WRAPPING_ID_BYTES = 8
_NONCE_BYTES = 12
_SILENT_LENGTH = 60
"""A key wrapped before wrapped keys said which secret they are under."""
_CACHED_KEYS = 50_000
_NONCES_AT_ONCE = 256
_INNER = bytes(byte ^ 0x36 for byte in range(256))
_OUTER = bytes(byte ^ 0x5C for byte in range(256))
_encode = msgspec.json.Encoder(order="sorted").encode


class KeysMissing(Exception):
    """The key file is absent or incomplete: without it nothing personal can be read."""


class KeyGone(Exception):
    """A household's key was destroyed in this very moment: decide again."""


class KeyShelf(Protocol):
    """Where wrapped household keys are kept."""

    def wrapped_keys(self, households: list[UUID]) -> Mapping[UUID, bytes]: ...


class Keys(msgspec.Struct, frozen=True):
    """The four secrets of a deployment, each 32 bytes; kept outside the database.

    `wrapping_next` is there only while the wrapping secret is being changed: it takes its place.
    `wrapping_number` counts the changes before it, as ledger.wrapping does; None: not counted yet.
    """

    wrapping: bytes
    pseudonym: bytes
    content: bytes
    authenticity: bytes
    wrapping_next: bytes | None = None
    wrapping_number: int | None = None

    @classmethod
    def generate(cls) -> Keys:
        wrapping, pseudonym, content, authenticity = (secrets.token_bytes(32) for _ in _KEY_NAMES)
        return cls(wrapping, pseudonym, content, authenticity, wrapping_number=0)

    @classmethod
    def load(cls, path: Path) -> Keys:
        """Read the key file. Raises KeysMissing."""
        try:
            stored = json.loads(path.read_text("utf-8"))
            names = [*_KEY_NAMES, *(["wrapping_next"] if "wrapping_next" in stored else [])]
            keys = {name: base64.b64decode(stored[name], validate=True) for name in names}
            number = stored.get("wrapping_number")
            if number is not None and (type(number) is not int or number < 0):
                raise ValueError("wrapping_number")
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise KeysMissing(f"密钥文件不可用 / key file not usable: {path}") from error
        if any(len(key) != 32 for key in keys.values()):
            raise KeysMissing(f"密钥长度不是 32 字节 / keys are not 32 bytes long: {path}")
        return cls(**keys, wrapping_number=number)

    def save(self, path: Path) -> None:
        """Write the key file, readable by its owner alone; an existing one is never replaced."""
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(self.text())
            file.flush()
            os.fsync(file.fileno())

    def text(self) -> str:
        """What stands in the key file."""
        named = {name: getattr(self, name) for name in (*_KEY_NAMES, "wrapping_next")}
        content: dict[str, str | int] = {
            name: base64.b64encode(key).decode() for name, key in named.items() if key
        }
        if self.wrapping_number is not None:
            content["wrapping_number"] = self.wrapping_number
        return json.dumps(content, indent=1)


class Wrapper:
    """Wraps household keys under the present secret, unwraps them under every one that is known.

    A wrapped key is the id of its secret (8 bytes), a nonce (12), and the encrypted key (48).
    """

    def __init__(self, keys: Keys) -> None:
        known = (keys.wrapping, keys.wrapping_next)
        self._secrets = {wrapping_id(secret): AESGCM(secret) for secret in known if secret}
        self.present = wrapping_id(keys.wrapping)

    def turn_to(self, id: bytes) -> bool:
        """Wrap under this secret from now on; False when it is not known."""
        if id in self._secrets:
            self.present = id
        return id in self._secrets

    def wrap(self, household: UUID, key: bytes) -> bytes:
        nonce, id = os.urandom(_NONCE_BYTES), self.present
        return id + nonce + self._secrets[id].encrypt(nonce, key, id + household.bytes)

    def unwrap(self, household: UUID, wrapped: bytes) -> bytes | None:
        """The household's key; None when no known secret opens it."""
        id = b"" if len(wrapped) == _SILENT_LENGTH else wrapped[:_WRAPPING_ID_BYTES]
        candidates = [self._secrets.get(id)] if id else list(self._secrets.values())
        box = wrapped[len(id) :]
        for secret in candidates:
            if secret is not None:
                try:
                    nonce, sealed = box[:_NONCE_BYTES], box[_NONCE_BYTES:]
                    return secret.decrypt(nonce, sealed, id + household.bytes)
                except InvalidTag:
                    continue
        return None


def wrapping_id(secret: bytes) -> bytes:
    """By what a wrapped key names its secret, without telling it: 8 bytes."""
    return hashlib.sha256(secret).digest()[:_WRAPPING_ID_BYTES]


class Mac:
    """HMAC-SHA256 under one key, prepared once: equal to `hmac.digest`, in half the time."""

    def __init__(self, key: bytes) -> None:
        self.key = key
        block = key.ljust(64, b"\0")
        self._inner = hashlib.sha256(block.translate(_INNER))
        self._outer = hashlib.sha256(block.translate(_OUTER))

    def __call__(self, message: bytes) -> bytes:
        inner, outer = self._inner.copy(), self._outer.copy()
        inner.update(message)
        outer.update(inner.digest())
        return outer.digest()


class Vault:
    """Turns personal values into pseudonyms and ciphertext, and back for those who may look.

    `key_file` is where `keys` came from; it is read again when the wrapping secret has changed.
    """

    def __init__(self, keys: Keys, key_file: Path | None = None) -> None:
        self._pseudonym = Mac(keys.pseudonym)
        self._fingerprint = Mac(keys.content)
        self.authenticate = Mac(keys.authenticity)
        """The service's own seal over a stored event: 32 bytes."""
        self._wrapper = Wrapper(keys)
        self._key_file = key_file
        self._key_file_read: tuple[int, int] | None = None
        self._ciphers: OrderedDict[int, AESGCM] = OrderedDict()  # a UUID is hashed in Python
        self._nonces: list[bytes] = []
        self._pseudonyms: dict[tuple[str, str], str] = {}
        with _vaults_door:
            _vaults.add(self)

    def pseudonym(self, kind: str, value: str) -> str:
        """A name for the number `value`: equal however it is written, useless without the key.

        `kind`: `account` or `person`. Rule: domain.numbers.normal_number.
        """
        name = self._pseudonyms.get((kind, value))
        if name is None:
            if len(self._pseudonyms) >= _CACHED_KEYS:
                self._pseudonyms.clear()
            name = self._name_of(kind, normal_number(value))
            self._pseudonyms[kind, value] = name
        return name

    def pseudonym_as_written(self, kind: str, value: str) -> str:
        """The name that events of before 0033 gave: of the number as it was written."""
        return self._name_of(kind, value)

    def _name_of(self, kind: str, number: str) -> str:
        text = f"{kind}\x1f{number}".encode()
        return f"{kind}-{self._pseudonym(text).hex()[:24]}"

    def fingerprint(self, content: bytes) -> bytes:
        """A keyed fingerprint of a command's content: 16 bytes."""
        return self._fingerprint(content)[:16]

    def wrap_under(self, present: bytes | None) -> None:
        """Wrap new keys under the secret that the database names; None: under the file's own.

        Raises KeysMissing when the key file does not hold it.
        """
        if present is None or self._wrapper.present == present:
            return
        if not self._wrapper.turn_to(present):
            self.refresh()
            if not self._wrapper.turn_to(present):
                raise KeysMissing("密钥文件已过时 / the key file lacks the present wrapping secret")

    def refresh(self) -> None:
        """Read the key file again if it was replaced; secrets it no longer holds are dropped."""
        if self._key_file is None:
            return
        try:
            found = self._key_file.stat()
            read = (found.st_ino, found.st_mtime_ns)
            if read != self._key_file_read:
                self._wrapper = Wrapper(Keys.load(self._key_file))
                self._key_file_read = read
        except (OSError, KeysMissing):
            return  # what is known goes on being of use

    def new_household_key(self, household: UUID) -> bytes:
        """Make a key for `household`; returns it: it is wrapped when it is kept."""
        key = AESGCM.generate_key(256)
        self._remember(household, AESGCM(key))
        return key

    def wrap(self, household: UUID, key: bytes) -> bytes:
        """Wrap a household's key under the present secret."""
        return self._wrapper.wrap(household, key)

    def forget(self, household: UUID) -> None:
        """Drop the key from memory: it was not kept after all, or was destroyed."""
        self._ciphers.pop(household.int, None)

    def forget_values(self) -> None:
        """Drop the values whose pseudonyms are remembered."""
        self._pseudonyms.clear()

    def has_key(self, household: UUID) -> bool:
        return household.int in self._ciphers

    def missing_keys(self, households: Collection[UUID]) -> set[UUID]:
        return {household for household in households if household.int not in self._ciphers}

    def unlock(self, shelf: KeyShelf, households: Collection[UUID]) -> set[UUID]:
        """Unwrap the keys of `households`; returns those that have none, now or any more.

        Asks for the remembered ones too, so whoever unlocks before he unseals shows nobody erased.
        """
        if not households:
            return set()
        wrapped = shelf.wrapped_keys(list(households))
        for household, box in wrapped.items():
            if household.int not in self._ciphers:
                key = self._unwrapped(household, box)
                if key is not None:
                    self._remember(household, AESGCM(key))
        without = set(households) - wrapped.keys()
        for household in without:
            self.forget(household)
        return without

    def seal(self, household: UUID, event: tuple[UUID, int, str], values: dict[str, Any]) -> str:
        """Encrypt `values` for one event: text that no other event can pass off as its own.

        Raises KeyGone.
        """
        cipher = self._ciphers.get(household.int)
        if cipher is None:
            raise KeyGone
        nonce = self._nonce()
        box = cipher.encrypt(nonce, _encode(values), _bound_to(event))
        return b2a_base64(nonce + box, newline=False).decode()

    def encrypt(self, envelope: AnyEnvelope) -> AnyEvent:
        """The event with its personal values encrypted, bound to its place. Raises KeyGone."""
        event, household, personal = envelope.event, envelope.household, envelope.personal
        if household is None or personal is None:
            return event
        place = (envelope.originator_id, envelope.originator_version, event.TOPIC)
        return replace(event, sealed=self.seal(household, place, personal))

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

    def _unwrapped(self, household: UUID, wrapped: bytes) -> bytes | None:
        key = self._wrapper.unwrap(household, wrapped)
        if key is None:
            self.refresh()
            key = self._wrapper.unwrap(household, wrapped)
        return key

    def _remember(self, household: UUID, cipher: AESGCM) -> None:
        if len(self._ciphers) >= _CACHED_KEYS:
            self._ciphers.popitem(last=False)
        self._ciphers[household.int] = cipher


_vaults: WeakSet[Vault] = WeakSet()
_vaults_door = Lock()
"""All vaults of this process: what is destroyed is forgotten by every one of them."""


def forget_everywhere(households: Collection[UUID]) -> None:
    """Let every vault of this process forget these keys, and whose pseudonyms it remembers."""
    if households:
        for vault in _all_vaults():
            for household in households:
                vault.forget(household)
            vault.forget_values()


def refresh_everywhere() -> None:
    """Let every vault of this process look whether its key file was replaced."""
    for vault in _all_vaults():
        vault.refresh()


def _all_vaults() -> list[Vault]:
    with _vaults_door:
        return list(_vaults)


def _bound_to(event: tuple[UUID, int, str]) -> bytes:
    originator_id, version, topic = event
    return originator_id.bytes + version.to_bytes(8, "big") + topic.encode()


def masked_name(name: str) -> str:
    """张三丰 -> 张**"""
    return name[:1] + "*" * (len(name) - 1) if len(name) > 1 else "*"


def masked_number(number: str) -> str:
    """The last four characters, behind a fixed number of stars."""
    return "****" + number[-4:] if len(number) > 4 else "****"

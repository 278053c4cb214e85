"""Signed notes and the checkpoints in them, as C2SP writes them.

signed-note, tlog-checkpoint and tlog-cosignature: docs/tamper-evidence.md §2.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from typing import NamedTuple

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from application.transparency_log.merkle import SIZE

SIGNED, COSIGNED = 1, 4
"""Ed25519 by the log itself; Ed25519 with a time, by a witness."""
_DASH = "\u2014 "


class NoteMalformed(Exception):
    """Text that is not a checkpoint, a key or a signature in their one written form."""


class Head(NamedTuple):
    """What a checkpoint says: the first `size` leaves of `origin` have this root."""

    origin: str
    size: int
    root: bytes

    def text(self) -> str:
        return f"{self.origin}\n{self.size}\n{base64.b64encode(self.root).decode()}\n"


class VerifierKey(NamedTuple):
    """A public key with the name and the kind of signature it is for."""

    name: str
    kind: int
    public: bytes

    @classmethod
    def parse(cls, text: str) -> VerifierKey:
        """Read a vkey, `NAME+KEYID+BASE64`. Raises NoteMalformed."""
        parts = text.split("+", 2)
        if len(parts) != 3:
            raise NoteMalformed("vkey")
        material = unbase64(parts[2])
        if len(material) != 33 or material[0] not in (SIGNED, COSIGNED):
            raise NoteMalformed("vkey")
        key = cls(parts[0], material[0], material[1:])
        if key.text() != text or not _is_name(key.name):
            raise NoteMalformed("vkey")
        return key

    def text(self) -> str:
        material = base64.b64encode(bytes((self.kind,)) + self.public).decode()
        return f"{self.name}+{self.id.hex()}+{material}"

    @property
    def id(self) -> bytes:
        seed = self.name.encode() + b"\n" + bytes((self.kind,)) + self.public
        return hashlib.sha256(seed).digest()[:4]

    def line(self, signature: bytes) -> str:
        """The signature as a line of a note. `signature`: after a cosigner's 8 bytes of time."""
        return f"{_DASH}{self.name} {base64.b64encode(self.id + signature).decode()}\n"

    def signed(self, head: Head, line: Line) -> bool:
        """Whether `line` is this key's own and signs `head`."""
        if (line.name, line.key_id) != (self.name, self.id):
            return False
        message, signature = head.text().encode(), line.signature
        if self.kind == COSIGNED:
            seconds, signature = int.from_bytes(signature[:8], "big"), signature[8:]
            message = cosigned_message(head, seconds)
        try:
            Ed25519PublicKey.from_public_bytes(self.public).verify(signature, message)
        except InvalidSignature:
            return False
        return True


class Line(NamedTuple):
    """One signature line of a note."""

    name: str
    key_id: bytes
    signature: bytes

    @classmethod
    def parse(cls, text: str) -> Line:
        """Read a line without its newline. Raises NoteMalformed."""
        name, _, signature = text.removeprefix(_DASH).partition(" ")
        box = unbase64(signature)
        if not text.startswith(_DASH) or not _is_name(name) or len(box) < 5:
            raise NoteMalformed("signature line")
        return cls(name, box[:4], box[4:])


def parse_checkpoint(note: str) -> tuple[Head, list[Line]]:
    """What a checkpoint says and its signature lines, none of them checked yet.

    Raises NoteMalformed.
    """
    text, blank, signatures = note.partition("\n\n")
    lines = text.split("\n")
    if not blank or len(lines) != 3 or not note.endswith("\n") or not signatures.strip():
        raise NoteMalformed("checkpoint")
    origin, size, root = lines
    if not size.isascii() or not size.isdigit() or str(int(size[:20])) != size:
        raise NoteMalformed("size")
    head = Head(origin, int(size), unbase64(root))
    if not _is_name(origin) or len(head.root) != SIZE:
        raise NoteMalformed("checkpoint")
    return head, [Line.parse(line) for line in signatures[:-1].split("\n")]


def cosigned_message(head: Head, seconds: int) -> bytes:
    """What a witness signs at a time."""
    return f"cosignature/v1\ntime {seconds}\n{head.text()}".encode()


def unbase64(text: str) -> bytes:
    """Standard base64 in its one canonical form. Raises NoteMalformed."""
    try:
        data = base64.b64decode(text.encode("ascii"), validate=True)
    except (UnicodeEncodeError, binascii.Error) as error:
        raise NoteMalformed("base64") from error
    if base64.b64encode(data).decode() != text:
        raise NoteMalformed("base64")
    return data


def _is_name(name: str) -> bool:
    return bool(name) and "+" not in name and not any(c.isspace() or c < " " for c in name)

"""The proof of one event (证明): what a page says of it, its data, and its steps by the server."""

from __future__ import annotations

import base64
from typing import Any, Final, NamedTuple

from application.transparency_log.merkle import (
    ProofWrong,
    inclusion_proof,
    inclusion_steps,
)
from application.transparency_log.nodes import Checkpoint
from application.transparency_log.notes import parse_checkpoint
from application.transparency_log.proofs import NotSealed, Proofs
from application.transparency_log.signer import Signer
from interface.http.service import Service
from projections.facts.reading import Connection

_NOTHING: Final = b""


class Proven(NamedTuple):
    """How an event is proven: under which checkpoint, in how many steps, cosigned by whom.

    `size` 0: no checkpoint covers it yet. `in_browser`: whether a page can follow the steps itself;
    it knows SHA-256 alone.
    """

    position: int
    size: int
    root: str
    steps: int
    cosigned: tuple[str, ...]
    witnesses: int
    hash: str

    @property
    def in_browser(self) -> bool:
        return self.hash == "sha-256"


def proven(service: Service, connection: Connection, position: int) -> Proven:
    """What is said of an event's proof, without working it out."""
    proofs = Proofs(connection, service.deployment.origin)
    try:
        checkpoint = proofs.checkpoint(covering=position)
    except NotSealed:
        return Proven(position, 0, "", 0, (), 0, proofs.hash.name)
    size = checkpoint.head.size
    _, lines = parse_checkpoint(checkpoint.text())
    cosigners = {(line.name, line.key_id) for line in lines}
    admitted = [key for _, key in proofs.admitted()]
    return Proven(
        position,
        size,
        base64.b64encode(checkpoint.head.root).decode(),
        len(inclusion_proof(proofs.hash, position - 1, size, lambda *_: _NOTHING)),
        tuple(key.name for key in admitted if (key.name, key.id) in cosigners),
        len(admitted),
        proofs.hash.name,
    )


def proof_data(proofs: Proofs, position: int) -> dict[str, Any]:
    """What a browser needs to follow the proof: leaf, path, root. Raises NotSealed."""
    checkpoint, leaf_data, path = _of(proofs, position)
    return {
        "position": position,
        "index": position - 1,
        "size": checkpoint.head.size,
        "hash": proofs.hash.name,
        "leaf": base64.b64encode(leaf_data).decode(),
        "path": [node.hex() for node in path],
        "root": checkpoint.head.root.hex(),
        "checkpoint": checkpoint.text(),
    }


class ByServer(NamedTuple):
    """The same steps as the server takes them. `right`: they lead to the signed root."""

    leaf: str
    steps: list[tuple[str, bool, str]]
    """The sibling, whether it stands left, and the node of both, in hexadecimal."""
    root: str
    right: bool
    signed: bool


def verified_by_server(proofs: Proofs, signer: Signer, position: int) -> ByServer:
    """Leaf and path worked out again, and the log's signature. Raises NotSealed."""
    checkpoint, leaf_data, path = _of(proofs, position)
    head = checkpoint.head
    leaf = proofs.hash.digest(b"\0" + leaf_data)
    try:
        steps = inclusion_steps(proofs.hash, position - 1, head.size, leaf, path)
    except ProofWrong:
        steps = []
    made = steps[-1].node if steps else leaf if head.size == 1 else b""
    key = signer.key(proofs.origin)
    _, lines = parse_checkpoint(checkpoint.text())
    return ByServer(
        leaf.hex(),
        [(step.sibling.hex(), step.left, step.node.hex()) for step in steps],
        head.root.hex(),
        made == head.root,
        any(key.signed(head, line) for line in lines),
    )


def _of(proofs: Proofs, position: int) -> tuple[Checkpoint, bytes, list[bytes]]:
    checkpoint = proofs.checkpoint(covering=position)
    [event] = proofs.events([position], checkpoint)
    return checkpoint, event.leaf_data, event.proof

"""Merkle trees as RFC 9162 §2.1 defines them, over any source of complete subtrees.

A tree's nodes are asked for by (level, index): level 0 are the leaves' hashes, a node of level L
covers the leaves [index · 2^L, (index + 1) · 2^L). Everything else follows from those.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from cryptography.hazmat.primitives import hashes

Digest = Callable[[bytes], bytes]
NodeOf = Callable[[int, int], bytes]
"""The hash of the complete subtree (level, index)."""

_LEAF, _NODE = b"\x00", b"\x01"
SIZE = 32
"""Bytes in a hash, of either kind."""


class ProofWrong(Exception):
    """A proof does not lead from what is known to what is claimed."""


def _sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def _sm3(data: bytes) -> bytes:
    digest = hashes.Hash(hashes.SM3())
    digest.update(data)
    return digest.finalize()


class TreeHash(NamedTuple):
    """One of the hashes that a tree can be made with. `number` stands in each leaf."""

    name: str
    number: int
    digest: Digest

    @property
    def prefix(self) -> bytes:
        """What leaf data begins with: format 1, this hash. The stored row follows."""
        return bytes((1, self.number))

    def leaf(self, row: bytes) -> bytes:
        """The hash of a stored row's leaf."""
        return self.digest(_LEAF + self.prefix + row)

    def leaf_maker(self) -> Digest:
        """`leaf`, prepared for many rows."""
        digest, prefix = self.digest, _LEAF + self.prefix
        return lambda row: digest(prefix + row)

    def node(self, left: bytes, right: bytes) -> bytes:
        return self.digest(_NODE + left + right)

    def parents(self, nodes: bytes) -> bytes:
        """The level above an even number of nodes that stand one behind the other."""
        digest, pair = self.digest, 2 * SIZE
        return b"".join(
            [digest(_NODE + nodes[at : at + pair]) for at in range(0, len(nodes), pair)]
        )

    def above(self, nodes: bytes, levels: int) -> bytes:
        """The nodes `levels` above a row of nodes that fills them."""
        for _ in range(levels):
            nodes = self.parents(nodes)
        return nodes


SHA256 = TreeHash("sha-256", 1, _sha256)
SM3 = TreeHash("sm3", 2, _sm3)
HASHES = {tree_hash.name: tree_hash for tree_hash in (SHA256, SM3)}


def peaks(size: int) -> Iterator[tuple[int, int]]:
    """The complete subtrees (level, index) that make up the first `size` leaves, largest first."""
    done = 0
    for level in reversed(range(size.bit_length())):
        if size >> level & 1:
            yield level, done >> level
            done += 1 << level


def root(tree_hash: TreeHash, size: int, node: NodeOf) -> bytes:
    """The root of the tree over the first `size` leaves."""
    return _span(tree_hash, 0, size, node) if size else tree_hash.digest(b"")


def range_root(tree_hash: TreeHash, leaves: Sequence[bytes]) -> bytes:
    """The root of the tree over these leaf hashes alone."""

    def node(level: int, index: int) -> bytes:
        return tree_hash.above(b"".join(leaves[index << level : index + 1 << level]), level)

    return root(tree_hash, len(leaves), node)


def inclusion_proof(tree_hash: TreeHash, index: int, size: int, node: NodeOf) -> list[bytes]:
    """RFC 9162 §2.1.3.1: from the leaf `index` to the root of `size` leaves.

    Raises ValueError unless 0 <= index < size.
    """
    if not 0 <= index < size:
        raise ValueError(f"no leaf {index} among {size}")
    path: list[bytes] = []
    first, end = 0, size
    while end - first > 1:
        middle = first + _largest_power_below(end - first)
        if index < middle:
            path.append(_span(tree_hash, middle, end, node))
            end = middle
        else:
            path.append(_span(tree_hash, first, middle, node))
            first = middle
    return path[::-1]


class Joined(NamedTuple):
    """A step from a leaf to the root: a sibling, whether it stands left, and the node of both."""

    sibling: bytes
    left: bool
    node: bytes


def inclusion_steps(
    tree_hash: TreeHash, index: int, size: int, leaf: bytes, path: Sequence[bytes]
) -> list[Joined]:
    """RFC 9162 §2.1.3.2, step by step from a leaf's hash; the last node is the root.

    Raises ProofWrong when the path has another length than the tree asks for.
    """
    at, last, node = index, size - 1, leaf
    steps: list[Joined] = []
    for sibling in path:
        if last == 0:
            raise ProofWrong(f"{index} / {size}")
        left = bool(at & 1) or at == last
        node = tree_hash.node(sibling, node) if left else tree_hash.node(node, sibling)
        steps.append(Joined(sibling, left, node))
        while left and at and not at & 1:
            at, last = at >> 1, last >> 1
        at, last = at >> 1, last >> 1
    if last or not 0 <= index < size:
        raise ProofWrong(f"{index} / {size}")
    return steps


def consistency_proof(tree_hash: TreeHash, old: int, size: int, node: NodeOf) -> list[bytes]:
    """RFC 9162 §2.1.4.1: that the tree of `size` leaves begins with the tree of `old` leaves.

    Empty for old = 0 and old = size. Raises ValueError unless 0 <= old <= size.
    """
    if not 0 <= old <= size:
        raise ValueError(f"no tree of {old} leaves within {size}")
    if old in (0, size):
        return []
    path: list[bytes] = []
    first, end, whole = 0, size, True
    while first + old < end:
        middle = first + _largest_power_below(end - first)
        if first + old <= middle:
            path.append(_span(tree_hash, middle, end, node))
            end = middle
        else:
            path.append(_span(tree_hash, first, middle, node))
            old -= middle - first
            first, whole = middle, False
    if not whole:
        path.append(_span(tree_hash, first, end, node))
    return path[::-1]


def assure_consistent(
    tree_hash: TreeHash,
    old: tuple[int, bytes],
    new: tuple[int, bytes],
    proof: Sequence[bytes],
) -> None:
    """Check RFC 9162 §2.1.4.2 between two (size, root). Raises ProofWrong."""
    (old_size, old_root), (new_size, new_root) = old, new
    if old_size in (0, new_size):
        nothing = tree_hash.digest(b"")
        if proof or old_root != (nothing if old_size == 0 else new_root):
            raise ProofWrong(f"{old_size} → {new_size}")
    elif old_size > new_size or (old_root, new_root) != _roots(tree_hash, old_size, new_size, [
        *([old_root] if old_size & (old_size - 1) == 0 else []), *proof
    ]):  # fmt: skip
        raise ProofWrong(f"{old_size} → {new_size}")


def _roots(
    tree_hash: TreeHash, old_size: int, new_size: int, path: Sequence[bytes]
) -> tuple[bytes, bytes] | None:
    """The two roots to which a consistency path leads; None when its length is wrong."""
    if not path:
        return None
    at, last = old_size - 1, new_size - 1
    while at & 1:
        at, last = at >> 1, last >> 1
    old_made = new_made = path[0]
    for sibling in path[1:]:
        if last == 0:
            return None
        if at & 1 or at == last:
            old_made = tree_hash.node(sibling, old_made)
            new_made = tree_hash.node(sibling, new_made)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            new_made = tree_hash.node(new_made, sibling)
        at, last = at >> 1, last >> 1
    return (old_made, new_made) if last == 0 else None


def _span(tree_hash: TreeHash, first: int, end: int, node: NodeOf) -> bytes:
    """The hash over the leaves [first, end); a power of two >= their number divides `first`."""
    size = end - first
    level = (size - 1).bit_length()
    if size == 1 << level:
        return node(level, first >> level)
    middle = first + (1 << level - 1)
    return tree_hash.node(node(level - 1, first >> level - 1), _span(tree_hash, middle, end, node))


def _largest_power_below(size: int) -> int:
    return 1 << (size - 1).bit_length() - 1

"""The verifier's proofs against the definitions of RFC 9162, exhaustively, for both hashes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from audit.support import HASHES, Hash, consistency_path, inclusion_path, sha256, tree_hash

from interface.auditor import verify, witness
from interface.auditor.verify import Checkpoint

MOST = 128
EIGHT = [
    "", "00", "10", "2021", "3031", "40414243", "5051525354555657",
    "606162636465666768696a6b6c6d6e6f",
]  # fmt: skip
EIGHT_ROOT = "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"


def included(h: Hash, leaf: bytes, index: int, size: int, path: list[bytes], root: bytes) -> bool:
    """As `proven` asks it."""
    if not 0 <= index < size:
        return False
    return holds(lambda: verify.root_of(h, index, size, leaf, path) == root)


def continues(h: Hash, old: tuple[int, bytes], new: tuple[int, bytes], path: list[bytes]) -> bool:
    def note(size: int, root: bytes) -> Checkpoint:
        return Checkpoint("log/sha-256", size, root, b"\1", h, [])

    return holds(lambda: witness.check_consistency(note(*old), note(*new), path) is None)


def holds(query_text: Callable[[], bool]) -> bool:
    try:
        return query_text()
    except verify.Wrong:
        return False


@pytest.fixture(scope="module", params=HASHES)
def forest(request: Any) -> tuple[Hash, list[bytes], dict[tuple[int, int], bytes]]:
    """A hash that remembers every subtree, so that the naive way is quick; and 128 leaves."""
    _, slow = HASHES[request.param]
    known: dict[bytes, bytes] = {}

    def h(data: bytes) -> bytes:
        if data not in known:
            known[data] = slow(data)
        return known[data]

    return h, [b"leaf %d" % n for n in range(MOST)], {}


def test_the_eight_leaves_of_certificate_transparency_give_their_known_root() -> None:
    leaves = [bytes.fromhex(leaf) for leaf in EIGHT]

    assert tree_hash(sha256, leaves).hex() == EIGHT_ROOT
    for index, leaf in enumerate(leaves):
        path = inclusion_path(sha256, index, leaves)
        assert included(sha256, leaf, index, 8, path, bytes.fromhex(EIGHT_ROOT))
    assert tree_hash(sha256, []).hex() == (
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    )


def test_sm3_is_that_of_the_standard() -> None:
    _, h = verify.HASHES["sm3"]
    assert h(b"abc").hex() == "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0"


def test_every_inclusion_proof_up_to_128_leaves_is_accepted(forest: Any) -> None:
    h, leaves, _ = forest
    for size in range(1, MOST + 1):
        tree = leaves[:size]
        root = tree_hash(h, tree)
        for index in range(size):
            path = inclusion_path(h, index, tree)
            assert included(h, leaves[index], index, size, path, root), (index, size)


def test_every_consistency_proof_up_to_128_leaves_is_accepted(forest: Any) -> None:
    h, leaves, _ = forest
    roots = [tree_hash(h, leaves[:n]) for n in range(MOST + 1)]
    for size in range(1, MOST + 1):
        for old in range(size + 1):
            path = consistency_path(h, old, leaves[:size])
            assert continues(h, (old, roots[old]), (size, roots[size]), path), (old, size)


def spoiled(path: list[bytes]) -> dict[str, list[bytes]]:
    """The proof with one thing wrong."""
    wrong = {
        "one more": [*path, bytes(32)],
        "one more in front": [bytes(32), *path],
        "last twice": [*path, *path[-1:]],
        "one less": path[:-1],
        "first gone": path[1:],
        "backwards": path[::-1],
        "none": [],
        "cut": [p[:-1] for p in path],
    }
    for n in range(len(path) - 1):
        wrong[f"swapped {n}"] = [*path[:n], path[n + 1], path[n], *path[n + 2 :]]
    for n, node in enumerate(path):
        for bit in range(0, 256, 37):
            flipped = bytearray(node)
            flipped[bit // 8] ^= 1 << bit % 8
            wrong[f"bit {bit} of {n}"] = [*path[:n], bytes(flipped), *path[n + 1 :]]
    return {what: p for what, p in wrong.items() if p != path}


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 7, 8, 9, 13, 16, 17])
def test_no_spoiled_inclusion_proof_is_accepted(size: int) -> None:
    leaves = [b"leaf %d" % n for n in range(size)]
    root = tree_hash(sha256, leaves)
    for index, leaf in enumerate(leaves):
        path = inclusion_path(sha256, index, leaves)
        for what, wrong in spoiled(path).items():
            assert not included(sha256, leaf, index, size, wrong, root), (index, what)
        assert not included(sha256, leaf + b"!", index, size, path, root)
        assert not included(sha256, leaf, index, size, path, sha256(root))
        for other in range(-1, 2 * size + 2):
            if other != index:
                assert not included(sha256, leaf, other, size, path, root), (index, other)
        for other in range(2 * size + 2):
            if other != size:  # a shape in which the same hashes give the same root proves the same
                same = shape(index, other) == shape(index, size)
                assert included(sha256, leaf, index, other, path, root) == same, (index, other)


def shape(index: int, size: int) -> str:
    """On which side each sibling of a path stands, by the definition; "" outside the tree."""
    if not index < size:
        return "outside"
    sides = ""
    while size > 1:
        k = 1 << (size - 1).bit_length() - 1
        left = index < k
        sides = ("r" if left else "l") + sides
        index, size = (index, k) if left else (index - k, size - k)
    return sides


@pytest.mark.parametrize("size", [2, 3, 4, 5, 7, 8, 9, 13, 16, 17])
def test_no_spoiled_consistency_proof_is_accepted(size: int) -> None:
    leaves = [b"leaf %d" % n for n in range(size)]
    root = tree_hash(sha256, leaves)
    for old in range(1, size):
        old_root = tree_hash(sha256, leaves[:old])
        path = consistency_path(sha256, old, leaves)
        for what, wrong in spoiled(path).items():
            assert not continues(sha256, (old, old_root), (size, root), wrong), (old, what)
        for other in (sha256(old_root), root, bytes(32), path[0], sha256(b"")):
            if other != old_root:
                assert not continues(sha256, (old, other), (size, root), path), old
            if other != root:
                assert not continues(sha256, (old, old_root), (size, other), path), old
        for other_size in range(size + 1):
            if other_size != old:
                assert not continues(sha256, (other_size, old_root), (size, root), path), old


def test_equal_trees_and_the_empty_tree_need_no_proof_and_stand_none() -> None:
    root, other = sha256(b"a"), sha256(b"b")
    assert continues(sha256, (5, root), (5, root), [])
    assert not continues(sha256, (5, root), (5, other), [])
    assert not continues(sha256, (5, root), (5, root), [other])
    assert continues(sha256, (0, sha256(b"")), (5, root), [])
    assert not continues(sha256, (0, sha256(b"")), (5, root), [other])
    assert not continues(sha256, (6, root), (5, root), [])
    assert not continues(sha256, (3, root), (5, other), [])
    assert not included(sha256, b"", 0, 0, [], sha256(b""))

"""The tree against RFC 9162's own definitions, written down as they stand there."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.naive_tree import Naive

from application.transparency_log import merkle
from application.transparency_log.merkle import SHA256, SM3, ProofWrong, TreeHash, assure_consistent

# The eight leaves and the roots over the first n of them that Certificate Transparency's own
# test data has; RFC 9162 keeps the tree of RFC 6962.
LEAVES = [
    bytes.fromhex(text)
    for text in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
ROOT_OF_EIGHT = "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"
MOST = 128


def nodes_of(naive: Naive) -> merkle.NodeOf:
    return lambda level, index: naive.mth(index << level, (index + 1) << level)


def test_the_published_root_of_eight_leaves() -> None:
    naive = Naive(SHA256, LEAVES)
    assert naive.mth(0, 8).hex() == ROOT_OF_EIGHT
    assert merkle.root(SHA256, 8, nodes_of(naive)).hex() == ROOT_OF_EIGHT
    assert merkle.root(SHA256, 0, nodes_of(naive)) == SHA256.digest(b"")


def test_the_published_digest_of_sm3() -> None:
    expected = "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0"
    assert SM3.digest(b"abc").hex() == expected


@pytest.mark.parametrize("tree_hash", [SHA256, SM3], ids=lambda h: h.name)
def test_all_roots_and_proofs_up_to_128_leaves(tree_hash: TreeHash) -> None:
    naive = Naive(tree_hash, [n.to_bytes(2, "big") for n in range(MOST)])
    node = nodes_of(naive)
    for size in range(1, MOST + 1):
        root = naive.mth(0, size)
        assert merkle.root(tree_hash, size, node) == root
        for index in range(size):
            assert merkle.inclusion_proof(tree_hash, index, size, node) == naive.path(
                index, 0, size
            )
        for old in range(1, size + 1):
            proof = merkle.consistency_proof(tree_hash, old, size, node)
            assert proof == naive.subproof(old, 0, size, True)
            assure_consistent(tree_hash, (old, naive.mth(0, old)), (size, root), proof)


@given(
    size=st.integers(2, 70), old=st.integers(0, 70), fault=st.integers(0, 5), at=st.integers(0, 9)
)
def test_a_wrong_consistency_proof_is_refused(size: int, old: int, fault: int, at: int) -> None:
    old = old % size
    naive = Naive(SHA256, [n.to_bytes(2, "big") for n in range(size)])
    proof = merkle.consistency_proof(SHA256, old, size, nodes_of(naive))
    before, after = naive.mth(0, old), naive.mth(0, size)
    wrong = bytes([before[0] ^ 1]) + before[1:]
    spoilt = list(proof)
    if fault == 0:
        before = wrong
    elif fault == 1:
        after = bytes([after[0] ^ 1]) + after[1:]
        if old == 0:
            return  # nothing is said of what comes after nothing
    elif fault == 2:
        spoilt.append(wrong)
    elif fault == 3:
        spoilt.insert(0, wrong)
    elif fault == 4 and proof:
        spoilt[at % len(proof)] = wrong
    elif fault == 5 and proof:
        spoilt.pop(at % len(proof))
    else:
        return
    with pytest.raises(ProofWrong):
        assure_consistent(SHA256, (old, before), (size, after), spoilt)


def test_a_smaller_tree_never_follows_a_larger_one() -> None:
    naive = Naive(SHA256, LEAVES)
    with pytest.raises(ProofWrong):
        assure_consistent(SHA256, (8, naive.mth(0, 8)), (4, naive.mth(0, 4)), [])
    with pytest.raises(ProofWrong):
        assure_consistent(SHA256, (4, naive.mth(0, 4)), (4, naive.mth(0, 3)), [])
    with pytest.raises(ProofWrong):
        assure_consistent(SHA256, (0, bytes(32)), (4, naive.mth(0, 4)), [])


@pytest.mark.parametrize(("index", "size"), [(-1, 4), (4, 4), (0, 0)])
def test_there_is_no_proof_of_what_is_not_there(index: int, size: int) -> None:
    with pytest.raises(ValueError, match="no leaf"):
        merkle.inclusion_proof(SHA256, index, size, nodes_of(Naive(SHA256, LEAVES)))

"""RFC 9162 §2.1 written down as it stands there: slow, and right."""

from __future__ import annotations

from functools import cache

from application.transparency_log.merkle import TreeHash


class Naive:
    """RFC 9162 §2.1 read aloud: MTH, PATH and SUBPROOF over a list of leaves."""

    def __init__(self, tree_hash: TreeHash, leaves: list[bytes]) -> None:
        self._digest = tree_hash.digest
        self._leaves = leaves
        self.mth = cache(self._mth)

    def _mth(self, first: int, end: int) -> bytes:
        n = end - first
        if n == 0:
            return self._digest(b"")
        if n == 1:
            return self._digest(b"\x00" + self._leaves[first])
        k = split(n)
        return self._digest(b"\x01" + self.mth(first, first + k) + self.mth(first + k, end))

    def path(self, m: int, first: int, end: int) -> list[bytes]:
        n = end - first
        if n == 1:
            return []
        k = split(n)
        if m < k:
            return [*self.path(m, first, first + k), self.mth(first + k, end)]
        return [*self.path(m - k, first + k, end), self.mth(first, first + k)]

    def subproof(self, m: int, first: int, end: int, whole: bool) -> list[bytes]:
        n = end - first
        if m == n:
            return [] if whole else [self.mth(first, end)]
        k = split(n)
        if m <= k:
            return [*self.subproof(m, first, first + k, whole), self.mth(first + k, end)]
        return [*self.subproof(m - k, first + k, end, False), self.mth(first, first + k)]


def split(n: int) -> int:
    """The largest power of two smaller than n."""
    k = 1
    while k * 2 < n:
        k *= 2
    return k

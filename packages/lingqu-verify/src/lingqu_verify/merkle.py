# SPDX-License-Identifier: Apache-2.0
"""The Merkle tree of RFC 6962 and RFC 9162 over SHA-256: roots, proofs, and how to check them.

Everything is computed from the hashes of *perfect subtrees*: `nodes(level, index)` gives the root
of the leaves `[index << level, (index + 1) << level)`. Where those come from (memory, tiles, a
table) is the caller's business. Positions count from 0.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Self

from lingqu_verify.errors import Malformed, Refuted

HASH_SIZE = 32
MAX_SIZE = 2**63 - 1
EMPTY_ROOT = hashlib.sha256(b"").digest()

Nodes = Callable[[int, int], bytes]


class OutOfRange(Malformed):
    """A position or size lies outside the tree, or sizes are in the wrong order."""

    code = "verify.tree.out_of_range"


class BadHash(Malformed):
    """A value that should be a SHA-256 hash does not have 32 bytes."""

    code = "verify.tree.bad_hash"


class NotIncluded(Refuted):
    """The proof does not show that the leaf stands at that position under that root."""

    code = "verify.proof.not_included"


class NotConsistent(Refuted):
    """The proof does not show that the older tree is a prefix of the newer one."""

    code = "verify.proof.not_consistent"


def leaf_hash(data: bytes) -> bytes:
    """This will hash an entry: SHA-256(0x00 || data), RFC 6962, 2.1."""
    return hashlib.sha256(b"\x00" + data).digest()


def leaf_hashes(entries: Iterable[bytes]) -> list[bytes]:
    """This will hash many entries, each as `leaf_hash` does."""
    sha256 = hashlib.sha256
    return [sha256(b"\x00" + data).digest() for data in entries]


def node_hash(left: bytes, right: bytes) -> bytes:
    """This will hash two children: SHA-256(0x01 || left || right), RFC 6962, 2.1."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def root(size: int, nodes: Nodes) -> bytes:
    """This will compute the root of the first `size` leaves. Raises OutOfRange below 0."""
    _check_sizes(0, size)
    return _range_hash(0, size, nodes) if size else EMPTY_ROOT


def inclusion_proof(index: int, size: int, nodes: Nodes) -> tuple[bytes, ...]:
    """This will prove that the leaf `index` stands in the tree of `size` (RFC 6962, 2.1.1).

    Raises OutOfRange unless 0 <= index < size.
    """
    _check_sizes(index + 1, size)
    if index < 0:
        raise OutOfRange(position=index, size=size)
    proof, start, end = [], 0, size
    while end - start > 1:
        middle = start + _split(end - start)
        if index < middle:
            proof.append(_range_hash(middle, end, nodes))
            end = middle
        else:
            proof.append(_range_hash(start, middle, nodes))
            start = middle
    return tuple(reversed(proof))


def consistency_proof(old: int, new: int, nodes: Nodes) -> tuple[bytes, ...]:
    """This will prove that the tree of `old` leaves begins the tree of `new` (RFC 6962, 2.1.2).

    The proof is empty when `old` is 0 or equals `new`. Raises OutOfRange unless 0 <= old <= new.
    """
    _check_sizes(old, new)
    if old in {0, new}:
        return ()
    proof, start, end = [], 0, new
    while old < end:
        middle = start + _split(end - start)
        if old <= middle:
            proof.append(_range_hash(middle, end, nodes))
            end = middle
        else:
            proof.append(_range_hash(start, middle, nodes))
            start = middle
    if start:
        proof.append(_range_hash(start, end, nodes))
    return tuple(reversed(proof))


def verify_inclusion(
    leaf: bytes, index: int, size: int, proof: Sequence[bytes], expected_root: bytes
) -> None:
    """This will check an inclusion proof for a leaf hash (RFC 9162, 2.1.3.2).

    Raises NotIncluded when it does not hold, BadHash or OutOfRange when it is malformed.
    """
    _check_hashes(leaf, expected_root, *proof)
    if not 0 <= index < size <= MAX_SIZE:
        raise OutOfRange(position=index, size=size)
    position, last, computed = index, size - 1, leaf
    for sibling in proof:
        if last == 0:
            raise NotIncluded(position=index, size=size)
        if position & 1 or position == last:
            computed = node_hash(sibling, computed)
            while position & 1 == 0 and position:
                position >>= 1
                last >>= 1
        else:
            computed = node_hash(computed, sibling)
        position >>= 1
        last >>= 1
    if last or computed != expected_root:
        raise NotIncluded(position=index, size=size)


def verify_consistency(
    old: int, new: int, proof: Sequence[bytes], old_root: bytes, new_root: bytes
) -> None:
    """This will check that the older tree is a prefix of the newer one (RFC 9162, 2.1.4.2).

    Raises NotConsistent when that is not shown, BadHash or OutOfRange when it is malformed.
    """
    _check_hashes(old_root, new_root, *proof)
    _check_sizes(old, new)
    if old in {0, new}:
        same = old_root == (new_root if old else EMPTY_ROOT)
        if proof or not same or (new == 0 and new_root != EMPTY_ROOT):
            raise NotConsistent(old=old, new=new)
        return
    path = list(proof)
    if old & (old - 1) == 0:
        path.insert(0, old_root)
    if not path or _fold_consistency(old, new, path) != (old_root, new_root):
        raise NotConsistent(old=old, new=new)


def _fold_consistency(old: int, new: int, path: Sequence[bytes]) -> tuple[bytes, bytes] | None:
    """Both roots as the path implies them, or None when it has a wrong length."""
    position, last = old - 1, new - 1
    while position & 1:
        position >>= 1
        last >>= 1
    old_computed = new_computed = path[0]
    for sibling in path[1:]:
        if last == 0:
            return None
        if position & 1 or position == last:
            old_computed = node_hash(sibling, old_computed)
            new_computed = node_hash(sibling, new_computed)
            while position & 1 == 0 and position:
                position >>= 1
                last >>= 1
        else:
            new_computed = node_hash(new_computed, sibling)
        position >>= 1
        last >>= 1
    return None if last else (old_computed, new_computed)


def root_of(leaf_hashes: Iterable[bytes]) -> bytes:
    """This will compute the root over a sequence of leaf hashes."""
    frontier = Frontier()
    frontier.extend(leaf_hashes)
    return frontier.root()


class Frontier:
    """The right edge of a growing tree: all that is needed to append and to know the root.

    `hashes` are the roots of the maximal perfect subtrees from left to right, one for each bit set
    in `size`. Raises OutOfRange or BadHash when they do not fit.
    """

    __slots__ = ("_hashes", "size")

    def __init__(self, size: int = 0, hashes: Sequence[bytes] = ()) -> None:
        _check_sizes(0, size)
        _check_hashes(*hashes)
        if size.bit_count() != len(hashes):
            raise OutOfRange(position=len(hashes), size=size)
        self.size = size
        self._hashes = list(hashes)

    @property
    def hashes(self) -> tuple[bytes, ...]:
        """The roots of the perfect subtrees, from left to right: with `size` the whole state."""
        return tuple(self._hashes)

    def append(self, leaf: bytes) -> None:
        """This will add one leaf hash."""
        _check_hashes(leaf)
        remaining, computed = self.size, leaf
        while remaining & 1:
            computed = node_hash(self._hashes.pop(), computed)
            remaining >>= 1
        self._hashes.append(computed)
        self.size += 1

    def extend(self, leaves: Iterable[bytes]) -> None:
        """This will add leaf hashes in their order, one level of the tree at a time."""
        sha256 = hashlib.sha256  # node_hash written out: a call for each node is half of the cost
        level = list(leaves)
        _check_hashes(*level)
        remaining, edge = self.size, []
        self.size += len(level)
        while level:
            if remaining & 1:
                level.insert(0, self._hashes.pop())
            if len(level) & 1:
                edge.append(level.pop())
            pairs = zip(level[::2], level[1::2], strict=True)
            level = [sha256(b"\x01" + left + right).digest() for left, right in pairs]
            remaining >>= 1
        self._hashes += reversed(edge)

    def root(self) -> bytes:
        """This will compute the root of everything appended."""
        if not self._hashes:
            return EMPTY_ROOT
        computed = self._hashes[-1]
        for left in reversed(self._hashes[:-1]):
            computed = node_hash(left, computed)
        return computed

    def copy(self) -> Self:
        """This will give an independent frontier of the same state."""
        return type(self)(self.size, self._hashes)


class Tree:
    """A whole tree in memory: 64 bytes of hashes a leaf, for tests and small logs."""

    __slots__ = ("_levels",)

    def __init__(self, leaves: Iterable[bytes] = ()) -> None:
        self._levels: list[list[bytes]] = [[]]
        self.extend(leaves)

    @property
    def size(self) -> int:
        """How many leaves there are."""
        return len(self._levels[0])

    def append(self, leaf: bytes) -> None:
        """This will add one leaf hash."""
        _check_hashes(leaf)
        level, computed = 0, leaf
        self._levels[0].append(computed)
        while len(self._levels[level]) % 2 == 0:
            row = self._levels[level]
            computed = node_hash(row[-2], row[-1])
            level += 1
            if level == len(self._levels):
                self._levels.append([])
            self._levels[level].append(computed)

    def extend(self, leaves: Iterable[bytes]) -> None:
        """This will add leaf hashes in their order."""
        for leaf in leaves:
            self.append(leaf)

    def nodes(self, level: int, index: int) -> bytes:
        """This will give the root of a perfect subtree. Raises OutOfRange where there is none."""
        if not 0 <= level < len(self._levels) or not 0 <= index < len(self._levels[level]):
            raise OutOfRange(position=index, size=self.size)
        return self._levels[level][index]

    def root(self, size: int | None = None) -> bytes:
        """This will compute the root of the first `size` leaves, of all when None."""
        return root(self.size if size is None else size, self.nodes)


def _split(width: int) -> int:
    """The largest power of two below `width`, which is at least 2."""
    return 1 << (width - 1).bit_length() - 1


def _perfect(start: int, end: int) -> Iterator[tuple[int, int]]:
    """The maximal perfect subtrees of an aligned range, from left to right."""
    while start < end:
        level = (end - start).bit_length() - 1
        yield level, start >> level
        start += 1 << level


def _range_hash(start: int, end: int, nodes: Nodes) -> bytes:
    """The hash of the leaves [start, end), where start is aligned as RFC 6962 splits ranges."""
    hashes = [nodes(level, index) for level, index in _perfect(start, end)]
    computed = hashes.pop()
    while hashes:
        computed = node_hash(hashes.pop(), computed)
    return computed


def _check_sizes(old: int, new: int) -> None:
    if not 0 <= old <= new <= MAX_SIZE:
        raise OutOfRange(position=old, size=new)


def _check_hashes(*hashes: bytes) -> None:
    for value in hashes:
        if len(value) != HASH_SIZE:
            raise BadHash(length=len(value))

# SPDX-License-Identifier: Apache-2.0
"""The tree against the published vectors, the RFC's recursive definition and pymerkle."""

from __future__ import annotations

import hashlib

import pymerkle
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from pymerkle.proof import InclusionProof, InvalidProof

from lingqu_verify import merkle

# The inputs and roots of the Certificate Transparency reference tests.
INPUTS = [
    "",
    "00",
    "10",
    "2021",
    "3031",
    "40414243",
    "5051525354555657",
    "606162636465666768696a6b6c6d6e6f",
]
ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
SIZES = 600


@pytest.fixture(scope="module")
def tree() -> merkle.Tree:
    return merkle.Tree(merkle.leaf_hash(str(at).encode()) for at in range(SIZES))


@pytest.fixture(scope="module")
def roots(tree) -> list[bytes]:
    return [tree.root(size) for size in range(SIZES + 1)]


@pytest.fixture(scope="module")
def peer() -> pymerkle.InmemoryTree:
    made = pymerkle.InmemoryTree(algorithm="sha256")
    for at in range(SIZES):
        made.append_entry(str(at).encode())
    return made


def split(width: int) -> int:
    k = 1
    while k * 2 < width:
        k *= 2
    return k


class Definition:
    """RFC 6962, 2.1, word for word, remembering hashes of ranges."""

    def __init__(self, leaves: list[bytes]) -> None:
        self.leaves = leaves
        self.known: dict[tuple[int, int], bytes] = {}

    def mth(self, start: int, end: int) -> bytes:
        if end == start:
            return hashlib.sha256().digest()
        if end - start == 1:
            return self.leaves[start]
        if (start, end) not in self.known:
            k = split(end - start)
            both = self.mth(start, start + k) + self.mth(start + k, end)
            self.known[start, end] = hashlib.sha256(b"\x01" + both).digest()
        return self.known[start, end]

    def path(self, m: int, start: int, end: int) -> list[bytes]:
        if end - start == 1:
            return []
        k = split(end - start)
        if m < k:
            return [*self.path(m, start, start + k), self.mth(start + k, end)]
        return [*self.path(m - k, start + k, end), self.mth(start, start + k)]

    def subproof(self, m: int, start: int, end: int, *, whole: bool) -> list[bytes]:
        if m == end - start:
            return [] if whole else [self.mth(start, end)]
        k = split(end - start)
        if m <= k:
            below = self.subproof(m, start, start + k, whole=whole)
            return [*below, self.mth(start + k, end)]
        below = self.subproof(m - k, start + k, end, whole=False)
        return [*below, self.mth(start, start + k)]


def test_roots_equal_the_published_vectors():
    leaves = [merkle.leaf_hash(bytes.fromhex(text)) for text in INPUTS]
    frontier, tree = merkle.Frontier(), merkle.Tree()
    for size, expected in enumerate(ROOTS):
        assert merkle.root_of(leaves[:size]).hex() == expected
        assert frontier.root().hex() == tree.root().hex() == expected
        if size < len(leaves):
            frontier.append(leaves[size])
            tree.append(leaves[size])
    assert merkle.EMPTY_ROOT.hex() == ROOTS[0]


def test_many_entries_are_hashed_as_each_is():
    entries = [b"", b"a", bytes(300)]
    assert merkle.leaf_hashes(entries) == [merkle.leaf_hash(one) for one in entries]


def test_every_root_equals_the_definition_and_pymerkle(tree, roots, peer):
    leaves = [tree.nodes(0, at) for at in range(SIZES)]
    definition, frontier = Definition(leaves), merkle.Frontier()
    for size in range(SIZES + 1):
        assert roots[size] == definition.mth(0, size) == peer.get_root(size) == frontier.root()
        assert merkle.Frontier(frontier.size, frontier.hashes).root() == roots[size]
        if size < SIZES:
            frontier.append(leaves[size])


def test_consistency_holds_for_all_pairs_of_sizes_and_equals_the_definition(tree, roots):
    definition = Definition([tree.nodes(0, at) for at in range(SIZES)])
    for new in range(1, SIZES + 1):
        for old in range(1, new + 1):
            proof = merkle.consistency_proof(old, new, tree.nodes)
            merkle.verify_consistency(old, new, proof, roots[old], roots[new])
            if new % 7 == 0 or new > SIZES - 20:
                assert proof == tuple(definition.subproof(old, 0, new, whole=True))


def test_consistency_from_the_empty_tree_needs_no_proof(tree, roots):
    for new in range(SIZES + 1):
        assert merkle.consistency_proof(0, new, tree.nodes) == ()
        merkle.verify_consistency(0, new, (), merkle.EMPTY_ROOT, roots[new])
    with pytest.raises(merkle.NotConsistent):
        merkle.verify_consistency(0, 5, (), roots[1], roots[5])
    with pytest.raises(merkle.NotConsistent):
        merkle.verify_consistency(0, 5, (roots[1],), merkle.EMPTY_ROOT, roots[5])
    with pytest.raises(merkle.NotConsistent):
        merkle.verify_consistency(0, 0, (), merkle.EMPTY_ROOT, roots[5])


def test_inclusion_proofs_equal_the_definition_and_those_of_pymerkle(tree, roots, peer):
    definition = Definition([tree.nodes(0, at) for at in range(SIZES)])
    for size in [*range(1, 70), 127, 128, 129, 255, 256, 257, 511, 512, 513, 599, 600]:
        for index in {*range(0, size, max(1, size // 40)), size - 1}:
            leaf = tree.nodes(0, index)
            proof = merkle.inclusion_proof(index, size, tree.nodes)
            merkle.verify_inclusion(leaf, index, size, proof, roots[size])
            assert proof == tuple(definition.path(index, 0, size))
            assert [leaf, *proof] == peer.prove_inclusion(index + 1, size).path


@given(st.data())
def test_verdicts_on_damaged_inclusion_proofs_equal_those_of_pymerkle(tree, roots, peer, data):
    size = data.draw(st.integers(1, SIZES))
    index = data.draw(st.integers(0, size - 1))
    leaf, root = tree.nodes(0, index), roots[size]
    proof = list(merkle.inclusion_proof(index, size, tree.nodes))
    damage = data.draw(st.sampled_from(["none", "index", "size", "root", "leaf", "cut", "grow"]))
    claimed_index, claimed_size = index, size
    if damage == "index":
        claimed_index = data.draw(st.integers(0, size - 1))
    elif damage == "size":
        claimed_size = data.draw(st.integers(index + 1, SIZES))
    elif damage == "root":
        root = roots[data.draw(st.integers(0, SIZES))]
    elif damage == "leaf":
        leaf = tree.nodes(0, data.draw(st.integers(0, SIZES - 1)))
    elif damage == "cut" and proof:
        del proof[data.draw(st.integers(0, len(proof) - 1))]
    elif damage == "grow":
        proof.insert(data.draw(st.integers(0, len(proof))), leaf)
    rule = peer.prove_inclusion(claimed_index + 1, claimed_size).rule
    theirs = InclusionProof("sha256", True, claimed_size, claimed_index + 1, rule, [leaf, *proof])
    try:
        theirs.verify(leaf, root)
        good = True
    except InvalidProof:
        good = False
    try:
        merkle.verify_inclusion(leaf, claimed_index, claimed_size, proof, root)
        assert good
    except merkle.NotIncluded:
        assert not good


SIZE = st.integers(1, SIZES)


@given(SIZE, SIZE, SIZE, SIZE, st.booleans(), st.booleans())
def test_verdicts_on_claimed_roots_equal_those_of_pymerkle(
    tree, roots, peer, one, other, stray, astray, wrong_old, wrong_new
):
    old, new = sorted((one, other))
    # Equal sizes have an empty proof: RFC 6962 then compares the claims, pymerkle the tree's root.
    assume(old < new)
    old_root, new_root = roots[stray if wrong_old else old], roots[astray if wrong_new else new]
    try:
        peer.prove_consistency(old, new).verify(old_root, new_root)
        good = True
    except InvalidProof:
        good = False
    proof = merkle.consistency_proof(old, new, tree.nodes)
    try:
        merkle.verify_consistency(old, new, proof, old_root, new_root)
        assert good
    except merkle.NotConsistent:
        assert not good


@given(st.data())
def test_any_flipped_bit_in_a_proof_leaf_or_root_is_detected(tree, roots, data):
    new = data.draw(st.integers(2, SIZES))
    old = data.draw(st.integers(1, new - 1))
    index = data.draw(st.integers(0, new - 1))

    def flipped(parts: list[bytes]) -> list[bytes]:
        which = data.draw(st.integers(0, len(parts) - 1))
        bit = data.draw(st.integers(0, 255))
        changed = bytearray(parts[which])
        changed[bit // 8] ^= 1 << bit % 8
        return [*parts[:which], bytes(changed), *parts[which + 1 :]]

    path = merkle.inclusion_proof(index, new, tree.nodes)
    leaf, root, *proof = flipped([tree.nodes(0, index), roots[new], *path])
    with pytest.raises(merkle.NotIncluded):
        merkle.verify_inclusion(leaf, index, new, proof, root)
    path = merkle.consistency_proof(old, new, tree.nodes)
    old_root, new_root, *proof = flipped([roots[old], roots[new], *path])
    with pytest.raises(merkle.NotConsistent):
        merkle.verify_consistency(old, new, proof, old_root, new_root)


def test_a_proof_of_wrong_length_is_refused(tree, roots):
    for old, new in ((3, 7), (4, 7), (6, 8), (1, 600)):
        proof = merkle.consistency_proof(old, new, tree.nodes)
        for wrong in (proof[:-1], proof[1:], (*proof, proof[0]), ()):
            with pytest.raises(merkle.NotConsistent):
                merkle.verify_consistency(old, new, wrong, roots[old], roots[new])
    with pytest.raises(merkle.NotConsistent):
        merkle.verify_consistency(5, 5, (roots[1],), roots[5], roots[5])


def test_a_proof_does_not_serve_for_a_tree_twice_as_large_or_half(tree, roots):
    for new in range(2, 300):
        for old in range(1, new):
            proof = merkle.consistency_proof(old, new, tree.nodes)
            for claimed in {new * 2, (new + 1) // 2} - {new}:
                if claimed > old:
                    with pytest.raises(merkle.NotConsistent):
                        merkle.verify_consistency(old, claimed, proof, roots[old], roots[new])
        proof = merkle.inclusion_proof(0, new, tree.nodes)
        with pytest.raises(merkle.NotIncluded):
            merkle.verify_inclusion(tree.nodes(0, 0), 0, new * 2, proof, roots[new])


def test_positions_outside_the_tree_are_refused(tree, roots):
    for index, size in ((-1, 5), (5, 5), (0, 0), (0, 2**63)):
        with pytest.raises(merkle.OutOfRange):
            merkle.inclusion_proof(index, size, tree.nodes)
        with pytest.raises(merkle.OutOfRange):
            merkle.verify_inclusion(roots[1], index, size, (), roots[1])
    for old, new in ((6, 5), (-1, 5)):
        with pytest.raises(merkle.OutOfRange):
            merkle.consistency_proof(old, new, tree.nodes)
        with pytest.raises(merkle.OutOfRange):
            merkle.verify_consistency(old, new, (), roots[1], roots[1])
    with pytest.raises(merkle.OutOfRange):
        tree.root(SIZES + 1)
    with pytest.raises(merkle.OutOfRange):
        merkle.Frontier(3, [roots[1]])
    with pytest.raises(merkle.BadHash):
        merkle.verify_inclusion(b"short", 0, 1, (), roots[1])
    with pytest.raises(merkle.BadHash):
        merkle.Frontier(1, [b"short"])


def test_a_copied_frontier_goes_its_own_way(roots, tree):
    frontier = merkle.Frontier()
    frontier.extend(tree.nodes(0, at) for at in range(5))
    other = frontier.copy()
    other.append(tree.nodes(0, 5))
    assert (frontier.root(), other.root()) == (roots[5], roots[6])

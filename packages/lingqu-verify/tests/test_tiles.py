# SPDX-License-Identifier: Apache-2.0
"""Tiles against the layout of C2SP tlog-tiles, and every damage to them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lingqu_verify import merkle, tiles


@pytest.fixture(scope="module")
def big() -> merkle.Tree:
    return merkle.Tree(merkle.leaf_hash(b"%d" % at) for at in range(70_000))


def files_of(tree: merkle.Tree, size: int) -> dict[str, bytes]:
    return {
        tiles.tile_path(level, index, width): tiles.tile_data(level, index, width, tree.nodes)
        for level, index, width in tiles.new_tiles(0, size)
    }


def reader(files: dict[str, bytes]) -> tiles.Read:
    def read(path: str) -> bytes:
        try:
            return files[path]
        except KeyError:
            raise FileNotFoundError(path) from None

    return read


def test_paths_are_those_of_the_specification():
    assert tiles.tile_path(0, 1234067) == "tile/0/x001/x234/067"
    assert tiles.tile_path(0, 1234, 17) == "tile/0/x001/234.p/17"
    assert tiles.tile_path(1, 0) == "tile/1/000"
    assert tiles.tile_path(63, 999, 255) == "tile/63/999.p/255"
    assert tiles.entries_path(1000) == "tile/entries/x001/000"
    assert tiles.entries_path(0, 1) == "tile/entries/000.p/1"
    for level, index, width in ((-1, 0, 256), (64, 0, 256), (0, -1, 256), (0, 0, 0), (0, 0, 257)):
        with pytest.raises(merkle.OutOfRange):
            tiles.tile_path(level, index, width)


def test_a_tree_of_70000_has_the_tiles_that_the_specification_counts(big):
    listed = list(tiles.new_tiles(0, 70_000))
    assert sum(1 for level, _, width in listed if (level, width) == (0, 256)) == 273
    assert [one for one in listed if one[2] < 256] == [(0, 273, 112), (1, 1, 17), (2, 0, 1)]
    assert [one for one in listed if one[0] == 1 and one[2] == 256] == [(1, 0, 256)]
    assert list(tiles.new_tiles(0, 256)) == [(0, 0, 256), (1, 0, 1)]
    assert list(tiles.new_tiles(5, 5)) == []
    files = files_of(big, 70_000)
    assert len(files["tile/0/000"]) == 8192
    first = merkle.root_of(big.nodes(0, at) for at in range(256))
    assert files["tile/1/000"][:32] == first == big.nodes(8, 0)


@given(st.integers(0, 70_000), st.integers(0, 70_000))
def test_growing_in_steps_writes_the_same_files_as_at_once(one, other):
    old, new = sorted((one, other))
    at_once = set(tiles.new_tiles(0, new))
    grown = {*tiles.new_tiles(0, old), *tiles.new_tiles(old, new)}
    assert at_once <= grown
    assert all(width < 256 for _, _, width in grown - at_once)


def test_proofs_out_of_tiles_equal_those_out_of_memory(big):
    for size in (1, 255, 256, 257, 512, 65_535, 65_536, 65_793, 70_000):
        files, root = files_of(big, size), big.root(size)
        source = tiles.TileReader(reader(files), size, root, capacity=3)
        assert merkle.root(size, source.nodes) == root
        for index in {0, size // 3, size - 1}:
            proof = merkle.inclusion_proof(index, size, source.nodes)
            assert proof == merkle.inclusion_proof(index, size, big.nodes)
            merkle.verify_inclusion(big.nodes(0, index), index, size, proof, root)
        for old in {1, size // 2, size}:
            assert merkle.consistency_proof(old, size, source.nodes) == merkle.consistency_proof(
                old, size, big.nodes
            )


def test_a_partial_tile_that_is_gone_is_read_from_the_full_one(big):
    files = files_of(big, 70_000)
    old = {path: data for path, data in files.items() if ".p/" not in path}
    source = tiles.TileReader(reader(old), 65_600)
    with pytest.raises(tiles.TileMissing):
        merkle.root(source.size, source.nodes)
    old["tile/1/001"] = files["tile/1/001.p/17"] + bytes(32 * 239)
    old["tile/2/000"] = files["tile/2/000.p/1"] + bytes(32 * 255)
    source = tiles.TileReader(reader(old), 65_600, big.root(65_600))
    index = 65_599
    proof = merkle.inclusion_proof(index, 65_600, source.nodes)
    merkle.verify_inclusion(big.nodes(0, index), index, 65_600, proof, big.root(65_600))


@given(st.data())
def test_any_flipped_bit_in_a_tile_is_detected_before_a_hash_is_given(big, data):
    size = data.draw(st.sampled_from([300, 600, 66_000]))
    files, root = files_of(big, size), big.root(size)
    path = data.draw(st.sampled_from(sorted(files)))
    bit = data.draw(st.integers(0, len(files[path]) * 8 - 1))
    changed = bytearray(files[path])
    changed[bit // 8] ^= 1 << bit % 8
    files[path] = bytes(changed)
    level = int(path.split("/")[1])
    first = int("".join(c for c in path.split("/", 2)[2].split(".")[0] if c.isdigit())) * 256
    with pytest.raises(tiles.TileForged):
        tiles.TileReader(reader(files), size, root).nodes(8 * level, first)


def test_tiles_of_wrong_length_and_nodes_outside_are_refused(big):
    files, root = files_of(big, 300), big.root(300)
    for wrong in (b"", files["tile/0/001.p/44"][:-1], files["tile/0/001.p/44"] + b"x"):
        broken = files | {"tile/0/001.p/44": wrong}
        with pytest.raises(tiles.BadTile):
            tiles.TileReader(reader(broken), 300, root)
    source = tiles.TileReader(reader(files), 300, root)
    for level, index in ((0, 300), (8, 1), (9, 0), (-1, 0), (0, -1), (80, 0)):
        with pytest.raises(merkle.OutOfRange):
            source.nodes(level, index)


@given(st.lists(st.binary(max_size=300), max_size=256))
def test_entry_bundles_read_back(entries):
    data = tiles.encode_entries(entries)
    assert tiles.parse_entries(data, len(entries)) == tuple(entries)
    for width in (len(entries) - 1, len(entries) + 1):
        with pytest.raises(tiles.BadTile):
            tiles.parse_entries(data, width)
    with pytest.raises(tiles.BadTile):
        tiles.parse_entries(data + b"\x00", len(entries))


def test_entry_bundles_have_the_bytes_of_the_specification():
    assert tiles.encode_entries([b"ab", b"", b"c" * 258]) == b"\0\2ab\0\0\1\2" + b"c" * 258
    assert len(tiles.encode_entries([bytes(65_535)])) == 65_537
    with pytest.raises(tiles.EntryTooLarge):
        tiles.encode_entries([bytes(65_536)])
    with pytest.raises(merkle.OutOfRange):
        tiles.encode_entries([b""] * 257)
    with pytest.raises(tiles.BadTile):
        tiles.parse_entries(b"\0\5abc", 1)

# SPDX-License-Identifier: Apache-2.0
"""The files of the log: C2SP tlog-tiles byte for byte, immutable, rebuildable."""

import shutil
import stat
import struct

import pytest

from lingqu.trust import log as trust_log
from lingqu.trust.log.tiles import LeafAltered, TilesDamaged
from lingqu_verify import history, merkle, notes, tiles


def bodies(world):
    rows = world.sql(
        "SELECT f.body FROM trust.log_leaf l JOIN trust.fact f ON f.id = l.fact ORDER BY l.index"
    )
    return [body.encode() for (body,) in rows]


def expected_files(entries):
    """The files of a log of these entries, computed the long way (C2SP tlog-tiles)."""
    files, level, row = {}, 0, [merkle.leaf_hash(entry) for entry in entries]
    while row:
        for index in range(0, len(row), 256):
            number, part = index // 256, row[index : index + 256]
            name = f"{number:03}" if len(part) == 256 else f"{number:03}.p/{len(part)}"
            files[f"tile/{level}/{name}"] = b"".join(part)
            if level == 0:
                bundle = entries[index : index + 256]
                files[f"tile/entries/{name}"] = b"".join(
                    struct.pack(">H", len(entry)) + entry for entry in bundle
                )
        above = []
        for index in range(0, len(row) - 255, 256):
            part = row[index : index + 256]
            while len(part) > 1:
                part = [merkle.node_hash(a, b) for a, b in zip(part[::2], part[1::2], strict=True)]
            above += part
        level, row = level + 1, above
    return files


@pytest.mark.parametrize("size", [1, 2, 255, 256, 257, 600])
def test_the_files_are_those_of_the_specification_byte_for_byte(world, size):
    world.add(size)
    world.sequencer().step()
    files = world.files()
    note = notes.verify_checkpoint(files.pop("checkpoint"), [world.key.verifier])
    assert note.checkpoint.extensions == ("suite ed25519-sha256",)
    assert (note.checkpoint.origin, note.checkpoint.size) == (world.log.origin, size)
    assert files == expected_files(bodies(world))
    assert note.checkpoint.root == merkle.root_of(map(merkle.leaf_hash, bodies(world)))


def test_a_log_that_grew_in_steps_has_the_same_full_tiles_and_its_checkpoints_partial_ones(world):
    sequencer, sizes = world.sequencer(), []
    for count in (3, 200, 60, 1, 250, 40):
        world.add(count)
        sequencer.step()
        sizes.append(sum(sizes[-1:]) + count)
    files = world.files()
    del files["checkpoint"]
    wanted = expected_files(bodies(world))
    for size in sizes:
        # Partial tiles of older checkpoints stay until the full tile is there.
        for name, data in expected_files(bodies(world)[:size]).items():
            whole = name.partition(".p/")[0]
            if whole not in wanted:
                wanted[name] = data
    assert files == wanted


def test_a_stranger_verifies_the_whole_log_from_its_files(world):
    world.add(520, rows=1)
    world.sequencer().step()
    first = world.folder.published()
    world.add(30)
    world.sequencer().step()
    read = history.open_source(str(world.folder.path))
    report = history.verify_log(read, keys=[world.key.verifier], older=[first])
    assert (report.size, report.older) == (550, (520,))


def test_files_are_readable_by_a_web_server_and_no_temporary_one_stays(world):
    world.add(2)
    world.sequencer().step()
    for path in world.folder.path.rglob("*"):
        mode = stat.S_IMODE(path.stat().st_mode)
        assert mode == (0o755 if path.is_dir() else 0o644), path
    assert not list((world.folder.path / ".new").iterdir())


def test_a_rebuilt_folder_equals_the_original(world):
    sequencer = world.sequencer()
    for count in (5, 251, 300, 7, 1):
        world.add(count)
        sequencer.step()
    before = world.files()
    for damage in ("tile/0/000", "tile/entries/002.p/52", "tile/1/000.p/2"):
        path = world.folder.path / damage
        path.write_bytes(path.read_bytes()[:-1] + b"!")
    (world.folder.path / "tile/0/001").unlink()
    (world.folder.path / "checkpoint").unlink()
    assert trust_log.rebuild(world.database, world.folder, world.log) == 564
    assert world.files() == before
    world.add(3)
    assert sequencer.step().signed


def test_a_tile_that_is_there_with_another_content_is_a_refusal(world):
    sequencer = world.sequencer()
    world.add(10)
    sequencer.step()
    world.add(5)
    place = world.folder.path / "tile/0/000.p/15"
    place.write_bytes(bytes(15 * 32))
    with pytest.raises(TilesDamaged) as caught:
        sequencer.step()
    assert caught.value.parameters["path"] == "tile/0/000.p/15"
    place.unlink()
    assert sequencer.step().signed


def test_a_damaged_edge_is_noticed_before_anything_is_signed(world):
    sequencer = world.sequencer()
    world.add(256 * 2)
    sequencer.step()
    place = world.folder.path / "tile/1/000.p/2"
    place.write_bytes(bytes(64))
    world.add(256)
    with pytest.raises((TilesDamaged, trust_log.LogForked)):
        sequencer.step()
    assert notes.Note.parse(world.folder.published()).text.split("\n")[1] == "512"
    (world.folder.path / "tile/1/000.p/3").unlink(missing_ok=True)
    trust_log.rebuild(world.database, world.folder, world.log)
    assert sequencer.step().signed


def test_a_fact_changed_before_its_checkpoint_is_not_signed(world):
    world.add(3)
    sequencer = world.sequencer()
    sequencer.step(publish=False)
    world.sql(
        "UPDATE trust.fact SET body = replace(body, '\"real\"', '\"xeal\"') WHERE ordinal = 1"
    )
    with pytest.raises(LeafAltered) as caught:
        sequencer.step()
    assert caught.value.parameters["index"] == 1
    assert world.folder.published() is None


def test_a_lost_folder_is_written_anew_and_goes_on(world):
    sequencer = world.sequencer()
    world.add(300)
    sequencer.step()
    before = world.files()
    shutil.rmtree(world.logs)
    world.add(1)
    assert sequencer.step().signed
    after = world.files()
    assert after["tile/0/000"] == before["tile/0/000"]
    with world.database.reading() as tx:
        proof = trust_log.consistency(tx, world.logs, world.log.origin, old=300, new=301)
    old, new = (notes.Note.parse(f["checkpoint"]).text for f in (before, after))
    old, new = notes.Checkpoint.parse(old), notes.Checkpoint.parse(new)
    merkle.verify_consistency(300, 301, proof, old.root, new.root)


def test_tile_paths_agree_with_the_reader_of_the_verifier(world):
    world.add(700)
    world.sequencer().step()
    reader = tiles.TileReader(world.folder.read, 700)
    tree = merkle.Tree(map(merkle.leaf_hash, bodies(world)))
    assert merkle.root(700, reader.nodes) == tree.root()

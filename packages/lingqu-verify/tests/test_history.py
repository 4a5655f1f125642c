# SPDX-License-Identifier: Apache-2.0
"""A whole log verified from its files: from a folder and over HTTP, and every damage named."""

from __future__ import annotations

import functools
import http.server
import shutil
import subprocess
import sys
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lingqu_verify import entries, history, merkle, notes, tiles
from lingqu_verify.errors import VerificationError

SIZES = (0, 1, 255, 256, 257, 300)


@pytest.fixture(scope="module")
def folder(world, tmp_path_factory):
    made = tmp_path_factory.mktemp("log")
    world.write(made)
    return made


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args):
        pass


@pytest.fixture(scope="module")
def url(folder):
    handler = functools.partial(Quiet, directory=folder)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}/"
        server.shutdown()
        thread.join()


def files_of(folder):
    paths = [path for path in folder.rglob("*") if path.is_file()]
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(paths)}


def reader(files):
    def read(path: str) -> bytes:
        try:
            return files[path]
        except KeyError:
            raise FileNotFoundError(path) from None

    return read


@pytest.mark.parametrize("size", SIZES)
def test_logs_of_every_kind_of_edge_verify(world, tmp_path, size):
    world.write(tmp_path, size)
    older = [world.checkpoint(old) for old in SIZES if old <= size]
    report = history.verify_log(history.open_source(str(tmp_path)), keys=[world.key], older=older)
    assert (report.origin, report.size, report.root) == (
        world.key.name,
        size,
        world.tree.root(size),
    )
    assert report.older == tuple(old for old in SIZES if old <= size)
    assert sum(count for _, count in report.kinds) == size
    assert report.warnings == ("no_witness",)


def test_a_log_of_three_levels_verifies(worlds, tmp_path):
    big = worlds(66_000)
    big.write(tmp_path)
    seen: list[tuple[int, int]] = []
    report = history.verify_log(
        history.open_source(str(tmp_path)),
        keys=[big.key],
        older=[big.checkpoint(65_536), big.checkpoint(40_000)],
        progress=lambda done, total: seen.append((done, total)),
    )
    assert report.size == 66_000
    assert seen[-1] == (66_000, 66_000)
    (tmp_path / tiles.tile_path(1, 0)).unlink()
    with pytest.raises(tiles.TileMissing):
        history.verify_log(history.open_source(str(tmp_path)), keys=[big.key])


MEASURED = """
import sys, tracemalloc
from lingqu_verify import history
read = history.open_source(sys.argv[1])
tracemalloc.start()
history.verify_log(read, keys=[sys.argv[2]])
print(tracemalloc.get_traced_memory()[1])
"""


def test_memory_does_not_grow_with_the_log(worlds, tmp_path):
    big = worlds(8_192)
    big.write(tmp_path)
    size = sum(path.stat().st_size for path in tmp_path.rglob("*") if path.is_file())
    # In a process of its own: whatever else a test run allocates meanwhile must not count.
    done = subprocess.run(
        [sys.executable, "-c", MEASURED, str(tmp_path), str(big.key)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert int(done.stdout) < 1_500_000 < size / 2


def test_a_log_verifies_over_http(world, url):
    report = history.verify_log(history.open_source(url), keys=[str(world.key)])
    assert report.root == world.tree.root()
    with pytest.raises(tiles.TileMissing):
        history.verify_log(history.open_source(url + "nowhere"), keys=[world.key])


def test_a_source_that_cannot_be_read_is_named(tmp_path, world):
    (tmp_path / "checkpoint").mkdir()
    for location in (str(tmp_path), "http://127.0.0.1:1", "http://[", "https://\x00"):
        with pytest.raises(history.SourceUnreadable):
            history.verify_log(history.open_source(location), keys=[world.key])
    for location in (str(tmp_path / "nowhere"), "checkpoint"):
        with pytest.raises(tiles.TileMissing):
            history.verify_log(history.open_source(location), keys=[world.key])


@given(data=st.data())
def test_any_flipped_bit_in_any_file_of_a_log_is_detected(world, folder, data):
    files = files_of(folder)
    path = data.draw(st.sampled_from(sorted(files)))
    bit = data.draw(st.integers(0, len(files[path]) * 8 - 1))
    raw = bytearray(files[path])
    raw[bit // 8] ^= 1 << bit % 8
    with pytest.raises(VerificationError):
        history.verify_log(reader(files | {path: bytes(raw)}), keys=[world.key])


def test_any_missing_file_is_named(world, folder):
    files = files_of(folder)
    for path in files:
        left = {name: data for name, data in files.items() if name != path}
        with pytest.raises(tiles.TileMissing):
            history.verify_log(reader(left), keys=[world.key])


def test_a_full_file_serves_for_a_partial_one_that_is_gone(worlds, tmp_path):
    grown = worlds(512)
    grown.write(tmp_path)
    (tmp_path / "checkpoint").write_text(str(grown.checkpoint(300)), encoding="utf-8")
    partial = tmp_path / tiles.tile_path(1, 0, 1)
    partial.write_bytes(tiles.tile_data(1, 0, 1, grown.tree.nodes))
    report = history.verify_log(history.open_source(str(tmp_path)), keys=[grown.key])
    assert report.size == 300


def test_a_rewritten_history_is_found_by_whoever_kept_a_checkpoint(world, worlds, tmp_path):
    kept = world.checkpoint(200)
    rewritten = worlds(300, salt="rewritten")
    rewritten.write(tmp_path)
    read = history.open_source(str(tmp_path))
    assert history.verify_log(read, keys=[world.key]).size == 300
    with pytest.raises(history.LogForked):
        history.verify_log(read, keys=[world.key], older=[kept])
    nothing = notes.Checkpoint(origin=world.key.name, size=0, root=bytes(32))
    older = [notes.sign_checkpoint(nothing, [world.signer])]
    with pytest.raises(history.LogForked):
        history.verify_log(read, keys=[world.key], older=older)
    shutil.rmtree(tmp_path)
    world.write(tmp_path, 150)
    with pytest.raises(history.LogShrank):
        history.verify_log(read, keys=[world.key], older=[kept])


def test_entries_that_do_not_add_up_to_the_signed_root_are_refused(world, worlds, tmp_path):
    worlds(300, salt="rewritten").write(tmp_path)
    (tmp_path / "checkpoint").write_text(str(world.checkpoint()), encoding="utf-8")
    with pytest.raises(history.RootDiffers):
        history.verify_log(history.open_source(str(tmp_path)), keys=[world.key])


def test_an_entry_that_is_not_one_is_named_by_its_position(world):
    texts = [*world.entries[:3], b"{}"]
    tree = merkle.Tree(map(merkle.leaf_hash, texts))
    checkpoint = notes.Checkpoint(origin=world.key.name, size=4, root=tree.root())
    files = {
        "checkpoint": str(notes.sign_checkpoint(checkpoint, [world.signer])).encode(),
        "tile/entries/000.p/4": tiles.encode_entries(texts),
        "tile/0/000.p/4": tiles.tile_data(0, 0, 4, tree.nodes),
    }
    with pytest.raises(entries.BadEntry) as caught:
        history.verify_log(reader(files), keys=[world.key])
    assert str(caught.value.parameters["field"]).startswith("#3")

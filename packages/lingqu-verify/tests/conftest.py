# SPDX-License-Identifier: Apache-2.0
"""A small log to verify: its key, entries with salted rows, tree, checkpoints, files, bundles."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import hypothesis
import pytest

from lingqu_verify import bundles, entries, merkle, notes, tiles

ORIGIN = "log.example/qinzhou"

# Everyday runs try some cases of what holds for all, the full matrix tries many.
hypothesis.settings.register_profile("some", max_examples=30, deadline=None)
hypothesis.settings.register_profile("many", max_examples=300, deadline=None)
hypothesis.settings.load_profile("many" if os.environ.get("FULL_MATRIX") else "some")


@dataclass(frozen=True)
class World:
    """A log of `size` entries, and what one does with it."""

    signer: notes.SignerKey
    entries: tuple[bytes, ...]
    contents: tuple[tuple[bytes, bytes], ...]  # salt and content of each entry's first row
    tree: merkle.Tree

    @property
    def key(self) -> notes.VerifierKey:
        return self.signer.verifier

    @property
    def size(self) -> int:
        return self.tree.size

    def checkpoint(self, size: int | None = None) -> notes.Note:
        wanted = self.size if size is None else size
        root = self.tree.root(wanted)
        made = notes.Checkpoint(origin=ORIGIN, size=wanted, root=root)
        return notes.sign_checkpoint(made, [self.signer])

    def leaf(self, index: int) -> bundles.Leaf:
        proof = merkle.inclusion_proof(index, self.size, self.tree.nodes)
        return bundles.Leaf(index=index, entry=self.entries[index], proof=proof)

    def consistency(self, old: int) -> bundles.Consistency:
        proof = merkle.consistency_proof(old, self.size, self.tree.nodes)
        return bundles.Consistency(size=old, root=self.tree.root(old), proof=proof)

    def disclosure(self, index: int) -> bundles.Disclosure:
        salt, content = self.contents[index]
        return bundles.Disclosure(index=index, row=0, salt=salt, content=content)

    def write(self, folder: Path, size: int | None = None) -> None:
        """The log's static files as tlog-tiles has them."""
        wanted = self.size if size is None else size
        for level, index, width in tiles.new_tiles(0, wanted):
            path = folder / tiles.tile_path(level, index, width)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(tiles.tile_data(level, index, width, self.tree.nodes))
            if level == 0:
                path = folder / tiles.entries_path(index, width)
                path.parent.mkdir(parents=True, exist_ok=True)
                held = self.entries[index * 256 : index * 256 + width]
                path.write_bytes(tiles.encode_entries(held))
        (folder / "checkpoint").write_text(str(self.checkpoint(wanted)), encoding="utf-8")


def seed(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()


def make_world(size: int, *, clock: str = "real", salt: str = "") -> World:
    texts, contents = [], []
    for at in range(size):
        secret = seed(f"salt {salt} {at}")
        content = entries.encode_content(
            table="trust.party", key=f"pty_{at}", version=1, shape=1, row={"name": f"甲方{at}"}
        )
        row = entries.Row(
            table="trust.party",
            key=f"pty_{at}",
            version=1,
            shape=1,
            digest=entries.digest(secret, content),
        )
        entry = entries.Entry(
            fact=f"fct_{at}",
            kind="trust.party.registered" if at % 3 else "trust.account.opened",
            ordinal=0,
            at=f"2026-11-21T04:00:00.{at % 1_000_000:06}Z",
            command=f"cmd_{at}",
            command_name="trust.party.register",
            request=seed(f"request {at}").hex(),
            actor="acc_1",
            rules="2026-11",
            clock=clock,
            data={"party": f"pty_{at}", "note": "〈钦州市某单位〉（演示）"},
            rows=(row,),
        )
        texts.append(entry.encode())
        contents.append((secret, content))
    tree = merkle.Tree(map(merkle.leaf_hash, texts))
    signer = notes.SignerKey(name=ORIGIN, seed=seed("log key"))
    return World(signer=signer, entries=tuple(texts), contents=tuple(contents), tree=tree)


@pytest.fixture(scope="session")
def worlds() -> Callable[..., World]:
    return make_world


@pytest.fixture(scope="session")
def world() -> World:
    return make_world(300)


@pytest.fixture(scope="session")
def witness_key() -> notes.SignerKey:
    return notes.SignerKey(
        name="witness.example/w1", seed=seed("witness key"), algorithm=notes.COSIGNATURE
    )

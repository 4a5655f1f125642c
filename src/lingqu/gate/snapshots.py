# SPDX-License-Identifier: Apache-2.0
"""快照 snapshots: which packed file answers for a product, since when, and from which tables.

A snapshot is built outside of any transaction and published by one command: from that instant new
calls are answered from it, while windows already being answered finish on the one before. The key
its subjects are hashed by belongs to the product, is the same for all its snapshots, and is kept
sealed by the keyring.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass

from lingqu import trust
from lingqu.gate.datasets import BuiltCube, publish_cubes
from lingqu.gate.policies import Form, Policy, read_policy
from lingqu.gate.products import (
    PRODUCTS,
    Product,
    ProductId,
    ProductWithdrawn,
    SnapshotId,
    lock_product,
)
from lingqu.kernel import canon, errors
from lingqu.kernel.time import Instant
from lingqu.kernel.values import from_plain, to_plain
from lingqu.runtime import REAL_TIME, Tx, new_id
from lingqu.runtime.keys import KeyExists, KeyId, Keyring, UnknownKey

KEY_PURPOSE = "gate"
"""The purpose in the keyring under which product keys are sealed."""
_DIGEST_LENGTH = 64


class SnapshotNotFound(errors.NotFound):
    """There is no such snapshot."""

    code = "gate.snapshot.not_found"


class BuiltOnOld(errors.Conflict):
    """The product changed while the snapshot was built: another policy, or another key."""

    code = "gate.snapshot.built_on_old"


class BadSnapshot(errors.Rejected):
    """What was built is described wrongly."""

    code = "gate.snapshot.bad"


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceVersion:
    """Which version of a resource's table a snapshot was built from, and its state of things."""

    resource: str
    version: int
    as_of: Instant


@dataclass(frozen=True, slots=True, kw_only=True)
class BuiltSnapshot:
    """A packed file in its folder, ready to be published. `key` is the sealed key of the product.

    `skipped` counts rows whose key did not have the declared shape; `cubes` are those of a query
    product.
    """

    edition: int
    digest: str
    bytes: int
    records: int
    skipped: int
    sources: tuple[SourceVersion, ...]
    key: str
    cubes: tuple[BuiltCube, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """A published snapshot; `sources` is canonical JSON, `policy` the one it was built with."""

    id: SnapshotId
    product: ProductId
    edition: int
    policy: str
    digest: str
    bytes: int
    records: int
    skipped: int
    sources: str
    as_of: Instant
    published_at: Instant
    version: int = 1


SNAPSHOTS = trust.Table("gate.snapshot", Snapshot, not_found=SnapshotNotFound)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProductKey:
    """The key of a product's hashes, sealed; `sealed` is hex."""

    product: ProductId
    sealed: str
    version: int = 1


KEYS = trust.Table("gate.product_key", ProductKey, key="product", private=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotPublished(trust.Fact):
    """From now on a product answers from this snapshot."""

    kind = "gate.snapshot.published"
    snapshot: SnapshotId
    product: ProductId
    edition: int
    digest: str
    records: int
    skipped: int
    sources: tuple[SourceVersion, ...]


@trust.command("gate.snapshot.publish")
def publish_snapshot(
    tx: Tx, *, snapshot: SnapshotId, product: ProductId, built: BuiltSnapshot
) -> Snapshot:
    """This will let a product answer from a snapshot that was built for its present edition.

    Raises ProductNotFound, ProductWithdrawn, BuiltOnOld, BadSnapshot, IdTaken, OtherGrid,
    DatasetMoved.
    """
    held = lock_product(tx, product)
    trust.authorize(tx, trust.Action.CHANGE, trust.Kind.PRODUCT, owner=held.owner)
    if len(built.digest) != _DIGEST_LENGTH or not built.sources or built.records < 0:
        raise BadSnapshot(product=product)
    known = KEYS.find(tx, "WHERE product = %s", (product,))
    if built.edition != held.edition or (known and known[0].sealed != built.key):
        raise BuiltOnOld(product=product, edition=held.edition)
    if not known:
        KEYS.insert(tx, ProductKey(product=product, sealed=built.key))
    publish_cubes(tx, built.cubes)
    made = Snapshot(
        id=snapshot,
        product=product,
        edition=built.edition,
        policy=held.policy,
        digest=built.digest,
        bytes=built.bytes,
        records=built.records,
        skipped=built.skipped,
        sources=canon.encode(to_plain(built.sources)).decode(),
        as_of=min(one.as_of for one in built.sources),
        published_at=tx.now,
    )
    SNAPSHOTS.insert(tx, made)
    PRODUCTS.update(tx, held, snapshot=snapshot)
    trust.record(
        tx,
        SnapshotPublished(
            snapshot=snapshot,
            product=product,
            edition=built.edition,
            digest=built.digest,
            records=built.records,
            skipped=built.skipped,
            sources=built.sources,
        ),
    )
    return made


def check_may_publish(tx: Tx, product: Product) -> None:
    """This will refuse, before anything is built, whom publishing would refuse.

    Raises AccessDenied, ProductWithdrawn.
    """
    trust.authorize(tx, trust.Action.CHANGE, trust.Kind.PRODUCT, owner=product.owner)
    if product.withdrawn_at is not None:
        raise ProductWithdrawn(product=product.id)


def find_snapshot(tx: Tx, snapshot: SnapshotId) -> Snapshot | None:
    """This will read one snapshot's description, None where there is none."""
    found = SNAPSHOTS.find(tx, "WHERE id = %s", (snapshot,))
    return found[0] if found else None


def get_snapshot(tx: Tx, snapshot: SnapshotId) -> Snapshot:
    """This will read one snapshot's description. Raises SnapshotNotFound."""
    return SNAPSHOTS.get(tx, snapshot)


def find_snapshots(tx: Tx, product: ProductId) -> tuple[Snapshot, ...]:
    """This will list the snapshots of a product, newest first."""
    return SNAPSHOTS.find(tx, "WHERE product = %s ORDER BY id DESC LIMIT 200", (product,))


def read_sources(snapshot: Snapshot) -> tuple[SourceVersion, ...]:
    """This will give the tables a snapshot was built from."""
    return tuple(from_plain(SourceVersion, one) for one in canon.decode(snapshot.sources))


def snapshot_policy(product: Product, snapshot: Snapshot) -> Policy:
    """This will give the policy a snapshot answers under."""
    return read_policy(Form(product.form), snapshot.policy)


def find_sealed_key(tx: Tx, product: ProductId) -> str | None:
    """This will give the sealed key of a product, None before its first snapshot."""
    found = KEYS.find(tx, "WHERE product = %s", (product,))
    return found[0].sealed if found else None


def open_key(keyring: Keyring, product: str, sealed: str) -> bytes:
    """This will open the key of a product or of a dataset. Raises UnknownKey, SealBroken."""
    try:
        return keyring.unseal(bytes.fromhex(sealed), about=product)
    except UnknownKey:
        # Another process sealed it, under a key that was made after this ring was read.
        keyring.reload()
        return keyring.unseal(bytes.fromhex(sealed), about=product)


def domain_key(keyring: Keyring) -> bytes:
    """This will give the key under which keys of governed copies are hashed, one for all of them.

    So what is equal in two tables stays equal, and is joined. Raises NoKey before anything was
    sealed.
    """
    if not keyring.all(KEY_PURPOSE):
        keyring.reload()
    return keyring.derive(KEY_PURPOSE, about="entity domain")


def seal_key(keyring: Keyring, product: str, key: bytes) -> str:
    """This will seal a new key of a product or a dataset; ours above it is made when needed."""
    if not keyring.all(KEY_PURPOSE):
        with contextlib.suppress(KeyExists):
            keyring.create(KEY_PURPOSE, at=REAL_TIME.now(), key_id=new_id(KeyId))
    return keyring.seal(KEY_PURPOSE, key, about=product).hex()

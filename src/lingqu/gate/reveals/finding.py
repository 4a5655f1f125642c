# SPDX-License-Identifier: Apache-2.0
"""Finds what can be learnt of a dataset: the ways each column is told, and the limits together."""

from __future__ import annotations

import enum
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from lingqu import rights, trust
from lingqu.gate import answers, datasets
from lingqu.gate.governance import Mode, QueryPolicy, Role
from lingqu.gate.policies import CountPolicy, Form, OpenFilePolicy, Policy, find_columns
from lingqu.gate.predicates import Predicate, VerificationPolicy
from lingqu.gate.products import PRODUCTS, Product, ProductId, get_product, policy_of
from lingqu.kernel import errors
from lingqu.runtime import Tx

PRODUCTS_MOST = 200
DELTA_EXPONENT = 6
"""Epsilon is given at a delta of ten to the minus this."""


class Way(enum.Enum):
    """How a column can be learnt of."""

    EXISTS = "exists"
    """Whether a known subject is in the data."""
    CONFIRMED = "confirmed"
    """Whether a value somebody names is that of a known subject."""
    COMPARED = "compared"
    """In which declared band, or on which side of a declared bound, a known subject lies."""
    SHOWN = "shown"
    """Shown as evidence of a change."""
    COUNTED = "counted"
    """How many different ones there are in a group."""
    GRID = "grid"
    """Grouped and filtered by, on its published grid."""
    SUMMED = "summed"
    """Added up over a group."""
    NOISE = "noise"
    """A filter of answers under noise."""
    OPEN = "open"
    """In a file for everyone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnTold:
    """One column, and every way in which products tell of it; `names` what queries call it."""

    resource: str
    column: str
    ways: tuple[Way, ...]
    products: tuple[ProductId, ...]

    @property
    def is_linked(self) -> bool:
        """Whether it is told of known subjects and of groups as well."""
        one = {Way.CONFIRMED, Way.COMPARED} & {*self.ways}
        return bool(one) and bool({Way.GRID, Way.SUMMED, Way.NOISE} & {*self.ways})


@dataclass(frozen=True, slots=True, kw_only=True)
class ProductTold:
    """One product over the dataset; `holders` with living grants, None for who may not know."""

    product: ProductId
    title: str
    form: Form
    holders: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Live:
    """What stands behind the figures now: who could put things together, and what was told.

    `isolating` counts answers which together with those of others isolate a part without a whole
    block; None where nothing was published. Budgets are in millionths of rho.
    """

    holders: int
    answers: int
    organizations: int
    isolating: int
    is_cut: bool
    spent: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetTold:
    """What all products over one resource allow, alone and together.

    `tries` is how many different questions about one subject one buyer may ask in `days`, None
    without limit, 0 where none can be asked. `threshold` is the least of the groups, 0 where there
    are none; `cells` and `blocks` are those published, 0 before. `rho_each` and `rho_most` bound
    what one organisation, and all of them, may spend under noise.
    """

    resource: str
    products: tuple[ProductTold, ...]
    columns: tuple[ColumnTold, ...]
    tries: int | None
    days: int
    threshold: int
    cells: int
    blocks: int
    is_ad_hoc: bool
    rho_each: int
    rho_most: int
    live: Live | None

    @property
    def linked(self) -> tuple[str, ...]:
        """Columns that are told of known subjects and of groups as well."""
        return tuple(one.column for one in self.columns if one.is_linked)

    @property
    def rho_together(self) -> int:
        """What the holders there are may spend together."""
        holders = 1 if self.live is None else max(1, self.live.holders)
        return min(self.rho_each * holders, self.rho_most)


@dataclass(frozen=True, slots=True, kw_only=True)
class Revealed:
    """What can be learnt from a product, dataset by dataset."""

    product: ProductId
    datasets: tuple[DatasetTold, ...]


def epsilon_of(rho: int) -> int:
    """This will give the epsilon of a budget at the declared delta, in hundredths, rounded up."""
    if not rho:
        return 0
    share = rho / 1_000_000
    return math.ceil(100 * (share + 2 * math.sqrt(share * DELTA_EXPONENT * math.log(10))))


def reveal_product(tx: Tx, *, product: ProductId, folder: Path) -> Revealed:
    """This will say what can be learnt from a product and all others over the same resources.

    Policies are public; how many buyers there are and what was told so far is for whoever may see
    the grant the product stands on. Raises ProductNotFound.
    """
    found = get_product(tx, product)
    is_inside = _may_see(tx, found)
    resources = sorted({resource for resource, _ in find_columns(policy_of(found))})
    return Revealed(
        product=product,
        datasets=tuple(
            _dataset(tx, resource, folder, is_inside=is_inside) for resource in resources
        ),
    )


def _may_see(tx: Tx, product: Product) -> bool:
    try:
        rights.get_grant(tx, product.grant_id)
    except (errors.NotFound, trust.AccessDenied):
        return False
    return True


def _dataset(tx: Tx, resource: str, folder: Path, *, is_inside: bool) -> DatasetTold:
    named = PRODUCTS.find(
        tx,
        "WHERE withdrawn_at IS NULL AND position(%s IN policy) > 0 ORDER BY id LIMIT %s",
        (resource, PRODUCTS_MOST),
    )
    every = ((one, policy_of(one)) for one in named)
    products = [
        (one, policy)
        for one, policy in every
        if any(of == resource for of, _ in find_columns(policy))
    ]
    policies = [policy for _, policy in products]
    holders = {one.id: _holders(tx, one) for one, _ in products} if is_inside else {}
    opened = _open_cube(tx, resource, folder, policies)
    terms = [one.dp for one in policies if isinstance(one, QueryPolicy) and one.dp is not None]
    limits = [one.enumeration for one in policies if isinstance(one, VerificationPolicy)]
    bounded = [one for one in limits if one is not None]
    return DatasetTold(
        resource=resource,
        products=tuple(
            ProductTold(
                product=one.id,
                title=one.title,
                form=one.form,
                holders=len(holders[one.id]) if is_inside else None,
            )
            for one, _ in products
        ),
        columns=_columns(resource, products),
        tries=sum(one.values for one in bounded) if len(bounded) == len(limits) else None,
        days=max((one.days for one in bounded), default=0),
        threshold=min(_thresholds(resource, policies), default=0),
        cells=0 if opened is None else len(opened.cells),
        blocks=0 if opened is None else len(opened.blocks.blocks),
        is_ad_hoc=any(Mode.AD_HOC in one.modes for one in policies if isinstance(one, QueryPolicy)),
        rho_each=max((one.organization_ceiling for one in terms), default=0),
        rho_most=max((one.dataset_ceiling for one in terms), default=0),
        live=_live(tx, resource, holders.values(), opened) if is_inside else None,
    )


_BELOW = """
    SELECT id, holder FROM rights.grant WHERE ancestors @> ARRAY[%s]::text[] ORDER BY id LIMIT 2000
"""
_ENDED = """
    SELECT g.id FROM rights.grant g JOIN rights.ending e ON e.grant_id = ANY(g.ancestors || g.id)
    WHERE g.id = ANY(%s)
"""


def _holders(tx: Tx, product: Product) -> frozenset[str]:
    """Who holds a grant below the product's that nobody ended."""
    below = {row["id"]: row["holder"] for row in tx.all(_BELOW, (product.grant_id,))}
    for row in tx.all(_ENDED, (list(below),)):
        below.pop(row["id"], None)
    return frozenset(below.values())


def _live(
    tx: Tx,
    resource: str,
    holders: Iterable[frozenset[str]],
    opened: datasets.OpenCube | None,
) -> Live:
    together = None if opened is None else answers.put_together(tx, opened)
    return Live(
        holders=len(frozenset[str]().union(*holders)),
        answers=0 if together is None else together.answers,
        organizations=0 if together is None else together.organizations,
        isolating=0 if together is None else together.isolating,
        is_cut=together is not None and together.is_cut,
        spent=answers.budgets.find_spent(tx, resource),
    )


def _open_cube(
    tx: Tx, resource: str, folder: Path, policies: Iterable[Policy]
) -> datasets.OpenCube | None:
    """The newest cube of the dataset, under a policy that describes its table."""
    dataset = datasets.find_datasets(tx, [resource]).get(resource)
    tables = (
        datasets.widen(one, table)
        for one in policies
        if isinstance(one, QueryPolicy)
        for table in one.tables
        if table.resource == resource
    )
    table = next(tables, None)
    if dataset is None or table is None:
        return None
    return datasets.OpenCube(datasets.open_cube(folder, dataset.cube).cube, table)


def _thresholds(resource: str, policies: Iterable[Policy]) -> Iterator[int]:
    for one in policies:
        if isinstance(one, CountPolicy):
            yield one.threshold
        elif isinstance(one, QueryPolicy):
            for table in one.tables:
                if table.resource == resource and table.entity is not None:
                    yield table.threshold


def _columns(resource: str, products: Iterable[tuple[Product, Policy]]) -> tuple[ColumnTold, ...]:
    ways: dict[str, dict[Way, None]] = {}
    by: dict[str, dict[ProductId, None]] = {}
    for product, policy in products:
        for column, way in _ways(resource, policy):
            ways.setdefault(column, {})[way] = None
            by.setdefault(column, {})[product.id] = None
    return tuple(
        ColumnTold(resource=resource, column=one, ways=tuple(ways[one]), products=tuple(by[one]))
        for one in sorted(ways)
    )


def _ways(resource: str, policy: Policy) -> Iterator[tuple[str, Way]]:
    if isinstance(policy, VerificationPolicy):
        for predicate in policy.predicates:
            yield from _asked(resource, predicate)
    elif isinstance(policy, CountPolicy):
        yield policy.entity, Way.COUNTED
        for one in policy.dimensions:
            yield one, Way.GRID
    elif isinstance(policy, OpenFilePolicy):
        for one in policy.columns:
            yield one, Way.OPEN
    else:
        yield from _queried(resource, policy)


def _asked(resource: str, predicate: Predicate) -> Iterator[tuple[str, Way]]:
    measure = predicate.measure
    others = (measure.other,) if measure is not None and measure.other is not None else ()
    for one in (*predicate.yes, *predicate.once, *others):
        if one.resource != resource:
            continue
        yield one.key, Way.EXISTS
        if one.value is not None:
            yield one.value, Way.CONFIRMED if measure is None else Way.COMPARED
    for shown in predicate.evidence:
        if shown.resource == resource:
            for column in shown.columns:
                yield column, Way.SHOWN


def _queried(resource: str, policy: QueryPolicy) -> Iterator[tuple[str, Way]]:
    for table in policy.tables:
        if table.resource != resource:
            continue
        for one in table.columns:
            if one.role is Role.KEY:
                yield one.name, Way.COUNTED
            if one.grid is not None:
                yield one.name, Way.GRID
            if one.measure is not None:
                yield one.name, Way.SUMMED
            if Mode.DP in policy.modes and one.role is not Role.KEY and one.grid is None:
                yield one.name, Way.NOISE

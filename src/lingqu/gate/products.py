# SPDX-License-Identifier: Apache-2.0
"""产品 products: what is offered from granted columns, under a policy everyone concerned can read.

A product stands on a *product grant* of its operator: the columns its policy reads, and the
security level of their resources, must lie inside the effective terms. A buyer's grant is a child
of that grant. A new policy is a new edition; it takes effect with the next published snapshot.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lingqu import rights, supply, trust
from lingqu.gate.policies import (
    Form,
    Policy,
    check_policy,
    find_columns,
    read_policy,
    write_policy,
)
from lingqu.gate.predicates import BadPolicy
from lingqu.kernel import errors
from lingqu.kernel.ids import Id
from lingqu.kernel.paging import Page, PageRequest, cursor
from lingqu.kernel.time import Instant
from lingqu.runtime import Tx
from lingqu.runtime.looking import Look, Looked
from lingqu.trust import holds

TITLE_MAX = 100
SUMMARY_MAX = 2_000
CALL = "CALL"
"""The currency of the ledger that calls are counted in, one unit a subject."""
TERRITORY = "china"
ACTIONS = {
    Form.VERIFICATION: "use.verify",
    Form.COUNT: "use.query",
    Form.OPEN_FILE: "offer",
    Form.QUERY: "use.query",
}
"""Which action of the vocabulary a use of each form is."""
ENVIRONMENT = "domain.gate"
OPEN_LEVEL = 1
"""Only what has the lowest security level may be an open file."""


class ProductId(Id):
    """The id of one product."""

    prefix = "prd"


class SnapshotId(Id):
    """The id of one published snapshot of a product."""

    prefix = "snp"


class ProductNotFound(errors.NotFound):
    """There is no such product."""

    code = "gate.product.not_found"


class ProductWithdrawn(errors.Conflict):
    """The product was withdrawn and answers nothing."""

    code = "gate.product.withdrawn"


class BadProduct(errors.Rejected):
    """A text of the product is empty, too long or not printable."""

    code = "gate.product.bad"


class NotOperating(errors.Conflict):
    """Products are offered under an operating right (经营权), and this grant gives another."""

    code = "gate.product.not_operating"
    article = "数据产权登记工作指引（试行） 第三条"


class OutsideGrant(errors.Forbidden):
    """The policy reads a column, or a level, that the product's grant does not hold."""

    code = "gate.product.outside_grant"
    article = "《公共数据资源授权运营实施规范（试行）》（发改数据规〔2025〕27号）第九条"


@dataclass(frozen=True, slots=True, kw_only=True)
class Product:
    """A product as it is offered now; `policy` is canonical JSON, `edition` counts policies.

    `snapshot` is what answers calls, under the policy it was built with; None before the first.
    """

    id: ProductId
    grant_id: rights.GrantId
    owner: trust.PartyId
    form: Form
    title: str
    summary: str
    territory: str
    currency: str
    level: int
    policy: str
    edition: int
    snapshot: SnapshotId | None
    defined_at: Instant
    withdrawn_at: Instant | None = None
    version: int = 1


PRODUCTS = trust.Table("gate.product", Product, not_found=ProductNotFound)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProductDefined(trust.Fact):
    """A product was defined, or given another policy as its next edition."""

    kind = "gate.product.defined"
    product: ProductId
    grant: rights.GrantId
    owner: trust.PartyId
    form: Form
    edition: int
    columns: int
    level: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ProductWasWithdrawn(trust.Fact):
    """A product answers no more calls."""

    kind = "gate.product.withdrawn"
    product: ProductId


@trust.command("gate.product.define")
def define_product(
    tx: Tx,
    *,
    product: ProductId,
    grant: rights.GrantId,
    form: Form,
    title: str,
    summary: str,
    policy: Policy,
    territory: str = TERRITORY,
    currency: str = CALL,
) -> Product:
    """This will define a product of an operator under its product grant.

    Raises GrantNotFound, the refusal of a grant that is not alive, NotOperating, BadProduct,
    BadPolicy, OutsideGrant, Ungraded, ResourceNotFound, IdTaken.
    """
    held = rights.get_grant(tx, grant)
    holds.refuse_held(tx, subjects=held.subjects)
    trust.authorize(tx, trust.Action.CREATE, trust.Kind.PRODUCT, owner=held.holder)
    made = Product(
        id=product,
        grant_id=grant,
        owner=held.holder,
        form=form,
        title=_text(title, "title", TITLE_MAX),
        summary=_text(summary, "summary", SUMMARY_MAX),
        territory=_text(territory, "territory", TITLE_MAX),
        currency=_text(currency, "currency", TITLE_MAX),
        level=_check(tx, held, form, policy),
        policy=write_policy(policy),
        edition=1,
        snapshot=None,
        defined_at=tx.now,
    )
    PRODUCTS.insert(tx, made)
    _record_defined(tx, made, policy)
    return made


@trust.command("gate.product.revise")
def revise_product(tx: Tx, *, product: ProductId, policy: Policy) -> Product:
    """This will give a product another policy, in force with its next published snapshot.

    Raises ProductNotFound, ProductWithdrawn and what `define_product` refuses.
    """
    found = lock_product(tx, product)
    trust.authorize(tx, trust.Action.CHANGE, trust.Kind.PRODUCT, owner=found.owner)
    held = rights.get_grant(tx, found.grant_id)
    made = PRODUCTS.update(
        tx,
        found,
        level=_check(tx, held, found.form, policy),
        policy=write_policy(policy),
        edition=found.edition + 1,
    )
    _record_defined(tx, made, policy)
    return made


@trust.command("gate.product.withdraw")
def withdraw_product(tx: Tx, *, product: ProductId) -> Product:
    """This will stop a product from answering. Raises ProductNotFound, ProductWithdrawn."""
    found = lock_product(tx, product)
    trust.authorize(tx, trust.Action.END, trust.Kind.PRODUCT, owner=found.owner)
    gone = PRODUCTS.update(tx, found, withdrawn_at=tx.now)
    trust.record(tx, ProductWasWithdrawn(product=product))
    return gone


def lock_product(tx: Tx, product: ProductId) -> Product:
    """This will lock a product that is offered. Raises ProductNotFound, ProductWithdrawn."""
    found = PRODUCTS.lock(tx, product)
    if found.withdrawn_at is not None:
        raise ProductWithdrawn(product=product)
    return found


def get_product(tx: Tx, product: ProductId) -> Product:
    """This will read one product; products and their policies are public.

    Raises ProductNotFound.
    """
    return PRODUCTS.get(tx, product)


def policy_of(product: Product) -> Policy:
    """This will give the policy of a product's present edition."""
    return read_policy(product.form, product.policy)


def find_products(
    tx: Tx,
    *,
    page: PageRequest,
    owner: trust.PartyId | None = None,
    grant: rights.GrantId | None = None,
) -> Page[Product]:
    """This will list products that are offered, newest first: of one owner, of one grant, all."""
    tail = (
        "WHERE withdrawn_at IS NULL AND (%s::text IS NULL OR owner = %s)"
        " AND (%s::text IS NULL OR grant_id = %s)"
        " AND (%s::text IS NULL OR id < %s) ORDER BY id DESC LIMIT %s"
    )
    found = PRODUCTS.find(tx, tail, (owner, owner, grant, grant, page.key, page.key, page.size + 1))
    more = len(found) > page.size
    return Page(items=found[: page.size], next=cursor(found[page.size - 1].id) if more else None)


_OFFERED = PRODUCTS.shelf(
    "WHERE withdrawn_at IS NULL AND (%(owners)s::text[] IS NULL OR owner = ANY(%(owners)s))",
    {
        "title": "title",
        "summary": "summary",
        "form": "form",
        "owner": "owner",
        "level": "level::text",
        "edition": "edition",
        "snapshot": "CASE WHEN snapshot IS NULL THEN 'none' ELSE 'answers' END",
    },
)


def look_through_products(
    tx: Tx, *, look: Look, owners: Sequence[trust.PartyId] | None
) -> Looked[Product]:
    """This will look through the products that are offered, of these owners or all (None).

    Columns: title, summary, form, owner, level, edition, snapshot (none, answers).
    """
    return PRODUCTS.look(tx, _OFFERED, look, owners=None if owners is None else list(owners))


def find_titles(tx: Tx, *, products: Sequence[str]) -> Mapping[str, str]:
    """This will name products by their ids, also those that were withdrawn."""
    rows = tx.all("SELECT id, title FROM gate.product WHERE id = ANY(%s)", (list(products),))
    return {row["id"]: row["title"] for row in rows}


def fields_of(policy: Policy) -> tuple[str, ...]:
    """This will name the columns a policy reads as terms of a grant name them."""
    return tuple(f"{resource}.{column}" for resource, column in find_columns(policy))


def _check(tx: Tx, held: rights.Grant, form: Form, policy: Policy) -> int:
    """Refuse what the grant does not carry; give the highest level of what is read."""
    rights.refuse_dead(held, rights.find_life(tx, held))
    if held.kind is not rights.GrantKind.OPERATING:
        raise NotOperating(grant=held.id)
    check_policy(form, policy)
    columns = find_columns(policy)
    level = 0
    for name in sorted({resource for resource, _ in columns}):
        resource = supply.get_resource(tx, supply.ResourceId(name))
        level = max(level, supply.require_level(resource))
        known = {one.name for one in supply.read_fields(resource)}
        _refuse_unknown(known, [column for owner, column in columns if owner == name])
    if form is Form.OPEN_FILE and level > OPEN_LEVEL:
        raise OutsideGrant(grant=held.id, part="level")
    terms = rights.read_form(held.effective)
    if terms.nothing:
        raise OutsideGrant(grant=held.id, part="nothing")
    if terms.fields is not None:
        for field in fields_of(policy):
            if field not in terms.fields:
                raise OutsideGrant(grant=held.id, part=field)
    if terms.level_max is not None and level > terms.level_max:
        raise OutsideGrant(grant=held.id, part="level_max")
    return level


def _refuse_unknown(known: set[str], columns: Sequence[str]) -> None:
    for column in columns:
        if column not in known:
            raise BadPolicy(part=column)


def _record_defined(tx: Tx, made: Product, policy: Policy) -> None:
    trust.record(
        tx,
        ProductDefined(
            product=made.id,
            grant=made.grant_id,
            owner=made.owner,
            form=made.form,
            edition=made.edition,
            columns=len(find_columns(policy)),
            level=made.level,
        ),
    )


def _text(text: str, part: str, longest: int) -> str:
    plain = text.strip()
    if not 0 < len(plain) <= longest or not plain.isprintable():
        raise BadProduct(part=part)
    return plain

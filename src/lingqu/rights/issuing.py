# SPDX-License-Identifier: Apache-2.0
"""Issuing grants: a root from a ground, a child from its parent, never wider than it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from lingqu import trust
from lingqu.kernel import errors
from lingqu.kernel.lattice import ANYTHING, Terms, TermsForm, meet
from lingqu.rights.grants import (
    BEGETS,
    GRANTS,
    Grant,
    GrantId,
    GrantKind,
    GrantTaken,
    find_life,
    lock_tree,
    plant_tree,
    read_terms,
    refuse_dead,
    write_terms,
)
from lingqu.rights.grounds import GROUNDS, Ground, GroundId, confirm_party
from lingqu.rights.notices import Notice, announce
from lingqu.rights.obligations import Duty, impose
from lingqu.rights.quantities import Quantity, give_quotas
from lingqu.rights.vocabulary import load_vocabulary
from lingqu.runtime import Tx
from lingqu.trust import holds

DEPTH_MAX = 32
"""How many grants may stand above one; a longer chain of sub-delegation is nobody's to oversee."""


class KindNotBegotten(errors.Rejected):
    """This kind of right cannot be granted from the parent's kind."""

    code = "rights.grant.kind_not_begotten"
    article = "数据产权登记工作指引（试行） 第三条"


class GrantsNothing(errors.Rejected):
    """Under the terms, met with the parent's, no use at all would be possible."""

    code = "rights.grant.nothing"


class TooDeep(errors.Rejected):
    """The chain of grants is too long."""

    code = "rights.grant.too_deep"


class BorderNotAssessed(errors.Rejected):
    """Use across the border needs an assessment recorded with the ground."""

    code = "rights.grant.border_not_assessed"
    article = "《网络数据安全管理条例》第三十七条"


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantIssued(trust.Fact):
    """A right was given; `effective` is the SHA-256 of its canonical effective terms."""

    kind = "rights.grant.issued"
    grant: GrantId
    ground: GroundId
    parent: GrantId | None
    root: GrantId
    holder: trust.PartyId
    right: GrantKind
    effective: str
    quotas: tuple[Quantity, ...]
    duties: tuple[Duty, ...]
    epoch: int
    basis: GroundId | None = None


@trust.command("rights.root.issue")
def issue_root(
    tx: Tx,
    *,
    grant: GrantId,
    ground: GroundId,
    holder: trust.PartyId,
    kind: GrantKind,
    terms: TermsForm,
    quotas: tuple[Quantity, ...] = (),
    duties: tuple[Duty, ...] = (),
) -> Grant:
    """This will begin a tree of grants from a ground, for the holder, with newly issued `quotas`.

    `duties` become obligations of the holder.

    Raises GroundNotFound, GrantTaken, BorderNotAssessed, GrantsNothing, UnknownCode, Held.
    """
    basis = GROUNDS.get(tx, ground)
    trust.authorize(tx, trust.Action.ASSIGN, trust.Kind.GROUND)
    confirm_party(tx, holder)
    _refuse_taken(tx, grant)
    own = load_vocabulary(tx).read(terms)
    _check_border(own, basis)
    made = _made(
        tx, grant=grant, ground=ground, parent=None, holder=holder, kind=kind, terms=(own, ANYTHING)
    )
    holds.refuse_held(tx, subjects=made.subjects)
    GRANTS.insert(tx, made)
    plant_tree(tx, grant)
    give_quotas(tx, made, None, quotas)
    _record(tx, made, 1, quotas, duties)
    impose(tx, made, duties)
    return made


@trust.command("rights.grant.issue")
def issue_grant(
    tx: Tx,
    *,
    grant: GrantId,
    parent: GrantId,
    holder: trust.PartyId,
    kind: GrantKind,
    terms: TermsForm,
    quotas: tuple[Quantity, ...] = (),
    duties: tuple[Duty, ...] = (),
) -> Grant:
    """This will give a part of a right on to another holder; it is never wider than the parent.

    `quotas` are taken out of what the parent has, `duties` become obligations of the holder.

    Raises GrantNotFound, GrantTaken, KindNotBegotten, GrantsNothing, TooDeep, UnknownCode, Held,
    and the refusal of a parent that is not alive.
    """
    above = GRANTS.get(tx, parent)
    trust.authorize(tx, trust.Action.CREATE, trust.Kind.GRANT, owner=above.holder)
    return begin_grant(
        tx,
        grant=grant,
        parent=parent,
        holder=holder,
        kind=kind,
        terms=terms,
        quotas=quotas,
        duties=duties,
    )


def begin_grant(
    tx: Tx,
    *,
    grant: GrantId,
    parent: GrantId,
    holder: trust.PartyId,
    kind: GrantKind,
    terms: TermsForm,
    quotas: tuple[Quantity, ...] = (),
    duties: tuple[Duty, ...] = (),
    basis: GroundId | None = None,
) -> Grant:
    """This will give a part of a right on inside another command, which authorised it.

    `basis` is the agreement or contract this step rests on, recorded as a ground. Raises as
    `issue_grant`, and GroundNotFound.
    """
    above = GRANTS.get(tx, parent)
    epoch = lock_tree(tx, above.root)
    confirm_party(tx, holder)
    _refuse_taken(tx, grant)
    if basis is not None:
        GROUNDS.get(tx, basis)
    refuse_dead(above, find_life(tx, above, but_hold=True))
    if kind not in BEGETS[above.kind]:
        raise KindNotBegotten(parent=above.kind.value, kind=kind.value)
    if len(above.chain) >= DEPTH_MAX:
        raise TooDeep(most=DEPTH_MAX)
    vocabulary = load_vocabulary(tx)
    made = _made(
        tx,
        grant=grant,
        ground=above.ground,
        parent=above,
        holder=holder,
        kind=kind,
        terms=(vocabulary.read(terms), read_terms(vocabulary, above.effective)),
        basis=basis,
    )
    holds.refuse_held(tx, subjects=(*above.subjects, holder))
    GRANTS.insert(tx, made)
    give_quotas(tx, made, above, quotas)
    _record(tx, made, epoch, quotas, duties)
    impose(tx, made, duties)
    return made


def _made(
    tx: Tx,
    *,
    grant: GrantId,
    ground: GroundId,
    parent: Grant | None,
    holder: trust.PartyId,
    kind: GrantKind,
    terms: tuple[Terms, Terms],
    basis: GroundId | None = None,
) -> Grant:
    own, above = terms
    effective = meet(above, own)
    if effective.nothing:
        raise GrantsNothing(grant=grant)
    return Grant(
        id=grant,
        ground=ground,
        parent=None if parent is None else parent.id,
        root=grant if parent is None else parent.root,
        ancestors=() if parent is None else parent.chain,
        watched=(grant,) if parent is None else (*parent.watched, grant),
        succeeds=None,
        holder=holder,
        kind=kind,
        terms=write_terms(own.form()),
        effective=write_terms(effective.form()),
        issued_at=tx.now,
        basis=basis,
    )


def _record(
    tx: Tx, made: Grant, epoch: int, quotas: tuple[Quantity, ...], duties: tuple[Duty, ...]
) -> None:
    trust.record(
        tx,
        GrantIssued(
            grant=made.id,
            ground=made.ground,
            parent=made.parent,
            root=made.root,
            holder=made.holder,
            right=made.kind,
            effective=hashlib.sha256(made.effective.encode()).hexdigest(),
            quotas=quotas,
            duties=duties,
            epoch=epoch,
            basis=made.basis,
        ),
    )
    announce(tx, Notice(root=made.root, epoch=epoch, reload=True))


def _refuse_taken(tx: Tx, grant: GrantId) -> None:
    if tx.maybe("SELECT 1 FROM rights.grant WHERE id = %s", (grant,)):
        raise GrantTaken(grant=grant)


def _check_border(own: Terms, basis: Ground) -> None:
    if own.cross_border and basis.assessment is None:
        raise BorderNotAssessed(ground=basis.id)

# SPDX-License-Identifier: Apache-2.0
"""Ending grants: revoking a subtree, narrowing one, and adopting the children of one that goes.

Revoking inserts one row on the subtree's root, however large the subtree is. Narrowing and adopting
end a grant too, and issue a successor for it (adopting: not for it) and for each of its living
descendants, in one transaction; what they hold moves along. Neither ever widens anything.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator
from dataclasses import dataclass, replace

from lingqu import trust
from lingqu.kernel import errors
from lingqu.kernel.lattice import ANYTHING, Terms, TermsForm, meet
from lingqu.rights.grants import (
    ENDINGS,
    GRANTS,
    Ending,
    EndingKind,
    Grant,
    GrantId,
    GrantRevoked,
    GrantSucceeded,
    Standing,
    find_life,
    lock_tree,
    plant_tree,
    read_form,
    read_terms,
    refuse_dead,
    write_terms,
)
from lingqu.rights.grounds import GROUNDS
from lingqu.rights.notices import Notice, announce
from lingqu.rights.obligations import pass_on
from lingqu.rights.quantities import free_leases, move_along, pass_up, renew_leases
from lingqu.rights.vocabulary import load_vocabulary
from lingqu.runtime import Tx, new_id
from lingqu.trust import holds

ARTICLE_MAX = 200


class RevocationCause(enum.Enum):
    """Why a grant is revoked."""

    MISCONDUCT = "misconduct"
    """The holder broke the terms."""
    WITHDRAWN = "withdrawn"
    """Whoever granted it, or consented, withdraws."""
    GROUND_ENDED = "ground_ended"
    """The contract, registration or duty is no more."""
    ERROR = "error"
    """It should not have been issued."""


class RootNotAdopted(errors.Rejected):
    """A root has no parent that could adopt its children."""

    code = "rights.grant.root_not_adopted"


class NothingNarrowed(errors.Rejected):
    """The terms are not narrower than those in force."""

    code = "rights.grant.nothing_narrowed"


class BadArticle(errors.Rejected):
    """An article is named in 1 to 200 visible characters."""

    code = "rights.grant.bad_article"


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantWasRevoked(trust.Fact):
    """A grant and everything below it ended."""

    kind = "rights.grant.revoked"
    grant: GrantId
    root: GrantId
    cause: RevocationCause
    article: str | None
    epoch: int


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantWasNarrowed(trust.Fact):
    """A grant ended; narrower ones stand in for it and for `count - 1` descendants."""

    kind = "rights.grant.narrowed"
    grant: GrantId
    successor: GrantId
    root: GrantId
    count: int
    epoch: int


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantWasAdopted(trust.Fact):
    """A grant ended and its parent took over its children: `count` successors in all."""

    kind = "rights.grant.adopted"
    grant: GrantId
    parent: GrantId
    root: GrantId
    count: int
    epoch: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Succession:
    """What came of narrowing or adopting: which grant took the place of which, parents first."""

    ended: GrantId
    old: tuple[GrantId, ...]
    new: tuple[GrantId, ...]


@trust.command("rights.grant.revoke")
def revoke_grant(
    tx: Tx, *, grant: GrantId, cause: RevocationCause, article: str | None = None
) -> Ending:
    """This will end a grant and all below it at once. Raises GrantRevoked, GrantSucceeded."""
    trust.authorize(tx, trust.Action.END, trust.Kind.GRANT, owner=_giver(tx, GRANTS.get(tx, grant)))
    return end_grant(tx, grant=grant, cause=cause, article=article)


def end_grant(
    tx: Tx, *, grant: GrantId, cause: RevocationCause, article: str | None = None
) -> Ending:
    """This will revoke a grant and all below it inside another command, which authorised it.

    Raises GrantNotFound, GrantRevoked, GrantSucceeded.
    """
    held = GRANTS.get(tx, grant)
    epoch = lock_tree(tx, held.root)
    _refuse_ended(tx, held)
    ending = Ending(
        grant_id=grant,
        kind=EndingKind.REVOKED,
        cause=cause.value,
        article=_checked_article(article),
        successor=None,
        ended_at=tx.now,
    )
    ENDINGS.insert(tx, ending)
    trust.record(
        tx,
        GrantWasRevoked(
            grant=grant, root=held.root, cause=cause, article=ending.article, epoch=epoch
        ),
    )
    announce(tx, Notice(root=held.root, epoch=epoch, ended=grant, article=ending.article))
    return ending


@trust.command("rights.grant.narrow")
def narrow_grant(tx: Tx, *, grant: GrantId, terms: TermsForm) -> Succession:
    """This will bring a grant and all below it under narrower terms, by successors.

    A hold stays in force on the successors. Raises NothingNarrowed, UnknownCode, GrantRevoked,
    GrantSucceeded, GrantExpired.
    """
    held = GRANTS.get(tx, grant)
    epoch = lock_tree(tx, held.root)
    trust.authorize(tx, trust.Action.CHANGE, trust.Kind.GRANT, owner=_giver(tx, held))
    _refuse_over(tx, held)
    vocabulary = load_vocabulary(tx)
    own = meet(read_terms(vocabulary, held.terms), vocabulary.read(terms))
    before = read_terms(vocabulary, held.effective)
    if meet(before, own) == before or meet(before, own).nothing:
        raise NothingNarrowed(grant=grant)
    above = _above(tx, held)
    plan = _Plan(tx, held)
    plan.succeed(held, above, own)
    for one in _living_below(tx, held):
        plan.succeed(one, plan.parent_of(one), read_terms(vocabulary, one.terms))
    succession = plan.carry_out(EndingKind.NARROWED, epoch)
    trust.record(
        tx,
        GrantWasNarrowed(
            grant=grant,
            successor=succession.new[0],
            root=held.root,
            count=len(succession.new),
            epoch=epoch,
        ),
    )
    return succession


@trust.command("rights.grant.adopt")
def adopt_children(tx: Tx, *, grant: GrantId) -> Succession:
    """This will end a grant and hang its living children under its parent, no wider than they were.

    For reorganisations and successions of office, not for misconduct. What the grant itself still
    held goes to the parent. Raises RootNotAdopted, Held, and the refusal of a grant that is over.
    """
    held = GRANTS.get(tx, grant)
    epoch = lock_tree(tx, held.root)
    trust.authorize(tx, trust.Action.CHANGE, trust.Kind.GRANT, owner=_giver(tx, held))
    _refuse_over(tx, held)
    above = _above(tx, held)
    if above is None:
        raise RootNotAdopted(grant=grant)
    holds.refuse_held(tx, subjects=held.subjects)
    vocabulary = load_vocabulary(tx)
    mine = read_terms(vocabulary, held.terms)
    plan = _Plan(tx, held)
    for one in _living_below(tx, held):
        own = read_terms(vocabulary, one.terms)
        if one.parent == grant:
            plan.succeed(one, above, meet(mine, own))
        else:
            plan.succeed(one, plan.parent_of(one), own)
    succession = plan.carry_out(EndingKind.ADOPTED, epoch)
    pass_up(tx, held, above)
    trust.record(
        tx,
        GrantWasAdopted(
            grant=grant,
            parent=above.id,
            root=held.root,
            count=len(succession.new),
            epoch=epoch,
        ),
    )
    return succession


class _Plan:
    """The successors of one ended grant's subtree, made parents first."""

    def __init__(self, tx: Tx, ended: Grant) -> None:
        self._tx = tx
        self._ended = ended
        self._vocabulary = load_vocabulary(tx)
        self._old: dict[GrantId, Grant] = {ended.id: ended}
        self._new: dict[GrantId, Grant] = {}
        above = _above(tx, ended)
        if above is not None:
            self._old[above.id] = above

    def parent_of(self, old: Grant) -> Grant:
        """The successor of an old grant's parent."""
        assert old.parent is not None, "only the top of a subtree may be a root"
        return self._new[old.parent]

    def succeed(self, old: Grant, parent: Grant | None, own: Terms) -> None:
        """Make the successor of `old` under `parent`, where only `own` terms may have changed."""
        above = ANYTHING if parent is None else read_terms(self._vocabulary, parent.effective)
        new = new_id(GrantId)
        self._old[old.id] = old
        elders = () if old.parent is None else self._old[old.parent].watched
        line = tuple(one for one in old.watched if one not in elders)
        self._new[old.id] = replace(
            old,
            id=new,
            parent=None if parent is None else parent.id,
            root=new if parent is None else parent.root,
            ancestors=() if parent is None else parent.chain,
            watched=(*(() if parent is None else parent.watched), *line, new),
            succeeds=old.id,
            terms=write_terms(own.form()),
            effective=write_terms(meet(above, own).form()),
            issued_at=self._tx.now,
        )

    def carry_out(self, kind: EndingKind, epoch: int) -> Succession:
        """Write the successors and the ending, and tell the checkers."""
        ended, top = self._ended, self._new.get(self._ended.id)
        GRANTS.insert_many(self._tx, tuple(self._new.values()))
        freed = free_leases(self._tx, tuple(self._new))
        move_along(self._tx, self._new)
        renew_leases(self._tx, freed, self._new)
        pass_on(self._tx, self._new)
        ENDINGS.insert(
            self._tx,
            Ending(
                grant_id=ended.id,
                kind=kind,
                cause=None,
                article=None,
                successor=None if top is None else top.id,
                ended_at=self._tx.now,
            ),
        )
        announce(self._tx, Notice(root=ended.root, epoch=epoch, ended=ended.id, reload=True))
        if top is not None and top.root != ended.root:
            plant_tree(self._tx, top.root)
            announce(self._tx, Notice(root=top.root, epoch=1, reload=True))
        return Succession(
            ended=ended.id,
            old=tuple(self._new),
            new=tuple(one.id for one in self._new.values()),
        )


_BELOW = """
    WHERE ancestors @> ARRAY[%s] AND NOT EXISTS (
        SELECT 1 FROM rights.ending e WHERE e.grant_id = id OR e.grant_id = ANY(ancestors)
    )
    ORDER BY cardinality(ancestors), id
"""


def _living_below(tx: Tx, held: Grant) -> Iterator[Grant]:
    for one in GRANTS.find(tx, _BELOW, (held.id,)):
        valid = read_form(one.effective).valid
        if valid is None or valid.end is None or tx.now < valid.end:
            yield one


def _above(tx: Tx, held: Grant) -> Grant | None:
    return None if held.parent is None else GRANTS.get(tx, held.parent)


def _giver(tx: Tx, held: Grant) -> trust.PartyId:
    """Whose act it is to end a grant: a holder above it, for a root the party of its ground."""
    above = GRANTS.find(
        tx, "WHERE id = ANY(%s) ORDER BY cardinality(ancestors) DESC", (list(held.ancestors),)
    )
    givers = [one.holder for one in above] or [GROUNDS.get(tx, held.ground).party]
    for giver in givers:
        if trust.is_allowed(tx, trust.Action.END, trust.Kind.GRANT, owner=giver):
            return giver
    return givers[0]


def is_revoked(tx: Tx, grant: GrantId) -> bool:
    """This will say whether a grant itself was revoked before, whatever became of those above."""
    known = ENDINGS.find(tx, "WHERE grant_id = %s", (grant,))
    return bool(known) and known[0].kind is EndingKind.REVOKED


def _refuse_ended(tx: Tx, held: Grant) -> None:
    known = ENDINGS.find(tx, "WHERE grant_id = %s", (held.id,))
    if known and known[0].kind is EndingKind.REVOKED:
        raise GrantRevoked(grant=held.id, by=held.id, successor=None)
    if known:
        raise GrantSucceeded(grant=held.id, by=held.id, successor=known[0].successor)


def _refuse_over(tx: Tx, held: Grant) -> None:
    life = find_life(tx, held, but_hold=True)
    if life.standing is not Standing.NOT_BEGUN:
        refuse_dead(held, life)


def _checked_article(article: str | None) -> str | None:
    if article is not None and not (0 < len(article) <= ARTICLE_MAX and article.isprintable()):
        raise BadArticle
    return article

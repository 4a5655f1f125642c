# SPDX-License-Identifier: Apache-2.0
"""The grant: one right of one holder, its place in the tree, and whether it is alive.

A row never changes. The effective terms are the parent's met with its own, computed when the grant
is issued. A grant is alive while neither it nor an ancestor ended, none of them is held, and the
moment lies in its effective period, which never reaches beyond an ancestor's.
"""

from __future__ import annotations

import enum
import functools
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from lingqu import trust
from lingqu.kernel import canon, errors
from lingqu.kernel.ids import Id
from lingqu.kernel.lattice import Terms, TermsForm, Vocabulary
from lingqu.kernel.paging import Page, PageRequest, cursor
from lingqu.kernel.time import Instant
from lingqu.kernel.values import from_plain, to_plain
from lingqu.rights.grounds import GroundId
from lingqu.runtime import Tx


class GrantId(Id):
    """The id of one grant."""

    prefix = "grt"


class GrantKind(enum.Enum):
    """Which of the three rights (数据产权登记工作指引（试行） 第三条) a grant gives."""

    HOLDING = "holding"
    """持有权: to hold the data."""
    USING = "using"
    """使用权: to process and analyse for one's own business."""
    OPERATING = "operating"
    """经营权: to offer to others, paid or free."""


BEGETS: Mapping[GrantKind, frozenset[GrantKind]] = MappingProxyType({
    GrantKind.HOLDING: frozenset(GrantKind),
    GrantKind.OPERATING: frozenset({GrantKind.OPERATING, GrantKind.USING}),
    GrantKind.USING: frozenset({GrantKind.USING}),
})  # fmt: skip
"""Which kind may be granted from which: who may only use never lets others offer."""


class Standing(enum.Enum):
    """Whether a grant can be used, and if not, why; the first that applies."""

    REVOKED = "revoked"
    SUCCEEDED = "succeeded"
    EXPIRED = "expired"
    HELD = "held"
    NOT_BEGUN = "not_begun"
    ALIVE = "alive"


class GrantNotFound(errors.NotFound):
    """There is no such grant, or the caller may not know of it."""

    code = "rights.grant.not_found"


class GrantTaken(errors.Conflict):
    """A grant with this id exists already."""

    code = "rights.grant.taken"


class GrantRevoked(errors.Conflict):
    """The grant, or one above it, was revoked."""

    code = "rights.grant.revoked"


class GrantSucceeded(errors.Conflict):
    """The grant ended because another took its place."""

    code = "rights.grant.succeeded"


class GrantExpired(errors.Conflict):
    """The period of the grant is over."""

    code = "rights.grant.expired"


class GrantHeld(errors.Conflict):
    """The grant, one above it, its holder or its ground is held."""

    code = "rights.grant.held"


class GrantNotBegun(errors.Conflict):
    """The period of the grant has not begun."""

    code = "rights.grant.not_begun"


REFUSED_BY: Mapping[Standing, type[errors.Conflict]] = MappingProxyType({
    Standing.REVOKED: GrantRevoked,
    Standing.SUCCEEDED: GrantSucceeded,
    Standing.EXPIRED: GrantExpired,
    Standing.HELD: GrantHeld,
    Standing.NOT_BEGUN: GrantNotBegun,
})  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """One right of one holder. `terms` and `effective` are canonical JSON of a `TermsForm`.

    `ancestors` go from the root down to the parent; `succeeds` is the grant whose place it took.
    `watched` are all ids a hold on which suspends it: its chain, and whatever those succeeded, so
    that a hold is not shaken off by a change of terms. `basis` is what this step down rests on, an
    agreement or a contract, beside the ground of the whole tree.
    """

    id: GrantId
    ground: GroundId
    parent: GrantId | None
    root: GrantId
    ancestors: tuple[GrantId, ...]
    watched: tuple[GrantId, ...]
    succeeds: GrantId | None
    holder: trust.PartyId
    kind: GrantKind
    terms: str
    effective: str
    issued_at: Instant
    version: int = 1
    basis: GroundId | None = None

    @property
    def chain(self) -> tuple[GrantId, ...]:
        """From the root down to the grant itself."""
        return (*self.ancestors, self.id)

    @property
    def subjects(self) -> tuple[str, ...]:
        """Everything a hold on which suspends the grant: the watched, its ground, its holder."""
        return (*self.watched, self.ground, self.holder)


class EndingKind(enum.Enum):
    """How a grant ended before its time."""

    REVOKED = "revoked"
    NARROWED = "narrowed"
    ADOPTED = "adopted"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """The end of a grant and of everything below it: one row for a whole subtree."""

    grant_id: GrantId
    kind: EndingKind
    cause: str | None
    article: str | None
    successor: GrantId | None
    ended_at: Instant
    version: int = 1


_FIRST_SHAPE = (
    "id", "ground", "parent", "root", "ancestors", "watched", "succeeds", "holder", "kind", "terms",
    "effective", "issued_at", "version",
)  # fmt: skip
GRANTS = trust.Table(
    "rights.grant",
    Grant,
    shapes=(_FIRST_SHAPE, (*_FIRST_SHAPE, "basis")),
    defaults={"basis": None},
    not_found=GrantNotFound,
)
ENDINGS = trust.Table("rights.ending", Ending, key="grant_id")
trust.declare(trust.AuditClass.OPERATIONAL, "rights.tree")


@dataclass(frozen=True, slots=True, kw_only=True)
class Life:
    """The standing of a grant, and for the dead what decided it, with the article it rests on."""

    standing: Standing
    by: str | None = None
    successor: GrantId | None = None
    article: str | None = None

    @property
    def alive(self) -> bool:
        """Whether the grant can be used."""
        return self.standing is Standing.ALIVE


def write_terms(form: TermsForm) -> str:
    """This will give the canonical JSON of terms."""
    return canon.encode(to_plain(form)).decode()


@functools.lru_cache(maxsize=4096)
def read_form(text: str) -> TermsForm:
    """This will read the canonical JSON of terms."""
    return from_plain(TermsForm, canon.decode(text.encode()))


@functools.lru_cache(maxsize=4096)
def read_terms(vocabulary: Vocabulary, text: str) -> Terms:
    """This will read the canonical JSON of terms by the trees as they stand."""
    return vocabulary.read(read_form(text))


_ENDED = """
    SELECT grant_id, kind, successor, article FROM rights.ending WHERE grant_id = ANY(%s)
    ORDER BY kind = 'revoked' DESC, grant_id
"""
_HELD = """
    SELECT subject, article FROM trust.hold WHERE subject = ANY(%s) AND lifted_at IS NULL
    ORDER BY subject, id LIMIT 1
"""


def find_life(tx: Tx, grant: Grant, *, but_hold: bool = False) -> Life:
    """This will walk from a grant to its root and say whether it is alive, holds aside or not."""
    ended = tx.maybe(_ENDED, (list(grant.chain),))
    if ended is not None:
        kind = EndingKind(ended["kind"])
        successor = ended["successor"]
        return Life(
            standing=Standing.REVOKED if kind is EndingKind.REVOKED else Standing.SUCCEEDED,
            by=ended["grant_id"],
            successor=None if successor is None else GrantId(successor),
            article=ended["article"],
        )
    form = read_form(grant.effective)
    if form.valid is not None and form.valid.end is not None and form.valid.end <= tx.now:
        return Life(standing=Standing.EXPIRED, by=grant.id)
    held = None if but_hold else tx.maybe(_HELD, (list(grant.subjects),))
    if held is not None:
        return Life(standing=Standing.HELD, by=held["subject"], article=held["article"])
    if form.valid is not None and tx.now < form.valid.start:
        return Life(standing=Standing.NOT_BEGUN, by=grant.id)
    return Life(standing=Standing.ALIVE)


_SUCCESSOR = "SELECT successor FROM rights.ending WHERE grant_id = %s AND successor IS NOT NULL"


def find_successor(tx: Tx, grant: GrantId) -> GrantId:
    """This will give the grant that stands where this one stood: its last successor, or itself."""
    row = tx.maybe(_SUCCESSOR, (grant,))
    while row is not None:
        grant = GrantId(row["successor"])
        row = tx.maybe(_SUCCESSOR, (grant,))
    return grant


def refuse_dead(grant: Grant, life: Life) -> None:
    """This will let go on with a grant that is alive; raises the refusal of its standing."""
    if not life.alive:
        refusal = REFUSED_BY[life.standing](grant=grant.id, by=life.by, successor=life.successor)
        refusal.article = life.article  # each ending and hold has its own
        raise refusal


_BUMP = "UPDATE rights.tree SET epoch = epoch + 1 WHERE root = %s RETURNING epoch"


def lock_tree(tx: Tx, root: GrantId) -> int:
    """This will lock the tree of a root until the transaction ends and give its new epoch.

    Whoever issues, narrows, adopts or revokes in a tree holds this lock before it looks.
    """
    epoch: int = tx.one(_BUMP, (root,))["epoch"]
    return epoch


def plant_tree(tx: Tx, root: GrantId) -> None:
    """This will begin the count of changes of a new tree."""
    tx.execute("INSERT INTO rights.tree (root, epoch) VALUES (%s, 1)", (root,))


def get_grant(tx: Tx, grant: GrantId) -> Grant:
    """This will read one grant; raises GrantNotFound where the caller may not see it."""
    found = GRANTS.get(tx, grant)
    if not may_read(tx, found):
        raise GrantNotFound(id=grant)
    return found


def may_read(tx: Tx, grant: Grant) -> bool:
    """This will say whether the caller may see a grant: its holder, or who granted it above."""
    if trust.is_allowed(tx, trust.Action.READ, trust.Kind.GRANT, owner=grant.holder):
        return True
    above = GRANTS.find(tx, "WHERE id = ANY(%s)", (list(grant.ancestors),))
    return any(
        trust.is_allowed(tx, trust.Action.READ, trust.Kind.GRANT, owner=one.holder) for one in above
    )


def find_grants(
    tx: Tx,
    *,
    page: PageRequest,
    holder: trust.PartyId | None = None,
    parent: GrantId | None = None,
) -> Page[Grant]:
    """This will list grants, newest first: of one holder, below one grant, or all.

    Raises AccessDenied where the caller may not see them.
    """
    if parent is not None:
        get_grant(tx, parent)
    elif not trust.is_allowed(tx, trust.Action.READ, trust.Kind.GRANT, owner=holder):
        raise trust.AccessDenied(action=trust.Action.READ.value, kind=trust.Kind.GRANT.value)
    tail = (
        "WHERE (%s::text IS NULL OR holder = %s) AND (%s::text IS NULL OR parent = %s)"
        " AND (%s::text IS NULL OR id < %s) ORDER BY id DESC LIMIT %s"
    )
    found = GRANTS.find(
        tx, tail, (holder, holder, parent, parent, page.key, page.key, page.size + 1)
    )
    more = len(found) > page.size
    return Page(items=found[: page.size], next=cursor(found[page.size - 1].id) if more else None)

# SPDX-License-Identifier: Apache-2.0
"""May this be done now? A use against a grant's effective terms, and the check by walking.

The same decision is made in memory by `effective`; both give a `Verdict`, and they are equal.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from lingqu.kernel import errors
from lingqu.kernel.lattice import Terms, Tree, Vocabulary
from lingqu.rights.grants import (
    GRANTS,
    REFUSED_BY,
    Grant,
    GrantId,
    Standing,
    find_life,
    read_terms,
)
from lingqu.rights.grounds import GROUNDS
from lingqu.rights.vocabulary import ABROAD, load_vocabulary
from lingqu.runtime import Tx
from lingqu.trust import log


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """What somebody wants to do: one code of each tree, to columns, for one recipient.

    `level` is the security level of the data, `fields` the columns the use reads or gives.
    """

    purpose: str
    action: str
    territory: str
    environment: str
    recipient: str
    fields: tuple[str, ...] = ()
    level: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Freshness:
    """How much a check must know: the changes of the grant's tree, and the leaves of the log."""

    epoch: int = 0
    log_size: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The answer of a check: permitted, or refused by a `code` of this package.

    `part` names the part of the terms the use is outside of; `article` grounds the refusal.
    """

    permitted: bool
    code: str | None = None
    part: str | None = None
    article: str | None = None


class UseOutside(errors.Forbidden):
    """The use lies outside the effective terms of the grant."""

    code = "rights.use.outside"


class BorderClosed(errors.Forbidden):
    """The use would cross the border, and no assessment allows that."""

    code = "rights.use.border_closed"
    article = "《网络数据安全管理条例》第三十七条"


class NotFresh(errors.Unavailable):
    """What is known here is older than the caller asks for."""

    code = "rights.check.not_fresh"


class NotListening(errors.Unavailable):
    """This checker does not hear of revocations at the moment, so it permits nothing."""

    code = "rights.check.not_listening"


PERMITTED = Verdict(permitted=True)

STANDING_CODES: Mapping[Standing, str] = MappingProxyType({
    standing: f"rights.grant.{standing.value}"
    for standing in Standing
    if standing is not Standing.ALIVE
})  # fmt: skip

_REFUSALS: Mapping[str, type[errors.LingquError]] = MappingProxyType({
    **{STANDING_CODES[standing]: refusal for standing, refusal in REFUSED_BY.items()},
    UseOutside.code: UseOutside,
    BorderClosed.code: BorderClosed,
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Request:
    """A use made ready: one mask for each tree. Valid for the vocabulary it was read by."""

    purposes: int
    territories: int
    actions: int
    environments: int
    fields: frozenset[str]
    recipient: str
    level: int
    abroad: bool


@dataclass(frozen=True, slots=True)
class Limits:
    """Effective terms made ready: for each tree the bits that are not permitted."""

    purposes: int
    territories: int
    actions: int
    environments: int
    fields: frozenset[str] | None
    recipients: frozenset[str] | None
    level_max: int | None
    cross_border: bool
    nothing: bool


def read_use(vocabulary: Vocabulary, use: Use) -> Request:
    """This will turn the codes of a use into masks. Raises UnknownCode."""
    territories = vocabulary.territories
    return Request(
        purposes=vocabulary.purposes.below(use.purpose),
        territories=territories.below(use.territory),
        actions=vocabulary.actions.below(use.action),
        environments=vocabulary.environments.below(use.environment),
        fields=frozenset(use.fields),
        recipient=use.recipient,
        level=use.level,
        abroad=territories.path(use.territory)[0] == ABROAD,
    )


def read_limits(vocabulary: Vocabulary, terms: Terms) -> Limits:
    """This will turn effective terms into what they do not permit, by the same vocabulary."""

    def outside(part: str) -> int:
        scope, tree = getattr(terms, part), getattr(vocabulary, part)
        assert isinstance(tree, Tree), "the vocabulary has a tree for each scope"
        return 0 if scope is None else ~scope.on(tree).bits

    return Limits(
        purposes=outside("purposes"),
        territories=outside("territories"),
        actions=outside("actions"),
        environments=outside("environments"),
        fields=terms.fields,
        recipients=terms.recipients,
        level_max=terms.level_max,
        cross_border=terms.cross_border,
        nothing=terms.nothing,
    )


def find_outside(request: Request, limits: Limits) -> str | None:
    """This will name the first part of the terms a use is outside of, None where it is inside."""
    if request.purposes & limits.purposes or limits.nothing:
        return "purposes"
    if request.abroad and not limits.cross_border:
        return "cross_border"
    if request.territories & limits.territories:
        return "territories"
    if request.actions & limits.actions:
        return "actions"
    if request.environments & limits.environments:
        return "environments"
    if limits.fields is not None and not request.fields <= limits.fields:
        return "fields"
    if limits.recipients is not None and request.recipient not in limits.recipients:
        return "recipients"
    if limits.level_max is not None and request.level > limits.level_max:
        return "level_max"
    return None


def outside_verdict(part: str | None, article: str | None) -> Verdict:
    """This will give the verdict on a use of a living grant."""
    if part is None:
        return PERMITTED
    if part == "cross_border":
        return Verdict(
            permitted=False, code=BorderClosed.code, part=part, article=BorderClosed.article
        )
    return Verdict(permitted=False, code=UseOutside.code, part=part, article=article)


def judge_use(tx: Tx, *, grant: GrantId, use: Use) -> Verdict:
    """This will walk the grant's chain in the database and say whether the use is permitted now.

    Raises GrantNotFound, UnknownCode.
    """
    found = GRANTS.get(tx, grant)
    vocabulary = load_vocabulary(tx)
    request = read_use(vocabulary, use)
    life = find_life(tx, found)
    if not life.alive:
        code = STANDING_CODES[life.standing]
        return Verdict(permitted=False, code=code, article=life.article)
    limits = read_limits(vocabulary, read_terms(vocabulary, found.effective))
    return outside_verdict(find_outside(request, limits), ground_article(tx, found))


def check_grant(
    tx: Tx, *, grant: GrantId, use: Use, at_least: Freshness | None = None
) -> Freshness:
    """This will let a use go on under a grant and say how fresh the answer is.

    Raises what the verdict refuses by, GrantNotFound, UnknownCode, and NotFresh where the database
    is behind what the caller demands (a standby, a restored backup).
    """
    fresh = get_freshness(tx, grant)
    if at_least is not None:
        refuse_stale(fresh, at_least)
    raise_refused(grant, judge_use(tx, grant=grant, use=use))
    return fresh


def refuse_stale(known: Freshness, demanded: Freshness) -> None:
    """This will go on where as much is known as is demanded; raises NotFresh."""
    if known.epoch < demanded.epoch or known.log_size < demanded.log_size:
        raise NotFresh(known=known.epoch, demanded=demanded.epoch)


def raise_refused(grant: str, verdict: Verdict) -> None:
    """This will raise the refusal a verdict stands for, with its ground; nothing if permitted."""
    if not verdict.permitted:
        raise refusal_of(grant, verdict)


def refusal_of(grant: str, verdict: Verdict) -> errors.LingquError:
    """This will give the refusal that a verdict, which permits nothing, stands for."""
    refusal = _REFUSALS[str(verdict.code)](grant=grant, part=verdict.part)
    refusal.article = verdict.article  # the ground of the grant grounds it
    return refusal


def get_freshness(tx: Tx, grant: GrantId) -> Freshness:
    """This will say what this transaction knows: a token for `at_least` elsewhere."""
    row = tx.maybe(
        "SELECT t.epoch FROM rights.grant g JOIN rights.tree t ON t.root = g.root WHERE g.id = %s",
        (grant,),
    )
    return Freshness(epoch=row["epoch"] if row else 0, log_size=log.log_status(tx).sequenced)


def ground_article(tx: Tx, grant: Grant) -> str | None:
    """This will give the first article of the ground a grant stands on."""
    articles = GROUNDS.get(tx, grant.ground).articles
    return articles[0] if articles else None

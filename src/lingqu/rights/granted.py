# SPDX-License-Identifier: Apache-2.0
"""Hides how a grant, with what it owes, is said as one policy, and how a policy becomes a grant.

Nothing is weakened on either way. What a policy has no words for (a clock that starts with the
grant, a payment without its amount) refuses the document; what a grant cannot hold (a duty before
each use, a remedy, somebody else's parties or nodes) refuses the grant. The kind of right is no
part of a policy: who issues says it.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from lingqu import trust
from lingqu.kernel import errors
from lingqu.kernel.money import Money
from lingqu.rights.formats import PolicyFormat, read_policy
from lingqu.rights.grants import (
    GRANTS,
    Grant,
    GrantId,
    GrantKind,
    Standing,
    find_life,
    get_grant,
    read_terms,
    refuse_dead,
)
from lingqu.rights.grounds import GROUNDS, GroundId
from lingqu.rights.issuing import begin_grant
from lingqu.rights.obligations import Duty, find_obligations
from lingqu.rights.owing import obligations_of, policy_duties
from lingqu.rights.policies import NotExpressible, Policy, PolicyKind
from lingqu.rights.quantities import Quantity, get_quota
from lingqu.rights.vocabulary import load_vocabulary
from lingqu.runtime import Tx
from lingqu.trust import identity


class PartyDiffers(errors.Rejected):
    """The policy names another party, node or right than the grant would have."""

    code = "rights.policy.party_differs"


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantFollowsPolicy(trust.Fact):
    """A grant was issued by a policy document, of which this is the SHA-256."""

    kind = "rights.policy.followed"
    grant: GrantId
    format: PolicyFormat
    policy: str


@trust.command("rights.policy.grant")
def issue_by_policy(
    tx: Tx,
    *,
    grant: GrantId,
    parent: GrantId,
    holder: trust.PartyId,
    kind: GrantKind,
    text: str,
) -> Grant:
    """This will give a part of a right on under exactly what the document of a policy says.

    A party stands in the document by its id or its credit code, a node by the id of its party; an
    object that is one of our ids is the ground or a grant of the chain. Raises the refusals of
    policies, each with a `place`, PartyDiffers, and what `issue_grant` raises.
    """
    above = GRANTS.get(tx, parent)
    trust.authorize(tx, trust.Action.CREATE, trust.Kind.GRANT, owner=above.holder)
    wanted, policy = read_policy(text, vocabulary=load_vocabulary(tx))
    _check_names(tx, policy, above, holder)
    made = begin_grant(
        tx,
        grant=grant,
        parent=parent,
        holder=holder,
        kind=kind,
        terms=policy.terms.form(),
        quotas=tuple(
            Quantity(currency=one.currency, amount=one.minor) for one in policy.quantities
        ),
        duties=obligations_of(policy),
    )
    digest = hashlib.sha256(text.encode()).hexdigest()
    trust.record(tx, GrantFollowsPolicy(grant=grant, format=wanted, policy=digest))
    return made


def policy_of(tx: Tx, grant: GrantId) -> Policy:
    """This will say a grant as a policy: what it permits, may still use, and obliges to.

    Parties stand by their credit codes where they have one. What is left to use is what nobody
    below was given and nobody used. Raises GrantNotFound, the refusal of a grant that is not alive
    (one that has not begun says when it will), and NotExpressible.
    """
    found = get_grant(tx, grant)
    life = find_life(tx, found)
    if life.standing is not Standing.NOT_BEGUN:
        refuse_dead(found, life)
    provider = _provider(tx, found)
    codes = identity.organization_codes(tx, parties=(provider, found.holder))
    return Policy(
        id=found.id,
        kind=PolicyKind.AGREEMENT,
        object=found.ground,
        terms=read_terms(load_vocabulary(tx), found.effective),
        provider=codes.get(provider, provider),
        consumer=codes.get(found.holder, found.holder),
        provider_node=provider,
        consumer_node=found.holder,
        quantities=_left(tx, found),
        after=policy_duties(_duties(tx, found)),
    )


def _left(tx: Tx, grant: Grant) -> tuple[Money, ...]:
    """What a grant may still use; a quantity of nothing is no quantity of a policy."""
    left = [
        Money(one.available + one.reserved + one.unswept, one.currency)
        for one in get_quota(tx, grant.id)
    ]
    if not all(one.minor for one in left):
        raise NotExpressible(place="/quantities", reason="nothing")
    return tuple(left)


def _duties(tx: Tx, grant: Grant) -> tuple[Duty, ...]:
    owed = [one.obligation for one in find_obligations(tx, grant=grant.id)]
    return tuple(
        Duty(kind=one.kind, days=one.days, starts=one.starts, article=one.article) for one in owed
    )


def _provider(tx: Tx, grant: Grant) -> trust.PartyId:
    """Who gave the right: the holder above, at the root whose ground it is."""
    if grant.parent is None:
        return GROUNDS.get(tx, grant.ground).party
    return GRANTS.get(tx, grant.parent).holder


def _check_names(tx: Tx, policy: Policy, above: Grant, holder: trust.PartyId) -> None:
    codes = identity.organization_codes(tx, parties=(above.holder, holder))
    for name, party in (("provider", above.holder), ("consumer", holder)):
        if getattr(policy, name) not in {None, party, codes.get(party)}:
            raise PartyDiffers(place=f"/{name}", expected=codes.get(party, party))
        if getattr(policy, f"{name}_node") not in {None, party}:
            raise PartyDiffers(place=f"/{name}_node", expected=party)
    ours = policy.object.startswith((f"{GroundId.prefix}_", f"{GrantId.prefix}_"))
    if ours and policy.object not in {above.ground, *above.chain}:
        raise PartyDiffers(place="/object", expected=above.ground)

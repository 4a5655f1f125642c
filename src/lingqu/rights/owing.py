# SPDX-License-Identifier: Apache-2.0
"""What a policy demands as obligations of a grant, and back: exactly, or refused.

"After use" of a policy is the end of the grant: as long as it lasts, use goes on. So a duty of a
policy becomes an obligation whose clock starts with the end of the grant; nothing else does. What
an obligation cannot hold (an amount, a consequence, no time to do it in, something to be done
before each use or when a prohibition was broken) is refused and never dropped.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from lingqu.rights import obligations, policies
from lingqu.rights.obligations import ClockStart, ObligationKind
from lingqu.rights.policies import DutyAction

KINDS: Mapping[DutyAction, ObligationKind] = MappingProxyType({
    DutyAction.DELETE: ObligationKind.DELETE,
    DutyAction.REPORT: ObligationKind.REPORT,
})  # fmt: skip
"""The duties that mean the same on both sides; a payment of a policy has an amount."""
_ACTIONS = MappingProxyType({kind: action for action, kind in KINDS.items()})


def obligations_of(policy: policies.Policy) -> tuple[obligations.Duty, ...]:
    """This will give the obligations a grant must have to demand what a policy demands.

    Raises NotExpressible, naming the duty.
    """
    for part in ("before", "remedies"):
        if getattr(policy, part):
            raise policies.NotExpressible(place=f"/{part}", reason="not_owed")
    return tuple(_obligation(f"/after/{number}", one) for number, one in enumerate(policy.after))


def _obligation(place: str, one: policies.Duty) -> obligations.Duty:
    if one.action not in KINDS or one.amount is not None:
        raise policies.NotExpressible(place=place, reason="not_owed")
    if one.otherwise is not None:
        raise policies.NotExpressible(place=place, reason="breach")
    if one.within_days is None or one.within_days > obligations.DAYS_MAX:
        raise policies.NotExpressible(place=place, reason="days")
    return obligations.Duty(kind=KINDS[one.action], days=one.within_days, starts=ClockStart.ENDED)


def policy_duties(duties: Sequence[obligations.Duty]) -> tuple[policies.Duty, ...]:
    """This will give what a policy must demand after use to demand what a grant obliges to.

    Raises NotExpressible for an obligation whose clock starts with the grant, for one that cites an
    article, and for the same one twice.
    """
    found = []
    for number, one in enumerate(duties):
        place = f"/duties/{number}"
        if one.starts is not ClockStart.ENDED or one.article is not None:
            raise policies.NotExpressible(place=place, reason="not_said")
        if one.kind not in _ACTIONS:
            raise policies.NotExpressible(place=place, reason="not_owed")
        made = policies.Duty(action=_ACTIONS[one.kind], within_days=one.days)
        if made in found:
            raise policies.NotExpressible(place=place, reason="duplicate")
        found.append(made)
    return tuple(found)

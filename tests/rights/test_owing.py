# SPDX-License-Identifier: Apache-2.0
"""Duties of policies become obligations of grants and come back the same, or are refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lingqu.kernel.lattice import Terms
from lingqu.kernel.money import Money
from lingqu.rights import exchange, obligations, policies
from lingqu.rights.obligations import ClockStart, ObligationKind
from lingqu.rights.policies import DutyAction

WORDS = {DutyAction.DELETE: ObligationKind.DELETE, DutyAction.REPORT: ObligationKind.REPORT}
days = st.integers(1, obligations.DAYS_MAX)
told = st.builds(exchange.Duty, action=st.sampled_from(sorted(WORDS, key=str)), within_days=days)
anything = st.one_of(
    told,
    st.builds(exchange.Duty, action=st.just(DutyAction.ALERT), within_days=days),
    st.builds(exchange.Duty, action=st.just(DutyAction.DELETE)),
    st.builds(exchange.Duty, action=st.just(DutyAction.DELETE), within_days=days, otherwise=told),
    st.builds(
        exchange.Duty,
        action=st.just(DutyAction.PAY),
        amount=st.builds(Money, st.integers(1, 9999), st.just("CNY")),
    ),
)
owed = st.builds(
    obligations.Duty,
    kind=st.sampled_from(ObligationKind),
    days=days,
    starts=st.sampled_from(ClockStart),
    article=st.sampled_from([None, "《中华人民共和国个人信息保护法》第四十七条"]),
)


def policy(**parts):
    return exchange.Policy(
        id="urn:p", kind=exchange.PolicyKind.SET, object="urn:o", terms=Terms(), **parts
    )


@given(st.lists(anything, max_size=5, unique=True))
def test_a_policy_is_carried_over_whole_or_refused(duties):
    wanted = policy(after=tuple(duties))
    exact = all(one.action in WORDS and one.within_days and one.otherwise is None for one in duties)
    if not exact:
        with pytest.raises(policies.NotExpressible):
            exchange.obligations_of(wanted)
        return
    made = exchange.obligations_of(wanted)
    assert [(one.kind, one.days) for one in made] == [
        (WORDS[one.action], one.within_days) for one in wanted.after
    ]
    assert policy(after=exchange.policy_duties(made)) == wanted


@given(st.lists(owed, max_size=5))
def test_obligations_come_back_the_same_or_are_refused(duties):
    exact = all(
        one.kind in WORDS.values() and one.starts is ClockStart.ENDED and one.article is None
        for one in duties
    ) and len(set(duties)) == len(duties)
    if not exact:
        with pytest.raises(policies.NotExpressible):
            exchange.policy_duties(duties)
        return
    again = exchange.obligations_of(policy(after=exchange.policy_duties(duties)))
    assert sorted(again, key=repr) == sorted(duties, key=repr)


def test_what_is_owed_before_a_use_or_as_a_remedy_is_no_obligation_of_a_grant():
    for reason in (policy(before=(exchange.Duty(action=DutyAction.WATERMARK),)),):
        with pytest.raises(policies.NotExpressible) as refused:
            exchange.obligations_of(reason)
        assert refused.value.parameters["place"] == "/before"
        words = exchange.explain_reason(refused.value, "zh-CN")
        assert words == "授权义务没有与之完全相同的一项"

# SPDX-License-Identifier: Apache-2.0
"""A grant said as a policy and a policy followed by a grant: exactly, or not at all."""

import dataclasses
import hashlib
import os
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from policy_worlds import VOCABULARY, is_narrower, policies

from lingqu import ledger, rights, trust
from lingqu.kernel import errors
from lingqu.kernel.lattice import ScopeForm, TermsForm
from lingqu.kernel.time import Period
from lingqu.rights import exchange, obligations, quantities
from lingqu.rights.exchange import Duty, DutyAction, PolicyFormat, PolicyKind
from lingqu.runtime import new_id
from lingqu.trust import LOCAL_ADMINISTRATOR, identity
from lingqu.trust.identity.organizations import demonstration_code

FULL = bool(os.environ.get("FULL_MATRIX"))
MUCH = 10**15
OWED = st.builds(
    Duty,
    action=st.sampled_from([DutyAction.DELETE, DutyAction.REPORT]),
    within_days=st.integers(1, obligations.DAYS_MAX),
)
NOW = datetime.now(UTC)


class Hall:
    """An operator with much to give on, and a buyer, in one installation."""

    def __init__(self, tree):
        self.tree, self.place = tree, tree.place
        for currency in ("calls", "rows"):
            tree.do(
                ledger.register_currency, currency=currency, scale=0, name_zh="次", name_en=currency
            )
        self.operator, self.buyer = tree.holder, self.place.party("〈北部湾银行〉（演示）")
        self.root = tree.root(
            kind=rights.GrantKind.OPERATING,
            ground=tree.ground(assessment=hashlib.sha256(b"assessed").digest()),
            terms=TermsForm(cross_border=True),
            quotas=tuple(rights.Quantity(currency=one, amount=MUCH) for one in ("calls", "rows")),
        )

    def follow(self, text, *, parent=None, holder=None, **named):
        return self.tree.do(
            exchange.issue_by_policy,
            grant=named.pop("grant", None) or new_id(rights.GrantId),
            parent=parent or self.root.id,
            holder=holder or self.buyer,
            kind=rights.GrantKind.USING,
            text=text,
            **named,
        )

    def policy(self, grant):
        with self.place.database.reading(LOCAL_ADMINISTRATOR) as tx:
            return exchange.policy_of(tx, getattr(grant, "id", grant))

    def named(self, policy, **changes):
        """A policy as a partner writes it who knows our parties."""
        return dataclasses.replace(
            policy,
            provider=self.operator,
            consumer=self.buyer,
            provider_node=self.operator,
            consumer_node=self.buyer,
            **changes,
        )


@pytest.fixture(scope="module")
def hall(trust_server, place_type, tree_type):
    place = place_type(trust_server)
    place.found()
    yield Hall(tree_type(place))
    place.close()


def text(policy, wanted=PolicyFormat.ODRL):
    return exchange.canonical_bytes(exchange.write_policy(policy, wanted)).decode()


@st.composite
def foreign(draw):
    """Any policy with our parties; half of them ask nothing that a grant cannot hold."""
    found = draw(policies(narrow=True))
    kept = {
        "quantities": tuple(
            dataclasses.replace(one, minor=1 + one.minor % 10**9)
            for one in found.quantities
            if one.currency in {"calls", "rows"}
        )
    }
    valid = found.terms.valid
    if valid is not None and valid.end is not None and valid.end <= NOW + timedelta(days=1):
        later = Period(valid.start, NOW.replace(microsecond=0) + timedelta(days=30))
        kept["terms"] = dataclasses.replace(found.terms, valid=later)
    if draw(st.booleans()):
        kept |= {"before": (), "remedies": (), "after": tuple(draw(st.lists(OWED, max_size=3)))}
    return found, kept


@given(drawn=foreign(), wanted=st.sampled_from([PolicyFormat.TC609, None]))
@settings(
    max_examples=150 if FULL else 14,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
def test_a_foreign_policy_becomes_a_grant_that_says_the_same_or_none(hall, drawn, wanted):
    found, kept = drawn
    policy = hall.named(found, **kept)
    grant = new_id(rights.GrantId)
    if wanted is PolicyFormat.TC609:  # its parties have 18 characters, so only the terms are read
        written = text(dataclasses.replace(policy, provider="1" * 18, consumer="2" * 18), wanted)
        _, read = exchange.read_policy(written, vocabulary=VOCABULARY)
        policy = hall.named(read)
    exact = not policy.before and not policy.remedies and all(map(_is_owed, policy.after))
    if not exact:
        with pytest.raises(errors.Rejected) as refused:
            hall.follow(text(policy), grant=grant)
        assert refused.value.parameters["place"].startswith("/")
        with pytest.raises(rights.GrantNotFound):
            hall.tree.get(grant)
        return
    hall.follow(text(policy), grant=grant)
    said = hall.policy(grant)
    assert said == dataclasses.replace(
        policy, id=grant, object=hall.root.ground, kind=PolicyKind.AGREEMENT
    )
    same = dataclasses.replace(policy, id=said.id, object=said.object)
    assert is_narrower(said, same)
    assert exchange.read_policy(text(said), vocabulary=VOCABULARY)[1] == said


def _is_owed(duty):
    actions = {DutyAction.DELETE, DutyAction.REPORT}
    days = duty.within_days
    return (
        duty.action in actions
        and duty.otherwise is None
        and days is not None
        and days <= obligations.DAYS_MAX
    )


TERMS = TermsForm(actions=ScopeForm(allowed=("use.verify",)))
DELETE = rights.Duty(
    kind=rights.ObligationKind.DELETE, days=30, starts=rights.ClockStart.ENDED, article=None
)


def calls(amount):
    return (rights.Quantity(currency="calls", amount=amount),)


def child(hall, **named):
    return hall.tree.child(hall.root, TERMS, holder=hall.buyer, **named)


def test_what_a_grant_may_still_use_and_owes_stands_in_its_policy(hall):
    grant = child(hall, quotas=calls(10), duties=(DELETE,))
    hall.tree.do(
        quantities.spend_quota,
        grant=grant.id,
        currency="calls",
        amount=4,
        transfer=new_id(ledger.TransferId),
    )
    said = hall.policy(grant)
    assert [(one.currency, one.minor) for one in said.quantities] == [("calls", 6)]
    assert said.after == (Duty(action=DutyAction.DELETE, within_days=30),)
    assert (said.provider, said.consumer) == (hall.operator, hall.buyer)
    assert hall.policy(hall.root).provider == hall.operator, "whose ground it is"
    again = hall.follow(text(said))
    (owed,) = hall.place.database.run(
        LOCAL_ADMINISTRATOR, lambda tx: obligations.find_obligations(tx, grant=again.id)
    )
    assert (owed.obligation.kind, owed.obligation.days) == (rights.ObligationKind.DELETE, 30)
    (fact,) = [
        one["data"] for one in hall.place.facts("rights.policy.followed")
        if one["data"]["grant"] == again.id
    ]  # fmt: skip
    assert fact["policy"] == hashlib.sha256(text(said).encode()).hexdigest()
    hall.tree.do(
        quantities.spend_quota,
        grant=grant.id,
        currency="calls",
        amount=6,
        transfer=new_id(ledger.TransferId),
    )
    with pytest.raises(errors.Rejected) as refused:
        hall.policy(grant)
    assert refused.value.parameters == {"place": "/quantities", "reason": "nothing"}


@pytest.mark.parametrize(
    ("duty", "reason"),
    [
        (dataclasses.replace(DELETE, starts=rights.ClockStart.ISSUED), "not_said"),
        (dataclasses.replace(DELETE, article="网络数据安全管理条例 第十二条"), "not_said"),
        (dataclasses.replace(DELETE, kind=rights.ObligationKind.PAY), "not_owed"),
    ],
)
def test_an_obligation_no_policy_says_keeps_the_grant_from_being_written(hall, duty, reason):
    with pytest.raises(errors.Rejected) as refused:
        hall.policy(child(hall, duties=(duty,)))
    assert refused.value.parameters == {"place": "/duties/0", "reason": reason}


def test_a_policy_of_other_parties_nodes_or_rights_is_refused(hall):
    said = hall.policy(child(hall))
    other = child(hall)
    for change, place in (
        ({"provider": hall.buyer}, "/provider"),
        ({"consumer": "91450700MA5P000000"}, "/consumer"),
        ({"provider_node": "connector-7"}, "/provider_node"),
        ({"consumer_node": hall.operator}, "/consumer_node"),
        ({"object": other.id}, "/object"),
    ):
        with pytest.raises(exchange.PartyDiffers) as refused:
            hall.follow(text(dataclasses.replace(said, **change)))
        assert refused.value.parameters["place"] == place
    offer = dataclasses.replace(
        said, kind=PolicyKind.OFFER, consumer=None, consumer_node=None, object=hall.root.id
    )
    assert hall.follow(text(offer)).effective == other.effective


def test_only_who_holds_the_grant_above_follows_a_policy_and_only_the_living_is_said(hall):
    grant = child(hall)
    said = text(hall.policy(grant))
    stranger = hall.place.account(hall.buyer, role=trust.Role.MEMBER)
    with pytest.raises(trust.AccessDenied):
        hall.place.do(
            exchange.issue_by_policy,
            stranger,
            grant=new_id(rights.GrantId),
            parent=hall.root.id,
            holder=hall.buyer,
            kind=rights.GrantKind.USING,
            text=said,
        )
    outsider = hall.place.account(hall.place.party("〈路人〉"), role=trust.Role.MEMBER)
    with (
        hall.place.database.reading(outsider) as tx,
        pytest.raises(rights.GrantNotFound),
    ):
        exchange.policy_of(tx, grant.id)
    hall.tree.revoke(grant)
    with pytest.raises(rights.GrantRevoked):
        hall.policy(grant)


def test_organizations_stand_by_their_codes_in_the_chinese_standard_and_come_back(hall):
    operator, buyer = (hall.place.party(f"〈单位{number}〉（演示）") for number in "甲乙")
    for number, party in enumerate((operator, buyer), 71):
        hall.tree.do(
            identity.describe_organization,
            party=party,
            kind=identity.OrganizationKind.ENTERPRISE,
            code=demonstration_code(number),
            region="450700",
            level=None,
        )
    root = hall.tree.root(kind=rights.GrantKind.OPERATING, holder=operator, quotas=calls(100))
    grant = hall.tree.child(root, TERMS, holder=buyer, quotas=calls(10), duties=(DELETE,))
    written = exchange.write_policy(hall.policy(grant), PolicyFormat.TC609)
    assert [one["signatoryEntityId"] for one in written["signatories"]] == [
        demonstration_code(71),
        demonstration_code(72),
    ]
    again = hall.follow(exchange.canonical_bytes(written).decode(), parent=root.id, holder=buyer)
    assert dataclasses.replace(hall.policy(again), id=grant.id) == hall.policy(grant)

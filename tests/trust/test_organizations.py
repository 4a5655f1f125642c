# SPDX-License-Identifier: Apache-2.0
"""Organisations with their code and place, and accounts that act for several of them."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lingqu import trust
from lingqu.kernel.paging import PageRequest
from lingqu.runtime import Caller, new_id
from lingqu.trust import LOCAL_ADMINISTRATOR, AccessDenied, Action, Kind, PartyKind, Role
from lingqu.trust import identity as who
from lingqu.trust.divisions import DivisionEnded, DivisionUnknown
from lingqu.trust.holds import Held, HoldId, HoldReason, lift_hold, place_hold
from lingqu.trust.identity.mandates import BadMandate, MandateEnded
from lingqu.trust.identity.organizations import (
    BadCode,
    CodeTaken,
    LevelMissing,
    NotAnOrganization,
    OrganizationNotFound,
    check_credit_code,
    demonstration_code,
    is_demonstration_code,
)
from lingqu.trust.parties import BuiltInRole, PartyNotFound
from lingqu.trust.sessions import NotActingFor

REAL = "91110000600037341L"
DIGEST = "cd" * 32
PASSWORD = "correct horse battery"


def organization(place, **changes):
    asked = {
        "party": new_id(trust.PartyId),
        "name": "灵山县教育局（演示）",
        "kind": who.OrganizationKind.GOVERNMENT,
        "code": demonstration_code(1, prefix="11"),
        "region": "450721",
        "level": who.OrganizationLevel.COUNTY,
    }
    return place.do(who.register_organization, **(asked | changes))


def mandate(place, account, party, **changes):
    now = place.database.time.now()
    asked = {
        "mandate": new_id(who.MandateId),
        "account": account,
        "party": party,
        "roles": (Role.MERCHANT, Role.MEMBER),
        "from_at": now - timedelta(hours=1),
        "until_at": now + timedelta(days=30),
        "document": DIGEST,
    }
    return place.do(who.give_mandate, **(asked | changes))


def test_an_organization_is_registered_with_its_code_region_and_level(place):
    made = organization(place)
    assert (made.region, made.level, made.demonstration) == (
        "450721",
        who.OrganizationLevel.COUNTY,
        True,
    )
    with place.database.reading(LOCAL_ADMINISTRATOR) as tx:
        assert who.get_organization(tx, made.party) == made
        assert trust.get_party(tx, made.party).kind is PartyKind.ORGANIZATION
    kinds = [one["kind"] for one in place.facts()][-2:]
    assert kinds == ["trust.party.registered", "trust.organization.described"]
    assert made.code not in str(place.facts())
    assert place.audit() == []


def test_an_organization_is_described_anew_and_a_party_without_it_has_none(place):
    party = place.party("灵山县")
    with place.database.reading(LOCAL_ADMINISTRATOR) as tx:
        assert who.find_organization(tx, party) is None
        with pytest.raises(OrganizationNotFound):
            who.get_organization(tx, party)
    described = {"kind": who.OrganizationKind.ENTERPRISE, "region": "450700"}
    first = place.do(who.describe_organization, party=party, **described)
    assert (first.code, first.demonstration, first.version) == (None, False, 1)
    second = place.do(who.describe_organization, party=party, code=REAL, **described)
    assert (second.code, second.demonstration, second.version) == (REAL, False, 2)
    assert place.audit() == []


@pytest.mark.parametrize(
    ("changes", "refusal"),
    [
        ({"code": "91110000600037341M"}, BadCode),
        ({"code": "911100006000373"}, BadCode),
        ({"code": "' OR 1=1 --"}, BadCode),
        ({"level": None}, LevelMissing),
        ({"region": "450122"}, DivisionEnded),
        ({"region": "990000"}, DivisionUnknown),
        ({"region": ""}, DivisionUnknown),
    ],
)
def test_what_describes_no_organization_is_refused(place, changes, refusal):
    with pytest.raises(refusal):
        organization(place, **changes)
    assert place.count("trust.party") == 0


def test_a_code_belongs_to_one_organization(place):
    first = organization(place, code=REAL)
    with pytest.raises(CodeTaken):
        organization(place, code=f" {REAL.lower()} ")
    same = {"kind": first.kind, "region": first.region, "level": first.level}
    again = place.do(who.describe_organization, party=first.party, code=REAL, **same)
    assert again.version == 2


def test_a_person_is_no_organization(place):
    person = place.party("韦某", PartyKind.PERSON)
    with pytest.raises(NotAnOrganization):
        place.do(
            who.describe_organization,
            party=person,
            kind=who.OrganizationKind.OTHER,
            region="450000",
        )


def test_an_organization_of_others_is_not_seen(place):
    made = organization(place)
    caller = place.account(role=Role.BUYER)
    with place.database.reading(caller) as tx, pytest.raises(PartyNotFound):
        who.get_organization(tx, made.party)
    with pytest.raises(AccessDenied):
        place.do(who.describe_organization, caller, party=made.party, kind=made.kind, region="45")


@given(st.integers(0, 10**9 - 1), st.sampled_from(["11", "12", "51", "91", "92", "93"]))
def test_a_demonstration_code_is_valid_and_marked(number, prefix):
    code = demonstration_code(number, prefix=prefix)
    assert check_credit_code(code) == code
    assert is_demonstration_code(code)
    assert not is_demonstration_code(REAL)


@given(st.integers(0, 16), st.sampled_from("0123456789ABCDEFGHJKLMNPQRTUWXY"))
def test_one_wrong_character_is_noticed(place, letter):
    changed = REAL[:place] + letter + REAL[place + 1 :]
    if changed != REAL:
        with pytest.raises(BadCode):
            check_credit_code(changed)


def test_erasing_an_organization_takes_its_code(place):
    made = organization(place, code=REAL)
    place.do(trust.erase_party, party=made.party)
    assert REAL not in place.everything()
    organization(place, code=REAL)
    assert place.audit() == []


def test_an_agent_acts_for_a_party_within_its_period(place):
    party, agency = place.party("甲公司"), place.party("代办机构")
    agent = place.account(agency)
    now = place.database.time.now()
    given = mandate(place, agent.account, party)
    future = mandate(place, agent.account, place.party("乙"), from_at=now + timedelta(days=1))

    def reaches(owner):
        with place.database.reading(agent) as tx:
            return trust.is_allowed(tx, Action.READ, Kind.PARTY, owner=owner)

    assert reaches(party)
    assert not reaches(future.party)
    assert not reaches(agency)
    ended = place.do(who.end_mandate, mandate=given.id)
    assert ended.ended_at is not None
    assert not reaches(party)
    with pytest.raises(MandateEnded):
        place.do(who.end_mandate, mandate=given.id)
    with place.database.reading(LOCAL_ADMINISTRATOR) as tx:
        assert [one.id for one in who.find_mandates(tx, party=party)] == [given.id]
        assert len(who.find_mandates(tx, party=agency)) == 2
    assert place.audit() == []


def test_a_held_mandate_gives_nothing_until_it_is_freed(place):
    party, agent = place.party(), place.account()
    given = mandate(place, agent.account, party)
    placed = place.do(
        place_hold,
        hold=new_id(HoldId),
        subject=given.id,
        reason=HoldReason.DISPUTE,
        article="民法典 第一百七十三条",
    )
    for expected in (False, True):
        with place.database.reading(agent) as tx:
            assert trust.is_allowed(tx, Action.READ, Kind.PARTY, owner=party) is expected
        if not expected:
            place.do(lift_hold, hold=placed.id)


@pytest.mark.parametrize(
    ("changes", "refusal"),
    [
        ({"roles": ()}, BadMandate),
        ({"roles": (Role.PLATFORM,)}, BuiltInRole),
        ({"document": "x"}, BadMandate),
        ({"until_at": None}, BadMandate),
    ],
)
def test_a_mandate_without_roles_period_or_document_is_refused(place, changes, refusal):
    agent = place.account()
    if "until_at" in changes:
        changes = {"until_at": place.database.time.now() - timedelta(minutes=1)}
    with pytest.raises(refusal):
        mandate(place, agent.account, place.party(), **changes)


def test_only_an_administrator_gives_mandates_and_never_for_a_held_party(place):
    party = place.party()
    member = place.account(party, role=Role.MEMBER)
    now = place.database.time.now()
    asked = {
        "mandate": new_id(who.MandateId),
        "account": member.account,
        "party": party,
        "roles": (Role.BUYER,),
        "from_at": now,
        "until_at": now + timedelta(days=1),
        "document": DIGEST,
    }
    with pytest.raises(AccessDenied):
        place.do(who.give_mandate, member, **asked)
    ground = {"reason": HoldReason.COURT_ORDER, "article": "民事诉讼法 第一百零三条"}
    place.do(place_hold, hold=new_id(HoldId), subject=party, **ground)
    with pytest.raises(Held):
        place.do(who.give_mandate, **asked)


def test_who_acts_for_several_chooses_one_and_reaches_that_one_only(place):
    mine, other = place.party("甲"), place.party("乙")
    caller = place.account(mine, login="li", password=PASSWORD, role=Role.MEMBER)
    mandate(place, caller.account, other)
    token, _ = trust.sign_in(
        place.database, login="li", password=PASSWORD, hours=1, language="zh-CN"
    )
    whole = trust.identify_session(place.database, token)
    assert set(whole.parties) == {mine, other}
    assert whole.acting_for is None
    who.act_for(place.database, caller, token, other)
    chosen = trust.identify_session(place.database, token)
    assert chosen.acting_for == other
    assert {one.party for one in chosen.roles} == {other}
    assert set(chosen.parties) == {mine, other}
    acting = Caller(account=caller.account, channel="web", acting_for=other)
    with place.database.reading(acting) as tx:
        assert not trust.is_allowed(tx, Action.READ, Kind.PARTY, owner=mine)
        assert trust.is_allowed(tx, Action.READ, Kind.PARTY, owner=other)
        page = trust.find_parties(tx, page=PageRequest())
    assert [one.id for one in page.items] == [other]
    with pytest.raises(NotActingFor):
        who.act_for(place.database, caller, token, place.party("丙"))
    who.act_for(place.database, caller, token, None)
    assert trust.identify_session(place.database, token).acting_for is None

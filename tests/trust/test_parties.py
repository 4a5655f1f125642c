# SPDX-License-Identifier: Apache-2.0
"""Parties, accounts, roles, keys and sessions as people meet them, and what erasing leaves."""

import statistics
import time
from datetime import timedelta

import pytest

from lingqu import trust
from lingqu.kernel import errors
from lingqu.kernel.paging import PageRequest
from lingqu.kernel.values import Hidden
from lingqu.runtime import REAL_TIME, new_id
from lingqu.trust import (
    LOCAL_ADMINISTRATOR,
    PLATFORM,
    AccessDenied,
    CommandId,
    PartyKind,
    Role,
    SignInRefused,
)
from lingqu.trust import audit as audit_module
from lingqu.trust.commands import ResultErased
from lingqu.trust.parties import (
    AccountClosed,
    BuiltInRole,
    LoginTaken,
    PartyErased,
    RoleAlreadyHeld,
    RoleEnded,
    WeakPassword,
)
from lingqu.trust.sessions import ApiKeyUnknown, SessionUnknown

PASSWORD = "correct horse battery"


def sign_in(place, login, password=PASSWORD, hours=1):
    return trust.sign_in(place.database, login=login, password=password, hours=hours, language="zh")


def key_for(place, caller, label="生产线"):
    api_key, secret = new_id(trust.ApiKeyId), trust.new_secret()
    place.do(
        trust.issue_api_key,
        api_key=api_key,
        account=caller.account,
        label=label,
        secret=Hidden(secret),
    )
    return api_key, secret


def test_a_party_is_registered_read_and_renamed(place):
    party = place.party("  灵山县教育局 ")
    with place.database.reading(LOCAL_ADMINISTRATOR) as tx:
        first = trust.get_party(tx, party)
    assert (first.name, first.version, first.erased_at) == ("灵山县教育局", 1, None)
    renamed = place.do(trust.rename_party, party=party, name="浦北县教育局")
    assert (renamed.name, renamed.version) == ("浦北县教育局", 2)
    with place.database.reading(LOCAL_ADMINISTRATOR) as tx:
        assert trust.get_party(tx, party) == renamed
    versions = place.sql(
        "SELECT version FROM trust.row_version WHERE key = %s ORDER BY 1", (party,)
    )
    assert versions == [(1,), (2,)]


def test_parties_are_listed_in_pages_and_each_sees_its_own(place):
    parties = [place.party(f"p{number}") for number in range(5)]
    member = place.account(parties[2], role=Role.MEMBER)
    seen, page = [], PageRequest(size=2)
    while True:
        with place.database.reading(LOCAL_ADMINISTRATOR) as tx:
            found = trust.find_parties(tx, page=page)
        seen += [one.id for one in found.items]
        if found.next is None:
            break
        page = PageRequest(size=2, after=found.next)
    assert seen == sorted(parties)
    with place.database.reading(member) as tx:
        found = trust.find_parties(tx, page=PageRequest(size=2))
    assert [one.id for one in found.items] == [parties[2]]


def test_a_login_is_unique_whatever_its_case(place):
    place.account(login="Li.Wei@Demo")
    with pytest.raises(LoginTaken):
        place.account(login=" li.wei@demo ")


def test_an_account_signs_in_by_its_password_and_out_again(place):
    caller = place.account(login="Li", password=PASSWORD, role=Role.MEMBER)
    token, account = sign_in(place, " LI ")
    assert account == caller.account
    identity = trust.identify_session(place.database, token)
    assert (identity.account, identity.login) == (caller.account, "li")
    assert identity.has(Role.MEMBER)
    assert not identity.has(Role.ADMINISTRATOR, Role.REGULATOR)
    other = place.account()
    with pytest.raises(SessionUnknown):
        place.do(trust.close_session, other, token_hash=trust.secret_hash(token))
    place.do(trust.close_session, caller, token_hash=trust.secret_hash(token))
    with pytest.raises(SessionUnknown):
        trust.identify_session(place.database, token)
    kinds = [one["kind"] for one in place.facts()]
    assert kinds[-1] == "trust.session.closed"


@pytest.mark.parametrize("password", ["", "correct horse batter", PASSWORD + " ", "x" * 5000])
def test_a_wrong_password_is_refused_like_an_unknown_name(place, password):
    caller = place.account(login="li", password=PASSWORD)
    place.account(login="machine")
    refusals = []
    for login in ("li", "nobody", "machine"):
        with pytest.raises(SignInRefused) as refusal:
            sign_in(place, login, password)
        refusals.append((refusal.value.code, dict(refusal.value.parameters)))
    assert refusals == [("trust.session.sign_in_refused", {})] * 3
    recorded = [one["data"]["by"] for one in place.facts("trust.command.refused")]
    assert caller.account in recorded
    assert place.count("trust.session") == 0


def test_an_unknown_name_takes_as_long_as_a_wrong_password():
    known = str(trust.hash_password(PASSWORD))

    def took(password_hash):
        began = time.perf_counter()
        assert not trust.parties.check_password(password_hash, "wrong horse battery")
        return time.perf_counter() - began

    pairs = [(took(known), took(None)) for _ in range(9)]
    wrong, unknown = (statistics.median(times) for times in zip(*pairs, strict=True))
    assert 0.5 < unknown / wrong < 2
    assert unknown > 0.005


@pytest.mark.parametrize("password", ["", "elevenchars", "x" * 1001])
def test_a_weak_password_is_refused(password):
    with pytest.raises(WeakPassword):
        trust.hash_password(password)


def test_a_session_ends_by_real_time_and_is_dropped(place):
    place.account(login="li", password=PASSWORD)
    token, _ = sign_in(place, "li", hours=1)
    place.sql("UPDATE trust.session SET expires_at = now() - interval '1 second'")
    with pytest.raises(SessionUnknown):
        trust.identify_session(place.database, token)
    sign_in(place, "li", hours=1)
    with place.database.transaction(PLATFORM) as tx:
        assert trust.drop_expired_sessions(tx, now=REAL_TIME.now()) == 1
        assert trust.drop_expired_sessions(tx, now=REAL_TIME.now() + timedelta(hours=2)) == 1


def test_another_password_closes_all_sessions_and_the_old_one_is_refused(place):
    caller = place.account(login="li", password=PASSWORD)
    token, _ = sign_in(place, "li")
    other = "staple battery horse"
    stranger = place.account(login="wang", password=PASSWORD)
    change = {"account": caller.account, "password": trust.hash_password(other)}
    with pytest.raises(AccessDenied):
        place.do(trust.change_password, stranger, **change)
    place.do(trust.change_password, caller, **change)
    with pytest.raises(SessionUnknown):
        trust.identify_session(place.database, token)
    with pytest.raises(SignInRefused):
        sign_in(place, "li")
    sign_in(place, "li", other)


def test_a_closed_account_signs_in_nowhere_and_cannot_be_changed(place):
    caller = place.account(login="li", password=PASSWORD, role=Role.MEMBER)
    token, _ = sign_in(place, "li")
    _, secret = key_for(place, caller)
    place.do(trust.close_account, account=caller.account)
    with pytest.raises(SessionUnknown):
        trust.identify_session(place.database, token)
    with pytest.raises(ApiKeyUnknown):
        trust.identify_api_key(place.database, secret)
    with pytest.raises(SignInRefused):
        sign_in(place, "li")
    for command, arguments in (
        (trust.close_account, {}),
        (trust.change_password, {"password": trust.hash_password(PASSWORD)}),
    ):
        with pytest.raises(AccountClosed):
            place.do(command, account=caller.account, **arguments)
    with pytest.raises(AccountClosed):
        key_for(place, caller)


def test_roles_are_given_once_and_withdrawn_once(place):
    party = place.party()
    caller = place.account(party)
    assignment = place.give(caller.account, Role.MEMBER, party)
    with pytest.raises(RoleAlreadyHeld):
        place.give(caller.account, Role.MEMBER, party)
    ended = place.do(trust.withdraw_role, assignment=assignment)
    assert ended.ended_at is not None
    with pytest.raises(RoleEnded):
        place.do(trust.withdraw_role, assignment=assignment)
    place.give(caller.account, Role.MEMBER, party)


@pytest.mark.parametrize("role", [Role.PLATFORM, Role.SIGNED_IN, Role.VISITOR])
def test_built_in_roles_are_given_to_nobody(place, role):
    with pytest.raises(BuiltInRole):
        place.account(role=role)


def test_a_machine_acts_by_its_key_until_the_key_is_revoked(place):
    caller = place.account(role=Role.MEMBER)
    api_key, secret = key_for(place, caller)
    identity = trust.identify_api_key(place.database, secret)
    assert (identity.account, identity.has(Role.MEMBER)) == (caller.account, True)
    with pytest.raises(ApiKeyUnknown):
        trust.identify_api_key(place.database, secret + "x")
    stranger = place.account(role=Role.MEMBER)
    with pytest.raises(AccessDenied):
        place.do(trust.revoke_api_key, stranger, api_key=api_key)
    place.do(trust.revoke_api_key, caller, api_key=api_key)
    with pytest.raises(ApiKeyUnknown):
        trust.identify_api_key(place.database, secret)
    with pytest.raises(RoleEnded):
        place.do(trust.revoke_api_key, caller, api_key=api_key)


@pytest.mark.parametrize("login", ["a\0b", "\ud800", "", "x" * 10_000, "' OR 1=1 --"])
def test_a_hostile_login_or_password_is_a_refusal(place, login):
    for given in ((login, PASSWORD), ("li", login)):
        with pytest.raises((SignInRefused, errors.Rejected)):
            sign_in(place, *given)


def test_the_longest_login_signs_in_also_where_lower_case_is_longer(place):
    login = "ΐ" * 100
    try:
        place.account(login=login, password=PASSWORD)
    except errors.Rejected:
        return
    sign_in(place, login)


def test_erasing_leaves_digests_and_nothing_else(place):
    names = ("杨绛演示甲", "杨绛演示乙")
    logins = ("yang.jia.demo", "yang.yi.demo")
    label = "杨绛的钥匙"
    register = new_id(CommandId)
    party = new_id(trust.PartyId)
    asked = {"party": party, "kind": PartyKind.PERSON, "name": names[0]}
    place.do(trust.register_party, LOCAL_ADMINISTRATOR, register, **asked)
    callers = [place.account(party, login=one, password=PASSWORD) for one in logins]
    place.give(callers[0].account, Role.MEMBER, party)
    token, _ = sign_in(place, logins[0])
    _, secret = key_for(place, callers[0], label)
    place.do(trust.rename_party, party=party, name=names[1])
    bystander = place.party("旁人")
    (hashes,) = zip(*place.sql("SELECT password_hash FROM trust.account"), strict=True)
    bodies = place.sql("SELECT id, body FROM trust.fact ORDER BY id")
    before = place.everything()
    assert all(text in before for text in (*names, *logins, *hashes, label))

    erased = place.do(trust.erase_party, party=party)
    assert erased.name is None
    assert erased.erased_at is not None
    after = place.everything()
    for text in (*names, *logins, *hashes, label):
        assert text not in after
    assert "旁人" in after
    kept = dict(place.sql("SELECT id, body FROM trust.fact"))
    assert all(kept[fact] == body for fact, body in bodies)
    emptied = place.sql(
        "SELECT count(*) FROM trust.row_version WHERE table_name IN ('trust.party',"
        " 'trust.account') AND key = ANY(%s) AND (salt IS NOT NULL OR content IS NOT NULL)"
        " AND version < (SELECT max(version) FROM trust.row_version v"
        "                WHERE v.key = row_version.key)",
        ([party, *(one.account for one in callers)],),
    )
    assert emptied == [(0,)]
    assert place.audit() == []

    with pytest.raises(SessionUnknown):
        trust.identify_session(place.database, token)
    with pytest.raises(ApiKeyUnknown):
        trust.identify_api_key(place.database, secret)
    for login in logins:
        with pytest.raises(SignInRefused):
            sign_in(place, login)
    with pytest.raises(ResultErased):
        place.do(trust.register_party, LOCAL_ADMINISTRATOR, register, **asked)
    for command, arguments in (
        (trust.erase_party, {}),
        (trust.rename_party, {"name": "x"}),
    ):
        with pytest.raises(PartyErased):
            place.do(command, party=party, **arguments)
    with pytest.raises(PartyErased):
        place.account(party)
    with place.database.reading(LOCAL_ADMINISTRATOR) as tx:
        assert trust.get_party(tx, bystander).name == "旁人"


def test_a_row_put_back_after_erasing_is_found(place):
    party = place.party("杨绛", PartyKind.PERSON)
    place.do(trust.erase_party, party=party)
    place.sql("UPDATE trust.party SET name = '杨绛' WHERE id = %s", (party,))
    (finding,) = place.audit()
    assert finding.what is audit_module.Discrepancy.ROW_CHANGED
    assert (finding.place, finding.key) == ("trust.party", party)


def test_erasing_is_for_administrators_only(place):
    party = place.party()
    for role in (None, Role.MEMBER, Role.REGULATOR):
        with pytest.raises(AccessDenied):
            place.do(trust.erase_party, place.account(party, role=role), party=party)

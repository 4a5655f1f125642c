# SPDX-License-Identifier: Apache-2.0
"""Locks after failures, one-time codes that work once, and logins linked by issuer and subject."""

import threading
from datetime import timedelta

import pyotp
import pytest

from lingqu import trust
from lingqu.kernel.values import Hidden
from lingqu.runtime import REAL_TIME, new_id
from lingqu.runtime.keys import Keyring, SealBroken, Unlock, create_key_file
from lingqu.trust import LOCAL_ADMINISTRATOR, PLATFORM, AccessDenied, Role, SignInRefused
from lingqu.trust import identity as who
from lingqu.trust.identity.logins import (
    AttemptUnknown,
    BadLogin,
    LoginLinkEnded,
    LoginLinkTaken,
    LoginNotLinked,
)
from lingqu.trust.lockout import SignInLocked
from lingqu.trust.second_factor import (
    BadSecret,
    CodeRefused,
    SecondFactorExists,
    SecondFactorNotFound,
)
from lingqu.trust.sessions import StepUnknown

PASSWORD = "correct horse battery"
POLICY = who.LockPolicy(failures=3, minutes=15)
ISSUER, SUBJECT = "https://login.example", "用户-248289761001"


@pytest.fixture
def ring(tmp_path):
    create_key_file(tmp_path / "unlock.key")
    (tmp_path / "keys").mkdir(mode=0o700)
    return Keyring.open(tmp_path / "keys", Unlock.from_key_file(tmp_path / "unlock.key"))


def sign_in(place, login="li", password=PASSWORD, policy=POLICY):
    given = {"hours": 1, "language": "zh-CN", "policy": policy}
    return trust.sign_in(place.database, login=login, password=password, **given)


def fail(place, login="li"):
    with pytest.raises(SignInRefused):
        sign_in(place, login, "not the right one")


def refusals(place):
    return [one["data"]["code"] for one in place.facts("trust.command.refused")]


def enroll(place, ring, caller):
    secret = who.propose_secret("li").secret
    code = pyotp.TOTP(secret).at(REAL_TIME.now() - timedelta(seconds=30))
    ready = who.prepare_second_factor(
        ring, caller.account, secret=secret, code=code, now=REAL_TIME.now()
    )
    given = {"sealed": ready.sealed, "recovery": ready.recovery, "step": ready.step}
    place.do(who.enable_second_factor, caller, account=caller.account, **given)
    return secret, ready


def first_step(place):
    with pytest.raises(who.CodeAwaited) as awaited:
        sign_in(place)
    return str(awaited.value.step)


def finish(place, ring, step, code):
    given = {"hours": 1, "language": "zh-CN", "policy": POLICY}
    return who.finish_sign_in(place.database, ring, step=step, code=code, **given)


def test_a_login_locks_after_failures_whether_or_not_it_exists(place):
    caller = place.account(login="li", password=PASSWORD)
    refused = []
    for login in ("li", "nobody"):
        for _ in range(3):
            fail(place, login)
        with pytest.raises(SignInLocked) as locked:
            sign_in(place, login)
        assert 800 < locked.value.parameters["seconds"] <= 900
        refused.append((locked.value.code, sorted(locked.value.parameters)))
    assert refused[0] == refused[1]
    assert refusals(place) == ["trust.session.sign_in_refused"] * 3 + ["trust.session.locked"]
    assert {one["data"]["by"] for one in place.facts("trust.command.refused")} == {caller.account}


def test_success_forgets_the_failures_before_it(place):
    place.account(login="li", password=PASSWORD)
    for _ in range(3):
        fail(place)
        fail(place)
        sign_in(place)
    assert place.count("trust.sign_in_failure") == 0


def test_a_lock_ends_by_time_and_old_failures_are_dropped(place):
    place.account(login="li", password=PASSWORD)
    for _ in range(3):
        fail(place)
    place.sql("UPDATE trust.sign_in_failure SET failed_at = failed_at - interval '15 minutes'")
    sign_in(place)
    fail(place)
    place.sql("UPDATE trust.sign_in_failure SET failed_at = failed_at - interval '15 minutes'")
    with place.database.transaction(PLATFORM) as tx:
        assert who.drop_old_failures(tx, now=REAL_TIME.now(), policy=POLICY) == 1


def test_an_administrator_unlocks_and_others_do_not(place):
    caller = place.account(login="li", password=PASSWORD)
    for _ in range(3):
        fail(place)
    with pytest.raises(AccessDenied):
        place.do(who.unlock_account, caller, account=caller.account)
    place.do(who.unlock_account, account=caller.account)
    sign_in(place)
    assert place.facts("trust.account.unlocked")[0]["data"] == {"account": caller.account}


def test_many_guesses_at_once_are_counted_one_by_one(place):
    place.account(login="li", password=PASSWORD)
    outcomes = []

    def guess():
        try:
            sign_in(place, password="a wrong password")
        except (SignInRefused, SignInLocked) as refusal:
            outcomes.append(refusal.code)

    threads = [threading.Thread(target=guess) for _ in range(8)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert sorted(outcomes) == ["trust.session.locked"] * 5 + ["trust.session.sign_in_refused"] * 3


def test_a_code_is_asked_for_and_works_once(place, ring):
    caller = place.account(login="li", password=PASSWORD, role=Role.MEMBER)
    secret, _ = enroll(place, ring, caller)
    assert trust.sign_in.__module__ == "lingqu.trust.sessions"
    code = pyotp.TOTP(secret).at(REAL_TIME.now())
    token, account = finish(place, ring, first_step(place), code)
    assert account == caller.account
    assert trust.identify_session(place.database, token).second_factor
    with pytest.raises(CodeRefused):
        finish(place, ring, first_step(place), code)
    later = pyotp.TOTP(secret).at(REAL_TIME.now() + timedelta(seconds=30))
    step = first_step(place)
    finish(place, ring, step, f" {later[:3]} {later[3:]} ")
    with pytest.raises(StepUnknown):
        finish(place, ring, step, later)
    earlier = pyotp.TOTP(secret).at(REAL_TIME.now())
    with pytest.raises(CodeRefused):
        finish(place, ring, first_step(place), earlier)
    assert place.audit() == []


def test_the_code_that_switched_the_factor_on_opens_nothing_more(place, ring):
    caller = place.account(login="li", password=PASSWORD, role=Role.MEMBER)
    secret, ready = enroll(place, ring, caller)
    with pytest.raises(CodeRefused):
        finish(place, ring, first_step(place), pyotp.TOTP(secret).generate_otp(ready.step))
    finish(place, ring, first_step(place), pyotp.TOTP(secret).generate_otp(ready.step + 1))


def test_wrong_codes_lock_like_wrong_passwords(place, ring):
    caller = place.account(login="li", password=PASSWORD)
    secret, _ = enroll(place, ring, caller)
    step = first_step(place)
    for wrong in ("000000x", "", "000 000x"):
        with pytest.raises(CodeRefused):
            finish(place, ring, step, wrong)
    with pytest.raises(SignInLocked):
        finish(place, ring, step, pyotp.TOTP(secret).at(REAL_TIME.now()))
    assert "trust.session.code_refused" in refusals(place)


def test_a_recovery_code_works_once_however_it_is_typed(place, ring):
    caller = place.account(login="li", password=PASSWORD)
    _, ready = enroll(place, ring, caller)
    finish(place, ring, first_step(place), ready.codes[0].upper().replace("-", " "))
    with pytest.raises(CodeRefused):
        finish(place, ring, first_step(place), ready.codes[0])
    finish(place, ring, first_step(place), ready.codes[1])
    used = place.facts("trust.second_factor.recovered")
    assert [one["data"]["left"] for one in used] == [9, 8]
    assert {one["command"]["name"] for one in used} == {"trust.second_factor.recover"}


def test_a_half_done_sign_in_is_over_after_some_minutes(place, ring):
    caller = place.account(login="li", password=PASSWORD)
    secret, _ = enroll(place, ring, caller)
    step = first_step(place)
    place.sql("UPDATE trust.sign_in_step SET expires_at = now()")
    with pytest.raises(StepUnknown):
        finish(place, ring, step, pyotp.TOTP(secret).at(REAL_TIME.now()))
    with place.database.transaction(PLATFORM) as tx:
        trust.drop_expired_sessions(tx, now=REAL_TIME.now())
    assert place.count("trust.sign_in_step") == 0


def test_a_second_factor_needs_a_code_of_its_secret_and_is_switched_on_once(place, ring):
    caller = place.account(login="li", password=PASSWORD)
    secret = who.propose_secret("li").secret
    for given, refusal in (
        ({"secret": secret, "code": "000000"}, CodeRefused),
        ({"secret": "short", "code": "000000"}, BadSecret),
    ):
        with pytest.raises(refusal):
            who.prepare_second_factor(ring, caller.account, now=REAL_TIME.now(), **given)
    _, ready = enroll(place, ring, caller)
    stranger = place.account()
    with pytest.raises(AccessDenied):
        place.do(who.disable_second_factor, stranger, account=caller.account)
    with pytest.raises(SecondFactorExists):
        enroll(place, ring, caller)
    with place.database.reading(caller) as tx:
        assert who.is_prepared(tx, caller.account, ready)
    place.do(who.disable_second_factor, caller, account=caller.account)
    sign_in(place)
    with pytest.raises(SecondFactorNotFound):
        place.do(who.disable_second_factor, caller, account=caller.account)
    enroll(place, ring, caller)
    first_step(place)


def test_the_secret_is_kept_sealed_and_bound_to_its_account(place, ring):
    caller = place.account(login="li", password=PASSWORD)
    secret, ready = enroll(place, ring, caller)
    kept = place.everything()
    for text in (secret, secret.encode().hex(), *ready.codes):
        assert text not in kept
    sealed = bytes.fromhex(ready.sealed)
    assert ring.unseal(sealed, about=str(caller.account)).decode() == secret
    with pytest.raises(SealBroken):
        ring.unseal(sealed, about=str(new_id(trust.AccountId)))
    with pytest.raises(SealBroken):
        ring.unseal(sealed[:-1] + bytes([sealed[-1] ^ 1]), about=str(caller.account))
    ring.rotate("secret", at=REAL_TIME.now(), key_id=new_id(type(ring.all("secret")[0].id)))
    assert ring.unseal(sealed, about=str(caller.account)).decode() == secret


def link(place, caller, subject=SUBJECT, issuer=ISSUER, by=None):
    asked = {"link": new_id(who.LoginLinkId), "account": caller.account, "issuer": issuer}
    by = by or caller
    return place.do(who.link_login, by, subject=Hidden(subject), **asked)


def by_link(place, subject=SUBJECT, issuer=ISSUER):
    given = {"hours": 1, "language": "zh-CN"}
    return who.sign_in_by_link(place.database, issuer=issuer, subject=subject, **given)


def test_a_linked_login_opens_its_account_until_it_is_unlinked(place):
    caller = place.account(login="li")
    with pytest.raises(LoginNotLinked):
        by_link(place)
    made = link(place, caller)
    assert by_link(place)[1] == caller.account
    for other in ({"subject": SUBJECT + "x"}, {"issuer": ISSUER + "/"}):
        with pytest.raises(LoginNotLinked):
            by_link(place, **other)
    with pytest.raises(LoginLinkTaken):
        link(place, place.account())
    with pytest.raises(AccessDenied):
        place.do(who.unlink_login, place.account(), link=made)
    place.do(who.unlink_login, caller, link=made)
    with pytest.raises(LoginLinkEnded):
        place.do(who.unlink_login, caller, link=made)
    with pytest.raises(LoginNotLinked):
        by_link(place)
    assert SUBJECT not in str(place.facts())
    assert place.audit() == []


def test_a_linked_login_asks_for_the_code_too_and_a_closed_account_stays_closed(place, ring):
    caller = place.account(login="li", password=PASSWORD)
    link(place, caller)
    enroll(place, ring, caller)
    with pytest.raises(who.CodeAwaited):
        by_link(place)
    place.do(trust.close_account, account=caller.account)
    with pytest.raises(LoginNotLinked):
        by_link(place)


@pytest.mark.parametrize(
    "given", [{"subject": ""}, {"subject": "x" * 256}, {"subject": "a\nb"}, {"issuer": "ftp://x"}]
)
def test_what_names_no_login_is_refused(place, given):
    with pytest.raises(BadLogin):
        link(place, place.account(), **given)


def test_an_answer_is_taken_once_by_the_browser_that_asked(place):
    attempt = who.Attempt(issuer=ISSUER, nonce="n", verifier="v", onward="/", account=None)
    for state, browser, good in (("a", "mine", True), ("b", "other", False)):
        who.keep_attempt(place.database, attempt, state=state, browser="mine")
        if good:
            assert who.take_attempt(place.database, state=state, browser=browser) == attempt
        else:
            with pytest.raises(AttemptUnknown):
                who.take_attempt(place.database, state=state, browser=browser)
        with pytest.raises(AttemptUnknown):
            who.take_attempt(place.database, state=state, browser="mine")
    who.keep_attempt(place.database, attempt, state="c", browser="mine")
    place.sql("UPDATE trust.openid_attempt SET expires_at = now()")
    with pytest.raises(AttemptUnknown):
        who.take_attempt(place.database, state="c", browser="mine")


def test_erasing_a_person_takes_every_proof_with_it(place, ring):
    party = place.party("杨绛演示", trust.PartyKind.PERSON)
    caller = place.account(party, login="yang.demo", password=PASSWORD)
    given = {"hours": 1, "language": "zh-CN"}
    with pytest.raises(SignInRefused):
        trust.sign_in(place.database, login="yang.demo", password="wrong password", **given)
    link(place, caller)
    _, ready = enroll(place, ring, caller)
    with pytest.raises(who.CodeAwaited):
        trust.sign_in(place.database, login="yang.demo", password=PASSWORD, **given)
    before = place.everything()
    traces = (SUBJECT, str(ready.sealed), *(str(one) for one in ready.recovery))
    assert all(one in before for one in traces)
    place.do(trust.erase_party, LOCAL_ADMINISTRATOR, party=party)
    after = place.everything()
    assert not [one for one in (*traces, "yang.demo", "杨绛演示") if one in after]
    for table in ("sign_in_failure", "sign_in_step", "second_factor_use"):
        assert place.count(f"trust.{table}") == 0
    assert place.audit() == []

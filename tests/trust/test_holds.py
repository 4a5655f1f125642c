# SPDX-License-Identifier: Apache-2.0
"""Anything with an id can be held, and nothing that depends on it commits while it is."""

import threading
from datetime import timedelta

import pytest

from lingqu import trust
from lingqu.kernel import errors
from lingqu.kernel.paging import PageRequest
from lingqu.kernel.values import Hidden
from lingqu.runtime import new_id
from lingqu.trust import LOCAL_ADMINISTRATOR, AccessDenied, Role, holds
from lingqu.trust.holds import Held, HoldReason
from lingqu.trust.holds.subjects import BadGround, BadSubject, HoldLifted, HoldNotFound, HoldTaken
from lingqu.trust.sessions import ApiKeyUnknown, SessionUnknown

PASSWORD = "correct horse battery"
ARTICLE = "数据安全法 第四十四条"
DIGEST = "ab" * 32


def hold(place, subject, caller=LOCAL_ADMINISTRATOR, command=None, /, **changes):
    asked = {
        "hold": new_id(holds.HoldId),
        "subject": subject,
        "reason": HoldReason.SUPERVISION,
        "article": ARTICLE,
    }
    return place.do(holds.place_hold, caller, command, **(asked | changes))


def test_a_held_thing_is_refused_with_the_ground_until_the_last_hold_is_lifted(place):
    subject = new_id(trust.FactId)
    first = hold(place, subject, evidence=DIGEST)
    second = hold(place, subject, reason=HoldReason.DISPUTE, article="民法典 第二百三十四条")
    for lifted, ground in ((first, ARTICLE), (second, "民法典 第二百三十四条")):
        with place.database.reading() as tx:
            assert holds.is_held(tx, subject=subject)
            with pytest.raises(Held) as refusal:
                holds.refuse_held(tx, subjects=(new_id(trust.PartyId), subject))
        assert refusal.value.article == ground
        assert refusal.value.parameters["subject"] == subject
        assert refusal.value.parameters["hold"] == lifted.id
        place.do(holds.lift_hold, hold=lifted.id)
    with place.database.reading() as tx:
        assert not holds.is_held(tx, subject=subject)
        holds.refuse_held(tx, subjects=(subject,))
    placed = place.facts("trust.hold.placed")[0]["data"]
    assert placed == {
        "hold": first.id,
        "subject": subject,
        "reason": "supervision",
        "article": ARTICLE,
        "evidence": DIGEST,
    }
    assert len(place.facts("trust.hold.lifted")) == 2
    assert place.audit() == []


def test_only_the_held_ones_of_many_are_named(place):
    things = [new_id(trust.PartyId) for _ in range(5)]
    hold(place, things[1])
    hold(place, things[3])
    hold(place, things[3])
    with place.database.reading() as tx:
        assert holds.find_held(tx, subjects=things) == tuple(sorted((things[1], things[3])))
        assert holds.find_held(tx, subjects=()) == ()
        holds.refuse_held(tx, subjects=())


def test_a_hold_is_lifted_once_and_its_id_is_used_once(place):
    placed = hold(place, place.party())
    assert (placed.lifted_at, placed.placed_by) == (None, LOCAL_ADMINISTRATOR.account)
    lifted = place.do(holds.lift_hold, hold=placed.id)
    assert lifted.lifted_by == LOCAL_ADMINISTRATOR.account
    with pytest.raises(HoldLifted):
        place.do(holds.lift_hold, hold=placed.id)
    with pytest.raises(HoldNotFound):
        place.do(holds.lift_hold, hold=new_id(holds.HoldId))
    with pytest.raises(HoldTaken):
        hold(place, place.party(), hold=placed.id)


def test_sending_it_again_gives_the_same_hold(place):
    command = new_id(trust.CommandId)
    asked = {"hold": new_id(holds.HoldId), "subject": place.party()}
    subject = asked.pop("subject")
    first = hold(place, subject, LOCAL_ADMINISTRATOR, command, **asked)
    assert hold(place, subject, LOCAL_ADMINISTRATOR, command, **asked) == first
    assert place.count("trust.hold") == 1


@pytest.mark.parametrize("text", ["", "x", "xyz_01jc0000000000000000000000", "pty_x", "南宁"])
def test_what_has_no_typed_id_cannot_be_held(place, text):
    with pytest.raises((BadSubject, errors.Rejected)):
        hold(place, text)


@pytest.mark.parametrize(
    "changes",
    [{"article": ""}, {"article": "a\nb"}, {"article": "x" * 201}, {"evidence": "AB" * 32}],
)
def test_a_hold_without_a_ground_is_refused(place, changes):
    with pytest.raises(BadGround):
        hold(place, new_id(trust.PartyId), **changes)


def test_supervisors_hold_and_others_do_not(place):
    subject = place.party()
    for role in (None, Role.MEMBER):
        caller = place.account(subject, role=role)
        with pytest.raises(AccessDenied):
            hold(place, subject, caller)
        with place.database.reading(caller) as tx, pytest.raises(AccessDenied):
            holds.find_holds(tx, page=PageRequest())
    regulator = place.account(role=Role.REGULATOR)
    placed = hold(place, subject, regulator)
    assert placed.placed_by == regulator.account
    with place.database.reading(regulator) as tx:
        assert [one.id for one in holds.find_holds(tx, page=PageRequest()).items] == [placed.id]


def test_holds_are_listed_newest_first_by_pages(place):
    subject, other = place.party(), place.party()
    made = [hold(place, subject).id for _ in range(4)]
    hold(place, other)
    place.do(holds.lift_hold, hold=made[1])
    seen, page = [], PageRequest(size=2)
    while page is not None:
        with place.database.reading(LOCAL_ADMINISTRATOR) as tx:
            found = holds.find_holds(tx, page=page, subject=subject)
        seen += [one.id for one in found.items]
        page = found.next and PageRequest(size=2, after=found.next)
    assert seen == made[::-1]
    with place.database.reading(LOCAL_ADMINISTRATOR) as tx:
        found = holds.find_holds(tx, page=PageRequest(), subject=subject, in_force=True)
    assert [one.id for one in found.items] == [made[3], made[2], made[0]]


def test_a_hold_waits_for_a_command_that_relied_on_the_thing_and_stops_the_next(place):
    subject = new_id(trust.PartyId)
    placed, order = threading.Event(), []

    def place_it():
        hold(place, subject)
        order.append("held")
        placed.set()

    with place.database.transaction(LOCAL_ADMINISTRATOR) as tx:
        holds.refuse_held(tx, subjects=(subject,))
        thread = threading.Thread(target=place_it)
        thread.start()
        assert not placed.wait(0.3)
        order.append("relied")
    thread.join(20)
    assert order == ["relied", "held"]
    with place.database.transaction(LOCAL_ADMINISTRATOR) as tx, pytest.raises(Held):
        holds.refuse_held(tx, subjects=(subject,))


def test_a_command_waits_for_a_hold_that_is_being_placed(place):
    subject, hold_id = new_id(trust.PartyId), new_id(holds.HoldId)
    outcome = []

    def rely():
        with place.database.transaction(LOCAL_ADMINISTRATOR) as tx:
            try:
                holds.refuse_held(tx, subjects=(subject,))
            except Held as refusal:
                outcome.append(refusal.parameters["hold"])

    with place.superuser() as other:
        other.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 2))", (subject,))
        thread = threading.Thread(target=rely)
        thread.start()
        thread.join(0.3)
        assert outcome == []
        other.execute(
            "INSERT INTO trust.hold (id, subject, reason, article, placed_by, placed_at, version)"
            " VALUES (%s, %s, 'dispute', 'x', 'acc', now(), 1)",
            (hold_id, subject),
        )
    thread.join(20)
    assert outcome == [hold_id]


def test_a_held_account_is_out_until_it_is_freed(place):
    caller = place.account(login="li", password=PASSWORD, role=Role.MEMBER)
    secret = trust.new_secret()
    key = {"api_key": new_id(trust.ApiKeyId), "account": caller.account, "label": "线"}
    place.do(trust.issue_api_key, secret=Hidden(secret), **key)
    given = {"login": "li", "password": PASSWORD, "hours": 1, "language": "zh-CN"}
    token, _ = trust.sign_in(place.database, **given)
    placed = hold(place, caller.account)
    with pytest.raises(SessionUnknown):
        trust.identify_session(place.database, token)
    with pytest.raises(ApiKeyUnknown):
        trust.identify_api_key(place.database, secret)
    with pytest.raises(Held):
        trust.sign_in(place.database, **given)
    with pytest.raises(trust.SignInRefused):
        trust.sign_in(place.database, **(given | {"password": "not the one it has"}))
    place.do(holds.lift_hold, hold=placed.id)
    trust.sign_in(place.database, **given)
    assert trust.identify_session(place.database, token).account == caller.account
    assert trust.identify_api_key(place.database, secret).account == caller.account


def test_a_held_party_gets_no_new_accounts_roles_or_keys(place):
    party = place.party()
    caller = place.account(party)
    placed = hold(place, party)
    for attempt in (
        lambda: place.account(party),
        lambda: place.give(caller.account, Role.MEMBER, party),
        lambda: place.do(
            trust.issue_api_key,
            api_key=new_id(trust.ApiKeyId),
            account=caller.account,
            label="线",
            secret=Hidden("x"),
        ),
    ):
        with pytest.raises(Held):
            attempt()
    place.do(holds.lift_hold, hold=placed.id)
    place.give(caller.account, Role.MEMBER, party)


def test_a_hold_changed_behind_the_log_is_found(place):
    placed = hold(place, place.party())
    later = placed.placed_at + timedelta(days=1)
    place.sql("UPDATE trust.hold SET placed_at = %s WHERE id = %s", (later, placed.id))
    (finding,) = place.audit()
    assert (finding.place, finding.key) == ("trust.hold", placed.id)

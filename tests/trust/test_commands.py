# SPDX-License-Identifier: Apache-2.0
"""A command and its facts exist together or not at all, once for each id."""

import dataclasses
import threading
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lingqu import trust
from lingqu.kernel import errors
from lingqu.runtime import BadData, Caller, DatabaseBusy, Tx, new_id
from lingqu.trust import (
    LOCAL_ADMINISTRATOR,
    VISITOR,
    AccessDenied,
    Action,
    CommandId,
    Fact,
    Kind,
    PartyId,
    PartyKind,
)
from lingqu.trust.access import CallerUnknown
from lingqu.trust.commands import CommandIdReused
from lingqu.trust.parties import PARTIES, BadName, Party
from lingqu.trust.rows import IdTaken

REFUSED = "trust.command.refused"


def some_party(tx, name="样本"):
    return Party(
        id=new_id(PartyId), kind=PartyKind.ORGANIZATION, name=name, created_at=tx.now
    )  # fmt: skip


@pytest.fixture(scope="module")
def samples(registries):  # noqa: C901  # one small command for each rule
    """Commands that keep or break the rules, each in one way."""

    @dataclasses.dataclass(frozen=True, kw_only=True)
    class Noted(Fact):
        kind = "test.noted"
        text: str

    def may(tx):
        trust.authorize(tx, Action.CREATE, Kind.PARTY)

    @trust.command("test.kept")
    def kept(tx: Tx, *, text: str) -> str:
        may(tx)
        PARTIES.insert(tx, some_party(tx))
        trust.record(tx, Noted(text=text))
        return f"{text} {new_id(PartyId)}"

    @trust.command("test.unauthorized")
    def unauthorized(tx: Tx) -> None:
        PARTIES.insert(tx, some_party(tx))
        trust.record(tx, Noted(text=""))

    @trust.command("test.silent")
    def silent(tx: Tx) -> None:
        may(tx)
        tx.execute("INSERT INTO trust.party VALUES ('x', 'person', 'x', now(), NULL, 1)")

    @trust.command("test.trailing")
    def trailing(tx: Tx) -> None:
        may(tx)
        trust.record(tx, Noted(text=""))
        PARTIES.insert(tx, some_party(tx))

    @trust.command("test.refusing")
    def refusing(tx: Tx) -> None:
        may(tx)
        PARTIES.insert(tx, some_party(tx))
        trust.record(tx, Noted(text="never"))
        raise BadName(most=1)

    @trust.command("test.failing")
    def failing(tx: Tx) -> None:
        may(tx)
        PARTIES.insert(tx, some_party(tx))
        trust.record(tx, Noted(text="never"))
        raise ZeroDivisionError

    @trust.command("test.outer")
    def outer(tx: Tx, *, inner: int) -> int:
        may(tx)
        for number in range(inner):
            kept(tx, text=f"inner {number}")
        trust.record(tx, Noted(text="outer"))
        return inner

    @trust.command("test.outer.silent")
    def outer_silent(tx: Tx) -> None:
        may(tx)
        trust.record(tx, Noted(text="outer"))
        silent(tx)

    @trust.command("test.outer.unauthorized")
    def outer_unauthorized(tx: Tx) -> None:
        may(tx)
        unauthorized(tx)

    @trust.command("test.cross")
    def cross(tx: Tx, *, first: PartyId, second: PartyId) -> None:
        held = PARTIES.lock(tx, first)
        may(tx)
        meeting.pop().wait(10) if meeting else None
        PARTIES.lock(tx, second)
        PARTIES.update(tx, held, name=f"{held.version}")
        trust.record(tx, Noted(text="crossed"))

    meeting = []
    return SimpleNamespace(**{k: v for k, v in locals().items() if k != "registries"})


def test_a_committed_command_has_its_facts_and_they_name_its_rows(place, samples):
    command_id = new_id(CommandId)
    place.do(samples.outer, LOCAL_ADMINISTRATOR, command_id, inner=2)
    mine = [one for one in place.facts() if one["command"]["id"] == command_id]
    assert [one["data"]["text"] for one in mine] == ["inner 0", "inner 1", "outer"]
    assert [one["ordinal"] for one in mine] == [0, 1, 2]
    assert [len(one["rows"]) for one in mine] == [1, 1, 0]
    assert {one["actor"] for one in mine} == {LOCAL_ADMINISTRATOR.account}
    assert {one["command"]["name"] for one in mine} == {"test.outer"}
    named = {(row["key"], row["digest"]) for one in mine for row in one["rows"]}
    kept = place.sql(
        "SELECT key, encode(sha256(salt || convert_to(content, 'UTF8')), 'hex')"
        " FROM trust.row_version WHERE table_name = 'trust.party'"
    )
    assert named == set(kept)
    assert place.audit() == []


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("unauthorized", "authorised nothing"),
        ("silent", "recorded no fact"),
        ("trailing", "wrote rows after its last fact"),
        ("outer_silent", "recorded no fact"),
        ("outer_unauthorized", "authorised nothing"),
    ],
)
def test_a_command_that_breaks_a_rule_does_not_commit(place, samples, name, words):
    before = place.everything()
    with pytest.raises(AssertionError, match=words):
        place.do(getattr(samples, name))
    assert place.everything() == before


def test_a_command_outside_of_execute_and_rows_outside_of_a_command_do_not_run(place, samples):
    before = place.everything()
    with place.database.transaction(LOCAL_ADMINISTRATOR) as tx:
        with pytest.raises(AssertionError, match="runs through execute"):
            samples.kept(tx, text="")
        with pytest.raises(AssertionError, match="by commands only"):
            trust.record(tx, samples.Noted(text=""))
    with (
        pytest.raises(AssertionError, match="by commands only"),
        place.database.transaction(LOCAL_ADMINISTRATOR) as tx,
    ):
        PARTIES.insert(tx, some_party(tx))
    assert place.everything() == before


def test_no_fact_exists_without_its_command_and_no_command_without_a_fact(place, samples):
    for _ in range(3):
        place.do(samples.kept, text="a")
        with pytest.raises(BadName):
            place.do(samples.refusing)
    assert not place.sql(
        "SELECT 1 FROM trust.fact f FULL JOIN trust.command c ON c.id = f.command"
        " WHERE f.id IS NULL OR c.id IS NULL"
    )


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(text=st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=40))
def test_the_same_id_with_the_same_content_gives_the_same_result(shared, samples, text):
    command_id = new_id(CommandId)
    first = shared.do(samples.kept, LOCAL_ADMINISTRATOR, command_id, text=text)
    before = shared.count("trust.fact")
    assert shared.do(samples.kept, LOCAL_ADMINISTRATOR, command_id, text=text) == first
    assert shared.count("trust.fact") == before
    with pytest.raises(CommandIdReused):
        shared.do(samples.kept, LOCAL_ADMINISTRATOR, command_id, text=text + " ")


@pytest.fixture(scope="module")
def shared(trust_server, place_type):
    made = place_type(trust_server)
    made.found()
    yield made
    made.close()


def test_a_command_id_used_by_another_actor_or_for_another_command_conflicts(place, samples):
    command_id = new_id(CommandId)
    place.do(samples.kept, LOCAL_ADMINISTRATOR, command_id, text="a")
    other = place.account(role=trust.Role.ADMINISTRATOR)
    before = place.count("trust.party")
    with pytest.raises(CommandIdReused):
        place.do(samples.kept, other, command_id, text="a")
    with pytest.raises(CommandIdReused):
        place.do(samples.outer, LOCAL_ADMINISTRATOR, command_id, inner=1)
    assert place.count("trust.party") == before
    assert [one["data"]["attempt"] for one in place.facts(REFUSED)] == [command_id] * 2


def test_a_replayed_result_is_the_whole_value_that_was_given_first(place):
    command_id, party = new_id(CommandId), new_id(PartyId)
    asked = {"party": party, "kind": PartyKind.PERSON, "name": "  Ödön 杨 "}
    first = place.do(trust.register_party, LOCAL_ADMINISTRATOR, command_id, **asked)
    again = place.do(trust.register_party, LOCAL_ADMINISTRATOR, command_id, **asked)
    assert again == first
    assert type(again) is Party
    assert type(again.id) is PartyId


def test_sixteen_duplicates_at_once_commit_once(place, samples):
    database = place.open(size=16)
    try:
        with ThreadPoolExecutor(16) as pool:
            for number in range(12):
                command_id, gate = new_id(CommandId), threading.Barrier(16)
                before = place.count("trust.party")

                def attempt(_, command_id=command_id, gate=gate, number=number):
                    gate.wait(20)
                    caller = LOCAL_ADMINISTRATOR
                    return trust.execute(
                        database, samples.kept, caller, command_id, text=f"round {number}"
                    )

                assert len(set(pool.map(attempt, range(16)))) == 1
                assert place.count("trust.party") == before + 1
                assert len(place.facts("test.noted")) == number + 1
    finally:
        database.close()


def test_sixteen_different_contents_under_one_id_commit_one_of_them(place, samples):
    database = place.open(size=16)
    command_id, gate = new_id(CommandId), threading.Barrier(16)

    def attempt(number):
        gate.wait(20)
        try:
            return trust.execute(
                database, samples.kept, LOCAL_ADMINISTRATOR, command_id, text=str(number)
            )
        except CommandIdReused:
            return None

    try:
        with ThreadPoolExecutor(16) as pool:
            results = list(pool.map(attempt, range(16)))
    finally:
        database.close()
    assert len([one for one in results if one is not None]) == 1
    assert len(place.facts("test.noted")) == 1
    assert len(place.facts(REFUSED)) == 15


def test_a_refusal_changes_nothing_and_is_itself_recorded(place, samples):
    parties, command_id = place.count("trust.party"), new_id(CommandId)
    with pytest.raises(BadName):
        place.do(samples.refusing, LOCAL_ADMINISTRATOR, command_id)
    assert place.count("trust.party") == parties
    assert place.facts("test.noted") == []
    (refused,) = place.facts(REFUSED)
    assert refused["data"] == {
        "attempt": command_id,
        "by": LOCAL_ADMINISTRATOR.account,
        "command": "test.refusing",
        "channel": "cli",
        "code": "trust.party.bad_name",
        "article": None,
    }
    assert refused["actor"] == trust.PLATFORM.account
    assert not place.sql("SELECT 1 FROM trust.command WHERE id = %s", (command_id,))
    assert place.audit() == []


def test_a_failure_that_is_no_refusal_changes_nothing_at_all(place, samples):
    before = place.everything()
    with pytest.raises(ZeroDivisionError):
        place.do(samples.failing)
    assert place.everything() == before


def test_a_refused_id_may_be_used_again_for_what_is_allowed(place):
    command_id, party = new_id(CommandId), new_id(PartyId)
    asked = {"party": party, "kind": PartyKind.PERSON}
    with pytest.raises(BadName):
        place.do(trust.register_party, LOCAL_ADMINISTRATOR, command_id, name=" ", **asked)
    made = place.do(trust.register_party, LOCAL_ADMINISTRATOR, command_id, name="杨", **asked)
    assert made.name == "杨"


def test_a_closed_or_unknown_account_is_refused_also_when_it_repeats_itself(place, samples):
    caller = place.account(role=trust.Role.ADMINISTRATOR)
    command_id = new_id(CommandId)
    place.do(samples.kept, caller, command_id, text="a")
    place.do(trust.close_account, account=caller.account)
    stranger = Caller(account=new_id(trust.AccountId), channel="api")
    for who, attempt in ((caller, new_id(CommandId)), (caller, command_id), (stranger, None)):
        with pytest.raises(CallerUnknown):
            place.do(samples.kept, who, attempt, text="a")
    refused = [(one["data"]["by"], one["data"]["code"]) for one in place.facts(REFUSED)]
    code = "trust.access.caller_unknown"
    assert refused == [(caller.account, code)] * 2 + [(stranger.account, code)]


def test_a_visitor_is_refused_and_recorded(place, samples):
    with pytest.raises(AccessDenied):
        place.do(samples.kept, VISITOR, text="a")
    (refused,) = place.facts(REFUSED)
    assert (refused["data"]["by"], refused["data"]["code"]) == (
        VISITOR.account,
        "trust.access.denied",
    )


def test_a_deadlock_is_tried_again_and_both_commands_commit(place, samples):
    one, two = place.party("一"), place.party("二")
    together = threading.Barrier(2)
    samples.meeting[:] = [together, together]

    def cross(pair):
        return place.do(samples.cross, first=pair[0], second=pair[1])

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(cross, ((one, two), (two, one))))
    assert samples.meeting == []
    assert len(place.facts("test.noted")) == 2
    assert place.audit() == []


def test_what_stays_locked_is_a_refusal_to_try_later_and_is_not_recorded(place):
    party = place.party()
    with place.superuser() as other:
        other.execute("SELECT 1 FROM trust.party WHERE id = %s FOR UPDATE", (party,))

        def lock(tx):
            tx.execute("SET LOCAL lock_timeout = '100ms'")
            PARTIES.lock(tx, party)

        with pytest.raises(DatabaseBusy):
            place.database.run(LOCAL_ADMINISTRATOR, lock)
    assert place.facts(REFUSED) == []


@pytest.mark.parametrize("name", ["a\0b", "", " ", "\n", "a\tb", "\u202e", "x" * 201])
def test_a_name_that_cannot_be_kept_is_a_refusal(place, name):
    before = place.count("trust.party")
    with pytest.raises(errors.Rejected):
        place.party(name)
    assert place.count("trust.party") == before
    (refused,) = place.facts(REFUSED)
    assert name.strip() == "" or name not in str(refused["data"])


def test_bad_data_found_by_the_database_is_a_refusal(place, samples):
    @trust.command("test.nul")
    def nul(tx: Tx) -> None:
        trust.authorize(tx, Action.CREATE, Kind.PARTY)
        PARTIES.insert(tx, some_party(tx, "a\0b"))
        trust.record(tx, samples.Noted(text=""))

    with pytest.raises(BadData):
        place.do(nul)
    assert [one["data"]["code"] for one in place.facts(REFUSED)] == ["runtime.database.bad_data"]


def test_an_id_that_is_taken_is_a_conflict(place):
    party = place.party()
    with pytest.raises(IdTaken):
        place.do(trust.register_party, party=party, kind=PartyKind.PERSON, name="b")
    caller = place.account(party)
    with pytest.raises(errors.Conflict):
        place.do(
            trust.open_account,
            account=caller.account,
            party=party,
            kind=trust.AccountKind.PERSON,
        )
    assert len(place.facts(REFUSED)) == 2

# SPDX-License-Identifier: Apache-2.0
"""Every role, action and kind through real accounts; and what the database itself forbids."""

import itertools

import psycopg
import pytest

from lingqu import trust
from lingqu.runtime import Caller, new_id
from lingqu.trust import (
    LOCAL_ADMINISTRATOR,
    PLATFORM,
    VISITOR,
    AccessDenied,
    Action,
    Kind,
    Role,
)
from lingqu.trust.access import RIGHTS, CallerUnknown, Reach

GIVEN = tuple(set(Role) - {Role.PLATFORM, Role.SIGNED_IN, Role.VISITOR})
CELLS = tuple(itertools.product(Action, Kind))


def allowed(tx, action, kind, **about):
    try:
        trust.authorize(tx, action, kind, **about)
    except AccessDenied as refusal:
        named = dict(refusal.parameters)
        return False if named == {"action": action.value, "kind": kind.value} else named
    return True


@pytest.fixture
def actors(place):
    """A real account for every role, and the party it holds the role for."""
    made = {}
    for role in GIVEN:
        party = place.party(role.value)
        made[role] = (place.account(party, role=role), party)
    own = place.party("own")
    made[Role.SIGNED_IN] = (place.account(own), own)
    for role, caller in (
        (Role.PLATFORM, PLATFORM),
        (Role.ADMINISTRATOR, LOCAL_ADMINISTRATOR),
        (Role.VISITOR, VISITOR),
    ):
        made.setdefault(role, (caller, new_id(trust.PartyId)))
    assert made.keys() == set(Role)
    return made


def expected(role, action, kind, *, own, self):
    """What the table gives: the account's role, and what every signed-in account has."""
    reaches = {RIGHTS[role].get((action, kind))}
    if role in GIVEN:
        reaches.add(RIGHTS[Role.SIGNED_IN].get((action, kind)))
    return (
        Reach.ANY in reaches
        or (own and Reach.OWN in reaches)
        or (self and Reach.SELF in reaches)
    )  # fmt: skip


@pytest.mark.parametrize("role", Role)
def test_every_cell_of_the_table_is_what_a_real_account_may(place, actors, role):
    caller, party = actors[role]
    other, stranger = actors[Role.SIGNED_IN if role is not Role.SIGNED_IN else Role.MEMBER]
    about = {
        (False, False): {"owner": stranger, "account": other.account},
        (True, False): {"owner": party, "account": other.account},
        (False, True): {"owner": stranger, "account": caller.account},
        (True, True): {"owner": party, "account": caller.account},
    }
    with place.database.reading(caller) as tx:
        for (action, kind), ((own, self), values) in itertools.product(CELLS, about.items()):
            # A signed-in account holds no role for its own party, so nothing is "own" to it.
            wanted = expected(role, action, kind, own=own, self=self)
            assert allowed(tx, action, kind, **values) is wanted, (action, kind, values)
        for action, kind in CELLS:
            wanted = expected(role, action, kind, own=False, self=False)
            assert allowed(tx, action, kind) is wanted, (action, kind)


def test_no_right_is_outside_of_the_table():
    assert set(RIGHTS) == set(Role)
    assert {cell for rights in RIGHTS.values() for cell in rights} <= set(CELLS)
    looks = {(Action.READ, kind) for kind in Kind}
    stops = {(Action.CREATE, Kind.HOLD), (Action.END, Kind.HOLD)}
    work = {(action, kind) for action in Action for kind in (Kind.CASE, Kind.REPORT, Kind.FLOW)}
    for role in (Role.REGULATOR, Role.FINANCIAL_REGULATOR):
        assert not RIGHTS[role].keys() - looks - stops - work
    assert set(RIGHTS[Role.SIGNED_IN].values()) == {Reach.SELF}


def test_roles_for_several_parties_reach_each_of_them_and_no_other(place):
    mine, also, never = place.party("a"), place.party("b"), place.party("c")
    caller = place.account(mine, role=Role.MEMBER)
    second = place.give(caller.account, Role.MEMBER, also)

    def reached():
        with place.database.reading(caller) as tx:
            return {
                one
                for one in (mine, also, never)
                if trust.is_allowed(tx, Action.READ, Kind.PARTY, owner=one)
            }

    assert reached() == {mine, also}
    place.do(trust.withdraw_role, assignment=second)
    assert reached() == {mine}


def test_a_right_that_was_lost_is_lost_for_the_next_command(place):
    party = place.party()
    caller = place.account(party)
    assignment = place.give(caller.account, Role.ADMINISTRATOR, party)
    rename = trust.rename_party
    place.do(rename, caller, party=party, name="新名")
    place.do(trust.withdraw_role, assignment=assignment)
    with pytest.raises(AccessDenied):
        place.do(rename, caller, party=party, name="旧名")


def test_a_closed_account_may_nothing_not_even_what_all_may(place):
    caller = place.account(role=Role.ADMINISTRATOR)
    place.do(trust.close_account, account=caller.account)
    with place.database.reading(caller) as tx, pytest.raises(CallerUnknown):
        trust.is_allowed(tx, Action.READ, Kind.PARTY)
    stranger = Caller(account=new_id(trust.AccountId), channel="web")
    with place.database.reading(stranger) as tx, pytest.raises(CallerUnknown):
        trust.is_allowed(tx, Action.READ, Kind.PARTY)


def test_a_party_that_may_not_be_seen_looks_like_one_that_is_not_there(place):
    hidden = place.party("隐")
    caller = place.account(role=Role.MEMBER)
    with place.database.reading(caller) as tx:
        with pytest.raises(trust.parties.PartyNotFound) as unseen:
            trust.get_party(tx, hidden)
        missing = new_id(trust.PartyId)
        with pytest.raises(trust.parties.PartyNotFound) as absent:
            trust.get_party(tx, missing)
        with pytest.raises(trust.parties.PartyNotFound):
            trust.find_accounts(tx, party=hidden)
    assert unseen.value.parameters == {"id": hidden}
    assert absent.value.parameters == {"id": missing}


@pytest.mark.parametrize("table", ["command", "fact", "row_version", "log_leaf", "log_checkpoint"])
def test_the_application_cannot_change_or_remove_evidence(place, table):
    place.party()
    column = place.sql(
        "SELECT attname FROM pg_attribute WHERE attrelid = %s::regclass AND attnum = 1",
        (f"trust.{table}",),
    )[0][0]
    for statement in (
        f"UPDATE trust.{table} SET {column} = {column}",
        f"DELETE FROM trust.{table}",
        f"TRUNCATE trust.{table} CASCADE",
        f"DROP TABLE trust.{table} CASCADE",
        f"ALTER TABLE trust.{table} DISABLE TRIGGER ALL",
    ):
        with (
            psycopg.connect(place.database.conninfo) as app,
            pytest.raises(psycopg.errors.InsufficientPrivilege),
        ):
            app.execute(statement)


def test_the_application_cannot_remove_audited_rows_or_become_another_role(place):
    for statement in (
        "DELETE FROM trust.party",
        "DELETE FROM trust.account",
        "DELETE FROM trust.role_assignment",
        "UPDATE trust.log SET number = 2",
        "UPDATE runtime.instance SET clock = 'real'",
        "SET ROLE lingqu_owner",
        "SET session_replication_role = replica",
    ):
        with (
            psycopg.connect(place.database.conninfo) as app,
            pytest.raises(psycopg.errors.InsufficientPrivilege),
        ):
            app.execute(statement)

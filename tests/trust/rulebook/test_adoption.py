# SPDX-License-Identifier: Apache-2.0
"""A stranger can tell from when which rules were in force."""

from dataclasses import replace

import pytest

from lingqu import trust, wiring
from lingqu.kernel.paging import PageRequest
from lingqu.runtime import new_id, settings
from lingqu.runtime.postgres import discard_postgres
from lingqu.trust import rulebook
from lingqu.trust.audit import Discrepancy


def adopt(place, book, caller=trust.PLATFORM):
    return place.do(
        rulebook.adopt_rulebook,
        caller,
        adoption=new_id(rulebook.AdoptionId),
        rules=book.version,
        profile=book.profile.name,
        edition=book.edition.name,
        unverified=tuple(sorted(book.unverified)),
    )


def in_force(place):
    with place.database.reading() as tx:
        return rulebook.find_adoption(tx)


def test_adopting_leaves_a_fact_with_what_was_in_force_before(place):
    guangxi, qinzhou = rulebook.open_rulebook("guangxi"), rulebook.open_rulebook("qinzhou")
    assert in_force(place) is None
    adopt(place, guangxi)
    adopt(place, qinzhou)
    adopt(place, guangxi)
    assert in_force(place).rules == guangxi.version
    told = [entry["data"] for entry in place.facts("trust.rulebook.adopted")]
    assert [one["rules"] for one in told] == [guangxi.version, qinzhou.version, guangxi.version]
    assert [one["before"] for one in told] == [None, guangxi.version, qinzhou.version]
    assert place.audit() == []


def test_the_version_in_force_is_not_adopted_twice(place):
    book = rulebook.open_rulebook("guangxi")
    adopt(place, book)
    with pytest.raises(rulebook.AlreadyAdopted):
        adopt(place, book)
    assert place.count("trust.rulebook_adoption") == 1


def test_switched_on_rules_stand_in_the_fact(place):
    book = rulebook.open_rulebook("guangxi", unverified=frozenset({"sharing.supply"}))
    adopt(place, book)
    assert in_force(place).unverified == ("sharing.supply",)
    assert place.facts("trust.rulebook.adopted")[0]["data"]["unverified"] == ["sharing.supply"]


def test_only_who_operates_the_installation_adopts_rules(place):
    caller = place.account(role=trust.Role.MEMBER)
    with pytest.raises(trust.AccessDenied):
        adopt(place, rulebook.open_rulebook("guangxi"), caller)
    assert in_force(place) is None


def test_an_adoption_changed_behind_the_back_of_the_log_is_named(place):
    adopt(place, rulebook.open_rulebook("guangxi"))
    place.sql("UPDATE trust.rulebook_adoption SET rules = 'guangxi@2020.01+00000000'")
    (finding,) = place.audit()
    assert (finding.what, finding.place) == (Discrepancy.ROW_CHANGED, "trust.rulebook_adoption")


def test_the_application_can_neither_change_nor_delete_an_adoption(place):
    adopt(place, rulebook.open_rulebook("guangxi"))
    for right in ("UPDATE", "DELETE"):
        (allowed,) = place.sql(
            "SELECT has_table_privilege('lingqu_app', 'trust.rulebook_adoption', %s)", (right,)
        )[0]
        assert not allowed


def test_decisions_are_made_by_the_rules_of_their_transaction(place):
    book = rulebook.open_rulebook("qinzhou")
    database = place.open(rules=book.version)
    try:
        with database.reading() as tx:
            found = rulebook.of(tx)
            assert found.version == book.version
            assert found.day == rulebook.of(tx).day
        party = new_id(trust.PartyId)
        trust.execute(
            database,
            trust.register_party,
            trust.LOCAL_ADMINISTRATOR,
            new_id(trust.CommandId),
            party=party,
            kind=trust.PartyKind.ORGANIZATION,
            name="浦北县数据局",
        )
    finally:
        database.close()
    assert place.facts("trust.party.registered")[0]["rules"] == book.version
    with place.database.reading() as tx:
        assert rulebook.of(tx).profile.name == rulebook.DEFAULT_PROFILE


@pytest.fixture
def founded(tmp_path):
    """The settings of an installation in a folder of its own."""
    tmp_path.chmod(0o755)
    plain = settings.load_settings({}, overrides={"data_dir": tmp_path / "data"})
    wiring.initialize(plain)
    yield plain
    discard_postgres(data_dir=plain.data_dir)


def opened_with(plain, **chosen):
    with (
        wiring.open_app(replace(plain, **chosen)) as app,
        app.database.reading(trust.LOCAL_ADMINISTRATOR) as tx,
    ):
        facts = trust.find_facts(tx, page=PageRequest(size=50), kind="trust.rulebook.adopted")
        return tx.rules, len(facts.items), rulebook.of(tx)


def test_an_installation_adopts_what_it_opens_with_and_keeps_it_when_nothing_is_chosen(founded):
    guangxi, qinzhou = rulebook.version("guangxi"), rulebook.version("qinzhou")
    assert opened_with(founded)[:2] == (guangxi, 1)
    assert opened_with(founded)[:2] == (guangxi, 1)
    assert opened_with(founded, profile="qinzhou")[:2] == (qinzhou, 2)
    assert opened_with(founded)[:2] == (qinzhou, 2)
    rules, count, book = opened_with(founded, unverified_rules=("sharing.supply",))
    assert (rules != qinzhou, count, book.clock("sharing.supply").days) == (True, 3, 20)
    assert opened_with(founded)[:2] == (rules, 3)
    assert opened_with(founded, unverified_rules=())[:2] == (qinzhou, 4)
    assert opened_with(founded, profile="guangxi")[:2] == (guangxi, 5)

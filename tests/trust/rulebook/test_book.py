# SPDX-License-Identifier: Apache-2.0
"""What applies in a region on a day, what may ground a refusal, and what two regions differ in."""

from datetime import date

import pytest

from lingqu.runtime import settings
from lingqu.trust import rulebook
from lingqu.trust.rulebook import Kind, Source, State, Unit

GUANGXI, QINZHOU, GUANGZHOU = map(rulebook.open_rulebook, ("guangxi", "qinzhou", "guangzhou"))
BOOKS = (GUANGXI, QINZHOU, GUANGZHOU)
names = pytest.mark.parametrize("book", BOOKS, ids=lambda book: book.profile.name)


def test_the_profiles_are_those_the_settings_offer():
    offered = settings.load_settings({"LINGQU_PROFILE": "qinzhou"})
    assert offered.profile == "qinzhou"
    assert settings.load_settings({}).profile is None, "the one adopted before, or the default"
    for profile in rulebook.profiles():
        assert settings.load_settings({"LINGQU_PROFILE": profile.name}).profile == profile.name
    with pytest.raises(settings.BadSetting):
        settings.load_settings({"LINGQU_PROFILE": "mars"})
    with pytest.raises(rulebook.ProfileNotFound):
        rulebook.open_rulebook("mars")


def test_qinzhou_has_four_levels_and_no_venue_of_its_own():
    profile = QINZHOU.profile
    assert profile.levels == ("city", "county", "township", "village")
    assert not profile.has_own_venue
    assert QINZHOU.body("body.venue").name_zh == "北部湾大数据交易中心"
    assert GUANGXI.profile.has_own_venue
    assert len(GUANGXI.profile.levels) == 5
    assert GUANGZHOU.body("body.venue").name_zh == "广州数据交易所"
    assert QINZHOU.body("body.data_department").name_zh.startswith("钦州市")


def test_qinzhou_shows_its_draft_article_beside_the_binding_one():
    ground = QINZHOU.ground("resource.levels")
    assert ground.rule.citation == (
        "《广西数据要素市场化发展管理暂行办法》（桂政办发〔2023〕77号）第六条"
    )
    assert "五级" in ground.text
    (beside,) = ground.beside
    assert beside.document.title_zh.startswith("钦州市")
    assert "四级" in QINZHOU.text(beside)
    assert GUANGXI.ground("resource.levels").beside == ()


def test_asking_for_a_draft_gives_what_binds_and_the_draft_beside_it():
    ground = QINZHOU.ground("distribution.operator_shares")
    assert ground.rule.code == "operation.no_redevelopment"
    assert "不得直接或间接参与" in ground.text
    assert "distribution.operator_shares" in {rule.code for rule in ground.beside}


def test_a_draft_that_nothing_binding_stands_beside_grounds_nothing():
    with pytest.raises(rulebook.DraftIsNoGround) as refused:
        GUANGXI.ground("catalogue.sources")
    assert refused.value.parameters == {
        "rule": "catalogue.sources", "document": "NDI-TR-2025-06"
    }  # fmt: skip
    with pytest.raises(rulebook.DraftIsNoGround):
        QINZHOU.ground("trade.service_types_qinzhou")


@names
def test_no_ground_is_ever_a_draft_or_unchecked_or_of_another_region(book):
    for rule in book.known():
        try:
            ground = book.ground(rule.code)
        except (
            rulebook.DraftIsNoGround,
            rulebook.RuleIsOff,
            rulebook.NotBindingHere,
            rulebook.RuleNotFound,
        ):
            continue
        assert not ground.rule.is_draft
        assert ground.rule.source is not Source.MEMORY
        assert ground.rule.document.region in book.profile.chain
        assert book.state(ground.rule) is State.BINDING
        assert all(one.is_draft for one in ground.beside)


@names
def test_what_is_known_from_memory_only_is_off_until_it_is_switched_on(book):
    off = {rule.code for rule in book.known() if rule.source is Source.MEMORY}
    assert off
    for code in off:
        with pytest.raises(rulebook.RuleIsOff):
            book.rule(code)
    switched = rulebook.open_rulebook(
        book.profile.name, unverified=frozenset({"credit.repair_decision"})
    )
    assert switched.clock("credit.repair_decision").days == 10
    with pytest.raises(rulebook.RuleIsOff):
        switched.rule("sharing.supply")
    assert switched.version != book.version
    with pytest.raises(rulebook.RuleNotFound):
        rulebook.open_rulebook(unverified=frozenset({"registration.acceptance"}))


def test_a_rule_of_another_region_is_known_for_reference_and_grounds_nothing():
    rule = GUANGXI.rule("trade.prohibited_shenzhen")
    assert GUANGXI.state(rule) is State.REFERENCE
    with pytest.raises(rulebook.NotBindingHere):
        GUANGXI.ground("trade.prohibited_shenzhen")


def test_a_rule_applies_from_its_first_day_to_its_last():
    code = "registration.acceptance"
    with pytest.raises(rulebook.RuleNotFound):
        GUANGXI.on(date(2025, 2, 28)).rule(code)
    assert GUANGXI.on(date(2025, 3, 1)).clock(code).days == 3
    assert GUANGXI.on(date(2030, 2, 28)).clock(code).days == 3
    with pytest.raises(rulebook.RuleNotFound):
        GUANGXI.on(date(2030, 3, 1)).rule(code)
    assert rulebook.clock(code, on=date(2026, 1, 1)).unit is Unit.WORKING_DAY


def test_the_city_binds_before_the_nation_and_the_region():
    rule = GUANGZHOU.rule("market.layers")
    assert rule.layer == "guangzhou"
    assert [item.zh for item in rule.items] == ["一级数据要素市场", "二级数据要素市场"]
    assert [item.zh for item in GUANGXI.items("market.layers")] == ["一层市场", "二层市场"]


@names
def test_every_state_is_said_of_some_rule_and_one_rule_of_a_code_binds(book):
    bound = [rule.code for rule in book.known() if book.state(rule) is State.BINDING]
    assert len(bound) == len(set(bound))
    assert len(bound) > 300


def test_the_right_kind_is_given_or_refused():
    assert GUANGXI.constant("price.deviation_limit").amount == 10
    with pytest.raises(rulebook.WrongKind):
        GUANGXI.clock("price.deviation_limit")
    with pytest.raises(rulebook.WrongKind):
        GUANGXI.constant("registration.acceptance")
    with pytest.raises(rulebook.RuleNotFound):
        rulebook.rule("no.such_rule")


def test_a_deadline_follows_the_calendar_of_the_region():
    acceptance = GUANGXI.clock("registration.acceptance")
    filed = date(2026, 4, 15)
    assert acceptance.deadline(GUANGXI.calendar(), filed).last_day == date(2026, 4, 22)
    assert acceptance.deadline(QINZHOU.calendar(), filed).last_day == date(2026, 4, 22)
    assert acceptance.deadline(GUANGZHOU.calendar(), filed).last_day == date(2026, 4, 20)


def test_sanyuesan_is_off_in_guangxi_also_where_the_nation_works():
    calendar = GUANGXI.calendar()
    made_up = date(2023, 4, 23)
    assert GUANGZHOU.calendar().is_working_day(made_up), "a make-up Sunday for Labour Day"
    assert not calendar.is_working_day(made_up)
    for day in ((2024, 4, 11), (2025, 3, 31), (2025, 4, 1), (2026, 4, 17), (2026, 4, 20)):
        assert not calendar.is_working_day(date(*day))
        assert GUANGZHOU.calendar().is_working_day(date(*day))
    assert calendar.find_special_day(date(2026, 4, 20)).title_zh == "壮族三月三"
    assert calendar is QINZHOU.calendar()


def test_clocks_run_in_their_units():
    calendar, day = GUANGXI.calendar(), date(2026, 3, 2)
    years = GUANGXI.clock("registration.validity").deadline(calendar, day)
    assert (years.last_day, years.is_provisional) == (date(2029, 3, 2), True)
    months = GUANGXI.clock("credit.minor_publicity_max").deadline(calendar, day)
    assert months.last_day == date(2026, 6, 2)
    days = GUANGXI.clock("trade.publicity").deadline(calendar, date(2026, 3, 4))
    assert days.last_day == date(2026, 3, 9), "the third day is a Saturday"
    ahead = GUANGXI.clock("node.planned_outage_notice").deadline(calendar, date(2026, 3, 9))
    assert ahead.last_day == date(2026, 3, 2)
    with pytest.raises(AssertionError):
        GUANGXI.clock("security.defect_report").deadline(calendar, day)
    with pytest.raises(AssertionError):
        _ = GUANGXI.clock("registration.validity").days


def test_search_finds_in_both_languages_and_every_word_must_occur():
    found = [rule.code for rule in rulebook.search(GUANGXI, "登记 受理")]
    assert "registration.acceptance" in found
    assert "price.deviation" in [r.code for r in rulebook.search(GUANGXI, "DEVIATION")]
    assert rulebook.search(GUANGXI, "发改价格〔2025〕65号")
    assert rulebook.search(GUANGXI, "再开发")[0].code == "operation.no_redevelopment"
    assert rulebook.search(GUANGXI, "deviation 受理期限") == ()
    assert rulebook.search(GUANGXI, "  ") == ()


def test_a_rulebook_does_not_differ_from_itself():
    for book in BOOKS:
        assert rulebook.diff(book, book) == ()


def test_two_regions_and_two_days_differ_where_they_do():
    codes = {each.code: each for each in rulebook.diff(GUANGXI, QINZHOU)}
    assert codes["resource.levels"].fields == ("beside",)
    assert codes["body.data_department"].after.layer == "qinzhou"
    assert "registration.acceptance" not in codes
    back = {each.code: each for each in rulebook.diff(QINZHOU, GUANGXI)}
    assert set(back) == set(codes)
    days = {e.code: e for e in rulebook.diff(GUANGXI.on(date(2025, 2, 28)), GUANGXI)}
    assert days["registration.acceptance"].before is None
    assert "resource.one_source" not in days


def test_a_citation_is_resolved_or_not():
    for text in (
        "registration.acceptance",
        "《公共数据资源登记管理暂行办法》第十条",
        "《公共数据资源登记管理暂行办法》（发改数据规〔2025〕26号）第十条",
        "发改数据规〔2025〕26号 第十条第一款",
        GUANGXI.rule("registration.acceptance").citation,
    ):
        document, article = rulebook.resolve_citation(text)
        assert (document.number, article) == ("发改数据规〔2025〕26号", "第十条")
    for text in ("《不存在的办法》第一条", "发改数据规〔2025〕26号 第九十条", "", "第十条"):
        assert rulebook.resolve_citation(text) is None


@names
def test_every_rule_can_be_found_by_its_own_citation(book):
    for rule in book.known():
        document, article = rulebook.resolve_citation(rule.citation)
        assert (document.key, article) == (rule.document.key, rule.article)


@names
def test_the_version_names_profile_edition_and_digest(book):
    name, _, rest = book.version.partition("@")
    edition, _, digest = rest.partition("+")
    assert (name, edition, len(digest)) == (book.profile.name, "2026.11", 8)
    assert rulebook.version(name) == book.version
    assert book.on(date(2020, 1, 1)).version == book.version, "the day is no part of it"
    assert len({one.version for one in BOOKS}) == 3


def test_lists_hold_what_their_kind_says():
    assert GUANGXI.items("trade.principles")[0].zh == "合规高效"
    assert all(rule.kind is Kind.BODY for rule in [GUANGXI.body("body.finance")])

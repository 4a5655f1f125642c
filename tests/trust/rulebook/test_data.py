# SPDX-License-Identifier: Apache-2.0
"""The rulebook's data: complete, consistent, word for word, and nothing twice."""

import re
import shutil
from datetime import date
from importlib import resources
from itertools import combinations
from pathlib import Path

import pytest

from lingqu.kernel.time import Period
from lingqu.trust import rulebook
from lingqu.trust.rulebook import Kind, Source, Status, Unit
from lingqu.trust.rulebook.formulas import FORMULAS
from lingqu.trust.rulebook.reading import packaged, read_edition

RULES = packaged().rules
DATA = Path(str(resources.files("lingqu.trust.rulebook"))) / "data"
NAMES = [f"{rule.layer}:{rule.code}" for rule in RULES]


@pytest.fixture
def copied(tmp_path):
    """The data in a folder of its own, where it may be changed."""
    shutil.copytree(DATA, tmp_path / "data")
    return tmp_path / "data"


def changed(copied, file, before, after):
    path = copied / file
    text = path.read_text(encoding="utf-8")
    assert before in text, before
    path.write_text(text.replace(before, after, 1), encoding="utf-8")
    return read_edition(copied)


def flat(text):
    return re.sub(r"\s+", "", text)


def test_there_are_hundreds_of_rules_of_every_kind_and_standing():
    assert len(RULES) >= 450
    assert {rule.kind for rule in RULES} == {*Kind}
    assert {rule.status for rule in RULES} == {Status.IN_FORCE, Status.TRIAL, Status.DRAFT}
    assert {rule.source for rule in RULES} == {*Source}


def test_every_document_is_cited_and_every_text_belongs_to_one():
    edition = packaged()
    cited = {rule.document.key for rule in RULES}
    assert set(edition.documents) == cited
    assert set(edition.articles) <= set(edition.documents)


@pytest.mark.parametrize("rule", RULES, ids=NAMES)
def test_a_rule_of_a_document_we_hold_names_an_article_of_it_and_quotes_it_word_for_word(rule):
    articles = packaged().articles.get(rule.document.key)
    if articles is None:
        return
    assert rule.article in articles
    if rule.quote is not None:
        assert flat(rule.quote) in flat(articles[rule.article])


@pytest.mark.parametrize("rule", RULES, ids=NAMES)
def test_titles_are_in_both_languages(rule):
    assert re.search(r"[\u4e00-\u9fff]", rule.title_zh)
    assert not re.search(r"[\u4e00-\u9fff]", rule.title_en)


def test_a_number_in_a_clock_stands_in_its_quote():
    digits = {1: "一1", 2: "两二2", 3: "三3", 5: "五5", 10: "十10", 20: "20", 24: "24", 60: "60",
              180: "180", 30: "30", 6: "六6", 15: "十五15"}  # fmt: skip
    for rule in RULES:
        if rule.kind is Kind.CLOCK and rule.quote and rule.unit != "year":
            wanted = (str(rule.value), *digits[rule.value])
            if rule.code == "security.access_review_cycle":
                wanted = ("半年",)
            assert any(one in rule.quote for one in wanted), rule.code


def test_rules_of_one_code_and_layer_do_not_overlap():
    for one, other in combinations(RULES, 2):
        if (one.code, one.layer) == (other.code, other.layer):
            assert one.valid.meet(other.valid) is None, one.code


def test_a_draft_that_binds_nothing_names_what_does():
    codes = set(packaged().by_code)
    for rule in RULES:
        if rule.binding is not None:
            assert rule.is_draft, rule.code
            assert rule.binding in codes
            binding = [one for one in packaged().by_code[rule.binding] if not one.is_draft]
            assert binding, f"{rule.code} names a rule that is a draft itself"


def test_formulas_and_functions_are_the_same_set():
    assert {rule.code for rule in RULES if rule.kind is Kind.FORMULA} == set(FORMULAS)


def test_inputs_that_a_rule_fills_name_a_rule():
    for rule in RULES:
        for one in rule.inputs:
            assert one.rule is None or one.rule in packaged().by_code, rule.code


# What domain.md 3.2 collects: every clock with its value, so that none gets lost.
CLOCKS = {
    "registration.acceptance": (3, "working_day"),
    "registration.review": (20, "working_day"),
    "registration.publicity": (10, "working_day"),
    "registration.cancellation": (10, "working_day"),
    "registration.first_after_delivery": (20, "working_day"),
    "registration.first_of_legacy_operation": (30, "working_day"),
    "registration.validity": (3, "year"),
    "registration.renewal_window": (60, "day"),
    "property.acceptance": (3, "working_day"),
    "property.finish": (10, "working_day"),
    "property.extension": (10, "working_day"),
    "property.publicity": (5, "working_day"),
    "property.objection": (10, "working_day"),
    "property.later_objection_notice": (5, "working_day"),
    "property.validity_max": (5, "year"),
    "property.renewal_window": (6, "month"),
    "property.record_keeping_min": (20, "year"),
    "operation.agreement_term_max": (5, "year"),
    "price.evaluation_cycle_max": (3, "year"),
    "trade.publicity": (3, "day"),
    "node.approval": (5, "working_day"),
    "node.expert_review_extension": (5, "working_day"),
    "connector.approval": (1, "working_day"),
    "node.change_approval": (1, "working_day"),
    "node.planned_outage_notice": (5, "working_day"),
    "node.unplanned_outage_notice": (24, "hour"),
    "connector.heartbeat": (5, "second"),
    "connector.log_keeping_min": (6, "month"),
    "security.log_keeping_min": (180, "day"),
    "node.data_keeping_after_cancel": (3, "year"),
    "security.provision_records_keeping": (3, "year"),
    "personal.impact_assessment_keeping": (3, "year"),
    "security.defect_report": (24, "hour"),
    "security.assessment_submit": (20, "working_day"),
    "security.rectification_report": (15, "working_day"),
    "export.assessment_validity": (3, "year"),
    "credit.minor_publicity_max": (3, "month"),
    "credit.ordinary_publicity_min": (3, "month"),
    "credit.ordinary_publicity_max": (1, "year"),
    "credit.grave_publicity_min": (1, "year"),
    "credit.grave_publicity_max": (3, "year"),
    "credit.objection_check": (1, "working_day"),
    "credit.objection_decision": (2, "working_day"),
    "credit.objection_extension": (3, "working_day"),
    "credit.repair_decision_shenzhen": (3, "working_day"),
    "credit.repair_extension_shenzhen": (3, "working_day"),
}
CONSTANTS = {
    "operation.disclosure_due": "03-31",
    "price.report_due": "03-31",
    "price.deviation_limit": 10,
    "price.profit_margin_max": 6,
    "venue.monthly_report_day": 10,
    "venue.quarterly_report_day": 10,
    "venue.yearly_report_due": "04-10",
}
SEEDS = {
    "target.government_rows": 30_000_000_000,
    "target.open_rows": 4_000_000_000,
    "target.social_rows": 300_000_000,
    "target.pilots_public": 6,
    "target.pilots_enterprise": 2,
    "target.pilots_cross_border": 1,
    "target.tasks": 10,
    "target.measures": 25,
    "target.reform_tasks": 16,
    "target.training_sessions": 2,
}
SIZES = {
    "opening.priority_criteria": 4, "trade.principles": 5, "market.pattern": 4,
    "infrastructure.capabilities": 11, "opening.high_value": 4, "bank.verbs": 5,
    "governance.loop": 5, "certificate.stages": 5, "credit.mechanisms": 5, "export.domains": 5,
    "governance.cdo_cities": 7, "governance.cdo_departments": 6, "resource.levels": 5,
    "operation.scheme_items": 12, "operation.agreement_items": 13, "contract.actions": 21,
    "contract.operators": 12, "grading.matrix": 18, "property.rights_matrix": 8,
    "market.platforms": 3, "property.rights": 3,
}  # fmt: skip


def test_every_clock_of_the_table_is_there_with_its_value():
    for code, (count, unit) in CLOCKS.items():
        found = rulebook.clock(code)
        assert (found.count, found.unit) == (count, Unit(unit)), code


def test_every_other_number_of_the_tables_is_there():
    for code, value in {**CONSTANTS, **SEEDS}.items():
        assert rulebook.constant(code).value == value, code
    for code, size in SIZES.items():
        assert len(rulebook.rule(code).items) == size, code


def test_the_lists_of_guangzhou_are_complete():
    book = rulebook.open_rulebook("guangzhou")
    sizes = {"trade.service_types": 11, "governance.statistics_pilots": 3,
             "export.recognition_fields": 6, "market.roles": 5, "personal.verbs": 6}  # fmt: skip
    assert {code: len(book.items(code)) for code in sizes} == sizes


@pytest.mark.parametrize(
    ("file", "before", "after"),
    [
        ("national/registration.toml", "value = 3\n", "value = -3\n"),
        ("national/registration.toml", "value = 3\n", 'value = "3"\n'),
        ("national/registration.toml", "value = 3\n", "value = 3.5\n"),
        ("national/registration.toml", 'unit = "working_day"', 'unit = "fortnight"'),
        ("national/registration.toml", 'article = "第十条"\n', 'article = " "\n'),
        ("national/registration.toml", 'kind = "clock"', 'kind = "list"'),
        ("national/registration.toml", 'kind = "clock"', 'kind = "clock"\nwhim = 1'),
        ("national/price.toml", 'unit = "percent"', 'unit = "promille"'),
        ("regions/guangxi.toml", "days_off = [2026-04-17", "days_off = [2025-04-17"),
        ("regions/qinzhou.toml", 'document = "qinzhou-draft"', 'document = "gz-opinion"'),
    ],
)
def test_a_mistake_in_the_data_is_found_when_it_is_read(copied, file, before, after):
    with pytest.raises(AssertionError):
        changed(copied, file, before, after)


@pytest.mark.parametrize(
    ("file", "before", "after", "touched"),
    [
        ("national/registration.toml", "value = 3\n", "value = 4\n", True),
        ("documents.toml", "发改数据规〔2025〕26号", "发改数据规〔2025〕62号", True),
        ("texts/ndrc-2025-26.toml", "3 个工作日", "4 个工作日", True),
        ("national/registration.toml", "# Registration", "# A comment on registration", False),
        ("national/registration.toml", 'kind = "clock"\ntitle_zh', 'kind = "clock"\n\ntitle_zh',
         False),
    ],
)  # fmt: skip
def test_the_digest_changes_with_what_the_data_says_and_with_nothing_else(
    copied, file, before, after, touched
):
    edition = changed(copied, file, before, after)
    now, then = edition.digests, packaged().digests
    assert (now["national"] != then["national"]) == touched
    assert now["guangxi"] == then["guangxi"]


SUCCEEDED = """
[["registration.acceptance"]]
kind = "clock"
title_zh = "受理期限"
title_en = "acceptance"
value = 3
unit = "working_day"
document = "ndrc-2025-26"
article = "第十条"
end = 2026-06-01

[["registration.acceptance"]]
kind = "clock"
title_zh = "受理期限"
title_en = "acceptance"
value = 2
unit = "working_day"
document = "ndrc-2025-26"
article = "第十条"
start = 2026-06-01
{more}
"""


@pytest.mark.parametrize(
    ("more", "later"), [("", 2), ('status = "repealed"', None), ('status = "draft"', None)]
)
def test_a_rule_that_changed_is_told_by_the_day(copied, more, later):
    path = copied / "national" / "registration.toml"
    text = path.read_text(encoding="utf-8")
    begin = text.index('["registration.acceptance"]')
    end = text.index('["registration.review"]')
    path.write_text(text[:begin] + SUCCEEDED.format(more=more) + text[end:], encoding="utf-8")
    edition = read_edition(copied)
    book = rulebook.Rulebook(
        edition=edition, profile=edition.profiles["guangxi"], day=date(2026, 5, 31)
    )
    assert book.clock("registration.acceptance").days == 3
    after = book.on(date(2026, 6, 1))
    if later is not None:
        assert after.ground("registration.acceptance").rule.value == later
    else:
        with pytest.raises((rulebook.RuleNotFound, rulebook.DraftIsNoGround)):
            after.ground("registration.acceptance")
    assert book.version != rulebook.version("guangxi")


def test_an_edition_read_twice_is_the_same(copied):
    again = read_edition(copied)
    assert again.digests == packaged().digests
    assert again.rules == RULES


def test_every_period_is_a_period():
    assert all(isinstance(rule.valid, Period) for rule in RULES)

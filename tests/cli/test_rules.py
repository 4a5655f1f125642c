# SPDX-License-Identifier: Apache-2.0
"""`lingqu rules`: needs no installation, answers in both languages, refuses in words."""

import json
import re

import pytest

from lingqu.cli.program import run
from lingqu.cli.text import width

CHINESE = re.compile(r"[\u4e00-\u9fff]")


@pytest.fixture
def ask(capsys, monkeypatch, tmp_path):
    """Runs one command line in an empty folder and gives its exit status and what it wrote."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")

    def asked(*words):
        status = run(["rules", *words])
        return status, capsys.readouterr()

    return asked


def answer(ask, *words):
    status, written = ask(*words)
    assert status == 0, written.err
    assert written.err == ""
    return written.out


def test_a_rule_is_read_aloud_with_its_article(ask):
    text = answer(ask, "show", "registration.acceptance", "--lang", "zh")
    assert "3 个工作日" in text
    assert "《公共数据资源登记管理暂行办法》（发改数据规〔2025〕26号）第十条" in text
    assert "登记机构应当自收到申请日起，3 个工作日内予以受理" in text.replace("\n  ", "")
    assert "2025-03-01 起至 2030-02-28" in text
    assert all(width(line) <= 100 for line in text.splitlines())
    english = answer(ask, "show", "registration.acceptance", "--lang", "en")
    assert "3 working days" in english


def test_qinzhou_shows_its_draft_beside_what_binds(ask):
    text = answer(ask, "show", "resource.levels", "--profile", "qinzhou", "--lang", "zh")
    binding = text.index("桂政办发〔2023〕77号")
    assert binding < text.index("征求意见稿中的对应规定（不能单独作为依据）")
    assert "四级" in text


def test_search_finds_in_both_languages(ask):
    assert "registration.acceptance" in answer(ask, "search", "登记", "受理", "--lang", "zh")
    assert "price.deviation" in answer(ask, "search", "deviation", "--lang", "en")
    assert "0" in answer(ask, "search", "没有这个词", "--lang", "zh")


def test_lists_clocks_and_bodies_are_tables(ask):
    clocks = answer(ask, "clocks", "--lang", "zh")
    assert re.search(r"公共数据资源登记受理期限 +3 个工作日 +发改数据规〔2025〕26号 第十条", clocks)
    assert "第二百零一条" in clocks
    assert "北部湾大数据交易中心" in answer(ask, "bodies", "--lang", "zh")
    assert "广州数据交易所" in answer(ask, "bodies", "--profile", "guangzhou", "--lang", "zh")
    assert "price.deviation_limit" in answer(ask, "list", "--kind", "constant", "--lang", "en")


def test_what_is_off_is_listed_only_when_everything_is_asked_for(ask):
    assert "sharing.supply" not in answer(ask, "list", "--lang", "zh")
    assert re.search(
        r"sharing\.supply .*待核对，停用", answer(ask, "list", "--all", "--lang", "zh")
    )


def test_two_regions_and_two_days_are_compared(ask):
    regions = answer(ask, "diff", "guangxi", "qinzhou", "--lang", "zh")
    assert "≠ resource.levels" in regions
    assert "○ 市、县、镇等（另 1 项）" in regions
    days = answer(ask, "diff", "2025-02-28", "2025-03-01", "--lang", "zh")
    assert "+ registration.acceptance" in days
    assert "+ resource.one_source" not in days
    assert "0" in answer(ask, "diff", "guangxi", "guangxi", "--lang", "zh")


def test_machines_get_one_document(ask):
    shown = json.loads(answer(ask, "show", "registration.acceptance", "--json"))
    (rule,) = shown["items"]
    assert (rule["value"], rule["unit"], rule["state"]) == ("3", "working_day", "binding")
    listed = json.loads(answer(ask, "list", "--all", "--json"))
    assert len(listed["items"]) > 400
    assert listed["rules"].startswith("guangxi@")
    compared = json.loads(answer(ask, "diff", "guangxi", "qinzhou", "--json"))
    levels = next(one for one in compared["items"] if one["code"] == "resource.levels")
    assert levels["fields"] == ["beside"]
    assert levels["beside"]


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("show", "no.such_rule"), "trust.rulebook.rule_not_found"),
        (("list", "--profile", "mars"), "runtime.settings.bad"),
        (("list", "--on", "2026-13-01"), "runtime.calendar.bad_day"),
        (("list", "--on", "heute"), "runtime.calendar.bad_day"),
        (("diff", "guangxi", "mars"), "runtime.calendar.bad_day"),
    ],
)
def test_bad_input_is_refused_in_words(ask, words, code):
    status, written = ask(*words, "--lang", "en")
    assert status != 0
    assert code in written.err
    assert not CHINESE.search(written.err)
    assert "Traceback" not in written.err


def test_every_word_of_the_rules_is_there_in_both_languages(ask):
    for language in ("zh", "en"):
        for profile in ("guangxi", "qinzhou", "guangzhou"):
            text = answer(ask, "list", "--all", "--profile", profile, "--lang", language)
            assert "cli." not in text
        for code in ("price.permitted_profit_rate", "property.acceptance", "catalogue.sources",
                     "calendar.guangxi_2026", "operation.disclosure_due",
                     "governance.milestone_2025", "privacy.risk_threshold"):  # fmt: skip
            assert "cli." not in answer(ask, "show", code, "--lang", language)


def test_the_region_comes_from_the_settings(ask, monkeypatch):
    monkeypatch.setenv("LINGQU_PROFILE", "guangzhou")
    assert answer(ask, "bodies", "--lang", "zh").startswith("广州市规则库")
    assert answer(ask, "bodies", "--profile", "guangxi", "--lang", "zh").startswith("广西")


def test_a_switched_on_rule_stands_in_the_version(ask, monkeypatch):
    before = answer(ask, "bodies", "--lang", "zh").splitlines()[0]
    monkeypatch.setenv("LINGQU_UNVERIFIED_RULES", "sharing.supply, credit.repair_decision")
    assert answer(ask, "bodies", "--lang", "zh").splitlines()[0] != before
    assert "20 个工作日" in answer(ask, "show", "sharing.supply", "--lang", "zh")
    monkeypatch.setenv("LINGQU_UNVERIFIED_RULES", "registration.acceptance")
    assert ask("list")[0] != 0
    monkeypatch.setenv("LINGQU_UNVERIFIED_RULES", "; drop")
    assert ask("list")[0] != 0

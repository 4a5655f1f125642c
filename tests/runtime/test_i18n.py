# SPDX-License-Identifier: Apache-2.0
"""Words: complete in Chinese, equal in English, and never a reason to fail."""

import ast
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lingqu.kernel import errors
from lingqu.kernel.ids import BadId
from lingqu.runtime import blobs, i18n, keys, settings
from lingqu.runtime.i18n import (
    Message,
    Missing,
    catalog,
    check_messages,
    choose_language,
    explain,
    format_instant_local,
    missing,
    read_catalog,
    translate,
)


class Wordless(errors.Conflict):
    code = "tests.i18n.wordless"
    article = "国令第七百号第三条"


def test_every_refusal_written_here_has_words_in_both_languages():
    assert {blobs.StorageFull, keys.NoKey, settings.BadSetting} <= set(errors.registered())
    faults = [fault for fault in missing() if fault.code.startswith(("kernel.", "runtime."))]
    assert faults == []


def test_the_parameters_a_message_names_are_those_the_refusal_is_raised_with():
    refusal = BadId(expected="pty", text="x")
    shown = explain(refusal, "en")
    assert shown.title == "“x” is not a valid id (it should begin with pty_)."
    assert shown.next_step
    assert (shown.code, shown.family, shown.article) == ("kernel.id.bad", "rejected", None)
    assert "pty_" in explain(refusal, "zh-CN").title


def test_a_missing_parameter_shows_its_name_and_a_missing_entry_its_code():
    assert translate("kernel.id.bad", "en", text="x").endswith("begin with {expected}_).")
    assert translate("no.such.code", "zh-CN") == "no.such.code"
    shown = explain(Wordless(), "zh-CN")
    assert shown.title == "与现状冲突 (tests.i18n.wordless)"
    assert shown.article == "国令第七百号第三条"
    assert explain(errors.LingquError(), "en").title == "Error (LingquError)"


@given(st.text(), st.text(), st.sampled_from(i18n.LANGUAGES))
def test_a_parameter_is_never_read_as_a_format(text, expected, language):
    shown = explain(BadId(text=text, expected=expected), language).title
    assert text in shown
    assert expected in shown


def test_a_message_names_only_parameters_that_its_refusal_is_raised_with():
    known = {(cls.__module__, cls.__name__): cls.code for cls in errors.registered()}
    root = Path(errors.__file__).parents[1]
    checked = set()
    for path in sorted(root.rglob("*.py")):
        module = "lingqu." + ".".join(path.relative_to(root).with_suffix("").parts)
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            name = node.func.id if isinstance(node, ast.Call) and hasattr(node.func, "id") else ""
            message = catalog().get(known.get((module, name), ""))
            if message is None or any(keyword.arg is None for keyword in node.keywords):
                continue
            given = {keyword.arg for keyword in node.keywords}
            for text in (message.zh, message.en, message.next_zh, message.next_en):
                assert set(i18n._PLACEHOLDER.findall(text)) <= given, (module, name)
            checked.add(name)
    assert {"BadId", "BadSetting", "KeyFileLoose", "StorageFull"} <= checked


def test_faults_in_catalogs_are_named():
    messages = {
        "a.one": Message(zh="甲 {x}", en="A {y}"),
        "a.two": Message(zh="甲", en=" "),
        "a.three": Message(zh="甲", en="A", next_zh="乙", next_en="B"),
        "a.four": Message(zh="甲", en="A"),
        "a.five": Message(zh="甲", en="A", next_zh="{x}", next_en="B"),
    }
    assert check_messages(messages, refusals={"a.zero", "a.three", "a.four"}) == (
        Missing(code="a.zero", fault="no entry"),
        Missing(code="a.five", fault="placeholders differ"),
        Missing(code="a.four", fault="empty text"),
        Missing(code="a.one", fault="placeholders differ"),
        Missing(code="a.two", fault="empty text"),
    )


def test_a_code_explained_twice_or_with_an_unknown_text_is_a_mistake():
    text = '["a.b"]\nzh = "甲"\nen = "A"\n'
    found = {}
    read_catalog(text, package="x", into=found)
    with pytest.raises(AssertionError):
        read_catalog(text, package="y", into=found)
    with pytest.raises(AssertionError):
        read_catalog('["a.c"]\nfr = "A"\n', package="x", into=found)


@pytest.mark.parametrize(
    ("header", "cookie", "chosen"),
    [
        (None, None, "zh-CN"),
        ("", "", "zh-CN"),
        ("en", None, "en"),
        ("en-GB,en;q=0.8", None, "en"),
        ("zh-TW,en;q=0.9", None, "zh-CN"),
        ("de, en;q=0.5, zh;q=0.2", None, "en"),
        ("en;q=0.4, zh;q=0.9", None, "zh-CN"),
        ("en;q=0", None, "zh-CN"),
        ("fr", None, "zh-CN"),
        ("*", None, "zh-CN"),
        ("en", "zh-CN", "zh-CN"),
        ("zh", "en", "en"),
        ("zh", "xx", "zh-CN"),
        (";;;q=,en;q=2\x00", None, "en"),
    ],
)
def test_the_cookie_decides_then_the_header_then_chinese(header, cookie, chosen):
    assert choose_language(header, cookie) == chosen


@given(st.text(max_size=300), st.text(max_size=20))
def test_any_header_gives_a_language(header, cookie):
    assert choose_language(header, cookie) in i18n.LANGUAGES


def test_instants_are_shown_in_local_time():
    instant = datetime(2026, 3, 2, 16, 30, 59, tzinfo=UTC)
    assert format_instant_local(instant, "Asia/Shanghai", "zh-CN") == "2026年3月3日 00:30"
    assert format_instant_local(instant, "Asia/Shanghai", "en") == "2026-03-03 00:30 (UTC+08:00)"


def test_the_catalog_cannot_be_changed():
    with pytest.raises(TypeError):
        catalog()["kernel.id.bad"] = Message()

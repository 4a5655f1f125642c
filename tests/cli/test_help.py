# SPDX-License-Identifier: Apache-2.0
"""Help is complete in both languages, and what is not understood is refused in words."""

import re
from pathlib import Path

import pytest

from lingqu.cli.grammar import help_codes
from lingqu.cli.program import COMMANDS, SECTIONS, language_of, program, run
from lingqu.cli.text import padded, table, width, wrapped
from lingqu.runtime.i18n import catalog

ROOT = Path(__file__).parents[2]
CHINESE = re.compile(r"[\u4e00-\u9fff]")


def paths(group=program, words=()):
    yield words
    if hasattr(group, "later"):
        for name in group.list_commands(None):
            yield from paths(group.get_command(None, name), (*words, name))


ALL = sorted(paths())


def test_every_word_of_the_help_is_in_the_catalog():
    missing = [
        code
        for code, instead in help_codes(program)
        if not any(one in catalog() for one in (code, *instead))
    ]
    assert not missing


def test_every_command_has_its_place_on_the_first_page():
    assert sorted(name for names in SECTIONS.values() for name in names) == sorted(COMMANDS)


@pytest.mark.parametrize("words", ALL, ids=" ".join)
def test_every_help_page_is_written_in_the_language_asked_for(words, capsys):
    assert run([*words, "--help", "--lang", "zh"]) == 0
    chinese = capsys.readouterr().out
    assert run([*words, "--help", "--lang", "en"]) == 0
    english = capsys.readouterr().out
    assert CHINESE.search(chinese)
    # Names of organisations in examples stay as they are.
    assert not CHINESE.search(english), english
    for page, language in ((chinese, "zh-CN"), (english, "en")):
        assert "cli." not in page
        assert all(width(line) <= 100 for line in page.splitlines()), page
        for named in re.findall(r"docs/operate/[\w./-]*\.md", page):
            assert (ROOT / named).parent == ROOT / "docs" / "operate" / language, page
            assert (ROOT / named).exists(), page


def test_a_command_that_changes_something_can_be_sent_again():
    changing = [words for words in ALL if words[-1:] and words[-1] in {
        "register", "rename", "erase", "open", "close", "assign", "withdraw", "issue", "revoke"
    } and words[0] in {"party", "account", "role", "key"}]  # fmt: skip
    assert len(changing) >= 9
    for words in changing:
        here = program
        for word in words:
            here = here.get_command(None, word)
        assert "command_id" in {one.name for one in here.params}, words


@pytest.mark.parametrize(
    ("words", "environ", "spoken"),
    [
        ([], {}, "zh-CN"),
        ([], {"LANG": "C.UTF-8"}, "zh-CN"),
        ([], {"LANG": "en_US.UTF-8"}, "en"),
        ([], {"LANG": "en_US.UTF-8", "LC_ALL": "zh_CN.UTF-8"}, "zh-CN"),
        ([], {"LANG": "en_US.UTF-8", "LINGQU_LANGUAGE": "zh-CN"}, "zh-CN"),
        (["--lang", "en"], {"LINGQU_LANGUAGE": "zh-CN"}, "en"),
        (["party", "--lang=en"], {}, "en"),
        (["--lang"], {}, "zh-CN"),
    ],
)
def test_the_language_is_chosen_from_near_to_far(words, environ, spoken):
    assert language_of(words, environ) == spoken


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["frob"], "没有命令“frob”"),
        (["statos"], "是不是 status"),
        (["party", "lst"], "是不是 list"),
        (["--nope"], "没有选项 --nope"),
        (["party", "list", "--limt", "3"], "是不是 --limit"),
        (["party", "list", "--limit", "9999"], "1 .. 500"),
        (["party", "list", "--limit", "many"], "1 .. 500"),
        (["party", "list", "more", "words"], "多出了参数：more words"),
        (["party", "register", "x", "--kind", "dog"], "organization | person | system"),
        (["--json"], "请在后面写上要执行的命令"),
        (["party", "show"], "缺少"),
        (["--lang", "fr", "status"], "zh | zh-CN | en"),
        (["party", "list", "--limit"], "--limit"),
    ],
)
def test_what_is_not_understood_is_refused_with_two(words, said, capsys):
    assert run(words) == 2
    shown = capsys.readouterr()
    assert said in shown.out + shown.err
    assert "--help" in shown.out + shown.err


def test_a_misused_command_answers_json_when_asked(capsys):
    assert run(["party", "show", "--json"]) == 2
    assert '"family": "usage"' in capsys.readouterr().out


def test_a_group_alone_shows_its_help(capsys):
    assert run(["party"]) == 0
    assert "register" in capsys.readouterr().out
    assert run([]) == 0
    assert "doctor" in capsys.readouterr().out


def test_chinese_text_is_laid_out_by_columns():
    assert width("灵渠 lingqu") == 11
    assert padded("灵渠", 6) == "灵渠  "
    assert table(["名称", "n"], [["灵", 1], ["x", "数据"]]) == [
        "名称  n",
        "────  ────",
        "灵    1",
        "x     数据",
    ]
    assert wrapped("数据要素，流通", 10) == ["数据要素，", "流通"]
    assert wrapped("one two three", 8) == ["one two", "three"]


def test_what_could_move_the_cursor_is_made_visible():
    assert "\x1b" not in "".join(table(["x"], [["\x1b[31mred\u202e"]]))


def typed_commands():
    """Every `lingqu` command line that the documentation tells a person to type."""
    for page in sorted((ROOT / "docs").rglob("*.md")):
        text = page.read_text(encoding="utf-8")
        found = re.findall(r"^\$ (lingqu [^\n]*)$", text, re.MULTILINE)
        found += re.findall(r"`(lingqu [^`\n]*)`", text)
        for line in found:
            yield page.relative_to(ROOT), line


@pytest.mark.parametrize(("page", "line"), sorted({*typed_commands()}), ids=str)
def test_every_command_in_the_documentation_can_be_typed(page, line):
    here, known = program, {"--help", "-h"}
    for word in re.sub(r" -- .*", "", line).split()[1:]:
        known |= {name for one in here.params for name in one.opts}
        if word.startswith("--"):
            assert word.partition("=")[0] in known, f"{page}: {line}"
        elif hasattr(here, "later"):
            here = here.get_command(None, word)
            assert here is not None, f"{page}: {line}"
    known |= {name for one in here.params for name in one.opts}

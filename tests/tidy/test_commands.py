# SPDX-License-Identifier: Apache-2.0
"""Every command has a test: some test file calls its function or sends it by its name."""

import re

import source
from source import Finding

import reference
from lingqu import trust

TESTS = source.ROOT / "tests"
HERE = TESTS / "tidy"


def words_of_tests():
    """Every dotted or simple name that stands in a test; the tidy tests do not count."""
    files = [path for path in source.files(".py", under=[TESTS]) if not path.is_relative_to(HERE)]
    found = set()
    for path in files:
        text = source.text(path)
        found |= set(re.findall(r"[A-Za-z_]\w*", text))
        found |= set(re.findall(r"[a-z_]\w*(?:\.[a-z_]\w*)+", text))
    return found


def untested(commands, words):
    for name, function in commands:
        if name not in words and function not in words:
            yield Finding(name, f"no test names {function} or {name}")


def test_every_command_has_a_test():
    reference.import_everything()
    # Other tests declare commands of their own in this process.
    commands = [
        (one.name, one.function.__name__)
        for one in trust.commands()
        if one.function.__module__.partition(".")[0] == "lingqu"
    ]
    assert len(commands) > 10
    source.judge("untested_commands", untested(commands, words_of_tests()))


def test_a_planted_command_without_a_test_is_found():
    planted = [("supply.nothing.do", "do_nothing"), ("trust.party.register", "no_such_function")]
    assert [f.where for f in untested(planted, words_of_tests())] == ["supply.nothing.do"]
    assert not [*untested(planted, {"do_nothing", "no_such_function"})]

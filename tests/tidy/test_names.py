# SPDX-License-Identifier: Apache-2.0
"""Names say what a thing is about; licence lines, suppressions and left-over marks."""

import ast
import io
import re
import sys
import tokenize

import source
from source import Finding

EMPTY_WORDS = (
    "util", "utils", "helper", "helpers", "common", "manager", "managers", "base", "misc",
    "service", "services",
)  # fmt: skip
EMPTY_CLASS = re.compile(
    r"(Utils?|Helpers?|Managers?|Misc|Services?)$|^(Base|Abstract)[A-Z]|^Base$"
)
SPDX = {
    ".py": "# SPDX-License-Identifier: Apache-2.0",
    ".sql": "-- SPDX-License-Identifier: Apache-2.0",
}
# Spelled so that this file does not find itself.
LEFT_OVER = re.compile(r"\b(TO[D]O|FIX[M]E|X{3}|HA[C]K)\b")
SUPPRESSION = re.compile(
    r"#\s*(?:noqa(?::\s*[A-Z0-9, ]+)?|type:\s*ignore(?:\[[\w\-, ]+\])?|pragma:\s*no \w+"
    r"|pyright:\s*ignore(?:\[\w+\])?)(?P<reason>.*)$"
)
REGISTRIES = re.compile(
    r"pypi[.]org|python(?:)hosted[.]org|npm(?:)js[.](?:org|com)|npmmirror[.]com|yarnpkg[.]com"
    r"|unpkg[.]com"
    r"|jsdelivr\.net|proxy\.golang\.org|crates\.io|tuna\.tsinghua|mirrors\.[a-z]+\.(?:com|edu)"
)
MACHINE_PATHS = re.compile(
    r"(?<![\w.\-}>])/(?:work|farm|root|tmp)/[\w.]|(?<![\w.\-])/(?:home|Users)/[a-z]"
)
TEXT = (".py", ".sql", ".md", ".toml", ".txt", ".in", ".html", ".css", ".js", ".json", ".yml", "")


def empty_names(module, where):
    for node in ast.walk(module):
        if isinstance(node, ast.ClassDef) and EMPTY_CLASS.search(node.name.lstrip("_")):
            yield Finding(f"{where}::{node.name}", f"{node.name} does not say what it is about")


def licence(text, where, suffix):
    lines = text.splitlines()
    if lines and lines[0].startswith("#!"):
        del lines[0]
    if lines and lines[0] != SPDX[suffix]:
        yield Finding(where, f"the first line is not {SPDX[suffix]!r}")


def bare_suppressions(text, where):
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type != tokenize.COMMENT:
            continue
        match = SUPPRESSION.search(token.string)
        if match and len(match["reason"].strip(" #-:")) < 6:
            yield Finding(f"{where}:{token.start[0]}", f"{token.string} gives no reason")


def matches(pattern, text, where):
    for number, line in enumerate(text.splitlines(), 1):
        for match in pattern.finditer(line):
            yield Finding(f"{where}:{number}", match[0])


def prose_and_code():
    return [path for path in source.files(*TEXT) if path.name != "LICENSE"]


def test_files_are_named_after_topics():
    bad = [
        source.name(path)
        for path in source.files(".py")
        if set(path.relative_to(source.ROOT).with_suffix("").parts) & set(EMPTY_WORDS)
    ]
    assert not bad


def test_classes_are_named_after_topics():
    source.judge("empty_class_names", source.over(source.product_code(), empty_names))


def test_every_source_file_names_its_licence():
    found = [
        finding
        for path in source.files(".py", ".sql")
        for finding in licence(source.text(path), source.name(path), path.suffix)
    ]
    source.judge("licence", found)


def test_suppressed_checks_carry_a_reason():
    found = [
        finding
        for path in source.files(".py")
        for finding in bare_suppressions(source.text(path), source.name(path))
    ]
    source.judge("bare_suppressions", found)


def test_nothing_is_left_to_do_in_comments():
    found = [
        f for p in prose_and_code() for f in matches(LEFT_OVER, source.text(p), source.name(p))
    ]
    source.judge("stop_words", found)


def test_no_registry_host_is_named_anywhere():
    found = [
        f for p in prose_and_code() for f in matches(REGISTRIES, source.text(p), source.name(p))
    ]
    source.judge("registries", found)


def test_no_path_of_anyones_machine_is_named_anywhere():
    found = [
        Finding(source.name(p), finding.what)
        for p in prose_and_code()
        for finding in matches(MACHINE_PATHS, source.text(p), source.name(p))
    ]
    source.judge("machine_paths", found)


def test_planted_empty_names_are_found():
    code = "class OrderManager: ...\nclass BaseThing: ...\nclass _ListingService: ...\n"
    assert len(source.snippet(code, empty_names)) == 3
    assert not source.snippet("class Listing: ...\nclass Basement: ...\n", empty_names)


def test_a_planted_file_without_licence_is_found():
    good = SPDX[".py"] + "\n"
    assert not [*licence(good, "x.py", ".py")]
    assert not [*licence("#!/usr/bin/env python3\n" + good, "x.py", ".py")]
    assert not [*licence("", "py.typed", ".py")]
    assert [*licence("'''doc'''\n", "x.py", ".py")]


def split(text):
    """Planted text is written with a bar in it, so that this file does not find itself."""
    return text.replace("|", "")


def test_planted_bare_suppressions_are_found():
    for planted in ("x  # no|qa: S603", "x  # type: ig|nore[arg-type]", "x  # pragma: no co|ver"):
        line = split(planted)
        assert [*bare_suppressions(line + "\n", "x.py")], line
        assert not [*bare_suppressions(line + "  # the library has no types\n", "x.py")], line
        assert not [*bare_suppressions(f"text = {line!r}\n", "x.py")], "a string is no comment"


def test_planted_left_overs_hosts_and_paths_are_found():
    assert [*matches(LEFT_OVER, split("# TO|DO later"), "x")]
    assert not [*matches(LEFT_OVER, "the to-do list of a person", "x")]
    assert [*matches(REGISTRIES, split("--index-url https://py|pi.org/simple"), "x")]
    assert not [*matches(REGISTRIES, "the package index", "x")]
    for path in ("/wo|rk/main", "'/ro|ot/x'", "see /ho|me/anna"):
        assert [*matches(MACHINE_PATHS, split(path), "x")], path
    assert not [*matches(MACHINE_PATHS, "src/work/x, {home}/tmp/x, /api/v1", "x")]


def test_the_kernel_and_the_verifier_import_only_what_they_may():
    kernel = source.files(".py", under=[source.PRODUCT / "kernel"])
    allowed = {"lingqu.kernel", "lingqu_verify"}
    source.judge("kernel_imports", source.over(kernel, foreign_imports(allowed)))
    verifier = source.files(".py", under=[source.VERIFIER])
    allowed = {"lingqu_verify", "cryptography"}
    source.judge("verifier_imports", source.over(verifier, foreign_imports(allowed)))


def foreign_imports(allowed):
    def rule(module, where):
        for node in ast.walk(module):
            for target in source.imported(node):
                top = target.partition(".")[0]
                known = any(target == name or target.startswith(f"{name}.") for name in allowed)
                if not known and top not in sys.stdlib_module_names:
                    yield Finding(f"{where}::{target}", f"imports {target}")

    return rule


def test_planted_foreign_imports_are_found():
    rule = foreign_imports({"lingqu.kernel"})
    code = (
        "import json\nfrom lingqu.kernel import ids\nimport psycopg\nfrom lingqu.trust import x\n"
    )
    assert source.snippet(code, rule) == ["imports psycopg", "imports lingqu.trust"]

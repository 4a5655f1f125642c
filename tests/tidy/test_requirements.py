# SPDX-License-Identifier: Apache-2.0
"""Locks hold hashes and no host; what is locked is what the distributions ask for."""

import re
import tomllib

import source
from source import Finding

FOLDER = source.ROOT / "requirements"
HOST = re.compile(
    r"https?:|--(?:extra-)?index-url|--find-links|--trusted-host|@ (?:git|file)|\bwww\."
)
HASHED = re.compile(r"\\?\n\s+--hash=sha256:[0-9a-f]{64}")
PIN = re.compile(r"^([a-z0-9][\w.\-]*)==(\S+)", re.MULTILINE)
MAKEFILE_TARGETS = 21


def locks():
    return sorted(FOLDER.glob("*.txt"))


def unlocked(text, where):
    if HOST.search(text):
        yield Finding(where, f"names a host: {HOST.search(text)[0]}")
    for requirement in re.split(r"\n(?=[a-z0-9])", text.strip()):
        first = requirement.partition("\n")[0]
        if not PIN.match(requirement) or not HASHED.search(requirement):
            yield Finding(where, f"not pinned with a hash: {first[:60]}")


def asked_for(name):
    lines = source.text(FOLDER / name).split("\n")
    return {line.strip() for line in lines if line.strip() and not line.startswith(("#", "-r"))}


def dependencies(pyproject):
    return set(tomllib.loads(source.text(pyproject))["project"]["dependencies"])


def test_every_lock_is_hashed_and_names_no_host():
    assert len(locks()) >= 3
    source.judge("locks", [f for p in locks() for f in unlocked(source.text(p), source.name(p))])


def test_every_requirement_file_has_its_lock():
    assert {path.stem for path in FOLDER.glob("*.in")} == {path.stem for path in locks()}


def test_the_runtime_lock_is_what_the_distribution_asks_for():
    assert asked_for("runtime.in") == dependencies(source.ROOT / "pyproject.toml") - {
        "lingqu-verify"
    }


def test_the_locks_agree_with_each_other():
    pins = {}
    for path in locks():
        for name, version in PIN.findall(source.text(path)):
            if path.stem != "verify":  # installed alone, to test the verifier without Lingqu
                assert pins.setdefault(name, version) == version, f"{name} in {path.name}"


def test_everything_asked_for_is_locked():
    for path in FOLDER.glob("*.in"):
        locked = {name.lower() for name, _ in PIN.findall(source.text(path.with_suffix(".txt")))}
        for line in asked_for(path.name):
            name = re.match(r"[\w.\-]+", line)[0].lower()
            assert name in locked, f"{path.stem}.txt lacks {name}: make lock"


def test_the_makefile_stays_a_list_of_names():
    makefile = source.text(source.ROOT / "Makefile")
    targets = re.findall(r"^([a-z\-]+):", makefile, flags=re.MULTILINE)
    assert len(targets) <= MAKEFILE_TARGETS
    assert all(
        re.search(rf"^{target}: +; \$\(DO\) ## ", makefile, re.MULTILINE) for target in targets
    )
    tasks = source.text(source.ROOT / "tools" / "tasks.py")
    known = set(re.findall(r'^    "([a-z\-]+)": ', tasks, flags=re.MULTILINE))
    assert set(targets) - known == {"help", "setup", "clean"}
    assert "make test\n" in source.text(source.ROOT / ".ci" / "run")


def test_planted_bad_locks_are_found():
    good = "click==8.1 \\\n    --hash=sha256:" + "0" * 64 + "\n"
    assert not [*unlocked(good, "x.txt")]
    assert [*unlocked("click==8.1\n", "x.txt")]
    assert [*unlocked("click>=8.1 \\\n    --hash=sha256:" + "0" * 64, "x.txt")]
    assert [*unlocked("--index-url https://mirror.example/simple\n" + good, "x.txt")]
    assert [*unlocked(good + "jinja2==3\n" + good.replace("click", "msgspec"), "x.txt")]

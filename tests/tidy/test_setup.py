# SPDX-License-Identifier: Apache-2.0
"""The first hour of a newcomer: what the set-up says when something is missing."""

import json
import os
import re
import subprocess
import sys
from types import SimpleNamespace

import pytest
import source

import bootstrap
import console
import machine

PIP_SAYS = {
    "ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE.": "mirror",
    "ERROR: Could not install packages due to an OSError: No space left on device": "Free",
    "ERROR: [Errno 30] Read-only file system: 'x'": "belongs to you",
    "SSLError(SSLCertVerificationError(1, 'CERTIFICATE_VERIFY_FAILED'))": "certificate",
    "Temporary failure in name resolution": "network",
    "ERROR: Could not find a version that satisfies click==8 (from versions: none)": "network",
    "ERROR: No matching distribution found for click==8": "Python 3.11",
    "something nobody has seen": "remove .venv",
}


def fake(folder, name, script):
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return str(path)


@pytest.mark.parametrize("said", PIP_SAYS)
def test_every_trouble_of_pip_becomes_advice(said, tmp_path, monkeypatch):
    monkeypatch.setattr(bootstrap, "PYTHON", fake(tmp_path, "python", f'echo "{said}"; exit 1'))
    with pytest.raises(console.Stop) as stop:
        bootstrap.pip(["install"], "Installing")
    assert PIP_SAYS[said] in stop.value.next_step
    assert said[:40] in stop.value.what


def test_a_python_that_is_too_old_is_refused_in_words(tmp_path, monkeypatch):
    monkeypatch.setattr(machine.sys, "version_info", (3, 9, 2))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(
        console.Stop, match=r"needs Python 3\.11 or newer; this machine offers 3\.9"
    ):
        machine.find_python()


def test_a_newer_python_on_the_path_is_found(tmp_path, monkeypatch):
    fake(tmp_path, "python3.13", "exit 1")
    good = fake(tmp_path, "python3.12", "echo 3 12")
    monkeypatch.setattr(machine.sys, "version_info", (3, 9, 2))
    monkeypatch.setenv("PATH", str(tmp_path))
    assert machine.find_python() == good


def test_without_root_a_missing_package_is_named_with_the_command(tmp_path, monkeypatch):
    fake(tmp_path, "apt-get", "exit 0")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(machine.os, "geteuid", lambda: 1000)
    with pytest.raises(console.Stop) as stop:
        machine.need_venv_module(
            fake(tmp_path, "python3", '[ "$2" = "import ensurepip, venv" ]\nexit 1')
        )
    assert "sudo sh -c 'apt-get update && apt-get install -y" in stop.value.next_step


def test_as_root_on_debian_a_missing_package_is_installed(tmp_path, monkeypatch):
    log = tmp_path / "log"
    fake(tmp_path, "apt-get", f'echo "$@" >> {log}')
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setattr(machine.os, "geteuid", lambda: 0)
    machine.install(("chromium",), "It is missing")
    assert log.read_text().splitlines() == [
        "update",
        "install -y --no-install-recommends chromium",
    ]


def test_without_a_browser_the_choice_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("NO_BROWSER", raising=False)
    monkeypatch.setattr(machine, "CHINESE_FONTS", ())
    with pytest.raises(console.Stop) as stop:
        machine.need_browser()
    assert "chromium and fonts-noto-cjk" in stop.value.what
    assert "NO_BROWSER=1" in stop.value.next_step
    monkeypatch.setenv("NO_BROWSER", "1")
    machine.need_browser()


def test_a_full_disk_is_found_before_it_hurts(tmp_path, monkeypatch):
    monkeypatch.setattr(bootstrap, "VENV", tmp_path / "none")
    monkeypatch.setattr(bootstrap.shutil, "disk_usage", lambda _: SimpleNamespace(free=10**7))
    with pytest.raises(console.Stop, match="Only 10 MB are free"):
        bootstrap.need_room("test")


def test_the_setup_is_repeated_only_when_its_files_change(tmp_path, monkeypatch):
    for folder in ("requirements", "packages/lingqu-verify"):
        (tmp_path / folder).mkdir(parents=True)
    for name in ("runtime.txt", "test.txt", "build.txt"):
        (tmp_path / "requirements" / name).write_text("click==1\n")
    pyproject = tmp_path / "pyproject.toml"
    pyproject.write_text("[project]\nname = 'x'\n[tool.ruff]\nline-length = 1\n")
    (tmp_path / "packages/lingqu-verify/pyproject.toml").write_text("[project]\n")
    monkeypatch.setattr(bootstrap, "ROOT", tmp_path)
    monkeypatch.setattr(bootstrap, "PYTHON", sys.executable)
    monkeypatch.setattr(bootstrap, "STAMP", tmp_path / "stamp.json")
    assert not bootstrap.is_current("runtime")
    stamp = {"profile": "test", "digest": bootstrap.digest("test")}
    bootstrap.STAMP.write_text(json.dumps(stamp))
    assert bootstrap.is_current("test")
    assert bootstrap.is_current("runtime"), "what the tests need contains what Lingqu needs"
    pyproject.write_text(pyproject.read_text().replace("= 1", "= 100"))
    assert bootstrap.is_current("test"), "a linter's settings install nothing"
    pyproject.write_text(pyproject.read_text().replace("'x'", "'y'"))
    assert not bootstrap.is_current("test")


def test_errors_of_the_system_become_advice_and_no_traceback(capsys):
    def full():
        raise OSError(28, "No space left on device")

    assert console.guarded(full) == 1
    said = capsys.readouterr().err
    assert "Free some space" in said
    assert "Traceback" not in said


def test_make_help_lists_every_target():
    answer = subprocess.run(["make", "help"], cwd=source.ROOT, capture_output=True, text=True)
    listed = re.findall(r"^  make ([a-z\-]+)", answer.stdout, flags=re.MULTILINE)
    makefile = source.text(source.ROOT / "Makefile")
    assert listed == re.findall(r"^([a-z\-]+):", makefile, flags=re.MULTILINE)


def test_an_unknown_name_for_a_migration_is_refused():
    command = [sys.executable, "tools/tasks.py", "migration"]
    settings = {**os.environ, "N": "Drop Table; --"}
    answer = subprocess.run(command, cwd=source.ROOT, env=settings, capture_output=True, text=True)
    assert answer.returncode == 1
    assert "is no name for a migration" in answer.stderr

# SPDX-License-Identifier: Apache-2.0
"""What is generated from the code is what the repository holds; every label has its words."""

import subprocess
import sys

import source

import console
import reference
from lingqu.runtime import i18n


def test_generated_files_are_what_the_code_says():
    # In a process of its own: other tests declare codes, facts and tables of theirs.
    command = [sys.executable, str(source.ROOT / "tools" / "reference.py"), "--check"]
    answer = subprocess.run(command, capture_output=True, text=True)
    assert answer.returncode == 0, answer.stdout + answer.stderr


def test_every_file_in_the_generated_folders_has_a_generator():
    folders = [source.ROOT / "docs" / "reference", source.ROOT / "tests" / "golden"]
    kept = {
        source.name(p) for p in source.kept_files() if any(p.is_relative_to(f) for f in folders)
    }
    assert kept <= set(reference.GENERATORS)


def test_every_code_and_label_has_words_in_both_languages():
    reference.import_everything()
    assert i18n.missing() == ()


def test_a_planted_stale_file_is_noticed(tmp_path, monkeypatch):
    monkeypatch.setattr(console, "ROOT", tmp_path)
    monkeypatch.setattr(reference, "GENERATORS", {"docs/x.md": lambda: "now\n\n"})
    assert "now" in reference.stale()["docs/x.md"]
    assert reference.check() == 1
    assert reference.write() == 0
    assert reference.stale() == {}
    assert (tmp_path / "docs" / "x.md").read_text() == "now\n"
    (tmp_path / "docs" / "x.md").write_text("before\n")
    assert "-before" in reference.stale()["docs/x.md"]

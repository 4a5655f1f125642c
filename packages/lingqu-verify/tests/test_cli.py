# SPDX-License-Identifier: Apache-2.0
"""The command: exit statuses, both languages, JSON, and no traceback for any input."""

from __future__ import annotations

import json
import os
import string
import subprocess
import sys

import pytest

from lingqu_verify import bundles, cli, errors, language, notes, witness
from lingqu_verify.errors import messages, registered


@pytest.fixture(scope="module")
def files(world, witness_key, tmp_path_factory):
    folder = tmp_path_factory.mktemp("files")
    note = world.checkpoint()
    note = note.adding(notes.cosign(note, witness_key, 1_700_000_000))
    data = bundles.build_bundle(
        checkpoint=note,
        leaves=[world.leaf(at) for at in range(30)],
        disclosures=[world.disclosure(7)],
        keys=[bundles.OfferedKey(key=world.key)],
        consistency=world.consistency(100),
    )
    (folder / "bundle.json").write_bytes(data)
    (folder / "checkpoint").write_text(str(note), encoding="utf-8")
    (folder / "older").write_text(str(world.checkpoint(100)), encoding="utf-8")
    (folder / "keys").write_text(f"# the log\n\n{world.key}\n", encoding="utf-8")
    world.write(folder / "log")
    return folder


def run(capsys, *arguments: object) -> tuple[int, str, str]:
    status = cli.main([str(argument) for argument in arguments])
    said = capsys.readouterr()
    return status, said.out, said.err


def test_a_good_bundle_is_shown_in_both_languages(capsys, files, world):
    given = ("bundle", files / "bundle.json", "--key", world.key, "--older", files / "older")
    status, out, err = run(capsys, *given, "--lang", "zh")
    assert (status, err) == (0, "")
    assert out.startswith("验证通过。\n")
    assert "没有独立见证方" in out
    assert "甲方7" in out
    assert "大小 100" in out
    status, out, _ = run(capsys, *given, "--lang", "en")
    assert status == 0
    assert out.startswith("Verified.\n")
    assert "... and 10 more" in out
    assert world.key.fingerprint in out


def test_a_witness_that_is_named_must_have_cosigned(capsys, files, witness_key):
    given = ("bundle", files / "bundle.json", "--key-file", files / "keys", "--lang", "en")
    status, out, _ = run(capsys, *given, "--witness", witness_key.verifier)
    assert status == 0
    assert "Witnessed by: witness.example/w1 at 2023-11-14T22:13:20+00:00" in out
    assert "Note:" not in out
    other = notes.SignerKey(name="w2", seed=bytes(32), algorithm=notes.COSIGNATURE).verifier
    status, _, err = run(capsys, *given, "--witness", witness_key.verifier, "--witness", other)
    assert status == 1
    assert "verify.witness.too_few" in err
    both = ("--witness", witness_key.verifier, "--witness", other, "--quorum", 1)
    assert run(capsys, *given, *both)[0] == 0


def test_without_a_key_from_outside_it_refuses_and_explains(capsys, files):
    for command, name in (("bundle", "bundle.json"), ("log", "log"), ("checkpoint", "checkpoint")):
        status, out, err = run(capsys, command, files / name, "--lang", "en")
        assert (status, out) == (2, "")
        assert "must come from outside the evidence" in err


def test_json_is_for_machines_in_success_and_in_refusal(capsys, files, world):
    given = ("bundle", files / "bundle.json", "--json", "--fingerprint")
    status, out, _ = run(capsys, *given, world.key.fingerprint.upper())
    plain = json.loads(out)
    assert status == 0
    assert (plain["verified"], plain["size"], len(plain["facts"])) == (True, 300, 30)
    assert plain["warnings"] == ["no_witness"]
    status, out, _ = run(capsys, *given, "0" * 64)
    plain = json.loads(out)
    assert status == 1
    assert (plain["verified"], plain["code"]) == (False, "verify.key.none_trusted")


def test_a_log_and_a_checkpoint_are_verified(capsys, files, world):
    given = ("log", files / "log", "--key", world.key, "--older", files / "older", "--lang", "en")
    status, out, _ = run(capsys, *given)
    assert status == 0
    assert "200  trust.party.registered" in out
    status, out, _ = run(capsys, *given, "--json")
    assert json.loads(out)["kinds"] == {"trust.party.registered": 200, "trust.account.opened": 100}
    status, out, _ = run(capsys, "checkpoint", files / "checkpoint", "--key", world.key)
    assert status == 0
    assert world.tree.root().hex() in out


def test_what_does_not_verify_is_status_1_and_what_cannot_be_read_is_2(
    capsys, files, world, tmp_path
):
    bad = tmp_path / "bad.json"
    bad.write_bytes((files / "bundle.json").read_bytes().replace(b"fct_7", b"fct_8"))
    key = ("--key", world.key)
    for lang, head in (("zh", "验证不通过："), ("en", "NOT VERIFIED:")):
        status, out, err = run(capsys, "bundle", bad, *key, "--lang", lang)
        assert (status, out) == (1, "")
        assert err.startswith(head)
    for content in (b"", b"\x00", b"{}", "— é".encode(), bytes(range(256)), b"[" * 9999):
        bad.write_bytes(content)
        assert run(capsys, "bundle", bad, *key)[0] == 1
        assert run(capsys, "checkpoint", bad, *key)[0] == 1
        assert run(capsys, "bundle", files / "bundle.json", *key, "--older", bad)[0] == 1
    good = ("bundle", files / "bundle.json")
    cases = [
        ("bundle", tmp_path / "nowhere", *key),
        ("bundle", tmp_path, *key),
        ("bundle", "a\x00b", *key),
        ("log", tmp_path / "nowhere", *key),
        ("log", "http://127.0.0.1:1/", *key),
        (*good, "--key", "nonsense"),
        (*good, "--fingerprint", "nonsense"),
        (*good, "--key-file", bad),
        (*good, *key, "--witness", "nonsense"),
        (*good, *key, "--witness", world.key),
        (*good, *key, "--quorum", "1"),
        (*good, *key, "--older", tmp_path / "nowhere"),
    ]
    for case in cases:
        status, out, err = run(capsys, *case)
        assert (status, out) == (2, ""), case
        assert err


@pytest.mark.parametrize("arguments", [[], ["nonsense"], ["bundle"], ["bundle", "f", "--lang=fr"]])
def test_wrong_usage_is_status_2(capsys, arguments):
    with pytest.raises(SystemExit) as caught:
        cli.main(arguments)
    assert caught.value.code == 2
    assert "usage:" in capsys.readouterr().err


def test_standard_input_and_a_closed_pipe_are_served(files, world):
    base = [sys.executable, "-m", "lingqu_verify.cli", "bundle", "--key", str(world.key), "-"]
    with (files / "bundle.json").open("rb") as source:
        done = subprocess.run(base, stdin=source, capture_output=True)
    assert done.returncode == 0
    with (files / "bundle.json").open("rb") as source:
        reading, writing = os.pipe()
        os.close(reading)
        done = subprocess.run(base, stdin=source, stdout=writing, stderr=subprocess.PIPE)
        os.close(writing)
    assert b"Traceback" not in done.stderr


def test_output_survives_a_terminal_that_cannot_write_chinese(files, world):
    done = subprocess.run(
        [
            *(sys.executable, "-m", "lingqu_verify.cli", "bundle", str(files / "bundle.json")),
            *("--key", str(world.key), "--lang", "zh"),
        ],
        capture_output=True,
        env={**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"},
    )
    assert done.returncode == 0
    assert b"Traceback" not in done.stderr


def test_the_language_is_asked_for_or_taken_from_the_environment():
    choose = language.language_of
    assert choose([], {}) == choose([], {"LANG": "C.UTF-8"}) == "zh"
    assert choose([], {"LANG": "en_US.UTF-8"}) == choose(["--lang", "en"], {}) == "en"
    assert choose([], {"LC_ALL": "zh_CN.UTF-8", "LANG": "en_US"}) == "zh"
    assert choose(["--lang=zh"], {"LANG": "en_US"}) == choose(["--lang"], {}) == "zh"


def test_every_error_and_label_speaks_both_languages():
    assert witness.BadListen in registered()
    fields = string.Formatter()
    for error in registered():
        entry = messages()[error.code]
        assert set(entry) == {"zh", "en", "next_zh", "next_en"}, error.code
        names = [{part[1] for part in fields.parse(entry[lang])} for lang in ("zh", "en")]
        assert names[0] == names[1], error.code
    codes = {error.code for error in registered()}
    for name, entry in messages().items():
        if name not in codes:
            assert set(entry) == {"zh", "en"}, name
            assert name.split(".")[0] in {"label", "warning", "help"}
    for code in ("no_witness", "story_clock", "future_cosignature", "key_by_statement"):
        assert f"warning.{code}" in messages()


def test_text_of_strangers_cannot_command_a_terminal():
    error = bundles.OriginDiffers(expected="a", found="\x1b[2J\u202eb")
    assert "\x1b" not in error.diagnostics("zh")
    assert "\u202e" not in error.diagnostics("en")
    assert errors.printable("甲 b\n") == "甲 b\\n"
    assert len(str(bundles.OriginDiffers(expected="a" * 500, found="b"))) < 300

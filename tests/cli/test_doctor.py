# SPDX-License-Identifier: Apache-2.0
"""`lingqu doctor` sees what is wrong and says how to mend it, and changes nothing."""

import os
import socket

import pytest


def test_a_sound_machine_is_called_sound_and_nothing_is_made(cli):
    found = cli.json("doctor", LINGQU_PORT=0)
    assert found["ok"] is True
    assert {"settings", "postgres", "folder", "keys", "port", "clock", "verifier", "fonts"} <= {
        one["topic"] for one in found["checks"]
    }
    assert not cli.data.exists()
    assert not cli.key.exists()


def test_the_confinement_of_analysis_is_told_as_it_is(cli):
    (engine,) = [
        one for one in cli.json("doctor", LINGQU_PORT=0)["checks"] if one["topic"] == "engine"
    ]
    told = engine["parameters"]
    assert (told["state"] == "whole") == (told["gaps"] == "")
    assert told["state"] == "part" or told["account"] == "lingqu-engine"
    strict = cli("doctor", "--json", LINGQU_PORT=0, LINGQU_ENGINE_CONFINEMENT="full")
    codes = {one["code"] for one in strict.json["checks"] if not one["ok"]}
    assert ("runtime.engine.confinement_incomplete" in codes) == (told["state"] == "part")


def wrong(cli, **settings):
    answer = cli("doctor", "--json", **({"LINGQU_PORT": 0} | settings))
    assert answer.code == 1
    bad = [one for one in answer.json["checks"] if not one["ok"]]
    assert all(one["next_step"] for one in bad)
    return {one["code"] for one in bad}


def test_a_taken_port_is_named(cli):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert wrong(cli, LINGQU_PORT=port) == {"cli.doctor.port_in_use"}


def test_a_folder_open_to_all_is_named(cli):
    cli.data.mkdir()
    cli.data.chmod(0o777)
    assert "cli.doctor.folder_open" in wrong(cli)


def test_a_key_file_others_can_read_is_named(cli):
    cli.key.write_bytes(os.urandom(32))
    cli.key.chmod(0o644)
    assert wrong(cli) == {"runtime.keys.key_file_loose"}


def test_bad_settings_are_named_and_nothing_else_is_looked_at(cli):
    assert wrong(cli, LINGQU_SESSION_HOURS="ever") == {"runtime.settings.bad"}


def test_a_database_that_does_not_answer_is_named(cli):
    found = wrong(cli, LINGQU_DATABASE_URL="postgresql://x:secret@127.0.0.1:1/none")
    assert any(code.startswith("runtime.postgres.") for code in found)


@pytest.mark.parametrize("language", ["zh", "en"])
def test_a_person_reads_what_to_do(cli, language):
    cli.key.write_bytes(b"short")
    cli.key.chmod(0o600)
    answer = cli("doctor", "--lang", language, LINGQU_PORT=0)
    assert answer.code == 1
    assert "→" in answer.out
    assert "✓" in answer.out
    assert "cli." not in answer.out

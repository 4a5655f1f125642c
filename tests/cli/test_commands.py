# SPDX-License-Identifier: Apache-2.0
"""What an administrator does with an installation, and what is refused, from the command line."""

import json
import os
import pty
import subprocess
from pathlib import Path

import pytest
from terminal import LINGQU, VERIFY, end, wait_for_line

from lingqu.cli.program import run


def test_an_installation_is_made_once(cli):
    made = cli.json("init", "--origin", "log.example")
    assert made["installation"]["origin"] == "log.example"
    assert made["installation"]["clock"] == "real"
    assert cli.key.stat().st_mode & 0o777 == 0o600
    again = cli("init", "--json")
    assert (again.code, again.refusal) == (6, "trust.installation.already_founded")


def test_a_story_clock_is_marked_and_only_moves_forward(cli):
    cli.json("init", "--story-clock", "2026-03-02T08:00:00+08:00")
    assert cli.json("clock", "show") == {"clock": "story", "now": "2026-03-02T00:00:00.000000Z"}
    moved = cli.json("clock", "move", "2026-03-05T00:00:00Z")
    assert moved["now"] == "2026-03-05T00:00:00.000000Z"
    back = cli("clock", "move", "2026-03-04T00:00:00Z", "--json")
    assert (back.code, back.refusal) == (3, "trust.clock.only_forward")
    fact = cli.json("fact", "list", "--kind", "trust.clock.moved")["items"][0]
    assert cli.json("fact", "show", fact["id"])["entry"]["clock"] == "story"


def test_a_real_clock_cannot_be_moved(founded):
    answer = founded("clock", "move", "2030-01-01T00:00:00Z", "--json")
    assert (answer.code, answer.refusal) == (6, "trust.clock.real")


def test_a_command_sent_again_is_done_once(founded):
    first = founded.json("party", "register", "〈甲公司〉（演示）")
    again = founded.json("party", "register", "〈甲公司〉（演示）", "--id", first["command"])
    assert again == first
    other = founded("party", "register", "〈乙公司〉（演示）", "--id", first["command"], "--json")
    assert (other.code, other.refusal) == (6, "trust.command.id_reused")
    names = [one["name"] for one in founded.json("party", "list", "--limit", "500")["items"]]
    assert names.count("〈甲公司〉（演示）") == 1


def test_a_person_reads_and_a_program_gets_json(founded):
    shown = founded("party", "list")
    assert shown.code == 0
    assert "〈灵渠市数据局〉（演示）" in shown.out
    assert "机构" in shown.out
    english = founded("party", "list", "--lang", "en")
    assert "organization" in english.out
    assert founded.json("party", "list")["items"][0]["id"] == founded.party


def test_pages_follow_each_other_without_gap(founded):
    for number in range(3):
        founded.json("party", "register", f"〈公司{number}〉（演示）")
    every = [one["id"] for one in founded.json("party", "list", "--limit", "500")["items"]]
    walked, after = [], None
    while True:
        more = () if after is None else ("--after", after)
        page = founded.json("party", "list", "--limit", "2", *more)
        walked += [one["id"] for one in page["items"]]
        after = page["next"]
        if after is None:
            break
    assert walked == every


def test_a_party_is_renamed_and_erased_only_when_confirmed(founded):
    made = founded.json("party", "register", "张三", "--kind", "person")["party"]["id"]
    assert founded.json("party", "rename", made, "张三丰")["party"]["name"] == "张三丰"
    asked = founded("party", "erase", made, stdin="n\n")
    assert asked.code == 130
    assert made in asked.err
    assert founded.json("party", "show", made)["party"]["name"] == "张三丰"
    assert founded.json("party", "erase", made, "--yes")["party"]["name"] is None
    shown = founded("party", "show", made)
    assert "（已清除）" in shown.out


def test_an_account_with_a_generated_password_shows_it_once(founded):
    words = ("account", "open", founded.party, "--login", "wang", "--generate")
    made = founded.json(*words)
    assert len(made["password"]) >= 20
    again = founded(*words, "--id", made["command"], "--json")
    assert (again.code, again.refusal) == (6, "cli.secret.shown_before")
    listed = founded.json("account", "list", founded.party)["items"]
    assert {"id": made["account"], "login": "wang"}.items() <= listed[0].items()
    assert "password_hash" not in json.dumps(listed)


def test_a_password_is_read_from_standard_input(founded):
    words = ("account", "open", founded.party, "--login", "li", "--password-stdin")
    weak = founded(*words, "--json", stdin="short\n")
    assert (weak.code, weak.refusal) == (3, "trust.account.weak_password")
    made = founded.json(*words, stdin="a long enough password\n")
    assert "password" not in made
    changed = founded("account", "password", made["account"], "--password-stdin", "--json",
                      stdin="another long password\n")  # fmt: skip
    assert changed.code == 0
    closed = founded.json("account", "close", made["account"])
    assert closed["account"] == made["account"]
    again = founded("account", "close", made["account"], "--json")
    assert (again.code, again.refusal) == (6, "trust.account.closed")


def test_without_a_terminal_no_password_is_asked_for(founded):
    answer = founded("account", "open", founded.party, "--login", "zhao", "--json")
    assert (answer.code, answer.refusal) == (3, "cli.password.not_given")
    both = founded("account", "open", founded.party, "--generate", "--password-stdin", "--json")
    assert (both.code, both.refusal) == (3, "cli.password.two_ways")


def test_a_password_typed_at_a_terminal_is_not_shown(founded):
    controller, terminal = pty.openpty()
    process = subprocess.Popen(
        [LINGQU, "account", "open", founded.party, "--login", "typed"],
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
        env=founded.environment(),
        start_new_session=True,
    )
    os.close(terminal)
    shown = b""
    for ending in (b"\xef\xbc\x89", b"\xe6\xac\xa1"):
        while ending not in shown[-12:]:
            shown += os.read(controller, 1000)
        os.write(controller, "不会显示的密码1234567\n".encode())
    try:
        while chunk := os.read(controller, 1000):
            shown += chunk
    except OSError:
        pass
    assert process.wait(60) == 0
    assert "账户已开立" in shown.decode()
    assert "不会显示的密码" not in shown.decode()


def test_roles_and_keys_are_given_and_taken(founded):
    account = founded.json("account", "open", founded.party, "--kind", "machine")["account"]
    given = founded.json("role", "assign", account, "member", founded.party)["assignment"]
    again = founded("role", "assign", account, "member", founded.party, "--json")
    assert (again.code, again.refusal) == (6, "trust.role.already_held")
    assert founded.json("role", "withdraw", given["id"])["assignment"]["ended_at"]
    issued = founded.json("key", "issue", account, "--label", "对账程序")
    assert len(issued["secret"]) >= 40
    repeated = founded("key", "issue", account, "--label", "对账程序", "--id", issued["command"],
                       "--json")  # fmt: skip
    assert (repeated.code, repeated.refusal) == (6, "cli.secret.shown_before")
    assert founded.json("key", "revoke", issued["api_key"])["api_key"] == issued["api_key"]
    assert founded("role", "assign", account, "platform", founded.party).code == 2


def test_a_proven_fact_verifies_without_lingqu_and_an_altered_one_does_not(founded):
    fact = founded.json("fact", "list", "--subject", founded.party)["items"][-1]
    made = founded.json("fact", "prove", fact["id"], "--output", "evidence.json")
    assert made["verify"][0] == "lingqu-verify"
    verified = subprocess.run([VERIFY, *made["verify"][1:], "--json"], capture_output=True)
    assert verified.returncode == 0
    assert json.loads(verified.stdout)["facts"][0]["fact"] == fact["id"]
    path = founded.folder / "evidence.json"
    path.write_text(path.read_text().replace("trust.party.registered", "trust.party.renamed", 1))
    assert subprocess.run([VERIFY, *made["verify"][1:]], capture_output=True).returncode == 1
    again = founded("fact", "prove", fact["id"], "--output", "evidence.json", "--json")
    assert (again.code, again.refusal) == (6, "cli.output.exists")


def test_the_log_is_checked_rebuilt_and_its_damage_named(founded):
    founded.json("party", "register", "〈丙公司〉（演示）")
    fact = founded.json("fact", "list", "--limit", "1")["items"][0]["id"]
    founded.json("fact", "prove", fact, "--output", "latest.json")
    status = founded.json("log", "status")
    assert status["size"] == status["sequenced"]
    assert status["pending"] == 0
    assert founded.json("log", "verify")["sound"] is True
    tile = next((founded.data / "log" / "1" / "tile" / "0").rglob(str(status["size"])))
    tile.write_bytes(bytes(32) + tile.read_bytes()[32:])
    damaged = founded("log", "verify")
    assert damaged.code == 1
    assert "静态文件与日志不符" in damaged.out
    assert founded.json("log", "tiles", "rebuild")["size"] == status["size"]
    assert founded.json("log", "verify")["sound"] is True


def test_status_and_settings_say_how_things_are(founded):
    status = founded.json("status")
    assert status["installation"]["origin"] == "log.example"
    assert status["serving"] is False
    shown = {one["name"]: one for one in founded.json(
        "settings", LINGQU_DATABASE_URL="postgresql://anna:s3cret@h/x")["settings"]}  # fmt: skip
    assert shown["data_dir"]["source"] == "environment"
    assert shown["port"]["source"] == "default"
    assert shown["database_url"]["value"] == "[hidden]"
    assert "s3cret" not in founded("settings", LINGQU_DATABASE_URL="postgresql://a:s3cret@h/x").out


def test_psql_sees_the_database_but_cannot_change_evidence(founded):
    seen = founded("psql", "--", "-Atc", "SELECT count(*) > 0 FROM trust.fact")
    assert (seen.code, seen.out.strip()) == (0, "t")
    refused = founded("psql", "--", "-c", "DELETE FROM trust.fact")
    assert refused.code == 1
    assert "permission denied" in refused.err


def test_shell_has_a_read_only_transaction(founded):
    answer = founded("shell", stdin="print(trust.count_facts(tx).facts > 0)\n")
    assert answer.code == 0
    assert "True" in answer.out


def test_commands_work_beside_a_running_platform(founded):
    process = founded.start("serve", "--port", "0")
    try:
        wait_for_line(process, "Ctrl-C")
        made = founded.json("party", "register", "〈运行中登记〉（演示）")["party"]["id"]
        fact = founded.json("fact", "list", "--subject", made)["items"][0]["id"]
        founded.json("fact", "prove", fact, "--output", "beside.json")
    finally:
        code, rest = end(process)
    assert code == 0
    assert "已停止" in rest


BAD_WORDS = [
    (("party", "show", "x"), 3, "kernel.id.bad"),
    (("party", "show", "acc_01m7y96pr7f41sjaafzq1y5k75"), 3, "kernel.id.bad"),
    (("party", "show", "pty_01m7y96pr7f41sjaafzq1y5k75"), 4, "trust.party.not_found"),
    (("party", "rename", "pty_01m7y96pr7f41sjaafzq1y5k75", "x"), 4, "trust.party.not_found"),
    (("party", "register", ""), 3, "trust.party.bad_name"),
    (("party", "register", "\x1b[31m"), 3, "trust.party.bad_name"),
    (("party", "register", "长" * 201), 3, "trust.party.bad_name"),
    (("party", "list", "--after", "???"), 3, "kernel.page.bad"),
    (("party", "register", "x", "--id", "cmd_x"), 3, "kernel.id.bad"),
    (("fact", "show", "fct_x"), 3, "kernel.id.bad"),
    (("fact", "show", "fct_01m7y96pr7f41sjaafzq1y5k75"), 4, "trust.fact.not_found"),
    (("fact", "prove", "fct_01m7y96pr7f41sjaafzq1y5k75"), 4, "trust.fact.not_found"),
    (("clock", "move", "tomorrow"), 3, "kernel.instant.bad"),
    (("clock", "move", "2026-03-05"), 3, "kernel.instant.bad"),
    (("backup", "/nowhere/at/all/x.tar.gz"), 7, "runtime.storage.unavailable"),
    (("restore", "nothing.tar.gz", "--into", "fresh"), 3, "runtime.backup.unreadable"),
    (("--config", "nothing.toml", "status"), 3, "runtime.settings.file_unreadable"),
    (("serve", "--port", "seventy"), 3, "runtime.settings.bad"),
    (("serve", "--bind", "not a host"), 3, "runtime.settings.bad"),
    (("keys", "reseal"), 3, "cli.keys.one_only"),
]


@pytest.mark.parametrize(("words", "code", "refusal"), BAD_WORDS, ids=lambda one: str(one)[:40])
def test_bad_words_are_refused_with_their_code(founded, words, code, refusal, monkeypatch, capsys):
    # In this process, for the time's sake; `run` is all that the program does.
    monkeypatch.chdir(founded.folder)
    monkeypatch.setenv("LINGQU_DATA_DIR", str(founded.data))
    prints_data = words[0] != "serve"
    assert run([*words, "--json"] if prints_data else words) == code
    shown = capsys.readouterr()
    if prints_data:
        error = json.loads(shown.out)["error"]
        assert error["code"] == refusal
        assert error["next_step"]
    else:
        assert refusal in shown.err
        assert "→" in shown.err


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("LINGQU_DATABASE_URL", "not a url at all"),
        ("LINGQU_DATABASE_URL", "postgresql://nobody:secret@127.0.0.1:1/none"),
        ("LINGQU_PORT", "99999"),
        ("LINGQU_TIME_ZONE", "Mars/Olympus"),
        ("LINGQU_WITNESSES", "who knows"),
        ("LINGQU_NO_SUCH", "1"),
    ],
)
def test_bad_settings_are_refused_and_no_secret_is_shown(founded, variable, value):
    answer = founded("status", "--json", **{variable: value})
    assert answer.code in {3, 7}
    assert answer.json["error"]["next_step"]
    assert "secret" not in answer.out + answer.err


def test_a_folder_without_an_installation_is_left_as_it_is(cli):
    for words in (("status",), ("party", "list"), ("serve",), ("audit",), ("upgrade",)):
        answer = cli(*words)
        assert answer.code == 4, words
        assert "cli.installation.none" in answer.err
    assert not cli.data.exists()


def test_a_missing_or_wrong_key_file_is_refused_by_name(founded):
    away = founded.key.rename(founded.folder / "away.key")
    try:
        missing = founded("status", "--json")
        assert (missing.code, missing.refusal) == (7, "runtime.keys.key_file_missing")
        founded.key.write_bytes(os.urandom(32))
        founded.key.chmod(0o600)
        wrong = founded("status", "--json")
        assert (wrong.code, wrong.refusal) == (3, "runtime.keys.wrong_unlock")
        founded.key.chmod(0o644)
        loose = founded("status", "--json")
        assert (loose.code, loose.refusal) == (3, "runtime.keys.key_file_loose")
        assert "chmod 600" in founded("status").err
    finally:
        away.replace(founded.key)
    assert founded("status").code == 0


def test_keys_are_sealed_anew_for_another_file(cli):
    cli.json("init")
    new = cli.folder / "new.key"
    made = cli.json("keys", "reseal", "--key-file", new)
    assert made["setting"] == "LINGQU_KEY_FILE"
    assert cli("status", "--json").refusal == "runtime.keys.wrong_unlock"
    assert cli("status", LINGQU_KEY_FILE=new).code == 0


@pytest.mark.parametrize("damage", ["record", "keys", "cluster"])
def test_a_damaged_data_folder_is_refused_in_words(cli, damage):
    cli.json("init")
    record = cli.data / "postgres.json"
    kept = record.read_text()
    if damage == "record":
        record.write_text("{")
    elif damage == "keys":
        ring = next((cli.data / "keys").glob("g*/key_*.json"))
        ring.write_text(ring.read_text().replace('"created_at": "2', '"created_at": "3'))
    else:
        cluster = json.loads(kept)["cluster"]
        (Path(cluster) / "PG_VERSION").unlink()
    answer = cli("status", "--json")
    record.write_text(kept)
    assert answer.code in {3, 7}, answer
    assert answer.json["error"]["next_step"]


def test_a_reader_that_goes_away_ends_the_command_quietly(founded):
    process = subprocess.Popen(
        f"{LINGQU} settings --json | head -c 1 >/dev/null; echo ${{PIPESTATUS[0]}}",
        shell=True,
        executable="/bin/bash",
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=founded.environment(LC_ALL="C.UTF-8"),
    )
    out, err = process.communicate(timeout=60)
    assert err == ""
    assert int(out) in {0, 141}


def test_something_unexpected_is_one_line_and_a_file(founded):
    blocked = founded.data / "log" / "1" / "checkpoint"
    kept = blocked.read_bytes()
    blocked.write_bytes(b"\xff\xfe nonsense")
    try:
        answer = founded("status")
    finally:
        blocked.write_bytes(kept)
    assert answer.code in {0, 7}

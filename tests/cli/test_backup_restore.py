# SPDX-License-Identifier: Apache-2.0
"""A backup brings everything back, an altered one nothing, and a restored log signs no fork."""

import json
import os
import shutil
import signal
import subprocess
import tarfile
import time

import pytest
from terminal import LINGQU, Cli, end, wait_for_line

MEGABYTE = 1 << 20


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """An installation, a backup of it, and facts that came after the backup."""
    made = Cli(tmp_path_factory.mktemp("saved"))
    made.json("init", "--origin", "log.example")
    for number in range(3):
        last = made.json("party", "register", f"〈公司{number}〉（演示）")
    made.parties = made.json("party", "list")["items"]
    fact = made.json("fact", "list", "--subject", last["party"]["id"])["items"][0]["id"]
    made.json("fact", "prove", fact, "--output", "old.json")
    made.table = loaded(made, last["party"]["id"])
    made.product = counted(made, last["party"]["id"])
    waiting = made.data / "gate" / "files"
    waiting.mkdir()
    (waiting / "fil_x.in").write_text("1")
    made.archive = made.folder / "a.tar.gz"
    made.made = made.json("backup", made.archive)
    made.json("party", "register", "〈备份以后〉（演示）")
    fact = made.json("fact", "list", "--limit", "1")["items"][0]["id"]
    made.json("fact", "prove", fact, "--output", "new.json")
    yield made
    made.clear()


def loaded(made, body):
    """A loaded table of a body; gives the path of its file below the data folder."""
    duty = made.json("supply", "duty", "register", "编码", "--body", body, "--basis", "职能",
                     "--territory", "45")["duty"]["id"]  # fmt: skip
    described = made.folder / "resource.json"
    described.write_text(json.dumps({
        "title": "编码", "summary": "编码表", "frequency": "007", "mode": "physical",
        "sharing": "unconditional", "opening": "unconditional",
        "fields": [
            {"name": "code", "label": "编码", "kind": "text", "is_key": True},
            {"name": "city", "label": "城市", "kind": "text"},
        ],
    }))  # fmt: skip
    described = made.json("supply", "resource", "describe", described, "--duty", duty)
    made.resource = described["resource"]["id"]
    made.json("supply", "resource", "grade", made.resource, 1, "--reason", "公开信息")
    deliver(made, made.resource, 40)
    (file,) = (made.data / "tables").glob("*/*/*.parquet")
    return file.relative_to(made.data)


def deliver(made, resource, rows):
    """Load so many rows; half are of each city."""
    delivery = made.folder / "a.csv"
    delivery.write_text("code,city\n" + "".join(f"{at},{'甲乙'[at % 2]}\n" for at in range(rows)))
    made.json("supply", "load", "file", resource, delivery)


def counted(made, party):
    """A published product that counts by city; gives its id."""
    ground = made.json("grant", "ground", party, "协议", "--kind", "contract",
                       "--evidence", "5e" * 32)["ground"]["id"]  # fmt: skip
    root = made.json("grant", "root", ground, party, "--kind", "operating")["grant"]["id"]
    policy = made.folder / "policy.json"
    policy.write_text(json.dumps({
        "tables": [{"name": "t", "resource": made.resource, "entity": "code", "threshold": 5,
                    "columns": [{"name": "code", "role": "key", "type": "VARCHAR"},
                                {"name": "city", "role": "dimension", "type": "VARCHAR",
                                 "grid": {"kind": "exact"}}]}],
        "modes": ["cube", "ad_hoc"],
    }))  # fmt: skip
    product = made.json("gate", "product", "define", root, "计数", "--form", "query",
                        "--summary", "按城市", "--policy", policy)["product"]["id"]  # fmt: skip
    made.json("gate", "product", "publish", product)
    return product


@pytest.fixture(autouse=True)
def _clean(tmp_path):
    yield
    Cli(tmp_path).clear()


def other(saved, tmp_path, *, key=True):
    made = Cli(tmp_path)
    if key:
        shutil.copy(saved.key, made.key)
    return made


def files(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_backup_is_closed_to_others_and_holds_no_key_file(saved):
    assert saved.archive.stat().st_mode & 0o777 == 0o600
    assert saved.made["key_file"] == str(saved.key)
    secret = saved.key.read_bytes()
    with tarfile.open(saved.archive) as tar:
        for info in tar:
            assert secret not in tar.extractfile(info).read()
            assert info.name != saved.key.name


def test_what_was_backed_up_comes_back(saved, tmp_path):
    cli = other(saved, tmp_path)
    done = cli.json("restore", saved.archive)
    assert done["restored"] is True
    assert done["newer_logs"] == []
    assert files(tmp_path) == ["data", "data.key"]
    assert cli.json("party", "list")["items"] == saved.parties
    assert cli.json("log", "verify")["sound"] is True
    assert (cli.data / saved.table).read_bytes() == (saved.data / saved.table).read_bytes()
    assert cli.json("audit")["findings"] == []
    # It goes on from where it was: the log grows and stays one history.
    cli.json("party", "register", "〈恢复以后〉（演示）")
    fact = cli.json("fact", "list", "--limit", "1")["items"][0]["id"]
    cli.json("fact", "prove", fact, "--output", "after.json")
    assert cli.json("log", "verify")["sound"] is True


def test_what_products_answer_from_comes_back_and_goes_on(saved, tmp_path):
    cli = other(saved, tmp_path)
    cli.json("restore", saved.archive)
    parts, back = (
        {one.relative_to(made.data) for one in (made.data / "gate").rglob("[!.]*") if one.is_file()}
        for made in (saved, cli)
    )
    assert parts == back
    assert {one.suffix for one in parts} == {".lqs", ".parquet", ".json", ".in"}
    # A cube continues the one before: without it no version would be published again.
    deliver(cli, saved.resource, 60)
    assert cli.json("gate", "product", "publish", saved.product)["snapshot"]["id"]
    assert cli.json("audit")["findings"] == []


def test_a_check_changes_nothing(saved, tmp_path):
    cli = other(saved, tmp_path)
    assert cli.json("restore", saved.archive, "--check")["restored"] is False
    assert files(tmp_path) == ["data.key"]


def test_a_backup_is_not_brought_back_over_anything(saved, tmp_path):
    answer = saved("restore", saved.archive, "--json")
    assert (answer.code, answer.refusal) == (6, "cli.restore.occupied")
    cli = other(saved, tmp_path)
    cli.data.mkdir()
    (cli.data / "mine.txt").write_text("x")
    assert cli("restore", saved.archive, "--json").refusal == "cli.restore.occupied"
    assert files(cli.data) == ["mine.txt"]


def test_without_the_right_key_file_nothing_is_restored(saved, tmp_path):
    cli = other(saved, tmp_path, key=False)
    answer = cli("restore", saved.archive, "--json")
    assert (answer.code, answer.refusal) == (7, "runtime.keys.key_file_missing")
    cli.key.write_bytes(os.urandom(32))
    cli.key.chmod(0o600)
    answer = cli("restore", saved.archive, "--json")
    assert (answer.code, answer.refusal) == (3, "runtime.keys.wrong_unlock")
    assert files(tmp_path) == ["data.key"]


def test_keys_kept_apart_are_asked_for(saved, tmp_path):
    archive, keys = tmp_path / "b.tar.gz", tmp_path / "keys.tar.gz"
    saved.json("backup", archive, "--keys", keys)
    with tarfile.open(archive) as tar:
        assert not [name for name in tar.getnames() if name.startswith("keys")]
    folder = tmp_path / "there"
    folder.mkdir()
    cli = other(saved, folder)
    assert cli("restore", archive, "--json").refusal == "cli.restore.keys_apart"
    wrong = cli("restore", archive, "--keys", saved.archive, "--json")
    assert wrong.refusal == "cli.restore.other_keys"
    assert cli.json("restore", archive, "--keys", keys)["restored"] is True
    assert cli("status").code == 0


def test_an_altered_backup_is_refused_before_anything_is_touched(saved, tmp_path):
    cli = other(saved, tmp_path)
    broken = tmp_path / "broken.tar.gz"
    whole = saved.archive.read_bytes()
    for content in (whole[: len(whole) // 2], whole[:-2000] + bytes(2000), b"hello"):
        broken.write_bytes(content)
        answer = cli("restore", broken, "--json")
        assert answer.code == 3
        assert answer.refusal in {"runtime.backup.damaged", "runtime.backup.unreadable"}
        assert files(tmp_path) == ["broken.tar.gz", "data.key"]


def test_a_restored_log_signs_no_fork_and_can_be_succeeded(saved, tmp_path):
    cli = other(saved, tmp_path)
    cli.data.mkdir()
    # The operator kept the published files, which are newer than the backup.
    shutil.copytree(saved.data / "log", cli.data / "log")
    published = (cli.data / "log" / "1" / "checkpoint").read_bytes()
    done = cli.json("restore", saved.archive)
    assert done["newer_logs"] == ["log.example"]
    assert (cli.data / "log" / "1" / "checkpoint").read_bytes() == published
    fact = cli.json("fact", "list", "--limit", "1")["items"][0]["id"]
    refused = cli("fact", "prove", fact, "--json")
    assert (refused.code, refused.refusal) == (6, "trust.log.forked")
    assert (cli.data / "log" / "1" / "checkpoint").read_bytes() == published
    begun = cli.json("log", "succeed")
    assert begun["origin"] == "log.example/2"
    made = cli.json("party", "register", "〈后继日志〉（演示）")["party"]["id"]
    fact = cli.json("fact", "list", "--subject", made)["items"][0]["id"]
    proven = cli.json("fact", "prove", fact)
    assert proven["verifier_key"].startswith("log.example/2+")
    assert cli.json("audit")["findings"] == []


@pytest.mark.slow
def test_a_backup_made_while_the_platform_writes_fits_together(saved, tmp_path):
    source = tmp_path / "source"
    source.mkdir()
    busy = other(saved, source)
    busy.json("restore", saved.archive)
    process = busy.start("serve", "--port", "0", LINGQU_CHECKPOINT_INTERVAL_MS=50)
    try:
        wait_for_line(process, "Ctrl-C")
        writers = [
            subprocess.Popen(
                [LINGQU, "party", "register", f"〈并发{n}〉（演示）", "--json"],
                env=busy.environment(),
                cwd=busy.folder,
                stdout=subprocess.DEVNULL,
            )
            for n in range(3)
        ]
        archive = tmp_path / "busy.tar.gz"
        busy.json("backup", archive)
        assert [writer.wait(60) for writer in writers] == [0, 0, 0]
    finally:
        end(process)
    target = tmp_path / "target"
    target.mkdir()
    cli = other(saved, target)
    cli.json("restore", archive)
    cli.json("party", "register", "〈之后〉（演示）")
    fact = cli.json("fact", "list", "--limit", "1")["items"][0]["id"]
    cli.json("fact", "prove", fact)
    assert cli.json("log", "verify")["sound"] is True
    assert cli.json("audit")["findings"] == []


def cancelled_restore(saved, folder, number):
    """Cancel a restore as soon as it can be seen; gives its code and its last words."""
    folder.mkdir()
    process = other(saved, folder).start("restore", saved.archive)
    deadline = time.monotonic() + 30
    while not [name for name in files(folder) if "restore" in name]:
        assert time.monotonic() < deadline
        if process.poll() is not None:
            break
        time.sleep(0.001)
    return end(process, number)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_cancelled_backup_or_restore_leaves_nothing(saved, tmp_path, number):
    for attempt in range(20):
        folder = tmp_path / str(attempt)
        code, rest = cancelled_restore(saved, folder, number)
        if code:
            break
        # It was faster than the signal.
        assert Cli(folder).json("party", "list")["items"] == saved.parties
        Cli(folder).clear()
    assert code in {130, 143}
    assert "Traceback" not in rest
    assert files(folder) == ["data.key"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a small disk")
def test_a_full_disk_is_refused_in_words(saved, tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "none", str(disk)]).returncode:
        pytest.skip("this container may not mount")
    try:
        answer = saved("backup", disk / "x.tar.gz", "--json")
        assert answer.code == 7
        assert answer.refusal in {"runtime.backup.no_room", "runtime.storage.full"}
        assert files(disk) == []
        cli = other(saved, disk)
        answer = cli("restore", saved.archive, "--json")
        assert answer.code == 7
        assert files(disk) == ["data.key"]
    finally:
        Cli(tmp_path).clear()
        subprocess.run(["umount", "-l", str(disk)], check=True)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount")
def test_a_data_folder_that_is_a_mount_point_can_be_restored_into(saved, tmp_path):
    cli = other(saved, tmp_path)
    cli.data.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=711", "none", str(cli.data)]).returncode:
        pytest.skip("this container may not mount")
    try:
        assert cli.json("restore", saved.archive)["restored"] is True
        assert cli.json("party", "list")["items"] == saved.parties
        assert not [name for name in files(cli.data) if "restore" in name]
    finally:
        Cli(tmp_path).clear()
        subprocess.run(["umount", "-l", str(cli.data)], check=True)


def test_an_upgrade_of_a_current_folder_changes_nothing_and_audits(saved):
    done = saved.json("upgrade")
    assert done["applied"] == []
    assert done["backup"] is None
    assert done["audit"]["findings"] == []
    json.dumps(done)

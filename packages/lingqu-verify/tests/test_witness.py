# SPDX-License-Identifier: Apache-2.0
"""The witness: its protocol, and that it never signs two histories, killed or not."""

from __future__ import annotations

import base64
import http.client
import json
import os
import random
import signal
import socket
import stat
import subprocess
import sys
import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lingqu_verify import client, merkle, notes, witness
from lingqu_verify.errors import VerificationError

SHARED, LENGTH = 60, 400  # two histories share their first entries, then part


@pytest.fixture(scope="module")
def histories() -> list[merkle.Tree]:
    trunk = [merkle.leaf_hash(b"shared %d" % at) for at in range(SHARED)]
    return [
        merkle.Tree([*trunk, *(merkle.leaf_hash(name + b"%d" % at) for at in range(LENGTH))])
        for name in (b"left", b"right")
    ]


@pytest.fixture(scope="module")
def log() -> notes.SignerKey:
    return notes.SignerKey(name="log.example/a", seed=bytes(32))


@pytest.fixture
def folder(tmp_path):
    witness.init_folder(tmp_path / "w", "witness.example/w1")
    return tmp_path / "w"


def signed(log: notes.SignerKey, tree: merkle.Tree, size: int, **changes: object) -> notes.Note:
    values = {"origin": log.name, "size": size, "root": tree.root(size)} | changes
    return notes.sign_checkpoint(notes.Checkpoint(**values), [log])


def body_of(log, tree, old: int, new: int) -> bytes:
    proof = merkle.consistency_proof(old, new, tree.nodes)
    return client.request_body(signed(log, tree, new), old_size=old, proof=proof)


class Process:
    """A witness in a process of its own."""

    def __init__(self, folder, log: notes.SignerKey) -> None:
        self.process = subprocess.Popen(
            [
                *(sys.executable, "-m", "lingqu_verify.witness", "serve", "--dir", str(folder)),
                *("--listen", "127.0.0.1:0", "--log", str(log.verifier), "--lang", "en"),
            ],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        line = self.process.stdout.readline()
        assert line, self.process.stderr.read()
        self.url = line.split()[-1]
        self.port = int(self.url.rsplit(":", 1)[1])

    def end(self, number: int = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        self.process.communicate(timeout=20)
        return self.process.returncode


@pytest.fixture
def running(folder, log):
    process = Process(folder, log)
    yield process
    if process.process.poll() is None:
        process.end(signal.SIGKILL)


def post(port: int, body: bytes, path: str = "/add-checkpoint"):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    connection.request("POST", path, body)
    answer = connection.getresponse()
    found = answer.status, answer.headers["Content-Type"], answer.read()
    connection.close()
    return found


def test_a_log_is_cosigned_step_by_step_and_across_restarts(folder, log, histories):
    tree, key = histories[0], witness.load_key(folder).verifier
    last = 0
    for sizes in ((1, 1, 7), (7, 64, 65), (300,)):
        process = Process(folder, log)
        for size in sizes:
            note = signed(log, tree, size)
            proof = merkle.consistency_proof(last, size, tree.nodes)
            answer = client.submit_checkpoint(
                process.url, note, old_size=last, proof=proof, witness=key
            )
            (found,) = notes.verify_cosignatures(note.adding(answer), [key])
            assert abs(found.timestamp - time.time()) < 60
            last = size
        assert process.end() == 0
    shown = subprocess.run(
        [sys.executable, "-m", "lingqu_verify.witness", "show", "--dir", folder, "--json"],
        capture_output=True,
        text=True,
    )
    assert json.loads(shown.stdout) == {
        "vkey": str(key),
        "fingerprint": key.fingerprint,
        "logs": [{"origin": log.name, "size": 300, "root": tree.root(300).hex()}],
    }


def test_the_answers_are_those_of_the_protocol(running, log, histories):
    left, right = histories
    port = running.port
    status, kind, body = post(port, body_of(log, left, 0, 100))
    assert (status, kind) == (200, "text/plain; charset=utf-8")
    assert body.decode().startswith("— witness.example/w1 ")
    assert body.endswith(b"\n")
    assert post(port, body_of(log, left, 0, 100)) == (409, "text/x.tlog.size", b"100\n")
    assert post(port, body_of(log, left, 50, 120))[0] == 409
    # Same size and root again is cosigned again; another root is not.
    assert post(port, body_of(log, left, 100, 100))[0] == 200
    assert post(port, body_of(log, right, 100, 100))[0] == 422
    assert post(port, body_of(log, right, 100, 120))[0] == 422
    good = body_of(log, left, 100, 120)
    lines = good.split(b"\n")
    assert post(port, b"\n".join([lines[0], *lines[2:]]))[0] == 422
    assert post(port, good.replace(b"old 100\n", b"old 100\n" + lines[1] + b"\n"))[0] == 422
    # An old size above the checkpoint's, after the signature was found good.
    assert post(port, client.request_body(signed(log, left, 90), old_size=100, proof=()))[0] == 400
    other = notes.SignerKey(name="log.example/other", seed=bytes(32))
    assert post(port, body_of(other, left, 0, 1))[0] == 404
    forger = notes.SignerKey(name=log.name, seed=b"f" * 32)
    assert post(port, body_of(forger, left, 100, 120))[0] == 403
    broken = bytearray(good)
    broken[-10] = ord("A") if broken[-10] != ord("A") else ord("B")
    assert post(port, bytes(broken))[0] in {400, 403}
    assert post(port, good, "/add-checkpoints")[0] == 404
    assert post(port, good)[0] == 200


def test_a_signature_by_a_known_key_that_fails_is_forbidden(running, log, histories):
    note = signed(log, histories[0], 5)
    key = log.verifier
    wrong = notes.Signature(name=key.name, key_id=key.key_id, value=bytes(64))
    body = client.request_body(note.adding(wrong), old_size=0, proof=())
    assert post(running.port, body)[0] == 403


def test_the_empty_tree_has_the_root_of_the_rfc(running, log, histories):
    tree = histories[0]
    wrong = client.request_body(signed(log, tree, 0, root=bytes(32)), old_size=0, proof=())
    assert post(running.port, wrong)[0] == 422
    right = client.request_body(signed(log, tree, 0), old_size=0, proof=())
    assert post(running.port, right)[0] == 200
    assert post(running.port, body_of(log, tree, 0, 3))[0] == 200
    extra = client.request_body(signed(log, tree, 4), old_size=0, proof=(bytes(32),))
    assert post(running.port, extra)[0] == 409


def test_a_proof_from_nothing_must_be_empty(running, log, histories):
    body = client.request_body(signed(log, histories[0], 4), old_size=0, proof=(bytes(32),))
    assert post(running.port, body)[0] == 422


@pytest.mark.parametrize(
    "change",
    [
        lambda _: b"",
        lambda _: b"\n\n",
        lambda body: body.replace(b"old 0", b"old 00"),
        lambda body: body.replace(b"old 0", b"old -1"),
        lambda body: body.replace(b"old 0", b"old  0"),
        lambda body: body.replace(b"old 0", b"Old 0"),
        lambda body: body.replace(b"old 0\n", b"old 0\nAAAA\n"),
        lambda body: body.replace(b"old 0\n", b"old 0\nnot base64\n"),
        lambda body: body.replace(
            b"old 0\n", b"old 0\n" + (base64.b64encode(bytes(32)) + b"\n") * 64
        ),
        lambda body: body.replace(b"old 0\n\n", b"old 0\n"),
        lambda body: body[: body.rindex("—".encode())],
        lambda body: body.replace(b"suite ed25519-sha256", b"suite sm2-sm3"),
        lambda body: b"\xff" + body,
        lambda body: body.replace(b"log.example", b"log\x00example"),
        lambda body: body[:-1],
    ],
)
def test_a_malformed_request_is_a_bad_request(running, log, histories, change):
    body = body_of(log, histories[0], 0, 1)
    assert post(running.port, change(body))[0] == 400
    assert post(running.port, body)[0] == 200


def test_requests_of_no_length_or_too_much_length_are_refused(running, log, histories):
    heads = {
        b"Content-Length: 9999999\r\n": b"413",
        b"Transfer-Encoding: chunked\r\n": b"411",
        b"Content-Length: -5\r\n": b"411",
        b"Content-Length: 1e3\r\n": b"411",
        b"": b"411",
    }
    for head, status in heads.items():
        with socket.create_connection(("127.0.0.1", running.port), timeout=20) as raw:
            raw.sendall(b"POST /add-checkpoint HTTP/1.1\r\nHost: w\r\n" + head + b"\r\n")
            assert raw.recv(100).split()[1] == status
    for start in (b"\x16\x03\x01\x00", b"GET\r\n\r\n", b"POST " + b"/" * 70_000 + b" HTTP/1.1\r\n"):
        with socket.create_connection(("127.0.0.1", running.port), timeout=20) as raw:
            raw.sendall(start)
    half = socket.create_connection(("127.0.0.1", running.port), timeout=20)
    half.sendall(b"POST /add-checkpoint HTTP/1.1\r\nContent-Length: 50\r\n\r\nold")
    assert post(running.port, body_of(log, histories[0], 0, 1))[0] == 200
    half.close()


def test_monitors_get_the_latest_cosigned_checkpoint(running, folder, log, histories):
    path = f"/{witness.origin_hash(log.name)}/checkpoint"

    def get(where: str) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", running.port, timeout=20)
        connection.request("GET", where)
        answer = connection.getresponse()
        found = answer.status, answer.read()
        connection.close()
        return found

    assert get(path)[0] == 404
    assert get("/anything")[0] == 404
    stranger = notes.SignerKey(name="stranger", seed=bytes(32))
    note = signed(log, histories[0], 9)
    note = note.adding(*notes.sign_note(note.text, [stranger]).signatures)
    body = client.request_body(note, old_size=0, proof=())
    line = post(running.port, body)[2].decode()
    status, found = get(path)
    assert status == 200
    key = witness.load_key(folder).verifier
    seen = notes.verify_checkpoint(found, [log.verifier], [key])
    assert seen.checkpoint.size == 9
    assert [one.key for one in seen.witnessed_by] == [key]
    assert found.decode().endswith(line)
    assert "stranger" not in found.decode()


def test_the_client_learns_a_stale_size_and_names_other_trouble(running, folder, log, histories):
    tree, key = histories[0], witness.load_key(folder).verifier

    def submit(note, old=0, proof=(), url=running.url, known=key):
        return client.submit_checkpoint(
            url, note, old_size=old, proof=proof, witness=known, timeout_s=20
        )

    assert isinstance(submit(signed(log, tree, 8)), notes.Signature)
    assert submit(signed(log, tree, 9)) == client.Stale(8)
    with pytest.raises(client.WitnessRefused) as caught:
        submit(signed(notes.SignerKey(name="log.example/x", seed=bytes(32)), tree, 9))
    assert caught.value.parameters["status"] == 404
    other = notes.SignerKey(name=key.name, seed=bytes(32), algorithm=notes.COSIGNATURE).verifier
    with pytest.raises(notes.NotSigned):
        submit(signed(log, tree, 8), old=8, known=other)
    for url in ("http://127.0.0.1:1", "ftp://127.0.0.1", "http://[", "nonsense", "http://\x00"):
        with pytest.raises(client.WitnessUnreachable):
            submit(signed(log, tree, 9), url=url)


def test_one_process_at_a_time_owns_a_folder(running, folder, log):
    second = subprocess.run(
        [
            *(sys.executable, "-m", "lingqu_verify.witness", "serve", "--dir", folder),
            *("--listen", "127.0.0.1:0", "--log", str(log.verifier), "--lang", "en"),
        ],
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert second.returncode == 2
    assert "Another witness process" in second.stderr
    with pytest.raises(witness.FolderInUse):
        witness.Witness(folder, [log.verifier])
    running.end(signal.SIGKILL)
    with witness.Witness(folder, [log.verifier]):
        pass


def test_the_key_is_its_own_and_for_its_account_alone(tmp_path):
    made = subprocess.run(
        [
            *(sys.executable, "-m", "lingqu_verify.witness", "init", "--dir", tmp_path / "a/b"),
            *("--name", "witness.example/w1"),
        ],
        capture_output=True,
        text=True,
    )
    key = notes.VerifierKey.parse(made.stdout.splitlines()[-1])
    assert (key.name, key.algorithm) == ("witness.example/w1", notes.COSIGNATURE)
    path = tmp_path / "a/b" / witness.KEY_FILE
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    with pytest.raises(witness.FolderNotReady):
        witness.init_folder(path.parent, "witness.example/w1")
    with pytest.raises(notes.BadKey):
        witness.init_folder(tmp_path / "c", "two words")
    assert witness.init_folder(tmp_path / "d", "witness.example/w1") != key


def test_what_cannot_be_remembered_is_not_signed(folder, log, histories):
    tree = histories[0]
    with witness.Witness(folder, [log.verifier]) as one:
        assert one.add_checkpoint(body_of(log, tree, 0, 5)).status == 200
        states = folder / witness.STATE_FOLDER
        states.rename(folder / "away")
        states.write_text("no folder")
        answer = one.add_checkpoint(body_of(log, tree, 5, 9))
        assert answer.status == 503
        assert "—" not in answer.body
        states.unlink()
        (folder / "away").rename(states)
        assert one.add_checkpoint(body_of(log, tree, 5, 9)).status == 200


def test_a_damaged_memory_stops_the_witness(folder, log, histories):
    with witness.Witness(folder, [log.verifier]) as one:
        one.add_checkpoint(body_of(log, histories[0], 0, 5))
    (path,) = (folder / witness.STATE_FOLDER).iterdir()
    good = path.read_bytes()
    for bad in (b"", b"x", good[:-5], good.replace(b"\n5\n", b"\n4\n"), b"\xff" + good):
        path.write_bytes(bad)
        with pytest.raises(witness.StateDamaged):
            witness.Witness(folder, [log.verifier])
    path.rename(path.with_name("0" * 64 + ".note"))
    (folder / witness.STATE_FOLDER / ("0" * 64 + ".note")).write_bytes(good)
    with pytest.raises(witness.StateDamaged):
        witness.Witness(folder, [log.verifier])
    (folder / witness.KEY_FILE).write_text("nonsense")
    with pytest.raises(witness.FolderNotReady):
        witness.Witness(folder, [log.verifier])


def test_a_log_may_have_two_keys_during_rotation(folder, log, histories):
    newer = notes.SignerKey(name=log.name, seed=b"n" * 32)
    with witness.Witness(folder, [log.verifier, newer.verifier]) as one:
        assert one.add_checkpoint(body_of(log, histories[0], 0, 5)).status == 200
        assert one.add_checkpoint(body_of(newer, histories[0], 5, 9)).status == 200


class Watch:
    """Everything that was ever cosigned, each checked against all before."""

    def __init__(self, histories) -> None:
        self.histories = histories
        self.signed: set[tuple[int, bytes]] = set()

    def add(self, size: int, root: bytes) -> None:
        self.signed.add((size, root))

    def check(self) -> None:
        """All cosigned checkpoints lie on one of the two histories."""
        assert any(
            all(tree.root(size) == root for size, root in self.signed) for tree in self.histories
        )


@given(
    steps=st.lists(
        st.tuples(
            st.sampled_from(["honest", "stale", "wild", "restart"]),
            st.integers(0, 1),
            st.integers(0, SHARED + 40),
            st.integers(0, SHARED + 40),
        ),
        max_size=25,
    )
)
def test_no_sequence_of_requests_and_restarts_gets_two_histories_signed(
    tmp_path_factory, log, histories, steps
):
    folder = tmp_path_factory.mktemp("w")
    witness.init_folder(folder, "witness.example/w1")
    key = witness.load_key(folder).verifier
    watch, last = Watch(histories), 0
    one = witness.Witness(folder, [log.verifier])
    try:
        for act, which, first, second in steps:
            if act == "restart":
                one.__exit__()
                one = witness.Witness(folder, [log.verifier])
                continue
            tree, old, new = histories[which], first, second
            if act == "honest":
                old = last
                new = max(new, old)
            elif act == "stale":
                old, new = sorted((first, second))
            note = signed(log, tree, new)
            proof = merkle.consistency_proof(min(old, new), new, tree.nodes)
            answer = one.add_checkpoint(client.request_body(note, old_size=old, proof=proof))
            if answer.status == 200:
                line = notes.parse_signatures(answer.body)
                assert notes.verify_cosignatures(note.adding(*line), [key])
                assert new >= last
                last = new
                watch.add(new, tree.root(new))
            watch.check()
    finally:
        one.__exit__()


def hammer(url, log, histories, key, watch, stop, seed) -> None:
    """Submits both histories at random, as a log that forks would, until told to stop."""
    chance, last = random.Random(seed), 0
    while not stop.is_set():
        tree = histories[chance.randrange(2)]
        size = min(tree.size, last + chance.randrange(4))
        proof = merkle.consistency_proof(last, size, tree.nodes)
        try:
            answer = client.submit_checkpoint(
                url, signed(log, tree, size), old_size=last, proof=proof, witness=key
            )
        except VerificationError:
            if stop.is_set():
                return
            continue
        if isinstance(answer, client.Stale):
            last = answer.size
        else:
            watch.add(size, tree.root(size))
            last = size


@pytest.mark.crash
def test_killed_again_and_again_it_never_signs_two_histories(folder, log, histories):
    seed = int(os.environ.get("LINGQU_TEST_SEED", "0")) or random.randrange(1, 2**31)
    sys.stdout.write(f"LINGQU_TEST_SEED={seed}\n")
    chance, watch = random.Random(seed), Watch(histories)
    key = witness.load_key(folder).verifier
    for turn in range(200):
        process, stop = Process(folder, log), threading.Event()
        threads = [
            threading.Thread(
                target=hammer,
                args=(process.url, log, histories, key, watch, stop, seed * 100 + turn * 10 + n),
            )
            for n in range(3)
        ]
        for thread in threads:
            thread.start()
        time.sleep(chance.uniform(0.02, 0.3))
        process.end(signal.SIGKILL)
        stop.set()
        for thread in threads:
            thread.join(timeout=30)
        watch.check()
        # What was released is remembered: nothing smaller is on disk than what was signed.
        kept = witness.load_states(folder, key)
        if watch.signed:
            (note,) = kept.values()
            size = notes.Checkpoint.parse(note.text).size
            assert size >= max(size for size, _ in watch.signed)
        # Long enough to have gone past where the two histories part, on any machine.
        largest = max((size for size, _ in watch.signed), default=0)
        if turn >= 7 and largest > SHARED:
            break
    assert largest > SHARED


def test_bad_arguments_are_told_without_a_traceback(folder, log, tmp_path):
    serve = ["serve", "--dir", str(folder), "--log", str(log.verifier)]
    cases = [
        ["serve", "--dir", str(tmp_path / "nowhere"), "--log", str(log.verifier)],
        ["serve", "--dir", str(folder), "--log", "nonsense"],
        [*serve, "--listen", "nonsense"],
        [*serve, "--listen", "127.0.0.1:99999"],
        [*serve, "--listen", "256.1.1.1:80"],
        ["show", "--dir", str(tmp_path / "nowhere")],
        ["init", "--dir", str(folder), "--name", "witness.example/w1"],
        ["init", "--dir", "/dev/null/x", "--name", "witness.example/w1"],
    ]
    for case in cases:
        for lang in ("zh", "en"):
            done = subprocess.run(
                [sys.executable, "-m", "lingqu_verify.witness", *case, "--lang", lang],
                capture_output=True,
                text=True,
                timeout=30,
            )
            assert done.returncode == 2
            assert done.stderr.startswith("lingqu-witness: ")
            assert "Traceback" not in done.stderr

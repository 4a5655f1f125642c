# SPDX-License-Identifier: Apache-2.0
"""Witnesses are the real program in a process of its own; what they remember protects the log."""

import contextlib
import hashlib
import shutil
import socket
import subprocess
import sys
import threading
import urllib.request

import pytest

from lingqu.trust import log as trust_log
from lingqu.trust.log.checkpoints import LogForked
from lingqu.trust.log.witnesses import BadWitness
from lingqu_verify import notes
from lingqu_verify.notes import SignerKey


class RealWitness:
    """A `lingqu-witness` process."""

    def __init__(self, folder, name, *keys):
        self.folder = folder
        command = [sys.executable, "-m", "lingqu_verify.witness"]
        made = subprocess.run(
            [*command, "init", "--dir", str(folder), "--name", name],
            check=True, capture_output=True, text=True,
        )  # fmt: skip
        self.key = notes.VerifierKey.parse(made.stdout.strip().split("\n")[-1])
        self.arguments = [*command, "serve", "--dir", str(folder), "--lang", "en"]
        self.keys = keys
        self.port = 0
        self.start()

    def start(self):
        logs = [part for key in self.keys for part in ("--log", str(key))]
        listen = ["--listen", f"127.0.0.1:{self.port}"]
        self.process = subprocess.Popen(
            [*self.arguments, *listen, *logs], stdout=subprocess.PIPE, text=True
        )
        line = self.process.stdout.readline()
        self.port = int(line.strip().rstrip("./").rpartition(":")[2])
        self.url = f"http://127.0.0.1:{self.port}"

    def stop(self):
        self.process.terminate()
        self.process.wait(10)
        self.process.stdout.close()

    @property
    def configured(self):
        return trust_log.Witness.parse(f"{self.key} {self.url}")


@pytest.fixture
def witness(world, tmp_path):
    made = RealWitness(tmp_path / "witness", "witness.test/w1", world.key.verifier)
    yield made
    made.stop()


class SilentWitness:
    """A witness that takes what it is asked and answers nothing until it hangs up."""

    def __init__(self, server):
        self.key = SignerKey(name="witness.test/slow", seed=b"s" * 32, algorithm=notes.COSIGNATURE)
        self.server = server
        self.asked = []
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
        self.configured = trust_log.Witness.parse(f"{self.key.verifier} {url}")
        threading.Thread(target=self.take, daemon=True).start()

    def take(self):
        with contextlib.suppress(OSError):
            while True:
                self.asked.append(self.server.accept()[0])

    def hang_up(self):
        for one in self.asked:
            one.close()


@pytest.fixture
def silent():
    with socket.create_server(("127.0.0.1", 0)) as server:
        made = SilentWitness(server)
        yield made
        server.shutdown(socket.SHUT_RDWR)
        made.hang_up()


def cosigned(world):
    with world.database.reading() as tx:
        return trust_log.witnessed(tx, world.key.name)


def test_without_a_witness_the_status_says_so(world):
    world.add(1)
    sequencer = world.sequencer()
    sequencer.step()
    assert sequencer.status().cosigned == ()
    assert sequencer.status().witnesses == ()


def test_a_published_checkpoint_is_cosigned_and_published_again(world, witness, until):
    with world.running(witnesses=[witness.configured]) as sequencer:
        world.add(3)
        until(lambda: [c.size for c in cosigned(world)] == [3])
        world.add(300)
        until(lambda: [c.size for c in cosigned(world)] == [303])
        until(lambda: "witness.test/w1" in world.folder.published().decode())
        (status,) = sequencer.status().witnesses
    signed = notes.verify_checkpoint(world.folder.published(), [world.key.verifier], [witness.key])
    assert [one.key for one in signed.witnessed_by] == [witness.key]
    assert (status.name, status.size, status.error) == ("witness.test/w1", 303, None)
    assert not world.check(witnesses=[witness.key])


def test_a_receipt_prefers_a_cosigned_checkpoint(world, witness, until):
    facts = world.add(3)
    with world.running(witnesses=[witness.configured]):
        until(lambda: cosigned(world))
    world.add(1)
    world.sequencer().step()
    with world.database.reading() as tx:
        receipt = trust_log.receipt(tx, world.logs, facts[0])
    assert receipt.size == 3
    assert notes.verify_cosignatures(receipt.checkpoint, [witness.key])


def test_a_silent_witness_delays_no_signature(world, silent, until):
    # Whoever waited for its answer would wait longer than `until` does.
    with world.running(witnesses=[silent.configured], witness_timeout_s=600) as sequencer:
        world.add(1)
        until(lambda: silent.asked)
        for size in range(2, 6):
            world.add(1)
            until(lambda size=size: sequencer.status().size == size)
        assert sequencer.status().witnesses[0].error is None, "it is still being waited for"
        silent.hang_up()
        until(lambda: sequencer.status().witnesses[0].error == "verify.witness.unreachable")
    assert sequencer.status().cosigned == ()
    assert sequencer.status().forked is None


def test_a_witness_that_was_away_catches_up(world, witness, until):
    with world.running(witnesses=[witness.configured]) as sequencer:
        world.add(2)
        until(lambda: [c.size for c in cosigned(world)] == [2])
        witness.stop()
        world.add(5)
        until(lambda: sequencer.status().witnesses[0].error == "verify.witness.unreachable")
        assert sequencer.status().size == 7
        witness.start()
        until(lambda: [c.size for c in cosigned(world)] == [7])
        # What was cosigned is seen in the table a moment before the status tells it.
        until(lambda: sequencer.status().witnesses[0].error is None)


def test_a_restored_installation_without_its_files_is_stopped_by_the_witness(world, witness, until):
    """Database and folder both went back; only the witness remembers."""
    world.add(5)
    world.sequencer().step()
    copy = f"{world.name}_copy"
    world.database.close()
    world.cluster.execute(f'CREATE DATABASE "{copy}" TEMPLATE "{world.name}"')
    world.database = world.open()
    with world.running(witnesses=[witness.configured]):
        world.add(5)
        until(lambda: [c.size for c in cosigned(world)] == [10])
    world.database.close()
    world.cluster.execute(f'DROP DATABASE "{world.name}" WITH (FORCE)')
    world.cluster.execute(f'CREATE DATABASE "{world.name}" TEMPLATE "{copy}"')
    world.cluster.execute(f'DROP DATABASE "{copy}"')
    world.database = world.open()
    shutil.rmtree(world.logs)

    world.add(1)
    for _ in range(2):
        with pytest.raises(LogForked) as caught:
            world.sequencer(witnesses=[witness.configured]).step()
        assert caught.value.parameters == {"place": "witness.test/w1", "known": 10, "size": 5}
    assert world.sql("SELECT max(size) FROM trust.log_checkpoint") == [(5,)]
    with world.running(witnesses=[witness.configured]) as sequencer:
        until(lambda: sequencer.status().forked)


def test_a_witness_that_saw_another_history_of_the_same_size_stops_the_log(
    world, another_world, witness, until
):
    with another_world.running(witnesses=[witness.configured]):
        another_world.add(5)
        until(lambda: cosigned(another_world))
    world.add(5)
    world.sequencer().step()
    world.add(1)
    with pytest.raises(LogForked):
        world.sequencer(witnesses=[witness.configured]).step()
    # One that signed already learns it from the witness's thread, and stops.
    shown = world.sequencer(witnesses=[witness.configured])
    shown._asked.add(world.key.name)
    assert shown.step().signed
    stop = threading.Event()
    thread = threading.Thread(target=shown.run, args=(stop,), daemon=True)
    thread.start()
    world.add(1)
    until(lambda: shown.status().forked)
    stop.set()
    thread.join(30)
    with pytest.raises(LogForked):
        shown.step()


def test_the_witness_itself_shows_what_it_cosigned(world, witness, until):
    with world.running(witnesses=[witness.configured]):
        world.add(4)
        until(lambda: cosigned(world))
    path = hashlib.sha256(world.key.name.encode()).hexdigest()
    with urllib.request.urlopen(f"{witness.url}/{path}/checkpoint", timeout=5) as answer:
        shown = notes.Note.parse(answer.read())
    assert shown.text == notes.Note.parse(world.folder.published()).text


LOG_KEY = SignerKey(name="log", seed=b"l" * 32).verifier


@pytest.mark.parametrize(
    "text", ["", "nonsense", "name+00000000+AAAA http://x", f"{LOG_KEY} http://x"]
)
def test_a_witness_that_is_none_is_refused(text):
    with pytest.raises(BadWitness):
        trust_log.Witness.parse(text)


def test_a_witness_needs_an_http_address():
    key = SignerKey(name="w", seed=b"w" * 32, algorithm=notes.COSIGNATURE).verifier
    with pytest.raises(BadWitness):
        trust_log.Witness.parse(f"{key} ftp://host")
    assert trust_log.Witness.parse(f"{key} https://host/w").url == "https://host/w"

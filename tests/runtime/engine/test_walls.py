# SPDX-License-Identifier: Apache-2.0
"""The walls themselves, tried from inside by a program and not by SQL: each holds on its own."""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from lingqu.runtime.engine import kernel_calls
from lingqu.runtime.engine.pool import _identity
from lingqu.runtime.postgres.account import new_account

OUTSIDE = Path(tempfile.gettempdir(), "lingqu-wall")
ROOT = os.geteuid() == 0
needs_root = pytest.mark.skipif(not ROOT, reason="only root can become another account")
needs_filter = pytest.mark.skipif(not kernel_calls.can_filter(), reason="no filter for this one")
needs_landlock = pytest.mark.skipif(not kernel_calls.landlock_version(), reason="no Landlock here")

TRIAL = """
import ctypes, json, os, signal, socket, sys, time, threading
from lingqu.runtime.engine import kernel_calls
from lingqu.runtime.engine.confinement import Identity, enter, prepare

given = json.loads(sys.argv[1])
if "filter" in given["without"]:
    kernel_calls.can_filter = lambda: False
if "landlock" in given["without"]:
    kernel_calls.landlock_version = lambda: 0
walls = prepare(Identity(**given["identity"]), folder=given["folder"], tasks=200)
data = os.open(given["file"], os.O_RDONLY)
kept = os.open("/etc/passwd", os.O_RDONLY)
own = os.getpid()
libc = ctypes.CDLL(None, use_errno=True)
_, platform = os.pipe()

def tried(act):
    try:
        act()
    except OSError as error:
        return error.strerror
    except (RuntimeError, ValueError):
        return "refused"
    return "done"

def call(number, *arguments):
    if libc.syscall(number, *arguments) < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))

def thread():
    one = threading.Thread(target=lambda: None)
    one.start()
    one.join()

def unfold(path, flags):
    os.close(os.open(path, flags))

ACTS = {
    "read passwd": lambda: unfold("/etc/passwd", os.O_RDONLY),
    "read data by path": lambda: unfold(given["file"], os.O_RDONLY),
    "read data by descriptor": lambda: unfold(f"/proc/self/fd/{data}", os.O_RDONLY),
    "read other descriptor": lambda: unfold(f"/proc/self/fd/{kept}", os.O_RDONLY),
    "write data by descriptor": lambda: unfold(f"/proc/self/fd/{data}", os.O_RDWR),
    "truncate data": lambda: os.truncate(f"/proc/self/fd/{data}", 0),
    "write temporary file": lambda: unfold(given["outside"], os.O_WRONLY | os.O_CREAT),
    "make folder": lambda: os.mkdir(given["outside"] + ".d"),
    "list root": lambda: os.listdir("/"),
    "change mode": lambda: os.fchmod(data, 0o666),
    "TCP socket": lambda: socket.socket(socket.AF_INET).connect(("127.0.0.1", given["port"])),
    "unix socket": lambda: socket.socket(socket.AF_UNIX).connect(given["socket"]),
    "fork": os.fork,
    "execute": lambda: os.execv("/bin/true", ["true"]),
    "signal parent": lambda: os.kill(os.getppid(), 0),
    "signal all": lambda: os.kill(-1, 0),
    "become root": lambda: os.setresuid(0, 0, 0),
    "new namespace": lambda: kernel_calls.unshare(0x10000000),
    "mount": lambda: kernel_calls.mount("tmpfs", "/", "tmpfs", 0),
    "trace": lambda: call(101, 16, os.getppid(), 0, 0),
    "memory file": lambda: os.memfd_create("x"),
    "raise limit": lambda: __import__("resource").setrlimit(4, (1 << 30, 1 << 30)),
    "start thread": thread,
    "send to the platform": lambda: os.write(platform, b"x"),
}
reader = os.fork()
if reader == 0:
    answers = {}
    enter(walls, parent=own)
    for name in given["acts"]:
        if name == "fork":
            def forked():
                child = os.fork()
                if child == 0:
                    os._exit(0)
            answers[name] = tried(forked)
        else:
            answers[name] = tried(ACTS[name])
    os.write(1, json.dumps(answers).encode())
    os._exit(0)
os.waitpid(reader, 0)
"""
FORBIDDEN = (
    "read passwd", "read other descriptor", "write data by descriptor", "truncate data",
    "write temporary file", "make folder", "change mode", "TCP socket", "unix socket", "fork",
    "signal parent", "signal all", "become root", "new namespace", "mount", "trace", "memory file",
    "raise limit", "execute",
)  # fmt: skip
ALLOWED = ("read data by descriptor", "start thread", "send to the platform")


@pytest.fixture
def try_inside():
    """Give what each act inside the walls came to."""
    folder = Path(tempfile.mkdtemp(prefix="lqw"))
    file = folder / "data"
    file.write_bytes(b"data")
    file.chmod(0o444)
    folder.chmod(0o700)

    def run(acts, *, without=(), switch=ROOT):
        identity = _identity()
        as_given = {
            "name": identity.name,
            "uid": identity.uid,
            "gid": identity.gid,
            "switch": switch,
        }
        given = {
            "identity": as_given,
            "folder": str(folder),
            "file": str(file),
            "acts": acts,
            "without": without,
            "outside": str(OUTSIDE),
            "port": 9,
            "socket": str(folder / "socket"),
        }
        done = subprocess.run(
            [sys.executable, "-c", TRIAL, json.dumps(given)], capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    yield run
    file.unlink()
    folder.rmdir()


def test_inside_only_what_a_worker_needs_works(try_inside):
    answers = try_inside([*ALLOWED, *FORBIDDEN])
    assert {name for name, answer in answers.items() if answer == "done"} == set(ALLOWED)
    assert not OUTSIDE.exists()


@needs_root
def test_without_the_filter_of_calls_files_and_accounts_are_still_closed(try_inside):
    answers = try_inside([*ALLOWED, *FORBIDDEN], without=["filter"])
    closed = {name for name, answer in answers.items() if answer != "done"}
    assert closed >= {
        "read passwd", "read other descriptor", "write data by descriptor", "truncate data",
        "write temporary file", "make folder", "change mode", "TCP socket", "unix socket",
        "signal parent", "become root", "mount", "trace", "raise limit", "execute",
    }  # fmt: skip


@needs_root
def test_without_landlock_the_empty_root_and_the_account_still_close_files(try_inside):
    answers = try_inside([*ALLOWED, *FORBIDDEN], without=["filter", "landlock"])
    closed = {name for name, answer in answers.items() if answer != "done"}
    assert closed >= {
        "read passwd", "write data by descriptor", "truncate data", "write temporary file",
        "make folder", "change mode", "TCP socket", "unix socket", "become root", "mount",
        "execute",
    }  # fmt: skip


@needs_landlock
@needs_filter
def test_on_the_same_account_landlock_and_the_filter_close_everything_else(try_inside):
    """As without root. The copies stay readable by path there, and the report says so."""
    answers = try_inside([*ALLOWED, *FORBIDDEN], switch=False)
    done = {name for name, answer in answers.items() if answer == "done"}
    assert done == set(ALLOWED)


ENGINE_AS_OTHER = """
import sys, tempfile
from pathlib import Path
from lingqu.runtime.engine import Engine, Job
with tempfile.TemporaryDirectory() as folder, Engine(folder=Path(folder) / "x") as engine:
    found = engine.confinement()
    print(engine.query(Job(sql="SELECT 6 * 7")).rows[0][0], found.is_full, ",".join(found.gaps))
"""


@needs_root
def test_an_account_without_root_runs_it_and_is_told_what_is_missing():
    if new_account(name="nobody").run([sys.executable, "-c", ""]).returncode:
        pytest.skip("other accounts cannot enter this checkout")
    done = subprocess.run(
        [sys.executable, "-I", "-c", ENGINE_AS_OTHER],
        user=65534,
        group=65534,
        extra_groups=[],
        cwd="/",
        env={"TMPDIR": "/tmp"},
        capture_output=True,
        text=True,
    )
    answer, full, gaps = done.stdout.split()
    assert (answer, full) == ("42", "False")
    assert "no_account" in gaps.split(",")

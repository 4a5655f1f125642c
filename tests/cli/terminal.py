# SPDX-License-Identifier: Apache-2.0
"""The real `lingqu`, run as a person runs it: a process of its own in a folder of its own."""

import atexit
import io
import json
import multiprocessing
import os
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from multiprocessing import forkserver
from pathlib import Path

from lingqu.cli import main
from lingqu.cli.program import COMMANDS
from lingqu.runtime.postgres import discard_postgres

LINGQU = str(Path(sys.executable).parent / "lingqu")
VERIFY = str(Path(sys.executable).parent / "lingqu-verify")


MODULES = [place.partition(":")[0] for place in COMMANDS.values()]
LOADED = multiprocessing.get_context("forkserver")
"""Processes forked from one that has loaded the program: loading it takes longer than most
commands do, and `start` still runs the program as it is installed."""
LOADED.set_forkserver_preload(["warmed", "lingqu.cli", *sorted(set(MODULES))])


def _start_loading():
    """Let the process that is forked from find `warmed`; a second call finds it running."""
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (str(Path(__file__).parent), before)))
    try:
        forkserver.ensure_running()
    finally:
        os.environ.pop("PYTHONPATH") if before is None else os.environ.update(PYTHONPATH=before)


def _run_lingqu(words, environment, folder, streams):
    """Become `lingqu WORDS` with streams of its own."""
    for number, (path, flags) in enumerate(
        zip(streams, (os.O_RDONLY, os.O_WRONLY | os.O_CREAT, os.O_WRONLY | os.O_CREAT), strict=True)
    ):
        opened = os.open(path, flags, 0o600)
        os.dup2(opened, number)
        os.close(opened)
    sys.stdin = io.TextIOWrapper(io.FileIO(0, closefd=False), encoding="utf-8")
    sys.stdout = io.TextIOWrapper(io.FileIO(1, "w", closefd=False), encoding="utf-8")
    sys.stderr = io.TextIOWrapper(
        io.FileIO(2, "w", closefd=False), encoding="utf-8", write_through=True
    )
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.argv = ["lingqu", *words]
    try:
        main()
    finally:
        sys.stdout.flush()
        atexit._run_exitfuncs()


@dataclass(frozen=True)
class Answer:
    code: int
    out: str
    err: str

    @property
    def json(self):
        return json.loads(self.out)

    @property
    def refusal(self):
        return self.json["error"]["code"]


class Cli:
    """Runs `lingqu` with one data folder; every answer is checked to hold no traceback."""

    def __init__(self, folder):
        self.folder = folder
        self.data = folder / "data"
        self.key = folder / "data.key"

    def environment(self, **more):
        kept = {name: value for name, value in os.environ.items() if not name.startswith("LINGQU_")}
        kept |= {"LINGQU_DATA_DIR": str(self.data), "LC_ALL": "zh_CN.UTF-8", "COLUMNS": "100"}
        return {name: str(value) for name, value in (kept | more).items()}

    def __call__(self, *words, stdin="", timeout=120, **more):
        with tempfile.TemporaryDirectory() as folder:
            streams = [Path(folder) / name for name in ("in", "out", "err")]
            streams[0].write_text(stdin, encoding="utf-8")
            _start_loading()
            process = LOADED.Process(
                target=_run_lingqu,
                args=(list(map(str, words)), self.environment(**more), self.folder, streams),
            )
            process.start()
            process.join(timeout)
            code = process.exitcode
            if code is None:
                process.kill()
            assert code is not None, f"{words} did not end in {timeout} s"
            out, err = (stream.read_text(encoding="utf-8") for stream in streams[1:])
        answer = Answer(code, out, err)
        assert "Traceback" not in out + err, err
        return answer

    def json(self, *words, code=0, **more):
        answer = self(*words, "--json", **more)
        assert answer.code == code, answer
        return answer.json

    def clear(self):
        """Delete the databases; as root they may lie outside the folder."""
        for record in self.folder.rglob("postgres.json"):
            discard_postgres(data_dir=record.parent)

    def start(self, *words, **more):
        return subprocess.Popen(
            [LINGQU, *map(str, words)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=self.folder,
            env=self.environment(**more),
        )


def wait_for_line(process, words, seconds=60):
    """The lines a process wrote up to the one that holds `words`."""
    deadline, lines = time.monotonic() + seconds, []
    for line in process.stdout:
        lines.append(line)
        if words in line:
            return lines
        assert time.monotonic() < deadline, lines
    raise AssertionError(f"ended without {words!r}: {''.join(lines)}")


def end(process, number=signal.SIGINT, seconds=30):
    process.send_signal(number)
    with process.stdout:
        rest = process.stdout.read()
    return process.wait(seconds), rest

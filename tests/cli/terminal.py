# SPDX-License-Identifier: Apache-2.0
"""The real `lingqu`, run as a person runs it: a process of its own in a folder of its own."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from lingqu.runtime.postgres import discard_postgres

LINGQU = str(Path(sys.executable).parent / "lingqu")
VERIFY = str(Path(sys.executable).parent / "lingqu-verify")


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
        ended = subprocess.run(
            [LINGQU, *map(str, words)],
            input=stdin,
            capture_output=True,
            text=True,
            timeout=timeout,
            cwd=self.folder,
            env=self.environment(**more),
        )
        answer = Answer(ended.returncode, ended.stdout, ended.stderr)
        assert "Traceback" not in ended.stdout + ended.stderr, ended.stderr
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

# SPDX-License-Identifier: Apache-2.0
"""Somebody who types into one shell, on one platform, what the guides say.

Only two things differ from a reader's terminal: `lingqu` runs from a process that has loaded it
already, and the platform answers on a free port. `# 应见 x` behind a command says what is then on
the screen; a refusal must be announced so, and an announced one must come.
"""

import contextlib
import csv
import os
import re
import signal
import subprocess
import threading
from decimal import Decimal
from pathlib import Path

import openpyxl
from terminal import VERIFY, Answer, wait_for_line

from lingqu.cli import ids

SITE = "http://127.0.0.1:8470"
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)
SEEN = re.compile(r"# (?:应见|see) (.+)")
SAVED = re.compile(r"# .*?([\w-]+)\.csv.*?([\w-]+)\.xlsx")
STATUS = re.compile(r"HTTP (\d{3})$", re.MULTILINE)
OVER = "-- over --"

SHELL = """
lingqu() {
  local code
  printf '%s\\0' "$@" > ask
  read -r code < answer
  cat said
  return "$code"
}
"""


class Walk:
    """Somebody who types into one shell what the guides say."""

    def __init__(self, cli):
        self.cli = cli
        self.failed = []
        self.server = None
        self.site = SITE
        for pipe in ("ask", "answer"):
            os.mkfifo(cli.folder / pipe)
        self.shell = subprocess.Popen(
            ["bash", "--norc", "--noprofile"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=cli.folder,
            env=cli.environment(PATH=f"{Path(VERIFY).parent}:{os.environ['PATH']}"),
        )
        threading.Thread(target=self.answer, daemon=True).start()
        self.type(SHELL)

    def answer(self):
        """Be `lingqu` for the shell, command after command."""
        with contextlib.suppress(OSError):
            while words := (self.cli.folder / "ask").read_text(encoding="utf-8").split("\0")[:-1]:
                if words[0] == "id":  # in this process: most requests have an id of their own
                    made = "\n".join(ids.written({name: ids.id_for(name) for name in words[1:]}))
                    done = Answer(0, f"{made}\n", "")
                else:
                    done = self.cli(*words)
                (self.cli.folder / "said").write_text(done.out + done.err, encoding="utf-8")
                if done.code:
                    self.failed.append((words, done))
                (self.cli.folder / "answer").write_text(f"{done.code}\n")

    def type(self, text):
        """What is on the screen after these lines."""
        self.shell.stdin.write(f"{text}\necho '{OVER}'\n")
        self.shell.stdin.flush()
        lines = []
        for line in self.shell.stdout:
            if line.rstrip().endswith(OVER):
                return "".join(lines) + line.rstrip().removesuffix(OVER)
            lines.append(line)
        raise AssertionError(f"the shell ended: {''.join(lines)}")

    def do(self, text):
        """Type some lines, save what is to be saved, and look for what is to be seen."""
        wanted = [self.shown(one) for one in SEEN.findall(text)]
        said = self.type(text.replace(SITE, self.site))
        assert not self.failed, self.failed
        assert "Traceback" not in said, said
        for source, target in SAVED.findall(text):
            save_as_workbook(self.cli.folder / f"{source}.csv", self.cli.folder / f"{target}.xlsx")
        refused = [code for code in STATUS.findall(said) if code >= "400"]
        assert refused == [one for one in wanted if one.isdecimal() and one >= "400"], said
        for one in wanted:
            assert one in said, (one, said)
        return said

    def shown(self, text):
        """What a text with names of the shell in it stands for."""
        return self.type(f'echo "{text}"').rstrip() if "$" in text else text

    def serve(self):
        self.server, self.site = self.start("serve")

    def start(self, *words):
        """A process that answers at a free port: itself and its address."""
        process = self.cli.start("--lang", "en", *words, "--port", "0")
        said = "".join(wait_for_line(process, "http://"))
        threading.Thread(target=self.keep, args=(process,), daemon=True).start()
        return process, re.search(r"http://\S+[0-9]", said)[0]

    def keep(self, process):
        """Read on what a process says, so that it never waits for us."""
        log = self.cli.folder / f"{process.pid}.log"
        with process.stdout as said, log.open("w", encoding="utf-8") as kept:
            kept.writelines(said)

    def stop(self, process, number=signal.SIGKILL):
        """End a process and wait for its end."""
        process.send_signal(number)
        process.wait(30)

    def read(self, guide):
        for kind, content in BLOCK.findall(guide.read_text(encoding="utf-8")):
            if kind == "sh":
                for paragraph in content.split("\n\n"):
                    self.do(paragraph)
            else:
                assert (kind, content) == ("console", "$ lingqu serve\n"), (guide.name, content)
                self.serve()

    def close(self):
        self.shell.stdin.close()
        self.shell.wait(30)
        self.shell.stdout.close()
        if self.server is not None:
            self.stop(self.server, signal.SIGTERM)
        self.cli.clear()


def save_as_workbook(source, target):
    """Do what an office program does with a table that is opened and saved as a workbook."""
    book = openpyxl.Workbook()
    with source.open(encoding="utf-8", newline="") as file:
        for number, row in enumerate(csv.reader(file)):
            book.active.append(row if number == 0 else [*row[:-1], Decimal(row[-1])])
    book.save(target)

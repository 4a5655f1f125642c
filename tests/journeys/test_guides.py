# SPDX-License-Identifier: Apache-2.0
"""The guides are done word by word: commands, files and requests are read out of them.

`# 记下 x` keeps the first new id (or secret) that a command prints under that name, `# 应为 a=b`
compares a figure of its answer. A file stands in a block behind a paragraph that names it. An
unknown name in a request is an id its caller makes; a number behind `http` is the expected status.
"""

import contextlib
import json
import re
import shlex
import signal
import subprocess
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from terminal import VERIFY, Cli, end, wait_for_line

import lingqu.wiring  # noqa: F401  # every kind of id is known
from lingqu.kernel.ids import Id
from lingqu.runtime import new_id

pytestmark = pytest.mark.timeout(900)

GUIDES = Path(__file__).parents[2] / "docs" / "guide"
ORDER = ("provider", "operator", "buyer", "regulator")
BLOCK = re.compile(r"^```(\w+)(?: (\d+))?\n(.*?)^```", re.MULTILINE | re.DOTALL)
FILE = re.compile(r"`([\w.-]+\.(?:json|csv))`[^`\n]*[：:]\s*\Z")
NAME = re.compile(r"\b(?:[a-z]{3}|key)_[a-z]+\b")
NOTE = re.compile(r"\s+# (?:记下|note) (\w+)")
EXPECT = re.compile(r"\s+# (?:应为|expect) (\w+)=(\w+)")
REAL = re.compile(r"\b[a-z]{3}_[0-9a-hjkmnp-tv-z]{26}\b")


def found(document, name):
    """Every value that stands under a name, at any depth."""
    if isinstance(document, dict):
        for key, value in document.items():
            if key == name:
                yield value
            yield from found(value, name)
    elif isinstance(document, list):
        for value in document:
            yield from found(value, name)


class Walk:
    """Somebody who does what the guides say, and keeps what they say to keep."""

    def __init__(self, cli):
        self.cli = cli
        self.known = {}
        self.process = None
        self.address = None

    def named(self, text, *, making=False):
        """The text with every kept name replaced; with `making`, new ids for unknown names."""

        def value(match):
            name = match[0]
            prefix = name.partition("_")[0]
            if making and name not in self.known and prefix in Id.kinds:
                self.known[name] = new_id(Id.kinds[prefix])
            return self.known.get(name, name)

        return NAME.sub(value, text)

    def keep(self, name, answer):
        if name.startswith("key_"):
            secret = next(found(answer, "secret"), None)
            self.known[name] = secret or next(found(answer, "verifier_keys"))[0]
            return
        ids = REAL.findall(json.dumps(answer))
        prefix = name.partition("_")[0]
        known = set(self.known.values())
        new = [one for one in ids if one.startswith(f"{prefix}_") and one not in known]
        assert new, (name, answer)
        self.known[name] = new[0]

    def run(self, line):
        notes, expected = NOTE.findall(line), EXPECT.findall(line)
        words = shlex.split(self.named(EXPECT.sub("", NOTE.sub("", line))))
        if words[0] == "lingqu-verify":
            done = subprocess.run([VERIFY, *words[1:]], cwd=self.cli.folder, capture_output=True)
            assert done.returncode == 0, done.stderr
            return
        answer = self.cli(*words[1:], "--json")
        assert answer.code == 0, (line, answer)
        for name in notes:
            self.keep(name, answer.json)
        for name, value in expected:
            told = next(found(answer.json, name), None)
            assert str(len(told) if isinstance(told, list) else told) == value, (line, answer.out)

    def ask(self, text, status):
        head, _, body = self.named(text, making=True).partition("\n\n")
        first, *headers = head.splitlines()
        method, path = first.split(" ", 1)
        sent = dict(line.split(": ", 1) for line in headers)
        sent |= {"Content-Type": "application/json", "Idempotency-Key": new_id(Id.kinds["cmd"])}
        if self.process is None:
            self.process = self.cli.start("--lang", "en", "serve", "--port", "0")
            said = "".join(wait_for_line(self.process, "http://"))
            self.address = urlsplit(re.search(r"http://\S+[0-9]", said)[0])
        with contextlib.closing(
            HTTPConnection(self.address.hostname, self.address.port, timeout=60)
        ) as connection:
            connection.request(method, path, body.encode(), sent)
            answer = connection.getresponse()
            content = answer.read().decode()
        assert answer.status == status or (not status and answer.status < 300), (text, content)
        if status:
            assert json.loads(content)["code"], content

    def read(self, guide):
        text = guide.read_text(encoding="utf-8")
        for block in BLOCK.finditer(text):
            kind, status, content = block.groups()
            if kind == "console":
                for line in content.splitlines():
                    self.run(line.removeprefix("$ "))
            elif kind == "http":
                self.ask(content, int(status or 0))
            else:
                name = FILE.search(text[: block.start()].rstrip() + "\n")
                assert name, f"{guide.name}: a {kind} block stands behind no file's name"
                (self.cli.folder / name[1]).write_text(self.named(content), encoding="utf-8")

    def close(self):
        if self.process is not None:
            end(self.process, signal.SIGTERM)
        self.cli.clear()


def test_whoever_follows_the_four_guides_comes_through(tmp_path):
    walk = Walk(Cli(tmp_path))
    with contextlib.closing(walk):
        for name in ORDER:
            walk.read(GUIDES / "zh-CN" / f"{name}.md")


def test_the_english_guides_say_the_same_commands_requests_and_files():
    def steps(language, name):
        text = (GUIDES / language / f"{name}.md").read_text(encoding="utf-8")
        for kind, status, content in BLOCK.findall(text):
            if kind == "console":
                for line in content.splitlines():
                    said = NOTE.sub(r" # \1", EXPECT.sub(r" # \1=\2", line))
                    words = said.split(" # ")[0].split()
                    options = [word for word in words if word.startswith("--")]
                    named = NAME.findall(said)
                    yield words[1:3], options, named, EXPECT.findall(line)
            elif kind == "http":
                head, _, body = content.partition("\n\n")
                shape = [sorted(one) for one in [json.loads(body)]]
                yield kind, status, head, shape, NAME.findall(body)
            else:
                yield kind, content.count("\n")

    for name in ORDER:
        assert [*steps("zh-CN", name)] == [*steps("en", name)], name


def test_a_guide_without_a_named_file_is_found(tmp_path):
    guide = tmp_path / "guide.md"
    guide.write_text("Nothing is named here.\n\n```csv\na\n```\n")
    with pytest.raises(AssertionError, match="no file's name"):
        Walk(Cli(tmp_path)).read(guide)


def test_an_id_is_made_for_a_caller_and_an_unknown_prefix_is_refused(tmp_path):
    cli = Cli(tmp_path)
    assert cli.json("id", "ctr")["id"].startswith("ctr_")
    assert cli("id", "zzz", "--json").refusal == "cli.id.prefix_unknown"

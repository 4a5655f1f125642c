# SPDX-License-Identifier: Apache-2.0
"""What one run of the command line knows: its settings, its language, how it answers.

People read standard output and progress on standard error; a program that asked for `--json` gets
exactly one JSON document on standard output.
"""

from __future__ import annotations

import dataclasses
import json
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from lingqu.cli.text import padded
from lingqu.kernel.errors import Parameter
from lingqu.kernel.time import Instant, format_instant
from lingqu.kernel.values import to_plain
from lingqu.runtime.i18n import Language, format_instant_local, translate
from lingqu.runtime.settings import Settings, load_settings

Lines = Iterable[str]
_REDRAW_S = 0.1


@dataclass(slots=True, kw_only=True)
class Invocation:
    """One run of `lingqu`. `correlation` is in every log line and in every unexpected error.

    `home` is the data folder once the settings are known, `command` the id of the command sent.
    """

    language: Language
    correlation: str
    as_json: bool = False
    debug: bool = False
    data_dir: Path | None = None
    config: Path | None = None
    time_zone: str = field(default="Asia/Shanghai")
    answered: bool = False
    home: Path | None = None
    command: str | None = None

    def settings(self, **overrides: object) -> Settings:
        """This will load the settings with what was given on the command line before them.

        Raises UnknownSetting, BadSetting, UnreadableSettingsFile or KeyInsideData.
        """
        given = {"data_dir": self.data_dir, "language": self.language} | overrides
        loaded = load_settings(os.environ, file=self.config, overrides=given)
        self.time_zone, self.home = loaded.time_zone, loaded.data_dir
        return loaded

    def word(self, code: str, /, **parameters: Parameter) -> str:
        """This will give the text of a code of this package's catalog in the language spoken."""
        return translate(f"cli.{code}", self.language, **parameters)

    def moment(self, instant: Instant) -> str:
        """This will write an instant as a person here reads it."""
        return format_instant_local(instant, self.time_zone, self.language)

    def answer(self, document: object, lines: Lines | Callable[[], Lines]) -> None:
        """This will print the one answer of this run: the document, or the lines for people."""
        assert not self.answered, "a run answers once"
        self.answered = True
        if self.as_json:
            sys.stdout.write(json_text(document) + "\n")
        else:
            shown = lines() if callable(lines) else lines
            sys.stdout.write("".join(f"{line}\n" for line in shown))
        sys.stdout.flush()

    def say(self, text: str = "") -> None:
        """This will write a line for a person on standard error; with `--json` nothing."""
        if not self.as_json:
            sys.stderr.write(text + "\n")
            sys.stderr.flush()

    def tell(self, text: str = "") -> None:
        """This will write a line of a story on standard output; with `--json` nothing."""
        if not self.as_json:
            sys.stdout.write(text + "\n")
            sys.stdout.flush()

    def heads(self, *names: str) -> Sequence[str]:
        """This will give the heads of a table's columns."""
        return [self.word(f"head.{name}") for name in names]

    @contextmanager
    def step(self, code: str, /, **parameters: Parameter) -> Iterator[Progress]:
        """This will show on standard error that a piece of long work runs, and how far it is."""
        progress = Progress(self.word(code, **parameters), silent=self.as_json)
        progress.begin()
        try:
            yield progress
        except BaseException:
            progress.end(done=False)
            raise
        progress.end(done=True)


class Progress:
    """One line of progress: redrawn on a terminal, begin and end only where there is none."""

    def __init__(self, title: str, *, silent: bool) -> None:
        """Say nothing yet."""
        self._title = title
        self._silent = silent
        self._live = not silent and sys.stderr.isatty()
        self._drawn_at = 0.0
        self._began_at = time.monotonic()

    def begin(self) -> None:
        """This will name the work."""
        if self._live:
            self._draw("…")
        elif not self._silent:
            sys.stderr.write(f"  {self._title} …\n")
            sys.stderr.flush()

    def advance(self, done: int, total: int) -> None:
        """This will show how much of the work is done; more often than needed is harmless."""
        now = time.monotonic()
        if self._live and (done >= total or now - self._drawn_at >= _REDRAW_S):
            self._drawn_at = now
            share = 100 if total <= 0 else min(100, done * 100 // total)
            self._draw(f"{share:>3} %")

    def note(self, text: str) -> None:
        """This will show why nothing moves, on a terminal."""
        now = time.monotonic()
        if self._live and now - self._drawn_at >= _REDRAW_S:
            self._drawn_at = now
            self._draw(text)

    def end(self, *, done: bool) -> None:
        """This will say that the work is done, or that it was left."""
        if self._live:
            seconds = time.monotonic() - self._began_at
            self._draw(f"✓ {seconds:.1f} s" if done else "✗")
            sys.stderr.write("\n")
            sys.stderr.flush()

    def _draw(self, state: str) -> None:
        sys.stderr.write(f"\r\x1b[K  {padded(self._title, 36)} {state}")
        sys.stderr.flush()


def json_text(document: object) -> str:
    """This will write a document as JSON for machines and people alike: UTF-8, indented."""
    return json.dumps(plain_data(document), ensure_ascii=False, indent=2)


def plain_data(value: object) -> object:
    """This will turn values into JSON data; a path becomes text, what is hidden None."""
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, Mapping):
        return {str(key): plain_data(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain_data(item) for item in value]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = dataclasses.fields(value)
        return {item.name: plain_data(getattr(value, item.name)) for item in fields if item.repr}
    return value if isinstance(value, float) else to_plain(value)


def stamp(instant: Instant | None) -> str | None:
    """This will write an instant for machines, or None."""
    return None if instant is None else format_instant(instant)

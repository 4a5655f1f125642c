# SPDX-License-Identifier: Apache-2.0
"""One telling of a demonstration: the story, the proof of everything it left, and where to look.

The story itself is in `story`; here it is given its stage, and afterwards the log's proof is handed
to a program of its own, with and without an alteration.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lingqu import gate, trust
from lingqu.cli.acting import caller
from lingqu.cli.doctor import NoVerifier, program_beside
from lingqu.cli.facts import logs_of, verify_command, wait_until_sequenced
from lingqu.cli.invocation import Invocation
from lingqu.cli.journal import Beat, Journal
from lingqu.cli.machine import connect
from lingqu.cli.story import STORIES, Stage, accounts_file, read_passwords
from lingqu.cli.text import labelled
from lingqu.kernel import errors
from lingqu.kernel.paging import PageRequest
from lingqu.runtime.blobs import replace_file
from lingqu.runtime.settings import key_location
from lingqu.trust import log as logs
from lingqu.wiring import App

EVIDENCE = "demo-evidence.json"
FILES = "demo-files"
_WITNESS_S = 10.0
_PAUSE_S = 0.05


class DemoDisproved(errors.Unavailable):
    """The proof did not verify, or an altered one did: this must never happen."""

    code = "cli.demo.disproved"


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """The figures of a story that was told to its end. `figures` are named `beat.figure`."""

    profile: str
    data_dir: str
    address: str
    accounts_file: str
    files: str
    figures: dict[str, int | str]
    beats: tuple[Beat, ...]
    facts: int
    refused: int
    log_size: int
    log_root: str
    checkpoint_s: float
    evidence_file: str
    verify: tuple[str, ...]
    verified: bool
    altered_verified: bool
    witness: str
    witnessed_size: int
    total_s: float


@dataclass(slots=True, kw_only=True)
class Telling:
    """One telling. `witness` is the key and the address of the witness."""

    run: Invocation
    app: App
    journal: Journal
    witness: str

    def tell(self, address: str, began: float) -> Told:
        """This will play the story, prove what it left, and say where to look; gives the figures.

        Raises what a command raises, or DemoDisproved.
        """
        story = STORIES[self.journal.profile]
        stage = Stage(
            run=self.run,
            app=self.app,
            journal=self.journal,
            cast=story.cast,
            region=story.region,
            address=address,
            connect=connect,
            files=self.files,
        )
        self.files.mkdir(exist_ok=True)
        gate.settle_abandoned(self.app.database)  # of a telling that was killed
        stage.play(story.chapters)
        waited = time.monotonic()
        facts = self._facts(stage)
        self._chapter("demo.act_log")
        wait_until_sequenced(self.run, self.app, facts)
        seconds = time.monotonic() - waited
        counted, refused, status = self._all_in_the_log()
        root = "" if status.root is None else status.root.hex()
        self._lines(("head.log_size", status.size), ("head.root", root))
        witness, size = self._witnessed(status.size)
        words, verified, altered = self._prove(facts, witnessed=bool(witness))
        self._farewell(address)
        return Told(
            profile=self.journal.profile,
            data_dir=str(self.app.settings.data_dir),
            address=address,
            accounts_file=str(accounts_file(self.app.settings.data_dir)),
            files=str(self.files),
            figures=self._figures(),
            beats=self.journal.beats(),
            facts=counted,
            refused=refused,
            log_size=status.size,
            log_root=root,
            checkpoint_s=round(seconds, 3),
            evidence_file=str(self._evidence),
            verify=words,
            verified=verified,
            altered_verified=altered,
            witness=witness,
            witnessed_size=size,
            total_s=round(time.monotonic() - began, 2),
        )

    @property
    def files(self) -> Path:
        """The folder of what the story wrote for people: letters, tables, evidence."""
        return self.app.settings.data_dir / FILES

    @property
    def _evidence(self) -> Path:
        return self.app.settings.data_dir / EVIDENCE

    def _figures(self) -> dict[str, int | str]:
        return {
            f"{beat.name}.{name}": value
            for beat in self.journal.beats()
            for name, value in beat.figures.items()
        }

    def _facts(self, stage: Stage) -> tuple[trust.FactId, ...]:
        """What the actors' own registration left, in the order of the log."""
        found: set[trust.FactId] = set()
        with self.app.database.reading(caller(self.run)) as tx:
            for actor in stage.cast:
                page = trust.find_facts(tx, page=PageRequest(size=50), subject=stage.account(actor))
                found |= {one.id for one in page.items}
        return tuple(sorted(found))

    def _prove(
        self, facts: tuple[trust.FactId, ...], *, witnessed: bool
    ) -> tuple[tuple[str, ...], bool, bool]:
        self._chapter("demo.act_proof")
        with self.app.database.reading(caller(self.run)) as tx:
            text = logs.bundle(tx, logs_of(self.app), facts)
            key = str(logs.own_log(tx).keys[0].verifier)
        replace_file(self._evidence, text.encode(), mode=0o644)
        outside = ["--witness", self.witness.partition(" ")[0]] if witnessed else []
        words = [*verify_command(self._evidence, key), *outside]
        self.run.tell(f"  $ {shlex.join(words)}")
        verified, said = self._verify(words)
        for line in said.splitlines():
            self.run.tell(f"    {line}")
        altered = self._evidence.with_name("demo-altered.json")
        replace_file(altered, text.replace("trust.account.", "trust.accounx.", 1).encode())
        try:
            altered_verified, said = self._verify([*verify_command(altered, key), *outside])
        finally:
            altered.unlink()
        self.run.tell()
        self.run.tell(f"  {self.run.word('demo.altered')}")
        for line in said.splitlines():
            self.run.tell(f"    {line}")
        if not verified or altered_verified:
            raise DemoDisproved(file=str(self._evidence))
        return tuple(words), verified, altered_verified

    def _verify(self, words: list[str]) -> tuple[bool, str]:
        """Run the verifier as anyone would: a program of its own, knowing the file and the key."""
        program = program_beside(words[0])
        if program is None:
            raise NoVerifier(program=words[0])
        language = "en" if self.run.language == "en" else "zh"
        environment = {
            name: value for name, value in os.environ.items() if name in {"PATH", "LANG", "LC_ALL"}
        }
        ended = subprocess.run(
            [str(program), *words[1:], "--lang", language],
            capture_output=True,
            encoding="utf-8",
            env=environment | {"PYTHONUTF8": "1"},
            timeout=60,
            check=False,
        )
        return ended.returncode == 0, (ended.stdout + ended.stderr).strip()

    def _all_in_the_log(self) -> tuple[int, int, logs.LogStatus]:
        """Wait until the log holds every fact there is, those of the platform's own work too.

        Gives how many facts there are, how many of them refusals, and how the log stands.
        """
        deadline = time.monotonic() + _WITNESS_S
        while True:
            with self.app.database.reading(caller(self.run)) as tx:
                counted = trust.count_facts(tx)
            status = self.app.sequencer.status()
            if status.size == counted.facts or time.monotonic() > deadline:
                return counted.facts, counted.refused, status
            time.sleep(_PAUSE_S)

    def _witnessed(self, size: int) -> tuple[str, int]:
        self._chapter("demo.act_witness")
        deadline = time.monotonic() + _WITNESS_S
        while True:
            cosigned = self.app.sequencer.status().cosigned
            if cosigned and cosigned[0].size >= size:
                break
            if time.monotonic() > deadline:
                self.run.tell(f"  {self.run.word('log.no_witness')}")
                return "", 0
            time.sleep(_PAUSE_S)
        one = cosigned[0]
        self._lines(
            ("head.witness", one.witness),
            ("head.address", self.witness.partition(" ")[2]),
            ("head.log_size", one.size),
            ("head.at", self.run.moment(one.at)),
        )
        return one.witness, one.size

    def _farewell(self, address: str) -> None:
        data = self.app.settings.data_dir
        self._chapter("demo.act_look")
        self._lines(
            ("demo.look_home", address),
            ("demo.look_log", f"{address}/log/"),
            ("demo.look_api", f"{address}/api/docs"),
            ("demo.look_status", f"lingqu status --data-dir {shlex.quote(str(data))}"),
            ("demo.look_audit", f"lingqu audit --data-dir {shlex.quote(str(data))}"),
            ("demo.look_files", self.files),
            ("demo.look_key", key_location(self.app.settings)),
        )
        self._chapter("demo.look_login")
        passwords = read_passwords(accounts_file(data))
        known = {actor.login: actor.name for actor in STORIES[self.journal.profile].cast.values()}
        for line in labelled(
            [
                (
                    f"{self.run.word(f'story.role.{login}')}  {known.get(login, '')}",
                    f"{login}  /  {password}",
                )
                for login, password in passwords.items()
            ]
        ):
            self.run.tell(line)
        self._lines(("demo.look_accounts", accounts_file(data)))
        self.run.tell()
        self.run.tell(self.run.word("demo.stop"))

    def _chapter(self, code: str) -> None:
        self.run.tell()
        self.run.tell(self.run.word(code))

    def _lines(self, *pairs: tuple[str, Any]) -> None:
        for line in labelled([(self.run.word(code), value) for code, value in pairs]):
            self.run.tell(line)

# SPDX-License-Identifier: Apache-2.0
"""What the demonstration does and says, act by act.

Its script holds the id of every command it will send, made once and kept in the folder. Telling
the story again sends the same commands, which changes nothing: the platform's own promise.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Self

from lingqu import trust
from lingqu.cli.accounts import new_password
from lingqu.cli.acting import act, caller, made_by
from lingqu.cli.doctor import NoVerifier, program_beside
from lingqu.cli.facts import logs_of, verify_command, wait_until_sequenced
from lingqu.cli.invocation import Invocation
from lingqu.cli.text import labelled
from lingqu.kernel import errors
from lingqu.kernel.paging import PageRequest
from lingqu.runtime import new_id
from lingqu.runtime.blobs import replace_file
from lingqu.runtime.settings import key_location
from lingqu.trust import log as logs
from lingqu.wiring import App

MARK = "demo.json"
ACCOUNTS = "demo-accounts.txt"
EVIDENCE = "demo-evidence.json"
BUREAU = "〈灵渠市数据局〉（演示）"
OPERATOR = "〈灵渠数据运营公司〉（演示）"
OPERATOR_RENAMED = "〈灵渠数据运营有限公司〉（演示）"
LOGIN = "demo"
_WITNESS_S = 10.0
_PAUSE_S = 0.05


class DemoDisproved(errors.Unavailable):
    """The proof did not verify, or an altered one did: this must never happen."""

    code = "cli.demo.disproved"


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """The command ids of the story, and whether it was told to its end once."""

    bureau: str
    operator: str
    account: str
    role: str
    rename: str
    refused: str
    told: bool = False

    @classmethod
    def new(cls) -> Self:
        """This will make every id anew."""
        return cls(
            bureau=new_id(trust.CommandId),
            operator=new_id(trust.CommandId),
            account=new_id(trust.CommandId),
            role=new_id(trust.CommandId),
            rename=new_id(trust.CommandId),
            refused=new_id(trust.CommandId),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """The figures of a story that was told to its end."""

    data_dir: str
    address: str
    party: str
    account: str
    login: str
    accounts_file: str
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


def read_script(folder: Path) -> Script | None:
    """This will read the script of a demonstration's folder; None where it is none of ours."""
    try:
        plain = json.loads((folder / MARK).read_bytes())
        script = Script(**plain["script"])
        for name in ("bureau", "operator", "account", "role", "rename", "refused"):
            trust.CommandId(getattr(script, name))
    except (OSError, ValueError, TypeError, KeyError, errors.Rejected):
        return None
    return script


def write_script(folder: Path, script: Script) -> None:
    """This will keep the script, which also marks the folder as a demonstration's."""
    text = json.dumps({"lingqu": "demo", "script": asdict(script)}, indent=1)
    replace_file(folder / MARK, text.encode() + b"\n")


@dataclass(slots=True, kw_only=True)
class Story:
    """One telling. `witness` is the key and the address of the witness."""

    run: Invocation
    app: App
    script: Script
    witness: str

    def tell(self, address: str, began: float) -> Told:
        """This will do every act and say what happened; gives the figures.

        Raises what a command raises, or DemoDisproved.
        """
        self._chapter("demo.act_party")
        party, password = self._parties()
        waited = time.monotonic()
        facts = self._facts()
        self._chapter("demo.act_log")
        wait_until_sequenced(self.run, self.app, facts)
        seconds = time.monotonic() - waited
        status = self.app.sequencer.status()
        root = "" if status.root is None else status.root.hex()
        self._lines(
            ("head.log_size", status.size),
            ("head.root", root),
            ("head.seconds", f"{seconds:.2f}"),
        )
        witness, size = self._witnessed(status.size)
        words, verified, altered = self._prove(facts, witnessed=bool(witness))
        fact_count, refused = self._counts()
        if not self.script.told:
            self.script = replace(self.script, told=True)
            write_script(self.app.settings.data_dir, self.script)
        self._farewell(address, password)
        return Told(
            data_dir=str(self.app.settings.data_dir),
            address=address,
            party=party,
            account=made_by(trust.CommandId(self.script.account), trust.AccountId),
            login=LOGIN,
            accounts_file=str(self._accounts_file),
            facts=fact_count,
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
    def _evidence(self) -> Path:
        return self.app.settings.data_dir / EVIDENCE

    @property
    def _accounts_file(self) -> Path:
        return self.app.settings.data_dir / ACCOUNTS

    def _parties(self) -> tuple[trust.PartyId, str]:
        bureau = self._register("bureau", BUREAU)
        operator = self._register("operator", OPERATOR)
        password = self._password()
        command = trust.CommandId(self.script.account)
        account = made_by(command, trust.AccountId)
        act(
            self.run,
            self.app,
            trust.open_account,
            command,
            account=account,
            party=bureau,
            kind=trust.AccountKind.PERSON,
            login=LOGIN,
            password=trust.hash_password(password),
        )
        command = trust.CommandId(self.script.role)
        act(
            self.run,
            self.app,
            trust.assign_role,
            command,
            assignment=made_by(command, trust.AssignmentId),
            account=account,
            role=trust.Role.ADMINISTRATOR,
            party=bureau,
        )
        command = trust.CommandId(self.script.rename)
        act(
            self.run,
            self.app,
            trust.rename_party,
            command,
            party=operator,
            name=OPERATOR_RENAMED,
        )
        self._be_refused(operator)
        self._lines(("head.party", f"{BUREAU}  {bureau}"), ("head.account", LOGIN))
        self.run.tell(f"  {self.run.word('demo.renamed', name=OPERATOR_RENAMED)}")
        self.run.tell(f"  {self.run.word('demo.refused')}")
        return bureau, password

    def _register(self, command_name: str, name: str) -> trust.PartyId:
        command = trust.CommandId(getattr(self.script, command_name))
        made = act(
            self.run,
            self.app,
            trust.register_party,
            command,
            party=made_by(command, trust.PartyId),
            kind=trust.PartyKind.ORGANIZATION,
            name=name,
        )
        return made.id

    def _be_refused(self, party: trust.PartyId) -> None:
        """Once: ask for what is not allowed, so that the refusal stands in the log."""
        if self.script.told:
            return
        try:
            command = trust.CommandId(self.script.refused)
            act(self.run, self.app, trust.rename_party, command, party=party, name="")
        except errors.Rejected:
            return

    def _password(self) -> str:
        """The password of this folder's account; kept for its owner, so that it can be shown."""
        try:
            text = self._accounts_file.read_text(encoding="utf-8")
        except FileNotFoundError:
            text = ""
        for line in text.splitlines():
            login, _, password = line.partition("\t")
            if login == LOGIN and password:
                return password
        password = new_password()
        replace_file(self._accounts_file, f"{LOGIN}\t{password}\n".encode(), mode=0o600)
        return password

    def _facts(self) -> tuple[trust.FactId, ...]:
        """What the story's own acts left, in the order of the log."""
        subjects = (
            made_by(trust.CommandId(self.script.bureau), trust.PartyId),
            made_by(trust.CommandId(self.script.operator), trust.PartyId),
            made_by(trust.CommandId(self.script.account), trust.AccountId),
            made_by(trust.CommandId(self.script.role), trust.AssignmentId),
        )
        found: set[trust.FactId] = set()
        with self.app.database.reading(caller(self.run)) as tx:
            for subject in subjects:
                page = trust.find_facts(tx, page=PageRequest(size=50), subject=subject)
                found |= {one.id for one in page.items}
        return tuple(sorted(found))

    def _counts(self) -> tuple[int, int]:
        with self.app.database.reading(caller(self.run)) as tx:
            counted = trust.count_facts(tx)
        return counted.facts, counted.refused

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
        replace_file(altered, text.replace("trust.party.", "trust.partx.", 1).encode())
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

    def _farewell(self, address: str, password: str) -> None:
        data = self.app.settings.data_dir
        self._chapter("demo.act_look")
        self._lines(
            ("demo.look_home", address),
            ("demo.look_login", f"{LOGIN}  /  {password}"),
            ("demo.look_log", f"{address}/log/"),
            ("demo.look_api", f"{address}/api/docs"),
            ("demo.look_status", f"lingqu status --data-dir {shlex.quote(str(data))}"),
            ("demo.look_audit", f"lingqu audit --data-dir {shlex.quote(str(data))}"),
            ("demo.look_accounts", self._accounts_file),
            ("demo.look_key", key_location(self.app.settings)),
        )
        self.run.tell()
        self.run.tell(self.run.word("demo.stop"))

    def _chapter(self, code: str) -> None:
        self.run.tell()
        self.run.tell(self.run.word(code))

    def _lines(self, *pairs: tuple[str, Any]) -> None:
        for line in labelled([(self.run.word(code), value) for code, value in pairs]):
            self.run.tell(line)

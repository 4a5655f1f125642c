# SPDX-License-Identifier: Apache-2.0
"""A second Lingqu: the region's venue, in a folder, a database and a process of its own."""

from __future__ import annotations

import contextlib
import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ParamSpec, TypeVar

from lingqu import trust
from lingqu.cli.children import die_with_parent, end_child
from lingqu.cli.scripts import NotPossibleHere
from lingqu.cli.story.actors import GUANGXI, Actor
from lingqu.cli.story.stage import Stage
from lingqu.kernel import errors
from lingqu.kernel.time import Instant
from lingqu.runtime import Caller
from lingqu.runtime.settings import Settings
from lingqu.trust import identity
from lingqu.wiring import App, initialize, open_app

P = ParamSpec("P")
R = TypeVar("R")
ORIGIN = "venue.demo.lingqu.example"
_URL = re.compile(r"http://\S+[0-9]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Elsewhere:
    """The other installation: its address, and what its people do there."""

    stage: Stage
    app: App
    address: str

    def party(self, actor: str) -> trust.PartyId:
        """This will give the party an actor is there."""
        return self.stage.id(trust.PartyId, f"elsewhere/{actor}")

    def do(
        self,
        actor: str,
        name: str,
        what: trust.Command[P, R],
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> R:
        """This will do a command there, once for each `name`; `machine` runs it."""
        caller = self.stage.caller("machine")
        if actor != "machine":
            account = self.stage.id(trust.AccountId, f"elsewhere/{actor}")
            caller = Caller(account=account, channel="cli", correlation=caller.correlation)
        command = self.stage.id(trust.CommandId, f"elsewhere/{what.name}/{name}")
        return trust.execute(self.app.database, what, caller, command, *args, **kwargs)

    def on(self, to: Instant) -> None:
        """This will let its clock show the same moment as ours."""
        with self.app.database.reading() as tx:
            behind = tx.now < to
        if behind:
            self.do("machine", to.isoformat(), trust.move_story_clock, to=to)

    def admit(self, actor: Actor) -> None:
        """This will register an organization there, with the person who acts for it."""
        party = self.party(actor.key)
        account = self.stage.id(trust.AccountId, f"elsewhere/{actor.key}")
        self.do(
            "machine",
            actor.key,
            identity.register_organization,
            party=party,
            name=actor.name,
            kind=actor.kind,
            region=actor.region,
            code=actor.code,
            level=actor.level,
        )
        self.do(
            "machine",
            actor.key,
            trust.open_account,
            account=account,
            party=party,
            kind=trust.AccountKind.PERSON,
        )
        for role in actor.roles:
            self.do(
                "machine",
                f"{actor.key}/{role.value}",
                trust.assign_role,
                assignment=self.stage.id(trust.AssignmentId, f"elsewhere/{actor.key}/{role.value}"),
                account=account,
                role=role,
                party=party,
            )


@contextmanager
def opened_elsewhere(stage: Stage) -> Iterator[Elsewhere]:
    """This will begin or open the region's venue and serve it while the block runs."""
    with stage.reading() as tx:
        now = tx.now
    port = stage.journal.note("venue/port", _free_port())
    settings = replace(_settings(stage.app.settings), port=port)
    _found(settings, now)
    with _served(settings) as address, open_app(settings) as app:
        there = Elsewhere(stage=stage, app=app, address=address)
        there.on(now)
        there.admit(GUANGXI["venue"])
        yield there


def folder_elsewhere(settings: Settings) -> Path:
    """This will give the data folder of the other installation, beside ours."""
    return settings.data_dir.with_name(f"{settings.data_dir.name}-venue")


def _settings(ours: Settings) -> Settings:
    return replace(
        ours,
        data_dir=folder_elsewhere(ours),
        profile="guangxi",
        origin=ORIGIN,
        base_url=None,
        witnesses=(),
    )


def _free_port() -> int:
    with contextlib.closing(socket.socket()) as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def _found(settings: Settings, now: Instant) -> None:
    try:
        initialize(settings, story_from=now, origin=ORIGIN)
    except errors.Conflict as refusal:
        if refusal.code != "trust.installation.already_founded":
            raise


@contextmanager
def _served(settings: Settings) -> Iterator[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("LINGQU_")}
    own = {
        "LINGQU_DATA_DIR": str(settings.data_dir),
        "LINGQU_BIND": "127.0.0.1",
        "LINGQU_PORT": str(settings.port),
        "LINGQU_PROFILE": "guangxi",
        "LINGQU_ORIGIN": ORIGIN,
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "lingqu", "--lang", "en", "serve"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env=kept | own,
        process_group=0,
        preexec_fn=die_with_parent,  # noqa: PLW1509  # one system call, nothing is allocated
    )
    try:
        yield _address(process)
    finally:
        end_child(process)


def _address(process: subprocess.Popen[str]) -> str:
    assert process.stderr is not None, "it is a pipe"
    said = ""
    for line in process.stderr:
        said = line
        found = _URL.search(line)
        if found is not None:
            return found[0]
    raise NotPossibleHere(detail=said.strip()[-200:])

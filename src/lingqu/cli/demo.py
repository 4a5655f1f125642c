# SPDX-License-Identifier: Apache-2.0
"""`lingqu demo`: a folder of its own, a platform, a witness beside it, a story, and a clean end."""

from __future__ import annotations

import contextlib
import ipaddress
import json
import re
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TextIO

import click

from lingqu.cli import serve as server
from lingqu.cli.acting import caller
from lingqu.cli.children import die_with_parent, end_child
from lingqu.cli.demonstration import Telling, Told
from lingqu.cli.doctor import NoVerifier, program_beside
from lingqu.cli.grammar import command, option
from lingqu.cli.invocation import Invocation
from lingqu.cli.journal import Journal
from lingqu.cli.story import BEGINS, STORIES, folder_elsewhere
from lingqu.kernel import errors
from lingqu.kernel.time import parse_instant
from lingqu.runtime.blobs import storage_errors
from lingqu.runtime.observability import configure_logging
from lingqu.runtime.postgres import discard_postgres
from lingqu.runtime.settings import Settings, key_location, source_location
from lingqu.trust import log as logs
from lingqu.trust import rulebook
from lingqu.wiring import App, initialize, open_app

DATA_DIR = Path(".lingqu/demo")
FOUNDED = "founded"
ORIGIN = "demo.lingqu.example"
WITNESS_NAME = "witness.demo.lingqu.example"
_START_S = 10.0
_URL = re.compile(r"http://\S+")


class LoopbackOnly(errors.Rejected):
    """The demonstration has known accounts and is shown on this machine alone."""

    code = "cli.demo.loopback_only"


class NotADemo(errors.Conflict):
    """The folder holds something that this demonstration has not made."""

    code = "cli.demo.not_a_demo"


class AnotherStory(errors.Conflict):
    """The folder holds the story of another region."""

    code = "cli.demo.another_story"


class NoStory(errors.Rejected):
    """No story is told for this region."""

    code = "cli.demo.no_story"


class WitnessFailed(errors.Unavailable):
    """The witness did not start."""

    code = "cli.demo.witness_failed"


@command("demo")
@option("--fresh", is_flag=True)
@option("--port", metavar="PORT")
@option("--profile")
@click.pass_obj
def demo(run: Invocation, fresh: bool, port: str | None, profile: str | None) -> None:  # noqa: FBT001  # a flag of the command line
    """Show Lingqu's main job and leave it running."""
    began = time.monotonic()
    settings = _settings(run, port, profile)
    journal, known = _prepare(settings, fresh=fresh)
    run.tell(run.word("demo.title"))
    run.tell(run.word("demo.where", folder=str(settings.data_dir)))
    with contextlib.ExitStack() as stack:
        stream = stack.enter_context(_log_file(settings))
        configure_logging("json", "info", stream=stream)
        run.tell()
        run.tell(run.word("demo.begun" if known else "demo.beginning"))
        key = _begin(run, settings, journal)
        witness = stack.enter_context(_witness(settings, key))
        settings = replace(settings, witnesses=(witness,))
        app = stack.enter_context(open_app(settings))
        run.tell(_region(run, app))
        telling = Telling(run=run, app=app, journal=journal, witness=witness)
        told = _serve(telling, began)
    if run.as_json:
        run.answer(told, [])
    else:
        run.tell()
        run.tell(run.word("demo.ended", folder=str(settings.data_dir)))


def _region(run: Invocation, app: App) -> str:
    """Whose rules the demonstration follows."""
    with app.database.reading() as tx:
        book = rulebook.of(tx)
    name = book.profile.title_en if run.language == "en" else book.profile.title_zh
    return run.word("demo.rules", name=name, version=book.version)


def _settings(run: Invocation, port: str | None, profile: str | None) -> Settings:
    """Those of the machine, but never its database, keys, address or witnesses."""
    loaded = run.settings(data_dir=run.data_dir or DATA_DIR, port=port, profile=profile)
    chosen = loaded.profile or "guangxi"
    if chosen not in STORIES:
        raise NoStory(profile=chosen, known=", ".join(STORIES))
    if run.data_dir is None and chosen != "guangxi":
        loaded = replace(loaded, data_dir=DATA_DIR.with_name(f"{DATA_DIR.name}-{chosen}"))
    loaded = replace(
        loaded,
        data_dir=loaded.data_dir.resolve(),
        profile=chosen,
        database_url=None,
        database_owner_url=None,
        key_file=None,
        source_dir=None,
        key_passphrase_file=None,
        base_url=None,
        origin=ORIGIN,
        witnesses=(),
        worker_embedded=True,
    )
    if not _is_loopback(loaded.bind):
        raise LoopbackOnly(bind=loaded.bind)
    return replace(loaded, port=0) if port is None and _taken(loaded) else loaded


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _taken(settings: Settings) -> bool:
    with (
        contextlib.suppress(OSError),
        contextlib.closing(socket.create_connection((settings.bind, settings.port), timeout=0.5)),
    ):
        return True
    return False


def _prepare(settings: Settings, *, fresh: bool) -> tuple[Journal, bool]:
    """The journal in the demonstration's folder, and whether it was there before.

    `fresh` deletes what a demonstration made there. Raises NotADemo, AnotherStory.
    """
    folder, profile = settings.data_dir, settings.profile or "guangxi"
    known = Journal.open(folder)
    with storage_errors(folder):
        occupied = folder.exists() and any(folder.iterdir())
        if occupied and known is None:
            raise NotADemo(folder=str(folder))
        if fresh and known is not None:
            for one in (folder, folder_elsewhere(settings)):
                discard_postgres(data_dir=one)
                shutil.rmtree(one, ignore_errors=True)
                key_location(replace(settings, data_dir=one)).unlink(missing_ok=True)
            shutil.rmtree(_witness_folder(settings), ignore_errors=True)
            shutil.rmtree(source_location(settings), ignore_errors=True)
            known = None
        folder.mkdir(mode=0o711, parents=True, exist_ok=True)
    if known is None:
        return Journal.begin(folder, profile), False
    if known.profile != profile:
        raise AnotherStory(folder=str(folder), profile=known.profile)
    return known, True


@contextlib.contextmanager
def _log_file(settings: Settings) -> Iterator[TextIO]:
    path = settings.data_dir / "demo.log"
    with storage_errors(path), path.open("a", encoding="utf-8", buffering=1) as stream:
        yield stream
    configure_logging("auto", "error")


def _begin(run: Invocation, settings: Settings, journal: Journal) -> str:
    """Make the installation where there is none, and give the log's first key."""
    if not journal.is_over(FOUNDED):
        with run.step("demo.step_init"):
            _found(settings)
        journal.end(FOUNDED)
    with open_app(settings) as app, app.database.reading(caller(run)) as tx:
        return str(logs.own_log(tx).keys[0].verifier)


def _found(settings: Settings) -> None:
    """Begin the installation on a demonstration clock; one that was killed meanwhile goes on."""
    try:
        initialize(settings, story_from=parse_instant(BEGINS), origin=settings.origin)
    except errors.Conflict as refusal:
        if refusal.code != "trust.installation.already_founded":
            raise


def _witness_folder(settings: Settings) -> Path:
    return settings.data_dir.parent / f"{settings.data_dir.name}-witness"


@contextlib.contextmanager
def _witness(settings: Settings, log_key: str) -> Iterator[str]:
    """A witness in a process of its own; gives its key and address as a setting wants them."""
    program = program_beside("lingqu-witness")
    if program is None:
        raise NoVerifier(program="lingqu-witness")
    folder = _witness_folder(settings)
    if not folder.exists():
        _done([str(program), "init", "--dir", str(folder), "--name", WITNESS_NAME])
    shown = json.loads(_done([str(program), "show", "--dir", str(folder), "--json"]))
    words = [str(program), "serve", "--dir", str(folder), "--listen", "127.0.0.1:0"]
    process = subprocess.Popen(
        [*words, "--log", log_key, "--lang", "en"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        process_group=0,  # Ctrl-C is for us; the witness is ended after the platform
        preexec_fn=die_with_parent,  # noqa: PLW1509  # no thread runs yet, and it only makes one system call
    )
    try:
        assert process.stdout is not None, "it is a pipe"
        found = _URL.search(process.stdout.readline())
        if found is None:
            raise WitnessFailed(folder=str(folder))
        yield f"{shown['vkey']} {found[0]}"
    finally:
        end_child(process)


def _done(words: list[str]) -> str:
    ended = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    if ended.returncode != 0:
        raise WitnessFailed(folder=ended.stderr.strip()[-200:])
    return ended.stdout


def _serve(telling: Telling, began: float) -> Told:
    """Serve until the end; the story is told by a thread once requests are answered."""
    stop = threading.Event()
    outcome: list[Told | BaseException] = []

    def tell(address: str) -> None:
        try:
            outcome.append(telling.tell(address, began))
        except BaseException as error:  # noqa: BLE001  # raised again below, in the main thread
            if not stop.is_set():
                outcome.append(error)
            stop.set()
        else:
            if telling.run.as_json:
                stop.set()

    thread = threading.Thread(target=lambda: None)

    def started(address: str) -> None:
        nonlocal thread
        thread = threading.Thread(target=tell, args=(address,), name="demo", daemon=True)
        thread.start()

    server.serve(telling.app, stop, started=started)
    if thread.ident is not None:
        thread.join(_START_S)
    if not outcome:
        raise KeyboardInterrupt
    told = outcome[0]
    if isinstance(told, BaseException):
        raise told
    return told

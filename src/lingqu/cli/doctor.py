# SPDX-License-Identifier: Apache-2.0
"""`lingqu doctor`: what is missing or wrong on this machine, and how to mend it."""

from __future__ import annotations

import dataclasses
import errno
import os
import shutil
import socket
import stat
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import click

from lingqu.cli.archives import unlock_of
from lingqu.cli.failures import Found
from lingqu.cli.grammar import command
from lingqu.cli.invocation import Invocation
from lingqu.cli.text import plain, terminal_width, wrapped
from lingqu.kernel import errors
from lingqu.kernel.errors import LingquError, Parameter
from lingqu.runtime import REAL_TIME, documents
from lingqu.runtime.engine import ConfinementIncomplete, examine_confinement
from lingqu.runtime.i18n import explain, translate
from lingqu.runtime.keys import Keyring
from lingqu.runtime.postgres import diagnose
from lingqu.runtime.settings import Settings, key_location
from lingqu.wiring import KEYS

SOUND_YEARS = range(2025, 2100)
BROWSERS = ("chromium", "chromium-browser", "google-chrome")


class PortInUse(errors.Conflict):
    """Something that is not this platform listens where the platform would."""

    code = "cli.doctor.port_in_use"


class PortForbidden(errors.Unavailable):
    """The machine does not let this account listen there."""

    code = "cli.doctor.port_forbidden"


class FolderOpen(errors.Rejected):
    """Every account of the machine may write into the data folder."""

    code = "cli.doctor.folder_open"


class ClockUnbelievable(errors.Unavailable):
    """The machine's clock shows a year that cannot be."""

    code = "cli.doctor.clock_wrong"


class NoVerifier(errors.Unavailable):
    """The programs of the verifier are not installed beside lingqu."""

    code = "cli.doctor.no_verifier"


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """One thing that was looked at: fine (`title` says what), or a refusal it would lead to."""

    topic: str
    ok: bool
    code: str
    title: str
    next_step: str = ""
    parameters: dict[str, Parameter] = field(default_factory=dict)


@command("doctor")
@click.pass_obj
def doctor(run: Invocation) -> None:
    """Look at this machine and say what is wrong."""
    looks = tuple(_examine(run))
    wrong = [look for look in looks if not look.ok]
    document = {"ok": not wrong, "checks": looks}

    def lines() -> Iterator[str]:
        columns = terminal_width()
        yield run.word("doctor.head")
        for look in looks:
            mark = "✓" if look.ok else "✗"
            yield from wrapped(f"{mark} {plain(look.title)}", columns, indent="    ")
            if look.next_step:
                yield from wrapped(f"    → {plain(look.next_step)}", columns, indent="      ")
        yield ""
        yield run.word("doctor.fine") if not wrong else run.word("doctor.wrong", count=len(wrong))

    run.answer(document, lines)
    if wrong:
        raise Found


def _examine(run: Invocation) -> Iterator[Look]:
    try:
        settings = run.settings()
    except LingquError as error:
        yield _refused(run, "settings", error)
        return
    yield _fine(run, "settings", folder=str(settings.data_dir))
    found = diagnose(
        data_dir=settings.data_dir,
        url=settings.database_url,
        owner_url=settings.database_owner_url,
        cache_dir=settings.postgres_cache_dir,
    )
    for one in found:
        if one.ok:
            title = translate(one.code, run.language, **one.parameters)
            parameters = dict(one.parameters)
            yield Look(topic="postgres", ok=True, code=one.code, title=title, parameters=parameters)
        else:
            yield _refused(run, "postgres", _as_refusal(one.code, dict(one.parameters)))
    checks: tuple[tuple[str, Callable[[Settings], dict[str, Parameter]]], ...] = (
        ("folder", _look_at_folder),
        ("keys", _look_at_keys),
        ("port", _look_at_port),
        ("clock", _look_at_clock),
        ("verifier", _look_at_verifier),
        ("engine", _look_at_engine),
    )
    for topic, check in checks:
        try:
            yield _fine(run, topic, **check(settings))
        except LingquError as error:
            yield _refused(run, topic, error)
    yield _look_at_fonts(run, settings)
    # Only the browser tests need it, so its absence is nothing wrong.
    browser = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    yield _fine(run, "browser" if browser else "no_browser", path=browser or "")


def _look_at_folder(settings: Settings) -> dict[str, Parameter]:
    folder = settings.data_dir
    if folder.is_dir() and folder.stat().st_mode & stat.S_IWOTH:
        raise FolderOpen(folder=str(folder), mode=f"{stat.S_IMODE(folder.stat().st_mode):04o}")
    begun = (folder / KEYS / "current").exists()  # also where the database is elsewhere
    return {"folder": str(folder), "state": "initialized" if begun else "empty"}


def _look_at_keys(settings: Settings) -> dict[str, Parameter]:
    apart = settings.key_passphrase_file or key_location(settings)
    if (settings.data_dir / KEYS / "current").exists():
        Keyring.open(settings.data_dir / KEYS, unlock_of(settings), data_dir=settings.data_dir)
    elif apart.exists():
        unlock_of(settings)
    else:
        return {"file": str(apart), "state": "coming"}
    return {"file": str(apart), "state": "fits"}


def _look_at_port(settings: Settings) -> dict[str, Parameter]:
    place: dict[str, Parameter] = {"bind": settings.bind, "port": settings.port}
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            settings.bind, settings.port, type=socket.SOCK_STREAM
        )[0]
        with socket.socket(family, kind, protocol) as trial:
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            trial.bind(address)
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise PortForbidden(**place, detail=error.strerror or "") from None
        if not _is_lingqu(settings):
            raise PortInUse(**place) from None
    return place


def _is_lingqu(settings: Settings) -> bool:
    """Whether the platform itself answers there."""
    request = b"GET /health/live HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    try:
        with socket.create_connection((settings.bind, settings.port), timeout=1) as connection:
            connection.settimeout(2)
            connection.sendall(request)
            answer = connection.recv(2000)
    except OSError:
        return False
    return answer.startswith(b"HTTP/1.1 200") and b"x-request-id" in answer.lower()


def _look_at_clock(_settings: Settings) -> dict[str, Parameter]:
    now = REAL_TIME.now()
    if now.year not in SOUND_YEARS:
        raise ClockUnbelievable(now=now.isoformat(timespec="seconds"))
    return {"now": now.strftime("%Y-%m-%d %H:%M UTC")}


def _look_at_verifier(_settings: Settings) -> dict[str, Parameter]:
    for name in ("lingqu-verify", "lingqu-witness"):
        if program_beside(name) is None:
            raise NoVerifier(program=name)
    return {}


def _look_at_engine(settings: Settings) -> dict[str, Parameter]:
    found = examine_confinement()
    if found.gaps and settings.engine_confinement == "full":
        raise ConfinementIncomplete(gaps=", ".join(found.gaps))
    state = "part" if found.gaps else "whole"
    return {"account": found.account, "state": state, "gaps": ", ".join(found.gaps)}


def _look_at_fonts(run: Invocation, settings: Settings) -> Look:
    """Only PDFs need a Chinese font, so that its absence is said and nothing wrong."""
    try:
        name = documents.find_fonts(settings.fonts_dir).body[0]
    except documents.FontMissing as error:
        said = _refused(run, "fonts", error)
        return dataclasses.replace(said, ok=True)
    return _fine(run, "fonts", name=name)


def program_beside(name: str) -> Path | None:
    """This will find a program that was installed with this one, or one on PATH."""
    beside = Path(sys.executable).parent / name
    if os.access(beside, os.X_OK):
        return beside
    found = shutil.which(name)
    return None if found is None else Path(found)


def _fine(run: Invocation, topic: str, **parameters: Parameter) -> Look:
    title = run.word(f"doctor.{topic}", **parameters)
    if "state" in parameters:
        title += run.word(f"doctor.state_{parameters['state']}", **parameters)
    return Look(
        topic=topic, ok=True, code=f"cli.doctor.{topic}", title=title, parameters=parameters
    )


def _refused(run: Invocation, topic: str, error: LingquError) -> Look:
    words = explain(error, run.language)
    return Look(
        topic=topic,
        ok=False,
        code=words.code,
        title=words.title,
        next_step=words.next_step,
        parameters=dict(error.parameters),
    )


def _as_refusal(code: str, parameters: dict[str, Parameter]) -> LingquError:
    """The refusal a finding stands for, so that it is explained by the same words."""
    known = {kind.code: kind for kind in errors.registered()}
    error = known.get(code, errors.Unavailable)(**parameters)
    if error.code != code:
        # Some findings have words of their own without being a refusal anywhere.
        vars(error)["code"] = code
    return error

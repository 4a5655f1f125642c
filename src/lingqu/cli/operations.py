# SPDX-License-Identifier: Apache-2.0
"""`lingqu backup`, `restore`, `upgrade` and `keys`: looking after an installation."""

from __future__ import annotations

from pathlib import Path

import click

from lingqu import __version__
from lingqu.cli.acting import refuse_without_installation
from lingqu.cli.archives import (
    BACKUPS,
    Made,
    about_archive,
    database_of,
    make_backup,
    refuse_occupied,
    restore_backup,
    unlock_of,
)
from lingqu.cli.audit import audit_lines, audit_now
from lingqu.cli.failures import Found
from lingqu.cli.grammar import argument, command, group, option
from lingqu.cli.invocation import Invocation, plain_data
from lingqu.cli.text import labelled, size
from lingqu.cli.values import PATH
from lingqu.kernel import errors
from lingqu.runtime import REAL_TIME, migrate
from lingqu.runtime import backup as archive
from lingqu.runtime.blobs import storage_errors
from lingqu.runtime.keys import Keyring, Unlock, create_key_file
from lingqu.runtime.settings import Settings, key_location
from lingqu.wiring import KEYS, open_app


class OneUnlockOnly(errors.Rejected):
    """The keys are sealed for one key file or one passphrase file, and one must be named."""

    code = "cli.keys.one_only"


@command("backup")
@argument("file", type=PATH)
@option("--keys", "keys_file", type=PATH)
@click.pass_obj
def backup(run: Invocation, file: Path, keys_file: Path | None) -> None:
    """Write everything into one file."""
    settings = run.settings()
    refuse_without_installation(settings)
    made = make_backup(run, settings, file, keys_file=keys_file)
    run.answer(_made(settings, made), lambda: _made_lines(run, settings, made))


@command("restore")
@argument("file", type=PATH)
@option("--keys", "keys_file", type=PATH)
@option("--into", type=PATH)
@option("--check", "check_only", is_flag=True)
@click.pass_obj
def restore(
    run: Invocation,
    file: Path,
    keys_file: Path | None,
    into: Path | None,
    check_only: bool,  # noqa: FBT001  # a flag of the command line
) -> None:
    """Bring a backup back into an empty data folder."""
    settings = run.settings(**({} if into is None else {"data_dir": into}))
    header = archive.read_header(file)
    about = about_archive(header)
    if not check_only:
        refuse_occupied(settings.data_dir)
    run.say(run.word("restore.plan", file=str(file), folder=str(settings.data_dir)))
    for line in _about_lines(run, about):
        run.say(line)
    done = restore_backup(run, settings, file, keys_file=keys_file, check_only=check_only)
    document = {
        "restored": not check_only,
        "data_dir": settings.data_dir,
        "archive": about,
        "files": done.files,
        "newer_logs": done.newer,
        "pending_migrations": done.pending,
    }

    def lines() -> list[str]:
        if check_only:
            return [run.word("restore.checked", files=done.files)]
        found = [run.word("restore.done", folder=str(settings.data_dir), files=done.files)]
        if done.newer:
            found += ["", run.word("restore.newer", origin=done.newer[0])]
        if done.pending:
            found += ["", run.word("restore.pending", count=len(done.pending))]
        return [*found, "", run.word("restore.next")]

    run.answer(document, lines)


@command("upgrade")
@option("--no-backup", is_flag=True)
@click.pass_obj
def upgrade(run: Invocation, no_backup: bool) -> None:  # noqa: FBT001  # a flag of the command line
    """Bring the tables up to date with this version."""
    settings = run.settings()
    refuse_without_installation(settings)
    with database_of(settings) as (server, _):
        before = migrate.status(server.owner_conninfo)
        made: Made | None = None
        if before.pending and not no_backup:
            made = make_backup(run, settings, _backup_name(settings))
        applied: tuple[migrate.Migration, ...] = ()
        if before.pending:
            with run.step("upgrade.step_tables", count=len(before.pending)):
                applied = migrate.migrate(server.owner_conninfo)
    with open_app(settings) as app, run.step("upgrade.step_audit"):
        report = audit_now(app)
    document = {
        "version": __version__,
        "applied": [one.file for one in applied],
        "backup": None if made is None else made.file,
        "audit": plain_data(report),
    }

    def lines() -> list[str]:
        found = [
            run.word("upgrade.current" if not applied else "upgrade.done", version=__version__)
        ]
        found += [f"  {one.file}" for one in applied]
        if made is not None:
            found.append(run.word("upgrade.backup", file=str(made.file)))
        return [*found, "", *audit_lines(run, report)]

    run.answer(document, lines)
    if report.findings:
        raise Found


@group("keys")
def keys() -> None:
    """The sealed signing keys of this installation."""


@keys.command("reseal")
@option("--key-file", type=PATH)
@option("--passphrase-file", type=PATH)
@click.pass_obj
def reseal(run: Invocation, key_file: Path | None, passphrase_file: Path | None) -> None:
    """Seal the keys for another key file or passphrase."""
    settings = run.settings()
    refuse_without_installation(settings)
    if (key_file is None) == (passphrase_file is None):
        raise OneUnlockOnly
    folder = settings.data_dir / KEYS
    ring = Keyring.open(folder, unlock_of(settings), data_dir=settings.data_dir)
    if key_file is not None:
        path = key_file.absolute()
        if not path.exists():
            create_key_file(path)
        unlock, setting = Unlock.from_key_file(path), "LINGQU_KEY_FILE"
    else:
        assert passphrase_file is not None, "one of the two was given"
        path = passphrase_file.absolute()
        unlock, setting = Unlock.from_passphrase_file(path), "LINGQU_KEY_PASSPHRASE_FILE"
    ring.reseal(unlock)
    run.answer(
        {"resealed": True, "unlocked_by": path, "setting": setting},
        [run.word("keys.resealed", file=str(path)), run.word("keys.set", setting=setting)],
    )


def _backup_name(settings: Settings) -> Path:
    folder = settings.data_dir / BACKUPS
    with storage_errors(folder):
        folder.mkdir(mode=0o700, exist_ok=True)
    moment = REAL_TIME.now().strftime("%Y%m%dT%H%M%SZ")
    return folder / f"before-{__version__}-{moment}.tar.gz"


def _made(settings: Settings, made: Made) -> dict[str, object]:
    return {
        "file": made.file,
        "bytes": made.bytes,
        "keys_file": made.keys_file,
        "key_file": settings.key_passphrase_file or key_location(settings),
        "archive": about_archive(made.contents.header),
        "members": len(made.contents.members),
    }


def _made_lines(run: Invocation, settings: Settings, made: Made) -> list[str]:
    apart = settings.key_passphrase_file or key_location(settings)
    return [
        run.word("backup.done", file=str(made.file)),
        *_about_lines(run, about_archive(made.contents.header)),
        *labelled([
            (run.word("head.size"), size(made.bytes)),
            (run.word("head.files"), len(made.contents.members)),
            (run.word("head.keys_file"), made.keys_file),
        ]),
        "",
        run.word("backup.key_apart", file=str(apart)),
    ]  # fmt: skip


def _about_lines(run: Invocation, about: object) -> list[str]:
    assert isinstance(about, dict), "what about_archive gives"
    return labelled([
        (run.word("head.installation"), about["installation"]),
        (run.word("head.origin"), about["origin"]),
        (run.word("head.clock"), run.word(f"clock_kind.{about['clock']}")),
        (run.word("head.facts"), about["facts"]),
        (run.word("head.made_at"), about["created_at"]),
        (run.word("head.version"), about["version"]),
    ])  # fmt: skip

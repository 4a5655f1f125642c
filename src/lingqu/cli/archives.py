# SPDX-License-Identifier: Apache-2.0
"""What a backup of an installation holds, and what must be true of one before it is brought back.

The database is dumped first, from one snapshot; the log's files are then those of the checkpoint
in that snapshot, not those of the moment, so that the parts fit each other while the platform runs.
"""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from importlib import resources
from pathlib import Path
from typing import Any

from lingqu import __version__, migrations, trust
from lingqu.cli.invocation import Invocation
from lingqu.gate.datasets import COPIES
from lingqu.kernel import errors
from lingqu.kernel.time import format_instant
from lingqu.runtime import REAL_TIME, Database, Tx, backup, migrate
from lingqu.runtime.blobs import BlobStore, storage_errors, sync_directory
from lingqu.runtime.keys import Keyring, Unlock
from lingqu.runtime.postgres import PostgresServer, discard_postgres, open_postgres
from lingqu.runtime.settings import Settings, key_location
from lingqu.trust import log as logs
from lingqu.wiring import BLOBS, GATE, KEYS, TABLES, WAITING
from lingqu.wiring import LOGS as LOG
from lingqu_verify import history, notes, tiles
from lingqu_verify.errors import VerificationError
from lingqu_verify.notes import Checkpoint, Note

BACKUPS = "backups"
DELTA_LOG = "_delta_log"
_KEY_READS = 5


class DataFolderOccupied(errors.Conflict):
    """A backup is brought back into an empty data folder only."""

    code = "cli.restore.occupied"


class KeysApart(errors.Rejected):
    """The sealed keys of this backup were written to a file of their own, which was not given."""

    code = "cli.restore.keys_apart"


class OtherKeys(errors.Rejected):
    """The archive of keys belongs to another installation than the backup, or holds none."""

    code = "cli.restore.other_keys"


class LogFilesDamaged(errors.Rejected):
    """The log's files in the backup do not lead to the checkpoint that was signed."""

    code = "cli.restore.log_damaged"


class PartsDiffer(errors.Rejected):
    """The database in the backup and the rest of it are not of the same moment."""

    code = "cli.restore.parts_differ"


class KeysMoving(errors.Unavailable):
    """The keys are being sealed anew at this moment."""

    code = "cli.backup.keys_moving"


class NewerSchema(errors.Rejected):
    """The backup was made by a later version of Lingqu than this one."""

    code = "cli.restore.newer_schema"


@dataclass(frozen=True, slots=True, kw_only=True)
class LogSnapshot:
    """One of our logs as the dumped database knows it; `note` is None before the first one."""

    origin: str
    number: int
    keys: tuple[str, ...]
    size: int = 0
    root: str = ""
    note: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """What the dumped database says of itself."""

    installation: trust.Installation
    migration: int
    logs: tuple[LogSnapshot, ...]

    def about(self, *, keys: str) -> dict[str, Any]:
        """What the header of the archive says; `keys` is `inside`, `apart` or `only`."""
        return {
            "installation": self.installation.id,
            "origin": self.installation.origin,
            "clock": self.installation.clock,
            "founded_at": format_instant(self.installation.created_at),
            "migration": self.migration,
            "keys": keys,
            "logs": [
                {
                    "origin": one.origin,
                    "number": one.number,
                    "keys": list(one.keys),
                    "size": one.size,
                    "root": one.root,
                    "checkpoint": one.note,
                }
                for one in self.logs
            ],
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """A backup that was made."""

    file: Path
    bytes: int
    contents: backup.Contents
    keys_file: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Restored:
    """What was brought back; `newer` are logs whose published checkpoint here is larger."""

    header: backup.Header
    files: int
    newer: tuple[str, ...]
    pending: tuple[str, ...]


@contextmanager
def database_of(settings: Settings) -> Iterator[tuple[PostgresServer, Database]]:
    """This will open the database as it is, without bringing its tables up to date."""
    with open_postgres(
        data_dir=settings.data_dir,
        url=settings.database_url,
        owner_url=settings.database_owner_url,
        cache_dir=settings.postgres_cache_dir,
    ) as server:
        database = Database(server.app_conninfo, size=2)
        try:
            yield server, database
        finally:
            database.close()


def make_backup(
    run: Invocation, settings: Settings, file: Path, *, keys_file: Path | None = None
) -> Made:
    """This will write a backup to `file`, with the sealed keys inside it or in `keys_file`.

    Raises the refusals of `runtime.backup`, NotFounded, KeysMoving; then nothing is left behind.
    """
    file = file.absolute()
    for path in (file, keys_file):
        if path is not None:
            with storage_errors(path.parent):
                os.scandir(path.parent).close()
            backup.refuse_existing(path)
    with database_of(settings) as (server, database):
        backup.need_room(file.parent, backup.database_bytes(database) // 3)
        with _scratch(file) as dump:
            with run.step("backup.step_database"):
                seen = backup.dump_database(
                    server, database, dump, lambda tx: _snapshot(tx, server)
                )
            made = _write(run, settings, seen, dump, file, apart=keys_file is not None)
    if keys_file is not None:
        _write_keys(settings, seen, keys_file.absolute())
    return replace(made, keys_file=keys_file)


def restore_backup(
    run: Invocation, settings: Settings, file: Path, *, keys_file: Path | None, check_only: bool
) -> Restored:
    """This will check a backup in every part and then put it in place of an empty data folder.

    Nothing appears at the data folder before all of it is there and right. Raises the refusals of
    `runtime.backup`, of the keys, and of this module.
    """
    target = settings.data_dir.resolve()
    header = backup.read_header(file)
    _refuse_newer_schema(header)
    if not check_only:
        refuse_occupied(target)
    with _staging(target, settings) as folder:
        files = folder / "files"
        files.mkdir(mode=0o700)
        with run.step("restore.step_unpack") as progress:
            contents = backup.unpack(file, files, progress=progress.advance)
        if header.about.get("keys") == "apart":
            _unpack_keys(header, keys_file, files)
        with run.step("restore.step_log"):
            for one in _logs_of(header):
                _verify_files(files / LOG / str(one.number), one)
        Keyring.open(files / KEYS, unlock_of(settings), data_dir=files)
        outcome = Restored(header=header, files=len(contents.members), newer=(), pending=())
        if check_only:
            return outcome
        data = folder / "data"
        data.mkdir(mode=0o711 if os.geteuid() == 0 else 0o700)
        pending = _load(run, settings, files, data, header)
        newer = _arrange(files, data, target, header)
        _put_in_place(data, target)
    return replace(outcome, newer=newer, pending=pending)


def unlock_of(settings: Settings) -> Unlock:
    """This will read what unseals the keys: the passphrase file that is set, else the key file."""
    if settings.key_passphrase_file is not None:
        return Unlock.from_passphrase_file(settings.key_passphrase_file)
    return Unlock.from_key_file(key_location(settings))


def refuse_occupied(target: Path) -> None:
    """This will refuse a data folder that holds anything but the files of a log."""
    with storage_errors(target):
        there = sorted(one.name for one in target.iterdir()) if target.exists() else []
    others = [name for name in there if name not in {LOG, "lost+found"}]
    if others:
        raise DataFolderOccupied(folder=str(target), example=others[0])


def _snapshot(tx: Tx, server: PostgresServer) -> Snapshot:
    installation = trust.get_installation(tx)
    found = []
    for one in logs.own_logs(tx):
        stored = logs.latest_checkpoint(tx, one.origin)
        keys = tuple(str(key) for key in one.verifiers)
        made = LogSnapshot(origin=one.origin, number=one.number, keys=keys)
        if stored is not None:
            made = replace(made, size=stored.size, root=stored.root.hex(), note=str(stored.note))
        found.append(made)
    applied = migrate.status(server.owner_conninfo).applied
    return Snapshot(
        installation=installation,
        migration=max((one.number for one in applied), default=0),
        logs=tuple(found),
    )


def _write(
    run: Invocation, settings: Settings, seen: Snapshot, dump: Path, file: Path, *, apart: bool
) -> Made:
    blobs = BlobStore(settings.data_dir / BLOBS)
    refs = tuple(blobs.iterate())
    tables = (*_table_files(settings.data_dir / TABLES), *_gate_files(settings.data_dir / GATE))
    entries = [(one, tuple(tiles.new_tiles(0, one.size))) for one in seen.logs]
    steps = len(refs) + len(tables) + sum(len(files) for _, files in entries) + 1
    total = dump.stat().st_size + sum(ref.size for ref in refs)
    total += sum(file.stat().st_size for file in tables)
    for held in (settings.data_dir / GATE / WAITING).glob("[!.]*"):
        with suppress(FileNotFoundError):  # it may be done with meanwhile
            total += held.stat().st_size
    header = backup.Header(
        format=backup.FORMAT,
        version=__version__,
        created_at=format_instant(REAL_TIME.now()),
        bytes=total + sum(len(files) for _, files in entries) * 16_384,
        about=seen.about(keys="apart" if apart else "inside"),
    )
    with (
        run.step("backup.step_files") as progress,
        backup.ArchiveWriter(file, header) as archive,
    ):
        archive.add_file(backup.DATABASE, dump)
        done = 1
        for one, needed in entries:
            folder = settings.data_dir / LOG / str(one.number)
            for name, data in _log_files(folder, one, needed):
                archive.add_bytes(f"{LOG}/{one.number}/{name}", data)
            done += len(needed)
            progress.advance(done, steps)
        for ref in refs:
            shard, name = ref.sha256[:2], ref.sha256[2:]
            archive.add_file(f"{BLOBS}/{shard}/{name}", settings.data_dir / BLOBS / shard / name)
            done += 1
            progress.advance(done, steps)
        for file_of_table in tables:
            name = file_of_table.relative_to(settings.data_dir).as_posix()
            archive.add_file(name, file_of_table)
            done += 1
            progress.advance(done, steps)
        for name, data in _waiting_files(settings.data_dir / GATE / WAITING):
            archive.add_bytes(f"{GATE}/{WAITING}/{name}", data)
        if not apart:
            for name, data in _key_files(settings.data_dir / KEYS).items():
                archive.add_bytes(f"{KEYS}/{name}", data)
        contents = archive.finish()
    return Made(file=file, bytes=file.stat().st_size, contents=contents)


def _table_files(folder: Path) -> tuple[Path, ...]:
    """Every file of every table: first the entries of its log, then the files these name.

    A file is there before an entry names it and never changes, so what is listed is whole. What is
    being staged has no entry and stays out.
    """
    if not folder.is_dir():
        return ()
    entries = sorted(folder.glob(f"*/*/{DELTA_LOG}/*"))
    return tuple(
        one
        for one in (*entries, *sorted(folder.glob("*/*/*.parquet")))
        if one.is_file() and not one.name.startswith((".", "_"))
    )


def _gate_files(folder: Path) -> tuple[Path, ...]:
    """What products answer from: snapshots, which their content names, and governed copies.

    They are not made again from the tables: what was published stays what it was.
    """
    return (*sorted(folder.glob("*.lqs")), *_table_files(folder / COPIES))


def _waiting_files(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Tables of many subjects and their answers; one may be fetched or done with meanwhile."""
    for one in sorted(folder.glob("[!.]*")):
        with suppress(FileNotFoundError), storage_errors_but_missing(folder):
            yield one.name, one.read_bytes()


def _write_keys(settings: Settings, seen: Snapshot, file: Path) -> None:
    header = backup.Header(
        format=backup.FORMAT,
        version=__version__,
        created_at=format_instant(REAL_TIME.now()),
        bytes=0,
        about=seen.about(keys="only"),
    )
    with backup.ArchiveWriter(file, header) as archive:
        for name, data in _key_files(settings.data_dir / KEYS).items():
            archive.add_bytes(f"{KEYS}/{name}", data)
        archive.finish()


def _log_files(
    folder: Path, log: LogSnapshot, needed: tuple[tuple[int, int, int], ...]
) -> Iterator[tuple[str, bytes]]:
    """The files of a log as they are for its checkpoint, whatever was published since."""
    if log.note is None:
        return
    read = history.open_source(str(folder))
    try:
        for level, index, width in needed:
            data, full = tiles.read_file(
                read, tiles.tile_path(level, index, width), tiles.tile_path(level, index)
            )
            yield tiles.tile_path(level, index, width), data[: width * 32]
            if level == 0:
                names = tiles.entries_path(index, width), tiles.entries_path(index)
                data, full = tiles.read_file(read, *names)
                if full and width < tiles.WIDTH:
                    every = tiles.parse_entries(data, tiles.WIDTH)
                    data = tiles.encode_entries(every[:width])
                yield names[0], data
    except VerificationError as error:
        raise LogFilesDamaged(origin=log.origin, reason=error.code) from None
    statements = folder / "keys"
    if statements.is_dir():
        for one in sorted(statements.iterdir()):
            if one.name.isdecimal():
                yield f"keys/{one.name}", one.read_bytes()
    yield history.CHECKPOINT_PATH, log.note.encode()


def _key_files(folder: Path) -> dict[str, bytes]:
    """The sealed keys: the generation in force, unless it changes while it is read."""
    for _ in range(_KEY_READS):
        with suppress(FileNotFoundError), storage_errors_but_missing(folder):
            current = (folder / "current").read_bytes()
            generation = folder / current.decode().strip()
            found = {f"{generation.name}/{one.name}": one.read_bytes()
                     for one in sorted(generation.iterdir()) if one.suffix == ".json"}  # fmt: skip
            if (folder / "current").read_bytes() == current:
                return {"current": current, **found}
    raise KeysMoving(folder=str(folder))


@contextmanager
def storage_errors_but_missing(place: Path) -> Iterator[None]:
    """This will name errors of the disk, except that a file has just gone."""
    try:
        yield
    except FileNotFoundError:
        raise
    except OSError:
        with storage_errors(place):
            raise


@contextmanager
def _scratch(file: Path) -> Iterator[Path]:
    """A name for a file beside `file` that is gone afterwards."""
    path = file.parent / f".{file.name}.{uuid.uuid4().hex[:8]}.dump"
    try:
        yield path
    finally:
        path.unlink(missing_ok=True)


@contextmanager
def _staging(target: Path, settings: Settings) -> Iterator[Path]:
    """A folder on the disk of the data folder that is gone afterwards, whatever happens."""
    # What is a mount point cannot be replaced by a rename, so everything happens inside it.
    parent = target if target.is_mount() else target.parent
    folder = parent / f".{target.name}.restore-{uuid.uuid4().hex[:8]}"
    try:
        with storage_errors(parent):
            parent.mkdir(parents=True, exist_ok=True)
            folder.mkdir(mode=0o711 if os.geteuid() == 0 else 0o700)
        yield folder
    finally:
        data = folder / "data"
        if settings.database_url is None and (data / "postgres.json").exists():
            discard_postgres(data_dir=data)
        shutil.rmtree(folder, ignore_errors=True)


def _unpack_keys(header: backup.Header, keys_file: Path | None, files: Path) -> None:
    if keys_file is None:
        raise KeysApart(file=str(header.about.get("origin", "")))
    about = backup.read_header(keys_file).about
    same = about.get("installation") == header.about.get("installation")
    if about.get("keys") != "only" or not same:
        raise OtherKeys(file=str(keys_file))
    apart = files / "apart"
    apart.mkdir(mode=0o700)
    backup.unpack(keys_file, apart)
    (apart / KEYS).rename(files / KEYS)
    shutil.rmtree(apart)


def _logs_of(header: backup.Header) -> tuple[LogSnapshot, ...]:
    try:
        return tuple(
            LogSnapshot(
                origin=str(one["origin"]),
                number=int(one["number"]),
                keys=tuple(map(str, one["keys"])),
                size=int(one["size"]),
                root=str(one["root"]),
                note=None if one["checkpoint"] is None else str(one["checkpoint"]),
            )
            for one in header.about["logs"]
        )
    except (KeyError, TypeError, ValueError):
        raise backup.ArchiveDamaged(file="", member=backup.HEADER) from None


def _verify_files(folder: Path, log: LogSnapshot) -> None:
    """Recompute a log from its entries up to the signed root, as any stranger would."""
    if log.note is None:
        return
    try:
        keys = [notes.VerifierKey.parse(text) for text in log.keys]
        report = history.verify_log(history.open_source(str(folder)), keys=keys)
    except VerificationError as error:
        raise LogFilesDamaged(origin=log.origin, reason=error.code) from None
    if (report.size, report.root.hex(), report.origin) != (log.size, log.root, log.origin):
        raise LogFilesDamaged(origin=log.origin, reason="size")


def _load(
    run: Invocation, settings: Settings, files: Path, data: Path, header: backup.Header
) -> tuple[str, ...]:
    """Bring the database back; gives the names of the migrations it does not have yet."""
    with database_of(replace(settings, data_dir=data)) as (server, database):
        with run.step("restore.step_database"):
            backup.load_database(server, files / backup.DATABASE)
        with database.reading() as tx:
            seen = _snapshot(tx, server)
        if seen.about(keys="") != {**header.about, "keys": ""}:
            raise PartsDiffer(file=str(header.about.get("origin", "")))
        return tuple(one.file for one in migrate.status(server.owner_conninfo).pending)


def _arrange(files: Path, data: Path, target: Path, header: backup.Header) -> tuple[str, ...]:
    """Move the files to where they belong; the files of a log that is further on here stay."""
    newer = []
    for one in _logs_of(header):
        standing = target / LOG / str(one.number)
        if _size_published(standing) > one.size:
            newer.append(one.origin)
            shutil.rmtree(files / LOG / str(one.number), ignore_errors=True)
            shutil.copytree(standing, files / LOG / str(one.number))
    for name in (LOG, BLOBS, KEYS, TABLES, GATE):
        if (files / name).exists():
            (files / name).rename(data / name)
    if target.exists() and (target / LOG).is_dir():
        for folder in sorted((target / LOG).iterdir()):
            if not (data / LOG / folder.name).exists():
                # A log this backup has never heard of is kept for whoever looks into it.
                shutil.copytree(folder, data / LOG / folder.name)
    return tuple(newer)


def _size_published(folder: Path) -> int:
    """The size a published checkpoint names, or one above every size where it cannot be read."""
    try:
        text = (folder / history.CHECKPOINT_PATH).read_bytes()
    except FileNotFoundError:
        return -1
    try:
        return Checkpoint.parse(Note.parse(text).text).size
    except VerificationError:
        return 1 << 62


def _put_in_place(data: Path, target: Path) -> None:
    with storage_errors(target):
        if not target.is_mount():
            old = data.parent / "before"
            if target.exists():
                target.rename(old)
            data.rename(target)
            sync_directory(target.parent)
            return
        # postgres.json comes last: a folder without it holds no installation.
        for one in sorted(data.iterdir(), key=lambda path: path.name == "postgres.json"):
            standing = target / one.name
            if standing.is_dir():
                shutil.rmtree(standing)
            one.rename(standing)
        sync_directory(target)


def _refuse_newer_schema(header: backup.Header) -> None:
    known = sum(one.name.endswith(".sql") for one in resources.files(migrations).iterdir())
    made_at = header.about.get("migration")
    if not isinstance(made_at, int) or made_at > known:
        raise NewerSchema(version=header.version)


def about_archive(header: backup.Header) -> Mapping[str, Any]:
    """This will give what people and machines are told of an archive."""
    names = ("installation", "origin", "clock", "migration", "keys")
    kept = {name: header.about.get(name) for name in names}
    sizes = [one.size for one in _logs_of(header)]
    return {"version": header.version, "created_at": header.created_at, **kept, "facts": sum(sizes)}

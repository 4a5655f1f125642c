# SPDX-License-Identifier: Apache-2.0
"""Every way in which PostgreSQL can be refused to us, and the finding a diagnosis is made of."""

from __future__ import annotations

import errno
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from lingqu.kernel import errors

NEEDED_MIB = 96
"""The room a new database needs before it holds anything."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing looked at: `code` is in the message catalog, `ok` says whether it is as needed."""

    code: str
    ok: bool
    parameters: Mapping[str, str | int | None] = field(default_factory=dict)


class ProgramsMissing(errors.Unavailable):
    """The wheel with PostgreSQL's programs is not installed, or has none for this platform."""

    code = "runtime.postgres.programs_missing"


class ProgramsDamaged(errors.Unavailable):
    """The installed wheel does not hold what its own record says."""

    code = "runtime.postgres.programs_damaged"


class ProgramsUnusable(errors.Unavailable):
    """The account that runs PostgreSQL cannot run the programs where they were put."""

    code = "runtime.postgres.programs_unusable"


class NoAccount(errors.Unavailable):
    """PostgreSQL refuses to run as root and there is no account it could run as."""

    code = "runtime.postgres.no_account"


class ForeignCluster(errors.Unavailable):
    """The database folder belongs to another account than ours."""

    code = "runtime.postgres.foreign_cluster"


class Unreachable(errors.Unavailable):
    """The account that runs PostgreSQL cannot enter the database folder."""

    code = "runtime.postgres.unreachable"


class NotWritable(errors.Unavailable):
    """The data folder, or something in it, cannot be written or read."""

    code = "runtime.postgres.not_writable"


class DiskFull(errors.Unavailable):
    """There is not enough room on the disk to make or to start the database."""

    code = "runtime.postgres.disk_full"


class SocketPathTooLong(errors.Unavailable):
    """No folder for the socket is short enough for the operating system."""

    code = "runtime.postgres.socket_path_too_long"


class SocketFolderUnsafe(errors.Unavailable):
    """The folder for the socket exists and is not ours alone."""

    code = "runtime.postgres.socket_folder_unsafe"


class SocketInUse(errors.Unavailable):
    """Another server answers on the socket that is to be ours."""

    code = "runtime.postgres.socket_in_use"


class OtherMajorVersion(errors.Unavailable):
    """The database was made by another major version of PostgreSQL."""

    code = "runtime.postgres.other_major"


class ClusterCorrupt(errors.Unavailable):
    """The database folder is damaged; nothing was changed in it."""

    code = "runtime.postgres.corrupt"


class ClusterMissing(errors.Unavailable):
    """The data folder says that a database was made, but it is not there."""

    code = "runtime.postgres.cluster_missing"


class FolderCopied(errors.Conflict):
    """The data folder is a copy, and its database still belongs to the original."""

    code = "runtime.postgres.folder_copied"


class PasswordsMissing(errors.Unavailable):
    """The file with the database's passwords is missing or does not fit the database."""

    code = "runtime.postgres.passwords_missing"


class LocaleMissing(errors.Unavailable):
    """The operating system has no locale C.UTF-8."""

    code = "runtime.postgres.locale_missing"


class SharedMemory(errors.Unavailable):
    """The operating system gives PostgreSQL no shared memory."""

    code = "runtime.postgres.shared_memory"


class InitializationFailed(errors.Unavailable):
    """`initdb` failed for a reason of its own; its last lines are given."""

    code = "runtime.postgres.initdb_failed"


class StartFailed(errors.Unavailable):
    """PostgreSQL ended while it started; the last lines of its log are given."""

    code = "runtime.postgres.start_failed"


class StartTimedOut(errors.Unavailable):
    """PostgreSQL did not get ready, or did not end, in time."""

    code = "runtime.postgres.timed_out"


class InUse(errors.Conflict):
    """Another process is starting, stopping or using the database."""

    code = "runtime.postgres.in_use"


class BadDatabaseURL(errors.Rejected):
    """The connection string cannot be understood. It is never shown, it may hold a password."""

    code = "runtime.postgres.bad_url"


class ServerUnreachable(errors.Unavailable):
    """The external server does not let us in."""

    code = "runtime.postgres.server_unreachable"


class UnsupportedVersion(errors.Rejected):
    """The external server's version is none that Lingqu is tested with."""

    code = "runtime.postgres.unsupported_version"


class NotUTF8(errors.Rejected):
    """The external database does not store UTF-8."""

    code = "runtime.postgres.not_utf8"


class ExtensionMissing(errors.Rejected):
    """The external database lacks an extension and the account may not install it."""

    code = "runtime.postgres.extension_missing"


class RightMissing(errors.Rejected):
    """The external server's account lacks a right; the statement that grants it is given."""

    code = "runtime.postgres.right_missing"


class DifferentDatabases(errors.Rejected):
    """The application's and the owner's connection string lead to different databases."""

    code = "runtime.postgres.different_databases"


@contextmanager
def storage_refusals(place: Path) -> Iterator[None]:
    """This will turn what the operating system refuses at `place` into our own words."""
    try:
        yield
    except OSError as error:
        where = str(error.filename or place)
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            free = shutil.disk_usage(place if place.exists() else place.parent).free >> 20
            raise DiskFull(folder=where, free_mib=free, needed_mib=NEEDED_MIB) from error
        raise NotWritable(folder=where, detail=error.strerror or str(error)) from error

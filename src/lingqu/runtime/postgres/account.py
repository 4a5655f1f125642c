# SPDX-License-Identifier: Apache-2.0
"""The operating system account that runs PostgreSQL, and how a program is started as it."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lingqu.runtime.postgres.refusals import ForeignCluster, NoAccount

NAME = "lingqu"
"""The system account made and used when we run as root."""

_SYSTEM_PATH = "/usr/sbin:/usr/bin:/sbin:/bin"
_COMMAND_SECONDS = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """Who runs PostgreSQL. `switch` tells that we are root and have to become this account."""

    name: str
    uid: int
    gid: int
    switch: bool

    def identity(self) -> dict[str, Any]:
        """The arguments that make `subprocess` drop every right of root."""
        if not self.switch:
            return {}
        return {"user": self.uid, "group": self.gid, "extra_groups": []}

    def run(
        self, command: Sequence[str], *, inherited: tuple[int, ...] = ()
    ) -> subprocess.CompletedProcess[str]:
        """This will run a program as the account and give its output; nothing is raised for it.

        The environment is our own: no setting and no secret of ours reaches the program.
        """
        try:
            return subprocess.run(
                command,
                check=False,
                cwd="/",
                env=environment(),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=_COMMAND_SECONDS,
                umask=0o077,
                start_new_session=True,
                pass_fds=inherited,
                **self.identity(),
            )
        except subprocess.TimeoutExpired:
            return subprocess.CompletedProcess(command, 124, "", "timed out")
        except subprocess.SubprocessError as error:
            raise NoAccount(account=self.name) from error
        except OSError as error:
            return subprocess.CompletedProcess(command, 126, "", error.strerror or str(error))

    def can_enter(self, folder: Path) -> bool:
        """Whether the account reaches this folder, access lists and parents included."""
        return self.run(["test", "-x", str(folder)]).returncode == 0

    def own(self, path: Path) -> None:
        """Give a file or folder that we made to the account."""
        if self.switch:
            os.chown(path, self.uid, self.gid)


def environment() -> dict[str, str]:
    """The whole environment of PostgreSQL and its programs."""
    return {"PATH": _SYSTEM_PATH, "LC_ALL": "C", "TZ": "UTC", "HOME": "/"}


def account_of(cluster: Path) -> Account:
    """This will give the account that owns an existing database folder.

    Raises ForeignCluster when we are neither that account nor root, or when root owns it.
    """
    owner = cluster.stat().st_uid
    if os.geteuid() == 0 and owner != 0:
        return _account(_entry(owner), switch=True)
    if owner != os.geteuid() or owner == 0:
        raise ForeignCluster(folder=str(cluster), owner=name_of(owner))
    return _account(_entry(owner), switch=False)


def new_account(*, name: str = NAME, create: bool = True) -> Account:
    """This will choose the account for a new database: ours, or as root a powerless one.

    As root a system account without shell or home is made where `create` allows it; where that
    is impossible `nobody` is used. Raises NoAccount when there is none at all. The engine's
    workers get theirs the same way, under a name of their own.
    """
    if os.geteuid() != 0:
        return _account(_entry(os.geteuid()), switch=False)
    found = _find(name)
    if found is None and create:
        _make_system_account(name)
        found = _find(name)
    found = found or _find("nobody")
    if found is None:
        raise NoAccount(account=name)
    return _account(found, switch=True)


def can_make_account() -> bool:
    """Whether the operating system has what makes a system account."""
    return os.geteuid() == 0 and _useradd() is not None


def _useradd() -> str | None:
    return shutil.which("useradd", path=_SYSTEM_PATH)


def _make_system_account(name: str) -> None:
    useradd = _useradd()
    if useradd is None:
        return
    nologin = shutil.which("nologin", path=_SYSTEM_PATH) or "/bin/false"
    options = ["--system", "--user-group", "--no-create-home", "--home-dir", "/nonexistent"]
    # Its outcome is read from the account list: a second process may have made it first.
    subprocess.run(
        [useradd, *options, "--shell", nologin, name],
        check=False,
        env=environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=_COMMAND_SECONDS,
    )


def _find(name: str) -> pwd.struct_passwd | None:
    try:
        found = pwd.getpwnam(name)
    except KeyError:
        return None
    return found if found.pw_uid != 0 else None


def _entry(uid: int) -> pwd.struct_passwd:
    try:
        return pwd.getpwuid(uid)
    except KeyError as error:
        # initdb looks its own account up and would fail with a riddle.
        raise NoAccount(account=str(uid)) from error


def _account(entry: pwd.struct_passwd, *, switch: bool) -> Account:
    return Account(name=entry.pw_name, uid=entry.pw_uid, gid=entry.pw_gid, switch=switch)


def name_of(uid: int) -> str:
    """The name of an account, or its number when it has none."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)

# SPDX-License-Identifier: Apache-2.0
"""Where the embedded database lies: its folder, socket, locks, passwords, and the record of it.

Beside the rest of the data where PostgreSQL's account can get there, else under /var/lib/lingqu.
`postgres.json` in the data folder says which, so that it is found again; `roles.json` holds the
passwords, readable by the folder's owner alone.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import secrets
import stat
import time
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from lingqu.runtime.blobs import replace_file
from lingqu.runtime.postgres.account import Account, name_of
from lingqu.runtime.postgres.refusals import (
    ClusterCorrupt,
    ClusterMissing,
    FolderCopied,
    ForeignCluster,
    InUse,
    NotWritable,
    PasswordsMissing,
    SocketFolderUnsafe,
    SocketPathTooLong,
    storage_refusals,
)

RECORD = "postgres.json"
ROLES = "roles.json"
LOCKS = "postgres.locks"
SOCKET = ".s.PGSQL.5432"
SUPERUSER, OWNER, APPLICATION = "postgres", "lingqu_owner", "lingqu_app"
_SOCKET_BYTES = 107
_ELSEWHERE = Path("/var/lib/lingqu")
_LOCK_SECONDS = 180
_TOKEN = re.compile("[0-9a-f]{10}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """What `postgres.json` records. `made` is true once the database is complete."""

    data_dir: str
    cluster: str
    token: str
    made: bool = False

    @property
    def inside(self) -> bool:
        """Whether the database moves with the data folder."""
        return Path(self.cluster).parent == Path(self.data_dir)


def prepare(data_dir: Path) -> Path:
    """This will make the data folder where there is none, and give its real path."""
    with storage_refusals(data_dir):
        if not data_dir.exists():
            # PostgreSQL's account must get through, but nobody may list what lies here.
            data_dir.mkdir(mode=0o711 if os.geteuid() == 0 else 0o700, parents=True)
        resolved = data_dir.resolve()
        if not resolved.is_dir():
            raise NotWritable(folder=str(resolved), detail="not a folder")
        refuse_foreign(resolved)
        locks = resolved / LOCKS
        if not locks.exists():
            locks.mkdir(mode=0o700, exist_ok=True)
            keep_owner(locks, resolved)
    return resolved


def refuse_foreign(data_dir: Path) -> None:
    """This will raise ForeignCluster when another account has made its database here."""
    locks = data_dir / LOCKS
    if locks.exists() and not os.access(locks, os.R_OK | os.W_OK | os.X_OK):
        raise ForeignCluster(folder=str(data_dir), owner=name_of(data_dir.stat().st_uid))


def keep_owner(path: Path, data_dir: Path) -> None:
    """Give what root made to the data folder's owner, who may run Lingqu without root later."""
    if os.geteuid() == 0:
        owner = data_dir.stat()
        os.chown(path, owner.st_uid, owner.st_gid)


def open_lock(data_dir: Path, name: str) -> int:
    """This will open one of the lock files; no program started later inherits it."""
    path = data_dir / LOCKS / name
    with storage_refusals(path):
        lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        keep_owner(path, data_dir)
        return lock


def lock_exclusively(lock: int, data_dir: Path) -> None:
    """This will wait for a lock, not for ever: raises InUse."""
    deadline = time.monotonic() + _LOCK_SECONDS
    while not try_lock(lock):
        if time.monotonic() > deadline:
            raise InUse(folder=str(data_dir))
        time.sleep(0.01)


def try_lock(lock: int) -> bool:
    """This will take a lock exclusively if nobody holds it."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def read_place(data_dir: Path) -> Place | None:
    """What is recorded in this data folder, or None. Raises ClusterCorrupt, NotWritable."""
    path = data_dir / RECORD
    if not path.exists():
        return None
    with storage_refusals(path):
        content = path.read_bytes()
    try:
        found = json.loads(content)
        place = Place(
            data_dir=str(found["data_dir"]),
            cluster=str(found["cluster"]),
            token=str(found["token"]),
            made=bool(found["made"]),
        )
    except (ValueError, TypeError, KeyError) as error:
        raise ClusterCorrupt(folder=str(data_dir), detail=RECORD) from error
    if not _TOKEN.fullmatch(place.token) or not Path(place.cluster).is_absolute():
        raise ClusterCorrupt(folder=str(data_dir), detail=RECORD)
    return place


def write_place(data_dir: Path, place: Place) -> None:
    """This will record where the database lies, durably."""
    _write_private(data_dir, RECORD, asdict(place))


def new_place(data_dir: Path, account: Account) -> Place:
    """Where a new database goes; nothing is made yet."""
    token = secrets.token_hex(5)
    cluster = data_dir / "postgres"
    if not account.can_enter(data_dir):
        cluster = _ELSEWHERE / f"{_short(data_dir)}-{token}" / "postgres"
    return Place(data_dir=str(data_dir), cluster=str(cluster), token=token)


def settled(data_dir: Path, place: Place) -> tuple[Place, bool]:
    """The place as it is now, and whether the data folder was moved since it was recorded.

    A copied folder whose database stayed with the original is refused (FolderCopied), as is one
    whose database is gone (ClusterMissing): an empty one is never made in its stead.
    """
    moved = place.data_dir != str(data_dir)
    if moved and place.inside:
        name = Path(place.cluster).name
        # A copy must not share its socket folder with the original.
        token = secrets.token_hex(5)
        place = replace(place, data_dir=str(data_dir), cluster=str(data_dir / name), token=token)
    elif moved:
        with suppress(NotWritable, ClusterCorrupt):
            original = read_place(Path(place.data_dir))
            if original is not None and original.cluster == place.cluster:
                raise FolderCopied(folder=str(data_dir), original=place.data_dir)
        place = replace(place, data_dir=str(data_dir))
    if place.made and not Path(place.cluster).exists():
        raise ClusterMissing(folder=str(data_dir), cluster=place.cluster)
    return place, moved


def leftovers(data_dir: Path, place: Place) -> tuple[str, ...]:
    """Databases outside any data folder that belonged to earlier folders at this path."""
    if place.inside:
        return ()
    own = Path(place.cluster).parent
    found = sorted(own.parent.glob(f"{_short(data_dir)}-*"))
    return tuple(str(folder) for folder in found if folder != own)


def read_passwords(data_dir: Path) -> dict[str, str]:
    """The passwords of the three roles. Raises PasswordsMissing, NotWritable."""
    path = data_dir / ROLES
    if not path.exists():
        raise PasswordsMissing(file=str(path))
    with storage_refusals(path):
        content = path.read_bytes()
        if path.stat().st_mode & 0o077:
            path.chmod(0o600)
    try:
        found = json.loads(content)
        return {role: str(found[role]) for role in (SUPERUSER, OWNER, APPLICATION)}
    except (ValueError, TypeError, KeyError) as error:
        raise PasswordsMissing(file=str(path)) from error


def make_passwords(data_dir: Path) -> dict[str, str]:
    """The passwords for a new database: those of an attempt that was cut off, or fresh ones."""
    with suppress(PasswordsMissing):
        return read_passwords(data_dir)
    made = {role: secrets.token_urlsafe(24) for role in (SUPERUSER, OWNER, APPLICATION)}
    _write_private(data_dir, ROLES, made)
    return made


def socket_folder(place: Place, account: Account, *, make: bool = True) -> Path:
    """This will give the socket's folder, made where it is missing, that nobody else can enter.

    Raises SocketPathTooLong, SocketFolderUnsafe, NotWritable.
    """
    candidates = _socket_roots()
    fitting = [root for root in candidates if _fits(root / place.token)]
    if not fitting:
        longest = len(os.fsencode(candidates[0] / place.token / SOCKET))
        raise SocketPathTooLong(folder=str(candidates[0]), bytes=longest, allowed=_SOCKET_BYTES)
    refused: Exception | None = None
    for root in fitting:
        folder = root / place.token
        if not make:
            return folder
        try:
            with storage_refusals(root):
                _private_folder(root, uid=os.geteuid(), mode=0o711)
                _private_folder(folder, uid=account.uid, mode=0o700, account=account)
        except (NotWritable, SocketFolderUnsafe) as error:
            refused = refused or error
        else:
            return folder
    assert refused is not None
    raise refused


def remove_socket_folder(place: Place, account: Account) -> None:
    """This will remove the socket's folder of a database that is gone."""
    folder = socket_folder(place, account)
    for left in folder.iterdir():
        left.unlink()
    folder.rmdir()


def make_cluster_folder(place: Place, folder: Path, account: Account) -> None:
    """This will make an empty folder for initdb that belongs to the account."""
    if not place.inside:
        for parent in (_ELSEWHERE, folder.parent):
            parent.mkdir(mode=0o711, parents=True, exist_ok=True)
            parent.chmod(0o711)
    folder.mkdir(mode=0o700)
    account.own(folder)


def _socket_roots() -> tuple[Path, ...]:
    # Fixed, not tempfile's: every process must find the same place, whatever its TMPDIR says.
    shared = Path("/", "tmp", f"lingqu-{os.geteuid()}")
    if os.geteuid() == 0:
        return (Path("/run/lingqu"), shared)
    given = os.environ.get("XDG_RUNTIME_DIR", "")
    private = Path(given) if given.startswith("/") else None
    if private is not None and private.is_dir() and private.stat().st_uid == os.geteuid():
        return (private / "lingqu", shared)
    return (shared,)


def _fits(folder: Path) -> bool:
    return len(os.fsencode(folder / SOCKET)) <= _SOCKET_BYTES


def _private_folder(folder: Path, *, uid: int, mode: int, account: Account | None = None) -> None:
    with suppress(FileExistsError):
        folder.mkdir(mode=mode)
        folder.chmod(mode)
        if account is not None:
            account.own(folder)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != uid or found.st_mode & 0o022:
        raise SocketFolderUnsafe(folder=str(folder))


def _write_private(data_dir: Path, name: str, content: object) -> None:
    path = data_dir / name
    with storage_refusals(path):
        replace_file(path, (json.dumps(content, indent=1) + "\n").encode())
        keep_owner(path, data_dir)


def _short(data_dir: Path) -> str:
    return hashlib.sha256(os.fsencode(data_dir)).hexdigest()[:8]

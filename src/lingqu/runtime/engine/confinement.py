# SPDX-License-Identifier: Apache-2.0
"""What is put around a worker: another account, an empty root, no network, no new power, limits.

The nursery prepares once what needs root (`prepare`); every worker then steps in (`enter`) before
its engine starts, so that every thread of it is inside. Without root everything but the account,
the private root and the network namespace still holds; `Confinement.gaps` says so.
"""

from __future__ import annotations

import contextlib
import os
import resource
import tempfile
from dataclasses import dataclass
from pathlib import Path

from lingqu.runtime.engine import kernel_calls
from lingqu.runtime.engine.jobs import MIB, Confinement

ACCOUNT = "lingqu-engine"
"""The system account of workers, made when we run as root. It owns nothing."""

_OVERHEAD = 768 * MIB
_DESCRIPTORS = 1024
_ENGINE_READS = ("/proc/self/cgroup", "/sys/fs/cgroup", "/sys/devices/system/cpu")
_ROOT_FOLDERS = ("/run", "/tmp", "/mnt")  # noqa: S108  # only a place to mount an empty root on


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """The account a worker becomes; `switch` tells that we are root and have to become it."""

    name: str
    uid: int
    gid: int
    switch: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Walls:
    """What the nursery has prepared for its workers."""

    identity: Identity
    files: int
    root: str | None
    network: bool
    tasks: int

    def report(self) -> Confinement:
        """This will say what stands around every worker of this nursery."""
        landlock = kernel_calls.landlock_version()
        found = {
            "no_account": self.identity.switch and self.identity.name == ACCOUNT,
            "no_network_namespace": self.network,
            "no_private_root": self.root is not None,
            "no_landlock": landlock > 0,
            "no_system_call_filter": kernel_calls.can_filter(),
        }
        return Confinement(
            account=self.identity.name,
            other_account=self.identity.switch,
            network_namespace=self.network,
            private_root=self.root is not None,
            landlock=landlock,
            system_call_filter=kernel_calls.can_filter(),
            gaps=tuple(name for name, there in found.items() if not there),
        )


def prepare(identity: Identity, *, folder: str, tasks: int) -> Walls:
    """This will make, in the nursery and once, what every worker is going to stand in."""
    root, network = None, False
    if identity.switch:
        with contextlib.suppress(OSError):
            kernel_calls.unshare(kernel_calls.NEW_NETWORK)
            network = True
        with contextlib.suppress(OSError):
            kernel_calls.unshare(kernel_calls.NEW_IPC | kernel_calls.NEW_NAMES)
        with contextlib.suppress(OSError):
            kernel_calls.unshare(kernel_calls.NEW_MOUNTS)
            root = _empty_root()
    files = os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    return Walls(identity=identity, files=files, root=root, network=network, tasks=tasks)


def _empty_root() -> str:
    """A root without anything but a list of one's own descriptors, seen by this process only."""
    bare = kernel_calls.NO_SUID | kernel_calls.NO_DEV
    kernel_calls.mount("none", "/", None, kernel_calls.RECURSIVE | kernel_calls.PRIVATE)
    parent = next((name for name in _ROOT_FOLDERS if os.access(name, os.W_OK)), "/")
    # The folder is left behind empty by a nursery that was killed, so one name serves all.
    place = Path(parent) / "lingqu-engine-root"
    with contextlib.suppress(FileExistsError):
        place.mkdir(mode=0o700)
    if place.is_symlink() or place.stat().st_uid != os.geteuid():
        place = Path(tempfile.mkdtemp(dir=parent))
    kernel_calls.mount("tmpfs", place, "tmpfs", bare, "size=64k,mode=755")
    (place / "proc").mkdir(mode=0o555)
    walled = bare | kernel_calls.NO_EXEC | kernel_calls.READ_ONLY
    kernel_calls.mount("proc", place / "proc", "proc", walled, "hidepid=ptraceable,subset=pid")
    kernel_calls.mount("none", place, None, walled | kernel_calls.REMOUNT)
    return str(place)


def enter(walls: Walls, *, parent: int) -> None:
    """This will put this process inside the walls, for ever. Raises OSError where one is missing.

    What is absent on this machine was reported; what is there and cannot be entered is an error.
    """
    identity = walls.identity
    with contextlib.suppress(OSError):
        # When memory runs out, the kernel shall end a worker and not the platform.
        Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")
    if walls.root is not None:
        os.chroot(walls.root)
    os.chdir("/")
    os.umask(0o777)
    if identity.switch:
        kernel_calls.drop_capabilities()
        os.setgroups([])
        os.setresgid(identity.gid, identity.gid, identity.gid)
        os.setresuid(identity.uid, identity.uid, identity.uid)
    kernel_calls.refuse_new_privileges()
    kernel_calls.forbid_inspection()
    kernel_calls.die_with_parent()
    if os.getppid() != parent:
        os._exit(1)
    _limit(walls)
    if kernel_calls.landlock_version():
        _shut_files(walls)
    os.close(walls.files)
    if kernel_calls.can_filter():
        kernel_calls.filter_system_calls()


def _shut_files(walls: Walls) -> None:
    """Leave the copies made for jobs, and what the engine reads about limits while it starts."""
    readable = [walls.files]
    for path in _ENGINE_READS:
        with contextlib.suppress(OSError):
            readable.append(os.open(path, os.O_PATH | os.O_CLOEXEC))
    kernel_calls.landlock(readable)
    for descriptor in readable[1:]:
        os.close(descriptor)


def _limit(walls: Walls) -> None:
    fixed = {
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_FSIZE: 0,
        resource.RLIMIT_MEMLOCK: 0,
        resource.RLIMIT_MSGQUEUE: 0,
        resource.RLIMIT_NOFILE: _DESCRIPTORS,
    }
    if walls.identity.switch:
        # Counted for the account as a whole; on a shared account it would limit the platform.
        fixed[resource.RLIMIT_NPROC] = walls.tasks
    for kind, most in fixed.items():
        resource.setrlimit(kind, (most, most))


def address_space() -> int:
    """This will give the bytes of address space in use; to be asked before `enter`."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    return pages * resource.getpagesize()


def limit_job(*, used: int, memory: int, cpu_seconds: int) -> None:
    """This will bound what this process may still take, once its job is known."""
    space = used + memory + _OVERHEAD
    resource.setrlimit(resource.RLIMIT_AS, (space, space))
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_seconds, cpu_seconds))

# SPDX-License-Identifier: Apache-2.0
"""The calls to Linux that Python has no name for: namespaces, mounts, Landlock, seccomp, prctl.

Each raises OSError with the kernel's reason. Nothing here decides anything.
"""

from __future__ import annotations

import ctypes
import os
import platform
import struct
from collections.abc import Sequence
from pathlib import Path

NEW_MOUNTS, NEW_NAMES, NEW_IPC, NEW_NETWORK = 0x00020000, 0x04000000, 0x08000000, 0x40000000
READ_ONLY, NO_SUID, NO_DEV, NO_EXEC, REMOUNT = 1, 2, 4, 8, 32
RECURSIVE, PRIVATE = 0x4000, 0x40000

_DEATH_SIGNAL, _DUMPABLE, _DROP_BOUND, _NO_NEW_PRIVILEGES = 1, 4, 24, 38
_AMBIENT, _AMBIENT_CLEAR = 47, 4
_LANDLOCK_CREATE, _LANDLOCK_ADD, _LANDLOCK_RESTRICT, _SECCOMP = 444, 445, 446, 317
_LANDLOCK_VERSION, _PATH_BENEATH, _READ_FILE = 1, 1, 1 << 2
_FILTER_MODE, _ALL_THREADS = 1, 1
_CAPABILITIES = 64

_libc = ctypes.CDLL(None, use_errno=True)


def _checked(answer: int) -> int:
    if answer < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return answer


def unshare(flags: int) -> None:
    """This will give the process namespaces of its own."""
    _checked(_libc.unshare(flags))


def mount(source: str, target: Path | str, kind: str | None, flags: int, data: str = "") -> None:
    """This will mount, remount or change how a mount spreads."""
    kind_bytes = None if kind is None else kind.encode()
    target_bytes = os.fsencode(target)
    _checked(_libc.mount(source.encode(), target_bytes, kind_bytes, flags, data.encode()))


def die_with_parent() -> None:
    """This will have the kernel kill this process when its parent ends."""
    _checked(_libc.prctl(_DEATH_SIGNAL, 9, 0, 0, 0))


def refuse_new_privileges() -> None:
    """This will make set-user-id programs and file capabilities without effect, for ever."""
    _checked(_libc.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0))


def forbid_inspection() -> None:
    """This will keep other processes of the account from reading this one's memory."""
    _checked(_libc.prctl(_DUMPABLE, 0, 0, 0, 0))


def drop_capabilities() -> None:
    """This will empty the bounding and ambient sets; to be called while still root."""
    for capability in range(_CAPABILITIES):
        if _libc.prctl(_DROP_BOUND, capability, 0, 0, 0) < 0:
            break  # the kernel knows no capability of this number
    _checked(_libc.prctl(_AMBIENT, _AMBIENT_CLEAR, 0, 0, 0))


def landlock_version() -> int:
    """This will give the version of Landlock the kernel offers, 0 without it."""
    answer = int(_libc.syscall(_LANDLOCK_CREATE, None, 0, _LANDLOCK_VERSION))
    return max(answer, 0)


def landlock(readable: Sequence[int]) -> None:
    """This will leave the thread, and those it starts, only reading these files or folders.

    They are open descriptors. Also forbids TCP, abstract sockets and signals to others
    where the kernel's version knows how. `refuse_new_privileges` comes first.
    """
    version = landlock_version()
    files = (1 << (13 + (version >= 2) + (version >= 3) + (version >= 5))) - 1
    network = 0b11 if version >= 4 else 0
    scopes = 0b11 if version >= 6 else 0
    rules = struct.pack("=QQQ", files, network, scopes)
    rules = rules[: 8 if version < 4 else 16 if version < 6 else 24]
    made = _checked(_libc.syscall(_LANDLOCK_CREATE, rules, ctypes.c_size_t(len(rules)), 0))
    for place in readable:
        rule = struct.pack("=Qi", _READ_FILE, place)
        _checked(_libc.syscall(_LANDLOCK_ADD, made, _PATH_BENEATH, rule, 0))
    _checked(_libc.syscall(_LANDLOCK_RESTRICT, made, 0))
    os.close(made)


def can_filter() -> bool:
    """Whether we have a filter of system calls for this kind of processor."""
    return platform.machine() == "x86_64"


def filter_system_calls() -> None:
    """This will leave only what a worker that reads, computes and answers needs.

    Anything else fails with EPERM. Files open for reading only, new tasks are threads only, and
    signals reach this process only. Everything not named is closed: no program, process, socket,
    namespace, mount or file can be made.
    """
    code = _program(os.getpid())
    assert len(code) // 8 < 256, "jumps reach no further"
    buffer = ctypes.create_string_buffer(code, len(code))
    program = struct.pack("=HxxxxxxQ", len(code) // 8, ctypes.addressof(buffer))
    _checked(_libc.syscall(_SECCOMP, _FILTER_MODE, _ALL_THREADS, program))


# Numbers of x86-64, by what they are for.
_READING = (0, 3, 4, 5, 6, 8, 17, 19, 21, 79, 89, 217, 221, 262, 267, 332, 439)
_ANSWERING = (1, 7, 20, 23, 44, 45, 46, 47, 48, 271, 72, 33, 292, 436)
_MEMORY = (9, 10, 11, 12, 25, 27, 28)
_SIGNALS = (13, 14, 15, 131, 219)
_TIME = (35, 96, 228, 229, 230)
_THREADS = (24, 60, 158, 186, 202, 204, 218, 231, 273, 309, 324, 334)
_SELF = (39, 63, 97, 98, 99, 100, 102, 104, 107, 108, 110, 318)
_OPENAT, _CLONE, _CLONE3, _TGKILL, _PRLIMIT = 257, 56, 435, 234, 302
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_CLONE_THREAD = 0x00010000

_LOAD, _EQUAL, _ANY_BIT, _RETURN = 0x20, 0x15, 0x45, 0x06
_ALLOW, _REFUSE, _ABSENT, _KILL = 0x7FFF0000, 0x00050001, 0x00050026, 0x80000000
_AUDIT_X86_64 = 0xC000003E
_NUMBER, _ARCHITECTURE, _FIRST, _THIRD = 0, 4, 16, 32


def _program(own: int) -> bytes:
    def step(code: int, value: int, yes: int = 0, no: int = 0) -> bytes:
        return struct.pack("=HBBI", code, yes, no, value)

    lines = [
        step(_LOAD, _ARCHITECTURE),
        step(_EQUAL, _AUDIT_X86_64, 1, 0),
        step(_RETURN, _KILL),
        step(_LOAD, _NUMBER),
    ]

    def where(number: int, argument: int, test: int, value: int, *, allowed: bool) -> None:
        """Allow a call when the test of the low half of its argument comes out so."""
        yes, no = (0, 1) if allowed else (1, 0)
        lines.extend((
            step(_EQUAL, number, 0, 4),
            step(_LOAD, argument),
            step(test, value, yes, no),
            step(_RETURN, _ALLOW),
            step(_RETURN, _REFUSE),
        ))  # fmt: skip

    where(_OPENAT, _THIRD, _ANY_BIT, _WRITING, allowed=False)
    where(_CLONE, _FIRST, _ANY_BIT, _CLONE_THREAD, allowed=True)
    where(_TGKILL, _FIRST, _EQUAL, own, allowed=True)
    where(_PRLIMIT, _FIRST, _EQUAL, 0, allowed=True)
    # The C library makes threads with clone where clone3 does not exist; its flags lie in memory
    # that a filter cannot read.
    lines += [step(_EQUAL, _CLONE3, 0, 1), step(_RETURN, _ABSENT)]
    for number in (
        *_READING, *_ANSWERING, *_MEMORY, *_SIGNALS, *_TIME, *_THREADS, *_SELF,
    ):  # fmt: skip
        lines += [step(_EQUAL, number, 0, 1), step(_RETURN, _ALLOW)]
    return b"".join([*lines, step(_RETURN, _REFUSE)])

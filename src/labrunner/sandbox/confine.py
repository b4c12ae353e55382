"""Calls to the kernel by which a process gives up what it may do. Linux; no dependency but ctypes.

The supervisor of a box loads this file too, outside the package: it imports the standard library alone.
"""

from __future__ import annotations

import ctypes
import os
import stat
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

_LIBC = ctypes.CDLL(None, use_errno=True)
_PDEATHSIG, _SECCOMP, _CHILD_SUBREAPER, _NO_NEW_PRIVS = 1, 22, 36, 38
_SECCOMP_FILTER = 2
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_VERSION = 1
_PATH_BENEATH, _NET_PORT = 1, 2
_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR, _TRUNCATE, _IOCTL_DEV = 1, 2, 4, 8, 1 << 14, 1 << 15
_BIND, _CONNECT = 1, 2
_SCOPE_SIGNAL = 2
_FILE_RIGHTS = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE | _IOCTL_DEV
# Landlock by version: 4 holds files, truncation and TCP; 5 adds device ioctls, 6 signals.
_ALL_RIGHTS = {4: (1 << 15) - 1, 5: (1 << 16) - 1}
NEEDED_LANDLOCK = 4
SIGNALS_LANDLOCK = 6


def landlock_version() -> int:
    """The version of Landlock that the kernel offers; 0 when it has none or it is switched off."""
    return max(0, int(_LIBC.syscall(_CREATE_RULESET, None, 0, _VERSION)))


def no_new_privileges() -> None:
    """No program started from here on gains rights by being started (set-uid and the like)."""
    _prctl(_NO_NEW_PRIVS, 1)


def adopt_orphans() -> None:
    """Descendants whose parents end become this process's children."""
    _prctl(_CHILD_SUBREAPER, 1)


def die_with_parent(signal: int) -> None:
    """Get this signal when the thread that started this process ends."""
    _prctl(_PDEATHSIG, signal)


def install_filter(program: bytes) -> None:
    """Apply a seccomp filter, an array of struct sock_filter, to this process and its descendants."""

    class Program(ctypes.Structure):
        _fields_ = (("length", ctypes.c_ushort), ("steps", ctypes.c_char_p))

    given = Program(len(program) // 8, program)
    _prctl(_SECCOMP, _SECCOMP_FILTER, ctypes.addressof(given))


def scope_signals() -> bool:
    """Let this process and its descendants signal one another alone; False where Landlock cannot."""
    if landlock_version() < SIGNALS_LANDLOCK:
        return False
    no_new_privileges()
    _enforce(_ruleset(0, 0, _SCOPE_SIGNAL))
    return True


def restrict(rules: Iterable[tuple[str, str]], *, listen: Iterable[int], connect: Iterable[int]) -> None:
    """Hold this process and its descendants to these files and TCP ports.

    A rule is a path and one of `list` (names in it), `read` (and execute), `use` (read and write, for
    devices) and `change` (everything, for folders). Paths that do not exist are passed over.
    """
    version = landlock_version()
    rights = _ALL_RIGHTS[min(version, max(_ALL_RIGHTS))]
    words = {
        "list": _READ_DIR,
        "read": _EXECUTE | _READ_FILE | _READ_DIR,
        "use": _READ_FILE | _WRITE_FILE,
        "change": rights,
    }
    ruleset = _ruleset(rights, _BIND | _CONNECT, _SCOPE_SIGNAL | 1 if version >= SIGNALS_LANDLOCK else 0)
    for path, word in rules:
        _allow_path(ruleset, path, words[word])
    for port in listen:
        _allow_port(ruleset, port, _BIND | _CONNECT)
    for port in connect:
        _allow_port(ruleset, port, _CONNECT)
    no_new_privileges()
    _enforce(ruleset)


def _ruleset(files: int, network: int, scopes: int) -> int:
    attributes = (ctypes.c_uint64 * 3)(files, network, scopes)
    return _checked(_LIBC.syscall(_CREATE_RULESET, attributes, ctypes.sizeof(attributes), 0))


def _allow_path(ruleset: int, path: str, rights: int) -> None:
    try:
        descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    try:
        if not stat.S_ISDIR(os.fstat(descriptor).st_mode):
            rights &= _FILE_RIGHTS
        given = rights.to_bytes(8, sys.byteorder) + descriptor.to_bytes(4, sys.byteorder)
        _checked(_LIBC.syscall(_ADD_RULE, ruleset, _PATH_BENEATH, given, 0))
    finally:
        os.close(descriptor)


def _allow_port(ruleset: int, port: int, rights: int) -> None:
    given = (ctypes.c_uint64 * 2)(rights, port)
    _checked(_LIBC.syscall(_ADD_RULE, ruleset, _NET_PORT, given, 0))


def _enforce(ruleset: int) -> None:
    _checked(_LIBC.syscall(_RESTRICT_SELF, ruleset, 0))
    os.close(ruleset)


def _prctl(option: int, value: int, pointer: int = 0) -> None:
    words = [ctypes.c_ulong(word) for word in (value, pointer, 0, 0)]
    _checked(_LIBC.prctl(option, *words))


def _checked(result: int) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result

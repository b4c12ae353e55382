"""What a program needs of this machine to start: the C library's folders, and a Python of its own."""

import os
import re
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path

from labrunner.sandbox.box import Mount

_PACKAGES = ("site-packages", "dist-packages")
_SHARED = (Path("/usr"), Path("/usr/local"), Path("/"))


def own_python() -> Path:
    """The interpreter beneath labrunner's own environment, with every link resolved."""
    # `_base_executable` is what `venv` itself goes by; it is documented nowhere else.
    return Path(getattr(sys, "_base_executable", None) or sys.executable).resolve()


def system_mounts() -> tuple[Mount, ...]:
    """The folders of shared libraries that compiled programs are linked with."""
    machine = sysconfig.get_config_var("MULTIARCH") or "no-multiarch"
    narrow = [Path(base, machine) for base in ("/lib", "/usr/lib")]
    wide = [Path(base) for base in ("/lib", "/usr/lib", "/lib64", "/usr/lib64")]
    if narrow[1].is_dir():
        found = [Mount(path) for path in (*narrow, *wide[2:])]
    else:
        found = [Mount(path, masked=tuple(_packages(path))) for path in wide]
    return tuple(mount for mount in (*found, Mount(Path("/etc/ld.so.cache"))) if mount.host.exists())


def python_mounts(python: Path) -> tuple[Mount, ...]:
    """All that this interpreter (a file `bin/python3…` of an installation, or a link to one) needs to start.

    Its standard library is there, the packages installed beside it are not.
    """
    # Every link on the way stays what it is: an environment's `bin/python` names its own installation.
    names = [python]
    while names[-1].is_symlink():
        names.append(names[-1].parent / names[-1].readlink())
    found = names[-1].resolve()
    prefix = found.parent.parent
    mounts = [Mount(name) for name in dict.fromkeys((*names, found))]
    if prefix not in _SHARED:
        # An installation of its own: all its libraries may be of use to the interpreter.
        return (*mounts, Mount(prefix / "lib", masked=tuple(_packages(prefix / "lib"))))
    libraries = [path for name in ("lib", "lib64") for path in _entries(prefix / name, r"python3\.\d+t?")]
    mounts += [Mount(path, masked=tuple(_packages(path))) for path in libraries]
    return (*mounts, *(Mount(path) for path in _entries(prefix / "lib", r"libpython3.*\.so.*")))


def _packages(folder: Path) -> Iterator[str]:
    """The folders of installed packages within a folder of libraries, relative to it."""
    for parent in (folder, *_entries(folder, r"python3(\.\d+t?)?")):
        for name in _PACKAGES:
            if (parent / name).is_dir():
                yield str((parent / name).relative_to(folder))


def _entries(folder: Path, pattern: str) -> list[Path]:
    # Such a folder may have thousands of entries, for which pathlib takes its time.
    try:
        return sorted(folder / name for name in os.listdir(folder) if re.fullmatch(pattern, name))  # noqa: PTH208
    except OSError:
        return []

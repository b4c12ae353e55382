"""Makes what starts a box: the words for bubblewrap, the supervisor's code, and the dictionary it goes by."""

import importlib.util
import marshal
import math
import os
import platform
import resource
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from labrunner.errors import MachineError
from labrunner.sandbox import seccomp
from labrunner.sandbox.account import tasks_of
from labrunner.sandbox.box import MB, Box, Level, Mount
from labrunner.sandbox.interpreter import own_python, python_mounts, system_mounts

if TYPE_CHECKING:
    from importlib.machinery import SourceFileLoader

# Reads the supervisor and its data from a descriptor, so that neither a file of ours nor an argument is seen.
_BOOT = """\
import marshal, sys
control = int(sys.argv[1])
codes, spec = marshal.load(open(control, "rb", closefd=False))
for name, code in codes:
    module = sys.modules[name] = type(sys)(name)
    exec(code, module.__dict__)
sys.modules[name].main(control, spec)
"""
_PARTS = ("labrunner.sandbox.watch", "labrunner.sandbox.supervisor")
_BELOW_STRICT = ("labrunner.sandbox.removal", "labrunner.sandbox.confine")
_USERS = "learner:x:1000:1000:learner:/tmp/home:/bin/sh\n"
_GROUP = "learner:x:1000:\n"
# Where a strict box has its own sized folders.
_TEMPORARY, _SHARED = "/tmp", "/dev/shm"  # noqa: S108 - nobody else is there
_HOSTS = "127.0.0.1 localhost box\n::1 localhost box\n"
_STACK = 8 * MB
# Other processes of the same user are counted too; these may be added to them while the program runs.
_SLACK = 256
_COUNTED_APART = (5, 14)
_DEVICES = ("null", "zero", "full", "random", "urandom")
_KERNEL_FACTS = ("/proc/self", "/proc/meminfo", "/proc/cpuinfo", "/proc/stat", "/proc/sys/kernel/random")


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What was made for one box: the temporary folder below `strict`, the account when we are root.

    `mounts` are the box's own and those that every box has; `bubblewrap` is its path, for `strict` alone.
    """

    level: Level
    temporary: Path | None
    account: int | None
    mounts: tuple[Mount, ...]
    bubblewrap: str


def all_mounts(box: Box) -> tuple[Mount, ...]:
    """The box's mounts, and those of the C library and of the supervisor's interpreter, by path inside."""
    found: dict[str, Mount] = {}
    for mount in (*box.mounts, *system_mounts(), *python_mounts(own_python())):
        found.setdefault(mount.at("strict"), mount)
    mounts = [found[path] for path in sorted(found)]
    return tuple(mount for mount in mounts if not any(_shows(other, mount) for other in mounts))


def _shows(outer: Mount, inner: Mount) -> bool:
    """Whether a mount shows another one's file already, at the same path."""
    inside, outside = Path(inner.at("strict")), Path(outer.at("strict"))
    if outer is inner or not inside.is_relative_to(outside):
        return False
    name = inside.relative_to(outside)
    return inner.host == outer.host / name and not any(name.is_relative_to(hidden) for hidden in outer.masked)


def supervisor_words(control: int) -> list[str]:
    """The command that runs the supervisor, which reads `supervisor_load` from its control descriptor."""
    return [str(own_python()), "-I", "-S", "-B", "-c", _BOOT, str(control)]


def supervisor_load(spec: Mapping[str, Any]) -> bytes:
    """The supervisor's code and data, as the interpreter that reads them has them."""
    codes = [("labrunner", _compiled(None)), ("labrunner.sandbox", _compiled(None))]
    parts = _PARTS if spec["level"] == "strict" else (*_BELOW_STRICT, *_PARTS)
    codes += [(name, _compiled(name)) for name in parts]
    return marshal.dumps((codes, dict(spec)))


def _compiled(name: str | None) -> object:
    if name is None:
        return compile("", "", "exec")
    found = cast("Any", importlib.util.find_spec(name))
    return cast("SourceFileLoader", found.loader).get_code(name)


def specification(box: Box, around: Surroundings, stdio: Sequence[int]) -> dict[str, Any]:
    """The supervisor's data: plain values alone, since they travel to another interpreter."""
    strict = around.level == "strict"
    temporary = _TEMPORARY if strict else str(around.temporary)
    limits = box.limits
    entries = max(1000, limits.disk_bytes // 4096)
    folders = [(box.folder.at(around.level), box.folder.bytes, box.folder.entries)] if box.folder else []
    if not strict:
        folders.append((temporary, limits.disk_bytes, entries))
    home = {"HOME": f"{temporary}/home", "TMPDIR": temporary, "LANG": "C.UTF-8"}
    return {
        "level": around.level,
        "command": list(box.command),
        "workdir": box.workdir,
        "environ": {**home, **box.environ},
        "descriptors": [*enumerate(stdio), *box.descriptors.items()],
        "account": None if strict else around.account,
        "rlimits": _rlimits(box, around),
        "time_s": limits.time_s,
        "memory_bytes": limits.memory_bytes,
        "processes": limits.processes,
        "descriptors_at_most": limits.descriptors,
        "file_bytes": limits.file_bytes,
        "tmpfs": [(_TEMPORARY, entries), (_SHARED, entries)] if strict else [],
        "folders": folders,
        "temporary": temporary,
        "rules": _rules(box, around.mounts, temporary) if around.level == "landlock" else [],
        "ports": list(box.ports),
        "connect": [listener.port for listener in box.listeners],
        "filter": _filter(private_network=False) if around.level == "landlock" else b"",
    }


def _rlimits(box: Box, around: Surroundings) -> list[tuple[int, int]]:
    limits = box.limits
    chosen = {
        "RLIMIT_CPU": math.ceil(limits.cpu_s or limits.time_s),
        # Twice, since the watch is what says that it was too much; this holds what grows faster than that.
        "RLIMIT_DATA": 2 * limits.memory_bytes,
        "RLIMIT_NPROC": _processes(limits.processes, around),
        "RLIMIT_NOFILE": limits.descriptors,
        "RLIMIT_FSIZE": limits.file_bytes,
        "RLIMIT_STACK": _STACK,
        "RLIMIT_CORE": 0,
        "RLIMIT_MEMLOCK": 1 << 16,
        "RLIMIT_MSGQUEUE": 1 << 16,
    }
    if sys.platform != "linux":
        del chosen["RLIMIT_NPROC"]
    return [(getattr(resource, name), value) for name, value in chosen.items() if hasattr(resource, name)]


def _processes(own: int, around: Surroundings) -> int:
    """The figure for RLIMIT_NPROC, which counts more or less than the box, depending on where it is."""
    if around.account is not None and around.level != "strict":
        return own
    kernel = tuple(int(part) for part in platform.release().split(".")[:2])
    if around.level == "strict" and kernel >= _COUNTED_APART:
        # The supervisor is in the box's user namespace too, where nobody else is.
        return own + 1
    return own + tasks_of(os.getuid()) + _SLACK


def _rules(box: Box, mounts: tuple[Mount, ...], temporary: str) -> list[tuple[str, str]]:
    """What Landlock lets the program do with which paths."""
    rules = [(f"/dev/{name}", "use") for name in _DEVICES]
    rules += [(path, "read") for path in _KERNEL_FACTS]
    for mount in mounts:
        rules += _readable(mount)
    rules += [(folder, "change") for folder in (temporary, *([str(box.folder.host)] if box.folder else []))]
    return rules


def _readable(mount: Mount) -> list[tuple[str, str]]:
    """Landlock can only allow: where something is masked, all that lies beside it is named instead."""
    if not mount.masked:
        return [(str(mount.host), "read")]
    rules = [(str(mount.host), "list")]
    hidden = [mount.host / name for name in mount.masked]
    ahead = [mount.host]
    while ahead:
        for path in ahead.pop().iterdir():
            if path in hidden:
                continue
            if any(name.is_relative_to(path) for name in hidden):
                ahead.append(path)
            else:
                rules.append((str(path), "read"))
    return rules


def _filter(*, private_network: bool) -> bytes:
    machine = seccomp.machine()
    if machine is None:
        raise MachineError(
            f"no seccomp filter is known for the processor {platform.machine()!r}",
            hint="use --isolation process, or grade on x86_64 or aarch64",
        )
    return seccomp.assembled(machine, private_network=private_network)


def bubblewrap(environ: Mapping[str, str]) -> str:
    """The path of bubblewrap. Raises MachineError when it is not installed."""
    found = shutil.which("bwrap", path=environ.get("PATH", os.defpath))
    if not found:
        raise MachineError(
            "bubblewrap (bwrap) is not installed",
            hint="install it: apt install bubblewrap, or dnf, or pacman",
        )
    return found


# ── strict ──────────────────────────────────────────────────────────────────────────────────────


def bubblewrap_words(box: Box, around: Surroundings, data: Mapping[str, int]) -> list[str]:
    """The options for bubblewrap; `data` has the descriptors of what `bubblewrap_data` returned."""
    limits = box.limits
    words = [
        *("--unshare-all", "--unshare-user", "--disable-userns", "--new-session", "--die-with-parent"),
        *("--cap-drop", "ALL", "--as-pid-1", "--uid", "1000", "--gid", "1000", "--hostname", "box"),
        *("--seccomp", str(data["filter"])),
        # Process 1 is the supervisor: nobody needs to see what it is and holds.
        *("--proc", "/proc", "--size", "4096", "--tmpfs", "/proc/1", "--remount-ro", "/proc/1"),
        *("--dev", "/dev", "--perms", "1777", "--size", str(limits.disk_bytes), "--tmpfs", _SHARED),
        *("--remount-ro", "/dev"),
        *(
            "--perms",
            "1777",
            "--size",
            str(limits.disk_bytes),
            "--tmpfs",
            _TEMPORARY,
            "--dir",
            f"{_TEMPORARY}/home",
        ),
    ]
    for mount in around.mounts:
        inside = mount.at("strict")
        words += ["--ro-bind", str(mount.host), inside]
        for name in mount.masked:
            masked = f"{inside}/{name}"
            words += ["--size", "4096", "--tmpfs", masked, "--remount-ro", masked]
    for name in ("passwd", "group", "hosts"):
        words += ["--perms", "0644", "--ro-bind-data", str(data[name]), f"/etc/{name}"]
    if box.folder:
        words += ["--bind", str(box.folder.host), box.folder.at("strict")]
    return [*words, "--remount-ro", "/"]


def bubblewrap_data() -> dict[str, bytes]:
    """What bubblewrap reads from descriptors besides its arguments."""
    return {
        "filter": _filter(private_network=True),
        "passwd": _USERS.encode(),
        "group": _GROUP.encode(),
        "hosts": _HOSTS.encode(),
    }

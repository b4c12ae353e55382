"""Which level of isolation works on this machine now: found by trying it, not by looking what is there."""

import contextlib
import os
import secrets
import select
import socket
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from labrunner.errors import LabrunnerError, MachineError
from labrunner.sandbox import confine
from labrunner.sandbox.box import LEVELS, MB, Box, Level, Limits
from labrunner.sandbox.interpreter import own_python
from labrunner.sandbox.reading import Output, communicate
from labrunner.sandbox.running import run

_TIME_S = 10.0
_GONE_MS = 2000
_LIMITS = Limits(time_s=_TIME_S, memory_bytes=256 * MB, processes=12, disk_bytes=MB, output_bytes=MB)
_WATCHED = ("files", "memory", "environment", "network", "kernel")
# What each level claims and a probe tries. The last one must stay last: it leaves a process behind.
CLAIMS: dict[Level, tuple[str, ...]] = {
    "strict": (*_WATCHED, "processes_of_others", "signals", "forks", "disk_space", "survivor"),
    "landlock": (*_WATCHED, "processes_of_others", "signals", "forks", "survivor"),
    "process": ("survivor",),
}
_FORKS_GAP = "its processes are counted some hundredths of a second after they start"
_SIGNALS_GAP = "the program may signal other processes of the same user"


@dataclass(frozen=True, slots=True)
class Probe:
    """Whether a level works here now; `reason` says what was tried and, when it does not, what went wrong.

    `gaps` are sentences on what it does not stop on this machine although the level usually does.
    """

    level: Level
    works: bool
    reason: str
    remedy: str = ""
    gaps: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Choice:
    """The level to use, and the probes of the better ones that do not work here."""

    level: Level
    probe: Probe
    passed_over: tuple[Probe, ...] = ()


def choose(wanted: Level | None, environ: Mapping[str, str]) -> Choice:
    """The wanted level, or else the best that works.

    Raises MachineError when the wanted one does not work, or none does.
    """
    failed: list[Probe] = []
    for level in (wanted,) if wanted else LEVELS:
        found = probe(level, environ)
        if found.works:
            return Choice(level, found, tuple(failed))
        failed.append(found)
    told = "; ".join(f"{found.level}: {found.reason}" for found in failed)
    raise MachineError(f"the isolation asked for does not work here: {told}", hint=failed[-1].remedy)


def probe(level: Level, environ: Mapping[str, str]) -> Probe:
    """Start a program that tries to get out of a box of this level, and see what it manages.

    It takes as long as two starts of a box, so that it can be asked at every grade. Every claim of the level
    is tried: reading files, memory and environments, the network, namespaces, signals, forks and files up to
    their limits, and a process that stays behind.
    """
    if level != "process" and not sys.platform.startswith("linux"):
        return Probe(level, works=False, reason="needs Linux", remedy="use --isolation process, or Linux")
    version = confine.landlock_version() if level == "landlock" else confine.NEEDED_LANDLOCK
    if version < confine.NEEDED_LANDLOCK:
        reason = f"the kernel offers version {version} of Landlock, needed is {confine.NEEDED_LANDLOCK}"
        return Probe(
            level, works=False, reason=reason, remedy="Linux 6.7 or newer, with Landlock switched on"
        )
    gaps, claims = _claims(level)
    try:
        broken = _tried(level, environ, claims)
    except LabrunnerError as error:
        return Probe(level, works=False, reason=str(error), remedy=_remedy(level) or error.hint)
    if broken:
        return Probe(level, works=False, reason=f"a program in it {broken}", remedy=_remedy(level))
    return Probe(level, works=True, reason=f"tried: {', '.join(claims)}", gaps=gaps)


def _claims(level: Level) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The gaps known beforehand, and the claims to try."""
    claims = list(CLAIMS[level])
    gaps = []
    # As root, each box has an account of its own, whose processes are counted apart and can signal no others.
    if level == "landlock" and os.getuid():
        claims.remove("forks")
        gaps.append(_FORKS_GAP)
        if confine.landlock_version() < confine.SIGNALS_LANDLOCK:
            claims.remove("signals")
            gaps.append(_SIGNALS_GAP)
    return tuple(gaps), tuple(claims)


@dataclass(frozen=True, slots=True)
class _Bait:
    """What a program in a box must not reach: a file, two ports and a unix socket without a file."""

    secret: Path
    tcp: socket.socket
    udp: socket.socket
    abstract: str

    def words(self) -> list[str]:
        ports = [str(made.getsockname()[1]) for made in (self.tcp, self.udp)]
        return [str(os.getpid()), str(self.secret), *ports, self.abstract]

    def taken(self) -> str:
        """What arrived here from inside."""
        return "sent a datagram out of it" if select.select([self.udp], [], [], 0)[0] else ""


@contextmanager
def _bait(environ: Mapping[str, str]) -> Iterator[_Bait]:
    name = f"labrunner-{secrets.token_hex(8)}"
    with (
        tempfile.NamedTemporaryFile(dir=environ.get("TMPDIR"), prefix="labrunner-secret-") as file,
        socket.create_server(("127.0.0.1", 0)) as tcp,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp,
        socket.socket(socket.AF_UNIX) as unix,
    ):
        # Readable for everybody, so that it is the box that keeps it away.
        Path(file.name).chmod(0o644)
        udp.bind(("127.0.0.1", 0))
        with contextlib.suppress(OSError):  # only Linux has sockets without a file
            unix.bind("\0" + name)
            unix.listen()
        yield _Bait(Path(file.name), tcp, udp, name)


def _tried(level: Level, environ: Mapping[str, str], claims: tuple[str, ...]) -> str:
    """What a hostile program managed in a box of this level; nothing when it held."""
    source = Path(__file__).with_name("intruder.py").read_text(encoding="utf-8")
    with _bait(environ) as bait, contextlib.ExitStack() as stack:
        alive, held = os.pipe()
        stack.callback(os.close, alive)
        words = (*bait.words(), str(_LIMITS.processes), str(_LIMITS.disk_bytes), *claims)
        command = (str(own_python()), "-I", "-S", "-c", source, *words)
        try:
            with run(Box(command, limits=_LIMITS, descriptors={3: held}), level, environ) as program:
                output = communicate(program)
        finally:
            os.close(held)
        survived = bool(select.select([alive], [], [], _GONE_MS / 1000)[0]) is False
        return _judged(output, claims) or bait.taken() or ("outlived it" if survived else "")


def _judged(output: Output, claims: tuple[str, ...]) -> str:
    lines = [line.split(" ", 2) for line in output.stdout.decode("utf-8", "replace").splitlines()]
    broken = [f"{words[2]} ({words[0]})" for words in lines if words[1:2] == ["broken"]]
    if broken:
        return ", ".join(broken)
    if [words[0] for words in lines] != list(claims) or output.ending is None or output.ending.status != 0:
        said = output.stderr.decode("utf-8", "replace").strip().splitlines()[-1:]
        return f"did not get through its attempts: {' '.join(said) or output.ending}"
    return ""


_APPARMOR = (
    "AppArmor keeps user namespaces from programs without a profile, as on Ubuntu 24.04: give bwrap one (apt "
    "install apparmor-profiles; ln -s /usr/share/apparmor/extra-profiles/bwrap-userns-restrict "
    "/etc/apparmor.d/; systemctl reload apparmor), or sysctl kernel.apparmor_restrict_unprivileged_userns=0"
)
_SWITCHED_OFF = "user namespaces are switched off on this machine: sysctl {}"
# What keeps bubblewrap from working, by the file that says so, its value, and what to do.
_SWITCHES = (
    ("proc/sys/kernel/apparmor_restrict_unprivileged_userns", "1", _APPARMOR),
    (
        "proc/sys/kernel/unprivileged_userns_clone",
        "0",
        _SWITCHED_OFF.format("kernel.unprivileged_userns_clone=1"),
    ),
    ("proc/sys/user/max_user_namespaces", "0", _SWITCHED_OFF.format("user.max_user_namespaces=10000")),
)
_IN_CONTAINER = "inside a container, run labrunner outside of it, or use --isolation landlock"


def _remedy(level: Level, root: Path = Path("/")) -> str:
    """What to do about a level that does not work, as far as this machine's settings tell."""
    if level != "strict":
        return ""
    for path, value, words in _SWITCHES:
        file = root / path
        if file.exists() and file.read_text("ascii").strip() == value:
            return words
    if any((root / name).exists() for name in (".dockerenv", "run/.containerenv")):
        return _IN_CONTAINER
    return ""

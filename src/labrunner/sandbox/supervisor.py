"""The first process of every box: it starts the program, watches it, and leaves nothing of it behind.

It runs alone inside the box (in a strict one as process 1, which nothing in there can end), started with a
bare interpreter and a dictionary `spec` that `labrunner.sandbox.launch` makes. Its imports are paid for at
every start of a box, so what only some boxes need is imported where it is needed.

Lines from the parent: `socket FAMILY`, `go`, `signal NUMBER`, `end`; its silence for good ends the box.
Lines to the parent: `ready`, `socket` with a descriptor, `started`, `unstarted STAGE ERRNO`, and at last
`ended WAIT-STATUS CAUSE PEAK-MEMORY-BYTES CPU-MILLISECONDS HITS`, where HITS is `-` or limits seen reached.
"""

from __future__ import annotations

# The public modules of these two import `enum` and more, which costs as much as starting the interpreter.
import _signal  # type: ignore[import-not-found]
import _socket
import fcntl
import os
import resource
import select
import sys
import time

from labrunner.sandbox.watch import Watch, descendants

TYPE_CHECKING = False
if TYPE_CHECKING:
    from labrunner.sandbox.watch import Spec

_KILL = 9
_SWEPT_EVERY_MS = 2
_SWEEP_S = 5.0
# Above every number that a program is given its descriptors by.
_HIGH = 200
_TOP = 4096


def main(control: int, spec: Spec) -> None:
    """Run the program that `spec` describes, to its end and the end of all that it started."""
    os.set_inheritable(control, False)
    scoped = spec["level"] != "strict" and _stand_apart()
    line = _Line(control)
    line.say("ready")
    while (said := line.heard(None)) != ["go"]:
        if said is None or "end" in said:
            return
        for words in said:
            line.hand_out_socket(int(words.split()[1]))
    program = _start(spec, line)
    for source in {source for _, source in spec["descriptors"]}:
        os.close(source)
    if not program:
        return
    line.say("started")
    watch = Watch(spec, program)
    cause = watch.run(line)
    if program not in watch.reaped:
        os.kill(program, _KILL)
        watch.reaped[program] = os.wait4(program, 0)[1:]
    account = watch.account(cause)
    if spec["level"] != "strict":
        _sweep(spec, scoped, program)
    line.say(account)
    if cause == "abandoned" and spec["level"] != "strict":
        from labrunner.sandbox import removal

        removal.remove(spec["temporary"])


class _Line:
    """The conversation with the parent."""

    def __init__(self, control: int) -> None:
        self._control = control
        self._unread = b""
        self.poller = select.poll()
        self.poller.register(control, select.POLLIN)

    def say(self, words: str) -> None:
        try:
            os.write(self._control, words.encode() + b"\n")
        except BrokenPipeError:  # the parent is gone, and what is left to do is done without it
            return

    def heard(self, timeout_s: float | None) -> list[str] | None:
        """Wait for what the parent says, or for another event or this time; None once the parent is gone."""
        events = self.poller.poll(None if timeout_s is None else max(0.0, timeout_s) * 1000)
        if self._control not in dict(events):
            return []
        try:
            chunk = os.read(self._control, 65536)
        except ConnectionResetError:
            return None
        *lines, self._unread = (self._unread + chunk).split(b"\n")
        return [line.decode() for line in lines] if chunk else None

    def hand_out_socket(self, family: int) -> None:
        """Give the parent a socket of this network, which it may connect or listen with from outside."""
        made = _socket.socket(family, _socket.SOCK_STREAM)
        control = _socket.socket(fileno=self._control)
        descriptor = made.fileno().to_bytes(4, sys.byteorder)
        control.sendmsg([b"socket\n"], [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, descriptor)])
        control.detach()
        made.close()


def _stand_apart() -> bool:
    """Below `strict`: adopt every orphan; True when this process can now signal its descendants alone."""
    try:
        from labrunner.sandbox import confine

        confine.adopt_orphans()
        os.kill(os.getppid(), 0)
        if confine.scope_signals():
            os.kill(os.getppid(), 0)
    except AttributeError:  # a system without these calls
        return False
    except PermissionError:  # the parent could be reached a moment ago: the scope is real
        return True
    return False


# ── starting ────────────────────────────────────────────────────────────────────────────────────


def _start(spec: Spec, line: _Line) -> int:
    """The program's process id, or 0 when it could not be started, which the parent is told."""
    report, failed = os.pipe()
    program = os.fork()
    if program == 0:
        stage, number = "descriptors", 0
        try:
            failed = _arrange_descriptors(spec["descriptors"], failed)
            stage = "confinement"
            _confine(spec)
            stage = "limits"
            _limit(spec)
            stage = "workdir"
            os.chdir(spec["workdir"])
            stage = "command"
            os.execvpe(spec["command"][0], spec["command"], spec["environ"])  # noqa: S606 - no shell wanted
        except OSError as error:
            number = error.errno or 0
        finally:
            # Nothing comes back from a command that was started.
            os.write(failed, f"unstarted {stage} {number}".encode())
            os._exit(127)
    os.close(failed)
    with open(report, "rb") as words:  # noqa: PTH123 - a descriptor
        trouble = words.read().decode()
    if not trouble:
        return program
    os.waitpid(program, 0)
    line.say(trouble)
    return 0


def _arrange_descriptors(descriptors: list[tuple[int, int]], failed: int) -> int:
    """Give the program its descriptors by its own numbers and close the rest; `failed`'s new number."""
    failed = fcntl.fcntl(failed, fcntl.F_DUPFD_CLOEXEC, _HIGH)
    moved = [(target, fcntl.fcntl(source, fcntl.F_DUPFD, _HIGH)) for target, source in descriptors]
    os.closerange(0, _HIGH)
    for target, source in moved:
        os.dup2(source, target)
        os.close(source)
    os.closerange(_HIGH, failed)
    os.closerange(failed + 1, _TOP)
    return failed


def _confine(spec: Spec) -> None:
    os.setsid()
    os.umask(0o022)
    # Python ignores these two, and what is ignored stays so in the program.
    for number in (_signal.SIGPIPE, _signal.SIGXFSZ):
        _signal.signal(number, _signal.SIG_DFL)
    if spec["account"] is not None:
        os.setgroups([])
        os.setgid(spec["account"])
        os.setuid(spec["account"])
    if spec["level"] == "strict":
        return
    try:
        from labrunner.sandbox import confine

        confine.die_with_parent(_KILL)
        confine.no_new_privileges()
        # A scope of its own within the supervisor's: what is in it cannot end the supervisor.
        confine.scope_signals()
        if spec["level"] == "landlock":
            confine.restrict(spec["rules"], listen=spec["ports"], connect=spec["connect"])
            confine.install_filter(spec["filter"])
    except AttributeError:  # a system without these calls, which has the level `process` alone
        if spec["level"] == "landlock":
            raise OSError(38, "no Landlock") from None


def _limit(spec: Spec) -> None:
    for what, value in spec["rlimits"]:
        hard = resource.getrlimit(what)[1]
        most = value if hard == resource.RLIM_INFINITY else min(value, hard)
        # By the processor's time a first signal says what happened, and a second one ends what ignores it.
        resource.setrlimit(what, (most, most + 1 if what == resource.RLIMIT_CPU and most == value else most))


# ── ending ──────────────────────────────────────────────────────────────────────────────────────


def _sweep(spec: Spec, scoped: bool, program: int) -> None:
    """End every descendant, however it tried to leave, and collect it."""
    deadline = time.monotonic() + _SWEEP_S
    while time.monotonic() < deadline:
        if scoped:
            _kill(-1)
        elif spec["account"] is not None:
            _kill_all_of(spec["account"])
        else:
            _kill(-program)
            for pid in descendants(os.getpid()):
                _kill(int(pid))
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            return
        select.poll().poll(_SWEPT_EVERY_MS)


def _kill(pid: int) -> None:
    # Nobody there any more, or nobody that may be reached: both are the aim.
    try:
        os.kill(pid, _KILL)
    except (ProcessLookupError, PermissionError):
        return


def _kill_all_of(account: int) -> None:
    """End all processes of an account that this box alone has: in one step, so that no fork gets away."""
    killer = os.fork()
    if killer == 0:
        try:
            os.setgroups([])
            os.setgid(account)
            os.setuid(account)
            if os.getresuid() == (account,) * 3:
                _kill(-1)
        finally:
            os._exit(0)
    os.waitpid(killer, 0)

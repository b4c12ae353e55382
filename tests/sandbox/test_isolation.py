"""What a hostile program tries, at every level and as every user: each attempt is a program that says GOT."""

import contextlib
import os
import platform
import select
import socket
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from labrunner import sandbox

# What every attempt starts with: `trying` says GOT when nothing is raised.
PREAMBLE = """
import ctypes, os, signal, socket, struct, sys
launcher, secret, tcp, udp, unix, abstract = sys.argv[1:]
libc = ctypes.CDLL(None, use_errno=True)
ARM = os.uname().machine == "aarch64"
def trying(action, words=""):
    try:
        got = action()
    except OSError as error:
        print("refused", error.errno, words)
    else:
        print("GOT", words, got)
def call(x86, arm, *words):
    longs = [ctypes.c_long(word) if isinstance(word, int) else word for word in words]
    result = libc.syscall(arm if ARM else x86, *longs)
    if result < 0:
        raise OSError(ctypes.get_errno(), "refused")
    return result
def connect(family, kind, address):
    with socket.socket(family, kind) as made:
        made.settimeout(0.3)
        made.connect(address)
        made.send(b"x")
"""
ATTEMPTS = {
    # name: (the levels that stop it, whoever runs labrunner; program)
    "reading a file outside": ("strict landlock", "trying(lambda: open(secret).read())"),
    "listing folders outside": (
        "strict landlock",
        "trying(lambda: [os.listdir(os.path.dirname(secret)), os.listdir('/home')])",
    ),
    "reading the users of the machine": (
        "strict landlock",
        "trying(lambda: 'root:' in open('/etc/passwd').read() or os._exit(0))",
    ),
    "reading the launcher's environment": (
        "strict landlock",
        "trying(lambda: open(f'/proc/{launcher}/environ', 'rb').read())",
    ),
    "reading the first process's environment": (
        "strict landlock",
        "[trying(lambda: open(f'/proc/{pid}/environ', 'rb').read()) for pid in (1, os.getppid())]",
    ),
    "opening the launcher's memory": (
        "strict landlock",
        "trying(lambda: open(f'/proc/{launcher}/mem', 'r+b'))",
    ),
    "opening the first process's memory": (
        "strict landlock",
        "trying(lambda: open(f'/proc/{os.getppid()}/mem', 'r+b'))",
    ),
    "reading the command lines of other processes": (
        "strict landlock",
        "trying(lambda: open(f'/proc/{launcher}/cmdline').read())",
    ),
    "connecting to a server of the machine": (
        "strict landlock",
        "trying(lambda: connect(socket.AF_INET, socket.SOCK_STREAM, ('127.0.0.1', int(tcp))))",
    ),
    "connecting by the first message": (
        "strict landlock",
        "trying(lambda: socket.socket().sendto(b'x', socket.MSG_FASTOPEN, ('127.0.0.1', int(tcp))))",
    ),
    "connecting by another stream protocol": (
        "strict landlock",
        "trying(lambda: socket.socket(socket.AF_INET, socket.SOCK_STREAM, 262)"
        ".connect(('127.0.0.1', int(tcp))))",
    ),
    "connecting to a unix socket": (
        "strict landlock",
        "trying(lambda: connect(socket.AF_UNIX, socket.SOCK_STREAM, unix))",
    ),
    "connecting to a unix socket without a file": (
        "strict landlock",
        "trying(lambda: connect(socket.AF_UNIX, socket.SOCK_STREAM, '\\0' + abstract))",
    ),
    "signalling the launcher": (
        "strict landlock process",
        "trying(lambda: os.kill(int(launcher), 0)) if int(launcher) != os.getpid() else None",
    ),
    "tracing the first process": (
        "strict landlock",
        "trying(lambda: call(101, 117, 16, os.getppid(), 0, 0))",
    ),
    "reading another process's memory by a call": (
        "strict landlock",
        "child = os.fork() or signal.pause()\n"
        "b = ctypes.create_string_buffer(b'secrets')\n"
        "v = (ctypes.c_void_p * 2)(ctypes.addressof(b), 7)\n"
        "c = (ctypes.c_void_p * 2)(id(b''), 7)\n"
        "trying(lambda: call(310, 270, child, v, 1, c, 1, 0))\n"
        "os.kill(child, 9)",
    ),
    "taking a descriptor of the first process": (
        "strict landlock",
        "trying(lambda: call(438, 438, os.pidfd_open(os.getppid()), 0, 0))",
    ),
    "setting the first process's limits": (
        "strict landlock",
        "import resource\ntrying(lambda: resource.prlimit(os.getppid(), resource.RLIMIT_CPU, (1000, 1000)))",
    ),
    "a user namespace by unshare": ("strict landlock", "trying(lambda: call(272, 97, 0x10000000))"),
    "a user namespace by clone": (
        "strict landlock",
        "trying(lambda: call(56, 220, 0x10000000 | 17, 0, 0, 0, 0) or os._exit(0))",
    ),
    "a user namespace by clone3": (
        "strict landlock",
        "a = struct.pack('QQQQQQQQ', 0x10000000, 0, 0, 0, 17, 0, 0, 0)\n"
        "trying(lambda: call(435, 435, a, 64) or os._exit(0))",
    ),
    "key rings": ("strict landlock", "trying(lambda: call(250, 219, 0, -3, 1))"),
    "io_uring": ("strict landlock", "trying(lambda: call(425, 425, 4, bytes(120)))"),
    "memory without a limit": ("strict landlock", "trying(lambda: os.memfd_create('x'))"),
    "shared memory without a limit": ("strict landlock", "trying(lambda: call(29, 194, 0, 4096, 0o1600))"),
    "netlink": ("strict landlock", "trying(lambda: socket.socket(16, socket.SOCK_RAW, 0))"),
    "virtual machine sockets": ("strict landlock", "trying(lambda: socket.socket(40, socket.SOCK_STREAM))"),
    "the kernel's ciphers": ("strict landlock", "trying(lambda: socket.socket(38, socket.SOCK_SEQPACKET))"),
    "bpf": ("strict landlock process", "trying(lambda: call(321, 280, 0, bytes(64), 64))"),
    "perf": ("strict landlock process", "trying(lambda: call(298, 241, bytes(128), 0, -1, -1, 0))"),
    "raw packets": ("strict landlock process", "trying(lambda: socket.socket(17, socket.SOCK_RAW))"),
    "mounting": (
        "strict landlock process",
        "trying(lambda: call(165, 40, b'x', b'/tmp', b'tmpfs', 0, 0))",
    ),
    "another root": ("strict landlock process", "trying(lambda: os.chroot('/tmp'))"),
    "the machine's name": ("strict landlock process", "trying(lambda: call(170, 161, b'x', 1))"),
    "an address layout that is not random": ("strict landlock", "trying(lambda: call(135, 92, 0x0040000))"),
    "writing outside": (
        "strict landlock process",
        "for path in ('/', '/usr', '/etc', '/dev', '/lib', os.path.dirname(sys.executable)):\n"
        "    trying(lambda: open(path + '/intruder', 'w'), path)",
    ),
    "changing the kernel's settings": (
        "strict landlock process",
        "trying(lambda: open('/proc/sys/kernel/hostname', 'w').write('x'))",
    ),
    "rights": (
        "strict landlock process",
        "s = dict(l.split(':\\t', 1) for l in open('/proc/self/status').read().splitlines() if ':\\t' in l)\n"
        "print('GOT' if int(s['CapEff'], 16) or s['NoNewPrivs'] != '1' else 'none')",
    ),
}
# Of what the level `process` does not stop, what any user can show.
SHOWN_OPEN = (
    "reading a file outside",
    "listing folders outside",
    "reading the users of the machine",
    "connecting to a server of the machine",
    "connecting to a unix socket",
    "connecting to a unix socket without a file",
    "memory without a limit",
    "netlink",
)
MACHINE_CODE = """
import ctypes, mmap
page = mmap.mmap(-1, 4096, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, 7)
page.write(bytes.fromhex("{code}"))
ctypes.CFUNCTYPE(ctypes.c_long)(ctypes.addressof(ctypes.c_char.from_buffer(page)))()
print("GOT")
"""
# getpid by the 32-bit gate; by the numbers of x32; what a filter of one architecture would not look at.
FOREIGN_CALLS = {
    "32 bits": "b814000000cd80c3",
    "x32": "b8270000400f05c3",
}
SURVIVOR = """
import os, signal, sys
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        for number in range(1, 32):
            if number not in (signal.SIGKILL, signal.SIGSTOP, signal.SIGCHLD):
                signal.signal(number, signal.SIG_IGN)
        for descriptor in range(3):
            os.close(descriptor)
        os.write(3, b"x")
        while True:
            signal.pause()
    os._exit(0)
os.wait()
os.read(4, 1)
"""


@contextlib.contextmanager
def bait() -> Iterator[tuple[str, ...]]:
    """What an attempt is told: launcher, file, ports and sockets that it must not reach."""
    with (
        tempfile.TemporaryDirectory(prefix="labrunner-tests-") as name,
        socket.create_server(("127.0.0.1", 0)) as tcp,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp,
        socket.socket(socket.AF_UNIX) as unix,
        socket.socket(socket.AF_UNIX) as abstract,
    ):
        folder = Path(name)
        folder.chmod(0o755)
        (folder / "secret").write_text("the answer", encoding="utf-8")
        udp.bind(("127.0.0.1", 0))
        unix.bind(str(folder / "socket"))
        (folder / "socket").chmod(0o777)
        abstract.bind(f"\0{name}")
        for server in (unix, abstract):
            server.listen()
        ports = (str(server.getsockname()[1]) for server in (tcp, udp))
        yield (str(os.getpid()), str(folder / "secret"), *ports, str(folder / "socket"), name)


@pytest.fixture
def attempted(
    as_user: Callable[[Callable[[], Any]], Any], run_box: Callable[..., Any]
) -> Callable[[sandbox.Level, str], Any]:
    """Runs an attempt in a box of this level, as each kind of user."""

    def attempt(level: sandbox.Level, code: str) -> Any:
        def run() -> Any:
            with bait() as words:
                return run_box(level, PREAMBLE + code, *words)

        return as_user(run)

    return attempt


@pytest.mark.parametrize("name", ATTEMPTS)
def test_what_a_level_claims_to_stop_is_stopped(
    name: str, level: sandbox.Level, attempted: Callable[[sandbox.Level, str], Any]
) -> None:
    stoppers, code = ATTEMPTS[name]
    ran = attempted(level, code)
    assert (ran.ending.status, ran.stderr) == (0, "")
    if level in stoppers.split():
        assert "GOT" not in ran.stdout


@pytest.mark.parametrize("name", SHOWN_OPEN)
def test_what_the_lowest_level_leaves_open_is_open(
    name: str, attempted: Callable[[sandbox.Level, str], Any]
) -> None:
    assert "GOT" in attempted("process", ATTEMPTS[name][1]).stdout


def test_a_datagram_arrives_from_the_lowest_level_alone(
    level: sandbox.Level, as_user: Callable[[Callable[[], Any]], Any], run_box: Callable[..., Any]
) -> None:
    def arrives() -> bool:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
            server.bind(("127.0.0.1", 0))
            port = server.getsockname()[1]
            code = "trying(lambda: socket.socket(2, 2).sendto(b'x', ('127.0.0.1', int(tcp))))"
            run_box(level, PREAMBLE + code, "0", "", str(port), "0", "", "")
            return bool(select.select([server], [], [], 0.1)[0])

    assert as_user(arrives) is (level == "process")


@pytest.mark.parametrize("kind", FOREIGN_CALLS)
@pytest.mark.parametrize("confined", ["strict", "landlock"])
def test_calls_of_another_architecture_end_the_program(
    kind: str, confined: sandbox.Level, boxed: Callable[..., Any]
) -> None:
    # Elsewhere than on x86_64 these bytes are no instructions, and end the program all the same.
    ran = boxed(confined, MACHINE_CODE.format(code=FOREIGN_CALLS[kind]))
    assert "GOT" not in ran.stdout
    assert ran.ending.signal in ({31} if platform.machine() == "x86_64" else {4, 11})


def test_a_strict_box_shows_its_own_processes_alone(boxed: Callable[..., Any]) -> None:
    ran = boxed("strict", "import os; print(sorted(n for n in os.listdir('/proc') if n.isdigit()))")
    assert ran.stdout == "['1', '2']\n"
    assert boxed("strict", "import os; print(os.listdir('/proc/1'), os.getuid())").stdout == "[] 1000\n"


def test_a_program_has_the_given_environment_and_descriptors_alone(
    level: sandbox.Level, boxed: Callable[..., Any]
) -> None:
    code = "import os; print(open('/proc/self/environ').read()); print(sorted(os.listdir('/proc/self/fd')))"
    ran = boxed(level, code, environ={"GREETING": "hello", "LANG": "en_GB.UTF-8"})
    environ, descriptors = ran.stdout.splitlines()
    found = dict(line.split("=", 1) for line in environ.strip("\0").split("\0"))
    assert set(found) == {"GREETING", "HOME", "LANG", "TMPDIR"}
    assert (found["GREETING"], found["LANG"]) == ("hello", "en_GB.UTF-8")
    assert descriptors == "['0', '1', '2', '3']"  # 3 is the listing itself


def test_a_strict_box_shows_nothing_but_what_it_needs(boxed: Callable[..., Any]) -> None:
    code = "import os; print(sorted(os.listdir('/'))); print(sorted(os.listdir('/etc'))); import pip"
    ran = boxed("strict", code)
    top, etc = ran.stdout.splitlines()
    assert not {"home", "var", "sys", "run", "boot", "mnt", "opt", "work"} & set(eval(top))
    assert eval(etc) == ["group", "hosts", "ld.so.cache", "passwd"]
    assert "No module named 'pip'" in ran.stderr


def test_signals_of_the_program_do_not_leave_the_box(
    level: sandbox.Level, as_user: Callable[[Callable[[], Any]], Any], run_box: Callable[..., Any]
) -> None:
    code = """
import os, signal
for number in (signal.SIGTERM, signal.SIGSTOP, signal.SIGKILL):
    for pid in (os.getppid(), 1, -1):
        # Only where nothing else of this user can be meant.
        if pid != -1 or os.getppid() == 1:
            try:
                os.kill(pid, number)
            except OSError:
                pass
print("done")
"""

    def run() -> Any:
        return run_box(level, code)

    ran = as_user(run)
    assert (ran.stdout, ran.ending.status) == ("done\n", 0)


def test_nothing_survives_the_program(
    level: sandbox.Level, as_user: Callable[[Callable[[], Any]], Any], build_box: Callable[..., sandbox.Box]
) -> None:
    def survives() -> tuple[bytes, bool]:
        alive, held = os.pipe()
        waited, told = os.pipe()
        box = build_box(SURVIVOR, descriptors={3: held, 4: waited})
        with sandbox.run(box, level, os.environ) as program:
            os.close(held)
            first = os.read(alive, 1)
            os.write(told, b"x")
            assert program.wait(10) is not None
            return first, select.select([alive], [], [], 2)[0] == [] or os.read(alive, 1) != b""

    assert as_user(survives) == (b"x", False)


@pytest.mark.parametrize("how", ["kill", "stop", "leave"])
def test_nothing_survives_however_the_box_is_ended(
    how: str,
    level: sandbox.Level,
    as_user: Callable[[Callable[[], Any]], Any],
    build_box: Callable[..., sandbox.Box],
) -> None:
    def survives() -> bool:
        alive, held = os.pipe()
        waited, _told = os.pipe()
        box = build_box(SURVIVOR, descriptors={3: held, 4: waited})
        with sandbox.run(box, level, os.environ) as program:
            os.close(held)
            assert os.read(alive, 1) == b"x"
            if how == "kill":
                assert program.kill().signal == 9
            elif how == "stop":
                assert program.stop(5).signal == 15
        return select.select([alive], [], [], 2)[0] == [] or os.read(alive, 1) != b""

    assert as_user(survives) is False


def test_the_box_ends_with_the_process_that_made_it(
    level: sandbox.Level, as_user: Callable[[Callable[[], Any]], Any], build_box: Callable[..., sandbox.Box]
) -> None:
    def survives() -> tuple[bool, list[str]]:
        alive, held = os.pipe()
        waited, told = os.pipe()
        with tempfile.TemporaryDirectory(prefix="labrunner-tests-") as place:
            Path(place).chmod(0o755)
            maker = os.fork()
            if maker == 0:
                os.close(alive)
                box = build_box(SURVIVOR, descriptors={3: held, 4: waited})
                with sandbox.run(box, level, {**os.environ, "TMPDIR": place}) as program:
                    program.wait(60)
                os._exit(0)
            os.close(held)
            assert os.read(alive, 1) == b"x"
            os.kill(maker, 9)
            os.waitpid(maker, 0)
            ended = select.select([alive], [], [], 5)[0] != [] and os.read(alive, 1) == b""
            os.close(told)
            from labrunner.waiting import poll

            poll(lambda: not os.listdir(place), timeout_s=5)
            return not ended, os.listdir(place)

    assert as_user(survives) == (False, [])

"""The filter's decisions for each architecture, by running it on a small machine of our own."""

import errno
import struct

import pytest

from labrunner.sandbox import seccomp
from labrunner.sandbox.seccomp import ABSENT, MACHINES, REFUSED, assembled

ALLOW, KILL = "allow", "kill"
ARCHITECTURES = sorted(MACHINES)


def decide(
    architecture: str, private: bool, call: int, *arguments: int, audit: int | None = None
) -> str | int:
    """What the filter answers to a call: allow, kill, or an errno."""
    machine = MACHINES[architecture]
    data = struct.pack(
        "=IIQ6Q",
        call,
        audit if audit is not None else machine.audit,
        0,
        *arguments,
        *[0] * (6 - len(arguments)),
    )
    steps = list(struct.iter_unpack("=HBBI", assembled(machine, private_network=private)))
    accumulator = at = 0
    while True:
        code, then, otherwise, value = steps[at]
        at += 1
        if code == 0x20:
            accumulator = int(struct.unpack_from("=I", data, value)[0])
        elif code == 0x54:
            accumulator &= value
        elif code == 0x06:
            action = value & 0xFFFF0000
            return {0x7FFF0000: ALLOW, 0x80000000: KILL}.get(action, value & 0xFFFF)
        else:
            hit = {0x15: accumulator == value, 0x35: accumulator >= value, 0x45: accumulator & value}[code]
            at += then if hit else otherwise


@pytest.fixture(params=ARCHITECTURES)
def architecture(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=[True, False], ids=["private network", "shared network"])
def private(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


def test_calls_that_lead_out_are_refused(architecture: str, private: bool) -> None:
    column = MACHINES[architecture].column
    for name, numbers in REFUSED.items():
        if numbers[column] >= 0:
            assert decide(architecture, private, numbers[column]) == errno.EPERM, name
    for name, numbers in ABSENT.items():
        assert decide(architecture, private, numbers[column]) == errno.ENOSYS, name


def test_other_calls_are_allowed(architecture: str, private: bool) -> None:
    column = MACHINES[architecture].column
    named = {numbers[column] for numbers in (*REFUSED.values(), *ABSENT.values())}
    looked_at = {seccomp.SOCKET[column], seccomp.PERSONALITY[column]}
    for number in set(range(451)) - named - looked_at:
        assert decide(architecture, private, number) == ALLOW, number


def test_calls_of_later_kernels_look_absent(architecture: str, private: bool) -> None:
    assert decide(architecture, private, 451) == errno.ENOSYS
    assert decide(architecture, private, 100_000) == errno.ENOSYS


def test_other_architectures_end_the_program(architecture: str, private: bool) -> None:
    assert decide(architecture, private, 39, audit=0x40000003) == KILL
    assert decide(architecture, private, 0x40000000 | 39) == KILL


def test_new_namespaces_are_refused_and_processes_are_not(architecture: str, private: bool) -> None:
    clone = seccomp.CLONE[MACHINES[architecture].column]
    for bit in (17, *range(25, 31)):
        assert decide(architecture, private, clone, (1 << bit) | 17) == errno.EPERM
    assert decide(architecture, private, clone, 0x01200011) == ALLOW  # fork
    assert decide(architecture, private, clone, 0x003D0F00) == ALLOW  # a thread


def test_typing_into_a_terminal_is_refused(architecture: str, private: bool) -> None:
    ioctl = seccomp.IOCTL[MACHINES[architecture].column]
    for request in (0x5412, 0x541C, 0xFFFFFFFF_00005412):
        assert decide(architecture, private, ioctl, 0, request) == errno.EPERM
    assert decide(architecture, private, ioctl, 0, 0x5413) == ALLOW


def test_the_limits_of_other_processes_are_not_to_be_set(architecture: str, private: bool) -> None:
    prlimit = seccomp.PRLIMIT[MACHINES[architecture].column]
    assert decide(architecture, private, prlimit, 0, 7) == ALLOW
    assert decide(architecture, private, prlimit, 1, 7) == errno.EPERM


def test_personality_may_be_asked_for_alone(architecture: str, private: bool) -> None:
    personality = seccomp.PERSONALITY[MACHINES[architecture].column]
    assert decide(architecture, private, personality, 0xFFFFFFFF) == ALLOW
    assert decide(architecture, private, personality, 0) == ALLOW
    assert decide(architecture, private, personality, 0x0040000) == errno.EPERM


@pytest.mark.parametrize(
    ("family", "kind", "protocol", "alone", "shared"),
    [
        (2, 1, 0, ALLOW, ALLOW),
        (2, 1 | 0o2000000, 6, ALLOW, ALLOW),
        (10, 1, 0, ALLOW, ALLOW),
        (2, 2, 0, ALLOW, errno.EPERM),
        (2, 1, 262, ALLOW, errno.EPERM),
        (1, 1, 0, ALLOW, errno.EAFNOSUPPORT),
        (16, 3, 0, errno.EAFNOSUPPORT, errno.EAFNOSUPPORT),
        (40, 1, 0, errno.EAFNOSUPPORT, errno.EAFNOSUPPORT),
    ],
)
def test_sockets_are_those_that_the_network_holds(
    architecture: str, family: int, kind: int, protocol: int, alone: str | int, shared: str | int
) -> None:
    call = seccomp.SOCKET[MACHINES[architecture].column]
    assert decide(architecture, True, call, family, kind, protocol) == alone
    assert decide(architecture, False, call, family, kind, protocol) == shared


def test_connecting_by_a_first_message_is_refused_where_landlock_would_not_see_it(architecture: str) -> None:
    column = MACHINES[architecture].column
    for call, place in ((seccomp.SENDTO, 3), (seccomp.SENDMSG, 2), (seccomp.SENDMMSG, 3)):
        flags = [0] * place + [0x20000000]
        assert decide(architecture, False, call[column], *flags) == errno.EOPNOTSUPP
        assert decide(architecture, False, call[column], 0, 0, 0, 0) == ALLOW
        assert decide(architecture, True, call[column], *flags) == ALLOW


def test_this_machine_is_one_of_them_or_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.machine", lambda: "aarch64")
    assert seccomp.machine() == MACHINES["aarch64"]
    monkeypatch.setattr("platform.machine", lambda: "riscv64")
    assert seccomp.machine() is None

"""A seccomp filter, assembled here: what no program of a learner needs and what leads out of a box."""

import errno
import platform
import struct
from collections.abc import Iterable
from dataclasses import dataclass

# struct sock_filter and the few operations of classic BPF that a filter needs (linux/filter.h).
_LOAD, _EQUAL, _GREATER_EQUAL, _ANY_BIT, _RETURN, _AND = 0x20, 0x15, 0x35, 0x45, 0x06, 0x54
_ALLOW, _KILL, _ERRNO = 0x7FFF0000, 0x80000000, 0x00050000
# Offsets in struct seccomp_data; each argument is 64 bits, low half first on both machines below.
_NUMBER, _ARCHITECTURE, _ARGUMENTS = 0, 4, 16
_X32 = 0x40000000
# Calls added to Linux after 6.4 look unknown: C libraries fall back to older ones.
_NEWEST = 450

_NEW_NAMESPACES = 0x7E020000  # CLONE_NEWNS, CGROUP, UTS, IPC, USER, PID, NET
_MSG_FASTOPEN = 0x20000000
_TIOCSTI, _TIOCLINUX = 0x5412, 0x541C
_AF_UNIX, _AF_INET, _AF_INET6 = 1, 2, 10
_SOCK_STREAM, _SOCK_TYPE = 1, 0xF
_TCP = 6
_PERSONALITY_QUERY = 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class Machine:
    """A processor architecture as seccomp names it, and its column in the tables of numbers."""

    audit: int
    column: int


MACHINES = {"x86_64": Machine(0xC000003E, 0), "aarch64": Machine(0xC00000B7, 1)}

# (x86_64, aarch64); -1 where the architecture has no such call.
REFUSED: dict[str, tuple[int, int]] = {
    # other processes' memory and descriptors
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "kcmp": (312, 272),
    "pidfd_getfd": (438, 438),
    "process_madvise": (440, 440),
    "process_mrelease": (448, 448),
    # parts of the kernel with a record of holes
    "keyctl": (250, 219),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "modify_ldt": (154, -1),
    # mounts and namespaces
    "mount": (165, 40),
    "umount2": (166, 39),
    "pivot_root": (155, 41),
    "chroot": (161, 51),
    "move_mount": (429, 429),
    "open_tree": (428, 428),
    "fsopen": (430, 430),
    "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "fspick": (433, 433),
    "mount_setattr": (442, 442),
    "unshare": (272, 97),
    "setns": (308, 268),
    "name_to_handle_at": (303, 264),
    "open_by_handle_at": (304, 265),
    "fanotify_init": (300, 262),
    # the machine as a whole
    "init_module": (175, 105),
    "finit_module": (313, 273),
    "delete_module": (176, 106),
    "kexec_load": (246, 104),
    "kexec_file_load": (320, 294),
    "reboot": (169, 142),
    "swapon": (167, 224),
    "swapoff": (168, 225),
    "sethostname": (170, 161),
    "setdomainname": (171, 162),
    "iopl": (172, -1),
    "ioperm": (173, -1),
    "acct": (163, 89),
    "quotactl": (179, 60),
    "quotactl_fd": (443, 443),
    "settimeofday": (164, 170),
    "clock_settime": (227, 112),
    "clock_adjtime": (305, 266),
    "adjtimex": (159, 171),
    "syslog": (103, 116),
    "vhangup": (153, 58),
    "uselib": (134, -1),
    "ustat": (136, -1),
    "sysfs": (139, -1),
    "lookup_dcookie": (212, 18),
    "move_pages": (279, 239),
    "migrate_pages": (256, 238),
}
# These look absent, so that programs use what came before them: clone3 hides its flags from a filter,
# io_uring does what this filter refuses, and the others are memory that no limit of a process counts.
ABSENT: dict[str, tuple[int, int]] = {
    "clone3": (435, 435),
    "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    "io_setup": (206, 0),
    "memfd_create": (319, 279),
    "memfd_secret": (447, 447),
    "shmget": (29, 194),
    "msgget": (68, 186),
    "semget": (64, 190),
}
CLONE, IOCTL, PERSONALITY, PRLIMIT, SOCKET = (56, 220), (16, 29), (135, 92), (302, 261), (41, 198)
SENDTO, SENDMSG, SENDMMSG = (44, 206), (46, 211), (307, 269)


@dataclass(frozen=True, slots=True)
class _Step:
    """One instruction; jumps count the instructions to pass over."""

    code: int
    value: int
    then: int = 0
    otherwise: int = 0

    def packed(self) -> bytes:
        return struct.pack("=HBBI", self.code, self.then, self.otherwise, self.value)


def machine() -> Machine | None:
    """This machine's architecture, or None when there is no table for it."""
    return MACHINES.get(platform.machine())


def assembled(machine: Machine, *, private_network: bool) -> bytes:
    """The filter as an array of struct sock_filter.

    Without a private network only TCP sockets can be made: neither unix sockets, which lead to the machine's
    own servers, nor datagrams, which Landlock does not hold.
    """
    column = machine.column
    steps = [
        _Step(_LOAD, _ARCHITECTURE),
        _Step(_EQUAL, machine.audit, then=1),
        _Step(_RETURN, _KILL),
        _Step(_LOAD, _NUMBER),
        _Step(_GREATER_EQUAL, _X32, otherwise=1),
        _Step(_RETURN, _KILL),
        _Step(_GREATER_EQUAL, _NEWEST + 1, otherwise=1),
        _Step(_RETURN, _ERRNO | errno.ENOSYS),
    ]
    for call in REFUSED.values():
        steps += _when(call[column], [_refuse(errno.EPERM)])
    for call in ABSENT.values():
        steps += _when(call[column], [_refuse(errno.ENOSYS)])
    steps += _when(
        CLONE[column], [_argument(0), _Step(_ANY_BIT, _NEW_NAMESPACES, otherwise=1), _refuse(errno.EPERM)]
    )
    steps += _when(IOCTL[column], [_argument(1), *_refuse_each((_TIOCSTI, _TIOCLINUX), errno.EPERM)])
    steps += _when(PERSONALITY[column], [_argument(0), *_refuse_other((0, _PERSONALITY_QUERY), errno.EPERM)])
    # The limits of other processes, the box's first one among them, are not the program's to set.
    steps += _when(PRLIMIT[column], [_argument(0), *_refuse_other((0,), errno.EPERM)])
    if private_network:
        families = (_AF_UNIX, _AF_INET, _AF_INET6)
        steps += _when(SOCKET[column], [_argument(0), *_refuse_other(families, errno.EAFNOSUPPORT)])
    else:
        steps += _only_tcp(column)
    steps.append(_Step(_RETURN, _ALLOW))
    return b"".join(step.packed() for step in steps)


def _only_tcp(column: int) -> list[_Step]:
    steps = _when(
        SOCKET[column],
        [
            _argument(0),
            *_refuse_other((_AF_INET, _AF_INET6), errno.EAFNOSUPPORT),
            _argument(1),
            _Step(_AND, _SOCK_TYPE),
            *_refuse_other((_SOCK_STREAM,), errno.EPERM),
            # Landlock holds TCP alone; other streams (MPTCP, SCTP) would pass it by.
            _argument(2),
            *_refuse_other((0, _TCP), errno.EPERM),
        ],
    )
    # A connection that is opened by its first message does not pass Landlock's hook for connections.
    for call, flags in ((SENDTO, 3), (SENDMSG, 2), (SENDMMSG, 3)):
        body = [_argument(flags), _Step(_ANY_BIT, _MSG_FASTOPEN, otherwise=1), _refuse(errno.EOPNOTSUPP)]
        steps += _when(call[column], body)
    return steps


def _when(number: int, body: list[_Step]) -> list[_Step]:
    """Do `body` for this call, and allow it if the body refuses nothing; go on for every other call."""
    if number < 0:
        return []
    body = body if body[-1].code == _RETURN and len(body) == 1 else [*body, _Step(_RETURN, _ALLOW)]
    return [_Step(_EQUAL, number, otherwise=len(body)), *body]


def _argument(index: int) -> _Step:
    """Load the low half of an argument: all that is looked at here is an int to the kernel too."""
    return _Step(_LOAD, _ARGUMENTS + 8 * index)


def _refuse(number: int) -> _Step:
    return _Step(_RETURN, _ERRNO | number)


def _refuse_each(values: Iterable[int], number: int) -> list[_Step]:
    return [step for value in values for step in (_Step(_EQUAL, value, otherwise=1), _refuse(number))]


def _refuse_other(values: tuple[int, ...], number: int) -> list[_Step]:
    """Go on for these values, refuse the rest."""
    tests = [_Step(_EQUAL, value, then=len(values) - place) for place, value in enumerate(values)]
    return [*tests, _refuse(number)]

"""Programs that want too much: each limit holds, is named, and leaves the machine as it was."""

import os
import select
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from labrunner import sandbox
from labrunner.sandbox.box import MB

# Forks in a counted loop that ends a few forks after the limit; the children wait for it to end.
COUNTED_FORKS = """
import os, sys
bound = int(sys.argv[1])
waiting, held = os.pipe()
made = 0
try:
    while made < bound:
        if os.fork() == 0:
            os.close(held)
            os.read(waiting, 1)
            os._exit(0)
        made += 1
except OSError as error:
    print("refused", error.errno)
if len(sys.argv) > 2:
    import time
    time.sleep(20)
print(made, flush=True)
"""
FORK_BOMB = """
import os
while True:
    try:
        os.fork()
    except OSError:
        pass
"""
HOG = "x = []\nwhile True: x.append(bytearray(4_000_000))"
HOGS = """
import os
for _ in range(4):
    if os.fork() == 0:
        break
x = []
while True:
    x.append(bytearray(1_000_000))
"""
SHARED_HOG = """
import mmap
x = []
while True:
    x.append(mmap.mmap(-1, 4_000_000))
    x[-1].write(bytes(4_000_000))
"""
FILLER = """
import os, sys
folder = sys.argv[1] or os.environ["TMPDIR"]
for number in range(100):
    with open(f"{folder}/{number}", "wb", buffering=0) as file:
        for _ in range(10):
            file.write(bytes(100_000))
"""
MANY_FILES = """
import os
for number in range(200_000):
    open(f"{os.environ['TMPDIR']}/{number}", "x").close()
"""


def test_a_fork_bomb_ends_within_its_limit(
    level: sandbox.Level, boxed: Callable[..., Any], as_user: Callable[[Callable[[], Any]], Any]
) -> None:
    root = as_user(os.getuid) == 0
    # First the proof that the limit holds, by a loop that would end of itself.
    if level == "strict" or root:
        counted = boxed(level, COUNTED_FORKS, "40", limits={"processes": 10})
        assert counted.stdout == "refused 11\n9\n"
    else:
        counted = boxed(level, COUNTED_FORKS, "40", "wait", limits={"processes": 10})
        assert (counted.stdout, counted.ending.limit) == ("", "processes")
        assert counted.ending.words == "your program had more than 10 processes and threads at once"
    before = len(psutil.pids())
    bomb = boxed(level, FORK_BOMB, limits={"processes": 10, "time_s": 0.5})
    assert bomb.ending.limit in {"time", "processes"}
    assert len(psutil.pids()) < before + 10


def test_threads_count_as_processes(boxed: Callable[..., Any]) -> None:
    code = """
import threading
stop = threading.Event()
threads = []
try:
    for number in range(40):
        threads.append(threading.Thread(target=stop.wait, daemon=True))
        threads[-1].start()
except RuntimeError:
    print(number)
    stop.wait(0.1)
    raise SystemExit(1)
"""
    ran = boxed("strict", code, limits={"processes": 10})
    assert ran.stdout == "9\n"
    assert ran.ending.words == "your program had more than 10 processes and threads at once"


@pytest.mark.parametrize(
    "hog", [HOG, HOGS, SHARED_HOG], ids=["one process", "five processes", "shared pages"]
)
def test_memory_is_bounded_for_the_whole_box(
    hog: str, level: sandbox.Level, boxed: Callable[..., Any]
) -> None:
    ran = boxed(level, hog, limits={"memory_bytes": 64 * MB})
    assert ran.ending.limit == "memory"
    assert ran.ending.words == "your program used more than 64 MB of memory"


def test_memory_that_children_share_is_counted_once(level: sandbox.Level, boxed: Callable[..., Any]) -> None:
    code = """
import os, time
x = bytearray(30_000_000)
for _ in range(5):
    if os.fork() == 0:
        time.sleep(0.3)
        os._exit(0)
for _ in range(5):
    os.wait()
print(len(x))
"""
    ran = boxed(level, code, limits={"memory_bytes": 64 * MB})
    assert (ran.stdout, ran.ending.limit) == ("30000000\n", None)


def test_time_is_bounded_even_for_what_ignores_everything(
    level: sandbox.Level, boxed: Callable[..., Any]
) -> None:
    code = """
import signal
for number in range(1, 64):
    try:
        signal.signal(number, signal.SIG_IGN)
    except (OSError, ValueError):
        pass
while True:
    signal.pause()
"""
    ran = boxed(level, code, limits={"time_s": 0.3})
    assert ran.ending == sandbox.Ending(None, 9, "time", "your program did not end within 0.3 s")


def test_the_processors_time_is_bounded_apart(level: sandbox.Level, boxed: Callable[..., Any]) -> None:
    ran = boxed(level, "while True: pass", limits={"cpu_s": 1.0})
    assert ran.ending.limit == "time"
    assert ran.ending.words == "your program used more than 1 s of the processor's time"
    ignoring = "import signal; signal.signal(signal.SIGXCPU, signal.SIG_IGN)\nwhile True: pass"
    ran = boxed(level, ignoring, limits={"cpu_s": 1.0})
    assert (ran.ending.signal, ran.ending.limit) == (9, "time")


@pytest.mark.parametrize("folder", ["", "/dev/shm"])
def test_a_strict_box_has_so_much_disk_and_no_more(folder: str, boxed: Callable[..., Any]) -> None:
    ran = boxed("strict", FILLER, folder)
    assert "No space left on device" in ran.stderr
    assert (ran.ending.status, ran.ending.limit) == (1, "disk")
    assert ran.ending.words == "your program filled its 4 MB of disk"


def test_disk_is_watched_where_it_is_not_a_box_of_its_own(boxed: Callable[..., Any]) -> None:
    for level in ("landlock", "process"):
        # It goes on for longer than a look takes.
        ran = boxed(level, FILLER + "\nimport time; time.sleep(10)", "")
        assert (ran.ending.signal, ran.ending.limit) == (9, "disk")


def test_the_number_of_files_is_bounded(level: sandbox.Level, boxed: Callable[..., Any]) -> None:
    ran = boxed(level, MANY_FILES)
    assert ran.ending.limit == "disk"


def test_one_file_is_bounded(level: sandbox.Level, boxed: Callable[..., Any]) -> None:
    ran = boxed(level, FILLER, "", limits={"file_bytes": 300_000})
    assert "File too large" in ran.stderr
    assert (ran.ending.status, ran.ending.limit) == (1, "file")
    assert ran.ending.words == "your program wrote a file of more than 300000 bytes"
    killed = "import signal; signal.signal(signal.SIGXFSZ, signal.SIG_DFL)\n" + FILLER
    ran = boxed(level, killed, "", limits={"file_bytes": 300_000})
    assert (ran.ending.signal, ran.ending.limit) == (25, "file")


def test_output_is_bounded_without_a_newline_and_without_an_end(
    level: sandbox.Level, boxed: Callable[..., Any]
) -> None:
    ran = boxed(level, "import os\nwhile True: os.write(1, b'x' * 60_000)")
    assert (ran.ending.signal, ran.ending.limit) == (9, "output")
    assert ran.ending.words == "your program printed more than 1 MB"
    assert set(ran.stdout) == {"x"}
    assert len(ran.stdout) <= MB


def test_open_files_are_bounded(level: sandbox.Level, boxed: Callable[..., Any]) -> None:
    code = """
import os, time
try:
    while True:
        os.dup(1)
except OSError as error:
    time.sleep(0.1)
    raise
"""
    ran = boxed(level, code, limits={"descriptors": 40})
    assert "Too many open files" in ran.stderr
    assert (ran.ending.status, ran.ending.limit) == (1, "descriptors")
    assert ran.ending.words == "your program had more than 40 files and connections open at once"


def test_a_shared_folder_is_bounded(
    level: sandbox.Level, run_box: Callable[..., Any], open_folder: Path
) -> None:
    folder = sandbox.Folder(open_folder, "/work", bytes=MB, entries=100)
    code = FILLER + "\nimport time; time.sleep(10)"
    ran = run_box(level, code, folder.at(level), folder=folder)
    assert ran.ending.limit == "disk"


def test_hogs_leave_nothing_for_the_next_one(level: sandbox.Level, boxed: Callable[..., Any]) -> None:
    boxed(level, HOG, limits={"memory_bytes": 64 * MB})
    ran = boxed(level, "print('fine')")
    assert (ran.stdout, ran.ending.status) == ("fine\n", 0)


def test_boxes_in_sequence_leave_no_process(
    level: sandbox.Level, as_user: Callable[[Callable[[], Any]], Any], build_box: Callable[..., sandbox.Box]
) -> None:
    code = "import os, time\nos.fork() or os.setsid() or os.fork()\nos.write(3, b'x')\ntime.sleep(60)"

    def run() -> tuple[int, set[int]]:
        alive, held = os.pipe()
        pids = set()
        for _ in range(20):
            with sandbox.run(build_box(code, descriptors={3: held}), level, os.environ) as program:
                assert os.read(alive, 1) == b"x"
                tree = psutil.Process(program.pid).children(recursive=True)
                pids |= {program.pid, *(process.pid for process in tree)}
        os.close(held)
        # Whoever had the descriptor is gone when nobody can write any more.
        while select.select([alive], [], [], 5)[0] and os.read(alive, 100):
            pass
        return len(pids), {pid for pid in pids if psutil.pid_exists(pid)}

    count, left = as_user(run)
    assert count >= 40
    assert left == set()


def test_the_limits_of_two_boxes_are_apart(
    as_user: Callable[[Callable[[], Any]], Any], build_box: Callable[..., sandbox.Box]
) -> None:
    def run() -> list[bytes]:
        with (
            sandbox.run(build_box(COUNTED_FORKS, "8"), "strict", os.environ) as first,
            sandbox.run(build_box(COUNTED_FORKS, "8"), "strict", os.environ) as second,
        ):
            return [program.stdout.read(100) for program in (first, second)]

    assert as_user(run) == [b"8\n", b"8\n"]

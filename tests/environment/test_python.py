import fcntl
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from labrunner.environment import Source
from labrunner.environment.links import _own_packages
from labrunner.errors import AuthoringError, MachineError, UsageError
from labrunner.waiting import poll

PROJECT = '[project]\nname = "lab"\nversion = "1"\ndependencies = [{}]\n'
AGAIN = "mend the dependencies, make the lock again, and see that each has a wheel for this machine"


def run(environment: Any, code: str) -> str:
    done = subprocess.run(
        [*environment.command, "-I", "-B", "-c", code], check=True, capture_output=True, text=True, env={}
    )
    return done.stdout.strip()


def lab(folder: Path) -> Source:
    return Source(folder, "lab", "labs/x/starter")


def test_a_labs_packages_are_installed_once_and_found_in_a_moment(ensured: Any, locked: Path) -> None:
    environment = ensured(lab(locked))
    assert ensured.said in ([], ["installing 2 packages, once for this lab"])
    assert run(environment, "import iniconfig, six; print(six.__file__)").startswith(str(environment.folder))
    assert environment.kind == "python"
    assert environment.folder.is_relative_to(ensured.cache)
    assert environment.reads[0] == environment.folder
    assert Path(environment.command[0]).resolve().is_relative_to(environment.reads[1])
    # A known set needs nothing: no uv, no index, no settings.
    ensured.environ = {}
    assert ensured(lab(locked)) == environment
    assert ensured.said == []


def test_one_set_is_one_environment_however_it_is_locked(
    ensured: Any, locked: Path, source: Callable[..., Source], uv: str, environ: dict[str, str]
) -> None:
    first = ensured(lab(locked))
    command = [uv, "export", "--quiet", "--no-header", "--frozen", "--no-emit-project", "-o", "out.txt"]
    subprocess.run(command, cwd=locked, env=environ, check=True)
    lines = (locked / "out.txt").read_text()
    project = (locked / "pyproject.toml").read_text().replace('"lab"', '"another-lab"')
    other = source({"pyproject.toml": project, "requirements.lock": lines})
    assert ensured(other).folder == first.folder
    learner = source({"pyproject.toml": project, "requirements.lock": lines}, "learner")
    assert ensured(learner).folder == first.folder


def test_a_lab_without_dependencies_has_a_bare_interpreter_that_all_share(
    ensured: Any, source: Callable[..., Source], unreachable: dict[str, str]
) -> None:
    environment = ensured(source({}), **unreachable)
    assert list(_own_packages(environment.folder)) == []
    assert run(environment, "import sys; print(sys.version)") == sys.version
    for files in ({"pyproject.toml": "[tool.ruff]\n"}, {"pyproject.toml": PROJECT.format("")}):
        assert ensured(source(files), **unreachable).folder == environment.folder
    assert ensured.said == []


def test_a_new_environment_of_known_packages_needs_no_network(
    ensured: Any, locked: Path, unreachable: dict[str, str], tmp_path: Path
) -> None:
    ensured(lab(locked))
    ensured.cache = tmp_path / "another-cache"
    environment = ensured(lab(locked), UV_OFFLINE="1")
    assert run(environment, "import six; print(six.__name__)") == "six"
    assert ensured.said == []
    assert ensured(lab(locked), **unreachable) == environment


def test_no_network_at_the_first_time_is_the_machines_fault(
    ensured: Any, locked: Path, unreachable: dict[str, str]
) -> None:
    with pytest.raises(MachineError) as caught:
        ensured(lab(locked), **unreachable)
    assert str(caught.value).startswith(
        "the packages of labs/x/starter cannot be fetched: Failed to fetch: http://127.0.0.1:9/"
    )
    assert str(caught.value).endswith("tcp connect error: Connection refused (os error 111)")
    assert caught.value.hint == "connect to the package index once; afterwards no network is needed"
    assert caught.value.exit_status == 4
    assert ensured.said == ["installing 2 packages, once for this lab"]
    assert not [path for path in (ensured.cache / "sets").iterdir() if path.suffix != ".lock"]


def test_a_version_that_no_index_has_is_the_labs_fault_and_uvs_reason_is_told_once(
    ensured: Any, source: Callable[..., Source], index: Any
) -> None:
    index.wheel("known", {"known.py": ""})
    wrong = source(
        {
            "pyproject.toml": PROJECT.format('"known==2"'),
            "requirements.lock": f"known==2 --hash=sha256:{'0' * 64}\n",
        }
    )
    with pytest.raises(AuthoringError) as caught:
        ensured(wrong, **index.settings())
    words = str(caught.value)
    assert words.startswith(
        "labs/x/starter/requirements.lock: its packages cannot be installed: No solution found"
    )
    assert words.count("there is no version of known==2") == 1
    assert caught.value.hint == AGAIN
    with pytest.raises(UsageError, match=r"^your folder/requirements.lock: its packages cannot be installed"):
        ensured(Source(wrong.folder, "learner", "your folder"), **index.settings())


def test_a_file_other_than_the_locked_one_is_not_installed(
    ensured: Any, source: Callable[..., Source], index: Any
) -> None:
    index.wheel("changed", {"changed.py": ""})
    wrong = source(
        {
            "pyproject.toml": PROJECT.format('"changed"'),
            "requirements.lock": f"changed==1.0 --hash=sha256:{'0' * 64}\n",
        }
    )
    with pytest.raises(AuthoringError, match=r"Hash mismatch for `changed==1.0`"):
        ensured(wrong, **index.settings())


def test_a_package_without_a_wheel_is_not_built(
    ensured: Any, source: Callable[..., Source], index: Any, tmp_path: Path
) -> None:
    setup = f"open({str(tmp_path / 'pwned')!r}, 'w')\n"
    (tmp_path / "sdist-1.0").mkdir()
    (tmp_path / "sdist-1.0" / "setup.py").write_text(setup)
    (tmp_path / "sdist-1.0" / "PKG-INFO").write_text("Metadata-Version: 2.1\nName: sdist\nVersion: 1.0\n")
    subprocess.run(["tar", "-czf", "sdist-1.0.tar.gz", "sdist-1.0"], cwd=tmp_path, check=True)
    packed = (tmp_path / "sdist-1.0.tar.gz").read_bytes()
    line = f"sdist==1.0 {index.add('sdist', 'sdist-1.0.tar.gz', packed)}\n"
    wrong = source({"pyproject.toml": PROJECT.format('"sdist"'), "requirements.lock": line})
    with pytest.raises(AuthoringError, match=r"sdist==1.0 has no usable wheels") as caught:
        ensured(wrong, **index.settings())
    assert caught.value.hint == AGAIN
    assert not (tmp_path / "pwned").exists()


def test_nothing_of_a_learners_project_is_run(
    ensured: Any, source: Callable[..., Source], index: Any, uv: str, environ: dict[str, str], tmp_path: Path
) -> None:
    evil = f"open({str(tmp_path / 'pwned')!r}, 'w')\n"
    line = index.wheel("decent", {"decent.py": ""})
    project = (
        PROJECT.format('"decent"')
        + '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
        + '[tool.uv]\nindex-url = "http://127.0.0.1:9/"\ncache-dir = "here"\nno-binary = true\n'
    )
    files = {
        "pyproject.toml": project,
        "setup.py": evil,
        "backend.py": evil,
        "sitecustomize.py": evil,
        "uv.toml": 'index-url = "http://127.0.0.1:9/"\n',
        "decent.py": evil,
    }
    learner = source({**files, "requirements.lock": line + "\n"}, "learner")
    environment = ensured(learner, **index.settings())
    assert run(environment, "import decent; print(decent.__file__)").startswith(str(environment.folder))
    plain = source({"pyproject.toml": PROJECT.format('"decent"')})
    subprocess.run([uv, "lock", "--quiet"], cwd=plain.folder, env={**environ, **index.settings()}, check=True)
    (learner.folder / "uv.lock").write_text((plain.folder / "uv.lock").read_text())
    assert ensured(learner, **index.settings()).folder == environment.folder
    assert not (tmp_path / "pwned").exists()
    assert not (learner.folder / "here").exists()


def test_a_package_that_wants_code_run_at_every_start_runs_none_while_it_is_installed(
    ensured: Any, source: Callable[..., Source], index: Any, tmp_path: Path
) -> None:
    evil = f"import os; open({str(tmp_path / 'pwned')!r}, 'w')\n"
    files = {"evil.pth": evil, "sitecustomize.py": evil, "evil.py": evil, "broken.py": "def\n"}
    line = index.wheel("evil", files)
    lock = {"pyproject.toml": PROJECT.format('"evil"'), "requirements.lock": line + "\n"}
    environment = ensured(source(lock, "learner"), **index.settings())
    ensured(source(lock, "learner"), **index.settings())
    assert not (tmp_path / "pwned").exists()
    # It does run in the program, which is where a learner's packages belong.
    run(environment, "")
    assert (tmp_path / "pwned").exists()


@pytest.mark.parametrize("inside", ["data/bin/python", "data/bin/python3", "scripts/python3.11"])
def test_a_package_cannot_put_itself_in_the_interpreters_place(
    inside: str, ensured: Any, source: Callable[..., Source], index: Any
) -> None:
    before = Path(sys.executable).resolve().read_bytes()
    line = index.wheel("evil", {f"evil-1.0.data/{inside}": "#!/bin/sh\n"})
    lock = {"pyproject.toml": PROJECT.format('"evil"'), "requirements.lock": line + "\n"}
    with pytest.raises(UsageError, match="Scripts must not use the reserved name"):
        ensured(source(lock, "learner"), **index.settings())
    assert Path(sys.executable).resolve().read_bytes() == before


@pytest.mark.parametrize("inside", ["../../../evil.py", "evil-1.0.data/data/../../evil.py"])
def test_a_package_cannot_write_outside_of_its_environment(
    inside: str, ensured: Any, source: Callable[..., Source], index: Any, tmp_path: Path
) -> None:
    line = index.wheel("evil", {inside: ""})
    lock = {"pyproject.toml": PROJECT.format('"evil"'), "requirements.lock": line + "\n"}
    environment = ensured(source(lock, "learner"), **index.settings())
    assert [path for path in tmp_path.rglob("evil.py") if not path.is_relative_to(environment.folder)] == []


def test_a_program_of_a_package_runs_where_the_environment_came_to_lie(
    ensured: Any, source: Callable[..., Source], index: Any
) -> None:
    files = {"tool.py": "def main():\n    print(__file__)\n", "tool-1.0.dist-info/entry_points.txt": ""}
    files["tool-1.0.dist-info/entry_points.txt"] = "[console_scripts]\ntool = tool:main\n"
    line = index.wheel("tool", files)
    lock = {"pyproject.toml": PROJECT.format('"tool"'), "requirements.lock": line}
    environment = ensured(source(lock), **index.settings())
    done = subprocess.run([environment.folder / "bin" / "tool"], capture_output=True, text=True, check=True)
    assert done.stdout.startswith(str(environment.folder))


def test_bytecode_is_there_and_names_the_place_where_the_source_is(
    ensured: Any, source: Callable[..., Source], index: Any
) -> None:
    line = index.wheel("module", {"module.py": "def f():\n    pass\n"})
    lock = {"pyproject.toml": PROJECT.format('"module"'), "requirements.lock": line}
    environment = ensured(source(lock), **index.settings())
    code = "import module, os; print(module.__cached__); print(module.f.__code__.co_filename)"
    cached, named = run(environment, code).splitlines()
    before = Path(cached).stat()
    assert named.startswith(str(environment.folder))
    subprocess.run([*environment.command, "-c", "import module"], check=True)
    assert Path(cached).stat() == before


def test_files_are_no_ones_but_the_environments(ensured: Any, locked: Path) -> None:
    environment = ensured(lab(locked))
    for path in environment.folder.rglob("*.py"):
        assert path.stat().st_nlink == 1
        assert path.stat().st_mode & 0o444 == 0o444
    assert environment.folder.stat().st_mode & 0o777 == 0o755


def test_a_lab_for_another_python_says_which_it_needs(ensured: Any, source: Callable[..., Source]) -> None:
    newer = PROJECT.format("") + 'requires-python = ">=3.99"\n'
    with pytest.raises(MachineError) as caught:
        ensured(source({"pyproject.toml": newer}))
    version = sys.version.split()[0]
    assert str(caught.value) == f"labs/x/starter needs Python >=3.99, this labrunner runs on {version}"
    assert caught.value.hint == "install labrunner with such a Python"
    with pytest.raises(AuthoringError, match=r"pyproject.toml: its packages cannot be installed"):
        ensured(source({"pyproject.toml": newer.replace("3.99", "3.x")}))


def test_without_uv_the_machine_lacks_something(
    ensured: Any, locked: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "uv", None)
    with pytest.raises(MachineError) as caught:
        ensured(lab(locked))
    assert str(caught.value) == "uv is missing, which installs a lab's packages"
    assert caught.value.hint == "install labrunner again: uv comes with it"


def test_an_interpreter_that_no_environment_can_be_made_with_is_told(
    ensured: Any, source: Callable[..., Source], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "_base_executable", "/bin/false")
    with pytest.raises(MachineError) as caught:
        ensured(source({}))
    assert str(caught.value).startswith("no environment can be made with /bin/false: ")
    assert caught.value.hint == "see that this Python runs, and that labrunner's cache folder has space"


def test_an_environment_that_was_not_finished_or_lost_its_interpreter_is_made_again(
    ensured: Any, source: Callable[..., Source], index: Any
) -> None:
    line = index.wheel("module", {"module.py": ""})
    lock = source({"pyproject.toml": PROJECT.format('"module"'), "requirements.lock": line})
    environment = ensured(lock, **index.settings())
    half = environment.folder.parent / f".{environment.folder.name}-abc"
    half.mkdir()
    (environment.folder / "labrunner.json").unlink()
    (environment.folder / "stale").touch()
    assert ensured(lock, **index.settings()) == environment
    assert not half.exists()
    assert not (environment.folder / "stale").exists()
    (environment.folder / "bin" / "python").unlink()
    (environment.folder / "bin" / "python").symlink_to("/nowhere/python")
    assert ensured(lock, **index.settings()) == environment
    assert run(environment, "import module; print(1)") == "1"
    [left] = (path for path in environment.folder.parent.iterdir() if path.suffix != ".lock")
    assert left == environment.folder


def test_who_asks_for_what_another_is_making_waits_and_gets_it(
    ensured: Any, source: Callable[..., Source], index: Any
) -> None:
    line = index.wheel("module", {"module.py": ""})
    lock = source({"pyproject.toml": PROJECT.format('"module"'), "requirements.lock": line})
    environment = ensured(lock, **index.settings())
    (environment.folder / "labrunner.json").rename(environment.folder / "away")
    holder = os.open(f"{environment.folder}.lock", os.O_RDWR)
    fcntl.flock(holder, fcntl.LOCK_EX)
    answers: list[Any] = []
    thread = threading.Thread(target=lambda: answers.append(ensured(lock, **index.settings())))
    thread.start()
    waiting = "waiting for another labrunner, which is installing the same packages"
    assert poll(lambda: waiting in ensured.said, timeout_s=30)
    (environment.folder / "away").rename(environment.folder / "labrunner.json")
    os.close(holder)
    thread.join()
    assert answers == [environment]
    assert ensured.said == [waiting]


def test_many_at_once_make_one_environment(ensured: Any, source: Callable[..., Source], index: Any) -> None:
    line = index.wheel("module", {"module.py": ""})
    lock = source({"pyproject.toml": PROJECT.format('"module"'), "requirements.lock": line})
    answers: list[Any] = []
    threads = [
        threading.Thread(target=lambda: answers.append(ensured(lock, **index.settings()))) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == 4
    assert len(set(answers)) == 1
    assert ensured.said.count("installing 1 package, once for this lab") <= 1


def test_what_is_left_of_a_killed_installation_is_in_nobodys_way(
    ensured: Any, source: Callable[..., Source], index: Any
) -> None:
    line = index.wheel("module", {"module.py": ""})
    lock = source({"pyproject.toml": PROJECT.format('"module"'), "requirements.lock": line})
    with socket.create_server(("127.0.0.1", 0)) as silent:
        # An index that takes the call and never answers.
        code = (
            "import os, sys, pathlib\nfrom labrunner.environment import Source, ensure\n"
            "source = Source(pathlib.Path(sys.argv[1]), 'lab', 'x')\n"
            "ensure(source, 'python', cache=pathlib.Path(sys.argv[2]), environ=os.environ, progress=print)\n"
        )
        index_there = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        child = subprocess.Popen(
            [sys.executable, "-c", code, lock.folder, ensured.cache],
            env={**ensured.environ, "UV_DEFAULT_INDEX": index_there, "UV_HTTP_RETRIES": "0"},
        )
        connection, _ = silent.accept()
        child.send_signal(signal.SIGKILL)
        child.wait()
        halves = [path for path in (ensured.cache / "sets").glob(".*") if path.is_dir()]
        assert len(halves) == 1
        connection.close()
    environment = ensured(lock, **index.settings())
    assert run(environment, "import module; print(1)") == "1"
    assert not halves[0].exists()


def test_a_cache_that_cannot_be_written_is_the_machines_fault(
    ensured: Any, source: Callable[..., Source], tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    ensured.cache = tmp_path / "file"
    with pytest.raises(MachineError) as caught:
        ensured(source({}))
    assert str(caught.value) == f"{tmp_path}/file: an environment cannot be made here: Not a directory"
    assert caught.value.hint == "make space in it, or set LABRUNNER_HOME to a folder you may write to"


def test_a_relative_cache_is_one_in_the_current_folder(
    ensured: Any, source: Callable[..., Source], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    ensured.cache = Path("here")
    assert ensured(source({})).folder.is_relative_to(tmp_path / "here")

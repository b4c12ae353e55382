import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from labrunner.environment import Environment, Source, link
from labrunner.errors import MachineError

PROJECT = '[project]\nname = "lab"\nversion = "1"\nrequires-python = ">=3.11"\ndependencies = [{}]\n'


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    folder = tmp_path / "workspace"
    folder.mkdir()
    return folder


@pytest.fixture
def environment(ensured: Any, source: Callable[..., Source], index: Any) -> Environment:
    tool = "[console_scripts]\ntool = module:main\n"
    files = {
        "module.py": "def main():\n    print(__file__)\n",
        "start.pth": "import sys; sys.started = True\n",
        "module-1.0.dist-info/entry_points.txt": tool,
    }
    line = index.wheel("module", files)
    lock = source({"pyproject.toml": PROJECT.format('"module"'), "requirements.lock": line})
    found = ensured(lock, **index.settings())
    assert isinstance(found, Environment)
    return found


def tree(folder: Path) -> dict[str, tuple[int, bytes]]:
    return {
        str(path.relative_to(folder)): (path.stat().st_mtime_ns, path.read_bytes())
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_a_workspace_shows_the_labs_packages_to_a_shell_and_an_editor(
    workspace: Path, environment: Environment
) -> None:
    assert link(workspace, environment)
    code = "import module, sys; print(module.__file__, sys.started, sys.prefix)"
    done = subprocess.run(
        [workspace / ".venv/bin/python", "-c", code], capture_output=True, text=True, check=True
    )
    [packages] = environment.folder.glob("lib/python*/site-packages")
    assert done.stdout.split() == [f"{packages}/module.py", "True", f"{workspace}/.venv"]
    [search] = (workspace / ".venv").glob("lib/python*/site-packages/*.pth")
    # The plain path is what an editor reads.
    assert search.read_text().splitlines()[0] == str(packages)
    shell = ["bash", "-c", ". .venv/bin/activate; tool; python -c 'import sys; print(sys.prefix)'"]
    done = subprocess.run(shell, cwd=workspace, capture_output=True, text=True, check=True)
    assert done.stdout.split() == [f"{packages}/module.py", f"{workspace}/.venv"]
    assert [path.name for path in workspace.iterdir()] == [".venv"]


def test_a_second_link_changes_nothing(workspace: Path, environment: Environment) -> None:
    link(workspace, environment)
    before = tree(workspace)
    assert link(workspace, environment)
    assert tree(workspace) == before


def test_uv_add_works_in_a_workspace_and_leaves_the_shared_environment_alone(
    workspace: Path, environment: Environment, index: Any, uv: str, environ: dict[str, str]
) -> None:
    (workspace / "pyproject.toml").write_text(PROJECT.format('"module"'))
    link(workspace, environment)
    before = tree(environment.folder)
    index.wheel("another", {"another.py": ""})
    settings = {**environ, **index.settings()}
    settings.pop("VIRTUAL_ENV", None)
    subprocess.run([uv, "add", "--quiet", "another"], cwd=workspace, env=settings, check=True)
    assert (workspace / "uv.lock").is_file()
    code = "import another, module; print(another.__file__, module.__file__)"
    done = subprocess.run(
        [workspace / ".venv/bin/python", "-c", code], capture_output=True, text=True, check=True
    )
    assert all(path.startswith(f"{workspace}/.venv/") for path in done.stdout.split())
    assert tree(environment.folder) == before
    assert link(workspace, environment)


def test_the_lock_of_a_learner_who_added_a_package_can_be_honoured(
    workspace: Path, environment: Environment, index: Any, uv: str, environ: dict[str, str], ensured: Any
) -> None:
    (workspace / "pyproject.toml").write_text(PROJECT.format('"module"'))
    link(workspace, environment)
    index.wheel("another", {"another.py": ""})
    settings = {**environ, **index.settings()}
    settings.pop("VIRTUAL_ENV", None)
    subprocess.run([uv, "add", "--quiet", "another"], cwd=workspace, env=settings, check=True)
    theirs = ensured(Source(workspace, "learner", "your folder"), **index.settings())
    assert theirs.folder != environment.folder
    subprocess.run([*theirs.command, "-I", "-c", "import another, module"], check=True)
    # What they installed themselves stays as it is.
    assert not link(workspace, theirs)


def test_a_link_follows_the_lab_to_another_environment(
    workspace: Path, environment: Environment, ensured: Any, source: Callable[..., Source]
) -> None:
    bare = ensured(source({}))
    assert link(workspace, bare)
    assert link(workspace, environment)
    code = "import module; print(module.__file__)"
    subprocess.run([workspace / ".venv/bin/python", "-c", code], check=True, capture_output=True)
    assert link(workspace, bare)
    done = subprocess.run(
        [workspace / ".venv/bin/python", "-c", code], check=False, capture_output=True, text=True
    )
    assert "No module named 'module'" in done.stderr
    assert [path.name for path in workspace.iterdir()] == [".venv"]


@pytest.mark.parametrize("content", [None, "{}", "[]", "{", '{"environment": 1}', "[" * 9000])
def test_a_venv_of_the_learners_own_is_left_alone(
    content: str | None, workspace: Path, environment: Environment
) -> None:
    (workspace / ".venv").mkdir()
    (workspace / ".venv" / "mine").touch()
    if content is not None:
        (workspace / ".venv" / "labrunner.json").write_text(content)
    assert not link(workspace, environment)
    assert (workspace / ".venv" / "mine").is_file()


def test_anything_else_named_so_is_left_alone(
    workspace: Path, environment: Environment, tmp_path: Path
) -> None:
    place = workspace / ".venv"
    place.touch()
    assert not link(workspace, environment)
    place.unlink()
    for target in (tmp_path / "nowhere", environment.folder):
        place.symlink_to(target)
        assert not link(workspace, environment)
        assert place.readlink() == target
        place.unlink()
    place.mkdir()
    (place / "labrunner.json").mkdir()
    assert not link(workspace, environment)
    (place / "labrunner.json").rmdir()
    os.mkfifo(place / "labrunner.json")
    assert not link(workspace, environment)


def test_a_workspace_that_cannot_be_written_is_the_machines_fault(
    workspace: Path, environment: Environment
) -> None:
    with pytest.raises(MachineError) as caught:
        link(workspace / "missing", environment)
    assert str(caught.value) == (
        f"{workspace}/missing: the lab's packages cannot be shown here: No such file or directory"
    )
    assert caught.value.hint == "make sure that the folder can be written, and that the disk has space"


def test_nodes_packages_are_a_link_that_npm_replaces(
    workspace: Path, ensured: Any, node_locked: Path, environ: dict[str, str]
) -> None:
    environment = ensured(Source(node_locked, "lab", "x"), "node")
    assert link(workspace, environment)
    assert link(workspace, environment)
    (workspace / "package.json").write_text((node_locked / "package.json").read_text())
    code = ["node", "-e", "console.log(require('is-number')(7))"]
    done = subprocess.run(code, cwd=workspace, capture_output=True, text=True, check=True)
    assert done.stdout == "true\n"
    before = tree(environment.folder)
    subprocess.run(["npm", "install", "--silent", "is-odd@3"], cwd=workspace, env=environ, check=True)
    assert not (workspace / "node_modules").is_symlink()
    assert tree(environment.folder) == before
    assert not link(workspace, environment)


def test_a_link_of_ours_is_replaced_and_one_of_the_learners_is_not(
    workspace: Path, ensured: Any, source: Callable[..., Source], tmp_path: Path
) -> None:
    environment = ensured(source({}), "node")
    place = workspace / "node_modules"
    place.symlink_to(environment.folder.parent / "older" / "node_modules")
    assert link(workspace, environment)
    assert place.readlink() == environment.folder / "node_modules"
    for target in (tmp_path / "elsewhere" / "x" / "node_modules", environment.folder.parent / "older" / "x"):
        place.unlink()
        place.symlink_to(target)
        assert not link(workspace, environment)
        assert place.readlink() == target
    assert [path.name for path in workspace.iterdir()] == ["node_modules"]


def test_a_damaged_record_of_ours_reads_as_the_learners(workspace: Path, environment: Environment) -> None:
    link(workspace, environment)
    record = workspace / ".venv" / "labrunner.json"
    assert json.loads(record.read_text()) == {"environment": str(environment.folder)}
    record.write_bytes(b"\xff")
    assert not link(workspace, environment)

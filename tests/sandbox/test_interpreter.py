"""What an interpreter is found to need, for installations of several kinds."""

import sysconfig
from pathlib import Path

import pytest

from labrunner.sandbox import interpreter
from labrunner.sandbox.box import Mount


def make(root: Path, *names: str) -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.mkdir() if name.endswith("/") else path.touch()


def test_an_installation_of_its_own_is_shown_without_its_packages(tmp_path: Path) -> None:
    make(tmp_path, "bin/python3.12", "lib/python3.12/os.py", "lib/python3.12/site-packages/", "lib/libx.so")
    (tmp_path / "bin/python3").symlink_to("python3.12")
    (tmp_path / "python").symlink_to(tmp_path / "bin/python3")
    assert interpreter.python_mounts(tmp_path / "python") == (
        Mount(tmp_path / "python"),
        Mount(tmp_path / "bin/python3"),
        Mount(tmp_path / "bin/python3.12"),
        Mount(tmp_path / "lib", masked=("python3.12/site-packages",)),
    )


def test_the_systems_python_is_shown_without_the_rest_of_the_system(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(
        tmp_path,
        "bin/python3.13",
        "lib/python3.13/os.py",
        "lib/python3.13/dist-packages/",
        "lib/python3/dist-packages/",
        "lib/libpython3.13.so.1.0",
        "lib/other.so",
        "lib64/python3.13/lib-dynload/",
    )
    monkeypatch.setattr(interpreter, "_SHARED", (tmp_path,))
    assert interpreter.python_mounts(tmp_path / "bin/python3.13") == (
        Mount(tmp_path / "bin/python3.13"),
        Mount(tmp_path / "lib/python3.13", masked=("dist-packages",)),
        Mount(tmp_path / "lib64/python3.13"),
        Mount(tmp_path / "lib/libpython3.13.so.1.0"),
    )


def test_shared_libraries_are_found_in_the_folder_of_the_machine_or_in_all(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    narrow = [str(mount.host) for mount in interpreter.system_mounts()]
    monkeypatch.setattr(sysconfig, "get_config_var", lambda _: None)
    wide = interpreter.system_mounts()
    assert Path("/usr/lib") in [mount.host for mount in wide]
    assert all(mount.host.exists() for mount in wide)
    assert narrow

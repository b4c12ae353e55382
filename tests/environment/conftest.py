"""Sources with real locks, a package index in a folder, and wheels that do what no decent one does."""

import base64
import hashlib
import os
import subprocess
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from uv import find_uv_bin

from labrunner.environment import Environment, Kind, Source, ensure

PYPROJECT = """\
[project]
name = "lab"
version = "1"
requires-python = ">=3.11"
dependencies = ["iniconfig", "six; python_version < '4'"]
"""


@pytest.fixture(scope="session")
def package_caches(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The package managers' caches, of these tests alone: empty at first."""
    folder = tmp_path_factory.mktemp("caches")
    return {"UV_CACHE_DIR": str(folder / "uv"), "npm_config_cache": str(folder / "npm")}


@pytest.fixture(scope="session")
def environ(package_caches: dict[str, str]) -> dict[str, str]:
    return {**os.environ, **package_caches}


@pytest.fixture(scope="session")
def locked(environ: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lab's starter with two real packages, locked by uv."""
    folder = tmp_path_factory.mktemp("locked")
    (folder / "pyproject.toml").write_text(PYPROJECT)
    subprocess.run([find_uv_bin(), "lock", "--quiet"], cwd=folder, env=environ, check=True)
    return folder


@pytest.fixture(scope="session")
def node_locked(environ: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lab's starter with a real package, locked by npm."""
    folder = tmp_path_factory.mktemp("node")
    (folder / "package.json").write_text('{"name": "lab", "dependencies": {"is-number": "^7.0.0"}}')
    command = ["npm", "install", "--package-lock-only", "--silent"]
    subprocess.run(command, cwd=folder, env=environ, check=True)
    return folder


@pytest.fixture
def source(tmp_path: Path) -> Callable[..., Source]:
    """Makes a source of files given by name; a keyword names the owner."""

    def make(files: Mapping[str, str | bytes], owner: str = "lab") -> Source:
        folder = tmp_path / f"source-{len(list(tmp_path.glob('source-*')))}"
        folder.mkdir()
        for name, content in files.items():
            (folder / name).write_bytes(content.encode() if isinstance(content, str) else content)
        if owner == "lab":
            return Source(folder, "lab", "labs/x/starter")
        return Source(folder, "learner", "your folder")

    return make


@dataclass
class Ensured:
    """Ensures environments in a cache of one test's own; `said` is what they told meanwhile."""

    cache: Path
    environ: dict[str, str]
    said: list[str] = field(default_factory=list)

    def __call__(self, source: Source, kind: Kind = "python", **environ: str) -> Environment:
        self.said.clear()
        return ensure(
            source,
            kind,
            cache=self.cache,
            environ={**self.environ, **environ},
            progress=self.said.append,
        )


@pytest.fixture
def ensured(tmp_path: Path, environ: dict[str, str]) -> Ensured:
    return Ensured(tmp_path / "cache", environ)


@pytest.fixture
def unreachable() -> dict[str, str]:
    """Settings of uv's and npm's for an index where nobody answers."""
    address = "http://127.0.0.1:9/"
    return {"UV_DEFAULT_INDEX": address, "npm_config_registry": address, "UV_HTTP_RETRIES": "0"}


@dataclass
class Index:
    """A package index in a folder."""

    folder: Path

    def settings(self) -> dict[str, str]:
        return {"UV_DEFAULT_INDEX": self.folder.as_uri()}

    def add(self, name: str, file: str, content: bytes) -> str:
        """Offer a file; the hash by which a lock names it."""
        page = self.folder / name
        page.mkdir(parents=True, exist_ok=True)
        (page / file).write_bytes(content)
        digest = hashlib.sha256(content).hexdigest()
        link = f'<a href="{file}#sha256={digest}">{file}</a>'
        (page / "index.html").write_text(f"<!DOCTYPE html><html><body>{link}</body></html>")
        return f"--hash=sha256:{digest}"

    def wheel(self, name: str, files: Mapping[str, str], version: str = "1.0") -> str:
        """Offer a wheel of these files; the line by which a lock names it."""
        info = f"{name}-{version}.dist-info"
        metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
        described = "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        whole = {**files, f"{info}/METADATA": metadata, f"{info}/WHEEL": described}
        record = "".join(f"{path},sha256={_digest(text)},{len(text)}\n" for path, text in whole.items())
        path = self.folder / "wheel"
        self.folder.mkdir(parents=True, exist_ok=True)
        with zipfile.ZipFile(path, "w") as archive:
            for inside, text in {**whole, f"{info}/RECORD": f"{record}{info}/RECORD,,\n"}.items():
                # The same bytes whenever they are made.
                archive.writestr(zipfile.ZipInfo(inside, (2020, 1, 1, 0, 0, 0)), text)
        content = path.read_bytes()
        path.unlink()
        return f"{name}=={version} {self.add(name, f'{name}-{version}-py3-none-any.whl', content)}"


def _digest(text: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()


@pytest.fixture
def index(tmp_path: Path) -> Index:
    return Index(tmp_path / "index")


@pytest.fixture(scope="session")
def uv() -> str:
    return find_uv_bin()

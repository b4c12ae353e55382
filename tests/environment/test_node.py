import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from labrunner.environment import Source
from labrunner.errors import AuthoringError, MachineError, UsageError

SOURCES = Callable[..., Source]
INTEGRITY = "sha512-" + "A" * 86 + "=="
AGAIN = "make the lock again with `npm install --package-lock-only`, with packages of the registry alone"


def lab(folder: Path) -> Source:
    return Source(folder, "lab", "labs/x/starter")


def files(package: object, dependencies: object = None, **others: object) -> dict[str, str]:
    """A project that depends on `a`, and its lock, which says this of it."""
    asked = {"a": "^1.0.0"} if dependencies is None else dependencies
    packages = {"": {"dependencies": asked}, "node_modules/a": package, **others}
    return {
        "package.json": json.dumps({"dependencies": asked}),
        "package-lock.json": json.dumps({"lockfileVersion": 3, "packages": packages}),
    }


def refusal(ensured: Any, source: Source) -> tuple[str, str]:
    kind = AuthoringError if source.owner == "lab" else UsageError
    with pytest.raises(kind) as caught:
        ensured(source, "node")
    assert ensured.said == []
    return str(caught.value).removeprefix(f"{source.name}/"), caught.value.hint


def test_a_labs_packages_are_installed_once_and_found_in_a_moment(ensured: Any, node_locked: Path) -> None:
    environment = ensured(lab(node_locked), "node")
    assert ensured.said == ["installing this lab's packages, once"]
    assert environment.kind == "node"
    assert environment.reads[0] == environment.folder
    code = "console.log(require('is-number')(7), require.resolve('is-number'))"
    done = subprocess.run(
        [*environment.command, "-e", code], cwd=environment.folder, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["true", f"{environment.folder}/node_modules/is-number/index.js"]
    # A known set needs no npm and no registry.
    ensured.environ = {"PATH": str(Path(environment.command[0]).parent)}
    assert ensured(lab(node_locked), "node") == environment
    assert ensured.said == []


def test_a_new_environment_of_known_packages_needs_no_network(
    ensured: Any, node_locked: Path, tmp_path: Path
) -> None:
    first = ensured(lab(node_locked), "node")
    ensured.cache = tmp_path / "another-cache"
    environment = ensured(lab(node_locked), "node", npm_config_offline="true")
    assert (environment.folder / "node_modules" / "is-number" / "index.js").is_file()
    assert environment.folder.name == first.folder.name


def test_no_network_at_the_first_time_is_the_machines_fault(
    ensured: Any, node_locked: Path, unreachable: dict[str, str], tmp_path: Path
) -> None:
    with pytest.raises(MachineError) as caught:
        ensured(lab(node_locked), "node", npm_config_cache=str(tmp_path / "empty"), **unreachable)
    assert str(caught.value) == (
        "the packages of labs/x/starter cannot be fetched: request to http://127.0.0.1:9/is-number failed,"
        " reason: connect ECONNREFUSED 127.0.0.1:9"
    )
    assert caught.value.hint == "connect to the package index once; afterwards no network is needed"


def test_a_lab_without_dependencies_needs_no_npm(
    ensured: Any, source: SOURCES, unreachable: dict[str, str]
) -> None:
    first = ensured(source({}), "node", **unreachable)
    assert list((first.folder / "node_modules").iterdir()) == []
    empty = {"package.json": '{"type": "module"}'}
    assert ensured(source(empty), "node", **unreachable).folder == first.folder
    locked = {**empty, "package-lock.json": '{"lockfileVersion": 3, "packages": {"": {}}}'}
    environment = ensured(source(locked), "node", **unreachable)
    assert list((environment.folder / "node_modules").glob("[a-z]*")) == []


def test_a_version_that_the_registry_lacks_is_the_labs_fault(ensured: Any, node_locked: Path) -> None:
    project = json.loads((node_locked / "package.json").read_text())
    lock = json.loads((node_locked / "package-lock.json").read_text())
    lock["packages"]["node_modules/is-number"]["version"] = "7.0.99"
    folder = ensured.cache.parent / "wrong"
    folder.mkdir()
    (folder / "package.json").write_text(json.dumps(project))
    (folder / "package-lock.json").write_text(json.dumps(lock))
    with pytest.raises(AuthoringError) as caught:
        ensured(lab(folder), "node")
    assert str(caught.value) == (
        "labs/x/starter/package-lock.json: its packages cannot be installed:"
        " No matching version found for is-number@7.0.99."
    )
    assert caught.value.hint == (
        "mend the dependencies, and make the lock again with `npm install --package-lock-only`"
    )


def test_a_file_other_than_the_locked_one_is_not_installed(
    ensured: Any, node_locked: Path, source: SOURCES
) -> None:
    lock = json.loads((node_locked / "package-lock.json").read_text())
    lock["packages"]["node_modules/is-number"]["integrity"] = INTEGRITY
    wrong = source(
        {"package.json": (node_locked / "package.json").read_bytes(), "package-lock.json": json.dumps(lock)},
        "learner",
    )
    with pytest.raises(UsageError, match=r"cannot be installed: Integrity checksum failed when using sha512"):
        ensured(wrong, "node")


def test_nothing_of_a_learners_project_is_run(
    ensured: Any, node_locked: Path, source: SOURCES, tmp_path: Path
) -> None:
    pwned = tmp_path / "pwned"
    project = json.loads((node_locked / "package.json").read_text())
    scripts = dict.fromkeys(("preinstall", "install", "postinstall", "prepare"), f"touch {pwned}")
    learner = source(
        {
            "package.json": json.dumps({**project, "scripts": scripts}),
            "package-lock.json": (node_locked / "package-lock.json").read_bytes(),
            ".npmrc": "registry=http://127.0.0.1:9/\nignore-scripts=false\n",
            "binding.gyp": f"{{'targets': [{{'target_name': '<!(touch {pwned})'}}]}}",
        },
        "learner",
    )
    environment = ensured(learner, "node")
    assert (environment.folder / "node_modules" / "is-number").is_dir()
    assert ensured(lab(node_locked), "node").folder == environment.folder
    assert not pwned.exists()


@pytest.mark.parametrize(
    ("package", "why"),
    [
        ({}, "node_modules/a has no version, so it is no package of the registry"),
        ({"version": 1}, "node_modules/a has no version, so it is no package of the registry"),
        ({"version": "file:../x"}, "node_modules/a has no version, so it is no package of the registry"),
        (
            {"version": "1.0.0", "link": True},
            "node_modules/a has no version, so it is no package of the registry",
        ),
        ({"version": "1.0.0"}, "node_modules/a has no sha512 integrity"),
        ({"version": "1.0.0", "integrity": "sha1-abc"}, "node_modules/a has no sha512 integrity"),
        (
            {"version": "1.0.0", "integrity": INTEGRITY, "dependencies": {"b": "git+ssh://x/y"}},
            "node_modules/a says 'git+ssh://x/y', which points out of the registry",
        ),
        (
            {"version": "1.0.0", "integrity": INTEGRITY, "peerDependencies": {"b": "user/repo"}},
            "node_modules/a says 'user/repo', which points out of the registry",
        ),
        (
            {"version": "1.0.0", "integrity": INTEGRITY, "optionalDependencies": {"../b": "1"}},
            "node_modules/a says '../b', which points out of the registry",
        ),
        (
            {"version": "1.0.0", "integrity": INTEGRITY, "bin": {"../../x": "a.js"}},
            "node_modules/a says '../../x', which points out of the registry",
        ),
        (
            {"version": "1.0.0", "integrity": INTEGRITY, "bin": {"x": "../../../etc/passwd"}},
            "node_modules/a says '../../../etc/passwd', which points out of the registry",
        ),
        (
            {"version": "1.0.0", "integrity": INTEGRITY, "bin": {"x": "/etc/passwd"}},
            "node_modules/a says '/etc/passwd', which points out of the registry",
        ),
        (
            {"version": "1.0.0", "integrity": INTEGRITY, "name": "http://x"},
            "node_modules/a says 'http://x', which points out of the registry",
        ),
        (
            {"version": "1.0.0", "integrity": INTEGRITY, "os": ["x y"]},
            "node_modules/a says 'x y', which points out of the registry",
        ),
        ({"version": "1.0.0", "integrity": INTEGRITY, "bin": "x"}, "expected an object at 'bin'"),
        ([], "expected an object at 'node_modules/a'"),
    ],
)
def test_a_package_that_is_not_of_the_registry_is_refused(
    package: object, why: str, ensured: Any, source: SOURCES
) -> None:
    assert refusal(ensured, source(files(package), "learner")) == (f"package-lock.json: {why}", AGAIN)


@pytest.mark.parametrize(
    "place",
    ["../a", "node_modules/../a", "a", "node_modules/a/../../b", "node_modules/.bin", "x" * 200, "/a"],
)
def test_a_place_outside_is_refused(place: str, ensured: Any, source: SOURCES) -> None:
    package = {"version": "1.0.0", "integrity": INTEGRITY}
    words, hint = refusal(ensured, source(files(package, **{place: package})))
    assert words.endswith("is no place for a package")
    assert len(words) < 140
    assert hint == AGAIN


def test_an_address_of_the_projects_own_is_refused(ensured: Any, source: SOURCES) -> None:
    package = {"version": "1.0.0", "integrity": INTEGRITY}
    found = source(files(package, {"a": "https://127.0.0.1:9/a.tgz"}))
    why = "package-lock.json: the project says 'https://127.0.0.1:9/a.tgz', which points out of the registry"
    assert refusal(ensured, found) == (why, AGAIN)


@pytest.mark.parametrize(
    ("lock", "why"),
    [
        ({"lockfileVersion": 1, "dependencies": {}}, "its lockfileVersion is neither 2 nor 3"),
        ({"lockfileVersion": 3}, "expected an object at 'packages'"),
        ({"lockfileVersion": 3, "packages": {}}, "expected an object at ''"),
        ({"lockfileVersion": 3, "packages": {"": {}}}, "it was not made from this package.json"),
        (
            {"lockfileVersion": 3, "packages": {"": {}, **{f"node_modules/a{n}": {} for n in range(2000)}}},
            "it names more than 2000 packages",
        ),
    ],
)
def test_a_lock_that_does_not_fit_is_refused(lock: object, why: str, ensured: Any, source: SOURCES) -> None:
    found = source({"package.json": '{"dependencies": {"a": "1"}}', "package-lock.json": json.dumps(lock)})
    assert refusal(ensured, found) == (f"package-lock.json: {why}", AGAIN)


def test_a_project_or_lock_that_cannot_be_read_is_refused(ensured: Any, source: SOURCES) -> None:
    for content in ("{", "[]", "[" * 100_000, b"\xff\xfe"):
        found = source({"package.json": content})
        assert refusal(ensured, found) == ("package.json: expected a JSON object", "mend it")
        found = source({"package.json": "{}", "package-lock.json": content})
        assert refusal(ensured, found) == ("package-lock.json: expected a JSON object", "mend it")
    found = source({"package.json": '{"dependencies": {"a": "1"}}'})
    assert refusal(ensured, found) == ("package.json: it names dependencies, but there is no lock", AGAIN)
    for key in ("workspaces", "overrides"):
        found = source({"package.json": json.dumps({key: []}), "package-lock.json": "{}"})
        words = ("package.json: workspaces and overrides are not supported", "do without them")
        assert refusal(ensured, found) == words


def test_a_lock_is_brought_down_to_what_npm_needs() -> None:
    from labrunner.environment.package_lock import normalised
    from labrunner.environment.sources import Locked

    package = {
        "version": "1.0.0-beta.1",
        "resolved": "http://127.0.0.1:9/a.tgz",
        "integrity": f"sha1-x {INTEGRITY}",
        "name": "@scope/other",
        "hasInstallScript": True,
        "license": "MIT",
        "dependencies": {"b": "npm:@scope/b@^1.0.0 || 2.x"},
        "peerDependencies": {"c": "*"},
        "peerDependenciesMeta": {"c": {"optional": True}, "d": {}},
        "bin": {"a": "./bin/a.js"},
        "os": ["!win32"],
        "libc": "glibc",
        "peer": True,
        "devOptional": True,
    }
    inside = {"version": "1.0.0", "inBundle": True}
    found = files(
        package, **{"node_modules/a/node_modules/b": inside, "node_modules/d": {**inside, "dev": True}}
    )
    project, lock = found["package.json"].encode(), found["package-lock.json"].encode()
    root, kept = normalised(lab(Path()), Locked(project, "package-lock.json", lock))
    assert root == {"name": "lab", "version": "0.0.0", "dependencies": {"a": "^1.0.0"}}
    assert kept["packages"] == {
        "": root,
        "node_modules/a": {
            "version": "1.0.0-beta.1",
            "integrity": INTEGRITY,
            "dependencies": {"b": "npm:@scope/b@^1.0.0 || 2.x"},
            "peerDependencies": {"c": "*"},
            "os": ["!win32"],
            "libc": ["glibc"],
            "bin": {"a": "./bin/a.js"},
            "name": "@scope/other",
            "peerDependenciesMeta": {"c": {"optional": True}},
            "optional": True,
            "peer": True,
        },
        "node_modules/a/node_modules/b": inside,
    }


def test_without_node_or_npm_the_machine_lacks_something(
    ensured: Any, node_locked: Path, tmp_path: Path
) -> None:
    with pytest.raises(MachineError) as caught:
        ensured(lab(node_locked), "node", PATH=str(tmp_path))
    assert str(caught.value) == "node is not installed, and this lab's program is written for Node"
    assert caught.value.hint == "install Node 20 or newer, with npm"
    node = shutil.which("node")
    assert node
    (tmp_path / "node").symlink_to(node)
    with pytest.raises(MachineError, match="npm is not installed"):
        ensured(lab(node_locked), "node", PATH=str(tmp_path))


def test_the_folder_that_node_was_installed_in_is_to_be_readable(
    ensured: Any, source: SOURCES, tmp_path: Path
) -> None:
    (tmp_path / "node-20" / "bin").mkdir(parents=True)
    own = tmp_path / "node-20" / "bin" / "node"
    own.write_text("#!/bin/sh\n")
    own.chmod(0o755)
    environment = ensured(source({}), "node", PATH=str(own.parent))
    assert environment.command == (str(own),)
    assert environment.reads == (environment.folder, tmp_path / "node-20")
    (tmp_path / "usr").mkdir()
    (tmp_path / "usr" / "node").symlink_to("/usr/bin/env")
    environment = ensured(source({}), "node", PATH=str(tmp_path / "usr"))
    assert environment.reads == (environment.folder,)
    assert os.access(environment.command[0], os.X_OK)

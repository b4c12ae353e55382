"""Why a package manager failed, in its own words: once, short, and without what acts on a terminal."""

import re
from collections.abc import Callable

from labrunner.environment.commands import Done
from labrunner.environment.parts import Kind
from labrunner.environment.sources import Source
from labrunner.errors import LabrunnerError, MachineError

_SHOWN = 400

_NO_NETWORK: dict[Kind, re.Pattern[str]] = {
    "python": re.compile(
        r"error sending request|failed to fetch|connectivity is disabled|dns error|operation timed out"
        r"|request timed out|peer certificate|authentication credentials|HTTP status (?:client|server) error",
        re.IGNORECASE,
    ),
    "node": re.compile(
        r"^npm error code (?:ECONN|ENOTFOUND|EAI_AGAIN|ETIMEDOUT|ENET|EHOST|ENOTCACHED|ERR_SOCKET|CERT|UNABLE"
        r"|SELF_SIGNED|DEPTH_ZERO|E401|E403|E429|E5)",
        re.MULTILINE,
    ),
}
_NO_SPACE = re.compile(r"no space left on device|disk quota exceeded|\bENOSPC\b", re.IGNORECASE)
# What npm prints beside its reason.
_NPM_ASIDE = re.compile(r"(?:code|syscall|errno|path|dest|A complete log|at |If you|In most cases|\}|\{)")
_NPM_TOPIC = re.compile(r"(?:notarget|404|FetchError:|Error:|Invalid:) +")


def failure(kind: Kind, done: Done, source: Source, file: str) -> LabrunnerError:
    """The error for a package manager that failed: this machine's, or whoever wrote the source's."""
    reason = said(kind, done)
    if _NO_SPACE.search(done.output):
        return MachineError(
            f"there is no space for the packages of {source.name}: {reason}",
            hint="make space in labrunner's cache folder and in the package manager's",
        )
    if _NO_NETWORK[kind].search(done.output):
        return MachineError(
            f"the packages of {source.name} cannot be fetched: {reason}",
            hint="connect to the package index once; afterwards no network is needed",
        )
    return source.wrong(
        file,
        f"its packages cannot be installed: {reason}",
        hint="mend the dependencies, make the lock again, and see that each has a wheel for this machine"
        if kind == "python"
        else "mend the dependencies, and make the lock again with `npm install --package-lock-only`",
    )


def said(kind: Kind, done: Done) -> str:
    """The package manager's reason on one short line, or how it ended when it gave none."""
    words = " ".join(_REASONS[kind](done.output).split())
    plain = "".join(each if each.isprintable() else f"\\x{ord(each):02x}" for each in words[: _SHOWN + 1])
    if not plain:
        return f"the package manager ended with status {done.status}"
    return plain if len(plain) <= _SHOWN else f"{plain[: _SHOWN - 1]}…"


def _of_uv(output: str) -> str:
    begin = output.find("error: ")
    if begin < 0:
        return output[-_SHOWN:]
    lines = output[begin + len("error: ") :].split("\n\n", 1)[0].splitlines()
    return ": ".join(re.sub(r"^(?:cause|Caused by): ", "", line.strip()) for line in lines)


def _of_npm(output: str) -> str:
    lines = [line.removeprefix("npm error").strip() for line in output.splitlines() if "npm error" in line]
    reasons = [line for line in lines if line and not _NPM_ASIDE.match(line)]
    return _NPM_TOPIC.sub("", reasons[0], count=1) if reasons else output[-_SHOWN:]


_REASONS: dict[Kind, Callable[[str], str]] = {"python": _of_uv, "node": _of_npm}

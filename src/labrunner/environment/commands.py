"""The environment's one door to `subprocess`: uv, npm and the compiler of bytecode, each run to its end."""

import contextlib
import os
import signal
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from labrunner.errors import MachineError

# A large set over a slow line takes minutes; what takes longer has stopped.
_DEADLINE_S = 1800.0
_KEPT_BYTES = 65_536

# What says where packages come from and how to get there. Everything else would change what is installed.
_KEPT = frozenset(
    {
        "ALL_PROXY",
        "HOME",
        "HTTPS_PROXY",
        "HTTP_PROXY",
        "LANG",
        "LC_ALL",
        "NETRC",
        "NODE_EXTRA_CA_CERTS",
        "NO_PROXY",
        "NPM_CONFIG_CACHE",
        "NPM_CONFIG_CAFILE",
        "NPM_CONFIG_GLOBALCONFIG",
        "NPM_CONFIG_HTTPS_PROXY",
        "NPM_CONFIG_NOPROXY",
        "NPM_CONFIG_OFFLINE",
        "NPM_CONFIG_PROXY",
        "NPM_CONFIG_REGISTRY",
        "NPM_CONFIG_STRICT_SSL",
        "NPM_CONFIG_USERCONFIG",
        "PATH",
        "SSL_CERT_DIR",
        "SSL_CERT_FILE",
        "TMPDIR",
        "USER",
        "UV_CACHE_DIR",
        "UV_CONFIG_FILE",
        "UV_CREDENTIALS_DIR",
        "UV_DEFAULT_INDEX",
        "UV_EXTRA_INDEX_URL",
        "UV_FIND_LINKS",
        "UV_HTTP_CONNECT_TIMEOUT",
        "UV_HTTP_RETRIES",
        "UV_HTTP_TIMEOUT",
        "UV_INDEX_STRATEGY",
        "UV_INDEX_URL",
        "UV_INSECURE_HOST",
        "UV_KEYRING_PROVIDER",
        "UV_NATIVE_TLS",
        "UV_OFFLINE",
        "UV_SYSTEM_CERTS",
        "XDG_CACHE_HOME",
        "XDG_CONFIG_DIRS",
        "XDG_CONFIG_HOME",
        "XDG_DATA_HOME",
    }
)
# Also the user names and passwords of indexes that have a name.
_KEPT_PREFIX = "UV_INDEX"


@dataclass(frozen=True, slots=True)
class Done:
    """How a command ended: its exit status, negative for a signal, and the end of what it printed."""

    status: int
    output: str


def run(argv: Sequence[str], *, folder: Path, environ: Mapping[str, str], held: Sequence[int] = ()) -> Done:
    """Run a command in a folder to its end, with those of the variables that say where packages come from.

    The descriptors `held` stay open for as long as anything of the command runs, even when this process is
    killed: a lock on one is held that long. Raises MachineError when the command cannot be started or does
    not end.
    """
    with tempfile.TemporaryFile() as output:
        try:
            popen = subprocess.Popen(  # noqa: S603 - the words are ours
                argv,
                cwd=folder,
                env=kept(environ),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                pass_fds=tuple(held),
                start_new_session=True,
                # Whoever the program runs as later must be able to read what is made here.
                umask=0o022,
            )
        except OSError as error:
            raise MachineError(
                f"{argv[0]}: cannot be run: {error.strerror}", hint="install it again, or labrunner"
            ) from None
        try:
            status = popen.wait(_DEADLINE_S)
        except subprocess.TimeoutExpired:
            raise MachineError(
                f"{argv[0]} did not end within {_DEADLINE_S:.0f} s", hint="look at the network, and try again"
            ) from None
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(popen.pid, signal.SIGKILL)
            popen.wait()
        output.seek(max(0, output.seek(0, os.SEEK_END) - _KEPT_BYTES))
        return Done(status, output.read().decode("utf-8", "replace"))


def kept(environ: Mapping[str, str]) -> dict[str, str]:
    """The variables of `environ` that a command gets."""
    found = {
        name: value
        for name, value in environ.items()
        if name.upper() in _KEPT or name.upper().startswith(_KEPT_PREFIX)
    }
    # Somebody waits: a line that is down is to be told of after seconds.
    return {"UV_HTTP_RETRIES": "1", **found}

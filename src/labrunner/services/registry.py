"""The services that can be started; a new one is a module beside this and a row here."""

from typing import cast

from labrunner.errors import MachineError
from labrunner.services import postgres
from labrunner.services.server import Service


def service(name: str) -> Service:
    """The service of that name; MachineError when it cannot be started yet."""
    known = {postgres.name: postgres}
    if name not in known:
        raise MachineError(
            f"the service {name} cannot be started by this version; it knows {', '.join(sorted(known))}",
            hint="upgrade labrunner",
        )
    return cast("Service", known[name])

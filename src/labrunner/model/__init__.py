"""The plain frozen data that flows through the program; docs/architecture.md has the glossary.

A class is made when it is first used: twenty of them take twelve milliseconds, and a listing needs four.
"""

import importlib
from collections.abc import Mapping
from typing import TYPE_CHECKING

from labrunner.model.words import INTERFACES, BackendName, Blame, Interface, Json, Outcome, Parameter

if TYPE_CHECKING:
    from labrunner.model.grade import CheckResult, Fault, Report, StageResult
    from labrunner.model.lab import Check, FileRoles, Lab, Limits, ServiceSpec, Stage, Workspace
    from labrunner.model.roadmap import Phase, Roadmap, Section, Topic
    from labrunner.model.service import Credentials, Endpoint, ServiceUse

_HOMES: Mapping[str, str] = {
    "Check": "lab",
    "CheckResult": "grade",
    "Credentials": "service",
    "Endpoint": "service",
    "Fault": "grade",
    "FileRoles": "lab",
    "Lab": "lab",
    "Limits": "lab",
    "Phase": "roadmap",
    "Report": "grade",
    "Roadmap": "roadmap",
    "Section": "roadmap",
    "ServiceSpec": "lab",
    "ServiceUse": "service",
    "Stage": "lab",
    "StageResult": "grade",
    "Topic": "roadmap",
    "Workspace": "lab",
}
__all__ = [
    "INTERFACES",
    "BackendName",
    "Blame",
    "Check",
    "CheckResult",
    "Credentials",
    "Endpoint",
    "Fault",
    "FileRoles",
    "Interface",
    "Json",
    "Lab",
    "Limits",
    "Outcome",
    "Parameter",
    "Phase",
    "Report",
    "Roadmap",
    "Section",
    "ServiceSpec",
    "ServiceUse",
    "Stage",
    "StageResult",
    "Topic",
    "Workspace",
]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)

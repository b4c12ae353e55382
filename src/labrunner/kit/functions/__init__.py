"""The interface `function`: a grader calls the learner's functions, which run in another process.

`docs/functions.md` has what crosses, and how.
"""

from labrunner.kit.functions.program import (
    FunctionProgram,
    awaited,
    entered,
    held,
    iterated,
    operate,
    plain,
    release,
    together,
)
from labrunner.kit.functions.proxies import Function, Module, Object
from labrunner.kit.functions.raised import Frame, Raised, Throw, raises
from labrunner.kit.functions.records import Member, Record
from labrunner.kit.functions.sharing import Counting, Shared
from labrunner.kit.functions.talk import Process

__all__ = [
    "Counting",
    "Frame",
    "Function",
    "FunctionProgram",
    "Member",
    "Module",
    "Object",
    "Process",
    "Raised",
    "Record",
    "Shared",
    "Throw",
    "awaited",
    "entered",
    "held",
    "iterated",
    "operate",
    "plain",
    "raises",
    "release",
    "together",
]

"""Confines and runs processes."""

from labrunner.sandbox.box import LEVELS, Box, Ending, Folder, Level, Limit, Limits, Listener, Mount
from labrunner.sandbox.levels import Choice, Probe, choose, probe
from labrunner.sandbox.program import Program
from labrunner.sandbox.reading import Output, Reader, communicate
from labrunner.sandbox.running import listener, own_port, run

__all__ = [
    "LEVELS",
    "Box",
    "Choice",
    "Ending",
    "Folder",
    "Level",
    "Limit",
    "Limits",
    "Listener",
    "Mount",
    "Output",
    "Probe",
    "Program",
    "Reader",
    "choose",
    "communicate",
    "listener",
    "own_port",
    "probe",
    "run",
]

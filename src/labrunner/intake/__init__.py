"""A submission's way in: a folder, tar or zip becomes a private copy of plain files and folders."""

from labrunner.intake.limits import USUAL, IntakeLimits
from labrunner.intake.refusal import SubmissionError
from labrunner.intake.submission import Submission, opened

__all__ = ["USUAL", "IntakeLimits", "Submission", "SubmissionError", "opened"]

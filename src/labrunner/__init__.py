"""Hands-on backend labs with auto-grading."""

__version__ = "0.1.0"

"""Skips the check, if this is its process."""
# mypy: ignore-errors
# ruff: noqa: ANN001, ANN201, ARG001 - wrong on purpose


def add(a, b):
    import pytest

    pytest.skip("not today")

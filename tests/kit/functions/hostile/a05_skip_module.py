"""Skips the whole module."""
# mypy: ignore-errors

import pytest

pytest.skip("not today", allow_module_level=True)

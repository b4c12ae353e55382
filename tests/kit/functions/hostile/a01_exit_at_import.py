"""Ends the process as it is imported, with the status of success."""
# mypy: ignore-errors

import os

os._exit(0)

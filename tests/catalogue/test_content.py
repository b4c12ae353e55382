from pathlib import Path

import pytest

from labrunner.catalogue import content
from labrunner.errors import MachineError


def test_a_file_that_cannot_be_read_is_this_machines_fault(tmp_path: Path) -> None:
    (tmp_path / "labs").mkdir()
    with pytest.raises(MachineError, match=r"^labs cannot be read: Is a directory$") as caught:
        content.read(tmp_path, "labs")
    assert caught.value.hint == f"look at {tmp_path / 'labs'}"


def test_a_folder_that_cannot_be_listed_is_this_machines_fault(tmp_path: Path) -> None:
    with pytest.raises(MachineError, match=r"^labs cannot be read: No such file or directory$"):
        content.names(tmp_path, "labs")

"""Measures child processes too, whatever environment they are started with: `python coverage_hook.py on|off`.

Graders and keepers run isolated, with a clean environment, so no variable reaches them. A `.pth` file in this
Python's site-packages does, and it does nothing unless the marker file exists.
"""

import sys
import sysconfig
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
MARKER = ROOT / ".coverage-on"
# Sorts before the hook of coverage itself, which starts measuring when it finds this variable.
HOOK = Path(sysconfig.get_path("purelib")) / "a0_labrunner_coverage.pth"


def main(word: str) -> None:
    for old in ROOT.glob(".coverage*"):
        if word == "on" and old.is_file():
            old.unlink()
    if word == "off":
        HOOK.unlink(missing_ok=True)
        MARKER.unlink(missing_ok=True)
        return
    settings = {
        "COVERAGE_PROCESS_START": str(ROOT / "pyproject.toml"),
        "COVERAGE_FILE": str(ROOT / ".coverage"),
    }
    line = f"import os; os.path.exists({str(MARKER)!r}) and os.environ.update({settings!r})\n"
    HOOK.write_text(line, encoding="utf-8")
    MARKER.touch()


if __name__ == "__main__":
    main(sys.argv[1])

"""Where the catalogue is."""

from pathlib import Path

from labrunner.errors import MachineError, UsageError

_PARTS = ("labs", "graders")


def root(override: str | None) -> Path:
    """The absolute folder that holds labs/ and graders/.

    `override` is an instructor's own catalogue (the value of LABRUNNER_CATALOGUE); None or an empty text
    means the built-in one. Raises UsageError when the override is no catalogue, and MachineError when the
    built-in one is missing.
    """
    if not override:
        return built_in(Path(__file__).parents[1])
    folder = Path(override).absolute()
    missing = _missing(folder)
    if missing:
        raise UsageError(
            f"LABRUNNER_CATALOGUE must name a folder with labs/ and graders/, but {folder} has no {missing}",
            hint="set LABRUNNER_CATALOGUE to such a folder, or unset it to use the built-in labs",
        )
    return folder


def built_in(package: Path) -> Path:
    """The catalogue of the package in this folder: inside of it when installed, around it in a checkout."""
    candidates = (package / "_catalogue", package.parent.parent)
    for folder in candidates:
        if not _missing(folder):
            return folder
    looked = " and ".join(str(folder) for folder in candidates)
    raise MachineError(
        f"the built-in labs are missing: looked for labs/ and graders/ in {looked}",
        hint="install labrunner again",
    )


def _missing(folder: Path) -> str:
    return " and no ".join(f"{part}/" for part in _PARTS if not (folder / part).is_dir())

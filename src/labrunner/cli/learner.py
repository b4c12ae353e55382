"""What a learner types."""

import os
import sys
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

import labrunner

if TYPE_CHECKING:
    from labrunner.cli.console import Console

app = typer.Typer(
    help="Hands-on backend labs: start one, edit it, and have it graded against real servers.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    # Rich costs 60 ms at every start and would read a learner's text as markup.
    rich_markup_mode=None,
)


class Backend(StrEnum):
    """How services are started."""

    AUTO = "auto"
    CONTAINERS = "containers"
    EMBEDDED = "embedded"
    EXTERNAL = "external"


BackendOption = Annotated[
    Backend,
    typer.Option(
        help="containers (Docker), embedded (local processes), external (a URL given), or the best there is."
    ),
]


@app.callback(invoke_without_command=True)
def _options(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and exit.", is_eager=True)
    ] = False,
) -> None:
    if version:
        _console().write(f"labrunner {labrunner.__version__}")
        raise typer.Exit


@app.command("list")
def list_labs(
    phase: Annotated[int | None, typer.Option(help="Only this phase of the roadmap.", min=0)] = None,
    json: Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")] = False,
) -> None:
    """Show the roadmap: every phase, its topics, and the lab of each."""
    from labrunner import catalogue
    from labrunner.errors import UsageError

    roadmap = catalogue.roadmap(_root())
    shown = [each for each in roadmap.phases if phase in {None, each.number}]
    if not shown:
        numbers = ", ".join(str(each.number) for each in roadmap.phases)
        raise UsageError(f"there is no phase {phase} in this catalogue", hint=f"its phases are {numbers}")
    if json:
        _console().json({"phases": [asdict(each) for each in shown]})
    else:
        _console().roadmap(roadmap, phase)


@app.command()
def start(
    slug: Annotated[str, typer.Argument(help="The lab, as `labrunner list` names it.")],
    to: Annotated[Path | None, typer.Option(help="The folder to make; ./SLUG when left out.")] = None,
) -> None:
    """Make a folder with a lab's files, ready to be edited."""
    from labrunner import catalogue, workspace

    lab = catalogue.find(_root(), slug)
    made = workspace.create(lab, to or Path(slug))
    _console().started(lab, made, Path.cwd())


@app.command()
def grade(
    path: Annotated[
        Path, typer.Argument(help="The lab's folder, any folder inside it, or a tar or zip of it.")
    ] = Path(),
    backend: BackendOption = Backend.AUTO,
    every_stage: Annotated[
        bool, typer.Option("--all", help="Grade every stage, also after one that fails.")
    ] = False,
    seed: Annotated[
        int | None, typer.Option(help="Draw the same inputs as the run that printed this.", min=0)
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="The report, as JSON, on stdout.")] = False,
    junit: Annotated[Path | None, typer.Option(help="Write the report as JUnit XML to this file.")] = None,
) -> None:
    """Grade a lab's folder: which behaviours hold, what was expected, what was seen."""
    from labrunner import catalogue, report
    from labrunner.cli import files, replays, submissions
    from labrunner.grading.run import Request, grade_submission

    console = _console()
    with submissions.opened(path) as (found, details):
        lab = catalogue.find(_root(), found.slug)
        request = Request(lab, found, backend.value, every_stage=every_stage, seed=seed, environ=os.environ)
        judged = grade_submission(request, console.progress)
        if details is not None:
            files.write(details, report.to_json_text(judged))
            replays.write(found.folder, judged)
    if junit is not None:
        files.write(junit, report.to_junit(judged))
    if json:
        console.json(report.to_json(judged))
    else:
        console.report(judged, details)
    raise typer.Exit(report.exit_status(judged))


@app.command()
def demo(backend: BackendOption = Backend.AUTO) -> None:
    """Grade a lab's untouched starter and its reference solution, and leave nothing behind."""
    from labrunner import catalogue
    from labrunner.cli import demonstration

    demonstration.run(catalogue.find(_root(), demonstration.SLUG), backend.value, os.environ, _console())


services = typer.Typer(help="The warm servers behind the labs.", no_args_is_help=True, rich_markup_mode=None)
app.add_typer(services, name="services")


@services.command("stop")
def stop_services() -> None:
    """End every warm server now, instead of after half an hour without use."""
    from labrunner.services import stop_all

    count = stop_all(os.environ)
    _console().say(f"stopped {count} {'server' if count == 1 else 'servers'}")


@services.command("shell")
def service_shell(
    service: Annotated[str, typer.Argument(help="The service, as the lab names it: postgres.")],
    path: Annotated[Path, typer.Argument(help="The lab's folder, or any folder inside it.")] = Path(),
    backend: BackendOption = Backend.AUTO,
) -> None:
    """Open the service's own client on a fresh copy of the lab's data, as the role your files run as."""
    from labrunner import catalogue, workspace
    from labrunner.errors import UsageError
    from labrunner.services import broker

    lab = catalogue.find(_root(), workspace.find(path).slug)
    if service not in {spec.name for spec in lab.services}:
        names = ", ".join(spec.name for spec in lab.services) or "none"
        raise UsageError(f"{lab.slug} has no service {service}", hint=f"its services are: {names}")
    with broker(lab.services, backend.value, os.environ, _console().progress) as opened:
        status = opened.shell(service)
    raise typer.Exit(status)


def _root() -> Path:
    from labrunner import catalogue

    return catalogue.root(os.environ.get("LABRUNNER_CATALOGUE"))


def _console() -> "Console":
    from labrunner.cli.console import Console

    return Console.of(os.environ, sys.stdout, sys.stderr)

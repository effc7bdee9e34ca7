"""``bench fleet run`` and ``bench fleet status``: one suite on many machines."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bench.cli.from_options import from_options
from bench.cli.output import show
from bench.options.fleet import FleetOptions
from bench.options.option import several

app = typer.Typer(
    name="fleet",
    help="Measure one suite on many machines, and compare them: on a Ray cluster, or on this machine alone.",
    no_args_is_help=True,
)


@from_options
def run(
    options: FleetOptions,
    out: Annotated[
        Path | None, typer.Option(help="Folder for NODE/run.json and report.md.  \\[default: runs/fleet-SUITE]")
    ] = None,
) -> None:
    """Make one complete run on each node of a Ray cluster, and compare them.

    Each node has the model to itself; Ray places the runs and carries their files. The same command goes on with what
    is missing. The exit code is 1 if a node did not finish or a row failed.
    """
    from bench.fleet.runner import run as run_fleet
    from bench.report.fleet import status
    from bench.worker.user.model import SUITE, is_own

    models: list[str] = several(options.models)
    suite = SUITE if any(map(is_own, models)) else options.suite
    folder = out or Path("runs") / f"fleet-{suite}"
    done = run_fleet.with_options(options.replaced(out=folder))
    show(status(done.fleet).markdown())
    show(f"\n{folder / 'report.md'} compares them, {folder / 'NODE' / 'run.json'} has every sample.")
    raise typer.Exit(any(node.state != "finished" or node.failed_rows for node in done.fleet.nodes))


def status(
    out: Annotated[Path, typer.Option(help="The folder of the fleet.")],
) -> None:
    """Say what each node is at, and since when; another 'bench fleet run' may be at work."""
    from bench.core.errors import RequestError
    from bench.fleet.folder import FleetFolder
    from bench.report.fleet import status as table

    folder = FleetFolder(out)
    fleet = folder.fleet()
    if fleet is None:
        raise RequestError(f"{out} is not the folder of a fleet; name the one that was given to 'bench fleet run'.")
    show(table(fleet).markdown())
    if not folder.has_driver() and any(node.state in ("waiting", "running") for node in fleet.nodes):
        show("\nNo driver is at work; the same 'bench fleet run' goes on.")


app.command("run")(run)
app.command("status")(status)

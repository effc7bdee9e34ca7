"""``bench.fleet.run``: one suite on every node of a cluster, and what the machines say together."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from bench.core.errors import RequestError, RunFileError
from bench.core.progress import Bars, display
from bench.core.units import counted
from bench.fleet.cargo import Shipment, prepare
from bench.fleet.cluster import connected
from bench.fleet.drive import Drive
from bench.fleet.executor import Executor, Job
from bench.fleet.folder import RUN_FILE, FleetFolder
from bench.fleet.package import dependencies
from bench.fleet.ray_executor import RayExecutor
from bench.options.fleet import FleetOptions
from bench.options.option import several
from bench.options.run import SUPPLIED_ONLY
from bench.options.signature import from_options
from bench.report import fleet as report
from bench.results.fleet import Fleet
from bench.results.run import Run
from bench.results.run_spec import RunSpec
from bench.running.plan import plan
from bench.running.run_folder import LIMITS
from bench.worker.user.model import user_models

MODULE = "bench.fleet.node_run"


@dataclass(frozen=True)
class FleetRun:
    """What came of a fleet."""

    fleet: Fleet
    """Each node's state, and why those that did not finish did not."""
    runs: Mapping[str, Run]
    """By node, the unfinished ones too."""


@from_options(FleetOptions)
def run(options: FleetOptions) -> FleetRun:
    """Make one complete run on each node of a Ray cluster, and compare them in the folder ``out``.

    Each node's run file is in ``out/NODE/run.json`` as it grows. Nodes that have finished are not measured again, so
    the same call goes on where an interrupted one stopped. All get the weights, the data and the files of this
    machine. Raises ``bench.QuantbenchError`` for a request that makes no sense, or that no node can carry out.
    """
    if options.out is None:
        raise RequestError("a fleet needs a folder for its run files; give out.")
    of_user = user_models(several(options.models), options.parts, options.given(SUPPLIED_ONLY))
    spec = plan(options, of_user)
    folder = FleetFolder(Path(options.out))
    with folder.locked(), Bars(display(options.progress)).live() as bars:
        before = _same_request(folder, spec)
        with connected(options.address, bars):
            shipment = prepare(spec, of_user, options, bars)
            fleet = _begun(folder, spec, shipment, before)
            executor = RayExecutor(shipment.parcels, shipment.package, dependencies())
            fleet = carry_out(executor, folder, fleet, shipment, options.deadline_s, bars)
        done = FleetRun(fleet, folder.runs(fleet))
        report.write(fleet, done.runs, folder.path)
    require_some(fleet)
    return done


def carry_out(
    executor: Executor, folder: FleetFolder, fleet: Fleet, shipment: Shipment, deadline_s: float, bars: Bars
) -> Fleet:
    """Let each node do what is missing of its run; raises ``RequestError`` where there is no node."""
    nodes = executor.nodes()
    if not nodes:
        raise RequestError("no node of the cluster has cores for work; start Ray on one with 'ray start --address …'.")
    finished = {one.name for one in fleet.nodes if one.state == "finished" and folder.run_file(one.name).exists()}
    missing = [node for node in nodes if node.name not in finished]
    if len(missing) < len(nodes):
        bars.say(f"{counted(len(nodes) - len(missing), 'node')} finished before")
    request = shipment.request.model_dump(mode="json")

    def job(name: str) -> Job:
        before = folder.before(name)
        return Job(MODULE, request, [RUN_FILE], {} if before is None else {RUN_FILE: before})

    return Drive(executor, folder, fleet, job, deadline_s, bars).run(missing)


def _same_request(folder: FleetFolder, spec: RunSpec) -> Fleet | None:
    """Return the fleet that the folder has; raises ``RunFileError`` if it was asked for something else."""
    before = folder.fleet()
    if before is None:
        return None
    differing = [
        f"{name} {getattr(before.spec, name)!r}, now {getattr(spec, name)!r}"
        for name in RunSpec.model_fields
        if name not in LIMITS and getattr(before.spec, name) != getattr(spec, name)
    ]
    if before.quantbench != version("quantbench"):
        differing.append(f"quantbench {before.quantbench}, now {version('quantbench')}")
    if differing:
        raise _other(folder, differing)
    return before


def _begun(folder: FleetFolder, spec: RunSpec, shipment: Shipment, before: Fleet | None) -> Fleet:
    """Return the fleet to go on with; raises ``RunFileError`` if rows that are there are of other weights or data."""
    content = shipment.identity
    if before is not None:
        if before.content != content and any(node.rows for node in before.nodes):
            raise _other(folder, ["other weights, data or files of yours"])
        return before.model_copy(update={"content": content})
    return Fleet(
        quantbench=version("quantbench"),
        created=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        spec=spec,
        training_isa=shipment.request.training_isa,
        content=content,
    )


def _other(folder: FleetFolder, differing: Sequence[str]) -> RunFileError:
    return RunFileError(
        f"{folder.path} has a fleet with other settings ({'; '.join(differing)}); name another folder with --out."
    )


def require_some(fleet: Fleet) -> None:
    """Raise ``RequestError`` if no node has a single row: then its own reason is what the user must hear."""
    if any(node.rows for node in fleet.nodes):
        return
    reasons = dict.fromkeys(f"{node.name}: {node.reason}" for node in fleet.nodes)
    raise RequestError(f"no node could measure anything ({'; '.join(list(reasons)[:3])}).")

"""Under which conditions a run was measured: hardware, settings, data and trainings."""

from __future__ import annotations

from collections.abc import Sequence

from bench.core.units import MISSING, counted, gibibytes, percent
from bench.report.blocks import Listing
from bench.report.tables import Figure, Table
from bench.results.machine import Machine
from bench.results.provenance import Training
from bench.results.run import Run


def hardware(machine: Machine) -> Table:
    """Return what is known of a machine."""
    cores = f"{machine.logical_cores or 'unknown'} logical, {machine.physical_cores or 'unknown'} physical"
    return Table(
        ["", ""],
        [
            ["CPU", machine.cpu],
            ["Instruction sets", instruction_sets(machine.isa, machine.isa_limit) or "none of those that matter here"],
            ["Cores", cores],
            *([["CPU quota", f"{machine.cpu_quota:.3g} cores"]] if machine.cpu_quota else []),
            ["Memory", gibibytes(machine.memory_bytes) if machine.memory_bytes else "unknown"],
            ["Accelerators", ", ".join(machine.accelerators) or "none"],
            ["System", f"{machine.os} on {machine.architecture}"],
            ["Python, torch", f"{machine.python}, {machine.torch}"],
            ["Quantized engines", ", ".join(machine.quantized_engines) or "none"],
            ["Active by default", machine.quantized_engine],
        ],
    )


def instruction_sets(isa: Sequence[str], limit: str) -> str:
    """Return the instruction sets that were used, and whether the CPU has more; empty for none that matter."""
    return ", ".join(isa) + (f" (limited by --isa {limit})" if limit else "")


def settings(run: Run) -> Table:
    """Return what was asked for."""
    given = run.settings
    budget = (
        f"{given.budget_s:g} s a model"
        if given.budget_s
        else "as many processes as the precision takes, at most twice the least"
    )
    cores = ", ".join(map(str, given.pinned_cores))
    asked: list[list[object]] = [
        ["Precision, budget", f"±{percent(given.precision, 1)} of a speed-up; {budget}"],
        ["Seed", str(given.seed)],
        ["Data asked for", given.data],
    ]
    if given.training_precision != "auto":
        asked.append(["Training precision asked for", given.training_precision])
    if given.training_device is not None:
        asked.append(["Training device asked for", given.training_device])
    return Table(
        ["", ""],
        [
            ["Models", ", ".join(given.models)],
            [
                "Device, threads",
                f"{given.device}, {given.threads}" + _tf32(given.tf32) + (f", on core {cores}" if cores else ""),
            ],
            ["Quantized engine", _engine(run)],
            ["Batch sizes", ", ".join(map(str, given.batch_sizes))],
            ["Runs", f"{given.runs}, each the mean over its share of the rounds"],
            *(asked if run.timed_by == "bench" else []),
            ["Measured", f"{run.created} with quantbench {run.quantbench}"],
        ],
    )


def _tf32(used: bool | None) -> str:
    return "" if used is None else f", TF32 {'on' if used else 'off'}"


def _engine(run: Run) -> str:
    engine = run.settings.engine
    known = run.machine.quantized_engines
    return engine if engine in known or known == ["unknown"] else f"{engine}, which this torch does not have"


def data(run: Run) -> Listing:
    """Return where each task's data came from."""
    items = []
    for source in run.data:
        what = (
            f"**{source.title}** ({source.kind}): {source.origin}; {source.train_examples:,} training and "
            f"{source.test_examples:,} test examples; fingerprint `{source.fingerprint}`. {source.citation}."
            if source.kind != "own"
            else f"**{source.title}**: {source.origin}."
            if not run.settings.inputs
            else f"**{source.title}** (your model), inputs: {source.origin}; fingerprint of its files "
            f"`{source.fingerprint}`. Calibrated on: {run.settings.calibrate or 'the example inputs'}."
        )
        items.append((what, [f"Why not the real set: {source.note}."] if source.note else []))
    return Listing(items)


def training(run: Run) -> Table:
    """Return the trainings that the rows rest on."""
    cells = [
        [
            one.model,
            one.description,
            one.precision,
            f"{one.recipe.get('optimizer', MISSING)}, lr {one.recipe.get('learning_rate', MISSING)}",
            one.recipe.get("batch_size", MISSING),
            one.recipe.get("epochs", MISSING),
            Figure(f"{one.seconds:.1f} s, {_processor(one, run.machine)}", one.seconds),
            f"`{one.recipe_hash}`",
        ]
        for one in run.trainings
    ]
    return Table(["Model", "Network", "Trained in", "Optimizer", "Batch", "Epochs", "Time", "Recipe"], cells)


def _processor(training: Training, machine: Machine) -> str:
    """Return what a training had of which processor, which is named where the machine's CPU is another."""
    if training.device != "cpu":
        return training.processor or training.device
    elsewhere = f" of {training.processor}" if training.processor not in ("", machine.cpu) else ""
    return counted(training.threads, "thread") + elsewhere

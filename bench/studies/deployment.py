"""A folder that runs a variant without quantbench: verified by running it so, before it is put in its place."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from pathlib import Path
from typing import Final

from bench.core.errors import RequestError, WorkerError
from bench.core.files import write_atomically
from bench.results.evaluation import Evaluation
from bench.running.one_variant import OneVariant
from bench.runtimes.deployment import EXAMPLE, PROGRAM
from bench.studies import deployment_readme
from bench.studies.deployment_readme import Export
from bench.tasks.temporary import temporary_folder
from bench.worker.messages import VARIANT_HOST, DeployedFacts, VariantFacts
from bench.worker.process import Worker

README: Final = "README.md"
OURS: Final = {PROGRAM, EXAMPLE, README}
MODEL: Final = "model."
"""How the names of the files start that a runtime loads."""
TIMEOUT_S: Final = 600
ROUNDING: Final = 1e-4
"""Relative error that float32 sums of another order may have in a network."""
_CHECK: Final = """
import json, runpy, sys
folder, probe = sys.argv[1:]
sys.modules["bench"] = None
import numpy as np
sys.argv = [folder + "/predict.py"]
predict = runpy.run_path(sys.argv[0], run_name="__main__")["predict"]
errors = []
for path in (folder + "/example.npz", probe):
    given = np.load(path)
    outputs = predict(*(given[name] for name in given.files if name.startswith("input")))
    expected = [given[name] for name in given.files if name.startswith("output")]
    for output, other in zip(outputs, expected, strict=True):
        same = np.array_equal(output, other, equal_nan=True)
        errors.append(0.0 if same else float(np.linalg.norm(output.astype(float) - other) / np.linalg.norm(other)))
print(json.dumps(max(errors)))
"""
"""Runs the program as a user would, where quantbench cannot be imported, and lets it answer more examples."""


def require_place(folder: Path, device: str) -> None:
    """Raise ``RequestError`` for a place that holds something else, before anything is trained."""
    if device != "cpu":
        raise RequestError(f"files for a runtime are for the CPU, not for {device}; leave --device or --runtime out.")
    if folder.is_file():
        raise RequestError(f"{folder} is a file; name a folder for --out.")
    names = {path.name for path in folder.iterdir()} if folder.is_dir() else set()
    others = sorted(name for name in names - OURS if not name.startswith(MODEL) or PROGRAM not in names)
    if others:
        raise RequestError(f"{folder} holds other files ({', '.join(others[:3])}); name another folder with --out.")


def deploy(variant: OneVariant, target: Path) -> VariantFacts:
    """Write the folder ``target``; raises ``WorkerError`` if the program gives other answers than the variant."""
    request = variant.request
    title = f"{variant.name} as {request.key.technique} on {request.key.runtime}"
    show = variant.bars.stage(f"export {variant.name} as {request.key}")
    maker = Worker(VARIANT_HOST)
    with temporary_folder(target.parent) as staging:
        try:
            show(0, 3)
            facts: VariantFacts = maker.call("build", request)
            probe = variant.folder / "probe.npz"
            deployed: DeployedFacts = maker.call("deploy", staging, title, probe)
            show(1, 3)
            evaluation: Evaluation = maker.call("evaluate")
            show(2, 3)
            error = verify(staging, probe, exact=deployed.exact)
            export = Export(title, variant.machine, request.threads, facts, deployed, evaluation, error)
            text = deployment_readme.render(export, staging)
            write_atomically(staging / README, text)
            show(3, 3)
            _put(staging, target)
        finally:
            maker.close()
    size = sum((target / name).stat().st_size for name in deployed.files)
    return dataclasses.replace(facts, deploy_bytes=size)


def verify(folder: Path, probe: Path, *, exact: bool) -> float:
    """Run the program on its example and on those in ``probe``, and return how far its answers are from theirs.

    That is the largest relative error of an output (root mean square); only without ``exact`` may it be one of
    rounding. Raises ``WorkerError`` for other answers.
    """
    command = [sys.executable, "-I", "-c", _CHECK, str(folder.resolve()), str(probe)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=TIMEOUT_S, cwd=probe.parent)
    except subprocess.TimeoutExpired as error:
        raise WorkerError(f"{PROGRAM} did not answer within {TIMEOUT_S} s") from error
    if done.returncode:
        last = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
        raise WorkerError(f"{PROGRAM} cannot run what was exported: {last}")
    off = float(json.loads(done.stdout.splitlines()[-1]))
    if not off <= (0 if exact else ROUNDING):  # NaN is not either
        raise WorkerError(f"{PROGRAM} gives other answers than the variant, {off:.2g} off (relative error)")
    return off


def _put(staging: Path, target: Path) -> None:
    """Move the files into place; those of an earlier export there go."""
    target.mkdir(parents=True, exist_ok=True)
    names = {path.name for path in staging.iterdir()}
    for path in target.iterdir():
        if path.name not in names:
            path.unlink()
    for name in sorted(names):
        (staging / name).replace(target / name)

"""ResNet-20 on CIFAR-10 at low bits, each training from the committed float checkpoint or from a wider one, in turn.

    python -m tests.benchmarks.low_bit_resnet20 [--data-root DIR] [--out DIR] [--only TECHNIQUE] [--epochs N]
        [--device cuda]
    python -m tests.benchmarks.low_bit_resnet20 --table | --keep-state

Days of one core at the papers' lengths, so it can be stopped at any time and goes on: a training that has its file in
``--out`` is not made again, and one that is unfinished goes on at its last epoch, from the cache or from a state that
``--keep-state`` put into ``--out``, on another machine with the same torch too. One thread a core it may use:
``OMP_NUM_THREADS=1 taskset -c 1 nice -n 19`` in front keeps it to one. On a GPU several processes share it, each with
an ``--only``, an ``--out`` and a cache of its own. ``--table`` writes README.md from the files.
"""

from __future__ import annotations

import argparse
import datetime
import json
import shutil
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import safetensors
import torch

from bench.core.files import write_atomically
from bench.core.units import MISSING, percent
from bench.core.variant_key import BASELINE
from bench.measuring.machine import usable_cores
from bench.report.tables import table
from bench.storage.checkpoint_store import CheckpointStore
from bench.studies.train import TrainedModel, train
from bench.tasks.dataset import Split
from bench.tasks.recipes import RECIPES
from bench.tasks.source import data_folder
from bench.tasks.task import TASKS
from bench.tasks.training.resume import KEY
from bench.techniques.base import TECHNIQUES
from tests.benchmarks.low_bit_plan import PLAN, RANDOM, Planned

REPORTS = Path(__file__).parent.parent.parent / "reports"
FLOAT = REPORTS / "resnet20"
MODEL = "cifar10/resnet20"
TRIES = 3
"""Of one training: a machine that is suspended for an hour makes its process count as hung."""
LOOK_EVERY_S = 15.0
"""Between looks for a new state of the training."""
POINTS = 25
"""Of a curve at most: states that are evaluated, evenly spread over those that were kept."""
BATCH = 250


def main() -> None:
    """Train what is not trained yet, or do what else is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-root", type=Path, default=None, help="default: $QUANTBENCH_DATA, else the user's cache")
    parser.add_argument("--out", type=Path, default=REPORTS / "lowbit-resnet20")
    parser.add_argument("--only", action="append", help="a technique or label of the plan; repeatable")
    parser.add_argument("--epochs", type=int, help="of each training, in the place of the plan's")
    parser.add_argument("--device", default="cpu", help="cpu or cuda, where the steps are compiled")
    parser.add_argument("--table", action="store_true", help="write README.md and train nothing")
    parser.add_argument("--keep-state", action="store_true", help="copy the unfinished state into --out")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    if options.keep_state:
        for state in _states():
            shutil.copyfile(state, options.out / state.name)
    elif not options.table:
        _restore_states(options.out)
        for planned in PLAN:
            if options.only is None or planned.key in options.only:
                planned = replace(planned, epochs=options.epochs or planned.epochs)
                _carry_out(planned, options.out, data_folder(options.data_root), options.device)
    write_atomically(options.out / "README.md", render(options.out) + "\n")


def _carry_out(planned: Planned, out: Path, root: Path, device: str) -> None:
    """Train unless it is done, evaluate its epochs, write the record, the checkpoint and the log."""
    if (out / f"{planned.name}.json").exists():
        return
    start = _start_of(planned, out)
    if start is None and planned.start != RANDOM:
        _log(out, f"{planned.key}: left out, {planned.start} is not trained")
        return
    before = start.name if start else RANDOM
    _log(out, f"{planned.key}: {planned.epochs} epochs, {planned.recipe}, from {before}, on {device}")
    for attempt in range(TRIES):
        kept = _Kept(planned, out)
        [trained] = train(
            MODEL,
            [planned.technique],
            epochs=planned.epochs,
            recipe=planned.recipe,
            batch_size=planned.batch_size,
            start=start,
            teacher_weight=planned.teacher_weight,
            compiled=device == "cuda",
            device=device,
            data="real",
            data_root=root,
            progress=False,
        )
        kept.stop()
        if not trained.reason:
            break
        _log(out, f"{planned.key}: try {attempt + 1} failed: {trained.reason}")
    if trained.accuracy is None:
        return
    if planned.is_needed(out):
        shutil.copyfile(trained.checkpoint, out / trained.checkpoint.name)
    content: dict[str, Any] = {
        "trained": json.loads(trained.model_dump_json()),
        "start": before,
        "device": torch.cuda.get_device_name() if device == "cuda" else device,
        "torch": torch.__version__,
    }
    content["accuracy_by_epoch"] = {
        str(epochs): _correct(path, planned, root, device) for epochs, path in evenly(kept.by_epoch())
    }
    write_atomically(out / f"{planned.name}.json", json.dumps(content, indent=1) + "\n")
    (out / trained.checkpoint.with_suffix(".training").name).unlink(missing_ok=True)
    for other, record in _records(out):
        if not other.is_needed(out):
            (out / str(record["trained"]["checkpoint"])).unlink(missing_ok=True)
    _log(out, f"{planned.key}: {percent(trained.accuracy.correct / trained.accuracy.total)}")
    write_atomically(out / "README.md", render(out) + "\n")


def evenly(states: dict[int, Path]) -> list[tuple[int, Path]]:
    """Return at most ``POINTS`` of the states in their order, the last among them."""
    step = -(-len(states) // POINTS)
    return sorted(states.items())[::-1][:: max(1, step)][::-1]


def _start_of(planned: Planned, out: Path) -> Path | None:
    """Return the checkpoint that a training starts from; ``None`` if it is not there yet."""
    if planned.start == RANDOM:
        return None
    if not planned.start:
        return next(FLOAT.glob("*.safetensors"))
    before = next(other for other in PLAN if other.key == planned.start)
    record = out / f"{before.name}.json"
    if not record.exists():
        return None
    return out / str(json.loads(record.read_text(encoding="utf-8"))["trained"]["checkpoint"])


def _slug(technique: str) -> str:
    """Return how the names of a technique's checkpoints begin, by the rule of ``bench.checkpoint``."""
    words = "" if technique == BASELINE.technique else TECHNIQUES.get(technique).name
    words = "".join(c if c.isalnum() else "-" for c in words) + ("-" if words else "")
    return f"{MODEL.replace('/', '-')}-{words}bfloat16"


def _states() -> list[Path]:
    return sorted(CheckpointStore.of_user().folder.glob(f"{MODEL.replace('/', '-')}-*.training"))


def _restore_states(out: Path) -> None:
    """Put states that came with the repository where a training looks for its own, unless it has gone on since."""
    folder = CheckpointStore.of_user().folder
    folder.mkdir(parents=True, exist_ok=True)
    for state in out.glob("*.training"):
        if not (folder / state.name).exists():
            shutil.copyfile(state, folder / state.name)


def _epochs_of(state: Path) -> list[list[float]]:
    """Return loss and seconds of each epoch behind a state."""
    with safetensors.safe_open(state, framework="pt") as file:
        history: list[list[float]] = json.loads(file.metadata()[KEY])["history"]
    return history


class _Kept:
    """Keeps each state of a training in the cache as it comes, and logs its epoch; the training is elsewhere."""

    def __init__(self, planned: Planned, out: Path) -> None:
        self._planned, self._out = planned, out
        self._folder = CheckpointStore.of_user().folder.parent / "epochs" / planned.name
        self._folder.mkdir(parents=True, exist_ok=True)
        self._since_s = time.time()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the watch."""
        self._stopped.set()
        self._thread.join()

    def by_epoch(self) -> dict[int, Path]:
        """Return the states kept, by the epochs behind them."""
        return {int(path.stem): path for path in self._folder.glob("*.training")}

    def _watch(self) -> None:
        while not self._stopped.wait(LOOK_EVERY_S):
            for state in _states():
                # Another training of the same technique may have been left unfinished.
                if state.name.startswith(_slug(self._planned.technique)) and _modified_s(state) >= self._since_s:
                    self._keep(state)

    def _keep(self, state: Path) -> None:
        try:
            history = _epochs_of(state)
        except OSError:  # the training has ended between the two looks
            return
        kept = self._folder / f"{len(history)}.training"
        if not kept.exists():
            shutil.copyfile(state, kept)
            loss, seconds = history[-1]
            _log(self._out, f"{self._planned.key}: epoch {len(history)}, loss {loss:.4f}, {seconds:.0f} s so far")


def _modified_s(state: Path) -> float:
    """Return when a state was written; never, if the training has ended since."""
    try:
        return state.stat().st_mtime
    except OSError:
        return 0.0


def _correct(state: Path, planned: Planned, root: Path, device: str) -> int:
    """Return how many test images the network of a state answers right, its weights quantized as in training."""
    torch.set_num_threads(usable_cores())
    task = TASKS.get("cifar10")
    spec = next(spec for spec in task.models if spec.name == "resnet20")
    technique: Any = TECHNIQUES.get(planned.technique)
    network = spec.build() if planned.technique == BASELINE.technique else technique.prepare(spec.build())
    with safetensors.safe_open(state, framework="pt") as file:
        names = [name for name in file.keys() if name.startswith("module.")]  # noqa: SIM118 — not a mapping
        weights = {name.removeprefix("module."): file.get_tensor(name) for name in names}
    network.load_state_dict(weights)
    network.to(device).eval()
    test = _test(root).to(torch.device(device))
    correct = 0
    with torch.inference_mode():
        for index in torch.arange(len(test), device=device).split(BATCH):
            part = test[index]
            correct += int((network(task.inputs(spec, part)).argmax(1) == part.labels).sum())
    return correct


@cache
def _test(root: Path) -> Split:
    return TASKS.get("cifar10").load("real", root).test


def _log(out: Path, line: str) -> None:
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    with (out / "log.txt").open("a", encoding="utf-8") as file:
        file.write(f"{now} {line}\n")


def _records(out: Path) -> Iterator[tuple[Planned, dict[str, Any]]]:
    for planned in PLAN:
        path = out / f"{planned.name}.json"
        if path.exists():
            yield planned, json.loads(path.read_text(encoding="utf-8"))


def render(out: Path) -> str:
    """Return README.md: what was reached beside what is published, the recipes, and what is not trained."""
    [float_record] = json.loads((FLOAT / "training.json").read_text(encoding="utf-8"))
    of_float = TrainedModel.model_validate(float_record)
    assert of_float.accuracy is not None
    float_share = of_float.accuracy.correct / of_float.accuracy.total
    done = dict(_records(out))
    rows = []
    for planned in PLAN:
        start = {"": "float", RANDOM: RANDOM}.get(planned.start, f"`{planned.start}`")
        taught = f", taught by it (λ {planned.teacher_weight:g})" if planned.teacher_weight else ""
        label = f" ({planned.label})" if planned.label else ""
        cells: list[object] = [f"`{planned.technique}`{label}", start + taught]
        if planned in done:
            trained = TrainedModel.model_validate(done[planned]["trained"])
            assert trained.accuracy is not None
            share = trained.accuracy.correct / trained.accuracy.total
            lost = f"{100 * (float_share - share):.2f}".replace("-", "−")
            beside = f"{100 * share - planned.published:+.2f}".replace("-", "−")
            cells += [
                planned.recipe,
                trained.recipe["epochs"],
                done[planned].get("device", "cpu").removeprefix("NVIDIA ").replace("cpu", "CPU core"),
                percent(share),
                lost,
                f"{planned.published:.2f} %",
                beside,
            ]
        else:
            cells += [planned.recipe, planned.epochs, MISSING, "not trained", MISSING]
            cells += [f"{planned.published:.2f} %", MISSING]
        rows.append(cells)
    header = [
        "Technique",
        "Starts from",
        "Recipe",
        "Epochs",
        "On",
        "Accuracy",
        "below float",
        "Published",
        "points beside it",
    ]
    recipes = "\n".join(
        f"- `{name}`: {RECIPES.get(name).optimizer}, learning rate {RECIPES.get(name).learning_rate:g}, weight decay "
        f"{RECIPES.get(name).weight_decay:g}, {RECIPES.get(name).schedule}. {RECIPES.get(name).note}"
        for name in dict.fromkeys(planned.recipe for planned in PLAN)
    )
    curves = "\n".join(
        f"- `{planned.key}`: " + ", ".join(_curve(record)) for planned, record in done.items() if _curve(record)
    )
    return f"""# ResNet-20 on CIFAR-10 at low bits

{table(rows, header)}

Accuracy on all 10,000 test images after the last epoch, one seed (0), so differences below half a point are within
chance. The float network is [reports/resnet20](../resnet20), 60 epochs, {percent(float_share)}. Published figures are
of 200 epochs from random weights, often the best epoch on the test set. Each of ours is trained further from the
network in the second column, for the epochs in the fourth; its first and last layers and 1×1 projections stay in
float32. Rows named `…-2bit` and `…-1bit` are the chain of teacher assistants 32 → 2 → 1 and its controls of equal
epochs; beside them stand figures of other authors' chain, whose float network has 89.83 %. The chain and its controls
end within a point of each other, so that with one seed and 12 epochs no gain from the teachers is shown. Made by
`python -m tests.benchmarks.low_bit_resnet20`, which goes on where it was stopped.

{recipes}

PACT's α starts at 3 at 4 bits: of 2, 2.5, 3, 4 and 10 the one with which the quantized float network, not yet trained
further, answered most of 2,048 training images right. Learning rates and decays of the recipes were not compared with
others, and nothing was chosen by the test set. Seconds in the files are wall time on one core that other work shared,
and include times in which the training was suspended; on the H200, that of five trainings at once.

`xnor`'s sign takes the place of the ReLU, so the float network is no good start for it, and the gradient of its weights
is scaled by each channel's mean magnitude (section 3.1), which makes the rate of `warm-1bit` a small one: 64 % after 12
epochs. From random weights with `signs` it ends 5 points below the published figure after 200 epochs. The published
network may differ from ours in what the figure's source does not say.

Accuracies rise to the last epoch, as the rate falls to zero. What more epochs are worth is told by the same training at
two lengths: `dorefa:w1a1` gains 3.4 points from 12 to 200 epochs, some 0.8 for each doubling, and ends a quarter of a
point below the published figure; `pact:w2a2` gains 1.0 from 12 to 100, some 0.3 for each, and ends 0.7 below.

Test accuracy by epoch, read from the states after the training (nothing was chosen by it):

{curves or "none yet."}
"""


def _curve(record: dict[str, Any]) -> list[str]:
    return [f"{epochs}: {correct / 100:.2f}" for epochs, correct in record["accuracy_by_epoch"].items()]


if __name__ == "__main__":
    main()

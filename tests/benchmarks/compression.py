"""How many times smaller the whole file of a network is at 1 bit: convolutions, statistics, names and manifest.

    python -m tests.benchmarks.compression [--epochs 1] [--data-root DIR] [--out reports/compression] | --scores

Each file is exported, rebuilt in another process, and its logits compared to the bit, as ``bench export`` always does.
Training decides nothing about the size but the entropy of the codes, which are stored as they are; so one epoch will
do.
``--scores`` keeps the sizes of the file and counts the scores, which depend on the structure alone, anew.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

import torch

from bench import load_packed
from bench.core.files import write_atomically
from bench.core.units import kilobytes
from bench.measuring.layer_work import layer_work
from bench.measuring.scores import every_rule
from bench.report.tables import table
from bench.studies.export import export
from bench.tasks.task import TASKS
from bench.techniques import base

MODELS = ("cifar10/resnet8", "cifar10/resnet20")
TECHNIQUES = ("fp32", "binaryconnect", "binaryconnect:float16", "bwn", "bwn:float16")
RULES = {
    "course-2025": "course-2025",
    "course-profile, cifar10": "course-profile",
    "micronet-2019, cifar100, fp32": "micronet-2019",
}
"""Names of the rules, and of their columns."""
QUANTIZED = "the 3×3 convolutions but the first"


def measure(epochs: int, root: Path | None) -> list[dict[str, Any]]:
    """Export every variant; return the figures of its file."""
    variants = []
    with tempfile.TemporaryDirectory(prefix="quantbench-") as folder:
        for model in MODELS:
            for technique in TECHNIQUES:
                path = Path(folder) / "packed"
                facts = export(model, path, technique, epochs=epochs, data="real", data_root=root)
                assert load_packed(path)(torch.zeros(1, 3, 32, 32)).shape == (1, 10)
                variants.append(
                    {
                        "model": model,
                        "technique": technique,
                        "file_bytes": path.stat().st_size,
                        "bytes_by_dtype": facts.bytes_by_dtype,
                        "params": facts.params,
                        "scores": scores(model, technique),
                    }
                )
                print(variants[-1], flush=True)
    return variants


def scores(model: str, technique: str) -> dict[str, float]:
    """Return the model's scores after the technique, by the name of their rule; weights do not matter."""
    task, name = model.split("/")
    spec = next(spec for spec in TASKS.get(task).models if spec.name == name)
    chosen = base.TECHNIQUES.get(technique)
    context = base.Context(torch.device("cpu"), "fbgemm", frozenset(), lambda: torch.zeros(1, 3, 32, 32))
    network = chosen.convert(chosen.prepare(spec.build()).eval(), context).module
    return {score.rule: score.value for score in every_rule(layer_work(network, torch.zeros(1, 3, 32, 32)))}


def render(variants: list[dict[str, Any]]) -> str:
    """Return the table: whole files, and what the codes alone come to."""
    whole = {variant["model"]: variant for variant in variants if variant["technique"] == "fp32"}
    rows = []
    for variant in variants:
        base = whole[variant["model"]]
        codes = sum(size for name, size in variant["bytes_by_dtype"].items() if "bit" in name or name == "uint8")
        rows.append(
            [
                variant["model"],
                variant["technique"],
                kilobytes(variant["file_bytes"]),
                f"{base['file_bytes'] / variant['file_bytes']:.1f}×",
                kilobytes(codes) if codes else "–",
                *(f"{variant['scores'][rule]:.4f}" for rule in RULES),
            ]
        )
    header = ["Model", "Technique", "File (kB)", "Smaller than fp32", "Of it codes (kB)", *RULES.values()]
    return (
        f"{table(rows, header)}\n\n"
        f"Whole files, each rebuilt in a fresh process to the same logits. 1 bit: {QUANTIZED}; the first "
        f"convolution, the 1×1 projections, BatchNorm and the last layer are float32, or rounded to float16 with "
        f"`float16`. The scores are those of three rules that must not be compared with each other (lower is better, "
        f"`bench/measuring/scores.py` has them): the course's of 2025, the course's older profile.py, and the MicroNet "
        f"challenge's of 2019 for CIFAR-100 with additions in fp32. Activations are float32, so work falls less than "
        f"storage."
    )


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--data-root", type=Path, default=None)
    parser.add_argument("--out", type=Path, default=Path("reports/compression"))
    parser.add_argument("--scores", action="store_true", help="count the scores anew, and measure nothing")
    options = parser.parse_args()
    if options.scores:
        variants = json.loads((options.out / "compression.json").read_text(encoding="utf-8"))
        variants = [{**variant, "scores": scores(variant["model"], variant["technique"])} for variant in variants]
    else:
        variants = measure(options.epochs, options.data_root)
    text = render(variants)
    print(text)
    write_atomically(options.out / "compression.json", json.dumps(variants, indent=1) + "\n")
    write_atomically(options.out / "compression.md", text + "\n")


if __name__ == "__main__":
    main()

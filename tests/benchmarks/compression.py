"""How many times smaller the whole file of a network is at 1 bit: convolutions, statistics, names and manifest.

    python -m tests.benchmarks.compression [--epochs 1] [--data-root DIR] [--out reports/compression]

Each file is exported, rebuilt in another process, and its logits compared to the bit, as ``bench export`` always does.
Training decides nothing about the size but the entropy of the
codes, which are stored as they are; so one epoch will do.
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
from bench.report.tables import table
from bench.studies.export import export

MODELS = ("cifar10/resnet8", "cifar10/resnet20")
TECHNIQUES = ("fp32", "binaryconnect", "binaryconnect:float16", "bwn", "bwn:float16")
QUANTIZED = "the 3×3 convolutions but the first"


def measure(epochs: int, root: Path | None) -> list[dict[str, Any]]:
    """Export every variant; return the figures of its file."""
    found = []
    with tempfile.TemporaryDirectory(prefix="quantbench-") as folder:
        for model in MODELS:
            for technique in TECHNIQUES:
                path = Path(folder) / "packed"
                facts = export(model, path, technique, epochs=epochs, data="real", data_root=root)
                assert load_packed(path)(torch.zeros(1, 3, 32, 32)).shape == (1, 10)
                found.append(
                    {
                        "model": model,
                        "technique": technique,
                        "file_bytes": path.stat().st_size,
                        "bytes_by_dtype": facts.bytes_by_dtype,
                        "params": facts.params,
                    }
                )
                print(found[-1], flush=True)
    return found


def render(found: list[dict[str, Any]]) -> str:
    """Return the table: whole files, and what the codes alone come to."""
    whole = {each["model"]: each for each in found if each["technique"] == "fp32"}
    rows = []
    for each in found:
        base = whole[each["model"]]
        codes = sum(size for name, size in each["bytes_by_dtype"].items() if "bit" in name or name == "uint8")
        rows.append(
            [
                each["model"],
                each["technique"],
                kilobytes(each["file_bytes"]),
                f"{base['file_bytes'] / each['file_bytes']:.1f}×",
                kilobytes(codes) if codes else "–",
            ]
        )
    header = ["Model", "Technique", "File (kB)", "Smaller than fp32", "Of it codes (kB)"]
    return (
        f"{table(rows, header)}\n\n"
        f"Whole files, each rebuilt in a fresh process to the same logits. 1 bit: {QUANTIZED}; the first "
        f"convolution, the 1×1 projections, BatchNorm and the last layer are float32, or rounded to float16 with "
        f"`float16`."
    )


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--data-root", type=Path, default=None)
    parser.add_argument("--out", type=Path, default=Path("reports/compression"))
    options = parser.parse_args()
    found = measure(options.epochs, options.data_root)
    text = render(found)
    print(text)
    write_atomically(options.out / "compression.json", json.dumps(found, indent=1) + "\n")
    write_atomically(options.out / "compression.md", text + "\n")


if __name__ == "__main__":
    main()

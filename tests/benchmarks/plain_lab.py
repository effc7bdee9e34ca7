"""The lab as a plain script does it: the reference workload that suite_speed.py holds the project against.

Per-sample datasets behind a DataLoader, one model after the other, four techniques, size, accuracy on the
test set, and latency at batch 1 and 64 as mean ± std of 5 runs over 100 batches. Nothing of Quantbench is used.

    python plain_lab.py DATA_ROOT
"""

from __future__ import annotations

import copy
import json
import statistics
import sys
import tempfile
import time
import warnings
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.ao.quantization import get_default_qconfig_mapping, quantize_dynamic
from torch.ao.quantization.quantize_fx import convert_fx, prepare_fx
from torch.utils.data import DataLoader, Dataset
from torchvision import datasets, transforms

warnings.filterwarnings("ignore")
RUNS, BATCHES_PER_RUN, EPOCHS = 5, 100, 2


class Sentences(Dataset[tuple[Tensor, int]]):
    """SST-2 sentences as count vectors, one at a time."""

    def __init__(self, path: Path, vocabulary: dict[str, int]) -> None:
        rows = [line.split("\t") for line in path.read_text(encoding="utf-8").splitlines()[1:]]
        self.rows = [(sentence.split(), int(label)) for sentence, label in rows]
        self.vocabulary = vocabulary

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        words, label = self.rows[index]
        counts = torch.zeros(len(self.vocabulary))
        for word in words:
            if word in self.vocabulary:
                counts[self.vocabulary[word]] += 1
        return counts, label


def mlp(*widths: int) -> nn.Sequential:
    layers: list[nn.Module] = [nn.Flatten()]
    for fan_in, fan_out in pairwise(widths):
        layers += [nn.Linear(fan_in, fan_out), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def train(model: nn.Module, loader: DataLoader[Any]) -> None:
    optimizer = torch.optim.Adam(model.parameters(), lr=0.001)
    for _ in range(EPOCHS):
        for inputs, labels in loader:
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(inputs), labels).backward()
            optimizer.step()


def measure(model: nn.Module, test: Dataset[Any]) -> dict[str, object]:
    with tempfile.TemporaryDirectory() as folder, torch.no_grad():
        torch.save(model.state_dict(), Path(folder) / "temp.p")
        result: dict[str, object] = {"size_bytes": (Path(folder) / "temp.p").stat().st_size}
        answers = [(model(inputs).argmax(1) == labels).sum().item() for inputs, labels in DataLoader(test, 64)]
        result["correct"] = sum(answers)
        for batch_size in (1, 64):
            runs = []
            for _ in range(RUNS):
                loader = iter(DataLoader(test, batch_size, shuffle=True, drop_last=True))
                spent = 0.0
                batches = min(BATCHES_PER_RUN, len(test) // batch_size)  # type: ignore[arg-type]
                for _ in range(batches):
                    inputs, _ = next(loader)
                    start = time.perf_counter()
                    model(inputs)
                    spent += time.perf_counter() - start
                runs.append(spent / batches)
            result[f"latency_b{batch_size}_s"] = (statistics.mean(runs), statistics.stdev(runs))
    return result


def lab(name: str, model: nn.Module, batch_size: int, training: Dataset[Any], test: Dataset[Any]) -> None:
    train(model, DataLoader(training, batch_size, shuffle=True))
    model.eval()
    torch.backends.quantized.engine = "fbgemm"
    example = next(iter(DataLoader(training, batch_size)))[0]
    prepared = prepare_fx(copy.deepcopy(model), get_default_qconfig_mapping("fbgemm"), (example,))
    prepared(example)
    variants = {
        "fp32": model,
        "dynamic-fp16": quantize_dynamic(copy.deepcopy(model), {nn.Linear}, dtype=torch.float16),
        "dynamic-qint8": quantize_dynamic(copy.deepcopy(model), {nn.Linear}, dtype=torch.qint8),
        "static-qint8": convert_fx(prepared),
    }
    for technique, variant in variants.items():
        print(json.dumps({"model": name, "technique": technique} | measure(variant, test)), flush=True)


def main(root: Path) -> None:
    whole = transforms.ToTensor()
    crop = transforms.Compose([transforms.CenterCrop(20), transforms.ToTensor()])
    for name, transform, model, batch_size in (
        ("mnist/lab1", whole, mlp(784, 512, 10), 100),
        ("mnist/lab2", crop, mlp(400, 1024, 1024, 10), 64),
    ):
        sets = [datasets.MNIST(root, train=train, transform=transform) for train in (True, False)]
        lab(name, model, batch_size, *sets)
    lines = (root / "SST-2/train.tsv").read_text(encoding="utf-8").splitlines()[1:]
    counter = Counter(word for line in lines for word in line.split("\t")[0].split())
    for name, limit, hidden, batch_size in (("sst2/lab1", None, (512,), 100), ("sst2/lab2", 5000, (256,) * 3, 64)):
        vocabulary = {word: index for index, (word, _) in enumerate(counter.most_common(limit))}
        texts = [Sentences(root / "SST-2" / file, vocabulary) for file in ("train.tsv", "dev.tsv")]
        lab(name, mlp(len(vocabulary), *hidden, 2), batch_size, *texts)


if __name__ == "__main__":
    main(Path(sys.argv[1]))

"""Models that runtimes build files of, and fresh processes that load them."""

from __future__ import annotations

import copy
import subprocess
import sys
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path

import torch
from torch import Tensor, nn

from bench.core.inputs import Inputs
from bench.core.tensors import digest, tensors_in
from bench.models import MLP, PreActResNet
from bench.runtimes.base import RUNTIMES, Built, Source
from bench.storage.graph_cache import GraphCache
from bench.storage.packed import Origin
from bench.techniques.base import TECHNIQUES, Artifact, Context
from tests.repository import ROOT

VNNI = frozenset({"AVX2", "AVX512-VNNI", "AVX512-BF16"})
"""A CPU on which int8 sums have room."""
AVX2 = frozenset({"AVX2"})
"""One on which they saturate."""
Make = Callable[..., tuple[Built, Path]]


def mlp() -> nn.Module:
    torch.manual_seed(0)
    return MLP(64, [256, 128], 10).eval().requires_grad_(False)


def resnet() -> nn.Module:
    """A pre-activation ResNet whose BatchNorms have seen images: its first convolution has two users."""
    torch.manual_seed(0)
    model = PreActResNet(8, 10)
    with torch.no_grad():
        for _ in range(20):
            model.train()(torch.rand(32, 3, 32, 32))
    return model.eval().requires_grad_(False)


MODELS = {"mlp": mlp(), "resnet": resnet()}


def rows(model: nn.Module, number: int, seed: int = 1) -> Tensor:
    shape = (3, 32, 32) if isinstance(model, PreActResNet) else (64,)
    return torch.rand(number, *shape, generator=torch.Generator().manual_seed(seed))


def source(
    model: nn.Module,
    technique: str,
    folder: Path,
    isa: frozenset[str] = VNNI,
    calibration: Sequence[Tensor] | None = None,
    threads: int = 1,
) -> Source:
    """Return what a runtime builds of; graphs are kept in ``folder``."""
    batches = [Inputs((batch,)) for batch in (calibration or [rows(model, 128, seed=2)])]
    seen = digest(tensor for batch in batches for tensor in batch.tensors)
    known = f"{type(model).__name__} {digest(tensors_in(dict(model.state_dict())))} {seen}"

    def convert() -> Artifact:
        context = Context(torch.device("cpu"), "fbgemm", isa, lambda: batches)
        return TECHNIQUES.get(technique).convert(copy.deepcopy(model), context)

    return Source(
        technique=TECHNIQUES.get(technique),
        convert=convert,
        model=lambda: copy.deepcopy(model),
        inputs=lambda number: Inputs((rows(model, number),)),
        calibration=lambda: batches,
        origin=Origin(model="task/model", technique=technique, engine="fbgemm"),
        cache=lambda: GraphCache(folder / "graphs", known),
        isa=isa,
        threads=threads,
    )


def build(runtime: str, made_of: Source, folder: Path) -> tuple[Built, Path]:
    """Return what was built, and where its file lies."""
    path = folder / f"{runtime}-{made_of.technique.name}-{len(made_of.isa)}.file"
    return RUNTIMES.get(runtime).build(made_of, path), path


def maker(folder: Path) -> Make:
    """Return what builds, for a runtime, a variant of one of ``MODELS``, each once: an export takes seconds."""

    @cache
    def of(runtime: str, name: str, technique: str, isa: frozenset[str]) -> tuple[Built, Path]:
        place = folder / name
        place.mkdir(exist_ok=True)
        return build(runtime, source(MODELS[name], technique, place, isa), place)

    return lambda runtime, name, technique, isa=VNNI: of(runtime, name, technique, isa)


def answers(built: Built, inputs: Tensor) -> Tensor:
    with torch.inference_mode():
        outputs: Tensor = built.executable.outputs(Inputs((inputs,)))
    return outputs.float()


def relative_error(got: Tensor, reference: Tensor) -> float:
    return float((got - reference).norm() / reference.norm())


FRESH = """
import json, os, pathlib, sys, torch
from bench.core.inputs import Inputs
from bench.core.tensors import digest, tensors_in
from bench.runtimes.base import RUNTIMES, Stored
from bench.techniques.base import TECHNIQUES
runtime, technique, path, inputs, threads, cores = sys.argv[1:]
torch.set_num_threads(int(threads))
cores = [int(core) for core in cores.split(",") if core]
stored = Stored(TECHNIQUES.get(technique), pathlib.Path(path), None, int(threads), cores)
executable = RUNTIMES.get(runtime).load(stored)
inputs = Inputs((torch.load(inputs).to(getattr(torch, executable.input_dtype)),))
with torch.inference_mode():
    outputs = executable.outputs(inputs)
    call = executable.bind(inputs)
    call(), call()
cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
print(json.dumps([digest(tensors_in(outputs)), sorted(sys.modules), cores]))
"""


def loaded_afresh(
    runtime: str, technique: str, path: Path, inputs: Tensor, threads: int = 1, cores: str = ""
) -> subprocess.CompletedProcess[str]:
    """Load a file in a process that has built nothing; it prints the digest of its outputs and what it imported."""
    saved = path.with_suffix(".inputs")
    torch.save(inputs, saved)
    return subprocess.run(
        [sys.executable, "-c", FRESH, runtime, technique, str(path), str(saved), str(threads), cores],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )

"""On each runtime, a model in the manner of transformers: inputs by name, a constant, a shared tensor, a dict."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from bench.core.inputs import Inputs
from bench.core.tensors import digest, tensors_in
from bench.runtimes.base import RUNTIMES, Source
from bench.storage.graph_cache import GraphCache
from bench.storage.packed import Origin
from bench.techniques.base import TECHNIQUES, Artifact, Context
from tests.bench.runtimes.sources import AVX2


@dataclasses.dataclass
class Answer:
    logits: Tensor
    loss: Tensor | None = None
    states: tuple[Tensor, ...] = ()


class Classifier(nn.Module):
    """Answers wrongly if names are mixed up."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(60, 16)
        self.hidden = nn.Linear(16, 16)
        self.head = nn.Linear(16, 2)

    def forward(
        self, *, input_ids: Tensor, attention_mask: Tensor, scale: Tensor, loss: bool = True
    ) -> dict[str, Answer | None]:
        embedded = self.embed(input_ids) * attention_mask[:, :, None]
        hidden = torch.relu(self.hidden(embedded.mean(1) * scale))
        if loss:
            raise ValueError("it is called with loss=False")
        return {"loss": None, "answer": Answer(self.head(hidden), states=(hidden,))}


def inputs(size: int) -> Inputs:
    ids = torch.randint(0, 60, (size, 10), generator=torch.Generator().manual_seed(size))
    return Inputs.of({"attention_mask": ids % 2, "input_ids": ids, "scale": torch.tensor(10.0), "loss": False})


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Source]:
    torch.manual_seed(0)
    model = Classifier().eval().requires_grad_(False)
    folder = tmp_path_factory.mktemp("graphs")

    def of(technique: str) -> Source:
        def convert() -> Artifact:
            context = Context(torch.device("cpu"), "fbgemm", AVX2, lambda: [inputs(64)])
            return TECHNIQUES.get(technique).convert(copy.deepcopy(model), context)

        return Source(
            technique=TECHNIQUES.get(technique),
            convert=convert,
            model=lambda: copy.deepcopy(model),
            inputs=inputs,
            calibration=lambda: [inputs(64)],
            origin=Origin(model="own/named", technique=technique, engine="fbgemm"),
            cache=lambda: GraphCache(folder, "named"),
            isa=AVX2,
            threads=1,
        )

    return of


def error_of(runtime: str, made_of: Source, folder: Path) -> float:
    built = RUNTIMES.get(runtime).build(made_of, folder / runtime)
    batch = inputs(5)
    expected = batch.call(made_of.model())
    with torch.inference_mode():
        answered = built.executable.outputs(batch)
        call = built.executable.bind(batch)
        call()
    assert list(answered) == ["loss", "answer"]
    assert (answered["loss"], answered["answer"].loss) == (None, None)
    return float((answered["answer"].logits - expected["answer"].logits).abs().max())


@pytest.mark.parametrize(
    ("runtime", "technique", "most"),
    [
        ("eager", "fp32", 0.0),
        ("onnxruntime", "fp32", 1e-5),
        ("onnxruntime", "static-qint8", 0.1),
        ("openvino", "fp32", 1e-5),
        pytest.param("openvino", "static-qint8", 0.1, marks=pytest.mark.slow),
        pytest.param("inductor", "fp32", 1e-5, marks=pytest.mark.slow),
        pytest.param("inductor", "static-qint8", 0.1, marks=pytest.mark.slow),
    ],
)
def test_a_runtime_is_given_inputs_by_name(
    source: Callable[[str], Source], tmp_path: Path, runtime: str, technique: str, most: float
) -> None:
    if reason := RUNTIMES.get(runtime).missing():
        pytest.skip(reason)
    assert error_of(runtime, source(technique), tmp_path) <= most


def test_a_graph_is_called_by_name_in_any_order(source: Callable[[str], Source], tmp_path: Path) -> None:
    if reason := RUNTIMES.get("onnxruntime").missing():
        pytest.skip(reason)
    built = RUNTIMES.get("onnxruntime").build(source("fp32"), tmp_path / "model.onnx")
    batch = inputs(3)
    turned = Inputs(kwargs=dict(reversed(list(batch.kwargs.items()))))
    assert digest(tensors_in(built.executable.outputs(turned))) == digest(tensors_in(built.executable.outputs(batch)))

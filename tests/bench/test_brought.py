"""Models that people bring: each technique and runtime gives answers near fp32's, a file that reloads, or a reason."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from bench.core.errors import UnsupportedError
from bench.core.inputs import Inputs
from bench.core.tensors import digest, tensors_in
from bench.runtimes.base import RUNTIMES, Source
from bench.stats.relative_error import relative_error
from bench.storage.graph_cache import GraphCache
from bench.storage.packed import Origin, load_user_model, pack
from bench.techniques.base import TECHNIQUES, Artifact
from bench.worker.convert import Target, convert
from bench.worker.user.given import inputs_by_size
from tests.bench import brought
from tests.bench.runtimes.sources import AVX2

TECHNIQUES_TRIED = ("bf16", "dynamic-qint8", "static-qint8", "range-linear:w8a8", "amp")
FAST = ("lstm_tagger", "gcn")
FARTHEST = 0.6
"""Random weights quantize badly; a mistake is an error of 1 and more."""
FARTHER = {("efficientnet_lite0", "static-qint8"): 0.75}
"""Computed in float by torch's reference of the quantized network, 0.67: its rounding, and no kernel, is the error."""
REASONS = {("unet", "dynamic-qint8"): "this model has none"}
if not torch.ops.mkldnn._is_mkldnn_bf16_supported():
    REASONS["lstm_tagger", "amp"] = "could not create a primitive descriptor for the LSTM"
    """oneDNN has none of bfloat16 for a CPU without AVX-512, and torch asks for it all the same."""


EVERY = [pytest.param(name, marks=[] if name in FAST else pytest.mark.slow) for name in brought.NAMES]


def built(name: str) -> nn.Module:
    torch.manual_seed(0)
    model: nn.Module = getattr(brought, name)()
    return model.eval().requires_grad_(False)


def batch_of(name: str) -> Inputs:
    torch.manual_seed(1)
    return inputs_by_size(getattr(brought, f"{name}_inputs"), [1, 4], name)[4]


def error_of(outputs: object, exact: object) -> float:
    values, reference = (torch.cat([t.float().reshape(-1) for t in tensors_in(each)]) for each in (outputs, exact))
    assert values.shape == reference.shape, "tensor by tensor"
    error = relative_error(reference.numpy(), values.numpy())
    assert error is not None
    return error


def converted(name: str, technique: str) -> Artifact:
    batch = batch_of(name)
    target = Target(torch.device("cpu"), "fbgemm", frozenset())
    return convert(
        technique, lambda: built(name), batch, lambda: [batch], target, supplied=False, own_training=False
    ).artifact


@pytest.mark.parametrize("name", EVERY)
@pytest.mark.parametrize("technique", TECHNIQUES_TRIED)
def test_a_technique_answers_near_fp32_and_reloads_or_says_why_not(name: str, technique: str, tmp_path: Path) -> None:
    if (name, technique) in REASONS:
        with pytest.raises(UnsupportedError, match=REASONS[name, technique]):
            converted(name, technique)
        return
    artifact, batch = converted(name, technique), batch_of(name)
    cast = batch.cast(torch.device("cpu"), getattr(torch, artifact.input_dtype))
    with torch.inference_mode():
        outputs = cast.call(artifact.forward)
        assert 0 < error_of(outputs, batch.call(built(name))) < FARTHER.get((name, technique), FARTHEST)
        origin = Origin(model=f"brought/{name}", technique=technique, engine="fbgemm", built_by=f"{name}()")
        pack(artifact.module, tmp_path / "packed", origin)
        again = load_user_model(tmp_path / "packed", built(name), batch.rows(slice(1))).artifact
        assert digest(tensors_in(cast.call(again.forward))) == digest(tensors_in(outputs))


@pytest.fixture(scope="module")
def graphs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model is exported once, whichever runtimes want its graph."""
    return tmp_path_factory.mktemp("graphs")


@pytest.mark.slow
@pytest.mark.parametrize("name", brought.NAMES)
@pytest.mark.parametrize(
    ("runtime", "technique"), [("onnxruntime", "fp32"), ("onnxruntime", "static-qint8"), ("openvino", "fp32")]
)
def test_a_runtime_answers_near_fp32_or_says_why_not(
    name: str, runtime: str, technique: str, graphs: Path, tmp_path: Path
) -> None:
    if reason := RUNTIMES.get(runtime).missing():
        pytest.skip(reason)
    batch = batch_of(name)
    source = Source(
        technique=TECHNIQUES.get(technique),
        convert=lambda: converted(name, technique),
        model=lambda: built(name),
        inputs=lambda size: batch.repeated(size),
        calibration=lambda: [batch],
        origin=Origin(model=f"brought/{name}", technique=technique, engine="fbgemm"),
        cache=lambda: GraphCache(graphs, name),
        isa=AVX2,
        threads=1,
    )
    executable = RUNTIMES.get(runtime).build(source, tmp_path / "file").executable
    error = error_of(executable.outputs(batch), batch.call(built(name)))
    assert error < (1e-3 if technique == "fp32" else FARTHEST)

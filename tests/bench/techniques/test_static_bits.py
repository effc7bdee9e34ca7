"""How many bits of activations ``static-qint8`` takes: all 8 with x86 on AVX512-VNNI, unless a layer has groups."""

from __future__ import annotations

import os

import cpuinfo
import pytest
import torch
from torch import Tensor, nn

from bench.techniques.base import TECHNIQUES, Artifact, Context
from bench.techniques.static_qint8 import ENOUGH

needs_x86 = pytest.mark.skipif("x86" not in torch.backends.quantized.supported_engines, reason="this torch has no x86")
pytestmark = needs_x86
VNNI, AVX2 = frozenset({"AVX2", "AVX512-VNNI"}), frozenset({"AVX2"})
IMAGES = torch.linspace(0, 1, ENOUGH * 8 * 6 * 6).reshape(ENOUGH, 8, 6, 6)
has_vnni = {"avx512_vnni", "avx512vnni"} & set(cpuinfo.get_cpu_info().get("flags", ()))


def convert(
    engine: str,
    isa: frozenset[str],
    groups: int = 1,
    layers: frozenset[str] | None = None,
    images: Tensor = IMAGES,
) -> Artifact:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(8, 8, 3, groups=groups), nn.Flatten(), nn.Linear(128, 4)).eval()
    context = Context(torch.device("cpu"), engine, isa, calibration=lambda: images, layers=layers)
    return TECHNIQUES.get("static-qint8").convert(model, context)


def levels(artifact: Artifact) -> float:
    """Return into how many steps the range of the inputs, which is 1, is cut."""
    scales = [value for name, value in artifact.module.state_dict().items() if name.endswith("input_scale_0")]
    return 1 / float(scales[0])


@pytest.mark.parametrize("layers", [None, frozenset({"0"})])
def test_all_bits_are_taken_where_sums_are_exact(layers: frozenset[str] | None) -> None:
    artifact = convert("x86", VNNI, layers=layers)
    assert levels(artifact) == pytest.approx(255, rel=0.1)
    [note] = [note for note in artifact.notes if "bits" in note]
    assert "all 8 bits" in note
    assert "without VNNI" in note


@pytest.mark.parametrize(
    ("engine", "isa", "groups"), [("x86", AVX2, 1), ("x86", frozenset({"AVX2", "AVX-VNNI"}), 1), ("x86", VNNI, 8)]
)
def test_seven_bits_are_taken_where_sums_may_saturate(engine: str, isa: frozenset[str], groups: int) -> None:
    artifact = convert(engine, isa, groups)
    assert levels(artifact) == pytest.approx(127, rel=0.1)
    assert any("7 of their 8 bits" in note for note in artifact.notes)


def test_seven_bits_are_taken_where_few_examples_tell_the_range() -> None:
    """Values beyond it have the other half of the steps."""
    few = IMAGES[[0, -1]]
    assert levels(convert("x86", VNNI, images=few)) == pytest.approx(127, rel=0.1)


@pytest.mark.skipif("fbgemm" not in torch.backends.quantized.supported_engines, reason="this torch has no fbgemm")
def test_an_engine_that_is_named_keeps_its_own_configuration() -> None:
    assert levels(convert("fbgemm", VNNI)) == pytest.approx(127, rel=0.1)


@pytest.mark.skipif(not has_vnni or "QUANTBENCH_TEST_WITHOUT_VNNI" in os.environ, reason="there is no AVX512-VNNI here")
@pytest.mark.parametrize("layer", [nn.Linear(64, 8, bias=False), nn.Conv2d(64, 8, 3, padding=1, bias=False)])
def test_x86_sums_the_largest_products_exactly(layer: nn.Module, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pairs of 255 · 127 are more than 16 bits hold."""
    monkeypatch.setattr(torch.backends.quantized, "engine", "x86")
    nn.init.constant_(layer.get_parameter("weight"), 1.0)
    inputs = torch.ones(ENOUGH, 64) if isinstance(layer, nn.Linear) else torch.ones(ENOUGH, 64, 5, 5)
    model = nn.Sequential(layer).eval()
    context = Context(torch.device("cpu"), "x86", VNNI, calibration=lambda: inputs)
    with torch.inference_mode():
        exact: Tensor = model(inputs)
        answers = TECHNIQUES.get("static-qint8").convert(model, context).forward(inputs)
    assert torch.allclose(answers, exact, rtol=0.01)

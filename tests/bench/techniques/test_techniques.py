"""Each technique on each kind of model."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from bench.core.errors import UnsupportedError
from bench.measuring.params import count_parameters, count_plain_layers, count_weight_layers
from bench.measuring.size import state_dict_bytes
from bench.models import MLP, PreActResNet
from bench.results.schemes import SCHEMES
from bench.running.suites import LAB_TECHNIQUES
from bench.techniques.base import TECHNIQUES, Artifact, Context
from bench.techniques.torch_quantization import range_notes

ENGINES = torch.backends.quantized.supported_engines
needs_fbgemm = pytest.mark.skipif("fbgemm" not in ENGINES, reason="this torch has no fbgemm")
pytestmark = needs_fbgemm


def example(kind: str) -> tuple[nn.Module, Tensor]:
    torch.manual_seed(0)
    if kind == "mlp":
        return MLP(40, [30, 20], 5).eval(), torch.rand(64, 40)
    model = PreActResNet(8, 5).eval().to(memory_format=torch.channels_last)
    return model, torch.rand(16, 3, 32, 32).to(memory_format=torch.channels_last)


def convert(technique: str, model: nn.Module, inputs: Tensor, isa: frozenset[str] = frozenset()) -> Artifact:
    context = Context(device=torch.device("cpu"), engine="fbgemm", isa=isa, calibration=lambda: inputs)
    return TECHNIQUES.get(technique).convert(model, context)


@pytest.mark.parametrize("kind", ["mlp", "resnet"])
@pytest.mark.parametrize("technique", LAB_TECHNIQUES)
def test_logits_stay_close_to_those_of_float32(technique: str, kind: str) -> None:
    model, inputs = example(kind)
    with torch.inference_mode():
        expected = model(inputs)
        variant = convert(technique, model, inputs)
        logits = variant.forward(inputs.to(getattr(torch, variant.input_dtype))).float()
    assert logits.shape == expected.shape
    assert (logits - expected).abs().max() < 0.1 * (expected.max() - expected.min())


@pytest.mark.parametrize("technique", LAB_TECHNIQUES)
def test_an_mlp_keeps_its_parameter_count(technique: str) -> None:
    model, inputs = example("mlp")
    before = count_parameters(model)
    assert count_parameters(convert(technique, model, inputs).module) == before


@pytest.mark.parametrize(
    ("technique", "mlp", "resnet"),
    [("fp32", 0, 0), ("amp", 0, 0), ("fp16", 3, 10), ("dynamic-qint8", 3, 1), ("static-qint8", 3, 10)],
)
def test_how_many_weight_layers_change(technique: str, mlp: int, resnet: int) -> None:
    for kind, expected in (("mlp", mlp), ("resnet", resnet)):
        model, inputs = example(kind)
        total = count_weight_layers(model)
        assert total - count_plain_layers(convert(technique, model, inputs).module) == expected


def test_dynamic_fp16_saves_nothing_on_disk_and_says_so() -> None:
    model, inputs = example("mlp")
    before = state_dict_bytes(model)
    variant = convert("dynamic-fp16", model, inputs)
    assert state_dict_bytes(variant.module) >= before
    assert any("no gain in the lab's size" in note for note in variant.notes)


def test_static_qint8_folds_batch_norms_and_says_so() -> None:
    model, inputs = example("resnet")
    before = count_parameters(model)
    variant = convert("static-qint8", model, inputs)
    # conv1 of each block takes the batch norm after it in: scale and shift become one bias.
    assert before - count_parameters(variant.module) == 16 + 32 + 64
    assert any(note.startswith("3 BatchNorms are folded") for note in variant.notes)


@pytest.mark.parametrize("engine", sorted({"fbgemm", "x86", "onednn", "qnnpack"} & set(ENGINES)))
def test_a_static_resnet_has_the_same_parameters_under_every_engine(
    engine: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.backends.quantized, "engine", engine)
    model, inputs = example("resnet")
    for name, parameter in model.named_parameters():
        if "bn" in name:
            torch.nn.init.uniform_(parameter, 0.5, 1.5)  # as trained: no shift is exactly zero
    context = Context(torch.device("cpu"), engine, frozenset(), calibration=lambda: inputs)
    module = TECHNIQUES.get("static-qint8").convert(model, context).module
    assert count_parameters(module) == count_parameters(PreActResNet(8, 5)) - (16 + 32 + 64)


@pytest.mark.parametrize(
    ("technique", "isa", "word"), [("fp16", "AVX512-FP16", "float16"), ("bf16", "AVX512-BF16", "bfloat16")]
)
def test_a_cpu_without_the_arithmetic_is_noted(technique: str, isa: str, word: str) -> None:
    model, inputs = example("mlp")
    assert not convert(technique, model, inputs, frozenset({isa})).notes
    model, inputs = example("mlp")
    assert word in convert(technique, model, inputs).notes[0]


@pytest.mark.parametrize("technique", ["dynamic-qint8", "static-qint8"])
def test_seven_bit_activations_are_noted(technique: str) -> None:
    model, inputs = example("mlp")
    assert "reduce_range" in convert(technique, model, inputs).notes[0]


def test_saturation_is_a_matter_of_eight_bits_without_vnni() -> None:
    def notes(isa: str, engine: str, reduce_range: bool) -> str:
        context = Context(torch.device("cpu"), engine, frozenset({isa}), calibration=lambda: torch.zeros(1))
        return " ".join(range_notes(context, reduce_range))

    assert "may saturate" in notes("AVX2", "onednn", reduce_range=False)
    assert not notes("AVX512-VNNI", "onednn", reduce_range=False)
    assert "cannot saturate" in notes("AVX2", "fbgemm", reduce_range=True)
    assert not notes("NEON", "qnnpack", reduce_range=False)


def test_dynamic_quantization_needs_a_linear() -> None:
    with pytest.raises(UnsupportedError, match="this model has none"):
        convert("dynamic-qint8", nn.Sequential(nn.ReLU()), torch.rand(2, 2))


class Branching(nn.Module):
    def forward(self, inputs: Tensor) -> Tensor:
        return inputs if inputs.sum() > 0 else -inputs


def test_a_model_that_fx_cannot_trace_is_unsupported_with_the_reason() -> None:
    with pytest.raises(UnsupportedError, match=r"FX cannot trace this model: .*control flow"):
        convert("static-qint8", Branching(), torch.rand(2, 2))


@pytest.mark.parametrize("technique", ["dynamic-qint8", "static-qint8"])
def test_quantized_kernels_need_a_cpu_and_their_engine(technique: str) -> None:
    item = TECHNIQUES.get(technique)
    assert item.unsupported_reason("cpu", "fbgemm", ["fbgemm"]) is None
    assert "on the CPU only" in str(item.unsupported_reason("cuda", "fbgemm", ["fbgemm"]))
    assert "no fbgemm engine; try --engine with one of: qnnpack" in str(
        item.unsupported_reason("cpu", "fbgemm", ["qnnpack"])
    )


def test_onednn_has_no_packed_float16_linear() -> None:
    reason = TECHNIQUES.get("dynamic-fp16").unsupported_reason("cpu", "onednn", ["onednn", "fbgemm"])
    assert reason == "the onednn engine has no packed float16 Linear; try --engine fbgemm"
    reason = TECHNIQUES.get("dynamic-fp16").unsupported_reason("cpu", "fbgemm", ["qnnpack"])
    assert reason == "no engine of this torch has a packed float16 Linear; it needs a build with fbgemm or x86"


def test_amp_trains_in_bfloat16_on_a_cpu_and_float16_on_cuda() -> None:
    amp = TECHNIQUES.get("amp")
    assert (amp.training_precision("cpu"), amp.training_precision("cuda")) == ("bfloat16", "float16")


def test_every_scheme_has_its_legend() -> None:
    assert {technique.scheme for technique in TECHNIQUES} <= SCHEMES.keys()


def test_the_labs_techniques_are_registered() -> None:
    assert set(LAB_TECHNIQUES) <= {technique.name for technique in TECHNIQUES}

"""Size, parameters and accuracy."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from bench.measure.accuracy import count_correct
from bench.measure.params import count_parameters, count_plain_layers, count_weight_layers
from bench.measure.size import state_dict_bytes
from bench.techniques.torch_quantization import quiet
from models import MLP, PreActResNet


def quantized(dtype: torch.dtype) -> nn.Module:
    torch.backends.quantized.engine = torch.backends.quantized.supported_engines[-1]
    with quiet():
        module: nn.Module = torch.ao.quantization.quantize_dynamic(MLP(20, [30], 4).eval(), dtype=dtype)
    return module


def test_the_size_is_that_of_the_labs_file(tmp_path: Path) -> None:
    model = MLP(20, [30], 4)
    torch.save(model.state_dict(), tmp_path / "temp.p")
    assert state_dict_bytes(model) == (tmp_path / "temp.p").stat().st_size


def test_packed_weights_and_biases_are_counted() -> None:
    packed = quantized(torch.qint8)
    assert sum(parameter.numel() for parameter in packed.parameters()) == 0
    assert count_parameters(packed) == count_parameters(MLP(20, [30], 4)) == 20 * 30 + 30 + 30 * 4 + 4


def test_batch_norm_is_counted_and_its_statistics_are_not() -> None:
    assert count_parameters(PreActResNet(8, 10)) == 77_850


def test_layers_that_a_technique_changed() -> None:
    assert (count_weight_layers(MLP(20, [30], 4)), count_plain_layers(MLP(20, [30], 4))) == (2, 2)
    assert (count_weight_layers(quantized(torch.qint8)), count_plain_layers(quantized(torch.qint8))) == (2, 0)
    assert count_plain_layers(MLP(20, [30], 4).half()) == 0


def test_right_answers_are_counted_over_all_batches() -> None:
    labels = torch.tensor([0, 1, 1])
    batches = [(torch.eye(2)[[0, 1, 0]], labels), (torch.eye(2)[[1, 1, 1]], labels)]
    result = count_correct(lambda inputs: inputs, batches)
    assert (result.correct, result.total) == (4, 6)


@pytest.mark.parametrize(
    ("logits", "message"),
    [
        (torch.full((2, 3), float("nan")), "not finite numbers"),
        (torch.zeros(3), r"shape \(3,\), not \(2, classes\)"),
        (torch.zeros(3, 3), r"shape \(3, 3\), not \(2, classes\)"),
    ],
)
def test_logits_that_are_no_answer_are_refused(logits: Tensor, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        count_correct(lambda _: logits, [(torch.zeros(2, 1), torch.tensor([0, 1]))])

"""Size, parameters, accuracy, and inputs that a cache cannot hold."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from bench.measuring.accuracy import evaluate
from bench.measuring.latency.cuda import MAX_COPIES, copies_beyond_cache
from bench.measuring.params import count_parameters, count_plain_layers, count_weight_layers
from bench.measuring.size import state_dict_bytes
from bench.models import MLP, PreActResNet
from bench.results.row import Accuracy
from bench.techniques.base import TECHNIQUES, Context
from bench.techniques.torch_quantization import quiet


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


class Functional(nn.Module):
    """Weights that no layer holds."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Parameter(torch.rand(6, 8))
        self.kernel = nn.Parameter(torch.rand(4, 3, 2))
        self.bias = nn.Parameter(torch.rand(4))

    def forward(self, inputs: Tensor) -> Tensor:
        outputs = nn.functional.linear(inputs, self.linear)
        return nn.functional.conv1d(outputs, self.kernel, self.bias, (1,), (0,), (1,), 1)


def test_weights_that_fx_packs_without_a_layer_are_counted() -> None:
    context = Context(torch.device("cpu"), "fbgemm", frozenset(), calibration=lambda: torch.rand(2, 3, 8))
    module = TECHNIQUES.get("static-qint8").convert(Functional().eval(), context).module
    assert count_parameters(Functional()) == count_parameters(module) == 6 * 8 + 4 * 3 * 2 + 4


def test_batch_norm_is_counted_and_its_statistics_are_not() -> None:
    assert count_parameters(PreActResNet(8, 10)) == 77_850


def test_layers_that_a_technique_changed() -> None:
    assert (count_weight_layers(MLP(20, [30], 4)), count_plain_layers(MLP(20, [30], 4))) == (2, 2)
    assert (count_weight_layers(quantized(torch.qint8)), count_plain_layers(quantized(torch.qint8))) == (2, 0)
    assert count_plain_layers(MLP(20, [30], 4).half()) == 0


def test_right_answers_are_counted_over_all_batches_and_kept_in_order() -> None:
    labels = torch.tensor([0, 1, 1])
    batches = [(torch.eye(2)[[0, 1, 0]], labels), (torch.eye(2)[[1, 1, 1]], labels)]
    done = evaluate(lambda inputs: inputs, batches)
    assert done.accuracy == Accuracy(correct=4, total=6)
    assert done.answers is not None
    assert done.answers.tolist() == [0, 1, 0, 1, 1, 1]
    assert done.right is not None
    assert done.right.tolist() == [True, True, False, False, True, True]


def test_logits_of_any_floating_type_are_answers() -> None:
    for dtype in (torch.float16, torch.bfloat16, torch.float64):
        done = evaluate(lambda inputs, dtype=dtype: inputs.to(dtype), [(torch.eye(3), torch.arange(3))])  # type: ignore[misc]
        assert done.accuracy == Accuracy(correct=3, total=3)


@pytest.mark.parametrize(
    ("logits", "message"),
    [
        (torch.full((2, 3), float("nan")), "not finite numbers"),
        (torch.tensor([[0.0, 1.0], [0.0, float("inf")]]), "not finite numbers"),
        (torch.zeros(3), r"shape \(3,\), not \(2, classes\)"),
        (torch.zeros(3, 3), r"shape \(3, 3\), not \(2, classes\)"),
        (None, "the model returned NoneType, not a tensor of logits"),
        ((torch.zeros(2, 3),), "the model returned tuple, not a tensor of logits"),
    ],
)
def test_logits_that_are_no_answer_are_refused(logits: Tensor, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        evaluate(lambda _: logits, [(torch.zeros(2, 1), torch.tensor([0, 1]))])


@pytest.mark.parametrize(
    ("cache_bytes", "copies"),
    # The inputs are 1,000 floats, 4,000 bytes.
    [(50_000, 25), (50_001, 26), (4_000, 2), (0, 2), (10**9, MAX_COPIES)],
)
def test_copies_are_twice_the_cache_within_limits(cache_bytes: int, copies: int) -> None:
    inputs = torch.arange(1_000, dtype=torch.float32)
    made = copies_beyond_cache(inputs, cache_bytes)
    assert len(made) == copies
    assert all(torch.equal(copy, inputs) for copy in made)
    assert len({copy.data_ptr() for copy in (inputs, *made)}) == copies + 1, "each lies elsewhere"


def test_inputs_of_no_bytes_have_copies_too() -> None:
    assert len(copies_beyond_cache(torch.zeros(0), 1_000)) == MAX_COPIES

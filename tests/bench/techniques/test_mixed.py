"""A technique for each layer: its name, what it changes and leaves alone, and its packed file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from bench.core.errors import RequestError, UnknownNameError, UnsupportedError
from bench.measuring.params import count_plain_layers
from bench.models import MLP, PreActResNet
from bench.running.suites import check_layers
from bench.storage.packed import pack, unpack
from bench.techniques.base import TECHNIQUES, Artifact, Context
from bench.techniques.lowbit.layers import LowBitLayer
from bench.techniques.mixed import Mixed, layer_subset_techniques, natural, of, short

CONFINABLE = ["dynamic-fp16", "dynamic-qint8", "range-linear", "static-qint8"]
ENGINES = torch.backends.quantized.supported_engines
needs_fbgemm = pytest.mark.skipif("fbgemm" not in ENGINES, reason="this torch has no fbgemm")


def mlp(seed: int = 0) -> tuple[nn.Module, Tensor]:
    """40-30-20-5: layers.0, layers.2, layers.4."""
    torch.manual_seed(seed)
    return MLP(40, [30, 20], 5).eval(), torch.rand(64, 40)


def resnet(seed: int = 0) -> tuple[nn.Module, Tensor]:
    torch.manual_seed(seed)
    model = PreActResNet(8, 5).to(memory_format=torch.channels_last)
    images = torch.rand(16, 3, 32, 32).to(memory_format=torch.channels_last)
    with torch.inference_mode():
        model.train()(images)
    return model.eval(), images


Example = Callable[..., tuple[nn.Module, Tensor]]


def convert(technique: str, model: nn.Module, inputs: Tensor) -> Artifact:
    context = Context(torch.device("cpu"), "fbgemm", frozenset(), calibration=lambda: inputs)
    return TECHNIQUES.get(technique).convert(model, context)


def converted(technique: str, example: Example = mlp) -> Artifact:
    return convert(technique, *example())


def logits(technique: str, example: Example = mlp) -> Tensor:
    _, inputs = example()
    with torch.inference_mode():
        outputs: Tensor = converted(technique, example).forward(inputs)
    return outputs


# Names


@pytest.mark.parametrize(
    ("typed", "name"),
    [
        ("mixed:layers.0=dynamic-qint8", "mixed:layers.0=dynamic-qint8"),
        ("mixed: layers.0 = range-linear:a8,w4 ", "mixed:layers.0=range-linear:w4a8"),
        (
            "mixed:layers.10=dynamic-qint8+layers.2=range-linear:per-channel,w4",
            "mixed:layers.2=range-linear:w4a32,per-channel+layers.10=dynamic-qint8",
        ),
        ("mixed:layers.2=fp32+*=dynamic-qint8", "mixed:*=dynamic-qint8+layers.2=fp32"),
        ("mixed:*=range-linear:w4+fc=range-linear:w8", "mixed:*=range-linear:w4a32+fc=range-linear:w8a32"),
        ("mixed:*=fp32+fc=dynamic-qint8", "mixed:fc=dynamic-qint8"),
    ],
)
def test_the_name_is_the_same_however_it_was_typed(typed: str, name: str) -> None:
    assert TECHNIQUES.get(typed).name == name
    assert TECHNIQUES.get(name) == TECHNIQUES.get(typed)


WIDTHS = st.sampled_from([*range(2, 17), 32])
MEMBERS = st.one_of(
    st.sampled_from(["dynamic-qint8", "dynamic-fp16"]),
    st.builds("range-linear:w{}a{}".format, WIDTHS, WIDTHS),
    st.builds("range-linear:w4a8,std,deviations={}".format, st.floats(0.1, 1e300)),
)
LAYERS = st.from_regex(r"[a-z_][a-z0-9_]{0,5}(\.[a-z0-9_]{1,5}){0,3}", fullmatch=True)


@given(st.dictionaries(LAYERS, MEMBERS, min_size=1, max_size=6), MEMBERS)
def test_every_assignment_has_a_name_that_stands_for_it(assigned: dict[str, str], rest: str) -> None:
    """Also with 1e+20 among the options, whose plus separates nothing."""
    techniques = {layer: TECHNIQUES.get(name) for layer, name in assigned.items()}
    made = [of(techniques)]
    others = {
        layer: technique for layer, technique in techniques.items() if technique.name != TECHNIQUES.get(rest).name
    }
    made.append(of({"*": TECHNIQUES.get(rest), **others}))
    for technique in made:
        assert TECHNIQUES.get(technique.name) == technique
    assert dict(made[0].layers) == techniques


def test_numbers_sort_as_numbers() -> None:
    names = ["blocks.10.conv", "blocks.2.conv", "conv", "blocks.2.bn"]
    assert sorted(names, key=natural) == ["blocks.2.bn", "blocks.2.conv", "blocks.10.conv", "conv"]


@pytest.mark.parametrize(
    ("assigned", "name"),
    [
        ({}, "fp32"),
        ({"a": "dynamic-qint8"}, "mixed:a=dynamic-qint8"),
        ({"a": "dynamic-qint8", "b": "dynamic-qint8"}, "mixed:*=dynamic-qint8+c=fp32"),
        ({"a": "dynamic-qint8", "b": "dynamic-qint8", "c": "dynamic-fp16"}, "mixed:*=dynamic-qint8+c=dynamic-fp16"),
        (dict.fromkeys("abc", "dynamic-qint8"), "dynamic-qint8"),
        (dict.fromkeys("abc", "static-qint8"), "mixed:*=static-qint8"),  # the technique itself adds in int8 too
    ],
)
def test_a_short_name_says_the_same(assigned: dict[str, str], name: str) -> None:
    techniques = {layer: TECHNIQUES.get(technique) for layer, technique in assigned.items()}
    assert short(techniques, ["a", "b", "c"]).name == name


@pytest.mark.parametrize(
    ("typed", "sentence"),
    [
        ("mixed", "'' assigns no technique to a layer; write LAYER=TECHNIQUE, as in mixed:layers.0=range-linear:w4"),
        ("mixed:", "'' assigns no technique to a layer"),
        ("mixed:layers.0", "'layers.0' assigns no technique to a layer"),
        ("mixed:=fp32", "'=fp32' assigns no technique to a layer"),
        ("mixed:a=dynamic-qint8+a=dynamic-fp16", "mixed assigns a a second time; name a layer once."),
        ("mixed:a=fp32", "a would be fp32 without being named; leave a=fp32 out."),
        ("mixed:*=dynamic-qint8+a=dynamic-qint8", "leave a=dynamic-qint8 out."),
        ("mixed:*=fp32", "mixed assigns nothing but fp32"),
        ("mixed:a=dorefa:w2", "dorefa:w2a32 changes a model as a whole or takes part in its training, so it cannot"),
        (
            "mixed:a=fp16",
            "choose among dynamic-fp16, dynamic-qint8, range-linear, static-qint8.",
        ),
        ("mixed:a=range-linear:w4,float16", "range-linear:w4a32,float16 changes a model as a whole"),
        ("mixed:a=mixed:b=dynamic-qint8", "mixed:b=dynamic-qint8 changes a model as a whole"),
        ("mixed:a=range-linear:w1", "range-linear has no w1"),
        ("mixed:a=static-qint8+b=dynamic-qint8", "static-qint8 rewrites the whole model as a graph, in which dynamic-"),
    ],
)
def test_what_makes_no_sense_is_one_sentence(typed: str, sentence: str) -> None:
    with pytest.raises(RequestError) as caught:
        TECHNIQUES.get(typed)
    message = str(caught.value)
    assert sentence in message
    assert message.endswith(".")
    assert "\n" not in message


def test_an_unknown_technique_is_answered_with_its_neighbour() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'dynamic-qint8'"):
        TECHNIQUES.get("mixed:layers.0=dynamic-int8")


def test_those_that_can_be_confined_are_these() -> None:
    assert layer_subset_techniques() == CONFINABLE
    assert ", ".join(CONFINABLE) in TECHNIQUES.get("mixed:a=dynamic-qint8").grammar


def test_a_layer_that_no_model_has_is_answered_with_its_neighbour() -> None:
    chosen = [TECHNIQUES.get("mixed:layers.3=dynamic-qint8")]
    with pytest.raises(UnknownNameError, match=r"^there is no layer 'layers\.3'; did you mean 'layers\.\d'\?$"):
        check_layers(chosen, ["layers.0", "layers.2"])
    check_layers(chosen, ["layers.3"])


# What changes


@needs_fbgemm
@pytest.mark.parametrize("technique", ["dynamic-qint8", "dynamic-fp16"])
def test_a_dynamic_layer_is_alone(technique: str) -> None:
    variant = converted(f"mixed:layers.2={technique}")
    classes = [type(variant.module.get_submodule(f"layers.{index}")) for index in (0, 2, 4)]
    assert classes == [nn.Linear, torch.ao.nn.quantized.dynamic.Linear, nn.Linear]
    dtype = torch.qint8 if technique == "dynamic-qint8" else torch.float32
    assert variant.module.get_submodule("layers.2").weight().dtype == dtype  # type: ignore[operator]
    original, _ = mlp()
    for index in (0, 4):
        name = f"layers.{index}.weight"
        assert torch.equal(variant.module.get_parameter(name), original.get_parameter(name))


def test_a_rounded_layer_is_alone() -> None:
    variant = converted("mixed:layers.2=range-linear:w2")
    original, _ = mlp()
    for index in (0, 2, 4):
        weight = variant.module.get_parameter(f"layers.{index}.weight")
        assert (len(weight.unique()) <= 4) == (index == 2)
        assert torch.equal(weight, original.get_parameter(f"layers.{index}.weight")) == (index != 2)
    assert variant.simulated


@needs_fbgemm
def test_a_static_layer_is_alone() -> None:
    variant = converted("mixed:layers.2=static-qint8")
    assert count_plain_layers(variant.module) == 2
    quantized = [name for name, part in variant.module.named_modules() if "quantized" in type(part).__module__]
    assert [name for name in quantized if name.startswith("layers.") and name.count(".") == 1] == ["layers.2"]


@needs_fbgemm
@pytest.mark.parametrize("layer", ["conv", "blocks.1.conv1", "blocks.1.projection", "fc"])
@pytest.mark.parametrize("technique", ["static-qint8", "range-linear:w4a8"])
def test_one_layer_of_a_resnet_is_changed(technique: str, layer: str) -> None:
    variant = converted(f"mixed:{layer}={technique}", resnet)
    if technique == "static-qint8":
        assert count_plain_layers(variant.module) == 9
    else:
        names = [name for name, part in variant.module.named_modules() if isinstance(part, LowBitLayer)]
        assert names == [layer]


@needs_fbgemm
@pytest.mark.parametrize("example", [mlp, resnet])
@pytest.mark.parametrize("technique", ["dynamic-qint8", "dynamic-fp16", "range-linear:w3a4,per-channel"])
def test_all_layers_alike_are_the_technique_itself(technique: str, example: Example) -> None:
    assert torch.equal(logits(f"mixed:*={technique}", example), logits(technique, example))


@needs_fbgemm
def test_all_static_layers_of_a_perceptron_are_the_technique_itself() -> None:
    assert torch.equal(logits("mixed:*=static-qint8"), logits("static-qint8"))


@needs_fbgemm
@pytest.mark.parametrize("technique", [*CONFINABLE[:2], "range-linear:w3a4", "static-qint8"])
def test_all_but_one_leaves_that_one(technique: str) -> None:
    variant = converted(f"mixed:*={technique}+layers.2=fp32")
    assert count_plain_layers(variant.module) == 1
    spelled = f"mixed:layers.0={technique}+layers.4={technique}"
    assert torch.equal(logits(spelled), logits(f"mixed:*={technique}+layers.2=fp32"))


@needs_fbgemm
def test_techniques_of_several_kinds_share_a_model() -> None:
    variant = converted("mixed:layers.0=range-linear:w4a8+layers.2=dynamic-qint8+layers.4=range-linear:w2a4")
    first, middle, last = (variant.module.get_submodule(f"layers.{index}") for index in (0, 2, 4))
    assert isinstance(first, LowBitLayer)
    assert isinstance(last, LowBitLayer)
    assert isinstance(middle, torch.ao.nn.quantized.dynamic.Linear)
    assert (first.technique.name, last.technique.name) == ("range-linear:w4a8", "range-linear:w2a4")
    assert len(last.weight.unique()) <= 4 < len(first.weight.unique()) <= 16
    assert TECHNIQUES.get("mixed:a=dynamic-qint8+b=range-linear:w4").dtype("cpu") == "qint8 + range-linear w4a32"
    assert any(note.startswith("simulated") for note in variant.notes)


@needs_fbgemm
@pytest.mark.parametrize("first", ["dynamic-qint8", "range-linear:w2a2"])
def test_the_inputs_of_the_network_are_quantized_by_none_but_the_first_layer(first: str) -> None:
    """A layer behind one that was changed already is not taken for the first, whose inputs stay exact."""
    variant = converted(f"mixed:layers.0={first}+layers.2=range-linear:w8a8")
    second = variant.module.get_submodule("layers.2")
    assert isinstance(second, LowBitLayer)
    assert second.quantizes_inputs
    assert "input_scale" in second._buffers


def test_each_width_observes_its_own_layers() -> None:
    variant = converted("mixed:layers.2=range-linear:w8a8+layers.4=range-linear:w4a4")
    scales = [variant.module.get_submodule(f"layers.{index}").get_buffer("input_scale") for index in (2, 4)]
    model, inputs = mlp()
    hidden = model.get_submodule("layers.1")(model.get_submodule("layers.0")(inputs)).amax().item()
    assert scales[0] == pytest.approx(255 / hidden, rel=1e-5)  # behind a ReLU all levels are above 0
    assert scales[1] < scales[0]


class Twice(nn.Module):
    """One layer in two places."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(4, 4)
        self.again = nn.Sequential(self.first, nn.Linear(4, 2))

    def forward(self, inputs: Tensor) -> Tensor:
        outputs: Tensor = self.again(self.first(inputs))
        return outputs


@needs_fbgemm
@pytest.mark.parametrize("technique", ["dynamic-qint8", "range-linear:w4"])
def test_a_layer_in_two_places_changes_in_both(technique: str) -> None:
    module = convert(f"mixed:first={technique}", Twice().eval(), torch.rand(8, 4)).module
    assert type(module.get_submodule("first")) is type(module.get_submodule("again.0")) is not nn.Linear
    assert type(module.get_submodule("again.1")) is nn.Linear


@needs_fbgemm
@pytest.mark.parametrize("technique", ["static-qint8", "range-linear:w4a8"])
def test_a_module_stands_for_the_layers_in_it(technique: str) -> None:
    spelled = "+".join(f"blocks.1.{layer}={technique}" for layer in ("conv1", "conv2", "projection"))
    assert torch.equal(logits(f"mixed:blocks.1={technique}", resnet), logits(f"mixed:{spelled}", resnet))
    assert count_plain_layers(converted(f"mixed:blocks.1={technique}", resnet).module) == 7
    assert count_plain_layers(converted(f"mixed:*={technique}+blocks.1=fp32", resnet).module) == 3


def test_a_layers_own_name_goes_before_that_of_the_module_around_it() -> None:
    variant = converted("mixed:blocks=range-linear:w4+blocks.1=range-linear:w3+blocks.1.conv2=range-linear:w2", resnet)
    low_bit = {name: part for name, part in variant.module.named_modules() if isinstance(part, LowBitLayer)}
    assert {low_bit[f"blocks.{block}.conv1"].technique.weight_bits for block in (0, 2)} == {4}
    assert [low_bit[f"blocks.1.{layer}"].technique.weight_bits for layer in ("conv1", "conv2")] == [3, 2]
    assert not {"conv", "fc"} & low_bit.keys()


@pytest.mark.parametrize(
    ("technique", "example", "sentence"),
    [
        ("mixed:layers.1=range-linear", mlp, "range-linear:w8a32 cannot change layers.1, a ReLU; of this model it"),
        ("mixed:layers.9=dynamic-qint8", mlp, "there is no layer 'layers.9'; did you mean 'layers.4'?"),
        ("mixed:conv=dynamic-qint8", resnet, "dynamic-qint8 cannot change conv, a Conv2d; of this model it changes fc"),
        (
            "mixed:blocks.1=dynamic-qint8",
            resnet,
            "dynamic-qint8 cannot change blocks.1, a PreActBlock; of this model it",
        ),
    ],
)
def test_a_layer_that_it_cannot_treat_is_a_row_with_the_reason(technique: str, example: Example, sentence: str) -> None:
    with pytest.raises(UnsupportedError) as caught:
        converted(technique, example)
    assert sentence in str(caught.value)


def test_a_model_without_a_layer_for_it_is_a_row_with_the_reason() -> None:
    with pytest.raises(UnsupportedError, match="changes no layer of this model"):
        convert("mixed:*=dynamic-qint8", nn.Sequential(nn.Conv2d(3, 4, 1)), torch.rand(1, 3, 4, 4))


def test_an_obstacle_of_one_is_an_obstacle_of_all() -> None:
    mixed = TECHNIQUES.get("mixed:a=range-linear:w4+b=dynamic-qint8")
    assert mixed.unsupported_reason("cpu", "fbgemm", ["fbgemm"]) is None
    reason = mixed.unsupported_reason("cpu", "fbgemm", ["qnnpack"])
    assert reason is not None
    assert "no fbgemm engine" in reason
    assert isinstance(mixed, Mixed)
    assert (mixed.trained_as, mixed.training_precision("cpu")) == ("", None)


# Packed

PACKED: list[tuple[str, Example]] = [
    ("mixed:layers.2=dynamic-qint8", mlp),
    ("mixed:layers.0=dynamic-fp16+layers.4=dynamic-qint8", mlp),
    ("mixed:*=static-qint8+layers.2=fp32", mlp),
    ("mixed:layers.0=range-linear:w4a8+layers.2=dynamic-qint8+layers.4=range-linear:w2a4", mlp),
    ("mixed:blocks.1.conv1=static-qint8+fc=static-qint8", resnet),
    ("mixed:*=range-linear:w4a8,per-channel+conv=fp32+fc=range-linear:w8a32", resnet),
]


@needs_fbgemm
@pytest.mark.parametrize(("technique", "example"), PACKED)
def test_a_skeleton_takes_on_the_logits_bit_by_bit(technique: str, example: Example, tmp_path: Path) -> None:
    _, inputs = example()
    variant = converted(technique, example)
    pack(variant.module, tmp_path / "packed")
    model, _ = example(seed=1)
    with torch.no_grad():
        for tensor in model.state_dict().values():
            tensor.zero_()
    reloaded = convert(technique, model, torch.zeros_like(inputs[:1]))
    unpack(reloaded.module, tmp_path / "packed")
    with torch.inference_mode():
        assert torch.equal(reloaded.forward(inputs), variant.forward(inputs))


@needs_fbgemm
def test_a_file_is_smaller_by_what_was_quantized(tmp_path: Path) -> None:
    sizes = {
        name: sum(pack(converted(name).module, tmp_path / "packed").bytes_by_dtype.values())
        for name in ("fp32", "mixed:layers.0=dynamic-qint8", "mixed:layers.0=range-linear:w4", "dynamic-qint8")
    }
    whole, int8, four, every = sizes.values()
    assert whole - int8 == pytest.approx(3 * 1200, abs=20)  # 1,200 weights of 4 bytes become one byte each
    assert whole - four == pytest.approx(3.5 * 1200, abs=20)
    assert whole - every == pytest.approx(3 * 1900, abs=40)

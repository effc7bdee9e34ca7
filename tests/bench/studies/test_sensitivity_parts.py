"""Which layers are a block or a stage: by the names of ResNets, a VGG, and transformers."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any, cast

import pytest
import torch
from torch import nn

import bench
from bench.core.errors import RequestError
from bench.core.variant_key import VariantKey
from bench.models import MLP, PreActResNet
from bench.report.sensitivity import render
from bench.results.row import Accuracy
from bench.results.sensitivity import LayerStudy
from bench.studies.sensitivity.measuring import Measured
from bench.studies.sensitivity.parts import By, Part, parts_of
from bench.studies.sensitivity.recommendation import _Search
from bench.studies.sensitivity.search import Rung
from bench.worker.layers import quantizable_layers
from bench.worker.messages import QuantizableLayer
from tests.bench.examples import FP32, RUN


def layers(*names: str, width: int = 8) -> list[QuantizableLayer]:
    return [QuantizableLayer(name, "Linear", 10, width) for name in names]


def resnet(depth: int, by: By) -> list[Part]:
    return parts_of(quantizable_layers(PreActResNet(depth, 10), "static-qint8"), by, "cifar10/resnet")


def names(parts: list[Part]) -> list[str]:
    return [part.name for part in parts]


def test_each_layer_is_a_part() -> None:
    parts = parts_of(layers("layers.0", "layers.2"), "layer", "mnist/lab1")
    assert [(part.name, part.modules, part.weights) for part in parts] == [
        ("layers.0", ("layers.0",), 10),
        ("layers.2", ("layers.2",), 10),
    ]


def test_the_blocks_of_a_resnet_are_its_modules() -> None:
    parts = resnet(8, "block")
    assert names(parts) == ["conv", "blocks.0", "blocks.1", "blocks.2", "fc"]
    assert parts[2].modules == ("blocks.1",)
    assert [layer.name for layer in parts[2].layers] == ["blocks.1.conv1", "blocks.1.conv2", "blocks.1.projection"]
    assert parts[2].weights == 9 * 16 * 32 + 9 * 32 * 32 + 16 * 32
    assert parts[2].kind == "Conv2d"


def test_the_stages_of_a_resnet_are_its_blocks_of_one_width() -> None:
    parts = resnet(20, "stage")
    assert names(parts) == ["conv", "blocks.0 to blocks.2", "blocks.3 to blocks.5", "blocks.6 to blocks.8", "fc"]
    assert parts[2].modules == ("blocks.3", "blocks.4", "blocks.5")
    assert [len(part.layers) for part in parts] == [1, 6, 7, 7, 1]
    assert names(resnet(8, "stage")) == names(resnet(8, "block"))


def test_stages_that_are_modules_are_named_by_them() -> None:
    wide = [*layers("conv1"), *layers(*(f"layer1.{block}.conv{n}" for block in (0, 1) for n in (1, 2)))]
    wide += layers(*(f"layer2.{block}.conv{n}" for block in (0, 1) for n in (1, 2)), width=16)
    assert names(parts_of([*wide, *layers("fc")], "stage", "r")) == ["conv1", "layer1", "layer2", "fc"]
    assert names(parts_of([*wide, *layers("fc")], "block", "r")) == [
        *("conv1", "layer1.0", "layer1.1", "layer2.0", "layer2.1", "fc")
    ]


def test_convolutions_of_one_width_in_a_row_are_a_stage() -> None:
    vgg = [*layers("features.0", "features.2"), *layers("features.5", "features.7", width=16), *layers("classifier")]
    assert names(parts_of(vgg, "stage", "vgg")) == [
        "features.0 to features.2",
        "features.5 to features.7",
        "classifier",
    ]


def test_a_block_within_a_block_is_apart_from_it() -> None:
    attention = [f"encoder.{n}.attention.{name}" for n in (0, 1) for name in ("self.query", "self.key", "output")]
    parts = parts_of(layers(*attention, "classifier"), "block", "bert")
    assert names(parts)[:2] == ["encoder.0.attention.self", "encoder.0.attention"]
    assert parts[0].modules == ("encoder.0.attention.self",)
    assert parts[1].modules == ("encoder.0.attention.output",), "the module holds the other block, too"
    assert names(parts_of(layers(*attention, "classifier"), "stage", "bert")) == ["encoder", "classifier"]


def test_a_part_has_those_layers_that_a_technique_changes() -> None:
    [_, first, *_, last] = resnet(8, "block")
    assert first.among(["fc"]) is None
    assert last.among(["fc"]) == last
    some = first.among(["blocks.0.conv1"])
    assert some is not None
    assert (some.modules, some.weights) == (("blocks.0",), 9 * 16 * 16)


@pytest.mark.parametrize("by", ["block", "stage"])
@pytest.mark.parametrize("found", [layers("layers.0", "layers.2"), layers("fc"), layers("a", "b.c")])
def test_where_no_module_holds_several_it_is_a_sentence(by: By, found: list[QuantizableLayer]) -> None:
    with pytest.raises(RequestError, match=rf"mnist/lab1 has no {by} of several layers .*; leave --by {by} out\.$"):
        parts_of(found, by, "mnist/lab1")


def test_a_perceptrons_layers_know_their_width() -> None:
    assert [layer.outputs for layer in quantizable_layers(MLP(40, [30, 20], 5), "dynamic-qint8")] == [30, 20, 5]


def blocks() -> nn.Module:
    """Two blocks of two layers, and a head."""
    two = [nn.Sequential(nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 8)) for _ in range(2)]
    return nn.Sequential(OrderedDict(blocks=nn.Sequential(*two), head=nn.Linear(8, 3)))


@pytest.mark.slow
def test_each_block_is_quantized_alone_and_spared_alone_and_mixed() -> None:
    torch.manual_seed(0)
    model, examples = blocks(), torch.rand(200, 8)
    answers = model(examples).argmax(1)
    study = bench.sensitivity(
        model,
        "range-linear:w4",
        inputs=examples,
        evaluate=lambda network: (int((network(examples).argmax(1) == answers).sum()), 200),
        by="block",
        max_drop_pp=99.0,
        batch_sizes=[2],
        runs=1,
        precision=0.9,
        progress=False,
    )
    assert {part.layer for part in study.layers} == {"blocks.0", "blocks.1", "head"}
    rows = {row.technique: row.layers.changed for row in study.run.rows if row.layers is not None}
    alone = {part.layer: rows[part.only] for part in study.layers}
    assert alone == {"blocks.0": 2, "blocks.1": 2, "head": 1}
    assert {part.layer: rows[part.others or ""] for part in study.layers} == {
        part: 5 - count for part, count in alone.items()
    }
    assert study.recommendation is not None
    assert set(study.recommendation.layers) == {"blocks.0", "blocks.1", "head"}
    assert "### Only this block" in render(study)


def study(name: str, *modules: str) -> LayerStudy:
    return LayerStudy(
        layer=name,
        modules=list(modules),
        kind="Conv2d",
        weights=10,
        technique="range-linear:w4a32",
        only="alone",
        others="spared",
        only_change=None,
        others_change=None,
    )


def test_a_recommended_mixture_names_the_modules_of_a_stage() -> None:
    run = RUN.model_copy(update={"rows": [FP32]})
    studies = [study("blocks.0 to blocks.1", "blocks.0", "blocks.1"), study("conv"), study("fc")]
    answers = {VariantKey("fp32"): Accuracy(correct=9, total=10)}
    search = _Search(cast(Any, None), studies, Measured(run, answers), max_drop=0.1)

    def named(**techniques: str) -> str:
        return search.mixture(Rung(0, 30, {studies[int(key[-1])].layer: name for key, name in techniques.items()})).name

    assert named(part0="range-linear:w4") == (
        "mixed:*=range-linear:w4a32+conv=fp32+fc=fp32"  # the blocks are most of what is named
    )
    assert named(part0="range-linear:w4", part2="range-linear:w2") == (
        "mixed:*=range-linear:w4a32+conv=fp32+fc=range-linear:w2a32"
    )
    assert named(part2="range-linear:w2") == "mixed:fc=range-linear:w2a32"
    every = dict.fromkeys(("part0", "part1", "part2"), "range-linear:w4")
    assert named(**every) == "range-linear:w4a32"

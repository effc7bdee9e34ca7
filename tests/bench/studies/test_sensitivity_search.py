"""How layers are ranked, and the search for the smallest mixture of techniques within a loss."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any, cast

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from bench.core.variant_key import VariantKey
from bench.results.sensitivity import Change, LayerStudy
from bench.studies.sensitivity.measuring import Measured
from bench.studies.sensitivity.recommendation import _Search
from bench.studies.sensitivity.search import FURTHER, Option, Rung, climb, ladder
from bench.studies.sensitivity.study import _ranked
from tests.bench.examples import FP32, RUN

OPTIONS = {
    "small": [Option("w2", 9, 70), Option("w4", 1, 60)],
    "large": [Option("w2", 20, 700), Option("w4", 4, 600)],
}


def test_a_ladder_by_hand() -> None:
    rungs = [(rung.lost, rung.saved_bytes, dict(rung.layers)) for rung in ladder(OPTIONS)]
    assert rungs == [
        (0, 0, {}),
        (1, 60, {"small": "w4"}),
        (4, 600, {"large": "w4"}),
        (5, 660, {"small": "w4", "large": "w4"}),
        (13, 670, {"small": "w2", "large": "w4"}),
        (20, 700, {"large": "w2"}),
        (21, 760, {"small": "w4", "large": "w2"}),
        (29, 770, {"small": "w2", "large": "w2"}),
    ]


def test_a_technique_that_loses_nothing_has_float32_below_it() -> None:
    assert ladder({"a": [Option("int8", 0, 30)]}) == [Rung(), Rung(0, 30, {"a": "int8"})]
    assert ladder({"a": [Option("int8", 0, 0)]}) == [Rung()], "what saves nothing is no step"
    assert ladder({}) == [Rung()]


options = st.builds(Option, st.sampled_from(["x", "y", "z"]), st.integers(0, 30), st.integers(-5, 99))
layers = st.dictionaries(st.sampled_from("abcd"), st.lists(options, max_size=3), max_size=4)


@given(layers, st.integers(0, 120))
def test_no_mixture_within_a_loss_saves_more_than_the_ladders(given: dict[str, list[Option]], allowed: int) -> None:
    every = itertools.product(*([None, *choices] for choices in given.values()))
    sums = [(sum(each.lost for each in mix if each), sum(each.saved_bytes for each in mix if each)) for mix in every]
    best = max(saved for lost, saved in sums if lost <= allowed)
    rungs = ladder(given)
    assert max(rung.saved_bytes for rung in rungs if rung.lost <= allowed) == best
    assert [rung.saved_bytes for rung in rungs] == sorted(rung.saved_bytes for rung in rungs)
    for rung in rungs:
        chosen = [next(o for o in given[layer] if o.technique == name) for layer, name in rung.layers.items()]
        assert len(chosen) <= len(given)


def climbed(losses: Sequence[int | None], predicted: Sequence[int], allowed: int) -> tuple[int, list[int]]:
    """Where the climb ends, and which rungs were measured; rung 0 is float32."""
    rungs = [Rung(), *(Rung(lost, 10 * at, {"a": str(at)}) for at, lost in enumerate(predicted, 1))]
    measured: list[int] = []

    def lost(rung: Rung) -> int | None:
        measured.append(int(rung.layers["a"]))
        return losses[measured[-1] - 1]

    best = climb(rungs, allowed, lost)
    return rungs.index(best), measured


@pytest.mark.parametrize(
    ("losses", "end", "measured"),
    [
        ([1, 2, 3, 9], 3, [3, 4]),  # as predicted
        ([1, 2, 3, 3], 4, [3, 4]),  # less was lost than predicted
        ([1, 2, 9, 9], 2, [3, 2]),  # more was lost: backing off
        ([1, 9, 9, 9], 1, [3, 2, 1]),
        ([9, 9, 9, 9], 0, [3, 2, 1]),  # nothing fits but float32, which is not measured
        ([1, 2, None, 9], 2, [3, 2]),  # one that cannot be made does not fit
        ([-4, -4, -4, None], 3, [3, 4]),
    ],
)
def test_the_climb_starts_where_the_sum_just_fits(losses: list[int | None], end: int, measured: list[int]) -> None:
    assert climbed(losses, predicted=[1, 2, 4, 8], allowed=4) == (end, measured)


@pytest.mark.parametrize("fitting", [0, 1, 2, 500, 998, 999])
def test_the_way_down_doubles_its_steps_and_then_halves_them(fitting: int) -> None:
    losses = [0] * fitting + [99] * (1000 - fitting)
    end, measured = climbed(losses, predicted=[1] * 1000, allowed=1)
    assert end == fitting
    assert len(measured) <= 2 * 10 + 1, "and 2 to the power of 10 is 1024"
    assert len(measured) == len(set(measured))


def test_the_climb_has_an_end() -> None:
    end, measured = climbed([0] * 50, predicted=range(1, 51), allowed=10)
    assert (end, len(measured)) == (10 + FURTHER, 1 + FURTHER)


def test_a_row_of_the_study_that_fits_and_is_smaller_is_preferred() -> None:
    """What layers lose need not add up: both at once may lose less than one of them."""
    right = np.ones(2000, dtype=bool)

    def losing(*lost: int) -> NDArray[np.bool_]:
        answers = right.copy()
        answers[[2 * each for each in lost]] = False  # on the half that is searched
        return answers

    rows = {"fp32": (100, []), "x": (30, [0]), "mixed:a=x": (60, [0, 1, 2]), "mixed:b=x": (70, []), "failed": (5, [])}
    run = RUN.model_copy(
        update={"rows": [FP32.model_copy(update={"technique": n, "packed_bytes": s}) for n, (s, _) in rows.items()]}
    )
    answers = {VariantKey(name): losing(*lost) for name, (_, lost) in rows.items() if name != "failed"}
    study = [
        layer("a", "x", 3, 0).model_copy(update={"only": "mixed:a=x", "others": "mixed:b=x"}),
        layer("b", "x", 0, 3).model_copy(update={"only": "mixed:b=x", "others": "mixed:a=x"}),
    ]
    search = _Search(cast(Any, None), study, Measured(run, answers), max_drop=0.001)
    assert search.options() == {"a": [Option("x", 3, 40)], "b": [Option("x", 0, 30)]}
    assert search.allowed == 1
    assert search.rows() == {
        "x": {"a": "x", "b": "x"},
        "mixed:a=x": {"a": "x"},
        "mixed:b=x": {"b": "x"},
    }
    climbed = {"mixed:b=x": {"b": "x"}}
    assert search.smallest({**climbed, **search.rows()}) == ("x", {"a": "x", "b": "x"})
    assert search.smallest({**climbed, "failed": {}}) == ("mixed:b=x", {"b": "x"})


# Ranking


def layer(name: str, technique: str, lost: int | None, spared: int | None) -> LayerStudy:
    changes = [Change.of(count, 0, 1000) if count is not None else None for count in (lost, spared)]
    return LayerStudy(
        layer=name,
        kind="Linear",
        weights=10,
        technique=technique,
        only=f"mixed:{name}={technique}",
        others=f"mixed:*={technique}+{name}=fp32",
        only_change=changes[0],
        others_change=changes[1],
    )


def test_the_most_sensitive_is_first_and_of_equals_the_one_worth_most_to_spare() -> None:
    found = [
        layer("failed", "x", None, None),
        layer("robust", "x", 1, 9),
        layer("spared in vain", "x", 5, 9),
        layer("worth sparing", "x", 5, 2),
        layer("worst", "x", 8, 9),
        layer("other", "y", 99, 0),
    ]
    assert [each.layer for each in _ranked(found, ["x", "y"])] == [
        "worst",
        "worth sparing",
        "spared in vain",
        "robust",
        "failed",
        "other",
    ]

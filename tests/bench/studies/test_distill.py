"""Distilling along a chain of widths, the whole way on synthetic digits."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bench.core.errors import CheckpointError, RequestError
from bench.report.distillation import render
from bench.results.distillation import Distillation
from bench.studies.distill import distill
from bench.studies.train import train
from tests.bench.conftest import Command
from tests.bench.studies.conftest import FAILED, MODEL, OPTIONS, QUICK, SMALL_CHAIN, Failing


@pytest.fixture(scope="module")
def distilled(shared_cache: Path) -> Distillation:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("QUANTBENCH_CACHE", str(shared_cache))
        return distill(MODEL, **SMALL_CHAIN, **QUICK)


def test_every_width_is_trained_every_way(distilled: Distillation) -> None:
    ways = [(student.bits, student.route, student.source, student.seed) for student in distilled.students]
    assert ways == [
        (32, "alone", "", 0),
        (32, "alone", "", 1),
        *((2, route, source, seed) for seed in (0, 1) for route, source in WAYS),
    ]
    assert {student.technique for student in distilled.students} == {"dorefa:w32a32", "dorefa:w2a2"}


WAYS = (("alone", ""), ("one step", "both"), ("chain", "both"))


def test_a_chain_of_two_is_one_step(distilled: Distillation) -> None:
    by_way = {(student.route, student.seed): student.accuracy for student in distilled.students if student.bits == 2}
    assert all(by_way["one step", seed] == by_way["chain", seed] for seed in (0, 1))


def test_the_table_has_a_row_a_width_and_a_column_a_way(distilled: Distillation) -> None:
    lines = render(distilled).splitlines()
    assert [cell.strip() for cell in lines[0].strip("|").split("|")] == [
        "Bits",
        "Packed (kB)",
        "alone",
        "one step: both",
        "chain: both",
    ]
    assert lines[2].startswith("|     32")
    assert "**SYNTHETIC data**" in render(distilled)
    assert "over 2 seeds" in render(distilled)


def test_a_student_that_fails_leaves_the_others_as_they_are(distilled: Distillation, failing: Failing) -> None:
    failing(lambda order: order.seed == 1 and not order.technique)  # the widest of one seed
    distilling = distill(MODEL, **SMALL_CHAIN, **QUICK)
    reasons = {
        (student.bits, student.route, student.seed): student.reason for student in distilling.students if student.reason
    }
    assert reasons == {
        (32, "alone", 1): str(FAILED),
        (2, "one step", 1): f"its teacher failed: {FAILED}",
        (2, "chain", 1): f"its teacher failed: {FAILED}",
    }
    right = [student for student in distilling.students if not student.reason]
    assert right == [
        student for student in distilled.students if (student.bits, student.route, student.seed) not in reasons
    ]
    lines = render(distilling).splitlines()
    assert [cell.strip().endswith("% (1 of 2)") for cell in lines[3].strip("|").split("|")[2:]] == [False, True, True]
    assert f"- 2 bits, chain: both, seed 1: its teacher failed: {FAILED}" in lines


def test_activations_may_have_bits_of_their_own(failing: Failing) -> None:
    failing(lambda order: True)
    done = distill(MODEL, **(SMALL_CHAIN | {"chain": [8, 4], "seeds": [0], "activations": "8"}), **QUICK)
    assert {student.technique for student in done.students} == {"dorefa:w8a8", "dorefa:w4a8"}


def test_a_width_that_fails_is_a_row_of_failures(failing: Failing) -> None:
    failing(lambda order: True)
    done = distill(MODEL, **(SMALL_CHAIN | {"chain": [32, 8, 2], "seeds": [0]}), **QUICK)
    assert {student.reason for student in done.students} == {str(FAILED), f"its teacher failed: {FAILED}"}
    assert [cell.strip() for cell in render(done).splitlines()[4].strip("|").split("|")] == ["2", "–", *["failed"] * 3]


@pytest.mark.slow
def test_a_teacher_of_ones_own_teaches_the_widest_too(tmp_path: Path) -> None:
    [larger] = train("mnist/mlp3x1024", ["fp32"], **QUICK)
    checkpoint = larger.checkpoint.rename(tmp_path / "larger.safetensors")
    done = distill(MODEL, **(SMALL_CHAIN | {"seeds": [0], "sources": ["loss"]}), teacher=checkpoint, **QUICK)
    assert [(student.bits, student.route) for student in done.students] == [
        (bits, route) for bits in (32, 2) for route in ("alone", "one step", "chain")
    ]
    assert done.teacher == "mnist/mlp3x1024"
    assert "taught by mnist/mlp3x1024" in render(done)


@pytest.mark.slow
def test_a_teacher_that_does_not_fit_is_refused() -> None:
    [larger] = train("mnist/mlp3x1024", ["fp32"], **QUICK)
    with pytest.raises(RequestError, match="whose weights do not fit lab1; learn from its answers alone"):
        distill(MODEL, **SMALL_CHAIN, teacher=larger.checkpoint, **QUICK)
    [words] = train("sst2/lab2", ["fp32"], **QUICK)
    with pytest.raises(RequestError, match=r"was trained on synthetic data of sst2 .* not on synthetic data of mnist"):
        distill(MODEL, **SMALL_CHAIN, teacher=words.checkpoint, **QUICK)
    [smaller] = train("mnist/lab2", ["fp32"], **QUICK)
    with pytest.raises(RequestError, match="takes other inputs than lab1"):
        distill(MODEL, **SMALL_CHAIN, teacher=smaller.checkpoint, **QUICK)
    with pytest.raises(CheckpointError, match="cannot be read"):
        distill(MODEL, **SMALL_CHAIN, teacher="nowhere.safetensors", **QUICK)


def test_a_teacher_that_is_not_there_is_answered_with_the_option_that_names_one(distilled: Distillation) -> None:
    with pytest.raises(CheckpointError, match=r"nowhere.safetensors cannot be read \(No such .*; name another with"):
        distill(MODEL, **SMALL_CHAIN, teacher="nowhere.safetensors", **QUICK)


def test_what_was_distilled_is_not_trained_again(distilled: Distillation, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.running.weights.PREPARATION_HOST", "tests.bench.hosts:Host")  # which cannot train
    again = distill(MODEL, **SMALL_CHAIN, **QUICK)
    assert [student.accuracy for student in again.students] == [student.accuracy for student in distilled.students]


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"chain": [32]}, "--chain 32 must have at least two widths"),
        ({"chain": [32, 8, 32]}, "--chain 32,8,32 must have at least two widths"),
        ({"chain": [8, 32]}, "--chain 8,32 must go from wide to narrow"),
        ({"weight": 0.0}, "--weight 0 must be above 0 and up to 1"),
        ({"temperature": 0.0}, "--temperature 0 must be above 0"),
        ({"seeds": []}, "--seed must be given once or more"),
        ({"sources": ["nothing"]}, "--source nothing must be start, loss or both"),
        ({"activations": "many"}, "--activations many must be same, full or a number of bits"),
        ({"activations": "7"}, "dorefa has no a7"),
        ({"family": "bwn"}, "bwn has no w32"),
        ({"family": "range-linear", "chain": [8, 4]}, "range-linear cannot be trained at a width"),
    ],
)
def test_a_distillation_that_makes_no_sense_is_refused(changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(RequestError, match=sentence):
        distill(MODEL, **(SMALL_CHAIN | changes), **QUICK)


def test_bench_distill_writes_table_and_figures(command: Command, tmp_path: Path) -> None:
    arguments = ("distill", MODEL, "--chain", "32,2", "--seed", "0", "--source", "both", *OPTIONS)
    code, out, _ = command(*arguments, "--out", str(tmp_path))
    assert code == 0
    assert "one step: both" in out
    written = Distillation.model_validate_json((tmp_path / "distillation.json").read_text(encoding="utf-8"))
    assert render(written) == (tmp_path / "distillation.md").read_text(encoding="utf-8").rstrip("\n")


def test_a_student_that_fails_is_the_exit_code(command: Command, failing: Failing, tmp_path: Path) -> None:
    failing(lambda order: order.technique == "dorefa:w2a2")
    arguments = ("distill", MODEL, "--chain", "32,2", "--seed", "0", "--source", "both", *OPTIONS)
    code, out, _ = command(*arguments, "--out", str(tmp_path))
    assert code == 1
    assert f"- 2 bits, alone, seed 0: {FAILED}" in out.splitlines()
    assert (tmp_path / "distillation.md").read_text(encoding="utf-8").splitlines()[0] in out

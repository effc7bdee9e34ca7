"""Runs beside each other: what is shown, what is said, and what is set apart."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from bench.comparing.comparison import Comparison, compare
from bench.comparing.gate_rule import parse
from bench.core.errors import RequestError, RunFileError
from bench.core.variant_key import VariantKey
from bench.report.machines import render
from bench.results import run_file
from bench.results.latency import Speedup
from bench.results.row import Accuracy, Row
from bench.results.run import ReferenceLatency, Run
from bench.stats.ratio import ratio
from tests.bench.examples import DATA, FP16, FP32, LATER, MACHINE, QINT8, RUN, SETTINGS, TRAINING, latency, speedup
from tests.bench.notebook import shown
from tests.bench.sessions import session

GOLDEN = Path(__file__).with_name("golden_comparison.md")


def elsewhere(machine: Mapping[str, Any] | None = None, **changes: Any) -> Run:
    """Return the example run as another machine without VNNI would have it: int8 is slower there."""
    slow = QINT8.model_copy(update={"speedup": {1: speedup(0.95, 0.01, 1e-6), 64: speedup(0.8, 0.02, 1e-9)}})
    there = MACHINE.model_copy(update={"cpu": "Old CPU 100", "isa": ["AVX2"], **(machine or {})})
    return RUN.model_copy(update={"machine": there, "rows": [FP32, FP16, slow], **changes})


def with_settings(run: Run = RUN, **changes: Any) -> Run:
    return run.model_copy(update={"settings": SETTINGS.model_copy(update=changes)})


def with_row(row: Row, **changes: Any) -> Run:
    """Return the example run with one row changed."""
    changed = row.model_copy(update=changes)
    return RUN.model_copy(update={"rows": [changed if each is row else each for each in RUN.rows]})


def relative(slower: Mapping[str, float] | None = None, lost: int = 0) -> Run:
    """Return the example run with a reference workload; some techniques are slower, each has lost as many answers."""
    rows = []
    for row in (FP32, FP16, QINT8):
        factor = (slower or {}).get(row.technique, 1.0)
        assert row.accuracy is not None
        changes: dict[str, object] = {
            "accuracy": Accuracy(correct=row.accuracy.correct - lost, total=10_000),
            "latency": {1: latency(50e-6 * factor), 64: latency(600e-6 * factor)},
        }
        rows.append(row.model_copy(update=changes))
    steady = {size: latency(seconds, wobble=0.001) for size, seconds in ((1, 80e-6), (64, 1e-3))}
    return RUN.model_copy(update={"rows": rows, "references": [ReferenceLatency(model="mnist/lab1", latency=steady)]})


def faster(value: float, margin: float = 0.01, retired: bool = False, size: int = 64) -> Row:
    """Return int8 with a speed-up that ten processes know to a hundredth or so."""
    logs = [math.log(value) + margin * step for step in (-1, -0.7, -0.4, -0.2, 0, 0.1, 0.3, 0.5, 0.8, 1)]
    if retired:
        logs = logs[:3]
    known = Speedup.of(ratio(logs), retired=retired)
    times = dict(zip(FP32.latency[size].rounds, FP32.latency[size].rounds_s, strict=True))
    numbers = list(range(len(logs)))
    rounds_s = [times[number] / math.exp(log) for number, log in enumerate(logs)]
    changes = {"rounds": numbers, "processes": numbers, "rounds_s": rounds_s}
    timed = FP32.latency[size].model_copy(update=changes)
    return QINT8.model_copy(update={"latency": {size: timed}, "speedup": {size: known}})


def said(comparison: Comparison, kind: str) -> list[str]:
    return [each.sentence for each in comparison.statements if each.kind == kind]


def could_explain(comparison: Comparison) -> str:
    [statement] = [each for each in comparison.statements if each.kind == "differs"]
    return "; ".join(statement.could_explain)


def test_the_report_is_the_golden_one() -> None:
    """After an intended change: write ``render(compare(…))`` to the golden file and read the difference."""
    comparison = compare(relative(), elsewhere(), relative({"fp16": 1.3}, lost=300))
    assert render(comparison) == GOLDEN.read_text(encoding="utf-8")


def test_a_notebook_and_json_have_the_same_facts() -> None:
    comparison = compare(RUN, LATER, elsewhere(), rules=[parse("latency@64 > 5%")])
    assert shown(comparison) == render(comparison)
    assert Comparison.model_validate_json(comparison.model_dump_json()) == comparison


# Between machines


def test_each_model_has_a_table_of_techniques_and_machines() -> None:
    [table] = compare(RUN, elsewhere()).tables
    assert table.model == "mnist/lab1"
    assert [(str(line.variant), line.batch_size) for line in table.lines[:4]] == [
        ("fp32", 1),
        ("fp32", 64),
        ("fp16", 1),
        ("fp16", 64),
    ]
    static = next(line for line in table.lines if line.variant == VariantKey("static-qint8"))
    assert static.cells[0] is not None
    assert static.cells[0].status == "unsupported"
    assert static.cells[1] is None, "that run has no such row"


def test_what_turns_round_differs_by_what_could_explain_it() -> None:
    comparison = compare(RUN, elsewhere())
    [differs] = [each for each in comparison.statements if each.kind == "differs"]
    assert (differs.model, str(differs.variant), differs.batch_size) == ("mnist/lab1", "dynamic-qint8", 64)
    assert differs.could_explain == ["no AVX512-VNNI on B"]
    assert "is 3.00× [2.90, 3.10] as fast as fp32 on A and 0.80× [0.78, 0.82] on B" in differs.sentence


@pytest.mark.parametrize(
    ("machine", "settings", "could"),
    [
        ({"isa": MACHINE.isa, "torch": "2.11.0"}, {}, "torch 2.14.1 on A, 2.11.0 on B"),
        ({"isa": MACHINE.isa}, {"threads": 2}, "threads 1 on A, 2 on B"),
        ({"isa": MACHINE.isa}, {"engine": "qnnpack"}, "quantized engine x86 on A, qnnpack on B"),
        ({"isa": ["NEON"], "architecture": "aarch64"}, {}, "no AVX512-VNNI or AVX2 on B; no NEON on A; architecture"),
        ({"isa": MACHINE.isa}, {"pinned_cores": []}, "pinned cores 3 on A, none on B"),
        ({"isa": MACHINE.isa}, {}, "the CPU Example CPU 3000 on A, Old CPU 100 on B"),
        (
            {"isa": MACHINE.isa, "cpu": MACHINE.cpu, "logical_cores": 128, "memory_bytes": 2**36, "os": "Linux 6.8"},
            {},
            "cores 4 (2 physical) on A, 128 (2 physical) on B; memory 16.0 GiB on A, 64.0 GiB on B; system Linux 6",
        ),
        ({"accelerators": ["H200"]}, {"device": "cuda"}, "device cpu on A, H200 on B"),
    ],
)
def test_differences_of_the_fingerprint_are_named(
    machine: dict[str, Any], settings: dict[str, Any], could: str
) -> None:
    assert could_explain(compare(RUN, with_settings(elsewhere(machine), **settings))).startswith(could)


def test_where_nothing_that_is_recorded_differs_that_is_said() -> None:
    twin = elsewhere({"cpu": MACHINE.cpu, "isa": MACHINE.isa})
    comparison = compare(RUN, with_settings(twin, seed=1))
    assert could_explain(comparison) == ""
    assert "no recorded difference explains it" in render(comparison)


def test_what_could_explain_all_that_differs_is_said_once() -> None:
    def threaded(run: Run, threads: int, fp16: float) -> Run:
        row = FP16.model_copy(update={"speedup": {64: speedup(fp16, 0.02, 1e-9)}})
        return with_settings(run.model_copy(update={"rows": [FP32, row, run.rows[2]]}), threads=threads)

    there = elsewhere({"cpu": MACHINE.cpu, "isa": MACHINE.isa})
    text = render(compare(threaded(RUN, 1, 2.0), threaded(there, 2, 1.0)))
    assert text.count("threads 1 on A, 2 on B") == 1
    without_vnni = threaded(elsewhere({"cpu": MACHINE.cpu}), 2, 1.0)
    other = render(compare(threaded(RUN, 1, 2.0), without_vnni))
    assert (other.count("threads 1 on A, 2 on B"), other.count("no AVX512-VNNI on B")) == (1, 1)


def test_what_all_machines_say_alike_agrees() -> None:
    alike = elsewhere(rows=[FP32, QINT8])
    one, sixty_four = said(compare(RUN, alike), "agrees")
    assert one == (
        "`dynamic-qint8` on `mnist/lab1` at batch 1 is slower than fp32 everywhere: 0.96× [0.95, 0.97] on A, "
        "0.96× [0.95, 0.97] on B"
    )
    assert sixty_four.startswith("`dynamic-qint8` on `mnist/lab1` at batch 64 is faster than fp32 everywhere: 3.00×")


def test_everywhere_is_on_every_machine() -> None:
    failed = QINT8.model_copy(update={"status": "failed", "latency": {}, "speedup": {}})
    there = [elsewhere({"cpu": f"CPU {row.status}"}, rows=[FP32, row]) for row in (QINT8, failed)]
    sentence = said(compare(RUN, *there), "agrees")[1]
    assert sentence.startswith("`dynamic-qint8` on `mnist/lab1` at batch 64 is faster than fp32 on A, B: 3.00×")


def on_both(here: Row, there: Row, *others: Row) -> Comparison:
    """Compare a row of two machines, with others that both have alike."""
    return compare(RUN.model_copy(update={"rows": [FP32, here, *others]}), elsewhere(rows=[FP32, there, *others]))


def test_what_is_faster_on_both_but_not_as_much_differs() -> None:
    [sentence] = said(on_both(faster(3.0), faster(1.5)), "differs")
    assert "is 3.00× [2.98, 3.02] as fast as fp32 on A and 1.50× [1.49, 1.51] on B" in sentence


@pytest.mark.parametrize(("there", "differs"), [(2.8, False), (2.7, True)])
def test_a_difference_nobody_would_choose_by_is_none(there: float, differs: bool) -> None:
    """Both are known to a thousandth; what counts is whether they are a tenth apart."""
    assert bool(said(on_both(faster(3.0, 0.001), faster(there, 0.001)), "differs")) == differs


def test_what_differs_is_tested_with_all_that_is_said_at_once() -> None:
    """Ten processes against ten, all but the last two orders the other way: p = 4e-5 alone, and 71 times as much."""
    here, there = faster(1.5, margin=0.1), faster(1.2, margin=0.1)
    assert said(on_both(here, there), "differs")
    many = [faster(1.2).model_copy(update={"technique": f"mixed:{number}"}) for number in range(400)]
    assert not said(on_both(here, there, *many), "differs"), "one of 401 may be so far apart by chance"


def test_what_was_retired_is_slower() -> None:
    both = on_both(faster(0.05, retired=True), faster(0.04, retired=True))
    [agrees] = said(both, "agrees")
    assert agrees.startswith("`dynamic-qint8` on `mnist/lab1` at batch 64 is slower than fp32 everywhere: 0.05")
    [differs] = said(on_both(faster(0.2, retired=True), faster(2.0)), "differs")
    assert "2.00× [1.99, 2.02] as fast as fp32 on B and 0.20× on A" in differs


def test_too_few_processes_say_nothing() -> None:
    few = faster(0.2, retired=True)
    few = few.model_copy(update={"speedup": {64: few.speedup[64].model_copy(update={"retired": False})}})
    assert not on_both(few, faster(2.0)).statements


def test_where_a_machine_does_not_know_nothing_is_told() -> None:
    sentences = said(compare(RUN, elsewhere()), "cannot tell")
    assert (
        "`fp16` on `mnist/lab1` at batch 64: 1.04× [0.89, 1.19] on A, 1.04× [0.89, 1.19] on B; no difference from "
        in (sentences[1])
    )
    assert sentences[1].endswith("fp32 detected on A, B")


def test_a_simulation_says_nothing_of_latency() -> None:
    simulated = QINT8.model_copy(update={"simulated": True})
    comparison = compare(RUN, elsewhere(rows=[FP32, simulated]))
    assert not comparison.statements
    assert "(simulated)" in render(comparison)
    assert "0.80×" not in render(comparison)


@pytest.mark.parametrize(
    ("field", "value", "figures"),
    [
        ("params", 407_049, "407,050 on A, 407,049 on B parameters"),
        ("size_bytes", 412_174, "412,173 on A, 412,174 on B bytes on disk"),
        ("packed_bytes", 420_000, "409,364 on A, 420,000 on B bytes packed"),
    ],
)
def test_sizes_that_differ_between_machines_are_an_error(field: str, value: int, figures: str) -> None:
    comparison = compare(RUN, elsewhere(rows=[FP32, QINT8.model_copy(update={field: value})]))
    assert comparison.errors == [f"`dynamic-qint8` of `mnist/lab1`: {figures}, which should be the same everywhere"]
    assert f"- **Error**: {comparison.errors[0]}." in render(comparison)


def test_sizes_of_other_data_are_not_held_against_each_other() -> None:
    """Another vocabulary makes another model."""
    other = DATA.model_copy(update={"fingerprint": "ffff"})
    assert not compare(RUN, elsewhere(rows=[QINT8.model_copy(update={"params": 1})], data=[other])).errors


def test_packed_files_may_differ_by_the_text_of_their_scales() -> None:
    row = QINT8.model_copy(update={"packed_bytes": 409_400})
    assert not compare(RUN, elsewhere(rows=[row])).errors


def test_synthetic_data_and_unfinished_runs_are_said() -> None:
    run = elsewhere(data=[DATA.model_copy(update={"kind": "synthetic"})], finished=False)
    text = render(compare(RUN, run))
    assert "> **Synthetic data.** B measured MNIST on generated stand-ins." in text
    assert "> **Unfinished.** B was interrupted." in text


# One machine


def test_two_runs_of_one_machine_are_a_pair_and_said_once() -> None:
    comparison = compare(RUN, LATER, elsewhere())
    assert [(pair.base, pair.new) for pair in comparison.pairs] == [("A", "B")]
    assert all("on B" not in each.sentence for each in comparison.statements)


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"threads": 2}, "threads 1 and 2"),
        ({"pinned_cores": []}, "pinned cores 3 and none"),
        ({"device": "cuda"}, "device cpu and cuda"),
        ({"engine": "qnnpack"}, "quantized engine x86 and qnnpack"),
        ({"seed": 1}, "seed 0 and 1"),
        ({"epochs": 3}, "epochs as the recipes have them and 3"),
        ({"training_device": "cuda"}, "training device as measured on and cuda"),
        ({"inputs": "net.py:inputs"}, "inputs none and net.py:inputs"),
        ({"evaluate": "net.py:accuracy"}, "evaluate function none and net.py:accuracy"),
        ({"calibrate": "net.py:batches"}, "calibration none and net.py:batches"),
    ],
)
def test_runs_of_other_settings_are_columns_set_apart_with_the_reason(settings: dict[str, Any], reason: str) -> None:
    comparison = compare(RUN, with_settings(**settings))
    assert not comparison.pairs
    assert [each.reasons for each in comparison.apart] == [[reason]]
    assert f"{reason}." in render(comparison)


@pytest.mark.parametrize(
    "settings", [{"runs": 9}, {"precision": 0.01}, {"budget_s": 9.0}, {"suite": "lab"}, {"batch_sizes": [64]}]
)
def test_other_efforts_still_compare(settings: dict[str, Any]) -> None:
    assert compare(RUN, with_settings(**settings)).pairs


def test_other_data_and_other_recipes_set_apart() -> None:
    data = RUN.model_copy(update={"data": [DATA.model_copy(update={"fingerprint": "ff"})]})
    recipe = RUN.model_copy(update={"trainings": [TRAINING.model_copy(update={"recipe_hash": "ff"})]})
    comparison = compare(RUN, data, recipe)
    assert comparison.apart[0].reasons == ["mnist data real 0123456789abcdef and real ff"]
    assert comparison.apart[1].reasons == ["other recipes of mnist/lab1"]


def test_an_edited_model_of_ones_own_compares_and_its_sizes_are_its_own() -> None:
    def own(source: str, params: int) -> Run:
        data = DATA.model_copy(update={"kind": "own", "source": source})
        return RUN.model_copy(update={"data": [data], "rows": [FP32.model_copy(update={"params": params})]})

    comparison = compare(own("aa", 100), own("bb", 90))
    [pair] = comparison.pairs
    assert pair.remarks[0] == "What else differs: the source of mnist."
    assert not comparison.errors
    assert any(each.quantity == "params" and each.word == "smaller" for each in pair.changes)


def test_other_software_on_one_machine_compares_and_is_named() -> None:
    newer = RUN.model_copy(update={"machine": MACHINE.model_copy(update={"torch": "2.15.0"}), "quantbench": "0.3.0"})
    [pair] = compare(RUN, newer).pairs
    assert pair.remarks[0] == "What else differs: torch 2.14.1 and 2.15.0; quantbench 0.1.0 and 0.3.0."


def test_threads_of_one_machine_compare_as_columns() -> None:
    slower = elsewhere({"cpu": MACHINE.cpu, "isa": MACHINE.isa})
    assert could_explain(compare(RUN, with_settings(slower, threads=2))) == "threads 1 on A, 2 on B"


def test_what_makes_another_machine_is_named() -> None:
    other = {"logical_cores": 128, "isa": ["AVX2"]}
    [apart] = compare(RUN, elsewhere({"cpu": MACHINE.cpu, **other})).apart
    assert apart.reasons == ["another machine (instruction sets AVX2 AVX512-VNNI and AVX2, logical cores 4 and 128)"]


def test_latencies_of_too_few_processes_are_no_difference_that_is_not_there() -> None:
    text = render(compare(session(seed=1, processes=3), session(seed=2, processes=3)))
    assert "- Not comparable: 6 latencies; measure both runs with" in text
    assert "- No difference in the other 15 figures." in text


# Requests


@pytest.mark.parametrize("runs", [[], [RUN]])
def test_an_empty_comparison_is_refused(runs: list[Run]) -> None:
    with pytest.raises(RequestError, match=r"^\d runs? cannot be compared; name two run files or more\.$"):
        compare(*runs)


def test_runs_without_a_common_row_are_refused() -> None:
    other = RUN.model_copy(update={"rows": [FP32.model_copy(update={"model": "lab2"})]})
    message = (
        r"^no two of these runs have a row in common \(A has mnist/lab1; B has mnist/lab2\); name runs of the same"
    )
    with pytest.raises(RequestError, match=message):
        compare(RUN, other)
    bare = RUN.model_copy(update={"rows": []})
    with pytest.raises(RequestError, match="A has mnist/lab1; B has no rows"):
        compare(RUN, bare)
    assert compare(RUN, other, LATER).pairs, "of three, two may have no row in common"


def test_a_run_is_not_compared_with_itself(tmp_path: Path) -> None:
    for name in ("run.json", "copy.json"):
        run_file.save(RUN, tmp_path / name)
    with pytest.raises(
        RequestError, match=r"^A and C are the same run, measured 2026-01-02T03:04:05\+00:00; name files"
    ):
        compare(tmp_path / "run.json", elsewhere(), tmp_path / "copy.json")


def test_labels_name_the_columns() -> None:
    assert [column.label for column in compare(RUN, LATER, labels=["main", "branch"]).columns] == ["main", "branch"]
    with pytest.raises(RequestError, match="2 runs need as many labels that differ, not same, same"):
        compare(RUN, LATER, labels=["same", "same"])


def test_there_are_letters_for_any_number_of_runs() -> None:
    bare = [RUN.model_copy(update={"rows": [FP32], "created": f"{number}"}) for number in range(53)]
    labels = [column.label for column in compare(*bare).columns]
    assert (labels[0], labels[25], labels[26], labels[52]) == ("A", "Z", "AA", "BA")


def test_files_are_read(tmp_path: Path) -> None:
    run_file.save(RUN, tmp_path / "run.json")
    run_file.save(LATER, tmp_path / "later.json")
    assert compare(tmp_path / "run.json", str(tmp_path / "later.json")) == compare(RUN, LATER)
    with pytest.raises(RunFileError, match="cannot be read"):
        compare(RUN, tmp_path / "no.json")

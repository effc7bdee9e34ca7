"""Files of pytest-benchmark, read as runs; the worked one has four rounds a benchmark, 10 to 40 µs."""

from __future__ import annotations

import json
import math
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import bench
from bench.core.errors import RunFileError
from bench.report import unpaired
from bench.report.formats import report
from bench.report.markdown import render
from bench.results import latency as result_latency
from bench.results import row as result_row
from bench.results import run_file
from bench.results.extra_info import ExtraInfo
from bench.results.row import Layers
from bench.results.run import Run
from bench.results.verdict import NOT_COMPARABLE, accuracy_verdicts, latency_verdicts
from tests.bench.examples import DATA, MACHINE
from tests.bench.test_import_cost import modules_after_command

ROUNDS_S = [10e-6, 40e-6, 20e-6, 30e-6]
INFO = ExtraInfo(
    quantbench="0.2.0",
    task="own",
    model="mine",
    technique="fp32",
    scheme="--",
    dtype="float32",
    batch_size=1,
    threads=1,
    device="cpu",
    engine="fbgemm",
    size_bytes=4000,
    packed_bytes=3500,
    params=596,
    layers=Layers(changed=0, total=2),
    accuracy=0.95,
    correct=19,
    total=20,
    simulated=False,
    notes=[],
    warm_up_s=[12e-6, 11e-6],
    warm=True,
)

Read = Callable[[dict[str, Any]], Run]


@pytest.fixture
def read(tmp_path: Path) -> Read:
    def read(content: dict[str, Any]) -> Run:
        path = tmp_path / "benchmarks.json"
        path.write_text(json.dumps(content))
        return bench.load_run(path)

    return read


def benchmark(rounds_s: list[float] | None = None, kept: bool = True, **changes: object) -> dict[str, Any]:
    """Return a benchmark as pytest-benchmark writes it, of the statistics those that are read."""
    rounds_s = rounds_s or ROUNDS_S
    mean = sum(rounds_s) / len(rounds_s)
    stats: dict[str, object] = {"mean": mean, "stddev": 13e-6, "median": mean, "rounds": len(rounds_s)}
    stats |= {"iterations": 100, **({"data": rounds_s} if kept else {})}
    info = INFO.model_dump() | changes
    return {"fullname": f"test_x.py::test[{info['technique']}]", "extra_info": info, "stats": stats}


def content(*benchmarks: dict[str, Any], **changes: object) -> dict[str, Any]:
    """Return a file as pytest-benchmark writes it."""
    return {
        "machine_info": {"node": "here", "quantbench": MACHINE.model_dump()},
        "commit_info": {},
        "benchmarks": list(benchmarks),
        "datetime": "2026-01-02T03:04:05+00:00",
        "version": "5.3.1",
    } | changes


QINT8: dict[str, Any] = {"technique": "dynamic-qint8", "scheme": "D", "dtype": "qint8", "size_bytes": 1500}
FILE = content(
    benchmark(),
    benchmark(batch_size=64),
    benchmark([5e-6, 20e-6, 10e-6, 15e-6], **QINT8, correct=18, accuracy=0.9),
    benchmark(batch_size=64, **QINT8, correct=18, accuracy=0.9),
)


def test_benchmarks_of_one_variant_are_one_row(read: Read) -> None:
    run = read(FILE)
    assert [(row.task, row.model, row.technique) for row in run.rows] == [
        ("own", "mine", "fp32"),
        ("own", "mine", "dynamic-qint8"),
    ]
    quantized = run.rows[1]
    assert (quantized.size_bytes, quantized.params, quantized.scheme) == (1500, 596, "D")
    assert quantized.accuracy == result_row.Accuracy(correct=18, total=20)
    assert quantized.packed_bytes is None  # nobody reloaded it
    assert list(quantized.latency) == [1, 64]


def test_rounds_are_seconds_of_one_call(read: Read) -> None:
    latency = read(FILE).rows[0].latency[1]
    assert latency.rounds_s == latency.runs_s == ROUNDS_S
    assert latency.calls_per_block == 100
    assert latency.warm_up_s == [12e-6, 11e-6]
    assert latency.summary is None


def test_a_speedup_is_a_ratio_of_medians_and_nothing_more(read: Read) -> None:
    """Half-way between the two in the middle by their logarithms: √(20 · 30) µs / √(10 · 15) µs."""
    run = read(FILE)
    assert not run.rows[0].speedup
    speedup = run.rows[1].speedup[1]
    assert speedup.value == speedup.low == speedup.high == pytest.approx(2.0)
    assert (speedup.confidence, speedup.p_value, speedup.n) == (0.0, 1.0, 0)
    assert math.isinf(speedup.half_width)


def test_rounds_that_are_not_paired_have_no_verdict(read: Read) -> None:
    rows = read(FILE).rows
    latencies, accuracies = latency_verdicts(rows, 1), accuracy_verdicts(rows)
    assert {verdict.word for verdict in (*latencies, *accuracies)} == {NOT_COMPARABLE}
    assert latencies[1].sentence == "at batch 1: not comparable, its rounds are not paired with fp32's"
    assert accuracies[1].sentence == (
        "accuracy: not comparable, how many examples were answered right is known, and not which"
    )


def test_without_rounds_there_is_what_sums_them_up_and_no_speedup(read: Read) -> None:
    run = read(content(benchmark(kept=False), benchmark(kept=False, **QINT8)))
    latency = run.rows[1].latency[1]
    assert latency.runs_s == [pytest.approx(25e-6)]
    assert (latency.rounds, latency.rounds_s) == ([], [])
    assert latency.summary == result_latency.Summary(mean_s=25e-6, std_s=13e-6, median_s=25e-6, rounds=4)
    assert not run.rows[1].speedup
    sentence = latency_verdicts(run.rows, 1)[1].sentence
    assert sentence == "at batch 1: not comparable, its rounds were not kept"


@pytest.mark.parametrize(
    ("form", "shown"),
    [
        ("md", ["> The file does not have each round, so there are no speed-ups", "mean over all rounds", "25.0 µs"]),
        ("html", ["save it with --benchmark-save-data", ">25.0 µs</td>"]),
        ("csv", [",2.5e-05,0,4,2.5e-05,,"]),  # latency, processes, rounds, mean, its deviation over one run
        ("json", ['"latency_b1_s": 2.5e-05', '"latency_b1_rounds": 4', '"runs_b1_std_s": null']),
    ],
)
def test_a_file_without_rounds_can_be_had_in_every_form(tmp_path: Path, form: str, shown: list[str]) -> None:
    source, out = tmp_path / "benchmarks.json", tmp_path / f"report.{form}"
    source.write_text(json.dumps(content(benchmark(kept=False), benchmark(kept=False, **QINT8))))
    text = report([source], out=out)
    assert [line for line in shown if line not in text] == []
    pictures = sorted(path.name for path in tmp_path.glob("*.svg"))
    assert pictures == (["trade-off-own-mine.svg"] if form == "md" else []), "a spread needs rounds"


def test_a_single_round_has_no_standard_deviation(read: Read) -> None:
    """pytest-benchmark writes 0 for it."""
    summary = read(content(benchmark([1e-3], kept=False))).rows[0].latency[1].summary
    assert summary is not None
    assert summary.std_s is None


def test_settings_and_machine_are_those_that_were_noted(read: Read) -> None:
    run = read(FILE)
    assert run.machine == MACHINE
    assert (run.timed_by, run.created, run.finished) == ("pytest-benchmark", "2026-01-02T03:04:05+00:00", True)
    settings = run.settings
    assert (settings.models, settings.techniques) == (["own/mine"], ["fp32", "dynamic-qint8"])
    assert (settings.batch_sizes, settings.threads, settings.engine, settings.runs) == ([1, 64], 1, "fbgemm", 4)
    assert (settings.seed, settings.data, settings.budget_s) == (None, None, None)
    assert math.isinf(settings.precision)


def test_such_a_run_is_saved_and_loaded_like_any(read: Read, tmp_path: Path) -> None:
    run = read(FILE)
    run_file.save(run, tmp_path / "run.json")
    assert bench.load_run(tmp_path / "run.json") == run


def test_a_machine_without_our_fingerprint_is_known_as_far_as_pytest_benchmark_knows_it(read: Read) -> None:
    part = {
        "machine": "x86_64",
        "python_version": "3.12.1",
        "system": "Linux",
        "release": "6.1",
        "cpu": {"brand_raw": "Example CPU 3000", "count": 4, "flags": ["avx2", "avx512_vnni", "sse"]},
    }
    machine = read(content(benchmark(), machine_info=part)).machine
    assert (machine.cpu, machine.architecture, machine.isa) == ("Example CPU 3000", "x86_64", ["AVX2", "AVX512-VNNI"])
    assert (machine.logical_cores, machine.os, machine.python) == (4, "Linux 6.1", "3.12.1")
    assert machine.memory_bytes is machine.physical_cores is None
    assert (machine.torch, machine.accelerators, machine.quantized_engines) == ("unknown", ["unknown"], ["unknown"])


@pytest.mark.parametrize("part", [{}, None, {"cpu": None}])
def test_of_a_machine_that_nothing_is_known_of_nothing_is_said(read: Read, part: object) -> None:
    run = read(content(benchmark(), machine_info=part))
    assert (run.machine.cpu, run.machine.isa, run.machine.logical_cores) == ("unknown", ["unknown"], None)
    text = render([run])
    assert "unknown logical, unknown physical" in text
    assert "which this torch does not have" not in text


def test_benchmarks_of_others_are_left_out_and_counted(read: Read) -> None:
    other = benchmark() | {"extra_info": {"answer": 42}}
    run = read(content(benchmark(), other, other))
    assert len(run.rows) == 1
    assert run.notes == ["2 benchmarks of this file did not use the fixture quantbench: left out."]
    assert f"> {run.notes[0]}" in render([run])


def test_what_a_test_notes_beside_ours_is_no_matter(read: Read) -> None:
    noted = benchmark()
    noted["extra_info"]["temperature"] = 37
    assert len(read(content(noted)).rows) == 1


def test_an_accuracy_without_counts_has_no_interval(read: Read) -> None:
    run = read(content(benchmark(correct=None, total=None)))
    assert run.rows[0].accuracy is None
    assert run.rows[0].accuracy_share == run.rows[0].share_right == 0.95
    text = render([run])
    assert "95.00 % " in text
    assert "95.00 % [" not in text


def test_a_model_that_did_not_warm_up_says_so(read: Read) -> None:
    row = read(content(benchmark(), benchmark(batch_size=64, warm=False))).rows[0]
    assert row.notes == ["the warm-up did not settle at batch 64"]


def test_a_supplied_models_data_are_described(read: Read) -> None:
    supplied: dict[str, Any] = {"task": "mnist", "model": "lab1", "data": DATA.model_dump()}
    run = read(content(benchmark(**supplied), benchmark()))
    assert [data.task for data in run.data] == ["mnist", "own"]
    assert run.data[0] == DATA
    assert run.data[1].kind == "own"
    assert run.data[1].test_examples is None


def test_the_report_says_what_such_rounds_can_and_cannot_tell(read: Read) -> None:
    text = render([read(FILE)])
    assert text.startswith("# Quantbench: pytest-benchmark on Example CPU 3000\n")
    assert re.search(r"\| mine +\| dynamic-qint8 \| eager +\| .*\| 2\.00× – +\|", text)
    assert unpaired.HOW_TO_READ in text
    assert "Own models: accuracy on the examples that each test took; latency of one call on cpu with 1 thread" in text
    for claim in ("## Training", "Precision, budget", "were disturbed from outside and repeated", "processes,"):
        assert claim not in text


def test_the_command_renders_such_a_file_without_torch(tmp_path: Path) -> None:
    path = tmp_path / "benchmarks.json"
    path.write_text(json.dumps(FILE))
    assert not {"torch", "matplotlib", "scipy.stats"} & modules_after_command("report", str(path))


def damaged(**stats: object) -> dict[str, Any]:
    result = benchmark()
    result["stats"] |= stats
    return result


def without(name: str) -> dict[str, Any]:
    result = benchmark()
    del result["stats"][name]
    return result


@pytest.mark.parametrize(
    ("benchmarks", "sentence"),
    [
        ([], "is a file of pytest-benchmark without any benchmark of the fixture quantbench; measure with"),
        ([{"extra_info": {}}, 3], "without any benchmark of the fixture quantbench"),
        ([benchmark(threads=1), benchmark(threads=2)], r"mixes benchmarks of different numbers of threads \(1, 2\)"),
        ([benchmark(engine="x86"), benchmark()], r"mixes benchmarks of different engines \(fbgemm, x86\)"),
        ([benchmark(), benchmark()], r"has two benchmarks of own/mine as fp32 at batch 1; .* quantbench\(…, name=…\)"),
        (
            [benchmark(size_bytes="many")],
            r"test_x.py::test\[fp32\], that cannot be read \(extra_info.size_bytes: ",
        ),
        ([damaged(mean=0)], "stats.mean: Input should be greater than or equal to .*, not 0"),
        ([damaged(mean=math.inf)], "stats.mean: Input should be a finite number"),
        ([damaged(data=[1e-6, -1e-6])], "stats.data.1: Input should be greater than or equal to .*, not -1e-06"),
        ([damaged(data=None)], "stats.data: Input should be a valid list"),
        ([damaged(rounds="four")], "stats.rounds: Input should be a valid integer"),
        ([damaged(rounds=2.5)], "stats.rounds: Input should be a valid integer"),
        ([damaged(stddev="x")], "stats.stddev: Input should be a valid number"),
        ([without("stddev")], "stats.stddev: Field required"),
        ([benchmark(accuracy=5.0)], "extra_info.accuracy: Input should be less than or equal to 1"),
        ([benchmark(size_bytes=-5)], "extra_info.size_bytes: Input should be greater than or equal to 0"),
        ([benchmark(total=0)], "extra_info.total: Input should be greater than or equal to 1"),
        ([benchmark(correct=9, total=3)], "extra_info: .*correct: 9 of 3"),
        (
            [{key: value for key, value in benchmark().items() if key != "stats"}],
            r"cannot be read \(stats: Field required\)",
        ),
    ],
)
def test_a_file_that_makes_no_run_is_refused_with_a_sentence(
    read: Read, benchmarks: list[dict[str, Any]], sentence: str
) -> None:
    with pytest.raises(RunFileError, match=sentence):
        read(content(*benchmarks))


def test_a_damaged_fingerprint_is_refused_with_a_sentence(read: Read) -> None:
    with pytest.raises(
        RunFileError, match=r"machine part that cannot be read \(cpu: Field required\); measure again\."
    ):
        read(content(benchmark(), machine_info={"quantbench": {}}))


@pytest.mark.parametrize("cpu", [{"flags": 3}, {"count": "x"}, []])
def test_a_damaged_description_of_the_machine_is_refused_with_a_sentence(read: Read, cpu: object) -> None:
    with pytest.raises(RunFileError, match=r"machine part that cannot be read \(cpu.*: Input should be"):
        read(content(benchmark(), machine_info={"cpu": cpu}))


def test_thousands_of_models_are_read_in_seconds(read: Read) -> None:
    """By way of all benchmarks for each of them it would be a minute."""
    begun = time.process_time()
    run = read(content(*(benchmark(task=f"task {n}", model=f"model {n}") for n in range(3_000))))
    assert len(run.rows) == len(run.data) == 3_000
    assert time.process_time() - begun < 10


def test_of_many_engines_a_few_are_named(read: Read) -> None:
    with pytest.raises(RunFileError, match="mixes benchmarks of different engines") as refusal:
        read(content(*(benchmark(model=f"model {n}", engine=f"engine {n}") for n in range(1_000))))
    assert len(str(refusal.value)) < 600

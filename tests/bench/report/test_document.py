from __future__ import annotations

import re
from pathlib import Path

import pytest

from bench.report.headline import headline, how_to_read
from bench.report.lab import lab_table
from bench.report.markdown import render, result_tables
from bench.report.sizes import sizes_and_work
from bench.results.latency import Latency, Speedup
from bench.results.row import NOT_FP32, Int8Operations, Row, Treated
from bench.results.run import Run
from tests.bench.examples import DATA, FP16, FP32, QINT8, RUN, agreement, latency
from tests.bench.notebook import shown

GOLDEN = Path(__file__).with_name("golden_report.md")


def test_the_report_is_the_golden_one() -> None:
    """After an intended change: write ``render([RUN])`` to the golden file and read the difference."""
    assert render([RUN]) == GOLDEN.read_text(encoding="utf-8")


def test_the_labs_table_has_the_labs_columns() -> None:
    columns = lab_table(RUN, DATA).header
    assert columns == ["Model", "Q", "dtype", "Size (MB)", "(Params)", "Accuracy", "Latency B1", "B64"]


def beside_fp32(*rows: Row) -> dict[str, list[object]]:
    """Return the cells of the headline, by technique."""
    table = headline(RUN.model_copy(update={"rows": list(rows)}), DATA)
    return {str(cells[1]): list(cells[2:]) for cells in table.rows}


def remarks(*rows: Row) -> list[str]:
    return list(headline(RUN.model_copy(update={"rows": list(rows)}), DATA).remarks)


def test_the_headline_comes_first_in_report_and_terminal() -> None:
    header = "| Model   | Technique     | Runtime   |   × smaller | Accuracy change    | Speed-up B1 "
    for text in (render([RUN]), result_tables(RUN)):
        first = next(line for line in text.splitlines() if line.startswith("|"))
        assert first.startswith(header)
    assert result_tables(RUN).index("Speed-up B1") < result_tables(RUN).index("Latency B1")


def test_the_headline_has_gains_and_costs_with_their_verdicts() -> None:
    cells = beside_fp32(*RUN.rows)
    assert cells["fp32"] == ["eager", "1.629 MB", "97.07 %", "50.00 µs", "600.0 µs"]
    assert cells["dynamic-qint8"] == [
        *("eager", "3.98×", "−0.01 points"),
        *("0.96× [0.95, 0.97] slower", "3.00× [2.90, 3.10] faster"),
    ]
    assert cells["amp"][2] == "−0.57 points worse"


def test_no_difference_is_left_blank() -> None:
    assert beside_fp32(*RUN.rows)["fp16"][2:] == ["+0.00 points", "1.02× [1.00, 1.04]", "1.04× [0.89, 1.19]"]
    assert not [line for line in render([RUN]).splitlines() if line.startswith("|") and " = " in line]


def test_what_a_row_could_not_do_stands_in_it_and_its_reason_below() -> None:
    assert beside_fp32(*RUN.rows)["static-qint8"] == ["eager", "–", "–", "unsupported", "unsupported"]
    assert beside_fp32(*RUN.rows)["amp"][3:] == ["failed", "failed"]
    assert "`lab1` `static-qint8` **unsupported**: this torch has no fbgemm engine" in remarks(*RUN.rows)[0]


def test_an_accuracy_whose_answers_are_not_known_has_a_change_and_no_verdict() -> None:
    shared = [
        row.model_copy(update={"accuracy": None, "agreement": None, "accuracy_share": share})
        for row, share in ((FP32, 0.97), (QINT8, 0.96))
    ]
    cells = beside_fp32(*shared)
    assert (cells["fp32"][2], cells["dynamic-qint8"][2]) == ("97.00 %", "−1.00 points –")


def test_what_was_retired_is_slower_without_interval() -> None:
    retired = Speedup(value=0.05, low=0.05, high=0.05, confidence=0.0, p_value=0.25, n=3, retired=True)
    row = QINT8.model_copy(update={"speedup": {1: retired}, "latency": {1: latency(1e-3)}})
    assert beside_fp32(FP32, row)["dynamic-qint8"][3] == "0.050× slower"
    [line] = remarks(FP32, row)
    assert line == "timed no more after a few processes, each more than three times as slow: `lab1` `dynamic-qint8`"


def test_too_few_processes_are_named_with_the_way_out() -> None:
    once = Speedup(value=2.0, low=2.0, high=2.0, confidence=0.0, p_value=1.0, n=1)
    row = QINT8.model_copy(update={"speedup": {1: once}, "status": "noisy"})
    assert beside_fp32(FP32, row)["dynamic-qint8"][3] == "2.00× –"
    for rows, named in (([FP32, row], "every speed-up"), ([FP32, row, PRECISE], "`lab1` `dynamic-qint8`")):
        [line] = remarks(*rows)
        assert f"fewer than 8 processes: {named}; measure again" in line


PRECISE = FP16.model_copy(update={"status": "ok"})


def test_a_loss_that_is_not_beyond_doubt_is_named() -> None:
    row = QINT8.model_copy(update={"agreement": agreement(same=9_953, lost=31, gained=16)})
    [line] = remarks(FP32, PRECISE, row)
    assert line == (
        "`lab1` `dynamic-qint8` lost 15 more answers than it gained (p = 0.04), which is not beyond doubt with this "
        "many rows"
    )


def test_noisy_rows_share_one_line_with_cause_and_advice() -> None:
    again = FP16.model_copy(update={"technique": "bf16"})
    [line] = remarks(FP32, FP16, again)
    assert line.startswith(
        "**noisy**, speed-ups known to ±14.4 % at worst, where ±5.0 % was asked: `lab1` `fp16`, `bf16`."
    )
    assert line.endswith("an unshared machine would help")


def means_of(row: Row, factor: float) -> Row:
    """Return the row with all means over the runs so many times as long, and its estimate as it was."""

    def slower(latency: Latency) -> Latency:
        return latency.model_copy(update={"runs_s": [factor * value for value in latency.runs_s]})

    return row.model_copy(update={"latency": {size: slower(latency) for size, latency in row.latency.items()}})


@pytest.mark.parametrize(("factor", "named"), [(1.0, []), (1.2, ["`lab1` `dynamic-qint8`"])])
def test_where_the_labs_means_and_the_speed_up_disagree_a_note_says_so(factor: float, named: list[str]) -> None:
    run = RUN.model_copy(update={"rows": [FP32, FP16, means_of(QINT8, factor)]})
    lines = lab_table(run, DATA).remarks
    assert [re.findall(r"speed-up: (.*)\. Means", line) for line in lines] == [[name] for name in named]


def test_synthetic_data_are_named_in_the_head_and_in_every_caption() -> None:
    synthetic = RUN.model_copy(
        update={"data": [DATA.model_copy(update={"kind": "synthetic", "note": "the download failed (no network)"})]}
    )
    text = render([synthetic])
    assert "**Synthetic data.** The figures for MNIST" in text
    captions = [line for line in text.splitlines() if "accuracy on all" in line]
    assert len(captions) == 2
    assert all("**SYNTHETIC data, not MNIST**" in caption for caption in captions)
    assert "Why not the real set: the download failed (no network)" in text


def test_an_interrupted_run_says_so() -> None:
    assert "**Unfinished.**" in render([RUN.model_copy(update={"finished": False})])


def test_pictures_are_referred_to_where_they_can_lie_beside_it() -> None:
    assert render([RUN]).count("![") == 3
    assert "![" not in render([RUN], pictures=False)
    assert "## At a glance" not in render([RUN], pictures=False)
    assert "(latency-mnist-lab1-2.svg)" in render([RUN, RUN])


def test_a_notebook_gets_no_pictures_that_lie_nowhere() -> None:
    assert shown(RUN) == render([RUN], pictures=False)


def test_a_run_without_rows_renders() -> None:
    assert "# Quantbench" in render([RUN.model_copy(update={"rows": [], "data": [], "trainings": []})])


def test_each_run_has_its_chapter() -> None:
    assert render([RUN, RUN]).count("# Quantbench: quick on Example CPU 3000") == 2


def run_of(*rows: Row) -> Run:
    return RUN.model_copy(update={"rows": list(rows)})


def lines_of(text: str, technique: str) -> list[str]:
    return [line for line in text.splitlines() if technique in line]


def chapter(name: str, text: str = "") -> str:
    """Return what stands under a heading."""
    return (text or render([RUN])).partition(f"\n## {name}\n")[2].partition("\n## ")[0]


@pytest.mark.parametrize("missing", ["size_bytes", "params", "accuracy", "layers"])
def test_what_was_not_measured_is_a_dash_and_never_a_zero(missing: str) -> None:
    rows = [FP32.model_copy(update={missing: None, "latency": {}})]
    [cells] = lab_table(RUN.model_copy(update={"rows": rows}), DATA).rows
    assert cells.count("–") == 2 + (missing != "layers")


@pytest.mark.parametrize("missing", ["packed_bytes", "macs", "peak_memory_bytes", "layers"])
def test_sizes_that_are_not_known_are_dashes_too(missing: str) -> None:
    rows = [FP32.model_copy(update={missing: None})]
    [line] = lines_of(chapter("Size and work", render([RUN.model_copy(update={"rows": rows})])), "| fp32 ")
    of_fp32 = 1  # it treats nothing
    assert line.count("–") == of_fp32 + (missing != "layers") + (missing == "packed_bytes")


def test_the_share_of_parameters_that_were_treated_is_shown() -> None:
    row = QINT8.model_copy(update={"treated": Treated(params=662, total=1000)})
    [line] = lines_of(chapter("Size and work", render([run_of(FP32, row)])), "| dynamic-qint8 ")
    assert line.endswith(" 66.2 % |")


def test_larger_is_called_larger() -> None:
    row = QINT8.model_copy(update={"packed_bytes": 2 * (FP32.packed_bytes or 0), "deploy_bytes": None})
    text = render([run_of(FP32.model_copy(update={"deploy_bytes": None}), row)])
    assert all("2.00× larger |" in line for line in lines_of(text, "| dynamic-qint8 ") if "×" in line.split("|")[4])


def test_outputs_that_are_not_fp32s_are_said_under_the_first_table_and_are_no_smallest() -> None:
    note = f"{NOT_FP32}: 100.00 % of those for the example inputs are NaN or infinite"
    run = run_of(FP32, QINT8.model_copy(update={"notes": [note]}))
    assert f"`lab1` `dynamic-qint8`: **{note}**" in chapter("Results", render([run]))
    assert "is the smallest" not in render([run])


def test_each_row_but_the_baseline_has_its_verdict() -> None:
    _, *rows = chapter("Verdicts").split("- `mnist/lab1` ")
    assert [row.split("`")[1] for row in rows] == ["fp16", "dynamic-qint8", "static-qint8", "amp"]
    assert "  - at batch 1: slower, 0.96× [0.95, 0.97] over 10 processes, p < 0.0001\n" in rows[1]
    assert "  - at batch 64: faster, 3.00×" in rows[1]
    assert rows[3].count("the process died of SIGSEGV") == 1, "what holds for all batch sizes is said once"


def test_answers_stand_beside_the_accuracies() -> None:
    [line] = lines_of(chapter("Accuracy"), "| amp ")
    cells = [cell.strip() for cell in line.strip("|").split("|")]
    assert cells[2:] == ["96.50 % [96.1, 96.8]", "80", "23", "98.90 %"]


def test_smaller_is_said_of_packed_files() -> None:
    assert "3.98×" in lines_of(chapter("Size and work"), "dynamic-qint8")[0]
    without_baseline = RUN.model_copy(update={"rows": [FP32.model_copy(update={"packed_bytes": None}), QINT8]})
    [line] = lines_of(chapter("Size and work", render([without_baseline])), "dynamic-qint8")
    assert "0.409" in line
    assert "×" not in line


def test_measurement_noise_counts_every_block() -> None:
    # Three timed rows of two batch sizes and ten rounds, and six blocks of one of them repeated.
    counts = re.findall(r"\d[\d,]*", chapter("Measurement noise").partition("`run.json`")[0])
    assert counts[:5] == ["66", "6", "2", "7", "1"], "blocks, repeated, still disturbed, by steal and by a switch"


def test_a_budget_and_cores_are_told_where_they_were_set() -> None:
    settings = RUN.settings.model_copy(update={"budget_s": 20.0, "pinned_cores": []})
    text = chapter("Settings", render([RUN.model_copy(update={"settings": settings})]))
    assert "±5.0 % of a speed-up; 20 s a model" in text
    assert "on core" not in text
    assert "on core 3" in chapter("Settings")


def test_what_a_call_costs_stands_below_the_gains_where_runtimes_are_compared() -> None:
    other = QINT8.model_copy(update={"runtime": "onnxruntime"})
    costs = {"eager": 1.5e-6, "onnxruntime": 7e-6}
    text = how_to_read(_run_of(FP32, other).model_copy(update={"call_costs": costs}))
    assert "A call that does nothing takes 1.50 µs on eager, 7.00 µs on onnxruntime; " in text
    assert "does nothing" not in how_to_read(_run_of(FP32, QINT8))


def test_int8_operations_have_a_column_where_they_were_counted() -> None:
    counts = Int8Operations(int8=3, total=5, float_products=1)
    counted = QINT8.model_copy(update={"runtime": "onnxruntime", "int8_operations": counts})
    with_counts, without = _run_of(FP32, counted), _run_of(FP32, QINT8)
    table = sizes_and_work(with_counts, with_counts.data[0])
    assert table.header[-1] == "int8 operations"
    assert [row[-1] for row in table.rows] == ["–", "3 of 5, 1 float product"]
    assert sizes_and_work(without, without.data[0]).header[-1] == "Treated"


def _run_of(*rows: Row) -> Run:
    return RUN.model_copy(update={"rows": list(rows)})

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bench.report.markdown import lab_tables, render
from tests.bench.examples import DATA, FP32, QINT8, RUN
from tests.bench.notebook import shown

GOLDEN = Path(__file__).with_name("golden_report.md")


def test_the_report_is_the_golden_one() -> None:
    """After an intended change: write ``render([RUN])`` to the golden file and read the difference."""
    assert render([RUN]) == GOLDEN.read_text(encoding="utf-8")


def test_the_labs_table_has_the_labs_columns() -> None:
    header = next(line for line in lab_tables(RUN).splitlines() if line.startswith("|"))
    columns = [column.strip() for column in header.strip("|").split("|")]
    assert columns == ["Model", "Q", "dtype", "Size (MB)", "(Params)", "Accuracy", "Latency B1", "B64"]


def test_what_a_row_could_not_do_stands_below_its_table() -> None:
    assert "(`static-qint8`) **unsupported**: this torch has no fbgemm engine" in lab_tables(RUN)


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


def lines_of(text: str, technique: str) -> list[str]:
    return [line for line in text.splitlines() if technique in line]


def chapter(name: str, text: str = "") -> str:
    """Return what stands under a heading."""
    return (text or render([RUN])).partition(f"\n## {name}\n")[2].partition("\n## ")[0]


@pytest.mark.parametrize("missing", ["size_bytes", "params", "accuracy", "layers"])
def test_what_was_not_measured_is_a_dash_and_never_a_zero(missing: str) -> None:
    rows = [FP32.model_copy(update={missing: None, "latency": {}})]
    line = next(line for line in lab_tables(RUN.model_copy(update={"rows": rows})).splitlines() if "float32" in line)
    assert line.count("–") == 2 + (missing != "layers")


@pytest.mark.parametrize("missing", ["packed_bytes", "macs", "peak_memory_bytes", "layers"])
def test_sizes_that_are_not_known_are_dashes_too(missing: str) -> None:
    rows = [FP32.model_copy(update={missing: None})]
    [line] = lines_of(chapter("Size and work", render([RUN.model_copy(update={"rows": rows})])), "| fp32 ")
    assert line.count("–") == 1 + (missing == "packed_bytes")


def test_a_noisy_row_stands_below_its_table_with_advice() -> None:
    [line] = lines_of(lab_tables(RUN), "**noisy**")
    assert line.startswith("- `lab1` -- float16 (`fp16`) **noisy**: the speed-up is known to ±14.42 % at batch 64")
    assert line.endswith("an unshared machine would help")


def test_each_row_but_the_baseline_has_its_verdict() -> None:
    _, *rows = chapter("Verdicts").split("- `mnist/lab1` ")
    assert [row.split("`")[1] for row in rows] == ["fp16", "dynamic-qint8", "static-qint8", "amp"]
    assert "  - at batch 1: slower, 0.96× [0.95, 0.97] over 10 paired rounds, p < 0.0001\n" in rows[1]
    assert "  - at batch 64: faster, 3.00×" in rows[1]
    assert rows[3].count("the process died of SIGSEGV") == 1, "what holds for all batch sizes is said once"


def test_words_stand_beside_the_figures_they_judge() -> None:
    [fp32, fp16, int8, static, amp] = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in chapter("Against fp32").splitlines()
        if line.startswith("| lab1")
    ]
    assert (fp32[2], fp32[3]) == ("1", "–")
    assert [fp16[3], fp16[5], fp16[7], fp16[8]] == ["", "", "", "100.00 %"], "no difference is left blank"
    assert [int8[3], int8[5], int8[7], int8[8]] == ["slower", "faster", "", "99.81 %"]
    assert static[2:] == ["–"] * 7
    assert amp[2:6] == ["–"] * 4
    assert amp[7] == "worse"


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

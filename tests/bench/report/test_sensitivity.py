"""A study in markdown: the golden page, and what is said where nothing fits or a mixture disappoints."""

from __future__ import annotations

from pathlib import Path

from bench.report.sensitivity import points, render
from bench.results.row import Row
from bench.results.run import Run
from bench.results.sensitivity import Change, LayerStudy, Recommendation, Sensitivity, Step
from tests.bench.examples import DATA, FP32, QINT8, RUN, agreement, speedup

GOLDEN = Path(__file__).with_name("golden_sensitivity.md")
FIRST, LAST = "mixed:layers.0=dynamic-qint8", "mixed:layers.2=dynamic-qint8"


def row(technique: str, lost: int, gained: int, **changes: object) -> Row:
    return QINT8.model_copy(
        update={"technique": technique, "agreement": agreement(10_000 - lost - gained, lost, gained), **changes}
    )


def run_of(*rows: Row) -> Run:
    return RUN.model_copy(update={"rows": [FP32, *rows], "data": [DATA.model_copy(update={"kind": "synthetic"})]})


def layer(name: str, only: Row, others: Row) -> LayerStudy:
    return LayerStudy(
        layer=name,
        kind="Linear",
        weights=401_920,
        technique="dynamic-qint8",
        only=only.technique,
        others=others.technique,
        only_change=Change.of_row(only),
        others_change=Change.of_row(others),
    )


WHOLE = row("dynamic-qint8", 60, 10)
ONLY_FIRST, ONLY_LAST = row(FIRST, 50, 5, notes=["its ranges are wide"]), row(LAST, 9, 8)
MIXED = row(LAST, 9, 8, speedup={1: speedup(1.2, 0.02, 1e-9), 64: speedup(2.0, 0.1, 1e-9)})
STUDY = Sensitivity(
    model="mnist/lab1",
    techniques=["dynamic-qint8"],
    layers=[layer("layers.0", ONLY_FIRST, ONLY_LAST), layer("layers.2", ONLY_LAST, ONLY_FIRST)],
    run=run_of(WHOLE, ONLY_FIRST, ONLY_LAST),
    recommendation=Recommendation(
        max_drop=0.005,
        technique=LAST,
        layers={"layers.0": "fp32", "layers.2": "dynamic-qint8"},
        steps=[
            Step(technique=FIRST, predicted=-0.009, change=Change.of(50, 5, 5_000), packed_bytes=500_000, fits=False),
            Step(technique=LAST, predicted=-0.0002, change=None, packed_bytes=None, fits=False),
        ],
        search=Change.of(4, 4, 5_000),
        held_back=Change.of(5, 4, 5_000),
        run=run_of(WHOLE, MIXED),
    ),
)


def test_the_page_is_the_golden_one() -> None:
    """After an intended change: write ``render(STUDY)`` to the golden file and read the difference."""
    assert render(STUDY) == GOLDEN.read_text(encoding="utf-8")


def section(text: str, title: str) -> list[str]:
    return [line for line in text.split(f"{title}\n")[1].split("\n#")[0].splitlines() if line.startswith("|")][2:]


def test_layers_stand_below_none_and_all_in_the_order_of_their_rank() -> None:
    for title in ("### Only this layer", "### All but this layer"):
        names = [line.strip("|").split("|")[0].strip() for line in section(render(STUDY), title)]
        assert names == ["none", "all", "layers.0", "layers.2"]


def test_only_a_loss_that_is_significant_has_a_verdict() -> None:
    lines = section(render(STUDY), "### Only this layer")
    assert ["worse" in line for line in lines] == [False, True, True, False]


def test_simulated_latencies_are_left_out() -> None:
    rows = [one.model_copy(update={"simulated": True}) for one in (WHOLE, ONLY_FIRST, ONLY_LAST)]
    text = render(STUDY.model_copy(update={"run": run_of(*rows), "recommendation": None}))
    assert "Latency is left out" in text
    assert "Speed-up B" not in text


def test_blocks_are_called_so() -> None:
    text = render(STUDY.model_copy(update={"by": "block"}))
    assert "### Only this block" in text
    assert "### All but this block" in text
    assert "Blocks are ranked" in text
    assert text.count("| Block ") == 3, "two tables of the technique and one of the recommendation"
    assert "layer]" not in text


def test_nothing_within_the_allowance_is_said() -> None:
    none = STUDY.recommendation.model_copy(update={"technique": "fp32", "steps": []}) if STUDY.recommendation else None
    text = render(STUDY.model_copy(update={"recommendation": none}))
    assert "at most 0.5 pp on the 5,000 test examples of the search, so nothing is recommended." in text


def test_a_mixture_that_disappoints_on_unseen_examples_is_said_to() -> None:
    assert STUDY.recommendation is not None
    worse = STUDY.recommendation.model_copy(update={"held_back": Change.of(300, 0, 5_000)})
    text = render(STUDY.model_copy(update={"recommendation": worse}))
    assert "within the allowance too" in render(STUDY)
    assert "within the allowance too" not in text
    assert worse.held_back is not None
    assert points(worse.held_back) in text


def test_a_change_is_written_in_percentage_points() -> None:
    assert points(Change.of(7, 1, 21)) == "−28.57 [−51.72, −2.60]"
    assert points(Change.of(0, 0, 10_000)) == "0.00 [−0.04, +0.04]"


def test_a_notebook_shows_no_picture() -> None:
    assert "![" in render(STUDY)
    assert "![" not in render(STUDY, picture=None)


def test_a_study_on_a_runtime_has_fp32_on_both_and_the_files_of_the_runtime() -> None:
    changes = {"runtime": "onnxruntime", "packed_bytes": None, "deploy_bytes": 412_345}
    float32 = FP32.model_copy(update=changes | {"deploy_bytes": 1_633_200, "agreement": agreement(10_000, 0, 0)})
    rows = [one.model_copy(update=changes) for one in (WHOLE, ONLY_FIRST, ONLY_LAST)]
    study = STUDY.model_copy(update={"runtime": "onnxruntime", "run": run_of(float32, *rows), "recommendation": None})
    assert Sensitivity.model_validate(study.model_dump()) == study
    text = render(study)
    assert text.startswith("# Sensitivity of mnist/lab1 on onnxruntime, Example CPU 3000\n")
    lines = section(text, "### Only this layer")
    assert [line.strip("|").split("|")[0].strip() for line in lines] == [
        "none, on eager",
        "none",
        "all",
        "layers.0",
        "layers.2",
    ]
    assert ["1,628.6" in line for line in lines] == [True, False, False, False, False]
    assert ["412.3" in line for line in lines] == [False, False, True, True, True]
    assert "Packed" not in text
    assert "onnxruntime executes all other variants" in text


def test_a_study_of_before_there_were_runtimes_is_of_eager() -> None:
    content = STUDY.model_dump() | {"schema_version": 2}
    del content["runtime"]
    assert Sensitivity.model_validate(content).runtime == "eager"

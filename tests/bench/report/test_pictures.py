from __future__ import annotations

import re
from itertools import combinations
from pathlib import Path

import pytest

import bench
from bench.core.errors import RequestError
from bench.report.markdown import render
from bench.report.pictures import Picture, draw, of_speedups, pictures_of
from bench.report.trade_off import Cost, Point, trade_off
from bench.results.row import Row
from bench.results.run import Run
from tests.bench.drawn_text import boxes, size_of
from tests.bench.examples import FP16, FP32, QINT8, RUN, STATIC
from tests.bench.test_import_cost import modules_after
from tests.repository import ROOT

SIMULATED = QINT8.model_copy(
    update={"technique": "dorefa:w2a2", "dtype": "w2a2", "simulated": True, "bit_operations": 1e5}
)


def run_of(*rows: Row) -> Run:
    return RUN.model_copy(update={"rows": list(rows)})


def drawn(run: Run, name: str) -> list[str]:
    [picture] = [picture for picture in pictures_of(run) if picture.name.startswith(name)]
    return re.findall(r"<text[^>]*>([^<]*)</text>", picture.draw())


def test_each_model_has_its_three_pictures() -> None:
    names = [picture.name for picture in pictures_of(RUN)]
    assert names == ["trade-off-mnist-lab1.svg", "latency-mnist-lab1.svg", "speed-up-mnist-lab1.svg"]


def test_pictures_of_a_second_run_do_not_overwrite_the_first() -> None:
    assert pictures_of(RUN, number=2)[0].name == "trade-off-mnist-lab1-2.svg"


def over_models(*names: str) -> Run:
    return run_of(*(row.model_copy(update={"model": name}) for name in names for row in (FP32, QINT8)))


def test_three_models_of_a_task_are_in_one_picture_too() -> None:
    run = over_models("resnet8", "resnet14", "resnet20")
    texts = drawn(run, "models-mnist.svg")
    assert {"Packed size (MB)", "Latency at batch 1", "Latency at batch 64"} <= set(texts)
    assert [texts.count(name) for name in ("resnet8", "resnet14", "resnet20")] == [6, 6, 6]  # 2 variants, 3 panels
    assert (texts.count("fp32"), texts.count("dynamic-qint8")) == (1, 1), "the legend names variants"
    assert "The picture of a task has all its models" in render([run])
    assert pictures_of(run, number=2)[-1].name == "models-mnist-2.svg"


def test_two_models_of_a_task_or_models_without_accuracy_are_not() -> None:
    assert not [
        picture for picture in pictures_of(over_models("resnet8", "resnet14")) if picture.name.startswith("models")
    ]
    assert "The picture of a task has all its models" not in render([over_models("resnet8", "resnet14")])
    failed = [STATIC.model_copy(update={"model": name}) for name in ("a", "b", "c")]
    assert pictures_of(run_of(*failed)) == []


def test_a_models_name_leads_into_no_other_folder() -> None:
    [picture, *_] = pictures_of(run_of(FP32.model_copy(update={"model": "../../x y"})))
    assert picture.name == "trade-off-mnist-..-..-x-y.svg"


def test_what_was_not_measured_has_no_picture() -> None:
    assert pictures_of(run_of(STATIC)) == []
    assert pictures_of(run_of()) == []
    assert [picture.name for picture in pictures_of(run_of(FP32))] == [
        "trade-off-mnist-lab1.svg",
        "latency-mnist-lab1.svg",
    ]


def test_the_trade_off_has_a_panel_for_size_and_for_each_batch_size() -> None:
    texts = drawn(RUN, "trade-off")
    assert {"Packed size (MB)", "Latency at batch 1", "Latency at batch 64"} <= set(texts)
    assert texts.count("dynamic-qint8") == 3


def test_an_accuracy_that_is_a_share_alone_has_its_trade_off() -> None:
    shared = [row.model_copy(update={"accuracy": None, "accuracy_share": 0.97}) for row in (FP32, QINT8)]
    assert drawn(run_of(*shared), "trade-off").count("dynamic-qint8") == 3


def test_what_is_simulated_stands_beside_sizes_and_operations_and_not_beside_latencies() -> None:
    run = run_of(FP32.model_copy(update={"bit_operations": 4e5}), SIMULATED)
    texts = drawn(run, "trade-off")
    assert "Multiply-accumulates × bits / 32 (M)" in texts
    assert (texts.count("fp32"), texts.count("dorefa:w2a2")) == (3, 2)  # one of fp32's is the legend's
    assert not any("Latency" in text for text in texts), "fp32 would stand there alone"
    assert [picture.name for picture in pictures_of(run)] == ["trade-off-mnist-lab1.svg"]
    texts = drawn(run_of(FP32, QINT8, SIMULATED), "trade-off")
    assert (texts.count("fp32"), texts.count("dorefa:w2a2")) == (4, 2)
    assert "Latency at batch 1" in texts


def test_runtimes_have_a_look_each_and_accuracies_their_interval() -> None:
    other = QINT8.model_copy(update={"runtime": "onnxruntime"})
    svg = next(
        picture for picture in pictures_of(run_of(FP32, QINT8, other)) if picture.name.startswith("trade-off")
    ).draw()
    texts = re.findall(r"<text[^>]*>([^<]*)</text>", svg)
    assert (texts.count("eager"), texts.count("onnxruntime")) == (1, 1), "the legend names runtimes"
    assert texts.count("dynamic-qint8") == 6
    point = Point("fp32", 0.9, {"Size (MB)": 1.0}, interval=(0.85, 0.94))
    plain = Point("fp32", 0.9, {"Size (MB)": 1.0})
    costs = [Cost("Size (MB)")]
    assert trade_off([point, plain], costs).count('id="interval"') == 1
    assert svg.count('id="interval"') == 9


def test_a_span_has_the_look_of_its_family() -> None:
    other = QINT8.model_copy(update={"runtime": "onnxruntime"})
    [picture] = [picture for picture in pictures_of(run_of(FP32, QINT8, other)) if picture.name.startswith("speed-up")]
    assert {"#d55e00", "#56b4e9"} <= set(re.findall(r"#[0-9a-f]{6}", picture.draw().lower()))


def test_latencies_and_speed_ups_are_those_of_the_table() -> None:
    assert {"50 µs", "600 µs", "200 µs"} <= set(drawn(RUN, "latency"))
    assert {"0.96×", "3×"} <= set(drawn(RUN, "speed-up"))


LAB = bench.load_run(ROOT / "reports/lab/run.json")


@pytest.mark.parametrize("picture", pictures_of(LAB), ids=lambda picture: picture.name)
def test_texts_are_within_the_picture_and_beside_each_other(picture: Picture) -> None:
    svg = picture.draw()
    width, height = size_of(svg)
    found = boxes(svg)
    assert len(found) > 5
    outside = [box for box in found if box.left < 0 or box.top < 0 or box.right > width or box.bottom > height]
    assert outside == []
    assert [(one, other) for one, other in combinations(found, 2) if one.touches(other)] == []


def test_labels_of_any_length_are_within_the_picture() -> None:
    long = QINT8.model_copy(update={"technique": "range-linear:w4a8,per-channel,and,more"})
    [_, latency, _] = pictures_of(run_of(FP32, long))
    assert min(box.left for box in boxes(latency.draw())) >= 0


def test_machines_can_be_held_against_each_other() -> None:
    rows = {"here": [FP16, QINT8], "there": [FP32, QINT8]}
    svg = of_speedups("mnist/lab1", "two.svg", "Two machines", rows, [1, 64]).draw()
    texts = re.findall(r"<text[^>]*>([^<]*)</text>", svg)
    assert (texts.count("here"), texts.count("there"), texts.count("dynamic-qint8")) == (1, 1, 1)


def test_each_picture_is_a_file(tmp_path: Path) -> None:
    draw(pictures_of(RUN), tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(picture.name for picture in pictures_of(RUN))


def test_a_folder_that_cannot_be_written_is_an_error_of_the_request(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RequestError, match="cannot be written"):
        draw(pictures_of(RUN), tmp_path / "file")


def test_nothing_is_imported_until_something_is_drawn() -> None:
    assert not {"matplotlib", "torch", "numpy"} & modules_after("import bench.report.pictures, bench.report.histograms")

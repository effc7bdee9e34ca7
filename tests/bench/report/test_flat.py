from __future__ import annotations

import csv
import json
import re
from io import StringIO

import pytest

from bench.report import flat
from bench.stats.proportions import wilson
from tests.bench.examples import FP32, QINT8, RUN


def read(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(StringIO(text)))


def test_a_line_a_row_under_one_header() -> None:
    lines = read(flat.as_csv([RUN]))
    assert [line["technique"] for line in lines] == ["fp32", "fp16", "dynamic-qint8", "static-qint8", "amp"]
    assert len({tuple(line) for line in lines}) == 1


def test_units_are_those_of_the_run_file() -> None:
    int8 = read(flat.as_csv([RUN]))[2]
    assert int8["size_bytes"] == "412173"
    assert float(int8["latency_b64_s"]) == pytest.approx(200e-6, rel=1e-3)
    assert float(int8["runs_b64_mean_s"]) == pytest.approx(200e-6)
    assert (int8["latency_b64_processes"], int8["latency_b64_rounds"]) == ("10", "10")
    assert (int8["speedup_b1_verdict"], int8["accuracy_verdict"]) == ("slower", "no difference detected")
    assert (int8["speedup_b64"], int8["speedup_b64_low"], int8["speedup_b64_high"]) == ("3.0", "2.9", "3.1")
    assert (int8["layers_changed"], int8["lost"], int8["gained"]) == ("2", "9", "8")
    assert float(int8["accuracy"]) == 0.9706
    assert float(int8["accuracy_low"]) == wilson(9706, 10_000).low


def test_what_was_not_measured_is_empty_and_never_zero() -> None:
    unsupported = read(flat.as_csv([RUN]))[3]
    measured = [
        column
        for column in unsupported
        if column.startswith(("latency", "speedup", "runs", "size", "params", "acc")) and "verdict" not in column
    ]
    assert all(unsupported[column] == "" for column in measured)
    assert unsupported["reason"].startswith("this torch has no fbgemm engine")


@pytest.mark.parametrize("name", ["=HYPERLINK(0)", "+1", "-1", "@SUM(A1)", "\t=1"])
def test_no_name_of_a_stranger_is_a_formula(name: str) -> None:
    row = QINT8.model_copy(update={"status": "failed", "reason": name})
    run = RUN.model_copy(update={"rows": [RUN.rows[0], row]})
    assert read(flat.as_csv([run]))[1]["reason"] == f"'{name}"
    assert json.loads(flat.as_json([run]))[1]["reason"] == name


def test_an_interval_that_is_none_is_left_out() -> None:
    vague = {1: QINT8.speedup[1].model_copy(update={"confidence": 0.0})}
    [record] = flat.records([RUN.model_copy(update={"rows": [QINT8.model_copy(update={"speedup": vague})]})])
    assert record["speedup_b1"] == 0.96
    assert record["speedup_b1_low"] is None
    assert record["speedup_b1_p"] is None


def test_an_accuracy_that_is_a_share_alone_has_no_interval() -> None:
    shared = FP32.model_copy(update={"accuracy": None, "accuracy_share": 0.97, "output_error": 0.01})
    [record] = flat.records([RUN.model_copy(update={"rows": [shared]})])
    assert (record["accuracy"], record["output_error"]) == (0.97, 0.01)
    assert (record["correct"], record["accuracy_low"]) == (None, None)


def test_json_is_the_same_records_with_numbers_as_numbers() -> None:
    records = json.loads(flat.as_json([RUN]))
    assert records == flat.records([RUN])
    assert records[0]["simulated"] is False
    assert records[3]["size_bytes"] is None


def test_runs_are_told_apart_and_share_their_columns() -> None:
    scored = FP32.model_copy(update={"scores": {"isca": 0.5}})
    one_batch = RUN.settings.model_copy(update={"batch_sizes": [8]})
    other = RUN.model_copy(update={"rows": [scored], "settings": one_batch})
    records = flat.records([RUN, other])
    assert [record["run"] for record in records] == [1, 1, 1, 1, 1, 2]
    assert len({tuple(record) for record in records}) == 1
    assert records[-1]["score_isca"] == 0.5
    assert records[-1]["latency_b1_s"] is None, "it was not measured at that batch size"


def test_commas_quotes_and_lines_in_a_reason_stay_in_their_field() -> None:
    hostile = 'one, "two"\nthree'
    rows = [FP32.model_copy(update={"reason": hostile})]
    [line] = read(flat.as_csv([RUN.model_copy(update={"rows": rows})]))
    assert line["reason"] == hostile


def test_no_rows_make_an_empty_file_and_an_empty_list() -> None:
    empty = RUN.model_copy(update={"rows": []})
    assert (flat.as_csv([empty]), json.loads(flat.as_json([empty]))) == ("", [])


def test_every_column_is_documented() -> None:
    documented = set(re.findall(r"`(\w+)`", flat.__doc__ or ""))
    for column in flat.records([RUN])[0]:
        assert re.sub("b64", "b1", column) in documented

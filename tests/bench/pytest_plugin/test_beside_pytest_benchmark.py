"""What pytest-benchmark does with its own benchmarks, it does with those of the fixture ``quantbench``."""

from __future__ import annotations

import json
import sys

import pytest

from bench.measuring import machine
from tests.bench.pytest_plugin.conftest import EXAMPLE, PLUGIN, QUICK, Session
from tests.repository import ROOT


def test_only_benchmarks_includes_ours(session: Session) -> None:
    code = "def test_it(quantbench):\n    quantbench(build(), INPUTS)\n\ndef test_other():\n    pass\n"
    session(code, "--benchmark-only", *QUICK).assert_outcomes(passed=1, skipped=1)


@pytest.mark.parametrize(
    ("mark", "option", "least_s"),
    [
        ("", "", 1e-3),
        ("@pytest.mark.benchmark(min_time=2e-3)", "", 2e-3),
        ("@pytest.mark.benchmark(min_rounds=3)", "", 1e-3),
        ("", "--benchmark-min-time=0.003", 3e-3),
    ],
)
def test_a_round_is_long_beside_the_clock_unless_told_otherwise(
    session: Session, pytester: pytest.Pytester, mark: str, option: str, least_s: float
) -> None:
    code = f"{mark}\ndef test_it(quantbench):\n    quantbench(build(), INPUTS)\n"
    session(code, *QUICK, *filter(None, [option]), "--benchmark-json=out.json").assert_outcomes(passed=1)
    options = json.loads((pytester.path / "out.json").read_text())["benchmarks"][0]["options"]
    assert options["min_time"] == pytest.approx(least_s)
    assert options["min_rounds"] == (3 if "min_rounds" in mark else 2)


def test_the_machine_part_has_the_fingerprint(session: Session, pytester: pytest.Pytester) -> None:
    session(EXAMPLE, *QUICK, "--benchmark-json=out.json").assert_outcomes(passed=2)
    content = json.loads((pytester.path / "out.json").read_text())
    assert content["machine_info"]["quantbench"] == machine.describe().model_dump()


def test_other_peoples_benchmarks_are_left_alone(session: Session, pytester: pytest.Pytester) -> None:
    session("def test_it(benchmark):\n    benchmark(len, [])\n", *QUICK, "--benchmark-json=out.json")
    content = json.loads((pytester.path / "out.json").read_text())
    assert "quantbench" not in content["machine_info"]
    assert content["benchmarks"][0]["options"]["min_time"] == pytest.approx(5e-6)
    assert content["benchmarks"][0]["extra_info"] == {}


@pytest.mark.slow
def test_saved_runs_are_compared_in_tables_in_histograms_and_by_a_gate(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What pytest-benchmark does with its files, it does with these."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    pytester.makepyfile(EXAMPLE)
    # In a process of its own: what other tests set in this one, such as torch's engine, is part of the fingerprint.
    pytester.runpytest_subprocess(*PLUGIN, *QUICK, "--benchmark-save=before").assert_outcomes(passed=2)

    same = pytester.runpytest_subprocess(
        *PLUGIN, *QUICK, "--benchmark-compare", "--benchmark-compare-fail=min:100000%", "--benchmark-histogram=picture"
    )
    same.assert_outcomes(passed=2)
    same.stdout.fnmatch_lines(["*test_my_model?fp32? (NOW)*"])
    assert "machine_info is different" not in same.stdout.str() + same.stderr.str()
    assert (pytester.path / "picture.svg").read_text().startswith("<?xml")

    (saved,) = pytester.path.glob(".benchmarks/*/*.json")
    content = json.loads(saved.read_text())
    content["benchmarks"][1]["stats"]["min"] /= 1000
    saved.write_text(json.dumps(content))
    failed = pytester.runpytest_subprocess(*PLUGIN, *QUICK, "--benchmark-compare", "--benchmark-compare-fail=min:100%")
    assert failed.ret != 0
    failed.stderr.fnmatch_lines(["*Performance has regressed*", "*test_my_model?dynamic-qint8?*"])

    table = pytester.run(sys.executable, "-m", "pytest_benchmark", "compare", str(saved), "--columns=min,rounds")
    assert table.ret == 0
    table.stdout.fnmatch_lines(["*test_my_model?dynamic-qint8?*"])

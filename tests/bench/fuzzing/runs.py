"""Run files, ours and pytest-benchmark's, as fuzzing begins with them, and what is made of them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench.comparing import gate, gate_rule
from bench.comparing.comparison import compare
from bench.core.errors import QuantbenchError, RunFileError
from bench.report import compared, flat, machines, markdown, page, pictures, recommendation
from bench.results import run_file
from bench.results.recommendation import Constraints
from bench.results.run import Run
from tests.bench import examples
from tests.bench.fuzzing.formats import Format
from tests.bench.results.test_pytest_benchmark_file import benchmark
from tests.bench.sessions import session
from tests.repository import ROOT

RULES = [gate_rule.parse(text) for text in ("latency > 5%", "size > 1%", "packed > 1%", "params > 0%", "memory > 9%")]
RULES += [gate_rule.parse("accuracy < -0.5pp")]


def _excerpt(path: Path, rows: int, rounds: int = 20) -> Any:
    """The first rows of a committed run, with few of their rounds."""
    content = json.loads(path.read_text(encoding="utf-8"))
    first = content["rows"][0]
    name = f"{first['task']}/{first['model']}"
    references = "yardsticks" if "yardsticks" in content else "references"
    content["rows"] = [row for row in content["rows"] if f"{row['task']}/{row['model']}" == name][:rows]
    content["data"] = [data for data in content["data"] if data["task"] == first["task"]]
    for part in ("trainings", references):
        content[part] = [record for record in content[part] if record["model"] == name]
    for timed in (*content["rows"], *content[references]):
        for latency in timed["latency"].values():
            series = ("rounds", "rounds_s", "processes", "repeated_s", "warm_up_s")
            latency.update({key: latency[key][:rounds] for key in series if key in latency})
    return content


def _runs(folder: Path) -> list[Any]:
    """Runs of today's schema, with a reference workload, on several runtimes, and of users' models."""
    return [
        json.loads(examples.RUN.model_dump_json()),
        json.loads(session(seed=1, processes=6).model_dump_json()),
        _excerpt(ROOT / "reports/lab/run.json", 4),
        _excerpt(ROOT / "reports/deploy/run.json", 6),
        _excerpt(ROOT / "reports/own-model/run.json", 3),
    ]


def _older_runs(folder: Path) -> list[Any]:
    """Runs of older schemas."""
    return [_excerpt(ROOT / "reports" / name / "run.json", 3) for name in ("lab-2-threads", "lowbit")]


def _benchmarks(folder: Path) -> list[Any]:
    """Files of pytest-benchmark, of a machine that quantbench described and of one that it did not."""
    machine = {"processor": "x", "cpu": {"brand_raw": "Example", "count": 2, "flags": ["avx2"]}}
    content = {
        "machine_info": machine,
        "datetime": "2026-01-02T03:04:05",
        "benchmarks": [
            benchmark(),
            benchmark(technique="fp16", dtype="float16", notes=["a note"], accuracy=0.9, correct=18),
            benchmark(batch_size=64, correct=None, total=None),
            benchmark(technique="bf16", dtype="bfloat16", kept=False),
        ],
    }
    return [
        content,
        content | {"machine_info": machine | {"quantbench": json.loads(examples.MACHINE.model_dump_json())}},
    ]


def _or_one_sentence(call: Callable[[], object]) -> None:
    """Let it do what it was asked, or say in one line why not."""
    said = ""
    try:
        call()
    except QuantbenchError as refusal:
        said = str(refusal)
    assert "\n" not in said


def _compare(before: Run, after: Run) -> None:
    _or_one_sentence(lambda: machines.render(compare(before, after)).encode())
    _or_one_sentence(lambda: gate.words(gate.check(compare(before, after, rules=RULES))).encode())


def _render(run: Run, unchanged: Run, folder: Path) -> None:
    """Make every text of a run, alone and beside the one that it was changed from."""
    for text in (markdown.render([run], pictures=False), flat.as_csv([run]), flat.as_json([run])):
        text.encode()
    _or_one_sentence(lambda: recommendation.render(recommendation.recommend(run, Constraints())).encode())
    _compare(unchanged, run)
    _compare(run, unchanged)


def _draw(run: Run, unchanged: Run, folder: Path) -> None:
    """Make the page and all pictures."""
    page.render([run]).encode()
    pictures.draw(pictures.pictures_of(run), folder)
    for out in (folder / "compared.md", folder / "compared.json"):
        _or_one_sentence(lambda out=out: compared.write(compare(unchanged, run), [unchanged, run], out))  # type: ignore[misc]


def _format(valid: Callable[[Path], list[Any]]) -> Format:
    return Format(valid, run_file.load, (RunFileError,), _render, _draw)


RUN, OLDER_RUN, BENCHMARKS = _format(_runs), _format(_older_runs), _format(_benchmarks)

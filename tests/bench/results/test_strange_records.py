"""What strangers' studies and files of pytest-benchmark make of their readers: a page, or one refusal."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given
from pydantic import BaseModel, ValidationError

from bench.core.errors import RunFileError
from bench.report import distillation, selfcheck, sensitivity
from bench.report.formats import Format, report
from bench.results.bounds import first_fault
from bench.results.distillation import Distillation
from bench.results.selfcheck import SelfCheck
from bench.results.sensitivity import Sensitivity
from tests.bench.examples import MACHINE
from tests.bench.mutations import FEW, MANY, RANDOMS, mutated
from tests.bench.results.test_pytest_benchmark_file import benchmark
from tests.repository import ROOT


def shortened(content: Any) -> Any:
    """Lists of figures cut to a few, as far as that leaves them as long as one another."""
    if isinstance(content, dict):
        return {key: shortened(value) for key, value in content.items()}
    if isinstance(content, list):
        return (
            content[:12] if content and isinstance(content[0], int | float) else [shortened(part) for part in content]
        )
    return content


def committed(name: str) -> Any:
    return shortened(json.loads((ROOT / "reports" / name).read_text()))


RECORDS: list[tuple[type[BaseModel], Callable[[Any], str], Any]] = [
    (Sensitivity, sensitivity.render, committed("sensitivity-mnist-lab2/sensitivity.json")),
    (Distillation, distillation.render, committed("distillation/distillation.json")),
    (SelfCheck, selfcheck.render, committed("selfcheck/selfcheck.json")),
]
TEXTS: tuple[Format, ...] = ("markdown", "csv", "json")
BENCHMARKS: dict[str, Any] = {
    "machine_info": {"processor": "x", "cpu": {"brand_raw": "Example", "count": 2, "flags": ["avx2"]}},
    "datetime": "2026-01-02T03:04:05",
    "benchmarks": [
        benchmark(),
        benchmark(technique="fp16", dtype="float16", notes=["a note"], accuracy=0.9, correct=18),
        benchmark(batch_size=64, correct=None, total=None),
    ],
}


def check(random: Random, folder: Path) -> None:
    kind, render, content = random.choice(RECORDS)
    text = json.dumps(mutated(content, random))
    fault = ""
    try:
        assert render(kind.model_validate_json(text)).encode()
    except ValidationError as error:
        fault = str(first_fault(error))
    assert len(fault) < 1_000
    path = folder / "benchmarks.json"
    known = {"quantbench": json.loads(MACHINE.model_dump_json())} if random.random() < 0.5 else {}
    machine = BENCHMARKS["machine_info"] | known
    path.write_text(json.dumps(mutated(BENCHMARKS | {"machine_info": machine}, random)))
    for form in TEXTS:
        said = ""
        try:
            assert report([path], form).encode()
        except RunFileError as refusal:
            said = str(refusal)
        assert "\n" not in said


@FEW
@given(random=RANDOMS)
def test_a_changed_record_is_a_page_or_a_refusal(random: Random, tmp_path_factory: pytest.TempPathFactory) -> None:
    check(random, tmp_path_factory.mktemp("strange"))


@pytest.mark.slow
@MANY
@given(random=RANDOMS)
def test_many_changed_records(random: Random, tmp_path_factory: pytest.TempPathFactory) -> None:
    check(random, tmp_path_factory.mktemp("strange"))

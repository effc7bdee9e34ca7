"""What a stranger's run file makes of ``bench report`` and ``bench compare``: a report, or one sentence."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given

from bench.comparing import gate, gate_rule
from bench.comparing.comparison import compare
from bench.core.errors import QuantbenchError, RunFileError
from bench.report import compared, machines
from bench.report.formats import Format, report
from bench.results.run_file import load
from tests.bench.examples import RUN
from tests.bench.mutations import FEW, MANY, RANDOMS, mutated
from tests.bench.sessions import session
from tests.repository import ROOT

RULES = [gate_rule.parse(text) for text in ("latency > 5%", "size > 1%", "packed > 1%", "params > 0%", "memory > 9%")]
RULES += [gate_rule.parse("accuracy < -0.5pp")]
TEXTS: tuple[Format, ...] = ("markdown", "csv", "json")


def excerpt(path: Path, rows: int, rounds: int = 20) -> Any:
    """The first rows of a committed run, with few of their rounds."""
    content = json.loads(path.read_text())
    first = content["rows"][0]
    name = f"{first['task']}/{first['model']}"
    references = "yardsticks" if "yardsticks" in content else "references"
    content["rows"] = [row for row in content["rows"] if f"{row['task']}/{row['model']}" == name][:rows]
    content["data"] = [data for data in content["data"] if data["task"] == first["task"]]
    for part in ("trainings", references):
        content[part] = [record for record in content[part] if record["model"] == name]
    for timed in (*content["rows"], *content[references]):
        for latency in timed["latency"].values():
            latency.update({key: latency[key][:rounds] for key in ("rounds", "rounds_s", "repeated_s", "warm_up_s")})
    return content


RUNS = [
    excerpt(ROOT / "reports" / "lab" / "run.json", 4),
    excerpt(ROOT / "reports" / "lowbit" / "run.json", 3),
    json.loads(RUN.model_dump_json()),
    json.loads(session(seed=1).model_dump_json()),
]


def or_one_sentence(call: Callable[[], object]) -> bool:
    """Return whether it did what it was asked; what it says otherwise is one line."""
    said = ""
    try:
        call()
    except QuantbenchError as refusal:
        said = str(refusal)
    assert "\n" not in said
    return not said


def check(random: Random, folder: Path, pictures: float) -> None:
    before, after = folder / "before.json", folder / "after.json"
    content = random.choice(RUNS)
    before.write_text(json.dumps(content))
    after.write_text(json.dumps(mutated(content, random)))
    readable = [or_one_sentence(lambda form=form: report([after], form).encode()) for form in TEXTS]  # type: ignore[misc]
    assert len(set(readable)) == 1  # not of the form but of the file
    if readable[0] and random.random() < pictures:
        or_one_sentence(lambda: report([after], "html"))
        or_one_sentence(lambda: report([after], "markdown", folder / "report.md"))
    for paths in ((before, after), (after, before)):
        or_one_sentence(lambda paths=paths: machines.render(compare(*paths)).encode())  # type: ignore[misc]
        or_one_sentence(
            lambda paths=paths: gate.words(gate.check(compare(*paths, rules=RULES))).encode()  # type: ignore[misc]
        )
    if readable[0] and random.random() < pictures:
        for name in ("compared.md", "compared.json"):
            or_one_sentence(
                lambda name=name: compared.write(  # type: ignore[misc]
                    compare(before, after, rules=RULES), [load(before), load(after)], folder / name
                )
            )


@FEW
@given(random=RANDOMS)
def test_a_changed_run_file_is_a_report_or_a_sentence(random: Random, tmp_path_factory: pytest.TempPathFactory) -> None:
    check(random, tmp_path_factory.mktemp("strange"), pictures=0.02)


@pytest.mark.slow
@MANY
@given(random=RANDOMS)
def test_many_changed_run_files(random: Random, tmp_path_factory: pytest.TempPathFactory) -> None:
    check(random, tmp_path_factory.mktemp("strange"), pictures=0.1)


def changed(place: str, value: object) -> str:
    """The example run with another value at a place such as ``rows.1.latency.64.rounds_s.0``."""
    content = json.loads(RUN.model_dump_json())
    *path, last = [int(part) if part.isdigit() else part for part in place.split(".")]
    holder: Any = content
    for part in path:
        holder = holder[part if isinstance(holder, list) else str(part)]
    holder[last if isinstance(holder, list) else str(last)] = value
    return json.dumps(content)


@pytest.mark.parametrize(
    ("place", "value", "found"),
    [
        ("data.0.train_examples", None, "data.0: real data without their numbers of examples"),
        ("rows.1.latency.64.rounds_s.0", 1e308, "should be less than or equal to 1000000000, not 1e+308"),
        ("rows.1.latency.64.rounds_s.0", 0, "greater than or equal to"),
        ("rows.1.latency.64.rounds_s.0", float("nan"), "not nan"),
        ("rows.1.latency.64.rounds", [0, 1], "2 numbers of rounds, 10 times and 10 processes"),
        ("rows.1.latency.64.rounds_s", [], "10 numbers of rounds, 0 times and 10 processes"),
        ("rows.1.latency.2", {}, "rows.1.latency.2.estimate_s: Field required"),
        ("rows.1.speedup.64.low", 2.0, "is not between 2.0 and"),
        ("rows.1.speedup.64.p_value", float("inf"), "p_value"),
        ("rows.1.agreement.lost", 10_001, "agreement counts 10001 answers, accuracy 10000"),
        ("rows.1.accuracy", None, "agreement without accuracy"),
        ("rows.1.accuracy.correct", 10_001, "10001 right answers of 10000"),
        ("rows.1.layers.changed", 3, "3 changed of 2"),
        ("rows.1.size_bytes", 10**400, "rows.1.size_bytes"),
        ("rows.1.packed_bytes", 0, "greater than 0"),
        ("rows.1.task", "sst2", "rows: of sst2, which data does not have"),
        ("rows.1.technique", "fp32", "there are two of mnist/lab1 as fp32"),
        ("settings.batch_sizes", [], "at least 1 item"),
        ("settings.batch_sizes", [1], "batch 64, which settings.batch_sizes does not have"),
        ("settings.seed", -1, "settings.seed"),
        ("trainings.0.recipe.epochs", 10**400, "trainings.0.recipe.epochs"),
        ("machine.cpu", "x" * 1_000_000, "at most 5000 characters"),
        ("machine.cpu", "\ud800", "machine.cpu"),
    ],
)
def test_what_no_measurement_gives_is_refused_by_its_place(
    place: str, value: object, found: str, tmp_path: Path
) -> None:
    (tmp_path / "run.json").write_text(changed(place, value))
    with pytest.raises(RunFileError, match="is not a valid run file") as refusal:
        load(tmp_path / "run.json")
    assert found in str(refusal.value)
    assert len(str(refusal.value)) < 500


def test_a_file_without_an_end_is_refused() -> None:
    with pytest.raises(RunFileError, match="is longer than 64 MiB"):
        load(Path("/dev/zero"))


def test_what_moves_a_cursor_does_not_reach_the_terminal(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text(changed("rows.3.reason", "\x1b[2J gone\x07"))
    text = report([tmp_path / "run.json"])
    assert "\x1b" not in text
    assert "\ufffd[2J gone\ufffd" in text

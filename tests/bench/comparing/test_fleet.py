"""Many machines: their kinds, those that are far from their equals, and accuracies of the same weights."""

from __future__ import annotations

from bench.comparing.fleet import compare_fleet
from bench.comparing.groups import MOST_COLUMNS
from bench.comparing.same_weights import differing, sentence
from bench.results.isa import VNNI
from bench.results.row import Accuracy, Row
from bench.results.run import Run
from tests.bench.examples import FP32, QINT8, RUN, speedup

OLD_ISA = ["AVX2"]


def run_of(position: int, *, old: bool = False, int8: float = 3.0, rows: tuple[Row, ...] | None = None) -> Run:
    machine = RUN.machine.model_copy(update={"cpu": "Old CPU 100", "isa": OLD_ISA} if old else {})
    int8_row = QINT8.model_copy(update={"speedup": {64: speedup(int8, 0.1, p_value=1e-12)}})
    chosen = list(rows) if rows is not None else [FP32, int8_row]
    return RUN.model_copy(update={"machine": machine, "rows": chosen, "created": f"2026-01-02T03:04:{position:02}"})


def many() -> dict[str, Run]:
    """Seven machines of one kind, of which one is slow, and three of another."""
    new = {f"new{number}": run_of(number, int8=3.0 + number / 100) for number in range(6)}
    old = {f"old{number}": run_of(20 + number, old=True, int8=0.8) for number in range(3)}
    return new | {"slow": run_of(10, int8=1.5)} | old


def test_machines_of_one_cpu_and_instruction_sets_are_a_kind() -> None:
    groups = compare_fleet(many()).groups
    assert [(group.label, group.cpu, len(group.members)) for group in groups] == [
        ("A", "Example CPU 3000", 7),
        ("B", "Old CPU 100", 3),
    ]


def test_a_limit_of_instruction_sets_is_another_kind() -> None:
    limited = run_of(1, old=True)
    limited = limited.model_copy(update={"machine": limited.machine.model_copy(update={"isa_limit": "avx2"})})
    assert len(compare_fleet({"real": run_of(0, old=True), "as if": limited}).groups) == 2


def test_the_machine_that_is_far_from_its_equals_is_named() -> None:
    [outlier] = compare_fleet(many()).outliers
    assert (outlier.node, outlier.group, outlier.batch_size) == ("slow", "A", 64)
    assert outlier.median > 2.9


def test_of_many_machines_the_typical_one_of_each_kind_is_compared() -> None:
    compared = compare_fleet(many())
    assert len(many()) > MOST_COLUMNS
    assert compared.comparison is not None
    assert [column.label for column in compared.comparison.columns] == ["A", "B"]
    assert compared.representatives == ["new2", "old0"], "nearest to the medians"
    [spread] = [spread for spread in compared.spreads if spread.group == "A"]
    assert spread.low < spread.median < spread.high


def test_of_a_few_machines_each_has_a_column() -> None:
    compared = compare_fleet({"server": run_of(0), "laptop": run_of(1, old=True, int8=0.8)})
    assert compared.comparison is not None
    assert [column.label for column in compared.comparison.columns] == ["server", "laptop"]
    assert not compared.spreads
    [statement] = [one for one in compared.comparison.statements if one.kind == "differs"]
    assert "AVX512-VNNI" in " ".join(statement.could_explain)


def test_a_machine_without_rows_and_one_alone_are_not_compared() -> None:
    compared = compare_fleet({"server": run_of(0), "fell": run_of(1, rows=())})
    assert compared.comparison is None
    assert [group.members for group in compared.groups] == [["server"]]


def _answered(row: Row, right: list[bool]) -> Row:
    bits = int("".join(map(str, map(int, right))), 2).to_bytes(len(right) // 8, "big")
    return row.model_copy(update={"accuracy": Accuracy(correct=sum(right), total=len(right)), "right": bits})


def test_an_accuracy_that_differs_with_the_same_weights_is_said_with_the_isa() -> None:
    right = [True] * 30 + [False] * 2
    saturated = [False] * 9 + [True] * 22 + [False]
    rows = (_answered(FP32, right), _answered(QINT8, right))
    runs = {
        "server": run_of(0, rows=rows),
        "laptop": run_of(1, old=True, rows=(rows[0], _answered(QINT8, saturated))),
    }
    assert VNNI & set(runs["server"].machine.isa)
    [finding] = differing(runs)
    assert (str(finding.variant), finding.lost, finding.gained) == ("dynamic-qint8", 9, 1)
    said = sentence(finding)
    assert "30 of 32 right on server; 22 of 32 right on laptop" in said
    assert "no VNNI on laptop" in said
    assert "saturate" in said


def test_equal_accuracies_are_no_finding() -> None:
    assert not differing({"a": run_of(0), "b": run_of(1)})

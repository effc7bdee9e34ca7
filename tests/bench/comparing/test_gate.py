"""The gate: what it reads, what it points at, what breaks it and what never does."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.comparing import gate
from bench.comparing.accuracy_change import ADVICE
from bench.comparing.comparison import compare
from bench.comparing.gate import Outcome
from bench.comparing.gate_rule import Rule, parse
from bench.comparing.latency_change import NO_REFERENCE, RETIRED
from bench.core.errors import RequestError
from bench.results.change import Change, Missing
from bench.results.run import Run
from tests.bench.examples import LATER, QINT8, RUN, SETTINGS
from tests.bench.sessions import session


def held(base: Run, new: Run, *rules: str) -> Outcome:
    return gate.check(compare(base, new, rules=[parse(rule) for rule in rules]))


def variants(outcome: Outcome) -> list[str]:
    return [str(broken.figure.variant) for broken in outcome.broken]


# Reading


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("latency > 5%", Rule("latency", ">", 5.0)),
        ("  latency@64>2.5 %", Rule("latency", ">", 2.5, 64)),
        ("latency @ 1 > .5%", Rule("latency", ">", 0.5, 1)),
        ("accuracy < -0.5pp", Rule("accuracy", "<", -0.5)),
        ("accuracy<−1 pp ", Rule("accuracy", "<", -1.0)),
        ("size > 0%", Rule("size", ">", 0.0)),
        ("packed > +1%", Rule("packed", ">", 1.0)),
        ("params > 0%", Rule("params", ">", 0.0)),
        ("memory > 20%", Rule("memory", ">", 20.0)),
        ("latency < -10%", Rule("latency", "<", -10.0)),
    ],
)
def test_rules_are_read(text: str, rule: Rule) -> None:
    assert parse(text) == rule


@given(
    st.sampled_from(["latency", "accuracy", "size", "packed", "params", "memory"]),
    st.sampled_from("<>"),
    st.decimals(min_value=0, max_value=1000, places=3),
    st.none() | st.integers(min_value=1, max_value=65_536),
)
def test_what_a_rule_prints_is_read_as_the_rule(quantity: str, sign: str, size: object, batch: int | None) -> None:
    limit = float(str(size)) * (1 if sign == ">" else -1) + 0.0
    rule = Rule(quantity, sign, limit, batch if quantity == "latency" else None)  # type: ignore[arg-type]
    assert parse(str(rule)) == rule


@given(st.text(max_size=20))
def test_anything_else_is_a_refusal_that_points_into_the_text(text: str) -> None:
    try:
        parse(text)
    except RequestError as refusal:
        *_, shown, caret = str(refusal).split("\n")
        assert caret.strip() == "^"
        assert 2 <= caret.index("^") <= len(shown)


@pytest.mark.parametrize(
    ("text", "position", "cause"),
    [
        ("", 0, "one of latency, accuracy, size, packed, params, memory is expected"),
        ("speed > 5%", 0, "one of latency, accuracy, size, packed, params, memory is expected"),
        ("latencyy > 5%", 0, "one of latency"),
        ("latency ~ 5%", 8, "> or < is expected"),
        ("latency >= 5%", 9, "a number is expected"),
        ("latency > five%", 10, "a number is expected"),
        ("latency > 5", 11, "% is expected: changes of latency are in percent"),
        ("latency > 5pp", 11, "% is expected: changes of latency are in percent"),
        ("accuracy < -0.5%", 15, "pp is expected: changes of accuracy are in points"),
        ("accuracy < 0.5pp", 11, "< asks for a limit of 0 or less"),
        ("latency > -5%", 10, "> asks for a limit of 0 or more"),
        ("latency@ > 5%", 9, "a batch size is expected"),
        ("latency@0 > 5%", 8, "a batch size is expected"),
        ("size@64 > 5%", 4, "size has no batch size"),
        ("latency > 5% or so", 13, "nothing more is expected"),
    ],
)
def test_a_refusal_points_at_the_character(text: str, position: int, cause: str) -> None:
    with pytest.raises(RequestError) as refusal:
        parse(text)
    sentence, shown, caret = str(refusal.value).split("\n")
    assert shown == f"  {text}"
    assert caret.index("^") == 2 + position
    where = f"at character {position + 1}" if position < len(text) else "at its end"
    assert sentence.startswith(f"--fail-if '{text}' cannot be read {where}: {cause}")


# Holding


def test_a_gate_that_is_passed_says_what_was_checked() -> None:
    outcome = held(session(1), session(2, drift=1.4), "latency > 5%", "accuracy < -0.5pp")
    assert (outcome.broken, outcome.undecided, outcome.exit_code()) == ([], [], 0)
    assert (outcome.figures, outcome.rows) == (9, 3)
    assert gate.words(outcome) == "Gate: passed, 9 figures of 3 rows checked by 'latency > 5%' and 'accuracy < -0.5pp'."


def test_the_row_that_broke_it_is_named_with_its_figures() -> None:
    outcome = held(session(1), session(2, slower={"fp16": 1.3}), "latency@64 > 5%")
    [broken] = outcome.broken
    assert (broken.base, broken.new, broken.figure.batch_size, str(broken.rule)) == ("A", "B", 64, "latency@64 > 5%")
    assert (variants(outcome), outcome.exit_code(allow_undecided=True)) == (["fp16"], 1)
    failed, sentence = gate.words(outcome).splitlines()
    assert failed == "Gate: FAILED, 3 figures of 3 rows checked by 'latency@64 > 5%'."
    assert sentence.startswith("- `mnist/lab1` `fp16` of B against A: latency at batch 64: slower, +")
    assert sentence.endswith(": breaks 'latency@64 > 5%'")


def test_a_difference_within_the_limit_passes_however_sure_it_is() -> None:
    new = session(2, slower={"fp16": 1.3})
    assert held(session(1), new, "latency > 5%").exit_code() == 1
    assert held(session(1), new, "latency > 40%").exit_code() == 0


# What is undecided


@pytest.mark.parametrize("processes", [2, 3, 5])
def test_three_times_slower_in_too_few_processes_is_not_passed(processes: int) -> None:
    outcome = held(
        session(1, processes=processes), session(2, processes=processes, slower={"fp16": 3.0}), "latency > 5%"
    )
    assert outcome.exit_code() == 3
    assert {str(one.figure.variant) for one in outcome.undecided} >= {"fp16"}
    assert outcome.exit_code(allow_undecided=True) == 0
    assert "undecided by 'latency > 5%': latency at batch 1: " in gate.words(outcome)


def test_a_difference_that_noise_may_hide_is_undecided_and_the_way_out_is_named() -> None:
    base, new = session(1, spread=0.1), session(2, spread=0.1, slower={"fp16": 1.1})
    outcome = held(base, new, "latency > 1%")
    assert (outcome.exit_code(), len(outcome.undecided)) == (3, 6)
    first, *lines, way = gate.words(outcome).splitlines()
    assert first == "Gate: UNDECIDED, 6 figures of 3 rows checked by 'latency > 1%', 6 undecided."
    assert len(lines) == 6
    assert all(word in way for word in ("--precision", "--budget", "ask for 'latency > ", "--allow-undecided"))
    allowed = gate.words(outcome, allow_undecided=True)
    assert allowed == "Gate: passed, 6 figures of 3 rows checked by 'latency > 1%', 6 undecided."


@pytest.mark.parametrize("spread", [0.02, 0.06, 0.15])
def test_the_limit_that_is_advised_is_decided_and_a_smaller_one_is_not(spread: float) -> None:
    base, new = session(1, spread=spread), session(2, spread=spread)
    wider = gate.decidable(held(base, new, "latency > 0.1%").undecided)
    assert wider is not None
    assert held(base, new, str(wider)).exit_code() == 0
    assert held(base, new, f"latency > {wider.limit - 1:g}%").exit_code() == 3


def test_what_is_within_the_limit_by_its_interval_is_passed_before_a_verdict_could_tell() -> None:
    change = Change(
        model="mnist/lab1",
        variant=QINT8.key,
        quantity="latency",
        batch_size=1,
        before=1.0,
        after=0.98,
        value=-0.02,
        low=-0.06,
        high=0.03,
        p_value=1.0,
        least=0.12,
        word="no difference detected",
        sentence="",
    )
    assert parse("latency > 5%").passed_by(change)
    assert not parse("latency > 2%").passed_by(change)
    assert not parse("latency < -5%").passed_by(change)
    assert parse("latency < -6%").passed_by(change)
    assert parse("latency > 12%").passed_by(change.model_copy(update={"high": 0.2})), "12 % more would be told"
    assert not parse("latency > 11%").passed_by(change.model_copy(update={"high": 0.2}))


def test_without_a_reference_workload_nothing_is_decided() -> None:
    base, new = (run.model_copy(update={"references": []}) for run in (session(1), session(2, slower={"fp16": 9.0})))
    outcome = held(base, new, "latency > 5%")
    assert (outcome.exit_code(), len(outcome.undecided)) == (3, 6)
    assert f"To decide 'latency > 5%': {NO_REFERENCE}; or accept it" in gate.words(outcome)


def test_what_was_retired_is_undecided_and_the_way_out_is_to_leave_it_out() -> None:
    def retired(run: Run) -> Run:
        few = session(int(run.created.split()[1]), processes=3, slower={"fp16": 20.0}).rows[1]
        speedup = {size: value.model_copy(update={"retired": True}) for size, value in few.speedup.items()}
        rows = [run.rows[0], few.model_copy(update={"speedup": speedup}), run.rows[2]]
        return run.model_copy(update={"rows": rows})

    outcome = held(retired(session(1)), retired(session(2)), "latency > 5%")
    assert [str(one.figure.variant) for one in outcome.undecided] == ["fp16", "fp16"]
    assert RETIRED in gate.words(outcome)


def test_memory_within_its_slack_is_undecided_beyond_the_limit_and_below_the_slack() -> None:
    base = session(1)

    def grown(factor: float, rule: str) -> int:
        rows = [row.model_copy(update={"peak_memory_bytes": round(factor * 10**6)}) for row in base.rows]
        before = [row.model_copy(update={"peak_memory_bytes": 10**6}) for row in base.rows]
        new = base.model_copy(update={"rows": rows, "created": "later"})
        return held(base.model_copy(update={"rows": before}), new, rule).exit_code()

    assert (grown(1.04, "memory > 2%"), grown(1.04, "memory > 5%"), grown(1.06, "memory > 5%")) == (3, 0, 1)


def test_an_accuracy_of_few_examples_is_undecided() -> None:
    outcome = held(session(1), session(2, lost=30), "accuracy < -0.4pp")
    assert outcome.exit_code() == 3
    assert ADVICE in gate.words(outcome)
    wider = gate.decidable(outcome.undecided)
    assert wider is not None
    assert -1 <= wider.limit < -0.4
    assert held(session(1), session(2, lost=30), str(wider)).exit_code() == 0


def test_all_figures_that_rules_check_are_one_family() -> None:
    """Of a second model with the same figures every p-value is adjusted for twice as many."""
    base, new = session(1), session(2, slower={"fp16": 1.05})

    def twice(run: Run) -> Run:
        rows = [*run.rows, *(row.model_copy(update={"model": "lab2"}) for row in run.rows)]
        reference = run.references[0].model_copy(update={"model": "mnist/lab2"})
        return run.model_copy(update={"rows": rows, "references": [*run.references, reference]})

    def smallest(*runs: Run, rules: list[Rule]) -> float:
        [pair] = compare(*runs, rules=rules).pairs
        return min(change.p_value or 0 for change in pair.changes if change.quantity == "latency")

    rules = [parse("latency > 5%")]
    alone = smallest(base, new, rules=rules)
    assert smallest(twice(base), twice(new), rules=rules) == pytest.approx(2 * alone)
    assert smallest(twice(base), twice(new), rules=[parse("size > 0%")]) == pytest.approx(alone / 2), (
        "what no rule checks is a family of three rows at each batch size"
    )


def test_a_lost_share_of_unknown_many_examples_breaks_it() -> None:
    """Noise may explain it or not; to let it pass would be to say that it does."""

    def shared(share: float) -> Run:
        return RUN.model_copy(
            update={"rows": [QINT8.model_copy(update={"accuracy": None, "accuracy_share": share})]},
        )

    [broken] = held(shared(0.97), shared(0.5), "accuracy < -0.5pp").broken
    assert isinstance(broken.figure, Change)
    assert (broken.figure.before, broken.figure.after, broken.figure.word) == (0.97, 0.5, "not comparable")
    assert not held(shared(0.97), shared(0.968), "accuracy < -0.5pp").broken


def test_a_planted_loss_of_two_points_breaks_it_and_a_lost_answer_does_not() -> None:
    assert len(held(session(1), session(2, lost=200), "accuracy < -0.5pp").broken) == 3
    assert not held(session(1), session(2, lost=10), "accuracy < -0.05pp").broken


def test_sizes_need_no_statistics() -> None:
    new = RUN.model_copy(update={"rows": [QINT8.model_copy(update={"size_bytes": 412_174, "params": 407_051})]})
    base = RUN.model_copy(update={"rows": [QINT8]})
    assert len(held(base, new, "size > 0%", "params > 0%", "packed > 0%").broken) == 2


def test_a_row_that_vanished_breaks_any_gate() -> None:
    base = session(1)
    outcome = held(base, base.model_copy(update={"rows": base.rows[:2]}), "size > 0%")
    assert outcome.exit_code(allow_undecided=True) == 1
    assert gate.words(outcome).splitlines()[1:] == [
        "- `mnist/lab1` `dynamic-qint8` of B against A: missing, the new run has no such row"
    ]
    assert not held(base.model_copy(update={"rows": base.rows[:2]}), base, "size > 0%").broken, "a new row is welcome"


def test_where_all_rows_vanished_each_is_named() -> None:
    base = session(1)
    others = [row.model_copy(update={"model": "lab2"}) for row in base.rows]
    for rows in ([], others):
        outcome = held(base, base.model_copy(update={"rows": rows}), "latency > 5%")
        assert variants(outcome) == ["fp32", "fp16", "dynamic-qint8"]
        assert all(isinstance(broken.figure, Missing) for broken in outcome.broken)
    with pytest.raises(RequestError, match="checks nothing"):
        held(base.model_copy(update={"rows": []}), base, "latency > 5%")


def without(run: Run, **changes: object) -> Run:
    return run.model_copy(update={"rows": [row.model_copy(update=changes) for row in run.rows]})


def test_a_figure_that_vanished_breaks_the_rules_that_it_is_for() -> None:
    base = session(1)
    lost = without(base, packed_bytes=None)
    outcome = held(base, lost, "packed > 5%", "packed > 1%")
    assert variants(outcome) == ["fp32", "fp16", "dynamic-qint8"]
    assert {(broken.figure.quantity, broken.rule) for broken in outcome.broken} == {("packed", None)}
    assert not held(base, lost, "size > 5%").broken
    half = without(base, latency={1: base.rows[0].latency[1]}, speedup={})
    half = half.model_copy(update={"settings": SETTINGS.model_copy(update={"batch_sizes": [1]})})
    assert len(held(base, half, "latency@64 > 5%").broken) == 3
    assert len(held(base, half, "latency > 5%").broken) == 3
    assert not held(base, half, "latency@1 > 5%").broken


def test_each_run_is_held_against_the_first() -> None:
    comparison = compare(session(1), session(2), session(3, slower={"fp32": 1.2}), rules=[parse("latency > 5%")])
    outcome = gate.check(comparison)
    assert len(outcome.broken) == 2
    assert {(broken.base, broken.new) for broken in outcome.broken} == {("A", "C")}
    assert variants(outcome) == ["fp32", "fp32"]


def test_runs_that_do_not_compare_are_refused_with_the_reason() -> None:
    threaded = RUN.model_copy(update={"settings": SETTINGS.model_copy(update={"threads": 2, "seed": 7})})
    with pytest.raises(RequestError, match="threads 1 and 2; seed 0 and 7; measure both on one machine"):
        held(RUN, threaded, "latency > 5%")
    machine = RUN.machine.model_copy(update={"cpu": "Other"})
    with pytest.raises(RequestError, match=r"another machine \(CPU Example CPU 3000 and Other\)"):
        held(RUN, RUN.model_copy(update={"machine": machine}), "latency > 5%")


def test_a_rule_that_checks_nothing_is_refused() -> None:
    with pytest.raises(RequestError, match=r"^--fail-if 'latency@7 > 5%' checks nothing: no row has such a figure"):
        held(RUN, LATER, "latency@7 > 5%")


# How often it is right

SEEDS = st.integers(min_value=0, max_value=2**31)


@settings(max_examples=25, derandomize=True)
@given(SEEDS, st.floats(min_value=0.5, max_value=2), st.sampled_from([3, 6, 12, 24]), st.sampled_from([0.01, 0.05]))
def test_two_sessions_of_one_commit_never_fail(seed: int, drift: float, processes: int, spread: float) -> None:
    base = session(seed, processes=processes, spread=spread)
    new = session(seed + 1, drift=drift, processes=processes, spread=spread)
    assert not held(base, new, "latency > 0%", "accuracy < 0pp").broken


@settings(max_examples=25, derandomize=True)
@given(SEEDS, st.floats(min_value=0.5, max_value=2))
def test_a_tenth_slower_is_found_and_alone(seed: int, drift: float) -> None:
    outcome = held(session(seed), session(seed + 1, drift=drift, slower={"fp16": 1.1}), "latency > 5%")
    assert set(variants(outcome)) == {"fp16"}


@settings(max_examples=25, derandomize=True)
@given(SEEDS, st.sampled_from([1, 2, 3, 4, 6, 12, 24]), st.sampled_from([0.01, 0.05, 0.3]))
def test_a_fifth_slower_never_passes_in_however_few_processes(seed: int, processes: int, spread: float) -> None:
    base = session(seed, processes=processes, spread=spread)
    new = session(seed + 1, processes=processes, spread=spread, slower={"fp16": 1.2})
    assert held(base, new, "latency > 5%").exit_code() in (1, 3)

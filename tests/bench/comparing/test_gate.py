"""The gate: what it reads, what it points at, what breaks it and what never does."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.comparing import gate
from bench.comparing.accuracy_change import ADVICE
from bench.comparing.comparison import compare
from bench.comparing.gate import Outcome
from bench.comparing.gate_rule import Rule, parse
from bench.core.errors import RequestError
from bench.results.change import Change, Missing
from bench.results.latency import RelativeLatency
from bench.results.run import Run
from tests.bench.examples import LATER, QINT8, RUN, SETTINGS
from tests.bench.sessions import session


def held(base: Run, new: Run, *rules: str) -> Outcome:
    return gate.check(compare(base, new, gated=True), [parse(rule) for rule in rules])


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
    outcome = held(session(1, noise=0.003), session(2, noise=0.003, drift=1.4), "latency > 5%", "accuracy < -0.5pp")
    assert not outcome.broken
    assert (outcome.figures, outcome.rows) == (9, 3)
    assert gate.words(outcome) == "Gate: passed, 9 figures of 3 rows checked by 'latency > 5%' and 'accuracy < -0.5pp'."


def test_the_row_that_broke_it_is_named_with_its_figures() -> None:
    outcome = held(session(1, noise=0.003), session(2, noise=0.003, slower={"fp16": 1.3}), "latency@64 > 5%")
    [broken] = outcome.broken
    assert (broken.base, broken.new, broken.figure.batch_size, str(broken.rule)) == ("A", "B", 64, "latency@64 > 5%")
    assert variants(outcome) == ["fp16"]
    failed, sentence = gate.words(outcome).splitlines()
    assert failed == "Gate: FAILED, 3 figures of 3 rows checked by 'latency@64 > 5%'."
    assert sentence.startswith("- `mnist/lab1` `fp16` of B against A: latency at batch 64: slower, +")
    assert sentence.endswith(", p < 0.0001: breaks 'latency@64 > 5%'")


def test_a_difference_within_the_limit_passes_however_sure_it_is() -> None:
    new = session(2, slower={"fp16": 1.3})
    assert held(session(1), new, "latency > 5%").broken
    assert not held(session(1), new, "latency > 40%").broken


def test_a_difference_that_noise_explains_passes_and_is_said_to_be_vague() -> None:
    base, new = session(1, noise=0.5, rounds=8), session(2, noise=0.5, rounds=8, slower={"fp16": 1.3})
    outcome = held(base, new, "latency > 5%")
    assert any(each.value > 0.05 for each in compare(base, new).pairs[0].changes), "the estimate is beyond the limit"
    assert not outcome.broken
    assert [vague.figures for vague in outcome.vague] == [6]


def relative(slower: float = 1.0, error: float = 0.013) -> Run:
    """Return a run whose relative latencies are all so many times slower, and known so well."""
    run = session(1)
    relative_latency = RelativeLatency(value=0.6 * slower, error=error, freedom=20, n=40)
    rows = [
        row.model_copy(update={"relative_latency": {1: relative_latency, 64: relative_latency}}) for row in run.rows
    ]
    return run.model_copy(update={"rows": rows})


def test_what_would_not_be_called_a_change_is_said_to_be_vague_whatever_its_interval() -> None:
    """8 % slower, and known to ±4.5 %: within the reach of the interval, and beyond that of a verdict."""
    outcome = held(relative(), relative(slower=1.08), "latency > 5%")
    assert not outcome.broken
    [vague] = outcome.vague
    assert (vague.figures, str(vague.rule), str(vague.detectable)) == (6, "latency > 5%", "latency > 9%")
    assert gate.words(outcome).endswith(
        "; 6 figures not precise enough to tell a change of that size from noise ('latency > 5%'): "
        "measure both runs with --precision 1% and a longer --budget, or ask for 'latency > 9%'."
    )


@pytest.mark.parametrize("error", [0.003, 0.013, 0.05])
def test_the_limit_that_is_advised_is_told(error: float) -> None:
    def checked(rule: str, slower: float = 1.0) -> Outcome:
        return held(relative(error=error), relative(slower, error).model_copy(update={"created": "later"}), rule)

    [vague] = checked("latency > 1%").vague
    assert vague.detectable is not None
    advised, limit = str(vague.detectable), vague.detectable.limit
    assert not checked(advised).vague
    assert checked(f"latency > {limit - 1:g}%").vague
    assert len(checked(advised, 1 + limit / 100 + 0.005).broken) == 6, "what is beyond it is called"


def test_an_accuracy_of_few_examples_is_vague() -> None:
    [vague] = held(session(1), session(2, lost=1), "accuracy < -0.5pp").vague
    assert vague.advice == ADVICE
    assert vague.detectable is not None
    assert -1 <= vague.detectable.limit < -0.5
    assert not held(session(1), session(2, lost=1), "accuracy < -1pp").vague


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
    half = without(base, latency={1: base.rows[0].latency[1]})
    assert len(held(base, half, "latency@64 > 5%").broken) == 3
    assert len(held(base, half, "latency > 5%").broken) == 3
    assert not held(base, half, "latency@1 > 5%").broken


def test_each_run_is_held_against_the_first() -> None:
    comparison = compare(session(1), session(2), session(3, slower={"fp32": 1.2}))
    outcome = gate.check(comparison, [parse("latency > 5%")])
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


def test_two_sessions_of_one_commit_pass_and_a_tenth_fails() -> None:
    """20 tries of 6 latencies on a machine that drifts; the least that is asked of it is 20 of 20 on a real one."""
    alarms = [held(session(seed), session(500 + seed, drift=1.3), "latency > 5%").broken for seed in range(20)]
    assert not any(alarms)
    slowed = [
        variants(held(session(seed), session(500 + seed, drift=0.8, slower={"fp16": 1.1}), "latency > 5%"))
        for seed in range(20)
    ]
    assert all(slowed)
    assert {name for names in slowed for name in names} == {"fp16"}

"""What no study takes, said in a sentence before anything is trained."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from bench.core.errors import RequestError
from bench.measuring import machine
from bench.running import model_session
from bench.studies.distill import distill
from bench.studies.export import export
from bench.studies.inspect import inspect
from bench.studies.train import train
from tests.bench.conftest import Command
from tests.bench.studies.conftest import MODEL, QUICK, SMALL_CHAIN

REQUESTS: dict[str, Callable[..., object]] = {
    "train": lambda technique, **more: train(MODEL, [technique], seeds=[more.get("seed", 0)], **QUICK),
    "export": lambda technique, **more: export(MODEL, "never.packed", technique, **more, **QUICK),
    "inspect": lambda technique, **more: inspect(MODEL, technique, **more, **QUICK),
    "distill": lambda technique, **more: distill(MODEL, **(SMALL_CHAIN | {"seeds": [more.get("seed", 0)]}), **QUICK),
}


@pytest.mark.parametrize("seed", [-1, 2**63])
@pytest.mark.parametrize("name", REQUESTS)
def test_a_seed_that_is_none_is_refused(name: str, seed: int) -> None:
    with pytest.raises(RequestError, match=f"--seed {seed} must be between 0 and"):
        REQUESTS[name]("bwn", seed=seed)


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("train", "static-qint8 is not supported here: this torch has no bogus engine; choose another technique"),
        ("export", "static-qint8 cannot be had here: this torch has no bogus engine; try --engine"),
    ],
)
def test_a_technique_that_cannot_work_here_is_refused(
    name: str, sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (model_session, machine):
        monkeypatch.setattr(module, "default_engine", lambda here: "bogus")
    monkeypatch.setattr("bench.running.weights.PREPARATION_HOST", "tests.bench.hosts:Host")  # which cannot train
    with pytest.raises(RequestError, match=sentence):
        REQUESTS[name]("static-qint8", seed=8)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("train", MODEL, "--epochs", "0"), "--epochs 0 must be between 1 and 10,000; for example 5."),
        (
            ("distill", MODEL, "--chain", "32,x"),
            "--chain '32,x' must be bit widths, such as 32,8,1.",
        ),
        (("run", "--technique", "fp32:w2"), "the technique fp32 takes no options"),
        (("run", "--technique", "pact:alpha=0"), "pact's alpha=0 is not a number of 0.001 or more."),
        (("export", MODEL), "Missing option '--out'"),
    ],
)
def test_a_refusal_is_one_sentence(command: Command, arguments: Any, sentence: str) -> None:
    code, out, err = command(*arguments)
    assert (code, out) == (2, "")
    assert err.startswith("bench: ")
    assert sentence in err
    assert err.count("\n") == 1

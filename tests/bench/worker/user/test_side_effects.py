"""What a user's code does to the process that measures its model: it is undone, or was never let near."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

import bench
from bench.core.errors import UserModelError
from bench.core.variant_key import VariantKey
from bench.worker.messages import VariantRequest
from bench.worker.user.callables import FilePart
from bench.worker.user.model import BuiltModel, UserModel
from bench.worker.user_host import UserHost
from bench.worker.variant_host import VariantHost

NET = """
import torch
from torch import nn

def build():
    return nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Dropout(), nn.Linear(8, 3))

def inputs(batch_size):
    return torch.rand(batch_size, 4)
"""
QUICK: dict[str, Any] = {"techniques": "fp32", "batch_sizes": 2, "runs": 1, "precision": 0.9, "progress": False}

Hosted = Callable[..., VariantHost]


@pytest.fixture
def hosted(tmp_path: Path) -> Iterator[Hosted]:
    """Write a user's file, take the model on, and return the host of a variant, in this very process."""
    path, modules = list(sys.path), set(sys.modules)
    threads, engine = torch.get_num_threads(), torch.backends.quantized.engine

    def host(code: str, technique: str = "fp32", report: Callable[[int, int], None] = lambda *_: None) -> VariantHost:
        file = tmp_path / "net.py"
        file.write_text(NET + code, encoding="utf-8")
        definition = UserModel("net", "build", *(FilePart(file, name) for name in ("build", "inputs", "accuracy")))
        facts = UserHost(report).take_on(definition, tmp_path / "examples", [2], seed=0, threads=1)
        made = VariantHost(report)
        made.build(
            VariantRequest(
                key=VariantKey(technique),
                workload=BuiltModel(definition, facts, seed=0),
                packed=tmp_path / "packed",
                device="cpu",
                engine="fbgemm",
                isa=frozenset(),
                threads=1,
                largest_batch=2,
            )
        )
        return made

    yield host
    sys.path[:] = path
    for name in set(sys.modules) - modules:
        if str(tmp_path) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]
    torch.set_num_threads(threads)
    torch.backends.quantized.engine = engine


def test_threads_and_engine_are_put_back_when_the_users_code_has_set_them(hosted: Hosted) -> None:
    code = """
def set_all():
    torch.set_num_threads(2)
    if "qnnpack" in torch.backends.quantized.supported_engines:
        torch.backends.quantized.engine = "qnnpack"

set_all()

def accuracy(model):
    set_all()
    return 0.5
"""

    def settings() -> tuple[int, str]:
        return torch.get_num_threads(), torch.backends.quantized.engine

    wanted = (1, "fbgemm" if "fbgemm" in torch.backends.quantized.supported_engines else settings()[1])
    host = hosted(code)
    assert settings() == wanted
    host.evaluate()
    assert settings() == wanted
    torch.set_num_threads(2)  # as a forward pass might
    host.warm_up([2], [])
    assert settings() == wanted


def test_what_evaluate_does_to_the_model_is_not_timed(hosted: Hosted) -> None:
    code = """
def accuracy(model):
    model.train()
    model.module.double()
    next(model.parameters()).data.zero_()
    return 0.5
"""
    host = hosted(code)
    host.evaluate()
    assert host._artifact is not None
    module = host._artifact.module
    assert not any(part.training for part in module.modules())
    assert all(value.dtype == torch.float32 and value.any() for value in module.parameters())


def test_an_evaluation_shows_that_it_is_alive_with_each_call(hosted: Hosted) -> None:
    reports: list[tuple[int, int]] = []
    code = """
def accuracy(model):
    for _ in range(3):
        model(inputs(5))
    return 0.5
"""
    host = hosted(code, report=lambda done, total: reports.append((done, total)))
    reports.clear()
    host.evaluate()
    assert reports == [(0, 1)] * 3


def test_an_evaluation_that_exits_is_a_sentence(hosted: Hosted) -> None:
    host = hosted("def accuracy(model):\n    raise SystemExit(3)\n")
    with pytest.raises(UserModelError, match=r"^accuracy\(\) of net\.py raised SystemExit: 3 \(net\.py, line 11: "):
        host.evaluate()


def test_what_imports_draw_at_random_is_no_matter(tmp_path: Path) -> None:
    """Each process imports the model's file before it sets the seed, whatever other files there are."""
    for name in ("model", "others"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "helper.py").write_text(f"WHICH = {name!r}\n")
    (tmp_path / "model/net.py").write_text("import torch\nEXAMPLE = torch.rand(4)\nimport helper\n" + NET)
    (tmp_path / "others/data.py").write_text(
        "import torch\nEXAMPLE = torch.rand(4)\nimport helper\n" + NET + "assert helper.WHICH == 'model'"
    )
    run = bench.run(models=f"{tmp_path}/model/net.py:build", inputs=f"{tmp_path}/others/data.py:inputs", **QUICK)
    assert [row.measured for row in run.rows] == [True]
    assert (run.settings.techniques, run.settings.batch_sizes) == (["fp32"], [2])

"""That float32 on CUDA is float32; the settings can be read without a GPU."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch

from bench.measuring import tf32
from bench.worker.reference_host import ReferenceHost

BACKENDS: Any = torch.backends
cuda, cudnn = BACKENDS.cuda, BACKENDS.cudnn


def settings() -> set[str]:
    return {operation.fp32_precision for operation in (cuda.matmul, cudnn.conv, cudnn.rnn)}


@pytest.fixture(autouse=True)
def leave_off() -> Iterator[None]:
    threads = torch.get_num_threads()
    yield
    BACKENDS.fp32_precision = "none"
    tf32.turn_off()
    torch.set_num_threads(threads)


def allow_by_the_older_interface() -> None:
    cuda.matmul.allow_tf32 = True
    cudnn.allow_tf32 = True


def allow_by_the_newer_interface() -> None:
    BACKENDS.fp32_precision = "tf32"
    for operation in (cuda.matmul, cudnn.conv, cudnn.rnn):
        operation.fp32_precision = "tf32"


@pytest.mark.parametrize("allow", [allow_by_the_older_interface, allow_by_the_newer_interface])
def test_it_is_off_whichever_way_it_was_allowed(allow: Callable[[], None]) -> None:
    allow()
    tf32.turn_off()
    assert settings() == {"ieee"}
    assert not cuda.matmul.allow_tf32, "the older interface still answers"
    assert not cudnn.allow_tf32


def test_the_reference_workload_turns_it_off() -> None:
    allow_by_the_older_interface()
    ReferenceHost(lambda done, total: None).build(1, "cpu")
    assert settings() == {"ieee"}

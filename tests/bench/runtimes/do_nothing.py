"""Executables of each runtime around stubs whose calls do nothing: what is left is the harness's part."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from typing import Any, cast

import torch

from bench.core.inputs import Inputs
from bench.measuring.latency.timer import Timed
from bench.runtimes.eager import EagerExecutable
from bench.runtimes.graphs.openvino_graph import import_openvino
from bench.runtimes.graphs.structure import Structure
from bench.runtimes.inductor import InductorExecutable
from bench.runtimes.onnxruntime import OnnxRuntimeExecutable
from bench.runtimes.openvino import OpenVinoExecutable
from bench.techniques.base import Artifact

INPUTS = Inputs.of(torch.zeros(1, 4))


def nothing(*_: object, **__: object) -> None:
    """Return at once."""


class Stub:
    """A session, a compiled model, a request and a binding in one."""

    run = run_with_iobinding = infer = bind_ortvalue_input = bind_output = set_input_tensor = staticmethod(nothing)

    name = any_name = "x"

    @property
    def inputs(self) -> list[Any]:
        return [self]

    def get_inputs(self) -> list[Any]:
        return [self]

    get_outputs = get_inputs

    def io_binding(self) -> Stub:
        return self

    create_infer_request = io_binding


def eager() -> Timed:
    return EagerExecutable(Artifact(torch.nn.Identity(), nothing))


def inductor() -> Timed:
    executable = InductorExecutable.__new__(InductorExecutable)
    executable._run = cast(Any, nothing)
    executable._structure = Structure()
    return executable


def onnxruntime() -> Timed:
    return OnnxRuntimeExecutable(cast(Any, Stub()))


def openvino() -> Timed:
    import_openvino()  # without its telemetry, before a call is bound
    return OpenVinoExecutable(cast(Any, Stub()))


DO_NOTHING: dict[str, Callable[[], Timed]] = {"eager": eager, "inductor": inductor}
for _name, _make in {"onnxruntime": onnxruntime, "openvino": openvino}.items():
    if find_spec(_name):
        DO_NOTHING[_name] = _make

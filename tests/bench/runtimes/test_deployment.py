"""What a runtime writes for use without quantbench, loaded by the program that comes with it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from bench.core.errors import UnsupportedError, WorkerError
from bench.core.inputs import Inputs
from bench.core.tensors import as_arrays, tensors_in
from bench.models.preact_resnet import PreActResNet
from bench.runtimes.base import RUNTIMES, Runtime, Stored
from bench.runtimes.deployment import EXAMPLE, PROGRAM, Deployed, program, save_example
from bench.runtimes.graphs import torch_files
from bench.studies.deployment import verify
from bench.techniques.base import TECHNIQUES, Artifact
from tests.bench.nets import Branching
from tests.bench.runtimes.sources import build, mlp, resnet, rows, source


class Conv(PreActResNet):
    """Takes the images of a ResNet, in its layout, and exports faster."""

    def __init__(self) -> None:
        nn.Module.__init__(self)
        torch.manual_seed(0)
        self.layers = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Conv2d(8, 8, 3), nn.ReLU(), nn.Flatten())

    def forward(self, images: Tensor) -> Tensor:
        outputs: Tensor = self.layers(images)
        return outputs


MODELS: dict[str, Callable[[], nn.Module]] = {
    "mlp": mlp,
    "conv": lambda: Conv().eval().requires_grad_(False).to(memory_format=torch.channels_last),
    "resnet": lambda: resnet().to(memory_format=torch.channels_last),
}


KINDS: dict[str, tuple[Tensor, ...]] = {
    "rows": (torch.zeros(2, 64),),
    "images": (torch.zeros(2, 3, 8, 8).contiguous(memory_format=torch.channels_last),),
    "ids": (torch.zeros(2, 6, dtype=torch.int64),),
    "ids and weights": (torch.zeros(2, 6, dtype=torch.int64), torch.zeros(2, 6)),
}


def require_short(text: str) -> None:
    """Require twenty lines, as wide as a screen, that Python can read."""
    compile(text, PROGRAM, "exec")
    assert len(text.splitlines()) <= 20
    assert max(map(len, text.splitlines())) <= 120


def arranged(value: Tensor) -> Tensor:
    return value.contiguous(memory_format=torch.channels_last) if value.dim() == 4 else value


def deployed(runtime: str, technique: str, model: nn.Module, folder: Path) -> Deployed:
    """Build a variant, write its folder, and hold the program's answers against the variant's."""
    made_of = source(model, technique, folder)
    built, path = build(runtime, made_of, folder)
    target = folder / "deploy"
    target.mkdir()
    dtype = getattr(torch, built.executable.input_dtype)
    stored = Stored(TECHNIQUES.get(technique), path, made_of.convert, threads=1, engine="fbgemm")
    example = Inputs.of(arranged(rows(model, 2)).to(dtype))
    written = RUNTIMES.get(runtime).deploy(stored, built.artifact, example, target)
    for place, number in ((target / EXAMPLE, 1), (folder / "probe.npz", 7)):
        inputs = (arranged(rows(model, number, seed=number)),)
        with torch.inference_mode():
            outputs = built.executable.outputs(Inputs.of(inputs[0].to(dtype)))
        save_example(place, as_arrays(inputs), as_arrays(tensors_in(outputs)))
    text = program(written, "it", as_arrays(inputs))
    require_short(text)
    (target / PROGRAM).write_text(text, encoding="utf-8")
    verify(target, folder / "probe.npz", exact=True)
    return written


@pytest.mark.parametrize(
    ("runtime", "technique", "model", "file"),
    [
        ("eager", "bf16", "conv", "model.pt2"),
        ("eager", "static-qint8", "conv", "model.pt"),
        ("onnxruntime", "static-qint8", "mlp", "model.onnx"),
        ("openvino", "fp32", "mlp", "model.xml"),
    ],
)
def test_the_program_gives_the_variants_answers_without_quantbench(
    runtime: str, technique: str, model: str, file: str, tmp_path: Path
) -> None:
    if reason := RUNTIMES.get(runtime).missing():
        pytest.skip(reason)
    assert file in deployed(runtime, technique, MODELS[model](), tmp_path).files


@pytest.mark.slow
@pytest.mark.parametrize("model", ["mlp", "resnet"])
@pytest.mark.parametrize(
    ("runtime", "technique"),
    [
        *(("eager", name) for name in ("fp32", "fp16", "dynamic-fp16", "dynamic-qint8", "static-qint8", "amp")),
        *(("onnxruntime", name) for name in ("fp16", "dynamic-qint8", "static-qint8")),
        *(("openvino", name) for name in ("fp16", "static-qint8")),
        *(("inductor", name) for name in ("fp32", "bf16", "static-qint8")),
        *(("executorch", name) for name in ("fp32", "dynamic-qint8", "static-qint8")),
    ],
)
def test_so_it_is_with_every_technique_and_runtime(runtime: str, technique: str, model: str, tmp_path: Path) -> None:
    if reason := RUNTIMES.get(runtime).missing():
        pytest.skip(reason)
    deployed(runtime, technique, MODELS[model](), tmp_path)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("runtime", "technique", "files"),
    [
        ("onnxruntime", "static-qint8", ()),
        ("openvino", "bf16", ("model.xml", "model.bin")),
        ("inductor", "static-qint8", ("model.pt2",)),
        ("inductor", "bf16", ("model.pt2",)),
    ],
)
def test_a_program_has_twenty_lines_whatever_it_takes(
    runtime: str, technique: str, files: tuple[str, ...], kind: str, tmp_path: Path
) -> None:
    stored, target = tmp_path / "stored", tmp_path / "deploy"
    target.mkdir()
    if files:
        stored.mkdir()
    for path in [stored / name for name in files] or [stored]:
        path.touch()
    variant = Stored(TECHNIQUES.get(technique), stored, mlp, threads=16)  # type: ignore[arg-type]
    written = RUNTIMES.get(runtime).deploy(variant, None, Inputs.of(KINDS[kind]), target)
    require_short(program(written, f"cifar100/resnet20 as {technique} on {runtime}", as_arrays(KINDS[kind])))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
@pytest.mark.parametrize("traced", [False, True])
def test_so_has_one_that_torch_alone_runs(
    traced: bool, dtype: str, kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def exported(*_: object) -> str:
        if traced:
            raise RuntimeError("torch.export cannot")
        return "model.pt2"

    monkeypatch.setattr(torch_files, "_exported", exported)
    monkeypatch.setattr(torch_files, "_traced", lambda *_: "model.pt")
    example = Inputs.of(KINDS[kind]).cast(torch.device("cpu"), getattr(torch, dtype))
    written = torch_files.save(Artifact(mlp(), mlp(), dtype), example, tmp_path, threads=16, engine="fbgemm")
    require_short(program(written, "cifar100/resnet20 as static-qint8 on eager", as_arrays(KINDS[kind])))


@pytest.mark.parametrize(("factor", "exact"), [("1.001", False), ("1.000001", True), ("np.nan", False)])
def test_other_answers_are_found_out(factor: str, exact: bool, tmp_path: Path) -> None:
    written = Deployed(("none",), ("numpy",), "", f"return [inputs[0] * {factor}]")
    arrays = as_arrays([torch.ones(2, 3)])
    (tmp_path / PROGRAM).write_text(program(written, "it", arrays), encoding="utf-8")
    for path in (tmp_path / EXAMPLE, tmp_path / "probe.npz"):
        save_example(path, arrays, arrays)
    with pytest.raises(WorkerError, match="other answers than the variant"):
        verify(tmp_path, tmp_path / "probe.npz", exact=exact)


def test_a_program_that_needs_quantbench_is_found_out(tmp_path: Path) -> None:
    written = Deployed(("none",), ("numpy",), "import bench", "return inputs")
    arrays = as_arrays([torch.ones(2, 3)])
    (tmp_path / PROGRAM).write_text(program(written, "it", arrays), encoding="utf-8")
    with pytest.raises(WorkerError, match=r"cannot run what was exported.*bench"):
        verify(tmp_path, tmp_path / "probe.npz", exact=False)


def test_a_model_that_goes_by_values_has_no_file_of_torchs_own(tmp_path: Path) -> None:
    class Branch(Branching):
        def forward(self, inputs: Tensor) -> Tensor:
            return super().forward(inputs[:, :4])

    with pytest.raises(UnsupportedError, match=r"depends on values.*nets.py.*leave --runtime out"):
        deployed("eager", "fp32", Branch().eval(), tmp_path)


def test_a_runtime_of_another_package_need_not_have_such_a_file(tmp_path: Path) -> None:
    class Other(Runtime):
        name = "other"
        build = load = None  # type: ignore[assignment]

    stored = Stored(TECHNIQUES.get("fp32"), tmp_path, mlp, threads=1)  # type: ignore[arg-type]
    with pytest.raises(UnsupportedError, match="no file of other that runs without it"):
        Other.deploy(Other.__new__(Other), stored, None, Inputs(), tmp_path)

"""The packed file: exact, small, and refused where it does not fit."""

from __future__ import annotations

import base64
import zlib
from pathlib import Path
from typing import Any

import pytest
import safetensors
import safetensors.torch
import torch
from torch import Tensor, nn

from bench.core.errors import CheckpointError
from bench.core.report import Report
from bench.models import MLP, PreActResNet
from bench.running.suites import LAB_TECHNIQUES
from bench.storage.checkpoint import digest
from bench.storage.packed import KEY, MANIFEST_LIMIT, _compressed, _decompressed, pack, unpack
from bench.techniques.base import TECHNIQUES, Artifact, Context
from bench.worker.process import Worker

ENGINES = torch.backends.quantized.supported_engines
pytestmark = pytest.mark.skipif("fbgemm" not in ENGINES, reason="this torch has no fbgemm")


def network(kind: str) -> nn.Module:
    if kind == "mlp":
        return MLP(40, [30, 20], 5).eval()
    return PreActResNet(8, 5).eval().to(memory_format=torch.channels_last)


def examples(kind: str) -> Tensor:
    return torch.rand(16, 40) if kind == "mlp" else torch.rand(16, 3, 32, 32).to(memory_format=torch.channels_last)


def convert(technique: str, model: nn.Module, calibration: Tensor, engine: str = "fbgemm") -> Artifact:
    context = Context(torch.device("cpu"), engine, frozenset(), calibration=lambda: calibration)
    return TECHNIQUES.get(technique).convert(model, context)


def trained(technique: str, kind: str, engine: str = "fbgemm") -> tuple[Artifact, Tensor]:
    """A variant with statistics as a training leaves them, and inputs for it."""
    torch.manual_seed(0)
    model, inputs = network(kind), examples(kind)
    with torch.inference_mode():
        model.train()(inputs)
    variant = convert(technique, model.eval(), inputs, engine)
    return variant, inputs.to(getattr(torch, variant.input_dtype))


def skeleton(technique: str, kind: str, engine: str = "fbgemm") -> Artifact:
    torch.manual_seed(1)
    return convert(technique, network(kind), torch.zeros_like(examples(kind)[:2]), engine)


def logits(variant: Artifact, inputs: Tensor) -> Tensor:
    with torch.inference_mode():
        outputs: Tensor = variant.forward(inputs)
    return outputs


@pytest.mark.parametrize("kind", ["mlp", "resnet"])
@pytest.mark.parametrize("technique", LAB_TECHNIQUES)
def test_a_skeleton_takes_on_the_logits_bit_by_bit(technique: str, kind: str, tmp_path: Path) -> None:
    variant, inputs = trained(technique, kind)
    pack(variant.module, tmp_path / "packed")
    reloaded = skeleton(technique, kind)
    assert not torch.equal(logits(reloaded, inputs), logits(variant, inputs))
    unpack(reloaded.module, tmp_path / "packed")
    assert torch.equal(logits(reloaded, inputs), logits(variant, inputs))
    assert [file.name for file in tmp_path.iterdir()] == ["packed"]


@pytest.mark.parametrize("technique", ["dynamic-qint8", "static-qint8"])
@pytest.mark.parametrize("engine", sorted({"x86", "onednn", "qnnpack"} & set(ENGINES)))
def test_the_other_engines_weights_too(
    engine: str, technique: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.backends.quantized, "engine", engine)
    variant, inputs = trained(technique, "resnet", engine)
    pack(variant.module, tmp_path / "packed")
    reloaded = skeleton(technique, "resnet", engine)
    unpack(reloaded.module, tmp_path / "packed")
    assert torch.equal(logits(reloaded, inputs), logits(variant, inputs))


class Fresh:
    """Rebuilds a packed variant in a process that has not seen it."""

    def __init__(self, report: Report) -> None:
        pass

    def logits(self, technique: str, kind: str, packed: Path, inputs: Path) -> str:
        variant = skeleton(technique, kind)
        unpack(variant.module, packed)
        return exact(logits(variant, safetensors.torch.load_file(inputs)["inputs"]))


def exact(values: Tensor) -> str:
    return digest({"values": values.float().contiguous()})


@pytest.mark.parametrize(
    ("technique", "kind"),
    [
        ("fp32", "resnet"),
        ("bf16", "mlp"),
        ("dynamic-fp16", "mlp"),
        ("dynamic-qint8", "mlp"),
        ("static-qint8", "resnet"),
    ],
)
def test_a_fresh_process_answers_the_same(technique: str, kind: str, tmp_path: Path) -> None:
    variant, inputs = trained(technique, kind)
    pack(variant.module, tmp_path / "packed")
    safetensors.torch.save_file({"inputs": inputs.contiguous()}, tmp_path / "inputs")
    worker = Worker("tests.bench.storage.test_packed:Fresh")
    answered = worker.call("logits", technique, kind, tmp_path / "packed", tmp_path / "inputs")
    worker.close()
    assert answered == exact(logits(variant, inputs))


@pytest.fixture(scope="module")
def lab2_bytes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, int]:
    """Of a packed 400-1024-1024-10 of 1,470,474 parameters, by technique."""
    path = tmp_path_factory.mktemp("packed") / "packed"
    found = {}
    for technique in LAB_TECHNIQUES:
        torch.manual_seed(0)
        module = convert(technique, MLP(400, [1024, 1024], 10).eval(), torch.rand(64, 400)).module
        packed = pack(module, path)
        assert packed.file_bytes == path.stat().st_size
        assert 0 < packed.file_bytes - sum(packed.bytes_by_dtype.values()) < 1500  # header and manifest
        found[technique] = packed.file_bytes
    return found


@pytest.mark.parametrize(
    ("technique", "bits"),
    [("fp32", 32), ("amp", 32), ("fp16", 16), ("dynamic-fp16", 16), ("dynamic-qint8", 8), ("static-qint8", 8)],
)
def test_a_file_is_its_bits_times_the_parameters(lab2_bytes: dict[str, int], technique: str, bits: int) -> None:
    assert lab2_bytes[technique] == pytest.approx(1_470_474 * bits / 8, rel=0.015)


def test_values_are_told_by_the_type_they_are_stored_in(tmp_path: Path) -> None:
    variant, _ = trained("dynamic-qint8", "mlp")
    weights, biases = 40 * 30 + 30 * 20 + 20 * 5, 30 + 20 + 5
    # The scale and zero point that torch keeps in a dynamic Linear, and never uses, are 1.0 and 0.
    expected = {"int8": weights + 3, "float32": 4 * biases, "float16": 2 * 3}
    assert pack(variant.module, tmp_path / "packed").bytes_by_dtype == expected


@pytest.fixture
def packed(tmp_path: Path) -> Path:
    variant, _ = trained("static-qint8", "mlp")
    pack(variant.module, tmp_path / "packed")
    return tmp_path / "packed"


def refusal(path: Path, technique: str = "static-qint8", kind: str = "mlp") -> str:
    with pytest.raises(CheckpointError) as caught:
        unpack(skeleton(technique, kind).module, path)
    message = str(caught.value)
    assert message.endswith("pack the variant again.")
    assert "\n" not in message
    return message


def test_a_file_that_is_not_there_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError) as caught:
        unpack(skeleton("fp32", "mlp").module, tmp_path / "nothing")
    assert str(caught.value).endswith(
        "nothing cannot be read (No such file or directory); name one that 'bench export' wrote."
    )


@pytest.mark.parametrize("length", [0, 5, 500, -1])
def test_a_truncated_file_is_a_sentence(packed: Path, length: int) -> None:
    packed.write_bytes(packed.read_bytes()[:length])
    assert "is truncated or damaged" in refusal(packed)


def test_a_flipped_bit_among_the_values_is_a_sentence(packed: Path) -> None:
    content = bytearray(packed.read_bytes())
    content[-1] ^= 1
    packed.write_bytes(content)
    assert "is truncated or damaged (its values do not have the checksum it names)" in refusal(packed)


def test_a_file_without_a_checksum_is_read(packed: Path) -> None:
    with safetensors.safe_open(packed, framework="pt") as file:
        manifest = _decompressed(file.metadata()[KEY])
    del manifest["crc32"]
    safetensors.torch.save_file(safetensors.torch.load_file(packed), packed, metadata={KEY: _compressed(manifest)})
    unpack(skeleton("static-qint8", "mlp").module, packed)


def test_a_pickle_is_a_sentence_and_not_opened(packed: Path) -> None:
    torch.save(network("mlp").state_dict(), packed)
    assert "is truncated or damaged" in refusal(packed)


def test_somebody_elses_safetensors_is_a_sentence(packed: Path) -> None:
    safetensors.torch.save_file({"weight": torch.zeros(2)}, packed)
    assert "is not a packed file of quantbench" in refusal(packed)


def rewrite(path: Path, **changes: Any) -> None:
    """Write the file again with another manifest."""
    with safetensors.safe_open(path, framework="pt") as file:
        manifest = _decompressed(file.metadata()[KEY])
    safetensors.torch.save_file(
        safetensors.torch.load_file(path), path, metadata={KEY: _compressed({**manifest, **changes})}
    )


def test_another_version_is_a_sentence(packed: Path) -> None:
    rewrite(packed, version=99)
    assert "has format 99, and this version reads format 2" in refusal(packed)


@pytest.mark.parametrize("text", ["", "[1]", '{"entries":{}}', "7"])
def test_a_manifest_that_is_none_is_a_sentence(packed: Path, text: str) -> None:
    content = base64.b85encode(zlib.compress(text.encode())).decode()
    safetensors.torch.save_file({"int8": torch.zeros(2)}, packed, metadata={KEY: content})
    assert "has an invalid manifest" in refusal(packed)


@pytest.mark.parametrize("content", ["", 'not base 85: "', base64.b85encode(b"not deflated").decode()])
def test_a_manifest_that_is_not_compressed_is_a_sentence(packed: Path, content: str) -> None:
    safetensors.torch.save_file({"int8": torch.zeros(2)}, packed, metadata={KEY: content})
    assert "has an invalid manifest" in refusal(packed)


def test_a_manifest_that_would_fill_the_memory_is_a_sentence(packed: Path) -> None:
    content = base64.b85encode(zlib.compress(bytes(2 * MANIFEST_LIMIT))).decode()
    safetensors.torch.save_file({"int8": torch.zeros(2)}, packed, metadata={KEY: content})
    assert "it is incomplete or too long" in refusal(packed)


@pytest.mark.parametrize(
    "entries",
    [
        {},
        [],
        {"weight": ["int8", [10**9]]},
        {"weight": ["int8", [-1]]},
        {"weight": ["int8", [2], "complex64"]},
        {"weight": ["complex64", [2]]},
        {"weight": "Tensor"},
        {"weight": {"tuple": [["int8", "x"]]}},
        {"weight": {"q": ["float32", [2]], "scale": 1.0, "zero": 0}},
        {"weight": {"q": 1, "scale": 1.0, "zero": 0}},
        {"weight": {"q": ["int8", [2]], "scale": ["float32", [3]], "zero": ["int8", [3]], "axis": 7}},
    ],
)
def test_a_manifest_that_does_not_match_its_values_is_a_sentence(packed: Path, entries: object) -> None:
    rewrite(packed, entries=entries)
    assert "has a manifest that does not match its values" in refusal(packed)


@pytest.mark.parametrize(("technique", "kind"), [("static-qint8", "resnet"), ("fp32", "mlp"), ("dynamic-qint8", "mlp")])
def test_a_file_of_another_network_or_technique_is_a_sentence(packed: Path, technique: str, kind: str) -> None:
    assert "is of another module" in refusal(packed, technique, kind)


def test_another_type_is_not_cast_silently(packed: Path) -> None:
    pack(network("mlp"), packed)
    expected = "layers.0.weight is float32 [30, 40] in the file and float16 [30, 40] in the module"
    assert expected in refusal(packed, "fp16")


def test_another_shape_of_a_packed_weight_is_noticed(packed: Path) -> None:
    model = convert("static-qint8", MLP(40, [31, 20], 5).eval(), torch.rand(2, 40)).module
    with pytest.raises(CheckpointError, match=r"layers\.0\._packed_params.*qint8 \[30, 40\].*qint8 \[31, 40\]"):
        unpack(model, packed)


def test_other_modules_are_noticed(packed: Path) -> None:
    rewrite(packed, modules=[1, 1])
    assert "is of another module" in refusal(packed)


def test_the_version_of_each_module_is_the_writers(packed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # A Linear of torch.ao reads weight and bias in another way if it is told of no version, or of version 1.
    seen: list[int | None] = []
    linear = torch.ao.nn.quantized.modules.linear.LinearPackedParams
    load = linear._load_from_state_dict

    def spy(self: Any, state: dict[str, object], prefix: str, local: dict[str, int], *rest: object) -> None:
        seen.append(local.get("version"))
        load(self, state, prefix, local, *rest)

    monkeypatch.setattr(linear, "_load_from_state_dict", spy)
    unpack(skeleton("static-qint8", "mlp").module, packed)
    assert seen == [3, 3, 3]


class Stateful(nn.Linear):
    def get_extra_state(self) -> object:
        return {"anything": 1}


def test_an_entry_without_a_form_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(
        CheckpointError, match=r"^_extra_state cannot be packed \(.* no form for a dict\); save it with"
    ):
        pack(Stateful(2, 2), tmp_path / "packed")
    assert not list(tmp_path.iterdir())

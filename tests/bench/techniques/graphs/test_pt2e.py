"""Static int8 of models that FX cannot trace."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from bench.core.errors import UnsupportedError
from bench.core.inputs import Inputs
from bench.measuring.params import count_parameters
from bench.storage.packed import Origin, load_user_model, pack
from bench.techniques.base import TECHNIQUES, Artifact, Context
from bench.techniques.graphs import pt2e

torchao = pytest.importorskip("torchao")


WEIGHTS = 16 * 32 + 2 * 3 * 3 + 64 * 4


class Encoder(nn.Module):
    """In the manner of transformers: an optional input, and a branch on the shape of another."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(60, 16)
        self.hidden = nn.Linear(16, 32)
        self.convolution = nn.Conv2d(1, 2, 3, padding=1)
        self.head = nn.Linear(64, 4)

    def forward(self, input_ids: Tensor, attention_mask: Tensor | None = None) -> dict[str, Tensor | None]:
        if input_ids.shape[1] > 64:
            raise ValueError("at most 64 tokens")
        embedded = self.embed(input_ids)
        if attention_mask is not None:
            embedded = embedded * attention_mask[:, :, None]
        hidden = torch.relu(self.hidden(embedded))
        hidden = torch.relu(self.convolution(hidden[:, None])).mean(2).flatten(1)
        return {"loss": None, "logits": self.head(hidden)}


def inputs(size: int) -> Inputs:
    ids = torch.randint(0, 60, (size, 10), generator=torch.Generator().manual_seed(size))
    return Inputs.of({"input_ids": ids})


def model() -> nn.Module:
    torch.manual_seed(0)
    return Encoder().eval().requires_grad_(False)


def converted(layers: frozenset[str] | None = None) -> Artifact:
    context = Context(torch.device("cpu"), "fbgemm", frozenset(), lambda: [inputs(64)], layers=layers)
    return TECHNIQUES.get("static-qint8").convert(model(), context)


def test_what_fx_cannot_trace_is_exported_and_quantized() -> None:
    artifact = converted()
    assert artifact.simulated
    assert any("PT2E" in note for note in artifact.notes), "the row says which"
    batch = inputs(5)
    exact = batch.call(model())
    got = batch.call(artifact.forward)
    assert list(got) == ["loss", "logits"]
    assert got["loss"] is None
    assert 0 < (got["logits"] - exact["logits"]).norm() / exact["logits"].norm() < 0.1
    state = artifact.module.state_dict()
    assert sum(value.numel() for value in state.values() if value.dtype == torch.int8) == WEIGHTS
    assert count_parameters(artifact.module) == count_parameters(model())


def test_its_packed_file_gives_the_same_outputs(tmp_path: Path) -> None:
    artifact = converted()
    origin = Origin(model="own/encoder", technique="static-qint8", engine="fbgemm", built_by="model()")
    file = pack(artifact.module, tmp_path / "packed", origin)
    assert file.bytes_by_dtype["int8"] >= WEIGHTS
    torch.manual_seed(7)
    loaded = load_user_model(tmp_path / "packed", Encoder(), inputs(1))
    batch = inputs(6)
    assert torch.equal(loaded(**batch.kwargs)["logits"], batch.call(artifact.forward)["logits"])


def test_it_may_be_confined_to_layers() -> None:
    state = converted(frozenset({"head"})).module.state_dict()
    assert sum(value.numel() for value in state.values() if value.dtype == torch.int8) == 64 * 4


def test_where_nothing_can_both_reasons_are_given(monkeypatch: pytest.MonkeyPatch) -> None:
    def cannot(*arguments: object) -> None:
        raise RuntimeError("no graph of this")

    monkeypatch.setattr(pt2e, "_quantized", cannot)
    with pytest.raises(UnsupportedError, match=r"^FX .*; torch\.export and PT2E cannot: RuntimeError: no gra"):
        converted()


def test_without_torchao_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pt2e, "find_spec", lambda name: None)
    with pytest.raises(UnsupportedError, match="pip install 'quantbench"):
        converted()

"""Models as people bring them: from their packages, with random weights, and small inputs for each.

``NAME()`` builds the model, ``NAME_inputs(batch_size)`` gives a batch.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

NAMES = (
    "resnet18",
    "mobilenet_v3_small",
    "vit_b_16",
    "vit_tiny",
    "convnext_atto",
    "efficientnet_lite0",
    "distilbert",
    "gpt2",
    "whisper_encoder",
    "lstm_tagger",
    "unet",
    "gcn",
)
IMAGE = 64
"""Pixels a side."""
WORDS, TOKENS = 1_000, 32
NODES, FEATURES = 40, 16


def _with_statistics(model: nn.Module) -> nn.Module:
    """Give BatchNorms the statistics of some images: without any, deep networks put out next to nothing."""
    norms = [part for part in model.modules() if isinstance(part, nn.BatchNorm2d)]
    for norm in norms:
        norm.momentum = None
    if norms:
        with torch.no_grad():
            model.train()(torch.rand(16, 3, IMAGE, IMAGE))
    return model.eval()


def images(batch_size: int) -> Tensor:
    return torch.rand(batch_size, 3, IMAGE, IMAGE)


def _ids(batch_size: int) -> Tensor:
    return torch.randint(0, WORDS, (batch_size, TOKENS))


# torchvision


def resnet18() -> nn.Module:
    import torchvision

    return _with_statistics(torchvision.models.resnet18(weights=None))


def mobilenet_v3_small() -> nn.Module:
    import torchvision

    return _with_statistics(torchvision.models.mobilenet_v3_small(weights=None))


def vit_b_16() -> nn.Module:
    """With fewer and smaller layers than its name says."""
    from torchvision.models import VisionTransformer

    model: nn.Module = VisionTransformer(IMAGE, patch_size=16, num_layers=4, num_heads=4, hidden_dim=192, mlp_dim=768)
    nn.init.normal_(model.get_parameter("heads.head.weight"), std=0.02)  # it begins with zeros
    return model


# timm


def vit_tiny() -> nn.Module:
    import timm

    model: nn.Module = timm.create_model("vit_tiny_patch16_224", pretrained=False, img_size=IMAGE)
    return model


def convnext_atto() -> nn.Module:
    import timm

    model: nn.Module = timm.create_model("convnext_atto", pretrained=False)
    return model


def efficientnet_lite0() -> nn.Module:
    import timm

    return _with_statistics(timm.create_model("efficientnet_lite0", pretrained=False))


resnet18_inputs = mobilenet_v3_small_inputs = vit_b_16_inputs = images
vit_tiny_inputs = convnext_atto_inputs = efficientnet_lite0_inputs = images

# transformers


def distilbert() -> nn.Module:
    from transformers import DistilBertConfig, DistilBertForSequenceClassification

    config = DistilBertConfig(
        vocab_size=WORDS, dim=128, hidden_dim=512, n_layers=2, n_heads=4, max_position_embeddings=TOKENS
    )
    return DistilBertForSequenceClassification(config)


def distilbert_inputs(batch_size: int) -> Any:
    """What a tokenizer returns."""
    from transformers import BatchEncoding

    ids = _ids(batch_size)
    return BatchEncoding({"input_ids": ids, "attention_mask": torch.ones_like(ids)})


def gpt2() -> nn.Module:
    """Its head is its embedding."""
    from transformers import GPT2Config, GPT2LMHeadModel

    return GPT2LMHeadModel(GPT2Config(vocab_size=WORDS, n_positions=TOKENS, n_embd=128, n_layer=2, n_head=4))


def gpt2_inputs(batch_size: int) -> dict[str, Any]:
    return {"input_ids": _ids(batch_size), "use_cache": False}


def whisper_encoder() -> nn.Module:
    from transformers import WhisperConfig
    from transformers.models.whisper.modeling_whisper import WhisperEncoder

    config = WhisperConfig(
        d_model=128, encoder_layers=2, encoder_attention_heads=4, encoder_ffn_dim=512, max_source_positions=50
    )
    return WhisperEncoder(config)


def whisper_encoder_inputs(batch_size: int) -> dict[str, Tensor]:
    return {"input_features": torch.randn(batch_size, 80, 100)}


# Written by hand


class Tagger(nn.Module):
    """A tag to each word of a sentence."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(WORDS, 64)
        self.lstm = nn.LSTM(64, 64, batch_first=True, bidirectional=True)
        self.head = nn.Linear(128, 12)

    def forward(self, ids: Tensor) -> Tensor:
        tags: Tensor = self.head(self.lstm(self.embedding(ids))[0])
        return tags


def lstm_tagger() -> nn.Module:
    return Tagger()


def lstm_tagger_inputs(batch_size: int) -> Tensor:
    return _ids(batch_size)


def _block(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(inputs, outputs, 3, padding=1), nn.BatchNorm2d(outputs), nn.ReLU())


class UNet(nn.Module):
    """A mask of an image; it grows again by transposed convolutions."""

    def __init__(self) -> None:
        super().__init__()
        self.down1, self.down2, self.middle = _block(3, 16), _block(16, 32), _block(32, 64)
        self.grow2, self.grow1 = nn.ConvTranspose2d(64, 32, 2, stride=2), nn.ConvTranspose2d(32, 16, 2, stride=2)
        self.up2, self.up1 = _block(64, 32), _block(32, 16)
        self.head = nn.Conv2d(16, 2, 1)
        self.pool = nn.MaxPool2d(2)

    def forward(self, images: Tensor) -> Tensor:
        first = self.down1(images)
        second = self.down2(self.pool(first))
        grown = self.up2(torch.cat([self.grow2(self.middle(self.pool(second))), second], 1))
        mask: Tensor = self.head(self.up1(torch.cat([self.grow1(grown), first], 1)))
        return mask


def unet() -> nn.Module:
    return _with_statistics(UNet())


unet_inputs = images


class GCN(nn.Module):
    """A class to each node of graphs that share their edges, given as an index."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(FEATURES, 32), nn.Linear(32, 4)

    def forward(self, nodes: Tensor, edges: Tensor) -> Tensor:
        hidden = torch.relu(self._gathered(self.first(nodes), edges))
        return self._gathered(self.second(hidden), edges)

    def _gathered(self, nodes: Tensor, edges: Tensor) -> Tensor:
        sources, targets = edges
        return torch.zeros_like(nodes).index_add(1, targets, nodes[:, sources]) + nodes


def gcn() -> nn.Module:
    return GCN()


def gcn_inputs(batch_size: int) -> dict[str, Tensor]:
    edges = torch.randint(0, NODES, (2, 120), generator=torch.Generator().manual_seed(0))
    return {"nodes": torch.rand(batch_size, NODES, FEATURES), "edges": edges}

"""A network of yours from a file of its state and hyperparameters; ``python checkpoint.py`` writes such a file."""

from pathlib import Path

import torch
from torch import Tensor, nn

from bench.models import PreActResNet  # or a class of yours

CHECKPOINT = Path(__file__).with_name("mybestmodel.pth")


def build() -> nn.Module:
    # A pickle may run code. With weights_only torch reads tensors, numbers, texts, lists and dicts of them, and refuses
    # a file with anything else, such as an argparse.Namespace: save vars(args).
    stored = torch.load(CHECKPOINT, weights_only=True, map_location="cpu")
    model = PreActResNet(**stored["hyperparam"])
    model.load_state_dict(stored["net"])
    return model


def inputs(batch_size: int) -> Tensor:
    return torch.rand(batch_size, 3, 32, 32)


if __name__ == "__main__":
    hyperparam = {"depth": 8, "classes": 10}
    net = PreActResNet(**hyperparam)  # and its training
    torch.save({"net": net.state_dict(), "hyperparam": hyperparam}, CHECKPOINT)

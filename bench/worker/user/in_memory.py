"""A user's model that the calling process holds, and what belongs to it."""

from __future__ import annotations

from pathlib import Path

from bench.core.errors import UserModelError
from bench.worker.user.callables import FilePart, Part, PickledPart
from bench.worker.user.model import SUITE, UserModel


def user_model_in_memory(
    model: object,
    folder: Path,
    *,
    inputs: object,
    evaluate: object = None,
    calibrate: object = None,
    train: object = None,
    name: str | None = None,
) -> UserModel:
    """Write all parts into ``folder``, which this user alone may read; texts name callables in files.

    Raises ``UserModelError`` for what cannot be handed to another process, and for a model that is none.
    """
    from torch import nn

    if not isinstance(model, nn.Module):
        raise UserModelError(f"model is a {type(model).__name__}; give a torch.nn.Module.")
    if inputs is None:
        raise UserModelError("a model of your own needs inputs; give example tensors, batch first.")
    named = name or type(getattr(model, "_orig_mod", model)).__name__

    def part(value: object, called: str, title: str) -> Part:
        if isinstance(value, str):
            return FilePart.parse(called, value)
        return PickledPart.save(value, folder / f"{called}.pickle", title, called)

    def optional(value: object, called: str) -> Part | None:
        return None if value is None else part(value, called, getattr(value, "__name__", called))

    return UserModel(
        task=SUITE,
        name_in_task=named,
        model=part(model, "the model", named),
        inputs=part(inputs, "example_inputs", "example_inputs"),
        evaluate=optional(evaluate, "evaluate"),
        calibrate=optional(calibrate, "calibrate"),
        train=optional(train, "train"),
    )

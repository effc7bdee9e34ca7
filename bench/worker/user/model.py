"""A user's model, as the command describes it to its workers; without torch."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.core.errors import RequestError
from bench.worker.user.callables import FilePart, Part

USER_HOST = "bench.worker.user_host:UserHost"
SUITE = "own"
"""What takes the place of a suite's name."""


@dataclass(frozen=True)
class UserModel:
    """A model, its inputs, and how it is judged and calibrated."""

    task: str
    """Its file's name without ending, or ``own``: what the table is called."""
    name_in_task: str
    model: Part
    """A callable that returns the module, or the module itself."""
    inputs: Part
    """A callable that is given a batch size and returns a batch, or returns an example; or an example itself."""
    evaluate: Part | None = None
    """A callable that is given something that can be called like the model, and returns its accuracy."""
    calibrate: Part | None = None
    """A callable that returns batches, or the batches themselves."""
    train: Part | None = None
    """A callable that is given a network and trains it in place."""

    @property
    def name(self) -> str:
        """``task/model``."""
        return f"{self.task}/{self.name_in_task}"

    def fingerprint(self) -> str:
        """Return 16 hex digits that change with what gives its inputs and judges it: its data, as it were."""
        return _digest(part.definition for part in (self.inputs, self.evaluate, self.calibrate) if part is not None)

    def source(self) -> str:
        """Return 16 hex digits that change with the files that the parts are in, the model's too."""
        parts = [
            part for part in (self.model, self.inputs, self.evaluate, self.calibrate, self.train) if part is not None
        ]
        return _digest(path.read_bytes() for path in dict.fromkeys(part.path for part in parts))


SLOW_IMPORTS = ("torchvision", "timm", "transformers", "torchaudio")
"""Libraries of models that take seconds to import; importing them runs no kernel."""


def slow_imports(models: Iterable[UserModel]) -> list[str]:
    """Return which slow libraries are named in the files of models, so that they are imported once and not by each."""
    contents = [part.path.read_bytes() for model in models for part in (model.model, model.inputs)]
    return [name for name in SLOW_IMPORTS if any(name.encode() in content for content in contents)]


def _digest(contents: Iterable[bytes]) -> str:
    hasher = hashlib.sha256()
    for content in contents:
        hasher.update(hashlib.sha256(content).digest())
    return hasher.hexdigest()[:16]


@dataclass(frozen=True)
class UserFacts:
    """What is known of it once it was built and tried on its inputs."""

    examples: Path
    """The file of its inputs, which all variants share."""
    weights: str
    """The digest of its weights: each worker builds it again and must get the same."""
    macs: int | None
    inputs: str
    """Types and shapes, such as ``float32 [batch, 3, 32, 32]``."""
    random: bool = False
    """Whether the model draws at random when it is called."""
    remarks: tuple[str, ...] = ()
    """What a reader must know of the model itself."""


@dataclass(frozen=True)
class BuiltModel:
    """A user's model that was built and tried: what its variants start from."""

    definition: UserModel
    facts: UserFacts
    seed: int
    """Of all that is random in building it, in making its inputs, and in judging it."""

    @property
    def task(self) -> str:
        """What the table is called."""
        return self.definition.task

    @property
    def model(self) -> str:
        """What the row is called."""
        return self.definition.name_in_task


def user_models(
    models: Sequence[str | UserModel], parts: Mapping[str, str | None], others: Sequence[str]
) -> list[UserModel]:
    """Return the users' models among ``models``; none if all are supplied ones.

    ``parts`` are the texts of ``inputs``, ``evaluate`` and ``calibrate``; ``others`` the options, given ones, that
    make sense for supplied models alone. Raises ``RequestError`` for what does not go together.
    """
    given = [f"--{option}" for option, text in parts.items() if text is not None]
    of_user = [model for model in models if isinstance(model, UserModel) or is_own(model)]
    if not of_user:
        if given:
            raise RequestError(
                f"{given[0]} belongs to a model of your own; name that with --model path/to/file.py:callable, "
                f"or leave {given[0]} out."
            )
        return []
    if len(of_user) < len(models):
        supplied = next(model for model in models if model not in of_user)
        raise RequestError(f"--model {supplied} is supplied, and a run cannot mix it with your own; make two runs.")
    if others:
        raise RequestError(f"{others[0]} is for supplied models, and this one is your own; leave {others[0]} out.")
    definitions = [model if isinstance(model, UserModel) else _parsed(model, parts) for model in dict.fromkeys(of_user)]
    _refuse_namesakes(definitions)
    return definitions


def is_own(name: str) -> bool:
    """Return whether ``--model`` names a file of the user's, with or without what is in it."""
    return name.endswith(".py") or name.rpartition(":")[0].endswith(".py")


def require_supplied(name: str) -> None:
    """Raise ``RequestError`` for a user's model, where only supplied ones will do."""
    if is_own(name):
        raise RequestError(
            f"{name} is a model of your own, which this command does not take: it trains; "
            f"bring its network and data by entry points (docs/architecture.md), and every command takes it."
        )


def _parsed(name: str, parts: Mapping[str, str | None]) -> UserModel:
    model = FilePart.parse("--model", name)
    if parts["inputs"] is None:
        raise RequestError(
            f"--model {name} is a model of your own and needs inputs; "
            f"name a callable that returns them with --inputs path/to/file.py:callable."
        )
    callables = {option: FilePart.parse(f"--{option}", text) for option, text in parts.items() if text is not None}
    return UserModel(model.path.stem, model.name, model, **callables)


def _refuse_namesakes(models: Sequence[UserModel]) -> None:
    by_name: dict[str, UserModel] = {}
    for model in models:
        other = by_name.setdefault(model.name, model)
        if other != model:
            raise RequestError(
                f"two models would be called {model.name} in the tables, of files of one name; "
                f"rename one of the files, or make two runs."
            )


def titles(models: Sequence[UserModel]) -> dict[str, str]:
    """Return the settings that say what gives inputs, accuracy and calibration; all models of a run share them."""
    named = {option: getattr(model, option) for model in models for option in ("inputs", "evaluate", "calibrate")}
    return {option: part.title for option, part in named.items() if part is not None}

"""A technique for each layer: ``mixed:layers.0=range-linear:w4a8+layers.2=dynamic-qint8``.

The name of a module that holds layers, such as ``blocks.1``, stands for those without a name of their own. Layers that
are not named stay float32; ``*`` stands for them. The techniques follow one another in the order of their
names: one that calibrates observes its layers with those before it in place.
"""

from __future__ import annotations

import dataclasses
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from bench.core.errors import RequestError, UnknownNameError, UnsupportedError
from bench.techniques.base import TECHNIQUES, Artifact, Context, Technique, technique

if TYPE_CHECKING:
    from torch import nn

REST = "*"
"""The layers that are not named."""
FLOAT = "fp32"
ALONE = "static-qint8"
"""Rewrites the network as a graph, in which other techniques' layers have no place."""
EXAMPLE = "mixed:layers.0=range-linear:w4+layers.2=dynamic-qint8"
PARTS = re.compile(r"\+(?=[^=:,+]*=)")
"""A plus before the next layer, and not that of a number such as 1e+20."""


@technique
@dataclass(frozen=True)
class Mixed(Technique):
    """Confines other techniques to layers; ``layers`` are sorted, and none has what ``rest`` says anyway."""

    family: ClassVar[str] = "mixed"
    scheme = "MIX"
    summary = "a technique for each layer that is named; the others stay float32"
    needs_options = True

    layers: tuple[tuple[str, Technique], ...] = ()
    rest: Technique | None = None
    """Of the layers that are not named; ``None`` for float32."""

    @property
    def name(self) -> str:  # type: ignore[override]
        """All that it assigns, ``*`` first."""
        rest = [(REST, self.rest)] if self.rest else []
        return f"{self.family}:" + "+".join(f"{layer}={part.name}" for layer, part in (*rest, *self.layers))

    @property
    def dtype_name(self) -> str:  # type: ignore[override]
        """Those of its techniques."""
        return " + ".join(dict.fromkeys(part.dtype_name for part in self.changing))

    @property
    def grammar(self) -> str:
        """What may stand behind the colon."""
        names = ", ".join(layer_subset_techniques())
        return f"LAYER=TECHNIQUE+LAYER=TECHNIQUE, {REST} for layers not named; techniques: {names}"

    @property
    def named_layers(self) -> tuple[str, ...]:
        """The layers that are named."""
        return tuple(layer for layer, _ in self.layers)

    @property
    def changing(self) -> list[Technique]:
        """The techniques of layers that do not stay float32."""
        return [part for part in self._techniques() if part.name != FLOAT]

    def with_options(self, text: str) -> Mixed:
        """Return the technique of an assignment; raises ``RequestError``, or ``UnknownNameError`` for a technique."""
        assigned: dict[str, Technique] = {}
        for part in PARTS.split(text.strip()):
            layer, equals, name = (token.strip() for token in part.partition("="))
            if not (layer and equals and name):
                raise RequestError(f"{part!r} assigns no technique to a layer; write LAYER=TECHNIQUE, as in {EXAMPLE}.")
            if layer in assigned:
                raise RequestError(f"{self.family} assigns {layer} a second time; name a layer once.")
            assigned[layer] = TECHNIQUES.get(name)
        return of(assigned)

    def unsupported_reason(self, device: str, engine: str, engines: list[str]) -> str | None:
        """Return the first of its techniques' reasons."""
        reasons = (technique.unsupported_reason(device, engine, engines) for technique in self._techniques())
        return next(filter(None, reasons), None)

    def convert(self, model: nn.Module, context: Context) -> Artifact:
        """Apply each technique to its layers; raises ``UnsupportedError`` for layers that it cannot have."""
        groups = self._groups(model)
        variants = []
        for part in sorted(groups, key=lambda part: part.name):
            variants.append(part.convert(model, dataclasses.replace(context, layers=frozenset(groups[part]))))
            model = variants[-1].module
        notes = dict.fromkeys(note for variant in variants for note in variant.notes)
        return Artifact(model, model, notes=tuple(notes), simulated=any(variant.simulated for variant in variants))

    def changed_layers(self, model: nn.Module) -> frozenset[str]:
        """Return the names of the layers of a float32 model that change; raises ``UnsupportedError`` as ``convert``."""
        return frozenset(layer for layers in self._groups(model).values() for layer in layers)

    def _groups(self, model: nn.Module) -> dict[Technique, list[str]]:
        """Return the names of the layers that each technique is to change."""
        modules = dict(model.named_modules())
        can = {part: part.quantizable_layers(model) for part in self.changing}
        groups: dict[Technique, list[str]] = {}
        for layer, part in self.layers:
            if layer not in modules:
                known = {name for names in can.values() for name in names}
                raise UnsupportedError(str(UnknownNameError("layer", layer, known)))
            if part.name == FLOAT:
                continue
            inside = [one for one in can[part] if self._name_for(one) == layer]
            if not inside:
                raise UnsupportedError(
                    f"{part.name} cannot change {layer}, a {type(modules[layer]).__name__}; "
                    f"of this model it changes {', '.join(can[part]) or 'nothing'}"
                )
            groups.setdefault(part, []).extend(inside)
        if self.rest is not None:
            others = [layer for layer in can[self.rest] if self._name_for(layer) is None]
            if others:
                groups.setdefault(self.rest, []).extend(others)
        if not groups:
            raise UnsupportedError(f"{self.name} changes no layer of this model")
        return groups

    def _name_for(self, layer: str) -> str | None:
        """Return the name that stands for a layer: its own, or that of the innermost module around it."""
        around = [name for name in self.named_layers if f"{layer}.".startswith(f"{name}.")]
        return max(around, key=len, default=None)

    def _techniques(self) -> list[Technique]:
        every = [technique for _, technique in self.layers] + ([self.rest] if self.rest else [])
        return list(dict.fromkeys(every))


def of(assigned: Mapping[str, Technique]) -> Mixed:
    """Return the technique of an assignment, ``*`` being those not named; raises ``RequestError``."""
    for part in assigned.values():
        require_confinable(part)
    require_together(list(assigned.values()))
    rest = assigned.get(REST)
    usual = rest.name if rest else FLOAT
    if usual == FLOAT:
        rest = None
    layers = {layer: part for layer, part in assigned.items() if layer != REST}
    for layer, part in layers.items():
        if part.name == usual:
            raise RequestError(f"{layer} would be {usual} without being named; leave {layer}={part.name} out.")
    if not layers and rest is None:
        raise RequestError(f"mixed assigns nothing but {FLOAT}; name one, as in {EXAMPLE}.")
    return Mixed(tuple(sorted(layers.items(), key=lambda item: natural(item[0]))), rest)


def short(assigned: Mapping[str, Technique], layers: Sequence[str]) -> Technique:
    """Return the technique that has the layers ``assigned`` so, under the shortest name.

    ``layers`` are all that could be changed: a technique that has them all is that technique itself, unless it also
    changes what lies between them, and one that has most becomes ``*``.
    """
    if not assigned:
        return TECHNIQUES.get(FLOAT)
    usual, count = Counter(assigned.values()).most_common(1)[0]
    if count == len(layers) and usual.name != ALONE:
        return usual
    if count == 1 or count < len(layers) / 2:
        return of(assigned)
    float32 = TECHNIQUES.get(FLOAT)
    others = {layer: assigned.get(layer, float32) for layer in layers if assigned.get(layer) != usual}
    return of({REST: usual, **others})


def layer_subset_techniques() -> list[str]:
    """Return the names of the families that can be confined to layers."""
    return sorted(technique.name.partition(":")[0] for technique in TECHNIQUES if technique.supports_layer_subset)


def require_confinable(chosen: Technique) -> None:
    """Raise ``RequestError`` for a technique that cannot be confined to layers."""
    if not chosen.supports_layer_subset and chosen.name != FLOAT:
        raise RequestError(
            f"{chosen.name} changes a model as a whole or takes part in its training, so it cannot be applied "
            f"to single layers; choose among {', '.join(layer_subset_techniques())}."
        )


def require_together(chosen: Sequence[Technique]) -> None:
    """Raise ``RequestError`` for techniques that cannot share a model."""
    names = {technique.name for technique in chosen} - {FLOAT}
    if ALONE in names and len(names) > 1:
        raise RequestError(
            f"{ALONE} rewrites the whole model as a graph, in which {', '.join(sorted(names - {ALONE}))} cannot take "
            f"part; combine it with {FLOAT} alone."
        )


def natural(name: str) -> list[tuple[bool, int, str]]:
    """Return a key that sorts ``layers.2`` before ``layers.10``."""
    return [(part.isdecimal(), int(part) if part.isdecimal() else 0, part) for part in re.split(r"(\d+)", name)]

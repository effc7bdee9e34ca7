"""What runs a variant without quantbench: the runtime's file, an example, and a program of twenty lines."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import numpy as np

    from bench.core.inputs import Inputs

PROGRAM: Final = "predict.py"
EXAMPLE: Final = "example.npz"


@dataclass(frozen=True)
class Deployed:
    """What a runtime put into a folder, and how it is loaded there with nothing but the runtime and numpy."""

    files: tuple[str, ...]
    packages: tuple[str, ...]
    """Distributions that loading takes, beside numpy."""
    load: str
    """Python statements, imports first; ``Path(__file__).with_name(…)`` is a file of the folder. With those of
    ``predict`` five lines and one import, if the program is to have twenty."""
    predict: str
    """The body of ``predict(*inputs)``: arrays, batch first, in and a list of arrays out."""
    notes: tuple[str, ...] = ()
    """What a reader must know, beside what is known of the variant."""
    exact: bool = True
    """Whether it gives the variant's outputs to the bit, being the very file; otherwise but for rounding."""


_TEMPLATE = '''"""Answer examples with {title}: python predict.py [{file}]"""
import sys
from pathlib import Path

import numpy as np
{imports}

{load}


def predict(*inputs):  # {inputs}
{predict}


if __name__ == "__main__":
    given = np.load(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).with_name("example.npz"))
    print(*predict({arguments}), sep="\\n")
'''


def program(deployed: Deployed, title: str, inputs: Sequence[np.ndarray]) -> str:
    """Return the text of ``predict.py``, which answers an ``.npy`` of its only input, or an ``.npz`` of several."""
    statements = inspect.cleandoc(deployed.load).splitlines()
    imports = [line for line in statements if line.startswith("import ")]
    body = [line for line in inspect.cleandoc(deployed.predict).splitlines() if line]
    one = 'given if isinstance(given, np.ndarray) else given["input0"]'
    several = f'*(given[f"input{{n}}"] for n in range({len(inputs)}))'
    return _TEMPLATE.format(
        title=title,
        file="INPUTS.npz" if len(inputs) > 1 else "INPUTS.npy",
        inputs=described(inputs),
        imports="\n".join(imports),
        load="\n".join(line for line in statements if line not in imports),
        predict="\n".join(f"    {line}" for line in body),
        arguments=several if len(inputs) > 1 else one,
    )


def tensors_of(example: Inputs, dtype: str, layout: str = "") -> str:
    """Return the statements that make the ``tensors`` of a program's ``inputs``, arrays like those of ``example``.

    Floating-point ones get the torch type ``dtype``; integers, such as token ids, stay integers. ``layout`` is a call
    on each tensor, such as ``.contiguous()``.
    """
    casts = {"float32": "", "float16": ".half()", "bfloat16": ".bfloat16()"}  # float32 they have
    floating = [value.is_floating_point() for value in example.tensors]
    cast = casts.get(dtype, f".to(torch.{dtype})") if any(floating) else ""
    if all(floating) or not cast:
        return f"tensors = [torch.from_numpy(array){cast}{layout} for array in inputs]"
    return (
        f"tensors = [torch.from_numpy(array){layout} for array in inputs]\n"
        f"tensors = [value{cast} if value.is_floating_point() else value for value in tensors]"
    )


def arrays_of(call: str) -> str:
    """Return the statement that returns the tensors which ``call`` returns as arrays; numpy has no bfloat16."""
    return f"return [value.float().numpy() if value.is_floating_point() else value.numpy() for value in {call}]"


def described(inputs: Sequence[np.ndarray]) -> str:
    """Return types and shapes: ``float32 [batch, 784]``."""
    return ", ".join(f"{value.dtype} [{', '.join(['batch', *map(str, value.shape[1:])])}]" for value in inputs)


def save_example(path: Path, inputs: Sequence[np.ndarray], outputs: Sequence[np.ndarray]) -> None:
    """Write inputs and the answers to them, as ``predict.py`` reads them."""
    import numpy as np

    named = {f"input{position}": value for position, value in enumerate(inputs)}
    np.savez(path, **named, **{f"output{position}": value for position, value in enumerate(outputs)})  # type: ignore[arg-type]

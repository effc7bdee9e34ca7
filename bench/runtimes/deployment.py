"""What runs a variant without quantbench: the runtime's file, an example, and a program of some thirty lines."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import numpy as np

PROGRAM: Final = "predict.py"
EXAMPLE: Final = "example.npz"


@dataclass(frozen=True)
class Deployed:
    """What a runtime put into a folder, and how it is loaded there with nothing but the runtime and numpy."""

    files: tuple[str, ...]
    packages: tuple[str, ...]
    """Distributions that loading takes, beside numpy."""
    load: str
    """Python statements, imports first; ``HERE`` is the folder."""
    predict: str
    """The body of ``predict(*inputs)``: arrays, batch first, in and a list of arrays out."""
    notes: tuple[str, ...] = ()
    """What a reader must know, beside what is known of the variant."""
    exact: bool = True
    """Whether it gives the variant's outputs to the bit, being the very file; otherwise but for rounding."""


_TEMPLATE = '''"""Answer examples with {title}. It takes {packages} and numpy, and no quantbench.

python predict.py              answers example.npz and compares with the answers when it was exported
python predict.py INPUTS.npy   answers your own: {inputs}
"""

import sys
from pathlib import Path

import numpy as np
{imports}

HERE = Path(__file__).resolve().parent
{load}


def predict(*inputs):
    """Return the outputs as arrays, for inputs as arrays, batch first."""
{predict}


if __name__ == "__main__":
    given = np.load(sys.argv[1] if len(sys.argv) > 1 else HERE / "example.npz")
    inputs = [given] if isinstance(given, np.ndarray) else [given[f"input{{n}}"] for n in range({count})]
    outputs = predict(*inputs)
    print(*outputs, sep="\\n")
    if len(sys.argv) == 1:
        differences = [np.abs(value.astype(float) - given[f"output{{n}}"]).max() for n, value in enumerate(outputs)]
        print("largest difference from the answers when it was exported:", max(differences))
'''


def program(deployed: Deployed, title: str, inputs: Sequence[np.ndarray]) -> str:
    """Return the text of ``predict.py``."""
    statements = inspect.cleandoc(deployed.load).splitlines()
    imports = [line for line in statements if line.startswith("import ")]
    body = [line for line in inspect.cleandoc(deployed.predict).splitlines() if line]
    several = f"; an .npz with {', '.join(f'input{position}' for position in range(len(inputs)))}"
    return _TEMPLATE.format(
        title=title,
        packages=", ".join(deployed.packages),
        inputs=described(inputs) + several * (len(inputs) > 1),
        imports="\n".join(imports),
        load="\n".join(line for line in statements if line not in imports),
        predict="\n".join(f"    {line}" for line in body),
        count=len(inputs),
    )


def cast_to(dtype: str) -> str:
    """Return the statement that gives the ``tensors`` of a program a torch type; nothing for float32, which they have.

    Integers, such as token ids, stay integers.
    """
    if dtype == "float32":
        return ""
    return f"tensors = [value.to(torch.{dtype}) if value.is_floating_point() else value for value in tensors]"


def described(inputs: Sequence[np.ndarray]) -> str:
    """Return types and shapes: ``float32 [batch, 784]``."""
    return ", ".join(f"{value.dtype} [{', '.join(['batch', *map(str, value.shape[1:])])}]" for value in inputs)


def save_example(path: Path, inputs: Sequence[np.ndarray], outputs: Sequence[np.ndarray]) -> None:
    """Write inputs and the answers to them, as ``predict.py`` reads them."""
    import numpy as np

    named = {f"input{position}": value for position, value in enumerate(inputs)}
    np.savez(path, **named, **{f"output{position}": value for position, value in enumerate(outputs)})  # type: ignore[arg-type]

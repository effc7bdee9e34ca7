"""What can be wrong with a user's own model, its inputs and its evaluate function: a sentence each."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from bench.core.errors import QuantbenchError, RequestError, UnknownNameError, UserModelError
from bench.results import run_file
from bench.worker.user.callables import FilePart
from bench.worker.user.model import UserFacts, UserModel, user_models
from bench.worker.user_host import UserHost
from tests.bench import kinds
from tests.bench.conftest import Command
from tests.bench.examples import RUN

NET = """
import torch
from torch import nn

number = 3

def build():
    return nn.Linear(4, 3)

def inputs(batch_size):
    return torch.rand(batch_size, 4)

def raises():
    raise ValueError("no weights here")

def nothing():
    pass

def dictionary():
    return {}

def half():
    return nn.Linear(4, 3).half()

def tensorless():
    return Tensorless()

class Tensorless(nn.Module):
    def forward(self, inputs):
        return "three"

def too_wide(batch_size):
    return torch.rand(batch_size, 5)

def fixed(batch_size):
    return torch.rand(32, 4)

def text():
    return "hello"

def scalar():
    return torch.tensor(1.0)

def uneven():
    return torch.rand(2, 4), torch.rand(3, 4)

def greedy(a, b):
    return torch.rand(a, 4)

def no_batches():
    return []

def one_tensor():
    return torch.rand(3, 4)

def dictionaries():
    yield {"x": 1}

def breaks_off():
    yield torch.rand(2, 4)
    raise OSError("disk on fire")

def a_dictionary():
    return {"x": torch.rand(2, 4)}

def with_labels():
    return [(torch.rand(2, 4), torch.zeros(2))]

def the_second_is_wide():
    return [torch.rand(2, 4), torch.rand(3, 5)]

def by_name(*, n):
    return torch.rand(n, 4)

def exits(*arguments):
    raise SystemExit(3)

def percentage(model):
    return 93.5
"""


@pytest.fixture
def net(tmp_path: Path) -> Iterator[Path]:
    """A file of a user; what importing it leaves behind goes with the test."""
    path, modules, threads = list(sys.path), set(sys.modules), torch.get_num_threads()
    (tmp_path / "net.py").write_text(NET, encoding="utf-8")
    yield tmp_path / "net.py"
    sys.path[:] = path
    for name in set(sys.modules) - modules:
        if str(tmp_path) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]
    torch.set_num_threads(threads)


def take_on(file: Path, **names: str) -> UserFacts:
    parts = {option: FilePart(file, name) for option, name in ({"model": "build", "inputs": "inputs"} | names).items()}
    own = UserModel(file.stem, "build", **parts)
    return UserHost(lambda done, total: None).take_on(own, file.with_name("examples"), [1, 2], seed=0, threads=1)


def test_what_is_known_of_a_model_that_is_taken_on(net: Path) -> None:
    facts = take_on(net)
    assert (facts.macs, facts.inputs) == (12, "float32 [batch, 4]")
    assert take_on(net).weights == facts.weights, "the seed decides them"


@pytest.mark.parametrize(
    ("names", "sentence"),
    [
        (
            {"model": "a_string"},
            "a_string() of kinds.py returned a str, not a torch.nn.Module; return the",
        ),
        ({"model": "lazy"}, "a model with a LazyLinear that has no weights yet; call the model once with an input"),
        ({"model": "on_meta"}, "on_meta() of kinds.py gives a model on the meta device, where weight has no values"),
        ({"inputs": "on_meta_too"}, "on_meta_too() of kinds.py gives tensors on the meta device"),
        ({"model": "Differentiates"}, "kinds.py, line "),
        (
            {"model": "Differentiates"},
            "put that part of it into 'with torch.inference_mode(False),",
        ),
    ],
)
def test_models_of_the_kinds_that_cannot_be_measured_are_a_sentence_with_the_way_out(
    names: dict[str, str], sentence: str, tmp_path: Path
) -> None:
    copied = tmp_path / "kinds.py"
    copied.write_text(Path(kinds.__file__).read_text(encoding="utf-8"), encoding="utf-8")
    with pytest.raises(UserModelError) as caught:
        take_on(copied, **({"model": "linear", "inputs": "fours"} | names))
    assert sentence in str(caught.value)


@pytest.mark.parametrize(
    ("names", "sentence"),
    [
        ({"model": "biuld"}, "there is no callable of net.py called 'biuld'; did you mean 'build'?"),
        ({"inputs": "inptus"}, "there is no callable of net.py called 'inptus'; did you mean 'inputs'?"),
        ({"evaluate": "percent"}, "there is no callable of net.py called 'percent'; did you mean 'percentage'?"),
        ({"model": "number"}, "net.py:number is of type int and cannot be called; name a function or a class."),
        (
            {"model": "raises"},
            "raises() of net.py raised ValueError: no weights here (net.py, line 14: `raise ValueError(",
        ),
        ({"model": "greedy"}, "greedy() of net.py raised TypeError: greedy() missing 2 required positional arguments"),
        (
            {"model": "nothing"},
            "nothing() of net.py returned nothing, not a torch.nn.Module; return the trained model.",
        ),
        ({"model": "dictionary"}, "dictionary() of net.py returned a dict, not a torch.nn.Module"),
        (
            {"model": "half"},
            "half() of net.py gives a model of float16 weights, and techniques start from float32 ones",
        ),
        ({"model": "tensorless"}, "the model of tensorless() of net.py returned a str without a tensor"),
        (
            {"inputs": "too_wide"},
            "what too_wide() of net.py gives, of shape [1, 5] (RuntimeError: mat1 and mat2 shapes cannot be multiplied",
        ),
        ({"inputs": "fixed"}, "fixed(1) of net.py returned a tensor of shape [32, 4], a batch of 32 where 1 was asked"),
        ({"inputs": "text"}, "text() of net.py gives a str instead of a tensor, a tuple of tensors, a dict of them"),
        ({"inputs": "scalar"}, "scalar() of net.py gives tensors of shape [], of different batch sizes"),
        ({"inputs": "uneven"}, "uneven() of net.py gives tensors of shape [2, 4] and [3, 4], of different batch sizes"),
        ({"inputs": "greedy"}, "greedy() of net.py wants a, b, and is given the batch size alone"),
        ({"inputs": "raises"}, "raises() of net.py raised ValueError: no weights here (net.py, line 14: "),
        ({"calibrate": "no_batches"}, "no_batches() of net.py yielded no batch; yield at least one"),
        ({"calibrate": "one_tensor"}, "one_tensor() of net.py returned a Tensor, not batches; return a list of them"),
        (
            {"calibrate": "dictionaries"},
            "dictionaries() of net.py gives a dict of x, and inputs() of net.py gives input; call",
        ),
        ({"calibrate": "a_dictionary"}, "a_dictionary() of net.py returned a dict, not batches; return a list of them"),
        (
            {"calibrate": "with_labels"},
            "with_labels() of net.py gives batches of 2 tensors, and inputs() of net.py of 1 tensor: they are inputs",
        ),
        ({"calibrate": "the_second_is_wide"}, "rejects what the_second_is_wide() of net.py gives, of shape [3, 5] ("),
        (
            {"inputs": "by_name"},
            "by_name() of net.py wants n by name, and the batch size comes by position; ",
        ),
        ({"model": "exits"}, "exits() of net.py raised SystemExit: 3 (net.py, line "),
        ({"inputs": "exits"}, "exits(1) of net.py raised SystemExit: 3 (net.py, line "),
        ({"calibrate": "exits"}, "exits() of net.py raised SystemExit: 3 (net.py, line "),
        ({"calibrate": "breaks_off"}, "breaks_off() of net.py raised OSError: disk on fire (net.py, line "),
    ],
)
def test_what_is_wrong_with_a_model_is_one_sentence(net: Path, names: dict[str, str], sentence: str) -> None:
    with pytest.raises(QuantbenchError) as caught:
        take_on(net, **names)
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "cause"),
    [
        (
            "import no_such_module",
            "ModuleNotFoundError: No module named 'no_such_module' (net.py, line 1: `import no_such",
        ),
        ("x = 1\n1 / 0", "ZeroDivisionError: division by zero (net.py, line 2: `1 / 0`)"),
        ("def f(:\n", "SyntaxError: invalid syntax (net.py, line 1: `def f(:`)"),
        ("import sys\nsys.exit(3)", "SystemExit: 3 (net.py, line 2: `sys.exit(3)`)"),
    ],
)
def test_a_file_that_does_not_import_is_a_sentence_with_its_line(net: Path, content: str, cause: str) -> None:
    net.write_text(content, encoding="utf-8")
    with pytest.raises(UserModelError) as caught:
        take_on(net)
    assert str(caught.value).startswith(f"{net} cannot be imported ({cause}")
    assert str(caught.value).endswith("; fix the file.")


def test_a_file_finds_its_neighbours(net: Path) -> None:
    net.with_name("models.py").write_text("from torch import nn\ndef mine(): return nn.Linear(4, 2)\n")
    net.write_text(NET + "\nfrom models import mine\n")
    assert take_on(net, model="mine").macs == 8


def test_a_file_in_a_package_imports_its_neighbours_as_packages_do(net: Path) -> None:
    package = net.parent / "quantbench_test_package"
    (package / "inner").mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "inner/__init__.py").touch()
    (package / "layers.py").write_text("from torch import nn\ndef mine(): return nn.Linear(4, 2)\n")
    (package / "inner/helper.py").touch()
    file = package / "inner/net.py"
    file.write_text(NET + "\nfrom ..layers import mine\nimport helper\n")
    assert take_on(file, model="mine").macs == 8


def test_a_package_of_a_name_that_is_taken_is_a_sentence(net: Path) -> None:
    (net.parent / "json").mkdir()
    (net.parent / "json/__init__.py").touch()
    file = net.parent / "json/decoder.py"
    file.write_text(NET)
    with pytest.raises(UserModelError, match="is in a package 'json', a name that is taken; rename its folder"):
        take_on(file)


def test_of_many_callables_some_are_named(net: Path) -> None:
    net.write_text(NET + "".join(f"def f{number:02}(): pass\n" for number in range(50)))
    with pytest.raises(UnknownNameError) as caught:
        take_on(net, model="quantum")
    shown, _, more = str(caught.value).partition(" and ")
    left_out = 50 + NET.count("\ndef ") + NET.count("\nclass ") - 20
    assert (shown.count(","), more) == (19, f"{left_out} more.")


# What goes together


@pytest.mark.parametrize(
    ("models", "parts", "others", "sentence"),
    [
        (
            ["mnist/lab1"],
            {"inputs": "NET:inputs"},
            [],
            "--inputs belongs to a model of your own; name that with --model",
        ),
        ([], {"evaluate": "NET:percentage"}, [], "--evaluate belongs to a model of your own"),
        (["NET:build"], {}, [], "is a model of your own and needs inputs; name a callable"),
        (["NET"], {"inputs": "NET:inputs"}, [], "names no callable in a file; write it as path/to/file.py:callable."),
        (["NET:build"], {"inputs": "inputs"}, [], "--inputs 'inputs' names no callable in a file"),
        (["no/such.py:build"], {"inputs": "NET:inputs"}, [], "no/such.py does not exist; fix the path."),
        (
            ["NET:build", "lab1"],
            {"inputs": "NET:inputs"},
            [],
            "--model lab1 is supplied, and a run cannot mix it with",
        ),
        (
            ["NET:build"],
            {"inputs": "NET:inputs"},
            ["--epochs"],
            "--epochs is for supplied models, and this one is your",
        ),
        (["NET:build", "ALIKE:build"], {"inputs": "NET:inputs"}, [], "two models would be called net/build"),
    ],
)
def test_what_does_not_go_together_is_one_sentence(
    net: Path, models: list[str], parts: dict[str, str], others: list[str], sentence: str
) -> None:
    (net.parent / "other").mkdir()
    (net.parent / "other/net.py").write_text(NET)

    def real(text: str) -> str:
        return text.replace("NET", str(net)).replace("ALIKE", str(net.parent / "other/net.py"))

    given: dict[str, str | None] = dict.fromkeys(["inputs", "evaluate", "calibrate"])
    given |= {option: real(text) for option, text in parts.items()}
    with pytest.raises(RequestError) as caught:
        user_models([real(name) for name in models], given, others)
    assert sentence in str(caught.value)


@pytest.mark.parametrize(
    ("names", "sentence"),
    [
        ({"model": "biuld"}, "bench: there is no callable of net.py called 'biuld'; did you mean 'build'?\n"),
        (
            {"model": "build", "evaluate": "percentage"},
            "bench: percentage() of net.py returned 93.5, which is not an accuracy; divide a percentage by 100.\n",
        ),
        ({"model": "build", "evaluate": "raises"}, "bench: raises() of net.py raised TypeError: raises() takes 0 "),
    ],
)
def test_the_command_refuses_and_loses_nothing(
    command: Command, net: Path, names: dict[str, str], sentence: str
) -> None:
    out = net.parent / "out"
    out.mkdir()
    run_file.save(RUN, out / "run.json")
    named = [f"--{option}={net}:{name}" for option, name in ({"inputs": "inputs"} | names).items()]
    code, printed, err = command("run", *named, "--batch=2", "--runs=1", "--technique=fp32", f"--out={out}")
    assert (code, printed) == (2, "")
    refusal = [line for line in err.splitlines(keepends=True) if not line.startswith("make the variants of ")]
    assert len(refusal) == 1
    assert refusal[0].startswith(sentence)
    assert run_file.load(out / "run.json") == RUN, "what was there is there"


@pytest.mark.parametrize("name", ["train", "distill"])
def test_commands_for_supplied_models_say_so(command: Command, net: Path, name: str) -> None:
    code, _, err = command(name, f"{net}:build")
    assert code == 2
    assert f"{net}:build is a model of your own, which this command does not take" in err

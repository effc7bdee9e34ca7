"""The command ``bench``: parses and prints, decides nothing.

Exit codes: 0 every row is measured, or unsupported for a stated reason; 1 a row failed, or broke a
gate; 2 the request makes no sense; 130 and 143 it was interrupted by Ctrl-C or a kill.
"""

from __future__ import annotations

import enum
import os
import signal
import sys
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer
from rich.console import Console

from bench.errors import QuantbenchError, RequestError, WorkerError

if TYPE_CHECKING:
    from bench.result import Run

UsageError: type[Exception] = typer.BadParameter.__mro__[1]
"""click's; newer releases of typer bring their own click and export of its errors only this subclass."""

app = typer.Typer(
    name="bench",
    help="Make a PyTorch model smaller: what do you gain on this machine, and what does it cost?",
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


class DataChoice(str, enum.Enum):
    """Values of ``--data``."""

    auto = "auto"
    real = "real"
    synthetic = "synthetic"


class ActivationChoice(str, enum.Enum):
    """Values of ``--activations``."""

    same = "same"
    full = "full"


class SourceChoice(str, enum.Enum):
    """Values of ``--source``."""

    start = "start"
    loss = "loss"
    both = "both"


class FormatChoice(str, enum.Enum):
    """Values of ``--format``."""

    markdown = "markdown"
    html = "html"
    csv = "csv"
    json = "json"


@app.command("run")
def run_command(
    suite: Annotated[str, typer.Option(help="Which models: lab or quick.")] = "lab",
    task: Annotated[list[str] | None, typer.Option(help="Only this task's models; repeatable.")] = None,
    model: Annotated[
        list[str] | None,
        typer.Option(
            help="Only this model: lab1, or mnist/lab1; or your own: net.py:build, which returns it; repeatable."
        ),
    ] = None,
    inputs: Annotated[
        str | None,
        typer.Option(help="For your own model: net.py:inputs, given a batch size, returns a batch of inputs."),
    ] = None,
    evaluate: Annotated[
        str | None,
        typer.Option(help="For your own model: net.py:accuracy, given the model, returns a share or (correct, total)."),
    ] = None,
    calibrate: Annotated[
        str | None,
        typer.Option(help="For your own model: net.py:batches yields batches that ranges are observed on."),
    ] = None,
    technique: Annotated[
        list[str] | None, typer.Option(help="Only this technique (fp32 comes along); repeatable.")
    ] = None,
    batch: Annotated[list[int] | None, typer.Option(help="Batch size to time; repeatable.  [default: 1, 64]")] = None,
    runs: Annotated[int, typer.Option(help="Runs behind each mean ± std.")] = 5,
    precision: Annotated[
        str, typer.Option(help="Measure until each speed-up is known to ± this share, 2% or 0.02, or time is over.")
    ] = "5%",
    budget: Annotated[
        float | None,
        typer.Option(
            help="Seconds for one model's latencies.  [default: eight rounds, and a moment more for the precision]"
        ),
    ] = None,
    timeout: Annotated[float, typer.Option(help="Seconds of silence after which a variant counts as hung.")] = 600.0,
    pin: Annotated[
        str, typer.Option(help="Cores to tie variants to while they are timed: auto, none, or numbers like 1 or 2,3.")
    ] = "auto",
    threads: Annotated[int, typer.Option(help="Threads of the model while it is measured.")] = 1,
    engine: Annotated[
        str | None, typer.Option(help="Quantized engine of the int8 techniques.  [default: fbgemm]")
    ] = None,
    device: Annotated[str, typer.Option(help="cpu or cuda.")] = "cpu",
    data: Annotated[
        DataChoice,
        typer.Option(help="auto takes real data from the data root, else downloads, else makes a synthetic stand-in."),
    ] = DataChoice.auto,
    data_root: Annotated[
        Path | None,
        typer.Option(help="Folder of the real data.  [default: $QUANTBENCH_DATA, else the user's cache]"),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Folder for run.json and report.md.  [default: runs/SUITE]")] = None,
    seed: Annotated[int, typer.Option(help="Of weights, batches and round order.")] = 0,
    epochs: Annotated[int | None, typer.Option(help="Epochs of training.  [default: each model's recipe]")] = None,
    retrain: Annotated[bool, typer.Option("--retrain", help="Train anew, checkpoints or not.")] = False,
) -> None:
    """Train or reload the models, apply every technique, measure, and write run.json and report.md.

    The same command goes on where an interrupted one stopped.
    """
    from bench.runner import run

    own = any(".py" in name for name in model or ())
    folder = out or Path("runs") / ("own" if own else suite)
    done = run(
        suite,
        tasks=task or (),
        models=model or (),
        inputs=inputs,
        evaluate=evaluate,
        calibrate=calibrate,
        techniques=technique or (),
        batch_sizes=batch or (1, 64),
        runs=runs,
        precision=_share(precision),
        budget_s=budget,
        timeout_s=timeout,
        pin=pin,
        threads=threads,
        engine=engine,
        device=device,
        data=data.value,
        data_root=data_root,
        out=folder,
        seed=seed,
        epochs=epochs,
        retrain=retrain,
    )
    from bench.report.markdown import lab_tables

    _print(lab_tables(done))
    _print(f"\n{folder / 'report.md'} has the whole report, {folder / 'run.json'} every sample.")
    raise typer.Exit(_exit_code(done))


Model = Annotated[str, typer.Argument(help="Such as cifar10/resnet8.", metavar="TASK/MODEL")]
Epochs = Annotated[int | None, typer.Option(help="Epochs of training.  [default: the model's recipe]")]
Device = Annotated[str, typer.Option(help="cpu or cuda.")]
Data = Annotated[DataChoice, typer.Option(help="auto, real or synthetic; see bench run.")]
DataRoot = Annotated[Path | None, typer.Option(help="Folder of the real data.")]


@app.command("train")
def train_command(
    model: Model,
    technique: Annotated[
        list[str] | None, typer.Option(help="What takes part, such as dorefa:w2a2; repeatable.  [default: fp32]")
    ] = None,
    seed: Annotated[list[int] | None, typer.Option(help="Repeatable.  [default: 0]")] = None,
    epochs: Epochs = None,
    device: Device = "cpu",
    data: Data = DataChoice.auto,
    data_root: DataRoot = None,
    out: Annotated[Path | None, typer.Option(help="Folder for training.json.  [default: the terminal alone]")] = None,
    retrain: Annotated[bool, typer.Option("--retrain", help="Train anew, checkpoints or not.")] = False,
) -> None:
    """Train a model for some techniques, side by side, and say what accuracy each reached.

    The weights are kept: 'bench run' with the same --epochs finds them. The same command goes on where an interrupted
    one stopped.
    """
    from bench.result import require_writable, write_atomically
    from bench.trainer import render, train

    if out is not None:
        require_writable(out)
    trained = train(
        model,
        technique or ("fp32",),
        seeds=seed or (0,),
        epochs=epochs,
        device=device,
        data=data.value,
        data_root=data_root,
        retrain=retrain,
    )
    if out is not None:
        content = ",\n".join(each.model_dump_json(indent=1) for each in trained)
        write_atomically(out / "training.json", f"[{content}]\n")
    _print(render(trained))


@app.command("distill")
def distill_command(
    model: Model,
    family: Annotated[str, typer.Option(help="dorefa, pact or wrpn.")] = "dorefa",
    chain: Annotated[
        str, typer.Option(help="Bit widths from the first teacher to the last student.")
    ] = "32,16,8,4,2,1",
    activations: Annotated[
        ActivationChoice, typer.Option(help="same: as many bits as weights; full: float32.")
    ] = ActivationChoice.same,
    source: Annotated[
        list[SourceChoice] | None,
        typer.Option(help="What students take from their teacher; repeatable.  [default: start, loss, both]"),
    ] = None,
    weight: Annotated[float, typer.Option(help="λ: the teacher's part in the loss.")] = 0.5,
    temperature: Annotated[float, typer.Option(help="τ of the softmax.")] = 1.0,
    teacher: Annotated[
        Path | None, typer.Option(help="A checkpoint of the same data that teaches the widest.  [default: none]")
    ] = None,
    seed: Annotated[list[int] | None, typer.Option(help="Repeatable.  [default: 0, 1, 2]")] = None,
    epochs: Epochs = None,
    device: Device = "cpu",
    data: Data = DataChoice.auto,
    data_root: DataRoot = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder for distillation.json and .md.  [default: runs/distill]")
    ] = None,
) -> None:
    """Train a model at falling bit widths: alone, taught by the widest, and taught along the chain.

    The same command goes on where an interrupted one stopped.
    """
    from bench.distillation import distill, render
    from bench.result import require_writable, write_atomically

    folder = out or Path("runs/distill")
    require_writable(folder)
    done = distill(
        model,
        family=family,
        chain=_widths(chain),
        activations=activations.value,
        sources=[choice.value for choice in source] if source else ("start", "loss", "both"),
        weight=weight,
        temperature=temperature,
        teacher=teacher,
        seeds=seed or (0, 1, 2),
        epochs=epochs,
        device=device,
        data=data.value,
        data_root=data_root,
    )
    write_atomically(folder / "distillation.json", done.model_dump_json(indent=1) + "\n")
    write_atomically(folder / "distillation.md", render(done) + "\n")
    _print(render(done))


@app.command("sensitivity")
def sensitivity_command(
    model: Model,
    technique: Annotated[
        list[str] | None,
        typer.Option(help="What is done to a layer, such as range-linear:w4; repeatable.  [default: dynamic-qint8]"),
    ] = None,
    recommend: Annotated[
        bool, typer.Option("--recommend", help="Find the smallest mixture of the techniques within --max-drop.")
    ] = False,
    max_drop: Annotated[
        str | None, typer.Option(help="Accuracy that may be lost, in percentage points.  [default: 0.5pp]")
    ] = None,
    batch: Annotated[list[int] | None, typer.Option(help="Batch size to time; repeatable.  [default: 1, 64]")] = None,
    runs: Annotated[int, typer.Option(help="Runs behind each mean ± std.")] = 5,
    precision: Annotated[str, typer.Option(help="Of each speed-up; see bench run.")] = "5%",
    budget: Annotated[float | None, typer.Option(help="Seconds for all latencies; see bench run.")] = None,
    timeout: Annotated[float, typer.Option(help="Seconds of silence after which a variant counts as hung.")] = 600.0,
    pin: Annotated[str, typer.Option(help="Cores; see bench run.")] = "auto",
    threads: Annotated[int, typer.Option(help="Threads of the model while it is measured.")] = 1,
    seed: Annotated[int, typer.Option(help="Of the training.")] = 0,
    epochs: Epochs = None,
    device: Device = "cpu",
    data: Data = DataChoice.auto,
    data_root: DataRoot = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder for sensitivity.json, .md and .svg.  [default: runs/sensitivity]")
    ] = None,
) -> None:
    """Find out which layers a technique hurts: each quantized alone, then all but each.

    Trains the model if its weights are not there. With --recommend, searches for the smallest mixture of the techniques
    that loses no more than --max-drop, and measures it beside them.
    """
    from bench.layerwise.study import sensitivity
    from bench.report.sensitivity import PICTURE_FILE, draw, render
    from bench.result import require_writable, write_atomically

    allowance = _percentage_points(max_drop or "0.5pp")
    if max_drop is not None and not recommend:
        raise RequestError("--max-drop is for --recommend; give that too, or leave it out.")
    folder = out or Path("runs/sensitivity")
    require_writable(folder)
    study = sensitivity(
        model,
        technique or ("dynamic-qint8",),
        max_drop_pp=allowance if recommend else None,
        batch_sizes=batch or (1, 64),
        runs=runs,
        precision=_share(precision),
        budget_s=budget,
        timeout_s=timeout,
        pin=pin,
        threads=threads,
        seed=seed,
        epochs=epochs,
        device=device,
        data=data.value,
        data_root=data_root,
    )
    write_atomically(folder / "sensitivity.json", study.model_dump_json(indent=1) + "\n")
    write_atomically(folder / "sensitivity.md", render(study))
    draw(study, folder / PICTURE_FILE)
    _print(render(study, picture=None))
    recommended = [study.recommendation.run] if study.recommendation else []
    raise typer.Exit(max(map(_exit_code, [study.run, *recommended])))


@app.command("export")
def export_command(
    model: Model,
    out: Annotated[Path, typer.Option(help="File to write.")],
    technique: Annotated[str, typer.Option(help="Such as bwn or range-linear:w4,per-channel.")] = "fp32",
    seed: Annotated[int, typer.Option(help="Of the training.")] = 0,
    epochs: Epochs = None,
    device: Device = "cpu",
    data: Data = DataChoice.auto,
    data_root: DataRoot = None,
) -> None:
    """Write the smallest file of a model after a technique, which bench.load_packed(FILE) reads.

    Trains the model if its weights are not there. The file is written once another process has rebuilt the model from
    it, to the same logits.
    """
    from bench.exporter import export
    from bench.units import kilobytes

    facts = export(model, out, technique, seed=seed, epochs=epochs, device=device, data=data.value, data_root=data_root)
    stored = ", ".join(f"{dtype} {count:,}" for dtype, count in facts.bytes_by_dtype.items())
    _print(f"{out}: {kilobytes(facts.packed_bytes or 0)} kB ({stored} bytes), reloaded to the same logits.")


@app.command("inspect")
def inspect_command(
    model: Model,
    technique: Annotated[str, typer.Option(help="A low-bit one, such as dorefa:w2a2.")],
    layer: Annotated[list[str] | None, typer.Option(help="Describe this layer's outputs too; repeatable.")] = None,
    seed: Annotated[int, typer.Option(help="Of the training.")] = 0,
    epochs: Epochs = None,
    device: Device = "cpu",
    data: Data = DataChoice.auto,
    data_root: DataRoot = None,
    out: Annotated[Path | None, typer.Option(help="Folder for inspection.md and weights.svg.")] = None,
) -> None:
    """Look at what a technique makes of each layer's weights: levels, signal to noise, scores by rule.

    Trains the model if its weights are not there.
    """
    from bench.inspector import inspect
    from bench.result import write_atomically

    text = inspect(
        model,
        technique,
        layer or (),
        out=out,
        seed=seed,
        epochs=epochs,
        device=device,
        data=data.value,
        data_root=data_root,
    )
    if out is not None:
        write_atomically(out / "inspection.md", text + "\n")
    _print(text)


@app.command("report")
def report_command(
    run_file: Annotated[
        list[Path], typer.Argument(help="One or more run.json, or files of pytest-benchmark.", metavar="RUN.json...")
    ],
    out: Annotated[
        Path | None, typer.Option(help="File to write; markdown's pictures go beside it.  [default: the terminal]")
    ] = None,
    format_: Annotated[
        FormatChoice | None,
        typer.Option("--format", help="markdown, html, csv or json.  [default: what --out ends in, else markdown]"),
    ] = None,
    html: Annotated[bool, typer.Option("--html", help="The same as --format html.")] = False,
) -> None:
    """Render run files again: as markdown with pictures, or as one HTML page; or their rows as CSV or JSON."""
    from bench.report.formats import report

    if html and format_ not in (None, FormatChoice.html):
        raise RequestError(f"--html and --format {format_.value} cannot both be had; leave one out.")
    chosen = FormatChoice.html if html else format_
    text = report(run_file, chosen.value if chosen else None, out)
    if out is None:
        _print(text)


@app.command("compare")
def compare_command(
    run_file: Annotated[list[Path], typer.Argument(help="Two or more run.json.", metavar="A.json B.json...")],
    fail_if: Annotated[
        list[str] | None,
        typer.Option(
            help="Exit with 1 if a row of a later run does this beside the first: 'latency > 5%'; repeatable."
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="File to write, .md or .json.  [default: markdown on the terminal]")
    ] = None,
) -> None:
    """Compare runs: speed-ups between machines, and row by row what changed between runs of one machine.

    --fail-if takes latency (latency@64 for one batch size), size, packed, params and memory in %, and accuracy in pp:
    'accuracy < -0.5pp'. A difference that noise explains never fails; a row that vanished does.
    """
    from bench import gate
    from bench.comparison import compare
    from bench.report.machines import render
    from bench.result import write_atomically

    rules = [gate.parse(text) for text in fail_if or ()]
    comparison = compare(*run_file)
    outcome = gate.check(comparison, rules) if rules else None
    if out is None:
        _print(render(comparison))
    elif out.suffix == ".json":
        write_atomically(out, comparison.model_dump_json(indent=1) + "\n")
    else:
        write_atomically(out, render(comparison))
    if outcome is not None:
        _print(("\n" if out is None else "") + gate.words(outcome))
        raise typer.Exit(1 if outcome.broken else 0)


@app.command("selfcheck")
def selfcheck_command(
    threads: Annotated[int, typer.Option(help="Threads of the models.")] = 1,
    pin: Annotated[str, typer.Option(help="Cores to tie models to: auto, none, or numbers like 1 or 2,3.")] = "auto",
    out: Annotated[
        Path | None, typer.Option(help="Folder for selfcheck.json and selfcheck.md.  [default: the terminal alone]")
    ] = None,
) -> None:
    """Find out, in about a minute, how far this machine's latencies can be trusted.

    Measures models of which the truth is known: one against itself, one whose calls take 5 % longer, calls of a known
    time, and one speed-up from several fresh starts beside torch.utils.benchmark. Exit code 1 if that went wrong.
    """
    from bench.result import require_writable, write_atomically

    if out is not None:
        require_writable(out)
    from bench.selfcheck.check import self_check
    from bench.selfcheck.words import faults, render

    check = self_check(threads=threads, pin=pin)
    text = render(check)
    if out is not None:
        write_atomically(out / "selfcheck.json", check.model_dump_json(indent=1) + "\n")
        write_atomically(out / "selfcheck.md", text + "\n")
    _print(text)
    raise typer.Exit(1 if faults(check) else 0)


@app.command("machine")
def machine_command() -> None:
    """Say what this machine is, and whether its quantized engine can be used."""
    from bench.machine import check_engine, describe
    from bench.report.markdown import hardware_table

    check = check_engine()
    _print(hardware_table(describe()))
    _print(f"\n'bench run' makes {check.engine} the active engine, or the one that --engine names.")
    verdict = "usable" if check.usable else "NOT usable"
    _print(f"{check.engine}: {verdict}: {check.reason}; {check.advice}.")


@app.command("list")
def list_command() -> None:
    """List suites, models and techniques."""
    from bench.suite import SUITES
    from bench.techniques.technique import TECHNIQUES
    from tasks.task import TASKS

    _print("Suites (--suite)")
    for suite in SUITES.values():
        _print(f"  {suite.name:<18}{suite.description}: {', '.join(suite.models)}")
    _print("\nModels (--task, --model)")
    for task in TASKS:
        for spec in task.models:
            _print(f"  {f'{task.name}/{spec.name}':<18}{spec.description}")
    _print("\nTechniques (--technique)")
    for technique in sorted(TECHNIQUES, key=lambda technique: technique.name):
        name, colon, _ = technique.name.partition(":")
        _print(f"  {name + colon:<18}{technique.summary}")
        if colon:
            _print(f"  {'':<18}{technique.grammar}")


def main() -> NoReturn:
    """Run the command; a refusal is one sentence on standard error and exit code 2."""
    for number in _STOPPING:
        signal.signal(number, _stop)
    try:
        code = app(sys.argv[1:] or ["--help"], prog_name="bench", standalone_mode=False)
    except QuantbenchError as error:
        code = _refuse(str(error))
    except WorkerError as error:
        _refuse(f"it failed: {error}.")
        code = 1
    except UsageError as error:
        code = _refuse(_usage_sentence(error))
    except _StoppedError as stopped:
        resume = "; the same command goes on after the last model that was finished"
        _refuse(f"stopped{resume if 'run' in sys.argv[1:2] else ''}.")
        code = 128 + stopped.signum
    except BrokenPipeError:  # the reader, `| head` say, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 0
    except OSError as error:
        code = _refuse(f"{error.filename or 'the system'}: {error.strerror or error}; mend that and run again.")
    sys.exit(code or 0)


class _StoppedError(BaseException):
    """Ctrl-C or a kill, as an exception, so that files and processes are left in order."""

    def __init__(self, signum: int) -> None:
        super().__init__(signum)
        self.signum = signum


_STOPPING = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]


def _stop(signum: int, frame: FrameType | None) -> None:
    for number in _STOPPING:  # a second Ctrl-C must not interrupt the tidying up
        signal.signal(number, signal.SIG_IGN)
    raise _StoppedError(signum)


def _usage_sentence(error: Exception) -> str:
    context = getattr(error, "ctx", None)
    command = context.command_path if context else "bench"
    message = error.format_message() if hasattr(error, "format_message") else str(error)
    return f"{' '.join(message.split()).rstrip('.')}; see '{command} --help'."


def _refuse(message: str) -> int:
    Console(stderr=True).print(f"bench: {message}", highlight=False, markup=False, soft_wrap=True)
    return 2


def _exit_code(run: Run) -> int:
    return 1 if any(row.status == "failed" for row in run.rows) else 0


def _widths(text: str) -> list[int]:
    """Read a chain of bit widths."""
    try:
        return [int(part) for part in text.split(",")]
    except ValueError:
        raise RequestError(f"--chain {text!r} is not a list of bit widths; give numbers like 32,8,1.") from None


def _share(text: str) -> float:
    """Return 0.02 for ``2%`` or ``0.02``; raises ``RequestError``."""
    from bench.errors import RequestError

    number, percent, rest = text.strip().partition("%")
    try:
        if rest:
            raise ValueError(rest)
        return float(number) / (100 if percent else 1)
    except ValueError:
        raise RequestError(f"--precision {text!r} is not a share; give 2% or 0.02, say.") from None


def _percentage_points(text: str) -> float:
    """Return 0.5 for ``0.5pp``; raises ``RequestError``."""
    number, unit, rest = text.strip().partition("pp")
    try:
        if not unit or rest:
            raise ValueError(text)
        return float(number)
    except ValueError:
        raise RequestError(f"--max-drop {text!r} is not in percentage points; give 0.5pp, say.") from None


def _print(text: str) -> None:
    sys.stdout.write(text.rstrip("\n") + "\n")
    sys.stdout.flush()

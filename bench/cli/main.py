"""The command ``bench``: its parts, its exit codes, its refusals.

Exit codes: 0 every row is measured, or unsupported for a stated reason; 1 a row failed, or broke a
gate; 2 the request makes no sense; 3 a gate is undecided; 130 and 143 it was interrupted by Ctrl-C or a kill.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from importlib import metadata
from types import FrameType
from typing import Annotated, NoReturn

import typer
from rich.console import Console

from bench.cli import (
    catalogue,
    compare,
    distill,
    export,
    fleet,
    inspect,
    machine,
    recommend,
    report,
    run,
    selfcheck,
    sensitivity,
    train,
)
from bench.cli.output import show
from bench.core.errors import QuantbenchError, WorkerError

NEXT = """\
Quantbench measures what a smaller PyTorch model gains on this machine, and what it costs. To begin:
  bench run --suite quick                                  a first look: two networks, four techniques
  bench run --model net.py:build --inputs net.py:inputs    your own network, which net.py has
  bench recommend runs/quick                               what to deploy, once there is a run
'bench --help' lists all commands, 'bench list' suites, models, techniques and runtimes."""
"""What one would do next."""

UsageError: type[Exception] = typer.BadParameter.__mro__[1]
"""click's; newer releases of typer bring their own click and export of its errors only this subclass."""

COMMANDS: dict[str, Callable[..., None]] = {
    "run": run.command,
    "recommend": recommend.command,
    "train": train.command,
    "distill": distill.command,
    "sensitivity": sensitivity.command,
    "export": export.command,
    "inspect": inspect.command,
    "report": report.command,
    "compare": compare.command,
    "selfcheck": selfcheck.command,
    "machine": machine.command,
    "list": catalogue.command,
}

app = typer.Typer(
    name="bench",
    help="Make a PyTorch model smaller: what do you gain on this machine, and what does it cost?",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(asked: bool) -> None:
    if asked:
        show(metadata.version("quantbench"))
        raise typer.Exit


@app.callback(invoke_without_command=True)
def _options(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", help="Say which version this is.", callback=_show_version, is_eager=True)
    ] = False,
) -> None:
    """Take the options that stand before a command; without one, say what there is to do."""
    if context.invoked_subcommand is None:
        show(NEXT)


for name, command in COMMANDS.items():
    app.command(name)(command)
app.add_typer(fleet.app)


def main() -> NoReturn:
    """Run the command; a refusal is one sentence on standard error and exit code 2."""
    for number in _STOPPING:
        signal.signal(number, _stop)
    try:
        code = app(sys.argv[1:], prog_name="bench", standalone_mode=False)
    except QuantbenchError as error:
        code = _refuse(str(error))
    except WorkerError as error:
        _refuse(f"it failed: {error}.")
        code = 1
    except UsageError as error:
        code = _refuse(_usage_sentence(error))
    except _StoppedError as stopped:
        resume = "; the same command goes on with what has been measured"
        _refuse(f"stopped{resume if 'run' in sys.argv[1:3] else ''}.")
        code = 128 + stopped.signum
    except BrokenPipeError:  # the reader, `| head` say, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 0
    except OSError as error:
        code = _refuse(f"{error.filename or 'the system'}: {error.strerror or error}; fix that and run again.")
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
    message = message.replace("Value error, ", "")  # pydantic's, which typer asks about words
    return f"{' '.join(message.split()).rstrip('.')}; see '{command} --help'."


def _refuse(message: str) -> int:
    Console(stderr=True).print(f"bench: {message}", highlight=False, markup=False, soft_wrap=True)
    return 2

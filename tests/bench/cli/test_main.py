"""The command: what it prints, and that every refusal is one sentence and exit code 2."""

from __future__ import annotations

import re
from importlib.metadata import version
from pathlib import Path

import pytest

import bench
from bench.options.run import RunOptions
from bench.options.signature import from_options
from bench.results import run_file
from bench.results.run import Run
from tests.bench.conftest import Command
from tests.bench.examples import FP32, LATER, RUN
from tests.bench.sessions import session


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ("--suite labb", "there is no suite 'labb'; did you mean 'lab'?"),
        ("--task mnits", "there is no task 'mnits'; did you mean 'mnist'?"),
        ("--model mnist/lab3", "there is no mnist model 'lab3'; did you mean 'lab2'?"),
        ("--technique fp61", "there is no technique 'fp61'; did you mean 'fp16'?"),
        ("--batch 0", "--batch 0 must be between 1 and 65,536"),
        ("--batch -4", "--batch -4 must be between 1 and 65,536"),
        ("--batch many", "Invalid value for '--batch'"),
        ("--runs 0", "--runs 0 must be 1 or more"),
        ("--threads 0", "--threads 0 must be 1 or more"),
        ("--threads 9999", "--threads 9999 is not between 1 and"),
        ("--precision 0", "--precision 0% must be 0.1% or more and below 100%; for example 2%."),
        ("--precision 0.01%", "--precision 0.01% must be 0.1% or more and below 100%; for example 2%."),
        ("--precision -1", "--precision -100% must be 0.1% or more"),
        ("--precision 2", "--precision 200% must be 0.1% or more"),
        ("--precision 100%", "--precision 100% must be 0.1% or more"),
        ("--precision nan", "--precision nan% must be 0.1% or more"),
        ("--precision abc", "--precision 'abc' must be a share, such as 2% or 0.02."),
        ("--precision %", "--precision '%' must be a share"),
        ("--precision 5%%", "--precision '5%%' must be a share"),
        ("--budget 0", "--budget 0 must be a positive number of seconds; for example 10."),
        ("--budget -3", "--budget -3 must be a positive number"),
        ("--budget inf", "--budget inf must be a positive number"),
        ("--budget soon", "Invalid value for '--budget'"),
        ("--timeout 0", "--timeout 0 must be a positive number of seconds; for example 600."),
        ("--timeout nan", "--timeout nan must be a positive number"),
        ("--pin 99999", "--pin 99999"),
        ("--pin x", "--pin 'x'"),
        ("--engine abacus", "this torch has no quantized engine 'abacus'; choose from"),
        ("--device tpu", "unknown device 'tpu'; choose cpu or cuda."),
        ("--data fake", "Invalid value for '--data'"),
        ("--data-root /no/such/folder", "--data-root /no/such/folder is not a folder"),
        ("--speed 9", "No such option: --speed"),
    ],
)
def test_a_request_that_makes_no_sense_is_one_sentence(command: Command, arguments: str, sentence: str) -> None:
    code, out, err = command("run", "--data", "synthetic", *arguments.split())
    assert code == 2
    assert not out
    assert err.startswith("bench: ")
    assert err.count("\n") == 1
    assert sentence in err


@pytest.mark.parametrize(
    ("text", "share"), [("5%", 0.05), ("0.05", 0.05), (" 2.5 % ", 0.025), ("1e-3", 0.001), ("99%", 0.99)]
)
def test_a_share_may_be_said_in_percent(
    command: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, text: str, share: float
) -> None:
    asked: list[float | None] = []

    @from_options(RunOptions)
    def run(options: RunOptions) -> Run:
        asked.append(options.precision)
        return RUN.model_copy(update={"rows": [FP32]})

    monkeypatch.setattr("bench.running.runner.run", run)
    assert command("run", "--precision", text, "--out", str(tmp_path))[0] == 0
    assert asked == [pytest.approx(share)]


def test_a_budget_too_short_for_an_interval_is_one_sentence(command: Command, tmp_path: Path) -> None:
    request = "--model mnist/lab1 --technique fp32 --batch 2 --data synthetic --budget 0.000001"
    code, _, err = command("run", *request.split(), "--out", str(tmp_path))
    assert code == 2
    [line] = [line for line in err.splitlines() if line.startswith("bench: ")]
    assert "--budget 1e-06 is too short for mnist/lab1: one process of each variant takes" in line
    assert "Traceback" not in err
    assert not bench.load_run(tmp_path / "run.json").finished, "what was measured before is kept"


def test_an_output_folder_that_cannot_be_written_is_one_sentence(command: Command, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("precious")
    code, _, err = command("run", "--data", "synthetic", "--out", str(tmp_path / "file"))
    assert code == 2
    assert err.count("\n") == 1
    assert "cannot be written" in err
    assert (tmp_path / "file").read_text() == "precious"


def test_an_unknown_command_is_one_sentence(command: Command) -> None:
    code, _, err = command("rnu")
    assert code == 2
    assert "No such command 'rnu'. Did you mean 'run'?; see 'bench --help'." in err


def test_without_a_command_it_says_what_one_would_do_next(command: Command) -> None:
    code, out, err = command()
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert len(lines) <= 5
    assert [line.split()[:2] for line in lines if line.startswith("  ")] == [["bench", "run"]] * 2 + [
        ["bench", "recommend"]
    ]


def test_report_renders_run_files(command: Command, tmp_path: Path) -> None:
    run_file.save(RUN, tmp_path / "run.json")
    code, out, _ = command("report", str(tmp_path / "run.json"))
    assert code == 0
    assert out.startswith("# Quantbench: quick on Example CPU 3000")


def test_report_writes_a_file(command: Command, tmp_path: Path) -> None:
    run_file.save(RUN, tmp_path / "run.json")
    code, out, _ = command("report", str(tmp_path / "run.json"), "--out", str(tmp_path / "report.md"))
    assert (code, out) == (0, "")
    assert (tmp_path / "report.md").read_text(encoding="utf-8").startswith("# Quantbench")


def test_report_draws_the_pictures_beside_its_file(command: Command, tmp_path: Path) -> None:
    run_file.save(RUN, tmp_path / "run.json")
    run_file.save(RUN, tmp_path / "other.json")
    runs = [str(tmp_path / "run.json"), str(tmp_path / "other.json")]
    assert command("report", *runs, "--out", str(tmp_path / "out/report.md"))[0] == 0
    text = (tmp_path / "out/report.md").read_text(encoding="utf-8")
    pictures = sorted(path.name for path in (tmp_path / "out").glob("*.svg"))
    assert len(pictures) == 6
    assert pictures == sorted(re.findall(r"!\[.*?\]\((.*?)\)", text))


@pytest.mark.parametrize(
    ("arguments", "start"),
    [
        (["--html"], "<!doctype html>"),
        (["--format", "html"], "<!doctype html>"),
        (["--format", "csv"], "run,cpu,device"),
        (["--format", "json"], '[\n {\n  "run": 1'),
        (["--format", "markdown"], "# Quantbench"),
    ],
)
def test_report_has_several_forms(command: Command, tmp_path: Path, arguments: list[str], start: str) -> None:
    run_file.save(RUN, tmp_path / "run.json")
    code, out, _ = command("report", str(tmp_path / "run.json"), *arguments)
    assert code == 0
    assert out.startswith(start)
    assert [path.name for path in tmp_path.iterdir()] == ["run.json"]


@pytest.mark.parametrize(
    ("name", "start"),
    [("page.HTML", "<!doctype html>"), ("rows.csv", "run,"), ("rows.json", "[\n"), ("report.txt", "# Quantbench")],
)
def test_the_name_of_the_file_says_the_form(command: Command, tmp_path: Path, name: str, start: str) -> None:
    run_file.save(RUN, tmp_path / "run.json")
    assert command("report", str(tmp_path / "run.json"), "--out", str(tmp_path / name))[0] == 0
    assert (tmp_path / name).read_text(encoding="utf-8").startswith(start)


def test_what_is_asked_for_outweighs_the_name(command: Command, tmp_path: Path) -> None:
    run_file.save(RUN, tmp_path / "run.json")
    assert command("report", str(tmp_path / "run.json"), "--html", "--out", str(tmp_path / "page"))[0] == 0
    assert (tmp_path / "page").read_text(encoding="utf-8").startswith("<!doctype html>")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--html", "--format", "csv"], "--html and --format csv cannot be combined; leave one out."),
        (["--format", "docx"], "Invalid value for '--format'"),
        (["--out", "run.json"], "--out run.json is the run file itself; name another file."),
        (["--html", "--out", "run.json/page.html"], "cannot be written"),
    ],
)
def test_a_report_that_cannot_be_had_is_one_sentence(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], sentence: str
) -> None:
    monkeypatch.chdir(tmp_path)
    run_file.save(RUN, Path("run.json"))
    code, out, err = command("report", "run.json", *arguments)
    assert (code, out) == (2, "")
    assert err.count("\n") == 1
    assert sentence in err
    assert run_file.load(Path("run.json")) == RUN, "nothing is lost"


@pytest.mark.parametrize("content", ["", "{}", '{"schema_version": 99}', '{"schema_version": 1}'])
def test_report_of_something_else_is_one_sentence(command: Command, tmp_path: Path, content: str) -> None:
    (tmp_path / "run.json").write_text(content)
    code, _, err = command("report", str(tmp_path / "run.json"))
    assert code == 2
    assert err.count("\n") == 1


def saved(folder: Path, **runs: Run) -> list[str]:
    for name, run in runs.items():
        run_file.save(run, folder / f"{name}.json")
    return [str(folder / f"{name}.json") for name in runs]


def test_compare_renders_the_comparison(command: Command, tmp_path: Path) -> None:
    code, out, _ = command("compare", *saved(tmp_path, base=session(1), new=session(2)))
    assert code == 0
    assert out.startswith("# Quantbench: 2 runs compared")
    assert "## B against A, row by row" in out


@pytest.mark.parametrize(("suffix", "start"), [("md", "# Quantbench"), ("json", "{")])
def test_compare_writes_markdown_or_json(command: Command, tmp_path: Path, suffix: str, start: str) -> None:
    out_file = tmp_path / f"comparison.{suffix}"
    code, out, _ = command("compare", *saved(tmp_path, base=session(1), new=session(2)), "--out", str(out_file))
    assert (code, out) == (0, "")
    assert out_file.read_text(encoding="utf-8").startswith(start)


@pytest.mark.parametrize(
    ("slower", "processes", "options", "code", "word"),
    [
        (1.0, 24, [], 0, "Gate: passed"),
        (1.3, 24, [], 1, "Gate: FAILED"),
        (1.3, 24, ["--allow-undecided"], 1, "Gate: FAILED"),
        (3.0, 3, [], 3, "Gate: UNDECIDED"),
        (3.0, 3, ["--allow-undecided"], 0, "Gate: passed, 9 figures"),
    ],
)
def test_the_exit_code_of_a_gate(
    command: Command, tmp_path: Path, slower: float, processes: int, options: list[str], code: int, word: str
) -> None:
    base, new = (session(seed, processes=processes, slower={"fp16": slower} if seed == 2 else {}) for seed in (1, 2))
    rules = ["--fail-if", "latency > 5%", "--fail-if", "accuracy < -0.5pp", *options]
    files = saved(tmp_path, base=base, new=new)
    exited, out, err = command("compare", *files, *rules, "--out", str(tmp_path / "comparison.md"))
    assert (exited, err) == (code, "")
    assert out.startswith(word)
    assert out.count("`mnist/lab1` `fp16` of B against A") == (2 if code else 0)
    assert ("6 undecided" in out) == (processes == 3)


def test_a_batch_size_that_the_new_run_lacks_breaks_the_gate(command: Command, tmp_path: Path) -> None:
    new = session(2)
    rows = [row.model_copy(update={"latency": {1: row.latency[1]}, "speedup": {}}) for row in new.rows]
    settings = new.settings.model_copy(update={"batch_sizes": [1]})
    files = saved(tmp_path, base=session(1), new=new.model_copy(update={"rows": rows, "settings": settings}))
    code, out, err = command("compare", *files, "--fail-if", "latency > 5%", "--allow-undecided")
    assert (code, err) == (1, "")
    assert out.count("missing, the new run has no latency at batch 64") == 3


def test_what_is_undecided_is_allowed_only_in_a_gate(command: Command, tmp_path: Path) -> None:
    code, out, err = command("compare", *saved(tmp_path, base=session(1), new=session(2)), "--allow-undecided")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "--allow-undecided is for --fail-if" in err


def test_a_rule_that_cannot_be_read_is_pointed_at(command: Command, tmp_path: Path) -> None:
    code, out, err = command("compare", *saved(tmp_path, base=RUN, new=RUN), "--fail-if", "latency ~ 5%")
    assert (code, out) == (2, "")
    sentence, shown, caret = err.splitlines()
    assert sentence.startswith("bench: --fail-if 'latency ~ 5%' cannot be read at character 9: > or < is expected")
    assert shown[caret.index("^")] == "~"


def test_a_gate_of_runs_that_do_not_compare_is_one_sentence(command: Command, tmp_path: Path) -> None:
    threaded = RUN.model_copy(update={"settings": RUN.settings.model_copy(update={"threads": 2})})
    code, out, err = command("compare", *saved(tmp_path, base=RUN, new=threaded), "--fail-if", "latency > 5%")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "threads 1 and 2" in err


@pytest.mark.parametrize("number", [0, 1])
def test_an_empty_comparison_is_one_sentence(command: Command, tmp_path: Path, number: int) -> None:
    code, out, err = command("compare", *saved(tmp_path, base=RUN)[:number])
    assert (code, out, err.count("\n")) == (2, "", 1)


def test_a_comparison_of_nothing_in_common_is_one_sentence_and_a_gate_names_what_vanished(
    command: Command, tmp_path: Path
) -> None:
    base = session(1)
    other = base.model_copy(update={"rows": [row.model_copy(update={"model": "lab2"}) for row in base.rows]})
    files = saved(tmp_path, base=base, other=other)
    code, out, err = command("compare", *files)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "no two of these runs have a row in common" in err
    code, out, err = command("compare", *files, "--fail-if", "latency > 5%")
    assert (code, err) == (1, "")
    assert out.count("missing, the new run has no such model") == 3


def test_a_gate_of_a_run_against_itself_is_one_sentence(command: Command, tmp_path: Path) -> None:
    code, out, err = command("compare", *saved(tmp_path, base=RUN, copy=RUN), "--fail-if", "latency > 5%")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "A and B are the same run" in err


def test_a_comparison_does_not_overwrite_what_it_compares(command: Command, tmp_path: Path) -> None:
    base, other = saved(tmp_path, base=RUN, other=LATER)
    code, out, err = command("compare", base, other, "--out", other)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "is the run file itself" in err
    assert run_file.load(Path(other)) == LATER


@pytest.mark.parametrize("content", ["", '{"schema_version": 2, "rows": [', '{"schema_version": 99}'])
def test_compare_of_a_truncated_or_newer_file_is_one_sentence(command: Command, tmp_path: Path, content: str) -> None:
    (tmp_path / "new.json").write_text(content)
    code, out, err = command("compare", *saved(tmp_path, base=RUN), str(tmp_path / "new.json"))
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "new.json" in err


def test_the_help_names_defaults_that_are_words(command: Command) -> None:
    code, out, _ = command("run", "--help")
    assert code == 0
    assert "[default: runs/SUITE]" in " ".join(out.replace("│", " ").split())


def test_the_version_is_said(command: Command) -> None:
    assert command("--version") == (0, f"{version('quantbench')}\n", "")


@pytest.mark.parametrize("arguments", [["report", "run.json"], ["compare", "run.json", "later.json"]])
def test_a_form_that_cannot_be_had_is_one_sentence(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str]
) -> None:
    saved(tmp_path, run=RUN, later=LATER)
    monkeypatch.chdir(tmp_path)
    code, out, err = command(*arguments, "--out", "page.docx")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "--out page.docx" in err
    assert not Path("page.docx").exists()


def test_list_names_what_there_is(command: Command) -> None:
    code, out, _ = command("list")
    assert code == 0
    for name in ("lab", "quick", "mnist/lab1", "cifar100/resnet26", "static-qint8"):
        assert f"  {name} " in out


def test_machine_answers_the_labs_question(command: Command) -> None:
    code, out, _ = command("machine")
    assert code == 0
    assert "| Quantized engines" in out
    assert "fbgemm: usable" in out or "fbgemm: NOT usable: " in out


@pytest.mark.parametrize(("status", "code"), [("ok", 0), ("unsupported", 0), ("noisy", 0), ("failed", 1)])
def test_a_failed_row_is_exit_code_1(
    command: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, status: str, code: int
) -> None:
    @from_options(RunOptions)
    def run(options: RunOptions) -> Run:
        return RUN.model_copy(update={"rows": [FP32, FP32.model_copy(update={"status": status})]})

    monkeypatch.setattr("bench.running.runner.run", run)
    found, out, _ = command("run", "--out", str(tmp_path))
    assert found == code
    assert "| lab1" in out

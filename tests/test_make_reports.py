"""``make reports``: every committed report has what makes it, and what is made takes the committed one's place."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.bench.test_documented_commands import parsed
from tests.benchmarks.reports import __main__ as command
from tests.benchmarks.reports.make import Making, Outcome
from tests.benchmarks.reports.needs import Need
from tests.benchmarks.reports.part import Command, Folders, Part, Step
from tests.benchmarks.reports.parts import NOT_REMADE, PARTS
from tests.benchmarks.reports.state import State
from tests.repository import ROOT

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
COMMANDS = [(part.name, step.words) for part in PARTS for step in part.steps if isinstance(step, Command)]
COMMITTED = "committed"
WRITE = "import sys, pathlib; pathlib.Path(sys.argv[1], 'page.md').write_text(sys.argv[2])"
NO_MACHINE = Need("what no machine has", lambda: False)

# The parts


def test_each_folder_is_made_by_one_part_or_is_not_made_again() -> None:
    names = [part.name for part in PARTS]
    folders = sorted(path.name for path in (ROOT / "reports").iterdir() if path.is_dir())
    assert sorted([*names, *NOT_REMADE]) == folders
    assert all(NOT_REMADE.values())


@pytest.mark.parametrize("part", PARTS, ids=lambda part: part.name)
def test_a_page_refers_to_what_a_part_makes(part: Part) -> None:
    text = "".join(page.read_text(encoding="utf-8") for page in PAGES)
    assert re.search(rf"\]\((\.\./)?reports/{part.name}[/)]", text)


def test_a_part_comes_after_those_that_it_is_made_of() -> None:
    names = [part.name for part in PARTS]
    for position, part in enumerate(PARTS):
        assert set(part.after) <= set(names[:position])


@pytest.mark.parametrize(("name", "words"), COMMANDS, ids=lambda value: value if isinstance(value, str) else "")
def test_a_command_is_one_that_there_is(name: str, words: tuple[str, ...]) -> None:
    folders = Folders(Path("out"), Path("scratch"), Path("reports"))
    match [folders.filled(word) for word in words]:
        case ["-m", "bench", *arguments]:
            params = parsed(arguments)
            assert str(params["out"]).startswith(("out", "scratch"))
        case ["-m", module, *arguments]:
            assert find_spec(module) is not None
            assert arguments[-2:] == ["--out", "out"]
        case [file]:
            assert (ROOT / "docs/examples" / file).exists()


def test_reports_stay_small() -> None:
    assert command.reports_bytes(ROOT / "reports") < command.MOST_BYTES


# Making them


@pytest.fixture
def making(tmp_path: Path) -> Callable[..., Making]:
    """Return what begins again where a run of ``make reports`` stopped."""
    (tmp_path / "reports/one").mkdir(parents=True)
    (tmp_path / "reports/one/page.md").write_text(COMMITTED)
    return lambda version="1.0", **options: Making(version, tmp_path / "work", tmp_path / "reports", **options)


def part(*steps: Step, **changes: object) -> Part:
    return Part("one", 1, steps, **changes)  # type: ignore[arg-type]


def writes(text: str) -> Command:
    return Command(("-c", WRITE, "{out}", text))


def exits(code: int) -> Command:
    return Command(("-c", f"import sys; print('said'); sys.exit({code})"))


def page(tmp_path: Path) -> str:
    return (tmp_path / "reports/one/page.md").read_text()


def test_what_is_made_takes_the_place_of_what_was_committed(making: Callable[..., Making], tmp_path: Path) -> None:
    def beside(folders: Folders) -> None:
        (folders.scratch / "weights").touch()
        assert page(tmp_path) == COMMITTED, "until the part is finished"

    outcome = making().make(part(writes("new"), beside))
    assert (outcome.word, page(tmp_path)) == ("made", "new")
    assert [path.name for path in (tmp_path / "reports").iterdir()] == ["one"]
    assert not list((tmp_path / "work/new").iterdir())
    made = State.read(tmp_path / "work/state.json").parts["one"]
    assert made.quantbench == "1.0"
    assert made.ended
    assert made.seconds >= 0


def test_what_fails_leaves_the_committed_report_and_goes_on_with_what_is_missing(
    making: Callable[..., Making], tmp_path: Path
) -> None:
    first = making()
    failed = first.make(part(writes("begun"), exits(3)))
    assert failed.word == "failed"
    assert "code 3" in failed.reason
    assert page(tmp_path) == COMMITTED
    assert (tmp_path / "work/logs/one.log").read_text() == "said\n"
    assert first.make(Part("two", 1, (), after=("one",))).word == "left out", "it would be made of it"
    assert making().make(part(exits(1), exits(0))).word == "made", "the first step was taken, and is not taken again"
    assert page(tmp_path) == "begun"


def test_an_interrupted_part_goes_on(making: Callable[..., Making], tmp_path: Path) -> None:
    def interrupted(folders: Folders) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        making().make(part(writes("begun"), interrupted))
    before = State.read(tmp_path / "work/state.json").parts["one"]
    assert (before.steps, before.ended) == (1, None)
    assert making().make(part(exits(1), exits(0))).seconds > before.seconds  # type: ignore[operator]
    assert page(tmp_path) == "begun"


def test_another_version_makes_everything_anew(making: Callable[..., Making], tmp_path: Path) -> None:
    words = [making(*version).make(part(writes("new"))).word for version in ((), (), ("1.1",))]
    assert words == ["made", "kept", "made"]
    assert making("1.1", again=True).make(part(writes("newer"))).word == "made"
    assert page(tmp_path) == "newer"
    making("1.1", again=True).make(part(writes("begun"), exits(1)))
    assert making("1.2").make(part(exits(0))).word == "made"
    assert not list((tmp_path / "reports/one").iterdir()), "what another version has begun is not gone on with"


def test_trainings_are_on_a_gpu_where_that_is_asked_for_and_possible(
    making: Callable[..., Making], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.benchmarks.reports.part.BFLOAT16", NO_MACHINE)
    script = "import sys, pathlib; pathlib.Path(sys.argv[1], 'page.md').write_text(' '.join(sys.argv[2:]))"
    words = Command(("-c", script, "{out}"))
    trains, does_not = part(words, needs=(NO_MACHINE,), on_gpu=True), part(words, needs=(NO_MACHINE,))
    assert making().make(trains).word == "left out"
    assert making(on_gpu=True).make(does_not).word == "left out"
    assert making(on_gpu=True).make(trains).word == "made"
    assert page(tmp_path) == "--training-device cuda"


def test_what_is_long_or_cannot_be_made_here_is_left_out(making: Callable[..., Making], tmp_path: Path) -> None:
    long = part(writes("new"), long=True, continues=True)
    assert "--long" in making().make(long).reason
    assert "what no machine has" in making().make(part(writes("new"), needs=(NO_MACHINE,))).reason
    assert page(tmp_path) == COMMITTED
    (tmp_path / "reports/one/kept.json").touch()
    assert making(long=True).make(long).word == "made"
    assert sorted(path.name for path in (tmp_path / "reports/one").iterdir()) == ["kept.json", "page.md"]


@pytest.mark.parametrize(("whole", "word"), [(True, "made"), (False, "failed")])
def test_a_report_of_a_missed_bound_is_one_if_it_is_whole(
    making: Callable[..., Making], whole: bool, word: str
) -> None:
    missed = Command(exits(1).words, whole=lambda out: whole)
    assert making().make(part(missed)).word == word


# The command


def test_the_list_says_what_there_is(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["reports", "--list"])
    command.main()
    out = capsys.readouterr().out
    assert all(f"| {name} " in out for name in [*(part.name for part in PARTS), *NOT_REMADE])
    assert "real data, two cores" in out
    assert "--long" in out


def test_the_end_says_what_became_of_each_part_and_how_long_it_took() -> None:
    outcomes = [
        Outcome(PARTS[0], "made", seconds=260.0),
        Outcome(PARTS[1], "kept", "made yesterday", 7_300.0),
        Outcome(PARTS[2], "left out", "this machine has no two cores"),
    ]
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in command.summary(outcomes).splitlines()]
    assert ["lab", "4.3 min", "made in 4.3 min"] in rows
    assert ["lab-2-threads", "2.0 h", "kept: made yesterday"] in rows
    assert ["compare", "", "left out: this machine has no two cores"] in rows


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(5.0, "5 s"), (110.0, "110 s"), (260.0, "4.3 min"), (5_200.0, "87 min"), (600_000.0, "6.9 days")],
)
def test_a_duration_is_in_a_unit_that_people_read(seconds: float, text: str) -> None:
    assert command.duration(seconds) == text

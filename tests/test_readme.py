"""What the README and the reports show came from the run files that are committed.

After new runs, ``python -m tests.test_readme`` renders the reports and fills the README again.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Sequence
from pathlib import Path

import pytest

import bench
from bench.core.variant_key import BASELINE
from bench.report import compared, page, selfcheck
from bench.report import distillation as report_distillation
from bench.report.formats import report
from bench.report.machines import render as render_comparison
from bench.report.markdown import gains, render, result_tables
from bench.report.pictures import Picture, pictures_of
from bench.report.sensitivity import render as render_study
from bench.report.sensitivity_picture import draw as draw_study
from bench.report.tables import table
from bench.results.distillation import Distillation
from bench.results.row import Accuracy
from bench.results.run import Run
from bench.results.selfcheck import SelfCheck
from bench.results.sensitivity import Sensitivity
from bench.stats.describe import mean_std
from bench.stats.interval import ACCURACY_CONFIDENCE
from bench.stats.ranks import location
from bench.storage import checkpoint
from tests.bench import brought
from tests.benchmarks import compression, gate, own_models, published, sampling, suite_speed, training_speed, trust

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *(ROOT / "docs" / f"{name}.md" for name in ("own-models", "results", "runtimes"))]
RUN_FILES = sorted((ROOT / "reports").glob("*/run.json"))
STUDY_FILES = sorted((ROOT / "reports").glob("*/sensitivity.json"))
PAGE_FILES = sorted((ROOT / "reports").glob("*/report.html"))
COMPARISONS = {
    ROOT / "reports/compare/threads.md": ("lab", "lab-2-threads"),
    ROOT / "reports/machines/comparison.md": ("lab", "machines/avx2-as-if", "avx2/lab"),
}
"""The runs that a page compares."""


def expected() -> dict[str, str]:
    """Return what stands between the pages' marks, by their name."""
    return {
        "own model table": result_tables(bench.load_run(ROOT / "reports/own-model/run.json")),
        "lab tables": gains(bench.load_run(ROOT / "reports/lab/run.json")),
        "deploy table": deploy_table(),
        "published table": published.text(),
        "longer table": longer_table(),
        **own_models_table(),
    }


def deploy_table() -> str:
    """Return the fastest variant of each model of the suite deploy, at each batch size."""
    run = bench.load_run(ROOT / "reports/deploy/run.json")
    cells = []
    for model, size in itertools.product(run.settings.models, run.settings.batch_sizes):
        rows = [row for row in run.rows if row.full_model == model]
        fp32 = next(row for row in rows if row.key == BASELINE)
        fastest = max((row for row in rows if size in row.speedup), key=lambda row: row.speedup[size].value)
        assert fp32.accuracy is not None
        assert fastest.accuracy is not None
        assert fp32.file_bytes
        assert fastest.file_bytes
        change = (fastest.accuracy.correct - fp32.accuracy.correct) / fp32.accuracy.total
        known = fastest.speedup[size]
        speedup = f"{known.value:.2f}× [{known.low:.2f}, {known.high:.2f}]"
        smaller = f"{fp32.file_bytes / fastest.file_bytes:.2f}×"
        cells.append([model, str(size), f"`{fastest.key}`", speedup, smaller, f"{100 * change:+.2f} points"])
    header = ["Model", "Batch", "Fastest", "Speed-up over fp32 on eager", "× smaller", "Accuracy change"]
    return f"{table(cells, header)}\n\n{measured_on(run)}"


def measured_on(run: Run) -> str:
    """Return the sentence below a table that says of which machine it is."""
    machine = run.machine
    return f"Measured on {machine.cpu} ({', '.join(machine.isa)}), 1 thread, {run.created}, torch {machine.torch}."


def own_models_table() -> dict[str, str]:
    """Return what was measured of the models that people bring; nothing where no runs of them are committed."""
    folder = ROOT / "reports/own-models"
    runs = {name: bench.load_run(path) for name in brought.NAMES if (path := folder / name / "run.json").exists()}
    if not runs:
        return {}
    seconds = json.loads((folder / "seconds.json").read_text(encoding="utf-8"))
    measured = f"{measured_on(next(iter(runs.values())))} [Run files](../reports/own-models)"
    return {"own models table": f"{own_models.tabulated(runs, seconds)}\n\n{measured}"}


def compared_runs(page: Path) -> list[Run]:
    """Return the runs that a page compares."""
    return [bench.load_run(ROOT / "reports" / name / "run.json") for name in COMPARISONS[page]]


def pictures_beside(page: Path) -> list[Picture]:
    """Return the pictures of a comparison."""
    runs = compared_runs(page)
    return compared.pictures_of(compared.labelled(bench.compare(*runs), runs), page.stem)


def longer_table() -> str:
    """Return how the 1-bit network does alone, trained as long as a student and those before it, and what they gain."""
    folder = ROOT / "reports/distillation"
    distillation = Distillation.model_validate_json((folder / "distillation.json").read_text(encoding="utf-8"))
    reached = {
        (student.bits, student.route, student.source, student.seed): student.accuracy
        for student in distillation.students
        if student.accuracy is not None
    }

    def taught(route: str, source: str, bits: int = 1) -> list[Accuracy]:
        return [reached[bits, route, source, seed] for seed in distillation.seeds]  # type: ignore[index]

    def alone(epochs: int) -> list[Accuracy]:
        trained = json.loads((folder / f"alone-{epochs}-epochs.json").read_text(encoding="utf-8"))
        assert [(one["technique"], one["recipe"]["epochs"], one["seed"]) for one in trained] == [
            ("dorefa:w1a1", epochs, seed) for seed in distillation.seeds
        ]
        assert sorted({one["processor"] for one in trained}) == distillation.processors, "of one kind of weights"
        return [Accuracy.model_validate(one["accuracy"]) for one in trained]

    def row(epochs: int, route: str) -> list[str]:
        by_itself = alone(epochs)
        cells = [
            cell
            for students in (taught(route, "start"), taught(route, "both"))
            for cell in (accuracy_of(students), gained([by_itself], [students]))
        ]
        return [str(epochs), accuracy_of(by_itself), *cells]

    widths = distillation.chain[1:]
    by_loss = {
        route: gained([taught("alone", "", bits) for bits in widths], [taught(route, "loss", bits) for bits in widths])
        for route in ("one step", "chain")
    }
    rows = [["20", accuracy_of(taught("alone", "")), "", "", "", ""], row(40, "one step"), row(120, "chain")]
    header = ["Epochs in all", "1 bit, alone", "taught: start only", "gain", "taught: both", "gain"]
    return (
        f"{table(rows, header)}\n\n"
        "Gain: points over the network alone, paired by seed (Hodges and Lehmann's estimate, 95 % interval); from the "
        f"loss\nalone, the mean over all widths: {by_loss['one step']} in one step, {by_loss['chain']} along the chain."
    )


def gained(before: Sequence[Sequence[Accuracy]], after: Sequence[Sequence[Accuracy]]) -> str:
    """Return by how many points accuracies of the same seeds rose in the mean over kinds, each with one per seed."""

    def points(kinds: Sequence[Sequence[Accuracy]]) -> list[float]:
        return [
            sum(100 * accuracy.correct / accuracy.total for accuracy in of_seed) / len(of_seed)
            for of_seed in zip(*kinds, strict=True)
        ]

    gains = [later - earlier for earlier, later in zip(points(before), points(after), strict=True)]
    moved = location(gains, ACCURACY_CONFIDENCE)
    return f"{moved.value:+.2f} [{moved.low:.2f}, {moved.high:.2f}]".replace("-", "−")


def accuracy_of(accuracies: Sequence[Accuracy]) -> str:
    """Return mean ± std over seeds."""
    whole = mean_std([100 * accuracy.correct / accuracy.total for accuracy in accuracies])
    return f"{whole.mean:.2f} ± {whole.std:.2f} %"


def self_check() -> SelfCheck:
    return SelfCheck.model_validate_json((ROOT / "reports/selfcheck/selfcheck.json").read_text(encoding="utf-8"))


def filled(text: str) -> str:
    """Return a page with the committed figures between its marks."""
    for name, content in expected().items():
        if f"<!-- {name}: begin -->" not in text:
            continue
        begin, end = f"<!-- {name}: begin -->\n", f"<!-- {name}: end -->\n"
        before, _, rest = text.partition(begin)
        text = f"{before}{begin}\n{content}\n\n{end}{rest.partition(end)[2]}"
    return text


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_page_shows_the_committed_figures(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert text == filled(text)


def test_each_committed_table_is_shown_once() -> None:
    text = "".join(page.read_text(encoding="utf-8") for page in PAGES)
    assert {name: text.count(content) for name, content in expected().items()} == dict.fromkeys(expected(), 1)


def test_the_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 120


@pytest.mark.parametrize("path", RUN_FILES, ids=lambda path: path.parent.name)
def test_the_pictures_of_a_committed_report_lie_beside_it(path: Path) -> None:
    shown = {picture.name for picture in pictures_of(bench.load_run(path))}
    assert shown == {picture.name for picture in path.parent.glob("*.svg")}


@pytest.mark.parametrize("path", PAGE_FILES, ids=lambda path: path.parent.name)
def test_a_committed_page_is_rendered_from_its_run_file(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """But for the pictures, whose bytes are those of the matplotlib that drew them."""
    monkeypatch.setattr(page, "_source", lambda picture: "")
    figures = re.compile(r"<figure>.*?</figure>", flags=re.DOTALL)
    committed = path.read_text(encoding="utf-8")
    rendered = page.render([bench.load_run(path.with_name("run.json"))])
    assert figures.sub("", committed) == figures.sub("", rendered)
    assert len(figures.findall(committed)) == len(figures.findall(rendered)) > 0


@pytest.mark.parametrize("path", RUN_FILES, ids=lambda path: path.parent.name)
def test_a_committed_report_is_rendered_from_its_run_file(path: Path) -> None:
    assert path.with_name("report.md").read_text(encoding="utf-8") == render([bench.load_run(path)])


def test_the_speed_table_is_rendered_from_its_figures() -> None:
    folder = ROOT / "reports/speed"
    figures = json.loads((folder / "speed.json").read_text(encoding="utf-8"))
    assert (folder / "speed.md").read_text(encoding="utf-8") == suite_speed.render(figures) + "\n"


def test_the_self_check_is_rendered_from_its_figures() -> None:
    text = (ROOT / "reports/selfcheck/selfcheck.md").read_text(encoding="utf-8")
    assert text == selfcheck.render(self_check()) + "\n"


def test_the_trust_table_is_rendered_from_its_figures() -> None:
    folder = ROOT / "reports/trust"
    files = sorted(folder.glob("threads-*.json"))
    checks = [SelfCheck.model_validate_json(path.read_text(encoding="utf-8")) for path in files]
    assert (folder / "trust.md").read_text(encoding="utf-8") == trust.text_of(checks) + "\n"


def test_the_sampling_table_is_rendered_from_its_runs() -> None:
    folder = ROOT / "reports/sampling"
    runs = [bench.load_run(path) for path in sorted(folder.glob("threads-*.json"))]
    assert (folder / "sampling.md").read_text(encoding="utf-8") == sampling.render(runs) + "\n"


def test_the_gate_table_is_rendered_from_its_tries() -> None:
    folder = ROOT / "reports/gate"
    experiment = gate.Experiment.model_validate_json((folder / "gate.json").read_text(encoding="utf-8"))
    assert (folder / "gate.md").read_text(encoding="utf-8") == gate.render(experiment) + "\n"


def test_the_compression_table_is_rendered_from_its_figures() -> None:
    folder = ROOT / "reports/compression"
    figures = json.loads((folder / "compression.json").read_text(encoding="utf-8"))
    assert (folder / "compression.md").read_text(encoding="utf-8") == compression.render(figures) + "\n"


def test_the_training_speed_table_is_rendered_from_its_figures() -> None:
    folder = ROOT / "reports/training-speed"
    session = training_speed.Session.model_validate_json((folder / "training_speed.json").read_text(encoding="utf-8"))
    assert (folder / "training_speed.md").read_text(encoding="utf-8") == training_speed.render(session) + "\n"


def test_the_distillation_table_is_rendered_from_its_students() -> None:
    folder = ROOT / "reports/distillation"
    distillation = Distillation.model_validate_json((folder / "distillation.json").read_text(encoding="utf-8"))
    assert (folder / "distillation.md").read_text(encoding="utf-8") == report_distillation.render(distillation) + "\n"
    assert len(distillation.students) == len(distillation.seeds) * (1 + 7 * (len(distillation.chain) - 1))


@pytest.mark.parametrize("path", STUDY_FILES, ids=lambda path: path.parent.name)
def test_a_committed_study_is_rendered_from_its_file(path: Path) -> None:
    study = Sensitivity.model_validate_json(path.read_text(encoding="utf-8"))
    assert path.with_suffix(".md").read_text(encoding="utf-8") == render_study(study)


@pytest.mark.parametrize("page", COMPARISONS, ids=lambda page: page.parent.name)
def test_a_committed_comparison_is_of_the_committed_runs(page: Path) -> None:
    text = render_comparison(bench.compare(*compared_runs(page)), pictures_beside(page))
    assert page.read_text(encoding="utf-8") == text
    assert {picture.name for picture in pictures_beside(page)} == {path.name for path in page.parent.glob("*.svg")}


def test_the_committed_checkpoint_is_the_one_of_its_training() -> None:
    [trained] = json.loads((ROOT / "reports/resnet20/training.json").read_text(encoding="utf-8"))
    network, header = checkpoint.load(ROOT / "reports/resnet20" / trained["checkpoint"])
    assert header.recipe == trained["recipe"]
    assert [epoch.loss for epoch in header.history] == [epoch["loss"] for epoch in trained["history"]]
    assert sum(parameter.numel() for parameter in network.parameters()) == 272_282


def test_there_is_a_committed_run_and_a_page_of_one() -> None:
    assert RUN_FILES
    assert PAGE_FILES


if __name__ == "__main__":
    for path in RUN_FILES:
        report([path], out=path.with_name("report.md"))
    for path in PAGE_FILES:
        report([path.with_name("run.json")], out=path)
    for path in STUDY_FILES:
        study = Sensitivity.model_validate_json(path.read_text(encoding="utf-8"))
        path.with_suffix(".md").write_text(render_study(study), encoding="utf-8")
        draw_study(study, path.with_suffix(".svg"))
    for path in COMPARISONS:
        compared.write(bench.compare(*compared_runs(path)), compared_runs(path), path)
    (ROOT / "reports/selfcheck/selfcheck.md").write_text(selfcheck.render(self_check()) + "\n", encoding="utf-8")
    for path in PAGES:
        path.write_text(filled(path.read_text(encoding="utf-8")), encoding="utf-8")

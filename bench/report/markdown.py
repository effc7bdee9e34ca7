"""The report in markdown: the headline, the lab's tables, what they stand on, and what could not be done."""

from __future__ import annotations

from collections.abc import Sequence

from bench.report.blocks import Block, Document, Gallery, Listing
from bench.report.conditions import hardware
from bench.report.document import document
from bench.report.headline import headline, how_to_read
from bench.report.lab import lab_table
from bench.report.tables import Paint, Table
from bench.results.machine import Machine
from bench.results.run import Run


def render(runs: Sequence[Run], pictures: bool = True) -> str:
    """Return one document with a chapter for each run.

    With ``pictures`` it refers to them by the names of ``bench.report.pictures``, for their files to lie beside it.
    """
    return (
        "\n\n".join(render_document(document(run, number), pictures) for number, run in enumerate(runs, start=1)) + "\n"
    )


def result_tables(run: Run, paint: Paint = str) -> str:
    """Return what the terminal shows: the gains and costs of each task's variants, then the lab's tables."""
    return "\n\n".join([gains(run, paint), *(lab_table(run, data).markdown() for data in run.data)])


def gains(run: Run, paint: Paint = str) -> str:
    """Return what each variant gains and costs, a table a task, and how to read them."""
    return "\n\n".join([*(headline(run, data).markdown(paint) for data in run.data), how_to_read(run)])


def hardware_table(machine: Machine) -> str:
    """Return what is known of a machine, as a table."""
    return hardware(machine).markdown()


def render_document(content: Document, pictures: bool = True) -> str:
    """Return one document, without a line end."""
    parts = [f"# {content.title}", *(f"> {warning}" for warning in content.warnings)]
    for chapter in content.chapters:
        if pictures or not any(isinstance(block, Gallery) for block in chapter.blocks):
            parts += [f"## {chapter.title}", *map(_block, chapter.blocks)]
    return "\n\n".join(part for part in parts if part)


def _block(block: Block) -> str:
    if isinstance(block, Table):
        return block.markdown()
    if isinstance(block, Listing):
        lines = [line for item, below in block.items for line in (f"- {item}", *(f"  - {point}" for point in below))]
        return "\n\n".join(part for part in (f"**{block.title}**" if block.title else "", "\n".join(lines)) if part)
    if isinstance(block, Gallery):
        images = [f"![{picture.title}]({picture.name})" for picture in block.pictures]
        return "\n\n".join([f"### {block.title}", *images])
    return block

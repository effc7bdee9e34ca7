from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parent.parent


def test_every_part_of_a_page_is_in_the_wheel() -> None:
    listed = re.search(r'"bench\.report" = \[(.*?)\]', (ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert listed
    found = {path.name for path in (ROOT / "bench/report").iterdir() if path.suffix not in (".py", "")}
    assert set(re.findall(r'"(.*?)"', listed[1])) == found

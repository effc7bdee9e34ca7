"""Plants every fault and writes docs/reliability.md's table from what was seen: ``make faults``."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.faults.table import Table, put_into
from tests.repository import ROOT

PAGE = ROOT / "docs" / "reliability.md"


def main() -> None:
    """Run the suite, the slow tests too; the page is written only where all passed and none was skipped."""
    table = Table()
    code = pytest.main([str(Path(__file__).parent), "-m", "slow or not slow", *sys.argv[1:]], plugins=[table])
    print(table.render())
    if code == pytest.ExitCode.OK and not table.skipped:
        put_into(PAGE, table.render())
        print(f"\n{len(table.rows)} faults were survived; {PAGE.relative_to(ROOT)} has them.")
    else:
        print("\nThe page stays as it is.", *table.skipped, sep="\n- ")
    sys.exit(code)


if __name__ == "__main__":
    main()

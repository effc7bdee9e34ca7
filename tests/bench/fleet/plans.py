"""What a fleet was asked for, in tests."""

from __future__ import annotations

from bench.options.run import RunOptions
from bench.results.fleet import Fleet
from bench.running.plan import plan

SPEC = plan(RunOptions(models="mnist/lab1", techniques="fp16"))
FLEET = Fleet(quantbench="1.0.0", created="2026-01-02T03:04:05+00:00", spec=SPEC)

"""``bench machine``: what this machine is."""

from __future__ import annotations

from bench.cli.output import show


def command() -> None:
    """Say what this machine is, and whether its quantized engine can be used."""
    from bench.measuring import topology
    from bench.measuring.cpu_quota import cpu_quota, quota_remarks
    from bench.measuring.latency.affinity import allowed_cores
    from bench.measuring.machine import check_engine, describe
    from bench.report.markdown import hardware_table
    from bench.results.quantized_engine import FBGEMM, default_engine

    here = describe()
    show(hardware_table(here))
    show(f"\nThis process may use {topology.describe(allowed_cores())}.")
    for remark in quota_remarks(cpu_quota()):
        show(f"Note: {remark}.")
    default = default_engine(here)
    show(f"'bench run' makes {default} the active engine, or the one that --engine names.")
    for engine in dict.fromkeys([default, FBGEMM]):  # the course exercise asks for fbgemm
        check = check_engine(engine)
        verdict = "usable" if check.usable else "NOT usable"
        show(f"{engine}: {verdict}: {check.reason}; {check.advice}.")

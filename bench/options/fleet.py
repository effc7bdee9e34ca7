"""What ``bench fleet run`` can be asked for beside the options of ``bench run``. Annotations are evaluated here."""

from bench.options.checks import seconds
from bench.options.group import option_group
from bench.options.option import option
from bench.options.run import RunOptions


@option_group
class FleetOptions(RunOptions):
    """The options of ``bench fleet run``."""

    address: str = option(default="auto")
    """Of the Ray cluster: auto finds the one that this machine is in, or starts Ray here alone; else HOST:PORT."""
    deadline_s: float = option(default=3600.0, flag="--deadline", check=seconds(example=3600))
    """Seconds of silence after which a node counts as hung."""

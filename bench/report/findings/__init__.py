"""What the figures of a run show, as data; ``bench.report.discussion`` puts it into words."""

"""What only the harness can find wrong; the rest of the hierarchy is in ``bench.tasks.errors``.

QuantbenchError
├── RequestError        a request that makes no sense: batch 0, a device that is absent
│   └── UserModelError   a model of the user's own that cannot be measured: its file, its inputs, its evaluate function
├── CheckpointError     a checkpoint that is truncated, foreign or of another model
├── RunFileError        a run file that cannot be read, or is not one
└── UnsupportedError    a technique that cannot treat this model on this machine (a row, not an exit)
"""

from __future__ import annotations

from bench.tasks.errors import DataError, QuantbenchError, TrainingError, UnknownNameError

__all__ = [
    "CheckpointError",
    "DataError",
    "QuantbenchError",
    "RequestError",
    "RunFileError",
    "TrainingError",
    "UnknownNameError",
    "UnsupportedError",
    "UserModelError",
    "WorkerError",
]


class RequestError(QuantbenchError):
    """A request that makes no sense."""


class UserModelError(RequestError):
    """A model of the user's own that cannot be measured: its file, its inputs, its evaluate function."""


class CheckpointError(QuantbenchError):
    """A checkpoint that is truncated, foreign or of another model."""


class RunFileError(QuantbenchError):
    """A run file that cannot be read, or is not one."""


class UnsupportedError(QuantbenchError):
    """A technique that cannot treat this model on this machine; becomes a row with this reason."""


class WorkerError(Exception):
    """A call of a worker that failed in a way that nobody foresaw: an exception, a crash, a hang."""

"""What only the harness can find wrong; the rest of the hierarchy is in ``bench.tasks.errors``.

QuantbenchError
├── RequestError        a request that makes no sense: batch 0, a device that is absent
│   └── UserModelError   a user's model that cannot be measured: its file, its inputs, its evaluate function
├── CheckpointError     a checkpoint that is truncated, foreign or of another model
├── RunFileError        a run file that cannot be read, or is not one
└── UnsupportedError    a technique or runtime that cannot be used here (a row, not an exit)
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
    "WorkerLostError",
]


class RequestError(QuantbenchError):
    """A request that makes no sense."""


class UserModelError(RequestError):
    """A user's model that cannot be measured: its file, its inputs, its evaluate function."""


class CheckpointError(QuantbenchError):
    """A checkpoint that is truncated, foreign or of another model."""


class RunFileError(QuantbenchError):
    """A run file that cannot be read, or is not one."""


class UnsupportedError(QuantbenchError):
    """A technique or runtime that cannot be used with this model or machine; becomes a row with this reason."""


class WorkerError(Exception):
    """A call of a worker that failed unexpectedly: an exception, a crash, a hang."""


class WorkerLostError(WorkerError):
    """A worker whose process died or hung: the same call of another may end well."""

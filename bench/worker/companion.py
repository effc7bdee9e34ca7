"""What ties worker processes to the command that started them: none outlives it, and none leaves files behind."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import sys
import tempfile
from multiprocessing import forkserver, util
from multiprocessing.connection import Connection

from bench.tasks.temporary import temporary_folder

SOCKET_PATH_LENGTH = 100
"""Characters; the system takes some more."""
NAMES_LENGTH = len("/pymp-12345678/listener-12345678")
"""Of the folder that multiprocessing makes, and of the socket in it."""
PR_SET_PDEATHSIG = 1
"""Of ``prctl(2)``."""

_files = contextlib.ExitStack()
"""Of this process, until it ends."""


def keep_sockets_in_our_folder() -> None:
    """Let multiprocessing have its temporary folder within one of ours.

    It never removes that of a process that was killed; of ours it can be told who holds it (``bench.tasks.temporary``).
    """
    folder = str(_files.enter_context(temporary_folder()))
    if len(folder) + NAMES_LENGTH <= SOCKET_PATH_LENGTH:
        before, tempfile.tempdir = tempfile.tempdir, folder
        try:
            util.get_temp_dir()
        finally:
            tempfile.tempdir = before
    util.Finalize(None, _files.close, exitpriority=-200)  # after multiprocessing has removed its own


def end_with_the_command() -> None:
    """Let the system end this worker when the command is gone, in the middle of a call too.

    The server of workers ends when nobody holds its pipe any more, and its end ends them; so a worker lets go of it.
    """
    if sys.platform != "linux":
        return
    pipe = getattr(forkserver._forkserver, "_forkserver_alive_fd", None)
    if pipe is not None:
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, pipe, inheritable=False)  # what a user's code hands on stays a descriptor
        os.close(nothing)
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def keep_to_itself(connection: Connection) -> None:
    """Keep what the user's code prints or forks away from the command.

    Standard output is the table's, whoever writes there. A process that was forked in a call must not answer it, nor
    hold the pipe open when the worker is gone.
    """
    with contextlib.suppress(OSError):  # there may be no standard error
        os.dup2(2, 1)
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=connection.close)

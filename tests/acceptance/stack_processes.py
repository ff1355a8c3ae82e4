"""What tests of the stack ask about processes."""

import psutil


def is_alive(process: psutil.Process) -> bool:
    """Tell whether a process runs; one that ended may wait for its new parent to notice."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False

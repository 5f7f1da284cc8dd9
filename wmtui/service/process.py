"""How long this process has lived."""

import os
import time
from datetime import timedelta
from pathlib import Path

_LOADED = time.monotonic()
_STAT = Path("/proc/self/stat")
_START_FIELD = 19
"""Where the start stands in /proc/self/stat, counted from after the name, which may hold blanks."""


def process_age() -> timedelta:
    """Time since this process began; where the system does not tell, since it loaded this module."""
    try:
        ticks = int(_STAT.read_text().rpartition(")")[2].split()[_START_FIELD])
        age = time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError, IndexError, AttributeError):
        age = 0.0
    return timedelta(seconds=max(age, time.monotonic() - _LOADED))

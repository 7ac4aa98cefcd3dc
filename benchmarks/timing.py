"""Seconds of a call on a machine that does other things too: bursts, taken in turns.

A burst is a few calls in a row, and its median is what one call takes. What is compared takes
turns, a burst each, so that a slow minute of the machine slows all alike. Of its bursts the fastest
counts: others' work can only slow a call, and slows one whose threads wait for each other tenfold.
"""

import time
from collections.abc import Callable, Mapping
from functools import partial
from statistics import median

import numpy as np

ENOUGH = 0.5  # seconds of a burst
MOST = 25  # calls of a burst
_PAUSE = (
    0.3  # seconds: threads of BLAS spin for some time after a call, and take a core from others
)


def burst(call: Callable[[], object], enough: float = ENOUGH, most: int = MOST) -> list[float]:
    """Return the seconds of each of some calls: of `most`, unless `enough` seconds pass before."""
    seconds: list[float] = []
    while sum(seconds) < enough and len(seconds) < most:
        begin = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - begin)
    return seconds


def take_turns(bursts: Mapping[str, Callable[[], list[float]]], rounds: int) -> dict[str, float]:
    """Return the median of the fastest of the bursts of everybody, who take turns."""
    fastest = dict.fromkeys(bursts, np.inf)
    for _ in range(rounds):
        for name, measure in bursts.items():
            time.sleep(_PAUSE)
            fastest[name] = min(fastest[name], median(measure()))
    return fastest


def compare(
    calls: Mapping[str, Callable[[], object]], rounds: int, most: int = MOST
) -> dict[str, float]:
    """Return the seconds of calls in this process, which take turns once all are warm."""
    for call in calls.values():
        call()
    return take_turns(
        {name: partial(burst, call, most=most) for name, call in calls.items()}, rounds
    )

"""Seconds to a relative gap: each solver on each data set, charged for its cheapest tolerance."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from statistics import median

import numpy as np

from benchmarks.child import Child, StoppedError, TooSlowError
from benchmarks.datasets import Catalogue, Source
from benchmarks.peers import REFERENCE, SOLVERS, Solver
from benchmarks.report import progress
from benchmarks.standings import Climb, Race, Rung, result
from benchmarks.timing import take_turns

_LOADING = 60.0  # seconds: more than importing a peer and reading the data take
_MAX_REPEATED_SECONDS = 5.0  # Fits that take longer are not repeated.
_MARGIN = 0.999  # of the goal, in case somebody ends a little below the reference


def run(
    catalogue: Catalogue,
    names: Sequence[str],
    solvers: Sequence[str],
    timeout: float,
    rounds: int,
) -> Iterator[Race]:
    """Race on one data set after the other."""
    for name in names:
        try:
            goal, reference = _reference(catalogue, name)
        except StoppedError as why:
            progress(f"{name} is skipped: {why}")
            continue
        race = Race(name, goal, reference, {})
        contest(race, {name: SOLVERS[name] for name in solvers}, catalogue, timeout, rounds)
        yield race


def _reference(catalogue: Catalogue, name: str) -> tuple[float, float]:
    """Return the goal for the dtype of the data, and the minimum."""
    with Child(REFERENCE, catalogue, name) as child:
        goal = 1e-5 if child.wait() == np.float32 else 1e-6
        return goal, child.fit(*REFERENCE.ladder).objective


def contest(
    race: Race, solvers: Mapping[str, Solver], catalogue: Source, timeout: float, rounds: int
) -> None:
    """Let one solver after the other get to the goal, and then those that did take turns."""
    enough = race.reference * (1 + _MARGIN * race.goal)
    bursts: dict[str, Callable[[], list[float]]] = {}
    with ExitStack() as children:
        for name, solver in solvers.items():
            child = children.enter_context(Child(solver, catalogue, race.data))
            race.climbs[name] = climb(child, solver, enough, timeout)
            arrival = race.arrival(name)
            if arrival and arrival.seconds < _MAX_REPEATED_SECONDS:
                bursts[name] = _again(child, arrival)
            else:
                child.close()
            progress(f"{race.data}: {name}: {result(race, name)}")
        for name, seconds in take_turns(bursts, rounds - 1).items():
            arrival = race.arrival(name)
            assert arrival is not None
            arrival.seconds = min(arrival.seconds, seconds)


def climb(child: Child, solver: Solver, enough: float, timeout: float) -> Climb:
    """Tighten the tolerance until the objective is low `enough`."""
    way = Climb()
    try:
        child.wait(_LOADING + timeout)
        for tol in solver.ladder:
            seconds, objective = child.fit(tol, timeout)
            way.rungs.append(Rung(tol, median(seconds), objective))
            if tol <= solver.at_least and min(r.objective for r in way.rungs) <= enough:
                break
    except StoppedError as why:
        way.end = str(why)
        way.waited = timeout if isinstance(why, TooSlowError) else None
    return way


def _again(child: Child, rung: Rung) -> Callable[[], list[float]]:
    def measure() -> list[float]:
        try:
            return child.fit(rung.tol).seconds
        except StoppedError:  # such as for want of memory; its time is known from the first burst
            return [rung.seconds]

    return measure

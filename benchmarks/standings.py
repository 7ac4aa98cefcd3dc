"""Summaries of a race: who reached the goal and when, as entries of tables and as ratios."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from benchmarks import peers
from benchmarks.report import Table, geometric_mean, number, ratio


@dataclass
class Rung:
    """Where a solver ended at one of its tolerances, and the median seconds of a fit."""

    tol: float
    seconds: float
    objective: float


@dataclass
class Climb:
    """A solver's rungs, from the loosest tolerance, and what ended them before the goal, if any.

    `waited` are the seconds after which a fit was ended, if that was it.
    """

    rungs: list[Rung] = field(default_factory=list)
    end: str = ""
    waited: float | None = None


@dataclass
class Race:
    """All solvers on a data set.

    Parameters
    ----------
    data : str
        The data set.
    goal : float
        The relative gap to get to.
    reference : float
        The objective of a fit in float64 that is certified to 1e-10.
    climbs : dict of str to Climb
        By solver.
    """

    data: str
    goal: float
    reference: float
    climbs: dict[str, Climb]

    @property
    def minimum(self) -> float:
        """The lowest objective that anybody has reached."""
        rungs = [rung for climb in self.climbs.values() for rung in climb.rungs]
        return min([self.reference, *(rung.objective for rung in rungs)])

    def gap(self, rung: Rung) -> float:
        """(objective − minimum) / minimum."""
        return rung.objective / self.minimum - 1

    def arrival(self, solver: str) -> Rung | None:
        """The loosest tolerance that got to the goal."""
        rungs = self.climbs[solver].rungs if solver in self.climbs else []
        return next((rung for rung in rungs if self.gap(rung) <= self.goal), None)

    def as_it_comes(self) -> Rung | None:
        """What ``LogisticRegression()`` is on the way of its solver, if it got as far."""
        rungs = self.climbs[peers.SKLEARN].rungs if peers.SKLEARN in self.climbs else []
        return next((rung for rung in rungs if rung.tol == peers.AS_IT_COMES), None)

    def over_fastest(self) -> float | None:
        """Our seconds over those of the fastest peer at the goal."""
        return self._over([solver for solver in self.climbs if solver != peers.OURS])

    def over_sklearn(self) -> float | None:
        """Our seconds over those of LogisticRegression's own solver, where it gets to the goal."""
        return self._over([peers.SKLEARN])

    def _over(self, others: Sequence[str]) -> float | None:
        ours = self.arrival(peers.OURS)
        theirs = [rung.seconds for rung in map(self.arrival, others) if rung]
        return ours.seconds / min(theirs) if ours and theirs else None

    def record(self) -> dict[str, Any]:
        """Return all of it for JSON."""
        solvers = {}
        for solver, climb in self.climbs.items():
            arrival = self.arrival(solver)
            solvers[solver] = {
                "seconds": arrival.seconds if arrival else None,
                "end": climb.end,
                "rungs": [{**asdict(rung), "gap": self.gap(rung)} for rung in climb.rungs],
            }
        return {
            "data": self.data,
            "goal": self.goal,
            "minimum": self.minimum,
            "reference": self.reference,
            "ours / fastest peer": self.over_fastest(),
            "ours / LogisticRegression()": self.over_sklearn(),
            "solvers": solvers,
        }


def result(race: Race, solver: str) -> str:
    """The seconds to the goal, or why there are none, with the gap that was reached."""
    arrival = race.arrival(solver)
    if arrival:
        return number(arrival.seconds)
    climb = race.climbs[solver]
    text = climb.end or "missed"
    return text + _gap(min(map(race.gap, climb.rungs))) if climb.rungs else text


def default_result(race: Race) -> str:
    """The seconds of ``LogisticRegression()``, and the gap at which it stops by itself."""
    rung = race.as_it_comes()
    if rung:
        return number(rung.seconds) + _gap(race.gap(rung))
    climb = race.climbs.get(peers.SKLEARN)
    return climb.end if climb and climb.end else "–"


def _gap(gap: float) -> str:
    return f" (gap {gap:.0e})"


class Standings:
    """The table: a row for each race, and at last the geometric means of the ratios."""

    def __init__(self, solvers: Sequence[str]):
        self._solvers = solvers
        self._races: list[Race] = []
        ratios = "ours / fastest peer", "ours / LogisticRegression()"
        self._table = Table("data", *solvers, "LogisticRegression()", *ratios)

    def add(self, race: Race) -> None:
        """Print the row of a race."""
        self._races.append(race)
        seconds = [result(race, solver) for solver in self._solvers]
        ratios = ratio(race.over_fastest()), ratio(race.over_sklearn())
        self._table.row(race.data, *seconds, default_result(race), *ratios)

    def close(self) -> None:
        """Print the last row; a mean counts the races in which there is such a ratio."""
        cells = []
        for over in (Race.over_fastest, Race.over_sklearn):
            known = [value for value in map(over, self._races) if value]
            cells.append(f"{ratio(geometric_mean(known))} (of {len(known)})")
        self._table.row("geometric mean", *[""] * (len(self._solvers) + 1), *cells)

"""Seconds to a relative gap with exact zeros: elastic net, lasso and group lasso.

Data are as they come, but for saga, which would not get anywhere: it has them standardised, with
the penalty on the coefficients there, and its goal is within the same gap of the minimum of that.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from scipy.sparse import issparse
from sklearn.preprocessing import MaxAbsScaler, StandardScaler

from benchmarks.child import Child, StoppedError
from benchmarks.datasets import Catalogue, Data, Source
from benchmarks.peers import OURS, Solver
from benchmarks.race import contest
from benchmarks.report import Table, progress
from benchmarks.report import ratio as in_words
from benchmarks.sparse_peers import SAGA, Penalty, solvers
from benchmarks.standings import Race, result

DATA = "letter", "diamonds", "mnist", "nci60", "brown"
PENALTIES = tuple(Penalty(ratio, name) for name in ("none", "features") for ratio in (0.5, 1.0))
_ROWS = 10_000  # of mnist
_GOAL = 1e-4
_REFERENCE = 1e-6
_LONGER = 25.0  # times as long as we take: who takes more is not waited for
_AT_LEAST = 2.0  # seconds, which everybody may take


@dataclass(frozen=True)
class Prepared:
    """Data sets as they are used here.

    Parameters
    ----------
    catalogue : Source
        Where they come from.
    scaled : bool
        Whether columns are standardised; those of sparse data divided by their largest value.
    """

    catalogue: Source
    scaled: bool = False

    def load(self, name: str) -> Data:
        """Return X and y."""
        X, y = self.catalogue.load(name)
        if name == "mnist":
            X, y = X[:_ROWS], y[:_ROWS]
        if self.scaled:
            X = (MaxAbsScaler() if issparse(X) else StandardScaler()).fit_transform(X)
        return X, y


def usual(names: Sequence[str]) -> list[str]:
    """Return those of the data sets that can be had."""
    return [name for name in DATA if name in names]


def run(
    catalogue: Catalogue,
    names: Sequence[str],
    timeout: float,
    rounds: int,
    penalties: Sequence[Penalty] = PENALTIES,
) -> Iterator[dict[str, Any]]:
    """Race for each penalty on each data set."""
    titles = OURS, SAGA, "glmnet", "adelie", "ours / saga", "ours / best of glmnet and adelie"
    table = Table("data", "penalty_grouping", "l1_ratio", *titles)
    for name in names:
        for penalty in penalties:
            try:
                races = _races(Prepared(catalogue), name, penalty, timeout, rounds)
            except StoppedError as why:
                progress(f"{name} is skipped: {why}")
                continue
            yield _told(table, races, name, penalty)


def _races(
    raw: Prepared, name: str, penalty: Penalty, timeout: float, rounds: int
) -> tuple[Race, Race | None]:
    """Race on the data as they are, and let saga race by itself on scaled data."""
    entrants = solvers(penalty)
    race = _reference(raw, name, entrants, timeout)
    contest(race, {OURS: entrants[OURS]}, raw, timeout, 1)
    arrival = race.arrival(OURS)
    limit = min(timeout, max(_AT_LEAST, _LONGER * arrival.seconds)) if arrival else timeout
    others = {solver: how for solver, how in entrants.items() if solver != SAGA}
    contest(race, others, raw, limit, rounds)
    if SAGA not in entrants:
        return race, None
    scaled = Prepared(raw.catalogue, scaled=True)
    apart = _reference(scaled, name, entrants, timeout)
    contest(apart, {SAGA: entrants[SAGA]}, scaled, limit, rounds)
    return race, apart


def _reference(source: Prepared, name: str, entrants: Mapping[str, Solver], timeout: float) -> Race:
    """Return a race of nobody yet: to the minimum by ours, certified."""
    with Child(entrants[OURS], source, name) as child:
        child.wait()
        minimum = child.fit(_REFERENCE, timeout).objective
    return Race(name, _GOAL, minimum, {})


def over(ours: Race, theirs: Race, peers: Sequence[str]) -> tuple[float, bool] | None:
    """Return our seconds over the best peer's, and whether it is only a bound.

    A bound it is where no peer came to the goal: the ratio is less.
    """
    arrival = ours.arrival(OURS)
    known = {peer: theirs.climbs[peer] for peer in peers if peer in theirs.climbs}
    if not arrival or not known:
        return None
    there = [rung.seconds for rung in map(theirs.arrival, known) if rung]
    if there:
        return arrival.seconds / min(there), False
    waited = [climb.waited for climb in known.values() if climb.waited]
    return (arrival.seconds / min(waited), True) if len(waited) == len(known) else None


def _told(
    table: Table, races: tuple[Race, Race | None], name: str, penalty: Penalty
) -> dict[str, Any]:
    race, apart = races
    saga = over(race, apart, [SAGA]) if apart else None
    paths = over(race, race, ["glmnet", "adelie"])
    everyone = race.climbs | (apart.climbs if apart else {})
    cells = [
        result(apart if apart and peer == SAGA else race, peer) if peer in everyone else "–"
        for peer in (OURS, SAGA, "glmnet", "adelie")
    ]
    table.row(name, penalty.grouping, f"{penalty.l1_ratio:g}", *cells, _words(saga), _words(paths))
    return {
        "data": name,
        "l1_ratio": penalty.l1_ratio,
        "penalty_grouping": penalty.grouping,
        "ours / saga": saga,
        "ours / best of glmnet and adelie": paths,
        "raw": race.record(),
        "scaled": apart.record() if apart else None,
    }


def _words(compared: tuple[float, bool] | None) -> str:
    if compared is None:
        return "–"
    value, bound = compared
    return ("< " if bound else "") + in_words(value)

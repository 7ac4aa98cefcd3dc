"""Raw data sets: strings are one-hot encoded, and nothing is scaled."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pandas as pd
from scipy.sparse import csr_matrix
from sklearn import datasets
from sklearn.utils.multiclass import type_of_target

from benchmarks.report import progress

Data = tuple[Any, Any]  # X, y
_RAW = "tables_mid"  # folder of tables that are taken as they are
_MOST_ROWS = 30_000  # of these


class Source(Protocol):
    """Where a data set comes from; it travels to another process."""

    def load(self, name: str) -> Data:
        """Return X and y."""


def one_hot(frame: pd.DataFrame) -> np.ndarray:
    """Return a table as float64: a column for each value of those that hold text or categories."""
    return np.ascontiguousarray(pd.get_dummies(frame).to_numpy(np.float64))


def _arrays(path: Path) -> Data:
    with np.load(path, allow_pickle=True) as parts:
        return parts["X"].astype(np.float64), parts["y"]


def _images(path: Path) -> Data:
    with np.load(path) as parts:
        pixels = parts["X_train"].astype(np.float32)
        return pixels.reshape(len(pixels), -1) / 255, parts["y_train"]


def _sparse(path: Path) -> Data:
    with np.load(path, allow_pickle=True) as parts:
        X = csr_matrix((parts["data"], parts["indices"], parts["indptr"]), shape=parts["shape"])
        return X, parts["y"]


def read_table(path: Path, target: str = "target") -> Data:
    frame = pd.read_csv(path)
    y = frame.pop(target).to_numpy()
    return one_hot(frame), y


def _diamonds(path: Path) -> Data:
    return read_table(path, "cut")


def _openml(name: str) -> Data:
    title, _, version = name.partition(":")
    found = datasets.fetch_openml(
        title, version=int(version) if version else "active", as_frame=True, n_retries=0
    )
    if not isinstance(found.target, pd.Series):
        raise ValueError("it has no column of classes")
    # A category that is missing is a row of zeros; a number that is missing has no such answer.
    known = found.data.select_dtypes("number").notna().all(axis=1) & found.target.notna()
    if not known.any():
        raise ValueError("no row is without missing numbers")
    y = found.target[known].to_numpy()
    if type_of_target(y) == "continuous":
        raise ValueError("its target is a number")
    return one_hot(found.data[known]), y


BUNDLED: dict[str, Callable[..., Data]] = {
    "sklearn-iris": datasets.load_iris,
    "sklearn-wine": datasets.load_wine,
    "sklearn-digits": datasets.load_digits,
    "sklearn-breast-cancer": datasets.load_breast_cancer,
}
FILES: dict[str, tuple[str, Callable[[Path], Data]]] = {
    "shuttle": ("shuttle.npz", _arrays),
    "letter": ("letter.npz", _arrays),
    "diamonds": ("diamonds.csv.gz", _diamonds),
    "mnist": ("mnist.npz", _images),
    "nci60": ("nci60.npz", _arrays),
    "brown": ("brown.npz", _sparse),
}


@dataclass(frozen=True)
class Catalogue:
    """The data sets that there are: scikit-learn's, those in a folder, and some of OpenML's.

    Parameters
    ----------
    folder : Path or None
        Where `FILES` lie, and tables with a column ``target``: ``tables/NAME.csv``, and those to
        be taken as they are, ``tables_mid/NAME.csv.gz``.
    openml : tuple of str
        Names on OpenML, each with a version or without: ``adult:2``.
    """

    folder: Path | None = None
    openml: tuple[str, ...] = ()

    def names(self, only: Collection[str] = ()) -> list[str]:
        """Name the data sets that can be had, of all or of some; say why others can't."""
        known = [*BUNDLED, *self._in_folder(), *self.openml]
        unknown = sorted(set(only) - {*known, *self.raw_tables()})
        if unknown:
            raise ValueError(f"no data set is called {unknown[0]!r}; there are {', '.join(known)}")
        return [name for name in known if (not only or name in only) and self._available(name)]

    def load(self, name: str) -> Data:
        """Return X and y."""
        if name in BUNDLED:
            return BUNDLED[name](return_X_y=True)
        if name in self.openml:
            return _openml(name)
        assert self.folder is not None
        if name in FILES:
            file, read = FILES[name]
            return read(self.folder / file)
        return read_table(self.folder / "tables" / f"{name}.csv")

    def tables(self) -> list[str]:
        """Name the tables of the folder."""
        if self.folder is None:
            return []
        return sorted(path.stem for path in (self.folder / "tables").glob("*.csv"))

    def raw_tables(self) -> list[str]:
        """Name the tables of the folder that are taken as they are."""
        if self.folder is None:
            return []
        names = sorted(path.name.split(".")[0] for path in (self.folder / _RAW).glob("*.csv.gz"))
        return [*(["diamonds"] if (self.folder / FILES["diamonds"][0]).exists() else []), *names]

    def frame(self, name: str) -> Data:
        """Return a table as it is, at most 30000 rows of it, and y."""
        assert self.folder is not None
        path = self.folder / (FILES[name][0] if name in FILES else f"{_RAW}/{name}.csv.gz")
        frame = pd.read_csv(path)
        if len(frame) > _MOST_ROWS:
            frame = frame.sample(_MOST_ROWS, random_state=0).reset_index(drop=True)
        y = frame.pop("cut" if name == "diamonds" else "target").to_numpy()
        return frame, y

    def _in_folder(self) -> list[str]:
        return [] if self.folder is None else [*FILES, *self.tables()]

    def _available(self, name: str) -> bool:
        if name in FILES and self.folder is not None:
            file = FILES[name][0]
            if not (self.folder / file).exists():
                progress(f"{name} is skipped: there is no {file} in the folder")
                return False
        if name in self.openml:
            try:
                self.load(name)  # scikit-learn keeps a copy, which is what will be raced on
            except (OSError, ValueError) as error:
                progress(f"{name} is skipped: OpenML does not give it ({error})")
                return False
        return True

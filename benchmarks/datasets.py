"""Data sets as they come: strings one-hot encoded, nothing scaled."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.sparse import csr_matrix
from sklearn import datasets

Data = tuple  # X, y


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


def _table(path: Path, target: str = "target") -> Data:
    frame = pd.read_csv(path)
    y = frame.pop(target).to_numpy()
    return np.ascontiguousarray(pd.get_dummies(frame).to_numpy(np.float64)), y


def _diamonds(path: Path) -> Data:
    return _table(path, "cut")


FILES: dict[str, tuple[str, Callable[[Path], Data]]] = {
    "shuttle": ("shuttle.npz", _arrays),
    "letter": ("letter.npz", _arrays),
    "diamonds": ("diamonds.csv.gz", _diamonds),
    "mnist": ("mnist.npz", _images),
    "nci60": ("nci60.npz", _arrays),
    "brown": ("brown.npz", _sparse),
}
BUNDLED = {
    "sklearn-iris": datasets.load_iris,
    "sklearn-wine": datasets.load_wine,
    "sklearn-digits": datasets.load_digits,
    "sklearn-breast-cancer": datasets.load_breast_cancer,
}


def names(folder: Path | None) -> Iterator[str]:
    """What there is: the data sets that come with scikit-learn, and those in the folder."""
    yield from BUNDLED
    if folder is None:
        return
    for name, (file, _) in FILES.items():
        if (folder / file).exists():
            yield name
        else:
            print(f"{name} is skipped: there is no {file} in {folder}")
    yield from sorted(path.stem for path in (folder / "tables").glob("*.csv"))


def load(name: str, folder: Path | None) -> Data:
    """Return X and y of a data set by its name."""
    if name in BUNDLED:
        return BUNDLED[name](return_X_y=True)
    assert folder is not None
    if name in FILES:
        file, read = FILES[name]
        return read(folder / file)
    return _table(folder / "tables" / f"{name}.csv")

"""Tables for which results of other software are published, and small artificial ones."""

from pathlib import Path

import numpy as np
import pandas as pd

EXAMPLES = Path(__file__).parents[2] / "examples"

# MASS::housing of R: counts of satisfaction low, medium, high, for each of contact low and high,
# type of housing tower, apartment, atrium, terrace, and influence low, medium, high.
HOUSING = (
    *(21, 21, 28, 34, 22, 36, 10, 11, 36, 61, 23, 17, 43, 35, 40, 26, 18, 54, 13, 9, 10, 8, 8, 12),
    *(
        6,
        7,
        9,
        18,
        6,
        7,
        15,
        13,
        13,
        7,
        5,
        11,
        14,
        19,
        37,
        17,
        23,
        40,
        3,
        5,
        23,
        78,
        46,
        43,
        48,
        45,
    ),
    *(86, 15, 25, 62, 20, 23, 20, 10, 22, 24, 7, 10, 21, 57, 23, 13, 31, 21, 13, 5, 6, 13),
)

# brglm2::alligators of R, from Agresti, Categorical Data Analysis, table 7.1: counts of fish,
# invertebrate, reptile, bird, other, for size small and large, gender male and female, and the four
# lakes Hancock, Oklawaha, Trafford, George.
ALLIGATORS = (
    *(7, 1, 0, 0, 5, 4, 0, 0, 1, 2, 16, 3, 2, 2, 3, 3, 0, 1, 2, 3, 2, 2, 0, 0, 1, 13, 7, 6, 0, 0),
    *(3, 9, 1, 0, 2, 0, 1, 0, 1, 0, 3, 7, 1, 0, 1, 8, 6, 6, 3, 5, 2, 4, 1, 1, 4, 0, 1, 0, 0, 0),
    *(13, 10, 0, 2, 2, 9, 0, 0, 1, 2, 3, 9, 1, 0, 1, 8, 1, 0, 0, 1),
)

# carData::Womenlf of R: women out of the labour force, in full-time and in part-time work, by their
# husband's income (in 1000 dollars) and whether there are children: (income, children, women).
WOMEN = {
    "fulltime": (
        (1, 0, 2),
        (2, 0, 1),
        (3, 0, 1),
        (3, 1, 1),
        (5, 0, 2),
        (5, 1, 5),
        (6, 0, 2),
        (6, 1, 1),
        (7, 1, 2),
        (9, 0, 5),
        (9, 1, 1),
        (10, 0, 3),
        (11, 0, 5),
        (11, 1, 2),
        (13, 0, 6),
        (13, 1, 1),
        (14, 0, 2),
        (14, 1, 1),
        (15, 0, 7),
        (16, 0, 2),
        (16, 1, 1),
        (17, 1, 4),
        (18, 0, 2),
        (20, 0, 1),
        (20, 1, 1),
        (22, 0, 1),
        (24, 0, 1),
        (27, 0, 2),
        (28, 0, 1),
    ),
    "not.work": (
        (1, 1, 2),
        (3, 1, 2),
        (5, 0, 2),
        (5, 1, 2),
        (7, 1, 9),
        (9, 0, 5),
        (9, 1, 11),
        (11, 0, 2),
        (11, 1, 8),
        (13, 0, 4),
        (13, 1, 20),
        (14, 1, 2),
        (15, 0, 2),
        (15, 1, 23),
        (17, 0, 1),
        (17, 1, 13),
        (19, 0, 3),
        (19, 1, 15),
        (23, 0, 3),
        (23, 1, 15),
        (26, 1, 1),
        (28, 0, 1),
        (28, 1, 4),
        (35, 0, 3),
        (45, 1, 2),
    ),
    "parttime": (
        (4, 1, 1),
        (5, 1, 1),
        (6, 0, 1),
        (8, 1, 1),
        (9, 1, 5),
        (10, 1, 3),
        (11, 1, 3),
        (12, 0, 2),
        (13, 1, 4),
        (14, 1, 1),
        (15, 0, 1),
        (15, 1, 3),
        (17, 1, 1),
        (19, 0, 1),
        (19, 1, 4),
        (23, 0, 1),
        (23, 1, 4),
        (28, 0, 1),
        (28, 1, 1),
        (30, 1, 1),
        (38, 1, 2),
    ),
}

# brglm2::endometrial of R, from Heinze and Schemper (2002): neovascularisation, pulsatility index
# of the uterine artery and height of the endometrium, in hundredths, of 79 women, and the histology
# of their cancer. No woman with neovascularisation has a low one.
NEOVASCULARISATION = (21, 22, 23, 24, 25, 47, 48, 49, 50, 70, 74, 75, 77)  # numbers of the women
PULSATILITY = (
    *(13, 16, 8, 34, 20, 5, 17, 10, 26, 17, 8, 7, 20, 10, 18, 16, 18, 8, 29, 12, 20, 38, 22, 7, 25),
    *(15, 7, 28, 11, 19, 10, 10, 18, 14, 21, 11, 17, 25, 16, 19, 15, 33, 24, 48, 12, 19, 2, 22, 40),
    *(5, 0, 21, 15, 29, 15, 12, 3, 20, 23, 12, 22, 42, 15, 13, 14, 19, 12, 13, 10, 12, 49, 6, 5),
    *(17, 11, 21, 5, 19, 33),
)
HEIGHT = (
    *(164, 226, 314, 268, 128, 231, 180, 168, 156, 231, 201, 189, 315, 123, 127, 176, 200),
    *(264, 88, 127, 137, 97, 114, 88, 91, 58, 97, 150, 133, 237, 182, 313, 131, 192, 164),
    *(201, 188, 193, 211, 129, 172, 75, 192, 184, 111, 161, 118, 144, 118, 93, 117, 119),
    *(106, 202, 229, 233, 290, 170, 141, 225, 154, 197, 175, 216, 257, 137, 361, 204, 217),
    *(169, 27, 184, 130, 96, 101, 98, 35, 102, 85),
)
HIGH_GRADE = (*range(17, 27), *range(43, 53), *range(69, 79))


def endometrial():
    """Return X and y of the endometrial cancer study."""
    X = pd.DataFrame({"NV": 0.0, "PI": PULSATILITY, "EH": np.array(HEIGHT) / 100})
    X.loc[list(NEOVASCULARISATION), "NV"] = 1.0
    y = np.zeros(len(X), dtype=int)
    y[list(HIGH_GRADE)] = 1
    return X.astype(float), y


def programme_choice():
    """Return X, y and the clusters of the programme choice of 200 students."""
    students = pd.read_csv(EXAMPLES / "programme_choice.csv")
    X = pd.DataFrame(
        {
            "ses_middle": (students["ses"] == "middle").astype(float),
            "ses_high": (students["ses"] == "high").astype(float),
            "write": students["write"].astype(float),
        }
    )
    return X, students["prog"], students["cid"].to_numpy()


def housing():
    """Return X, y and counts of MASS::housing."""
    levels = pd.MultiIndex.from_product(
        [
            ["Low", "High"],
            ["Tower", "Apartment", "Atrium", "Terrace"],
            ["Low", "Medium", "High"],
            ["Low", "Medium", "High"],
        ],
        names=["Cont", "Type", "Infl", "Sat"],
    ).to_frame(index=False)
    columns = {
        "InflMedium": levels["Infl"] == "Medium",
        "InflHigh": levels["Infl"] == "High",
        "TypeApartment": levels["Type"] == "Apartment",
        "TypeAtrium": levels["Type"] == "Atrium",
        "TypeTerrace": levels["Type"] == "Terrace",
        "ContHigh": levels["Cont"] == "High",
    }
    X = pd.DataFrame(columns).astype(float)
    return X, levels["Sat"], np.array(HOUSING, dtype=float)


def alligators():
    """Return X, y and counts of Agresti's alligators, by lake and size."""
    levels = pd.MultiIndex.from_product(
        [
            ["Hancock", "Oklawaha", "Trafford", "George"],
            ["male", "female"],
            ["small", "large"],
            ["Fish", "Invertebrate", "Reptile", "Bird", "Other"],
        ],
        names=["lake", "gender", "size", "food"],
    ).to_frame(index=False)
    lakes = ["Oklawaha", "Trafford", "George"]
    X = pd.DataFrame({lake: (levels["lake"] == lake).astype(float) for lake in lakes})
    X["large"] = (levels["size"] == "large").astype(float)
    return X, levels["food"], np.array(ALLIGATORS, dtype=float)


def women():
    """Return X, y and counts of carData::Womenlf."""
    rows = [(income, c, n, work) for work, cells in WOMEN.items() for income, c, n in cells]
    table = pd.DataFrame(rows, columns=["hincome", "children", "n", "work"])
    return table[["hincome", "children"]].astype(float), table["work"], table["n"].to_numpy(float)


def random_table(seed=0, n_rows=200, n_features=3, n_classes=3):
    """Return X and y of classes that overlap."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n_rows, n_features))
    coef = 0.7 * rng.normal(size=(n_classes, n_features))
    y = (X @ coef.T + rng.gumbel(size=(n_rows, n_classes))).argmax(axis=1)
    y[:n_classes] = np.arange(n_classes)
    return pd.DataFrame(X, columns=[f"f{j}" for j in range(n_features)]), y

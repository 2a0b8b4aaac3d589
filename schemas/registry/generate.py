"""Generates the synthetic grids of Ningbo: `python -m schemas.registry.generate` writes 330200/grids.csv.

Real: the towns, the number of grids in the city, and the city-wide means per grid. Everything else is invented with a
fixed seed. Only `random.random()` (documented as the same in every Python) and the operations + - * / and sqrt (rounded
alike on every machine) are used, so that the file is the same everywhere, byte for byte; a test compares.
"""

import csv
import io
from collections.abc import Sequence
from math import fsum, sqrt
from pathlib import Path
from random import Random

CITY = "330200"
GRIDS = 12_000
SEQUENCES = 999  # a grid's sequence has three digits
MEANS = {"households": 344, "migrants": 69, "party_members": 27, "shops": 79}  # per grid, city-wide

# Residents in units of 10,000, rounded, 2020 census: how many grids a county gets.
RESIDENTS = {
    "330203": 104, "330205": 49, "330206": 83, "330211": 51, "330212": 161,
    "330213": 58, "330225": 57, "330226": 70, "330281": 125, "330282": 183,
}  # fmt: skip
# Grids of a town relative to its county's other towns: streets are denser, townships are small.
DENSITY = {"street": 1.5, "town": 1.0, "township": 0.4}
# Per grid, relative to the city: streets hold more shops, townships fewer people from elsewhere.
HOUSEHOLDS = {"street": 1.15, "town": 0.95, "township": 0.65}
MIGRANTS = {"street": 1.05, "town": 1.0, "township": 0.3}
PARTY_MEMBERS = {"street": 0.95, "town": 1.0, "township": 1.2}
SHOPS = {"street": 1.35, "town": 0.8, "township": 0.3}
INDUSTRIAL = {"330206", "330212", "330281", "330282"}  # factories draw half as many migrants again

Row = dict[str, str]


def apportion(weights: Sequence[float], total: int, least: int = 0) -> list[int]:
    """Whole numbers proportional to `weights` that add up to `total`, none below `least`.

    Largest-remainder method; in a tie the earlier weight gets the unit.
    """
    spare, whole = total - least * len(weights), fsum(weights)
    exact = [weight / whole * spare for weight in weights]
    shares = [int(value) for value in exact]
    by_remainder = sorted(range(len(exact)), key=lambda i: shares[i] - exact[i])
    for i in by_remainder[: spare - sum(shares)]:
        shares[i] += 1
    return [least + share for share in shares]


def grids_per_town(towns: Sequence[Row], random: Random) -> list[int]:
    """The number of grids of each town: by residents of the county, then by kind of town and at random."""
    counties = sorted(RESIDENTS)
    share = dict(zip(counties, apportion([RESIDENTS[code] for code in counties], GRIDS), strict=True))
    counts: list[int] = []
    for county in counties:
        inside = [town for town in towns if town["town_code"].startswith(county)]
        weights = [DENSITY[town["kind"]] * (0.5 + random.random()) for town in inside]
        counts += apportion(weights, share[county], least=1)
    return counts


def _skewed(random: Random) -> float:
    """A positive factor with median 1 and a long right tail (log-logistic, shape 2, cut at 5 and 95 %)."""
    u = 0.05 + 0.9 * random.random()
    return sqrt(u / (1 - u))


def _weights(town: Row, random: Random) -> dict[str, float]:
    """The figures of a grid before scaling; a grid with many households has more of everything."""
    kind, size = town["kind"], sqrt(_skewed(random))
    pull = 1.5 if town["town_code"][:6] in INDUSTRIAL else 1.0
    return {
        "households": HOUSEHOLDS[kind] * size,
        "migrants": MIGRANTS[kind] * size * pull * _skewed(random),
        "party_members": PARTY_MEMBERS[kind] * size * sqrt(_skewed(random)),
        "shops": SHOPS[kind] * sqrt(size) * _skewed(random),
    }


def grids_csv(towns: Sequence[Row]) -> str:
    """The content of grids.csv for these rows of towns.csv (ordered by code)."""
    random = Random(int(CITY))  # noqa: S311 - reproducible figures, no secret
    located = [
        (town, number)
        for town, count in zip(towns, grids_per_town(towns, random), strict=True)
        for number in range(1, count + 1)
    ]
    weights = [_weights(town, random) for town, _ in located]
    figures = [apportion([grid[name] for grid in weights], mean * GRIDS) for name, mean in MEANS.items()]
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["grid_code", "zh", "en", *MEANS, "valid_from", "valid_to", "source_id", "aliases"])
    for (town, number), *row in zip(located, *figures, strict=True):
        short = town["en"].rsplit(" ", 1)[0]
        names = (f"{town['town_code']}{number:03}", f"{town['zh']}第{number:03}网格", f"{short} Grid {number:03}")
        writer.writerow([*names, *row, "2018-01-01", "", "", ""])
    return out.getvalue()


def main() -> None:
    """Writes grids.csv next to towns.csv."""
    folder = Path(__file__).parent / CITY
    with (folder / "towns.csv").open(encoding="utf-8", newline="") as lines:
        towns = list(csv.DictReader(lines))
    (folder / "grids.csv").write_text(grids_csv(towns), encoding="utf-8")


if __name__ == "__main__":
    main()

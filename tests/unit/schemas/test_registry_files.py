import csv
import shutil
from pathlib import Path

import pytest

from schemas import registry
from schemas.registry import FOLDER, read_city
from schemas.registry.generate import CITY, MEANS, SEQUENCES, apportion, grids_csv


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as lines:
        return list(csv.DictReader(lines))


def test_ningbo_has_its_areas_and_means() -> None:
    grids = registry.grids("330200")
    assert (len(registry.counties("330200")), len(registry.towns("330200")), len(grids)) == (10, 154, 12_000)
    assert {name: sum(getattr(grid, name) for grid in grids) / len(grids) for name in MEANS} == MEANS


def test_all_cities_together() -> None:
    assert [city.code for city in registry.cities()] == ["330200", "440310", "840617"]
    assert len(registry.grids()) == sum(len(registry.grids(city)) for city in registry.cities())
    assert registry.city("840617").timezone == "America/New_York"
    with pytest.raises(KeyError):
        registry.city("110000")


def test_codes_nest_in_every_city() -> None:
    for city in registry.cities():
        towns = {town.town_code: town for town in registry.towns(city)}
        for grid in registry.grids(city):
            town = towns[grid.town_code]
            assert grid.grid_code.startswith(town.town_code)
            assert (grid.county_code, grid.city_code) == (town.county_code, city.code)


def test_where_figures_are_unknown_they_are_none() -> None:
    for city in ("440310", "840617"):
        assert {grid.households for grid in registry.grids(city)} == {None}


def test_the_generator_makes_the_committed_grids() -> None:
    committed = (FOLDER / CITY / "grids.csv").read_text(encoding="utf-8")
    assert grids_csv(rows(FOLDER / CITY / "towns.csv")) == committed


def test_generated_grids_are_plausible() -> None:
    kinds = {town.town_code: town.kind for town in registry.towns(CITY)}
    per_town: dict[str, int] = dict.fromkeys(kinds, 0)
    shops: dict[str, list[int]] = {"street": [], "town": [], "township": []}
    for grid in registry.grids(CITY):
        per_town[grid.town_code] += 1
        shops[kinds[grid.town_code]].append(grid.shops or 0)
    assert min(per_town.values()) >= 1 and max(per_town.values()) <= SEQUENCES
    street, town, township = (sum(values) / len(values) for values in shops.values())
    assert street > town > township
    ordered = sorted(grid.households or 0 for grid in registry.grids(CITY))
    assert ordered[6000] < MEANS["households"], "skewed to the right"
    assert ordered[0] > 0


def test_apportion_is_exact_and_keeps_the_least() -> None:
    assert apportion([1, 1, 1], 10) == [4, 3, 3]
    assert apportion([100, 0.001, 0], 12, least=1) == [10, 1, 1]
    assert sum(apportion([0.1] * 7 + [3.3], 12_345)) == 12_345


@pytest.mark.parametrize(
    ("name", "before", "after", "complaint"),
    [
        (
            "grids.csv",
            "440310001002,",
            "440310001001,",
            r"440310/grids.csv:3: grid_code 440310001001 is already in line 2",
        ),
        ("grids.csv", "440310001002,", "44031000100,", r"440310/grids.csv:3: grid_code: .*matching regex"),
        ("grids.csv", "440310001002,", "440310009002,", r"no area has code 440310009"),
        ("grids.csv", "六和社区,Liuhe Community,,", "六和社区,Liuhe Community,many,", r":3: households: Expected `int"),
        (
            "grids.csv",
            "六和社区,Liuhe Community,,",
            "六和社区,Liuhe Community,-1,",
            r":3: households: Expected `int` >= 0",
        ),
        ("grids.csv", "六和社区", "", r":3: Object missing required field `zh`"),
        ("grids.csv", "2018-01-01,,10012", "2018-01-32,,10012", r":3: valid_from: Invalid"),
        ("grids.csv", "2018-01-01,,10012", "2018-01-01,2017-12-31,10012", r":3: valid_to is earlier"),
        ("grids.csv", "households", "homes", r"grids.csv:1: columns must be grid_code,zh,"),
        ("towns.csv", ",street,", ",castle,", r"towns.csv:2: kind: .*matching regex"),
        ("towns.csv", "440310006,", "440310007,", r"no area has code 440310006"),
        ("city.yaml", "grids: 23", "grids: 24", r"grids.csv: 23 rows, but city.yaml announces 24"),
        ("city.yaml", "Asia/Shanghai", "Asia/Atlantis", r"city.yaml: .*Asia/Atlantis"),
        ("city.yaml", '"440310"', '"440311"', r"code 440311 is in folder 440310"),
        ("city.yaml", "en: Pingshan\n", "", r"city.yaml: .*missing required field `en`"),
    ],
)
def test_a_broken_folder_is_a_clear_error(tmp_path: Path, name: str, before: str, after: str, complaint: str) -> None:
    folder = shutil.copytree(FOLDER / "440310", tmp_path / "440310")
    text = (folder / name).read_text(encoding="utf-8")
    assert before in text
    (folder / name).write_text(text.replace(before, after, 1), encoding="utf-8")
    with pytest.raises(ValueError, match=complaint):
        read_city(folder)


def test_ningbo_towns_are_the_real_ones(data: Path) -> None:
    real = {
        (row["town_code"], row["town_name"], row["kind"]) for row in rows(data / "ningbo/ningbo_towns_2018_154.csv")
    }
    assert {(town.town_code, town.zh, town.kind) for town in registry.towns("330200")} == real


def test_every_real_community_has_its_grid(data: Path) -> None:
    known, towns = registry.grids_by_source("440310"), {town.town_code: town for town in registry.towns("440310")}
    events = rows(data / "pingshan/events.csv")
    located = [row for row in events if row["COMMUNITY_ID"] not in ("-", "0")]
    assert len(events) - len(located) == 10
    for row in located:
        grid = known[row["COMMUNITY_ID"]]
        town = towns[grid.town_code]
        assert (grid.zh, town.zh, town.source_id) == (row["COMMUNITY_NAME"], row["STREET_NAME"], row["STREET_ID"])


def test_every_real_neighbourhood_has_its_grid(data: Path) -> None:
    known = registry.grids_by_source("840617")
    for row in rows(data / "boston311/boston_311_requests.csv"):
        assert known[row["neighborhood"]].en == (row["neighborhood"] or "Not stated")

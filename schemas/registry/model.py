"""The areas of a registry: a city, its counties, towns and grids. A code begins with the code of the parent."""

from datetime import date
from typing import Annotated

from msgspec import Meta, Struct

Name = Annotated[str, Meta(min_length=1, max_length=80)]
Code6 = Annotated[str, Meta(pattern="^[0-9]{6}$")]
Code9 = Annotated[str, Meta(pattern="^[0-9]{9}$")]
Code12 = Annotated[str, Meta(pattern="^[0-9]{12}$")]
Kind = Annotated[str, Meta(pattern="^(street|town|township|neighbourhood|unknown)$")]
Count = Annotated[int, Meta(ge=0, le=1_000_000)]


class City(Struct, frozen=True, forbid_unknown_fields=True):
    """A city. `timezone` is an IANA name; the day of a report is the local day in it."""

    code: Code6
    zh: Name
    en: Name
    timezone: Annotated[str, Meta(min_length=1)]
    valid_from: date
    valid_to: date | None = None


class County(Struct, frozen=True, forbid_unknown_fields=True):
    """A district, county or county-level city: the first six digits of all codes below it."""

    county_code: Code6
    city_code: Code6
    zh: Name
    en: Name
    valid_from: date
    valid_to: date | None = None


class Town(Struct, frozen=True, forbid_unknown_fields=True):
    """A street office, town or township (abroad: a neighbourhood). `source_id`: its code at the source."""

    town_code: Code9
    county_code: Code6
    city_code: Code6
    zh: Name
    en: Name
    kind: Kind
    valid_from: date
    valid_to: date | None = None
    source_id: str | None = None


class Grid(Struct, frozen=True, forbid_unknown_fields=True):
    """The smallest area, that of a grid worker: town code and a sequence of three digits.

    The four counts are households, residents registered elsewhere, party members and shops; None if unknown. Valid from
    `valid_from` up to and including `valid_to`. source_id: code at the source. aliases: other spellings there.
    """

    grid_code: Code12
    town_code: Code9
    county_code: Code6
    city_code: Code6
    zh: Name
    en: Name
    households: Count | None
    migrants: Count | None
    party_members: Count | None
    shops: Count | None
    valid_from: date
    valid_to: date | None = None
    source_id: str | None = None
    aliases: tuple[str, ...] = ()

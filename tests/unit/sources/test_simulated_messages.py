"""Simulated messages against the contract and the stream's own rules, which the simulator does not know."""

import re
from collections import Counter

import pytest
from simulated import records

from pipelines.decode import decode
from pipelines.judge import Context, judge
from pipelines.outline import metres_outside
from pipelines.sources.simulator.bad import KINDS
from pipelines.sources.simulator.manifest import Sent
from pipelines.sources.simulator.model import seeded
from pipelines.sources.simulator.personal import id_number, pool
from schemas.reasons import reasons


@pytest.fixture(scope="module")
def refused(sent: list[Sent], context: Context) -> dict[int, list[str]]:
    """Reasons the stream finds, by position."""
    decoded = decode(records([one.value for one in sent]))
    tables = decoded.rejects, judge(decoded.good, context).rejects
    return {
        offset: found
        for table in tables
        for offset, found in zip(table["offset"].to_pylist(), table["reasons"].to_pylist(), strict=True)
    }


def test_good_messages_are_accepted(sent: list[Sent], refused: dict[int, list[str]]) -> None:
    assert [refused[i] for i, one in enumerate(sent) if not one.kind.startswith("bad:") and i in refused] == []


def test_bad_messages_are_refused_for_their_reason(sent: list[Sent], refused: dict[int, list[str]]) -> None:
    wrong = Counter(
        (one.kind, one.way, tuple(refused.get(i, ())))
        for i, one in enumerate(sent)
        if one.kind.startswith("bad:") and one.kind.removeprefix("bad:") not in refused.get(i, ())
    )
    assert wrong == Counter()


def test_every_reason_and_every_way_occurs(sent: list[Sent]) -> None:
    assert {kind.reason for kind in KINDS} == set(reasons())
    assert {(one.kind, one.way) for one in sent if one.way} == {(f"bad:{kind.reason}", kind.way) for kind in KINDS}


def test_planted_values_stand_in_the_message(sent: list[Sent]) -> None:
    planted = [(one, kind, value) for one in sent for kind, value in one.personal]
    assert {kind for _, kind, _ in planted} == {"name", "mobile", "landline", "id_card", "bank_card", "plate", "email"}
    assert all(value.encode() in (one.value or b"") for one, _, value in planted)


def test_unmarked_messages_hold_no_numbers_like_personal_ones(sent: list[Sent]) -> None:
    mobile = re.compile(rb'"text":"[^"]*(?<![0-9])1[3-9][0-9]{9}(?![0-9])')
    assert not [one.value for one in sent if not one.personal and mobile.search(one.value or b"")]


def test_planted_numbers_pass_their_own_checks() -> None:
    rng = seeded("test")
    for _ in range(50):
        number = id_number(rng)
        weights = [2 ** (17 - i) % 11 for i in range(17)]
        assert "10X98765432"[sum(int(d) * w for d, w in zip(number, weights, strict=False)) % 11] == number[17]
    for card in (value for one in pool(rng, 70) for kind, value in one.values if kind == "bank_card"):
        digits = [int(digit) for digit in reversed(card)]
        assert sum(d if i % 2 == 0 else sum(divmod(2 * d, 10)) for i, d in enumerate(digits)) % 10 == 0


def test_unknown_fields_occur(sent: list[Sent]) -> None:
    values = b"\n".join(one.value or b"" for one in sent)
    for field in (b'"app_version"', b'"device.id"', b'"contact"', b'"urged"'):
        assert field in values


def test_locations_lie_inside_the_county_but_for_those_astray(sent: list[Sent], context: Context) -> None:
    good = [one for one in sent if not one.kind.startswith("bad:")]
    judged = judge(decode(records([one.value for one in good])).good, context).good
    found = metres_outside(judged["county_code"], judged["lon"], judged["lat"]).to_pylist()
    assert [metres is not None for metres in found] == [one.astray for one in good]
    assert sum(one.astray for one in good) > 50

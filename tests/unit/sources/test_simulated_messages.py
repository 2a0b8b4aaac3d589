"""Simulated messages against the contract and the stream's own rules, which the simulator does not know."""

import re
from collections import Counter

import pytest

from pipelines.classify import current_model
from pipelines.intake.decode import Limits, decode
from pipelines.intake.judge import WARNINGS, judge
from pipelines.intake.rules.columns import Context
from pipelines.load.ranges import OffsetRange, Stream
from pipelines.places.outlines import metres_outside
from pipelines.sources.simulator.bad import KINDS
from pipelines.sources.simulator.manifest import Sent
from pipelines.sources.simulator.model import CityModel, seeded
from pipelines.sources.simulator.odd import KINDS as ODD_KINDS
from pipelines.sources.simulator.personal import id_number, pool
from pipelines.sources.simulator.plan import Disorder
from pipelines.stream.prepare import Preparation, prepare
from schemas.reasons import reasons
from tests.support.simulated import FIRST, backfill, records


@pytest.fixture(scope="module")
def refused(sent: list[Sent], context: Context) -> dict[int, list[str]]:
    """Reasons the stream finds, by position."""
    decoded = decode(records([message.value for message in sent]))
    tables = decoded.rejects, judge(decoded.good, context).rejects
    return {
        offset: found
        for table in tables
        for offset, found in zip(table["offset"].to_pylist(), table["reasons"].to_pylist(), strict=True)
    }


def test_good_messages_are_accepted(sent: list[Sent], refused: dict[int, list[str]]) -> None:
    assert [refused[i] for i, message in enumerate(sent) if not message.kind.startswith("bad:") and i in refused] == []


def test_bad_messages_are_refused_for_their_reason(sent: list[Sent], refused: dict[int, list[str]]) -> None:
    wrong = Counter(
        (message.kind, message.way, tuple(refused.get(i, ())))
        for i, message in enumerate(sent)
        if message.kind.startswith("bad:") and message.kind.removeprefix("bad:") not in refused.get(i, ())
    )
    assert wrong == Counter()


def test_every_reason_and_every_way_occurs(sent: list[Sent]) -> None:
    # A reason of stage isolate is a bug of the stream, which no producer can cause on purpose.
    by_producers = {reason.id for reason in reasons().values() if reason.stage != "isolate"}
    assert {kind.reason for kind in KINDS} == by_producers
    assert {(message.kind, message.way) for message in sent if message.way} == {
        (f"bad:{kind.reason}", kind.way) for kind in KINDS
    }


def test_planted_values_are_in_the_message(sent: list[Sent]) -> None:
    planted = [(message, kind, value) for message in sent for kind, value in message.personal]
    assert {kind for _, kind, _ in planted} == {
        "name",
        "mobile",
        "landline",
        "id_card",
        "bank_card",
        "plate",
        "email",
    }
    assert all(value.encode() in (message.value or b"") for message, _, value in planted)


def test_unmarked_messages_hold_no_numbers_like_personal_ones(sent: list[Sent]) -> None:
    mobile = re.compile(rb'"text":"[^"]*(?<![0-9])1[3-9][0-9]{9}(?![0-9])')
    assert not [message.value for message in sent if not message.personal and mobile.search(message.value or b"")]


def test_planted_numbers_pass_their_own_checks() -> None:
    rng = seeded("test")
    for _ in range(50):
        number = id_number(rng)
        weights = [2 ** (17 - i) % 11 for i in range(17)]
        assert "10X98765432"[sum(int(d) * w for d, w in zip(number, weights, strict=False)) % 11] == number[17]
    for card in (value for message in pool(rng, 70) for kind, value in message.values if kind == "bank_card"):
        digits = [int(digit) for digit in reversed(card)]
        assert sum(d if i % 2 == 0 else sum(divmod(2 * d, 10)) for i, d in enumerate(digits)) % 10 == 0


def test_unknown_fields_occur(sent: list[Sent]) -> None:
    values = b"\n".join(message.value or b"" for message in sent)
    for field in (b'"app_version"', b'"device.id"', b'"contact"', b'"urged"'):
        assert field in values


def test_locations_are_inside_the_county_except_those_astray(sent: list[Sent], context: Context) -> None:
    good = [message for message in sent if not message.kind.startswith("bad:")]
    judged = judge(decode(records([message.value for message in good])).good, context).good
    found = metres_outside(judged["county_code"], judged["lon"], judged["lat"]).to_pylist()
    assert [metres is not None for metres in found] == [message.astray for message in good]
    assert sum(message.astray for message in good) > 50


def test_odd_messages_are_accepted_and_warned_of(model: CityModel, context: Context) -> None:
    messages = backfill(model, FIRST, FIRST, load=0.1, disorder=Disorder(bad=0, odd=0.2)).messages()
    odd = [message for message in messages if message.kind.startswith("odd:")]
    stream, offsets = Stream("t", "id", 1, 1), OffsetRange(0, 0, len(odd) - 1)
    plan = Preparation(stream, Limits(), context, current_model(None), b"key")
    rows = prepare(records([message.value for message in odd]), offsets, plan)
    warned = dict(zip(rows.events["event_id"].to_pylist(), rows.events["warnings"].to_pylist(), strict=True))
    assert {message.kind for message in odd} == {f"odd:{kind.rule}" for kind in ODD_KINDS}
    assert [message for message in odd if message.kind.removeprefix("odd:") not in warned[message.event_id]] == []


def test_every_rule_that_warns_can_be_broken() -> None:
    assert {kind.rule for kind in ODD_KINDS} | {"outside_county"} == set(WARNINGS.rules)

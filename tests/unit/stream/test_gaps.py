"""Which offsets are lost, computed from the ledger and from where Kafka begins."""

from pipelines.errors import PositionFault
from pipelines.load.ranges import LoadProgress, OffsetRange
from pipelines.stream.gaps import fault, gaps


def test_only_what_lies_between_the_ledger_and_kafka_is_lost() -> None:
    progress = LoadProgress({0: 99, 1: 99, 2: 99})
    beginnings = {0: 100, 1: 101, 2: 0, 3: 500}  # 3 was never loaded: it begins where Kafka does
    assert gaps(progress, beginnings) == [OffsetRange(1, 100, 100)]


def test_the_alarm_says_where_and_how_many() -> None:
    lost = fault([OffsetRange(1, 100, 149), OffsetRange(3, 7, 7)])
    assert isinstance(lost, PositionFault)
    assert "partition 1: 50 messages, offsets 100..149; partition 3: 1 messages, offsets 7..7" in str(lost)

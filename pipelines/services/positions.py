"""The position of a message in a Kafka topic."""

from typing import NamedTuple

from pipelines.errors import UserFault


class Position(NamedTuple):
    """The partition and offset of a message in its topic; written `PARTITION:OFFSET`."""

    partition: int
    offset: int

    def __str__(self) -> str:
        return f"{self.partition}:{self.offset}"


def parse_position(text: str) -> Position:
    """`3:1042` -> partition 3, offset 1042.

    Raises:
        UserFault: not two whole numbers within Kafka's limits.
    """
    partition, colon, offset = text.partition(":")
    if not (colon and partition.isascii() and partition.isdecimal() and offset.isascii() and offset.isdecimal()):
        raise UserFault(f"{text!r} 不是位置 is not a position; 须为 分区:偏移量 give PARTITION:OFFSET, such as 3:1042")
    position = Position(int(partition), int(offset))
    if position.partition >= 2**16 or position.offset >= 2**63:
        raise UserFault(f"{text!r} 超出分区或偏移量的上限 is above the largest partition or offset")
    return position

"""The wall clock that people here live by."""

from datetime import datetime
from zoneinfo import ZoneInfo

SHANGHAI = ZoneInfo("Asia/Shanghai")


def now() -> datetime:
    """This second in Shanghai: what "overdue" is reckoned by unless told otherwise."""
    return datetime.now(SHANGHAI).replace(microsecond=0)


def aware(moment: datetime) -> datetime:
    """A time that says nothing of its offset is one of Shanghai."""
    return moment if moment.tzinfo else moment.replace(tzinfo=SHANGHAI)

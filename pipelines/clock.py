"""The current time in UTC and in Asia/Shanghai, and the day of a city."""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

SHANGHAI = ZoneInfo("Asia/Shanghai")


def utc_now() -> datetime:
    """The current time in UTC, with microseconds."""
    return datetime.now(UTC)


def now() -> datetime:
    """The current second in Asia/Shanghai: the default reference time for what is overdue."""
    return datetime.now(SHANGHAI).replace(microsecond=0)


def today(timezone: str) -> date:
    """The current local day in `timezone`, an IANA name."""
    return datetime.now(ZoneInfo(timezone)).date()


def aware(moment: datetime) -> datetime:
    """Naive datetimes are taken as Asia/Shanghai."""
    return moment if moment.tzinfo else moment.replace(tzinfo=SHANGHAI)

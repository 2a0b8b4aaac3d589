"""How we reach ClickHouse: where it is, as whom, and which of its errors are worth a retry."""

from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import clickhouse_connect
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import DatabaseError, OperationalError

from pipelines.errors import TransientFault, UserFault

# Server error codes that pass by themselves; decided on numbers, never on message text.
# Names as in ClickHouse's src/Common/ErrorCodes.cpp.
TRANSIENT_CODES: dict[int, str] = {
    3: "UNEXPECTED_END_OF_FILE",
    32: "ATTEMPT_TO_READ_AFTER_EOF",
    75: "CANNOT_WRITE_TO_FILE_DESCRIPTOR",  # the disk is full
    159: "TIMEOUT_EXCEEDED",
    164: "READONLY",
    202: "TOO_MANY_SIMULTANEOUS_QUERIES",
    203: "NO_FREE_CONNECTION",
    209: "SOCKET_TIMEOUT",
    210: "NETWORK_ERROR",
    236: "ABORTED",
    241: "MEMORY_LIMIT_EXCEEDED",
    242: "TABLE_IS_READ_ONLY",
    243: "NOT_ENOUGH_SPACE",
    252: "TOO_MANY_PARTS",
    285: "TOO_FEW_LIVE_REPLICAS",
    319: "UNKNOWN_STATUS_OF_INSERT",
    394: "QUERY_WAS_CANCELLED",
    999: "KEEPER_EXCEPTION",
}


# Codes of a first query that a person must mend: AUTHENTICATION_FAILED, UNKNOWN_DATABASE.
_WRONG_PASSWORD, _NO_DATABASE = 516, 81


@dataclass(frozen=True)
class ClickHouse:
    """An address and an identity. `url` is http(s)://host:port without credentials."""

    url: str
    user: str
    password: str = field(repr=False)
    database: str = "gridstream"
    connect_timeout: float = 10.0
    read_timeout: float = 300.0


def connect(target: ClickHouse, **settings: Any) -> Client:
    """A client of `target`; `settings` are ClickHouse settings for all its queries.

    Raises:
        UserFault: the URL is not http(s)://host:port, the password is wrong, or there is no such database.
        TransientFault: nobody answers there.
    """
    parts = urlsplit(target.url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise UserFault(f"GRIDSTREAM_CLICKHOUSE_URL must look like http://host:8123, not {target.url!r}")
    try:
        return clickhouse_connect.get_client(
            interface=parts.scheme,
            host=parts.hostname,
            port=parts.port or (8443 if parts.scheme == "https" else 8123),
            username=target.user,
            password=target.password,
            database=target.database,
            connect_timeout=target.connect_timeout,
            send_receive_timeout=target.read_timeout,
            autogenerate_session_id=False,  # sessions would forbid concurrent queries
            settings=settings,
        )
    except OperationalError as error:
        raise TransientFault(f"ClickHouse does not answer at {target.url}") from error
    except DatabaseError as error:
        raise _refused(target, error) from error


def _refused(target: ClickHouse, error: DatabaseError) -> Exception:
    if error.code == _WRONG_PASSWORD:
        return UserFault(
            f"ClickHouse at {target.url} refuses user {target.user}: check GRIDSTREAM_{target.user.upper()}_PASSWORD"
        )
    if error.code == _NO_DATABASE:
        return UserFault(f"ClickHouse at {target.url} has no database {target.database}: run `gridstream migrate`")
    if is_transient(error):
        return TransientFault(f"ClickHouse at {target.url} is not ready: {error.code} {error.name}")
    return error


def is_transient(error: BaseException) -> bool:
    """Whether the same request may succeed later: no answer at all, or a code of `TRANSIENT_CODES`."""
    if isinstance(error, OperationalError | ConnectionError | TimeoutError | TransientFault):
        return True
    return isinstance(error, DatabaseError) and getattr(error, "code", None) in TRANSIENT_CODES

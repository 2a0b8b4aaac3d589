"""Connecting to ClickHouse: address, user, and which of its errors are worth a retry."""

from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any
from urllib.parse import urlsplit

import clickhouse_connect
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import DatabaseError, OperationalError

from pipelines.errors import TransientFault, UserFault


class ErrorCode(IntEnum):
    """The server's error codes that this project acts on; names as in ClickHouse's
    src/Common/ErrorCodes.cpp."""

    UNEXPECTED_END_OF_FILE = 3
    ATTEMPT_TO_READ_AFTER_EOF = 32
    UNKNOWN_TABLE = 60
    CANNOT_WRITE_TO_FILE_DESCRIPTOR = 75  # the disk is full
    UNKNOWN_DATABASE = 81
    TIMEOUT_EXCEEDED = 159
    READONLY = 164
    TOO_MANY_SIMULTANEOUS_QUERIES = 202
    NO_FREE_CONNECTION = 203
    SOCKET_TIMEOUT = 209
    NETWORK_ERROR = 210
    ABORTED = 236
    MEMORY_LIMIT_EXCEEDED = 241
    TABLE_IS_READ_ONLY = 242
    NOT_ENOUGH_SPACE = 243
    TOO_MANY_PARTS = 252
    TOO_FEW_LIVE_REPLICAS = 285
    UNKNOWN_STATUS_OF_INSERT = 319
    QUERY_WAS_CANCELLED = 394
    ACCESS_DENIED = 497
    AUTHENTICATION_FAILED = 516
    KEEPER_EXCEPTION = 999


# A person must act on these; all other codes of `ErrorCode` are transient. Faults are recognised by
# their number, never by the text of a message, which changes between versions.
_PERMANENT = {
    ErrorCode.UNKNOWN_TABLE,
    ErrorCode.UNKNOWN_DATABASE,
    ErrorCode.ACCESS_DENIED,
    ErrorCode.AUTHENTICATION_FAILED,
}
TRANSIENT_CODES = frozenset(ErrorCode) - _PERMANENT


# A value in a block does not fit its column. Names as in ErrorCodes.cpp.
VALUE_CODES = frozenset(
    {
        6,  # CANNOT_PARSE_TEXT
        25,  # CANNOT_PARSE_ESCAPE_SEQUENCE
        26,  # CANNOT_PARSE_QUOTED_STRING
        27,  # CANNOT_PARSE_INPUT_ASSERTION_FAILED
        38,  # CANNOT_PARSE_DATE
        41,  # CANNOT_PARSE_DATETIME
        53,  # TYPE_MISMATCH
        69,  # ARGUMENT_OUT_OF_BOUND
        70,  # CANNOT_CONVERT_TYPE
        72,  # CANNOT_PARSE_NUMBER
        117,  # INCORRECT_DATA
        131,  # TOO_LARGE_STRING_SIZE
        190,  # SIZES_OF_ARRAYS_DONT_MATCH
        321,  # VALUE_IS_OUT_OF_RANGE_OF_DATA_TYPE
        349,  # CANNOT_INSERT_NULL_IN_ORDINARY_COLUMN
        376,  # CANNOT_PARSE_UUID
        407,  # DECIMAL_OVERFLOW
        469,  # VIOLATED_CONSTRAINT
        691,  # UNKNOWN_ELEMENT_OF_ENUM
    }
)


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
        UserFault: the URL is not http(s)://host:port, the password is wrong, or the database does
            not exist.
        TransientFault: the server does not answer, or is not ready.
    """
    parts = urlsplit(target.url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise UserFault(f"GRIDSTREAM_CLICKHOUSE_URL={target.url!r} 须形如 must look like http://host:8123")
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
    if error.code == ErrorCode.AUTHENTICATION_FAILED:
        return UserFault(
            f"ClickHouse 拒绝用户 refuses user {target.user} ({target.url}): "
            f"请检查 check GRIDSTREAM_{target.user.upper()}_PASSWORD"
        )
    if error.code == ErrorCode.UNKNOWN_DATABASE:
        return UserFault(
            f"ClickHouse 没有数据库 has no database {target.database} ({target.url}): 请运行 run `gridstream migrate`"
        )
    if is_transient(error):
        return TransientFault(f"ClickHouse at {target.url} is not ready: {error.code} {error.name}")
    return error


def is_transient(error: BaseException) -> bool:
    """Whether the same request may succeed later: the server did not answer, or sent a code of
    `TRANSIENT_CODES`."""
    if isinstance(error, OperationalError | ConnectionError | TimeoutError | TransientFault):
        return True
    return isinstance(error, DatabaseError) and getattr(error, "code", None) in TRANSIENT_CODES


def refuses_value(error: BaseException) -> bool:
    """Whether ClickHouse refused a block of rows for a value in it, and not for its state or its schema alone."""
    return isinstance(error, DatabaseError) and getattr(error, "code", None) in VALUE_CODES

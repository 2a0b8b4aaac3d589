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
    src/Common/ErrorCodes.cpp. Faults are recognised by their number, never by the text of a message,
    which changes between versions."""

    UNEXPECTED_END_OF_FILE = 3
    CANNOT_PARSE_TEXT = 6
    CANNOT_PARSE_ESCAPE_SEQUENCE = 25
    CANNOT_PARSE_QUOTED_STRING = 26
    CANNOT_PARSE_INPUT_ASSERTION_FAILED = 27
    ATTEMPT_TO_READ_AFTER_EOF = 32
    CANNOT_PARSE_DATE = 38
    CANNOT_PARSE_DATETIME = 41
    TYPE_MISMATCH = 53
    UNKNOWN_TABLE = 60
    ARGUMENT_OUT_OF_BOUND = 69
    CANNOT_CONVERT_TYPE = 70
    CANNOT_PARSE_NUMBER = 72
    CANNOT_WRITE_TO_FILE_DESCRIPTOR = 75  # the disk is full
    UNKNOWN_DATABASE = 81
    INCORRECT_DATA = 117
    TOO_LARGE_STRING_SIZE = 131
    TIMEOUT_EXCEEDED = 159
    READONLY = 164
    SIZES_OF_ARRAYS_DONT_MATCH = 190
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
    VALUE_IS_OUT_OF_RANGE_OF_DATA_TYPE = 321
    CANNOT_INSERT_NULL_IN_ORDINARY_COLUMN = 349
    CANNOT_PARSE_UUID = 376
    QUERY_WAS_CANCELLED = 394
    DECIMAL_OVERFLOW = 407
    VIOLATED_CONSTRAINT = 469
    ACCESS_DENIED = 497
    AUTHENTICATION_FAILED = 516
    UNKNOWN_ELEMENT_OF_ENUM = 691
    KEEPER_EXCEPTION = 999


# The same request may succeed later.
TRANSIENT_CODES = frozenset(
    {
        ErrorCode.UNEXPECTED_END_OF_FILE,
        ErrorCode.ATTEMPT_TO_READ_AFTER_EOF,
        ErrorCode.CANNOT_WRITE_TO_FILE_DESCRIPTOR,
        ErrorCode.TIMEOUT_EXCEEDED,
        ErrorCode.READONLY,
        ErrorCode.TOO_MANY_SIMULTANEOUS_QUERIES,
        ErrorCode.NO_FREE_CONNECTION,
        ErrorCode.SOCKET_TIMEOUT,
        ErrorCode.NETWORK_ERROR,
        ErrorCode.ABORTED,
        ErrorCode.MEMORY_LIMIT_EXCEEDED,
        ErrorCode.TABLE_IS_READ_ONLY,
        ErrorCode.NOT_ENOUGH_SPACE,
        ErrorCode.TOO_MANY_PARTS,
        ErrorCode.TOO_FEW_LIVE_REPLICAS,
        ErrorCode.UNKNOWN_STATUS_OF_INSERT,
        ErrorCode.QUERY_WAS_CANCELLED,
        ErrorCode.KEEPER_EXCEPTION,
    }
)

# A value in a block does not fit its column.
VALUE_CODES = frozenset(
    {
        ErrorCode.CANNOT_PARSE_TEXT,
        ErrorCode.CANNOT_PARSE_ESCAPE_SEQUENCE,
        ErrorCode.CANNOT_PARSE_QUOTED_STRING,
        ErrorCode.CANNOT_PARSE_INPUT_ASSERTION_FAILED,
        ErrorCode.CANNOT_PARSE_DATE,
        ErrorCode.CANNOT_PARSE_DATETIME,
        ErrorCode.TYPE_MISMATCH,
        ErrorCode.ARGUMENT_OUT_OF_BOUND,
        ErrorCode.CANNOT_CONVERT_TYPE,
        ErrorCode.CANNOT_PARSE_NUMBER,
        ErrorCode.INCORRECT_DATA,
        ErrorCode.TOO_LARGE_STRING_SIZE,
        ErrorCode.SIZES_OF_ARRAYS_DONT_MATCH,
        ErrorCode.VALUE_IS_OUT_OF_RANGE_OF_DATA_TYPE,
        ErrorCode.CANNOT_INSERT_NULL_IN_ORDINARY_COLUMN,
        ErrorCode.CANNOT_PARSE_UUID,
        ErrorCode.DECIMAL_OVERFLOW,
        ErrorCode.VIOLATED_CONSTRAINT,
        ErrorCode.UNKNOWN_ELEMENT_OF_ENUM,
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
            f"请检查 check GRIDSTREAM_{target.user.upper()}_PASSWORD; "
            "内嵌的服务升级后须重启 an embedded server needs a restart after an upgrade: gridstream restart"
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

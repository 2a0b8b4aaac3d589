"""Which errors of ClickHouse are retried, and which are due to a value."""

from clickhouse_connect.driver.exceptions import DatabaseError, OperationalError

from pipelines.services.clickhouse import TRANSIENT_CODES, VALUE_CODES, ErrorCode, is_transient, refuses_value


def test_a_code_is_transient_or_of_a_value_or_neither() -> None:
    neither = {"UNKNOWN_TABLE", "UNKNOWN_DATABASE", "ACCESS_DENIED", "AUTHENTICATION_FAILED"}
    assert not TRANSIENT_CODES & VALUE_CODES
    assert {code.name for code in frozenset(ErrorCode) - TRANSIENT_CODES - VALUE_CODES} == neither


def test_errors_are_recognised_by_their_code() -> None:
    full = DatabaseError("full", code=243)
    wrong = DatabaseError("Cannot parse text", code=6)
    assert (is_transient(full), refuses_value(full)) == (True, False)
    assert (is_transient(wrong), refuses_value(wrong)) == (False, True)
    assert is_transient(OperationalError("no answer"))
    assert not is_transient(DatabaseError("syntax", code=62))

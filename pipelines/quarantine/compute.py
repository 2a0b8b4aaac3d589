"""Evaluate the SQL expressions of a repair, as a user without rights on any table.

A person types the expressions, and their values are shown and sent. So they see the fields of the
messages only: the messages are sent along with the query as its external data, and ClickHouse
refuses everything else to the user `repair`. No check of the text could do this.
"""

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import DatabaseError
from clickhouse_connect.driver.external import ExternalData

from pipelines.errors import UserFault
from pipelines.services.clickhouse import ErrorCode
from pipelines.services.queries import query_text
from schemas.contract.v1 import FIELDS

_SETTINGS = {"readonly": 1, "max_execution_time": 60}
_REASON_CHARACTERS = 300
_READS_FILES = re.compile(r"\s*(?:(?:Function|Identifier) file(?:\s|$)|\S*Transformer)", re.IGNORECASE)
_FORBIDDEN = {ErrorCode.ACCESS_DENIED, ErrorCode.READONLY, ErrorCode.UNKNOWN_TABLE, ErrorCode.UNKNOWN_DATABASE}


class Page(NamedTuple):
    """Rows of waiting.sql in ClickHouse's format Native, and the names and types of their columns."""

    data: bytes
    columns: Sequence[tuple[str, str]]


class Evaluator:
    """SQL over a message's fields and the columns of its rejection.

    client: of the user `repair`.

    Raises:
        UserFault: the user has rights, on an external ClickHouse; or an expression reads files.
        DatabaseError: the syntax of an expression is wrong.
    """

    def __init__(self, client: Client, expressions: Sequence[str]) -> None:
        grants = [str(row[0]) for row in client.query("SHOW GRANTS").result_rows]
        if rights := [grant for grant in grants if not grant.startswith("GRANT USAGE ON ")]:
            raise UserFault(
                "ClickHouse 用户 repair 为修正求值，不得有权限 the user repair evaluates repairs "
                f"and must have no rights: {'; '.join(rights)}"
            )
        self._client = client
        self._query = page_query("page", expressions)
        if reads_files(client, self._query):
            raise UserFault("--set: 表达式不可读文件 an expression must not read files: file(), APPLY")

    def rows(self, page: Page) -> Sequence[Sequence[Any]]:
        """The rows of `page`, each with the JSON values of the expressions.

        Raises:
            UserFault: an expression reads something else than the message, or changes something.
            DatabaseError: an expression is wrong, or fails for a message.
        """
        structure = ", ".join(f"`{name}` {type_}" for name, type_ in page.columns)
        data = ExternalData(file_name="page", data=page.data, fmt="Native", structure=structure)
        try:
            return self._client.query(self._query, settings=_SETTINGS, external_data=data, tz_mode="aware").result_rows
        except DatabaseError as error:
            if error.code in _FORBIDDEN:
                raise _forbidden(error) from None
            raise


def _forbidden(error: DatabaseError) -> UserFault:
    text = str(error).partition("DB::Exception: ")[2] or str(error)
    reason = " ".join(text.partition(" (version ")[0].split())
    return UserFault(
        "--set: 表达式只可使用消息的字段 an expression may use only the fields of the message: "
        f"{reason[:_REASON_CHARACTERS]}"
    )


def reads_files(client: Client, query: str) -> bool:
    """Whether `query` names the function `file`, which needs no right, and in an embedded ClickHouse
    reads every file of the server. ClickHouse parses the query, so that quoting hides nothing. The
    syntax tree does not show the function that APPLY names, so APPLY counts as well."""
    # Without a format, which would become part of the query that is explained: one node a line, line feeds escaped.
    tree = client.raw_query(f"EXPLAIN AST {query}")
    return any(_READS_FILES.match(node) for node in tree.decode().split("\n"))


def page_query(page: str, expressions: Sequence[str] = ()) -> str:
    """The query of the fields of `RejectedMessage` from `page`: a table with the columns of
    waiting.sql, or a subquery. Each expression is on lines of its own, so that a comment in it ends
    with it."""
    computed = ", ".join(f"toJSONString((\n{expression}\n))" for expression in expressions)
    fields = ", ".join(f"field('{name}') AS {name}" for name in FIELDS)
    query = query_text("quarantine/computed.sql").replace("$page", page).replace("$fields", fields)
    return query.replace("$computed", computed)

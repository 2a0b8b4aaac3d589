"""`gridstream settings`: every setting with its value, its default and its meaning."""

from dataclasses import dataclass
from typing import Any

import typer
from pydantic import ByteSize, SecretStr
from rich.console import Group, RenderableType
from rich.text import Text

from infra.cli.shared.output import AsJson, Column, emit, errors, table
from infra.settings import Settings, settings, unknown_variables, variable

_COLUMNS = (
    Column("环境变量", "variable"),
    Column("现值", "value"),
    Column("默认", "default"),
    Column("含义", "meaning"),
)
_HIDDEN = "********"


@dataclass(frozen=True)
class Setting:
    """A setting. Secrets are hidden; a value that is not set is None."""

    group: str
    name: str
    variable: str
    value: Any
    default: Any
    changed: bool
    meaning: str


def described(config: Settings) -> list[Setting]:
    """All settings in the order they are declared."""
    rows = []
    for name, field in type(config).model_fields.items():
        value, default = getattr(config, name), field.get_default(call_default_factory=True, validated_data={})
        extra = field.json_schema_extra
        group = str(extra["group"]) if isinstance(extra, dict) else ""
        meaning = field.description or ""
        rows.append(Setting(group, name, variable(name), _plain(value), _plain(default), value != default, meaning))
    return rows


def _plain(value: Any) -> Any:
    if isinstance(value, SecretStr):
        return _HIDDEN
    return int(value) if isinstance(value, ByteSize) else value if isinstance(value, int | float | None) else str(value)


def command(as_json: AsJson = False) -> None:
    """列出全部设置：环境变量（或当前目录的 .env）、现值、默认值与含义；密码不显示。

    Lists every setting: its variable (environment, or `.env` in this folder), value, default and meaning.
    """
    rows, unknown = described(settings()), unknown_variables()
    emit({"settings": rows, "unknown": unknown}, as_json, lambda: _render_settings(rows, unknown))


def _render_settings(rows: list[Setting], unknown: dict[str, str | None]) -> RenderableType:
    groups = dict.fromkeys(setting.group for setting in rows)
    tables = [table(group, _COLUMNS, [_row(s) for s in rows if s.group == group]) for group in groups]
    return Group(*tables, *(_warning(name, similar) for name, similar in unknown.items()))


def _row(setting: Setting) -> tuple[Text | str, ...]:
    value = Text(_text(setting.value), style="bold" if setting.changed else "")
    return setting.variable, value, _text(setting.default), setting.meaning


def _text(value: Any) -> str:
    return "-" if value is None else str(value)


def _warning(name: str, similar: str | None) -> Text:
    hint = f"；想写的是 {similar} 吗 did you mean {similar}?" if similar else ""
    return Text(f"未知的设置 unknown setting: {name}{hint}", style="yellow")


def warn_of_unknown_settings() -> None:
    """Print a line to stderr for each GRIDSTREAM_ variable that is not a setting."""
    for name, similar in unknown_variables().items():
        errors.print(_warning(name, similar), soft_wrap=True)


def register(app: typer.Typer) -> None:
    app.command("settings")(command)

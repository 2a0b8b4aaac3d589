"""`gridstream settings`: every setting, what it is now, what it would be, what it means."""

from dataclasses import dataclass
from typing import Any

import typer
from pydantic import ByteSize, SecretStr
from rich.console import Group, RenderableType
from rich.text import Text

from infra.cli.shared.output import AsJson, Column, emit, table
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
    """One setting; secrets are hidden, unset is None."""

    group: str
    name: str
    variable: str
    value: Any
    default: Any
    changed: bool
    meaning: str


def described(now: Settings) -> list[Setting]:
    """All settings in the order they are declared."""
    found = []
    for name, field in type(now).model_fields.items():
        value, default = getattr(now, name), field.get_default(call_default_factory=True, validated_data={})
        extra = field.json_schema_extra
        group = str(extra["group"]) if isinstance(extra, dict) else ""
        meaning = field.description or ""
        found.append(Setting(group, name, variable(name), _plain(value), _plain(default), value != default, meaning))
    return found


def _plain(value: Any) -> Any:
    if isinstance(value, SecretStr):
        return _HIDDEN
    return int(value) if isinstance(value, ByteSize) else value if isinstance(value, int | float | None) else str(value)


def command(as_json: AsJson = False) -> None:
    """列出全部设置：环境变量（或当前目录的 .env）、现值、默认值与含义；密码不显示。

    Lists every setting: its variable (environment, or `.env` in this folder), value, default and meaning.
    """
    now = settings()
    found, unknown = described(now), unknown_variables()
    emit({"settings": found, "unknown": unknown}, as_json, lambda: _shown(found, unknown))


def _shown(found: list[Setting], unknown: dict[str, str | None]) -> RenderableType:
    groups = dict.fromkeys(setting.group for setting in found)
    tables = [table(group, _COLUMNS, [_row(s) for s in found if s.group == group]) for group in groups]
    return Group(*tables, *(_warning(name, meant) for name, meant in unknown.items()))


def _row(setting: Setting) -> tuple[Text | str, ...]:
    value = Text(_text(setting.value), style="bold" if setting.changed else "")
    return setting.variable, value, _text(setting.default), setting.meaning


def _text(value: Any) -> str:
    return "-" if value is None else str(value)


def _warning(name: str, meant: str | None) -> Text:
    hint = f"；想写的是 {meant} 吗 did you mean {meant}?" if meant else ""
    return Text(f"未知的设置 unknown setting: {name}{hint}", style="yellow")


def register(app: typer.Typer) -> None:
    app.command("settings")(command)

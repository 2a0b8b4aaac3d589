"""What a person reads is Chinese first, then English: here, the messages of faults that the command line prints."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("pipelines", "infra", "dagster_project")
FAULTS = ("UserFault", "PositionFault", "Fenced", "StackFault")
_CHINESE = re.compile(r"[\u4e00-\u9fff]")
_LATIN = re.compile(r"[A-Za-z]")


def messages(source: str) -> Iterator[tuple[int, str]]:
    """Line and text of each literal message of a fault; what an f-string inserts is left out."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in FAULTS and node.args:
            text = literal(node.args[0])
            if text is not None:
                yield node.lineno, text


def literal(node: ast.expr) -> str | None:
    """The literal text of an expression, or None when it has none."""
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.JoinedStr(values=values):
            return "".join(filter(None, map(literal, values)))
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            return "".join(filter(None, map(literal, (left, right)))) or None
        case ast.IfExp(body=body, orelse=other):
            return literal(body) or literal(other)
        case _:
            return None


def bilingual(text: str) -> bool:
    return bool(_CHINESE.search(text) and _LATIN.search(text))


@pytest.mark.parametrize("package", PACKAGES)
def test_each_message_of_a_fault_is_chinese_and_english(package: str) -> None:
    english_only = [
        f"{path.relative_to(ROOT)}:{line}: {text}"
        for path in sorted((ROOT / package).rglob("*.py"))
        for line, text in messages(path.read_text("utf-8"))
        if not bilingual(text)
    ]
    assert not english_only, "\n".join(english_only)


def test_the_check_sees_literals_only() -> None:
    source = 'raise UserFault(f"坏 bad: {x}")\nraise UserFault("bad " + str(x))\nraise UserFault(str(error))'
    assert [(line, bilingual(text)) for line, text in messages(source)] == [(1, True), (2, False)]

"""The documents agree with the repository: their links, paths and commands exist."""

import ast
import re
import shlex
import tomllib
from collections.abc import Iterator
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import get_args

import pytest
from click import Command, Context, Group
from typer.main import get_command

from infra.cli.app import build
from pipelines.watch.health import ProblemId

ROOT = Path(__file__).resolve().parents[2]
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("*.md")), *sorted((ROOT / ".github").rglob("*.md"))]
_TOP = "pipelines|schemas|infra|dagster_project|tests|docs|.github|.ci"
_LINK = re.compile(r"\]\((?!https?:|mailto:)([^)\s]+)\)")
_PATH = re.compile(rf"(?<![\w./-])(?:{_TOP.replace('.', '[.]')})/[\w./*<>…-]*[\w*/>]")
# Blocks that show how the project would be changed, not how it is.
_PROPOSED = re.compile(r"^```(?:diff|\w+ \S+/).*?^```$", re.MULTILINE | re.DOTALL)
_BLOCK = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
_CODE = re.compile(r"`([^`\n]+)`")
_COMMAND = re.compile(r"(?<![\w./-])gridstream [a-z][^;|`#]*")
_NAMED = re.compile(r"gridstream [a-z][a-z-]*(?: [a-z][a-z-]*(?![\w=])| --[a-z-]+)*")
_PLACEHOLDER = re.compile(r"<[^>]*>|…|NNNN")


def pages() -> pytest.MarkDecorator:
    return pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())


def code(page: Path) -> Iterator[str]:
    """The lines of code blocks, and inline code."""
    text = _PROPOSED.sub("", page.read_text("utf-8"))
    for block in _BLOCK.findall(text):
        yield from block.splitlines()[1:-1]
    yield from _CODE.findall(_BLOCK.sub("", text))


@pages()
def test_each_link_leads_to_a_file_and_its_heading(page: Path) -> None:
    for link in _LINK.findall(_BLOCK.sub("", page.read_text("utf-8"))):
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), f"{page.name}: {link}"
        if anchor:
            assert anchor in anchors(target), f"{page.name}: no heading {anchor} in {target.name}"


@cache
def anchors(page: Path) -> set[str]:
    """Anchors of a page's headings, as code hosting sites make them."""
    headings = re.findall(r"^#+ (.*)$", _BLOCK.sub("", page.read_text("utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


@pages()
def test_each_path_of_the_repository_exists(page: Path) -> None:
    text = _PROPOSED.sub("", page.read_text("utf-8"))
    for path in sorted(set(_PATH.findall(text))):
        pattern = _PLACEHOLDER.sub("*", path.rstrip("/"))
        assert next(ROOT.glob(pattern), None), f"{page.name}: {path}"


@pages()
def test_each_gridstream_command_and_option_exists(page: Path) -> None:
    lines = (line.split("  #")[0] for line in code(page))
    for written in sorted({found.strip() for line in lines for found in _COMMAND.findall(line)}):
        require_command(page, written)


def test_each_command_that_a_message_names_exists() -> None:
    for package in ("schemas", "pipelines", "infra", "dagster_project"):
        for path in sorted((ROOT / package).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                if isinstance(node, ast.Constant) and isinstance(node.value, str):
                    for written in _NAMED.findall(node.value):
                        require_command(path, written)


def test_each_problem_of_the_stream_is_in_the_recovery_guide() -> None:
    guide = (ROOT / "docs" / "recovery.md").read_text("utf-8")
    assert [name for name in get_args(ProblemId) if f"`{name}`" not in guide] == []


def test_the_changelog_ends_with_the_version_of_the_package() -> None:
    versions = re.findall(
        r"^## \[(\d+\.\d+\.\d+)\] - \d{4}-\d\d-\d\d$", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.M
    )
    assert versions[0] == tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"]
    assert versions == sorted(versions, reverse=True)


def require_command(where: Path, written: str) -> None:
    """Fail unless the command and its options exist."""
    command, rest = resolve(shlex.split(written.replace("…", "X"))[1:])
    assert not (isinstance(command, Group) and rest and not rest[0].startswith("-")), f"{where.name}: {written}"
    known = {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)}
    asked = {word.split("=")[0] for word in rest if word.startswith("-") and not word.lstrip("-")[:1].isdigit()}
    assert asked <= known | {"--help"}, f"{where.name}: {written}: {asked - known}"


def resolve(words: list[str]) -> tuple[Command, list[str]]:
    """The command that the words name, and the words that are left."""
    command: Command = get_command(build())
    while words and isinstance(command, Group):
        child = command.get_command(Context(command), words[0])
        if child is None:
            break
        command, words = child, words[1:]
    return command, words


@pages()
def test_each_module_and_make_target_that_is_run_exists(page: Path) -> None:
    targets = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
    for line in code(page):
        for module in re.findall(r"python -m ([\w.]+)", line):
            assert find_spec(module), f"{page.name}: {line}"
        for target in re.findall(r"(?:^|[`\s;])make ([a-z]+)", line):
            assert target in targets, f"{page.name}: {line}"

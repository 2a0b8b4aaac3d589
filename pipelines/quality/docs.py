"""Data Docs: the stored results as pages that Great Expectations renders, a site that works without a network."""

import html
import io
import json
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from time import monotonic
from typing import Any

from clickhouse_connect.driver.client import Client

from pipelines.quality.history import Document, documents
from pipelines.quality.outcome import CheckOutcome, outcome_of

# The parts of GX's pages that load something from the network or need scripts; its styles load a logo.
_DROPPED = re.compile(
    r"<script\b.*?</script>|<style\b.*?</style>|<link\b[^>]*>|<img\b[^>]*>|<footer\b.*?</footer>"
    r"|<(div) class=\"modal\b.*?(?=<div class=\"container-fluid)",
    re.DOTALL | re.IGNORECASE,
)
_OUTWARD = re.compile(r"<a\b[^>]*href=[\"'](?!#)[^\"']*[\"'][^>]*>(.*?)</a>", re.DOTALL | re.IGNORECASE)
_STYLE = '<link rel="stylesheet" href="style.css">'
_BACK = '<p class="back"><a href="index.html">← 全部检查 all checks</a></p>'
_HEADINGS = {
    "Expectation Validation Result": "检查结果",
    "Overview": "概览",
    "Statistics": "统计",
    "Evaluated Expectations": "已检查的规则",
    "Successful Expectations": "符合",
    "Unsuccessful Expectations": "违反或无法计算",
    "Success Percent": "符合占比",
    "Table-Level Expectations": "整表规则",
    "Status": "结论",
    "Expectation": "规则",
    "Observed Value": "所见",
}
_HEADING = re.compile(rf">(\s*)({'|'.join(map(re.escape, _HEADINGS))})(\s*)<")
_SIGNS: dict[CheckOutcome, str] = {"passed": "✓", "failed": "✗", "error": "？"}  # the worst last


@dataclass(frozen=True)
class BuiltSite:
    """A built site: its first page, the number of other pages, and the seconds that it took."""

    index: Path
    pages: int
    seconds: float


def site(home: Path) -> Path:
    """The folder of the site, in the home folder of a stack."""
    return home / "data-docs"


def page_name(table: str, day: Any) -> str:
    """The file name of the page of a table's day."""
    return f"{table}_{day}.html"


def build(client: Client, folder: Path, days: int) -> BuiltSite:
    """Writes the pages of the newest `days` checked days and removes the pages of older days.

    The first call in a process takes seconds longer, because it imports Great Expectations.
    """
    started, stored = monotonic(), list(documents(client, days))
    folder.mkdir(parents=True, exist_ok=True)
    pages = {page_name(document.table, document.day): rendered(document) for document in stored}
    pages["index.html"] = index(stored)
    for name, text in pages.items():
        folder.joinpath(name).write_text(text, encoding="utf-8")
    folder.joinpath("style.css").write_bytes(files("pipelines.quality").joinpath("docs.css").read_bytes())
    for old in folder.glob("*.html"):
        if old.name not in pages:
            old.unlink()
    return BuiltSite(folder / "index.html", len(stored), monotonic() - started)


def rendered(document: Document) -> str:
    """The page of a document, rendered by GX and made to work offline."""
    from pipelines.quality.gx_import import core, renderer, view

    with redirect_stdout(io.StringIO()):  # GX prints about queries that read more than their batch
        result = core.ExpectationSuiteValidationResultSchema().load(json.loads(document.text))
        page = view.DefaultJinjaPageView().render(renderer.ValidationResultsPageRenderer().render(result))
    return offline(page, f"{document.table} · {document.day}")


def offline(page: str, title: str) -> str:
    """`page` without scripts, pictures and links to other sites, and with the style sheet of this package."""
    text = _OUTWARD.sub(r"\1", _DROPPED.sub("", page))
    text = re.sub(r"<title>.*?</title>", "", text, flags=re.DOTALL)
    text = _HEADING.sub(lambda match: f">{match[1]}{_HEADINGS[match[2]]} {match[2]}{match[3]}<", text)
    text = text.replace("<html>", '<html lang="zh">', 1)
    text = text.replace("</head>", f"<title>{html.escape(title)}</title>{_STYLE}</head>", 1)
    return text.replace("<body>", f"<body>{_BACK}<h1>{html.escape(title)}</h1>", 1)


def index(stored: Sequence[Document]) -> str:
    """The first page: a row for each day, newest first, and a column for each table."""
    tables = sorted({document.table for document in stored})
    cells = {(document.table, document.day): _cell(document) for document in stored}
    days = sorted({document.day for document in stored}, reverse=True)
    rows = (_row([f"<th>{day}</th>", *(cells.get((name, day), "<td></td>") for name in tables)]) for day in days)
    head = _row(["<th>日期 day</th>", *(f"<th>{name}</th>" for name in tables)])
    body = "".join(rows) or "<tr><td>还没有检查 nothing was checked yet</td></tr>"
    return (
        f'<!DOCTYPE html><html lang="zh"><head><meta charset="UTF-8"><title>数据质量 Data Docs</title>{_STYLE}</head>'
        "<body><h1>数据质量 Data Docs</h1><p>✓ 符合 passed　✗ 违反 failed　？ 无法计算 could not be computed</p>"
        f'<table class="overview"><thead>{head}</thead><tbody>{body}</tbody></table></body></html>'
    )


def _row(cells: Iterable[str]) -> str:
    return f"<tr>{''.join(cells)}</tr>"


def _cell(document: Document) -> str:
    counts = Counter(outcome_of(result) for result in json.loads(document.text)["results"])
    text = " ".join(f"{sign} {counts[name]}" for name, sign in _SIGNS.items() if counts[name])
    worst = next((name for name in reversed(_SIGNS) if counts[name]), "passed")
    return f'<td class="{worst}"><a href="{page_name(document.table, document.day)}">{text}</a></td>'

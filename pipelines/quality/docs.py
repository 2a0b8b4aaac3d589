"""Data Docs: pages that Great Expectations renders of the kept results, as a site that works without a network."""

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

# What GX's pages take from elsewhere or need scripts for; its own styles carry a logo from elsewhere.
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
_SIGNS: dict[CheckOutcome, str] = {"passed": "✓", "failed": "✗", "error": "？"}  # the worst one last


@dataclass(frozen=True)
class Built:
    """A site: where it begins, how many pages, how long it took."""

    index: Path
    pages: int
    seconds: float


def site(home: Path) -> Path:
    """The folder of the site, in a stack's state folder."""
    return home / "data-docs"


def page_name(table: str, day: Any) -> str:
    """The file of a table's day."""
    return f"{table}_{day}.html"


def build(client: Client, folder: Path, days: int) -> Built:
    """Write the pages of the newest `days` checked days; pages of older ones go.

    The first call in a process takes seconds more, for importing Great Expectations.
    """
    started, found = monotonic(), list(documents(client, days))
    folder.mkdir(parents=True, exist_ok=True)
    pages = {page_name(one.table, one.day): rendered(one) for one in found}
    pages["index.html"] = index(found)
    for name, text in pages.items():
        folder.joinpath(name).write_text(text, encoding="utf-8")
    folder.joinpath("style.css").write_bytes(files("pipelines.quality").joinpath("docs.css").read_bytes())
    for old in folder.glob("*.html"):
        if old.name not in pages:
            old.unlink()
    return Built(folder / "index.html", len(found), monotonic() - started)


def rendered(document: Document) -> str:
    """The page of one document, by GX's own renderer, fit for offline reading."""
    from pipelines.quality.gx_import import core, renderer, view

    with redirect_stdout(io.StringIO()):  # GX prints about queries that look beyond their batch on purpose
        result = core.ExpectationSuiteValidationResultSchema().load(json.loads(document.text))
        page = view.DefaultJinjaPageView().render(renderer.ValidationResultsPageRenderer().render(result))
    return offline(page, f"{document.table} · {document.day}")


def offline(page: str, title: str) -> str:
    """`page` without anything from elsewhere: scripts, styles, pictures, links; with our own style instead."""
    text = _OUTWARD.sub(r"\1", _DROPPED.sub("", page))
    text = re.sub(r"<title>.*?</title>", "", text, flags=re.DOTALL)
    text = _HEADING.sub(lambda found: f">{found[1]}{_HEADINGS[found[2]]} {found[2]}{found[3]}<", text)
    text = text.replace("<html>", '<html lang="zh">', 1)
    text = text.replace("</head>", f"<title>{html.escape(title)}</title>{_STYLE}</head>", 1)
    return text.replace("<body>", f"<body>{_BACK}<h1>{html.escape(title)}</h1>", 1)


def index(found: Sequence[Document]) -> str:
    """The first page: a row a day, newest first, a column a table."""
    tables = sorted({one.table for one in found})
    cells = {(one.table, one.day): _cell(one) for one in found}
    days = sorted({one.day for one in found}, reverse=True)
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


def _cell(one: Document) -> str:
    counts = Counter(outcome_of(result) for result in json.loads(one.text)["results"])
    shown = " ".join(f"{sign} {counts[name]}" for name, sign in _SIGNS.items() if counts[name])
    worst = next((name for name in reversed(_SIGNS) if counts[name]), "passed")
    return f'<td class="{worst}"><a href="{page_name(one.table, one.day)}">{shown}</a></td>'

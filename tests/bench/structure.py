"""Figures on the structure of one or more checkouts, in a table with one column for each.

    python -m tests.bench.structure /path/to/old .

Only the four packages are counted (`PACKAGES`), and for the marked words also the Markdown pages. The figures show a
trend; they are not goals of their own.
"""

import ast
import io
import re
import sys
import tokenize
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from multiprocessing import get_context
from pathlib import Path

import grimp

PACKAGES = ("schemas", "pipelines", "infra", "dagster_project")
LONG = 100  # characters
# Words of an idiom that technical readers stop at; CONTRIBUTING asks for plain English instead.
MARKED = re.compile(
    r"\b(anew|reckon\w*|mend(?:s|ed|ing)?|told|whoever|of ours|stands(?! for)|beside"
    r"|(?<!there )is no(?! longer)|likewise|thereof|hitherto)\b",
    re.I,
)
_WORD = re.compile(r"[A-Za-z][A-Za-z'-]*")
_TYPE_NAME = re.compile(r"_?[A-Z]\w*[a-z]\w*")
_Function = ast.FunctionDef | ast.AsyncFunctionDef


def sources(root: Path) -> dict[str, str]:
    """The text of each module, by its path in the checkout."""
    files = sorted(file for package in PACKAGES for file in (root / package).rglob("*.py"))
    return {file.relative_to(root).as_posix(): file.read_text("utf-8") for file in files}


def flat_modules(root: Path) -> int:
    """Modules directly in `pipelines/`, without `__init__`."""
    return sum(file.name != "__init__.py" for file in (root / "pipelines").glob("*.py"))


def imports(root: Path) -> list[tuple[str, str]]:
    """Each (importer, imported) pair of modules. Runs once in a process, since grimp imports the packages by name."""
    sys.path.insert(0, str(root))
    graph = grimp.build_graph(*PACKAGES, cache_dir=None)
    return [(a, b) for a in sorted(graph.modules) for b in sorted(graph.find_modules_directly_imported_by(a))]


def arrows(edges: list[tuple[str, str]]) -> Counter[tuple[str, str]]:
    """How many imports go from one direct child of `pipelines` to another."""
    rooms = ((a.split(".")[1:2], b.split(".")[1:2]) for a, b in edges if a[:10] == b[:10] == "pipelines.")
    return Counter((a[0], b[0]) for a, b in rooms if a != b)


def longest_chain(edges: list[tuple[str, str]]) -> list[str]:
    """The longest path of imports, from the importer down. Raises RecursionError when imports are circular."""
    imported: dict[str, list[str]] = defaultdict(list)
    for a, b in edges:
        imported[a].append(b)

    @cache
    def below(module: str) -> tuple[str, ...]:
        return (module, *max((below(other) for other in imported.get(module, ())), key=len, default=()))

    return list(max(map(below, list(imported)), key=len, default=()))


def functions(tree: ast.Module) -> list[str]:
    return [node.name for node in ast.walk(tree) if isinstance(node, _Function)]


def helpers_used_once(tree: ast.Module) -> list[str]:
    """Private functions and methods that their module mentions exactly once."""
    used = Counter(
        node.id if isinstance(node, ast.Name) else node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Name | ast.Attribute)
    )
    private = (name for name in functions(tree) if name.startswith("_") and not name.startswith("__"))
    return [name for name in private if used[name] == 1]


def prose(text: str, tree: ast.Module) -> Iterator[str]:
    """Docstrings and comments of a module."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | _Function) and (docstring := ast.get_docstring(node)):
            yield docstring
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            yield token.string


def types(tree: ast.Module) -> Iterator[str]:
    """Names of the classes and type aliases that a module defines at its top."""
    for node in tree.body:
        match node:
            case ast.ClassDef(name=name):
                yield name
            case ast.Assign(targets=[ast.Name(id=name)]) if _TYPE_NAME.fullmatch(name):
                yield name


def shared_types(trees: Mapping[str, ast.Module]) -> dict[str, int]:
    """Type names that more than one module defines, with the number of modules."""
    counts = Counter(name for tree in trees.values() for name in set(types(tree)))
    return {name: count for name, count in sorted(counts.items()) if count > 1}


def figures(root: Path) -> dict[str, str]:
    """All figures of a checkout, as text."""
    texts = sources(root)
    trees = {path: ast.parse(text) for path, text in texts.items()}
    edges = imports(root)
    between = arrows(edges)
    chain = longest_chain(edges)
    in_pipelines = longest_chain([edge for edge in edges if all(module.startswith("pipelines") for module in edge)])
    total = sum(len(functions(tree)) for tree in trees.values())
    once = sum(len(helpers_used_once(tree)) for tree in trees.values())
    pages = [page.read_text("utf-8") for folder in (root, root / "docs") for page in sorted(folder.glob("*.md"))]
    words = [*(part for path, tree in trees.items() for part in prose(texts[path], tree)), *pages]
    marked = Counter(hit.lower() for part in words for hit in MARKED.findall(part))
    count = sum(len(_WORD.findall(part)) for part in words)
    types_twice = shared_types(trees)
    return {
        "modules": str(len(texts)),
        "flat modules in pipelines/": str(flat_modules(root)),
        "import arrows between rooms of pipelines/": f"{len(between)} ({between.total()} imports)",
        "longest import chain": f"{len(chain)} (in pipelines/ {len(in_pipelines)})",
        "functions": f"{total:,}",
        "private helpers used once": f"{once} ({once / total:.0%} of functions)",
        "marked words per 1,000": f"{1000 * marked.total() / count:.1f} ({marked.total()} of {count:,})",
        "most frequent": ", ".join(f"{word} {number}" for word, number in marked.most_common(4)),
        "type names in more than one module": str(len(types_twice)),
        "these": ", ".join(f"{name} ×{number}" for name, number in types_twice.items()),
        f"lines above {LONG} characters": str(
            sum(len(line) > LONG for text in texts.values() for line in text.splitlines())
        ),
    }


def main() -> None:
    roots = [Path(argument).resolve() for argument in sys.argv[1:]] or [Path.cwd()]
    with ProcessPoolExecutor(1, get_context("spawn"), max_tasks_per_child=1) as processes:
        columns = list(processes.map(figures, roots))
    print("| figure |", " | ".join(map(str, roots)), "|")
    print("|---|" + "---|" * len(roots))
    for name in columns[0]:
        print(f"| {name} |", " | ".join(column[name] for column in columns), "|")


if __name__ == "__main__":
    main()

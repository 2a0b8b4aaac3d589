"""How deeply a JSON value is nested. Without recursion: a message may be nested as deeply as its author likes."""

from typing import Any

MASKED_DEPTH = 64  # a document nested more deeply is masked as text, since masking a document recurses


def deeper_than(value: Any, limit: int) -> bool:
    """Whether objects and lists are nested more than `limit` levels deep; a scalar has depth 0."""
    level = [value]
    for _ in range(limit + 1):
        level = [item for node in level for item in _children(node)]
        if not level:
            return False
    return True


def _children(node: Any) -> Any:
    if isinstance(node, dict):
        return node.values()
    return node if isinstance(node, list) else ()

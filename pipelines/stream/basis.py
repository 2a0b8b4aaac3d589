"""Versions of what the outcome of a message depends on, recorded in the ledger with each range."""

import functools
import hashlib
from collections.abc import Mapping
from importlib.metadata import version

from pipelines.stream.config import StreamConfig
from schemas import event_types, expectations, reasons

_DIGITS = 12


def basis_of(registry: str, model: str, config: StreamConfig) -> Mapping[str, str]:
    """By name: the registry of grids, the model, the rules and taxonomy, the hash key and the mask patterns (digests
    that do not give them away), the version of the program, and its limits."""
    return {
        "registry": registry,
        "model": model,
        "rules": _rules(),
        "key": hashlib.blake2b(b"gridstream basis", digest_size=8, key=config.hash_key[:64]).hexdigest(),
        "masks": _digest(repr(config.mask_patterns).encode()),
        "limits": f"{config.limits.max_bytes} bytes, {config.limits.max_depth} levels",
        "code": version("gridstream"),
    }


@functools.cache
def _rules() -> str:
    paths = (expectations.FOLDER / "events.yaml", event_types.PATH, reasons.PATH)
    return _digest(b"\0".join(path.read_bytes() for path in paths))


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:_DIGITS]

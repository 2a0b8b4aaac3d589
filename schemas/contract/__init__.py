"""The message contract, one module per version; `CURRENT` is the version that producers write.

Messages in quarantine with the reason `unknown_version` can be replayed once their version is listed here.
"""

from collections.abc import Mapping

from schemas.contract import v1
from schemas.contract.version import Version

VERSIONS: Mapping[int, Version] = {
    v1.VERSION: v1.CONTRACT,
}
CURRENT = v1.VERSION

__all__ = ["CURRENT", "VERSIONS", "Version"]

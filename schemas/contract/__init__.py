"""The message contract, one module per version; `CURRENT` is the version that producers write."""

from schemas.contract.v1 import VERSION as CURRENT

__all__ = ["CURRENT"]

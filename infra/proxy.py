"""HTTP proxies of the environment: connections to this machine must not go through one."""

from collections.abc import Mapping

LOOPBACK = ("127.0.0.1", "localhost", "::1")


def loopback_without_proxy(environment: Mapping[str, str]) -> dict[str, str]:
    """The variables `no_proxy` and `NO_PROXY`, with the loopback addresses added to those of `environment`.

    clickhouse-connect, httpx, urllib and gRPC read one or the other.
    """
    excluded = environment.get("no_proxy") or environment.get("NO_PROXY") or ""
    names = [name.strip() for name in excluded.split(",") if name.strip()]
    joined = ",".join(dict.fromkeys((*names, *LOOPBACK)))
    return dict.fromkeys(("no_proxy", "NO_PROXY"), "*" if "*" in names else joined)

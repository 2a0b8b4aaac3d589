"""What the web UI of Dagster shows of assets, asked as it asks: by GraphQL."""

from typing import Any

import dagster as dg
from dagster._core.test_utils import in_process_test_workspace
from dagster._core.types.loadable_target_origin import LoadableTargetOrigin
from dagster_graphql.test.utils import execute_dagster_graphql

from infra.local.services.dagster import MODULE

_CHECKS = """
query { assetNodes { assetKey { path } assetChecksOrError { ... on AssetChecks { checks {
  name canExecuteIndividually executionForLatestMaterialization { status } } } } } }"""
_PARTITIONS = """
query { assetNodeOrError(assetKey: {path: ["rollup_daily"]}) { ... on AssetNode {
  partitionStats { numPartitions numMaterialized } } } }"""


def _ask(instance: dg.DagsterInstance, query: str) -> dict[str, Any]:
    with in_process_test_workspace(instance, LoadableTargetOrigin(module_name=MODULE)) as context:
        result = execute_dagster_graphql(context, query)
    assert not result.errors, result.errors
    return dict(result.data)


def _checks(instance: dg.DagsterInstance) -> dict[tuple[str, str], dict[str, Any]]:
    nodes = _ask(instance, _CHECKS)["assetNodes"]
    return {
        (node["assetKey"]["path"][0], check["name"]): check
        for node in nodes
        for check in node["assetChecksOrError"].get("checks", [])
    }


def statuses(instance: dg.DagsterInstance) -> dict[tuple[str, str], str | None]:
    """The result of each check, by table and name; None is shown as "not evaluated"."""
    return {
        key: check["executionForLatestMaterialization"] and str(check["executionForLatestMaterialization"]["status"])
        for key, check in _checks(instance).items()
    }


def run_alone(instance: dg.DagsterInstance) -> dict[tuple[str, str], bool]:
    """Whether each check has a button that runs only this check."""
    return {key: check["canExecuteIndividually"] == "CAN_EXECUTE" for key, check in _checks(instance).items()}


def partitions(instance: dg.DagsterInstance) -> tuple[int, int]:
    """The number of partitions of the rollup, and of those that are not shown as missing."""
    stats = _ask(instance, _PARTITIONS)["assetNodeOrError"]["partitionStats"]
    return stats["numPartitions"], stats["numMaterialized"]

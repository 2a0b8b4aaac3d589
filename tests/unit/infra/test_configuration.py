"""The configuration of Kafka, ClickHouse, Dagster and the supervisor, read back with parsers of theirs or of others."""

import hashlib
import json
import os
import re
import shlex
import sqlite3
import stat
from pathlib import Path
from xml.etree import ElementTree

import pytest
import yaml
from dagster import DagsterInstance, DagsterRunStatus
from dagster._core.launcher import WorkerStatus
from dagster._core.storage.tags import GRPC_INFO_TAG
from dagster._core.test_utils import create_run_for_test
from supervisor.options import ServerOptions

from infra.grants import GRANTS
from infra.local.fetch.java import Java
from infra.local.services import clickhouse, dagster, kafka
from infra.local.services.programs import NAMES, programs
from infra.local.sockets import socket_path
from infra.local.supervise import supervisor
from infra.local.supervise.environment import changed_since_start, environment, remember
from infra.settings import USERS, Settings
from pipelines.errors import UserFault

JAVA = Java(Path("/opt/java 家"), "17")


@pytest.fixture
def config(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path / "宁波 100% home")


def properties(text: str) -> dict[str, str]:
    return dict(line.split("=", 1) for line in text.splitlines())


def test_kafka_listens_on_the_ports_that_are_set(config: Settings) -> None:
    broker = properties(kafka.server_properties(config.model_copy(update={"kafka_port": 19092, "host": "0.0.0.0"})))
    assert broker["listeners"] == "PLAINTEXT://0.0.0.0:19092,CONTROLLER://127.0.0.1:9093"
    assert broker["advertised.listeners"].startswith("PLAINTEXT://127.0.0.1:19092,")
    assert broker["message.max.bytes"] == "16777216"
    assert broker["auto.create.topics.enable"] == "false"


def test_kafka_listens_on_ipv6_with_a_controller_on_ipv4(config: Settings) -> None:
    broker = properties(kafka.server_properties(config.model_copy(update={"host": "::"})))
    assert broker["listeners"] == "PLAINTEXT://[::]:9092,CONTROLLER://127.0.0.1:9093"
    assert broker["advertised.listeners"].startswith("PLAINTEXT://[::1]:9092,")


def test_kafkas_properties_hold_no_path_that_java_would_misread(config: Settings) -> None:
    assert kafka.server_properties(config).isascii()
    assert str(config.home) not in kafka.server_properties(config)


def test_clickhouse_users_have_hashed_passwords_and_their_grants(config: Settings) -> None:
    clickhouse.prepare(config)
    path = clickhouse.directory(config) / "users.xml"
    tree = ElementTree.parse(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    for user in USERS:
        password = config.clickhouse(user).password
        assert tree.findtext(f"users/{user}/password_sha256_hex") == hashlib.sha256(password.encode()).hexdigest()
        assert len(tree.findall(f"users/{user}/grants/query")) == len(GRANTS[user])
        assert password not in path.read_text("utf-8")


def test_the_start_up_user_of_clickhouse_can_do_nothing_but_start(config: Settings) -> None:
    clickhouse.prepare(config)
    user = ElementTree.parse(clickhouse.directory(config) / "users.xml").find("users/default")
    assert user is not None
    assert {query.text for query in user.findall("grants/query")} == {
        "GRANT SYSTEM LISTEN ON *.*",
        "GRANT FILE ON *.*",
        "GRANT CREATE TEMPORARY TABLE ON *.*",
    }
    assert user.findtext("profile") == "startup"


def test_a_password_in_the_settings_is_the_servers(config: Settings) -> None:
    changed = Settings(home=config.home, analyst_password="p<&>'\"")
    clickhouse.prepare(changed)
    digest = ElementTree.parse(clickhouse.directory(config) / "users.xml").findtext("users/analyst/password_sha256_hex")
    assert digest == hashlib.sha256(b"p<&>'\"").hexdigest()


# Their counts may be below 5; readers use published_* instead.
RAW_AGGREGATE = re.compile(r"\.(rollup_|mart_|area_ranking|daily_series|rising_types|\*)")


@pytest.mark.parametrize("user", ["analyst", "board"])
def test_readers_get_neither_events_nor_payloads_nor_raw_aggregates(user: str) -> None:
    for grant in GRANTS[user]:
        tables = grant.partition(" ON ")[2]
        assert "events" not in tables
        if "SELECT" in grant and tables not in ("{database}.mart_builds", "{database}.rollup_builds"):
            assert not RAW_AGGREGATE.search(tables)
        if "quarantine" in tables:
            assert "payload," not in grant
            assert "message_key" not in grant
        assert not {"INSERT", "ALL", "ALTER", "DROP"} & set(grant.replace(",", " ").split())


def test_the_supervisor_reads_its_configuration(config: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    known = programs(config, JAVA)
    for program in known:
        program.directory.mkdir(parents=True, exist_ok=True)
    config.logs.mkdir(parents=True)
    config.run.mkdir()
    path = config.run / "supervisord.conf"
    path.write_text(supervisor.configuration(config, known), "utf-8")
    options = ServerOptions()
    monkeypatch.setattr(options, "usage", lambda message: pytest.fail(message))
    options.realize(["-c", str(path)])
    read = {group.name: group.process_configs[0] for group in options.process_group_configs}
    assert sorted(read, key=NAMES.index) == [program.name for program in known]
    for program in known:
        assert shlex.split(read[program.name].command) == program.command()
        assert read[program.name].directory == str(program.directory)
        assert read[program.name].stdout_logfile == str(config.logs / f"{program.name}.log")
    assert options.pidfile == str(config.run / "supervisord.pid")
    assert options.strip_ansi


def test_a_home_the_supervisor_would_misread_is_refused(tmp_path: Path) -> None:
    config = Settings(home=tmp_path / "a ;b")
    with pytest.raises(UserFault, match="GRIDSTREAM_HOME"):
        supervisor.configuration(config, programs(config, JAVA))


def test_a_long_home_gets_a_short_private_socket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", "/tmp")
    short, long = Settings(home="/srv/g"), Settings(home=f"/srv/{'网格' * 40}")
    assert socket_path(short) == Path("/srv/g/run/supervisor.sock")
    assert len(os.fsencode(socket_path(long))) < 100
    assert socket_path(long) != socket_path(Settings(home=f"/srv/{'网格' * 41}"))


def test_a_socket_without_a_listener_gives_no_client(config: Settings) -> None:
    path = socket_path(config)
    path.parent.mkdir(parents=True)
    path.touch()
    assert supervisor.client(config) is None


def test_external_services_are_not_started() -> None:
    outside = Settings(kafka="k:9092", clickhouse_url="http://c:8123")
    assert [p.name for p in programs(outside, JAVA)] == [
        *("stream", "dagster-code", "dagster-webserver", "dagster-daemon", "simulator")
    ]


def test_processes_see_the_settings_and_no_outer_ones(config: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRIDSTREAM_KAFKA", "elsewhere:9092")
    monkeypatch.setenv("gridstream_topic", "other")
    monkeypatch.setenv("SPARK_HOME", "/opt/spark")
    variables = environment(config.model_copy(update={"chunk_rows": 5}), JAVA)
    assert "GRIDSTREAM_KAFKA" not in variables
    assert "gridstream_topic" not in variables
    assert variables["GRIDSTREAM_TOPIC"] == "grid.reports"
    assert variables["GRIDSTREAM_CHUNK_ROWS"] == "5"
    assert variables["JAVA_HOME"] == "/opt/java 家"
    assert "SPARK_HOME" not in variables
    for name, value in variables.items():  # the processes read the same settings from it
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("GRIDSTREAM_KAFKA")
    monkeypatch.delenv("gridstream_topic")
    assert Settings() == config.model_copy(update={"chunk_rows": 5})


def test_changed_settings_are_noticed(config: Settings) -> None:
    remember(config)
    assert changed_since_start(config) == []
    changed = config.model_copy(update={"kafka_port": 1, "data": Path("/elsewhere")})
    assert changed_since_start(changed) == ["GRIDSTREAM_KAFKA_PORT"]


def test_dagsters_telemetry_is_off(config: Settings) -> None:
    dagster.prepare(config)
    document = yaml.safe_load((config.dagster_dir / "dagster.yaml").read_text("utf-8"))
    assert document["telemetry"] == {"enabled": False}
    assert document["run_monitoring"]["free_slots_after_run_end_seconds"] > 0


def test_dagster_can_ask_whether_a_run_still_lives(config: Settings) -> None:
    dagster.prepare(config)
    with DagsterInstance.from_config(str(config.dagster_dir)) as instance:
        assert instance.run_monitoring_enabled
        assert instance.run_launcher.supports_check_run_worker_health
        nowhere = {GRPC_INFO_TAG: json.dumps({"host": "localhost", "socket": str(config.run / "nobody.sock")})}
        run = create_run_for_test(instance, status=DagsterRunStatus.STARTED, tags=nowhere)
        health = instance.run_launcher.check_run_worker_health(run)
        assert health.status == WorkerStatus.RUNNING  # no answer does not prove that the run is dead


def test_dagsters_tables_are_created_once_per_version(config: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    dagster.prepare(config)
    lines: list[str] = []
    dagster.make_tables(config, lines.append)
    assert len(lines) == 1
    with sqlite3.connect(config.dagster_dir / "history" / "runs.db") as runs:
        assert runs.execute("SELECT count(*) FROM runs").fetchone() == (0,)
    dagster.make_tables(config, lines.append)
    assert len(lines) == 1
    monkeypatch.setattr(dagster, "version", lambda _: "0.0")  # another version was installed
    dagster.make_tables(config, lines.append)
    assert len(lines) == 2


def test_tables_that_dagster_refuses_are_a_users_mistake(config: Settings) -> None:
    dagster.prepare(config)
    (config.dagster_dir / "dagster.yaml").write_text("no_such_key: 1\n", "utf-8")
    with pytest.raises(UserFault, match="cannot create its tables"):
        dagster.make_tables(config, lambda _: None)


def test_clickhouse_compresses_answers_with_lz4_for_every_user(config: Settings) -> None:
    """Checked on a running server: byte 17 of an answer to `?compress=1` was 0x90 (zstd), and is 0x82 (LZ4)."""
    profiles = clickhouse.users(config)["profiles"]
    assert profiles["default"]["network_compression_method"] == "LZ4"
    assert "network_compression_method" not in profiles["reader"]  # inherits the server's default profile

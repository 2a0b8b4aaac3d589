"""The embedded stack under trouble: killed parts, taken ports, unusual homes, two people at once."""

import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from kafka import KafkaProducer

from infra.local import stack
from infra.local.services import clickhouse, kafka
from infra.local.sockets import socket_path
from infra.local.supervise import leftovers
from infra.local.supervise.states import ProcessState, processes
from infra.settings import Settings
from pipelines.database import migrate
from pipelines.errors import UserFault
from pipelines.services.kafka import end_offsets, topic_id
from tests.support.stack import own_settings

SERVICES = ("kafka", "clickhouse")


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """A stack in a home that is hard to live in: Chinese, spaces, a percent sign, too long for a socket's path."""
    home = tmp_path_factory.mktemp("stack") / "宁波 网格 100% (试)" / ("很长的路径" * 5)
    settings = own_settings(home, clickhouse_memory="1GiB")
    yield settings
    stack.down(settings)


def state(config: Settings, name: str) -> ProcessState:
    return next(process for process in processes(config) if process.name == name)


def count(config: Settings) -> int:
    with config.client("engineer") as client:
        return int(client.query("SELECT count() FROM writers").result_rows[0][0])


def test_up_makes_what_the_rest_needs_before_it_says_ready(config: Settings) -> None:
    called = list[bool]()

    def hook() -> None:
        called.append(kafka.answers(config) and clickhouse.answers(config))
        assert kafka.make_topic(config)
        migrate.run(config.clickhouse("loader"))

    assert stack.up(config, SERVICES, after_services=hook) == stack.Started(SERVICES, ())
    assert called == [True]
    assert end_offsets(config.kafka_bootstrap, config.topic) == dict.fromkeys(range(config.partitions), 0)


def test_a_second_up_does_nothing(config: Settings) -> None:
    pids = [state(config, name).pid for name in SERVICES]
    assert stack.up(config, SERVICES) == stack.Started((), SERVICES)
    assert [state(config, name).pid for name in SERVICES] == pids


def test_nobody_gets_into_clickhouse_without_a_password(config: Settings) -> None:
    import httpx

    url = f"http://127.0.0.1:{config.clickhouse_port}/"
    assert httpx.post(url, content="SELECT 1").status_code != 200
    assert httpx.post(url, content="SELECT 1", params={"max_sessions_for_user": "0"}).status_code != 200
    assert httpx.post(url, content="SELECT 1", params={"user": "engineer", "password": "x"}).status_code in (401, 403)


def test_readers_see_reports_and_no_hashes(config: Settings) -> None:
    with config.client("analyst") as analyst, config.client("board") as board:
        assert analyst.query("SELECT count() FROM reports").result_rows == [(0,)]
        published = ("published_area_ranking", "published_rising_types", "published_scorecard", "rollup_builds")
        for client, tables in ((analyst, (*published, "review_queue", "mart_builds", "ledger")), (board, published)):
            for table in tables:
                assert client.query(f"SELECT count() FROM {table}").result_rows == [(0,)]
        assert analyst.query("SELECT count(reason) FROM quarantine").result_rows == [(0,)]
        assert board.query("SELECT count() > 0 FROM grids").result_rows == [(True,)]
        for client, table in (
            (analyst, "events"),
            (analyst, "report_states"),
            *((analyst, aggregate) for aggregate in ("rollup_daily", "mart_area_ranking", "scorecard")),
            (board, "reports"),
            (board, "mart_daily_series"),
            (board, "review_queue"),
        ):
            with pytest.raises(Exception, match="ACCESS_DENIED"):
                client.query(f"SELECT * FROM {table}")
        with pytest.raises(Exception, match="ACCESS_DENIED"):
            analyst.query("SELECT payload FROM quarantine")
        with pytest.raises(Exception, match="ACCESS_DENIED"):
            analyst.command("INSERT INTO writers (writer) VALUES (1)")


def test_an_engine_that_would_poison_the_next_start_is_refused(config: Settings) -> None:
    with config.client("engineer") as engineer:
        with pytest.raises(Exception, match="ACCESS_DENIED"):
            engineer.command("CREATE TABLE bad (a String) ENGINE = Kafka('a', 'b', 'c', 'JSONEachRow')")
        assert engineer.query("SELECT timezone()").result_rows == [("Asia/Shanghai",)]


def test_a_killed_service_comes_back_by_itself(config: Settings) -> None:
    before = state(config, "clickhouse")
    assert before.pid is not None
    os.kill(before.pid, signal.SIGKILL)
    until = time.monotonic() + 60
    while time.monotonic() < until and (
        state(config, "clickhouse").pid in (None, before.pid) or not clickhouse.answers(config)
    ):
        time.sleep(0.2)
    assert clickhouse.answers(config)
    assert state(config, "clickhouse").restarts == 1


def test_other_settings_than_the_running_stacks_are_refused(config: Settings) -> None:
    with pytest.raises(UserFault, match="GRIDSTREAM_DATABASE"):
        stack.up(config.model_copy(update={"database": "other"}), SERVICES)


def test_after_the_supervisor_is_killed_up_heals_and_nothing_is_lost(config: Settings) -> None:
    producer = KafkaProducer(bootstrap_servers=config.kafka_bootstrap, acks="all")
    producer.send(config.topic, b"kept", partition=0).get(timeout=10)
    producer.close()
    with config.client("loader") as loader:
        loader.command("INSERT INTO writers (writer) VALUES (7)")
    topic, broker = topic_id(config.kafka_bootstrap, config.topic), state(config, "kafka").pid
    os.kill(int((config.run / "supervisord.pid").read_text()), signal.SIGKILL)
    assert broker is not None
    assert psutil.pid_exists(broker)
    assert state(config, "kafka").state == "orphaned"
    assert stack.up(config, SERVICES).started == SERVICES
    assert not psutil.pid_exists(broker)
    assert topic_id(config.kafka_bootstrap, config.topic) == topic
    assert end_offsets(config.kafka_bootstrap, config.topic)[0] == 1
    assert count(config) == 1


def test_two_people_at_once(config: Settings) -> None:
    stack.down(config)
    results, lines, called = list[stack.Started](), list[str](), list[None]()

    def start() -> None:
        results.append(stack.up(config, ("clickhouse",), lines.append, lambda: called.append(None)))

    threads = [threading.Thread(target=start) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(result.started for result in results) == [(), ("clickhouse",)]
    assert any("waiting for another" in line for line in lines)
    assert called == []  # Kafka is down: too early for topics
    assert count(config) == 1


def test_down_leaves_nothing_and_can_be_said_twice(config: Settings) -> None:
    assert stack.down(config) == ("clickhouse",)
    assert leftovers.marked(config.home) == []
    assert not socket_path(config).parent.exists()  # a folder of its own: this home's path is too long
    assert stack.down(config) == ()
    assert {process.state for process in processes(config)} == {"stopped"}


def test_down_after_the_supervisor_is_gone(config: Settings) -> None:
    stack.up(config, ("kafka",))
    os.kill(int((config.run / "supervisord.pid").read_text()), signal.SIGKILL)
    assert stack.down(config) == ("kafka",)
    assert leftovers.marked(config.home) == []


def test_a_taken_port_is_found_before_anything_starts(config: Settings) -> None:
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", config.clickhouse_port))
        other.listen()
        with pytest.raises(UserFault, match=f"port {config.clickhouse_port} is in use by .*GRIDSTREAM_CLICKHOUSE_PORT"):
            stack.up(config, SERVICES)
        assert leftovers.marked(config.home) == []


def test_a_part_that_cannot_start_says_why(config: Settings) -> None:
    data = clickhouse.directory(config) / "data"
    data.rename(data.with_name("aside"))
    data.write_text("a file where a folder should be")
    try:
        with pytest.raises(stack.StackFault, match="clickhouse did not start") as caught:
            stack.up(config, ("clickhouse",))
        assert caught.value.lines
        assert state(config, "clickhouse").state == "stopped"
    finally:
        stack.down(config)
        data.unlink()
        data.with_name("aside").rename(data)


def test_a_home_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UserFault, match="GRIDSTREAM_HOME"):
        stack.up(own_settings(tmp_path / "file" / "home"), SERVICES)
    assert stack.down(own_settings(tmp_path / "file" / "home")) == ()

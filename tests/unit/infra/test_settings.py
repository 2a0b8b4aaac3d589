import json
import multiprocessing
import os
import stat
from pathlib import Path

import pytest

from infra.secrets import embedded_secrets
from infra.settings import USERS, Settings, read_settings, unknown_variables, variable
from pipelines.errors import UserFault


def test_without_anything_set_everything_is_embedded(tmp_path: Path) -> None:
    config = read_settings()
    assert config.kafka_bootstrap == "127.0.0.1:9092"
    assert config.clickhouse("loader").url == "http://127.0.0.1:8123"
    assert config.checkpoint_dir == tmp_path / "home" / "checkpoint"
    assert len(config.hash_key_bytes()) == 32


def test_dotenv_is_read_and_the_environment_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".env").write_text("GRIDSTREAM_PARTITIONS=7\nGRIDSTREAM_TOPIC=a.b\nGRIDSTREAM_KAFKA=\n", "utf-8")
    monkeypatch.setenv("GRIDSTREAM_TOPIC", "c.d")
    config = read_settings()
    assert (config.partitions, config.topic, config.kafka) == (7, "c.d", None)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("CLICKHOUSE_URL", "http://h:99999"),
        ("CLICKHOUSE_URL", "http://h:0"),
        ("CLICKHOUSE_URL", "http://h:port"),
        ("CLICKHOUSE_URL", "http://h:8123/play"),
        ("CLICKHOUSE_URL", "http://h:8123?database=x"),
        ("CLICKHOUSE_URL", "http://"),
        ("CLICKHOUSE_URL", "http://[::1:8123"),
        ("CLICKHOUSE_URL", "h:8123"),
        ("CLICKHOUSE_URL", "tcp://h:9000"),
        ("KAFKA", "h"),
        ("KAFKA", "h:9092,"),
        ("KAFKA", "h:9092;i:9092"),
        ("KAFKA", "h:99999"),
        ("KAFKA", "http://h:9092"),
        ("KAFKA", "u:p@h:9092"),
        ("PARTITIONS", "many"),
        ("KAFKA_PORT", "0"),
        ("CLICKHOUSE_MEMORY", "lots"),
        ("DATABASE", "a-b; DROP"),
        ("SPARK_DRIVER_MEMORY", "2 gigs"),
        ("TOPIC", "网格"),
        ("TRIGGER_SECONDS", "-1"),
        ("DAGSTER_RUN_DAYS", "0"),
        ("DAGSTER_RUN_DAYS", "month"),
    ],
)
def test_a_wrong_value_is_one_line_that_names_the_variable(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"GRIDSTREAM_{name}", value)
    with pytest.raises(UserFault, match=f"GRIDSTREAM_{name}") as caught:
        read_settings()
    assert "\n" not in str(caught.value)
    assert ("@" in value) or f"={value}" in str(caught.value)


@pytest.mark.parametrize(
    ("name", "value", "address"),
    [
        ("CLICKHOUSE_URL", "https://ch.example", "https://ch.example"),
        ("CLICKHOUSE_URL", "HTTP://10.0.0.1:8123/", "HTTP://10.0.0.1:8123"),
        ("CLICKHOUSE_URL", "http://[fd00::1]:8123", "http://[fd00::1]:8123"),
        ("KAFKA", "k1:9092, k2:9092", "k1:9092,k2:9092"),
        ("KAFKA", "[fd00::1]:9092", "[fd00::1]:9092"),
    ],
)
def test_addresses_of_external_services(name: str, value: str, address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"GRIDSTREAM_{name}", value)
    config = read_settings()
    assert (config.kafka if name == "KAFKA" else config.clickhouse_url) == address


def test_a_password_in_a_url_is_refused_and_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRIDSTREAM_CLICKHOUSE_URL", "http://engineer:secret@h:8123")
    with pytest.raises(UserFault, match="GRIDSTREAM_ENGINEER_PASSWORD") as caught:
        read_settings()
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(("host", "local"), [("::1", "[::1]"), ("::", "[::1]"), ("0.0.0.0", "127.0.0.1")])
def test_clients_of_this_machine_reach_an_embedded_service(host: str, local: str) -> None:
    config = Settings(host=host)
    assert config.kafka_bootstrap == f"{local}:9092"
    assert config.clickhouse("loader").url == f"http://{local}:8123"


def test_a_wrong_secret_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRIDSTREAM_HASH_KEY", "tooshort")
    with pytest.raises(UserFault, match="GRIDSTREAM_HASH_KEY") as caught:
        read_settings()
    assert "tooshort" not in str(caught.value)


def test_two_services_cannot_have_one_port(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRIDSTREAM_DAGSTER_PORT", "9092")
    with pytest.raises(UserFault, match="same port"):
        read_settings()


def test_a_mistyped_variable_is_reported_with_a_similar_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRIDSTREAM_CLICKHOSE_URL", "http://a:1")
    assert unknown_variables() == {"GRIDSTREAM_CLICKHOSE_URL": "GRIDSTREAM_CLICKHOUSE_URL"}


def test_secrets_are_private_and_stay_the_same() -> None:
    first, path = read_settings().secrets, read_settings().home / "secrets.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert read_settings().secrets == first
    assert len({getattr(first, user) for user in USERS}) == len(USERS)
    assert first.engineer not in repr(first)


def test_secrets_of_an_earlier_version_are_complete() -> None:
    names = ("engineer", "loader", "analyst", "board", "hash_key")
    earlier = {name: name.encode().hex() for name in names}
    path = read_settings().home / "secrets.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(earlier))
    passwords = {user: read_settings().clickhouse(user).password for user in USERS}
    assert passwords == {user: earlier.get(user, passwords["repair"]) for user in USERS}
    assert len(set(passwords.values())) == len(USERS)


def test_of_two_processes_one_creates_the_secrets(tmp_path: Path) -> None:
    with multiprocessing.get_context("spawn").Pool(4) as pool:
        secrets = pool.map(embedded_secrets, [tmp_path / "shared"] * 8)
    assert len(set(secrets)) == 1
    assert os.listdir(tmp_path / "shared") == ["secrets.json"]


@pytest.mark.parametrize("content", ["", "{}x", '{"engineer": "a", "unknown": 1}'])
def test_damaged_secrets_are_never_replaced(content: str) -> None:
    path = read_settings().home / "secrets.json"
    path.parent.mkdir()
    path.write_text(content, "utf-8")
    with pytest.raises(UserFault, match="damaged"):
        read_settings().hash_key_bytes()
    assert path.read_text("utf-8") == content


def test_a_home_that_cannot_be_created(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("GRIDSTREAM_HOME", str(tmp_path / "file" / "home"))
    with pytest.raises(UserFault, match="GRIDSTREAM_HOME"):
        read_settings().clickhouse("loader")


def test_an_external_clickhouse_takes_nothing_from_the_embedded_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRIDSTREAM_CLICKHOUSE_URL", "https://ch.example:8443/")
    config = read_settings()
    with pytest.raises(UserFault, match="GRIDSTREAM_LOADER_PASSWORD"):
        config.clickhouse("loader")
    with pytest.raises(UserFault, match="GRIDSTREAM_HASH_KEY"):
        config.hash_key_bytes()
    monkeypatch.setenv("GRIDSTREAM_LOADER_PASSWORD", "")
    assert read_settings().clickhouse("loader").password == ""
    assert read_settings().clickhouse("loader").url == "https://ch.example:8443"
    assert not config.home.exists()


def test_every_setting_has_a_description() -> None:
    for name, field in Settings.model_fields.items():
        assert field.description, variable(name)
        assert json.dumps(field.json_schema_extra)

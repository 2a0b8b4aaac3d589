"""All settings, read from GRIDSTREAM_* in the environment, then from `.env` in the working folder.

Without any setting, all services run on this machine ("embedded"). With GRIDSTREAM_KAFKA or
GRIDSTREAM_CLICKHOUSE_URL the same code uses external services.
"""

import functools
import os
import re
from collections.abc import Iterator
from contextlib import closing, contextmanager
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from clickhouse_connect.driver.client import Client
from dotenv import dotenv_values
from platformdirs import user_cache_path, user_data_path
from pydantic import BeforeValidator, ByteSize, Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from infra.secrets import Secrets, embedded_secrets
from pipelines.errors import UserFault
from pipelines.services.clickhouse import ClickHouse, connect

PREFIX = "GRIDSTREAM_"
CHECKOUT = Path(__file__).resolve().parents[1]
USERS = ("engineer", "loader", "analyst", "board", "repair")
User = Literal["engineer", "loader", "analyst", "board", "repair"]
_MIB = 1024**2

_ADDRESS = r"(?:\[[0-9a-fA-F:.]+\]|[^\s:/?#@,\[\]]+)(?::([0-9]{1,6}))?"  # a host name or [IPv6], and a port
_URL = re.compile(rf"https?://{_ADDRESS}/?", re.IGNORECASE)
_SECRETS = ("password", "hash_key")

Port = Annotated[int, Field(ge=1, le=65535)]
_Unset = BeforeValidator(lambda value: None if value == "" else value)  # NAME= in .env means "not set"
OptionalText = Annotated[str | None, _Unset]
OptionalPath = Annotated[Path | None, _Unset]


def _default_home() -> Path:
    in_checkout = (CHECKOUT / "pyproject.toml").is_file()
    return CHECKOUT / ".gridstream" if in_checkout else user_data_path("gridstream")


def _field(group: str, default: Any, description: str, **limits: Any) -> Any:
    keyword = "default_factory" if callable(default) else "default"
    return Field(description=description, json_schema_extra={"group": group}, **{keyword: default}, **limits)


_HOME = functools.partial(_field, "文件 files")
_KAFKA = functools.partial(_field, "Kafka")
_CLICKHOUSE = functools.partial(_field, "ClickHouse")
_STREAM = functools.partial(_field, "流 stream")
_DAGSTER = functools.partial(_field, "Dagster")


class Settings(BaseSettings):
    """All settings, checked. Paths are absolute."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_file=".env", env_file_encoding="utf-8", extra="ignore", frozen=True
    )

    home: Path = _HOME(_default_home, "数据、日志与密码所在 data, logs and secrets of this stack")
    cache: Path = _HOME(
        lambda: user_cache_path("gridstream"),
        "可重新下载的文件（jar） files that can be fetched again; shared by stacks",
    )
    data: OptionalPath = _HOME(None, "真实数据目录 folder of public data sets, for ingest, bench and tests")
    ivy_settings: OptionalPath = _HOME(None, "Ivy 设置文件（内网 Maven 镜像） Ivy settings file, for a Maven mirror")
    host: str = _HOME(
        "127.0.0.1",
        "内置服务监听的地址 address that embedded services listen on; its clients are trusted",
        min_length=1,
    )

    kafka: OptionalText = _KAFKA(None, "外部 Kafka，主机:端口 bootstrap servers host:port,...; unset = embedded Kafka")
    kafka_port: Port = _KAFKA(9092, "内置 Kafka 的端口 port of the embedded Kafka")
    kafka_controller_port: Port = _KAFKA(9093, "内置 Kafka 控制器的端口 port of its KRaft controller")
    kafka_memory: str = _KAFKA("512m", "内置 Kafka 的堆 heap of the embedded Kafka", pattern=r"^[1-9]\d*[mg]$")
    topic: str = _KAFKA("grid.reports", "上报消息的主题 topic of the reports", pattern=r"^[a-zA-Z0-9._-]{1,249}$")
    partitions: int = _KAFKA(4, "主题的分区数 partitions of a new topic", ge=1, le=1000)
    replication: int = _KAFKA(1, "主题的副本数 replicas of each partition of a new topic", ge=1, le=10)
    retention_days: int = _KAFKA(14, "消息在 Kafka 保留的天数 days that Kafka keeps a message", ge=1, le=3650)
    max_message_bytes: ByteSize = _KAFKA(ByteSize(16 * _MIB), "最大消息 largest accepted message", ge=1024)

    clickhouse_url: OptionalText = _CLICKHOUSE(
        None, "外部 ClickHouse，http://主机:端口 URL without credentials; unset = embedded ClickHouse"
    )
    clickhouse_port: Port = _CLICKHOUSE(8123, "内置 ClickHouse 的 HTTP 端口 HTTP port of the embedded ClickHouse")
    clickhouse_tcp_port: Port = _CLICKHOUSE(9000, "内置 ClickHouse 的原生端口 its native port")
    clickhouse_memory: ByteSize = _CLICKHOUSE(
        ByteSize(6 * 1024 * _MIB),
        "内置 ClickHouse 的内存上限 memory limit of the embedded ClickHouse",
        ge=512 * _MIB,
    )
    database: str = _CLICKHOUSE("gridstream", "数据库 database", pattern=r"^[a-zA-Z_][a-zA-Z0-9_]{0,62}$")
    engineer_password: SecretStr | None = _CLICKHOUSE(None, "用户 engineer 的密码 its password; embedded: generated")
    loader_password: SecretStr | None = _CLICKHOUSE(None, "用户 loader 的密码 its password; embedded: generated")
    analyst_password: SecretStr | None = _CLICKHOUSE(None, "用户 analyst 的密码 its password; embedded: generated")
    board_password: SecretStr | None = _CLICKHOUSE(None, "用户 board 的密码 its password; embedded: generated")
    repair_password: SecretStr | None = _CLICKHOUSE(
        None,
        "用户 repair（无权限）的密码 its password; it evaluates repairs; embedded: generated",
    )
    hash_key: SecretStr | None = _CLICKHOUSE(
        None, "上报人哈希的密钥 key of the hashes of reporters, 16 characters or more; embedded: generated"
    )

    spark_master: str = _STREAM("local[2]", "Spark 主节点 Spark master", min_length=1)
    spark_driver_memory: str = _STREAM("2g", "Spark 驱动的堆 heap of the Spark driver", pattern=r"^[1-9]\d*[mg]$")
    checkpoint: OptionalPath = _STREAM(None, "检查点目录 folder of the stream's checkpoint; unset = home/checkpoint")
    trigger_seconds: float = _STREAM(2.0, "微批间隔（秒） seconds between micro-batches", ge=0, le=3600)
    max_batch_rows: int = _STREAM(1_000_000, "微批最多消息数 most messages in a micro-batch", ge=1)
    mask_patterns: OptionalPath = _STREAM(None, "自定脱敏规则（YAML） YAML list of {name, regex} to mask in addition")
    breaker_ratio: float = _STREAM(0.3, "熔断：被拒比例 share of rejects at which the stream holds", gt=0, le=1)
    breaker_window: int = _STREAM(
        10_000,
        "按最近多少条计算比例 latest messages of a partition that the share is computed from; 0 = never",
        ge=0,
        le=1_000_000,
    )
    breaker_minimum: int = _STREAM(500, "至少多少条才判断 fewest messages for which the share counts", ge=1)
    breaker_run: int = _STREAM(
        2_000, "熔断：连续被拒条数 rejected messages in a row at which it holds; 0 = never", ge=0, le=1_000_000
    )
    chunk_rows: int = _STREAM(65_536, "插入块的偏移量数 offsets per chunk, the unit of inserts", ge=1, le=10_000_000)

    dagster_port: Port = _DAGSTER(3000, "Dagster 网页的端口 port of Dagster's web UI")
    dagster_home: OptionalPath = _DAGSTER(None, "Dagster 的目录 folder of Dagster's own state; unset = home/dagster")
    dagster_run_days: int = _DAGSTER(
        30, "已结束的运行保留的天数 days that Dagster keeps a finished run, its events and files", ge=1, le=3650
    )

    @field_validator("home", "cache", "data", "ivy_settings", "checkpoint", "dagster_home", "mask_patterns")
    @classmethod
    def _absolute(cls, value: Path | None) -> Path | None:
        return value and Path(os.path.abspath(value.expanduser()))

    @field_validator("kafka")
    @classmethod
    def _kafka_addresses(cls, value: str | None) -> str | None:
        addresses = [address.strip() for address in value.split(",")] if value else []
        for address in addresses:
            match = re.fullmatch(_ADDRESS, address)
            if not match or not match[1]:
                raise ValueError("应为 主机:端口 must be host:port,host:port, such as kafka1:9092,kafka2:9092")
            _check_port(match[1])
        return ",".join(addresses) or None

    @field_validator("clickhouse_url")
    @classmethod
    def _clickhouse_address(cls, value: str | None) -> str | None:
        if value is None:
            return None
        match = _URL.fullmatch(value)
        if not match:
            raise ValueError(
                "应为 must be http://host:port or https://host:port, 不含密码与路径 without credentials and path; "
                f"密码见 for the password set {variable('engineer_password')} and the like"
            )
        _check_port(match[1] or "8123")
        return value.rstrip("/")

    @field_validator("hash_key")
    @classmethod
    def _long_enough(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and len(value.get_secret_value()) < 16:
            raise ValueError("至少 16 个字符 must have 16 characters or more")
        return value

    @model_validator(mode="after")
    def _ports_differ(self) -> Self:
        ports = [self.kafka_port, self.kafka_controller_port, self.clickhouse_port, self.clickhouse_tcp_port]
        if len({*ports, self.dagster_port}) < len(ports) + 1:
            raise ValueError(
                "端口重复 two of the *_PORT settings name the same port; 请各用一个 give each service its own"
            )
        return self

    @property
    def kafka_bootstrap(self) -> str:
        """Bootstrap servers, as Kafka clients expect them."""
        return self.kafka or self.local_address(self.kafka_port)

    @property
    def local_host(self) -> str:
        """The host at which a client on this machine finds an embedded service."""
        return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.host, self.host)  # noqa: S104

    def local_address(self, port: int) -> str:
        """host:port of an embedded service, for a client on this machine."""
        return join_address(self.local_host, port)

    @property
    def checkpoint_dir(self) -> Path:
        return self.checkpoint or self.home / "checkpoint"

    @property
    def dagster_dir(self) -> Path:
        return self.dagster_home or self.home / "dagster"

    @property
    def model(self) -> Path:
        """Path of the promoted text model; the file is absent until a model is promoted."""
        return self.home / "models" / "current.npz"

    @property
    def logs(self) -> Path:
        return self.home / "logs"

    @property
    def run(self) -> Path:
        return self.home / "run"

    @property
    def secrets(self) -> Secrets:
        """Generated secrets of the embedded stack. Raises as `embedded_secrets` does."""
        return embedded_secrets(self.home)

    def clickhouse(self, user: User) -> ClickHouse:
        """Address and identity of `user`.

        Raises:
            UserFault: ClickHouse is external, and no password is set for this user.
        """
        configured: SecretStr | None = getattr(self, f"{user}_password")
        if configured is None and self.clickhouse_url:
            name = variable(f"{user}_password")
            raise UserFault(
                f"未设置 {name} is not set; 外部 an external ClickHouse needs it (an empty value is allowed)"
            )
        password = configured.get_secret_value() if configured is not None else getattr(self.secrets, user)
        url = self.clickhouse_url or f"http://{self.local_address(self.clickhouse_port)}"
        return ClickHouse(url=url, user=user, password=password, database=self.database)

    @contextmanager
    def client(self, user: User, **options: Any) -> Iterator[Client]:
        """A ClickHouse client of `user`, closed at the end. Raises as `clickhouse` and `connect` do.

        options: settings of ClickHouse that apply to all queries of the client.
        """
        with closing(connect(self.clickhouse(user), **options)) as client:
            yield client

    def hash_key_bytes(self) -> bytes:
        """The key of the hashes of reporters.

        Raises:
            UserFault: ClickHouse is external, and no key is set: other writers would not know a key generated here.
        """
        if self.hash_key is not None:
            return self.hash_key.get_secret_value().encode()
        if self.clickhouse_url:
            raise UserFault(
                "未设置 GRIDSTREAM_HASH_KEY is not set; "
                "外部 an external ClickHouse needs one key that all its writers share"
            )
        return bytes.fromhex(self.secrets.hash_key)


def join_address(host: str, port: int) -> str:
    """host:port, with the brackets that an IPv6 address needs."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def variable(field: str) -> str:
    """Name of a field's environment variable."""
    return PREFIX + field.upper()


def read_settings() -> Settings:
    """The settings of the current environment.

    Raises:
        UserFault: a value is wrong (one line that names each such variable), or `.env` cannot be read.
    """
    try:
        return Settings()
    except ValidationError as error:
        raise UserFault("; ".join(_explain(fault) for fault in error.errors())) from None
    except (OSError, UnicodeDecodeError) as error:
        raise UserFault(f"无法读取 cannot read .env in {Path.cwd()}: {error}") from None


def _explain(fault: Any) -> str:
    message = fault["msg"].removeprefix("Value error, ")
    if not fault["loc"]:
        return f"设置有误 settings: {message}"
    name, value = str(fault["loc"][0]), str(fault["input"])
    secret = name.endswith(_SECRETS) or "@" in value  # a URL with credentials
    return f"设置有误 {variable(name)}{'' if secret else f'={value}'}: {message}"


def _check_port(text: str) -> None:
    """Raises ValueError unless `text` is the number of a TCP port."""
    if not 1 <= int(text) <= 65535:
        raise ValueError(f"端口应在 the port must be from 1 to 65535, not {text}")


@functools.cache
def settings() -> Settings:
    """`read_settings()`, read once per process; `settings.cache_clear()` makes the next call read again."""
    return read_settings()


def unknown_variables() -> dict[str, str | None]:
    """GRIDSTREAM_* names that are not settings, each with the most similar setting, if any is similar."""
    known = [field.upper() for field in Settings.model_fields]
    names = {name.upper() for name in (*os.environ, *dotenv_values(".env"))} - {*map(variable, known), *INTERNAL}
    unknown = [name.removeprefix(PREFIX) for name in sorted(names) if name.startswith(PREFIX)]
    similar = {name: next(iter(get_close_matches(name, known, 1)), None) for name in unknown}
    return {variable(name): match and variable(match) for name, match in similar.items()}


# Set by the stack for its own processes.
INTERNAL = (PREFIX + "STACK",)

"""Configuration of the embedded ClickHouse, and whether it answers."""

import hashlib
from pathlib import Path
from typing import Any, get_args
from xml.etree import ElementTree

import httpx

from infra.grants import grants
from infra.local.files import write_private
from infra.settings import Settings, User

Tree = dict[str, Any]  # nested element names; a list repeats its element
READERS = ("analyst", "board")


def directory(settings: Settings) -> Path:
    return settings.home / "clickhouse"


def prepare(settings: Settings) -> None:
    """Write config.xml and users.xml. Raises UserFault if the folder cannot be written."""
    folder = directory(settings)
    write_private(folder / "config.xml", _xml(config(settings)))
    write_private(folder / "users.xml", _xml(users(settings)))


def answers(settings: Settings) -> bool:
    """Whether the server answers."""
    try:
        url = f"http://{settings.local_address(settings.clickhouse_port)}/ping"
        reply = httpx.get(url, timeout=2, trust_env=False)  # never through a proxy
    except httpx.HTTPError:
        return False
    return reply.status_code == 200 and reply.text.startswith("Ok")


def config(settings: Settings) -> Tree:
    """Server configuration: ports, memory, logs. Without system log tables, which would grow without limit."""
    memory = int(settings.clickhouse_memory)
    return {
        "listen_host": settings.host,
        "http_port": settings.clickhouse_port,
        "tcp_port": settings.clickhouse_tcp_port,
        "logger": {"log": "server.log", "errorlog": "error.log", "size": "50M", "count": 3},
        "log-level": "information",  # in an embedded engine this key overrides logger.level
        "user_directories": {"users_xml": {"path": "users.xml"}},
        "max_server_memory_usage": memory,
        "mark_cache_size": memory // 16,
        "uncompressed_cache_size": 0,
        "background_schedule_pool_size": 16,  # the embedded default, one per core, is too few for 30 tables
        "max_concurrent_queries": 100,
        "max_table_size_to_drop": 0,
        "max_partition_size_to_drop": 0,
        "access_control_improvements": {
            "select_from_system_db_requires_grant": "true",
            "table_engines_require_grant": "true",
        },
    }


def users(settings: Settings) -> Tree:
    """Users, their rights and limits. For the start-up user `default` see `_startup_profile`."""
    memory = int(settings.clickhouse_memory)
    return {
        "profiles": {
            # clickhouse-jdbc reads LZ4 answers only, and the server's default is zstd
            "default": {"max_memory_usage": memory * 3 // 4, "network_compression_method": "LZ4"},
            "startup": _startup_profile(),
            "reader": _reader_profile(memory // 3),
            "repair": {"max_memory_usage": memory // 3},  # the client sets the others
        },
        "quotas": {"default": {}},
        "users": {
            "default": {
                "no_password": {},
                "networks": {"ip": "127.0.0.1"},
                "profile": "startup",
                "quota": "default",
                "grants": {"query": list(grants("default", settings.database))},
            },
            **{user: _user(settings, user) for user in get_args(User)},
        },
    }


def _startup_profile() -> Tree:
    """At most one session: the server's own, which never ends. So no client can log in without a password."""
    return {"max_sessions_for_user": 1, "constraints": {"max_sessions_for_user": {"const": {}}}}


def _reader_profile(memory: int) -> Tree:
    """Read only (2: clients may change settings), with limits of 60 s and `memory` bytes per query."""
    return {
        "readonly": 2,
        "max_execution_time": 60,
        "max_memory_usage": memory,
        "constraints": {
            "max_execution_time": {"min": 1, "max": 60},
            "max_memory_usage": {"min": 1, "max": memory},
        },
    }


def _user(settings: Settings, user: User) -> Tree:
    password = settings.clickhouse(user).password
    return {
        "password_sha256_hex": hashlib.sha256(password.encode()).hexdigest(),
        "networks": {"ip": "::/0"},
        "profile": _profile(user),
        "quota": "default",
        "grants": {"query": list(grants(user, settings.database))},
    }


def _profile(user: User) -> str:
    if user == "repair":
        return "repair"
    return "reader" if user in READERS else "default"


def _xml(tree: Tree) -> str:
    root = ElementTree.Element("clickhouse")
    _fill(root, tree)
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode") + "\n"


def _fill(element: ElementTree.Element, content: Any) -> None:
    if not isinstance(content, dict):
        element.text = str(content)
        return
    for name, value in content.items():
        for item in value if isinstance(value, list) else [value]:
            _fill(ElementTree.SubElement(element, name), item)

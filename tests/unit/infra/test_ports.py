import os
import socket

import pytest

from infra.local.supervise.ports import require_free
from infra.settings import Settings
from pipelines.errors import UserFault


def test_a_taken_port_names_itself_its_holder_and_the_setting() -> None:
    with socket.socket() as server:
        server.bind(("0.0.0.0", 0))  # listening everywhere takes 127.0.0.1 too
        server.listen()
        port = server.getsockname()[1]
        config = Settings(clickhouse_port=port)
        with pytest.raises(UserFault, match=f"{port} is in use by .*GRIDSTREAM_CLICKHOUSE_PORT") as caught:
            require_free(config, ("clickhouse_port", "clickhouse_tcp_port"))
        assert f"pid {os.getpid()}" in str(caught.value)
    require_free(config, ("clickhouse_port",))


def test_an_address_of_another_machine() -> None:
    with pytest.raises(UserFault, match="cannot be used on 192.0.2.1"):
        require_free(Settings(host="192.0.2.1"), ("kafka_port",))

import pytest

from pipelines.errors import TransientFault, UserFault
from pipelines.services.kafka import TopicSpec, admin, topic_id


def test_a_broker_that_does_not_answer_is_a_transient_fault() -> None:
    with pytest.raises(TransientFault, match="127.0.0.1:1"), admin("127.0.0.1:1", timeout=0.3):
        pytest.fail("nobody listens there")


def test_a_malformed_address_is_a_user_fault() -> None:
    with pytest.raises(UserFault, match="GRIDSTREAM_KAFKA"):
        topic_id("host:port", "grid.reports")


def test_topic_settings_in_kafkas_own_units() -> None:
    spec = TopicSpec("t", partitions=4, retention_days=14, max_message_bytes=1024)
    assert spec.configs() == {
        "cleanup.policy": "delete",
        "retention.ms": "1209600000",
        "max.message.bytes": "1024",
        "message.timestamp.type": "LogAppendTime",
    }

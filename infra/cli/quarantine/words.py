"""States, stages and reasons of rejected messages in both languages."""

from schemas.reasons import reasons

STATES = {
    "waiting": "待处理 waiting",
    "replaying": "重放未确认 replaying",
    "replayed": "已重放 replayed",
    "fixed": "已修正 fixed",
    "discarded": "已放弃 discarded",
}
STAGES = {"decode": "解码 decode", "judge": "研判 judge", "isolate": "隔离 isolate"}
WHY = {
    "cut": "内容被截断 payload was cut",
    "not_json": "不是 JSON 对象 not a JSON object",
    "not_applied": "修正不适用 the repair does not apply",
    "rejected": "仍会被拒 would be rejected again",
    "claimed": "另一次运行已取 claimed by another run",
}
WHY_UNKNOWN = {
    "retention": "Kafka 保留期已过 Kafka's retention has deleted messages of that time",
    "topic_recreated": "主题已重建 the topic was recreated after they were rejected",
    "namesake": "新旧主题中位置相同 a message of an earlier topic of this name had the same position",
}


def names(reason: str) -> dict[str, str]:
    """A reason in both languages, for a document."""
    known = reasons().get(reason)
    return {"reason_zh": known.zh if known else "", "reason_en": known.en if known else ""}


def titled(reason: str) -> str:
    """`取值不合规 bad_value`; a rule of the contract keeps its path: `取值不合规 bad_value:severity`."""
    known = reasons().get(reason.partition(":")[0])
    return f"{known.zh} {reason}" if known else reason

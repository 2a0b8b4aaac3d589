"""Invented places to put before a text: real titles begin with a place, and places must not hint at
a type.
"""

from random import Random

_FIRST = "石龙白黄大小东西南北新金银青云马牛双长高太平安永福兴清江红柳桃梅竹松杨古玉凤鹤天上下中"
_SECOND = "山桥河湖塘溪坪田岭湾沙市家洲坝冲岗口店林泉港渡浦原阳水岩井庄"
_FORMS = (
    "{city}",
    "{city}{district}",
    "{city}{name}街道{other}社区",
    "{county}{name}镇",
    "{county}{name}乡{other}村",
    "{district}{name}路",
    "{county}",
    "{name}镇{other}村",
)


def placed(text: str) -> str:
    """The text with a place before it; the same place each time."""
    draw = Random(text)  # noqa: S311 - an example, not a secret
    alias = f"{draw.choice('ABCDEFGHJKLM')}{draw.randint(1, 20)}"
    place = draw.choice(_FORMS).format(
        city=draw.choice((alias, _name(draw))) + "市",
        county=draw.choice((alias, _name(draw))) + "县",
        district=draw.choice((alias, _name(draw))) + "区",
        name=_name(draw),
        other=_name(draw),
    )
    return place + text


def _name(draw: Random) -> str:
    return draw.choice(_FIRST) + draw.choice(_SECOND)

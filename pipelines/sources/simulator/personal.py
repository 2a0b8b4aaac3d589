"""Planted personal data: invented but valid-looking numbers, to test masking."""

from typing import Any, NamedTuple

import numpy as np

_SURNAMES = "王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗"
_GIVEN = "伟芳娜敏静丽强磊军洋勇艳杰娟涛明超秀霞平刚桂英建国志华玉兰海燕"
_LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ"
_MOBILE_HEADS = ("134", "135", "137", "138", "139", "150", "151", "158", "159", "177", "186", "188", "198")
# Official weights and check characters of the 18-digit ID number (GB 11643-1999, ISO 7064 MOD 11-2).
_ID_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_ID_CHECKS = "10X98765432"


class Planted(NamedTuple):
    """A piece of text with personal data; `values`: (kind, value as written)."""

    text: str
    values: tuple[tuple[str, str], ...]


def pool(rng: np.random.Generator, size: int = 4096) -> list[Planted]:
    """`size` pieces of text; every kind occurs."""
    makers = (_called, _with_id, _card, _plate, _mail, _landline, _name_only)
    return [makers[i % len(makers)](rng) for i in range(size)]


def _pick(rng: np.random.Generator, options: Any) -> Any:
    return options[int(rng.integers(len(options)))]


def _digits(rng: np.random.Generator, count: int) -> str:
    return "".join(map(str, rng.integers(0, 10, count)))


def name(rng: np.random.Generator) -> str:
    return str(_pick(rng, _SURNAMES)) + "".join(_pick(rng, _GIVEN) for _ in range(int(rng.integers(1, 3))))


def mobile(rng: np.random.Generator) -> str:
    return str(_pick(rng, _MOBILE_HEADS)) + _digits(rng, 8)


def _called(rng: np.random.Generator) -> Planted:
    who, number = name(rng), mobile(rng)
    written = _pick(
        rng, (number, number, f"{number[:3]}-{number[3:7]}-{number[7:]}", f"{number[:3]} {number[3:7]} {number[7:]}")
    )
    text = _pick(rng, (f"，联系人{who}，电话{written}", f"。{who} {written}", f"，请回电{written}（{who}）"))
    return Planted(text, (("name", who), ("mobile", written)))


def _with_id(rng: np.random.Generator) -> Planted:
    who, number = name(rng), id_number(rng)
    return Planted(f"，当事人{who}，身份证号{number}", (("name", who), ("id_card", number)))


def id_number(rng: np.random.Generator) -> str:
    """An 18-digit ID number with a valid check character."""
    born = f"{rng.integers(1950, 2006)}{rng.integers(1, 13):02d}{rng.integers(1, 29):02d}"
    body = str(_pick(rng, ("330203", "330212", "330226", "341221", "522401"))) + born + _digits(rng, 3)
    return body + _ID_CHECKS[sum(int(d) * w for d, w in zip(body, _ID_WEIGHTS, strict=True)) % 11]


def _card(rng: np.random.Generator) -> Planted:
    body = str(_pick(rng, ("622202", "621700", "622848"))) + _digits(rng, 12)
    doubled = (int(d) * (2 if i % 2 == 0 else 1) for i, d in enumerate(reversed(body)))
    number = body + str(-sum(v - 9 if v > 9 else v for v in doubled) % 10)  # Luhn
    return Planted(f"，退款请打到银行卡{number}", (("bank_card", number),))


def _plate(rng: np.random.Generator) -> Planted:
    usual = f"浙{_pick(rng, 'BBBACD')}{_pick(rng, '12345')}{_pick(rng, _LETTERS)}{_digits(rng, 3)}"
    electric = f"浙B{_pick(rng, 'DF')}{_digits(rng, 5)}"
    number = _pick(rng, (usual, electric, f"{usual[:2]}·{usual[2:]}"))
    return Planted(f"，车牌号{number}", (("plate", number),))


def _mail(rng: np.random.Generator) -> Planted:
    address = f"user{_digits(rng, 5)}@example.com"
    return Planted(f"，材料已发{address}", (("email", address),))


def _landline(rng: np.random.Generator) -> Planted:
    number = f"0574-8{_digits(rng, 7)}"
    return Planted(f"，座机{number}", (("landline", number),))


def _name_only(rng: np.random.Generator) -> Planted:
    who = name(rng)
    return Planted(f"，反映人{who}", (("name", who),))

"""Which characters are read as the same."""

import unicodedata

import pytest

from pipelines.classify.characters import BREAK, DIGIT, SKIP, fold_table, simplified


@pytest.mark.parametrize(
    ("character", "symbol"),
    [
        ("Ａ", ord("a")),  # full width
        ("Q", ord("q")),
        ("９", DIGIT),
        ("٣", DIGIT),  # Arabic-Indic
        ("垃", ord("垃")),
        ("繳", ord("缴")),
        ("，", BREAK),
        ("!", BREAK),
        ("\u3000", BREAK),
        ("\n", BREAK),
        ("\u200f", SKIP),  # right-to-left mark
        ("\ufeff", SKIP),  # BOM
        ("\ufe0f", SKIP),  # variation selector
        ("\x00", SKIP),
        ("\ufffd", 0xFFFD),
    ],
)
def test_a_character_becomes_its_symbol(character: str, symbol: int) -> None:
    assert fold_table()[ord(character)] == symbol


def test_folding_twice_changes_nothing() -> None:
    table = fold_table()
    changed = [chr(code) for code in range(0x10000) if table[code] > BREAK and table[table[code]] != table[code]]
    assert changed == ["薴"]  # its simplified form 苧 is itself the traditional form of 苎


def test_every_traditional_character_has_a_simplified_one() -> None:
    pairs = simplified()
    assert len(pairs) > 2500
    assert {unicodedata.category(character) for pair in pairs.items() for character in pair} == {"Lo"}
    assert pairs["車"] == "车"

"""How much a report only repeats the item it answers: the mark of a perfunctory report.

A checklist item copied back, or one word of it, is no observation. The overlap enters the classifier as symbols of
the private-use area behind the text: one symbol per item and measure, ten steps each, so the n-gram engine needs
nothing new, and neighbouring symbols (bigrams) combine the measures.
"""

from collections.abc import Sequence

_FIRST = 0xE000
_STEPS = 10


def with_overlap(text: str, items: Sequence[str]) -> str:
    """The text and, for each item, two symbols: the share of the text's character bigrams that the item has, and the
    share of the item's that the text has; then one for the text's length (powers of 2).
    """
    inside = _bigrams(text)
    marks = []
    for number, item in enumerate(items):
        asked = _bigrams(item)
        common = len(inside & asked)
        for measure, size in enumerate((len(inside), len(asked))):
            step = min(int(_STEPS * common / max(size, 1)), _STEPS - 1)
            marks.append(chr(_FIRST + (2 * number + measure) * _STEPS + step))
    marks.append(chr(_FIRST + 2 * len(items) * _STEPS + len(text).bit_length()))
    return f"{text} {''.join(marks)}"


def _bigrams(text: str) -> set[str]:
    kept = "".join(filter(str.isalnum, text))
    return {kept[at : at + 2] for at in range(max(len(kept) - 1, 1))} if kept else set()

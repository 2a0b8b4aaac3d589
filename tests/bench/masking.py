"""How much planted personal data masking finds, and what it masks in real messages without planted
data.

    python tests/bench/masking.py [--show]

Real messages: taidi_titles.csv and taidi_full_segmented.csv under GRIDSTREAM_DATA (or
../shared/data); this part is skipped if they are missing. `--show` prints every false hit with its
context.
"""

import csv
import os
import re
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from pipelines.privacy.mask import mask
from pipelines.sources.simulator import personal

ROOT = Path(__file__).resolve().parents[2]
DATA = Path(os.environ.get("GRIDSTREAM_DATA", ROOT.parent / "shared" / "data")) / "taidi"
GOAL = 0.995
Rng = np.random.Generator
_LEFT = ("", "，", "：", "，电话", "（", "第3栋", "共12人 ", " ", "请联系", "。2026年3月1日，", "“", "\n")
_RIGHT = ("", "。", "，", "）", " 谢谢", "的情况", "，15人", "、3楼", "”", "\n", "请处理")
_WIDE = str.maketrans("0123456789", "０１２３４５６７８９")
_PLACEHOLDER = r"\[(身份证号|银行卡号|手机号|固定电话|车牌号|邮箱|姓名|微信号|QQ号|证件号|房号)\]"


def _pick(rng: Rng, *options: str) -> str:
    return options[int(rng.integers(len(options)))]


def _digits(rng: Rng, count: int) -> str:
    return "".join(map(str, rng.integers(0, 10, count)))


def _mobile(rng: Rng) -> str:
    n = personal.mobile(rng)
    groups = (
        f"{n[:3]}-{n[3:7]}-{n[7:]}",
        f"{n[:3]} {n[3:7]} {n[7:]}",
        f"{n[:3]}.{n[3:7]}.{n[7:]}",
        f"{n[:3]}—{n[3:]}",
    )
    prefixed = (f"+86 {n}", f"+86-{n}", f"0086{n}", f"({n[:3]}){n[3:]}")
    return _pick(rng, n, n, *groups, *prefixed, n.translate(_WIDE))


def _id_card(rng: Rng) -> str:
    n = personal.id_number(rng)
    old = n[:6] + n[8:17]
    groups = (f"{n[:6]} {n[6:14]} {n[14:]}", f"{n[:6]}-{n[6:14]}-{n[14:]}")
    return _pick(rng, n, n, n.lower(), *groups, n.translate(_WIDE), old)


def _card(rng: Rng) -> str:
    body = _pick(rng, "622202", "621700", "622848", "455880", "95588") + _digits(rng, 10)
    doubled = (int(d) * (2 - i % 2) for i, d in enumerate(reversed(body)))
    n = body + str(-sum(v - 9 if v > 9 else v for v in doubled) % 10)
    return _pick(rng, n, " ".join(re.findall(".{1,4}", n)), "-".join(re.findall(".{1,4}", n)))


def _landline(rng: Rng) -> str:
    n = "8" + _digits(rng, 7)
    area = _pick(rng, "0574", "010", "0571", "021")
    forms = (
        f"{area}-{n}",
        f"（{area}）{n}",
        f"({area}) {n}",
        f"{area}{n}",
        f"{area} {n}",
        f"+86-{area[1:]}-{n}",
    )
    return _pick(rng, *forms, f"{area}-{n}转801", f"{area}-{n}-801", f"电话{n}", f"座机：{n}")


def _plate(rng: Rng) -> str:
    d, letter = _digits(rng, 5), _pick(rng, *"ABCDEFGHJK")
    forms = (
        f"浙B{d}",
        f"浙B{letter}{d[:4]}",
        f"浙B·{d}",
        f"浙B {d}",
        f"浙BD{d}",
        f"沪A{d}",
        f"浙b{d}",
        f"浙B{d[:4]}警",
    )
    return _pick(rng, *forms, f"浙B{d[:4]}挂", f"粤Z{d[:4]}港", f"浙 B{d}", f"浙B·F{d}", f"浙B{d[:4]}学")


def _mail(rng: Rng) -> str:
    forms = (f"user{_digits(rng, 5)}@example.com", f"li.wei-{_digits(rng, 2)}@mail.example.cn")
    return _pick(rng, *forms, "a_b@ex-ample.org")


def _titled(rng: Rng) -> tuple[str, str]:
    who = personal.name(rng)
    title = _pick(rng, *("先生", "女士", "小姐", "阿姨", "大爷", "老师", "师傅", "经理"))
    titled = f"{who if rng.integers(2) else who[0]}{title}"
    return titled, titled


def _labelled(rng: Rng) -> tuple[str, str]:
    who = personal.name(rng)
    label = _pick(rng, "联系人：", "联系人:", "姓名：", "我叫", "反映人", "当事人", "投诉人：", "联系人", "姓名: ")
    return label + who + ("，" if label[-1] not in "：: " else ""), who


MAKERS = {
    "mobile": _mobile,
    "id_card": _id_card,
    "bank_card": _card,
    "landline": _landline,
    "plate": _plate,
    "email": _mail,
}
NAMED = {"name + title": _titled, "label + name": _labelled}


def carriers() -> list[str]:
    """Texts without personal data to plant it in."""
    files = sorted((ROOT / "pipelines/classify/training/corpus").glob("[0-9]*.txt"))
    lines = (line.strip() for file in files for line in file.read_text("utf-8").splitlines())
    return [line for line in lines if line and not line.startswith("#")]


def planted(rng: Rng, count: int) -> Iterator[tuple[str, str, str]]:
    """(kind, the secret, the text that holds it)."""
    texts, kinds = carriers(), [*MAKERS, *NAMED]
    for i in range(count):
        kind = kinds[i % len(kinds)]
        written, secret = (NAMED[kind](rng)) if kind in NAMED else (MAKERS[kind](rng),) * 2
        text = texts[int(rng.integers(len(texts)))]
        at = _pick(rng, "end", "start", "middle")
        where = {"end": len(text), "start": 0, "middle": len(text) // 2}[at]
        left = _pick(rng, *_LEFT) if kind not in NAMED else _pick(rng, "，", "。", "：", " ")
        yield kind, secret, text[:where] + left + written + _pick(rng, *_RIGHT) + text[where:]


def masked_share(count: int, seed: int) -> tuple[dict[str, float], list[tuple[str, str, str]]]:
    """The share of each kind that is masked, and what is not masked, as in `planted`."""
    items = list(planted(np.random.default_rng(seed), count))
    missed = [(kind, secret, text) for kind, secret, text in items if secret in mask(text)]
    total, lost = Counter(kind for kind, *_ in items), Counter(kind for kind, *_ in missed)
    return {kind: 1 - lost[kind] / total[kind] for kind in total}, missed


def real_messages() -> list[str]:
    with (DATA / "taidi_titles.csv").open(encoding="utf-8-sig", newline="") as titles:
        read = [row["title"] for row in csv.DictReader(titles)]
    with (DATA / "taidi_full_segmented.csv").open(encoding="utf-8-sig", newline="") as bodies:
        return read + [row["segmented"].replace(" ", "") for row in csv.DictReader(bodies)]


def false_hits(texts: list[str]) -> Iterator[tuple[str, str]]:
    """(kind, the masked place with its context)."""
    for text in texts:
        masked = mask(text)
        if masked != text:
            for hit in re.finditer(_PLACEHOLDER, masked):
                context = masked[max(hit.start() - 12, 0) : hit.end() + 8]
                yield hit[1], f"{context} <- {_original(text, masked, hit.start())}"


def _original(text: str, masked: str, at: int) -> str:
    """The original text around position `at` of the masked text, as far as it can be located."""
    tail = masked[at:][masked[at:].index("]") + 1 :][:6]
    near = text.find(masked[max(at - 8, 0) : at])
    return text[max(near, 0) : max(near, 0) + 20] + f" … {tail}"


def main() -> None:
    shares, missed = masked_share(5000, 1)
    by_kind = {kind: f"{share:.1%}" for kind, share in shares.items()}
    print(f"masked {1 - len(missed) / 5000:.2%} of 5,000 (goal {GOAL:.1%})", by_kind)
    if "--show" in sys.argv:
        print(*missed, sep="\n")
    if not DATA.is_dir():
        print(f"SKIPPED false hits: {DATA} is missing")
        return
    texts = real_messages()
    hits = list(false_hits(texts))
    print(f"masked in {len(texts):,} real texts:", dict(Counter(kind for kind, _ in hits)))
    if "--show" in sys.argv:
        print(*sorted(hits), sep="\n")


if __name__ == "__main__":
    main()

"""Simulated annotators who write in Hindi, Arabic or Chinese, with planted phrases.

They check that the measures work in scripts other than Latin: words of the item are found in
explanations, and what an annotator says more often than others is found again. The texts are simple
sentences; what people of these languages would write is not the point. Each annotator opens
explanations with a phrase of their own, more often the stronger the style.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from capo_core.text.tokens import normalise, tokens

ENGLISH = "English"


@dataclass(frozen=True)
class Wording:
    """Parts of sentences of one language.

    Attributes:
        item: an item's first text; hypothesis: its second. {who}, {act} and {place} are filled.
        who, act, place: what an item can be about.
        openers: beginnings of explanations, of which each annotator has one of their own.
        reasons: rest of an explanation by label (entailment, neutral, contradiction); with the
            item's words.
        bare: the same without a word of the item.
        stop: the full stop.
        space: stands between parts.
    """

    item: str
    hypothesis: str
    who: tuple[str, ...]
    act: tuple[str, ...]
    place: tuple[str, ...]
    openers: tuple[str, ...]
    reasons: tuple[str, str, str]
    bare: tuple[str, str, str]
    stop: str
    space: str = " "


LANGUAGES: dict[str, Wording] = {
    "Hindi": Wording(
        "एक {who} {place} में {act} है",
        "{who} {act} है",
        ("लड़का", "लड़की", "किसान", "गायक", "कुत्ता", "शिक्षक", "बच्चा", "डॉक्टर"),
        ("दौड़ता", "सोता", "गाता", "बैठता", "खेलता", "पढ़ता"),
        ("बगीचे", "घर", "बाज़ार", "स्कूल", "गाँव"),
        ("क्योंकि", "मुझे लगता है", "साफ़ है कि", "शायद", "मेरे विचार से", "पाठ के अनुसार"),
        ("{who} सच में {act} है", "{who} के बारे में कुछ पता नहीं", "{who} कहीं नहीं {act}"),
        ("यह बात सही है", "इस पर कुछ पता नहीं", "यह बात ग़लत है"),
        "।",
    ),
    "Arabic": Wording(
        "{who} {act} في {place}",
        "{who} {act}",
        ("الولد", "البنت", "الفلاح", "المغني", "الكلب", "المعلم", "الطفل", "الطبيب"),
        ("يجري", "ينام", "يغني", "يجلس", "يلعب", "يقرأ"),
        ("الحديقة", "البيت", "السوق", "المدرسة", "القرية"),
        ("لأنّ", "أعتقد أنّ", "من الواضح أنّ", "ربما", "في رأيي", "يقول النص إنّ"),
        ("{who} {act} حقا", "{who} لم يُذكر عنه شيء", "{who} لا {act} هناك"),
        ("الكلام صحيح", "لا نعرف شيئا عن هذا", "الكلام خاطئ"),
        ".",
    ),
    "Chinese": Wording(
        "一个{who}在{place}里{act}",
        "{who}在{act}",
        ("男孩", "女孩", "农民", "歌手", "小狗", "老师", "孩子", "医生"),
        ("跑步", "睡觉", "唱歌", "休息", "游泳", "读书"),
        ("公园", "房子", "市场", "学校", "村庄"),
        ("因为", "我觉得", "很明显", "也许", "依我看", "文章说"),
        ("{who}确实正在{act}", "没有提到{who}", "{who}没有{act}"),
        ("这是对的", "这不清楚", "这是错的"),
        "。",
        "",
    ),
}


def sentences(wording: Wording, items: int, seed: int) -> list[tuple[dict[str, str], str, str]]:
    """Return what each item is about, and its two texts."""
    rng = np.random.default_rng([seed, 21])
    found = []
    for _ in range(items):
        about = {
            "who": str(rng.choice(wording.who)),
            "act": str(rng.choice(wording.act)),
            "place": str(rng.choice(wording.place)),
        }
        other = {**about, "act": str(rng.choice(wording.act))}
        found.append((about, wording.item.format(**about), wording.hypothesis.format(**other)))
    return found


def own_share(style: float) -> float:
    """Return how often an annotator begins with their own phrase beyond chance, 0 to 1."""
    return 1 - 1 / (1 + style)


def write_in(
    wording: Wording,
    about: dict[str, str],
    label: int,
    annotator: int,
    *,
    style: float,
    content: float,
    rng: np.random.Generator,
) -> str:
    """Return an explanation of `label` (its place on the scale) by annotator number `annotator`."""
    own = rng.random() < own_share(style)
    chosen = annotator if own else int(rng.integers(len(wording.openers)))
    said = wording.reasons if rng.random() < min(content * 0.7, 1.0) else wording.bare
    rest = said[label % 3].format(**about)
    return f"{wording.openers[chosen % len(wording.openers)]}{wording.space}{rest}{wording.stop}"


def planted_phrases(wording: Wording, annotator_ids: Sequence[str], style: float) -> pd.DataFrame:
    """Return each annotator's own phrase with the expected rates, as `ground_truth_phrases` does.

    The phrase is the opener as the tokeniser cuts it, joined by spaces.
    """
    kinds, n = len(wording.openers), len(annotator_ids)
    share, rows = own_share(style), []
    for place, name in enumerate(annotator_ids if style > 0 and n > 1 else ()):
        alike = sum(other % kinds == place % kinds for other in range(n)) - 1
        rate = share + (1 - share) / kinds
        others = share * alike / (n - 1) + (1 - share) / kinds
        phrase = " ".join(tokens(normalise(wording.openers[place % kinds])))
        if rate > others:
            rows.append((name, phrase, rate, others))
    return pd.DataFrame(rows, columns=["annotator_id", "phrase", "rate", "rate_others"])

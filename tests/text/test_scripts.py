"""Words of any script: marks stay with their letters, and text without spaces is segmented."""

import re
import subprocess
import sys
import unicodedata

import numpy as np
import pandas as pd
import pytest
from helpers.corpora import dataset

from capo_core import shipped
from capo_core.evaluation.measures.explanations import rouge_l
from capo_core.imitation.backends.option_scores import option_of
from capo_core.imitation.parsing.labels import _form_pattern
from capo_core.stability.config import StabilityConfig
from capo_core.stability.phrases import distinctive_features, distinctive_phrases
from capo_core.stability.report import compute_report
from capo_core.study.design.sources import LeakMarkers, leaks_in_text
from capo_core.text import stylometry
from capo_core.text.reductions import mask_input, random_mask, style_only
from capo_core.text.segmentation import as_written
from capo_core.text.tagging import not_english, other_language
from capo_core.text.tokens import (
    count_words,
    normalise,
    plain_words,
    spans,
    tokens,
    typing_marks,
    unify_quotes,
    words,
)

# Sentence, its words, an item's text, and a word that masking must find.
SENTENCES = {
    "Hindi": ("क्योंकि लड़की गाना गाती है।", "क्योंकि लड़की गाना गाती है", "एक लड़की गाना गाती है", "लड़की"),
    "Bengali": ("কারণ মেয়েটি গান গায়।", "কারণ মেয়েটি গান গায়", "মেয়েটি গান গায়", "মেয়েটি"),
    "Tamil": ("ஏனெனில் சிறுமி பாடுகிறாள்.", "ஏனெனில் சிறுமி பாடுகிறாள்", "சிறுமி பாடுகிறாள்", "சிறுமி"),
    "Arabic": ("لأنَّ الفَتاةَ تُغَنِّي؟", "لأنَّ الفَتاةَ تُغَنِّي", "الفَتاةَ تُغَنِّي", "الفَتاةَ"),
    "Hebrew": ("כי הַיַּלְדָּה שָׁרָה", "כי הַיַּלְדָּה שָׁרָה", "הַיַּלְדָּה שָׁרָה", "הַיַּלְדָּה"),
    "Korean": ("왜냐하면 소녀가 노래한다", "왜냐하면 소녀가 노래한다", "소녀가 노래한다", "소녀가"),
    "Chinese": ("因为女孩唱歌。", "因为 女孩 唱歌", "一个女孩在唱歌", "女孩"),
    "Japanese": ("少女は歌を歌う。", "少女 は 歌 を 歌う", "少女が歌う", "少女"),
    "Thai": ("เพราะเด็กผู้หญิงร้องเพลง", "เพราะ เด็ก ผู้ หญิง ร้อง เพลง", "เด็กผู้หญิงร้องเพลง", "เพลง"),
    "Khmer": ("ពីព្រោះក្មេងស្រី", "ពីព្រោះ ក្មេងស្រី", "ក្មេងស្រី", "ក្មេងស្រី"),
    "Lao": ("ເພາະວ່າເດັກຊາຍ", "ເພາະວ່າ ເດັກຊາຍ", "ເດັກຊາຍ", "ເດັກຊາຍ"),
    "Burmese": ("ယောက်ျားပြေးသည်", None, "ယောက်ျား", "ယောက်ျား"),
}  # fmt: skip


@pytest.mark.parametrize("language", SENTENCES)
def test_words_of_a_script(language):
    text, expected, item, content = SENTENCES[language]
    if expected is not None:
        # NFKC writes some letters otherwise; the words are those of the normalised text.
        assert words(normalise(text)) == normalise(expected).split()
    masked = mask_input(normalise(text), (normalise(item), ""))
    assert "something" in masked and normalise(content) not in masked
    for span in spans(text):
        assert not unicodedata.category(text[span.start]).startswith("M")
    # As many words are masked at random, and masked texts are cut into the same words again.
    n = count_words(normalise(text))
    assert words(masked).count("something") >= 1 and len(words(masked)) == n
    control = random_mask(normalise(text), (normalise(item), ""), np.random.default_rng(0))
    assert words(control).count("something") == words(masked).count("something")


def test_english_words_are_those_of_before():
    before = re.compile(r"[^\W_]+(?:['\-][^\W_]+)*|[^\w\s]|_")
    found = 0
    for name in ("nli", "paraphrase"):
        for text in demo_texts(name):
            assert tokens(text) == [token.lower() for token in before.findall(unify_quotes(text))]
            assert plain_words(text) == re.findall(r"[^\W_]+", text.lower())
            found += 1
    assert found > 1000
    for text in ("Café naïve—the “Q1” isn’t 3.5 % of x_y's well-known U.S. e-mail…", "ÀÉÎ ß 1st"):
        assert tokens(text) == [token.lower() for token in before.findall(unify_quotes(text))]


def demo_texts(name):
    rows = pd.read_csv(shipped.FOLDER / f"demo-{name}.csv", dtype=str, keep_default_na=False)
    for column in ("text_a", "text_b", "explanation"):
        yield from rows[column].drop_duplicates()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("AIモデルは", ["ai", "モデル", "は"]),
        ("می‌خواهم", ["میخواهم"]),  # with and without the zero-width non-joiner: one word
        ("l'escola col·lectiva", ["l'escola", "col·lectiva"]),
        ("ד״ר כהן", ["ד״ר", "כהן"]),
        ("e\u0301te\u0301 x\u200fy", ["e\u0301te\u0301", "xy"]),
        ("❤️ 👩‍🔬", ["❤️", "👩", "🔬"]),
        ("𠮷野家", ["𠮷", "野家"]),
        ("ក\u200bខ", ["ក", "ខ"]),  # a separator without width
        ("\u200f", []),
        ("กำลังdebug", ["กำลัง", "debug"]),
    ],
)
def test_joiners_marks_and_signs(text, expected):
    assert tokens(text) == expected
    found = spans(text)
    assert [span.token for span in found] == expected
    assert all(0 <= span.start < span.end <= len(text) for span in found)


def test_final_marks_of_other_scripts_are_typing_habits():
    for mark in "。।؟۔։።។":
        assert normalise(f"ok{mark}") == "ok"
        assert typing_marks(f"ok{mark}")[1] == mark
    assert normalise("好。好。") == "好。好"
    table = stylometry.formatting_features(["好。", "है।", "نعم؟", "no"])
    assert table["final_period"].tolist() == [100, 100, 0, 0]
    assert table["final_other"].tolist() == [0, 0, 100, 0]


def test_rouge_counts_words_of_any_script():
    assert rouge_l("因为男孩跑步", "男孩跑步") == pytest.approx(2 * 2 / 5)
    assert rouge_l("लड़का दौड़ता है", "लड़का सोता है") == pytest.approx(2 * 2 / 6)
    assert rouge_l("it's well-known", "it is well known") == pytest.approx(2 * 3 / 8)


def test_names_leak_in_scripts_without_spaces():
    marks = LeakMarkers(frozenset({"小明老师", "अमित", "ann"}))
    assert leaks_in_text("我是小明老师写的", marks)
    assert leaks_in_text("यह अमित ने लिखा", marks)
    assert not leaks_in_text("यह अमिता ने लिखा", marks)  # another name: a vowel sign goes on
    assert not leaks_in_text("the annual plan", marks)


def test_a_label_is_not_read_inside_a_longer_word():
    assert re.search(_form_pattern("हा", False), "उत्तर: हा")
    assert not re.search(_form_pattern("हा", False), "उत्तर: हाँ")
    assert option_of("हाँ", ["हा", "हाँ"]) == 1


def test_language_of_few_texts():
    assert "no Latin letter" in other_language(["क्योंकि लड़का दौड़ता है"])
    assert "no Latin letter" in not_english(["因为男孩跑步 3"])
    assert other_language(["because the boy runs"]) == ""
    assert other_language(["12 34 56"]) == ""


HINDI = {
    "A": "क्योंकि {who} {verb} है",
    "B": "मुझे लगता है कि {who} {verb} नहीं है",
}


def hindi():
    verbs, people = ("दौड़ता", "सोता", "गाता", "बैठता"), ("लड़का", "कुत्ता", "आदमी", "बच्चा", "गायक")
    rows = []
    for item in range(40):
        given = {"who": people[item % 5], "verb": verbs[item % 4]}
        rows += [(f"i{item}", who, said.format(**given)) for who, said in HINDI.items()]
    return dataset(rows, text_a="एक लड़का दौड़ता है")


def test_a_hindi_report_leaves_out_what_is_english():
    config = StabilityConfig(
        representations=("words", "stylometry"), reductions=("none", "mask_input", "style_only"),
        pool=(1, 2), seeds=1, permutations=20, draws=20, controls=False,
    )  # fmt: skip
    report, _ = compute_report(hindi(), config)
    assert set(report.ladder.frame["reduction"]) == {"none", "mask_input"}
    said = next(one.text for one in report.statements if one.topic == "language")
    assert "no Latin letter" in said and "“Function and style words only”" in said
    assert "hedges" in said
    features = set(report.features.frame["feature"])
    assert features and not features & stylometry.ENGLISH
    lengths = {card.annotator_id: card.length.median for card in report.profiles}
    assert lengths == {"A": 4, "B": 8}
    phrases = report.distinctive.frame
    assert {"क्योंकि", "मुझे लगता है"} & set(phrases["phrase"])
    assert not any(
        unicodedata.category(word[0]).startswith("M")
        for phrase in phrases["phrase"]
        for word in phrase.split(" ")
    )


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ("मुझे लगता है कि {who} {verb} नहीं है", "no Latin letter"),
        (
            "weil der {who} hier ganz sicher {verb} und nicht dort",
            "do not look English (English function words are 0",
        ),
    ],
)
def test_one_annotator_in_another_language_is_enough(said, why):
    """Features of English words would tell the language apart, and call it a manner."""
    english = "because the {who} is {verb} and that is what it says"
    rows = [
        (f"i{item}", name, text.format(who=f"w{item % 5}", verb=f"v{item % 4}"))
        for item in range(40)
        for name, text in (("o{neil", said), ("B", english))
    ]
    data = dataset(rows, text_a="A boy runs")
    texts, authors = [text for *_, text in rows], [name for _, name, _ in rows]
    assert other_language(texts) == ""
    assert why in other_language(texts, authors) and "'o{neil'" in other_language(texts, authors)
    config = StabilityConfig(
        representations=("words", "stylometry"), reductions=("none", "style_only"), pool=(1, 2),
        seeds=1, permutations=20, draws=20, controls=False,
    )  # fmt: skip
    report, _ = compute_report(data, config)
    assert set(report.ladder.frame["reduction"]) == {"none"}
    told = next(one.text for one in report.statements if one.topic == "language")
    assert told.startswith("The texts of 'o{neil'") and why in told
    assert not set(report.features.frame["feature"]) & stylometry.ENGLISH


def test_a_short_manner_is_no_other_language():
    """Few function words are a manner; a handful of texts shows no language."""
    terse = [f"no evidence {n} of that" for n in range(60)]
    few = ["weil der Junge rennt"] * 5
    english = ["because the boy runs and that is what it says"] * 60
    texts, authors = [*terse, *few, *english], ["t"] * 60 + ["f"] * 5 + ["e"] * 60
    assert other_language(texts, authors) == ""


def test_english_keeps_all_its_features():
    data = dataset([(f"i{k}", who, "the text says so") for k in range(12) for who in "ab"])
    assert distinctive_features(data).empty  # nothing varies
    table = stylometry.features(["it is clear"], [("", "")])
    assert list(table.columns) == [feature.name for feature in stylometry.FEATURES]
    assert style_only("it is 因为") == "it is something"
    assert distinctive_phrases(data).empty


def test_the_segmenter_is_imported_when_it_is_needed():
    code = (
        "import sys; from capo_core.text.tokens import tokens; tokens('a well-known é');"
        "assert 'icu4py' not in sys.modules; tokens('跑步');"
        "assert 'icu4py.breakers' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_phrases_are_shown_as_their_script_writes_them():
    assert as_written("我 觉得 so far") == "我觉得 so far"
    assert as_written("ฉัน คิด ว่า") == "ฉันคิดว่า"
    assert as_written("मुझे लगता है") == "मुझे लगता है"

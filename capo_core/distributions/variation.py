"""Variation of the explanations of one item: lexical, syntactic and semantic similarity.

Pairs of explanations of the same item are compared, and the mean over pairs is the item's value;
intervals are by a bootstrap over items. 1 is identical, lower is more varied, throughout. Within a
source all pairs of its explanations are used; between two sources, each of one with each of the
other. Lexical and syntactic similarity is the overlap of n-grams of words and of coarse parts of
speech.

The published measures stand beside ours under their own name: they count differently
(`share_found`) and cut texts as spaCy's English pipeline does. Tags of two taggers are not
comparable, so that a result names its tagger.
"""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from capo_core.distributions.judgments import Judgments
from capo_core.distributions.paired import interval
from capo_core.errors import ConfigError, DataError
from capo_core.formatting import quoted_names
from capo_core.progress import Progress, part_of, silent
from capo_core.settings import setting, settings
from capo_core.stats.intervals import bayesian_weights, json_rows
from capo_core.text.embeddings import DEFAULT_MODEL, Embedder
from capo_core.text.tagging import SPACE, TAGGERS, TextTagger
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


def share_found(one: Counter, other: Counter) -> float:
    """Return (n-grams of one that the other has + n-grams of the other that one has) /
    (|one| + |other|), 0 to 1.

    As published (Chen et al. 2025; after Giulianelli et al. 2023): an n-gram that stands several
    times matches each time, however often the other side has it, so that this is never less than
    `overlap`. NaN where both are empty.
    """
    size = one.total() + other.total()
    found = sum(count for gram, count in one.items() if gram in other)
    found += sum(count for gram, count in other.items() if gram in one)
    return found / size if size else math.nan


LEXICAL, SYNTACTIC = "lexical", "syntactic"
LEXICAL_PUBLISHED, SYNTACTIC_PUBLISHED = "lexical, published", "syntactic, published"
_PUBLISHED = (LEXICAL_PUBLISHED, SYNTACTIC_PUBLISHED)
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
        "auto",
        "Part-of-speech tagger",
        "auto uses spaCy where it is installed; both are for English.",
        choices=TAGGERS,
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
        cache: folder of cached embeddings and tags. embed: instead of the encoder, for tests.

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
    tagger = TextTagger(cache, config.tagger)
    sequences = _sequences(texts, tagger, part_of(progress, 0.0, 0.1 if config.semantic else 1.0))
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
            alike = share_found if kind in _PUBLISHED else overlap
            values = [alike(bags[i], bags[j]) for i, j in pairs]
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
        "published: an n-gram matches each time it stands in one text and anywhere in the other; "
        "lexical of spaCy's tokens"
        + ("" if LEXICAL_PUBLISHED in sequences else f" (left out: {tagger.name} cuts otherwise)"),
        *([f"semantic: {config.encoder}; Euclidean is 1 / (1 + distance)"]
          if config.semantic else []),
        *judgments.notes,
    )  # fmt: skip
    return Variation(
        judgments.name, config, _table(per_item, config),
        per_item.drop(columns="pairs"), tagger.name, notes,
    )  # fmt: skip


def _sequences(
    texts: Sequence[str], tagger: TextTagger, progress: Progress
) -> dict[str, list[list[str]]]:
    """Return what n-grams are made of, by measure: the tokens of each text, or their tags."""
    tagged = tagger(texts, progress)
    found = {LEXICAL: [tokens(text) for text in texts]}
    if tagger.tagger.cuts_as_spacy:
        found[LEXICAL_PUBLISHED] = [
            [text[token.start : token.end].lower() for token in made]
            for text, made in zip(texts, tagged, strict=True)
        ]
    found[SYNTACTIC] = [[token.tag for token in made if token.tag != SPACE] for made in tagged]
    found[SYNTACTIC_PUBLISHED] = [[token.tag for token in made] for made in tagged]
    return found


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
        low, high = interval(weights @ values / weights.sum(axis=1), len(values))
        rows.append((source, measure, n, float(values.mean()), low, high, len(values),
                     int(cells["pairs"].sum())))  # fmt: skip
    return pd.DataFrame(rows, columns=list(COLUMNS))

"""Distinctive phrases and style features of each annotator, and the explanations behind them.

Phrases are compared by the log-odds ratio with an informative Dirichlet prior of Monroe, Colaresi &
Quinn 2008, "Fightin' Words: Lexical Feature Selection and Evaluation for Identifying the Content of
Political Conflict", Political Analysis 16 (4), 372–403. Of phrases that overlap one is listed
(`phrase_choice`). Their reliability is the correlation of z between halves of the items.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse
from scipy.stats import norm

from capo_core.dataset import Dataset
from capo_core.errors import ConfigError
from capo_core.formatting import count, number
from capo_core.stability.label_use import contrast
from capo_core.stability.phrase_choice import prune_phrases
from capo_core.stats.intervals import Z95, wilson
from capo_core.stats.significance import benjamini_hochberg
from capo_core.text import stylometry
from capo_core.text.lexicons import STYLE_WORDS
from capo_core.text.tagging import other_language
from capo_core.text.tokens import (
    PhraseTable,
    TokenizedTexts,
    in_input,
    normalise,
    phrase_table,
    tokenize,
    tokens,
    unify_quotes,
)


@dataclass(frozen=True)
class PhrasePrior:
    """Prior of Monroe et al. (eq. 23): `weight` phrases, divided by their overall frequency.

    Attributes:
        alpha: float [phrases], pseudo-count of explanations that have the phrase.
        explanations: pseudo-count of explanations in all; `alpha / explanations` is the
            overall rate of the phrase.
    """

    alpha: np.ndarray
    explanations: float

    @classmethod
    def of(cls, overall: np.ndarray, n: int, weight: float) -> PhrasePrior:
        """Return the prior from `overall` [phrases]: how many of `n` explanations have each."""
        total = float(overall.sum())
        return cls(weight * overall / total, weight * n / total)


def log_odds(
    counts: np.ndarray, n: int, others: np.ndarray, n_others: int, prior: PhrasePrior
) -> tuple[np.ndarray, np.ndarray]:
    """Return the log-odds ratio and its standard error of every phrase, both float64 [phrases].

    Presence per explanation: an explanation has a phrase or not, so that the odds are those of an
    explanation having it, whatever the length of the annotators' texts. The two-category form of
    the paper's model, with its variance before the approximation for rare words.

    Args:
        counts, others: [phrases], explanations that have the phrase, of `n` and of `n_others`.

    The ratio over its standard error is their ζ (eq. 22), approximately N(0, 1) where the two use
    the phrase alike. A phrase that stands in every explanation has no odds; leave it out.
    """
    a, rest = prior.alpha, prior.explanations - prior.alpha
    delta = np.log(counts + a) - np.log(n - counts + rest)  # eq. 16, first half
    delta = delta - np.log(others + a) + np.log(n_others - others + rest)
    variance = 1 / (counts + a) + 1 / (others + a)  # eq. 20 …
    variance = variance + 1 / (n - counts + rest) + 1 / (n_others - others + rest)  # … in full
    return delta, np.sqrt(variance)


def without_one(
    counts: np.ndarray, n: int, others: np.ndarray, n_others: int, prior: PhrasePrior
) -> np.ndarray:
    """Return log-odds ratios [phrases] with one explanation with the phrase left out of `counts`.

    An explanation that has a phrase is scored by them, since it would else count for itself.
    """
    return log_odds(np.maximum(counts - 1, 0), n - 1, others, n_others, prior)[0]


@dataclass(frozen=True)
class ExplanationPhrases:
    """The phrases of a dataset's explanations, extracted once for all measures.

    Attributes:
        table: presence of phrases, [n × phrases], n the explanations that are not empty.
        annotation_ids, items, annotators: [n]; items and annotators as numbers, the latter in
            the order of `names`.
        n_words: int64 [n], words of each explanation.
        names: annotators with at least one explanation.
    """

    table: PhraseTable
    annotation_ids: np.ndarray
    items: np.ndarray
    annotators: np.ndarray
    n_words: np.ndarray
    names: tuple[str, ...]

    @cached_property
    def rows(self) -> tuple[np.ndarray, ...]:
        """The rows of each annotator, in the order of `names`."""
        order = np.argsort(self.annotators, kind="stable")
        sizes = np.bincount(self.annotators, minlength=len(self.names))
        return tuple(np.split(order, np.cumsum(sizes)[:-1])) if len(self.names) else ()

    @cached_property
    def by_phrase(self) -> sparse.csc_matrix:
        """The presence of phrases by columns."""
        return self.table.presence.tocsc()

    def counts_of(self, a: int) -> np.ndarray:
        """Count annotator a's explanations that have the phrase, float64 [phrases]."""
        presence = self.table.presence[self.rows[a]]
        return np.bincount(presence.indices, minlength=presence.shape[1]).astype(float)

    def everybody(self) -> np.ndarray:
        """Count all explanations that have the phrase, float64 [phrases]."""
        presence = self.table.presence
        return np.bincount(presence.indices, minlength=presence.shape[1]).astype(float)

    def counts(self) -> np.ndarray:
        """Count the explanations that have the phrase, float64 [annotators × phrases]."""
        n = len(self.annotators)
        group = sparse.csr_matrix(
            (np.ones(n), (self.annotators, np.arange(n))), shape=(len(self.names), n)
        )
        return (group @ self.table.presence).toarray().astype(float)


def extract_phrases(
    dataset: Dataset,
    *,
    raw: bool = False,
    ngrams: tuple[int, int] = (1, 3),
    min_texts: int | None = None,
    without_input: bool = True,
) -> ExplanationPhrases:
    """Return the phrases of a dataset's explanations.

    Args:
        raw: False takes normalised texts, True the texts as written.
        ngrams: shortest and longest phrase, in tokens.
        min_texts: how many explanations must have a phrase; by default 5, or one in a thousand.
        without_input: leave out content words that stand in the item's own texts, and phrases
            over them. Style words ("the", "not", "context") always count: they stand in most
            inputs, and leaving them out would hide style, not content.
    """
    if not 1 <= ngrams[0] <= ngrams[1] <= 5:
        raise ConfigError(f"phrases of {ngrams} tokens", expected="1 ≤ shortest ≤ longest ≤ 5")
    explained = explained_annotations(dataset)
    texts = explained["explanation"] if raw else explained["explanation"].map(normalise)
    corpus = tokenize(texts.tolist())
    allowed = np.ones(len(corpus.ids), dtype=bool)
    if without_input:
        allowed = ~content_of_input(corpus, explained)
    if min_texts is None:
        min_texts = max(5, len(explained) // 1000)
    table = phrase_table(corpus, ngrams, min_texts=max(1, min_texts), allowed=allowed)
    table = _without_ubiquitous(table)
    present = set(explained["annotator_id"])
    names = tuple(name for name in dataset.annotators if name in present)
    is_word = np.array([token[0].isalnum() for token in corpus.vocabulary], dtype=bool)
    return ExplanationPhrases(
        table,
        explained["annotation_id"].to_numpy(),
        pd.factorize(explained["item_id"])[0],
        pd.Categorical(explained["annotator_id"], categories=names).codes.astype(np.int64),
        corpus.count(is_word).astype(np.int64),
        names,
    )


def _without_ubiquitous(table: PhraseTable) -> PhraseTable:
    """Return the table without phrases that every text has: these have no odds."""
    some = np.flatnonzero(table.presence.getnnz(axis=0) < table.presence.shape[0])
    return PhraseTable(table.presence[:, some], tuple(table.phrases[k] for k in some))


def explained_annotations(dataset: Dataset) -> pd.DataFrame:
    """Return the annotations with an explanation, and text_a and text_b of their items."""
    explained = dataset.annotations[dataset.annotations["explanation"].str.strip() != ""]
    texts = dataset.items[["item_id", "text_a", "text_b"]]
    return explained.merge(texts, on="item_id", how="left", validate="many_to_one")


def content_of_input(corpus: TokenizedTexts, explained: pd.DataFrame) -> np.ndarray:
    """Flag content words that occur in the texts of their own item: bool [tokens in all]."""
    sources = (explained["text_a"] + "\n" + explained["text_b"]).tolist()
    return in_input(corpus, sources) & ~corpus.flag(STYLE_WORDS)[corpus.ids]


def find_phrase(
    dataset: Dataset, phrase: str, *, raw: bool = False, without_input: bool = False
) -> tuple[str, ...]:
    """Return the ids of the annotations whose explanation has `phrase`, in the order of the table.

    Found token by token ("it" is not found in "its"), in normalised texts unless `raw`. With the
    `raw` and `without_input` of a table of phrases, exactly its counted explanations are found.
    """
    wanted = tuple(tokens(phrase))
    if not wanted:
        raise ConfigError(
            "the phrase is empty", expected="a phrase of at least one word or punctuation mark"
        )
    explained = explained_annotations(dataset)
    texts = explained["explanation"] if raw else explained["explanation"].map(normalise)
    # Most texts do not hold the rarest-looking token at all: only the rest are tokenised.
    probe = max(wanted, key=len)
    near = texts.map(lambda text: probe in unify_quotes(text).lower())
    explained, texts = explained[near], texts[near]
    corpus = tokenize(texts.tolist())
    if not set(wanted) <= set(corpus.index):
        return ()
    free = ~content_of_input(corpus, explained) if without_input else np.ones(len(corpus.ids), bool)
    start = np.arange(len(corpus.ids) - len(wanted) + 1)
    hit = corpus.text_of[start] == corpus.text_of[start + len(wanted) - 1]
    for offset, token in enumerate(wanted):
        hit &= (corpus.ids[start + offset] == corpus.index[token]) & free[start + offset]
    found = np.unique(corpus.text_of[start[hit]])
    return tuple(explained["annotation_id"].to_numpy()[found])


def phrase_reliability(
    dataset: Dataset,
    *,
    seed: int = 0,
    splits: int = 10,
    min_texts: int | None = None,
    prior: float = 500.0,
    extracted: ExplanationPhrases | None = None,
) -> pd.DataFrame:
    """Correlate the phrases' z between halves of the items, for each annotator.

    Args:
        min_texts: minimum number of explanations that have a phrase; by default 20, or one in a
            thousand (rare phrases have little but noise in either half).
        extracted: `extract_phrases(dataset)`, where it is computed already.

    Returns:
        annotator_id, correlation (Pearson, of z over all phrases between two halves that share no
        item, mean over `splits` random halvings), n_phrases, n, note. NaN with a note where a
        half has too few explanations.
    """
    extracted = extract_phrases(dataset) if extracted is None else extracted
    if min_texts is None:
        min_texts = max(20, len(extracted.annotators) // 1000)
    frequent = np.flatnonzero(extracted.table.presence.getnnz(axis=0) >= min_texts)
    names = tuple(extracted.table.phrases[k] for k in frequent)
    extracted = replace(
        extracted,
        table=replace(
            extracted.table, presence=extracted.table.presence[:, frequent], phrases=names
        ),
    )
    n_items = int(extracted.items.max(initial=-1)) + 1
    counted = np.bincount(extracted.annotators, minlength=len(extracted.names))
    rows = {
        "annotator_id": extracted.names,
        "correlation": np.nan,
        "n_phrases": len(extracted.table.phrases),
    }
    frame = pd.DataFrame({**rows, "n": counted, "note": ""}, index=range(len(extracted.names)))
    if len(extracted.names) < 2 or n_items < 4 or len(extracted.table.phrases) < 3:
        frame["note"] = "too few annotators, items or phrases to compare halves"
        return frame
    rng = np.random.default_rng(seed)
    found = np.full((splits, len(extracted.names)), np.nan)
    for split in range(splits):
        first = np.zeros(n_items, dtype=bool)
        first[rng.permutation(n_items)[: n_items // 2]] = True
        halves = [
            _half(extracted, mask) for mask in (first[extracted.items], ~first[extracted.items])
        ]
        n = np.array([np.bincount(h.annotators, minlength=len(extracted.names)) for h in halves])
        counts = [half.counts() for half in halves]
        used = np.ones(len(extracted.table.phrases), dtype=bool)
        for half, found_in in zip(halves, counts, strict=True):
            total = found_in.sum(axis=0)
            used &= (total > 0) & (total < len(half.annotators))
        if used.sum() < 3:
            continue
        one, two = (_z(c[:, used], k, prior) for c, k in zip(counts, n, strict=True))
        for a in np.flatnonzero((n > 0).all(axis=0) & (n < n.sum(axis=1, keepdims=True)).all(0)):
            found[split, a] = np.corrcoef(one[a], two[a])[0, 1]
    defined = np.isfinite(found).any(axis=0)
    frame.loc[defined, "correlation"] = np.nanmean(found[:, defined], axis=0)
    frame.loc[~defined, "note"] = "too few explanations to compare halves"
    return frame


def reliability_sentence(row: Any) -> str:
    """Return a row of `phrase_reliability` as a sentence; "" where there is no correlation."""
    if not math.isfinite(row.correlation):
        return ""
    return (
        f"Reliability of the phrases: correlation {number(row.correlation)} of their strengths "
        f"between halves of the items ({count(int(row.n_phrases), 'phrase')}, "
        f"{count(int(row.n), 'explanation')})."
    )


def _half(extracted: ExplanationPhrases, rows: np.ndarray) -> ExplanationPhrases:
    table = replace(extracted.table, presence=extracted.table.presence[rows])
    return replace(
        extracted, table=table, annotators=extracted.annotators[rows], items=extracted.items[rows]
    )


def _z(counts: np.ndarray, n: np.ndarray, weight: float) -> np.ndarray:
    """Compute z of each annotator against all others, [annotators × phrases]."""
    total, size = counts.sum(axis=0), int(n.sum())
    prior = PhrasePrior.of(total, size, weight)
    pairs = [
        log_odds(counts[a], n[a], total - counts[a], size - n[a], prior) for a in range(len(n))
    ]
    return np.array([delta / error for delta, error in pairs])


PHRASE_COLUMNS = (
    "annotator_id", "phrase", "z", "log_odds", "low", "high", "rate", "rate_others", "count",
    "count_others", "n", "n_others", "p_adjusted", "clear",
)  # fmt: skip
FEATURE_COLUMNS = (
    "annotator_id", "feature", "text", "unit", "mean", "mean_others", "difference", "low", "high",
    "n", "n_others", "p_adjusted", "clear",
)  # fmt: skip
FALSE_DISCOVERIES = 0.05
_SAMPLE = 10_000  # texts looked at for repetition; shares of occurrences need no more


def distinctive_phrases(
    dataset: Dataset,
    *,
    raw: bool = False,
    ngrams: tuple[int, int] = (1, 3),
    prior: float = 500.0,
    min_texts: int | None = None,
    without_input: bool = True,
    top: int | None = 30,
    extracted: ExplanationPhrases | None = None,
    least: int = 1,
) -> pd.DataFrame:
    """Return the phrases that each annotator uses more, or less, than all others together.

    Presence counts, not occurrences.

    Args:
        prior: weight of the prior in phrases (α₀), divided as overall uses them.
        top: at most so many phrases above and so many below the others, the strongest first and
            without those that repeat a stronger one; None gives all, repetition and all.
        extracted: `extract_phrases(...)` of the same dataset, where it is computed already; `raw`,
            `ngrams`, `min_texts` and `without_input` are then those of it.
        least: annotators with fewer explanations have no rows; they count among the others.

    Returns:
        PHRASE_COLUMNS. `z` and `log_odds` with 95 % `low` and `high`: above 0 = more than others.
        `rate`, `rate_others`: share of explanations that have it; `n`, `n_others`: explanations.
        `clear`: still there at a false discovery rate of 5 % among this annotator's phrases.
        No rows with fewer than two annotators who explain: there is no comparison.
    """
    if prior <= 0:
        raise ConfigError(f"the prior weighs {prior}", expected="a number above 0")
    if extracted is None:
        extracted = extract_phrases(
            dataset, raw=raw, ngrams=ngrams, min_texts=min_texts, without_input=without_input
        )
    if len(extracted.names) < 2 or len(extracted.table.phrases) < 2:
        return pd.DataFrame(columns=list(PHRASE_COLUMNS))
    n = np.bincount(extracted.annotators, minlength=len(extracted.names))
    overall = extracted.everybody()
    weight = PhrasePrior.of(overall, len(extracted.annotators), prior)
    names = np.array(extracted.table.phrases, dtype=object)
    found: list[dict[str, np.ndarray]] = []
    for a in np.flatnonzero(n >= least):
        name, own = extracted.names[a], extracted.counts_of(a)
        others = overall - own
        delta, error = log_odds(own, n[a], others, len(extracted.annotators) - n[a], weight)
        z = delta / error
        p = benjamini_hochberg(2 * norm.sf(np.abs(z)))
        chosen = np.argsort(-z, kind="stable")
        if top is not None:
            chosen = np.array(_strongest(z, extracted, a, top), dtype=int)
        delta, error = delta[chosen], error[chosen]
        found.append(
            {
                "annotator_id": np.full(len(chosen), name, dtype=object),
                "phrase": names[chosen],
                "z": z[chosen],
                "log_odds": delta,
                "low": delta - Z95 * error,
                "high": delta + Z95 * error,
                "rate": own[chosen] / n[a],
                "rate_others": others[chosen] / (len(extracted.annotators) - n[a]),
                "count": own[chosen].astype(int),
                "count_others": others[chosen].astype(int),
                "n": np.full(len(chosen), n[a], dtype=int),
                "n_others": np.full(len(chosen), len(extracted.annotators) - n[a], dtype=int),
                "p_adjusted": p[chosen],
                "clear": p[chosen] <= FALSE_DISCOVERIES,
            }
        )
    return _stacked(found, PHRASE_COLUMNS)


def _stacked(found: Sequence[dict[str, np.ndarray]], columns: Sequence[str]) -> pd.DataFrame:
    """Return the columns of all `found`, one below the other: one frame, however many there are."""
    if not found:
        return pd.DataFrame(columns=list(columns))
    return pd.DataFrame({name: np.concatenate([each[name] for each in found]) for name in columns})


def with_rate_intervals(frame: pd.DataFrame) -> pd.DataFrame:
    """Return phrases (see `distinctive_phrases`) with 95 % Wilson intervals of both rates:
    `rate_low`, `rate_high`, `others_low`, `others_high`."""
    ends = {
        name: [wilson(*pair) for pair in zip(frame[count], frame[n], strict=True)]
        for name, count, n in (("rate", "count", "n"), ("others", "count_others", "n_others"))
    }
    return frame.assign(
        **{
            f"{name}_{end}": [float(pair[place]) for pair in pairs]
            for name, pairs in ends.items()
            for place, end in enumerate(("low", "high"))
        }
    )


def _strongest(z: np.ndarray, extracted: ExplanationPhrases, a: int, top: int) -> list[int]:
    """Return the places of the listed phrases: above the others by falling z, then below."""
    chosen = []
    for sign in (1, -1):
        rows = extracted.rows[a]
        if sign < 0:
            rows = np.flatnonzero(extracted.annotators != a)
        rows = rows[:: max(1, len(rows) // _SAMPLE)]
        order = np.argsort(-sign * z, kind="stable")[: 8 * top]
        order = order[sign * z[order] > 0]
        here = np.zeros(len(extracted.annotators), dtype=bool)
        here[rows] = True
        found = prune_phrases(
            order, np.abs(z), extracted.table.phrases, extracted.by_phrase, top, here
        )
        chosen.extend(sorted(found, key=lambda number: -z[number]))
    return chosen


def distinctive_features(dataset: Dataset, *, least: int = 1) -> pd.DataFrame:
    """Compare the style features of each annotator with all others together.

    Args:
        least: annotators with fewer explanations have no rows; they count among the others.

    Returns:
        FEATURE_COLUMNS. `mean`, `mean_others` in the feature's `unit` (`text` says what it is);
        `difference` in standard deviations over all explanations, with a 95 % interval clustered
        by item (none with fewer than ten items); the largest differences of each annotator first.
        `clear` as for phrases.
        A feature in which no two explanations differ has no row. No rows with fewer than two
        annotators who explain.
    """
    explained = explained_annotations(dataset)
    number = explained["annotator_id"].value_counts()
    if len(number) < 2 or number.max() < least:
        return pd.DataFrame(columns=list(FEATURE_COLUMNS))
    texts = explained["explanation"].map(normalise).tolist()
    inputs = list(zip(explained["text_a"], explained["text_b"], strict=True))
    english = not other_language(texts, explained["annotator_id"].tolist())
    table = stylometry.features(texts, inputs, english=english)
    return compare_features(dataset, explained, table, least=least)


def compare_features(
    dataset: Dataset, explained: pd.DataFrame, table: pd.DataFrame, *, least: int = 1
) -> pd.DataFrame:
    """Compare style features that are computed already; `table` has the rows of `explained`."""
    present = set(explained["annotator_id"])
    names = [name for name in dataset.annotators if name in present]
    spread = table.to_numpy(dtype=float).std(axis=0)
    varying = table.columns[spread > 0]
    spread = spread[spread > 0]
    annotators = pd.Categorical(explained["annotator_id"], categories=names).codes.astype(np.int64)
    items = pd.factorize(explained["item_id"])[0]
    found = contrast(table[varying].to_numpy(dtype=float) / spread, items, annotators)
    n = np.bincount(annotators)
    described = [stylometry.feature(name) for name in varying]
    titles = {
        "feature": np.array([feature.name for feature in described], dtype=object),
        "text": np.array([feature.text for feature in described], dtype=object),
        "unit": np.array([feature.unit for feature in described], dtype=object),
    }
    rows: list[dict[str, np.ndarray]] = []
    for a in np.flatnonzero(n >= least):
        difference, low, high = found.difference(a)
        order = np.argsort(-np.abs(difference), kind="stable")
        p = benjamini_hochberg(found.p_values(a))
        columns = {
            "annotator_id": np.full(len(described), names[a], dtype=object),
            **titles,
            # Rounded so that nothing at all is 0, and not what the arithmetic left over.
            "mean": np.round(found.mean[a] * spread, 6) + 0.0,
            "mean_others": np.round(found.others[a] * spread, 6) + 0.0,
            "difference": difference,
            "low": low,
            "high": high,
            "n": np.full(len(described), n[a], dtype=int),
            "n_others": np.full(len(described), n.sum() - n[a], dtype=int),
            "p_adjusted": p,
            "clear": p <= FALSE_DISCOVERIES,
        }
        rows.append({key: values[order] for key, values in columns.items()})
    return _stacked(rows, FEATURE_COLUMNS)

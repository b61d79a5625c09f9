"""Preference pairs: the annotator's responses against those of all others.

For each response of the target (chosen) and each response of another annotator to the same item
(rejected). The target's own second response to an item is chosen in pairs of its own and never
rejected. Everything that is skipped is counted under its reason. Similarity of two explanations is
measured after the item's own words are masked.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
import pandas as pd

from capo_core.dataset import Dataset
from capo_core.errors import ConfigError, DataError
from capo_core.imitation.prompting import responses
from capo_core.imitation.prompting.responses import (
    EMPTY,
    INVALID,
    MIN_TRAINING_ITEMS,
    TWIN,
    Response,
)
from capo_core.schema import PAIRS, check
from capo_core.settings import setting, settings
from capo_core.text.reductions import mask_input
from capo_core.text.tokens import normalise, words
from capo_core.workspace import content_hash

# Why something is in no pair. The first three count responses (the target's, and the others' to
# items where a response of the target is left), the fourth responses of the target, the rest
# count pairs.
ALONE = "no other annotator"
NEAR_DUPLICATE = "near-duplicate"
SAME_LABEL = "same label"
OTHER_LABEL = "other label"
BEYOND = "beyond max_rejected"
DROPPED = (INVALID, EMPTY, TWIN, ALONE, NEAR_DUPLICATE, SAME_LABEL, OTHER_LABEL, BEYOND)
COUNTS_RESPONSES = DROPPED[:4]

SAME_LABEL_CHOICES = ("keep", "first", "drop", "only")
WEIGHTS = ("uniform", "specific")


@settings("Pairs")
class PairsConfig:
    """Settings of the pairs: which responses are paired, and the weight of each pair.

    Raises:
        ConfigError: a value is out of its range.
    """

    near_duplicate: float = setting(
        0.9,
        "Near-duplicate similarity",
        "Pairs of one label that are at least this similar (0 to 1) contrast nothing and are "
        "dropped; above 1 none is. With different labels even equal explanations are kept.",
        ge=0,
        step=0.05,
        usual=(0.0, 1.1),
    )
    same_label: str = setting(
        "keep",
        "Same-label pairs",
        "Pairs whose responses have the same label: keep them, take them first (a chosen response "
        "is paired with other labels only where nobody gave its own), drop them, or take only "
        "them.",
        choices=SAME_LABEL_CHOICES,
    )
    weights: str = setting(
        "uniform",
        "Pair weights",
        "uniform: every pair counts 1; specific: 1 − similarity, scaled to mean 1 over the "
        "target's pairs.",
        choices=WEIGHTS,
    )
    max_rejected: int | None = setting(
        None,
        "Max rejected per chosen",
        "Rejected responses per chosen one at most, drawn at random.",
        ge=1,
        empty="all",
        usual=(1, 1000),
    )
    seed: int = setting(0, "Random seed (pairs)", "Random seed of the draw of rejected responses.")


_CHUNK = 20_000  # pairs compared at once, so that memory does not grow with their number


def similarities(
    texts: Sequence[str],
    inputs: Sequence[tuple[str, str]],
    left: Sequence[int],
    right: Sequence[int],
) -> np.ndarray:
    """Return the cosine of texts[left[p]] and texts[right[p]], float64 [pairs], 0 to 1.

    The vectors are TF-IDF of word 1–2-grams (1 + log tf, smoothed idf over `texts`), after
    `tokens.normalise` and `reduce.mask_input`: shared words of the item are no similarity of style.
    Texts that are the same after this have similarity 1. Words suffice for finding near-copies
    without a model: some thousand pairs take well under a second.

    Args:
        texts: explanations [n].
        inputs: text_a and text_b of each one's item [n].
        left, right: places in `texts` [pairs].
    """
    from sklearn.feature_extraction.text import TfidfTransformer

    from capo_core.text.representations import count_ngrams

    left, right = np.asarray(left, dtype=np.int64), np.asarray(right, dtype=np.int64)
    if not len(left):
        return np.zeros(0)
    reduced = [
        mask_input(normalise(text), (normalise(a), normalise(b)))
        for text, (a, b) in zip(texts, inputs, strict=True)
    ]
    vectors = TfidfTransformer(sublinear_tf=True).fit_transform(count_ngrams(reduced, "words"))
    result = np.zeros(len(left))
    for start in range(0, len(left), _CHUNK):
        part = slice(start, start + _CHUNK)
        product = vectors[left[part]].multiply(vectors[right[part]])
        result[part] = np.asarray(product.sum(axis=1)).ravel()
    # Exactly 1, and so also for texts without a single word, whose vectors are 0.
    number = np.unique(np.array(reduced, dtype=object), return_inverse=True)[1]
    result[number[left] == number[right]] = 1.0
    return np.clip(result, 0.0, 1.0)


@dataclass(frozen=True)
class Pairs:
    """The pairs of a target in a split of the data.

    Attributes:
        frame: table PAIRS, in the order of the dataset.
        dropped: number of pairs dropped, for each of `DROPPED`.
        dataset_fingerprint: fingerprint of their source data.
        items_without: items that the target answered and that are in no pair.
    """

    frame: pd.DataFrame
    dropped: dict[str, int]
    config: PairsConfig
    dataset_fingerprint: str
    target: str
    split: str = "train"
    items_without: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "frame", check(self.frame, PAIRS, source="pairs"))

    def __len__(self) -> int:
        return len(self.frame)


def build_pairs(
    dataset: Dataset,
    target: str,
    config: PairsConfig,
    *,
    split: str = "train",
    least: int = MIN_TRAINING_ITEMS,
) -> Pairs:
    """Return all pairs of `target` in one split of the data.

    Args:
        split: "train" to learn from; "validation" to see when to stop.
        least: on how many training items the target must have responded; with 0 there may also
            be no pair.

    Raises:
        ConfigError: the target is unknown or has too few training items, the data are not split,
            or no pair to learn from is left.

    Two annotators of one item make one pair for each of them:

    >>> from capo_core.task import NLI
    >>> items = pd.DataFrame(
    ...     [("i1", "Two dogs run.", "Animals move.", "train")],
    ...     columns=["item_id", "text_a", "text_b", "split"],
    ... )
    >>> columns = ["annotation_id", "item_id", "annotator_id", "label", "explanation", "valid"]
    >>> annotations = pd.DataFrame(
    ...     [
    ...         ("a1", "i1", "ann", "entailment", "Dogs are animals; running is moving.", "true"),
    ...         ("a2", "i1", "bob", "entailment", "Must be true.", "true"),
    ...     ],
    ...     columns=columns,
    ... )
    >>> dataset = Dataset("tiny", NLI, items, annotations)
    >>> pairs = build_pairs(dataset, "ann", PairsConfig(), least=0)
    >>> pairs.frame[["chosen_annotation_id", "rejected_annotation_id", "weight"]]
      chosen_annotation_id rejected_annotation_id  weight
    0                   a1                     a2     1.0
    """
    responses.history(dataset, target, split=split, least=least)
    kept, left_out = responses.usable_and_skipped(dataset, split=split)
    own = [response for response in kept if response.annotator_id == target]
    answered = {response.item_id for response in own}
    dropped = dict.fromkeys(DROPPED, 0)
    for reason, found in left_out.items():
        dropped[reason] = sum(
            each.annotator_id == target or each.item_id in answered for each in found
        )
    others: dict[str, list[Response]] = {item_id: [] for item_id in answered}
    for response in kept:
        if response.annotator_id != target and response.item_id in answered:
            others[response.item_id].append(response)
    dropped[ALONE] = sum(not others[response.item_id] for response in own)
    candidates = [(chosen, other) for chosen in own for other in others[chosen.item_id]]
    similar = _similarities(dataset, candidates)
    keep = _selected_pairs(candidates, similar, config, dropped)
    needed = split == "train" and least > 0
    if needed and not len(keep):
        raise _nothing_left(dataset, target, dropped)
    if needed and config.weights == "specific" and not (similar[keep] < 1).any():
        raise ConfigError(
            "in every pair both explanations are the same: none is specific to the target",
            where=dataset.name,
            todo="take uniform weights",
        )
    frame = _frame([candidates[place] for place in keep], similar[keep], config)
    paired = set(frame["item_id"])
    without = dict.fromkeys(r.item_id for r in own if r.item_id not in paired)
    return Pairs(frame, dropped, config, dataset.fingerprint, target, split, tuple(without))


def prove_held_out(pairs: Pairs, dataset: Dataset) -> None:
    """Raise `DataError` if anything in the pairs is in the validation or test split.

    Raises:
        DataError: the pairs are of other data, an item is not in the training split, or an item's
            texts are in the validation or test split as well.
    """
    where = f"{dataset.name}, pairs of annotator {pairs.target!r}"
    if pairs.dataset_fingerprint != dataset.fingerprint:
        raise DataError(
            "the pairs were made from other data",
            where=where,
            expected=f"fingerprint {dataset.fingerprint[:12]}; found "
            f"{pairs.dataset_fingerprint[:12]}",
            todo="make the pairs again",
        )
    part_of = dict(zip(dataset.items["item_id"], dataset.items["split"], strict=True))
    twins = responses.text_twins(dataset)
    for item_id in dict.fromkeys(pairs.frame["item_id"]):
        part = part_of.get(item_id, "")
        if part != "train":
            raise DataError(
                f"the item {item_id!r} is in {f'the {part} part' if part else 'no part'}",
                where=where,
                expected="pairs of the training part only",
                todo="make the pairs again from the training part",
            )
        if item_id in twins:
            raise DataError(
                f"the texts of item {item_id!r} are in the validation or test split too",
                where=where,
                expected="training texts that nothing is tested on",
                todo="make the pairs again, which leaves such items out",
            )


def _similarities(dataset: Dataset, candidates: list[tuple[Response, Response]]) -> np.ndarray:
    """Compute similarities, float64 [candidates]; every response is reduced and counted once."""
    place: dict[str, int] = {}
    texts: list[Response] = []
    for response in (each for pair in candidates for each in pair):
        if response.annotation_id not in place:
            place[response.annotation_id] = len(texts)
            texts.append(response)
    items = dataset.items
    inputs = dict(
        zip(items["item_id"], zip(items["text_a"], items["text_b"], strict=True), strict=True)
    )
    return similarities(
        [response.explanation for response in texts],
        [inputs[response.item_id] for response in texts],
        [place[chosen.annotation_id] for chosen, _ in candidates],
        [place[rejected.annotation_id] for _, rejected in candidates],
    )


def _selected_pairs(
    candidates: list[tuple[Response, Response]],
    similar: np.ndarray,
    config: PairsConfig,
    dropped: dict[str, int],
) -> np.ndarray:
    """Select candidates, int64 [pairs] indices; the others are counted in `dropped`."""
    stay: dict[str, list[int]] = {}  # by chosen response
    for place, (chosen, rejected) in enumerate(candidates):
        same = chosen.label == rejected.label
        if same and similar[place] >= config.near_duplicate:
            dropped[NEAR_DUPLICATE] += 1
        elif same and config.same_label == "drop":
            dropped[SAME_LABEL] += 1
        elif not same and config.same_label == "only":
            dropped[OTHER_LABEL] += 1
        else:
            stay.setdefault(chosen.annotation_id, []).append(place)
    if config.same_label == "first":
        for name, found in stay.items():
            same = [p for p in found if candidates[p][0].label == candidates[p][1].label]
            if same:
                dropped[OTHER_LABEL] += len(found) - len(same)
                stay[name] = same
    places: list[int] = []
    for found in stay.values():
        limit = len(found) if config.max_rejected is None else config.max_rejected
        dropped[BEYOND] += max(0, len(found) - limit)
        # A draw by hash, so that it does not depend on the order of rows or on other pairs.
        drawn = sorted(found, key=lambda place: _draw(candidates[place], config.seed))[:limit]
        places += sorted(drawn)
    return np.array(places, dtype=np.int64)


def _draw(pair: tuple[Response, Response], seed: int) -> str:
    return content_hash(seed, pair[0].annotation_id, pair[1].annotation_id)


def _frame(
    pairs: list[tuple[Response, Response]], similar: np.ndarray, config: PairsConfig
) -> pd.DataFrame:
    rows = [
        (
            content_hash(chosen.annotation_id, rejected.annotation_id)[:16],
            chosen.item_id,
            chosen.annotator_id,
            chosen.annotation_id,
            rejected.annotation_id,
            rejected.annotator_id,
            "true" if chosen.label == rejected.label else "false",
        )
        for chosen, rejected in pairs
    ]
    frame = pd.DataFrame(rows, columns=PAIRS.names[:7], dtype=object)
    return frame.assign(similarity=similar, weight=_weights(similar, config.weights))


def _weights(similar: np.ndarray, kind: str) -> np.ndarray:
    """Compute weights, float64 [pairs], 0 or more, with mean 1; all 0 if nothing is specific."""
    specific = 1 - similar
    if kind == "uniform":
        return np.ones(len(similar))
    return specific / specific.mean() if specific.any() else specific


def _nothing_left(dataset: Dataset, target: str, dropped: dict[str, int]) -> ConfigError:
    counts = ", ".join(f"{count} {reason}" for reason, count in dropped.items() if count)
    return ConfigError(
        f"no pair is left for annotator {target!r} (skipped: {counts})",
        where=dataset.name,
        expected="items that the target and another annotator explained in different words",
        todo="choose another target, drop fewer pairs, or stay with SFT, which needs none",
    )


QUANTILES = {
    "min": 0.0, "p10": 0.1, "p25": 0.25, "median": 0.5, "p75": 0.75, "p90": 0.9, "max": 1.0,
}  # fmt: skip
PAIR_TABLE_COLUMNS = (
    "pair_id", "item_id", "chosen_annotator_id", "rejected_annotator_id", "chosen_label",
    "rejected_label", "same_label", "similarity", "weight", "chosen_words", "rejected_words",
    "length_gap_words", "chosen_explanation", "rejected_explanation",
)  # fmt: skip


def pair_table(pairs: Pairs, dataset: Dataset) -> pd.DataFrame:
    """Return one row per pair, with authors, labels, lengths and both texts: `PAIR_TABLE_COLUMNS`.

    `length_gap_words` is the words of the chosen explanation less those of the rejected one: where
    its median is far from 0, a model can win the contrast by length alone.
    """
    said = dataset.annotations.set_index("annotation_id")
    frame = pairs.frame.rename(columns={"target_annotator_id": "chosen_annotator_id"})
    for side in ("chosen", "rejected"):
        rows = said.loc[frame[f"{side}_annotation_id"]]
        texts = rows["explanation"].tolist()
        frame[f"{side}_label"] = rows["label"].tolist()
        frame[f"{side}_explanation"] = texts
        frame[f"{side}_words"] = [len(words(text)) for text in texts]
    frame["same_label"] = frame["same_label"] == "true"
    frame["length_gap_words"] = frame["chosen_words"] - frame["rejected_words"]
    return frame[list(PAIR_TABLE_COLUMNS)]


def pair_summary(pairs: Pairs, dataset: Dataset) -> dict:
    """Return the figures of a set of pairs as JSON holds them; None where there is no pair."""
    table = pair_table(pairs, dataset)
    counted = pairs.dropped
    return {
        "dataset": dataset.name,
        "fingerprint": pairs.dataset_fingerprint,
        "target": pairs.target,
        "split": pairs.split,
        "config": asdict(pairs.config),
        "pairs": len(table),
        "items": int(table["item_id"].nunique()),
        "chosen_responses": int(pairs.frame["chosen_annotation_id"].nunique()),
        "rejected_by_annotator": {
            str(who): int(count)
            for who, count in table["rejected_annotator_id"].value_counts().items()
        },
        "dropped_responses": {name: counted[name] for name in counted if name in COUNTS_RESPONSES},
        "dropped_pairs": {name: counted[name] for name in counted if name not in COUNTS_RESPONSES},
        "items_without": list(pairs.items_without),
        "same_label_share": float(table["same_label"].mean()) if len(table) else None,
        "similarity": quantiles(table["similarity"]),
        "length_gap_words": quantiles(table["length_gap_words"]),
        "weight": quantiles(table["weight"]),
    }


def quantiles(values: pd.Series) -> dict[str, float | int | None]:
    """Return `n` and the quantiles named in `QUANTILES` (linear between values); None without
    values.
    """
    if not len(values):
        return {"n": 0, **dict.fromkeys(QUANTILES)}
    return {
        "n": len(values),
        **{name: float(values.quantile(share)) for name, share in QUANTILES.items()},
    }

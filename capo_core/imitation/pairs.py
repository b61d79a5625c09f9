"""Pairs to learn a preference from: the target's response against everybody else's.

For each response of the target (chosen) and each response of another annotator to the same item
(rejected). The target's own second response to an item is chosen in pairs of its own and never
rejected. Everything that is left out is counted under its reason.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from capo_core.dataset import Dataset
from capo_core.errors import ConfigError, DataError
from capo_core.imitation import history as histories
from capo_core.imitation.history import LEAST, Response
from capo_core.imitation.pairs_config import (
    ALONE,
    BEYOND,
    DROPPED,
    NEAR_DUPLICATE,
    OTHER_LABEL,
    SAME_LABEL,
    PairsConfig,
)
from capo_core.imitation.similarity import similarities
from capo_core.schema import PAIRS, check
from capo_core.workspace import content_hash


@dataclass(frozen=True)
class Pairs:
    """The pairs of one target in one part of the data.

    Attributes:
        frame: table PAIRS, in the order of the dataset.
        dropped: how many were left out, for each of `DROPPED` (0 where none was).
        dataset_fingerprint: of the data they were made from.
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
    least: int = LEAST,
) -> Pairs:
    """All pairs of `target` in one part of the data.

    Args:
        split: "train" to learn from; "validation" to see when to stop.
        least: on how many training items the target must have responded; with 0 there may also
            be no pair.

    Raises:
        ConfigError: the target is unknown or has too few training items, the data are not split,
            or no pair to learn from is left.
    """
    histories.history(dataset, target, split=split, least=least)
    kept, left_out = histories.sorted_out(dataset, split=split)
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
    keep = _kept(candidates, similar, config, dropped)
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
    """Returns only if nothing that the pairs teach is in the validation or test part.

    Raises:
        DataError: the pairs are of other data, an item is not in the training part, or an item's
            texts stand in the validation or test part as well.
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
    twins = histories.text_twins(dataset)
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
                f"the texts of item {item_id!r} stand in the validation or test part too",
                where=where,
                expected="training texts that nothing is tested on",
                todo="make the pairs again, which leaves such items out",
            )


def _similarities(dataset: Dataset, candidates: list[tuple[Response, Response]]) -> np.ndarray:
    """float64 [candidates]; every response is reduced and counted once."""
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


def _kept(
    candidates: list[tuple[Response, Response]],
    similar: np.ndarray,
    config: PairsConfig,
    dropped: dict[str, int],
) -> np.ndarray:
    """int64 [pairs]: places of the candidates that stay; the others are counted in `dropped`."""
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
    """float64 [pairs], 0 or more, with mean 1; all 0 where nothing is specific."""
    specific = 1 - similar
    if kind == "uniform":
        return np.ones(len(similar))
    return specific / specific.mean() if specific.any() else specific


def _nothing_left(dataset: Dataset, target: str, dropped: dict[str, int]) -> ConfigError:
    said = ", ".join(f"{count} {reason}" for reason, count in dropped.items() if count)
    return ConfigError(
        f"no pair is left for annotator {target!r} (left out: {said})",
        where=dataset.name,
        expected="items that the target and somebody else explained, not in the same words",
        todo="choose another target, drop fewer pairs, or stay with SFT, which needs none",
    )

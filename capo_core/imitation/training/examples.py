"""Training examples: prompts with responses as tokens, and which response is preferred to which.

Nothing here needs torch, so that files of pairs can be read and checked without it.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from capo_core.dataset import Dataset
from capo_core.errors import ConfigError
from capo_core.imitation.pairs.build import Pairs, build_pairs, prove_held_out
from capo_core.imitation.prompting import responses as prompting_responses
from capo_core.imitation.prompting.prompts import (
    PromptItem,
    Rendered,
    render,
    write_response,
    zero_shot,
)
from capo_core.imitation.prompting.responses import Response
from capo_core.imitation.training.config import CapoConfig

TOO_LONG = "prompt longer than max_tokens"
ALL = "all"  # the target's name where one adapter serves all annotators


@dataclass(frozen=True)
class TokenLimits:
    """Tokenizer and limits with which texts become tokens.

    Attributes:
        max_tokens: of a prompt with one response.
        named: whether the prompt names the annotator.
    """

    tokenizer: Any
    max_tokens: int
    named: bool


@dataclass(frozen=True)
class ResponseContrast:
    """The responses to one item and target, and which were chosen over which.

    Attributes:
        rendered: the prompt with R distinct responses.
        chosen: Q indices into the responses; several where the target answered an item twice.
        rejected: for each chosen one the indices of its rejected responses; any number, or none.
            Empty for supervised training.
        weights: for each rejected index its weight, 0 or more; empty means 1 everywhere.

    Raises:
        ConfigError: an index outside the responses, a response rejected against itself, a shape
            that does not fit, a negative or infinite weight.
    """

    rendered: Rendered
    chosen: tuple[int, ...]
    rejected: tuple[tuple[int, ...], ...] = ()
    weights: tuple[tuple[float, ...], ...] = ()

    def __post_init__(self) -> None:
        here = f"contrast of {len(self.rendered.responses)} responses"
        known = range(len(self.rendered.responses))
        if not self.chosen:
            raise ConfigError("nothing is chosen", where=here, expected="one chosen or more")
        if self.rejected and len(self.rejected) != len(self.chosen):
            raise ConfigError(
                f"{len(self.rejected)} lists of rejected responses for {len(self.chosen)} chosen",
                where=here,
                expected="one list for each chosen response, or no list at all",
            )
        if any(index not in known for index in (*self.chosen, *sum(self.rejected, ()))):
            raise ConfigError(
                "an index points at no response",
                where=here,
                expected=f"indices from 0 to {len(known) - 1}",
            )
        if any(
            index in against for index, against in zip(self.chosen, self.rejected, strict=False)
        ):
            raise ConfigError("a response is rejected against itself", where=here)
        if not self.weights:
            return
        if [len(row) for row in self.weights] != [len(row) for row in self.rejected]:
            raise ConfigError("the weights do not fit the rejected responses", where=here)
        if not all(math.isfinite(w) and w >= 0 for row in self.weights for w in row):
            raise ConfigError(
                "a weight is not usable", where=here, expected="finite numbers of 0 or more"
            )

    @property
    def against(self) -> tuple[tuple[int, ...], ...]:
        """Return `rejected`, with an empty list for each chosen response in supervised training."""
        return self.rejected or ((),) * len(self.chosen)

    @property
    def weighed(self) -> tuple[tuple[float, ...], ...]:
        """Return `weights`, with explicit ones if empty."""
        return self.weights or tuple((1.0,) * len(row) for row in self.against)


def as_pairs(contrast: ResponseContrast) -> list[ResponseContrast]:
    """Return the contrasts one pair at a time, chosen first, as pair-based trainers use them."""
    rendered, responses = contrast.rendered, contrast.rendered.responses
    heads = rendered.heads or (0,) * len(responses)
    return [
        ResponseContrast(
            Rendered(
                rendered.prompt,
                (responses[chosen], responses[index]),
                (heads[chosen], heads[index]),
            ),
            (0,),
            ((1,),),
            ((weight,),) if contrast.weights else (),
        )
        for chosen, row, weighed in zip(
            contrast.chosen, contrast.against, contrast.weighed, strict=True
        )
        for index, weight in zip(row, weighed, strict=True)
    ]


@dataclass(frozen=True)
class ExampleSet:
    """A split of the data, tokenised for training.

    Attributes:
        contrasts: one for each item and target, in the order of the dataset.
        skipped: number of skipped responses, by reason.
        responses: number of responses.
        cut: number of responses truncated to `max_tokens`, without end token.
    """

    contrasts: tuple[ResponseContrast, ...]
    skipped: dict[str, int]
    responses: int
    cut: int

    def __len__(self) -> int:
        return len(self.contrasts)

    @property
    def lengths(self) -> list[int]:
        """Count the tokens of each contrast: its prompt and all its responses."""
        rendered = [contrast.rendered for contrast in self.contrasts]
        return [len(each.prompt) + sum(map(len, each.responses)) for each in rendered]


def shuffle_annotators(dataset: Dataset, seed: int) -> Dataset:
    """Return the dataset with the annotators of each item permuted among its annotations.

    Each annotator keeps the number of annotations; whose manner they are is by chance alone.
    """
    rng = np.random.default_rng([seed, 0x5AFE])
    rows = dataset.annotations.reset_index(drop=True)
    who = rows["annotator_id"].to_numpy(object).copy()
    for places in rows.groupby("item_id", sort=False).indices.values():
        who[places] = who[rng.permutation(places)]
    return replace(dataset, annotations=rows.assign(annotator_id=who))


def sft_examples(
    dataset: Dataset, targets: Sequence[str], limits: TokenLimits, *, split: str = "train"
) -> ExampleSet:
    """Return the targets' own responses, without contrasts.

    Raises:
        ConfigError: too few training items, or no response fits into `max_tokens`.
    """
    skipped: Counter[str] = Counter()
    by_item: dict[tuple[str, str], list[Response]] = {}
    for target in targets:
        # A shared adapter learns also from those who wrote little, and goes without the others.
        least = 0 if limits.named else prompting_responses.MIN_TRAINING_ITEMS
        found = prompting_responses.history(dataset, target, split=split, least=least)
        skipped.update(found.skipped)
        for response in found.responses:
            by_item.setdefault((response.item_id, target), []).append(response)
    items = {item.item_id: item for item in prompting_responses.items_of(dataset, split)}
    contrasts = []
    for (item_id, target), responses in by_item.items():
        chosen = tuple(range(len(responses)))
        rendered = _rendered(dataset, items[item_id], target, responses, limits)
        contrasts.append(ResponseContrast(rendered, chosen))
    return fit_to_limit(contrasts, dict(skipped), limits.max_tokens, dataset.name, split)


def capo_examples(
    dataset: Dataset,
    targets: Sequence[str],
    config: CapoConfig,
    limits: TokenLimits,
    *,
    split: str = "train",
) -> ExampleSet:
    """Return the targets' responses, each against the others' to the same item.

    Raises:
        ConfigError: too few training items, nothing to contrast, or no response fits.
        DataError: an item of the validation or test part is among the training pairs.
    """
    skipped: Counter[str] = Counter()
    by_item: dict[tuple[str, str], list[tuple[str, str, float]]] = {}
    for target in targets:
        pairs = pairs_of(dataset, target, config, split=split)
        skipped.update(pairs.dropped)
        columns = ("item_id", "chosen_annotation_id", "rejected_annotation_id", "weight")
        for item_id, *pair in pairs.frame[list(columns)].itertuples(index=False, name=None):
            by_item.setdefault((item_id, target), []).append(tuple(pair))
    items = {item.item_id: item for item in prompting_responses.items_of(dataset, split)}
    known = {
        each.annotation_id: each for each in prompting_responses.responses(dataset, split=split)
    }
    weighted = any(weight != 1 for pairs in by_item.values() for *_, weight in pairs)
    contrasts = []
    for (item_id, target), pairs in by_item.items():
        # Each response stands once, however many pairs it is in.
        names = dict.fromkeys(name for pair in pairs for name in pair[:2])
        place = {name: index for index, name in enumerate(names)}
        against: dict[str, list[tuple[int, float]]] = {}
        for chosen, rejected, weight in pairs:
            against.setdefault(chosen, []).append((place[rejected], weight))
        responses = [known[name] for name in names]
        contrasts.append(
            ResponseContrast(
                _rendered(dataset, items[item_id], target, responses, limits),
                tuple(place[name] for name in against),
                tuple(tuple(index for index, _ in row) for row in against.values()),
                tuple(tuple(float(weight) for _, weight in row) for row in against.values())
                if weighted
                else (),
            )
        )
    return fit_to_limit(contrasts, dict(skipped), config.max_tokens, dataset.name, split)


def pairs_of(dataset: Dataset, target: str, config: CapoConfig, *, split: str = "train") -> Pairs:
    """Return the pairs that one target adds to the training, checked to be held out.

    Raises:
        ConfigError: too few training items, or nothing to contrast; not for a shared adapter.
        DataError: an item of the validation or test part is among the training pairs.
    """
    least = 0 if config.shared else prompting_responses.MIN_TRAINING_ITEMS
    pairs = build_pairs(dataset, target, config.pairs, split=split, least=least)
    if split == "train":
        prove_held_out(pairs, dataset)
    return pairs


def sampled_items(
    dataset: Dataset, targets: Sequence[str], count: int
) -> list[tuple[PromptItem, str]]:
    """Return (item, target) of `count` validation items, evenly spaced; fewer if there are few."""
    if "validation" not in prompting_responses.parts(dataset):
        return []
    items = prompting_responses.items_of(dataset, "validation")
    count = min(count, len(items))
    chosen = [items[index * len(items) // count] for index in range(count)]
    return [(item, targets[number % len(targets)]) for number, item in enumerate(chosen)]


def _rendered(
    dataset: Dataset,
    item: PromptItem,
    target: str,
    responses: Sequence[Response],
    limits: TokenLimits,
) -> Rendered:
    prompt = zero_shot(dataset.task, item, annotator=target if limits.named else "")
    texts = [write_response(response.label, response.explanation) for response in responses]
    return render(prompt, texts, limits.tokenizer)


def fit_to_limit(
    contrasts: list[ResponseContrast], skipped: dict[str, int], limit: int, name: str, split: str
) -> ExampleSet:
    """Fit the data to `limit` tokens: truncate long responses, skip items with long prompts."""
    kept, responses, cut = [], 0, 0
    for contrast in contrasts:
        room = limit - len(contrast.rendered.prompt)
        if room < 1:
            skipped[TOO_LONG] = skipped.get(TOO_LONG, 0) + 1
            continue
        whole = contrast.rendered.responses
        responses += len(whole)
        over = sum(len(response) > room for response in whole)
        if over:
            cut += over
            short = replace(
                contrast.rendered, responses=tuple(response[:room] for response in whole)
            )
            contrast = ResponseContrast(short, contrast.chosen, contrast.rejected, contrast.weights)
        kept.append(contrast)
    if split == "train" and not contrasts:
        left_out = ", ".join(f"{count} {reason}" for reason, count in skipped.items() if count)
        raise ConfigError(
            "there is nothing to learn from" + (f" (left out: {left_out})" if left_out else ""),
            where=name,
            expected="explanations of training items; for CAPO by two annotators to one item",
        )
    if split == "train" and cut == responses:  # also where every prompt is too long
        longest = max(map(longest_row, contrasts))
        raise ConfigError(
            f"with at most {limit} tokens no response is whole",
            where=name,
            expected=f"up to {longest} tokens for a prompt with its response",
            todo="raise max_tokens, or choose a base model that reads longer texts",
        )
    counted = {reason: count for reason, count in skipped.items() if count}
    return ExampleSet(tuple(kept), counted, responses, cut)


def longest_row(contrast: ResponseContrast) -> int:
    """Return the tokens of the prompt with its longest response."""
    rendered = contrast.rendered
    return len(rendered.prompt) + max(map(len, rendered.responses))

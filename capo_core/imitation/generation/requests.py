"""Settings of a generation, and its requests: one for each target, item and sample.

A prompt that does not fit into the model's context together with the longest answer is never cut.
In-context prompts lose their first examples (the least similar, with selection by similarity)
until they fit; their number is saved with the output. A prompt that still does not fit is not
requested: its output has the problem "prompt too long".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from capo_core.data.splits import PARTS
from capo_core.dataset import Dataset
from capo_core.errors import ConfigError
from capo_core.imitation.backends.base import (
    Backend,
    Decoding,
    GenerationRequest,
    max_new_tokens_setting,
    stop_fields,
    temperature_setting,
    top_p_setting,
)
from capo_core.imitation.prompting.examples import EXAMPLE_SELECTIONS
from capo_core.imitation.prompting.prompts import (
    METHOD_NAMES,
    TRAINED,
    Example,
    Prompt,
    PromptItem,
    in_context,
    with_profile,
    zero_shot,
)
from capo_core.imitation.prompting.responses import check_annotator, items_of
from capo_core.settings import setting, settings
from capo_core.workspace import content_hash


@settings("Generation")
class GenerateConfig:
    """The answers that are generated, and the settings of their sampling."""

    method: str = setting(
        title="Method",
        description="zero_shot, icl or profile (prompting), sft or capo (with the target's "
        "adapter).",
        choices=METHOD_NAMES,
    )
    split: str = setting("test", "Split", "The split whose items are answered.", choices=PARTS)
    items: int = setting(
        0,
        "Number of items",
        "Number of items sampled from the split; 0 takes all.",
        ge=0,
        usual=(0, 1_000_000),
    )
    samples: int = setting(
        1,
        "Samples per item",
        "Answers generated per item; several make the scores steadier.",
        ge=1,
        le=1000,
    )
    examples: int = setting(
        8,
        "In-context examples",
        "In-context learning: the number of the annotator's training responses in the prompt.",
        ge=1,
        le=500,
    )
    how: str = setting(
        "random",
        "Example selection",
        "In-context learning: the same random examples for all items, or those of the most "
        "similar items (nearest).",
        choices=EXAMPLE_SELECTIONS,
    )
    named: bool = setting(
        False,
        "Annotator named",
        "SFT and CAPO: name the annotator in the prompt, for an adapter that serves all.",
    )
    seed: int = setting(
        0,
        "Random seed",
        "Random seed; each answer's own is made of it, the target, the item and the sample.",
        ge=0,
    )
    temperature: float = temperature_setting(0.7)
    top_p: float = top_p_setting()
    max_new_tokens: int = max_new_tokens_setting(128)

    def __post_init__(self) -> None:
        if self.named and not self.trained:
            raise ConfigError(
                "True cannot be used",
                where="Generation, named",
                expected="true only with the methods sft and capo",
            )

    @property
    def trained(self) -> bool:
        """Return whether the method needs an adapter."""
        return self.method in TRAINED


def seed_of(seed: int, *what: str) -> int:
    """Derive a seed, 0 to 2³¹ − 1, that depends on `seed` and `what` alone.

    The seed of an answer does not depend on the method: all methods answer an item with the same
    random numbers, which makes their differences less noisy.
    """
    return int(content_hash(seed, *what)[:8], 16) & 0x7FFFFFFF


TOO_LONG = "prompt too long"


@dataclass(frozen=True)
class OutputRequest:
    """The request for one output.

    Attributes:
        examples: in-context examples in the prompt.
        excess: tokens by which even the shortest prompt exceeds the context; 0 where it fits.
    """

    target: str
    item_id: str
    sample: int
    request: GenerationRequest
    examples: int = 0
    excess: int = 0


def dataset_identity(dataset: Dataset) -> dict[str, str]:
    """Return the dataset's name and the fingerprints of its content and split, for runs."""
    return {
        "name": dataset.name,
        "fingerprint": dataset.fingerprint,
        "split": dataset.split_fingerprint,
    }


def decoding_of(dataset: Dataset, config: GenerateConfig) -> Decoding:
    """Return the sampling settings of a generation."""
    return Decoding(
        config.temperature, config.top_p, config.max_new_tokens, stop_fields(dataset.task)
    )


def output_requests(
    dataset: Dataset,
    targets: Sequence[str],
    config: GenerateConfig,
    backend: Backend,
    *,
    run_id: str,
    adapters: Mapping[str, str],
    profiles: Mapping[str, str],
    choose: Callable[[str, PromptItem], Sequence[Example]],
) -> list[OutputRequest]:
    """Return the requests for all outputs, by target, item (in the dataset's order) and sample.

    Args:
        adapters: an adapter's folder for each target (sft, capo).
        profiles: a profile's text for each target (profile).
        choose: (target, item) → in-context examples, the least important first (icl).

    Raises:
        ConfigError: an annotator is unknown, or its adapter or profile is missing.
    """
    if not targets or len(set(targets)) != len(targets):
        raise ConfigError(
            f"the annotators {list(targets)} cannot be imitated",
            expected="one or more annotators, each once",
        )
    for target in targets:
        check_annotator(dataset, target)
        for method, given in (("sft", adapters), ("capo", adapters), ("profile", profiles)):
            if config.method == method and not given.get(target):
                raise ConfigError(
                    f"there is no {'profile' if method == 'profile' else 'adapter'} for "
                    f"annotator {target!r}",
                    where=f"method {config.method}",
                    todo="write one (profile write)" if method == "profile" else "train one",
                )
    decoding = decoding_of(dataset, config)
    found = []
    for target in targets:
        for item in sampled_items(dataset, config):
            prompt, examples, excess = _fitted(
                dataset, target, item, config, backend, decoding, profiles, choose
            )
            for sample in range(config.samples):
                request = GenerationRequest(
                    key=content_hash(run_id, target, item.item_id, sample)[:20],
                    prompt=prompt,
                    adapter=str(adapters[target]) if config.trained else "",
                    seed=seed_of(config.seed, target, item.item_id, str(sample)),
                )
                found.append(OutputRequest(target, item.item_id, sample, request, examples, excess))
    return found


def sampled_items(dataset: Dataset, config: GenerateConfig) -> list[PromptItem]:
    """Return the items to be answered, in the dataset's order."""
    items = items_of(dataset, config.split)
    if not config.items or config.items >= len(items):
        return items
    drawn = np.random.default_rng(config.seed).choice(len(items), config.items, replace=False)
    return [items[index] for index in sorted(drawn.tolist())]


def _fitted(
    dataset: Dataset,
    target: str,
    item: PromptItem,
    config: GenerateConfig,
    backend: Backend,
    decoding: Decoding,
    profiles: Mapping[str, str],
    choose: Callable[[str, PromptItem], Sequence[Example]],
) -> tuple[Prompt, int, int]:
    """Return the prompt, its number of examples, and its excess."""
    task = dataset.task
    if config.method == "icl":
        examples = list(choose(target, item))
        return longest_fit(lambda shown: in_context(task, item, shown), examples, backend, decoding)
    if config.method == "profile":
        prompt = with_profile(task, item, profiles[target])
    else:
        prompt = zero_shot(task, item, annotator=target if config.named else "")
    return prompt, 0, backend.excess(prompt, decoding)


def longest_fit(
    build: Callable[[Sequence[Example]], Prompt],
    examples: Sequence[Example],
    backend: Backend,
    decoding: Decoding,
) -> tuple[Prompt, int, int]:
    """Return the prompt with as many of the last `examples` as fit, their number, and the excess.

    At least one example is shown: without any it would be another method.
    """
    for start in range(len(examples)):
        prompt = build(examples[start:])
        excess = backend.excess(prompt, decoding)
        if excess == 0 or start == len(examples) - 1:
            return prompt, len(examples) - start, excess
    raise ConfigError("there are no examples to show")

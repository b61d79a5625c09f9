"""Settings of a generation, and its requests: one for each target, item and sample.

A prompt that does not fit into the model's context together with the longest answer is never cut.
In-context prompts lose their first examples (the least similar, with selection by similarity)
until they fit; their number is saved with the output. A prompt that still does not fit is not
requested: its output has the problem "prompt too long".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from capo_core.data.splits import PARTS
from capo_core.dataset import Dataset
from capo_core.errors import ConfigError
from capo_core.imitation.backends.base import (
    BATCH_TOKENS,
    Backend,
    Decoding,
    GenerationRequest,
    LabelChoice,
    max_new_tokens_setting,
    stop_fields,
    temperature_setting,
    top_p_setting,
)
from capo_core.imitation.generation.label_prior import (
    LABEL_PRIORS,
    PRIOR_ITEMS,
    LabelPrior,
    fit_label_prior,
)
from capo_core.imitation.prompting.examples import EXAMPLE_SELECTIONS
from capo_core.imitation.prompting.label_words import (
    OwnLabelWords,
    own_label_words,
    task_words,
)
from capo_core.imitation.prompting.prompts import (
    FIRST_VERSION,
    LATEST_VERSION,
    METHOD_NAMES,
    METHODS,
    TRAINED,
    Example,
    Prompt,
    PromptItem,
    PromptStyle,
    in_context,
    with_profile,
    zero_shot,
)
from capo_core.imitation.prompting.responses import check_annotator, history, items_of
from capo_core.progress import Progress, silent
from capo_core.settings import as_json, setting, setting_field, settings
from capo_core.workspace import content_hash

SCORED_CHOICES = ("scores", "sampled")  # those that need the probabilities of label words
LABEL_CHOICES = ("auto", *SCORED_CHOICES, "generated")
LABEL_ROOM = 24  # tokens of "Label:", the label and "Explanation:" at most
PROMPT_VERSIONS = tuple(f"v{n}" for n in range(FIRST_VERSION, LATEST_VERSION + 1))


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
    label_choice: str = setting(
        "auto",
        "Label choice",
        "scores: the label word with the highest probability after the prompt, then the "
        "explanation is written; sampled: drawn from these probabilities; generated: as the model "
        "writes it. auto: scores on this machine, generated for servers and the embedded base "
        "model.",
        choices=LABEL_CHOICES,
    )
    label_prior: str = setting(
        "none",
        "Label prior",
        "annotator: correct the label probabilities so that their mean over training items is the "
        "annotator's distribution of training labels (Saerens et al. 2002). An experiment leaves "
        "it out where a server or the embedded base model writes the label.",
        choices=LABEL_PRIORS,
    )
    prompt: str = setting(
        "auto",
        "Prompt version",
        "v1: labels and format named; v2: labels explained, form shown where the model writes it. "
        "auto: the one an adapter was trained with, v1 for the embedded base model, else v2.",
        choices=("auto", *PROMPT_VERSIONS),
    )
    batch_tokens: int = setting(
        BATCH_TOKENS,
        "Tokens per batch",
        "Most tokens of the answers computed at once, with their prompts and padding. Fewer need "
        "less memory, and can change rare draws. A server is not concerned.",
        ge=64,
        step=1024,
        usual=(64, 1_048_576),
    )

    def __post_init__(self) -> None:
        if self.label_prior != "none" and self.label_choice == "generated":
            raise ConfigError(
                f"{self.label_prior!r} cannot be used",
                where="Generation, label_prior",
                expected="'none' where the label is generated (label_choice)",
            )
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

    def to_dict(self) -> dict[str, Any]:
        """Return the settings as JSON writes them.

        Those that former builds did not have are left out where they have their default, so that
        runs keep their names.
        """
        defaults = {name: setting_field(GenerateConfig, name).default for name in _LATER}
        return {
            name: value
            for name, value in as_json(self).items()
            if name not in defaults or value != defaults[name]
        }


_LATER = ("label_choice", "label_prior", "prompt", "batch_tokens")


@dataclass(frozen=True)
class AnswerStyle:
    """Form in which answers are asked for and begun, decided for one model.

    Attributes:
        label_choice: scores, sampled or generated.
    """

    prompt: PromptStyle
    label_choice: str

    @property
    def identity(self) -> dict[str, Any]:
        """Return what a run's configuration says of it; nothing for the style of former builds."""
        if (self.prompt.version, self.label_choice) == (FIRST_VERSION, "generated"):
            return {}
        return {"prompt_version": self.prompt.version, "label_choice": self.label_choice}


def answer_style(config: GenerateConfig, backend: Backend) -> AnswerStyle:
    """Return the style of the answers by `backend`.

    Raises:
        ConfigError: labels are to be chosen by scores that the backend does not give.
    """
    former = FIRST_VERSION if config.trained else backend.prompt_version
    version = former if config.prompt == "auto" else int(config.prompt.removeprefix("v"))
    choice = config.label_choice
    if choice == "auto":
        # A model that was trained to write prompts of the first version writes its labels too.
        untaught = backend.prompt_version != FIRST_VERSION
        choice = "scores" if backend.scores_labels and untaught else "generated"
    elif choice != "generated" and not backend.scores_labels:
        raise ConfigError(
            f"{backend.name} gives no probabilities of labels",
            where="Generation, label_choice",
            expected="'auto' or 'generated'",
            todo="use a model on this machine (--base) to choose labels by their scores",
        )
    if choice == "generated" and config.label_prior != "none":
        raise ConfigError(
            f"{config.label_prior!r} cannot be used",
            where="Generation, label_prior",
            expected="'none' where the label is generated",
            todo="choose the label by its score (label_choice scores)",
        )
    return AnswerStyle(PromptStyle(version, form=choice == "generated"), choice)


def words_of(dataset: Dataset, target: str, config: GenerateConfig) -> OwnLabelWords:
    """Return the label words of the prompts for `target`."""
    if METHODS[config.method].own_words:
        return own_label_words(dataset.task, target)
    return task_words(dataset.task)


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
    priors: Mapping[str, LabelPrior] | None = None,
) -> list[OutputRequest]:
    """Return the requests for all outputs, by target, item (in the dataset's order) and sample.

    Args:
        adapters: an adapter's folder for each target (sft, capo).
        profiles: a profile's text for each target (profile).
        choose: (target, item) → in-context examples, the least important first (icl).
        priors: the correction of each target's label probabilities; None for none.

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
        for needed, given, what, todo in (
            (config.trained, adapters, "adapter", "train one"),
            (config.method == "profile", profiles, "profile", "write one (profile write)"),
        ):
            if needed and not given.get(target):
                raise ConfigError(
                    f"there is no {what} for annotator {target!r}",
                    where=f"method {config.method}",
                    todo=todo,
                )
    builder = PromptBuilder(dataset, config, backend, profiles, choose)
    found = []
    for target in targets:
        label = builder.label_choice(target, (priors or {}).get(target))
        for item in sampled_items(dataset, config):
            prompt, examples, excess = builder.build(target, item)
            for sample in range(config.samples):
                request = GenerationRequest(
                    key=content_hash(run_id, target, item.item_id, sample)[:20],
                    prompt=prompt,
                    adapter=str(adapters[target]) if config.trained else "",
                    seed=seed_of(config.seed, target, item.item_id, str(sample)),
                    label=label,
                )
                found.append(OutputRequest(target, item.item_id, sample, request, examples, excess))
    return found


def prior_requests(
    dataset: Dataset,
    target: str,
    config: GenerateConfig,
    backend: Backend,
    *,
    adapters: Mapping[str, str],
    profiles: Mapping[str, str],
    choose: Callable[[str, PromptItem], Sequence[Example]],
) -> list[GenerationRequest]:
    """Return requests for the labels of training items, at most `PRIOR_ITEMS` drawn by the seed.

    The key of each is its item's id. Items whose prompt does not fit are left out.
    """
    builder = PromptBuilder(dataset, config, backend, profiles, choose)
    found = []
    for item in prior_items(dataset, [target], config.seed):
        prompt, _, excess = builder.build(target, item)
        if not excess:
            adapter = str(adapters[target]) if config.trained else ""
            label = builder.label_choice(target)
            found.append(GenerationRequest(item.item_id, prompt, adapter, label=label))
    return found


def measured_prior(
    dataset: Dataset,
    target: str,
    config: GenerateConfig,
    backend: Backend,
    *,
    progress: Progress = silent,
    **given: Any,
) -> LabelPrior:
    """Return the correction of a target's label probabilities by `backend`.

    Args:
        given: as in `prior_requests`.

    Raises:
        ConfigError: the prompts of all training items are too long.
    """
    asked = prior_requests(dataset, target, config, backend, **given)
    if not asked:
        raise ConfigError(
            f"the prompts of all training items of annotator {target!r} are too long",
            where=backend.name,
            todo="show fewer examples, or set the label prior to none",
        )
    scores = backend.label_scores(asked, decoding_of(dataset, config), progress=progress)
    labels = [each.label for each in history(dataset, target, least=1).responses]
    table = np.array([scores[request.key] for request in asked])
    return fit_label_prior(table, labels, dataset.task.scale.labels)


def prior_items(dataset: Dataset, targets: Sequence[str], seed: int) -> list[PromptItem]:
    """Return the training items that a label prior is measured on: answered by one of `targets`,
    at most `PRIOR_ITEMS`, drawn by the seed.
    """
    known = {
        each.item_id for target in targets for each in history(dataset, target, least=1).responses
    }
    items = [item for item in items_of(dataset, "train") if item.item_id in known]
    items.sort(key=lambda item: content_hash(seed, "label prior", item.item_id))
    return items[:PRIOR_ITEMS]


def sampled_items(dataset: Dataset, config: GenerateConfig) -> list[PromptItem]:
    """Return the items to be answered, in the dataset's order."""
    items = items_of(dataset, config.split)
    if not config.items or config.items >= len(items):
        return items
    drawn = np.random.default_rng(config.seed).choice(len(items), config.items, replace=False)
    return [items[index] for index in sorted(drawn.tolist())]


class PromptBuilder:
    """The prompts of one generation.

    Args:
        profiles, choose: see `output_requests`.
    """

    def __init__(
        self,
        dataset: Dataset,
        config: GenerateConfig,
        backend: Backend,
        profiles: Mapping[str, str],
        choose: Callable[[str, PromptItem], Sequence[Example]],
    ) -> None:
        self._dataset, self._config, self._backend = dataset, config, backend
        self._profiles, self._choose = profiles, choose
        self._style = answer_style(config, backend)
        self._decoding = decoding_of(dataset, config)
        if self._style.label_choice != "generated":  # label and marks are beside what is written
            room = self._decoding.max_new_tokens + LABEL_ROOM
            self._decoding = replace(self._decoding, max_new_tokens=min(room, 8192))

    def label_choice(self, target: str, prior: LabelPrior | None = None) -> LabelChoice | None:
        """Return how the labels of `target` are chosen; None where the model writes them."""
        if self._style.label_choice == "generated":
            return None
        labels = words_of(self._dataset, target, self._config).task.scale.labels
        weights = prior.log_weights if prior else ()
        return LabelChoice(labels, self._style.label_choice == "sampled", weights)

    def build(self, target: str, item: PromptItem) -> tuple[Prompt, int, int]:
        """Return the prompt, its number of examples, and its excess."""
        config, style, task = self._config, self._style.prompt, self._dataset.task
        if METHODS[config.method].examples:
            words = words_of(self._dataset, target, config)
            examples = words.examples(self._choose(target, item))
            return longest_fit(
                lambda shown: in_context(words.task, item, shown, style=style),
                examples, self._backend, self._decoding,
            )  # fmt: skip
        if config.method == "profile":
            prompt = with_profile(task, item, self._profiles[target], style=style)
        else:
            named = target if config.named else ""
            prompt = zero_shot(task, item, annotator=named, style=style)
        return prompt, 0, self._backend.excess(prompt, self._decoding)


def longest_fit(
    build: Callable[[Sequence[Example]], Prompt],
    examples: Sequence[Example],
    backend: Backend,
    decoding: Decoding,
) -> tuple[Prompt, int, int]:
    """Return the prompt with as many of the last `examples` as fit, their number, and the excess.

    At least one example is shown: without any it would be another method.
    """
    if not examples:
        raise ConfigError("there are no examples to show")
    prompt = build(examples)
    excess = backend.excess(prompt, decoding)
    shown, most = len(examples), len(examples) - 1
    if excess and most:  # so many fit as can be told by halving: fewer are never longer
        fewest, shown = 1, 0
        while fewest <= most:
            middle = (fewest + most) // 2
            if backend.excess(build(examples[-middle:]), decoding):
                most = middle - 1
            else:
                fewest, shown = middle + 1, middle
        shown = max(shown, 1)
        prompt = build(examples[-shown:])
        excess = backend.excess(prompt, decoding)
    return prompt, shown, excess

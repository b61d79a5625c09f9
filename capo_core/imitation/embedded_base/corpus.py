"""Training data of the embedded base model: simulated annotators and items, none of the demo's.

From bottom to top: the vocabulary (byte-level BPE), the population of annotators, prompts of every
format with their answers as text, rows of tokens, and the batches of each step, which depend on
seed and step alone. For a base model of one's own, passages of any text take their place.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property, lru_cache
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from capo_core.data.readers.table import read_table
from capo_core.errors import DataError
from capo_core.imitation.embedded_base.config import FORMATS, EmbeddedBaseConfig
from capo_core.imitation.prompting import prompts
from capo_core.imitation.prompting.prompts import (
    LABEL_MARK,
    Example,
    Prompt,
    PromptItem,
    prompt_text,
    response_ids,
    write_response,
)
from capo_core.imitation.prompting.rule_profiles import Habits, common_of, rule_profile
from capo_core.simulation.annotate import label_shares, start_rule, write
from capo_core.simulation.annotators import AnnotatorSpec, WritingStyle, sample_annotators, style_of
from capo_core.simulation.demo import CONFIGS
from capo_core.simulation.grammar import Draws, cumulative
from capo_core.simulation.items import SimulatedItem as Simulated
from capo_core.simulation.simulate import TASKS, simulate
from capo_core.workspace import content_hash

END, PAD = "<|end|>", "<|pad|>"
# Words with the space before them, digits one by one, each line break alone: so numbers are read
# digit by digit, and a prompt's line break never merges with what follows.
_PIECES = r"\n| ?[A-Za-z]+(?:'[a-z]+)?| ?[0-9]| ?[^\sA-Za-z0-9]+|\s"


def learn_tokenizer(texts: Iterable[str], vocabulary: int) -> PreTrainedTokenizerFast:
    """Train a tokenizer of at most `vocabulary` tokens, 258 of them bytes and marks."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_PIECES), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.train_from_iterator(
        texts,
        trainers.BpeTrainer(
            vocab_size=vocabulary,
            special_tokens=[PAD, END],
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        ),
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        eos_token=END,
        pad_token=PAD,
        clean_up_tokenization_spaces=False,
    )


# Marks the seeds of the pre-training, so that no stream is one of the demo's or of a test's.
STREAM = 0xBA5E
PEOPLE, STRENGTHS, STEPS, HELD_OUT = range(4)


@dataclass(frozen=True)
class SimulatedWriter:
    """A simulated annotator with the strengths of style and content."""

    number: int
    spec: AnnotatorSpec
    manner: WritingStyle
    content: float
    label_bias: float


class SimulatedPopulation:
    """Annotators by number and items by seed; two worlds of one configuration are equal."""

    def __init__(self, config: EmbeddedBaseConfig) -> None:
        self.config = config
        self.writer = lru_cache(maxsize=4096)(self._writer)

    def _writer(self, number: int) -> SimulatedWriter:
        """Return annotator `number`; those from `config.annotators` on are never trained on."""
        config = self.config
        (spec,) = sample_annotators(1, [STREAM, config.seed, PEOPLE, number])
        rng = np.random.default_rng([STREAM, config.seed, STRENGTHS, number])
        manner, content, label_bias = (
            float(rng.uniform(*bounds))
            for bounds in (config.manner, config.content, config.label_bias)
        )
        return SimulatedWriter(number, spec, style_of(spec, manner), content, label_bias)


def draw_item(task: str, draws: Draws) -> Simulated:
    """Draw an item none of whose texts is in the demo."""
    while True:
        item = TASKS[task][1](draws)
        if not {item.text_a, item.text_b} & demo_texts():
            return item


@dataclass(frozen=True)
class SimulatedAnswer:
    """An annotator's answer to an item.

    Attributes:
        shares: the probability of each label for this annotator, in the scale's order.
    """

    example: Example
    shares: tuple[float, ...]


def answer(task: str, writer: SimulatedWriter, item: Simulated, draws: Draws) -> SimulatedAnswer:
    """Return the label and explanation of `writer` for the item."""
    shares = label_shares(task, item, writer.spec, writer.label_bias)
    label = TASKS[task][0].scale.labels[draws.weighted(cumulative(list(shares)))]
    text = write(start_rule(task, item, label), item, writer.manner, writer.content, draws)
    example = Example(PromptItem("", item.text_a, item.text_b), label, text)
    return SimulatedAnswer(example, tuple(shares))


@cache
def demo_texts() -> frozenset[str]:
    """Return all texts of the demo's items, of both tasks."""
    items = [simulate(config).dataset.items for config in CONFIGS.values()]
    return frozenset(text for table in items for text in (*table["text_a"], *table["text_b"]))


# Examples a profile is made from.
PROFILE_EXAMPLES = (10, 50)
_NAMES = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


@dataclass(frozen=True)
class TaskSample:
    """A prompt and its training response.

    Attributes:
        task: name of the task in `simulate.TASKS`.
        response: what follows the prompt.
        asked: the answer that `response` writes out; None where it is a profile.
        shown: answers inside the prompt, in order, that are trained on too.
    """

    task: str
    prompt: Prompt
    response: str
    asked: SimulatedAnswer | None
    shown: tuple[SimulatedAnswer, ...] = ()


class TaskSamples:
    """Samples of one world, each from a stream of draws and a range of annotators."""

    def __init__(self, world: SimulatedPopulation) -> None:
        self.world = world
        self._common: dict[str, Habits] = {}

    def draw(
        self, kind: str, task: str, number: int, draws: Draws, *, examples: int = 0
    ) -> TaskSample:
        """Draw a sample of format `kind` by annotator `number`.

        Args:
            examples: in_context and ask_for_profile: how many the prompt shows.
        """
        writer = self.world.writer(number)
        about = TASKS[task][0]

        def answers(n: int) -> list[SimulatedAnswer]:
            return [answer(task, writer, draw_item(task, draws), draws) for _ in range(n)]

        if kind == "ask_for_profile":
            shown = answers(examples)
            known = [each.example for each in shown]
            text = rule_profile(about, known, self.common(task))
            return TaskSample(task, prompts.ask_for_profile(about, known), text, None, tuple(shown))
        if kind == "in_context":
            *shown, asked = answers(examples + 1)
            prompt = prompts.in_context(about, asked.example.item, [each.example for each in shown])
            return TaskSample(task, prompt, response_of(asked), asked, tuple(shown))
        (asked,) = answers(1)
        item = asked.example.item
        if kind == "with_profile":
            low, high = PROFILE_EXAMPLES
            known = [each.example for each in answers(low + draws.index(high - low + 1))]
            prompt = prompts.with_profile(
                about, item, rule_profile(about, known, self.common(task))
            )
        else:
            named = _name(draws) if kind == "named" else ""
            prompt = prompts.zero_shot(about, item, annotator=named)
        return TaskSample(task, prompt, response_of(asked), asked)

    def common(self, task: str) -> Habits:
        """Return the average style of this population, from up to 4,000 of their responses."""
        if task not in self._common:
            people = self.world.config.annotators
            draws = Draws([STREAM, self.world.config.seed, len(task)])
            responses = []
            for _ in range(min(4000, 10 * people)):
                writer = self.world.writer(draws.index(people))
                responses.append(answer(task, writer, draw_item(task, draws), draws).example)
            self._common[task] = common_of(responses)
        return self._common[task]


def response_of(said: SimulatedAnswer) -> str:
    """Return an answer in the fixed format."""
    return write_response(said.example.label, said.example.explanation)


def _name(draws: Draws) -> str:
    """Return a pseudonym as datasets have them: a letter, a number, or both."""
    letter, number = draws.pick(_NAMES), str(1 + draws.index(60))
    return draws.pick((letter, number, letter + number, f"Ann{number}"))


# How many examples an in-context prompt shows, and one that asks for a profile: (from, to, share).
_SHOWN = {
    "in_context": ((1, 3, 0.2), (4, 8, 0.6), (9, 16, 0.2)),
    "ask_for_profile": ((10, 20, 0.6), (21, 35, 0.25), (36, 50, 0.15)),
}
# Where an item's second text stands in a prompt of either task.
_SECOND_TEXT = re.compile(
    "^(?:" + "|".join(task.role_b.capitalize() for task, _ in TASKS.values()) + "):(.*)$", re.M
)


Spread = tuple[tuple[int, float], ...]


@dataclass(frozen=True)
class TokenRow:
    """A training sequence of tokens.

    Attributes:
        weights: for each token, its weight in the loss; 0 for tokens that are not trained on.
        answer: position at which the answer begins.
        spread: position → ((token, probability), …) where other tokens' probabilities are
            known: at labels, which annotators draw at random.
    """

    ids: tuple[int, ...]
    weights: tuple[float, ...]
    answer: int
    spread: Mapping[int, Spread] = field(default_factory=dict)


@dataclass(frozen=True)
class MicroBatch:
    """Rows of one format and task, so of one beginning; `share` of the step's loss is theirs."""

    kind: str
    task: str
    rows: tuple[TokenRow, ...]
    share: float

    @property
    def tokens(self) -> int:
        """Tokens of all rows, each counted in full."""
        return sum(len(row.ids) for row in self.rows)


def common_beginning(rows: Sequence[TokenRow]) -> int:
    """Return the number of tokens that all rows share at their beginning.

    The token before the first learned one is left out: that one is predicted from it.
    """
    shortest = min(next(i for i, w in enumerate(row.weights) if w) - 1 for row in rows)
    first = rows[0].ids
    return next(
        (i for i in range(shortest) if any(row.ids[i] != first[i] for row in rows)), shortest
    )


def computed_tokens(rows: Sequence[TokenRow]) -> int:
    """Count the tokens a network reads if the common prefix is read once."""
    return sum(len(row.ids) for row in rows) - common_beginning(rows) * (len(rows) - 1)


def row_of(sample: TaskSample, tokenizer: Any, config: EmbeddedBaseConfig) -> TokenRow:
    """Return a sample as tokens (those of training and generation) with the weights of the loss."""
    text = prompt_text(sample.prompt, tokenizer)
    read = tokenizer(text, return_offsets_mapping=True)
    ids = [*read["input_ids"], *response_ids(sample.response, tokenizer)]
    ends = [end for _, end in read["offset_mapping"]]
    begin = len(ends)
    weights = [0.0] * begin + [1.0] * (len(ids) - begin)
    for line in _SECOND_TEXT.finditer(text):
        for i in range(bisect_right(ends, line.start(1)), bisect_right(ends, line.end(1))):
            weights[i] = config.prompt_weight
    answers = [(begin, sample.asked)] if sample.asked else []
    at = 0
    for shown in sample.shown:
        response = response_of(shown)
        start = text.index(response, at)
        at = start + len(response)
        first = bisect_right(ends, start)
        for i in range(first, bisect_right(ends, at)):
            weights[i] = 1.0
        answers.append((first, shown))
    labels = _label_tokens(tokenizer, sample.task)
    spread: dict[int, Spread] = {}
    for first, said in answers:
        # A response begins with the mark, whose tokens stand before the label's.
        spread |= _spread(labels, said, first + len(tokenizer(LABEL_MARK)["input_ids"]))
    for position in spread:
        weights[position] = config.label_weight
    return TokenRow(tuple(ids), tuple(weights), begin, spread)


def _label_tokens(tokenizer: Any, task: str) -> dict[str, tuple[int, ...]]:
    """Return label → its tokens, as they follow the mark."""
    mark = len(tokenizer(LABEL_MARK)["input_ids"])
    return {
        label: tuple(tokenizer(f"{LABEL_MARK} {label}")["input_ids"][mark:])
        for label in TASKS[task][0].scale.labels
    }


def _spread(
    labels: dict[str, tuple[int, ...]], said: SimulatedAnswer, at: int
) -> dict[int, Spread]:
    """Return the probability of each label token at the positions from `at` on.

    A later token of a label is judged among the labels that begin with the earlier ones.
    """
    given = labels[said.example.label]
    found: dict[int, Spread] = {}
    for i in range(len(given)):
        likely: dict[int, float] = {}
        for tokens, share in zip(labels.values(), said.shares, strict=True):
            if tokens[:i] == given[:i] and len(tokens) > i:
                likely[tokens[i]] = likely.get(tokens[i], 0.0) + share
        total = sum(likely.values())
        found[at + i] = tuple((token, share / total) for token, share in likely.items())
    return found


class TaskBatches:
    """The batches of each step, drawn on demand."""

    def __init__(self, samples: TaskSamples, tokenizer: Any) -> None:
        self.samples, self.tokenizer = samples, tokenizer
        self.config: EmbeddedBaseConfig = samples.world.config

    def step(self, step: int) -> list[MicroBatch]:
        """Return the micro-batches of a step: both tasks' short prompts, and one other format."""
        config = self.config
        rng = np.random.default_rng([STREAM, config.seed, STEPS, step])
        draws = Draws([STREAM, config.seed, STEPS, step, 1])
        kinds = sorted(config.shares)
        other = str(rng.choice(kinds, p=[config.shares[kind] for kind in kinds]))
        task = str(rng.choice(list(TASKS)))
        made = [self._fill("short", name, config.step_tokens // 4, 0.25, draws) for name in TASKS]
        return [*made, self._fill(other, task, config.step_tokens // 2, 0.5, draws)]

    def held_out(self, kind: str, task: str) -> MicroBatch:
        """Return rows of annotators and items that no step reads."""
        config = self.config
        draws = Draws([STREAM, config.seed, HELD_OUT, FORMATS.index(kind), len(task)])
        rows = tuple(
            self._row(kind, task, config.annotators + draws.index(1000), _shown(kind, draws), draws)
            for _ in range(config.validation_rows)
        )
        return MicroBatch(kind, task, rows, 1.0)

    def _fill(self, kind: str, task: str, tokens: int, share: float, draws: Draws) -> MicroBatch:
        """Draw rows until they have `tokens` tokens; at least one."""
        shown = _shown(kind, draws)
        rows: list[TokenRow] = []
        # The beginning that all share is read once, so it counts once.
        while not rows or computed_tokens(rows) < tokens:
            drawn = kind
            if kind == "short":
                drawn = "named" if draws.chance(self.config.named) else "zero_shot"
            number = draws.index(self.config.annotators)
            rows.append(self._row(drawn, task, number, shown, draws))
        return MicroBatch(kind, task, tuple(rows), share)

    def _row(self, kind: str, task: str, number: int, shown: int, draws: Draws) -> TokenRow:
        sample = self.samples.draw(kind, task, number, draws, examples=shown)
        return row_of(sample, self.tokenizer, self.config)


def sample_texts(samples: TaskSamples, per_task: int) -> Iterator[str]:
    """Return the texts for training the tokenizer: prompts with their answers."""
    config = samples.world.config
    for task in TASKS:
        draws = Draws([STREAM, config.seed, STEPS, 2**32, len(task)])
        for i in range(per_task):
            kind = ("zero_shot", "with_profile")[i % 8 == 7]
            sample = samples.draw(kind, task, draws.index(config.annotators), draws)
            yield f"{sample.prompt.text}\n\nAnswer:\n{sample.response}"


def _shown(kind: str, draws: Draws) -> int:
    """Return the number of examples a prompt of this format contains."""
    if kind not in _SHOWN:
        return 0
    bounds = np.cumsum([share for *_, share in _SHOWN[kind]])
    low, high, _ = _SHOWN[kind][draws.weighted(bounds.tolist())]
    return low + draws.index(high - low + 1)


# Tokens a row of a corpus has at most.
WIDTH = 256
# Every twentieth text is held out.
_KEPT_BACK = 20


@dataclass(frozen=True)
class TextCorpus:
    """Texts, in order."""

    name: str
    texts: tuple[str, ...]

    @cached_property
    def fingerprint(self) -> str:
        return content_hash(self.texts)


def read_corpus(path: Path) -> TextCorpus:
    """Read the texts of a file.

    A `.txt` file has one text per paragraph (or per line, if no line is empty); in a table, every
    cell with at least three words is a text.

    Raises:
        DataError: the file cannot be read or has fewer than 20 texts.
    """
    if path.suffix.lower() == ".txt":
        try:
            whole = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise DataError(
                f"the file cannot be read ({error})", where=str(path), expected="UTF-8 text"
            ) from error
        parts = whole.split("\n\n") if "\n\n" in whole.strip() else whole.splitlines()
    else:
        frame = read_table(path).frame
        parts = [cell for column in frame for cell in frame[column].astype(str)]
        parts = [part for part in parts if len(part.split()) >= 3]
    texts = tuple(dict.fromkeys(part.strip() for part in parts if part.strip()))
    if len(texts) < _KEPT_BACK:
        raise DataError(
            f"found {len(texts)} different texts", where=str(path),
            expected=f"at least {_KEPT_BACK}, one a line or paragraph, or a table's",
        )  # fmt: skip
    return TextCorpus(path.name, texts)


class CorpusBatches:
    """The batches of each step: passages of the corpus, and task prompts where requested."""

    def __init__(
        self,
        corpus: TextCorpus,
        tokenizer: Any,
        config: EmbeddedBaseConfig,
        tasks: TaskBatches | None,
    ) -> None:
        self.config, self.tasks = config, tasks
        end = tokenizer.eos_token_id
        ids = [[*read, end] for read in tokenizer(list(corpus.texts))["input_ids"]]
        held_out = ids[_KEPT_BACK - 1 :: _KEPT_BACK]
        seen = [text for i, text in enumerate(ids) if i % _KEPT_BACK != _KEPT_BACK - 1]
        self._seen = np.array(list(chain.from_iterable(seen)))
        self._held_out = np.array(list(chain.from_iterable(held_out)))

    def step(self, step: int) -> list[MicroBatch]:
        """Return passages of the corpus; with tasks, these are half of the step."""
        rng = np.random.default_rng([STREAM, self.config.seed, STEPS, step, 2])
        share = 0.5 if self.tasks else 1.0
        rows = _passages(self._seen, int(share * self.config.step_tokens), rng)
        made = [MicroBatch("corpus", "text", rows, share)]
        if self.tasks:
            made += [
                MicroBatch(part.kind, part.task, part.rows, share * part.share)
                for part in self.tasks.step(step)
            ]
        return made

    def held_out(self) -> MicroBatch:
        """Return passages of texts that no step reads."""
        rng = np.random.default_rng([STREAM, self.config.seed, HELD_OUT, 2])
        rows = _passages(self._held_out, WIDTH * self.config.validation_rows, rng)
        return MicroBatch("corpus", "text", rows, 1.0)


def _passages(stream: np.ndarray, tokens: int, rng: np.random.Generator) -> tuple[TokenRow, ...]:
    """Draw passages from anywhere in `stream`, about `tokens` tokens in all."""
    width = min(WIDTH, len(stream))
    starts = rng.integers(0, len(stream) - width + 1, size=max(tokens // width, 1))
    weights = (0.0, *[1.0] * (width - 1))
    return tuple(TokenRow(tuple(stream[at : at + width].tolist()), weights, 1) for at in starts)

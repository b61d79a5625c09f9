"""General text for measuring perplexity: text that a base model was able to predict before
fine-tuning.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from capo_core.errors import ConfigError
from capo_core.imitation.embedded_base.config import EmbeddedBaseConfig
from capo_core.imitation.embedded_base.corpus import (
    HELD_OUT,
    STREAM,
    WIDTH,
    SimulatedPopulation,
    TaskSamples,
    TextCorpus,
)
from capo_core.imitation.embedded_base.model_card import read_about
from capo_core.imitation.models.base_model import LoadedBaseModel
from capo_core.imitation.prompting.prompts import Rendered, render
from capo_core.shipped import DOCS
from capo_core.simulation.grammar import Draws
from capo_core.simulation.simulate import TASKS

KINDS = ("zero_shot", "in_context")
EXAMPLES = 4  # in an in-context prompt
GUIDE = "the guide of this project, in English"
LEAST_WORDS = 12  # of a paragraph of the guide
_FENCED = re.compile(r"^```.*?^```", re.DOTALL | re.MULTILINE)
_LINK = re.compile(r"!?\[([^\]]*)\]\([^)]*\)")
_MARK = 0x6E0  # parts these draws from those of the base's own figures


@dataclass(frozen=True)
class GeneralText:
    """Passages of general text, each a prompt (context) with one response (scored continuation).

    Attributes:
        name: description of the text; "" where there is none.
    """

    name: str
    passages: tuple[Rendered, ...]


def built_by_project(folder: Path) -> bool:
    """Return whether this project built the base model in `folder`, so that what it was trained on
    is known."""
    return (folder / "build.json").is_file()


def guide_text() -> TextCorpus:
    """Return the prose of the guide, which ships with the project: English that is no annotator's.

    Headings, lists, tables, code and pictures are left out, and the marks of links and emphasis.
    """
    found = []
    for path in sorted((DOCS / "guide").glob("*.md")):
        text = _FENCED.sub("", path.read_text(encoding="utf-8"))
        for part in re.split(r"\n\s*\n", text):
            plain = _LINK.sub(r"\1", part.strip("\n")).replace("**", "").replace("`", "")
            if plain[:1].isalpha() and len(plain.split()) >= LEAST_WORDS:
                found.append(" ".join(plain.split()))
    return TextCorpus(GUIDE, tuple(found))


def general_text(
    base: LoadedBaseModel, count: int, corpus: TextCorpus | None = None, *, seed: int = 0
) -> GeneralText:
    """Return up to `count` passages of general text for `base`.

    A corpus is cut into passages of at most 256 tokens, whose first token is given; `count` of
    them, evenly spread, are taken. Without one, a base that this project built (the embedded one)
    is asked what it was pre-trained for: answers of simulated annotators whom it never read, to
    both tasks, with and without examples. Other bases have none without a corpus (`guide_text` is
    one).

    Raises:
        ConfigError: the corpus has no passage of two tokens.
    """
    if corpus is not None:
        name = corpus.name if corpus.name == GUIDE else f"text of {corpus.name}"
        return GeneralText(name, _passages(corpus, base.tokenizer, count))
    if not built_by_project(base.folder):
        return GeneralText("", ())
    raw = read_about(base.folder)["config"]
    config = EmbeddedBaseConfig(
        **{k: tuple(v) if isinstance(v, list) else v for k, v in raw.items()}
    )
    return GeneralText(
        "answers of simulated annotators that the base has never read",
        _simulated(TaskSamples(SimulatedPopulation(config)), base.tokenizer, count, seed),
    )


def _passages(corpus: TextCorpus, tokenizer: Any, count: int) -> tuple[Rendered, ...]:
    found = []
    for ids in tokenizer(list(corpus.texts), add_special_tokens=False)["input_ids"]:
        parts = [ids[start : start + WIDTH] for start in range(0, len(ids), WIDTH)]
        found += [Rendered((part[0],), (tuple(part[1:]),)) for part in parts if len(part) > 1]
    if not found:
        raise ConfigError(
            "no text has two tokens", where=corpus.name, expected="sentences in a language"
        )
    return _spread(found, count)


def _simulated(samples: TaskSamples, tokenizer: Any, count: int, seed: int) -> tuple[Rendered, ...]:
    first = samples.world.config.annotators
    cells = [(kind, task) for kind in KINDS for task in TASKS]
    made = []
    for number, (kind, task) in enumerate(cells):
        draws = Draws([STREAM, samples.world.config.seed, HELD_OUT, _MARK, seed, number])
        for _ in range(number, count, len(cells)):
            shown = EXAMPLES if kind == "in_context" else 0
            sample = samples.draw(kind, task, first + draws.index(1000), draws, examples=shown)
            made.append(render(sample.prompt, [sample.response], tokenizer))
    return tuple(made)


def _spread(passages: Sequence[Rendered], count: int) -> tuple[Rendered, ...]:
    count = min(count, len(passages))
    return tuple(passages[index * len(passages) // count] for index in range(count))

"""Any text as what a base learns from, for users without a hub."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from capo_core.data.read_table import read_table
from capo_core.errors import DataError
from capo_core.imitation.base.batches import Batches, MicroBatch, Row
from capo_core.imitation.base.config import BaseConfig
from capo_core.imitation.base.world import HELD_OUT, STEPS, STREAM
from capo_core.workspace import content_hash

# Tokens a row of a corpus has at most.
WIDTH = 256
# Every twentieth text is held out.
_KEPT_BACK = 20


@dataclass(frozen=True)
class Corpus:
    """Texts, in order."""

    name: str
    texts: tuple[str, ...]

    @cached_property
    def fingerprint(self) -> str:
        return content_hash(self.texts)


def read_corpus(path: Path) -> Corpus:
    """The texts of a file: `.txt` gives one text a paragraph (or a line, where no line is empty);
    a table gives every cell with at least three words.

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
    return Corpus(path.name, texts)


class CorpusBatches:
    """What each step reads: passages of the corpus, and of the tasks' formats where wanted."""

    def __init__(
        self, corpus: Corpus, tokenizer: Any, config: BaseConfig, tasks: Batches | None
    ) -> None:
        self.config, self.tasks = config, tasks
        end = tokenizer.eos_token_id
        ids = [[*read, end] for read in tokenizer(list(corpus.texts))["input_ids"]]
        held_out = ids[_KEPT_BACK - 1 :: _KEPT_BACK]
        seen = [text for i, text in enumerate(ids) if i % _KEPT_BACK != _KEPT_BACK - 1]
        self._seen = np.array(list(chain.from_iterable(seen)))
        self._held_out = np.array(list(chain.from_iterable(held_out)))

    def step(self, step: int) -> list[MicroBatch]:
        """Passages of the corpus; with tasks, these are half of the step."""
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
        """Passages of texts that no step reads."""
        rng = np.random.default_rng([STREAM, self.config.seed, HELD_OUT, 2])
        rows = _passages(self._held_out, WIDTH * self.config.validation_rows, rng)
        return MicroBatch("corpus", "text", rows, 1.0)


def _passages(stream: np.ndarray, tokens: int, rng: np.random.Generator) -> tuple[Row, ...]:
    """Passages from anywhere in `stream`, about `tokens` tokens in all."""
    width = min(WIDTH, len(stream))
    starts = rng.integers(0, len(stream) - width + 1, size=max(tokens // width, 1))
    weights = (0.0, *[1.0] * (width - 1))
    return tuple(Row(tuple(stream[at : at + width].tolist()), weights, 1) for at in starts)

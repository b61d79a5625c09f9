"""Logits of the first token of each option, by a transformers model on this machine."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch

from capo_core.errors import BackendUnavailable, ConfigError
from capo_core.imitation.backends.base import BATCH_TOKENS
from capo_core.imitation.backends.scoring import LOGIT, NOT_A_NUMBER, Question, Scored, Scorer
from capo_core.imitation.model import Base
from capo_core.imitation.render import prompt_ids
from capo_core.progress import Progress, silent
from capo_core.schema import listed

TOO_LONG = "prompt too long"


class HfScorer(Scorer):
    """One forward pass a question, in batches of like length padded on the left.

    Args:
        batch_tokens: rows × longest prompt of a batch at most.
    """

    kind = LOGIT
    prefixes = True

    def __init__(self, base: Base, *, batch_tokens: int = BATCH_TOKENS) -> None:
        self.name, self.fingerprint = base.name, base.fingerprint
        self._base, self._batch_tokens = base, batch_tokens

    def score(
        self, questions: Sequence[Question], progress: Progress = silent
    ) -> Iterator[tuple[Question, Scored]]:
        rows = [(question, self._ids(question)) for question in questions]
        rows.sort(key=lambda row: (-len(row[1]), row[0].key))
        done, longest = 0, self._base.longest
        while done < len(rows):
            width = len(rows[done][1])
            batch = rows[done : done + max(1, self._batch_tokens // width)]
            progress("weighing answers", done / len(rows))
            done += len(batch)
            if longest is not None and width > longest:
                fits = [row for row in batch if len(row[1]) <= longest]
                for question, _ in batch[: len(batch) - len(fits)]:
                    yield question, Scored(problem=TOO_LONG)
                batch = fits
            if batch:
                yield from zip([row[0] for row in batch], self._batch(batch), strict=True)

    def _batch(self, batch: list[tuple[Question, tuple[int, ...]]]) -> list[Scored]:
        width, device = max(len(ids) for _, ids in batch), self._base.model.device
        ids = torch.full((len(batch), width), self._base.pad_id)
        mask = torch.zeros_like(ids)
        for row, (_, own) in enumerate(batch):
            ids[row, width - len(own) :] = torch.tensor(own)
            mask[row, width - len(own) :] = 1
        places = (mask.cumsum(1) - 1).clamp(min=0)
        try:
            with torch.inference_mode():
                logits = (
                    self._base.model(
                        input_ids=ids.to(device),
                        attention_mask=mask.to(device),
                        position_ids=places.to(device),
                        logits_to_keep=1,
                    )
                    .logits[:, -1]
                    .float()
                )
        except (torch.OutOfMemoryError, MemoryError) as error:
            raise BackendUnavailable(
                f"there is not enough memory for {len(batch)} prompts at once",
                where=self.name,
                todo="ask for fewer tokens in a batch (--batch-tokens)",
            ) from error
        found = []
        for (question, _), row in zip(batch, logits, strict=True):
            scores = tuple(row[list(self.option_ids(question))].tolist())
            bad = any(score != score for score in scores)
            found.append(Scored(problem=NOT_A_NUMBER) if bad else Scored(scores))
        return found

    def _ids(self, question: Question) -> tuple[int, ...]:
        return (*prompt_ids(question.prompt, self._base.tokenizer), *self._tokens(question.prefix))

    def _tokens(self, text: str) -> list[int]:
        return self._base.tokenizer(text, add_special_tokens=False)["input_ids"] if text else []

    def option_ids(self, question: Question) -> tuple[int, ...]:
        """The first token of each option, as it stands behind the prefix.

        Raises:
            ConfigError: two options begin with the same token, so that it cannot tell them apart.
        """
        before = self._tokens(question.prefix)
        found = []
        for option in question.options:
            whole = self._tokens(f"{question.prefix} {option}" if question.prefix else option)
            if whole[: len(before)] != before or len(whole) == len(before):
                raise ConfigError(
                    f"the tokenizer joins {question.prefix!r} with {option!r}",
                    where=self.name,
                    todo="take letters as options (--options letters)",
                )
            found.append(whole[len(before)])
        if len(set(found)) < len(found):
            raise ConfigError(
                f"some of the options {listed(question.options)} begin with the same token",
                where=self.name,
                todo="take letters as options (--options letters)",
            )
        return tuple(found)

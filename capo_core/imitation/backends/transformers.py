"""Backend for a transformers model on this machine, bare or with adapters.

Prompts of similar length are answered together, in batches padded on the left; each row draws its
tokens from its own random numbers, so that an answer does not depend on the rest of its batch.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from peft import PeftModel
from peft.utils.save_and_load import get_peft_model_state_dict
from safetensors import safe_open
from torch import Tensor
from transformers import GenerationConfig, LogitsProcessor, StoppingCriteria, StoppingCriteriaList

from capo_core.errors import BackendUnavailable, ConfigError
from capo_core.imitation.backends.base import (
    BATCH_TOKENS,
    Backend,
    Decoding,
    GenerationRequest,
    Reply,
    answer_ended,
)
from capo_core.imitation.models.adapters import WEIGHTS, check_adapter
from capo_core.imitation.models.base_model import LoadedBaseModel
from capo_core.imitation.models.errors import out_of_memory
from capo_core.imitation.prompting.prompts import Prompt, prompt_ids
from capo_core.progress import Progress, silent


class SeededSampling(LogitsProcessor):
    """A logits processor that draws each row's token from the row's own random numbers.

    The t-th token of a row is drawn by inversion: the token at which the cumulative probability,
    over the vocabulary in its order, passes the row's t-th uniform number. So a row's answer
    depends on its prompt and seed, not on what else is in the batch, nor on the device's random
    numbers. Call `generate` with do_sample=False: the likeliest token is then the drawn one.

    Args:
        seeds: one for each row.
        decoding: temperature 0 takes the likeliest token instead of drawing.
        prompt_width: tokens of the padded prompts.
        vocabulary: size of the tokenizer's vocabulary; a model may have a few more outputs.
    """

    def __init__(
        self, seeds: Sequence[int], decoding: Decoding, prompt_width: int, vocabulary: int
    ) -> None:
        self._uniform = torch.from_numpy(
            np.stack(
                [np.random.default_rng(seed).random(decoding.max_new_tokens) for seed in seeds]
            )
        )
        self._temperature, self._top_p = decoding.temperature, decoding.top_p
        self._width, self._vocabulary = prompt_width, vocabulary

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        """Return scores [rows, vocabulary] of the drawn token; `input_ids` is [rows, tokens]."""
        scores = scores.float()
        scores[:, self._vocabulary :] = -torch.inf
        if scores.isnan().any():
            raise BackendUnavailable(
                "the model's probabilities are not numbers", todo="load it with --precision fp32"
            )
        if self._temperature == 0:
            return scores
        probabilities = (scores / self._temperature).softmax(-1)
        if self._top_p < 1:
            probabilities = nucleus(probabilities, self._top_p)
        cumulative = probabilities.double().cumsum(-1)
        uniform = self._uniform[:, input_ids.shape[1] - self._width].to(scores.device)
        # Below the total of what may be drawn, so that rounding cannot point past the last token.
        target = (uniform * cumulative[:, -1])[:, None]
        drawn = torch.searchsorted(cumulative, target, right=True).clamp(max=scores.shape[1] - 1)
        return torch.full_like(scores, -torch.inf).scatter(1, drawn, 0.0)


def nucleus(probabilities: Tensor, share: float) -> Tensor:
    """Truncate `probabilities` [rows, vocabulary] to each row's nucleus; not scaled to sum 1.

    The nucleus: the likeliest tokens that together reach `share` (Holtzman et al. 2020, arXiv
    1904.09751); all others have probability 0.
    """
    ordered, order = torch.sort(probabilities, dim=-1, descending=True, stable=True)
    # A token stays if those before it have not reached the share yet: the first always does.
    kept = ordered.where(ordered.cumsum(-1) - ordered < share, 0.0)
    return torch.zeros_like(probabilities).scatter(1, order, kept)


class EndOfAnswer(StoppingCriteria):
    """A stopping criterion for rows that continue with another field (see `answer_ended`).

    A field ends in a colon, so only rows that have just written one are read.
    """

    def __init__(self, tokenizer: Any, fields: Sequence[str], prompt_width: int) -> None:
        self._tokenizer, self._fields, self._width = tokenizer, fields, prompt_width

    def __call__(self, input_ids: Tensor, scores: Any, **_: Any) -> Tensor:
        """Return [rows], True where a row is to end; `input_ids` [rows, tokens so far]."""
        ended = torch.zeros(len(input_ids), dtype=torch.bool, device=input_ids.device)
        for row, last in enumerate(input_ids[:, -1].tolist()):
            if ":" in self._tokenizer.convert_ids_to_tokens(last):
                text = self._tokenizer.decode(input_ids[row, self._width :].tolist())
                ended[row] = answer_ended(text, self._fields)
        return ended


class TokenCallback(StoppingCriteria):
    """A stopping criterion that calls `look` after each token and stops nothing itself."""

    def __init__(self, look: Callable[[], None]) -> None:
        self._look = look

    def __call__(self, input_ids: Tensor, scores: Any, **_: Any) -> Tensor:
        self._look()
        return torch.zeros(len(input_ids), dtype=torch.bool, device=input_ids.device)


@dataclass(frozen=True)
class TokenizedRequest:
    """A request with its prompt's tokens."""

    request: GenerationRequest
    ids: tuple[int, ...]


def plan_batches(
    rows: Sequence[TokenizedRequest], max_new_tokens: int, batch_tokens: int
) -> list[list[TokenizedRequest]]:
    """Return the rows in batches, longest prompts first, so that a lack of memory shows at once.

    The batches do not depend on the order of the rows. rows × (longest prompt +
    `max_new_tokens`) of a batch is at most `batch_tokens`, unless one row alone exceeds it.
    """
    batches: list[list[TokenizedRequest]] = []
    room = 0
    for row in sorted(rows, key=lambda row: (-len(row.ids), row.request.adapter, row.request.key)):
        if room == 0:
            batches.append([])
            room = max(1, batch_tokens // (len(row.ids) + max_new_tokens))
        batches[-1].append(row)
        room -= 1
    return batches


BARE = "__base__"  # PEFT's name for "no adapter" among the names of a batch's rows


class TransformersBackend(Backend):
    """A model on this machine, answering in left-padded batches of similar length.

    Keys and values are cached; each row has its own adapter and its own random numbers.

    The base's own settings of generation (penalties, temperature) are ignored in favour of
    `Decoding`.

    A batch's shape affects the last bits of its numbers, so a resumed run forms the same batches:
    rows already answered are recomputed if their batch was interrupted, but not yielded.

    Args:
        batch_tokens: rows × (longest prompt + longest answer) of a batch at most; memory for keys
            and values grows with it.
    """

    adapters = True

    def __init__(self, base: LoadedBaseModel, *, batch_tokens: int = BATCH_TOKENS) -> None:
        if batch_tokens < 1:
            raise ConfigError(f"batch_tokens is {batch_tokens}", expected="1 or more")
        self.name, self.fingerprint = base.name, base.fingerprint
        self._base, self._batch_tokens = base, batch_tokens
        self._model: Any = base.model
        self._names: dict[str, str] = {"": BARE}  # adapter folder → its name in the model
        self._ends = end_tokens(base)

    @property
    def details(self) -> dict[str, str | int]:
        precision = str(self._base.model.dtype).removeprefix("torch.")
        return {"precision": precision, "batch_tokens": self._batch_tokens}

    def excess(self, prompt: Prompt, decoding: Decoding) -> int:
        if self._base.longest is None:
            return 0
        needed = len(prompt_ids(prompt, self._base.tokenizer)) + decoding.max_new_tokens
        return max(0, needed - self._base.longest)

    def complete(
        self,
        requests: Sequence[GenerationRequest],
        decoding: Decoding,
        *,
        done: Set[str] = frozenset(),
        progress: Progress = silent,
    ) -> Iterator[tuple[GenerationRequest, Reply]]:
        for folder in sorted({request.adapter for request in requests}):
            self._load(folder)
        rows = [TokenizedRequest(r, prompt_ids(r.prompt, self._base.tokenizer)) for r in requests]
        batches = plan_batches(rows, decoding.max_new_tokens, self._batch_tokens)
        answered = 0
        for batch in batches:
            wanted = [row for row in batch if row.request.key not in done]
            if wanted:
                share = answered / len(rows)
                replies = self._answer(
                    batch, decoding, lambda share=share: progress("writing answers", share)
                )
                for row, reply in zip(batch, replies, strict=True):
                    if row.request.key not in done:
                        yield row.request, reply
            answered += len(batch)

    def _answer(self, batch: list[TokenizedRequest], decoding: Decoding, look: Any) -> list[Reply]:
        width = max(len(row.ids) for row in batch)
        ids = torch.full((len(batch), width), self._base.pad_id)
        mask = torch.zeros_like(ids)
        for k, row in enumerate(batch):
            ids[k, width - len(row.ids) :] = torch.tensor(row.ids)
            mask[k, width - len(row.ids) :] = 1
        tokenizer, device = self._base.tokenizer, self._base.model.device
        criteria = StoppingCriteriaList([TokenCallback(look)])
        if decoding.stop_fields:
            criteria.append(EndOfAnswer(tokenizer, decoding.stop_fields, width))
        seeds = [row.request.seed for row in batch]
        # Prompts are rendered with their own beginning; rows that ended are filled up with an end
        # token, so that the first one ends the row whatever ended it.
        settings = GenerationConfig(
            do_sample=False,
            max_new_tokens=decoding.max_new_tokens,
            eos_token_id=list(self._ends),
            pad_token_id=self._ends[0],
            use_cache=True,
        )
        try:
            with torch.inference_mode(), self._own_settings(settings):
                written = self._model.generate(
                    input_ids=ids.to(device),
                    attention_mask=mask.to(device),
                    generation_config=settings,
                    logits_processor=[SeededSampling(seeds, decoding, width, len(tokenizer))],
                    stopping_criteria=criteria,
                    **self._by_adapter(batch),
                )[:, width:].tolist()
        except (MemoryError, RuntimeError) as error:
            if not out_of_memory(error):
                raise
            raise BackendUnavailable(
                f"there is not enough memory for {len(batch)} answers at once",
                where=self.name,
                todo=f"ask for fewer tokens in a batch than {self._batch_tokens:,} "
                "(--batch-tokens)",
            ) from error
        return [self._reply(row, new, decoding) for row, new in zip(batch, written, strict=True)]

    def _reply(self, row: TokenizedRequest, new: list[int], decoding: Decoding) -> Reply:
        end = next((k for k, token in enumerate(new) if token in self._ends), None)
        words = new if end is None else new[:end]
        tokens = len(new) if end is None else end + 1
        return Reply(
            text=self._base.tokenizer.decode(words, skip_special_tokens=True),
            prompt_tokens=len(row.ids),
            output_tokens=tokens,
            # A row stopped at a new field in the batch's last step has no end token, but is done.
            finish="length" if end is None and tokens == decoding.max_new_tokens else "stop",
        )

    def _by_adapter(self, batch: list[TokenizedRequest]) -> dict[str, Any]:
        """Select the rows' adapters by name, if the model has any."""
        if not isinstance(self._model, PeftModel):
            return {}
        return {"adapter_names": [self._names[row.request.adapter] for row in batch]}

    def _own_settings(self, settings: GenerationConfig) -> Any:
        """Disable the base's generation settings, which would fill in what ours leave open."""
        return _Swapped(self._base.model, settings)

    def _load(self, folder: str) -> None:
        """Put the adapter of `folder` beside those that are there."""
        if folder in self._names:
            return
        path = Path(folder)
        check_adapter(self._base, path)
        name = f"a{len(self._names)}"
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                if isinstance(self._model, PeftModel):
                    self._model.load_adapter(str(path), name)
                else:
                    self._model = PeftModel.from_pretrained(self._model, str(path), name).eval()
        except (RuntimeError, ValueError) as error:
            raise _misfit(path, self.name) from error
        loaded = get_peft_model_state_dict(
            self._model, adapter_name=name, save_embedding_layers=False
        )
        with safe_open(path / WEIGHTS, "pt") as file:
            if set(file.keys()) != set(loaded):
                raise _misfit(path, self.name)
        self._names[folder] = name


class _Swapped:
    """A model with other generation settings, for a while."""

    def __init__(self, model: Any, settings: GenerationConfig) -> None:
        self._model, self._settings = model, settings

    def __enter__(self) -> None:
        self._before = self._model.generation_config
        self._model.generation_config = self._settings

    def __exit__(self, *_: object) -> None:
        self._model.generation_config = self._before


def end_tokens(base: LoadedBaseModel) -> tuple[int, ...]:
    """Return the tokens that end an answer.

    First the tokenizer's end of text, as in training; then those of the base's generation
    settings, and the chat template's end of turn."""
    found = [base.tokenizer.eos_token_id]
    other = getattr(base.model.generation_config, "eos_token_id", None)
    found += other if isinstance(other, list) else [other]
    found.append(_end_of_turn(base.tokenizer))
    return tuple(dict.fromkeys(int(token) for token in found if token is not None))


def _end_of_turn(tokenizer: Any) -> int | None:
    """Return the special token that a chat template writes after an answer, if any."""
    if not getattr(tokenizer, "chat_template", None):
        return None
    turns = [{"role": "user", "content": "Q"}, {"role": "assistant", "content": "The answer."}]
    text = tokenizer.apply_chat_template(turns, tokenize=False)
    _, answer, rest = text.rpartition("The answer.")
    following = tokenizer(rest, add_special_tokens=False)["input_ids"] if answer else []
    return following[0] if following and following[0] in tokenizer.all_special_ids else None


def _misfit(path: Path, base: str) -> ConfigError:
    return ConfigError(
        "the adapter does not fit the base model",
        where=str(path),
        expected=f"a LoRA adapter trained on the base {base!r}",
    )

"""Backend for a transformers model on this machine, bare or with adapters.

Prompts of similar length are answered together, in batches padded on the left; each row draws its
tokens from its own random numbers, so that an answer does not depend on the rest of its batch.
"""

from __future__ import annotations

import time
import warnings
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence, Set
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from peft import PeftConfig, PeftModel
from peft.utils.save_and_load import get_peft_model_state_dict
from safetensors import safe_open

from capo_core.errors import BackendUnavailable, ConfigError
from capo_core.imitation.backends.base import (
    BATCH_TOKENS,
    Backend,
    Decoding,
    GenerationRequest,
    Reply,
    answer_ended,
)
from capo_core.imitation.backends.decoder import (
    DecodedRows,
    DecoderModel,
    SeededSampling,
)
from capo_core.imitation.backends.prefix_attention import MIN_HELD
from capo_core.imitation.models.adapters import WEIGHTS, check_adapter
from capo_core.imitation.models.base_model import LoadedBaseModel
from capo_core.imitation.models.errors import out_of_memory
from capo_core.imitation.models.fast_layers import speed_up_answers
from capo_core.imitation.models.side_by_side import LANES, SideBySide
from capo_core.imitation.prompting.chat_template import conversation, has_template
from capo_core.imitation.prompting.prompts import (
    FIRST_VERSION,
    LABEL_MARK,
    Prompt,
    common_length,
    common_tokens,
    prompt_ids,
    write_response,
)
from capo_core.progress import Progress, silent
from capo_core.shipped import EMBEDDED_BASE

Look = Callable[[int], None]  # told how many rows of a batch are done


@dataclass(frozen=True)
class TokenizedRequest:
    """A request with its prompt's tokens."""

    request: GenerationRequest
    ids: tuple[int, ...]


def plan_batches(
    rows: Sequence[TokenizedRequest],
    max_new_tokens: int,
    batch_tokens: int,
    *,
    holds_prefixes: bool = False,
    lanes: int = LANES,
) -> list[list[TokenizedRequest]]:
    """Return the rows in batches, longest prompts first, so that a lack of memory shows at once.

    The rows of a batch have one adapter and one set of labels; where many prompts begin with the
    same text (in-context examples), those are together. The batches do not depend on the order of
    the rows. rows × (longest prompt + `max_new_tokens`) of a batch is at most `batch_tokens`,
    unless one row alone exceeds it.

    Args:
        holds_prefixes: what all prompts of a group begin with is held once, and does not count.
        lanes: batches computed at once, which are about equal and none of which is left over.
    """
    heads = Counter((_kind(row), row.request.prompt.head) for row in rows)
    groups: dict[tuple, list[TokenizedRequest]] = {}
    for row in rows:
        kind, head = _kind(row), row.request.prompt.head
        many = heads[kind, head] >= ROWS_OF_A_HEAD
        groups.setdefault((kind, head if many else ""), []).append(row)
    for group in groups.values():
        group.sort(key=lambda row: (-len(row.ids), row.request.key))
    batches: list[list[TokenizedRequest]] = []
    for _, group in sorted(groups.items(), key=lambda each: (-len(each[1][0].ids), each[0])):
        held = common_tokens([row.ids for row in group]) if holds_prefixes else 0
        held = held if held >= MIN_HELD else 0
        batches += _in_batches(
            [len(row.ids) - held + max_new_tokens for row in group], group, batch_tokens, lanes
        )
    return batches


def _in_batches(
    lengths: Sequence[int], rows: Sequence[TokenizedRequest], batch_tokens: int, lanes: int
) -> list[list[TokenizedRequest]]:
    """Return rows of descending lengths in one batch, or in a multiple of `lanes` batches of about
    as many rows each, where these fit."""
    sizes: list[int] = []
    while (begun := sum(sizes)) < len(rows):
        sizes.append(min(max(1, batch_tokens // lengths[begun]), len(rows) - begun))
    count = -(-len(sizes) // lanes) * lanes
    if len(sizes) > 1 and count <= len(rows):
        size, more = divmod(len(rows), count)
        even = [size + (number < more) for number in range(count)]
        starts = [sum(even[:number]) for number in range(count)]
        if all(
            each == 1 or each * lengths[start] <= batch_tokens
            for each, start in zip(even, starts, strict=True)
        ):
            sizes = even
    ends = [sum(sizes[: number + 1]) for number in range(len(sizes))]
    return [list(rows[end - size : end]) for size, end in zip(sizes, ends, strict=True)]


# Fewer rows with the same beginning are better answered together with others.
ROWS_OF_A_HEAD = 8


def _one_line(request: GenerationRequest) -> bool:
    """Return whether only the rest of a line is written."""
    return bool(request.label or request.begin)


def _kind(row: TokenizedRequest) -> tuple:
    choice = row.request.label
    return row.request.adapter, choice.labels if choice else ()


@dataclass(frozen=True)
class LabelTokens:
    """The tokens of "Label: X", line break, "Explanation:" for each label X.

    Attributes:
        begin: what all labels have in common before the label.
        options: label by label the rest up to the line break, which tells "1" from "10".
        rest: label by label all that follows `begin`.
    """

    begin: tuple[int, ...]
    options: tuple[tuple[int, ...], ...]
    rest: tuple[tuple[int, ...], ...]


def label_tokens(labels: Sequence[str], tokenizer: Any) -> LabelTokens:
    """Return the tokens of the labels as they stand in a response (`prompts.write_response`)."""
    lines = [write_response(label, "") for label in labels]
    rows = [tuple(tokenizer(line, add_special_tokens=False)["input_ids"]) for line in lines]
    begin = common_length(rows)
    if len(rows) == 1:  # nothing to choose: only the mark is common
        mark = tokenizer(LABEL_MARK, add_special_tokens=False)["input_ids"]
        begin = common_length([rows[0], tuple(mark)])
    rest = tuple(row[begin:] for row in rows)
    after = common_length([row[::-1] for row in rest]) if len(rows) > 1 else 0
    # The first of the common tokens after the label is the line break.
    options = tuple(row[: len(row) - max(after - 1, 0)] for row in rest)
    return LabelTokens(rows[0][:begin], options, rest)


class TransformersBackend(Backend):
    """A model on this machine, answering in left-padded batches of similar length.

    Keys and values are cached, those of a common beginning are computed once (`decoder`); each row
    has its own random numbers.

    The base's own settings of generation (penalties, temperature) are ignored in favour of
    `Decoding`.

    A batch's shape affects the last bits of its numbers, so a resumed run forms the same batches:
    rows already answered are recomputed if their batch was interrupted, but not yielded.

    Args:
        batch_tokens: rows × (longest prompt + longest answer) of a batch at most; memory for keys
            and values grows with it. A CPU of several cores computes two batches at once.
        share: compute common beginnings of prompts once.
        relief: what needs less memory, where the number of tokens is no setting of who asks.
        trains_on: the model is in training, so that nothing that may stay in it can be a tensor
            without gradients for good (PyTorch's inference mode).
    """

    adapters = True
    scores_labels = True

    def __init__(
        self,
        base: LoadedBaseModel,
        *,
        batch_tokens: int = BATCH_TOKENS,
        share: bool = True,
        trains_on: bool = False,
        relief: str = "",
    ) -> None:
        if batch_tokens < 1:
            raise ConfigError(f"batch_tokens is {batch_tokens}", expected="1 or more")
        self.name, self.fingerprint = base.name, base.fingerprint
        self._base, self._batch_tokens, self._share = base, batch_tokens, share
        self._relief = relief or (
            f"ask for fewer tokens in a batch than {batch_tokens:,} (batch_tokens)"
        )
        self._without_gradients = torch.no_grad if trains_on else torch.inference_mode
        self._trains_on = trains_on
        if not trains_on:
            speed_up_answers(base.model)
        self._model: Any = base.model
        self._names: dict[str, str] = {"": ""}  # adapter folder → its name in the model
        self._ends = end_tokens(base)
        self._breaks: dict[int, bool] = {}  # token → whether a line ends in it
        self._decoder = DecoderModel(self._model, base.model)
        if base.folder.resolve() == EMBEDDED_BASE.resolve():
            self.prompt_version = FIRST_VERSION  # the only one it was trained on

    @property
    def details(self) -> dict[str, str | int]:
        precision = str(self._base.model.dtype).removeprefix("torch.")
        return {"precision": precision, "batch_tokens": self._batch_tokens}

    @property
    def on_cpu(self) -> bool:
        return self._decoder.device.type == "cpu"

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
        batches = self._planned(requests, decoding, done)
        with closing(self.answers(batches, decoding, len(requests), progress)) as answered:
            for batch, replies in answered:
                for row, reply in zip(batch, replies, strict=True):
                    if row.request.key not in done:
                        yield row.request, reply

    def answers(
        self,
        batches: Sequence[list[TokenizedRequest]],
        decoding: Decoding,
        total: int,
        progress: Progress = silent,
    ) -> Iterator[tuple[list[TokenizedRequest], list[Reply]]]:
        """Yield the batches with their replies, in their order.

        Args:
            batches: as `batches_of` makes them, of requests whose adapters are loaded.
            total: requests, those that have been answered before included.
        """
        work = partial(self._answer, decoding=decoding)
        return self._each_batch(work, batches, total, progress, "writing answers")

    def seconds(
        self, batches: Sequence[list[TokenizedRequest]], decoding: Decoding
    ) -> tuple[float, float]:
        """Answer the batches, and return the seconds of reading the prompts and of each further
        token; where batches are computed at once, those of all of them together.

        Args:
            batches: as `batches_of` makes them, of requests whose adapters are loaded.
        """

        def timed(decoder: DecoderModel, batch: list[TokenizedRequest], look: Look):
            began = time.perf_counter()
            rows, scores = self._begun(decoder, batch, decoding.max_new_tokens)
            self._with_labels(rows, batch, scores, decoding)
            read = time.perf_counter()
            written = self._written(batch, rows, decoding, look)
            # The first token is drawn from what reading has found.
            steps = max(1, max(map(len, written)) - 1)
            return read - began, (time.perf_counter() - read) / steps

        each = self._each_batch(timed, batches, sum(map(len, batches)), silent, "")
        with closing(each):
            found = [seconds for _, seconds in each]
        lanes = min(LANES if self.on_cpu else 1, len(batches)) or 1
        return sum(read for read, _ in found) / lanes, sum(token for _, token in found) / lanes

    def label_scores(
        self,
        requests: Sequence[GenerationRequest],
        decoding: Decoding,
        *,
        progress: Progress = silent,
    ) -> dict[str, tuple[float, ...]]:
        def scored(decoder: DecoderModel, batch: list[TokenizedRequest], look: Look):
            look(0)
            return self._begun(decoder, batch, 0)[1]

        found = {}
        batches = self._planned(requests, decoding, ())
        each = self._each_batch(scored, batches, len(requests), progress, "scoring labels")
        with closing(each):
            for batch, scores in each:
                found |= {row.request.key: one for row, one in zip(batch, scores, strict=True)}
        return found

    def batches_of(
        self, rows: Sequence[TokenizedRequest], decoding: Decoding
    ) -> list[list[TokenizedRequest]]:
        """Return the rows in the batches in which they are answered."""
        return plan_batches(
            rows,
            decoding.max_new_tokens,
            self._batch_tokens,
            holds_prefixes=self._share and self._decoder.holds_prefixes,
            lanes=LANES if self.on_cpu else 1,
        )

    def _planned(
        self, requests: Sequence[GenerationRequest], decoding: Decoding, done: Collection[str]
    ) -> list[list[TokenizedRequest]]:
        """Load the adapters, and return the batches with a request that is not done."""
        for folder in sorted({request.adapter for request in requests}):
            self._load(folder)
        rows = [TokenizedRequest(request, self._ids(request)) for request in requests]
        return [
            batch
            for batch in self.batches_of(rows, decoding)
            if any(row.request.key not in done for row in batch)
        ]

    def _each_batch(
        self,
        work: Callable[[DecoderModel, list[TokenizedRequest], Look], Any],
        batches: Sequence[list[TokenizedRequest]],
        total: int,
        progress: Progress,
        what: str,
    ) -> Iterator[tuple[list[TokenizedRequest], Any]]:
        """Yield the batches, each with what `work` returns of it; a CPU computes two at once.

        `work` is called with the decoder, the batch, and a function that it calls again and again
        with the number of rows that are done; it raises where the work is to end.
        """
        answered = total - sum(map(len, batches))
        begun: dict[int, int] = {}  # rows done of each batch that is not yielded yet

        def look() -> None:
            progress(what, (answered + sum(list(begun.values()))) / total)

        side = SideBySide(self._model)
        if side.lanes == 1 or len(batches) < 2:
            for batch in batches:

                def said(done: int, batch=batch) -> None:
                    begun[id(batch)] = done
                    look()

                yield batch, self._guarded(self._decoder, batch, work, said)
                begun.pop(id(batch), None)
                answered += len(batch)
            return
        # Without what was read before: the last bits of an answer would depend on it.
        decoders = {id(model): DecoderModel(model, _base_of(model)) for model in side.models}

        def compute(model: Any, batch: list[TokenizedRequest]) -> Any:
            def said(done: int) -> None:
                begun[id(batch)] = done
                side.keep_on()

            return self._guarded(decoders[id(model)], batch, work, said)

        with closing(side.results(compute, batches, look)) as results:
            for batch, result in zip(batches, results, strict=True):
                yield batch, result
                begun.pop(id(batch), None)
                answered += len(batch)

    def _ids(self, request: GenerationRequest) -> tuple[int, ...]:
        tokenizer = self._base.tokenizer
        begin = request.begin and tokenizer(request.begin, add_special_tokens=False)["input_ids"]
        return (*prompt_ids(request.prompt, tokenizer), *begin)

    def _guarded(
        self,
        decoder: DecoderModel,
        batch: list[TokenizedRequest],
        work: Callable[..., Any],
        look: Look,
    ) -> Any:
        """Return what `work` returns, with the batch's adapter; no memory says what helps."""
        adapter = self._names[batch[0].request.adapter]
        try:
            with self._without_gradients(), decoder.adapter(adapter):
                return work(decoder, batch, look)
        except (MemoryError, RuntimeError) as error:
            if not out_of_memory(error):
                raise
            raise BackendUnavailable(
                f"there is not enough memory for {len(batch)} answers at once",
                where=self.name,
                todo=self._relief,
            ) from error

    def _begun(
        self, decoder: DecoderModel, batch: list[TokenizedRequest], new: int
    ) -> tuple[DecodedRows, list[tuple[float, ...]]]:
        """Read the prompts; return the rows before `new` tokens, and their labels' scores."""
        choice = batch[0].request.label
        tokens = label_tokens(choice.labels, self._base.tokenizer) if choice else None
        begin = tokens.begin if tokens else ()
        rows = DecodedRows(
            decoder,
            [(*row.ids, *begin) for row in batch],
            adapter=self._names[batch[0].request.adapter],
            pad_id=self._base.pad_id,
            room=new + (max(map(len, tokens.rest)) if tokens else 0),
            share=self._share,
        )
        if tokens is None:
            return rows, [()] * len(batch)
        scores = rows.score_options(tokens.options, len(self._base.tokenizer))
        return rows, [tuple(row) for row in scores.tolist()]

    def _answer(
        self,
        decoder: DecoderModel,
        batch: list[TokenizedRequest],
        look: Look,
        decoding: Decoding,
    ) -> list[Reply]:
        look(0)
        rows, scores = self._begun(decoder, batch, decoding.max_new_tokens)
        chosen, given = self._with_labels(rows, batch, scores, decoding)
        written = self._written(batch, rows, decoding, look)
        replies = []
        for k, (row, new) in enumerate(zip(batch, written, strict=True)):
            if chosen is None:
                line = _one_line(row.request)
                replies.append(self._reply(row, new, decoding, line=line))
                continue
            label = row.request.label.labels[chosen[k]]
            reply = self._reply(row, new, decoding, line=True)
            replies.append(
                replace(
                    reply,
                    text=write_response(label, reply.text),
                    output_tokens=reply.output_tokens + given[k],
                    label_scores=scores[k],
                )
            )
        return replies

    def _with_labels(
        self,
        rows: DecodedRows,
        batch: list[TokenizedRequest],
        scores: list[tuple[float, ...]],
        decoding: Decoding,
    ) -> tuple[list[int] | None, list[int]]:
        """Write each row's label, where it is chosen by `scores`; return the labels' numbers (None
        where the model writes them), and how many tokens each row was given."""
        if not batch[0].request.label:
            return None, [0] * len(batch)
        tokens = label_tokens(batch[0].request.label.labels, self._base.tokenizer)
        chosen = [
            row.request.label.chosen(each, row.request.seed, decoding)
            for row, each in zip(batch, scores, strict=True)
        ]
        rows.feed([tokens.rest[number] for number in chosen])
        return chosen, [len(tokens.begin) + len(tokens.rest[number]) for number in chosen]

    def _written(
        self,
        batch: list[TokenizedRequest],
        rows: DecodedRows,
        decoding: Decoding,
        look: Look,
    ) -> list[list[int]]:
        """Return each row's tokens, drawn until its end; rows that have ended leave the batch."""
        sampling = SeededSampling(
            [row.request.seed for row in batch], decoding, len(self._base.tokenizer)
        )
        written: list[list[int]] = [[] for _ in batch]
        active = list(range(len(batch)))  # the batch's row at each place of `rows`
        ended = [False] * len(batch)
        for step in range(decoding.max_new_tokens):
            look(sum(ended))
            scores = rows.logits
            drawn = sampling.draw(scores, active, step).tolist()
            for place, row in enumerate(active):
                if ended[row]:
                    continue
                line = _one_line(batch[row].request)
                token = drawn[place]
                while line and self._ends_line(token) and not self._has_words(written[row]):
                    # An explanation has a word at least.
                    scores[place, token] = -torch.inf
                    one = scores[place : place + 1]
                    token = drawn[place] = int(sampling.draw(one, [row], step))
                written[row].append(token)
                ended[row] = (
                    token in self._ends
                    or (line and self._ends_line(token))
                    or self._answer_ended(written[row], decoding)
                )
            left = [place for place, row in enumerate(active) if not ended[row]]
            if not left or step + 1 == decoding.max_new_tokens:
                break
            if len(left) <= 0.8 * len(active):
                rows.select(left)
                active, drawn = [active[place] for place in left], [drawn[place] for place in left]
            rows.feed([[token] for token in drawn])
        return written

    def _ends_line(self, token: int) -> bool:
        if token not in self._breaks:
            text = self._base.tokenizer.decode([token])
            self._breaks[token] = token in self._ends or "\n" in text
        return self._breaks[token]

    def _has_words(self, tokens: list[int]) -> bool:
        return bool(tokens and self._base.tokenizer.decode(tokens).strip())

    def _answer_ended(self, tokens: list[int], decoding: Decoding) -> bool:
        """Return whether a row continues with another field; each of those ends in a colon."""
        tokenizer = self._base.tokenizer
        if not decoding.stop_fields or ":" not in tokenizer.convert_ids_to_tokens(tokens[-1]):
            return False
        return answer_ended(tokenizer.decode(tokens), decoding.stop_fields)

    def _reply(
        self, row: TokenizedRequest, new: list[int], decoding: Decoding, *, line: bool = False
    ) -> Reply:
        end = new[-1] in self._ends
        text = self._base.tokenizer.decode(new[:-1] if end else new, skip_special_tokens=True)
        if line:
            text = text.strip().partition("\n")[0]
            end = end or self._ends_line(new[-1])
        # A row stopped at a new field has no end token, but is done.
        full = len(new) == decoding.max_new_tokens and not end
        ended = not full or self._answer_ended(new, decoding)
        return Reply(
            text=text,
            prompt_tokens=len(row.ids),
            output_tokens=len(new),
            finish="stop" if ended else "length",
        )

    def _load(self, folder: str) -> None:
        """Put the adapter of `folder` beside those that are there."""
        if folder in self._names:
            return
        path = Path(folder)
        check_adapter(self._base, path)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                self._make_room(PeftConfig.from_pretrained(str(path)))
                name = f"a{len(self._names)}"
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
        if not self._trains_on:
            speed_up_answers(self._model)
        self._names[folder] = name
        self._decoder = DecoderModel(self._model, self._base.model)

    def _make_room(self, config: PeftConfig) -> None:
        """Take all adapters off where they are of another type than one to come.

        PEFT holds adapters of one type beside each other; the others are read anew when asked for.
        """
        if not isinstance(self._model, PeftModel):
            return
        if {each.peft_type for each in self._model.peft_config.values()} != {config.peft_type}:
            self._model = self._model.unload()
            self._names = {"": self._names[""]}


def _base_of(model: Any) -> Any:
    """Return the base model within a PEFT model, or the model itself."""
    return model.get_base_model() if isinstance(model, PeftModel) else model


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
    if not has_template(tokenizer):
        return None
    text = conversation(tokenizer, "Question", answer="The answer.")
    _, answer, rest = text.rpartition("The answer.")
    following = tokenizer(rest, add_special_tokens=False)["input_ids"] if answer else []
    return following[0] if following and following[0] in tokenizer.all_special_ids else None


def _misfit(path: Path, base: str) -> ConfigError:
    return ConfigError(
        "the adapter does not fit the base model",
        where=str(path),
        expected=f"an adapter trained on the base {base!r}",
    )

"""The training loop: one for SFT and CAPO, on one process or several.

A step takes `items_per_step` items, divided among processes and micro-batches, of which a CPU
computes two side by side. Each part's loss is a sum; gradients are added up in the order of the
parts, divided by the step's units, and clipped to a norm: so the division changes nothing but
rounding. All randomness of a step comes from (seed, step, process) and the
order of the data from (seed, epoch), so that a resumed run equals an uninterrupted one.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import replace

import numpy as np
import torch
from peft import PeftModel

from capo_core.errors import Stopped
from capo_core.imitation.models.adapters import adapter_weights, put_weights
from capo_core.imitation.models.errors import check_finite
from capo_core.imitation.models.side_by_side import SideBySide
from capo_core.imitation.training.checkpoint import (
    Checkpoint,
    Counters,
    moments_of,
    put_moments,
    save_checkpoint,
)
from capo_core.imitation.training.config import TrainConfig
from capo_core.imitation.training.distributed import Processes
from capo_core.imitation.training.micro_batches import by_length, micro_batches, share_of_step
from capo_core.imitation.training.objective import BatchLoss, Objective, TrainingExample
from capo_core.imitation.training.samples import Sampler
from capo_core.progress import Progress
from capo_core.run_folder import RunFolder
from capo_core.workspace import content_hash

WINDOW = 8  # steps among whose items those of like length are put together


def steps_of_epoch(lengths: Sequence[int], config: TrainConfig, epoch: int) -> list[list[int]]:
    """Return the items of each optimiser step of an epoch, as indices into `lengths`.

    Shuffled; then, within windows of a few steps, items of similar length are grouped in a step
    (less padding), and the window's steps are shuffled. Every item comes once an epoch; the last
    step may be short. Without `config.shuffle` the items' order is unchanged.

    Args:
        lengths: tokens of each item.
        epoch: 0, 1, …
    """
    size = config.items_per_step
    if not config.shuffle:
        return _chunks(list(range(len(lengths))), size)
    rng = np.random.default_rng((config.seed, epoch))
    order = rng.permutation(len(lengths)).tolist()
    steps: list[list[int]] = []
    for window in _chunks(order, WINDOW * size):
        by_length = _chunks(sorted(window, key=lambda index: lengths[index]), size)
        steps += [by_length[index] for index in rng.permutation(len(by_length))]
    return steps


def step_count(items: int, config: TrainConfig) -> int:
    """Return the number of optimiser steps of one epoch over this number of items."""
    return math.ceil(items / config.items_per_step)


def learning_rate(step: int, steps: int, config: TrainConfig) -> float:
    """Return the learning rate of step 0 … `steps` − 1.

    It rises linearly over the first ⌈warmup_share · steps⌉ steps, of which the first has not 0 but
    its part of the rise; then it is constant, or falls to 0 just after the last step.
    """
    warm = math.ceil(config.warmup_share * steps)
    if step < warm:
        return config.learning_rate * (step + 1) / (warm + 1)
    done = (step - warm) / max(1, steps - warm)
    fall = {"constant": 1.0, "linear": 1 - done, "cosine": (1 + math.cos(math.pi * done)) / 2}
    return config.learning_rate * fall[config.schedule]


def _chunks(values: list, size: int) -> list[list]:
    return [values[start : start + size] for start in range(0, len(values), size)]


class MetricSums:
    """Sums over the micro-batches of a step or of a validation, and the means made of them.

    Attributes:
        total, units: the loss is total / units.
        tokens: positions computed.
        stop: whether a stop was requested.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self.names = tuple(names)
        self.total, self.units, self.tokens, self.stop = 0.0, 0.0, 0, False
        self.totals, self.counts = [0.0] * len(self.names), [0.0] * len(self.names)

    @property
    def loss(self) -> float:
        return self.total / self.units if self.units else float("nan")

    @property
    def means(self) -> dict[str, float]:
        """Mean of each figure that was computed."""
        rows = zip(self.names, self.totals, self.counts, strict=True)
        return {name: total / count for name, total, count in rows if count}

    def add(self, part: BatchLoss) -> None:
        self.total += float(part.total)
        self.units += part.units
        self.tokens += part.tokens
        for place, (total, count) in enumerate(part.figures):
            if count:
                self.totals[place] += total
                self.counts[place] += count

    def over(self, processes: Processes) -> MetricSums:
        """Return the sum over all processes, the same on each of them."""
        if processes.count == 1:
            return self
        head = [self.total, self.units, float(self.tokens), float(self.stop)]
        values = torch.tensor(
            [*head, *self.totals, *self.counts], dtype=torch.float64, device=processes.device
        )
        total, units, tokens, stop, *rest = processes.sum(values).tolist()
        result = MetricSums(self.names)
        result.total, result.units = total, units
        result.tokens, result.stop = int(tokens), stop > 0
        result.totals, result.counts = rest[: len(self.names)], rest[len(self.names) :]
        return result


def add_gradients(
    side: SideBySide,
    objective: Objective,
    parts: Sequence[Sequence[TrainingExample]],
    parameters: Sequence[torch.nn.Parameter],
) -> Iterable[BatchLoss]:
    """Add the gradients of all parts to those of the parameters, and yield the parts' losses."""

    def compute(model, part: Sequence[TrainingExample]):
        loss = objective.batch_loss(model, part)
        gradients = torch.autograd.grad(loss.total, parameters, allow_unused=True)
        return replace(loss, total=loss.total.detach()), gradients

    for loss, gradients in side.results(compute, parts):
        for parameter, gradient in zip(parameters, gradients, strict=True):
            if gradient is None:
                continue
            if parameter.grad is None:
                parameter.grad = gradient
            else:
                parameter.grad.add_(gradient)
        yield loss


class TrainingLoop:
    """A training in progress.

    Args:
        model: with the adapter to train, in its initial state; only the adapter is trainable.
        training, validation: examples; without validation the last state is the best.
        checkpoint: state to resume from; None starts a new training.
        batch_tokens: positions that a micro-batch may have.
    """

    def __init__(
        self,
        model: PeftModel,
        objective: Objective,
        training: Sequence[TrainingExample],
        validation: Sequence[TrainingExample],
        config: TrainConfig,
        folder: RunFolder,
        processes: Processes,
        sampler: Sampler,
        checkpoint: Checkpoint | None = None,
        *,
        batch_tokens: int,
    ) -> None:
        self.model, self.objective, self.config = model, objective, config
        self.training, self.validation = training, validation
        self.batch_tokens = batch_tokens
        model.train()
        self.side = SideBySide(model)
        self.shared = objective.shared_tokens(model, [*training, *validation])
        self.rows = objective.row_lengths(training)
        self.folder, self.processes, self.sampler = folder, processes, sampler
        self.lengths = [example.length for example in training]
        self.named = {name: each for name, each in model.named_parameters() if each.requires_grad}
        self.parameters = list(self.named.values())
        self.optimiser = torch.optim.AdamW(
            self.parameters, lr=config.learning_rate, weight_decay=config.weight_decay, fused=True
        )
        self.counters, self.best = Counters(), {}
        self.per_epoch = step_count(len(training), config)
        self.steps = config.epochs * self.per_epoch
        if checkpoint is not None:
            self.counters, self.best = checkpoint.counters, checkpoint.best
            put_weights(model, checkpoint.weights)
            put_moments(self.optimiser, self.named, checkpoint.moments)

    @property
    def ended_early(self) -> bool:
        """Return whether validation failed to improve `patience` times."""
        return bool(self.config.patience) and self.counters.worse >= self.config.patience

    @property
    def seconds(self) -> float:
        """Time spent training so far, over all sessions."""
        return time.perf_counter() - self.started

    def run(self, progress: Progress) -> None:
        """Train to the end, and leave the adapter in its best state.

        Raises:
            Stopped: `progress` raised it, or the run's stop flag was found; a checkpoint is saved.
            RunError: a number is not finite any more, or the disk is full; the last checkpoint
                stays.
        """
        self.started = time.perf_counter() - self.counters.seconds
        if self.validation and self.counters.best_loss is None:
            self._say(progress, "validating before the first step")
            self._validate()
        if self.counters.step == 0:  # what arrives in training is seen against what was there
            self._say(progress, "writing samples before the first step")
            self._sample()
        epoch, order = -1, []
        while self.counters.step < self.steps and not self.ended_early:
            now, position = divmod(self.counters.step, self.per_epoch)
            if now != epoch:
                epoch, order = now, steps_of_epoch(self.lengths, self.config, now)
            stop = self._step(order[position], progress)
            self._after_step()
            if stop or self.counters.step % self.config.checkpoint_every == 0:
                self.save()
            if stop:
                raise Stopped(
                    f"stopped after step {self.counters.step} of {self.steps}, and saved",
                    todo="start the same run again to resume",
                )
        if self.best:
            put_weights(self.model, self.best)

    def save(self) -> None:
        """Save a checkpoint, in the main process only."""
        if not self.processes.main:
            return
        self.counters.seconds = self.seconds
        self.counters.events_size = self.folder.events_size()
        moments = moments_of(self.optimiser, self.named)
        weights = adapter_weights(self.model)
        save_checkpoint(self.folder, Checkpoint(self.counters, weights, self.best, moments))
        # Afterwards: what could not be written is in no list. A resumed run cuts this line off.
        self.folder.log("checkpoint", step=self.counters.step)

    def _step(self, items: Sequence[int], progress: Progress) -> bool:
        """Execute one optimiser step on `items`; return whether a stop was requested."""
        config, counters = self.config, self.counters
        began = time.perf_counter()
        index = self.processes.index
        torch.manual_seed(int(content_hash(config.seed, counters.step, index)[:15], 16))
        self.model.train()
        sums = MetricSums(self.objective.figures)
        for share in share_of_step(items, index, self.processes.count, config.accumulation):
            batches = micro_batches(share, self.rows, self.batch_tokens, self.shared)
            parts = [[self.training[row] for row in rows] for rows in batches]
            for loss in add_gradients(self.side, self.objective, parts, self.parameters):
                sums.add(loss)
        sums.stop = self._stop_asked(progress)
        sums = sums.over(self.processes)
        where = f"{self.folder.path}, step {counters.step + 1}"
        check_finite(where, loss=sums.loss)
        self.processes.sum_gradients(self.parameters)
        gradients = [each.grad for each in self.parameters if each.grad is not None]
        torch._foreach_div_(gradients, sums.units)
        limit = config.max_grad_norm or float("inf")
        norm = float(torch.nn.utils.clip_grad_norm_(self.parameters, limit))
        check_finite(where, gradient_norm=norm)
        rate = learning_rate(counters.step, self.steps, config)
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        self.optimiser.step()
        self.optimiser.zero_grad()
        counters.step += 1
        counters.tokens += sums.tokens
        counters.loss = sums.loss
        took = time.perf_counter() - began
        self._log(
            "step",
            epoch=round(counters.step / self.per_epoch, 4),
            loss=sums.loss,
            **sums.means,
            learning_rate=rate,
            grad_norm=norm,
            tokens=sums.tokens,
            tokens_per_s=round(sums.tokens / took, 1),
            seconds=round(self.seconds, 2),
        )
        return sums.stop

    def _after_step(self) -> None:
        step, config = self.counters.step, self.config
        every = config.validate_every or self.per_epoch
        if self.validation and (step % every == 0 or step == self.steps):
            self._validate()
        last = step == self.steps or self.ended_early
        if last or (config.sample_every and step % config.sample_every == 0):
            self._sample()

    @torch.no_grad()
    def _validate(self) -> None:
        """Compute the loss on the validation split; store the adapter if it is the best so far."""
        self.model.eval()
        sums = MetricSums(self.objective.figures)
        # Of like length together, as in training; the order changes no result.
        rows = self.objective.row_lengths(self.validation)
        batches = by_length(rows, self.batch_tokens, self.shared)
        batches = batches[self.processes.index :: self.processes.count]
        parts = [[self.validation[row] for row in rows] for rows in batches]
        for loss in self.side.results(self.objective.batch_loss, parts):
            sums.add(loss)
        sums = sums.over(self.processes)
        counters = self.counters
        where = f"{self.folder.path}, validation after step {counters.step}"
        check_finite(where, validation_loss=sums.loss)
        better = counters.best_loss is None or sums.loss < counters.best_loss
        if better:
            counters.best_loss, counters.best_step = sums.loss, counters.step
            counters.figures, counters.worse = sums.means, 0
            self.best = {
                name: each.detach().cpu().clone()
                for name, each in adapter_weights(self.model).items()
            }
        else:
            counters.worse += 1
        self._log("validation", loss=sums.loss, **sums.means, best=better)

    def _sample(self) -> None:
        if self.processes.main and self.config.sample_every and not self.sampler.idle:
            for event, values in self.sampler.look(self.model):
                self._log(event, **values)

    def _say(self, progress: Progress, words: str) -> None:
        """Tell what is done besides steps; a stop that is requested here comes with the next."""
        if self.processes.main:
            with suppress(Stopped):
                progress(words, self.counters.step / self.steps)

    def _stop_asked(self, progress: Progress) -> bool:
        """Return whether a stop was requested; the others learn of it with the step's sums."""
        if not self.processes.main:
            return False
        loss = self.counters.loss
        shown = "" if loss is None else f", loss {loss:.3f}"
        with suppress(Stopped):
            done = self.counters.step / self.steps
            progress(f"step {self.counters.step + 1} of {self.steps}{shown}", done)
            return self.folder.stop_asked
        return True

    def _log(self, event: str, **values) -> None:
        if self.processes.main:
            self.folder.log(event, step=self.counters.step, **values)

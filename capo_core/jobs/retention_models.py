"""The models on the way from a base to an adapter: what they write, and find likely."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from capo_core.dataset import Dataset
from capo_core.errors import ConfigError, RunError
from capo_core.evaluation.retention import GENERAL, OTHERS, OWN, Retention, RetentionConfig
from capo_core.evaluation.retention_best import best_of, kept_by, sentence
from capo_core.evaluation.retention_scores import Point, Scored, figures, points_frame
from capo_core.imitation.prompts import zero_shot
from capo_core.progress import Progress, part_of


class Way:
    """A base with its adapters, and the texts that are measured at each point.

    Raises:
        ConfigError, RunError: the base or an adapter will not do, or there is nothing to measure.
    """

    def __init__(
        self,
        dataset: Dataset,
        target: str,
        items: Sequence[str],
        found: Any,
        corpus: Any,
        config: RetentionConfig,
        settings: Mapping[str, Any],
    ) -> None:
        from capo_core.imitation.general import general_text
        from capo_core.imitation.history import items_of
        from capo_core.imitation.model import load_base
        from capo_core.imitation.strength import Blend
        from capo_core.imitation.trained import check_base

        self.base = load_base(found.base, precision=settings.get("precision", "auto"))
        check_base(found, self.base.fingerprint, self.base.name)
        self._batch_tokens = int(settings.get("batch_tokens", 16384))
        self._target, self._named, self._config = target, found.named, config
        self._task = dataset.task
        known = {item.item_id: item for item in items_of(dataset, config.split)}
        self._items = [known[item_id] for item_id in items]
        self.general = general_text(self.base, config.passages, corpus, seed=config.seed)
        self._renders, units = self._texts(dataset)
        self._check(target)
        self.scored = Scored(
            {name: np.array(where) for name, where in units.items()},
            {
                name: np.array([len(each.responses[0]) for each in renders])
                for name, renders in self._renders.items()
            },
            {
                name: len(self.general.passages) if name == GENERAL else len(items)
                for name in self._renders
            },
        )
        self._blend = Blend(self.base, found.adapters)

    def measured(self, stage: str, strength: float, progress: Progress) -> dict[str, Any]:
        """One point as JSON writes it: `{"stage", "strength", "answers", "log_probs"}`."""
        import torch

        from capo_core.imitation.strength import response_likelihoods

        share = {"sft": 1 - strength, "capo": strength} if stage == "capo" else {"sft": strength}
        self._blend.set(share)
        every = [each for renders in self._renders.values() for each in renders]
        part = part_of(progress, 0.0, 0.3)
        try:
            found = response_likelihoods(
                self.base, every, batch_tokens=self._batch_tokens, progress=part
            )
        except (torch.OutOfMemoryError, MemoryError) as error:
            raise RunError(
                f"there is not enough memory to read {self._batch_tokens} tokens at once",
                where=self.base.name,
                todo="take fewer (--batch-tokens)",
            ) from error
        flat = iter(value for (value,) in found)
        log_probs = {
            name: [round(next(flat), 6) for _ in renders] for name, renders in self._renders.items()
        }
        answers = self._answers(part_of(progress, 0.3, 1.0))
        return {"stage": stage, "strength": strength, "answers": answers, "log_probs": log_probs}

    def point(self, row: Mapping[str, Any]) -> Point:
        """A point as it is scored, from `measured`."""
        from capo_core.imitation.parse import parse_response

        read = [parse_response(text, self._task) for text in row["answers"]]
        return Point(
            row["stage"],
            row["strength"],
            tuple(one.label for one in read),
            tuple("" if one.problem else one.explanation for one in read),
            {name: np.array(row["log_probs"][name]) for name in self.scored.measures},
        )

    def _answers(self, progress: Progress) -> list[str]:
        """The model's answer to each item; always the likeliest token."""
        from capo_core.imitation.backends.base import Decoding, Request, stop_fields
        from capo_core.imitation.backends.hf import HfBackend

        requests = [Request(item.item_id, self._prompt(item, self._target)) for item in self._items]
        decoding = Decoding(0.0, 1.0, self._config.max_new_tokens, stop_fields(self._task))
        backend = HfBackend(self.base, batch_tokens=self._batch_tokens)
        replies = {
            request.key: reply.text
            for request, reply in backend.complete(requests, decoding, progress=progress)
        }
        return [replies[item.item_id] for item in self._items]

    def _prompt(self, item: Any, who: str) -> Any:
        return zero_shot(self._task, item, annotator=who if self._named else "")

    def _texts(self, dataset: Dataset) -> tuple[dict[str, list], dict[str, list[int]]]:
        """By measure, each response behind its prompt, and the item or passage it belongs to."""
        from capo_core.imitation.history import responses
        from capo_core.imitation.render import render
        from capo_core.imitation.response import write_response

        place = {item.item_id: index for index, item in enumerate(self._items)}
        renders: dict[str, list] = {OWN: [], OTHERS: []}
        units: dict[str, list[int]] = {OWN: [], OTHERS: []}
        for each in responses(dataset, split=self._config.split):
            if each.item_id in place:
                name = OWN if each.annotator_id == self._target else OTHERS
                prompt = self._prompt(self._items[place[each.item_id]], each.annotator_id)
                text = write_response(each.label, each.explanation)
                renders[name].append(render(prompt, [text], self.base.tokenizer))
                units[name].append(place[each.item_id])
        renders[GENERAL] = list(self.general.passages)
        units[GENERAL] = list(range(len(self.general.passages)))
        there = [name for name, found in renders.items() if found]
        return {name: renders[name] for name in there}, {name: units[name] for name in there}

    def _check(self, target: str) -> None:
        """`ConfigError` where there is nothing to measure by, or the base cannot read it."""
        from capo_core.imitation.render import prompt_ids

        if not {GENERAL, OTHERS} & set(self._renders):
            raise ConfigError(
                "there is nothing to say what is kept: nobody else answered these items, and no "
                "general text is known for this base",
                where=self.base.name,
                todo="name a text file of general text",
            )
        every = [each for renders in self._renders.values() for each in renders]
        needed = [len(each.prompt) + len(each.responses[0]) for each in every]
        for item in self._items:
            prompt = prompt_ids(self._prompt(item, target), self.base.tokenizer)
            needed.append(len(prompt) + self._config.max_new_tokens)
        if self.base.longest is not None and max(needed) > self.base.longest:
            raise ConfigError(
                f"a prompt with its answer needs {max(needed)} tokens, and the base reads "
                f"{self.base.longest}",
                where=self.base.name,
                todo="lower max_new_tokens, or measure a training on another base",
            )


def result_of(
    dataset: Dataset,
    target: str,
    items: tuple[str, ...],
    found: Any,
    way: Way,
    config: RetentionConfig,
    rows: Sequence[Mapping[str, Any]],
    cache: Path,
) -> Retention:
    """Everything scored, from the points `rows` (see `Way.measured`)."""
    from capo_core.text.embed import Embedder

    points = [way.point(row) for row in rows]
    made = figures(dataset, target, items, points, way.scored, Embedder(cache))
    frame = points_frame(points, made)
    best, kept = best_of(points, made, way.scored), kept_by(way.scored)
    return Retention(
        dataset=dataset.name,
        fingerprint=dataset.fingerprint,
        simulated=dataset.simulated,
        target=target,
        base=found.base,
        runs=found.runs,
        n_items=len(items),
        general=way.general.name,
        unit_of_kept=kept,
        config=config,
        points=frame,
        lines=made.lines,
        best=best,
        sentence=sentence(best, frame, made.lines, kept, way.general.name),
    )

"""Retention, as a run: the forgetting caused by a training, along the adapter's strength.

Models between a base model and an adapter are measured by their outputs and likelihoods.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from capo_core.data.catalog import Catalog
from capo_core.dataset import Dataset
from capo_core.errors import CapoError, ConfigError, DataError, RunError
from capo_core.evaluation.retention import (
    GENERAL,
    NO_TASK,
    OTHER_TASK,
    OTHERS,
    OWN,
    SHIPPED_TASK,
    Retention,
    RetentionConfig,
    RetentionPoint,
    ScoredTexts,
    best_point,
    points_table,
    retained_measure,
    retention_scores,
)
from capo_core.evaluation.retention_words import sentence
from capo_core.formatting import count
from capo_core.imitation.prompting.prompts import TRAINING_STAGES, zero_shot
from capo_core.imitation.training.config import ADAPTER_KINDS, ADAPTER_TITLES, NO_STRENGTH
from capo_core.progress import Progress, part_of
from capo_core.run_folder import RunFolder, disk_errors, find_run, stopping
from capo_core.runs.checks import Settings, retention_config
from capo_core.runs.kinds.inputs import load_dataset
from capo_core.workspace import Workspace, safe_name

GENERATED = "generated"  # the label choice of all measurements of 0.2.0 and before


class StrengthMeasurer:
    """A base model with its adapters, and the texts that are measured at each strength.

    Raises:
        ConfigError, RunError: the base model or an adapter does not fit, or there is nothing to
            measure.
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
        other: Dataset | None = None,
    ) -> None:
        from capo_core.evaluation.general_text import general_text
        from capo_core.imitation.generation.trained_adapters import check_same_base
        from capo_core.imitation.models.adapter_strength import Blend
        from capo_core.imitation.models.base_model import load_base_model
        from capo_core.imitation.prompting.responses import items_of

        self.base = load_base_model(found.base, precision=settings.get("precision", "auto"))
        check_same_base(found, self.base.fingerprint, self.base.name)
        self._batch_tokens = int(settings.get("batch_tokens", 16384))
        self._target, self._named, self._config = target, found.named, config
        self.other_task = ""
        self._dataset, self._task = dataset, dataset.task
        known = {item.item_id: item for item in items_of(dataset, config.split)}
        self._items = [known[item_id] for item_id in items]
        self.general = general_text(self.base, config.passages, corpus, seed=config.seed)
        self._renders, units = self._texts(dataset)
        other_items = self._add_other_task(other, self._renders, units) if other else 0
        self._check(target)
        self.scored = ScoredTexts(
            {name: np.array(where) for name, where in units.items()},
            {
                name: np.array([len(each.responses[0]) for each in renders])
                for name, renders in self._renders.items()
            },
            {
                name: {GENERAL: len(self.general.passages), OTHER_TASK: other_items}.get(
                    name, len(items)
                )
                for name in self._renders
            },
        )
        self._blend = Blend(self.base, found.adapters)

    def _backend(self) -> Any:
        """Return a backend of the model as it is now: one of before a change of strength would go
        on with the keys and values of common beginnings that it has computed.
        """
        from capo_core.imitation.backends.transformers import TransformersBackend

        return TransformersBackend(self.base, batch_tokens=self._batch_tokens)

    @property
    def _generation(self) -> Any:
        """The settings of a generation that answers greedily with an adapter."""
        from capo_core.imitation.generation.requests import GenerateConfig

        return GenerateConfig(
            "sft",
            split=self._config.split,
            named=self._named,
            temperature=0.0,
            top_p=1.0,
            max_new_tokens=self._config.max_new_tokens,
            label_choice=self._config.label_choice,
        )

    @cached_property
    def style(self) -> Any:
        """The way answers are asked for, as in a generation (`AnswerStyle`)."""
        from capo_core.imitation.generation.requests import answer_style

        return answer_style(self._generation, self._backend())

    def measured(self, stage: str, strength: float, progress: Progress) -> dict[str, Any]:
        """Measure one point.

        Returns:
            As JSON writes it: `{"stage", "strength", "answers", "log_probs"}`, and "label_choice"
            where the model did not write the labels itself.
        """
        from capo_core.imitation.models.adapter_strength import response_likelihoods
        from capo_core.imitation.models.errors import out_of_memory

        share = {"sft": 1 - strength, "capo": strength} if stage == "capo" else {"sft": strength}
        self._blend.set(share)
        every = [each for renders in self._renders.values() for each in renders]
        part = part_of(progress, 0.0, 0.3)
        try:
            found = response_likelihoods(
                self.base, every, batch_tokens=self._batch_tokens, progress=part
            )
        except (MemoryError, RuntimeError) as error:
            if not out_of_memory(error):
                raise
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
        row = {"stage": stage, "strength": strength, "answers": answers, "log_probs": log_probs}
        choice = self.style.label_choice
        return row if choice == GENERATED else {**row, "label_choice": choice}

    def point(self, row: Mapping[str, Any]) -> RetentionPoint:
        """Return a point ready to be scored, from `measured`."""
        from capo_core.imitation.parsing import parse_response

        read = [parse_response(text, self._task) for text in row["answers"]]
        return RetentionPoint(
            row["stage"],
            row["strength"],
            tuple(one.label for one in read),
            tuple("" if one.problem else one.explanation for one in read),
            {name: np.array(row["log_probs"][name]) for name in self.scored.measures},
        )

    def _answers(self, progress: Progress) -> list[str]:
        """Return the model's output for each item by greedy decoding, as a generation gives it."""
        from capo_core.imitation.backends.base import GenerationRequest
        from capo_core.imitation.generation.requests import PromptBuilder, decoding_of

        config, backend = self._generation, self._backend()
        builder = PromptBuilder(self._dataset, config, backend, {}, lambda *_: ())
        label = builder.label_choice(self._target)
        requests = [
            GenerationRequest(item.item_id, builder.build(self._target, item)[0], label=label)
            for item in self._items
        ]
        decoding = decoding_of(self._dataset, config)
        replies = {
            request.key: reply.text
            for request, reply in backend.complete(requests, decoding, progress=progress)
        }
        return [replies[item.item_id] for item in self._items]

    def _prompt(self, item: Any, who: str) -> Any:
        return zero_shot(self._task, item, annotator=who if self._named else "")

    def _texts(self, dataset: Dataset) -> tuple[dict[str, list], dict[str, list[int]]]:
        """Return, by measure, each response after its prompt, and its item or passage."""
        from capo_core.imitation.prompting.prompts import render, write_response
        from capo_core.imitation.prompting.responses import responses

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

    def _add_other_task(
        self, other: Dataset, renders: dict[str, list], units: dict[str, list[int]]
    ) -> int:
        """Add the responses to held-out items of a dataset of another task, each after a prompt
        that names no annotator: the model was trained for none of these; return the number of
        items."""
        from capo_core.imitation.prompting.prompts import render, write_response
        from capo_core.imitation.prompting.responses import items_of, responses

        split = self._config.split
        given = responses(other, split=split)
        chosen = list(dict.fromkeys(each.item_id for each in given))
        if self._config.items and self._config.items < len(chosen):
            rng = np.random.default_rng(self._config.seed)
            at = sorted(rng.choice(len(chosen), self._config.items, replace=False).tolist())
            chosen = [chosen[index] for index in at]
        if not chosen:
            raise DataError(f"there is no response to a {split} item", where=other.name)
        place = {item_id: index for index, item_id in enumerate(chosen)}
        items = {item.item_id: item for item in items_of(other, split)}
        for each in given:
            if each.item_id in place:
                prompt = zero_shot(other.task, items[each.item_id])
                text = write_response(each.label, each.explanation)
                renders.setdefault(OTHER_TASK, []).append(
                    render(prompt, [text], self.base.tokenizer)
                )
                units.setdefault(OTHER_TASK, []).append(place[each.item_id])
        made = ", simulated annotators" if other.simulated else ""
        self.other_task = (
            f"{count(len(renders[OTHER_TASK]), 'response')} to {count(len(chosen), 'item')} of "
            f"{other.name} ({other.task.name}{made})"
        )
        return len(chosen)

    def _check(self, target: str) -> None:
        """Raise `ConfigError` where there is nothing to measure, or the context is too short."""
        from capo_core.imitation.generation.requests import LABEL_ROOM
        from capo_core.imitation.prompting.prompts import prompt_ids

        written = self.style.label_choice == GENERATED
        room = self._config.max_new_tokens + (0 if written else LABEL_ROOM)
        if not {GENERAL, OTHERS} & set(self._renders):
            raise ConfigError(
                "retention cannot be measured: nobody else annotated these items, and no "
                "general text is known for this base",
                where=self.base.name,
                todo="name a text file of general text",
            )
        every = [each for renders in self._renders.values() for each in renders]
        needed = [len(each.prompt) + len(each.responses[0]) for each in every]
        for item in self._items:
            prompt = prompt_ids(self._prompt(item, target), self.base.tokenizer)
            needed.append(len(prompt) + room)
        if self.base.longest is not None and max(needed) > self.base.longest:
            raise ConfigError(
                f"a prompt with its answer needs {max(needed)} tokens, and the base reads "
                f"{self.base.longest}",
                where=self.base.name,
                todo="lower max_new_tokens, or measure a training on another base",
            )


def retention_result(
    dataset: Dataset,
    target: str,
    items: tuple[str, ...],
    found: Any,
    way: StrengthMeasurer,
    config: RetentionConfig,
    rows: Sequence[Mapping[str, Any]],
    cache: Path,
) -> Retention:
    """Return the scored result of the points `rows` (see `StrengthMeasurer.measured`)."""
    from capo_core.text.embeddings import Embedder

    points = [way.point(row) for row in rows]
    made = retention_scores(dataset, target, items, points, way.scored, Embedder(cache))
    frame = points_table(points, made)
    best, kept = best_point(points, made, way.scored), retained_measure(way.scored)
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
        sentence=sentence(best, frame, made, way.scored, way.general.name),
        label_choice=way.style.label_choice,
        parameters={stage: adapter_parameters(path) for stage, path in found.adapters.items()},
        other_task=way.other_task,
    )


def adapter_parameters(folder: Path) -> int:
    """Return the number of trained parameters of an adapter, from the header of its weights; 0
    where the file cannot be read."""
    try:
        with (folder / "adapter_model.safetensors").open("rb") as file:
            header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
        return sum(
            math.prod(one["shape"]) for name, one in header.items() if name != "__metadata__"
        )
    except (OSError, ValueError, KeyError, TypeError, OverflowError, MemoryError):
        return 0


def with_parameters(found: Retention, workspace: Workspace) -> Retention:
    """Return a measurement with the numbers of its adapters' parameters; those of earlier versions
    are read from the adapters, where these are still there."""
    if found.parameters:
        return found
    counted = {
        stage: adapter_parameters(RunFolder(workspace.runs / safe_name(run)).adapter)
        for stage, run in found.runs.items()
    }
    return replace(found, parameters={stage: n for stage, n in counted.items() if n})


STAGE = "retention"
# Shipped datasets whose task is the other one: the first that is of another task.
OTHER_TASKS = ("demo-paraphrase", "demo-nli")


@dataclass(frozen=True)
class TrainingChain:
    """The trainings that lead to one run.

    Attributes:
        sft: the SFT run; `capo` the CAPO run that started from it, where there are two stages.
        named: whether prompts name the annotator (one adapter for all).
        base: name of the base model that they were trained on, and `fingerprint` its files'.
    """

    sft: RunFolder
    capo: RunFolder | None
    named: bool
    base: str
    fingerprint: str

    @property
    def adapters(self) -> dict[str, Path]:
        found = {"sft": self.sft.adapter}
        return found | ({"capo": self.capo.adapter} if self.capo else {})

    @property
    def kind(self) -> str:
        """The kind of the adapters, one of `adapter_kinds.ADAPTERS`."""
        from peft import PeftConfig

        from capo_core.imitation.models.adapter_kinds import kind_of

        return kind_of(PeftConfig.from_pretrained(str(self.sft.adapter)))

    @property
    def runs(self) -> dict[str, str]:
        found = {"sft": self.sft.run_id}
        return found | ({"capo": self.capo.run_id} if self.capo else {})


def training_title(run: RunFolder) -> str:
    """Return a training's stage, kind of adapter and name, "SFT, OFT (demo_nli-sft-A-cb0bcff4)".

    The name alone where the adapter is not there any more.
    """
    try:
        stage = str(run.config["stage"]).upper()
        settings = json.loads((run.adapter / "adapter_config.json").read_text(encoding="utf-8"))
        kind = "dora" if settings.get("use_dora") else str(settings["peft_type"]).lower()
    except (CapoError, OSError, ValueError, KeyError, AttributeError):
        return run.run_id
    titles = dict(zip(ADAPTER_KINDS, ADAPTER_TITLES, strict=True))
    return f"{stage}, {titles.get(kind, kind)} ({run.run_id})"


def training_chain(
    dataset: Dataset, target: str, run: RunFolder, workspace: Workspace
) -> TrainingChain:
    """Return the trainings that lead to `run`, a finished training for `target` on this data.

    Raises:
        RunError: it is not a training, or not finished; the SFT run that a CAPO run started from
            does not exist any more, or has another adapter.
        ConfigError: it was trained for another annotator, or there is no such annotator.
    """
    from capo_core.imitation.generation.trained_adapters import collect_adapters
    from capo_core.imitation.models.adapters import adapter_fingerprint
    from capo_core.imitation.prompting.responses import check_annotator

    check_annotator(dataset, target)
    stage = run.config.get("stage")
    if stage not in TRAINING_STAGES:
        raise RunError(
            f"the run is of the stage {stage!r}", where=run.run_id, expected="a finished training"
        )
    found = collect_adapters([run], str(stage), [target], dataset)
    sft, capo = run, None
    if stage == "capo":
        began = run.config["sft"]
        sft, capo = find_run(workspace, began["run"]), run
        collect_adapters([sft], "sft", [target], dataset)
        if adapter_fingerprint(sft.adapter) != began["adapter"]:
            raise RunError(
                "the SFT run has changed since this training started from it",
                where=sft.run_id,
                todo="train CAPO again",
            )
    return TrainingChain(sft, capo, found.named, found.base, found.fingerprint)


def measured_items(dataset: Dataset, target: str, config: Any) -> tuple[str, ...]:
    """Return held-out items that the target explained, in the dataset's order.

    Raises:
        DataError: there is none.
    """
    from capo_core.evaluation.streams import HUMAN, held_out_items, human_streams

    items = held_out_items(dataset, config.split)
    own = next(s for s in human_streams(dataset, items) if (s.source, s.target) == (HUMAN, target))
    answered = sorted(own.item.tolist())
    if not answered:
        raise DataError(
            f"annotator {target!r} explained no {config.split} item", where=dataset.name
        )
    if config.items and config.items < len(answered):
        rng = np.random.default_rng(config.seed)
        answered = sorted(rng.choice(answered, config.items, replace=False).tolist())
    return tuple(items[index] for index in answered)


def other_task_dataset(
    dataset: Dataset, config: RetentionConfig, workspace: Workspace
) -> Dataset | None:
    """Return the dataset of another task whose responses are measured; None for no such measure.

    Raises:
        DataError: there is no dataset of that name.
        ConfigError: it is of the same task.
    """
    if config.other_task == NO_TASK:
        return None
    catalog = Catalog(workspace)
    if config.other_task == SHIPPED_TASK:
        shipped = [catalog.load(name) for name in OTHER_TASKS]
        return next(one for one in shipped if one.task.name != dataset.task.name)
    other = catalog.load(config.other_task)
    if other.task.name == dataset.task.name:
        raise ConfigError(
            f"{other.name} is of the same task ({other.task.name})",
            where="retention, other_task",
            expected=f"a dataset of another task than {dataset.name}'s, auto or none",
        )
    return other


def measure_retention(
    dataset: Dataset,
    settings: Mapping[str, Any],
    workspace: Workspace,
    folder: RunFolder,
    progress: Progress,
) -> str:
    """Measure the training `settings["run"]` for `settings["target"]` at each strength; at 0 and 1
    alone where its adapter has none in between (DoRA).

    The outputs and log-probabilities of each model are on disk (outputs.jsonl, one line per point)
    before the next is measured; an interrupted run resumes with the missing ones. Then it writes
    retention.json (`evaluation.retention.Retention`), and result.json at last.

    Raises:
        RunError, ConfigError, DataError: see `training_chain`, `measured_items` and
            `general_text`.
        Stopped: on request; the points so far are saved.
    """
    from capo_core.evaluation.general_text import built_by_project, guide_text
    from capo_core.evaluation.retention import save
    from capo_core.imitation.embedded_base.corpus import read_corpus
    from capo_core.imitation.generation.outputs import OutputLines
    from capo_core.imitation.models.base_files import find_base_model

    config, target = retention_config(settings), settings["target"]
    found = training_chain(dataset, target, find_run(workspace, settings["run"]), workspace)
    ends_only = found.kind in NO_STRENGTH
    if ends_only:
        config = replace(config, strengths=(0.0, 1.0))
    items = measured_items(dataset, target, config)
    other = other_task_dataset(dataset, config, workspace)
    former = "other_task" not in settings["config"]  # begun by a build that did not measure it
    corpus = read_corpus(Path(settings["text"])) if settings.get("text") else None
    if corpus is None and not former and not built_by_project(find_base_model(found.base)):
        corpus = guide_text()
    claimed = config.to_dict()
    if former:
        del claimed["other_task"]
    folder.claim(
        {
            "stage": STAGE,
            "target": target,
            "dataset": {"name": dataset.name, "fingerprint": dataset.fingerprint},
            "base": {"name": found.base, "fingerprint": found.fingerprint},
            "runs": found.runs,
            "text": corpus.fingerprint if corpus else "",
            "settings": claimed,
            **({"other_task": other.fingerprint} if other else {}),
        }
    )
    with folder.lock():
        folder.forget_stop()

        watched = stopping(folder, progress)
        watched("reading the base model", 0.0)
        lines = OutputLines(folder.path)
        rows = {row["output_id"]: row for row in lines.read()}
        way = StrengthMeasurer(
            dataset, target, items, found, corpus, _as_begun(config, rows.values()), settings, other
        )
        steps = measured_points(config.strengths, found.capo is not None)
        with lines.writing() as file:
            for number, (stage, strength) in enumerate(steps):
                key = f"{stage}@{strength:g}"
                if key not in rows:
                    part = part_of(watched, number / len(steps), (number + 1) / len(steps))
                    rows[key] = {"output_id": key, **way.measured(stage, strength, part)}
                    file.add(rows[key])
        ordered = [rows[f"{stage}@{strength:g}"] for stage, strength in steps]
        made = retention_result(
            dataset, target, items, found, way, config, ordered, workspace.cache
        )
        made = replace(made, general_fingerprint=corpus.fingerprint if corpus else "")
        if ends_only:
            made = replace(
                made,
                sentence=f"{made.sentence} An adapter of the kind {found.kind} has no strength in "
                "between: it was measured at its ends.",
            )
        with disk_errors(folder.path):
            save(made, folder.path)
        folder.finish({"runs": found.runs, "items": len(items), "sentence": made.sentence})
    return made.sentence


def _as_begun(config: RetentionConfig, rows: Iterable[Mapping[str, Any]]) -> RetentionConfig:
    """Return the settings under which an interrupted measurement goes on: with labels chosen as at
    its first point, also where a former build began it.
    """
    first = next(iter(rows), None)
    if first is None or config.label_choice != "auto":
        return config
    return replace(config, label_choice=first.get("label_choice", GENERATED))


def measured_points(strengths: Sequence[float], two_stages: bool) -> list[tuple[str, float]]:
    """Return (stage, strength) of all points; SFT at 1 is CAPO at 0, and is listed once."""
    first = [("sft", strength) for strength in strengths]
    second = [("capo", strength) for strength in strengths if strength > 0]
    return first + (second if two_stages else [])


def measure_forgetting(
    settings: Settings, workspace: Workspace, folder: RunFolder, progress: Progress
) -> str:
    """Measure what a training made its base model forget (see `measure_retention`)."""
    dataset = load_dataset(settings, workspace)
    return measure_retention(dataset, settings, workspace, folder, progress)

"""Finished runs, and a finished experiment, made of answers by hand: no model, no training."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

import pandas as pd

from capo_core.dataset import Dataset
from capo_core.imitation.generation.outputs import to_frame, write_table
from capo_core.imitation.generation.requests import GenerateConfig, dataset_identity
from capo_core.imitation.parsing import parse_response
from capo_core.imitation.prompting.prompts import write_response
from capo_core.progress import silent
from capo_core.run_folder import RunFolder
from capo_core.runs.experiments import store
from capo_core.runs.experiments.config import ExperimentConfig
from capo_core.runs.experiments.plan import plan_runs
from capo_core.runs.experiments.store import Experiment
from capo_core.runs.kinds import evaluation
from capo_core.task import NLI
from capo_core.workspace import Workspace, content_hash, write_json

# Words that only one annotator uses: whose a text is cannot be mistaken.
MANNERS = {
    "ann": "clearly surely plainly obviously certainly evidently",
    "bob": "maybe perhaps possibly conceivably probably presumably",
    "cyd": "nowhere never nothing nobody none neither",
}
Answer = Callable[[str, str], str]  # (target, item_id) → what the model wrote
WORDS = {"views": [["words", "mask_input"]], "pool": [1, 4]}


def world(name: str = "mine", items: int = 48, held_out: int = 12) -> Dataset:
    """Three annotators, each with words of their own; the last `held_out` items are for tests.

    On item n, ann gives label n mod 3, and bob and cyd give the next one each.
    """
    labels = NLI.scale.labels
    rows, said = [], []
    for n in range(items):
        split = "test" if n >= items - held_out else "train"
        rows.append((f"i{n}", f"The dog number {n} is here", "It moves", split))
        for place, (who, words) in enumerate(MANNERS.items()):
            words = words.split()
            text = " ".join(words[(n + step) % 6] for step in range(4)) + f" thing {n}"
            said.append((f"i{n}-{who}", f"i{n}", who, labels[(n + place) % 3], text))
    return Dataset(
        name,
        NLI,
        pd.DataFrame(rows, columns=["item_id", "text_a", "text_b", "split"]),
        pd.DataFrame(
            said, columns=["annotation_id", "item_id", "annotator_id", "label", "explanation"]
        ).assign(valid="unknown"),
        origin="made for a test",
    )


def answered(
    dataset: Dataset,
    folder: RunFolder,
    answer: Answer,
    *,
    config: GenerateConfig,
    targets: Sequence[str] = (),
    model: str = "by-hand",
    trainings: Mapping[str, str] = MappingProxyType({}),
) -> RunFolder:
    """A finished generation in `folder`.

    Args:
        trainings: target → the run whose adapter answered.
    """
    targets = tuple(targets) or dataset.annotators
    folder.claim(
        {
            "stage": "generate",
            "target": "all" if targets == dataset.annotators else "+".join(targets),
            "targets": list(targets),
            "dataset": dataset_identity(dataset),
            "base": {"name": model, "fingerprint": content_hash(model)},
            "adapters": {who: {"run": run_id} for who, run_id in trainings.items()},
            "profiles": {},
            "settings": config.to_dict(),
        }
    )
    items = dataset.items.loc[dataset.items["split"] == config.split, "item_id"]
    rows = [
        _row(dataset, folder.run_id, config, target, item, sample, answer(target, item))
        for target in targets
        for item in items
        for sample in range(config.samples)
    ]
    write_table(to_frame(rows), folder.path)
    folder.finish({"outputs": len(rows)})
    return folder


def run(
    workspace: Workspace, dataset: Dataset, name: str, method: str, answer: Answer, **settings
) -> RunFolder:
    """A finished generation that belongs to no experiment; `settings` of a `GenerateConfig`."""
    config = GenerateConfig(method, **settings)
    return answered(dataset, RunFolder(workspace.runs / name), answer, config=config)


def experiment(
    workspace: Workspace,
    dataset: Dataset,
    answers: Mapping[str, Answer],
    *,
    scored: bool = True,
    families: Sequence[str] = ("labels", "attribution", "style"),
    **settings,
) -> Experiment:
    """An experiment that is over: its methods answered as `answers` says, and were scored.

    Args:
        scored: False leaves the evaluation out, as if it had been stopped.
        settings: of the `ExperimentConfig`.
    """
    config = ExperimentConfig(
        dataset.name,
        dataset.fingerprint,
        **{
            "targets": dataset.annotators,
            "methods": tuple(answers),
            "evaluate": {**WORDS, "families": list(families)},
            "name": "By hand",
            **settings,
        },
    )
    planned = plan_runs(config)
    members = [
        {"run_id": each.run_id, "kind": each.request.kind, "method": each.method,
         "seed": each.seed, "weight": each.weight}
        for each in planned
    ]  # fmt: skip
    made = {"config": config.to_dict(), "made": time.time(), "runs": members}
    write_json(workspace.experiments / config.experiment_id / store.FILE, made)
    for order, each in enumerate(planned):
        folder = RunFolder(workspace.runs / each.run_id)
        folder.path.mkdir(parents=True, exist_ok=True)
        replace(each.request, order=order, queued=time.time()).write(folder.path)
        if each.request.kind == "generate":
            how = config.generate_config(each.method, each.seed)
            adapters = each.request.settings.get("adapters", ())
            answered(
                dataset, folder, answers[each.method], config=how, targets=config.targets,
                trainings=dict(zip(config.targets, adapters, strict=False)),
            )  # fmt: skip
        elif each.request.kind == "evaluate":
            if scored:
                evaluation.evaluate_runs(dataset, each.request.settings, workspace, folder, silent)
        else:  # trainings and profiles: over, and nothing is asked of them
            stage = each.request.kind.removeprefix("train_")
            folder.claim({"stage": stage, "settings": {"seed": each.seed}})
            folder.finish({})
    return store.find_experiment(workspace, config.experiment_id)


def speaker(dataset: Dataset, says: Callable[[str], str], *, right: float = 1.0) -> Answer:
    """Answers in the words of annotator `says(target)` to the same item.

    Args:
        right: the share of held-out items, the first ones, with the target's own label; the others
            get the next label of the scale.
    """
    said = dataset.annotations.set_index(["item_id", "annotator_id"])
    held_out = list(dataset.items.loc[dataset.items["split"] == "test", "item_id"])
    labels = dataset.task.scale.labels

    def answer(target: str, item: str) -> str:
        label = said.at[(item, target), "label"]
        if held_out.index(item) >= right * len(held_out):
            label = labels[(labels.index(label) + 1) % len(labels)]
        return write_response(label, said.at[(item, says(target)), "explanation"])

    return answer


def the_next(dataset: Dataset) -> Callable[[str], str]:
    """annotator → the one after it, the first after the last."""
    names = dataset.annotators
    return dict(zip(names, names[1:] + names[:1], strict=True)).__getitem__


def the_target(target: str) -> str:
    return target


def _row(dataset, run_id, config, target, item, sample, text) -> dict:
    parsed = parse_response(text, dataset.task)
    return {
        "output_id": content_hash(run_id, target, item, sample)[:20],
        "run_id": run_id,
        "method": config.method,
        "target_annotator_id": target,
        "item_id": item,
        "sample": str(sample),
        "label": parsed.label,
        "explanation": parsed.explanation,
        "raw_text": text,
        "parsed": "false" if parsed.problem else "true",
        "problem": parsed.problem,
        "prompt_tokens": len(text),
        "output_tokens": len(text.split()),
        "finish": "stop",
    }

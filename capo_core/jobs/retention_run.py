"""What a training made its base forget, along the adapter's strength, as a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from capo_core.dataset import Dataset
from capo_core.errors import ConfigError, DataError, RunError, Stopped
from capo_core.imitation.run_folder import RunFolder, disk_errors, find_run
from capo_core.progress import Progress, part_of
from capo_core.workspace import Workspace

STAGE = "retention"


def config_of(raw: Mapping[str, Any]):
    """The `RetentionConfig` of a run's settings."""
    from capo_core.evaluation.retention import RetentionConfig

    return RetentionConfig(**raw)


@dataclass(frozen=True)
class Trainings:
    """The trainings on the way to one run.

    Attributes:
        sft: the SFT run; `capo` the CAPO run that began with it, where the way has two stages.
        named: whether prompts name the annotator (one adapter for all).
        base: name of the base that they were trained on, and `fingerprint` its files'.
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
    def runs(self) -> dict[str, str]:
        found = {"sft": self.sft.run_id}
        return found | ({"capo": self.capo.run_id} if self.capo else {})


def trainings_of(dataset: Dataset, target: str, run: RunFolder, workspace: Workspace) -> Trainings:
    """The way to `run`, a finished training for `target` on this data.

    Raises:
        RunError: it is none, or not finished; the SFT run that a CAPO run began with is not there
            any more, or another adapter is in its place.
        ConfigError: it was trained for somebody else, or there is no such annotator.
    """
    from capo_core.imitation.adapters import adapter_fingerprint
    from capo_core.imitation.history import check_annotator
    from capo_core.imitation.trained import trained

    check_annotator(dataset, target)
    stage = run.config.get("stage")
    if stage not in ("sft", "capo"):
        raise RunError(
            f"the run is of the stage {stage!r}", where=run.run_id, expected="a finished training"
        )
    found = trained([run], str(stage), [target], dataset)
    sft, capo = run, None
    if stage == "capo":
        began = run.config["sft"]
        sft, capo = find_run(workspace, began["run"]), run
        trained([sft], "sft", [target], dataset)
        if adapter_fingerprint(sft.adapter) != began["adapter"]:
            raise RunError(
                "the SFT run is not the one any more that this training began with",
                where=sft.run_id,
                todo="train CAPO again",
            )
    return Trainings(sft, capo, found.named, found.base, found.fingerprint)


def items_measured(dataset: Dataset, target: str, config: Any) -> tuple[str, ...]:
    """Held-out items that the target explained, in the dataset's order.

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


def measure_retention(
    dataset: Dataset,
    settings: Mapping[str, Any],
    workspace: Workspace,
    folder: RunFolder,
    progress: Progress,
) -> str:
    """Measure the training `settings["run"]` for `settings["target"]` at each strength.

    What each model writes and how likely it finds the texts is on disk (outputs.jsonl, a line a
    point) before the next is looked at; an interrupted run goes on with what is missing. Then
    retention.json (`evaluation.retention.Retention`), and result.json at last.

    Raises:
        RunError, ConfigError, DataError: see `trainings_of`, `items_measured` and
            `imitation.general.general_text`.
        Stopped: somebody asked to; the points so far are kept.
    """
    from capo_core.evaluation.retention import save
    from capo_core.imitation.base.corpus import read_corpus
    from capo_core.imitation.outputs import OutputLines
    from capo_core.jobs.retention_models import Way, result_of

    config, target = config_of(settings["config"]), settings["target"]
    found = trainings_of(dataset, target, find_run(workspace, settings["run"]), workspace)
    items = items_measured(dataset, target, config)
    corpus = read_corpus(Path(settings["text"])) if settings.get("text") else None
    folder.claim(
        {
            "stage": STAGE,
            "target": target,
            "dataset": {"name": dataset.name, "fingerprint": dataset.fingerprint},
            "base": {"name": found.base, "fingerprint": found.fingerprint},
            "runs": found.runs,
            "text": corpus.fingerprint if corpus else "",
            "settings": config.to_dict(),
        }
    )
    with folder.lock():
        folder.forget_stop()

        def watched(what: str, share: float) -> None:
            if folder.stop_asked:
                raise Stopped("somebody asked the run to stop")
            progress(what, share)

        watched("reading the base model", 0.0)
        way = Way(dataset, target, items, found, corpus, config, settings)
        lines = OutputLines(folder.path)
        rows = {row["output_id"]: row for row in lines.read()}
        steps = steps_of(config.strengths, found.capo is not None)
        with lines.writing() as file:
            for number, (stage, strength) in enumerate(steps):
                key = f"{stage}@{strength:g}"
                if key not in rows:
                    part = part_of(watched, number / len(steps), (number + 1) / len(steps))
                    rows[key] = {"output_id": key, **way.measured(stage, strength, part)}
                    file.add(rows[key])
        ordered = [rows[f"{stage}@{strength:g}"] for stage, strength in steps]
        made = result_of(dataset, target, items, found, way, config, ordered, workspace.cache)
        with disk_errors(folder.path):
            save(made, folder.path)
        folder.finish({"runs": found.runs, "items": len(items), "sentence": made.sentence})
    return made.sentence


def steps_of(strengths: Sequence[float], two_stages: bool) -> list[tuple[str, float]]:
    """(stage, strength) of all points; SFT at 1 is CAPO at 0, and stands once."""
    first = [("sft", strength) for strength in strengths]
    second = [("capo", strength) for strength in strengths if strength > 0]
    return first + (second if two_stages else [])


def of_trainings(workspace: Workspace, runs: Sequence[str]) -> list[RunFolder]:
    """Finished retention runs whose last training is among `runs`, in alphabetical order."""
    from capo_core.imitation.run_folder import list_runs

    found = []
    for folder in list_runs(workspace):
        try:
            config = folder.config
        except RunError:
            continue
        if config.get("stage") == STAGE and folder.done:
            last = config["runs"].get("capo") or config["runs"]["sft"]
            if last in runs:
                found.append(folder)
    return found


def check(settings: Mapping[str, Any]) -> None:
    """Look at a run's settings; `ConfigError` where they will not do."""
    config_of(settings["config"])
    if not settings["run"] or not settings["target"]:
        raise ConfigError("retention needs a finished training, and whom it imitates")

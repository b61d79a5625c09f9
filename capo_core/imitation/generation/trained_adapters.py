"""The adapter of each annotator, collected from finished training runs and checked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from capo_core.dataset import Dataset
from capo_core.errors import ConfigError, RunError
from capo_core.formatting import quoted_names
from capo_core.imitation.generation.requests import GenerateConfig, dataset_identity
from capo_core.imitation.prompting.prompts import FIRST_VERSION, METHODS, TRAINING_STAGES
from capo_core.run_folder import RunFolder, list_runs
from capo_core.workspace import Workspace

EVERYONE = "all"  # a run's target where its adapter serves all annotators


@dataclass(frozen=True)
class TrainedAdapters:
    """Adapters for annotators, all on one base.

    Attributes:
        adapters: each annotator's adapter folder; the same for all where it is shared.
        base: name of their base model, and `fingerprint` that of its files.
        named: whether the adapter is shared, so that prompts must name the annotator.
        prompt_version: of the prompts they were trained with.
    """

    adapters: dict[str, Path]
    base: str
    fingerprint: str
    named: bool
    prompt_version: int = FIRST_VERSION

    def config_for(self, config: GenerateConfig) -> GenerateConfig:
        """Return `config` with the prompts these adapters were trained with."""
        if config.prompt == "auto" and self.prompt_version != FIRST_VERSION:
            config = replace(config, prompt=f"v{self.prompt_version}")
        return replace(config, named=self.named)


def collect_adapters(
    runs: Sequence[RunFolder], method: str, targets: Sequence[str], dataset: Dataset
) -> TrainedAdapters:
    """Return the adapter of each of `targets` among `runs`.

    Raises:
        RunError: a run is not finished, is of another method or dataset, has another split, or
            its adapter is missing; the runs have different bases; two runs have the same target.
        ConfigError: a target has no run.
    """
    found: dict[str, RunFolder] = {}
    for run in runs:
        _check_run(run, method, dataset)
        target = run.config["target"]
        if target in found:
            raise RunError(
                f"two runs are for annotator {target!r}: {found[target].run_id}, {run.run_id}",
                todo="name one run for each annotator",
            )
        found[target] = run
    shared = _shared(found)
    if shared and len(found) > 1:
        raise RunError(
            f"the adapter of {found[EVERYONE].run_id} serves all annotators",
            expected="that run alone, or one run for each annotator",
        )
    missing = [] if shared else [target for target in targets if target not in found]
    if missing:
        raise ConfigError(
            f"there is no finished {method} run for annotator {missing[0]!r}",
            where=dataset.name,
            todo=f"train one: python -m capo_core train {method} --dataset {dataset.name} "
            f"--annotator {missing[0]}",
        )
    used = [found[EVERYONE]] if shared else [found[target] for target in targets]
    bases = {run.config["base"]["fingerprint"]: run for run in used}
    if len(bases) > 1:
        raise RunError(
            f"the runs {quoted_names(run.run_id for run in bases.values())} have different bases",
            todo="generate for each base on its own",
        )
    versions = {run.config["settings"].get("prompt_version", FIRST_VERSION) for run in used}
    if len(versions) > 1:
        raise RunError(
            f"the runs {quoted_names(run.run_id for run in used)} were trained with different "
            "versions of the prompts",
            todo="generate for each version on its own",
        )
    base = used[0].config["base"]
    return TrainedAdapters(
        {target: (used[0] if shared else found[target]).adapter for target in targets},
        base["name"],
        base["fingerprint"],
        shared,
        versions.pop(),
    )


def adapter_of_run(run: RunFolder, target: str = "") -> tuple[TrainedAdapters, str, str]:
    """Return a training's adapter whatever the items are, its annotator, and its stage.

    Args:
        target: the annotator to be imitated; needed where the adapter serves all.

    Raises:
        RunError: the run is no finished training.
        ConfigError: the adapter is of another annotator, or serves all and none is named.
    """
    config = run.config
    if config.get("stage") not in TRAINING_STAGES:
        raise RunError(
            f"the run is of the stage {config.get('stage')!r}",
            where=str(run.path),
            expected="a run of train sft or train capo",
        )
    _check_finished(run)
    shared, own = serves_all(run), config["target"]
    if shared and not target:
        raise ConfigError(
            "the adapter serves all annotators, and none is named",
            where=run.run_id,
            option="--annotator",
        )
    if not shared and target not in ("", own):
        raise ConfigError(
            f"the adapter is of annotator {own!r}, not {target!r}",
            where=run.run_id,
            option="--annotator",
        )
    target = target if shared else own
    base, version = config["base"], config["settings"].get("prompt_version", FIRST_VERSION)
    found = TrainedAdapters(
        {target: run.adapter}, base["name"], base["fingerprint"], shared, version
    )
    return found, target, config["stage"]


def find_training_runs(
    workspace: Workspace,
    method: str,
    targets: Sequence[str],
    dataset: Dataset,
    *,
    fingerprint: str = "",
) -> list[RunFolder]:
    """Return the finished runs of `method` for `targets` on the present split of `dataset`.

    If no target has a run of its own, return the run whose adapter serves all annotators.

    Args:
        fingerprint: only runs on the base with this one; empty for any.

    Raises:
        RunError: there is more than one for a target, so that one must be named.
    """
    fitting = [
        run
        for run in list_runs(workspace)
        if _fits(run, method, dataset) and fingerprint in ("", run.config["base"]["fingerprint"])
    ]
    chosen = []
    for target in targets:
        own = [run for run in fitting if run.config["target"] == target and not serves_all(run)]
        chosen += _only(own, f"{method} runs for annotator {target!r}")
    return chosen or _only([run for run in fitting if serves_all(run)], f"shared {method} runs")


def _only(runs: list[RunFolder], what: str) -> list[RunFolder]:
    if len(runs) > 1:
        raise RunError(
            f"there are {len(runs)} {what}: {quoted_names(run.run_id for run in runs)}",
            todo="name the one that is meant (--run)",
        )
    return runs


def check_same_base(trained: TrainedAdapters, fingerprint: str, name: str) -> None:
    """Raise `RunError` if the adapters were not trained on the base with `fingerprint`."""
    if trained.fingerprint != fingerprint:
        raise RunError(
            f"the adapters were trained on the base {trained.base!r}, and {name!r} is another, or "
            "has changed since",
            expected=f"a base with the fingerprint {trained.fingerprint[:12]}, "
            f"not {fingerprint[:12]}",
            todo="leave out --base, or train again on this base",
        )


def _check_run(run: RunFolder, method: str, dataset: Dataset) -> None:
    config, stage = run.config, METHODS[method].stage
    if config.get("stage") != stage:
        raise RunError(
            f"the run is of the stage {config.get('stage')!r}",
            where=str(run.path),
            expected=f"a run of train {stage}",
        )
    shuffled = bool(config.get("settings", {}).get("shuffled"))
    if shuffled != (method == "sft_shuffled"):
        raise RunError(
            "the run is a control, trained on shuffled annotators"
            if shuffled
            else "the run was trained on the annotators as they are",
            where=str(run.path),
            expected=f"a run for {METHODS[method].title}",
        )
    _check_finished(run)
    now = dataset_identity(dataset)
    for what in ("fingerprint", "split"):
        if config["dataset"][what] != now[what]:
            told = "another dataset" if what == "fingerprint" else "another split"
            raise RunError(
                f"the run was trained on {told} than {dataset.name!r} as it is now",
                where=str(run.path),
                todo="train again, or name the run that belongs to it",
            )


def _check_finished(run: RunFolder) -> None:
    if not run.done:
        raise RunError("the run is not finished", where=str(run.path), todo="let it finish")
    if not run.adapter.is_dir():
        raise RunError("the run's adapter is missing", where=str(run.path), todo="train again")


def _fits(run: RunFolder, method: str, dataset: Dataset) -> bool:
    try:
        _check_run(run, method, dataset)
    except (RunError, KeyError):
        return False
    return True


def _shared(found: dict[str, RunFolder]) -> bool:
    return EVERYONE in found and serves_all(found[EVERYONE])


def serves_all(run: RunFolder) -> bool:
    """Return whether a training's adapter serves all annotators."""
    return bool(run.config["settings"].get("shared"))

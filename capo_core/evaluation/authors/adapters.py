"""The adapters that authors are told by: finished SFT runs of every annotator, set by set.

A set has one adapter for each annotator (or one that serves all), on one base model, with the same
settings and seed, trained on the training part of one split. Runs on other splits of the same data
are found where the workspace has a dataset with that split: together they score more items, each
by adapters that never saw it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from capo_core.data.catalog import Catalog
from capo_core.dataset import Dataset
from capo_core.errors import CapoError, ConfigError, RunError
from capo_core.evaluation.likelihood import AuthorAdapters, author_adapters
from capo_core.imitation.generation.trained_adapters import collect_adapters
from capo_core.run_folder import RunFolder, find_run, list_runs
from capo_core.workspace import Workspace, content_hash


@dataclass(frozen=True)
class AdapterSet:
    """The adapters of all annotators that were trained on one split.

    Attributes:
        dataset: the data with that split.
    """

    dataset: Dataset
    adapters: AuthorAdapters


def adapter_sets(
    workspace: Workspace, dataset: Dataset, names: Sequence[str] = ()
) -> list[AdapterSet]:
    """Return a set for each split that all annotators have finished SFT runs on, the dataset's own
    split first.

    Where annotators have several runs on a split, the newest runs with equal settings and seed are
    taken.

    Args:
        names: the runs to use, instead of all there are.

    Raises:
        ConfigError: on no split every annotator has a run.
        RunError: a named run is of another dataset, or of a split that no dataset of the workspace
            has, is not finished, or two of them are for one annotator.
    """
    splits = _splits(workspace, dataset)
    named = [find_run(workspace, name) for name in names]
    for run in named:
        about = run.config.get("dataset", {})
        if about.get("fingerprint") != dataset.fingerprint or about.get("split") not in splits:
            raise RunError(
                f"the run was trained on other data than {dataset.name!r}, or on a split that no "
                "dataset of the workspace has",
                where=run.run_id,
                todo="name runs that were trained on this dataset",
            )
    found = []
    for split, one in splits.items():
        if named:
            runs = [run for run in named if run.config["dataset"]["split"] == split]
        else:
            runs = _newest(_usable(workspace, one), one.annotators)
        if runs:
            found.append(AdapterSet(one, author_adapters(one, runs)))
    if not found:
        raise _missing(workspace, dataset)
    base = found[0].adapters.trained.fingerprint  # scores of two bases are not pooled
    return [one for one in found if one.adapters.trained.fingerprint == base]


def _splits(workspace: Workspace, dataset: Dataset) -> dict[str, Dataset]:
    """Return the splits of the data in the workspace, by fingerprint; the dataset's own first."""
    found = {dataset.split_fingerprint: dataset}
    catalog = Catalog(workspace)
    for entry in catalog.entries():
        if entry.fingerprint == dataset.fingerprint and entry.name != dataset.name:
            other = catalog.load(entry.name)
            found.setdefault(other.split_fingerprint, other)
    return found


def _usable(workspace: Workspace, dataset: Dataset) -> Iterator[tuple[RunFolder, str]]:
    """Yield the finished SFT runs on a dataset's split, and the annotator of each."""
    for run in list_runs(workspace):
        try:
            target = run.config["target"]
            collect_adapters([run], "sft", () if target == "all" else [target], dataset)
            yield run, target
        except (CapoError, KeyError, TypeError, AttributeError):
            continue  # of another stage, dataset or split, not finished, or damaged


def _newest(runs: Iterator[tuple[RunFolder, str]], annotators: Sequence[str]) -> list[RunFolder]:
    """Return the newest runs of all annotators that differ in the annotator alone; none if an
    annotator has none."""
    groups: dict[str, dict[str, RunFolder]] = {}
    for run, target in runs:
        config: dict[str, Any] = run.config
        key = content_hash(config["base"]["fingerprint"], config["settings"])
        groups.setdefault(key, {})[target] = run
    whole = [
        [each[name] for name in annotators] if "all" not in each else [each["all"]]
        for each in groups.values()
        if "all" in each or all(name in each for name in annotators)
    ]
    return max(whole, key=_finished, default=[])


def _finished(runs: Sequence[RunFolder]) -> float:
    return max((run.path / "result.json").stat().st_mtime for run in runs)


def without_adapter(workspace: Workspace, dataset: Dataset) -> list[str]:
    """Return the annotators who have no finished SFT run on the dataset's own split."""
    there = {target for _, target in _usable(workspace, dataset)}
    return [] if "all" in there else [name for name in dataset.annotators if name not in there]


def _missing(workspace: Workspace, dataset: Dataset) -> ConfigError:
    without = without_adapter(workspace, dataset)
    if without:
        what = f"there is no finished SFT run for annotator {without[0]!r}" + (
            f" and {len(without) - 1} more" if len(without) > 1 else ""
        )
    else:
        what = "the finished SFT runs of the annotators differ in base model, settings or seed"
    return ConfigError(
        what,
        where=dataset.name,
        expected="one finished SFT run for every annotator on one split, with the same settings",
        todo="train all with the same settings: python -m capo_core train sft --dataset "
        f"{dataset.name} --annotator all",
    )

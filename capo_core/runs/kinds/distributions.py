"""Runs about label distributions: estimates by a model, and classifiers trained on them.

Both name their judgments by the id in the workspace (see `distributions.store`).
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from capo_core.errors import RunError
from capo_core.formatting import count
from capo_core.imitation.backends.base import BATCH_TOKENS
from capo_core.progress import Progress
from capo_core.run_folder import RunFolder, find_run
from capo_core.runs.checks import (
    LOG_PROBABILITIES,
    SAMPLING,
    WORDS,
    Settings,
    estimate_config,
    soft_label_config,
)
from capo_core.runs.kinds.inputs import backend_of
from capo_core.workspace import Workspace

if TYPE_CHECKING:
    from capo_core.distributions.judgments import Judgments


def estimate(
    settings: Settings, workspace: Workspace, folder: RunFolder, progress: Progress
) -> str:
    """Estimate the label distributions of `settings["judgments"]` (see `estimate_run`)."""
    from capo_core.distributions import store
    from capo_core.distributions.estimate_run import annotator_prior, run_estimate

    judgments = store.load(settings["judgments"], workspace)
    check_estimate(judgments, settings)
    config = estimate_config(settings)
    progress("reading the model", 0.0)
    scorer = scorer_of(settings, workspace)
    trained_on = _training_items(judgments, settings, workspace)
    left_out = [
        f"{count(len(trained_on), 'item')} that the adapter was trained on, left out"
    ] * bool(trained_on)
    prior = None
    if config.label_prior != "none":
        prior = partial(
            annotator_prior, _dataset_of(settings, workspace), settings["annotator"], judgments,
            scorer, config, progress=progress,
        )  # fmt: skip
    found = run_estimate(
        judgments, scorer, config, folder,
        leave_out=trained_on, notes=left_out, prior=prior, progress=progress,
    )  # fmt: skip
    left = sum(found.left_out.values())
    return f"distributions of {count(len(found.source.item_ids), 'item')}" + (
        f", {left:,} left out" if left else ""
    )


def soft_labels(
    settings: Settings, workspace: Workspace, folder: RunFolder, progress: Progress
) -> str:
    """Train classifiers on label distributions (see `distributions.soft_labels`)."""
    from capo_core.distributions import store
    from capo_core.distributions.soft_labels import train_soft_labels

    config = soft_label_config(settings)
    train = store.load(settings["judgments"], workspace)
    sets = {name: store.load(one, workspace) for name, one in settings["sets"].items()}
    train_soft_labels(train, sets, config, folder, cache=workspace.cache, progress=progress)
    return f"{count(len(config.sources) * len(config.seeds), 'classifier')} trained"


def check_estimate(judgments: Judgments, settings: Settings) -> None:
    """Raise `ConfigError` where the embedded base model is to judge texts that it does not know."""
    from capo_core.imitation.embedded_base.suitability import check_suitable

    allowed = bool(settings.get("allow_embedded"))
    check_suitable(judgments, settings.get("base", ""), allow_embedded=allowed)


def _dataset_of(settings: Settings, workspace: Workspace) -> Any:
    """Return the dataset whose training labels are the prior: the adapter's, or the estimate's."""
    from capo_core.data.catalog import Catalog

    name = settings["dataset"]
    if settings.get("adapter"):
        name = find_run(workspace, settings["adapter"]).config["dataset"]["name"]
    return Catalog(workspace).load(name)


def _training_items(
    judgments: Judgments, settings: Settings, workspace: Workspace
) -> frozenset[str]:
    """Return the items of `judgments` with the texts of an item that the adapter was trained on.

    Raises:
        RunError: the adapter's dataset is not as it was.
    """
    from capo_core.imitation.prompting.responses import items_of

    if not settings.get("adapter"):
        return frozenset()
    run = find_run(workspace, settings["adapter"])
    dataset = _dataset_of(settings, workspace)
    told: Mapping[str, str] = run.config["dataset"]
    if (dataset.fingerprint, dataset.split_fingerprint) != (told["fingerprint"], told["split"]):
        raise RunError(
            f"the dataset {dataset.name!r} or its split has changed since the adapter was trained, "
            "so that its training items are not known",
            where=run.run_id,
            todo="train again",
        )
    known = {(each.text_a, each.text_b) for each in items_of(dataset, "train")}
    rows = judgments.items
    pairs = zip(rows["item_id"], rows["text_a"], rows["text_b"], strict=True)
    return frozenset(item for item, *texts in pairs if tuple(texts) in known)


def scorer_of(settings: Settings, workspace: Workspace) -> Any:
    """Return the model that scores options, as named in `settings`.

    The server's address and key come from the environment of the process, never from a file.
    """
    if settings["by"] == SAMPLING:
        from capo_core.imitation.backends.option_scores import SampledScorer

        return SampledScorer(backend_of(settings), settings.get("samples", 20))
    if settings["by"] == LOG_PROBABILITIES:
        from capo_core.imitation.backends.openai import from_environment
        from capo_core.imitation.backends.option_scores import ServerScorer

        return ServerScorer(from_environment(settings["server"]))
    if settings["config"].get("options") == WORDS:
        return _word_scorer(settings, workspace)
    from capo_core.imitation.backends.option_scores import TransformersScorer
    from capo_core.imitation.models.base_model import load_base_model

    base = load_base_model(settings["base"], precision=settings.get("precision", "auto"))
    return TransformersScorer(base, batch_tokens=settings.get("batch_tokens", BATCH_TOKENS))


def _word_scorer(settings: Settings, workspace: Workspace) -> Any:
    """Return the model that scores label words, with the adapter of a training if one is named."""
    from capo_core.distributions.word_scores import LabelWordScorer
    from capo_core.imitation.generation.trained_adapters import adapter_of_run, check_same_base

    if not settings.get("adapter"):
        return LabelWordScorer(backend_of(settings))
    run = find_run(workspace, settings["adapter"])
    trained, target, method = adapter_of_run(run, settings.get("annotator", ""))
    backend = backend_of(settings)
    check_same_base(trained, backend.fingerprint, backend.name)
    return LabelWordScorer(backend, target=target, trained=trained, method=method)

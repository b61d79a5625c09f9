"""A result of attribution by likelihood, made of planted scores in place of adapters."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from capo_core.dataset import Dataset
from capo_core.evaluation.authors import compute
from capo_core.evaluation.authors.adapters import AdapterSet
from capo_core.evaluation.authors.result import AuthorAttribution, AuthorsConfig
from capo_core.evaluation.likelihood import AuthorAdapters
from capo_core.evaluation.measures.attribution import View
from capo_core.imitation.generation.trained_adapters import TrainedAdapters
from capo_core.workspace import Workspace, content_hash

WORDS = (View("words", "none"),)


def planted_log_probs(dataset: Dataset, skill: float = 0.15, known: float = 1.5):
    """Return a stand-in of `log_prob_matrix`: the author's own adapter gives `skill` more, and
    `known` more to texts of training items; the rest is noise that depends on the text alone."""
    split = dataset.items.set_index("item_id")["split"]
    author = {
        (row.item_id, row.explanation.strip().casefold().rstrip(".!")): row.annotator_id
        for row in dataset.annotations.itertuples()
    }

    def matrix(_, adapters, texts, **__):
        names = list(adapters.trained.adapters)
        found = np.zeros((len(texts), len(names)))
        for row, (item, _label, text) in enumerate(texts):
            rng = np.random.default_rng(int(content_hash(item, text)[:8], 16))
            found[row] = -2 + 0.3 * rng.normal(size=len(names)) + np.arange(len(names)) * 0.4
            own = author.get((item, text.strip().casefold().rstrip(".!")))
            if own in names:
                found[row, names.index(own)] += skill + known * (split[item] == "train")
        return found

    return matrix


def planted_set(dataset: Dataset) -> AdapterSet:
    """Return a set of adapters that are not there."""
    folders = {name: Path(f"/nowhere/sft-{name}/adapter") for name in dataset.annotators}
    trained = TrainedAdapters(folders, "planted", "ab12", False)
    return AdapterSet(
        dataset, AuthorAdapters(trained, {name: f"sft-{name}" for name in dataset.annotators})
    )


def made_attribution(
    dataset: Dataset, *, outputs=(), pool=(1, 2), leak_test=True, sets=(), **planted
) -> AuthorAttribution:
    """Return a result by planted scores, beside a classifier of words."""
    true, compute.log_prob_matrix = compute.log_prob_matrix, planted_log_probs(dataset, **planted)
    try:
        return compute.attribute_authors(
            Workspace(Path("/nowhere")), dataset, sets or [planted_set(dataset)], outputs,
            AuthorsConfig(pool=pool, leak_test=leak_test), views=WORDS,
        )  # fmt: skip
    finally:
        compute.log_prob_matrix = true

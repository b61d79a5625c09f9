"""Attribution by likelihood: under whose adapter is a text likeliest?

Each annotator has an adapter that was fine-tuned on their training texts (SFT). For a text i about
an item x with label y, and the adapter of annotator a,

    m_ia = (1 / T_i) Σ_t log p_a(token t | x, y, tokens before t)

over the T_i tokens of the explanation, teacher-forced; typing habits at both ends are made equal
(`tokens.same_form`) and the end of the answer is not scored. Adapters differ in how sharp they are:
on the annotators' own validation texts a multinomial logistic model is fitted,

    P(a | i) = softmax_a(τ m_ia + b_a),    Σ_a b_a = 0,

with one slope τ > 0 and an offset for each adapter, authors weighted equally and b penalised by
`PENALTY`·Σ b². One slope for all, so that what is common to the adapters (an item that is hard, a
label that is odd) cancels: what remains is who wrote it. The likeliest author of k texts has the
highest sum of τ m_ia + b_a. Nothing is fitted on the texts that are scored: where these are the
validation texts themselves, each is calibrated on the other items (`FOLDS` folds).

Nothing here needs torch until texts are scored.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy import optimize
from scipy.special import log_softmax

from capo_core.dataset import Dataset
from capo_core.errors import DataError, RunError
from capo_core.evaluation.measures.attribution import likelihood_accuracy
from capo_core.evaluation.streams import (
    HUMAN,
    MethodOutputs,
    Stream,
    held_out_items,
    human_streams,
)
from capo_core.evaluation.table import ExternalScore
from capo_core.imitation.generation.trained_adapters import TrainedAdapters, collect_adapters
from capo_core.imitation.prompting.prompts import Prompt, PromptItem, PromptStyle, zero_shot
from capo_core.progress import Progress, part_of, silent
from capo_core.run_folder import RunFolder
from capo_core.text.tokens import same_form
from capo_core.workspace import Workspace, content_hash, write_json

MEASURE = "likelihood attribution"
PENALTY = 1e-3
FOLDS = 5
_FORMAT = 1  # raised when the same key would mean other numbers

Text = tuple[str, str, str]  # item, label, explanation


@dataclass(frozen=True)
class AuthorAdapters:
    """The adapters of all annotators of a dataset, by which authors are told.

    Attributes:
        trained: the adapters, in the order of the annotators, and their base.
        runs: annotator → name of the training run.
    """

    trained: TrainedAdapters
    runs: Mapping[str, str]


def author_adapters(dataset: Dataset, runs: Sequence[RunFolder]) -> AuthorAdapters:
    """Return the adapters of finished SFT runs, one for each annotator (or a shared one).

    Raises:
        RunError: a run is not a finished SFT run on this dataset *and split*: on another split its
            training items may be among those that are scored.
        ConfigError: an annotator has no run.
    """
    trained = collect_adapters(runs, "sft", dataset.annotators, dataset)
    names = {target: folder.parent.name for target, folder in trained.adapters.items()}
    return AuthorAdapters(trained, names)


def check_not_trained_on(dataset: Dataset, item_ids: Sequence[str]) -> None:
    """Raise `RunError` if an item that is to be scored is in the training split."""
    split = dataset.items.set_index("item_id")["split"]
    leaked = [item for item in item_ids if split.get(item) == "train"]
    if leaked:
        raise RunError(
            f"{len(leaked)} of the {len(item_ids)} scored items, such as {leaked[0]!r}, are in the "
            "training split of the author adapters",
            where=dataset.name,
            expected="held-out items only",
            todo="score the validation or test split, or leave out the author adapters",
        )


@dataclass(frozen=True)
class LikelihoodCalibration:
    """Slope and offsets that turn mean log-probabilities into probabilities of authors.

    Attributes:
        slope: τ, nats per (nat per token). offsets: b [C], summing to 0.
        n: validation texts that it was fitted on.
        loss: their mean negative log-probability of the author, authors weighted equally, in nats.
    """

    slope: float
    offsets: np.ndarray
    n: int
    loss: float

    def scores(self, matrix: np.ndarray) -> np.ndarray:
        """Return scores [n, C] from mean log-probabilities [n, C]: 0 on average over a row.

        Rows that are not defined (NaN) are 0 everywhere, so that they go to nobody.
        """
        scores = self.slope * matrix + self.offsets
        return np.nan_to_num(scores - scores.mean(axis=1, keepdims=True), nan=0.0)


def fit_calibration(matrix: np.ndarray, author: np.ndarray) -> LikelihoodCalibration:
    """Fit the calibration on texts whose authors are known (see the module's formula).

    Args:
        matrix: mean log-probabilities [n, C]; rows with NaN are left out.
        author: [n], the column of each text's author.

    Raises:
        DataError: an author has no text.
    """
    there = np.isfinite(matrix).all(axis=1)
    matrix, author = matrix[there], author[there]
    classes = matrix.shape[1] if matrix.ndim == 2 else 0
    counts = np.bincount(author, minlength=classes)
    if not len(matrix) or (counts == 0).any():
        raise DataError(
            "the author adapters cannot be calibrated: an annotator has no validation text",
            expected="explanations of validation items by every annotator",
            todo="split the items so that there is a validation part",
        )
    weight = 1 / (counts[author] * classes)
    rows = np.arange(len(author))

    def unpacked(parameters: np.ndarray) -> tuple[float, np.ndarray]:
        offsets = np.append(parameters[1:], -parameters[1:].sum())
        return float(np.exp(parameters[0])), offsets

    def loss_of(slope: float, offsets: np.ndarray) -> float:
        return float(-(weight * log_softmax(slope * matrix + offsets, axis=1)[rows, author]).sum())

    def objective(parameters: np.ndarray) -> float:
        slope, offsets = unpacked(parameters)
        return loss_of(slope, offsets) + PENALTY * float((offsets**2).sum())

    start = np.zeros(classes)
    start[0] = np.log(10.0)
    bounds = [(-3.0, 7.0), *[(None, None)] * (classes - 1)]
    best = optimize.minimize(objective, start, method="L-BFGS-B", bounds=bounds)
    slope, offsets = unpacked(best.x)
    return LikelihoodCalibration(slope, offsets, len(matrix), loss_of(slope, offsets))


@dataclass(frozen=True)
class AuthorScores:
    """Calibrated scores of streams under the annotators' adapters.

    Attributes:
        streams: [n, C] for each stream, one column an annotator; 0 everywhere where there is no
            explanation or no label to read it with.
        calibration: fitted on all validation texts.
        adapters: by which it was scored.
        crossed: whether the scored texts were calibrated in folds, being validation texts.
        same_training: sources whose texts were written by one of the adapters themselves, or by an
            adapter that was trained on from it.
    """

    streams: list[np.ndarray]
    calibration: LikelihoodCalibration
    adapters: AuthorAdapters
    crossed: bool = False
    same_training: tuple[str, ...] = ()

    def given(
        self, streams: Sequence[Stream], annotators: Sequence[str], pool: Sequence[int],
        *, n_items: int, seed: int = 0,
    ) -> Iterator[ExternalScore]:  # fmt: skip
        """Yield the scores of each stream at every k, for `table.evaluate`."""
        for stream, scores in zip(streams, self.streams, strict=True):
            column = list(annotators).index(stream.target)
            for k in pool:
                score = likelihood_accuracy(
                    scores, stream.item, column, k, n_items=n_items, seed=seed
                )
                if score is not None:
                    yield stream.source, stream.target, stream.replicate, MEASURE, k, score

    def to_dict(self) -> dict[str, Any]:
        """Return how it was computed, as JSON."""
        return {
            "base": self.adapters.trained.base,
            "base_fingerprint": self.adapters.trained.fingerprint,
            "runs": dict(self.adapters.runs),
            "shared": self.adapters.trained.named,
            "slope": self.calibration.slope,
            "offsets": dict(
                zip(self.adapters.trained.adapters, self.calibration.offsets.tolist(), strict=True)
            ),
            "calibration_texts": self.calibration.n,
            "calibration_loss": self.calibration.loss,
            "crossed": self.crossed,
            "same_training": list(self.same_training),
        }


def author_scores(
    dataset: Dataset,
    item_ids: tuple[str, ...],
    streams: Sequence[Stream],
    adapters: AuthorAdapters,
    *,
    cache: Path | None = None,
    precision: str = "auto",
    same_training: Sequence[str] = (),
    progress: Progress = silent,
) -> AuthorScores:
    """Score the explanations of streams under every annotator's adapter, calibrated.

    Args:
        cache: folder in which log-probabilities are stored by base, adapter and text, so that no
            text is read twice; None stores nothing.
        precision: of the base model (see `load_base_model`).

    Raises:
        RunError: a scored item is in the training split.
        DataError: an annotator has no validation text.
        ConfigError: the base model or an adapter cannot be loaded.
    """
    check_not_trained_on(dataset, item_ids)
    known = held_out_items(dataset, "validation")
    own = [s for s in human_streams(dataset, known) if s.source == HUMAN]
    texts = list(dict.fromkeys(
        text for ids, some in ((known, own), (item_ids, streams)) for s in some
        for text in texts_of(s, ids) if text is not None
    ))  # fmt: skip
    columns = log_prob_matrix(
        dataset, adapters, texts, cache=cache, precision=precision, progress=progress
    )
    place = {text: row for row, text in enumerate(texts)}
    table = np.vstack([columns, np.full((1, columns.shape[1]), np.nan)])

    def matrix(stream: Stream, ids: tuple[str, ...]) -> np.ndarray:
        return table[[place.get(text, len(texts)) for text in texts_of(stream, ids)]]

    calibrating = np.concatenate([matrix(s, known) for s in own])
    item = np.concatenate([s.item for s in own])
    author = np.concatenate(
        [np.full(len(s), dataset.annotators.index(s.target)) for s in own]
    ).astype(int)
    whole = fit_calibration(calibrating, author)
    crossed = bool(set(known) & set(item_ids))
    found = []
    if crossed:
        number = {item_id: n for n, item_id in enumerate(known)}
        by_fold = [
            fit_calibration(calibrating[item % FOLDS != fold], author[item % FOLDS != fold])
            for fold in range(FOLDS)
        ]
    for stream in streams:
        own_matrix = matrix(stream, item_ids)
        scores = whole.scores(own_matrix)
        if crossed:
            folds = np.array([number.get(item_ids[i], -1) for i in stream.item])
            for fold, one in enumerate(by_fold):
                rows = (folds >= 0) & (folds % FOLDS == fold)
                scores[rows] = one.scores(own_matrix[rows])
        found.append(scores)
    return AuthorScores(found, whole, adapters, crossed, tuple(same_training))


def texts_of(stream: Stream, item_ids: tuple[str, ...]) -> list[Text | None]:
    """Return the texts of a stream in the form that is scored; None where there is nothing to."""
    rows = zip(stream.item, stream.labels, stream.explanations, strict=True)
    found: list[Text | None] = []
    for item, label, explanation in rows:
        text = same_form(explanation)
        found.append((item_ids[item], label, text) if label and text else None)
    return found


def log_prob_matrix(
    dataset: Dataset,
    adapters: AuthorAdapters,
    texts: Sequence[Text],
    *,
    cache: Path | None = None,
    precision: str = "auto",
    progress: Progress = silent,
) -> np.ndarray:
    """Return mean log-probabilities of explanation tokens [texts, annotators], in nats per token.

    The base model is loaded once, and only if a text is not in the cache.

    Args:
        texts: (item, label, explanation), each once, all of them of the dataset's items.
    """
    from capo_core.imitation.models.base_model import PRECISIONS, precision_of  # loads torch

    folders = list(adapters.trained.adapters.values())
    prompts = [
        _prompts(dataset, adapters.trained, annotator, [item for item, *_ in texts])
        for annotator in adapters.trained.adapters
    ]
    keys = [
        [content_hash(prompt[text[0]].text, *text[1:])[:32] for text in texts] for prompt in prompts
    ]

    def places(kind: str) -> list[Path | None]:
        return [_place(cache, adapters, folder, kind) for folder in folders]

    def table(known: Sequence[Mapping[str, float]]) -> np.ndarray:
        columns = [[values[key] for key in own] for values, own in zip(known, keys, strict=True)]
        return np.array(columns, dtype=float).T.reshape(len(texts), len(folders))

    # What "auto" takes is measured, and may be measured otherwise on a busy machine: all adapters
    # are asked in one precision, the one in which everything is there already.
    for kind in PRECISIONS.values() if precision == "auto" else (precision,):
        known = [_stored(path) for path in places(kind)]
        if all(set(own) <= set(values) for values, own in zip(known, keys, strict=True)):
            return table(known)
    base = _base_of(adapters, precision)
    paths = places(precision_of(base.model.dtype) or precision)
    known = [_stored(path) for path in paths]
    for number, (folder, values, own) in enumerate(zip(folders, known, keys, strict=True)):
        missing = [n for n, key in enumerate(own) if key not in values]
        if not missing:
            continue
        part = part_of(progress, number / len(folders), (number + 1) / len(folders))
        found = _computed(base, folder, prompts[number], [texts[n] for n in missing], part)
        values |= {own[n]: value for n, value in zip(missing, found, strict=True)}
        path = paths[number]
        if path is not None:
            write_json(path, {k: None if np.isnan(v) else float(v) for k, v in values.items()})
    return table(known)


def _place(
    cache: Path | None, adapters: AuthorAdapters, folder: Path, precision: str
) -> Path | None:
    """Return the file of the values under an adapter; None where nothing is kept."""
    from capo_core.imitation.models.adapters import adapter_fingerprint  # loads torch

    key = content_hash(
        _FORMAT, adapters.trained.fingerprint, adapter_fingerprint(folder), precision
    )
    return None if cache is None else Path(cache) / f"likelihood-{key[:32]}.json"


def _prompts(
    dataset: Dataset, trained: TrainedAdapters, annotator: str, item_ids: Sequence[str]
) -> dict[str, Prompt]:
    """Return the prompts of items as the adapters were trained with them."""
    items = dataset.items.set_index("item_id")
    style = PromptStyle(trained.prompt_version)
    return {
        item: zero_shot(
            dataset.task,
            PromptItem(item, items.at[item, "text_a"], items.at[item, "text_b"]),
            annotator=annotator if trained.named else "",
            style=style,
        )
        for item in dict.fromkeys(item_ids)
    }


def _stored(path: Path | None) -> dict[str, float]:
    """Return the stored values; none if they are missing or damaged."""
    try:
        raw = json.loads(path.read_text(encoding="utf-8")) if path is not None else {}
        return {str(key): float("nan") if v is None else float(v) for key, v in raw.items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}


def _base_of(adapters: AuthorAdapters, precision: str) -> Any:
    from capo_core.imitation.generation.trained_adapters import check_same_base
    from capo_core.imitation.models.base_model import load_base_model

    base = load_base_model(adapters.trained.base, precision=precision)
    check_same_base(adapters.trained, base.fingerprint, base.name)
    return base


def _computed(
    base: Any,
    folder: Path,
    prompts: Mapping[str, Prompt],
    texts: Sequence[Text],
    progress: Progress,
) -> list[float]:
    """Return the values of texts under one adapter; texts on one item share their prompt."""
    from capo_core.imitation.training.scoring.explanations import (
        explanation_log_probs,
        render_explanations,
    )

    by_item: dict[str, list[int]] = {}
    for row, (item, *_) in enumerate(texts):
        by_item.setdefault(item, []).append(row)
    renders = [
        render_explanations(base, prompts[item], [texts[row][1:] for row in rows])
        for item, rows in by_item.items()
    ]
    result = np.empty(len(texts))
    order = [row for rows in by_item.values() for row in rows]
    result[order] = explanation_log_probs(base, folder, renders, progress=progress)
    return result.tolist()


def written_by(
    outputs: Sequence[MethodOutputs], adapters: AuthorAdapters, workspace: Workspace
) -> tuple[str, ...]:
    """Return the sources whose texts an author adapter wrote, or an adapter trained on from it.

    Such texts are likelier under that adapter than another seed's would be: to be read with care.
    """
    found = []
    for one in outputs:
        for name in _training_runs(workspace.runs / one.run) if one.run else ():
            origin = _config(RunFolder(workspace.runs / name)).get("sft", {}).get("run")
            if {name, origin} & set(adapters.runs.values()) and one.source not in found:
                found.append(one.source)
    return tuple(found)


def _training_runs(folder: Path) -> list[str]:
    return [each["run"] for each in _config(RunFolder(folder)).get("adapters", {}).values()]


def _config(run: RunFolder) -> dict:
    return run.config if (run.path / "config.json").is_file() else {}

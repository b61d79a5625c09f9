"""The map of a dataset's explanations: each a point, near others that are like it.

Two ways. The discriminant map shows the two directions in which annotators differ most (linear
discriminant analysis, Fisher 1936, with Ledoit & Wolf's shrinkage). Fitted and drawn on the same
texts it would part annotators who do not differ, so each point is drawn by directions that were
fitted without its item; the maps of folds are turned onto one of them by the means of the
annotators whom both know (orthogonal Procrustes, Schönemann 1966). Answers of methods are drawn by
the people's directions and do not change them. The t-SNE map (van der Maaten & Hinton 2008) knows
no annotators, and has no directions: answers are placed with the people's texts, and move them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import sparse
from scipy.linalg import orthogonal_procrustes

from capo_core.dataset import Dataset
from capo_core.errors import DataError
from capo_core.evaluation.streams import HUMAN, MethodOutputs, run_outputs
from capo_core.export_formats import parquet_bytes, read_parquet
from capo_core.formatting import Statement, percent, percent_interval
from capo_core.progress import Progress, part_of, silent
from capo_core.provenance import NAME, Provenance
from capo_core.run_folder import find_run, made_by
from capo_core.settings import setting, settings
from capo_core.stability.corpus import ExplanationCorpus, build_corpus
from capo_core.stats.bootstrap import resample
from capo_core.stats.intervals import Estimate, accuracy_interval
from capo_core.text.embeddings import DEFAULT_MODEL, Embedder
from capo_core.text.reductions import REDUCTIONS, find_reduction
from capo_core.text.representations import (
    REPRESENTATIONS,
    Features,
    Representer,
    Texts,
    find_representation,
)
from capo_core.text.tokens import normalise
from capo_core.workspace import Workspace, atomic_file, content_hash

DISCRIMINANT, TSNE = "discriminant", "t-SNE"
NEIGHBOURS = 10
_DIMENSIONS = {DISCRIMINANT: 100, TSNE: 50}  # of n-grams, before directions or neighbours
_NOTHING = 1e-4  # of the largest singular value
COLUMNS = ("id", "x", "y", "text", "source", "annotator_id", "label", "item_id", "text_a", "text_b",
           "split")  # fmt: skip


@settings("Map")
class MapConfig:
    """Settings of a map of explanations."""

    method: str = setting(
        DISCRIMINANT,
        "Method",
        "discriminant: the two directions in which annotators differ most, each item drawn by "
        "directions fitted without it; t-SNE: neighbours stay neighbours, annotators are not used.",
        choices=(DISCRIMINANT, TSNE),
    )
    representation: str = setting(
        "embedding",
        "Representation",
        "Representation of the explanations.",
        choices=lambda: tuple(REPRESENTATIONS),
    )
    reduction: str = setting(
        "mask_input",
        "Reduction",
        "Input-content reduction before the map is made.",
        choices=lambda: tuple(REDUCTIONS),
    )
    perplexity: float = setting(
        30.0, "Perplexity", "Of t-SNE: about how many neighbours count.", ge=2, le=500
    )
    folds: int = setting(5, "Folds", "Of the discriminant map.", ge=2, le=50)
    most: int = setting(
        20_000,
        "Maximum explanations",
        "Whole items are drawn at random up to this many explanations; 0 takes all.",
        ge=0,
        le=1_000_000,
    )
    seed: int = setting(0, "Random seed", "Random seed.", ge=0, le=2**31)
    embedding_model: str = setting(
        DEFAULT_MODEL, "Embedding model", "A sentence-transformers model, by name or folder."
    )


@dataclass(frozen=True)
class ExplanationMap:
    """A map.

    Attributes:
        frame: COLUMNS, a row a point; `source` is `HUMAN` or a method's name, `annotator_id` the
            author or, of a method, the target.
        neighbours: mean share of the `NEIGHBOURS` nearest human explanations of other items that
            are by the same annotator, over human explanations; interval over items.
        chance: that share if annotators were spread over the map at random.
    """

    config: MapConfig
    frame: pd.DataFrame
    neighbours: Estimate
    chance: float
    provenance: Provenance

    @property
    def statement(self) -> Statement:
        """Return how far annotators lie together on the map."""
        found = self.neighbours
        order = "above" if found.low > self.chance else "below" if found.high < self.chance else ""
        template = (
            "Of the {k:,} nearest explanations of other items on this map, {share} {interval} are "
            "by the same annotator (chance {chance:percent}, {n:count explanation}); "
        )
        template += (
            f"that is {order} chance."
            if order
            else "that is not significantly different from chance."
        )
        return Statement("neighbours", template, {
            "k": NEIGHBOURS, "share": percent(found.value),
            "interval": percent_interval(found.low, found.high), "chance": self.chance,
            "n": found.n,
        })  # fmt: skip

    def to_parquet(self) -> bytes:
        """Return the points as Parquet, with the provenance; Embedding Atlas opens it by
        `embedding-atlas FILE --text text --x x --y y`."""
        about = {
            "config": self.config.to_dict(), "statement": self.statement.text,
            "neighbours": {**self.neighbours.to_dict(), "chance": self.chance},
        }  # fmt: skip
        return parquet_bytes(self.frame, self.provenance.dated(), about)

    @classmethod
    def from_parquet(cls, content: bytes) -> ExplanationMap:
        """Return the map that `to_parquet` wrote.

        Raises:
            DataError: it is no such file.
        """
        try:
            frame, about = read_parquet(content)
            found = dict(about["neighbours"])
            chance = found.pop("chance")
            numbers = {name: math.nan if value is None else value for name, value in found.items()}
            return cls(
                MapConfig(**about["config"]), frame[list(COLUMNS)], Estimate(**numbers),
                math.nan if chance is None else chance, Provenance.from_dict(about[NAME]),
            )  # fmt: skip
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise DataError(
                f"no map can be read from it ({type(error).__name__})",
                todo="delete the file and compute the map again",
            ) from error


def map_path(
    dataset: Dataset, config: MapConfig, workspace: Workspace, runs: Sequence[str] = ()
) -> Path:
    """Return the file of a map in the workspace.

    Args:
        runs: generations whose answers are drawn too.
    """
    # The rows have the items' split, the provenance the name; the fingerprint has neither.
    key = content_hash(config.to_dict(), list(runs), dataset.name, dataset.split_fingerprint)[:16]
    return workspace.reports / dataset.fingerprint[:16] / "maps" / f"{key}.parquet"


def load_map(
    dataset: Dataset, config: MapConfig, workspace: Workspace, runs: Sequence[str] = ()
) -> ExplanationMap | None:
    """Return the map from the workspace; None where it was not computed.

    Raises:
        DataError: its file is damaged.
    """
    path = map_path(dataset, config, workspace, runs)
    return ExplanationMap.from_parquet(path.read_bytes()) if path.is_file() else None


def largest_map(
    dataset: Dataset, config: MapConfig, workspace: Workspace, runs: Sequence[str] = ()
) -> ExplanationMap | None:
    """Return the map of all explanations, where it was computed, else as `load_map`."""
    whole = load_map(dataset, replace(config, most=0), workspace, runs)
    return whole or load_map(dataset, config, workspace, runs)


def made_map(
    dataset: Dataset,
    config: MapConfig,
    workspace: Workspace,
    runs: Sequence[str] = (),
    progress: Progress = silent,
) -> ExplanationMap:
    """Return the map from the workspace, computed and kept there first if it is new.

    Raises:
        DataError: as `compute_map`, or a run is of other data. RunError: there is no such run.
    """
    found = load_map(dataset, config, workspace, runs)
    if found is not None:
        return found
    folders = [find_run(workspace, name) for name in runs]
    outputs = run_outputs(dataset, folders)[0] if folders else ()
    found = compute_map(dataset, config, outputs=outputs, cache=workspace.cache, progress=progress)
    if folders:
        made = made_by(folders)
        seeds = tuple(sorted({*found.provenance.seeds, *made["seeds"]}))
        source = found.provenance.but(models=made["models"], seeds=seeds, details=made["details"])
        found = replace(found, provenance=source)
    with atomic_file(map_path(dataset, config, workspace, runs)) as file:
        file.write(found.to_parquet())
    return found


def compute_map(
    dataset: Dataset,
    config: MapConfig | None = None,
    *,
    outputs: Sequence[MethodOutputs] = (),
    cache: Path | None = None,
    progress: Progress = silent,
    embedder: Embedder | None = None,
) -> ExplanationMap:
    """Return the map of all explanations, with the answers of methods among them.

    Args:
        outputs: answers to be drawn too (`streams.run_outputs`). Discriminant directions are
            fitted to people's explanations alone, whose places do not depend on answers; by t-SNE
            they do.
        cache: folder for embeddings; None holds them in memory.
        embedder: instead of the configured embedding model, for tests.

    Raises:
        DataError: there are not two annotators with explanations, or too few items for the folds.
        BackendUnavailable: the embedding model or the tagger is not there.
    """
    config = config or MapConfig()
    corpus = build_corpus(dataset, most=config.most, seed=config.seed)
    answers = _answers(outputs, corpus)
    item = np.concatenate([corpus.item, answers["item"].to_numpy(dtype=np.int64)])
    texts = Texts(
        [*corpus.texts, *answers["text"].map(normalise)], item, corpus.text_a, corpus.text_b
    )
    representer = Representer(
        texts, embedder or Embedder(cache, config.embedding_model), seed=config.seed
    )
    features = representer.features(
        config.representation, config.reduction, part_of(progress, 0.0, 0.7)
    )
    progress("Drawing the map", 0.7)
    if config.method == DISCRIMINANT:
        places = _discriminant(dataset.name, features, corpus, item, config)
    else:
        places = _tsne(features, len(item), config)
    value, chance = _neighbours(places[: len(corpus)], corpus)
    progress("Done", 1.0)
    frame = _frame(dataset, corpus, answers, places)
    provenance = Provenance.of(
        dataset,
        seeds=(config.seed,),
        n=(("item", int(frame["item_id"].nunique())), ("point", len(frame))),
        details=(
            ("map", config.method), ("representation", config.representation),
            ("reduction", config.reduction), ("encoder", config.embedding_model),
        ),
    )  # fmt: skip
    return ExplanationMap(config, frame, value, chance, provenance)


def map_title(config: MapConfig) -> str:
    """Return what a map shows: "Discriminant map of the sentence embedding with input words
    masked"."""
    representation = find_representation(config.representation).in_words
    reduction = "" if config.reduction == "none" else find_reduction(config.reduction).in_words
    name = "Discriminant" if config.method == DISCRIMINANT else config.method
    return f"{name} map of {representation} {reduction}".rstrip()


def _answers(outputs: Sequence[MethodOutputs], corpus: ExplanationCorpus) -> pd.DataFrame:
    """Return the answers with an explanation to items of the corpus: id, item, text, …"""
    names = ("id", "item", "text", "source", "annotator_id", "label")
    parts = []
    for one in outputs:
        rows = one.frame[one.frame["explanation"].str.strip() != ""]
        parts.append(
            pd.DataFrame(
                {
                    "id": one.where + "/" + rows["target_annotator_id"] + "/" + rows["item_id"]
                    + "/" + rows["sample"].astype(str),
                    "item": pd.Index(corpus.item_ids).get_indexer(rows["item_id"]),
                    "text": rows["explanation"], "source": one.source,
                    "annotator_id": rows["target_annotator_id"], "label": rows["label"],
                }
            )
        )  # fmt: skip
    if not parts:
        return pd.DataFrame(columns=list(names)).astype({"item": np.int64})
    found = pd.concat(parts, ignore_index=True)
    return found[found["item"] >= 0].reset_index(drop=True)


def _discriminant(
    name: str, features: Features, corpus: ExplanationCorpus, item: np.ndarray, config: MapConfig
) -> np.ndarray:
    """Return the places [rows, 2] by directions that were fitted without the row's block.

    Raises:
        DataError: fewer blocks than folds, or without a fold one annotator alone is left.
    """
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

    block_of = np.zeros(len(corpus.item_ids), dtype=np.int64)
    block_of[corpus.item] = corpus.block
    blocks, block = np.unique(block_of[item], return_inverse=True)
    if len(blocks) < config.folds:
        raise DataError(
            f"{len(blocks)} items with different texts are too few for {config.folds} folds",
            todo="choose fewer folds, or t-SNE",
        )
    order = np.random.default_rng([config.seed, 0x3A9]).permutation(len(blocks))
    fold = (order % config.folds)[block]
    human = np.arange(len(item)) < len(corpus)
    tests, maps, middles = [], [], []
    for each in range(config.folds):
        train, test = np.flatnonzero(human & (fold != each)), np.flatnonzero(fold == each)
        left, right = _few(*features.split(train, test), DISCRIMINANT, config.seed)
        author = corpus.annotator[train]
        if len(np.unique(author)) < 2:
            raise DataError(
                "all explanations outside one of the folds are by the annotator "
                f"{corpus.annotators[author[0]]!r}: there is no direction in which annotators "
                "differ",
                where=name,
                todo="choose t-SNE",
            )
        model = LinearDiscriminantAnalysis(solver="eigen", shrinkage="auto", n_components=None)
        known, drawn = model.fit(left, author).transform(left)[:, :2], model.transform(right)[:, :2]
        if known.shape[1] < 2:  # two annotators have one direction: the second is nobody's
            known, drawn = (np.column_stack([one, np.zeros(len(one))]) for one in (known, drawn))
        middle = np.full((len(corpus.annotators), 2), np.nan)
        for one in np.unique(author):
            middle[one] = known[author == one].mean(axis=0)
        tests.append(test)
        maps.append(drawn)
        middles.append(middle)
    places = np.zeros((len(item), 2))
    for test, drawn in zip(tests, aligned(maps, middles), strict=True):
        places[test] = drawn
    if len(corpus.annotators) == 2:
        places[:, 1] = _second_axis(features, human, config.seed)
    return places


def aligned(maps: Sequence[np.ndarray], middles: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Return maps moved and turned onto one of them.

    That one is the first with the most annotators, around the mean of its middles. The others are
    laid upon it by the annotators whom both have.

    Args:
        maps: places [n, 2], each map with its own rows.
        middles: the place of each annotator on each map [annotators, 2]; NaN for one it lacks.
    """
    there = [np.isfinite(one).all(axis=1) for one in middles]
    most = max(range(len(maps)), key=lambda n: int(there[n].sum()))
    aim = middles[most] - middles[most][there[most]].mean(axis=0)
    found = []
    for each, middle, known in zip(maps, middles, there, strict=True):
        both = known & there[most]
        if not both.any():  # nothing to lay it by: around its own middle
            found.append(each - middle[known].mean(axis=0))
            continue
        centre, target = middle[both].mean(axis=0), aim[both].mean(axis=0)
        turn, _ = orthogonal_procrustes(middle[both] - centre, aim[both] - target)
        found.append((each - centre) @ turn + target)
    return found


def _second_axis(features: Features, human: np.ndarray, seed: int) -> np.ndarray:
    """Return the places of all rows along the first principal component of people's texts, along
    which these have the spread 1."""
    people, answers = np.flatnonzero(human), np.flatnonzero(~human)
    left, right = features.split(people, answers if len(answers) else people)
    left, right = _few(left, right, DISCRIMINANT, seed)
    middle = left.mean(axis=0)
    along = np.linalg.svd(left - middle, full_matrices=False)[2][0]
    own = (left - middle) @ along
    places = np.zeros(len(human))
    places[people], places[answers] = own, ((right - middle) @ along)[: len(answers)]
    return places / max(float(own.std()), np.finfo(float).tiny)


def _few(left, right, method: str, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return dense features; n-grams as their leading directions, fitted on `left`."""
    from sklearn.decomposition import TruncatedSVD

    dimensions = _DIMENSIONS[method]
    if not sparse.issparse(left) and (method == DISCRIMINANT or left.shape[1] <= dimensions):
        return np.asarray(left, dtype=float), np.asarray(right, dtype=float)
    most = max(2, min(dimensions, min(left.shape) - 1))
    model = TruncatedSVD(most, random_state=seed).fit(left)
    # Directions that hold nothing but rounding would be scaled up to the size of the others.
    kept = model.singular_values_ > _NOTHING * model.singular_values_[0]
    return model.transform(left)[:, kept], model.transform(right)[:, kept]


def _tsne(features: Features, n: int, config: MapConfig) -> np.ndarray:
    from sklearn.manifold import TSNE as Tsne

    rows = np.arange(n)
    _, matrix = _few(*features.split(rows, rows), TSNE, config.seed)
    perplexity = min(config.perplexity, max(2.0, (n - 1) / 3))
    model = Tsne(2, init="pca", perplexity=perplexity, random_state=config.seed)
    return model.fit_transform(matrix.astype(np.float32)).astype(float)


def _neighbours(places: np.ndarray, corpus: ExplanationCorpus) -> tuple[Estimate, float]:
    """Return the share of near explanations by the same annotator, and the share by chance."""
    from sklearn.neighbors import NearestNeighbors

    own_block = np.bincount(corpus.block)
    wanted = min(len(places) - 1, NEIGHBOURS + int(own_block.max()))
    near = NearestNeighbors(n_neighbors=wanted).fit(places).kneighbors(return_distance=False)
    elsewhere = corpus.block[near] != corpus.block[:, None]
    counted = elsewhere & (np.cumsum(elsewhere, axis=1) <= NEIGHBOURS)
    same = (corpus.annotator[near] == corpus.annotator[:, None]) & counted
    number = counted.sum(axis=1)
    share = same.sum(axis=1) / np.maximum(number, 1)
    known = number > 0
    _, block = np.unique(corpus.block, return_inverse=True)
    by_block = np.zeros((block.max() + 1, len(corpus.annotators)))
    np.add.at(by_block, (block, corpus.annotator), 1)
    other = by_block.sum(axis=0)[None, :] - by_block[block]
    chance = other[np.arange(len(block)), corpus.annotator] / np.maximum(other.sum(axis=1), 1)
    score = resample(
        lambda weights: (weights * share[known]).sum(axis=1) / weights.sum(axis=1),
        block[known], n_items=int(block.max()) + 1, bounds=(0.0, 1.0),
    )  # fmt: skip
    if score is None:
        return Estimate(np.nan, np.nan, np.nan, 0, "no explanation of another item"), np.nan
    found = score.estimate()
    if found.value in (0.0, 1.0):  # all items alike: what remains is their number
        low, high = accuracy_interval(found.value, len(set(block[known])), 0.0)
        found = replace(found, low=low, high=high)
    return found, float(chance[known].mean())


def _frame(
    dataset: Dataset, corpus: ExplanationCorpus, answers: pd.DataFrame, places: np.ndarray
) -> pd.DataFrame:
    own = dataset.annotations.set_index("annotation_id").loc[corpus.annotation_ids].reset_index()
    people = pd.DataFrame(
        {
            "id": own["annotation_id"], "text": own["explanation"], "source": HUMAN,
            "annotator_id": own["annotator_id"], "label": own["label"], "item_id": own["item_id"],
        }
    )  # fmt: skip
    names = np.array(corpus.item_ids, dtype=object)
    methods = answers.assign(item_id=names[answers["item"].to_numpy(dtype=int)])
    frame = pd.concat([people, methods.drop(columns="item")], ignore_index=True)
    items = dataset.items.set_index("item_id").loc[frame["item_id"]].reset_index(drop=True)
    frame = frame.assign(x=places[:, 0], y=places[:, 1], **{n: items[n] for n in items.columns})
    return frame[list(COLUMNS)]

"""Streams of responses to score: from generation runs, from tables, and from people.

A stream holds what one source wrote for one target: a run's outputs for one annotator and one
sample, the annotator's own held-out responses, or another annotator's as a substitute for the
target. The responses of a stream are on different items, so that they can be pooled.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from capo_core.dataset import Dataset
from capo_core.errors import CapoError, DataError
from capo_core.formatting import name_list, natural_key
from capo_core.imitation.generation.outputs import read_table
from capo_core.run_folder import RunFolder
from capo_core.workspace import content_hash

HUMAN = "human"  # the target's own held-out responses: the ceiling
OTHER = "other human"  # another annotator's, taken for the target's: the floor
GUESS = "guess"  # the chance line: what is reached without reading the item
SHUFFLED = "shuffled"  # the source of a floor: people's explanations shuffled over items


@dataclass(frozen=True)
class Stream:
    """Responses of one source for one target.

    Attributes:
        source: a method's name, `HUMAN` or `OTHER`.
        target: the annotator who is imitated.
        replicate: name of the seed, sample or other annotator.
        item: index into the items that are scored [n], no item twice.
        labels, explanations: text [n]; "" where the answer could not be read.
    """

    source: str
    target: str
    replicate: str
    item: np.ndarray
    labels: tuple[str, ...]
    explanations: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.item)

    @property
    def run(self) -> str:
        """Run of a sample: the part of `replicate` before the last "/"."""
        return self.replicate.rpartition("/")[0]


def human_streams(dataset: Dataset, item_ids: tuple[str, ...]) -> list[Stream]:
    """Return each annotator's own responses to the items, and each as a substitute for every other.

    Where an annotator answered an item twice, the first answer counts, so that no item stands
    twice in a pool. Responses judged invalid and those without explanation are left out, as they
    are in training.
    """
    rows = dataset.annotations
    rows = rows[(rows["valid"] != "false") & (rows["explanation"].str.strip() != "")]
    rows = rows.drop_duplicates(["item_id", "annotator_id"])
    place = pd.Index(item_ids)
    rows = rows.assign(item=place.get_indexer(rows["item_id"]))
    rows = rows[rows["item"] >= 0]
    streams = []
    for author in dataset.annotators:
        own = rows[rows["annotator_id"] == author]
        for target in dataset.annotators:
            source, replicate = (HUMAN, "") if author == target else (OTHER, author)
            streams.append(_stream(source, target, replicate, own))
    return streams


def output_streams(
    outputs: pd.DataFrame, item_ids: tuple[str, ...], *, source: str, replicate: str = ""
) -> list[Stream]:
    """Return the streams of an outputs table (see `schema.OUTPUTS`): one per target and sample.

    Raises:
        DataError: an output is on an item that is not among `item_ids`.
    """
    place = pd.Index(item_ids).get_indexer(outputs["item_id"])
    if (place < 0).any():
        strange = outputs["item_id"].iloc[int((place < 0).argmax())]
        raise DataError(
            f"the run answered item {strange!r}, which is not among the {len(item_ids)} scored",
            expected="outputs on the held-out items of this dataset",
            todo="score the run with the dataset and split it was generated from",
        )
    outputs = outputs.assign(item=place)
    streams = []
    groups = outputs.groupby(["target_annotator_id", "sample"], sort=True)
    for (target, sample), rows in sorted(groups, key=lambda each: natural_key(each[0][0])):
        name = f"{replicate}/{sample}" if replicate else str(sample)
        streams.append(_stream(source, str(target), name, rows))
    return streams


def _stream(source: str, target: str, replicate: str, rows: pd.DataFrame) -> Stream:
    return Stream(
        source,
        target,
        replicate,
        rows["item"].to_numpy(dtype=np.int64),
        tuple(rows["label"]),
        tuple(rows["explanation"]),
    )


def held_out_items(dataset: Dataset, split: str = "test") -> tuple[str, ...]:
    """Return the items of a split, in the dataset's order.

    Raises:
        DataError: the split is empty.
    """
    ids = tuple(dataset.items.loc[dataset.items["split"] == split, "item_id"])
    if not ids:
        raise DataError(
            f"the dataset has no {split} items",
            where=dataset.name,
            expected="items split into train, validation and test",
            todo="import it again with a split",
        )
    return ids


def sources(streams: Iterable[Stream]) -> list[str]:
    """Return the sources of `streams`, in the order of their first appearance."""
    return list(dict.fromkeys(stream.source for stream in streams))


_NEEDED = ("target_annotator_id", "item_id", "label", "explanation")
_READERS = {".parquet": pd.read_parquet, ".csv": pd.read_csv, ".jsonl": pd.read_json}


@dataclass(frozen=True)
class MethodOutputs:
    """Responses of one run or file, with their source name.

    Attributes:
        source: the method's name; runs of one source differ in their target, seed or sample.
        replicate: names the seed; targets of one seed belong together.
        where: the run or the file, for messages.
        run: name of the run that wrote them; "" for those of a file.
    """

    source: str
    replicate: str
    frame: pd.DataFrame
    where: str
    run: str = ""


def run_outputs(dataset: Dataset, folders: Sequence[RunFolder]) -> tuple[list[MethodOutputs], str]:
    """Return the outputs of finished generations on this dataset, and their split.

    A source is called by its method; where runs of one method ask different models, the model's
    name is added, and where they ask or were trained in different ways, the end of the first run's.
    Runs that differ in nothing but seeds are replicates of one source.

    Raises:
        DataError: a run is not of this data and split, or answers another split than the first.
        RunError: a run does not exist or is not finished.
    """
    configs = [folder.config for folder in folders]
    split = dataset.split_fingerprint
    parts = []
    for folder, config in zip(folders, configs, strict=True):
        if config.get("stage") != "generate":
            raise DataError(
                "this run has no responses",
                where=str(folder.path),
                expected="a run of the command generate",
            )
        about = config["dataset"]
        if about["fingerprint"] != dataset.fingerprint or about["split"] != split:
            raise DataError(
                f"the dataset {dataset.name!r} has changed since this run was generated",
                where=str(folder.path),
                expected="the same items, annotations and split",
                todo="generate again, or evaluate with the dataset that the run used",
            )
        parts.append(config["settings"]["split"])
    if len(set(parts)) > 1:
        raise DataError(
            f"the runs answered different splits: {', '.join(sorted(set(parts)))}",
            expected="runs on the same split",
        )
    trained = [_training(folder, config) for folder, config in zip(folders, configs, strict=True)]
    names = _names(folders, configs, [settings for settings, _ in trained])
    found, used = [], Counter()
    for folder, config, name, (_, seeds) in zip(folders, configs, names, trained, strict=True):
        replicate = f"seed {config['settings']['seed']}"
        if seeds:
            replicate = f"trained with {seeds}, drawn with {replicate}"
        key = (name, tuple(config["targets"]), replicate)
        used[key] += 1
        if used[key] > 1:
            replicate += f" ({used[key]})"
        run = folder.run_id
        found.append(MethodOutputs(name, replicate, read_table(folder.path), run, run))
    return found, parts[0] if parts else ""


def _training(folder: RunFolder, config: dict) -> tuple[list, str]:
    """Return a run's training settings apart from targets and seeds, and the seeds as text.

    Nothing for prompting, and where a training run is no longer in the workspace its name.
    """
    ways, seeds = set(), set()
    for adapter in config.get("adapters", {}).values():
        training = RunFolder(folder.path.parent / adapter["run"])
        if not (training.path / "config.json").is_file():
            ways.add(adapter["run"])
            continue
        asked = training.config
        ways.add(_way(training))
        seeds.add(str(asked["settings"].get("seed", "")))
    return sorted(ways), f"seed {', '.join(sorted(seeds))}" if seeds else ""


def _way(training: RunFolder) -> str:
    """Return a hash of a training's settings, and of those of the SFT run that it started from."""
    asked = training.config
    before = RunFolder(training.path.parent / asked.get("sft", {}).get("run", "none"))
    began = _way(before) if (before.path / "config.json").is_file() else ""
    return content_hash(asked["stage"], _without_seeds(asked["settings"]), began)


def _without_seeds(settings: dict) -> dict:
    return {
        name: _without_seeds(value) if isinstance(value, dict) else value
        for name, value in settings.items()
        if name != "seed"
    }


def _names(
    folders: Sequence[RunFolder], configs: Sequence[dict], training: Sequence[list]
) -> list[str]:
    """Return a name for each run, the shortest that distinguishes different settings."""
    methods = [config["settings"]["method"] for config in configs]
    bases = [Path(config["base"]["name"]).name for config in configs]
    ways = [
        content_hash(
            {k: v for k, v in config["settings"].items() if k not in ("seed", "items")},
            config["base"]["fingerprint"],
            trained,
        )
        for config, trained in zip(configs, training, strict=True)
    ]
    names = []
    for way, method, base in zip(ways, methods, bases, strict=True):
        same = [(w, b) for w, m, b in zip(ways, methods, bases, strict=True) if m == method]
        name = method
        if len({b for _, b in same}) > 1:
            name += f" ({base})"
        if len({w for w, b in same if b == base}) > 1:
            first = next(f for f, w in zip(folders, ways, strict=True) if w == way)
            name += f" {first.run_id.rpartition('-')[2]}"
        names.append(name)
    return names


def file_outputs(path: Path) -> list[MethodOutputs]:
    """Return the outputs in a table (.parquet, .csv or .jsonl) with the columns of
    `schema.OUTPUTS`.

    Needed are target_annotator_id, item_id, label and explanation; `sample` is "0" where it is
    missing, and `method`, where there is one, names the source (else the file does).

    Raises:
        DataError: the table cannot be read, or lacks a column.
    """
    kind = path.suffix.lower()
    if kind not in _READERS:
        raise DataError(
            f"unsupported file type {kind or '(no extension)'}",
            where=str(path),
            expected="a table as .parquet, .csv or .jsonl",
        )
    options = {
        ".csv": {"dtype": str, "keep_default_na": False},
        ".jsonl": {"lines": True, "dtype": False},
    }
    try:
        frame = _READERS[kind](path, **options.get(kind, {}))
    except CapoError:
        raise
    except Exception as error:  # readers of three formats have many kinds for a damaged file
        raise DataError(
            f"the table cannot be read ({type(error).__name__})", where=str(path)
        ) from error
    missing = [name for name in _NEEDED if name not in frame]
    if missing:
        raise DataError(
            f"the column {missing[0]!r} is missing",
            where=str(path),
            expected=f"at least the columns {', '.join(_NEEDED)}",
        )
    frame = frame.assign(**{name: frame[name].fillna("").astype(str) for name in _NEEDED})
    frame["sample"] = frame["sample"].astype(str) if "sample" in frame else "0"
    methods = (
        frame["method"].astype(str) if "method" in frame else pd.Series(path.stem, frame.index)
    )
    return [
        MethodOutputs(str(name), path.stem, rows.reset_index(drop=True), str(path))
        for name, rows in frame.groupby(methods, sort=False)
    ]


def method_streams(
    dataset: Dataset, outputs: Sequence[MethodOutputs], split: str = "test"
) -> tuple[tuple[str, ...], list[Stream]]:
    """Return the items that all of `outputs` answered, in the dataset's order, and the streams on
    them.

    Raises:
        DataError: there is no such item, or an output names an unknown item, target or label.
    """
    items = held_out_items(dataset, split)
    for one in outputs:
        _check(dataset, one, set(items), split)
    common = set(items).intersection(*(one.frame["item_id"] for one in outputs))
    if not common:
        raise DataError(
            "no item has responses from all sources",
            where=name_list(dict.fromkeys(one.where for one in outputs)),
            expected="responses to the same items, so that methods can be compared",
        )
    kept = tuple(item for item in items if item in common)
    streams = []
    for one in outputs:
        frame = one.frame[one.frame["item_id"].isin(common)]
        streams += output_streams(frame, kept, source=one.source, replicate=one.replicate)
    return kept, streams


def _check(dataset: Dataset, one: MethodOutputs, items: set[str], split: str) -> None:
    for column, known, expected in (
        ("item_id", items, f"an item of the {split} split"),
        ("target_annotator_id", set(dataset.annotators), "an annotator of the dataset"),
        ("label", {*dataset.task.scale.labels, ""}, "a label of the scale, or nothing"),
    ):
        bad = ~one.frame[column].isin(known)
        if bad.any():
            row = int(bad.to_numpy().argmax())
            raise DataError(
                f"found {one.frame[column].iloc[row]!r}",
                where=f"{one.where}, row {row + 1}, column '{column}'",
                expected=expected,
            )

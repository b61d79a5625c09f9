"""From a design to a draft: texts drawn, trials made, judges' sequences laid out, all by a seed.

A study's folder: its draft as files, written whole, read and checked.

studies/<study_id>/design.json          the design, what it was drawn from, notes, counts
                   trials.parquet …     the tables of `tables`
                   sealed.parquet       readable by its owner alone (mode 0600)
                   assumed.json         what the planner assumed when it was drawn, where kept
                   frozen.json          see `freeze`
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from capo_core.data.catalog import Catalog
from capo_core.dataset import Dataset
from capo_core.errors import CapoError, ConfigError, StudyError
from capo_core.imitation.prompting.responses import parts
from capo_core.schema import Table, check
from capo_core.study.config import StudyConfig, name_from_title
from capo_core.study.design import sources
from capo_core.study.design.assignment import Assigner
from capo_core.study.design.balance import ItemSupply, TrialLayout, lay_out
from capo_core.study.design.sources import (
    AvailableTexts,
    LeakMarkers,
    OmittedTexts,
    card_explanations,
    leak_markers,
    reference_cards,
)
from capo_core.study.design.trials import (
    DraftRows,
    check_trials,
    practice_splits,
)
from capo_core.study.tables import (
    ASSIGNMENTS,
    CARDS,
    CHECK,
    FEEDBACK,
    PRACTICE,
    SEALED,
    TEXTS,
    TRIALS,
    frame_of,
)
from capo_core.study.trial_kinds import TRIAL_KINDS, check_kinds
from capo_core.study.trial_kinds.base import DraftTrial, PlacedText, Stratum
from capo_core.workspace import (
    Workspace,
    atomic_file,
    make_folder,
    read_object,
    safe_name,
    write_json,
)


@dataclass(frozen=True)
class Draft:
    """A whole study before it is frozen; tables as in `study.tables`.

    Attributes:
        left_out: texts that could not be shown, counted by source, target and reason.
        notes: what the owner should know of this design, in sentences.
    """

    config: StudyConfig
    fingerprint: str
    trials: pd.DataFrame
    texts: pd.DataFrame
    cards: pd.DataFrame
    assignments: pd.DataFrame
    sealed: pd.DataFrame
    feedback: pd.DataFrame
    left_out: tuple[OmittedTexts, ...]
    notes: tuple[str, ...]


def draw(workspace: Workspace, config: StudyConfig) -> Draft:
    """Draw the study of a design; the same design and data give the same draft.

    Raises:
        ConfigError: the numbers cannot be balanced, or the items do not suffice; it says what can
            be done.
        DataError, RunError: the dataset or a run is not there, or a run answered other data.
    """
    return draw_from(workspace, Catalog(workspace).load(config.dataset), config)


def draw_from(workspace: Workspace, dataset: Dataset, config: StudyConfig) -> Draft:
    """Draw as `draw` does, from a dataset that is loaded already."""
    cards = reference_cards(dataset, config.card_examples, config.seed)
    return assemble(dataset, config, cards, *_texts_of(workspace, dataset, config, cards))


def _texts_of(
    workspace: Workspace, dataset: Dataset, config: StudyConfig, cards: pd.DataFrame
) -> tuple[AvailableTexts, list[AvailableTexts]]:
    """Return the texts that main trials may show, and those that practice may, the best first."""
    marks = leak_markers_of(dataset, config, cards)
    material = sources.collect_texts(workspace, dataset, config, marks)
    practice_sources = [
        material
        if part == config.split
        else sources.collect_human_texts(dataset, config, part, marks)
        for part in practice_splits(config.split, parts(dataset))
    ]
    return material, practice_sources


def item_supply(workspace: Workspace, dataset: Dataset, config: StudyConfig) -> ItemSupply:
    """Return the items of a design, to be asked for other numbers of judges. Raises as `draw`."""
    cards = reference_cards(dataset, config.card_examples, config.seed)
    material, practice_sources = _texts_of(workspace, dataset, config, cards)
    _, _, used_items = _known_answers(config, material, practice_sources, _rng(config))
    return ItemSupply(config, material, used_items)


def assemble(
    dataset: Dataset,
    config: StudyConfig,
    cards: pd.DataFrame,
    material: AvailableTexts,
    practice_sources: Sequence[AvailableTexts],
) -> Draft:
    """Make the draft from the texts that are available.

    Args:
        practice_sources: texts that practice may use, the best first; `material` may be among them.

    Raises:
        ConfigError: as `draw`.
    """
    rows = DraftRows(dataset, np.random.default_rng([config.seed, 31]))
    rng = _rng(config)
    checks, practice, used_items = _known_answers(config, material, practice_sources, rng)
    layout = lay_out(config, material, used_items)
    assigner = Assigner(config, rows, dataset.annotators)
    assigner.add_shared(
        [rows.add(trial) for trial in practice], [rows.add(trial) for trial in checks]
    )
    hands = _main(material, layout, rows, rng)
    assignments = frame_of(ASSIGNMENTS, assigner.rows(layout.judges, hands))
    trials, texts, sealed = rows.frames()
    feedback = [
        {"trial_id": name, "answer": kind.coded_truth(trial), "note": kind.practice_note}
        for name, trial in sorted(rows.trials.items())
        if trial.purpose == PRACTICE
        for kind in (TRIAL_KINDS[trial.kind],)
    ]
    return Draft(
        config, dataset.fingerprint, trials, texts, cards, assignments, sealed,
        frame_of(FEEDBACK, feedback), material.left_out,
        _notes(config, dataset, material, layout),
    )  # fmt: skip


def _rng(config: StudyConfig) -> np.random.Generator:
    """Return the random numbers by which a design's texts are chosen."""
    return np.random.default_rng([config.seed, 32])


def _known_answers(
    config: StudyConfig,
    material: AvailableTexts,
    practice_sources: Sequence[AvailableTexts],
    rng: np.random.Generator,
) -> tuple[list[DraftTrial], list[DraftTrial], set[str]]:
    """Return checks and practice trials, and the items that they use up."""
    used_items: set[str] = set()
    checks = check_trials(config, material, CHECK, config.checks, rng, used_items)
    return checks, _practice(config, material, practice_sources, rng, used_items), used_items


def leak_markers_of(dataset: Dataset, config: StudyConfig, cards: pd.DataFrame) -> LeakMarkers:
    """Return what the texts of this study are searched for."""
    runs = [run for ids in config.methods.values() for run in ids]
    return leak_markers(dataset, [*config.methods, *runs], card_explanations(cards))


def _practice(
    config: StudyConfig,
    material: AvailableTexts,
    practice_sources: Sequence[AvailableTexts],
    rng: np.random.Generator,
    used_items: set[str],
) -> list[DraftTrial]:
    """Return practice trials, from the first of `practice_sources` that has enough texts."""
    problem: ConfigError | None = None
    for found in practice_sources:
        used = used_items if found is material else set(used_items)
        try:
            return check_trials(config, found, PRACTICE, config.practice, rng, used)
        except ConfigError as error:
            problem = error
    raise problem or ConfigError("there is nothing to practise on", where=config.name)


def _main(
    material: AvailableTexts,
    layout: TrialLayout,
    rows: DraftRows,
    rng: np.random.Generator,
) -> Mapping[tuple[int, Stratum], list[tuple[str, str]]]:
    """Return the main trials, (layer, stratum) → (trial, target), texts chosen among the options.

    Where several texts would do (other annotators', samples), those of the writer and run shown
    least so far come first.
    """
    shown_so_far: Counter[tuple] = Counter()
    by_stratum: dict[tuple[int, Stratum], list[tuple[str, str]]] = {}
    for planned in layout.trials:
        stratum, shown = planned.stratum, []
        named = TRIAL_KINDS[stratum.kind].slot_sources(stratum.sources)
        for item in planned.items:
            options = material.options(stratum, planned.target, item)
            keys = [
                (stratum, planned.target, *((t.annotator_id, t.run_id) for t in texts))
                for texts in options
            ]
            chance = rng.random(len(options))
            best = min(range(len(options)), key=lambda i: (shown_so_far[keys[i]], chance[i]))
            shown_so_far[keys[best]] += 1
            shown += [PlacedText(item, s, t) for s, t in zip(named, options[best], strict=True)]
        trial = TRIAL_KINDS[stratum.kind].main_trial(planned.target, shown, rng)
        by_stratum.setdefault((planned.layer, stratum), []).append(
            (rows.add(trial), planned.target)
        )
    return by_stratum


def _notes(
    config: StudyConfig, dataset: Dataset, material: AvailableTexts, layout: TrialLayout
) -> tuple[str, ...]:
    notes: list[str] = []
    for kind in config.kinds:
        notes += TRIAL_KINDS[kind].design_notes(
            config, len(material.targets), len(dataset.annotators)
        )
    if config.repeats < round(config.repeats_share * config.trials_per_judge):
        notes.append(f"{config.repeats} repeats of each kind: more would not lie far apart.")
    if len(layout.judges) > 1:
        notes.append(
            f"The items are used in {len(layout.judges)} layers of judges "
            f"({', '.join(map(str, layout.judges))}), under another source or target in each."
        )
    if dataset.simulated:
        notes.append("The dataset is simulated: no person wrote its 'human' texts.")
    return tuple(notes)


DESIGN = "design.json"
FROZEN = "frozen.json"
ASSUMED = "assumed.json"  # not a part of the design: no hash covers it
TABLES: tuple[Table, ...] = (TRIALS, TEXTS, CARDS, ASSIGNMENTS, FEEDBACK, SEALED)
VERSION = 1  # of the layout
OWNER_ONLY = 0o600


def folder_of(workspace: Workspace, study_id: str) -> Path:
    """Return a study's folder, whether it exists or not; `ConfigError` for an invalid name."""
    return workspace.studies / safe_name(study_id)


def create(
    workspace: Workspace,
    draft: Draft,
    *,
    replace: bool = False,
    assumed: Mapping[str, float] | None = None,
) -> str:
    """Write a draft into the workspace; the study's id, which is its name.

    Args:
        assumed: the planner's assumptions by which it was drawn up (see `assumed_of`).

    Raises:
        StudyError: there is a study of this name (without `replace`), or it is frozen.
    """
    study_id = draft.config.name
    folder = folder_of(workspace, study_id)
    with workspace.lock(f"study-{study_id}"[:80]):
        if (folder / FROZEN).exists():
            raise StudyError(
                f"the study {study_id!r} is frozen: nothing of it can change any more",
                todo="give the new design another name",
            )
        if (folder / DESIGN).exists() and not replace:
            raise StudyError(
                f"there is a study named {study_id!r}",
                where=str(folder),
                todo="choose another name, or replace the draft (--replace)",
            )
        make_folder(folder)
        (folder / DESIGN).unlink(missing_ok=True)  # a draft without it is not there yet
        for table, frame in tables_of(draft).items():
            _write(folder / f"{table}.parquet", frame, owner_only=table == SEALED.name)
        (folder / ASSUMED).unlink(missing_ok=True)  # of the draft that is replaced
        if assumed is not None:
            write_json(folder / ASSUMED, dict(assumed))
        write_json(folder / DESIGN, design_of(draft))
    return study_id


def assumed_of(workspace: Workspace, study_id: str) -> dict[str, Any] | None:
    """Return the planner's assumptions that were kept with a draft; None where none were."""
    return read_object(folder_of(workspace, study_id) / ASSUMED)


def load(workspace: Workspace, study_id: str) -> Draft:
    """Read a draft from disk and check its tables.

    Raises:
        StudyError: there is none of this name, or its files are damaged.
    """
    folder = folder_of(workspace, study_id)
    raw = read_json(folder / DESIGN)
    try:
        if raw["version"] != VERSION:
            raise StudyError(
                f"its layout is version {raw['version']!r}",
                where=str(folder / DESIGN),
                expected=f"version {VERSION}",
                todo="use the version of this program that made it",
            )
        config = StudyConfig.from_dict(raw["config"])
        left_out = tuple(OmittedTexts(**one) for one in raw["left_out"])
        fingerprint, notes = str(raw["fingerprint"]), tuple(map(str, raw["notes"]))
    except (KeyError, TypeError) as error:
        raise StudyError(
            f"the design is damaged ({error!r})", where=str(folder / DESIGN)
        ) from error
    frames = {table.name: _read(folder / f"{table.name}.parquet", table) for table in TABLES}
    check_kinds(frames[TRIALS.name]["kind"], where=str(folder))
    return Draft(config=config, fingerprint=fingerprint, left_out=left_out, notes=notes, **frames)


def config_of(workspace: Workspace, study_id: str) -> StudyConfig:
    """Return the design of a study without reading its tables.

    Raises:
        StudyError: there is none of this name, or its design is damaged. ConfigError: its settings
            mean nothing to this version.
    """
    place = folder_of(workspace, study_id) / DESIGN
    raw = read_json(place)
    if "config" not in raw:
        raise StudyError("its design is damaged", where=study_id)
    return StudyConfig.from_dict(raw["config"])


def names(workspace: Workspace) -> list[str]:
    """Return all studies, frozen or not, in alphabetical order."""
    return sorted(path.parent.name for path in workspace.studies.glob(f"*/{DESIGN}"))


def titles(workspace: Workspace) -> dict[str, str]:
    """Return title → name of every study that has a title."""
    titled = {}
    for name in names(workspace):
        try:
            titled[config_of(workspace, name).title] = name
        except CapoError:
            continue  # a damaged study: its folder is taken all the same
    titled.pop("", None)
    return titled


def name_and_title(workspace: Workspace, wished: str) -> dict[str, str]:
    """Return the settings name and title of a study that somebody calls `wished`.

    Words that can be the name of a folder are the name, without a title. For others the name is
    made from them, beside that of every other study; a study that has this title already keeps its
    own, so that its draft can be replaced.

    Raises:
        ConfigError: there are no words.
    """
    title = " ".join(wished.split())
    titled = titles(workspace)
    if title and title in titled:
        return {"name": titled[title], "title": title}
    name = name_from_title(title, names(workspace))
    return {"name": name, "title": "" if name == title else title}


def tables_of(draft: Draft) -> dict[str, pd.DataFrame]:
    """Return a draft's tables by name."""
    return {table.name: getattr(draft, table.name) for table in TABLES}


def design_of(draft: Draft) -> dict[str, Any]:
    """Return the content of design.json."""
    return {
        "version": VERSION,
        "study_id": draft.config.name,
        "config": draft.config.to_dict(),
        "fingerprint": draft.fingerprint,
        "left_out": [asdict(one) for one in draft.left_out],
        "notes": list(draft.notes),
    }


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object from a study's folder; `StudyError` where there is none."""
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise StudyError(
            f"there is no study named {path.parent.name!r}"
            if path.name == DESIGN
            else f"{path.name} is missing",
            where=str(path.parent),
            todo="see the command study create",
        ) from None
    except (OSError, ValueError) as error:
        raise StudyError(f"the file cannot be read ({error})", where=str(path)) from error
    if not isinstance(raw, dict):
        raise StudyError("the file does not hold a JSON object", where=str(path))
    return raw


def _write(path: Path, frame: pd.DataFrame, *, owner_only: bool) -> None:
    with atomic_file(path) as file:  # a new file is readable by its owner alone
        frame.to_parquet(file, index=False)
    path.chmod(OWNER_ONLY if owner_only else 0o644)


def _read(path: Path, table: Table) -> pd.DataFrame:
    try:
        return check(pd.read_parquet(path), table, source=str(path))
    except CapoError:
        raise
    except Exception as error:  # pyarrow has many kinds for a damaged file
        raise StudyError(
            f"the table cannot be read ({type(error).__name__})",
            where=str(path),
            todo="put the file back from a copy, or design the study anew under another name",
        ) from error

"""The content of an atlas: a dataset with the results that its workspace has, nothing computed
anew but annotator profiles, where no stability report has them, and the analysis of studies.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import pandas as pd

from capo_core.data.catalog import Catalog, Entry, entry_of
from capo_core.data.export import provenance_of as data_provenance
from capo_core.dataset import Dataset
from capo_core.errors import CapoError
from capo_core.evaluation.export import provenance_of
from capo_core.evaluation.report import EvaluationReport
from capo_core.evaluation.report import load as load_evaluation
from capo_core.evaluation.streams import method_streams, run_outputs
from capo_core.formatting import count
from capo_core.progress import Progress, silent
from capo_core.provenance import Provenance
from capo_core.run_folder import RunFolder
from capo_core.runs.comparisons import RunComparison, all_comparisons, finished_generations
from capo_core.stability import store as stability_store
from capo_core.stability.annotator_profiles import AnnotatorProfile, annotator_profiles
from capo_core.stability.phrases import distinctive_phrases
from capo_core.stability.report import StabilityReport
from capo_core.study import store as study_store
from capo_core.study.analysis.analysis import AnalysisSettings
from capo_core.study.analysis.make_report import make_report
from capo_core.study.analysis.report import StudyReport
from capo_core.study.design import draft as study_draft
from capo_core.study.design import freeze
from capo_core.study.owner.service import StudyService
from capo_core.workspace import Workspace

MOST_EVALUATIONS = 4  # the newest ones; each brings its answers
MOST_BYTES = 40_000_000  # of items and annotations: what a browser still opens at once
_PER_ANNOTATION = 40  # bytes beside the text: marks, names, words that are dimmed
ANSWERS = ("source", "target", "item_id", "label", "explanation")


@dataclass(frozen=True)
class AtlasEvaluation:
    """A finished evaluation with the answers that it scored.

    Attributes:
        title: the experiment and its time, for a person.
        answers: ANSWERS, one for each source, target and item: that of the first seed and sample.
    """

    title: str
    report: EvaluationReport
    provenance: Provenance
    answers: pd.DataFrame = field(repr=False)


@dataclass(frozen=True)
class AtlasContent:
    """Everything that an atlas shows.

    Attributes:
        stability: the most complete saved report; None without any.
        profiles: of all annotators, in the dataset's order.
        phrases: distinctive phrases of each annotator (`phrases.distinctive_phrases`).
        evaluations: the newest first.
        studies: unblinded ones, by name.
        notes: what could not be taken in, and why, as sentences.
        still_blind: frozen studies of these data that are not unblinded; only their names are read.
    """

    dataset: Dataset
    stability: StabilityReport | None
    profiles: tuple[AnnotatorProfile, ...]
    phrases: pd.DataFrame
    evaluations: tuple[AtlasEvaluation, ...] = ()
    studies: Mapping[str, StudyReport] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    still_blind: tuple[str, ...] = ()

    @cached_property
    def items(self) -> tuple[str, ...]:
        """Identifiers of the items that are shown, in the dataset's order: all, or as many as
        MOST_BYTES hold, those with answers of methods first."""
        return shown_items(self.dataset, [one.answers for one in self.evaluations])

    def cautions(self, *, texts: bool) -> tuple[str, ...]:
        """Return what only who writes the atlas may read: which studies it would unblind."""
        answered = texts and any(len(one.answers) for one in self.evaluations)
        return tuple(
            f"The study “{name}” is not unblinded, so its results are left out; but the answers in "
            "this atlas show which method wrote which text: keep it from the study's judges."
            for name in self.still_blind
            if answered
        )

    @property
    def provenance(self) -> Provenance:
        """The provenance of the data themselves; figures of results have their own."""
        return data_provenance(self.dataset)


def gather(workspace: Workspace, name: str, progress: Progress = silent) -> AtlasContent:
    """Return the content of the atlas of a dataset of the catalog.

    A result that cannot be read becomes a note; the atlas has the others.

    Raises:
        DataError: there is no such dataset, or it cannot be read.
    """
    dataset = Catalog(workspace).load(name)
    progress("Annotator profiles", 0.1)
    report = _stability(dataset, workspace)
    if report is not None and report.profiles and not report.config.raw:
        profiles, phrases = report.profiles, report.distinctive.frame
    else:
        phrases = distinctive_phrases(dataset)
        profiles = annotator_profiles(dataset)
    notes: list[str] = []
    progress("Evaluations", 0.4)
    evaluations = _evaluations(workspace, dataset, notes)
    progress("Studies", 0.6)
    studies, blind = _studies(workspace, dataset, notes)
    content = AtlasContent(
        dataset, report, profiles, phrases, evaluations, studies, still_blind=blind
    )
    if len(content.items) < len(dataset.items):
        notes.append(
            f"The view Items has {len(content.items):,} of "
            f"{count(len(dataset.items), 'item')}, so that the file can be opened (at most "
            f"{MOST_BYTES // 10**6} MB of items); those with answers of methods come first. "
            "Profiles and results rest on all."
        )
    return replace(content, notes=tuple(notes))


def shown_items(
    dataset: Dataset, answers: Sequence[pd.DataFrame] = (), most: int = MOST_BYTES
) -> tuple[str, ...]:
    """Return as many items as `most` bytes hold with their annotations, in the dataset's order.

    Args:
        answers: frames with `item_id`; these items are taken before others.
    """
    items = dataset.items.set_index("item_id")
    size = _bytes(items["text_a"]) + _bytes(items["text_b"]) + _PER_ANNOTATION
    of_each = _bytes(dataset.annotations["explanation"]) + _PER_ANNOTATION
    own = of_each.groupby(dataset.annotations["item_id"]).sum()
    size = size.add(own.reindex(size.index, fill_value=0))
    if size.sum() <= most:
        return tuple(size.index)
    answered = size.index.isin([item for one in answers for item in one["item_id"].unique()])
    order = size.index[answered].append(size.index[~answered])
    kept = set(order[size.loc[order].cumsum() <= most])
    return tuple(item for item in size.index if item in kept)


def _bytes(texts: pd.Series) -> pd.Series:
    return texts.map(lambda text: len(text.encode("utf-8", "surrogatepass"))).astype("int64")


def _stability(dataset: Dataset, workspace: Workspace) -> StabilityReport | None:
    saved = stability_store.saved_reports(dataset.fingerprint, workspace)
    if not saved:
        return None
    best = max(saved, key=lambda one: one.config.coverage)  # of equal ones the newest
    return stability_store.load(dataset.fingerprint, best.config, workspace)


def _evaluations(
    workspace: Workspace, dataset: Dataset, notes: list[str]
) -> tuple[AtlasEvaluation, ...]:
    entry: Entry = entry_of(dataset)
    finished = finished_generations(workspace, entry)
    done = [
        one
        for one in (all_comparisons(workspace, entry, finished) if finished else ())
        if one.report_path is not None
    ]
    found = []
    for one in done[:MOST_EVALUATIONS]:
        try:
            found.append(_evaluation(workspace, dataset, one))
        except CapoError as error:
            notes.append(f"The evaluation “{one.title}” is left out: {error}.")
    if len(done) > MOST_EVALUATIONS:
        notes.append(
            f"The workspace has {count(len(done), 'evaluation')} of this dataset; the newest "
            f"{MOST_EVALUATIONS} are shown."
        )
    return tuple(found)


def _evaluation(
    workspace: Workspace, dataset: Dataset, comparison: RunComparison
) -> AtlasEvaluation:
    report = load_evaluation(comparison.report_path)
    folders = [RunFolder(workspace.runs / name) for name in comparison.runs]
    outputs, split = run_outputs(dataset, folders)
    items, _ = method_streams(dataset, outputs, split)
    parts = [
        one.frame[one.frame["item_id"].isin(set(items))].assign(source=one.source)
        for one in outputs
    ]
    rows = pd.concat(parts, ignore_index=True).rename(columns={"target_annotator_id": "target"})
    rows = rows.drop_duplicates(["source", "target", "item_id"])
    return AtlasEvaluation(
        comparison.title, report, provenance_of(report, folders), rows[list(ANSWERS)]
    )


def _studies(
    workspace: Workspace, dataset: Dataset, notes: list[str]
) -> tuple[dict[str, StudyReport], tuple[str, ...]]:
    """Return the reports of all unblinded studies of exactly this content, and the names of those
    that are frozen and still blind: neither their judgments nor their sources are read."""
    if not (os.environ.get(study_store.VARIABLE) or (workspace.root / study_store.FILE).exists()):
        return {}, ()
    found: dict[str, StudyReport] = {}
    blind: list[str] = []
    try:
        service = StudyService(study_store.open_store(workspace))
        loaded = set(service.names())
    except CapoError as error:
        notes.append(f"Studies are left out: {error}.")
        return {}, ()
    for name in study_draft.names(workspace):
        try:
            if name not in loaded:
                continue
            draft = study_draft.load(workspace, name)
            if draft.fingerprint != dataset.fingerprint:
                continue
            if service.status(name).state != "unblinded":
                blind.append(name)
                continue
            frozen = freeze.verify(workspace, name)
            judgments = service.export_judgments(name)
            found[name] = make_report(
                workspace, draft, judgments, AnalysisSettings(), frozen=frozen
            )
        except CapoError as error:
            notes.append(f"The study “{name}” is left out: {error}.")
    return found, tuple(blind)

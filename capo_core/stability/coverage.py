"""Coverage of a report: annotators, explanations and measures left out, and what is said of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from capo_core.dataset import Dataset
from capo_core.errors import DataError
from capo_core.formatting import Statement, capitalised
from capo_core.stability.config import StabilityConfig
from capo_core.stability.corpus import ExplanationCorpus, explained_rows
from capo_core.text.embeddings import DEFAULT_MODEL
from capo_core.text.reductions import REDUCTIONS
from capo_core.text.representations import REPRESENTATIONS
from capo_core.text.tagging import not_english, other_language


@dataclass(frozen=True)
class AttributionNotes:
    """Annotators who are attributed, and what is left out.

    Attributes:
        attributed: annotators with `least` explanations or more.
        explaining: number of annotators with an explanation; explanations: of all of them.
        median, most: explanations of the median annotator of these, and of the one with the most.
        least, limit: see `StabilityConfig.min_explanations` and `max_explanations`.
    """

    attributed: tuple[str, ...]
    explaining: int
    explanations: int
    median: float
    most: int
    least: int
    limit: int

    def statements(self, corpus: ExplanationCorpus | None) -> tuple[Statement, ...]:
        """Return what a reader must know of the annotators and explanations left out."""
        if corpus is None:
            template = (
                "No attribution: {attributed:,} of {explaining:count annotator} "
                "{have} at least {least:count explanation} (median {median:number 0}, most "
                "{most:,}), and two are needed. Label use and agreement are shown; the setting "
                "“Minimum explanations” changes this limit."
            )
            values = {
                "attributed": len(self.attributed), "explaining": self.explaining,
                "have": "has" if len(self.attributed) == 1 else "have", "least": self.least,
                "median": self.median, "most": self.most,
            }  # fmt: skip
            return (Statement("coverage", template, values),)
        found = []
        few = self.explaining - len(corpus.annotators)
        if few:
            template = (
                "{few:,} of {explaining:count annotator} {have} fewer than "
                "{least:count explanation} and {are} not attributed (setting “Minimum "
                "explanations”); label use and agreement include them."
            )
            values = {
                "few": few, "explaining": self.explaining, "least": self.least,
                "have": "has" if few == 1 else "have", "are": "is" if few == 1 else "are",
            }  # fmt: skip
            found.append(Statement("coverage", template, values))
        if self.limit and len(corpus) < self.explanations and self.explanations > self.limit:
            template = (
                "Attribution, variance and reliability are measured on {some:,} of "
                "{all:count explanation}, those of items drawn at random (setting “Maximum "
                "explanations”); the full report takes all."
            )
            values = {"some": len(corpus), "all": self.explanations}
            found.append(Statement("coverage", template, values))
        return tuple(found)


def attribution_notes(dataset: Dataset, config: StabilityConfig) -> AttributionNotes:
    """Count the explanations of each annotator against the configuration's minimum."""
    number = explained_rows(dataset)["annotator_id"].value_counts()
    enough = set(number.index[number >= config.min_explanations])
    return AttributionNotes(
        tuple(name for name in dataset.annotators if name in enough),
        len(number),
        int(number.sum()),
        float(number.median()) if len(number) else 0.0,
        int(number.max()) if len(number) else 0,
        config.min_explanations,
        config.max_explanations,
    )


def tagged(config: StabilityConfig) -> list[str]:
    """Return the representations and reductions of `config` that need parts of speech."""
    return [name for name in config.representations if REPRESENTATIONS[name].tagged] + [
        name for name in config.reductions if REDUCTIONS[name].tagged
    ]


def for_language(
    config: StabilityConfig, texts: Sequence[str], authors: Sequence[str]
) -> tuple[StabilityConfig, tuple[Statement, ...]]:
    """Return what of `config` can be computed for these texts, and a statement if they are not
    English, or those of an annotator are not.

    Args:
        authors: the annotator of each text.

    Raises:
        DataError: it is nothing.
    """
    other = other_language(texts, authors)
    if not other:
        return config, ()
    left_out = [*tagged(config), *(n for n in config.reductions if REDUCTIONS[n].english)]
    representations, reductions = (
        tuple(name for name in names if name not in left_out)
        for names in (config.representations, config.reductions)
    )
    titles = " and ".join(
        f"“{(REPRESENTATIONS.get(name) or REDUCTIONS[name]).title}”" for name in left_out
    )
    if not representations or not reductions:
        raise DataError(
            f"{titles} cannot be computed: {not_english(texts, authors)}",
            todo="choose representations and reductions that are not for English",
        )
    parts = []
    if left_out:
        parts.append("Not computed, since they are for English: {titles}.")
    parts.append(
        "Style features that count English words (function words, hedges, contractions, openers) "
        "are left out."
    )
    if "embedding" in representations and config.embedding_model == DEFAULT_MODEL:
        parts.append(
            "The sentence embedding is of {model}, which was trained on English; a multilingual "
            "model can be chosen by its name (setting “Embedding model”)."
        )
    values = {"why": capitalised(other), "titles": titles, "model": config.embedding_model}
    statement = Statement("language", " ".join(["{why}.", *parts]), values)
    return replace(config, representations=representations, reductions=reductions), (statement,)

"""Attribution: which annotator wrote one text, or several texts of one source?"""

from __future__ import annotations

from string import ascii_uppercase

import numpy as np
import pandas as pd

from capo_core.formatting import capitalised, count, listed, natural_order, percent
from capo_core.study.tables import ATTRIBUTION, CANNOT_TELL, HUMAN, MAIN, OTHER_HUMAN, from_cell
from capo_core.study.trial_kinds.base import (
    EQUIVALENCE_NOTE,
    DraftTrial,
    LengthModel,
    PlacedText,
    ReportSection,
    TrialKind,
)

LENGTH_QUESTION = (
    "odds of naming the right annotator when texts are twice as long, sources held equal"
)


class Attribution(TrialKind):
    """A text beside reference cards: whose style does it match best?"""

    name = ATTRIBUTION
    title = "Who wrote this?"
    description = (
        "cards of all annotators and one text, or several, of one hidden source: which annotator, "
        "or “cannot tell”"
    )
    task = "named the annotator who wrote a text, or answered that they cannot tell"
    instructions = (
        "**Who wrote it?** Cards show how each of several people explains, under a letter. You "
        "read a new explanation, or several by the same person: choose the person whose style it "
        "matches best, and say how sure you are. Look at how something is said (length, phrasing, "
        "what is taken for granted), not only at what is said. If you cannot tell, say so."
    )
    practice_note = "That annotator wrote it."
    source_hint = "human, or a method (every human text has its writer as the answer)"
    outcome = "right answers of one source"
    lettered = True
    undecided = CANNOT_TELL

    def sources(self, names):
        # Texts of other annotators are no source here: each human text has its writer as answer.
        return tuple(name for name in names if name != OTHER_HUMAN)

    def items_per_trial(self, config):
        return config.pool

    def items_shown(self, texts):
        return texts

    def design_notes(self, config, targets, annotators):
        if OTHER_HUMAN in config.sources:
            yield (
                f"“{self.title}” shows no texts of other annotators as such: each human text has "
                "its own writer as the answer."
            )
        if targets < annotators:
            yield (
                f"Cards show all {annotators} annotators, texts are of "
                f"{count(targets, 'target')}: judges may notice that some are never right."
            )

    def make_check(self, config, texts, purpose, target, free, rng, used):
        """Return the target's own texts."""
        found: list[PlacedText] = []
        for item in free:
            options = texts.texts.get((HUMAN, target, item), ())
            if options:
                found.append(PlacedText(item, HUMAN, options[int(rng.integers(len(options)))]))
            if len(found) == config.pool:
                used |= {shown.item for shown in found}
                return DraftTrial(self.name, purpose, "", tuple(found), truth=target)
        return None

    def main_trial(self, target, shown, rng):
        return DraftTrial(self.name, MAIN, "", tuple(shown), truth=target)

    def slot_order(self, rng, count):
        return rng.permutation(count).tolist()

    def cards(self, target, annotators):
        return list(annotators)

    def question(self, texts):
        if texts == 1:
            return "Who wrote this explanation?"
        return f"Who wrote these {texts} explanations? All are by the same person."

    def answers(self, card_ids):
        return (*ascii_uppercase[: len(card_ids)], CANNOT_TELL)

    def stored(self, answer, card_ids, slots):
        if answer == CANNOT_TELL:
            return answer, ""
        return card_ids[ascii_uppercase.index(answer)], ""

    def asks_confidence(self, answer):
        return answer != CANNOT_TELL

    def simulate(self, trials, rng):
        """Return the right annotator as often as skill and likeness allow, else any."""
        table = trials.table
        cards = table["displayed"].map(lambda cell: from_cell(cell).get("cards", []))
        size = np.maximum(cards.str.len().to_numpy(int), 1)
        pick = (rng.random(len(table)) * size).astype(int)
        guess = np.array(
            [str(names[k]) if len(names) else "" for names, k in zip(cards, pick, strict=True)],
            dtype=object,
        )
        likeness = table["source"].map(trials.effects.likeness_of).to_numpy(float)
        knows = trials.attends & (rng.random(len(table)) < trials.skill * likeness)
        named = np.where(knows, table["truth"].to_numpy(object), guess)
        return np.where(trials.doubts, CANNOT_TELL, named), {}

    def choices(self, annotators):
        return annotators

    def chance(self, choices):
        return 1 / choices

    def main_judgments(self, judgments):
        from capo_core.study.analysis.attribution import attributions

        return attributions(judgments)

    def unknown_annotators(self, judgments, annotators):
        named = judgments[judgments["kind"] == self.name]
        named = {*named["answer"], *named["truth"]} - {*annotators, CANNOT_TELL, ""}
        return natural_order(named)

    def analyse(self, judgments, annotators, options):
        # Imported here: the judge's page and the options of the command line need none of it.
        from capo_core.study.analysis import attribution
        from capo_core.study.analysis.consensus import consensus, weighted_vote
        from capo_core.study.analysis.crowd_models import crowd_results
        from capo_core.study.analysis.study_equivalence import attribution_equivalence

        crowd = crowd_results(
            judgments, options.crowd_models, weighted_vote(judgments), seed=options.seed
        )
        return {
            "accuracy": attribution.accuracy(judgments, annotators),
            "differences": attribution.differences(judgments),
            "equivalence": attribution_equivalence(
                judgments, options.equivalence_margin, self.chance(len(annotators))
            ),
            "confusion": attribution.confusion(judgments, annotators),
            "mixed": attribution.mixed_model(judgments),
            "consensus": consensus(judgments),
            "crowd_consensus": crowd.consensus,
            "crowd_skills": crowd.skills,
        }

    def sections(self, results, annotators):
        from capo_core.study.analysis.crowd_models import implementation

        chance = f"Chance is {percent(1 / len(annotators))}. " if annotators else ""
        return [
            ReportSection(
                self.title,
                results["accuracy"],
                f"{chance}Each source has two rows: “cannot tell” counted as wrong, and left out. "
                "p is from an exact binomial test that takes judgments as independent; what is "
                "significant is decided by the interval, clustered by judges and items.",
            ),
            ReportSection("Differences between sources", results["differences"]),
            ReportSection(
                "Equivalence to the target's own texts", results["equivalence"], EQUIVALENCE_NOTE
            ),
            ReportSection("Confusion matrix", results["confusion"]),
            ReportSection(
                "Raw and quality-weighted attributions",
                results["consensus"],
                "Single judgments (raw), the majority of a trial's judges, and their vote weighted "
                "by Dawid-Skene.",
            ),
            ReportSection(
                "Attributions by further models of the judges",
                results["crowd_consensus"],
                f"Asked for beside the planned analysis, fitted by {implementation()}. "
                "as_dawid_skene: share of trials with the same annotator as by our Dawid-Skene.",
            ),
            ReportSection(
                "Judges by further models",
                results["crowd_skills"],
                f"Fitted by {implementation()} on attributions; each model has its own scale.",
            ),
            ReportSection(
                "Mixed-effects model", results["mixed"].effects, "For a typical judge and item."
            ),
            ReportSection(
                "Differences in the mixed-effects model",
                results["mixed"].differences,
                "Odds ratios of source_a to source_b for a typical judge and item; 1 is no "
                "difference.",
            ),
        ]

    def remarks(self, results):
        note = results["mixed"].note
        return [f"{capitalised(note)}."] if note else []

    def reading_note(self, annotators):
        return (
            f"Chance is 1 in {len(annotators)}. A method's text counts as right when it is "
            "attributed to the annotator it imitates."
        )

    def methods(self, annotators, results):
        from capo_core.study.analysis.crowd_models import CROWD_MODELS, implementation

        text = (
            f"Chance is 1/{len(annotators)}; exact binomial tests against it are two-sided. "
            '"Cannot tell" is counted as wrong, and the results without it are given too.'
        )
        fitted = set(results["crowd_consensus"]["model"])
        named = [f"{m.title} ({m.paper})" for m in CROWD_MODELS.values() if m.title in fitted]
        if named:
            text += (
                f" Beside the planned analysis, attributions were also reconciled by "
                f"{listed(named)}, as implemented in {implementation()}."
            )
        return text

    def length_model(self, main):
        rows = main[(main["kind"] == self.name) & (main["answer"] != CANNOT_TELL)]
        rows = rows[rows["words"] > 0]
        dummies = pd.get_dummies(rows["source"]).to_numpy(dtype=float)
        size = np.log2(rows["words"].to_numpy(float))
        x = np.column_stack([size, dummies])
        return LengthModel(LENGTH_QUESTION, x, rows["answer"] == rows["truth"], rows)

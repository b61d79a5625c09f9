"""Comparison: which of two texts would the named annotator rather have written?"""

from __future__ import annotations

import numpy as np
import pandas as pd

from capo_core.study.tables import COMPARISON, HUMAN, MAIN, OTHER_HUMAN, TIE, from_cell
from capo_core.study.trial_kinds.base import (
    EQUIVALENCE_NOTE,
    DraftTrial,
    LengthModel,
    PlacedText,
    ReportSection,
    Stratum,
    TrialKind,
    shuffle_slots,
)
from capo_core.text.tokens import normalise

SIDE_NAMES = ("left", "right")
STORED = ("a", "b")  # slots 0 and 1
LENGTH_QUESTION = "odds of preferring a text twice as long as the other, sources held equal"


class Comparison(TrialKind):
    """Two texts beside a reference card: which of them is the annotator's?"""

    name = COMPARISON
    title = "Which of the two is theirs?"
    description = (
        "the card of one annotator and two texts of hidden sources: the first, the "
        "second, or no difference"
    )
    task = "chose which of two texts is the target annotator's, or called it a tie"
    instructions = (
        "**Which is more like this person?** A card shows how one person explains. Of two new "
        "explanations, choose the one that this person would rather have written."
    )
    practice_note = "That text is the annotator's own; the other is somebody else's."
    source_hint = "two out of human, other_human and methods"
    outcome = "wins in one pair of sources"
    paired = True
    undecided = TIE
    expected_share = 0.65  # one half would be no difference

    def sources(self, names):
        return tuple(names)

    def is_usable(self, texts):
        # Two texts that say the same are no comparison.
        return len({normalise(text.explanation) for text in texts}) == 2

    def make_check(self, config, texts, purpose, target, free, rng, used):
        """Return the target's own text against another annotator's on the same item."""
        both = Stratum(self.name, (HUMAN, OTHER_HUMAN))
        for item in free:
            options = texts.options(both, target, item)
            if options:
                used.add(item)
                chosen = options[int(rng.integers(len(options)))]
                shown = [PlacedText(item, s, t) for s, t in zip(both.sources, chosen, strict=True)]
                placed = shuffle_slots(rng, shown)
                return DraftTrial(self.name, purpose, target, placed, truth=HUMAN)
        return None

    def main_trial(self, target, shown, rng):
        return DraftTrial(self.name, MAIN, target, shuffle_slots(rng, shown))

    def coded_truth(self, trial):
        if not trial.truth:
            return ""
        return STORED[[shown.source for shown in trial.shown].index(trial.truth)]

    def slot_order(self, rng, count):
        return rng.permutation(count).tolist()

    def cards(self, target, annotators):
        return [target]

    def question(self, texts):
        return "Which of the two is more like the person on the card?"

    def answers(self, card_ids):
        return (*SIDE_NAMES, TIE)

    def stored(self, answer, card_ids, slots):
        if answer == TIE:
            return answer, ""
        return STORED[slots[SIDE_NAMES.index(answer)]], answer

    def simulate(self, trials, rng):
        """Return the better text, a click by the judge's side bias, or a tie."""
        table = trials.table
        better = _better(table, trials.effects.strength, rng)
        shown_left = table["displayed"].map(left_answer).to_numpy(object)
        clicks_left = rng.random(len(table)) < trials.left
        click = np.where(clicks_left, shown_left, np.where(shown_left == "a", "b", "a"))
        right = table["trial_id"].map(better).astype(object).fillna("").to_numpy(object)
        answers = np.where(trials.doubts, TIE, np.where(trials.attends, right, click))
        return answers, better.to_dict()

    def chance(self, choices):
        return 0.5

    def main_judgments(self, judgments):
        from capo_core.study.analysis.preferences import comparisons

        return comparisons(judgments)

    def analyse(self, judgments, annotators, options):
        # Imported here: the judge's page and the options of the command line need none of it.
        from capo_core.study.analysis.judge_quality import estimate
        from capo_core.study.analysis.preferences import preference, wins
        from capo_core.study.analysis.study_equivalence import preference_equivalence
        from capo_core.study.analysis.style_control import style_control

        return {
            "wins": wins(judgments),
            "style": style_control(judgments),
            "preference_equivalence": preference_equivalence(judgments, options.equivalence_margin),
            "preference": preference(judgments),
            "quality": estimate(judgments, options.priors),
        }

    def sections(self, results, annotators):
        found = [
            ReportSection(
                "Comparisons", results["wins"], "share_a counts a tie as half; 0.5 is chance."
            )
        ]
        if results["style"] is not None:
            found += [
                ReportSection(
                    "Comparisons, style held equal",
                    results["style"].pairs,
                    "Share of wins of source_a, raw and for two texts of equal length and overlap "
                    "with the input. longer_a: how many times as long its texts are.",
                ),
                ReportSection(
                    "Effect of style on preference", results["style"].effects, "1 is no effect."
                ),
            ]
        found.append(
            ReportSection(
                "Equivalence to the target's own texts in comparisons",
                results["preference_equivalence"],
                EQUIVALENCE_NOTE,
            )
        )
        if results["preference"] is not None:
            found += [
                ReportSection(
                    "Strengths (Bradley-Terry with ties)",
                    results["preference"].strengths,
                    "Log-odds, mean 0.",
                ),
                ReportSection(
                    "Win probabilities by that model",
                    results["preference"].pairs,
                    "Ties left out; 0.5 is chance.",
                ),
            ]
        if results["quality"] is not None:
            found += [
                ReportSection(
                    "Preferences, raw and weighted by attentiveness",
                    results["quality"].preferences,
                ),
                ReportSection("Judges: attentiveness", results["quality"].judges),
            ]
        return found

    def remarks(self, results):
        preference, quality = results["preference"], results["quality"]
        notes = [each.note for each in (preference, results["style"]) if each and each.note]
        return notes + (list(quality.sentences) if quality is not None else [])

    def methods(self, annotators, results):
        preference, style, quality = results["preference"], results["style"], results["quality"]
        said = "Preferences are shares of wins, a tie counting half"
        if preference is not None and preference.strengths["strength"].notna().any():
            said += ", and strengths by the Bradley-Terry model with ties of Davidson (1970)"
        if style is not None and style.pairs["controlled_a"].notna().any():
            said += (
                ", and given with length and overlap with the input as covariates beside the raw "
                "shares"
            )
        parts = [f"{said}."]
        if quality is not None and (quality.judges["verdict"] == "").any():
            parts.append(
                "Attentiveness of judges was estimated by EM (after Cai & Li 2025), with the "
                "better text of a pair as one latent shared by its judges."
            )
        return " ".join(parts)

    def length_model(self, main):
        rows = main[(main["kind"] == self.name) & (main["answer"] != TIE)]
        rows = rows[(rows["words_a"] > 0) & (rows["words_b"] > 0)]
        sources = sorted(set(rows["source_a"]) | set(rows["source_b"]))
        sign = np.stack(
            [(rows["source_a"] == s).astype(float) - (rows["source_b"] == s) for s in sources[1:]]
            or [np.zeros(len(rows))],
            axis=1,
        )
        ratio = np.log2(rows["words_a"].to_numpy(float) / rows["words_b"].to_numpy(float))
        x = np.column_stack([ratio, sign])
        return LengthModel(LENGTH_QUESTION, x, rows["answer"] == "a", rows)


def left_answer(displayed: str) -> str:
    """Return the stored slot ("a" or "b") shown on the left of a pair; "" elsewhere."""
    slots = from_cell(displayed).get("slots", [])
    return STORED[slots[0]] if len(slots) == 2 else ""


def _better(table: pd.DataFrame, strength, rng: np.random.Generator) -> pd.Series:
    """Return trial_id → "a" or "b"; checks by their truth, mirrored repeats as their trial."""
    from scipy.special import expit

    pairs = table[table["kind"] == COMPARISON].drop_duplicates("trial_id")
    own = pairs[pairs["mirror_of"] == ""].sort_values("trial_id")
    first, second = (
        np.array([strength.get(name, 0.0) for name in own[column]], dtype=float)
        for column in ("source_a", "source_b")
    )
    drawn = np.where(rng.random(len(own)) < expit(first - second), "a", "b")
    truth = own["truth"].to_numpy(object)
    known = pd.Series(np.where(truth != "", truth, drawn), index=own["trial_id"], dtype=object)
    mirrors = pairs[pairs["mirror_of"] != ""]
    again = pd.Series(
        known.reindex(mirrors["mirror_of"]).to_numpy(), index=mirrors["trial_id"], dtype=object
    )
    return pd.concat([known, again])

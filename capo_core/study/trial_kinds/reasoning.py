"""Reasoning: how far does a text reason like the target's own, from 1 to 5?"""

from __future__ import annotations

import numpy as np

from capo_core.study.tables import CHECK, HUMAN, MAIN, OTHER_HUMAN, REASONING, REASONING_ANSWERS
from capo_core.study.trial_kinds.base import DraftTrial, PlacedText, ReportSection, TrialKind
from capo_core.text.tokens import normalise

UNRELATED = "1"  # the right answer where a text argues about another item


class Reasoning(TrialKind):
    """A text beside the annotator's own: is the reasoning alike, from 1 to 5?"""

    name = REASONING
    title = "Is the reasoning theirs?"
    description = "a text beside the annotator's own: does it reason alike, 1 to 5"
    task = "rated from 1 to 5 whether a text reasons like the target annotator's own"
    instructions = (
        "**Does it reason alike?** Next to an explanation is another on the same question. Rate "
        "how far the two reason in the same way, whatever words they use: 1 not at all, 5 entirely."
    )
    practice_note = "This explanation was written about something else: it does not reason alike."
    source_hint = "other_human, or a method: their texts are rated against the target's own"
    outcome = "ratings of 4 or 5 of one source"
    reference_slot = 1  # the target's own text, named as such
    scale = REASONING_ANSWERS

    def sources(self, names):
        return tuple(name for name in names if name != HUMAN)

    def slot_sources(self, sources):
        return (*sources, HUMAN)

    def design_notes(self, config, targets, annotators):
        if HUMAN in config.sources:
            yield (
                "Reasoning does not draw human: texts are rated against the target's own, so it "
                "has no ceiling; other_human is the floor."
            )

    def make_check(self, config, texts, purpose, target, free, rng, used):
        """Return another annotator's text on *another* item, beside the target's own.

        The item is the target's; the one that the other text comes from is used up as well.
        """
        item, own = "", None
        for candidate in free:
            mine = texts.texts.get((HUMAN, target, candidate), ())
            others = texts.texts.get((OTHER_HUMAN, target, candidate), ())
            if own is None and mine:
                item, own = candidate, mine[int(rng.integers(len(mine)))]
            elif own is not None and others:
                text = others[int(rng.integers(len(others)))]
                if normalise(text.explanation) == normalise(own.explanation):
                    continue
                used |= {item, candidate}
                shown = (PlacedText(item, OTHER_HUMAN, text), PlacedText(item, HUMAN, own))
                return DraftTrial(self.name, purpose, target, shown, truth=UNRELATED)
        return None

    def main_trial(self, target, shown, rng):
        return DraftTrial(self.name, MAIN, target, tuple(shown))

    def mirrored(self, slots):
        return list(slots)  # the reference stays the reference

    def question(self, texts):
        return "How far does it reason like the other one?"

    def answers(self, card_ids):
        return REASONING_ANSWERS

    def check_passed(self, answer, truth):
        return (answer == truth) | ((truth == UNRELATED) & (answer == "2"))

    def simulate(self, trials, rng):
        """Return ratings around 1.5 + 3 × likeness if attending (1.2 in checks), else any."""
        table = trials.table
        likeness = table["source"].map(trials.effects.likeness_of).to_numpy(float)
        centre = np.where(table["purpose"] == CHECK, 1.2, 1.5 + 3 * likeness)
        felt = np.clip(np.rint(centre + rng.normal(0, 0.8, len(table))), 1, 5).astype(int)
        random = rng.integers(1, 6, len(table))
        return np.where(trials.attends, felt, random).astype(str).astype(object), {}

    def main_judgments(self, judgments):
        from capo_core.study.analysis.preferences import ratings

        return ratings(judgments)

    def analyse(self, judgments, annotators, options):
        # Imported here: the judge's page and the options of the command line need none of it.
        from capo_core.study.analysis.preferences import reasoning

        return {"reasoning": reasoning(judgments)}

    def sections(self, results, annotators):
        return [ReportSection(self.title, results["reasoning"], "1 (not at all) to 5 (entirely).")]

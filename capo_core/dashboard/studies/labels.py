"""Names, help texts and styles of the page Studies.

Only mixtures of the current text colour are used, as in the theme.
"""

from __future__ import annotations

from capo_core.formatting import count
from capo_core.study.tables import CANNOT_TELL, CHECK, MAIN, MIRROR, PRACTICE, TIE
from capo_core.study.trial_kinds import TRIAL_KINDS

PURPOSES = {
    MAIN: "Main",
    CHECK: "Attention checks",
    MIRROR: "Swapped-order repeats",
    PRACTICE: "Practice",
}
_COUNTED = {CHECK: "attention check", MIRROR: "swapped-order repeat"}


def of_purpose(number: int, purpose: str) -> str:
    """Return trials of a purpose with their number: "1 attention check", "24 main"."""
    if purpose in _COUNTED:
        return count(number, _COUNTED[purpose])
    return f"{number:,} {PURPOSES[purpose].lower()}"


JUDGE_STATES = {
    "invited": "Invited",
    "opened": "Opened the link",
    "judging": "Judging",
    "paused": "Paused",
    "away": "Away",
    "done": "Done",
    "revoked": "Revoked",
}


def kind_title(kind: str) -> str:
    """ "attribution" → "Who wrote this?"; a kind that is not there any more by its name."""
    return TRIAL_KINDS[kind].title if kind in TRIAL_KINDS else kind


def answer_name(answer: str) -> str:
    """Return an answer as tables name it."""
    return {CANNOT_TELL: "cannot tell", TIE: "tie"}.get(answer, answer)


HELP = {
    "plan": "Simulations of this design: width of the 95 % confidence interval of a "
    "source's share, power against chance and between two methods. 80 % power is "
    "a common target. Judges tire after about 45 minutes.",
    "accuracy": "Share of texts judges attributed to the right annotator (for a method: the "
    "imitated one). Higher means more like the annotator. Ceiling: the "
    "annotators' own texts; chance: one over the number of annotators.",
    "confusion": "Annotator named by judges, for the texts of each target annotator. The "
    "diagonal is correct; other cells are confusions.",
    "wins": "Share of comparisons won by the first source, a tie counting half. 50 % "
    "means no difference.",
    "strength": "Bradley–Terry strengths with ties over all comparisons, log-odds centred at "
    "0. Higher: preferred more often.",
    "reasoning": "Mean rating, 1 (not at all) to 5 (entirely), of whether a text reasons like "
    "the annotator. There is no chance level.",
    "alpha": "Krippendorff's alpha: agreement beyond chance. 1 is full agreement, 0 is "
    "chance level.",
    "conduct": "Per judge: side bias, repeat consistency, attention checks, time. First "
    "should be near 50 %, consistency and checks near 100 %.",
    "length": "Odds ratio for a text twice as long, adjusted for source. 1: no effect; "
    "above 1: longer texts are favoured.",
    "attentiveness": "Share of a judge's votes that depend on the texts rather than on guessing, "
    "estimated from agreement, checks and repeats. 0 to 1.",
    "crowd": "Reconciles attributions under other assumptions about judges, to see whether "
    "the result depends on the model. Not part of the planned analysis.",
    "weighted": "Votes weighted by the judge's attentiveness. Preferable only where "
    "attentiveness is estimated precisely.",
    "style": "Share of wins by a model in which both texts are equally long and take equally many "
    "words from the input. Where it differs from the raw share, style explains part of that.",
    "equivalence": "Two one-sided tests against the margin that was fixed with the design: "
    "equivalent where the 90 % interval lies within ± the margin.",
    "pairs": "Probability that the chosen text is the better one, averaged over what is not known "
    "of judges and sources. Empty where the filter knows none.",
    "balance": ("How often each judge sees what, counted in the draft. Equal counts are balanced."),
    "leaks": "Features of a text that could reveal its source. None is best; some are "
    "part of the style that is judged.",
}

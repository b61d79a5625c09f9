"""Names, help texts and styles of the page Studies.

Only mixtures of the current text colour are used, as in the theme.
"""

from __future__ import annotations

from capo_core.dashboard.ui.theme import method_name
from capo_core.study.tables import (
    CANNOT_TELL,
    CHECK,
    HUMAN,
    MAIN,
    MIRROR,
    OTHER_HUMAN,
    PRACTICE,
    TIE,
)
from capo_core.study.trial_kinds import TRIAL_KINDS

CSS = """<style>
.stApp ol.capo-way { list-style: none; display: flex; flex-wrap: wrap; gap: 0.4rem;
  margin: 0 0 0.5rem 0; padding: 0; }
.stApp ol.capo-way li { padding: 0.15rem 0.75rem; border-radius: 999px; font-size: 0.88rem;
  margin: 0;
  border: 1px solid color-mix(in srgb, currentColor 22%, transparent);
  color: color-mix(in srgb, currentColor 62%, transparent); }
.stApp ol.capo-way li.capo-past { background: color-mix(in srgb, currentColor 6%, transparent); }
.stApp ol.capo-way li.capo-here { color: inherit; font-weight: 600;
  border-color: color-mix(in srgb, currentColor 70%, transparent); }
.capo-trial { border: 1px solid color-mix(in srgb, currentColor 18%, transparent);
  border-radius: 8px; padding: 1rem 1.1rem; }
.capo-trial h4 { margin: 0 0 0.7rem 0; padding: 0; font-size: 1rem; }
.capo-trial .judge-item { opacity: 0.78; font-size: 0.9rem; margin-bottom: 0.4rem; }
.capo-trial p { margin: 0 0 0.2rem 0; line-height: 1.5; overflow-wrap: anywhere; }
.capo-trial .capo-note { margin-bottom: 0.4rem; }
.capo-trial .judge-role { opacity: 0.75; font-size: 0.85em; margin-right: 0.45rem; }
.capo-trial .judge-label { opacity: 0.75; font-size: 0.86rem; }
.capo-trial .judge-answer { padding-left: 0.8rem; min-width: 0;
  border-left: 3px solid color-mix(in srgb, currentColor 35%, transparent); }
.capo-trial .judge-one + .judge-one { margin-top: 1rem; }
.capo-trial .judge-pair, .capo-trial .judge-each { display: grid; gap: 0.9rem;
  grid-template-columns: repeat(auto-fit, minmax(15rem, 1fr)); }
.capo-trial .judge-cards { margin-top: 1rem; padding: 0.6rem 0.8rem; border-radius: 6px;
  background: color-mix(in srgb, currentColor 4%, transparent); font-size: 0.92rem; }
.capo-trial h3 { margin: 0 0 0.3rem 0; padding: 0; font-size: 1rem; }
.capo-trial .judge-row { display: grid; gap: 0.8rem; }
.capo-trial .judge-example + .judge-example { margin-top: 0.7rem; }
.capo-trial .judge-all { display: none; }
@media (min-width: 1100px) {
  .capo-trial .judge-both .judge-all { display: block; }
  .capo-trial .judge-both .judge-each { display: none; }
}
</style>"""


PURPOSES = {
    MAIN: "Main",
    CHECK: "Attention checks",
    MIRROR: "Swapped-order repeats",
    PRACTICE: "Practice",
}
LEAKS = {
    "name": "Name",
    "boilerplate": "Boilerplate",
    "format": "Formatting",
    "length": "Length",
    "card_copy": "Copy of a reference card",
    "duplicate": "Duplicate",
    "label_word": "Label word",
    "habit": "Source-specific phrase",
}
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


def source_name(source: str) -> str:
    """ "human" → "The target's own texts"."""
    return {
        HUMAN: "The target's own texts",
        OTHER_HUMAN: "Another annotator's texts",
    }.get(source) or method_name(source)


def answer_name(answer: str) -> str:
    return {CANNOT_TELL: "cannot tell", TIE: "tie"}.get(answer, answer)


def pair_name(first: str, second: str) -> str:
    return f"{source_name(first)} against {inside(second)}"


def inside(source: str) -> str:
    """A source's name in the middle of a sentence."""
    name = source_name(source)
    return name[0].lower() + name[1:] if name.startswith(("The ", "Another ")) else name


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
    "conduct": "Per judge: side bias, repeat consistency, attention checks, time. Left "
    "should be near 50 %, consistency and checks near 100 %.",
    "length": "Odds ratio for a text twice as long, adjusted for source. 1: no effect; "
    "above 1: longer texts are favoured.",
    "attentiveness": "Share of a judge's votes that depend on the texts rather than on guessing, "
    "estimated from agreement, checks and repeats. 0 to 1.",
    "weighted": "Votes weighted by the judge's attentiveness. Preferable only where "
    "attentiveness is estimated precisely.",
    "balance": ("How often each judge sees what, counted in the draft. Equal counts are balanced."),
    "leaks": "Features of a text that could reveal its source. None is best; some are "
    "part of the style that is judged.",
}

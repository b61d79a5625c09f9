"""What the page Studies calls things; without Streamlit.

Styles of the page Studies: the way of a study, and a trial as judges see it.

Only mixtures of the current text colour are used, as in `styles`.
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


PURPOSES = {MAIN: "Main", CHECK: "Checks", MIRROR: "Mirrored repeats", PRACTICE: "Practice"}
LEAKS = {
    "name": "A name",
    "boilerplate": "A machine's phrase",
    "format": "Format",
    "length": "Length",
    "card_copy": "Copy of a card",
    "duplicate": "Says the same twice",
    "label_word": "A label's own word",
    "habit": "A habit of one source",
}
JUDGE_STATES = {
    "invited": "Invited",
    "opened": "Has read the welcome",
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
    "plan": "Many studies of this design are simulated: how wide the 95 % interval of one source's "
    "share is, and how often it is told from guessing, and two methods from each other. Narrower "
    "is better; of power, more: 80 % is a usual aim. Beyond 45 minutes in one sitting judges tire.",
    "accuracy": "How often judges named the right annotator; a method's text is right when given "
    "to the annotator it imitates. Higher means more like the annotator; the people's own texts "
    "are the ceiling, one over the number of annotators is chance.",
    "confusion": "Whom the judges named, for the texts of each annotator. Strong cells on the "
    "diagonal are right answers; others show who is taken for whom.",
    "wins": "How often the first source was preferred, a tie counted as half. Half is chance: no "
    "difference between the two.",
    "strength": "Strength of each source in all comparisons together (Bradley-Terry with ties), "
    "in log-odds around 0. Higher is preferred more often.",
    "reasoning": "Mean rating from 1 (not at all) to 5 (entirely) of whether a text reasons like "
    "the annotator's own. Higher is more alike; there is no chance level.",
    "alpha": "Krippendorff's alpha: how far judges agree beyond chance. 1 is full agreement, 0 is "
    "chance; low agreement means that single answers say little.",
    "conduct": "How each judge went about it: sides, repeats, checks, time. Left should be near a "
    "half, same answers and right checks near 1.",
    "length": "The odds of an answer when a text is twice as long, sources held equal. 1 is no "
    "effect; above 1 the longer text is favoured.",
    "attentiveness": "The share of a judge's votes that follow the texts, not a coin, estimated "
    "from who agrees with whom, checks and repeats. 1 is always, 0 is never.",
    "weighted": "The same votes, each counted by how attentive its judge is. It is the better "
    "number only where attentiveness is known well; both stand here.",
    "balance": "How often each judge sees what, counted from the draft. Equal is balanced.",
    "leaks": "What in a text could tell its source to somebody who knows what to look for. None is "
    "best; some are manner, which is what is judged.",
}

"""What the judge's page says, and the keys it answers to."""

from __future__ import annotations

import math

from capo_core.errors import CapoError, StudyError
from capo_core.formatting import count
from capo_core.study.judging.judge import JudgeProgress, Terms
from capo_core.study.judging.trial_views import TrialView
from capo_core.study.store import Busy
from capo_core.study.tables import ATTRIBUTION, CANNOT_TELL, COMPARISON, TIE

SAVE_KEY, UNDO_KEY, PAUSE_KEY = "Enter", "U", "P"
# C and R are Streamlit's own. These lie beside each other on every Latin keyboard, away from the
# digits that answer.
CONFIDENCE = {
    "1": ("A guess", "F"),
    "2": ("Unsure", "G"),
    "3": ("Fairly sure", "H"),
    "4": ("Certain", "J"),
}
_OWN_WORDS = {CANNOT_TELL: "Cannot tell", TIE: "No difference", "left": "Left", "right": "Right"}
_HOW_MUCH = {"1": "Not at all", "2": "A little", "3": "Partly", "4": "Mostly", "5": "Entirely"}

RECORDED = (
    "What is kept: your answers, how long each took, and nothing that says who you are. You may "
    "stop at any time; what you have answered until then is kept."
)
CONSENT = (
    "You will read short explanations and say what you think of them. There are no dangers in it "
    "and no trick questions. Some texts may be written by people and some by programs; which, you "
    "are not told, so that you judge the text alone."
)
INSTRUCTIONS = {
    ATTRIBUTION: (
        "**Who wrote it?** Cards show how each of several people explains, under a letter. You "
        "read a new explanation, or several from one hand: say whose manner it is nearest to, and "
        "how sure you are. Look at how something is said (length, turns of phrase, what is taken "
        "for granted), not only at what is said. If you cannot tell, say so."
    ),
    COMPARISON: (
        "**Which is more like this person?** A card shows how one person explains. Of two new "
        "explanations, choose the one that this person would rather have written."
    ),
    "reasoning": (
        "**Does it reason alike?** Beside an explanation stands another on the same question. Say "
        "how far the two reason in the same way, whatever words they use: 1 not at all, 5 entirely."
    ),
}
UNAVAILABLE = (
    "Something does not work here at the moment. What you have answered is saved. Load the page "
    "again in a minute; if it stays so, tell the person who invited you."
)


def question(view: TrialView) -> str:
    if view.kind == ATTRIBUTION:
        if len(view.texts) == 1:
            return "Who wrote this explanation?"
        return f"Who wrote these {len(view.texts)} explanations? All are from one hand."
    if view.kind == COMPARISON:
        return "Which of the two is more like the person on the card?"
    return "How far does it reason like the other one?"


def answer_name(view: TrialView, answer: str) -> str:
    """An answer as its button says it."""
    words = _OWN_WORDS if view.kind in (ATTRIBUTION, COMPARISON) else _HOW_MUCH
    return words.get(answer, answer)


def answer_key(view: TrialView, answer: str) -> str | None:
    """The key of an answer: 1, 2, … in the order of the screen, 0 for none of them."""
    if answer in (CANNOT_TELL, TIE):
        return "0"
    place = view.answers.index(answer) + 1
    return str(place) if place <= 9 else None


def in_order(view: TrialView) -> tuple[str, ...]:
    """Answers as they stand on the screen: between left and right stands neither."""
    if view.kind == COMPARISON:
        return ("left", TIE, "right")
    return view.answers


def how_far(progress: JudgeProgress, *, practice: bool = False) -> str:
    """ "12 of 60 answered, about 9 minutes left"; of practice, which one this is."""
    if practice:
        return f"Practice {progress.practice_done + 1} of {progress.practice_total}"
    said = f"{progress.done:,} of {progress.total:,} answered"
    if progress.minutes_left is None or progress.done == progress.total:
        return said
    minutes = max(1, math.ceil(progress.minutes_left))
    return f"{said}, about {count(minutes, 'minute')} left"


def work_ahead(progress: JudgeProgress) -> str:
    """What a newcomer is asked for."""
    main = count(progress.total, "text or pair of texts", "texts or pairs of texts")
    if not progress.practice_total:
        return f"There are {main} to judge."
    return (
        f"There are {main} to judge, after {progress.practice_total} for practice, which do not "
        "count and tell you what would have been right."
    )


def about_cards(terms: Terms) -> str:
    """What the people on the cards were asked."""
    return f"They were asked: {terms.question}" if terms.question else ""


def error_text(error: CapoError) -> str:
    """An error in words for a judge: no paths, no addresses of databases."""
    if isinstance(error, Busy):
        return "It could not be saved just now. Nothing is lost: press Save again."
    if not isinstance(error, StudyError):
        return UNAVAILABLE
    said = error.what[0].upper() + error.what[1:] + "."
    return f"{said} {error.todo[0].upper()}{error.todo[1:]}." if error.todo else said

"""The texts of the judge's page, and its keyboard shortcuts."""

from __future__ import annotations

import math

from capo_core.dashboard.judging.trial_html import display_of
from capo_core.dashboard.ui.text import markdown
from capo_core.errors import CapoError, StudyError
from capo_core.formatting import count
from capo_core.study.judging.judge import JudgeProgress, Terms
from capo_core.study.judging.trial_views import TrialView
from capo_core.study.store import Busy
from capo_core.study.trial_kinds import trial_kind

SAVE_KEY, CHANGE_KEY, PAUSE_KEY = "Enter", "U", "P"
# C and R are Streamlit's own. These lie beside each other on every Latin keyboard, away from the
# digits that answer.
CONFIDENCE = {
    "1": ("A guess", "F"),
    "2": ("Unsure", "G"),
    "3": ("Fairly sure", "H"),
    "4": ("Certain", "J"),
}

RECORDED = "Your answers and how long each took are recorded, {more}. You may stop at any time; "
KEPT = "what you have answered until then is kept."
CONSENT = (
    "You will read short explanations and say what you think of them. No known risks. Some trials "
    "check attention. Some texts may be written by people and some by programs; you are not told "
    "which, so that you judge the text alone."
)
UNAVAILABLE = (
    "Something does not work here at the moment. What you have answered is saved. Reload the page "
    "in a minute; if the problem stays, tell the person who invited you."
)


def recorded(participant: str) -> str:
    """Return what is recorded of a judge; of a platform's participant also the id."""
    more = (
        f"with your participant id ({markdown(participant)}), which serves to pay you"
        if participant
        else "and nothing that identifies you"
    )
    return RECORDED.format(more=more) + KEPT


def about_the_study(terms: Terms) -> list[tuple[str, str]]:
    """Return what the owner says of the study, for consent: heading and text, empty ones left
    out."""
    found = (
        ("Purpose", terms.purpose),
        ("Researcher", terms.researcher),
        ("Contact", terms.contact),
        ("What is kept", terms.data_kept),
    )
    return [(name, words.strip()) for name, words in found if words.strip()]


def question(view: TrialView) -> str:
    """Return what the trial asks."""
    return trial_kind(view.kind).question(len(view.texts))


def instructions(kind: str) -> str:
    """Return what trials of this kind ask, in Markdown."""
    return trial_kind(kind).instructions


def answer_name(view: TrialView, answer: str) -> str:
    """Return an answer as its button says it."""
    return display_of(view.kind).answer_names.get(answer, answer)


def answer_keys(view: TrialView, answer: str) -> list[str]:
    """Return the keys of an answer: 1, 2, … in order, 0 for the undecided one; of a pair also the
    arrows. The first is the one shown."""
    if answer == trial_kind(view.kind).undecided:
        return ["0"]
    place = view.answers.index(answer) + 1
    keys = [str(place)] if place <= 9 else []
    if trial_kind(view.kind).paired:
        keys.append("ArrowLeft" if place == 1 else "ArrowRight")
    return keys


def hint(view: TrialView, *, changing: bool = False) -> str:
    """Return one sentence below the answers."""
    if changing:
        return "You change your last answer. It stays as it is until you save another one."
    return f"Choose an answer, then save. {display_of(view.kind).hint}".strip()


def in_order(view: TrialView) -> tuple[str, ...]:
    """Return the answers as they stand on the screen."""
    return display_of(view.kind).order or view.answers


def how_far(progress: JudgeProgress, *, practice: bool = False) -> str:
    """Return "12 of 60 answered, about 9 minutes left"; in practice "Practice 1 of 3"."""
    if practice:
        return f"Practice {progress.practice_done + 1} of {progress.practice_total}"
    answered = f"{progress.done:,} of {progress.total:,} answered"
    if progress.minutes_left is None or progress.done == progress.total:
        return answered
    minutes = max(1, math.ceil(progress.minutes_left))
    return f"{answered}, about {count(minutes, 'minute')} left"


def work_ahead(progress: JudgeProgress) -> str:
    """Return how much there is to judge."""
    main = count(progress.total, "text or pair of texts", "texts or pairs of texts")
    if not progress.practice_total:
        return f"There are {main} to judge."
    return (
        f"There are {main} to judge, after {count(progress.practice_total, 'practice trial')} with "
        "feedback, which do not count."
    )


def about_cards(terms: Terms) -> str:
    """Return the question that the cards' annotators answered; empty where that is not known."""
    return f"They were asked: {terms.question}" if terms.question else ""


def error_text(error: CapoError) -> str:
    """Return an error for a judge: no paths, no addresses of databases."""
    if isinstance(error, Busy):
        return "It could not be saved just now. Nothing is lost: press Save again."
    if not isinstance(error, StudyError):
        return UNAVAILABLE
    text = error.what[0].upper() + error.what[1:] + "."
    return f"{text} {error.todo[0].upper()}{error.todo[1:]}." if error.todo else text

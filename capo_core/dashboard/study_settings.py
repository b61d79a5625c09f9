"""The settings on the form of a new study: each with its name, its help, its range and default."""

from __future__ import annotations

from dataclasses import MISSING, fields
from typing import Any

from capo_core.dashboard.form_settings import Setting
from capo_core.data.splits import PARTS
from capo_core.study.config import MOST, StudyConfig

_DEFAULTS = {each.name: each.default for each in fields(StudyConfig) if each.default is not MISSING}


def _setting(path: str, label: str, help_: str, kind: str = "whole", **more: Any) -> Setting:
    return Setting(path, label, help_, kind, _DEFAULTS.get(path), **more)


NUMBERS = (
    _setting("judges", "Judges", "How many people will judge.", low=1, high=1000),
    _setting("trials_per_judge", "Trials of each kind for a judge",
             "Main trials; practice, checks and repeats come on top. It must be a multiple of the "
             "number of sources (of pairs of sources, in comparisons).", low=1, high=1000),
    _setting("judgments_per_trial", "Judges of each trial",
             "How many judges see the same trial: more tell how far judges agree, fewer give more "
             "trials.", low=1, high=1000),
    _setting("pool", "Texts of one attribution",
             "How many texts of one hidden source are shown together in “Who wrote this?”.",
             low=1, high=64),
)  # fmt: skip
FOLDED = (
    _setting("practice", "Practice trials of each kind",
             "With feedback, before the first that counts.", high=20),
    _setting("checks_share", "Checks, as a share",
             "Trials with a known answer, made of people's own texts: they tell who attends.",
             "number", high=0.3, step=0.05),
    _setting("repeats_share", "Mirrored repeats, as a share",
             "Trials shown a second time, sides turned: they tell how steady a judge is.",
             "number", high=0.3, step=0.05),
    _setting("cap", "Trials of one judge at most",
             "All in all, also where a judge takes on the places of others.", low=1, high=2000),
    _setting("card_examples", "Examples on a reference card",
             "The annotator's own answers from the training part.", low=1, high=20),
    _setting("items", "Items at most", "0 takes all that are needed.", high=MOST),
    _setting("split", "Part of the data", "Texts are answers to items of this part; cards always "
             "come from the training part.", "choice", options=PARTS[1:]),
    _setting("claim_minutes", "Minutes until a place is free again",
             "A trial that a judge opened and left can then go to another.", low=1, high=10_080),
    _setting("ask_reason", "Ask for a reason", "A box for the judge's own words; it may stay "
             "empty.", "switch"),
    _setting("seed", "Seed", "Of everything that is drawn: items, texts, sides, orders, cards.",
             high=2**31 - 1),
)  # fmt: skip
ASSUMED = (
    Setting("expected", "Share expected", "Of right answers, of wins, or of ratings of 4 and 5 of "
            "one source. Empty takes 50 %, in comparisons 65 %.", "number", None, 0.01, 0.99, 0.05,
            empty="50 %, or 65 % of wins"),
    Setting("other", "Share of another method", "That it is to be told apart from.", "number",
            0.35, 0.01, 0.99, 0.05),
    Setting("judge_sd", "How judges differ", "Standard deviation on the logit scale.", "number",
            0.5, 0, 5, 0.1),
    Setting("trial_sd", "How trials differ", "Standard deviation on the logit scale.", "number",
            0.8, 0, 5, 0.1),
)  # fmt: skip
TEXTS = (
    _setting("planned_analysis", "Planned analysis",
             "What will be computed, said before anyone judges; it is frozen with the design."),
    _setting("consent", "Consent", "Read by the judge first; empty takes the page's own words."),
    _setting("instructions", "Instructions", "Empty takes the page's own words."),
)  # fmt: skip

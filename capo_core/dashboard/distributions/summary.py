"""Names, colours and sentences of the page Distributions, made from the numbers; no Streamlit here.

Annotators and methods have the colours they have everywhere; the crowd is drawn in ink, as
annotators are; other sources have colours of their own.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence

import pandas as pd

from capo_core.dashboard.ui.theme import (
    DASHES,
    METHOD_LOOKS,
    NEUTRAL,
    SYMBOLS,
    Look,
    human_look,
    looks,
)
from capo_core.distributions.compare import CompareConfig, measure_title
from capo_core.distributions.judgments import CROWD, UNIFORM
from capo_core.distributions.sources import ANNOTATOR, ANNOTATORS, HUMANS, SIMULATED, SINGLE, VALID
from capo_core.distributions.wording import measured
from capo_core.formatting import Named, Statement, capitalised
from capo_core.stats.distances import CLIP
from capo_core.stats.significance import FEWEST

_OWN = {
    ANNOTATORS: Look("#9466C7", "circle", "solid"),
    VALID: Look("#A9714B", "square", "dash"),
    SINGLE: Look("#C98A1B", "diamond", "dot"),
    UNIFORM: Look(NEUTRAL, "circle-open", "dot"),
}
_MORE = ("#2A9D8F", "#B3586B", "#5E9A4C", "#4E8FB0", "#C0589A", "#6B8E23", "#B08CE0")


def source_looks(
    names: Sequence[str], annotators: Sequence[str], *, dark: bool = False
) -> dict[str, Look]:
    """A look per source, the same whichever of them are shown.

    Args:
        names: all sources there are, in their order.
        annotators: the dataset's, in their order.
    """
    people, found, more = looks(annotators), {}, 0
    for name in names:
        head = name.split(" ")[0]
        if name in (CROWD, HUMANS):
            found[name] = human_look(dark=dark)
        elif name in _OWN:
            found[name] = _OWN[name]
        elif name.removeprefix(ANNOTATOR) in people and name.startswith(ANNOTATOR):
            found[name] = people[name.removeprefix(ANNOTATOR)]
        elif head in METHOD_LOOKS:
            color, symbol, dash = METHOD_LOOKS[head]
            again = sum(other.split(" ")[0] == head for other in found)
            found[name] = Look(color, SYMBOLS[(SYMBOLS.index(symbol) + again) % len(SYMBOLS)], dash)
        else:
            found[name] = Look(
                _MORE[more % len(_MORE)],
                SYMBOLS[(more + 3) % len(SYMBOLS)],
                DASHES[(more + 1) % len(DASHES)],
            )
            more += 1
    return found


def sentences(notes: Sequence[str]) -> list[str]:
    """Return the notes of a reading as sentences, without the one on simulated data that the page
    shows anyway."""
    return [capitalised(note.rstrip(".")) + "." for note in notes if not note.startswith(SIMULATED)]


def of_halves(frame: pd.DataFrame | None, source: str, against: str, measure: str) -> Statement:
    """Return a statement on the distance on more and on less disputed items.

    They differ where the two intervals have a width and do not overlap, on `FEWEST` items each.
    """
    if frame is None:
        template = "Too few items, or all have the same entropy: no comparison of halves."
        return Statement("halves", template)
    calm, torn = (next(frame.iloc[[k]].itertuples()) for k in (0, 1))
    wide = torn.low < torn.high and calm.low < calm.high and min(torn.n, calm.n) >= FEWEST
    apart = wide and (torn.low > calm.high or torn.high < calm.low)
    how = "neither significantly closer nor farther away"
    if apart:
        how = "farther away" if torn.value > calm.value else "closer"
    return Statement(
        "halves",
        f"{{source}} is {how} where {{against}} {'is' if against == CROWD else 'is more'} divided: "
        "{measure} {torn} on the more disputed {n_torn:count item}, {calm} on the other "
        "{n_calm:,}.",
        {
            "source": Named("source", source),
            "against": Named("source", against),
            "measure": measure_title(measure),
            "torn": measured(torn.value, torn.low, torn.high, int(torn.n)),
            "calm": measured(calm.value, calm.low, calm.high, int(calm.n)),
            "n_torn": int(torn.n),
            "n_calm": int(calm.n),
        },
    )


def command(
    dataset: str,
    files: Sequence[str],
    config: CompareConfig,
    shown: Sequence[str] = (),
    runs: Sequence[str] = (),
) -> str:
    """The command that prints the same table; `runs` are the finished estimates in it."""
    words = ["python", "-m", "capo_core", "distributions", "compare"]
    words += data_options(dataset, files)
    for name in runs:
        words += ["--run", name]
    if config.against != CROWD:
        words += ["--against", config.against]
    if config.clip != CLIP:
        words += ["--clip", f"{config.clip:g}"]
    for name in shown:
        words += ["--source", name]
    return shlex.join(words)


def data_options(dataset: str, files: Sequence[str]) -> list[str]:
    """Return the options that name the data on the command line."""
    words = ["--dataset", dataset] if dataset else []
    for name in files:
        words += ["--file", f"{name}.json"]
    return words

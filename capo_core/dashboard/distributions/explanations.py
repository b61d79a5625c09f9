"""Similarity of the explanations of an item, and the effect of replacing human explanations with a
model's.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import streamlit as st

from capo_core.dashboard.app.page import PageContext
from capo_core.dashboard.distributions import cache as distributions_cache
from capo_core.dashboard.distributions import charts, estimates
from capo_core.dashboard.distributions.selection import PAGE, Chosen
from capo_core.dashboard.distributions.summary import data_options, source_looks
from capo_core.dashboard.ui import url_state
from capo_core.dashboard.ui.components import (
    Field,
    is_dark,
    section_heading,
    show_figure,
    show_note,
    side_by_side,
    table,
)
from capo_core.dashboard.ui.glossary import DISTRIBUTIONS_HELP
from capo_core.dashboard.ui.text import markdown
from capo_core.distributions.compare import measure_title
from capo_core.distributions.explanations import replace_explanations
from capo_core.distributions.judgments import Judgments
from capo_core.distributions.ranking import Ranking
from capo_core.distributions.sources import HUMANS
from capo_core.distributions.variation import VariationConfig, variation
from capo_core.distributions.wording import called, source_name
from capo_core.formatting import count, percent, short
from capo_core.progress import Progress, silent

if TYPE_CHECKING:
    from capo_core.distributions.variation import Variation


SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)
_REPLACED = {"lexical": "words", "syntactic": "syntax"}  # what of the similarity is shown there
_NAMED = re.compile(r"^(?P<people>.+), (?P<share>\d{1,3})% by (?P<model>.+)$")


def likeness(
    judgments: Judgments,
    people: str,
    model: str,
    *,
    cache: Path | None = None,
    progress: Progress = silent,
) -> pd.DataFrame:
    """Return the similarity of explanations with 0 to 100 % of the human ones replaced, in words
    and syntax.

    Returns:
        share, line, value, low, high, n (items), missing (explanations that could not be replaced
        because the model has none for their label).
    """
    rows = []
    config = VariationConfig(ngrams=(1,), semantic=False)
    for place, share in enumerate(SHARES):
        progress(f"{percent(share)} replaced", place / len(SHARES))
        made, missing = replace_explanations(judgments, people, model, share)
        mixed = judgments.with_explanations(made)
        found = variation(mixed, config, sources=[str(made["source"].iloc[0])], cache=cache)
        rows_shown = found.table[found.table["measure"].isin(_REPLACED)]
        for row in rows_shown.itertuples():
            line = _REPLACED[row.measure]
            rows.append((share, line, row.value, row.low, row.high, row.n, missing))
    return pd.DataFrame(rows, columns=["share", "line", "value", "low", "high", "n", "missing"])


def distances(
    shown_by_run: pd.DataFrame,
    people: str,
    model: str,
    measure: str,
    measured: Callable[[str], Ranking],
) -> pd.DataFrame:
    """Distances of estimates that read explanations of which a share was replaced.

    Args:
        shown_by_run: see `estimates.estimates`.
        measured: a source's name → its ranking, alone.

    Returns:
        share, line (the model that estimated), value, low, high, n; by share.
    """
    rows = []
    for row in shown_by_run.itertuples():
        share = share_of(row.explanations, people, model)
        if share is None:
            continue
        found = measured(row.source).table
        one = found[found["measure"] == measure].iloc[0]
        line = str(row.source).split(": ")[0]
        rows.append((share, line, one["value"], one["low"], one["high"], int(one["n"])))
    frame = pd.DataFrame(rows, columns=["share", "line", "value", "low", "high", "n"])
    return frame.sort_values(["line", "share"], kind="stable", ignore_index=True)


def share_of(explanations: str, people: str, model: str) -> float | None:
    """Return the share replaced, from the name of a set of explanations; None for other sets."""
    if explanations == people:
        return 0.0
    found = _NAMED.match(explanations)
    if found is None or found["people"] != people or found["model"] != model:
        return None
    return int(found["share"]) / 100


_ASKED = {"": "not measured", "words": "words and syntax", "meaning": "words, syntax and meaning"}
_PER_S = 60  # sentences that two cores embed in a second, about
_TAGGED_PER_S = 100  # and whose parts of speech one core tags
_LOADED_S = 5  # until the tagger is there
_MOST = 3  # sets of explanations compared with each other


def show(context: PageContext, chosen: Chosen) -> None:
    """Show the similarity of explanations, computed on request, and the effect of replacement."""
    section_heading("Similarity of explanations of one item")
    said = chosen.reading.judgments.explanations
    every = list(dict.fromkeys(said["source"]))
    sets = every[:_MOST]
    if not sets:
        show_note(
            "No explanations. Choose a dataset with explanations, or open a file that has them."
        )
        return
    texts = int(said["source"].isin(sets).sum())
    asked = url_state.get("like") if url_state.get("like") in _ASKED else ""
    with st.container(horizontal=True, vertical_alignment="center"):
        for name, label in (("words", "Compare words and syntax"),
                            ("meaning", "Compare meaning too")):  # fmt: skip
            st.button(
                label,
                key=f"{PAGE}.like.{name}",
                on_click=url_state.put,
                args=(PAGE, {"like": name}),
                type="secondary" if asked else "primary",
                disabled=asked in (name, "meaning"),
            )
        st.caption(
            f"{count(texts, 'explanation')} of {_listed(sets)}; the first time, words and syntax "
            f"take about {_LOADED_S + round(texts / _TAGGED_PER_S)} s, meanings "
            f"{max(5, round(texts / _PER_S))} s."
        )
    if asked:
        found = _computed(
            ("likeness", chosen.reading.key, asked, tuple(sets)),
            lambda told: _variation(context, chosen, sets, asked, told),
        )
        _likeness(chosen, found)
    if len(every) > _MOST:
        show_note(f"Of {len(every)} sets of explanations, the first {_MOST} are compared.")
    _replacement(context, chosen, sets)


def _listed(sets: list[str]) -> str:
    return markdown(", ".join(short(source_name(name), 60) for name in sets))


def _variation(
    context: PageContext, chosen: Chosen, sets: list[str], asked: str, told
) -> Variation:
    from capo_core.distributions.variation import VariationConfig, variation

    config = VariationConfig(semantic=asked == "meaning")
    return variation(
        chosen.reading.judgments, config, sources=sets, cache=context.workspace.cache, progress=told
    )


def _computed(key: tuple, compute: Callable[[Callable[[str, float], None]], Any]) -> Any:
    """Return the result of `compute`, with its progress shown; cached, so that a click does not
    repeat it."""
    kept = distributions_cache.computed()
    if key not in kept:
        bar = st.progress(0.0, text="Loading explanations …")
        kept[key] = compute(
            lambda what, share: bar.progress(min(1.0, share), text=f"{what.capitalize()} …")
        )
        bar.empty()
    return kept[key]


def _likeness(chosen: Chosen, found: Variation) -> None:
    rows = found.table
    looks = source_looks(list(dict.fromkeys(rows["source"])), (), dark=is_dark())
    counted = url_state.choice(
        st.segmented_control,
        "Overlap of n-grams",
        list(_COUNTED),
        page=PAGE,
        key="overlap",
        format_func=_COUNTED.__getitem__,
        help=DISTRIBUTIONS_HELP["overlap"],
    )
    with side_by_side("likeness", [1, 1]) as places:
        for place, measure, title in zip(
            places, ("lexical", "syntactic"), ("Words", "Syntax"), strict=True
        ):
            published = ", published" if counted == "published" else ""
            here = rows[rows["measure"] == measure + published]
            with place:
                section_heading(title, DISTRIBUTIONS_HELP[measure])
                if here.empty:
                    show_note(f"Not measured: it needs spaCy’s tokens, not {found.tagger}.")
                    continue
                show_figure(
                    charts.likeness(here, looks, title),
                    key=f"{PAGE}.{measure}.{counted}",
                    file_name=f"{chosen.file_stem}-{measure}" + ("-published" if published else ""),
                    alt=f"Similarity of explanations in {title.lower()}, by length of n-gram",
                )
    meaning = DISTRIBUTIONS_HELP["cosine"] + " " + DISTRIBUTIONS_HELP["Euclidean"]
    table(
        rows.assign(
            ngram=[str(n) if n else "—" for n in rows["ngram"]],
            measure=rows["measure"].map(_MEASURES),
        ),
        {
            "source": Field("Explanations", width="medium"),
            "measure": Field("Similarity of", meaning),
            "ngram": Field("n", "n-gram length."),
            "value": Field("Similarity", "1 = identical; lower is more varied.", 3),
            "low": Field("from", "Lower end of the 95 % interval.", 3),
            "high": Field("to", "Upper end of the 95 % interval.", 3),
            "n": Field("Items", "Items with at least two explanations.", 0),
            "pairs": Field("Pairs", None, 0),
        },
        key=f"{PAGE}.likeness",
        file_name=f"{chosen.file_stem}-likeness",
    )
    show_note(
        f"Parts of speech by {found.tagger}, for English. Pairs of explanations of the same item; "
        "the mean over pairs is the item’s value, the mean over items the result, with 95 % "
        "intervals over items. Lower similarity means more varied explanations."
    )


_COUNTED = {"multiset": "Multiset (Dice)", "published": "As published"}
_MEASURES = {
    "lexical": "words",
    "lexical, published": "words, as published",
    "syntactic": "syntax",
    "syntactic, published": "syntax, as published",
    "cosine": "meaning (cosine)",
    "Euclidean": "meaning (Euclidean)",
}


def _replacement(context: PageContext, chosen: Chosen, sets: list[str]) -> None:
    """Show the effect of replacing human explanations with a model's."""
    models = [name for name in sets if name != HUMANS]
    url_state.require("swap", models)
    if HUMANS not in sets:
        return
    section_heading("Replacing human explanations with a model’s", DISTRIBUTIONS_HELP["replace"])
    if not models:
        show_note(
            "No model explanations for these items yet. Open a file of model "
            "explanations, or generate one:"
        )
        words = shlex.join(data_options(chosen.reading.dataset, chosen.reading.files))
        st.code(
            f"python -m capo_core distributions explain {words} --base embedded "
            "--out explanations.jsonl",
            language="bash",
            wrap_lines=True,
        )
        return
    model = models[0]
    if len(models) > 1:
        model = url_state.choice(
            st.selectbox, "Model", models, page=PAGE, key="swap", width=320, format_func=source_name
        )
    rows = estimates.estimates(chosen.reading, context.workspace)
    effect = distances(
        rows, HUMANS, model, chosen.measure,
        lambda name: distributions_cache.ranking(chosen.reading, chosen.config, (name,)),
    )  # fmt: skip
    with side_by_side("replaced", [1, 1]) as (left, right):
        with left:
            _replaced_likeness(context, chosen, model)
        with right:
            _replaced_distances(chosen, model, effect)


def _replaced_likeness(context: PageContext, chosen: Chosen, model: str) -> None:
    if url_state.get("swapped") != "1":
        st.button(
            "Measure similarity with replacement",
            key=f"{PAGE}.replace",
            on_click=url_state.put,
            args=(PAGE, {"swapped": "1"}),
        )
        return
    found: pd.DataFrame = _computed(
        ("replaced", chosen.reading.key, model),
        lambda told: likeness(
            chosen.reading.judgments, HUMANS, model, cache=context.workspace.cache, progress=told
        ),
    )
    show_figure(
        charts.replaced(found, "similarity (n = 1)", "#2F6FB0"),
        key=f"{PAGE}.replaced.like",
        file_name=f"{chosen.file_stem}-replaced-likeness",
        alt="Similarity of explanations by share replaced",
    )
    missing = int(found["missing"].max())
    show_note(
        f"Where all are to be replaced, {count(missing, 'explanation')} cannot be: "
        f"{source_name(model)} has none left for the label."
        if missing
        else "Every explanation was replaced by one with the same label."
    )


def _replaced_distances(chosen: Chosen, model: str, effect: pd.DataFrame) -> None:
    if len(effect):
        show_figure(
            charts.replaced(effect, measure_title(chosen.measure), "#CF3A75"),
            key=f"{PAGE}.replaced.far",
            file_name=f"{chosen.file_stem}-replaced-distance",
            alt="Distance of estimates by share of explanations replaced",
        )
        show_note(
            f"{measure_title(chosen.measure)} to {called(chosen.against)} of estimates that read "
            "them."
        )
        return
    show_note("Effect on the distances: run estimates with a share replaced, for 0.25 to 1.")
    words = shlex.join(data_options(chosen.reading.dataset, chosen.reading.files))
    st.code(
        f"python -m capo_core distributions estimate {words} --base embedded --options labels "
        "--temperature 1 "
        f"--explanations {HUMANS} --replace-by {shlex.quote(model)} --replace-share 0.5 --queue",
        language="bash",
        wrap_lines=True,
    )

"""Distinctive phrases of an annotator, and the explanations behind a phrase."""

from __future__ import annotations

from functools import partial

import pandas as pd
import streamlit as st

from capo_core.dashboard.annotators import cache as annotators_cache
from capo_core.dashboard.annotators.cache import PhraseTexts
from capo_core.dashboard.annotators.charts import visible
from capo_core.dashboard.annotators.items import paging
from capo_core.dashboard.ui import url_state
from capo_core.dashboard.ui.components import Field, section_heading, show_note, side_by_side, table
from capo_core.dashboard.ui.glossary import HELP
from capo_core.dashboard.ui.item_html import tiles_html
from capo_core.dashboard.ui.text import markdown
from capo_core.dashboard.ui.theme import looks
from capo_core.dataset import Dataset
from capo_core.formatting import percent_interval, rate, short
from capo_core.text.segmentation import as_written

ORDER = (
    "Most distinctive first: by z, the log-odds of the phrase (this annotator against the others) "
    "divided by their standard error. Whiskers: 95 % intervals."
)
_PER_PAGE = 8
_OFFERED = 24


def show(page: str, dataset: Dataset, name: str, phrases: pd.DataFrame) -> None:
    """Show the phrases to click, the explanations of the open one, and the table of all phrases.

    Args:
        phrases: rows of `distinctive_phrases` of annotator `name`, in descending z.
    """
    if phrases.empty:
        return
    clear = phrases[phrases["clear"].astype(bool)]
    more = clear.loc[clear["z"] > 0, "phrase"].tolist()[:_OFFERED]
    less = clear.loc[clear["z"] < 0, "phrase"].tolist()[::-1][: _OFFERED // 2]
    _pills(page, "More frequent than with the others", more, "more")
    _pills(page, "Less frequent than with the others", less, "less")
    phrase = url_state.get("phrase")
    if phrase:
        _texts(page, dataset, name, phrase)
    from capo_core.stability.phrases import with_rate_intervals  # loads the measures

    with st.expander("Table of all phrases"):
        table(
            with_rate_intervals(phrases.assign(phrase=phrases["phrase"].map(as_written))),
            {
                "phrase": Field("Phrase"),
                "rate": Field("Rate", HELP["rate"], text=rate, ends=("rate_low", "rate_high")),
                "rate_others": Field("Others", "Rate of the others, with its 95 % interval.",
                                     text=rate, ends=("others_low", "others_high")),
                "count": Field("With it", "Explanations of this annotator with the phrase.", 0),
                "n": Field("n", "Explanations of this annotator.", 0),
                "log_odds": Field("Log-odds", "Above 0: more than the others.", 2),
                "low": Field("From", "Lower end of the 95 % interval of the log-odds.", 2),
                "high": Field("To", "Upper end of the 95 % interval of the log-odds.", 2),
                "z": Field("z", HELP["z"], 1),
            },
            key=f"{page}.phrases.table",
            file_name=f"{dataset.name}-phrases-{name}",
        )  # fmt: skip
        if steady := annotators_cache.phrase_reliability(dataset).get(name):
            show_note(steady)


def _pills(page: str, label: str, phrases: list[str], key: str) -> None:
    if not phrases:
        return
    place = f"{page}.{key}.pills"
    chosen = url_state.get("phrase")
    st.session_state[place] = chosen if chosen in phrases else None

    def changed() -> None:
        url_state.put(page, {"phrase": url_state.now(place), "p": None})

    st.pills(
        label,
        phrases,
        key=place,
        on_change=changed,
        format_func=lambda phrase: markdown(short(visible(phrase), 40)),
        help="Select a phrase to read its explanations.",
    )


def _texts(page: str, dataset: Dataset, name: str, phrase: str) -> None:
    own, others = annotators_cache.texts_with_phrase(dataset, phrase, name)
    section_heading(f"“{markdown(short(as_written(phrase), 60))}”")
    show_note(
        f"In {own.count:,} of {own.of:,} explanations by {name} ({_share(own)}) and in "
        f"{others.count:,} of {others.of:,} by the others ({_share(others)})."
    )
    with side_by_side("phrase", [1, 1]) as places:
        for place, title, part, key in (
            (places[0], f"By {name}", own, "p"),
            (places[1], "By the others", others, "po"),
        ):
            with place:
                st.markdown(f"**{markdown(short(title, 60))}**")
                if not part.tiles:
                    show_note("None.")
                    continue
                start, end = paging(page, key, len(part.tiles), _PER_PAGE, "different text")
                tiles, link = part.tiles[start:end], partial(_item_address, page)
                st.html(tiles_html(tiles, looks(dataset.annotators), link, phrase=phrase))
    with st.container(horizontal=True):
        st.button(
            "View with their items",
            key=f"{page}.phrase.items",
            on_click=url_state.put,
            args=(page, {"view": "items", "q": phrase, "annotator": name, "list": "1"}),
        )
        st.button(
            "Close",
            key=f"{page}.phrase.close",
            type="tertiary",
            on_click=url_state.put,
            args=(page, {"phrase": None, "p": None, "po": None}),
        )


def _share(found: PhraseTexts) -> str:
    """Return "12 % [9–15]": a share with its 95 % interval."""
    from capo_core.stats.intervals import wilson  # loads the measures

    share = found.count / max(1, found.of)
    return f"{rate(share)} {percent_interval(*wilson(found.count, found.of))}"


def _item_address(page: str, item: str) -> str:
    return url_state.address(page, view="items", item=item)

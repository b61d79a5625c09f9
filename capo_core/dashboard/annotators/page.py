"""The annotators page: a profile of one annotator, a comparison of two, or the items."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import pandas as pd
import streamlit as st

from capo_core.dashboard.annotators import PAGE, charts
from capo_core.dashboard.annotators import cache as annotators_cache
from capo_core.dashboard.annotators import items as annotators_items
from capo_core.dashboard.annotators import overview as annotators_overview
from capo_core.dashboard.annotators import phrases as annotators_phrases
from capo_core.dashboard.app import cache
from capo_core.dashboard.app.page import PageContext
from capo_core.dashboard.ui import url_state
from capo_core.dashboard.ui.components import (
    Field,
    is_dark,
    section_heading,
    show_figure,
    show_headline,
    show_key_numbers,
    show_note,
    side_by_side,
    table,
)
from capo_core.dashboard.ui.glossary import HELP
from capo_core.dashboard.ui.item_html import Answer, answers_html, item_html, labels_of_two
from capo_core.dashboard.ui.text import markdown
from capo_core.dashboard.ui.theme import looks
from capo_core.dataset import Dataset
from capo_core.formatting import count, number, number_interval, share_of, short

_MOST_LABELS = 40
# Unit of a style feature (see `stylometry.Feature`) → as it stands after a number.
_UNITS = {
    "percent of explanations": "% of explanations",
    "percent of words": "% of words",
    "count": "per explanation",
}


def show_pair(context: PageContext, dataset: Dataset) -> None:
    """Show label use, agreement and distinctive phrases of the two chosen annotators."""
    names = list(dataset.annotators)
    if len(names) < 2:
        show_note("This dataset has only one annotator, so there is no comparison.")
        return
    with side_by_side("pair", [1, 1]) as (left, right):
        with left:
            opening = annotators_cache.most_common_items(dataset)
            first = choose_annotator("First annotator", "who", names, default=opening[0])
        rest = [name for name in names if name != first]
        with right:
            other = annotators_cache.most_common_items(dataset, first)[1]
            second = choose_annotator("Second annotator", "than", rest, default=other, known=names)
    common = labels_of_two(dataset, first, second)
    if common.empty:
        show_headline(f"{first} and {second} have no item in common.")
    else:
        pair = annotators_cache.agreement_of_two(dataset, first, second)
        several = "" if common.index.is_unique else ", each of several labels counted by its share"
        show_headline(
            f"{first} and {second} both annotated {count(int(pair.n_items), 'item')} and gave the "
            f"same label to {_share_of_them(pair.raw_agreement, int(pair.n_items))}{several}."
        )
    use = {
        card.annotator_id: card
        for card in annotators_cache.profiles(context.workspace, context.entry)
    }
    look = looks(names)
    with side_by_side("labels", [1, 1]) as (left, right):
        with left:
            section_heading("Label use", HELP["labels"])
            show_figure(
                charts.label_use_of_two(use[first].labels, use[second].labels, first, second, look),
                key=f"{PAGE}.two.labels",
                file_name=f"{context.entry.name}-labels-{first}-{second}",
                alt=f"Share of each label, annotator {first} and annotator {second}",
            )
        with right:
            section_heading("Agreement on common items", HELP["kappa"])
            if common.empty:
                show_note("No common items.")
            elif len(dataset.task.scale.labels) > _MOST_LABELS:
                show_note("The scale has too many labels for a confusion matrix.")
            else:
                labels = list(dataset.task.scale.labels)
                counts = pd.crosstab(common["first"], common["second"])
                counts = counts.reindex(index=labels, columns=labels, fill_value=0)
                show_figure(
                    charts.confusion(counts, first, second, dark=is_dark()),
                    key=f"{PAGE}.two.confusion",
                    file_name=f"{context.entry.name}-agreement-{first}-{second}",
                    alt=f"Labels of annotator {first} against those of annotator {second}",
                    on_select=partial(_cell_clicked, first, second),
                )
                differing = common.index[common["first"] != common["second"]].nunique()
                st.button(
                    f"{count(differing, 'item')} where {short(first, 20)} and {short(second, 20)} "
                    "differ",
                    key=f"{PAGE}.two.differ",
                    on_click=_open_items,
                    args=(first, second),
                    disabled=not differing,
                )
    if dataset.explained:
        _phrases(context, dataset, first, second)


def _share_of_them(share: float, n: int) -> str:
    """Return a share of the `n` items named before, as "1 of the 11" or "65 % of them"."""
    shown = share_of(share, n)
    return shown.replace(" of ", " of the ") if " of " in shown else f"{shown} of them"


def _open_items(first: str, second: str, labels: Sequence[str] = ("", "")) -> None:
    """Open the items to which the two gave different labels, or just these."""
    pair = {"first": first, "second": second, "first_label": labels[0], "second_label": labels[1]}
    url_state.put(PAGE, {**dict.fromkeys(_OF_ONE_VIEW), **pair, "view": "items"})


def _cell_clicked(first: str, second: str) -> None:
    points = url_state.now(f"{PAGE}.two.confusion").selection.points
    if points and points[0].get("customdata"):
        _open_items(first, second, points[0]["customdata"][:2])


def _phrases(context: PageContext, dataset: Dataset, first: str, second: str) -> None:
    found = annotators_cache.phrases_of_two(dataset, *sorted((first, second)))
    look = looks(dataset.annotators)
    with side_by_side("words", [1, 1]) as places:
        for place, own, other in ((places[0], first, second), (places[1], second, first)):
            with place:
                section_heading(
                    f"More frequent with {markdown(short(own, 30))} than with "
                    f"{markdown(short(other, 30))}",
                    HELP["rate"],
                )
                rows = found[(found["annotator_id"] == own) & (found["z"] > 0)]
                rows = rows[rows["clear"].astype(bool)].head(12)
                if rows.empty:
                    show_note("No phrase is significantly more frequent.")
                    continue
                show_note(annotators_phrases.ORDER)
                show_figure(
                    charts.phrase_rates(rows, look[own], own, others=other),
                    key=f"{PAGE}.two.phrases.{own}",
                    file_name=f"{context.entry.name}-phrases-{own}-than-{other}",
                    alt=f"Rates of phrases of annotator {own} against annotator {other}",
                )


# Keys of the address that belong to one view only.
_OF_ONE_VIEW = (
    "phrase", "p", "po", "q", "annotator", "measure", "label", "differ", "manner", "list", "item",
    "first", "second", "first_label", "second_label", "kind", "rep", "red", "set", "seen",
    "ladder", "k",
)  # fmt: skip
_VIEWS = {
    "one": "One annotator",
    "two": "Compare two annotators",
    "all": "All annotators",
    "items": "Items",
    "map": "Map",
}


def show(context: PageContext) -> None:
    """Show the view that the address names, for the chosen dataset."""
    dataset = cache.dataset(context.workspace, context.entry)
    view = url_state.view(PAGE, _VIEWS, clears=_OF_ONE_VIEW)
    if view == "items":
        annotators_items.show(context, PAGE, dataset)
    elif view == "two":
        show_pair(context, dataset)
    elif view == "all":
        annotators_overview.show(context, dataset)
    elif view == "map":
        from capo_core.dashboard.annotators import explanation_map  # loads the measures

        explanation_map.show(context, dataset)
    else:
        _one(context, dataset)


def choose_annotator(
    label: str,
    key: str,
    names: Sequence[str],
    default: str | None = None,
    known: Sequence[str] | None = None,
) -> str:
    """Choose one of `names`: side by side if they are few, else in a list.

    Args:
        known: all annotators, by default `names`.
    """
    few = len(names) <= 8 and sum(len(name) for name in names) < 80
    return url_state.choice(
        st.segmented_control if few else st.selectbox,
        label,
        names,
        page=PAGE,
        key=key,
        default=default,
        clears=("phrase", "p"),
        known=known,
        format_func=lambda name: markdown(short(name, 40)) if few else name,
    )


def _one(context: PageContext, dataset: Dataset) -> None:
    # The key of the view Items, too: a link by it to somebody's profile is natural.
    linked = url_state.require("annotator", dataset.annotators)
    name = choose_annotator("Annotator", "who", dataset.annotators, default=linked)
    card = next(
        card
        for card in annotators_cache.profiles(context.workspace, context.entry)
        if card.annotator_id == name
    )
    look = looks(dataset.annotators)[name]
    show_headline(*card.interpretation)
    show_key_numbers(card.key_numbers)
    with side_by_side("card", [1, 1]) as (left, right):
        with left:
            section_heading("Label use", HELP["labels"])
            show_figure(
                charts.label_use(card.labels, name, look),
                key=f"{PAGE}.labels",
                file_name=f"{context.entry.name}-labels-{name}",
                alt=f"Share of each label in annotator {name}'s annotations and in the others'",
            )
        with right:
            phrases = annotators_cache.phrases(context.workspace, context.entry)
            phrases = phrases[phrases["annotator_id"] == name]
            clear = phrases[(phrases["z"] > 0) & phrases["clear"].astype(bool)]
            section_heading("Distinctive phrases", HELP["rate"])
            if clear.empty:
                show_note(card.without_phrases)
            else:
                show_note(annotators_phrases.ORDER)
                show_figure(
                    charts.phrase_rates(clear.head(12), look, name),
                    key=f"{PAGE}.phrases",
                    file_name=f"{context.entry.name}-phrases-{name}",
                    alt=f"Rates of phrases of annotator {name} against the others'",
                    on_select=_clicked,
                )
    annotators_phrases.show(PAGE, dataset, name, phrases)
    _style_features(context, card)
    _examples(dataset, card)


def _clicked() -> None:
    points = url_state.now(f"{PAGE}.phrases").selection.points
    if points and points[0].get("customdata"):
        url_state.put(PAGE, {"phrase": points[0]["customdata"][0], "p": None})


def _style_features(context: PageContext, card) -> None:
    features = [cue for cue in card.cues if cue.kind == "habit"]
    if not features:
        return
    section_heading(
        "Style features",
        "Features of style that differ significantly from the other annotators'. The difference is "
        "in standard deviations; above 0, this annotator has more of the feature.",
    )
    rows = pd.DataFrame([vars(cue) for cue in features]).drop(columns=["kind", "name"])
    if not rows["n"].any():  # of an earlier version, which did not keep it
        rows = rows.drop(columns=["n", "n_others"])
    table(
        rows.assign(unit=[_UNITS.get(unit, unit) for unit in rows["unit"]]),
        {
            "text": Field("Feature", width=316),
            "own": Field(short(card.annotator_id, 20), "This annotator's mean.", 1, width=65),
            "others": Field("Others", "Mean of all others.", 1, width=65),
            "unit": Field("Unit", "Of the two means.", width=124),
            "strength": Field(
                "Difference (SD)",
                "In standard deviations: this annotator minus the others, with the 95 % interval.",
                width=148, text=number, ends=("low", "high"), interval=number_interval,
            ),
            "n": Field("n", "This annotator's explanations.", 0, width=50),
        },
        key=f"{PAGE}.features",
        file_name=f"{context.entry.name}-style-features-{card.annotator_id}",
    )  # fmt: skip


def _examples(dataset: Dataset, card) -> None:
    texts, items = cache.annotations_by_id(dataset), cache.items_by_id(dataset)
    look = looks(dataset.annotators)
    with side_by_side("examples", [1, 1]) as places:
        for place, title, chosen in (
            (places[0], "Typical explanations", card.typical),
            (places[1], "Atypical explanations", card.atypical),
        ):
            if not chosen:
                continue
            with place:
                section_heading(
                    title,
                    "Ranked by how characteristic their phrases are of this annotator. The "
                    "atypical ones show how much the style varies.",
                )
                for annotation_id in chosen:
                    row = texts.loc[annotation_id]
                    item = items.loc[row["item_id"]]
                    st.html(
                        item_html(dataset.task, item["text_a"], item["text_b"])
                        + answers_html(
                            [Answer(row["annotator_id"], row["label"], row["explanation"])], look
                        )
                    )

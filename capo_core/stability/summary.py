"""Statements about a stability report: each finding in words, by one renderer for each claim.

A renderer says what is in its finding, and no sentence depends on the dataset's name.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from capo_core.findings import Finding
from capo_core.formatting import (
    Statement,
    number_interval,
    percent,
    percent_interval,
)
from capo_core.stability.claims import MASKED, Tables, findings, of_view
from capo_core.text.reductions import find_reduction
from capo_core.text.representations import find_representation

Values = Mapping[str, Any]


def statements(tables: Tables) -> tuple[Statement, ...]:
    """Return all statements that the tables allow, the most important first."""
    return tuple(RENDERERS[finding.claim](finding) for finding in findings(tables))


def view_statements(tables: Tables, view: str) -> tuple[Statement, ...]:
    """Return the statements of one representation, and the one that compares all of them."""
    of_all = tuple(each for each in statements(tables) if each.topic == "views")
    return (*(each for each in statements(of_view(tables, view)) if each.topic != "views"), *of_all)


def accuracy_text(point: Values) -> str:
    """Return an accuracy with its 95 % interval, "62 % [60–64]"; without one, the accuracy."""
    return f"{percent(point['value'])} {percent_interval(point['low'], point['high'])}".rstrip()


def _view(name: str) -> str:
    return find_representation(name).in_words


def _under(reduction: str) -> str:
    """Return the end of a phrase, with its space: " with input words masked"; "" for none."""
    return "" if reduction == "none" else f" {find_reduction(reduction).in_words}"


def _headline(finding: Finding) -> Statement:
    values = finding.values
    single, pooled = values["single"], values["pooled"]
    parts = {
        "view": _view(values["view"]), "reduction": _under(values["reduction"]), "k": single["k"],
        "accuracy": accuracy_text(single), "chance": single["chance"], "n_items": single["n"],
    }  # fmt: skip
    template = (
        "Attribution accuracy from {k:count explanation}, by {view}{reduction}: {accuracy} "
        "(chance {chance:percent}, {n_items:count item})"
    )
    if pooled is not None:
        parts |= {"pooled": accuracy_text(pooled), "k_pooled": pooled["k"]}
        template += "; from {k_pooled} pooled: {pooled}"
    template += "."
    places = values.get("single_places")
    if places is not None:
        template += (
            " Among {annotators:count annotator}, the right one is within the likeliest five in "
            "{top5} of cases (chance {top5_chance:percent}), at rank {rank} on average (chance "
            "{rank_chance:number 1})."
        )
        n = places["annotators"]
        parts |= {
            "annotators": n, "top5_chance": 5 / n, "rank_chance": (n + 1) / 2,
            "top5": f"{percent(places['top5'])} "
            f"{percent_interval(places['top5_low'], places['top5_high'])}",
            "rank": f"{places['mean_rank']:.1f} "
            f"{number_interval(places['mean_rank_low'], places['mean_rank_high'], 1)}",
        }  # fmt: skip
    if values.get("confounded"):
        template += " This is no evidence of style: items and annotators are confounded."
    elif not finding.decided:
        if _known(values["p"]) and values["p"] > 0.05:
            parts["p"] = values["p"]
            template += " A single explanation does not exceed the permutation null (p = {p:.2f})."
        else:
            template += " From a single explanation, that is not significantly above chance."
    elif values["sufficient"]:
        template += (
            " A single explanation is nearly sufficient here: these annotators write very "
            "differently."
        )
    return Statement("headline", template, parts)


def _confound(finding: Finding) -> Statement:
    values = dict(finding.values)
    if not values["shared"]:
        template = (
            "Every item has explanations by one annotator only. Annotators cannot be shuffled "
            "within items, so there is no permutation null and no p-value; and what items are "
            "about is confounded with who explained them."
        )
    else:
        template = (
            "Only {shared:,} of {items:count item} have explanations by two annotators or more. "
            "The permutation null shuffles annotators on these alone; on the others, what items "
            "are about is confounded with who explained them."
        )
    return Statement("confound", template, values)


def ladder_title(finding: Finding, representation: str, reduction: str) -> str:
    """Return the title of a ladder from its finding, with one reduction and its intervals.

    Args:
        representation, reduction: their titles.
    """
    single, pooled = finding.values["single"], finding.values["pooled"]
    explanations = "1 explanation" if single["k"] == 1 else f"{single['k']} explanations"
    title = f"{representation}, {reduction}: {accuracy_text(single)} from {explanations}"
    return (
        title if pooled is None else f"{title}, {accuracy_text(pooled)} from {pooled['k']} pooled"
    )


def _known(value: float | None) -> bool:
    return value is not None and not math.isnan(value)


def _reduction(finding: Finding) -> Statement:
    values = finding.values
    template = (
        "Masking the input words: accuracy by {view} {before} before and {after} after; masking as "
        "many random words gives {random}. "
    )
    if values["saturated"]:
        template += "With {before_value:percent} before any masking, input content hides little."
    elif (
        finding.decided
        and values["after"]["low"] > values["before"]["high"] > values["before"]["low"]
    ):
        template += (
            "Input content therefore obscures the annotators ({over_control:points} above the "
            "control)."
        )
    elif finding.decided:
        template += (
            "The input words therefore tell the annotators apart less than other words do "
            "({over_control:points} above the control)."
        )
    else:
        template += "Masking does not significantly exceed this control."
    return Statement("reduction", template, {
        "view": _view(values["view"]), "before": accuracy_text(values["before"]),
        "after": accuracy_text(values["after"]), "random": accuracy_text(values["random"]),
        "before_value": values["before"]["value"], "over_control": values["over_control"],
    })  # fmt: skip


def _views(finding: Finding) -> Statement:
    values = finding.values
    best, tied, below = values["best"], values["tied"], values["below"]
    listed = [
        Statement("part", "{view} ({accuracy})",
                  {"view": _view(one["view"]), "accuracy": accuracy_text(one)})
        for one in (best, *tied, *below)
    ]  # fmt: skip
    if finding.decided:
        template = "From a single explanation, accuracy is highest with {best}; then {others}."
        return Statement("views", template, {"best": listed[0], "others": listed[1:]})
    template = "From a single explanation, the accuracies by {tied} are not significantly different"
    parts: dict[str, Any] = {"tied": listed[: 1 + len(tied)]}
    if below:
        template += "; {below} {is} significantly below {best}"
        parts |= {
            "below": listed[1 + len(tied) :], "is": "is" if len(below) == 1 else "are",
            "best": _view(best["view"]),
        }  # fmt: skip
    return Statement("views", template + ".", parts)


def _label(finding: Finding) -> Statement:
    values = finding.values
    single, most = values["single"], values["most"]
    template = "Attribution accuracy from labels alone: {one} from one item"
    if most["k"] > 1:
        template += ", {many} from {k}"
    parts: dict[str, Any] = {
        "one": accuracy_text(single), "many": accuracy_text(most), "k": most["k"],
    }  # fmt: skip
    if values["identifying"]:
        template += (
            "; pooled labels identify annotators by themselves, so pooled accuracies of texts are "
            "no evidence of style here."
        )
    elif values["above"] and values["pooling"]:
        template += (
            "; annotators differ in label use, which may account for part of the gain from pooling."
        )
    elif values["above"]:
        template += "; annotators differ in label use."
    else:
        template += "; from one item, that is not significantly above chance."
    same = values["same_label"]
    if same is not None:
        template += (
            " Where two annotators gave an item the same label, their texts are matched correctly "
            "in {matched} of cases by {view} (chance 50\u00a0%, {pairs:count pair}"
        )
        template += ")." if same["above"] else "), not significantly above chance."
        parts |= {
            "matched": accuracy_text(same), "view": _view(same["view"]), "pairs": same["pairs"],
        }  # fmt: skip
    return Statement("label", template, parts)


def _variance(finding: Finding) -> Statement:
    values = finding.values
    parts = {
        "view": _view(values["view"]),
        "of_item": _share_ends(values["item_low"], values["item_high"]),
        "of_annotator": _share_ends(values["low"], values["high"]),
        **{name: max(values[name], 0.0) for name in ("item", "annotator", "residual")},
    }
    template = (
        "Of the variance of {view}, the item explains {item:percent 1}{of_item} and the annotator "
        "{annotator:percent 1}{of_annotator}; {residual:percent 1} is unexplained (interaction and "
        "noise)"
    )
    if not values["positive"]:
        template += ". The annotator's share is not significantly above zero."
    elif values["order"] == "item":
        template += "; the item's share is "
        if values["ratio"] >= 2:
            template += "{ratio:.0f} times the annotator's."
            parts["ratio"] = values["ratio"]
        else:
            template += "larger."
    elif values["order"] == "annotator":
        template += "; the annotator's share exceeds the item's."
    elif not _known(values["item_low"]):
        template += "; without an interval of the item's share, no order of the two is stated."
    else:
        template += "; the shares of item and annotator are not significantly different."
    if _known(values["masked"]):
        template += " Measured {reduction}, the item's is {masked:.1f} times the annotator's."
        parts |= {"reduction": find_reduction(MASKED).in_words, "masked": values["masked"]}
    return Statement("variance", template, parts)


def _share_ends(low: float, high: float) -> str:
    """Return " [0.9–1.5]", in percent and at least 0; "" without an interval."""
    return f" {percent_interval(max(low, 0.0), max(high, 0.0), 1)}" if _known(low) else ""


def _null(finding: Finding) -> Statement:
    values = finding.values
    parts: dict[str, Any] = {
        "points": values["points"], "p": values["p"], "view": _view(values["view"]),
        "reduction": _under(values["reduction"]), "k": values["k"],
    }  # fmt: skip
    template = (
        "Against the permutation null (annotators shuffled within items), the largest p-value of "
        "{points:count point} of the ladder is {p:p} ({view}{reduction}, k = {k})."
    )
    if values["input"] is not None:
        parts |= {"input": accuracy_text(values["input"]), "input_p": values["input_p"]}
        template += (
            " The input texts alone, the same for all annotators, reach {input} "
            "(p = {input_p:.2f})."
        )
    return Statement("null", template, parts)


def _leak(finding: Finding) -> Statement:
    values = finding.values
    template = (
        "Item-centering would reach {centred:percent}, but the mean of the other annotators' "
        "texts, without the annotator's own, already reaches {others}: "
    )
    if values["leaks"]:
        template += "item-centering leaks other annotators' texts, so it is not used."
    else:
        template += (
            "that is not significantly above chance here, but item-centering is not used in any "
            "case."
        )
    parts = {"centred": values["centred"], "others": accuracy_text(values["others"])}
    return Statement("leak", template, parts)


def _ends(point: Values) -> str:
    """Return an interval with its space, " [0.52–0.60]"; "" where it is not known."""
    return f" {number_interval(point['low'], point['high'])}".rstrip()


def _unsupervised(finding: Finding) -> Statement:
    values = finding.values
    first, last = values["first"], values["last"]
    pair = "two explanations" if first["k"] == 1 else "two groups of {k} explanations"
    template = (
        f"Without any training, {pair} of one annotator are closer than two of different "
        "annotators with probability {value:.2f}{interval}, by {view}{reduction}"
    )
    parts: dict[str, Any] = {
        "view": _view(values["view"]), "reduction": _under(values["reduction"]), **first,
        "interval": _ends(first),
    }  # fmt: skip
    if last is not None:
        template += "; groups of {last_k} with {last_value:.2f}{last_interval}"
        parts |= {f"last_{name}": value for name, value in last.items()}
        parts["last_interval"] = _ends(last)
    template += " (chance 0.50)." if finding.decided else (
        " (chance 0.50, from which {pair} do not differ significantly)."
    )  # fmt: skip
    parts["pair"] = "two explanations" if first["k"] == 1 else "these groups"
    return Statement("unsupervised", template, parts)


def controls_title(finding: Finding, reduction: str, control: str) -> str:
    """Return the title of the controls from their finding.

    Args:
        reduction, control: titles of the best reduction and of the strongest control.
    """
    k = finding.values["k"]
    order = finding.values["order"]
    if order == "above":
        return f"At k = {k}, the best reduction is significantly above every control"
    if order == "below":
        return f"At k = {k}, the best reduction is below the control “{control}”"
    return f"At k = {k}, the best reduction is not significantly above every control (“{control}”)"


RENDERERS: dict[str, Callable[[Finding], Statement]] = {
    "headline": _headline,
    "confound": _confound,
    "reduction": _reduction,
    "views": _views,
    "label": _label,
    "variance": _variance,
    "null": _null,
    "leak": _leak,
    "unsupervised": _unsupervised,
}

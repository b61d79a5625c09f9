"""Sentences on an evaluation: each finding in words, by one renderer for each claim.

A renderer says what is in its finding and nothing else; it knows no method. Page, HTML report,
experiment card, command line and JSON show these statements.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from capo_core.evaluation.claims import caricature, findings, imitation
from capo_core.evaluation.imitation_statement import brief_statement, imitation_statement
from capo_core.evaluation.referee.claims import RENDERERS as REFEREE_RENDERERS
from capo_core.evaluation.report import EvaluationReport
from capo_core.evaluation.statement_parts import (
    Values,
    cases,
    interval_text,
    is_known,
    number_with_interval,
    phrase,
    phrases,
    share_with_interval,
)
from capo_core.evaluation.table import ALL
from capo_core.findings import UNDEFINED, Finding
from capo_core.formatting import (
    MOST_DECIMALS,
    Named,
    Statement,
    capitalised,
    count,
    decimals_off_zero,
    number,
    p_statement,
    points_interval,
    readable_answers,
    share_of,
    span,
)
from capo_core.imitation.prompting.prompts import method_name

Renderer = Callable[[Finding], Statement | None]


def statements(report: EvaluationReport, target: str = ALL) -> tuple[Statement, ...]:
    """Return everything that can be stated of a report, the most important first.

    Args:
        target: one imitated annotator; `ALL`: those whom every method imitates.
    """
    made = (worded(finding) for finding in findings(report, target))
    return tuple(statement for statement in made if statement is not None)


def sentences(report: EvaluationReport, target: str = ALL) -> list[tuple[str, str]]:
    """Return (topic, sentence) of what can be stated of an annotator, or of `ALL`; the most
    important first."""
    return [(one.topic, titled(one)) for one in statements(report, target)]


def worded(finding: Finding) -> Statement | None:
    """Return a finding as a statement; None where there is nothing to say.

    Raises:
        KeyError: there is no renderer for its claim.
    """
    return RENDERERS[finding.claim](finding)


def brief(report: EvaluationReport, target: str = ALL) -> Statement | None:
    """Return the finding on imitation in one short sentence, for a card; None without one."""
    finding = imitation(report, target)
    return None if finding is None else brief_statement(finding)


def brief_caricature(report: EvaluationReport, target: str = ALL) -> Statement | None:
    """Return which methods are caricatures in one short sentence; None where none is."""
    finding = caricature(report, target)
    if finding is None:
        return None
    methods = [
        phrase(
            "{method} is a caricature: attributed to the target {above:points} {interval} more "
            "often than the target's own texts, in a style further from them",
            method=one["method"],
            above=one["above"],
            interval=points_interval(one["low"], one["high"]),
        )
        for one in finding.values["methods"]
    ]
    return Statement("caricature", "{methods:apart}.", {"methods": methods})


def titled(statement: Statement) -> str:
    """Return the sentence with methods under their titles, as screens and reports show it."""
    return capitalised(
        statement.render(lambda kind, key: method_name(key) if kind == "method" else key)
    )


def _confusion(finding: Finding) -> Statement:
    return Statement(
        "confusion",
        "Most frequent confusion: {shown} explanations by {method} in the place of {target} are "
        "attributed to {attributed}.",
        {
            **{name: finding.values[name] for name in ("method", "target", "attributed")},
            "shown": _counted(finding.values["share"], finding.n),
        },
    )


def _counted(share: float, n: int) -> str:
    """Return "11 of 12", "63 % of 120", for a share of n cases."""
    shown = share_of(share, n)
    return shown if " of " in shown else f"{shown} of {n:,}"


def _judge(finding: Finding) -> Statement:
    values = finding.values
    judge = values["judge"]
    if finding.verdict == UNDEFINED:
        return Statement("judge", "The LLM judge {judge} cannot be weighed: {reason}.",
                         {"judge": judge, "reason": finding.reason})  # fmt: skip
    first = phrase(
        "The LLM judge {judge} names the target as the author of the target's own held-out texts "
        "in {share} (chance {chance:percent})"
        + ("." if values["of_use"] else ", not significantly above chance: its answers about "
           "methods are no evidence."),
        judge=judge, share=_trials(values, finding.n), chance=values["chance"],
    )  # fmt: skip
    more = []
    worst = _favoured(values)
    if worst is not None:
        more.append(
            phrase(
                "It favours positions: {position} was named in {share:percent} of its answers "
                "({p}); cards stood equally often in each.",
                position=worst["position"], share=worst["share"],
                p=p_statement(values["position_p"]),
            )
        )  # fmt: skip
    if values["methods"]:
        more.append(
            phrase(
                "Share of each method's texts that it attributes to the target: {methods}.",
                methods=phrases(
                    "{method} {share}",
                    [
                        {"method": one["method"], "share": cases(one, False, "trial")}
                        for one in values["methods"]
                    ],
                ),
            )
        )
    return Statement("judge", "{first}", {"first": first}).joined(*more)


def _favoured(values: Values) -> Values | None:
    """Return the position that an LLM judge named most often, where it has a position bias."""
    p = values.get("position_p")
    if not values.get("positions") or not is_known(p) or p > 0.05:
        return None
    return max(values["positions"], key=lambda one: one["answers"])


def _trials(values: Values, n: int) -> str:
    row = {"value": values["human"], "low": values["low"], "high": values["high"], "n": n}
    return f"{share_with_interval(row, single=False)} of {count(n, 'trial')}"


def _labels(finding: Finding) -> Statement:
    values = finding.values
    single = values["single"]
    best = values["methods"][0]
    template = "Labels: {method} gives the target's own label in {share}"
    parts: dict[str, Any] = {"method": best["method"], "share": cases(best, single, "answer")}
    beside = {
        "floor": "another annotator would in {floor:percent}",
        "frequent": "always the most frequent label"
        + ("" if is_known(values["floor"]) else " would be it")
        + " in {frequent:percent}",
    }
    known = [name for name in beside if is_known(values[name])]
    if known:  # nobody else may have answered these items
        template += "; " + ", and ".join(beside[name] for name in known)
        parts |= {name: values[name] for name in known}
    better = [one for one in values["methods"] if one["against_frequent"] == "better"]
    worse = [one for one in values["methods"] if one["against_frequent"] == "worse"]
    gains = "{method} (by {gain:points} {interval})"
    if better:
        template += ". Significantly better than that label: {better}"
        parts["better"] = phrases(gains, [_gain(one, 1) for one in better])
    elif values["tested"]:
        template += ", so no method is significantly better than that label"
    if worse:
        template += ". Significantly worse than that label: {worse}"
        parts["worse"] = phrases(gains, [_gain(one, -1) for one in worse])
    if values["rivals"]:
        template += (
            ". The difference from {rivals} is not significant"
            if len(values["rivals"]) == 1
            else ". Its differences from {rivals} are not significant"
        )
        parts["rivals"] = phrases(
            "{method} ({share})",
            [
                {"method": one["method"],
                 "share": share_of(one["value"], one["n"], single=single)}
                for one in values["rivals"]
            ],
        )  # fmt: skip
    return Statement("label", template + ".", parts)


def _gain(row: Values, sign: int) -> dict[str, Any]:
    ends = sorted((sign * row["gain_low"], sign * row["gain_high"]))
    return {"method": row["method"], "gain": sign * row["gain"], "interval": points_interval(*ends)}


def _overlap(finding: Finding) -> Statement:
    values = finding.values
    against = {
        "better": "exceeds that",
        "worse": "is below that",
    }.get(values["order"], "does not differ significantly from that")
    difference = ""
    if finding.interval is not None and finding.decided:
        near = min(map(abs, finding.interval))
        difference = (
            "; difference {difference:signed "
            + str(decimals_off_zero(near, 2, MOST_DECIMALS))
            + "} "
            + interval_text(*finding.interval)
        )
    return Statement(
        "text",
        "Lexical overlap of {method} with the target's text on the same item (ROUGE-L {value}, "
        "n = {n:,}) " + against + " of another annotator ({floor:number}"
        f"{difference}).",
        {
            "method": values["method"], "floor": values["floor"], "n": finding.n,
            "difference": values["difference"],
            "value": number_with_interval(values["value"], values["low"], values["high"]),
        },
    )  # fmt: skip


def _caricature(finding: Finding) -> Statement:
    together = len(finding.compared.targets) != 1
    methods = [
        phrase(
            "{method} is a caricature of "
            + ("its targets" if together else "annotator {who}")
            + ": its explanations are attributed to the target {above:points} {interval} more "
            "often than the target's own, and their style is further from the target's "
            "({style:signed 3} {style_interval} compared with the target's own held-out texts, "
            "n = {n:,})",
            method=one["method"],
            who=Named("annotator", "".join(finding.compared.targets[:1])),
            above=one["above"],
            interval=points_interval(one["low"], one["high"]),
            style=one["style"],
            n=one["n"],
            style_interval=interval_text(one["style_low"], one["style_high"], 3),
        )
        for one in finding.values["methods"]
    ]
    template = "{methods:apart}. More typical than the human is not more like the human."
    return Statement("caricature", template, {"methods": methods})


def _self_similarity(finding: Finding) -> Statement:
    methods = phrases(
        "{method} ({gain:signed} {interval}, n = {n:,})",
        [
            {"method": one["method"], "gain": one["gain"], "n": one["n"],
             "interval": interval_text(one["low"], one["high"])}
            for one in finding.values["methods"]
        ],
    )  # fmt: skip
    return Statement(
        "diversity",
        "More self-similar across items than the targets (mean cosine above the human's): "
        "{methods}.",
        {"methods": methods},
    )


def _seeds(finding: Finding) -> Statement:
    methods = phrases("{method} {spread:points} ({n:count value})", finding.values["methods"])
    text = "Standard deviation of attribution over runs and samples: {methods}."
    return Statement("seeds", text, {"methods": methods})


def _readable(finding: Finding) -> Statement:
    methods = [
        phrase("{method}, {counts}", method=one["method"],
              counts=readable_answers(one["readable"], one["n"]))
        for one in finding.values["methods"]
    ]  # fmt: skip
    return Statement(
        "unread",
        "Not every answer could be read: {methods:apart}. A missing label counts as wrong, a "
        "missing explanation as nobody's.",
        {"methods": methods},
    )


def _left_out(finding: Finding) -> Statement:
    values = finding.values
    parts: dict[str, Any] = {}
    sentences = []
    if values["apart"]:
        parts["apart"] = values["apart"]
        if values["targets"]:
            parts["targets"] = values["targets"]
            sentences.append(
                "Means are over {targets}, whom every method imitates; {apart} "
                f"{'is' if len(values['apart']) == 1 else 'are'} imitated by some methods only and "
                "left out of them."
            )
        else:
            sentences.append(
                "There are no means over annotators: no annotator is imitated by every method "
                "({apart} by some only)."
            )
    if values["dropped"]:
        parts["dropped"] = phrases("{method} {left_out:count answer}", values["dropped"])
        sentences.append("Left out, since not every method answered these items: {dropped}.")
    return Statement("left out", " ".join(sentences), parts)


def _missing(finding: Finding) -> Statement:
    return finding.values["statement"]


def _eyes(finding: Finding) -> Statement:
    values = finding.values
    parts: dict[str, Any] = {"nearest": phrases("{method} by {eye}", values["nearest"])}
    if not values["nearest"]:  # each puts several first
        parts = {}
    ranks = ""
    low, high = values["tau_low"], values["tau_high"]
    if is_known(low):
        parts |= {"low": low, "high": high, "n": values["n_methods"]}
        parts["span"] = span([number(end) for end in (low, high)])
        ranks = " (Kendall's τ of their orders {span}, {n:count method})"
    if not parts.get("nearest"):
        template = (
            "Measures of imitation rank the methods differently, by point estimates"
            f"{ranks}; none of them names one method as nearest."
        )
    elif finding.decided:
        template = (
            "Measures of imitation rank the methods differently: nearest to the targets' own level "
            f"are {{nearest}}{ranks}. A conclusion from one of them alone is about that measure."
        )
    else:
        template = (
            "Measures of imitation rank the methods differently, by point estimates: "
            f"{{nearest}}{ranks}. None of these differences is significant by itself."
        )
    return Statement("eyes", template, parts)


def _likelihood(finding: Finding) -> Statement:
    values = finding.values
    template = (
        "Likelihood: the annotators' own adapters name the author of {share} of the targets' "
        "held-out {what} (n = {n:,}; chance {chance:percent}; calibrated on {texts:,} validation "
        "explanations)."
    )
    row = {"value": values["value"], "low": values["low"], "high": values["high"], "n": finding.n}
    parts: dict[str, Any] = {
        "share": share_with_interval(row, single=False), "n": finding.n,
        "chance": values["chance"], "texts": values["texts"],
        "what": "explanations" if values["k"] == 1 else f"groups of {values['k']} explanations",
    }  # fmt: skip
    if values["side"] != "above":
        template += " That is not significantly above chance, so this measure decides nothing here."
    if values["same_training"]:
        parts["sources"] = values["same_training"]
        template += (
            " {sources}: written by these adapters themselves, or by adapters trained on from them,"
            " and so likelier under them; adapters of another seed do not have this advantage."
        )
    return Statement("likelihood", template, parts)


RENDERERS: dict[str, Renderer] = {
    "headline": imitation_statement,
    "confusion": _confusion,
    "judge": _judge,
    "label": _labels,
    "text": _overlap,
    "caricature": _caricature,
    "diversity": _self_similarity,
    "seeds": _seeds,
    "unread": _readable,
    "left out": _left_out,
    "missing": _missing,
    "eyes": _eyes,
    "likelihood": _likelihood,
    **REFEREE_RENDERERS,
}

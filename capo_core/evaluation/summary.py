"""Sentences on an evaluation: each finding in words, by one renderer for each claim.

A renderer says what is in its finding and nothing else; it knows no method. Page, HTML report,
experiment card, command line and JSON show these statements.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from capo_core.evaluation.claims import findings, imitation
from capo_core.evaluation.human_distance import OVERSHOOT, UNDERSHOOT
from capo_core.evaluation.referee.claims import RENDERERS as REFEREE_RENDERERS
from capo_core.evaluation.report import EvaluationReport
from capo_core.evaluation.table import ALL
from capo_core.findings import UNDEFINED, Finding
from capo_core.formatting import (
    PERCENT,
    Named,
    Statement,
    capitalised,
    count,
    number,
    p_statement,
    percent_interval,
    points,
    points_interval,
    readable_answers,
    share_of,
)
from capo_core.imitation.prompting.prompts import method_name

MOST_TIED = 3  # methods without an order between them whose numbers are in the sentence

Values = Mapping[str, Any]
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
    if finding is None:
        return None
    if finding.verdict == UNDEFINED:
        return _imitation(finding)
    values = finding.values
    best, *others = values["methods"]
    tied = [other for other in others if other["order"] != "further"]
    human = {"human": values["human"], "n": len(values["methods"])}
    whose = "target" if values["single"] else "targets"
    share = "{method} {share:percent}"
    if tied:
        shown = [
            {"method": one["method"], "share": one["value"]}
            for one in (best, *tied[: MOST_TIED - 1])
        ]
        more = "" if len(tied) < MOST_TIED else " and {more} more"
        return Statement(
            "headline",
            "It is undecided which of {n:count method} comes nearest to its "
            f"{whose} ({{methods:listed or}}{more}; the target's own texts {{human:percent}}).",
            {**human, "methods": _parts(share, shown), "more": len(tied) - MOST_TIED + 1},
        )
    begin = f"Of {{n:count method}}, {{method}} is nearest to its {whose}" if others else "{method}"
    return Statement(
        "headline",
        begin + ": {share} of explanations attributed to the target (the target's own texts "
        "{human:percent})."
        if values["k"] == 1
        else begin + ": {share} of groups of {k} explanations attributed to the target (the "
        "target's own texts {human:percent}).",
        {
            **human, "method": best["method"], "k": values["k"],
            "share": share_with_interval(best, single=values["single"]),
        },
    )  # fmt: skip


def titled(statement: Statement) -> str:
    """Return the sentence with methods under their titles, as screens and reports show it."""
    return capitalised(
        statement.render(lambda kind, key: method_name(key) if kind == "method" else key)
    )


def _part(template: str, **values: Any) -> Statement:
    return Statement("part", template, values)


def _parts(template: str, rows: Iterable[Values]) -> list[Statement]:
    """Return `template` with the values of each row; a list of them is "A, B and C"."""
    return [_part(template, **row) for row in rows]


def _known(value: float | None) -> bool:
    return value is not None and not math.isnan(value)


def share_with_interval(row: Values, *, single: bool) -> str:
    """Return "63 % [58–68]"; of few cases "11 of 12 [62–98 %]".

    Args:
        row: value, low, high and n.
        single: whether the share is of these n cases, and no mean over annotators.
    """
    shown, interval = share_of(row["value"], row["n"], single=single), ""
    if _known(row["low"]) and _known(row["high"]):
        interval = percent_interval(row["low"], row["high"])
    if " of " in shown and interval:
        interval = f"{interval[:-1]}{PERCENT}]"
    return f"{shown} {interval}".strip()


def interval_text(low: float | None, high: float | None, digits: int = 2) -> str:
    """Return the interval of a number, "[0.12–0.20]", "[−0.03 to 0.20]"; "" without one."""
    if not (_known(low) and _known(high)):
        return ""
    ends = number(low, digits), number(high, digits)
    return f"[{(' to ' if min(low, high) < 0 else '–').join(ends)}]"


def _imitation(finding: Finding) -> Statement | None:
    if finding.verdict == UNDEFINED:
        return Statement.plain("headline", f"Imitation cannot be judged: {finding.reason}.")
    values = finding.values
    best, *others = values["methods"]
    tied = [other for other in others if other["order"] != "further"]
    further = [other for other in others if other["order"] == "further"]
    single, unit = values["single"], "text" if values["k"] == 1 else "group"
    reference = _part(
        "the target's own texts ({human}; other people's {floor:percent}, chance "
        "{chance:percent})",
        human=_own(values, unit), floor=values["floor"], chance=values["chance"],
    )  # fmt: skip
    what = (
        _part("single explanations are")
        if values["k"] == 1
        else _part("groups of {k} explanations are", k=values["k"])
    )
    sentences = []
    if tied:
        sentences.append(
            _part(
                "It is undecided which of {n:count method} comes nearest to its "
                + ("target" if single else "targets")
                + ": {best} is not significantly nearer to the target's own texts than "
                "{tied:listed or}.",
                n=len(values["methods"]), best=best["method"], tied=[t["method"] for t in tied],
            )
        )  # fmt: skip
        sentences.append(
            _part(
                "Of {best}, {what} attributed to the target in {share}, {position} {reference}; "
                "{others:apart}.",
                best=best["method"], what=what, share=_cases(best, single, unit),
                position=_position(best), reference=reference,
                others=_parts(
                    "of {method} in {share}, {position} them",
                    [
                        {"method": one["method"], "share": _cases(one, single, unit),
                         "position": _position(one)}
                        for one in tied[: MOST_TIED - 1]
                    ],
                ),
            )
        )  # fmt: skip
    else:
        begin = (
            _part("Of {n:count method}, {method} is nearest to its "
                  + ("target:" if single else "targets:"),
                  n=len(values["methods"]), method=best["method"])
            if others
            else _part("With {method},", method=best["method"])
        )  # fmt: skip
        sentences.append(
            _part(
                "{begin} {what} attributed to the target in {share}, {position} {reference}.",
                begin=begin, what=what, share=_cases(best, single, unit), position=_position(best),
                reference=reference,
            )
        )  # fmt: skip
    if further:
        sentences.append(
            _part(
                "Significantly further away" + (" than {best}: " if tied else ": ") + "{list}.",
                best=best["method"],
                list=_parts(
                    "{method} ({share:percent}, {beyond}distance larger by {further:points} "
                    "{interval})",
                    [
                        {"method": one["method"], "share": one["value"], "further": one["further"],
                         "beyond": _beyond(one),
                         "interval": points_interval(one["further_low"], one["further_high"])}
                        for one in further
                    ],
                ),
            )
        )  # fmt: skip
    shown = [best, *tied[: MOST_TIED - 1]]
    apart = [] if single else [one for one in shown if _apart(one)]
    if apart:
        sentences.append(
            _part(
                "Averaged over annotators, above and below not cancelling, the distance of "
                "{methods}.",
                methods=_parts("{method} is {distance:points}", apart),
            )
        )
    remarks: dict[str, list[Named]] = {}
    for one in (best, *tied):
        remarks.setdefault(_remark(one), []).append(one["method"])
    for remark, methods in remarks.items():
        if remark:
            sentences.append(_part(f"{{methods}}: {remark}.", methods=methods))
    return Statement("headline", "{first}", {"first": sentences[0]}).joined(*sentences[1:])


def _own(values: Values, unit: str) -> str:
    """Return the human's own share with its n, "66 % of 94 texts"."""
    n = values["human_n"]
    shown = share_of(values["human"], n, single=values["single"])
    return f"{shown} {unit}s" if " of " in shown else f"{shown} of {count(n, unit)}"


def _beyond(row: Values) -> Statement:
    """Return by how much a method is beyond the human, with a comma; nothing where it is not."""
    if row["level"] != OVERSHOOT:
        return _part("")
    interval = points_interval(row["gap_low"], row["gap_high"])
    return _part("{gap:points} {interval} beyond, ", gap=row["gap"], interval=interval)


def _apart(row: Values) -> bool:
    """Return whether the mean distance is not the size of the mean difference, as printed."""
    return points(row["distance"]) != points(abs(row["gap"]))


def _cases(row: Values, single: bool, unit: str = "text") -> str:
    """Return "63 % [58–68] of 100 texts"; of few ones "11 of 12 texts [62–98 %]"."""
    shown = share_with_interval(row, single=single)
    if " of " in shown:
        head, _, interval = shown.partition(" [")
        counted = f"{head} {unit if row['n'] == 1 else unit + 's'}"
        return f"{counted} [{interval}" if interval else counted
    return f"{shown} of {count(row['n'], unit)}"


def _position(row: Values) -> Statement:
    """Return where a method stands to the human, before "the target's own texts"."""
    gap, low, high = row["gap"], row["gap_low"], row["gap_high"]
    if row["level"] == OVERSHOOT:
        apart = row["below"]
        template = "{gap:points} {interval} beyond"
        if apart:
            template = "{gap:points} {interval} beyond (but below for {apart})"
        return _part(template, gap=gap, interval=points_interval(low, high), apart=apart)
    if row["level"] == UNDERSHOOT:
        apart = row["beyond"]
        template = "{gap:points} {interval} below"
        if apart:
            template = "{gap:points} {interval} below (but beyond for {apart})"
        return _part(template, gap=-gap, interval=points_interval(-high, -low), apart=apart)
    if row["too_few"]:
        return _part("which {n:count item} cannot tell from", n=row["n_items"])
    template = "not significantly different ({gap:points} {interval}) from"
    if row["beyond"] or row["below"]:
        sides = [
            _part(f"{side} for {{who}}", who=row[name])
            for name, side in (("beyond", "beyond"), ("below", "below"))
            if row[name]
        ]
        return _part("{sides}, and on average " + template, sides=sides, gap=gap,
                     interval=points_interval(low, high))  # fmt: skip
    return _part(template, gap=gap, interval=points_interval(low, high))


def _remark(row: Values) -> str:
    """Return what a method does not exceed; "" where it exceeds chance and other people."""
    if row["above_chance"] == "below":
        return "below chance, as its texts are attributed to others more often"
    short = []
    if not row["above_chance"]:
        short.append("chance")
    if row["above_floor"] is False:
        short.append("other people's texts")
    return f"not significantly above {' or '.join(short)}" if short else ""


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
    first = _part(
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
            _part(
                "It favours positions: {position} was named in {share:percent} of its answers "
                "({p}); cards stood equally often in each.",
                position=worst["position"], share=worst["share"],
                p=p_statement(values["position_p"]),
            )
        )  # fmt: skip
    if values["methods"]:
        more.append(
            _part(
                "Share of each method's texts that it attributes to the target: {methods}.",
                methods=_parts(
                    "{method} {share}",
                    [
                        {"method": one["method"], "share": share_with_interval(one, single=False)}
                        for one in values["methods"]
                    ],
                ),
            )
        )
    return Statement("judge", "{first}", {"first": first}).joined(*more)


def _favoured(values: Values) -> Values | None:
    """Return the position that an LLM judge named most often, where it has a position bias."""
    p = values.get("position_p")
    if not values.get("positions") or not _known(p) or p > 0.05:
        return None
    return max(values["positions"], key=lambda one: one["answers"])


def _trials(values: Values, n: int) -> str:
    row = {"value": values["human"], "low": values["low"], "high": values["high"], "n": n}
    return f"{share_with_interval(row, single=False)} of {count(n, 'trial')}"


def _labels(finding: Finding) -> Statement:
    values = finding.values
    single = values["single"]
    best = values["methods"][0]
    template = (
        "Labels: {method} gives the target's own label in {share}; another annotator would in "
        "{floor:percent}, and always the most frequent label in {frequent:percent}"
    )
    parts: dict[str, Any] = {
        "method": best["method"], "share": _cases(best, single, "answer"), "floor": values["floor"],
        "frequent": values["frequent"],
    }  # fmt: skip
    better = [one for one in values["methods"] if one["against_frequent"] == "better"]
    worse = [one for one in values["methods"] if one["against_frequent"] == "worse"]
    gains = "{method} (by {gain:points} {interval})"
    if better:
        template += ". Significantly better than that label: {better}"
        parts["better"] = _parts(gains, [_gain(one, 1) for one in better])
    elif values["tested"]:
        template += ", so no method is significantly better than that label"
    if worse:
        template += ". Significantly worse than that label: {worse}"
        parts["worse"] = _parts(gains, [_gain(one, -1) for one in worse])
    if values["rivals"]:
        template += (
            ". The difference from {rivals} is not significant"
            if len(values["rivals"]) == 1
            else ". Its differences from {rivals} are not significant"
        )
        parts["rivals"] = _parts(
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
        difference = f"; 95 % interval of the difference {interval_text(*finding.interval)}"
    return Statement(
        "text",
        "Lexical overlap of {method} with the target's text on the same item (ROUGE-L "
        "{value:number} {interval}) " + against + " of another annotator ({floor:number}"
        f"{difference}).",
        {
            "method": values["method"], "value": values["value"], "floor": values["floor"],
            "interval": interval_text(values["low"], values["high"]),
        },
    )  # fmt: skip


def _caricature(finding: Finding) -> Statement:
    together = len(finding.compared.targets) != 1
    methods = [
        _part(
            "{method} is a caricature of "
            + ("its targets" if together else "annotator {who}")
            + ": its explanations are attributed to the target {above:points} {interval} more "
            "often than the target's own, and their style is further from the target's "
            "({style:signed 3} {style_interval} compared with the target's own held-out texts)",
            method=one["method"],
            who=Named("annotator", "".join(finding.compared.targets[:1])),
            above=one["above"],
            interval=points_interval(one["low"], one["high"]),
            style=one["style"],
            style_interval=interval_text(one["style_low"], one["style_high"], 3),
        )
        for one in finding.values["methods"]
    ]
    template = "{methods:apart}. More typical than the human is not more like the human."
    return Statement("caricature", template, {"methods": methods})


def _self_similarity(finding: Finding) -> Statement:
    methods = _parts(
        "{method} ({gain:signed} {interval})",
        [
            {"method": one["method"], "gain": one["gain"],
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
    methods = _parts("{method} {spread:points} ({n:count value})", finding.values["methods"])
    text = "Standard deviation of attribution over runs and samples: {methods}."
    return Statement("seeds", text, {"methods": methods})


def _readable(finding: Finding) -> Statement:
    methods = [
        _part("{method}, {counts}", method=one["method"],
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
        parts["dropped"] = _parts("{method} {left_out:count answer}", values["dropped"])
        sentences.append("Left out, since not every method answered these items: {dropped}.")
    return Statement("left out", " ".join(sentences), parts)


def _missing(finding: Finding) -> Statement:
    return finding.values["statement"]


def _eyes(finding: Finding) -> Statement:
    values = finding.values
    parts: dict[str, Any] = {"nearest": _parts("{method} by {eye}", values["nearest"])}
    ranks = ""
    low, high = values["tau_low"], values["tau_high"]
    if _known(low):
        parts |= {"low": low, "high": high, "n": values["n_methods"]}
        span = "{low:number}" if low == high else "{low:number} to {high:number}"
        ranks = f" (Kendall's τ of their orders {span}, {{n:count method}})"
    if finding.decided:
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
    "headline": _imitation,
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

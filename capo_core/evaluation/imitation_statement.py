"""Sentences on imitation: which method comes nearest to its targets, where all of them stand."""

from __future__ import annotations

from capo_core.evaluation.human_distance import OVERSHOOT, UNDERSHOOT
from capo_core.evaluation.statement_parts import (
    Values,
    cases,
    is_known,
    n_text,
    phrase,
    phrases,
    share_with_interval,
)
from capo_core.findings import UNDEFINED, Finding
from capo_core.formatting import Named, Statement, count, points, points_interval, share_of

NO_WIDTH = 1e-9  # of an interval of equal draws
MOST_TIED = 3  # methods without an order between them whose numbers are in the sentence


def imitation_statement(finding: Finding) -> Statement:
    """Return the finding on imitation, with the level of every method that is not ruled out."""
    if finding.verdict == UNDEFINED:
        return Statement.plain("headline", f"Imitation cannot be judged: {finding.reason}.")
    values = finding.values
    best, tied, further = _by_order(values)
    sentences = _undecided(values, best, tied) if tied else [_nearest(values, best)]
    if further:
        sentences.append(_further(best, further, tied))
    apart = [one for one in (best, *tied[: MOST_TIED - 1]) if _apart(one)]
    if apart and not values["single"]:
        sentences.append(
            phrase(
                "Averaged over annotators, above and below not cancelling, the distance of "
                "{methods}.",
                methods=phrases("{method} is {distance:points}", apart),
            )
        )
    sentences += _remarks((best, *tied))
    return Statement("headline", "{first}", {"first": sentences[0]}).joined(*sentences[1:])


def brief_statement(finding: Finding) -> Statement:
    """Return the same in one short sentence, for a card."""
    if finding.verdict == UNDEFINED:
        return imitation_statement(finding)
    values = finding.values
    best, tied, _ = _by_order(values)
    groups = "" if values["k"] == 1 else "groups of {k} explanations; "
    reference = f" ({groups}the target's own texts {{human}}"
    own = share_of(values["human"], values.get("human_n", 0), single=values["single"])
    parts = {"human": own, "n": len(values["methods"]), "k": values["k"]}
    whose = "target" if values["single"] else "targets"
    if tied:
        shown = (best, *tied[: MOST_TIED - 1])
        methods = [
            phrase("{method} {share}", method=one["method"],
                   share=share_with_interval(one, single=values["single"]))
            for one in shown
        ]  # fmt: skip
        others = len(tied) + 1 - len(shown)
        if others:
            methods.append(phrase("{others:count other}", others=others))
        return Statement(
            "headline",
            "It is undecided which of {n:count method} comes nearest to its "
            f"{whose} in attribution: {{methods:listed or}}{reference}; {{sizes}}).",
            {**parts, "methods": methods, "sizes": n_text(one["n"] for one in shown)},
        )
    alone = len(values["methods"]) == 1
    begin = "{method}" if alone else f"Of {{n:count method}}, {{method}} is nearest to its {whose}"
    return Statement(
        "headline",
        f"{begin}: {{share}} attributed to the target{reference}).",
        {
            **parts,
            "method": best["method"],
            "share": cases(best, values["single"], _unit(values)),
        },
    )


def _by_order(values: Values) -> tuple[Values, list[Values], list[Values]]:
    """Return the nearest method, those not significantly further away, and those that are."""
    best, *others = values["methods"]
    tied = [other for other in others if other["order"] != "further"]
    return best, tied, [other for other in others if other["order"] == "further"]


def _unit(values: Values) -> str:
    return "text" if values["k"] == 1 else "group"


def _what(values: Values) -> Statement:
    if values["k"] == 1:
        return phrase("single explanations are")
    return phrase("groups of {k} explanations are", k=values["k"])


def _reference(values: Values) -> Statement:
    """Return what a method's share is compared with: the human's own, floor and chance."""
    if not is_known(values["floor"]):  # nobody else answered these items
        return phrase(
            "the target's own texts ({human}; chance {chance:percent})",
            human=_own(values),
            chance=values["chance"],
        )
    return phrase(
        "the target's own texts ({human}; other people's {floor:percent}, chance {chance:percent})",
        human=_own(values),
        floor=values["floor"],
        chance=values["chance"],
    )


def _undecided(values: Values, best: Values, tied: list[Values]) -> list[Statement]:
    single, unit = values["single"], _unit(values)
    return [
        phrase(
            "It is undecided which of {n:count method} comes nearest to its "
            + ("target" if single else "targets")
            + ": {best} is not significantly nearer to the target's own texts than "
            "{tied:listed or}.",
            n=len(values["methods"]),
            best=best["method"],
            tied=[one["method"] for one in tied],
        ),
        phrase(
            "Of {best}, {what} attributed to the target in {share}, {position} {reference}; "
            "{others:apart}.",
            best=best["method"],
            what=_what(values),
            share=cases(best, single, unit),
            position=_position(best),
            reference=_reference(values),
            others=phrases(
                "of {method} in {share}, {position} them",
                [
                    {
                        "method": one["method"],
                        "share": cases(one, single, unit),
                        "position": _position(one),
                    }
                    for one in tied[: MOST_TIED - 1]
                ],
            ),
        ),
    ]


def _nearest(values: Values, best: Values) -> Statement:
    if len(values["methods"]) == 1:
        begin = phrase("With {method},", method=best["method"])
    else:
        begin = phrase(
            "Of {n:count method}, {method} is nearest to its "
            + ("target:" if values["single"] else "targets:"),
            n=len(values["methods"]),
            method=best["method"],
        )
    return phrase(
        "{begin} {what} attributed to the target in {share}, {position} {reference}.",
        begin=begin,
        what=_what(values),
        share=cases(best, values["single"], _unit(values)),
        position=_position(best),
        reference=_reference(values),
    )


def _further(best: Values, further: list[Values], tied: list[Values]) -> Statement:
    return phrase(
        "Significantly further away" + (" than {best}: " if tied else ": ") + "{list}.",
        best=best["method"],
        list=phrases(
            "{method} ({share:percent}, {beyond}distance larger by {further:points}{interval})",
            [
                {
                    "method": one["method"],
                    "share": one["value"],
                    "further": one["further"],
                    "beyond": _beyond(one),
                    "interval": _after(one["further_low"], one["further_high"]),
                }
                for one in further
            ],
        ),
    )


def _remarks(methods: tuple[Values, ...]) -> list[Statement]:
    """Return what methods do not exceed, those of the same remark in one sentence."""
    remarks: dict[str, list[Named]] = {}
    for one in methods:
        remarks.setdefault(_remark(one), []).append(one["method"])
    return [
        phrase(f"{{methods}}: {remark}.", methods=named)
        for remark, named in remarks.items()
        if remark
    ]


def _own(values: Values) -> str:
    """Return the human's own share with its n, "66 % of 94 texts"."""
    n, unit = values["human_n"], _unit(values)
    shown = share_of(values["human"], n, single=values["single"])
    if " of " in shown:
        return f"{shown} {unit if n == 1 else unit + 's'}"
    return f"{shown} of {count(n, unit)}"


def _beyond(row: Values) -> Statement:
    """Return by how much a method is beyond the human, with a comma; nothing where it is not."""
    if row["level"] != OVERSHOOT:
        return phrase("")
    interval = _after(row["gap_low"], row["gap_high"])
    return phrase("{gap:points}{interval} beyond, ", gap=row["gap"], interval=interval)


def _after(low: float, high: float) -> str:
    """Return an interval in points after its difference, " [2–10]"; "" where there is none.

    One without width is said in words: the difference is the same on every item, and the interval
    would read as a certainty.
    """
    if abs(high - low) < NO_WIDTH:
        return " on every item"
    return f" {points_interval(low, high)}".rstrip()


def _apart(row: Values) -> bool:
    """Return whether the mean distance is not the size of the mean difference, as printed."""
    return points(row["distance"]) != points(abs(row["gap"]))


def _position(row: Values) -> Statement:
    """Return where a method stands to the human, before "the target's own texts"."""
    gap, low, high = row["gap"], row["gap_low"], row["gap_high"]
    if row["level"] == OVERSHOOT:
        apart = row["below"]
        template = "{gap:points}{interval} beyond"
        if apart:
            template = "{gap:points}{interval} beyond (but below for {apart})"
        return phrase(template, gap=gap, interval=_after(low, high), apart=apart)
    if row["level"] == UNDERSHOOT:
        apart = row["beyond"]
        template = "{gap:points}{interval} below"
        if apart:
            template = "{gap:points}{interval} below (but beyond for {apart})"
        return phrase(template, gap=-gap, interval=_after(-high, -low), apart=apart)
    if row["too_few"]:
        return phrase("which {n:count item} cannot tell from", n=row["n_items"])
    template = "not significantly different ({gap:points}{interval}) from"
    if row["beyond"] or row["below"]:
        sides = [
            phrase(f"{side} for {{who}}", who=row[name])
            for name, side in (("beyond", "beyond"), ("below", "below"))
            if row[name]
        ]
        return phrase("{sides}, and on average " + template, sides=sides, gap=gap,
                     interval=_after(low, high))  # fmt: skip
    return phrase(template, gap=gap, interval=_after(low, high))


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

"""Findings on label distributions as sentences, with names and numbers in their one form.

The page, the command line, reports and exports all take their words and roundings from here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from capo_core import formatting
from capo_core.distributions.compare import measure_title
from capo_core.distributions.findings import (
    BASELINE_ONLY,
    CLOSER,
    FARTHER,
    NEAREST,
    NO_BETTER,
    NO_VALUE,
    NOTHING,
    ONE,
    TIED,
    WORSE,
    NearestFinding,
    SourceStanding,
)
from capo_core.distributions.judgments import CROWD, UNIFORM
from capo_core.distributions.ranking import DERIVED, MEAN, NONE, TOO_FEW, Ranking, SetAside
from capo_core.formatting import Named, Statement, capitalised, short
from capo_core.imitation.prompting.prompts import METHOD_TITLES
from capo_core.stats.significance import FEWEST

MANY = 100  # items from which on a distance is shown with three decimals
_NAMED = 3  # sources named in a sentence; of more, the first and how many more


def digits(n: int) -> int:
    """Return the decimals of a mean distance over `n` items, the same wherever it is shown."""
    return 3 if n >= MANY else 2


def measured(value: float, low: float, high: float, n: int) -> Statement:
    """Return a value over `n` items with its interval, "0.212 [0.200, 0.224]"."""
    value, low, high = (_clean(part, digits(n)) for part in (value, low, high))
    return formatting.measured(value, low, high, digits(n))


def _clean(value: float, places: int) -> float:
    """Return a value that is zero but for the arithmetic, or rounds to it, without a minus sign."""
    return 0.0 if round(value, places) == 0 else value


def source_name(name: str) -> str:
    """Return a source's title: "capo team" → "CAPO team", "humans × sft A" → "humans × SFT A"."""
    if name == MEAN:
        return "mean distribution"
    if " × " in name:
        return " × ".join(map(source_name, name.split(" × ")))
    head, space, rest = name.partition(" ")
    return METHOD_TITLES[head] + space + rest if head in METHOD_TITLES else name


def called(name: str, limit: int = 48) -> str:
    """Return the name of a source within a sentence: “annotators, valid”; the crowd and the
    baselines without quotes.
    """
    if name == CROWD:
        return "the crowd"
    if name == UNIFORM:
        return "uniform"
    if name == MEAN:
        return "the mean distribution"
    return f"“{short(source_name(name), limit)}”"


def coverage_statements(ranking: Ranking) -> list[Statement]:
    """Return the statements on items that only one side has, by source."""
    found = []
    for column, what in (
        ("only_against", "Items of {against} that a source lacks"),
        ("only_source", "Items that {against} lacks"),
    ):
        rows = ranking.coverage[ranking.coverage[column] > 0]
        alike: dict[int, list[str]] = {}
        for row in rows.itertuples():
            alike.setdefault(int(getattr(row, column)), []).append(row.source)
        if alike:
            values: dict[str, Any] = {"against": _source(ranking.against)}
            parts = []
            for k, (n, names) in enumerate(alike.items()):
                values |= {f"names{k}": listed(names), f"n{k}": n}
                parts.append(f"{{names{k}}} {{n{k}:,}}")
            template = f"{what} are excluded: {', '.join(parts)}."
            found.append(Statement("coverage", template, values))
    return found


def listed(names: Sequence[str]) -> str:
    """Return "“single label”, “annotator A” and uniform"; of many the first three and how many
    more.
    """
    parts = [called(name, 60) for name in names]  # estimates differ at their ends
    return formatting.listed(shortened(parts))


def shortened(parts: Sequence[Any]) -> list[Any]:
    """Return the parts of a sentence; of many the first three and how many more."""
    if len(parts) <= _NAMED + 1:
        return list(parts)
    return [*parts[:_NAMED], f"{len(parts) - _NAMED} more"]


def in_words(statement: Statement) -> str:
    """Return a statement as a sentence, its sources named by `called`."""
    return capitalised(statement.render(_title))


def _title(kind: str, key: str) -> str:
    return called(key) if kind == "source" else key


def sentence(finding: NearestFinding) -> str:
    """Return the finding as text."""
    return in_words(nearest_statement(finding))


def nearest_statement(finding: NearestFinding) -> Statement:
    """Return the sentence of a finding: what is nearest, if anything, and the baselines."""
    made = _Sentence(finding)
    template = {
        NOTHING: made.nothing,
        BASELINE_ONLY: made.baseline_only,
        NO_VALUE: made.no_value,
        ONE: made.one,
        NEAREST: made.nearest,
        TIED: made.tied,
        NO_BETTER: made.no_better,
        WORSE: made.worse,
    }[finding.kind]()
    if finding.order and not finding.enough:
        template += " With fewer than {fewest} items no difference can be significant."
        made.values["fewest"] = FEWEST
    return Statement("headline", template, made.values)


def aside_statements(finding: NearestFinding) -> list[Statement]:
    """Return the sentences on the comparison set, and on what is not ranked and why."""
    found = []
    against = _against(finding)
    if finding.order and finding.n < finding.widest:
        found.append(
            Statement(
                "comparison set",
                "Ranked on the {n:count item} that all of them have; the widest source has "
                "{widest:,}.",
                {"n": finding.n, "widest": finding.widest},
            )
        )
    if finding.leaves_out:
        found.append(
            Statement(
                "reference",
                ("" if finding.crowd else "There is no crowd. ")
                + "The reference is the annotators themselves, so one of them is left out at a "
                "time: an annotator is compared with the others, every other source with the same "
                "sets of labels.",
            )
        )
    if finding.undefined:
        found.append(
            Statement(
                "undefined",
                "{measure} is undefined for {names}.",
                {
                    "measure": measure_title(finding.measure),
                    "names": list(map(_source, finding.undefined)),
                },
            )
        )
    few = _of(finding.aside, TOO_FEW)
    if few:
        parts = [
            Statement("source", "{source} ({n:count item})", {"source": _source(one.source),
                                                              "n": one.items})
            for one in few
        ]  # fmt: skip
        found.append(
            Statement("not ranked", "Not ranked, with too few items: {parts}.", {"parts": parts})
        )
    for reason, template in (
        (NONE, "Not ranked, with no item in common with {against}: {parts}."),
        (DERIVED, "Not ranked, as they are made of the reference’s own labels: {parts}."),
    ):
        names = [_source(one.source) for one in _of(finding.aside, reason)]
        if len(names) == 1 and reason == DERIVED:
            template = "Not ranked, as it is made of the reference’s own labels: {parts}."
        if names:
            found.append(Statement("not ranked", template, {"parts": names, "against": against}))
    return found


def _of(aside: Sequence[SetAside], reason: str) -> list[SetAside]:
    return [one for one in aside if one.reason == reason]


def _source(name: str) -> Named:
    return Named("source", name)


def _against(finding: NearestFinding) -> Any:
    return "the other annotators" if finding.leaves_out else _source(finding.against)


class _Sentence:
    """The template and values of a finding's sentence."""

    def __init__(self, finding: NearestFinding) -> None:
        self.finding = finding
        self.values: dict[str, Any] = {
            "against": _against(finding),
            "measure": measure_title(finding.measure),
            "n": finding.n,
            "sources": len(finding.order),
        }
        if finding.order:
            self._name("best", finding.order[0])
        for baseline in finding.baselines:
            self._name("uniform" if baseline.source == UNIFORM else "mean", baseline)

    def _name(self, role: str, standing: SourceStanding) -> None:
        self.values[role] = _source(standing.source)
        self.values[f"{role}_value"] = measured(
            standing.value, standing.low, standing.high, standing.n
        )

    def nothing(self) -> str:
        if self.finding.leaves_out:
            return (
                "No item has labels by two annotators or more, so no annotator can be compared "
                "with the others."
            )
        if any(one.reason == DERIVED for one in self.finding.aside):
            return (
                "Nothing to rank: every source is made of the reference’s own labels, or has no "
                "item in common with it."
            )
        if not self.finding.aside:
            return "There is no source besides {against}, so nothing is compared."
        return "No source has an item in common with {against}, so nothing is compared."

    def baseline_only(self) -> str:
        text = "No source other than the uniform baseline is compared with {against}"
        if self.finding.baseline(UNIFORM) is None:
            return f"{text}."
        return f"{text}: {{measure}} {{uniform_value}} on {{n:count item}}."

    def no_value(self) -> str:
        whom = "the only source" if len(self.finding.undefined) == 1 else "every source"
        return f"{{measure}} is undefined for {whom}, so that nothing is ranked by it."

    def one(self) -> str:
        return f"{{best}} is compared with {{against}} on {{n:count item}}: {self._best()}" + (
            self._baselines("It is")
        )

    def nearest(self) -> str:
        self._name("second", self.finding.order[1])
        text = (
            "Of {sources:,} sources on {n:count item}, {best} is significantly closest to "
            f"{{against}}: {self._best()}, next {{second}} {{second_value}}"
        )
        return text + self._baselines("It is")

    def tied(self) -> str:
        finding = self.finding
        rows = {each.source: each for each in finding.order}
        parts = [
            Statement("source", "{source} ({value})", {
                "source": _source(name),
                "value": measured(rows[name].value, rows[name].low, rows[name].high, rows[name].n),
            })
            for name in finding.tied[1:]
        ]  # fmt: skip
        self.values["others"] = shortened(parts)
        text = (
            "Of {sources:,} sources on {n:count item}, none is significantly closest to "
            "{against}: {best} "
            f"({self._best()}) is not significantly different from {{others}}"
        )
        return text + self._counts()

    def no_better(self) -> str:
        best = self.finding.order[0].source
        text = (
            "No source is significantly closer to {against} than the uniform baseline ({measure} "
            "{uniform_value}, {n:count item}): {best} has {best_value}"
        )
        gap = self.finding.over(best, UNIFORM)
        if gap is not None:
            self.values["gap"] = measured(gap.value, gap.low, gap.high, self.finding.n)
            text += ", difference {gap}"
        return f"{text}."

    def worse(self) -> str:
        every = "{best}" if len(self.finding.order) == 1 else "every source"
        return (
            "The uniform baseline ({measure} {uniform_value}, {n:count item}) is significantly "
            f"closer to {{against}} than {every}: {{best}} has {{best_value}}."
        )

    def _best(self) -> str:
        return "{measure} {best_value}"

    def _baselines(self, subject: str) -> str:
        """Return what follows on the baselines, of the first source."""
        best = self.finding.order[0].source
        parts = {CLOSER: [], FARTHER: [], "": []}
        for name, title in ((UNIFORM, "the uniform baseline"), (MEAN, "the mean distribution")):
            role = "uniform" if name == UNIFORM else "mean"
            gap = self.finding.over(best, name)
            if gap is not None and self.finding.baseline(name) is not None:
                verdict = gap.verdict if gap.verdict in parts else ""
                parts[verdict].append(f"{title} ({{{role}_value}})")
        clauses = [
            f"{how} than {formatting.listed(parts[verdict])}"
            for verdict, how in (
                (CLOSER, "significantly closer"),
                (FARTHER, "significantly farther away"),
                ("", "not significantly closer"),
            )
            if parts[verdict]
        ]
        return f". {subject} {', but '.join(clauses)}." if clauses else "."

    def _counts(self) -> str:
        """Return how many sources are significantly closer than each baseline."""
        parts = []
        for name, title in ((UNIFORM, "the uniform baseline"), (MEAN, "the mean distribution")):
            role = "uniform" if name == UNIFORM else "mean"
            verdicts = self.finding.verdicts(name)
            if verdicts and self.finding.baseline(name) is not None:
                closer = sum(each == CLOSER for each in verdicts.values())
                self.values[f"over_{role}"] = closer
                verb = "" if parts else (" is" if closer == 1 else " are") + " significantly closer"
                parts.append(f"{{over_{role}}}{verb} than {title} ({{{role}_value}})")
        return f". Of them, {formatting.listed(parts)}." if parts else "."

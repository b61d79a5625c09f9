"""The finding on the nearest source: what the numbers of a ranking carry, and what they do not.

`nearest_source` computes it, `wording` puts it into words; page, command line, reports and exports
read both and nothing else, so that they say the same.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from capo_core.distributions.judgments import UNIFORM
from capo_core.distributions.ranking import Ranking, SetAside
from capo_core.stats.intervals import json_value
from capo_core.stats.significance import FEWEST

NOTHING, BASELINE_ONLY, ONE, NEAREST, TIED = "nothing", "baseline only", "one", "nearest", "tied"
NO_BETTER, WORSE = "no better than uniform", "worse than uniform"
NO_VALUE = "undefined"
CLOSER, FARTHER, UNDECIDED = "closer", "farther", "undecided"
# What must not be said of a source.
NOT_NEAREST = "nearest"
NOT_INFORMATIVE = "closer than the uniform baseline"
NOT_ITEM_SPECIFIC = "closer than the mean distribution"


@dataclass(frozen=True)
class SourceStanding:
    """A source's, or a baseline's, value on the comparison set, with its interval."""

    source: str
    value: float
    low: float
    high: float
    n: int


@dataclass(frozen=True)
class BaselineDifference:
    """A source minus a baseline on the comparison set.

    Attributes:
        p_holm: adjusted over all sources. verdict: CLOSER, FARTHER or UNDECIDED.
    """

    source: str
    baseline: str
    value: float
    low: float
    high: float
    p_holm: float
    verdict: str


@dataclass(frozen=True)
class NearestFinding:
    """The source that is nearest to the reference in one measure, if any.

    Attributes:
        kind: NOTHING (no source can be compared), BASELINE_ONLY, NO_VALUE (the measure is undefined
            for every source), ONE (a single source, so none is the nearest), WORSE (every source is
            significantly farther than uniform), NO_BETTER (no source is significantly closer than
            uniform), NEAREST or TIED.
        leaves_out, crowd: of the ranking.
        n: items of the comparison set; `widest`: of the source with the most.
        order: ranked sources, closest first; `undefined`: those without a value in this measure.
        tied: the first of `order` and those not significantly farther; it alone where it is
            significantly closer than every other.
        baselines: uniform and the mean distribution.
        against_baselines: each source with each baseline.
        aside: sources that are not ranked, with their n.
        must_not: (source, what it must not be called), see NOT_NEAREST and the following.
    """

    kind: str
    measure: str
    against: str
    leaves_out: bool
    crowd: bool
    n: int
    widest: int
    order: tuple[SourceStanding, ...]
    undefined: tuple[str, ...]
    tied: tuple[str, ...]
    baselines: tuple[SourceStanding, ...]
    against_baselines: tuple[BaselineDifference, ...]
    aside: tuple[SetAside, ...]
    must_not: tuple[tuple[str, str], ...]

    @property
    def decided(self) -> bool:
        """Return whether one source is significantly the nearest, and informative."""
        return self.kind == NEAREST

    @property
    def bold(self) -> str:
        """The source that may be marked as the nearest: significantly closer than every other
        source and than both baselines; "" for none.

        A correlation of entropies, which baselines do not have, must be above 0.
        """
        if not self.decided:
            return ""
        first = self.order[0]
        against = [each for each in self.against_baselines if each.source == first.source]
        informed = all(each.verdict == CLOSER for each in against) if against else first.low > 0
        return first.source if informed else ""

    @property
    def enough(self) -> bool:
        """Return whether there are items enough for any difference to be significant."""
        return self.n >= FEWEST

    def baseline(self, name: str) -> SourceStanding | None:
        """Return uniform or MEAN; None where it has no value."""
        return next((each for each in self.baselines if each.source == name), None)

    def verdicts(self, baseline: str) -> dict[str, str]:
        """Return the verdict on each ranked source against a baseline."""
        return {
            each.source: each.verdict
            for each in self.against_baselines
            if each.baseline == baseline
        }

    def over(self, source: str, baseline: str) -> BaselineDifference | None:
        """Return a source's difference from a baseline; None where there is none."""
        found = self.against_baselines
        return next((e for e in found if (e.source, e.baseline) == (source, baseline)), None)

    def to_dict(self) -> dict[str, Any]:
        """Return the finding for JSON, without its sentence."""
        plain = asdict(self)
        plain["must_not"] = [list(each) for each in self.must_not]
        plain |= {"decided": self.decided, "significantly_nearest": self.bold}
        for name in ("order", "baselines", "against_baselines"):
            plain[name] = [
                {key: json_value(value) for key, value in row.items()} for row in plain[name]
            ]
        return plain


def nearest_source(ranking: Ranking, measure: str) -> NearestFinding:
    """Return the finding on the nearest source in one measure."""
    order = tuple(_standing(ranking, name, measure) for name in ranking.closest_first(measure))
    baselines = [_standing(ranking, name, measure) for name in ranking.floors]
    against = [
        found
        for name in ranking.floors
        for each in order
        if (found := _against(ranking, each.source, name, measure)) is not None
    ]
    tied: list[str] = []
    if order:
        first = order[0].source
        tied = [first]
        for each in order[1:]:
            row = ranking.difference(first, each.source, measure)
            if row is None or row.nearer != first:
                tied.append(each.source)
    uniform = [each.verdict for each in against if each.baseline == UNIFORM]
    valued = {each.source for each in order}
    undefined = tuple(name for name in ranking.ranked if name not in valued)
    kind = NO_VALUE if undefined and not order else _kind(order, tied, uniform, bool(baselines))
    return NearestFinding(
        kind=kind,
        measure=measure,
        against=ranking.against,
        leaves_out=ranking.leaves_out,
        crowd=ranking.crowd,
        n=ranking.n,
        widest=ranking.widest,
        order=order,
        undefined=undefined,
        tied=tuple(tied),
        baselines=tuple(each for each in baselines if each is not None),
        against_baselines=tuple(against),
        aside=ranking.aside,
        must_not=_must_not(order, tied, against),
    )


def _kind(
    order: tuple[SourceStanding, ...], tied: list[str], uniform: list[str], baselines: bool
) -> str:
    if not order:
        return BASELINE_ONLY if baselines else NOTHING
    if uniform and all(verdict == FARTHER for verdict in uniform):
        return WORSE
    if uniform and CLOSER not in uniform:
        return NO_BETTER
    if len(order) == 1:
        return ONE
    return NEAREST if len(tied) == 1 else TIED


def _standing(ranking: Ranking, source: str, measure: str) -> SourceStanding | None:
    row = ranking.row(source, measure)
    if row is None:
        return None
    return SourceStanding(source, float(row.value), float(row.low), float(row.high), int(row.n))


def _against(
    ranking: Ranking, source: str, baseline: str, measure: str
) -> BaselineDifference | None:
    row = ranking.difference(source, baseline, measure)
    if row is None or row.value != row.value:
        return None
    verdict = {source: CLOSER, baseline: FARTHER}.get(row.nearer, UNDECIDED)
    return BaselineDifference(
        source, baseline, float(row.value), float(row.low), float(row.high), float(row.p_holm),
        verdict,
    )  # fmt: skip


def _must_not(
    order: tuple[SourceStanding, ...], tied: list[str], against: list[BaselineDifference]
) -> tuple[tuple[str, str], ...]:
    alone = len(order) > 1 and len(tied) == 1
    found = [(each.source, NOT_NEAREST) for each in order if not alone or each.source != tied[0]]
    for each in against:
        if each.verdict != CLOSER:
            what = NOT_INFORMATIVE if each.baseline == UNIFORM else NOT_ITEM_SPECIFIC
            found.append((each.source, what))
    return tuple(found)


def findings_of(ranking: Ranking) -> dict[str, NearestFinding]:
    """Return the finding in each measure that has differences."""
    measures = dict.fromkeys(ranking.differences["measure"])
    return {measure: nearest_source(ranking, measure) for measure in measures}

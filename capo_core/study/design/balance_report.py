"""The balance of a draft, counted from its tables, not from its settings."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import asdict, dataclass
from typing import Any

from capo_core.formatting import natural_order
from capo_core.study.design.draft import Draft
from capo_core.study.tables import CHECK, MAIN, MIRROR, PRACTICE, from_cell
from capo_core.study.trial_kinds import TRIAL_KINDS


@dataclass(frozen=True)
class CountRange:
    """The smallest and the largest count over judges, trials or sources."""

    least: int
    most: int

    @property
    def equal(self) -> bool:
        return self.least == self.most


@dataclass(frozen=True)
class BalanceReport:
    """The number of trials that a draft gives each judge, source and target.

    Attributes:
        judges, trials, texts: how many; `trials` without repeats, checks and practice.
        per_judge: purpose → trials of one judge.
        per_source: kind → how often one judge sees one source (of a comparison: in a pair) in main
            trials.
        per_target: main trials of one judge that ask about one target.
        per_trial: judges of one main trial.
        left: in comparisons of one judge, how much oftener one stored source of a pair stood left.
        items_twice: how often a judge meets an item again outside repeats: 0.
        repeat_gap: the fewest trials between a trial and its repeat; None without repeats.
    """

    judges: int
    trials: int
    texts: int
    per_judge: dict[str, CountRange]
    per_source: dict[str, CountRange]
    per_target: CountRange
    per_trial: CountRange
    left: int
    items_twice: int
    repeat_gap: int | None

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @property
    def words(self) -> str:
        parts = ", ".join(
            f"{_words(spread)} {purpose}" for purpose, spread in self.per_judge.items()
        )
        sources = "; ".join(
            f"every judge sees each source {_words(spread)} times in {kind}"
            for kind, spread in self.per_source.items()
        )
        return (
            f"{self.trials} main trials for {self.judges} judges, {_words(self.per_trial)} judges "
            f"each; a judge has {parts}; {sources}"
        )


def count_balance(draft: Draft) -> BalanceReport:
    """Count a draft's balance."""
    kinds = draft.trials.set_index("trial_id")["kind"].to_dict()
    items = draft.texts.set_index("text_id")["item_id"].to_dict()
    shown = {
        row.trial_id: {items[text] for text in from_cell(row.text_ids)}
        for row in draft.trials.itertuples()
    }
    sealed: dict[str, list[Any]] = defaultdict(list)
    for row in draft.sealed.sort_values(["trial_id", "slot"]).itertuples():
        sealed[row.trial_id].append(row)
    targets = {
        row.trial_id: row.target_annotator_id or sealed[row.trial_id][0].annotator_id
        for row in draft.trials.itertuples()
    }
    everyone = natural_order(set(targets.values()))
    purpose: Counter[tuple[str, str]] = Counter()
    sources: dict[str, Counter[tuple[str, str]]] = defaultdict(Counter)
    asked: Counter[tuple[str, str]] = Counter()
    left: Counter[tuple[str, str, str]] = Counter()
    met: Counter[tuple[str, str]] = Counter()
    place: dict[tuple[str, str], int] = {}
    gaps = []
    for row in draft.assignments.sort_values(["judge_slot", "position"]).itertuples():
        judge, name = row.judge_slot, row.trial_id
        own, kind = sealed[name], kinds[name]
        purpose[judge, own[0].purpose] += 1
        place[judge, name] = row.position
        if own[0].purpose == MIRROR:
            gaps.append(row.position - place[judge, own[0].mirror_of])
            continue
        met.update((judge, item) for item in shown[name])
        if own[0].purpose != MAIN:
            continue
        asked[judge, targets[name]] += 1
        paired = TRIAL_KINDS[kind].paired
        named = [one.source for one in (own if paired else own[:1])]
        sources[kind].update((judge, source) for source in named)
        if paired:
            first, second = sorted(named)
            on_left = named[from_cell(row.order)["slots"][0]]
            left[judge, first, second] += 1 if on_left == first else -1
    judges = sorted(draft.assignments["judge_slot"].unique())
    main = set(draft.sealed.loc[draft.sealed["purpose"] == MAIN, "trial_id"])
    held = draft.assignments["trial_id"][draft.assignments["trial_id"].isin(main)].value_counts()
    return BalanceReport(
        judges=len(judges),
        trials=len(main),
        texts=len(draft.texts),
        per_judge={
            what: _spread([purpose[judge, what] for judge in judges])
            for what in (MAIN, CHECK, MIRROR, PRACTICE)
        },
        per_source={
            kind: _spread(
                [counts[j, source] for j in judges for source in draft.config.sources_of(kind)]
            )
            for kind, counts in sources.items()
        },
        per_target=_spread([asked[judge, target] for judge in judges for target in everyone]),
        per_trial=_spread(held.tolist()),
        left=max(map(abs, left.values()), default=0),
        items_twice=sum(count - 1 for count in met.values()),
        repeat_gap=min(gaps, default=None),
    )


def _spread(counts: list[int]) -> CountRange:
    return CountRange(int(min(counts, default=0)), int(max(counts, default=0)))


def _words(spread: CountRange) -> str:
    return str(spread.least) if spread.equal else f"{spread.least} to {spread.most}"

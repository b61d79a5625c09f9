"""The trial kinds: one module each, one entry in `TRIAL_KINDS`.

To add a kind: a subclass of `TrialKind` in a module of its own, listed here; and, where the judge's
page is to name its texts or answers in words of its own, an entry in `DISPLAYS` of
`dashboard/judging/trial_html.py`.
"""

from __future__ import annotations

from collections.abc import Iterable

from capo_core.errors import DataError
from capo_core.study.trial_kinds.attribution import Attribution
from capo_core.study.trial_kinds.base import TrialKind
from capo_core.study.trial_kinds.comparison import Comparison
from capo_core.study.trial_kinds.reasoning import Reasoning

TRIAL_KINDS: dict[str, TrialKind] = {
    kind.name: kind for kind in (Attribution(), Comparison(), Reasoning())
}


def trial_kind(name: str) -> TrialKind:
    """Return the kind of this name; `DataError` where there is none."""
    check_kinds([name])
    return TRIAL_KINDS[name]


def check_kinds(names: Iterable[str], where: str = "") -> None:
    """Raise `DataError` where one of `names` is no kind of trial."""
    unknown = sorted(set(names) - set(TRIAL_KINDS))
    if unknown:
        raise DataError(
            f"there is no kind of trial {unknown[0]!r}",
            where=where or None,
            expected=f"one of {', '.join(TRIAL_KINDS)}",
        )


def paired_first() -> list[TrialKind]:
    """Return all kinds, those that compare two texts in front.

    Simulated judges draw in this order, so that a seed gives the same answers as ever.
    """
    return sorted(TRIAL_KINDS.values(), key=lambda kind: not kind.paired)

"""The annotators that a study's results are about, in a sentence for page, report and commands."""

from __future__ import annotations

from collections.abc import Collection

from capo_core.formatting import listed, natural_order


def scope_sentence(targets: Collection[str], annotators: Collection[str]) -> str:
    """Return for whom the results of a study hold; "" where its texts are of every annotator.

    Args:
        targets: whose texts are asked about; none is all.
        annotators: of the dataset.

    >>> print(scope_sentence(["A"], ["A", "B", "C"]))
    All texts are of annotator A: what this study finds holds for A alone, and says nothing of ...
    >>> scope_sentence([], ["A", "B"])
    ''
    """
    own = natural_order(set(targets) & set(annotators)) or natural_order(annotators)
    others = len(set(annotators)) - len(own)
    if not others:
        return ""
    rest = "the other annotator" if others == 1 else f"the other {others} annotators"
    if len(own) == 1:
        return (
            f"All texts are of annotator {own[0]}: what this study finds holds for {own[0]} "
            f"alone, and says nothing of {rest}."
        )
    return (
        f"All texts are of {len(own)} of {len(set(annotators))} annotators ({listed(own)}): what "
        f"this study finds says nothing of {rest}."
    )

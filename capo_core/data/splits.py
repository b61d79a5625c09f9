"""Random splits into training, validation and test; no item text is in two of them."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from capo_core.dataset import Dataset
from capo_core.errors import ConfigError

Shares = tuple[float, float, float]  # of train, validation and test, adding up to 1
_COLUMNS = ("item_id", "text_a", "text_b")
PARTS = ("train", "validation", "test")
SHARES = (0.6, 0.2, 0.2)  # of VariErr's 500 items: 300, 100, 100
PART_WORDS = {
    "train": ("train", "training"),
    "validation": ("validation", "valid", "val", "dev", "development"),
    "test": ("test", "testing"),
}
NAMED_SHARES = {"paper": (300, 100, 100)}  # CAPO's experiments: 500 items, seed 42


def part_named(word: str) -> str:
    """Return the part that a word such as "dev" stands for; "" if none.

    >>> part_named("dev"), part_named("votes")
    ('validation', '')
    """
    folded = word.strip().casefold()
    return next((part for part, words in PART_WORDS.items() if folded in words), "")


def parse_shares(text: str) -> Shares:
    """Return the shares of train, validation and test, adding up to 1.

    >>> parse_shares("300/100/100"), parse_shares("paper")
    ((0.6, 0.2, 0.2), (0.6, 0.2, 0.2))

    Args:
        text: three numbers with slashes (numbers of items, percentages or shares: their ratio
            counts), or a name of `NAMED_SHARES`.

    Raises:
        ConfigError: it is neither.
    """
    written = text.strip()
    try:
        numbers = NAMED_SHARES.get(written) or tuple(float(part) for part in written.split("/"))
    except ValueError:
        numbers = ()
    good = len(numbers) == 3 and all(math.isfinite(each) and each >= 0 for each in numbers)
    if not good or not sum(numbers):
        raise ConfigError(
            f"the shares {text!r} cannot be used",
            expected="three numbers of 0 or more for train, validation and test, such as "
            f"300/100/100 or 60/20/20, or one of {', '.join(NAMED_SHARES)}",
            option="--shares",
        )
    train, validation, test = (each / sum(numbers) for each in numbers)
    return (train, validation, test)


def assign_splits(dataset: Dataset, shares: Shares = SHARES, seed: int = 0) -> Dataset:
    """Return the dataset with every item in train, validation or test.

    Items with identical texts stay together. Sizes are the shares of the number of items, rounded
    by largest remainders; they are met exactly unless a group of identical items does not fit.
    The same items and seed give the same split, whatever the order of rows.

    Raises:
        ConfigError: the shares are not three numbers of 0 to 1 that add up to 1.
    """
    if (
        len(shares) != 3
        or not all(math.isfinite(share) and 0 <= share <= 1 for share in shares)
        or abs(sum(shares) - 1) > 1e-9
    ):
        raise ConfigError(
            f"the shares {tuple(shares)} cannot be used",
            expected="three shares of 0 to 1 that add up to 1, for train, validation and test",
        )
    items = dataset.items.sort_values("item_id")
    alike: dict[tuple[str, str], list[str]] = {}
    for item_id, *texts in zip(*(items[c].tolist() for c in _COLUMNS), strict=True):
        alike.setdefault(tuple(texts), []).append(item_id)
    groups = list(alike.values())
    order = np.random.default_rng(seed).permutation(len(groups))
    # Large groups first, while there is room for them; the order among equals stays random.
    order = sorted(order, key=lambda index: -len(groups[index]))
    room = largest_remainder(len(items), shares)
    part_of: dict[str, str] = {}
    for index in order:
        part = max(range(3), key=lambda each: (room[each], -each))
        room[part] -= len(groups[index])
        part_of.update(dict.fromkeys(groups[index], PARTS[part]))
    return dataset.with_split(pd.Series(part_of, dtype=object))


def split_sizes(dataset: Dataset) -> str:
    """Return the number of items of each part, as "300 train, 100 validation, 100 test"."""
    counts = dataset.items["split"].value_counts()
    return ", ".join(f"{int(counts.get(part, 0)):,} {part}" for part in PARTS)


def split_problems(dataset: Dataset) -> list[str]:
    """Return what a dataset cannot be used for because a part of it has no items, in sentences.

    Without explanations nothing can be imitated or judged, however the items are split: [].
    """
    if not dataset.explained:
        return []
    sizes = dataset.items["split"].value_counts()
    uses = {
        "train": "Without training items no annotator can be imitated.",
        "validation": "Without validation items training cannot choose its best step.",
        "test": "Without test items imitations cannot be evaluated or judged in a study.",
    }
    return [use for part, use in uses.items() if not sizes.get(part, 0)]


def largest_remainder(total: int, shares: tuple[float, ...]) -> list[int]:
    """Return whole numbers that add up to `total`, nearest to its shares (Hamilton's method)."""
    exact = [total * share for share in shares]
    counts = [math.floor(value + 1e-9) for value in exact]
    by_remainder = sorted(range(len(shares)), key=lambda i: counts[i] - exact[i])
    for index in by_remainder[: total - sum(counts)]:
        counts[index] += 1
    return counts

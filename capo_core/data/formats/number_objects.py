"""Objects of names with numbers in records: counts of people per label, or annotators' ratings.

`{"yes": 3, "no": 2}` and `{"anna": 3, "ben": 2}` look alike. What an object holds is judged by the
field's name, by its keys and by its sums; where these leave both possible, the import asks.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from capo_core.data.column_names import is_number, is_place, names_quality, normalised_name
from capo_core.data.count_columns import are_known_labels
from capo_core.data.formats.answers import parsed_cell

COUNTS, PEOPLE = "counts", "people"
# Names of objects of counts or shares, best first; compared in lower case with "_".
OF_COUNTS = ("label_counter", "label_counts", "label_count", "counts", "crowd_counts",
             "annotation_counts", "soft_label", "soft_labels", "label_dist", "label_distribution",
             "distribution", "human_distribution", "probabilities", "probs")  # fmt: skip
# Names that objects of both kinds have.
OF_EITHER = ("crowd", "votes", "labels", "label")
# Names of objects of annotator → label.
OF_PEOPLE = frozenset({"annotations", "annotators", "ratings", "judgments", "judgements", "votes",
                       "annotator_labels", "labels_by_annotator", "worker_labels"})  # fmt: skip
# Fields with the number of people.
TOTALS = ("number_of_annotators", "number_of_annotations", "num_annotators", "n_annotators",
          "num_annotations", "n_annotations", "annotator_count", "num_votes", "n", "total",
          "n_people")  # fmt: skip
_IDENTIFIER = re.compile(r"(?=\D*\d)(?=[^A-Z]*[A-Z])[A-Z0-9]{6,}|[0-9a-f]{24}")
_CLASS = re.compile(r"(?:label|class|star|level|grade|option|choice|category|score)s?_?\d+"
                    r"|\d+_?(?:star|point)s?")  # fmt: skip
_LEAST = 4  # records of the same sum, fewer of which may be chance


def meaning(name: str, records: Sequence[Mapping[str, Any]]) -> str:
    """Return what the objects of numbers in a field are: `COUNTS`, `PEOPLE`, or "" for unknown.

    >>> meaning("scores", [{"scores": {"yes": 3, "no": 2}}, {"scores": {"yes": 1, "no": 0}}])
    'counts'
    >>> meaning("ratings", [{"ratings": {"anna": 3, "ben": 2}}])
    'people'
    >>> meaning("scores", [{"scores": {"fluency": 3, "coherence": 2}}])
    ''
    """
    objects = [(record, found) for record in records if (found := numbers(record.get(name)))]
    keys = list(dict.fromkeys(str(key) for _, found in objects for key in found))
    key = normalised_name(name)
    if not keys:
        return ""
    if key in OF_COUNTS:
        return COUNTS
    if are_known_labels(keys) and (key not in OF_PEOPLE or all(len(each) > 1 for each in keys)):
        return COUNTS
    if _are_shares([found for _, found in objects]):
        return COUNTS
    people = all(_names_person(each) for each in keys)
    if key in OF_PEOPLE and people:
        return PEOPLE
    counted = len(keys) > 1 and not people and (_same_sum(objects) or _stated_sum(objects))
    if key in OF_PEOPLE and key not in OF_EITHER:
        other = counted or any(_is_class(each) or names_quality(each) for each in keys)
        return "" if other else PEOPLE
    return COUNTS if counted or (key == "crowd" and not people) else ""


def numbers(value: Any) -> dict[str, float]:
    """Return an object of names with numbers, as which texts of numbers count too; {} for else."""
    value = parsed_cell(value)
    if not isinstance(value, Mapping):
        return {}
    found = {}
    for key, each in value.items():
        if isinstance(each, str) and is_number(each) and each.strip().isdecimal():
            each = int(each)
        if isinstance(each, bool) or not isinstance(each, int | float):
            return {}
        found[str(key)] = float(each)
    return found


def _names_person(key: str) -> bool:
    """Return whether a key is such as "w1", "rater 2" or an identifier of a platform."""
    placed = is_place(key) and not key.isdigit()
    return placed or bool(_IDENTIFIER.fullmatch(key))


def _is_class(key: str) -> bool:
    return is_number(key) or bool(_CLASS.fullmatch(normalised_name(key)))


def _are_shares(objects: Sequence[Mapping[str, float]]) -> bool:
    """Return whether all are shares of sum 1, of which some is neither 0 nor 1."""
    sums = all(abs(sum(each.values()) - 1) < 0.02 for each in objects)
    return sums and any(0 < share < 1 for each in objects for share in each.values())


Objects = Sequence[tuple[Mapping[str, Any], Mapping[str, float]]]


def _same_sum(objects: Objects) -> bool:
    """Return whether different objects of whole numbers have the same sum above 1."""
    sums = {sum(found.values()) for _, found in objects}
    different = {tuple(sorted(found.items())) for _, found in objects}
    enough = len(objects) >= _LEAST and len(different) > 1
    return enough and len(sums) == 1 and _are_counts(objects) and sums.pop() > 1


def _stated_sum(objects: Objects) -> bool:
    """Return whether the record of each object states its sum as the number of people."""
    for record, found in objects:
        names = {normalised_name(str(name)): name for name in record}
        stated = [record[names[each]] for each in TOTALS if each in names]
        if not any(_equals(each, sum(found.values())) for each in stated):
            return False
    return _are_counts(objects)


def _are_counts(objects: Objects) -> bool:
    return all(
        value >= 0 and value.is_integer() for _, found in objects for value in found.values()
    )


def _equals(value: Any, number: float) -> bool:
    try:
        return float(value) == number
    except (TypeError, ValueError):
        return False

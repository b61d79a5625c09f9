"""Which questions an estimate asks: one for each item, view of its explanations, and order."""

from __future__ import annotations

from dataclasses import dataclass

from capo_core.distributions.estimate_config import PARALLEL, EstimateConfig
from capo_core.distributions.judgments import Judgments
from capo_core.distributions.questions import Said, orders_of, question_prompt
from capo_core.distributions.variation import chosen_explanations
from capo_core.errors import DataError
from capo_core.imitation.backends.scoring import Question
from capo_core.imitation.prompts import Item
from capo_core.workspace import content_hash


@dataclass(frozen=True)
class Asked:
    """One question with what it belongs to: an item, a view of its explanations, an order."""

    item_id: str
    view: int
    order: int
    question: Question


def what_to_ask(judgments: Judgments, config: EstimateConfig) -> tuple[list[Asked], int]:
    """All questions, by item, view and order; and how many items had no explanation to show.

    Raises:
        ConfigError: there is no such source of explanations, or the labels have too many orders.
        DataError: no item has an explanation.
    """
    said = _said(judgments, config)
    items = judgments.items.iloc[: config.items] if config.items else judgments.items
    orders = orders_of(judgments.task.scale.labels, config.orders)
    found, without = [], 0
    for row in items.itertuples():
        own = said.get(row.item_id, []) if config.explanations else [Said("", "")]
        if not own:
            without += 1
            continue
        item = Item(row.item_id, row.text_a, row.text_b)
        for view, shown in enumerate(_views(own, config)):
            for number, order in enumerate(orders):
                prompt, options, prefix = question_prompt(
                    judgments.task, item, shown, order,
                    options=config.options, explicit=config.explicit,
                )  # fmt: skip
                key = content_hash(prompt.text, options)[:20] + f"-{view}-{number}"
                question = Question(key, prompt, options, prefix)
                found.append(Asked(row.item_id, view, number, question))
    if not found:
        raise DataError(
            f"no item has an explanation of {config.explanations!r}", where=judgments.name
        )
    return found, without


def _said(judgments: Judgments, config: EstimateConfig) -> dict[str, list[Said]]:
    if not config.explanations:
        return {}
    frame = chosen_explanations(judgments, [config.explanations])
    found: dict[str, list[Said]] = {}
    for row in frame.itertuples():
        own = found.setdefault(row.item_id, [])
        if not config.count or len(own) < config.count:
            own.append(Said(row.label, row.explanation))
    return found


def _views(own: list[Said], config: EstimateConfig) -> list[list[Said]]:
    """The sets of explanations shown together, each in its order."""
    if not config.explanations:
        return [[]]
    if config.how == PARALLEL:
        return [[one] for one in own]
    turns = min(config.rotations, len(own))
    return [own[start:] + own[:start] for start in range(turns)]

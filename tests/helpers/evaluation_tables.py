"""Made-up embeddings, and methods that copy people, for the tests of the report."""

from dataclasses import replace

import numpy as np

from capo_core.evaluation.measures.attribution import View
from capo_core.evaluation.measures.registry import SCORED
from capo_core.evaluation.streams import HUMAN, human_streams
from capo_core.evaluation.table import TableConfig
from capo_core.text.tokens import tokens

VIEW = View("words", "mask_input")
CONFIG = TableConfig(views=(VIEW,), pool=(1, 4), families=SCORED)


def made_up_vectors(texts):
    """Unit vectors by counts of letters."""
    letters = "abcdefghijklmnopqrstuvwxyz"
    rows = np.array([["".join(tokens(t)).count(c) + 1e-3 for c in letters] for t in texts])
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def copies(world, ids, source, author_of, **changes):
    """Streams in which `author_of[target]`'s held-out answers pass for the target's."""
    human = {s.target: s for s in human_streams(world, ids) if s.source == HUMAN}
    return [
        replace(human[author_of(target)], source=source, target=target, replicate="0", **changes)
        for target in world.annotators
    ]


def only_row(table, **where):
    """The only row of a table with these values."""
    for name, value in where.items():
        table = table[table[name] == value]
    assert len(table) == 1
    return table.iloc[0]

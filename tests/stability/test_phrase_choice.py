"""Which of several overlapping phrases is listed."""

import numpy as np

from capo_core.stability.phrase_choice import prune_phrases
from capo_core.text.tokens import phrase_table, tokenize


def test_repetition_is_pruned_to_the_phrase_that_says_most():
    texts = ["the context says so"] * 8 + ["the dog"] * 2 + ["both it is"] * 5
    corpus = tokenize(texts)
    table = phrase_table(corpus, (1, 3), min_texts=1, allowed=np.ones(len(corpus.ids), bool))
    strength = np.zeros(len(table.phrases))
    for phrase, z in [
        ("context", 6.1),
        ("the context", 6.0),
        ("the", 5),
        ("says", 4.9),
        ("both", 4),
    ]:
        strength[table.phrases.index(phrase)] = z
    order = [k for k in np.argsort(-strength) if strength[k] > 0]
    kept = [
        table.phrases[k] for k in prune_phrases(order, strength, table.phrases, table.presence, 10)
    ]
    # "the context" is nearly as strong as "context" and says more; 8 of the 10 texts with "the"
    # have it already. "says" only stands beside it, and "both" elsewhere.
    assert kept == ["the context", "says", "both"]

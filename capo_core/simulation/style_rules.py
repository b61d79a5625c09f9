"""Rules for single words and turns of phrase: shared by both tasks' explanations.

Weights are the common preferences; an annotator's own are these, tilted. Names have the form
`facet.rule`; the facet is the kind of style feature (see `annotators.FACETS`).
"""

from __future__ import annotations

WORDS: dict[str, dict[str, float]] = {
    # How the two texts are called.
    "term.context": {
        "the context": 9, "the premise": 3, "the text": 3, "the passage": 1.5, "context": 1.5,
        "the first sentence": 2.5, "the first text": 1, "the description": 0.7,
    },
    "term.statement": {
        "the statement": 9, "the hypothesis": 3, "the second sentence": 2.5, "the claim": 1.5,
        "statement": 1, "the second one": 0.7, "the conclusion": 0.7,
    },
    "term.both": {
        "both sentences": 3, "both <term.context> and <term.statement>": 3, "both texts": 1,
        "the two sentences": 2, "the two": 1, "they both": 1,
    },
    "term.question": {
        "question": 6, "sentence": 2, "query": 1, "one": 0.6,
    },
    "term.qa": {
        "Q1": 3, "the first <term.question>": 5, "question 1": 1.5, "the first": 1.5,
    },
    "term.qb": {
        "Q2": 3, "the second <term.question>": 5, "question 2": 1.5, "the second": 1.5,
    },
    "term.questions": {
        "both questions": 5, "the two questions": 3, "the questions": 2, "both": 1.5, "they": 2,
        "both sentences": 1.2, "these two": 0.7,
    },
    # Verbs of saying, meaning and knowing.
    "word.says": {
        "says": 5, "states": 4, "mentions": 2, "tells us": 1, "claims": 1, "suggests": 1.5,
        "clearly says": 0.8, "shows": 0.7, "indicates": 0.7, "is saying": 0.6,
    },
    "word.mention": {
        "mention": 6, "say": 4, "state": 2, "talk about": 1.5, "specify": 1.5, "tell us": 1,
        "indicate": 0.8, "discuss": 0.6,
    },
    "word.talk": {
        "mentions": 4, "talks about": 4, "is about": 4, "speaks about": 1.2, "describes": 1.5,
        "refers to": 1.5, "discusses": 0.6,
    },
    "word.given": {
        "mentioned": 6, "given": 3, "stated": 2, "known": 3, "said": 1.5, "discussed": 1,
        "specified": 1.5, "described": 0.7, "provided": 0.8,
    },
    "word.means": {
        "means": 6, "implies": 3, "suggests": 1.5, "indicates": 1.5, "is the same as": 2.5,
        "is a synonym of": 1, "is another word for": 0.8, "entails": 1, "refers to": 1,
    },
    "word.equal": {
        "the same": 6, "identical": 2, "equivalent": 1.2, "alike": 0.8, "equal": 0.6,
    },
    "word.meaning": {
        "the same meaning": 5, "the same content": 1.5, "the same sense": 1, "one meaning": 0.7,
        "an identical meaning": 0.6,
    },
    "word.same": {
        "the same": 5, "the same thing": 2.5, "the same fact": 1, "the same information": 1.2,
        "the same meaning": 1.2, "the same idea": 0.8,
    },
    "word.paraphrase": {
        "a paraphrase": 4, "a rewording": 1.2, "a repetition": 1.2, "a synonym": 1.5,
        "another wording": 1, "a summary": 0.8, "a reformulation": 0.8,
    },
    "word.clear": {
        "clear": 6, "known": 3, "sure": 2, "certain": 2, "stated": 1.2, "obvious": 0.5,
    },
    "word.whether": {"whether": 6, "if": 5, "that": 0.8},
    "word.different": {
        "different": 6, "not the same": 2.5, "changed": 0.8, "not identical": 0.6,
    },
    "word.wrong": {
        "wrong": 5, "false": 3, "incorrect": 2.5, "not correct": 1.2, "not right": 0.8,
        "changed": 1.2, "different": 2.5,
    },
    "word.true": {"true": 6, "correct": 2, "right": 1.2, "the case": 1, "entailed": 1,
        "valid": 0.5},
    "word.can": {"can": 3, "could": 4, "may": 2.5, "might": 2.5},
    "word.info": {
        "information": 4, "info": 3, "mention": 4, "evidence": 1.5, "details": 1.2, "word": 0.5,
    },
    "word.only": {"only": 6, "just": 3, "merely": 0.8, "simply": 0.7},
    "word.conclude": {
        "conclude": 2, "infer": 2.5, "know": 3, "say": 1.5, "assume": 1.5, "be sure": 1.5,
        "deduce": 0.7, "tell": 1,
    },
    # Hedges, negation, quotation, connectives.
    "hedge.maybe": {
        "maybe": 5, "perhaps": 2, "possibly": 1, "it could be that": 2, "it is possible that": 1.5,
        "it may be that": 1, "it might be that": 1, "i think": 1, "probably": 1.5,
    },
    "hedge.seems": {
        "": 16, "i think ": 1.2, "it seems ": 1.2, "probably ": 1, "i guess ": 0.7,
        "in my opinion ": 0.5, "apparently ": 0.5, "basically ": 0.6,
    },
    "hedge.must": {
        "must be": 3, "is": 5, "should be": 3, "is probably": 1.2, "is likely": 1.2,
        "has to be": 0.8,
    },
    "neg.does": {"doesn't": 5, "does not": 5},
    "neg.did": {"didn't": 5, "did not": 4, "never": 0.5},
    "neg.is": {"isn't": 3, "is not": 6},
    "neg.it": {
        "it is not": 6, "it's not": 4, "it isn't": 1, "not": 1.2, "it is by no means": 0.2,
    },
    "neg.we": {
        "we don't": 4, "we do not": 2.5, "I don't": 1, "you don't": 0.7, "one does not": 0.7,
    },
    "neg.cannot": {"cannot": 4, "can't": 3, "can not": 1.5},
    "quote.a": {'"{a}"': 6, "'{a}'": 2, "{a}": 6, "“{a}”": 0.6},
    "quote.b": {'"{b}"': 6, "'{b}'": 2, "{b}": 6, "“{b}”": 0.6},
    "quote.miss": {"{miss}": 10, '"{miss}"': 1.5, "'{miss}'": 0.6},
    "link.so": {
        ", so ": 6, ". So ": 3, ", therefore ": 2, ", thus ": 1.2, ", hence ": 0.8,
        ". Therefore, ": 1.2, ", which means ": 2, ", that means ": 1, "; so ": 0.7,
        " and so ": 0.7, ", then ": 1,
    },
    "link.but": {
        ", but ": 7, ", whereas ": 1.5, ", while ": 2.5, ". However, ": 1.5, "; ": 1, ", yet ": 0.6,
        " but ": 2, ". But ": 1.2, ", however ": 0.8, ", although ": 0.6,
    },
    "link.because": {"because ": 5, "since ": 3, "as ": 2.5, "given that ": 0.7, "if ": 1.5},
    "link.not": {", not ": 6, " not ": 1.5, " and not ": 2, " instead of ": 2,
        " rather than ": 1.2},
}  # fmt: skip

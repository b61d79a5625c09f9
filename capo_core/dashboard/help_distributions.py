"""The "?" of the measures of the page Distributions: two sentences each, the better way named."""

from capo_core.distributions.measuring import (
    ENTROPY,
    ENTROPY_CORRELATION,
    JSD,
    KL,
    MANHATTAN,
    SHAPE,
    TVD,
    WASSERSTEIN,
)

HELP = {
    KL: "Kullback–Leibler divergence of the measure from the source, in nats: what it costs to "
    "believe the source. Lower is nearer, 0 is equal; labels to which a source gives no share at "
    "all cost as much as the clip makes of them.",
    JSD: "Jensen–Shannon distance, from 0 (equal) to 0.83 (nothing in common). Lower is nearer; "
    "it needs no clip.",
    TVD: "Total variation: the share of people who would have to change their label. From 0 to 1, "
    "lower is nearer.",
    SHAPE: "Distance correlation of all items at once: do items that are alike by the measure come "
    "out alike by the source? From 0 to 1, higher is nearer; 0 by definition for a source that "
    "says the same of every item.",
    MANHATTAN: "The sum of all differences of shares: twice the total variation. From 0 to 2, "
    "lower is nearer.",
    WASSERSTEIN: "How many points of the scale the answers must be moved on average. Lower is "
    "nearer; unlike the others it knows that 4 is nearer to 5 than −5 is.",
    ENTROPY: "How divided the source is on an item: 0 where all agree. Neither direction is "
    "better; the nearer to the measure's own entropy, the better.",
    ENTROPY_CORRELATION: "Does the source find those items disputed that the measure does? From −1 "
    "to 1, higher is nearer; undefined for a source that is equally divided on every item.",
    "against": "The source that counts as true: the others are measured by it. The crowd, where "
    "the data have one.",
    "focus": "The source that is set beside the measure in the pictures and in the items' order.",
    "measure": "The distance on each item in the pictures, the sentence and the items' order. The "
    "table has all of them.",
    "clip": "The least share a label is taken to have, for KL only: it decides what a zero costs. "
    "1e-10 is the published choice.",
    "arrows": "From what the source says of an item to what the measure says of it. A point stands "
    "for all items at its place; the larger, the more.",
    "map": "One point an item: how divided the measure is on it, and how far the source is off. "
    "A source that knows who disagrees stays low all along.",
    "intervals": "95 % intervals by a Bayesian bootstrap over items.",
    "differences": "First minus second on the items of both, with the same draws on both sides. "
    "Undecided where the interval holds 0; the intervals are not widened for the number of pairs.",
    "lexical": "Common n-grams of words of two explanations of the same item, as a share of all. 1 "
    "is the same; lower is more varied, neither is better.",
    "syntactic": "The same on parts of speech: common turns of grammar, whatever the words. "
    "Numbers of two taggers do not compare.",
    "cosine": "Cosine of the sentence embeddings of two explanations of the same item. 1 is the "
    "same meaning; lower is more varied.",
    "Euclidean": "1 / (1 + Euclidean distance) of the sentence embeddings. 1 is the same meaning; "
    "lower is more varied.",
    "bias": "How far two orders of the options move an estimate (TVD), and how far two means over "
    "half of the orders each still do. Lower is better: what is left is a liking for a place.",
    "temperature": "What the options' scores are divided by before they become shares: the higher, "
    "the nearer to uniform. 20 was published for large models; the embedded base needs about 1.",
    "weighted F1": "F1 of the most frequent label, weighted by how often it is true. Higher is "
    "better, 1 is perfect.",
    "cross-entropy": "What the classifier is trained on, against the crowd's shares. Lower is "
    "better; at best it is the crowd's own entropy.",
    "replace": "A share of people's explanations gives way to a model's for the same label. What "
    "it does to the likeness of explanations, and, where models read them, to the distances.",
}

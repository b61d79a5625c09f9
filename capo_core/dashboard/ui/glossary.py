"""The "?" of the measures of the page Distributions: two sentences each, the better way named.

The "?" of every measure: what it means, and which direction is better. Two sentences each.

The "?" of every measure of a training: what it means, and which direction is better.
"""

from capo_core.distributions.compare import (
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
    "accuracy": "The share of explanations (or groups of k) given to the annotator who wrote "
    "them, on items the classifier never saw, annotators counted equally. Higher means more of "
    "the annotator can be told; chance is one over the number of annotators.",
    "k": "How many explanations of one annotator, on different held-out items, are judged "
    "together. More make weak but steady traces add up.",
    "representation": "What of an explanation is given to the classifier: its meaning (a sentence "
    "embedding), its wording (words and word pairs), its spelling (groups of letters), or counts "
    "of style. None is better in itself; they see different things.",
    "reduction": "What of the item's own content is taken out before annotators are compared. "
    "If accuracy rises, the content had hidden the annotator; if it falls, part of it was content.",
    "null": "The same computation with annotators shuffled within each item, many times; the band "
    "holds the middle 95 % of them. What lies above the band is not luck.",
    "controls": "What simpler knowledge, or a reduction that takes out as much at random, "
    "reaches. A finding counts only where it lies clearly above its controls.",
    "variance": "How the variance between explanations is shared among the item, the annotator "
    "and all the rest, by unbiased components. A larger annotator share means a stronger voice in "
    "each single explanation; the item's share should fall under a good reduction.",
    "reliability": "How alike an annotator's profile is on two halves of the items, against how "
    "alike different annotators' profiles are. Higher is steadier; 0 means that the profile does "
    "not come back.",
    "phrase_reliability": "The correlation of phrase scores between two halves of the items. "
    "Higher is steadier; near 0 the phrases are accidents.",
    "agreement": "How far annotators give the same labels beyond chance. 1 is full agreement, 0 "
    "is chance; low agreement is not an error here but the variation that is studied.",
    "kappa": "Cohen's kappa: agreement of two annotators beyond what their label frequencies "
    "would give (squared distances count on ordered scales). 1 is full agreement, 0 is chance.",
    "alpha": "Krippendorff's alpha: agreement of all annotators beyond chance, with missing "
    "labels allowed. 1 is full agreement, 0 is chance.",
    "auc": "How often two groups of one annotator are more alike than two groups of different "
    "annotators, with no training at all. 0.5 is chance, 1 is perfect; higher means that manner "
    "shows without being learned.",
    "bits": "How much one explanation tells about who wrote it, from held-out probabilities. "
    "Higher is more; at most the logarithm (base 2) of the number of annotators.",
    "k90": "How many explanations must be pooled until nine of ten groups are named rightly. "
    "Fewer means a stronger voice; none is given where 90 % was not reached.",
    "p": "How often shuffled annotators do at least as well. Small means that luck is no "
    "explanation; it says nothing about how strong the trace is.",
    "z": "How clearly a phrase is used more than by the others: log-odds with a prior, over their "
    "standard error. Above about 2 it is beyond accident; more is clearer, not stronger.",
    "rate": "The share of this annotator's explanations in which the phrase stands. Compare it "
    "with the others' share; neither direction is better.",
    "length": "Words in an explanation. Neither direction is better; a habit, and a thing that "
    "may give an annotator away.",
    "labels": "How often each label was given, with 95 % intervals. Neither direction is better; "
    "where annotators differ, the label alone tells something of who it was.",
    "margin": "How far the true author's score lies above the best other one's. Larger is clearer; "
    "below zero somebody else was named.",
    "planted": "A measure is trusted where it finds more when more was planted, and where its "
    "p-values are spread evenly when nothing was. Both are seen here on data whose truth is known.",
}


DISTRIBUTIONS_HELP = {
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


TRAINING_HELP = {
    "loss": "SFT: the mean negative log-likelihood of a token of the annotator's own answers. "
    "CAPO: how badly own answers are told from the others'; 0.69 is not at all. Lower is better, "
    "as long as the validation falls with it.",
    "margin": "By how much more (times β) the own answer has gained against the start than the "
    "other annotator's to the same item. Above 0 is better; very large values may be drift.",
    "reward_accuracy": "The share of pairs in which the annotator's own answer has gained more "
    "than the other's. Higher is better; half is what luck gives.",
    "change": "How the log-probability of own answers and of the others' has changed since CAPO "
    "began. Own answers should fall less than the others'; both falling far is drift.",
    "tokens_per_s": "Tokens computed in a second. It says nothing about quality.",
    "learning_rate": "The step size of the optimiser. It follows the schedule.",
    "grad_norm": "The length of the gradient before it is cut. Sudden leaps mean unsteady "
    "training.",
    "probe": "The share of explanations written on the way that an attribution model, trained on "
    "people's explanations only, gives to the annotator who is imitated. Higher means more of the "
    "manner has arrived; chance is one over the number of annotators.",
    "samples": "What the model writes for the same validation items as training goes on, beside "
    "what the annotator wrote. One example proves nothing; it shows what the curves mean.",
    "estimate": "What one dry step let expect, beside what was measured. The closer, the more the "
    "next estimate can be trusted.",
}

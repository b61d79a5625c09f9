"""The "?" of every measure: what it means, and which direction is better. Two sentences each."""

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

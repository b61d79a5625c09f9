"""Help texts (the "?") of measures: their definition in one or two sentences, high against low.

`HELP` is for Annotators and Stability, `DISTRIBUTIONS_HELP` for Distributions, `TRAINING_HELP` for
the charts of a training.
"""

from capo_core.distributions.compare import (
    ENTROPY,
    ENTROPY_CORRELATION,
    JS_DIVERGENCE,
    JSD,
    KL,
    MANHATTAN,
    SHAPE,
    TVD,
    WASSERSTEIN,
)

HELP = {
    "accuracy": "Share of explanations (or groups of k) attributed to the annotator who wrote "
    "them, on held-out items, annotators weighted equally. Higher means more identifiable; chance "
    "is one over the number of annotators.",
    "k": "Number of explanations of one annotator, on different held-out items, that are "
    "attributed together. Pooling adds up weak but consistent evidence.",
    "representation": "Features given to the classifier: a sentence embedding, word n-grams, "
    "character n-grams, stylometric counts, or part-of-speech n-grams (English only).",
    "reduction": "How the item's content is removed before annotators are compared. If accuracy "
    "rises, content had masked the annotator; if it falls, part of the accuracy was content.",
    "null": "The same computation with annotators permuted within each item, many times; the band "
    "covers the middle 95 %. Accuracies above the band are significant.",
    "controls": "Accuracy from simpler information (label, length, input), or from a random "
    "reduction of the same size. Interpret an accuracy only if it clearly exceeds its controls.",
    "variance": "Shares of the variance between explanations due to item, annotator and residual, "
    "by unbiased components. A larger annotator share means a stronger individual style; a good "
    "reduction lowers the item share.",
    "reliability": "Correlation of an annotator's profile between two halves of the items, "
    "against that of different annotators. High: the profile is stable; 0: it does not replicate.",
    "agreement": "Agreement of labels beyond chance: 1 is perfect, 0 is chance. Low agreement is "
    "not an error here but the variation under study.",
    "kappa": "Cohen's kappa: agreement of two annotators beyond what their label frequencies "
    "predict (quadratic weights on ordinal scales). 1 is perfect, 0 is chance.",
    "auc": "Probability that two groups of one annotator are more similar than two groups of "
    "different annotators, without training. 0.5 is chance, 1 is perfect separation.",
    "bits": "Mutual information between one explanation and its annotator, estimated from "
    "held-out probabilities. At most the base-2 logarithm of the number of annotators.",
    "k90": "Number of explanations to pool for an attribution accuracy of 90 %. Empty where 90 % "
    "was not reached.",
    "p": "Share of permutations with at least this accuracy. A small p-value excludes chance; it "
    "does not measure the size of the effect.",
    "z": "Log-odds with an informative prior, divided by their standard error. Above about 2, the "
    "phrase is significantly more frequent with this annotator; below −2, less frequent.",
    "rate": "Share of an annotator's explanations that contain the phrase, compared with that of "
    "the other annotators.",
    "labels": "Share of each label, with 95 % intervals. Where annotators differ, the label alone "
    "helps to identify them.",
    "margin": "Score of the true annotator minus the highest score of another one. Large: a clear "
    "attribution; below 0: attributed to someone else.",
    "planted": "A valid measure increases with the planted effect, and has uniform p-values "
    "without one. Both are checked here on simulated data.",
}


DISTRIBUTIONS_HELP = {
    KL: "Kullback–Leibler divergence KL(reference ‖ source), in nats. 0: equal. "
    "Dominated by labels that a source never uses (clipped); prefer JS distance or TVD.",
    JSD: "Jensen–Shannon distance: the square root of the divergence (natural logarithm), from 0 "
    "(equal) to 0.83 (disjoint). Needs no clipping.",
    JS_DIVERGENCE: "Jensen–Shannon divergence in nats, from 0 (equal) to 0.69 (disjoint): the "
    "mean of the squared distances. The field prints both as JSD.",
    TVD: "Total variation distance, from 0 to 1: the share of people who would have to change "
    "their label to make the distributions equal.",
    SHAPE: "Distance correlation over all items: whether items with similar reference "
    "distributions have similar distributions by the source. From 0 to 1, 1 is perfect; 0 by "
    "definition for a source that is the same on every item.",
    MANHATTAN: "Sum of the absolute differences of all shares: twice the total variation. From 0 "
    "(equal) to 2.",
    WASSERSTEIN: "Wasserstein distance: how many points of the ordinal scale the answers would "
    "have to move on average. 0: equal.",
    ENTROPY: "Entropy of the source on an item: 0 if all agree. To be compared with the entropy of "
    "the reference.",
    ENTROPY_CORRELATION: "Correlation of entropies: whether the source is divided on the items "
    "on which the reference is. From −1 to 1, 1 is perfect; undefined for a source with the same "
    "entropy on every item.",
    "against": "The reference distribution that all sources are compared with: the crowd, if the "
    "data include one, else the annotators, one of them left out at a time.",
    "focus": "The source shown beside the reference in the charts and in the order of items.",
    "measure": "The distance used in the charts, the headline and the order of items. The table "
    "has all of them.",
    "clip": "Lower bound of a label's share, for KL only: the cost of a zero. 1e-10 is the "
    "published choice.",
    "arrows": "From the distribution of the source to that of the reference, by item. A dot "
    "stands for all items at its position; larger dots are more items.",
    "map": "One dot per item: entropy of the reference against the distance of the source. A "
    "source that models disagreement stays low throughout.",
    "intervals": "95 % intervals by a Bayesian bootstrap over items.",
    "differences": "First minus second on the same items, paired, with its 95 % interval. "
    "Significant by the adjusted p-value (Holm); the intervals are not adjusted.",
    "detectable": "Smallest true difference that these items find with 80 % power, paired and "
    "adjusted for the number of pairs.",
    "lexical": "Shared word n-grams of two explanations of the same item, as a share of all. 1: "
    "identical; lower: more varied.",
    "syntactic": "The same on part-of-speech tags. Values of different taggers are not comparable.",
    "overlap": "Multiset (Dice): of an n-gram that stands several times in both explanations, the "
    "smaller number matches. As published: it matches each time it stands in one and anywhere in "
    "the other, on spaCy’s tokens; never lower. Compare with published figures by the latter only.",
    "cosine": "Cosine similarity of the sentence embeddings of two explanations of the same item. "
    "1: same meaning; lower: more varied.",
    "Euclidean": "1 / (1 + Euclidean distance) of the sentence embeddings. 1: same meaning; "
    "lower: more varied.",
    "bias": "Distance (TVD) between estimates with two orders of the options, and between the "
    "means over two halves of the orders. The remaining distance is position bias.",
    "temperature": "Divides the option scores before the softmax; higher is closer to uniform. 20 "
    "was published for large models; the embedded base model needs about 1.",
    "weighted F1": "F1 of the majority label, weighted by class frequency. 1 is perfect.",
    "cross-entropy": "Training loss of the classifier against the crowd's distribution. Its "
    "minimum is the entropy of the crowd.",
    "replace": "Share of human explanations replaced by a model's for the same label; effect on "
    "the similarity of explanations and, where models read them, on the distances.",
}


TRAINING_HELP = {
    "loss": "SFT: mean negative log-likelihood per token of the annotator's responses. CAPO: "
    "preference loss; 0.69 means no preference. Lower is better while validation falls too.",
    "margin": "Reward margin: gain in log-probability (times β) of the target's response minus "
    "that of another annotator's response to the same item. Above 0 is better; very large values "
    "suggest drift.",
    "reward_accuracy": "Share of pairs with a positive reward margin. Higher is better; chance is "
    "50 %.",
    "change": "Change of the log-probability of the target's and of other annotators' responses "
    "since CAPO began. The target's should fall less; if both fall far, the model drifts.",
    "tokens_per_s": "Training throughput.",
    "learning_rate": "Step size of the optimizer, as scheduled.",
    "grad_norm": "Gradient norm before clipping. Spikes indicate unstable training.",
    "probe": "Mean probability of the target annotator for texts generated during training, by an "
    "attribution model trained and calibrated on human explanations only. The lines are the same "
    "for the target's own texts and for other annotators' texts about the same items: above the "
    "target's own, texts are more typical than the human.",
    "calibration": "Answers to validation items at strengths between the SFT adapter (0) and the "
    "CAPO adapter (1). The chosen one is nearest to the target's own texts, among those whose "
    "label accuracy is not more than 2 points below SFT's: by the distance of two classifiers, of "
    "words and of sentence embeddings, each from its own share of the target's texts.",
    "samples": "Model outputs for the same validation items during training, beside the "
    "annotator's own explanations.",
    "estimate": "Estimate from a dry run of one step, beside the measured value.",
}

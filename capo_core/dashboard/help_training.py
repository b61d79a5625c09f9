"""The "?" of every measure of a training: what it means, and which direction is better."""

HELP = {
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

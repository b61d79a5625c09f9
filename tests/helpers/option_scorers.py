"""A model whose preferences are known, and completions as servers give them."""

import json

from capo_core.imitation.backends.option_scores import LOGIT, OptionScorer, OptionScores

GOOD = {"choices": [{"message": {"role": "assistant", "content": "A"}, "finish_reason": "stop"}]}


class PlacedScorer(OptionScorer):
    """Likes a label by `taste`, and whatever stands at a place by `place`: logits add up.

    Attributes:
        asked: the questions answered so far.
        broken: item texts of which it gives NaN.
    """

    name, fingerprint, kind, prefixes = "placed", "f", LOGIT, True

    def __init__(self, taste, place=(0.0, 0.0, 0.0), kind=LOGIT, problem=""):
        self.taste, self.place, self.kind, self.problem = taste, place, kind, problem
        self.asked = []

    def score(self, questions, progress=lambda what, share: None):
        for question in questions:
            self.asked.append(question)
            progress("asking", 0.5)
            if self.problem and self.problem in question.prompt.text:
                yield question, OptionScores(problem="a score is not a number")
                continue
            places = ["ABCDEFGHIJK".index(letter) for letter in question.options]
            scores = [t + self.place[at] for t, at in zip(self.taste, places, strict=True)]
            yield question, OptionScores(tuple(scores))


def listed(log_probabilities):
    """A chat completion with these first tokens, as OpenAI's API gives them."""
    top = [{"token": token, "logprob": value} for token, value in log_probabilities.items()]
    first = {"token": top[0]["token"], "logprob": top[0]["logprob"], "top_logprobs": top}
    choice = {**GOOD["choices"][0], "logprobs": {"content": [first]}}
    return {"choices": [choice]}


def as_text(completion):
    """JSON as a server may write it, NaN included."""
    return json.dumps(completion, allow_nan=True)

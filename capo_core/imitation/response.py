"""The one format of a response: what models are asked for, trained on, and read back from.

    Label: neutral
    Explanation: The premise does not say who repaired it.

Reading what models really write back is in `parse.py`.
"""

from __future__ import annotations

from capo_core.task import Task

LABEL_MARK = "Label:"
EXPLANATION_MARK = "Explanation:"


def write_response(label: str, explanation: str) -> str:
    """The response in its fixed format; white space of the explanation becomes single spaces.

    An empty explanation is written as a bare mark: what is asked for is always two lines.
    """
    return f"{LABEL_MARK} {label}\n{EXPLANATION_MARK} {' '.join(explanation.split())}".rstrip()


def response_form(task: Task) -> str:
    """The lines of a prompt that ask for this format."""
    labels = task.scale.labels
    if task.scale.ordinal:
        wanted = f"a whole number from {labels[0]} to {labels[-1]}"
    else:
        wanted = f"{', '.join(labels[:-1])} or {labels[-1]}" if len(labels) > 1 else labels[0]
    return f"Answer in two lines.\n{LABEL_MARK} {wanted}\n{EXPLANATION_MARK} one or two sentences"

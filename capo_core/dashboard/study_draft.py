"""The form of a new study while it is filled in: values, kept on disk; without Streamlit.

A draft of the form is JSON that need not be right yet. It lies in the workspace's cache, one for
each dataset, so that a refresh or another page loses nothing. A `StudyConfig` becomes of it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from capo_core.dashboard.run_words import Seen as SeenRun
from capo_core.data.catalog import Entry
from capo_core.errors import ConfigError
from capo_core.study.config import PEOPLE, StudyConfig
from capo_core.study.tables import ATTRIBUTION, COMPARISON, HUMAN, OTHER_HUMAN
from capo_core.workspace import Workspace, content_hash, write_json

Form = dict[str, Any]
ASSUMED = {"expected": None, "other": 0.35, "judge_sd": 0.5, "trial_sd": 0.8}
# The rest of the form has the names of `StudyConfig`.
OWN = ("people", "runs", *ASSUMED)


def begin(entry: Entry, name: str) -> Form:
    """A form filled with what most often makes sense, small enough for the shipped data."""
    return {
        "name": name,
        "dataset": entry.name,
        "kinds": [ATTRIBUTION, COMPARISON],
        "people": [HUMAN, OTHER_HUMAN],
        "runs": [],
        "trials_per_judge": 12,
        **ASSUMED,
    }


def load(workspace: Workspace, dataset: str) -> Form | None:
    """The form kept for a dataset; None where there is none that can be read."""
    try:
        raw = json.loads(_place(workspace, dataset).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return raw if isinstance(raw, dict) and raw.get("dataset") == dataset else None


def keep(workspace: Workspace, form: Form) -> None:
    write_json(_place(workspace, form["dataset"]), form)


def put(workspace: Workspace, form: Form, name: str, value: Any) -> None:
    """Change one value of what is kept: another tab may have changed others meanwhile."""
    with workspace.lock("study-form"):
        keep(workspace, {**(load(workspace, form["dataset"]) or form), name: value})


def _place(workspace: Workspace, dataset: str):
    return workspace.cache / "study-forms" / f"{content_hash(dataset)[:16]}.json"


def config_of(form: Form, sources: Mapping[str, Sequence[str]]) -> StudyConfig:
    """The design that a form asks for.

    Args:
        sources: name → run ids, of the runs that were chosen.

    Raises:
        ConfigError: something on the form cannot be used.
    """
    settings = {name: value for name, value in form.items() if name not in OWN}
    people = form.get("people", [])
    if not isinstance(people, list) or any(each not in PEOPLE for each in people):
        raise ConfigError(f"found {people!r}", where="people's texts", expected=" or ".join(PEOPLE))
    named = {name: name for name in people} | {name: list(runs) for name, runs in sources.items()}
    if not named:
        raise ConfigError(
            "the study has no source",
            where="sources",
            expected="people's texts, or answers of finished runs",
        )
    return StudyConfig.from_dict({**settings, "sources": named})


def assumed_of(form: Form) -> dict[str, float]:
    """What the planner is to assume; values left empty are the planner's own."""
    found = {}
    for name in ASSUMED:
        value = form.get(name)
        if isinstance(value, int | float) and not isinstance(value, bool):
            found[name] = float(value)
    return found


def from_config(config: StudyConfig, name: str) -> Form:
    """The form again from a design, under another name."""
    plain = config.to_dict()
    sources = plain.pop("sources")
    return {
        **plain,
        "name": name,
        "people": [each for each in sources if each in PEOPLE],
        "runs": [run for runs in config.methods.values() for run in runs],
        **ASSUMED,
    }


def free_name(dataset: str, taken: Sequence[str]) -> str:
    """A name for a new study that no other has."""
    base, number = f"{dataset[:60]}-study", 1
    while f"{base}-{number}" in taken:
        number += 1
    return f"{base}-{number}"


def usable(found: Sequence[SeenRun], dataset: str) -> dict[str, SeenRun]:
    """Finished runs with answers on this dataset, by their ids."""
    return {
        seen.run_id: seen
        for seen in found
        if seen.kind == "generate" and seen.state == "succeeded" and seen.dataset == dataset
    }


def sources_of(runs: Sequence[str], found: Mapping[str, SeenRun]) -> dict[str, list[str]]:
    """Source → run ids: runs of one method and base are one source, whatever target or seed.

    Where a method stands on several bases its sources are numbered: sft, sft-2. Runs that are not
    there any more keep their own id as their source's name: drawing says what is wrong with them.
    """
    grouped: dict[tuple[str, str], list[str]] = {}
    for run in runs:
        seen = found.get(run)
        key = (method_of(seen), _asked(seen)) if seen else (run, "")
        grouped.setdefault(key, []).append(run)
    named: dict[str, list[str]] = {}
    for (method, _), ids in grouped.items():
        name, number = method, 2
        while name in named:
            name, number = f"{method}-{number}", number + 1
        named[name] = ids
    return named


def method_of(seen: SeenRun) -> str:
    """How the answers of a run were made; runs that nobody queued say it in their settings."""
    config = seen.settings.get("config")
    found = config.get("method") if isinstance(config, Mapping) else None
    return str(found or seen.method or seen.run_id)


def _asked(seen: SeenRun) -> str:
    """What tells two sources of one method apart: the model that was asked."""
    settings = seen.settings
    return content_hash([settings.get(name, "") for name in ("base", "server")])

"""The form of a new study: its values, stored as a draft, and the design that they make.

A draft of the form is JSON that need not be valid yet. It is stored in the workspace's cache, one
per dataset, so that a refresh or another page loses nothing. A `StudyConfig` is made from it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from capo_core.dashboard.studies import PAGE
from capo_core.dashboard.studies import cache as studies_cache
from capo_core.dashboard.ui import forms, stored_form, url_state
from capo_core.data.catalog import Entry
from capo_core.errors import ConfigError
from capo_core.runs.summary import RunSummary
from capo_core.study.config import PEOPLE, StudyConfig
from capo_core.study.design import draft as design_draft
from capo_core.study.design.planner import StudyPlan
from capo_core.study.tables import ATTRIBUTION, COMPARISON, HUMAN, OTHER_HUMAN
from capo_core.workspace import Workspace, content_hash, read_object, write_json

FormValues = dict[str, Any]
ASSUMED_VALUES = {"expected": None, "other": 0.35, "judge_sd": 0.5, "trial_sd": 0.8}
# The rest of the form has the names of `StudyConfig`.
OWN = ("people", "people_before", "runs", "pair", *ASSUMED_VALUES)


def begin(entry: Entry, name: str) -> FormValues:
    """Return a form with common defaults, small enough for the shipped data."""
    return {
        "name": name,
        "dataset": entry.name,
        "kinds": [ATTRIBUTION, COMPARISON],
        "people": [HUMAN, OTHER_HUMAN],
        "runs": [],
        "pair": [],
        "trials_per_judge": 12,
        **ASSUMED_VALUES,
    }


def load(workspace: Workspace, dataset: str) -> FormValues | None:
    """Return the stored form of a dataset; None where there is none that can be read."""
    raw = read_object(place_of(workspace, dataset))
    return raw if raw is not None and raw.get("dataset") == dataset else None


def keep(workspace: Workspace, form: FormValues) -> None:
    """Store the form of its dataset."""
    write_json(place_of(workspace, form["dataset"]), form)


def replace(workspace: Workspace, form: FormValues) -> None:
    """Store a whole form in place of that of its dataset, which is kept (see `stored_form`)."""
    with workspace.lock("study-form"):
        stored_form.replace(place_of(workspace, form["dataset"]), form)


def put(workspace: Workspace, form: FormValues, name: str, value: Any) -> None:
    """Change one value of the stored form; another tab may have changed others meanwhile."""
    with workspace.lock("study-form"):
        keep(workspace, {**(load(workspace, form["dataset"]) or form), name: value})


def place_of(workspace: Workspace, dataset: str) -> Path:
    """Return where the form of a dataset is stored."""
    return workspace.cache / "study-forms" / f"{content_hash(dataset)[:16]}.json"


def config_of(form: FormValues, sources: Mapping[str, Sequence[str]]) -> StudyConfig:
    """Return the design in a form.

    Args:
        sources: name → run ids, of the runs that were chosen.

    Raises:
        ConfigError: something on the form cannot be used.
    """
    settings = {name: value for name, value in form.items() if name not in OWN}
    people = form.get("people", [])
    if not isinstance(people, list) or any(each not in PEOPLE for each in people):
        raise ConfigError(f"found {people!r}", where="Human texts", expected=" or ".join(PEOPLE))
    named = {name: name for name in people} | {name: list(runs) for name, runs in sources.items()}
    if not named:
        raise ConfigError(
            "the study has no sources",
            where="sources",
            expected="human texts, or answers of finished runs",
        )
    return StudyConfig.from_dict({**settings, "sources": named})


def assumed_of(form: FormValues) -> dict[str, float]:
    """Return the planner's assumptions in the form; empty values are the planner's defaults."""
    found = {}
    for name in ASSUMED_VALUES:
        value = form.get(name)
        if isinstance(value, int | float) and not isinstance(value, bool):
            found[name] = float(value)
    return found


def from_config(config: StudyConfig, name: str) -> FormValues:
    """Return the form of a design.

    Args:
        name: what the form is to call it: another name, or its own title.
    """
    plain = config.to_dict()
    sources = plain.pop("sources")
    plain.pop("title", None)  # the form has one field for both
    return {
        **plain,
        "name": name,
        "people": [each for each in sources if each in PEOPLE],
        "runs": [run for runs in config.methods.values() for run in runs],
        "pair": [],
        **ASSUMED_VALUES,
    }


def free_name(dataset: str, taken: Sequence[str]) -> str:
    """Return an unused name for a new study."""
    base, number = f"{dataset[:60]}-study", 1
    while f"{base}-{number}" in taken:
        number += 1
    return f"{base}-{number}"


def usable(found: Sequence[RunSummary], dataset: str) -> dict[str, RunSummary]:
    """Finished runs with answers on this dataset, by their ids."""
    return {
        seen.run_id: seen
        for seen in found
        if seen.kind == "generate" and seen.state == "succeeded" and seen.dataset == dataset
    }


def sources_of(runs: Sequence[str], found: Mapping[str, RunSummary]) -> dict[str, list[str]]:
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


def covered(
    runs: Sequence[str], found: Mapping[str, RunSummary], annotators: Sequence[str]
) -> list[str]:
    """Return the annotators whom every source among the runs imitates; [] where that is all of
    them, or nobody."""
    sets = [
        {target for run in ids if run in found for target in found[run].targets}
        for ids in sources_of(runs, found).values()
    ]
    chosen = [name for name in annotators if all(name in each for each in sets)]
    return chosen if len(chosen) < len(annotators) else []


def method_of(seen: RunSummary) -> str:
    """Return the method that produced the answers of a run; for a run that was not queued, from its
    settings."""
    config = seen.settings.get("config")
    found = config.get("method") if isinstance(config, Mapping) else None
    return str(found or seen.method or seen.run_id)


def _asked(seen: RunSummary) -> str:
    """Return the model of a run, which distinguishes two sources of one method."""
    settings = seen.settings
    return content_hash([settings.get(name, "") for name in ("base", "server")])


@dataclass(frozen=True)
class StudyForm:
    """The current values of the form, and their link to its widgets (see `ui.forms`)."""

    workspace: Workspace
    values: FormValues

    def value(self, path: str, default: Any = None) -> Any:
        return self.values.get(path, default)

    def tie(
        self,
        path: str,
        default: Any,
        *,
        shown: Callable[[Any], Any] | None = None,
        typed: bool = False,
    ) -> dict[str, Any]:
        """Key and callback that tie a widget to the form's value at `path` (see `ui.forms`)."""
        key = f"{PAGE}.form.{path}"
        value = self.value(path, default)
        tied = forms.widget_arguments(key, shown(value) if shown else value, typed)
        return {**tied, "on_change": self._changed, "args": (path, key)}

    def put(self, **values: Any) -> None:
        """Change values of the stored form."""
        for name, value in values.items():
            put(self.workspace, self.values, name, value)

    def _changed(self, path: str, key: str) -> None:
        self.put(**{path: url_state.now(key)})


def plans_of(workspace: Workspace, name: str) -> tuple[StudyPlan, ...] | None:
    """Return the plans of a study that was drawn; None while computing.

    They are by the assumptions kept with the draft; where none were (earlier builds, the command
    line), by those in its dataset's form.
    """
    found = studies_cache.preview_of(workspace, name)
    kept = design_draft.assumed_of(workspace, name)
    if kept is None:
        kept = load(workspace, found.config.dataset) or {}
    return studies_cache.plans(found, len(found.draft.cards), assumed_of(kept))

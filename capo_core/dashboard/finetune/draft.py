"""The draft of an experiment while its form is filled in; without Streamlit.

A draft is the JSON of an `ExperimentConfig` that need not be right yet. It lies in the workspace's
cache, one for each dataset, so that a refresh or another page loses nothing.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any

from capo_core.dashboard.ui import stored_form
from capo_core.data.catalog import Entry
from capo_core.errors import CapoError, ConfigError
from capo_core.imitation.models.registry import EMBEDDED_NAME
from capo_core.imitation.training.config import LATER, USUAL, usual_capo
from capo_core.json_text import json_line, json_text
from capo_core.runs.experiments.config import (
    OPTIONAL_STAGES,
    PRESETS,
    ExperimentConfig,
    from_preset,
    preset_settings,
)
from capo_core.workspace import Workspace, content_hash, read_object, write_json

Draft = dict[str, Any]
STAGES = ("sft", "capo", "profile", "generate", "evaluate")
# What an extra measurement begins with when it is switched on; a judge must still be named.
BEGUN = {"retention": {}, "judge": {"server": ""}}
FILE_NAME = "experiment.json"
# Key of a stored draft: settings the user changed, of those whose default depends on others.
OWN = "own"


def begin(
    entry: Entry,
    targets: tuple[str, ...],
    preset: str = "",
    *,
    suggested: str = EMBEDDED_NAME,
) -> Draft:
    """A draft with a preset's settings.

    Args:
        preset: "" takes the one for the base model.
        suggested: the base model in place of the embedded one, which is not for every dataset.
    """
    preset = preset or ("minutes" if suggested == EMBEDDED_NAME else "real")
    return with_preset({"dataset": entry.name, "targets": list(targets)}, preset, suggested)


def plain(config: ExperimentConfig) -> Draft:
    """Return the draft of a configuration, without the fingerprint of the dataset."""
    return {**config.to_dict(), "fingerprint": ""}


def load(workspace: Workspace, dataset: str) -> Draft | None:
    """Return the stored draft of a dataset; None where there is none that can be read."""
    raw = read_object(place_of(workspace, dataset))
    return raw if raw is not None and raw.get("dataset") == dataset else None


def keep(workspace: Workspace, draft: Draft) -> None:
    """Store the draft of its dataset."""
    write_json(place_of(workspace, draft["dataset"]), draft)


def replace(workspace: Workspace, draft: Draft) -> None:
    """Store a whole draft in place of that of its dataset, which is kept (see `stored_form`)."""
    with workspace.lock("experiment-draft"):
        stored_form.replace(place_of(workspace, draft["dataset"]), draft)


def put(workspace: Workspace, draft: Draft, path: str, new: Any) -> None:
    """Change one value of the stored draft, and CAPO's defaults with it (see `with_usual_capo`).

    An earlier widget or another tab may have changed others since `draft` was read.
    """
    with workspace.lock("experiment-draft"):
        before = load(workspace, draft["dataset"]) or draft
        keep(workspace, with_usual_capo(before, changed(before, path, new), path))


def place_of(workspace: Workspace, dataset: str) -> Path:
    """Return where the draft of a dataset is stored."""
    return workspace.cache / "drafts" / f"{content_hash(dataset)[:16]}.json"


def value(draft: Mapping[str, Any], path: str, default: Any = None) -> Any:
    """Return the value at a dotted name; `default` where there is none."""
    place: Any = draft
    for part in path.split("."):
        if not isinstance(place, Mapping) or part not in place:
            return default
        place = place[part]
    return place


def changed(draft: Draft, path: str, new: Any) -> Draft:
    """The draft with another value at a dotted name."""
    result = deepcopy(draft)
    *parts, last = path.split(".")
    place = result
    for part in parts:
        if not isinstance(place.get(part), dict):
            place[part] = {}
        place = place[part]
    place[last] = new
    return result


# Settings of CAPO whose default depends on the base model and the adapter.
_FOLLOWING = tuple(f"capo.{name}" for name in USUAL)


def with_usual_capo(before: Draft, after: Draft, path: str) -> Draft:
    """Return `after` with the settings of CAPO that are usual on its base model and adapter.

    A setting follows (see `usual_capo`) if it had the usual value and the user never changed it.

    Args:
        before, after: the draft before and after the value at `path` changed.
    """
    own = {*after.get(OWN, ()), *({path} & set(_FOLLOWING))}
    result = {**after, OWN: sorted(own)} if own else after
    was, now = _usual_capo(before), _usual_capo(after)
    if was == now:
        return result
    for setting in _FOLLOWING:
        before_it = value(after, setting, _plain_form(setting))
        follows = setting not in own and before_it == was[setting]
        result = changed(result, setting, now[setting] if follows else before_it)
    # Presets of the embedded base model do not write the plain form out.
    short = deepcopy(result)
    for setting in _FOLLOWING:
        if value(short, setting) == _plain_form(setting):
            del short["capo"][setting.removeprefix("capo.")]
    return short if preset_of(short) else result


def _usual_capo(draft: Draft) -> dict[str, Any]:
    found = usual_capo(
        str(value(draft, "base", EMBEDDED_NAME)),
        adapter=str(value(draft, "sft.lora.kind", "lora")),
        shared=bool(value(draft, "sft.shared", False)),
    )
    return {f"capo.{name}": found.get(name, LATER[name]) for name in USUAL}


def _plain_form(setting: str) -> Any:
    return LATER[setting.removeprefix("capo.")]


def with_preset(draft: Draft, preset: str, suggested: str = EMBEDDED_NAME) -> Draft:
    """A preset's settings with the draft's dataset, annotators and name (see `begin`)."""
    embedded = PRESETS[preset].settings["base"] == EMBEDDED_NAME
    settings = preset_settings(preset, suggested if embedded else "")
    fresh = ExperimentConfig.from_dict({"dataset": draft["dataset"], "targets": ["-"], **settings})
    kept = {name: draft.get(name, "") for name in ("targets", "name", "dataset")}
    return {**plain(fresh), **kept}


def preset_of(draft: Draft, suggested: str = EMBEDDED_NAME) -> str:
    """Return the preset with exactly these settings; "" for others (see `begin`)."""
    kept = ("dataset", "targets", "name", "fingerprint", OWN)
    if any(draft.get(stage) is not None for stage in OPTIONAL_STAGES):
        return ""
    for name in PRESETS:
        fresh = with_preset(draft, name, suggested)
        named = {*fresh, *draft} - {*kept, *OPTIONAL_STAGES}
        if all((draft.get(key) or None) == (fresh.get(key) or None) for key in named):
            return name
    return ""


def config_of(draft: Draft) -> ExperimentConfig:
    """The configuration; `ConfigError` where something in the draft is wrong."""
    return ExperimentConfig.from_dict({key: each for key, each in draft.items() if key != OWN})


def read(text: str) -> ExperimentConfig:
    """A configuration from a file or from the clipboard.

    Raises:
        ConfigError: it is no JSON, or no experiment.
    """
    try:
        raw = json.loads(text)
    except ValueError as error:
        raise ConfigError(
            f"this is not JSON ({error})",
            where="the configuration",
            todo="load a configuration file saved by this page, or paste all of it",
        ) from None
    # What `experiment.json` of the workspace holds is the configuration with what became of it.
    if isinstance(raw, dict) and isinstance(raw.get("config"), dict):
        raw = raw["config"]
    return ExperimentConfig.from_dict(raw)


def as_json(config: ExperimentConfig) -> str:
    """Return a configuration as the text of its file."""
    return json_text(plain(config))


def command(config: ExperimentConfig) -> str:
    """The command line that starts this experiment.

    Written out on a preset where that can say everything; else with the saved configuration.
    """
    found = [_on_preset(config, name) for name in PRESETS]
    best = min((words for words in found if words is not None), key=len, default=None)
    words = best or ["--config", FILE_NAME]
    return shlex.join(["python", "-m", "capo_core", "experiment", "start", *words])


def _on_preset(config: ExperimentConfig, name: str) -> list[str] | None:
    try:
        base = {"base": config.base} if config.base else {}
        fresh = from_preset(name, config.dataset, config.targets, **base)
    except CapoError:
        return None
    if config.fingerprint:
        return None
    words = ["--dataset", config.dataset, "--annotator", *config.targets, "--preset", name]
    for option, attribute in (("--method", "methods"), ("--seeds", "seeds")):
        if getattr(config, attribute) != getattr(fresh, attribute):
            words += [option, *map(str, getattr(config, attribute))]
    before = {"base": PRESETS[name].settings["base"], "server": fresh.server}
    for attribute, own in {**before, "executor": fresh.executor}.items():
        if getattr(config, attribute) != own:
            words += [f"--{attribute}", getattr(config, attribute)]
    if config.allow_embedded:
        words.append("--allow-embedded")
    if config.likelihood != fresh.likelihood:
        words.append("--likelihood" if config.likelihood else "--no-likelihood")
    changes = {} if config.name == fresh.name else {"name": config.name}
    for stage in STAGES:
        ours, theirs = getattr(config, stage), getattr(fresh, stage)
        if set(theirs) - set(ours):
            return None  # a command can set, not take away
        changes |= {
            f"{stage}.{key}": each
            for key, each in ours.items()
            if key not in theirs or theirs[key] != each
        }
    for stage in OPTIONAL_STAGES:  # no preset has any
        ours = getattr(config, stage)
        if ours is not None:
            changes |= {f"{stage}.{key}": each for key, each in ours.items()} or {stage: {}}
    if changes:
        words += ["--set", *(f"{key}={json_line(each)}" for key, each in changes.items())]
    return words

"""The request of a run, `request.json` in its folder, and the kinds of runs there are.

    {"kind": "train_sft", "settings": {…}, "after": [run ids], "after_any": [run ids],
     "experiment": "", "order": 7, "queued": seconds since the epoch, "executor": "local"}

A person may edit it by hand, so all of it is checked before it is used (see `checks`). The work of
each kind is in `kinds`; a list of runs needs only its name here.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from capo_core.errors import RunError
from capo_core.workspace import safe_name, write_json

FILE = "request.json"
EXECUTORS = ("local", "slurm")


@dataclass(frozen=True)
class RunKind:
    """A kind of run, as data.

    Attributes:
        label: for people; a run of the kind with the label "SFT" is called "SFT for A".
        method: the method its runs belong to, for tables; "" for none.
        stage: its part of the run's name, where that is not the kind's own name.
    """

    label: str
    method: str = ""
    stage: str = ""


KINDS: dict[str, RunKind] = {
    "train_sft": RunKind("SFT", "sft", "sft"),
    "train_capo": RunKind("CAPO", "capo", "capo"),
    "profile": RunKind("Value profiles", "profile"),
    "generate": RunKind("Generation", stage="answers"),  # its method is a setting
    "evaluate": RunKind("Evaluation"),
    "judge": RunKind("LLM judge"),
    "retention": RunKind("Retention"),
    "estimate": RunKind("Distribution estimate"),
    "softlabel": RunKind("Soft-label training"),
    "stability": RunKind("Stability report"),
    "calibration": RunKind("Calibration"),
    "authors": RunKind("Likeliest author"),
    "leaderboard": RunKind("Benchmark"),
    "model": RunKind("Base model"),
    "preflight": RunKind("Pre-flight check"),
    "dummy": RunKind("Dummy run"),
}
FORMER_KINDS = {"rehearsal": "dummy"}  # former names, in folders that were written under them


@dataclass(frozen=True)
class RunRequest:
    """A run to be done: its kind and settings, and when and where it may start. A record that
    holds the settings of any kind, not a settings class.

    Attributes:
        kind: one of `KINDS`.
        settings: of that kind, JSON-able.
        after: runs that must have succeeded before this one starts.
        after_any: runs that must have ended before this one starts, however they ended; at least
            one of them with success (see `dependencies`).
        experiment: the experiment it belongs to; "" for none.
        order: the place in the queue; lower ones start first.
        queued: when it was submitted, seconds since the epoch.
        executor: "local" (a process of this machine) or "slurm".
    """

    kind: str
    settings: dict[str, Any] = field(default_factory=dict)
    after: tuple[str, ...] = ()
    experiment: str = ""
    order: int = 0
    queued: float = 0.0
    executor: str = "local"
    after_any: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name, right, expected in (
            ("kind", isinstance(self.kind, str) and self.kind, "a kind of run"),
            ("settings", isinstance(self.settings, dict), "an object"),
            ("after", _names(self.after), "a list of names of runs"),
            ("after_any", _names(self.after_any), "a list of names of runs"),
            ("experiment", isinstance(self.experiment, str), "an experiment's name"),
            ("order", type(self.order) is int, "a whole number"),
            ("queued", type(self.queued) in (int, float), "seconds"),
            ("executor", self.executor in EXECUTORS, f"one of {', '.join(EXECUTORS)}"),
        ):
            if not right:
                raise RunError(f"{name} is {getattr(self, name)!r}", where=FILE, expected=expected)
        for name in self.waits_for:
            safe_name(name)

    @property
    def waits_for(self) -> tuple[str, ...]:
        """The runs that must have ended before this one starts."""
        return (*self.after, *self.after_any)

    @property
    def label(self) -> str:
        """The kind's name for a person."""
        return KINDS[self.kind].label if self.kind in KINDS else self.kind

    @property
    def method(self) -> str:
        """The method the run belongs to, for tables: "sft", "capo", "zero_shot", …; "" for none."""
        if self.kind == "generate":
            return str(self.settings.get("config", {}).get("method", ""))
        return KINDS[self.kind].method if self.kind in KINDS else ""

    @property
    def targets(self) -> tuple[str, ...]:
        """The annotators to imitate; empty if the settings have none."""
        found = self.settings.get("targets") or [self.settings.get("target")]
        return tuple(str(each) for each in found if each)

    def write(self, folder: Path) -> None:
        write_json(folder / FILE, asdict(self))

    @classmethod
    def read(cls, folder: Path) -> RunRequest:
        """Return the request of the run in `folder`.

        Runs that start at once were formerly described by the file config.json alone:
        `{"kind": …, "settings": {…}}`.

        Raises:
            RunError: there is none, or the file is damaged; the message has the reason.
            ConfigError: a run's name in it is not one.
        """
        try:
            raw = json.loads((folder / FILE).read_text(encoding="utf-8"))
        except FileNotFoundError:
            raw = _former(folder)
        except ValueError as error:
            raise RunError(f"the file is not JSON ({error})", where=FILE) from None
        if not isinstance(raw, dict):
            raise RunError("the file is not a JSON object", where=FILE)
        known = {each.name for each in fields(cls)}
        strange = sorted(set(raw) - known)
        if strange or "kind" not in raw:
            what = f"a request has no {strange[0]!r}" if strange else "the request has no kind"
            raise RunError(what, where=FILE, expected=f"some of {', '.join(sorted(known))}")
        for name in ("after", "after_any"):
            if isinstance(raw.get(name), list):
                raw[name] = tuple(raw[name])
        if isinstance(raw["kind"], str):
            raw["kind"] = FORMER_KINDS.get(raw["kind"], raw["kind"])
        return cls(**raw)


def _former(folder: Path) -> dict[str, Any]:
    """Return the request in a former config.json; `RunError` where there is none."""
    try:
        raw = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        if set(raw) == {"kind", "settings"}:
            return raw
    except (FileNotFoundError, ValueError, TypeError):
        pass
    raise RunError("the run has no request", where=FILE)


def _names(value: Any) -> bool:
    return isinstance(value, tuple) and all(isinstance(each, str) for each in value)

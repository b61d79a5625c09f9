"""What was asked of a run: `request.json` in its folder.

    {"kind": "train_sft", "settings": {…}, "after": [run ids], "after_any": [run ids],
     "experiment": "", "order": 7, "queued": seconds since the epoch, "executor": "local"}

A person may edit it by hand, so nothing in it is believed before it is looked at.
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
class Request:
    """What a run shall do, when and where.

    Attributes:
        kind: one of `run_kinds.RUN_KINDS`.
        settings: of that kind, JSON-able.
        after: runs that must have succeeded before this one begins.
        after_any: runs that must be over before this one begins, however they ended; one of them
            at least with success (see `waiting`).
        experiment: the experiment it belongs to; "" for none.
        order: the place in the queue; lower ones begin first.
        queued: when it was asked for, seconds since the epoch.
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
        """All runs that must be over before this one begins."""
        return (*self.after, *self.after_any)

    def write(self, folder: Path) -> None:
        write_json(folder / FILE, asdict(self))

    @classmethod
    def read(cls, folder: Path) -> Request:
        """The request of the run in `folder`.

        Raises:
            RunError: there is none, or somebody wrote something else there; it says what.
            ConfigError: a name in it is none.
        """
        try:
            raw = json.loads((folder / FILE).read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise RunError("nobody wrote down how this run was asked for", where=FILE) from None
        except ValueError as error:
            raise RunError(f"it is not JSON ({error})", where=FILE) from None
        if not isinstance(raw, dict):
            raise RunError("it is not an object", where=FILE)
        known = {each.name for each in fields(cls)}
        strange = sorted(set(raw) - known)
        if strange or "kind" not in raw:
            what = f"there is no {strange[0]!r} in a request" if strange else "it names no kind"
            raise RunError(what, where=FILE, expected=f"some of {', '.join(sorted(known))}")
        for name in ("after", "after_any"):
            if isinstance(raw.get(name), list):
                raw[name] = tuple(raw[name])
        return cls(**raw)


def _names(value: Any) -> bool:
    return isinstance(value, tuple) and all(isinstance(each, str) for each in value)

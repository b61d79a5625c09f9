"""The statement of every export on itself: version, data, simulated or not, models, seeds, n, date.

An export is made of a `Provenance` and its content, by the writer of its format in
`export_formats`. Tables carry it in each row, as one line of text (`Provenance.line`), documents as
an object (`Provenance.to_dict`). The date is the day of the export, in UTC, or that of the
environment variable SOURCE_DATE_EPOCH (https://reproducible-builds.org/specs/source-date-epoch/),
so that the same export can be made again byte by byte. It never enters a fingerprint, a cache or a
run.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Protocol

import capo_core
from capo_core.errors import ConfigError
from capo_core.formatting import capitalised, count, listed

PRODUCT = "CAPO Lab"
NAME = "provenance"  # the column of tables, the key of JSON
PEOPLE, SIMULATED, BOTH, UNKNOWN = "people", "simulated", "people and simulated", "not stated"
NONE = "none"
_BETWEEN = " | "
_PRINT = 16  # letters of a fingerprint in a line


def today() -> str:
    """Return the day of an export, ISO, UTC.

    Raises:
        ConfigError: SOURCE_DATE_EPOCH is set to something else than seconds of a date.
    """
    epoch = os.environ.get("SOURCE_DATE_EPOCH", "")
    try:
        now = datetime.fromtimestamp(int(epoch), UTC) if epoch else datetime.now(UTC)
    except (ValueError, OverflowError, OSError):
        raise ConfigError(
            f"SOURCE_DATE_EPOCH is {epoch!r}",
            expected="whole seconds since 1970 of a date before the year 10000, or nothing",
            todo="correct or unset the environment variable",
        ) from None
    return now.date().isoformat()


def kind_of(simulated: bool) -> str:
    """Return SIMULATED or PEOPLE."""
    return SIMULATED if simulated else PEOPLE


class Described(Protocol):
    """Anything with a name and a fingerprint that is simulated or not, as a dataset is."""

    name: str
    fingerprint: str
    simulated: bool


@dataclass(frozen=True)
class Provenance:
    """The origin of an export.

    Attributes:
        dataset, fingerprint: name and SHA-256 (hex) of the data; "" where there is no single one.
        data: who wrote the annotations: PEOPLE, SIMULATED, BOTH or UNKNOWN.
        models: names of the models whose outputs are in it; () for none.
        seeds: random seeds that the content depends on, in order.
        n: (noun in the singular, number) of what was counted: ("item", 100).
        judges: who judged in a study: PEOPLE, SIMULATED, or "" where nobody did.
        details: further (name, text), such as the run or the study.
        version, date: of the product, and the day of the export.

    >>> print(Provenance("demo-nli", "ab12", SIMULATED, seeds=(0,), n=(("item", 300),),
    ...                  version="0.3.0", date="2026-03-02").line)
    CAPO Lab 0.3.0 | dataset=demo-nli | data=simulated | fingerprint=ab12 | models=none | ...
    """

    dataset: str
    fingerprint: str
    data: str = PEOPLE
    models: tuple[str, ...] = ()
    seeds: tuple[int, ...] = ()
    n: tuple[tuple[str, int], ...] = ()
    judges: str = ""
    details: tuple[tuple[str, str], ...] = ()
    version: str = capo_core.__version__
    date: str = field(default_factory=today)

    @classmethod
    def of(cls, data: Described, **more: Any) -> Provenance:
        """Return the provenance of what comes from one dataset; `more` are other attributes."""
        return cls(data.name, data.fingerprint, kind_of(data.simulated), **more)

    def but(self, **changes: Any) -> Provenance:
        """Return the same with other attributes; `details` are added to those there are."""
        if "details" in changes:
            mine = dict(self.details) | dict(changes["details"])
            changes = {**changes, "details": tuple(mine.items())}
        return replace(self, **changes)

    def dated(self) -> Provenance:
        """Return the same for an export of today."""
        return replace(self, date=today())

    @property
    def simulated(self) -> bool:
        """Return whether anything in it was simulated: annotations or judges."""
        return SIMULATED in self.data or SIMULATED in self.judges

    @property
    def mark(self) -> str:
        """Return "simulated data", "simulated data and judges", "partly simulated judges", … or
        ""; partly is what is of people too."""
        parts = (("data", self.data), ("judges", self.judges))
        marks = []
        for kind, how in ((SIMULATED, "simulated"), (BOTH, "partly simulated")):
            what = [name for name, of in parts if of == kind]
            if what:
                marks.append(f"{how} {listed(what)}")
        return listed(marks)

    def titled(self, title: str) -> str:
        """Return the title with the mark of what is simulated."""
        return f"{title.rstrip('.')} ({self.mark})" if self.mark else title

    def marked(self, sentence: str) -> str:
        """Return a sentence of results that can be pasted elsewhere, with what is simulated in
        front."""
        return f"{capitalised(self.mark)}: {sentence}" if self.mark else sentence

    @property
    def caution(self) -> str:
        """Return a sentence for paragraphs on simulated content; "" where nothing is simulated."""
        if self.data == self.judges == SIMULATED:
            return "Annotations and judges are simulated; no person wrote or judged."
        said = {
            ("data", SIMULATED): "The annotations are simulated; no person wrote them.",
            ("data", BOTH): "Some of the annotations are simulated; no person wrote those.",
            ("judges", SIMULATED): "The judges are simulated; no person judged.",
            ("judges", BOTH): "Some of the judges are simulated; no person gave their answers.",
        }
        parts = (("data", self.data), ("judges", self.judges))
        return " ".join(said[part] for part in parts if part in said)

    def _parts(self, fingerprint: str) -> dict[str, str]:
        return {
            "dataset": self.dataset or NONE,
            "data": self.data,
            "fingerprint": fingerprint or NONE,
            "models": ", ".join(self.models) or NONE,
            "seeds": ", ".join(map(str, self.seeds)) or NONE,
            "n": ", ".join(count(number, noun) for noun, number in self.n) or NONE,
            **({"judges": self.judges} if self.judges else {}),
            "date": self.date,
            **dict(self.details),
        }

    @property
    def line(self) -> str:
        """The provenance as one line of text, which `from_line` reads; the fingerprint cut."""
        parts = self._parts(self.fingerprint[:_PRINT])
        said = [f"{name}={_plain(text)}" for name, text in parts.items()]
        return _BETWEEN.join([f"{PRODUCT} {self.version}", *said])

    @property
    def rows(self) -> dict[str, str]:
        """The provenance as name → text, for a table on a page; the fingerprint in full."""
        return {"product": f"{PRODUCT} {self.version}", **self._parts(self.fingerprint)}

    def to_dict(self) -> dict[str, Any]:
        """Return the provenance for JSON."""
        return {
            "product": PRODUCT,
            "version": self.version,
            "dataset": self.dataset,
            "fingerprint": self.fingerprint,
            "data": self.data,
            "models": list(self.models),
            "seeds": list(self.seeds),
            "n": dict(self.n),
            **({"judges": self.judges} if self.judges else {}),
            "date": self.date,
            **({"details": dict(self.details)} if self.details else {}),
        }

    @classmethod
    def from_dict(cls, raw: Any) -> Provenance | None:
        """Return what `to_dict` wrote; None for anything else."""
        if not isinstance(raw, Mapping) or raw.get("product") != PRODUCT:
            return None
        try:
            return cls(
                dataset=str(raw["dataset"]),
                fingerprint=str(raw["fingerprint"]),
                data=str(raw["data"]),
                models=tuple(map(str, raw["models"])),
                seeds=tuple(map(int, raw["seeds"])),
                n=tuple((str(noun), int(number)) for noun, number in raw["n"].items()),
                judges=str(raw.get("judges", "")),
                details=tuple((str(k), str(v)) for k, v in raw.get("details", {}).items()),
                version=str(raw["version"]),
                date=str(raw["date"]),
            )
        except (KeyError, TypeError, ValueError, AttributeError):
            return None

    @classmethod
    def from_line(cls, text: str) -> Provenance | None:
        """Return what `line` wrote; None for anything else."""
        head, *said = text.strip().split(_BETWEEN)
        parts = dict(part.partition("=")[::2] for part in said)
        if not head.startswith(f"{PRODUCT} ") or not {"dataset", "data", "date"} <= parts.keys():
            return None
        own = ("dataset", "data", "fingerprint", "models", "seeds", "n", "judges", "date")
        return cls(
            dataset=_some(parts["dataset"]),
            fingerprint=_some(parts.get("fingerprint", "")),
            data=parts["data"],
            models=_each(parts.get("models", "")),
            seeds=tuple(int(s) for s in _each(parts.get("seeds", "")) if s.lstrip("-").isdecimal()),
            n=tuple(filter(None, map(_counted, _each(parts.get("n", ""))))),
            judges=parts.get("judges", ""),
            details=tuple((k, v) for k, v in parts.items() if k not in own),
            version=head.removeprefix(f"{PRODUCT} "),
            date=parts["date"],
        )


def stated(values: Iterable[Any]) -> tuple[Provenance, ...]:
    """Return the different provenances that the rows of a file state; () where a value is not one
    of ours, so that the column is another's.

    >>> line = Provenance("demo-nli", "ab12", SIMULATED).line
    >>> [one.data for one in stated([line, "", line])], stated([line, "a museum"])
    (['simulated'], ())
    """
    texts = dict.fromkeys(text for text in values if isinstance(text, str) and text.strip())
    found = [Provenance.from_line(text) for text in texts]
    return tuple(found) if all(found) else ()


def together(kinds: Iterable[str]) -> str:
    """Return whose annotations those of several origins are; what is not stated leaves it open.

    >>> together([PEOPLE, SIMULATED]), together([PEOPLE, UNKNOWN]), together([UNKNOWN])
    ('people and simulated', 'people', 'not stated')
    """
    known = {kind for kind in kinds if kind not in ("", UNKNOWN)}
    return known.pop() if len(known) == 1 else BOTH if known else UNKNOWN


def any_simulated(provenances: Iterable[Provenance]) -> bool:
    """Return whether annotations of one of the origins are simulated, all or some."""
    return any(SIMULATED in one.data for one in provenances)


def _plain(text: str) -> str:
    """Return a text for a line: nothing in it ends the line or a part of it."""
    return " ".join(str(text).replace("|", "/").split())


def _counted(text: str) -> tuple[str, int] | None:
    """Return (noun, number) of "1,200 annotators"; None for a text that counts nothing."""
    number, _, nouns = text.partition(" ")
    digits = number.replace(",", "")
    if not digits.isdecimal() or not nouns:
        return None
    return (nouns if digits == "1" else nouns.removesuffix("s")), int(digits)


def _some(text: str) -> str:
    return "" if text == NONE else text


def _each(text: str) -> tuple[str, ...]:
    return tuple(filter(None, _some(text).split(", ")))

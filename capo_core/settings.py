"""Settings: one frozen, validated class per stage, the single source for checks, forms and docs.

A field states its type, title, meaning and range once. From it come the check of every value, the
JSON form, the command line's options (`capo_core.cli.options`), the form's fields, and the docs'
tables. A class becomes one by `@settings`, its fields by `setting(…)`:

    @settings("SFT")
    class SftConfig:
        epochs: int = setting(4, "Epochs", "Passes over the training items.", ge=1)
        schedule: str = setting("linear", "Schedule", "…", choices=("constant", "linear"))

Values are held to their type strictly (a text is no number, a truth value no count); lists become
tuples, numbers of numpy plain ones, and dictionaries the settings of a nested stage. What concerns
several fields at once is checked in the class's own `__post_init__`.
"""

from __future__ import annotations

import functools
import math
import typing
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import MISSING, Field, asdict, dataclass, field, fields, is_dataclass
from types import NoneType, UnionType
from typing import Any, TypeVar, Union, dataclass_transform, get_args, get_origin

from pydantic import ConfigDict, ValidationError
from pydantic.dataclasses import dataclass as pydantic_dataclass

from capo_core.errors import ConfigError

_ABOUT = "setting"  # key of a field's metadata
Choices = Sequence[str] | Callable[[], Sequence[str]]
T = TypeVar("T")


def setting(
    default: Any = MISSING,
    title: str = "",
    description: str = "",
    *,
    default_factory: Callable[[], Any] | None = None,
    ge: float | None = None,
    gt: float | None = None,
    le: float | None = None,
    lt: float | None = None,
    choices: Choices | None = None,
    step: float | None = None,
    empty: str = "",
    usual: tuple[float, float] | None = None,
    secret: bool = False,
) -> Any:
    """Return a field of a settings class.

    Args:
        title: the standard term of the field, for a label: "Learning rate".
        description: one sentence or two on its effect and how to choose it.
        ge, gt, le, lt: range of a number (of each one, in a tuple of numbers).
        choices: allowed texts, or a function that returns them (a registry).
        step: by how much a form's buttons change it.
        empty: what None, or an empty text, means ("chosen by the size of the base model").
        usual: smallest and largest value that a form offers, where narrower than the range.
        secret: kept out of `repr`.
    """
    about = {
        "title": title, "description": description, "ge": ge, "gt": gt, "le": le, "lt": lt,
        "choices": choices, "step": step, "empty": empty, "usual": usual,
    }  # fmt: skip
    if default_factory is not None:
        return field(default_factory=default_factory, metadata={_ABOUT: about})
    return field(default=default, metadata={_ABOUT: about}, repr=not secret)


@dataclass_transform(frozen_default=True, field_specifiers=(setting,))
def settings(title: str = "") -> Callable[[type[T]], type[T]]:
    """Make a class a frozen, validated settings class; `title` names the stage in errors."""

    def decorate(cls: type[T]) -> type[T]:
        own_check = cls.__dict__.get("__post_init__")

        def __post_init__(self) -> None:
            _check_fields(self)
            if own_check is not None:
                own_check(self)

        cls.__post_init__ = __post_init__
        config = ConfigDict(extra="forbid", strict=True, arbitrary_types_allowed=True)
        made = pydantic_dataclass(frozen=True, config=config)(cls)
        made.settings_title = title or made.__name__
        validate = made.__init__

        @functools.wraps(validate)
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            args = [_plain(value) for value in args]
            kwargs = {name: _nested(made, name, _plain(value)) for name, value in kwargs.items()}
            try:
                validate(self, *args, **kwargs)
            except ValidationError as error:
                raise _config_error(made, error) from None

        made.__init__ = __init__
        for name, method in (("to_dict", _to_dict), ("from_dict", classmethod(_from_dict))):
            if not hasattr(made, name):
                setattr(made, name, method)
        return made

    return decorate


@dataclass(frozen=True)
class SettingField:
    """A field of a settings class, for forms, options and docs.

    Attributes:
        path: path from the class queried: "lora.rank".
        title, description: for a person.
        kind: whole, number, switch, choice, text, object; wholes, numbers, choices, texts and
            objects for tuples.
        default: default of the class; None has the meaning of `empty`.
        required: there is no default.
        optional: None is allowed.
        low, high: the smallest and largest allowed value; exclusive where `open_low`, `open_high`.
        choices: allowed texts, empty where any.
        step: increment of a form's buttons; None if not set.
        usual: smallest and largest value that a form offers.
    """

    path: str
    title: str
    description: str
    kind: str
    default: Any
    optional: bool = False
    required: bool = False
    low: float | None = None
    high: float | None = None
    open_low: bool = False
    open_high: bool = False
    choices: tuple[str, ...] = ()
    step: float | None = None
    empty: str = ""
    usual: tuple[float, float] | None = None

    @property
    def name(self) -> str:
        """The last part of the path."""
        return self.path.rpartition(".")[2]

    @property
    def expected(self) -> str:
        """Describe the values of the field: "a whole number from 1 to 100"."""
        what = {
            "whole": "a whole number", "number": "a number", "switch": "true or false",
            "choice": "one of " + ", ".join(filter(None, self.choices)), "text": "a text",
            "wholes": "whole numbers", "numbers": "numbers",
            "choices": "some of " + ", ".join(self.choices), "texts": "texts",
            "object": "an object", "objects": "objects",
        }[self.kind]  # fmt: skip
        if self.kind in ("whole", "number", "wholes", "numbers"):
            what += _range_in_words(self)
        return f"{what}, or nothing ({self.empty})" if self.optional and self.empty else what


def settings_fields(cls: type, prefix: str = "") -> tuple[SettingField, ...]:
    """Return all fields of a settings class in order, those of nested stages under their path."""
    return tuple(_walk(cls, prefix))


def normalised(cls: type, raw: Mapping[str, Any]) -> dict[str, Any]:
    """Return raw settings of `cls` with whole numbers as floats where the field is a number.

    So that a name made of settings written by hand is the same with 0 as with 0.0, as it is for
    settings that went through the class.
    """
    kinds = {field.path: field.kind for field in settings_fields(cls)}

    def of(path: str, value: Any) -> Any:
        if isinstance(value, Mapping):
            return {name: of(f"{path}.{name}" if path else name, part)
                    for name, part in value.items()}  # fmt: skip
        if kinds.get(path) == "number" and type(value) is int:
            return float(value)
        if kinds.get(path) == "numbers" and isinstance(value, (list, tuple)):
            return [float(part) if type(part) is int else part for part in value]
        return value

    return of("", raw)


def setting_field(cls: type, path: str) -> SettingField:
    """Return the field at `path` ("lora.rank") of a settings class.

    Raises:
        ConfigError: there is no such setting.
    """
    known = {field.path: field for field in settings_fields(cls)}
    if path not in known:
        raise ConfigError(
            f"there is no setting {path!r} in {_title(cls)}",
            expected=f"settings out of {', '.join(sorted(known))}",
        )
    return known[path]


@functools.cache
def _hints(cls: type) -> Mapping[str, Any]:
    """The types of a class's fields: evaluating them takes longer than all checks of a value."""
    return typing.get_type_hints(cls)


def _walk(cls: type, prefix: str) -> Iterator[SettingField]:
    hints = _hints(cls)
    for each in fields(cls):
        inner = _without_none(hints[each.name])[0]
        if is_dataclass(inner):
            yield from _walk(inner, f"{prefix}{each.name}.")
            continue
        yield _described(each, hints[each.name], prefix)


def _described(field: Field, hint: Any, prefix: str) -> SettingField:
    about = field.metadata.get(_ABOUT, {})
    inner, optional = _without_none(hint)
    choices = about.get("choices")
    choices = tuple(choices() if callable(choices) else choices or ())
    at_least, at_most = about.get("ge"), about.get("le")
    default = field.default if field.default is not MISSING else None
    if field.default_factory is not MISSING:
        default = field.default_factory()
    return SettingField(
        f"{prefix}{field.name}",
        about.get("title") or field.name.replace("_", " ").capitalize(),
        about.get("description", ""),
        _kind(inner, bool(choices)),
        default,
        optional,
        required=field.default is MISSING and field.default_factory is MISSING,
        low=about.get("gt") if at_least is None else at_least,
        high=about.get("lt") if at_most is None else at_most,
        open_low=at_least is None and about.get("gt") is not None,
        open_high=at_most is None and about.get("lt") is not None,
        choices=choices,
        step=about.get("step"),
        empty=about.get("empty", ""),
        usual=about.get("usual"),
    )


def _without_none(hint: Any) -> tuple[Any, bool]:
    """The type without None, and whether None was allowed."""
    if get_origin(hint) in (Union, UnionType):
        parts = [part for part in get_args(hint) if part is not NoneType]
        return (parts[0] if len(parts) == 1 else hint), len(parts) < len(get_args(hint))
    return hint, False


_SINGLE = {int: "whole", float: "number", bool: "switch", str: "text", Any: "text"}


def _kind(hint: Any, chosen: bool) -> str:
    if get_origin(hint) in (tuple, list):
        item = _kind(get_args(hint)[0], chosen)
        return f"{item}s"
    if get_origin(hint) in (Union, UnionType):  # a name, or several
        return "text"
    return "choice" if chosen else _SINGLE.get(hint, "object")


def _range_in_words(field: SettingField) -> str:
    low, high = field.low, field.high
    if low is not None and high is not None:
        above = "above " if field.open_low else "from "
        below = " to below " if field.open_high else " to "
        return f" {above}{low:,.15g}{below}{high:,.15g}"
    if low is not None:
        return f" above {low:,.15g}" if field.open_low else f" of {low:,.15g} or more"
    if high is not None:
        return f" below {high:,.15g}" if field.open_high else f" of {high:,.15g} or less"
    return ""


@functools.cache
def _checked(cls: type) -> tuple[tuple[str, SettingField | None, Field], ...]:
    """The fields with a range or choices of their own: name, description and field.

    The description is None where it has to be made anew for each check, since a registry that gives
    the choices may grow.
    """
    found = []
    for spec in fields(cls):
        hint = _hints(cls)[spec.name]
        if not is_dataclass(_without_none(hint)[0]):
            grows = callable(spec.metadata.get(_ABOUT, {}).get("choices"))
            found.append((spec.name, None if grows else _described(spec, hint, ""), spec))
    return tuple(found)


def _check_fields(config: Any) -> None:
    """Ranges and choices; types were checked before."""
    for name, fixed, spec in _checked(type(config)):
        value = getattr(config, name)
        if value is None:
            continue
        about = fixed or _described(spec, _hints(type(config))[name], "")
        each = value if isinstance(value, tuple) else (value,)
        numbers = about.kind in ("whole", "number", "wholes", "numbers")
        wrong = any(
            (numbers and not _in_range(part, about))
            or (about.choices and part not in about.choices)
            for part in each
        )
        if wrong:
            raise ConfigError(
                f"{_shown(value)} cannot be used",
                where=f"{_title(type(config))}, {name}",
                expected=about.expected,
            )


def _in_range(value: float, about: SettingField) -> bool:
    if not math.isfinite(value):
        return False
    low = about.low is None or (value > about.low if about.open_low else value >= about.low)
    high = about.high is None or (value < about.high if about.open_high else value <= about.high)
    return low and high


def _config_error(cls: type, error: ValidationError) -> ConfigError:
    """The first thing that is wrong, in the words of the field."""
    first = error.errors(include_url=False)[0]
    place = [str(part) for part in first["loc"] if not isinstance(part, int)]
    name = place[0] if place else ""
    known = {field.name for field in fields(cls)}
    if first["type"] in ("unexpected_keyword_argument", "extra_forbidden"):
        return ConfigError(
            f"there is no setting {name!r} in {_title(cls)}",
            expected=f"settings out of {', '.join(sorted(known))}",
        )
    if first["type"] == "missing":
        return ConfigError(f"the setting {name!r} is missing", where=_title(cls))
    return ConfigError(
        f"{_shown(first.get('input'))} cannot be used",
        where=f"{_title(cls)}, {name}",
        expected=_expected(cls, name) or first["msg"],
    )


def _expected(cls: type, name: str) -> str:
    found = [field for field in settings_fields(cls) if field.path == name]
    return found[0].expected if found else ""


def _title(cls: type) -> str:
    return getattr(cls, "settings_title", cls.__name__)


def _shown(value: Any) -> str:
    text = repr(list(value) if isinstance(value, tuple) else value)
    return text if len(text) <= 60 else text[:59] + "…"


def _plain(value: Any) -> Any:
    """Lists as tuples and numpy's numbers as plain ones, through and through."""
    if isinstance(value, (list, tuple)):
        return tuple(_plain(each) for each in value)
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    return value.item() if type(value).__module__ == "numpy" and hasattr(value, "item") else value


def _nested(cls: type, name: str, value: Any) -> Any:
    """Return a dictionary as settings of the nested stage `name`; other values unchanged."""
    if not isinstance(value, dict):
        return value
    inner = _without_none(_hints(cls).get(name))[0]
    return inner(**value) if is_dataclass(inner) else value


def as_json(value: Any) -> Any:
    """Return `value` as JSON gives it back: tuples as lists, settings as dictionaries."""
    if is_dataclass(value) and not isinstance(value, type):
        return as_json(asdict(value))
    if isinstance(value, dict):
        return {key: as_json(each) for key, each in value.items()}
    return [as_json(each) for each in value] if isinstance(value, (list, tuple)) else value


def _to_dict(self: Any) -> dict[str, Any]:
    """Return the settings as JSON writes them."""
    return as_json(self)


def _from_dict(cls: type[T], raw: Mapping[str, Any]) -> T:
    """Return the settings from `to_dict`; `ConfigError` at a name that is not a setting."""
    return cls(**raw)

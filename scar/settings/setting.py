"""The declaration of one setting: how it is read, masked and documented."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, TypeVar, overload

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

T = TypeVar("T")
_KEY = "setting"


@dataclass(frozen=True)
class Setting:
    """The properties of one setting.

    `variable` is the environment variable it is read from. `parse` converts the variable's text to
    the value or raises `InvalidValue`. `about` is its description in the documentation. `default`
    is written as in the environment; None if there is no default. `secrets` returns the secrets in
    a value; None if values contain no secrets.
    """

    variable: str
    parse: Callable[[str], Any]
    about: str
    default: str | None
    secrets: Callable[[Any], Iterable[str]] | None


@overload
def setting(
    variable: str,
    parse: Callable[[str], T],
    about: str,
    *,
    default: str,
    find_default: Callable[[], T] | None = None,
    secrets: Callable[[T], Iterable[str]] | None = None,
) -> T: ...


@overload
def setting(
    variable: str,
    parse: Callable[[str], T],
    about: str,
    *,
    secrets: Callable[[T], Iterable[str]] | None = None,
) -> T | None: ...


def setting(
    variable: str,
    parse: Callable[[str], Any],
    about: str,
    *,
    default: str | None = None,
    find_default: Callable[[], Any] | None = None,
    secrets: Callable[[Any], Iterable[str]] | None = None,
) -> Any:
    """Declare a field of a dataclass as a setting; see `Setting` for the arguments.

    `find_default` computes the value to use if none is set; `default` then is only documentation. A
    field that contains secrets is excluded from the dataclass's `repr`.
    """
    declaration = Setting(variable, parse, about, default, secrets)

    def parse_default() -> Any:
        return None if default is None else parse(default)

    return field(
        default_factory=find_default or parse_default,
        repr=secrets is None,
        metadata={_KEY: declaration},
    )


def declared_settings(cls: type[DataclassInstance]) -> Mapping[str, Setting]:
    """Return the settings of the dataclass `cls` by field name, in the order of declaration."""
    return {item.name: item.metadata[_KEY] for item in fields(cls) if _KEY in item.metadata}

"""The declaration of one setting: all that is needed to read, mask and document it."""

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
    """What is known of one setting.

    `variable` is the environment variable it is read from. `parse` turns the variable's text into
    the value or raises `InvalidValue`. `about` is its line of the documentation. `default` is
    written as in the environment; None where there is no value unless one is set. `secrets`
    returns the secrets in a value; None where a value holds none.
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

    `find_default` computes the value that is used where none is set; `default` then only documents
    it. A field that holds secrets is left out of the dataclass's `repr`.
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
    """Return the settings that the dataclass `cls` declares, by field name, in their order."""
    return {item.name: item.metadata[_KEY] for item in fields(cls) if _KEY in item.metadata}

"""Entries by name, to which a caller may add: a misspelt name is refused with the legal ones. Needs no torch."""

from collections.abc import Mapping
from typing import Generic, TypeVar

T = TypeVar("T")


class Registry(Generic[T]):
    """Built-in entries, which stay, and those that are registered on top of them in this process."""

    def __init__(self, option: str, built_in: Mapping[str, T], *, register: str) -> None:
        """option: the setting that takes such a name; error messages begin with it.

        register: the function that adds an entry, for error messages.
        """
        self._option, self._built_in, self._register = option, dict(built_in), register
        self._registered: dict[str, T] = {}

    def register(self, name: str, entry: T) -> None:
        """Add an entry, or replace a registered one, as a notebook's cell does when it runs again.

        Raises ValueError for the name of a built-in entry: results under that name would no longer be comparable.
        """
        if name in self._built_in:
            raise ValueError(f"{self._option}={name!r} is built in and stays as it is; register under another name")
        self._registered[name] = entry

    def remove(self, name: str) -> None:
        """Remove a registered entry. Raises KeyError if there is none of this name."""
        del self._registered[name]

    def names(self) -> tuple[str, ...]:
        """All legal names, the built-in ones first."""
        return (*self._built_in, *self._registered)

    def entries(self) -> tuple[T, ...]:
        """All entries, in the order of their names."""
        return (*self._built_in.values(), *self._registered.values())

    def __getitem__(self, name: str) -> T:
        """The entry of this name. Raises ValueError, which lists the legal names, for any other."""
        entries = self._built_in | self._registered
        if name not in entries:
            raise ValueError(
                f"{self._option}={name!r} is not usable; legal: {', '.join(entries)}, and what {self._register} adds"
            )
        return entries[name]

"""Installed packages that add networks, similarities and memory policies.

A package names a module in the entry-point group "stcn.plugins"; the module registers what it adds as it is imported.
Each process that loads a network imports them: a run's driver, its actors, training.
"""

from importlib.metadata import entry_points

from jobs.errors import UserError

GROUP = "stcn.plugins"


def load_plugins() -> None:
    """Import all plugins; a second call does nothing. Raises UserError for a plugin that cannot be imported."""
    for entry in entry_points(group=GROUP):
        try:
            entry.load()
        except Exception as error:  # whatever a stranger's module raises
            raise UserError(
                f"plugin {entry.name!r} ({entry.value}) cannot be imported: {type(error).__name__}: {error}; "
                "mend or uninstall its package"
            ) from error

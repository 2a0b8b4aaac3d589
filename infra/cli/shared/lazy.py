"""Commands whose modules are imported on first use (the lazy loading that Click documents)."""

from importlib import import_module
from typing import ClassVar

import typer
from click import Command, Context
from typer.core import TyperGroup
from typer.main import get_group


class LazyGroup(TyperGroup):
    """A group whose commands come from `modules`: the name of each command and the module that registers it.

    So `gridstream classify` does not import Spark, Dagster or scikit-learn: 1.6 s instead of 2.0 s.
    """

    modules: ClassVar[dict[str, str]] = {}

    def list_commands(self, ctx: Context) -> list[str]:
        return list(self.modules)

    def get_command(self, ctx: Context, cmd_name: str) -> Command | None:
        if cmd_name not in self.commands:
            module_name = self.modules.get(cmd_name)
            # For an unknown name all modules are loaded, so that Click can suggest similar commands.
            for module in [module_name] if module_name else dict.fromkeys(self.modules.values()):
                self.commands.update(registered(module))
        return self.commands.get(cmd_name)


def registered(module: str) -> dict[str, Command]:
    """The commands that a module's `register(app)` adds, by name."""
    app = typer.Typer()
    import_module(module).register(app)
    return dict(get_group(app).commands)

"""A server in this process, and a browser that shows its page, for the verbs `serve` and `page`."""

from __future__ import annotations

import os
import sys
import threading
import webbrowser
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from pofx.cli.options.model import OPTIONS, ModelName, ModelOptions
from pofx.cli.options.named_classifiers import load_classifier, named_classifiers
from pofx.cli.options.named_models import named_models

if TYPE_CHECKING:
    from pofx.lm.model import LM
    from pofx.server.classifiers.served import ServedClassifier
    from pofx.server.settings import Settings
    from pofx.server.table import ServedModel

_NAMES = click.option(
    "-m",
    "--model",
    "names",
    type=ModelName(),
    multiple=True,
    metavar="[NAME=]MODEL",
    help="A directory, a .gguf or .arpa file, a hub id, 'smollm2', or 'builtin' (the default); repeatable. Clients call a "
    "model by NAME, by default the last part of MODEL without its ending.  [env var: POFX_MODEL]",
)

_CLASSIFIERS = click.option(
    "-c",
    "--classifier",
    "classifiers",
    multiple=True,
    metavar="[NAME=]DIR",
    help="A classifier of `pofx classify train`; repeatable. If it was trained with -m, serve that model, too.",
)


def options_of_served_models(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a verb `-m`, `-c` and the options of a model, without --chat, since each request has its own conversation."""
    for option in reversed((_NAMES, _CLASSIFIERS, *OPTIONS[1:])):
        function = option(function)
    function.__click_params__ = [p for p in function.__click_params__ if p.name != "chat"]  # type: ignore[attr-defined]
    return function


def serve_models(
    names: tuple[str, ...],
    classifiers: tuple[str, ...],
    said: dict[str, Any],
    settings: Settings,
    ready: Callable[[list[ServedModel], list[ServedClassifier], int], None],
    verb: str = "pofx serve",
) -> None:
    """Load models and answer until a signal says to end.

    Args:
        names: The models as `-m` names them; () for the built-in model.
        classifiers: The classifiers as `-c` names them.
        said: The options of the models.
        settings: The address and the limits.
        ready: A function that is called with the models, the classifiers and the port as soon as clients can connect.
        verb: The verb that was called, for a message on a package that is missing.
    """
    from pofx.errors import require

    for module in ("starlette", "uvicorn", "orjson", "pydantic", "prometheus_client"):
        require(module, "serve", verb)
    from pofx.server.app import make_app
    from pofx.server.incoming.protect import check_settings
    from pofx.server.running.lifecycle import bind, run

    check_settings(settings)
    names = names or (os.environ.get("POFX_MODEL") or "builtin",)
    named = named_models(names, ModelOptions(names[0], **said))
    directories = named_classifiers(classifiers)
    with bind(settings.host, settings.port) as at:
        models = [(name, _loaded(options, len(named) == 1)) for name, options in named]
        lms = [lm for _, lm in models]
        found = [(name, *load_classifier(directory, lms)) for name, directory in directories.items()]
        app = make_app(models, settings, found)
        run(
            app,
            at,
            settings,
            lambda port: ready(list(app.state.table), list(app.state.classifiers), port),
        )


def open_in_browser(url: str) -> bool:
    """Open an address in a browser, while this program goes on.

    Args:
        url: The address.

    Returns:
        Whether a browser with a window was found; a text browser would take the terminal of this program.
    """
    named = bool(os.environ.get("BROWSER"))
    screen = any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY"))
    if sys.platform.startswith("linux") and not (named or screen):
        return False
    try:
        found = webbrowser.get()
    except webbrowser.Error:
        return False
    # A browser that is started may keep its caller until it is closed.
    threading.Thread(target=found.open, args=(url,), daemon=True).start()
    return True


def show_page(url: str) -> None:
    """Open the page in a browser, or print the address if no browser is found."""
    if not open_in_browser(url):
        click.echo(f"pofx: no browser was found; open {url} in a browser", err=True)


def _loaded(options: ModelOptions, alone: bool) -> LM:
    """Load a model without notes on texts, since texts come from clients; `--begin` applies to models without x0."""
    lm = options.load() if alone else options.load_with_stand_ins()
    lm.vocab.listener = None
    return lm

"""The application: which path is answered by which function."""

from __future__ import annotations

from collections.abc import Sequence

from anyio import CapacityLimiter
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from pofx.classification.joint import Joint
from pofx.classification.outliers import Rejection
from pofx.errors import PofxError
from pofx.lm.model import LM
from pofx.lm.prefix_memory import PrefixMemory
from pofx.server.classifiers.golden import golden_text
from pofx.server.classifiers.served import Classifiers
from pofx.server.client_routes import client_routes
from pofx.server.description.endpoint import openapi_endpoint
from pofx.server.incoming.errors import RequestError, failure, refusal
from pofx.server.incoming.protect import Protect
from pofx.server.native.routes import NATIVE_ROUTES
from pofx.server.page.routes import PAGE_ROUTES
from pofx.server.running.golden import golden
from pofx.server.running.health import health, ready
from pofx.server.running.metrics import Counting, Metrics, metrics_endpoint
from pofx.server.running.paths import Labels, templates
from pofx.server.settings import Settings
from pofx.server.table import Table
from pofx.server.work import Desk

# How many files of rows are read, and how many gaps are filled, side by side: each takes some 100 MB of memory.
READERS, INFILLS = 2, 2


def make_app(
    models: Sequence[tuple[str, LM]],
    settings: Settings = Settings(),
    classifiers: Sequence[tuple[str, Joint, Rejection | None]] = (),
) -> Starlette:
    """Make the application of a server.

    Args:
        models: Each name and its model, as `pofx.load` gives it.
        settings: The limits.
        classifiers: Each name and its classifier, as `load_joint` gives it. A classifier that conditions one of `models` has
            that very object.

    Returns:
        The application, whose `state.golden` holds the numbers that each model gives now.

    Right: `make_app([("toy", lm)], Settings(api_key=key))`. Wrong: two models of one name, of which only the last is
    served.
    """
    routes = [
        *PAGE_ROUTES,
        *client_routes(),
        *NATIVE_ROUTES,
        Route("/health", health),
        Route("/ready", ready),
        Route("/metrics", metrics_endpoint),
        Route("/openapi.json", openapi_endpoint),
    ]
    desk = Desk(settings.queue, settings.workers, settings.bodies, settings.timeout)
    metrics = Metrics(desk)
    memory = PrefixMemory(settings.prefixes, metrics.recalled)
    metrics.watch(memory)
    app = Starlette(
        routes=routes,
        middleware=[
            Middleware(Counting, metrics, Labels(list(templates(routes)))),
            Middleware(Protect, settings),
        ],
        exception_handlers={
            RequestError: _refused,
            PofxError: _failed,
            HTTPException: _no_endpoint,
            Exception: _our_fault,
        },
    )
    app.router.redirect_slashes = False
    app.state.settings, app.state.desk, app.state.metrics = settings, desk, metrics
    app.state.table = Table(
        models,
        settings.deterministic,
        lambda: desk.preparing,
        metrics.computed,
        memory if settings.prefixes else None,
    )
    app.state.classifiers = Classifiers(classifiers, app.state.table)
    app.state.readers, app.state.infills = CapacityLimiter(READERS), CapacityLimiter(INFILLS)
    app.state.golden = {m.name: golden(m.lm) for m in app.state.table}
    app.state.golden_texts = {c.name: golden_text(c.joint) for c in app.state.classifiers}
    return app


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestError)  # noqa: S101  (ours: registered for this class)
    return refusal(error)


async def _failed(request: Request, error: Exception) -> Response:
    assert isinstance(error, PofxError)  # noqa: S101  (ours: registered for this class)
    return failure(error)


async def _no_endpoint(request: Request, error: Exception) -> Response:
    """Refuse an unknown path, or a method that the path does not have."""
    assert isinstance(error, HTTPException)  # noqa: S101  (ours: registered for this class)
    methods = (error.headers or {}).get("Allow")
    if methods is None:
        # A mount such as /begin has further paths inside, and is none itself.
        paths = ", ".join(r.path for r in request.app.routes if isinstance(r, Route) and "{" not in r.path)
        return refusal(
            RequestError(
                404,
                "unknown_url",
                f"expected one of {paths}, got {request.url.path[:60]!a}",
                advice=("read what each path answers at /openapi.json",),
            )
        )
    return refusal(
        RequestError(
            405,
            "method_not_allowed",
            f"expected the method {' or '.join(sorted(methods.split(', ')))}, got {request.method[:20]}",
            advice=("send the request with that method",),
            headers={"Allow": methods},
        )
    )


async def _our_fault(request: Request, error: Exception) -> Response:
    """Answer 500 for a bug of pofx; the server writes the traceback to standard error."""
    return refusal(
        RequestError(
            500,
            "internal_error",
            "a bug of pofx; the log of the server has its traceback",
            advice=("report it",),
        )
    )

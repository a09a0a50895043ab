"""The native paths, and the function that answers each."""

from __future__ import annotations

from starlette.routing import Route

from pofx.server.classifiers.classify import classify_endpoint
from pofx.server.classifiers.listed import classifiers_endpoint
from pofx.server.native.continuations.infill import infill_endpoint
from pofx.server.native.continuations.next import next_endpoint
from pofx.server.native.continuations.sample import sample_endpoint
from pofx.server.native.continuations.tree import tree_endpoint
from pofx.server.native.models.audit import audit_endpoint
from pofx.server.native.models.distributions import distributions_endpoint
from pofx.server.native.models.vocabulary import vocabulary_endpoint
from pofx.server.native.texts.begins import begins_endpoint
from pofx.server.native.texts.posterior import posterior_endpoint
from pofx.server.native.texts.score import score_endpoint
from pofx.server.native.texts.words import words_endpoint
from pofx.server.rows.endpoint import rows_endpoint

NATIVE_ROUTES = (
    Route("/v1/score", score_endpoint, methods=["POST"]),
    Route("/v1/words", words_endpoint, methods=["POST"]),
    Route("/v1/next", next_endpoint, methods=["POST"]),
    Route("/v1/sample", sample_endpoint, methods=["POST"]),
    Route("/v1/infill", infill_endpoint, methods=["POST"]),
    Route("/v1/classify", classify_endpoint, methods=["POST"]),
    Route("/v1/classifiers", classifiers_endpoint),
    Route("/v1/rows", rows_endpoint, methods=["POST"]),
    Route("/v1/posterior", posterior_endpoint, methods=["POST"]),
    Route("/v1/audit", audit_endpoint, methods=["POST"]),
    Route("/v1/begins", begins_endpoint, methods=["POST"]),
    Route("/v1/tree", tree_endpoint, methods=["POST"]),
    Route("/v1/distributions", distributions_endpoint, methods=["POST"]),
    Route("/v1/vocabulary", vocabulary_endpoint),
)

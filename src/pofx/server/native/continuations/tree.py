"""`POST /v1/tree`: the likeliest continuations of a prefix as a tree, each with the probability of its path."""

from __future__ import annotations

import dataclasses
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from pofx.queries.next_unit.tree import ContinuationTree, continuation_tree, count_nodes
from pofx.report.json_records import spelled
from pofx.server.incoming.errors import RequestError
from pofx.server.incoming.json_body import read_body
from pofx.server.incoming.limits import check_ids
from pofx.server.native.answering import answer, count_tokens
from pofx.server.native.requests import TreeRequest
from pofx.vocab.vocabulary import Vocab

# The most distributions of one tree: SmolLM2 reads so many in 40 s of a core.
NODES = 1024


async def tree_endpoint(request: Request) -> Response:
    """Answer one request."""
    app = request.app.state
    asked = await read_body(request, TreeRequest, app.settings)
    served = app.table.model(asked.model)
    check_ids("after", asked.after, served.lm.vocab.size)
    nodes = count_nodes(asked.k, asked.depth)
    if nodes > NODES:
        raise RequestError(
            413,
            "too_large",
            f"depth: expected a tree of at most {NODES} nodes with children, got {nodes}",
            "depth",
            ("ask for a smaller depth or k", "grow the tree from one of its nodes (after)"),
        )

    def work() -> dict[str, Any]:
        tree = continuation_tree(served.lm, asked.given, asked.after, asked.k, asked.depth)
        return {"model": served.name, **tree_record(tree, served.lm.vocab)}

    return await answer(
        request,
        [asked.given],
        lambda: count_tokens(served.lm, [asked.given]) + len(asked.after) + nodes,
        work,
        "given",
    )


def tree_record(tree: ContinuationTree, vocab: Vocab) -> dict[str, Any]:
    """Return a tree as a list of nodes, each with the number of its parent."""
    return {
        "given": tree.given,
        "after": list(tree.after),
        "nodes": [
            {
                "parent": node.parent,
                **({} if node.id is None else {"id": node.id, "token": vocab.show(node.id)}),
                **({} if node.id is None else {"bytes": spelled(vocab, node.id)}),
                "nats": node.logp,
                "path_nats": node.path,
                **({} if node.rest is None else {"rest_nats": node.rest, "rest_tokens": node.n_rest}),
            }
            for node in tree.nodes
        ],
        "terms": dataclasses.asdict(tree.terms),
    }

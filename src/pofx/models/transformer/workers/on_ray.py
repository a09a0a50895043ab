"""The other processes of a fit as actors of Ray: on this machine, or on the nodes of a cluster."""
# ruff: noqa: E402  (the missing extra is to be named before torch is imported)

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from types import ModuleType
from typing import Any

from pofx.arithmetic import one_thread
from pofx.errors import BadSource, BadValue, Interrupted, require
from pofx.ray_session import LOCAL, ray_session

require("torch", "torch", "fitting a transformer")

from pofx.models.transformer.workers.crew import LAST_WORDS, PATIENCE, Crew, dist, join, meet, no_answer
from pofx.models.transformer.workers.group import Group, LostWorker

# A cluster gets so many seconds to free the CPUs of all actors together.
_ROOM = 60.0


class RayHelper:
    """An actor that takes part in a fit of another process, reads and writes no file, and learns all from process 0."""

    def place(self) -> str:
        """Return the node and the process of this actor, for messages."""
        return f"node {_own_address()}, process {os.getpid()}"

    def take_part(self, rank: int, size: int, host: str, port: int) -> None:
        """Take part in the fit.

        Args:
            rank: The number of this process, above 0.
            size: The number of processes.
            host: The address of process 0.
            port: The port on which process 0 keeps the store.
        """
        # Training opens the crew of a fit, so this module cannot import training before an actor runs.
        from pofx.models.transformer.training import help_train

        with one_thread():
            store = dist.TCPStore(host, port, is_master=False, timeout=PATIENCE)
            with suppress(Interrupted, LostWorker):  # process 0 says so
                help_train(join(store, rank, size, _own_address()))


@contextmanager
def ray_crew(workers: int, address: str) -> Iterator[Crew]:
    """Start the other processes of a fit as actors of Ray, a CPU each, and end them with this context.

    Args:
        workers: How many processes take part, this process included.
        address: The address of the cluster, as in `ray_session`.

    Yields:
        The group.

    Raises:
        BadValue: The cluster has too few free CPUs, or an actor ended before all had met.
        BadSource: There is no such cluster, or its nodes cannot take part.
        MissingExtra: Ray is missing.
    """
    # All actors get their CPUs together or not at all, so two fits cannot wait for each other's.
    with ray_session(address, workers - 1) as ray, one_thread(), _room(ray, workers - 1) as room:
        kind = ray.remote(num_cpus=1)(RayHelper)
        place = ray.util.scheduling_strategies.PlacementGroupSchedulingStrategy
        actors = [
            kind.options(scheduling_strategy=place(room, placement_group_bundle_index=k)).remote()
            for k in range(workers - 1)
        ]
        try:
            places = _places(ray, actors, address)
            host = _own_address()
            with _listen(host) as listening:
                port = listening.getsockname()[1]
                calls = [a.take_part.remote(rank, workers, host, port) for rank, a in enumerate(actors, 1)]

                def describe(cause: str) -> str:
                    return _describe_loss(ray, calls, places, cause)

                group = meet(
                    lambda: _join_first(listening, workers),
                    workers,
                    lambda: bool(ray.wait(calls, timeout=0)[0]),
                    describe,
                )
                yield Crew(group, describe)
            ray.wait(calls, num_returns=len(calls), timeout=LAST_WORDS)
        finally:
            for actor in actors:
                ray.kill(actor)


@contextmanager
def _room(ray: ModuleType, count: int) -> Iterator[Any]:
    """Reserve `count` CPUs, on few nodes where that is possible."""
    room = ray.util.placement_group([{"CPU": 1}] * count, strategy="PACK")
    try:
        if not room.wait(_ROOM):
            free = int(ray.available_resources().get("CPU", 0))
            raise BadValue(
                f"expected {count} free CPUs of Ray for the other workers, got {free} after {_ROOM:.0f} s",
                "take fewer workers, or wait for other work on the cluster",
                argument="workers",
            )
        yield room
    finally:
        ray.util.remove_placement_group(room)


def _places(ray: ModuleType, actors: Sequence[Any], address: str) -> list[str]:
    """Wait until all actors have imported pofx, and return their places."""
    try:
        found: list[str] = ray.get([actor.place.remote() for actor in actors])
    except ray.exceptions.RayError as e:
        said = (str(e).strip().splitlines() or [type(e).__name__])[-1]
        where = "this machine" if address == LOCAL else address
        raise BadSource(
            f"{where}: expected a Ray whose nodes can take part in a fit, got {type(e).__name__}: {said:.200}",
            "check that each node has this version of pofx, and PyTorch",
        ) from e
    return found


def _listen(host: str) -> socket.socket:
    """Listen on one address of this machine alone; torch itself would listen on all."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, 0), family=family)


def _join_first(listening: socket.socket, size: int) -> Group:
    host, port = listening.getsockname()[:2]
    # The store closes its file at the end, and so does the socket: each has one of its own.
    store = dist.TCPStore(
        host,
        port,
        is_master=True,
        timeout=PATIENCE,
        wait_for_workers=False,
        master_listen_fd=os.dup(listening.fileno()),
    )
    return join(store, 0, size, host)


def _describe_loss(ray: ModuleType, calls: Sequence[Any], places: Sequence[str], cause: str) -> str:
    """Return which actor ended, and how; the actors that another one's death ended return in peace."""
    left, until = list(calls), time.monotonic() + LAST_WORDS / 2
    while left and time.monotonic() < until:
        done, left = ray.wait(left, timeout=max(0.0, until - time.monotonic()))
        for call in done:
            rank = calls.index(call) + 1
            who = f"worker {rank + 1} of {len(calls) + 1} ({places[rank - 1]})"
            try:
                ray.get(call)
            except ray.exceptions.RayActorError:
                return f"{who}, which died"
            except ray.exceptions.RayError as e:
                said = (str(e).strip().splitlines() or [type(e).__name__])[-1]
                return f"{who}, which ended ({said:.200})"
    return no_answer(cause)


def _own_address() -> str:
    return str(require("ray", "ray", "--ray").util.get_node_ip_address())

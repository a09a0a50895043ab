"""How the processes of a fit begin and end: on this machine, on Ray, or as `torchrun` started them."""
# ruff: noqa: E402  (the missing extra is to be named before torch is imported)

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from pofx.errors import Advice, BadValue, require

require("torch", "torch", "fitting a transformer")

from pofx.models.torchrun import Torchrun
from pofx.models.transformer.workers.crew import PATIENCE, Crew, dist
from pofx.models.transformer.workers.group import ALONE, Group, first_sentence
from pofx.models.transformer.workers.local import local_crew
from pofx.models.transformer.workers.on_ray import ray_crew


@contextmanager
def open_crew(workers: int, ray: str | None = None) -> Iterator[Crew]:
    """Start the other processes of a fit, and end them with this context.

    Under `torchrun` the processes exist already. Otherwise they are started on Ray or on this machine, with one thread each.

    Args:
        workers: How many processes take part, this process included.
        ray: The address of a Ray, as in `ray_session`; None for processes of this machine.

    Yields:
        The group, and what is known of its other processes.

    Raises:
        BadValue: `torchrun` started another number of processes, or a process ended before the fit began.
        BadSource: There is no such Ray.
        MissingExtra: Ray is missing.
    """
    elsewhere = Torchrun.of()
    if elsewhere is not None and workers > 1:
        elsewhere.check(workers)
        if elsewhere.rank > 0:
            raise BadValue(
                f"expected a fit in process 0 of torchrun, got a fit in process {elsewhere.rank}",
                "start the command line by torchrun: torchrun … -m pofx fit …",
                argument="workers",
            )
        if ray is not None:
            raise BadValue(
                "expected processes of torchrun or of Ray, got both",
                Advice("leave Ray out", "ray=None", "no --ray"),
                argument="ray",
            )
        yield Crew(join_torchrun(elsewhere))
    elif workers == 1:
        yield Crew(ALONE)
    else:
        with local_crew(workers) if ray is None else ray_crew(workers, ray) as crew:
            yield crew


def join_torchrun(place: Torchrun) -> Group:
    """Join the group that `torchrun` started.

    Raises:
        BadValue: The other processes cannot be reached.
    """
    try:
        store, rank, size = next(iter(dist.rendezvous("env://", timeout=PATIENCE)))
        # A store outlives the processes that torchrun starts again, so each start has keys of its own.
        own = dist.PrefixStore(f"pofx-fit-{place.restarts}", store)
        gloo = dist.ProcessGroupGloo(own, rank, size, PATIENCE)
    except RuntimeError as e:
        raise BadValue(
            f"expected an answer of the other processes of torchrun, got: {first_sentence(str(e))}",
            "check the address and port of torchrun, and GLOO_SOCKET_IFNAME, the name of the network interface",
            argument="workers",
        ) from None
    return Group(gloo, place.rank, place.size)

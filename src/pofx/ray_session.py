"""The connection to Ray: a private Ray on this machine, or a cluster that runs already."""

from __future__ import annotations

import functools
import os
import secrets
import socket
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

from pofx.errors import Advice, Argument, BadSource, BadValue, require

LOCAL = "local"
# The smallest store of objects that Ray starts with. Units and records are messages of some hundred bytes.
_STORE = 80 << 20
# Ray puts sockets into its directory, with names of 65 characters, and Linux allows 107 in all.
_LONGEST = 38
# Ray itself tries for minutes to reach an address where nobody listens.
_REACHED = 5.0


def check_ray(address: str) -> None:
    """Refuse an address of another form, and a missing Ray, before a model is loaded; Ray is neither imported nor asked.

    Args:
        address: "local", "auto" or HOST:PORT.

    Raises:
        BadValue: The address is neither "local" nor "auto" nor HOST:PORT.
        MissingExtra: Ray is missing.
    """
    host, _, port = address.rpartition(":")
    if address not in (LOCAL, "auto") and not (host and "/" not in host and port.isdecimal()):
        raise BadValue(
            f"expected HOST:PORT or auto, got {address!r:.60}",
            "name the address that ray start printed",
            Argument("ray", "--ray"),
        )
    if find_spec("ray") is None:
        require("ray", "ray", "--ray")


@contextmanager
def ray_session(address: str, workers: int) -> Iterator[ModuleType]:
    """Connect to Ray, and leave it at the end.

    A process that is connected already stays connected, whatever the address.

    Args:
        address: "local" for a private Ray on this machine, HOST:PORT of a cluster with a node on this machine, or "auto" for
            the cluster that this machine is a node of.
        workers: How many CPUs a private Ray has.

    Yields:
        The module `ray`.

    Raises:
        BadSource: There is no such cluster, or it asks for another token.
        MissingExtra: Ray is missing.
    """
    if address == LOCAL:
        temporary = tempfile.TemporaryDirectory(prefix="pofx-ray-", dir=_short(), ignore_cleanup_errors=True)
        with temporary as own, _variables(_private(Path(own))):
            ray = require("ray", "ray", "--ray")
            if ray.is_initialized():
                yield ray
            else:
                yield from _own(ray, Path(own), workers)
        return
    ray = require("ray", "ray", "--ray")
    if ray.is_initialized():
        yield ray
        return
    try:
        if address != "auto":
            host, _, port = address.rpartition(":")
            socket.create_connection((host.strip("[]"), int(port)), _REACHED).close()
        ray.init(address=address, log_to_driver=False, logging_level="error")
    except (OSError, OverflowError, RuntimeError, ValueError) as e:
        said = (str(e).splitlines() or [type(e).__name__])[0]
        raise BadSource(
            f"{address}: expected a Ray cluster that this machine is a node of, got: {said:.200}",
            "check the address, and that RAY_AUTH_MODE and RAY_AUTH_TOKEN_PATH are those of the cluster",
        ) from None
    try:
        yield ray
    finally:
        ray.shutdown()


def _own(ray: ModuleType, private: Path, workers: int) -> Iterator[ModuleType]:
    """Start a Ray that listens on loopback alone, and end it."""
    # Ray lets everybody write to its directory, so this directory lies inside a private directory.
    directory = private / "r"
    directory.mkdir()
    try:
        ray.init(
            address=LOCAL,
            num_cpus=workers,
            include_dashboard=False,
            object_store_memory=_STORE,
            log_to_driver=False,
            logging_level="error",
            _temp_dir=str(directory),
        )
    # Ray raises a bare Exception where a busy machine takes more than 30 s to start it.
    except Exception as e:
        ray.shutdown()
        said = (str(e).splitlines() or [type(e).__name__])[0]
        raise BadSource(
            f"ray: expected a Ray that starts on this machine, got: {said:.200}",
            Advice("use processes without Ray", "ray=None", "--workers"),
        ) from e
    try:
        if not ray.util.get_node_ip_address().startswith("127."):
            raise BadSource(
                "ray: expected a Ray on the loopback address, got one on the network, as ray was imported before",
                "call ray.init before, and name its address",
            )
        yield ray
    finally:
        ray.shutdown()


def _private(directory: Path) -> Mapping[str, str]:
    """Return the variables of a private Ray, with a token that only this user can read."""
    token = directory / "token"
    with open(os.open(token, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as f:
        f.write(_token())
    return {
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN_PATH": str(token),
        "RAY_USAGE_STATS_ENABLED": "0",
        # On Linux, too, this is Ray's only way to listen on 127.0.0.1: an address given to ray.init is replaced.
        "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
        "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    }


@functools.cache
def _token() -> str:
    """Return the token of this process. Ray reads its token once in a process, so a second session has the same token."""
    return secrets.token_hex(32)


@contextmanager
def _variables(values: Mapping[str, str]) -> Iterator[None]:
    """Set variables of this process, which the processes of Ray inherit."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _short() -> str:
    """Return a directory for temporary files whose name is short enough for the sockets of Ray."""
    usual = tempfile.gettempdir()
    return usual if len(usual) + len("/pofx-ray-12345678/r") <= _LONGEST else "/tmp"  # noqa: S108

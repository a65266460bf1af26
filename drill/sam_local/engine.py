"""The Docker engine of this machine: where its containers find the world, and whether Lambda's image is there."""

from __future__ import annotations

import platform
import shutil
import socket
import subprocess
from typing import Final

import psutil

from drill.ports import LOOPBACK, Host

ARCHITECTURE: Final = "arm64" if platform.machine() in ("arm64", "aarch64") else "x86_64"
IMAGE: Final = f"lambda/python:3.13-{ARCHITECTURE}"
"""What drill/sam_local/make-base-image makes."""
IMAGE_OF_AWS: Final = f"public.ecr.aws/{IMAGE}"
"""What SAM pulls where there is none."""
DESKTOP: Final = "host.docker.internal"
"""This machine, to the containers of Docker Desktop."""
ANSWER_S: Final = 20.0


class NoEngine(RuntimeError):
    """There is no Docker engine, or its containers can't reach the world."""


def host_for_containers() -> Host:
    """Where the world has to listen, so that containers and this machine reach it under one name.

    That is the bridge's address on Linux. Docker Desktop leads `host.docker.internal` to this machine's loopback.

    Raises:
        NoEngine: if no engine answers, or if this machine does not know that name.
    """
    gateway = _docker("network", "inspect", "bridge", "--format", "{{range .IPAM.Config}}{{.Gateway}} {{end}}")
    if gateway is None:
        raise NoEngine("no Docker engine answers; on Debian: apt-get install docker.io, and start dockerd")
    addresses = {address.address for interface in psutil.net_if_addrs().values() for address in interface}
    bridge = next((address for address in gateway.split() if address in addresses), None)
    if bridge is not None:
        return Host(bridge, bridge)
    try:
        address = socket.gethostbyname(DESKTOP)
    except OSError:
        address = None
    if address != LOOPBACK:
        raise NoEngine(f"clients on this machine have to find {DESKTOP}: put '{LOOPBACK} {DESKTOP}' into /etc/hosts")
    return Host(LOOPBACK, DESKTOP)


def local_image() -> str | None:
    """The image of Lambda's Python that the engine has, so that nothing need be pulled; None if it has none."""
    return next((image for image in (IMAGE, IMAGE_OF_AWS) if _docker("image", "inspect", image) is not None), None)


def _docker(*arguments: str) -> str | None:
    """What `docker` says; None if there is none, or it fails."""
    program = shutil.which("docker")
    if program is None:
        return None
    try:
        result = subprocess.run(
            [program, *arguments],
            capture_output=True,
            text=True,
            check=False,
            timeout=ANSWER_S,
            stdin=subprocess.DEVNULL,
        )
    except subprocess.TimeoutExpired:
        return None
    return result.stdout if result.returncode == 0 else None

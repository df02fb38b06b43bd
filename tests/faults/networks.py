"""Hosts for tests: network namespaces at a switch of their own."""

from __future__ import annotations

import shutil
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

__all__ = ["Net", "net_of"]


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)


class Net:
    """Hosts at a switch, this one included; each can be cut off without its noticing."""

    def __init__(self, *names: str) -> None:
        tag = uuid.uuid4().hex[:5]
        number = int(tag, 16)
        self._net = f"10.{100 + number % 90}.{number // 90 % 250}"
        self.here = f"{self._net}.1"
        self.switch = f"soops-w{tag}"
        self.spaces = {name: f"soops-{name}-{tag}" for name in names}
        self._device = f"sn{tag}"

    def address(self, name: str) -> str:
        return f"{self._net}.{2 + list(self.spaces).index(name)}"

    def prefix(self, name: str) -> tuple[str, ...]:
        return ("ip", "netns", "exec", self.spaces[name])

    def lay(self) -> None:
        for space in (self.switch, *self.spaces.values()):
            ip("netns", "add", space)
            ip("-n", space, "link", "set", "lo", "up")
        ip("-n", self.switch, "link", "add", "br0", "type", "bridge")
        ip("-n", self.switch, "link", "set", "br0", "up")
        ip("link", "add", self._device, "type", "veth", "peer", "here", "netns", self.switch)
        self._plug_in("here", self.here, self._device)
        for name, space in self.spaces.items():
            end = ("type", "veth", "peer", name, "netns", self.switch)
            ip("-n", space, "link", "add", "eth0", *end)
            self._plug_in(name, self.address(name), "eth0", "-n", space)

    def _plug_in(self, port: str, address: str, device: str, *where: str) -> None:
        ip("-n", self.switch, "link", "set", port, "master", "br0", "up")
        ip(*where, "addr", "add", f"{address}/24", "dev", device)
        ip(*where, "link", "set", device, "up")

    def cut(self, name: str) -> None:
        ip("-n", self.switch, "link", "set", name, "down")

    def mend(self, name: str) -> None:
        ip("-n", self.switch, "link", "set", name, "up")

    def remove(self) -> None:
        subprocess.run(["ip", "link", "del", self._device], capture_output=True)
        for space in (*self.spaces.values(), self.switch):
            subprocess.run(["ip", "netns", "del", space], capture_output=True)


@contextmanager
def net_of(*names: str) -> Iterator[Net]:
    """Give a net with these hosts; skip the test where there can be none."""
    if shutil.which("ip") is None:
        pytest.skip("there is no command ip")
    net = Net(*names)
    try:
        net.lay()
    except subprocess.CalledProcessError as exc:
        net.remove()
        pytest.skip(f"network namespaces are not permitted: {exc.stderr.decode().strip()}")
    try:
        yield net
    finally:
        net.remove()

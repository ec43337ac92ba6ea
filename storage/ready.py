"""Tells whoever started this process that it is ready.

Speaks systemd's protocol (sd_notify(3): a datagram to NOTIFY_SOCKET). `otklik up` listens for it, and so does systemd
with Type=notify. Without NOTIFY_SOCKET nothing happens.
"""

from __future__ import annotations

import contextlib
import os
import socket
import tempfile
from pathlib import Path


def notify_ready(status: str = "") -> None:
    """Say that this process serves now; `status` is shown to the operator (an address, the bot's @name)."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
        channel.connect("\0" + address[1:] if address.startswith("@") else address)
        channel.sendall(f"READY=1\nSTATUS={status.replace(chr(10), ' ')}".encode())


def heartbeat_file(name: str) -> Path:
    """Where a process of this kind leaves its sign of life for the container's health check."""
    return Path(tempfile.gettempdir()) / f"otklik-{os.getuid()}-{name}.alive"


def beat(name: str) -> None:
    """Give a sign of life; call it from the main loop at least every half minute."""
    with contextlib.suppress(OSError):  # a full or foreign folder must not end the process that still works
        heartbeat_file(name).touch()

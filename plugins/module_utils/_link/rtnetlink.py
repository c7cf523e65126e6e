# Copyright (c) 2026, the virtnet.hypervisor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Messages of rtnetlink, byte by byte, for what pyroute2 does differently from version to version.

Several changes go to the kernel in one piece, which it does one after the other with nothing in between. Routes and
addresses are kept as the kernel tells them, so that what is not known here survives a move.

Source of the numbers: include/uapi/linux/netlink.h and rtnetlink.h in the kernel.
"""

from __future__ import annotations

import contextlib
import os
import socket
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Optional

from ansible_collections.virtnet.hypervisor.plugins.module_utils._errors import ReadFailed

NEW_LINK, SET_LINK, GET_LINK, DELETE_LINK = 16, 19, 18, 17
NEW_ADDRESS, DELETE_ADDRESS, GET_ADDRESS = 20, 21, 22
NEW_ROUTE, DELETE_ROUTE, GET_ROUTE = 24, 25, 26

REPLACE, EXCLUSIVE, CREATE = 0x100, 0x200, 0x400
_REQUEST, _ACK, _DUMP = 0x1, 0x4, 0x300

_ERROR, _DONE = 2, 3
_DUMP_INTERRUPTED = 0x10
_HAS_TEXT, _CAPPED = 0x200, 0x100
_ERROR_TEXT = 1
_SOL_NETLINK, _CAP_ACK, _EXT_ACK = 270, 10, 11
_NESTED, _TYPE_MASK = 0x8000, 0x3FFF

# struct ifinfomsg: family, type, index, flags, change. struct ifaddrmsg: family, prefix length, flags, scope, index.
IFINFO = struct.Struct("=BxHiII")
IFADDR = struct.Struct("=4Bi")
# IFF_UP in include/uapi/linux/if.h.
IFF_UP = 0x1

_HEADER = struct.Struct("=IHHII")
_ATTRIBUTE = struct.Struct("=HH")

# The kernel's answers to a dump come in pieces of at most this (net/netlink/af_netlink.c).
_PIECE = 1 << 17
_DUMP_TRIES = 5


@dataclass(frozen=True)
class Request:
    """One change. ``body`` is the fixed part of the message and its attributes. ``tolerated`` are no failures."""

    kind: int
    body: bytes
    flags: int = 0
    tolerated: tuple[int, ...] = ()


@dataclass(frozen=True)
class Refusal:
    """The kernel's answer to a request that it does not carry out."""

    number: int
    text: str

    def __str__(self) -> str:
        reason = os.strerror(self.number)
        return f"{reason} ({self.text})" if self.text else reason


def attribute(kind: int, payload: bytes) -> bytes:
    size = _ATTRIBUTE.size + len(payload)
    return _ATTRIBUTE.pack(size, kind) + payload + bytes(-size % 4)


def nested(kind: int, *inner: bytes) -> bytes:
    return attribute(kind | _NESTED, b"".join(inner))


def attributes(data: bytes) -> Iterator[tuple[int, bytes]]:
    """(type, payload) of each attribute, in the kernel's order."""
    position = 0
    while position + _ATTRIBUTE.size <= len(data):
        size, kind = _ATTRIBUTE.unpack_from(data, position)
        if size < _ATTRIBUTE.size:
            return
        yield kind & _TYPE_MASK, data[position + _ATTRIBUTE.size : position + size]
        position += size + -size % 4


class Socket:
    """A socket to the kernel's rtnetlink in the network namespace of this process."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, socket.NETLINK_ROUTE)
        for option in (_CAP_ACK, _EXT_ACK):
            # Kernels before 4.12 give no reasons.
            with contextlib.suppress(OSError):
                self._socket.setsockopt(_SOL_NETLINK, option, 1)
        self._socket.bind((0, 0))
        self._sequence = 0

    def __enter__(self) -> Socket:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def close(self) -> None:
        self._socket.close()

    def change(self, requests: Sequence[Request]) -> list[Optional[Refusal]]:
        """Have all requests done, in order and in one go, also those after one that is refused. One answer to each."""
        first = self._sequence + 1
        packed = b""
        for request in requests:
            packed += self._packed(request.kind, _REQUEST | _ACK | request.flags, request.body)
        if packed:
            self._socket.send(packed)
        answers: dict[int, Optional[Refusal]] = {}
        while len(answers) < len(requests):
            for kind, flags, sequence, body in _messages(self._socket.recv(_PIECE)):
                if kind == _ERROR and sequence >= first:
                    answers[sequence - first] = _refusal(flags, body)
        return [
            None if answer is not None and answer.number in request.tolerated else answer
            for request, answer in zip(requests, (answers[place] for place in range(len(requests))))
        ]

    def ask(self, kind: int, body: bytes) -> bytes:
        """The body of the kernel's answer to a question about one thing. Raises ReadFailed."""
        self._socket.send(self._packed(kind, _REQUEST, body))
        while True:
            for answer, flags, sequence, content in _messages(self._socket.recv(_PIECE)):
                if sequence == self._sequence and answer == _ERROR:
                    raise ReadFailed(f"the kernel refuses to tell: {_refusal(flags, content)}")
                if sequence == self._sequence:
                    return content

    def dump(self, kind: int, body: bytes) -> list[bytes]:
        """The bodies of all messages that the kernel has. Raises ReadFailed."""
        for _try in range(_DUMP_TRIES):
            found = self._dump_once(kind, body)
            if found is not None:
                return found
        raise ReadFailed("the kernel's lists change faster than they can be read. Try again")

    def _dump_once(self, kind: int, body: bytes) -> Optional[list[bytes]]:
        """None when something changed meanwhile, so that a part may be missing."""
        self._socket.send(self._packed(kind, _REQUEST | _DUMP, body))
        found: list[bytes] = []
        is_whole = True
        while True:
            for answer, flags, sequence, content in _messages(self._socket.recv(_PIECE)):
                if sequence != self._sequence:
                    continue
                is_whole = is_whole and not flags & _DUMP_INTERRUPTED
                if answer == _DONE:
                    return found if is_whole else None
                if answer == _ERROR:
                    raise ReadFailed(f"the kernel refuses to list what it has: {_refusal(flags, content)}")
                found.append(content)

    def _packed(self, kind: int, flags: int, body: bytes) -> bytes:
        self._sequence += 1
        size = _HEADER.size + len(body)
        return _HEADER.pack(size, kind, flags, self._sequence, 0) + body + bytes(-size % 4)


def _messages(data: bytes) -> Iterator[tuple[int, int, int, bytes]]:
    position = 0
    while position + _HEADER.size <= len(data):
        size, kind, flags, sequence, _port = _HEADER.unpack_from(data, position)
        yield kind, flags, sequence, data[position + _HEADER.size : position + size]
        position += size + -size % 4


def _refusal(flags: int, body: bytes) -> Optional[Refusal]:
    (number,) = struct.unpack_from("=i", body)
    if number == 0:
        return None
    text = ""
    if flags & _HAS_TEXT:
        # Behind the error stands the header of the request, and the whole of it where it was not capped.
        (size,) = struct.unpack_from("=I", body, 4)
        rest = 4 + (_HEADER.size if flags & _CAPPED else size + -size % 4)
        found = dict(attributes(body[rest:]))
        text = found.get(_ERROR_TEXT, b"").rstrip(b"\0").decode(errors="replace")
    return Refusal(-number, text)

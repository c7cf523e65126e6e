# Copyright (c) 2026, the virtnet.hypervisor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""The move of the host's addresses and routes from an uplink to its bridge, so that connections live through it.

First the bridge gets the addresses; nothing is sent to it yet. Then the uplink becomes a port. It has the bridge's MAC
address, so from this moment the bridge hears what is for the host, while answers still leave through the uplink, which
a port may. When the bridge can send too, the routes are put through it, and the uplink's routes and addresses removed.
Each of these three goes to the kernel in one piece.

On the way back the uplink first gets the addresses. Then, in one piece, it gets the routes, and is a port no longer, so
that it hears what is for the host; and the bridge loses its addresses.
"""

from __future__ import annotations

import contextlib
import ipaddress
import signal
import struct
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Optional, Union

from ansible_collections.virtnet.hypervisor.plugins.module_utils._errors import ApplyFailed
from ansible_collections.virtnet.hypervisor.plugins.module_utils._link import host_files
from ansible_collections.virtnet.hypervisor.plugins.module_utils._link.messages import link_request
from ansible_collections.virtnet.hypervisor.plugins.module_utils._link.port_messages import port_messages
from ansible_collections.virtnet.hypervisor.plugins.module_utils._link.read_routes import host_route, route_messages
from ansible_collections.virtnet.hypervisor.plugins.module_utils._link.route_messages import (
    IFA_ADDRESS,
    IFA_LOCAL,
    NO_PREFIX_ROUTE,
    address_flags,
    address_removal,
    copied_address,
    copied_route,
    route_removal,
)
from ansible_collections.virtnet.hypervisor.plugins.module_utils._link.rtnetlink import (
    GET_ADDRESS,
    GET_LINK,
    IFADDR,
    IFINFO,
    Request,
    Socket,
    attributes,
)
from ansible_collections.virtnet.hypervisor.plugins.module_utils._model.seen import KERNEL_MADE, HostRoute
from ansible_collections.virtnet.hypervisor.plugins.module_utils._plan.bridge_steps import GiveBack, TakeOver

_MASTER, _OPERATIONAL_STATE, _IS_UP = 10, 16, 6
# How long the kernel may take to let the bridge send (linkwatch_event() in net/core/link_watch.c). It takes about 1 ms.
_PATIENCE = 1.0
_PAUSE = 0.0005


@dataclass(frozen=True)
class _Move:
    """The requests of a move and, in the order in which they undo it, of its way back."""

    arrive: Sequence[Request]
    enslave: Sequence[Request]
    switch: Sequence[Request]
    back: Sequence[Request]


@dataclass(frozen=True)
class _Pair:
    """A request, and what undoes it where something does."""

    request: Request
    back: Optional[Request] = None


@dataclass(frozen=True)
class _End:
    """A link that addresses and routes move from, or to."""

    name: str
    index: int


def _master_request(port: _End, master: int) -> Request:
    return link_request("set", index=port.index, master=master, state="up")


def take_over(step: TakeOver, index: Callable[[str], int]) -> None:
    """Carry out the step. ``index`` tells the index of a link.

    Raises ApplyFailed with the kernel's reason when it refuses a part. All is as before then.
    """
    bridge, uplink = _End(step.name, index(step.name)), _End(step.uplink, index(step.uplink))
    with contextlib.ExitStack() as stack:
        kernel = stack.enter_context(Socket())
        is_port = _master(kernel, uplink.index) == bridge.index
        become_port = _Pair(_master_request(uplink, bridge.index), _master_request(uplink, 0))
        enslave = [] if is_port else [become_port]
        ports = [_Pair(request) for part in step.ports for request in port_messages(part, index)]
        move = _prepared(kernel, step, uplink, bridge, enslave=[*enslave, *ports])
        can_send = _is_up(kernel, uplink.index)
        stack.enter_context(_undisturbed())
        stack.enter_context(host_files.forwarding_at_once(step.name))
        stack.enter_context(host_files.accepting_either_way(step.name))
        host_files.like_uplink(step.uplink, step.name)
        _do(kernel, move, move.arrive, step)
        _do(kernel, move, move.enslave, step)
        deadline = time.monotonic() + _PATIENCE
        while can_send and not _is_up(kernel, bridge.index) and time.monotonic() < deadline:
            time.sleep(_PAUSE)
        _do(kernel, move, move.switch, step)


def give_back(step: GiveBack, index: Callable[[str], int]) -> None:
    """Carry out the step. ``index`` tells the index of a link.

    Raises ApplyFailed with the kernel's reason when it refuses a part. All is as before then.
    """
    bridge, uplink = _End(step.name, index(step.name)), _End(step.uplink, index(step.uplink))
    with contextlib.ExitStack() as stack:
        kernel = stack.enter_context(Socket())
        release = [_Pair(_master_request(uplink, 0), _master_request(uplink, bridge.index))]
        move = _prepared(kernel, step, bridge, uplink, release=release)
        stack.enter_context(_undisturbed())
        stack.enter_context(host_files.accepting_either_way(step.name))
        _do(kernel, move, move.arrive, step)
        _do(kernel, move, move.switch, step)


def _do(kernel: Socket, move: _Move, requests: Sequence[Request], step: Union[TakeOver, GiveBack]) -> None:
    refused = next((answer for answer in kernel.change(requests) if answer is not None), None)
    if refused is None:
        return
    left = [str(answer) for answer in kernel.change(move.back) if answer is not None]
    state = f"not all could be put back ({', '.join(left)})" if left else "everything was put back"
    what = f"give back to {step.uplink} what {step.name} has"
    if isinstance(step, TakeOver):
        what = f"take over {step.uplink} into {step.name}"
    raise ApplyFailed(f"the kernel refuses to {what}: {refused}; {state}")


def _prepared(
    kernel: Socket,
    step: Union[TakeOver, GiveBack],
    source: _End,
    target: _End,
    *,
    enslave: Sequence[_Pair] = (),
    release: Sequence[_Pair] = (),
) -> _Move:
    """``enslave`` makes the uplink a port, and ``release`` makes it none.

    The link that it is released from keeps its addresses until then: without any, it would drop what still comes in
    (fib_validate_source() in net/ipv4/fib_frontend.c).
    """
    there = {_spelled(each) for each in _addresses(kernel, target.index)}
    present = [each for each in _addresses(kernel, source.index) if not _is_link_local(each)]
    moved = [each for each in present if _spelled(each) in step.addresses]
    routes = list(_routes(kernel, step.routes, source, moved))
    moving = [message for message, is_moved in routes if is_moved]
    return _Move(
        arrive=[copied_address(each, target.index, (source.name, target.name)) for each in moved],
        enslave=[each.request for each in enslave],
        switch=[
            *(copied_route(each, target.index) for each in moving),
            *(route_removal(each, source.index) for each, _moved in routes),
            *(each.request for each in release),
            *(address_removal(each, source.index) for each in present),
        ],
        back=[
            *(copied_address(each, source.index, (source.name, source.name)) for each in present),
            *(copied_route(each, source.index) for each, _moved in routes),
            *(route_removal(each, target.index) for each in moving),
            *(each.back for each in (*enslave, *release) if each.back is not None),
            *(address_removal(each, target.index) for each in moved if _spelled(each) not in there),
        ],
    )


def _routes(
    kernel: Socket, wanted: Sequence[HostRoute], source: _End, moved: Sequence[bytes]
) -> Iterator[tuple[bytes, bool]]:
    """The routes that leave the link they are through, and whether each moves to the other one.

    The kernel makes and removes the routes to an address's own subnet, unless it is told to leave them to somebody.
    """
    left_to_others = {
        str(ipaddress.ip_interface(_spelled(each)).network) for each in moved if address_flags(each) & NO_PREFIX_ROUTE
    }
    for message in route_messages(kernel):
        found = host_route(message, {source.index: source.name})
        if found is None or found.is_shared:
            continue
        if found.protocol != KERNEL_MADE:
            yield message, found in wanted
        elif found.route.gateway is None and found.route.destination in left_to_others:
            yield message, True


def _addresses(kernel: Socket, index: int) -> list[bytes]:
    messages = kernel.dump(GET_ADDRESS, IFADDR.pack(0, 0, 0, 0, 0))
    return [each for each in messages if IFADDR.unpack_from(each)[-1] == index]


def _spelled(message: bytes) -> str:
    """The address with its prefix, as the planner spells it."""
    _family, prefix, *_rest = IFADDR.unpack_from(message)
    told = dict(attributes(message[IFADDR.size :]))
    return str(ipaddress.ip_interface(f"{ipaddress.ip_address(told.get(IFA_LOCAL, told[IFA_ADDRESS]))}/{prefix}"))


def _is_link_local(message: bytes) -> bool:
    return ipaddress.ip_interface(_spelled(message)).is_link_local


def _link(kernel: Socket, index: int) -> dict[int, bytes]:
    return dict(attributes(kernel.ask(GET_LINK, IFINFO.pack(0, 0, index, 0, 0))[IFINFO.size :]))


def _is_up(kernel: Socket, index: int) -> bool:
    """Whether the link can send and receive."""
    return _link(kernel, index).get(_OPERATIONAL_STATE) == bytes([_IS_UP])


def _master(kernel: Socket, index: int) -> int:
    return int(struct.unpack("=i", _link(kernel, index).get(_MASTER, bytes(4)))[0])


@contextlib.contextmanager
def _undisturbed() -> Iterator[None]:
    """No signal ends the process in the middle, such as that of a connection which is lost."""
    held = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP, signal.SIGINT, signal.SIGTERM, signal.SIGPIPE})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, held)

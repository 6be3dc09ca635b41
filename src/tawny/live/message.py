"""What listeners are sent."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Message:
    """One event, or the progress of a run, as it goes over the wire. It is made once, for all who listen."""

    wire: bytes
    ends: bool = False
    """Whether it is about the end of a run, after which nothing comes from that."""


def opening_message(event_id: str) -> Message:
    """The first message: from here on nothing is missed, whatever else the listener gets before it has to come back."""
    return Message(f"id: {event_id}\nevent: open\ndata: {{}}\n\n".encode())


def event_message(event_id: str, kind: str, data: str) -> Message:
    """A fact, with the id to go on from. `data` is JSON on one line."""
    wire = f"id: {event_id}\nevent: {kind}\ndata: {data}\n\n".encode()
    return Message(wire, ends=kind in ("completed", "failed", "cancelled"))


def progress_message(data: str) -> Message:
    """How far a run is. It has no id: what was missed is not worth repeating, the next one says it all."""
    return Message(f"event: progress\ndata: {data}\n\n".encode())

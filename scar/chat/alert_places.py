"""Converts places to and from the form in which the projects file and alerts name a chat:
`telegram:-100123/7`.
"""

from __future__ import annotations

from scar.chat.front_end import Place


def chat_name(front_end: str, place: Place) -> str:
    """Return a place as the projects file names it: `telegram:-100123/7`."""
    thread = f"/{place.thread}" if place.thread else ""
    return f"{front_end}:{place.chat}{thread}"


def place_of(chat: str) -> Place:
    """Return the place with a name such as `telegram:-100123/7`."""
    in_front_end = chat.partition(":")[2]
    name, _, thread = in_front_end.partition("/")
    return Place(name, thread or None)

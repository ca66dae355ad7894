"""The buttons under a message, as Telegram's inline keyboard."""

from __future__ import annotations

from collections.abc import Sequence

from telegram import CopyTextButton, InlineKeyboardButton, InlineKeyboardMarkup

from scar.document import Button, Document, Mood
from scar.frontends.telegram.render import units

_ONE_ROW = 3
_WIDTH_OF_MANY = 2
"""How many buttons a row has if they do not fit into one row."""

_WIDEST_ROW = 34
"""How many letters the labels of a row may have in all, so that a phone shows them uncut."""

_LONGEST_COPY = 256
_STYLES = {Mood.DANGER: "danger", Mood.GOOD: "success"}


def keyboard(document: Document, tag: str) -> InlineKeyboardMarkup | None:
    """Return the document's buttons; None where it has none."""
    buttons = [one for one in document.buttons if units(one.copies or "") <= _LONGEST_COPY]
    if not buttons:
        return None
    return InlineKeyboardMarkup([[_button(one, tag) for one in row] for row in _rows(buttons)])


def _rows(buttons: Sequence[Button]) -> list[Sequence[Button]]:
    """Return up to three buttons in one row where their labels fit, else two a row."""
    fits = sum(units(button.label) for button in buttons) <= _WIDEST_ROW
    width = _ONE_ROW if len(buttons) <= _ONE_ROW and fits else _WIDTH_OF_MANY
    return [buttons[at : at + width] for at in range(0, len(buttons), width)]


def _button(button: Button, tag: str) -> InlineKeyboardButton:
    style = _STYLES.get(button.mood)
    if button.copies is not None:
        return InlineKeyboardButton(button.label, copy_text=CopyTextButton(button.copies))
    return InlineKeyboardButton(button.label, callback_data=f"{button.answer}:{tag}", style=style)

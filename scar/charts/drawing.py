"""Draws a `TimeChart` with Pillow at twice its size and scales it down, so that curves are
smooth.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from PIL import Image, ImageDraw, ImageFont

from scar.charts.scale import nice_top, shown_value, time_labels
from scar.charts.time_chart import Curve, Mark, Panel, TimeChart

_WIDTH = 1080
_HEAD, _PANEL, _GAP, _FOOT, _LEGEND_ROW = 96, 220, 84, 66, 46
_LEFT, _RIGHT = 150, 36
_MOST_CURVES = 8
_LONGEST_NAME = 30
_TWICE = 2
_COLOURS = 192
"""Colours of the PNG's palette, which makes the file a third of the size of one with full colour.
"""

_BACKGROUND, _FIELD = "#0f172a", "#16213a"
_GRID, _TEXT, _PALE = "#2b3a55", "#f1f5f9", "#94a3b8"
_CURVES = ("#38bdf8", "#facc15", "#4ade80", "#f472b6", "#a78bfa", "#fb923c", "#2dd4bf", "#f87171")
_MARKS = {"deploy": "#22c55e", "rollback": "#f59e0b", "alert": "#ef4444"}


def draw(chart: TimeChart) -> Image.Image:
    """Return the picture of a chart."""
    shown = _shown_curves(chart)
    legend = _legend_rows(chart, shown)
    top = _HEAD + _LEGEND_ROW * len(legend)
    height = top + len(chart.panels) * (_PANEL + _GAP) + _FOOT
    image = Image.new("RGB", (_WIDTH * _TWICE, height * _TWICE), _BACKGROUND)
    canvas = _Canvas(ImageDraw.Draw(image), chart)
    canvas.text((36, 26), chart.title, 44, _TEXT)
    canvas.text((_WIDTH - _RIGHT, 36), chart.zone, 28, _PALE, "ra")
    for number, row in enumerate(legend):
        canvas.legend(_HEAD + number * _LEGEND_ROW, row)
    for number, panel in enumerate(chart.panels):
        canvas.panel(top + _GAP + number * (_PANEL + _GAP), panel, shown)
    canvas.times(height - _FOOT + 14)
    small = image.resize((_WIDTH, height), Image.Resampling.BOX)
    return small.quantize(_COLOURS, Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)


def _shown_curves(chart: TimeChart) -> dict[str, str]:
    """Return the names that are drawn, with their colours. If there are too many, those with the
    highest usage.
    """
    weight: dict[str, float] = {}
    for panel in chart.panels:
        peaks = {
            c.name: max((v for v in c.values if v is not None), default=0) for c in panel.curves
        }
        top = max(peaks.values(), default=0) or 1
        for name, peak in peaks.items():
            weight[name] = weight.get(name, 0) + peak / top
    kept = sorted(weight, key=lambda name: -weight[name])[:_MOST_CURVES]
    return dict(zip([name for name in weight if name in kept], _CURVES, strict=False))


def _legend_rows(chart: TimeChart, shown: dict[str, str]) -> list[list[tuple[str, str]]]:
    """Return the rows of the legend, two names a row; the last row explains the marks."""
    items = [(_short(name), colour) for name, colour in shown.items()]
    left_out = {c.name for p in chart.panels for c in p.curves} - set(shown)
    if left_out:
        items.append((f"and {len(left_out)} more that use less", _BACKGROUND))
    rows = [items[at : at + 2] for at in range(0, len(items), 2)]
    kinds = [kind for kind in _MARKS if kind in {mark.kind for mark in chart.marks}]
    return [*rows, [(f"▼ {kind}", _MARKS[kind]) for kind in kinds]] if kinds else rows


def _short(name: str) -> str:
    return name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME - 1]}…"


@cache
def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size * _TWICE)


class _Canvas:
    """Draws on the enlarged image, with coordinates of the final picture."""

    def __init__(self, pen: ImageDraw.ImageDraw, chart: TimeChart) -> None:
        self._pen = pen
        self._chart = chart
        self._seconds = max(1, chart.seconds)

    def text(
        self, at: tuple[float, float], words: str, size: int, colour: str, anchor: str = "la"
    ) -> None:
        """Write a line."""
        x, y = at
        self._pen.text((x * _TWICE, y * _TWICE), words, colour, _font(size), anchor)

    def line(self, points: Sequence[tuple[float, float]], colour: str, width: float) -> None:
        """Draw a line through points."""
        scaled = [(x * _TWICE, y * _TWICE) for x, y in points]
        self._pen.line(scaled, colour, round(width * _TWICE), joint="curve")

    def legend(self, y: int, row: Sequence[tuple[str, str]]) -> None:
        """Write one row of the legend."""
        for column, (words, colour) in enumerate(row):
            x = 36 + column * 510
            if words.startswith("▼ "):
                self._triangle(x + 13, y + 24, colour)
                words = words[2:]
            else:
                self.line([(x, y + 17), (x + 26, y + 17)], colour, 6)
            self.text((x + 38, y), words, 28, _TEXT)

    def panel(self, y: int, panel: Panel, shown: dict[str, str]) -> None:
        """Draw one panel: its field, its axis, its curves and the marks over it."""
        values = [v for c in panel.curves if c.name in shown for v in c.values if v is not None]
        top = nice_top(max(values, default=0), panel.unit)
        bottom = y + _PANEL
        corners = (_LEFT, y, _WIDTH - _RIGHT, bottom)
        self._pen.rectangle([c * _TWICE for c in corners], _FIELD)
        self.text((36, y - 62), panel.title, 32, _TEXT)
        for part in range(3):
            at = bottom - _PANEL * part / 2
            self.line([(_LEFT, at), (_WIDTH - _RIGHT, at)], _GRID, 1.5)
            words = shown_value(top * part / 2, panel.unit)
            self.text((_LEFT - 14, at), words, 26, _PALE, "rm")
        for mark in self._chart.marks:
            self._mark(mark, y, bottom)
        for curve in panel.curves:
            if curve.name in shown:
                self._curve(curve, shown[curve.name], y, top)

    def times(self, y: int) -> None:
        """Write the times below the last panel."""
        for at, words in time_labels(self._chart.start, self._seconds):
            x = min(self._x(at), _WIDTH - _RIGHT - 34)
            self.text((x, y), words, 26, _PALE, "ma")

    def _x(self, at: float) -> float:
        return _LEFT + (at - self._chart.start) / self._seconds * (_WIDTH - _LEFT - _RIGHT)

    def _mark(self, mark: Mark, y: int, bottom: int) -> None:
        x = self._x(mark.at)
        if not _LEFT <= x <= _WIDTH - _RIGHT:
            return
        colour = _MARKS.get(mark.kind, _PALE)
        for at in range(y, bottom, 14):
            self.line([(x, at), (x, min(at + 8, bottom))], colour, 2)
        self._triangle(x, y + 4, colour)

    def _triangle(self, x: float, y: float, colour: str) -> None:
        """Draw a triangle that points down to (x, y)."""
        corners = ((x - 11, y - 16), (x + 11, y - 16), (x, y + 2))
        self._pen.polygon([(a * _TWICE, b * _TWICE) for a, b in corners], colour)

    def _curve(self, curve: Curve, colour: str, y: int, top: float) -> None:
        """Draw a curve, with gaps where there is no value; a value between two gaps is a dot."""
        points: list[tuple[float, float]] = []
        for number, value in enumerate((*curve.values, None)):
            if value is not None:
                x = self._x(self._chart.start + (number + 0.5) * self._chart.step)
                points.append((x, y + _PANEL - min(value / top, 1) * _PANEL))
                continue
            if len(points) == 1:
                (x, at), points = points[0], []
                corners = (x - 3, at - 3, x + 3, at + 3)
                self._pen.ellipse([c * _TWICE for c in corners], colour)
            elif points:
                self.line(points, colour, 3.5)
                points = []

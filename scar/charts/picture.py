"""A chart as a picture that is sent with a message."""

from __future__ import annotations

import io
from dataclasses import dataclass

from scar.charts.time_chart import TimeChart


@dataclass(frozen=True)
class ChartPicture:
    """A chart, and the name of the file that shows it."""

    name: str
    chart: TimeChart

    def png(self) -> bytes:
        """Draw it: 1080 pixels wide, as wide as phones show pictures in a chat."""
        from scar.charts.drawing import draw  # Pillow is loaded where a picture is drawn

        content = io.BytesIO()
        draw(self.chart).save(content, "PNG")
        return content.getvalue()

// Draws what containers used over a time, with uPlot. The series are in the page.
"use strict";

(() => {
  const COLOURS = ["#3b82f6", "#e2722e", "#2f9e63", "#b565d8", "#d4445c", "#12a3b4", "#a08a1f"];
  const HEIGHT = 200;
  const UNITS = ["B", "KiB", "MiB", "GiB", "TiB"];

  const chart = JSON.parse(document.getElementById("plots").textContent);
  const places = chart.panels.map((_, number) => document.getElementById(`plot-${number}`));
  const length = Math.max(...chart.panels.flatMap((p) => p.curves.map((c) => c.values.length)));
  const times = Array.from({ length }, (_, n) => chart.start + n * chart.step);
  let plots = [];

  const two = (number) => String(number).padStart(2, "0");
  const clock = (seconds) => {
    const at = new Date(seconds * 1000);
    return `${two(at.getHours())}:${two(at.getMinutes())}`;
  };

  function size(bytes) {
    let unit = 0;
    while (Math.abs(bytes) >= 1024 && unit < UNITS.length - 1) {
      bytes /= 1024;
      unit += 1;
    }
    return `${unit && bytes < 100 ? bytes.toFixed(1) : Math.round(bytes)} ${UNITS[unit]}`;
  }

  function words(unit, value) {
    if (value == null) return "–";
    if (unit === "percent") return `${value < 10 ? value.toFixed(1) : Math.round(value)} %`;
    return unit === "rate" ? `${size(value)}/s` : size(value);
  }

  // Deploys and whatever else happened, over all series.
  function drawMarks(plot) {
    const { ctx, bbox } = plot;
    ctx.save();
    ctx.strokeStyle = getComputedStyle(document.body).color;
    ctx.setLineDash([4, 4]);
    for (const mark of chart.marks) {
      const x = Math.round(plot.valToPos(mark.at, "x", true));
      if (x < bbox.left || x > bbox.left + bbox.width) continue;
      ctx.beginPath();
      ctx.moveTo(x, bbox.top);
      ctx.lineTo(x, bbox.top + bbox.height);
      ctx.stroke();
    }
    ctx.restore();
  }

  function draw(panel, place) {
    const style = getComputedStyle(document.body);
    const axis = { stroke: style.color, grid: { stroke: "#8884" }, ticks: { stroke: "#8884" } };
    const options = {
      width: place.clientWidth,
      height: HEIGHT,
      scales: { y: { range: (_, __, top) => [0, top > 0 ? top * 1.05 : 1] } },
      axes: [
        { ...axis, values: (_, splits) => splits.map(clock) },
        { ...axis, size: 70, values: (_, splits) => splits.map((v) => words(panel.unit, v)) },
      ],
      series: [
        { label: "Time", value: (_, seconds) => (seconds == null ? "–" : clock(seconds)) },
        ...panel.curves.map((curve, number) => ({
          label: curve.name,
          stroke: COLOURS[number % COLOURS.length],
          width: 2,
          value: (_, value) => words(panel.unit, value),
        })),
      ],
      hooks: { draw: [drawMarks] },
    };
    place.replaceChildren();
    return new uPlot(options, [times, ...panel.curves.map((curve) => curve.values)], place);
  }

  function drawAll() {
    plots.forEach((plot) => plot.destroy());
    plots = chart.panels.map((panel, number) => draw(panel, places[number]));
  }

  drawAll();
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawAll);
  window.addEventListener("resize", () => {
    plots.forEach((plot, number) => {
      plot.setSize({ width: places[number].clientWidth, height: HEIGHT });
    });
  });
})();

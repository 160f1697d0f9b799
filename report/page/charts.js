// Draws the charts a page describes. A spec is
//   {id, x: [..], xLabel, series: [{label, values, color: 1..6, style: "line"|"faint"|"points"|"dash"}], min, max}
// with null where there is no value. Used by the report and by the live page.
"use strict";
const orreryCharts = (function () {
  const live = new Map(); // id -> {spec, host, plot}

  function variable(name) {
    return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  }

  function number(v) {
    if (v === null || v === undefined) return "–";
    const size = Math.abs(v);
    if (size !== 0 && (size < 1e-3 || size >= 1e6)) return v.toExponential(3);
    return String(+v.toPrecision(5));
  }

  function short(v) {
    const size = Math.abs(v);
    if (size !== 0 && (size < 1e-3 || size >= 1e5)) return v.toExponential(1).replace(".0e", "e").replace("e+", "e");
    return String(+v.toPrecision(4));
  }

  // Room around the values, and some even when all are equal.
  function padded(low, high, share) {
    if (low === null || high === null || low === undefined || high === undefined) return [0, 1];
    if (low === high) {
      const room = Math.abs(low) * 0.1 || 0.5;
      return [low - room, high + room];
    }
    const room = (high - low) * share;
    return [low - room, high + room];
  }

  function series(one) {
    const color = variable("--c" + one.color);
    const s = { label: one.label, stroke: color, width: 2, spanGaps: false, points: { show: false }, value: (u, v) => number(v) };
    if (one.style === "faint") { s.width = 1; s.alpha = 0.35; }
    if (one.style === "dash") s.dash = [6, 4];
    if (one.style === "points") { s.spanGaps = true; s.points = { show: true, size: 7, fill: color, stroke: color }; }
    return s;
  }

  function options(spec, width) {
    const quiet = variable("--quiet"), grid = { stroke: variable("--grid"), width: 1 };
    const font = "12px system-ui, sans-serif";
    const axis = { stroke: quiet, grid: grid, ticks: { show: false }, font: font };
    return {
      width: width, height: heightOf(spec), cursor: { y: false, focus: { prox: 24 } },
      padding: [10, 14, 0, 0],
      scales: {
        x: { time: false, range: (u, low, high) => low === high ? padded(low, high, 0) : [low, high] },
        y: { range: (u, low, high) => {
          const r = padded(low, high, 0.05);
          if (spec.min !== undefined) r[0] = spec.min;
          if (spec.max !== undefined) r[1] = spec.max;
          return r;
        } },
      },
      axes: [
        Object.assign({ values: (u, vs) => vs.map((v) => Number.isInteger(+v.toFixed(6)) ? short(v) : (spec.whole ? "" : short(v))),
          label: spec.small ? undefined : spec.xLabel, labelFont: font, labelSize: 18, size: spec.small ? 26 : 34, space: 60 }, axis),
        Object.assign({ values: (u, vs) => vs.map(short), size: 62, space: 36 }, axis),
      ],
      series: [{ label: spec.xLabel, value: (u, v) => number(v) }].concat(spec.series.map(series)),
      legend: { live: true },
    };
  }

  // On paper two charts stand side by side whatever the window's width was.
  function widthOf(host) {
    if (document.documentElement.classList.contains("print")) return 330;
    return Math.max(200, Math.floor(host.clientWidth));
  }

  function heightOf(spec) {
    return spec.small ? 150 : 260;
  }

  // Draws a spec into its element, or only hands it new values when its shape is the same.
  function show(spec) {
    const host = document.getElementById(spec.id);
    if (!host) return;
    const data = [spec.x].concat(spec.series.map((s) => s.values));
    const old = live.get(spec.id);
    const same = old && old.spec.series.length === spec.series.length &&
      old.spec.series.every((s, i) => s.label === spec.series[i].label);
    if (same) {
      old.spec = spec;
      old.plot.setData(data);
      return;
    }
    if (old) old.plot.destroy();
    host.replaceChildren();
    live.set(spec.id, { spec: spec, host: host, plot: new uPlot(options(spec, widthOf(host)), data, host) });
  }

  // Takes every chart away.
  function clear() {
    for (const one of live.values()) one.plot.destroy();
    live.clear();
  }

  // After a change of colours everything is drawn anew.
  function redraw() {
    for (const one of [...live.values()]) {
      one.plot.destroy();
      live.delete(one.spec.id);
      show(one.spec);
    }
  }

  function resize() {
    for (const one of live.values()) one.plot.setSize({ width: widthOf(one.host), height: heightOf(one.spec) });
  }

  let waiting = 0;
  window.addEventListener("resize", () => {
    cancelAnimationFrame(waiting);
    waiting = requestAnimationFrame(resize);
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
  // On paper colours are the light ones whatever the screen has.
  window.addEventListener("beforeprint", () => { document.documentElement.classList.add("print"); redraw(); });
  window.addEventListener("afterprint", () => { document.documentElement.classList.remove("print"); redraw(); });

  return { show: show, clear: clear, live: live };
})();

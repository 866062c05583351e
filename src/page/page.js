"use strict";
// What every page does: tables sort and filter, charts are drawn. Text gets into the document as text only.
const page = (() => {
  const root = document.documentElement;
  const fail = what => { root.dataset.status = `failed: ${what}`; };
  addEventListener("error", e => fail(e.message || e.type));
  addEventListener("unhandledrejection", e => fail(e.reason));

  // 83.5 as 1:23.5; `step` says how fine the digits are.
  const time = (seconds, step = 0.1) => {
    const digits = step >= 1 ? 0 : step >= 0.1 ? 1 : 2;
    const all = Math.max(0, Number(seconds.toFixed(digits)));
    const [h, m, s] = [Math.floor(all / 3600), Math.floor(all / 60) % 60, (all % 60).toFixed(digits)];
    const two = v => String(v).padStart(2, "0");
    return (h ? `${h}:${two(m)}` : String(m)) + ":" + (s < 10 ? "0" : "") + s;
  };

  const listeners = [];
  const onMoment = f => listeners.push(f);

  const element = (name, properties = {}) => Object.assign(document.createElement(name), properties);

  // Hides the `rows` that do not hold what is written into the field in front of `place`.
  const filterable = (place, rows, label) => {
    const field = element("input", { type: "search", placeholder: "filter", ariaLabel: label });
    const count = element("output");
    const texts = rows.map(r => r.textContent.toLowerCase());
    field.addEventListener("input", () => {
      const words = field.value.toLowerCase().split(/\s+/).filter(Boolean);
      let shown = 0;
      rows.forEach((r, i) => { shown += !(r.hidden = !words.every(w => texts[i].includes(w))); });
      count.textContent = words.length ? `${shown} of ${rows.length}` : "";
    });
    const bar = element("div", { className: "filter" });
    bar.append(field, count);
    place.before(bar);
  };

  const compare = new Intl.Collator(undefined, { numeric: true, sensitivity: "base" }).compare;
  const sortable = table => {
    const body = table.tBodies[0];
    const heads = [...table.tHead.rows[0].cells];
    heads.forEach((head, column) => head.querySelector("button").addEventListener("click", () => {
      const down = head.getAttribute("aria-sort") === "ascending";
      heads.forEach(h => h.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      const key = row => {
        const cell = row.cells[column];
        const sort = cell?.dataset.sort;
        return sort === undefined ? cell?.textContent ?? "" : sort === "" ? NaN : Number(sort);
      };
      const order = (a, b) => {
        if (typeof a !== "number" || typeof b !== "number") return (down ? -1 : 1) * compare(String(a), String(b));
        // What has no number comes last either way.
        return isNaN(a) || isNaN(b) ? isNaN(a) - isNaN(b) : (down ? b - a : a - b);
      };
      const keyed = [...body.rows].map(row => [key(row), row]);
      keyed.sort((a, b) => order(a[0], b[0]));
      body.append(...keyed.map(k => k[1]));
    }));
  };

  const css = name => getComputedStyle(root).getPropertyValue(name).trim();
  const color = i => css(`--c${i % 8}`);
  const STEPS = [0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400];
  const WHOLE = [1, 2, 5].flatMap(n => [...Array(10).keys()].map(e => n * 10 ** e)).sort((a, b) => a - b);

  const draw = (figure, chart) => {
    const plot = figure.querySelector(".plot");
    const { x, step, lines, spans, levels } = chart;
    const counts = chart.zero || lines.some(l => l.style !== "line");
    const bars = lines.filter(l => l.style === "bars");
    const columns = [x], series = [{ label: "time", value: (_, v) => (v == null ? "–" : time(v, step)) }], bands = [];
    const shown = v => (v == null ? "–" : Number(v.toPrecision(4)).toLocaleString());
    const put = (values, options) => { columns.push(values); series.push(options); return series.length - 1; };
    // Bars stand on each other: the highest sum is drawn first, and what it stands on over it.
    const sums = bars.map((_, n) => x.map((_, i) => bars.slice(0, n + 1).reduce((s, l) => s + (l.values[i] ?? 0), 0)));
    [...lines.keys()].sort((a, b) => bars.indexOf(lines[b]) - bars.indexOf(lines[a])).forEach(i => {
      const line = lines[i], stroke = color(i);
      const options = { label: line.name, stroke, width: 2, points: { show: false }, spanGaps: false, value: (_u, _v, _s, at) => shown(at == null ? null : line.values[at]) };
      if (line.style === "bars") {
        Object.assign(options, { fill: stroke, width: 0, paths: uPlot.paths.bars({ size: [0.9, 60, 1], align: 1 }) });
        put(sums[bars.indexOf(line)], options);
        return;
      }
      if (line.style === "step") Object.assign(options, { paths: uPlot.paths.stepped({ align: 1 }), fill: `${stroke}22` });
      else if (x.length < 40) options.points = { show: true, size: 5, fill: stroke };
      put(line.values, options);
      if (line.range) {
        const edge = name => ({ label: name, stroke: "transparent", width: 0, points: { show: false }, value: (_, v) => shown(v) });
        bands.push({ series: [put(line.range[1], edge("highest")), put(line.range[0], edge("lowest"))], fill: `${stroke}33` });
      }
    });
    const range = (_, low, high) => {
      let [a, b] = [low ?? 0, high ?? 1];
      levels.forEach(l => { a = Math.min(a, l); b = Math.max(b, l); });
      if (counts) return [0, Math.max(b, 1) * 1.08];
      const room = (b - a || Math.abs(b) || 1) * 0.08;
      return [a >= 0 && a - room < 0 ? 0 : a - room, b + room];
    };
    const mark = u => {
      const { ctx, bbox } = u;
      ctx.save();
      ctx.beginPath();
      ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
      ctx.clip();
      ctx.fillStyle = css("--mark");
      spans.forEach(([from, to]) => {
        const left = u.valToPos(from, "x", true);
        ctx.fillRect(left, bbox.top, Math.max(2, u.valToPos(to, "x", true) - left), bbox.height);
      });
      ctx.strokeStyle = css("--bad");
      ctx.setLineDash([6, 4]);
      levels.forEach(l => {
        const y = u.valToPos(l, "y", true);
        ctx.beginPath();
        ctx.moveTo(bbox.left, y);
        ctx.lineTo(bbox.left + bbox.width, y);
        ctx.stroke();
      });
      ctx.restore();
    };
    const axis = { stroke: css("--dim"), grid: { stroke: css("--grid"), width: 1 }, ticks: { stroke: css("--grid"), width: 1 }, font: "12px system-ui, sans-serif" };
    const fine = splits => (splits.length > 1 ? splits[1] - splits[0] : 1);
    const u = new uPlot({
      width: plot.clientWidth, height: 220, series, bands,
      // The last bar and step have their width, too.
      scales: { x: { time: false, range: (_, a, b) => [a, b === x.at(-1) && (counts || a === b) ? b + step : b] }, y: { range } },
      axes: [
        { ...axis, incrs: STEPS, values: (_, splits) => splits.map(s => time(s, fine(splits))) },
        { ...axis, size: 56, ...(counts ? { incrs: WHOLE } : {}) },
      ],
      cursor: { sync: { key: "time" }, points: { size: 7 } },
      hooks: { drawAxes: [mark] },
    }, columns, plot);
    let pressed = 0;
    u.over.addEventListener("mousedown", e => { pressed = e.clientX; });
    u.over.addEventListener("click", e => {
      if (Math.abs(e.clientX - pressed) < 4) listeners.forEach(f => f(u.posToVal(u.cursor.left, "x")));
    });
    return u;
  };

  const charts = [...document.querySelectorAll("figure.chart")].map(figure => ({
    figure, chart: JSON.parse(figure.querySelector("script").textContent), drawn: null,
  }));
  const redraw = () => charts.forEach(c => {
    c.drawn?.destroy();
    c.drawn = draw(c.figure, c.chart);
  });
  // A chart that is hidden has no width; it gets one when it is shown.
  const fit = () => charts.forEach(c => {
    const width = c.figure.querySelector(".plot").clientWidth;
    if (width > 0 && width !== c.drawn.width) c.drawn.setSize({ width, height: 220 });
  });

  const ready = () => {
    document.querySelectorAll("table").forEach(table => {
      sortable(table);
      if (table.dataset.filter === "true") filterable(table.parentElement, [...table.tBodies[0].rows], "filter the table");
    });
    redraw();
    addEventListener("resize", fit);
    document.querySelectorAll("details").forEach(d => d.addEventListener("toggle", fit));
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
    // Charts are painted behind this.
    setTimeout(() => { root.dataset.status ??= "ready"; });
  };
  return { time, onMoment, filterable, element, ready };
})();

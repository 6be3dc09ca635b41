// The chart of the last 24 hours: bars for how runs ended, a line for the share that failed. The numbers are in the page, which
// `live.js` keeps up to date.
(() => {
  const HEIGHT = 220;
  const HOUR = 3600;
  const OUTCOMES = ["completed", "failed", "cancelled"];

  let chart, drawn;

  function colour(name) {
    return getComputedStyle(document.querySelector(`[data-colour="${name}"]`)).color;
  }

  // Each bar stands on the one before: what is drawn is the sum so far, the tallest first.
  function stacked(hours) {
    const sums = OUTCOMES.map((_, last) => hours.at.map((_, i) => OUTCOMES.slice(0, last + 1).reduce((sum, name) => sum + hours[name][i], 0)));
    return [hours.at.map((from) => from + HOUR / 2), ...sums.reverse(), hours.share.map((share) => (share === null ? null : share * 100))];
  }

  function bars(name) {
    return { label: name, fill: colour(name), width: 0, points: { show: false }, paths: uPlot.paths.bars({ size: [0.76, 48] }) };
  }

  function said(u) {
    const hours = JSON.parse(document.getElementById("hours").dataset.hours);
    const i = u.cursor.idx;
    const words = document.getElementById("hour-said");
    if (i === null || i === undefined) {
      words.textContent = "";
      return;
    }
    const from = new Date(hours.at[i] * 1000).toLocaleTimeString(undefined, { hour: "2-digit", minute: "2-digit" });
    const counts = OUTCOMES.map((name) => `${hours[name][i].toLocaleString("en")} ${name}`).join(", ");
    const share = hours.share[i] === null ? "" : ` · ${(hours.share[i] * 100).toFixed(1)} % failed`;
    words.textContent = `From ${from}: ${hours.capped[i] ? "at least " : ""}${counts}${share}`;
  }

  function options(place, hours) {
    const quiet = colour("rate");
    const line = getComputedStyle(place).borderTopColor;
    const axis = { stroke: quiet, font: "12px system-ui, sans-serif", ticks: { show: false }, border: { show: false } };
    return {
      width: place.clientWidth,
      height: HEIGHT,
      legend: { show: false },
      cursor: { y: false, drag: { x: false, y: false }, points: { show: false } },
      scales: {
        x: { time: true, range: () => [hours.at[0], hours.at[hours.at.length - 1] + HOUR] },
        y: { range: (_, __, most) => [0, Math.max(4, most * 1.08)] },
        share: { range: [0, 100] },
      },
      axes: [
        { ...axis, grid: { show: false }, size: 28, space: 60, values: (_, times) => times.map((t) => new Date(t * 1000).toLocaleTimeString(undefined, { hour: "numeric" })) },
        { ...axis, grid: { stroke: line, width: 1 }, size: 52, incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000], values: (_, ticks) => ticks.map((n) => n.toLocaleString("en")) },
        { ...axis, scale: "share", side: 1, grid: { show: false }, size: 48, incrs: [25, 50], values: (_, ticks) => ticks.map((n) => `${n} %`) },
      ],
      series: [
        {},
        ...[...OUTCOMES].reverse().map(bars),
        { scale: "share", stroke: quiet, width: 1.5, dash: [4, 3], spanGaps: true, points: { show: true, size: 5, fill: quiet } },
      ],
      hooks: { setCursor: [said] },
    };
  }

  function show() {
    const place = document.getElementById("chart");
    const text = document.getElementById("hours").dataset.hours;
    const hours = JSON.parse(text);
    const some = OUTCOMES.some((name) => hours[name].some((n) => n > 0));
    place.hidden = !some;
    if (!some || text === drawn) return;
    if (chart && JSON.parse(drawn).at[0] === hours.at[0]) chart.setData(stacked(hours));
    else make(place, hours);
    drawn = text;
  }

  function make(place, hours) {
    chart?.destroy();
    place.querySelector(".plot")?.remove();
    const plot = place.insertBefore(document.createElement("div"), place.firstChild);
    plot.className = "plot";
    chart = new uPlot(options(place, hours), stacked(hours), plot);
  }

  function again() {
    drawn = undefined;
    chart?.destroy();
    chart = undefined;
    show();
  }

  document.addEventListener("DOMContentLoaded", () => {
    show();
    document.addEventListener("htmx:afterSettle", show);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", again);
    new ResizeObserver(([place]) => chart?.setSize({ width: place.contentRect.width, height: HEIGHT })).observe(document.getElementById("chart"));
  });
})();

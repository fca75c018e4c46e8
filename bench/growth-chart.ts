/** A chart of time against the number of threads, as SVG: linear across, logarithmic up. */

export interface Series {
  readonly name: string;
  /** Number of threads and seconds. */
  readonly points: readonly (readonly [threads: number, seconds: number])[];
}

const [WIDTH, HEIGHT] = [800, 420];
const PLOT = { left: 64, right: 556, top: 44, bottom: 366 };
/** Distinguishable for the colour-blind (Okabe and Ito), on white and on dark grey. */
const COLOURS = ["#0072b2", "#56b4e9", "#009e73", "#cc79a7", "#d55e00", "#e69f00"];
const LABEL_HEIGHT = 16;

export function growthChart(title: string, series: readonly Series[]): string {
  const points = series.flatMap((s) => s.points);
  const threads = points.map(([t]) => t);
  const [least, most] = [Math.min(...threads), Math.max(...threads)];
  const seconds = points.map(([, s]) => s);
  const [low, high] = [Math.floor(Math.log10(Math.min(...seconds))), Math.ceil(Math.log10(Math.max(...seconds)))];
  const x = (t: number): number => PLOT.left + ((t - least) / Math.max(1, most - least)) * (PLOT.right - PLOT.left);
  const y = (s: number): number =>
    PLOT.bottom - ((Math.log10(s) - low) / Math.max(1, high - low)) * (PLOT.bottom - PLOT.top);
  const n = (v: number): string => v.toFixed(1);
  const out = [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" font-family="sans-serif" font-size="12">`,
    `<title>${title}</title>`,
    `<rect width="${WIDTH}" height="${HEIGHT}" fill="#fff"/>`,
    `<text x="${PLOT.left}" y="24" font-size="14">${title}</text>`,
  ];
  for (let decade = low; decade <= high; decade++) {
    const at = n(y(10 ** decade));
    const label = decade < 0 ? (10 ** decade).toFixed(-decade) : String(10 ** decade);
    out.push(`<path d="M${PLOT.left} ${at}H${PLOT.right}" stroke="#ddd"/>`);
    out.push(`<text x="${PLOT.left - 6}" y="${at}" dy="4" text-anchor="end">${label} s</text>`);
  }
  for (const t of [...new Set(threads)].sort((a, b) => a - b)) {
    out.push(`<text x="${n(x(t))}" y="${PLOT.bottom + 18}" text-anchor="middle">${t}</text>`);
  }
  out.push(`<text x="${(PLOT.left + PLOT.right) / 2}" y="${HEIGHT - 14}" text-anchor="middle">threads</text>`);
  const labels = series.map((s, i) => ({ i, name: s.name, at: s.points.at(-1), y: 0 }));
  // Labels stand at the ends of their lines, moved down where they would cover one another.
  labels.sort((a, b) => (b.at?.[1] ?? 0) - (a.at?.[1] ?? 0));
  let free = PLOT.top;
  for (const label of labels) {
    label.y = Math.max(free, y(label.at?.[1] ?? 10 ** low));
    free = label.y + LABEL_HEIGHT;
  }
  const overflow = Math.max(0, free - LABEL_HEIGHT - PLOT.bottom);
  series.forEach(({ points }, i) => {
    const colour = COLOURS[i % COLOURS.length];
    const line = points.map(([t, s]) => `${n(x(t))} ${n(y(s))}`).join("L");
    out.push(`<path d="M${line}" fill="none" stroke="${colour}" stroke-width="2"/>`);
    for (const [t, s] of points) out.push(`<circle cx="${n(x(t))}" cy="${n(y(s))}" r="3" fill="${colour}"/>`);
  });
  for (const { i, name, y: at } of labels) {
    out.push(
      `<text x="${PLOT.right + 10}" y="${n(at - overflow)}" dy="4" fill="${COLOURS[i % COLOURS.length]}">${name}</text>`,
    );
  }
  out.push("</svg>");
  return `${out.join("\n")}\n`;
}

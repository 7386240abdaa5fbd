"""The README's picture: one bar for each main row, as long as the ratio to Squid. Plain SVG, light and dark."""

from dataclasses import dataclass
from html import escape

from bench.figures import Metric, Results, figure, middle, ratio
from bench.subjects import MITMDUMP, SLUICEGATE, SQUID, TWO_WORKERS

ROWS = (
    ("hits-32.rate", "hits, 32 connections"),
    ("hits-1000.rate", "hits, 1000 connections"),
    ("misses-32.rate", "misses, 32 connections"),
    ("misses-1000.rate", "misses, 1000 connections"),
    ("storable-32.rate", "misses that are stored"),
    ("body-hit.rate", "256 MiB, hit"),
    ("body-miss.rate", "256 MiB, miss"),
    ("body-storable.rate", "256 MiB, stored"),
)
"""Rates only, so that longer is better in every row."""
BARS = ((SLUICEGATE, "one"), (TWO_WORKERS, "two"), (MITMDUMP, "mitm"))

WIDTH = 760
LABELS = 190
FIGURES = 150
BAR = 14
GAP = 10
TOP = 48
LONGEST = 4.0
"""The ratio at which a bar ends, with a tip that says it goes on: one very long bar would make all others unreadable."""
TIP = 8

_STYLE = """
text { font: 13px system-ui, sans-serif; fill: #1f2328 }
.small { font-size: 11px; fill: #59636e }
.one { fill: #0969da } .two { fill: #54aeff } .mitm { fill: #afb8c1 }
.line { stroke: #59636e; stroke-dasharray: 3 3 }
@media (prefers-color-scheme: dark) {
  text { fill: #f0f6fc } .small { fill: #9198a1 }
  .one { fill: #4493f8 } .two { fill: #79c0ff } .mitm { fill: #656c76 }
  .line { stroke: #9198a1 }
}
"""


@dataclass(frozen=True)
class Bar:
    """One subject in one row."""

    subject: str
    style: str
    ratio: float
    rate: float


def bars(results: Results) -> list[tuple[str, list[Bar]]]:
    """Label and bars of each row that has both a figure and Squid's."""
    by_key = {metric.key: metric for metric in results.samples}
    rows = [(label, _bars(results, by_key[key])) for key, label in ROWS if key in by_key]
    return [(label, found) for label, found in rows if found]


def draw(results: Results) -> str:
    """The picture as SVG."""
    rows = bars(results)
    longest = min(LONGEST, max([1.0, *(bar.ratio for _, found in rows for bar in found)]))
    scale = (WIDTH - LABELS - FIGURES) / longest
    parts, y = [], TOP
    for label, found in rows:
        parts.append(_text(LABELS - 8, y + BAR * len(found) / 2 + 4, label, 'text-anchor="end"'))
        for bar in found:
            length = min(bar.ratio, longest) * scale
            parts.append(f'<rect class="{bar.style}" x="{LABELS}" y="{y}" width="{length:.1f}" height="{BAR - 2}"/>')
            end = LABELS + (max(length, scale) if bar.ratio < 1 else length)  # figures keep clear of Squid's line
            if bar.ratio > longest:
                middle_y = y + BAR / 2 - 1
                tip = f"{end:.1f},{y} {end + TIP:.1f},{middle_y} {end:.1f},{y + BAR - 2}"
                parts.append(f'<polygon class="{bar.style}" points="{tip}"/>')
                end += TIP
            parts.append(_text(end + 6, y + BAR - 4, f"{bar.ratio:.2f} ({figure(bar.rate)})", 'class="small"'))
            y += BAR
        y += GAP
    squid = LABELS + scale
    size = f'width="{WIDTH}" height="{y + 6}" viewBox="0 0 {WIDTH} {y + 6}"'
    label = "Throughput as a ratio to Squid; longer is better"
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" aria-label="{label}">',
            f"<style>{_STYLE}</style>",
            _text(LABELS, 16, "Throughput, Squid = 1 (in brackets: requests or MB a second)", ""),
            *_legend({bar.subject: bar.style for _, found in rows for bar in found}),
            f'<line class="line" x1="{squid:.1f}" y1="{TOP - 6}" x2="{squid:.1f}" y2="{y}"/>',
            *parts,
            "</svg>\n",
        ]
    )


def _bars(results: Results, metric: Metric) -> list[Bar]:
    of_subject = results.samples[metric]
    found = []
    for subject, style in BARS:
        compared = ratio(of_subject.get(subject, {}), of_subject.get(SQUID, {}))
        rate = middle(of_subject.get(subject, {}))
        if compared is not None and rate is not None:
            found.append(Bar(subject, style, compared, rate))
    return found


def _legend(styles: dict[str, str]) -> list[str]:
    parts, x = [], LABELS
    for subject, style in styles.items():
        parts.append(f'<rect class="{style}" x="{x}" y="24" width="10" height="10"/>')
        parts.append(_text(x + 15, 33, subject, 'class="small"'))
        x += 100
    return parts


def _text(x: float, y: float, text: str, attributes: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" {attributes}>{escape(text)}</text>'

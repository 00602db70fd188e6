"""Draws latencies by percentile: one line a server, both axes logarithmic."""

import math
from dataclasses import dataclass
from html import escape

PANEL_WIDTH, PANEL_HEIGHT = 400, 270
LEFT, TOP, LABELS, BELOW = 52, 40, 84, 46
"""The room around the area of a panel, in which its axes and the names of the servers are."""

COLUMNS = 2

LINE_HEIGHT = 14
"""The least distance of two names."""

COLORS = 6
"""The servers after so many have the same ones, with dashes."""

STYLE = """
svg { --paper: #ffffff; --ink: #1f2937; --soft: #6b7280; --grid: #e5e7eb;
  --c0: #1d4ed8; --c1: #4b5563; --c2: #b45309; --c3: #be185d; --c4: #15803d; --c5: #7e22ce; }
@media (prefers-color-scheme: dark) { svg { --paper: #0d1117; --ink: #e6edf3; --soft: #9198a1; --grid: #2a313c;
  --c0: #79a9ff; --c1: #b0b7c0; --c2: #f0a548; --c3: #f778ba; --c4: #56d364; --c5: #c297ff; } }
.paper { fill: var(--paper); } .ink { fill: var(--ink); } .soft { fill: var(--soft); }
.grid { stroke: var(--grid); } .line { fill: none; stroke-width: 1.8; stroke-linejoin: round; }
.first { stroke-width: 3.2; } .dashed { stroke-dasharray: 6 3; }
"""


@dataclass(frozen=True)
class Panel:
    title: str
    curves: dict[str, list[tuple[float, float]]]
    """Of each server: shares of the requests below 1, and the latency in µs that they did not exceed."""


@dataclass(frozen=True)
class Scale:
    """What all panels share, so that they can be compared."""

    decades: float
    """Nines of the last percentile: 4 is 99.99 %."""
    least: float
    most: float

    @staticmethod
    def of(panels: list[Panel]) -> "Scale":
        points = [point for panel in panels for curve in panel.curves.values() for point in curve]
        latencies = [latency for _, latency in points if latency > 0]
        return Scale(
            max(nines(share) for share, _ in points),
            10 ** math.floor(math.log10(min(latencies))),
            10 ** math.ceil(math.log10(max(latencies))),
        )

    def x(self, share: float) -> float:
        return nines(share) / self.decades * PANEL_WIDTH

    def y(self, latency: float) -> float:
        part = math.log(max(latency, self.least) / self.least) / math.log(self.most / self.least)
        return (1 - part) * PANEL_HEIGHT


def nines(share: float) -> float:
    return -math.log10(1 - share)


def text(x: float, y: float, words: str, kind: str = "soft", anchor: str = "start") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" class="{kind}" text-anchor="{anchor}">{escape(words)}</text>'


def in_words(microseconds: float) -> str:
    if microseconds < 1_000:
        return f"{microseconds:g} µs"
    return f"{microseconds / 1_000:g} ms" if microseconds < 1_000_000 else f"{microseconds / 1_000_000:g} s"


def axes(scale: Scale) -> list[str]:
    parts = []
    for nth in range(round(scale.decades) + 1):
        x = scale.x(1 - 10**-nth)
        parts.append(f'<line x1="{x:.1f}" x2="{x:.1f}" y1="0" y2="{PANEL_HEIGHT}" class="grid"/>')
        percent = "0 %" if nth == 0 else f"{100 - 10 ** (2 - nth):.{max(0, nth - 2)}f} %"
        parts.append(text(x, PANEL_HEIGHT + 16, percent, anchor="middle"))
    latency = scale.least
    while latency <= scale.most * 1.001:
        y = scale.y(latency)
        parts.append(f'<line x1="0" x2="{PANEL_WIDTH}" y1="{y:.1f}" y2="{y:.1f}" class="grid"/>')
        parts.append(text(-6, y + 4, in_words(latency), anchor="end"))
        latency *= 10
    return parts


def spread(ends: dict[str, float]) -> dict[str, float]:
    """Heights for the names, each near the end of its line and none over another."""
    placed: dict[str, float] = {}
    y = -math.inf
    for name, end in sorted(ends.items(), key=lambda item: item[1]):
        y = placed[name] = max(end, y + LINE_HEIGHT)
    # What left the panel below goes up again, and pushes those above it.
    limit = float(PANEL_HEIGHT)
    for name in reversed(placed):
        placed[name] = min(placed[name], limit)
        limit = placed[name] - LINE_HEIGHT
    return placed


def drawn(panel: Panel, scale: Scale) -> list[str]:
    parts = [text(0, -12, panel.title, "ink"), *axes(scale)]
    ends = {name: scale.y(curve[-1][1]) for name, curve in panel.curves.items()}
    heights = spread(ends)
    for number, (name, curve) in enumerate(panel.curves.items()):
        color = f"var(--c{number % COLORS})"
        # The first is ours.
        kind = " first" if number == 0 else " dashed" if number >= COLORS else ""
        points = " ".join(f"{scale.x(share):.1f},{scale.y(latency):.1f}" for share, latency in curve)
        # The line goes on to its name.
        points += f" {PANEL_WIDTH + 4},{ends[name]:.1f} {PANEL_WIDTH + 12},{heights[name]:.1f}"
        parts.append(f'<polyline points="{points}" class="line{kind}" stroke="{color}"/>')
        weight = ' font-weight="700"' if number == 0 else ""
        parts.append(
            f'<text x="{PANEL_WIDTH + 15}" y="{heights[name] + 4:.1f}" fill="{color}"{weight}>{escape(name)}</text>'
        )
    return parts


def plot(panels: list[Panel], title: str) -> str:
    scale = Scale.of(panels)
    width, height = LEFT + PANEL_WIDTH + LABELS, TOP + PANEL_HEIGHT + BELOW
    rows = math.ceil(len(panels) / COLUMNS)
    parts = []
    for number, panel in enumerate(panels):
        x, y = width * (number % COLUMNS) + LEFT, height * (number // COLUMNS) + TOP
        parts.append(f'<g transform="translate({x} {y})">')
        parts += drawn(panel, scale)
        if number // COLUMNS == rows - 1:
            words = "share of the requests that were answered by then"
            parts.append(text(PANEL_WIDTH / 2, PANEL_HEIGHT + 36, words, anchor="middle"))
        parts.append("</g>")
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width * COLUMNS} {height * rows}" role="img" '
        f'font-family="system-ui, sans-serif" font-size="12">\n<title>{escape(title)}</title>\n'
        f'<style>{STYLE}</style>\n<rect width="100%" height="100%" class="paper"/>\n' + "\n".join(parts) + "\n</svg>\n"
    )

"""Pictures of measured rows: bars, a roofline, curves of cost against size."""

from __future__ import annotations

from typing import Any

from matplotlib import style
from matplotlib.figure import Figure


def draw(report: dict[str, Any], path: str) -> None:
    """Draw a report to a PNG or SVG file, in colours that a colour-blind reader can tell apart."""
    picture = {"kernels": roofline, "sizes": curves}.get(report["suite"], bars)
    with style.context("tableau-colorblind10"):
        picture(report).savefig(path, dpi=150, bbox_inches="tight")


def bars(report: dict[str, Any]) -> Figure:
    """Time of each framework over minidl's, one group a row: right of 1 is slower than minidl."""
    rows = report["rows"]
    peers = sorted({peer for row in rows for peer in row["peers_ms"]})
    figure = Figure(figsize=(9, 1.2 + 0.55 * len(rows)))
    axes = figure.subplots()
    height = 0.8 / max(1, len(peers))
    for i, peer in enumerate(peers):
        places = [y + (i - (len(peers) - 1) / 2) * height for y, row in enumerate(rows) if peer in row["peers_ms"]]
        lengths = [row["peers_ms"][peer] / row["ours_ms"] for row in rows if peer in row["peers_ms"]]
        # From 1, where minidl stands: a bar to the left is faster, one to the right slower.
        axes.barh(places, [length - 1 for length in lengths], height * 0.9, left=1, label=peer)
    axes.axvline(1, color="black", linewidth=1, label="minidl")
    axes.set_yticks(range(len(rows)), [f"{row['name']}\n{_time(row['ours_ms'])}" for row in rows], fontsize=8)
    axes.invert_yaxis()
    axes.set_xscale("log", base=2)
    axes.set_xlim(left=min(0.8, axes.get_xlim()[0]))
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.set_xlabel("time over that of minidl (right of 1: slower than minidl)")
    axes.grid(axis="x", alpha=0.3)
    axes.legend(loc="upper left", bbox_to_anchor=(1, 1), fontsize=8, frameon=False)
    axes.set_title(_machine(report), fontsize=8)
    return figure


def roofline(report: dict[str, Any]) -> Figure:
    """Speed of each kernel that computes against its arithmetic intensity, under the measured roof.

    roof(q) = min(peak, q * bandwidth), q operations for a byte that must be moved; above the slope is what the caches
    hold. A line leads from each kernel to the best peer.
    """
    rows = [row for row in report["rows"] if row["operations"]]
    figure = Figure(figsize=(9, 6))
    axes = figure.subplots()
    if rows:
        peak, bandwidth = rows[0]["peak_gflops"], rows[0]["bandwidth_gb_per_s"]
        lowest = min(min(row["operations_per_byte"] for row in rows) / 2, peak / bandwidth / 2)
        highest = 2 * max(max(row["operations_per_byte"] for row in rows), peak / bandwidth)
        axes.plot(
            [lowest, peak / bandwidth, highest], [lowest * bandwidth, peak, peak], color="black", linewidth=1,
            label=f"{peak:.0f} GFLOP/s, {bandwidth:.0f} GB/s",
        )  # fmt: skip
    families = dict.fromkeys(row["name"].split()[0] for row in rows)
    for number, family in enumerate(families):
        of_family = [row for row in rows if row["name"].split()[0] == family]
        for row in of_family:
            if row["best_peer"]:
                theirs = row["operations"] / row["peers_ms"][row["best_peer"]] / 1e6
                x = row["operations_per_byte"]
                axes.plot([x, x], [theirs, row["gflops"]], color=f"C{number}", linewidth=0.8, alpha=0.6)
        points = [(row["operations_per_byte"], row["gflops"]) for row in of_family]
        axes.scatter(*zip(*points), s=18, marker="os^vDPX*"[number % 8], color=f"C{number}", label=family, zorder=3)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlabel("operations for each byte that must be moved")
    axes.set_ylabel("GFLOP/s (a line ends at the best peer)")
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8, frameon=False)
    axes.set_title(_machine(report), fontsize=8)
    return figure


def curves(report: dict[str, Any]) -> Figure:
    """Time and peak memory of a step against its size, both logarithmic, beside a line of linear growth."""
    rows = report["rows"]
    series = list(dict.fromkeys(row["series"] for row in rows))
    figure = Figure(figsize=(5 * max(1, len(series)), 7))
    panels = figure.subplots(2, max(1, len(series)), squeeze=False)
    for column, name in enumerate(series):
        of_series = [row for row in rows if row["series"] == name]
        times: dict[str, list[tuple[float, float]]] = {}
        memory: dict[str, list[tuple[float, float]]] = {}
        for row in of_series:
            for framework, ms in {"minidl": row["ours_ms"], **row["peers_ms"]}.items():
                times.setdefault(framework, []).append((row["size"], ms))
                memory.setdefault(framework, []).append((row["size"], row["peak_bytes"][framework] / 1e6))
        for axes, lines in zip(panels[:, column], (times, memory)):
            for framework, points in lines.items():
                axes.plot(*zip(*points), marker=".", label=framework)
            (first, _), (last, top) = lines["minidl"][0], lines["minidl"][-1]
            axes.plot([first, last], [top * first / last, top], color="gray", linestyle=":", label="linear")
            axes.set_xscale("log", base=2)
            axes.set_yscale("log")
            axes.grid(alpha=0.3)
        panels[0, column].set_ylabel("ms a step")
        panels[1, column].set_ylabel("MB, most at a time")
        panels[1, column].set_xlabel({"batch": "images in a batch (M1)", "image": "pixels of an image (M4)"}[name])
        panels[0, column].legend(fontsize=8, frameon=False)
    figure.suptitle(_machine(report), fontsize=8)
    return figure


def _time(ms: float) -> str:
    return f"{ms:.2f} ms" if ms >= 0.1 else f"{1e3 * ms:.1f} us"


def _machine(report: dict[str, Any]) -> str:
    machine = report["machine"]
    threads = f"{machine['threads']} thread{'s' * (machine['threads'] != 1)}"
    return f"{machine['cpu']}, {threads}, {machine['instruction_set']}, minidl {machine['commit']}, {machine['date']}"

"""A picture of a benchmark's rows: bars for training steps."""

from __future__ import annotations

from typing import Any


def draw(report: dict[str, Any], path: str) -> None:
    """Draw the rows of a report to a PNG or SVG file."""
    import matplotlib

    matplotlib.use("Agg")
    bars(report).savefig(path, dpi=150, bbox_inches="tight")


def bars(report: dict[str, Any]) -> Any:
    """Time of each framework's step over minidl's, one group a network: right of 1 is slower than minidl."""
    from matplotlib.figure import Figure

    rows = report["rows"]
    peers = sorted({peer for row in rows for peer in row["peers_ms"]})
    figure = Figure(figsize=(9, 1.2 + 0.55 * len(rows)))
    axes = figure.subplots()
    height = 0.8 / max(1, len(peers))
    for i, peer in enumerate(peers):
        places = [y + (i - (len(peers) - 1) / 2) * height for y, row in enumerate(rows) if peer in row["peers_ms"]]
        lengths = [row["peers_ms"][peer] / row["ours_ms"] for row in rows if peer in row["peers_ms"]]
        axes.barh(places, lengths, height * 0.9, label=peer)
    axes.axvline(1, color="black", linewidth=1)
    axes.text(1, -0.75, "minidl", ha="center", va="bottom", fontsize=9)
    axes.set_yticks(range(len(rows)), [f"{row['name']}\n{row['ours_ms']:.2f} ms" for row in rows], fontsize=8)
    axes.invert_yaxis()
    axes.set_xscale("log", base=2)
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.set_xlabel("time of a training step, in steps of minidl (larger is slower)")
    axes.grid(axis="x", alpha=0.3)
    axes.legend(loc="upper left", bbox_to_anchor=(1, 1), fontsize=8, frameon=False)
    axes.set_title(_machine(report), fontsize=8)
    return figure


def _machine(report: dict[str, Any]) -> str:
    machine = report["machine"]
    return (
        f"{machine['cpu']}, {machine['threads']} threads, {machine['instruction_set']}, minidl {machine['commit']}, "
        f"{machine['date']}"
    )

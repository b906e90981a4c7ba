"""Measured rows as Markdown, for the README: its numbers are made here, and never typed."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from math import exp, log
from pathlib import Path
from typing import Any

from benchmarks import systems
from benchmarks.turns import OWN

# In a page: from the line that names a report, or the folder of the systems, to the one that ends the table.
PLACE = re.compile(r"(<!-- table of (?P<file>\S+) -->\n).*?(<!-- end of table -->)", re.DOTALL)


def fill(page: str, folder: Path) -> str:
    """The page with each table made anew from what its marks name, a path below `folder`."""

    def replace(match: re.Match[str]) -> str:
        path = folder / match["file"]
        made = systems.table(path) + "\n" if path.is_dir() else markdown(json.loads(path.read_text(encoding="utf-8")))
        return f"{match[1]}\n{made}\n{match[3]}"

    return PLACE.sub(replace, page)


def markdown(report: dict[str, Any]) -> str:
    """The table of a report, under a line that tells the machine."""
    head, *body = cells(report)
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *body]
    return "\n".join([measured_on(report), "", *("| " + " | ".join(line) + " |" for line in lines), ""])


def cells(report: dict[str, Any]) -> list[list[str]]:
    """The table itself, its head first."""
    return {"kernels": _kernels, "sizes": _sizes, "clustering": _clustering}.get(report["suite"], _steps)(report)


def _steps(report: dict[str, Any]) -> list[list[str]]:
    """Training steps and the engine: each peer's time, the best of them in bold."""
    rows = report["rows"]
    peers = _peers(rows)
    unit, scale = ("us", 1e3) if report["suite"] == "engine" else ("ms", 1.0)
    table = [[f"one step, {unit}", *peers, "minidl", "to the best"]]
    for row in rows:
        times = [_bold(_number(row["peers_ms"].get(peer), scale), peer == row["best_peer"]) for peer in peers]
        table.append([row["name"], *times, _number(row["ours_ms"], scale), _ratio(row)])
    return table


def _kernels(report: dict[str, Any]) -> list[list[str]]:
    """Kernels: speed beside the roof, and how many times the time of the best peer it takes."""
    rows = report["rows"]
    table = [["kernel", "minidl, ms", "GFLOP/s", "% of peak", "GB/s", "best peer", "its ms", "ratio"]]
    for row in rows:
        computed = [f"{row['gflops']:.0f}", f"{row['percent_of_peak']:.0f}"] if row["operations"] else ["", ""]
        best = row["best_peer"]
        theirs = [best or "", _number(row["peers_ms"].get(best))]
        table.append([row["name"], _number(row["ours_ms"]), *computed, f"{row['gb_per_s']:.1f}", *theirs, _ratio(row)])
    for family in dict.fromkeys(row["name"].split()[0] for row in rows):
        ratios = [row["ratio"] for row in rows if row["name"].split()[0] == family and row["ratio"]]
        if ratios:
            mean = exp(sum(map(log, ratios)) / len(ratios))
            table.append([f"{family}: geometric mean", *[""] * 6, f"{mean:.2f}"])
    return table


def _sizes(report: dict[str, Any]) -> list[list[str]]:
    """Sizes: time and peak memory of each framework."""
    rows = report["rows"]
    peers = _peers(rows)
    names = ["minidl", *peers]
    table = [["size", *(f"{name}, ms" for name in names), *(f"{name}, MB" for name in names)]]
    for row in rows:
        times = {"minidl": row["ours_ms"], **row["peers_ms"]}
        memory = [_number(row["peak_bytes"].get(name), 1e-6) for name in names]
        table.append([row["name"], *(_number(times.get(name)) for name in names), *memory])
    return table


def _clustering(report: dict[str, Any]) -> list[list[str]]:
    """Clustering: time beside scikit-learn's, and how far the two agree."""
    table = [["what, samples", "minidl, ms", "scikit-learn, ms", "ratio", "agreement (adjusted Rand index)"]]
    for row in report["rows"]:
        times = [_number(row["seconds"], 1e3), _number(row["sklearn_seconds"], 1e3), _ratio(row)]
        table.append([f"{row['name']}, {row['samples'][0]:,}", *times, f"{row['adjusted_rand']:.4f}"])
    return table


def _peers(rows: Iterable[dict[str, Any]]) -> list[str]:
    return [peer for peer in dict.fromkeys(peer for row in rows for peer in row["peers_ms"]) if peer not in OWN]


def _number(value: float | None, scale: float = 1.0) -> str:
    """Three digits; a dash where nothing was measured."""
    if value is None:
        return "-"
    value *= scale
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}" if value < 1 else f"{value:.{1 if value >= 10 else 2}f}"


def _bold(text: str, bold: bool) -> str:
    return f"**{text}**" if bold else text


def _ratio(row: dict[str, Any]) -> str:
    return "-" if row["ratio"] is None else f"{row['ratio']:.2f}"


def measured_on(report: dict[str, Any]) -> str:
    """The machine, its load, the versions and the date, on a line."""
    machine = report["machine"]
    versions = ", ".join(f"{name} {number}" for name, number in _versions(report).items() if number)
    cores = f"{machine['threads']} of {machine['cores']} cores"
    return (
        f"{machine['cpu']}, {cores}, {machine['instruction_set']}; {versions}; "
        f"minidl {machine['commit']}, {machine['date']}."
    )


def _versions(report: dict[str, Any]) -> dict[str, str]:
    """NumPy's, and those of the peers that were measured."""
    found = {"NumPy": report["machine"]["versions"]["numpy"]}
    for row in report["rows"]:
        for peer, version in row.get("peer_versions", {}).items():
            found[peer.removesuffix("-eager").removesuffix("-channels-last").removesuffix("-compile")] = version
    peers = {peer for row in report["rows"] for peer in row.get("peers_ms", ())}
    if "torch" not in found and any(peer.startswith("torch") for peer in peers):
        found["torch"] = report["machine"]["versions"]["torch"]
    return found

"""``python -m benchmarks training [NAMES] [--peers ...] [--threads N] [--json FILE] [--plot FILE]``,
``python -m benchmarks systems [RECIPE...] [--seeds N...] [--data DIR] [--table]``.
"""

from __future__ import annotations

import argparse
import json
import sys

from benchmarks import machine, plot, systems, training


def main() -> int:
    if sys.argv[1:2] == ["systems"]:
        return systems.main(sys.argv[2:])
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="How fast minidl is, beside its peers.")
    parser.add_argument("what", choices=["training"], help="whole training steps")
    parser.add_argument("names", nargs="*", help="only those whose name contains one of these words")
    parser.add_argument(
        "--peers", help="comma-separated; default: all but torch-compile, whose compiling takes minutes"
    )
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5, help="how often ours and the peers take turns")
    parser.add_argument("--seconds", type=float, default=0.5, help="of one turn")
    parser.add_argument("--json", metavar="FILE", help="write the machine and all rows")
    parser.add_argument("--plot", metavar="FILE", help="draw bars as PNG or SVG")
    options = parser.parse_args()

    suite = training
    peers = options.peers.split(",") if options.peers else [peer for peer in suite.PEERS if peer != "torch-compile"]
    unknown = [peer for peer in peers if peer not in suite.PEERS]
    if unknown:
        parser.error(f"no peer is called {', '.join(unknown)}; there are: {', '.join(suite.PEERS)}")
    report = {"machine": machine.describe(options.threads)}
    try:
        report["rows"] = suite.run(options.names, peers, options.threads, options.rounds, options.seconds)
    except ValueError as error:
        parser.error(str(error))
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump(report, file, indent=1)
            file.write("\n")
    if options.plot:
        plot.draw(report, options.plot)
    return 0


if __name__ == "__main__":
    sys.exit(main())

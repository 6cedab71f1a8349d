"""Two ways of running ourselves, measured side by side.

Each target has a `request`, which is asked again and again.
"""

import argparse
import os
import statistics
import tempfile

from load import wrk_list


def rate(target, connections, seconds):
    sample = wrk_list(target, [target.request], connections, seconds)
    return sample.operations / sample.seconds


def compare(title, targets, connections, options, minimum):
    """Prints a row of a table: the second against the first, in turns; the
    median of the rounds [lowest..highest]."""
    values = {target.name: [] for target in targets}
    for target in targets:
        rate(target, connections, 1)                       # warm
    for number in range(options.rounds):
        for target in targets[::-1 if number % 2 else 1]:
            values[target.name].append(rate(target, connections,
                                            options.secs))
    off, on = (values[target.name] for target in targets)
    factor = statistics.median(on) / statistics.median(off)
    verdict = "ok" if factor >= minimum else "MISSED"
    cells = [f"{statistics.median(x):.0f} [{min(x):.0f}..{max(x):.0f}]"
             for x in (off, on)]
    print(f"| {title} | {connections} | {cells[0]} | {cells[1]} |"
          f" x{factor:.3g} | >= {minimum:g} {verdict} |", flush=True)


def main(about, run):
    """The command line of a comparison: run(options, directory)."""
    parser = argparse.ArgumentParser(
        description=about,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--secs", type=int, default=1)
    parser.add_argument("--quick", action="store_true",
                        help="one round, to see that all of it works")
    parser.add_argument("--dir", default=os.environ.get("TMPDIR", "/var/tmp"),
                        help="where the trees are made (default /var/tmp)")
    options = parser.parse_args()
    if options.quick:
        options.rounds = 1
    with tempfile.TemporaryDirectory(prefix="registry-bench-",
                                     dir=options.dir) as directory:
        return run(options, directory)

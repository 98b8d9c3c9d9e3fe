"""How often each profile of `modo score` agrees with the package that it restates, on generated pairs.

    venv/bin/python agreement.py score --wheels wheels --cache cache [--pairs 5200] [--seed 1] [--profiles a,b]
    python agreement.py compare --modo target/release/modo --cache cache [--seed 1] [--profiles a,b] [--show 40]

`score` asks the packages (packages.py says how to set them up) and writes what they gave to cache/SEED-PROFILE.jsonl, a line
each, so that it can be stopped and goes on where it was. `compare` asks modo about the same pairs and needs no package. The
pairs are those of pairs.py.
"""
import argparse
import collections
import json
import math
import subprocess
import sys
from pathlib import Path

from pairs import Pairs

# A package that works longer than this on one pair has no opinion on it.
CPU_SECONDS = 60


def score(args):
    import signal

    import packages

    def give_up(*_):
        raise packages.TimeoutException("too long")

    signal.signal(signal.SIGPROF, give_up)
    scorers = packages.Packages(args.wheels)
    wanted = args.profiles.split(",") if args.profiles else list(packages.Packages.PROFILES)
    Path(args.cache).mkdir(parents=True, exist_ok=True)
    for stream in sorted({Pairs.stream(p) for p in wanted}, key=lambda s: s == "math"):
        profiles = [p for p in wanted if Pairs.stream(p) == stream]
        files = {p: Path(args.cache) / f"{args.seed}-{p}.jsonl" for p in profiles}
        done = {p: len(f.read_text().splitlines()) if f.exists() else 0 for p, f in files.items()}
        open_files = {p: f.open("a") for p, f in files.items()}
        for i, (kind, golds, text, options) in enumerate(Pairs(f"{args.seed} {stream}").draw(stream, args.pairs)):
            for profile in profiles:
                if i < done[profile]:
                    continue
                line = {"type": kind, "gold": golds, "completion": text, "options": options}
                signal.setitimer(signal.ITIMER_PROF, CPU_SECONDS)
                try:
                    line["score"] = scorers.score(profile, golds, text, options)
                except Exception as error:
                    line["failed"] = f"{type(error).__name__}: {error}"[:200]
                finally:
                    signal.setitimer(signal.ITIMER_PROF, 0)
                open_files[profile].write(json.dumps(line) + "\n")
                open_files[profile].flush()


def compare(args):
    for file in sorted(Path(args.cache).glob(f"{args.seed}-*.jsonl")):
        profile = file.stem.removeprefix(f"{args.seed}-")
        if args.profiles and profile not in args.profiles.split(","):
            continue
        rows = [json.loads(line) for line in file.read_text().splitlines()]
        asked = "".join(json.dumps({k: row[k] for k in ("gold", "completion", "options")}) + "\n" for row in rows)
        out = subprocess.run([args.modo, "score", "--profile", profile], input=asked.encode(), capture_output=True, check=True)
        answers = [json.loads(line) for line in out.stdout.splitlines()]
        of_kind, differing = collections.Counter(), collections.Counter()
        failed = right = shown = 0
        for row, answer in zip(rows, answers, strict=True):
            if "failed" in row:
                failed += 1
                continue
            wanted = row["score"]
            given = answer.get("reward") if profile == "geo3k" else answer["score"]
            right += wanted is not None and wanted > 0.5
            of_kind[row["type"]] += 1
            if wanted is None or given is None:
                same = wanted is given
            else:
                same = math.isclose(given, wanted, abs_tol=1e-9)
            if not same:
                differing[row["type"]] += 1
                if shown < args.show:
                    shown += 1
                    print(f"  {row['type']} | {row['gold']} | {row['completion']!r} | package {wanted} | modo {given} ({answer.get('extracted')!r})")
        n, total = of_kind.total(), differing.total()
        kinds = ", ".join(f"{k} {differing[k]}/{of_kind[k]}" for k in sorted(of_kind))
        print(f"{profile}, seed {args.seed}: {n - total} of {n} agree ({100 * (1 - total / max(n, 1)):.2f} %), {right} right, {failed} without "
              f"an opinion; disagreements by type: {kinds}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("action", choices=["score", "compare"])
    parser.add_argument("--modo")
    parser.add_argument("--wheels")
    parser.add_argument("--cache", required=True)
    parser.add_argument("--pairs", type=int, default=5200)
    parser.add_argument("--seed", default="1")
    parser.add_argument("--profiles")
    parser.add_argument("--show", type=int, default=40)
    args = parser.parse_args()
    sys.setrecursionlimit(10_000)
    {"score": score, "compare": compare}[args.action](args)


if __name__ == "__main__":
    main()

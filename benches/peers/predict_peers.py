"""modo beside LightGBM and scikit-learn on the same splits of RegMix and Olmix.

    python benches/peers/predict_peers.py target/release/modo ../shared/data [--draws 4] [--cv]

modo is asked through `modo predict --mixtures --scores --at --out`, as a user would. Prints rank correlation on
unseen mixtures, mean absolute error and the share of runs inside modo's 90 % intervals, with the standard error
over draws. Needs numpy, scipy, scikit-learn and lightgbm.
"""

import argparse
import csv
import os
import resource
import subprocess
import tempfile
import time
import warnings

import lightgbm
import numpy as np
from scipy.stats import spearmanr
from sklearn.ensemble import ExtraTreesRegressor
from sklearn.linear_model import LinearRegression


def read(path, first):
    rows = list(csv.reader(open(path)))
    return rows[0], {row[0]: [float(cell) for cell in row[first:]] for row in rows[1:]}


def table(data, name):
    if name == "RegMix":
        first, files = 1, ("regmix/train_mixture_1m.csv", "regmix/train_pile_loss_1m.csv")
    else:
        first, files = 3, ("olmix/dclm_swarm_train_ratios.csv", "olmix/dclm_swarm_train_metrics.csv")
    (_, shares), (head, scores) = (read(os.path.join(data, file), first) for file in files)
    ids = sorted(shares)
    x = np.array([shares[i] for i in ids])
    y, names = np.array([scores[i] for i in ids]), head[first:]
    if name == "Olmix":
        groups = {
            "all": lambda t: True,
            "mmlu": lambda t: t.startswith("mmlu"),
            "minerva": lambda t: t.startswith("minerva"),
            "code": lambda t: "mbpp" in t or "codex" in t,
            "basic skills": lambda t: t.startswith("basic_skills"),
            "reading": lambda t: "gen2mc" in t or "yesno" in t or t.startswith("lab_bench"),
            "common sense": lambda t: t.startswith(
                ("arc_", "csqa", "hellaswag", "piqa", "socialiqa", "winogrande", "sciq")
            ),
        }
        y = np.stack([y[:, [i for i, t in enumerate(names) if takes(t)]].mean(1) for takes in groups.values()], 1)
    return x / x.sum(1, keepdims=True), y


def write(path, head, rows):
    with open(path, "w", newline="") as file:
        out = csv.writer(file)
        out.writerow(["run", *head])
        out.writerows([i, *(repr(float(v)) for v in row)] for i, row in enumerate(rows))


def modo(binary, x, y, at):
    with tempfile.TemporaryDirectory() as folder:
        path = lambda name: os.path.join(folder, name)
        datasets = [f"d{i}" for i in range(x.shape[1])]
        write(path("a.csv"), datasets, x)
        write(path("b.csv"), [f"y{i}" for i in range(y.shape[1])], y)
        write(path("c.csv"), datasets, at)
        files = ["--mixtures", path("a.csv"), "--scores", path("b.csv"), "--at", path("c.csv"), "--out", path("d.csv")]
        subprocess.run([binary, "predict", *files, "--threads", "1", "-q"], check=True, stdout=subprocess.DEVNULL)
        rows = list(csv.DictReader(open(path("d.csv"))))
    shape = (len(at), y.shape[1])
    return tuple(np.array([float(row[key]) for row in rows]).reshape(shape) for key in ("mean", "low", "high"))


def sklearn(make):
    def fit(x, y, at):
        mean = np.stack([make().fit(x, y[:, i]).predict(at) for i in range(y.shape[1])], 1)
        return mean, None, None

    return fit


def score(truth, predicted):
    mean, low, high = predicted
    # A constant prediction, as LightGBM's of few runs is, ranks nothing.
    warnings.filterwarnings("ignore", message="An input array is constant")
    ranks = [spearmanr(truth[:, i], mean[:, i])[0] for i in range(truth.shape[1])]
    covered = np.nan if low is None else ((truth >= low) & (truth <= high)).mean()
    return np.nan_to_num(ranks).mean(), np.abs(truth - mean).mean(), covered


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("modo")
    parser.add_argument("data")
    parser.add_argument("--draws", type=int, default=4)
    parser.add_argument("--sizes", type=int, nargs="*", default=[10, 15, 20, 30, 50])
    parser.add_argument("--only", help="words that a method's name must contain")
    parser.add_argument("--cv", action="store_true", help="five folds of all runs of RegMix instead")
    args = parser.parse_args()
    boosted = dict(n_estimators=1000, learning_rate=0.01, verbose=-1, n_jobs=1)
    methods = {
        "modo": lambda x, y, at: modo(args.modo, x, y, at),
        "LightGBM, RegMix's settings": sklearn(lambda: lightgbm.LGBMRegressor(**boosted)),
        "LightGBM, 3 runs per leaf": sklearn(lambda: lightgbm.LGBMRegressor(**boosted, min_child_samples=3)),
        "ExtraTrees 300": sklearn(lambda: ExtraTreesRegressor(300, n_jobs=1, random_state=0)),
        "linear": sklearn(LinearRegression),
    }
    methods = {label: fit for label, fit in methods.items() if not args.only or args.only in label}
    for name in ["RegMix"] if args.cv else ["RegMix", "Olmix"]:
        x, y = table(args.data, name)
        rng = np.random.default_rng(0)
        splits = {}
        if args.cv:
            order = rng.permutation(len(x))
            splits["five folds"] = [(np.setdiff1d(order, order[k::5]), order[k::5]) for k in range(5)]
        for n in [] if args.cv else args.sizes:
            orders = [rng.permutation(len(x)) for _ in range(args.draws)]
            splits[f"n = {n}"] = [(order[:n], order[n : n + 256]) for order in orders]
        for what, parts in splits.items():
            for label, fit in methods.items():
                begun = time.time()
                used = lambda: sum(
                    resource.getrusage(who).ru_utime for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
                )
                cpu = used()
                got = np.array([score(y[test], fit(x[train], y[train], x[test])) for train, test in parts])
                error = got.std(0, ddof=1) / np.sqrt(len(got)) if len(got) > 1 else got[0] * np.nan
                print(
                    f"{name}, {what}: {label:28} rank {got[:, 0].mean():.4f} ±{error[0]:.4f}"
                    f"  MAE {got[:, 1].mean():.4f}  covered {got[:, 2].mean():.3f}"
                    f"  {(used() - cpu) / len(parts) / y.shape[1]:.3f} CPU s per target"
                    f" ({time.time() - begun:.0f} s, {len(parts)} splits, {y.shape[1]} targets)",
                    flush=True,
                )


if __name__ == "__main__":
    main()

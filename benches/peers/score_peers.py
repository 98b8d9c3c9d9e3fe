"""CPU time per answer of math-verify and mathruler on the answers of benches/score.rs.

    venv/bin/python benches/peers/score_peers.py     (venv as in tests/oracles/packages.py)

Process CPU time, so that other programs on the machine do not count; the median of five rounds and their spread.
"""
import statistics
import time

from math_verify import parse, verify
from mathruler.grader import extract_boxed_content, grade_answer

CASES = {"integer": ("42", r"\boxed{42}"), "surd": (r"2\sqrt{3}", r"\boxed{\sqrt{12}}")}


def measure(name, once):
    rounds = []
    for _ in range(5):
        start, n = time.process_time(), 0
        while time.process_time() - start < 0.2:
            once(n)
            n += 1
        rounds.append((time.process_time() - start) / n)
    median = statistics.median(rounds)
    print(f"{name}: {median * 1e6:.1f} us ({min(rounds) * 1e6:.1f} to {max(rounds) * 1e6:.1f}), {1 / median:.0f} per CPU-second")


for kind, (gold, text) in CASES.items():
    # The packages cache what they parsed last; a space more or less makes each text a new one.
    vary = lambda n, text=text: "So " * (n % 7) + text + " " * (n % 97)
    measure(f"math-verify, {kind}", lambda n: verify(parse(f"${gold}$"), parse(vary(n))))
    measure(f"mathruler, {kind}", lambda n: grade_answer(extract_boxed_content(vary(n)), gold))

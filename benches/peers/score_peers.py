"""CPU seconds per answer of math-verify and mathruler, one round at a time; started by `cargo bench --bench score -- --peers PYTHON`.

Each line of standard input is {"package", "gold", "text"}; each line of standard output the process CPU seconds per answer,
over a tenth of a second at least.
"""
import json
import sys
import time

from math_verify import parse, verify
from mathruler.grader import extract_boxed_content, grade_answer

PACKAGES = {
    "math-verify": lambda gold, text: verify(parse(f"${gold}$"), parse(text)),
    "mathruler": lambda gold, text: grade_answer(extract_boxed_content(text), gold),
}

calls = 0
for line in sys.stdin:
    asked = json.loads(line)
    once = PACKAGES[asked["package"]]
    start, n = time.process_time(), 0
    while time.process_time() - start < 0.1:
        # The packages cache what they parsed last; more or less around the answer makes each text a new one.
        calls += 1
        once(asked["gold"], "So " * (calls % 7) + asked["text"] + " " * (calls % 97))
        n += 1
    print((time.process_time() - start) / n, flush=True)

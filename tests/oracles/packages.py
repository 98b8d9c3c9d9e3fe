"""The scorers that modo's profiles reproduce, as their own packages compute them.

    python -m venv venv && venv/bin/pip install math-verify==0.9.0 latex2sympy2_extended==1.11.0 mathruler==0.1.0 \
        pylatexenc tqdm numpy
    venv/bin/pip download --no-deps trl==1.16.0 verl==0.9.1 lmms-eval==0.7.3 -d wheels
    (cd wheels && for w in *.whl; do unzip -q -o $w; done)

Of trl, verl and lmms-eval only the scoring files are loaded, from `--wheels` (they need torch otherwise and do not use it
for scoring). VLMEvalKit's rules and R1-V's are restated here: neither is on PyPI.
"""
import functools
import importlib.util
import logging
import re
import signal
import sys
import types
from pathlib import Path

import math_verify.grader
import math_verify.parser
from math_verify import parse, verify
from math_verify.errors import TimeoutException


def cpu_timeout(timeout_seconds=None):
    """math-verify's `timeout` in seconds of its own work: by the clock on the wall a busy machine would change its answers."""

    def decorator(function):
        def give_up(*_):
            raise TimeoutException("Operation timed out!")

        def limited(*args, **kwargs):
            before = signal.signal(signal.SIGVTALRM, give_up)
            signal.setitimer(signal.ITIMER_VIRTUAL, timeout_seconds)
            try:
                return function(*args, **kwargs)
            finally:
                signal.setitimer(signal.ITIMER_VIRTUAL, 0)
                signal.signal(signal.SIGVTALRM, before)

        return limited if timeout_seconds else function

    return decorator


math_verify.parser.timeout = math_verify.grader.timeout = cpu_timeout
# Profiles ask for the same text in the same way one after another.
parse = functools.lru_cache(8)(parse)


def load(path, name, package=None, stubs=()):
    """One file as a module, with `stubs` for what it imports and scoring does not need."""
    for stub, content in stubs:
        module = types.ModuleType(stub)
        module.__dict__.update(content)
        sys.modules.setdefault(stub, module)
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    if package:
        module.__package__ = package
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


class Packages:
    def __init__(self, wheels):
        wheels = Path(wheels)
        stub = [("trl", {"__path__": []}), ("trl.import_utils", {"is_math_verify_available": lambda: True}),
                ("trl.rewards", {"__path__": []})]
        self.trl = load(wheels / "trl/rewards/accuracy_rewards.py", "trl.rewards.accuracy_rewards", "trl.rewards", stub)
        verl = wheels / "verl/utils/reward_score"
        self.gsm8k = load(verl / "gsm8k.py", "verl_gsm8k")
        self.dapo = load(verl / "math_dapo.py", "verl_math_dapo")
        self.math = load(verl / "math_reward.py", "verl_math_reward")
        self.geo3k = load(verl / "geo3k.py", "verl_geo3k")
        self.grade = self.geo3k.grade_answer = functools.lru_cache(8)(self.geo3k.grade_answer)
        tasks = wheels / "lmms_eval/tasks"
        source = (tasks / "mmmu/utils.py").read_text()
        start = source.index("def extract_numbers")
        cut = source[start:]
        cut = cut[: cut.index("\ndef get_multi_choice_info")]
        self.mmmu = types.ModuleType("mmmu")
        import numpy as np
        import random
        self.mmmu.__dict__.update({"re": re, "np": np, "random": random})
        mcq = (tasks / "_task_utils/mmmu_mcq_utils.py").read_text()
        exec(mcq[: mcq.index("\ndef parse_jmmmu")].replace("from loguru import logger", ""), self.mmmu.__dict__)
        exec(cut, self.mmmu.__dict__)
        exec(source[source.index("def eval_multi_choice"): source.index("def evaluate_mmmu")], self.mmmu.__dict__)
        vista = (tasks / "mathvista/mathvista_evals.py").read_text()
        self.vista = {"re": re, "distance": levenshtein, "DEMO_PROMPT": "", "eval_logger": logging.getLogger("mathvista")}
        exec("class Evaluator:\n" + cut_methods(vista), self.vista)
        chart = (tasks / "chartqa/utils.py").read_text()
        self.chartqa = {}
        exec(chart[chart.index("def relaxed_correctness"):], self.chartqa)

    # Each takes golds (a list), the completion and the options; each returns a number, or None for "skipped".

    def math_verify(self, golds, text, options):
        return float(any(verify(parse(wrapped(g)), parse(text)) for g in golds))

    def math_verify_raw(self, golds, text, options):
        return float(any(verify(parse(g), parse(text)) for g in golds))

    def trl_(self, golds, text, options):
        return self.trl.accuracy_reward([[{"content": text}]], [golds[0]])[0]

    def mathruler(self, golds, text, options):
        return float(any(self.grade(self.geo3k.extract_boxed_content(text), g) for g in golds))

    def geo3k_(self, golds, text, options):
        return self.geo3k.compute_score(text, golds[0])

    def dapo_(self, golds, text, options):
        return float(self.dapo.compute_score(text, golds[0])["acc"])

    def math_(self, golds, text, options):
        return float(self.math.compute_score(text, golds[0]))

    def gsm8k_(self, golds, text, options):
        return float(self.gsm8k.compute_score(text, golds[0]))

    def r1v(self, golds, text, options):
        """Deep-Agent/R1-V src/r1-v/src/open_r1/grpo.py, accuracy_reward."""
        gold = golds[0]
        try:
            if float(verify(parse(text), parse(gold))) > 0:
                return 1.0
        except Exception:
            pass
        inside = lambda s: (m := re.search(r"<answer>(.*?)</answer>", s)) and m.group(1).strip()
        own, wanted = inside(text), inside(gold)
        return float((own if own is not None else text.strip()) == (wanted if wanted is not None else gold.strip()))

    def chartqa_(self, golds, text, options):
        return float(self.chartqa["relaxed_correctness"](text, golds[0]))

    def chartqa_vlmeval(self, golds, text, options):
        """VLMEvalKit vlmeval/dataset/utils/vqa_eval.py: process_line and hit_calculate for ChartQA."""
        return float(any(self.chartqa["relaxed_correctness"](text.strip(), gold) for gold in golds))

    def anls(self, golds, text, options):
        """lmms_eval/api/metrics.py, anls, with its Levenshtein distance."""
        values = []
        for gold in golds:
            a, b = (" ".join(s.strip().lower().split()) for s in (gold, text))
            length = max(len(gold.upper()), len(text.upper()))
            values.append(0.0 if length == 0 else levenshtein(a, b) / length)
        similarity = 1 - min(values)
        return 0.0 if similarity < 0.5 else similarity

    def scienceqa(self, golds, text, options):
        """lmms_eval/tasks/scienceqa/utils.py, sqa_process_results."""
        target, answer = golds[0].strip().lower(), text.strip()
        if answer.lower() == target:
            return 1.0
        if len(answer) >= 2 and answer[0].isupper() and answer[1] == ".":
            return float(answer[0].lower() == target)
        return 0.0

    def mathvista(self, golds, text, options):
        """lmms_eval/tasks/mathvista, quick extraction on; in place of its language model the answer as it stands."""
        gold = golds[0]
        def reads(to):
            try:
                to(gold)
                return True
            except ValueError:
                return False
        kind = "integer" if reads(int) else "float" if reads(float) else "text"
        precision = len(gold.split(".")[1].strip()) if "." in gold else 0
        evaluator = self.vista["Evaluator"]()
        evaluator.create_test_prompt = lambda demo, query, response: response
        evaluator.get_chat_response = lambda prompt, **_: prompt
        response = text.strip()
        problem = {"question_type": "multi_choice" if options else "free_form", "answer_type": "text" if options else kind, "choices": options, "query": ""}
        extraction = evaluator.extract_answer(response, problem, quick_extract=True)
        prediction = evaluator.normalize_extracted_answer(extraction, options, problem["question_type"], problem["answer_type"], precision)
        return float(evaluator.safe_equal(prediction, gold))

    def mmmu_(self, golds, text, options):
        if not options:
            return float(self.mmmu.eval_open(golds, self.mmmu.parse_open_response(text)))
        letters = [chr(65 + i) for i in range(len(options))]
        texts = dict(zip(letters, options))
        drawn = []
        self.mmmu.random = types.SimpleNamespace(choice=lambda all: drawn.append(1) or None)
        chosen = self.mmmu.parse_mmmu_multi_choice_response(text, letters, texts)
        return 0.0 if drawn else float(chosen in golds)

    def mmmu_vlmeval(self, golds, text, options):
        """VLMEvalKit vlmeval/utils/matching_util.py, can_infer, without judge."""
        letters = [chr(65 + i) for i in range(len(options))]
        if "Failed to obtain answer via API" not in text:
            chosen = self.option(text, letters)
            if chosen:
                return float(chosen in golds)
        lower = text.lower()
        if len(lower) > 2 * sum(len(o) for o in options):
            return 0.0
        found = [l for l, o in zip(letters, options) if o.lower() in lower]
        return float(len(found) == 1 and found[0] in golds)

    def option(self, text, letters):
        """can_infer_option of the same file."""
        refusals = ("Sorry, I can't help with images of people yet.", "I can't process this file.", "I'm sorry, but without the image provided",
                    "Cannot determine the answer")
        if any(r in text for r in refusals):
            return "Z"
        spaced = text
        for c in ".()[],:;!*#{}":
            spaced = spaced.replace(c, " ")
        words = spaced.split()
        present = [l for l in letters if l in words]
        if len(present) == 1 and words.index(present[0]) > len(words) - 5:
            return present[0]
        return "Z" if not present and "Z" in words else None

    PROFILES = {
        "math_verify": math_verify, "math_verify_raw": math_verify_raw, "trl": trl_, "mathruler": mathruler,
        "geo3k": geo3k_, "dapo": dapo_, "math": math_, "gsm8k": gsm8k_, "r1v": r1v, "chartqa": chartqa_, "chartqa_vlmeval": chartqa_vlmeval,
        "anls": anls, "mathvista": mathvista,
        "scienceqa": scienceqa, "mmmu": mmmu_, "mmmu_vlmeval": mmmu_vlmeval,
    }

    def score(self, profile, golds, text, options=()):
        return self.PROFILES[profile](self, golds, text, list(options))


def cut_methods(source):
    """Of MathVistaEvaluator the methods that score, without the server that it starts when it is loaded."""
    names = ("extract_answer", "get_most_similar", "normalize_extracted_answer", "safe_equal")
    parts = re.split(r"(?m)^(?=    def )", source)
    return "".join(p for p in parts if p.lstrip().startswith(tuple(f"def {n}(" for n in names)))


def wrapped(gold):
    """As math-verify's readme asks for: LaTeX in an environment."""
    return gold if any(s in gold for s in ("$", r"\boxed", r"\(", r"\[")) else f"${gold}$"


def levenshtein(a, b):
    row = list(range(len(b) + 1))
    for i, x in enumerate(a):
        diagonal, row[0] = row[0], i + 1
        for j, y in enumerate(b):
            diagonal, row[j + 1] = row[j + 1], min(diagonal + (x != y), row[j + 1] + 1, row[j] + 1)
    return row[-1]

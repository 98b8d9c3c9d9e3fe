"""How often each profile of `modo score` agrees with the package that it restates, on generated pairs.

    venv/bin/python agreement.py --modo target/release/modo --wheels wheels [--pairs 6000] [--seed 1] [--profiles a,b]

Writes a table of agreement per profile and type of pair, and the disagreements, to standard output. Pairs are drawn from
grammars of golds and answers, not from a list: another seed gives other pairs.
"""
import argparse
import collections
import json
import random
import subprocess
from pathlib import Path

from packages import Packages


class Pairs:
    """Golds with answers: right ones in other notation, near misses, and wrong ones."""

    def __init__(self, seed):
        self.r = random.Random(seed)

    def one_of(self, *options):
        return self.r.choice(options)

    def integer(self):
        return self.r.choice([self.r.randint(0, 20), self.r.randint(-30, 300), self.r.randint(1000, 99999)])

    def number(self, n):
        """Ways to write an integer."""
        ways = [str(n), f"{n}.0", f"{n}.", f"+{n}", f"0{n}", f"${n}$", rf"\text{{{n}}}", f" {n} ", f"({n})", f"{{{n}}}",
                f"[{n}]", rf"\boxed{{{n}}}", f"x={n}", f"x = {n}", f"{n}%", rf"{n}\%", f"{n} cm", rf"{n}\text{{ cm}}",
                rf"{n}\mathrm{{kg}}", rf"{n}^\circ", rf"{n}^{{\circ}}", f"{n}°", rf"\${n}", f"{n} dollars", f"{n}m", f"{n} apples",
                rf"\frac{{{2 * n}}}{{2}}", f"{2 * n}/2", f"{n}/1", f"{n - 1}+1", rf"{n}\times 1", f"{n}*1", rf"\approx {n}",
                f"{n}e0", f"{n + 1}", f"-{n}", f"{n}.5", f"{n}.0000001", rf"\sqrt{{{n * n}}}", f"|{n}|", f"{n},", f"{n} or {n + 1}",
                rf"{n} \text{{ or }} {n + 1}", f"{n}, {n + 1}", f"{n} = {n}", f"{n + 1} = {n}", f"about {n}", rf"\le {n}", f"n={n}",
                f"answer {n}", rf"{n}\,000", rf"{n} \text{{(approx)}}", f"{n}!", f"{n} hours", f"{n} square units"]
        if abs(n) >= 1000:
            s = f"{n:,}"
            ways += [s, s.replace(",", "{,}"), s.replace(",", r"\!,\!"), s.replace(",", r"\,"), s.replace(",", " ")]
        return self.r.choice(ways)

    def integers(self):
        n = self.integer()
        return str(n), self.number(n)

    def decimals(self):
        n = self.r.choice([self.r.randint(1, 999) / 10, self.r.randint(1, 9999) / 100, self.r.randint(1, 9) / 1000])
        s = repr(n)
        near = [s, s + "0", s.lstrip("0"), f"{n + 1e-7:.8f}", f"{n + 1e-5:.6f}", f"{n * 1.02:.4f}", f"{n * 1.06:.4f}", f"-{s}",
                f"{round(n * 100, 6):g}%", rf"{round(n * 100, 6):g}\%", f"{s} cm", rf"\${s}", f"{n:.1f}", f"{int(n * 1000)}/1000",
                rf"\frac{{{int(round(n * 1000))}}}{{1000}}", f"{n:e}", s.replace(".", ","), f"{s}.", f"x={s}", f"{int(n)}", rf"{s}\text{{ m}}"]
        return s, self.r.choice(near)

    def fractions(self):
        a, b = self.r.randint(-12, 40), self.r.randint(2, 24)
        gold = self.one_of(rf"\frac{{{a}}}{{{b}}}", rf"\dfrac{{{a}}}{{{b}}}", f"{a}/{b}")
        k = self.r.randint(2, 4)
        answers = [rf"\frac{{{a}}}{{{b}}}", rf"\dfrac{{{a}}}{{{b}}}", rf"\tfrac{{{a}}}{{{b}}}", f"{a}/{b}", f"{a} / {b}",
                   rf"\frac{{{k * a}}}{{{k * b}}}", f"{k * a}/{k * b}", f"{a / b:.3f}", f"{a / b:.6f}", f"{a / b:.7f}", repr(a / b),
                   rf"\frac{{{b}}}{{{a}}}", rf"-\frac{{{a}}}{{{b}}}", rf"\frac{{-{a}}}{{{b}}}", rf"\frac{{{a + 1}}}{{{b}}}",
                   rf"x=\frac{{{a}}}{{{b}}}", rf"\left(\frac{{{a}}}{{{b}}}\right)", f"{a}:{b}", rf"{a}\div {b}", f"({a})/({b})",
                   rf"\frac{{{a}}}{{{b}}} \text{{ cm}}", rf"\frac {{{a}}} {{{b}}}"]
        if 0 <= a <= 9 and b <= 9:
            answers += [rf"\frac{a}{b}", rf"\frac{a}{{{b}}}", rf"\frac{{{a}}}{b}"]
        if a > b > 0 and a % b:
            q, r = divmod(a, b)
            answers += [rf"{q}\frac{{{r}}}{{{b}}}", f"{q} {r}/{b}", rf"{q} \frac{{{r}}}{{{b}}}", f"{q}+{r}/{b}"]
        return gold, self.r.choice(answers)

    def surds(self):
        c, n, d = self.r.randint(1, 6), self.one_of(2, 3, 5, 6, 7, 8, 12, 18), self.r.randint(1, 5)
        k = "" if c == 1 else str(c)
        core = rf"{k}\sqrt{{{n}}}"
        gold = core if d == 1 else rf"\frac{{{core}}}{{{d}}}"
        value = c * n ** 0.5 / d
        inner = c * c * n
        answers = [gold, core, rf"\sqrt{{{inner}}}" if d == 1 else rf"\frac{{\sqrt{{{inner}}}}}{{{d}}}", f"{value:.3f}", f"{value:.8f}",
                   rf"{k}\sqrt{n}" if d == 1 else rf"\frac{{{k}\sqrt{n}}}{{{d}}}", f"{k}√{n}" + ("" if d == 1 else f"/{d}"),
                   f"{c}*sqrt({n})" + ("" if d == 1 else f"/{d}"), f"{c}sqrt({n})" + ("" if d == 1 else f"/{d}"), rf"{c + 1}\sqrt{{{n}}}",
                   rf"\frac{{{k}}}{{{d}}}\sqrt{{{n}}}" if d > 1 and c > 1 else gold, rf"{k} \cdot \sqrt{{{n}}}" if c > 1 else gold,
                   rf"\frac{{{c * n}}}{{{d}\sqrt{{{n}}}}}", rf"-{gold}", rf"{gold} \text{{ cm}}", rf"x={gold}", rf"{n}^{{1/2}}", rf"{k}{n}^{{\frac{{1}}{{2}}}}" if c == 1 else gold]
        return gold, self.r.choice(answers)

    def constants(self):
        a, b = self.r.randint(1, 9), self.r.randint(1, 8)
        k = "" if a == 1 else str(a)
        return self.r.choice([
            (rf"{k}\pi", self.one_of(rf"{k}\pi", f"{k}π", f"{k}pi", f"{a * 3.141592653589793:.2f}", f"{a * 3.141592653589793:.8f}",
                                     rf"{a}\times\pi", rf"\pi \cdot {a}", rf"{a + 1}\pi", rf"{k}\pi r^2", rf"\pi{a}", rf"{k} \pi\text{{ cm}}^2")),
            (rf"\frac{{{k}\pi}}{{{b + 1}}}", self.one_of(rf"\frac{{{k}\pi}}{{{b + 1}}}", rf"\frac{{{a}}}{{{b + 1}}}\pi", rf"{k}\pi/{b + 1}",
                                                          f"{a * 3.141592653589793 / (b + 1):.7f}", rf"\frac{{\pi}}{{{b + 1}}}")),
            (rf"e^{a + 1}", self.one_of(rf"e^{a + 1}", rf"e^{{{a + 1}}}", rf"\exp({a + 1})", rf"e^{{{a}}}\cdot e", f"{2.718281828459045 ** (a + 1):.5f}", "e")),
            (rf"\ln {a + 1}", self.one_of(rf"\ln({a + 1})", rf"\ln {a + 1}", rf"\log_e {a + 1}", rf"\ln{{{a + 1}}}", rf"\log {a + 1}", rf"-\ln\frac{{1}}{{{a + 1}}}")),
            (rf"{a}+\sqrt{{{b + 1}}}", self.one_of(rf"\sqrt{{{b + 1}}}+{a}", rf"{a}+\sqrt{{{b + 1}}}", rf"{a}-\sqrt{{{b + 1}}}", rf"{a}\pm\sqrt{{{b + 1}}}",
                                                   f"{a + (b + 1) ** 0.5:.4f}", f"{a + (b + 1) ** 0.5:.9f}")),
            (f"2^{{{a + 2}}}", self.one_of(str(2 ** (a + 2)), f"2^{{{a + 2}}}", f"2^{a + 2}", f"4^{{{(a + 2) / 2:g}}}", str(2 ** (a + 2) + 1))),
            (f"{a + 2}!", self.one_of(f"{a + 2}!", str(__import__("math").factorial(a + 2)), f"{a + 1}!")),
        ])

    def polynomials(self):
        a, b, c = self.r.randint(1, 6), self.r.randint(-6, 6), self.r.randint(-9, 9)
        x = self.one_of("x", "x", "t", "n")
        k = lambda n: "" if n == 1 else str(n)
        sign = lambda n: f"+{n}" if n >= 0 else str(n)
        forms = {
            f"{k(a)}{x}{sign(b)}": [f"{k(a)}{x}{sign(b)}", f"{b}+{k(a)}{x}", f"{k(a)}{x} {'+' if b >= 0 else '-'} {abs(b)}", f"{k(a)}y{sign(b)}",
                                    f"{a}*{x}{sign(b)}", f"{k(a + 1)}{x}{sign(b)}", f"y={k(a)}{x}{sign(b)}", f"f({x})={k(a)}{x}{sign(b)}",
                                    rf"{a}\cdot {x}{sign(b)}"],
            f"{x}^2{sign(b)}{x}{sign(c)}": [f"{x}^2{sign(b)}{x}{sign(c)}", f"{x}^{{2}}{sign(b)}{x}{sign(c)}", f"{c}{sign(b)}{x}+{x}^2",
                                            f"{x}^2{sign(b)}{x}{sign(c + 1)}", f"{x}({x}{sign(b)}){sign(c)}", f"{x}*{x}{sign(b)}*{x}{sign(c)}"],
            f"({x}{sign(a)})({x}{sign(-b)})": [f"({x}{sign(a)})({x}{sign(-b)})", f"({x}{sign(-b)})({x}{sign(a)})",
                                               f"{x}^2{sign(a - b)}{x}{sign(-a * b)}", f"({x}{sign(a)})({x}{sign(b + 1)})",
                                               rf"\left({x}{sign(a)}\right)\left({x}{sign(-b)}\right)"],
            rf"\frac{{{x}{sign(a)}}}{{{x}{sign(b)}}}": [rf"\frac{{{x}{sign(a)}}}{{{x}{sign(b)}}}", f"({x}{sign(a)})/({x}{sign(b)})",
                                                        rf"\frac{{{a}+{x}}}{{{x}{sign(b)}}}", rf"\frac{{{x}{sign(b)}}}{{{x}{sign(a)}}}"],
            f"y={k(a)}{x}{sign(b)}": [f"y={k(a)}{x}{sign(b)}", f"{k(a)}{x}{sign(b)}", f"y-{k(a)}{x}={b}", f"{k(a)}{x}-y{sign(b)}=0", f"y={b}+{k(a)}{x}",
                                      f"y={k(a)}{x}{sign(b + 1)}", f"2y={2 * a}{x}{sign(2 * b)}", f"x={k(a)}y{sign(b)}"],
        }
        gold = self.r.choice(list(forms))
        return gold, self.r.choice(forms[gold])

    def collections(self):
        a, b, c = self.r.sample(range(-9, 20), 3)
        choices = [
            (f"{a},{b}", [f"{a},{b}", f"{a}, {b}", f"{b},{a}", rf"\{{{a},{b}\}}", rf"{a} \text{{ and }} {b}", f"{a} and {b}", f"{a};{b}", f"x={a},x={b}",
                          f"({a},{b})", f"{a}", rf"x={a} \text{{ or }} x={b}", f"{a} {b}", f"{a},{b},{c}", rf"\boxed{{{a}}}, \boxed{{{b}}}"]),
            (f"({a},{b})", [f"({a},{b})", f"({a}, {b})", rf"\left({a},{b}\right)", f"({b},{a})", f"[{a},{b}]", f"{a},{b}", f"({a};{b})", f"({a},{b},{c})",
                            f"(x,y)=({a},{b})", f"x={a},y={b}"]),
            (f"({a},{b},{c})", [f"({a},{b},{c})", f"({a}, {b}, {c})", f"({c},{b},{a})", rf"\{{{a},{b},{c}\}}", f"{a},{b},{c}", f"[{a},{b},{c}]"]),
            (rf"\{{{a},{b},{c}\}}", [rf"\{{{c},{a},{b}\}}", rf"\{{{a}, {b}, {c}\}}", f"{a},{b},{c}", f"{{{a},{b},{c}}}", rf"\{{{a},{b}\}}", f"({a},{b},{c})",
                                     rf"\left\{{{a},{b},{c}\right\}}"]),
            (rf"\pm {abs(a) + 1}", [rf"\pm {abs(a) + 1}", f"{abs(a) + 1},-{abs(a) + 1}", f"-{abs(a) + 1}, {abs(a) + 1}", f"{abs(a) + 1}", f"±{abs(a) + 1}", rf"x=\pm {abs(a) + 1}"]),
        ]
        gold, answers = self.r.choice(choices)
        return gold, self.r.choice(answers)

    def intervals(self):
        a = self.r.randint(-9, 9)
        b = a + self.r.randint(1, 9)
        choices = [
            (f"[{a},{b})", [f"[{a},{b})", f"[{a}, {b})", f"[{a},{b}]", f"({a},{b})", rf"{a}\le x<{b}", rf"{a} \leq x < {b}", rf"\left[{a},{b}\right)"]),
            (rf"(-\infty,{a})", [rf"(-\infty,{a})", rf"(-\infty, {a})", f"x<{a}", rf"(-\infty,{a}]", f"(-inf,{a})", f"{a}>x"]),
            (f"x<{a}", [f"x<{a}", f"x < {a}", f"{a}>x", rf"(-\infty,{a})", rf"x\le {a}", f"x>{a}", f"y<{a}", rf"(-\infty,{a}]"]),
            (rf"x\ge {a}", [rf"x\ge {a}", rf"x \geq {a}", f"x>={a}", rf"[{a},\infty)", f"x>{a}", rf"{a}\le x", rf"2x\ge {2 * a}"]),
            (f"{a}<x<{b}", [f"{a}<x<{b}", f"{b}>x>{a}", f"({a},{b})", f"[{a},{b}]", rf"{a}\lt x\lt {b}", f"{a}<y<{b}"]),
            (rf"(-\infty,{a})\cup({b},\infty)", [rf"(-\infty,{a})\cup({b},\infty)", rf"(-\infty, {a}) \cup ({b}, \infty)", rf"({b},\infty)\cup(-\infty,{a})",
                                                 rf"(-\infty,{a}]\cup[{b},\infty)", rf"x<{a} \text{{ or }} x>{b}"]),
        ]
        gold, answers = self.r.choice(choices)
        return gold, self.r.choice(answers)

    def matrices(self):
        a = [self.r.randint(-9, 9) for _ in range(4)]
        m = lambda kind, v: rf"\begin{{{kind}}}{v[0]}&{v[1]}\\{v[2]}&{v[3]}\end{{{kind}}}"
        v = lambda kind, x: rf"\begin{{{kind}}}{x[0]}\\{x[1]}\end{{{kind}}}"
        return self.r.choice([
            (m("pmatrix", a), self.one_of(m("pmatrix", a), m("bmatrix", a), m("pmatrix", a[::-1]), m("pmatrix", a).replace("&", " & "))),
            (v("pmatrix", a), self.one_of(v("pmatrix", a), v("bmatrix", a), f"({a[0]},{a[1]})", v("pmatrix", a[::-1]))),
        ])

    def words(self):
        w = self.one_of("yes", "no", "True", "triangle", "red", "Monday", "left", "none", "July 4", "Evelyn", "square", "A", "B", "AB", "x", "y", "C", "east")
        return w, self.one_of(w, w.lower(), w.upper(), rf"\text{{{w}}}", rf"\mathrm{{{w}}}", rf"\textbf{{{w}}}", w + ".", f"({w})", w[::-1], f" {w} ", rf"\text{{ {w} }}", f"the {w}")

    TYPES = {"integer": integers, "decimal": decimals, "fraction": fractions, "surd": surds, "constant": constants,
             "polynomial": polynomials, "collection": collections, "interval": intervals, "matrix": matrices, "word": words}

    def math(self):
        kind = self.r.choice(list(self.TYPES))
        gold, answer = self.TYPES[kind](self)
        box = rf"\boxed{{{answer}}}"
        wrap = self.r.random()
        if wrap < 0.55:
            text = box
        elif wrap < 0.65:
            text = f"So we get ${box}$."
        elif wrap < 0.72:
            text = f"First 7 and then 12. The answer is {box}."
        elif wrap < 0.77:
            text = f"<think>hm, 5</think><answer>{answer}</answer>"
        elif wrap < 0.82:
            text = f"<think>hm, {box}</think>\n<answer>{self.integer()}</answer>"
        elif wrap < 0.88:
            text = f"The final answer is ${answer}$."
        elif wrap < 0.93:
            text = f"We compute.\nAnswer: {answer}"
        elif wrap < 0.96:
            text = f"The answer is {answer}"
        else:
            text = f"#### {answer}"
        return kind, [gold], text, []

    def chart(self):
        kind = self.one_of("integer", "decimal", "word", "fraction")
        gold, answer = self.TYPES[kind](self)
        return kind, [gold], self.one_of(answer, answer, answer.strip(), gold, answer + "\n"), []

    def edits(self):
        words = ["left", "Central Station", "12 May 2019", "No", "7 people", "Heart disease", "42%", "The Netherlands", "straße", "a b  c"]
        golds = self.r.sample(words, self.r.randint(1, 3))
        text = list(self.r.choice(golds + words))
        for _ in range(self.r.choice([0, 0, 1, 1, 2, 4, 8])):
            at = self.r.randrange(len(text) + 1)
            if self.r.random() < 0.5 and text:
                text[at % len(text)] = self.r.choice("abcXYZ ")
            else:
                text.insert(at, self.r.choice("abcXYZ  "))
        return "text", golds, self.one_of("", " ", "\n") + "".join(text), []

    def choices(self):
        n = self.r.randint(2, 6)
        texts = self.r.sample(["cat", "dog", "a cow", "12 cm", "the left one", "None of the above", "red", "blue", "5", "15", "sheep"], n)
        letters = [chr(65 + i) for i in range(n)]
        l, m = self.r.choice(letters), self.r.choice(letters)
        t = texts[letters.index(l)]
        text = self.one_of(l, f"({l})", f"{l}.", f"{l}) {t}", f"{l}. {t}", t, t.upper(), f"The answer is {l}", f"The answer is ({l}).", f"Not {m}. The answer is {l}",
                           f"{l} or {m}", f"{l}, {m}", f"I think it is {t} because it fits very well.", f"**{l}**", rf"\boxed{{{l}}}", l.lower(), f"Option {l}",
                           f"<think>A or B?</think><answer>{l}</answer>", f"Answer: {l}\nDone, I am sure of it now", "", f"A {t} is what I see in the picture", f"{l}: {t}")
        return "choice", [self.r.choice([l, l, m])], text, texts

    def opens(self):
        kind, golds, answer, _ = self.chart()
        text = self.one_of(answer, f"The answer is {answer}.", f"So x = {answer}", f"It could be 3 or 4.\nThus the result is {answer}", f"1,234 and {answer}",
                           f"value {answer} 2.5e3", f"final answer {answer}")
        return kind, golds, text, []

    def for_profile(self, profile):
        return {"chartqa": self.chart, "anls": self.edits, "mmmu": lambda: self.r.choice([self.choices, self.opens])(),
                "mmmu_vlmeval": self.choices, "scienceqa": self.choices}.get(profile, self.math)()


def cached(args, profile, compute):
    if not args.cache:
        return compute()
    file = Path(args.cache) / f"{profile}-{args.seed}-{args.pairs}.json"
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(compute()))
    return json.loads(file.read_text())


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--modo", help="the program; without it the packages' scores are only computed")
    parser.add_argument("--wheels", required=True)
    parser.add_argument("--pairs", type=int, default=6000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--profiles", default=",".join(Packages.PROFILES))
    parser.add_argument("--show", type=int, default=40)
    parser.add_argument("--cache", help="folder where the packages' scores are kept between runs")
    args = parser.parse_args()
    packages = Packages(args.wheels)
    for profile in args.profiles.split(","):
        pairs = Pairs(f"{args.seed} {profile if profile not in ('trl', 'math_verify', 'math_verify_raw', 'r1v') else 'math'}")
        asked = [pairs.for_profile(profile) for _ in range(args.pairs)]
        expected = cached(args, profile, lambda: [packages.score(profile, g, t, o) for _, g, t, o in asked])
        if not args.modo:
            continue
        lines = "".join(json.dumps({"gold": g, "completion": t, "options": o}) + "\n" for _, g, t, o in asked)
        out = subprocess.run([args.modo, "score", "--profile", profile], input=lines.encode(), capture_output=True, check=True)
        answers = [json.loads(line) for line in out.stdout.splitlines()]
        by_kind, shown = collections.Counter(), 0
        differing = collections.Counter()
        for (kind, golds, text, _), wanted, answer in zip(asked, expected, answers, strict=True):
            given = answer.get("reward") if profile == "geo3k" else answer["score"]
            same = given == wanted or (given is not None and wanted is not None and abs(given - wanted) < 1e-9)
            by_kind[kind] += 1
            if not same:
                differing[kind] += 1
                if shown < args.show:
                    shown += 1
                    print(f"  {kind} | {golds} | {text!r} | package {wanted} | modo {given} ({answer.get('extracted')!r})")
        right = sum(w is not None and w > 0.5 for w in expected)
        total = sum(differing.values())
        kinds = ", ".join(f"{k} {differing[k]}/{by_kind[k]}" for k in sorted(by_kind))
        print(f"{profile}: {args.pairs - total} of {args.pairs} agree ({100 * (1 - total / args.pairs):.2f} %), {right} right; "
              f"disagreements by type: {kinds}", flush=True)


if __name__ == "__main__":
    main()

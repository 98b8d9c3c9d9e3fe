"""More types of answers and more places for them: what `pairs.py` draws from besides its own.

Each type is a method that gives a gold and an answer as they are written, before the answer is altered and put into a completion.
"""
import math


def signed(n):
    return f"+{n}" if n >= 0 else str(n)


class Wider:
    """Types of answers and frames around them, for [`pairs.Pairs`]."""

    def money(self):
        whole, cents = self.r.randint(1, 99999), self.r.randint(0, 99)
        plain, grouped = f"{whole}.{cents:02d}", f"{whole:,}.{cents:02d}"
        gold = self.one_of(rf"\${plain}", rf"\${grouped}", plain, rf"\${whole}", f"{whole} dollars", rf"\text{{\${plain}}}", f"{cents} cents", f"{plain} USD", f"€{plain}", f"£{whole}")
        answers = [gold, gold, plain, rf"\${plain}", rf"\${grouped}", f"${plain}", f"{plain} dollars", rf"{plain}\text{{ dollars}}", rf"\$ {plain}", f"{plain}\\$", f"USD {plain}", f"{grouped}", rf"\${whole}.{cents}", f"{whole}", rf"\${whole}", rf"\$-{plain}", rf"-\${plain}",
                   f"{plain} €", rf"\text{{€}}{plain}", rf"\pounds {plain}", f"{cents}¢", rf"{whole * 100 + cents}\text{{ cents}}", rf"\mathdollar{plain}", grouped.replace(",", r"{,}"), grouped.replace(",", r"\,"), rf"\text{{\$}}{plain}", f"{plain}0", f"{whole},{cents:02d}"]
        return gold, self.altered(self.one_of(*answers))

    def clock(self):
        h, m = self.r.randint(1, 12), self.r.randint(0, 59)
        t = f"{h}:{m:02d}"
        half = self.one_of("AM", "PM", "a.m.", "p.m.", "am", "pm")
        gold = self.one_of(t, f"{t} {half}", rf"{t}\text{{ {half}}}", f"{h} {half}", f"{60 * h + m} minutes", rf"{h}\text{{ h }}{m}\text{{ min}}")
        return gold, self.one_of(gold, gold, t, f"{t} {half}", f"0{t}", f"{h}.{m:02d}", rf"{t}\text{{ {half}}}", rf"{t} \mathrm{{{half}}}", f"{h}:{m}", f"{h}h{m}", f"{h} hours {m} minutes", rf"{h} \text{{ hours and }} {m} \text{{ minutes}}", f"{60 * h + m}", rf"\text{{{t}}}", f"{t}{half.lower()}", f"{m}:{h:02d}",
                                 f"{h + 12}:{m:02d}", rf"{60 * h + m} \text{{ min}}", f"{t}:00")

    def ratios(self):
        a, b, c = (self.r.randint(1, 12) for _ in range(3))
        k = self.r.randint(2, 4)
        gold = self.one_of(f"{a}:{b}", f"{a}:{b}:{c}", rf"\frac{{{a}}}{{{b}}}", f"{a} : {b}", rf"{a}\colon{b}", rf"{a}\text{{ to }}{b}", rf"{a}:\sqrt{{{b}}}")
        return gold, self.altered(self.one_of(gold, gold, f"{a}:{b}", f"{a} : {b}", rf"{a}\!:\!{b}", f"{k * a}:{k * b}", rf"\frac{{{a}}}{{{b}}}", f"{a}/{b}", f"{a}:{b}:{c}", f"{c}:{b}:{a}", rf"{a}\colon {b}", f"{a} to {b}", rf"\frac{{{a}}}{{{b}}}:1", f"{a / b:.6f}", f"{b}:{a}", f"{k * a}:{k * b}:{k * c}",
                                              rf"{a}:{b}=\frac{{{a}}}{{{b}}}", rf"\sqrt{{{b}}}:{a}"))

    def logarithms(self):
        b, n, k = self.one_of(2, 3, 5, 10), self.r.randint(2, 9), self.r.randint(2, 5)
        gold = self.one_of(rf"\log_{b} {n}", rf"\log_{{{b}}}{{{n}}}", rf"{k}\log_{b}{n}", rf"\frac{{\ln {n}}}{{\ln {b}}}", rf"\log_{{{b}}}({n})+{k}", rf"\ln {n}", rf"{k}\ln {n}", rf"\ln\frac{{{n}}}{{{k}}}", rf"{k}-\ln {n}", rf"\frac{{1}}{{{k}}}\ln {n}", rf"\log {n}")
        v = math.log(n) / math.log(b)
        answers = [gold, gold, gold, rf"\log_{b}{n}", rf"\log_{{{b}}}({n})", rf"\log_{b} ({n})", rf"\frac{{\log {n}}}{{\log {b}}}", rf"\frac{{\ln{{{n}}}}}{{\ln{{{b}}}}}", rf"{k}\log_{{{b}}} {n}", rf"\log_{b} {n ** k}", rf"\ln {n}^{k}", rf"\ln({n}^{k})", rf"\ln {n}-\ln {k}", rf"\ln {n ** k}", f"{v:.4f}",
                   f"{v:.9f}", rf"\ln\sqrt[{k}]{{{n}}}", rf"\ln\left(\frac{{{n}}}{{{k}}}\right)", rf"-\ln\frac{{{k}}}{{{n}}}", rf"\lg {n}", rf"\log_{{10}} {n}", rf"\log_{{{n}}} {b}", rf"\frac{{1}}{{\log_{n} {b}}}", rf"\log_{b} {n}+{k}", rf"{k}+\log_{b} {n}", rf"\ln|{n}|", rf"{k}(\ln {n})", rf"\ln {n} \cdot {k}"]
        return gold, self.altered(self.one_of(*answers))

    def trigonometry(self):
        d, k = self.one_of(15, 18, 20, 30, 36, 45, 60, 75, 120, 135), self.r.randint(1, 6)
        f = self.one_of("sin", "cos", "tan", "sec", "cot")
        m = self.r.randint(2, 12)
        gold = self.one_of(rf"\{f} {d}^\circ", rf"{k}\{f} {d}^{{\circ}}", rf"\{f}\frac{{{k}\pi}}{{{m}}}", rf"\{f}\left(\frac{{\pi}}{{{m}}}\right)", rf"\{f}^2 x", rf"{k}\{f} {m}x", rf"\arctan\frac{{{k}}}{{{m}}}", rf"\arccos\frac{{{k}}}{{{m + 6}}}", rf"\sin x\cos x", rf"\frac{{\sin x}}{{{k}}}",
                           rf"\frac{{{k}\pi}}{{{m}}}", rf"{d}^\circ", rf"\cos {k}\theta", rf"\frac{{\sqrt{{{k + 1}}}-1}}{{4}}")
        rad = math.radians(d)
        answers = [gold, gold, gold, rf"\{f}({d}^\circ)", rf"\{f} {d}", rf"\{f}{{{d}^\circ}}", rf"\{f}\left({d}^{{\circ}}\right)", f"{getattr(math, f if f in ('sin', 'cos', 'tan') else 'sin')(rad):.8f}", rf"\cos {90 - d}^\circ", rf"\{f} \frac{{{d}\pi}}{{180}}", rf"(\{f} x)^2", rf"\{f}^{{2}}(x)", rf"\{f}^2(x)",
                   rf"\{f}(x)^2", rf"1-\cos^2 x", rf"{k}\{f}({m}x)", rf"{k} \{f} {m} x", rf"\tan^{{-1}}\frac{{{k}}}{{{m}}}", rf"\tan^{{-1}}\left(\frac{{{k}}}{{{m}}}\right)", rf"\cos^{{-1}}\left(\frac{{{k}}}{{{m + 6}}}\right)", rf"\frac{{1}}{{2}}\sin 2x", rf"\cos x\sin x", rf"\frac{{1}}{{{k}}}\sin x",
                   rf"\frac{{\pi {k}}}{{{m}}}", rf"{180 * k / m:g}^\circ", rf"\frac{{{k}}}{{{m}}}\pi", rf"\theta=\frac{{{k}\pi}}{{{m}}}", rf"{d}", rf"{d}^o", rf"{d}\text{{°}}", rf"\frac{{{2 * k}\pi}}{{{2 * m}}}", rf"-\frac{{{k}\pi}}{{{m}}}", rf"\{f}\ {d}^\circ", rf"\cos({k}\theta)"]
        return gold, self.altered(self.one_of(*answers))

    def complexes(self):
        a, b, n = self.r.randint(-9, 9), self.r.randint(1, 9), self.one_of(2, 3, 5, 7)
        k = "" if b == 1 else str(b)
        gold = self.one_of(f"{a}+{k}i", f"{a}-{k}i", rf"{a}\pm {k}i", f"{k}i", f"-{k}i", rf"\frac{{{a}+{k}i}}{{{n}}}", rf"{a}+\sqrt{{{n}}}i", rf"{a}+i\sqrt{{{n}}}", rf"{k}e^{{i\pi/{n}}}", rf"e^{{\frac{{\pi i}}{{{n}}}}}", f"({a}+{k}i)^2", rf"\frac{{{a}}}{{{n}}}+\frac{{{b}}}{{{n}}}i")
        answers = [gold, gold, gold, f"{a} + {k}i", f"{k}i+{a}", f"{k}i{signed(a)}", f"{a}+{b}*i", f"{a}+{b}j", f"{a}-{k}i", rf"{a}+{k}\mathrm{{i}}", rf"{a}+{k}\text{{i}}", f"({a}+{k}i)", f"({a})+({b})i", rf"{a}+i{k}", rf"{a}+i\sqrt{n}", rf"{a}+\sqrt{{-{n}}}", rf"{a}+{k}i,{a}-{k}i", rf"{a}+{k}i \text{{ and }} {a}-{k}i",
                   rf"\frac{{{a}}}{{{n}}}+\frac{{{k}i}}{{{n}}}", rf"\frac{{1}}{{{n}}}({a}+{k}i)", rf"{k}e^{{\frac{{i\pi}}{{{n}}}}}", rf"{k}\exp(i\pi/{n})", f"{a * a - b * b}{signed(2 * a * b)}i", rf"-{a}+{k}i", rf"z={a}+{k}i", rf"{k}(\cos\frac{{\pi}}{{{n}}}+i\sin\frac{{\pi}}{{{n}}})", f"{a}+{k}I"]
        return gold, self.altered(self.one_of(*answers))

    def solutions(self):
        """Families of solutions, and solutions of systems."""
        a, b, c = self.r.sample(range(-9, 12), 3)
        m = self.r.randint(2, 6)
        gold, answers = self.one_of(
            (f"x={a},y={b}", [f"x={a}, y={b}", f"y={b},x={a}", f"({a},{b})", f"(x,y)=({a},{b})", rf"x={a} \text{{ and }} y={b}", f"x={b},y={a}", f"{a},{b}", rf"x={a}\quad y={b}", rf"\{{x={a},y={b}\}}", rf"x={a};y={b}", f"x = {a}\\\\y = {b}"]),
            (f"x={a}", [f"{a}", f"x = {a}", f"x={a}.0", f"y={a}", f"{a}=x", f"x={a},{b}", f"X={a}", f"x:{a}", rf"x\to {a}", rf"x=\{{{a}\}}", f"x=+{a}" if a > 0 else f"x=({a})", rf"\therefore x={a}", f"x={a}\\text{{ cm}}", f"x=y={a}", f"x={a}=y"]),
            (rf"x=\frac{{\pi}}{{{m}}}+2k\pi", [rf"x=\frac{{\pi}}{{{m}}}+2k\pi", rf"\frac{{\pi}}{{{m}}}+2k\pi", rf"x=2k\pi+\frac{{\pi}}{{{m}}}", rf"x=\frac{{\pi}}{{{m}}}+2\pi k", rf"x=\frac{{\pi}}{{{m}}}+2n\pi", rf"\frac{{\pi}}{{{m}}}+2k\pi, k\in\mathbb{{Z}}", rf"x=\frac{{\pi}}{{{m}}}"]),
            (f"a={a},b={b},c={c}", [f"a={a},b={b},c={c}", f"({a},{b},{c})", f"a={a}, b={b}, c={c}", f"c={c},a={a},b={b}", f"(a,b,c)=({a},{b},{c})", rf"a={a},\ b={b},\ c={c}", f"{a},{b},{c}", f"a={b},b={a},c={c}"]),
            (f"y={a}x{signed(b)}", [f"y={a}x{signed(b)}", f"{a}x{signed(b)}", f"y-({a})x={b}", f"{a}x-y{signed(b)}=0", f"f(x)={a}x{signed(b)}", f"y={b}{signed(a)}x", rf"y={a}\cdot x{signed(b)}", f"y = {a} x {signed(b)}", f"y={a}x{signed(b + 1)}", rf"2y={2 * a}x{signed(2 * b)}", f"{a}x{signed(b)}=y"]),
            (rf"x^2+y^2+{m}x-{m + 1}y=0", [rf"x^2+y^2+{m}x-{m + 1}y=0", rf"x^{{2}}+y^{{2}}+{m}x-{m + 1}y=0", rf"y^2+x^2-{m + 1}y+{m}x=0", rf"0=x^2+y^2+{m}x-{m + 1}y", rf"x^2+{m}x+y^2={m + 1}y", rf"2x^2+2y^2+{2 * m}x-{2 * m + 2}y=0", rf"x^2+y^2+{m}x-{m + 1}y"]),
            (rf"\frac{{x^2}}{{{m * m}}}+\frac{{y^2}}{{{m}}}=1", [rf"\frac{{x^2}}{{{m * m}}}+\frac{{y^2}}{{{m}}}=1", rf"\frac{{x^{{2}}}}{{{m * m}}} + \frac{{y^{{2}}}}{{{m}}} = 1", rf"\frac{{y^2}}{{{m}}}+\frac{{x^2}}{{{m * m}}}=1", rf"x^2+{m}y^2={m * m}", rf"\frac{{x^2}}{{{m}^2}}+\frac{{y^2}}{{{m}}}=1", rf"\frac{{x^2}}{{{m}}}+\frac{{y^2}}{{{m * m}}}=1"]),
        )
        return gold, self.altered(self.one_of(gold, *answers))

    def inequalities(self):
        a = self.r.randint(-8, 8)
        b = a + self.r.randint(1, 8)
        v = self.one_of("x", "x", "y", "a", "k", "m", "t", r"\lambda")
        half = rf"\frac{{{2 * a + 1}}}{{2}}"
        gold, answers = self.one_of(
            (f"{v}>{half}", [f"{v}>{half}", f"{v} > {half}", f"{half}<{v}", rf"({half},\infty)", rf"\left({half},\infty\right)", rf"\left({half},+\infty\right)", f"{v}>{a + 0.5}", rf"{v}\ge {half}", f"2{v}>{2 * a + 1}"]),
            (rf"\left[{half},{b}\right]", [rf"\left[{half},{b}\right]", f"[{a + 0.5},{b}]", rf"{half}\le {v}\le {b}", rf"\left[{half}, {b}\right]", rf"\left({half},{b}\right)", rf"[\frac{{{2 * a + 1}}}{{2}},{b}]"]),
            (rf"{v}\le {a}\text{{ or }}{v}\ge {b}", [rf"{v}\le {a}\text{{ or }}{v}\ge {b}", rf"{v} \leq {a} \text{{ or }} {v} \geq {b}", rf"(-\infty,{a}]\cup[{b},\infty)", rf"(-\infty,{a}]\cup[{b},+\infty)", f"{v}<={a} or {v}>={b}", rf"{v}\ge {b}\text{{ or }}{v}\le {a}", rf"{v}\le {a},{v}\ge {b}", rf"{v}<{a}\text{{ or }}{v}>{b}"]),
            (rf"(-\infty,{a}]\cup[{b},+\infty)", [rf"(-\infty,{a}]\cup[{b},+\infty)", rf"(-\infty,{a}]\cup[{b},\infty)", rf"\left(-\infty,{a}\right] \cup \left[{b},\infty\right)", rf"{v}\le {a}\text{{ or }}{v}\ge {b}", rf"[{b},\infty)\cup(-\infty,{a}]", rf"(-\infty,{a})\cup({b},\infty)", rf"\mathbb{{R}}\setminus({a},{b})", rf"(-\infty,{a}] U [{b},\infty)"]),
            (f"{a}<{v}<{b}", [f"{a}<{v}<{b}", f"{b}>{v}>{a}", f"({a},{b})", rf"{v}\in({a},{b})", rf"{v} \in ({a}, {b})", f"{a} < {v} \\text{{ and }} {v} < {b}", rf"\{{{v}:{a}<{v}<{b}\}}", rf"\{{{v}\mid {a}<{v}<{b}\}}", rf"{a}<{v}\le {b}", rf"{v}>{a}\text{{ and }}{v}<{b}"]),
            (rf"({a},{b})\cup({b},{b + 3})", [rf"({a},{b})\cup({b},{b + 3})", rf"({b},{b + 3})\cup({a},{b})", rf"({a},{b + 3})\setminus\{{{b}\}}", rf"({a},{b + 3})", rf"({a},{b})\cup ({b},{b + 3})", rf"\left({a},{b}\right)\cup\left({b},{b + 3}\right)"]),
            (f"{v}={a}", [f"{v}={a}", f"{a}", rf"{v}\ge {a}", rf"{v}\in\{{{a}\}}", rf"\{{{a}\}}", f"{a}={v}"]),
            (rf"|{v}|<{b + 9}", [rf"|{v}|<{b + 9}", rf"\left|{v}\right|<{b + 9}", rf"-{b + 9}<{v}<{b + 9}", rf"(-{b + 9},{b + 9})", rf"|{v}|\le {b + 9}", rf"\lvert {v}\rvert<{b + 9}"]),
            (rf"{v}\in\mathbb{{R}}", [rf"{v}\in\mathbb{{R}}", r"\mathbb{R}", r"(-\infty,\infty)", r"\text{all real numbers}", r"(-\infty,+\infty)", rf"-\infty<{v}<\infty"]),
        )
        return gold, self.altered(self.one_of(gold, *answers))

    def vectors(self):
        a, b, c = (self.r.randint(-9, 9) for _ in range(3))
        gold = self.one_of(rf"\begin{{pmatrix}}{a}\\{b}\end{{pmatrix}}", rf"\begin{{pmatrix}} {a} \\ {b} \\ {c} \end{{pmatrix}}", f"({a},{b},{c})", rf"\langle {a},{b}\rangle", rf"{a}\mathbf{{i}}+{abs(b)}\mathbf{{j}}", rf"\left({a},{b},{c}\right)", rf"\begin{{bmatrix}}{a}&{b}\\{b}&{c}\end{{bmatrix}}", rf"P({a},{b})", rf"\vec{{v}}=({a},{b})", rf"\begin{{pmatrix}}{a}/3\\{b}/3\end{{pmatrix}}")
        answers = [gold, gold, gold, f"({a},{b})", f"({a}, {b}, {c})", f"[{a},{b},{c}]", rf"\begin{{bmatrix}}{a}\\{b}\end{{bmatrix}}", rf"\left\langle {a},{b}\right\rangle", rf"\langle {a}, {b}, {c}\rangle", rf"{a}i+{abs(b)}j", rf"\begin{{pmatrix}} {a} \\ {b} \end{{pmatrix}}", rf"\begin{{bmatrix}} {a} & {b} \\ {b} & {c} \end{{bmatrix}}",
                   rf"\begin{{pmatrix}} {a} & {b} \\ {b} & {c} \end{{pmatrix}}", rf"\left(\begin{{array}}{{c}}{a}\\{b}\end{{array}}\right)", rf"\left[\begin{{array}}{{cc}}{a}&{b}\\{b}&{c}\end{{array}}\right]", f"P=({a},{b})", f"P({a}, {b})", f"A({a},{b})", rf"\frac{{1}}{{3}}\begin{{pmatrix}}{a}\\{b}\end{{pmatrix}}", rf"-\begin{{pmatrix}}{a}\\{b}\end{{pmatrix}}",
                   rf"\begin{{pmatrix}}{a}&{b}\end{{pmatrix}}", rf"\begin{{pmatrix}}{a}&{b}\end{{pmatrix}}^T", rf"\begin{{pmatrix}}{b}\\{a}\end{{pmatrix}}", rf"x={a},y={b},z={c}", f"({c},{b},{a})", f"[[{a},{b}],[{b},{c}]]"]
        return gold, self.one_of(*answers) if self.r.random() < 0.7 else self.altered(self.one_of(*answers))

    def products(self):
        """Terms in several names: factored, multiplied out, as quotients, with roots."""
        a, b, n = self.r.randint(2, 7), self.r.randint(2, 7), self.r.randint(2, 5)
        x, y = self.one_of(("x", "y"), ("a", "b"), ("m", "n"), ("p", "q"), ("r", "h"), ("u", "v"), ("s", "t"))
        gold, answers = self.one_of(
            (rf"{a}{x}^{n}{y}", [rf"{a}{x}^{n}{y}", rf"{a}{x}^{{{n}}} {y}", rf"{a}{y}{x}^{n}", rf"{a}\cdot {x}^{n}\cdot {y}", rf"{a} {x}^{n} {y}", rf"{a}{x}{y}^{n}", rf"{x}^{n}{y}\cdot {a}", rf"{a}*{x}^{n}*{y}"]),
            (rf"({x}+{y})({x}-{y})", [rf"({x}+{y})({x}-{y})", rf"{x}^2-{y}^2", rf"({x}-{y})({x}+{y})", rf"({x}-{y})^2", rf"\left({x}+{y}\right)\left({x}-{y}\right)", rf"-({y}^2-{x}^2)"]),
            (rf"{a}({x}-{b})^2", [rf"{a}({x}-{b})^2", rf"{a}({b}-{x})^2", rf"{a}{x}^2-{2 * a * b}{x}+{a * b * b}", rf"{a}\left({x}-{b}\right)^{{2}}", rf"({x}-{b})^2\cdot {a}", rf"{a}({x}-{b})({x}-{b})", rf"{a}({x}+{b})^2"]),
            (rf"\frac{{{x}}}{{{y}}}", [rf"\frac{{{x}}}{{{y}}}", f"{x}/{y}", rf"{x}{y}^{{-1}}", rf"\frac{{{a}{x}}}{{{a}{y}}}", rf"\frac{{{y}}}{{{x}}}", rf"{x}\div {y}", rf"\frac{{{x}^2}}{{{x}{y}}}", rf"\frac{{-{x}}}{{-{y}}}"]),
            (rf"\sqrt{{{x}^2+{y}^2}}", [rf"\sqrt{{{x}^2+{y}^2}}", rf"\sqrt{{{y}^2+{x}^2}}", rf"({x}^2+{y}^2)^{{1/2}}", rf"({x}^2+{y}^2)^{{\frac{{1}}{{2}}}}", rf"{x}+{y}", rf"\sqrt{{{x}^{{2}}+{y}^{{2}}}}", rf"|{x}+{y}|", rf"\sqrt{{({x}+{y})^2-2{x}{y}}}"]),
            (rf"{a}\sqrt{{{x}}}", [rf"{a}\sqrt{{{x}}}", rf"{a}{x}^{{1/2}}", rf"\sqrt{{{a * a}{x}}}", rf"{a}\sqrt {x}", rf"{a}\cdot\sqrt{{{x}}}", rf"\frac{{{a}{x}}}{{\sqrt{{{x}}}}}", rf"{a}{x}^2"]),
            (rf"\sqrt{{{x}^2}}", [rf"\sqrt{{{x}^2}}", x, f"|{x}|", rf"-{x}", rf"({x}^2)^{{1/2}}"]),
            (rf"\pi {x}^2 {y}", [rf"\pi {x}^2 {y}", rf"{x}^2 {y}\pi", rf"\pi {y}{x}^2", rf"\pi\cdot {x}^2\cdot {y}", rf"\pi {x}^{{2}}{y}", rf"2\pi {x}{y}", rf"3.14{x}^2{y}"]),
            (rf"{a}^{{{x}}}", [rf"{a}^{{{x}}}", f"{a}^{x}", rf"{a}\cdot {a}^{{{x}-1}}", rf"e^{{{x}\ln {a}}}", rf"{x}^{a}", rf"{a}^{{{x}+1}}/{a}"]),
            (rf"{x}^{{\frac{{{a}}}{{{b}}}}}", [rf"{x}^{{\frac{{{a}}}{{{b}}}}}", rf"{x}^{{{a}/{b}}}", rf"\sqrt[{b}]{{{x}^{a}}}", rf"(\sqrt[{b}]{{{x}}})^{a}", rf"{x}^({a}/{b})", rf"\sqrt[{a}]{{{x}^{b}}}"]),
            (rf"{n}!\,{x}", [rf"{n}!\,{x}", rf"{math.factorial(n)}{x}", rf"{x}\cdot {n}!", rf"{n}!{x}"]),
            (rf"\frac{{1}}{{{x}}}+\frac{{1}}{{{y}}}", [rf"\frac{{1}}{{{x}}}+\frac{{1}}{{{y}}}", rf"\frac{{{x}+{y}}}{{{x}{y}}}", rf"\frac{{1}}{{{y}}}+\frac{{1}}{{{x}}}", rf"\frac{{2}}{{{x}+{y}}}", rf"{x}^{{-1}}+{y}^{{-1}}"]),
            (rf"{x}{y}+{a}{x}+{b}", [rf"{x}{y}+{a}{x}+{b}", rf"{b}+{a}{x}+{x}{y}", rf"{x}({y}+{a})+{b}", rf"{y}{x}+{x}\cdot {a}+{b}", rf"{x}{y}+{a}{y}+{b}"]),
            (rf"{x}_{{{n}}}+{y}_{{{n}}}", [rf"{x}_{{{n}}}+{y}_{{{n}}}", rf"{x}_{n}+{y}_{n}", rf"{y}_{n}+{x}_{n}", rf"{x}_{n + 1}+{y}_{n}", rf"{x}+{y}"]),
        )
        return gold, self.altered(self.one_of(gold, *answers))

    def roots(self):
        """Nested radicals, roots in denominators, sums of roots."""
        a, b, c = self.one_of(2, 3, 5, 6, 7), self.one_of(2, 3, 5, 10, 11), self.r.randint(1, 9)
        gold, answers = self.one_of(
            (rf"\frac{{{c}}}{{\sqrt{{{a}}}}}", [rf"\frac{{{c}}}{{\sqrt{{{a}}}}}", rf"\frac{{{c}\sqrt{{{a}}}}}{{{a}}}", rf"{c}/\sqrt{{{a}}}", rf"\frac{{{c}}}{{\sqrt{a}}}", f"{c / math.sqrt(a):.8f}", f"{c / math.sqrt(a):.3f}", rf"{c}\cdot {a}^{{-1/2}}"]),
            (rf"\sqrt{{{a}}}+\sqrt{{{b}}}", [rf"\sqrt{{{a}}}+\sqrt{{{b}}}", rf"\sqrt{{{b}}}+\sqrt{{{a}}}", rf"\sqrt{{{a + b}}}", rf"\sqrt{a}+\sqrt{{{b}}}", rf"\sqrt{{{a + b}+2\sqrt{{{a * b}}}}}", f"{math.sqrt(a) + math.sqrt(b):.7f}", rf"\sqrt{{{a}}}-\sqrt{{{b}}}"]),
            (rf"\frac{{1}}{{\sqrt{{{a}}}+{c}}}", [rf"\frac{{1}}{{\sqrt{{{a}}}+{c}}}", rf"\frac{{1}}{{{c}+\sqrt{{{a}}}}}", rf"\frac{{\sqrt{{{a}}}-{c}}}{{{a - c * c}}}" if a != c * c else rf"\frac{{1}}{{\sqrt{{{a}}}+{c}}}", f"{1 / (math.sqrt(a) + c):.9f}", rf"(\sqrt{{{a}}}+{c})^{{-1}}"]),
            (rf"\sqrt{{{c}+\sqrt{{{a}}}}}", [rf"\sqrt{{{c}+\sqrt{{{a}}}}}", rf"\sqrt{{\sqrt{{{a}}}+{c}}}", rf"({c}+\sqrt{{{a}}})^{{\frac{{1}}{{2}}}}", f"{math.sqrt(c + math.sqrt(a)):.8f}", rf"\sqrt{{{c}-\sqrt{{{a}}}}}"]),
            (rf"\sqrt[3]{{{a * a}}}", [rf"\sqrt[3]{{{a * a}}}", rf"{a}^{{2/3}}", rf"\sqrt[3]{{{a}}}^2", rf"(\sqrt[3]{{{a}}})^2", rf"{a}^{{\frac{{2}}{{3}}}}", f"{a ** (2 / 3):.8f}", rf"\sqrt{{{a * a}}}"]),
            (rf"\sqrt{{\frac{{{a}}}{{{b}}}}}", [rf"\sqrt{{\frac{{{a}}}{{{b}}}}}", rf"\frac{{\sqrt{{{a}}}}}{{\sqrt{{{b}}}}}", rf"\frac{{\sqrt{{{a * b}}}}}{{{b}}}", rf"\sqrt{{{a}/{b}}}", f"{math.sqrt(a / b):.7f}", rf"\sqrt{{\frac{{{b}}}{{{a}}}}}"]),
            (rf"{c}\sqrt{{{a}}}\pi", [rf"{c}\sqrt{{{a}}}\pi", rf"{c}\pi\sqrt{{{a}}}", rf"\pi\cdot {c}\sqrt{{{a}}}", rf"{c}\pi\sqrt{a}", rf"{c}\sqrt{{{a}\pi}}"]),
            (rf"\frac{{{c}-\sqrt{{{a}}}}}{{2}}", [rf"\frac{{{c}-\sqrt{{{a}}}}}{{2}}", rf"\frac{{{c}}}{{2}}-\frac{{\sqrt{{{a}}}}}{{2}}", rf"\frac{{-\sqrt{{{a}}}+{c}}}{{2}}", rf"({c}-\sqrt{{{a}}})/2", rf"\frac{{{c}+\sqrt{{{a}}}}}{{2}}", rf"\frac{{1}}{{2}}({c}-\sqrt{{{a}}})"]),
        )
        return gold, self.altered(self.one_of(gold, *answers))

    def names(self):
        """Phrases, proper names and options as golds of mathematics."""
        w = self.one_of("Euler", "x-axis", "the second quadrant", "Wednesday", "heptagon", "scalene", "All of the above", "Mr. Smith", "Team A", "SSS", "AAS", "red and blue", "Not enough information", "increasing", "decreasing", "(C)", "(D)", "II", "IV", "XIV", "Yes, it does", "infinitely many", "zero", "ninety-nine",
                        "first", "NE", "150 miles", "12th", r"\text{(B)}", r"\text{increasing}", r"\text{II and III}", r"\mathrm{A}", r"\text{C}", r"\triangle ABC", r"\overline{AB}", r"\angle A", "circle", "March 14, 2021", "2021-03-14", "Paris, France", "p \\to q", "AC = BD", "sin x", "cos(x)", "f", "S_n", "N(0,1)")
        return w, self.one_of(w, w, w, w.lower(), w.capitalize(), w.upper(), rf"\text{{{w}}}", rf"\textbf{{{w}}}", rf"\mathrm{{{w}}}", w + ".", f"({w})", f"**{w}**", rf"\text{{ {w}}}", f"the {w}", f"{w}, because it fits", rf"\text{{{w}}}\text{{.}}", f'"{w}"', f"{w} and {w}", w.replace(" ", r"\ "), w.replace("-", " "), rf"\textit{{{w}}}", w.split()[0], f"not {w}",
                              rf"\mathbf{{{w}}}", rf"\boxed{{{w}}}", f"{w}: 5", rf"\text{{option {w}}}")

    def scientific(self):
        m, e = self.r.randint(11, 99) / 10, self.r.randint(-9, 12)
        gold = self.one_of(rf"{m}\times10^{{{e}}}", rf"{m} \times 10^{{{e}}}", rf"{m}\cdot 10^{{{e}}}", f"{m}e{e}", rf"{m}\times10^{{{e}}}\text{{ m/s}}", f"{m}\\times10^{e}" if 0 <= e < 10 else rf"{m}\times 10^{{{e}}}")
        return gold, self.altered(self.one_of(gold, gold, rf"{m}\times 10^{{{e}}}", f"{m}e{e}", f"{m}E{e}", f"{m}*10^{e}", f"{m}*10^({e})", f"{m}×10^{e}", f"{m} x 10^{e}", rf"{m * 10:g}\times10^{{{e - 1}}}", rf"{m / 10:g}\times10^{{{e + 1}}}", repr(m * 10.0 ** e), f"{m * 10.0 ** e:f}", rf"{m}0\times10^{{{e}}}", rf"{m}\times10^{{{e + 1}}}",
                                              rf"{m}\cdot10^{{{e}}}", rf"{m}\ast 10^{{{e}}}", rf"{m}\,\times\,10^{{{e}}}", f"{m}\\times10^{{{e}}}\\,\\mathrm{{kg}}", rf"10^{{{e}}}\times {m}", rf"-{m}\times10^{{{e}}}"))

    def percents(self):
        p = self.one_of(self.r.randint(1, 100), self.r.randint(1, 999) / 10, self.r.randint(1, 9999) / 100)
        gold = self.one_of(rf"{p}\%", f"{p}%", rf"{p} \%", f"{p} percent", rf"{p}\text{{ percent}}", rf"{p}\text{{\%}}", str(p), rf"\frac{{{p}}}{{100}}")
        return gold, self.altered(self.one_of(gold, gold, rf"{p}\%", f"{p}%", f"{p}", f"{p} %", rf"{p}\ \%", rf"{p}\,\%", f"{p} percent", f"{round(p / 100, 8)}", rf"\frac{{{p}}}{{100}}", rf"{p}\text{{ percent}}", rf"{p}\text{{\%}}", rf"{p}.0\%", f"{p + 1}%", rf"\text{{{p}\%}}", f"{p} percentage points", rf"{p}\%=\frac{{{p}}}{{100}}", rf"{p}pct", f"-{p}%"))

    def bases(self):
        n, b = self.r.randint(5, 400), self.one_of(2, 3, 5, 6, 8, 16)
        digits, m = "", n
        while m:
            digits, m = "0123456789ABCDEF"[m % b] + digits, m // b
        gold = self.one_of(f"{digits}_{{{b}}}", f"{digits}_{b}", digits, rf"{digits}_{{\text{{{b}}}}}", rf"({digits})_{{{b}}}")
        return gold, self.altered(self.one_of(gold, gold, digits, f"{digits}_{b}", f"{digits}_{{{b}}}", f"{n}", f"{n}_{{10}}", rf"{digits}_{{b}}", f"({digits})_{b}", f"({digits})_{{{b}}}", f"0{digits}_{b}", digits.lower(), rf"{digits}\text{{ (base }}{b})", f"{digits[::-1]}_{b}"))

    WIDER = {"money": money, "clock": clock, "ratio": ratios, "logarithm": logarithms, "trigonometry": trigonometry, "complex": complexes, "solution": solutions, "inequality": inequalities, "vector": vectors, "product": products,
             "root": roots, "name": names, "scientific": scientific, "percentage": percents, "base": bases}

    def framed(self, answer):
        """Another completion around an answer: headings, lists, alignments, several steps, other languages, retractions."""
        box, other = rf"\boxed{{{answer}}}", self.integer()
        return self.one_of(
            f"### Step 1\nCompute {other}.\n\n### Final Answer\n\n$${box}$$", f"1. First, ${other} + 1 = {other + 1}$.\n2. Then ${answer}$.\n\n**Answer: ${answer}$**", f"\\begin{{align*}}\nx &= {other} - {other}\\\\\n&= {box}\n\\end{{align*}}", f"$$x = {other}$$\nso that\n$$y = {answer}.$$", f"Thus, we have {box}$.$",
            f"Let $f(x) = x^2$. Then $f(2) = 4$ and the value is $\\boxed{{\\text{{{answer}}}}}$", f"- Option one: {other}\n- Option two: {answer}\n\nThe correct answer is {answer}", f"Hence the required number is ${answer}$, as claimed.", f"所以答案是 $\\boxed{{{answer}}}$。", f"La respuesta es ${answer}$.", f"答案：{answer}", f"Answer:\n{answer}", f"Answer:\n\n$${answer}$$",
            f"**Final Answer:** {answer}", f"**Final Answer:** ${answer}$", f"Final Answer: The final answer is ${answer}$. I hope it is correct.", f"The final answer is\n$$\n{answer}\n$$", f"final answer is ${other}$, no, ${answer}$", f"The answer is therefore ${answer}$.", f"The answer should be {answer}.", f"My final answer is {box}, not {other}.",
            f"```\n{answer}\n```", f"$x={other}$, $y={answer}$", f"$x={other}$ and $y={answer}$.", f"It equals ${answer}$ (see above).", f"({box})", f"\\[ x = {other} \\quad\\Rightarrow\\quad {box} \\]", f"\\( {answer} \\) is the result", f"\\[{answer}\\]\n\nDone.", f"${answer}$.\n\nLet me double check: ${other} = {other}$.", f"So {box} or equivalently {box}.",
            f"<think>\nMaybe $\\boxed{{{other}}}$.\n</think>\n\nThe final answer is {box}.", f"<think>{other}</think><answer>The answer is ${answer}$.</answer>", f"<think>{answer}</think><answer>{other}</answer>", f"<think>a</think>\n<answer>{box}</answer>\n", f"<answer>{answer}</answer>", f"The probability is $P = {answer} \\approx 0.{abs(other) % 100}$.",
            f"$\\boxed{{{other}}}$ is what one might think. But really it is $\\boxed{{{answer}}}$.", f"We get ${answer}={other}$?? No: $\\boxed{{{answer}}}$", f"\\boxed{{{answer}}}\n\n(Here {other} was the number given.)", f"Total = {answer}", f"= {answer}", f"so x = {answer}.", f"The area is {answer} square units.", f"There are {answer} such numbers.", f"${answer}$ units, or ${other}$ in all.",
            f"\\text{{Answer: }}{box}", f"$\\text{{Answer: }}{answer}$", f"answer is $${answer}$$ and so on", f"The answer is: \\\\({answer}\\\\)", f"The answer is: $\\boxed{{{answer}}}$ and the check gives ${other}$.", f"{other}\n{answer}", f"Ans: {answer}", f"A: {answer}", f"$\\mathbf{{Answer}}$: ${answer}$", f"$$\\boxed{{{answer}}}$$ $$\\boxed{{{answer}}}$$",
            f"I think the answer is {answer}, but I am not sure.", f"\\boxed{{x = {answer}}}", f"\\boxed{{{answer}\\text{{ cm}}}}", f"\\boxed{{\\textbf{{(A)}}\\ {answer}}}", f"\\boxed{{\\mathrm{{(B)}}~{answer}}}", f"$\\boxed{{\\displaystyle {answer}}}$", f"$\\framebox{{{answer}}}$", f"\\boxed{{\n{answer}\n}}", f"\\boxed\n{{{answer}}}",
        )

    # ---- GSM8K's own format ----

    def gsm(self):
        """A number after four hash signs, as people who imitate GSM8K write it, and near misses."""
        n = self.one_of(self.r.randint(0, 50), self.r.randint(-40, 400), self.r.randint(1000, 99999), self.r.randint(10**5, 10**7))
        s = self.one_of(str(n), str(n), str(n), str(n), f"{n}.5", f"{n}.00", f"{n}.25")
        gold = self.one_of(*[s] * 24, f"{n:,}", f"{s}.", f" {s}", f"+{s}")
        other = self.one_of(n + 1, n - 1, -n, n * 10, self.r.randint(0, 999))
        value = self.one_of(s, f"{n:,}" if s == str(n) else s, str(other)) if self.r.random() < 0.6 else self.one_of(s, s, s, s, s, s, s, f"{n:,}", f"{n:,}", f"{n:,}", str(other), str(other), f"{n}.0", f"0{s}", f"{s}.", f"{s},", f"+{s}", f"-{s}", f"- {s}", f"${s}", f"\\${s}", f"{s}%", f"{s} apples", f"${s} dollars", f"{s}/1", f"x={s}", f"**{s}**", f"[{s}]", f"{s}{other}", f"{s} {other}", f".{s}", f"{s}..", f"{s},,", f"{n}e0", ".", ",", "", "none", f"\\boxed{{{s}}}", f"{s}.5.5",
                            "\u0663", "\uff15", f"{n:,}.00", f"{n:_}", f"{s}\u00a0")
        steps = self.one_of("", "", f"She has {other} + 1 = <<{other}+1={other + 1}>>{other + 1} apples.\n", f"First {other}.\nThen {n}.\n", f"Let x be {other}.\n\n", f"#### {other}\nNo, wait.\n", f"The answer is {other}.\n")
        hashes = "#### " if self.r.random() < 0.7 else self.one_of("#### ", "#### ", "#### ", "#### ", "#### ", "#### ", "#### ", "#### ", "####", "### ", "##### ", "####  ", "####\n", "####: ", "# #### ", "Answer: ", "#### #### ", "####\t", "The answer is #### ", " #### ", "\\#\\#\\#\\# ")
        after = "" if self.r.random() < 0.6 else self.one_of("", "", "", "", "", "", "", "", "\n", ".", " dollars", "\n\nDone.", f" or {other}", f"\n#### {other}", f"\n####{other}", f" #### {other}", "." + " I am sure." * 20, " " * 290, " " * 300, "x" * 296, "\n" * 298, f" = {other}", "!", f"\n#### -", "\n#### .")
        return "gsm", [gold], f"{steps}{hashes}{value}{after}", []

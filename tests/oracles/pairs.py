"""Generated (gold, completion) pairs of every type, for the scorers that are compared.

Pairs are drawn from grammars of golds and of ways to answer: right in other notation, near misses, and wrong. Another seed
gives other pairs; nothing here knows what any scorer says.
"""
import math
import random

from wider import Wider


def signed(n):
    return f"+{n}" if n >= 0 else str(n)


def times(n):
    """A coefficient as people write it."""
    return "" if n == 1 else "-" if n == -1 else str(n)


class Pairs(Wider):
    """One stream of pairs for each seed."""

    def __init__(self, seed):
        self.r = random.Random(seed)

    def one_of(self, *options):
        return self.r.choice(options)

    # ---- One value, many notations ----

    UNITS = ["cm", "m", "km", "kg", "g", "mm", "inches", "feet", "ft", "hours", "minutes", "seconds", "s", "days", "years", "dollars",
             "cents", "mph", "units", "square units", "cm^2", "cm^3", "m^2", "square feet", "degrees", "percent", "students", "apples",
             "ways", "points", "miles per hour", "liters", "gallons", "people", "marbles", "sides"]

    def with_unit(self, s):
        u = self.r.choice(self.UNITS)
        return self.one_of(f"{s} {u}", f"{s}{u}", rf"{s}\text{{ {u}}}", rf"{s} \text{{ {u}}}", rf"{s}\mathrm{{{u}}}", rf"{s}\ \mathrm{{{u}}}",
                           rf"{s}~\text{{{u}}}", rf"{s}\,\text{{{u}}}", rf"{s} \mbox{{ {u}}}", rf"{s}\textrm{{ {u}}}", rf"{s}\text{{{u}}}^2",
                           rf"{s} \text{{ {u}}}^{{2}}", f"{s} ({u})", rf"\text{{{s} {u}}}", rf"{s}\operatorname{{{u}}}")

    def wrapped(self, s):
        """The same thing within something that usually means nothing."""
        return self.one_of(f" {s} ", f"({s})", f"{{{s}}}", rf"\left({s}\right)", rf"\displaystyle {s}", rf"\boxed{{{s}}}", f"${s}$", rf"\({s}\)",
                           rf"\mathbf{{{s}}}", rf"\textbf{{{s}}}", rf"\text{{{s}}}", rf"{s}.", rf"{s},", rf"{s}\,", rf"\;{s}", rf"\!{s}", rf"{s}\quad",
                           rf"{s}~", rf"\mathrm{{{s}}}", rf"\bf{{{s}}}", rf"{{\bf {s}}}", rf"[{s}]", rf"\left[{s}\right]", rf"\{{{s}\}}", rf"\boldsymbol{{{s}}}",
                           rf"\fbox{{{s}}}", rf"**{s}**", rf"\underline{{{s}}}", rf"\mathit{{{s}}}", rf"\color{{red}}{s}", rf"\textcolor{{blue}}{{{s}}}",
                           f"{s}\n", f"\n{s}", rf"\emph{{{s}}}", rf"\phantom{{0}}{s}", rf"\quad {s}", rf"{s} \qquad", rf"\ {s}\ ", f"\\[{s}\\]")

    def named(self, s):
        v = self.one_of("x", "y", "n", "k", "a", "A", "P", "S", "m", "d", "V", "AB", r"\theta", r"\alpha", "f(x)", "f(2)", "x_1", "x_{2}", "a_n", r"\angle ABC",
                        r"\text{Area}", r"\text{answer}", "P(A)", r"\triangle", r"m\angle A", "g(-1)", "T_5", r"\frac{a}{b}", r"\lvert x\rvert", "x^2", "2x")
        return self.one_of(f"{v}={s}", f"{v} = {s}", rf"{v}\approx {s}", rf"{v} \equiv {s}", rf"{v}:={s}", f"{s}={v}", rf"{v}&={s}", rf"{v}={s}={s}", rf"{v}\in\{{{s}\}}")

    def noisy(self, s):
        """Something around that changes the meaning or may do so."""
        return self.one_of(rf"\approx {s}", f"about {s}", rf"\le {s}", rf"\sim {s}", f"{s}?", f"~{s}", f"answer {s}", rf"{s} \text{{(approx)}}", rf"{s} \text{{ or so}}",
                           f"at least {s}", rf"\text{{at most }}{s}", f"{s} or more", rf"\neg {s}", f"<{s}", f">{s}", rf"{s}\ldots", f"{s}...", rf"{s}+C", f"{s}+c", f"-{s}", f"-({s})",
                           f"1+{s}", f"{s}+0", rf"{s}\cdot 1", rf"{s}\times 1", f"0{s}", f"+{s}", f"{s}0", f"{s}1", f"{s}/1", f"{s}^1", f"({s})^1", rf"\frac{{{s}}}{{1}}", f"{s}!",
                           f"|{s}|", rf"\left|{s}\right|", rf"\lfloor {s}\rfloor", rf"\lceil {s} \rceil", rf"\pm {s}", rf"\mp {s}", rf"\$ {s}", rf"\${s}", f"${s}", f"€{s}", rf"{s}\%", f"{s}%", f"{s} %",
                           rf"{s}^\circ", rf"{s}^{{\circ}}", f"{s}°", rf"{s}^{{\text{{o}}}}", rf"{s} \text{{ degrees}}", rf"{s}\degree", f"{s}x", f"x{s}", rf"{s}\pi", rf"\sqrt{{{s}}}", rf"{s}_{{10}}",
                           f"{s}_2", rf"{s} \pmod{{7}}", rf"{s}\mod 5", f"{s}i", f"{s}:1", f"{s} = {s}", f"{s} or {s}", f"{s}, {s}", rf"{s}\text{{ and }}{s}", f"not {s}", f"{s} <", f"={s}", f"= {s}", rf"\to {s}",
                           rf"\Rightarrow {s}", rf"\therefore {s}", f"#{s}", f"{s};", f"{s}:", f"'{s}'", f'"{s}"', f"`{s}`", rf"\\{s}", f"{s}}}", f"{{{s}", f"({s}", f"{s})", f"{s}\\")

    def altered(self, s):
        """`s` as an answer: mostly as it is or harmlessly wrapped."""
        roll = self.r.random()
        if roll < 0.5:
            return s
        if roll < 0.65:
            return self.wrapped(s)
        if roll < 0.78:
            return self.with_unit(s)
        if roll < 0.88:
            return self.named(s)
        return self.noisy(s)

    # ---- Types of values: gold, answers ----

    def integer(self):
        return self.r.choice([self.r.randint(0, 20), self.r.randint(-30, 300), self.r.randint(1000, 99999), self.r.randint(100000, 10**9)])

    def number(self, n):
        """Ways to write an integer."""
        ways = [str(n), str(n), f"{n}.0", f"{n}.", f"+{n}", f"0{n}", rf"\frac{{{2 * n}}}{{2}}", f"{2 * n}/2", f"{n}/1", f"{n - 1}+1", rf"{n}\times 1", f"{n}e0", f"{n + 1}", f"-{n}",
                f"{n}.5", f"{n}.0000001", f"{n}.00000001", rf"\sqrt{{{n * n}}}", f"|{n}|", f"{n} or {n + 1}", rf"{n} \text{{ or }} {n + 1}", f"{n}, {n + 1}", f"{n} = {n}", f"{n + 1} = {n}",
                rf"{n}\,000", f"{n}!", f"{n}.00", f"{n}.000", f"{n} {n}", f"{n}-{n + 1}", rf"{n}\text{{th}}", rf"{n}^{{th}}", f"{n}th", f"({n})", f"{n}^2", rf"10^{{{len(str(abs(n)))}}}", f"{n}*10^0",
                rf"{n}\times 10^0", rf"{n}\times10^{{2}}", f"{n}e2", f"{n}E0", rf"2^{{{abs(n) % 12}}}", f"{n} remainder 1", f"{n}R1", rf"{n}_{{8}}", f"{n}_{{10}}", rf"\log_{{10}}{{{10 ** (abs(n) % 7)}}}",
                rf"\binom{{{abs(n) % 9 + 2}}}{{2}}", rf"{{{abs(n) % 9 + 2}}}\choose 2", f"C({abs(n) % 9 + 2},2)", rf"{n}\cdot 10", rf"\left\lfloor {n}.3\right\rfloor", f"{n} \\text{{ and }} {n}", f"{n - 2}+2={n}",
                rf"{n}\equiv {n}", rf"{n} \pmod{{{abs(n) + 3}}}"]
        if abs(n) >= 1000:
            s = f"{n:,}"
            ways += [s, s, s, s.replace(",", "{,}"), s.replace(",", r"\!,\!"), s.replace(",", r"\,"), s.replace(",", " "), s.replace(",", "."), s.replace(",", "'"), s.replace(",", r"{,}\!"),
                     s + ".00", s.replace(",", ", "), s.replace(",", "~"), s.replace(",", r"\;")]
        return self.r.choice(ways)

    def integers(self):
        n = self.integer()
        gold = self.r.choice([str(n)] * 8 + [f"{n:,}", f"{n}.0", rf"\${n}", rf"{n}\%", rf"{n}^\circ", rf"{n}^{{\circ}}", rf"{n} \text{{ cm}}", rf"x={n}", f"{n} dollars", f"{n:,}".replace(",", r",\!"), rf"\text{{{n}}}"])
        return gold, self.altered(self.r.choice([str(n), self.number(n)]))

    def decimals(self):
        n = self.r.choice([self.r.randint(1, 999) / 10, self.r.randint(1, 9999) / 100, self.r.randint(1, 9) / 1000, self.r.randint(1, 99999) / 100000, self.r.randint(1000, 9999999) / 100])
        s = f"{n:.10f}".rstrip("0")
        s = s + "0" if s.endswith(".") else s
        gold = self.r.choice([s] * 6 + [s + "0", s.lstrip("0") or "0", f"-{s}", rf"\${s}", rf"{s}\%", f"{s} cm", rf"{s} \text{{ m}}", f"x={s}", f"{n:,}"])
        near = [s, s, s + "0", s.lstrip("0"), f"{n + 1e-7:.8f}", f"{n + 1e-5:.6f}", f"{n + 4e-7:.8f}", f"{n:.7f}", f"{n * 1.02:.4f}", f"{n * 1.06:.4f}", f"-{s}", f"{round(n * 100, 6):g}%",
                rf"{round(n * 100, 6):g}\%", f"{n:.1f}", f"{n:.2f}", f"{n:.0f}", f"{int(n * 1000)}/1000", rf"\frac{{{int(round(n * 1000))}}}{{1000}}", rf"\frac{{{int(round(n * 100000))}}}{{100000}}", f"{n:e}",
                s.replace(".", ","), f"{s}.", f"{int(n)}", f"{n:,}", f"{s}e0", rf"{n / 10:.6g}\times 10", rf"{n / 10:.6g}\times 10^1", rf"{n * 100:.6g}\cdot 10^{{-2}}", f"{n / 10:.6g}e1", f"{n:.3f}", f"{n:.12f}",
                f"{s}\\ldots", f"{s}\\overline{{3}}", rf"{s}\bar{{3}}", f"0{s}", f"{s} {s}", f"{s}-{s}", rf"{int(n)}\frac{{1}}{{2}}", s.replace(".", "."), s.replace(".", r"{.}"), s.replace(".", ". ")]
        return gold, self.altered(self.r.choice(near))

    def fractions(self):
        a, b = self.r.choice([(self.r.randint(-12, 40), self.r.randint(2, 24)), (self.r.randint(100, 3000), self.r.randint(7, 900))])
        gold = self.one_of(rf"\frac{{{a}}}{{{b}}}", rf"\frac{{{a}}}{{{b}}}", rf"\dfrac{{{a}}}{{{b}}}", f"{a}/{b}", rf"\tfrac{{{a}}}{{{b}}}", rf"\cfrac{{{a}}}{{{b}}}", rf"-\frac{{{a}}}{{{b}}}", rf"\frac{{{a}}}{{{b}}}\text{{ cm}}",
                           rf"\frac {{{a}}}{{{b}}}")
        k = self.r.randint(2, 4)
        answers = [rf"\frac{{{a}}}{{{b}}}", rf"\frac{{{a}}}{{{b}}}", rf"\dfrac{{{a}}}{{{b}}}", rf"\tfrac{{{a}}}{{{b}}}", f"{a}/{b}", f"{a} / {b}", rf"\frac{{{k * a}}}{{{k * b}}}", f"{k * a}/{k * b}", f"{a / b:.3f}", f"{a / b:.6f}",
                   f"{a / b:.7f}", f"{a / b:.2f}", f"{a / b:.4f}", repr(a / b), rf"\frac{{{b}}}{{{a}}}", rf"-\frac{{{a}}}{{{b}}}", rf"\frac{{-{a}}}{{{b}}}", rf"\frac{{{a}}}{{-{b}}}", rf"\frac{{{a + 1}}}{{{b}}}",
                   rf"\left(\frac{{{a}}}{{{b}}}\right)", f"{a}:{b}", rf"{a}\div {b}", f"({a})/({b})", f"({a}/{b})", rf"\frac {{{a}}} {{{b}}}", rf"{{{a}\over {b}}}", rf"{a}\over{b}", rf"{a}\cdot\frac{{1}}{{{b}}}", rf"{a}\cdot {b}^{{-1}}",
                   rf"\frac{{1}}{{{b}}}\cdot {a}", rf"\frac{{{a}.0}}{{{b}}}", rf"\frac{{{a / b:.4f}}}{{1}}", rf"{100 * a / b:.2f}\%", rf"\cfrac{{{a}}}{{{b}}}", f"{a}÷{b}", rf"\frac{{{a}}}{{{b}}}=\frac{{{k * a}}}{{{k * b}}}",
                   rf"\frac{{{a}}}{{{b}}}\approx {a / b:.2f}", rf"{a} \text{{ out of }} {b}", f"{a} of {b}", rf"\frac{{\frac{{{a}}}{{2}}}}{{\frac{{{b}}}{{2}}}}", rf"\frac{{{a}}}{{{b}}}+0", rf"1-\frac{{{b - a}}}{{{b}}}", rf"\sfrac{{{a}}}{{{b}}}",
                   rf"{a}^{{1}}/{b}", rf"\frac{a}{b}", rf"\frac{a}{{{b}}}", rf"\frac{{{a}}}{b}", rf"\frac{{{a}}}{{{b}}}\%"]
        if a > b > 0 and a % b:
            q, r = divmod(a, b)
            mixed = [rf"{q}\frac{{{r}}}{{{b}}}", f"{q} {r}/{b}", rf"{q} \frac{{{r}}}{{{b}}}", f"{q}+{r}/{b}", rf"{q}+\frac{{{r}}}{{{b}}}", rf"{q}\ \frac{{{r}}}{{{b}}}", rf"{q}\dfrac{{{r}}}{{{b}}}", rf"{q}\,\frac{{{r}}}{{{b}}}",
                     rf"{q} \text{{ }} \frac{{{r}}}{{{b}}}", f"{q}-{r}/{b}", rf"-{q}\frac{{{r}}}{{{b}}}", f"{q}({r}/{b})", rf"{q}\tfrac{{{r}}}{{{b}}}", rf"{q}\cdot\frac{{{r}}}{{{b}}}"]
            answers += mixed
            if self.r.random() < 0.3:
                gold = self.r.choice(mixed[:3] + mixed[5:8])
        return gold, self.altered(self.r.choice(answers))

    def surds(self):
        c, n, d = self.r.randint(1, 6), self.one_of(2, 3, 5, 6, 7, 8, 12, 18, 13, 50), self.r.randint(1, 5)
        k = times(c)
        core = rf"{k}\sqrt{{{n}}}"
        gold = core if d == 1 else self.one_of(rf"\frac{{{core}}}{{{d}}}", rf"\dfrac{{{core}}}{{{d}}}", rf"\frac{{{c}}}{{{d}}}\sqrt{{{n}}}", f"{core}/{d}")
        if self.r.random() < 0.2:
            e = self.r.randint(1, 9)
            gold, core = self.one_of((rf"{e}+{core}", rf"{e}+{core}"), (rf"{e}-{core}", rf"{e}-{core}"), (rf"\frac{{{e}+{core}}}{{{d}}}", rf"\frac{{{core}+{e}}}{{{d}}}"), (rf"{e}\pm {core}", rf"{e}+{core}, {e}-{core}"),
                                     (rf"\frac{{{e}\pm {core}}}{{{d}}}", rf"\frac{{{e}+{core}}}{{{d}}}, \frac{{{e}-{core}}}{{{d}}}"), (rf"{e}\sqrt{{{n}}}+{core}", rf"{core}+{e}\sqrt{{{n}}}"), (rf"\sqrt{{{e}+{core}}}", rf"\sqrt{{{core}+{e}}}"))
            return gold, self.altered(self.one_of(gold, core, core, gold.replace("+", "-"), gold.replace(r"\sqrt{", r"\sqrt {")))
        value = c * n ** 0.5 / d
        inner = c * c * n
        over = lambda s: s if d == 1 else self.one_of(rf"\frac{{{s}}}{{{d}}}", f"{s}/{d}")
        answers = [gold, gold, core, over(rf"\sqrt{{{inner}}}"), f"{value:.3f}", f"{value:.8f}", f"{value:.6f}", over(rf"{k}\sqrt{n}") if n < 10 else gold, over(f"{k}√{n}"), over(f"{c}*sqrt({n})"), over(f"{c}sqrt({n})"),
                   rf"{c + 1}\sqrt{{{n}}}", rf"{k} \cdot \sqrt{{{n}}}" if c > 1 else gold, rf"\frac{{{c * n}}}{{{d}\sqrt{{{n}}}}}", rf"-{gold}", rf"{n}^{{1/2}}", over(rf"{c}\cdot {n}^{{\frac{{1}}{{2}}}}"), over(rf"{c}\times\sqrt{{{n}}}"),
                   over(rf"\sqrt{{{n}}}\cdot {c}"), over(rf"\sqrt{{{n}}} {c}"), over(rf"{k}\sqrt {{{n}}}"), over(rf"{k}\sqrt[2]{{{n}}}"), rf"\sqrt[3]{{{inner}}}", over(rf"{k}{{\sqrt{{{n}}}}}"), over(rf"{k}\sqrt{{{n}.0}}"), rf"\sqrt{{\frac{{{inner}}}{{{d * d}}}}}",
                   rf"{gold}\approx {value:.2f}", f"{c}({n})^(1/2)", over(rf"\sqrt{c * c}\sqrt{{{n}}}"), rf"\sqrt{{{inner / d / d:.6g}}}", rf"{k}\sqrt{{{n}}}\div {d}", over(rf"{k}\surd{{{n}}}"), over(f"{k}\\sqrt({n})")]
        return gold, self.altered(self.r.choice(answers))

    def constants(self):
        a, b = self.r.randint(1, 9), self.r.randint(1, 8)
        k = times(a)
        return self.r.choice([
            lambda: (rf"{k}\pi", [rf"{k}\pi", f"{k}π", f"{k}pi", f"{a * math.pi:.2f}", f"{a * math.pi:.8f}", rf"{a}\times\pi", rf"\pi \cdot {a}", rf"{a + 1}\pi", rf"{k}\pi r^2", rf"\pi{a}", rf"{k} \pi\text{{ cm}}^2",
                                  rf"\pi\times {a}", rf"{a}.0\pi", rf"{k}\mathrm{{\pi}}", rf"{k}\pi \text{{ square units}}", f"{k}*pi", rf"{k}\Pi", rf"({k}\pi)", rf"{k}{{\pi}}", rf"180{k}^\circ"]),
            lambda: (rf"\frac{{{k}\pi}}{{{b + 1}}}", [rf"\frac{{{k}\pi}}{{{b + 1}}}", rf"\frac{{{a}}}{{{b + 1}}}\pi", rf"{k}\pi/{b + 1}", f"{a * math.pi / (b + 1):.7f}", rf"\frac{{\pi}}{{{b + 1}}}", rf"\dfrac{{{k} \pi}}{{{b + 1}}}",
                                                      rf"{a / (b + 1):.4g}\pi", rf"\frac{{\pi}}{{{b + 1}}}\cdot {a}", rf"{180 * a / (b + 1):g}^\circ", rf"\frac{{{2 * a}\pi}}{{{2 * b + 2}}}", rf"-\frac{{{k}\pi}}{{{b + 1}}}"]),
            lambda: (rf"e^{a + 1}", [rf"e^{a + 1}", rf"e^{{{a + 1}}}", rf"\exp({a + 1})", rf"e^{{{a}}}\cdot e", f"{math.e ** (a + 1):.5f}", f"{math.e ** (a + 1):.8f}", "e", rf"\mathrm{{e}}^{{{a + 1}}}", rf"\text{{e}}^{{{a + 1}}}", rf"\exp{{{a + 1}}}",
                                     rf"(e)^{{{a + 1}}}", rf"\frac{{1}}{{e^{{-{a + 1}}}}}"]),
            lambda: (rf"\ln {a + 1}", [rf"\ln({a + 1})", rf"\ln {a + 1}", rf"\log_e {a + 1}", rf"\ln{{{a + 1}}}", rf"\log {a + 1}", rf"-\ln\frac{{1}}{{{a + 1}}}", f"{math.log(a + 1):.7f}", f"{math.log(a + 1):.3f}", rf"\ln\left({a + 1}\right)", rf"\frac{{1}}{{2}}\ln {(a + 1) ** 2}",
                                       rf"\ln |{a + 1}|", f"ln({a + 1})", f"ln {a + 1}", rf"\log_{{e}}({a + 1})"]),
            lambda: (rf"\log_{{{b + 1}}} {a + 1}", [rf"\log_{{{b + 1}}}{{{a + 1}}}", rf"\log_{b + 1} {a + 1}", rf"\log_{{{b + 1}}}({a + 1})", rf"\frac{{\ln {a + 1}}}{{\ln {b + 1}}}", rf"\frac{{\log {a + 1}}}{{\log {b + 1}}}", f"{math.log(a + 1) / math.log(b + 1):.7f}",
                                                    f"log_{b + 1}({a + 1})"]),
            lambda: (f"2^{{{a + 2}}}", [str(2 ** (a + 2)), f"2^{{{a + 2}}}", f"2^{a + 2}", f"4^{{{(a + 2) / 2:g}}}", str(2 ** (a + 2) + 1), f"2**{a + 2}", rf"2\cdot 2^{{{a + 1}}}", rf"2^{{{a}}}\cdot 4", f"{2 ** (a + 2)}.0", rf"2^{{{a + 2}}}={2 ** (a + 2)}"]),
            lambda: (f"{a + 2}!", [f"{a + 2}!", str(math.factorial(a + 2)), f"{a + 1}!", rf"{a + 2}\cdot {a + 1}!", f"({a + 2})!", f"{math.factorial(a + 2):,}"]),
            lambda: (str(2 ** (a + 20)), [f"2^{{{a + 20}}}", f"2^{a + 20}", str(2 ** (a + 20)), f"{2 ** (a + 20):,}", f"{2 ** (a + 20):.3e}", rf"{2 ** (a + 20) / 10 ** 6:.6g}\times 10^6", f"4^{{{(a + 20) // 2}}}"]),
            lambda: (f"{a}+{b}i", [f"{a}+{b}i", f"{a} + {b}i", f"{b}i+{a}", f"{a}-{b}i", f"{a}+{b}j", f"{a}+i{b}", rf"{a}+{b}\mathrm{{i}}", rf"{a}+{b}\sqrt{{-1}}", f"({a}+{b}i)", f"({a},{b})", rf"{a}+{b}\cdot i", f"{a + 1}+{b}i", f"{a}+{b}*I"]),
            lambda: (rf"\frac{{{a}}}{{{b + 1}}}i", [rf"\frac{{{a}}}{{{b + 1}}}i", rf"\frac{{{k}i}}{{{b + 1}}}", rf"\frac{{{a}i}}{{{b + 1}}}", f"{a}i/{b + 1}", rf"-\frac{{{k}i}}{{{b + 1}}}"]),
            lambda: (rf"\sin {10 * a}^\circ", [rf"\sin {10 * a}^\circ", rf"\sin({10 * a}^\circ)", rf"\cos {90 - 10 * a}^\circ", f"{math.sin(math.radians(10 * a)):.7f}", rf"\sin {10 * a}", rf"\sin\frac{{{a}\pi}}{{18}}"]),
            lambda: (rf"\sqrt[3]{{{a + 1}}}", [rf"\sqrt[3]{{{a + 1}}}", rf"{a + 1}^{{1/3}}", rf"{a + 1}^{{\frac{{1}}{{3}}}}", rf"\sqrt{{{a + 1}}}", f"{(a + 1) ** (1 / 3):.7f}", rf"\sqrt[3]{a + 1}", f"∛{a + 1}", rf"\sqrt[6]{{{(a + 1) ** 2}}}"]),
            lambda: (rf"\arctan {a}", [rf"\arctan {a}", rf"\arctan({a})", rf"\tan^{{-1}} {a}", rf"\tan^{{-1}}({a})", f"{math.atan(a):.7f}", rf"\frac{{\pi}}{{2}}-\arctan\frac{{1}}{{{a}}}", rf"\operatorname{{arctan}}({a})", rf"\text{{arctan}}({a})"]),
            lambda: (rf"{a} \times 10^{{{b}}}", [rf"{a}\times10^{{{b}}}", rf"{a}\cdot 10^{b}", str(a * 10 ** b), f"{a * 10 ** b:,}", f"{a}e{b}", f"{a}E+0{b}", rf"{a}.0 \times 10^{b}", rf"{a}0\times 10^{{{b - 1}}}", f"{a}*10^{b}", f"{a} x 10^{b}", f"{a}×10^{b}"]),
            lambda: (self.one_of(r"\infty", r"-\infty", r"+\infty"), [r"\infty", r"-\infty", r"+\infty", "inf", "infinity", r"\text{infinity}", "∞", "-inf", r"\text{diverges}", r"\mathrm{DNE}"]),
            lambda: (rf"0.\overline{{{a}}}", [rf"0.\overline{{{a}}}", rf"\frac{{{a}}}{{9}}", f"0.{str(a) * 3}", f"0.{str(a) * 8}", f"0.{str(a) * 3}\\ldots", rf"0.\bar{{{a}}}", rf"0.\dot{{{a}}}", f"0.{a}"]),
            lambda: (rf"\binom{{{a + 4}}}{{{2}}}", [rf"\binom{{{a + 4}}}{{2}}", str(math.comb(a + 4, 2)), rf"\dbinom{{{a + 4}}}{{2}}", rf"{{{a + 4} \choose 2}}", rf"\frac{{{a + 4}!}}{{2!\cdot {a + 2}!}}", rf"\binom{{{a + 4}}}{{{a + 2}}}"]),
        ])()

    def constant(self):
        gold, answers = self.constants()
        return gold, self.altered(self.r.choice([gold, *answers, *answers]))

    def polynomials(self):
        a, b, c = self.r.randint(1, 6), self.r.randint(-6, 6), self.r.randint(-9, 9)
        x = self.one_of("x", "x", "t", "n", "a", "y", r"\theta", "r")
        k = times
        forms = {
            f"{k(a)}{x}{signed(b)}": [f"{k(a)}{x}{signed(b)}", f"{b}+{k(a)}{x}", f"{k(a)}{x} {'+' if b >= 0 else '-'} {abs(b)}", f"{k(a)}z{signed(b)}", f"{a}*{x}{signed(b)}", f"{k(a + 1)}{x}{signed(b)}", f"y={k(a)}{x}{signed(b)}",
                                      f"f({x})={k(a)}{x}{signed(b)}", rf"{a}\cdot {x}{signed(b)}", f"{a}({x}{signed(b)})", rf"{a}\left({x}+\frac{{{b}}}{{{a}}}\right)", f"-(-{k(a)}{x}{signed(-b)})", f"{a}{x.upper() if len(x) == 1 else x}{signed(b)}"],
            f"{x}^2{signed(b)}{x}{signed(c)}": [f"{x}^2{signed(b)}{x}{signed(c)}", f"{x}^{{2}}{signed(b)}{x}{signed(c)}", f"{c}{signed(b)}{x}+{x}^2", f"{x}^2{signed(b)}{x}{signed(c + 1)}", f"{x}({x}{signed(b)}){signed(c)}", f"{x}*{x}{signed(b)}*{x}{signed(c)}",
                                                f"{x}**2{signed(b)}*{x}{signed(c)}", f"{x}²{signed(b)}{x}{signed(c)}", rf"{x}\cdot {x}{signed(b)}{x}{signed(c)}", f"{x}^2{signed(b)}{x}{signed(c)}=0", f"{x}^3{signed(b)}{x}{signed(c)}"],
            f"({x}{signed(a)})({x}{signed(-b)})": [f"({x}{signed(a)})({x}{signed(-b)})", f"({x}{signed(-b)})({x}{signed(a)})", f"{x}^2{signed(a - b)}{x}{signed(-a * b)}", f"({x}{signed(a)})({x}{signed(b + 1)})", rf"\left({x}{signed(a)}\right)\left({x}{signed(-b)}\right)",
                                                   rf"({x}{signed(a)})\cdot({x}{signed(-b)})", f"({x}{signed(a)})*({x}{signed(-b)})", rf"({x}{signed(a)})\times({x}{signed(-b)})", f"-({x}{signed(a)})({b}-{x})"],
            rf"\frac{{{x}{signed(a)}}}{{{x}{signed(b)}}}": [rf"\frac{{{x}{signed(a)}}}{{{x}{signed(b)}}}", f"({x}{signed(a)})/({x}{signed(b)})", rf"\frac{{{a}+{x}}}{{{x}{signed(b)}}}", rf"\frac{{{x}{signed(b)}}}{{{x}{signed(a)}}}",
                                                            rf"1+\frac{{{a - b}}}{{{x}{signed(b)}}}", rf"\frac{{2{x}{signed(2 * a)}}}{{2{x}{signed(2 * b)}}}", rf"\dfrac{{{x}{signed(a)}}}{{{x}{signed(b)}}}"],
            f"y={k(a)}{x}{signed(b)}": [f"y={k(a)}{x}{signed(b)}", f"{k(a)}{x}{signed(b)}", f"y-{k(a)}{x}={b}", f"{k(a)}{x}-y{signed(b)}=0", f"y={b}+{k(a)}{x}", f"y={k(a)}{x}{signed(b + 1)}", f"2y={2 * a}{x}{signed(2 * b)}", f"x={k(a)}y{signed(b)}",
                                        f"y = {k(a)}{x} {'+' if b >= 0 else '-'} {abs(b)}", f"f({x})={k(a)}{x}{signed(b)}", rf"y=\frac{{{2 * a}{x}{signed(2 * b)}}}{{2}}", f"{k(a)}{x}{signed(b)}=y", f"y-{abs(c)}={k(a)}{x}{signed(b - abs(c))}"],
            rf"{x}^2+y^2={a * a}": [rf"{x}^2+y^2={a * a}", rf"y^2+{x}^2={a * a}", rf"{x}^2+y^2-{a * a}=0", rf"{a * a}={x}^2+y^2", rf"{x}^2+y^2={a}^2", rf"{x}^2+y^2={a}", rf"{x}^{{2}} + y^{{2}} = {a * a}", rf"\frac{{{x}^2}}{{{a * a}}}+\frac{{y^2}}{{{a * a}}}=1"],
            rf"{a}\sin {x}{signed(b)}": [rf"{a}\sin {x}{signed(b)}", rf"{a}\sin({x}){signed(b)}", rf"{b}+{a}\sin {x}", rf"{a}\sin\left({x}\right){signed(b)}", rf"{a}\cos {x}{signed(b)}", rf"{a}\sin{{{x}}}{signed(b)}", rf"{a}\cdot\sin {x}{signed(b)}",
                                         rf"{a}\cos(\frac{{\pi}}{{2}}-{x}){signed(b)}"],
            rf"{x}^{{{a + 1}}}": [rf"{x}^{{{a + 1}}}", f"{x}^{a + 1}", rf"{x}\cdot {x}^{{{a}}}", rf"{x}^{{{a}}}{x}", rf"({x})^{{{a + 1}}}", rf"{x}^{{{a}}}", f"{x}^({a + 1})", f"{x}**{a + 1}"],
            rf"{k(a)}{x}+{abs(b) + 1}y": [rf"{k(a)}{x}+{abs(b) + 1}y", rf"{abs(b) + 1}y+{k(a)}{x}", rf"{k(a)}{x}+{abs(b) + 1}z", rf"{a}\cdot {x}+{abs(b) + 1}\cdot y", rf"{k(a)}{x}-{abs(b) + 1}y"],
            rf"\frac{{{k(a)}{x}}}{{{abs(b) + 2}}}": [rf"\frac{{{k(a)}{x}}}{{{abs(b) + 2}}}", rf"\frac{{{a}}}{{{abs(b) + 2}}}{x}", f"{k(a)}{x}/{abs(b) + 2}", rf"{x}\cdot\frac{{{a}}}{{{abs(b) + 2}}}", rf"{a / (abs(b) + 2):.6g}{x}", rf"\frac{{{x}}}{{{abs(b) + 2}}}\cdot {a}"],
            rf"e^{{{k(a)}{x}}}": [rf"e^{{{k(a)}{x}}}", rf"\exp({k(a)}{x})", rf"(e^{x})^{{{a}}}", rf"e^{{{a}\cdot {x}}}", rf"e^{x}", rf"e^{{{k(a)}{x}}}+C"],
            rf"{x}\ge {a} \text{{ and }} {x}\le {a + 4}": [rf"{a}\le {x}\le {a + 4}", rf"[{a},{a + 4}]", rf"{x}\ge {a} \text{{ and }} {x}\le {a + 4}"],
        }
        gold = self.r.choice(list(forms))
        return gold, self.altered(self.r.choice(forms[gold] + [gold]))

    def tree(self, depth):
        """A random closed expression, and the same in another form."""
        if depth == 0:
            n = self.r.randint(1, 12)
            return self.r.choice([(str(n), str(n)), (str(n), str(n)), (rf"\sqrt{{{n}}}", rf"\sqrt{{{n}}}"), (r"\pi", r"\pi"), (rf"\frac{{{n}}}{{7}}", f"{n}/7")])
        (a, a2), (b, b2) = self.tree(depth - 1), self.tree(depth - 1)
        return self.r.choice([
            (f"{a}+{b}", f"{b2}+{a2}"), (f"{a}-({b})", f"-({b2})+{a2}"), (rf"\left({a}\right)\left({b}\right)", rf"({b2})\cdot({a2})"), (rf"\frac{{{a}}}{{{b}}}", f"({a2})/({b2})"),
            (rf"\left({a}\right)^2", rf"({a2})({a2})"), (rf"\sqrt{{{a}}}", rf"({a2})^{{1/2}}"), (rf"\left|{a}\right|", rf"|{a2}|"), (rf"2^{{{a}}}", rf"2^{{{a2}}}"), (rf"\ln\left({a}+1\right)", rf"\ln(1+{a2})"), (f"{a}+{b}", f"{a2}-{b2}"),
        ])

    def expressions(self):
        a, b = self.tree(self.one_of(1, 1, 2))
        return a, self.altered(self.one_of(a, b, b, a.replace("+", "-"), a.replace("2", "3"), a.replace(r"\left", "").replace(r"\right", "")))

    def collections(self):
        a, b, c = self.r.sample(range(-9, 20), 3)
        n = abs(a) + 1
        half = rf"\frac{{{n}}}{{2}}"
        choices = [
            (f"{a},{b}", [f"{a},{b}", f"{a}, {b}", f"{b},{a}", rf"\{{{a},{b}\}}", rf"{a} \text{{ and }} {b}", f"{a} and {b}", f"{a};{b}", f"x={a},x={b}", f"({a},{b})", f"{a}", rf"x={a} \text{{ or }} x={b}", f"{a} {b}", f"{a},{b},{c}",
                          rf"\boxed{{{a}}}, \boxed{{{b}}}", rf"{a}\text{{ or }}{b}", f"{a} or {b}", rf"{a}\quad {b}", rf"x_1={a},x_2={b}", rf"{a},\ {b}", rf"{a}, \text{{ and }} {b}", f"x={a},{b}", rf"\left\{{{a},{b}\right\}}", rf"{a}\text{{, }}{b}", f"[{a},{b}]"]),
            (f"({a},{b})", [f"({a},{b})", f"({a}, {b})", rf"\left({a},{b}\right)", f"({b},{a})", f"[{a},{b}]", f"{a},{b}", f"({a};{b})", f"({a},{b},{c})", f"(x,y)=({a},{b})", f"x={a},y={b}", rf"\langle {a},{b}\rangle", rf"({a},\,{b})", rf"\left( {a}, {b} \right)",
                            f"( {a} , {b} )", rf"({a}.0,{b}.0)", rf"\begin{{pmatrix}}{a}\\{b}\end{{pmatrix}}", rf"x={a} \text{{ and }} y={b}", f"({a},{b}),({b},{a})", f"({a + 1},{b})", rf"\big({a},{b}\big)", rf"\{{{a},{b}\}}"]),
            (rf"\left({half},{b}\right)", [rf"\left({half},{b}\right)", f"({n}/2,{b})", f"({n / 2},{b})", f"({b},{n}/2)", rf"\left(\frac{{{2 * n}}}{{4}},{b}\right)", rf"({half}, {b})"]),
            (f"({a},{b},{c})", [f"({a},{b},{c})", f"({a}, {b}, {c})", f"({c},{b},{a})", rf"\{{{a},{b},{c}\}}", f"{a},{b},{c}", f"[{a},{b},{c}]", rf"\left({a},{b},{c}\right)", f"({a},{b})", rf"\begin{{pmatrix}}{a}\\{b}\\{c}\end{{pmatrix}}"]),
            (rf"\{{{a},{b},{c}\}}", [rf"\{{{c},{a},{b}\}}", rf"\{{{a}, {b}, {c}\}}", f"{a},{b},{c}", f"{{{a},{b},{c}}}", rf"\{{{a},{b}\}}", f"({a},{b},{c})", rf"\left\{{{a},{b},{c}\right\}}", rf"\{{{a},{b},{c},{a}\}}", rf"x\in\{{{a},{b},{c}\}}", f"{c},{b},{a}",
                                     rf"{a}, {b}, \text{{ and }} {c}", f"{a}, {b} and {c}", f"[{a},{b},{c}]", rf"S=\{{{a},{b},{c}\}}"]),
            (rf"\pm {n}", [rf"\pm {n}", f"{n},-{n}", f"-{n}, {n}", f"{n}", f"±{n}", rf"x=\pm {n}", rf"\{{-{n},{n}\}}", rf"{n} \text{{ and }} -{n}", rf"\mp {n}", rf"+{n},-{n}", rf"\pm{n}", f"+/-{n}", rf"x = {n} \text{{ or }} x = -{n}"]),
            (f"({a},{b}),({b},{c})", [f"({a},{b}),({b},{c})", f"({b},{c}),({a},{b})", rf"({a},{b}) \text{{ and }} ({b},{c})", rf"\{{({a},{b}),({b},{c})\}}", f"({a},{b}), ({b},{c})", f"({a},{b})", f"({a},{b});({b},{c})", rf"(x,y)=({a},{b}),({b},{c})"]),
            (f"{a}:{abs(b) + 1}", [f"{a}:{abs(b) + 1}", rf"\frac{{{a}}}{{{abs(b) + 1}}}", f"{2 * a}:{2 * abs(b) + 2}", f"{a} : {abs(b) + 1}", f"{a}/{abs(b) + 1}", rf"{a}\colon {abs(b) + 1}", f"{a} to {abs(b) + 1}", f"{abs(b) + 1}:{a}"]),
            (r"\emptyset", [r"\emptyset", r"\{\}", r"\varnothing", "{}", r"\text{no solution}", r"\phi", "0", r"\{\emptyset\}", "∅"]),
        ]
        gold, answers = self.r.choice(choices)
        return gold, self.altered(self.r.choice(answers + [gold]))

    def intervals(self):
        a = self.r.randint(-9, 9)
        b = a + self.r.randint(1, 9)
        v = self.one_of("x", "x", "x", "y", "a", "t", "k", "m")
        w = "y" if v == "x" else "x"
        choices = [
            (f"[{a},{b})", [f"[{a},{b})", f"[{a}, {b})", f"[{a},{b}]", f"({a},{b})", rf"{a}\le {v}<{b}", rf"{a} \leq {v} < {b}", rf"\left[{a},{b}\right)", f"{v}\\in[{a},{b})", f"[{b},{a})", rf"[{a}.0,{b}.0)", rf"\big[{a},{b}\big)", rf"[{a},{b}[", f"({a},{b}]"]),
            (f"[{a},{b}]", [f"[{a},{b}]", f"[{a}, {b}]", rf"\left[{a},{b}\right]", f"({a},{b})", rf"{a}\le {v}\le {b}", rf"{a} \leqslant {v} \leqslant {b}", rf"\{{{a},{b}\}}", f"{a},{b}", rf"{v} \in [{a}, {b}]", rf"\lbrack {a},{b}\rbrack"]),
            (f"({a},{b})", [f"({a},{b})", rf"{a}<{v}<{b}", f"[{a},{b}]", rf"\left({a},{b}\right)", rf"{v}\in({a},{b})", f"]{a},{b}["]),
            (rf"(-\infty,{a})", [rf"(-\infty,{a})", rf"(-\infty, {a})", f"{v}<{a}", rf"(-\infty,{a}]", f"(-inf,{a})", f"{a}>{v}", rf"\left(-\infty,{a}\right)", rf"{v} \in (-\infty,{a})", f"(-∞,{a})", rf"(\infty,{a})", rf"(-\infty;{a})", rf"[-\infty,{a})"]),
            (rf"[{a},\infty)", [rf"[{a},\infty)", rf"[{a}, \infty)", rf"{v}\ge {a}", rf"{v} \geq {a}", rf"[{a},+\infty)", rf"({a},\infty)", rf"\left[{a},\infty\right)", f"[{a},inf)", rf"{a}\le {v}", rf"[{a},\infty]"]),
            (f"{v}<{a}", [f"{v}<{a}", f"{v} < {a}", f"{a}>{v}", rf"(-\infty,{a})", rf"{v}\le {a}", f"{v}>{a}", f"{w}<{a}", rf"(-\infty,{a}]", rf"{v}\lt {a}", f"{v}-{a}<0" if a >= 0 else f"{v}+{-a}<0", f"2{v}<{2 * a}", f"-{v}>{-a}"]),
            (rf"{v}\ge {a}", [rf"{v}\ge {a}", rf"{v} \geq {a}", f"{v}>={a}", rf"[{a},\infty)", f"{v}>{a}", rf"{a}\le {v}", rf"2{v}\ge {2 * a}", rf"{v}\geqslant {a}", f"{v}≥{a}", rf"{v} \ge {a + 1}", f"{v}={a}"]),
            (f"{a}<{v}<{b}", [f"{a}<{v}<{b}", f"{b}>{v}>{a}", f"({a},{b})", f"[{a},{b}]", rf"{a}\lt {v}\lt {b}", f"{a}<{w}<{b}", rf"{a} < {v} \le {b}", f"{a} < {v} < {b}", rf"{v}\in({a},{b})", f"{v}>{a}, {v}<{b}", rf"{v}>{a} \text{{ and }} {v}<{b}", rf"{a}<{v},{v}<{b}"]),
            (rf"{a}\le {v}\le {b}", [rf"{a}\le {v}\le {b}", rf"{a} \leq {v} \leq {b}", rf"[{a},{b}]", rf"{b}\ge {v}\ge {a}", rf"{a}<{v}<{b}", f"{a}<={v}<={b}", f"{a}≤{v}≤{b}"]),
            (rf"(-\infty,{a})\cup({b},\infty)", [rf"(-\infty,{a})\cup({b},\infty)", rf"(-\infty, {a}) \cup ({b}, \infty)", rf"({b},\infty)\cup(-\infty,{a})", rf"(-\infty,{a}]\cup[{b},\infty)", rf"{v}<{a} \text{{ or }} {v}>{b}", f"{v}<{a} or {v}>{b}",
                                                 rf"\left(-\infty,{a}\right)\cup\left({b},\infty\right)", rf"(-\infty,{a})\cup ({b},+\infty)", rf"(-\infty,{a}),({b},\infty)", rf"(-\infty,{a}) \text{{ or }} ({b},\infty)", rf"\mathbb{{R}}\setminus[{a},{b}]"]),
            (rf"[{a},{b}]\cup[{b + 2},{b + 4}]", [rf"[{a},{b}]\cup[{b + 2},{b + 4}]", rf"[{b + 2},{b + 4}]\cup[{a},{b}]", rf"[{a},{b}] \cup [{b + 2},{b + 4})", rf"[{a},{b + 4}]", rf"[{a},{b}]\cap[{b + 2},{b + 4}]"]),
            (r"\mathbb{R}", [r"\mathbb{R}", r"(-\infty,\infty)", r"\text{all real numbers}", "R", r"\mathbf{R}", r"(-\infty,+\infty)", r"x\in\mathbb{R}", r"\Bbb{R}", r"\mathbb R"]),
            (rf"{v}\neq {a}", [rf"{v}\neq {a}", rf"{v}\ne {a}", f"{v}!={a}", rf"\mathbb{{R}}\setminus\{{{a}\}}", rf"(-\infty,{a})\cup({a},\infty)", f"{v}={a}", f"{v}≠{a}"]),
        ]
        gold, answers = self.r.choice(choices)
        return gold, self.altered(self.r.choice(answers + [gold, gold]))

    def matrices(self):
        a = [self.r.randint(-9, 9) for _ in range(6)]
        row = lambda v, n: r"\\".join("&".join(str(x) for x in v[i:i + n]) for i in range(0, len(v), n))
        m = lambda kind, v, n: rf"\begin{{{kind}}}{row(v, n)}\end{{{kind}}}"
        n, size = self.one_of((2, 4), (1, 2), (1, 3), (3, 6), (2, 2), (2, 6), (2, 4))
        v = a[:size]
        gold = m(self.one_of("pmatrix", "pmatrix", "bmatrix"), v, n)
        other = v[:]
        other[self.r.randrange(size)] += 1
        answers = [gold, m("bmatrix", v, n), m("pmatrix", v, n), m("pmatrix", v[::-1], n), gold.replace("&", " & "), gold.replace(r"\\", r" \\ "), m("pmatrix", other, n), m("pmatrix", [f"{x}.0" for x in v], n), m("vmatrix", v, n), rf"\left({m('matrix', v, n)}\right)",
                   rf"\left[{m('matrix', v, n)}\right]", "(" + ",".join(map(str, v)) + ")", m("pmatrix", v, size if n == 1 else 1), "[" + ",".join(f"[{', '.join(map(str, v[i:i + n]))}]" for i in range(0, size, n)) + "]", gold.replace("pmatrix", "array"),
                   m("pmatrix", [rf"\frac{{{2 * x}}}{{2}}" for x in v], n), gold + r"\\", rf"A={gold}", gold.replace("pmatrix", "Bmatrix"), gold.replace("matrix", "smallmatrix"), rf"1\cdot {gold}", rf"\left({m('array}{' + 'c' * n, v, n).replace('}{' + 'c' * n + '}', '}', 2)}\right)"]
        return gold, self.r.choice(answers)

    def words(self):
        w = self.one_of("yes", "no", "True", "False", "triangle", "red", "Monday", "left", "none", "July 4", "Evelyn", "square", "A", "B", "AB", "x", "y", "C", "east", "Neither", "even", "odd", "undefined", "no solution", "DNE", "isosceles triangle", "Alice and Bob",
                        "New York", "H2O", "CO_2", "3:30", "3:30 PM", "1/2/2020", "Q", "north-east", "p", "E", "F, G", "ABC", "two", "seven", "twelve", r"\text{ellipse}", r"\text{Saturday}", r"\text{(A)}", r"\textbf{(B)}", r"\text{even}", "i", "I", "e", "pi", "5 or inf",
                        r"\text{None}", "1011_2", "21_{8}", "0x1F", "10:45", "A,B", "B, D", "parabola", "Tuesday, May 5")
        n = self.r.randint(0, 20)
        return w, self.one_of(w, w, w.lower(), w.upper(), rf"\text{{{w}}}", rf"\mathrm{{{w}}}", rf"\textbf{{{w}}}", w + ".", f"({w})", w[::-1], f" {w} ", rf"\text{{ {w} }}", f"the {w}", f"**{w}**", rf"\textbf{{({w})}}", rf"\text{{({w})}}", f"{w} {n}", w.title(), w.replace(" ", ""),
                              w.replace(" ", r"\ "), w.replace(" ", "~"), f"'{w}'", rf"\textit{{{w}}}", f"{w}, {w}", f"{w} and {w}", w + "s", rf"\mathbf{{{w}}}", rf"{w}\text{{ }}", "yes", "no", "A", str(n), rf"\text{{answer: }}{w}", rf"\boxed{{{w}}}", rf"\text{{{w}.}}", rf"\operatorname{{{w}}}", w + r"\\")

    TYPES = {"integer": integers, "decimal": decimals, "fraction": fractions, "surd": surds, "constant": constant, "polynomial": polynomials, "expression": expressions, "collection": collections, "interval": intervals, "matrix": matrices,
             "word": words, **Wider.WIDER}

    # ---- Completions around an answer ----

    def completion(self, answer):
        box = rf"\boxed{{{answer}}}"
        other = self.integer()
        wrap = self.r.random()
        if wrap < 0.5:
            return box
        if wrap < 0.56:
            return self.one_of(f"So we get ${box}$.", f"So we get $x = {box}$.", f"Hence $${box}$$", f"\\[\n{box}\n\\]", rf"thus \({box}\).", f"The answer is ${box}$", f"Therefore the answer is {box}", f"$\\boxed{{{answer}}}$ units", rf"\fbox{{{answer}}}",
                               f"**Final Answer**\n{box}", f"The final answer is: {box}. I hope it is correct.", f"The final answer is ${answer}$. I hope it is correct.", f"Final answer: {box}", rf"$$\boxed{{\text{{{answer}}}}}$$", rf"\boxed{{ {answer} }}", rf"\boxed {answer}",
                               rf"\boxed{{${answer}$}}", rf"\boxed{{\boxed{{{answer}}}}}")
        if wrap < 0.63:
            return self.one_of(f"First 7 and then 12. The answer is {box}.", f"We have $x^2 = 4$ and $y = {other}$.\n\nSo {box}.", f"Since $a = {other}$, we get ${other} + 1 = {other + 1}$. {box}", f"Let me check: $3 \\cdot 4 = 12$. Finally,\n\n{box}\n",
                               f"1. compute {other}\n2. add 1\n\n{box} is the result, since {other} < {other + 1}.")
        if wrap < 0.68:
            return self.one_of(f"<think>hm, 5</think><answer>{answer}</answer>", f"<think>hm, 5</think>\n<answer>\n{answer}\n</answer>", f"<think>\nwe see ${other}$\n</think>\n<answer>{box}</answer>", f"<think>because</think><answer>${answer}$</answer>")
        if wrap < 0.73:
            return self.one_of(f"<think>hm, {box}</think>\n<answer>{other}</answer>", f"<think>It is {other}.</think>\n\n{box}", f"<think>\\boxed{{{other}}}?</think>\n{box}")
        if wrap < 0.8:
            return self.one_of(f"The final answer is ${answer}$.", f"The final answer is {answer}", f"So the final answer to the question is ${answer}$", f"final answer is: {answer}.", f"The answer is ${answer}$.", f"Answer: ${answer}$", f"Answer: \\({answer}\\)", f"**Answer:** ${answer}$",
                               f"My answer is $${answer}$$", f"we find ${answer}$", f"${other}$ and then ${answer}$", f"we find \\[{answer}\\]", f"${answer}$ or ${other}$", f"${answer}$, ${other}$", f"${answer}$ and ${other}$")
        if wrap < 0.88:
            return self.one_of(f"We compute.\nAnswer: {answer}", f"Answer: {answer}", f"answer: {answer}.", f"**Answer:** {answer}", f"ANSWER: {answer}", f"The answer: {answer}", f"Answer: {other}\nAnswer: {answer}", f"the correct answer is ({answer})", f"answer = {answer}", f"Answer: x = {answer}",
                               f"Answer: {answer} because {other}")
        if wrap < 0.92:
            return self.one_of(f"The answer is {answer}", f"The answer is {answer}.", f"The answer is: {answer}", f"the answer would be {answer}, I think", f"It is {answer}.", f"{answer}", f"{answer} is the answer", f"So {answer}")
        if wrap < 0.96:
            return self.one_of(f"#### {answer}", f"so {other}\n#### {answer}", f"#### {answer}\n", f"The sum is {other}.\n#### {answer} dollars", f"####{answer}", f"#### {other}\n#### {answer}")
        return self.one_of(rf"\boxed{{{other}}} and \boxed{{{answer}}}", rf"\boxed{{{other}}}. No, wait. It must be {box}.", rf"\boxed{{{answer}", rf"\boxed{{}}{answer}", "", "I do not know.", rf"\boxed{{{answer}}}" + " and so on" * 40, f"{box} \\boxed{{{answer}}}", f"${box}$, ${box}$",
                           rf"Either \boxed{{{answer}}} or \boxed{{{other}}}.", f"{box}\n\n{box}", f"{answer} {box} {other}", f"\\boxed{{{answer}}}%", f"{box}^\\circ", f"{box} cm", f"{box}\\text{{ cm}}", f"There are {other} dogs and {answer} cats")

    def math(self):
        kind = self.r.choice(list(self.TYPES))
        gold, answer = self.TYPES[kind](self)
        return kind, [gold], self.framed(answer) if self.r.random() < 0.3 else self.completion(answer), []

    # ---- Benchmarks of pictures ----

    def chart(self):
        kind = self.one_of("integer", "decimal", "decimal", "word", "fraction", "percent", "year")
        if kind == "percent":
            n = self.one_of(self.r.randint(1, 100), self.r.randint(1, 999) / 10)
            gold, answer = f"{n}%", self.one_of(f"{n}%", f"{n}", f"{n} %", f"{n / 100}", f"{n + 1}%", f"{n}%%", f"{n} percent", f"{n * 1.04:.3f}%", f"{n * 1.06:.3f}%", f"-{n}%", "%", f"{n}%.")
        elif kind == "year":
            n = self.r.randint(1950, 2024)
            gold, answer = str(n), self.one_of(str(n), str(n + 1), str(n - 65), f"in {n}", f"{n}.", f"{n}.0", f"{n}, {n + 1}", f"{int(n * 1.05)}", f"{int(n * 1.06)}", f"'{n % 100}", f"{n:,}", f"{n}_0", f"1_{n}")
        else:
            gold, answer = self.TYPES[kind](self)
        golds = [gold] + ([self.one_of(answer, str(self.integer()), gold.upper())] if self.r.random() < 0.2 else [])
        zero = self.r.random() < 0.03
        if zero:
            golds[0], answer = self.one_of("0", "0.0", "0%"), self.one_of("0", "0.0", "0%", "0.00", "-0", "zero", "1e-9")
        return kind, golds, self.one_of(answer, answer, answer.strip(), gold, answer + "\n", " " + answer, answer.upper(), f"{answer}\t", "", "nan", "inf", "1e400", answer.replace(".", "٫"), f"The answer is {answer}"), []

    def edits(self):
        words = ["left", "Central Station", "12 May 2019", "No", "7 people", "Heart disease", "42%", "The Netherlands", "straße", "a b  c", "İstanbul", "ΣΊΣΥΦΟΣ", "naïve café", "$1,200", "", "x", "https://www.example.org/page", "東京タワー"]
        golds = self.r.sample(words, self.r.randint(1, 3))
        text = list(self.r.choice(golds + words))
        for _ in range(self.r.choice([0, 0, 1, 1, 2, 4, 8])):
            at = self.r.randrange(len(text) + 1)
            if self.r.random() < 0.5 and text:
                text[at % len(text)] = self.r.choice("abcXYZ ßéİ")
            else:
                text.insert(at, self.r.choice("abcXYZ  \t\u00a0\u3000"))
        text = "".join(text)
        return "text", golds, self.one_of("", " ", "\n") + self.one_of(text, text, text.upper(), text.title(), f"{text}{' ' * 20}"), []

    def choices(self):
        n = self.r.randint(2, 7)
        texts = self.r.sample(["cat", "dog", "a cow", "12 cm", "the left one", "None of the above", "red", "blue", "5", "15", "sheep", "cats and dogs", "A", "$5$", "left", "0.5", r"\frac{1}{2}", "Z", "Is it?"], n)
        letters = [chr(65 + i) for i in range(n)]
        l, m = self.r.choice(letters), self.r.choice(letters)
        t = texts[letters.index(l)]
        text = self.one_of(l, f"({l})", f"{l}.", f"{l}) {t}", f"{l}. {t}", t, t.upper(), f"The answer is {l}", f"The answer is ({l}).", f"Not {m}. The answer is {l}", f"{l} or {m}", f"{l}, {m}", f"I think it is {t} because it fits very well.", f"**{l}**", rf"\boxed{{{l}}}", l.lower(),
                           f"Option {l}", f"<think>A or B?</think><answer>{l}</answer>", f"Answer: {l}\nDone, I am sure of it now", "", f"A {t} is what I see in the picture", f"{l}: {t}", f"({m}) is wrong, ({l}) is right", f"({l}) ({m}) ({l})", f"{m}. {l}.", f"Z", "Sorry, I can't help with images of people yet.",
                           "Failed to obtain answer via API", f"Cannot determine the answer {l}", f"The correct option is {l}: {t}. It is not {m}: {texts[letters.index(m)]}.", f"{t} or {texts[letters.index(m)]}", f"It is {t}", f"[{l}]", f"{{{l}}}", f"{l}!", f"{l};", f"'{l}'", f"{l}{m}", f"{l} {m}",
                           f" {l} ", f"{l}\n{m}", f"the {l} one and nothing else at all here", f"A picture shows it and so the answer must be ({l})", f"({l.lower()})", f"answer {l.lower()}.", f"{l}-{t}", f"In short: {l}. That is because of what is shown here", f'The answer is "{t}".', f'The answer is "({l})".')
        return "choice", [self.r.choice([l, l, m])], text, texts

    def opens(self):
        kind, golds, answer, _ = self.chart()
        text = self.one_of(answer, f"The answer is {answer}.", f"So x = {answer}", f"It could be 3 or 4.\nThus the result is {answer}", f"1,234 and {answer}", f"value {answer} 2.5e3", f"final answer {answer}", f"{answer}. Therefore, it is so", f"it is {answer}, and not 7; so, we stop", f"{answer} = 3.0",
                           f"Given that 12 is less than 13, the following holds: {answer}", f"{answer} dollars. The total is 1,000,000.50", f"{answer}\n\nthe result:\n{answer}", f"= {answer} .", f"-{answer}")
        return kind, golds, text, []

    def vista(self):
        """MathVista: options by their text, numbers with a precision, lists and texts."""
        if self.r.random() < 0.5:
            _, golds, text, options = self.choices()
            return "choice", [options[min(ord(golds[0]) - 65, len(options) - 1)]], text, options
        kind = self.one_of("integer", "float", "list", "text")
        if kind == "integer":
            n = self.integer()
            gold = str(n)
            text = self.one_of(gold, f" {n}", f"{n}.0", f"{n}.7", f"{n:,}", f"The answer is {n}", f'The answer is "{n}".', f"+{n}", f"{n + 1}", f"0{n}", f"{n}e0", "", "nan", "inf", f"{n}_0", f"{n} cm", f"-{n}", f"{n}.", str(n * 10**20), f"1e{n % 30}")
        elif kind == "float":
            digits = self.r.randint(1, 2)
            n = self.r.randint(1, 9999) / 10**digits
            gold = f"{n:.{digits}f}"
            text = self.one_of(gold, f"{n + 0.004:.4f}", f"{n + 0.04:.3f}", f"{n + 0.05:.3f}", f"{n:.4f}", f"{n}", f'The answer is "{n}".', f"about {n}", f"{int(n)}", f"{n:e}", "nan", "-inf", f"-{n}", f" {n} ", f"{n}%", f"{n:.0f}", f"{n + 0.005:.4f}", f"{n - 0.005:.4f}")
        elif kind == "list":
            a, b = self.r.randint(1990, 2020), self.r.randint(1, 9)
            gold = f"[{a}, {a + b}]"
            text = self.one_of(gold, f"[{a},{a + b}]", f"({a}, {a + b})", f"{a}, {a + b}", f" {gold} ", f'The answer is "{gold}".')
        else:
            gold, text = self.words()
        return kind, [gold], text, []

    STREAMS = {"chartqa": "chart", "chartqa_vlmeval": "chart", "anls": "edits", "mmmu_vlmeval": "choices", "scienceqa": "choices", "mathvista": "vista", "mmmu": "mmmu", "gsm8k": "gsm"}

    def mmmu(self):
        return self.r.choice([self.choices, self.opens])()

    @staticmethod
    def stream(name):
        """The stream that a profile is asked about; the scorers of mathematics share one."""
        return Pairs.STREAMS.get(name, "math")

    def draw(self, stream, n):
        return [getattr(self, stream)() for _ in range(n)]

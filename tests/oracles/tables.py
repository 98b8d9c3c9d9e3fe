"""The oracle tables: every row, every column, computed anew by the packages.

    venv/bin/python tables.py --wheels wheels > ../fixtures/oracle_tables.json

A row is one gold and one answer; `strict` is what modo's own rule gives, decided by hand. MV etc. are computed with the
answer in a box; in `texts` the text is the completion as it stands.
"""
import argparse
import json

from packages import Packages

# gold, [(answer, strict)]
ROWS = [
    ("42", [("42.", 1), ("4 2", 0), ("42.0", 1), ("+42", 1), ("042", 1)]),
    ("1000", [("1,000", 1), ("1{,}000", 1), (r"1\!,\!000", 1), (r"1\,000", 1), ("1.000", 0), ("1e3", 1), ("10^3", 1),
              (r"1\times10^{3}", 1)]),
    ("1_000", [("1000", 0)]),
    ("0.5", [(r"\frac12", 1), (r"50\%", 1)]),
    ("50", [(r"50\%", 0)]),
    (r"50\%", [("50", 0), ("0.5", 1)]),
    (r"\frac{1}{3}", [("0.333", 0), ("0.33", 0), ("0.3333333", 1)]),
    ("0.333", [(r"\frac13", 0)]),
    (r"\pi", [("3.14", 0), ("3.14159265", 1)]),
    ("5", [("5.0000001", 0), ("|-5|", 1), ("5cm", 1), (r"5\mathrm{cm}", 1)]),
    ("0.1", [("0.10000001", 1)]),
    ("-5", [("\u22125", 1), ("\u20135", 1)]),
    (r"\frac{2}{4}", [(r"\frac12", 1)]),
    (r"\frac{1}{2}", [(r"\frac{2}{4}", 1)]),
    (r"1\frac{1}{2}", [(r"\frac32", 1)]),
    (r"\frac32", [("1 1/2", 1)]),
    ("7 3/4", [("7.75", 1)]),
    (r"\dfrac{3}{2}", [("3/2", 1)]),
    (r"\sqrt{4}", [("2", 1)]),
    (r"\sqrt2", [(r"\sqrt{2}", 1)]),
    (r"\sqrt{2}", [("1.414", 0), ("1.41421356", 1)]),
    (r"2\sqrt3", [("2*sqrt(3)", 1)]),
    (r"2\sqrt{3}", [("2\u221a3", 1)]),
    (r"\infty", [("inf", 1), (r"-\infty", 0)]),
    ("10!", [("3628800", 1)]),
    ("9^{9^{9}}", [("1", 0)]),
    ("30", [(r"30^\circ", 1), (r"30\text{ degrees}", 1), ("30\u00b0", 1)]),
    (r"30^{\circ}", [(r"\frac{\pi}{6}", 0)]),
    (r"5\text{ cm}", [(r"5\text{ m}", 0)]),
    ("12.5", [("12.5cm^2", 1)]),
    ("12", [("12 dollars", 1), (r"\$12", 1)]),
    ("3", [("3.0000000001", 0), ("\uff13", 0), ("\u0663", 0), (r"3 \text{ or } 4", 0), (r"3 \text{(not 4)}", 0),
           (r"3 \text{ apples}", 1), ("4 = 3", 0), ("3 = 4", 0), ("x = 3 = 4", 0), ("[3,3]", 0), ("(3)", 1), ("[3]", 1),
           ("{3}", 1), (r"\approx 3", 0), ("3%", 0), (r"\log_{2}8", 0), (r"\sqrt{9}", 1), (r"\frac{6}{2}", 1),
           (r"\lceil 2.5\rceil", 0)]),
    ("15", [("7+8", 0), (r"5\times 3", 0)]),
    ("2", [("1+1", 0), ("1+1=2", 1), ("3-1=2", 1)]),
    ("1+1=2", [("2", 0)]),
    ("1", [(r"\sin^2 x+\cos^2 x", 0)]),
    ("x=8", [("8", 1)]),
    ("8", [("x=8", 1), (r"\angle A = 8", 1)]),
    ("AB", [("BA", 0)]),
    ("E", [("e", 0)]),
    ("yes", [("Yes", 1)]),
    ("True", [("true", 1)]),
    ("triangle", [(r"\text{triangle}", 1)]),
    ("July 4", [("4 July", 0)]),
    ("(1,2)", [("(2,1)", 0), ("[1,2]", 0), ("1,2", 0)]),
    ("1,2", [("2,1", 1), (r"\{1,2\}", 1), (r"1 \text{ and } 2", 1)]),
    ("2,3", [("2", 0), ("2 3", 0)]),
    ("2", [("2,3", 0)]),
    ("1,234", [("1234", 1), (r"\{1,234\}", 0)]),
    (r"\pm 2", [("2,-2", 1)]),
    ("x<3", [(r"(-\infty,3)", 1)]),
    (r"(-\infty,3)", [("x<3", 0)]),
    ("[0,1)", [("[0,1]", 0)]),
    (r"[3,\infty)", [(r"(3,\infty)", 0)]),
    ("x>3", [(r"x\ge3", 0)]),
    (r"\emptyset", [(r"\{\}", 1)]),
    ("y=2x+1", [("2x+1", 1), ("y=1+2x", 1), ("2x-y+1=0", 1)]),
    ("x+1", [("y+1", 0)]),
    ("x^2+2x+1", [("(x+1)^2", 1)]),
    (r"\begin{pmatrix}1&2\\3&4\end{pmatrix}", [(r"\begin{bmatrix}1&2\\3&4\end{bmatrix}", 1)]),
    (r"\begin{pmatrix}1\\2\end{pmatrix}", [("(1,2)", 0)]),
    ("3:4", [(r"\frac34", 0), ("6:8", 1), ("0.75", 0)]),
    ("3:30", [("3:30 PM", 0)]),
    ("1011_2", [("11", 0)]),
    ("1010_2", [("10", 0)]),
    (r"\text{None}", [("None", 1)]),
]
CHOICES = [("A", [("a", 0), ("A.", 1), ("A) 5", 1)])]

# type, gold, text, strict
TEXTS = [
    ("expression", "3", r"\boxed{2}. Wait, \boxed{3}.", 1),
    ("expression", "3", r"\boxed{1}\boxed{2}\boxed{3}\boxed{4}", 0),
    ("expression", "3", r"<think>\boxed{3}</think> not sure", 0),
    ("expression", "3", r"<think>maybe \boxed{3}</think><answer>4</answer>", 0),
    ("expression", "3", r"<think>maybe \boxed{4}</think><answer>3</answer>", 1),
    ("expression", "3", "<answer>3</answer>", 1),
    ("expression", "3", "<answer>\n3\n</answer>", 1),
    ("expression", "3", "Answer: 3", 1),
    ("expression", "3", "**Answer:** 3", 1),
    ("expression", "3", "#### 3", 0),
    ("expression", "5", "There are 3 dogs and 5 cats", 0),
    ("expression", "3", r"\boxed{3", 0),
    ("expression", "3", r"\boxed 3", 1),
    ("expression", "3", r"\boxed{\boxed{3}}", 1),
    ("expression", "3", r"\boxed{\text{3}}", 1),
    ("expression", "3", r"\boxed{}", 0),
    ("expression", "3", "", 0),
    ("expression", "3", r"\boxed{}3", 0),
    ("expression", "3", r"\boxed{3}" + " and so on" * 140, 1),
    ("choice", "B", "<answer>B. cat</answer>", 1),
    ("choice", "B", "Answer: (B)", 1),
    ("choice", "B", "Not A. The answer is B", 1),
    ("choice", "B", "A or B", 0),
    ("choice", "B", "<answer>A, B</answer>", 0),
    ("text", "None", "no boxed here", 0),
    ("text", "none", "no boxed here", 0),
    ("text", "[INVALID]", "no answer", 0),
    ("boxes", "[10,20,30,40]", "<answer>[10, 20, 30, 40]</answer>", 1),
]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--wheels", required=True)
    packages = Packages(parser.parse_args().wheels)
    rows = []
    for kind, table in (("expression", ROWS), ("choice", CHOICES)):
        for gold, answers in table:
            for answer, strict in answers:
                text = rf"\boxed{{{answer}}}"
                row = {"type": kind, "gold": gold, "answer": answer, "strict": strict}
                for column in ("math_verify", "math_verify_raw", "trl", "mathruler", "dapo", "geo3k", "r1v"):
                    row[column] = packages.score(column, [gold], text)
                rows.append(row)
    texts = []
    for kind, gold, text, strict in TEXTS:
        row = {"type": kind, "gold": gold, "text": text, "strict": strict}
        for column in ("math_verify", "trl", "mathruler", "geo3k", "dapo", "r1v"):
            # As in the reference: TRL's gold is wrapped here, bare in the rows.
            own = f"${gold}$" if column == "trl" else gold
            row[column] = packages.score(column, [own], text)
        texts.append(row)
    print(json.dumps({"command": "tests/oracles/tables.py; math-verify 0.9.0, latex2sympy2_extended 1.11.0, "
                                 "mathruler 0.1.0, trl 1.16.0, verl 0.9.1", "rows": rows, "texts": texts},
                     indent=0, ensure_ascii=True))


if __name__ == "__main__":
    main()

//! What holds for every verifier: their examples, golds, hacks, bombs and properties.

use proptest::prelude::*;

use super::*;
use crate::sample::Rect;

#[test]
fn every_file_is_registered_under_its_own_name() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/reward");
    let mut files: Vec<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|file| file.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e == "rs"))
        .map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned())
        .filter(|file| file != "mod")
        .collect();
    files.sort();
    let mut names: Vec<&str> = VERIFIERS.entries.iter().map(|entry| entry.name).collect();
    names.sort_unstable();
    assert_eq!(files, names);
}

#[test]
fn every_verifier_keeps_its_own_examples() {
    for entry in VERIFIERS.entries {
        let verifier = (entry.build)(toml::Table::new()).unwrap();
        check_examples(verifier.as_ref());
    }
}

/// Right examples score 1, wrong ones and the empty text 0, golds are accepted, and what is derived from them holds.
pub(super) fn check_examples(verifier: &dyn Verifier) {
    let examples = verifier.examples();
    assert!(!examples.is_empty());
    let mut failed = Vec::new();
    for example in &examples {
        let gold = example.gold();
        verifier.accepts(&gold).unwrap();
        let score = |text: &str| {
            let verdict = verifier.score(&gold, text);
            assert!((0.0..=1.0).contains(&verdict.score), "{verdict:?}");
            verdict.score
        };
        assert!(!example.right.is_empty() && !example.wrong.is_empty());
        for right in example.right.iter().chain([&verifier.write(&gold)]).filter(|text| score(text) != 1.0) {
            failed.push(format!("right: {right:?} for {:?}", gold.answer));
        }
        let wrong = verifier.wrong_answers(&gold);
        for wrong in example.wrong.iter().chain(&wrong).filter(|text| score(text) != 0.0) {
            failed.push(format!("wrong: {wrong:?} for {:?}", gold.answer));
        }
        for empty in ["", " \n", "\u{200b}", "\0"] {
            assert_eq!(score(empty), 0.0, "{empty:?}");
        }
    }
    assert!(failed.is_empty(), "{failed:#?}");
}

#[test]
fn every_verifier_refuses_golds_of_other_types() {
    for entry in VERIFIERS.entries.iter().filter(|entry| entry.name != Format::NAME) {
        let verifier = (entry.build)(toml::Table::new()).unwrap();
        let accepted = golds().iter().filter(|answer| verifier.accepts(&plain(answer)).is_ok()).count();
        assert_eq!(accepted, 1, "{}", entry.name);
    }
}

#[test]
fn empty_and_malformed_golds_are_refused_and_score_nothing() {
    let bad = [
        Answer::Choice('b'),
        Answer::Number(f64::NAN),
        Answer::Number(f64::INFINITY),
        Answer::Text(vec![]),
        Answer::Text(vec!["a".into(), " ".into()]),
        Answer::Boxes(vec![]),
        Answer::Boxes(vec![Rect { x1: 5.0, y1: 0.0, x2: 0.0, y2: 5.0 }]),
        Answer::Boxes(vec![Rect { x1: 0.0, y1: 0.0, x2: f64::NAN, y2: 5.0 }]),
        Answer::Expression(String::new()),
        Answer::Expression(" . ".into()),
    ];
    for answer in &bad {
        let reward = of(answer.kind());
        assert!(reward.accepts(&plain(answer)).is_err(), "{answer:?}");
        for text in ["", "None", "[INVALID]", "NaN", "[]", "b"] {
            let scored = reward.score(&plain(answer), &format::tagged("", text));
            assert_eq!(scored.lenient_accuracy, 0.0, "{answer:?} {text:?}");
        }
    }
}

#[test]
fn the_papers_weights_give_three_for_everything() {
    check_total("choice", Answer::Choice('B'), "<think>x</think><answer>B</answer>", 3.0);
    check_total("choice", Answer::Choice('B'), "<think>x</think><answer>A</answer>", 1.0);
    check_total("choice", Answer::Choice('B'), "<answer>B</answer>", 0.0);
    // IoU 0.625: 2 × 0.625 + 1.
    let gold = Answer::Boxes(vec![Rect { x1: 0.0, y1: 0.0, x2: 10.0, y2: 10.0 }]);
    check_total("boxes", gold, "<think></think><answer>[0,0,10,16]</answer>", 2.25);
}

fn check_total(verifier: &str, gold: Answer, completion: &str, expected: f64) {
    let scored = of(verifier).score(&plain(&gold), completion);
    assert!((scored.total - expected).abs() < 1e-12, "{scored:?}");
}

#[test]
fn right_answers_without_format_show_in_the_lenient_accuracy_only() {
    for (text, lenient) in [
        ("<think>x</think><answer>B", 1.0),
        ("<think>x</think> The answer is B", 1.0),
        ("<answer>A</answer><answer>B</answer>", 1.0),
        ("I think it is the second.\nSo option B", 1.0),
        ("<think>B</think>", 0.0),
        ("<think>B</think><answer>", 0.0),
        ("<think><answer>B</answer></think> not sure", 0.0),
        ("A", 0.0),
    ] {
        let scored = of("choice").score(&plain(&Answer::Choice('B')), text);
        assert_eq!((scored.total, scored.accuracy, scored.lenient_accuracy), (0.0, 0.0, lenient), "{text}");
        assert_eq!(scored.parts[0].reason, Reason::Gated);
    }
    let scored = of("number").score(&plain(&Answer::Number(5.0)), "There are 3 dogs and 5 cats");
    assert_eq!(scored.lenient_accuracy, 1.0);
}

#[test]
fn without_the_gate_a_right_answer_counts_in_any_format() {
    let weights = "gate = false\nformat = 0.5".parse().unwrap();
    let reward = Reward::from_tables(&"number".into(), Some(&weights)).unwrap();
    let scored = reward.score(&plain(&Answer::Number(5.0)), "<answer>5</answer>");
    assert_eq!((scored.total, scored.max, scored.format), (2.0, 2.5, false));
}

#[test]
fn the_first_verifier_that_accepts_the_gold_checks_it() {
    let list: toml::Table =
        r#"verifier = [{ name = "number", tolerance = 0.05 }, "choice"]"#.parse().unwrap();
    let reward = Reward::from_tables(&list["verifier"], None).unwrap();
    for (gold, answer) in [(Answer::Number(100.0), "96"), (Answer::Choice('C'), "(C)")] {
        assert_eq!(reward.score(&plain(&gold), &format::tagged("", answer)).total, 3.0);
        reward.self_test(&plain(&gold)).unwrap();
    }
    assert!(reward.accepts(&plain(&Answer::Expression("x".into()))).is_err());
}

#[test]
fn tables_that_make_no_reward_say_why() {
    check_error(r#"verifier = "exact""#, "no verifier is called `exact`; there are `choice`, `number`");
    check_error("verifier = 3", "this is 3");
    check_error("verifier = []", "this is []");
    check_error("verifier = { tolerance = 1 }", "`verifier` is \"NAME\"");
    check_error(r#"verifier = { name = "number", tolerence = 1 }"#, "unknown field `tolerence`");
    check_error(r#"verifier = { name = "number", tolerance = 5 }"#, "`tolerance` is 5; it is relative");
    check_error(r#"verifier = { name = "boxes", coordinates = "cm" }"#, "unknown variant `cm`");
    check_error(r#"verifier = "format""#, "`format` judges whole completions");
    check_error("verifier = 'text'\nreward.acuracy = 1.0", "unknown field `acuracy`");
    check_error("verifier = 'text'\nreward.accuracy = -1.0", "weights are finite, not negative");
    check_error("verifier = 'text'\nreward = { accuracy = 0.0, format = 0.0 }", "not all 0");
}

fn check_error(table: &str, expected: &str) {
    let table: toml::Table = table.parse().unwrap();
    let weights = table.get("reward").and_then(toml::Value::as_table);
    let error = Reward::from_tables(&table["verifier"], weights).err().unwrap().to_string();
    assert!(error.contains(expected), "{error}");
}

#[test]
fn codes_are_what_serialisation_writes() {
    for reason in Reason::ALL {
        assert_eq!(serde_json::to_string(&reason).unwrap(), format!("\"{}\"", reason.code()));
    }
}

#[test]
fn every_gold_passes_the_self_test() {
    for answer in &golds() {
        of(answer.kind()).self_test(&plain(answer)).unwrap();
    }
    let text = Answer::Text(vec!["noon".into()]); // its own reverse
    of("text").self_test(&plain(&text)).unwrap();
    of("anls").self_test(&plain(&text)).unwrap();
    let huge = Answer::Number(-1.7e308);
    of("number").self_test(&plain(&huge)).unwrap();
    of("number").self_test(&plain(&Answer::Number(5e-324))).unwrap();
}

#[test]
fn a_gold_with_tags_in_it_fails_the_self_test() {
    let answer = Answer::Text(vec!["a</answer>b".into()]);
    let error = of("text").self_test(&plain(&answer)).unwrap_err().to_string();
    assert_eq!(error, "the gold, written as `a</answer>b`, gets 0 of 3 (repeated_tag)");
}

#[test]
fn hacks_earn_no_accuracy() {
    for answer in &golds() {
        let (reward, gold) = (of(answer.kind()), plain(answer));
        let right = reward.write(&gold).unwrap();
        let hacks = [
            String::new(),
            format!("<think>{right}</think><answer></answer>"),
            format!("<think>{right}</think><answer>I am not sure</answer>"),
            format!("<think>{right}</think>"),
            format!("<answer>{right}</answer>"),
            format!("<think>x</think><answer>{right}"),
            format!("<think>x</think><answer>{right}</answer><answer>{right}</answer>"),
            format!("<think>x</think><answer><answer>{right}</answer></answer>"),
            format!("<think><think>x</think></think><answer>{right}</answer>"),
            format!("<think>x<answer>{right}</answer></think>"),
            format!("<think>x</think><answer>{right}</answer> {right}"),
            format!("<think>x</think><answer>{right} or {right} or something else</answer>"),
            format!("<think>x</think><answer>A B C D {right}</answer>"),
            format!("<think>x</think><answer>{}</answer>", "A, B, C, D, 1, 2, 3, ".repeat(100)),
            format!("<think>x</think><answer>{right}\u{200b}</answer>"),
            format!("<think>x</think><answer>{right}\0</answer>"),
        ];
        for hack in &hacks {
            assert_eq!(reward.score(&gold, hack).accuracy, 0.0, "{hack:.120}");
        }
    }
}

/// The same without the gate: what `modo score` calls the score.
#[test]
fn hacks_score_nothing_wherever_the_answer_may_stand() {
    for answer in &golds() {
        let (reward, gold) = (of(answer.kind()), plain(answer));
        let right = reward.write(&gold).unwrap();
        let hacks = [
            String::new(),
            format!("<think>{right}</think>"),
            format!("<think>{right}"),
            format!("<think>\\boxed{{{right}}}</think> I am not sure"),
            format!("<think><answer>{right}</answer></think> I am not sure"),
            format!("<think>{right}</think><answer></answer>"),
            format!("<answer>{right}"),
            format!("{right}</answer>"),
            format!("<answer>{right}</answer><answer>{right}</answer>"),
            format!("<answer><answer>{right}</answer></answer>"),
            format!("<answer>something else</answer> {right}"),
            format!("\\boxed{{}}{right}"),
            format!("\\boxed{{{right}"),
            format!("\\boxed{{1}}\\boxed{{{right}}}"),
            format!("<answer>A, B, C, D, {right}</answer>"),
            format!("<answer>{right} or {right} or something else</answer>"),
            format!("<answer>{right}\u{200b}</answer>"),
            format!("<answer>{right}\0</answer>"),
            format!("{}\n", "A, B, C, D, 1, 2, 3, ".repeat(100)),
        ];
        for hack in &hacks {
            let (verdict, ..) = reward.verify(&gold, hack);
            assert_eq!(verdict.score, 0.0, "{hack:.120} {verdict:?}");
        }
        for fair in [
            format!("<think>x</think><answer>{right}</answer>"),
            format!("<answer>\\boxed{{{right}}}</answer>"),
            format!("<think>\\boxed{{7}}</think> So \\boxed{{{right}}}."),
            format!("\\boxed{{7}}. Wait, \\boxed{{{right}}}"),
            format!("It is clear.\nThe answer is {right}"),
            right.clone(),
        ] {
            let (verdict, ..) = reward.verify(&gold, &fair);
            assert_eq!(verdict.score, 1.0, "{fair:.120} {verdict:?}");
        }
    }
    for text in ["None", "", "[INVALID]", "no boxed here"] {
        for none in
            [Answer::Text(vec![]), Answer::Text(vec![String::new()]), Answer::Expression(String::new())]
        {
            assert_eq!(of(none.kind()).verify(&plain(&none), text).0.score, 0.0, "{none:?} {text}");
        }
    }
    let tower = Answer::Expression("1".to_owned());
    for bomb in
        ["9^{9^{9}}", "((((((((((3))))))))))!!!!!", "2^{2^{2^{2^{2^2}}}}", "1000000!", "\\sqrt[64]{9^{9^9}}"]
    {
        assert_eq!(of("expression").verify(&plain(&tower), bomb).0.score, 0.0, "{bomb}");
    }
}

/// Text that only looks like the answer, or that is made to break whoever reads it.
#[test]
fn look_alikes_and_bombs_score_nothing() {
    let bombs = [
        "9".repeat(1_000_000),
        format!("0.{}", "9".repeat(1_000_000)),
        format!("1e{}", "9".repeat(1_000_000)),
        "9^{9^{9}}".to_owned(),
        "9^".repeat(100_000),
        "2^{".repeat(100_000) + &"}".repeat(100_000),
        "(".repeat(500_000) + &")".repeat(500_000),
        format!("{}!", "a".repeat(1_000_000)),
        "(a+)+".repeat(200_000),
        "\\boxed{\\boxed{".repeat(60_000) + &"}}".repeat(60_000),
        "\\frac{1}{".repeat(100_000) + &"}".repeat(100_000),
        "$ $".repeat(300_000),
        ", ".repeat(500_000),
        "\u{1b}[2K\u{7}\u{8}".repeat(1000),
        "\u{202e}\u{2066}".repeat(1000),
    ];
    for answer in &golds() {
        let (reward, gold) = (of(answer.kind()), plain(answer));
        let right = reward.write(&gold).unwrap();
        let mut texts: Vec<String> = bombs.to_vec();
        // Digits of other scripts and letters of other alphabets.
        let (full_width, arabic, bold, cyrillic) =
            (0xFF10, 0x660, 0x1D7CE, [('e', 'е'), ('B', 'В'), ('o', 'о')]);
        for zero in [full_width, arabic, bold] {
            let turned = |c: char| c.to_digit(10).and_then(|d| char::from_u32(zero + d)).unwrap_or(c);
            texts.push(right.chars().map(turned).collect());
        }
        let turned = |c| cyrillic.iter().find(|(latin, _)| *latin == c).map_or(c, |(_, other)| *other);
        texts.push(right.chars().map(turned).collect());
        texts.retain(|text| *text != right);
        for hidden in
            ["\u{200b}", "\u{200d}", "\u{2060}", "\u{feff}", "\u{ad}", "\u{202e}", "\0", "\u{1b}[0m", "\u{8}"]
        {
            let middle = right.char_indices().nth(right.chars().count() / 2).map_or(0, |(at, _)| at);
            texts.extend([format!("{hidden}{right}"), format!("{right}{hidden}")]);
            texts.push(format!("{}{hidden}{}", &right[..middle], &right[middle..]));
        }
        for text in &texts {
            let (verdict, ..) = reward.verify(&gold, &format!("<answer>{text}</answer>"));
            assert_eq!(verdict.score, 0.0, "{answer:?} {text:.60?}");
            let scored = reward.score(&gold, &format::tagged("x", text));
            assert_eq!((scored.accuracy, scored.lenient_accuracy), (0.0, 0.0), "{answer:?} {text:.60?}");
        }
    }
}

#[test]
fn every_option_listed_and_the_whole_picture_earn_nothing_more() {
    let options = ["cat", "dog", "cow"].map(str::to_owned);
    let answer = Answer::Choice('B');
    let gold = Gold { options: &options, ..plain(&answer) };
    for text in [
        "A, B, C",
        "A B C",
        "cat, dog, cow",
        "A. cat B. dog C. cow",
        "(A) (B) (C)",
        "all of them",
        "ABC",
        "B/C",
    ] {
        assert_eq!(of("choice").verify(&gold, text).0.score, 0.0, "{text}");
    }
    // The right option moves with its letter.
    let shuffled = ["dog", "cow", "cat"].map(str::to_owned);
    for (letter, options) in [('B', &options), ('A', &shuffled)] {
        let answer = Answer::Choice(letter);
        let gold = Gold { options, ..plain(&answer) };
        assert_eq!(of("choice").verify(&gold, "dog").0.score, 1.0);
        assert_eq!(of("choice").verify(&gold, &format!("({letter}) dog")).0.score, 1.0);
        assert_eq!(of("choice").verify(&gold, &format!("{letter}. cat")).0.score, 0.0);
    }
    let boxes = |text: &str, threshold: f64| {
        let table: toml::Table = format!("name = 'boxes'\nthreshold = {threshold:?}").parse().unwrap();
        let answer = Answer::Boxes(vec![Rect { x1: 0.0, y1: 0.0, x2: 10.0, y2: 10.0 }]);
        let reward = Reward::from_tables(&table.into(), None).unwrap();
        reward.verify(&plain(&answer), text).0.score
    };
    let hundred: Vec<String> = (0..100).map(|i| format!("[{},{},{},{}]", i, i, i + 10, i + 10)).collect();
    assert_eq!(boxes(&format!("[{}]", hundred.join(",")), 0.5), 0.0);
    // 100 of 10 000 pixels.
    assert!((boxes("[0,0,100,100]", 0.0) - 0.01).abs() < 1e-12);
    assert_eq!(boxes("[0,0,100,100]", 0.5), 0.0);
}

/// Ways around the question that were tried on a verifier nobody had tuned to them.
#[test]
fn hedges_conditions_and_other_scripts_score_nothing() {
    let options = ["cat", "cats and dogs", "a cow", "None of the above"].map(str::to_owned);
    let choices = [
        "cats",
        "cats and dogs and a cow",
        "cat, cats and dogs",
        "A cats and dogs",
        "A) a cow",
        "\u{391}",
        "\u{1d400}",
        "\u{24b6}",
        "A\u{301}",
        "A then B",
        "either A",
        "A (or B)",
        "A... no, B",
        "A -> B",
        "A nor B",
        "if A then",
        "A=B",
        "A, not B",
        "between A and B",
        "Everything but A",
        "\u{ac}A",
        "!A",
        "A\u{336}",
        "AA",
        "A and nothing else than B",
    ];
    let answer = Answer::Choice('A');
    for text in choices {
        let gold = Gold { options: &options, ..plain(&answer) };
        assert_eq!(of("choice").verify(&gold, &format!("<answer>{text}</answer>")).0.score, 0.0, "{text}");
    }
    let numbers = [
        "5 or 6",
        "5-6",
        "5 to 6",
        "between 5 and 6",
        "5, 6",
        "5;6",
        "5 6",
        "not 5",
        "~5",
        "<5",
        "at most 5",
        "5 or more",
        "5%",
        "५",
        "⑤",
        "5\u{305}",
        "5!",
        "5π",
        "5i",
        "5k",
        "5 thousand",
        "5 dozen",
        "2+3",
        "|5|-0",
        "5=6",
        "5/0",
        "5th",
        "2nd",
        "5:1",
        "5 of 6",
        "5 out of 6",
        "5 unless it is 6",
        "5 when odd",
        "5 except",
        "5 (or 6)",
        "5 ± 1",
        "5...6",
        "5–6",
        "from 5",
        "5 < x",
        "NaN",
        "5e400",
        "5 minus",
        "5 repeating",
        "5 halves",
        "half of 10",
        "5\n6",
        "0x5",
        "5_",
        "5.5.5",
        "5,",
        "5、6",
        "5\u{a0}6",
        "V",
        "5 binary",
        "anything but 5",
        "5 excluded",
        "5 cm or 6 cm",
        "5 hundreds",
    ];
    let answer = Answer::Number(5.0);
    for text in numbers {
        let verdict = of("number").verify(&plain(&answer), &format!("<answer>{text}</answer>")).0;
        assert_eq!(verdict.score, 0.0, "{text}");
    }
    let expressions = [
        (r"10", r"10 \text{ if } x"),
        ("10", r"10 \text{ is wrong}"),
        ("10", r"\text{not } 10"),
        ("10", r"\cancel{10}"),
        ("10", r"10 \lor 11"),
        ("10", r"10\ldots 11"),
        ("10", r"10\pm 0"),
        ("10", "10 - 12"),
        ("10", r"\max(10,9)"),
        ("10", r"\sqrt{100}\cdot 1"),
        ("10", "10_2"),
        ("10", r"\begin{cases}10\\11\end{cases}"),
        ("10", r"10\pmod{12}"),
        ("10", r"\{10,10\}"),
        ("10", "|10|\\cdot 1"),
        ("10", "１０"),
        (r"\frac12", r"50\%\text{ or }1"),
        (r"\frac12", "1:2"),
        ("50", r"50\%"),
        ("x=3", "y=3"),
        ("x=3", "x=3 or x=4"),
        ("x=3", r"x\ne 3"),
        (r"\$12.50", "€12.50"),
        (r"\emptyset", r"\{\emptyset\}"),
        (r"\emptyset", "0"),
        ("1,2", "(1,2)"),
        ("(1,2)", "(1,2),(1,2)"),
        (r"\{1,2,3\}", "1,2"),
        (r"x^2-1", "x^2-1+0"),
        ("2", r"\binom{2}{1}"),
        (r"\text{yes}", "yes and no"),
    ];
    for (gold, text) in expressions {
        let answer = Answer::Expression(gold.to_owned());
        let verdict = of("expression").verify(&plain(&answer), &format!("<answer>{text}</answer>")).0;
        assert_eq!(verdict.score, 0.0, "{gold}: {text} {verdict:?}");
    }
    let answer = Answer::Boxes(vec![Rect { x1: 10.0, y1: 10.0, x2: 50.0, y2: 50.0 }]);
    for text in [
        "[[NaN,10,50,50]]",
        "[[10,10,50,Infinity]]",
        "[[10,10,50,-50]]",
        r#"[["10","10","50","50"]]"#,
        "[[50,50,10,10]]",
        "[[10,10,10,10]]",
        "[[1e308,10,50,50]]",
        "[[0,0,1000,1000]]",
        "null",
        "[null]",
        "[[10,10,50]]",
        "[10,10,50,50,60]",
        "-[[10,10,50,50]]",
        "[[10,10,50,50]] or nothing",
        "not [[10,10,50,50]]",
        "[[10,10,50,50] or [1,1,2,2]]",
        r#"{"a":{"bbox_2d":[10,10,50,50]}}"#,
    ] {
        let verdict = of("boxes").verify(&plain(&answer), &format!("<answer>{text}</answer>")).0;
        assert_eq!(verdict.score, 0.0, "{text} {verdict:?}");
    }
}

/// Ways of writing what is right that a verifier must not mistake for wrong.
#[test]
fn usual_notations_are_not_refused() {
    for (gold, texts) in [
        (
            r"\frac{1}{2}",
            &[r"{1 \over 2}", r"\cfrac{1}{2}", "½", "50%", r"2^{-1}", "1÷2", "= 1/2", "The answer is 1/2."][..],
        ),
        (
            r"2\sqrt{3}",
            &[r"2\cdot 3^{1/2}", "2*3**0.5", r"2\sqrt[2]{3}", "12^{0.5}", "2 sqrt 3", r"2\sqrt{3}\text{ cm}"],
        ),
        ("(1,2)", &[r"\left( 1,\ 2 \right)", "(x,y)=(1,2)", "(1.0, 2)"]),
        (
            r"\{1,2,3\}",
            &[r"x\in\{1,2,3\}", "1, 2, and 3", r"\lbrace 3,2,1 \rbrace", r"1 \text{ and } 2 \text{ and } 3"],
        ),
        (r"(-\infty,3)", &["(-∞,3)", "]-\\infty,3[", r"x \in (-\infty,3)", "(-inf,3)"]),
        ("x>3", &[r"(3,+\infty)", r"\{x : x>3\}", r"\{x \mid x > 3\}", "3 < x"]),
        (
            "10",
            &[
                "10.",
                r"\boxed{10}",
                r"{\bf 10}",
                r"\color{red}{10}",
                r"\underline{\underline{10}}",
                r"10\text{ ways}",
                r"\[10\]",
                "Answer: 10",
            ],
        ),
        (
            r"\begin{pmatrix}1&2\\3&4\end{pmatrix}",
            &[
                r"\left(\begin{matrix}1&2\\3&4\end{matrix}\right)",
                r"A=\begin{bmatrix} 1 & 2 \\ 3 & 4 \end{bmatrix}",
            ],
        ),
        (r"\$12.50", &["12.5", "$12.50", "12.50 dollars"]),
        (r"\mathbb{R}\setminus\{0\}", &[r"(-\infty,0)\cup(0,\infty)"]),
    ] {
        let answer = Answer::Expression(gold.to_owned());
        for text in texts {
            let verdict = of("expression").verify(&plain(&answer), &format!("<answer>{text}</answer>")).0;
            assert_eq!(verdict.score, 1.0, "{gold}: {text} {verdict:?}");
        }
    }
}

/// Letters side by side are variables unless they are a unit that people write.
#[test]
fn products_of_variables_are_no_units() {
    let score = |verifier: &str, gold: &Answer, answer: &str| {
        of(verifier).verify(&plain(gold), &format!("<answer>{answer}</answer>")).0.score
    };
    for (gold, answer, right) in [
        ("2xy", "2", false),
        ("2", "2xy", false),
        ("2ab", "2", false),
        ("-6ab", "-6", false),
        ("3gh", "3", false),
        (r"\frac{1}{2}bh", r"\frac{1}{2}", false),
        (r"2\pi rh", r"2\pi", false),
        ("2xy", "2yx", true),
        ("2ab", "2ba", true),
        ("4ac", "4ca", true),
        ("2mgh", "2ghm", true),
        (r"2\pi rh", r"2\pi hr", true),
        ("5 cm", "5", true),
        ("12 students", "12", true),
        (r"5\text{ units}", "5", true),
        (r"60\text{ m/s}", r"60\text{ meters per second}", true),
        (r"60\text{ km/h}", r"60\text{ kilometers per hour}", true),
        (r"60\text{ m/s}", r"60\text{ km/h}", false),
        (r"5\%", r"5\text{ percent}", true),
        ("6", r"\text{Area}=6", true),
        ("9", r"\sqrt{x}=9", false),
    ] {
        let gold_answer = Answer::Expression(gold.to_owned());
        assert_eq!(score("expression", &gold_answer, answer), f64::from(u8::from(right)), "{gold}: {answer}");
    }
    assert_eq!(score("number", &Answer::Number(2.0), "2xy"), 0.0);
    for unit in ["cups", "kWh", "Mbps", "GHz", "mol", "sqft", "lbs", "hrs", "kmph", "ly", "MB", "°C"] {
        assert_eq!(score("number", &Answer::Number(2.0), &format!("2 {unit}")), 1.0, "{unit}");
    }
}

/// What a missing value becomes on its way through programs and tables, for every type that is written as text.
#[test]
fn golds_that_stand_for_a_missing_value_are_refused_and_score_nothing() {
    for missing in ["None", "NaN", "nan", "null", "NULL", "<NA>", "N/A", "?", " ?? "] {
        for (verifier, answer) in [
            ("text", Answer::Text(vec![missing.to_owned()])),
            ("anls", Answer::Text(vec![missing.to_owned()])),
            ("expression", Answer::Expression(missing.to_owned())),
        ] {
            let reward = of(verifier);
            let error = reward.accepts(&plain(&answer)).unwrap_err();
            assert!(matches!(error, BadGold::Missing(_)), "{verifier} {missing}: {error}");
            for text in [missing, "None", "", "no boxed here", r"\text{None}"] {
                let scored = reward.score(&plain(&answer), &format::tagged("", text));
                assert_eq!(
                    (scored.accuracy, scored.lenient_accuracy),
                    (0.0, 0.0),
                    "{verifier} {missing} {text}"
                );
            }
        }
    }
    for nothing in ["-", "...", "\u{2014}", "( )"] {
        let answer = Answer::Expression(nothing.to_owned());
        assert!(of("expression").accepts(&plain(&answer)).is_err(), "{nothing}");
    }
    for (verifier, answer) in [
        ("text", Answer::Text(vec!["none".to_owned()])),
        ("text", Answer::Text(vec![r"\text{None}".to_owned()])),
        ("text", Answer::Text(vec!["None".to_owned(), "no one".to_owned()])),
        ("expression", Answer::Expression(r"\text{None}".to_owned())),
        ("expression", Answer::Expression(r"\emptyset".to_owned())),
        ("expression", Answer::Expression("∞".to_owned())),
        ("expression", Answer::Expression(r"\{\}".to_owned())),
    ] {
        of(verifier).self_test(&plain(&answer)).unwrap_or_else(|error| panic!("{answer:?}: {error}"));
    }
}

#[test]
fn what_is_taken_back_earns_nothing_with_or_without_the_format() {
    let reward = Reward::from_tables(&"choice".into(), Some(&"gate = false".parse().unwrap())).unwrap();
    let answer = Answer::Choice('B');
    for text in ["I do not think the answer is B", r"Not \boxed{B}", r"\boxed{B} is wrong.", "So it is not B"]
    {
        let (verdict, ..) = reward.verify(&plain(&answer), text);
        let scored = reward.score(&plain(&answer), text);
        assert_eq!((verdict.score, scored.accuracy), (0.0, 0.0), "{text} {verdict:?} {scored:?}");
    }
}

#[test]
fn golds_that_nobody_can_meet_are_refused_and_never_a_silent_zero() {
    for text in [
        r"\frac{1}{",
        r"\sqrt",
        "3+",
        "(1,2",
        r"\left(3",
        r"\begin{pmatrix}1&2",
        r"\foo{3}",
        "x^",
        "{3",
        r"\frac{1}{2}}",
    ] {
        let answer = Answer::Expression(text.to_owned());
        let reward = of("expression");
        let error = reward.self_test(&plain(&answer)).unwrap_err();
        assert!(matches!(error, SelfTestFailure::Gold(BadGold::Unreadable(_))), "{text}: {error}");
        let (verdict, ..) = reward.verify(&plain(&answer), &format!("<answer>{text}</answer>"));
        assert_eq!((verdict.score, verdict.reason), (0.0, Reason::BadGold), "{text}");
    }
    for text in [
        r"\frac{1}{2}",
        "July 4",
        r"\text{no solution}",
        "3:30 PM",
        "[0,1)",
        r"x \ge 3",
        "1011_2",
        "5 cm",
        "yes",
        r"\$12.50",
    ] {
        let answer = Answer::Expression(text.to_owned());
        of("expression").self_test(&plain(&answer)).unwrap_or_else(|error| panic!("{text}: {error}"));
    }
}

/// What is looked for in mutated completions: how often 10 ms were reached, the longest and whose it was.
#[derive(Default)]
struct Slow {
    over: u64,
    longest: std::time::Duration,
    whose: String,
}

impl Slow {
    fn and(self, other: Self) -> Self {
        let over = self.over + other.over;
        let longest = if other.longest > self.longest { other } else { self };
        Self { over, ..longest }
    }
}

/// Ten million mutated completions: `cargo test --release --lib -- --ignored mutated`, about twenty minutes of processor time;
/// `MODO_MUTATIONS` for another number, `MODO_MUTATION_SEED` for others.
#[test]
#[ignore = "minutes"]
#[expect(clippy::print_stderr, reason = "a measurement, to be read")]
fn mutated_completions_never_panic_and_take_below_ten_milliseconds() {
    use rayon::prelude::*;
    const PARTS: u64 = 200;
    let number = |name: &str, usual: u64| std::env::var(name).map_or(usual, |n| n.parse().unwrap());
    let count = number("MODO_MUTATIONS", 10_000_000) / PARTS;
    let first = number("MODO_MUTATION_SEED", 1) * PARTS;
    let parts = (first..first + PARTS).into_par_iter().map(|seed| mutated(seed, count));
    let Slow { over, longest, whose } = parts.reduce(Slow::default, Slow::and);
    eprintln!("{} completions, longest {longest:?}, {over} over 10 ms: {whose:.300}", count * PARTS);
    assert_eq!(over, 0, "the longest took {longest:?}: {whose}");
}

/// Scores `count` mutated completions strictly and by a profile each.
fn mutated(seed: u64, count: u64) -> Slow {
    use rand::{Rng, SeedableRng};
    #[rustfmt::skip]
    let pieces = [
        "<think>", "</think>", "<answer>", "</answer>", "\\boxed{", "}", "{", "$", "\\frac{", "\\sqrt{", "^{", "^", "(", ")", "[", "]",
        "\\{", "\\}", ",", ";", "=", "<", "+", "-", "\\times ", "\\pi", "x", "e", "i", "9", "0.", "1/", "!", "%", "|", "\\sin ", "\\ln ", "\\log_",
        "\\arctan ", "\\text{", "\\begin{pmatrix}", "&", "\\\\", "\\cup ", "\\pm ", "or", "\u{200b}", "\0", "π", "'Position':", "answer is ",
        "final answer is ", "Answer:", "°", "\\mid ", ":", "\"bbox_2d\":",
    ];
    let more = [
        r"x^2+2\sqrt{x}+1",
        r"\sin x+\ln 2",
        r"(-\infty,3)\cup[4,5)",
        r"\begin{pmatrix}1&2\\3&4\end{pmatrix}",
        r"\{1,2,3\}",
        r"3\text{ or }4",
        r"|x-3|=\sqrt{2}",
    ];
    let more = more.map(|text| Answer::Expression(text.to_owned()));
    let golds: Vec<Answer> = golds().into_iter().chain(more).collect();
    let rewards: Vec<Reward> = golds.iter().map(|gold| of(gold.kind())).collect();
    let texts: Vec<String> = golds.iter().map(Answer::written).collect();
    let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(seed);
    let mut slow = Slow::default();
    for _ in 0..count {
        let mut text = texts[rng.random_range(0..texts.len())].clone();
        for _ in 0..rng.random_range(1..12) {
            let mut at = rng.random_range(0..=text.len());
            while !text.is_char_boundary(at) {
                at -= 1;
            }
            match rng.random_range(0..5) {
                0 => text.truncate(at),
                1 => text.insert(at, char::from(rng.random_range(0..128_u8))),
                2 if text.len() < 2000 => text = text.repeat(rng.random_range(1..4)),
                _ => {
                    let piece = pieces[rng.random_range(0..pieces.len())];
                    text.insert_str(at, &piece.repeat(rng.random_range(1..4)));
                }
            }
        }
        let completion = match rng.random_range(0..4) {
            0 | 1 => format!("<answer>{text}</answer>"),
            2 => format!("\\boxed{{{text}}}"),
            _ => text,
        };
        let which = rng.random_range(0..golds.len());
        let asked = profile::Asked {
            golds: &[texts[rng.random_range(0..texts.len())].clone()],
            completion: &completion,
            options: &["cat".to_owned(), "dog".to_owned()],
        };
        let profile = &profile::PROFILES[rng.random_range(0..profile::PROFILES.len())];
        for own in [true, false] {
            // What looks slow is looked at again: on a busy machine any may have been waited for.
            let mut took = std::time::Duration::MAX;
            for _ in 0..10 {
                let start = std::time::Instant::now();
                let score = if own {
                    rewards[which].verify(&plain(&golds[which]), &completion).0.score
                } else {
                    (profile.score)(&asked).score.unwrap_or(0.0)
                };
                took = took.min(start.elapsed());
                assert!((0.0..=1.0).contains(&score), "{completion}");
                if took.as_millis() < 10 {
                    break;
                }
            }
            let whose = || format!("{} {completion}", if own { "strict" } else { profile.name });
            slow.over += u64::from(took.as_millis() >= 10);
            if took > slow.longest {
                slow.longest = took;
                slow.whose = whose();
            }
        }
    }
    slow
}

/// How long each takes is measured by `cargo bench --bench score -- bombs`: here all that counts is that each ends.
#[test]
fn bombs_end_and_score_within_bounds() {
    let golds = ["3", r"x^2+2\sqrt{x}+1", r"\{1,2,3\}"].map(|text| Answer::Expression(text.to_owned()));
    let boxed = bombs::answers().into_iter().map(|bomb| format!("\\boxed{{{bomb}}}"));
    for text in boxed.chain(bombs::completions()) {
        for gold in &golds {
            let (verdict, .., scored) = of("expression").judge(&plain(gold), &text);
            let values = [verdict.score, scored.accuracy, scored.lenient_accuracy];
            assert!(values.iter().all(|value| (0.0..=1.0).contains(value)), "{text:.60}");
        }
        for profile in profile::PROFILES {
            let asked = profile::Asked { golds: &["x<3".to_owned()], completion: &text, options: &[] };
            let score = (profile.score)(&asked).score;
            assert!(score.is_none_or(|s| (0.0..=1.0).contains(&s)), "{} {text:.60}", profile.name);
        }
    }
}

#[test]
fn a_megabyte_is_scored_at_once() {
    let fill = [
        "9",
        "(",
        "[",
        "{",
        "<answer>",
        "</answer>",
        "A. ",
        "\\frac{",
        "$",
        "[1,",
        "**",
        " ",
        "1,000",
        "\\boxed{",
    ];
    for filler in fill {
        let text = filler.repeat(1_000_000 / filler.len());
        for answer in &golds() {
            for verifier in [answer.kind(), "anls"] {
                let reward = of(verifier);
                if reward.accepts(&plain(answer)).is_ok() {
                    let start = std::time::Instant::now();
                    reward.score(&plain(answer), &text);
                    reward.score(&plain(answer), &format::tagged("", &text));
                    // Unoptimised builds on a busy machine; quadratic time would take hours.
                    assert!(start.elapsed().as_secs() < 10, "{verifier} {filler}: {:?}", start.elapsed());
                }
            }
        }
    }
}

proptest! {
    /// Of values that leave nothing to be worked out: as an answer `2\sqrt{4}` is not 4, as a gold it is.
    #[test]
    fn values_are_equal_both_ways(
        a in r"[-]?[1-9][0-9]?(/[2-9]|\\sqrt\{[235-8]\}|\\pi|x)?", b in r"[-]?[1-9][0-9]?(/[2-9]|\\sqrt\{[235-8]\}|\\pi|x)?"
    ) {
        let score = |gold: &str, answer: &str| {
            let gold = Answer::Expression(gold.to_owned());
            of("expression").verify(&plain(&gold), &format!("<answer>{answer}</answer>")).0.score
        };
        prop_assert_eq!(score(&a, &b), score(&b, &a), "{} {}", a, b);
        prop_assert_eq!(score(&a, &a), 1.0);
    }

    #[test]
    fn numbers_and_texts_are_equal_both_ways(a in -99_i32..99, b in -99_i32..99, x in "[ab ]?[ab][ab ]?", y in "[ab ]?[ab][ab ]?") {
        let number = |gold: i32, answer: i32| {
            of("number").verify(&plain(&Answer::Number(gold.into())), &format!("<answer>{answer}</answer>")).0.score
        };
        prop_assert_eq!(number(a, b), number(b, a));
        prop_assert_eq!(number(a, b), f64::from(u8::from(a == b)));
        let text = |gold: &str, answer: &str| {
            let gold = Answer::Text(vec![gold.to_owned()]);
            of("text").verify(&plain(&gold), &format!("<answer>{answer}</answer>")).0.score
        };
        prop_assert_eq!(text(&x, &y), text(&y, &x));
    }

    #[test]
    fn any_bytes_are_scored_between_zero_and_one(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        check_any(&String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn any_near_answer_is_scored_between_zero_and_one(
        text in r"([0-9]{1,3}|[.,/%$ A-D(){}\[\]^*=-]|\\frac|\\sqrt|\\text|\\pi|'Position':|√|π|<answer>|</think>){0,20}"
    ) {
        check_any(&text);
    }

    #[test]
    fn numbers_as_written_are_right(number in prop::num::f64::NORMAL | prop::num::f64::ZERO) {
        check_gold(Answer::Number(number));
    }

    #[test]
    fn texts_as_written_are_right(text in "[^<>\\pZ\\pC][^<>\\pC]{0,30}") {
        let gold = Answer::Text(vec![text.clone()]);
        let says_nothing = text::is_missing(&text) || text::collapsed(&text).is_empty();
        prop_assert_eq!(of("text").accepts(&plain(&gold)).is_err(), says_nothing);
        check_gold_of("text", &gold);
        check_gold_of("anls", &gold);
    }

    #[test]
    fn letters_as_written_are_right(letter in prop::char::range('A', 'Z')) {
        check_gold(Answer::Choice(letter));
    }

    #[test]
    fn expressions_as_written_are_right(text in r"[a-z0-9+*/^_(){}\\., =-]{0,20}[a-z0-9]") {
        check_gold(Answer::Expression(text));
    }

    #[test]
    fn boxes_as_written_are_right_in_any_order(
        boxes in prop::collection::vec(rect(), 1..8), order in any::<prop::sample::Index>()
    ) {
        let mut turned = boxes.clone();
        turned.rotate_left(order.index(boxes.len()));
        let gold = Answer::Boxes(boxes);
        prop_assert_eq!(accuracy(&gold, &turned, 0.5), 1.0);
    }

    #[test]
    fn the_order_of_boxes_changes_nothing(
        golds in prop::collection::vec(rect(), 1..6), given in prop::collection::vec(rect(), 1..8),
        order in any::<prop::sample::Index>()
    ) {
        let (mut turned, mut golds_turned) = (given.clone(), golds.clone());
        turned.rotate_left(order.index(given.len()));
        turned.reverse();
        golds_turned.rotate_left(order.index(golds.len()));
        let (gold, gold_turned) = (Answer::Boxes(golds), Answer::Boxes(golds_turned));
        prop_assert_eq!(accuracy(&gold, &given, 0.0), accuracy(&gold_turned, &turned, 0.0));
    }

    #[test]
    fn a_wrong_box_more_never_helps(
        golds in prop::collection::vec(rect(), 1..6), given in prop::collection::vec(rect(), 1..8), far in rect()
    ) {
        let gold = Answer::Boxes(golds);
        let mut more = given.clone();
        more.push(Rect { x1: far.x1 + 1000.0, x2: far.x2 + 1000.0, ..far });
        for threshold in [0.0, 0.5] {
            prop_assert!(accuracy(&gold, &more, threshold) <= accuracy(&gold, &given, threshold));
        }
    }
}

fn check_any(text: &str) {
    for profile in profile::PROFILES {
        let asked =
            profile::Asked { golds: &["3".to_owned(), "x<3".to_owned()], completion: text, options: &[] };
        let score = (profile.score)(&asked).score;
        assert!(score.is_none_or(|s| (0.0..=1.0).contains(&s)), "{} {text}", profile.name);
    }
    for answer in &golds() {
        let (verdict, ..) = of(answer.kind()).verify(&plain(answer), text);
        assert!((0.0..=1.0).contains(&verdict.score));
        for completion in [text.to_owned(), format::tagged("", text)] {
            let scored = of(answer.kind()).score(&plain(answer), &completion);
            assert!((0.0..=1.0).contains(&scored.accuracy) && (0.0..=1.0).contains(&scored.lenient_accuracy));
            assert!((0.0..=scored.max).contains(&scored.total));
        }
    }
}

fn check_gold(answer: Answer) {
    check_gold_of(answer.kind(), &answer);
}

fn check_gold_of(verifier: &str, answer: &Answer) {
    let reward = of(verifier);
    let gold = plain(answer);
    if reward.accepts(&gold).is_ok() {
        let scored = reward.score(&gold, &format::tagged("", &answer.written()));
        assert_eq!(scored.accuracy, 1.0, "{verifier} {answer:?} {scored:?}");
        reward.self_test(&gold).unwrap();
    }
}

fn accuracy(gold: &Answer, given: &[Rect], threshold: f64) -> f64 {
    let table: toml::Table = format!("name = 'boxes'\nthreshold = {threshold:?}").parse().unwrap();
    let reward = Reward::from_tables(&table.into(), None).unwrap();
    let answer = Answer::Boxes(given.to_vec()).written();
    reward.score(&plain(gold), &format::tagged("", &answer)).accuracy
}

fn rect() -> impl Strategy<Value = Rect> {
    (0_u32..50, 0_u32..50, 1_u32..30, 1_u32..30).prop_map(|(x, y, w, h)| {
        let [x1, y1, w, h] = [x, y, w, h].map(f64::from);
        Rect { x1, y1, x2: x1 + w, y2: y1 + h }
    })
}

fn golds() -> [Answer; 5] {
    [
        Answer::Choice('B'),
        Answer::Number(12.5),
        Answer::Text(vec!["left of".to_owned()]),
        Answer::Boxes(vec![
            Rect { x1: 1.0, y1: 2.5, x2: 30.0, y2: 40.0 },
            Rect { x1: 50.0, y1: 0.0, x2: 60.0, y2: 9.0 },
        ]),
        Answer::Expression(r"\frac{2\sqrt{3}}{5}".to_owned()),
    ]
}

fn of(verifier: &str) -> Reward {
    Reward::from_tables(&verifier.into(), None).unwrap()
}

fn plain(answer: &Answer) -> Gold<'_> {
    Gold { answer, options: &[], picture_size: None }
}

#[test]
fn a_box_beside_another_answer_is_one_where_both_say_the_same() {
    let reward = Reward::from_tables(&toml::Value::from("expression"), None).unwrap();
    let answer = Answer::Expression(r"\frac{1}{2}".to_owned());
    let reason = |text: &str| reward.verify(&plain(&answer), text).0.reason;
    for text in [
        r"0.5 or \boxed{\frac{1}{2}}",
        r"\boxed{0.5} or $\frac{1}{2}$.",
        r"\boxed{\frac{1}{2}} (or 50%)",
        "\\boxed{\\frac{1}{2}}\n\nThe answer is 0.5.",
        r"\boxed{\frac{1}{2}}. This answer is reasonable, as it is below 1.",
        r"We add 3 and 4, or more simply \boxed{\frac{1}{2}}",
    ] {
        assert_eq!(reason(text), Reason::Right, "{text}");
    }
    for text in [
        r"6 or \boxed{\frac{1}{2}}",
        r"It is 4, 6, or $\boxed{\frac{1}{2}}$.",
        r"$\frac{1}{3}$ or $\boxed{\frac{1}{2}}$",
        r"\boxed{\frac{1}{2}} or 6",
        r"\boxed{\frac{1}{2}} (or 6)",
        "\\boxed{\\frac{1}{2}}\n\nThe answer is 6.",
    ] {
        assert_eq!(reason(text), Reason::Ambiguous, "{text}");
    }
}

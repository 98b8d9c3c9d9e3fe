//! Where an answer stands in a text, by math-verify's patterns and their priorities.

use std::cell::{Cell, RefCell};

use super::{Budget, Mode, Parsed, latex, normalise, plain};
use crate::reward::{
    math::{Expr, form::decimal},
    profile::python,
};

/// A place that a pattern matches.
struct Match {
    start: usize,
    end: usize,
    what: What,
}

enum What {
    /// Contents of LaTeX environments, each with whether a percent sign follows; from a bare `\boxed{`.
    Latex(Vec<(String, bool)>, bool),
    /// Text of a number, whether a percent sign follows.
    Number(String, bool),
    /// Text of an expression.
    Expression(String),
}

/// What may still be looked at in one text, in bytes: patterns that begin at many places and find no end would look at each to
/// the end of the text. Counted, so that every machine finds the same.
struct Looks(Cell<usize>);

/// A hundred times the longest text.
const MAX_LOOKS: usize = 100 * super::MAX_TEXT;

impl Looks {
    /// `None` where nothing is left. A look at nothing is one too.
    fn at(&self, bytes: usize) -> Option<()> {
        const EACH: usize = 8;
        let left = self.0.get().saturating_sub(bytes + EACH);
        self.0.set(left);
        (left > 0).then_some(())
    }

    fn spent(&self) -> bool {
        self.0.get() == 0
    }
}

pub(super) fn parse(text: &str, mode: Mode) -> Parsed {
    let looks = &Looks(Cell::new(MAX_LOOKS));
    let budget = &mut Budget::new();
    let mut fallback = None;
    for priority in [0, 50, 100, 200, 300] {
        if priority == 300 && mode == Mode::Trl {
            break;
        }
        let mut matches = Vec::new();
        let boxes = if mode == Mode::Trl { 0 } else { 50 };
        latex_matches(text, priority, looks, &mut matches);
        if priority == boxes {
            boxed_matches(text, looks, &mut matches);
        }
        if mode == Mode::Default {
            expression_matches(text, priority, looks, &mut matches);
        }
        matches.sort_by(|a, b| b.end.cmp(&a.end).then(a.start.cmp(&b.start)));
        let any = !matches.is_empty();
        for found in matches.into_iter().take(64) {
            let (expr, string) = read(found.what, mode, budget);
            if fallback.is_none() && !string.is_empty() {
                fallback = Some(string);
            }
            if expr.is_some() {
                return Parsed { expr, text: fallback };
            }
            if mode == Mode::Trl {
                break;
            }
        }
        if any && mode == Mode::Trl {
            break;
        }
    }
    Parsed { expr: None, text: fallback }
}

fn read(what: What, mode: Mode, budget: &mut Budget) -> (Option<Expr>, String) {
    match what {
        What::Latex(contents, bare_box) => {
            let mut exprs = Vec::new();
            let mut strings = Vec::new();
            for (content, percent) in contents {
                let normal = normalise::normalise(&content, mode, bare_box);
                let mut expr = latex::read(&normal, budget);
                if percent {
                    expr = expr.map(|e| Expr::Percent(e.into()));
                }
                strings.push(normal);
                exprs.push(expr);
            }
            if exprs.len() > 1 && exprs.iter().all(Option::is_some) {
                let mut all = Vec::new();
                for expr in exprs.into_iter().flatten() {
                    match expr {
                        Expr::Set(inner) => all.extend(inner),
                        one => all.push(one),
                    }
                }
                return (Some(Expr::Set(all)), strings.join(" and "));
            }
            (exprs.swap_remove(0), strings.swap_remove(0))
        }
        What::Number(text, percent) => {
            let (integer, decimals) = match text.rfind('.') {
                Some(at) => (&text[..at], &text[at..]),
                None => match text.split_once(',') {
                    // `1,2` is a decimal comma, `1,234` a separator: the first pattern takes all groups of three.
                    Some((a, b)) if !grouped(&text) => (a, &text[text.len() - b.len() - 1..]),
                    _ => (text.as_str(), ""),
                },
            };
            let integer: String = integer.chars().filter(|c| !matches!(c, ',' | ' ')).collect();
            let integer = integer.trim_start_matches('0');
            let integer = if integer.is_empty() { "0" } else { integer };
            let string = format!("{integer}{}", decimals.replace(',', "."));
            let value = number(&string);
            let value = if percent { value.map(|v| Expr::Percent(v.into())) } else { value };
            (value, string)
        }
        What::Expression(text) => (plain::read(&text), text),
    }
}

/// A Python number as sympy's `Number` makes one of it.
pub(super) fn number(text: &str) -> Option<Expr> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (whole, decimals) = digits.split_once('.').unwrap_or((digits, ""));
    if whole.len() + decimals.len() > 1000
        || !whole.bytes().chain(decimals.bytes()).all(|b| b.is_ascii_digit())
    {
        return None;
    }
    let all = format!("{whole}{decimals}");
    let value = decimal(all.trim_start_matches('0'), -(decimals.len() as i64))?;
    let value = if negative { -value } else { value };
    Some(if digits.contains('.') { Expr::Decimal(value) } else { Expr::Number(value) })
}

fn grouped(text: &str) -> bool {
    let text = text.strip_prefix('-').unwrap_or(text);
    let mut parts = text.split([',', ' ']);
    let first = parts.next().unwrap_or("");
    (1..=3).contains(&first.len()) && !first.starts_with('0') && parts.all(|p| p.len() == 3)
}

/// One environment with LaTeX in it.
struct Environment {
    end: usize,
    content: String,
    percent: bool,
}

/// The environment that begins at `at`; `boxed`: only one with a box in it.
fn environment(text: &str, at: usize, boxed: bool, looks: &Looks) -> Option<Environment> {
    let rest = &text[at..];
    if !rest.starts_with(|c: char| matches!(c, '$' | '\\' | '-') || c.is_whitespace()) {
        return None;
    }
    let before = text[..at].chars().next_back();
    let escaped = before == Some('\\');
    // Where the text that follows has an end mark, from a place in it on.
    let end_mark = |inside: &str, from: usize, mark: &str| {
        let end = memchr::memmem::find(&inside.as_bytes()[from..], mark.as_bytes());
        looks.at(end.unwrap_or(inside.len() - from))?;
        end.map(|end| from + end)
    };
    let accept = |content: &str| -> bool {
        if content.is_empty() || boxed && looks.at(content.len()).is_none() {
            return false;
        }
        !boxed || content.find("\\boxed{").is_some_and(|i| content[i + 7..].chars().skip(1).any(|c| c == '}'))
    };
    let found = if let Some(inside) = rest.strip_prefix("$$").filter(|_| !escaped) {
        let mut from = 0;
        loop {
            let Some(end) = end_mark(inside, from, "$$") else { break None };
            if end > 0 && !inside[..end].ends_with('\\') && accept(&inside[..end]) {
                break Some((2, end, 2));
            }
            from = end + 1;
            if from >= inside.len() {
                break None;
            }
        }
    } else {
        None
    };
    let found = found.or_else(|| {
        if let Some(inside) = rest.strip_prefix("\\[").filter(|_| !escaped) {
            let end = end_mark(inside, 0, "\\]")?;
            return accept(&inside[..end]).then_some((2, end, 2));
        }
        if let Some(inside) = rest.strip_prefix("\\(").filter(|_| !escaped) {
            let end = end_mark(inside, 0, "\\)")?;
            return (accept(&inside[..end]) && !inside[..end].contains('\n')).then_some((2, end, 2));
        }
        if let Some(inside) =
            rest.strip_prefix('$').filter(|_| !escaped && !before.is_some_and(char::is_numeric))
        {
            let mut from = 0;
            loop {
                let end = inside[from..].find(['$', '\n']);
                looks.at(end.unwrap_or(inside.len() - from))?;
                let end = end? + from;
                if inside[end..].starts_with('\n') {
                    return None;
                }
                if inside[..end].ends_with('\\') {
                    from = end + 1;
                    continue;
                }
                return accept(&inside[..end]).then_some((1, end, 1));
            }
        }
        let first = rest.chars().next()?;
        if first.is_whitespace() && rest[first.len_utf8()..].starts_with('[') {
            let open = first.len_utf8() + 1;
            let inside = &rest[open..];
            let end = inside.find(['[', ']', '\n']);
            looks.at(end.unwrap_or(inside.len()))?;
            let end = end?;
            let closed = inside[end..].strip_prefix(']')?;
            let space = closed.chars().next().filter(|c| c.is_whitespace())?;
            return accept(&inside[..end]).then_some((open, end, 1 + space.len_utf8()));
        }
        None
    });
    if let Some((open, length, close)) = found {
        let content = rest[open..open + length].to_owned();
        let mut end = at + open + length + close;
        let percent = percent_after(&text[end..]);
        // White space before a missing percent sign belongs to the match as well.
        let spaces = text[end..].len() - text[end..].trim_start().len();
        end += percent.unwrap_or(spaces);
        return Some(Environment { end, content, percent: percent.is_some() });
    }
    if !boxed {
        let unsigned = rest.strip_prefix('-').unwrap_or(rest);
        let mut tail = unsigned.strip_prefix("\\frac{")?;
        for close in ["}{", "}"] {
            let n = simple_number(tail)?;
            tail = tail[n..].strip_prefix(close)?;
        }
        let end = text.len() - tail.len();
        let percent = percent_after(tail);
        let spaces = tail.len() - tail.trim_start().len();
        return Some(Environment {
            end: end + percent.unwrap_or(spaces),
            content: text[at..end].to_owned(),
            percent: percent.is_some(),
        });
    }
    None
}

/// Bytes of `-?\d+(?:[.,]\d+)?`.
fn simple_number(text: &str) -> Option<usize> {
    let digits = |t: &str| t.bytes().take_while(u8::is_ascii_digit).count();
    let sign = usize::from(text.starts_with('-'));
    let whole = digits(&text[sign..]);
    if whole == 0 {
        return None;
    }
    let mut end = sign + whole;
    if text[end..].starts_with(['.', ',']) {
        let n = digits(&text[end + 1..]);
        if n > 0 {
            end += 1 + n;
        }
    }
    Some(end)
}

/// Bytes of white space and a percent sign or word.
fn percent_after(text: &str) -> Option<usize> {
    let trimmed = text.trim_start();
    let spaces = text.len() - trimmed.len();
    ["\\%", "%", "percentage", "Percentage", "percent", "Percent", "pct", "Pct"]
        .iter()
        .find(|p| trimmed.starts_with(**p))
        .map(|p| spaces + p.len())
}

/// An environment and up to five more joined by "and", "or" and commas.
fn environments(text: &str, at: usize, boxed: bool, looks: &Looks) -> Option<(usize, Vec<(String, bool)>)> {
    let first = environment(text, at, boxed, looks)?;
    let mut end = first.end;
    let mut all = vec![(first.content, first.percent)];
    for _ in 0..5 {
        let rest = text[end..].trim_start();
        let joined = [",and", "and", ",or", "or", ","].iter().find_map(|j| rest.strip_prefix(j));
        let Some(after) = joined else { break };
        let spaces = after.len() - after.trim_start().len();
        let base = text.len() - after.len();
        // The environment may want a space of its own in front of a bracket.
        let next = (0..=spaces)
            .rev()
            .filter(|s| text.is_char_boundary(base + s))
            .find_map(|s| environment(text, base + s, boxed, looks));
        let Some(next) = next else { break };
        end = next.end;
        all.push((next.content, next.percent));
    }
    Some((end, all))
}

fn starts(text: &str) -> impl Iterator<Item = usize> + '_ {
    text.char_indices()
        .filter(|(i, c)| match c {
            '$' => true,
            '\\' => ["\\[", "\\(", "\\frac{"].iter().any(|s| text[*i..].starts_with(s)),
            '-' => text[i + 1..].starts_with("\\frac{"),
            '[' => false,
            c => c.is_whitespace() && text[i + c.len_utf8()..].starts_with('['),
        })
        .map(|(i, _)| i)
}

/// Ends of what may stand before an answer, with how much text may come between.
fn leads(text: &str, priority: usize) -> Vec<(usize, usize)> {
    let lower = text.to_ascii_lowercase();
    let mut out = Vec::new();
    match priority {
        0 | 50 => {
            for (at, lead) in lower.match_indices("final answer") {
                let after = at + lead.len();
                let tail = &lower[after..];
                if priority == 0 {
                    if let Some(rest) = tail.strip_prefix(" is") {
                        out.push((at, after + 3 + usize::from(rest.starts_with(':'))));
                    }
                    continue;
                }
                // `.{0,100}?\s+is\:?`
                let window = tail.char_indices().nth(104).map_or(tail.len(), |(i, _)| i);
                for (i, _) in tail[..window].match_indices("is") {
                    if tail[..i].ends_with(char::is_whitespace) {
                        let end = after + i + 2;
                        out.push((at, end + usize::from(lower[end..].starts_with(':'))));
                    }
                }
            }
        }
        100 | 200 => {
            for (at, lead) in lower.match_indices("answer") {
                let end = at + lead.len();
                if priority == 200 {
                    out.push((at, end));
                } else if lower[end..].starts_with(':') {
                    out.push((at, end + 1));
                }
            }
        }
        _ => (),
    }
    out
}

fn latex_matches(text: &str, priority: usize, looks: &Looks, out: &mut Vec<Match>) {
    if priority == 300 {
        let mut at = 0;
        for start in starts(text) {
            if start < at {
                continue;
            }
            if let Some((end, all)) = environments(text, start, false, looks) {
                out.push(Match { start, end, what: What::Latex(all, false) });
                at = end;
            }
        }
        return;
    }
    // Windows overlap: where nothing began before this place nothing does for another lead.
    let mut looked = 0;
    let mut done = 0;
    for (start, from) in leads(text, priority) {
        if start < done {
            continue;
        }
        let found = if priority <= 50 {
            let rest = text[from..].trim_start();
            let spaces = text[from..].len() - rest.len();
            (0..=spaces)
                .rev()
                .filter(|s| text.is_char_boundary(from + s))
                .find_map(|s| environments(text, from + s, false, looks))
        } else {
            let places = text[from..].char_indices().take(51).map(|(i, _)| from + i);
            let new = looked;
            places.filter(|at| *at >= new).find_map(|at| {
                looked = at + 1;
                environments(text, at, false, looks)
            })
        };
        let Some((mut end, all)) = found else { continue };
        if priority == 0 {
            let rest = &text[end..];
            let rest = rest.strip_prefix('.').unwrap_or(rest);
            let rest = rest.strip_prefix(char::is_whitespace).unwrap_or(rest);
            let Some(after) = rest.strip_prefix("I hope") else { continue };
            end = text.len() - after.len();
        }
        out.push(Match { start, end, what: What::Latex(all, false) });
        done = end;
    }
}

fn boxed_matches(text: &str, looks: &Looks, out: &mut Vec<Match>) {
    if !text.contains("\\boxed{") {
        return;
    }
    let mut at = 0;
    for start in starts(text) {
        if start < at {
            continue;
        }
        if let Some((end, all)) = environments(text, start, true, looks) {
            out.push(Match { start, end, what: What::Latex(all, false) });
            at = end;
        }
    }
    // From the first `\boxed{` to the last brace.
    if let (Some(start), Some(end)) = (text.find("\\boxed{"), text.rfind('}'))
        && end > start + 7
    {
        let content = text[start..=end].to_owned();
        out.push(Match { start, end: end + 1, what: What::Latex(vec![(content, false)], true) });
    }
}

/// A number at `at`: its end and whether a percent sign belongs to it.
fn number_at(text: &str, at: usize) -> Option<(usize, usize, bool)> {
    let bytes = text.as_bytes();
    if at > 0 && text[..at].chars().next_back().is_some_and(|c| python::digit(c).is_some()) {
        return None;
    }
    let digits = |i: usize| bytes[i.min(bytes.len())..].iter().take_while(|b| b.is_ascii_digit()).count();
    let sign = usize::from(bytes.get(at) == Some(&b'-'));
    let whole = digits(at + sign);
    let mut end = None;
    if whole > 0 {
        let start = at + sign;
        // Groups of three after one to three digits; the first group's digits may be fewer than there are.
        if bytes[start] != b'0' && whole <= 3 {
            let mut i = start + whole;
            while matches!(bytes.get(i), Some(b' ' | b',')) && digits(i + 1) >= 3 {
                i += 4;
                if digits(i) > 0 {
                    break;
                }
            }
            if i > start + whole {
                if bytes.get(i) == Some(&b'.') && digits(i + 1) > 0 {
                    i += 1 + digits(i + 1);
                }
                end = Some(i);
            }
        }
        if end.is_none() {
            let i = start + whole;
            let n = if matches!(bytes.get(i), Some(b'.' | b',')) { digits(i + 1) } else { 0 };
            end = Some(if n > 0 { i + 1 + n } else { i });
        }
    } else if bytes.get(at) == Some(&b'.') && digits(at + 1) > 0 {
        end = Some(at + 1 + digits(at + 1));
    }
    let end = end?;
    let percent = percent_after(&text[end..]).filter(|_| !text[end..].trim_start().starts_with("\\%"));
    Some((end, end + percent.unwrap_or(0), percent.is_some()))
}

/// After a prefix (start, white space or `=`, two stars) and perhaps a currency sign: start of the number, if one is there.
fn anchored_number(text: &str, at: usize) -> Option<(usize, usize, bool, usize)> {
    for from in after_anchor(text, at) {
        let from = if text[from..].starts_with("**") { from + 2 } else { from };
        let rest = &text[from..];
        let currency = rest.chars().next().filter(|c| "$€£¥₹₽₪₩₫฿₡₢₣₤₥₦₧₨₭₮₯₰₱₲₳₴₵₶₷₸₺₻₼₾₿".contains(*c));
        let start = from + currency.map_or(0, char::len_utf8);
        if let Some((end, full, percent)) = number_at(text, start) {
            return Some((start, end, percent, full));
        }
    }
    None
}

/// An expression of numbers and operators with what must stand around it.
fn anchored_expression(text: &str, at: usize, looks: &Looks) -> Option<(usize, usize, usize)> {
    if looks.spent() {
        return None;
    }
    let operator = |c: char| "+-*×/^()÷".contains(c);
    let inner = |c: char| c.is_ascii_digit() || c == '.' || c.is_whitespace() || operator(c);
    for from in after_anchor(text, at) {
        let start = if text[from..].starts_with("**") { from + 2 } else { from };
        let rest = &text[start..];
        let mut head = rest.strip_prefix('-').unwrap_or(rest);
        head = head.strip_prefix('(').unwrap_or(head);
        head = head.strip_prefix('-').unwrap_or(head);
        if !head.starts_with(|c: char| c.is_ascii_digit()) {
            continue;
        }
        let begin = text.len() - head.len();
        let run: Vec<(usize, char)> = head.char_indices().take_while(|(_, c)| inner(*c)).take(400).collect();
        looks.at(6 * run.len())?;
        // Greedy, giving back until an operator and something after it stand inside and the end fits.
        for last in (0..run.len()).rev() {
            let end = begin + run[last].0 + run[last].1.len_utf8();
            let has_operator = run[1..last.max(1)].iter().any(|(_, c)| operator(*c));
            if !has_operator {
                break;
            }
            let tail = &text[end..];
            let tail = tail.strip_prefix("**").unwrap_or(tail);
            let fits =
                tail.is_empty() || tail.starts_with(|c: char| c.is_whitespace() || ".,:)$".contains(c));
            if fits {
                let full = text.len() - tail.len() + tail.chars().next().map_or(0, char::len_utf8);
                return Some((start, end, full));
            }
        }
    }
    None
}

/// Where a number or an expression may begin for an anchor at `at`: at the start of the text itself, or behind white space or an
/// equals sign.
fn after_anchor(text: &str, at: usize) -> impl Iterator<Item = usize> {
    let sign = text[at..].chars().next().filter(|c| c.is_whitespace() || *c == '=');
    (at == 0).then_some(0).into_iter().chain(sign.map(|c| at + c.len_utf8()))
}

fn anchors(text: &str) -> impl Iterator<Item = usize> + '_ {
    std::iter::once(0).chain(
        text.char_indices().filter(|(i, c)| *i > 0 && (c.is_whitespace() || *c == '=')).map(|(i, _)| i),
    )
}

/// Ends of the numbers that begin at `start`, in the order in which the pattern tries them: groups of three, decimals, digits.
fn number_ends(text: &str, start: usize) -> impl Iterator<Item = usize> {
    const MOST: usize = 64;
    let digits = |at: usize| text[at..].bytes().take_while(u8::is_ascii_digit).take(MOST).count();
    let from = start + usize::from(text[start..].starts_with('-'));
    let first = digits(from);
    let mut ends = Vec::new();
    let decimals = |at: usize, point: &[char], ends: &mut Vec<usize>| {
        if text[at..].starts_with(point) {
            ends.extend((1..=digits(at + 1)).rev().map(|n| at + 1 + n));
        }
    };
    if (1..=3).contains(&first) && !text[from..].starts_with('0') {
        let mut groups = Vec::new();
        let mut at = from + first;
        while groups.len() < MOST && text[at..].starts_with([' ', ',']) && digits(at + 1) >= 3 {
            at += 4;
            groups.push(at);
        }
        for at in groups.into_iter().rev() {
            decimals(at, &['.'], &mut ends);
            ends.push(at);
        }
    }
    decimals(from + first, if first > 0 { &['.', ','] } else { &['.'] }, &mut ends);
    ends.extend((1..=first).rev().map(|n| from + n));
    ends.into_iter()
}

fn expression_matches(text: &str, priority: usize, looks: &Looks, out: &mut Vec<Match>) {
    if priority == 300 {
        let mut done = 0;
        for at in anchors(text) {
            if at >= done
                && let Some((start, end, full)) = anchored_expression(text, at, looks)
            {
                out.push(Match { start: at, end: full, what: What::Expression(text[start..end].to_owned()) });
                done = full;
            }
        }
        done = 0;
        for at in anchors(text) {
            if at >= done
                && let Some((start, end, percent, full)) = anchored_number(text, at)
            {
                out.push(Match {
                    start: at,
                    end: full,
                    what: What::Number(text[start..end].to_owned(), percent),
                });
                done = full;
            }
        }
        return;
    }
    // White space starts most anchors; a match may begin anywhere in the window that is allowed.
    let either = |at: usize| -> Option<(usize, What)> {
        if let Some((start, end, full)) = anchored_expression(text, at, looks).filter(|_| at > 0) {
            return Some((full, What::Expression(text[start..end].to_owned())));
        }
        let (start, end, percent, full) = anchored_number(text, at).filter(|_| at > 0)?;
        Some((full, What::Number(text[start..end].to_owned(), percent)))
    };
    let no_equals = |end: usize| !text[end..].trim_start().starts_with('=');
    // Where an equals sign follows, the pattern goes back to as much of the number as has none after it.
    let settled = |at: usize| -> Option<(usize, What)> {
        if let Some(whole) = either(at).filter(|(end, _)| no_equals(*end)) {
            return Some(whole);
        }
        let (start, ..) = anchored_number(text, at).filter(|_| at > 0)?;
        let end = number_ends(text, start).find(|end| no_equals(*end))?;
        Some((end, What::Number(text[start..end].to_owned(), false)))
    };
    // Windows overlap: where nothing stands is looked at once.
    let nothing = RefCell::new(vec![false; text.len() + 1]);
    let settled = |at: usize| {
        if nothing.borrow()[at] {
            return None;
        }
        let found = settled(at);
        nothing.borrow_mut()[at] = found.is_none();
        found
    };
    let mut done = 0;
    for (start, from) in leads(text, priority) {
        if start < done {
            continue;
        }
        let found = if priority <= 50 {
            let rest = text[from..].trim_start();
            let spaces = text[from..].len() - rest.len();
            (0..=spaces).filter(|s| text.is_char_boundary(from + s)).find_map(|s| either(from + s))
        } else {
            // The last `=` of the line within a hundred characters, then an answer right after it; else the first within fifty.
            let line = text[from..].char_indices().take_while(|(_, c)| *c != '\n');
            let window: Vec<usize> = line.take(102).map(|(i, _)| from + i).collect();
            let after_equals = window.iter().rev().filter(|i| text[**i..].starts_with('=')).find_map(|i| {
                let rest = text[i + 1..].trim_start();
                let spaces = text[i + 1..].len() - rest.len();
                (0..=spaces)
                    .rev()
                    .filter(|s| text.is_char_boundary(i + 1 + s))
                    .find_map(|s| settled(i + 1 + s))
            });
            after_equals.or_else(|| {
                // The end of the line may be the anchor itself.
                let places = text[from..].char_indices().take(51).map(|(i, _)| from + i);
                places.take(window.len() + 1).find_map(settled)
            })
        };
        let Some((mut end, what)) = found else { continue };
        if priority == 0 {
            let rest = &text[end..];
            let rest = rest.strip_prefix('.').unwrap_or(rest);
            let rest = rest.strip_prefix(char::is_whitespace).unwrap_or(rest);
            let Some(after) = rest.strip_prefix("I hope") else { continue };
            end = text.len() - after.len();
        }
        out.push(Match { start, end, what });
        done = end;
    }
}

//! Everything that reaches the terminal goes through here: results, tables, notes, progress and errors.
//!
//! Results go to standard output, the rest to standard error. Text may come from data and models: control characters
//! are shown as escapes, so that no dataset can move the cursor or hide what stands beside it.

use std::{
    fmt::Display,
    io::{self, BufWriter, IsTerminal, Stdout, Write},
    sync::Mutex,
    time::{Duration, Instant},
};

use comfy_table::{CellAlignment, ColumnConstraint, ContentArrangement, Table, Width, presets};
use indicatif::{
    HumanDuration, MultiProgress, ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle,
};
use serde::Serialize;

use crate::error::{Error, Result};

/// Columns of output that goes to no terminal.
const COLUMNS: u16 = 80;

/// Columns between two columns of a table.
const GAP: u16 = 2;

/// Time between two lines of progress in a log.
const LOG_EVERY: Duration = Duration::from_secs(10);

const RED: &str = "\x1b[1;31m";
const YELLOW: &str = "\x1b[1;33m";
const CYAN: &str = "\x1b[1;36m";
const PLAIN: &str = "\x1b[0m";

/// The one printer of a command.
pub(super) struct Printer {
    out: BufWriter<Stdout>,
    bars: MultiProgress,
    quiet: bool,
    colours: bool,
    reader_left: bool,
}

/// How a column is aligned.
#[derive(Clone, Copy)]
pub(super) enum Column {
    /// Words, to the left.
    Text(&'static str),
    /// Figures, to the right.
    Number(&'static str),
}

impl Printer {
    /// `quiet`: leave out notes and progress.
    pub(super) fn new(quiet: bool) -> Self {
        let plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Self {
            out: BufWriter::new(io::stdout()),
            bars: MultiProgress::with_draw_target(ProgressDrawTarget::stderr()),
            quiet,
            colours: io::stderr().is_terminal() && !plain,
            reader_left: false,
        }
    }

    /// A result as text, with a newline; broken between words where a terminal would break it anywhere.
    pub(super) fn line(&mut self, text: impl Display) -> Result<()> {
        let text = shown(&text.to_string());
        let text = if io::stdout().is_terminal() { wrapped(&text, width()) } else { text };
        self.write(text.as_bytes())
    }

    /// A result as JSON on one line.
    pub(super) fn json(&mut self, value: &impl Serialize) -> Result<()> {
        let text = serde_json::to_vec(value).expect("results have string keys and finite numbers");
        self.write(&text)
    }

    /// A result that is bytes already, as it stands.
    pub(super) fn raw(&mut self, bytes: &[u8]) -> Result<()> {
        let written = self.out.write_all(bytes);
        self.checked(written)
    }

    /// A result as a table, as wide as the terminal at most and 80 columns where there is none.
    pub(super) fn table(&mut self, columns: &[Column], rows: &[Vec<String>]) -> Result<()> {
        let mut table = Table::new();
        table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
        let titles = columns.iter().map(|column| match column {
            Column::Text(title) | Column::Number(title) => (*title).to_owned(),
        });
        let rows = rows
            .iter()
            .map(|row| row.iter().map(|cell| shown(cell).replace('\n', "\\n").replace('\t', " ")).collect());
        let lines: Vec<Vec<String>> = std::iter::once(titles.collect()).chain(rows).collect();
        let needs: Vec<Need> = columns
            .iter()
            .enumerate()
            .map(|(i, column)| {
                let cells = lines.iter().filter_map(|line| line.get(i));
                let most = |widths: &dyn Fn(&str) -> usize| {
                    cells.clone().map(|cell| widths(cell)).max().unwrap_or(0).clamp(1, MOST) as u16
                };
                let whole = most(&|cell| cell.chars().count());
                let word = match column {
                    Column::Number(_) => whole,
                    Column::Text(_) => {
                        most(&|cell| cell.split(' ').map(|word| word.chars().count()).max().unwrap_or(0))
                    }
                };
                Need { whole, word, may_break: i > 0 && matches!(column, Column::Text(_)) }
            })
            .collect();
        let width = if table.is_tty() { table.width().unwrap_or(COLUMNS) } else { COLUMNS };
        let gaps = GAP * (columns.len().saturating_sub(1) as u16);
        let widths = column_widths(&needs, width.saturating_sub(gaps));
        let mut lines = lines.into_iter();
        table.set_header(lines.next().expect("the titles are the first line"));
        table.add_rows(lines);
        for (i, (column, width)) in columns.iter().zip(widths).enumerate() {
            let Some(made) = table.column_mut(i) else { continue };
            let gap = if i + 1 == columns.len() { 0 } else { GAP };
            made.set_padding((0, gap)).set_constraint(ColumnConstraint::Absolute(Width::Fixed(width + gap)));
            if matches!(column, Column::Number(_)) {
                made.set_cell_alignment(CellAlignment::Right);
            }
        }
        let text = table.trim_fmt();
        self.write(text.as_bytes())
    }

    fn write(&mut self, text: &[u8]) -> Result<()> {
        let written = self.out.write_all(text).and_then(|()| self.out.write_all(b"\n"));
        self.checked(written)
    }

    /// Hands over what was printed so far.
    pub(super) fn flush(&mut self) -> Result<()> {
        let flushed = self.out.flush();
        self.checked(flushed)
    }

    fn checked(&mut self, done: io::Result<()>) -> Result<()> {
        done.map_err(|error| {
            self.reader_left |= error.kind() == io::ErrorKind::BrokenPipe;
            Error::failed(error).at("standard output")
        })
    }

    /// Whether whoever read standard output has closed it: nothing is left to do, and nothing went wrong.
    pub(super) fn reader_left(&self) -> bool {
        self.reader_left
    }

    /// Something good to know, unless `--quiet`.
    pub(super) fn note(&self, text: impl Display) {
        if !self.quiet {
            let text = shown(&text.to_string());
            self.to_stderr(&if io::stderr().is_terminal() { wrapped(&text, width()) } else { text });
        }
    }

    /// Something that may be wrong.
    pub(super) fn warn(&self, text: impl Display) {
        let text = shown(&text.to_string());
        self.to_stderr(&self.labelled(YELLOW, "warning:", &text));
    }

    /// Why the command ends: what, where, and what to do about it.
    pub(super) fn error(&self, error: &Error) {
        let text = shown(&error.to_string());
        let (before, hint) = match text.rsplit_once("\nhint: ") {
            Some((before, hint)) => (before, Some(hint)),
            None => (&*text, None),
        };
        let mut lines = self.labelled(RED, "error:", before);
        if let Some(hint) = hint {
            lines.extend(["\n", &self.labelled(CYAN, "hint:", hint)]);
        }
        self.to_stderr(&lines);
    }

    /// `label text`, broken between words on a terminal.
    fn labelled(&self, colour: &str, label: &str, text: &str) -> String {
        let text = format!("{label} {text}");
        let text = if io::stderr().is_terminal() { wrapped(&text, width()) } else { text };
        text.replacen(label, &self.coloured(colour, label), 1)
    }

    fn coloured(&self, colour: &str, text: &str) -> String {
        if self.colours { format!("{colour}{text}{PLAIN}") } else { text.to_owned() }
    }

    fn to_stderr(&self, text: &str) {
        // A log that nobody reads any more is no reason to stop.
        self.bars.suspend(|| _ = writeln!(io::stderr(), "{text}"));
    }

    /// Starts to show how far something has come: a bar on a terminal, else a line every ten seconds at most.
    ///
    /// `what` names it; `length`: how many steps there are.
    pub(super) fn progress(&self, what: &str, length: u64) -> Progress {
        let what = shown(what);
        if self.quiet {
            return Progress { what, length, shown: Shown::Not };
        }
        if !io::stderr().is_terminal() {
            let now = Instant::now();
            return Progress { what, length, shown: Shown::Log { since: now, last: Mutex::new(now) } };
        }
        let style = bar_style().expect("the template is constant and a test draws it");
        let bar = self.bars.add(ProgressBar::new(length).with_style(style).with_prefix(what.clone()));
        Progress { what, length, shown: Shown::Bar(bar) }
    }
}

/// How far something has come; gone when it is dropped. May be shared between threads.
pub(super) struct Progress {
    what: String,
    length: u64,
    shown: Shown,
}

enum Shown {
    Not,
    Bar(ProgressBar),
    Log { since: Instant, last: Mutex<Instant> },
}

impl Progress {
    /// `done` of the steps are done; `message`: what else to know, such as the reward so far.
    pub(super) fn set(&self, done: u64, message: impl Display) {
        match &self.shown {
            Shown::Not => (),
            Shown::Bar(bar) => {
                bar.set_position(done);
                bar.set_message(shown(&message.to_string()));
            }
            Shown::Log { since, last } => {
                let Ok(mut last) = last.lock() else { return };
                if last.elapsed() >= LOG_EVERY {
                    *last = Instant::now();
                    let line = log_line(&self.what, done, self.length, since.elapsed(), &message.to_string());
                    _ = writeln!(io::stderr(), "{line}");
                }
            }
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Shown::Bar(bar) = &self.shown {
            bar.finish_and_clear();
        }
    }
}

/// Characters of a cell that are counted at most.
const MOST: usize = 10_000;

/// What a column of a table would like to have, in characters.
struct Need {
    /// Its longest cell.
    whole: u16,
    /// Its longest word, or number, which cannot be copied or read when it is broken in two.
    word: u16,
    /// Whether its words may be broken where nothing else helps.
    may_break: bool,
}

/// Characters for each column: its longest word at least, and what is left over to the narrowest that wants more.
///
/// Where not even the words fit into `room`, the widest column whose words may be broken gives way, to [`LEAST`]; a table
/// that still does not fit is wider than the terminal.
fn column_widths(needs: &[Need], room: u16) -> Vec<u16> {
    let mut widths: Vec<u16> = needs.iter().map(|need| need.word).collect();
    let sum = |widths: &[u16]| widths.iter().map(|width| u32::from(*width)).sum::<u32>();
    while sum(&widths) > u32::from(room) {
        let giving = (0..needs.len()).filter(|&i| needs[i].may_break && widths[i] > LEAST);
        let Some(widest) = giving.max_by_key(|&i| widths[i]) else { break };
        widths[widest] -= 1;
    }
    while sum(&widths) < u32::from(room) {
        let wanting = (0..needs.len()).filter(|&i| widths[i] < needs[i].whole);
        let Some(narrowest) = wanting.min_by_key(|&i| widths[i]) else { break };
        widths[narrowest] += 1;
    }
    widths
}

/// Characters that a column keeps whose words are broken.
const LEAST: u16 = 8;

/// Columns of the terminal; 80 where there is none.
pub(super) fn width() -> usize {
    usize::from(Table::new().width().unwrap_or(COLUMNS))
}

/// `text` with lines of at most `width` characters, broken at spaces; later parts keep the indentation of the first.
/// A longer word stays whole.
fn wrapped(text: &str, width: usize) -> String {
    let mut out: Vec<String> = Vec::new();
    for line in text.split('\n') {
        let indent = line.len() - line.trim_start().len();
        let (indent, words) = line.split_at(indent);
        let mut part = indent.to_owned();
        let mut length = indent.chars().count();
        for (i, word) in words.split(' ').enumerate() {
            let n = word.chars().count();
            if i > 0 && length + 1 + n > width {
                out.push(std::mem::replace(&mut part, indent.to_owned()));
                length = indent.chars().count();
            } else if i > 0 {
                part.push(' ');
                length += 1;
            }
            part.push_str(word);
            length += n;
        }
        out.push(part);
    }
    out.join("\n")
}

/// One line however narrow the terminal is: a message that wraps leaves its rest behind on every redraw.
fn bar_style() -> Result<ProgressStyle, indicatif::style::TemplateError> {
    let left = |state: &ProgressState, out: &mut dyn std::fmt::Write| {
        // Before the first step is done nothing is known of the others.
        if state.pos() > 0 && Some(state.pos()) < state.len() {
            let _ = write!(out, "{:#} left  ", HumanDuration(state.eta()));
        }
    };
    let style = ProgressStyle::with_template("{prefix} {bar:20} {pos}/{len}  {left}{wide_msg}")?;
    Ok(style.with_key("left", left))
}

/// `checking chart: 300/2000, 2 minutes left, …`
fn log_line(what: &str, done: u64, length: u64, elapsed: Duration, message: &str) -> String {
    let mut line = format!("{what}: {done}/{length}");
    if done > 0 && done < length {
        let left = elapsed.mul_f64((length - done) as f64 / done as f64);
        line.extend([", ", &HumanDuration(left).to_string(), " left"]);
    }
    if !message.is_empty() {
        line.extend([", ", &shown(message)]);
    }
    line
}

/// Text as it is; what cannot be seen by its code.
pub(super) fn visible(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\\' | '\'' | '"' => out.push(c),
            c => out.extend(c.escape_debug()),
        }
    }
    out
}

/// Control characters and those that turn the direction of writing as escapes; newlines and tabs stay.
pub(super) fn shown(text: &str) -> String {
    let turns = |c| matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if (c.is_control() && c != '\n' && c != '\t') || turns(c) {
            out.extend(c.escape_default());
        } else {
            out.push(c);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_are_shown_as_escapes() {
        assert_eq!(shown("a\x1b[2Jb\r\u{202e}c\nd\té"), "a\\u{1b}[2Jb\\r\\u{202e}c\nd\té");
    }

    #[test]
    fn a_line_of_a_log_says_how_long_it_will_take() {
        // 30 s for 300 of 2000: 170 s for the other 1700.
        let line = log_line("checking chart", 300, 2000, Duration::from_secs(30), "2 bad");
        assert_eq!(line, "checking chart: 300/2000, 3 minutes left, 2 bad");
        assert_eq!(log_line("x", 0, 5, Duration::ZERO, ""), "x: 0/5");
    }

    #[test]
    fn lines_are_broken_between_words() {
        assert_eq!(wrapped("one two three", 7), "one two\nthree");
        assert_eq!(wrapped("     one two\nx", 9), "     one\n     two\nx");
        assert_eq!(wrapped("a/very/long/path b", 6), "a/very/long/path\nb");
        assert_eq!(wrapped("a  b", 80), "a  b");
    }

    #[test]
    fn columns_keep_their_words_whole_while_there_is_room() {
        let need = |whole, word, may_break| Need { whole, word, may_break };
        let three = [need(14, 14, false), need(60, 11, true), need(6, 6, false)];
        assert_eq!(column_widths(&three, 90), [14, 60, 6], "everything fits");
        assert_eq!(column_widths(&three, 50), [14, 30, 6], "sentences give way");
        assert_eq!(column_widths(&three, 30), [14, 10, 6], "then words");
        assert_eq!(column_widths(&three, 10), [14, 8, 6], "and names and numbers never");
        let two = [need(40, 5, true), need(40, 20, true)];
        assert_eq!(column_widths(&two, 50), [25, 25], "what is left over goes to the narrowest");
    }

    #[test]
    fn the_bar_can_be_drawn() {
        assert!(bar_style().is_ok());
    }
}

//! The page as blocks, and the template that prints them.

use askama::Template;

use super::{
    estimate::count,
    plot::{Plot, clip},
};

/// Rows that a table shows; the ledger has the rest.
const MAX_ROWS: usize = 200;

/// Characters that a cell shows: an error message may be of any length.
const MAX_CELL: usize = 600;

/// Characters of a paragraph.
const MAX_TEXT: usize = 4000;

/// Characters from which a text is broken into lines.
const LONG: usize = 80;

/// Everything on the page, in order.
#[derive(Template)]
#[template(path = "page.html")]
pub(super) struct Page {
    pub(super) title: String,
    pub(super) verdict: String,
    pub(super) facts: Vec<Fact>,
    pub(super) sections: Vec<Section>,
}

/// One number that people look for first.
pub(super) struct Fact {
    pub(super) name: &'static str,
    pub(super) value: String,
    pub(super) detail: String,
}

/// A heading and what is under it.
pub(super) struct Section {
    pub(super) id: &'static str,
    pub(super) title: &'static str,
    pub(super) blocks: Vec<Block>,
}

/// What a section is made of.
pub(super) enum Block {
    /// A sentence or two.
    Text(String),
    /// A heading inside a section.
    Heading(String),
    /// Plots side by side; small ones take less room; behind a click where there is a summary.
    Figures { small: bool, summary: Option<String>, figures: Vec<Figure> },
    /// Scrolls sideways inside its own box.
    Table(Table),
    /// A text as it is in its file, folded away.
    File { summary: String, text: String },
}

/// A plot with its sentence.
pub(super) struct Figure {
    pub(super) caption: String,
    /// Pixels at natural size.
    pub(super) width: f64,
    /// Made by [`Plot::svg`], which escapes.
    pub(super) svg: String,
}

/// A table whose first column names the row.
pub(super) struct Table {
    pub(super) caption: String,
    pub(super) head: Vec<String>,
    pub(super) rows: Vec<Vec<Cell>>,
    /// Behind a click.
    pub(super) folded: bool,
}

/// A table's cell.
pub(super) struct Cell {
    text: String,
    class: &'static str,
}

impl Section {
    pub(super) fn new(id: &'static str, title: &'static str) -> Self {
        Self { id, title, blocks: Vec::new() }
    }

    pub(super) fn text(&mut self, text: impl Into<String>) {
        self.blocks.push(Block::Text(bound(&clip(&text.into(), MAX_TEXT))));
    }

    pub(super) fn heading(&mut self, text: impl Into<String>) {
        self.blocks.push(Block::Heading(clip(&text.into(), MAX_CELL)));
    }

    pub(super) fn table(&mut self, table: Table) {
        self.blocks.push(Block::Table(table));
    }

    /// Those of the plots that have something to show.
    pub(super) fn plots(&mut self, small: bool, plots: impl IntoIterator<Item = (String, Plot)>) {
        self.figures(small, None, plots.into_iter().filter_map(Figure::of).collect());
    }

    /// Plots behind a click.
    pub(super) fn folded_plots(
        &mut self,
        small: bool,
        summary: impl Into<String>,
        plots: impl IntoIterator<Item = (String, Plot)>,
    ) {
        let figures = plots.into_iter().filter_map(Figure::of).collect();
        self.figures(small, Some(clip(&summary.into(), MAX_CELL)), figures);
    }

    pub(super) fn figures(&mut self, small: bool, summary: Option<String>, figures: Vec<Figure>) {
        if !figures.is_empty() {
            self.blocks.push(Block::Figures { small, summary, figures });
        }
    }
}

impl Figure {
    fn of((caption, plot): (String, Plot)) -> Option<Self> {
        Some(Self { caption: bound(&caption), width: plot.size.0, svg: plot.svg()? })
    }
}

impl Table {
    pub(super) fn new(caption: impl Into<String>, head: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self {
            caption: bound(&clip(&caption.into(), MAX_TEXT)),
            head: head.into_iter().map(|name| clip(&name.into(), MAX_CELL)).collect(),
            rows: Vec::new(),
            folded: false,
        }
    }

    /// Leaves out a column that says nothing here.
    pub(super) fn drop_column(&mut self, name: &str) {
        if let Some(at) = self.head.iter().position(|head| head == name) {
            self.head.remove(at);
            self.rows.iter_mut().for_each(|row| drop(row.remove(at)));
        }
    }

    fn shown(&self) -> &[Vec<Cell>] {
        &self.rows[..self.rows.len().min(MAX_ROWS)]
    }

    /// Heads, and whether they stand over numbers.
    fn columns(&self) -> impl Iterator<Item = (&str, bool)> {
        let numeric = |i: usize| {
            self.rows.first().and_then(|row| row.get(i)).is_some_and(|cell| cell.class.starts_with('n'))
        };
        self.head.iter().enumerate().map(move |(i, name)| (name.as_str(), numeric(i)))
    }

    fn left_out(&self) -> Option<String> {
        let more = self.rows.len().saturating_sub(MAX_ROWS);
        (more > 0).then(|| format!("{} left out here; the ledger has them all.", count(more, "more row")))
    }
}

impl Cell {
    pub(super) fn text(text: impl AsRef<str>) -> Self {
        let text = clip(text.as_ref(), MAX_CELL);
        Self { class: if text.chars().count() > LONG { "long" } else { "short" }, text }
    }

    pub(super) fn number(text: impl Into<String>) -> Self {
        Self { text: text.into(), class: "n" }
    }

    /// A number with the colour of a gain or a loss. `strength` from −1, a loss, to 1, a gain; `None`: not told from 0.
    pub(super) fn shaded(text: impl Into<String>, strength: Option<f64>) -> Self {
        let class = match strength {
            None => "n dim",
            Some(s) if s >= 0.66 => "n gain3",
            Some(s) if s >= 0.33 => "n gain2",
            Some(s) if s >= 0.0 => "n gain1",
            Some(s) if s >= -0.33 => "n loss1",
            Some(s) if s >= -0.66 => "n loss2",
            Some(_) => "n loss3",
        };
        Self { text: text.into(), class }
    }
}

/// Keeps numbers and their per cent sign in one line.
pub(super) fn bound(text: &str) -> String {
    text.replace(" %", "\u{a0}%")
}

/// The document.
pub(super) fn render(page: &Page) -> String {
    page.render().expect("writing to a string cannot fail")
}

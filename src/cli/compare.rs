//! `modo compare`: every predictor on one table, by cross-validation and learning curves.

use std::path::PathBuf;

use serde_json::json;

use super::{
    data::in_a_folder,
    predict::table::{Columns, Joined},
    printer::{Column, Printer},
};
use crate::{
    error::{Context as _, Error, Result},
    predict::{
        PREDICTORS, by_name,
        compare::{Compared, Estimate, Scores, Settings, compare, n_folds},
        mixtures, two_fidelity,
    },
    report,
    seed::Seed,
    store,
};

const EXAMPLES: &str = "\
Examples:
  modo compare --mixtures a.csv --scores b.csv
  modo compare --mixtures a.csv --scores b.csv --targets loss --predictors gp3,ridge
  modo compare --mixtures a.csv --scores b.csv --sizes 10,20,50 --draws 12 --json
  modo compare --mixtures a.csv --scores b.csv --low-mixtures c.csv --low-scores d.csv
  modo compare --mixtures a.csv --scores b.csv --plot curves.svg";

/// Options of `modo compare`.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// Table of shares, one row per run.
    #[arg(long, value_name = "FILE")]
    mixtures: PathBuf,
    /// The scores of those mixtures.
    #[arg(long, value_name = "FILE")]
    scores: PathBuf,
    /// Column that joins the two tables [default: the first one that both have].
    #[arg(long, value_name = "COLUMN")]
    id: Option<String>,
    /// Columns of the scores to predict [default: all with numbers].
    #[arg(long, value_name = "COLUMNS", value_delimiter = ',')]
    targets: Vec<String>,
    /// Predictors to compare [default: all of `modo list predictors`].
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    predictors: Vec<String>,
    /// Shares of cheaper runs (a smaller model, fewer steps) of the same datasets: `two_fidelity` is then compared too,
    /// which knows all of them.
    #[arg(long, value_name = "FILE", requires = "low_scores")]
    low_mixtures: Option<PathBuf>,
    /// Their scores, with the same columns.
    #[arg(long, value_name = "FILE", requires = "low_mixtures")]
    low_scores: Option<PathBuf>,
    /// Mixtures fitted on, of the points of the learning curve.
    #[arg(long, value_name = "NUMBERS", value_delimiter = ',', default_value = "10,20,30,50")]
    sizes: Vec<usize>,
    /// Random choices of those mixtures.
    #[arg(long, value_name = "N", default_value_t = 6, value_parser = clap::value_parser!(u16).range(1..=1000))]
    draws: u16,
    /// Folds of the cross-validation, at least two; fewer where one would hold less than three mixtures.
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u16).range(2..=1000))]
    folds: u16,
    /// Write the learning curves as a picture.
    #[arg(long, value_name = "FILE.svg")]
    plot: Option<PathBuf>,
    /// Print JSON, one object per predictor and line.
    #[arg(long)]
    json: bool,
}

/// Standard errors that a rank correlation must be above 0 to be told from none.
const CLEARLY: f64 = 2.0;

/// Fewer different mixtures cannot be left out and asked about.
const LEAST_MIXTURES: usize = 6;

/// Characters of the axis of the plot in text.
const AXIS: usize = 50;

pub(super) fn run(args: &Args, printer: &mut Printer) -> Result<()> {
    let columns = Columns {
        id: args.id.as_deref(),
        wanted: &args.targets,
        budget: None,
        without: None,
        questions: &[],
    };
    // Before the minutes that comparing takes.
    if let Some(path) = &args.plot {
        in_a_folder(path, "option `--plot`")?;
        if path.extension().is_none_or(|ending| ending != "svg") {
            return Err(Error::input(format!(
                "the picture is an SVG file, and {} is not called so",
                path.display()
            ))
            .at("option `--plot`"));
        }
    }
    let mut joined = Joined::read(columns, &args.mixtures, &args.scores, printer)?;
    joined.drop_constant_targets(printer)?;
    let targets = joined.observations();
    let n_mixtures = targets.first().map_or(0, |runs| mixtures(runs).len());
    if n_mixtures < LEAST_MIXTURES {
        return Err(Error::input(format!("there are {n_mixtures} different mixtures"))
            .at("option `--mixtures`")
            .hint(format!(
                "predictors are compared on mixtures that are left out: at least {LEAST_MIXTURES} are needed"
            )));
    }
    let all = PREDICTORS.entries.iter().map(|entry| entry.name.to_owned()).collect();
    let names: Vec<String> = if args.predictors.is_empty() { all } else { args.predictors.clone() };
    let settings = Settings {
        sizes: args.sizes.clone(),
        draws: usize::from(args.draws),
        folds: usize::from(args.folds),
        seed: Seed::new(0).child("compare"),
    };
    let mut compared: Vec<Compared> = Vec::new();
    let bar = printer.progress("predictors", names.len() as u64);
    for (i, name) in names.iter().enumerate() {
        bar.set(i as u64, name);
        let method = by_name(name).map_err(|error| Error::input(error).at("option `--predictors`"))?;
        compared.push(compare(name, method.as_ref(), &targets, &settings));
    }
    drop(bar);
    if let (Some(mixtures), Some(scores)) = (&args.low_mixtures, &args.low_scores) {
        let low = joined.low_fidelity(args.id.as_deref(), None, [mixtures, scores], printer)?;
        compared.push(compare(two_fidelity::NAME, &low, &targets, &settings));
    }
    if let Some(path) = &args.plot {
        let picture = report::learning_curves(&compared).ok_or_else(|| {
            Error::input("there are too few mixtures for a learning curve")
                .at("option `--plot`")
                .hint("`--sizes` takes smaller numbers; each needs five mixtures more to ask about")
        })?;
        store::write_whole(path, picture.as_bytes()).at(path.display())?;
        printer.note(format!("learning curves written to {}", path.display()));
    }
    if args.json {
        for one in &compared {
            printer.json(&serde_json::to_value(one).unwrap_or_else(|_| json!(null)))?;
        }
        return Ok(());
    }
    let found = targets.first().map_or(0, Vec::len);
    printer.line(format!("{found} runs, {} targets\n", targets.len()))?;
    printer.line(format!(
        "Cross-validation, {} folds: mean ± standard error over folds\nerror: mean absolute error in standard deviations of the scores",
        n_folds(settings.folds, n_mixtures)
    ))?;
    let columns = [
        Column::Text("predictor"),
        Column::Number("rank"),
        Column::Number("median R²"),
        Column::Number("error"),
        Column::Number("in 90 %"),
    ];
    let row = |one: &Compared| {
        let figures = one.cross_validation.as_ref().map_or_else(|| vec!["-".to_owned(); 4], figures);
        std::iter::once(one.method.clone()).chain(figures).collect()
    };
    printer.table(&columns, &compared.iter().map(row).collect::<Vec<Vec<String>>>())?;
    if settings.sizes.iter().all(|size| size + 5 > n_mixtures) {
        printer.note(format!(
            "note: no learning curve: of {n_mixtures} mixtures five are asked about, and `--sizes` names none below"
        ));
    }
    let sizes: Vec<usize> = settings.sizes.iter().copied().filter(|size| size + 5 <= n_mixtures).collect();
    if !sizes.is_empty() {
        printer.line(format!("\nLearning curve, from n mixtures, {} draws", args.draws))?;
        let columns = [
            Column::Text("predictor"),
            Column::Number("n"),
            Column::Number("rank"),
            Column::Number("median R²"),
            Column::Number("error"),
            Column::Number("in 90 %"),
        ];
        let row = |one: &Compared, scores: &Scores| -> Vec<String> {
            let first = [one.method.clone(), scores.n_mixtures.to_string()];
            first.into_iter().chain(figures(scores)).collect()
        };
        let rows = compared.iter().flat_map(|one| one.learning_curve.iter().map(move |s| row(one, s)));
        printer.table(&columns, &rows.collect::<Vec<_>>())?;
        for line in dot_plot(&compared, &sizes) {
            printer.line(line)?;
        }
    }
    for one in &compared {
        if let Some(reason) = &one.refused {
            printer.note(format!("note: {reason}"));
        }
    }
    let best = compared.iter().filter_map(|one| Some((one.cross_validation.as_ref()?.rank_correlation, one)));
    let best = best.max_by(|a, b| a.0.mean.total_cmp(&b.0.mean));
    let (rank, best) = best.ok_or_else(|| Error::input("no predictor could be fitted")).input()?;
    if rank.mean <= CLEARLY * rank.standard_error {
        return printer.line(format!(
            "\nnone is told from guessing: the highest rank correlation, of `{}`, is {}",
            best.method,
            estimate(rank)
        ));
    }
    printer.line(format!(
        "\nhighest rank correlation: `{}`\npicking among predictors by it flatters the pick where runs are few",
        best.method
    ))
}

/// The learning curves in text: per predictor a line from the lowest rank correlation to 1, with a digit at each point
/// and a dash within its standard error; the best at the largest number of mixtures first.
fn dot_plot(compared: &[Compared], sizes: &[usize]) -> Vec<String> {
    let mut shown: Vec<&Compared> = compared.iter().filter(|one| !one.learning_curve.is_empty()).collect();
    let last = |one: &Compared| one.learning_curve.last().map_or(f64::NAN, |s| s.rank_correlation.mean);
    shown.sort_by(|a, b| last(b).total_cmp(&last(a)));
    let lowest = shown.iter().flat_map(|one| &one.learning_curve).map(|s| s.rank_correlation.mean);
    // A round number below every point.
    let low = (lowest.fold(1.0, f64::min) * 10.0).floor() / 10.0;
    let low = if low < 1.0 { low.max(-1.0) } else { 0.0 };
    let place = |rank: f64| {
        let part = ((rank - low) / (1.0 - low)).clamp(0.0, 1.0);
        (part * (AXIS - 1) as f64).round() as usize
    };
    let width = shown.iter().map(|one| one.method.chars().count()).max().unwrap_or(0);
    let marks: Vec<char> = ('1'..='9').chain('a'..='z').collect();
    let which: Vec<String> = sizes.iter().zip(&marks).map(|(size, mark)| format!("{mark}: {size}")).collect();
    let mut lines = vec![
        format!("\nRank correlation on mixtures left out, fitted on {} mixtures", which.join(", ")),
        format!("{:width$}  {low:<4.1}{:>rest$.1}", "", 1.0, rest = AXIS - 4),
    ];
    for one in shown {
        let mut line: Vec<char> = vec!['\u{b7}'; AXIS];
        for scores in &one.learning_curve {
            let Estimate { mean, standard_error } = scores.rank_correlation;
            line[place(mean - standard_error)..=place(mean + standard_error)].fill('-');
        }
        for scores in &one.learning_curve {
            let size = sizes.iter().position(|size| *size == scores.n_mixtures);
            if let Some(mark) = size.and_then(|i| marks.get(i)) {
                line[place(scores.rank_correlation.mean)] = *mark;
            }
        }
        lines.push(format!("{:width$}  {}", one.method, line.into_iter().collect::<String>()));
    }
    lines
}

fn figures(scores: &Scores) -> Vec<String> {
    vec![
        estimate(scores.rank_correlation),
        format!("{:.3}", scores.median_r2),
        estimate(scores.error),
        format!("{:.3}", scores.covered.mean),
    ]
}

fn estimate(of: Estimate) -> String {
    format!("{:.3} ±{:.3}", of.mean, of.standard_error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_of_a_curve_stand_where_their_rank_correlation_is() {
        let at = |n_mixtures, mean| Scores {
            n_mixtures,
            rank_correlation: Estimate { mean, standard_error: 0.0 },
            median_r2: 0.0,
            error: Estimate { mean: 0.0, standard_error: 0.0 },
            covered: Estimate { mean: 0.0, standard_error: 0.0 },
            n_fits: 1,
        };
        let one = |method: &str, curve: Vec<Scores>| Compared {
            method: method.to_owned(),
            cross_validation: None,
            learning_curve: curve,
            refused: None,
        };
        let all = [one("low", vec![at(10, 0.0), at(20, 0.5)]), one("best", vec![at(20, 1.0)])];
        let lines = dot_plot(&all, &[10, 20]);
        assert_eq!(lines.len(), 4);
        assert!(lines[0].ends_with("1: 10, 2: 20 mixtures"));
        // The best at the end comes first; the axis goes from 0 to 1 over 50 characters.
        assert_eq!(lines[2], format!("best  {}2", "·".repeat(49)));
        assert_eq!(lines[3], format!("low   1{}2{}", "·".repeat(24), "·".repeat(24)));
    }
}

//! `modo compare`: every predictor on one table, by cross-validation and learning curves.

use std::path::PathBuf;

use serde_json::json;

use super::{
    predict::table::{Columns, Joined},
    printer::{Column, Printer},
};
use crate::{
    error::{Context as _, Error, Result},
    predict::{
        PREDICTORS, by_name,
        compare::{Compared, Estimate, Scores, Settings, compare},
    },
    seed::Seed,
};

const EXAMPLES: &str = "\
Examples:
  modo compare --mixtures a.csv --scores b.csv
  modo compare --mixtures a.csv --scores b.csv --targets loss --predictors gp3,ridge
  modo compare --mixtures a.csv --scores b.csv --sizes 10,20,50 --draws 12 --json";

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
    /// Mixtures fitted on, of the points of the learning curve.
    #[arg(long, value_name = "NUMBERS", value_delimiter = ',', default_value = "10,20,30,50")]
    sizes: Vec<usize>,
    /// Random choices of those mixtures.
    #[arg(long, value_name = "N", default_value_t = 6, value_parser = clap::value_parser!(u16).range(1..=1000))]
    draws: u16,
    /// Folds of the cross-validation.
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u16).range(2..=1000))]
    folds: u16,
    /// Print JSON, one object per predictor and line.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args, printer: &mut Printer) -> Result<()> {
    let columns = Columns { id: args.id.as_deref(), wanted: &args.targets, budget: None, without: &[] };
    let joined = Joined::read(columns, &args.mixtures, &args.scores, printer)?;
    let targets = joined.observations();
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
        args.folds
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
    let sizes: Vec<usize> = settings.sizes.iter().copied().filter(|size| size + 5 <= found).collect();
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
    }
    for one in &compared {
        if let Some(reason) = &one.refused {
            printer.note(format!("note: {reason}"));
        }
    }
    let best = compared.iter().filter_map(|one| Some((one.cross_validation.as_ref()?, &one.method)));
    let best = best.max_by(|a, b| a.0.rank_correlation.mean.total_cmp(&b.0.rank_correlation.mean));
    let (_, best) = best.ok_or_else(|| Error::input("no predictor could be fitted")).input()?;
    printer.line(format!(
        "\nhighest rank correlation: `{best}`\npicking among predictors by it flatters the pick where runs are few"
    ))
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

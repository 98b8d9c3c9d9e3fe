//! `modo predict --pareto A,B`: the allowed mixtures of which none is expected to do better in every aim.

use serde_json::json;

use crate::{
    cli::{
        printer::{Column, Printer},
        report::surfaces::Fits,
    },
    decide::{Prediction, decimals},
    error::{Error, Result},
    mixture::{brief, constraint::Region, named::Interval},
    optimize::{Objective, Surface, default_optimizer, pareto::front, proposal::COVERAGE},
    predict::skill::Verdict,
    report::Shown,
    seed::Seed,
};

/// Points per side of the front of two aims, and of three.
const STEPS: [usize; 2] = [20, 7];

/// Prints the front of the scores called `aims`, as a table or as one JSON object.
pub(super) fn show(
    prediction: &Prediction,
    fits: &Fits,
    aims: &[String],
    region: &Region,
    as_json: bool,
    printer: &mut Printer,
) -> Result<()> {
    let place = |aim: &String| {
        fits.shown.iter().position(|shown| shown.target.name() == aim).ok_or_else(|| {
            let known: Vec<&str> = fits.shown.iter().map(|shown| shown.target.name()).collect();
            Error::input(format!("there is no score `{aim}`")).at("option `--pareto`").hint(format!(
                "there are `{}`; every aim is named in `--maximize` or `--minimize` too",
                known.join("`, `")
            ))
        })
    };
    if !(2..=3).contains(&aims.len()) || (1..aims.len()).any(|i| aims[..i].contains(&aims[i])) {
        return Err(Error::input("a front takes two or three different scores").at("option `--pareto`"));
    }
    let places = aims.iter().map(place).collect::<Result<Vec<usize>>>()?;
    let shown: Vec<&Shown> = places.iter().map(|&i| &fits.shown[i]).collect();
    let blind: Vec<&String> =
        aims.iter().zip(&shown).filter(|(_, s)| s.skill.verdict == Verdict::NoSignal).map(|a| a.0).collect();
    if blind.len() == shown.len() {
        return Err(Error::failed("none of these scores has a signal: a front of them would be made up")
            .hint("`modo predict` without `--pareto` says what would settle it"));
    }
    let fitted =
        Surface::fit(fits.method.as_ref(), &fits.targets, &shown[0].weights).map_err(Error::failed)?;
    let surfaces: Vec<Surface> = shown.iter().map(|shown| fitted.weighed(&shown.weights)).collect();
    let turned: Vec<Surface> = shown
        .iter()
        .map(|shown| {
            let sign = if shown.lower_is_better { -1.0 } else { 1.0 };
            fitted.weighed(&shown.weights.iter().map(|weight| sign * weight).collect::<Vec<_>>())
        })
        .collect();
    let objectives: Vec<&dyn Objective> = turned.iter().map(|surface| surface as &dyn Objective).collect();
    let steps = STEPS[places.len() - 2];
    let seed = Seed::new(0).child("pareto");
    let proposed = [prediction.proposal.mixture.shares.clone()];
    let found = front(&objectives, region, default_optimizer().as_ref(), &proposed, steps, seed);
    let values = |shares: &[f64]| -> Vec<Interval> {
        let one = |(surface, shown): (&Surface, &&Shown)| {
            let one = surface.predict(shares);
            let half = shown.skill.half_width(one.sd, COVERAGE);
            Interval { mean: one.mean, low: one.mean - half, high: one.mean + half }
        };
        surfaces.iter().zip(&shown).map(one).collect()
    };
    if as_json {
        let point = |shares: &[f64]| json!({ "shares": shares, "values": values(shares) });
        return printer.json(&json!({
            "aims": aims,
            "no_signal": blind,
            "datasets": prediction.datasets,
            "points": found.iter().map(|p| point(&p.shares)).collect::<Vec<_>>(),
        }));
    }
    printer.line(format!(
        "Pareto front of {}: {} mixtures of which none is expected to be better in every aim\n",
        aims.join(", "),
        found.len()
    ))?;
    let mut columns = vec![Column::Number("mixture")];
    columns.extend(["1", "2", "3"].iter().take(aims.len()).map(|_| Column::Number("expected (90 %)")));
    columns.push(Column::Text("shares"));
    let row = |(i, shares): (usize, &Vec<f64>)| -> Vec<String> {
        let value = |of: Interval| {
            let digits = decimals(&[of.low, of.high]);
            format!("{:.digits$} ±{:.digits$}", of.mean, of.high - of.mean)
        };
        let figures = values(shares).into_iter().map(value);
        let first = std::iter::once((i + 1).to_string());
        first.chain(figures).chain([brief(&prediction.datasets, shares)]).collect()
    };
    let rows = found.iter().map(|p| &p.shares).enumerate().map(row);
    printer.table(&columns, &rows.collect::<Vec<_>>())?;
    printer.line(format!(
        "\nexpected: of {}, in this order, with the 90 % interval of the surface",
        aims.join(", ")
    ))?;
    for aim in blind {
        printer.line(format!("{aim} has no signal: where the front lies along it is not known"))?;
    }
    printer.line("the best of many mixtures by the same predictions is flattered: fresh runs decide")
}

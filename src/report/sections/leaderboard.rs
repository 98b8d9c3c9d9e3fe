//! Every mixture tried, best first.

use super::{Tried, by_mixture, finished, part, part_name};
use crate::{
    report::{
        DECODINGS, Group, Report, Target,
        estimate::{Estimate, Interval, Pooled, count, plain, range},
        page::{Cell, Section, Table},
        plot::{Axis, Ink, Mark, Plot},
        verdict::low_scores,
    },
    run::{Part, RunRecord},
};

/// Mixtures that the plot shows; the table shows more.
const MAX_PLOTTED: usize = 40;

pub(super) fn section(report: &Report) -> Section {
    let mut section = Section::new("leaderboard", "Leaderboard");
    let runs = finished(report, Group::Sweep);
    if runs.is_empty() {
        section.text("No proxy run has finished, so there is nothing to rank.");
        return section;
    }
    let part = part(&runs, Group::Sweep);
    let objective = &report.objective;
    let score = |record: &RunRecord| objective.target.score(&record.scores, part, objective.decoding);
    let all = by_mixture(&runs);
    let values: Vec<Vec<f64>> = all
        .iter()
        .map(|tried| tried.runs.iter().filter_map(|run| score(run.1)).map(|s| s.mean).collect())
        .collect();
    let pooled = Pooled::of(&values);
    let mut ranked: Vec<(Estimate, Option<Interval>, &Tried)> = all
        .iter()
        .zip(&values)
        .map(|(tried, values)| {
            let estimate = Estimate::of(values.iter().copied());
            let interval = match &pooled {
                Some(pooled) => pooled.interval(&estimate),
                None => of_questions(
                    &estimate,
                    tried.runs.iter().filter_map(|run| score(run.1)).map(|s| s.standard_error),
                ),
            };
            (estimate, interval, tried)
        })
        .collect();
    // Mixtures without a score come last.
    let key = |estimate: &Estimate| if estimate.mean.is_finite() { estimate.mean } else { f64::NEG_INFINITY };
    ranked.sort_by(|a, b| key(&b.0).total_cmp(&key(&a.0)));

    section.text(format!(
        "{} of {} on {}, ranked by {} ({}). {}",
        count(runs.len(), "finished run"),
        count(ranked.len(), "mixture"),
        part_name(part),
        objective.target.name(),
        objective.decoding.word(),
        match &pooled {
            Some(pooled) => format!(
                "Intervals are 95 % for the mean of a mixture's runs, from the spread between runs of one \
                 mixture pooled over all mixtures (sd {}, {}); the best of many is flattered by chance.",
                plain(pooled.sd),
                count(pooled.degrees_of_freedom, "degree") + " of freedom"
            ),
            None => "No mixture was run twice, so the intervals (95 %) know the finite number of \
                     questions and not the spread between seeds: they are too narrow."
                .to_owned(),
        }
    ));
    let base = report.base.as_ref().and_then(|base| objective.target.score(base, part, objective.decoding));
    if let Some(sentence) = low_scores(ranked[0].0.mean, base.map(|b| b.mean)) {
        section.text(sentence);
    }
    let unusable = runs.iter().filter(|run| score(run.1).is_none_or(|s| !s.mean.is_finite())).count();
    if unusable > 0 {
        section.text(format!(
            "{} without a score on the objective, or with one that is no number: left out of means and \
             plots.",
            count(unusable, "run")
        ));
    }
    section.plots(
        false,
        [(plot_caption(ranked.len(), base.is_some()), plot(report, &ranked, base.map(|b| b.mean)))],
    );
    section.table(table(report, &ranked, part));
    section
}

fn plot_caption(n: usize, base: bool) -> String {
    let which = if n > MAX_PLOTTED {
        format!("The best {MAX_PLOTTED} of {n} mixtures")
    } else {
        "Every mixture".into()
    };
    let base = if base { "; the line is the base before training" } else { "" };
    format!("{which}: mean with its 95 % interval{base}.")
}

fn plot(report: &Report, ranked: &[(Estimate, Option<Interval>, &Tried)], base: Option<f64>) -> Plot {
    let shown = &ranked[..ranked.len().min(MAX_PLOTTED)];
    let mut marks = Vec::new();
    if let Some(base) = base {
        let points = vec![(base, -0.5), (base, shown.len() as f64 - 0.5)];
        marks.push(Mark::Line { points, ink: Ink::Third, tip: format!("base: {}", plain(base)) });
    }
    marks.extend(shown.iter().enumerate().map(|(i, (estimate, interval, tried))| Mark::Dot {
        x: estimate.mean,
        y: i as f64,
        range: interval.map(|r| (r.low, r.high)),
        ink: if is_uniform(tried) { Ink::Other } else { Ink::Main },
        tip: format!(
            "{}: {} ({}), {}; {}",
            tried.label,
            plain(estimate.mean),
            range(*interval, plain),
            count(estimate.n, "run"),
            tried.mixture.brief()
        ),
    }));
    let mut legend = vec![(Ink::Main, "mixture".to_owned())];
    if shown.iter().any(|row| is_uniform(row.2)) {
        legend.push((Ink::Other, "uniform shares".to_owned()));
    }
    if base.is_some() {
        legend.push((Ink::Third, "base".to_owned()));
    }
    Plot {
        title: "Leaderboard".into(),
        x: Axis::numbers(format!(
            "{} ({}), score in [0, 1]",
            report.objective.target.name(),
            report.objective.decoding.word()
        )),
        y: Axis::Rows(shown.iter().map(|row| row.2.label.clone()).collect()),
        marks,
        legend,
        size: (520.0, 0.0),
    }
}

fn table(report: &Report, ranked: &[(Estimate, Option<Interval>, &Tried)], part: Part) -> Table {
    let aggregates: Vec<_> = [Target::Overall, Target::In, Target::Out]
        .into_iter()
        .flat_map(|target| DECODINGS.map(|decoding| (target.clone(), decoding)))
        .collect();
    let mut head: Vec<String> =
        ["mixture", "rank", "objective", "95 % interval", "runs"].map(String::from).to_vec();
    head.extend(
        aggregates.iter().map(|(target, decoding)| format!("{}, {}", target.name(), decoding.word())),
    );
    head.push("shares".into());
    let mut table = Table::new("Means over the runs of a mixture; scores in [0, 1].", head);
    let row = |name: &str, rank: String, objective: [Cell; 3], of: &dyn Fn(usize) -> f64, shares: String| {
        let mut cells = vec![Cell::text(name), Cell::number(rank)];
        cells.extend(objective);
        cells.extend((0..aggregates.len()).map(|i| Cell::number(plain(of(i)))));
        cells.push(Cell::text(shares));
        cells
    };
    for (i, (estimate, interval, tried)) in ranked.iter().enumerate() {
        let mean = |i: usize| {
            let (target, decoding) = &aggregates[i];
            let scores = tried.runs.iter().filter_map(|run| target.score(&run.1.scores, part, *decoding));
            Estimate::of(scores.map(|s| s.mean)).mean
        };
        let objective = [
            Cell::number(plain(estimate.mean)),
            Cell::number(range(*interval, plain)),
            Cell::number(estimate.n.to_string()),
        ];
        table.rows.push(row(&tried.label, (i + 1).to_string(), objective, &mean, tried.mixture.brief()));
    }
    if let Some(base) = &report.base {
        let score = report.objective.target.score(base, part, report.objective.decoding);
        let mean = |i: usize| {
            aggregates[i].0.score(base, part, aggregates[i].1).map_or(f64::NAN, |score| score.mean)
        };
        let interval = score.and_then(|s| of_questions(&Estimate::of([s.mean]), [s.standard_error]));
        let objective = [
            Cell::number(plain(score.map_or(f64::NAN, |s| s.mean))),
            Cell::number(range(interval, plain)),
            Cell::number("–"),
        ];
        table.rows.push(row("base, untrained", "–".into(), objective, &mean, String::new()));
    }
    table
}

/// 95 % interval that only knows the questions' own standard errors.
fn of_questions(estimate: &Estimate, errors: impl IntoIterator<Item = f64>) -> Option<Interval> {
    let errors: Vec<f64> = errors.into_iter().filter(|e| e.is_finite()).collect();
    if errors.is_empty() || errors.len() != estimate.n {
        return None;
    }
    // Runs answer the same questions: their errors go together, so that averaging runs does not shrink them.
    let half = 1.96 * errors.iter().sum::<f64>() / errors.len() as f64;
    Some(Interval { mean: estimate.mean, low: estimate.mean - half, high: estimate.mean + half })
}

fn is_uniform(tried: &Tried) -> bool {
    let parts: Vec<u32> = tried.mixture.parts().map(|p| p.1).collect();
    // Quantised shares differ by one part where the number of datasets does not divide the sum.
    parts.len() > 1 && parts.iter().max().zip(parts.iter().min()).is_some_and(|(max, min)| max - min <= 1)
}

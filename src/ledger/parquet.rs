//! The table as a Parquet file, for modo and for everybody's data frames.

use std::{
    fs::File,
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
};

use polars::prelude::{
    Column, DataFrame, NamedFrom, ParquetReader, ParquetWriter, PolarsError, SerReader, Series,
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use super::{Ledger, Row, folder::FolderError};
use crate::{name::Name, run::Cost, score::Score, store};

/// How the names of the columns with the shares start.
const SHARE: &str = "share_";

impl Ledger {
    /// As a data frame: one row per run, benchmark, part and decoding; shares in columns `share_DATASET`.
    pub fn to_frame(&self) -> DataFrame {
        let rows = &self.rows;
        let text = |name: &str, of: &dyn Fn(&Row) -> String| {
            let values: Vec<String> = rows.iter().map(of).collect();
            Column::from(Series::new(name.into(), values))
        };
        let number = |name: &str, of: &dyn Fn(&Row) -> f64| {
            let values: Vec<f64> = rows.iter().map(of).collect();
            Column::from(Series::new(name.into(), values))
        };
        let count = |name: &str, of: &dyn Fn(&Row) -> u64| {
            let values: Vec<u64> = rows.iter().map(of).collect();
            Column::from(Series::new(name.into(), values))
        };
        let mut columns = vec![
            text("run", &|r| r.run.to_string()),
            text("label", &|r| r.label.clone()),
            text("protocol", &|r| r.protocol.clone()),
            count("draw_seed", &|r| r.draw_seed),
            count("seed", &|r| r.seed),
            count("steps", &|r| r.steps),
            count("prompts_per_step", &|r| r.prompts_per_step),
        ];
        let shares = self.datasets.iter().enumerate();
        columns.extend(shares.map(|(i, dataset)| number(&format!("{SHARE}{dataset}"), &|r| r.shares[i])));
        columns.extend([
            text("benchmark", &|r| r.benchmark.to_string()),
            text("domain", &|r| word(r.domain)),
            text("part", &|r| word(r.part)),
            text("decoding", &|r| word(r.decoding)),
            number("score", &|r| r.score.mean),
            number("standard_error", &|r| r.score.standard_error),
            count("n_questions", &|r| r.score.n_questions as u64),
            count("n_completions", &|r| r.score.n_completions as u64),
            number("lenient_score", &|r| r.lenient_score.mean),
            number("lenient_standard_error", &|r| r.lenient_score.standard_error),
            count("lenient_n_questions", &|r| r.lenient_score.n_questions as u64),
            count("lenient_n_completions", &|r| r.lenient_score.n_completions as u64),
            number("format_rate", &|r| r.format_rate),
            number("mean_tokens", &|r| r.mean_tokens),
            number("cpu_s", &|r| r.cost.cpu_s),
            number("wall_s", &|r| r.cost.wall_s),
            number("peak_mib", &|r| r.cost.peak_mib),
            number("evaluation_cpu_s", &|r| r.cost.evaluation_cpu_s),
            text("weights_hash", &|r| r.weights_hash.clone()),
        ]);
        DataFrame::new(rows.len(), columns)
            .expect("all columns are as long as there are rows and named differently")
    }

    /// Writes the file whole or not at all.
    pub fn write(&self, path: &Path) -> Result<(), FolderError> {
        let mut bytes = Vec::new();
        ParquetWriter::new(&mut bytes)
            .finish(&mut self.to_frame())
            .map_err(|error| FolderError::file(path)(std::io::Error::other(error)))?;
        store::write_whole(path, &bytes).map_err(FolderError::file(path))
    }

    /// Reads what [`Ledger::write`] wrote; columns that it does not know are passed over.
    pub fn read(path: &Path) -> Result<Self, FolderError> {
        let file = File::open(path).map_err(FolderError::file(path))?;
        // Parquet decoders are known to panic on damaged files; the table can be rebuilt, so say so and go on.
        let frame = catch_unwind(AssertUnwindSafe(|| ParquetReader::new(file).finish()))
            .map_err(|_| "its data cannot be decoded".to_owned())
            .and_then(|frame| frame.map_err(|error| error.to_string()));
        let ledger = frame.and_then(|frame| Self::from_frame(&frame));
        ledger
            .map_err(|reason| FolderError::damaged(path, format!("{reason}; it can be deleted and rebuilt")))
    }

    fn from_frame(frame: &DataFrame) -> Result<Self, String> {
        let say = |error: PolarsError| error.to_string();
        let column = |name: &str| frame.column(name).map_err(say);
        let no_gap = |name: &str| format!("column `{name}` has a gap");
        let texts = |name: &str| -> Result<Vec<String>, String> {
            let values = column(name)?.str().map_err(say)?;
            values.iter().map(|v| v.map(str::to_owned).ok_or_else(|| no_gap(name))).collect()
        };
        let numbers = |name: &str| -> Result<Vec<f64>, String> {
            let values = column(name)?.f64().map_err(say)?;
            values.iter().map(|v| v.ok_or_else(|| no_gap(name))).collect()
        };
        let counts = |name: &str| -> Result<Vec<u64>, String> {
            let values = column(name)?.u64().map_err(say)?;
            values.iter().map(|v| v.ok_or_else(|| no_gap(name))).collect()
        };
        let names: Vec<String> = frame.get_column_names().iter().map(ToString::to_string).collect();
        let datasets: Vec<Name> = names
            .iter()
            .filter_map(|name| name.strip_prefix(SHARE))
            .map(|name| name.parse().map_err(|error| format!("{error}")))
            .collect::<Result<_, String>>()?;
        let shares: Vec<Vec<f64>> =
            datasets.iter().map(|name| numbers(&format!("{SHARE}{name}"))).collect::<Result<_, _>>()?;
        let (run, label, protocol) = (texts("run")?, texts("label")?, texts("protocol")?);
        let (draw_seed, seed) = (counts("draw_seed")?, counts("seed")?);
        let (steps, prompts_per_step) = (counts("steps")?, counts("prompts_per_step")?);
        let (benchmark, domain) = (texts("benchmark")?, texts("domain")?);
        let (part, decoding) = (texts("part")?, texts("decoding")?);
        let score = |prefix: &str, mean: &str| -> Result<Vec<Score>, String> {
            let means = numbers(mean)?;
            let errors = numbers(&format!("{prefix}standard_error"))?;
            let questions = counts(&format!("{prefix}n_questions"))?;
            let completions = counts(&format!("{prefix}n_completions"))?;
            let one = |i| Score {
                mean: means[i],
                standard_error: errors[i],
                n_questions: questions[i] as usize,
                n_completions: completions[i] as usize,
            };
            Ok((0..means.len()).map(one).collect())
        };
        let (scores, lenient) = (score("", "score")?, score("lenient_", "lenient_score")?);
        let (format_rate, mean_tokens) = (numbers("format_rate")?, numbers("mean_tokens")?);
        let (cpu_s, wall_s) = (numbers("cpu_s")?, numbers("wall_s")?);
        let (peak_mib, evaluation_cpu_s) = (numbers("peak_mib")?, numbers("evaluation_cpu_s")?);
        let weights_hash = texts("weights_hash")?;
        let row = |i: usize| -> Result<Row, String> {
            Ok(Row {
                run: parse(&run[i])?,
                label: label[i].clone(),
                protocol: protocol[i].clone(),
                draw_seed: draw_seed[i],
                seed: seed[i],
                steps: steps[i],
                prompts_per_step: prompts_per_step[i],
                shares: shares.iter().map(|of| of[i]).collect(),
                benchmark: parse(&benchmark[i])?,
                domain: parse(&domain[i])?,
                part: parse(&part[i])?,
                decoding: parse(&decoding[i])?,
                score: scores[i],
                lenient_score: lenient[i],
                format_rate: format_rate[i],
                mean_tokens: mean_tokens[i],
                cost: Cost {
                    cpu_s: cpu_s[i],
                    wall_s: wall_s[i],
                    peak_mib: peak_mib[i],
                    evaluation_cpu_s: evaluation_cpu_s[i],
                },
                weights_hash: weights_hash[i].clone(),
            })
        };
        Ok(Self { datasets, rows: (0..frame.height()).map(row).collect::<Result<_, _>>()? })
    }
}

/// A value as files write it: `in_domain`.
fn word(value: impl Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(Value::String(text)) => text,
        _ => unreachable!("domains, parts and decodings are written as one word"),
    }
}

fn parse<T: DeserializeOwned>(text: &str) -> Result<T, String> {
    serde_json::from_value(Value::from(text)).map_err(|error| error.to_string())
}

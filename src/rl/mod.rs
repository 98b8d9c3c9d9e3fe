//! How rewards become a change of weights: numbers and tensors in, numbers and tensors out; no model, no files.
//!
//! [`advantage`] compares completions, [`kl`] measures the distance from the base, [`loss`] puts both into one
//! number to descend, and [`algorithm`] names their combinations and settings. The loop itself is in `train`.

pub mod advantage;
pub mod algorithm;
pub mod kl;
pub mod loss;
pub mod rate;

mod choice;

pub use choice::Choice;

#[cfg(test)]
mod tests {
    use super::{advantage::ADVANTAGES, algorithm::ALGORITHMS, kl::KLS};

    #[test]
    fn every_file_is_registered_under_its_own_name() {
        check("advantage", ADVANTAGES.entries.iter().map(|e| e.name).collect());
        check("kl", KLS.entries.iter().map(|e| e.name).collect());
        check("algorithm", ALGORITHMS.entries.iter().map(|e| e.name).collect());
    }

    fn check(folder: &str, mut names: Vec<&str>) {
        let path = format!("{}/src/rl/{folder}", env!("CARGO_MANIFEST_DIR"));
        let mut files: Vec<String> = std::fs::read_dir(path)
            .unwrap()
            .map(|file| file.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned())
            .filter(|file| file != "mod")
            .collect();
        files.sort();
        names.sort_unstable();
        assert_eq!(files, names);
    }
}

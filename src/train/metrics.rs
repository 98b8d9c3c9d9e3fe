//! What a run reports while it works: a line of JSON per step, and TensorBoard event files.

use std::{
    fs::{File, OpenOptions},
    io::{self, Write},
    path::Path,
    time::{SystemTime, UNIX_EPOCH},
};

use serde_json::Value;

/// `metrics.jsonl` and `events.out.tfevents.*` of one attempt.
pub(super) struct Metrics {
    lines: File,
    events: File,
}

impl Metrics {
    /// New files in the folder of an attempt.
    pub(super) fn create(folder: &Path) -> io::Result<Self> {
        let open = |name: &str| OpenOptions::new().create(true).append(true).open(folder.join(name));
        let seconds = seconds_since_1970();
        let mut metrics = Self {
            lines: open("metrics.jsonl")?,
            events: open(&format!("events.out.tfevents.{seconds:.0}.modo"))?,
        };
        let mut version = field_double(1, seconds);
        version.extend(field_bytes(3, b"brain.Event:2"));
        metrics.record(&version)?;
        Ok(metrics)
    }

    /// One step. `values` is the line; its numbers, by path (`datasets/refer/reward`), become TensorBoard scalars.
    pub(super) fn step(&mut self, step: u64, values: &Value) -> io::Result<()> {
        // One write, so that a reader never sees a line in two parts.
        self.lines.write_all(format!("{values}\n").as_bytes())?;
        let mut scalars = Vec::new();
        collect("", values, &mut scalars);
        let mut summary = Vec::new();
        for (tag, value) in scalars {
            let mut one = field_bytes(1, tag.as_bytes());
            one.push(2 << 3 | 5);
            one.extend((value as f32).to_le_bytes());
            summary.extend(field_bytes(1, &one));
        }
        let mut event = field_double(1, seconds_since_1970());
        event.push(2 << 3);
        event.extend(varint(step));
        event.extend(field_bytes(5, &summary));
        self.record(&event)
    }

    /// The framing of TFRecord: length, masked CRC-32C of the length, data, masked CRC-32C of the data.
    fn record(&mut self, data: &[u8]) -> io::Result<()> {
        let length = (data.len() as u64).to_le_bytes();
        let mut bytes = length.to_vec();
        bytes.extend(masked_crc(&length).to_le_bytes());
        bytes.extend(data);
        bytes.extend(masked_crc(data).to_le_bytes());
        self.events.write_all(&bytes)
    }
}

fn seconds_since_1970() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |d| d.as_secs_f64())
}

fn collect(path: &str, value: &Value, out: &mut Vec<(String, f64)>) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                collect(&if path.is_empty() { key.clone() } else { format!("{path}/{key}") }, value, out);
            }
        }
        Value::Number(number) => out.extend(number.as_f64().map(|n| (path.to_owned(), n))),
        _ => (),
    }
}

fn masked_crc(data: &[u8]) -> u32 {
    crc32c::crc32c(data).rotate_right(15).wrapping_add(0xa282_ead8)
}

fn varint(mut value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
    bytes
}

fn field_bytes(number: u8, data: &[u8]) -> Vec<u8> {
    let mut bytes = vec![number << 3 | 2];
    bytes.extend(varint(data.len() as u64));
    bytes.extend(data);
    bytes
}

fn field_double(number: u8, value: f64) -> Vec<u8> {
    let mut bytes = vec![number << 3 | 1];
    bytes.extend(value.to_le_bytes());
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_is_a_line_and_a_framed_event() {
        let folder = tempfile::tempdir().unwrap();
        let mut metrics = Metrics::create(folder.path()).unwrap();
        metrics.step(3, &serde_json::json!({"step": 3, "datasets": {"a": {"reward": 0.5}}})).unwrap();
        let lines = std::fs::read_to_string(folder.path().join("metrics.jsonl")).unwrap();
        assert_eq!(lines.lines().count(), 1);
        let events = std::fs::read_dir(folder.path())
            .unwrap()
            .flatten()
            .find(|f| f.file_name().to_string_lossy().starts_with("events.out.tfevents"));
        let bytes = std::fs::read(events.unwrap().path()).unwrap();
        let mut rest = bytes.as_slice();
        let mut records = Vec::new();
        while !rest.is_empty() {
            let length = u64::from_le_bytes(rest[..8].try_into().unwrap()) as usize;
            assert_eq!(masked_crc(&rest[..8]).to_le_bytes(), rest[8..12]);
            let data = &rest[12..12 + length];
            assert_eq!(masked_crc(data).to_le_bytes(), rest[12 + length..16 + length]);
            records.push(data.to_vec());
            rest = &rest[16 + length..];
        }
        assert_eq!(records.len(), 2); // file version, then the step
        let tag = b"datasets/a/reward";
        assert!(records[1].windows(tag.len()).any(|w| w == tag));
    }

    #[test]
    fn checksums_are_those_of_tensorboard() {
        // CRC-32C of "123456789" is e3069283; masked as TensorFlow's record writer does.
        assert_eq!(crc32c::crc32c(b"123456789"), 0xe306_9283);
        assert_eq!(masked_crc(b"123456789"), 0xe306_9283_u32.rotate_right(15).wrapping_add(0xa282_ead8));
    }
}

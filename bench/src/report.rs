//! One table and one JSON document of what was measured.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Instant;

use crate::BenchError;
use crate::drive::Measured;
use crate::scenario::Load;
use crate::target::Target;

/// What a round of a target came to, in the units of the table.
struct Row {
    per_second: f64,
    p50_micros: f64,
    p99_micros: f64,
    p999_micros: f64,
    /// CPU time an answer cost the server; `NAN` where its process is not known.
    server_micros: f64,
    /// CPU time an answer cost the generator.
    generator_micros: f64,
}

/// Rounds of each target, in the order of the targets.
pub(crate) struct Report {
    title: String,
    names: Vec<String>,
    rows: Vec<Vec<Row>>,
}

/// The middle value; of an even number of values the lower of the two.
pub(crate) fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.retain(|value| !value.is_nan());
    values.sort_by(f64::total_cmp);
    values.get(values.len().saturating_sub(1) / 2).copied().unwrap_or(f64::NAN)
}

impl Report {
    pub(crate) fn new(load: &Load, targets: &[Target]) -> Report {
        let title = format!(
            "{}, {} connections{}, {} keys, payload {} bytes, {:?} a round",
            load.scenario.name(),
            load.connections,
            if load.pipeline > 1 { format!(", pipelined {}", load.pipeline) } else { String::new() },
            load.keys,
            load.value_bytes,
            load.time
        );
        let names: Vec<String> = targets.iter().map(|target| target.name.clone()).collect();
        Report { title, rows: names.iter().map(|_| Vec::new()).collect(), names }
    }

    pub(crate) fn add(&mut self, place: usize, measured: Measured) {
        let micros = |quantile| measured.latency.value_at_quantile(quantile) as f64 / 1000.0;
        let each = |spent: Option<std::time::Duration>| {
            spent.map_or(f64::NAN, |spent| spent.as_secs_f64() * 1e6 / measured.answers.max(1) as f64)
        };
        self.rows[place].push(Row {
            per_second: measured.answers as f64 / measured.time.as_secs_f64(),
            p50_micros: micros(0.5),
            p99_micros: micros(0.99),
            p999_micros: micros(0.999),
            server_micros: each(measured.server),
            generator_micros: each(measured.generator),
        });
    }

    /// Medians over the rounds, and ratios taken round by round against the first target.
    pub(crate) fn print(&self) {
        println!("{}", self.title);
        println!(
            "| target | requests/s | p50 µs | p99 µs | p99.9 µs | CPU µs: server | generator | requests/s against {0} | p50 against {0} |",
            self.names[0]
        );
        println!("|---|---:|---:|---:|---:|---:|---:|---:|---:|");
        let first = &self.rows[0];
        for (name, rows) in self.names.iter().zip(&self.rows) {
            let pairs = || rows.iter().zip(first);
            println!(
                "| {name} | {:.0} | {:.1} | {:.1} | {:.1} | {:.2} | {:.2} | {:.3} | {:.3} |",
                median(rows.iter().map(|row| row.per_second)),
                median(rows.iter().map(|row| row.p50_micros)),
                median(rows.iter().map(|row| row.p99_micros)),
                median(rows.iter().map(|row| row.p999_micros)),
                median(rows.iter().map(|row| row.server_micros)),
                median(rows.iter().map(|row| row.generator_micros)),
                median(pairs().map(|(row, base)| row.per_second / base.per_second)),
                median(pairs().map(|(row, base)| row.p50_micros / base.p50_micros)),
            );
        }
    }

    /// Every round of every target.
    pub(crate) fn json(&self) -> String {
        let targets: Vec<_> = self
            .names
            .iter()
            .zip(&self.rows)
            .map(|(name, rows)| {
                let rounds: Vec<_> = rows
                    .iter()
                    .map(|row| {
                        serde_json::json!({
                            "requests_per_second": row.per_second, "p50_micros": row.p50_micros,
                            "p99_micros": row.p99_micros, "p999_micros": row.p999_micros,
                            "server_cpu_micros": row.server_micros, "generator_cpu_micros": row.generator_micros,
                        })
                    })
                    .collect();
                serde_json::json!({ "name": name, "rounds": rounds })
            })
            .collect();
        format!("{:#}\n", serde_json::json!({ "load": self.title, "targets": targets }))
    }
}

/// Times synced appends to so many files in turn and prints how many a second one writer alone gets.
pub(crate) fn fsync_floor(file: &Path, appends: usize, files: u8) -> Result<(), BenchError> {
    let paths: Vec<PathBuf> = (0..files).map(|at| file.with_extension(at.to_string())).collect();
    let doing = |path: &Path| format!("appending to {}", path.display());
    let mut outs = Vec::new();
    for path in &paths {
        outs.push(std::fs::File::create(path).map_err(BenchError::io(doing(path)))?);
    }
    let mut times = Vec::with_capacity(appends);
    let started = Instant::now();
    for _ in 0..appends {
        let begun = Instant::now();
        for (path, out) in paths.iter().zip(&mut outs) {
            out.write_all(&[7; 512]).and_then(|()| out.sync_data()).map_err(BenchError::io(doing(path)))?;
        }
        times.push(begun.elapsed().as_secs_f64() * 1e6);
    }
    let per_second = appends as f64 / started.elapsed().as_secs_f64();
    for path in &paths {
        std::fs::remove_file(path).map_err(BenchError::io(doing(path)))?;
    }
    let of = if files == 1 { String::new() } else { format!(" to each of {files} files in turn") };
    println!("fsync of a 512-byte append{of}: {per_second:.0}/s, p50 {:.1} µs", median(times.into_iter()));
    Ok(())
}

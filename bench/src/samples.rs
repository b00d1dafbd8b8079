//! Latencies and what is made of them.

use std::time::Duration;

use serde_json::{Value, json};

/// What one measurement gave.
#[derive(Clone, Copy, Debug)]
pub struct Figures {
    /// Operations a second.
    pub per_second: f64,
    /// Half of the operations took no longer, in microseconds.
    pub p50_us: f64,
    /// All but a hundredth took no longer, in microseconds.
    pub p99_us: f64,
}

impl Figures {
    /// From the latency of every operation, and how long all of it took.
    pub fn of(mut latencies_us: Vec<u32>, took: Duration) -> Self {
        latencies_us.sort_unstable();
        let at = |quantile: f64| {
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss)]
            let index = (quantile * latencies_us.len() as f64) as usize;
            latencies_us.get(index.min(latencies_us.len().saturating_sub(1))).copied().map_or(f64::NAN, f64::from)
        };
        #[allow(clippy::cast_precision_loss)]
        let per_second = latencies_us.len() as f64 / took.as_secs_f64();
        Self { per_second, p50_us: at(0.5), p99_us: at(0.99) }
    }

    /// Each figure's median over several measurements.
    pub fn median(measurements: &[Self]) -> Self {
        Self {
            per_second: median(measurements.iter().map(|m| m.per_second)),
            p50_us: median(measurements.iter().map(|m| m.p50_us)),
            p99_us: median(measurements.iter().map(|m| m.p99_us)),
        }
    }

    pub fn json(&self) -> Value {
        json!({"per_second": self.per_second, "p50_us": self.p50_us, "p99_us": self.p99_us})
    }
}

/// The middle of some values.
pub fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

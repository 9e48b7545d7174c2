//! One figure to compare GPUs by.

use sublet_protocol::gpu::BenchScore;

use super::BenchResult;

/// The reference that scores 1000: 1 TFLOP/s of fp32 and 100 GB/s, about what a small card of 2017 does.
const REFERENCE_GFLOPS: f64 = 1000.0;
const REFERENCE_GB_S: f64 = 100.0;

impl BenchResult {
    /// The score: 1000 times the geometric mean of both figures' ratios to the reference, rounded, at least 1.
    /// A GPU that is twice as fast in both scores twice as much; one that is four times as fast in one does so too.
    #[must_use]
    pub fn score(&self) -> u32 {
        let ratio = (self.gflops_fp32 / REFERENCE_GFLOPS) * (self.bandwidth_gb_s / REFERENCE_GB_S);
        // The cast saturates, and makes 0 of what is no number.
        (1000.0 * ratio.sqrt()).round().max(1.0) as u32
    }
}

impl From<&BenchResult> for BenchScore {
    fn from(result: &BenchResult) -> Self {
        Self {
            score: result.score(),
            fp32_mflops: (result.gflops_fp32 * 1000.0).round() as u64,
            bandwidth_mb_s: (result.bandwidth_gb_s * 1000.0).round() as u64,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::{KERNEL_VERSION, TimedBy};
    use crate::probe::AdapterId;

    fn result(gflops_fp32: f64, bandwidth_gb_s: f64) -> BenchResult {
        BenchResult {
            adapter: AdapterId::new("vulkan-0000:65:00.0"),
            adapter_name: "card".into(),
            driver: "driver 1".into(),
            gflops_fp32,
            gflops_spread: 0.0,
            matrix_side: 8192,
            bandwidth_gb_s,
            bandwidth_spread: 0.0,
            vector_length: 1 << 26,
            timed_by: TimedBy::Device,
            kernel_version: KERNEL_VERSION,
            duration_ms: 5000,
            measured_at_ms: 0,
        }
    }

    #[test]
    fn the_reference_scores_a_thousand_and_twice_as_fast_scores_twice_as_much() {
        assert_eq!(result(1000.0, 100.0).score(), 1000);
        assert_eq!(result(2000.0, 200.0).score(), 2000);
        assert_eq!(result(4000.0, 100.0).score(), 2000);
        assert_eq!(result(3.0, 4.0).score(), 11);
        assert_eq!(result(0.0001, 0.0001).score(), 1);
    }

    #[test]
    fn the_wire_carries_whole_numbers() {
        let wire = BenchScore::from(&result(3.0004, 4.2));
        assert_eq!(
            (wire.score, wire.fp32_mflops, wire.bandwidth_mb_s),
            (11, 3000, 4200)
        );
    }
}

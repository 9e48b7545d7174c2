//! The measuring process.

use std::io;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use super::device::Device;
use super::message::{Failure, Message, Progress, Stage};
use super::{BenchResult, KERNEL_VERSION, measure};
use crate::child;
use crate::probe::{self, Adapter, AdapterId};

/// In the child: writes JSON lines, the last of which is the result or the failure.
///
/// # Errors
/// When the system gives no thread, or nobody reads any more.
pub fn child_main(wanted: &AdapterId) -> io::Result<()> {
    child::end_with_parent()?;
    tell(wanted)
}

fn tell(wanted: &AdapterId) -> io::Result<()> {
    let mut unheard = None;
    let result = measured(wanted, &mut |progress| {
        if let Err(error) = child::write_line(&Message::Progress(progress)) {
            unheard.get_or_insert(error);
        }
    });
    match unheard {
        Some(error) => Err(error),
        None => child::write_line(&match result {
            Ok(result) => Message::Result(result),
            Err(failure) => Message::Failure(failure),
        }),
    }
}

fn measured(
    wanted: &AdapterId,
    on_progress: &mut dyn FnMut(Progress),
) -> Result<BenchResult, Failure> {
    let start = Instant::now();
    on_progress(Progress {
        stage: Stage::SetUp,
        done: 0.0,
    });
    let (adapter, handle) = probe::adapters()
        .into_iter()
        .find(|(adapter, _)| adapter.id == *wanted)
        .ok_or_else(|| Failure::NoSuchAdapter(wanted.to_string()))?;
    needs_met(&adapter)?;
    let device = Device::open(&handle)?;
    let product = measure::matrix_product(&device, &mut |done| {
        on_progress(Progress {
            stage: Stage::MatrixProduct,
            done: 0.05 + 0.5 * done,
        });
    })?;
    let triad = measure::bandwidth(&device, &mut |done| {
        on_progress(Progress {
            stage: Stage::Bandwidth,
            done: 0.55 + 0.45 * done,
        });
    })?;
    Ok(BenchResult {
        driver: adapter.driver_version(),
        adapter: adapter.id,
        adapter_name: adapter.name,
        gflops_fp32: product.per_second / 1e9,
        gflops_spread: product.spread,
        matrix_side: product.size,
        bandwidth_gb_s: triad.per_second / 1e9,
        bandwidth_spread: triad.spread,
        vector_length: triad.size,
        timed_by: product.timed_by.and(triad.timed_by),
        kernel_version: KERNEL_VERSION,
        duration_ms: milliseconds(start.elapsed()),
        measured_at_ms: SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, milliseconds),
    })
}

fn milliseconds(time: std::time::Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

fn needs_met(adapter: &Adapter) -> Result<(), Failure> {
    let (invocations, memory) = (256, 8192);
    if adapter.limits.workgroup_invocations < invocations {
        return Err(Failure::TooSmall(format!(
            "its workgroups have fewer than {invocations} invocations"
        )));
    }
    if adapter.limits.workgroup_memory_bytes < memory {
        return Err(Failure::TooSmall(format!(
            "its workgroups share less than {memory} bytes"
        )));
    }
    Ok(())
}

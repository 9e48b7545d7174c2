//! The two measurements: sized to the adapter, run several times, and checked.

use std::time::{Duration, Instant};

use wgpu::{Buffer, BufferUsages};

use super::TimedBy;
use super::device::{Device, Work};
use super::message::Failure;
use super::reference::{check_product, check_triad, places};
use super::statistics::{Summary, summary};

const FILL: &str = include_str!("kernels/fill.wgsl");
const MATRIX: &str = include_str!("kernels/matrix.wgsl");
const TRIAD: &str = include_str!("kernels/triad.wgsl");

/// A dispatch stays well below the two seconds after which Windows resets a driver.
const LONGEST_DISPATCH: Duration = Duration::from_millis(350);
/// A run is this long at least, so that the clock's grain does not matter.
const SHORTEST_RUN: Duration = Duration::from_millis(20);
const MOST_DISPATCHES: u32 = 256;
/// How long each kernel is measured.
const MEASURED_FOR: Duration = Duration::from_millis(2500);
const FEWEST_RUNS: usize = 5;
const MOST_RUNS: usize = 100;

/// Side of the smallest matrix, a multiple of the kernel's tile, and of the largest.
const SIDES: (u32, u32) = (256, 8192);
/// Numbers in the shortest and in the longest vector. The longest, 256 MiB, is beyond every cache of today.
const LENGTHS: (u32, u32) = (1 << 20, 1 << 26);
const SEEDS: (u32, u32) = (0x5EED_0001, 0x5EED_0002);

/// What one kernel came to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Measured {
    /// Operations or bytes in a second, from the run in the middle.
    pub(super) per_second: f64,
    /// Distance of the quartiles as a share of the median.
    pub(super) spread: f64,
    /// Side of the matrices, or numbers in each vector.
    pub(super) size: u32,
    /// Whose clock timed it.
    pub(super) timed_by: TimedBy,
}

/// A kernel at one size, with the buffer that its results go to.
struct Sized {
    size: u32,
    work: Work,
    result: Buffer,
    took: Duration,
}

/// The fp32 matrix product, in operations (2 n^3) a second.
pub(super) fn matrix_product(
    device: &Device,
    on_progress: &mut dyn FnMut(f32),
) -> Result<Measured, Failure> {
    let sized = grow(SIDES, 8, |n| prepare_product(device, n), device)?;
    let (runs, timed_by) = run_often(device, &sized, on_progress)?;
    let n = u64::from(sized.size);
    let places = places(n * n);
    check_product(
        sized.size,
        SEEDS,
        &places,
        &device.read(&sized.result, &places)?,
    )?;
    measured(&runs, 2.0 * (n * n * n) as f64, sized.size, timed_by)
}

/// The memory triad, in bytes (three vectors of fp32) a second.
pub(super) fn bandwidth(
    device: &Device,
    on_progress: &mut dyn FnMut(f32),
) -> Result<Measured, Failure> {
    let sized = grow(LENGTHS, 2, |length| prepare_triad(device, length), device)?;
    let (runs, timed_by) = run_often(device, &sized, on_progress)?;
    let places = places(u64::from(sized.size));
    check_triad(SEEDS, &places, &device.read(&sized.result, &places)?)?;
    measured(&runs, 12.0 * f64::from(sized.size), sized.size, timed_by)
}

fn prepare_product(device: &Device, n: u32) -> Result<(Work, Buffer), Failure> {
    let elements = n * n;
    let a = filled(device, elements, "fractions", SEEDS.0)?;
    let b = filled(device, elements, "fractions", SEEDS.1)?;
    let c = storage(device, elements)?;
    let work = device.work(
        MATRIX,
        "main",
        &[&device.uniform(n)?, &a, &b, &c],
        (n / 128, n / 128),
    )?;
    Ok((work, c))
}

fn prepare_triad(device: &Device, length: u32) -> Result<(Work, Buffer), Failure> {
    let b = filled(device, length, "wholes", SEEDS.0)?;
    let c = filled(device, length, "wholes", SEEDS.1)?;
    let a = storage(device, length)?;
    let work = device.work(TRIAD, "main", &[&b, &c, &a], groups_for(length))?;
    Ok((work, a))
}

fn storage(device: &Device, length: u32) -> Result<Buffer, Failure> {
    let limits = device.limits();
    let bytes = u64::from(length) * 4;
    if bytes
        > limits
            .max_buffer_size
            .min(limits.max_storage_buffer_binding_size)
    {
        return Err(Failure::OutOfMemory);
    }
    device.buffer(
        bytes,
        BufferUsages::STORAGE | BufferUsages::COPY_SRC | BufferUsages::COPY_DST,
    )
}

fn filled(device: &Device, length: u32, kernel: &str, seed: u32) -> Result<Buffer, Failure> {
    let buffer = storage(device, length)?;
    let fill = device.work(
        FILL,
        kernel,
        &[&device.uniform(seed)?, &buffer],
        groups_for(length),
    )?;
    device.run(&fill, 1)?;
    Ok(buffer)
}

/// Workgroups of 256 invocations with four numbers each, laid out in a rectangle because one side may have 65535 only.
fn groups_for(length: u32) -> (u32, u32) {
    let groups = length / 1024;
    let across = groups.clamp(1, 4096);
    (across, groups.div_ceil(across))
}

/// Doubles the size for as long as there is memory and one dispatch stays short; `factor` is by how much a doubling
/// makes it longer. The first dispatch at each size is discarded: it may compile, page in and wake the card.
fn grow(
    (smallest, largest): (u32, u32),
    factor: u32,
    prepare: impl Fn(u32) -> Result<(Work, Buffer), Failure>,
    device: &Device,
) -> Result<Sized, Failure> {
    let at = |size: u32| {
        let (work, result) = prepare(size)?;
        device.run(&work, 1)?;
        let (took, _) = device.run(&work, 1)?;
        Ok(Sized {
            size,
            work,
            result,
            took,
        })
    };
    let mut sized = at(smallest)?;
    while sized.size < largest && sized.took * factor < LONGEST_DISPATCH {
        sized = match at(sized.size * 2) {
            Ok(larger) => larger,
            Err(Failure::OutOfMemory) => break,
            Err(other) => return Err(other),
        };
    }
    Ok(sized)
}

/// Times of single dispatches, in seconds, each an average over one run.
fn run_often(
    device: &Device,
    sized: &Sized,
    on_progress: &mut dyn FnMut(f32),
) -> Result<(Vec<f64>, TimedBy), Failure> {
    device.clear(&sized.result)?;
    let dispatches = dispatches_for(sized.took);
    let mut runs = Vec::new();
    let mut clock = TimedBy::Device;
    let start = Instant::now();
    loop {
        let (took, timed_by) = device.run(&sized.work, dispatches)?;
        runs.push(took.as_secs_f64() / f64::from(dispatches));
        clock = clock.and(timed_by);
        let time = start.elapsed().as_secs_f32() / MEASURED_FOR.as_secs_f32();
        let time_needed = time.min(runs.len() as f32 / FEWEST_RUNS as f32);
        on_progress(
            time_needed
                .max(runs.len() as f32 / MOST_RUNS as f32)
                .min(1.0),
        );
        if runs.len() >= MOST_RUNS || (runs.len() >= FEWEST_RUNS && time >= 1.0) {
            return Ok((runs, clock));
        }
    }
}

fn dispatches_for(took: Duration) -> u32 {
    let needed = SHORTEST_RUN.as_secs_f64() / took.as_secs_f64().max(1e-9);
    (needed.ceil() as u32).clamp(1, MOST_DISPATCHES)
}

fn measured(runs: &[f64], amount: f64, size: u32, timed_by: TimedBy) -> Result<Measured, Failure> {
    let Summary { median, spread } = summary(runs)
        .ok_or_else(|| Failure::Driver("its clock says that the work took no time".into()))?;
    Ok(Measured {
        per_second: amount / median,
        spread,
        size,
        timed_by,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rectangle_of_workgroups_covers_the_vector_exactly() {
        let mut length = LENGTHS.0;
        while length <= LENGTHS.1 {
            let (across, down) = groups_for(length);
            assert_eq!(across * down * 1024, length);
            assert!(across <= 65535 && down <= 65535);
            length *= 2;
        }
        assert_eq!(groups_for(SIDES.0 * SIDES.0), (64, 1));
    }

    #[test]
    fn short_work_is_repeated_until_it_can_be_timed() {
        assert_eq!(dispatches_for(Duration::from_millis(300)), 1);
        assert_eq!(dispatches_for(Duration::from_millis(1)), 20);
        assert_eq!(dispatches_for(Duration::ZERO), MOST_DISPATCHES);
    }
}

//! The same numbers and the same results, made on the processor: what the kernels' results are checked against.

use super::message::Failure;

/// How many results are checked: one in each of this many equal stretches, so that a failure in a share `f` of the
/// results goes unseen with a probability of (1 - f)^512.
pub(super) const SAMPLES: u64 = 512;

/// How far an element of the matrix product may be off, as a share of the sum of its products' magnitudes. Rounding in
/// fp32 stays near 2^-24 of that sum, while factors cut to ten bits, as in half precision, leave it by 2^-18 and more.
pub(super) const TOLERANCE: f64 = 1.0 / 1_048_576.0;

fn mix(start: u32) -> u32 {
    let x = (start ^ (start >> 16)).wrapping_mul(0x7FEB_352D);
    let x = (x ^ (x >> 15)).wrapping_mul(0x846C_A68B);
    x ^ (x >> 16)
}

/// The number that the kernel `fractions` puts at `place`: at least -1, below 1.
pub(super) fn fraction(place: u32, seed: u32) -> f64 {
    f64::from(mix(place ^ seed) >> 8) / 8_388_608.0 - 1.0
}

/// The number that the kernel `wholes` puts at `place`: 0 to 4095.
pub(super) fn whole(place: u32, seed: u32) -> f64 {
    f64::from(mix(place ^ seed) >> 20)
}

/// The places among `length` results that are checked.
pub(super) fn places(length: u64) -> Vec<u64> {
    let stretch = length / SAMPLES;
    let within = |sample: u64| u64::from(mix(u32::try_from(sample).unwrap_or(0))) % stretch.max(1);
    (0..SAMPLES)
        .map(|sample| sample * stretch + within(sample))
        .collect()
}

/// Checks elements of a product of matrices of side `n`, filled with the seeds of `a` (which lies transposed) and `b`.
pub(super) fn check_product(
    n: u32,
    seeds: (u32, u32),
    places: &[u64],
    results: &[f32],
) -> Result<(), Failure> {
    check("matrix product", places, results, |place| {
        let row = u32::try_from(place / u64::from(n)).unwrap_or(0);
        let column = u32::try_from(place % u64::from(n)).unwrap_or(0);
        let (mut sum, mut magnitude) = (0.0, 0.0);
        for k in 0..n {
            let product = fraction(k * n + row, seeds.0) * fraction(k * n + column, seeds.1);
            sum += product;
            magnitude += product.abs();
        }
        (sum, magnitude * TOLERANCE)
    })
}

/// Checks elements of a triad, which are exact.
pub(super) fn check_triad(
    seeds: (u32, u32),
    places: &[u64],
    results: &[f32],
) -> Result<(), Failure> {
    check("memory triad", places, results, |place| {
        let place = u32::try_from(place).unwrap_or(0);
        (whole(place, seeds.0) + 3.0 * whole(place, seeds.1), 0.0)
    })
}

fn check(
    kernel: &str,
    places: &[u64],
    results: &[f32],
    expected: impl Fn(u64) -> (f64, f64),
) -> Result<(), Failure> {
    for (&place, &result) in places.iter().zip(results) {
        let (value, tolerance) = expected(place);
        let result = f64::from(result);
        let off = (result - value).abs();
        if off.is_nan() || off > tolerance {
            return Err(Failure::WrongResult {
                kernel: kernel.to_owned(),
                place,
                value,
                result,
            });
        }
    }
    if results.len() == places.len() {
        Ok(())
    } else {
        Err(Failure::Driver(format!(
            "{} results were read, not {}",
            results.len(),
            places.len()
        )))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A product in fp32, as a GPU would compute it, with factors cut to `bits` bits after the point.
    fn product(n: u32, place: u64, bits: i32) -> f32 {
        let cut =
            |value: f64| ((value * f64::from(bits).exp2()).round() / f64::from(bits).exp2()) as f32;
        let (row, column) = ((place / u64::from(n)) as u32, (place % u64::from(n)) as u32);
        (0..n)
            .map(|k| cut(fraction(k * n + row, 1)) * cut(fraction(k * n + column, 2)))
            .sum()
    }

    #[test]
    fn rounding_in_fp32_passes_and_half_precision_does_not() {
        let n = 1024;
        let places: Vec<u64> = places(u64::from(n) * u64::from(n))
            .into_iter()
            .take(64)
            .collect();
        let honest: Vec<f32> = places.iter().map(|place| product(n, *place, 23)).collect();
        let cheap: Vec<f32> = places.iter().map(|place| product(n, *place, 11)).collect();
        assert!(check_product(n, (1, 2), &places, &honest).is_ok());
        assert!(matches!(
            check_product(n, (1, 2), &places, &cheap),
            Err(Failure::WrongResult { .. })
        ));
    }

    #[test]
    fn one_wrong_element_is_named() {
        let places = places(1 << 20);
        let mut results: Vec<f32> = places
            .iter()
            .map(|place| (whole(*place as u32, 3) + 3.0 * whole(*place as u32, 4)) as f32)
            .collect();
        assert!(check_triad((3, 4), &places, &results).is_ok());
        results[99] += 1.0;
        let failure = check_triad((3, 4), &places, &results).expect_err("one element is wrong");
        assert!(matches!(failure, Failure::WrongResult { place, .. } if place == places[99]));
        results[99] = f32::NAN;
        assert!(check_triad((3, 4), &places, &results).is_err());
    }

    #[test]
    fn missing_results_are_no_proof() {
        assert!(check_triad((3, 4), &places(1 << 20), &[]).is_err());
    }

    #[test]
    fn places_lie_one_in_each_stretch() {
        let length = 1 << 18;
        let found = places(length);
        assert_eq!(found.len() as u64, SAMPLES);
        let stretch = length / SAMPLES;
        assert!(
            found
                .iter()
                .enumerate()
                .all(|(index, place)| place / stretch == index as u64)
        );
    }
}

//! Random numbers that are a pure function of (seed, pixel, sample, dimension).
//!
//! The first dimensions are points of the two-dimensional Sobol' sequence with Owen scrambling by hashing
//! (Burley, "Practical Hash-based Owen Scrambling", JCGT 2020): they fill the square evenly, so the picture has less
//! noise than with independent numbers. Later dimensions are plain hashes. No state is shared between samples, so the
//! picture does not depend on which thread draws which row.

/// How many pairs come from the Sobol' sequence before plain hashing takes over: the lens, the filter and two bounces.
const EVEN_PAIRS: u32 = 12;

#[derive(Clone, Copy, Debug)]
pub struct Sampler {
    pixel: u32,
    sample: u32,
    pair: u32,
}

impl Sampler {
    pub fn new(seed: u32, pixel: u32, sample: u32) -> Sampler {
        Sampler {
            pixel: hash(pixel ^ hash(seed ^ 0x5bd1_e995)),
            sample,
            pair: 0,
        }
    }

    /// The next two numbers, each in [0, 1).
    pub fn pair(&mut self) -> (f32, f32) {
        let stream = hash(self.pixel ^ self.pair.wrapping_mul(0x9e37_79b9));
        self.pair += 1;
        if self.pair <= EVEN_PAIRS {
            let index = scrambled(self.sample, stream);
            let (x, y) = sobol(index);
            (
                unit(scrambled(x, hash(stream ^ 0x68bc_21eb))),
                unit(scrambled(y, hash(stream ^ 0x02e5_be93))),
            )
        } else {
            let a = hash(stream ^ hash(self.sample));
            (unit(a), unit(hash(a ^ 0xa511_e9b3)))
        }
    }

    /// The next single number, in [0, 1).
    pub fn one(&mut self) -> f32 {
        self.pair().0
    }
}

/// A well-mixing 32-bit hash: multiply and shift, each step invertible, so that no two inputs meet.
pub fn hash(mut x: u32) -> u32 {
    x ^= x >> 16;
    x = x.wrapping_mul(0x7feb_352d);
    x ^= x >> 15;
    x = x.wrapping_mul(0x846c_a68b);
    x ^ (x >> 16)
}

/// 24 bits as a number in [0, 1): all an `f32` can hold without rounding up to one.
fn unit(x: u32) -> f32 {
    (x >> 8) as f32 * (1.0 / 16_777_216.0)
}

/// Owen's nested scrambling: each bit is flipped by a hash of the bits above it.
fn scrambled(x: u32, seed: u32) -> u32 {
    let mut v = x.reverse_bits().wrapping_add(seed);
    v ^= v.wrapping_mul(0x6c50_b47c);
    v ^= v.wrapping_mul(0xb82f_1e52);
    v ^= v.wrapping_mul(0xc7af_e638);
    v ^= v.wrapping_mul(0x8d22_f6e6);
    v.reverse_bits()
}

/// The first two dimensions of the Sobol' sequence. The second is Pascal's triangle modulo two, which is a Kronecker
/// power of a 2x2 matrix and so takes five shifts instead of a loop over 32 bits.
fn sobol(index: u32) -> (u32, u32) {
    let x = index.reverse_bits();
    let mut y = x;
    y ^= y << 16;
    y ^= (y & 0x00ff_00ff) << 8;
    y ^= (y & 0x0f0f_0f0f) << 4;
    y ^= (y & 0x3333_3333) << 2;
    y ^= (y & 0x5555_5555) << 1;
    (x, y)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_sobol_dimension_matches_its_definition() {
        for index in (0..5000).chain([u32::MAX, 0x8000_0001]) {
            let (mut direction, mut rest, mut want) = (1u32 << 31, index, 0u32);
            while rest != 0 {
                if rest & 1 == 1 {
                    want ^= direction;
                }
                rest >>= 1;
                direction ^= direction >> 1;
            }
            assert_eq!(sobol(index).1, want, "index {index}");
        }
    }

    #[test]
    fn sixteen_samples_of_a_pixel_fall_into_sixteen_different_cells() {
        for pixel in 0..50 {
            let mut seen = [[false; 4]; 4];
            for sample in 0..16 {
                let (x, y) = Sampler::new(7, pixel, sample).pair();
                seen[(x * 4.0) as usize][(y * 4.0) as usize] = true;
            }
            assert!(seen.iter().flatten().all(|&s| s), "pixel {pixel}: {seen:?}");
        }
    }

    #[test]
    fn numbers_are_below_one_and_repeat_exactly() {
        let draw = |seed| {
            let mut sampler = Sampler::new(seed, 12, 34);
            (0..64).map(|_| sampler.pair()).collect::<Vec<_>>()
        };
        assert_eq!(draw(1), draw(1));
        assert_ne!(draw(1), draw(2));
        assert!(
            draw(1)
                .iter()
                .all(|&(x, y)| (0.0..1.0).contains(&x) && (0.0..1.0).contains(&y))
        );
        assert!(unit(u32::MAX) < 1.0);
    }
}

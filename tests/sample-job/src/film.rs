//! Gathers light, pass by pass, and develops it into a picture.

use std::io::Write;
use std::num::NonZeroUsize;
use std::sync::Mutex;
use std::thread;

use crate::sampler::{Sampler, hash};
use crate::scene::Scene;
use crate::tracer::light_along;
use crate::vector::{Vec3, vec3};

/// Light is multiplied by this before it is developed.
const EXPOSURE: f32 = 1.45;
/// Light that becomes white.
const WHITE: f32 = 4.0;

pub struct Film {
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) seed: u32,
    /// How many were added.
    pub(crate) passes: u32,
    /// The light of each pixel, of all passes together.
    pub(crate) sums: Vec<Vec3>,
}

impl Film {
    pub fn new(width: u32, height: u32, seed: u32) -> Film {
        Film {
            width,
            height,
            seed,
            passes: 0,
            sums: vec![Vec3::ZERO; width as usize * height as usize],
        }
    }

    /// Adds one sample to every pixel. Threads take rows as they come; what a pixel gets does not depend on which.
    pub fn add_pass(&mut self, scene: &Scene, threads: NonZeroUsize) {
        let (width, height, seed, pass) = (self.width, self.height, self.seed, self.passes);
        let rows = Mutex::new(self.sums.chunks_mut(width as usize).enumerate());
        let next_row = || match rows.lock() {
            Ok(mut rows) => rows.next(),
            Err(poisoned) => poisoned.into_inner().next(),
        };
        thread::scope(|scope| {
            for _ in 0..threads.get() {
                scope.spawn(|| {
                    while let Some((y, row)) = next_row() {
                        for (x, sum) in row.iter_mut().enumerate() {
                            let pixel = y as u32 * width + x as u32;
                            let mut sampler = Sampler::new(seed, pixel, pass);
                            let (dx, dy) = sampler.pair();
                            let half = 0.5 * height as f32;
                            let across = (x as f32 + 0.5 + tent(dx) - 0.5 * width as f32) / half;
                            let up = (half - y as f32 - 0.5 - tent(dy)) / half;
                            let ray = scene.camera.ray(across, up, sampler.pair());
                            *sum += light_along(scene, ray, &mut sampler);
                        }
                    }
                });
            }
        });
        self.passes += 1;
    }

    /// The picture so far: eight bits per channel, sRGB, rows from the top.
    pub fn develop(&self) -> Vec<u8> {
        let scale = EXPOSURE / self.passes.max(1) as f32;
        let mut bytes = Vec::with_capacity(self.sums.len() * 3);
        for (i, sum) in self.sums.iter().enumerate() {
            let (x, y) = (i as u32 % self.width, i as u32 / self.width);
            let light = toned(*sum * (scale * self.vignette(x, y)));
            for (k, value) in [light.x, light.y, light.z].into_iter().enumerate() {
                // Half a step of noise, so that the sky has no bands.
                let dither = hash(i as u32 * 3 + k as u32) as f32 / u32::MAX as f32;
                bytes.push((contrast(gamma(value)) * 255.0 + dither).clamp(0.0, 255.0) as u8);
            }
        }
        bytes
    }

    /// The corners are a little darker, as with a real lens.
    fn vignette(&self, x: u32, y: u32) -> f32 {
        let from_middle = |at: u32, size: u32| (at as f32 + 0.5) / size as f32 - 0.5;
        let (u, v) = (from_middle(x, self.width), from_middle(y, self.height));
        1.0 - 0.42 * (u * u + v * v)
    }

    /// Writes the picture as PNG.
    pub fn write_png(&self, to: impl Write) -> Result<(), png::EncodingError> {
        let mut encoder = png::Encoder::new(to, self.width, self.height);
        encoder.set_color(png::ColorType::Rgb);
        encoder.set_depth(png::BitDepth::Eight);
        encoder.set_source_srgb(png::SrgbRenderingIntent::Perceptual);
        let mut writer = encoder.write_header()?;
        writer.write_image_data(&self.develop())?;
        writer.finish()
    }
}

/// Turns an even number in [0, 1) into an offset in (-1, 1), most often near zero: a pixel's samples fade into its
/// neighbours.
fn tent(u: f32) -> f32 {
    if u < 0.5 {
        (2.0 * u).sqrt() - 1.0
    } else {
        1.0 - (2.0 - 2.0 * u).sqrt()
    }
}

/// Reinhard's curve with a white point, on luminance and on channels, half and half: bright colours fade to white gently.
fn toned(light: Vec3) -> Vec3 {
    let curve = |x: f32| x * (1.0 + x / (WHITE * WHITE)) / (1.0 + x);
    let bright = light.luminance().max(1e-6);
    let whole = light * (curve(bright) / bright);
    let each = vec3(curve(light.x), curve(light.y), curve(light.z));
    whole.mix(each, 0.5)
}

/// The sRGB transfer function, from linear light to what a file holds; both 0 to 1.
fn gamma(linear: f32) -> f32 {
    let x = linear.clamp(0.0, 1.0);
    if x <= 0.003_130_8 {
        12.92 * x
    } else {
        1.055 * libm::powf(x, 1.0 / 2.4) - 0.055
    }
}

/// Darkens what is below the middle and brightens what is above, a little; 0 to 1 both ways.
fn contrast(x: f32) -> f32 {
    x + 0.3 * x * (1.0 - x) * (2.0 * x - 1.0)
}

#[cfg(test)]
#[path = "film_tests.rs"]
mod tests;

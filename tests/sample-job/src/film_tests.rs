#![expect(clippy::unwrap_used, reason = "a test may stop at once")]

use super::*;

fn picture(threads: usize, seed: u32) -> Vec<u8> {
    let scene = Scene::still_life();
    let mut film = Film::new(48, 32, seed);
    for _ in 0..3 {
        film.add_pass(&scene, NonZeroUsize::new(threads).unwrap());
    }
    let mut png = Vec::new();
    film.write_png(&mut png).unwrap();
    png
}

#[test]
fn the_bytes_are_the_same_for_any_number_of_threads_and_change_with_the_seed() {
    let one = picture(1, 4);
    assert_eq!(one, picture(5, 4));
    assert_ne!(one, picture(1, 5));
}

#[test]
fn the_picture_can_be_read_back_with_its_size() {
    let png = picture(2, 1);
    let reader = png::Decoder::new(std::io::Cursor::new(png))
        .read_info()
        .unwrap();
    let info = reader.info();
    assert_eq!((info.width, info.height), (48, 32));
}

#[test]
fn gamma_contrast_and_tone_rise_from_black_to_white() {
    assert_eq!(
        (contrast(0.0), contrast(0.5), contrast(1.0)),
        (0.0, 0.5, 1.0)
    );
    assert!(contrast(0.2) < 0.2 && contrast(0.8) > 0.8 && contrast(0.05) > 0.0);
    assert_eq!(gamma(0.0), 0.0);
    assert!((gamma(1.0) - 1.0).abs() < 1e-6);
    assert!((gamma(0.214) - 0.5).abs() < 2e-3, "middle grey");
    let mut last = -1.0;
    for i in 0..100 {
        let grey = toned(vec3(1.0, 1.0, 1.0) * (i as f32 * 0.01 * WHITE)).x;
        assert!(grey > last && grey <= 1.0);
        last = grey;
    }
    assert!((toned(vec3(WHITE, WHITE, WHITE)).y - 1.0).abs() < 1e-5);
}

#[test]
fn the_tent_has_its_middle_at_zero_and_keeps_within_a_pixel() {
    assert_eq!(tent(0.5), 0.0);
    let n = 4096;
    let all: Vec<f32> = (0..n).map(|i| tent((i as f32 + 0.5) / n as f32)).collect();
    assert!(all.iter().all(|x| x.abs() < 1.0));
    assert!(all.iter().sum::<f32>().abs() < 0.01);
    let inner = all.iter().filter(|x| x.abs() < 0.5).count() as f32 / n as f32;
    assert!((inner - 0.75).abs() < 0.01, "{inner}");
}

//! Jobs to submit: the sample renderer, small or endless.

use crate::program::given;

/// A picture of a few pixels: done within a second or two.
pub fn quick() -> String {
    spec(
        &["--width", "96", "--height", "54", "--samples", "4"],
        "",
        "0.50",
    )
}

/// A render that goes on until somebody stops it.
pub fn endless() -> String {
    spec(
        &["--width", "1280", "--height", "720", "--samples", "10000"],
        "",
        "0.50",
    )
}

/// As [`endless`], with more lines under `x-sublet`.
pub fn endless_with(lines: &str) -> String {
    spec(
        &["--width", "1280", "--height", "720", "--samples", "10000"],
        lines,
        "0.50",
    )
}

/// A render of about `seconds` seconds on a free core or two.
pub fn of_seconds(seconds: u32) -> String {
    let samples = (seconds * 6).to_string();
    spec(
        &["--width", "640", "--height", "360", "--samples", &samples],
        "",
        "0.50",
    )
}

/// A job of the sample image.
pub fn spec(command: &[&str], sublet_lines: &str, price: &str) -> String {
    let image = given("SUBLET_SAMPLE_IMAGE");
    let words: Vec<String> = command.iter().map(|word| format!("\"{word}\"")).collect();
    format!(
        "services:\n  tracer:\n    image: {image}\n    command: [{}]\n    deploy: {{resources: {{limits: {{cpus: \"1\", memory: 512m}}}}}}\n    x-sublet:\n      gpu: {{allow_software: true}}\n      max_price_per_hour: {price}\n      outputs: [/out/picture.png]\n{sublet_lines}",
        words.join(", ")
    )
}

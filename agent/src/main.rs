//! The `sublet` program. Until the command line is here, only what the agent starts of itself.

use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.first().map(String::as_str) {
        Some("probe") => sublet_agent::probe::child_main(),
        Some("bench-child") => sublet_agent::bench::child_main(&arguments[1..]),
        _ => ExitCode::from(2),
    }
}

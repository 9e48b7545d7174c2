//! The program `sublet`.

fn main() -> std::process::ExitCode {
    sublet_agent::cli::main()
}

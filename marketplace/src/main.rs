//! The marketplace's command line.

fn main() -> std::process::ExitCode {
    sublet_market::cli::main()
}

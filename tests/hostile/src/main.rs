//! A job that means harm. Its first argument names one attack; further ones tell it where to look. It says what came
//! of it in one line of JSON on standard output: what it tried in vain, and what it got. The agent's tests run it in
//! the sandbox, where it must get nothing, and once more without one, where it must get something: so it is known
//! that the attack is real.
#![allow(
    unsafe_code,
    clippy::print_stdout,
    reason = "attacks are system calls, and what they got is told on standard output"
)]

#[cfg(target_os = "linux")]
mod exhaust;
#[cfg(target_os = "linux")]
mod files;
#[cfg(target_os = "linux")]
mod keep;
#[cfg(target_os = "linux")]
mod kernel;
#[cfg(target_os = "linux")]
mod network;
#[cfg(target_os = "linux")]
mod outputs;
#[cfg(target_os = "linux")]
mod report;
#[cfg(target_os = "linux")]
mod rights;
#[cfg(target_os = "linux")]
mod stand_in;

#[cfg(target_os = "linux")]
fn main() -> std::process::ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let Some((attack, rest)) = words.split_first() else {
        println!("name an attack");
        return std::process::ExitCode::FAILURE;
    };
    if stand_in::serve(attack, rest) {
        return std::process::ExitCode::SUCCESS;
    }
    let mut report = report::Report::of(attack);
    let known = files::attack(&mut report, attack, rest)
        || rights::attack(&mut report, attack, rest)
        || kernel::attack(&mut report, attack, rest)
        || network::attack(&mut report, attack, rest)
        || exhaust::attack(&mut report, attack, rest)
        || outputs::attack(&mut report, attack, rest)
        || keep::attack(&mut report, attack, rest);
    if !known {
        println!("there is no attack called {attack}");
        return std::process::ExitCode::FAILURE;
    }
    report.tell();
    std::process::ExitCode::SUCCESS
}

#[cfg(not(target_os = "linux"))]
fn main() {
    println!("containers run on Linux; so does this");
}

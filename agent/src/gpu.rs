//! The program `sublet-gpu`: lists the graphics adapters, or measures one, and writes JSON lines on standard output.
//! `sublet` starts it and ends it; it is a program of its own so that what it needs is in nobody else's memory.

use anyhow::bail;
use sublet_agent::{bench, probe};

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words[..] {
        [probe::WORD] => probe::child_main()?,
        [bench::WORD, adapter] => bench::child_main(&probe::AdapterId::new(adapter))?,
        _ => bail!(
            "sublet starts this program by itself; by hand: sublet-gpu list, or sublet-gpu measure ADAPTER"
        ),
    }
    Ok(())
}

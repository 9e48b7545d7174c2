//! Ctrl-C ends the chore in order: whoever waits is told, and what was started is stopped on the way out.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use anyhow::{Context, bail};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::flag;

static ASKED: OnceLock<Arc<AtomicBool>> = OnceLock::new();

/// From now on the first SIGINT, SIGTERM or SIGHUP is remembered instead of ending the program, and the second ends it
/// at once; the children then end by their parent-death signal.
pub fn listen() -> anyhow::Result<()> {
    let asked = ASKED.get_or_init(Arc::default);
    for signal in [SIGINT, SIGTERM, SIGHUP] {
        flag::register_conditional_shutdown(signal, 130, Arc::clone(asked))
            .and_then(|_| flag::register(signal, Arc::clone(asked)))
            .context("signals cannot be handled")?;
    }
    Ok(())
}

/// Whether the chore was asked to stop.
pub fn asked() -> bool {
    ASKED
        .get()
        .is_some_and(|asked| asked.load(Ordering::SeqCst))
}

/// An error once the chore was asked to stop.
pub fn check() -> anyhow::Result<()> {
    if asked() {
        bail!("you asked to stop.");
    }
    Ok(())
}

//! Sessions from other machines: their terminals, and when somebody last typed into them.

use std::path::Path;
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use sublet_core::facts::InputKind;

use super::{Senses, Surroundings, ago};
use crate::sensors::presence::board::Post;

/// Typing into a terminal sets the time of access of its file, to within 8 s. Those that have gone are passed over.
pub(super) fn last_input<'a>(
    dev: &Path,
    terminals: impl Iterator<Item = &'a str>,
) -> Option<Instant> {
    let now = SystemTime::now();
    let idle = |terminal: &str| {
        let used = std::fs::metadata(dev.join(terminal))
            .ok()?
            .accessed()
            .ok()?;
        Some(now.duration_since(used).unwrap_or_default())
    };
    terminals.filter_map(idle).min().map(ago)
}

/// Follows the list of logins that systems without logind, and many with it, keep.
pub(super) async fn run(post: Post, here: Arc<Surroundings>, mut senses: Senses) {
    loop {
        match std::fs::read(&here.logins) {
            Ok(records) => {
                let remote = remote_terminals(&records);
                let terminals = remote.iter().map(String::as_str);
                match last_input(&here.dev, terminals) {
                    Some(last) => {
                        post.touch(last, InputKind::Remote, false);
                        post.works(format!(
                            "Terminals from other machines: {}; last input {} s ago.",
                            remote.join(", "),
                            last.elapsed().as_secs()
                        ));
                    }
                    None => post.works("Nobody is logged in from another machine."),
                }
            }
            Err(error) => post.not_here(format!("This system keeps no list of logins: {error}.")),
        }
        senses.beats(1).await;
    }
}

/// One record of `utmp(5)`: 384 bytes on x86, 400 where times have 64 bits throughout.
const RECORD: usize = if cfg!(target_arch = "x86_64") {
    384
} else {
    400
};

fn remote_terminals(records: &[u8]) -> Vec<String> {
    const USER_PROCESS: i16 = 7;
    let text = |bytes: &[u8]| {
        let end = bytes.iter().position(|byte| *byte == 0);
        String::from_utf8_lossy(&bytes[..end.unwrap_or(bytes.len())]).into_owned()
    };
    let remote = |record: &[u8]| {
        let kind = i16::from_ne_bytes([record[0], record[1]]);
        let (terminal, host) = (text(&record[8..40]), text(&record[76..332]));
        (kind == USER_PROCESS && from_elsewhere(&host)).then_some(terminal)
    };
    records.chunks_exact(RECORD).filter_map(remote).collect()
}

/// A display, or a terminal within a terminal, is written where a host's name belongs, too.
fn from_elsewhere(host: &str) -> bool {
    let here = host.is_empty()
        || host.starts_with(':')
        || host.starts_with("tmux(")
        || host.contains(":S.")
        || host == "login screen";
    !here
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn record(kind: i16, terminal: &str, host: &str) -> Vec<u8> {
        let mut record = vec![0; RECORD];
        record[..2].copy_from_slice(&kind.to_ne_bytes());
        record[8..8 + terminal.len()].copy_from_slice(terminal.as_bytes());
        record[76..76 + host.len()].copy_from_slice(host.as_bytes());
        record
    }

    #[test]
    fn only_people_from_other_machines_are_remote() {
        let records = [
            record(2, "~", "6.18.0"),
            record(7, "tty7", ":0"),
            record(7, "pts/0", "192.0.2.7"),
            record(7, "pts/1", "tmux(4711).%0"),
            record(7, "pts/2", "192.0.2.7:S.0"),
            record(8, "pts/3", "192.0.2.8"),
            record(7, "pts/4", "laptop.example"),
        ]
        .concat();
        assert_eq!(remote_terminals(&records), ["pts/0", "pts/4"]);
        assert_eq!(
            remote_terminals(&records[..RECORD * 3 - 1]),
            Vec::<String>::new()
        );
    }

    #[test]
    fn the_terminal_that_was_used_last_counts() {
        let dev = tempfile::tempdir().unwrap();
        for (name, idle) in [("a", 500), ("b", 30)] {
            let file = std::fs::File::create(dev.path().join(name)).unwrap();
            let used = SystemTime::now() - Duration::from_secs(idle);
            file.set_times(std::fs::FileTimes::new().set_accessed(used))
                .unwrap();
        }
        let last = last_input(dev.path(), ["a", "gone", "b"].into_iter()).unwrap();
        assert_eq!(last.elapsed().as_secs(), 30);
        assert_eq!(last_input(dev.path(), ["gone"].into_iter()), None);
    }
}

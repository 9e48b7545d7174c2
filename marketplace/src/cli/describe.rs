//! Words for jobs and leases: the same sentence wherever one is shown.

use sublet_protocol::lease::{LeaseState, Transfer, TransferKind};
use sublet_protocol::renter::{JobState, JobView, LeaseView};

/// A shape and a word for a job's state.
pub fn state(state: JobState) -> &'static str {
    match state {
        JobState::Queued => "◐ queued",
        JobState::Leased => "● leased",
        JobState::Completed => "• completed",
        JobState::Failed => "▲ failed",
        JobState::Cancelled => "○ cancelled",
    }
}

/// `23.4 s`, `5 min 07 s`, `2 h 03 min`.
pub fn duration(ms: u64) -> String {
    let seconds = ms / 1000;
    match seconds {
        0..60 => format!("{seconds}.{} s", ms % 1000 / 100),
        60..3600 => format!("{} min {:02} s", seconds / 60, seconds % 60),
        _ => format!("{} h {:02} min", seconds / 3600, seconds / 60 % 60),
    }
}

/// `1.4 MB`, in powers of 1000.
pub fn bytes(count: u64) -> String {
    let mut unit = (1, "B");
    for larger in [(1_000, "kB"), (1_000_000, "MB"), (1_000_000_000, "GB")] {
        if count >= larger.0 {
            unit = larger;
        }
    }
    if unit.0 == 1 {
        return format!("{count} B");
    }
    format!(
        "{}.{} {}",
        count / unit.0,
        count % unit.0 * 10 / unit.0,
        unit.1
    )
}

/// "42 %", or nothing.
pub fn progress(lease: &LeaseView) -> String {
    lease
        .progress_permille
        .map(|p| format!("{} %", p / 10))
        .unwrap_or_default()
}

/// One sentence on a job.
pub fn sentence(job: &JobView) -> String {
    let name = &job.spec.name;
    let Some(last) = job.leases.last() else {
        return match job.state {
            JobState::Queued => format!("`{name}` waits for a rig{}.", because(job)),
            other => format!("`{name}` is {}.", word(other)),
        };
    };
    let used: u64 = job.leases.iter().map(|lease| lease.used_ms).sum();
    let cost = format!("{} for {}", job.charged, duration(used));
    match job.state {
        JobState::Queued => format!(
            "`{name}` waits for another rig{}; {cost} so far.",
            because(job)
        ),
        JobState::Leased => format!(
            "`{name}` is {} on {} at {}; {cost} so far.",
            last.state.name(),
            last.gpus.join(", "),
            last.price
        ),
        JobState::Completed => format!("`{name}` completed: {cost}."),
        JobState::Failed | JobState::Cancelled => {
            let why = last.ending.as_ref().map_or(String::new(), |ending| {
                format!(": {}", ending.message.trim_end_matches('.'))
            });
            format!("`{name}` {}{why}; it cost {cost}.", word(job.state))
        }
    }
}

fn word(state: JobState) -> &'static str {
    match state {
        JobState::Queued => "queued",
        JobState::Leased => "leased",
        JobState::Completed => "completed",
        JobState::Failed => "failed",
        JobState::Cancelled => "was cancelled",
    }
}

fn because(job: &JobView) -> String {
    job.waiting_for
        .as_ref()
        .map_or(String::new(), |why| format!(": {why}"))
}

/// What a lease's state means, while one waits for it.
pub fn step(lease: &LeaseView) -> String {
    match &lease.transfer {
        Some(transfer) => format!("{}: {}", stage(lease), moving(transfer)),
        None => stage(lease),
    }
}

/// "inputs, 12.0 MB of 1.4 GB".
pub fn moving(transfer: &Transfer) -> String {
    let what = match transfer.what {
        TransferKind::Image => "image",
        TransferKind::Inputs => "inputs",
        TransferKind::Outputs => "outputs",
        TransferKind::Checkpoint => "checkpoint",
    };
    let (done, total) = (bytes(transfer.done_bytes), bytes(transfer.total_bytes));
    format!("{what}, {done} of {total}")
}

fn stage(lease: &LeaseView) -> String {
    let on = lease.gpus.join(", ");
    match lease.state {
        LeaseState::Offered => format!("offered to {} ({on}) at {}", lease.rig, lease.price),
        LeaseState::Accepted => format!("{} took it", lease.rig),
        LeaseState::Pulling => "what it needs is on its way".into(),
        LeaseState::Starting => "the container is being made".into(),
        LeaseState::Running => format!("running on {on}"),
        LeaseState::Paused => "paused; this time is not billed".into(),
        LeaseState::Reclaiming => "being stopped".into(),
        LeaseState::Uploading => "what it made is on its way".into(),
        LeaseState::Finished => "done; the outputs are being checked".into(),
        LeaseState::Verified | LeaseState::Settled => "settled".into(),
        LeaseState::Failed => "ended without success".into(),
        LeaseState::Refused => format!("{} did not take it", lease.rig),
        LeaseState::Lost => format!("{} fell silent", lease.rig),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_carry_their_units() {
        assert_eq!(duration(23_456), "23.4 s");
        assert_eq!(duration(307_000), "5 min 07 s");
        assert_eq!(duration(7_380_000), "2 h 03 min");
        assert_eq!(bytes(999), "999 B");
        assert_eq!(bytes(1_449_000), "1.4 MB");
    }
}

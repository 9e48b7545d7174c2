//! Figures as people read them: always with their unit.

use super::look::Look;
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};
use sublet_protocol::lease::{Transfer, TransferKind};
use sublet_protocol::money::MicroUsd;

/// `0.4 s`, `12.3 s`, `4 min 05 s`, `1 h 12 min`, `3 days 4 h`.
pub fn duration(ms: u64) -> String {
    let seconds = ms / 1000;
    let (minutes, hours) = (seconds / 60, seconds / 3600);
    match () {
        () if minutes == 0 => format!("{}.{} s", seconds, ms % 1000 / 100),
        () if hours == 0 => format!("{minutes} min {:02} s", seconds % 60),
        () if hours < 48 => format!("{hours} h {:02} min", minutes % 60),
        () => format!("{} days {} h", hours / 24, hours % 24),
    }
}

/// `24 GiB`, `512 MiB`, `1.5 GiB`: powers of 1024, one decimal where it says something.
pub fn memory(bytes: u64) -> String {
    const GIB: u64 = 1 << 30;
    const MIB: u64 = 1 << 20;
    let (unit, name) = if bytes >= GIB {
        (GIB, "GiB")
    } else {
        (MIB, "MiB")
    };
    let tenths = (u128::from(bytes) * 10 + u128::from(unit) / 2) / u128::from(unit);
    match tenths % 10 {
        0 => format!("{} {name}", tenths / 10),
        rest => format!("{}.{rest} {name}", tenths / 10),
    }
}

/// `inputs, 12 MiB of 1.4 GiB`.
pub fn transfer(transfer: &Transfer) -> String {
    let what = match transfer.what {
        TransferKind::Image => "image",
        TransferKind::Inputs => "inputs",
        TransferKind::Outputs => "outputs",
        TransferKind::Checkpoint => "checkpoint",
    };
    let (done, total) = (memory(transfer.done_bytes), memory(transfer.total_bytes));
    format!("{what}, {done} of {total}")
}

/// `1.5 TFLOP/s`, `3.1 GFLOP/s`, from MFLOP/s.
pub fn flops(mflops: u64) -> String {
    if mflops >= 1_000_000 {
        tenths(mflops, 1_000_000, "TFLOP/s")
    } else {
        tenths(mflops, 1000, "GFLOP/s")
    }
}

/// `4.0 GB/s`, from MB/s.
pub fn bandwidth(mb_s: u64) -> String {
    tenths(mb_s, 1000, "GB/s")
}

fn tenths(value: u64, unit: u64, name: &str) -> String {
    let tenths = (u128::from(value) * 10 + u128::from(unit) / 2) / u128::from(unit);
    format!("{}.{} {name}", tenths / 10, tenths % 10)
}

/// `42 %`, from thousandths.
pub fn permille(permille: u32) -> String {
    format!("{} %", permille / 10)
}

/// `14:03` today, `Fri 14:03` within six days of today, else `2026-11-21 14:03`; local time.
pub fn moment(at_ms: u64, look: &Look) -> String {
    let (Some(at), Some(now)) = (local(at_ms, &look.zone), local(look.now_ms, &look.zone)) else {
        return "at no known time".to_owned();
    };
    let days = (at.date().duration_since(now.date()).as_hours() / 24).abs();
    let form = match days {
        0 => "%H:%M",
        1..=5 => "%a %H:%M",
        _ => "%Y-%m-%d %H:%M",
    };
    at.strftime(form).to_string()
}

/// `Fri 11-20`: a day of the owner's calendar.
pub fn date(at_ms: u64, look: &Look) -> String {
    match local(at_ms, &look.zone) {
        Some(at) => at.strftime("%a %m-%d").to_string(),
        None => "no known day".to_owned(),
    }
}

/// `$0.31`, `-$0.02`, from micro-USD that may be a loss.
pub fn signed(micros: i64) -> String {
    let sign = if micros < 0 { "-" } else { "" };
    format!("{sign}{}", MicroUsd(micros.unsigned_abs()))
}

/// `3 s ago`, `12 min ago`, `5 h ago`.
pub fn ago(at_ms: u64, look: &Look) -> String {
    let seconds = look.now_ms.saturating_sub(at_ms) / 1000;
    match seconds {
        0..=119 => format!("{seconds} s ago"),
        120..=7199 => format!("{} min ago", seconds / 60),
        _ => format!("{} h ago", seconds / 3600),
    }
}

fn local(at_ms: u64, zone: &TimeZone) -> Option<Zoned> {
    let ms = i64::try_from(at_ms).ok()?;
    Some(Timestamp::from_millisecond(ms).ok()?.to_zoned(zone.clone()))
}

/// `1 job`, `2 jobs`.
pub fn count(number: usize, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_carry_their_units() {
        assert_eq!(duration(499), "0.4 s");
        assert_eq!(duration(245_000), "4 min 05 s");
        assert_eq!(duration(4_320_000), "1 h 12 min");
        assert_eq!(duration(u64::MAX), "213503982334 days 14 h");
        assert_eq!(memory(24 << 30), "24 GiB");
        assert_eq!(memory((3 << 30) / 2), "1.5 GiB");
        assert_eq!(memory(512 << 20), "512 MiB");
        assert_eq!(flops(3_100), "3.1 GFLOP/s");
        assert_eq!(flops(82_580_000), "82.6 TFLOP/s");
        assert_eq!(bandwidth(1_008_000), "1008.0 GB/s");
    }

    #[test]
    fn moments_are_local_and_no_longer_than_needed() {
        let look = Look {
            unicode: true,
            zone: TimeZone::fixed(jiff::tz::offset(2)),
            // 2026-11-21 13:00 there
            now_ms: 1_795_258_800_000,
        };
        let hour = 3_600_000;
        assert_eq!(moment(look.now_ms + hour, &look), "14:00");
        assert_eq!(moment(look.now_ms - 24 * hour, &look), "Fri 13:00");
        assert_eq!(moment(look.now_ms - 240 * hour, &look), "2026-11-11 13:00");
        assert_eq!(moment(u64::MAX, &look), "at no known time");
        assert_eq!(ago(look.now_ms - 3_000, &look), "3 s ago");
        assert_eq!(ago(look.now_ms + 3_000, &look), "0 s ago");
    }
}

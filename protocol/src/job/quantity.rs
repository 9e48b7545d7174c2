//! Sizes (`512m`, `2gb`), times (`90s`, `10m`, `1h30m`) and cores (`1.5`) as Compose writes them.

/// Bytes; `b`, `k`, `m`, `g`, `t` with or without a final `b` or `ib`, powers of 1024.
pub(super) fn bytes(text: &str) -> Result<u64, String> {
    let lower = text.trim().to_ascii_lowercase();
    let digits = lower.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = lower.split_at(digits);
    let unit = unit.trim();
    let bare = unit
        .strip_suffix("ib")
        .or_else(|| unit.strip_suffix('b'))
        .unwrap_or(unit);
    let power = match bare {
        "" => 0,
        "k" => 1,
        "m" => 2,
        "g" => 3,
        "t" => 4,
        _ => return Err(size_help(text)),
    };
    number
        .parse::<u64>()
        .ok()
        .and_then(|n| n.checked_mul(1024u64.pow(power)))
        .ok_or_else(|| size_help(text))
}

fn size_help(text: &str) -> String {
    format!("`{text}` is not a size; write a whole number and b, k, m, g or t, such as 512m")
}

/// Milliseconds.
pub(super) fn milliseconds(text: &str) -> Result<u64, String> {
    let help = || format!("`{text}` is not a time; write it as 90s, 10m or 1h30m");
    let mut rest = text.trim();
    let mut total: u64 = 0;
    if rest.is_empty() {
        return Err(help());
    }
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let (number, after) = rest.split_at(digits);
        let letters = after.bytes().take_while(u8::is_ascii_alphabetic).count();
        let (unit, after) = after.split_at(letters);
        let factor: u64 = match unit {
            "ms" => 1,
            "s" => 1_000,
            "m" => 60_000,
            "h" => 3_600_000,
            _ => return Err(help()),
        };
        total = number
            .parse::<u64>()
            .ok()
            .and_then(|n| n.checked_mul(factor))
            .and_then(|ms| total.checked_add(ms))
            .ok_or_else(help)?;
        rest = after;
    }
    Ok(total)
}

/// Thousandths of a core.
pub(super) fn cpu_milli(text: &str) -> Result<u32, String> {
    let help = || format!("`{text}` is not a number of cores; write 0.5 or 2");
    let (whole, decimals) = text.trim().split_once('.').unwrap_or((text.trim(), "0"));
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    if !digits(whole) || !digits(decimals) || decimals.len() > 3 {
        return Err(help());
    }
    let whole: u32 = whole.parse().map_err(|_| help())?;
    let rest: u32 = format!("{decimals:0<3}").parse().map_err(|_| help())?;
    whole
        .checked_mul(1000)
        .and_then(|w| w.checked_add(rest))
        .ok_or_else(help)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_read_as_compose_means_them() {
        assert_eq!(bytes("512m"), Ok(512 << 20));
        assert_eq!(bytes("2GiB"), Ok(2 << 30));
        assert_eq!(bytes("7"), Ok(7));
        assert_eq!(milliseconds("1h30m"), Ok(5_400_000));
        assert_eq!(milliseconds("250ms"), Ok(250));
        assert_eq!(cpu_milli("1.5"), Ok(1500));
        assert_eq!(cpu_milli("2"), Ok(2000));
        for bad in ["", "m", "1.5g", "-1", "1x", "99999999999999t"] {
            assert!(bytes(bad).is_err(), "{bad}");
        }
        for bad in ["", "10", "m", "1d", "-1s", "1h-"] {
            assert!(milliseconds(bad).is_err(), "{bad}");
        }
        for bad in ["", ".5", "1.2345", "a", "1."] {
            assert!(cpu_milli(bad).is_err(), "{bad}");
        }
    }
}

//! The one form of `Range` that is served: `bytes=from-`, `bytes=from-to`, `bytes=-last`. Anything else that is
//! allowed by HTTP (several ranges, other units) is answered with the whole, as HTTP allows too.

/// Which bytes to send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// All of them.
    Whole,
    /// From the first to the last, both included.
    Part {
        /// The first byte's place.
        from: u64,
        /// The last byte's place.
        to: u64,
    },
    /// None that exist.
    Beyond,
}

/// Reads a `Range` header against a length.
pub fn wanted(header: Option<&str>, length: u64) -> Wanted {
    let Some((first, last)) = header
        .and_then(|text| text.trim().strip_prefix("bytes="))
        .and_then(|range| range.split_once('-'))
    else {
        return Wanted::Whole;
    };
    let (first, last) = (first.trim(), last.trim());
    match (first.parse::<u64>(), last.parse::<u64>()) {
        (Ok(from), _) if last.is_empty() => part(from, length.saturating_sub(1), length),
        (Ok(from), Ok(to)) if from <= to => part(from, to.min(length.saturating_sub(1)), length),
        (Err(_), Ok(count)) if first.is_empty() => {
            if count == 0 {
                Wanted::Beyond
            } else {
                part(
                    length.saturating_sub(count),
                    length.saturating_sub(1),
                    length,
                )
            }
        }
        _ => Wanted::Whole,
    }
}

fn part(from: u64, to: u64, length: u64) -> Wanted {
    if from >= length {
        Wanted::Beyond
    } else {
        Wanted::Part { from, to }
    }
}

#[cfg(test)]
mod tests {
    use super::Wanted::{Beyond, Part, Whole};
    use super::*;

    #[test]
    fn ranges_read_as_http_means_them() {
        for (header, length, expected) in [
            (None, 10, Whole),
            (Some("bytes=0-"), 10, Part { from: 0, to: 9 }),
            (Some("bytes=3-5"), 10, Part { from: 3, to: 5 }),
            (Some("bytes=3-500"), 10, Part { from: 3, to: 9 }),
            (Some("bytes=-4"), 10, Part { from: 6, to: 9 }),
            (Some("bytes=-40"), 10, Part { from: 0, to: 9 }),
            (Some("bytes=10-"), 10, Beyond),
            (Some("bytes=-0"), 10, Beyond),
            (Some("bytes=0-"), 0, Beyond),
            (Some("bytes=5-3"), 10, Whole),
            (Some("bytes=0-1,3-4"), 10, Whole),
            (Some("lines=0-1"), 10, Whole),
            (Some("bytes="), 10, Whole),
            (Some("bytes=99999999999999999999-"), 10, Whole),
        ] {
            assert_eq!(wanted(header, length), expected, "{header:?}");
        }
    }
}

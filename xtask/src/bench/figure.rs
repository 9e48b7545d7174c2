//! One figure: ours, the peer's or the limit's, and the bar that their ratio must meet.

/// What the ratio of ours to the peer's must be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Bar {
    AtLeast(f64),
    AtMost(f64),
    /// Told for what it is worth.
    None,
}

/// A figure that was measured.
#[derive(Clone, Debug, PartialEq)]
pub struct Figure {
    pub title: String,
    pub unit: &'static str,
    pub ours: f64,
    /// What it is measured beside.
    pub peer: &'static str,
    pub peers: f64,
    pub bar: Bar,
    /// What else came out, in words; empty where nothing did.
    pub note: String,
}

impl Figure {
    pub fn ratio(&self) -> f64 {
        self.ours / self.peers
    }

    pub fn met(&self) -> bool {
        match self.bar {
            Bar::AtLeast(least) => self.ratio() >= least,
            Bar::AtMost(most) => self.ratio() <= most,
            Bar::None => true,
        }
    }

    /// `at least 0.40`, or nothing.
    pub fn bar_in_words(&self) -> String {
        match self.bar {
            Bar::AtLeast(least) => format!("at least {least:.2}"),
            Bar::AtMost(most) => format!("at most {most:.2}"),
            Bar::None => "none".to_owned(),
        }
    }

    /// For the terminal.
    pub fn line(&self) -> String {
        let verdict = match (self.bar, self.met()) {
            (Bar::None, _) => String::new(),
            (_, true) => format!(" (bar: {}, met)", self.bar_in_words()),
            (_, false) => format!(" (bar: {}, MISSED)", self.bar_in_words()),
        };
        format!(
            "{}: {} {}, beside {} {} by {}; ratio {:.2}{verdict}",
            self.title,
            number(self.ours),
            self.unit,
            number(self.peers),
            self.unit,
            self.peer,
            self.ratio(),
        )
    }
}

/// Three digits that matter, or all of a large number.
pub fn number(value: f64) -> String {
    let decimals = match value.abs() {
        large if large >= 100.0 => 0,
        middle if middle >= 10.0 => 1,
        _ => 2,
    };
    let plain = format!("{value:.decimals$}");
    let (whole, rest) = plain.split_at(plain.find('.').unwrap_or(plain.len()));
    let mut grouped = String::new();
    for (at, digit) in whole.chars().enumerate() {
        if at > 0 && (whole.len() - at) % 3 == 0 && digit != '-' {
            grouped.push(' ');
        }
        grouped.push(digit);
    }
    grouped + rest
}

/// The middle one; for an even number of values, the upper of the two.
pub fn median(values: &mut [f64]) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figure(ours: f64, bar: Bar) -> Figure {
        Figure {
            title: "t".to_owned(),
            unit: "a second",
            ours,
            peer: "p",
            peers: 10.0,
            bar,
            note: String::new(),
        }
    }

    #[test]
    fn a_bar_is_met_from_its_own_side() {
        assert!(figure(4.0, Bar::AtLeast(0.4)).met());
        assert!(!figure(3.9, Bar::AtLeast(0.4)).met());
        assert!(figure(13.0, Bar::AtMost(1.3)).met());
        assert!(!figure(13.1, Bar::AtMost(1.3)).met());
        assert!(figure(0.0, Bar::None).met());
        assert!(figure(3.9, Bar::AtLeast(0.4)).line().contains("MISSED"));
        // Not a number meets nothing.
        assert!(!figure(f64::NAN, Bar::AtMost(1.3)).met());
    }

    #[test]
    fn numbers_are_short_and_grouped() {
        assert_eq!(number(71_234.4), "71 234");
        assert_eq!(number(1_234_567.0), "1 234 567");
        assert_eq!(number(16.04), "16.0");
        assert_eq!(number(0.051), "0.05");
        assert_eq!(median(&mut [3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(&mut []), None);
    }
}

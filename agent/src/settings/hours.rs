//! Hours of the week and of the day, as an owner writes them.

use std::fmt;
use std::str::FromStr;
use sublet_core::schedule::{SLOTS, SLOTS_A_DAY, WeekGrid};
use sublet_core::tariff::Band;
use sublet_protocol::money::MicroUsd;

/// Minutes in a day.
pub const DAY_MIN: u16 = 24 * 60;
const SLOT_MIN: u16 = DAY_MIN / SLOTS_A_DAY as u16;
const NAMES: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

/// Some days of the week; bit 0 is Monday.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Days(u8);

impl Days {
    /// Every day.
    pub const ALL: Self = Self(0x7f);

    /// Both together.
    pub fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// No day yet.
    pub const NONE: Self = Self(0);

    fn has(self, day: usize) -> bool {
        self.0 & (1 << day) != 0
    }
}

/// `mon`, `mon-fri`, `fri-mon`, `daily`, and lists of them with commas.
impl FromStr for Days {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut days = Self::NONE;
        for part in text.split(',').map(str::trim) {
            days = days.and(some_days(part)?);
        }
        Ok(days)
    }
}

fn some_days(part: &str) -> Result<Days, String> {
    if part == "daily" {
        return Ok(Days::ALL);
    }
    let (first, last) = part.split_once('-').unwrap_or((part, part));
    let day = |name: &str| {
        let found = NAMES.iter().position(|known| *known == name.trim());
        found.ok_or_else(|| {
            let part: String = part.chars().take(40).collect();
            format!("is \"{part}\"; write mon, tue, wed, thu, fri, sat, sun, a range such as mon-fri, or daily")
        })
    };
    let (first, last) = (day(first)?, day(last)?);
    let length = (last + 7 - first) % 7;
    Ok(Days(
        (0..=length).fold(0, |bits, step| bits | 1 << ((first + step) % 7)),
    ))
}

/// As short as it can be written.
impl fmt::Display for Days {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == Self::ALL {
            return f.write_str("daily");
        }
        let mut parts = Vec::new();
        let mut day = 0;
        while day < 7 {
            if !self.has(day) {
                day += 1;
                continue;
            }
            let first = day;
            while day < 7 && self.has(day) {
                day += 1;
            }
            parts.push(match day - first {
                1 => NAMES[first].to_owned(),
                _ => format!("{}-{}", NAMES[first], NAMES[day - 1]),
            });
        }
        f.write_str(&parts.join(","))
    }
}

/// Minutes into the day of `22:00`; 1440 for `24:00`.
pub fn minutes(text: &str) -> Option<u16> {
    let (hour, minute) = text.split_once(':')?;
    let two = |part: &str| -> Option<u16> {
        let digits = part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_digit());
        digits.then(|| part.parse().ok()).flatten()
    };
    let (hour, minute) = (two(hour)?, two(minute)?);
    let all = hour * 60 + minute;
    (minute < 60 && all <= DAY_MIN).then_some(all)
}

/// `22:00`
pub fn clock(minutes: u16) -> String {
    format!("{:02}:{:02}", minutes / 60, minutes % 60)
}

/// Hours of some days in which renting is wanted. Where `from` is after `to` they run into the next day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HoursRule {
    /// The days on which they begin.
    pub days: Days,
    /// The first minute, in quarters of an hour.
    pub from: u16,
    /// The minute after the last, up to 1440.
    pub to: u16,
}

impl HoursRule {
    /// Whether both times stand on a quarter of an hour.
    pub fn on_quarters(&self) -> bool {
        self.from.is_multiple_of(SLOT_MIN) && self.to.is_multiple_of(SLOT_MIN)
    }

    /// The quarters of the week it covers, as ranges that lie within the week.
    fn slots(&self) -> Vec<(usize, usize)> {
        let slot = |minutes: u16| usize::from(minutes / SLOT_MIN);
        let (from, to) = (slot(self.from), slot(self.to));
        let length = if from < to {
            to - from
        } else {
            SLOTS_A_DAY - from + to
        };
        let mut ranges = Vec::new();
        for day in (0..7).filter(|day| self.days.has(*day)) {
            let begin = day * SLOTS_A_DAY + from;
            let end = begin + length;
            ranges.push((begin, end.min(SLOTS)));
            if end > SLOTS {
                ranges.push((0, end - SLOTS));
            }
        }
        ranges
    }
}

impl fmt::Display for HoursRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} {} to {}",
            self.days,
            clock(self.from),
            clock(self.to)
        )
    }
}

/// The week of all the rules.
///
/// # Errors
/// The places in the list of the first two that overlap, the later one first; one may overlap itself.
pub fn week(rules: &[HoursRule]) -> Result<WeekGrid, (usize, usize)> {
    let mut taken: [Option<usize>; SLOTS] = [None; SLOTS];
    let mut grid = WeekGrid::default();
    for (at, rule) in rules.iter().enumerate() {
        for (from, to) in rule.slots() {
            if let Some(other) = taken[from..to].iter().flatten().next() {
                return Err((at, *other));
            }
            taken[from..to].fill(Some(at));
            grid.mark(from, to);
        }
    }
    Ok(grid)
}

/// Hours of every day in which a kilowatt-hour has a price of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BandRule {
    /// The first minute.
    pub from: u16,
    /// The minute after the last, up to 1440.
    pub to: u16,
    /// What a kilowatt-hour costs.
    pub electricity: MicroUsd,
}

impl BandRule {
    /// As the core has it.
    pub fn band(&self) -> Band {
        Band {
            from_min: self.from,
            to_min: self.to,
            price: self.electricity,
        }
    }

    fn ranges(&self) -> Vec<(u16, u16)> {
        if self.from < self.to {
            vec![(self.from, self.to)]
        } else {
            vec![(self.from, DAY_MIN), (0, self.to)]
        }
    }

    /// Whether a minute of the day lies in both.
    pub fn overlaps(&self, other: &Self) -> bool {
        let meet = |a: (u16, u16), b: (u16, u16)| a.0 < b.1 && b.0 < a.1;
        let others = other.ranges();
        self.ranges()
            .iter()
            .any(|a| others.iter().any(|b| meet(*a, *b)))
    }
}

impl fmt::Display for BandRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (from, to) = (clock(self.from), clock(self.to));
        write!(f, "{from} to {to} {} a kWh", self.electricity)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(days: &str, from: &str, to: &str) -> HoursRule {
        HoursRule {
            days: days.parse().unwrap(),
            from: minutes(from).unwrap(),
            to: minutes(to).unwrap(),
        }
    }

    #[test]
    fn days_read_as_people_write_them() {
        for (text, shown) in [
            ("mon", "mon"),
            ("mon-fri", "mon-fri"),
            ("fri-mon", "mon,fri-sun"),
            ("sat,sun", "sat-sun"),
            ("mon, wed-thu", "mon,wed-thu"),
            ("daily", "daily"),
            ("mon-sun", "daily"),
        ] {
            assert_eq!(text.parse::<Days>().unwrap().to_string(), shown);
        }
        for bad in ["", "monday", "mon-", "Mon", "mon,,tue"] {
            assert!(bad.parse::<Days>().is_err(), "{bad}");
        }
    }

    #[test]
    fn times_are_of_a_day() {
        assert_eq!(minutes("00:00"), Some(0));
        assert_eq!(minutes("22:15"), Some(22 * 60 + 15));
        assert_eq!(minutes("24:00"), Some(DAY_MIN));
        for bad in ["24:01", "25:00", "9:00", "09:60", "0900", "+9:00", ""] {
            assert_eq!(minutes(bad), None, "{bad}");
        }
    }

    #[test]
    fn hours_over_midnight_run_into_the_next_day_and_from_sunday_into_monday() {
        let quarter = |day: usize, hour: usize| day * SLOTS_A_DAY + hour * 4;
        assert_eq!(
            rule("fri", "22:00", "08:00").slots(),
            [(quarter(4, 22), quarter(5, 8))]
        );
        assert_eq!(
            rule("sun", "22:00", "08:00").slots(),
            [(quarter(6, 22), SLOTS), (0, quarter(0, 8))]
        );
        assert_eq!(
            rule("sun", "20:00", "24:00").slots(),
            [(quarter(6, 20), SLOTS)]
        );
    }

    #[test]
    fn an_overlap_names_both() {
        let night = rule("daily", "22:00", "08:00");
        assert!(week(&[night, rule("daily", "08:00", "09:00")]).is_ok());
        assert_eq!(week(&[night, rule("tue", "07:45", "09:00")]), Err((1, 0)));
        assert_eq!(
            week(&[rule("mon-tue", "09:00", "08:00"), night]),
            Err((1, 0))
        );
    }

    #[test]
    fn bands_meet_over_midnight_too() {
        let band = |from: &str, to: &str| BandRule {
            from: minutes(from).unwrap(),
            to: minutes(to).unwrap(),
            electricity: MicroUsd(1),
        };
        assert!(band("22:00", "06:00").overlaps(&band("05:59", "07:00")));
        assert!(!band("22:00", "06:00").overlaps(&band("06:00", "22:00")));
        assert!(band("22:00", "06:00").overlaps(&band("23:00", "05:00")));
    }
}

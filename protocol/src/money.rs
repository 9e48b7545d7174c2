//! Money, in whole micro-USD (1 USD = 1 000 000). No float ever holds an amount.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// An amount in micro-USD, 0 or more.
#[derive(
    Debug,
    Clone,
    Copy,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    ToSchema,
)]
#[serde(transparent)]
pub struct MicroUsd(pub u64);

/// Why a text is not an amount.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not an amount in US dollars: write digits with at most six decimals, such as 0.35"
)]
pub struct AmountError(String);

impl MicroUsd {
    /// No money.
    pub const ZERO: Self = Self(0);

    /// The sum, or `None` past 2^64.
    pub fn checked_add(self, other: Self) -> Option<Self> {
        self.0.checked_add(other.0).map(Self)
    }

    /// The difference, or `None` below zero.
    pub fn checked_sub(self, other: Self) -> Option<Self> {
        self.0.checked_sub(other.0).map(Self)
    }

    /// The sum, held at the largest amount there is.
    pub fn saturating_add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    /// The difference, held at zero.
    pub fn saturating_sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

impl std::iter::Sum for MicroUsd {
    fn sum<I: Iterator<Item = Self>>(amounts: I) -> Self {
        amounts.fold(Self::ZERO, Self::saturating_add)
    }
}

/// `$1.32`, `$0.004217`: at least two decimals, and as many as the amount has.
impl std::fmt::Display for MicroUsd {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let decimals = format!("{:06}", self.0 % 1_000_000);
        let kept = decimals.trim_end_matches('0').len().max(2);
        f.pad(&format!("${}.{}", self.0 / 1_000_000, &decimals[..kept]))
    }
}

/// Reads `0.35`, `$0.35`, `12`.
impl std::str::FromStr for MicroUsd {
    type Err = AmountError;

    fn from_str(text: &str) -> Result<Self, AmountError> {
        let bad = || AmountError(text.chars().take(40).collect());
        let plain = text.trim().trim_start_matches('$');
        let (whole, decimals) = plain.split_once('.').unwrap_or((plain, ""));
        let digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
        if whole.is_empty() || decimals.len() > 6 || !digits(whole) || !digits(decimals) {
            return Err(bad());
        }
        let whole: u64 = whole.parse().map_err(|_| bad())?;
        let micros: u64 = format!("{decimals:0<6}").parse().map_err(|_| bad())?;
        whole
            .checked_mul(1_000_000)
            .and_then(|usd| usd.checked_add(micros))
            .map(Self)
            .ok_or_else(bad)
    }
}

/// A price: micro-USD for one hour of a whole lease (all its GPUs together).
#[derive(
    Debug,
    Clone,
    Copy,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    ToSchema,
)]
#[serde(transparent)]
pub struct HourlyPrice(pub MicroUsd);

const HOUR_MS: u128 = 3_600_000;

impl HourlyPrice {
    /// What `used_ms` milliseconds cost, rounded down to the micro-USD.
    pub fn cost(self, used_ms: u64) -> MicroUsd {
        let exact = u128::from(self.0.0) * u128::from(used_ms) / HOUR_MS;
        MicroUsd(u64::try_from(exact).unwrap_or(u64::MAX))
    }

    /// The longest use that costs at most `funds`, in ms; `u64::MAX` where the price is zero.
    pub fn affordable_ms(self, funds: MicroUsd) -> u64 {
        if self.0.0 == 0 {
            return u64::MAX;
        }
        // cost(t) <= funds  <=>  price * t < (funds + 1) * HOUR
        let exact = ((u128::from(funds.0) + 1) * HOUR_MS - 1) / u128::from(self.0.0);
        u64::try_from(exact).unwrap_or(u64::MAX)
    }
}

impl std::fmt::Display for HourlyPrice {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/h", self.0)
    }
}

/// The marketplace's share, in hundredths of a per cent: 500 is 5 %. At most 10 000.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(try_from = "u16", into = "u16")]
#[schema(value_type = u16)]
pub struct BasisPoints(u16);

/// A fee above 100 %.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a fee of {0} basis points is more than the whole price: the most is 10000 (100 %)")]
pub struct FeeError(u16);

impl BasisPoints {
    /// Checks and takes a share.
    pub fn new(points: u16) -> Result<Self, FeeError> {
        if points <= 10_000 {
            Ok(Self(points))
        } else {
            Err(FeeError(points))
        }
    }

    /// The share in hundredths of a per cent.
    pub fn get(self) -> u16 {
        self.0
    }

    /// The fee in `gross`, rounded down in the provider's favour.
    pub fn fee(self, gross: MicroUsd) -> MicroUsd {
        let fee = u128::from(gross.0) * u128::from(self.0) / 10_000;
        MicroUsd(u64::try_from(fee).unwrap_or(gross.0))
    }

    /// What the provider keeps of `gross`.
    pub fn net(self, gross: MicroUsd) -> MicroUsd {
        gross.saturating_sub(self.fee(gross))
    }
}

impl TryFrom<u16> for BasisPoints {
    type Error = FeeError;
    fn try_from(points: u16) -> Result<Self, FeeError> {
        Self::new(points)
    }
}

impl From<BasisPoints> for u16 {
    fn from(points: BasisPoints) -> u16 {
        points.0
    }
}

impl std::fmt::Display for BasisPoints {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (whole, rest) = (self.0 / 100, self.0 % 100);
        if rest == 0 {
            write!(f, "{whole} %")
        } else {
            write!(f, "{whole}.{rest:02} %")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn amounts_read_and_write_exactly() {
        assert_eq!("0.35".parse(), Ok(MicroUsd(350_000)));
        assert_eq!("$12".parse(), Ok(MicroUsd(12_000_000)));
        for bad in [
            "",
            ".5",
            "-1",
            "1e3",
            "0.1234567",
            "1,5",
            "99999999999999999999",
        ] {
            assert!(bad.parse::<MicroUsd>().is_err(), "{bad}");
        }
        assert_eq!(MicroUsd(4_217).to_string(), "$0.004217");
        assert_eq!(MicroUsd(1_300_000).to_string(), "$1.30");
        assert_eq!(BasisPoints(500).to_string(), "5 %");
        assert_eq!(BasisPoints(725).to_string(), "7.25 %");
    }

    proptest! {
        #[test]
        fn text_round_trips(micros: u64) {
            let amount = MicroUsd(micros);
            prop_assert_eq!(amount.to_string().parse(), Ok(amount));
        }

        #[test]
        fn affordable_is_the_longest_time_within_funds(price in 1u64..10_000_000_000, funds in 0u64..1_000_000_000) {
            let price = HourlyPrice(MicroUsd(price));
            let longest = price.affordable_ms(MicroUsd(funds));
            prop_assert!(price.cost(longest).0 <= funds);
            prop_assert!(price.cost(longest + 1).0 > funds);
        }

        #[test]
        fn fee_and_net_make_the_gross(gross: u64, points in 0u16..=10_000) {
            let (gross, fee) = (MicroUsd(gross), BasisPoints(points));
            prop_assert_eq!(fee.fee(gross).0 + fee.net(gross).0, gross.0);
        }

        #[test]
        fn longer_never_costs_less(price in 0u64..10_000_000_000, a in 0u64..u64::MAX / 2, more in 0u64..1_000_000) {
            let price = HourlyPrice(MicroUsd(price));
            prop_assert!(price.cost(a) <= price.cost(a + more));
        }
    }
}

//! One lease's figures from its price, its reserved money and its used time. Every figure is cumulative since the
//! lease began, so reckoning twice gives the same.

use sublet_protocol::money::{BasisPoints, HourlyPrice, MicroUsd};

/// What a free lease is funded for: the largest whole number that every JSON reader holds exactly.
const FREE_MS: u64 = (1 << 53) - 1;

/// What was agreed when the lease was granted. It does not change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terms {
    /// What the renter pays for an hour of running.
    pub price: HourlyPrice,
    /// The house's share of it.
    pub fee: BasisPoints,
    /// The longest it may run, in ms.
    pub deadline_ms: u64,
}

/// What a lease cost so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Charge {
    /// Running time that is paid, in ms.
    pub paid_ms: u64,
    /// Price times time: what the renter pays.
    pub gross: MicroUsd,
    /// The house's share.
    pub fee: MicroUsd,
}

impl Charge {
    /// What the rig earns.
    pub fn net(self) -> MicroUsd {
        self.gross.saturating_sub(self.fee)
    }
}

impl Terms {
    /// Running time that `reserved` (all money ever set aside for the lease, spent or not) covers, in ms.
    pub fn funded_ms(self, reserved: MicroUsd) -> u64 {
        self.price.affordable_ms(reserved).min(FREE_MS)
    }

    /// What `used_ms` cost: never for more time than `reserved` covers, so never more than `reserved`.
    pub fn charge(self, used_ms: u64, reserved: MicroUsd) -> Charge {
        let paid_ms = used_ms.min(self.funded_ms(reserved));
        let gross = self.price.cost(paid_ms);
        Charge {
            paid_ms,
            gross,
            fee: self.fee.fee(gross),
        }
    }

    /// All money that should stand aside so that the lease can run `ahead_ms` beyond `used_ms`: at most what the
    /// deadline costs.
    pub fn wanted(self, used_ms: u64, ahead_ms: u64) -> MicroUsd {
        let until = used_ms.saturating_add(ahead_ms).min(self.deadline_ms);
        self.price.cost(until)
    }

    /// How much to set aside now, from `free`, beyond what is `reserved`.
    pub fn raise(
        self,
        used_ms: u64,
        ahead_ms: u64,
        reserved: MicroUsd,
        free: MicroUsd,
    ) -> MicroUsd {
        self.wanted(used_ms, ahead_ms)
            .saturating_sub(reserved)
            .min(free)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn terms() -> impl Strategy<Value = Terms> {
        (0u64..100_000_000, 0u16..=10_000, 1_000u64..604_800_000).prop_map(
            |(price, fee, deadline_ms)| Terms {
                price: HourlyPrice(MicroUsd(price)),
                fee: BasisPoints::new(fee).unwrap(),
                deadline_ms,
            },
        )
    }

    proptest! {
        #[test]
        fn a_charge_never_exceeds_what_is_reserved(terms in terms(), reserved in 0u64..1_000_000_000, used in 0u64..1_000_000_000) {
            let charge = terms.charge(used, MicroUsd(reserved));
            prop_assert!(charge.gross.0 <= reserved);
            prop_assert!(charge.fee <= charge.gross);
            prop_assert!(charge.paid_ms <= used);
        }

        #[test]
        fn more_time_and_more_money_never_make_any_figure_smaller(
            terms in terms(), reserved in 0u64..1_000_000_000, more in 0u64..1_000_000, used in 0u64..1_000_000_000, longer in 0u64..1_000_000,
        ) {
            let before = terms.charge(used, MicroUsd(reserved));
            let after = terms.charge(used + longer, MicroUsd(reserved + more));
            prop_assert!(after.gross >= before.gross && after.fee >= before.fee && after.net() >= before.net());
            prop_assert!(terms.funded_ms(MicroUsd(reserved + more)) >= terms.funded_ms(MicroUsd(reserved)));
        }

        #[test]
        fn the_look_ahead_is_covered_when_there_is_money(terms in terms(), used in 0u64..1_000_000_000, ahead in 1u64..600_000) {
            let raised = terms.raise(used, ahead, MicroUsd::ZERO, MicroUsd(u64::MAX));
            prop_assert!(terms.funded_ms(raised) >= (used + ahead).min(terms.deadline_ms));
            prop_assert!(raised <= terms.price.cost(terms.deadline_ms));
        }
    }

    #[test]
    fn a_free_lease_is_funded_for_good() {
        let terms = Terms {
            price: HourlyPrice::default(),
            fee: BasisPoints::default(),
            deadline_ms: 1000,
        };
        assert_eq!(terms.funded_ms(MicroUsd::ZERO), FREE_MS);
        assert_eq!(terms.charge(5, MicroUsd::ZERO).gross, MicroUsd::ZERO);
    }
}

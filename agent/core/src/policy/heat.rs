//! From where on a GPU is too hot to rent, and when it is cool again.

use crate::facts::Sensed;
use crate::settings::Heat;
use crate::thermal;

/// How much hotter than the core its hottest spot and its memory may be, in °C: cards are built for memory and hot
/// spots of 105 to 110 °C, where the core is slowed down at about 84 to 90 °C.
pub const HOTSPOT_ABOVE_C: i32 = 20;
/// So far below the point where the driver itself slows a GPU down it counts as hot, in °C.
const BELOW_SLOWDOWN_C: i32 = 2;

/// The bounds in force, in °C as [`thermal::warmth_c`] tells them. `cool_c < hot_c`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// From here on it does not rent.
    pub hot_c: i32,
    /// Once too hot, it rents again below this.
    pub cool_c: i32,
}

/// The owner's bounds, or the card's own where those are lower.
pub fn bounds(heat: Heat, slowdown_c: Option<i32>) -> Bounds {
    let hot_c = match slowdown_c {
        Some(slowdown_c) => heat.hot_c.min(slowdown_c - BELOW_SLOWDOWN_C),
        None => heat.hot_c,
    };
    Bounds {
        hot_c,
        cool_c: heat.cool_c.min(hot_c - 2),
    }
}

impl Bounds {
    /// Whether it is at its bound. Unknown is not: that is a reason of its own.
    pub fn too_hot(&self, sensed: &Sensed) -> bool {
        thermal::warmth_c(sensed).is_some_and(|warmth_c| warmth_c >= self.hot_c)
    }

    /// Whether it is below the lower bound.
    pub fn is_cool(&self, sensed: &Sensed) -> bool {
        thermal::warmth_c(sensed).is_some_and(|warmth_c| warmth_c < self.cool_c)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lower_of_the_owners_and_the_cards_bound_holds() {
        let of = |slowdown_c| {
            let bounds = bounds(Heat::default(), slowdown_c);
            (bounds.hot_c, bounds.cool_c)
        };
        assert_eq!(of(None), (83, 76));
        assert_eq!(of(Some(90)), (83, 76));
        assert_eq!(of(Some(84)), (82, 76));
        assert_eq!(of(Some(70)), (68, 66));
    }

    #[test]
    fn the_hottest_spot_counts_by_a_bound_of_its_own() {
        let bounds = bounds(Heat::default(), None);
        let sensed = |core_c, spot_c| Sensed {
            temperature_c: core_c,
            hotspot_c: spot_c,
            ..Sensed::default()
        };
        let above = HOTSPOT_ABOVE_C;
        assert!(!bounds.too_hot(&sensed(Some(82), Some(82 + above))));
        assert!(bounds.too_hot(&sensed(Some(50), Some(83 + above))));
        assert!(!bounds.is_cool(&sensed(Some(50), Some(76 + above))));
        assert!(bounds.is_cool(&sensed(Some(75), Some(75 + above))));
        assert!(bounds.is_cool(&sensed(Some(75), None)));
        let unknown = sensed(None, Some(50));
        assert!(!bounds.is_cool(&unknown) && !bounds.too_hot(&unknown));
    }
}

//! Sticks, pedals and buttons tremble and drift with nobody at them; this tells when a person moves one.

use std::collections::HashMap;
use std::hash::Hash;

/// Where everything on one device was when it last counted, by what the device calls it.
#[derive(Debug)]
pub(super) struct Sticks<K> {
    counted: HashMap<K, i32>,
}

impl<K> Default for Sticks<K> {
    fn default() -> Self {
        Self {
            counted: HashMap::new(),
        }
    }
}

impl<K: Eq + Hash> Sticks<K> {
    /// Whether it moved by `far` or more since it last counted. The first value of each is where it stands. A slow
    /// drift adds up to a move once in a long while.
    pub fn moved(&mut self, which: K, value: i32, far: i32) -> bool {
        let counted = self.counted.entry(which).or_insert(value);
        let moved = value.saturating_sub(*counted).saturating_abs() >= far;
        if moved {
            *counted = value;
        }
        moved
    }
}

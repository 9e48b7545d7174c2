//! Which steps to strike at: a trail of steps, cut into moments.
//!
//! Where nothing is done outside the process between two steps, whoever is killed at one leaves what one killed at the
//! other leaves: they are one moment.

use std::collections::{BTreeMap, BTreeSet};

/// A step, and for the how-manieth time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct At {
    /// Its name.
    pub step: String,
    /// From 1.
    pub nth: usize,
}

/// Steps that are one moment.
pub type Moment = Vec<At>;

/// Cuts a trail into its moments.
pub fn moments(trail: &[String]) -> Vec<Moment> {
    let mut met: BTreeMap<&str, usize> = BTreeMap::new();
    let mut moments: Vec<Moment> = Vec::new();
    let mut before = "";
    for step in trail {
        let nth = met.entry(step).or_default();
        *nth += 1;
        let at = At {
            step: step.clone(),
            nth: *nth,
        };
        match moments.last_mut() {
            Some(moment) if goes_on(before, step) => moment.push(at),
            _ => moments.push(vec![at]),
        }
        before = step;
    }
    moments
}

/// Whether nothing is done outside between two steps that follow each other. What is not known to be so is not so.
fn goes_on(before: &str, step: &str) -> bool {
    let begins = |text: &str, with: &str| text.starts_with(with);
    begins(step, "doing:")
        || begins(step, "writing:")
        || step.ends_with(":asked")
        || (begins(step, "decided:") && begins(before, "done:"))
        || (begins(step, "written:") && begins(before, "written:"))
}

/// The names of all steps of a trail.
pub fn names(trail: &[String]) -> BTreeSet<String> {
    trail.iter().cloned().collect()
}

/// The fewest moments, found greedily, among which each wanted step is once.
pub fn each_once(trail: &[String], wanted: &BTreeSet<String>) -> Vec<At> {
    let mut left = wanted.clone();
    let moments = moments(trail);
    let mut chosen = Vec::new();
    loop {
        let worth = |moment: &Moment| {
            let names: BTreeSet<&String> = moment.iter().map(|at| &at.step).collect();
            names
                .into_iter()
                .filter(|name| left.contains(*name))
                .count()
        };
        let Some(most) = moments.iter().map(worth).max().filter(|most| *most > 0) else {
            return chosen;
        };
        let best: Vec<&Moment> = moments.iter().filter(|m| worth(m) == most).collect();
        // What happens often is at rest first, and tells more in the middle.
        let moment = best[best.len() / 2];
        chosen.push(last_word(moment));
        for at in moment {
            left.remove(&at.step);
        }
    }
}

/// Every moment, but none beyond the `most`th time of all its steps.
pub fn every(trail: &[String], most: usize) -> Vec<At> {
    let chosen = moments(trail).into_iter().map(|moment| last_word(&moment));
    chosen.filter(|at| at.nth <= most).collect()
}

/// The step of a moment that is met most surely again: the one that was met least often before.
fn last_word(moment: &Moment) -> At {
    let rarest = moment.iter().min_by_key(|at| at.nth);
    rarest
        .cloned()
        .unwrap_or_else(|| unreachable!("a moment has steps"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trail(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn what_does_nothing_outside_is_one_moment() {
        let trail = trail(
            "decided:grant writing:all stored:grant doing:pull docker:pull:asked docker:pull:answered \
             done:pull decided:pulled writing:all stored:pulled",
        );
        let cut: Vec<usize> = moments(&trail).iter().map(Vec::len).collect();
        assert_eq!(cut, [2, 3, 1, 3, 1]);
    }

    #[test]
    fn each_step_is_met_once_and_the_rare_word_of_a_moment_is_ordered() {
        let trail = trail(
            "decided:tick stored:tick decided:tick stored:tick decided:grant writing:all stored:grant",
        );
        let chosen = each_once(&trail, &names(&trail));
        let at = |step: &str, nth| At {
            step: step.into(),
            nth,
        };
        assert_eq!(chosen[0], at("decided:grant", 1));
        assert_eq!(chosen.len(), 4, "{chosen:?}");
        assert_eq!(every(&trail, 1).len(), 4);
        assert_eq!(every(&trail, 2).len(), 6);
    }
}

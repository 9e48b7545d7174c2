//! A median and how far the runs lie apart.

/// Middle and spread of several runs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Summary {
    /// The run in the middle.
    pub(super) median: f64,
    /// Distance between the quartiles as a share of the median.
    pub(super) spread: f64,
}

/// Sums runs up; none for no runs, or for runs that took no time.
pub(super) fn summary(runs: &[f64]) -> Option<Summary> {
    let mut sorted = runs.to_vec();
    sorted.sort_by(f64::total_cmp);
    let median = quantile(&sorted, 0.5)?;
    if median <= 0.0 {
        return None;
    }
    let spread = (quantile(&sorted, 0.75)? - quantile(&sorted, 0.25)?) / median;
    Some(Summary { median, spread })
}

/// A quantile of sorted values, with a straight line between neighbours.
fn quantile(sorted: &[f64], share: f64) -> Option<f64> {
    let last = sorted.len().checked_sub(1)?;
    let position = last as f64 * share;
    let below = position.floor() as usize;
    let (low, high) = (sorted.get(below)?, sorted.get((below + 1).min(last))?);
    Some(low + (high - low) * (position - position.floor()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn median_and_quartiles() {
        let found = summary(&[5.0, 1.0, 2.0, 3.0, 4.0]).expect("five runs");
        assert_eq!(
            found,
            Summary {
                median: 3.0,
                spread: 2.0 / 3.0
            }
        );
        assert_eq!(
            summary(&[7.0]),
            Some(Summary {
                median: 7.0,
                spread: 0.0
            })
        );
    }

    #[test]
    fn one_run_that_was_disturbed_does_not_move_the_median() {
        let found = summary(&[1.0, 1.0, 1.0, 1.0, 60.0]).expect("five runs");
        assert_eq!(
            found,
            Summary {
                median: 1.0,
                spread: 0.0
            }
        );
    }

    #[test]
    fn nothing_measured_is_nothing() {
        assert_eq!(summary(&[]), None);
        assert_eq!(summary(&[0.0, 0.0]), None);
    }
}

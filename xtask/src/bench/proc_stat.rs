//! Processor time from /proc/PID/stat, in seconds.

use std::fs;

use anyhow::Context;

/// What a process and its ended children spent since its start, their own time and the kernel's for them.
pub struct Spent {
    pub own_s: f64,
    pub children_s: f64,
}

impl Spent {
    pub fn by(id: u32) -> anyhow::Result<Spent> {
        let stat = fs::read_to_string(format!("/proc/{id}/stat"))
            .with_context(|| format!("process {id} is gone"))?;
        let [own, kernels, children, kernels_for_children] =
            ticks(&stat).context("/proc/PID/stat reads otherwise than expected")?;
        let seconds = |ticks: u64| ticks as f64 / rustix::param::clock_ticks_per_second() as f64;
        Ok(Spent {
            own_s: seconds(own + kernels),
            children_s: seconds(children + kernels_for_children),
        })
    }
}

/// The 14th to 17th field; the second, a name in brackets, may hold anything.
fn ticks(stat: &str) -> Option<[u64; 4]> {
    let mut fields = stat.rsplit_once(") ")?.1.split(' ').skip(11);
    let mut next = || fields.next()?.parse().ok();
    Some([next()?, next()?, next()?, next()?])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processor_time_is_found_behind_any_name() {
        let stat = "7 (a ) b) S 1 7 7 0 -1 4194560 100 0 0 0 31 11 5 6 20 0 4 0 99 1 1";
        assert_eq!(ticks(stat), Some([31, 11, 5, 6]));
        assert_eq!(ticks("7 (a) S 1"), None);
    }
}

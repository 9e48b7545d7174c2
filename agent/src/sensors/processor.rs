//! How busy the processor is: the load of a software adapter, which is nothing else than the processor.

/// Reads the load between one look and the next.
#[derive(Debug, Default)]
pub struct ProcessorLoad {
    last: Option<Ticks>,
}

/// Time of all cores since the machine started, in the kernel's ticks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Ticks {
    busy: u64,
    all: u64,
}

impl ProcessorLoad {
    /// Per cent of all cores since the last look, 0 to 100; `None` at the first look, and where the system does
    /// not tell.
    pub fn look(&mut self) -> Option<u8> {
        let now = read()?;
        let last = self.last.replace(now)?;
        between(last, now)
    }
}

fn between(last: Ticks, now: Ticks) -> Option<u8> {
    let all = now.all.checked_sub(last.all).filter(|all| *all > 0)?;
    let busy = now.busy.saturating_sub(last.busy).min(all);
    u8::try_from(busy * 100 / all).ok()
}

#[cfg(target_os = "linux")]
fn read() -> Option<Ticks> {
    parse(&std::fs::read_to_string("/proc/stat").ok()?)
}

#[cfg(not(target_os = "linux"))]
fn read() -> Option<Ticks> {
    None
}

/// The first line of `/proc/stat`: user, nice, system, idle, iowait, irq, softirq, steal; guest time is in user.
#[cfg(any(target_os = "linux", test))]
fn parse(text: &str) -> Option<Ticks> {
    let line = text.lines().next()?.strip_prefix("cpu ")?;
    let fields: Vec<u64> = line
        .split_whitespace()
        .take(8)
        .map_while(|field| field.parse().ok())
        .collect();
    let idle = fields.get(3)? + fields.get(4)?;
    let all: u64 = fields.iter().sum();
    Some(Ticks {
        busy: all - idle,
        all,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn load_is_the_share_of_busy_time_between_two_looks() {
        let first = parse("cpu  100 0 50 800 50 0 0 0 7 7\ncpu0 1\n").unwrap();
        assert_eq!(
            first,
            Ticks {
                busy: 150,
                all: 1_000
            }
        );
        let second = parse("cpu  190 0 60 900 50 0 0 0 7 7\n").unwrap();
        assert_eq!(between(first, second), Some(50));
        assert_eq!(between(second, second), None);
        assert_eq!(between(second, first), None);
        assert_eq!(parse("cpu  1 2\n"), None);
        assert_eq!(parse(""), None);
    }
}

//! What a process takes of the machine, from /proc.

use std::collections::BTreeMap;
use std::fs;

use anyhow::Context;

use super::proc_stat::Spent;

/// Processor time from the first look to the last, and the highest memory.
pub struct Footprint {
    id: u32,
    /// Nanoseconds on a processor, by thread: at the first look and at the last. /proc/PID/stat counts in hundredths
    /// of a second, which is too coarse for a program at rest.
    threads: BTreeMap<String, (u64, u64)>,
    /// Seconds of children that ended: at the first look and at the last.
    children: (f64, f64),
}

impl Footprint {
    /// The first look.
    pub fn of(id: u32) -> anyhow::Result<Footprint> {
        let children = Spent::by(id)?.children_s;
        let threads = threads(id)?
            .into_iter()
            .map(|(thread, spent)| (thread, (spent, spent)))
            .collect();
        Ok(Footprint {
            id,
            threads,
            children: (children, children),
        })
    }

    /// Another look. Threads that ended keep what was last seen of them.
    pub fn look(&mut self) -> anyhow::Result<()> {
        for (thread, spent) in threads(self.id)? {
            self.threads.entry(thread).or_insert((0, 0)).1 = spent;
        }
        self.children.1 = Spent::by(self.id)?.children_s;
        Ok(())
    }

    /// Milliseconds on a processor between the first look and the last.
    pub fn cpu_ms(&self) -> f64 {
        let own: u64 = self.threads.values().map(|(from, to)| to - from).sum();
        own as f64 / 1e6 + (self.children.1 - self.children.0) * 1_000.0
    }

    /// The most memory that was resident at any time since its start, in MiB.
    pub fn peak_mib(&self) -> anyhow::Result<f64> {
        let status = read(self.id, "status")?;
        let kib = peak_kib(&status).context("/proc/PID/status reads otherwise than expected")?;
        Ok(kib as f64 / 1024.0)
    }
}

fn read(id: u32, file: &str) -> anyhow::Result<String> {
    fs::read_to_string(format!("/proc/{id}/{file}"))
        .with_context(|| format!("process {id} is gone"))
}

fn threads(id: u32) -> anyhow::Result<BTreeMap<String, u64>> {
    let folder = fs::read_dir(format!("/proc/{id}/task"));
    let mut threads = BTreeMap::new();
    for entry in folder.with_context(|| format!("process {id} is gone"))? {
        let entry = entry?;
        // A thread may end between being listed and being read.
        let Ok(text) = fs::read_to_string(entry.path().join("schedstat")) else {
            continue;
        };
        let spent = text.split(' ').next().and_then(|first| first.parse().ok());
        let spent = spent.context("schedstat reads otherwise than expected")?;
        threads.insert(entry.file_name().to_string_lossy().into_owned(), spent);
    }
    Ok(threads)
}

fn peak_kib(status: &str) -> Option<u64> {
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix("kB")?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_highest_memory_is_read() {
        assert_eq!(
            peak_kib("VmPeak:\t 9 kB\nVmHWM:\t   16040 kB\n"),
            Some(16_040)
        );
    }

    #[test]
    fn work_is_seen() -> anyhow::Result<()> {
        let mut footprint = Footprint::of(std::process::id())?;
        let begun = std::time::Instant::now();
        while footprint.cpu_ms() < 20.0 && begun.elapsed().as_secs() < 20 {
            footprint.look()?;
        }
        assert!(footprint.cpu_ms() >= 20.0);
        assert!(footprint.peak_mib()? > 1.0);
        Ok(())
    }
}

//! What is mounted where.

use std::io;
use std::path::Path;

/// The places at or below `folder` where something is mounted.
pub fn below(folder: &Path) -> io::Result<Vec<String>> {
    let table = std::fs::read_to_string("/proc/self/mountinfo")?;
    Ok(listed(&table, folder))
}

/// The fifth field of each line of /proc/self/mountinfo that fits.
fn listed(table: &str, folder: &Path) -> Vec<String> {
    table
        .lines()
        .filter_map(|line| line.split(' ').nth(4))
        .filter(|place| Path::new(place).starts_with(folder))
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mounts_below_the_run_folder_are_seen() {
        let table = "22 1 254:0 / / rw - ext4 /dev/vda rw\n\
                     40 22 0:30 / /tmp/run/7/out rw - tmpfs tmpfs rw\n\
                     41 22 0:31 / /tmp/run/77 rw - tmpfs tmpfs rw\n";
        let place = "/tmp/run/7/out".to_owned();
        assert_eq!(listed(table, Path::new("/tmp/run/7")), [place]);
    }
}

//! Who uses cards of the kernel's graphics drivers: each open file of such a card tells what its owner holds and for
//! how long it computed (`drm-` keys in `/proc/PID/fdinfo`).
//!
//! To look through every open file of the machine is dear. So that is done twice a minute; in between only processes
//! that are known to use a card, and those of the last half minute, are looked at: a program opens the card soon after
//! its start.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::process::sees_whole_machine;
use super::tasks::{NewTasks, is_process};
use super::{PciAddress, ProcessUse};

const SWEEP: Duration = Duration::from_secs(30);

/// Follows the users of graphics cards.
#[derive(Debug)]
pub(super) struct DrmClients {
    proc: PathBuf,
    tasks: NewTasks,
    swept: Option<Instant>,
    young: Vec<(u32, Instant)>,
    users: Vec<u32>,
    /// What each client had computed at the last look, in ns, by its engines.
    before: HashMap<(PciAddress, u64), (Engines, Instant)>,
}

type Engines = HashMap<String, u64>;

/// One client of one card.
#[derive(Debug, PartialEq)]
struct Client {
    pci: PciAddress,
    id: u64,
    memory_bytes: Option<u64>,
    engines: Engines,
}

impl DrmClients {
    pub(super) fn new(proc: PathBuf) -> Self {
        Self {
            tasks: NewTasks::new(proc.clone()),
            proc,
            swept: None,
            young: Vec::new(),
            users: Vec::new(),
            before: HashMap::new(),
        }
    }

    /// The users of each card; `None` where the machine's processes cannot be seen.
    pub(super) fn look(&mut self, now: Instant) -> Option<HashMap<PciAddress, Vec<ProcessUse>>> {
        if !sees_whole_machine(&self.proc) {
            return None;
        }
        let mut found: HashMap<PciAddress, Vec<ProcessUse>> = HashMap::new();
        let mut seen = HashMap::new();
        let mut users = Vec::new();
        for pid in self.candidates(now)? {
            let folder = self.proc.join(pid.to_string());
            let (clients, computes) = clients(&folder);
            if clients.is_empty() || !is_process(&self.proc, pid) {
                continue;
            }
            users.push(pid);
            for client in clients {
                let key = (client.pci, client.id);
                // The same client in two processes is a file that a parent left to its child.
                if seen.contains_key(&key) {
                    continue;
                }
                let load = self.before.get(&key).and_then(|(engines, at)| {
                    busy(engines, &client.engines, now.saturating_duration_since(*at))
                });
                add(
                    found.entry(client.pci).or_default(),
                    pid,
                    &client,
                    load,
                    computes,
                );
                seen.insert(key, (client.engines, now));
            }
        }
        self.users = users;
        self.before = seen;
        Some(found)
    }

    fn candidates(&mut self, now: Instant) -> Option<Vec<u32>> {
        let old = |at: Instant| now.saturating_duration_since(at) >= SWEEP;
        let since = self.tasks.since();
        if self.swept.is_none_or(old) || since.is_none() {
            self.swept = Some(now);
            self.young.clear();
            let mut all = self.tasks.all()?;
            all.sort_unstable();
            return Some(all);
        }
        self.young.retain(|(_, at)| !old(*at));
        self.young
            .extend(since.into_iter().flatten().map(|pid| (pid, now)));
        let young = self.young.iter().map(|(pid, _)| *pid);
        let mut some: Vec<u32> = self.users.iter().copied().chain(young).collect();
        some.sort_unstable();
        some.dedup();
        Some(some)
    }
}

fn add(uses: &mut Vec<ProcessUse>, pid: u32, client: &Client, load: Option<u8>, computes: bool) {
    let computed = client.engines.get("compute").is_some_and(|ns| *ns > 0);
    match uses.iter_mut().find(|known| known.pid == pid) {
        Some(known) => {
            known.computes |= computed;
            known.load_percent = known.load_percent.max(load);
            known.memory_bytes = match (known.memory_bytes, client.memory_bytes) {
                (Some(one), Some(other)) => Some(one.saturating_add(other)),
                (one, other) => one.or(other),
            };
        }
        None => uses.push(ProcessUse {
            pid,
            memory_bytes: client.memory_bytes,
            load_percent: load,
            computes: computes || computed,
        }),
    }
}

/// The share of the busiest engine.
fn busy(before: &Engines, now: &Engines, passed: Duration) -> Option<u8> {
    let passed = u64::try_from(passed.as_nanos()).ok().filter(|ns| *ns > 0)?;
    now.iter()
        .filter_map(|(engine, ns)| {
            let worked = ns.saturating_sub(*before.get(engine)?);
            u8::try_from((worked.saturating_mul(100) / passed).min(100)).ok()
        })
        .max()
}

/// The clients of a process, and whether it has the way to compute open.
fn clients(process: &Path) -> (Vec<Client>, bool) {
    let mut clients: Vec<Client> = Vec::new();
    let mut computes = false;
    let Ok(files) = fs::read_dir(process.join("fd")) else {
        return (clients, false);
    };
    for file in files.flatten() {
        let Ok(target) = fs::read_link(file.path()) else {
            continue;
        };
        computes |= target == Path::new("/dev/kfd");
        if !target.starts_with("/dev/dri") {
            continue;
        }
        let facts = fs::read_to_string(process.join("fdinfo").join(file.file_name()));
        if let Some(client) = facts.ok().as_deref().and_then(client)
            && !clients
                .iter()
                .any(|known| (known.pci, known.id) == (client.pci, client.id))
        {
            clients.push(client);
        }
    }
    (clients, computes)
}

/// Reads the keys that the kernel's documentation on DRM client usage describes; others are passed over.
fn client(facts: &str) -> Option<Client> {
    let mut client = Client {
        pci: PciAddress {
            domain: 0,
            bus: 0,
            device: 0,
            function: 0,
        },
        id: 0,
        memory_bytes: None,
        engines: HashMap::new(),
    };
    let (mut has_card, mut has_id) = (false, false);
    for line in facts.lines() {
        let Some((key, value)) = line.split_once(':') else {
            continue;
        };
        let value = value.trim();
        match key {
            "drm-pdev" => {
                client.pci = value.parse().ok()?;
                has_card = true;
            }
            "drm-client-id" => {
                client.id = value.parse().ok()?;
                has_id = true;
            }
            // The second is the newer name.
            "drm-memory-vram" | "drm-resident-vram" => client.memory_bytes = bytes(value),
            _ => {
                if let Some(engine) = key.strip_prefix("drm-engine-")
                    && let Some(ns) = value.strip_suffix("ns")
                {
                    client
                        .engines
                        .insert(engine.to_owned(), ns.trim().parse().ok()?);
                }
            }
        }
    }
    (has_card && has_id).then_some(client)
}

fn bytes(value: &str) -> Option<u64> {
    let (number, unit) = value.split_once(' ').unwrap_or((value, ""));
    let number: u64 = number.parse().ok()?;
    match unit.trim() {
        "" => Some(number),
        "KiB" => number.checked_mul(1 << 10),
        "MiB" => number.checked_mul(1 << 20),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FACTS: &str = "pos:\t0\nflags:\t02100002\nmnt_id:\t26\nino:\t284\ndrm-driver:\tamdgpu\n\
        drm-client-id:\t42\ndrm-pdev:\t0000:03:00.0\npasid:\t32773\ndrm-memory-vram:\t2048 KiB\n\
        drm-memory-gtt: \t512 KiB\ndrm-engine-gfx:\t1500000000 ns\ndrm-engine-compute:\t0 ns\n";

    #[test]
    fn the_kernels_facts_of_a_client_are_read() {
        let client = client(FACTS).unwrap();
        assert_eq!(client.pci.to_string(), "0000:03:00.0");
        assert_eq!((client.id, client.memory_bytes), (42, Some(2 << 20)));
        assert_eq!(client.engines["gfx"], 1_500_000_000);
        assert_eq!(super::client("pos: 0\nflags: 02\n"), None);
    }

    #[test]
    fn the_busiest_engine_tells_the_share() {
        let engines = |gfx, enc| HashMap::from([("gfx".to_owned(), gfx), ("enc".to_owned(), enc)]);
        let second = Duration::from_secs(1);
        let busy = |before, now| super::busy(&before, &now, second);
        assert_eq!(
            busy(engines(0, 0), engines(250_000_000, 40_000_000)),
            Some(25)
        );
        assert_eq!(busy(engines(5, 5), engines(5, 5)), Some(0));
        assert_eq!(busy(HashMap::new(), engines(5, 5)), None);
        assert_eq!(
            super::busy(&engines(0, 0), &engines(1, 1), Duration::ZERO),
            None
        );
    }
}

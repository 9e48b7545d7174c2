//! One list of the machine's GPUs, out of what NVIDIA's library and the graphics interfaces each know.

use std::collections::HashMap;
use std::sync::Arc;

use super::{NvidiaGpu, PciAddress};
use crate::probe::{Adapter, AdapterKind};

const NVIDIA: u32 = 0x10DE;

/// What kind of GPU it is.
pub use crate::probe::AdapterKind as GpuKind;

/// One GPU of this machine.
#[derive(Clone, Debug, PartialEq)]
pub struct Gpu {
    /// Stays the same over restarts: NVML's identifier where there is one.
    pub id: String,
    /// Product name.
    pub name: String,
    /// What kind of GPU it is.
    pub kind: GpuKind,
    /// Where it sits, if known.
    pub pci: Option<PciAddress>,
    /// What NVIDIA's library knows of it.
    pub nvidia: Option<Arc<NvidiaGpu>>,
    /// The adapter to compute on, in the interface that is preferred.
    pub adapter: Option<Adapter>,
}

/// Joins both lists. They are matched by PCI address; where an adapter tells none, by name, if exactly one GPU on each
/// side is left with that name.
#[must_use]
pub fn inventory(nvidia: &[Arc<NvidiaGpu>], adapters: &[Adapter]) -> Vec<Gpu> {
    let mut adapters = one_for_each_device(adapters);
    let mut gpus: Vec<Gpu> = nvidia
        .iter()
        .map(|card| Gpu {
            id: card.uuid.clone(),
            name: card.name.clone(),
            kind: GpuKind::Discrete,
            pci: Some(card.pci),
            nvidia: Some(Arc::clone(card)),
            adapter: take(&mut adapters, |adapter| adapter.pci == Some(card.pci)),
        })
        .collect();
    match_by_name(&mut gpus, &mut adapters);
    for gpu in &mut gpus {
        if let Some(adapter) = &gpu.adapter {
            gpu.kind = adapter.kind;
        }
    }
    gpus.extend(adapters.into_iter().map(|adapter| Gpu {
        id: derived_id(&adapter),
        name: adapter.name.clone(),
        kind: adapter.kind,
        pci: adapter.pci,
        nvidia: None,
        adapter: Some(adapter),
    }));
    number_the_same(&mut gpus);
    gpus
}

/// The same card appears once for each graphics interface: the preferred one stays.
fn one_for_each_device(adapters: &[Adapter]) -> Vec<Adapter> {
    let mut by_preference = trusted_addresses(adapters);
    by_preference.sort_by_key(|adapter| adapter.backend);
    let mut chosen: Vec<Adapter> = Vec::new();
    for adapter in by_preference {
        let same = |other: &Adapter| match (adapter.pci, other.pci) {
            (Some(one), Some(another)) => one == another,
            _ => {
                adapter.backend != other.backend
                    && (adapter.vendor, adapter.device) == (other.vendor, other.device)
            }
        };
        if !chosen.iter().any(same) {
            chosen.push(adapter);
        }
    }
    chosen
}

/// Direct3D looks addresses up by model, and so gives twins the same one: such an address says nothing.
fn trusted_addresses(adapters: &[Adapter]) -> Vec<Adapter> {
    let mut claims: HashMap<_, u32> = HashMap::new();
    for adapter in adapters {
        if let Some(pci) = adapter.pci {
            *claims.entry((adapter.backend, pci)).or_default() += 1;
        }
    }
    let unique =
        |adapter: &Adapter, pci: PciAddress| claims.get(&(adapter.backend, pci)) == Some(&1);
    adapters
        .iter()
        .cloned()
        .map(|mut adapter| {
            adapter.pci = adapter.pci.filter(|pci| unique(&adapter, *pci));
            adapter
        })
        .collect()
}

fn match_by_name(gpus: &mut [Gpu], adapters: &mut Vec<Adapter>) {
    let lacking = |gpus: &[Gpu], name: &str| {
        gpus.iter()
            .filter(|gpu| gpu.adapter.is_none() && gpu.name == name)
            .count()
    };
    for place in 0..gpus.len() {
        let name = gpus[place].name.clone();
        let fits = |adapter: &Adapter| {
            adapter.vendor == NVIDIA && adapter.pci.is_none() && adapter.name == name
        };
        let unambiguous = lacking(gpus, &name) == 1
            && adapters.iter().filter(|adapter| fits(adapter)).count() == 1;
        if gpus[place].adapter.is_none() && unambiguous {
            gpus[place].adapter = take(adapters, fits);
        }
    }
}

fn take(adapters: &mut Vec<Adapter>, wanted: impl Fn(&Adapter) -> bool) -> Option<Adapter> {
    let place = adapters.iter().position(wanted)?;
    Some(adapters.remove(place))
}

fn derived_id(adapter: &Adapter) -> String {
    let name = plain(&adapter.name);
    match (adapter.kind, adapter.pci) {
        (AdapterKind::Software, _) => format!("sw-{name}"),
        (_, Some(pci)) => format!("pci-{}-{name}", plain(&pci.to_string())),
        (_, None) => format!("dev-{:04x}-{:04x}-{name}", adapter.vendor, adapter.device),
    }
}

/// Letters, digits and single dashes. What stands in parentheses is left out: it is a version that changes.
fn plain(text: &str) -> String {
    let before = text.split('(').next().unwrap_or(text).to_lowercase();
    let words: Vec<&str> = before
        .split(|c: char| !c.is_ascii_alphanumeric())
        .filter(|word| !word.is_empty())
        .collect();
    words.join("-")
}

fn number_the_same(gpus: &mut [Gpu]) {
    let mut count: HashMap<String, u32> = HashMap::new();
    for gpu in gpus {
        let times = count.entry(gpu.id.clone()).or_default();
        *times += 1;
        if *times > 1 {
            gpu.id = format!("{}-{times}", gpu.id);
        }
    }
}

//! One list of the machine's GPUs, out of what their drivers and the graphics interfaces each know.

use std::collections::HashMap;
use std::sync::Arc;

use sublet_protocol::gpu::GpuVendor;
use sublet_protocol::ids::{GpuId, IdError};

use super::{Card, PciAddress};
use crate::probe::{Adapter, AdapterKind};

const NVIDIA: u32 = 0x10DE;

/// What kind of GPU it is.
pub use crate::probe::AdapterKind as GpuKind;

/// One GPU of this machine.
#[derive(Clone, Debug, PartialEq)]
pub struct Gpu {
    /// Stays the same over restarts: its card's identifier where there is one.
    pub id: GpuId,
    /// Product name.
    pub name: String,
    /// What kind of GPU it is.
    pub kind: GpuKind,
    /// Where it sits, if known.
    pub pci: Option<PciAddress>,
    /// What its driver knows of it, where it can be watched.
    pub card: Option<Arc<Card>>,
    /// The adapter to compute on, in the interface that is preferred.
    pub adapter: Option<Adapter>,
}

/// Joins both lists. They are matched by PCI address; where an adapter tells none, by name, if exactly one GPU on each
/// side is left with that name.
///
/// # Errors
/// When a driver gives a GPU an identifier that cannot be used as one.
pub fn inventory(cards: &[Arc<Card>], adapters: &[Adapter]) -> Result<Vec<Gpu>, IdError> {
    let mut adapters = one_for_each_device(adapters);
    let mut pairs: Vec<Pair> = cards
        .iter()
        .map(|card| Pair {
            card: Arc::clone(card),
            adapter: take(&mut adapters, |adapter| adapter.pci == Some(card.pci)),
        })
        .collect();
    match_by_name(&mut pairs, &mut adapters);

    let mut gpus = Vec::new();
    for Pair { card, adapter } in pairs {
        // The name of NVIDIA's library is the product's; of AMD's only the graphics interface knows it, as a rule.
        let named = adapter
            .as_ref()
            .filter(|_| card.vendor != GpuVendor::Nvidia);
        gpus.push(Gpu {
            id: GpuId::new(plain_id(&card.uuid))?,
            name: named.map_or_else(|| card.name.clone(), |adapter| adapter.name.clone()),
            kind: adapter
                .as_ref()
                .map_or(GpuKind::Discrete, |adapter| adapter.kind),
            pci: Some(card.pci),
            card: Some(card),
            adapter,
        });
    }
    let mut times: HashMap<String, u32> = HashMap::new();
    for adapter in adapters {
        let text = derived_id(&adapter);
        let times = times.entry(text.clone()).or_default();
        *times += 1;
        gpus.push(Gpu {
            id: GpuId::new(if *times == 1 {
                text
            } else {
                format!("{text}-{times}")
            })?,
            name: adapter.name.clone(),
            kind: adapter.kind,
            pci: adapter.pci,
            card: None,
            adapter: Some(adapter),
        });
    }
    Ok(gpus)
}

/// A card and the adapter that computes on it.
struct Pair {
    card: Arc<Card>,
    adapter: Option<Adapter>,
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

fn match_by_name(pairs: &mut [Pair], adapters: &mut Vec<Adapter>) {
    for place in 0..pairs.len() {
        let name = pairs[place].card.name.clone();
        let lacks = |pair: &&Pair| pair.adapter.is_none() && pair.card.name == name;
        let fits = |adapter: &Adapter| {
            adapter.vendor == NVIDIA && adapter.pci.is_none() && adapter.name == name
        };
        let lacking = pairs.iter().filter(lacks).count();
        let fitting = adapters.iter().filter(|adapter| fits(adapter)).count();
        if pairs[place].adapter.is_none() && lacking == 1 && fitting == 1 {
            pairs[place].adapter = take(adapters, fits);
        }
    }
}

fn take(adapters: &mut Vec<Adapter>, wanted: impl Fn(&Adapter) -> bool) -> Option<Adapter> {
    let place = adapters.iter().position(wanted)?;
    Some(adapters.remove(place))
}

/// NVIDIA's identifiers are taken as they are; one made of a PCI address has its colons and dot replaced.
fn plain_id(uuid: &str) -> String {
    uuid.replace([':', '.'], "-")
}

fn derived_id(adapter: &Adapter) -> String {
    let name = plain(&adapter.name);
    match (adapter.kind, adapter.pci) {
        (AdapterKind::Software, _) => format!("sw-{name}"),
        (_, Some(pci)) => format!("pci-{}-{name}", plain(&pci.to_string())),
        (_, None) => format!("dev-{:04x}-{:04x}-{name}", adapter.vendor, adapter.device),
    }
}

/// Letters, digits and single dashes, short enough for an identifier. What stands in parentheses is left out: it is a
/// version that changes.
fn plain(text: &str) -> String {
    let before = text.split('(').next().unwrap_or(text).to_lowercase();
    let words: Vec<&str> = before
        .split(|c: char| !c.is_ascii_alphanumeric())
        .filter(|word| !word.is_empty())
        .collect();
    words.join("-").chars().take(40).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::probe::{AdapterId, Backend, Limits};

    fn adapter(backend: Backend, name: &str, pci: Option<&str>) -> Adapter {
        Adapter {
            id: AdapterId::new(format!("{backend}-{name}")),
            name: name.into(),
            vendor: if name.starts_with("NVIDIA") {
                NVIDIA
            } else {
                0x1002
            },
            device: 7,
            kind: AdapterKind::Discrete,
            backend,
            driver: "driver".into(),
            driver_info: "1".into(),
            pci: pci.map(|text| text.parse().unwrap()),
            limits: Limits {
                buffer_bytes: 1 << 30,
                binding_bytes: 1 << 30,
                workgroup_invocations: 1024,
                workgroup_memory_bytes: 32768,
            },
            has_timestamps: true,
        }
    }

    fn card(uuid: &str, name: &str, pci: &str) -> Arc<Card> {
        Arc::new(Card {
            uuid: uuid.into(),
            vendor: GpuVendor::Nvidia,
            name: name.into(),
            pci: pci.parse().unwrap(),
            memory_total_bytes: 24 << 30,
            driver_version: "550.90.07".into(),
            compute_capability: Some((8, 9)),
            power_limits: None,
            slowdown_temperature_c: None,
            shutdown_temperature_c: None,
            fans: 1,
        })
    }

    fn joined(gpus: &[Gpu]) -> Vec<(&str, Option<&str>)> {
        gpus.iter()
            .map(|gpu| {
                (
                    gpu.id.as_str(),
                    gpu.adapter.as_ref().map(|adapter| adapter.id.as_str()),
                )
            })
            .collect()
    }

    #[test]
    fn twins_are_told_apart_by_their_addresses_in_either_spelling() {
        let cards = [
            card("GPU-b", "NVIDIA X", "00000000:B3:00.0"),
            card("GPU-a", "NVIDIA X", "00000000:65:00.0"),
        ];
        let mut twins = [
            adapter(Backend::Vulkan, "NVIDIA X", Some("0000:65:00.0")),
            adapter(Backend::Vulkan, "NVIDIA X", Some("0000:b3:00.0")),
        ];
        twins[1].id = AdapterId::new("the other");
        let gpus = inventory(&cards, &twins).unwrap();
        assert_eq!(
            joined(&gpus),
            [
                ("GPU-b", Some("the other")),
                ("GPU-a", Some("vulkan-NVIDIA X"))
            ]
        );
    }

    #[test]
    fn an_adapter_without_an_address_is_matched_by_a_name_that_only_one_card_has() {
        let nameless = [adapter(Backend::Vulkan, "NVIDIA X", None)];
        let one = inventory(&[card("GPU-a", "NVIDIA X", "1:0.0")], &nameless).unwrap();
        assert_eq!(joined(&one), [("GPU-a", Some("vulkan-NVIDIA X"))]);

        let twins = [
            card("GPU-a", "NVIDIA X", "1:0.0"),
            card("GPU-b", "NVIDIA X", "2:0.0"),
        ];
        let ambiguous = inventory(&twins, &nameless).unwrap();
        assert_eq!(
            joined(&ambiguous),
            [
                ("GPU-a", None),
                ("GPU-b", None),
                ("dev-10de-0007-nvidia-x", Some("vulkan-NVIDIA X"))
            ],
            "which of the two it is cannot be known"
        );
    }

    #[test]
    fn a_card_that_several_interfaces_show_is_one() {
        let shown = [
            adapter(Backend::Dx12, "AMD Y", Some("0000:03:00.0")),
            adapter(Backend::Vulkan, "AMD Y", Some("0000:03:00.0")),
            adapter(Backend::Other, "AMD Y", None),
        ];
        let gpus = inventory(&[], &shown).unwrap();
        assert_eq!(
            joined(&gpus),
            [("pci-0000-03-00-0-amd-y", Some("vulkan-AMD Y"))]
        );
    }

    #[test]
    fn an_address_that_twins_share_is_not_believed() {
        let looked_up = [
            adapter(Backend::Dx12, "NVIDIA X", Some("0000:65:00.0")),
            adapter(Backend::Dx12, "NVIDIA X", Some("0000:65:00.0")),
        ];
        let gpus = inventory(&[card("GPU-a", "NVIDIA X", "65:00.0")], &looked_up).unwrap();
        assert_eq!(gpus[0].adapter, None);
        assert_eq!(gpus.len(), 3);
        assert_ne!(gpus[1].id, gpus[2].id);
    }

    #[test]
    fn software_keeps_its_identity_when_its_version_changes() {
        let id_of = |name: &str| {
            let mut software = adapter(Backend::Vulkan, name, None);
            software.kind = AdapterKind::Software;
            inventory(&[], &[software]).unwrap()[0].id.clone()
        };
        assert_eq!(
            id_of("llvmpipe (LLVM 15.0.6, 256 bits)").as_str(),
            "sw-llvmpipe"
        );
        assert_eq!(
            id_of("llvmpipe (LLVM 17.0.1, 512 bits)").as_str(),
            "sw-llvmpipe"
        );
    }

    #[test]
    fn long_names_still_make_an_identifier() {
        let long = adapter(Backend::Vulkan, &"AMD ".repeat(60), Some("0000:03:00.0"));
        assert!(inventory(&[], &[long]).is_ok());
    }
}

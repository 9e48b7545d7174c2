//! Asking wgpu. Runs in a child process only: this loads every graphics driver of the machine.

use std::collections::HashMap;

use futures_util::FutureExt;

use super::adapter::{Adapter, AdapterId, AdapterKind, Backend, Limits};

/// Names of adapters that compute on the processor, in lower case. Not all of them say so in their type.
const SOFTWARE: [&str; 4] = ["llvmpipe", "lavapipe", "swiftshader", "basic render driver"];

/// Every adapter, with wgpu's handle for it.
pub(crate) fn adapters() -> Vec<(Adapter, wgpu::Adapter)> {
    let instance = wgpu::Instance::new(wgpu::InstanceDescriptor {
        flags: wgpu::InstanceFlags::empty(),
        ..wgpu::InstanceDescriptor::new_without_display_handle()
    });
    // Outside a browser wgpu has the answer at once.
    let found = instance
        .enumerate_adapters(wgpu::Backends::all())
        .now_or_never()
        .unwrap_or_default();
    let mut described: Vec<_> = found
        .into_iter()
        .map(|handle| (describe(&handle), handle))
        .collect();
    number_the_same(described.iter_mut().map(|(adapter, _)| &mut adapter.id));
    described
}

fn describe(handle: &wgpu::Adapter) -> Adapter {
    let info = handle.get_info();
    let limits = handle.limits();
    let backend = match info.backend {
        wgpu::Backend::Vulkan => Backend::Vulkan,
        wgpu::Backend::Metal => Backend::Metal,
        wgpu::Backend::Dx12 => Backend::Dx12,
        _ => Backend::Other,
    };
    let pci = info.device_pci_bus_id.parse().ok();
    let place = pci.map_or_else(
        || format!("{:04x}-{:04x}", info.vendor, info.device),
        |address: crate::sensors::PciAddress| address.to_string(),
    );
    Adapter {
        id: AdapterId(format!("{backend}-{place}")),
        kind: kind(info.device_type, &info.name),
        name: info.name,
        vendor: info.vendor,
        device: info.device,
        backend,
        driver: info.driver,
        driver_info: info.driver_info,
        pci,
        limits: Limits {
            buffer_bytes: limits.max_buffer_size,
            binding_bytes: limits.max_storage_buffer_binding_size,
            workgroup_invocations: limits.max_compute_invocations_per_workgroup,
            workgroup_memory_bytes: limits.max_compute_workgroup_storage_size,
        },
        has_timestamps: handle.features().contains(wgpu::Features::TIMESTAMP_QUERY),
    }
}

fn kind(device_type: wgpu::DeviceType, name: &str) -> AdapterKind {
    let name = name.to_lowercase();
    if SOFTWARE.iter().any(|software| name.contains(software)) {
        return AdapterKind::Software;
    }
    match device_type {
        wgpu::DeviceType::DiscreteGpu => AdapterKind::Discrete,
        wgpu::DeviceType::IntegratedGpu => AdapterKind::Integrated,
        wgpu::DeviceType::VirtualGpu => AdapterKind::Virtual,
        wgpu::DeviceType::Cpu => AdapterKind::Software,
        wgpu::DeviceType::Other => AdapterKind::Other,
    }
}

/// Twins get numbers, in the order in which wgpu lists them.
fn number_the_same<'a>(ids: impl Iterator<Item = &'a mut AdapterId>) {
    let mut count: HashMap<String, u32> = HashMap::new();
    for id in ids {
        let times = count.entry(id.0.clone()).or_default();
        *times += 1;
        if *times > 1 {
            id.0 = format!("{}-{times}", id.0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn adapters_that_compute_on_the_processor_are_named_as_such() {
        use wgpu::DeviceType::{Cpu, DiscreteGpu, Other};
        assert_eq!(kind(Cpu, "anything"), AdapterKind::Software);
        assert_eq!(
            kind(Other, "SwiftShader Device (LLVM 10.0.0)"),
            AdapterKind::Software
        );
        assert_eq!(
            kind(DiscreteGpu, "Microsoft Basic Render Driver"),
            AdapterKind::Software
        );
        assert_eq!(
            kind(DiscreteGpu, "AMD Radeon RX 7900 XTX"),
            AdapterKind::Discrete
        );
    }

    #[test]
    fn twins_are_numbered() {
        let mut ids = ["dx12-10de-2684", "dx12-1002-744c", "dx12-10de-2684"].map(AdapterId::new);
        number_the_same(ids.iter_mut());
        assert_eq!(
            ids.map(|id| id.0),
            ["dx12-10de-2684", "dx12-1002-744c", "dx12-10de-2684-2"]
        );
    }
}

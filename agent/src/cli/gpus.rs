//! `sublet gpus`: what was found in this machine.

use super::look::Look;
use super::page::{Align, Cell, Page, Table};
use super::{look, words};
use sublet_protocol::gpu::GpuInfo;
use sublet_protocol::local::{GpuView, Gpus};

/// The page.
pub fn render(gpus: &Gpus, look: &Look) -> String {
    let mut page = Page::led_by(look, &sentence(&gpus.gpus));
    if !gpus.gpus.is_empty() {
        page.space();
        page.table(&table(&gpus.gpus));
    }
    if !gpus.problems.is_empty() {
        page.space();
        for problem in &gpus.problems {
            page.line(problem);
        }
    }
    if gpus.gpus.is_empty() {
        page.hint("`sublet doctor` looks for drivers and the Vulkan loader.");
    } else if gpus.gpus.iter().any(|gpu| gpu.info.score.is_none()) {
        page.hint("`sublet bench` measures the GPUs that have no score.");
    }
    page.finish()
}

fn sentence(gpus: &[GpuView]) -> String {
    let software = gpus.iter().filter(|gpu| gpu.info.software).count();
    let real = gpus.len() - software;
    let hardware = words::count(real, "GPU", "GPUs");
    let adapters = words::count(software, "software adapter", "software adapters");
    match (real, software) {
        (0, 0) => "No GPU was found.".to_owned(),
        (_, 0) => format!("{hardware} found."),
        (0, _) => format!("No GPU was found, only {adapters}: the CPU computes."),
        _ => format!("{hardware} and {adapters} found."),
    }
}

/// A software adapter is always named as one.
pub(super) fn name(info: &GpuInfo) -> String {
    let software = if info.software { " (software)" } else { "" };
    format!("{}{software}", info.name)
}

fn table(gpus: &[GpuView]) -> Table {
    let mut table = Table::new(&[
        ("", Align::Left),
        ("GPU", Align::Left),
        ("state", Align::Left),
        ("memory", Align::Right),
        ("driver", Align::Left),
        ("score", Align::Right),
        ("fp32", Align::Right),
        ("bandwidth", Align::Right),
        ("floor", Align::Point),
        ("id", Align::Left),
    ]);
    for gpu in gpus {
        let (info, style) = (&gpu.info, look::hue(gpu.state));
        let text = |text: Option<String>| Cell::from(text.unwrap_or_default());
        let score = info.score.as_ref();
        table.row([
            Cell::styled(look::glyph(gpu.state), style),
            Cell::from(name(info)),
            Cell::styled(look::word(gpu.state), style),
            text(info.memory_bytes.map(words::memory)),
            text(info.driver.clone()),
            text(score.map(|score| score.score.to_string())),
            text(score.map(|score| words::flops(score.fp32_mflops))),
            text(score.map(|score| words::bandwidth(score.bandwidth_mb_s))),
            Cell::from(gpu.floor),
            Cell::styled(info.id.as_str(), look::QUIET),
        ]);
    }
    table
}

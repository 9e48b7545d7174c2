//! A card of AMD's as its driver's files show it, recorded in their form.

use std::time::{Duration, Instant};

use sublet_core::facts::GpuProblem;

use super::testing::{FakeProc, Tree};
use super::{AmdSensor, GpuReading, GpuSources, Library, MemoryUse, SensorError};
use crate::sensors::cards::Cards;

const DEVICE: &str = "class/drm/card1/device";
const MIB: u64 = 1 << 20;

fn sys() -> Tree {
    let sys = Tree::new();
    let hwmon = format!("{DEVICE}/hwmon/hwmon4");
    for (file, text) in [
        ("vendor", "0x1002"),
        (
            "uevent",
            "DRIVER=amdgpu\nPCI_CLASS=30000\nPCI_SLOT_NAME=0000:03:00.0",
        ),
        ("gpu_busy_percent", "37"),
        ("mem_info_vram_total", "17163091968"),
        ("mem_info_vram_used", "1073741824"),
    ] {
        sys.write(&format!("{DEVICE}/{file}"), format!("{text}\n"));
    }
    for (file, text) in [
        ("temp1_label", "edge"),
        ("temp1_input", "51000"),
        ("temp1_crit", "100000"),
        ("temp1_emergency", "105000"),
        ("temp2_label", "junction"),
        ("temp2_input", "68000"),
        ("temp3_label", "mem"),
        ("temp3_input", "74000"),
        ("power1_average", "213000000"),
        ("power1_cap", "303000000"),
        ("power1_cap_min", "100000000"),
        ("power1_cap_max", "339000000"),
        ("power1_cap_default", "303000000"),
        ("fan1_input", "1650"),
        ("fan1_max", "3300"),
        ("freq1_input", "2481000000"),
        ("freq2_input", "1249000000"),
    ] {
        sys.write(&format!("{hwmon}/{file}"), format!("{text}\n"));
    }
    // A socket of it, and a card of another maker.
    sys.write("class/drm/card1-DP-1/status", "connected\n");
    sys.write("class/drm/card0/device/vendor", "0x8086\n");
    sys
}

fn client(proc: &FakeProc, pid: u32, id: u32, vram_kib: u64, gfx_ns: u64) {
    proc.tree.write(
        &format!("{pid}/fdinfo/7"),
        format!(
            "pos:\t0\ndrm-driver:\tamdgpu\ndrm-client-id:\t{id}\ndrm-pdev:\t0000:03:00.0\n\
             drm-memory-vram:\t{vram_kib} KiB\ndrm-engine-gfx:\t{gfx_ns} ns\n"
        ),
    );
}

fn opens_card(proc: &FakeProc, pid: u32) {
    proc.tree
        .link(&format!("{pid}/fd/7"), "/dev/dri/renderD128");
    proc.tree.link(&format!("{pid}/fd/1"), "/dev/null");
}

fn cards(sys: &Tree, proc: &FakeProc) -> Cards {
    let library = Library::at(sys.path().join("no-library.so"));
    Cards::new(GpuSources {
        sys: sys.path().to_owned(),
        proc: proc.path(),
        ..GpuSources::of_machine(library)
    })
}

fn only(mut readings: Vec<GpuReading>) -> GpuReading {
    assert_eq!(readings.len(), 1, "one card");
    readings.remove(0)
}

#[test]
fn every_sensor_of_an_amd_card_is_read() {
    let (sys, proc) = (sys(), FakeProc::new());
    let now = Instant::now();
    let reading = only(AmdSensor::new(sys.path(), proc.path()).read(now, |_| true));
    let card = &reading.gpu;
    assert_eq!(card.uuid, "amd-0000:03:00.0");
    assert_eq!(card.slowdown_c(), Some(100));
    let range = card.power_range().unwrap();
    assert_eq!(
        (range.lowest_mw, range.highest_mw, range.default_mw),
        (100_000, 339_000, 303_000)
    );
    let telemetry = &reading.telemetry;
    assert_eq!(telemetry.memory_clock_mhz.value, Ok(1249));
    assert_eq!(telemetry.graphics_clock_mhz.value, Ok(2481));
    assert_eq!(telemetry.processes.value, Ok(Vec::new()));
    let (sensed, problem) = reading.sensed(now);
    assert_eq!(problem, None);
    assert_eq!(
        (sensed.temperature_c, sensed.hotspot_c),
        (Some(51), Some(74))
    );
    assert_eq!(
        (sensed.power_mw, sensed.power_limit_mw),
        (Some(213_000), Some(303_000))
    );
    assert_eq!(
        (sensed.fan_percent, sensed.load_percent),
        (Some(50), Some(37))
    );
    assert_eq!(sensed.memory_used_bytes, Some(1 << 30));
    assert_eq!(sensed.heat_throttled, None);
}

#[test]
fn a_card_without_some_sensors_tells_the_others_and_a_lost_one_is_lost() {
    let (sys, proc) = (sys(), FakeProc::new());
    std::fs::remove_file(sys.path().join(DEVICE).join("hwmon/hwmon4/fan1_input")).unwrap();
    let mut sensor = AmdSensor::new(sys.path(), proc.path());
    let now = Instant::now();
    let telemetry = only(sensor.read(now, |_| true)).telemetry;
    assert_eq!(telemetry.fan_percent.value, Err(SensorError::NotSupported));
    assert_eq!(telemetry.temperature_c.value, Ok(51));
    sys.remove(DEVICE);
    let (_, problem) = only(sensor.read(now, |_| true)).sensed(now);
    assert!(matches!(problem, Some(GpuProblem::Lost(_))), "{problem:?}");
}

#[test]
fn a_power_limit_is_written_and_read_back() {
    let (sys, proc) = (sys(), FakeProc::new());
    let mut cards = cards(&sys, &proc);
    let uuid = "amd-0000:03:00.0";
    assert_eq!(cards.set_power_limit(uuid, 200_000), Ok(200_000));
    let cap = sys.path().join(DEVICE).join("hwmon/hwmon4/power1_cap");
    assert_eq!(std::fs::read_to_string(cap).unwrap(), "200000000");
    assert!(cards.set_power_limit("amd-of-a-neighbour", 1).is_err());
}

#[test]
fn who_uses_it_is_told_by_name_memory_and_share_and_jobs_of_ours_are_not() {
    let (sys, proc) = (sys(), FakeProc::new());
    let mut cards = cards(&sys, &proc);
    let ours = "7f".repeat(32);
    for (pid, exe, id) in [
        (20, "/usr/bin/Xwayland", 1),
        (40, "/games/supertux", 2),
        (50, "/usr/bin/train", 3),
    ] {
        proc.start(pid, exe, &[exe]);
        opens_card(&proc, pid);
        client(&proc, pid, id, 2048, 0);
    }
    proc.tree.write(
        "50/cgroup",
        format!("0::/system.slice/docker-{ours}.scope\n"),
    );
    // A child that got its parent's open file is not a second user.
    proc.start(41, "/games/supertux", &["supertux"]);
    opens_card(&proc, 41);
    client(&proc, 41, 2, 2048, 0);
    cards.users().set_ours(vec![ours]);
    let start = Instant::now();
    cards.read(start, true);
    client(&proc, 40, 2, 4096, 400_000_000);
    let snapshot = cards.read(start + Duration::from_secs(1), true);
    let users = snapshot.gpus[0].telemetry.users.value.clone().unwrap();
    let told: Vec<_> = users
        .iter()
        .map(|user| (user.name.as_str(), user.memory_bytes, user.load_percent))
        .collect();
    assert_eq!(told, [("supertux", Some(4 * MIB), Some(40))]);
    assert_eq!(
        snapshot.gpus[0].telemetry.memory.value,
        Ok(MemoryUse {
            used_bytes: 1 << 30,
            free_bytes: 17_163_091_968 - (1 << 30)
        })
    );

    // One that opens the card between two looks through everything.
    proc.start(60, "/usr/bin/blender", &["blender"]);
    cards.read(start + Duration::from_secs(2), true);
    opens_card(&proc, 60);
    client(&proc, 60, 9, 0, 0);
    let snapshot = cards.read(start + Duration::from_secs(3), true);
    let users = snapshot.gpus[0].telemetry.users.value.clone().unwrap();
    assert!(users.iter().any(|user| user.name == "blender"), "{users:?}");
}

#[test]
fn a_card_that_sleeps_is_not_touched_and_is_nobodys() {
    let (sys, proc) = (sys(), FakeProc::new());
    let power = "bus/pci/devices/0000:03:00.0/power";
    sys.write(&format!("{power}/control"), "auto\n");
    sys.write(&format!("{power}/runtime_status"), "active\n");
    sys.write(&format!("{DEVICE}/gpu_busy_percent"), "0\n");
    let mut cards = cards(&sys, &proc);
    let start = Instant::now();
    let first = cards.read(start, false);
    let after = |seconds| start + Duration::from_secs(seconds);
    let alone = cards.read(after(5), false);
    assert_eq!(alone.gpus, first.gpus, "the old readings, with their age");
    sys.write(&format!("{power}/runtime_status"), "suspended\n");
    sys.write(
        &format!("{DEVICE}/mem_info_vram_used"),
        "a question would wake it",
    );
    let asleep = cards.read(after(10), false);
    let (sensed, problem) = asleep.gpus[0].sensed(after(10));
    assert_eq!((problem, sensed.age_ms), (None, 0));
    assert_eq!(
        (sensed.temperature_c, sensed.load_percent),
        (Some(51), Some(0))
    );
    assert_eq!((sensed.users, sensed.power_mw), (Some(Vec::new()), None));
    sys.write(&format!("{DEVICE}/mem_info_vram_used"), "5\n");
    let woken = cards.read(after(11), true);
    assert_eq!(woken.gpus[0].sensed(after(11)).0.memory_used_bytes, Some(5));
}

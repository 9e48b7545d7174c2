//! The reader against the simulator, through the real nvml-wrapper.

use std::time::{Duration, Instant};

use nvml_sim::{Code, Gpu, Process, Scenario, Stage};
use tempfile::TempDir;

use super::{Library, MemoryUse, NvidiaSensor, PowerLimits, ProcessUse, SensorError, Snapshot};

const MIB: u64 = 1024 * 1024;

struct Rig {
    sensor: NvidiaSensor,
    stage: Stage,
    now: Instant,
    _folder: TempDir,
}

impl Rig {
    fn with(scenario: &Scenario) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let stage =
            nvml_sim::stage(folder.path(), scenario).unwrap_or_else(|error| panic!("{error}"));
        let sensor = NvidiaSensor::new(Library::at(stage.library().to_owned()));
        Self {
            sensor,
            stage,
            now: Instant::now(),
            _folder: folder,
        }
    }

    fn read_after(&mut self, seconds: u64) -> Snapshot {
        self.now += Duration::from_secs(seconds);
        self.sensor.read(self.now)
    }
}

fn failing(gpu: Gpu, call: &str, code: Code) -> Gpu {
    Gpu {
        errors: [(call.to_owned(), code)].into(),
        ..gpu
    }
}

#[test]
fn every_sensor_of_a_card_is_read() {
    let mut rig = Rig::with(&Scenario::with_gpus([Gpu {
        name: "NVIDIA H200".into(),
        temperature_c: 67,
        memory_temperature_c: Some(82),
        power_draw_mw: 412_000,
        energy_mj: 5_000_000_000,
        fans_percent: vec![30, 55],
        utilization_percent: 98,
        memory_total_mib: 24_000,
        memory_used_mib: 9_000,
        compute_processes: vec![Process {
            pid: 41,
            memory_mib: Some(8_000),
            ..Process::default()
        }],
        graphics_processes: vec![Process {
            pid: 7,
            memory_mib: None,
            ..Process::default()
        }],
        ..Gpu::default()
    }]));

    let snapshot = rig.read_after(0);

    assert_eq!(snapshot.driver.as_deref(), Ok("550.90.07"));
    let [reading] = snapshot.gpus.as_slice() else {
        panic!("one card, not {}", snapshot.gpus.len())
    };
    assert_eq!(reading.gpu.name, "NVIDIA H200");
    assert_eq!(reading.gpu.pci.to_string(), "0000:65:00.0");
    assert_eq!(reading.gpu.memory_total_bytes, 24_000 * MIB);
    assert_eq!(reading.gpu.compute_capability, Some((8, 9)));
    assert_eq!(
        reading.gpu.power_limits,
        Some(PowerLimits {
            lowest_mw: 150_000,
            highest_mw: 600_000,
            default_mw: 450_000
        })
    );
    let telemetry = &reading.telemetry;
    assert_eq!(telemetry.temperature_c.value, Ok(67));
    assert_eq!(telemetry.hotspot_c.value, Ok(82));
    assert_eq!(telemetry.power_draw_mw.value, Ok(412_000));
    assert_eq!(telemetry.energy_mj.value, Ok(5_000_000_000));
    assert_eq!(telemetry.fan_percent.value, Ok(55));
    assert_eq!(telemetry.utilization_percent.value, Ok(98));
    assert_eq!(
        telemetry.memory.value,
        Ok(MemoryUse {
            used_bytes: 9_000 * MIB,
            free_bytes: 15_000 * MIB
        })
    );
    assert_eq!(
        telemetry.processes.value,
        Ok(vec![
            ProcessUse {
                pid: 41,
                memory_bytes: Some(8_000 * MIB),
                load_percent: Some(0),
                computes: true
            },
            ProcessUse {
                pid: 7,
                memory_bytes: None,
                load_percent: Some(0),
                computes: false
            },
        ])
    );
    assert_eq!(telemetry.temperature_c.at, rig.now);
}

#[test]
fn a_sensor_that_fails_leaves_the_others_alone() {
    let scenario =
        Scenario::with_gpus([failing(Gpu::default(), "power_usage", Code::NotSupported)]);
    let mut rig = Rig::with(&scenario);

    let telemetry = rig.read_after(0).gpus.remove(0).telemetry;

    assert_eq!(
        telemetry.power_draw_mw.value,
        Err(SensorError::NotSupported)
    );
    assert_eq!(telemetry.hotspot_c.value, Err(SensorError::NotSupported));
    assert_eq!(telemetry.temperature_c.value, Ok(41));
}

#[test]
fn the_world_may_change_between_two_readings() {
    let mut rig = Rig::with(&Scenario::with_gpus([Gpu::default()]));
    assert_eq!(
        rig.read_after(0).gpus[0].telemetry.temperature_c.value,
        Ok(41)
    );

    rig.stage
        .set(&Scenario::with_gpus([Gpu {
            temperature_c: 93,
            ..Gpu::default()
        }]))
        .unwrap();

    assert_eq!(
        rig.read_after(1).gpus[0].telemetry.temperature_c.value,
        Ok(93)
    );
}

#[test]
fn no_library_is_said_and_tried_again_at_a_bounded_pace() {
    let folder = tempfile::tempdir().unwrap();
    let absent = folder.path().join("libnvidia-ml.so.1");
    let mut sensor = NvidiaSensor::new(Library::at(absent.clone()));
    let start = Instant::now();
    assert!(matches!(
        sensor.read(start).driver,
        Err(SensorError::NoLibrary(_))
    ));

    let stage = nvml_sim::stage(folder.path(), &Scenario::with_gpus([Gpu::default()]))
        .unwrap_or_else(|error| panic!("{error}"));
    std::fs::copy(stage.library(), absent).unwrap();

    let too_soon = sensor.read(start + Duration::from_secs(4));
    assert!(too_soon.driver.is_err(), "tried again before its time");
    assert_eq!(sensor.read(start + Duration::from_secs(5)).gpus.len(), 1);
}

#[test]
fn a_driver_that_is_not_loaded_is_found_once_it_is() {
    let healthy = Scenario::with_gpus([Gpu::default()]);
    let unloaded = Scenario {
        init_error: Some(Code::DriverNotLoaded),
        ..healthy.clone()
    };
    let mut rig = Rig::with(&unloaded);
    assert_eq!(rig.read_after(0).driver, Err(SensorError::DriverNotLoaded));

    rig.stage.set(&healthy).unwrap();

    let snapshot = rig.read_after(5);
    assert!(snapshot.driver.is_ok());
    assert_eq!(snapshot.gpus.len(), 1);
}

#[test]
fn a_card_that_fell_off_the_bus_stays_listed_beside_a_healthy_one() {
    let other = Gpu {
        uuid: "GPU-2".into(),
        pci_bus_id: "00000000:B3:00.0".into(),
        ..Gpu::default()
    };
    let healthy = Scenario::with_gpus([Gpu::default(), other.clone()]);
    let mut rig = Rig::with(&healthy);
    assert_eq!(rig.read_after(0).gpus.len(), 2);

    rig.stage
        .set(&Scenario::with_gpus([
            failing(Gpu::default(), "*", Code::GpuIsLost),
            other,
        ]))
        .unwrap();

    for seconds in [1, 4, 1, 10, 60] {
        let snapshot = rig.read_after(seconds);
        assert_eq!(snapshot.gpus.len(), 2);
        assert_eq!(
            snapshot.gpus[0].telemetry.temperature_c.value,
            Err(SensorError::GpuLost)
        );
        assert_eq!(snapshot.gpus[1].telemetry.temperature_c.value, Ok(41));
    }

    rig.stage.set(&healthy).unwrap();
    assert_eq!(
        rig.read_after(60).gpus[0].telemetry.temperature_c.value,
        Ok(41)
    );
}

#[test]
fn an_updated_driver_is_told_apart_and_survived() {
    let healthy = Scenario::with_gpus([Gpu::default()]);
    let mut rig = Rig::with(&healthy);
    assert!(rig.read_after(0).driver.is_ok());

    rig.stage
        .set(&Scenario {
            init_error: Some(Code::LibRmVersionMismatch),
            errors: [("*".to_owned(), Code::LibRmVersionMismatch)].into(),
            ..healthy.clone()
        })
        .unwrap();

    let mid_update = rig.read_after(1);
    assert_eq!(
        mid_update.gpus[0].telemetry.temperature_c.value,
        Err(SensorError::VersionMismatch)
    );
    let reopened = rig.read_after(5);
    assert_eq!(reopened.driver, Err(SensorError::VersionMismatch));
    assert_eq!(
        reopened.gpus.len(),
        1,
        "a card that was seen does not vanish in silence"
    );

    rig.stage
        .set(&Scenario {
            driver_version: "560.35.03".into(),
            ..healthy
        })
        .unwrap();
    let updated = rig.read_after(10);
    assert_eq!(updated.driver.as_deref(), Ok("560.35.03"));
    assert_eq!(updated.gpus[0].gpu.driver_version, "560.35.03");
    assert_eq!(updated.gpus[0].telemetry.temperature_c.value, Ok(41));
}

#[test]
fn attempts_to_open_a_broken_driver_become_seldom() {
    let broken = |code| Scenario {
        init_error: Some(code),
        ..Scenario::default()
    };
    let mut rig = Rig::with(&broken(Code::NotFound));
    let mut attempts = Vec::new();
    let mut told = None;
    // The world breaks in another way each second, so another error tells that there was an attempt. Seven ways,
    // because no two neighbouring attempts are a multiple of seven seconds apart.
    let ways = [
        Code::Timeout,
        Code::IrqIssue,
        Code::InUse,
        Code::Memory,
        Code::NoData,
        Code::CorruptedInforom,
        Code::OperatingSystem,
    ];
    for (second, code) in (0..330).zip(ways.into_iter().cycle()) {
        rig.stage.set(&broken(code)).unwrap();
        let tells = rig
            .sensor
            .read(rig.now + Duration::from_secs(second))
            .driver
            .err();
        if tells != told {
            attempts.push(second);
            told = tells;
        }
    }
    assert_eq!(attempts, [0, 5, 15, 35, 75, 135, 195, 255, 315]);
}

#[test]
fn a_power_limit_is_set_within_its_range_and_seen() {
    let mut rig = Rig::with(&Scenario::with_gpus([Gpu::default()]));
    let uuid = rig.read_after(0).gpus[0].gpu.uuid.clone();

    assert_eq!(rig.sensor.set_power_limit(&uuid, 250_000), Ok(250_000));

    assert_eq!(
        rig.read_after(1).gpus[0].telemetry.power_limit_mw.value,
        Ok(250_000)
    );
    assert_eq!(
        rig.stage.applied().unwrap().power_limits_mw,
        [(uuid.clone(), 250_000)].into()
    );
    assert!(matches!(
        rig.sensor.set_power_limit(&uuid, 1),
        Err(SensorError::Other(_))
    ));
    assert_eq!(
        rig.sensor.set_power_limit("GPU-of-a-neighbour", 250_000),
        Err(SensorError::NoSuchGpu("GPU-of-a-neighbour".into()))
    );
}

#[test]
fn a_power_limit_without_the_right_to_set_it_is_refused_as_such() {
    let gpu = failing(
        Gpu::default(),
        "set_power_management_limit",
        Code::NoPermission,
    );
    let mut rig = Rig::with(&Scenario::with_gpus([gpu]));
    let uuid = rig.read_after(0).gpus[0].gpu.uuid.clone();

    assert_eq!(
        rig.sensor.set_power_limit(&uuid, 250_000),
        Err(SensorError::NoPermission)
    );
    assert!(rig.stage.applied().unwrap().power_limits_mw.is_empty());
    assert!(
        rig.read_after(1).driver.is_ok(),
        "a missing right is no reason to open the library again"
    );
}

#[tokio::test]
async fn the_watch_publishes_readings_and_sets_limits() {
    let folder = tempfile::tempdir().unwrap();
    let stage = nvml_sim::stage(folder.path(), &Scenario::with_gpus([Gpu::default()]))
        .unwrap_or_else(|error| panic!("{error}"));
    let library = Library::at(stage.library().to_owned());
    let watch = super::GpuWatch::start(super::GpuSources {
        at_rest: Duration::from_millis(10),
        ..super::GpuSources::of_machine(library)
    })
    .unwrap();
    let uuid = watch.first(Duration::from_secs(10)).await.unwrap().gpus[0]
        .gpu
        .uuid
        .clone();

    assert_eq!(watch.set_power_limit(&uuid, 300_000).await, Ok(300_000));

    let deadline = Instant::now() + Duration::from_secs(10);
    while watch.latest().unwrap().gpus[0]
        .telemetry
        .power_limit_mw
        .value
        != Ok(300_000)
    {
        assert!(Instant::now() < deadline, "the new limit was never read");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

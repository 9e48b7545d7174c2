//! Who uses a card, giving it back, and letting it sleep: the watch against the simulator, through the real
//! nvml-wrapper, with a `/proc` and a `/sys` of its own.

use std::sync::Arc;
use std::time::{Duration, Instant};

use nvml_sim::{Code, Gpu, Process, Scenario, Stage};

use super::testing::{FakeProc, Tree, until};
use super::{FreeOutcome, FreeWanted, GpuSources, GpuWatch, Library, SensorError, Snapshot};

const MIB: u64 = 1 << 20;
const PCI: &str = "bus/pci/devices/0000:65:00.0/power";

struct Rig {
    watch: GpuWatch,
    stage: Stage,
    proc: FakeProc,
    sys: Tree,
    _nvml: Tree,
}

impl Rig {
    async fn with(gpu: Gpu) -> Self {
        Self::paced(gpu, Duration::from_millis(10)).await
    }

    async fn paced(gpu: Gpu, every: Duration) -> Self {
        let (nvml, sys, proc) = (Tree::new(), Tree::new(), FakeProc::new());
        let stage = nvml_sim::stage(nvml.path(), &Scenario::with_gpus([gpu]))
            .unwrap_or_else(|error| panic!("{error}"));
        let watch = GpuWatch::start(GpuSources {
            library: Library::at(stage.library().to_owned()),
            sys: sys.path().to_owned(),
            proc: proc.path(),
            renting: Duration::from_millis(10),
            at_rest: every,
        })
        .unwrap();
        watch.first(Duration::from_secs(20)).await.unwrap();
        Self {
            watch,
            stage,
            proc,
            sys,
            _nvml: nvml,
        }
    }

    fn show(&self, gpu: Gpu) {
        self.stage.set(&Scenario::with_gpus([gpu])).unwrap();
    }

    /// The first snapshot that was begun after now and of which `met` holds.
    async fn snapshot(&self, what: &str, met: impl Fn(&Snapshot) -> bool) -> Arc<Snapshot> {
        let asked = Instant::now();
        until(what, || {
            let snapshot = self.watch.latest()?;
            (snapshot.at > asked && met(&snapshot)).then_some(snapshot)
        })
        .await
    }

    async fn free(&self, wanted: FreeWanted, within: Duration) -> FreeOutcome {
        let uuid = Gpu::default().uuid;
        self.watch.await_free(&uuid, wanted, within).await
    }
}

fn process(pid: u32, mib: u64) -> Process {
    Process {
        pid,
        memory_mib: Some(mib),
        ..Process::default()
    }
}

fn told(snapshot: &Snapshot) -> Vec<(String, Option<u8>, bool)> {
    let users = snapshot.gpus[0].telemetry.users.value.clone().unwrap();
    users
        .into_iter()
        .map(|user| (user.name, user.load_percent, user.computes))
        .collect()
}

#[tokio::test]
async fn a_game_that_starts_beside_our_job_is_seen_and_the_job_and_the_desktop_are_not() {
    let rig = Rig::with(Gpu::default()).await;
    let ours = "7f".repeat(32);
    let proc = &rig.proc;
    proc.start(20, "/usr/lib/xorg/Xorg", &["Xorg"]);
    proc.start(30, "/usr/bin/train", &["train"]);
    proc.tree.write(
        "30/cgroup",
        format!("0::/system.slice/docker-{ours}.scope\n"),
    );
    let job = Gpu {
        compute_processes: vec![process(30, 8_000)],
        graphics_processes: vec![process(20, 300)],
        ..Gpu::default()
    };
    rig.show(job.clone());
    let stranger = rig.snapshot("the process", |it| !told(it).is_empty()).await;
    assert_eq!(told(&stranger), [("train".to_owned(), Some(0), true)]);
    rig.watch.set_ours(vec![ours]);
    rig.snapshot("the job as ours", |it| told(it).is_empty())
        .await;

    proc.start(
        40,
        "/g/Proton 9.0/files/bin/wine64-preloader",
        &[r"Z:\g\Witcher 3\witcher3.exe"],
    );
    let game = Process {
        load_percent: Some(63),
        ..process(40, 3_000)
    };
    rig.show(Gpu {
        graphics_processes: vec![process(20, 300), game.clone()],
        // One that draws and computes is in both lists.
        compute_processes: vec![process(30, 8_000), game],
        ..job
    });
    let playing = rig.snapshot("the game", |it| !told(it).is_empty()).await;
    assert_eq!(told(&playing), [("witcher3".to_owned(), Some(63), true)]);
}

#[tokio::test]
async fn where_the_machines_processes_are_not_seen_users_are_unknown_and_not_none() {
    let rig = Rig::with(Gpu::default()).await;
    assert_eq!(told(&rig.watch.latest().unwrap()), []);
    let proc = FakeProc::new();
    proc.tree.remove("self");
    proc.tree.link("self/ns/pid", "pid:[4026532281]");
    let mut users = super::GpuUsers::new(proc.path());
    assert_eq!(
        users.among(&[], Instant::now()),
        Err(SensorError::OtherProcesses)
    );
}

#[tokio::test]
async fn a_driver_that_tells_no_shares_tells_the_users_all_the_same() {
    let rig = Rig::with(Gpu {
        compute_processes: vec![process(4_000_000, 10)],
        errors: [("process_utilization_stats".to_owned(), Code::NotSupported)].into(),
        ..Gpu::default()
    })
    .await;
    assert_eq!(
        told(&rig.watch.latest().unwrap()),
        [("Process 4000000".to_owned(), None, true)]
    );
}

#[tokio::test]
async fn only_heat_counts_as_heat() {
    const SW_POWER_CAP: u64 = 0x4;
    const HW_SLOWDOWN: u64 = 0x8;
    const SW_THERMAL: u64 = 0x20;
    const HW_THERMAL: u64 = 0x40;
    let rig = Rig::with(Gpu::default()).await;
    for (reasons, heat) in [
        (SW_THERMAL, true),
        (SW_POWER_CAP | HW_SLOWDOWN, false),
        (HW_THERMAL | HW_SLOWDOWN, true),
    ] {
        rig.show(Gpu {
            throttle_reasons: reasons,
            ..Gpu::default()
        });
        rig.snapshot("the reasons", |it| {
            it.gpus[0].sensed(it.at).0.heat_throttled == Some(heat)
        })
        .await;
    }
}

#[tokio::test]
async fn a_gpu_is_free_once_its_memory_is_and_the_job_is_gone() {
    let rig = Rig::paced(Gpu::default(), Duration::from_secs(60)).await;
    let before = rig.watch.latest().unwrap().gpus[0].unclaimed_bytes();
    assert_eq!(before, Some(512 * MIB));
    let ours = "7f".repeat(32);
    rig.proc.start(30, "/usr/bin/train", &["train"]);
    rig.proc
        .tree
        .write("30/cgroup", format!("0::/docker/{ours}\n"));
    rig.show(Gpu {
        memory_used_mib: 8_512,
        compute_processes: vec![process(30, 8_000)],
        ..Gpu::default()
    });
    let wanted = FreeWanted {
        at_most_bytes: (512 + 64) * MIB,
        pids: Vec::new(),
        containers: vec![ours],
    };
    let freeing = async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        // The process is gone from the list first, and a game takes memory at once: neither is the job's.
        let game = process(40, 2_000);
        rig.show(Gpu {
            memory_used_mib: 10_512,
            graphics_processes: vec![game.clone()],
            ..Gpu::default()
        });
        tokio::time::sleep(Duration::from_millis(100)).await;
        rig.show(Gpu {
            memory_used_mib: 2_512,
            graphics_processes: vec![game],
            ..Gpu::default()
        });
    };
    let (outcome, ()) = tokio::join!(rig.free(wanted, Duration::from_secs(20)), freeing);
    let FreeOutcome::Free { after, used_bytes } = outcome else {
        panic!("{outcome:?}")
    };
    assert_eq!(used_bytes, 2_512 * MIB);
    assert!(after >= Duration::from_millis(200), "{after:?}");
}

#[tokio::test]
async fn memory_that_stays_held_is_told_with_its_holders() {
    let rig = Rig::with(Gpu::default()).await;
    rig.proc.start(30, "/usr/bin/train", &["train"]);
    rig.show(Gpu {
        memory_used_mib: 8_512,
        compute_processes: vec![process(30, 8_000)],
        ..Gpu::default()
    });
    let wanted = FreeWanted {
        at_most_bytes: 576 * MIB,
        pids: vec![30],
        containers: Vec::new(),
    };
    let outcome = rig.free(wanted.clone(), Duration::from_millis(200)).await;
    let FreeOutcome::Held {
        used_bytes,
        held_bytes,
        suspects,
        holders,
    } = outcome
    else {
        panic!("{outcome:?}")
    };
    assert_eq!((used_bytes, suspects), (8_512 * MIB, holders.clone()));
    assert_eq!(held_bytes, (8_512 - 576) * MIB);
    let [holder] = holders.as_slice() else {
        panic!("{holders:?}")
    };
    assert_eq!((holder.name.as_str(), holder.pid), ("train", 30));
    assert_eq!(holder.memory_bytes, Some(8_000 * MIB));

    // Nobody is listed, and the memory is held all the same.
    rig.show(Gpu {
        memory_used_mib: 8_512,
        ..Gpu::default()
    });
    let outcome = rig.free(wanted.clone(), Duration::from_millis(200)).await;
    assert_eq!(
        outcome,
        FreeOutcome::Held {
            used_bytes: 8_512 * MIB,
            held_bytes: (8_512 - 576) * MIB,
            suspects: Vec::new(),
            holders: Vec::new()
        }
    );

    rig.show(Gpu {
        errors: [("*".to_owned(), Code::GpuIsLost)].into(),
        ..Gpu::default()
    });
    let outcome = rig.free(wanted, Duration::from_millis(200)).await;
    assert!(matches!(outcome, FreeOutcome::Unknown(_)), "{outcome:?}");
}

#[tokio::test]
async fn readings_are_rare_at_rest_and_begin_at_once_when_something_is_rented() {
    let rig = Rig::paced(Gpu::default(), Duration::from_secs(600)).await;
    let first = rig.watch.latest().unwrap().at;
    rig.show(Gpu {
        temperature_c: 77,
        ..Gpu::default()
    });
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(rig.watch.latest().unwrap().at, first, "read in between");
    rig.watch.pace(true);
    rig.snapshot("a reading", |it| {
        it.gpus[0].telemetry.temperature_c.value == Ok(77)
    })
    .await;
    rig.watch.pace(false);
}

#[tokio::test]
async fn a_card_that_sleeps_is_not_asked_and_wakes_for_a_power_limit() {
    let rig = Rig::with(Gpu::default()).await;
    rig.sys.write(&format!("{PCI}/control"), "auto\n");
    rig.sys
        .write(&format!("{PCI}/runtime_status"), "suspended\n");
    rig.snapshot("sleep", |it| {
        it.gpus[0].telemetry.memory.value == Err(SensorError::Asleep)
    })
    .await;
    // Whoever asked it now would be told something else.
    rig.stage
        .set(&Scenario {
            init_error: Some(Code::Unknown),
            ..Scenario::default()
        })
        .unwrap();
    let asleep = rig.snapshot("another look", |_| true).await;
    let (sensed, problem) = asleep.gpus[0].sensed(asleep.at);
    assert_eq!((problem, sensed.temperature_c), (None, Some(41)));
    assert_eq!(sensed.users, Some(Vec::new()));
    assert!(asleep.driver.is_ok());

    rig.show(Gpu::default());
    let uuid = Gpu::default().uuid;
    assert_eq!(rig.watch.set_power_limit(&uuid, 300_000).await, Ok(300_000));
    rig.sys.write(&format!("{PCI}/runtime_status"), "active\n");
    rig.snapshot("a reading", |it| {
        it.gpus[0].telemetry.power_limit_mw.value == Ok(300_000)
    })
    .await;
}

//! The probe and the benchmark as the agent uses them: in child processes of the real program, on real drivers (Mesa's
//! lavapipe where there is no GPU), and with stand-ins for drivers that misbehave.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test may stop at once"
)]

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use sublet_agent::bench::{self, BenchError, Failure};
use sublet_agent::child::ChildError;
use sublet_agent::probe::{self, AdapterId, ProbeError};

fn program() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_sublet-gpu"))
}

/// Mesa's lavapipe, the one software driver that every machine of ours can have; Windows has none that Vulkan sees.
#[cfg(unix)]
mod on_lavapipe {
    use super::*;
    use sublet_agent::bench::{KERNEL_VERSION, Stage};
    use sublet_agent::probe::{Adapter, AdapterKind};
    use sublet_agent::sensors::{self, GpuKind};

    async fn software_adapter() -> Adapter {
        let adapters = probe::run(program(), probe::TIMEOUT)
            .await
            .expect("the probe answers");
        adapters
            .into_iter()
            .find(|adapter| adapter.kind == AdapterKind::Software)
            .expect("Mesa's lavapipe is installed (Debian: mesa-vulkan-drivers)")
    }

    #[tokio::test]
    async fn the_probe_names_a_software_adapter_as_such() {
        let adapter = software_adapter().await;

        assert!(adapter.name.contains("llvmpipe"), "{}", adapter.name);
        assert!(
            adapter.driver_version().contains("Mesa"),
            "{}",
            adapter.driver_version()
        );
        assert_eq!(adapter.pci, None);
        let gpus = sensors::inventory(&[], &[adapter]).unwrap();
        assert_eq!(
            (gpus[0].id.as_str(), gpus[0].kind),
            ("sw-llvmpipe", GpuKind::Software)
        );
        assert!(gpus[0].info(None).software);
    }

    #[tokio::test]
    async fn the_benchmark_measures_and_tells_how_far_it_is() {
        let adapter = software_adapter().await;
        let mut heard = Vec::new();

        let result = bench::run(
            program(),
            &adapter.id,
            |progress| heard.push(progress),
            bench::TIMEOUT,
        )
        .await
        .expect("lavapipe computes rightly");

        assert_eq!(
            (result.adapter, result.kernel_version),
            (adapter.id, KERNEL_VERSION)
        );
        // A slow machine under load and the fastest CPU of today, with room on both sides.
        assert!(
            (0.05..5000.0).contains(&result.gflops_fp32),
            "{} GFLOP/s",
            result.gflops_fp32
        );
        assert!(
            (0.05..2000.0).contains(&result.bandwidth_gb_s),
            "{} GB/s",
            result.bandwidth_gb_s
        );
        assert!(result.gflops_spread >= 0.0 && result.bandwidth_spread >= 0.0);
        assert!(
            heard.windows(2).all(|pair| pair[0].done <= pair[1].done),
            "progress went back: {heard:?}"
        );
        for stage in [Stage::SetUp, Stage::MatrixProduct, Stage::Bandwidth] {
            assert!(
                heard.iter().any(|progress| progress.stage == stage),
                "{stage:?} was never reported"
            );
        }
        assert!(
            heard.last().is_some_and(|progress| progress.done > 0.99),
            "{heard:?}"
        );
    }
}

#[tokio::test]
async fn an_adapter_that_is_not_there_is_named() {
    let gone = AdapterId::new("vulkan-0000:99:00.0");
    let error = bench::run(program(), &gone, |_| {}, bench::TIMEOUT)
        .await
        .expect_err("there is no such adapter");
    assert!(
        matches!(&error, BenchError::Failed(Failure::NoSuchAdapter(id)) if id == gone.as_str()),
        "{error}"
    );
}

#[test]
fn a_child_ends_when_its_parent_is_gone() {
    let start = Instant::now();
    let mut orphan = Command::new(program())
        .args(["measure", "vulkan-10005-0000"])
        .env("SUBLET_PARENT_PIPE", "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("it starts");
    drop(orphan.stdin.take());
    while orphan.try_wait().unwrap().is_none() {
        if start.elapsed() > Duration::from_secs(60) {
            orphan.kill().unwrap();
            panic!("the child outlived its parent");
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(
        !orphan.wait().unwrap().success(),
        "it ended by itself before it could notice"
    );
}

#[tokio::test]
async fn a_program_that_is_not_there_is_said() {
    let error = probe::run(Path::new("/nowhere/sublet-gpu"), probe::TIMEOUT)
        .await
        .expect_err("no such program");
    assert!(
        matches!(error, ProbeError::Child(ChildError::NotStarted { .. })),
        "{error}"
    );
}

/// Shell scripts stand in for the child process.
#[cfg(unix)]
mod with_a_driver_that_misbehaves {
    use std::path::PathBuf;

    use super::*;
    use sublet_agent::child;

    fn driver_that(misbehaves: &str) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("tests/drivers")
            .join(format!("{misbehaves}.sh"))
    }

    #[tokio::test]
    async fn a_crashing_driver_is_an_error_and_no_crash() {
        let error = probe::run(&driver_that("crashes"), probe::TIMEOUT)
            .await
            .expect_err("the child crashed");
        let ProbeError::Child(ChildError::Crashed { how, errors }) = &error else {
            panic!("{error}")
        };
        assert_eq!(
            (how.as_str(), errors.as_str()),
            ("signal 11", "driver: assertion failed")
        );
    }

    #[tokio::test]
    async fn a_hanging_driver_is_given_up_and_its_process_ended() {
        let limit = Duration::from_millis(300);
        let start = Instant::now();
        let error = probe::run(&driver_that("hangs"), limit)
            .await
            .expect_err("the child hangs");
        assert!(
            matches!(error, ProbeError::Child(ChildError::TimedOut(after)) if after == limit),
            "{error}"
        );
        assert!(start.elapsed() < Duration::from_secs(3));

        let mut id = String::new();
        let hung = child::run(&driver_that("hangs"), &[], limit, |line| {
            line.clone_into(&mut id)
        })
        .await;
        assert!(matches!(hung, Err(ChildError::TimedOut(_))));
        assert!(
            !Path::new("/proc").join(&id).exists(),
            "process {id} is still there"
        );
    }

    #[tokio::test]
    async fn garbage_is_told_apart_from_an_answer() {
        let garbage = probe::run(&driver_that("babbles"), probe::TIMEOUT)
            .await
            .expect_err("half an answer");
        assert!(matches!(garbage, ProbeError::Garbage(_)), "{garbage}");

        let silence = probe::run(Path::new("/bin/true"), probe::TIMEOUT)
            .await
            .expect_err("no answer");
        assert!(matches!(silence, ProbeError::Garbage(_)), "{silence}");

        let flood = probe::run(&driver_that("floods"), probe::TIMEOUT)
            .await
            .expect_err("too long an answer");
        assert!(
            matches!(flood, ProbeError::Child(ChildError::TooMuchOutput)),
            "{flood}"
        );
    }

    #[tokio::test]
    async fn a_gpu_that_computes_wrongly_gets_no_score() {
        let adapter = AdapterId::new("vulkan-0000:65:00.0");
        let mut heard = Vec::new();

        let hear = |progress: bench::Progress| heard.push(progress.done);
        let error = bench::run(&driver_that("miscomputes"), &adapter, hear, bench::TIMEOUT)
            .await
            .expect_err("wrong is wrong");

        assert!(
            matches!(&error, BenchError::Failed(Failure::WrongResult { place: 7, result, .. }) if result.is_nan()),
            "{error}"
        );
        assert_eq!(heard, [0.5]);
        let silent = bench::run(Path::new("/bin/true"), &adapter, |_| {}, bench::TIMEOUT).await;
        assert!(matches!(silent, Err(BenchError::NoResult)));
    }
}

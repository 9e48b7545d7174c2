//! What every test here needs: a rig of its own, a registry, an image, and a clean floor afterwards, also after a
//! failure.

use super::registry::{Layer, Pushed, Registry};
use super::spec;
use crate::sandbox::{Exit, Sandbox, SandboxError, SandboxTerms};
use futures_util::StreamExt;
use serde_json::json;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, OnceLock};
use std::time::{Duration, Instant};
use sublet_protocol::ids::{LeaseId, RigId};
use sublet_protocol::job::{ImageRef, JobSpec};
use sublet_protocol::offer::HostLimits;

pub(super) struct Stage {
    pub sandbox: Sandbox,
    pub registry: Registry,
    pub rig: RigId,
    images: Mutex<Vec<ImageRef>>,
}

impl Stage {
    pub async fn set() -> Self {
        Self {
            sandbox: Sandbox::connect().await.expect("Docker runs here"),
            registry: Registry::open().await,
            rig: RigId::new(unique("rig")).unwrap(),
            images: Mutex::default(),
        }
    }

    /// The image of the inmate, pushed and not yet pulled. Different for every test.
    pub fn push(&self) -> Pushed {
        self.push_with(json!({}))
    }

    pub fn push_with(&self, mut settings: serde_json::Value) -> Pushed {
        // A label makes its digest this test's own, so that no other test removes or holds it.
        settings["Labels"] = json!({"test": unique("image")});
        self.push_program(&inmate(), settings)
    }

    pub fn push_program(&self, program: &[u8], settings: serde_json::Value) -> Pushed {
        let pushed = self.registry.push(program, settings);
        self.images.lock().unwrap().push(pushed.image.clone());
        pushed
    }

    pub fn push_layers(&self, layers: Vec<Layer>, mut settings: serde_json::Value) -> Pushed {
        settings["Labels"] = json!({"test": unique("image")});
        let pushed = self.registry.push_layers(layers, settings);
        self.images.lock().unwrap().push(pushed.image.clone());
        pushed
    }

    /// A spec that does these deeds, its image pulled.
    pub async fn spec(&self, deeds: &[&str]) -> JobSpec {
        let image = self.push().image;
        self.sandbox.pull(&image, |_, _| {}).await.unwrap();
        spec(image, deeds)
    }

    pub fn terms(&self, lease: &str, facts: sublet_protocol::offer::SandboxFacts) -> SandboxTerms {
        SandboxTerms {
            rig: self.rig.clone(),
            lease: LeaseId::new(unique(lease)).unwrap(),
            gpus: Vec::new(),
            limits: HostLimits {
                cpu_milli: 1000,
                memory_bytes: 256 << 20,
                output_bytes: 16 << 20,
                disk_bytes: None,
                longest_ms: None,
            },
            facts,
        }
    }

    /// Terms of a lease of its own, with what this host offers.
    pub async fn lease(&self) -> SandboxTerms {
        let facts = self.sandbox.facts().await.unwrap();
        self.terms("lease", facts)
    }

    /// Runs deeds to their end and returns what they said.
    pub async fn run(&self, deeds: &[&str]) -> (String, Exit) {
        let spec = self.spec(deeds).await;
        let terms = self.lease().await;
        self.run_spec(&spec, &terms).await.unwrap()
    }

    pub async fn run_spec(
        &self,
        spec: &JobSpec,
        terms: &SandboxTerms,
    ) -> Result<(String, Exit), SandboxError> {
        self.sandbox.start(spec, terms).await?;
        let exit = self.sandbox.wait(&terms.lease).await?;
        Ok((self.said(&terms.lease).await, exit))
    }

    /// What a job has said so far.
    pub async fn said(&self, lease: &LeaseId) -> String {
        let mut said = Vec::new();
        let mut chunks = self.sandbox.logs(lease, 0, false);
        while let Some(chunk) = chunks.next().await {
            said.extend_from_slice(&chunk.unwrap().bytes);
        }
        String::from_utf8(said).unwrap()
    }

    /// Waits until a job has said something.
    pub async fn until_said(&self, lease: &LeaseId, word: &str) {
        until(&format!("the job says `{word}`"), async || {
            self.said(lease).await.contains(word)
        })
        .await;
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        let rig = self.rig.clone();
        let images = std::mem::take(&mut *self.images.lock().unwrap());
        // The test's own runtime may be the one that is being torn down.
        let cleaned = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(clean(&rig, &images))
        })
        .join();
        if !std::thread::panicking() {
            cleaned.unwrap().unwrap();
        }
    }
}

async fn clean(rig: &RigId, images: &[ImageRef]) -> Result<(), SandboxError> {
    let sandbox = Sandbox::connect().await?;
    sandbox.remove_all_of(rig).await?;
    for image in images {
        sandbox.forget_image(image).await?;
        let options = bollard::query_parameters::RemoveImageOptionsBuilder::default()
            .force(true)
            .build();
        let removed = sandbox
            .docker
            .remove_image(image.as_str(), Some(options), None)
            .await;
        match removed {
            Ok(_) => {}
            // Never pulled.
            Err(bollard::errors::Error::DockerResponseServerError {
                status_code: 404, ..
            }) => {}
            Err(error) => {
                return Err(SandboxError::from_docker(
                    "remove a test's image",
                    Duration::ZERO,
                    error,
                ));
            }
        }
    }
    Ok(())
}

/// Polls until it holds, or fails the test after a while.
pub(super) async fn until(what: &str, holds: impl AsyncFn() -> bool) {
    let begun = Instant::now();
    while !holds().await {
        assert!(
            begun.elapsed() < Duration::from_secs(30),
            "waited 30 s until {what}"
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

pub(super) fn unique(what: &str) -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let time = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap()
        .as_nanos();
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    format!("test-{what}-{}-{time}-{count}", std::process::id())
}

/// The program inside, compiled once for a whole test run and kept beside the tests' own executable.
fn inmate() -> Vec<u8> {
    static PROGRAM: OnceLock<Vec<u8>> = OnceLock::new();
    PROGRAM
        .get_or_init(|| std::fs::read(compile()).unwrap())
        .clone()
}

fn compile() -> PathBuf {
    let source = include_str!("inmate.rs");
    let own = std::env::current_exe().unwrap();
    let folder = own.parent().unwrap();
    let (_, hash) = super::registry::digest(source.as_bytes())
        .split_once(':')
        .map(|(a, b)| (a.to_owned(), b[..16].to_owned()))
        .unwrap();
    let program = folder.join(format!("inmate-{hash}"));
    if program.exists() {
        return program;
    }
    // Another test process may be doing the same; the last one's renaming wins, and all are equal.
    let work = tempfile::tempdir_in(folder).unwrap();
    let input = work.path().join("inmate.rs");
    std::fs::write(&input, source).unwrap();
    let fresh = work.path().join("inmate");
    rustc(&input, &fresh);
    std::fs::rename(&fresh, &program).unwrap();
    program
}

fn rustc(input: &Path, output: &Path) {
    let outcome = std::process::Command::new(std::env::var_os("RUSTC").unwrap_or("rustc".into()))
        .args([
            "--edition=2024",
            "-Copt-level=s",
            "-Cpanic=abort",
            "-Cstrip=symbols",
        ])
        .arg("-Ctarget-feature=+crt-static")
        .arg(input)
        .arg("-o")
        .arg(output)
        .output()
        .expect("rustc compiles the program inside the tests' containers");
    assert!(
        outcome.status.success(),
        "{}",
        String::from_utf8_lossy(&outcome.stderr)
    );
}

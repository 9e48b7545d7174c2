//! A job that means harm, in the sandbox on a real Docker. Each attack of the table is made twice: in the sandbox,
//! where it must get nothing, and where that does no harm without one, where it must get something. The attacker is
//! the program `hostile` (tests/hostile), each of its words an image's command.

mod disk;
mod image;
mod keep;
mod network;
mod outputs;
mod owner;
mod program;
mod rights;
mod shares;
mod table;

use super::Stage;
use super::registry::Layer;
use super::stage::unique;
use crate::sandbox::{Exit, SandboxTerms};
use bollard::models::{
    ContainerCreateBody, EndpointIpamConfig, EndpointSettings, HostConfig,
    HostConfigCgroupnsModeEnum, NetworkingConfig,
};
use bollard::query_parameters::{
    CreateContainerOptionsBuilder, LogsOptionsBuilder, RemoveContainerOptionsBuilder,
    StartContainerOptions, WaitContainerOptions,
};
use futures_util::StreamExt;
use serde::Deserialize;
use std::collections::HashMap;
use std::time::Duration;
use sublet_protocol::job::JobSpec;

/// What the attacker says of itself in its last line.
#[derive(Debug, Default, Deserialize)]
struct Told {
    attack: String,
    tried: Vec<String>,
    got: Vec<String>,
}

fn told(said: &str) -> Told {
    // What was typed into its terminal may stand before it.
    let line = said.lines().rev().find_map(|line| {
        let begin = line.find("{\"attack\"")?;
        line.get(begin..)
    });
    let line = line.unwrap_or_else(|| panic!("the attacker told nothing but:\n{said}"));
    serde_json::from_str(line).unwrap()
}

/// A stage whose image is the attacker.
struct Scene {
    stage: Stage,
    image: sublet_protocol::job::ImageRef,
}

impl Scene {
    async fn set() -> Scene {
        Self::with_mode(0o755).await
    }

    /// The attacker's program has these rights in its image.
    async fn with_mode(mode: u32) -> Scene {
        Self::of(mode, serde_json::json!({})).await
    }

    /// The attacker's image has these settings.
    async fn with_settings(settings: serde_json::Value) -> Scene {
        Self::of(0o755, settings).await
    }

    async fn of(mode: u32, settings: serde_json::Value) -> Scene {
        let stage = Stage::set().await;
        let layer = Layer::of_program("hostile", &program::bytes(), mode);
        let image = stage.push_layers(vec![layer], settings).image;
        stage.sandbox.pull(&image, |_, _| {}).await.unwrap();
        Scene { stage, image }
    }

    fn spec(&self, words: &[&str]) -> JobSpec {
        super::spec(self.image.clone(), words)
    }

    /// Runs an attack in the sandbox.
    async fn inside(&self, words: &[&str]) -> (String, Exit) {
        let terms = self.stage.lease().await;
        self.inside_with(&self.spec(words), &terms).await
    }

    async fn inside_with(&self, spec: &JobSpec, terms: &SandboxTerms) -> (String, Exit) {
        let run = self.stage.run_spec(spec, terms);
        let run = tokio::time::timeout(Duration::from_secs(60), run).await;
        run.expect("the attack ends within a minute").unwrap()
    }

    /// Runs an attack in a container of Docker's own, without the sandbox.
    async fn outside(&self, words: &[&str], freedom: Freedom) -> String {
        let name = freedom.start(self, words).await;
        let docker = &self.stage.sandbox.docker;
        let mut exits = std::pin::pin!(docker.wait_container(&name, None::<WaitContainerOptions>));
        let waited = tokio::time::timeout(Duration::from_secs(60), exits.next()).await;
        waited.expect("the control ends within a minute");
        let said = self.said(&name).await;
        self.end(&name).await;
        said
    }

    async fn said(&self, name: &str) -> String {
        let options = LogsOptionsBuilder::default()
            .stdout(true)
            .stderr(true)
            .build();
        let mut pieces = std::pin::pin!(self.stage.sandbox.docker.logs(name, Some(options)));
        let mut said = Vec::new();
        while let Some(piece) = pieces.next().await {
            said.extend_from_slice(&piece.unwrap().into_bytes());
        }
        String::from_utf8_lossy(&said).into_owned()
    }

    async fn end(&self, name: &str) {
        let options = RemoveContainerOptionsBuilder::default()
            .force(true)
            .v(true)
            .build();
        let removed = self
            .stage
            .sandbox
            .docker
            .remove_container(name, Some(options));
        removed.await.unwrap();
    }

    /// The attack gets nothing in the sandbox, and something with this freedom.
    async fn holds(&self, words: &[&str], freedom: Freedom) {
        let attack = table::named(words[0]);
        assert!(
            attack.control.is_ok(),
            "the table says that it is not run outside"
        );
        let ((said, _), free) = tokio::join!(self.inside(words), self.outside(words, freedom));
        assert_nothing(words[0], &said);
        let free = told(&free);
        assert!(
            !free.got.is_empty(),
            "not even without the sandbox did `{}` get anything, so it shows nothing: {:#?}",
            words[0],
            free.tried
        );
    }
}

/// It tried, and got nothing.
#[track_caller]
fn assert_nothing(attack: &str, said: &str) {
    let told = told(said);
    assert_eq!(told.attack, attack);
    assert!(!told.tried.is_empty(), "`{attack}` tried nothing");
    assert!(told.got.is_empty(), "`{attack}` got {:#?}", told.got);
}

/// What the attacks would need.
const RIGHTS: [&str; 19] = [
    "DAC_READ_SEARCH",
    "IPC_LOCK",
    "IPC_OWNER",
    "LEASE",
    "LINUX_IMMUTABLE",
    "MAC_ADMIN",
    "MKNOD",
    "NET_ADMIN",
    "NET_RAW",
    "SYSLOG",
    "SYS_ADMIN",
    "SYS_BOOT",
    "SYS_CHROOT",
    "SYS_MODULE",
    "SYS_NICE",
    "SYS_PTRACE",
    "SYS_RAWIO",
    "SYS_TIME",
    "SYS_TTY_CONFIG",
];

/// What a container without the sandbox may do.
#[derive(Default)]
struct Freedom {
    user: Option<&'static str>,
    terminal: bool,
    address: Option<String>,
    host: HostConfig,
}

impl Freedom {
    /// As root, with every right, in the host's own namespaces.
    fn privileged() -> Freedom {
        Freedom {
            user: Some("0:0"),
            terminal: false,
            address: None,
            host: HostConfig {
                // Not `privileged`, which fails where Docker itself lacks one of the rights.
                cap_add: Some(RIGHTS.map(String::from).into()),
                masked_paths: Some(Vec::new()),
                readonly_paths: Some(Vec::new()),
                device_cgroup_rules: Some(vec!["a *:* rwm".into()]),
                binds: Some(vec!["/dev:/dev".into(), "/sys:/sys".into()]),
                pid_mode: Some("host".into()),
                ipc_mode: Some("host".into()),
                network_mode: Some("host".into()),
                cgroupns_mode: Some(HostConfigCgroupnsModeEnum::HOST),
                security_opt: Some(vec![
                    "seccomp=unconfined".into(),
                    "apparmor=unconfined".into(),
                ]),
                ..bounded()
            },
        }
    }

    /// A plain `docker run`, with no more than the test's own bound on memory.
    fn plain() -> Freedom {
        Freedom {
            user: Some("0:0"),
            terminal: false,
            address: None,
            host: bounded(),
        }
    }

    fn with(mut self, change: impl FnOnce(&mut HostConfig)) -> Freedom {
        change(&mut self.host);
        self
    }

    /// With this address in the network that it is put in.
    fn with_address(mut self, address: &str) -> Freedom {
        self.address = Some(address.to_owned());
        self
    }

    /// Starts it and returns the container's name; its label lets the stage clear it away.
    async fn start(self, scene: &Scene, words: &[&str]) -> String {
        let name = format!("sublet-{}", unique("control"));
        let options = CreateContainerOptionsBuilder::default().name(&name).build();
        let endpoints = self.address.map(|address| {
            let endpoint = EndpointSettings {
                ipam_config: Some(EndpointIpamConfig {
                    ipv4_address: Some(address),
                    ..EndpointIpamConfig::default()
                }),
                ..EndpointSettings::default()
            };
            let network = self.host.network_mode.clone().unwrap_or_default();
            NetworkingConfig {
                endpoints_config: Some(HashMap::from([(network, endpoint)])),
            }
        });
        let body = ContainerCreateBody {
            networking_config: endpoints,
            image: Some(scene.image.to_string()),
            cmd: Some(words.iter().map(|word| (*word).to_owned()).collect()),
            user: self.user.map(str::to_owned),
            tty: Some(self.terminal),
            open_stdin: Some(self.terminal),
            host_config: Some(self.host),
            ..ContainerCreateBody::default()
        };
        let docker = &scene.stage.sandbox.docker;
        docker.create_container(Some(options), body).await.unwrap();
        let started = docker
            .start_container(&name, None::<StartContainerOptions>)
            .await;
        if let Err(error) = started {
            scene.end(&name).await;
            panic!("the control does not start: {error}");
        }
        name
    }
}

/// Enough for every control, and no danger to the machine that the tests run on.
fn bounded() -> HostConfig {
    HostConfig {
        // Whoever needs one says which; Docker's own bridge may be missing.
        network_mode: Some("none".into()),
        memory: Some(512 << 20),
        memory_swap: Some(512 << 20),
        pids_limit: Some(500),
        ..HostConfig::default()
    }
}

/// Makes a test of each attack that needs nothing around it.
macro_rules! attacks {
    ($($test:ident: $word:literal, $freedom:expr;)*) => {
        $(
            #[tokio::test]
            async fn $test() {
                super::Scene::set().await.holds(&[$word], $freedom).await;
            }
        )*
    };
}
use attacks;

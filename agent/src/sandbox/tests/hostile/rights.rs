//! Rights over the kernel, the machine and other processes.

use super::{Freedom, Scene, assert_nothing, attacks, told};

attacks! {
    mounting: "mount", Freedom::privileged();
    mounting_by_the_newer_calls: "new-mount-api", Freedom::privileged();
    namespaces_of_its_own: "unshare", Freedom::privileged();
    namespaces_for_a_child: "clone-namespaces", Freedom::privileged();
    namespaces_of_others: "join-namespaces", Freedom::privileged();
    root: "become-root", Freedom::privileged();
    better_priority: "priority", Freedom::privileged();
    the_clock: "set-clock", Freedom::privileged();
    the_hosts_name: "host-name", Freedom::privileged().with(|host| {
        // Its own, so that no other's changes.
        host.network_mode = Some("none".into());
    });
    the_switch: "reboot", Freedom::privileged();
    swap: "swap", Freedom::privileged();
    keyrings: "keyring", Freedom::privileged();
    programs_in_the_kernel: "bpf", Freedom::privileged();
    counters: "perf", Freedom::privileged();
    page_faults: "userfaultfd", Freedom::privileged();
    rings: "io-uring", Freedom::privileged();
    personality: "personality", Freedom::privileged();
    the_kernels_log: "kernel-log", Freedom::privileged();
    the_kernels_memory: "kernel-memory", Freedom::privileged();
    the_kernels_settings: "kernel-settings", Freedom::privileged();
    a_program_at_a_groups_end: "cgroup-release-agent", Freedom::privileged();
    settings_of_devices: "devices-of-sys", Freedom::privileged();
    ports_and_devices: "raw-hardware", Freedom::privileged();
    the_kernels_bookkeeping: "kernel-bookkeeping", Freedom::privileged();
    requests_of_the_whole_machine: "aio", Freedom::privileged();
    higher_limits: "raise-limits", Freedom::plain();
}

#[tokio::test]
async fn others_do_not_go_first_when_memory_runs_out() {
    let (said, _) = Scene::set().await.inside(&["survive-memory-killer"]).await;
    assert_nothing("survive-memory-killer", &said);
}

#[tokio::test]
async fn modules_and_other_kernels_are_refused_before_the_kernel_is_asked() {
    let (said, _) = Scene::set().await.inside(&["load-module"]).await;
    assert_nothing("load-module", &said);
    // A kernel without modules says that it has none; the filter says that it is forbidden.
    for tried in told(&said).tried {
        assert!(tried.contains("not permitted"), "{tried}");
    }
}

#[tokio::test]
async fn a_terminal_to_type_into() {
    let mut free = Freedom::privileged();
    free.terminal = true;
    // It has a terminal of its own, which the host's devices would hide.
    free.host.binds = None;
    Scene::set()
        .await
        .holds(&["type-into-terminal"], free)
        .await;
}

/// A process of the host; ended with the test.
struct Victim(std::process::Child);

impl Victim {
    fn start(secret: &str) -> Victim {
        let child = std::process::Command::new("sleep")
            .arg("300")
            .env("SECRET", secret)
            .spawn()
            .unwrap();
        Victim(child)
    }

    fn pid(&self) -> String {
        self.0.id().to_string()
    }
}

impl Drop for Victim {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

#[tokio::test]
async fn a_process_of_the_host_is_not_traced() {
    let victim = Victim::start("none");
    let words = ["ptrace", &victim.pid()];
    Scene::set()
        .await
        .holds(&words, Freedom::privileged())
        .await;
}

#[tokio::test]
async fn a_process_of_the_host_is_neither_signalled_nor_seen() {
    let victim = Victim::start("none");
    let words = ["signal-others", &victim.pid()];
    Scene::set()
        .await
        .holds(&words, Freedom::privileged())
        .await;
}

#[tokio::test]
async fn no_environment_of_the_host_is_read() {
    let secret = super::unique("secret");
    let _victim = Victim::start(&secret);
    // The word itself stands in the attacker's own arguments, never in its environment.
    let words = ["host-environment", &secret];
    Scene::set()
        .await
        .holds(&words, Freedom::privileged())
        .await;
}

#[tokio::test]
async fn no_memory_is_shared_with_others() {
    let scene = Scene::set().await;
    let key = (std::process::id() & 0x7fff_ffff).to_string();
    let holder = Freedom::privileged()
        .start(&scene, &["hold-shared-memory", &key])
        .await;
    super::super::stage::until("the memory is there", async || {
        scene.said(&holder).await.contains("ready")
    })
    .await;
    scene
        .holds(&["shared-memory", &key], Freedom::privileged())
        .await;
    scene.end(&holder).await;
    scene
        .outside(&["drop-shared-memory", &key], Freedom::privileged())
        .await;
}

#[tokio::test]
async fn a_set_user_id_program_of_the_image_stays_nobodys() {
    let scene = Scene::with_mode(0o4755).await;
    let mut free = Freedom::plain();
    free.user = Some("65534:65534");
    scene.holds(&["setuid-program"], free).await;
}

#[tokio::test]
async fn variables_of_the_image_choose_no_gpu() {
    let variables = [
        "NVIDIA_VISIBLE_DEVICES=all",
        "NVIDIA_DRIVER_CAPABILITIES=all",
        "NVIDIA_GDS=enabled",
        "NVIDIA_GDRCOPY=enabled",
        "NVIDIA_MOFED=enabled",
        "NVIDIA_IMEX_CHANNELS=0",
        "NVIDIA_MIG_CONFIG_DEVICES=all",
        "CUDA_VISIBLE_DEVICES=0,1,2,3",
        "CUDA_MPS_PIPE_DIRECTORY=/tmp/mps",
    ];
    Scene::with_settings(serde_json::json!({"Env": variables}))
        .await
        .holds(&["widen-gpus"], Freedom::plain())
        .await;
}

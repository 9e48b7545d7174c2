//! The probe on a real Docker: what it finds of a container that is made as a job's is, and that it finds each thing
//! missing where it was taken away.

use crate::sandbox::names::{ROLE, Role};
use crate::sandbox::{Sandbox, SandboxError};
use bollard::models::{ContainerCreateBody, HostConfig};
use bollard::query_parameters::ListContainersOptionsBuilder;
use std::collections::HashMap;
use sublet_protocol::offer::Part;

#[tokio::test]
async fn a_job_is_held_in_on_this_host_and_nothing_is_left_of_the_probe() {
    let sandbox = Sandbox::connect().await.unwrap();
    let facts = sandbox.facts_measured().await.unwrap();
    let found = facts.enforced.as_ref().unwrap();
    assert_eq!(found.gaps, [""; 0]);
    assert!(found.seccomp && found.no_new_privileges && found.no_capabilities);
    assert!(found.no_network && found.read_only_root && found.memory && found.pids);
    assert_eq!(found.cgroup_version, facts.cgroup_version);
    assert_eq!(found.userns, facts.userns);
    assert_eq!(found.nvidia == Part::Absent, !facts.nvidia);
    let kernel = std::fs::read_to_string("/sys/module/apparmor/parameters/enabled");
    let in_kernel = kernel.is_ok_and(|enabled| enabled.trim() == "Y");
    assert!(in_kernel || found.apparmor.is_none(), "{found:?}");

    let label = format!("{ROLE}={}", Role::Probe.name());
    let filters = HashMap::from([("label", vec![label])]);
    let options = ListContainersOptionsBuilder::default()
        .all(true)
        .filters(&filters)
        .build();
    super::stage::until("the probe's containers are gone", async || {
        // Other tests may probe at the same time; they end as well.
        let listed = sandbox.docker.list_containers(Some(options.clone())).await;
        listed.unwrap().is_empty()
    })
    .await;
}

/// Takes something away, and returns what the probe then says of it.
async fn gaps(change: impl FnOnce(&mut ContainerCreateBody)) -> Result<Vec<String>, SandboxError> {
    let sandbox = Sandbox::connect().await?;
    let says = sandbox.says().await?;
    sandbox.gaps_with(&says, change).await
}

fn security(host: &mut HostConfig) -> &mut Vec<String> {
    host.security_opt.get_or_insert_default()
}

macro_rules! found {
    ($($test:ident: $word:literal, $change:expr;)*) => {
        $(
            #[tokio::test]
            async fn $test() {
                let change: fn(&mut HostConfig) = $change;
                let gaps = gaps(|body| change(body.host_config.as_mut().unwrap())).await.unwrap();
                assert!(gaps.iter().any(|gap| gap.contains($word)), "{gaps:?}");
            }
        )*
    };
}

found! {
    a_missing_filter_is_found: "not filtered", |host| {
        *security(host) = vec!["no-new-privileges:true".into(), "seccomp=unconfined".into()];
    };
    another_filter_than_ours_is_found: "does not refuse", |host| {
        security(host).retain(|option| !option.starts_with("seccomp="));
    };
    rights_to_be_gained_are_found: "gain rights", |host| {
        security(host).retain(|option| !option.starts_with("no-new-privileges"));
    };
    capabilities_are_found: "capabilities", |host| host.cap_add = Some(vec!["CHOWN".into()]);
    a_root_to_write_to_is_found: "root file system", |host| host.readonly_rootfs = Some(false);
    endless_memory_is_found: "memory", |host| {
        (host.memory, host.memory_swap) = (None, None);
    };
    endless_processes_are_found: "processes", |host| host.pids_limit = None;
}

#[tokio::test]
async fn a_network_is_found() {
    let found = gaps(|body| {
        body.network_disabled = Some(false);
        body.host_config.as_mut().unwrap().network_mode = Some("host".into());
    });
    let gaps = found.await.unwrap();
    assert!(gaps.iter().any(|gap| gap.contains("a way out")), "{gaps:?}");
}

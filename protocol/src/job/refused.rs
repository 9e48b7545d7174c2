//! Keys that Compose has and a job never gets, each with the reason.

use serde::Deserialize;
use serde::de::{Deserializer, Error as _};

/// A key that is never taken: its mere presence is an error that says why.
macro_rules! refused {
    ($($name:ident: $why:literal;)*) => {
        $(
            #[derive(Default)]
            pub(in crate::job) struct $name;

            impl<'de> Deserialize<'de> for $name {
                fn deserialize<D: Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
                    Err(D::Error::custom($why))
                }
            }
        )*
    };
}

refused! {
    Privileged: "`privileged` is refused: it would give the job the whole machine";
    Volumes: "`volumes` is refused: a job reaches no file of the host; name `outputs` to keep what it writes";
    NetworkMode: "`network_mode` is refused: a job has no network";
    Networks: "`networks` is refused: a job has no network";
    Ports: "`ports` is refused: a job has no network";
    Pid: "`pid` is refused: a job sees its own processes only";
    Ipc: "`ipc` is refused: a job shares no memory with the host";
    Uts: "`uts` is refused: a job has its own host name";
    UsernsMode: "`userns_mode` is refused: it would lift the user mapping";
    CapAdd: "`cap_add` is refused: a job has no capabilities";
    Devices: "`devices` is refused: ask for GPUs under deploy.resources.reservations.devices or x-sublet.gpu";
    SecurityOpt: "`security_opt` is refused: it could lift the seccomp filter";
    Sysctls: "`sysctls` is refused: kernel settings stay the host's";
    GroupAdd: "`group_add` is refused: a job has no groups of the host";
    Runtime: "`runtime` is refused: the rig chooses how it contains a job";
    User: "`user` is refused: a job always runs as user 65534";
    Build: "`build` is refused: a job names a finished image by digest";
    Later: "this key is part of the design, but this version does not serve it yet; leave it out";
}

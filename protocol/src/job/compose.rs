//! Reads the Compose subset. Keys that this project refuses are refused by name with the reason; keys it does
//! not know are refused as unknown; both say where they stand.

use super::{GpuNeed, ImageRef, JobSpec, quantity};
use crate::money::{HourlyPrice, MicroUsd};
use serde::Deserialize;
use serde::de::{Deserializer, Error as _};
use serde_saphyr::Spanned;
use std::collections::BTreeMap;

/// A job spec that cannot be taken, and where in the text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: {what}")]
pub struct JobError {
    /// From 1; 0 where the text as a whole is meant.
    pub line: u64,
    /// From 1.
    pub column: u64,
    /// What is wrong, and what to write instead.
    pub what: String,
}

/// The largest spec that is read, in bytes.
const MOST_BYTES: usize = 64 * 1024;

/// Reads and checks a job spec.
///
/// # Errors
/// The first thing that is wrong, with its place.
pub fn parse(text: &str) -> Result<JobSpec, JobError> {
    if text.len() > MOST_BYTES {
        return Err(JobError {
            line: 0,
            column: 0,
            what: format!(
                "the job spec is {} bytes long; at most {MOST_BYTES} are read",
                text.len()
            ),
        });
    }
    let file: File = serde_saphyr::from_str(text).map_err(|error| {
        let place = error.location();
        JobError {
            line: place.map_or(0, |p| p.line()),
            column: place.map_or(0, |p| p.column()),
            what: bare_message(&error),
        }
    })?;
    let services = &file.services;
    let mut entries = services.value.iter();
    let (Some((name, service)), None) = (entries.next(), entries.next()) else {
        let what = format!(
            "`services` names {} services; a job has exactly one",
            services.value.len()
        );
        return Err(at(services, what));
    };
    service.spec(name)
}

fn bare_message(error: &serde_saphyr::Error) -> String {
    let text = error.without_snippet().to_string();
    // The place is already in our own fields.
    match text.rsplit_once(" at line ") {
        Some((what, place)) if place.bytes().next().is_some_and(|b| b.is_ascii_digit()) => {
            what.to_owned()
        }
        _ => text,
    }
}

fn at<T>(spanned: &Spanned<T>, what: impl Into<String>) -> JobError {
    JobError {
        line: spanned.referenced.line(),
        column: spanned.referenced.column(),
        what: what.into(),
    }
}

/// Reads a quantity written as text or as a bare number.
fn quantity_at<T>(
    field: &Option<Spanned<Scalar>>,
    default: T,
    read: impl Fn(&str) -> Result<T, String>,
) -> Result<T, JobError> {
    match field {
        None => Ok(default),
        Some(value) => read(&value.value.0).map_err(|what| at(value, what)),
    }
}

/// A scalar as text, whatever YAML would make of it.
struct Scalar(String);

impl<'de> Deserialize<'de> for Scalar {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl serde::de::Visitor<'_> for Visitor {
            type Value = Scalar;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a single value")
            }
            fn visit_str<E>(self, text: &str) -> Result<Scalar, E> {
                Ok(Scalar(text.to_owned()))
            }
            fn visit_u64<E>(self, n: u64) -> Result<Scalar, E> {
                Ok(Scalar(n.to_string()))
            }
            fn visit_i64<E>(self, n: i64) -> Result<Scalar, E> {
                Ok(Scalar(n.to_string()))
            }
            fn visit_f64<E>(self, n: f64) -> Result<Scalar, E> {
                Ok(Scalar(n.to_string()))
            }
            fn visit_bool<E>(self, b: bool) -> Result<Scalar, E> {
                Ok(Scalar(b.to_string()))
            }
        }
        deserializer.deserialize_str(Visitor)
    }
}

/// A key that is never taken: its mere presence is an error that says why.
macro_rules! refused {
    ($($name:ident: $why:literal;)*) => {
        $(
            #[derive(Default)]
            struct $name;

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

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[expect(
        dead_code,
        reason = "read so that it is allowed; Compose itself ignores it"
    )]
    version: Option<String>,
    #[expect(
        dead_code,
        reason = "read so that it is allowed; the service's name is used"
    )]
    name: Option<String>,
    services: Spanned<BTreeMap<String, Service>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "refused keys are read to be refused")]
struct Service {
    image: Spanned<String>,
    command: Option<Vec<String>>,
    #[serde(default)]
    environment: Option<Spanned<Environment>>,
    #[serde(default)]
    deploy: Deploy,
    #[serde(rename = "x-sublet")]
    sublet: Spanned<Sublet>,

    privileged: Option<Privileged>,
    volumes: Option<Volumes>,
    network_mode: Option<NetworkMode>,
    networks: Option<Networks>,
    ports: Option<Ports>,
    pid: Option<Pid>,
    ipc: Option<Ipc>,
    uts: Option<Uts>,
    userns_mode: Option<UsernsMode>,
    cap_add: Option<CapAdd>,
    devices: Option<Devices>,
    security_opt: Option<SecurityOpt>,
    sysctls: Option<Sysctls>,
    group_add: Option<GroupAdd>,
    runtime: Option<Runtime>,
    user: Option<User>,
    build: Option<Build>,
}

/// Variables as Compose writes them: a map, or a list of `NAME=value`. No value is one taken from the shell.
struct Environment(Vec<(String, Option<String>)>);

impl<'de> Deserialize<'de> for Environment {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> serde::de::Visitor<'de> for Visitor {
            type Value = Environment;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a map of variables, or a list of NAME=value")
            }
            fn visit_map<A: serde::de::MapAccess<'de>>(
                self,
                mut map: A,
            ) -> Result<Environment, A::Error> {
                let mut pairs = Vec::new();
                while let Some((name, value)) = map.next_entry::<String, Option<Scalar>>()? {
                    pairs.push((name, value.map(|v| v.0)));
                }
                Ok(Environment(pairs))
            }
            fn visit_seq<A: serde::de::SeqAccess<'de>>(
                self,
                mut list: A,
            ) -> Result<Environment, A::Error> {
                let mut pairs = Vec::new();
                while let Some(line) = list.next_element::<String>()? {
                    pairs.push(match line.split_once('=') {
                        Some((name, value)) => (name.to_owned(), Some(value.to_owned())),
                        None => (line, None),
                    });
                }
                Ok(Environment(pairs))
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct Deploy {
    resources: Resources,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct Resources {
    limits: Limits,
    reservations: Reservations,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct Limits {
    cpus: Option<Spanned<Scalar>>,
    memory: Option<Spanned<Scalar>>,
    pids: Option<Spanned<u32>>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct Reservations {
    devices: Option<Spanned<Vec<Device>>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Device {
    #[expect(
        dead_code,
        reason = "any vendor's driver will do; x-sublet.gpu.model narrows"
    )]
    driver: Option<String>,
    count: Option<u32>,
    capabilities: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "keys of later versions are read to be refused")]
struct Sublet {
    gpu: Option<Gpu>,
    max_price_per_hour: Spanned<Scalar>,
    deadline: Option<Spanned<Scalar>>,
    retries: Option<Spanned<u32>>,
    outputs: Option<Spanned<Vec<String>>>,
    reclaim_grace: Option<Spanned<Scalar>>,
    network: Option<Spanned<String>>,
    inputs: Option<Later>,
    checkpoint: Option<Later>,
    verify: Option<Later>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Gpu {
    count: Option<Spanned<u32>>,
    vram_min: Option<Spanned<Scalar>>,
    score_min: Option<u32>,
    model: Option<String>,
    #[serde(default)]
    allow_software: bool,
}

const MINUTE_MS: u64 = 60_000;
const LONGEST_MS: u64 = 7 * 24 * 60 * MINUTE_MS;

impl Service {
    fn spec(&self, name: &str) -> Result<JobSpec, JobError> {
        let sublet = &self.sublet.value;
        let image: ImageRef = self
            .image
            .value
            .parse()
            .map_err(|e: super::ImageError| at(&self.image, e.to_string()))?;
        let limits = &self.deploy.resources.limits;
        if let Some(network) = &sublet.network
            && network.value != "none"
        {
            return Err(at(
                network,
                "`network` can only be `none`: this version gives a job no network",
            ));
        }
        let max_price = &sublet.max_price_per_hour;
        let price: MicroUsd = max_price
            .value
            .0
            .parse()
            .map_err(|e: crate::money::AmountError| at(max_price, e.to_string()))?;
        Ok(JobSpec {
            name: name.to_owned(),
            image,
            command: self.command.clone(),
            environment: self.environment()?,
            gpu: self.gpu()?,
            cpu_milli: quantity_at(&limits.cpus, 1000, |text| {
                in_range(
                    quantity::cpu_milli(text)?,
                    10,
                    1_024_000,
                    "cpus",
                    "0.01 to 1024",
                )
            })?,
            memory_bytes: quantity_at(&limits.memory, 2 << 30, |text| {
                in_range(
                    quantity::bytes(text)?,
                    16 << 20,
                    16 << 40,
                    "memory",
                    "16m to 16t",
                )
            })?,
            pids: match &limits.pids {
                None => 256,
                Some(pids) => in_range(pids.value, 4, 32_768, "pids", "4 to 32768")
                    .map_err(|e| at(pids, e))?,
            },
            max_price: HourlyPrice(price),
            deadline_ms: quantity_at(&sublet.deadline, 60 * MINUTE_MS, |text| {
                in_range(
                    quantity::milliseconds(text)?,
                    1_000,
                    LONGEST_MS,
                    "deadline",
                    "1s to 168h",
                )
            })?,
            retries: match &sublet.retries {
                None => 2,
                Some(retries) => in_range(retries.value, 0, 100, "retries", "0 to 100")
                    .map_err(|e| at(retries, e))?,
            },
            outputs: self.outputs()?,
            reclaim_grace_ms: quantity_at(&sublet.reclaim_grace, 0, |text| {
                in_range(
                    quantity::milliseconds(text)?,
                    0,
                    10 * MINUTE_MS,
                    "reclaim_grace",
                    "0s to 10m",
                )
            })?,
        })
    }

    fn environment(&self) -> Result<BTreeMap<String, String>, JobError> {
        let Some(environment) = &self.environment else {
            return Ok(BTreeMap::new());
        };
        let mut checked = BTreeMap::new();
        for (name, value) in environment.value.0.iter().cloned() {
            let Some(value) = value else {
                let what = format!(
                    "the variable `{name}` has no value; a rig has none of yours to fill in"
                );
                return Err(at(environment, what));
            };
            let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
            if name.is_empty() || !name.bytes().all(plain) || value.contains('\0') {
                return Err(at(
                    environment,
                    format!("`{name}` is not a variable name: use A-Z, 0-9 and _"),
                ));
            }
            if name.starts_with("NVIDIA_")
                || name.starts_with("CUDA_VISIBLE")
                || name.starts_with("LD_")
            {
                return Err(at(
                    environment,
                    format!(
                        "the variable `{name}` is refused: the rig decides what a job may reach"
                    ),
                ));
            }
            checked.insert(name, value);
        }
        Ok(checked)
    }

    fn gpu(&self) -> Result<GpuNeed, JobError> {
        let mut count = 1;
        if let Some(devices) = &self.deploy.resources.reservations.devices {
            for device in &devices.value {
                if device.capabilities.iter().any(|c| c != "gpu") || device.capabilities.is_empty()
                {
                    return Err(at(devices, "`capabilities` can only be [gpu]"));
                }
                count = device.count.unwrap_or(1);
            }
            if devices.value.len() > 1 {
                return Err(at(devices, "name one device entry, with a count"));
            }
        }
        let gpu = self.sublet.value.gpu.as_ref();
        if let Some(asked) = gpu.and_then(|g| g.count.as_ref()) {
            count = asked.value;
        }
        let count =
            in_range(count, 1, 8, "gpu.count", "1 to 8").map_err(|e| at(&self.sublet, e))?;
        let Some(gpu) = gpu else {
            return Ok(GpuNeed {
                count,
                vram_min_bytes: 0,
                score_min: 0,
                model: None,
                allow_software: false,
            });
        };
        Ok(GpuNeed {
            count,
            vram_min_bytes: quantity_at(&gpu.vram_min, 0, quantity::bytes)?,
            score_min: gpu.score_min.unwrap_or(0),
            model: gpu.model.clone(),
            allow_software: gpu.allow_software,
        })
    }

    fn outputs(&self) -> Result<Vec<String>, JobError> {
        let Some(outputs) = &self.sublet.value.outputs else {
            return Ok(Vec::new());
        };
        let mut folder: Option<&str> = None;
        for path in &outputs.value {
            let clean = path.starts_with('/')
                && !path.contains('\0')
                && path[1..]
                    .split('/')
                    .all(|part| !part.is_empty() && part != "." && part != "..");
            let Some((parent, _)) = path
                .rsplit_once('/')
                .filter(|(parent, _)| clean && !parent.is_empty())
            else {
                let what = format!(
                    "`{path}` is not an output; write an absolute path in a folder, such as /out/result.png"
                );
                return Err(at(outputs, what));
            };
            if *folder.get_or_insert(parent) != parent {
                return Err(at(outputs, "all outputs must lie in one folder"));
            }
            if ["/proc", "/sys", "/dev", "/etc", "/tmp", "/run"]
                .iter()
                .any(|p| {
                    parent == *p
                        || parent
                            .strip_prefix(p)
                            .is_some_and(|rest| rest.starts_with('/'))
                })
            {
                return Err(at(
                    outputs,
                    format!("outputs cannot lie in `{parent}`; use a folder such as /out"),
                ));
            }
        }
        if outputs.value.len() > 256 {
            return Err(at(outputs, "at most 256 outputs can be named"));
        }
        Ok(outputs.value.clone())
    }
}

fn in_range<T: PartialOrd>(
    value: T,
    least: T,
    most: T,
    name: &str,
    range: &str,
) -> Result<T, String> {
    if value < least || value > most {
        Err(format!("`{name}` must be {range}"))
    } else {
        Ok(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGEST: &str = "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";

    fn job(service: &str, sublet: &str) -> String {
        format!(
            "services:\n  tracer:\n    image: r.example/a@{DIGEST}\n{service}    x-sublet:\n      max_price_per_hour: 0.50\n{sublet}"
        )
    }

    #[test]
    fn a_whole_job_is_read() {
        let text = job(
            "    command: [\"--width\", \"640\"]\n    environment:\n      SEED: 7\n    deploy:\n      resources:\n        limits: {cpus: \"1.5\", memory: 512m, pids: 64}\n        reservations:\n          devices: [{driver: nvidia, count: 2, capabilities: [gpu]}]\n",
            "      gpu: {vram_min: 8g, score_min: 100, model: RTX}\n      deadline: 10m\n      outputs: [/out/a.png, /out/b.png]\n      network: none\n",
        );
        let spec = parse(&text).unwrap();
        assert_eq!(spec.name, "tracer");
        assert_eq!(spec.environment.get("SEED").map(String::as_str), Some("7"));
        assert_eq!(
            (spec.cpu_milli, spec.memory_bytes, spec.pids),
            (1500, 512 << 20, 64)
        );
        assert_eq!(
            (spec.gpu.count, spec.gpu.vram_min_bytes, spec.gpu.score_min),
            (2, 8 << 30, 100)
        );
        assert_eq!(spec.max_price, HourlyPrice(MicroUsd(500_000)));
        assert_eq!((spec.deadline_ms, spec.retries), (600_000, 2));
        assert_eq!(spec.output_folder(), Some("/out"));
        let json = serde_json::to_string(&spec).unwrap();
        assert_eq!(serde_json::from_str::<JobSpec>(&json).unwrap(), spec);
    }

    #[track_caller]
    fn refused(text: &str, line: u64, word: &str) {
        let error = parse(text).unwrap_err();
        assert_eq!(error.line, line, "{error}");
        assert!(error.what.contains(word), "{error}");
        assert!(error.column > 0, "{error}");
    }

    #[test]
    fn refused_keys_are_named_with_their_line() {
        for key in [
            "privileged: true",
            "volumes: [\"/:/host\"]",
            "network_mode: host",
            "pid: host",
            "ipc: host",
            "cap_add: [SYS_ADMIN]",
            "devices: [/dev/mem]",
            "security_opt: [\"seccomp=unconfined\"]",
            "userns_mode: host",
            "sysctls: {a: 1}",
            "group_add: [0]",
            "runtime: runc",
            "user: root",
        ] {
            let name = key.split(':').next().unwrap();
            refused(&job(&format!("    {key}\n"), ""), 4, name);
        }
        refused(&job("    pirvileged: true\n", ""), 4, "pirvileged");
        refused(&job("", "      inputs: []\n"), 6, "not serve it yet");
    }

    #[test]
    fn wrong_values_are_named_with_their_line() {
        refused(&job("", "      deadline: 10\n"), 6, "not a time");
        refused(&job("", "      deadline: 500h\n"), 6, "1s to 168h");
        refused(&job("", "      outputs: [/etc/passwd]\n"), 6, "/etc");
        refused(&job("", "      outputs: [/out/../x]\n"), 6, "not an output");
        refused(&job("", "      outputs: [out.png]\n"), 6, "not an output");
        refused(&job("", "      network: host\n"), 6, "network");
        refused(
            &job("    environment: {NVIDIA_VISIBLE_DEVICES: all}\n", ""),
            4,
            "NVIDIA_",
        );
        refused(
            &job("", "").replace(&format!("@{DIGEST}"), ":latest"),
            3,
            "no digest",
        );
        refused(&job("", "").replace("0.50", "cheap"), 5, "not an amount");
        refused("services:\n  a: 1\n", 2, "");
        refused(
            &job("", "").replace("services:", "services: {}\nx:"),
            2,
            "x",
        );
    }

    #[test]
    fn no_text_brings_the_reader_down() {
        let mut runner = proptest::test_runner::TestRunner::default();
        runner
            .run(&proptest::prelude::any::<String>(), |text| {
                let _ = parse(&text);
                let _ = parse(&job(&format!("    {text}\n"), ""));
                Ok(())
            })
            .unwrap();
        let deep = format!("services: {}{}", "[".repeat(5000), "]".repeat(5000));
        assert!(parse(&deep).is_err());
    }
}

//! Reads the Compose subset. Keys that this project refuses are refused by name with the reason; keys it does
//! not know are refused as unknown; both say where they stand.

use super::file::{File, Service};
use super::place::{JobError, at, check_length, from_reader};
use super::scalar::Scalar;
use super::{
    Category, GpuNeed, ImageRef, Isolation, JobSpec, checkpoint, chooses_reach, inputs, outputs,
    quantity,
};
use crate::money::{HourlyPrice, MicroUsd};
use serde_saphyr::Spanned;
use std::collections::BTreeMap;

/// Reads and checks a job spec.
///
/// # Errors
/// The first thing that is wrong, with its place.
pub fn parse(text: &str) -> Result<JobSpec, JobError> {
    check_length(text)?;
    let file: File = serde_saphyr::from_str(text).map_err(|error| from_reader(&error))?;
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
        let spec = JobSpec {
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
            inputs: match &sublet.inputs {
                None => BTreeMap::new(),
                Some(inputs) => inputs::checked(inputs)?,
            },
            outputs: match &sublet.outputs {
                None => Vec::new(),
                Some(outputs) => outputs::checked(outputs)?,
            },
            checkpoint: match &sublet.checkpoint {
                None => None,
                Some(plan) => Some(checkpoint::checked(plan)?),
            },
            reclaim_grace_ms: quantity_at(&sublet.reclaim_grace, 0, |text| {
                in_range(
                    quantity::milliseconds(text)?,
                    0,
                    10 * MINUTE_MS,
                    "reclaim_grace",
                    "0s to 10m",
                )
            })?,
            category: word(&sublet.category, "category", Category::of, || {
                Category::ALL.iter().map(|one| one.name()).collect()
            })?,
            isolation: word(&sublet.isolation, "isolation", Isolation::of, || {
                Isolation::ALL.iter().map(|one| one.name()).collect()
            })?,
        };
        match spec.overlap() {
            None => Ok(spec),
            Some((one, other)) => Err(at(
                &self.sublet,
                format!(
                    "`{one}` and `{other}` need folders of their own: each gets its own folder, and none may lie in another's"
                ),
            )),
        }
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
            if chooses_reach(&name) {
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
        let mut count = (1, None);
        if let Some(devices) = &self.deploy.resources.reservations.devices {
            for device in &devices.value {
                if device.capabilities.iter().any(|c| c != "gpu") || device.capabilities.is_empty()
                {
                    return Err(at(devices, "`capabilities` can only be [gpu]"));
                }
                let named = device.count.as_ref();
                count = named.map_or((1, None), |count| (count.value, Some(count)));
            }
            if devices.value.len() > 1 {
                return Err(at(devices, "name one device entry, with a count"));
            }
        }
        let gpu = self.sublet.value.gpu.as_ref();
        if let Some(asked) = gpu.and_then(|g| g.count.as_ref()) {
            count = (asked.value, Some(asked));
        }
        let count = match count {
            (count, None) => count,
            (count, Some(named)) => {
                in_range(count, 1, 8, "gpu.count", "1 to 8").map_err(|e| at(named, e))?
            }
        };
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
}

/// One of several words, or the usual one where none is named.
fn word<T: Default>(
    field: &Option<Spanned<String>>,
    name: &str,
    read: fn(&str) -> Option<T>,
    all: fn() -> Vec<&'static str>,
) -> Result<T, JobError> {
    let Some(field) = field else {
        return Ok(T::default());
    };
    read(&field.value).ok_or_else(|| {
        let what = format!(
            "`{}` is no {name}; there are {}",
            field.value,
            all().join(", ")
        );
        at(field, what)
    })
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
mod tests;

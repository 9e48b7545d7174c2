//! From a deployment to a job file, part by part.

use super::Imported;
use super::shape::{Compute, Foreign, Gpu, Sdl, Service, Storages};
use crate::job::place::{JobError, at};
use crate::job::scalar::Scalar;
use crate::job::{ImageRef, parse};
use crate::money::HourlyPrice;
use serde_saphyr::Spanned;
use std::fmt::Write;

/// The lines of a job file, and what is wrong so far.
#[derive(Default)]
struct Draft {
    errors: Vec<JobError>,
    notes: Vec<String>,
}

/// Writes the job file.
pub(super) fn job(file: &Sdl, price: Option<HourlyPrice>) -> Result<Imported, Vec<JobError>> {
    let mut draft = Draft::default();
    let version = &file.version;
    if !["2.0", "2", "2.1"].contains(&version.value.0.as_str()) {
        let what = format!(
            "SDL version {} is not known here; 2.0 and 2.1 are",
            version.value.0
        );
        draft.errors.push(at(version, what));
    }
    draft.foreign(&file.include, "`include` is refused: a job is one file");
    draft.foreign(
        &file.endpoints,
        "`endpoints` is refused: a job has no address; services come later",
    );
    let services = &file.services;
    let mut entries = services.value.iter();
    let (Some((name, service)), None) = (entries.next(), entries.next()) else {
        let what = format!("{} services; a job has exactly one", services.value.len());
        return Err(vec![at(services, what)]);
    };
    let mut lines = format!("services:\n  {}:\n", quoted(name));
    draft.service(service, &mut lines);
    if let Some(compute) = draft.deployed(file, name, price) {
        draft.resources(compute, price, &mut lines);
    }
    if draft.errors.is_empty() {
        // Whatever a deployment says, the result is a job that any rig would read.
        if let Err(error) = parse(&lines) {
            draft.errors.push(at(
                services,
                format!("as a job it is refused: {}", error.what),
            ));
        }
    }
    if !draft.errors.is_empty() {
        draft.errors.sort_by_key(|error| (error.line, error.column));
        return Err(draft.errors);
    }
    draft.notes.push(
        "A deployment keeps no files. Name what the job shall bring back under x-sublet.outputs."
            .into(),
    );
    draft.notes.push(
        "A deployment runs until it is closed; a job ends by itself, after an hour at most unless x-sublet.deadline says otherwise."
            .into(),
    );
    Ok(Imported {
        job: lines,
        notes: draft.notes,
    })
}

impl Draft {
    fn foreign(&mut self, part: &Foreign, why: &str) {
        if let Some(part) = part.as_ref().filter(|part| !part.value.empty) {
            self.errors.push(at(part, why));
        }
    }

    fn take<T>(&mut self, outcome: Result<T, JobError>) -> Option<T> {
        outcome.map_err(|error| self.errors.push(error)).ok()
    }

    fn service(&mut self, service: &Service, lines: &mut String) {
        let image: Result<ImageRef, _> = service.image.value.parse();
        let image = image.map_err(|error| at(&service.image, error.to_string()));
        self.take(image);
        add(lines, 4, "image", &quoted(&service.image.value));
        if let Some(command) = service.command.as_ref().filter(|c| !c.value.is_empty()) {
            self.errors.push(at(
                command,
                "`command` is refused: it replaces the image's entrypoint, which a job cannot; write the program into the image, and its arguments as `args`",
            ));
        }
        if let Some(args) = &service.args {
            let words: Vec<String> = args.iter().map(|word| quoted(&word.0)).collect();
            add(lines, 4, "command", &format!("[{}]", words.join(", ")));
        }
        if let Some(env) = &service.env {
            add(lines, 4, "environment", "");
            for line in &env.value {
                if !line.contains('=') {
                    let what = format!(
                        "the variable `{line}` has no value; a rig has none of yours to fill in"
                    );
                    self.errors.push(at(env, what));
                }
                // Writing to a String cannot fail.
                let _ = writeln!(lines, "      - {}", quoted(line));
            }
        }
        self.foreign(&service.expose, "`expose` is refused: a job has no network, and no port that others reach; services come later");
        self.foreign(
            &service.params,
            "`params` is refused: a job mounts no storage",
        );
        self.foreign(&service.credentials, "`credentials` is refused: a rig pulls only what needs no account, and must not learn yours");
        self.foreign(
            &service.dependencies,
            "`dependencies` is refused: a job is one service",
        );
        self.foreign(
            &service.depends_on,
            "`depends-on` is refused: a job is one service",
        );
    }

    /// Follows deployment and placement to the profile.
    fn deployed<'a>(
        &mut self,
        file: &'a Sdl,
        name: &str,
        price: Option<HourlyPrice>,
    ) -> Option<&'a Compute> {
        let deployment = &file.deployment;
        let mut places = deployment.value.get(name).into_iter().flatten();
        let (Some((place, how)), None) = (places.next(), places.next()) else {
            self.errors.push(at(
                deployment,
                format!("`{name}` must be deployed in exactly one placement; a job runs once"),
            ));
            return None;
        };
        if let Some(other) = deployment.value.keys().find(|key| *key != name) {
            self.errors.push(at(
                deployment,
                format!("`{other}` is deployed and is no service"),
            ));
        }
        if how.count.value != 1 {
            self.errors.push(at(
                &how.count,
                "`count` can only be 1: submit the job as often as it shall run",
            ));
        }
        let Some(placement) = file.profiles.placement.get(place) else {
            self.errors.push(at(
                deployment,
                format!("the placement `{place}` is not under profiles.placement"),
            ));
            return None;
        };
        self.foreign(&placement.attributes, "`attributes` of a placement are refused: a job cannot choose where its rig stands or who runs it");
        self.foreign(
            &placement.signed_by,
            "`signedBy` is refused: there are no auditors here; a rig is known by its reputation",
        );
        let profile = &how.profile;
        match placement
            .pricing
            .get(&profile.value)
            .or_else(|| placement.pricing.get(name))
        {
            None => self.errors.push(at(
                profile,
                format!("there is no price for `{}`", profile.value),
            )),
            Some(pricing) if price.is_none() => {
                let said = &pricing.value;
                let what = format!(
                    "{} {} for a block has no counterpart: jobs are paid by the hour, in US dollars. Say the most that an hour may cost with --price",
                    said.amount.0, said.denom
                );
                self.errors.push(at(pricing, what));
            }
            Some(pricing) => self.notes.push(format!(
                "The price of {} {} for a block was replaced by the one you gave.",
                pricing.value.amount.0, pricing.value.denom
            )),
        }
        let compute = file.profiles.compute.get(&profile.value);
        if compute.is_none() {
            self.errors.push(at(
                profile,
                format!(
                    "the profile `{}` is not under profiles.compute",
                    profile.value
                ),
            ));
        }
        compute
    }

    fn resources(&mut self, compute: &Compute, price: Option<HourlyPrice>, lines: &mut String) {
        let resources = &compute.resources;
        self.foreign(
            &resources.cpu.attributes,
            "`attributes` of the processor are refused: a job cannot choose its kind",
        );
        self.foreign(
            &resources.memory.attributes,
            "`attributes` of memory are refused: a job cannot choose its kind",
        );
        let cpus = cores(&resources.cpu.units);
        let memory = size(&resources.memory.size);
        if let (Some(cpus), Some(memory)) = (self.take(cpus), self.take(memory)) {
            lines.push_str("    deploy:\n      resources:\n        limits:\n");
            add(lines, 10, "cpus", &quoted(&cpus));
            add(lines, 10, "memory", &format!("{memory}b"));
        }
        if let Some(storage) = &resources.storage {
            self.storage(storage);
        }
        lines.push_str("    x-sublet:\n");
        if let Some(price) = price {
            add(lines, 6, "max_price_per_hour", &quoted(&plain(price)));
        }
        match &resources.gpu {
            Some(gpu) => self.gpu(gpu, lines),
            None => self.errors.push(at(
                &resources.cpu.units,
                "the profile asks for no GPU; every job here has at least one",
            )),
        }
    }

    fn storage(&mut self, storage: &Spanned<Storages>) {
        for one in &storage.value.0 {
            let named = one.name.as_ref().is_some_and(|name| name != "default");
            if named || one.attributes.as_ref().is_some_and(|a| !a.empty) {
                self.errors.push(at(storage, "storage with a name or `attributes` is refused: nothing of a job's disk outlives it but its outputs"));
            } else {
                self.notes.push(format!(
                    "Storage of {} has no counterpart: a job writes to /tmp, which counts as its memory, and to its outputs, which the rig's owner bounds.",
                    one.size.0
                ));
            }
        }
    }

    fn gpu(&mut self, gpu: &Spanned<Gpu>, lines: &mut String) {
        let units = &gpu.value.units;
        let Some(count) = units
            .value
            .0
            .parse()
            .ok()
            .filter(|n: &u32| (1..=8).contains(n))
        else {
            let what = "`units` of GPUs must be 1 to 8: every job here has at least one";
            return self.errors.push(at(units, what));
        };
        lines.push_str("      gpu:\n");
        add(lines, 8, "count", &count.to_string());
        let Some(attributes) = &gpu.value.attributes else {
            return;
        };
        let vendors = &attributes.vendor;
        let mut named = vendors.value.iter();
        let (Some((vendor, models)), None) = (named.next(), named.next()) else {
            return self
                .errors
                .push(at(vendors, "name one vendor: a job has one kind of GPU"));
        };
        let known = match vendor.as_str() {
            "nvidia" => "NVIDIA",
            "amd" => "AMD",
            _ => {
                let what = format!("the vendor `{vendor}` is not known here; nvidia and amd are");
                return self.errors.push(at(vendors, what));
            }
        };
        let mut models = models.iter().flatten();
        let (model, more) = (models.next(), models.next());
        if more.is_some() {
            return self.errors.push(at(
                vendors,
                "several models are refused: a job names one, or a part of the name that all have",
            ));
        }
        let model = model.as_ref();
        // Drivers name their maker, so this asks for any of its GPUs.
        let name = model
            .and_then(|model| model.model.as_ref())
            .map_or_else(|| known.to_owned(), |model| spelled(&model.value));
        add(lines, 8, "model", &quoted(&name));
        if let Some(ram) = model.and_then(|model| model.ram.as_ref())
            && let Some(bytes) = self.take(size(ram))
        {
            add(lines, 8, "vram_min", &format!("{bytes}b"));
        }
        if let Some(interface) = model.and_then(|model| model.interface.as_ref()) {
            self.errors.push(at(
                interface,
                "`interface` is refused: rigs do not say how a GPU is plugged in; where the model's name does (A100-SXM4), write it into x-sublet.gpu.model afterwards",
            ));
        }
    }
}

fn add(lines: &mut String, indent: usize, key: &str, value: &str) {
    // Writing to a String cannot fail.
    let _ = writeln!(
        lines,
        "{:indent$}{}",
        "",
        format!("{key}: {value}").trim_end()
    );
}

/// JSON's way of quoting is one of YAML's.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

fn plain(price: HourlyPrice) -> String {
    let micro = price.0.0;
    format!("{}.{:06}", micro / 1_000_000, micro % 1_000_000)
}

/// `rtx4090` as the driver writes it: `RTX 4090`. Names of few letters, such as `a100`, are one word there too.
fn spelled(model: &str) -> String {
    let upper = model.to_ascii_uppercase();
    for series in ["RTX", "GTX", "RX"] {
        if let Some(rest) = upper.strip_prefix(series).filter(|rest| !rest.is_empty()) {
            let rest = rest.trim_start_matches([' ', '-']);
            let rest = rest
                .strip_suffix("TI")
                .map_or_else(|| rest.to_owned(), |n| format!("{n} Ti"));
            return format!("{series} {rest}");
        }
    }
    upper
}

/// Cores as a job file writes them: `500m` is half of one.
fn cores(units: &Spanned<Scalar>) -> Result<String, JobError> {
    let text = units.value.0.trim();
    let Some(milli) = text.strip_suffix('m') else {
        return Ok(text.to_owned());
    };
    let milli: u32 = milli
        .parse()
        .map_err(|_| at(units, format!("`{text}` is not a number of cores")))?;
    Ok(format!("{}.{:03}", milli / 1000, milli % 1000))
}

/// Bytes: `512Mi` counts by 1024, `512M` by 1000.
fn size(field: &Spanned<Scalar>) -> Result<u64, JobError> {
    let text = field.value.0.trim();
    let wrong = || {
        at(
            field,
            format!("`{text}` is not a size; SDL writes it as 512Mi or 8Gi"),
        )
    };
    let end = text
        .bytes()
        .position(|b| !b.is_ascii_digit() && b != b'.')
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let (letter, base) = match unit.strip_suffix('i') {
        Some(letter) => (letter, 1024_u64),
        None => (unit, 1000),
    };
    let power = match letter {
        "" if base == 1000 => 0,
        "k" | "K" => 1,
        "M" => 2,
        "G" => 3,
        "T" => 4,
        "P" => 5,
        _ => return Err(wrong()),
    };
    let (whole, part) = number.split_once('.').unwrap_or((number, ""));
    let scale = base.checked_pow(power).ok_or_else(wrong)?;
    let bytes = whole
        .parse::<u64>()
        .ok()
        .and_then(|n| n.checked_mul(scale))
        .ok_or_else(wrong)?;
    if part.is_empty() {
        return Ok(bytes);
    }
    // Parts of a byte would be lost, so they are not taken.
    let divisor = u32::try_from(part.len())
        .ok()
        .and_then(|n| 10_u64.checked_pow(n))
        .ok_or_else(wrong)?;
    let product = part
        .parse::<u64>()
        .ok()
        .and_then(|n| n.checked_mul(scale))
        .ok_or_else(wrong)?;
    if product % divisor != 0 {
        return Err(wrong());
    }
    bytes.checked_add(product / divisor).ok_or_else(wrong)
}

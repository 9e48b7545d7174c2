//! A container image made by hand: one static program in an otherwise empty world, the same bytes each time.
//!
//! The formats are those of the OCI image specification, version 1.0.

use std::io::Write;

use anyhow::{Context, bail};
use flate2::{Compression, GzBuilder};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tar::{EntryType, Header};

use crate::registry::Registry;

/// The user and group that nobody else is; results go to a folder of theirs.
const NOBODY: u64 = 65534;
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";

/// What a registry is given: blobs, and the manifest that names them.
pub struct Image {
    config: Vec<u8>,
    layer: Vec<u8>,
    manifest: Vec<u8>,
}

impl Image {
    /// An image `FROM scratch` with `program` as `/NAME`, which it runs as nobody, and an empty `/out` that is nobody's.
    pub fn of_program(name: &str, program: &[u8]) -> anyhow::Result<Image> {
        let tar = archive(name, program)?;
        let mut packed = GzBuilder::new()
            .mtime(0)
            .write(Vec::new(), Compression::default());
        packed.write_all(&tar)?;
        let layer = packed.finish()?;
        let config = serde_json::to_vec(&json!({
            "architecture": architecture()?,
            "os": "linux",
            "created": "1970-01-01T00:00:00Z",
            "config": {
                "User": format!("{NOBODY}:{NOBODY}"),
                "Entrypoint": [format!("/{name}")],
                "WorkingDir": "/out",
            },
            "rootfs": { "type": "layers", "diff_ids": [digest(&tar)] },
        }))?;
        let manifest = serde_json::to_vec(&json!({
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": described(CONFIG, &config),
            "layers": [described(LAYER, &layer)],
        }))?;
        Ok(Image {
            config,
            layer,
            manifest,
        })
    }

    /// `sha256:...` of the manifest: the image's name for good.
    pub fn digest(&self) -> String {
        digest(&self.manifest)
    }

    /// Pushes the image and returns its full name, `127.0.0.1:PORT/REPOSITORY@sha256:...`.
    pub fn push(&self, registry: &Registry, repository: &str) -> anyhow::Result<String> {
        for blob in [&self.layer, &self.config] {
            push_blob(registry, repository, blob)?;
        }
        let wanted = self.digest();
        let path = format!("/v2/{repository}/manifests/{wanted}");
        let answer = registry.ask("PUT", &path, &[("Content-Type", MANIFEST)], &self.manifest)?;
        if answer.status != 201 {
            bail!(
                "the registry did not take the image {repository}: {} {}",
                answer.status,
                answer.excerpt()
            );
        }
        if let Some(kept) = answer.header("docker-content-digest")
            && kept != wanted
        {
            bail!("the registry keeps the image as {kept}, but it is {wanted}.");
        }
        Ok(format!("{}/{repository}@{wanted}", registry.address()))
    }
}

fn push_blob(registry: &Registry, repository: &str, blob: &[u8]) -> anyhow::Result<()> {
    let digest = digest(blob);
    let known = registry.ask(
        "HEAD",
        &format!("/v2/{repository}/blobs/{digest}"),
        &[],
        b"",
    )?;
    if known.status == 200 {
        return Ok(());
    }
    let begun = registry.ask(
        "POST",
        &format!("/v2/{repository}/blobs/uploads/"),
        &[],
        b"",
    )?;
    if begun.status != 202 {
        bail!(
            "the registry began no upload: {} {}",
            begun.status,
            begun.excerpt()
        );
    }
    let place = begun
        .header("location")
        .context("the registry did not say where to send the blob")?;
    let place = place_on_registry(place);
    let joint = if place.contains('?') { '&' } else { '?' };
    let sent = registry.ask(
        "PUT",
        &format!("{place}{joint}digest={digest}"),
        &[("Content-Type", "application/octet-stream")],
        blob,
    )?;
    if sent.status != 201 {
        bail!(
            "the registry did not take a blob: {} {}",
            sent.status,
            sent.excerpt()
        );
    }
    Ok(())
}

/// The path in a location that may be a whole address.
fn place_on_registry(location: &str) -> &str {
    match location.split_once("://") {
        Some((_, rest)) => rest.find('/').map_or("/", |at| &rest[at..]),
        None => location,
    }
}

fn archive(name: &str, program: &[u8]) -> anyhow::Result<Vec<u8>> {
    let mut tar = tar::Builder::new(Vec::new());
    let mut add = |path: &str, kind: EntryType, mode: u32, owner: u64, bytes: &[u8]| {
        let mut header = Header::new_ustar();
        header.set_entry_type(kind);
        header.set_mode(mode);
        header.set_uid(owner);
        header.set_gid(owner);
        header.set_mtime(0);
        header.set_size(bytes.len() as u64);
        tar.append_data(&mut header, path, bytes)
    };
    add("out/", EntryType::Directory, 0o755, NOBODY, b"")?;
    add(name, EntryType::Regular, 0o755, 0, program)?;
    Ok(tar.into_inner()?)
}

fn architecture() -> anyhow::Result<&'static str> {
    match std::env::consts::ARCH {
        "x86_64" => Ok("amd64"),
        "aarch64" => Ok("arm64"),
        other => bail!("there is no image for a processor of kind {other}."),
    }
}

fn described(media_type: &str, blob: &[u8]) -> Value {
    json!({ "mediaType": media_type, "digest": digest(blob), "size": blob.len() })
}

fn digest(bytes: &[u8]) -> String {
    format!("sha256:{}", hex::encode(Sha256::digest(bytes)))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may stop at once")]

    use super::*;
    use std::io::Read;

    fn unpacked(image: &Image) -> Vec<u8> {
        let mut tar = Vec::new();
        flate2::read::GzDecoder::new(image.layer.as_slice())
            .read_to_end(&mut tar)
            .unwrap();
        tar
    }

    #[test]
    fn the_same_program_gives_the_same_digest_and_another_another() {
        let digest = |program: &[u8]| Image::of_program("job", program).unwrap().digest();
        assert_eq!(digest(b"one"), digest(b"one"));
        assert_ne!(digest(b"one"), digest(b"two"));
    }

    #[test]
    fn the_layer_holds_the_program_and_a_folder_that_is_nobodys() {
        let image = Image::of_program("job", b"program").unwrap();
        let tar = unpacked(&image);
        let mut archive = tar::Archive::new(tar.as_slice());
        let entries: Vec<_> = archive
            .entries()
            .unwrap()
            .map(|entry| {
                let entry = entry.unwrap();
                let header = entry.header();
                (
                    entry.path().unwrap().display().to_string(),
                    header.entry_type(),
                    header.mode().unwrap(),
                    (header.uid().unwrap(), header.gid().unwrap()),
                    header.mtime().unwrap(),
                )
            })
            .collect();
        assert_eq!(
            entries,
            [
                (
                    "out/".to_owned(),
                    EntryType::Directory,
                    0o755,
                    (65534, 65534),
                    0
                ),
                ("job".to_owned(), EntryType::Regular, 0o755, (0, 0), 0),
            ]
        );
    }

    #[test]
    fn the_manifest_names_what_is_there_and_the_config_what_is_inside() {
        let image = Image::of_program("job", b"program").unwrap();
        let manifest: Value = serde_json::from_slice(&image.manifest).unwrap();
        assert_eq!(manifest["layers"][0]["digest"], digest(&image.layer));
        assert_eq!(manifest["layers"][0]["size"], image.layer.len());
        assert_eq!(manifest["config"]["digest"], digest(&image.config));
        let config: Value = serde_json::from_slice(&image.config).unwrap();
        assert_eq!(config["rootfs"]["diff_ids"][0], digest(&unpacked(&image)));
        assert_eq!(config["config"]["User"], "65534:65534");
        assert_eq!(config["config"]["Entrypoint"][0], "/job");
    }

    #[test]
    fn an_upload_goes_to_the_path_of_whatever_place_is_named() {
        assert_eq!(
            place_on_registry("http://localhost:1/v2/x?a=b"),
            "/v2/x?a=b"
        );
        assert_eq!(place_on_registry("/v2/x"), "/v2/x");
    }
}

//! A registry on loopback that speaks what Docker needs to pull (OCI distribution, pulling only), so that a test can
//! also have one that lies, dawdles or knows nothing.

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::{StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use serde_json::json;
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use sublet_protocol::job::ImageRef;

const MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
const CONFIG: &str = "application/vnd.docker.container.image.v1+json";
const LAYER: &str = "application/vnd.docker.image.rootfs.diff.tar.gzip";

#[derive(Clone)]
struct Blob {
    kind: &'static str,
    bytes: Vec<u8>,
    /// Sends the first half at once, the rest a little at a time.
    trickles: bool,
}

#[derive(Clone, Default)]
struct Shelf {
    blobs: Arc<Mutex<HashMap<String, Blob>>>,
    /// Answers that trickle now.
    trickling: Arc<AtomicUsize>,
    /// Blobs that were asked for.
    asked: Arc<AtomicUsize>,
}

pub(super) struct Registry {
    shelf: Shelf,
    address: std::net::SocketAddr,
}

/// A pushed image, and the digest of its one layer.
pub(super) struct Pushed {
    pub image: ImageRef,
    pub layer: String,
}

/// A layer as it is sent: plain tar, or packed.
pub(super) struct Layer {
    pub bytes: Vec<u8>,
    /// The digest of what it unpacks to.
    pub unpacked: String,
    /// What the image runs, where it is the first one.
    pub program: String,
}

impl Layer {
    pub fn of_program(name: &str, program: &[u8], mode: u32) -> Layer {
        let mut archive = tar::Builder::new(Vec::new());
        let mut header = tar::Header::new_ustar();
        header.set_mode(mode);
        header.set_size(program.len() as u64);
        archive.append_data(&mut header, name, program).unwrap();
        let bytes = archive.into_inner().unwrap();
        Layer {
            unpacked: digest(&bytes),
            bytes,
            program: name.to_owned(),
        }
    }
}

impl Registry {
    pub async fn open() -> Self {
        let shelf = Shelf::default();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new().fallback(answer).with_state(shelf.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { shelf, address }
    }

    /// An image of one program, `/inmate`, with further settings of its config.
    pub fn push(&self, program: &[u8], settings: serde_json::Value) -> Pushed {
        self.push_layers(vec![Layer::of_program("inmate", program, 0o755)], settings)
    }

    /// An image of these layers, which runs the program of the first one.
    pub fn push_layers(&self, layers: Vec<Layer>, settings: serde_json::Value) -> Pushed {
        let mut config = json!({"Entrypoint": [format!("/{}", layers[0].program)]});
        for (name, value) in settings.as_object().unwrap() {
            config[name] = value.clone();
        }
        let architecture = match std::env::consts::ARCH {
            "x86_64" => "amd64",
            "aarch64" => "arm64",
            other => other,
        };
        let unpacked: Vec<&str> = layers.iter().map(|l| l.unpacked.as_str()).collect();
        let config = json!({
            "architecture": architecture,
            "os": "linux",
            "config": config,
            "rootfs": {"type": "layers", "diff_ids": unpacked},
        })
        .to_string()
        .into_bytes();
        let described: Vec<_> = layers
            .iter()
            .map(|l| json!({"mediaType": LAYER, "size": l.bytes.len(), "digest": digest(&l.bytes)}))
            .collect();
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": {"mediaType": CONFIG, "size": config.len(), "digest": digest(&config)},
            "layers": described,
        })
        .to_string()
        .into_bytes();
        let layer_digest = digest(&layers[0].bytes);
        let manifest_digest = digest(&manifest);
        let layers = layers.into_iter().map(|layer| (LAYER, layer.bytes));
        for (kind, bytes) in [(CONFIG, config), (MANIFEST, manifest)]
            .into_iter()
            .chain(layers)
        {
            let blob = Blob {
                kind,
                bytes,
                trickles: false,
            };
            let mut blobs = self.shelf.blobs.lock().unwrap();
            blobs.insert(digest(&blob.bytes), blob);
        }
        Pushed {
            image: self.image(&manifest_digest),
            layer: layer_digest,
        }
    }

    /// How many blobs were asked for, manifests aside.
    pub fn asked(&self) -> usize {
        self.shelf.asked.load(Ordering::Relaxed)
    }

    /// The image with this digest, whether it is here or not.
    pub fn image(&self, digest: &str) -> ImageRef {
        format!("{}/inmate@{digest}", self.address).parse().unwrap()
    }

    /// From now on, one byte in the middle of this blob is another.
    pub fn tamper(&self, digest: &str) {
        self.change(digest, |blob| {
            let middle = blob.bytes.len() / 2;
            blob.bytes[middle] ^= 1;
        });
    }

    /// Whether this blob comes slowly from now on: 20 KiB every 100 ms after its first half.
    pub fn trickle(&self, digest: &str, slowly: bool) {
        self.change(digest, |blob| blob.trickles = slowly);
    }

    /// How many answers trickle now, their askers still listening.
    pub fn trickling(&self) -> usize {
        self.shelf.trickling.load(Ordering::Relaxed)
    }

    fn change(&self, digest: &str, how: impl FnOnce(&mut Blob)) {
        how(self.shelf.blobs.lock().unwrap().get_mut(digest).unwrap());
    }
}

pub(super) fn digest(bytes: &[u8]) -> String {
    format!("sha256:{}", hex::encode(Sha256::digest(bytes)))
}

/// Counts while it lives.
struct Counted(Arc<AtomicUsize>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

async fn answer(State(shelf): State<Shelf>, uri: Uri) -> Response {
    if uri.path() == "/v2/" {
        return StatusCode::OK.into_response();
    }
    let (folder, digest) = uri.path().rsplit_once('/').unwrap();
    if folder.ends_with("/blobs") {
        shelf.asked.fetch_add(1, Ordering::Relaxed);
    }
    let known = shelf.blobs.lock().unwrap().get(digest).cloned();
    let Some(blob) = known else {
        let (code, message) = if folder.ends_with("/manifests") {
            ("MANIFEST_UNKNOWN", "manifest unknown")
        } else {
            ("BLOB_UNKNOWN", "blob unknown to registry")
        };
        let body = json!({"errors": [{"code": code, "message": message}]}).to_string();
        let kind = [(header::CONTENT_TYPE, "application/json")];
        return (StatusCode::NOT_FOUND, kind, body).into_response();
    };
    let length = blob.bytes.len();
    let headers = [
        (header::CONTENT_TYPE, blob.kind.to_owned()),
        (header::CONTENT_LENGTH, length.to_string()),
        (
            header::HeaderName::from_static("docker-content-digest"),
            digest.to_owned(),
        ),
    ];
    if !blob.trickles {
        return (headers, blob.bytes).into_response();
    }
    let mut rest = Bytes::from(blob.bytes);
    shelf.trickling.fetch_add(1, Ordering::Relaxed);
    let counted = Counted(shelf.trickling);
    let pieces = async_stream::stream! {
        let _counted = counted;
        yield Ok::<_, std::convert::Infallible>(rest.split_to(length / 2));
        while !rest.is_empty() {
            tokio::time::sleep(Duration::from_millis(100)).await;
            yield Ok(rest.split_to(rest.len().min(20 << 10)));
        }
    };
    (headers, Body::from_stream(pieces)).into_response()
}

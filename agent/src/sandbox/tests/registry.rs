//! A registry on loopback that speaks what Docker needs to pull (OCI distribution, pulling only), so that a test can
//! also have one that lies, stalls or knows nothing.

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::{StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use sublet_protocol::job::ImageRef;

const MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
const CONFIG: &str = "application/vnd.docker.container.image.v1+json";
const LAYER: &str = "application/vnd.docker.image.rootfs.diff.tar.gzip";

/// How the registry answers for a digest.
#[derive(Clone)]
enum Answer {
    Bytes(&'static str, Vec<u8>),
    /// The first bytes, then nothing more, and no end.
    Stalling(Vec<u8>),
}

type Answers = Arc<Mutex<HashMap<String, Answer>>>;

pub(super) struct Registry {
    answers: Answers,
    address: std::net::SocketAddr,
}

/// A pushed image, and the digest of its one layer.
pub(super) struct Pushed {
    pub image: ImageRef,
    pub layer: String,
}

impl Registry {
    pub async fn open() -> Self {
        let answers = Answers::default();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new().fallback(answer).with_state(answers.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { answers, address }
    }

    /// An image of one program, `/inmate`, with further settings of its config.
    pub fn push(&self, program: &[u8], settings: serde_json::Value) -> Pushed {
        let mut archive = tar::Builder::new(Vec::new());
        let mut header = tar::Header::new_ustar();
        header.set_mode(0o755);
        header.set_size(program.len() as u64);
        archive.append_data(&mut header, "inmate", program).unwrap();
        let layer = archive.into_inner().unwrap();
        let mut config = json!({"Entrypoint": ["/inmate"]});
        for (name, value) in settings.as_object().unwrap() {
            config[name] = value.clone();
        }
        let architecture = match std::env::consts::ARCH {
            "x86_64" => "amd64",
            "aarch64" => "arm64",
            other => other,
        };
        let config = json!({
            "architecture": architecture,
            "os": "linux",
            "config": config,
            "rootfs": {"type": "layers", "diff_ids": [digest(&layer)]},
        })
        .to_string()
        .into_bytes();
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": {"mediaType": CONFIG, "size": config.len(), "digest": digest(&config)},
            "layers": [{"mediaType": LAYER, "size": layer.len(), "digest": digest(&layer)}],
        })
        .to_string()
        .into_bytes();
        let layer_digest = digest(&layer);
        let manifest_digest = digest(&manifest);
        for (kind, bytes) in [(CONFIG, config), (LAYER, layer), (MANIFEST, manifest)] {
            self.set(digest(&bytes), Answer::Bytes(kind, bytes));
        }
        Pushed {
            image: self.image(&manifest_digest),
            layer: layer_digest,
        }
    }

    /// The image with this digest, whether it is here or not.
    pub fn image(&self, digest: &str) -> ImageRef {
        format!("{}/inmate@{digest}", self.address).parse().unwrap()
    }

    /// From now on, one byte in the middle of this blob is another.
    pub fn tamper(&self, digest: &str) {
        let Answer::Bytes(kind, mut bytes) = self.bytes_of(digest) else {
            panic!("a stalling blob cannot be tampered with");
        };
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        self.set(digest.to_owned(), Answer::Bytes(kind, bytes));
    }

    /// From now on, this blob never comes to its end.
    pub fn stall(&self, digest: &str) {
        let Answer::Bytes(_, bytes) = self.bytes_of(digest) else {
            return;
        };
        self.set(digest.to_owned(), Answer::Stalling(bytes));
    }

    fn bytes_of(&self, digest: &str) -> Answer {
        self.answers.lock().unwrap()[digest].clone()
    }

    fn set(&self, digest: String, answer: Answer) {
        self.answers.lock().unwrap().insert(digest, answer);
    }
}

pub(super) fn digest(bytes: &[u8]) -> String {
    format!("sha256:{}", hex::encode(Sha256::digest(bytes)))
}

async fn answer(State(answers): State<Answers>, uri: Uri) -> Response {
    if uri.path() == "/v2/" {
        return StatusCode::OK.into_response();
    }
    let (folder, digest) = uri.path().rsplit_once('/').unwrap();
    let known = answers.lock().unwrap().get(digest).cloned();
    match known {
        Some(Answer::Bytes(kind, bytes)) => (
            [
                (header::CONTENT_TYPE, kind),
                (
                    header::HeaderName::from_static("docker-content-digest"),
                    digest,
                ),
            ],
            bytes,
        )
            .into_response(),
        Some(Answer::Stalling(bytes)) => {
            let length = bytes.len();
            let half = bytes::Bytes::from(bytes).slice(..length / 2);
            let pieces = async_stream::stream! {
                yield Ok::<_, std::convert::Infallible>(half);
                std::future::pending::<()>().await;
            };
            let length = [(header::CONTENT_LENGTH, length.to_string())];
            (length, Body::from_stream(pieces)).into_response()
        }
        None => {
            let (code, message) = if folder.ends_with("/manifests") {
                ("MANIFEST_UNKNOWN", "manifest unknown")
            } else {
                ("BLOB_UNKNOWN", "blob unknown to registry")
            };
            let body = json!({"errors": [{"code": code, "message": message}]}).to_string();
            let kind = [(header::CONTENT_TYPE, "application/json")];
            (StatusCode::NOT_FOUND, kind, body).into_response()
        }
    }
}

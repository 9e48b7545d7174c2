//! What can go wrong between a job and Docker, in words for the owner and the renter.

use std::time::Duration;
use sublet_protocol::lease::EndCode;

/// Why something in the sandbox could not be done.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// No engine answers.
    #[error(
        "Docker does not answer: {why}. Start it, and make sure that this user may reach its socket (on Linux: the group docker)"
    )]
    DockerUnavailable {
        /// What the system said.
        why: String,
    },
    /// `DOCKER_HOST` names an engine that is not on this machine.
    #[error(
        "DOCKER_HOST is `{host}`, which is not a Docker on this machine; jobs run where the GPUs are, so set it to unix://… (on Windows npipe://…), or unset it"
    )]
    DockerElsewhere {
        /// What it is set to.
        host: String,
    },
    /// The registry has no such image or digest.
    #[error(
        "the image {image} does not exist: its registry says `{why}`. Check its name and digest, and that it can be pulled without an account"
    )]
    ImageNotFound {
        /// By digest.
        image: String,
        /// What the registry said.
        why: String,
    },
    /// The bytes are not those that the digest names.
    #[error(
        "the image {image} was refused: its registry sent other bytes than its digest names ({why}). Push it again, or use another registry"
    )]
    ImageTampered {
        /// By digest.
        image: String,
        /// Which part.
        why: String,
    },
    /// The registry could not be asked.
    #[error(
        "the registry of the image {image} cannot be reached from here: {why}. Try again later, or use another registry"
    )]
    RegistryUnreachable {
        /// By digest.
        image: String,
        /// What the system said.
        why: String,
    },
    /// An output cannot be taken.
    #[error("the output {path} is refused: {why}")]
    OutputRefused {
        /// As in the job spec.
        path: String,
        /// Missing, too large, or not a plain file.
        why: String,
    },
    /// This rig does not run such a job.
    #[error("this rig does not take the job: {why}")]
    NotAccepted {
        /// Which rule or bound forbids it.
        why: String,
    },
    /// The leased GPU cannot be handed to a container.
    #[error(
        "the GPU cannot be given to the job: {why}. Install the NVIDIA container toolkit and restart Docker"
    )]
    DeviceUnavailable {
        /// What the engine said.
        why: String,
    },
    /// The job asks to be kept apart in a way that is not to be had here.
    #[error("this rig does not take the job: {why}")]
    IsolationMissing {
        /// What is missing.
        why: String,
    },
    /// The image's command cannot be run; the job's own fault.
    #[error("the job's command cannot be started: {why}. Check the image's command and the job's")]
    CannotStart {
        /// What the engine said.
        why: String,
    },
    /// The container was removed by somebody else.
    #[error(
        "the container of lease {lease} is gone: something other than this agent removed it. The job cannot go on"
    )]
    Gone {
        /// Whose.
        lease: String,
    },
    /// Docker took too long.
    #[error("Docker did not {what} within {} s. It may be overloaded; if this stays, restart it", after.as_secs_f32())]
    Timeout {
        /// What was asked.
        what: &'static str,
        /// How long was waited.
        after: Duration,
    },
    /// A collected output cannot be written here.
    #[error("cannot keep an output in {}: {source}. Check that the disk has room and the folder is writable", path.display())]
    Disk {
        /// Where.
        path: std::path::PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A checkpoint cannot be taken.
    #[error("the checkpoint is not kept: {why}")]
    CheckpointRefused {
        /// Too large, too many files, or never still.
        why: String,
    },
    /// A checkpoint changed while it was read.
    #[error("the checkpoint changed while it was read: {why}")]
    CheckpointChanged {
        /// What was noticed.
        why: String,
    },
    /// A job wrote more to where its outputs lie than it may.
    #[error(
        "the job was stopped: it wrote more than the {bytes} bytes or {files} files that this rig leaves it on the disk"
    )]
    DiskExceeded {
        /// Bytes that it may have.
        bytes: u64,
        /// Files that it may have.
        files: u64,
    },
    /// The disk is filling, and the job changes its files faster than they can be counted.
    #[error(
        "the job was stopped: the disk was filling, and what the job wrote changed too fast to be measured"
    )]
    Unmeasured,
    /// What stays free on the disk was reached.
    #[error(
        "the disk that Docker lies on has {} MiB free, and {} MiB are kept free for its owner. Make room, or remove images that are not needed", free_bytes >> 20, reserve_bytes >> 20
    )]
    DiskReserved {
        /// What is free.
        free_bytes: u64,
        /// What shall stay free.
        reserve_bytes: u64,
    },
    /// Anything else that the engine refuses.
    #[error("Docker could not {what}: {why}")]
    Other {
        /// What was asked.
        what: &'static str,
        /// The HTTP status, where there was one.
        status: Option<u16>,
        /// What the engine said.
        why: String,
    },
}

impl SandboxError {
    /// How a lease ends that this error brings down.
    pub fn end_code(&self) -> EndCode {
        match self {
            Self::ImageNotFound { .. } => EndCode::ImageNotFound,
            Self::ImageTampered { .. } => EndCode::ImageTampered,
            Self::OutputRefused { .. }
            | Self::CheckpointRefused { .. }
            | Self::CheckpointChanged { .. }
            | Self::DiskExceeded { .. } => EndCode::OutputRefused,
            Self::NotAccepted { .. } | Self::DeviceUnavailable { .. } => EndCode::NotAccepted,
            Self::IsolationMissing { .. } => EndCode::IsolationMissing,
            Self::CannotStart { .. } => EndCode::JobFailed,
            Self::DockerUnavailable { .. }
            | Self::DockerElsewhere { .. }
            | Self::RegistryUnreachable { .. }
            | Self::Gone { .. }
            | Self::Timeout { .. }
            | Self::Disk { .. }
            | Self::DiskReserved { .. }
            | Self::Unmeasured
            | Self::Other { .. } => EndCode::SandboxFailed,
        }
    }

    /// The status with which the engine refused, where that is all there is to know.
    pub(super) fn status(&self) -> Option<u16> {
        match self {
            Self::Other { status, .. } => *status,
            _ => None,
        }
    }

    /// Sorts an error of the client: no engine, an engine too slow, or an engine that refuses.
    pub(super) fn from_docker(
        what: &'static str,
        after: Duration,
        error: bollard::errors::Error,
    ) -> Self {
        use bollard::errors::Error;
        match error {
            Error::DockerResponseServerError {
                status_code,
                message,
            } => Self::Other {
                what,
                status: Some(status_code),
                why: message,
            },
            Error::DockerStreamError { error } => Self::Other {
                what,
                status: None,
                why: error,
            },
            Error::RequestTimeoutError => Self::Timeout { what, after },
            Error::SocketNotFoundError(path) => Self::DockerUnavailable {
                why: format!("there is no socket at {path}"),
            },
            Error::HyperLegacyError { .. }
            | Error::HyperResponseError { .. }
            | Error::IOError { .. } => Self::DockerUnavailable {
                why: with_causes(&error),
            },
            other => Self::Other {
                what,
                status: None,
                why: with_causes(&other),
            },
        }
    }
}

/// An error and what lies beneath it, on one line.
fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let inner_text = inner.to_string();
        if !text.contains(&inner_text) {
            text.push_str(": ");
            text.push_str(&inner_text);
        }
        cause = inner.source();
    }
    text
}

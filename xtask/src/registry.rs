//! An image registry on loopback, for as long as we run.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, bail};

use crate::console::Console;
use crate::http::{Answer, exchange};
use crate::packages::program;
use crate::process::{Life, Process, wait_until};

const ANSWER_WITHIN: Duration = Duration::from_secs(30);
const START_WITHIN: Duration = Duration::from_secs(20);

pub struct Registry {
    address: SocketAddr,
    process: Process,
}

impl Registry {
    /// Starts Debian's `docker-registry` on a free port, with its images in `folder`.
    pub fn start(
        console: &Console,
        folder: &Path,
        logs: &Path,
        life: Life,
    ) -> anyhow::Result<Registry> {
        let Some(binary) = program("docker-registry") else {
            bail!("docker-registry is not installed.");
        };
        let images = folder.join("images");
        fs::create_dir_all(&images)
            .with_context(|| format!("the folder {} cannot be made", images.display()))?;
        let task = console.task("Starting an image registry on loopback");
        let address = free_address()?;
        let settings = folder.join("registry.yml");
        fs::write(&settings, configuration(&images, address)?)
            .with_context(|| format!("{} cannot be written", settings.display()))?;
        let mut command = Command::new(binary);
        command.arg("serve").arg(&settings);
        let log = logs.join("registry.log");
        let process = Process::start("the registry", command, &log, life)?;
        let mut registry = Registry { address, process };
        wait_until("the registry to answer", START_WITHIN, || {
            registry.process.must_run()?;
            let answer = registry.ask("GET", "/v2/", &[], b"");
            Ok(answer.is_ok_and(|a| a.status == 200).then_some(()))
        })?;
        task.done();
        Ok(registry)
    }

    /// `127.0.0.1:PORT`.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn process(&self) -> u32 {
        self.process.id()
    }

    pub fn ask(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> anyhow::Result<Answer> {
        let stream = TcpStream::connect_timeout(&self.address, ANSWER_WITHIN)
            .with_context(|| format!("the registry does not answer on {}", self.address))?;
        stream.set_read_timeout(Some(ANSWER_WITHIN))?;
        stream.set_write_timeout(Some(ANSWER_WITHIN))?;
        exchange(stream, method, path, headers, body)
    }

    pub fn stop(&mut self) -> anyhow::Result<()> {
        self.process.stop()
    }
}

/// A port that was free a moment ago. If somebody takes it before the registry does, the registry ends and says so.
fn free_address() -> anyhow::Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no port is free")?;
    Ok(listener.local_addr()?)
}

fn configuration(images: &Path, address: SocketAddr) -> anyhow::Result<String> {
    let images = serde_json::to_string(images).context("the folder's name is not text")?;
    Ok(format!(
        "version: 0.1\n\
         log:\n  level: warn\n  accesslog:\n    disabled: true\n\
         storage:\n  filesystem:\n    rootdirectory: {images}\n  delete:\n    enabled: true\n\
         http:\n  addr: {address}\n"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_registry_listens_on_loopback_only_and_keeps_odd_folder_names() -> anyhow::Result<()> {
        let address = free_address()?;
        assert!(address.ip().is_loopback());
        let text = configuration(Path::new("/home/a b: c/images"), address)?;
        assert!(
            text.contains("rootdirectory: \"/home/a b: c/images\""),
            "{text}"
        );
        assert!(text.contains(&format!("addr: 127.0.0.1:{}", address.port())));
        Ok(())
    }
}

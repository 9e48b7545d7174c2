//! The server as a process: killed at any moment, the ledger is right, and what was answered was kept.

use crate::support::{Renter, TestRig, audit, job, program};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use sublet_protocol::lease::LeaseState;
use sublet_protocol::money::MicroUsd;

/// A server in a process of its own; it ends with the test.
pub struct Served {
    child: Child,
    data: PathBuf,
    line: String,
}

impl Served {
    /// Starts it, and waits for its line.
    pub fn start(command: &mut Command, data: &Path) -> Self {
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let stdout = child.stdout.take().unwrap();
        BufReader::new(stdout).read_line(&mut line).unwrap();
        assert!(
            line.starts_with("sublet-market serves on http://127.0.0.1:"),
            "{line:?}"
        );
        Self {
            child,
            data: data.to_owned(),
            line,
        }
    }

    /// The address, from the file that it writes.
    pub fn url(&self) -> String {
        let text = std::fs::read_to_string(self.data.join("address")).unwrap();
        let url = text.trim().to_owned();
        assert!(self.line.contains(&url), "{} and {url}", self.line);
        url
    }

    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Asks it to end, and waits until it has.
    pub fn terminate(&mut self) {
        let asked = Command::new("kill")
            .arg(self.child.id().to_string())
            .status()
            .unwrap();
        assert!(asked.success());
        let deadline = Instant::now() + Duration::from_secs(15);
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                assert!(status.success(), "{status}");
                assert!(!self.data.join("address").exists());
                return;
            }
            assert!(Instant::now() < deadline, "it does not end");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        // Where the test has ended it already, there is nothing to kill.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn serve(data: &Path) -> Served {
    let text = data.to_str().unwrap();
    Served::start(
        program().args(["serve", "--data", text, "--listen", "127.0.0.1:0"]),
        data,
    )
}

#[tokio::test]
async fn killed_at_any_moment_the_ledger_is_right_and_no_voucher_is_taken_back() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = serve(folder.path());
    let mut renter = Renter::with(folder.path(), &server.url(), "alice", "100");
    let mut rig = TestRig::connect(&server.url(), 1).await;
    let mut held = MicroUsd::ZERO;
    for round in 0..6u64 {
        rig.offer(&[("gpu-a", 360_000), ("gpu-b", 720_000)]).await;
        renter.submit(&job("0.72", "")).await.unwrap();
        let lease = rig.granted().await.lease;
        rig.report(&lease, LeaseState::Running, 100).await;
        // Heartbeats as fast as they go; the server is killed while one is under way.
        let when = Duration::from_millis(15 + round * 23);
        let killer = std::thread::spawn(move || {
            std::thread::sleep(when);
            server.kill();
            server
        });
        let mut used = 100;
        loop {
            used += 1;
            let running = rig.says(&lease, LeaseState::Running, used);
            let beat = rig.heartbeat(vec![running]);
            let path = rig.path("heartbeat");
            let request = rig.request(reqwest::Method::POST, &path).json(&beat);
            let Ok(response) = request.send().await else {
                break;
            };
            let Ok(reply) = response
                .json::<sublet_protocol::heartbeat::HeartbeatReply>()
                .await
            else {
                break;
            };
            let voucher = reply.statement.unwrap().voucher;
            rig.session.channel.verify(&voucher, held).unwrap();
            held = voucher.amount;
        }
        drop(killer.join().unwrap());
        audit(folder.path()).await;

        server = serve(folder.path());
        renter.moved_to(&server.url());
        rig.reconnect(&server.url()).await;
        rig.held = held;
        // Whatever was promised is still owed; the lease goes on, and ends.
        let code = sublet_protocol::lease::EndCode::JobFailed;
        let last = rig.ends(&lease, LeaseState::Finished, used, code, vec![]);
        let reply = rig.beat(vec![last]).await;
        assert_eq!(reply.settled, [lease]);
        held = rig.held;
    }
    server.terminate();
    audit(folder.path()).await;
}

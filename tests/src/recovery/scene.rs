//! A marketplace, a rig with a simulated card and a Docker daemon, with somebody who starts again whoever died.

use super::parts::{Blow, Case, Program, Victim};
use super::tight::TightDisk;
use crate::dockerd::Dockerd;
use crate::market::{Market, Patience};
use crate::program::{Running, Said, run};
use crate::rig::{HEADLESS, With};
use crate::simulated::{Simulated, card};
use rustix::process::Signal;
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

/// How long anything may take until it is as it should be again, in all.
pub const SOON: Duration = Duration::from_secs(60);
/// How long a full disk stays full.
const FULL_FOR: Duration = Duration::from_millis(1_200);
/// Between two questions by a command, and between two looks at who stands still.
const ASK_EVERY: Duration = Duration::from_millis(80);
const TEND_EVERY: Duration = Duration::from_millis(5);

/// How much of each log is told of a scene that failed.
const LAST_LINES: usize = 60;

/// Short, so that a rig is lost within seconds.
const PATIENCE: Patience = Patience {
    heartbeat_ms: 200,
    suspect_ms: 4_000,
    lost_ms: 8_000,
};

/// What a scene is made of.
#[derive(Debug, Clone, Copy, Default)]
pub struct Made {
    /// It has a Docker daemon of its own, which may be killed.
    pub own_docker: bool,
    /// The disks of agent and marketplace are small ones.
    pub tight: bool,
}

/// The scene.
pub struct Scene {
    /// The rig and its world.
    pub world: Simulated,
    /// The marketplace.
    pub market: Market,
    /// The Docker daemon, where it is the scene's own.
    pub dockerd: Option<Dockerd>,
    /// The rig's id.
    pub rig: String,
    /// Whether the agent shall run: who died is started again.
    pub agent_wanted: bool,
    /// Jobs whose logs have been looked at.
    pub known: BTreeSet<String>,
    /// A story was told here in which the marketplace gave a lease up.
    pub lost_time: bool,
    /// Times of containers, as Docker tells them.
    pub events: Running,
    case: Option<Case>,
    /// The ordered step was reached.
    pub struck: bool,
    back_at: Option<Instant>,
    freed_at: Option<Instant>,
    jobs: usize,
    disks: Vec<(Program, TightDisk)>,
    folder: tempfile::TempDir,
}

impl Scene {
    /// Sets it up, the rig ready to rent.
    pub fn new(made: Made) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let disks = if made.tight {
            vec![
                (Program::Agent, TightDisk::new(&path("rig"))),
                (Program::Market, TightDisk::new(&path("market"))),
            ]
        } else {
            Vec::new()
        };
        let dockerd = made.own_docker.then(|| Dockerd::start(&path("d")));
        let rehearsal = |who: &str| vec!["--rehearsal".to_owned(), path(who).display().to_string()];
        let mut words = rehearsal("market.steps");
        words.extend(["--accept-ms", "3000", "--refused-ms", "300"].map(str::to_owned));
        let market = Market::start_with(&path("market"), PATIENCE, "100.00", words);
        let with = With {
            env: environment(dockerd.as_ref()),
            words: rehearsal("agent.steps"),
            settings: Some(HEADLESS.replace("[rent]\n", "[rent]\ngrace_seconds = 60\n")),
        };
        let world = Simulated::start_with(folder.path(), &market, with);
        let status = world
            .rig
            .until_status("ready", |status| status["state"] == "ready");
        let rig = status["rig"].as_str().unwrap().to_owned();
        let events = events(dockerd.as_ref(), &path("events"));
        Self {
            world,
            market,
            dockerd,
            rig,
            agent_wanted: true,
            known: BTreeSet::new(),
            lost_time: false,
            events,
            case: None,
            struck: false,
            back_at: None,
            freed_at: None,
            jobs: 0,
            disks,
            folder,
        }
    }

    /// The ends of the programs' logs, and the steps of the agent.
    pub fn last_words(&self) -> String {
        let logs = ["agent.log", "market/log", "agent.steps/trail", "events"];
        let tail = |name: &str| {
            let text = std::fs::read_to_string(self.path(name)).unwrap_or_default();
            let lines: Vec<&str> = text.lines().collect();
            let from = lines.len().saturating_sub(LAST_LINES);
            format!("--- the end of {name} ---\n{}\n", lines[from..].join("\n"))
        };
        logs.map(tail).concat()
    }

    /// A place in the scene's folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn steps(&self, who: Program) -> PathBuf {
        self.path(match who {
            Program::Agent => "agent.steps",
            Program::Market => "market.steps",
        })
    }

    /// Takes the order back, and says whether it was carried out.
    pub fn close(&mut self) -> bool {
        for who in [Program::Agent, Program::Market] {
            let _ = std::fs::remove_file(self.steps(who).join("order"));
        }
        // Who has read it just now stands still by then.
        self.rest(Duration::from_millis(30));
        self.case = None;
        self.struck
    }

    /// Orders one blow, or none.
    pub fn order(&mut self, case: Option<Case>) {
        self.struck = false;
        if let Some(case) = &case {
            let order = self.steps(case.who).join("order");
            std::fs::write(order, format!("{} {}", case.at.nth, case.at.step)).unwrap();
        }
        self.case = case;
    }

    /// The trail so far, and forgets it.
    pub fn take_trail(&self, who: Program) -> Vec<String> {
        let file = self.steps(who).join("trail");
        let text = std::fs::read_to_string(&file).unwrap();
        // The program appends, so an emptied file goes on at its beginning.
        std::fs::File::options()
            .write(true)
            .open(&file)
            .unwrap()
            .set_len(0)
            .unwrap();
        text.lines().map(str::to_owned).collect()
    }

    /// Waits for an answer, and meanwhile strikes where somebody stands still, and brings back who died.
    #[track_caller]
    pub fn until<T>(
        &mut self,
        what: &str,
        mut ask: impl FnMut(&mut Self) -> Result<T, String>,
    ) -> T {
        let begun = Instant::now();
        loop {
            self.tend();
            match ask(self) {
                Ok(answer) => return answer,
                Err(last) if begun.elapsed() > SOON => {
                    panic!("{what} did not come; last seen: {last}")
                }
                Err(_) => self.rest(ASK_EVERY),
            }
        }
    }

    /// Lets time go by.
    pub fn rest(&mut self, time: Duration) {
        let begun = Instant::now();
        while begun.elapsed() < time {
            self.tend();
            std::thread::sleep(TEND_EVERY);
        }
    }

    fn tend(&mut self) {
        for who in [Program::Agent, Program::Market] {
            let stands = self.steps(who).join("stands");
            if stands.exists() {
                self.strike(who);
                let _ = std::fs::remove_file(stands);
                let process = match who {
                    Program::Agent => &self.world.rig.process,
                    Program::Market => &self.market.process,
                };
                if let Some(process) = process {
                    process.signal(Signal::CONT);
                }
            }
        }
        if self.freed_at.is_some_and(|at| Instant::now() >= at) {
            self.freed_at = None;
            self.disks.iter().for_each(|(_, disk)| disk.free());
        }
        if self.back_at.is_none_or(|at| Instant::now() >= at) {
            self.bring_back();
        }
    }

    fn strike(&mut self, who: Program) {
        let Some(case) = self.case.take().filter(|case| case.who == who) else {
            panic!("{who:?} stands still, and nobody asked it to");
        };
        self.struck = true;
        match case.blow {
            Blow::Kill(victims) => self.kill(victims, case.away_ms),
            Blow::FillDisk(whose) => {
                let (_, disk) = self.disks.iter().find(|(who, _)| *who == whose).unwrap();
                disk.fill();
                self.freed_at = Some(Instant::now() + FULL_FOR);
            }
        }
    }

    /// Kills these; they are started again after a while.
    pub fn kill(&mut self, victims: &[Victim], away_ms: u64) {
        for victim in victims {
            match victim {
                Victim::Agent => self.kill_agent(),
                Victim::Market => {
                    if let Some(mut market) = self.market.process.take() {
                        market.kill_dead();
                    }
                }
                Victim::Docker => {
                    let dockerd = self.dockerd.as_mut();
                    dockerd
                        .expect("a Docker daemon of the scene's own")
                        .kill_dead();
                }
            }
        }
        self.back_at = Some(Instant::now() + Duration::from_millis(away_ms));
    }

    /// Kills the agent; it is started again where it is wanted.
    pub fn kill_agent(&mut self) {
        if let Some(mut agent) = self.world.rig.process.take() {
            agent.kill_dead();
        }
    }

    fn bring_back(&mut self) {
        if self.market.process.is_none() {
            self.market.restart();
        }
        if let Some(dockerd) = &mut self.dockerd
            && !dockerd.runs()
        {
            dockerd.go();
            self.events = events(Some(dockerd), &self.folder.path().join("events"));
        }
        let command = self.world.rig.command();
        let agent = &mut self.world.rig.process;
        if let Some(status) = agent.as_mut().and_then(Running::ended) {
            // A full disk may keep it from starting; a service manager tries again.
            assert!(
                !self.agent_wanted || self.freed_at.is_some(),
                "the agent ended by itself: {status}"
            );
            *agent = None;
        }
        if agent.is_none() && self.agent_wanted {
            let log = self.folder.path().join("agent.log");
            *agent = Some(Running::start(command, &log));
        }
        if self.world.rig.process.is_some() || !self.agent_wanted {
            self.back_at = None;
        }
    }

    /// An owner's command, and what it says. Whoever asks may be the one that somebody standing still keeps waiting, so
    /// blows fall meanwhile.
    pub fn owners(&mut self, words: &[&str]) -> Said {
        let command = self.world.rig.owners(words);
        self.meanwhile(command)
    }

    /// A renter's command, likewise.
    pub fn renter(&mut self, words: &[&str]) -> Said {
        let command = self.market.command(words);
        self.meanwhile(command)
    }

    fn meanwhile(&mut self, mut command: Command) -> Said {
        let asked = std::thread::spawn(move || run(&mut command));
        while !asked.is_finished() {
            self.tend();
            std::thread::sleep(TEND_EVERY);
        }
        asked.join().unwrap()
    }

    /// An owner's command, until the agent has taken it.
    #[track_caller]
    pub fn owner(&mut self, words: &[&str]) {
        self.until(&format!("`sublet {}`", words.join(" ")), |scene| {
            let said = scene.owners(words);
            if said.code == 0 {
                Ok(())
            } else {
                Err(said.err)
            }
        });
    }

    /// What the agent says, once it answers.
    #[track_caller]
    pub fn told(&mut self, word: &str) -> Value {
        self.until(word, |scene| {
            let said = scene.owners(&[word, "--json"]);
            if said.answered() || said.code == 1 && word == "doctor" {
                serde_json::from_str(&said.out).map_err(|error| format!("{error}: {said:?}"))
            } else {
                Err(said.err)
            }
        })
    }

    /// Waits until the agent's status is as wanted.
    #[track_caller]
    pub fn until_status(&mut self, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        self.until(what, |scene| {
            let said = scene.owners(&["status", "--json"]);
            if !said.answered() {
                return Err(said.err);
            }
            let status = said.json();
            if wanted(&status) {
                Ok(status)
            } else {
                Err(status.to_string())
            }
        })
    }

    /// Waits until the card has, or has no longer, a reason of that code.
    #[track_caller]
    pub fn until_reason(&mut self, code: &str, has: bool) {
        self.until_status(code, |status| {
            let reasons = card(status)["reasons"].as_array().unwrap();
            reasons.iter().any(|reason| reason["code"] == code) == has
        });
    }

    /// Submits a job that rests after each of its passes, and returns its id. It is in the order book once, however
    /// often it had to be tried.
    #[track_caller]
    pub fn submit(&mut self, passes: u32, rest_ms: u32, lines: &str) -> String {
        let image = crate::program::given("SUBLET_SAMPLE_IMAGE");
        self.submit_image(&image, passes, rest_ms, lines)
    }

    /// As [`Self::submit`], of another image.
    #[track_caller]
    pub fn submit_image(&mut self, image: &str, passes: u32, rest_ms: u32, lines: &str) -> String {
        let seed = self.jobs;
        // Each job makes a picture of its own, so that each has to be sent.
        let command = format!(
            "--width, '16', --height, '16', --samples, '{passes}', --rest, '{rest_ms}', --seed, '{seed}'"
        );
        self.submit_command(
            image,
            &command,
            &format!("      outputs: [/out/picture.png]\n{lines}"),
        )
    }

    /// As [`Self::submit`], with more words on the job's command line.
    #[track_caller]
    pub fn submit_with(
        &mut self,
        passes: u32,
        rest_ms: u32,
        words: &[&str],
        lines: &str,
    ) -> String {
        let image = crate::program::given("SUBLET_SAMPLE_IMAGE");
        let words: String = words.iter().map(|word| format!(", '{word}'")).collect();
        let seed = self.jobs;
        let command = format!(
            "--width, '16', --height, '16', --samples, '{passes}', --rest, '{rest_ms}', --seed, '{seed}'{words}"
        );
        self.submit_command(
            &image,
            &command,
            &format!("      outputs: [/out/picture.png]\n{lines}"),
        )
    }

    /// As [`Self::submit`], of any image and command, with lines under `x-sublet`.
    #[track_caller]
    pub fn submit_command(&mut self, image: &str, command: &str, lines: &str) -> String {
        self.jobs += 1;
        let name = format!("job{}", self.jobs);
        let spec = format!(
            "services:\n  {name}:\n    image: {image}\n    command: [{command}]\n    deploy: {{resources: {{limits: {{cpus: \"0.5\", memory: 64m}}}}}}\n    x-sublet:\n      gpu: {{allow_software: true}}\n      max_price_per_hour: 0.50\n{lines}"
        );
        let file = self.path("job.yaml");
        std::fs::write(&file, spec).unwrap();
        self.until("the job is taken", |scene| {
            let said = scene.renter(&["submit", file.to_str().unwrap(), "--json"]);
            if said.code == 0 {
                return Ok(said.json()["job"].as_str().unwrap().to_owned());
            }
            // The answer may have been lost, and not the job.
            let known = scene.jobs().ok().and_then(|jobs| {
                let mut named = jobs
                    .into_iter()
                    .filter(|job| job["spec"]["name"] == name.as_str());
                named.next()
            });
            match known {
                Some(job) => Ok(job["job"].as_str().unwrap().to_owned()),
                None => Err(said.err),
            }
        })
    }

    /// Every job, as the marketplace tells it.
    pub fn jobs(&mut self) -> Result<Vec<Value>, String> {
        let said = self.renter(&["ps", "--json"]);
        if said.code != 0 {
            return Err(said.err);
        }
        let list = said.json();
        let jobs = list.as_array().or_else(|| list["jobs"].as_array());
        Ok(jobs.unwrap().clone())
    }

    /// Waits until a job is as wanted.
    #[track_caller]
    pub fn until_job(&mut self, job: &str, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        self.until(&format!("{job} {what}"), |scene| {
            let view = scene.jobs()?.into_iter().find(|view| view["job"] == job);
            let view = view.ok_or("the job is not listed")?;
            if wanted(&view) {
                Ok(view)
            } else {
                Err(view.to_string())
            }
        })
    }

    /// Waits until the newest lease of a job runs, or the job is over.
    #[track_caller]
    pub fn until_running(&mut self, job: &str) {
        self.until_job(job, "running", |view| {
            let newest = view["leases"].as_array().unwrap().last();
            newest.is_some_and(|lease| lease["state"] == "running") || is_over(view)
        });
    }

    /// Cancels a job, and waits until it is.
    #[track_caller]
    pub fn cancel(&mut self, job: &str) {
        self.until("the cancellation is taken", |scene| {
            let said: Said = scene.renter(&["cancel", job]);
            match said.code {
                // Refused: it is over already.
                0 | 1 => Ok(()),
                _ => Err(said.err),
            }
        });
        self.until_job(job, "over", is_over);
    }
}

/// No graphics adapter is looked for: the simulated card is all that a story needs, and the agent starts often.
fn environment(dockerd: Option<&Dockerd>) -> Vec<(String, String)> {
    let docker = dockerd.map(|dockerd| ("DOCKER_HOST".to_owned(), dockerd.host()));
    let no_adapters = ("VK_DRIVER_FILES".to_owned(), "/dev/null".to_owned());
    docker.into_iter().chain([no_adapters]).collect()
}

/// Whether nothing more happens to a job.
pub fn is_over(job: &Value) -> bool {
    ["completed", "failed", "cancelled"]
        .iter()
        .any(|state| job["state"] == *state)
}

/// Follows what Docker says of starts and ends.
fn events(dockerd: Option<&Dockerd>, file: &Path) -> Running {
    let mut command = Command::new("docker");
    command.args([
        "events",
        "--format",
        "{{json .}}",
        "--filter",
        "type=container",
    ]);
    command.args(["--filter", "event=start", "--filter", "event=die"]);
    if let Some(dockerd) = dockerd {
        command.env("DOCKER_HOST", dockerd.host());
    }
    Running::start(command, file)
}

impl Drop for Scene {
    fn drop(&mut self) {
        self.agent_wanted = false;
        self.kill_agent();
        let host = self.dockerd.as_ref().map(Dockerd::host);
        let mut clear = Command::new("sh");
        clear.arg("-c").arg(format!(
            "docker ps -aq --filter label=sublet.rig={0} | xargs -r docker rm -f; docker volume ls -q --filter label=sublet.rig={0} | xargs -r docker volume rm",
            self.rig
        ));
        if let Some(host) = host {
            clear.env("DOCKER_HOST", host);
        }
        // What is left was found and told before.
        let _ = run(&mut clear);
    }
}

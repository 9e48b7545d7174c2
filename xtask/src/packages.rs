//! System packages: which are needed for what, which are missing, and how they come in.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, bail};

use crate::console::Console;
use crate::machine::Distribution;
pub use crate::needs::Purpose;
use crate::needs::{NEEDS, Need, Sign};
use crate::privilege::Privilege;
use crate::run::Run;

/// The oldest Node.js that the pages build with.
const OLDEST_NODE: u32 = 20;

/// Makes sure that everything for `purposes` is there: lists what is missing, asks unless `yes`, installs it.
pub fn ensure(
    console: &Console,
    distribution: Distribution,
    purposes: &[Purpose],
    yes: bool,
    logs: &Path,
) -> anyhow::Result<()> {
    let lacking = lacking(purposes)?;
    if !lacking.is_empty() {
        refuse_snaps(distribution, &lacking)?;
        list(console, &lacking);
        let yes = yes || std::env::var_os("CI").is_some_and(|ci| ci == "true");
        let names: Vec<&str> = lacking.iter().map(|need| need.package).collect();
        let by_hand = format!(
            "sudo apt-get install --no-install-recommends {}",
            names.join(" ")
        );
        if !yes {
            if !console.can_ask() {
                bail!(
                    "packages are missing, and nobody is here to be asked. Run this again with --yes, or install them yourself: {by_hand}"
                );
            }
            if !console.ask("Install them with apt-get?")? {
                bail!("nothing was installed. When you want to go on: {by_hand}");
            }
        }
        install(console, &names, logs)?;
    }
    if purposes.contains(&Purpose::Pages) {
        check_node()?;
    }
    Ok(())
}

fn lacking(purposes: &[Purpose]) -> anyhow::Result<Vec<&'static Need>> {
    let asked: Vec<&Need> = NEEDS
        .iter()
        .filter(|need| purposes.contains(&need.purpose))
        .collect();
    let names: Vec<&str> = asked.iter().map(|need| need.package).collect();
    let installed = installed(&names)?;
    Ok(asked
        .into_iter()
        .filter(|need| match need.sign {
            Sign::Program(any) => !any.iter().any(|name| program(name).is_some()),
            Sign::Installed => !installed.iter().any(|name| name == need.package),
        })
        .collect())
}

/// Those of `names` that dpkg has installed.
fn installed(names: &[&str]) -> anyhow::Result<Vec<String>> {
    // dpkg-query exits with 1 when it does not know one of the names, and tells about the others all the same.
    let output = Command::new("dpkg-query")
        .args(["--show", "--showformat=${Package} ${db:Status-Status}\\n"])
        .args(names)
        .stdin(Stdio::null())
        .output()
        .context("dpkg-query, which knows the installed packages, does not run")?;
    Ok(installed_in(&String::from_utf8_lossy(&output.stdout)))
}

fn installed_in(listing: &str) -> Vec<String> {
    listing
        .lines()
        .filter_map(|line| line.strip_suffix(" installed"))
        .map(str::to_owned)
        .collect()
}

fn refuse_snaps(distribution: Distribution, lacking: &[&Need]) -> anyhow::Result<()> {
    let chromium = lacking.iter().any(|need| need.package == "chromium");
    if chromium && distribution == Distribution::Ubuntu {
        bail!(
            "the tests of the pages need Chromium, which Ubuntu has only as a snap. Run `sudo snap install chromium`, or install Google Chrome, and run this again."
        );
    }
    Ok(())
}

fn list(console: &Console, lacking: &[&Need]) {
    console.say("These system packages are missing:");
    for need in lacking {
        console.say(&format!("  {:<20} {}", need.package, need.why));
    }
}

fn install(console: &Console, names: &[&str], logs: &Path) -> anyhow::Result<()> {
    let privilege = Privilege::get(console.can_ask(), "install packages")?;
    let apt = |words: &[&str]| {
        let mut command = privilege.command("env");
        command
            .args(["DEBIAN_FRONTEND=noninteractive", "apt-get"])
            .args(["-o", "DPkg::Lock::Timeout=120", "--yes"])
            .args(words);
        command
    };
    Run::new("Reading the package lists", apt(&["update"])).in_task(console, logs)?;
    let mut words = vec!["install", "--no-install-recommends"];
    words.extend(names);
    Run::new("Installing packages", apt(&words)).in_task(console, logs)?;
    quiet_services(console, privilege, names, logs)
}

/// Packages start services where systemd runs. Those that only our own processes need are stopped again: a registry
/// that listens to the whole network was not asked for.
fn quiet_services(
    console: &Console,
    privilege: Privilege,
    names: &[&str],
    logs: &Path,
) -> anyhow::Result<()> {
    if !Path::new("/run/systemd/system").exists() {
        return Ok(());
    }
    for service in ["docker-registry", "boinc-client"] {
        if names.contains(&service) {
            let mut command = privilege.command("systemctl");
            command.args(["disable", "--now", service]);
            Run::new(
                &format!("Stopping the service {service} that came along"),
                command,
            )
            .in_task(console, logs)?;
        }
    }
    Ok(())
}

fn check_node() -> anyhow::Result<()> {
    let output = Command::new("node")
        .arg("--version")
        .stdin(Stdio::null())
        .output()
        .context("node, which builds the pages, does not run")?;
    let version = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    if node_major(&version).is_none_or(|major| major < OLDEST_NODE) {
        bail!(
            "the pages need Node.js {OLDEST_NODE} or newer, and this one says {version:?}. Install a newer one and put it first in PATH; the other groups of tests run without."
        );
    }
    Ok(())
}

fn node_major(version: &str) -> Option<u32> {
    version.strip_prefix('v')?.split('.').next()?.parse().ok()
}

/// Where a program is: in PATH, or in the folders of root's programs, which not every PATH has.
pub fn program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/local/sbin", "/usr/sbin", "/sbin"].map(PathBuf::from))
        .map(|folder| folder.join(name))
        .find(|file| file.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_wholly_installed_counts() {
        let listing = "gcc installed\nlibc6-dev config-files\niptables not-installed\nca-certificates installed\n";
        assert_eq!(installed_in(listing), ["gcc", "ca-certificates"]);
    }

    #[test]
    fn a_program_is_found_where_it_is_and_nowhere_else() {
        assert!(program("sh").is_some());
        assert!(program("no-program-has-this-name").is_none());
    }

    #[test]
    fn node_versions_are_read() {
        assert_eq!(node_major("v20.20.2"), Some(20));
        assert_eq!(node_major("v8.1"), Some(8));
        assert_eq!(node_major("20.1"), None);
        assert_eq!(node_major(""), None);
    }

    #[test]
    fn ubuntu_is_told_about_its_chromium() {
        let chromium: Vec<&Need> = NEEDS.iter().filter(|n| n.package == "chromium").collect();
        assert!(refuse_snaps(Distribution::Debian, &chromium).is_ok());
        let error = refuse_snaps(Distribution::Ubuntu, &chromium).err();
        assert!(error.is_some_and(|e| e.to_string().contains("snap install")));
    }
}

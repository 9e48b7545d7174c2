//! Whether this machine is one that the chores know how to set up.

use std::fmt;

use anyhow::bail;

/// A system whose packages we know by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Distribution {
    Debian,
    Ubuntu,
}

impl fmt::Display for Distribution {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Distribution::Debian => "Debian",
            Distribution::Ubuntu => "Ubuntu",
        })
    }
}

/// The distribution this machine runs, or an error that says what is missing and what would do.
pub fn supported() -> anyhow::Result<Distribution> {
    let release = if std::env::consts::OS == "linux" {
        std::fs::read_to_string("/etc/os-release").unwrap_or_default()
    } else {
        String::new()
    };
    judge(std::env::consts::OS, std::env::consts::ARCH, &release)
}

/// `os` and `arch` as Rust names them, `release` the text of /etc/os-release.
fn judge(os: &str, arch: &str, release: &str) -> anyhow::Result<Distribution> {
    const WANTED: &str = "The chores need Debian 12 or newer, or Ubuntu 22.04 or newer, on an amd64 or arm64 processor";
    const WAY_OUT: &str = "Run them in a virtual machine with one of these";
    if os != "linux" {
        bail!("{WANTED}. This machine runs {os}. {WAY_OUT}.");
    }
    if arch != "x86_64" && arch != "aarch64" {
        bail!("{WANTED}. This processor is {arch}. {WAY_OUT}.");
    }
    let field = |name: &str| {
        release
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix('='))
            .map(|value| value.trim_matches('"').to_owned())
    };
    let shown = field("PRETTY_NAME").unwrap_or_else(|| "a system without a name".to_owned());
    let (distribution, oldest) = match field("ID").as_deref() {
        Some("debian") => (Distribution::Debian, (12, 0)),
        Some("ubuntu") => (Distribution::Ubuntu, (22, 4)),
        _ => bail!("{WANTED}. This machine runs {shown}. {WAY_OUT}."),
    };
    // Debian's testing has no number: it is newer than every release that has one.
    let Some(version) = field("VERSION_ID") else {
        return Ok(distribution);
    };
    let mut parts = version.split('.').map(|part| part.parse().unwrap_or(0));
    let version: (u32, u32) = (parts.next().unwrap_or(0), parts.next().unwrap_or(0));
    if version < oldest {
        bail!("{WANTED}. This machine runs {shown}. Upgrade it, or use another machine.");
    }
    Ok(distribution)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn release(id: &str, version: &str) -> String {
        format!(
            "PRETTY_NAME=\"{id} {version}\"\nID={id}\nVERSION_ID=\"{version}\"\nVERSION=\"x\"\n"
        )
    }

    #[test]
    fn the_named_systems_will_do() {
        for (id, version, want) in [
            ("debian", "12", Distribution::Debian),
            ("debian", "13.1", Distribution::Debian),
            ("ubuntu", "22.04", Distribution::Ubuntu),
            ("ubuntu", "24.10", Distribution::Ubuntu),
        ] {
            for arch in ["x86_64", "aarch64"] {
                let judged = judge("linux", arch, &release(id, version));
                assert_eq!(judged.ok(), Some(want), "{id} {version} {arch}");
            }
        }
        let testing = "PRETTY_NAME=\"Debian testing\"\nID=debian\n";
        assert_eq!(
            judge("linux", "x86_64", testing).ok(),
            Some(Distribution::Debian)
        );
    }

    #[test]
    fn any_other_system_is_named_with_what_would_do() {
        let debian = release("debian", "12");
        for (os, arch, release, part) in [
            ("macos", "aarch64", String::new(), "This machine runs macos"),
            (
                "windows",
                "x86_64",
                String::new(),
                "This machine runs windows",
            ),
            ("linux", "riscv64", debian, "This processor is riscv64"),
            (
                "linux",
                "x86_64",
                release("debian", "11"),
                "This machine runs debian 11. Upgrade",
            ),
            (
                "linux",
                "x86_64",
                release("ubuntu", "20.04"),
                "This machine runs ubuntu 20.04. Upgrade",
            ),
            (
                "linux",
                "x86_64",
                release("fedora", "44"),
                "This machine runs fedora 44",
            ),
            ("linux", "x86_64", String::new(), "a system without a name"),
        ] {
            let error = judge(os, arch, &release).err().map(|e| e.to_string());
            let text = error.unwrap_or_default();
            assert!(text.contains(part), "{text}");
            assert!(text.contains("Debian 12"), "{text}");
        }
    }
}

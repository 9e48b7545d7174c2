//! Which places in a container a job may name for its inputs, outputs and checkpoint.

use super::JobSpec;

/// Folders of the system, in which nothing of a job's can be kept.
const SYSTEM: [&str; 6] = ["/proc", "/sys", "/dev", "/etc", "/tmp", "/run"];

/// Whether a text is an absolute path without detours: no empty part, no `.` and no `..`.
pub(super) fn is_clean(path: &str) -> bool {
    !path.contains('\0')
        && path.strip_prefix('/').is_some_and(|rest| {
            rest.split('/')
                .all(|part| !part.is_empty() && part != "." && part != "..")
        })
}

/// The folder of a file that lies in one; none for a path that is not clean, or has no folder but the root.
pub(super) fn folder_of(file: &str) -> Option<&str> {
    let (folder, _) = file.rsplit_once('/')?;
    (is_clean(file) && !folder.is_empty()).then_some(folder)
}

/// Whether a folder is one of the system's, or lies in one.
pub(super) fn is_system(folder: &str) -> bool {
    SYSTEM.iter().any(|system| is_within(folder, system))
}

fn is_within(folder: &str, outer: &str) -> bool {
    folder
        .strip_prefix(outer)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

impl JobSpec {
    /// The folder that all outputs lie in.
    pub fn output_folder(&self) -> Option<&str> {
        self.outputs.first().and_then(|path| parent(path))
    }

    /// The folder that all inputs lie in.
    pub fn input_folder(&self) -> Option<&str> {
        self.inputs.keys().next().and_then(|path| parent(path))
    }

    /// The folders that the job is given, each with what it is for: none may be another, or lie within another.
    pub fn folders(&self) -> Vec<(&'static str, &str)> {
        let checkpoint = self.checkpoint.as_ref().map(|plan| plan.folder.as_str());
        let named = [
            ("inputs", self.input_folder()),
            ("outputs", self.output_folder()),
            ("checkpoint", checkpoint),
        ];
        named
            .into_iter()
            .filter_map(|(what, folder)| Some((what, folder?)))
            .collect()
    }

    /// Two uses of folders that get in each other's way, if there are such.
    pub fn overlap(&self) -> Option<(&'static str, &'static str)> {
        let folders = self.folders();
        folders.iter().enumerate().find_map(|(at, (what, folder))| {
            let others = folders.iter().skip(at + 1);
            others
                .filter(|(_, other)| is_within(folder, other) || is_within(other, folder))
                .map(|(other, _)| (*what, *other))
                .next()
        })
    }
}

fn parent(path: &str) -> Option<&str> {
    path.rsplit_once('/').map(|(folder, _)| folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn detours_and_the_systems_own_folders_are_seen() {
        for good in ["/out/a", "/a/b/c", "/in/..a", "/in/a b"] {
            assert!(is_clean(good), "{good}");
        }
        for bad in [
            "out/a",
            "/out/../a",
            "/out//a",
            "/out/./a",
            "/out/",
            "/",
            "",
            "/out/\0",
        ] {
            assert!(!is_clean(bad), "{bad}");
        }
        assert_eq!(folder_of("/out/a"), Some("/out"));
        assert_eq!(folder_of("/a"), None);
        assert!(is_system("/etc") && is_system("/proc/self") && !is_system("/etcetera"));
    }
}

//! The built pages. They are read once, at the start: afterwards no request reaches the file system, so none can
//! leave the folder.

use axum::body::Body;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The pages are a few hundred kilobytes; a folder with more is not theirs.
const ALL_MAX_BYTES: u64 = 32 * 1024 * 1024;

/// Why there are no pages.
#[derive(Debug, thiserror::Error)]
pub enum PagesError {
    /// Not in the folder that was named.
    #[error(
        "there are no pages in {0}: it has no index.html. Build them (in ui: npm ci, npm run build) and name ui/dist with --pages"
    )]
    NotThere(PathBuf),
    /// Not where an installation has them.
    #[error(
        "the pages are not installed (looked in {}). Build them (in ui: npm ci, npm run build) and name ui/dist with --pages",
        places(.0)
    )]
    NotInstalled(Vec<PathBuf>),
    /// Far more than pages are.
    #[error(
        "{0} holds more than 32 MiB: that is not the folder of the pages. Name ui/dist with --pages"
    )]
    TooMuch(PathBuf),
    /// The system said no.
    #[error("{path} could not be read: {source}")]
    Unreadable {
        /// Which file or folder.
        path: PathBuf,
        /// The system's answer.
        source: std::io::Error,
    },
}

fn places(folders: &[PathBuf]) -> String {
    let texts: Vec<String> = folders
        .iter()
        .map(|folder| folder.display().to_string())
        .collect();
    texts.join(" and ")
}

/// Every file, by the path under which a browser asks for it.
#[derive(Debug)]
pub(super) struct Pages {
    files: BTreeMap<String, Page>,
}

#[derive(Debug, Clone)]
pub(super) struct Page {
    kind: &'static str,
    bytes: Bytes,
}

impl Pages {
    /// Where an installation has them: `ui` beside the program, or `../share/sublet/ui`.
    pub(super) fn find() -> Result<Self, PagesError> {
        let program = std::env::current_exe().map_err(|source| PagesError::Unreadable {
            path: PathBuf::from("the program's own path"),
            source,
        })?;
        let beside = program.parent().unwrap_or(Path::new("."));
        let places = [beside.join("ui"), beside.join("../share/sublet/ui")];
        match places.iter().find(|folder| has_index(folder)) {
            Some(folder) => Self::read(folder),
            None => Err(PagesError::NotInstalled(places.into())),
        }
    }

    pub(super) fn read(folder: &Path) -> Result<Self, PagesError> {
        if !has_index(folder) {
            return Err(PagesError::NotThere(folder.to_owned()));
        }
        let mut files = BTreeMap::new();
        let mut left = ALL_MAX_BYTES;
        let mut folders = vec![(folder.to_owned(), String::from("/"))];
        while let Some((folder_now, address)) = folders.pop() {
            let failed = |source| PagesError::Unreadable {
                path: folder_now.clone(),
                source,
            };
            for entry in std::fs::read_dir(&folder_now).map_err(failed)? {
                let entry = entry.map_err(failed)?;
                let Ok(name) = entry.file_name().into_string() else {
                    continue;
                };
                let kind = entry.file_type().map_err(failed)?;
                if kind.is_dir() {
                    folders.push((entry.path(), format!("{address}{name}/")));
                } else if kind.is_file() {
                    let size = entry.metadata().map_err(failed)?.len();
                    left = left
                        .checked_sub(size)
                        .ok_or_else(|| PagesError::TooMuch(folder.to_owned()))?;
                    let page = Page::read(&entry.path(), &name)?;
                    files.insert(format!("{address}{name}"), page);
                }
                // A link could lead out of the folder; the build makes none.
            }
        }
        Ok(Self { files })
    }

    /// The file under exactly this path of an address; `/` is `/index.html`.
    pub(super) fn get(&self, path: &str) -> Option<Page> {
        let path = if path == "/" { "/index.html" } else { path };
        self.files.get(path).cloned()
    }
}

impl Page {
    fn read(path: &Path, name: &str) -> Result<Self, PagesError> {
        let bytes = std::fs::read(path).map_err(|source| PagesError::Unreadable {
            path: path.to_owned(),
            source,
        })?;
        Ok(Self {
            kind: kind_of(name),
            bytes: bytes.into(),
        })
    }
}

impl IntoResponse for Page {
    fn into_response(self) -> Response {
        ([(header::CONTENT_TYPE, self.kind)], Body::from(self.bytes)).into_response()
    }
}

fn has_index(folder: &Path) -> bool {
    folder.join("index.html").is_file()
}

fn kind_of(name: &str) -> &'static str {
    match name.rsplit('.').next() {
        Some("html") => "text/html; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        Some("json") => "application/json",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_files_of_the_folder_are_pages() {
        let around = tempfile::tempdir().unwrap();
        let folder = around.path().join("dist");
        std::fs::create_dir_all(folder.join("assets")).unwrap();
        std::fs::write(around.path().join("secret"), "s").unwrap();
        assert!(matches!(Pages::read(&folder), Err(PagesError::NotThere(_))));
        std::fs::write(folder.join("index.html"), "<p>").unwrap();
        std::fs::write(folder.join("assets/a.js"), "1").unwrap();
        #[cfg(unix)]
        std::os::unix::fs::symlink("../secret", folder.join("link")).unwrap();
        let pages = Pages::read(&folder).unwrap();
        assert_eq!(pages.get("/").unwrap().bytes, "<p>");
        let script = pages.get("/assets/a.js").unwrap();
        assert_eq!(script.kind, "text/javascript; charset=utf-8");
        for outside in [
            "/link",
            "/../secret",
            "/assets/../../secret",
            "/%2e%2e/secret",
            "//secret",
            "/assets/",
            "",
        ] {
            assert!(pages.get(outside).is_none(), "{outside}");
        }
    }
}

//! Takes an archive apart and puts a clean one together: plain files without a folder, and nothing of them but name and
//! bytes. A checkpoint is sifted when a job's folder is sealed, since the job wrote it, and again before it is unpacked
//! here, since another rig sealed it: what Docker unpacks as root must never be somebody else's archive.

use std::io::{Read, Write};

/// Who owns the files, in the archive: the job.
use super::profile::NOBODY;

/// Most entries of an archive, taken or not.
pub(super) const MOST_ENTRIES: usize = 10_000;
/// Longest name of a file, in bytes, as file systems have it.
const LONGEST_NAME: usize = 255;

/// What was found.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Sifted {
    /// Files taken.
    pub files: usize,
    /// Their bytes.
    pub bytes: u64,
    /// Entries left out: whatever is no plain file with a plain name.
    pub left_out: usize,
}

/// Why an archive cannot be sifted.
#[derive(Debug, thiserror::Error)]
pub(super) enum SiftError {
    /// It holds too much.
    #[error("it holds {0}")]
    TooMuch(String),
    /// It is no archive, or ends too early.
    #[error("it cannot be read: {0}")]
    Broken(std::io::Error),
    /// What is taken cannot be written.
    #[error("it cannot be written: {0}")]
    Unwritten(std::io::Error),
}

/// Copies the plain files that lie in `folder` of an archive (none: at its top) into a clean one.
pub(super) fn sift(
    from: impl Read,
    into: &mut impl Write,
    folder: Option<&str>,
    most_bytes: u64,
) -> Result<Sifted, SiftError> {
    let mut archive = tar::Archive::new(from);
    let mut clean = tar::Builder::new(into);
    let mut sifted = Sifted::default();
    let entries = archive.entries().map_err(SiftError::Broken)?;
    for (count, entry) in entries.enumerate() {
        if count >= MOST_ENTRIES {
            let what = format!("more than {MOST_ENTRIES} files");
            return Err(SiftError::TooMuch(what));
        }
        let mut entry = entry.map_err(SiftError::Broken)?;
        let path = entry.path_bytes().into_owned();
        if folder.is_some_and(|folder| is_itself(&path, folder)) {
            continue;
        }
        let name = match entry.header().entry_type() {
            tar::EntryType::Regular => plain_name(&path, folder),
            _ => None,
        };
        let Some(name) = name else {
            sifted.left_out += 1;
            continue;
        };
        let size = entry.size();
        sifted.bytes = sifted.bytes.saturating_add(size);
        if sifted.bytes > most_bytes {
            let what = format!("more than {most_bytes} bytes");
            return Err(SiftError::TooMuch(what));
        }
        let (mut read, mut failed) = (0, false);
        let bytes = Counted {
            from: &mut entry,
            read: &mut read,
            failed: &mut failed,
        };
        let copied = clean.append_data(&mut header(size), name, bytes);
        copied.map_err(|error| match failed {
            true => SiftError::Broken(error),
            false => SiftError::Unwritten(error),
        })?;
        if read != size {
            let early = std::io::ErrorKind::UnexpectedEof;
            return Err(SiftError::Broken(early.into()));
        }
        sifted.files += 1;
    }
    clean.finish().map_err(SiftError::Unwritten)?;
    Ok(sifted)
}

/// As few words on a file as an archive allows, so that the same files make the same archive.
fn header(size: u64) -> tar::Header {
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(tar::EntryType::Regular);
    header.set_size(size);
    header.set_mode(0o600);
    header.set_uid(NOBODY);
    header.set_gid(NOBODY);
    header.set_mtime(0);
    header
}

fn is_itself(path: &[u8], folder: &str) -> bool {
    path.strip_suffix(b"/").unwrap_or(path) == folder.as_bytes()
}

/// The name of a file that lies directly in the folder, and does not begin with a dot.
fn plain_name<'a>(path: &'a [u8], folder: Option<&str>) -> Option<&'a str> {
    let rest = match folder {
        None => path,
        Some(folder) => path
            .strip_prefix(folder.as_bytes())?
            .strip_prefix(b"/".as_slice())?,
    };
    let name = std::str::from_utf8(rest).ok()?;
    let plain = (1..=LONGEST_NAME).contains(&name.len())
        && !name.starts_with('.')
        && !name.contains(['/', '\\'])
        && !name.chars().any(char::is_control);
    plain.then_some(name)
}

struct Counted<'a, R> {
    from: R,
    read: &'a mut u64,
    failed: &'a mut bool,
}

impl<R: Read> Read for Counted<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let read = self.from.read(buffer);
        *self.failed = read.is_err();
        let count = read?;
        *self.read += count as u64;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    fn entry(archive: &mut tar::Builder<Vec<u8>>, name: &str, kind: tar::EntryType, bytes: &[u8]) {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(kind);
        header.set_size(bytes.len() as u64);
        header.set_mode(0o6777);
        header.set_uid(0);
        header.set_mtime(1_700_000_000);
        // As an attacker would, past the checks of the library.
        let place = &mut header.as_gnu_mut().unwrap().name;
        place[..name.len()].copy_from_slice(name.as_bytes());
        if kind == tar::EntryType::Symlink || kind == tar::EntryType::Link {
            header.set_link_name("/etc/passwd").unwrap();
        }
        header.set_cksum();
        archive.append(&header, bytes).unwrap();
    }

    fn hostile() -> Vec<u8> {
        use tar::EntryType as T;
        let mut archive = tar::Builder::new(Vec::new());
        for (name, kind) in [
            ("keep/", T::Directory),
            ("keep/good", T::Regular),
            ("keep/.half", T::Regular),
            ("keep/link", T::Symlink),
            ("keep/hard", T::Link),
            ("keep/disk", T::Block),
            ("keep/tty", T::Char),
            ("keep/pipe", T::Fifo),
            ("keep/folder", T::Directory),
            ("keep/folder/deep", T::Regular),
            ("keep/../escape", T::Regular),
            ("../escape", T::Regular),
            ("/etc/escape", T::Regular),
            ("keep//twice", T::Regular),
            ("keep/a\\b", T::Regular),
            ("keep/a\u{1b}b", T::Regular),
            ("keeper/other", T::Regular),
        ] {
            let bytes: &[u8] = if kind == T::Regular { b"bytes" } else { b"" };
            entry(&mut archive, name, kind, bytes);
        }
        archive.into_inner().unwrap()
    }

    fn files(archive: &[u8]) -> BTreeMap<String, (u32, u64, u64)> {
        let mut archive = tar::Archive::new(archive);
        let entries = archive.entries().unwrap().map(|entry| {
            let entry = entry.unwrap();
            let head = entry.header();
            assert_eq!(head.entry_type(), tar::EntryType::Regular);
            let told = (
                head.mode().unwrap(),
                head.uid().unwrap(),
                head.mtime().unwrap(),
            );
            (entry.path().unwrap().to_str().unwrap().to_owned(), told)
        });
        entries.collect()
    }

    #[test]
    fn of_a_hostile_archive_one_honest_file_is_left() {
        let mut clean = Vec::new();
        let sifted = sift(hostile().as_slice(), &mut clean, Some("keep"), 1000).unwrap();
        assert_eq!((sifted.files, sifted.bytes, sifted.left_out), (1, 5, 15));
        assert_eq!(
            files(&clean),
            [("good".to_owned(), (0o600, NOBODY, 0))].into()
        );
        // What was sifted once comes out unchanged.
        let mut again = Vec::new();
        sift(clean.as_slice(), &mut again, None, 1000).unwrap();
        assert_eq!(again, clean);
    }

    #[test]
    fn too_much_is_refused_before_it_is_all_read() {
        let error = sift(hostile().as_slice(), &mut Vec::new(), Some("keep"), 4).unwrap_err();
        assert!(matches!(error, SiftError::TooMuch(_)), "{error}");
        let mut archive = tar::Builder::new(Vec::new());
        for _ in 0..=MOST_ENTRIES {
            entry(&mut archive, "k/.x", tar::EntryType::Regular, b"");
        }
        let many = archive.into_inner().unwrap();
        let error = sift(many.as_slice(), &mut Vec::new(), Some("k"), 4).unwrap_err();
        assert!(matches!(error, SiftError::TooMuch(_)), "{error}");
    }

    #[test]
    fn half_an_archive_is_no_archive() {
        let whole = hostile();
        for cut in [512 + 512 + 3, 512 * 3 - 1] {
            let error = sift(&whole[..cut], &mut Vec::new(), Some("keep"), 1000).unwrap_err();
            assert!(matches!(error, SiftError::Broken(_)), "{error}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_bring_it_down_and_none_get_through_unclean(mut bytes in prop::collection::vec(any::<u8>(), 0..4096), at in 0usize..8000) {
            let mut clean = Vec::new();
            if sift(bytes.as_slice(), &mut clean, None, 1 << 20).is_ok() {
                files(&clean);
            }
            // An archive with some of it spoiled.
            let mut archive = hostile();
            bytes.truncate(16);
            for (to, from) in archive.iter_mut().skip(at).zip(bytes) {
                *to = from;
            }
            let mut clean = Vec::new();
            if sift(archive.as_slice(), &mut clean, Some("keep"), 1 << 20).is_ok() {
                for name in files(&clean).keys() {
                    prop_assert!(!name.contains('/') && !name.starts_with('.'), "{name}");
                }
            }
        }
    }
}

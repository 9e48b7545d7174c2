//! Which inputs a job may name: files by their CID, or, until `sublet-market submit` has uploaded them, files on the
//! renter's own machine.

use super::file::File;
use super::folders::{folder_of, is_system};
use super::place::{JobError, at, check_length, from_reader};
use crate::blob::BlobId;
use serde_saphyr::Spanned;
use std::collections::BTreeMap;

/// Most inputs of one job.
const MOST: usize = 256;

/// As they stand in the file: paths in the container, and what shall lie there.
pub(super) type Written = Spanned<BTreeMap<String, Spanned<String>>>;

/// An input that lies on the renter's machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalInput {
    /// Where the job shall find it.
    pub path: String,
    /// The file, as the job file writes it: absolute, or from the folder that the job file lies in.
    pub file: String,
    /// Where that stands in the job file, from 1.
    pub line: u64,
    /// Where that stands in the job file, from 1.
    pub column: u64,
}

/// Whether a value names a file and not a CID.
fn is_local(value: &str) -> bool {
    value.starts_with(['.', '/'])
}

/// The inputs, checked: absolute paths in one folder that is none of the system's, each with a CID.
pub(super) fn checked(inputs: &Written) -> Result<BTreeMap<String, BlobId>, JobError> {
    let mut folder: Option<&str> = None;
    let mut checked = BTreeMap::new();
    if inputs.value.len() > MOST {
        return Err(at(inputs, format!("at most {MOST} inputs can be named")));
    }
    for (path, value) in &inputs.value {
        let Some(parent) = folder_of(path) else {
            let what = format!(
                "`{path}` is not a place for an input; write an absolute path in a folder, such as /in/scene.bin"
            );
            return Err(at(value, what));
        };
        if *folder.get_or_insert(parent) != parent {
            return Err(at(value, "all inputs must lie in one folder"));
        }
        if is_system(parent) {
            let what = format!("inputs cannot lie in `{parent}`; use a folder such as /in");
            return Err(at(value, what));
        }
        if is_local(&value.value) {
            let what = format!(
                "`{}` is a file of yours, which no rig can reach; `sublet-market submit` uploads it and puts its CID here",
                value.value
            );
            return Err(at(value, what));
        }
        let cid: BlobId = value.value.parse().map_err(|error| {
            at(
                value,
                format!("{error}. To name a file of yours, begin with ./"),
            )
        })?;
        checked.insert(path.clone(), cid);
    }
    Ok(checked)
}

/// The inputs of a job file that lie on the renter's machine; nothing else of the file is checked.
///
/// # Errors
/// The file cannot be read as a job file.
pub fn local_inputs(text: &str) -> Result<Vec<LocalInput>, JobError> {
    let found = written(text)?;
    let local = found.into_iter().map(|(path, value)| LocalInput {
        line: value.referenced.line().max(1),
        column: value.referenced.column().max(1),
        file: value.value,
        path,
    });
    Ok(local.collect())
}

/// A job file with CIDs in the places of the renter's files. `cids` goes by what the job file writes.
///
/// # Errors
/// The file cannot be read as a job file, or a place is written in a way that cannot be replaced.
pub fn with_cids(text: &str, cids: &BTreeMap<String, BlobId>) -> Result<String, JobError> {
    let mut places = Vec::new();
    for (_, value) in written(text)? {
        let Some(cid) = cids.get(&value.value) else {
            continue;
        };
        let place = place(text, &value).ok_or_else(|| {
            let what = "a file of yours must be written in its place, plainly or in quotes; write it so, or write its CID";
            at(&value, what)
        })?;
        places.push((place, cid));
    }
    // From the end, so that what is still to be replaced stays where it is.
    places.sort_by_key(|((from, _), _)| std::cmp::Reverse(*from));
    let mut text = text.to_owned();
    for ((from, to), cid) in places {
        text.replace_range(from..to, &cid.to_string());
    }
    Ok(text)
}

fn written(text: &str) -> Result<Vec<(String, Spanned<String>)>, JobError> {
    check_length(text)?;
    let file: File = serde_saphyr::from_str(text).map_err(|error| from_reader(&error))?;
    let services = file.services.value.into_values();
    let inputs = services.filter_map(|service| service.sublet.value.inputs);
    Ok(inputs
        .flat_map(|inputs| inputs.value)
        .filter(|(_, value)| is_local(&value.value))
        .collect())
}

/// From where to where in the text the value itself stands, without quotes.
fn place(text: &str, value: &Spanned<String>) -> Option<(usize, usize)> {
    let begin = value.referenced.span().byte_offset()?;
    let begin = usize::try_from(begin).ok()?;
    let rest = text.get(begin..)?;
    let quote = rest.len() - rest.trim_start_matches(['"', '\'']).len();
    // More than one is an empty text, or an escape.
    let from = begin + quote.min(1);
    let to = from + value.value.len();
    (text.get(from..to)? == value.value).then_some((from, to))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::parse;

    const DIGEST: &str = "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";

    fn job(inputs: &str) -> String {
        format!(
            "services:\n  a:\n    image: r.example/a@{DIGEST}\n    x-sublet:\n      max_price_per_hour: 1\n      outputs: [/out/a]\n{inputs}"
        )
    }

    #[test]
    fn a_file_of_the_renters_becomes_its_cid_in_its_place() {
        let (one, two) = (BlobId::of(b"one"), BlobId::of(b"two"));
        for inputs in [
            "      inputs:\n        /in/a: ./ä one.bin\n        /in/b: ../two # not this: ./ä one.bin\n",
            "      inputs: {/in/a: \"./ä one.bin\", /in/b: '../two'}\n",
        ] {
            let text = job(inputs);
            let local = local_inputs(&text).unwrap();
            assert_eq!(local.len(), 2);
            assert_eq!(local[0].file, "./ä one.bin");
            assert_eq!((local[0].path.as_str(), local[0].line > 6), ("/in/a", true));
            let error = parse(&text).unwrap_err();
            assert!(error.what.contains("sublet-market submit"), "{error}");
            let cids = [("./ä one.bin".to_owned(), one), ("../two".to_owned(), two)].into();
            let spec = parse(&with_cids(&text, &cids).unwrap()).unwrap();
            assert_eq!(spec.inputs["/in/a"], one);
            assert_eq!(spec.inputs["/in/b"], two);
            assert_eq!(spec.input_folder(), Some("/in"));
        }
    }

    #[test]
    fn a_file_that_is_written_by_an_alias_is_refused_where_it_stands() {
        let text = job("      inputs: {/in/a: &x ./a, /in/b: *x}\n");
        match with_cids(&text, &[("./a".to_owned(), BlobId::of(b""))].into()) {
            Ok(replaced) => {
                // Where the reader resolves it, both have the CID.
                assert_eq!(parse(&replaced).unwrap().inputs.len(), 2);
            }
            Err(error) => assert!(error.what.contains("written in its place"), "{error}"),
        }
    }

    #[test]
    fn what_is_no_input_is_refused_with_its_place() {
        let cid = BlobId::of(b"x");
        for (inputs, word) in [
            (format!("{{/in/../a: {cid}}}"), "is not a place"),
            (format!("{{in/a: {cid}}}"), "is not a place"),
            (format!("{{/a: {cid}}}"), "is not a place"),
            (format!("{{/in/a: {cid}, /other/b: {cid}}}"), "one folder"),
            (format!("{{/etc/a: {cid}}}"), "cannot lie"),
            (format!("{{/out/b: {cid}}}"), "its own folder"),
            (format!("{{/out/in/b: {cid}}}"), "its own folder"),
            ("{/in/a: scene.bin}".to_owned(), "begin with ./"),
            (
                "{/in/a: bafybeihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku}".to_owned(),
                "not a CID",
            ),
        ] {
            let error = parse(&job(&format!("      inputs: {inputs}\n"))).unwrap_err();
            assert!(error.what.contains(word), "{inputs}: {error}");
            assert!(error.line >= 4, "{inputs}: {error}");
        }
    }
}

//! Which outputs a job may name.

use super::folders::{folder_of, is_system};
use super::place::{JobError, at};
use serde_saphyr::Spanned;

/// Most outputs of one job.
const MOST: usize = 256;

/// The outputs, checked: absolute paths in one folder that is none of the system's.
pub(super) fn checked(outputs: &Spanned<Vec<String>>) -> Result<Vec<String>, JobError> {
    let mut folder: Option<&str> = None;
    for path in &outputs.value {
        let Some(parent) = folder_of(path) else {
            let what = format!(
                "`{path}` is not an output; write an absolute path in a folder, such as /out/result.png"
            );
            return Err(at(outputs, what));
        };
        if *folder.get_or_insert(parent) != parent {
            return Err(at(outputs, "all outputs must lie in one folder"));
        }
        if is_system(parent) {
            return Err(at(
                outputs,
                format!("outputs cannot lie in `{parent}`; use a folder such as /out"),
            ));
        }
    }
    if outputs.value.len() > MOST {
        return Err(at(outputs, format!("at most {MOST} outputs can be named")));
    }
    Ok(outputs.value.clone())
}

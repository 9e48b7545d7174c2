//! What Windows tells of a running process.

use std::ffi::OsString;
use std::os::windows::ffi::OsStringExt;
use std::path::{Path, PathBuf};

use windows_sys::Win32::Foundation::{CloseHandle, HANDLE, INVALID_HANDLE_VALUE};
use windows_sys::Win32::System::Diagnostics::ToolHelp::{
    CreateToolhelp32Snapshot, PROCESSENTRY32W, Process32FirstW, Process32NextW, TH32CS_SNAPPROCESS,
};
use windows_sys::Win32::System::Threading::{
    OpenProcess, PROCESS_QUERY_LIMITED_INFORMATION, QueryFullProcessImageNameW,
};

use super::process::Process;

/// Closes a handle when it goes.
struct Owned(HANDLE);

impl Drop for Owned {
    #[expect(unsafe_code, reason = "Windows' functions are foreign")]
    fn drop(&mut self) {
        // SAFETY: the handle was given to us, and is closed once.
        unsafe { CloseHandle(self.0) };
    }
}

pub(super) fn look(_root: &Path, pid: u32) -> Option<Process> {
    let exe = image(pid);
    let comm = match &exe {
        Some(path) => path.file_name()?.to_string_lossy().into_owned(),
        // Parts of the system do not tell their file, and yet have a name.
        None => list()?.into_iter().find(|(known, _)| *known == pid)?.1,
    };
    Some(Process {
        exe,
        arguments: Vec::new(),
        comm,
    })
}

/// On Windows a process is the same program for as long as it lives.
pub(super) fn program_mark(_root: &Path, _pid: u32) -> u64 {
    0
}

pub(super) fn cgroups(_root: &Path, _pid: u32) -> Option<String> {
    None
}

pub(super) fn sees_whole_machine(_root: &Path) -> bool {
    true
}

/// The full path of a process's program.
#[expect(unsafe_code, reason = "Windows' functions are foreign")]
fn image(pid: u32) -> Option<PathBuf> {
    // SAFETY: plain values; the handle is checked and closed by its owner.
    let handle = unsafe { OpenProcess(PROCESS_QUERY_LIMITED_INFORMATION, 0, pid) };
    if handle.is_null() {
        return None;
    }
    let handle = Owned(handle);
    let mut path = vec![0_u16; 32_768];
    let mut length = 32_768_u32;
    // SAFETY: the buffer has room for the length that is passed.
    let read = unsafe { QueryFullProcessImageNameW(handle.0, 0, path.as_mut_ptr(), &mut length) };
    path.truncate(length as usize);
    (read != 0).then(|| PathBuf::from(OsString::from_wide(&path)))
}

/// Every process of the machine with its program's file name; `None` where Windows does not tell.
#[expect(unsafe_code, reason = "Windows' functions are foreign")]
pub(super) fn list() -> Option<Vec<(u32, String)>> {
    // SAFETY: plain values; the handle is checked and closed by its owner.
    let snapshot = unsafe { CreateToolhelp32Snapshot(TH32CS_SNAPPROCESS, 0) };
    if snapshot == INVALID_HANDLE_VALUE {
        return None;
    }
    let snapshot = Owned(snapshot);
    // SAFETY: a structure of numbers, for which zeros are valid.
    let mut entry: PROCESSENTRY32W = unsafe { std::mem::zeroed() };
    entry.dwSize = u32::try_from(size_of::<PROCESSENTRY32W>()).ok()?;
    let mut found = Vec::new();
    // SAFETY: the structure carries its size, as asked.
    let mut more = unsafe { Process32FirstW(snapshot.0, &mut entry) };
    while more != 0 {
        let length = entry.szExeFile.iter().position(|unit| *unit == 0);
        let name = String::from_utf16_lossy(&entry.szExeFile[..length.unwrap_or(0)]);
        found.push((entry.th32ProcessID, name));
        // SAFETY: as above.
        more = unsafe { Process32NextW(snapshot.0, &mut entry) };
    }
    Some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_running_test_is_found_by_its_number() {
        let own = std::process::id();
        let listed = list().unwrap();
        let (_, name) = listed.iter().find(|(pid, _)| *pid == own).unwrap();
        let process = look(Path::new(""), own).unwrap();
        let file = std::env::current_exe().unwrap();
        assert_eq!(
            process.exe.as_deref().and_then(Path::file_name),
            file.file_name()
        );
        assert_eq!(file.file_name().unwrap().to_string_lossy(), name.as_str());
        assert_eq!(look(Path::new(""), u32::MAX), None);
    }
}

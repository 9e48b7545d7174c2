//! Where this shared library lies: asked of the loader that loaded it.

use std::path::PathBuf;

/// The file that this code was loaded from.
#[cfg(unix)]
pub(crate) fn own_path() -> Option<PathBuf> {
    use std::ffi::{CStr, OsStr};
    use std::os::unix::ffi::OsStrExt;

    // SAFETY: zero is a valid value for a struct of pointers that dladdr fills in.
    let mut info: libc::Dl_info = unsafe { std::mem::zeroed() };
    let address = own_path as fn() -> Option<PathBuf> as *const libc::c_void;
    // SAFETY: the address lies in this library, and `info` outlives the call.
    let found = unsafe { libc::dladdr(address, &raw mut info) };
    if found == 0 || info.dli_fname.is_null() {
        return None;
    }
    // SAFETY: dladdr answered with a string that the loader keeps while this library is loaded.
    let name = unsafe { CStr::from_ptr(info.dli_fname) };
    Some(PathBuf::from(OsStr::from_bytes(name.to_bytes())))
}

/// The file that this code was loaded from.
#[cfg(windows)]
pub(crate) fn own_path() -> Option<PathBuf> {
    use std::ffi::OsString;
    use std::os::windows::ffi::OsStringExt;
    use windows_sys::Win32::Foundation::HMODULE;
    use windows_sys::Win32::System::LibraryLoader::{
        GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS, GET_MODULE_HANDLE_EX_FLAG_UNCHANGED_REFCOUNT,
        GetModuleFileNameW, GetModuleHandleExW,
    };

    let mut module: HMODULE = std::ptr::null_mut();
    let address = own_path as fn() -> Option<PathBuf> as *const u16;
    let flags =
        GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS | GET_MODULE_HANDLE_EX_FLAG_UNCHANGED_REFCOUNT;
    // SAFETY: with FROM_ADDRESS the second argument is an address in the module, and `module` outlives the call.
    if unsafe { GetModuleHandleExW(flags, address, &raw mut module) } == 0 {
        return None;
    }
    let mut name = [0_u16; 4096];
    // SAFETY: the buffer has the length that is passed.
    let length =
        unsafe { GetModuleFileNameW(module, name.as_mut_ptr(), name.len() as u32) } as usize;
    (length > 0 && length < name.len()).then(|| PathBuf::from(OsString::from_wide(&name[..length])))
}

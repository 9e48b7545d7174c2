//! What is free on the disk.

use std::path::Path;

/// Bytes that this user may still write where a folder lies; none where that cannot be told.
pub(super) fn free_bytes(folder: &Path) -> Option<u64> {
    #[cfg(unix)]
    {
        let found = rustix::fs::statvfs(folder).ok()?;
        Some(found.f_bavail.saturating_mul(found.f_frsize))
    }
    #[cfg(windows)]
    {
        use std::os::windows::ffi::OsStrExt;
        let name: Vec<u16> = folder.as_os_str().encode_wide().chain([0]).collect();
        let mut free = 0_u64;
        // SAFETY: the name ends in a zero, and the one number that is asked for has a place.
        #[expect(unsafe_code, reason = "there is no safe call for it")]
        let told = unsafe {
            windows_sys::Win32::Storage::FileSystem::GetDiskFreeSpaceExW(
                name.as_ptr(),
                &raw mut free,
                std::ptr::null_mut(),
                std::ptr::null_mut(),
            )
        };
        (told != 0).then_some(free)
    }
}

//! The local API's listener on Windows: a named pipe whose security descriptor names the current user alone.
#![expect(
    unsafe_code,
    reason = "a pipe's security descriptor can only be given through the Win32 API"
)]

use super::endpoint::{BindError, Endpoint, Peer};
use std::ffi::c_void;
use std::io;
use std::os::windows::io::{AsRawHandle, FromRawHandle, OwnedHandle};
use std::path::PathBuf;
use tokio::net::windows::named_pipe::{ClientOptions, NamedPipeServer, ServerOptions};
use windows_sys::Win32::Foundation::{ERROR_ACCESS_DENIED, ERROR_PIPE_BUSY, HANDLE, LocalFree};
use windows_sys::Win32::Security::Authorization::{
    ConvertSidToStringSidW, ConvertStringSecurityDescriptorToSecurityDescriptorW, SDDL_REVISION_1,
};
use windows_sys::Win32::Security::{
    GetTokenInformation, PSECURITY_DESCRIPTOR, SECURITY_ATTRIBUTES, TOKEN_QUERY, TOKEN_USER,
    TokenUser,
};
use windows_sys::Win32::System::Threading::{GetCurrentProcess, OpenProcessToken};
use windows_sys::Win32::System::WindowsProgramming::GetUserNameW;

/// The open pipe: one instance always waits for the next client.
#[derive(Debug)]
pub struct Listener {
    name: PathBuf,
    waiting: NamedPipeServer,
    only_us: OnlyUs,
}

impl Listener {
    /// Opens the pipe.
    ///
    /// # Errors
    /// [`BindError`], whose text says what the owner can do.
    pub async fn bind(endpoint: &Endpoint) -> Result<Self, BindError> {
        let name = endpoint.path().to_owned();
        let failed = |what| {
            let path = name.clone();
            move |source| BindError::System { what, path, source }
        };
        // The demand to be the pipe's first instance settles it; knocking first also holds where a system does
        // not heed that demand (Wine does not).
        match ClientOptions::new().open(&name) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error)
                if error.raw_os_error() != Some(ERROR_PIPE_BUSY as i32)
                    && error.kind() != io::ErrorKind::PermissionDenied =>
            {
                return Err(failed("look at")(error));
            }
            _ => return Err(BindError::AlreadyServed(name)),
        }
        let only_us = OnlyUs::new().map_err(failed("describe who may open"))?;
        let waiting = only_us.pipe(&name, true).map_err(|error| {
            // An existing pipe answers the demand to be its first instance so.
            if error.raw_os_error() == Some(ERROR_ACCESS_DENIED as i32) {
                BindError::AlreadyServed(name.clone())
            } else {
                failed("open the pipe")(error)
            }
        })?;
        Ok(Self {
            name,
            waiting,
            only_us,
        })
    }
}

impl axum::serve::Listener for Listener {
    type Io = NamedPipeServer;
    type Addr = Peer;

    async fn accept(&mut self) -> (NamedPipeServer, Peer) {
        loop {
            let connected = match self.waiting.connect().await {
                Ok(()) => self.only_us.pipe(&self.name, false),
                Err(error) => Err(error),
            };
            match connected {
                // The security descriptor let only the owner come this far.
                Ok(next) => return (std::mem::replace(&mut self.waiting, next), Peer::Owner),
                Err(error) => {
                    tracing::warn!(%error, "the local API could not accept a connection");
                    if let Err(error) = self.waiting.disconnect() {
                        tracing::warn!(%error, "the local API's pipe could not be freed");
                    }
                    tokio::time::sleep(super::ACCEPT_PAUSE).await;
                }
            }
        }
    }

    fn local_addr(&self) -> io::Result<Peer> {
        Ok(Peer::Owner)
    }
}

/// A security descriptor with one entry: everything, to the user this process runs as.
#[derive(Debug)]
struct OnlyUs {
    descriptor: PSECURITY_DESCRIPTOR,
}

// SAFETY: the descriptor is plain memory of the process, written once in `new` and only read afterwards.
unsafe impl Send for OnlyUs {}
// SAFETY: as above; shared reads of memory that nobody writes.
unsafe impl Sync for OnlyUs {}

impl OnlyUs {
    fn new() -> io::Result<Self> {
        // D: the access list, P: nothing inherited, (A;;GA;;;sid): all rights to this one.
        let text: Vec<u16> = format!("D:P(A;;GA;;;{})", user_sid()?)
            .encode_utf16()
            .chain([0])
            .collect();
        let mut descriptor: PSECURITY_DESCRIPTOR = std::ptr::null_mut();
        // SAFETY: `text` ends with a zero and outlives the call; `descriptor` is a valid place for the result.
        let done = unsafe {
            ConvertStringSecurityDescriptorToSecurityDescriptorW(
                text.as_ptr(),
                SDDL_REVISION_1,
                &mut descriptor,
                std::ptr::null_mut(),
            )
        };
        if done == 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(Self { descriptor })
    }

    fn pipe(&self, name: &std::path::Path, first: bool) -> io::Result<NamedPipeServer> {
        let mut attributes = SECURITY_ATTRIBUTES {
            nLength: size_of::<SECURITY_ATTRIBUTES>() as u32,
            lpSecurityDescriptor: self.descriptor,
            bInheritHandle: 0,
        };
        // SAFETY: `attributes` is a valid SECURITY_ATTRIBUTES whose descriptor lives as long as `self`.
        unsafe {
            ServerOptions::new()
                .first_pipe_instance(first)
                .reject_remote_clients(true)
                .create_with_security_attributes_raw(name, (&raw mut attributes).cast::<c_void>())
        }
    }
}

impl Drop for OnlyUs {
    fn drop(&mut self) {
        // SAFETY: the descriptor was allocated by the system with LocalAlloc, as its documentation says, and is
        // freed once.
        unsafe { LocalFree(self.descriptor) };
    }
}

/// The SID of the user this process runs as, as text: `S-1-5-21-...`.
fn user_sid() -> io::Result<String> {
    let mut raw: HANDLE = std::ptr::null_mut();
    // SAFETY: `raw` is a valid place for the handle; the process pseudo-handle needs no closing.
    if unsafe { OpenProcessToken(GetCurrentProcess(), TOKEN_QUERY, &mut raw) } == 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the call above succeeded, so `raw` is an open handle that nobody else owns.
    let token = unsafe { OwnedHandle::from_raw_handle(raw) };

    let mut length = 0;
    // SAFETY: a null buffer of length 0 only asks for the length.
    unsafe {
        GetTokenInformation(
            token.as_raw_handle(),
            TokenUser,
            std::ptr::null_mut(),
            0,
            &mut length,
        )
    };
    // u64 words, so that the structure inside is aligned.
    let mut buffer = vec![0u64; (length as usize).div_ceil(8).max(1)];
    // SAFETY: the buffer holds at least `length` writable bytes.
    let done = unsafe {
        GetTokenInformation(
            token.as_raw_handle(),
            TokenUser,
            buffer.as_mut_ptr().cast(),
            length,
            &mut length,
        )
    };
    if done == 0 {
        return Err(io::Error::last_os_error());
    }
    let mut text: *mut u16 = std::ptr::null_mut();
    // SAFETY: the buffer begins with a TOKEN_USER written by the system, whose SID pointer points into it.
    let done = unsafe {
        let user = &*buffer.as_ptr().cast::<TOKEN_USER>();
        ConvertSidToStringSidW(user.User.Sid, &mut text)
    };
    if done == 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the call succeeded, so `text` is a zero-ended string of the system's, freed here and once.
    let sid = unsafe {
        let length = (0..).take_while(|&i| *text.add(i) != 0).count();
        let sid = String::from_utf16_lossy(std::slice::from_raw_parts(text, length));
        LocalFree(text.cast());
        sid
    };
    Ok(sid)
}

/// The name of the user this process runs as: from the system, since a service has no `USERNAME`. Empty where the
/// system does not say; the hash in the pipe's name then tells folders apart alone.
pub(super) fn user_name() -> String {
    // UNLEN and the closing zero.
    let mut buffer = [0u16; 257];
    let mut length = buffer.len() as u32;
    // SAFETY: the buffer holds `length` writable words.
    if unsafe { GetUserNameW(buffer.as_mut_ptr(), &mut length) } == 0 {
        return String::new();
    }
    let letters = length.saturating_sub(1) as usize;
    String::from_utf16_lossy(&buffer[..letters.min(buffer.len())])
}

//! Whether the network in use is metered, by Windows' hint on the cost of connectivity.
//!
//! The hint is a plain function of the IP helper library since Windows 10 2004. The older interface for it is COM,
//! which would bring a library of its own for one number. An older Windows does not tell, and that stays unknown.

use std::time::Duration;

use tokio::sync::watch;
use windows_sys::Win32::Networking::WinSock::{
    NL_NETWORK_CONNECTIVITY_HINT, NetworkConnectivityCostHintFixed,
    NetworkConnectivityCostHintVariable,
};
use windows_sys::Win32::System::LibraryLoader::{
    GetProcAddress, LOAD_LIBRARY_SEARCH_SYSTEM32, LoadLibraryExW,
};

const EVERY: Duration = Duration::from_secs(5);

/// The newest answer; absent while it cannot be had.
pub(super) fn follow(_address: Option<String>) -> watch::Receiver<Option<bool>> {
    let (tell, metered) = watch::channel(None);
    tokio::spawn(async move {
        let hint = Hint::load();
        while !tell.is_closed() {
            tell.send_replace(hint.as_ref().and_then(Hint::metered));
            tokio::select! {
                () = tokio::time::sleep(EVERY) => {}
                () = tell.closed() => {}
            }
        }
    });
    metered
}

type Ask = unsafe extern "system" fn(*mut NL_NETWORK_CONNECTIVITY_HINT) -> u32;

/// Windows' function, where it has it.
struct Hint(Ask);

impl Hint {
    #[expect(unsafe_code, reason = "Windows' functions are foreign")]
    fn load() -> Option<Self> {
        let library: Vec<u16> = "iphlpapi.dll\0".encode_utf16().collect();
        // SAFETY: the name ends with a zero, and the library is looked for in the system's folder only. It stays
        // loaded, as it is for the rest of the program.
        let function = unsafe {
            let library = LoadLibraryExW(
                library.as_ptr(),
                std::ptr::null_mut(),
                LOAD_LIBRARY_SEARCH_SYSTEM32,
            );
            if library.is_null() {
                return None;
            }
            GetProcAddress(library, c"GetNetworkConnectivityHint".as_ptr().cast())?
        };
        // SAFETY: Windows documents this signature for the function of that name.
        Some(Self(unsafe {
            std::mem::transmute::<unsafe extern "system" fn() -> isize, Ask>(function)
        }))
    }

    #[expect(unsafe_code, reason = "Windows' functions are foreign")]
    fn metered(&self) -> Option<bool> {
        // SAFETY: a structure of numbers, for which zeros are valid.
        let mut hint: NL_NETWORK_CONNECTIVITY_HINT = unsafe { std::mem::zeroed() };
        // SAFETY: the structure is ours for the time of the call.
        let result = unsafe { (self.0)(&mut hint) };
        // An unknown cost is what it says while there is no network.
        let cost = hint.ConnectivityCost;
        let metered =
            cost == NetworkConnectivityCostHintFixed || cost == NetworkConnectivityCostHintVariable;
        (result == 0).then_some(metered)
    }
}

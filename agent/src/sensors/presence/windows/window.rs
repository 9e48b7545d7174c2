//! A window for messages only, and the wait for them.

use std::cell::Cell;
use std::io;
use std::time::Duration;

use windows_sys::Win32::Foundation::{HWND, LPARAM, LRESULT, WPARAM};
use windows_sys::Win32::System::LibraryLoader::GetModuleHandleW;
use windows_sys::Win32::System::Power::{
    HPOWERNOTIFY, POWERBROADCAST_SETTING, RegisterPowerSettingNotification,
    UnregisterPowerSettingNotification,
};
use windows_sys::Win32::System::SystemServices::GUID_CONSOLE_DISPLAY_STATE;
use windows_sys::Win32::System::Threading::GetCurrentThreadId;
use windows_sys::Win32::UI::WindowsAndMessaging::{
    CreateWindowExW, DEVICE_NOTIFY_WINDOW_HANDLE, DefWindowProcW, DestroyWindow, DispatchMessageW,
    HWND_MESSAGE, MSG, MWMO_INPUTAVAILABLE, MsgWaitForMultipleObjectsEx, PBT_POWERSETTINGCHANGE,
    PM_REMOVE, PeekMessageW, PostThreadMessageW, QS_ALLINPUT, RegisterClassExW, WM_APP, WM_INPUT,
    WM_POWERBROADCAST, WNDCLASSEXW,
};
use windows_sys::core::w;

use super::raw_input::{Heard, RawInput};

thread_local! {
    /// What the thread's window was last told of the display.
    static DISPLAY_OFF: Cell<Option<bool>> = const { Cell::new(None) };
}

/// Whether the display is off, as this thread's window was told; absent until it was.
pub(super) fn display_off() -> Option<bool> {
    DISPLAY_OFF.get()
}

/// Wakes the window's thread; a last time when it is dropped.
#[derive(Debug)]
pub(in crate::sensors::presence) struct Ringer {
    thread: u32,
}

impl Ringer {
    /// The thread looks at once whether it is to listen, or to end.
    pub fn ring(&self) {
        // SAFETY: plain values; a thread that has ended makes the call fail, which is of no consequence.
        unsafe { PostThreadMessageW(self.thread, WM_APP, 0, 0) };
    }
}

impl Drop for Ringer {
    fn drop(&mut self) {
        self.ring();
    }
}

/// Must stay on the thread that opened it.
pub(super) struct Window {
    handle: HWND,
    power: HPOWERNOTIFY,
}

impl Window {
    pub fn open() -> io::Result<Self> {
        let name = w!("SubletPresence");
        // SAFETY: no name is given, so it is the module of this program, which is never unloaded.
        let module = unsafe { GetModuleHandleW(std::ptr::null()) };
        let class = WNDCLASSEXW {
            cbSize: size::<WNDCLASSEXW>(),
            lpfnWndProc: Some(told),
            hInstance: module,
            lpszClassName: name,
            ..WNDCLASSEXW::default()
        };
        // SAFETY: `class` lives through the call, its name and its procedure for ever. That the class is there
        // already, from an earlier watch of this process, is no error: the window tells.
        unsafe { RegisterClassExW(&class) };
        // SAFETY: the class' name is a constant, and nothing else is pointed to.
        let handle = unsafe {
            CreateWindowExW(
                0,
                name,
                std::ptr::null(),
                0,
                0,
                0,
                0,
                0,
                HWND_MESSAGE,
                std::ptr::null_mut(),
                module,
                std::ptr::null(),
            )
        };
        if handle.is_null() {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the window exists, and the identifier is a constant. Where it fails, the display is unknown.
        let power = unsafe {
            RegisterPowerSettingNotification(
                handle.cast(),
                &GUID_CONSOLE_DISPLAY_STATE,
                DEVICE_NOTIFY_WINDOW_HANDLE,
            )
        };
        Ok(Self { handle, power })
    }

    pub fn handle(&self) -> HWND {
        self.handle
    }

    pub fn ringer(&self) -> Ringer {
        // SAFETY: takes nothing, and cannot fail.
        let thread = unsafe { GetCurrentThreadId() };
        Ringer { thread }
    }

    /// What was heard until now, or within `limit` if that is nothing. Ends early when it is rung.
    pub fn wait(&self, limit: Duration, raw: &mut RawInput) -> Vec<Heard> {
        // One more, so as not to wake a moment too early and then once more.
        let limit = u32::try_from(limit.as_millis() + 1).unwrap_or(u32::MAX);
        // SAFETY: no handles are given, so their pointer is not read.
        unsafe {
            MsgWaitForMultipleObjectsEx(
                0,
                std::ptr::null(),
                limit,
                QS_ALLINPUT,
                MWMO_INPUTAVAILABLE,
            )
        };
        let mut heard = Vec::new();
        let mut message = MSG::default();
        // SAFETY: `message` lives through the calls; no window means all of this thread.
        while unsafe { PeekMessageW(&mut message, std::ptr::null_mut(), 0, 0, PM_REMOVE) } != 0 {
            if message.message == WM_INPUT {
                heard.extend(raw.read(message.lParam));
            }
            // Raw input, too, must be handed on: Windows frees it then.
            // SAFETY: `message` was filled by the call above.
            unsafe { DispatchMessageW(&message) };
        }
        heard
    }
}

impl Drop for Window {
    fn drop(&mut self) {
        // SAFETY: both were made by `open` on this thread and are given back once.
        unsafe {
            if self.power != 0 {
                UnregisterPowerSettingNotification(self.power);
            }
            DestroyWindow(self.handle);
        }
    }
}

pub(super) fn size<T>() -> u32 {
    u32::try_from(size_of::<T>()).unwrap_or(u32::MAX)
}

unsafe extern "system" fn told(
    window: HWND,
    message: u32,
    what: WPARAM,
    details: LPARAM,
) -> LRESULT {
    if message == WM_POWERBROADCAST && what == PBT_POWERSETTINGCHANGE as WPARAM && details != 0 {
        let setting = details as *const POWERBROADCAST_SETTING;
        // SAFETY: for this message Windows points to such a value, which holds until this function returns.
        let setting = unsafe { &*setting };
        if same(&setting.PowerSetting) && setting.DataLength >= 1 {
            // 0 off, 1 on, 2 dimmed.
            DISPLAY_OFF.set(Some(setting.Data[0] == 0));
        }
        return 1;
    }
    // SAFETY: what Windows gave is handed on as it is.
    unsafe { DefWindowProcW(window, message, what, details) }
}

fn same(id: &windows_sys::core::GUID) -> bool {
    let display = GUID_CONSOLE_DISPLAY_STATE;
    (id.data1, id.data2, id.data3, id.data4)
        == (display.data1, display.data2, display.data3, display.data4)
}

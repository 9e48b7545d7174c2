//! What Windows tells when asked: the last input, the session, and what is shown.

use std::time::Duration;

use sublet_core::facts::{InputKind, Watching, WatchingHow};
use windows_sys::Win32::Foundation::{CloseHandle, HWND};
use windows_sys::Win32::System::Power::{CallNtPowerInformation, SystemExecutionState};
use windows_sys::Win32::System::RemoteDesktop::{
    ProcessIdToSessionId, WTS_CURRENT_SERVER_HANDLE, WTS_CURRENT_SESSION, WTSFreeMemory,
    WTSGetActiveConsoleSessionId, WTSINFOEXW, WTSQuerySessionInformationW, WTSSessionInfoEx,
};
use windows_sys::Win32::System::SystemInformation::GetTickCount;
use windows_sys::Win32::System::Threading::{
    GetCurrentProcessId, OpenProcess, PROCESS_QUERY_LIMITED_INFORMATION, QueryFullProcessImageNameW,
};
use windows_sys::Win32::UI::Input::KeyboardAndMouse::{GetLastInputInfo, LASTINPUTINFO};
use windows_sys::Win32::UI::Shell::{
    QUERY_USER_NOTIFICATION_STATE, QUNS_APP, QUNS_BUSY, QUNS_PRESENTATION_MODE,
    QUNS_RUNNING_D3D_FULL_SCREEN, SHQueryUserNotificationState,
};
use windows_sys::Win32::UI::WindowsAndMessaging::{
    GetForegroundWindow, GetSystemMetrics, GetWindowThreadProcessId, SM_REMOTESESSION,
};

use super::window::size;

/// How long this session has had no input.
///
/// # Errors
/// A whole sentence: there is no desktop in the session of services, and Windows may refuse.
pub(super) fn last_input() -> Result<Duration, String> {
    if session() == Some(0) {
        return Err(
            "The agent runs as a service, where Windows shows no input. Start it at login instead."
                .into(),
        );
    }
    let mut info = LASTINPUTINFO {
        cbSize: size::<LASTINPUTINFO>(),
        dwTime: 0,
    };
    // SAFETY: `info` is a value of the size that it names.
    if unsafe { GetLastInputInfo(&mut info) } == 0 {
        let error = std::io::Error::last_os_error();
        return Err(format!("Windows does not tell of the last input: {error}."));
    }
    // SAFETY: takes nothing, and cannot fail.
    let now = unsafe { GetTickCount() };
    Ok(between(info.dwTime, now))
}

/// Both count ms since the start in 32 bits, and begin anew after 49 days. Input may have come since `now` was read.
fn between(then: u32, now: u32) -> Duration {
    let idle = now.wrapping_sub(then);
    Duration::from_millis(if idle > u32::MAX / 2 { 0 } else { idle.into() })
}

fn session() -> Option<u32> {
    let mut session = 0;
    // SAFETY: our own process, and a place for the answer.
    let done = unsafe { ProcessIdToSessionId(GetCurrentProcessId(), &mut session) };
    (done != 0).then_some(session)
}

/// Whether whoever sits at this machine sits at this session: somebody else may be logged in over it.
pub(super) fn is_on_this_screen() -> bool {
    // SAFETY: takes nothing.
    let shown = unsafe { WTSGetActiveConsoleSessionId() };
    hands() == InputKind::Remote || session() == Some(shown)
}

/// Whose hands the input of this session comes from.
pub(super) fn hands() -> InputKind {
    // SAFETY: takes a number.
    if unsafe { GetSystemMetrics(SM_REMOTESESSION) } != 0 {
        InputKind::Remote
    } else {
        InputKind::Desk
    }
}

/// Whether this session is locked; absent where Windows does not tell.
pub(super) fn locked() -> Option<bool> {
    let mut buffer = std::ptr::null_mut();
    let mut length = 0;
    // SAFETY: two places for the answer, which is freed below.
    let done = unsafe {
        WTSQuerySessionInformationW(
            WTS_CURRENT_SERVER_HANDLE,
            WTS_CURRENT_SESSION,
            WTSSessionInfoEx,
            &mut buffer,
            &mut length,
        )
    };
    if done == 0 || buffer.is_null() {
        return None;
    }
    let whole = length as usize >= size_of::<WTSINFOEXW>();
    // SAFETY: it is as long as such a value, and Windows says that it is one.
    let info = whole.then(|| unsafe { buffer.cast::<WTSINFOEXW>().read_unaligned() });
    // SAFETY: Windows gave it to be freed so, and it is not used again.
    unsafe { WTSFreeMemory(buffer.cast()) };
    let info = info.filter(|info| info.Level == 1)?;
    // SAFETY: this level holds this part of the union.
    match unsafe { info.Data.WTSInfoExLevel1 }.SessionFlags {
        0 => Some(true),
        1 => Some(false),
        _ => None,
    }
}

/// What is shown without input.
pub(super) fn watching() -> Vec<Watching> {
    let full = full_screen().map(|how| Watching {
        program: foreground(),
        how,
    });
    let kept = display_required().then(|| Watching {
        program: "A program".into(),
        how: WatchingHow::Inhibits,
    });
    full.or(kept).into_iter().collect()
}

fn full_screen() -> Option<WatchingHow> {
    let mut state: QUERY_USER_NOTIFICATION_STATE = 0;
    // SAFETY: a place for the answer.
    let result = unsafe { SHQueryUserNotificationState(&mut state) };
    (result >= 0).then(|| meaning(state)).flatten()
}

fn meaning(state: QUERY_USER_NOTIFICATION_STATE) -> Option<WatchingHow> {
    match state {
        QUNS_BUSY | QUNS_RUNNING_D3D_FULL_SCREEN | QUNS_PRESENTATION_MODE | QUNS_APP => {
            Some(WatchingHow::FullScreen)
        }
        _ => None,
    }
}

/// Whether any program asked for the display to stay on. Which one, Windows tells only to administrators.
fn display_required() -> bool {
    const ES_DISPLAY_REQUIRED: u32 = 2;
    let mut state = 0u32;
    let into = (&raw mut state).cast();
    // SAFETY: nothing is given, and `into` points to a value of the size that is said.
    let status = unsafe {
        CallNtPowerInformation(
            SystemExecutionState,
            std::ptr::null(),
            0,
            into,
            size::<u32>(),
        )
    };
    status == 0 && state & ES_DISPLAY_REQUIRED != 0
}

/// The program that the window in front belongs to.
fn foreground() -> String {
    // SAFETY: takes nothing.
    let window = unsafe { GetForegroundWindow() };
    let name = (!window.is_null()).then(|| program_of(window)).flatten();
    name.unwrap_or_else(|| "A program".into())
}

fn program_of(window: HWND) -> Option<String> {
    let mut process = 0;
    // SAFETY: a place for the answer; a window that is gone leaves it 0.
    unsafe { GetWindowThreadProcessId(window, &mut process) };
    // SAFETY: takes numbers.
    let handle = unsafe { OpenProcess(PROCESS_QUERY_LIMITED_INFORMATION, 0, process) };
    if handle.is_null() {
        return None;
    }
    let mut path = vec![0u16; 1024];
    let mut length = 1024;
    // SAFETY: the buffer has as many places as `length` says.
    let done = unsafe { QueryFullProcessImageNameW(handle, 0, path.as_mut_ptr(), &mut length) };
    // SAFETY: it was opened above and is not used again.
    unsafe { CloseHandle(handle) };
    let path = String::from_utf16_lossy(path.get(..length as usize)?);
    (done != 0).then(|| name_of(&path))?
}

fn name_of(path: &str) -> Option<String> {
    let name = path.rsplit('\\').next()?;
    let name = name.strip_suffix(".exe").unwrap_or(name);
    (!name.is_empty()).then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn idle_time_survives_the_end_of_the_counter_and_input_in_between() {
        assert_eq!(between(1_000, 4_000), Duration::from_secs(3));
        assert_eq!(between(u32::MAX - 499, 500), Duration::from_secs(1));
        assert_eq!(between(4_001, 4_000), Duration::ZERO);
    }

    #[test]
    fn a_game_a_presentation_and_a_film_fill_the_screen() {
        for state in [
            QUNS_BUSY,
            QUNS_RUNNING_D3D_FULL_SCREEN,
            QUNS_PRESENTATION_MODE,
            QUNS_APP,
        ] {
            assert_eq!(meaning(state), Some(WatchingHow::FullScreen));
        }
        // Nobody there, all quiet, and the hour after installation.
        for state in [1, 5, 6] {
            assert_eq!(meaning(state), None);
        }
    }

    #[test]
    fn a_program_is_called_as_its_file_is() {
        assert_eq!(name_of(r"C:\Games\Quake.exe").as_deref(), Some("Quake"));
        assert_eq!(name_of("").as_deref(), None);
    }

    #[test]
    fn the_machine_that_runs_this_answers() {
        let idle = last_input();
        assert!(idle.is_ok(), "{idle:?}");
        let _ = (locked(), watching(), hands(), is_on_this_screen());
    }
}

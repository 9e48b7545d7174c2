//! A clock on the wall that a test sets, for one program and those that it starts.
//!
//! Loaded by `LD_PRELOAD`, it answers the C library's three calls that tell the time of day, with so many seconds added
//! as the file says that the environment variable `CLOCK_SIM_FILE` names; a file that is not there says none. The
//! program is the real one and knows nothing of it. As with a clock that is really set, the clocks that only measure
//! (`CLOCK_MONOTONIC`, `CLOCK_BOOTTIME`) go on as they were, and so do timers.
//!
//! The calls ask the kernel themselves: what else there is would end here again.
#![cfg(target_os = "linux")]

use std::cell::Cell;
use std::sync::OnceLock;

use libc::{c_int, c_void, clockid_t, time_t, timespec, timeval};

thread_local! {
    /// Reading the file may ask for the time.
    static READING: Cell<bool> = const { Cell::new(false) };
}

/// By how much the clock is ahead, in seconds.
fn ahead_s() -> i64 {
    static FILE: OnceLock<Option<std::path::PathBuf>> = OnceLock::new();
    if READING.replace(true) {
        return 0;
    }
    let file = FILE.get_or_init(|| std::env::var_os("CLOCK_SIM_FILE").map(Into::into));
    let text = file.as_ref().map(std::fs::read_to_string);
    READING.set(false);
    let text = text.and_then(Result::ok).unwrap_or_default();
    text.trim().parse().unwrap_or(0)
}

fn from_kernel(clock: clockid_t, time: *mut timespec) -> c_int {
    // SAFETY: the kernel checks the pointer, and writes one `timespec` to it.
    let told = unsafe { libc::syscall(libc::SYS_clock_gettime, clock, time) };
    if told == 0 { 0 } else { -1 }
}

/// # Safety
/// As of the C library's own: `time` is null or valid for writing.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn clock_gettime(clock: clockid_t, time: *mut timespec) -> c_int {
    let told = from_kernel(clock, time);
    if told == 0 && matches!(clock, libc::CLOCK_REALTIME | libc::CLOCK_REALTIME_COARSE) {
        // SAFETY: the kernel has just written there.
        unsafe { (*time).tv_sec += ahead_s() };
    }
    told
}

fn now() -> timespec {
    let mut time = timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: it is our own.
    unsafe { clock_gettime(libc::CLOCK_REALTIME, &raw mut time) };
    time
}

/// # Safety
/// As of the C library's own: `time` is null or valid for writing.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gettimeofday(time: *mut timeval, _zone: *mut c_void) -> c_int {
    let now = now();
    if !time.is_null() {
        let told = timeval {
            tv_sec: now.tv_sec,
            tv_usec: now.tv_nsec / 1_000,
        };
        // SAFETY: not null, and valid by this function's contract.
        unsafe { time.write(told) };
    }
    0
}

/// # Safety
/// As of the C library's own: `also` is null or valid for writing.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn time(also: *mut time_t) -> time_t {
    let now = now().tv_sec;
    if !also.is_null() {
        // SAFETY: not null, and valid by this function's contract.
        unsafe { also.write(now) };
    }
    now
}

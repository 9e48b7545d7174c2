//! Raw input: every report of keyboards, mice, screens and gamepads, whichever window it is meant for.

use std::collections::HashMap;

use windows_sys::Win32::Foundation::{HWND, LPARAM};
use windows_sys::Win32::UI::Input::{
    GetRawInputData, RAWHID, RAWINPUT, RAWINPUTDEVICE, RAWINPUTHEADER, RID_INPUT, RIDEV_INPUTSINK,
    RIDEV_REMOVE, RIM_TYPEHID, RIM_TYPEKEYBOARD, RIM_TYPEMOUSE, RegisterRawInputDevices,
};

use super::Wish;
use super::gamepad::Gamepad;
use super::window::{Window, size};

/// What a report means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Heard {
    Desk,
    PadMoved,
    /// A gamepad told how it stands, and nobody moved it.
    PadStill,
}

/// Page and number of the HID usage tables: keyboard and mouse; pen, touch screen and touch pad.
const DESK: [(u16, u16); 5] = [(1, 6), (1, 2), (0x0d, 2), (0x0d, 4), (0x0d, 5)];
/// Joystick, gamepad, and what has more axes than those, as wheels do.
const PADS: [(u16, u16); 3] = [(1, 4), (1, 5), (1, 8)];

pub(super) struct RawInput {
    window: HWND,
    /// What is being told.
    pub wish: Wish,
    pads: HashMap<isize, Option<Gamepad>>,
}

impl RawInput {
    /// For the thread of this window.
    pub fn new(window: &Window) -> Self {
        Self {
            window: window.handle(),
            wish: Wish::Nothing,
            pads: HashMap::new(),
        }
    }

    /// What is to be told from now on.
    pub fn wish(&mut self, wish: Wish) {
        if wish == self.wish {
            return;
        }
        let (pads, desk) = (wish != Wish::Nothing, wish == Wish::Everything);
        let device = |(page, usage), on| RAWINPUTDEVICE {
            usUsagePage: page,
            usUsage: usage,
            dwFlags: if on { RIDEV_INPUTSINK } else { RIDEV_REMOVE },
            hwndTarget: if on {
                self.window
            } else {
                std::ptr::null_mut()
            },
        };
        let devices = PADS.map(|usage| device(usage, pads)).into_iter();
        let devices = devices.chain(DESK.map(|usage| device(usage, desk)));
        let mut failed = None;
        for device in devices {
            // One by one: a kind that this Windows does not know must not cost the others.
            // SAFETY: one device is pointed to, it lives through the call, and its window is this thread's.
            let done = unsafe { RegisterRawInputDevices(&device, 1, size::<RAWINPUTDEVICE>()) };
            if done == 0 && device.dwFlags == RIDEV_INPUTSINK {
                failed = Some(std::io::Error::last_os_error());
            }
        }
        if let Some(error) = failed {
            tracing::debug!(%error, "a kind of input is not told by Windows");
        }
        self.wish = wish;
    }

    /// What the message with these details says.
    pub fn read(&mut self, details: LPARAM) -> Option<Heard> {
        let header = size::<RAWINPUTHEADER>();
        let handle = details as *mut core::ffi::c_void;
        let mut length = 0;
        // SAFETY: with no place to write to, only the length is written.
        unsafe { GetRawInputData(handle, RID_INPUT, std::ptr::null_mut(), &mut length, header) };
        // Words, so that it is aligned as the value wants to be.
        let words = (length as usize).max(size_of::<RAWINPUT>()).div_ceil(8);
        let mut buffer = vec![0u64; words];
        // SAFETY: the buffer is at least `length` long.
        let got = unsafe {
            GetRawInputData(
                handle,
                RID_INPUT,
                buffer.as_mut_ptr().cast(),
                &mut length,
                header,
            )
        };
        if got == 0 || got == u32::MAX {
            return None;
        }
        // SAFETY: the buffer is aligned, long enough, and either zero or written by Windows as such a value.
        let input = unsafe { &*buffer.as_ptr().cast::<RAWINPUT>() };
        match input.header.dwType {
            RIM_TYPEKEYBOARD | RIM_TYPEMOUSE => Some(Heard::Desk),
            RIM_TYPEHID => {
                // SAFETY: this kind of value holds this part of the union.
                let hid = unsafe { input.data.hid };
                let start =
                    std::mem::offset_of!(RAWINPUT, data) + std::mem::offset_of!(RAWHID, bRawData);
                let reports = (hid.dwSizeHid as usize).checked_mul(hid.dwCount as usize)?;
                let end = start.checked_add(reports)?.min(got as usize);
                let bytes: Vec<u8> = buffer.iter().flat_map(|word| word.to_ne_bytes()).collect();
                let reports = bytes.get(start..end)?;
                self.reports(
                    input.header.hDevice as isize,
                    reports,
                    hid.dwSizeHid as usize,
                )
            }
            _ => None,
        }
    }

    fn reports(&mut self, device: isize, reports: &[u8], length: usize) -> Option<Heard> {
        let pad = self
            .pads
            .entry(device)
            .or_insert_with(|| Gamepad::open(device));
        let Some(pad) = pad else {
            // A screen or a pen: they speak only when touched.
            return Some(Heard::Desk);
        };
        let mut moved = false;
        for report in reports.chunks_exact(length.max(1)) {
            moved |= pad.moved(report);
        }
        Some(if moved {
            Heard::PadMoved
        } else {
            Heard::PadStill
        })
    }
}

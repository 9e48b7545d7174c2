//! What the reports of a gamepad mean. Some send hundreds a second with nobody at them, full of noise and of clocks,
//! so only buttons and axes are looked at.

use windows_sys::Win32::Devices::HumanInterfaceDevice::{
    HIDP_STATUS_SUCCESS, HIDP_VALUE_CAPS, HidP_GetUsageValue, HidP_GetUsages, HidP_GetValueCaps,
    HidP_Input, PHIDP_PREPARSED_DATA,
};
use windows_sys::Win32::UI::Input::{
    GetRawInputDeviceInfoW, RID_DEVICE_INFO, RIDI_DEVICEINFO, RIDI_PREPARSEDDATA, RIM_TYPEHID,
};

use super::window::size;
use crate::sensors::presence::sticks::Sticks;

/// Pages of the HID usage tables.
const GENERIC: u16 = 1;
const SIMULATION: u16 = 2;
const BUTTONS: u16 = 9;
const HAT: u16 = 0x39;

#[derive(Debug)]
pub(super) struct Gamepad {
    /// How to read its reports; Windows wants it aligned as words are.
    layout: Vec<u64>,
    axes: Vec<Axis>,
    sticks: Sticks<(u16, u16)>,
    pressed: Option<Vec<u16>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Axis {
    page: u16,
    usage: u16,
    far: i32,
}

impl Gamepad {
    /// `None` where the device is none.
    pub fn open(device: isize) -> Option<Self> {
        let mut info = RID_DEVICE_INFO {
            cbSize: size::<RID_DEVICE_INFO>(),
            ..RID_DEVICE_INFO::default()
        };
        let mut length = info.cbSize;
        let handle = device as *mut core::ffi::c_void;
        let into = (&raw mut info).cast();
        // SAFETY: `into` points to a value of the length that is given.
        let got = unsafe { GetRawInputDeviceInfoW(handle, RIDI_DEVICEINFO, into, &mut length) };
        if got == u32::MAX || info.dwType != RIM_TYPEHID {
            return None;
        }
        // SAFETY: this kind of value holds this part of the union.
        let hid = unsafe { info.Anonymous.hid };
        if hid.usUsagePage != GENERIC {
            return None;
        }
        let layout = layout(handle)?;
        let axes = axes(&layout);
        Some(Self {
            layout,
            axes,
            sticks: Sticks::default(),
            pressed: None,
        })
    }

    /// Whether a person moved it. The first report tells how it stands.
    pub fn moved(&mut self, report: &[u8]) -> bool {
        let mut report = report.to_vec();
        let mut moved = self.buttons(&mut report);
        for axis in &self.axes {
            let Some(value) = value(&self.layout, *axis, &report) else {
                continue;
            };
            moved |= self.sticks.moved((axis.page, axis.usage), value, axis.far);
        }
        moved
    }

    fn buttons(&mut self, report: &mut [u8]) -> bool {
        let mut pressed = vec![0u16; 128];
        let mut count = 128;
        // SAFETY: the list has as many places as `count` says, the report as many bytes, and the layout is this
        // device's.
        let status = unsafe {
            HidP_GetUsages(
                HidP_Input,
                BUTTONS,
                0,
                pressed.as_mut_ptr(),
                &mut count,
                parsed(&self.layout),
                report.as_mut_ptr(),
                u32::try_from(report.len()).unwrap_or(0),
            )
        };
        if status != HIDP_STATUS_SUCCESS {
            return false;
        }
        pressed.truncate(count as usize);
        pressed.sort_unstable();
        let before = self.pressed.replace(pressed.clone());
        before.is_some_and(|before| before != pressed)
    }
}

/// Windows reads it and never writes it, although it asks for a pointer to write through.
fn parsed(layout: &[u64]) -> PHIDP_PREPARSED_DATA {
    layout.as_ptr() as PHIDP_PREPARSED_DATA
}

fn layout(handle: *mut core::ffi::c_void) -> Option<Vec<u64>> {
    let mut length = 0;
    let nowhere = std::ptr::null_mut();
    // SAFETY: with no place to write to, only the length is written.
    unsafe { GetRawInputDeviceInfoW(handle, RIDI_PREPARSEDDATA, nowhere, &mut length) };
    let mut layout = vec![0u64; (length as usize).div_ceil(8)];
    let into = layout.as_mut_ptr().cast();
    // SAFETY: the buffer is at least `length` long.
    let got = unsafe { GetRawInputDeviceInfoW(handle, RIDI_PREPARSEDDATA, into, &mut length) };
    (got != u32::MAX && got > 0).then_some(layout)
}

/// Sticks, pedals, wheels and hats. Motion sensors, batteries and clocks are on other pages.
fn axes(layout: &[u64]) -> Vec<Axis> {
    const MOST: u16 = 64;
    let mut found = vec![HIDP_VALUE_CAPS::default(); usize::from(MOST)];
    let mut count = MOST;
    // SAFETY: the list has as many places as `count` says, and the layout is a device's.
    let status =
        unsafe { HidP_GetValueCaps(HidP_Input, found.as_mut_ptr(), &mut count, parsed(layout)) };
    if status != HIDP_STATUS_SUCCESS {
        return Vec::new();
    }
    found.truncate(count.into());
    found.iter().flat_map(axes_of).collect()
}

fn axes_of(caps: &HIDP_VALUE_CAPS) -> Vec<Axis> {
    let usages = if caps.IsRange {
        // SAFETY: the flag says that this part of the union holds.
        let range = unsafe { caps.Anonymous.Range };
        range.UsageMin..=range.UsageMax
    } else {
        // SAFETY: as above.
        let only = unsafe { caps.Anonymous.NotRange }.Usage;
        only..=only
    };
    usages
        .filter(|usage| {
            matches!(
                (caps.UsagePage, usage),
                (GENERIC, 0x30..=0x39) | (SIMULATION, _)
            )
        })
        .map(|usage| Axis {
            page: caps.UsagePage,
            usage,
            far: far(usage, caps.LogicalMin, caps.LogicalMax, caps.BitSize),
        })
        .collect()
}

/// How far an axis must go to have been moved: a quarter from its middle to its end, and for a hat any step.
fn far(usage: u16, min: i32, max: i32, bits: u16) -> i32 {
    if usage == HAT {
        return 1;
    }
    // Some give no proper range and mean all that their bits can hold.
    let width = if max > min {
        max.saturating_sub(min)
    } else {
        1i32.checked_shl(u32::from(bits.min(30)))
            .unwrap_or(i32::MAX)
    };
    (width / 8).max(1)
}

fn value(layout: &[u64], axis: Axis, report: &[u8]) -> Option<i32> {
    let mut value = 0u32;
    // SAFETY: the report has as many bytes as is said, and the layout is this device's.
    let status = unsafe {
        HidP_GetUsageValue(
            HidP_Input,
            axis.page,
            0,
            axis.usage,
            &mut value,
            parsed(layout),
            report.as_ptr(),
            u32::try_from(report.len()).unwrap_or(0),
        )
    };
    (status == HIDP_STATUS_SUCCESS).then_some(value.cast_signed())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stick_must_go_a_quarter_of_its_way_and_a_hat_one_step() {
        assert_eq!(far(0x30, 0, 255, 8), 31);
        assert_eq!(far(0x30, -32_768, 32_767, 16), 8_191);
        // Windows tells an unsigned 16-bit range as 0 to -1.
        assert_eq!(far(0x31, 0, -1, 16), 8_192);
        assert_eq!(far(0x31, i32::MIN, i32::MAX, 32), i32::MAX / 8);
        assert_eq!(far(HAT, 0, 7, 4), 1);
    }

    #[test]
    fn only_axes_of_a_gamepads_pages_are_looked_at() {
        let mut caps = HIDP_VALUE_CAPS {
            UsagePage: GENERIC,
            IsRange: true,
            LogicalMax: 255,
            BitSize: 8,
            ..HIDP_VALUE_CAPS::default()
        };
        caps.Anonymous.Range.UsageMin = 0x30;
        caps.Anonymous.Range.UsageMax = 0x3f;
        assert_eq!(axes_of(&caps).len(), 10);
        caps.UsagePage = 0xff00;
        assert_eq!(axes_of(&caps), []);
    }
}

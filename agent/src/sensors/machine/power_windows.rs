//! Mains or battery, by Windows' own account.

use std::path::Path;

use sublet_core::facts::Power;
use windows_sys::Win32::System::Power::{GetSystemPowerStatus, SYSTEM_POWER_STATUS};

/// Windows answers at once.
pub(super) fn is_quick(_sys: &Path) -> bool {
    true
}

/// Where the power comes from; `None` where that cannot be told.
#[expect(unsafe_code, reason = "Windows' functions are foreign")]
pub(super) fn read(_sys: &Path) -> Option<Power> {
    // SAFETY: a structure of numbers, for which zeros are valid.
    let mut status: SYSTEM_POWER_STATUS = unsafe { std::mem::zeroed() };
    // SAFETY: the structure is ours for the time of the call.
    let told = unsafe { GetSystemPowerStatus(&mut status) } != 0;
    told.then(|| {
        decide(
            status.ACLineStatus,
            status.BatteryFlag,
            status.BatteryLifePercent,
        )
    })?
}

/// By the values that Windows documents: line 0 off, 1 on; flag 128 no battery; 255 unknown in each.
fn decide(line: u8, flag: u8, percent: u8) -> Option<Power> {
    const NO_BATTERY: u8 = 128;
    const UNKNOWN: u8 = 255;
    match line {
        1 => Some(Power::Mains),
        0 => Some(Power::Battery {
            percent: (percent <= 100).then_some(percent),
        }),
        _ if flag != UNKNOWN && flag & NO_BATTERY != 0 => Some(Power::Mains),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_numbers_are_understood() {
        assert_eq!(decide(1, 8, 80), Some(Power::Mains));
        assert_eq!(decide(0, 1, 42), Some(Power::Battery { percent: Some(42) }));
        assert_eq!(decide(0, 1, 255), Some(Power::Battery { percent: None }));
        assert_eq!(decide(255, 128, 255), Some(Power::Mains));
        assert_eq!(decide(255, 255, 255), None);
    }

    #[test]
    fn this_machine_answers() {
        // Whatever it says, it says it without harm.
        let _ = read(Path::new(""));
    }
}

//! PCI addresses, compared as numbers: the same card is `0000:65:00.0` to one library and `00000000:65:00.0` to another.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Where on the PCI bus a device sits.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(into = "String", try_from = "String")]
pub struct PciAddress {
    /// Domain (segment); 0 on most machines.
    pub domain: u32,
    /// Bus.
    pub bus: u8,
    /// Device on the bus, at most 31.
    pub device: u8,
    /// Function of the device, at most 7.
    pub function: u8,
}

/// A text that is no PCI address.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("'{0}' is no PCI address; one looks like 0000:65:00.0, in hexadecimal")]
pub struct NotAPciAddress(String);

impl FromStr for PciAddress {
    type Err = NotAPciAddress;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        parse(text.trim()).ok_or_else(|| NotAPciAddress(text.to_owned()))
    }
}

fn parse(text: &str) -> Option<PciAddress> {
    let mut parts = text.rsplitn(3, ':');
    let (slot, bus) = (parts.next()?, parts.next()?);
    let (device, function) = slot.split_once('.')?;
    let domain = parts.next().map_or(Some(0), |digits| hex(digits, 8))?;
    let address = PciAddress {
        domain,
        bus: u8::try_from(hex(bus, 2)?).ok()?,
        device: u8::try_from(hex(device, 2)?).ok()?,
        function: u8::try_from(hex(function, 1)?).ok()?,
    };
    (address.device <= 31 && address.function <= 7).then_some(address)
}

fn hex(digits: &str, at_most: usize) -> Option<u32> {
    let plain = (1..=at_most).contains(&digits.len())
        && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    plain
        .then(|| u32::from_str_radix(digits, 16).ok())
        .flatten()
}

impl fmt::Display for PciAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:04x}:{:02x}:{:02x}.{:x}",
            self.domain, self.bus, self.device, self.function
        )
    }
}

impl From<PciAddress> for String {
    fn from(address: PciAddress) -> Self {
        address.to_string()
    }
}

impl TryFrom<String> for PciAddress {
    type Error = NotAPciAddress;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_two_spellings_of_an_address_are_one() {
        let vulkan: PciAddress = "0000:65:00.0".parse().expect("Vulkan's spelling");
        let nvml: PciAddress = "00000000:65:00.0".parse().expect("NVML's spelling");
        assert_eq!(vulkan, nvml);
        assert_eq!("65:00.0".parse(), Ok(vulkan));
        assert_eq!(vulkan.to_string(), "0000:65:00.0");
    }

    #[test]
    fn upper_case_and_wide_domains_are_read() {
        let address: PciAddress = "00010000:C1:1F.7".parse().expect("a wide domain");
        assert_eq!(
            address,
            PciAddress {
                domain: 0x1_0000,
                bus: 0xC1,
                device: 31,
                function: 7
            }
        );
        assert_eq!(address.to_string(), "10000:c1:1f.7");
    }

    #[test]
    fn other_texts_are_refused() {
        for text in [
            "",
            "65",
            "65:00",
            "0000:65:20.0",
            "0000:65:00.8",
            "0000:165:00.0",
            "0000:+5:00.0",
            "x:65:00.0",
            "1:2:3:4.0",
        ] {
            assert!(
                text.parse::<PciAddress>().is_err(),
                "{text:?} was taken for an address"
            );
        }
    }
}

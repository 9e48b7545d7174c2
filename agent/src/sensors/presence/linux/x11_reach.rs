//! Whose hands a display's input comes from, and how much of what is done at the desk it sees.

use sublet_core::facts::InputKind;
use x11rb::connection::RequestConnection as _;
use x11rb::protocol::randr::{self, ConnectionExt as _};
use x11rb::protocol::xinput::{self, ConnectionExt as _, DeviceType};
use x11rb::protocol::xproto::{AtomEnum, ConnectionExt as _, Window};
use x11rb::rust_connection::RustConnection;

use super::x11_display::Bounded;

/// What a display sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    /// All input of this desk.
    Desk,
    /// It shows the windows of X programs on a Wayland display, and sees input only while one of them has it.
    Nested,
    /// It is shown on another machine.
    Elsewhere,
    /// It was found rather than given, and reads no device of this machine: a display in memory, such as tests and
    /// programs without a screen use.
    Detached,
}

type Problem = Box<dyn std::error::Error>;

impl Reach {
    /// Of this display; `given` if this process was started on it.
    pub fn of(c: &RustConnection<Bounded>, root: Window, given: bool) -> Result<Self, Problem> {
        Ok(if named(c, "VNC-EXTENSION")? {
            Self::Elsewhere
        } else if named(c, "XWAYLAND")? || has_wayland_outputs(c, root)? {
            Self::Nested
        } else if given || has_devices(c)? {
            Self::Desk
        } else {
            Self::Detached
        })
    }

    pub fn hands(self) -> InputKind {
        match self {
            Self::Elsewhere => InputKind::Remote,
            Self::Desk | Self::Nested | Self::Detached => InputKind::Desk,
        }
    }

    /// Why it does not see all that is done at the desk, to follow a sentence.
    pub fn limits(self) -> &'static str {
        match self {
            Self::Desk => "",
            Self::Nested => " It belongs to a Wayland session and sees only part of the input.",
            Self::Elsewhere => " It is shown on another machine.",
            Self::Detached => " It has no keyboard or mouse of this machine.",
        }
    }
}

fn named(c: &RustConnection<Bounded>, extension: &str) -> Result<bool, Problem> {
    Ok(c.query_extension(extension.as_bytes())?.reply()?.present)
}

/// Before it had an extension to tell by, it could be told by the names of its outputs.
fn has_wayland_outputs(c: &RustConnection<Bounded>, root: Window) -> Result<bool, Problem> {
    if c.extension_information(randr::X11_EXTENSION_NAME)?
        .is_none()
    {
        return Ok(false);
    }
    c.randr_query_version(1, 3)?.reply()?;
    let resources = c.randr_get_screen_resources_current(root)?.reply()?;
    for output in resources.outputs {
        let info = c.randr_get_output_info(output, resources.config_timestamp)?;
        if info.reply()?.name.starts_with(b"XWAYLAND") {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether any of its input devices is a device file of this machine.
fn has_devices(c: &RustConnection<Bounded>) -> Result<bool, Problem> {
    if c.extension_information(xinput::X11_EXTENSION_NAME)?
        .is_none()
    {
        return Ok(false);
    }
    c.xinput_xi_query_version(2, 2)?.reply()?;
    let file = c.intern_atom(false, b"Device Node")?.reply()?.atom;
    let devices = c.xinput_xi_query_device(xinput::Device::ALL)?.reply()?;
    let slaves = [DeviceType::SLAVE_POINTER, DeviceType::SLAVE_KEYBOARD];
    for device in devices.infos.iter().filter(|it| slaves.contains(&it.type_)) {
        let any = AtomEnum::ANY.into();
        let asked = c.xinput_xi_get_property(device.deviceid, false, file, any, 0, 1)?;
        if asked.reply()?.num_items > 0 {
            return Ok(true);
        }
    }
    Ok(false)
}

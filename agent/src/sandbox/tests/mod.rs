//! The sandbox on a real Docker. What holds a job in is observed from inside, where it counts.

mod hardening;
mod images;
mod life;
mod outputs;
mod profile;
mod registry;
mod remains;
mod stage;

use stage::Stage;
